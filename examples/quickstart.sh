#!/usr/bin/env bash
# Runs ChargeBridge with one simulated DC charger, and prints nine curl lines to try next.
#
#     ./examples/quickstart.sh
#
# On a bare Debian 12 it first installs what is missing with apt (root or sudo) and builds. Asks
# nothing; keeps its data in ./quickstart-data; Ctrl-C ends both. Ports: OCPP 9000, REST 8080, the
# charger's own control 7071 (CB_OCPP_PORT, CB_REST_PORT, SIM_PORT change them).
set -euo pipefail
cd "$(dirname "$0")/.."

build=${CB_BUILD:-build/quickstart}
data=${QUICKSTART_DATA:-quickstart-data}
ocpp=${CB_OCPP_PORT:-9000}
rest=${CB_REST_PORT:-8080}
sim=${SIM_PORT:-7071}
unset CB_OCPP_PORT CB_REST_PORT CB_BUILD

for port in "$ocpp" "$rest" "$sim"; do
    if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        echo "Port $port is in use: does a quickstart run already? CB_OCPP_PORT, CB_REST_PORT, SIM_PORT choose others." >&2
        exit 1
    fi
done

sh examples/packages.sh run
if [ ! -x "$build/chargebridge" ] || [ ! -x "$build/chargebridge-sim" ]; then
    echo "Building ChargeBridge in $build (a minute or two) …"
    mkdir -p "$build"
    if ! { cmake -S . -B "$build" -DCB_TESTS=OFF -DCMAKE_BUILD_TYPE=Release &&
        cmake --build "$build" -j"$(nproc)"; } >"$build/build.log" 2>&1; then
        tail -30 "$build/build.log"
        echo "The build failed; the whole output is in $build/build.log" >&2
        exit 1
    fi
fi

mkdir -p "$data"
[ -e "$data/policies" ] || cp -r policies "$data/policies"
pids=()
finish() {
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    echo "Ended. What happened is kept in $data."
}
trap finish EXIT
trap 'exit 0' INT TERM

"$build/chargebridge" --ocpp.address=127.0.0.1 --ocpp.port="$ocpp" --ocpp.registration=open \
    --rest.port="$rest" --policies.dir="$data/policies" --store.file="$data/chargebridge.db" \
    2>>"$data/server.log" &
pids+=($!)
"$build/chargebridge-sim" --port "$ocpp" --control-port "$sim" --id Gresgying02 --connectors 2 --log-frames \
    2>>"$data/charger.log" &
pids+=($!)

# Ready when the charger was accepted and has sent what it had to say.
until curl -s "http://127.0.0.1:$sim/state" 2>/dev/null | grep -q '"accepted":true.*"queued":0,'; do
    for pid in "${pids[@]}"; do
        kill -0 "$pid" 2>/dev/null || {
            tail -n 5 "$data/server.log" "$data/charger.log"
            exit 1
        }
    done
    sleep 0.2
done

key='-H "X-API-Key: changeme-123"'
json='-H "Content-Type: application/json"'
api=http://localhost:$rest/api/v1
cat <<EOF

ChargeBridge is running, and the charger Gresgying02 (two connectors) has booted.
(Unknown chargers are accepted here: registration = open. A real server starts with pending.)

Nine steps, in another terminal. Nobody charges; a car is plugged in; you start its session:

  curl $key $api/active
  curl -X POST http://localhost:$sim/plug/1
  curl -X POST $api/start $json $key -d "{\\"cpid\\":\\"Gresgying02\\",\\"connectorId\\":1,\\"id_tag\\":\\"VID:FCA47A147858\\"}"

It charges. Stop it (the first answer names its transactionId; it is 1 in a fresh $data):

  curl $key $api/active
  curl -X POST $api/stop $json $key -d "{\\"cpid\\":\\"Gresgying02\\",\\"transactionId\\":1}"
  curl $key $api/active

The car leaves. What it took, and how the charger is:

  curl -X POST http://localhost:$sim/unplug/1
  curl $key $api/history
  curl $key $api/status

Then a whole day at a site with two more chargers, in a minute:

  $build/chargebridge-sim --scenario examples/scenarios/day.lua --port $ocpp \\
      --arg rest=http://127.0.0.1:$rest --control-port 0

Change who may charge: edit $data/policies/lib/idtags.lua, then

  kill -HUP ${pids[0]}        # and tail $data/server.log: loaded, or what is wrong and where

Logs: $data/server.log and $data/charger.log. Ctrl-C ends both.
EOF
wait -n "${pids[@]}" || true

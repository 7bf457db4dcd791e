#!/usr/bin/python3
"""SIGTERM at seeded moments under load, ten times on one database: exit status 0, sanitizers silent,
chargers told 1012, every acknowledged start there afterwards; handlers that wait and REST queries under
way are ended, not leaked."""
import asyncio
import json
import os
import random
import shutil
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import Charger, Server  # noqa: E402

ROUNDS = 10
CHARGERS = 10
POLICY = """
function on.authorize(idTag, cp)
  store.set("seen:" .. cp.id, (store.get("seen:" .. cp.id) or 0) + 1)
  return "Accepted"
end
function on.status(cp, connector, status)
  cp:call("TriggerMessage", { requestedMessage = "Heartbeat" })
end
every("1s", function() log.debug("beat") end)
"""


class Mute(Charger):
    """Leaves our CALLs open, so that handlers wait."""

    async def _heard(self, frame):
        if frame[0] != 2:
            await super()._heard(frame)


async def work(charger, counter, started):
    await charger.connect()
    await charger.boot()
    await charger.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError",
                                              "status": "Available"})
    while True:
        stamp = "2026-04-01T%02d:%02d:%02dZ" % (counter[0] // 3600 % 24, counter[0] // 60 % 60,
                                                counter[0] % 60)
        counter[0] += 1
        answer = await charger.call("StartTransaction", {
            "connectorId": 1, "idTag": "ANY", "meterStart": counter[0], "timestamp": stamp})
        started.append(answer["transactionId"])


def ask(server, path):
    request = urllib.request.Request("http://127.0.0.1:%d%s" % (server.rest_port, path),
                                     headers={"X-API-Key": harness.KEY})
    try:
        with urllib.request.urlopen(request, timeout=harness.PATIENCE) as answer:
            return answer.status, json.loads(answer.read())
    except OSError:
        return None  # the server ended meanwhile


async def one_round(server, chance, counters, started):
    chargers = [Mute(server, "STOP%02d" % n) for n in range(CHARGERS)]
    tasks = [asyncio.ensure_future(work(c, counters[n], started)) for n, c in enumerate(chargers)]
    enough = len(started) + chance.randint(20, 100)
    while len(started) < enough:
        await asyncio.wait(tasks, timeout=0.001)
    queries = [asyncio.to_thread(ask, server, "/api/v1/history?limit=1000") for _ in range(4)]
    queries = [asyncio.ensure_future(q) for q in queries]
    await asyncio.to_thread(server.stop)
    await asyncio.gather(*queries)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    codes = {c.ws.close_code for c in chargers}
    return [r for r in results if not isinstance(
        r, (ConnectionError, harness.websockets.ConnectionClosed))], codes


async def main(report):
    folder = tempfile.mkdtemp(prefix="chargebridge-stop-")
    with open(os.path.join(folder, "10-wait.lua"), "w") as f:
        f.write(POLICY)
    chance, started = random.Random(7), []
    counters = [[n * 3600] for n in range(CHARGERS)]
    try:
        with Server(policies=folder) as server:
            for number in range(1, ROUNDS + 1):
                odd, codes = await one_round(server, chance, counters, started)
                report.equal("stop %d of %d" % (number, ROUNDS), ([repr(o) for o in odd], codes),
                             ([], {1012}))
                server.start()
            _, active = await asyncio.to_thread(server.rest, "GET", "/api/v1/active")
            missing = set(started) - {s["transactionId"] for s in active["sessions"]}
            report.equal("every acknowledged start is there", sorted(missing)[:5], [])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    harness.run(main)

#!/usr/bin/python3
"""ChargeBridge beside the bare libwebsockets server, same frames, same run: a table of ratios.

    tests/bench/run.py [SECONDS a row, 4]

Builds Release in build/bench; the server runs on core 0, the load on core 1. Absolute figures are this
machine's; the ratios carry over (DESIGN.md §9 says what to reach). Nothing is asserted.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import ROOT, Server  # noqa: E402

BUILD = os.path.join(ROOT, "build", "bench")
BARE_PORT = 19010


def build():
    for command in (["cmake", "-S", ROOT, "-B", BUILD, "-DCB_TESTS=OFF", "-DCB_BENCH=ON",
                     "-DCMAKE_BUILD_TYPE=Release"], ["cmake", "--build", BUILD, "-j2"]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def load(port, chargers, seconds, scenario):
    out = subprocess.run(["taskset", "-c", "1", os.path.join(BUILD, "bench-load"), str(port),
                          str(chargers), str(seconds), scenario], text=True, stdout=subprocess.PIPE)
    return {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", out.stdout)}


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def on_core_0(process):
    subprocess.run(["taskset", "-a", "-cp", "0", str(process.pid)], check=True,
                   stdout=subprocess.DEVNULL)


def bare(chargers, seconds, scenario):
    process = subprocess.Popen([os.path.join(BUILD, "bench-bare"), str(BARE_PORT)], text=True,
                               stdout=subprocess.PIPE)
    process.stdout.readline()
    on_core_0(process)
    result = load(BARE_PORT, chargers, seconds, scenario)
    result["cpu"] = cpu_seconds(process.pid)
    process.kill()
    process.wait()
    return result


def chargebridge(chargers, seconds, scenario):
    with Server(binary=os.path.join(BUILD, "chargebridge"), log__level="warn", wait=False,
                policies=os.path.join(ROOT, "tests", "bench", "policies"),
                ocpp__port=19011, rest__port=19012) as server:
        while subprocess.run(["curl", "-sf", "http://127.0.0.1:19012/api/v1/health"],
                             stdout=subprocess.DEVNULL).returncode:
            pass
        on_core_0(server.process)
        result = load(19011, chargers, seconds, scenario)
        result["cpu"] = cpu_seconds(server.process.pid)
        result["rss"] = server.rss_kib()
    return result


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    build()
    print("%-34s %12s %12s %7s %10s %10s" % ("row", "bare /s", "ours /s", "ratio", "p50 us", "p99 us"))
    bad = 0
    for name, chargers, scenario in (("heartbeat, 1,000 chargers", 1000, "heartbeat"),
                                     ("durable sessions, 1,000 chargers", 1000, "session"),
                                     ("durable sessions, 10 chargers", 10, "session")):
        a, b = bare(chargers, seconds, scenario), chargebridge(chargers, seconds, scenario)
        bad += int(a["errors"] + b["errors"])
        print("%-34s %12.0f %12.0f %7.2f %10.0f %10.0f" % (
            name, a["rate"], b["rate"], b["rate"] / a["rate"], b["p50_us"], b["p99_us"]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

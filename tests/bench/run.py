#!/usr/bin/python3
"""ChargeBridge beside the bare libwebsockets server, same frames, same run: a table of ratios.

    tests/bench/run.py [SECONDS a row, 4] [--row WORD]... [--repeat N] [--perf] [--no-build]

Builds Release in build/bench (or $BENCH_BUILD); the server runs on core 0, the load on core 1.
README.md says how to read the table. Nothing is asserted about time; the exit status is 1 when a
charger got a wrong answer or lost its connection.
"""
import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import KEY, PATIENCE, ROOT, Server  # noqa: E402

BUILD = os.environ.get("BENCH_BUILD", os.path.join(ROOT, "build", "bench"))
BENCH_POLICIES = os.path.join(ROOT, "tests", "bench", "policies")
CANDIDATE = os.path.join(ROOT, "tests", "bench", "candidate")
DEFAULT_POLICIES = os.path.join(ROOT, "policies")
OWN_CARD, DEMO_CARD = "LOAD%u", "VID:FCA47A147858"
STORM_LIMIT = 30

# name, scenario, chargers, policies, card, CALLs a second (0 = as fast as they are answered), and for a
# row that compares ours without and with a shadow instead of the bare server and ours: its candidate
ROWS = (("heartbeat, 1,000", "heartbeat", 1000, DEFAULT_POLICIES, DEMO_CARD, 0),
        ("sessions, 1,000", "session", 1000, BENCH_POLICIES, OWN_CARD, 0),
        ("sessions, 1,000, default policies, one card", "session", 1000, DEFAULT_POLICIES, DEMO_CARD, 0),
        ("sessions, 10", "session", 10, BENCH_POLICIES, OWN_CARD, 0),
        ("sessions, 1,000, 5,000 messages/s", "session", 1000, BENCH_POLICIES, OWN_CARD, 5000),
        ("sessions, 1,000, without | with a shadow", "session", 1000, BENCH_POLICIES, OWN_CARD, 0, CANDIDATE),
        ("idle, 5,000", "idle", 5000, DEFAULT_POLICIES, DEMO_CARD, 0),
        ("reconnect, 2,000", "reconnect", 2000, DEFAULT_POLICIES, DEMO_CARD, 0))


def build():
    for command in (["cmake", "-S", ROOT, "-B", BUILD, "-DCB_TESTS=OFF", "-DCB_BENCH=ON",
                     "-DCMAKE_BUILD_TYPE=Release"], ["cmake", "--build", BUILD, "-j2"]):
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            sys.exit(done.stdout[-4000:] + "\nit does not build: " + " ".join(command))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_seconds(pid):
    """(of the loop thread, of all other threads)"""
    loop = others = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, task)) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        if int(task) == pid:
            loop += used
        else:
            others += used
    return loop, others


def rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def on_core_0(pid):
    subprocess.run(["taskset", "-a", "-cp", "0", str(pid)], check=True, stdout=subprocess.DEVNULL)


def perf_start(pid, path):
    return subprocess.Popen(["perf", "record", "-q", "-F", "1499", "-g", "-p", str(pid), "-o", path],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def perf_show(recorder, path):
    """Shares by library, then the hottest functions outside of the kernel."""
    recorder.terminate()
    recorder.wait()
    for sort, most in (("dso", 8), ("dso,symbol", 30)):
        done = subprocess.run(["perf", "report", "-i", path, "--no-children", "-g", "none", "--stdio",
                               "--sort", sort], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        lines = [" ".join(line.split()) for line in done.stdout.split("\n")
                 if "%" in line and line[0] != "#" and "[k]" not in line]
        print("\n".join("    " + line.replace(" - -", "") for line in lines[:most]) + "\n", flush=True)
    print("    who calls what: perf report --no-children -i %s" % path)


def measure(pid, port, row, seconds, perf=None):
    """Runs the load of one row against the process; what it printed, and the server's CPU and RSS."""
    _, scenario, chargers, _, card, rate = row[:6]
    base = rss_kib(pid)
    command = ["taskset", "-c", "1", os.path.join(BUILD, "bench-load"), str(port), str(chargers),
               str(STORM_LIMIT if scenario == "reconnect" else seconds), scenario, card, str(rate)]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as load:
        line = load.stdout.readline()
        recorder = perf_start(pid, perf) if perf else None
        loop, others = cpu_seconds(pid)
        booted = rss_kib(pid)
        line = load.stdout.readline() if line == "ready\n" else line
        loop_after, others_after = cpu_seconds(pid)
        load.stdout.read()
    if recorder:
        perf_show(recorder, perf)
    result = {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", line)}
    if "errors" not in result:
        result = {"errors": 1, "rate": 0, "messages": 0, "p50_us": 0, "p99_us": 0, "seconds": 0,
                  "start_p99_us": 0, "refused": 0}
    result["each_bytes"] = (booted - base) * 1024 / chargers
    messages = max(result["messages"], 1)
    result["loop_us"] = (loop_after - loop) * 1e6 / messages
    result["cpu_us"] = result["loop_us"] + (others_after - others) * 1e6 / messages
    return result


def bare(row, seconds):
    port = free_port()
    process = subprocess.Popen([os.path.join(BUILD, "bench-bare"), str(port)], text=True,
                               stdout=subprocess.PIPE)
    try:
        if process.stdout.readline() != "ready\n":
            raise SystemExit("the bare server does not start")
        on_core_0(process.pid)
        return measure(process.pid, port, row, seconds)
    finally:
        process.kill()
        process.wait()


def wait_for_health(server, port):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return urllib.request.urlopen("http://127.0.0.1:%d/api/v1/health" % port, timeout=1).close()
        except (urllib.error.URLError, OSError):
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the server does not start: %s" % server.tail()) from None
            time.sleep(0.02)


def shadow_state(port):
    request = urllib.request.Request("http://127.0.0.1:%d/api/v1/policies/shadow" % port)
    request.add_header("X-API-Key", KEY)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


def wait_for_shadow(server, port):
    deadline = time.monotonic() + PATIENCE
    while not shadow_state(port)["running"]:
        if time.monotonic() > deadline:
            raise SystemExit("the shadow does not start: %s" % server.tail())
        time.sleep(0.02)


def chargebridge(row, seconds, perf=None, **options):
    """A fresh server with a fresh database. The accept rate is lifted: the storm measures what a
    connection costs, not the limit (1,000/s) that protects a server from it."""
    port, rest = free_port(), free_port()
    with Server(binary=os.path.join(BUILD, "chargebridge"), policies=row[3], log__level="warn",
                wait=False, ocpp__port=port, rest__port=rest, ocpp__accept_rate=100000, **options) as server:
        wait_for_health(server, rest)
        if options.get("policies__shadow_dir"):
            wait_for_shadow(server, rest)
        on_core_0(server.process.pid)
        result = measure(server.process.pid, port, row, seconds, perf)
        if options.get("policies__shadow_dir"):
            result["shadow"] = shadow_state(rest)
        if result["errors"]:
            print("    the server's last words: %s" % server.tail(5))
        return result


def show(row, a, b):
    """One or two lines: the reference beside ours."""
    name, scenario = row[0], row[1]
    if scenario == "idle":
        print("%-44s %9.1f %9.1f %6.2f   KiB of memory each" % (
            name, a["each_bytes"] / 1024, b["each_bytes"] / 1024, b["each_bytes"] / max(a["each_bytes"], 1)))
        return
    unit = "boots/s, all" if scenario == "reconnect" else "messages/s"
    print("%-44s %9.0f %9.0f %6.2f   %s; p50 %.1f | %.1f, p99 %.1f | %.1f ms" % (
        name, a["rate"], b["rate"], b["rate"] / max(a["rate"], 1), unit, a["p50_us"] / 1e3,
        b["p50_us"] / 1e3, a["p99_us"] / 1e3, b["p99_us"] / 1e3))
    extra = "the loop thread %.1f" % b["loop_us"]
    if scenario == "session":
        extra += "; StartTransaction p99 %.1f | %.1f ms, refused %d" % (
            a["start_p99_us"] / 1e3, b["start_p99_us"] / 1e3, b["refused"])
    print("%-44s %9.1f %9.1f %6.2f   us of CPU each; %s" % (
        "", a["cpu_us"], b["cpu_us"], a["cpu_us"] / max(b["cpu_us"], 0.01), extra), flush=True)
    shadow = b.get("shadow")
    if shadow:
        print("%-44s compared %d of %d events, %d differ; %.0f %% of the time" % (
            "", shadow["compared"], shadow["events"], shadow["differing"], 100 * shadow["share"]), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("seconds", type=int, nargs="?", default=4, help="of load a row")
    parser.add_argument("--row", action="append", help="only rows whose name contains this")
    parser.add_argument("--repeat", type=int, default=1, help="pairs a row; the fastest of each is kept")
    parser.add_argument("--perf", action="store_true", help="profile the server and print the top")
    parser.add_argument("--no-build", action="store_true")
    options = parser.parse_args()
    if not options.no_build:
        build()
    errors = 0
    print("%-44s %9s %9s %6s" % ("row", "bare", "ours", "ratio"), flush=True)
    for number, row in enumerate(ROWS):
        if options.row and not any(word in row[0] for word in options.row):
            continue
        pairs = []
        for _ in range(options.repeat):
            perf = os.path.join(tempfile.gettempdir(), "perf-%d.data" % number) if options.perf else None
            if len(row) > 6:
                pairs.append((chargebridge(row, options.seconds),
                              chargebridge(row, options.seconds, perf, policies__shadow_dir=row[6])))
            else:
                pairs.append((bare(row, options.seconds), chargebridge(row, options.seconds, perf)))
        errors += int(sum(a["errors"] + b["errors"] for a, b in pairs))
        a, b = (max(results, key=lambda r: r["rate"]) for results in zip(*pairs))
        show(row, a, b)
    if errors:
        print("%d errors" % errors)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

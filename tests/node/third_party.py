#!/usr/bin/python3
"""Runs session.mjs and commands.mjs (npm ocpp-rpc in strict mode) against the real server, then reads
what it kept of them."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import harness  # noqa: E402


def run(report, server, script):
    environment = {**os.environ, "OCPP_URL": "ws://127.0.0.1:%d/ocpp" % server.ocpp_port,
                   "REST_URL": "http://127.0.0.1:%d" % server.rest_port, "KEY": harness.KEY}
    done = subprocess.run(["node", os.path.join(HERE, script)], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=harness.PATIENCE)
    print(done.stdout, end="")
    report.equal("%s ends well" % script, done.returncode, 0)


async def main(report):
    with harness.Server() as server:
        run(report, server, "session.mjs")
        _, history = server.rest("GET", "/api/v1/history?cpid=STRICT01")
        got = [(s["meterStart"], s["meterStop"], s["energy"], s["reason"], s["durationSecs"])
               for s in history["sessions"]]
        report.equal("its session is in the history", got, [(1000, 4200, 3200, "Local", 420)])

        run(report, server, "commands.mjs")
        _, commands = server.rest("GET", "/api/v1/chargepoints/STRICT02/commands?limit=1000")
        report.equal("all of its commands are on record", len(commands["items"]), 22)


if __name__ == "__main__":
    harness.run(main)

#!/usr/bin/python3
"""Runs session.mjs (npm ocpp-rpc in strict mode) against the real server, then reads the history."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import harness  # noqa: E402


async def main(report):
    with harness.Server() as server:
        environment = {**os.environ, "OCPP_URL": "ws://127.0.0.1:%d/ocpp" % server.ocpp_port}
        done = subprocess.run(["node", os.path.join(HERE, "session.mjs")], env=environment,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=harness.PATIENCE)
        print(done.stdout, end="")
        report.equal("the strict session ends well", done.returncode, 0)
        _, history = server.rest("GET", "/api/v1/history?cpid=STRICT01")
        got = [(s["meterStart"], s["meterStop"], s["energy"], s["reason"], s["durationSecs"])
               for s in history["sessions"]]
        report.equal("its session is in the history", got, [(1000, 4200, 3200, "Local", 420)])


if __name__ == "__main__":
    harness.run(main)

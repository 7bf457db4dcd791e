#!/usr/bin/python3
"""The database is deleted under the running server: no answer promises what no file holds, /health says
503, the log names the file; a restart starts afresh."""
import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import CallError, Charger, Server  # noqa: E402

START = {"connectorId": 1, "idTag": "VID:FCA47A147858", "meterStart": 0,
         "timestamp": "2026-05-01T00:00:00Z"}


async def main(report):
    with Server() as server:
        charger = await Charger(server, "CP1").connect()
        await charger.boot()
        for path in glob.glob(server.options["store__file"] + "*"):
            if not path.endswith(".lock"):
                os.remove(path)
        try:
            answer = await charger.call("StartTransaction", START)
        except CallError as error:
            answer = error.args[0]
        report.equal("a start is not acknowledged (X4)", answer, "InternalError")
        status, _ = server.rest("GET", "/api/v1/health", key=None)
        report.equal("health says so", status, 503)
        report.check("the log names the file", any(
            "deleted or replaced" in line and "cb.db" in line for line in server.log if line))
        await charger.close()
        server.stop()
        server.start()
        charger = await Charger(server, "CP1").connect()
        await charger.boot()
        answer = await charger.call("StartTransaction", START)
        report.equal("after a restart it is", answer["idTagInfo"]["status"], "Accepted")
        await charger.close()


if __name__ == "__main__":
    harness.run(main)

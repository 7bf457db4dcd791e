#!/usr/bin/python3
"""What a first start and a SIGHUP do (POLICY.md §3.1, §3.6): broken policies end a start with status 1
and every finding in the log; SIGHUP reloads, a refused one leaves everything running."""
import asyncio
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import Charger, Server  # noqa: E402

GOOD = 'function on.authorize() return "%s" end\n'


class Folder:
    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="chargebridge-start-")

    def write(self, text):
        with open(os.path.join(self.path, "10-a.lua"), "w") as f:
            f.write(text)


async def hangup(server, words):
    before = len(server.log)
    server.hangup()
    return await asyncio.to_thread(server.wait_log, words, before)


async def main(report):
    folder = Folder()
    try:
        folder.write("function on.authorize()\n  retrun 'x'\nend\n")
        server = Server(policies=folder.path, wait=False)
        server.process.wait(harness.PATIENCE)
        server.reader.join()
        words = "\n".join(l for l in server.log if l)
        report.check("a broken first start ends with status 1", server.process.returncode == 1, words)
        report.check("it names file and line", "file=10-a.lua" in words and "line=2" in words, words)
        folder.write(GOOD % "Accepted")
        with Server(policies=folder.path) as server:
            charger = await Charger(server, "CP1").connect()
            await charger.boot()
            folder.write(GOOD % "Blocked")
            await hangup(server, "generation=2")
            answer = await charger.call("Authorize", {"idTag": "X"})
            report.equal("SIGHUP brings the new policies", answer["idTagInfo"]["status"], "Blocked")
            folder.write("retrun 'x'\n")
            await hangup(server, "10-a.lua")
            answer = await charger.call("Authorize", {"idTag": "X"})
            report.equal("a refused SIGHUP changes nothing", answer["idTagInfo"]["status"], "Blocked")
            report.check("nobody was disconnected", charger.connected)
            await charger.close()
    finally:
        shutil.rmtree(folder.path, ignore_errors=True)


if __name__ == "__main__":
    harness.run(main)

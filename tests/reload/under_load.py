#!/usr/bin/python3
"""200 reloads, a third of them broken, under 1,000 connected chargers (POLICY.md §3.12).

Every good generation answers with its own mark, so each charger can tell that no answer was lost,
doubled, reordered, or made by an older generation than the one before. Nobody is disconnected, and
the server's memory is flat: the second half of the reloads adds next to nothing to the first.
"""
import asyncio
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import Charger, Server  # noqa: E402

CHARGERS = int(os.environ.get("RELOAD_CHARGERS", "1000"))
RELOADS = int(os.environ.get("RELOAD_COUNT", "200"))
GROWTH = 1.15  # of resident memory between the middle and the end

GOOD = """
local pad = {}
for i = 1, 2000 do pad[i] = "entry " .. i end
function on.authorize(idTag, cp)
  return "Accepted", { parentIdTag = "G%06d" }
end
function on.status(cp, connector, status, previous)
  cp.vars.last = status
end
"""
BROKEN = ["function on.authorize(", "error('no')", "while true do end", "retrun 'x'",
          "function on.authorise() end", "local t = nil; t.x = 1"]


class Asker:
    def __init__(self, server, number):
        self.charger = Charger(server, "LOAD%04d" % number)
        self.mark, self.rounds, self.bad = "", 0, []

    async def run(self, until):
        connectors = 0
        while not until.is_set():
            first = await self.charger.send("Authorize", {"idTag": "ANY"})
            connectors += 1
            second = await self.charger.send("StatusNotification", {
                "connectorId": 1, "errorCode": "NoError",
                "status": "Available" if connectors % 2 else "Preparing"})
            answer = await asyncio.wait_for(first, harness.PATIENCE)
            await asyncio.wait_for(second, harness.PATIENCE)
            mark = answer["idTagInfo"].get("parentIdTag", "")
            if mark < self.mark:
                self.bad.append("%s after %s" % (mark, self.mark))
            self.mark = mark
            self.rounds += 1


async def connect_all(askers):
    async def one(asker):
        await asker.charger.connect()
        await asker.charger.boot()
    for at in range(0, len(askers), 100):
        await asyncio.gather(*(one(a) for a in askers[at:at + 100]))


async def reload_all(report, server, path):
    wrong, middle = [], 0
    for number in range(1, RELOADS + 1):
        good = number % 3 != 0
        with open(path, "w") as f:
            f.write(GOOD % number if good else BROKEN[number // 3 % len(BROKEN)])
        status, answer = await asyncio.to_thread(server.rest, "POST", "/api/v1/policies/reload")
        if (status == 200) != good:
            wrong.append((number, status, answer))
        if number == RELOADS // 2:
            middle = server.rss_kib()
    report.equal("good ones load, broken ones are refused", wrong[:3], [])
    return middle


async def main(report):
    folder = tempfile.mkdtemp(prefix="chargebridge-reload-")
    path = os.path.join(folder, "10-mark.lua")
    with open(path, "w") as f:
        f.write(GOOD % 0)
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
    try:
        with Server(policies=folder, policies__load_file="200ms") as server:
            askers = [Asker(server, n) for n in range(CHARGERS)]
            await connect_all(askers)
            over = asyncio.Event()
            tasks = [asyncio.ensure_future(a.run(over)) for a in askers]
            middle = await reload_all(report, server, path)
            over.set()
            errors = [e for e in await asyncio.gather(*tasks, return_exceptions=True) if e]
            end = server.rss_kib()
            report.equal("no charger saw an error", [repr(e) for e in errors[:3]], [])
            report.equal("nobody was disconnected",
                         [a.charger.identity for a in askers if not a.charger.connected], [])
            report.equal("no generation answered after a newer one",
                         [a.bad[:2] for a in askers if a.bad][:3], [])
            report.equal("no answer was lost or doubled",
                         [a.charger.extra_answers for a in askers if a.charger.extra_answers][:3], [])
            rounds = sum(a.rounds for a in askers)
            report.check("the load was real (%d rounds)" % rounds, rounds > 2 * CHARGERS)
            report.check("memory is flat (%d KiB, then %d KiB)" % (middle, end),
                         end < middle * GROWTH)
            await asyncio.gather(*(a.charger.close() for a in askers))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    harness.run(main)

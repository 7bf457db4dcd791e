#!/usr/bin/python3
"""A policy that loops for ever in on.authorize: its own charger gets the default verdict, the log
names file and line, the loop was cut at its budget of CPU time, and all others are answered."""
import asyncio
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import Charger, Server  # noqa: E402

POLICY = """function on.authorize(idTag, cp)
  if idTag == "LOOP" then
    while true do pcall(function() while true do end end) end
  end
  return "Accepted"
end
"""


async def main(report):
    folder = tempfile.mkdtemp(prefix="chargebridge-runaway-")
    with open(os.path.join(folder, "10-runaway.lua"), "w") as f:
        f.write(POLICY)
    try:
        with Server(policies=folder) as server:
            stuck = await Charger(server, "STUCK").connect()
            others = [await Charger(server, "OTHER%02d" % n).connect() for n in range(20)]
            await asyncio.gather(*(c.boot() for c in [stuck, *others]))
            before = len(server.log)
            loop = await stuck.send("Authorize", {"idTag": "LOOP"})
            rest = await asyncio.gather(*(c.call("Authorize", {"idTag": "GOOD"}) for c in others))
            report.equal("the others are answered",
                         {a["idTagInfo"]["status"] for a in rest}, {"Accepted"})
            answer = await asyncio.wait_for(loop, harness.PATIENCE)
            report.equal("its own charger gets the default", answer["idTagInfo"]["status"], "Invalid")
            line = await asyncio.to_thread(server.wait_log, "10-runaway.lua", before)
            report.check("the log names file and line",
                         re.search(r"file=10-runaway\.lua line=3 ", line) is not None, line)
            again = await stuck.call("Authorize", {"idTag": "GOOD"})
            report.equal("its charger goes on", again["idTagInfo"]["status"], "Accepted")
            for charger in [stuck, *others]:
                await charger.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    harness.run(main)

#!/usr/bin/python3
"""The scenarios of examples/ against a fresh server: hello.lua, and day.lua with its ten hours in half a
minute. Both must be content, and what they left behind must add up over REST: every session with its card,
reason and energy, registers without a hole, nothing open, the lost card nowhere.

The scenarios wait minutes for answers and seconds before they leave, which are tenths of a second at their
speed: on a machine that is too busy for that they are repeated, slowly and on another fresh server."""
import asyncio
import csv
import io
import os
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402

SPEEDS = ("1300", "400")
MEMORY = "/dev/shm"  # an fsync that takes a second is twenty minutes of this day

GAP_MOST = 200  # Wh: what a car takes at 150 kW while the simulator's timers are seconds late

# (charger, connector, card, reason, energy in Wh or None): the commuters' cars of 60 kWh are full at 100 %,
# from 30 % in the morning and from 20 % after the power cut.
DAY = [
    ("Site-AC-1", 1, "COMMUTER1", "EVDisconnected", 48000), ("Site-AC-1", 1, "COMMUTER1", "PowerLoss", 42000),
    ("Site-AC-1", 2, "COMMUTER2", "EVDisconnected", 48000), ("Site-AC-1", 2, "COMMUTER2", "PowerLoss", 42000),
    ("Site-DC-1", 1, "VISITOR1", "Local", None), ("Site-DC-1", 1, "VISITOR2", "EVDisconnected", None),
]


async def play(server, name, *arguments):
    """(exit status, last words) of one scenario."""
    process = await asyncio.create_subprocess_exec(
        os.path.join(os.path.abspath(harness.BUILD), "chargebridge-sim"), "--scenario",
        os.path.join(harness.ROOT, "examples", "scenarios", name), "--port", str(server.ocpp_port), "--control-port", "0",
        *arguments, cwd=server.directory, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        out = (await asyncio.wait_for(process.communicate(), 300))[0].decode(errors="replace")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, out[-1500:]


def transactions(server, cpid):
    return server.rest("GET", "/api/v1/transactions?limit=100&cpid=" + cpid)[1]["items"]


def hello_left(report, server):
    sessions = transactions(server, "Hello-1")
    report.equal("hello: one session of its card", [(t["idTag"], t["state"], t["reason"]) for t in sessions],
                 [("VID:FCA47A147858", "stopped", "EVDisconnected")])
    energy = sessions[0]["energy"]
    report.check("hello: ten minutes of a DC charger", 5000 < energy < 40000 and 600 <= sessions[0]["durationSecs"] < 900,
                 sessions[0])


def sessions_left(report, server):
    sessions = transactions(server, "Site-DC-1") + transactions(server, "Site-AC-1")
    seen = sorted((t["cpid"], t["connectorId"], t["idTag"], t["reason"], t["energy"]) for t in sessions)
    report.equal("day: six sessions, each with its card, its reason, and full cars", [
        (*s[:4], s[4] if s[0] == "Site-AC-1" else None) for s in seen], DAY)
    report.equal("day: all ended", {t["state"] for t in sessions}, {"stopped"})
    report.equal("day: only who stopped with a card has a stop card", [t["stopIdTag"] for t in sessions if t["stopIdTag"]],
                 ["VISITOR1"])
    report.check("day: between seven and half past five", all(
        "T07:00" < t["startTime"][10:] < t["stopTime"][10:] < "T17:30" for t in sessions), sessions)
    report.equal("day: the lost card is nowhere", server.rest("GET", "/api/v1/transactions?idTag=LOST1")[1]["items"], [])
    return sessions


def energy_left(report, server, sessions):
    report.equal("day: energy is the difference of the register", [
        t["transactionId"] for t in sessions if t["energy"] != t["meterStop"] - t["meterStart"] or t["energy"] <= 0], [])
    registers, outside = {}, 0
    for t in sorted(sessions, key=lambda t: t["startTime"]):
        place = (t["cpid"], t["connectorId"])
        gap = t["meterStart"] - registers.get(place, 0)
        report.check("day: the register of %s %d goes on, or the session says that it moved" % place,
                     0 <= gap <= GAP_MOST and ("gap" in t["flags"]) == (gap > 0 and place in registers), (registers, t))
        registers[place] = t["meterStop"]
        outside += gap
    total = sum(t["energy"] for t in sessions)
    report.equal("day: the sum of the sessions is that of the registers", total + outside, sum(registers.values()))
    listed = server.rest("GET", "/api/v1/history?limit=100")[1]["sessions"]
    report.equal("day: the history has the same sum", sum(s["energy"] for s in listed if s["cpid"].startswith("Site-")), total)
    request = urllib.request.Request("http://127.0.0.1:%d/api/v1/transactions?format=csv" % server.rest_port)
    request.add_header("X-API-Key", harness.KEY)
    rows = csv.DictReader(io.StringIO(server._fetch(request)[2]))
    report.equal("day: and so has the CSV", sum(int(r["energy"]) for r in rows if r["cpid"].startswith("Site-")), total)
    for t in sessions:
        values = server.rest("GET", "/api/v1/transactions/%d/meter?limit=1000" % t["transactionId"])[1]["items"]
        energies = [v["energyWh"] for v in values if v["energyWh"] is not None]
        report.check("day: the meter of %s %s rises within its session" % (t["idTag"], t["reason"]),
                     len(energies) > 5 and energies == sorted(energies) and t["meterStart"] <= energies[0]
                     and energies[-1] <= t["meterStop"], (t, energies[:3], energies[-3:], len(energies)))


def chargers_left(report, server):
    report.equal("day: nobody charges any more", server.rest("GET", "/api/v1/active")[1]["sessions"], [])
    for cpid in ("Site-DC-1", "Site-AC-1"):
        found = server.rest("GET", "/api/v1/chargepoints/" + cpid)[1]
        report.equal("%s: accepted, its connectors free" % cpid,
                     (found["registration"], {c["status"] for c in found["connectors"]}), ("accepted", {"Available"}))
    tags = {t["idTag"]: t["status"] for t in server.rest("GET", "/api/v1/tags")[1]["items"]}
    report.equal("the cards are those of the day", tags, {"COMMUTER1": "Accepted", "COMMUTER2": "Accepted", "LOST1": "Blocked",
                                                           "VISITOR1": "Accepted", "VISITOR2": "Accepted"})


async def both(report, server, speed, last):
    """True when there is no more to be tried."""
    rest = "rest=http://127.0.0.1:%d" % server.rest_port
    day, hello = await asyncio.gather(play(server, "day.lua", "--arg", rest, "--arg", "speed=" + speed),
                                      play(server, "hello.lua"))
    told = all(t["state"] == "stopped" for cpid in ("Hello-1", "Site-AC-1", "Site-DC-1") for t in transactions(server, cpid))
    if not last and (day[0] or hello[0] or not told):
        print("     too fast for this machine: again, slowly\n%s" % (hello if hello[0] else day)[1])
        return False
    report.check("hello.lua is content", hello[0] == 0, hello[1])
    report.check("day.lua is content", day[0] == 0, day[1])
    hello_left(report, server)
    energy_left(report, server, sessions_left(report, server))
    chargers_left(report, server)
    report.equal("no error in the log", [l for l in server.log if l and "level=error" in l], [])
    return True


async def main(report):
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    for speed in SPEEDS:
        with tempfile.TemporaryDirectory(prefix="chargebridge-test-", dir=place) as folder:
            with harness.Server(directory=folder) as server:
                if await both(report, server, speed, speed == SPEEDS[-1]):
                    return


if __name__ == "__main__":
    harness.run(main)

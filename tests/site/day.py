#!/usr/bin/python3
"""A day at a depot: 20 simulated cars on 100 A by examples/depot, with the server killed in the middle.

The simulator plays tests/site/day.lua on a clock that runs many times as fast, and judges what its own
meters say: never above the fuse, at no moment; nobody starved. Here the frames are judged: a limit that a
charger follows already is sent again only after it was away.
"""
import json
import os
import shutil
import socket
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
import sites  # noqa: E402

SPEED = int(os.environ.get("DAY_SPEED", "1800"))
PATIENCE = 150

# The simulated cars follow a limit at once, and a minute of theirs is too short for the clock of the server, which
# is real: what the core does once a minute is done so much more often here.
FASTER = """
every("100ms", function() site "depot":rebalance() end)
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def policies(directory):
    """The example, for cars that need no time to follow."""
    folder = os.path.join(directory, "policies")
    shutil.copytree(os.path.join(harness.ROOT, "examples", "depot", "policies"), folder,
                    ignore=shutil.ignore_patterns("tests"))
    path = os.path.join(folder, "50-site.lua")
    with open(path) as f:
        text = f.read()
    changed = text.replace("failsafe = 0 }", 'failsafe = 0, settle = "0s" }')
    if changed == text:
        raise AssertionError("the example defines its site in another way now")
    with open(path, "w") as f:
        f.write(changed + FASTER)
    return folder


def limit_of(payload):
    profile = payload["csChargingProfiles"]
    period = profile["chargingSchedule"]["chargingSchedulePeriod"][0]
    return (payload["connectorId"], profile["chargingProfilePurpose"], profile.get("transactionId"),
            profile["chargingSchedule"]["chargingRateUnit"], period["limit"])


class Frames:
    """What went over the lines, in order: which limits each charger follows, and which it refused."""

    def __init__(self):
        self.sent, self.units = 0, set()
        self.waiting, self.told = {}, {}   # (cp, id of the CALL) → place, value; place → value
        self.again = []
        self.refused, self.over = {}, set()  # (cp, transaction) → answers; those that were stopped
        self.wrong = []                    # refused by somebody whose car was still there

    def feed(self, cp, connection, outgoing, frame):
        if outgoing and frame[0] == 2 and frame[2] == "SetChargingProfile":
            self.set(cp, connection, frame)
        elif not outgoing and frame[0] in (3, 4) and (cp, frame[1]) in self.waiting:
            self.answer(cp, frame)
        elif not outgoing and frame[0] == 2 and frame[2] == "StopTransaction":
            self.over.add((cp, frame[3]["transactionId"]))
            self.refused.pop((cp, frame[3]["transactionId"]), None)

    def set(self, cp, connection, frame):
        limit = limit_of(frame[3])
        place, value = (cp, connection, *limit[:3]), limit[3:]
        self.sent += 1
        self.units.add(value[0])
        if self.told.get(place) == value:
            self.again.append("%s: %r" % (cp, limit))
        self.waiting[(cp, frame[1])] = place, value

    def answer(self, cp, frame):
        place, value = self.waiting.pop((cp, frame[1]))
        key = (cp, place[4])
        if frame[0] == 3 and frame[2].get("status") == "Accepted":
            self.told[place] = value
            self.wrong += self.refused.pop(key, [])
        elif key not in self.over:
            self.refused.setdefault(key, []).append("%s: %r: %s" % (cp, value, frame))


def judge(report, database):
    db = sqlite3.connect("file:%s?mode=ro" % database, uri=True)
    frames = Frames()
    for cp, connection, outgoing, text in db.execute(
            "SELECT cp, connection, outgoing, text FROM message ORDER BY id"):
        frames.feed(cp, connection, outgoing, json.loads(text))
    db.close()
    report.check("limits are sent again only on change (%d sent)" % frames.sent,
                 frames.sent > 200 and not frames.again,
                 "%d sent, %d again: %s" % (frames.sent, len(frames.again), frames.again[:5]))
    wrong = frames.wrong + sum(frames.refused.values(), [])
    report.check("only cars that have left refuse a limit", not wrong, wrong[:5])
    report.equal("chargers got the unit that they take", frames.units, {"A", "W"})


async def main(report):
    with tempfile.TemporaryDirectory(prefix="chargebridge-test-") as directory, \
            harness.Server(policies(directory), directory, ocpp__port=free_port(),
                           ocpp__boot_grace="300ms") as server:
        simulator = sites.Simulator(server, scenario=os.path.join(harness.ROOT, "tests/site/day.lua"),
                                    arg="speed=%d" % SPEED, seed=7)
        simulator.wait_log("kill the server")
        server.kill()
        server.start()
        report.check("the server is back", True)
        code = simulator.process.wait(PATIENCE)
        simulator.reader.join()
        said = [line for line in simulator.log if line and "day.lua:" in line]
        for line in simulator.log:
            if line and "msg=scenario" in line and os.environ.get("DAY_SHOW"):
                print(line)
        report.check("a whole day: never above the fuse, nobody starved", code == 0 and not said,
                     "\n".join(said[:8]) or simulator.tail(20))
        _, answer = server.rest("GET", "/api/v1/active")
        report.equal("nobody charges at the end", answer["sessions"], [])
        server.stop()
        judge(report, server.options["store__file"])


if __name__ == "__main__":
    harness.run(main)

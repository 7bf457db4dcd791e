#!/usr/bin/python3
"""kill -9 at random moments under load, 50 times on one database (DESIGN.md §5).

Eight chargers start and stop transactions as fast as they get answers. After a seeded number of
answers the server is killed, started again, and asked. Each charger keeps a ledger of what was
acknowledged and, as a real one does, sends again what was not. At every restart: no acknowledged
start or stop is missing or doubled, what was open is open, and the database is whole.
"""
import asyncio
import os
import random
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import Charger, Server  # noqa: E402

ROUNDS = int(os.environ.get("KILL_ROUNDS", "50"))
SEED = int(os.environ.get("KILL_SEED", "20261124"))
CHARGERS = 8
TAG = "VID:FCA47A147858"


class Load:
    """What all chargers of a round share: the number of answers after which the power goes."""

    def __init__(self, answers):
        self.left = answers
        self.dark = asyncio.Event()

    def answered(self):
        self.left -= 1
        if self.left <= 0:
            self.dark.set()


class Fleet:
    def __init__(self, server):
        self.server = server
        self.members = [Member(server, "KILL%02d" % n) for n in range(CHARGERS)]

    async def round(self, answers):
        load = Load(answers)
        tasks = [asyncio.ensure_future(member.run(load)) for member in self.members]
        await asyncio.wait_for(load.dark.wait(), harness.PATIENCE)
        self.server.kill()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return [r for r in results if isinstance(r, Exception)
                and not isinstance(r, (ConnectionError, OSError, harness.websockets.WebSocketException))]


class Member:
    """A charger with a ledger: start key → id, id → meterStop; `doing` is not acknowledged yet."""

    def __init__(self, server, identity):
        self.server, self.identity = server, identity
        self.counter = 0
        self.meter = 1000
        self.started = {}   # key → id as acknowledged
        self.stopped = {}   # id → meterStop as acknowledged
        self.doing = None   # (action, payload) to send again after a restart
        self.wrong = []

    async def run(self, load):
        charger = await Charger(self.server, self.identity).connect()
        await charger.boot()
        while not load.dark.is_set():
            if self.doing is None:
                self.doing = self.next_message()
            action, payload = self.doing
            answer = await charger.call(action, payload)
            self.note(action, payload, answer)
            self.doing = None
            load.answered()

    def open_id(self):
        return next((i for i in self.started.values() if i not in self.stopped), None)

    def next_message(self):
        open_id = self.open_id()
        self.counter += 1
        stamp = "2026-03-%02dT%02d:%02d:%02dZ" % (1 + self.counter // 86400 % 28,
                                                 self.counter // 3600 % 24,
                                                 self.counter // 60 % 60, self.counter % 60)
        if open_id is None:
            return "StartTransaction", {"connectorId": 1, "idTag": TAG, "meterStart": self.meter,
                                        "timestamp": stamp}
        self.meter += 7
        return "StopTransaction", {"transactionId": open_id, "meterStop": self.meter,
                                   "timestamp": stamp}

    def note(self, action, payload, answer):
        if action == "StopTransaction":
            self.stopped[payload["transactionId"]] = payload["meterStop"]
            return
        if answer["transactionId"] in self.started.values():
            self.wrong.append("%s got an id twice: %r" % (self.identity, answer))
        self.started[(payload["timestamp"], payload["meterStart"])] = answer["transactionId"]


def faults(fleet, database):
    """Everything in the database that contradicts a ledger."""
    db = sqlite3.connect(database)
    found = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    for member in fleet.members:
        found += member.wrong
        rows = {row[0]: row[1:] for row in db.execute(
            "SELECT id, meter_start_wh, meter_stop_wh, stop_ms FROM charge_transaction"
            " WHERE cp = ? COLLATE NOCASE", (member.identity,))}
        unacknowledged = member.doing is not None
        for (stamp, meter_start), number in member.started.items():
            if rows.get(number, (None,))[0] != meter_start:
                found.append("%s: start %s (id %d) is missing" % (member.identity, stamp, number))
        for number, meter_stop in member.stopped.items():
            if rows.get(number, (0, None))[1] != meter_stop:
                found.append("%s: stop of %d is missing" % (member.identity, number))
        extra = len(rows) - len(member.started)
        if extra > (1 if unacknowledged else 0):
            found.append("%s: %d transactions too many" % (member.identity, extra))
    db.close()
    return found


def open_faults(fleet, server):
    """/active after a restart against the ledgers; what is in doubt (sent, not acknowledged) may be
    either way."""
    _, answer = server.rest("GET", "/api/v1/active")
    active = {}
    for s in answer["sessions"]:
        active.setdefault(s["cpid"], set()).add(s["transactionId"])
    found = []
    for member in fleet.members:
        got = active.get(member.identity, set())
        known = {i for i in member.started.values() if i not in member.stopped}
        if member.doing is None and got != known:
            found.append("%s: open %r, expected %r" % (member.identity, got, known))
        if member.doing and member.doing[0] == "StopTransaction" and not got <= known:
            found.append("%s: open %r, expected at most %r" % (member.identity, got, known))
        if member.doing and member.doing[0] == "StartTransaction" and not known <= got:
            found.append("%s: open %r, expected at least %r" % (member.identity, got, known))
    return found


async def main(report):
    chance = random.Random(SEED)
    with Server() as server:
        fleet = Fleet(server)
        for number in range(1, ROUNDS + 1):
            errors = await fleet.round(chance.randint(5, 120))
            server.start()
            found = errors + faults(fleet, server.options["store__file"]) + open_faults(fleet, server)
            report.check("kill %d of %d" % (number, ROUNDS), not found, found[:5])
            if found:
                break
        acknowledged = sum(len(m.started) + len(m.stopped) for m in fleet.members)
        report.check("the load was real (%d acknowledged)" % acknowledged, acknowledged > ROUNDS * 5)


if __name__ == "__main__":
    harness.run(main)

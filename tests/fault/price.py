#!/usr/bin/python3
"""kill -9 between a stop and its price, again and again on one database: every transaction is priced
exactly once, and what on.price and on.stop wrote without waiting took effect exactly once.

Chargers start and stop transactions as fast as they get answers; the power goes at a seeded answer to a
StopTransaction, when its price is on the way to the disk at best. The tariff changes its version at every
start. After each start: every stop has its price to the cent, a price that was there is as it was, the
wallet that on.stop pays from is down by the sum of all prices, and nothing is left due. Then an on.stop that
waits: cut off by kill -9 it runs again, and the price is not asked for again; at SIGTERM it is told that the
charger is offline, and ends.
"""
import asyncio
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import Charger, Server  # noqa: E402

ROUNDS = int(os.environ.get("PRICE_ROUNDS", "20"))
SEED = int(os.environ.get("PRICE_SEED", "20261126"))
CHARGERS = 6
START_CENT = 35

POLICY = """
function on.authorize() return "Accepted" end

local function count(key) store.set(key, (store.get(key) or 0) + 1) end

function on.price(tx)
  count("priced-" .. tx.id)
  return { currency = "EUR", tariff = "v%d", start = 0.35, energy = tx.kwh * 0.285 }
end

function on.stop(tx)
  count("stopped-" .. tx.id)
  store.set("wallet", (store.get("wallet") or 0) - tx.price.total)
  tx.vars.paid = tx.price.total
  if tx.idTag == "WAITS" then tx.cp:trigger "MeterValues" end
end
"""


def cent(energy_wh):
    """energy_wh × 0.285 EUR/kWh, half away from zero, and the start fee."""
    return (energy_wh * 285 + 5000) // 10000 + START_CENT


class Member:
    """A charger that starts and stops; what was not acknowledged is sent again after a restart."""

    def __init__(self, server, identity, chance):
        self.server, self.identity, self.chance = server, identity, chance
        self.meter, self.number = 1000, 0
        self.open_id = None
        self.doing = None

    def next_message(self):
        self.number += 1
        stamp = "2026-03-01T%02d:%02d:%02dZ" % (self.number // 3600 % 24, self.number // 60 % 60, self.number % 60)
        if self.open_id is None:
            return "StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": self.meter, "timestamp": stamp}
        self.meter += self.chance.randint(0, 20000)
        return "StopTransaction", {"transactionId": self.open_id, "meterStop": self.meter, "timestamp": stamp}

    async def run(self, dark):
        charger = await Charger(self.server, self.identity).connect()
        await charger.boot()
        while not dark.is_set():
            self.doing = self.doing or self.next_message()
            answer = await charger.call(*self.doing)
            stopped = self.doing[0] == "StopTransaction"
            self.open_id = None if stopped else answer["transactionId"]
            self.doing = None
            if stopped:
                dark.stopped()


class Dark:
    """Goes out at so many acknowledged stops."""

    def __init__(self, stops):
        self.left, self.event = stops, asyncio.Event()

    def is_set(self):
        return self.event.is_set()

    def stopped(self):
        self.left -= 1
        if self.left <= 0:
            self.event.set()


def write_policy(folder, version):
    with open(os.path.join(folder, "40-tariff.lua"), "w") as f:
        f.write(POLICY % version)


def rows_of(server, text, *values):
    db = sqlite3.connect(server.options["store__file"])
    rows = db.execute(text, values).fetchall()
    db.close()
    return rows


def stored(server):
    """What scripts stored, by key."""
    return {key: json.loads(value) for key, value in rows_of(server, "SELECT key, value FROM kv")}


def due(server):
    return [row[0] for row in rows_of(server, "SELECT id FROM charge_transaction WHERE due = 1")]


def settle(server):
    """A query is answered behind all that was written before it."""
    status, _ = server.rest("GET", "/api/v1/transactions?limit=1")
    assert status == 200


def faults(server, seen):
    """What contradicts "exactly once"; `seen` keeps every price as it was first seen."""
    settle(server)
    found = ["due: %r" % due(server)] if due(server) else []
    values, total = stored(server), 0
    decided = dict(rows_of(server, "SELECT tx, count(*) FROM decision WHERE event = 'price' GROUP BY tx"))
    for number, energy, currency, price, tariff, flags, tx_vars in rows_of(
            server, "SELECT id, energy_wh, price_currency, price_total, price_tariff, flags, vars"
                    " FROM charge_transaction WHERE state = 1"):
        total += price or 0
        if (currency, price) != ("EUR", cent(energy)) or flags & 256:
            found.append("%d: %r %r for %d Wh" % (number, price, currency, energy))
        if seen.setdefault(number, (price, tariff)) != (price, tariff):
            found.append("%d: %r was %r" % (number, (price, tariff), seen[number]))
        counts = [values.get("%s-%d" % (what, number)) for what in ("priced", "stopped")] + [decided.get(number)]
        if counts != [1, 1, 1]:
            found.append("%d: priced, stopped, decided: %r" % (number, counts))
        if json.loads(tx_vars or "{}").get("paid") != price:
            found.append("%d: vars %r" % (number, tx_vars))
    if values.get("wallet", 0) != -total:
        found.append("the wallet is at %r, the prices sum up to %d" % (values.get("wallet"), total))
    return found


async def storm(report, server):
    chance = random.Random(SEED)
    members = [Member(server, "PRICE%d" % n, chance) for n in range(CHARGERS)]
    seen, caught = {}, 0
    for number in range(1, ROUNDS + 1):
        dark = Dark(chance.randint(1, 30))
        tasks = [asyncio.ensure_future(member.run(dark)) for member in members]
        await asyncio.wait_for(dark.event.wait(), harness.PATIENCE)
        server.kill()
        await asyncio.gather(*tasks, return_exceptions=True)
        left = len(due(server))
        caught += left
        write_policy(server.policies, number + 1)
        server.start()
        found = faults(server, seen)
        report.check("kill %d of %d (%d were due)" % (number, ROUNDS, left), not found, found[:5])
        if found:
            return
    report.check("kills fell between stop and price (%d of %d transactions)" % (caught, len(seen)), caught > 0)


def price_of(server, number):
    return rows_of(server, "SELECT price_total, price_tariff, due FROM charge_transaction WHERE id = ?", number)[0]


async def cut_off(report, server, name, end, version, again):
    """on.stop waits for a charger that does not answer when the server ends by `end`; does it run `again`?"""
    asked = asyncio.Event()
    charger = Charger(server, "WAIT-" + name)

    async def silent(frame):  # it hears the TriggerMessage and never answers
        if frame[0] == 2:
            asked.set()
        else:
            await heard(frame)
    heard, charger._heard = charger._heard, silent
    await charger.connect()
    await charger.boot()
    answer = await charger.call("StartTransaction", {"connectorId": 1, "idTag": "WAITS", "meterStart": 0,
                                                     "timestamp": "2026-03-01T00:00:00Z"})
    number = answer["transactionId"]
    await charger.call("StopTransaction", {"transactionId": number, "meterStop": 10000,
                                           "timestamp": "2026-03-01T01:00:00Z"})
    await asyncio.wait_for(asked.wait(), harness.PATIENCE)
    settle(server)
    first = price_of(server, number)
    report.equal("%s: priced, and due while on.stop waits" % name, first, (320, "v%d" % version, 1))
    await asyncio.to_thread(end)
    await charger.close()
    report.equal("%s: the price after the end, and is it due" % name, price_of(server, number), (*first[:2], int(again)))
    write_policy(server.policies, version + 1)
    server.start()
    settle(server)
    report.equal("%s: finished after the start, the price as it was" % name, price_of(server, number)[:2], first[:2])
    values = stored(server)
    report.equal("%s: times priced, times on.stop ran" % name,
                 (values["priced-%d" % number], values["stopped-%d" % number]), (1, 2 if again else 1))
    report.equal("%s: nothing is due" % name, due(server), [])


async def main(report):
    policies = tempfile.mkdtemp(prefix="chargebridge-price-")
    write_policy(policies, 1)
    try:
        with Server(policies=policies) as server:
            await storm(report, server)
            await cut_off(report, server, "killed", server.kill, ROUNDS + 1, True)
            await cut_off(report, server, "stopped", server.stop, ROUNDS + 2, False)
    finally:
        shutil.rmtree(policies, ignore_errors=True)


if __name__ == "__main__":
    harness.run(main)

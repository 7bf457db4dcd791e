#!/usr/bin/python3
"""Reminders and `every` keep their promises over 100 reloads and 20 kill -9 (POLICY.md §3.9, §3.10).

Each of four transactions has a chain of reminders: telling one counts it in the store, notes it in
tx.vars and sets the next, 10 ms later; every fifth one waits for the charger first. Others come and
go, with reminders that end with them. While the server is dead its database is asked: what a
telling wrote is there as a whole or not at all, no count is above one, and the next of each chain
waits. In the end no number of a chain is missing.
"""
import asyncio
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import Charger, Server  # noqa: E402

KILLS = int(os.environ.get("PROMISE_KILLS", "20"))
RELOADS = int(os.environ.get("PROMISE_RELOADS", "100"))
SEED = int(os.environ.get("PROMISE_SEED", "20261124"))
LONG, SHORT = 4, 4

POLICY = """
-- load %d
function on.authorize() return "Accepted" end
function on.start(tx)
  tx.vars.armed = true
  tx:remind("later", "1h")
  tx:remind("never", "1h")
  tx:remind("never")
  tx:remind(string.find(tx.cp.id, "LONG") and "c1" or "soon", 0.01)
end
function on.reminder(tx, name)
  local n = tonumber((string.match(name, "^c(%%d+)$")))
  if n and n %% 5 == 0 then tx.cp:trigger "Heartbeat" end
  store.add("told/" .. tx.id .. "/" .. name, 1)
  if not n then return end
  tx.vars.last = n
  if store.get "end" then tx.vars.ended = n else tx:remind("c" .. n + 1, 0.01) end
end
every("100ms", function()
  if generation < (store.get "newest" or 0) then store.add("stale", 1) end
  store.set("newest", generation)
  store.add("runs/" .. generation, 1)
end)
route("POST /test/fresh", function()
  for key in store.keys "runs/" do store.set(key, nil) end
  store.set("newest", nil)
  return 200, { done = true }
end)
route("POST /test/end", function()
  store.set("end", true)
  return 200, { done = true }
end)
route("GET /test/state", function()
  local chains = json.array()
  for tx in transactions() do
    if string.find(tx.cp.id, "LONG") then
      chains[#chains + 1] = { last = tx.vars.last or 0, ended = tx.vars.ended or 0 }
    end
  end
  return 200, { generation = generation, runs = store.get("runs/" .. generation) or 0,
                stale = store.get "stale" or 0, chains = chains }
end)
"""
BROKEN = ["function on.reminder(", "error('no')", "every('1m')", "local t = nil; t.x = 1"]


class Load:
    """What all chargers of a round share: the number of answers after which the power goes."""

    def __init__(self, answers):
        self.left = answers
        self.dark = asyncio.Event()

    def answered(self):
        self.left -= 1
        if self.left <= 0:
            self.dark.set()


class Member:
    """A charger that starts a transaction, sends meter values and, if it is a short one, stops it."""

    def __init__(self, server, identity):
        self.server, self.identity = server, identity
        self.short = "SHORT" in identity
        self.open, self.counter, self.meter, self.doing = None, 0, 1000, None

    async def run(self, load):
        charger = await Charger(self.server, self.identity).connect()
        await charger.boot()
        while not load.dark.is_set():
            if self.doing is None:
                self.doing = self.next_message()
            answer = await charger.call(*self.doing)
            if self.doing[0] == "StartTransaction":
                self.open = answer["transactionId"]
            if self.doing[0] == "StopTransaction":
                self.open = None
            self.doing = None
            load.answered()
        await charger.close()

    def next_message(self):
        self.counter += 1
        self.meter += 7
        stamp = "2026-03-01T%02d:%02d:%02dZ" % (self.counter // 3600 % 24, self.counter // 60 % 60,
                                               self.counter % 60)
        if self.open is None:
            return "StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": self.meter,
                                        "timestamp": stamp}
        if self.short and self.counter % 4 == 0:
            return "StopTransaction", {"transactionId": self.open, "meterStop": self.meter,
                                       "timestamp": stamp}
        value = {"timestamp": stamp, "sampledValue": [{"value": str(self.meter)}]}
        return "MeterValues", {"connectorId": 1, "transactionId": self.open, "meterValue": [value]}


def members_of(server):
    return [Member(server, "LONG%d" % n) for n in range(LONG)] + \
           [Member(server, "SHORT%d" % n) for n in range(SHORT)]


async def state_until(server, what, holds):
    """GET /test/state once `holds`; asks again and again, with a bound."""
    deadline = time.monotonic() + harness.PATIENCE
    while True:
        _, state = await asyncio.to_thread(server.rest, "GET", "/test/state")
        if holds(state):
            return state
        if time.monotonic() > deadline:
            raise AssertionError("%s: %r" % (what, state))


# ---- what the database must look like whenever the power went ----

class Kept:
    def __init__(self, path):
        db = sqlite3.connect(path)
        self.kv = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM kv")}
        self.transactions = [(number, cp, state == 0, json.loads(variables or "{}"))
                             for number, cp, state, variables in db.execute(
                                 "SELECT id, cp, state, vars FROM charge_transaction")]
        self.broken = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        db.close()

    def told(self, number):
        prefix = "told/%d/" % number
        return {key[len(prefix):]: count for key, count in self.kv.items() if key.startswith(prefix)}

    def waiting(self, number):
        prefix = "chargebridge/remind/%d/" % number
        return {key[len(prefix):] for key in self.kv if key.startswith(prefix)}


def chain_faults(variables, told, waiting):
    last, ended = variables.get("last", 0), variables.get("ended")
    numbers = sorted(int(name[1:]) for name in told if name != "later")
    found = []
    if numbers != list(range(1, last + 1)):
        found.append("told %r … but vars.last is %r" % (numbers[-3:], last))
    expected = {"later"} if ended else {"later", "c%d" % (last + 1)}
    if waiting != expected:
        found.append("%r wait, expected %r" % (waiting, expected))
    return found


def short_faults(told, waiting, is_open):
    if set(told) - {"soon"}:
        return ["told %r" % told]
    expected = {"later"} | ({"soon"} - set(told))
    if is_open and waiting != expected:
        return ["%r wait, expected %r" % (waiting, expected)]
    return []


def faults(path):
    kept = Kept(path)
    found = list(kept.broken)
    for number, cp, is_open, variables in kept.transactions:
        told, waiting = kept.told(number), kept.waiting(number)
        here = ["%s told %d times" % pair for pair in told.items() if pair[1] != 1]
        if not variables.get("armed"):
            here += ["not armed, but %r" % (told or waiting)] if told or waiting else []
        elif cp.startswith("LONG"):
            here += chain_faults(variables, told, waiting)
        else:
            here += short_faults(told, waiting, is_open)
        found += ["transaction %d of %s: %s" % (number, cp, fault) for fault in here]
    return found


# ---- the two halves ----

async def reload_all(report, server, path):
    """Chains go on; `every` runs again after each reload, on the newest generation only."""
    wrong, chains = [], None
    for number in range(1, RELOADS + 1):
        before = await state_until(server, "every runs", lambda s: s["runs"] > 0)
        good = number % 3 != 0
        with open(path, "w") as f:
            f.write(POLICY % number if good else BROKEN[number // 3 % len(BROKEN)])
        status, answer = await asyncio.to_thread(server.rest, "POST", "/api/v1/policies/reload")
        if (status == 200) != good:
            wrong.append((number, status, answer))
        least = 1 if good else before["runs"] + 1
        after = await state_until(server, "every runs after reload %d" % number,
                                  lambda s: s["runs"] >= least)
        if (after["generation"] > before["generation"]) != good:
            wrong.append((number, before["generation"], after["generation"]))
        chains = after["chains"]
    report.equal("good ones load, broken ones are refused", wrong[:3], [])
    report.equal("no `every` ran after a newer generation's", after["stale"], 0)
    report.check("the chains went on (%r)" % [c["last"] for c in chains],
                 all(c["last"] > RELOADS for c in chains))
    with open(path, "w") as f:
        f.write(POLICY % 0)


async def one_round(server, members, answers):
    load = Load(answers)
    tasks = [asyncio.ensure_future(member.run(load)) for member in members]
    await asyncio.wait_for(load.dark.wait(), harness.PATIENCE)
    server.kill()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [r for r in results if isinstance(r, Exception) and not isinstance(
        r, (ConnectionError, OSError, harness.websockets.WebSocketException))]


async def kill_all(report, server, members, chance):
    database = server.options["store__file"]
    for number in range(1, KILLS + 1):
        errors = await one_round(server, members, chance.randint(20, 160))
        found = errors + faults(database)
        report.check("kill %d of %d" % (number, KILLS), not found, found[:5])
        server.start()
        await asyncio.to_thread(server.rest, "POST", "/test/fresh")
        await state_until(server, "every runs after a start", lambda s: s["runs"] > 0)
        if found:
            break


async def main(report):
    chance = random.Random(SEED)
    folder = tempfile.mkdtemp(prefix="chargebridge-promises-")
    path = os.path.join(folder, "10-promises.lua")
    with open(path, "w") as f:
        f.write(POLICY % 0)
    try:
        with Server(policies=folder) as server:
            members = members_of(server)
            load = Load(1 << 30)
            tasks = [asyncio.ensure_future(member.run(load)) for member in members]
            await state_until(server, "chains begin", lambda s: len(s["chains"]) == LONG and all(
                c["last"] > 0 for c in s["chains"]))
            await reload_all(report, server, path)
            load.dark.set()
            await asyncio.gather(*tasks)
            await kill_all(report, server, members, chance)
            await asyncio.to_thread(server.rest, "POST", "/test/end")
            state = await state_until(server, "chains end",
                                      lambda s: all(c["ended"] > 0 for c in s["chains"]))
            server.stop()
            found = faults(server.options["store__file"])
            report.check("in the end nothing is missing or doubled", not found, found[:5])
            report.check("the chains were long (%r)" % [c["last"] for c in state["chains"]],
                         all(c["last"] > RELOADS + 2 * KILLS for c in state["chains"]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    harness.run(main)

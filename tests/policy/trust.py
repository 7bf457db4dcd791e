#!/usr/bin/python3
"""Policies that are tried before they are live: eval lists what would happen and does nothing of it;
a shadow differs exactly where the candidate does, and whatever it does changes no answer; a canary is
live for the chosen charge points only and goes away by itself when it fails."""
import asyncio
import contextlib
import itertools
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import Charger, Server  # noqa: E402

LIVE = """function on.authorize(idTag, cp, ask)
  store.set("asked", (store.get("asked") or 0) + 1)
  cp.vars.last = idTag
  if idTag == "LOST" then return "Blocked", { why = "reported lost" } end
  if idTag == "BROKEN" then error("no such card") end
  if idTag:find "^OK" then return "Accepted", { parentIdTag = "FLEET", why = "by prefix" } end
end

function on.start(tx) tx.vars.begun = tx.connector end

function on.meter(tx, m)
  tx.vars.readings = (tx.vars.readings or 0) + 1
  if m.power and m.power < 300 then tx:stop "idle" end
end

function on.stop(tx) store.set("stops", (store.get("stops") or 0) + 1) end

function on.status(cp, connector, status, previous)
  log.info("%s is %s", cp.id, status)
end

function on.DataTransfer(cp, req) return "Accepted", req.data end
"""

# The same but for a card that is no good any more, and a lower power that ends a transaction.
CANDIDATE = LIVE.replace('"LOST"', '"LOST" or idTag == "OK9"').replace("m.power < 300", "m.power < 200") \
                .replace("by prefix", "by its first letters")

CRASHING = """function on.authorize(idTag, cp) return cp.vars.nothing.at.all end
function on.meter(tx, m) error({ text = "as a table" }) end
function on.start(tx) tx.no_such_field() end
"""
LOOPING = """function on.authorize(idTag, cp) while true do pcall(function() while true do end end) end end
function on.meter(tx, m) while true do end end
"""
EATING = """local kept = {}
function on.authorize(idTag, cp) for i = 1, 1e9 do kept[#kept + 1] = { i, idTag .. i } end end
function on.meter(tx, m) local s = "x" while true do s = s .. s end end
"""
# For chargers of the canary: an answer that the live policies do not give.
WELCOME = """function on.authorize(idTag, cp)
  if idTag == "CRASH" then error("crash") end
  return "Accepted", { parentIdTag = "CANARY" }
end
"""


class Folders:
    """Policy folders that live as long as the test."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="chargebridge-trust-")

    def make(self, name, text):
        folder = os.path.join(self.root, name)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "10-rules.lua"), "w") as f:
            f.write(text)
        return folder

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)


class World:
    """A server and what the tests ask of it, off the loop so that chargers go on answering."""

    def __init__(self, report, server, folders):
        self.report, self.server, self.folders = report, server, folders

    async def rest(self, method, path, body=None):
        return await asyncio.to_thread(self.server.rest, method, "/api/v1" + path, body)

    async def eval(self, body):
        return await self.rest("POST", "/policies/eval", body)

    async def shadow(self):
        return (await self.rest("GET", "/policies/shadow"))[1]

    async def until(self, what, path="/policies/shadow"):
        """Asks until the answer is as wanted; its last form."""
        deadline = time.monotonic() + harness.PATIENCE
        while True:
            state = (await self.rest("GET", path))[1]
            if what(state) or time.monotonic() > deadline:
                return state


async def status_of(charger, tag):
    return (await charger.call("Authorize", {"idTag": tag}))["idTagInfo"]["status"]


REGISTERS = itertools.count(1000, 10000)  # the same start again would be a repeat, and no event


async def begin(charger, tag="OK1", connector=1):
    answer = await charger.call("StartTransaction", {
        "connectorId": connector, "idTag": tag, "meterStart": next(REGISTERS), "timestamp": "2026-05-01T10:00:00Z"})
    return answer["transactionId"]


def reading(tx, power, minute):
    sample = [{"value": str(power), "measurand": "Power.Active.Import", "unit": "W"}]
    return {"connectorId": 1, "transactionId": tx,
            "meterValue": [{"timestamp": "2026-05-01T10:%02d:00Z" % minute, "sampledValue": sample}]}


# ---- eval ----

async def check_eval_answers(world, charger):
    report = world.report
    status, got = await world.eval({"event": "authorize", "cp": "CP1", "idTag": "lost"})
    report.equal("eval answers as the policies would", (status, got["answer"], got["result"]), (200, "Blocked", "Blocked"))
    report.equal("eval says why and where", (got["why"], got["file"], got["line"]), ("reported lost", "10-rules.lua", 1))
    report.equal("eval lists the effects in order", got["effects"], [
        {"effect": "store.set", "subject": "asked", "detail": 1},
        {"effect": "cp.vars", "subject": "CP1", "detail": {"last": "LOST"}}])
    _, got = await world.eval({"event": "authorize", "cp": "CP1", "idTag": "UNKNOWN"})
    report.equal("eval tells the default", (got["outcome"], got["result"]), ("none", "Invalid"))
    _, got = await world.eval({"event": "authorize", "cp": "CP1", "idTag": "BROKEN"})
    report.equal("eval tells what failed", (got["outcome"], got["file"], got["line"], got["result"]),
                 ("failed", "10-rules.lua", 5, "Invalid"))
    report.check("eval shows the error", "no such card" in got["error"], got)
    _, got = await world.eval({"event": "status", "cp": "CP1", "connector": 1, "status": "Faulted"})
    report.equal("eval lists log lines", got["effects"], [{"effect": "log.info", "detail": "CP1 is Faulted"}])
    _, got = await world.eval({"event": "DataTransfer", "cp": "CP1", "payload": {"vendorId": "v", "data": "x"}})
    report.equal("eval of a raw action", (got["answer"], got["extra"]), ("Accepted", {"data": "x"}))
    _, got = await world.eval({"event": "DataTransfr", "cp": "CP1", "payload": {}})
    report.check("an action that is nearly one", "did you mean DataTransfer?" in got["warning"], got)


async def check_eval_transaction(world, charger):
    report = world.report
    tx = await begin(charger)
    before = (await world.rest("GET", "/policies"))[1]
    _, got = await world.eval({"event": "meter", "transaction": tx, "power": 120, "energy": 2000})
    report.equal("eval of a meter value: the CALL is listed, and answered as accepted", got["effects"], [
        {"effect": "tx.vars", "subject": str(tx), "detail": {"readings": 1}},
        {"effect": "tx.vars", "subject": str(tx), "detail": {"stop_reason": "idle"}},
        {"effect": "call", "subject": "CP1",
         "detail": {"action": "RemoteStopTransaction", "payload": {"transactionId": tx}}}])
    candidate = world.folders.make("candidate", CANDIDATE)
    _, got = await world.eval({"event": "meter", "transaction": tx, "power": 250, "dir": candidate})
    report.equal("eval of a candidate", [e["effect"] for e in got["effects"]], ["tx.vars"])
    _, got = await world.eval({"event": "stop", "transaction": tx})
    report.equal("eval of stop", got["effects"], [{"effect": "store.set", "subject": "stops", "detail": 1}])
    after = (await world.rest("GET", "/policies"))[1]
    report.equal("eval leaves the generation alone", (after["generation"], after["hooks"]), (before["generation"], before["hooks"]))
    report.equal("the transaction still runs", (await world.rest("GET", "/transactions/%d" % tx))[1]["state"], "open")
    _, got = await world.eval({"event": "authorize", "cp": "CP1", "idTag": "OK1"})
    report.equal("nothing was kept", got["effects"][0]["detail"], 2)  # one real StartTransaction
    await charger.call("StopTransaction", {"transactionId": tx, "meterStop": 9999999, "timestamp": "2026-05-01T11:00:00Z"})


async def check_eval_mistakes(world):
    report = world.report
    mistakes = [
        ({"event": "autorize", "cp": "CP1"}, "/event", "did you mean authorize?"),
        ({"event": "authorize", "cp": "CP1", "idtag": "X"}, "/idtag", "did you mean idTag?"),
        ({"event": "authorize", "cp": "CP1"}, "/idTag", "is needed"),
        ({"event": "authorize", "cp": "CP1", "idTag": 7}, "/idTag", "must be a string, not an integer"),
        ({"event": "authorize", "cp": "CP1", "idTag": "X", "purpose": "begin"}, "/purpose", "none of authorize"),
        ({"event": "stop", "transaction": 4711}, "/transaction", "4711 is not open"),
        ({"cp": "CP1"}, "/event", "is needed"),
        ([1], "", "must be an object"),
    ]
    for body, pointer, text in mistakes:
        status, got = await world.eval(body)
        fault = got.get("errors", [{}])[0]
        report.check("eval refuses %r" % (body,), status == 422 and fault.get("pointer") == pointer
                     and text in fault.get("message", ""), (status, got))
    broken = world.folders.make("broken", "function on.authorise() end\nretrun 'x'\n")
    status, got = await world.eval({"event": "authorize", "cp": "CP1", "idTag": "X", "dir": broken})
    report.check("eval of a folder with problems tells all of them", status == 409 and
                 any("retrun is unknown (did you mean" in e["message"] for e in got["errors"]), got)
    for name, text in (("looping", LOOPING), ("eating", EATING), ("crashing", CRASHING)):
        status, got = await world.eval({"event": "authorize", "cp": "CP1", "idTag": "X",
                                        "dir": world.folders.make(name, text)})
        report.equal("eval survives one that is %s" % name, (status, got["outcome"]), (200, "failed"))


async def check_eval(world):
    charger = await Charger(world.server, "CP1").connect()
    await charger.boot()
    await check_eval_answers(world, charger)
    await check_eval_transaction(world, charger)
    await check_eval_mistakes(world)
    await charger.close()


# ---- shadow ----

async def day(charger, tags=("OK1", "OK9", "LOST", "NOBODY", "BROKEN")):
    """What a charger does, and every answer that it got."""
    heard = [await status_of(charger, tag) for tag in tags]
    tx = await begin(charger)
    status = "Charging" if tx % 2 else "SuspendedEV"
    for minute, power in enumerate((9000, 250, 9000)):
        await charger.call("MeterValues", reading(tx, power, minute))
    await charger.call("StatusNotification", {"connectorId": 1, "status": status, "errorCode": "NoError"})
    await charger.call("StopTransaction", {"transactionId": tx, "meterStop": 9999999, "timestamp": "2026-05-01T11:00:00Z"})
    heard.append(await charger.call("DataTransfer", {"vendorId": "v", "data": "d"}))
    return heard


def normal(heard):
    return [h if isinstance(h, str) else h["status"] for h in heard]


async def check_shadow(world):
    report, folders = world.report, world.folders
    chargers = [await Charger(world.server, "SH%d" % n).connect() for n in range(3)]
    for charger in chargers:
        await charger.boot()
    alone = [normal(await day(charger)) for charger in chargers]
    same = folders.make("same", LIVE)
    status, got = await world.rest("POST", "/policies/shadow", {"dir": same})
    report.equal("a shadow starts", (status, got["ok"]), (200, True))
    watched = [normal(await day(charger)) for charger in chargers]
    report.equal("a shadow changes no answer", watched, alone)
    state = await world.until(lambda s: s["compared"] + s["skipped"] + s["incomparable"] >= s["events"] > 0)
    report.equal("the same policies differ nowhere, vars and store included",
                 (state["differing"], state["differences"]), (0, []))
    report.check("it compared", state["compared"] > 0, state)
    await world.rest("POST", "/policies/shadow", {"dir": folders.make("candidate", CANDIDATE)})
    for charger in chargers[:2]:
        await paced_day(world, charger)
    state = await world.shadow()
    report.equal("nothing was skipped", state["skipped"], 0)
    wanted = {(e, c): 1 for e in ("authorize", "meter") for c in ("SH0", "SH1")}
    report.equal("the differences are exactly those two, by event and charger",
                 {(c["event"], c["cpid"]): c["count"] for c in state["counts"]}, wanted)
    answer = next(d for d in state["differences"] if d["event"] == "authorize")
    report.equal("a difference of an answer", (answer["idTag"], answer["differs"], answer["live"]["answer"],
                                               answer["candidate"]["answer"], answer["candidate"]["line"]),
                 ("OK9", "answer", "Accepted", "Blocked", 1))
    effect = next(d for d in state["differences"] if d["event"] == "meter")
    report.equal("a difference of an effect",
                 (effect["differs"], [e["effect"] for e in effect["live"]["effects"]],
                  [e["effect"] for e in effect["candidate"]["effects"]]),
                 ("effects", ["tx.vars", "tx.vars", "call"], ["tx.vars"]))
    await check_beside(world)
    for charger in chargers:
        await charger.close()


async def paced_day(world, charger):
    """Nothing may be skipped where differences are counted: the share is earned by time."""
    await day(charger)
    await world.until(lambda s: s["compared"] + s["skipped"] >= s["events"])


async def check_beside(world):
    _, got = await world.rest("GET", "/decisions?cpid=SH1&idTag=OK9&limit=1")
    row = got["items"][0]
    world.report.equal("a decision shows what the shadow would have said",
                       (row["verdict"], row.get("shadow", {}).get("answer")), ("Accepted", "Blocked"))
    world.report.equal("a decision is complete", (row["file"], row["line"], row["why"], row["event"]),
                       ("10-rules.lua", 1, "by prefix", "authorize"))
    _, got = await world.rest("GET", "/policies/shadow?cpid=SH0&event=meter")
    world.report.equal("differences are filtered", {(d["cpid"], d["event"]) for d in got["differences"]},
                       {("SH0", "meter")})
    status, _ = await world.rest("DELETE", "/policies/shadow")
    world.report.equal("a shadow ends", (status, (await world.shadow())["running"]), (200, False))
    status, _ = await world.rest("DELETE", "/policies/shadow")
    world.report.equal("there is none any more", status, 404)


async def check_wild(world):
    """Candidates that misbehave: every answer as before, no error among those of the live policies."""
    report = world.report
    charger = await Charger(world.server, "WILD").connect()
    await charger.boot()
    alone = normal(await day(charger))
    before = (await world.rest("GET", "/policies"))[1]
    for name, text in (("crashing", CRASHING), ("looping", LOOPING), ("eating", EATING)):
        await world.rest("POST", "/policies/shadow", {"dir": world.folders.make(name, text)})
        heard = [normal(await day(charger)) for _ in range(4)]
        report.equal("a candidate that is %s changes no answer" % name, heard, [alone] * 4)
        state = await world.shadow()
        report.check("a candidate that is %s fails, in its own list" % name,
                     state["failed"] > 0 and state["errors"] and state["differing"] > 0, state)
        # 200 ms are there from the beginning, 10 % are earned, a run that is too long is cut off late
        report.check("a candidate that is %s keeps to its share" % name,
                     state["runMs"] <= 300 + 0.25 * state["runMs"] / max(state["share"], 1e-9), state)
    await world.rest("DELETE", "/policies/shadow")
    _, errors = await world.rest("GET", "/policies/errors")
    report.equal("the live errors are the live ones",
                 {(e["file"], e["line"]) for e in errors["items"]}, {("10-rules.lua", 5)})
    report.check("an error has its traceback", "10-rules.lua:5: in function" in errors["items"][0]["traceback"], errors)
    after = (await world.rest("GET", "/policies"))[1]
    hook = after["hooks"]["authorize"]
    report.check("a hook has its figures", hook["calls"] > hook["errors"] > 0 and hook["p99Us"] >= hook["p50Us"] > 0
                 and "waits" in hook, hook)
    report.equal("the generation stays", after["generation"], before["generation"])
    status, got = await world.rest("POST", "/policies/shadow", {"dir": world.folders.make("broken", "x = 1\n")})
    report.check("a folder with problems does not watch", status == 409 and got["errors"], got)
    await charger.close()


async def check_stopped(world):
    """One that loops all the time is not run for ever."""
    charger = await Charger(world.server, "STUBBORN").connect()
    await charger.boot()
    await world.rest("POST", "/policies/shadow", {"dir": world.folders.make("looping", LOOPING)})

    async def keep_asking():
        while True:
            await status_of(charger, "OK1")
    asking = asyncio.ensure_future(keep_asking())
    state = await world.until(lambda s: s["state"] == "stopped")
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    world.report.check("a candidate that loops again and again is stopped", state["state"] == "stopped"
                       and "used up their time" in state["why"], state)
    world.report.check("events that it missed are counted", state["skipped"] > 0, state)
    await world.rest("DELETE", "/policies/shadow")
    await charger.close()


# ---- canary ----

async def check_canary(world):
    report = world.report
    chargers = {n: await Charger(world.server, n).connect() for n in ("CAN1", "CAN2", "REST1")}
    for charger in chargers.values():
        await charger.boot()
    folder = world.folders.make("welcome", WELCOME)
    status, got = await world.rest("POST", "/policies/canary", {"dir": folder})
    report.equal("a canary needs somebody", status, 422)
    status, got = await world.rest("POST", "/policies/canary", {"dir": folder, "chargepoints": ["can1", "CAN2"]})
    report.equal("a canary starts", (status, got["ok"]), (200, True))
    generation = got["generation"]
    report.equal("it is live for those that are named", [await status_of(c, "X") for c in chargers.values()],
                 ["Accepted", "Accepted", "Invalid"])
    _, got = await world.rest("GET", "/decisions?cpid=CAN1&limit=1")
    report.equal("its decisions carry its generation", got["items"][0]["generation"], generation)
    await status_of(chargers["CAN1"], "CRASH")
    state = (await world.rest("GET", "/policies/canary"))[1]
    report.check("one failure is not enough", state["running"] and state["errors"] == 1, state)
    before = len(world.server.log)
    for _ in range(5):
        await status_of(chargers["CAN2"], "CRASH")
    state = await world.until(lambda s: not s["running"], "/policies/canary")
    report.equal("it is rolled back by itself", (state["running"], state["last"]["outcome"], state["rollbacks"]),
                 (False, "rolled back", 1))
    line = await asyncio.to_thread(world.server.wait_log, "canary fails: rolled back", before)
    report.check("loudly", "level=error" in line, line)
    report.equal("its charge points have the current policies again",
                 [await status_of(c, "X") for c in chargers.values()], ["Invalid"] * 3)
    await check_percent(world, folder)
    await check_promote(world, folder, chargers)
    for charger in chargers.values():
        await charger.close()


async def check_percent(world, folder):
    chargers = [await Charger(world.server, "PERCENT%02d" % n).connect() for n in range(40)]
    await asyncio.gather(*(c.boot() for c in chargers))
    await world.rest("POST", "/policies/canary", {"dir": folder, "percent": 30})
    first = [await status_of(c, "X") for c in chargers]
    await world.rest("DELETE", "/policies/canary")
    none = [await status_of(c, "X") for c in chargers]
    await world.rest("POST", "/policies/canary", {"dir": folder, "percent": 60})
    more = [await status_of(c, "X") for c in chargers]
    await world.rest("DELETE", "/policies/canary")
    world.report.check("a percentage is about that many", 4 <= first.count("Accepted") <= 22, first)
    world.report.equal("ended, it is live for nobody", set(none), {"Invalid"})
    world.report.check("a higher percentage has the same ones and more", first.count("Accepted") < more.count("Accepted")
                       and all(m == "Accepted" for f, m in zip(first, more) if f == "Accepted"), (first, more))
    for charger in chargers:
        await charger.close()


async def check_promote(world, folder, chargers):
    report = world.report
    _, got = await world.rest("POST", "/policies/canary", {"dir": folder, "chargepoints": ["CAN1"]})
    status, promoted = await world.rest("POST", "/policies/canary/promote", {})
    report.equal("a canary is promoted", (status, promoted), (200, {"generation": got["generation"], "filesDiffer": True}))
    report.equal("then it is live for all", [await status_of(c, "X") for c in chargers.values()], ["Accepted"] * 3)
    status, _ = await world.rest("POST", "/policies/canary/promote", {})
    report.equal("and is no canary any more", status, 404)
    status, got = await world.rest("POST", "/policies/rollback", {})
    report.equal("back from it", (status, [await status_of(c, "X") for c in chargers.values()]), (200, ["Invalid"] * 3))


# ---- all of it ----

async def check_configured(report, folders, live):
    with Server(policies=live, policies__shadow_dir=folders.make("candidate", CANDIDATE)) as server:
        world = World(report, server, folders)
        await asyncio.to_thread(server.wait_log, "shadow watches")
        charger = await Charger(server, "CP1").connect()
        await charger.boot()
        await status_of(charger, "OK9")
        state = await world.until(lambda s: s["compared"] > 0)
        report.equal("policies.shadow_dir watches from the start", (state["running"], state["differing"]), (True, 1))
        _, text = await world.rest("GET", "/metrics")
        report.check("its figures are in /metrics", "chargebridge_shadow_differences_total 1" in text, text)
        await world.rest("POST", "/policies/reload", {})
        state = await world.until(lambda s: s["running"] and s["compared"] == 0)
        report.equal("a reload reads it again", (state["running"], state["compared"]), (True, 0))
        await charger.close()


async def main(report):
    folders = Folders()
    live = folders.make("live", LIVE)
    try:
        with Server(policies=live) as server:
            world = World(report, server, folders)
            for check in (check_eval, check_shadow, check_wild, check_stopped, check_canary):
                await check(world)
        await check_configured(report, folders, live)
    finally:
        folders.remove()


if __name__ == "__main__":
    harness.run(main)

#!/usr/bin/python3
"""Control by REST from end to end: commands without waiting, commands that take long, Idempotency-Key,
sessions by hand, the operator's end of a transaction, remote starts that wait, changing charge points, jobs
and the files they move, require_hash. Batches are in control_batches.py, which this runs too.

Chargers are the harness's own, with hands: one may leave a CALL unanswered until the test answers it.
"""
import asyncio
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
import control_batches  # noqa: E402
import hands  # noqa: E402
from hands import Hands, ask  # noqa: E402

POLICY = """
function on.authorize() return "Accepted" end
route("POST /test/require_hash", { body = { on = "boolean" } }, function(req)
  store.set("chargebridge/require_hash", req.json.on or nil)
  return 200, { ok = true }
end)
-- Ends when its time as a handler is up: never before that.
route("POST /test/handler_timeout", function(req)
  chargepoint("CP2"):call("ClearCache", {}, { timeout = "10m" })
  return 204
end)
"""


# ---- without waiting: Prefer: respond-async ----

async def respond_async(report, server):
    cp = await Hands(server, "ASYNC").boot()
    path = "/api/v1/chargepoints/async/commands/ClearCache"
    cp.says["ClearCache"] = None
    queued = await ask(server, "POST", path, {}, Prefer="wait=1, respond-async")
    report.equal("async: 202 with a place to look", (queued.status, queued["status"], queued.headers["location"]),
                 (202, "queued", "/api/v1/commands/" + queued["id"]))
    found = await ask(server, "GET", queued.headers["location"])
    report.equal("async: known at once, not ended", (found.status, found["state"], found["cpid"], found["endedAt"]),
                 (200, "queued", "ASYNC", None))
    await cp.heard("ClearCache")
    await cp.answer("ClearCache", {"status": "Rejected"})
    done = await hands.until(server, queued.headers["location"], lambda c: c["state"] != "queued")
    report.equal("async: then the charger's own answer", (done["state"], done["response"], done["askedBy"]),
                 ("accepted", {"status": "Rejected"}, "config"))
    late = await ask(server, "POST", path + "?timeout=1", {}, Prefer="respond-async")
    done = await hands.until(server, late.headers["location"], lambda c: c["state"] != "queued")
    report.equal("async: or that there was none in time", (done["state"], done["response"]), ("timeout", None))
    for what, body, wanted in (("Reset", {"type": "Warm"}, 422), ("Fly", {}, 501), ("BootNotification", {}, 501)):
        bad = await ask(server, "POST", "/api/v1/chargepoints/ASYNC/commands/" + what, body, Prefer="respond-async")
        report.equal("async: %s %r is refused at once" % (what, body), bad.status, wanted)
    broken = await ask(server, "POST", path, raw=b'{"a":', Prefer="respond-async")
    report.equal("async: no JSON", broken.status, 400)
    unknown = await ask(server, "POST", "/api/v1/chargepoints/NOBODY/commands/ClearCache", {}, Prefer="respond-async")
    report.equal("async: unknown charge point", unknown.status, 404)
    report.equal("async: unknown command", (await ask(server, "GET", "/api/v1/commands/nothing")).status, 404)
    listed = await ask(server, "GET", "/api/v1/chargepoints/async/commands?state=timeout")
    report.equal("async: listed by state", [c["id"] for c in listed["items"]], [late["id"]])
    await cp.close()
    away = await hands.until_status(server, 409, "POST", path, {}, Prefer="respond-async")
    report.equal("async: not connected", away["detail"], "the charge point is not connected")


async def lost_with_the_server(report, server):
    """What was under way when the server died is told as such, and is not sent again."""
    cp = await Hands(server, "LOST").boot()
    cp.says["ClearCache"] = None
    queued = await ask(server, "POST", "/api/v1/chargepoints/LOST/commands/ClearCache", {}, Prefer="respond-async")
    await cp.heard("ClearCache")
    server.kill()
    server.start()
    found = await ask(server, "GET", queued.headers["location"])
    report.equal("async: after kill -9 its end is unknown", (found.status, found["state"]), (200, "unknown"))
    listed = await ask(server, "GET", "/api/v1/chargepoints/LOST/commands?state=unknown")
    report.equal("async: and can be listed so", (listed.status, len(listed.value.get("items", []))), (200, 1))
    again = await Hands(server, "LOST").boot()
    again.says["ClearCache"] = {"status": "Accepted"}
    await ask(server, "POST", "/api/v1/chargepoints/LOST/commands/ClearCache", {})
    report.equal("async: the new connection hears only the new command", again.count("ClearCache"), 1)
    await again.close()


# ---- commands that take longer than a handler, or than an answer, may take ----

async def long_commands(report, directory):
    async with hands.served(policies=directory, policies__handler_timeout="300ms", rest__answer_timeout="1s") as server:
        cp, silent = await Hands(server, "CP1").boot(), await Hands(server, "CP2").boot()
        cp.says["ClearCache"] = silent.says["ClearCache"] = None
        path = "/api/v1/chargepoints/CP1/commands/ClearCache?timeout=60"
        waiting = asyncio.ensure_future(ask(server, "POST", path, {}))
        await cp.heard("ClearCache")
        other = await ask(server, "POST", "/test/handler_timeout", {})
        report.equal("long: a handler's time is up after 300 ms", other.status, 504)
        await cp.answer("ClearCache", {"status": "Accepted"})
        done = await waiting
        report.equal("long: a command's own time is longer", (done.status, done["status"]), (200, "accepted"))
        # Beyond rest.answer_timeout only the answer is lost, not the command.
        late = await ask(server, "POST", path, {}, Idempotency_Key="long")
        report.equal("long: 504 when the answer may wait no longer", late.status, 504)
        still = await ask(server, "POST", path, {}, Idempotency_Key="long")
        report.equal("long: the command goes on", (still.status, cp.count("ClearCache")), (409, 2))
        await cp.answer("ClearCache", {"status": "Rejected"})
        listed = "/api/v1/chargepoints/CP1/commands?state=accepted"
        items = await hands.until(server, listed, lambda page: len(page["items"]) == 2)
        report.equal("long: it is on record as it ended", items["items"][0]["response"], {"status": "Rejected"})
        again = await ask(server, "POST", path, {}, Idempotency_Key="long")
        report.equal("long: and its key gives that answer", (again.status, again["response"]), (200, {"status": "Rejected"}))
        report.equal("long: sent once each", cp.count("ClearCache"), 2)
        await cp.close()
        await silent.close()


# ---- Idempotency-Key ----

async def repeats(report, server):
    cp = await Hands(server, "TWICE").boot()
    path = "/api/v1/chargepoints/TWICE/commands/"
    first = await ask(server, "POST", path + "ClearCache", {}, Idempotency_Key="k1")
    second = await ask(server, "POST", path + "ClearCache", {}, Idempotency_Key="k1")
    report.equal("key: the same answer again", (second.status, second.value), (200, first.value))
    report.equal("key: sent once", cp.count("ClearCache"), 1)
    other = await ask(server, "POST", path + "ClearCache", {"a": 1}, Idempotency_Key="k1")
    report.equal("key: another body is an error", (other.status, "another body" in other["detail"]), (422, True))
    other = await ask(server, "POST", path + "ClearCache?timeout=3", {}, Idempotency_Key="k1")
    report.equal("key: another query too", other.status, 422)
    other = await ask(server, "POST", path + "GetLocalListVersion", {}, Idempotency_Key="k1")
    report.equal("key: another path is another request", (other.status, cp.count("GetLocalListVersion")), (200, 1))
    bad = await ask(server, "POST", path + "ClearCache", {}, Idempotency_Key="k 1")
    report.equal("key: one that is none", (bad.status, cp.count("ClearCache")), (400, 1))
    queued = await ask(server, "POST", path + "ClearCache", {}, Idempotency_Key="k2", Prefer="respond-async")
    again = await ask(server, "POST", path + "ClearCache", {}, Idempotency_Key="k2", Prefer="respond-async")
    report.equal("key: 202 again, with its Location", (again.status, again.value, again.headers["location"]),
                 (202, queued.value, queued.headers["location"]))
    await hands.until(server, queued.headers["location"], lambda c: c["state"] == "accepted")
    report.equal("key: and sent once", cp.count("ClearCache"), 2)
    refused = [(await ask(server, "POST", path + "Reset", {"type": "Warm"}, Idempotency_Key="k3")).status for _ in "12"]
    report.equal("key: a refusal is an answer", refused, [422, 422])
    await long_answer(report, server, cp)
    await in_flight(report, server, cp)
    await full_queue(report, server, cp)
    await cp.close()


async def long_answer(report, server, cp):
    """Answers that are too long to be kept are not an excuse to send twice."""
    cp.says["DataTransfer"] = {"status": "Accepted", "data": "\"" * 20000}
    path, body = "/api/v1/chargepoints/TWICE/commands/DataTransfer", {"vendorId": "v"}
    first = await ask(server, "POST", path, body, Idempotency_Key="long")
    report.equal("key: a long answer", (first.status, len(first["response"]["data"])), (200, 20000))
    second = await ask(server, "POST", path, body, Idempotency_Key="long")
    report.equal("key: its repeat is not sent", (second.status in (200, 409), cp.count("DataTransfer")), (True, 1))


async def in_flight(report, server, cp):
    cp.says["ClearCache"] = None
    before, path = cp.count("ClearCache"), "/api/v1/chargepoints/TWICE/commands/ClearCache"
    first = asyncio.ensure_future(ask(server, "POST", path, {}, Idempotency_Key="flight"))
    await cp.heard("ClearCache", before + 1)
    second = await ask(server, "POST", path, {}, Idempotency_Key="flight")
    report.equal("key: while the first runs", (second.status, "still runs" in second["detail"]), (409, True))
    lines = len(server.log)
    server.hangup()
    await asyncio.to_thread(server.wait_log, 'msg="policies loaded"', lines)
    second = await ask(server, "POST", path, {}, Idempotency_Key="flight")
    report.equal("key: and after a reload", (second.status, "still runs" in second["detail"]), (409, True))
    await cp.answer("ClearCache", {"status": "Accepted"})
    first = await first
    second = await ask(server, "POST", path, {}, Idempotency_Key="flight")
    report.equal("key: then its answer", (first.status, second.status, second.value), (200, 200, first.value))
    report.equal("key: sent once all the while", cp.count("ClearCache"), before + 1)


async def full_queue(report, server, cp):
    """429 says `later`: with the same key it may be tried again."""
    path, before = "/api/v1/chargepoints/TWICE/commands/ClearCache", cp.count("ClearCache")
    cp.says["ClearCache"] = None
    statuses = []
    while len(statuses) < 50 and 429 not in statuses:
        queued = await ask(server, "POST", path, {}, Prefer="respond-async")
        statuses.append(queued.status)
    report.equal("queue: it has an end", (statuses[-1], queued.headers.get("retry-after")), (429, "5"))
    full = await ask(server, "POST", path, {}, Idempotency_Key="later")
    report.equal("queue: full", full.status, 429)
    cp.says["ClearCache"] = {"status": "Accepted"}
    await cp.answer("ClearCache", {"status": "Accepted"})
    await cp.heard("ClearCache", before + len(statuses) - 1)
    again = await ask(server, "POST", path, {}, Idempotency_Key="later")
    report.equal("queue: the same key once there is room", again.status, 200)


async def repeats_after_restart(report, server):
    cp = await Hands(server, "TWICE").boot()
    path = "/api/v1/chargepoints/TWICE/commands/ClearCache"
    first = await ask(server, "POST", path, {}, Idempotency_Key="before")
    await asyncio.to_thread(server.stop)
    server.start()
    again = await ask(server, "POST", path, {}, Idempotency_Key="before")
    report.equal("key: the same answer after a restart", (again.status, again.value), (200, first.value))
    cp = await Hands(server, "TWICE").boot()
    cp.says["ClearCache"] = None
    waiting = asyncio.ensure_future(ask(server, "POST", path, {}, Idempotency_Key="killed"))
    await cp.heard("ClearCache")
    server.kill()
    await asyncio.wait([waiting])
    report.check("key: kill -9 ends the request", isinstance(waiting.exception(), OSError), waiting)
    server.start()
    cp = await Hands(server, "TWICE").boot()
    again = await ask(server, "POST", path, {}, Idempotency_Key="killed")
    report.equal("key: nothing is sent twice over kill -9", (again.status, cp.count("ClearCache")), (409, 0))
    report.check("key: and the answer says why", "restart" in again["detail"], again.value)
    other = await ask(server, "POST", path, {"x": 1}, Idempotency_Key="killed")
    report.equal("key: another body is an error then, too", other.status, 422)
    await cp.close()


# ---- transactions: the operator's end ----

async def clock(cp):
    """The server's time."""
    return (await cp.call("Heartbeat", {}))["currentTime"]


async def started(cp, tag="CARD", connector=1, meter=1000):
    start = await cp.call("StartTransaction", {"connectorId": connector, "idTag": tag, "meterStart": meter,
                                               "timestamp": await clock(cp)})
    return start["transactionId"]


async def closing(report, server):
    cp = await Hands(server, "DEAD").boot()
    transaction = await started(cp)
    await cp.call("MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": [
        {"timestamp": await clock(cp), "sampledValue": [{"value": "1700"}]}]})
    where = "/api/v1/chargepoints/%s/transactions/%s/close"
    for cpid, number, what in (("OTHER", transaction, "another charge point"), ("DEAD", transaction + 1, "unknown"),
                               ("DEAD", "-1", "negative"), ("DEAD", "x", "no number"), ("DEAD", "9" * 30, "too large")):
        answer = await ask(server, "POST", where % (cpid, number))
        report.equal("close: %s" % what, answer.status, 404)
    closed = await ask(server, "POST", where % ("dead", transaction), Idempotency_Key="close")
    report.equal("close: by the last reading, flagged as estimated",
                 (closed.status, closed["state"], closed["energy"], closed["meterStop"], closed["flags"]),
                 (200, "stopped", 700, 1700, ["estimated"]))
    again = await ask(server, "POST", where % ("dead", transaction), Idempotency_Key="close")
    report.equal("close: the same key, the same answer", (again.status, again.value), (200, closed.value))
    again = await ask(server, "POST", where % ("DEAD", transaction))
    report.equal("close: closed already", again.status, 409)
    active = await ask(server, "GET", "/api/v1/active?cpid=DEAD")
    report.equal("close: no longer active", active["sessions"], [])
    report.equal("close: the charger hears nothing", cp.calls, [])
    await cp.call("StopTransaction", {"transactionId": transaction, "meterStop": 1800, "timestamp": await clock(cp)})
    real = await ask(server, "GET", "/api/v1/transactions/%d" % transaction)
    report.equal("close: the real stop replaces the estimate", (real["energy"], real["flags"]), (800, []))
    again = await ask(server, "POST", where % ("DEAD", transaction))
    report.equal("close: stopped by the charger", again.status, 409)
    await cp.close()


# ---- sessions by hand ----

async def by_hand(report, server):
    def post(place, verb, body, **more):
        return ask(server, "POST", "/api/v1/sessions/%s/%s" % (place, verb), body, **more)
    begun = await post("Bay%201", "start", {"vehicleId": "VAN-7"}, Idempotency_Key="hand")
    again = await post("Bay%201", "start", {"vehicleId": "VAN-7"}, Idempotency_Key="hand")
    report.equal("by hand: begun, once", (begun.status, again.value), (200, begun.value))
    for place, vehicle, why in (("Bay%201", "VAN-8", "Connector has active session"), ("Bay2", "VAN-7", "Vehicle has active session")):
        answer = await post(place, "start", {"vehicleId": vehicle})
        report.equal("by hand: %s" % why, (answer.status, answer["detail"]), (409, why))
    now = await ask(server, "GET", "/api/v1/sessions/VAN-7")
    report.equal("by hand: the vehicle's session", (now["current"]["connectorId"], now["current"]["transactionId"], now["history"]),
                 ("Bay 1", begun["transactionId"], []))
    for body, pointer in (({}, "/kWhDelivered"), ({"kWhDelivered": -1}, "/kWhDelivered"), ({"kWhDelivered": "1"}, "/kWhDelivered"),
                          ({"kWhDelivered": 1, "x": 1}, "/x")):
        answer = await post("Bay%201", "stop", body)
        report.equal("by hand: %r does not fit" % body, (answer.status, answer["errors"][0]["pointer"]), (422, pointer))
    endless = await post("Bay%201", "stop", None, raw=b'{"kWhDelivered":1e999}')
    report.check("by hand: a number beyond all numbers", endless.status in (400, 422), endless.value)
    ended = await post("Bay%201", "stop", {"kWhDelivered": 12.5})
    report.equal("by hand: ended", (ended.status, ended["session"]["kWhDelivered"], ended["session"]["vehicleId"]), (200, 12.5, "VAN-7"))
    report.equal("by hand: nothing more to end", (await post("Bay%201", "stop", {"kWhDelivered": 1})).status, 404)
    again = await post("Bay2", "start", {"vehicleId": "VAN-7"})
    report.equal("by hand: numbers rise", again["transactionId"], begun["transactionId"] + 1)
    now = await ask(server, "GET", "/api/v1/sessions/VAN-7")
    report.equal("by hand: then and now", (now["current"]["connectorId"], [s["connectorId"] for s in now["history"]]),
                 ("Bay2", ["Bay 1"]))
    report.equal("by hand: nobody", (await ask(server, "GET", "/api/v1/sessions/NOBODY")).status, 404)
    for place, vehicle in (("x" * 129, "V"), ("Bay3", "x" * 129), ("Bay3", ""), ("%01", "V"), ("Bay3", "\u0001"), ("Bay3", "\"" * 100)):
        answer = await post(place, "start", {"vehicleId": vehicle})
        report.check("by hand: no name: %.9r %.9r" % (place, vehicle), answer.status in (404, 422), (answer.status, answer.value))
    # The history has an end, and what is longest still fits.
    place, vehicle = "\u00e4" * 64, "\u00fc" * 64
    for n in range(103):
        begun = await post(hands.quote(place), "start", {"vehicleId": vehicle})
        ended = await post(hands.quote(place), "stop", {"kWhDelivered": n})
        if (begun.status, ended.status) != (200, 200):
            break
    report.equal("by hand: session %d of one vehicle" % n, (begun.status, ended.status), (200, 200))
    history = (await ask(server, "GET", "/api/v1/sessions/" + hands.quote(vehicle)))["history"]
    report.equal("by hand: the newest hundred", [s["kWhDelivered"] for s in history], list(range(102, 2, -1)))


async def stations(report, server):
    made = await ask(server, "POST", "/api/v1/stations", {"name": "DEAD"}, Idempotency_Key="s")
    again = await ask(server, "POST", "/api/v1/stations", {"name": "DEAD"}, Idempotency_Key="s")
    report.equal("stations: made once", (made.status, again.value), (200, made.value))
    listed = await ask(server, "GET", "/api/v1/stations", key=None)
    report.equal("stations: listed", listed.value, [made.value])
    for name in ("", "x" * 256):
        bad = await ask(server, "POST", "/api/v1/stations", {"name": name})
        report.equal("stations: a name of %d bytes" % len(name), bad.status, 422)
    gone = [(await ask(server, "DELETE", "/api/v1/stations/%d" % made["id"])).status for _ in "12"]
    report.equal("stations: removed once", gone, [200, 404])
    for odd in ("0", "x", "9" * 30, "-1"):
        report.equal("stations: no station %.5s" % odd, (await ask(server, "GET", "/api/v1/stations/" + odd)).status, 404)


# ---- remote starts that wait ----

async def pending(report, server):
    cp = await Hands(server, "WAITS").boot()
    for connector in (1, 2):
        await cp.call("StatusNotification", {"connectorId": connector, "errorCode": "NoError", "status": "Preparing"})
    begun = await ask(server, "POST", "/api/v1/start", {"cpid": "waits", "connectorId": 1, "id_tag": "CARD-1", "vid": "VID:AABBCC"})
    report.equal("pending: accepted by the charger", (begun.status, cp.calls[-1][2]), (200, {"connectorId": 1, "idTag": "CARD-1"}))
    overview = (await ask(server, "GET", "/api/v1/overview?cpid=WAITS"))["connectors"]
    waits = overview[0]["pending"]
    report.equal("pending: in the overview with idTag and VID",
                 [waits[k] for k in ("station_id", "connector_id", "id_tag", "vid", "mac")],
                 ["WAITS", 1, "CARD-1", "VID:AABBCC", "AABBCC"])
    report.equal("pending: not at the other connector", (overview[1]["pending"], overview[1]["active"]), (None, None))
    report.equal("pending: the same in /pending", (await ask(server, "GET", "/api/v1/pending?cpid=WAITS")).value, [waits])
    anywhere = await ask(server, "POST", "/api/v1/start", {"cpid": "WAITS", "idTag": "VID:DDEEFF"})
    listed = (await ask(server, "GET", "/api/v1/pending")).value
    report.equal("pending: without a connector", (anywhere.status, [(p["connector_id"], p["vid"], p["mac"]) for p in listed]),
                 (200, [(1, "VID:AABBCC", "AABBCC"), (None, "VID:DDEEFF", "DDEEFF")]))
    transaction = await started(cp, "CARD-1")
    overview = (await ask(server, "GET", "/api/v1/overview?cpid=WAITS"))["connectors"]
    active = overview[0]["active"]
    report.equal("pending: became active, with the vehicle",
                 (overview[0]["pending"], active["transactionId"], active["vehicleId"], active["mac"]),
                 (None, transaction, "VID:AABBCC", "AABBCC"))
    cp.says["UnlockConnector"] = {"status": "Unlocked"}
    again = await ask(server, "POST", "/api/v1/start", {"cpid": "WAITS", "connectorId": 2, "id_tag": "CARD-2"})
    released = await ask(server, "POST", "/api/v1/release", {"cpid": "WAITS", "connectorId": 2})
    listed = (await ask(server, "GET", "/api/v1/pending?cpid=waits")).value
    report.equal("pending: released", (again.status, released.status, [p["connector_id"] for p in listed]), (200, 200, [None]))
    cp.says["RemoteStartTransaction"] = {"status": "Rejected"}
    refused = await ask(server, "POST", "/api/v1/start", {"cpid": "WAITS", "connectorId": 2, "id_tag": "CARD-3"})
    listed = (await ask(server, "GET", "/api/v1/pending?cpid=WAITS")).value
    report.equal("pending: refused by the charger, nothing waits", (refused.status, len(listed)), (409, 1))
    await cp.close()


# ---- require_hash ----

def hash_of(**asked):
    order = ("cpid", "connectorId", "idTag", "transactionId", "timestamp", "vid", "kv")
    return hashlib.sha256("|".join(str(asked.get(k, "-")) for k in order).encode()).hexdigest()


async def hashes(report, server):
    cp = await Hands(server, "HASH").boot()
    body = {"cpid": "HASH", "connectorId": 1, "id_tag": "CARD", "timestamp": "2026-05-01T10:00:00Z", "kv": "b=2,a=1,hash=x"}
    good = hash_of(cpid="HASH", connectorId=1, idTag="CARD", timestamp="2026-05-01T10:00:00Z", kv="a=1,b=2")
    free = await ask(server, "POST", "/api/v1/start", {**body, "hash": "0" * 64})
    report.equal("hash: a wrong one is only logged", (free.status, free["hash"]), (200, good))
    await ask(server, "POST", "/test/require_hash", {"on": True})
    for name, more in (("a wrong one", {"hash": "0" * 64}), ("none", {}), ("of another request", {"hash": good, "vid": "VID:1"})):
        answer = await ask(server, "POST", "/api/v1/start", {**body, **more})
        report.equal("hash: required, %s" % name, (answer.status, answer["errors"][0]["pointer"]), (422, "/hash"))
    report.equal("hash: nothing was sent", cp.count("RemoteStartTransaction"), 1)
    right = await ask(server, "POST", "/api/v1/start", {**body, "hash": good.upper()})
    report.equal("hash: required, the right one", (right.status, right["hash"]), (200, good))
    transaction = await started(cp)
    stop = {"cpid": "HASH", "transactionId": transaction}
    answer = await ask(server, "POST", "/api/v1/stop", stop)
    report.equal("hash: a stop without one", (answer.status, cp.count("RemoteStopTransaction")), (422, 0))
    right = await ask(server, "POST", "/api/v1/stop", {**stop, "hash": hash_of(**stop)})
    report.equal("hash: a stop with the right one", (right.status, right["hash"]), (200, hash_of(**stop)))
    stop = {"cpid": "HASH", "connectorId": 1}
    right = await ask(server, "POST", "/api/v1/stop", {**stop, "hash": hash_of(**stop)})
    report.equal("hash: a stop by place, by what was asked", right.status, 200)
    await ask(server, "POST", "/test/require_hash", {"on": False})
    free = await ask(server, "POST", "/api/v1/start", body)
    report.equal("hash: no longer required", free.status, 200)
    await cp.close()


# ---- changing charge points ----

GOOD_CHANGES = (
    ({"registration": "pending"}, "registration", "pending"), ({"registration": "rejected"}, "state", "blocked"),
    ({"registration": "accepted"}, "state", "offline"), ({"password": "sixteen-bytes-or-more"}, "hasPassword", True),
    ({"securityProfile": 1}, "securityProfile", 1), ({"securityProfile": 2}, "securityProfile", 2),
    ({"securityProfile": 0}, "securityProfile", 0), ({"password": ""}, "hasPassword", False),
    ({"options": {"strict": True, "ratingW": 22000}}, "options", {"strict": True, "ratingW": 22000}),
    ({"options": {"acceptTxBeforeBoot": True, "pongRequired": False, "assumeProtocol": "ocpp1.6", "zoneMinutes": -60,
                  "replyDelayMs": 10}}, "options",
     {"acceptTxBeforeBoot": True, "pongRequired": False, "assumeProtocol": "ocpp1.6", "zoneMinutes": -60, "replyDelayMs": 10}),
    ({"options": {}}, "options", {}), ({}, "registration", "accepted"), ({"options": None}, "registration", "accepted"),
)
BAD_CHANGES = (
    ({"registration": "maybe"}, "/registration"), ({"registration": 1}, "/registration"), ({"password": "short"}, "/password"),
    ({"password": "x" * 65}, "/password"), 
    ({"securityProfile": 3}, "/securityProfile"), ({"securityProfile": -1}, "/securityProfile"),
    ({"securityProfile": 1}, "/securityProfile"), ({"securityProfile": "1"}, "/securityProfile"),
    ({"securityProfile": 1.5}, "/securityProfile"), ({"options": []}, "/options"),
    ({"options": {"strict": 1}}, "/options/strict"), ({"options": {"ratingW": 0}}, "/options/ratingW"),
    ({"options": {"zoneMinutes": 99999}}, "/options/zoneMinutes"), ({"options": {"strct": True}}, "/options/strct"),
    ({"options": {"assumeProtocol": "ocpp9"}}, "/options/assumeProtocol"), ({"options": {"password": 1}}, "/options/password"),
    ({"options": {"a-b": 1}}, "/options/a-b"), ({"passwort": "x"}, "/passwort"),
)


async def changing(report, server):
    where = "/api/v1/chargepoints/PATCHED"
    report.equal("change: PATCH makes none", (await ask(server, "PATCH", where, {"registration": "accepted"})).status, 404)
    made = await ask(server, "PUT", where, {"registration": "accepted"})
    report.equal("change: PUT does", (made.status, made["registered"], made["state"]), (200, True, "offline"))
    for change, member, wanted in GOOD_CHANGES:
        answer = await ask(server, "PATCH", where, change)
        report.equal("change: %r" % change, (answer.status, answer.value.get(member)), (200, wanted))
    before = (await ask(server, "GET", where)).value
    for change, pointer in BAD_CHANGES:
        answer = await ask(server, "PATCH", where, change)
        pointers = [e["pointer"] for e in answer.value.get("errors", [])]
        report.equal("change: %r is told by its place" % change, (answer.status, pointers), (422, [pointer]))
    report.equal("change: nothing of these was kept", (await ask(server, "GET", where)).value, before)
    for odd in ("%01", "x" * 300):
        answer = await ask(server, "PUT", "/api/v1/chargepoints/" + odd, {})
        report.equal("change: no identity: %.5s" % odd, answer.status, 422)
    report.equal("change: both at once", (await ask(server, "PATCH", where, {"password": "p" * 16, "securityProfile": 1})).status, 200)
    try:
        await Hands(server, "PATCHED").connect()
        report.check("change: no password, no connection", False, "it connected")
    except harness.websockets.InvalidStatusCode as refused:
        report.equal("change: no password, no connection", refused.status_code, 401)
    cp = await Hands(server, "PATCHED", password="p" * 16).boot()
    known = await ask(server, "GET", "/api/v1/chargepoints/patched")
    report.equal("change: with it, online", (known["cpid"], known["state"]), ("PATCHED", "online"))
    gone = [(await ask(server, "DELETE", where)).status for _ in "12"]
    report.equal("change: forgotten once", gone, [200, 404])
    await cp.gone()


# ---- jobs and files ----

async def jobs(report, server):
    cp = await Hands(server, "JOBS").boot()
    cp.says.update(UpdateFirmware={}, GetDiagnostics={"fileName": "d.zip"})
    base = "/api/v1/chargepoints/JOBS/"
    for body, wanted in (({}, 422), ({"file": "none.bin"}, 404), ({"file": "a", "location": "ftp://x/y"}, 422),
                         ({"location": "ftp://x/y", "retrieveDate": "soon"}, 422)):
        report.equal("jobs: %r" % body, (await ask(server, "POST", base + "firmware", body)).status, wanted)
    await ask(server, "PUT", "/api/v1/files/fw.bin", raw=b"version 2")
    asked = await ask(server, "POST", base + "firmware", {"file": "fw.bin", "retries": 2})
    report.equal("jobs: the charger is asked", (asked.status, cp.calls[-1][1], cp.calls[-1][2]["retries"]), (200, "UpdateFirmware", 2))
    got = await ask(server, "GET", hands.path_of(cp.calls[-1][2]["location"]), key=None)
    report.equal("jobs: by a link to the file", (got.status, got.value), (200, "version 2"))
    asked = await ask(server, "POST", base + "diagnostics", {"startTime": "2026-05-01T00:00:00Z"})
    left = await ask(server, "PUT", hands.path_of(cp.calls[-1][2]["location"]) + "/d.zip", raw=b"diagnosis", key=None)
    report.equal("jobs: diagnostics are left", (asked.status, left.status), (200, 200))
    for status in ("Downloading", "Downloaded", "Installing", "Installed"):
        await cp.call("FirmwareStatusNotification", {"status": status})
    for status in ("Uploading", "Uploaded"):
        await cp.call("DiagnosticsStatusNotification", {"status": status})
    listed = (await ask(server, "GET", "/api/v1/jobs?cpid=jobs")).value["items"]
    report.equal("jobs: newest first, with the last status",
                 [(j["kind"], j["status"], j["file"]) for j in listed], [("diagnostics", "Uploaded", "d.zip"), ("firmware", "Installed", None)])

    async def statuses(query):
        items = (await ask(server, "GET", "/api/v1/job-statuses?" + query))["items"]
        return [(s["kind"], s["status"], s["job"]) for s in items]
    diagnostics, firmware = (j["id"] for j in listed)
    of_diagnostics = [("diagnostics", s, diagnostics) for s in ("Uploaded", "Uploading")]
    of_firmware = [("firmware", s, firmware) for s in ("Installed", "Installing", "Downloaded", "Downloading")]
    report.equal("jobs: every status", await statuses("cpid=JOBS"), of_diagnostics + of_firmware)
    report.equal("jobs: in any spelling of the identity", await statuses("cpid=jobs"), of_diagnostics + of_firmware)
    report.equal("jobs: of one kind", await statuses("cpid=JOBS&kind=firmware"), of_firmware)
    report.equal("jobs: of one job", await statuses("job=%d" % diagnostics), of_diagnostics)
    report.equal("jobs: of another", await statuses("cpid=OTHER"), [])
    page = await ask(server, "GET", "/api/v1/job-statuses?cpid=JOBS&limit=4")
    rest = await ask(server, "GET", "/api/v1/job-statuses?cpid=JOBS&limit=4&cursor=" + hands.quote(page["next"]))
    report.equal("jobs: page by page", ([len(page["items"]), len(rest["items"])], rest["next"]), ([4, 2], None))
    await cp.close()
    other = await Hands(server, "OTHER").boot()
    await other.call("FirmwareStatusNotification", {"status": "Idle"})
    await other.call("LogStatusNotification", {"status": "Uploading", "requestId": 5})
    report.equal("jobs: a status of no job of ours", await statuses("cpid=OTHER"), [("log", "Uploading", None), ("firmware", "Idle", None)])
    of_log = (await ask(server, "GET", "/api/v1/job-statuses?cpid=OTHER&kind=log"))["items"]
    report.equal("jobs: with its own number", [s["requestId"] for s in of_log], [5])
    report.equal("jobs: and it makes none", (await ask(server, "GET", "/api/v1/jobs?cpid=OTHER"))["items"], [])
    await other.close()


async def files(report, server):
    where = "/api/v1/files/one.bin"
    report.equal("files: kept", (await ask(server, "PUT", where, raw=b"1" * 1000)).status, 200)

    async def link(name, **body):
        return await ask(server, "POST", "/api/v1/files/%s/links" % name, body)

    async def by(made, method="GET", more="", **what):
        return (await ask(server, method, hands.path_of(made["url"]) + more, key=None, **what)).status
    once = await link("one.bin")
    report.equal("links: used twice", [await by(once), await by(once)], [200, 404])
    head = await link("one.bin")
    report.equal("links: a look is no use", [await by(head, "HEAD"), await by(head, "HEAD"), await by(head)], [200, 200, 200])
    report.equal("links: not for leaving", await by(await link("one.bin"), "PUT", raw=b"2"), 404)
    upload = await link("left", upload=True, cpid="CP1")
    report.equal("links: left once", [await by(upload, "PUT", "/x.zip", raw=b"2"), await by(upload, "PUT", "/x.zip", raw=b"3")], [200, 404])
    left = await ask(server, "GET", "/api/v1/files/left.zip")
    report.equal("links: under the link's name, with the ending", (left.status, left.value), (200, "2"))
    report.equal("links: one for leaving is not for fetching", await by(await link("new", upload=True)), 404)
    short = await link("one.bin", valid="1s")
    report.equal("links: in its time", await by(short, "HEAD"), 200)
    over = await hands.until_status(server, 404, "HEAD", hands.path_of(short["url"]), key=None)
    report.equal("links: expired", (over.status, await by(short)), (404, 404))
    for body, wanted in (({"valid": "31d"}, 422), ({"valid": "0s"}, 422), ({"valid": "soon"}, 422), ({"valid": 5}, 422)):
        report.equal("links: %r" % body, (await link("one.bin", **body)).status, wanted)
    report.equal("links: to nothing", (await link("none.bin")).status, 404)
    report.equal("links: to a name that is none", (await link(".x", upload=True)).status, 422)
    report.equal("files: an empty one is none", (await ask(server, "PUT", "/api/v1/files/empty.bin", raw=b"")).status, 422)
    empty = await link("empty", upload=True)
    report.equal("links: nothing left, and then something", [await by(empty, "PUT", raw=b""), await by(empty, "PUT", raw=b"1")], [422, 200])
    live = await link("one.bin")
    gone = [(await ask(server, "DELETE", where)).status for _ in "12"]
    report.equal("files: removed once", gone, [200, 404])
    report.equal("files: gone for links, too", [await by(live), (await ask(server, "GET", where)).status], [404, 404])
    for odd in ("..", ".part", "a%2Fb", "x" * 129, "-x"):
        report.equal("files: no file %.9s" % odd, (await ask(server, "DELETE", "/api/v1/files/" + odd)).status, 404)
    names = [f["name"] for f in (await ask(server, "GET", "/api/v1/files?limit=1000"))["items"]]
    report.check("files: the others stay", "left.zip" in names and "one.bin" not in names, names)


async def main(report):
    with hands.folder({"10-test.lua": POLICY}) as directory:
        async with hands.served(policies=directory) as server:
            for part in (respond_async, repeats, closing, by_hand, stations, pending, hashes, changing, jobs, files):
                await hands.playing(report, part, server)
            await hands.playing(report, lost_with_the_server, server)
            await hands.playing(report, repeats_after_restart, server)
        await hands.playing(report, long_commands, directory)
        await hands.playing(report, control_batches.main, directory)


if __name__ == "__main__":
    harness.run(main)

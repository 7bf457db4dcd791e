"""Batches from end to end: who is asked, at which pace, what became of each; ended by hand, gone on with
over reloads and kill -9. The chargers of a batch hear DataTransfers that carry a mark of their own.
"""
import asyncio
import collections

import harness
import hands
from hands import Hands, ask

SITE = (("B1", "Alpha", "A-1"), ("B2", "Alpha", "A-2"), ("B3", "Beta", "A-1"))
FLEET = 60


async def begin(server, mark, pace=1000, action="DataTransfer", payload=None, **body):
    """The Answer to a new batch."""
    payload = {"vendorId": mark} if payload is None else payload
    return await ask(server, "POST", "/api/v1/commands/" + action, {"payload": payload, "pace": pace, **body})


async def ended(server, answer):
    return await hands.until(server, "/api/v1/batches/" + answer["batch"], lambda b: b["ended"])


def who(chargers, mark):
    """Who heard the mark how often."""
    heard = collections.Counter()
    for cp in chargers:
        for _, action, payload in cp.calls:
            heard[cp.identity] += action == "DataTransfer" and payload["vendorId"] == mark
    return {name: count for name, count in heard.items() if count}


# ---- who is asked, and what became of it ----

FILTERS = (  # a filter, its count, who hears it
    ({}, 6, "B1 B2 B3"), ({"vendor": "Alpha"}, 2, "B1 B2"), ({"model": "A-1"}, 2, "B1 B3"),
    ({"vendor": "Alpha", "model": "A-1"}, 1, "B1"), ({"state": "online"}, 3, "B1 B2 B3"), ({"state": "offline"}, 1, ""),
    ({"state": "blocked"}, 1, ""), ({"state": "pending"}, 1, ""), ({"vendor": "Gamma"}, 0, ""), ({"cpids": []}, 0, ""),
    ({"cpids": ["B3", "B1"]}, 2, "B1 B3"), ({"cpids": ["B1", "b1", "B1"]}, 1, "B1"),
    ({"cpids": ["B1", "B3", "OFF"], "vendor": "Beta"}, 1, "B3"), ({"cpids": ["OFF", "NOBODY", "B2"]}, 3, "B2"),
)
BAD = (
    ({"pace": 0}, "/pace"), ({"pace": 1001}, "/pace"), ({"pace": "1"}, "/pace"), ({"timeout": 0}, "/timeout"),
    ({"timeout": 601}, "/timeout"), ({"timeout": 1.5}, "/timeout"), ({"filter": None}, "/filter"),
    ({"filter": {"vendors": "x"}}, "/filter/vendors"), ({"filter": {"cpids": "B1"}}, "/filter/cpids"),
    ({"filter": {"cpids": [1]}}, "/filter/cpids/0"), ({"filter": {"state": "gone"}}, "/filter/state"),
    ({"filter": {"cpids": ["x%d" % n for n in range(1001)]}}, "/filter/cpids"), ({"payload": []}, "/payload"),
    ({"speed": 1}, "/speed"),
)


async def site(server):
    """Three that are there, one that is away, one that is blocked, one that is pending."""
    for name, registration in (("OFF", "accepted"), ("BLOCKED", "rejected"), ("WAITING", "pending")):
        await ask(server, "PUT", "/api/v1/chargepoints/" + name, {"registration": registration})
    return [await Hands(server, name).boot(vendor, model) for name, vendor, model in SITE]


async def filters(report, server, chargers):
    begun = [await begin(server, "f%d" % n, filter=wanted) for n, (wanted, _, _) in enumerate(FILTERS)]
    done = [await ended(server, batch) for batch in begun]
    for n, (wanted, count, names) in enumerate(FILTERS):
        report.equal("batch: %r" % wanted,
                     (begun[n].status, begun[n]["count"], done[n]["asked"], who(chargers, "f%d" % n)),
                     (202, count, count, dict.fromkeys(names.split(), 1)))
    report.equal("batch: its Location", begun[0].headers["location"], "/api/v1/batches/" + begun[0]["batch"])
    report.equal("batch: all in numbers", (done[0]["states"], done[0]["refused"]),
                 ({"accepted": 3, "offline": 3}, 0))
    report.equal("batch: an unknown charge point is told", (done[-1]["states"], done[-1]["refused"], done[-1]["why"]),
                 ({"accepted": 1, "offline": 1}, 1, "NOBODY: unknown"))
    for body, pointer in BAD:
        answer = await begin(server, "bad", **{"filter": {}, **body})
        report.equal("batch: %.40r does not fit" % body, (answer.status, answer["errors"][0]["pointer"]), (422, pointer))
    long = await begin(server, "long", filter={}, payload={"vendorId": "v", "data": "x" * 62000})
    report.equal("batch: too long to be kept", long.status, 413)


async def results(report, server, chargers):
    one, two, three = chargers
    one.says["DataTransfer"] = {"status": "Rejected"}
    two.says["DataTransfer"] = ("NotSupported", "no data here")
    three.says["DataTransfer"] = None
    batch = await ended(server, await begin(server, "results", filter={}, timeout=1))
    where = "/api/v1/batches/%s/commands" % batch["batch"]
    rows = (await hands.until(server, where, lambda page: all(c["endedAt"] for c in page["items"])))["items"]
    report.equal("results: of each", {c["cpid"]: (c["state"], c["response"], c["errorCode"]) for c in rows}, {
        "B1": ("accepted", {"status": "Rejected"}, None), "B2": ("error", None, "NotSupported"), "B3": ("timeout", None, None),
        "OFF": ("offline", None, None), "BLOCKED": ("offline", None, None), "WAITING": ("offline", None, None)})
    report.equal("results: in numbers", (await ended(server, batch))["states"],
                 {"accepted": 1, "error": 1, "timeout": 1, "offline": 3})
    page = await ask(server, "GET", where + "?state=offline&limit=2")
    rest = await ask(server, "GET", where + "?state=offline&limit=2&cursor=" + hands.quote(page["next"]))
    names = [c["cpid"] for c in page["items"] + rest["items"]]
    report.equal("results: by state, page by page", (sorted(names), rest["next"]), (["BLOCKED", "OFF", "WAITING"], None))
    own = await ask(server, "GET", "/api/v1/chargepoints/B2/commands?limit=1")
    report.equal("results: among the commands of the charge point", (own["items"][0]["batch"], own["items"][0]["errorCode"]),
                 (batch["batch"], "NotSupported"))
    one.says.clear(), two.says.clear(), three.says.clear()
    wrong = await ended(server, await begin(server, "", filter={"state": "online"}, action="Reset", payload={"type": "Warm"}))
    report.check("results: a wrong payload is told", (wrong["refused"], wrong["states"]) == (3, {})
                 and wrong["why"].startswith("B1: invalid, /type "), wrong)
    wrong = await ended(server, await begin(server, "", filter={"cpids": ["B1"]}, action="Fly", payload={}))
    report.check("results: a wrong action is told", wrong["refused"] == 1 and wrong["why"].startswith("B1: not_implemented"), wrong)
    empty = await ended(server, await ask(server, "POST", "/api/v1/commands/ClearCache", {"filter": {"cpids": ["B1"]}}))
    report.equal("results: without payload and pace", (empty["pace"], one.count("ClearCache")), (10, 1))
    for path in ("0", "x", "9" * 30, "-1"):
        for more in ("", "/commands"):
            report.equal("batch: no batch %.3s%s" % (path, more), (await ask(server, "GET", "/api/v1/batches/" + path + more)).status, 404)
        report.equal("cancel: no batch %.3s" % path, (await ask(server, "POST", "/api/v1/batches/%s/cancel" % path)).status, 404)


# ---- pace, the end by hand, the list ----

async def pace_and_cancel(report, server, chargers):
    slow = await begin(server, "slow", pace=1, filter={"state": "online"})
    paced = await begin(server, "paced", pace=2, filter={})
    again = [await ask(server, "POST", "/api/v1/commands/DataTransfer", {"filter": {"cpids": ["B2"]}, "payload": {"vendorId": "key"}},
                       Idempotency_Key="batch") for _ in "12"]
    report.equal("batch: the same key, the same batch", again[1].value, again[0].value)
    await asyncio.wait([asyncio.ensure_future(cp.heard_mark("slow")) for cp in chargers], return_when=asyncio.FIRST_COMPLETED)
    path = "/api/v1/batches/%s/cancel" % slow["batch"]
    cancelled = await ask(server, "POST", path)
    report.equal("cancel: where it was", (cancelled.status, cancelled["asked"], cancelled["ended"], cancelled["cancelled"]),
                 (200, 1, True, True))
    report.equal("cancel: once", (await ask(server, "POST", path)).status, 409)
    done = await ended(server, paced)
    rows = (await ask(server, "GET", "/api/v1/batches/%s/commands" % paced["batch"]))["items"]
    times = sorted(hands.seconds(c["askedAt"]) for c in rows)
    report.equal("pace: everybody", (len(times), done["cancelled"]), (6, False))
    report.check("pace: two a second", all(b - a > 0.5 for a, b in zip(times, times[2:])), times)
    report.equal("cancel: the others were not asked meanwhile", sum(who(chargers, "slow").values()), 1)
    report.equal("batch: the repeat asked nobody again", who(chargers, "key"), {"B2": 1})


async def listing(report, server):
    first = await ask(server, "GET", "/api/v1/batches?limit=2")
    numbers, page = [b["batch"] for b in first["items"]], first
    report.equal("list: newest first", numbers, sorted(numbers, key=int, reverse=True))
    while page["next"]:
        page = await ask(server, "GET", "/api/v1/batches?limit=7&cursor=" + page["next"])
        numbers += [b["batch"] for b in page["items"]]
    report.equal("list: all of them, once", numbers, [str(n) for n in range(int(numbers[0]), 0, -1)])
    report.equal("list: a cursor that is none", (await ask(server, "GET", "/api/v1/batches?cursor=x")).status, 400)
    report.equal("list: behind the end", (await ask(server, "GET", "/api/v1/batches?cursor=1"))["items"], [])


# ---- reloads and kill -9 ----

async def fleet(server):
    chargers = [Hands(server, "F%02d" % n) for n in range(FLEET)]
    for n in range(0, FLEET, 10):
        await asyncio.gather(*(cp.boot() for cp in chargers[n:n + 10]))
    return chargers


async def until_heard(chargers, mark, count):
    """Waits until so many of them heard the mark."""
    waiting = {asyncio.ensure_future(cp.heard_mark(mark)) for cp in chargers}
    heard = 0
    while heard < count and waiting:
        done, waiting = await asyncio.wait(waiting, timeout=harness.PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert done, "only %d of %d heard %s" % (heard, count, mark)
        heard += len(done)
    for task in waiting:
        task.cancel()


async def over_reloads(report, server, chargers):
    """A reload as soon as somebody hears of it; with policies.drain=0s it ends handlers that wait."""
    batch = await begin(server, "reloads", pace=50, filter={"vendor": "Test"})
    for count in (1, 30, 51):
        await until_heard(chargers, "reloads", count)
        lines = len(server.log)
        server.hangup()
        await asyncio.to_thread(server.wait_log, 'msg="policies loaded"', lines)
    done = await ended(server, batch)
    report.equal("reload: everybody once", (done["asked"], who(chargers, "reloads")),
                 (FLEET, {cp.identity: 1 for cp in chargers}))
    states = await hands.until(server, "/api/v1/batches/" + batch["batch"], lambda b: "queued" not in b["states"])
    report.equal("reload: nothing is lost", states["states"], {"accepted": FLEET})


async def over_kills(report, server, chargers):
    """kill -9 at the first CALLs of a portion: whoever is left out then is left out."""
    batch = await begin(server, "kills", pace=30, filter={"vendor": "Test"})
    heard = collections.Counter()
    for count in (1, 1):
        await until_heard(chargers, "kills", count)
        server.kill()
        await asyncio.gather(*(cp.gone() for cp in chargers))
        heard.update(who(chargers, "kills"))
        server.start()
        chargers = await fleet(server)
    done = await ended(server, batch)
    heard.update(who(chargers, "kills"))
    twice = {name: count for name, count in heard.items() if count > 1}
    report.equal("kill -9: nobody is asked twice", twice, {})
    report.equal("kill -9: the batch goes on to its end", (done["asked"], done["cancelled"]), (FLEET, False))
    report.check("kill -9: most were asked", len(heard) + done["states"].get("offline", 0) >= FLEET - 2 * 25, (len(heard), done))


async def main(report, directory):
    async with hands.served(policies=directory, policies__drain="0s", ocpp__call_timeout="10s") as server:
        chargers = await site(server)
        await hands.playing(report, filters, server, chargers)
        await hands.playing(report, results, server, chargers)
        await hands.playing(report, pace_and_cancel, server, chargers)
        await hands.playing(report, listing, server)
        chargers = await fleet(server)
        await hands.playing(report, over_reloads, server, chargers)
        await hands.playing(report, over_kills, server, chargers)

#!/usr/bin/python3
"""What is recorded of chargers, by the routes that ask for it: local lists, charging profiles, reservations,
the configuration, and keys. Each route talks to chargers that follow a script, so that every answer and every
silence comes about, and to the simulator (records_sim.py), whose own state the record must agree with.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oca"))
import stage  # noqa: E402
import records_sim  # noqa: E402
from stage import harness  # noqa: E402

asyncio = harness.asyncio
SILENT, GONE = object(), object()
PROFILE_OF = {"A": "Current", "W": "Power"}


class Scripted(harness.Charger):
    """Answers the server's CALLs from `script[action]`: a payload, a function of the request, the code of a
    CALLERROR, SILENT, GONE (the line drops), or a list of these, of which the last one stays. `heard` has
    what came."""

    def __init__(self, server, identity, script=None, **more):
        super().__init__(server, identity, **more)
        self.script, self.heard = script or {}, []

    async def _heard(self, frame):
        if frame[0] != 2:
            await super()._heard(frame)
            return
        self.heard.append((frame[2], frame[3]))
        answer = self.script.get(frame[2], {"status": "Accepted"})
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(frame[3])
        if answer is GONE:
            self.drop()
        elif isinstance(answer, str):
            await self.ws.send(harness.json.dumps([4, frame[1], answer, "", {}]))
        elif answer is not SILENT:
            await self.ws.send(harness.json.dumps([3, frame[1], answer]))

    def asked(self, action):
        """What the server asked by this action since the last look."""
        found = [payload for name, payload in self.heard if name == action]
        self.heard = [one for one in self.heard if one[0] != action]
        return found


class Lister(Scripted):
    """A charger with a local list: `list` is {idTag: idTagInfo}, `says` what it answers instead of Accepted."""

    def __init__(self, server, identity, **keys):
        super().__init__(server, identity, {
            "GetConfiguration": self.tell, "GetLocalListVersion": lambda _: {"listVersion": self.version},
            "SendLocalList": self.take})
        self.keys, self.version, self.list, self.says = keys, 0, {}, []

    def tell(self, request):
        wanted = request.get("key") or list(self.keys)
        return {"configurationKey": [{"key": k, "readonly": True, "value": self.keys[k]} for k in wanted if k in self.keys],
                "unknownKey": [k for k in wanted if k not in self.keys]}

    def take(self, request):
        entries = request.get("localAuthorizationList", [])
        word = self.says.pop(0) if self.says else "Accepted"
        if word == "Accepted" and request["updateType"] == "Differential" and request["listVersion"] <= self.version:
            word = "VersionMismatch"
        if word == "Accepted" and len(entries) > int(self.keys.get("SendLocalListMaxLength", 1000)):
            word = "Failed"
        if word is SILENT or word is GONE:
            return word
        if word == "Accepted":
            if request["updateType"] == "Full":
                self.list = {}
            for entry in entries:
                if "idTagInfo" in entry:
                    self.list[entry["idTag"]] = entry["idTagInfo"]
                else:
                    del self.list[entry["idTag"]]
            self.version = request["listVersion"]
        return {"status": word}

    def updates(self):
        """The parts of the last change: (type, version, entries)."""
        return [(r["updateType"], r["listVersion"], len(r.get("localAuthorizationList", []))) for r in self.asked("SendLocalList")]


class Desk:
    """The operator: REST in a thread, so that scripted chargers can answer meanwhile."""

    def __init__(self, server, report):
        self.server, self.report = server, report
        self.equal, self.check = report.equal, report.check

    async def rest(self, method, path, body=None):
        return await asyncio.to_thread(self.server.rest, method, "/api/v1" + path, body)

    async def status(self, method, path, body=None):
        """The status, and of a problem what the charger's word was."""
        status, answer = await self.rest(method, path, body)
        return status if status < 300 or "response" not in answer else (status, answer["response"]["status"])

    async def at_work(self, charger):
        await charger.connect()
        await charger.boot()
        return charger

    async def charger(self, identity, **script):
        return await self.at_work(Scripted(self.server, identity, script))

    async def items(self, path):
        return (await self.rest("GET", path))[1]["items"]

    async def pages(self, path):
        """All items, two at a time."""
        found, more = [], "?limit=2"
        while more:
            answer = (await self.rest("GET", path + more))[1]
            found += answer["items"]
            more = answer["next"] and "?limit=2&cursor=" + answer["next"]
        return found


# ---- local lists ----

def entries(*tags, status="Accepted", **more):
    return {"localAuthorizationList": [{"idTag": t, "idTagInfo": {"status": status, **more}} for t in tags]}


async def list_is(d, charger, what):
    """The record says what the charger has."""
    status, known = await d.rest("GET", "/local-lists/" + charger.identity)
    d.equal("local list: %s: the record is the charger's list" % what,
            (known["version"], known["size"], {e["idTag"]: e["idTagInfo"] for e in known["items"]}),
            (charger.version, len(charger.list), charger.list))


async def local_lists(d):
    charger = await d.at_work(Lister(d.server, "LIST-1", SendLocalListMaxLength="2", LocalAuthListMaxLength="5"))
    at = "/local-lists/LIST-1"
    nothing = (await d.rest("GET", at))[1]
    d.equal("local list: nothing is known at first", (nothing["version"], nothing["size"]), (None, 0))
    d.equal("local list: in full, in parts that the charger takes", await d.rest("PUT", at, entries(*"ABCDE")),
            (200, {"cpid": "LIST-1", "version": 3, "size": 5, "sent": 3}))
    d.equal("local list: first Full, then Differential", charger.updates(),
            [("Full", 1, 2), ("Differential", 2, 2), ("Differential", 3, 1)])
    d.equal("local list: its limits were asked for once", len(charger.asked("GetConfiguration")), 1)
    await list_is(d, charger, "full")
    await d.rest("PUT", at, entries(*"ABCDe", parentIdTag="P"))
    d.equal("local list: every entry differs: everything is sent", [u[0] for u in charger.updates()][0], "Full")
    both = entries(*"ABC", parentIdTag="P")["localAuthorizationList"] + entries("F")["localAuthorizationList"]
    d.equal("local list: some differ: these", (await d.rest("PUT", at, {"localAuthorizationList": both}))[1]["sent"], 2)
    d.equal("local list: as a difference in parts", charger.updates(), [("Differential", 7, 2), ("Differential", 8, 1)])
    await list_is(d, charger, "difference")
    d.equal("local list: none differs: nothing is sent", (await d.rest("PUT", at, {"localAuthorizationList": both}))[1],
            {"cpid": "LIST-1", "version": 8, "size": 4, "sent": 0})
    d.equal("local list: or everything, where that is asked for",
            ((await d.rest("PUT", at, {"localAuthorizationList": both, "full": True}))[1]["sent"], charger.updates()[0][0]), (2, "Full"))
    d.equal("local list: more than it holds is not sent", (await d.status("PUT", at, entries(*"ABCDEFG")), charger.updates()), (409, []))
    d.equal("local list: an empty one", ((await d.rest("PUT", at, entries()))[1]["version"], charger.updates()), (11, [("Full", 11, 0)]))
    await list_is(d, charger, "empty")
    d.equal("local list: its limits were asked for once only", charger.asked("GetConfiguration"), [])
    await charger.close()
    d.equal("local list: nobody there", await d.status("PUT", at, entries("A")), 409)


async def local_lists_refused(d):
    charger = await d.at_work(Lister(d.server, "LIST-2"))
    at = "/local-lists/LIST-2"
    await d.rest("PUT", at, entries(*"ABCDEFGH"))
    d.equal("local list: a charger without limits gets it in one", charger.updates(), [("Full", 1, 8)])
    for word in ("VersionMismatch", "Failed"):
        charger.says = [word]
        wanted = entries(*"ABCDEF", "G" + word)
        d.equal("local list: after %s it gets everything" % word, (await d.status("PUT", at, wanted), [u[0] for u in charger.updates()]),
                (200, ["Differential", "Full"]))
        await list_is(d, charger, word)
    charger.says = ["NotSupported"]
    d.equal("local list: NotSupported is the end of it", (await d.status("PUT", at, entries(*"ABCDEF")), len(charger.updates())),
            ((409, "NotSupported"), 1))
    charger.says = ["Failed", "Failed"]
    d.equal("local list: Failed twice too", (await d.status("PUT", at, entries(*"ABCDEF")), len(charger.updates())), ((409, "Failed"), 2))
    await list_is(d, charger, "refused")
    charger.version, charger.list = 50, {"FOREIGN": {"status": "Accepted"}}
    charger.says = [SILENT]
    d.equal("local list: no answer", (await d.status("PUT", at, entries(*"ABC")), charger.updates()), (504, [("Full", 51, 3)]))
    d.equal("local list: a list that is not ours is replaced, also at the second try",
            (await d.status("PUT", at, entries(*"ABC")), charger.updates()), (200, [("Full", 51, 3)]))
    await list_is(d, charger, "foreign")
    charger.version = -1
    d.equal("local list: switched off (-1)", (await d.status("PUT", at, entries(*"AB")), charger.updates()), (409, []))
    d.equal("local list: that is its version then", (await d.rest("GET", at))[1]["version"], -1)
    charger.version = 51
    await d.rest("POST", "/chargepoints/LIST-2/commands/GetLocalListVersion", {})
    d.equal("local list: on again, its content is not taken for known",
            (await d.status("PUT", at, entries(*"AC")), charger.updates()), (200, [("Full", 52, 2)]))
    charger.version, charger.list = 0, {}
    d.equal("local list: lost in a restart (0)", (await d.status("PUT", at, entries(*"AC")), charger.updates()), (200, [("Full", 53, 2)]))
    await list_is(d, charger, "restart")
    charger.says = [GONE]
    d.equal("local list: the line drops", await d.status("PUT", at, entries(*"ABC")), 502)
    bad = [entries(""), entries("x" * 21), entries("A", "a"), {"localAuthorizationList": [{"idTag": "A"}]},
           {"localAuthorizationList": [5]}, {"fromTags": True, **entries("A")}, {}]
    d.equal("local list: what is no list", [await d.status("PUT", at, body) for body in bad], [422] * len(bad))


async def local_lists_at_once(d):
    charger = await d.at_work(Lister(d.server, "LIST-3"))
    charger.script["GetLocalListVersion"] = SILENT  # the first change waits for it until its time is up
    first = asyncio.ensure_future(d.status("PUT", "/local-lists/LIST-3", entries(*"AB")))
    while not charger.asked("GetLocalListVersion"):
        await asyncio.sleep(0)
    d.equal("local list: while one is changed a second change is refused", await d.status("PUT", "/local-lists/LIST-3", entries("C")), 409)
    charger.script["GetLocalListVersion"] = {"listVersion": 0}
    d.equal("local list: afterwards it is not", (await first, await d.status("PUT", "/local-lists/LIST-3", entries("C")), list(charger.list)),
            (504, 200, ["C"]))
    await charger.close()


# ---- configuration ----

class Keyed(Scripted):
    """A charger with keys, of which it tells at most `most` at once; `words`: what it says to a change."""

    def __init__(self, server, identity, most, **values):
        super().__init__(server, identity, {"GetConfiguration": self.tell, "ChangeConfiguration": self.change})
        self.most, self.values, self.words = most, {"GetConfigurationMaxKeys": str(most), **values}, {}

    def tell(self, request):
        wanted = request.get("key")
        if wanted and len(wanted) > self.most:
            return "OccurenceConstraintViolation"
        known = wanted or list(self.values)[:self.most]
        return {"configurationKey": [{"key": k, "readonly": k in self.words, "value": self.values[k]} for k in known if k in self.values],
                "unknownKey": [k for k in known if k not in self.values]}

    def change(self, request):
        word = self.words.get(request["key"], "Accepted")
        if word in ("Accepted", "RebootRequired"):
            self.values[request["key"]] = request["value"]
        return {"status": word} if isinstance(word, str) and word != "InternalError" else word


async def configuration(d):
    charger = await d.at_work(Keyed(d.server, "KEYS-1", 2, A="1", B="2", C="3", D="4"))
    at = "/chargepoints/KEYS-1/configuration"
    d.equal("configuration: nothing was asked yet", (await d.rest("GET", at), await d.status("GET", at + "/A"), charger.heard),
            ((200, {"items": [], "next": None}), 404, []))
    for key in "BCD":
        d.equal("configuration: one key is asked", (await d.rest("GET", at + "/%s?refresh=1" % key))[1]["value"], charger.values[key])
    d.equal("configuration: one that the charger does not know", (await d.rest("GET", at + "/Z?refresh=1"))[1]["unknown"], True)
    charger.heard, charger.values["D"] = [], "5"
    d.equal("configuration: asked again, as many keys at once as the charger takes",
            ([i["key"] for i in await d.items(at + "?refresh=1")], charger.asked("GetConfiguration")),
            (["A", "B", "C", "D", "GetConfigurationMaxKeys", "Z"], [{}, {"key": ["B", "C"]}, {"key": ["D"]}]))
    d.equal("configuration: pages, and what changed", [(i["key"], i["value"]) for i in await d.pages(at)][3], ("D", "5"))
    d.equal("configuration: keys have no case", ((await d.rest("GET", at + "/getconfigurationmaxkeys"))[1]["value"],
                                                 (await d.rest("PUT", at + "/a", {"value": "1"}))[1]["sent"]), ("2", False))
    del charger.values["D"]
    await d.rest("GET", at + "?refresh=1")
    d.equal("configuration: a key that the charger has no more", (await d.rest("GET", at + "/D"))[1]["unknown"], True)
    await configuration_written(d, charger, at)


async def configuration_written(d, charger, at):
    charger.heard = []
    same = await d.rest("PUT", at + "/A", {"value": "1"})
    forced = await d.rest("PUT", at + "/A?force=true", {"value": "1"})
    d.equal("configuration: what it is known to have is written by force only",
            (same[1]["sent"], forced[1]["sent"], charger.asked("ChangeConfiguration")), (False, True, [{"key": "A", "value": "1"}]))
    charger.words = {"B": "RebootRequired", "C": "Rejected", "E": "NotSupported", "F": "InternalError", "G": SILENT}
    reboot = [(await d.rest("PUT", at + "/B", {"value": "7"}))[1] for _ in range(2)]
    d.equal("configuration: RebootRequired is told, and written again", [(r["status"], r["sent"]) for r in reboot], [("RebootRequired", True)] * 2)
    known = (await d.rest("GET", at + "/B"))[1]
    d.equal("configuration: it waits for the reboot", (known["value"], known["rebootRequired"]), ("7", True))
    d.equal("configuration: a key that is only read", (await d.status("PUT", at + "/C", {"value": "9"}), (await d.rest("GET", at + "/C"))[1]["value"]),
            ((409, "Rejected"), "3"))
    d.equal("configuration: a key that is not known", (await d.status("PUT", at + "/E", {"value": "9"}), (await d.rest("GET", at + "/E"))[1]["unknown"]),
            ((409, "NotSupported"), True))
    d.equal("configuration: an error, and no answer", [await d.status("PUT", at + "/" + key, {"value": "9"}) for key in "FG"], [502, 504])
    many = (await d.rest("PUT", at, {"A": "1", "B": "8", "C": "4", "E": "5"}))[1]["items"]
    d.equal("configuration: several, each with its word", [(i["key"], i["status"], i["sent"]) for i in many],
            [("A", "Accepted", False), ("B", "RebootRequired", True), ("C", "Rejected", True), ("E", "NotSupported", True)])
    charger.heard = []
    d.equal("configuration: several end at the first without an answer",
            (await d.status("PUT", at, {"A": "2", "F": "1", "H": "1"}), [r["key"] for r in charger.asked("ChangeConfiguration")]), (502, ["A", "F"]))
    d.equal("configuration: what is no value", [await d.status("PUT", at, body) for body in ({"A": 5}, ["A"])] + [await d.status("PUT", at + "/A", {"value": 5})], [422] * 3)
    charger.script["GetConfiguration"] = GONE
    d.equal("configuration: the line drops", await d.status("GET", at + "?refresh=1"), 502)
    offline = [await d.status("GET", at + "?refresh=1"), await d.status("GET", at + "/A?refresh=1"), await d.status("PUT", at + "/A", {"value": "3"}),
               await d.status("PUT", at, {"A": "3"}), await d.status("GET", at)]
    d.equal("configuration: nobody there; what was known is", offline, [409, 409, 409, 409, 200])


# ---- keys (G5) ----

OLD, NEW = "the old password", "the new password"


async def gets_in(d, identity, password):
    charger = Scripted(d.server, identity, password=password)
    try:
        await d.at_work(charger)
    except harness.websockets.exceptions.InvalidStatusCode as error:
        return error.status_code
    await charger.close()
    return 101


async def keys(d):
    for identity, has, has_not in (("G5-NEW", NEW, OLD), ("G5-OLD", OLD, NEW)):
        await d.rest("PUT", "/chargepoints/" + identity, {"password": OLD, "registration": "accepted"})
        await d.at_work(Scripted(d.server, identity, {"ChangeConfiguration": GONE}, password=OLD))
        changed = await d.status("PUT", "/chargepoints/%s/configuration/AuthorizationKey" % identity, {"value": NEW.encode().hex()})
        d.equal("%s: no answer: both keys count until one is shown, then that one" % identity,
                (changed, [await gets_in(d, identity, p) for p in ("something else", has, has_not, has)]), (502, [401, 101, 401, 101]))
    for word, has, has_not in (("Rejected", OLD, NEW), ("Accepted", NEW, OLD)):
        identity = "G5-" + word
        await d.rest("PUT", "/chargepoints/" + identity, {"password": OLD, "registration": "accepted"})
        charger = await d.at_work(Scripted(d.server, identity, {"ChangeConfiguration": {"status": word}}, password=OLD))
        await d.rest("PUT", "/chargepoints/%s/configuration/AuthorizationKey" % identity, {"value": NEW.encode().hex()})
        d.equal("%s: that decides" % identity, [await gets_in(d, identity, p) for p in (has_not, has)], [401, 101])
        await charger.close()
    secret = NEW.encode().hex()
    known = await d.items("/chargepoints/G5-Accepted/configuration")
    said = await d.items("/messages?cpid=G5-Accepted&contains=ChangeConfiguration")
    d.equal("a key is kept nowhere in clear", ([(k["key"], k["value"]) for k in known], len(said), secret in str(said).lower()),
            ([("AuthorizationKey", None)], 1, False))


# ---- profiles ----

def shown(items):
    return sorted((i["chargingProfileId"], i["connectorId"], i["purpose"], i["stackLevel"]) for i in items)


async def profiles(d):
    charger = await d.charger("LIMIT-1")
    at = "/chargepoints/LIMIT-1/profiles"
    await d.rest("POST", "/chargepoints/LIMIT-1/commands/SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {
        "chargingProfileId": 1, "stackLevel": 5, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1}]}}})
    charger.heard = []
    status, made = await d.rest("PUT", at, {"connectorId": 0, "limitW": 22000.59})
    (asked,) = charger.asked("SetChargingProfile")
    d.equal("profiles: a limit of the whole, with one decimal", (status, made["profile"], asked["connectorId"]), (200, asked["csChargingProfiles"], 0))
    d.equal("profiles: under an id that no other has", (made["chargingProfileId"] != 1, asked["csChargingProfiles"]["chargingProfilePurpose"],
                                                        asked["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"]),
            (True, "ChargePointMaxProfile", [{"startPeriod": 0, "limit": 22000.5}]))
    ids = [(await d.rest("PUT", at, {"connectorId": 1, "limitA": a, "stackLevel": 1}))[1]["chargingProfileId"] for a in (16, 10)]
    d.equal("profiles: the same purpose, level and connector replaces", shown(await d.items("/profiles?cpid=limit-1")),
            [(1, 1, "TxDefaultProfile", 5), (made["chargingProfileId"], 0, "ChargePointMaxProfile", 0), (ids[1], 1, "TxDefaultProfile", 1)])
    d.equal("profiles: by purpose", shown(await d.items("/profiles?cpid=LIMIT-1&purpose=ChargePointMaxProfile"))[0][0], made["chargingProfileId"])
    await profiles_of_a_transaction(d, charger, at)
    await profiles_cleared(d, charger, at)
    await profiles_refused(d, charger, at)


async def profiles_of_a_transaction(d, charger, at):
    wanted = {"connectorId": 1, "limitW": 11000, "purpose": "TxProfile"}
    d.equal("profiles: no transaction, no TxProfile", await d.status("PUT", at, wanted), 409)
    start = {"connectorId": 1, "idTag": stage.VALID, "meterStart": 0, "timestamp": "2026-05-01T12:00:00Z"}
    transaction = (await charger.call("StartTransaction", start))["transactionId"]
    charger.heard = []
    d.equal("profiles: with one, for that", (await d.status("PUT", at, wanted), charger.asked("SetChargingProfile")[0]["csChargingProfiles"]["transactionId"]),
            (200, transaction))
    found = await d.items("/profiles?cpid=LIMIT-1&purpose=TxProfile")
    d.equal("profiles: on record with it", [p["transactionId"] for p in found], [transaction])
    await charger.call("StopTransaction", {"transactionId": transaction, "meterStop": 5, "timestamp": "2026-05-01T13:00:00Z"})
    d.equal("profiles: gone with it", await d.items("/profiles?cpid=LIMIT-1&purpose=TxProfile"), [])


async def profiles_cleared(d, charger, at):
    charger.heard = []
    charger.script["ClearChargingProfile"] = [{"status": "Accepted"}, {"status": "Unknown"}, {"status": "Unknown"}, {"status": "Accepted"}]
    query = "?connectorId=1&purpose=TxDefaultProfile&stackLevel=1"
    left = [(await d.status("DELETE", at + query), len(await d.items("/profiles?cpid=LIMIT-1"))) for query in (query, query, "?chargingProfileId=1", "")]
    d.equal("profiles: cleared by what is given; what the charger does not have, we do not", left, [(200, 2), (404, 2), (404, 1), (200, 0)])
    given = {"connectorId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}
    d.equal("profiles: asked just that", charger.asked("ClearChargingProfile"), [given, given, {"id": 1}, {}])


async def profiles_refused(d, charger, at):
    wanted = {"connectorId": 1, "limitW": 11000}
    charger.script["SetChargingProfile"] = [{"status": "Rejected"}, {"status": "NotSupported"}, "NotImplemented", SILENT, {"status": "Accepted"}]
    d.equal("profiles: refused, an error, no answer", [await d.status("PUT", at, wanted) for _ in range(4)],
            [(409, "Rejected"), (409, "NotSupported"), 502, 504])
    d.equal("profiles: none of that is on record", await d.items("/profiles?cpid=LIMIT-1"), [])
    for unit, told in (("A", "Current"), ("W", "Power")):
        charger.script["GetConfiguration"] = {"configurationKey": [
            {"key": "ChargingScheduleAllowedChargingRateUnit", "readonly": True, "value": told}]}
        await d.rest("GET", "/chargepoints/LIMIT-1/configuration?refresh=1")
        made = [(await d.rest("PUT", at, {"connectorId": 1, **limit}))[1]["profile"]["chargingSchedule"] for limit in ({"limitW": 11040}, {"limitA": 16})]
        d.equal("profiles: a charger that takes only %s gets these" % told,
                [(m["chargingRateUnit"], m["chargingSchedulePeriod"][0]["limit"]) for m in made], [(unit, {"A": 16, "W": 11040}[unit])] * 2)
    bad = [{"limitW": -1}, {"limitW": 1e300}, {}, {"limitW": 1, "limitA": 1}, {"limitW": 1, "connectorId": -1}, {"limitW": 1, "stackLevel": -1},
           {"limitW": 1, "purpose": "ChargePointMaxProfile"}, {"limitW": 1, "purpose": "TxProfile", "connectorId": 0},
           {"limitW": 1, "validTo": "2020-01-01T00:00:00Z"}, {"limitW": 1, "validTo": "soon"}]
    d.equal("profiles: what is no limit", [await d.status("PUT", at, {"connectorId": 1, **body}) for body in bad], [422] * len(bad))
    charger.script["SetChargingProfile"] = GONE
    d.equal("profiles: the line drops, and nobody is there",
            [await d.status("PUT", at, wanted), await d.status("PUT", at, wanted), await d.status("DELETE", at)], [502, 409, 409])


# ---- reservations ----

async def reservations(d):
    charger = await d.charger("BOOK-1", ReserveNow=[{"status": word} for word in ("Faulted", "Occupied", "Rejected", "Unavailable", "Accepted")])
    at = "/chargepoints/BOOK-1/reservations"
    wanted = {"connectorId": 1, "idTag": stage.VALID, "expiryDate": "2060-01-01T00:00:00+02:00"}
    d.equal("reservations: refused", [await d.status("POST", at, wanted) for _ in range(4)],
            [(409, word) for word in ("Faulted", "Occupied", "Rejected", "Unavailable")])
    d.equal("reservations: not on record then", await d.items("/reservations?cpid=BOOK-1"), [])
    charger.heard = []
    number = (await d.rest("POST", at, {**wanted, "parentIdTag": "P"}))[1]["reservationId"]
    d.equal("reservations: asked in UTC, under our number", charger.asked("ReserveNow"), [
        {"connectorId": 1, "expiryDate": "2059-12-31T22:00:00Z", "idTag": stage.VALID, "parentIdTag": "P", "reservationId": number}])
    await d.rest("POST", "/chargepoints/BOOK-1/commands/ReserveNow", {
        "connectorId": 2, "expiryDate": "2060-01-01T00:00:00Z", "idTag": "OTHER", "reservationId": number + 1})
    d.equal("reservations: a number that somebody else took is left alone",
            (await d.rest("POST", at, {"idTag": "ANY", "expiryDate": "2060-01-01T00:00:00Z"}))[1]["reservationId"], number + 2)
    d.equal("reservations: without a connector it is for any", charger.asked("ReserveNow")[-1]["connectorId"], 0)
    await charger.call("StatusNotification", {"connectorId": 2, "errorCode": "NoError", "status": "Unavailable"})
    states = {r["reservationId"]: r["state"] for r in await d.items("/reservations?cpid=book-1")}
    d.equal("reservations: a connector that is Unavailable ends its own", states, {number: "ACCEPTED", number + 1: "FAULTED", number + 2: "ACCEPTED"})
    await reservations_ended(d, charger, at, wanted, number)


async def reservations_ended(d, charger, at, wanted, number):
    charger.script["CancelReservation"] = [{"status": "Rejected"}, "InternalError", SILENT, {"status": "Accepted"}]
    d.equal("reservations: a cancellation that is refused, an error, or without an answer changes nothing",
            ([await d.status("DELETE", "%s/%d" % (at, number)) for _ in range(3)], len(await d.items("/reservations?cpid=BOOK-1&state=ACCEPTED"))),
            ([(409, "Rejected"), 502, 504], 2))
    d.equal("reservations: cancelled", (await d.rest("DELETE", "%s/%d" % (at, number)), [r["reservationId"] for r in await d.items("/reservations?cpid=BOOK-1&state=CANCELLED")]),
            ((200, {"reservationId": number, "status": "Accepted"}), [number]))
    await charger.call("StatusNotification", {"connectorId": 0, "errorCode": "GroundFailure", "status": "Faulted"})
    d.equal("reservations: with the controller end all", await d.items("/reservations?cpid=BOOK-1&state=ACCEPTED"), [])
    bad = [{"idTag": ""}, {"idTag": "x" * 21}, {"connectorId": -1}, {"expiryDate": "2020-01-01T00:00:00Z"}, {"expiryDate": "soon"}]
    d.equal("reservations: what is none", [await d.status("POST", at, {**wanted, **body}) for body in bad], [422] * len(bad))
    unknown = [await d.status("DELETE", path) for path in (at + "/x", at + "/99999999999", "/chargepoints/NOBODY/reservations/1")]
    d.equal("reservations: numbers and chargers that cannot be", unknown, [404] * 3)
    charger.script["ReserveNow"] = [SILENT, GONE]
    d.equal("reservations: no answer, the line drops, nobody is there",
            ([await d.status("POST", at, wanted) for _ in range(3)], await d.status("DELETE", at + "/1")), ([504, 502, 409], 409))


async def with_the_simulator(server, report, scenes):
    for title, flags, function in scenes:
        await asyncio.to_thread(records_sim.perform, server, report, title, flags, function)


SCRIPTS = (local_lists, local_lists_refused, local_lists_at_once, configuration, keys, profiles, reservations)


async def main(report):
    with harness.Server(ocpp__call_timeout="2s", rest__max_connections_per_address=0) as server:
        for tag, body in stage.TAGS.items():
            server.rest("PUT", "/api/v1/tags/" + tag, body)
        desk = Desk(server, report)
        await asyncio.gather(*(with_the_simulator(server, report, records_sim.SCENES[n::2]) for n in range(2)),
                             *(one(desk) for one in SCRIPTS))
        await asyncio.to_thread(records_sim.restarted, server, report)


if __name__ == "__main__":
    harness.run(main)

#!/usr/bin/python3
"""What is recorded of chargers, by the routes that ask for it: local lists, charging profiles, reservations,
the configuration, and keys. Each route talks to chargers that follow a script (records_script.py), so that
every answer and every silence comes about, and to the simulator (records_sim.py), whose own state the record
must agree with.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oca"))
import stage  # noqa: E402
import records_sim  # noqa: E402
from records_script import GONE, SILENT, Desk, Keyed, Lister, Scripted  # noqa: E402
from stage import harness  # noqa: E402

asyncio = harness.asyncio


def said(*words):
    return [{"status": word} for word in words]


# ---- local lists ----

def entries(*tags, **more):
    return {"localAuthorizationList": [{"idTag": t, "idTagInfo": {"status": "Accepted", **more}} for t in tags]}


async def list_is(d, charger, what):
    """The record says what the charger has."""
    status, known = await d.rest("GET", "/local-lists/" + charger.identity)
    d.equal("local list: %s: the record is the charger's list" % what,
            (known["version"], known["size"], {e["idTag"]: e["idTagInfo"] for e in known["items"]}),
            (charger.version, len(charger.list), charger.list))


async def put_list(d, charger, wanted):
    """The outcome, and the parts in which it was sent."""
    outcome = await d.status("PUT", "/local-lists/" + charger.identity, wanted)
    return outcome, charger.updates()


async def local_lists(d):
    charger = await d.at_work(Lister(d.server, "LIST-1", SendLocalListMaxLength="2", LocalAuthListMaxLength="5"))
    at = "/local-lists/LIST-1"
    nothing = (await d.rest("GET", at))[1]
    d.equal("local list: nothing is known at first", (nothing["version"], nothing["size"]), (None, 0))
    d.equal("local list: in full", await d.rest("PUT", at, entries(*"ABCDE")),
            (200, {"cpid": "LIST-1", "version": 3, "size": 5, "sent": 3}))
    d.equal("local list: in parts that the charger takes, the first is Full", charger.updates(),
            [("Full", 1, 2), ("Differential", 2, 2), ("Differential", 3, 1)])
    await list_is(d, charger, "full")
    d.equal("local list: every entry differs: everything is sent",
            await put_list(d, charger, entries(*"ABCDE", parentIdTag="P")),
            (200, [("Full", 4, 2), ("Differential", 5, 2), ("Differential", 6, 1)]))
    both = entries(*"ABC", parentIdTag="P")
    both["localAuthorizationList"] += entries("F")["localAuthorizationList"]
    d.equal("local list: some differ: these, as a difference in parts", await put_list(d, charger, both),
            (200, [("Differential", 7, 2), ("Differential", 8, 1)]))
    await list_is(d, charger, "difference")
    d.equal("local list: none differs", await d.rest("PUT", at, both),
            (200, {"cpid": "LIST-1", "version": 8, "size": 4, "sent": 0}))
    d.equal("local list: none differs, and yet everything is asked for",
            await put_list(d, charger, {**both, "full": True}), (200, [("Full", 9, 2), ("Differential", 10, 2)]))
    d.equal("local list: more than it holds", await put_list(d, charger, entries(*"ABCDEFG")), (409, []))
    d.equal("local list: an empty one", await put_list(d, charger, entries()), (200, [("Full", 11, 0)]))
    await list_is(d, charger, "empty")
    d.equal("local list: its limits were asked for once", len(charger.asked("GetConfiguration")), 1)
    await charger.close()
    d.equal("local list: nobody there", await d.status("PUT", at, entries("A")), 409)


async def local_lists_refused(d):
    charger = await d.at_work(Lister(d.server, "LIST-2"))
    d.equal("local list: a charger without limits gets it in one", await put_list(d, charger, entries(*"ABCDEFGH")),
            (200, [("Full", 1, 8)]))
    for word in ("VersionMismatch", "Failed"):
        charger.says = [word]
        outcome, parts = await put_list(d, charger, entries(*"ABCDEF", "G" + word))
        d.equal("local list: after %s it gets everything" % word, (outcome, [kind for kind, *_ in parts]),
                (200, ["Differential", "Full"]))
        await list_is(d, charger, word)
    for words, tries in ((["NotSupported"], 1), (["Failed", "Failed"], 2)):
        charger.says = list(words)
        outcome, parts = await put_list(d, charger, entries(*"ABCDEF"))
        d.equal("local list: %s is the end of it" % words, (outcome, len(parts)), ((409, words[0]), tries))
        await list_is(d, charger, words)
    await local_lists_lost(d, charger)
    bad = [entries(""), entries("x" * 21), entries("A", "a"), {"localAuthorizationList": [{"idTag": "A"}]},
           {"localAuthorizationList": [5]}, {"fromTags": True, **entries("A")}, {}]
    outcomes = [await d.status("PUT", "/local-lists/LIST-2", body) for body in bad]
    d.equal("local list: what is no list", outcomes, [422] * len(bad))


async def local_lists_lost(d, charger):
    charger.version, charger.list = 50, {"FOREIGN": {"status": "Accepted"}}
    charger.says = [SILENT]
    wanted = entries(*"ABCDEF", "GFailed", "H")  # one more than ours was
    d.equal("local list: no answer", await put_list(d, charger, wanted), (504, [("Full", 51, 8)]))
    d.equal("local list: one that is not ours is replaced, also at the second try",
            await put_list(d, charger, wanted), (200, [("Full", 51, 8)]))
    await list_is(d, charger, "foreign")
    charger.version = -1
    d.equal("local list: switched off (-1)", await put_list(d, charger, entries(*"AB")), (409, []))
    known = (await d.rest("GET", "/local-lists/LIST-2"))[1]
    d.equal("local list: then that is its version", (known["version"], known["size"]), (-1, 0))
    charger.version = 51
    await d.rest("POST", "/chargepoints/LIST-2/commands/GetLocalListVersion", {})
    d.equal("local list: on again, its content is not taken for known",
            await put_list(d, charger, entries(*"AC")), (200, [("Full", 52, 2)]))
    charger.version, charger.list = 0, {}
    d.equal("local list: lost in a restart (0)", await put_list(d, charger, entries(*"AC")), (200, [("Full", 53, 2)]))
    await list_is(d, charger, "restart")
    charger.says = [GONE]
    d.equal("local list: the line drops", (await put_list(d, charger, entries(*"ABC")))[0], 502)


async def local_lists_at_once(d):
    charger = await d.at_work(Lister(d.server, "LIST-3"))
    charger.script["GetLocalListVersion"] = SILENT  # the first change waits for it until its time is up
    first = asyncio.ensure_future(put_list(d, charger, entries(*"AB")))
    while not charger.asked("GetLocalListVersion"):
        await asyncio.sleep(0)
    d.equal("local list: two changes at once", (await put_list(d, charger, entries("C")))[0], 409)
    charger.script["GetLocalListVersion"] = {"listVersion": 0}
    d.equal("local list: one after the other", [await first, await put_list(d, charger, entries("C"))],
            [(504, []), (200, [("Full", 1, 1)])])
    await charger.close()


# ---- configuration ----

async def configuration(d):
    charger = await d.at_work(Keyed(d.server, "KEYS-1", 2, A="1", B="2", C="3", D="4"))
    at = "/chargepoints/KEYS-1/configuration"
    d.equal("configuration: nothing was asked yet", (await d.items(at), await d.status("GET", at + "/A"), charger.heard),
            ([], 404, []))
    asked = {key: (await d.rest("GET", "%s/%s?refresh=1" % (at, key)))[1] for key in "BCDZ"}
    d.equal("configuration: one key is asked", [asked[key]["value"] for key in "BCD"], ["2", "3", "4"])
    d.equal("configuration: one that the charger does not know", (asked["Z"]["value"], asked["Z"]["unknown"]), (None, True))
    charger.heard, charger.values["D"] = [], "5"
    d.equal("configuration: all are asked again", [i["key"] for i in await d.items(at + "?refresh=1")],
            ["A", "B", "C", "D", "GetConfigurationMaxKeys", "Z"])
    d.equal("configuration: as many at once as the charger takes", charger.asked("GetConfiguration"),
            [{}, {"key": ["B", "C"]}, {"key": ["D"]}])
    d.equal("configuration: pages, and what changed", (await d.pages(at))[3]["value"], "5")
    d.equal("configuration: keys have no case", [(await d.rest("GET", at + "/getconfigurationmaxkeys"))[1]["value"],
                                                 (await d.rest("PUT", at + "/a", {"value": "1"}))[1]["sent"]], ["2", False])
    del charger.values["D"]
    await d.rest("GET", at + "?refresh=1")
    d.equal("configuration: a key that the charger has no more", (await d.rest("GET", at + "/D"))[1]["unknown"], True)
    await configuration_written(d, charger, at)
    await configuration_unanswered(d, charger, at)


async def configuration_written(d, charger, at):
    async def put(key, value, query=""):
        outcome = await d.rest("PUT", "%s/%s%s" % (at, key, query), {"value": value})
        known = (await d.rest("GET", "%s/%s" % (at, key)))[1]
        return outcome, known
    charger.heard = []
    sent = [(await put("A", "1", query))[0][1]["sent"] for query in ("", "?force=true")]
    d.equal("configuration: what it is known to have is written by force only",
            (sent, charger.asked("ChangeConfiguration")), ([False, True], [{"key": "A", "value": "1"}]))
    charger.words = {"B": "RebootRequired", "C": "Rejected", "E": "NotSupported", "F": "InternalError", "G": SILENT}
    for _ in range(2):
        (status, answer), known = await put("B", "7")
        d.equal("configuration: RebootRequired waits for the reboot, and is written again",
                (status, answer["status"], answer["sent"], known["value"], known["rebootRequired"]),
                (200, "RebootRequired", True, "7", True))
    (status, answer), known = await put("C", "9")
    d.equal("configuration: a key that is only read", (status, answer["response"], known["value"], known["readonly"]),
            (409, {"status": "Rejected"}, "3", False))
    (status, answer), known = await put("E", "9")
    d.equal("configuration: a key that is not known", (status, answer["response"], known["value"], known["unknown"]),
            (409, {"status": "NotSupported"}, None, True))
    many = (await d.rest("PUT", at, {"A": "1", "B": "8", "C": "4", "E": "5"}))[1]["items"]
    d.equal("configuration: several, each with its word", [(i["key"], i["status"], i["sent"]) for i in many],
            [("A", "Accepted", False), *((key, charger.words[key], True) for key in "BCE")])


async def configuration_unanswered(d, charger, at):
    outcomes = [await d.status("PUT", at + "/" + key, {"value": "9"}) for key in "FG"]
    d.equal("configuration: an error, and no answer", outcomes, [502, 504])
    charger.heard = []
    outcome = await d.status("PUT", at, {"A": "2", "F": "1", "H": "1"})
    d.equal("configuration: several end at the first without an answer",
            (outcome, [r["key"] for r in charger.asked("ChangeConfiguration")]), (502, ["A", "F"]))
    bad = [("", {"A": 5}), ("", ["A"]), ("/A", {"value": 5}), ("/A", {})]
    d.equal("configuration: what is no value", [await d.status("PUT", at + path, body) for path, body in bad], [422] * 4)
    charger.script["GetConfiguration"] = GONE
    d.equal("configuration: the line drops", await d.status("GET", at + "?refresh=1"), 502)
    outcomes = [await d.status("GET", at + "?refresh=1"), await d.status("GET", at + "/A?refresh=1"),
                await d.status("PUT", at + "/A", {"value": "3"}), await d.status("PUT", at, {"A": "3"})]
    d.equal("configuration: nobody there", outcomes, [409] * 4)
    d.equal("configuration: what was known still is", (await d.rest("GET", at + "/A"))[1]["value"], "2")


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


async def change_key(d, identity, answer):
    """A charger with the old key, which answers so to a new one; the outcome."""
    await d.rest("PUT", "/chargepoints/" + identity, {"password": OLD, "registration": "accepted"})
    charger = Scripted(d.server, identity, {"ChangeConfiguration": answer}, password=OLD)
    await d.at_work(charger)
    path = "/chargepoints/%s/configuration/AuthorizationKey" % identity
    outcome = await d.status("PUT", path, {"value": NEW.encode().hex()})
    await charger.close()
    return outcome


async def keys(d):
    for identity, has, has_not in (("G5-NEW", NEW, OLD), ("G5-OLD", OLD, NEW)):
        outcome = await change_key(d, identity, GONE)
        logins = [await gets_in(d, identity, p) for p in ("something else", has, has_not, has)]
        d.equal("%s: no answer: both keys count until one is shown" % identity, (outcome, logins), (502, [401, 101, 401, 101]))
    for word, status, has, has_not in (("Rejected", (409, "Rejected"), OLD, NEW), ("Accepted", 200, NEW, OLD)):
        outcome = await change_key(d, "G5-" + word, {"status": word})
        logins = [await gets_in(d, "G5-" + word, p) for p in (has_not, has)]
        d.equal("G5-%s: that decides" % word, (outcome, logins), (status, [401, 101]))
    known = await d.items("/chargepoints/G5-Accepted/configuration")
    frames = await d.items("/messages?cpid=G5-Accepted&contains=ChangeConfiguration")
    d.equal("a key is kept nowhere in clear",
            ([(k["key"], k["value"]) for k in known], len(frames), NEW.encode().hex() in str(frames).lower()),
            ([("AuthorizationKey", None)], 1, False))


# ---- numbers of ours ----

async def numbers(d):
    """Runs alone and first: all chargers get their numbers from the same row."""
    await d.charger("NUMBERS")
    at, far = "/chargepoints/NUMBERS", "2060-01-01T00:00:00Z"
    foreign = records_sim.profile(1, "TxDefaultProfile", [(0, 1)], "Relative", level=5)
    await d.rest("POST", at + "/commands/SetChargingProfile", {"connectorId": 1, "csChargingProfiles": foreign})
    made = (await d.rest("PUT", at + "/profiles", {"connectorId": 1, "limitW": 1}))[1]
    d.equal("profiles: an id that somebody else took is left alone", made["chargingProfileId"], 2)
    await d.rest("POST", at + "/commands/ReserveNow", {"connectorId": 1, "idTag": "A", "expiryDate": far, "reservationId": 1})
    made = (await d.rest("POST", at + "/reservations", {"connectorId": 1, "idTag": "B", "expiryDate": far}))[1]
    d.equal("reservations: and so is a number", made["reservationId"], 2)


# ---- profiles ----

async def profiles_known(d, query=""):
    items = await d.items("/profiles?cpid=limit-1" + query)
    return sorted((i["chargingProfileId"], i["connectorId"], i["purpose"], i["stackLevel"]) for i in items)


async def profiles(d):
    charger = await d.charger("LIMIT-1")
    at = "/chargepoints/LIMIT-1/profiles"
    other = (await d.rest("PUT", at, {"connectorId": 1, "limitW": 1, "stackLevel": 5}))[1]["chargingProfileId"]
    charger.heard = []
    status, made = await d.rest("PUT", at, {"connectorId": 0, "limitW": 22000.59})
    (asked,) = charger.asked("SetChargingProfile")
    sent, whole = asked["csChargingProfiles"], made["chargingProfileId"]
    d.equal("profiles: a limit of the whole", (status, asked["connectorId"], sent["chargingProfilePurpose"], sent),
            (200, 0, "ChargePointMaxProfile", made["profile"]))
    d.equal("profiles: with one decimal", (sent["chargingSchedule"]["chargingSchedulePeriod"], sent["chargingProfileId"]),
            ([{"startPeriod": 0, "limit": 22000.5}], whole))
    for amperes in (16, 10):
        made = (await d.rest("PUT", at, {"connectorId": 1, "limitA": amperes, "stackLevel": 1}))[1]
    d.equal("profiles: the same purpose, level and connector replaces", await profiles_known(d),
            [(other, 1, "TxDefaultProfile", 5), (whole, 0, "ChargePointMaxProfile", 0),
             (made["chargingProfileId"], 1, "TxDefaultProfile", 1)])
    d.equal("profiles: by purpose", await profiles_known(d, "&purpose=ChargePointMaxProfile"),
            [(whole, 0, "ChargePointMaxProfile", 0)])
    await profiles_of_a_transaction(d, charger, at)
    await profiles_cleared(d, charger, at, other)
    await profiles_refused(d, charger, at)
    await profiles_in_units(d, charger, at)
    await profiles_senseless(d, charger, at)


async def profiles_of_a_transaction(d, charger, at):
    wanted = {"connectorId": 1, "limitW": 11000, "purpose": "TxProfile"}
    d.equal("profiles: no transaction, no TxProfile", await d.status("PUT", at, wanted), 409)
    start = {"connectorId": 1, "idTag": stage.VALID, "meterStart": 0, "timestamp": "2026-05-01T12:00:00Z"}
    transaction = (await charger.call("StartTransaction", start))["transactionId"]
    charger.heard = []
    outcome = await d.status("PUT", at, wanted)
    (asked,) = charger.asked("SetChargingProfile")
    held = await d.items("/profiles?cpid=LIMIT-1&purpose=TxProfile")
    d.equal("profiles: with one, for that", (outcome, asked["csChargingProfiles"]["transactionId"],
                                             [p["transactionId"] for p in held]), (200, transaction, [transaction]))
    await charger.call("StopTransaction", {"transactionId": transaction, "meterStop": 5, "timestamp": "2026-05-01T13:00:00Z"})
    d.equal("profiles: gone with it", await profiles_known(d, "&purpose=TxProfile"), [])


async def profiles_cleared(d, charger, at, other):
    charger.heard, charger.script["ClearChargingProfile"] = [], said("Accepted", "Unknown", "Unknown", "Accepted")
    given = "?connectorId=1&purpose=TxDefaultProfile&stackLevel=1"
    left = [(await d.status("DELETE", at + query), len(await profiles_known(d)))
            for query in (given, given, "?chargingProfileId=%d" % other, "")]
    d.equal("profiles: cleared; what the charger does not have, we do not", left, [(200, 2), (404, 2), (404, 1), (200, 0)])
    given = {"connectorId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}
    d.equal("profiles: asked just what was given", charger.asked("ClearChargingProfile"),
            [given, given, {"id": other}, {}])


async def profiles_refused(d, charger, at):
    charger.script["SetChargingProfile"] = [*said("Rejected", "NotSupported"), "NotImplemented", SILENT, *said("Accepted")]
    outcomes = [await d.status("PUT", at, {"connectorId": 1, "limitW": 11000}) for _ in range(4)]
    d.equal("profiles: refused, an error, no answer", outcomes, [(409, "Rejected"), (409, "NotSupported"), 502, 504])
    d.equal("profiles: nothing of that is on record", await profiles_known(d), [])


async def profiles_in_units(d, charger, at):
    for told, unit, limit in (("Current", "A", 16), ("Power", "W", 11040)):
        charger.script["GetConfiguration"] = {"configurationKey": [
            {"key": "ChargingScheduleAllowedChargingRateUnit", "readonly": True, "value": told}]}
        await d.rest("GET", "/chargepoints/LIMIT-1/configuration?refresh=1")
        for wanted in ({"limitW": 11040}, {"limitA": 16}):
            made = (await d.rest("PUT", at, {"connectorId": 1, **wanted}))[1]["profile"]["chargingSchedule"]
            d.equal("profiles: %r for a charger that takes %s" % (wanted, told),
                    (made["chargingRateUnit"], made["chargingSchedulePeriod"][0]["limit"]), (unit, limit))


async def profiles_senseless(d, charger, at):
    bad = [{"limitW": -1}, {"limitW": 1e300}, {}, {"limitW": 1, "limitA": 1}, {"limitW": 1, "connectorId": -1},
           {"limitW": 1, "stackLevel": -1}, {"limitW": 1, "purpose": "ChargePointMaxProfile"},
           {"limitW": 1, "purpose": "TxProfile", "connectorId": 0}, {"limitW": 1, "validTo": "2020-01-01T00:00:00Z"},
           {"limitW": 1, "validTo": "soon"}]
    outcomes = [await d.status("PUT", at, {"connectorId": 1, **body}) for body in bad]
    d.equal("profiles: what is no limit", outcomes, [422] * len(bad))
    charger.script["SetChargingProfile"] = GONE
    outcomes = [await d.status("PUT", at, {"connectorId": 1, "limitW": 1}) for _ in range(2)]
    d.equal("profiles: the line drops, and nobody is there", [*outcomes, await d.status("DELETE", at)], [502, 409, 409])


# ---- reservations ----

async def reservations_known(d, query=""):
    return {r["reservationId"]: r["state"] for r in await d.items("/reservations?cpid=book-1" + query)}


async def reservations(d):
    refusals = ("Faulted", "Occupied", "Rejected", "Unavailable")
    charger = await d.charger("BOOK-1", ReserveNow=said(*refusals, "Accepted"))
    at = "/chargepoints/BOOK-1/reservations"
    wanted = {"connectorId": 1, "idTag": stage.VALID, "expiryDate": "2060-01-01T00:00:00+02:00"}
    outcomes = [await d.status("POST", at, wanted) for _ in refusals]
    d.equal("reservations: refused, and not on record", (outcomes, await reservations_known(d)),
            ([(409, word) for word in refusals], {}))
    charger.heard = []
    number = (await d.rest("POST", at, {**wanted, "parentIdTag": "P"}))[1]["reservationId"]
    utc = {**wanted, "expiryDate": "2059-12-31T22:00:00Z", "parentIdTag": "P", "reservationId": number}
    d.equal("reservations: asked in UTC, under our number", charger.asked("ReserveNow"), [utc])
    second = (await d.rest("POST", at, {**wanted, "connectorId": 2}))[1]["reservationId"]
    third = (await d.rest("POST", at, {"idTag": "ANY", "expiryDate": "2060-01-01T00:00:00Z"}))[1]["reservationId"]
    d.equal("reservations: without a connector it is for any", charger.asked("ReserveNow")[-1]["connectorId"], 0)
    await charger.call("StatusNotification", {"connectorId": 2, "errorCode": "NoError", "status": "Unavailable"})
    d.equal("reservations: a connector that is Unavailable ends its own", await reservations_known(d),
            {number: "ACCEPTED", second: "FAULTED", third: "ACCEPTED"})
    await reservations_cancelled(d, charger, at, number)
    await charger.call("StatusNotification", {"connectorId": 0, "errorCode": "GroundFailure", "status": "Faulted"})
    d.equal("reservations: with the controller end all", await reservations_known(d, "&state=ACCEPTED"), {})
    await reservations_senseless(d, charger, at, wanted)


async def reservations_cancelled(d, charger, at, number):
    charger.script["CancelReservation"] = [*said("Rejected"), "InternalError", SILENT, *said("Accepted")]
    outcomes = [await d.status("DELETE", "%s/%d" % (at, number)) for _ in range(3)]
    d.equal("reservations: a cancellation that is refused, an error, or has no answer changes nothing",
            (outcomes, len(await reservations_known(d, "&state=ACCEPTED"))), ([(409, "Rejected"), 502, 504], 2))
    d.equal("reservations: cancelled", await d.rest("DELETE", "%s/%d" % (at, number)),
            (200, {"reservationId": number, "status": "Accepted"}))
    d.equal("reservations: and reads so", await reservations_known(d, "&state=CANCELLED"), {number: "CANCELLED"})


async def reservations_senseless(d, charger, at, wanted):
    bad = [{"idTag": ""}, {"idTag": "x" * 21}, {"connectorId": -1}, {"expiryDate": "2020-01-01T00:00:00Z"},
           {"expiryDate": "soon"}]
    outcomes = [await d.status("POST", at, {**wanted, **body}) for body in bad]
    d.equal("reservations: what is none", outcomes, [422] * len(bad))
    paths = (at + "/x", at + "/99999999999", "/chargepoints/NOBODY/reservations/1")
    d.equal("reservations: numbers and chargers that cannot be", [await d.status("DELETE", p) for p in paths], [404] * 3)
    charger.script["ReserveNow"] = [SILENT, GONE]
    outcomes = [await d.status("POST", at, wanted) for _ in range(3)]
    d.equal("reservations: no answer, the line drops, nobody is there",
            [*outcomes, await d.status("DELETE", at + "/1")], [504, 502, 409, 409])


# ---- all of it ----

async def with_the_simulator(server, report, scenes):
    for title, flags, function in scenes:
        await asyncio.to_thread(records_sim.perform, server, report, title, flags, function)


SCRIPTS = (local_lists, local_lists_refused, local_lists_at_once, configuration, keys, profiles, reservations)


async def main(report):
    with harness.Server(ocpp__call_timeout="2s", ocpp__boot_grace="1s", rest__max_connections_per_address=0) as server:
        for tag, body in stage.TAGS.items():
            server.rest("PUT", "/api/v1/tags/" + tag, body)
        desk = Desk(server, report)
        await numbers(desk)
        await asyncio.gather(*(with_the_simulator(server, report, records_sim.SCENES[n::2]) for n in range(2)),
                             *(one(desk) for one in SCRIPTS))
        await asyncio.to_thread(records_sim.restarted, server, report)


if __name__ == "__main__":
    harness.run(main)

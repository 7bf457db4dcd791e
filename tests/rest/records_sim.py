"""What is recorded of chargers, against chargebridge-sim: the record must be what the charger has, whatever
was asked, refused or used up, and the limit that the server computes is the one that the charger tells.
records.py runs these scenes.
"""
import calendar
import time

import stage
from stage import GROUP_MATE, VALID, same

SCENES = []  # (title, flags of the simulator, function)
DAY = 86400


def scene(title, **flags):
    def add(function):
        SCENES.append((title, flags, function))
        return function
    return add


def perform(server, report, title, flags, function):
    try:
        with stage.Scene(server, "RECORD-%d" % [s[0] for s in SCENES].index(title), flags) as s:
            function(s)
        report.check("simulator: " + title, True)
    except Exception as error:  # noqa: BLE001 - the next scene goes on
        report.check("simulator: " + title, False, repr(error))


def at(s, path):
    return "/api/v1/chargepoints/%s/%s" % (s.identity, path)


def asked(s, expect, method, path, body=None):
    """REST that must be answered so: a status, or one with the charger's word; the answer."""
    status, answer = s.rest(method, path if path.startswith("/") else at(s, path), body)
    got = (status, answer["response"]["status"]) if status >= 300 and "response" in answer else status
    same(got, expect, "%s %s %r: %r:" % (method, path, body, answer))
    return answer


def items(s, path):
    return s.rest("GET", "/api/v1/%s%scpid=%s" % (path, "&" if "?" in path else "?", s.identity))[1]["items"]


# ---- profiles ----

def profiles_agree(s, count):
    """The record has the profiles that the charger has, and so many."""
    names = ("chargingProfileId", "connectorId", "stackLevel")
    record = sorted([*(p[n] for n in names), p["purpose"]] for p in items(s, "profiles"))
    charger = sorted([*(p[n] for n in names), p["chargingProfilePurpose"]] for p in s.sim("GET", "/state")["profiles"])
    same(record, charger, "profiles on record and in the charger:")
    same(len(charger), count, "profiles:")


def seconds(text):
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))


def text(at_s):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


def steps(schedule):
    """(when, limit, phases) of each step, and its end."""
    begin = seconds(schedule["startSchedule"])
    found = [(begin + p["startPeriod"], p["limit"], p.get("numberPhases")) for p in schedule["chargingSchedulePeriod"]]
    return [*found, (begin + schedule["duration"], None, None)]


def composites_agree(s, unit="W", hours=30):
    """Computed by the server and told by the charger, for each connector; those of the server by connector."""
    begun = time.monotonic()
    _, answer = s.rest("GET", at(s, "profiles?hours=%d&unit=%s" % (hours, unit)))
    asks = [{"connectorId": n, "duration": hours * 3600, "chargingRateUnit": unit} for n in range(3)]
    told = [s.command("GetCompositeSchedule", ask)["chargingSchedule"] for ask in asks]
    apart = time.monotonic() - begun + 2  # "now" is another second for each of them
    computed = {c["connectorId"]: c["chargingSchedule"] for c in answer["composite"]}
    same(sorted(computed), [0, 1, 2], "connectors:")
    for connector, mine in computed.items():
        theirs = told[connector]
        if mine is None:  # the charger tells what its hardware can do
            same(len(limits(theirs)), 1, "nothing limits connector %d, the charger says %r:" % (connector, theirs))
            continue
        ours, own = steps(mine), steps(theirs)
        same([step[1:] for step in ours], [step[1:] for step in own], "connector %d: %r and %r:" % (connector, ours, own))
        off = [abs(a[0] - b[0]) for a, b in zip(ours, own)]
        assert max(off) <= apart and all(o <= 1 for o in off[1:-1]), "connector %d: %r and %r" % (connector, ours, own)
    return computed


def limits(schedule):
    return [p["limit"] for p in schedule["chargingSchedulePeriod"]] if schedule else None


def profile(number, purpose, periods, kind="Absolute", start=None, unit="W", level=0, duration=None, **more):
    schedule = {"chargingRateUnit": unit, "chargingSchedulePeriod": [
        {"startPeriod": p[0], "limit": p[1], **({"numberPhases": p[2]} if len(p) > 2 else {})} for p in periods]}
    if start is not None:
        schedule["startSchedule"] = text(start)
    if duration:
        schedule["duration"] = duration
    return {"chargingProfileId": number, "stackLevel": level, "chargingProfilePurpose": purpose, "chargingProfileKind": kind,
            "chargingSchedule": schedule, **more}


def give(s, connector, wanted, word="Accepted"):
    same(s.command("SetChargingProfile", {"connectorId": connector, "csChargingProfiles": wanted}), {"status": word})


@scene("the limit that a stack of profiles makes, as the charger tells it", kind="ac", reboot=200)
def stack(s):
    now = int(time.time())
    same([limits(c) for c in composites_agree(s).values()], [None] * 3)
    give(s, 0, profile(1, "TxDefaultProfile", [(0, 16000)], start=now - 60))
    same(limits(composites_agree(s)[1]), [16000])
    give(s, 0, profile(2, "ChargePointMaxProfile", [(0, 20000), (6 * 3600, 12000), (18 * 3600, 15000.5)], "Recurring",
                       now - 2 * DAY - 7200, recurrencyKind="Daily"))
    same(limits(composites_agree(s)[0]), [20000, 12000, 15000.5, 20000, 12000])
    give(s, 1, profile(3, "TxDefaultProfile", [(0, 11000), (3600, 10000), (7200, 8000)], start=now - 60, duration=10800))
    same(limits(composites_agree(s)[1])[0], 11000)
    give(s, 1, profile(4, "TxDefaultProfile", [(0, 5000)], "Relative", level=3, validFrom=text(now + 1800),
                       validTo=text(now + 5400)))
    same(limits(composites_agree(s, hours=1)[1]), [11000, 5000])
    give(s, 2, profile(5, "TxDefaultProfile", [(0, 9000), (3 * DAY, 6000)], "Recurring", now - 10 * DAY + 5400, level=1,
                       recurrencyKind="Weekly"))
    same(limits(composites_agree(s, hours=2)[2]), [9000, 6000])
    give(s, 0, profile(6, "ChargePointMaxProfile", [(0, 40), (1800, 30, 1)], unit="A", start=now - 60, level=1,
                       duration=3600))
    composites_agree(s)
    same(limits(composites_agree(s, "A", hours=1)[2]), [13, 30, 13])  # 9000 W, 30 A of one phase, 9000 W
    give(s, 1, profile(7, "TxProfile", [(0, 4000)], "Relative"), "Rejected")
    profiles_agree(s, 6)
    transaction = s.charging()
    give(s, 1, profile(7, "TxProfile", [(0, 4000), (1200, 3000.5)], "Relative", level=2, duration=3600,
                       transactionId=transaction))
    same(limits(composites_agree(s)[1])[:2], [4000, 3000.5])
    s.command("Reset", {"type": "Soft"})
    s.stopped(transaction, "SoftReset")
    s.wait("charge_point", online=False)
    s.wait("charge_point", online=True)
    s.settled()
    profiles_agree(s, 6)
    same(limits(composites_agree(s)[1])[0], 11000)


@scene("plain limits: taken, replaced, refused, cleared", reboot=200)
def plain_limits(s):
    asked(s, 200, "PUT", "profiles", {"connectorId": 0, "limitW": 50000})
    made = asked(s, 200, "PUT", "profiles", {"connectorId": 1, "limitW": 30000})
    profiles_agree(s, 2)
    asked(s, 200, "PUT", "profiles", {"connectorId": 1, "limitW": 20000})
    profiles_agree(s, 2)
    asked(s, (409, "Rejected"), "PUT", "profiles", {"connectorId": 1, "limitW": 1000, "stackLevel": 11})
    asked(s, (409, "Rejected"), "PUT", "profiles", {"connectorId": 9, "limitW": 1000})
    asked(s, 409, "PUT", "profiles", {"connectorId": 1, "limitW": 1000, "purpose": "TxProfile"})
    s.charging()
    same(s.connector(1)["limitW"], 20000)
    asked(s, 200, "PUT", "profiles", {"connectorId": 1, "limitW": 10000, "purpose": "TxProfile", "stackLevel": 1})
    same(s.connector(1)["limitW"], 10000)
    profiles_agree(s, 3)
    same(limits(composites_agree(s)[1]), [10000])
    s.sim("POST", "/local_stop/1")
    s.wait("transaction_stopped")
    profiles_agree(s, 2)
    asked(s, 404, "DELETE", "profiles?chargingProfileId=%d" % made["chargingProfileId"])
    asked(s, 404, "DELETE", "profiles?connectorId=1&stackLevel=1")
    profiles_agree(s, 2)
    asked(s, 200, "DELETE", "profiles?connectorId=1&purpose=TxDefaultProfile")
    profiles_agree(s, 1)
    for level in range(4):
        asked(s, 200, "PUT", "profiles", {"connectorId": 2, "limitW": 1000, "stackLevel": level})
    asked(s, 200, "DELETE", "profiles?stackLevel=0")
    profiles_agree(s, 3)
    asked(s, 200, "DELETE", "profiles")
    profiles_agree(s, 0)
    asked(s, 404, "DELETE", "profiles")


@scene("plain limits: of a charger that takes amperes only, few profiles, or none")
def limited_limits(s):
    s.setting("ChargingScheduleAllowedChargingRateUnit", "Current")
    asked(s, (409, "Rejected"), "PUT", "profiles", {"connectorId": 1, "limitW": 6900})
    asked(s, 200, "GET", "configuration/ChargingScheduleAllowedChargingRateUnit?refresh=1")
    made = asked(s, 200, "PUT", "profiles", {"connectorId": 1, "limitW": 6900})
    same(limits(made["profile"]["chargingSchedule"]), [10])
    s.setting("MaxChargingProfilesInstalled", "2")
    asked(s, 200, "PUT", "profiles", {"connectorId": 2, "limitA": 16})
    asked(s, (409, "Rejected"), "PUT", "profiles", {"connectorId": 0, "limitA": 16})
    profiles_agree(s, 2)
    s.setting("SupportedFeatureProfiles", "Core")
    asked(s, (409, "NotSupported"), "PUT", "profiles", {"connectorId": 1, "limitA": 6})
    asked(s, 502, "DELETE", "profiles")
    profiles_agree(s, 2)


@scene("the profile of a remote start")
def remote_profile(s):
    s.plug()
    wanted = {"connectorId": 1, "idTag": VALID, "chargingProfile": profile(8, "TxProfile", [(0, 7000)], "Relative")}
    same(s.command("RemoteStartTransaction", wanted), {"status": "Accepted"})
    transaction = s.started()
    profiles_agree(s, 1)
    same(limits(composites_agree(s)[1]), [7000])
    (held,) = items(s, "profiles")
    while s.meter_values()["timestamp"] <= held["acceptedAt"]:  # the charger tells whole seconds
        pass
    s.stop(transactionId=transaction)
    s.stopped(transaction, "Remote")
    profiles_agree(s, 0)


# ---- reservations ----

def reservations_agree(s, count):
    record = sorted((r["reservationId"], r["connectorId"], r["idTag"]) for r in items(s, "reservations?state=ACCEPTED"))
    charger = sorted((r["reservationId"], r["connectorId"], r["idTag"]) for r in s.sim("GET", "/state")["reservations"])
    same(record, charger, "reservations that stand, on record and in the charger:")
    same(len(charger), count, "reservations:")


def reserve(s, expect=200, connector=1, tag=VALID, lasts=600, **more):
    body = {"idTag": tag, "expiryDate": s.time_in(lasts), **more}
    if connector is not None:
        body["connectorId"] = connector
    return asked(s, expect, "POST", "reservations", body).get("reservationId")


def ended(s, number, state, transaction=None):
    found = s.reservation(number)
    same((found["state"], found["transactionId"]), (state, transaction), "reservation %d:" % number)
    assert found["endedAt"], found


@scene("reservations: kept, refused, used, cancelled, expired, lost")
def reservations(s):
    number = reserve(s, lasts=2)
    s.wait("status", connectorId=1, status="Reserved")
    reservations_agree(s, 1)
    reserve(s, (409, "Occupied"))
    reserve(s, (409, "Rejected"), connector=9)
    s.wait("status", connectorId=1, status="Available")
    same(s.reservation(number)["state"], "EXPIRED")
    reservations_agree(s, 0)
    number = reserve(s)
    s.sim("POST", "/plug/1")
    s.present(VALID)
    ended(s, number, "USED", s.started())
    reserve(s, (409, "Occupied"))
    s.sim("POST", "/fault/2?error_code=GroundFailure")
    s.wait("status", connectorId=2, status="Faulted")
    reserve(s, (409, "Faulted"), connector=2)
    s.sim("POST", "/clear_fault/2")
    s.wait("status", connectorId=2, status="Available")
    number = reserve(s, connector=2)
    asked(s, 200, "DELETE", "reservations/%d" % number)
    s.wait("status", connectorId=2, status="Reserved")
    s.wait("status", connectorId=2, status="Available")
    ended(s, number, "CANCELLED")
    asked(s, (409, "Rejected"), "DELETE", "reservations/%d" % number)
    number = reserve(s, connector=2)
    s.sim("POST", "/fault/2?error_code=GroundFailure")
    s.wait("status", connectorId=2, status="Faulted")
    ended(s, number, "FAULTED")
    reservations_agree(s, 0)


@scene("reservations: of a group, of any connector, and of a controller that goes away", reboot=200)
def reservations_of_any(s):
    number = reserve(s, parentIdTag="OCA-GROUP")
    s.sim("POST", "/plug/1")
    s.present(GROUP_MATE)
    ended(s, number, "USED", s.started(tag=GROUP_MATE))
    number = reserve(s, connector=None)
    reservations_agree(s, 1)
    s.plug(2)
    s.present(VALID, 2)
    ended(s, number, "USED", s.started(2))
    for connector in (1, 2):
        s.sim("POST", "/local_stop/%d" % connector)
        s.wait("transaction_stopped", connectorId=connector)
        s.unplug(connector)
    s.setting("ReserveConnectorZeroSupported", "false")
    reserve(s, (409, "Rejected"), connector=0)
    s.setting("ReserveConnectorZeroSupported", "true")
    first, second, third = reserve(s), reserve(s, connector=2, tag=GROUP_MATE), reserve(s, (409, "Occupied"), connector=0)
    same(third, None)
    s.command("Reset", {"type": "Hard"})
    s.wait("charge_point", online=False)
    s.wait("charge_point", online=True)
    s.settled()
    reservations_agree(s, 2)
    asked(s, 200, "POST", "/api/v1/availability", {"cpid": s.identity, "connectorId": 0, "available": False})
    s.wait("status", connectorId=0, status="Unavailable")
    s.settled()
    ended(s, first, "FAULTED")
    ended(s, second, "FAULTED")
    reservations_agree(s, 0)
    reserve(s, (409, "Unavailable"))


# ---- local lists ----

def put_list(s, expect, tags, **more):
    return asked(s, expect, "PUT", "/api/v1/local-lists/" + s.identity, {
        "localAuthorizationList": [{"idTag": t, "idTagInfo": {"status": "Accepted"}} for t in tags], **more})


def list_agrees(s, size):
    known = s.rest("GET", "/api/v1/local-lists/" + s.identity)[1]
    same((known["version"], known["size"]), (s.sim("GET", "/state")["localListVersion"], size), "local list:")


def parts(s):
    """The updates so far: type and number of entries of each."""
    return [(r["updateType"], len(r.get("localAuthorizationList", []))) for r, _ in s.asked("SendLocalList")]


@scene("local list: as the charger keeps it, to the letter")
def local_list(s):
    many = ["TAG-%d" % n for n in range(250)]
    put_list(s, 200, many)
    same(parts(s), [("Full", 100), ("Differential", 100), ("Differential", 50)])
    list_agrees(s, 250)
    put_list(s, 409, ["TAG-%d" % n for n in range(501)])
    put_list(s, 200, many[:-1] + [VALID])
    same(parts(s)[3:], [("Differential", 2)])
    list_agrees(s, 250)
    s.setting("LocalPreAuthorize", "true")
    s.charging()
    same(s.said("Authorize"), [], "asked for a card of its list:")
    s.setting("LocalAuthListEnabled", "false")
    put_list(s, 409, [VALID])
    list_agrees(s, 0)
    s.setting("LocalAuthListEnabled", "true")
    put_list(s, 200, [VALID])
    same(parts(s)[4:], [("Full", 1)])
    list_agrees(s, 1)
    done = asked(s, 200, "PUT", "/api/v1/local-lists/" + s.identity, {"fromTags": True})
    same(done["size"], len(s.rest("GET", "/api/v1/tags?limit=1000")[1]["items"]), "tags:")
    list_agrees(s, done["size"])
    put_list(s, 200, [])
    same(s.command("GetLocalListVersion", {}), {"listVersion": 0})
    s.sim("POST", "/network/down")
    s.wait("charge_point", online=False)
    put_list(s, 409, [VALID])


# ---- configuration and keys ----

@scene("configuration: read, written, and after a reboot", reboot=200)
def configuration(s):
    asked(s, 200, "GET", "configuration?refresh=1")
    known = {k["key"]: k for k in s.rest("GET", at(s, "configuration?limit=1000"))[1]["items"]}
    told = {k["key"]: k for k in s.sim("GET", "/configuration")["configurationKey"]}
    same({k: (v["value"], v["readonly"]) for k, v in known.items()},
         {k: (v.get("value"), v["readonly"]) for k, v in told.items()})
    same(asked(s, 200, "PUT", "configuration/HeartbeatInterval", {"value": "900"})["sent"], True)
    asked(s, (409, "Rejected"), "PUT", "configuration/NumberOfConnectors", {"value": "3"})
    asked(s, (409, "Rejected"), "PUT", "configuration/HeartbeatInterval", {"value": "soon"})
    asked(s, (409, "NotSupported"), "PUT", "configuration/Nonsense", {"value": "1"})
    same(asked(s, 200, "PUT", "configuration/ConnectorPhaseRotation", {"value": "0.RTS"})["status"], "RebootRequired")
    same(asked(s, 200, "GET", "configuration/connectorphaserotation?refresh=1")["rebootRequired"], True)
    asked(s, 200, "POST", "/api/v1/reset", {"cpid": s.identity, "type": "Hard"})
    s.wait("charge_point", online=False)
    s.wait("charge_point", online=True)
    s.settled()
    after = asked(s, 200, "GET", "configuration/ConnectorPhaseRotation?refresh=1")
    same((after["value"], after["rebootRequired"]), ("0.RTS", False))
    s.sim("POST", "/network/down")
    s.wait("charge_point", online=False)
    asked(s, 409, "PUT", "configuration/HeartbeatInterval", {"value": "300"})
    same(asked(s, 200, "GET", "configuration/HeartbeatInterval")["value"], "900")


@scene("a key whose answer is lost: it comes back with the new one", reboot=100, password="the old password")
def lost_key(s):
    asked(s, 200, "PUT", "/api/v1/chargepoints/" + s.identity, {"password": "the old password", "registration": "accepted"})
    s.sim("PUT", "/faults/no_answer")
    asked(s, 502, "PUT", "configuration/AuthorizationKey", {"value": b"the new password".hex()})
    s.sim("DELETE", "/faults/no_answer")
    for _ in range(2):  # by itself, and after a reset
        s.wait("charge_point", online=False)
        s.wait("charge_point", online=True)
        s.command("Reset", {"type": "Hard"})


# ---- the server comes back ----

def restarted(server, report):
    """What was recorded is there after a restart of the server, and ends as it would have."""
    try:
        with stage.Scene(server, "RECORD-RESTART", {}) as s:
            server_restarts(s)
        report.check("simulator: what stands outlives the server", True)
    except Exception as error:  # noqa: BLE001 - a failure like the others
        report.check("simulator: what stands outlives the server", False, repr(error))


def server_restarts(s):
    used, expired = reserve(s), reserve(s, connector=2, lasts=4)
    put_list(s, 200, [VALID])
    asked(s, 200, "PUT", "profiles", {"connectorId": 1, "limitW": 20000})
    port = s.server.ocpp_port
    s.server.stop()
    s.server.options["ocpp__port"] = port
    s.server.start()
    s.ear = stage.sites.Ear(s.server, cpid=s.identity, types=stage.HEARD)
    if not s.rest("GET", "/api/v1/chargepoints/" + s.identity)[1]["online"]:
        s.wait("charge_point", online=True)
    profiles_agree(s, 1)
    list_agrees(s, 1)
    put_list(s, 200, [VALID])
    same(parts(s), [("Full", 1)], "nothing new was to be sent:")
    s.sim("POST", "/plug/1")
    s.present(VALID)
    ended(s, used, "USED", s.started())
    while s.reservation(expired)["state"] != "EXPIRED":
        s.settled()
    reservations_agree(s, 0)

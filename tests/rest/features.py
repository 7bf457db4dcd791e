#!/usr/bin/python3
"""The feature table of the first system, each row played by the simulator against the server and looked
at from both sides: what the charger has in its log, what the operator reads by REST.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oca"))
import stage  # noqa: E402
from stage import BLOCKED, VALID, same  # noqa: E402

ROWS = []


def feature(title, **flags):
    def add(function):
        ROWS.append((title, flags, function))
        return function
    return add


@feature("Boot & Heartbeat")
def boot(s):
    same([a["status"] for _, a in s.said("BootNotification")], ["Accepted"])
    s.command("TriggerMessage", {"requestedMessage": "Heartbeat"})
    s.settled()
    assert all("currentTime" in a for _, a in s.said("Heartbeat")), s.said("Heartbeat")
    status, known = s.rest("GET", "/api/v1/chargepoints/%s" % s.identity)
    same((known["online"], known["vendor"], known["registration"]), (True, "Gresgying", "accepted"))


@feature("Authorize")
def authorize(s):
    s.plug()
    s.present(BLOCKED)
    same(s.wait("decision", idTag=BLOCKED)["verdict"], "Blocked")
    s.settled()
    s.present(VALID)
    s.started()
    same(s.verdicts(), ["Blocked", "Accepted"])


@feature("MeterValues, sensor data on the session", meter_interval=1)
def meter_values(s):
    transaction = s.charging()
    s.command("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1})
    s.wait("meter", transactionId=transaction)
    s.settled()
    sample = next(t for t in s.active() if t["transactionId"] == transaction)["lastSample"]
    same({"energyWh", "powerW", "soc", "voltage", "current", "temperature"} - set(sample), set(), "missing:")
    status, series = s.rest("GET", "/api/v1/transactions/%d/meter" % transaction)
    same((status, len(series["items"]) > 0), (200, True))
    assert all(a == {} for _, a in s.said("MeterValues")), s.said("MeterValues")


@feature("DataTransfer, both ways: autocharge, and from the operator", autocharge=True)
def data_transfer(s):
    vehicle = "VID:FCA47A147858"
    s.plug()
    s.present(vehicle)
    s.started(tag=vehicle)
    same([(p["messageId"], a["status"]) for p, a in s.said("DataTransfer")], [("MacID", "Accepted")])
    (session,) = s.active()
    same((session["vehicleId"], session["mac"]), (vehicle, vehicle[4:]))
    same(s.command("DataTransfer", {"vendorId": "ChargeBridge", "messageId": "echo", "data": "é"}),
         {"status": "Accepted", "data": "é"})


@feature("RemoteStart / RemoteStop")
def remote(s):
    s.plug()
    s.start()
    transaction = s.started()
    s.stop(connectorId=1)
    s.stopped(transaction, "Remote")
    same(([a for _, a in s.asked("RemoteStartTransaction")], [a for _, a in s.asked("RemoteStopTransaction")]),
         ([{"status": "Accepted"}], [{"status": "Accepted"}]))


@feature("StatusNotification")
def status_notification(s):
    s.plug(2)
    s.sim("POST", "/fault/1?error_code=HighTemperature")
    same(s.wait("status", connectorId=1, status="Faulted")["errorCode"], "HighTemperature")
    known = s.rest("GET", "/api/v1/status?cpid=%s" % s.identity)[1]["connectors"]
    same([(c["connectorId"], c["status"]) for c in known], [(1, "Faulted"), (2, "Preparing")])
    s.sim("POST", "/clear_fault/1")
    s.wait("status", connectorId=1, status="Available")


@feature("ChangeConfiguration, GetConfiguration & TriggerMessage")
def configuration(s):
    where = "/api/v1/chargepoints/%s/configuration" % s.identity
    status, answer = s.rest("PUT", where + "/MeterValueSampleInterval", {"value": "3"})
    same((status, answer["status"]), (200, "Accepted"))
    same(s.rest("GET", where + "/MeterValueSampleInterval?refresh=true")[1]["value"], "3")
    keys = {k["key"]: k.get("value") for k in s.sim("GET", "/configuration")["configurationKey"]}
    same(keys["MeterValueSampleInterval"], "3")
    same(s.command("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 2}), {"status": "Accepted"})
    s.settled()
    same(s.said("StatusNotification")[-1][0]["connectorId"], 2)


@feature("ChangeAvailability: at once, and after the session")
def availability(s):
    ask = {"cpid": s.identity, "connectorId": 2, "available": False}
    same(s.rest("POST", "/api/v1/availability", ask), (200, {"ok": True, "status": "Accepted"}))
    s.wait("status", connectorId=2, status="Unavailable")
    transaction = s.charging()
    same(s.rest("POST", "/api/v1/availability", {**ask, "connectorId": 1})[1]["status"], "Scheduled")
    s.sim("POST", "/local_stop/1")
    s.stopped(transaction, "Local")
    s.sim("POST", "/unplug/1")
    s.wait("status", connectorId=1, status="Unavailable")


@feature("UpdateFirmware")
def update_firmware(s):
    before = s.rest("GET", "/api/v1/chargepoints/%s" % s.identity)[1]["firmware"]
    s.upload("feature.bin", "version 2")
    same(s.rest("POST", "/api/v1/chargepoints/%s/firmware" % s.identity, {"file": "feature.bin"})[0], 200)
    while s.wait("job_status", kind="firmware")["status"] != "Installed":
        pass
    s.settled()
    after = s.rest("GET", "/api/v1/chargepoints/%s" % s.identity)[1]["firmware"]
    assert after != before, "firmware is still %s" % after


@feature("Reset Hard and Soft, with a session each")
def reset(s):
    for kind, reason in (("Soft", "SoftReset"), ("Hard", "HardReset")):
        transaction = s.charging()
        same(s.rest("POST", "/api/v1/reset", {"cpid": s.identity, "type": kind}), (200, {"ok": True, "status": "Accepted"}))
        s.stopped(transaction, reason)
        s.wait("charge_point", online=False)
        s.wait("charge_point", online=True)
        s.settled()
        s.sim("POST", "/unplug/1")
        s.wait("status", connectorId=1, status="Available")
    same(len(s.said("BootNotification")), 3)


async def main(report):
    with stage.harness.Server(rest__max_connections_per_address=0) as server:
        for tag, body in stage.TAGS.items():
            server.rest("PUT", "/api/v1/tags/" + tag, body)
        for number, (title, flags, function) in enumerate(ROWS):
            try:
                with stage.Scene(server, "FEATURE-%d" % number, flags) as scene:
                    function(scene)
                report.check(title, True)
            except Exception as error:  # noqa: BLE001 - the next row goes on
                report.check(title, False, repr(error))


if __name__ == "__main__":
    stage.harness.run(main)

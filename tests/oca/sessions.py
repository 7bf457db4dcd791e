"""Booting, charging, remote control of sessions, power failures and offline behaviour."""
from stage import BLOCKED, EXPIRED, GROUP_MATE, UNKNOWN, VALID, play, same


@play("TC_001", "Cold boot of a charge point")
def cold_boot(s):
    payload, answer = s.said("BootNotification")[0]
    same(answer["status"], "Accepted")
    same(set(answer), {"status", "currentTime", "interval"})
    same(payload["chargePointVendor"], "Gresgying")
    same(sorted(p["connectorId"] for p, a in s.said("StatusNotification") if a == {}), [0, 1, 2])
    status, known = s.rest("GET", "/api/v1/chargepoints/%s" % s.identity)
    same((status, known["state"]), (200, "online"))
    s.command("TriggerMessage", {"requestedMessage": "Heartbeat"})
    s.wait("message", direction="in", action="Heartbeat")


@play("TC_003", "Regular charging session: plugged in first")
def plug_first(s):
    transaction = s.charging()
    same(s.verdicts("Authorize"), ["Accepted"])
    same(s.verdicts("StartTransaction"), ["Accepted"])
    s.present()  # the same card ends it
    s.stopped(transaction, "Local")
    s.wait("status", connectorId=1, status="Finishing")
    s.unplug()
    (session,) = s.history()
    same((session["transactionId"], session["energy"]), (transaction, session["meterStop"] - session["meterStart"]))


@play("TC_004_1", "Regular charging session: identification first")
def identification_first(s):
    s.present()
    s.wait("status", connectorId=1, status="Preparing")
    s.sim("POST", "/plug/1")
    transaction = s.started()
    s.sim("POST", "/local_stop/1")
    s.stopped(transaction, "Local")
    s.unplug()


@play("TC_004_2", "Identification first, then the connection times out")
def identification_times_out(s):
    s.setting("ConnectionTimeOut", 1)
    s.present()
    s.wait("status", connectorId=1, status="Preparing")
    s.wait("status", connectorId=1, status="Available")
    same((s.active(), s.said("StartTransaction")), ([], []))


@play("TC_005_1", "The cable is pulled out at the car: the transaction ends")
def ev_side_disconnected(s):
    s.setting("StopTransactionOnEVSideDisconnect", "true")
    transaction = s.charging()
    s.sim("POST", "/unplug/1")
    s.stopped(transaction, "EVDisconnected")
    s.wait("status", connectorId=1, status="Available")


@play("TC_007", "Regular start with an id from the cache")
def cached_id(s):
    s.setting("AuthorizationCacheEnabled", "true")
    s.setting("LocalPreAuthorize", "true")
    s.present_and_stop()
    asked = len(s.said("Authorize"))
    s.unplug()
    transaction = s.charging()
    same(len(s.said("Authorize")), asked, "Authorize although the card is in the cache:")
    same(s.verdicts("StartTransaction"), ["Accepted", "Accepted"])
    s.stop(transactionId=transaction)


@play("TC_010", "Remote start, cable plugged in first")
def remote_start_plugged(s):
    s.plug()
    s.start()
    transaction = s.started()
    same([p["idTag"] for p, _ in s.asked("RemoteStartTransaction")], [VALID])
    s.stop(transactionId=transaction)
    s.stopped(transaction, "Remote")


@play("TC_011_1", "Remote start first, then the cable")
def remote_start_first(s):
    s.start()
    s.wait("status", connectorId=1, status="Preparing")
    pending = s.rest("GET", "/api/v1/pending?cpid=%s" % s.identity)[1]
    same([p["id_tag"] for p in pending], [VALID])
    s.sim("POST", "/plug/1")
    s.started()
    same(s.rest("GET", "/api/v1/pending?cpid=%s" % s.identity)[1], [], "pending after the start:")


@play("TC_011_2", "Remote start first, the cable does not come in time")
def remote_start_times_out(s):
    s.setting("ConnectionTimeOut", 1)
    s.start()
    s.wait("status", connectorId=1, status="Preparing")
    s.wait("status", connectorId=1, status="Available")
    same((s.active(), s.said("StartTransaction")), ([], []))


@play("TC_012", "Remote stop")
def remote_stop(s):
    transaction = s.charging()
    answer = s.stop(transactionId=transaction)
    same((answer["ok"], answer["transactionId"], answer["message"]),
         (True, transaction, "RemoteStopTransaction sent"))
    s.stopped(transaction, "Remote")
    s.unplug()
    s.stop(transactionId=transaction, expect=404)


@play("TC_013", "Hard reset without a transaction")
def hard_reset(s):
    same(s.rest("POST", "/api/v1/reset", {"cpid": s.identity, "type": "Hard"}), (200, {"ok": True, "status": "Accepted"}))
    s.back_again()


@play("TC_014", "Soft reset without a transaction")
def soft_reset(s):
    same(s.command("Reset", {"type": "Soft"}), {"status": "Accepted"})
    s.back_again()


@play("TC_017", "Unlock a connector without a session")
def unlock(s):
    s.plug()
    same(s.command("UnlockConnector", {"connectorId": 1}), {"status": "Unlocked"})


@play("TC_018", "Unlock a connector that charges: the transaction ends")
def unlock_charging(s):
    transaction = s.charging()
    status, answer = s.rest("POST", "/api/v1/release", {"cpid": s.identity, "connectorId": 1})
    same((status, answer["detail"]), (400, "Connector has active transaction"))
    same(s.command("UnlockConnector", {"connectorId": 1}), {"status": "Unlocked"})
    s.stopped(transaction, "UnlockCommand")


def refused(s, tag, verdict):
    s.plug()
    s.present(tag)
    event = s.wait("decision", event="authorize", idTag=tag)
    same(event["verdict"], verdict)
    s.wait("message", direction="in", action="Authorize")
    s.settled()
    same(s.verdicts("Authorize"), [verdict])
    same((s.active(), s.said("StartTransaction")), ([], []))


@play("TC_023_1", "Start of a session: the tag is invalid")
def invalid(s):
    refused(s, UNKNOWN, "Invalid")


@play("TC_023_2", "Start of a session: the tag has expired")
def expired(s):
    refused(s, EXPIRED, "Expired")


@play("TC_023_3", "Start of a session: the tag is blocked")
def blocked(s):
    refused(s, BLOCKED, "Blocked")


@play("TC_024", "Start of a session: the lock fails")
def lock_failure(s):
    s.plug()
    s.sim("POST", "/fault/1?error_code=ConnectorLockFailure")
    event = s.wait("status", connectorId=1, status="Faulted")
    same(event["errorCode"], "ConnectorLockFailure")
    s.sim("POST", "/local_start/1?id_tag=" + VALID, expect=409)
    same(s.active(), [])


@play("TC_026", "Remote start is rejected")
def remote_start_rejected(s):
    s.command("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
    s.wait("status", connectorId=1, status="Unavailable")
    s.start(expect=409)
    same(s.rest("GET", "/api/v1/pending?cpid=%s" % s.identity)[1], [], "pending after a refusal:")


@play("TC_028", "Remote stop is rejected")
def remote_stop_rejected(s):
    transaction = s.charging()
    same(s.command("RemoteStopTransaction", {"transactionId": transaction + 999}), {"status": "Rejected"})
    same([t["transactionId"] for t in s.active()], [transaction])


@play("TC_030", "Unlock fails")
def unlock_fails(s):
    s.plug()
    s.sim("POST", "/fault/1?error_code=ConnectorLockFailure")
    s.wait("status", connectorId=1, status="Faulted")
    same(s.command("UnlockConnector", {"connectorId": 1}), {"status": "UnlockFailed"})


@play("TC_031", "Unlock of an unknown connector")
def unlock_unknown(s):
    same(s.command("UnlockConnector", {"connectorId": 9}), {"status": "NotSupported"})


@play("TC_032", "Power fails while charging: stopped after the boot")
def power_failure(s):
    transaction = s.charging()
    s.sim("POST", "/power_cycle")
    s.stopped(transaction, "PowerLoss")
    s.back_again(soft=True)


@play("TC_037", "Started offline with a known and with an unknown card")
def offline_start(s):
    s.setting("AuthorizationCacheEnabled", "true")
    s.setting("LocalAuthorizeOffline", "true")
    s.setting("AllowOfflineTxForUnknownId", "true")
    s.setting("StopTransactionOnInvalidId", "true")
    s.present_and_stop()
    s.unplug()
    for tag, verdict in ((VALID, "Accepted"), (UNKNOWN, "Invalid")):
        s.sim("POST", "/network/down")
        s.wait("charge_point", online=False)
        s.sim("POST", "/plug/2?id_tag=%s&auto_start=true" % tag)
        s.sim("POST", "/network/up")
        transaction = s.wait("transaction_started", idTag=tag)["transactionId"]
        if verdict == "Invalid":
            s.stopped(transaction, "DeAuthorized")
        else:
            s.sim("POST", "/local_stop/2")
            s.stopped(transaction, "Local")
        s.sim("POST", "/unplug/2")
        s.wait("status", connectorId=2, status="Available")
    same(s.verdicts("StartTransaction"), ["Accepted", "Accepted", "Invalid"])


@play("TC_039", "A whole transaction offline")
def offline_transaction(s):
    s.setting("AuthorizationCacheEnabled", "true")
    s.setting("LocalAuthorizeOffline", "true")
    s.present_and_stop()
    s.unplug()
    s.sim("POST", "/network/down")
    s.wait("charge_point", online=False)
    s.sim("POST", "/plug/1?id_tag=%s&auto_start=true" % VALID)
    s.sim("POST", "/local_stop/1")
    s.sim("POST", "/unplug/1")
    s.sim("POST", "/network/up")
    transaction = s.wait("transaction_started", idTag=VALID)["transactionId"]
    s.stopped(transaction, "Local")
    same([session["transactionId"] for session in s.history()][0], transaction)


@play("TC_053", "A reserved connector is used by another card of the group")
def reserved_for_the_group(s):
    same(s.command("ReserveNow", {"connectorId": 1, "expiryDate": "2099-01-01T00:00:00Z", "idTag": VALID,
                                  "parentIdTag": "OCA-GROUP", "reservationId": 53}), {"status": "Accepted"})
    s.wait("status", connectorId=1, status="Reserved")
    s.sim("POST", "/plug/1")
    s.present(GROUP_MATE)
    s.started(tag=GROUP_MATE)
    same(s.said("StartTransaction")[-1][0].get("reservationId"), 53)
    same(s.reservation(53)["state"], "USED")


@play("TC_059", "Remote start with a charging profile")
def remote_start_with_profile(s):
    s.plug()
    same(s.command("RemoteStartTransaction", {
        "connectorId": 1, "idTag": VALID, "chargingProfile": {
            "chargingProfileId": 59, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative", "chargingSchedule": {
                "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000}]}}}),
        {"status": "Accepted"})
    s.started()
    same(s.connector(1)["limitW"], 11000)
    s.metered(lambda m: m["powerW"] <= 11000)

"""Configuration, local lists, firmware and diagnostics, reservations, triggers, smart charging, data."""
from stage import BLOCKED, GROUP_MATE, UNKNOWN, VALID, play, same

FAR = "2099-01-01T00:00:00Z"


# ---- configuration ----

@play("TC_019", "Retrieve the configuration: all of it, and one key")
def get_configuration(s):
    whole = s.command("GetConfiguration", {})["configurationKey"]
    same({"HeartbeatInterval", "MeterValueSampleInterval", "ConnectionTimeOut"} - {k["key"] for k in whole}, set())
    one = s.command("GetConfiguration", {"key": ["SupportedFeatureProfiles", "NoSuchKey"]})
    same(([k["key"] for k in one["configurationKey"]], one["unknownKey"]), (["SupportedFeatureProfiles"], ["NoSuchKey"]))
    status, known = s.rest("GET", "/api/v1/chargepoints/%s/configuration?limit=1000" % s.identity)
    kept = {k["key"]: k.get("value") for k in known["items"]}
    same({k["key"]: kept.get(k["key"]) for k in whole}, {k["key"]: k.get("value") for k in whole})


@play("TC_021", "Change a configuration key")
def change_configuration(s):
    same(s.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "7"}), {"status": "Accepted"})
    same(s.command("GetConfiguration", {"key": ["MeterValueSampleInterval"]})["configurationKey"][0]["value"], "7")
    status, known = s.rest("GET", "/api/v1/chargepoints/%s/configuration/MeterValueSampleInterval" % s.identity)
    same((status, known["value"]), (200, "7"))


@play("TC_040", "Configuration: a key that is not supported, and a value that is not valid")
def change_refused(s):
    same(s.command("ChangeConfiguration", {"key": "NoSuchKey", "value": "1"}), {"status": "NotSupported"})
    same(s.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "-1"}), {"status": "Rejected"})


# ---- local list and cache ----

def entry(tag, status="Accepted"):
    return {"idTag": tag, "idTagInfo": {"status": status}}


@play("TC_042", "Version of the local list: not supported, and empty")
def list_version(s):
    s.setting("LocalAuthListEnabled", "false")
    same(s.command("GetLocalListVersion", {}), {"listVersion": -1})
    s.setting("LocalAuthListEnabled", "true")
    same(s.command("GetLocalListVersion", {}), {"listVersion": 0})


@play("TC_043", "Send the local list: not supported, failed, full, differential")
def send_list(s):
    full = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry(VALID), entry("A"), entry("B")]}
    s.setting("LocalAuthListEnabled", "false")
    same(s.command("SendLocalList", full), {"status": "NotSupported"})
    s.setting("LocalAuthListEnabled", "true")
    s.setting("LocalAuthListMaxLength", "2")
    same(s.command("SendLocalList", full), {"status": "Failed"})
    s.setting("LocalAuthListMaxLength", "100")
    same(s.command("SendLocalList", full), {"status": "Accepted"})
    same(s.command("GetLocalListVersion", {}), {"listVersion": 1})
    same(s.command("SendLocalList", {"listVersion": 2, "updateType": "Differential",
                                     "localAuthorizationList": [{"idTag": "A"}, entry("C")]}), {"status": "Accepted"})
    status, known = s.rest("GET", "/api/v1/local-lists/%s" % s.identity)
    same((known["version"], sorted(e["idTag"] for e in known["items"])), (2, sorted(["B", "C", VALID])))


@play("TC_061", "Clear the authorization cache")
def clear_cache(s):
    s.setting("AuthorizationCacheEnabled", "true")
    s.setting("LocalPreAuthorize", "true")
    s.present_and_stop()
    s.unplug()
    same(s.command("ClearCache", {}), {"status": "Accepted"})
    s.charging()
    same(len(s.said("Authorize")), 2, "Authorize after the cache was cleared:")


# ---- firmware and diagnostics ----

def firmware(s, expected, **body):
    status, answer = s.rest("POST", "/api/v1/chargepoints/%s/firmware" % s.identity, body)
    same(status, 200, "POST firmware: %r:" % answer)
    got = []
    while not got or got[-1] != expected[-1]:
        got.append(s.wait("job_status", kind="firmware")["status"])
    same(got, expected, "firmware statuses:")
    status, jobs = s.rest("GET", "/api/v1/jobs?cpid=%s" % s.identity)
    same((jobs["items"][0]["kind"], jobs["items"][0]["status"]), ("firmware", expected[-1]))


@play("TC_044_1", "Firmware: downloaded and installed")
def firmware_installed(s):
    s.upload("oca-good.bin", "a new firmware")
    firmware(s, ["Downloading", "Downloaded", "Installing", "Installed"], file="oca-good.bin")
    s.wait("charge_point", online=True)


@play("TC_044_2", "Firmware: the download fails")
def firmware_download_fails(s):
    firmware(s, ["Downloading", "DownloadFailed"], location="http://127.0.0.1:9/none.bin", retries=0)


@play("TC_044_3", "Firmware: the installation fails")
def firmware_installation_fails(s):
    s.upload("oca-broken.bin", "BROKEN")
    firmware(s, ["Downloading", "Downloaded", "Installing", "InstallationFailed"], file="oca-broken.bin")


@play("TC_045_1", "Diagnostics are uploaded")
def diagnostics(s):
    status, answer = s.rest("POST", "/api/v1/chargepoints/%s/diagnostics" % s.identity, {})
    same(status, 200, "POST diagnostics: %r:" % answer)
    same([s.wait("job_status", kind="diagnostics")["status"] for _ in range(2)], ["Uploading", "Uploaded"])
    status, files = s.rest("GET", "/api/v1/files?limit=1000")
    assert [f for f in files["items"] if s.identity in f["name"] and f["size"] > 0], files


@play("TC_045_2", "Diagnostics: the upload fails")
def diagnostics_fail(s):
    s.command("GetDiagnostics", {"location": "http://127.0.0.1:9/nowhere", "retries": 0})
    same([s.wait("job_status", kind="diagnostics")["status"] for _ in range(2)], ["Uploading", "UploadFailed"])


# ---- reservations ----

def reserve(s, number, connector=1, tag=VALID, expiry=FAR):
    return s.command("ReserveNow", {"connectorId": connector, "expiryDate": expiry, "idTag": tag,
                                    "reservationId": number})["status"]


@play("TC_046", "A reserved connector is used by its card")
def reserved_local(s):
    same(reserve(s, 46), "Accepted")
    s.wait("status", connectorId=1, status="Reserved")
    s.sim("POST", "/plug/1")
    s.present()
    s.started()
    same(s.said("StartTransaction")[0][0]["reservationId"], 46)
    same(s.reservation(46)["state"], "USED")


@play("TC_047", "A reservation expires")
def reservation_expires(s):
    soon = s.time_in(2)
    same(reserve(s, 47, expiry=soon), "Accepted")
    s.wait("status", connectorId=1, status="Reserved")
    s.wait("status", connectorId=1, status="Available")
    same(s.reservation(47)["state"], "EXPIRED")


@play("TC_048_1", "Reservation of a faulted connector")
def reserve_faulted(s):
    s.sim("POST", "/fault/1?error_code=GroundFailure")
    s.wait("status", connectorId=1, status="Faulted")
    same(reserve(s, 481), "Faulted")


@play("TC_048_2", "Reservation of an occupied connector")
def reserve_occupied(s):
    s.charging()
    same(reserve(s, 482, tag=GROUP_MATE), "Occupied")


@play("TC_048_3", "Reservation of an unavailable connector")
def reserve_unavailable(s):
    s.command("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
    s.wait("status", connectorId=1, status="Unavailable")
    same(reserve(s, 483), "Unavailable")


@play("TC_048_4", "Reservation is rejected")
def reserve_rejected(s):
    s.setting("ReserveConnectorZeroSupported", "false")
    same(reserve(s, 484, connector=0), "Rejected")
    status, known = s.rest("GET", "/api/v1/reservations?cpid=%s" % s.identity)
    same(known["items"], [])


@play("TC_049", "A charge point is reserved, and used by its card")
def reserve_charge_point(s):
    s.setting("ReserveConnectorZeroSupported", "true")
    same(reserve(s, 49, connector=0), "Accepted")
    s.sim("POST", "/plug/2")
    s.present(connector=2)
    s.started(connector=2)
    same(s.said("StartTransaction")[0][0].get("reservationId"), 49)
    same(s.reservation(49)["state"], "USED")


@play("TC_051", "Cancel a reservation")
def cancel_reservation(s):
    same(reserve(s, 51), "Accepted")
    s.wait("status", connectorId=1, status="Reserved")
    same(s.command("CancelReservation", {"reservationId": 51}), {"status": "Accepted"})
    s.wait("status", connectorId=1, status="Available")
    same(s.reservation(51)["state"], "CANCELLED")


@play("TC_052", "Cancel a reservation that is unknown: rejected")
def cancel_rejected(s):
    same(s.command("CancelReservation", {"reservationId": 52}), {"status": "Rejected"})


# ---- triggers ----

@play("TC_054", "Trigger messages")
def trigger(s):
    for message, action in (("MeterValues", "MeterValues"), ("Heartbeat", "Heartbeat"),
                            ("StatusNotification", "StatusNotification"),
                            ("DiagnosticsStatusNotification", "DiagnosticsStatusNotification"),
                            ("FirmwareStatusNotification", "FirmwareStatusNotification")):
        same(s.command("TriggerMessage", {"requestedMessage": message, "connectorId": 1}), {"status": "Accepted"})
        s.wait("message", direction="in", action=action)


@play("TC_055", "Trigger a message of a connector that is not there: rejected")
def trigger_rejected(s):
    same(s.command("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 9}), {"status": "Rejected"})


# ---- smart charging ----

def profile(number, purpose, limit, **more):
    return {"chargingProfileId": number, "stackLevel": 0, "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Relative", "chargingSchedule": {
                "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}, **more}


@play("TC_056", "A default profile bends the power")
def tx_default_profile(s):
    same(s.command("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile(56, "TxDefaultProfile", 22000)}),
         {"status": "Accepted"})
    s.charging()
    same(s.connector(1)["limitW"], 22000)
    s.metered(lambda m: m["powerW"] <= 22000)
    (known,) = s.rest("GET", "/api/v1/profiles?cpid=%s" % s.identity)[1]["items"]
    same((known["chargingProfileId"], known["purpose"]), (56, "TxDefaultProfile"))


@play("TC_057", "A profile for the running transaction")
def tx_profile(s):
    wanted = {"connectorId": 1, "csChargingProfiles": profile(57, "TxProfile", 15000)}
    same(s.command("SetChargingProfile", wanted), {"status": "Rejected"})
    transaction = s.charging()
    wanted["csChargingProfiles"]["transactionId"] = transaction
    same(s.command("SetChargingProfile", wanted), {"status": "Accepted"})
    s.metered(lambda m: m["powerW"] <= 15000)
    s.stop(transactionId=transaction)
    s.stopped(transaction, "Remote")
    same(s.rest("GET", "/api/v1/profiles?cpid=%s" % s.identity)[1]["items"], [], "profiles after the transaction:")


@play("TC_066", "Composite schedule")
def composite(s):
    s.command("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile(66, "TxDefaultProfile", 30000)})
    s.charging()
    answer = s.command("GetCompositeSchedule", {"connectorId": 1, "duration": 300, "chargingRateUnit": "W"})
    same((answer["status"], answer["connectorId"]), ("Accepted", 1))
    same(answer["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"], 30000)


@play("TC_067", "Clear a charging profile")
def clear_profile(s):
    s.command("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile(67, "TxDefaultProfile", 30000)})
    same(s.command("ClearChargingProfile", {"id": 67}), {"status": "Accepted"})
    same(s.command("ClearChargingProfile", {"id": 67}), {"status": "Unknown"})
    same(s.rest("GET", "/api/v1/profiles?cpid=%s" % s.identity)[1]["items"], [])


# ---- data transfer ----

@play("TC_064", "Data transfer to the central system")
def data_transfer(s):
    s.sim("POST", "/send/DataTransfer", {"vendorId": "Nobody", "messageId": "Hello", "data": "x"})
    s.wait("message", direction="in", action="DataTransfer")
    s.settled()
    same([a["status"] for _, a in s.said("DataTransfer")], ["UnknownVendorId"])

/* OCPP 1.6: every action and every field (the 11 of the security whitepaper: v16_security.c).
 *
 * Rows follow the schemas to the letter; tests/unit/ocpp/test_schema.c compares both ways where the
 * schemas are at hand. What the schemas do not say is which fields are NEEDED:
 *   - StartTransaction, StopTransaction, MeterValues: none, at no depth on the way. They are
 *     answered with a CALLRESULT whatever they hold (X1, X4, X7); handlers mark them suspect.
 *   - BootNotification, Heartbeat: none; a charger that cannot boot cannot do anything (B6).
 *   - Other CALLs of a charger: only what the handler looks up or stores by.
 *   - Answers of a charger: the status, so that a broken answer fails its own command only (Q14).
 *   - What we send: all required ones; it matters to the simulator, which reads leniently too.
 * NEEDED inside an optional object means: the object is dropped without it. */
#include "ocpp/field_rows.h"
#include "ocpp/v16_security.h"
#include "base/mem.h"

/* One row a line: */
/* clang-format off */

static const struct field nothing[] = {END};

/* Shared parts. */

static const char *const accepted_or_rejected[] = {"Accepted", "Rejected", NULL};
static const char *const charging_rate_units[] = {"A", "W", NULL};
static const char *const profile_purposes[] = {"ChargePointMaxProfile", "TxDefaultProfile",
                                               "TxProfile", NULL};

/* Conf of the many commands that are just accepted or not. */
static const struct field accepted_conf[] = {
    ENUM("status", accepted_or_rejected, NEEDED),
    END,
};

static const struct field id_tag_info[] = {
    TIME("expiryDate", OPTIONAL),
    CISTRING("parentIdTag", 20, OPTIONAL),
    ENUM("status", WORDS("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"), NEEDED),
    END,
};

static const struct field charging_schedule_period[] = {
    INT("startPeriod", NEEDED),
    TENTHS("limit", NEEDED),
    INT("numberPhases", OPTIONAL),
    END,
};
static const struct field charging_schedule[] = {
    INT("duration", OPTIONAL),
    TIME("startSchedule", OPTIONAL),
    ENUM("chargingRateUnit", charging_rate_units, NEEDED),
    OBJECTS("chargingSchedulePeriod", charging_schedule_period, NEEDED),
    TENTHS("minChargingRate", OPTIONAL),
    END,
};
static const struct field charging_profile[] = {
    INT("chargingProfileId", NEEDED),
    INT("transactionId", OPTIONAL),
    INT("stackLevel", NEEDED),
    ENUM("chargingProfilePurpose", profile_purposes, NEEDED),
    ENUM("chargingProfileKind", WORDS("Absolute", "Recurring", "Relative"), NEEDED),
    ENUM("recurrencyKind", WORDS("Daily", "Weekly"), OPTIONAL),
    TIME("validFrom", OPTIONAL),
    TIME("validTo", OPTIONAL),
    OBJECT("chargingSchedule", charging_schedule, NEEDED),
    END,
};

/* A sampled value: the same in MeterValues and StopTransaction, but that the schema of MeterValues
 * knows the unit Hertz and that of StopTransaction does not (V1). */
static const char *const contexts[] = {
    "Interruption.Begin", "Interruption.End", "Sample.Clock", "Sample.Periodic",
    "Transaction.Begin", "Transaction.End", "Trigger", "Other", NULL,
};
static const char *const measurands[] = {
    "Energy.Active.Export.Register", "Energy.Active.Import.Register",
    "Energy.Reactive.Export.Register", "Energy.Reactive.Import.Register",
    "Energy.Active.Export.Interval", "Energy.Active.Import.Interval",
    "Energy.Reactive.Export.Interval", "Energy.Reactive.Import.Interval",
    "Power.Active.Export", "Power.Active.Import", "Power.Offered", "Power.Reactive.Export",
    "Power.Reactive.Import", "Power.Factor", "Current.Import", "Current.Export", "Current.Offered",
    "Voltage", "Frequency", "Temperature", "SoC", "RPM", NULL,
};
static const char *const phases[] = {
    "L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1", NULL,
};
#define UNITS                                                                                      \
    "Wh", "kWh", "varh", "kvarh", "W", "kW", "VA", "kVA", "var", "kvar", "A", "V", "K", "Celcius", \
    "Celsius", "Fahrenheit", "Percent"
#define SAMPLED_VALUE(...)                                                                         \
    {                                                                                              \
        STRING("value", 0, REQUIRED),                                                              \
        ENUM("context", contexts, OPTIONAL),                                                       \
        ENUM("format", WORDS("Raw", "SignedData"), OPTIONAL),                                      \
        ENUM("measurand", measurands, OPTIONAL),                                                   \
        ENUM("phase", phases, OPTIONAL),                                                           \
        ENUM("location", WORDS("Cable", "EV", "Inlet", "Outlet", "Body"), OPTIONAL),               \
        ENUM("unit", WORDS(__VA_ARGS__), OPTIONAL),                                                \
        END,                                                                                       \
    }

static const struct field meter_sampled_value[] = SAMPLED_VALUE(UNITS, "Hertz");
static const struct field meter_value[] = {
    TIME("timestamp", REQUIRED),
    OBJECTS("sampledValue", meter_sampled_value, REQUIRED, AT_LEAST(1)),
    END,
};

static const struct field stop_sampled_value[] = SAMPLED_VALUE(UNITS);
static const struct field transaction_data[] = {
    TIME("timestamp", REQUIRED),
    OBJECTS("sampledValue", stop_sampled_value, REQUIRED),
    END,
};

/* What a charger sends. */

static const struct field authorize_req[] = {
    CISTRING("idTag", 20, NEEDED),
    END,
};
static const struct field authorize_conf[] = {
    OBJECT("idTagInfo", id_tag_info, NEEDED),
    END,
};

static const struct field boot_notification_req[] = {
    STRING("chargePointVendor", 20, REQUIRED),
    STRING("chargePointModel", 20, REQUIRED),
    STRING("chargePointSerialNumber", 25, OPTIONAL),
    STRING("chargeBoxSerialNumber", 25, OPTIONAL),
    STRING("firmwareVersion", 50, OPTIONAL),
    STRING("iccid", 20, OPTIONAL),
    STRING("imsi", 20, OPTIONAL),
    STRING("meterType", 25, OPTIONAL),
    STRING("meterSerialNumber", 25, OPTIONAL),
    END,
};
static const struct field boot_notification_conf[] = {
    ENUM("status", WORDS("Accepted", "Pending", "Rejected"), NEEDED),
    TIME("currentTime", REQUIRED),
    INT("interval", REQUIRED),
    END,
};

/* Goes both ways. */
static const struct field data_transfer_req[] = {
    CISTRING("vendorId", 255, NEEDED),
    CISTRING("messageId", 50, OPTIONAL),
    STRING("data", 0, OPTIONAL),
    END,
};
static const struct field data_transfer_conf[] = {
    ENUM("status", WORDS("Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"), NEEDED),
    STRING("data", 0, OPTIONAL),
    END,
};

static const struct field diagnostics_status_notification_req[] = {
    ENUM("status", WORDS("Idle", "Uploaded", "UploadFailed", "Uploading"), NEEDED),
    END,
};

static const struct field firmware_status_notification_req[] = {
    ENUM("status",
         WORDS("Downloaded", "DownloadFailed", "Downloading", "Idle", "InstallationFailed",
               "Installing", "Installed"),
         NEEDED),
    END,
};

static const struct field heartbeat_conf[] = {
    TIME("currentTime", REQUIRED),
    END,
};

static const struct field meter_values_req[] = {
    INT("connectorId", REQUIRED),
    INT("transactionId", OPTIONAL),
    OBJECTS("meterValue", meter_value, REQUIRED, AT_LEAST(1)),
    END,
};

static const struct field start_transaction_req[] = {
    INT("connectorId", REQUIRED),
    CISTRING("idTag", 20, REQUIRED),
    INT("meterStart", REQUIRED),
    INT("reservationId", OPTIONAL), /* chargers send 0 for none (Q27) */
    TIME("timestamp", REQUIRED),
    END,
};
static const struct field start_transaction_conf[] = {
    OBJECT("idTagInfo", id_tag_info, NEEDED),
    INT("transactionId", NEEDED),
    END,
};

static const struct field status_notification_req[] = {
    INT("connectorId", NEEDED),
    ENUM("errorCode",
         WORDS("ConnectorLockFailure", "EVCommunicationError", "GroundFailure", "HighTemperature",
               "InternalError", "LocalListConflict", "NoError", "OtherError", "OverCurrentFailure",
               "PowerMeterFailure", "PowerSwitchFailure", "ReaderFailure", "ResetFailure",
               "UnderVoltage", "OverVoltage", "WeakSignal"),
         REQUIRED),
    STRING("info", 50, OPTIONAL),
    ENUM("status",
         WORDS("Available", "Preparing", "Charging", "SuspendedEVSE", "SuspendedEV", "Finishing",
               "Reserved", "Unavailable", "Faulted"),
         NEEDED),
    TIME("timestamp", OPTIONAL),
    CISTRING("vendorId", 255, OPTIONAL),
    STRING("vendorErrorCode", 50, OPTIONAL),
    END,
};

static const struct field stop_transaction_req[] = {
    CISTRING("idTag", 20, OPTIONAL),
    INT("meterStop", REQUIRED),
    TIME("timestamp", REQUIRED),
    INT("transactionId", REQUIRED),
    ENUM("reason",
         WORDS("EmergencyStop", "EVDisconnected", "HardReset", "Local", "Other", "PowerLoss",
               "Reboot", "Remote", "SoftReset", "UnlockCommand", "DeAuthorized"),
         OPTIONAL),
    OBJECTS("transactionData", transaction_data, OPTIONAL),
    END,
};
static const struct field stop_transaction_conf[] = {
    OBJECT("idTagInfo", id_tag_info, OPTIONAL),
    END,
};

/* What we send. */

static const struct field cancel_reservation_req[] = {
    INT("reservationId", NEEDED),
    END,
};

static const struct field change_availability_req[] = {
    INT("connectorId", NEEDED),
    ENUM("type", WORDS("Inoperative", "Operative"), NEEDED),
    END,
};
static const struct field change_availability_conf[] = {
    ENUM("status", WORDS("Accepted", "Rejected", "Scheduled"), NEEDED),
    END,
};

static const struct field change_configuration_req[] = {
    CISTRING("key", 50, NEEDED),
    STRING("value", 500, NEEDED),
    END,
};
static const struct field change_configuration_conf[] = {
    ENUM("status", WORDS("Accepted", "Rejected", "RebootRequired", "NotSupported"), NEEDED),
    END,
};

static const struct field clear_charging_profile_req[] = {
    INT("id", OPTIONAL),
    INT("connectorId", OPTIONAL),
    ENUM("chargingProfilePurpose", profile_purposes, OPTIONAL),
    INT("stackLevel", OPTIONAL),
    END,
};
static const struct field clear_charging_profile_conf[] = {
    ENUM("status", WORDS("Accepted", "Unknown"), NEEDED),
    END,
};

static const struct field get_composite_schedule_req[] = {
    INT("connectorId", NEEDED),
    INT("duration", NEEDED),
    ENUM("chargingRateUnit", charging_rate_units, OPTIONAL),
    END,
};
static const struct field get_composite_schedule_conf[] = {
    ENUM("status", accepted_or_rejected, NEEDED),
    INT("connectorId", OPTIONAL),
    TIME("scheduleStart", OPTIONAL),
    OBJECT("chargingSchedule", charging_schedule, OPTIONAL),
    END,
};

static const struct field get_configuration_req[] = {
    CISTRINGS("key", 50, OPTIONAL),
    END,
};
static const struct field key_value[] = {
    CISTRING("key", 50, NEEDED),
    BOOL("readonly", REQUIRED),
    STRING("value", 500, OPTIONAL, .may_be_empty = true),
    END,
};
static const struct field get_configuration_conf[] = {
    OBJECTS("configurationKey", key_value, OPTIONAL),
    CISTRINGS("unknownKey", 50, OPTIONAL),
    END,
};

static const struct field get_diagnostics_req[] = {
    URI("location", NEEDED),
    INT("retries", OPTIONAL),
    INT("retryInterval", OPTIONAL),
    TIME("startTime", OPTIONAL),
    TIME("stopTime", OPTIONAL),
    END,
};
static const struct field get_diagnostics_conf[] = {
    STRING("fileName", 255, OPTIONAL),
    END,
};

static const struct field get_local_list_version_conf[] = {
    INT("listVersion", NEEDED),
    END,
};

static const struct field remote_start_transaction_req[] = {
    INT("connectorId", OPTIONAL),
    CISTRING("idTag", 20, NEEDED),
    OBJECT("chargingProfile", charging_profile, OPTIONAL),
    END,
};

static const struct field remote_stop_transaction_req[] = {
    INT("transactionId", NEEDED),
    END,
};

static const struct field reserve_now_req[] = {
    INT("connectorId", NEEDED),
    TIME("expiryDate", NEEDED),
    CISTRING("idTag", 20, NEEDED),
    CISTRING("parentIdTag", 20, OPTIONAL),
    INT("reservationId", NEEDED),
    END,
};
static const struct field reserve_now_conf[] = {
    ENUM("status", WORDS("Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"), NEEDED),
    END,
};

static const struct field reset_req[] = {
    ENUM("type", WORDS("Hard", "Soft"), NEEDED),
    END,
};

static const struct field authorization_data[] = {
    CISTRING("idTag", 20, NEEDED),
    OBJECT("idTagInfo", id_tag_info, OPTIONAL),
    END,
};
static const struct field send_local_list_req[] = {
    INT("listVersion", NEEDED),
    OBJECTS("localAuthorizationList", authorization_data, OPTIONAL),
    ENUM("updateType", WORDS("Differential", "Full"), NEEDED),
    END,
};
static const struct field send_local_list_conf[] = {
    ENUM("status", WORDS("Accepted", "Failed", "NotSupported", "VersionMismatch"), NEEDED),
    END,
};

static const struct field set_charging_profile_req[] = {
    INT("connectorId", NEEDED),
    OBJECT("csChargingProfiles", charging_profile, NEEDED),
    END,
};
static const struct field set_charging_profile_conf[] = {
    ENUM("status", WORDS("Accepted", "Rejected", "NotSupported"), NEEDED),
    END,
};

static const struct field trigger_message_req[] = {
    ENUM("requestedMessage",
         WORDS("BootNotification", "DiagnosticsStatusNotification", "FirmwareStatusNotification",
               "Heartbeat", "MeterValues", "StatusNotification"),
         NEEDED),
    INT("connectorId", OPTIONAL),
    END,
};
static const struct field trigger_message_conf[] = {
    ENUM("status", WORDS("Accepted", "Rejected", "NotImplemented"), NEEDED),
    END,
};

static const struct field unlock_connector_req[] = {
    INT("connectorId", NEEDED),
    END,
};
static const struct field unlock_connector_conf[] = {
    ENUM("status", WORDS("Unlocked", "UnlockFailed", "NotSupported"), NEEDED),
    END,
};

/* W1: a backend was seen to send `retrieveDate: null`; a charger can take that as "now". */
static const struct field update_firmware_req[] = {
    URI("location", NEEDED),
    INT("retries", OPTIONAL),
    TIME("retrieveDate", REQUIRED),
    INT("retryInterval", OPTIONAL),
    END,
};

/* clang-format on */

/* Sorted by name: version_action() searches. */
static const struct action actions[] = {
    ACTION("Authorize", FROM_CHARGE_POINT, authorize_req, authorize_conf,
           "a card was presented: may it charge?"),
    ACTION("BootNotification", FROM_CHARGE_POINT, boot_notification_req, boot_notification_conf,
           "the charge point introduces itself"),
    ACTION("CancelReservation", FROM_CENTRAL_SYSTEM, cancel_reservation_req, accepted_conf,
           "ends a reservation"),
    ACTION("CertificateSigned", FROM_CENTRAL_SYSTEM, certificate_signed_req,
           certificate_signed_conf, "hands over the certificate that SignCertificate asked for"),
    ACTION("ChangeAvailability", FROM_CENTRAL_SYSTEM, change_availability_req,
           change_availability_conf, "takes a connector (0: all) into or out of service"),
    ACTION("ChangeConfiguration", FROM_CENTRAL_SYSTEM, change_configuration_req,
           change_configuration_conf, "sets one configuration key"),
    ACTION("ClearCache", FROM_CENTRAL_SYSTEM, nothing, accepted_conf,
           "empties the authorization cache"),
    ACTION("ClearChargingProfile", FROM_CENTRAL_SYSTEM, clear_charging_profile_req,
           clear_charging_profile_conf, "removes the charging profiles that match"),
    ACTION("DataTransfer", FROM_BOTH, data_transfer_req, data_transfer_conf,
           "a message outside the standard, by vendor"),
    ACTION("DeleteCertificate", FROM_CENTRAL_SYSTEM, delete_certificate_req,
           delete_certificate_conf, "deletes an installed root certificate"),
    ACTION("DiagnosticsStatusNotification", FROM_CHARGE_POINT, diagnostics_status_notification_req,
           nothing, "how the upload of GetDiagnostics goes"),
    ACTION("ExtendedTriggerMessage", FROM_CENTRAL_SYSTEM, extended_trigger_message_req,
           extended_trigger_message_conf,
           "asks for a message now, including those of the security extension"),
    ACTION("FirmwareStatusNotification", FROM_CHARGE_POINT, firmware_status_notification_req,
           nothing, "how UpdateFirmware goes"),
    ACTION("GetCompositeSchedule", FROM_CENTRAL_SYSTEM, get_composite_schedule_req,
           get_composite_schedule_conf, "the limits that hold from now on"),
    ACTION("GetConfiguration", FROM_CENTRAL_SYSTEM, get_configuration_req, get_configuration_conf,
           "reads configuration keys, all without a list"),
    ACTION("GetDiagnostics", FROM_CENTRAL_SYSTEM, get_diagnostics_req, get_diagnostics_conf,
           "asks for an upload of diagnostics"),
    ACTION("GetInstalledCertificateIds", FROM_CENTRAL_SYSTEM, get_installed_certificate_ids_req,
           get_installed_certificate_ids_conf, "lists installed root certificates"),
    ACTION("GetLocalListVersion", FROM_CENTRAL_SYSTEM, nothing, get_local_list_version_conf,
           "version of the local authorization list"),
    ACTION("GetLog", FROM_CENTRAL_SYSTEM, get_log_req, get_log_conf,
           "asks for an upload of the diagnostics or security log"),
    ACTION("Heartbeat", FROM_CHARGE_POINT, nothing, heartbeat_conf, "still here; what time is it?"),
    ACTION("InstallCertificate", FROM_CENTRAL_SYSTEM, install_certificate_req,
           install_certificate_conf, "installs a root certificate"),
    ACTION("LogStatusNotification", FROM_CHARGE_POINT, log_status_notification_req, nothing,
           "how the upload of GetLog goes"),
    TRANSACTIONAL("MeterValues", meter_values_req, nothing,
                  "samples of a meter, in a transaction or outside"),
    ACTION("RemoteStartTransaction", FROM_CENTRAL_SYSTEM, remote_start_transaction_req,
           accepted_conf, "asks to start a transaction"),
    ACTION("RemoteStopTransaction", FROM_CENTRAL_SYSTEM, remote_stop_transaction_req, accepted_conf,
           "asks to stop a transaction"),
    ACTION("ReserveNow", FROM_CENTRAL_SYSTEM, reserve_now_req, reserve_now_conf,
           "reserves a connector for an idTag"),
    ACTION("Reset", FROM_CENTRAL_SYSTEM, reset_req, accepted_conf, "restarts the charge point"),
    ACTION("SecurityEventNotification", FROM_CHARGE_POINT, security_event_notification_req, nothing,
           "something that bears on security happened"),
    ACTION("SendLocalList", FROM_CENTRAL_SYSTEM, send_local_list_req, send_local_list_conf,
           "replaces or changes the local authorization list"),
    ACTION("SetChargingProfile", FROM_CENTRAL_SYSTEM, set_charging_profile_req,
           set_charging_profile_conf, "sets a charging profile"),
    ACTION("SignCertificate", FROM_CHARGE_POINT, sign_certificate_req, sign_certificate_conf,
           "asks us to have a certificate signed"),
    ACTION("SignedFirmwareStatusNotification", FROM_CHARGE_POINT,
           signed_firmware_status_notification_req, nothing, "how SignedUpdateFirmware goes"),
    ACTION("SignedUpdateFirmware", FROM_CENTRAL_SYSTEM, signed_update_firmware_req,
           signed_update_firmware_conf, "installs signed firmware"),
    TRANSACTIONAL("StartTransaction", start_transaction_req, start_transaction_conf,
                  "a transaction has started"),
    ACTION("StatusNotification", FROM_CHARGE_POINT, status_notification_req, nothing,
           "the state of a connector (0: the charge point)"),
    TRANSACTIONAL("StopTransaction", stop_transaction_req, stop_transaction_conf,
                  "a transaction has ended"),
    ACTION("TriggerMessage", FROM_CENTRAL_SYSTEM, trigger_message_req, trigger_message_conf,
           "asks for a message now"),
    ACTION("UnlockConnector", FROM_CENTRAL_SYSTEM, unlock_connector_req, unlock_connector_conf,
           "unlocks a connector"),
    ACTION("UpdateFirmware", FROM_CENTRAL_SYSTEM, update_firmware_req, nothing,
           "installs firmware"),
    END,
};

const struct version version_16 = {
    .id = VERSION_16,
    .name = "1.6",
    .subprotocol = "ocpp1.6",
    .actions = actions,
    .action_count = ARRAY_LEN(actions) - 1,
};

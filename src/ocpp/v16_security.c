/* OCPP 1.6, improved security (whitepaper, edition 3): fields of the 11 added messages.
 *
 * Same layout as v16.c; the rules behind them are W2, W3, G8 and G9. The schemas bound no URI here:
 * `location` and `remoteLocation` are plain strings. */
#include "ocpp/v16_security.h"

#include "ocpp/field_rows.h"

/* One row a line: */
/* clang-format off */

static const char *const certificate_uses[] = {"CentralSystemRootCertificate",
                                               "ManufacturerRootCertificate", NULL};
static const char *const accepted_or_rejected[] = {"Accepted", "Rejected", NULL};

static const struct field certificate_hash_data[] = {
    ENUM("hashAlgorithm", WORDS("SHA256", "SHA384", "SHA512"), NEEDED),
    STRING("issuerNameHash", 128, NEEDED),
    STRING("issuerKeyHash", 128, NEEDED),
    STRING("serialNumber", 40, NEEDED),
    END,
};

const struct field certificate_signed_req[] = {
    STRING("certificateChain", 10000, NEEDED),
    END,
};
const struct field certificate_signed_conf[] = {
    ENUM("status", accepted_or_rejected, NEEDED),
    END,
};

const struct field delete_certificate_req[] = {
    OBJECT("certificateHashData", certificate_hash_data, NEEDED),
    END,
};
const struct field delete_certificate_conf[] = {
    ENUM("status", WORDS("Accepted", "Failed", "NotFound"), NEEDED),
    END,
};

/* C10: without DiagnosticsStatusNotification, unlike TriggerMessage. */
const struct field extended_trigger_message_req[] = {
    ENUM("requestedMessage",
         WORDS("BootNotification", "LogStatusNotification", "FirmwareStatusNotification",
               "Heartbeat", "MeterValues", "SignChargePointCertificate", "StatusNotification"),
         NEEDED),
    INT("connectorId", OPTIONAL),
    END,
};
const struct field extended_trigger_message_conf[] = {
    ENUM("status", WORDS("Accepted", "Rejected", "NotImplemented"), NEEDED),
    END,
};

const struct field get_installed_certificate_ids_req[] = {
    ENUM("certificateType", certificate_uses, NEEDED),
    END,
};
const struct field get_installed_certificate_ids_conf[] = {
    OBJECTS("certificateHashData", certificate_hash_data, OPTIONAL, AT_LEAST(1)),
    ENUM("status", WORDS("Accepted", "NotFound"), NEEDED),
    END,
};

static const struct field log_parameters[] = {
    STRING("remoteLocation", 512, NEEDED),
    TIME("oldestTimestamp", OPTIONAL),
    TIME("latestTimestamp", OPTIONAL),
    END,
};
const struct field get_log_req[] = {
    OBJECT("log", log_parameters, NEEDED),
    ENUM("logType", WORDS("DiagnosticsLog", "SecurityLog"), NEEDED),
    INT("requestId", NEEDED),
    INT("retries", OPTIONAL),
    INT("retryInterval", OPTIONAL),
    END,
};
const struct field get_log_conf[] = {
    ENUM("status", WORDS("Accepted", "Rejected", "AcceptedCanceled"), NEEDED),
    STRING("filename", 255, OPTIONAL),
    END,
};

const struct field install_certificate_req[] = {
    ENUM("certificateType", certificate_uses, NEEDED),
    STRING("certificate", 5500, NEEDED),
    END,
};
const struct field install_certificate_conf[] = {
    ENUM("status", WORDS("Accepted", "Failed", "Rejected"), NEEDED),
    END,
};

/* W2: UploadFailure here, UploadFailed in DiagnosticsStatusNotification. */
const struct field log_status_notification_req[] = {
    ENUM("status",
         WORDS("BadMessage", "Idle", "NotSupportedOperation", "PermissionDenied", "Uploaded",
               "UploadFailure", "Uploading"),
         NEEDED),
    INT("requestId", OPTIONAL),
    END,
};

/* W3: `type` is no enum. A wrong clock must not cost us the event, so the time is not needed. */
const struct field security_event_notification_req[] = {
    STRING("type", 50, NEEDED),
    TIME("timestamp", REQUIRED),
    STRING("techInfo", 255, OPTIONAL),
    END,
};

const struct field sign_certificate_req[] = {
    STRING("csr", 5500, NEEDED),
    END,
};
const struct field sign_certificate_conf[] = {
    ENUM("status", accepted_or_rejected, NEEDED),
    END,
};

const struct field signed_firmware_status_notification_req[] = {
    ENUM("status",
         WORDS("Downloaded", "DownloadFailed", "Downloading", "DownloadScheduled", "DownloadPaused",
               "Idle", "InstallationFailed", "Installing", "Installed", "InstallRebooting",
               "InstallScheduled", "InstallVerificationFailed", "InvalidSignature",
               "SignatureVerified"),
         NEEDED),
    INT("requestId", OPTIONAL),
    END,
};

static const struct field firmware[] = {
    STRING("location", 512, NEEDED),
    TIME("retrieveDateTime", NEEDED),
    TIME("installDateTime", OPTIONAL),
    STRING("signingCertificate", 5500, NEEDED),
    STRING("signature", 800, NEEDED),
    END,
};
const struct field signed_update_firmware_req[] = {
    INT("retries", OPTIONAL),
    INT("retryInterval", OPTIONAL),
    INT("requestId", NEEDED),
    OBJECT("firmware", firmware, NEEDED),
    END,
};
const struct field signed_update_firmware_conf[] = {
    ENUM("status",
         WORDS("Accepted", "Rejected", "AcceptedCanceled", "InvalidCertificate",
               "RevokedCertificate"),
         NEEDED),
    END,
};

/* Firmware and log jobs over a faked HTTP client; certificates and security events. */
#include <unistd.h>

#include "place_world.h"

static struct charger *const cp = &world.charger;

static void job_status(const char *action, const char *status)
{
    assert_string_equal(json_gets(world_payload(world_take(action)), "status"), status);
}

static void transferred(int status, const char *body)
{
    struct http_transferred what = {.status = status, .error = status ? NULL : "refused"};
    http_transfer_done done = world.http_done;
    assert_non_null(done);
    world.http_done = NULL;
    if (world.http_path[0] && body) {
        FILE *file = fopen(world.http_path, "wb");
        assert_non_null(file);
        fputs(body, file);
        fclose(file);
    }
    done(world.http_ctx, &what);
}

#define FIRMWARE "FirmwareStatusNotification"
#define SIGNED "SignedFirmwareStatusNotification"
#define DIAGNOSTICS "DiagnosticsStatusNotification"
#define LOG_STATUS "LogStatusNotification"

static void update(const char *more)
{
    char text[300];
    snprintf(text, sizeof(text),
             "{\"location\":\"http://host/files/fw-2.1.bin?once=1\","
             "\"retrieveDate\":\"2025-07-14T05:00:10Z\"%s}",
             more);
    assert_non_null(world_ask("UpdateFirmware", answer_update_firmware, text));
}

static void test_firmware(void **state)
{
    (void)state;
    update("");
    world_pass(9999);
    world_nothing();
    job_send_status(cp, FIRMWARE);
    job_status(FIRMWARE, "Idle");
    world_pass(1);
    job_status(FIRMWARE, "Downloading");
    assert_string_equal(world.http_url, "http://host/files/fw-2.1.bin?once=1");
    job_send_status(cp, FIRMWARE);
    job_status(FIRMWARE, "Downloading");
    transferred(200, "image");
    job_status(FIRMWARE, "Downloaded");
    world_pass(0);
    world_pass(0);
    job_status(FIRMWARE, "Installing");
    world_pass(3000);
    assert_int_equal(world.resets, 1);
    world_nothing();
    place_accepted(cp);
    for (int id = 0; id <= 2; id++)
        world_status(id, "Available");
    assert_string_equal(json_gets(world_payload(world_take("SecurityEventNotification")), "type"),
                        "ResetOrReboot");
    job_status(FIRMWARE, "Installed");
    assert_string_equal(json_gets(world_payload(world_take("SecurityEventNotification")), "type"),
                        "FirmwareUpdated");
    assert_string_equal(cp->settings.firmware, "fw-2.1");
}

static void test_firmware_waits_for_cars(void **state)
{
    (void)state;
    world_charge(1, "TAG", 7);
    update("");
    world_pass(10000);
    world_skip();
    transferred(200, "image");
    job_status(FIRMWARE, "Downloaded");
    world_pass(20000);
    assert_int_equal(world.resets, 0);
    charger_stop(cp, 1, NULL, NULL);
    world_skip();
    world_pass(5000);
    job_status(FIRMWARE, "Installing");
}

static void test_firmware_retries_and_fails(void **state)
{
    (void)state;
    update(",\"retries\":1,\"retryInterval\":20");
    world_pass(10000);
    job_status(FIRMWARE, "Downloading");
    transferred(404, NULL);
    world_nothing();
    world_pass(20000);
    job_status(FIRMWARE, "Downloading");
    transferred(0, NULL);
    job_status(FIRMWARE, "DownloadFailed");
    assert_int_equal(access(world.http_path, F_OK), -1); /* nothing is left behind */
    job_send_status(cp, FIRMWARE);
    job_status(FIRMWARE, "Idle");
}

static void test_empty_firmware(void **state)
{
    (void)state;
    update("");
    world_pass(10000);
    transferred(200, "");
    world_pass(4000);
    job_status(FIRMWARE, "Downloading");
    job_status(FIRMWARE, "Downloaded");
    job_status(FIRMWARE, "Installing");
    job_status(FIRMWARE, "InstallationFailed");
    assert_int_equal(world.resets, 0);
    assert_string_equal(cp->settings.firmware, "1.0");
}

static void update_signed(int id, const char *certificate, const char *signature,
                          const char *status)
{
    char text[500];
    snprintf(text, sizeof(text),
             "{\"requestId\":%d,\"firmware\":{\"location\":\"http://host/fw.bin\","
             "\"retrieveDateTime\":\"2025-07-14T05:00:00Z\","
             "\"installDateTime\":\"2025-07-14T05:10:00Z\","
             "\"signingCertificate\":\"%s\",\"signature\":\"%s\"}}",
             id, certificate, signature);
    world_ask_expect("SignedUpdateFirmware", answer_signed_update_firmware, text, status);
}

#define CERTIFICATE "-----BEGIN CERTIFICATE-----"

static void test_signed_firmware(void **state)
{
    (void)state;
    update_signed(1, "none", "c2ln", "InvalidCertificate");
    world_take("SecurityEventNotification");
    update_signed(1, CERTIFICATE " REVOKED", "c2ln", "RevokedCertificate");
    update_signed(1, CERTIFICATE, "c2ln", "Accepted");
    world_pass(0);
    job_status(SIGNED, "Downloading");
    update_signed(2, CERTIFICATE, "c2ln", "AcceptedCanceled");
    assert_int_equal(world.http_cancelled, 1);
    world_pass(0);
    assert_int_equal(world_member(world_payload(world_take(SIGNED)), "requestId"), 2);
    transferred(200, "image");
    job_status(SIGNED, "Downloaded");
    world_pass(0);
    job_status(SIGNED, "SignatureVerified");
    job_status(SIGNED, "InstallScheduled");
    world_pass(600000);
    job_status(SIGNED, "Installing");
    world_pass(3000);
    job_status(SIGNED, "InstallRebooting");
    place_accepted(cp);
    for (int id = 0; id <= 2; id++)
        world_status(id, "Available");
    world_take("SecurityEventNotification");
    job_status(SIGNED, "Installed");
    job_send_status(cp, SIGNED);
    assert_null(json_get(world_payload(world.calls[world.called - 1]), "requestId"));
}

static void test_invalid_signature(void **state)
{
    (void)state;
    update_signed(3, CERTIFICATE, "not base64!", "Accepted");
    world_pass(0);
    job_status(SIGNED, "Downloading");
    transferred(200, "image");
    job_status(SIGNED, "Downloaded");
    world_pass(0);
    job_status(SIGNED, "InvalidSignature");
    world_take("SecurityEventNotification");
    world_nothing();
}

static void test_diagnostics(void **state)
{
    (void)state;
    const struct json *answer =
        world_ask("GetDiagnostics", answer_get_diagnostics, "{\"location\":\"http://host/up/\"}");
    const char *name = json_gets(answer, "fileName");
    assert_string_equal(name, "diagnostics-CP_1-2025-07-14T05_00_00Z.log");
    world_nothing();
    world_pass(0);
    job_status(DIAGNOSTICS, "Uploading");
    assert_string_equal(world.http_method, "PUT");
    assert_string_equal(world.http_url, "http://host/up/diagnostics-CP_1-2025-07-14T05_00_00Z.log");
    assert_non_null(strstr(world.http_body, "diagnostics log of CP/1"));
    assert_non_null(strstr(world.http_body, "2025-07-14T04:00:00Z "));
    job_send_status(cp, DIAGNOSTICS);
    job_status(DIAGNOSTICS, "Uploading");
    transferred(201, NULL);
    job_status(DIAGNOSTICS, "Uploaded");
    job_send_status(cp, DIAGNOSTICS);
    job_status(DIAGNOSTICS, "Idle");
}

static void test_diagnostics_fail(void **state)
{
    (void)state;
    assert_non_null(world_ask("GetDiagnostics", answer_get_diagnostics,
                              "{\"location\":\"ftp://host/up\",\"retries\":2,"
                              "\"retryInterval\":1}"));
    world_pass(10000);
    for (int i = 0; i < 3; i++)
        job_status(DIAGNOSTICS, "Uploading");
    job_status(DIAGNOSTICS, "UploadFailed");
    world_nothing();
}

static void get_log(int id, const char *location, const char *status)
{
    char text[200];
    snprintf(text, sizeof(text),
             "{\"requestId\":%d,\"logType\":\"SecurityLog\",\"log\":{\"remoteLocation\":\"%s\"}}",
             id, location);
    world_ask_expect("GetLog", answer_get_log, text, status);
}

static void test_log(void **state)
{
    (void)state;
    static const struct {
        int http;
        const char *status;
    } rows[] = {{200, "Uploaded"},
                {403, "PermissionDenied"},
                {400, "BadMessage"},
                {500, "UploadFailure"},
                {0, "UploadFailure"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        get_log((int)i, "http://host/log", "Accepted");
        world_pass(0);
        job_status(LOG_STATUS, "Uploading");
        transferred(rows[i].http, NULL);
        const struct json *payload = world_payload(world_take(LOG_STATUS));
        assert_string_equal(json_gets(payload, "status"), rows[i].status);
        assert_int_equal(world_member(payload, "requestId"), i);
    }
    get_log(9, "ftp://host/log", "Accepted");
    world_pass(0);
    job_status(LOG_STATUS, "NotSupportedOperation");
    get_log(10, "http://host/log", "Accepted");
    get_log(11, "http://host/log", "AcceptedCanceled");
}

static void test_status_waits_for_the_line(void **state)
{
    (void)state;
    get_log(1, "http://host/log", "Accepted");
    world_pass(0);
    job_status(LOG_STATUS, "Uploading");
    world.offline = true;
    transferred(200, NULL);
    world_nothing();
    world.offline = false;
    place_accepted(cp);
    for (int id = 0; id <= 2; id++)
        world_status(id, "Available");
    job_status(LOG_STATUS, "Uploaded");
    place_accepted(cp);
    for (int id = 0; id <= 2; id++)
        world_status(id, "Available");
    world_nothing();
}

static void test_power_loss_breaks_a_transfer(void **state)
{
    (void)state;
    get_log(1, "http://host/log", "Accepted");
    world_pass(0);
    job_status(LOG_STATUS, "Uploading");
    sessions_power_lost(cp);
    assert_int_equal(world.http_cancelled, 1);
    world_pass(5000);
    world_nothing();
    sessions_after_reboot(cp, "PowerLoss");
    world_pass(1000);
    job_status(LOG_STATUS, "Uploading");
    transferred(200, NULL);
    job_status(LOG_STATUS, "Uploaded");
}

/* ---- certificates ---- */

/* openssl req -x509 -newkey ec … -subj "/O=ChargeBridge/CN=Root" -set_serial 0x1234abcd */
static const char root[] = "-----BEGIN CERTIFICATE-----\n"
                           "MIIBkzCCATmgAwIBAgIEEjSrzTAKBggqhkjOPQQDAjAmMRUwEwYDVQQKDAxDaGFy\n"
                           "Z2VCcmlkZ2UxDTALBgNVBAMMBFJvb3QwIBcNMjYxMTI0MTU0MzUwWhgPMjEyNjEw\n"
                           "MzExNTQzNTBaMCYxFTATBgNVBAoMDENoYXJnZUJyaWRnZTENMAsGA1UEAwwEUm9v\n"
                           "dDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABO+q1abgJsnixEutUXsMvUZe72IZ\n"
                           "8tEfa8us55D9r1QauBZUq7TE3gYyps3GoTRNu+AC9zK4knYrqpRD4CX+GtijUzBR\n"
                           "MB0GA1UdDgQWBBSBA/8fQFoORv2VzTpQeXZ2aFPdszAfBgNVHSMEGDAWgBSBA/8f\n"
                           "QFoORv2VzTpQeXZ2aFPdszAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gA\n"
                           "MEUCIACMjyvMGQl8IskhqXgeFNkgeLYH+MaT8cQEVRhCN9J8AiEA8kutohCjoMeh\n"
                           "FW37KpMDTy9z/epcPCfqcWqexKYlUoM=\n"
                           "-----END CERTIFICATE-----\n";

static void certificate(const char *action, answer_fn fn, const char *member, const char *more,
                        const char *status)
{
    struct strbuf text = {0};
    strbuf_adds(&text, "{");
    strbuf_adds(&text, more);
    strbuf_addf(&text, "\"%s\":", member);
    json_write_string(&text, span_of(root));
    strbuf_addc(&text, '}');
    world_ask_expect(action, fn, strbuf_text(&text), status);
    strbuf_clear(&text);
}

static void test_certificates(void **state)
{
    (void)state;
    static const char kind[] = "{\"certificateType\":\"CentralSystemRootCertificate\"}";
    char text[500];
    world_ask_expect("GetInstalledCertificateIds", answer_get_installed_certificate_ids, kind,
                     "NotFound");
    world_ask_expect("InstallCertificate", answer_install_certificate,
                     "{\"certificateType\":\"CentralSystemRootCertificate\","
                     "\"certificate\":\"-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END "
                     "CERTIFICATE-----\"}",
                     "Rejected");
    for (int i = 0; i < 2; i++)
        certificate("InstallCertificate", answer_install_certificate, "certificate",
                    "\"certificateType\":\"CentralSystemRootCertificate\",", "Accepted");
    const struct json *answer =
        world_ask("GetInstalledCertificateIds", answer_get_installed_certificate_ids, kind);
    const struct json *list = json_get(answer, "certificateHashData");
    assert_int_equal(list->count, 1);
    assert_string_equal(json_gets(list->child, "serialNumber"), "1234abcd");
    assert_string_equal(json_gets(list->child, "issuerNameHash"),
                        "a8c35d4f3532709174f4b170ff521ed22f2470cd955a55677b10a9fecd0a4727");
    assert_string_equal(json_gets(list->child, "issuerKeyHash"),
                        "386c724b67de7888a1412ff62b69dbd03e1033c7bfc7212fadac4f9688e6c816");
    snprintf(text, sizeof(text),
             "{\"certificateHashData\":{\"hashAlgorithm\":\"SHA256\",\"issuerNameHash\":\"%s\","
             "\"issuerKeyHash\":\"%s\",\"serialNumber\":\"1234ABCD\"}}",
             "a8c35d4f3532709174f4b170ff521ed22f2470cd955a55677b10a9fecd0a4727",
             "386c724b67de7888a1412ff62b69dbd03e1033c7bfc7212fadac4f9688e6c816");
    world_ask_expect("DeleteCertificate", answer_delete_certificate, text, "Accepted");
    world_ask_expect("DeleteCertificate", answer_delete_certificate, text, "NotFound");
}

static void test_store_is_bounded(void **state)
{
    (void)state;
    world.keys[0].key = "CertificateStoreMaxLength";
    world.keys[0].value = "1";
    certificate("InstallCertificate", answer_install_certificate, "certificate",
                "\"certificateType\":\"CentralSystemRootCertificate\",", "Accepted");
    certificate("InstallCertificate", answer_install_certificate, "certificate",
                "\"certificateType\":\"ManufacturerRootCertificate\",", "Failed");
}

static void test_csr(void **state)
{
    (void)state;
    security_send_csr(cp);
    const struct json *payload = world_payload(world_take("SignCertificate"));
    assert_non_null(strstr(json_gets(payload, "csr"), "-----BEGIN CERTIFICATE REQUEST-----"));
    certificate("CertificateSigned", answer_certificate_signed, "certificateChain", "", "Accepted");
    world_nothing();
    world_ask_expect("CertificateSigned", answer_certificate_signed,
                     "{\"certificateChain\":\"junk\"}", "Rejected");
    assert_string_equal(json_gets(world_payload(world_take("SecurityEventNotification")), "type"),
                        "InvalidChargePointCertificate");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_firmware),
        CASE(test_firmware_waits_for_cars),
        CASE(test_firmware_retries_and_fails),
        CASE(test_empty_firmware),
        CASE(test_signed_firmware),
        CASE(test_invalid_signature),
        CASE(test_diagnostics),
        CASE(test_diagnostics_fail),
        CASE(test_log),
        CASE(test_status_waits_for_the_line),
        CASE(test_power_loss_breaks_a_transfer),
        CASE(test_certificates),
        CASE(test_store_is_bounded),
        CASE(test_csr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

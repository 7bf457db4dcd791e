/* Configuration keys: what may be changed, how, and what it does. */
#include "line_world.h"

#include "ocpp/payload.h"

static enum config_result change(const char *key, const char *value)
{
    return config_change(world.charger, key, value, false);
}

static int setup(void **state)
{
    (void)state;
    world_begin();
    world.settings.boot_delay_ms = 1000000000;
    world.settings.password = "0123456789abcdef";
    world_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close();
    return 0;
}

static void test_defaults_come_from_settings(void **state)
{
    (void)state;
    assert_int_equal(config_int(world.charger, "NumberOfConnectors"), 2);
    assert_int_equal(config_int(world.charger, "MeterValueSampleInterval"), 60);
    assert_int_equal(config_int(world.charger, "SecurityProfile"), 1);
    assert_true(config_bool(world.charger, "LocalAuthorizeOffline"));
    assert_string_equal(config_text(world.charger, "heartbeatINTERVAL"), "300"); /* no case */
}

static void test_changes_are_judged_by_type(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        enum config_result result;
    } rows[] = {
        {"HeartbeatInterval", "60", CONFIG_ACCEPTED},
        {"HeartbeatInterval", "-1", CONFIG_REJECTED},
        {"HeartbeatInterval", "60s", CONFIG_REJECTED},
        {"HeartbeatInterval", "", CONFIG_REJECTED},
        {"LocalPreAuthorize", "TRUE", CONFIG_ACCEPTED},
        {"LocalPreAuthorize", "yes", CONFIG_REJECTED},
        {"MeterValuesSampledData", "SoC, Voltage", CONFIG_ACCEPTED},
        {"MeterValuesSampledData", "", CONFIG_ACCEPTED},
        {"MeterValuesSampledData", "SoC,,Voltage", CONFIG_REJECTED},
        {"MeterValuesSampledData", "RPM", CONFIG_REJECTED},
        {"ConnectorPhaseRotation", "0.RST,2.TRS", CONFIG_REBOOT},
        {"ConnectorPhaseRotation", "3.RST", CONFIG_REJECTED},
        {"ConnectorPhaseRotation", "RST", CONFIG_REJECTED},
        {"NumberOfConnectors", "3", CONFIG_REJECTED},
        {"AuthorizationKey", "00112233445566778899aabbccddeeff", CONFIG_ACCEPTED},
        {"AuthorizationKey", "00112233445566778899aabbccddee", CONFIG_REJECTED},
        {"AuthorizationKey", "not hexadecimal, not hexadecimal", CONFIG_REJECTED},
        {"SecurityProfile", "0", CONFIG_REJECTED}, /* never lower */
        {"SecurityProfile", "2", CONFIG_REJECTED}, /* no TLS */
        {"CpoName", "Seed", CONFIG_ACCEPTED},
        {"NoSuchKey", "1", CONFIG_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (change(rows[i].key, rows[i].value) != rows[i].result)
            fail_msg("%s=%s", rows[i].key, rows[i].value);
    }
    assert_string_equal(config_text(world.charger, "LocalPreAuthorize"), "true");
}

static void test_the_installer_may_more(void **state)
{
    (void)state;
    struct reason why;
    assert_true(charger_configure(world.charger, "LocalAuthListMaxLength", "2", &why));
    assert_int_equal(config_int(world.charger, "LocalAuthListMaxLength"), 2);
    assert_false(charger_configure(world.charger, "LocalAuthListMaxLength", "many", &why));
    assert_string_equal(why.text, "LocalAuthListMaxLength does not take the value \"many\"");
    assert_false(charger_configure(world.charger, "Nothing", "1", &why));
    assert_string_equal(why.text, "unknown configuration key \"Nothing\"");
}

static void test_reboot_required_waits_for_it(void **state)
{
    (void)state;
    assert_int_equal(change("ConnectorPhaseRotation", "1.RTS"), CONFIG_REBOOT);
    assert_string_equal(config_text(world.charger, "ConnectorPhaseRotation"), "0.RST");
    config_rebooted(world.charger);
    assert_string_equal(config_text(world.charger, "ConnectorPhaseRotation"), "1.RTS");
}

static void test_the_password_is_the_key_as_bytes(void **state)
{
    (void)state;
    struct strbuf out = {0};
    assert_true(config_password(world.charger, &out));
    assert_string_equal(out.at, "0123456789abcdef");
    strbuf_reset(&out);
    change("AuthorizationKey", "00ff2233445566778899aabbccddeeff");
    assert_true(config_password(world.charger, &out));
    assert_int_equal(out.len, 16);
    assert_memory_equal(out.at, "\0\xff\x22\x33", 4);
    strbuf_clear(&out);
}

static void test_a_refused_profile_falls_back(void **state)
{
    (void)state;
    struct strbuf out = {0};
    config_change(world.charger, "SecurityProfile", "0", true);
    assert_false(config_password(world.charger, &out));
    assert_int_equal(change("SecurityProfile", "1"), CONFIG_ACCEPTED);
    config_login_refused(world.charger);
    assert_int_equal(config_int(world.charger, "SecurityProfile"), 0);
    strbuf_clear(&out);
}

/* The answer to `keys`, judged by the table. */
static struct json *get(struct arena *arena, const char *request_text)
{
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    struct payload_report report;
    struct json *request = json_parse(arena, request_text, strlen(request_text), NULL, NULL);
    assert_int_equal(answer_get_configuration(world.charger, request, &out), OCPP_OK);
    struct json *json = json_parse(arena, arena_strdup(arena, text.at), text.len, NULL, NULL);
    strbuf_clear(&text);
    const struct action *action = version_action(&version_16, SPAN("GetConfiguration"));
    if (!payload_check(action->response, json, &report))
        fail_msg("%s: %s", report.faults[0].pointer, report.faults[0].message);
    return json;
}

static const struct json *find(const struct json *json, const char *key)
{
    for (const struct json *at = json_get(json, "configurationKey")->child; at; at = at->next) {
        if (text_is(json_gets(at, "key"), key))
            return at;
    }
    return NULL;
}

static void test_get_configuration(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct json *all = get(&arena, "{}");
    assert_true(json_get(all, "configurationKey")->count > 45);
    assert_null(json_get(all, "unknownKey"));
    assert_string_equal(json_gets(find(all, "NumberOfConnectors"), "value"), "2");
    assert_true(json_bool(json_get(find(all, "NumberOfConnectors"), "readonly"), false));
    assert_false(json_bool(json_get(find(all, "CpoName"), "readonly"), true));
    assert_null(json_get(find(all, "AuthorizationKey"), "value")); /* write only */
    struct json *some = get(&arena, "{\"key\":[\"cponame\",\"Nothing\",\"Heartbeatinterval\"]}");
    assert_int_equal(json_get(some, "configurationKey")->count, 2);
    assert_int_equal(json_get(some, "unknownKey")->count, 1);
    assert_string_equal(json_text(json_get(some, "unknownKey")->child), "Nothing");
    struct json *none = get(&arena, "{\"key\":[\"X\"]}");
    assert_int_equal(json_get(none, "configurationKey")->count, 0);
    arena_clear(&arena);
}

static void test_too_many_keys_at_once(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    struct json *request = json_new(&arena, JSON_OBJECT);
    struct json *keys = json_new(&arena, JSON_ARRAY);
    json_add(&arena, request, "key", keys);
    for (int i = 0; i < 51; i++)
        json_add(&arena, keys, NULL, json_new_string(&arena, SPAN("CpoName")));
    assert_int_equal(answer_get_configuration(world.charger, request, &out),
                     OCPP_OCCURRENCE_CONSTRAINT_VIOLATION);
    assert_int_equal(text.len, 0);
    strbuf_clear(&text);
    arena_clear(&arena);
}

/* Profile keys that the table of 1.6 and the whitepaper name. */
static void test_every_key_of_the_standard_is_there(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "AllowOfflineTxForUnknownId",
        "AuthorizationCacheEnabled",
        "AuthorizeRemoteTxRequests",
        "BlinkRepeat",
        "ClockAlignedDataInterval",
        "ConnectionTimeOut",
        "ConnectorPhaseRotation",
        "GetConfigurationMaxKeys",
        "LightIntensity",
        "MaxEnergyOnInvalidId",
        "MeterValuesAlignedData",
        "MinimumStatusDuration",
        "ResetRetries",
        "StopTransactionOnEVSideDisconnect",
        "StopTransactionOnInvalidId",
        "StopTxnAlignedData",
        "StopTxnSampledData",
        "SupportedFeatureProfiles",
        "TransactionMessageAttempts",
        "TransactionMessageRetryInterval",
        "UnlockConnectorOnEVSideDisconnect",
        "LocalAuthListEnabled",
        "SendLocalListMaxLength",
        "ReserveConnectorZeroSupported",
        "ChargeProfileMaxStackLevel",
        "ChargingScheduleAllowedChargingRateUnit",
        "ChargingScheduleMaxPeriods",
        "ConnectorSwitch3to1PhaseSupported",
        "MaxChargingProfilesInstalled",
        "SupportedFileTransferProtocols",
        "AdditionalRootCertificateCheck",
        "CertificateSignedMaxChainSize",
        "CertificateStoreMaxLength",
    };
    struct arena arena = {0};
    struct json *all = get(&arena, "{}");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (!find(all, keys[i]))
            fail_msg("%s", keys[i]);
    }
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults_come_from_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes_are_judged_by_type, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_installer_may_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reboot_required_waits_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_password_is_the_key_as_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_refused_profile_falls_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_get_configuration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_keys_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_key_of_the_standard_is_there, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

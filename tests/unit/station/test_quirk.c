/* Quirk packs: whom they fit, in which order switches are laid over each other, and what the
 * switches of Q13, Q15, Q17, Q26 and Q28 do. */
#include "fake.h"
#include "station/quirk.h"

static void test_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool fits;
    } rows[] = {
        {NULL, NULL, true},
        {NULL, "x", true},
        {"*", NULL, true},
        {"x", NULL, false},
        {"KEBA", "keba", true},
        {"keba", "KEBA AG", false},
        {"keba*", "KEBA AG", true},
        {"*AG", "KEBA AG", true},
        {"*b*", "KEBA AG", true},
        {"k*a*g", "KEBA AG", true},
        {"k*a*x", "KEBA AG", false},
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"**", "ab", true},
        {"a*b*c", "aXbXbXc", true},
        {"a*b*c", "aXcXb", false},
        {"*ab", "aab", true},
        {"abc*", "ab", false},
        {"%d.", "%d.", true},
        {"a?c", "abc", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (pattern_fits(rows[i].pattern, rows[i].text) != rows[i].fits)
            fail_msg("\"%s\" on \"%s\"", rows[i].pattern, rows[i].text);
    }
}

static const struct station_options *options_of(struct fake *f, const char *cp)
{
    return &station_find(f->st, cp)->options;
}

static void define(struct fake *f, const char *options)
{
    const struct quirk quirk = {.name = "q", .vendor = "V", .model = "M*", .options = options};
    station_quirks_define(f->st, &quirk, 1);
}

static void set(struct fake *f, const char *cp, const char *options)
{
    const struct charge_point_change change = {.security_profile = ABSENT, .options = options};
    struct reason why = {{0}};
    if (!station_register(f->st, cp, &change, &why, NULL, NULL))
        fail_msg("%s", why.text);
}

/* Defaults, then packs in order, then the operator. */
static void test_layers(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    static const struct quirk packs[] = {
        {.name = "all", .identity = "*", .options = "{\"replyDelayMs\":1,\"ratingW\":7000}"},
        {.name = "v", .vendor = "v", .options = "{\"replyDelayMs\":2,\"pongRequired\":false}"},
        {.name = "other", .vendor = "w", .options = "{\"replyDelayMs\":3}"},
        {.name = "old", .vendor = "V", .firmware = "1.*", .options = "{\"replyDelayMs\":4}"},
    };
    station_quirks_define(f->st, packs, ARRAY_LEN(packs));
    assert_int_equal(options_of(f, "CP1")->reply_delay_ms, 2);
    assert_int_equal(options_of(f, "CP1")->rating_w, 7000);
    assert_false(options_of(f, "CP1")->pong_required);
    const struct charge_point *cp = station_find(f->st, "CP1");
    size_t at = 0;
    assert_string_equal(station_quirk_next(f->st, cp, &at), "all");
    assert_string_equal(station_quirk_next(f->st, cp, &at), "v");
    assert_null(station_quirk_next(f->st, cp, &at));
    set(f, "CP1", "{\"replyDelayMs\":0,\"strict\":true}");
    assert_int_equal(options_of(f, "CP1")->reply_delay_ms, 0);
    assert_int_equal(options_of(f, "CP1")->rating_w, 7000);
    assert_true(options_of(f, "CP1")->strict);
    set(f, "CP1", "{}");
    assert_int_equal(options_of(f, "CP1")->reply_delay_ms, 2);
    set(f, "CP9", "{\"dc\":true}"); /* never seen: only what goes by the identity */
    assert_int_equal(options_of(f, "CP9")->reply_delay_ms, 1);
    assert_true(options_of(f, "CP9")->dc);
    station_quirks_define(f->st, NULL, 0);
    assert_int_equal(options_of(f, "CP1")->reply_delay_ms, 0);
    assert_true(options_of(f, "CP1")->pong_required);
    assert_true(options_of(f, "CP9")->dc);
    fake_free(f);
}

static void test_a_failed_change_leaves_them(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    define(f, "{\"replyDelayMs\":5}");
    f->fail = 1;
    set(f, "CP1", "{\"replyDelayMs\":9}");
    assert_int_equal(options_of(f, "CP1")->reply_delay_ms, 5);
    fake_free(f);
}

#define BOOT(vendor, firmware)                                                                     \
    "[2,\"b" firmware "\",\"BootNotification\",{\"chargePointVendor\":\"" vendor                   \
    "\",\"chargePointModel\":\"M\",\"firmwareVersion\":\"" firmware "\"}]"

static void test_boot_decides(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const struct quirk quirk = {
        .name = "q", .vendor = "V", .firmware = "1.*", .options = "{\"zoneMinutes\":60}"};
    station_quirks_define(f->st, &quirk, 1);
    assert_int_equal(options_of(f, "CP1")->zone_minutes, 0);
    say(f, "CP1", BOOT("V", "1.9"));
    assert_int_equal(options_of(f, "CP1")->zone_minutes, 60);
    say(f, "CP1", BOOT("V", "2.0"));
    assert_int_equal(options_of(f, "CP1")->zone_minutes, 0);
    fake_free(f);
}

static void test_validity(void **state)
{
    (void)state;
    static const struct {
        const char *options, *why;
    } rows[] = {
        {"{\"replyDelay\":1}", "replyDelay: unknown option; did you mean \"replyDelayMs\"?"},
        {"{\"energyUnit\":\"J\"}", "energyUnit: expected \"Wh\" or \"kWh\" or \"MWh\""},
        {"{\"powerUnit\":1}", "powerUnit: expected \"W\""},
        {"{\"tagCutAt\":\"12345678\"}", "tagCutAt: expected a text of at most 7 bytes"},
        {"{\"tagCutAt\":1}", "tagCutAt: expected a text"},
        {"{\"tagStrip\":1}", "tagStrip: expected true or false"},
        {"{\"profileShape\":\"Tx\"}", "profileShape: expected \"TxProfile\" or"},
        {"[]", "options: expected an object"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct quirk quirk = {.name = "q", .options = rows[i].options};
        struct reason why = {{0}};
        assert_false(quirk_valid(NULL, &quirk, &why));
        if (!strstr(why.text, rows[i].why))
            fail_msg("\"%s\" does not hold \"%s\"", why.text, rows[i].why);
    }
    const struct quirk good = {.name = "q",
                               .options = "{\"profileUnit\":\"W\",\"tagCutAt\":\"1234567\"}"};
    assert_true(quirk_valid(NULL, &good, NULL));
}

/* ---- what the switches do ---- */

static void test_missing_subprotocol(void **state) /* Q17 */
{
    (void)state;
    struct fake *f = fake_with_cp1();
    assert_null(station_assumed_version(f->st, "GRZ1"));
    static const struct quirk packs[] = {
        {.name = "i", .identity = "grz*", .options = "{\"assumeProtocol\":\"ocpp1.6\"}"},
        {.name = "v", .vendor = "V", .options = "{\"assumeProtocol\":\"ocpp1.6\"}"},
    };
    station_quirks_define(f->st, packs, 2);
    assert_ptr_equal(station_assumed_version(f->st, "GRZ1"), &version_16);
    assert_ptr_equal(station_assumed_version(f->st, "CP1"), &version_16);
    assert_null(station_assumed_version(f->st, "CP2"));
    fake_free(f);
}

static void test_tags(void **state) /* Q26 */
{
    (void)state;
    struct fake *f = fake_with_cp1();
    define(f, "{\"tagCutAt\":\"_#\",\"tagStrip\":true}");
    static const char *const tags[][2] = {{"04a2_17619300", "04A2"},
                                          {"04:a2 b3-c4#x", "04A2B3C4"},
                                          {"_04A2", "_04A2"},
                                          {" - ", " - "},
                                          {"04A2", "04A2"}};
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        char *call = xprintf("[2,\"%d\",\"Authorize\",{\"idTag\":\"%s\"}]", (int)i, tags[i][0]);
        say(f, "CP1", call);
        xfree(call);
        char *wanted = xprintf("idTag=%s purpose=authorize", tags[i][1]);
        assert_non_null(strstr(f->events.at[f->events.count - 1], wanted));
        xfree(wanted);
    }
    say(f, "CP1",
        "[2,\"s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"04A2_1\",\"meterStart\":0,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    assert_string_equal(station_transaction(f->st, 1)->id_tag, "04A2");
    /* The same card ends it, and so needs nobody's leave. */
    lines_clear(&f->events);
    say(f, "CP1",
        "[2,\"t\",\"StopTransaction\",{\"transactionId\":1,\"idTag\":\"04A2_2\",\"meterStop\":5,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    EXPECT_EVENTS(f, 0, "authorize");
    fake_free(f);
}

static void test_a_remote_start_finds_its_tag(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    define(f, "{\"tagCutAt\":\"_\"}");
    const struct command command = {.action = "RemoteStartTransaction",
                                    .payload = "{\"idTag\":\"04A2_X\",\"connectorId\":1}"};
    station_command(f->st, "CP1", &command, NULL, NULL, NULL);
    assert_non_null(station_pending(f->st, "CP1", 1));
    say(f, "CP1",
        "[2,\"s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"04A2_1761\",\"meterStart\":0,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    assert_null(station_pending(f->st, "CP1", 1));
    down(f, "CP1", 1);
    fake_free(f);
}

static void test_units(void **state) /* Q15 */
{
    (void)state;
    struct fake *f = fake_with_cp1();
    define(f, "{\"energyUnit\":\"kWh\",\"powerUnit\":\"kW\",\"currentUnit\":\"mA\"}");
    say(f, "CP1",
        "[2,\"m\",\"MeterValues\",{\"connectorId\":1,\"meterValue\":[{\"timestamp\":\"" NOW_TEXT
        "\",\"sampledValue\":[{\"value\":\"1.5\"},"
        "{\"value\":\"7.4\",\"measurand\":\"Power.Active.Import\",\"unit\":\"W\"},"
        "{\"value\":\"55\",\"measurand\":\"SoC\"}]}]}]");
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "METER energy=1500 power=7400 soc=55");
    fake_free(f);
}

static void on_done(void *ctx, const struct call_result *result)
{
    struct reason *why = ctx;
    reason_set(why, "%d %s", (int)result->outcome, result->why ? result->why : "");
}

static void test_no_boot_is_triggered(void **state) /* Q13 */
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct reason why = {{0}};
    define(f, "{\"noTriggerBoot\":true}");
    station_call(f->st, "CP1", "TriggerMessage", "{\"requestedMessage\":\"BootNotification\"}", 0,
                 on_done, &why);
    assert_non_null(strstr(why.text, "reboots it"));
    assert_int_equal(why.text[0] - '0', CALL_REFUSED);
    assert_int_equal(f->sent.count, 0);
    station_call(f->st, "CP1", "TriggerMessage", "{\"requestedMessage\":\"Heartbeat\"}", 0, on_done,
                 &why);
    assert_int_equal(f->sent.count, 1);
    down(f, "CP1", 1);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_a_failed_change_leaves_them),
        cmocka_unit_test(test_boot_decides),
        cmocka_unit_test(test_validity),
        cmocka_unit_test(test_missing_subprotocol),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_a_remote_start_finds_its_tag),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_no_boot_is_triggered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* BootNotification, Heartbeat and registration: rules B1 to B10, T14, W, and the default verdicts.
 */
#include "fake.h"

#define BOOT(id)                                                                                   \
    "[2,\"" id "\",\"BootNotification\",{\"chargePointVendor\":\"Gresgying\","                     \
    "\"chargePointModel\":\"F3\",\"firmwareVersion\":\"2.9\",\"meterSerialNumber\":\"\"}]"

static struct fake *fake_in(enum admission_mode mode)
{
    struct fake *f = fake_new();
    f->settings.registration = mode;
    station_free(f->st);
    fake_open(f);
    return f;
}

static enum registration registration_of(struct fake *f, const char *cp)
{
    return station_find(f->st, cp)->registration;
}

static void b1_b2_accepted_gets_the_heartbeat_interval(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1", BOOT("1"));
    EXPECT_SENT(f, "1 [3,\"1\",{\"status\":\"Accepted\",\"currentTime\":\"" NOW_TEXT
                   "\",\"interval\":300}]");
    EXPECT_ROWS(f, 1,
                "CHARGE_POINT id=CP1 registration=accepted vendor=Gresgying model=F3 "
                "firmware=2.9 version=1.6");
    fake_free(f);
}

static void b1_pending_gets_the_least_wait(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_PENDING);
    up(f, "NEW", 1);
    say(f, "NEW", BOOT("1"));
    EXPECT_SENT(f, "1 [3,\"1\",{\"status\":\"Pending\",\"currentTime\":\"" NOW_TEXT
                   "\",\"interval\":60}]");
    assert_false(station_find(f->st, "NEW")->registered);
    EXPECT_ROWS(f, 0, "DECISION");
    fake_free(f);
}

static void open_registration_accepts_and_stores_before_the_answer(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_OPEN);
    up(f, "NEW", 1);
    station_flush(f->st);
    f->hold = true;
    say(f, "NEW", BOOT("1"));
    EXPECT_NOTHING(f);
    store_release(f);
    assert_non_null(strstr(next_sent(f), "\"status\":\"Accepted\""));
    EXPECT_ROWS(f, 1, "CHARGE_POINT id=NEW registration=accepted");
    EXPECT_ROWS(f, 1, "DECISION event=boot verdict=Accepted");
    assert_true(station_find(f->st, "NEW")->registered);
    fake_free(f);
}

static void q12_open_registration_needs_no_boot(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_OPEN);
    up(f, "NEW", 1);
    say(f, "NEW", "[2,\"1\",\"Heartbeat\",{}]");
    EXPECT_SENT(f, "1 [3,\"1\",{\"currentTime\":\"" NOW_TEXT "\"}]");
    EXPECT_ROWS(f, 1, "CHARGE_POINT id=NEW registration=accepted");
    fake_free(f);
}

static void but_what_was_judged_pending_stays_pending(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_OPEN);
    policy_says(f, EVENT_BOOT, "Pending", NULL);
    up(f, "NEW", 1);
    say(f, "NEW", BOOT("1"));
    assert_non_null(strstr(next_sent(f), "\"Pending\""));
    say(f, "NEW", "[2,\"2\",\"Heartbeat\",{}]");
    assert_non_null(strstr(next_sent(f), "SecurityError"));
    f->scripts[EVENT_BOOT].listens = false;
    say(f, "NEW", BOOT("3"));
    assert_non_null(strstr(next_sent(f), "\"Pending\""));
    const struct charge_point_change change = {.registration = "pending",
                                               .security_profile = ABSENT};
    assert_true(station_register(f->st, "PUT", &change, NULL, NULL, NULL));
    up(f, "PUT", 2);
    say(f, "PUT", BOOT("1"));
    assert_non_null(strstr(next_sent(f), "\"Pending\""));
    fake_free(f);
}

static void a_registration_that_cannot_be_stored_is_taken_back(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_OPEN);
    up(f, "NEW", 1);
    station_flush(f->st);
    f->fail = 1;
    say(f, "NEW", BOOT("1"));
    EXPECT_SENT(f, "1 [4,\"1\",\"InternalError\",\"\",{}]");
    assert_int_equal(registration_of(f, "NEW"), REGISTRATION_PENDING);
    assert_false(station_find(f->st, "NEW")->registered);
    assert_false(station_find(f->st, "NEW")->boot_answered);
    say(f, "NEW", BOOT("2"));
    assert_non_null(strstr(next_sent(f), "\"status\":\"Accepted\""));
    fake_free(f);
}

static void a_policy_may_override_the_verdict_and_the_interval(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_PENDING);
    policy_says(f, EVENT_BOOT, "Accepted", "{\"interval\":90}");
    f->scripts[EVENT_BOOT].why = "ours";
    f->scripts[EVENT_BOOT].file = "05-boot.lua";
    up(f, "NEW", 1);
    say(f, "NEW", BOOT("1"));
    EXPECT_SENT(f, "1 [3,\"1\",{\"status\":\"Accepted\",\"currentTime\":\"" NOW_TEXT
                   "\",\"interval\":90}]");
    EXPECT_EVENTS(f, 1, "boot cp=NEW");
    EXPECT_ROWS(f, 1,
                "DECISION event=boot verdict=Accepted why=ours file=05-boot.lua generation=7");
    policy_says(f, EVENT_BOOT, "Accepted", "{\"interval\":-1}");
    say(f, "NEW", BOOT("0"));
    assert_non_null(strstr(next_sent(f), "\"interval\":0}"));
    policy_says(f, EVENT_BOOT, "Rejected", "{\"interval\":999999}");
    say(f, "NEW", BOOT("2"));
    EXPECT_SENT(f, "1 [3,\"2\",{\"status\":\"Rejected\",\"currentTime\":\"" NOW_TEXT
                   "\",\"interval\":86400}]"); /* B10 */
    assert_int_equal(registration_of(f, "NEW"), REGISTRATION_REJECTED);
    fake_free(f);
}

static void a_failing_policy_neither_opens_nor_closes_the_gate(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_OPEN);
    f->scripts[EVENT_BOOT] =
        (struct script){.listens = true, .kind = VERDICT_FAILED, .why = "boom"};
    up(f, "NEW", 1);
    say(f, "NEW", BOOT("1"));
    assert_non_null(strstr(next_sent(f), "\"status\":\"Pending\""));
    EXPECT_ROWS(f, 1, "DECISION event=boot verdict=Pending why=boom");
    accepted_cp(f, "CP1", 2);
    say(f, "CP1", BOOT("1"));
    assert_non_null(strstr(next_sent(f), "\"status\":\"Accepted\""));
    fake_free(f);
}

static void b3_pending_may_send_nothing_but_what_we_asked_for(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_PENDING);
    up(f, "NEW", 1);
    say(f, "NEW", "[2,\"1\",\"Heartbeat\",{}]");
    assert_non_null(strstr(next_sent(f), "[4,\"1\",\"SecurityError\","));
    say(f, "NEW", "[2,\"2\",\"StartTransaction\",{}]");
    assert_non_null(strstr(next_sent(f), "[4,\"2\",\"SecurityError\","));
    say(f, "NEW", BOOT("3"));
    next_sent(f);
    station_call(f->st, "NEW", "TriggerMessage", "{\"requestedMessage\":\"StatusNotification\"}", 0,
                 NULL, NULL);
    assert_non_null(strstr(next_sent(f), "TriggerMessage"));
    const char status[] = "[2,\"%d\",\"StatusNotification\",{\"connectorId\":%d,\"errorCode\":"
                          "\"NoError\",\"status\":\"Available\"}]";
    for (int i = 0; i < 2; i++) { /* one for each connector, before the answer (C2) */
        char *text = xprintf(status, 10 + i, i);
        say(f, "NEW", text);
        xfree(text);
        assert_non_null(strstr(next_sent(f), ",{}]"));
    }
    say(f, "NEW", "[2,\"4\",\"Heartbeat\",{}]");
    assert_non_null(strstr(next_sent(f), "[4,\"4\",\"SecurityError\","));
    pass(f, 60000);
    char *late = xprintf(status, 12, 1);
    say(f, "NEW", late);
    xfree(late);
    assert_non_null(strstr(next_sent(f), "[4,\"12\",\"SecurityError\","));
    fake_free(f);
}

static void b3_accept_tx_before_boot_saves_transactions(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_PENDING);
    const struct charge_point_change change = {.registration = "pending",
                                               .security_profile = ABSENT,
                                               .options = "{\"acceptTxBeforeBoot\":true}"};
    assert_true(station_register(f->st, "CP1", &change, NULL, NULL, NULL));
    up(f, "CP1", 1);
    say(f, "CP1",
        "[2,\"1\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":0,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    EXPECT_SENT(f, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Invalid\"},\"transactionId\":1}]");
    say(f, "CP1", "[2,\"2\",\"Authorize\",{\"idTag\":\"A\"}]");
    assert_non_null(strstr(next_sent(f), "SecurityError"));
    fake_free(f);
}

static void b4_rejected_may_only_boot(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const struct charge_point_change change = {.registration = "rejected",
                                               .security_profile = ABSENT,
                                               .options = "{\"acceptTxBeforeBoot\":true}"};
    assert_true(station_register(f->st, "CP1", &change, NULL, NULL, NULL));
    say(f, "CP1", "[2,\"1\",\"Heartbeat\",{}]");
    assert_non_null(strstr(next_sent(f), "SecurityError"));
    say(f, "CP1", "[2,\"2\",\"StartTransaction\",{}]");
    assert_non_null(strstr(next_sent(f), "SecurityError"));
    say(f, "CP1", BOOT("3"));
    assert_non_null(strstr(next_sent(f), "\"Rejected\""));
    fake_free(f);
}

static void b5_a_boot_ends_nothing(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1",
        "[2,\"1\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":0,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    say(f, "CP1",
        "[2,\"2\",\"StatusNotification\",{\"connectorId\":1,\"errorCode\":\"NoError\","
        "\"status\":\"Charging\"}]");
    down(f, "CP1", 1);
    up(f, "CP1", 2);
    say(f, "CP1", BOOT("3"));
    const struct transaction *tx = station_transaction(f->st, 1);
    assert_non_null(tx);
    assert_false(tx->stopped);
    assert_int_equal(tx->flags, 0);
    const struct connector *at = station_connector(station_find(f->st, "CP1"), 1, 1);
    assert_string_equal(at->status, "Charging");
    assert_int_equal(at->transaction_id, 1);
    fake_free(f);
}

static void b6_empty_is_absent_and_a_change_is_an_event(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1", BOOT("1"));
    EXPECT_ROWS(f, 1, "EVENT kind=boot_changed"); /* V → Gresgying, M → F3 */
    say(f, "CP1", BOOT("2"));
    EXPECT_ROWS(f, 1, "EVENT kind=boot_changed");
    say(f, "CP1",
        "[2,\"3\",\"BootNotification\",{\"chargePointVendor\":\"\",\"chargePointModel\":"
        "\"F3\",\"firmwareVersion\":\"3.0\"}]");
    const struct charge_point *cp = station_find(f->st, "CP1");
    assert_string_equal(cp->vendor, "Gresgying");
    assert_string_equal(cp->firmware, "3.0");
    assert_non_null(strstr(cp->boot_json, "\"chargePointVendor\":\"\""));
    EXPECT_ROWS(f, 2, "EVENT kind=boot_changed");
    say(f, "CP1", "[2,\"4\",\"BootNotification\",null]"); /* B6: nothing is needed */
    assert_string_equal(cp->boot_json, "{}");
    fake_free(f);
}

static void t14_accepted_stations_need_no_boot(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    down(f, "CP1", 1);
    up(f, "CP1", 2);
    say(f, "CP1", "[2,\"1\",\"Heartbeat\",{}]");
    EXPECT_SENT(f, "2 [3,\"1\",{\"currentTime\":\"" NOW_TEXT "\"}]");
    fake_free(f);
}

static void b10_heartbeat_answers_the_time(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    clock_advance(1500);
    say(f, "CP1", "[2,\"1\",\"Heartbeat\",{}]");
    EXPECT_SENT(f, "1 [3,\"1\",{\"currentTime\":\"2025-07-14T05:20:09Z\"}]");
    clock_advance(60000);
    say(f, "CP1", "[2,\"1\",\"Heartbeat\",{}]"); /* never a stale one, even for the same id */
    EXPECT_SENT(f, "1 [3,\"1\",{\"currentTime\":\"2025-07-14T05:21:09Z\"}]");
    fake_free(f);
}

static void delete_in_on_boot(struct fake *f, const struct event *event)
{
    if (event->kind == EVENT_BOOT)
        assert_true(station_delete(f->st, "NEW", NULL, NULL, NULL));
}

static void a_policy_may_delete_the_station_it_is_asked_about(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_OPEN);
    policy_hears(f, EVENT_BOOT);
    f->on_event = delete_in_on_boot;
    up(f, "NEW", 1);
    say(f, "NEW", BOOT("1"));
    EXPECT_NOTHING(f);
    assert_string_equal(f->closed.at[0], "1 4001 deleted");
    assert_null(station_find(f->st, "NEW"));
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(b1_b2_accepted_gets_the_heartbeat_interval),
        cmocka_unit_test(b1_pending_gets_the_least_wait),
        cmocka_unit_test(open_registration_accepts_and_stores_before_the_answer),
        cmocka_unit_test(q12_open_registration_needs_no_boot),
        cmocka_unit_test(but_what_was_judged_pending_stays_pending),
        cmocka_unit_test(a_registration_that_cannot_be_stored_is_taken_back),
        cmocka_unit_test(a_policy_may_override_the_verdict_and_the_interval),
        cmocka_unit_test(a_failing_policy_neither_opens_nor_closes_the_gate),
        cmocka_unit_test(b3_pending_may_send_nothing_but_what_we_asked_for),
        cmocka_unit_test(b3_accept_tx_before_boot_saves_transactions),
        cmocka_unit_test(b4_rejected_may_only_boot),
        cmocka_unit_test(b5_a_boot_ends_nothing),
        cmocka_unit_test(b6_empty_is_absent_and_a_change_is_an_event),
        cmocka_unit_test(t14_accepted_stations_need_no_boot),
        cmocka_unit_test(b10_heartbeat_answers_the_time),
        cmocka_unit_test(a_policy_may_delete_the_station_it_is_asked_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

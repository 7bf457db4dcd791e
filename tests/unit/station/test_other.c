/* DataTransfer, notifications, raw actions, observers, events of the lane: N6, W1 to W3, G9, R11.
 */
#include "fake.h"

static void data_transfer(struct fake *f, const char *id)
{
    char *text =
        xprintf("[2,\"%s\",\"DataTransfer\",{\"vendorId\":\"V\",\"messageId\":\"M\"}]", id);
    say(f, "CP1", text);
    xfree(text);
}

static void n6_data_transfer_is_answered_by_policies(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    data_transfer(f, "1");
    EXPECT_SENT(f, "1 [3,\"1\",{\"status\":\"UnknownVendorId\"}]");
    f->actions = " DataTransfer ";
    policy_says(f, EVENT_ACTION, "Accepted", "{\"data\":\"x\"}");
    data_transfer(f, "2");
    EXPECT_SENT(f, "1 [3,\"2\",{\"status\":\"Accepted\",\"data\":\"x\"}]");
    policy_says(f, EVENT_ACTION, NULL, "{\"status\":\"Rejected\",\"data\":{\"a\":[]}}");
    data_transfer(f, "3");
    EXPECT_SENT(f, "1 [3,\"3\",{\"status\":\"Rejected\",\"data\":\"{\\\"a\\\":[]}\"}]");
    policy_says(f, EVENT_ACTION, "UnknownMessageId", NULL);
    f->scripts[EVENT_ACTION].extra = "{\"data\":\"x\"}"; /* no data then */
    data_transfer(f, "4");
    EXPECT_SENT(f, "1 [3,\"4\",{\"status\":\"UnknownMessageId\"}]");
    f->scripts[EVENT_ACTION] = (struct script){.kind = VERDICT_NONE};
    data_transfer(f, "5");
    EXPECT_SENT(f, "1 [3,\"5\",{\"status\":\"UnknownVendorId\"}]");
    EXPECT_EVENTS(f, 4, "action action=DataTransfer observe=0");
    fake_free(f);
}

static void n6_a_failing_or_senseless_policy_is_an_internal_error(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->actions = " DataTransfer ";
    f->scripts[EVENT_ACTION] = (struct script){.kind = VERDICT_FAILED};
    data_transfer(f, "1");
    EXPECT_SENT(f, "1 [4,\"1\",\"InternalError\",\"\",{}]");
    policy_says(f, EVENT_ACTION, "Maybe", NULL); /* L4: never goes out */
    data_transfer(f, "2");
    EXPECT_SENT(f, "1 [4,\"2\",\"InternalError\",\"\",{}]");
    fake_free(f);
}

static void r11_unknown_actions_go_to_policies_that_listen(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->actions = " Foo ";
    policy_says(f, EVENT_ACTION, NULL, "{\"b\":[],\"n\":1.50}");
    say(f, "CP1", "[2,\"1\",\"Foo\",{\"a\":null}]");
    EXPECT_SENT(f, "1 [3,\"1\",{\"b\":[],\"n\":1.50}]");
    EXPECT_EVENTS(f, 1, "action action=Foo observe=0 data={\"a\":null}");
    policy_says(f, EVENT_ACTION, NULL, NULL);
    say(f, "CP1", "[2,\"2\",\"Foo\",{}]");
    EXPECT_SENT(f, "1 [3,\"2\",{}]");
    policy_says(f, EVENT_ACTION, NULL, "[1]");
    say(f, "CP1", "[2,\"3\",\"Foo\",{}]");
    EXPECT_SENT(f, "1 [4,\"3\",\"InternalError\",\"\",{}]");
    f->scripts[EVENT_ACTION].kind = VERDICT_NONE;
    say(f, "CP1", "[2,\"4\",\"Foo\",{}]");
    EXPECT_SENT(f, "1 [4,\"4\",\"NotImplemented\",\"\",{}]");
    f->scripts[EVENT_ACTION].kind = VERDICT_FAILED;
    say(f, "CP1", "[2,\"5\",\"Foo\",{}]");
    EXPECT_SENT(f, "1 [4,\"5\",\"InternalError\",\"\",{}]");
    fake_free(f);
}

static void observers_run_behind_the_answer_and_cannot_change_it(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->actions = " Heartbeat StatusNotification ";
    f->scripts[EVENT_ACTION] =
        (struct script){.kind = VERDICT_GIVEN, .extra = "{\"x\":1}", .later = true};
    say(f, "CP1", "[2,\"1\",\"Heartbeat\",{\"extra\":1}]");
    EXPECT_SENT(f, "1 [3,\"1\",{\"currentTime\":\"" NOW_TEXT "\"}]");
    say(f, "CP1", "[2,\"2\",\"Heartbeat\",{}]");
    EXPECT_NOTHING(f); /* the observer holds the lane */
    EXPECT_EVENTS(f, 1, "action action=Heartbeat observe=1 data={\"extra\":1}");
    policy_answer(f, &f->scripts[EVENT_ACTION]);
    EXPECT_SENT(f, "1 [3,\"2\",{\"currentTime\":\"" NOW_TEXT "\"}]");
    policy_answer(f, &f->scripts[EVENT_ACTION]);
    fake_free(f);
}

static void w1_w2_job_statuses_are_rows(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1", "[2,\"1\",\"DiagnosticsStatusNotification\",{\"status\":\"Uploaded\"}]");
    say(f, "CP1", "[2,\"2\",\"FirmwareStatusNotification\",{\"status\":\"Installed\"}]");
    say(f, "CP1", "[2,\"3\",\"LogStatusNotification\",{\"status\":\"Uploading\",\"requestId\":4}]");
    say(f, "CP1",
        "[2,\"4\",\"SignedFirmwareStatusNotification\",{\"status\":\"Brewing\","
        "\"requestId\":5}]");
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_SENT(f, "1 [3,\"2\",{}]");
    EXPECT_SENT(f, "1 [3,\"3\",{}]");
    EXPECT_SENT(f, "1 [3,\"4\",{}]");
    EXPECT_ROWS(f, 1, "JOB cp=CP1 kind=diagnostics status=Uploaded request=-");
    EXPECT_ROWS(f, 1, "JOB cp=CP1 kind=firmware status=Installed request=-");
    EXPECT_ROWS(f, 1, "JOB cp=CP1 kind=log status=Uploading request=4");
    EXPECT_ROWS(f, 1, "JOB cp=CP1 kind=firmware status=Brewing request=5");
    fake_free(f);
}

static void w3_security_events_and_g9_csrs_are_kept(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1",
        "[2,\"1\",\"SecurityEventNotification\",{\"type\":\"TamperDetectionActivated\","
        "\"timestamp\":\"2025-07-14T05:20:00Z\",\"techInfo\":\"lid\"}]");
    say(f, "CP1", "[2,\"2\",\"SecurityEventNotification\",{\"type\":\"SettingSystemTime\"}]");
    say(f, "CP1", "[2,\"3\",\"SignCertificate\",{\"csr\":\"-----BEGIN\\n\"}]");
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_SENT(f, "1 [3,\"2\",{}]");
    EXPECT_SENT(f, "1 [3,\"3\",{\"status\":\"Accepted\"}]");
    EXPECT_ROWS(f, 1, "SECURITY type=TamperDetectionActivated info=lid ts=1752470400000");
    EXPECT_ROWS(f, 1, "SECURITY type=SettingSystemTime info=- ts=1752470408000");
    EXPECT_ROWS(f, 1, "EVENT kind=sign_certificate detail={\"csr\":\"-----BEGIN\\n\"}");
    fake_free(f);
}

static void at_most_four_outside_events_wait(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_hears(f, EVENT_ONLINE);
    policy_hears(f, EVENT_OFFLINE);
    f->scripts[EVENT_OFFLINE].later = true;
    uint64_t connection = 1;
    for (int i = 0; i < 3; i++) { /* one runs, four wait */
        down(f, "CP1", connection);
        up(f, "CP1", ++connection);
    }
    assert_int_equal(station_counters(f->st)->events_dropped[EVENT_ONLINE], 1);
    assert_int_equal(station_counters(f->st)->events_dropped[EVENT_OFFLINE], 0);
    EXPECT_EVENTS(f, 1, "offline");
    EXPECT_EVENTS(f, 0, "online");
    while (f->waiting_count > 0)
        policy_answer(f, &(struct script){0});
    EXPECT_EVENTS(f, 2, "online");
    EXPECT_EVENTS(f, 3, "offline");
    fake_free(f);
}

static void on_online_holds_up_no_call(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    down(f, "CP1", 1);
    policy_hears(f, EVENT_ONLINE);
    f->scripts[EVENT_ONLINE].later = true;
    up(f, "CP1", 2);
    /* The handler waits for a command, which waits for the boot (B9). */
    station_call(f->st, "CP1", "ClearCache", "{}", 0, NULL, NULL);
    EXPECT_NOTHING(f);
    say(f, "CP1", "[2,\"1\",\"BootNotification\",{}]");
    assert_non_null(strstr(next_sent(f), "\"Accepted\""));
    assert_non_null(strstr(next_sent(f), "\"ClearCache\""));
    assert_true(station_delete(f->st, "CP1", NULL, NULL, NULL)); /* while it still waits */
    policy_answer(f, &(struct script){0});
    fake_free(f);
}

static void call_in_on_status(struct fake *f, const struct event *event)
{
    if (event->kind == EVENT_STATUS)
        station_call(f->st, "CP1", "ClearCache", "{}", 0, NULL, NULL);
}

static void b9_a_boot_behind_a_handler_that_waits_for_a_command(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    up(f, "CP1", 2);
    policy_hears(f, EVENT_STATUS);
    f->scripts[EVENT_STATUS].later = true;
    f->on_event = call_in_on_status;
    say(f, "CP1", "[2,\"1\",\"StatusNotification\",{\"connectorId\":1,\"status\":\"Available\"}]");
    EXPECT_SENT(f, "2 [3,\"1\",{}]");
    say(f, "CP1", "[2,\"2\",\"BootNotification\",{}]");
    pass(f, 10000); /* the wait is bounded, or both would wait for each other */
    assert_non_null(strstr(next_sent(f), "\"ClearCache\""));
    policy_answer(f, &(struct script){0});
    assert_non_null(strstr(next_sent(f), "[3,\"2\",{\"status\":\"Accepted\""));
    down(f, "CP1", 2);
    fake_free(f);
}

static void online_and_offline(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_hears(f, EVENT_ONLINE);
    policy_hears(f, EVENT_OFFLINE);
    down(f, "CP1", 1);
    up(f, "CP1", 2);
    EXPECT_EVENTS(f, 1, "offline cp=CP1");
    EXPECT_EVENTS(f, 1, "online cp=CP1");
    fake_free(f);
}

static void delete_in_event(struct fake *f, const struct event *event)
{
    if (event->kind == EVENT_ONLINE)
        assert_true(station_delete(f->st, event->cp, NULL, NULL, NULL));
}

static void on_online_may_delete_the_station(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_hears(f, EVENT_ONLINE);
    f->on_event = delete_in_event;
    down(f, "CP1", 1);
    up(f, "CP1", 2);
    assert_null(station_find(f->st, "CP1"));
    assert_string_equal(f->closed.at[0], "2 4001 deleted");
    fake_free(f);
}

static void rows_without_a_promise_are_one_batch_a_turn(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    size_t before = f->batches;
    for (int i = 0; i < 10; i++) {
        char *text = xprintf("[2,\"%d\",\"StatusNotification\",{\"connectorId\":1,\"errorCode\":"
                             "\"NoError\",\"status\":\"S%d\"}]",
                             i, i);
        say(f, "CP1", text);
        xfree(text);
    }
    assert_int_equal(f->batches, before);
    assert_false(station_idle(f->st));
    station_flush(f->st);
    assert_int_equal(f->batches, before + 1);
    assert_true(station_idle(f->st));
    station_flush(f->st);
    assert_int_equal(f->batches, before + 1);
    fake_free(f);
}

static void an_older_snapshot_never_overwrites_a_newer_one(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1",
        "[2,\"1\",\"StatusNotification\",{\"connectorId\":1,\"errorCode\":\"NoError\","
        "\"status\":\"Preparing\"}]");
    say(f, "CP1",
        "[2,\"2\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":0,"
        "\"timestamp\":\"2025-07-14T05:20:00Z\"}]");
    size_t last = 0;
    station_flush(f->st);
    for (size_t i = 0; i < f->rows.count; i++) {
        if (strncmp(f->rows.at[i], "CONNECTOR", 9) == 0)
            last = i;
    }
    assert_non_null(strstr(f->rows.at[last], "newestStart=1752470400000"));
    EXPECT_ROWS(f, 2, "CONNECTOR");
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(n6_data_transfer_is_answered_by_policies),
        cmocka_unit_test(n6_a_failing_or_senseless_policy_is_an_internal_error),
        cmocka_unit_test(r11_unknown_actions_go_to_policies_that_listen),
        cmocka_unit_test(observers_run_behind_the_answer_and_cannot_change_it),
        cmocka_unit_test(w1_w2_job_statuses_are_rows),
        cmocka_unit_test(w3_security_events_and_g9_csrs_are_kept),
        cmocka_unit_test(at_most_four_outside_events_wait),
        cmocka_unit_test(on_online_holds_up_no_call),
        cmocka_unit_test(b9_a_boot_behind_a_handler_that_waits_for_a_command),
        cmocka_unit_test(online_and_offline),
        cmocka_unit_test(on_online_may_delete_the_station),
        cmocka_unit_test(rows_without_a_promise_are_one_batch_a_turn),
        cmocka_unit_test(an_older_snapshot_never_overwrites_a_newer_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* StartTransaction: rules X1 to X6, X12, X15, A5, A6, Q1, Q5, Q6, B11. */
#include "fake.h"

#define T0 "2025-07-14T05:20:00Z"
static const wall_t T0_MS = 1752470400000;

static void start(struct fake *f, const char *id, int connector, const char *tag, const char *meter,
                  const char *time)
{
    char *text = xprintf("[2,\"%s\",\"StartTransaction\",{\"connectorId\":%d,\"idTag\":\"%s\","
                         "\"meterStart\":%s,\"timestamp\":\"%s\"}]",
                         id, connector, tag, meter, time);
    say(f, "CP1", text);
    xfree(text);
}

static void expect_answer(struct fake *f, const char *id, const char *status, int tx)
{
    char *text = xprintf("1 [3,\"%s\",{\"idTagInfo\":{\"status\":\"%s\"},\"transactionId\":%d}]",
                         id, status, tx);
    EXPECT_SENT(f, text);
    xfree(text);
}

static void x4_is_stored_before_it_is_answered(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_hears(f, EVENT_START);
    f->hold = true;
    start(f, "1", 2, "Ab", "100", T0);
    EXPECT_NOTHING(f);
    assert_null(station_transaction(f->st, 1));
    store_release(f);
    expect_answer(f, "1", "Accepted", 1);
    EXPECT_ROWS(f, 1,
                "START id=1 cp=CP1 evse=2 connector=1 idTag=Ab start=1752470400000 text=" T0
                " meter=100 meterText=100 verdict=Accepted flags=0 generation=7");
    EXPECT_ROWS(f, 1, "DECISION event=start idTag=Ab evse=2 verdict=Accepted");
    EXPECT_ROWS(f, 1, "CONNECTOR evse=2 connector=1 newestStart=1752470400000");
    EXPECT_EVENTS(f, 1, "authorize idTag=AB purpose=start connector=2");
    EXPECT_EVENTS(f, 1, "start cp=CP1 connector=2 tx=1");
    const struct transaction *tx = station_transaction(f->st, 1);
    assert_string_equal(tx->id_tag, "Ab");
    assert_int_equal(tx->start_ms, T0_MS);
    assert_int_equal(station_connector(station_find(f->st, "CP1"), 2, 1)->transaction_id, 1);
    fake_free(f);
}

static void x4_q3_a_failing_store_is_an_internal_error(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_hears(f, EVENT_START);
    f->fail = 1;
    start(f, "1", 1, "A", "0", T0);
    EXPECT_SENT(f, "1 [4,\"1\",\"InternalError\",\"\",{}]");
    assert_null(station_transaction(f->st, 1));
    EXPECT_EVENTS(f, 0, "start");
    start(f, "2", 1, "A", "0", T0); /* the charger repeats */
    expect_answer(f, "2", "Accepted", 1);
    EXPECT_EVENTS(f, 1, "start");
    f->fail = 1; /* this time the look for a repeat fails */
    start(f, "3", 1, "A", "0", T0);
    EXPECT_SENT(f, "1 [4,\"3\",\"InternalError\",\"\",{}]");
    fake_free(f);
}

static void x1_is_answered_whatever_it_holds(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const char *const payloads[] = {
        "{}",
        "{\"connectorId\":-5,\"idTag\":\"A\",\"meterStart\":\"abc\",\"timestamp\":\"yesterday\"}",
        "{\"connectorId\":\"x\",\"idTag\":{},\"meterStart\":null,\"timestamp\":7}",
        "{\"connectorId\":999999,\"idTag\":\"\",\"meterStart\":-1,\"timestamp\":\"\"}",
        "{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":1e99,\"timestamp\":\"" T0 "\"}"};
    for (int i = 0; i < (int)ARRAY_LEN(payloads); i++) {
        char *text = xprintf("[2,\"%d\",\"StartTransaction\",%s]", i, payloads[i]);
        say(f, "CP1", text);
        xfree(text);
        char *answer =
            xprintf("1 [3,\"%d\",{\"idTagInfo\":{\"status\":\"Accepted\"},\"transactionId\":%d}]",
                    i, i + 1);
        EXPECT_SENT(f, answer);
        xfree(answer);
        clock_advance(1);
    }
    EXPECT_ROWS(f, 1, "START id=1 evse=0 connector=0 idTag=- meter=- text=- flags=134");
    EXPECT_ROWS(f, 1, "START id=2 evse=-5 meter=- meterText=abc text=yesterday flags=134");
    EXPECT_ROWS(f, 1, "START id=5 meter=- meterText=1e99 flags=4");
    fake_free(f);
}

static void x11_the_meter_is_rounded_and_its_text_kept(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    start(f, "1", 1, "A", "\" 12,5\"", T0);
    start(f, "2", 2, "A", "\"7\"", T0);
    start(f, "3", 3, "A", "7.4", T0);
    EXPECT_ROWS(f, 1, "START id=1 meter=13 flags=0");
    EXPECT_ROWS(f, 1, "START id=2 meter=7 meterText=7 flags=0");
    EXPECT_ROWS(f, 1, "START id=3 meter=7 meterText=7.4 flags=0");
    fake_free(f);
}

static void x2_ids_are_unique_over_all_chargers(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    accepted_cp(f, "CP2", 2);
    start(f, "1", 1, "A", "0", T0);
    say(f, "CP2",
        "[2,\"1\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":0,"
        "\"timestamp\":\"" T0 "\"}]");
    expect_answer(f, "1", "Accepted", 1);
    EXPECT_SENT(f, "2 [3,\"1\",{\"idTagInfo\":{\"status\":\"Accepted\"},\"transactionId\":2}]");
    fake_free(f);
}

static void x3_q1_a_repeat_with_a_new_id_is_recognised(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_hears(f, EVENT_START);
    start(f, "1", 1, "ab", "100", T0);
    expect_answer(f, "1", "Accepted", 1);
    policy_says(f, EVENT_AUTHORIZE, "Blocked", NULL); /* A5: it is not judged again */
    down(f, "CP1", 1);
    clock_advance(3 * 86400000LL);
    up(f, "CP1", 1);
    start(f, "2", 1, "AB", "100", "2025-07-14T07:20:00.000+02:00");
    expect_answer(f, "2", "Accepted", 1);
    EXPECT_ROWS(f, 1, "START");
    EXPECT_ROWS(f, 1, "DECISION");
    EXPECT_EVENTS(f, 1, "start");
    EXPECT_EVENTS(f, 1, "authorize");
    assert_int_equal(station_counters(f->st)->repeats, 1);
    fake_free(f);
}

static void x3_a_refused_start_keeps_its_verdict(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_says(f, EVENT_AUTHORIZE, "ConcurrentTx",
                "{\"parentIdTag\":\"G\",\"expiryDate\":\"2030-01-01\"}");
    start(f, "1", 1, "A", "100", T0);
    policy_says(f, EVENT_AUTHORIZE, "Accepted", NULL);
    start(f, "2", 1, "A", "100", T0);
    next_sent(f);
    EXPECT_SENT(f, "1 [3,\"2\",{\"idTagInfo\":{\"status\":\"ConcurrentTx\",\"parentIdTag\":\"G\","
                   "\"expiryDate\":\"2030-01-01T00:00:00Z\"},\"transactionId\":1}]");
    fake_free(f);
}

static void x3_other_keys_are_other_transactions(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    start(f, "1", 1, "A", "100", T0);
    start(f, "2", 2, "A", "100", T0);
    start(f, "3", 1, "B", "100", T0);
    start(f, "4", 1, "A", "101", T0);
    start(f, "5", 1, "A", "100", "2025-07-14T05:19:59Z");
    EXPECT_ROWS(f, 5, "START");
    fake_free(f);
}

static void x3_a_repeat_right_behind_the_first(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->hold = true;
    start(f, "1", 1, "A", "100", T0);
    start(f, "2", 1, "A", "100", T0);
    store_release(f);
    expect_answer(f, "1", "Accepted", 1);
    expect_answer(f, "2", "Accepted", 1);
    EXPECT_ROWS(f, 1, "START");
    fake_free(f);
}

static void x3_a_repeat_without_a_time(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const char text[] = "[2,\"%s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\","
                        "\"meterStart\":5}]";
    const char *const ids[] = {"1", "2"};
    for (size_t i = 0; i < 2; i++) {
        char *frame = xprintf(text, ids[i]);
        say(f, "CP1", frame);
        xfree(frame);
        expect_answer(f, ids[i], "Accepted", 1);
    }
    EXPECT_ROWS(f, 1, "START flags=130");
    fake_free(f);
}

static void x5_late_starts_are_flagged_and_stored_alike(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    start(f, "1", 1, "A", "0", "2025-07-14T01:00:00Z");
    expect_answer(f, "1", "Accepted", 1);
    EXPECT_ROWS(f, 1, "START id=1 flags=64");
    fake_free(f);
}

static void x5_an_older_start_does_not_take_the_connector(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    start(f, "1", 1, "A", "0", T0);
    start(f, "2", 1, "B", "0", "2025-07-14T01:00:00Z");
    assert_int_equal(station_connector(station_find(f->st, "CP1"), 1, 1)->transaction_id, 1);
    assert_int_equal(station_transaction(f->st, 1)->flags, 0);
    EXPECT_ROWS(f, 0, "TX_VARS");
    fake_free(f);
}

static void x6_q5_q6_a_refused_start_is_a_transaction(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_says(f, EVENT_AUTHORIZE, "Blocked", NULL);
    f->scripts[EVENT_AUTHORIZE].why = "lost";
    start(f, "1", 1, "A", "0", T0);
    expect_answer(f, "1", "Blocked", 1);
    EXPECT_ROWS(f, 1, "START id=1 verdict=Blocked flags=1");
    EXPECT_ROWS(f, 1, "DECISION event=start verdict=Blocked why=lost");
    assert_int_equal(station_transaction(f->st, 1)->flags, TX_REFUSED);
    fake_free(f);
}

static void a7_x1_a_failing_policy_does_not_cost_the_record(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->scripts[EVENT_AUTHORIZE] = (struct script){.listens = true, .kind = VERDICT_FAILED};
    start(f, "1", 1, "A", "0", T0);
    expect_answer(f, "1", "Blocked", 1);
    EXPECT_ROWS(f, 1, "START id=1 verdict=Blocked flags=1");
    fake_free(f);
}

static void q27_reservation_0_is_none(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1",
        "[2,\"1\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":0,"
        "\"reservationId\":0,\"timestamp\":\"" T0 "\"}]");
    say(f, "CP1",
        "[2,\"2\",\"StartTransaction\",{\"connectorId\":2,\"idTag\":\"A\",\"meterStart\":0,"
        "\"reservationId\":5,\"timestamp\":\"" T0 "\"}]");
    EXPECT_ROWS(f, 1, "START id=1 reservation=-");
    EXPECT_ROWS(f, 1, "START id=2 reservation=5");
    fake_free(f);
}

static void x12_a_gap_between_stop_and_start_is_an_event(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    start(f, "1", 1, "A", "100", T0);
    say(f, "CP1",
        "[2,\"2\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":200,"
        "\"timestamp\":\"2025-07-14T05:20:01Z\"}]");
    start(f, "3", 1, "A", "200", "2025-07-14T05:20:02Z");
    EXPECT_ROWS(f, 0, "EVENT kind=meter_gap");
    say(f, "CP1",
        "[2,\"4\",\"StopTransaction\",{\"transactionId\":2,\"meterStop\":300,"
        "\"timestamp\":\"2025-07-14T05:20:03Z\"}]");
    start(f, "5", 1, "A", "350", "2025-07-14T05:20:04Z");
    EXPECT_ROWS(f, 1,
                "EVENT kind=meter_gap "
                "detail={\"connector\":1,\"lastMeterStop\":300,\"meterStart\":350}");
    EXPECT_ROWS(f, 1, "START id=3 flags=32");
    fake_free(f);
}

static void x15_a_later_start_makes_the_open_one_stale(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    start(f, "1", 1, "A", "100", T0);
    start(f, "2", 2, "A", "100", T0); /* another connector */
    start(f, "3", 1, "A", "200", "2025-07-14T05:20:05Z");
    EXPECT_ROWS(f, 1, "TX_VARS id=1 flags=8");
    EXPECT_ROWS(f, 1, "TX_VARS");
    const struct transaction *tx = station_transaction(f->st, 1);
    assert_non_null(tx); /* open still */
    assert_int_equal(tx->flags, TX_STALE);
    assert_int_equal(station_connector(station_find(f->st, "CP1"), 1, 1)->transaction_id, 3);
    fake_free(f);
}

static void b11_a_clock_that_is_not_set(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    start(f, "1", 1, "A", "100", "1970-01-01T00:01:00Z");
    EXPECT_ROWS(f, 1, "START id=1 start=60000 received=1752470408000 flags=2");
    EXPECT_ROWS(f, 1, "EVENT kind=clock_not_set");
    assert_int_equal(station_transaction(f->st, 1)->start_ms, TEST_NOW); /* order by receipt */
    start(f, "2", 1, "A", "100", "1970-01-01T00:01:00Z");                /* X3 works all the same */
    expect_answer(f, "1", "Accepted", 1);
    expect_answer(f, "2", "Accepted", 1);
    EXPECT_ROWS(f, 1, "START");
    EXPECT_ROWS(f, 1, "EVENT kind=clock_not_set"); /* once a connection */
    fake_free(f);
}

static void b11_a_clock_that_stands_still_does_not_merge_transactions(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    start(f, "1", 1, "A", "100", "1970-01-01T00:00:00Z");
    say(f, "CP1",
        "[2,\"2\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":100,"
        "\"timestamp\":\"1970-01-01T00:00:00Z\"}]");
    start(f, "3", 1, "A", "100", "1970-01-01T00:00:00Z");
    next_sent(f);
    next_sent(f);
    expect_answer(f, "3", "Accepted", 2);
    fake_free(f);
}

static void b11_times_without_zone_use_the_station_s(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    start(f, "1", 1, "A", "1", "2025-07-14T05:20:00"); /* UTC by default */
    const struct charge_point_change zone = {.security_profile = ABSENT,
                                             .options = "{\"zoneMinutes\":120}"};
    assert_true(station_register(f->st, "CP1", &zone, NULL, NULL, NULL));
    start(f, "2", 2, "A", "1", "2025-07-14 07:20:00.123456789");
    EXPECT_ROWS(f, 1, "START id=1 start=1752470400000");
    EXPECT_ROWS(f, 1, "START id=2 start=1752470400123");
    fake_free(f);
}

static void the_socket_may_go_while_policies_think(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->scripts[EVENT_AUTHORIZE].later = true;
    start(f, "1", 1, "A", "0", T0);
    down(f, "CP1", 1);
    const struct script accepted = {.kind = VERDICT_GIVEN, .word = "Accepted"};
    policy_answer(f, &accepted);
    EXPECT_NOTHING(f);
    EXPECT_ROWS(f, 1, "START id=1");
    assert_non_null(station_transaction(f->st, 1));
    fake_free(f);
}

static void the_station_may_be_deleted_while_the_store_writes(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->hold = true;
    start(f, "1", 1, "A", "0", T0);
    assert_true(station_delete(f->st, "CP1", NULL, NULL, NULL));
    store_release(f);
    EXPECT_NOTHING(f);
    assert_non_null(station_transaction(f->st, 1));
    EXPECT_ROWS(f, 1, "CHARGE_POINT_DELETE id=CP1");
    fake_free(f);
}

static void deleted_before_the_verdict_nothing_brings_the_station_back(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->scripts[EVENT_AUTHORIZE].later = true;
    start(f, "1", 1, "A", "0", T0);
    assert_true(station_delete(f->st, "CP1", NULL, NULL, NULL));
    const struct script accepted = {.kind = VERDICT_GIVEN, .word = "Accepted"};
    policy_answer(f, &accepted);
    EXPECT_ROWS(f, 1, "START id=1");
    EXPECT_ROWS(f, 0, "CONNECTOR");
    EXPECT_ROWS(f, 0, "CHARGE_POINT");
    fake_free(f);
}

static void events_run_before_the_next_call(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_hears(f, EVENT_START);
    f->scripts[EVENT_START].later = true;
    start(f, "1", 1, "A", "0", T0);
    expect_answer(f, "1", "Accepted", 1); /* answered already */
    say(f, "CP1", "[2,\"2\",\"Heartbeat\",{}]");
    EXPECT_NOTHING(f);
    policy_answer(f, &(struct script){0});
    assert_non_null(strstr(next_sent(f), "currentTime"));
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x4_is_stored_before_it_is_answered),
        cmocka_unit_test(x4_q3_a_failing_store_is_an_internal_error),
        cmocka_unit_test(x1_is_answered_whatever_it_holds),
        cmocka_unit_test(x11_the_meter_is_rounded_and_its_text_kept),
        cmocka_unit_test(x2_ids_are_unique_over_all_chargers),
        cmocka_unit_test(x3_q1_a_repeat_with_a_new_id_is_recognised),
        cmocka_unit_test(x3_a_refused_start_keeps_its_verdict),
        cmocka_unit_test(x3_other_keys_are_other_transactions),
        cmocka_unit_test(x3_a_repeat_right_behind_the_first),
        cmocka_unit_test(x3_a_repeat_without_a_time),
        cmocka_unit_test(x5_late_starts_are_flagged_and_stored_alike),
        cmocka_unit_test(x5_an_older_start_does_not_take_the_connector),
        cmocka_unit_test(x6_q5_q6_a_refused_start_is_a_transaction),
        cmocka_unit_test(a7_x1_a_failing_policy_does_not_cost_the_record),
        cmocka_unit_test(q27_reservation_0_is_none),
        cmocka_unit_test(x12_a_gap_between_stop_and_start_is_an_event),
        cmocka_unit_test(x15_a_later_start_makes_the_open_one_stale),
        cmocka_unit_test(b11_a_clock_that_is_not_set),
        cmocka_unit_test(b11_a_clock_that_stands_still_does_not_merge_transactions),
        cmocka_unit_test(b11_times_without_zone_use_the_station_s),
        cmocka_unit_test(the_socket_may_go_while_policies_think),
        cmocka_unit_test(the_station_may_be_deleted_while_the_store_writes),
        cmocka_unit_test(deleted_before_the_verdict_nothing_brings_the_station_back),
        cmocka_unit_test(events_run_before_the_next_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* StopTransaction: rules X7 to X13, X15, A4, Q4, Q5, Q7 to Q9. */
#include "fake.h"

#define T1 "2025-07-14T05:20:05Z"

/* Transaction 1 of CP1: connector 1, tag A of group G, from 100 Wh. */
static struct fake *fake_with_transaction(void)
{
    struct fake *f = fake_with_cp1();
    policy_says(f, EVENT_AUTHORIZE, "Accepted", "{\"parentIdTag\":\"G\"}");
    policy_hears(f, EVENT_STOP);
    say(f, "CP1",
        "[2,\"start\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":100,"
        "\"timestamp\":\"2025-07-14T05:20:00Z\"}]");
    next_sent(f);
    lines_clear(&f->events);
    return f;
}

static void stop(struct fake *f, const char *id, const char *members)
{
    char *text = xprintf("[2,\"%s\",\"StopTransaction\",{%s}]", id, members);
    say(f, "CP1", text);
    xfree(text);
}

#define STOP(tx, meter) "\"transactionId\":" tx ",\"meterStop\":" meter ",\"timestamp\":\"" T1 "\""

static void stopped_in_on_stop(struct fake *f, const struct event *event)
{
    if (event->kind != EVENT_STOP)
        return;
    const struct transaction *tx = station_transaction(f->st, event->transaction_id);
    assert_non_null(tx);
    assert_true(tx->stopped);
    assert_int_equal(tx->energy_wh, 250);
    assert_int_equal(transaction_energy_wh(tx), 250);
    assert_string_equal(tx->reason, "EVDisconnected");
    size_t at = 0;
    assert_null(station_transaction_next(f->st, &at)); /* it is not open any more */
    assert_int_equal(station_connector(station_find(f->st, "CP1"), 1, 1)->transaction_id, 0);
}

static void x4_is_stored_before_it_is_answered(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->on_event = stopped_in_on_stop;
    f->hold = true;
    stop(f, "1", STOP("1", "350") ",\"reason\":\"EVDisconnected\"");
    EXPECT_NOTHING(f);
    assert_false(station_transaction(f->st, 1)->stopped);
    store_release(f);
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_ROWS(f, 1, "STOP id=1 meter=350 reason=EVDisconnected energy=250 flags=0 idTag=-");
    EXPECT_ROWS(f, 1, "CONNECTOR evse=1 lastMeterStop=350");
    EXPECT_EVENTS(f, 1, "stop cp=CP1 connector=1 tx=1");
    assert_null(station_transaction(f->st, 1)); /* forgotten after on.stop */
    fake_free(f);
}

static void x4_a_failing_store_is_an_internal_error(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->fail = 1;
    stop(f, "1", STOP("1", "350"));
    EXPECT_SENT(f, "1 [4,\"1\",\"InternalError\",\"\",{}]");
    assert_false(station_transaction(f->st, 1)->stopped);
    EXPECT_EVENTS(f, 0, "stop");
    stop(f, "2", STOP("1", "350"));
    EXPECT_SENT(f, "1 [3,\"2\",{}]");
    EXPECT_EVENTS(f, 1, "stop");
    fake_free(f);
}

/* What is beyond any register is kept as text, and no number is made of it. */
static void x11_a_meter_of_no_real_register_is_none(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1",
        "[2,\"s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":"
        "-9223372036854775807,\"timestamp\":\"2025-07-14T05:20:00Z\"}]");
    EXPECT_ROWS(f, 1, "START id=1 meter=- meterText=-9223372036854775807 flags=4");
    stop(f, "1", STOP("1", "9223372036854775807"));
    EXPECT_ROWS(f, 1, "STOP id=1 meter=- flags=4");
    fake_free(f);
    f = fake_with_transaction();
    stop(f, "1", STOP("1", "9223372036854775807"));
    EXPECT_ROWS(f, 1, "STOP id=1 meter=- energy=- flags=4");
    fake_free(f);
}

static void x7_q3_an_unknown_id_is_answered_and_kept(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    stop(f, "1", STOP("4711", "5") ",\"idTag\":\"A\"");
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_ROWS(
        f, 1,
        "ORPHAN cp=CP1 action=StopTransaction payload={" STOP("4711", "5") ",\"idTag\":\"A\"}");
    f->fail = 2;
    stop(f, "2", STOP("4711", "5"));
    EXPECT_SENT(f, "1 [4,\"2\",\"InternalError\",\"\",{}]");
    fake_free(f);
}

static void x7_q8_ids_of_other_chargers_are_unknown(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    accepted_cp(f, "CP2", 2);
    say(f, "CP2", "[2,\"1\",\"StopTransaction\",{" STOP("1", "999") "}]");
    EXPECT_SENT(f, "2 [3,\"1\",{}]");
    EXPECT_ROWS(f, 1, "ORPHAN cp=CP2");
    EXPECT_ROWS(f, 0, "STOP");
    assert_false(station_transaction(f->st, 1)->stopped);
    fake_free(f);
}

static void x8_q4_an_id_that_cannot_be_ours_is_attached_by_tag_and_meter(void **state)
{
    (void)state;
    const char *const ids[] = {"-1",       "0",   "9223372036854775807", "2147483648", "\"\"", "-7",
                               "\"none\"", "1e40"};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        struct fake *f = fake_with_transaction();
        char *members = xprintf("\"transactionId\":%s,\"meterStop\":150,\"timestamp\":\"" T1
                                "\",\"idTag\":\"a\"",
                                ids[i]);
        stop(f, "1", members);
        xfree(members);
        EXPECT_SENT(f, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Accepted\","
                       "\"parentIdTag\":\"G\"}}]");
        EXPECT_ROWS(f, 1, "STOP id=1 energy=50");
        EXPECT_ROWS(f, 1, "EVENT kind=transaction_attached");
        fake_free(f);
    }
}

static void x8_what_does_not_fit_exactly_one_is_an_orphan(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    stop(f, "1", STOP("-1", "150") ",\"idTag\":\"B\""); /* another tag */
    stop(f, "2", STOP("-1", "99"));                     /* less than meterStart */
    say(f, "CP1",
        "[2,\"s2\",\"StartTransaction\",{\"connectorId\":2,\"idTag\":\"A\",\"meterStart\":0,"
        "\"timestamp\":\"" T1 "\"}]");
    stop(f, "3", STOP("-1", "150") ",\"idTag\":\"A\""); /* two of them */
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_SENT(f, "1 [3,\"2\",{}]");
    next_sent(f);
    EXPECT_SENT(f, "1 [3,\"3\",{}]");
    EXPECT_ROWS(f, 3, "ORPHAN");
    EXPECT_ROWS(f, 0, "STOP");
    fake_free(f);
}

static void q5_a_start_answered_with_an_error_is_stopped_by_attaching(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->hold = true; /* the answer never arrives: the socket goes first */
    say(f, "CP1",
        "[2,\"1\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":100,"
        "\"timestamp\":\"2025-07-14T05:20:00Z\"}]");
    down(f, "CP1", 1);
    store_release(f);
    up(f, "CP1", 1);
    stop(f, "2", STOP("-1", "993"));
    EXPECT_SENT(f, "1 [3,\"2\",{}]");
    EXPECT_ROWS(f, 1, "STOP id=1 energy=893");
    fake_free(f);
}

static void x9_a_repeat_adds_nothing_and_gets_the_same_answer(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    const char members[] = STOP("1", "350") ",\"idTag\":\"B\",\"transactionData\":[{\"timestamp\":"
                                            "\"" T1 "\",\"sampledValue\":[{\"value\":\"350\"}]}]";
    policy_says(f, EVENT_AUTHORIZE, "Blocked", "{\"parentIdTag\":\"X\"}");
    stop(f, "1", members);
    const char *first = next_sent(f);
    assert_string_equal(first, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Blocked\","
                               "\"parentIdTag\":\"X\"}}]");
    policy_says(f, EVENT_AUTHORIZE, "Accepted", NULL);
    stop(f, "2", members);
    EXPECT_SENT(f, "1 [3,\"2\",{\"idTagInfo\":{\"status\":\"Blocked\",\"parentIdTag\":\"X\"}}]");
    EXPECT_ROWS(f, 1, "STOP");
    EXPECT_ROWS(f, 1, "METER");
    EXPECT_ROWS(f, 0, "ORPHAN");
    EXPECT_ROWS(f, 0, "EVENT kind=stop_differs");
    EXPECT_EVENTS(f, 1, "stop");
    stop(f, "3", STOP("1", "351"));
    EXPECT_SENT(f, "1 [3,\"3\",{}]");
    EXPECT_ROWS(f, 1, "EVENT kind=stop_differs detail={\"transactionId\":1}");
    fake_free(f);
}

static void x9_a_repeat_that_we_do_not_remember_is_judged_by_policy(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    stop(f, "1", STOP("1", "350"));
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    stop(f, "2", STOP("1", "350") ",\"idTag\":\"A\"");
    EXPECT_SENT(f, "1 [3,\"2\",{\"idTagInfo\":{\"status\":\"Accepted\",\"parentIdTag\":\"G\"}}]");
    EXPECT_EVENTS(f, 1, "authorize purpose=stop idTag=A tx=1");
    fake_free(f);
}

static void x10_no_tag_no_info_and_local_by_default(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    stop(f, "1", STOP("1", "100"));
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_ROWS(f, 1, "STOP id=1 reason=Local energy=0"); /* X11: a zero session */
    EXPECT_EVENTS(f, 0, "authorize");
    fake_free(f);
}

static void a4_the_tag_that_started_it_is_accepted_without_asking(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    policy_says(f, EVENT_AUTHORIZE, "Blocked", NULL);
    stop(f, "1", STOP("1", "100") ",\"idTag\":\"a\"");
    EXPECT_SENT(f, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Accepted\",\"parentIdTag\":\"G\"}}]");
    EXPECT_EVENTS(f, 0, "authorize");
    EXPECT_ROWS(f, 1, "STOP id=1 idTag=a");
    fake_free(f);
}

static void a4_but_a_refused_start_is_not_accepted_at_the_stop(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_says(f, EVENT_AUTHORIZE, "Blocked", NULL);
    say(f, "CP1",
        "[2,\"s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":100,"
        "\"timestamp\":\"" T1 "\"}]");
    next_sent(f);
    stop(f, "1", STOP("1", "100") ",\"idTag\":\"A\",\"reason\":\"DeAuthorized\"");
    EXPECT_SENT(f, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Blocked\"}}]");
    fake_free(f);
}

static void a4_the_same_group_may_stop(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    policy_says(f, EVENT_AUTHORIZE, "ConcurrentTx", "{\"parentIdTag\":\"g\"}");
    stop(f, "1", STOP("1", "100") ",\"idTag\":\"B\"");
    EXPECT_SENT(f, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Accepted\",\"parentIdTag\":\"g\"}}]");
    EXPECT_EVENTS(f, 1, "authorize purpose=stop idTag=B connector=1 tx=1");
    EXPECT_ROWS(f, 1, "DECISION event=stop idTag=B tx=1 verdict=Accepted");
    fake_free(f);
}

static void x10_the_stop_cannot_be_refused(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    policy_says(f, EVENT_AUTHORIZE, "Invalid", NULL);
    stop(f, "1", STOP("1", "150") ",\"idTag\":\"G\""); /* a parent value is no tag */
    EXPECT_SENT(f, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Invalid\"}}]");
    EXPECT_ROWS(f, 1, "STOP id=1 energy=50");
    f->scripts[EVENT_AUTHORIZE].kind = VERDICT_FAILED;
    fake_free(f);
}

static void x11_q7_less_than_the_start_is_no_energy(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    stop(f, "1", STOP("1", "99"));
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_ROWS(f, 1, "STOP id=1 meter=99 energy=- flags=4");
    EXPECT_ROWS(f, 0, "CONNECTOR evse=1 lastMeterStop=99");
    fake_free(f);
}

static void x11_readings_that_are_missing_or_odd(void **state)
{
    (void)state;
    const char *const meters[][2] = {
        {"\"meterStop\":\"150.5\"", "STOP meter=151 energy=51 flags=0"},
        {"\"meterStop\":\"150,4\"", "STOP meter=150 energy=50 flags=0"},
        {"\"meterStop\":-1", "STOP meter=-1 energy=- flags=4"},
        {"\"meterStop\":\"??\"", "STOP meter=- energy=- flags=4 meterText=??"},
        {"\"reason\":\"Local\"", "STOP meter=- energy=- flags=132"}};
    for (size_t i = 0; i < ARRAY_LEN(meters); i++) {
        struct fake *f = fake_with_transaction();
        char *members = xprintf("\"transactionId\":1,\"timestamp\":\"" T1 "\",%s", meters[i][0]);
        stop(f, "1", members);
        xfree(members);
        EXPECT_SENT(f, "1 [3,\"1\",{}]");
        EXPECT_ROWS(f, 1, meters[i][1]);
        fake_free(f);
    }
}

static void x7_is_answered_whatever_it_holds(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const char *const payloads[] = {
        "", "\"transactionId\":null", "\"transactionId\":{},\"transactionData\":7",
        ("\"transactionId\":-1,\"meterStop\":\"\",\"timestamp\":\"x\",\"reason\":\"Why\","
         "\"idTag\":[]")};
    for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
        char *id = xprintf("%zu", i);
        char *answer = xprintf("1 [3,\"%zu\",{}]", i);
        stop(f, id, payloads[i]);
        EXPECT_SENT(f, answer);
        xfree(id);
        xfree(answer);
    }
    EXPECT_ROWS(f, 4, "ORPHAN");
    fake_free(f);
}

static void x13_transaction_data_become_meter_values(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    stop(f, "1",
         STOP("1", "350") ",\"transactionData\":[{\"timestamp\":\"" T1
                          "\",\"sampledValue\":[{\"value\":\"0.35\",\"unit\":\"kWh\",\"context\":"
                          "\"Transaction.End\"},{\"value\":\"80\",\"measurand\":\"SoC\"}]},"
                          "{\"timestamp\":\"" T1 "\",\"sampledValue\":[]}]");
    EXPECT_ROWS(f, 1, "METER evse=1 connector=1 tx=1 ts=1752470405000 energy=350 soc=80");
    EXPECT_ROWS(f, 1, "METER");
    fake_free(f);
}

static void q9_a_stop_after_available_is_a_stop(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    say(f, "CP1",
        "[2,\"n\",\"StatusNotification\",{\"connectorId\":1,\"errorCode\":\"NoError\","
        "\"status\":\"Available\"}]");
    next_sent(f);
    assert_false(station_transaction(f->st, 1)->stopped);
    stop(f, "1", STOP("1", "350"));
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_ROWS(f, 1, "STOP id=1 energy=250");
    fake_free(f);
}

static void b11_a_stop_with_a_clock_that_is_not_set(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    stop(f, "1", "\"transactionId\":1,\"meterStop\":350,\"timestamp\":\"0001-01-01T00:00:00Z\"");
    EXPECT_ROWS(f, 1, "STOP id=1 energy=250 stop=1752470408000 flags=2");
    fake_free(f);
}

static void set_vars_in_on_stop(struct fake *f, const struct event *event)
{
    if (event->kind != EVENT_STOP)
        return;
    struct transaction *tx = station_transaction(f->st, event->transaction_id);
    assert_true(vars_set(&tx->vars, "price", "1234", NULL));
    transaction_vars_changed(f->st, tx->id);
}

static void vars_of_a_transaction_are_written_to_the_end(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    struct transaction *tx = station_transaction(f->st, 1);
    vars_set(&tx->vars, "low", "1", NULL);
    transaction_vars_changed(f->st, 1);
    EXPECT_ROWS(f, 1, "TX_VARS id=1 vars={\"low\":1}");
    f->on_event = set_vars_in_on_stop;
    stop(f, "1", STOP("1", "350"));
    EXPECT_ROWS(f, 1, "STOP id=1 vars={\"low\":1}");
    EXPECT_ROWS(f, 1, "TX_VARS id=1 vars={\"low\":1,\"price\":1234}");
    fake_free(f);
}

static void x15_closing_by_estimate_and_the_real_stop_after_it(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    say(f, "CP1",
        "[2,\"m\",\"MeterValues\",{\"connectorId\":1,\"transactionId\":1,\"meterValue\":[{"
        "\"timestamp\":\"" T1 "\",\"sampledValue\":[{\"value\":\"300\"}]}]}]");
    next_sent(f);
    assert_true(station_transaction_close(f->st, 1, NULL, NULL, NULL));
    EXPECT_ROWS(f, 1, "STOP id=1 meter=300 energy=200 flags=16 reason=Other");
    EXPECT_EVENTS(f, 1, "stop tx=1");
    assert_null(station_transaction(f->st, 1));
    struct reason why;
    assert_false(station_transaction_close(f->st, 1, &why, NULL, NULL));
    stop(f, "1",
         STOP("1", "350") ",\"transactionData\":[{\"timestamp\":\"2025-07-14T05:20:06Z\","
                          "\"sampledValue\":[{\"value\":\"350\"}]}]");
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_ROWS(f, 1, "STOP id=1 meter=350 flags=0");
    EXPECT_ROWS(f, 1, "METER evse=1 connector=1 tx=1 energy=350");
    fake_free(f);
}

static void x9_late_values_of_a_replaced_estimate_must_be_stored(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    assert_true(station_transaction_close(f->st, 1, NULL, NULL, NULL));
    station_flush(f->st);
    f->hold = true;
    stop(f, "1",
         STOP("1", "350") ",\"transactionData\":[{\"timestamp\":\"2025-07-14T05:20:06Z\","
                          "\"sampledValue\":[{\"value\":\"350\"}]}]");
    f->fail = 0;
    struct batch *first = f->held;
    f->held = f->held_last = NULL;
    commit(f, first); /* the stop is on disk */
    f->fail = 1;      /* its values are not */
    store_release(f);
    EXPECT_SENT(f, "1 [4,\"1\",\"InternalError\",\"\",{}]");
    fake_free(f);
}

static void x15_an_estimate_is_replaced_without_values_too(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    assert_true(station_transaction_close(f->st, 1, NULL, NULL, NULL));
    EXPECT_ROWS(f, 1, "STOP meter=- energy=- flags=16"); /* no sample ever came */
    stop(f, "1", STOP("1", "350"));
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_ROWS(f, 1, "STOP meter=350");
    fake_free(f);
}

static void a_failing_store_while_a_stop_is_looked_up(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->fail = 1;
    stop(f, "1", STOP("4711", "5"));
    EXPECT_SENT(f, "1 [4,\"1\",\"InternalError\",\"\",{}]");
    f->hold = true;
    stop(f, "2", STOP("4711", "5"));
    struct batch *lookup = f->held;
    f->held = f->held_last = NULL;
    commit(f, lookup); /* unknown: an orphan has to be stored … */
    f->fail = 1;
    store_release(f); /* … and cannot be */
    EXPECT_SENT(f, "1 [4,\"2\",\"InternalError\",\"\",{}]");
    EXPECT_ROWS(f, 0, "ORPHAN");
    fake_free(f);
}

static bool closed_ok;
static void on_closed(void *ctx, bool ok, const char *why)
{
    (void)ctx;
    (void)why;
    closed_ok = ok;
}

static void closing_waits_for_the_lane_and_a_real_stop_wins(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->hold = true;
    stop(f, "1", STOP("1", "350"));
    closed_ok = true;
    assert_true(station_transaction_close(f->st, 1, NULL, on_closed, NULL));
    store_release(f);
    assert_false(closed_ok);
    EXPECT_ROWS(f, 1, "STOP");
    EXPECT_ROWS(f, 1, "STOP energy=250 flags=0");
    fake_free(f);
}

static void delete_station(struct fake *f, const struct event *event)
{
    if (event->kind == EVENT_STOP)
        assert_true(station_delete(f->st, "CP1", NULL, NULL, NULL));
}

static void closing_that_waits_when_the_station_is_deleted(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->on_event = delete_station;
    f->hold = true;
    stop(f, "1", STOP("1", "350"));
    closed_ok = true;
    assert_true(station_transaction_close(f->st, 1, NULL, on_closed, NULL));
    store_release(f);
    assert_false(closed_ok);
    assert_null(station_transaction(f->st, 1));
    fake_free(f);
}

static void closing_for_a_charge_point_that_is_gone(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->hold = true;
    say(f, "CP1",
        "[2,\"s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":100,"
        "\"timestamp\":\"" T1 "\"}]");
    assert_true(station_delete(f->st, "CP1", NULL, NULL, NULL));
    store_release(f);
    closed_ok = false;
    assert_true(station_transaction_close(f->st, 1, NULL, on_closed, NULL));
    assert_true(closed_ok);
    assert_null(station_transaction(f->st, 1));
    fake_free(f);
}

static void closing_that_cannot_be_stored_leaves_it_open(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    closed_ok = true;
    f->fail = 1;
    assert_true(station_transaction_close(f->st, 1, NULL, on_closed, NULL));
    assert_false(closed_ok);
    assert_false(station_transaction(f->st, 1)->stopped);
    EXPECT_EVENTS(f, 0, "stop");
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x4_is_stored_before_it_is_answered),
        cmocka_unit_test(x4_a_failing_store_is_an_internal_error),
        cmocka_unit_test(x11_a_meter_of_no_real_register_is_none),
        cmocka_unit_test(x7_q3_an_unknown_id_is_answered_and_kept),
        cmocka_unit_test(x7_q8_ids_of_other_chargers_are_unknown),
        cmocka_unit_test(x8_q4_an_id_that_cannot_be_ours_is_attached_by_tag_and_meter),
        cmocka_unit_test(x8_what_does_not_fit_exactly_one_is_an_orphan),
        cmocka_unit_test(q5_a_start_answered_with_an_error_is_stopped_by_attaching),
        cmocka_unit_test(x9_a_repeat_adds_nothing_and_gets_the_same_answer),
        cmocka_unit_test(x9_a_repeat_that_we_do_not_remember_is_judged_by_policy),
        cmocka_unit_test(x10_no_tag_no_info_and_local_by_default),
        cmocka_unit_test(a4_the_tag_that_started_it_is_accepted_without_asking),
        cmocka_unit_test(a4_but_a_refused_start_is_not_accepted_at_the_stop),
        cmocka_unit_test(a4_the_same_group_may_stop),
        cmocka_unit_test(x10_the_stop_cannot_be_refused),
        cmocka_unit_test(x11_q7_less_than_the_start_is_no_energy),
        cmocka_unit_test(x11_readings_that_are_missing_or_odd),
        cmocka_unit_test(x7_is_answered_whatever_it_holds),
        cmocka_unit_test(x13_transaction_data_become_meter_values),
        cmocka_unit_test(q9_a_stop_after_available_is_a_stop),
        cmocka_unit_test(b11_a_stop_with_a_clock_that_is_not_set),
        cmocka_unit_test(vars_of_a_transaction_are_written_to_the_end),
        cmocka_unit_test(x15_closing_by_estimate_and_the_real_stop_after_it),
        cmocka_unit_test(closing_waits_for_the_lane_and_a_real_stop_wins),
        cmocka_unit_test(x9_late_values_of_a_replaced_estimate_must_be_stored),
        cmocka_unit_test(x15_an_estimate_is_replaced_without_values_too),
        cmocka_unit_test(a_failing_store_while_a_stop_is_looked_up),
        cmocka_unit_test(closing_that_waits_when_the_station_is_deleted),
        cmocka_unit_test(closing_for_a_charge_point_that_is_gone),
        cmocka_unit_test(closing_that_cannot_be_stored_leaves_it_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

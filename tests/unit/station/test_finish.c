/* The end of a transaction: price, on.stop, RECORD_FINISHED; over restarts and the end of the
 * program. */
#include "fake.h"

#define T1 "2025-07-14T05:20:05Z"
#define PRICE                                                                                      \
    "{\"currency\":\"EUR\",\"digits\":2,\"total\":64,\"lines\":[{\"name\":\"energy\","             \
    "\"amount\":29},{\"name\":\"start\",\"amount\":35}],\"tariff\":\"v1\"}"

/* Transaction 1 of CP1: connector 1, tag A, from 100 Wh; on.price and on.stop are listened to. */
static struct fake *fake_with_transaction(void)
{
    struct fake *f = fake_with_cp1();
    policy_says(f, EVENT_AUTHORIZE, "Accepted", NULL);
    policy_hears(f, EVENT_STOP);
    policy_says(f, EVENT_PRICE, "0.64 EUR", PRICE);
    f->scripts[EVENT_PRICE].file = "40-tariff.lua";
    f->scripts[EVENT_PRICE].line = 3;
    f->scripts[EVENT_PRICE].why = "by day";
    say(f, "CP1",
        "[2,\"start\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":100,"
        "\"timestamp\":\"2025-07-14T05:20:00Z\"}]");
    next_sent(f);
    lines_clear(&f->events);
    return f;
}

static void stop(struct fake *f, const char *id)
{
    char *text = xprintf("[2,\"%s\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":350,"
                         "\"timestamp\":\"" T1 "\"}]",
                         id);
    say(f, "CP1", text);
    xfree(text);
}

static void priced_in_on_stop(struct fake *f, const struct event *event)
{
    const struct transaction *tx = station_transaction(f->st, event->transaction_id);
    if (event->kind == EVENT_PRICE) {
        assert_true(tx->stopped && tx->due);
        assert_null(tx->price.currency);
        assert_int_equal(tx->energy_wh, 250);
    }
    if (event->kind == EVENT_STOP) {
        assert_string_equal(tx->price.currency, "EUR");
        assert_int_equal(tx->price.total, 64);
        assert_string_equal(tx->price.tariff, "v1");
    }
}

static void price_then_on_stop_then_finished(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->on_event = priced_in_on_stop;
    stop(f, "1");
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_EVENTS(f, 1, "price cp=CP1 connector=1 tx=1 idTag=A");
    EXPECT_EVENTS(f, 1, "stop cp=CP1 connector=1 tx=1");
    assert_null(station_transaction(f->st, 1));
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "STOP id=1 energy=250 due=1");
    EXPECT_ROWS(
        f, 1,
        "PRICE id=1 cp=CP1 currency=EUR digits=2 total=64 tariff=v1 file=40-tariff.lua line=3 "
        "generation=7 flags=0 lines=[{\"name\":\"energy\",\"amount\":29},{\"name\":\"start\","
        "\"amount\":35}]");
    EXPECT_ROWS(f, 1,
                "DECISION cp=CP1 event=price idTag=A tx=1 file=40-tariff.lua line=3 generation=7 "
                "inputs={\"transaction\":1,\"kWh\":0.250,\"seconds\":5} answer=" PRICE);
    EXPECT_ROWS(f, 1, "FINISHED id=1");
    fake_free(f);
}

/* What handlers wrote without waiting is in the batch of RECORD_FINISHED. */
static void write_in_on_stop(struct fake *f, const struct event *event)
{
    struct transaction *tx = station_transaction(f->st, event->transaction_id);
    if (event->kind != EVENT_STOP)
        return;
    assert_true(station_kv_set(f->st, "wallet", "-64", 0, NULL));
    assert_true(vars_set(&tx->vars, "paid", "64", NULL));
    transaction_vars_changed(f->st, 1);
}

static void all_of_it_is_one_batch(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->on_event = write_in_on_stop;
    station_flush(f->st);
    size_t before = f->batches;
    stop(f, "1");
    assert_int_equal(f->batches, ++before); /* the stop itself */
    EXPECT_ROWS(f, 1, "PRICE id=1");        /* flushes */
    assert_int_equal(f->batches, before + 1);
    EXPECT_ROWS(f, 1, "KV key=wallet value=-64");
    EXPECT_ROWS(f, 1, "TX_VARS id=1 vars={\"paid\":64}");
    EXPECT_ROWS(f, 1, "FINISHED id=1");
    fake_free(f);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->scripts[EVENT_PRICE].listens = f->scripts[EVENT_STOP].listens = false;
    stop(f, "1");
    EXPECT_ROWS(f, 1, "STOP id=1 due=0");
    assert_null(station_transaction(f->st, 1));
    station_flush(f->st);
    EXPECT_ROWS(f, 0, "FINISHED");
    EXPECT_ROWS(f, 0, "PRICE");
    fake_free(f);
}

static void a_handler_without_opinion(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    policy_hears(f, EVENT_PRICE);
    stop(f, "1");
    station_flush(f->st);
    EXPECT_ROWS(f, 0, "PRICE");
    EXPECT_ROWS(f, 1, "DECISION event=price answer=-");
    EXPECT_ROWS(f, 1, "FINISHED id=1");
    fake_free(f);
}

static void unpriced_in_on_stop(struct fake *f, const struct event *event)
{
    if (event->kind == EVENT_STOP)
        assert_true(station_transaction(f->st, 1)->flags & TX_UNPRICED);
}

static void a_handler_that_fails(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->scripts[EVENT_PRICE] = (struct script){
        .listens = true, .kind = VERDICT_FAILED, .why = "nil", .file = "40-tariff.lua", .line = 9};
    f->on_event = unpriced_in_on_stop;
    stop(f, "1");
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "PRICE id=1 currency=- flags=256");
    EXPECT_ROWS(f, 1,
                "DECISION event=price verdict=unpriced why=nil file=40-tariff.lua line=9 answer=-");
    EXPECT_EVENTS(f, 1, "stop tx=1");
    EXPECT_ROWS(f, 1, "FINISHED id=1");
    fake_free(f);
}

/* No policy of ours answers like this; whatever does must not become a price. */
static void an_answer_that_is_no_price(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    policy_says(f, EVENT_PRICE, "x", "{\"currency\":\"EUR\",\"total\":64}");
    stop(f, "1");
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "PRICE id=1 currency=- flags=256");
    fake_free(f);
}

static void the_next_call_waits_for_the_end(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->scripts[EVENT_STOP].later = true;
    stop(f, "1");
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    say(f, "CP1", "[2,\"h\",\"Heartbeat\",{}]");
    EXPECT_NOTHING(f);
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "PRICE id=1 total=64"); /* is safe while on.stop waits */
    EXPECT_ROWS(f, 0, "FINISHED");
    policy_answer(f, &f->scripts[EVENT_STOP]);
    EXPECT_SENT(f, "1 [3,\"h\",{\"currentTime\":\"" NOW_TEXT "\"}]");
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "FINISHED id=1");
    fake_free(f);
}

/* ---- restarts ---- */

static struct record_transaction due_transaction(const char *currency)
{
    struct record_transaction row = {.id = 5,
                                     .start = {.cp = "CP1",
                                               .evse = 1,
                                               .connector = 1,
                                               .id_tag = "A",
                                               .start_ms = TEST_NOW - 3600000,
                                               .received_ms = TEST_NOW - 3600000,
                                               .meter_start_wh = 100,
                                               .reservation_id = ABSENT,
                                               .verdict = "Accepted"},
                                     .vars = "{\"a\":1}",
                                     .last_energy_wh = ABSENT,
                                     .last_power_w = ABSENT,
                                     .last_soc = ABSENT,
                                     .last_sample_ms = ABSENT,
                                     .due = true,
                                     .stop_ms = TEST_NOW - 1000,
                                     .meter_stop_wh = 350,
                                     .energy_wh = 250,
                                     .reason = "Remote"};
    row.price = (struct record_price){.currency = currency,
                                      .digits = 2,
                                      .total = 99,
                                      .lines = "[]",
                                      .tariff = "v0",
                                      .file = "40-tariff.lua",
                                      .line = 3,
                                      .generation = 4};
    return row;
}

static void restore(struct fake *f, const struct record_transaction *row)
{
    struct restore_sink sink = station_restore_sink(f->st);
    sink.transaction(sink.ctx, row);
}

static void restored_in_on_stop(struct fake *f, const struct event *event)
{
    const struct transaction *tx = station_transaction(f->st, event->transaction_id);
    assert_true(tx->stopped && tx->due);
    assert_int_equal(tx->energy_wh, 250);
    assert_int_equal(tx->stop_ms, TEST_NOW - 1000);
    assert_string_equal(tx->reason, "Remote");
    assert_string_equal(vars_get(&tx->vars, "a"), "1");
}

static void what_was_due_is_finished_after_the_start(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    struct record_transaction row = due_transaction(NULL);
    restore(f, &row);
    size_t at = 0;
    assert_int_equal(station_transaction_next(f->st, &at)->id, 1); /* it is not open */
    assert_null(station_transaction_next(f->st, &at));
    assert_int_equal(station_connector(station_find(f->st, "CP1"), 1, 1)->transaction_id, 1);
    f->on_event = restored_in_on_stop;
    station_resume(f->st);
    EXPECT_EVENTS(f, 1, "price cp=CP1 connector=1 tx=5 idTag=A");
    EXPECT_EVENTS(f, 1, "stop tx=5");
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "PRICE id=5 total=64 tariff=v1");
    EXPECT_ROWS(f, 1, "FINISHED id=5");
    assert_null(station_transaction(f->st, 5));
    f->on_event = NULL;
    station_resume(f->st); /* nothing is left */
    EXPECT_EVENTS(f, 1, "stop");
    fake_free(f);
}

static void a_price_that_is_there_stays(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    struct record_transaction row = due_transaction("EUR");
    restore(f, &row);
    station_resume(f->st);
    EXPECT_EVENTS(f, 0, "price");
    EXPECT_EVENTS(f, 1, "stop tx=5");
    station_flush(f->st);
    EXPECT_ROWS(f, 0, "PRICE");
    EXPECT_ROWS(f, 1, "FINISHED id=5");
    fake_free(f);
}

static void a_price_that_failed_is_not_tried_again(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    struct record_transaction row = due_transaction(NULL);
    row.start.flags = TX_UNPRICED;
    restore(f, &row);
    station_resume(f->st);
    EXPECT_EVENTS(f, 0, "price");
    EXPECT_EVENTS(f, 1, "stop tx=5");
    fake_free(f);
}

static void nobody_listens_any_more(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->scripts[EVENT_PRICE].listens = f->scripts[EVENT_STOP].listens = false;
    struct record_transaction row = due_transaction(NULL);
    restore(f, &row);
    station_resume(f->st);
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "FINISHED id=5");
    fake_free(f);
}

static void its_charge_point_is_gone(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    struct record_transaction row = due_transaction(NULL);
    row.start.cp = "DELETED";
    restore(f, &row);
    f->scripts[EVENT_STOP].later = true;
    station_resume(f->st);
    assert_false(station_idle(f->st));
    EXPECT_EVENTS(f, 1, "stop cp=DELETED tx=5");
    policy_answer(f, &f->scripts[EVENT_STOP]);
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "FINISHED id=5");
    fake_free(f);
}

/* ---- the program ends ---- */

static void cut_off_it_stays_due(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->scripts[EVENT_STOP] =
        (struct script){.listens = true, .kind = VERDICT_FAILED, .stopping = true};
    stop(f, "1");
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "PRICE id=1");
    EXPECT_ROWS(f, 0, "FINISHED");
    assert_null(station_transaction(f->st, 1));
    fake_free(f);
}

static void not_even_asked_for_its_price(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->scripts[EVENT_PRICE] =
        (struct script){.listens = true, .kind = VERDICT_FAILED, .stopping = true};
    stop(f, "1");
    station_flush(f->st);
    EXPECT_ROWS(f, 0, "PRICE");
    EXPECT_ROWS(f, 0, "DECISION event=price");
    EXPECT_ROWS(f, 0, "FINISHED");
    EXPECT_EVENTS(f, 0, "stop");
    fake_free(f);
}

static void policies_without_room_are_asked_again(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    struct script price = f->scripts[EVENT_PRICE];
    f->scripts[EVENT_PRICE] =
        (struct script){.listens = true, .kind = VERDICT_FAILED, .again = true};
    stop(f, "1");
    pass(f, 999);
    EXPECT_EVENTS(f, 1, "price");
    pass(f, 1);
    EXPECT_EVENTS(f, 2, "price");
    f->scripts[EVENT_PRICE] = price;
    f->scripts[EVENT_STOP].again = true; /* cut off with its generation */
    f->scripts[EVENT_STOP].kind = VERDICT_FAILED;
    pass(f, 1000);
    EXPECT_EVENTS(f, 1, "stop");
    policy_hears(f, EVENT_STOP);
    pass(f, 1000);
    EXPECT_EVENTS(f, 3, "price");
    EXPECT_EVENTS(f, 2, "stop");
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "PRICE id=1 total=64 flags=0");
    EXPECT_ROWS(f, 1, "FINISHED id=1");
    fake_free(f);
}

static void at_last_it_stays_due(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->scripts[EVENT_PRICE] =
        (struct script){.listens = true, .kind = VERDICT_FAILED, .again = true};
    stop(f, "1");
    for (int i = 0; i < 100; i++)
        pass(f, 1000);
    EXPECT_EVENTS(f, 61, "price");
    assert_null(station_transaction(f->st, 1));
    station_flush(f->st);
    EXPECT_ROWS(f, 0, "PRICE");
    EXPECT_ROWS(f, 0, "FINISHED");
    fake_free(f);
}

/* ---- the store fails ---- */

static void what_the_store_did_not_take_is_written_again(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->on_event = write_in_on_stop;
    stop(f, "1");
    f->fail = 3; /* the rows of this turn, and two more tries */
    station_flush(f->st);
    assert_true(
        station_kv_set(f->st, "wallet", "-100", 0, NULL)); /* somebody else paid meanwhile */
    f->hold = true;
    station_flush(f->st);
    f->hold = false;
    pass(f, 1000);
    pass(f, 1000);
    EXPECT_ROWS(f, 0, "FINISHED");
    pass(f, 1000);
    EXPECT_ROWS(f, 1, "PRICE id=1 total=64");
    EXPECT_ROWS(f, 0, "KV key=wallet value=-64"); /* never the older value */
    EXPECT_ROWS(f, 1, "TX_VARS id=1 vars={\"paid\":64}");
    EXPECT_ROWS(f, 1, "FINISHED id=1");
    EXPECT_ROWS(f, 1, "KV key=wallet value=-100");
    store_release(f);
    fake_free(f);
}

static void failed_batches_go_in_their_order(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->fail = -1;
    assert_true(station_kv_set(f->st, "a", "1", 0, NULL));
    station_flush(f->st);
    assert_true(station_kv_set(f->st, "b", "2", 0, NULL));
    station_flush(f->st);
    say(f, "CP1", "[2,\"h\",\"Heartbeat\",{}]"); /* its message is given up */
    station_flush(f->st);
    next_sent(f);
    pass(f, 1000);
    f->fail = 0;
    size_t before = f->rows.count;
    pass(f, 1000); /* one a second … */
    pass(f, 0);    /* … and the rest at once when it works again */
    EXPECT_ROWS(f, 1, "KV key=a");
    EXPECT_ROWS(f, 1, "KV key=b");
    assert_non_null(strstr(f->rows.at[before], "key=a"));
    fake_free(f);
}

/* ---- estimates (X15) ---- */

static size_t rows_when_told;
static void on_closed(void *ctx, bool ok, const char *why)
{
    struct fake *f = ctx;
    assert_true(ok);
    assert_null(why);
    station_flush(f->st);
    rows_when_told = line_count(&f->rows, "PRICE id=1");
}

static void the_price_of_an_estimate_stays(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->hold = true;
    assert_true(station_transaction_close(f->st, 1, NULL, on_closed, f));
    store_release(f);
    assert_int_equal(rows_when_told, 1); /* who closes it finds its price */
    EXPECT_EVENTS(f, 1, "price tx=1");
    EXPECT_EVENTS(f, 1, "stop tx=1");
    EXPECT_ROWS(f, 1, "STOP flags=16 due=1");
    stop(f, "1");
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_EVENTS(f, 1, "price");
    EXPECT_EVENTS(f, 1, "stop");
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "EVENT kind=price_of_estimate detail={\"transactionId\":1}");
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(price_then_on_stop_then_finished),
        cmocka_unit_test(all_of_it_is_one_batch),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_handler_without_opinion),
        cmocka_unit_test(a_handler_that_fails),
        cmocka_unit_test(an_answer_that_is_no_price),
        cmocka_unit_test(the_next_call_waits_for_the_end),
        cmocka_unit_test(what_was_due_is_finished_after_the_start),
        cmocka_unit_test(a_price_that_is_there_stays),
        cmocka_unit_test(a_price_that_failed_is_not_tried_again),
        cmocka_unit_test(nobody_listens_any_more),
        cmocka_unit_test(its_charge_point_is_gone),
        cmocka_unit_test(cut_off_it_stays_due),
        cmocka_unit_test(not_even_asked_for_its_price),
        cmocka_unit_test(policies_without_room_are_asked_again),
        cmocka_unit_test(at_last_it_stays_due),
        cmocka_unit_test(what_the_store_did_not_take_is_written_again),
        cmocka_unit_test(failed_batches_go_in_their_order),
        cmocka_unit_test(the_price_of_an_estimate_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

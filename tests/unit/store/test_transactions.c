/* Starts, their repeats, stops and estimates as rows (X2, X3, X7, X9, X11, X15). */
#include "rig.h"

#define NO_PRICE                                                                                   \
    ",\"priceCurrency\":null,\"priceDigits\":null,\"priceTotal\":null,\"priceLines\":null,"        \
    "\"priceTariff\":null,\"priceGeneration\":null,\"priceFile\":null,\"priceLine\":null"

static void test_start(void **state)
{
    struct rig *rig = *state;
    struct record_start out;
    int64_t id = rig_start(rig, start_of("CP1", "Tag", 1000), &out);
    assert_true(id > 0);
    assert_false(out.out_repeat);
    assert_string_equal(
        rig_rows(rig, "history", "{\"state\":\"all\"}"),
        "[{\"transactionId\":1,\"cpid\":\"CP1\",\"connectorId\":1,\"idTag\":\"Tag\","
        "\"parentIdTag\":\"PARENT\",\"meterStart\":100,\"meterStop\":null,\"energy\":null,"
        "\"startMs\":1000,\"stopMs\":null,\"reason\":null,\"verdict\":\"Accepted\",\"flags\":0,"
        "\"stopIdTag\":null,\"generation\":3,\"vars\":null,\"stopped\":false" NO_PRICE "}]");
}

/* X3: same key, spelled otherwise, later and with another verdict: the first one counts. */
static void test_repeat(void **state)
{
    struct rig *rig = *state;
    int64_t id = rig_start(rig, start_of("CP1", "Tag", 1000), NULL);
    struct record_start again = start_of("cp1", "TAG", 1000);
    again.verdict = "Blocked";
    again.parent_id_tag = again.expiry = NULL;
    again.received_ms = 999999;
    struct batch *batch = rig_batch(rig);
    struct record *record = batch_add(batch, RECORD_START);
    record->start = again;
    assert_true(rig_store(rig, batch));
    assert_true(record->start.out_repeat);
    assert_int_equal(record->start.out_id, id);
    assert_string_equal(record->start.out_verdict, "Accepted");
    assert_string_equal(record->start.out_parent_id_tag, "PARENT");
    assert_string_equal(record->start.out_expiry, "2027-01-01T00:00:00Z");
    batch_free(batch);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM charge_transaction"), 1);
    assert_int_equal(rig_number(rig, "SELECT flags FROM charge_transaction"), 0);
}

/* Every part of the key makes another transaction. */
static void test_key_parts(void **state)
{
    struct rig *rig = *state;
    struct record_start first = start_of("CP1", "Tag", 1000), other;
    int64_t id = rig_start(rig, first, NULL);
    other = first;
    other.cp = "CP2";
    assert_int_equal(rig_start(rig, other, NULL), id + 1);
    other = first;
    other.evse = 2;
    assert_int_equal(rig_start(rig, other, NULL), id + 2);
    other = first;
    other.connector = 2;
    assert_int_equal(rig_start(rig, other, NULL), id + 3);
    other = first;
    other.id_tag = "Tag2";
    assert_int_equal(rig_start(rig, other, NULL), id + 4);
    other = first;
    other.start_ms = 1001;
    assert_int_equal(rig_start(rig, other, NULL), id + 5);
    other = first;
    other.meter_start_wh = 101;
    assert_int_equal(rig_start(rig, other, NULL), id + 6);
    /* and everything else does not */
    other = first;
    other.station_id = "x";
    other.flags = TX_LATE;
    other.generation = 9;
    assert_int_equal(rig_start(rig, other, NULL), id);
}

static void test_absent_parts(void **state)
{
    struct rig *rig = *state;
    struct record_start in = start_of("CP1", NULL, 1000), out;
    in.start_ms = in.meter_start_wh = in.connector = ABSENT;
    int64_t id = rig_start(rig, in, NULL);
    assert_int_equal(rig_start(rig, in, &out), id);
    assert_true(out.out_repeat);
    /* -1 is a value that broken chargers send, not the lack of one */
    in.meter_start_wh = -1;
    assert_int_not_equal(rig_start(rig, in, NULL), id);
    in.meter_start_wh = ABSENT;
    in.start_ms = -1;
    assert_int_not_equal(rig_start(rig, in, NULL), id);
    assert_int_equal(
        rig_number(rig, "SELECT count(*) FROM charge_transaction WHERE start_ms IS NULL"), 2);
}

static void test_find(void **state)
{
    struct rig *rig = *state;
    int64_t id = rig_start(rig, start_of("CP1", "Tag", 1000), NULL);
    struct batch *batch = rig_batch(rig);
    struct record *known = batch_add(batch, RECORD_START_FIND);
    known->start = start_of("CP1", "tAG", 1000);
    struct record *unknown = batch_add(batch, RECORD_START_FIND);
    unknown->start = start_of("CP1", "Tag", 1001);
    assert_true(rig_store(rig, batch));
    assert_true(known->start.out_repeat);
    assert_int_equal(known->start.out_id, id);
    assert_string_equal(known->start.out_verdict, "Accepted");
    assert_false(unknown->start.out_repeat);
    assert_int_equal(unknown->start.out_id, 0);
    batch_free(batch);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM charge_transaction"), 1);
}

/* Two in one batch, and two batches in one group: the second is the repeat. */
static void test_repeat_in_group(void **state)
{
    struct rig *rig = *state;
    struct batch *batches[2];
    struct record *records[3];
    for (int i = 0; i < 2; i++) {
        batches[i] = rig_batch(rig);
        records[i] = batch_add(batches[i], RECORD_START);
        records[i]->start = start_of("CP1", "Tag", 1000);
    }
    records[2] = batch_add(batches[1], RECORD_START);
    records[2]->start = start_of("CP1", "TAG", 1000);
    store_submit(rig->store, batches[0]);
    store_submit(rig->store, batches[1]);
    rig_settle(rig);
    assert_false(records[0]->start.out_repeat);
    for (int i = 1; i < 3; i++) {
        assert_true(records[i]->start.out_repeat);
        assert_int_equal(records[i]->start.out_id, records[0]->start.out_id);
    }
    batch_free(batches[0]);
    batch_free(batches[1]);
}

static int64_t flags_of(struct rig *rig, int64_t id)
{
    char text[80];
    snprintf(text, sizeof(text), "SELECT flags FROM charge_transaction WHERE id = %lld",
             (long long)id);
    return rig_number(rig, text);
}

/* X15: a later start changes nothing in the one before; only the station knows which is stale. */
static void test_next_start(void **state)
{
    struct rig *rig = *state;
    int64_t first = rig_start(rig, start_of("CP1", "Tag", 1000), NULL);
    int64_t second = rig_start(rig, start_of("CP1", "Tag", 2000), NULL);
    assert_int_equal(flags_of(rig, first), 0);
    assert_int_equal(flags_of(rig, second), 0);
}

/* X2: one durable counter; an id whose row is gone is not given again. */
static void test_ids_are_never_reused(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 5; i++)
        rig_start(rig, start_of("CP1", "Tag", 1000 + i), NULL);
    rig_close(rig);
    rig_sql(rig, "DELETE FROM charge_transaction");
    rig_reopen(rig);
    assert_int_equal(rig_start(rig, start_of("CP1", "Tag", 1), NULL), 6);
    rig_reopen(rig);
    assert_int_equal(rig_start(rig, start_of("CP1", "Tag", 2), NULL), 7);
}

static void test_stop(void **state)
{
    struct rig *rig = *state;
    struct record_start in = start_of("CP1", "Tag", 1000);
    in.evse = 2;
    int64_t id = rig_start(rig, in, NULL);
    struct record_stop stop = stop_of("cp1", id);
    stop.set_flags = TX_GAP;
    stop.vars = "{\"a\":1}";
    struct record_stop out = rig_stop(rig, stop);
    assert_int_equal(out.out_outcome, STOP_DONE);
    assert_false(out.out_differs);
    assert_int_equal(out.out_evse, 2);
    assert_int_equal(out.out_connector, 1);
    assert_string_equal(
        rig_rows(rig, "transaction", "{\"id\":1}"),
        "[{\"transactionId\":1,\"cpid\":\"CP1\",\"connectorId\":2,\"idTag\":\"Tag\","
        "\"parentIdTag\":\"PARENT\",\"meterStart\":100,\"meterStop\":1100,\"energy\":1000,"
        "\"startMs\":1000,\"stopMs\":5000,\"reason\":\"Local\",\"verdict\":\"Accepted\","
        "\"flags\":32,\"stopIdTag\":\"tag\",\"generation\":3,\"vars\":{\"a\":1},"
        "\"stopped\":true" NO_PRICE "}]");
}

static void test_stop_with_absent_parts(void **state)
{
    struct rig *rig = *state;
    struct record_start in = start_of("CP1", "Tag", 1000);
    in.start_ms = in.meter_start_wh = ABSENT;
    int64_t id = rig_start(rig, in, NULL);
    struct record_stop stop = stop_of("CP1", id);
    stop.id_tag = stop.stop_text = stop.meter_stop_text = NULL;
    stop.stop_ms = stop.meter_stop_wh = stop.energy_wh = ABSENT;
    assert_int_equal(rig_stop(rig, stop).out_outcome, STOP_DONE);
    const char *rows = rig_rows(rig, "transaction", "{\"id\":1}");
    assert_non_null(strstr(rows, "\"meterStop\":null,\"energy\":null,\"startMs\":1005,"
                                 "\"stopMs\":null"));
    struct record_stop again = rig_stop(rig, stop);
    assert_int_equal(again.out_outcome, STOP_REPEAT);
    assert_false(again.out_differs);
}

static void test_stop_repeat(void **state)
{
    struct rig *rig = *state;
    int64_t id = rig_start(rig, start_of("CP1", "Tag", 1000), NULL);
    struct record_stop stop = stop_of("CP1", id), other;
    rig_stop(rig, stop);
    struct record_stop out = rig_stop(rig, stop);
    assert_int_equal(out.out_outcome, STOP_REPEAT);
    assert_false(out.out_differs);
    assert_int_equal(out.out_evse, 1);
    other = stop;
    other.meter_stop_wh = 1200;
    assert_true(rig_stop(rig, other).out_differs);
    other = stop;
    other.stop_ms = 6000;
    assert_true(rig_stop(rig, other).out_differs);
    other = stop;
    other.reason = "EVDisconnected";
    assert_true(rig_stop(rig, other).out_differs);
    /* the first one counts */
    assert_int_equal(rig_number(rig, "SELECT meter_stop_wh + stop_ms FROM charge_transaction"),
                     6100);
}

static void test_stop_unknown_and_foreign(void **state)
{
    struct rig *rig = *state;
    int64_t id = rig_start(rig, start_of("CP1", "Tag", 1000), NULL);
    assert_int_equal(rig_stop(rig, stop_of("CP1", 77)).out_outcome, STOP_UNKNOWN);
    assert_int_equal(rig_stop(rig, stop_of("CP1", -1)).out_outcome, STOP_UNKNOWN);
    assert_int_equal(rig_stop(rig, stop_of("CP1", INT64_MAX)).out_outcome, STOP_UNKNOWN);
    /* X7: another station's transaction is not there for it, open or stopped */
    assert_int_equal(rig_stop(rig, stop_of("CP2", id)).out_outcome, STOP_UNKNOWN);
    assert_int_equal(rig_number(rig, "SELECT state FROM charge_transaction"), 0);
    rig_stop(rig, stop_of("CP1", id));
    assert_int_equal(rig_stop(rig, stop_of("CP2", id)).out_outcome, STOP_UNKNOWN);
}

static int64_t estimated(struct rig *rig, struct record_start in)
{
    int64_t id = rig_start(rig, in, NULL);
    struct record_stop stop = stop_of(in.cp, id);
    stop.set_flags = TX_ESTIMATED;
    stop.meter_stop_wh = 500;
    stop.energy_wh = 400;
    stop.vars = "{\"price\":1}";
    assert_int_equal(rig_stop(rig, stop).out_outcome, STOP_DONE);
    assert_int_equal(flags_of(rig, id), TX_ESTIMATED);
    /* a second estimate changes nothing */
    stop.meter_stop_wh = 600;
    struct record_stop out = rig_stop(rig, stop);
    assert_int_equal(out.out_outcome, STOP_REPEAT);
    assert_true(out.out_differs);
    return id;
}

/* X15: the real stop replaces the estimate, once. */
static void test_estimate_then_real(void **state)
{
    struct rig *rig = *state;
    int64_t id = estimated(rig, start_of("CP1", "Tag", 1000));
    struct record_stop stop = stop_of("CP1", id);
    stop.energy_wh = ABSENT; /* the station no longer knows meterStart */
    assert_int_equal(rig_stop(rig, stop_of("CP2", id)).out_outcome, STOP_UNKNOWN);
    struct record_stop out = rig_stop(rig, stop);
    assert_int_equal(out.out_outcome, STOP_REPLACED_ESTIMATE);
    assert_int_equal(out.out_evse, 1);
    assert_int_equal(flags_of(rig, id), 0);
    assert_int_equal(rig_number(rig, "SELECT energy_wh FROM charge_transaction"), 1000);
    assert_int_equal(rig_number(rig, "SELECT vars IS NOT NULL FROM charge_transaction"), 1);
    assert_int_equal(rig_stop(rig, stop).out_outcome, STOP_REPEAT);
}

/* X11: a reading below the start is no energy; no reading is none either. */
static void test_real_stop_below_start(void **state)
{
    struct rig *rig = *state;
    int64_t id = estimated(rig, start_of("CP1", "Tag", 1000));
    struct record_stop stop = stop_of("CP1", id);
    stop.meter_stop_wh = 99;
    assert_int_equal(rig_stop(rig, stop).out_outcome, STOP_REPLACED_ESTIMATE);
    assert_int_equal(flags_of(rig, id), TX_SUSPECT_METER);
    assert_int_equal(rig_number(rig, "SELECT energy_wh IS NULL FROM charge_transaction"), 1);

    id = estimated(rig, start_of("CP1", "Tag", 2000));
    stop = stop_of("CP1", id);
    stop.meter_stop_wh = ABSENT;
    assert_int_equal(rig_stop(rig, stop).out_outcome, STOP_REPLACED_ESTIMATE);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM charge_transaction WHERE energy_wh"), 0);
}

static void test_vars(void **state)
{
    struct rig *rig = *state;
    int64_t id = rig_start(rig, start_of("CP1", "Tag", 1000), NULL);
    struct batch *batch = rig_batch(rig);
    struct record *record = batch_add(batch, RECORD_TRANSACTION_VARS);
    record->transaction_vars =
        (struct record_transaction_vars){id, "{\"x\":[1,2]}", TX_SESSION_REGISTER};
    record = batch_add(batch, RECORD_TRANSACTION_VARS);
    record->transaction_vars = (struct record_transaction_vars){id, NULL, TX_UNPRICED};
    record = batch_add(batch, RECORD_TRANSACTION_VARS);
    record->transaction_vars = (struct record_transaction_vars){99, "{}", TX_UNPRICED};
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    assert_int_equal(flags_of(rig, id), TX_SESSION_REGISTER | TX_UNPRICED);
    assert_non_null(
        strstr(rig_rows(rig, "history", "{\"state\":\"all\"}"), "\"vars\":{\"x\":[1,2]}"));
}

/* B11: with a clock that is not set, the order is that of receipt. */
static void test_order(void **state)
{
    struct rig *rig = *state;
    struct record_start in = start_of("CP1", "Tag", 5000);
    in.flags = TX_SUSPECT_CLOCK;
    in.received_ms = 100;
    rig_start(rig, in, NULL);
    in = start_of("CP1", "Tag", 1000);
    rig_start(rig, in, NULL);
    in.start_ms = ABSENT;
    in.received_ms = 3000;
    rig_start(rig, in, NULL);
    assert_int_equal(rig_number(rig, "SELECT group_concat(id, '') FROM (SELECT id FROM"
                                     " charge_transaction ORDER BY order_ms, id)"),
                     123);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_start),
        TEST(test_repeat),
        TEST(test_key_parts),
        TEST(test_absent_parts),
        TEST(test_find),
        TEST(test_repeat_in_group),
        TEST(test_next_start),
        TEST(test_ids_are_never_reused),
        TEST(test_stop),
        TEST(test_stop_with_absent_parts),
        TEST(test_stop_repeat),
        TEST(test_stop_unknown_and_foreign),
        TEST(test_estimate_then_real),
        TEST(test_real_stop_below_start),
        TEST(test_vars),
        TEST(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

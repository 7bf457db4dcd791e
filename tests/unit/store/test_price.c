/* Prices and what is due: stored once, given back at start until it is finished, kept when the real
 * stop replaces an estimate (X15). */
#include "rig.h"

static const char lines[] = "[{\"name\":\"energy\",\"amount\":64}]";

static void price(struct rig *rig, int64_t id, const char *currency, int64_t total, int64_t flags)
{
    struct batch *batch = rig_batch(rig);
    batch_add(batch, RECORD_PRICE)->price =
        (struct record_price){.cp = "CP1",
                              .id = id,
                              .currency = currency,
                              .digits = currency ? 2 : 0,
                              .total = total,
                              .lines = currency ? lines : NULL,
                              .tariff = currency ? "v1" : NULL,
                              .file = currency ? "40-tariff.lua" : NULL,
                              .line = currency ? 3 : 0,
                              .generation = currency ? 7 : 0,
                              .set_flags = flags};
    assert_true(rig_store(rig, batch));
    batch_free(batch);
}

static void finish(struct rig *rig, int64_t id)
{
    struct batch *batch = rig_batch(rig);
    batch_add(batch, RECORD_FINISHED)->finished.id = id;
    assert_true(rig_store(rig, batch));
    batch_free(batch);
}

static int64_t stopped(struct rig *rig, int64_t at, bool due)
{
    int64_t id = rig_start(rig, start_of("CP1", "Tag", at), NULL);
    struct record_stop stop = stop_of("CP1", id);
    stop.due = due;
    assert_int_equal(rig_stop(rig, stop).out_outcome, STOP_DONE);
    return id;
}

/* ---- what comes back ---- */

static void on_transaction(void *ctx, const struct record_transaction *row)
{
    struct strbuf *to = ctx;
    strbuf_addf(to, "%lld", (long long)row->id);
    if (row->due)
        strbuf_addf(to, " due %lld %lld %lld %s", (long long)row->stop_ms,
                    (long long)row->meter_stop_wh, (long long)row->energy_wh, row->reason);
    if (row->due && row->price.currency)
        strbuf_addf(to, " %s %lld %lld %s %s %s:%lld %lld", row->price.currency,
                    (long long)row->price.digits, (long long)row->price.total, row->price.lines,
                    row->price.tariff, row->price.file, (long long)row->price.line,
                    (long long)row->price.generation);
    strbuf_addc(to, '\n');
}

static void nothing_cp(void *ctx, const struct record_charge_point *row)
{
    (void)ctx;
    (void)row;
}
static void nothing_connector(void *ctx, const struct record_connector *row)
{
    (void)ctx;
    (void)row;
}
static void nothing_tag(void *ctx, const struct record_id_tag *row)
{
    (void)ctx;
    (void)row;
}
static void nothing_kv(void *ctx, const struct record_kv *row)
{
    (void)ctx;
    (void)row;
}

static void assert_restored(struct rig *rig, const char *expected)
{
    struct strbuf text = {0};
    const struct restore_sink sink = {.ctx = &text,
                                      .charge_point = nothing_cp,
                                      .connector = nothing_connector,
                                      .transaction = on_transaction,
                                      .id_tag = nothing_tag,
                                      .kv = nothing_kv};
    if (!store_restore(rig->store, &sink, &rig->why))
        fail_msg("%s", rig->why.text);
    assert_string_equal(strbuf_text(&text), expected);
    strbuf_clear(&text);
}

static void test_due_until_finished(void **state)
{
    struct rig *rig = *state;
    stopped(rig, 1000, false);
    int64_t id = stopped(rig, 2000, true);
    rig_start(rig, start_of("CP2", "Tag", 500), NULL);
    assert_restored(rig, "3\n2 due 5000 1100 1000 Local\n");
    price(rig, id, "EUR", 64, 0);
    assert_restored(rig, "3\n2 due 5000 1100 1000 Local EUR 2 64 "
                         "[{\"name\":\"energy\",\"amount\":64}] v1 40-tariff.lua:3 7\n");
    finish(rig, id);
    assert_restored(rig, "3\n");
    const char *rows = rig_rows(rig, "transaction", "{\"id\":2}");
    assert_non_null(strstr(rows, "\"priceCurrency\":\"EUR\",\"priceDigits\":2,\"priceTotal\":64,"
                                 "\"priceLines\":[{\"name\":\"energy\",\"amount\":64}],"
                                 "\"priceTariff\":\"v1\",\"priceGeneration\":7,"
                                 "\"priceFile\":\"40-tariff.lua\",\"priceLine\":3}"));
}

static void test_a_price_is_never_replaced(void **state)
{
    struct rig *rig = *state;
    int64_t id = stopped(rig, 1000, true);
    price(rig, id, "EUR", 64, 0);
    price(rig, id, "EUR", 99, TX_UNPRICED);
    price(rig, id, NULL, 0, TX_UNPRICED);
    assert_int_equal(rig_number(rig, "SELECT price_total FROM charge_transaction"), 64);
    assert_int_equal(rig_number(rig, "SELECT flags FROM charge_transaction"), 0);
}

static void test_unpriced(void **state)
{
    struct rig *rig = *state;
    int64_t id = stopped(rig, 1000, true);
    price(rig, id, NULL, 0, TX_UNPRICED);
    assert_int_equal(rig_number(rig, "SELECT flags FROM charge_transaction"), TX_UNPRICED);
    assert_int_equal(rig_number(rig, "SELECT price_currency IS NULL AND price_digits IS NULL AND"
                                     " price_total IS NULL AND price_line IS NULL AND"
                                     " price_generation IS NULL FROM charge_transaction"),
                     1);
    assert_restored(rig, "1 due 5000 1100 1000 Local\n");
}

static int64_t estimate(struct rig *rig, int64_t at)
{
    int64_t id = rig_start(rig, start_of("CP1", "Tag", at), NULL);
    struct record_stop stop = stop_of("CP1", id);
    stop.set_flags = TX_ESTIMATED;
    stop.meter_stop_wh = 500;
    stop.due = true;
    assert_int_equal(rig_stop(rig, stop).out_outcome, STOP_DONE);
    return id;
}

static void test_the_price_of_an_estimate_stays(void **state)
{
    struct rig *rig = *state;
    int64_t id = estimate(rig, 1000);
    price(rig, id, "EUR", 64, 0);
    finish(rig, id);
    struct record_stop out = rig_stop(rig, stop_of("CP1", id));
    assert_int_equal(out.out_outcome, STOP_REPLACED_ESTIMATE);
    assert_true(out.out_priced);
    assert_int_equal(rig_number(rig, "SELECT flags FROM charge_transaction"), TX_PRICE_ESTIMATED);
    assert_int_equal(rig_number(rig, "SELECT price_total FROM charge_transaction"), 64);
    assert_int_equal(rig_number(rig, "SELECT energy_wh FROM charge_transaction"), 1000);
    assert_int_equal(rig_number(rig, "SELECT due FROM charge_transaction"), 0);
    assert_false(rig_stop(rig, stop_of("CP1", id)).out_priced); /* a repeat */
}

/* It was not priced yet when the server died: the real figures are priced then. */
static void test_an_estimate_without_a_price(void **state)
{
    struct rig *rig = *state;
    int64_t id = estimate(rig, 1000);
    struct record_stop out = rig_stop(rig, stop_of("CP1", id));
    assert_int_equal(out.out_outcome, STOP_REPLACED_ESTIMATE);
    assert_false(out.out_priced);
    assert_int_equal(rig_number(rig, "SELECT flags FROM charge_transaction"), 0);
    assert_restored(rig, "1 due 5000 1100 1000 Local\n");
}

static void test_decision_with_an_answer(void **state)
{
    struct rig *rig = *state;
    struct batch *batch = rig_batch(rig);
    batch_add(batch, RECORD_DECISION)->decision =
        (struct record_decision){.cp = "CP1",
                                 .ts_ms = 5,
                                 .event = "price",
                                 .id_tag = "A",
                                 .evse = 1,
                                 .connector = 1,
                                 .transaction_id = 7,
                                 .verdict = "0.64 EUR",
                                 .file = "40-tariff.lua",
                                 .line = 3,
                                 .generation = 7,
                                 .inputs = "{\"kWh\":1.000}",
                                 .answer = "{\"total\":64}"};
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    const char *rows = rig_rows(rig, "decisions", "{\"event\":\"price\"}");
    assert_non_null(strstr(rows, "\"inputs\":{\"kWh\":1.000},\"answer\":{\"total\":64}}"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_due_until_finished),
        TEST(test_a_price_is_never_replaced),
        TEST(test_unpriced),
        TEST(test_the_price_of_an_estimate_stays),
        TEST(test_an_estimate_without_a_price),
        TEST(test_decision_with_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

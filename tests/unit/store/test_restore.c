/* What was stored comes back at start: charge points, connectors, open transactions with their
 * last samples, tags, keys and values; nothing that ended. */
#include "rig.h"

static struct record *add(struct batch *batch, struct record from)
{
    struct record *record = batch_add(batch, from.kind);
    struct record *next = record->next;
    *record = from;
    record->next = next;
    return record;
}

struct seen {
    struct strbuf text; /* one line a row */
};

static const char *text_or(const char *text)
{
    return text ? text : "-";
}

static void put(struct strbuf *to, int64_t value)
{
    if (value == ABSENT)
        strbuf_adds(to, " -");
    else
        strbuf_addf(to, " %lld", (long long)value);
}

static void on_charge_point(void *ctx, const struct record_charge_point *row)
{
    struct strbuf *to = ctx;
    strbuf_addf(to, "cp %s %s %s %s %s %s %s %s %s %s", row->id, row->registration,
                text_or(row->password_hash), text_or(row->options), text_or(row->version),
                text_or(row->vendor), text_or(row->model), text_or(row->serial),
                text_or(row->firmware), text_or(row->boot));
    put(to, row->security_profile);
    put(to, row->created_ms);
    put(to, row->last_boot_ms);
    put(to, row->last_seen_ms);
    strbuf_addf(to, " %s\n", text_or(row->vars));
}

static void on_connector(void *ctx, const struct record_connector *row)
{
    struct strbuf *to = ctx;
    strbuf_addf(to, "connector %s %lld.%lld %s %s %s %s %s", row->cp, (long long)row->evse,
                (long long)row->connector, row->status, row->error_code, text_or(row->info),
                text_or(row->vendor_id), text_or(row->vendor_error_code));
    put(to, row->status_ms);
    put(to, row->newest_start_ms);
    put(to, row->last_meter_stop_wh);
    strbuf_addc(to, '\n');
}

static void on_transaction(void *ctx, const struct record_transaction *row)
{
    struct strbuf *to = ctx;
    const struct record_start *s = &row->start;
    strbuf_addf(to, "tx %lld %s %lld.%lld %s %s %s %s %s %s %s", (long long)row->id, s->cp,
                (long long)s->evse, (long long)s->connector, text_or(s->station_id), s->id_tag,
                text_or(s->parent_id_tag), text_or(s->start_text), text_or(s->meter_start_text),
                s->verdict, text_or(s->expiry));
    put(to, s->start_ms);
    put(to, s->received_ms);
    put(to, s->meter_start_wh);
    put(to, s->reservation_id);
    put(to, s->flags);
    put(to, s->generation);
    strbuf_addf(to, " %s:", text_or(row->vars));
    put(to, row->last_energy_wh);
    put(to, row->last_power_w);
    put(to, row->last_soc);
    put(to, row->last_sample_ms);
    strbuf_addc(to, '\n');
}

static void on_meter_value(void *ctx, const struct record_meter_value *row)
{
    struct strbuf *to = ctx;
    strbuf_addf(to, "meter %lld %s %lld.%lld", (long long)row->transaction_id, row->cp,
                (long long)row->evse, (long long)row->connector);
    put(to, row->ts_ms);
    put(to, row->energy_wh);
    put(to, row->power_w);
    put(to, row->soc);
    strbuf_adds(to, row->implausible ? " implausible" : "");
    for (size_t i = 0; i < row->sample_count; i++) {
        const struct record_sample *s = &row->samples[i];
        strbuf_addf(to, " %s/%s/%s/%s/%s/%s=%s", s->measurand, s->context, s->format,
                    text_or(s->phase), s->location, text_or(s->unit), s->value);
    }
    strbuf_addc(to, '\n');
}

static void on_id_tag(void *ctx, const struct record_id_tag *row)
{
    struct strbuf *to = ctx;
    strbuf_addf(to, "tag %s %s %s %s", row->id_tag, row->status, text_or(row->parent_id_tag),
                text_or(row->note));
    put(to, row->expiry_ms);
    put(to, row->max_active);
    strbuf_addc(to, '\n');
}

static void on_kv(void *ctx, const struct record_kv *row)
{
    struct strbuf *to = ctx;
    strbuf_addf(to, "kv %s %s", row->key, row->value);
    put(to, row->expires_ms);
    strbuf_addc(to, '\n');
}

static void assert_restored(struct rig *rig, const char *expected)
{
    struct strbuf text = {0};
    const struct restore_sink sink = {.ctx = &text,
                                      .charge_point = on_charge_point,
                                      .connector = on_connector,
                                      .transaction = on_transaction,
                                      .meter_value = on_meter_value,
                                      .id_tag = on_id_tag,
                                      .kv = on_kv};
    if (!store_restore(rig->store, &sink, &rig->why))
        fail_msg("%s", rig->why.text);
    assert_string_equal(strbuf_text(&text), expected);
    strbuf_clear(&text);
}

static void test_empty(void **state)
{
    assert_restored(*state, "");
}

static void test_everything(void **state)
{
    struct rig *rig = *state;
    struct batch *batch = rig_batch(rig);
    add(batch, (struct record){.kind = RECORD_KV, .kv = {"k", "{\"a\":1}", 500}});
    add(batch, (struct record){.kind = RECORD_KV, .kv = {"j", "1", ABSENT}});
    add(batch, (struct record){.kind = RECORD_ID_TAG,
                               .id_tag = {"T2", "Blocked", ABSENT, NULL, NULL, ABSENT}});
    add(batch,
        (struct record){.kind = RECORD_ID_TAG, .id_tag = {"T1", "Accepted", 5, "P", "n", 2}});
    add(batch, (struct record){.kind = RECORD_CONNECTOR,
                               .connector = {"B", 1, 0, "Faulted", "E", "i", "v", "w", 1, 2, 3}});
    add(batch, (struct record){.kind = RECORD_CONNECTOR,
                               .connector = {"A", 2, 1, "Available", "NoError", NULL, NULL, NULL, 4,
                                             ABSENT, ABSENT}});
    add(batch, (struct record){.kind = RECORD_CHARGE_POINT,
                               .charge_point = {"A", "accepted", "hash", 1, "{}", "1.6", "v", "m",
                                                "s", "f", "{\"b\":1}", 10, 11, 12, "{\"x\":1}"}});
    add(batch,
        (struct record){.kind = RECORD_CHARGE_POINT,
                        .charge_point = {.id = "B", .registration = "pending", .created_ms = 9}});
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    static const char expected[] = "cp B pending - - - - - - - - 0 9 0 0 -\n"
                                   "cp A accepted hash {} 1.6 v m s f {\"b\":1} 1 10 11 12 "
                                   "{\"x\":1}\n"
                                   "connector A 2.1 Available NoError - - - 4 - -\n"
                                   "connector B 1.0 Faulted E i v w 1 2 3\n"
                                   "tag T1 Accepted P n 5 2\n"
                                   "tag T2 Blocked - - - -\n"
                                   "kv j 1 -\n"
                                   "kv k {\"a\":1} 500\n";
    assert_restored(rig, expected);
    rig_reopen(rig);
    assert_restored(rig, expected);
}

static void put_sample(struct rig *rig, int64_t tx, int64_t at, const int64_t values[3],
                       bool implausible)
{
    struct batch *batch = rig_batch(rig);
    add(batch, (struct record){.kind = RECORD_METER_VALUE,
                               .meter_value = {.cp = "CP1",
                                               .evse = 1,
                                               .connector = 1,
                                               .transaction_id = tx,
                                               .ts_ms = at,
                                               .received_ms = at,
                                               .energy_wh = values[0],
                                               .power_w = values[1],
                                               .soc = values[2],
                                               .implausible = implausible}});
    assert_true(rig_store(rig, batch));
    batch_free(batch);
}

/* The newest value of each kind, whatever row it is in; implausible ones do not count. */
static void test_open_transactions(void **state)
{
    struct rig *rig = *state;
    struct record_start in = start_of("CP1", "Tag", 1000);
    rig_start(rig, in, NULL);
    in.evse = 2;
    rig_start(rig, in, NULL);
    rig_stop(rig, stop_of("CP1", 2));
    in = (struct record_start){.cp = "CP2",
                               .evse = 1,
                               .connector = ABSENT,
                               .station_id = "uuid",
                               .start_ms = ABSENT,
                               .received_ms = 7,
                               .meter_start_wh = ABSENT,
                               .reservation_id = 4,
                               .verdict = "Invalid",
                               .flags = TX_REFUSED};
    in.connector = 1;
    rig_start(rig, in, NULL);
    put_sample(rig, 1, 1100, (int64_t[]){200, 7000, 10}, false);
    put_sample(rig, 1, 1300, (int64_t[]){300, ABSENT, ABSENT}, false);
    put_sample(rig, 1, 1200, (int64_t[]){250, ABSENT, 12}, false);
    put_sample(rig, 1, 1400, (int64_t[]){1, 2, 3}, true);
    struct batch *batch = rig_batch(rig);
    add(batch, (struct record){.kind = RECORD_TRANSACTION_VARS, .transaction_vars = {3, "{}", 0}});
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    rig_reopen(rig);
    /* in order of their beginning, for what has none of receipt */
    assert_restored(rig, "tx 3 CP2 1.1 uuid  - - - Invalid - - 7 - 4 1 0 {}: - - - -\n"
                         "tx 1 CP1 1.1 - Tag PARENT 2026-01-01T00:00:00Z 100 Accepted"
                         " 2027-01-01T00:00:00Z 1000 1005 100 - 0 3 -: 300 7000 12 1300\n"
                         "meter 1 CP1 1.1 1100 200 7000 10\n"
                         "meter 1 CP1 1.1 1200 250 - 12\n"
                         "meter 1 CP1 1.1 1300 300 - -\n"
                         "meter 1 CP1 1.1 1400 1 2 3 implausible\n");
}

/* Samples come back with the last hour of a transaction, as they were. */
static void test_samples(void **state)
{
    static const struct record_sample samples[] = {
        {"Voltage", "Sample.Periodic", "Raw", "L1", "Outlet", "V", "230.5"},
        {"SoC", "Sample.Periodic", "Raw", NULL, "EV", NULL, "a=b"}};
    enum { HOUR_MS = 3600000 };
    struct rig *rig = *state;
    rig_start(rig, start_of("CP1", "Tag", 1000), NULL);
    for (int i = 0; i < 3; i++) {
        struct batch *batch = rig_batch(rig);
        add(batch, (struct record){.kind = RECORD_METER_VALUE,
                                   .meter_value = {.cp = "CP1",
                                                   .evse = 1,
                                                   .connector = 1,
                                                   .transaction_id = 1,
                                                   .ts_ms = 2000 + i * (HOUR_MS / 2 + 1),
                                                   .energy_wh = i,
                                                   .power_w = ABSENT,
                                                   .soc = ABSENT,
                                                   .samples = samples,
                                                   .sample_count = i == 2 ? 1 : 2}});
        assert_true(rig_store(rig, batch));
        batch_free(batch);
    }
    rig_reopen(rig);
    assert_restored(rig, "tx 1 CP1 1.1 - Tag PARENT 2026-01-01T00:00:00Z 100 Accepted"
                         " 2027-01-01T00:00:00Z 1000 1005 100 - 0 3 -: 2 - - 3602002\n"
                         "meter 1 CP1 1.1 2000 0 - -\n"
                         "meter 1 CP1 1.1 1802001 1 - - "
                         "Voltage/Sample.Periodic/Raw/L1/Outlet/V=230.5 "
                         "SoC/Sample.Periodic/Raw/-/EV/-=a=b\n"
                         "meter 1 CP1 1.1 3602002 2 - - "
                         "Voltage/Sample.Periodic/Raw/L1/Outlet/V=230.5\n");
}

/* ---- API keys, beside a running store ---- */

static void test_keys(void **state)
{
    struct rig *rig = *state;
    struct api_key b = {(char *)(uintptr_t) "b", (char *)(uintptr_t) "read",
                        (char *)(uintptr_t) "hash1", 5};
    struct api_key a = {(char *)(uintptr_t) "a", (char *)(uintptr_t) "admin",
                        (char *)(uintptr_t) "hash2", 6};
    struct api_key *keys;
    size_t count;
    assert_true(store_keys(rig->store, &keys, &count, &rig->why));
    assert_int_equal(count, 0);
    api_keys_free(keys, count);
    assert_true(keys_file_add(rig->path, &b, &rig->why));
    assert_true(keys_file_add(rig->path, &a, &rig->why));
    assert_false(keys_file_add(rig->path, &a, &rig->why));
    assert_string_equal(rig->why.text, "there is a key \"a\" already; revoke it first");
    assert_true(store_keys(rig->store, &keys, &count, &rig->why));
    assert_int_equal(count, 2);
    assert_string_equal(keys[0].name, "a");
    assert_string_equal(keys[0].scope, "admin");
    assert_string_equal(keys[0].hash, "hash2");
    assert_int_equal(keys[1].created_ms, 5);
    api_keys_free(keys, count);
    assert_true(keys_file_revoke(rig->path, "a", &rig->why));
    assert_false(keys_file_revoke(rig->path, "a", &rig->why));
    assert_string_equal(rig->why.text, "there is no key \"a\"");
    rig_close(rig);
    assert_true(keys_file_read(rig->path, &keys, &count, &rig->why));
    assert_int_equal(count, 1);
    api_keys_free(keys, count);
}

/* While the writer is busy the other connection waits its turn, and the store goes on. */
static void test_keys_beside_writes(void **state)
{
    struct rig *rig = *state;
    struct batch *batches[200];
    for (size_t i = 0; i < ARRAY_LEN(batches); i++) {
        batches[i] = rig_batch(rig);
        add(batches[i], (struct record){.kind = RECORD_EVENT, .event = {"CP1", "e", "{}", 1}});
        store_submit(rig->store, batches[i]);
        if (i % 20)
            continue;
        char name[16];
        snprintf(name, sizeof(name), "key%zu", i);
        struct api_key key = {name, name, name, 1};
        assert_true(keys_file_add(rig->path, &key, &rig->why));
    }
    rig_settle(rig);
    assert_int_equal(rig->failed_count, 0);
    for (size_t i = 0; i < ARRAY_LEN(batches); i++)
        batch_free(batches[i]);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM api_key"), 10);
}

static void test_keys_of_no_database(void **state)
{
    struct rig *rig = *state;
    struct api_key *keys;
    size_t count;
    char path[400];
    struct api_key key = {rig->dir, rig->dir, rig->dir, 1};
    snprintf(path, sizeof(path), "%s/none/cb.db", rig->dir);
    assert_false(keys_file_read(path, &keys, &count, &rig->why));
    assert_null(keys);
    assert_int_equal(count, 0);
    assert_false(keys_file_add(path, &key, &rig->why));
    assert_false(keys_file_revoke(path, "a", &rig->why));
    assert_non_null(strstr(rig->why.text, "cannot open"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_empty),
        TEST(test_everything),
        TEST(test_open_transactions),
        TEST(test_samples),
        TEST(test_keys),
        TEST(test_keys_beside_writes),
        TEST(test_keys_of_no_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

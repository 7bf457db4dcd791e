/* The writer: groups, every SQL step failing, a full queue, closing. */
#include "rig.h"

enum { GROUP = 3 };

/* As if all of them had been queued while the writer was busy: one group for sure. */
static void submit_group(struct rig *rig, struct batch **batches, size_t count)
{
    struct writer *writer = &rig->store->writer;
    pthread_mutex_lock(&writer->lock);
    for (size_t i = 0; i < count; i++) {
        rig->store->batches_out++;
        *writer->end = batches[i];
        writer->end = &batches[i]->next;
    }
    pthread_cond_signal(&writer->wanted);
    pthread_mutex_unlock(&writer->lock);
    rig_settle(rig);
}

enum { ROWS_OF_BATCH = 5 };

/* One row in each of five tables, all of them for `cp`. */
static struct batch *full_batch(struct rig *rig, const char *cp)
{
    static const struct record_sample sample = {"New", NULL, NULL, NULL, NULL, NULL, "1"};
    struct batch *batch = rig_batch(rig);
    cp = arena_strdup(&batch->arena, cp);
    batch_add(batch, RECORD_START)->start = start_of(cp, "Tag", 1000);
    batch_add(batch, RECORD_START_FIND)->start = start_of(cp, "Tag", 1000);
    batch_add(batch, RECORD_STOP)->stop = stop_of(cp, 1);
    batch_add(batch, RECORD_METER_VALUE)->meter_value = (struct record_meter_value){
        .cp = cp, .evse = 1, .connector = 1, .ts_ms = 1, .samples = &sample, .sample_count = 1};
    batch_add(batch, RECORD_STATUS)->status =
        (struct record_status){.cp = cp, .evse = 1, .connector = 1, .status = "Available"};
    batch_add(batch, RECORD_CONNECTOR)->connector =
        (struct record_connector){.cp = cp, .evse = 1, .connector = 1};
    batch_add(batch, RECORD_EVENT)->event = (struct record_event){cp, "e", NULL, 1};
    return batch;
}

static int64_t rows_of(struct rig *rig, const char *cp)
{
    char *text = xprintf("SELECT (SELECT count(*) FROM charge_transaction WHERE cp = '%s') +"
                         " (SELECT count(*) FROM meter_value v JOIN meter_place p ON p.id = v.place"
                         " WHERE p.cp = '%s') +"
                         " (SELECT count(*) FROM status_log WHERE cp = '%s') +"
                         " (SELECT count(*) FROM connector WHERE cp = '%s') +"
                         " (SELECT count(*) FROM event WHERE cp = '%s')",
                         cp, cp, cp, cp, cp);
    int64_t rows = rig_number(rig, text);
    xfree(text);
    return rows;
}

/* One group of batches for charge points of their own, with a fault at step `n`, and what follows
 * from it `again` (rig_fail_at()); returns how many of its batches failed. */
static size_t failing_group(struct rig *rig, int64_t n, int64_t again)
{
    static int64_t groups;
    struct batch *batches[GROUP];
    char cp[GROUP][32];
    size_t failed = 0;
    groups++;
    for (int i = 0; i < GROUP; i++) {
        snprintf(cp[i], sizeof(cp[i]), "CP%lld-%d", (long long)groups, i);
        batches[i] = full_batch(rig, cp[i]);
    }
    rig_fail_at(rig, n, again);
    submit_group(rig, batches, GROUP);
    rig_fail_no_more(rig);
    for (int i = 0; i < GROUP; i++) {
        failed += batches[i]->failed;
        assert_int_equal(rows_of(rig, cp[i]), batches[i]->failed ? 0 : ROWS_OF_BATCH);
        batch_free(batches[i]);
    }
    assert_int_equal(store_healthy(rig->store), failed != GROUP);
    return failed;
}

enum { NEVER_REACHED = 10000 };

/* Afterwards all goes on, with the meter kinds and the index that it needs. */
static void assert_goes_on(struct rig *rig)
{
    assert_int_equal(failing_group(rig, NEVER_REACHED, SAME_STEP), 0);
}

/* Whatever step fails, a batch is stored whole or not at all, `failed` says which, and in between
 * BEGIN and COMMIT its neighbours survive. */
static void test_every_step_fails(void **state)
{
    struct rig *rig = *state;
    size_t alone = 0, together = 0, failed;
    int64_t n = 1;
    do {
        failed = failing_group(rig, n++, SAME_STEP);
        alone += failed == 1;
        together += failed == GROUP;
        assert_true(failed == 0 || failed == 1 || failed == GROUP);
        assert_goes_on(rig);
    } while (failed);
    assert_true(alone > 20);
    assert_int_equal(together, 2); /* BEGIN and COMMIT */
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM meter_kind"), 1);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM meter_value WHERE vals = '0='"), 0);
}

/* The same while a group is written for the second time, batch by batch: savepoints too. */
static void test_every_second_step_fails(void **state)
{
    struct rig *rig = *state;
    size_t alone = 0, together = 0, failed;
    int64_t again = 1;
    do {
        failed = failing_group(rig, 10, again++);
        alone += failed == 1;
        together += failed == GROUP;
        assert_true(failed == 0 || failed == 1 || failed == GROUP);
        assert_goes_on(rig);
    } while (failed || again < 5); /* the first of them is ROLLBACK, which undoes all the same */
    assert_true(alone > 20);
    assert_true(together >= 2); /* BEGIN and COMMIT, and the making of a savepoint */
    assert_true(together <= 3 + GROUP);
}

/* A failure that is over when the group is written again is none. */
static void test_passing_failure(void **state)
{
    struct rig *rig = *state;
    for (int64_t n = 2; n < 20; n++)
        assert_int_equal(failing_group(rig, n, NEVER_REACHED), 0);
}

/* A batch that the database refuses fails alone. */
static void test_bad_batch(void **state)
{
    struct rig *rig = *state;
    struct batch *batches[GROUP] = {full_batch(rig, "A"), full_batch(rig, "B"),
                                    full_batch(rig, "C")};
    batch_add(batches[1], RECORD_KV)->kv = (struct record_kv){"key", NULL, ABSENT}; /* NOT NULL */
    submit_group(rig, batches, GROUP);
    assert_false(batches[0]->failed);
    assert_true(batches[1]->failed);
    assert_false(batches[2]->failed);
    assert_int_equal(rows_of(rig, "A"), ROWS_OF_BATCH);
    assert_int_equal(rows_of(rig, "B"), 0);
    assert_int_equal(rows_of(rig, "C"), ROWS_OF_BATCH);
    assert_true(store_healthy(rig->store));
    for (int i = 0; i < GROUP; i++)
        batch_free(batches[i]);
}

/* Results come in order of submission, on the thread that runs the posted function. */
struct line {
    size_t count, expected;
};

static void on_in_order(void *ctx, struct batch *batch)
{
    struct line *line = ctx;
    assert_string_equal(batch->first->event.kind, line->expected % 2 ? "odd" : "even");
    assert_int_equal(batch->first->event.ts_ms, line->expected);
    line->expected++;
    batch_free(batch);
}

static void test_order(void **state)
{
    struct rig *rig = *state;
    struct line line = {0};
    for (int i = 0; i < 500; i++) {
        struct batch *batch = batch_new();
        batch_add(batch, RECORD_EVENT)->event =
            (struct record_event){"CP", i % 2 ? "odd" : "even", NULL, i};
        batch->done = on_in_order;
        batch->ctx = &line;
        store_submit(rig->store, batch);
    }
    assert_int_equal(line.expected, 0); /* never inside the call */
    rig_settle(rig);
    assert_int_equal(line.expected, 500);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event WHERE id = ts_ms + 1"), 500);
}

/* Nobody waits for it: the store frees it. */
static void test_without_done(void **state)
{
    struct rig *rig = *state;
    struct batch *batch = batch_new();
    batch_add(batch, RECORD_EVENT)->event = (struct record_event){"CP", "e", NULL, 1};
    store_submit(rig->store, batch);
    store_submit(rig->store, batch_new()); /* an empty one */
    rig_settle(rig);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event"), 1);
}

/* ---- a disk that does not move ---- */

static sqlite3 *hold(struct rig *rig)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(rig->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void let_go(sqlite3 *db)
{
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static struct batch *heavy_batch(struct rig *rig, size_t size)
{
    struct batch *batch = rig_batch(rig);
    batch_add(batch, RECORD_EVENT)->event = (struct record_event){"CP", "e", NULL, 1};
    arena_alloc(&batch->arena, size);
    return batch;
}

static void test_queue_full(void **state)
{
    struct rig *rig = *state;
    enum { COUNT = 80, MEGABYTE = 1 << 20 };
    struct batch *batches[COUNT];
    size_t refused = 0;
    sqlite3 *db = hold(rig);
    for (size_t i = 0; i < COUNT; i++) {
        batches[i] = heavy_batch(rig, MEGABYTE);
        store_submit(rig->store, batches[i]);
        refused += batches[i]->failed;
        assert_int_equal(rig->done_count, refused); /* told at once */
    }
    assert_true(refused >= COUNT - 65 - 1 && refused <= COUNT - 63);
    struct store_queue queue = store_queue(rig->store); /* the writer holds at most the rest */
    assert_true(queue.batches >= 62 && queue.batches <= COUNT - refused);
    assert_true(queue.bytes >= queue.batches * MEGABYTE && queue.bytes <= STORE_QUEUE_MAX);
    assert_false(store_idle(rig->store));
    let_go(db);
    rig_settle(rig);
    assert_int_equal(rig->failed_count, refused);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event"), COUNT - refused);
    for (size_t i = 0; i < COUNT; i++)
        batch_free(batches[i]);
    queue = store_queue(rig->store);
    assert_int_equal(queue.batches + queue.bytes, 0);
    /* there is room again */
    struct batch *batch = heavy_batch(rig, MEGABYTE);
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    /* one that can never fit */
    batch = heavy_batch(rig, STORE_QUEUE_MAX);
    store_submit(rig->store, batch);
    assert_true(batch->failed);
    assert_true(store_idle(rig->store));
    batch_free(batch);
}

/* ---- closing ---- */

struct closing {
    struct store *store;
    size_t batches, queries, errors, late_failed, late_errors;
};

static void on_late_batch(void *ctx, struct batch *batch)
{
    struct closing *closing = ctx;
    closing->late_failed += batch->failed;
    batch_free(batch);
}

static void on_late_query(void *ctx, const char *rows, const char *cursor, const char *why)
{
    struct closing *closing = ctx;
    (void)cursor;
    assert_null(rows);
    closing->late_errors += text_is(why, "the store is closing");
}

static void on_closing_batch(void *ctx, struct batch *batch)
{
    struct closing *closing = ctx;
    assert_false(batch->failed);
    batch_free(batch);
    if (closing->batches++ == 0) { /* what the last answers bring about is refused at once */
        struct batch *late = batch_new();
        late->done = on_late_batch;
        late->ctx = closing;
        batch_add(late, RECORD_EVENT)->event = (struct record_event){"CP", "late", NULL, 1};
        store_submit(closing->store, late);
        store_query(closing->store, "events", NULL, on_late_query, closing);
    }
}

static void on_closing_query(void *ctx, const char *rows, const char *cursor, const char *why)
{
    struct closing *closing = ctx;
    (void)cursor;
    assert_true((rows == NULL) != (why == NULL));
    closing->queries++;
    closing->errors += why != NULL;
}

static void test_close(void **state)
{
    struct rig *rig = *state;
    enum { COUNT = 50 };
    struct closing closing = {.store = rig->store};
    sqlite3 *db = hold(rig);
    for (int i = 0; i < COUNT; i++) {
        struct batch *batch = batch_new();
        batch_add(batch, RECORD_EVENT)->event = (struct record_event){"CP", "e", NULL, i};
        batch->done = on_closing_batch;
        batch->ctx = &closing;
        store_submit(rig->store, batch);
    }
    /* all but the one that the reader may be at are waiting when the store closes */
    struct reader *reader = &rig->store->reader;
    for (int i = 0; i < COUNT; i++)
        store_query(rig->store, "events", NULL, on_closing_query, &closing);
    pthread_mutex_lock(&reader->lock);
    reader->closing = true;
    pthread_mutex_unlock(&reader->lock);
    let_go(db);
    rig_close(rig);
    assert_int_equal(closing.batches, COUNT);
    assert_int_equal(closing.queries, COUNT);
    assert_int_equal(closing.late_failed, 1);
    assert_int_equal(closing.late_errors, 1);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event"), COUNT);
}

static void on_long_query(void *ctx, const char *rows, const char *cursor, const char *why)
{
    struct closing *closing = ctx;
    (void)cursor;
    /* the first one may have been through before the store was told to close */
    assert_string_equal(rows ? rows : why, rows ? "[]" : "the store is closing");
    closing->queries++;
}

/* A query that runs for long does not hold up the closing. */
static void test_close_during_query(void **state)
{
    struct rig *rig = *state;
    struct closing closing = {.store = rig->store};
    rig_sql(rig, "INSERT INTO list_block (list, block, first_ms) VALUES (0, 0, 0);"
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 400000)"
                 " INSERT INTO message (cp, connection, ts_ms, outgoing, text)"
                 " SELECT 'CP', 1, i, 0, 'some text that is no match at all' FROM n");
    struct arena arena = {0};
    static const char text[] = "{\"contains\":\"none\"}";
    struct json *params = json_parse(&arena, text, strlen(text), NULL, NULL);
    for (int i = 0; i < 3; i++)
        store_query(rig->store, "messages", params, on_long_query, &closing);
    arena_clear(&arena);
    rig_close(rig);
    assert_int_equal(closing.queries, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_every_step_fails),
        TEST(test_every_second_step_fails),
        TEST(test_passing_failure),
        TEST(test_bad_batch),
        TEST(test_order),
        TEST(test_without_done),
        TEST(test_queue_full),
        TEST(test_close),
        TEST(test_close_during_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

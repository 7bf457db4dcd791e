/* What is old goes, in bounded steps; what is young, open or to be kept for ever stays. */
#include "rig.h"

static const int64_t DAY = 24 * 3600 * 1000LL;
#define NOW (1000 * DAY)

static void add_one_of_each(struct batch *batch, int64_t at)
{
    batch_add(batch, RECORD_MESSAGE)->message =
        (struct record_message){.cp = "C", .ts_ms = at, .text = "x", .len = 1};
    batch_add(batch, RECORD_STATUS)->status =
        (struct record_status){.cp = "C", .evse = 1, .connector = 1, .received_ms = at};
    batch_add(batch, RECORD_DECISION)->decision =
        (struct record_decision){.cp = "C", .ts_ms = at, .event = "start", .id_tag = "Tag"};
    batch_add(batch, RECORD_EVENT)->event = (struct record_event){"C", "e", NULL, at};
    batch_add(batch, RECORD_ORPHAN)->orphan = (struct record_orphan){.cp = "C", .ts_ms = at};
    batch_add(batch, RECORD_JOB_STATUS)->job_status =
        (struct record_job_status){.cp = "C", .kind = "log", .ts_ms = at};
    batch_add(batch, RECORD_SECURITY_EVENT)->security_event =
        (struct record_security_event){.cp = "C", .received_ms = at};
}

static void fill(struct rig *rig, int rows, int64_t at)
{
    struct batch *batch = rig_batch(rig);
    for (int i = 0; i < rows; i++)
        add_one_of_each(batch, at);
    assert_true(rig_store(rig, batch));
    batch_free(batch);
}

#define OLD (NOW - 11 * DAY)
#define YOUNG (NOW - 9 * DAY)

static int64_t count(struct rig *rig, const char *table)
{
    char text[80];
    snprintf(text, sizeof(text), "SELECT count(*) FROM %s", table);
    return rig_number(rig, text);
}

/* Steps until there is no more; none changes more than its share. */
static int steps(struct rig *rig, const struct store_retention *keep)
{
    struct sql sql;
    struct retention job = {.now = NOW};
    int taken = 0;
    assert_true(sql_open(&sql, rig->path, true, &rig->why));
    for (bool more = true; more; taken++) {
        int before = sqlite3_total_changes(sql.db);
        more = retention_step(&job, &sql, keep);
        assert_true(sql_ok(&sql));
        assert_true(sqlite3_total_changes(sql.db) - before <= 3 * 1000);
        assert_true(taken < 200);
    }
    sql_close(&sql);
    return taken;
}

static const char *const tables[] = {"message", "status_log", "decision",      "event",
                                     "orphan",  "job_status", "security_event"};

static void test_logs(void **state)
{
    struct rig *rig = *state;
    fill(rig, 2500, OLD);
    fill(rig, 100, YOUNG);
    struct store_retention keep = {.message_days = 10,
                                   .status_days = 10,
                                   .decision_days = 10,
                                   .event_days = 10,
                                   .meter_value_days = 10};
    assert_true(steps(rig, &keep) >= 3 * 7);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        assert_int_equal(count(rig, tables[i]), 100);
    assert_true(steps(rig, &keep) <= 2 * 7 + 3 + 1);
    /* what is left is still found */
    rig_rows(rig, "messages", "{\"cpid\":\"C\",\"limit\":1000}");
    assert_non_null(strstr(rig->rows, "\"id\":2501"));
}

/* More than a block; one that is empty goes with its keys, and the newest row stays: its id must
 * not come again. */
static void test_whole_blocks(void **state)
{
    struct rig *rig = *state;
    fill(rig, 5000, OLD);
    struct store_retention keep = {.event_days = 10};
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM list_block WHERE list = 6"), 2);
    steps(rig, &keep);
    assert_int_equal(count(rig, "event"), 1);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM list_block WHERE list = 6"), 1);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM list_key WHERE list = 6"), 1);
    assert_int_equal(count(rig, "message"), 5000);
    fill(rig, 1, YOUNG);
    assert_int_equal(rig_number(rig, "SELECT max(id) FROM event"), 5001);
    steps(rig, &keep);
    assert_int_equal(count(rig, "event"), 1);
}

static void test_for_ever(void **state)
{
    struct rig *rig = *state;
    fill(rig, 20, OLD);
    fill(rig, 1, YOUNG);
    struct store_retention keep = {.decision_days = 10};
    steps(rig, &keep);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        assert_int_equal(count(rig, tables[i]), text_is(tables[i], "decision") ? 1 : 21);
}

static void test_message_rows(void **state)
{
    struct rig *rig = *state;
    fill(rig, 2600, YOUNG);
    struct store_retention keep = {.message_rows = 150};
    steps(rig, &keep);
    assert_int_equal(count(rig, "message"), 150);
    assert_int_equal(rig_number(rig, "SELECT min(id) FROM message"), 2451);
    assert_int_equal(count(rig, "event"), 2600);
}

/* A list that began while our clock was ahead. */
static void test_began_in_future(void **state)
{
    struct rig *rig = *state;
    fill(rig, 10, NOW + 100 * DAY);
    fill(rig, 3000, OLD);
    fill(rig, 1, YOUNG);
    struct store_retention keep = {.event_days = 10};
    steps(rig, &keep);
    assert_int_equal(count(rig, "event"), 11);
}

static void test_empty(void **state)
{
    struct rig *rig = *state;
    struct store_retention keep = {1, 1, 1, 1, 1, 1};
    assert_int_equal(steps(rig, &keep), 7 + 3 + 1);
    keep = (struct store_retention){0};
    assert_int_equal(steps(rig, &keep), 7 + 1);
}

/* ---- meter values ---- */

static void add_samples(struct rig *rig, int64_t tx, const char *cp, int64_t at, int rows)
{
    struct batch *batch = rig_batch(rig);
    for (int i = 0; i < rows; i++)
        batch_add(batch, RECORD_METER_VALUE)->meter_value =
            (struct record_meter_value){.cp = cp,
                                        .evse = 1,
                                        .connector = 1,
                                        .transaction_id = tx,
                                        .ts_ms = at + i,
                                        .received_ms = at + i};
    assert_true(rig_store(rig, batch));
    batch_free(batch);
}

static int64_t add_transaction(struct rig *rig, int64_t from, int64_t until, int rows)
{
    int64_t id = rig_start(rig, start_of("CP1", "Tag", from), NULL);
    if (until) {
        struct record_stop stop = stop_of("CP1", id);
        stop.received_ms = until;
        rig_stop(rig, stop);
    }
    add_samples(rig, id, "CP1", from, rows);
    return id;
}

static int64_t samples_of(struct rig *rig, int64_t tx)
{
    char text[80];
    snprintf(text, sizeof(text), "SELECT count(*) FROM meter_value WHERE owner = %lld",
             (long long)tx);
    return rig_number(rig, text);
}

static void test_samples(void **state)
{
    struct rig *rig = *state;
    int64_t ended = add_transaction(rig, OLD, OLD + 1, 2500);
    int64_t ended_too = add_transaction(rig, OLD + 2, OLD + 3, 30);
    int64_t young = add_transaction(rig, YOUNG, YOUNG + 1, 30);
    add_samples(rig, 0, "CP1", OLD, 1500);
    add_samples(rig, 0, "CP1", YOUNG, 20);
    add_samples(rig, 0, "CP2", YOUNG, 20);
    add_samples(rig, 0, "CP3", OLD, 20);
    struct store_retention keep = {.meter_value_days = 10};
    assert_true(steps(rig, &keep) >= 7 + 4);
    assert_int_equal(samples_of(rig, ended), 0);
    assert_int_equal(samples_of(rig, ended_too), 0);
    assert_int_equal(samples_of(rig, young), 30);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM meter_value WHERE owner < 0"), 40);
    assert_int_equal(count(rig, "charge_transaction"), 3);
}

/* A series is never cut: it goes when its transaction has been over for so long, and not before. */
static void test_open_and_long_ones(void **state)
{
    struct rig *rig = *state;
    int64_t open = add_transaction(rig, OLD, 0, 30);
    int64_t lately = add_transaction(rig, OLD + 1, YOUNG, 30);
    int64_t ended = add_transaction(rig, OLD + 2, OLD + 3, 30);
    add_samples(rig, ended, "CP1", YOUNG, 3); /* its charger's clock is ahead */
    struct store_retention keep = {.meter_value_days = 10};
    steps(rig, &keep);
    assert_int_equal(samples_of(rig, open), 30);
    assert_int_equal(samples_of(rig, lately), 30);
    assert_int_equal(samples_of(rig, ended), 0);
}

/* More owners than one step looks at. */
static void test_many_owners(void **state)
{
    struct rig *rig = *state;
    struct batch *batch = rig_batch(rig);
    for (int i = 0; i < 1200; i++) {
        char *cp = arena_printf(&batch->arena, "CP%d", i);
        batch_add(batch, RECORD_METER_VALUE)->meter_value =
            (struct record_meter_value){.cp = cp, .ts_ms = i % 2 ? OLD : YOUNG};
    }
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    struct store_retention keep = {.meter_value_days = 10};
    assert_true(steps(rig, &keep) >= 7 + 2);
    assert_int_equal(count(rig, "meter_value"), 600);
}

/* ---- commands, jobs, reservations ---- */

static void put_command(struct rig *rig, const char *id, const char *state, int64_t asked,
                        int64_t ended)
{
    rig_put(rig, (struct record){.kind = RECORD_COMMAND,
                                 .command = {.id = id,
                                             .cp = "C",
                                             .action = "Reset",
                                             .state = state,
                                             .asked_ms = asked,
                                             .sent_ms = ABSENT,
                                             .ended_ms = ended}});
}

static void put_reservation(struct rig *rig, int64_t id, int64_t expiry, int64_t ended)
{
    rig_put(rig, (struct record){.kind = RECORD_RESERVATION,
                                 .reservation = {"C", id, 1, "Tag", NULL, expiry, OLD}});
    if (ended != ABSENT)
        rig_put(rig, (struct record){.kind = RECORD_RESERVATION_END,
                                     .reservation_end = {"C", id, 0, "USED", 1, ended}});
}

static void put_job(struct rig *rig, const char *kind, int64_t accepted, int64_t status)
{
    rig_put(rig,
            (struct record){
                .kind = RECORD_JOB,
                .job = {.cp = "C", .kind = kind, .request_id = ABSENT, .accepted_ms = accepted}});
    if (status != ABSENT)
        rig_put(rig, (struct record){.kind = RECORD_JOB_STATUS,
                                     .job_status = {"C", kind, "x", ABSENT, status}});
}

/* What goes first counts from its end; what has none, from the last that is known of it. */
static void test_ended(void **state)
{
    struct rig *rig = *state;
    put_command(rig, "lost", "queued", OLD, ABSENT);
    rig_reopen(rig);
    put_command(rig, "old", "accepted", OLD, OLD + 1);
    put_command(rig, "under-way", "queued", OLD, ABSENT);
    put_command(rig, "lately", "timeout", OLD, YOUNG);
    put_command(rig, "young", "accepted", YOUNG, YOUNG);
    put_reservation(rig, 1, OLD + 5, ABSENT);   /* expired */
    put_reservation(rig, 2, OLD + 5, YOUNG);    /* used by a transaction that came late */
    put_reservation(rig, 3, NOW + 5, OLD + 1);  /* used long before its expiry */
    put_reservation(rig, 4, NOW + DAY, ABSENT); /* stands */
    put_job(rig, "log", OLD, OLD + 1);
    put_job(rig, "firmware", OLD, YOUNG);
    put_job(rig, "diagnostics", OLD, ABSENT);
    put_job(rig, "young", YOUNG, ABSENT);
    struct store_retention keep = {.message_days = 10, .meter_value_days = 10};
    steps(rig, &keep);
    assert_int_equal(count(rig, "command") + count(rig, "reservation") + count(rig, "job"), 13);
    keep.event_days = 10;
    steps(rig, &keep);
    assert_int_equal(count(rig, "command"), 3);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM command WHERE id IN"
                                     " ('under-way', 'lately', 'young')"),
                     3);
    assert_int_equal(count(rig, "reservation"), 2);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM reservation WHERE id IN (2, 4)"), 2);
    assert_int_equal(count(rig, "job"), 2);
    assert_int_equal(
        rig_number(rig, "SELECT count(*) FROM job WHERE kind IN ('firmware', 'young')"), 2);
    put_job(rig, "log", NOW, ABSENT); /* no id comes again */
    assert_int_equal(rig_number(rig, "SELECT max(id) FROM job"), 5);
}

static void test_many_ended(void **state)
{
    struct rig *rig = *state;
    struct batch *batch = rig_batch(rig);
    for (int i = 0; i < 1200; i++)
        batch_add(batch, RECORD_COMMAND)->command =
            (struct record_command){.id = arena_printf(&batch->arena, "c%d", i),
                                    .cp = "C",
                                    .action = "Reset",
                                    .state = "accepted",
                                    .asked_ms = i % 2 ? OLD : YOUNG,
                                    .sent_ms = ABSENT,
                                    .ended_ms = i % 2 ? OLD : YOUNG};
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    struct store_retention keep = {.event_days = 10};
    assert_true(steps(rig, &keep) >= 7 + 3 + 2);
    assert_int_equal(count(rig, "command"), 600);
}

/* On the writer thread, between groups: one step for each at least, until nothing is left. */
static void write_some(struct rig *rig, int times)
{
    for (int i = 0; i < times; i++) {
        struct batch *batch = rig_batch(rig);
        batch_add(batch, RECORD_KV)->kv = (struct record_kv){"key", "1", ABSENT};
        assert_true(rig_store(rig, batch));
        batch_free(batch);
    }
}

static void test_on_the_thread(void **state)
{
    struct rig *rig = *state;
    fill(rig, 2500, OLD);
    fill(rig, 100, YOUNG);
    fill(rig, 1, NOW);
    rig_close(rig);
    rig->settings.retention = (struct store_retention){.message_days = 10};
    assert_true(rig_open(rig));
    store_retain(rig->store, NOW);
    write_some(rig, 60);
    assert_int_equal(count(rig, "message"), 101);
    /* the next time goes by the time of the next time */
    store_retain(rig->store, NOW + 5 * DAY);
    write_some(rig, 60);
    assert_int_equal(count(rig, "message"), 1);
    store_retain(rig->store, NOW + 9 * DAY); /* and it can be closed in the middle */
}

/* Whatever fails, nothing is lost that should be kept, and it works the next time. */
static void test_failing(void **state)
{
    struct rig *rig = *state;
    fill(rig, 20, OLD);
    fill(rig, 5, YOUNG);
    add_samples(rig, 0, "CP1", OLD, 3);
    add_samples(rig, 0, "CP1", YOUNG, 3);
    rig_close(rig);
    rig->settings.retention = (struct store_retention){.message_days = 10,
                                                       .status_days = 10,
                                                       .decision_days = 10,
                                                       .event_days = 10,
                                                       .meter_value_days = 10};
    for (int64_t n = 1; n < 80; n++) {
        assert_true(rig_open(rig));
        rig_fail_at(rig, n, SAME_STEP);
        store_retain(rig->store, NOW);
        rig_close(rig);
    }
    assert_true(rig_open(rig));
    store_retain(rig->store, NOW);
    write_some(rig, 60);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        assert_int_equal(count(rig, tables[i]), 5);
    assert_int_equal(count(rig, "meter_value"), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_logs),         TEST(test_whole_blocks),       TEST(test_for_ever),
        TEST(test_message_rows), TEST(test_began_in_future),    TEST(test_empty),
        TEST(test_samples),      TEST(test_open_and_long_ones), TEST(test_many_owners),
        TEST(test_ended),        TEST(test_many_ended),         TEST(test_on_the_thread),
        TEST(test_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

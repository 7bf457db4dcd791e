/* Reminders: told once, in one batch with what the handler wrote, kept over restarts, ended with
 * the transaction. */
#include "fake.h"
#include "station/core.h"

enum { MINUTE = 60000, HOUR = 60 * MINUTE };

static struct fake *with_transaction(void)
{
    struct fake *f = fake_with_cp1();
    say(f, "CP1",
        "[2,\"s1\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"Ab\",\"meterStart\":5,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    assert_non_null(station_transaction(f->st, 1));
    policy_hears(f, EVENT_REMINDER);
    return f;
}

static void stop(struct fake *f)
{
    say(f, "CP1",
        "[2,\"s2\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":7,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
}

static void remind(struct fake *f, const char *name, int64_t delay_ms)
{
    struct reason why;
    if (!station_remind(f->st, 1, name, delay_ms, &why))
        fail_msg("%s", why.text);
}

static size_t kept(struct fake *f)
{
    size_t at = 0, count = 0;
    const char *key;
    while ((key = station_kv_next(f->st, &at)) != NULL)
        count += strncmp(key, "chargebridge/remind/", 20) == 0;
    return count;
}

static void told_once(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    remind(f, "soon", 10 * MINUTE);
    remind(f, "late", HOUR);
    station_flush(f->st);
    EXPECT_ROWS(f, 1,
                "KV key=chargebridge/remind/1/soon value={\"dueMs\":1752471008000} expires=-");
    pass(f, 10 * MINUTE - 1);
    EXPECT_EVENTS(f, 0, "reminder");
    pass(f, 1);
    EXPECT_EVENTS(f, 1, "reminder cp=CP1 connector=1 tx=1 idTag=Ab purpose=soon");
    station_flush(f->st);
    EXPECT_ROWS(f, 1, "KV_DELETE key=chargebridge/remind/1/soon");
    pass(f, 50 * MINUTE);
    EXPECT_EVENTS(f, 1, "reminder purpose=late");
    pass(f, 50 * HOUR);
    EXPECT_EVENTS(f, 2, "reminder");
    assert_int_equal(kept(f), 0);
    fake_free(f);
}

static void the_same_name_replaces(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    remind(f, "a", MINUTE);
    remind(f, "a", HOUR);
    pass(f, HOUR - 1);
    EXPECT_EVENTS(f, 0, "reminder");
    remind(f, "a", 1);
    pass(f, 1);
    EXPECT_EVENTS(f, 1, "reminder");
    remind(f, "a", MINUTE);
    remind(f, "a", ABSENT);
    remind(f, "never was", ABSENT);
    pass(f, HOUR);
    EXPECT_EVENTS(f, 1, "reminder");
    assert_int_equal(kept(f), 0);
    fake_free(f);
}

static void remind_in_ten(struct fake *f, const struct event *event)
{
    if (event->kind == EVENT_REMINDER && f->events.count < 4)
        remind(f, event->purpose, 10);
}

static void a_handler_may_set_it_anew(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    f->on_event = remind_in_ten;
    lines_clear(&f->events);
    remind(f, "a", 0);
    for (int i = 0; i < 10; i++)
        pass(f, 10);
    EXPECT_EVENTS(f, 4, "reminder");
    assert_int_equal(kept(f), 0);
    fake_free(f);
}

/* Set anew while its handler waits, and due again before that is through. */
static void anew_while_it_waits(void **state)
{
    (void)state;
    static const struct script nothing = {.kind = VERDICT_NONE};
    struct fake *f = with_transaction();
    f->scripts[EVENT_REMINDER].later = true;
    remind(f, "a", 0);
    pass(f, 0);
    assert_int_equal(f->waiting_count, 1);
    remind(f, "a", 10);
    pass(f, 10);
    assert_int_equal(f->waiting_count, 1); /* one at a time */
    policy_answer(f, &nothing);
    assert_int_equal(kept(f), 1);
    assert_int_equal(f->waiting_count, 1);
    policy_answer(f, &nothing);
    assert_int_equal(kept(f), 0);
    EXPECT_EVENTS(f, 2, "reminder");
    fake_free(f);
}

static void write_something(struct fake *f, const struct event *event)
{
    if (event->kind != EVENT_REMINDER)
        return;
    struct transaction *tx = station_transaction(f->st, event->transaction_id);
    vars_set(&tx->vars, "told", "true", NULL);
    transaction_vars_changed(f->st, tx->id);
    charge_point_vars_changed(f->st, "CP1");
    station_find(f->st, "CP1")->vars.dirty = true;
    station_kv_set(f->st, "k", "1", 0, NULL);
}

/* The row goes with what the handler wrote, also when something durable comes in between. */
static void one_batch(void **state)
{
    (void)state;
    static const enum record_kind expected[] = {RECORD_KV, RECORD_KV_DELETE,
                                                RECORD_TRANSACTION_VARS, RECORD_CHARGE_POINT};
    struct fake *f = with_transaction();
    f->on_event = write_something;
    remind(f, "a", 0);
    station_flush(f->st);
    f->hold = true;
    pass(f, 0);
    stop(f); /* durable */
    size_t found = 0;
    for (struct record *row = f->held->first; row; row = row->next) {
        for (size_t i = 0; i < ARRAY_LEN(expected); i++)
            found += row->kind == expected[i];
    }
    assert_int_equal(found, ARRAY_LEN(expected));
    assert_true(f->held != f->held_last && f->held_last->last->kind == RECORD_STOP);
    store_release(f);
    fake_free(f);
}

static void it_ends_with_the_transaction(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    struct reason why;
    policy_hears(f, EVENT_STOP);
    f->scripts[EVENT_STOP].later = true;
    remind(f, "a", MINUTE);
    remind(f, "b", HOUR);
    stop(f);
    pass(f, MINUTE); /* on.stop still runs */
    assert_false(station_remind(f->st, 1, "c", 1, &why));
    assert_string_equal(why.text, "transaction 1 is over");
    policy_answer(f, &(const struct script){.kind = VERDICT_NONE});
    EXPECT_EVENTS(f, 0, "reminder");
    assert_int_equal(kept(f), 0);
    pass(f, HOUR);
    EXPECT_EVENTS(f, 0, "reminder");
    fake_free(f);
}

/* It falls due while a CALL is being handled, which ends the transaction. */
static void due_in_the_lane(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    remind(f, "a", MINUTE);
    station_flush(f->st);
    f->hold = true;
    stop(f);
    pass(f, MINUTE);
    store_release(f);
    EXPECT_EVENTS(f, 0, "reminder");
    assert_int_equal(kept(f), 0);
    fake_free(f);
}

static void one_that_failed_is_told(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    f->scripts[EVENT_REMINDER].kind = VERDICT_FAILED;
    remind(f, "a", 0);
    pass(f, HOUR);
    EXPECT_EVENTS(f, 1, "reminder");
    assert_int_equal(kept(f), 0);
    fake_free(f);
}

static void one_that_never_ran_is_told_again(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    f->scripts[EVENT_REMINDER] =
        (struct script){.listens = true, .kind = VERDICT_FAILED, .again = true};
    remind(f, "a", 0);
    pass(f, 0);
    EXPECT_EVENTS(f, 1, "reminder");
    assert_int_equal(kept(f), 1);
    policy_hears(f, EVENT_REMINDER);
    pass(f, 5000);
    EXPECT_EVENTS(f, 2, "reminder");
    assert_int_equal(kept(f), 0);
    fake_free(f);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    f->scripts[EVENT_REMINDER].listens = false;
    remind(f, "a", 0);
    pass(f, 0);
    assert_int_equal(kept(f), 0);
    fake_free(f);
}

/* What is stored now, poured into a new station. */
static void restart(struct fake *f, bool open)
{
    struct lines rows = {0};
    const char *key;
    size_t at = 0;
    while ((key = station_kv_next(f->st, &at)) != NULL)
        line_add(&rows, xprintf("%s %s", key, station_kv_get(f->st, key)));
    station_flush(f->st);
    station_free(f->st);
    fake_open(f);
    struct restore_sink sink = station_restore_sink(f->st);
    const struct record_charge_point cp = {.id = "CP1", .registration = "accepted"};
    sink.charge_point(sink.ctx, &cp);
    const struct record_transaction tx = {.id = 1,
                                          .start = {.cp = "CP1",
                                                    .evse = 1,
                                                    .connector = 1,
                                                    .id_tag = "Ab",
                                                    .start_ms = TEST_NOW,
                                                    .meter_start_wh = 5,
                                                    .reservation_id = ABSENT},
                                          .last_sample_ms = ABSENT};
    if (open)
        sink.transaction(sink.ctx, &tx);
    for (size_t i = 0; i < rows.count; i++) {
        char *value = strchr(rows.at[i], ' ');
        *value++ = '\0';
        const struct record_kv row = {rows.at[i], value, ABSENT};
        sink.kv(sink.ctx, &row);
    }
    lines_clear(&rows);
}

static void it_survives_restarts(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    remind(f, "due", MINUTE);
    remind(f, "later", HOUR);
    restart(f, true);
    clock_advance(10 * MINUTE);
    restart(f, true);
    EXPECT_EVENTS(f, 0, "reminder");
    timers_run(&f->timers);
    EXPECT_EVENTS(f, 1, "reminder purpose=due");
    pass(f, 49 * MINUTE);
    EXPECT_EVENTS(f, 1, "reminder");
    restart(f, true);
    pass(f, MINUTE);
    EXPECT_EVENTS(f, 1, "reminder purpose=later");
    restart(f, true);
    pass(f, HOUR);
    EXPECT_EVENTS(f, 2, "reminder");
    fake_free(f);
}

/* Its handler waited when the program ended. */
static void cut_off_by_a_restart(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    f->scripts[EVENT_REMINDER].later = true;
    remind(f, "a", 0);
    pass(f, 0);
    policy_answer(f, &(const struct script){.kind = VERDICT_FAILED, .again = true});
    policy_hears(f, EVENT_REMINDER);
    restart(f, true);
    timers_run(&f->timers);
    EXPECT_EVENTS(f, 2, "reminder");
    assert_int_equal(kept(f), 0);
    fake_free(f);
}

static void rows_without_a_transaction_go(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    remind(f, "a", MINUTE);
    restart(f, false);
    assert_int_equal(kept(f), 0);
    pass(f, HOUR);
    EXPECT_EVENTS(f, 0, "reminder");
    fake_free(f);
}

static void rows_that_cannot_be_read(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    struct restore_sink sink = station_restore_sink(f->st);
    static const char *const rows[][2] = {{"chargebridge/remind/1/a", "{}"},
                                          {"chargebridge/remind/1/b", "7"},
                                          {"chargebridge/remind/1", "{\"dueMs\":1}"},
                                          {"chargebridge/remind/x/a", "{\"dueMs\":1}"},
                                          {"remind/1/a", "{\"dueMs\":1}"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct record_kv row = {rows[i][0], rows[i][1], ABSENT};
        sink.kv(sink.ctx, &row);
    }
    pass(f, HOUR);
    EXPECT_EVENTS(f, 0, "reminder");
    const struct record_kv slash = {"chargebridge/remind/1/a/b", "{\"dueMs\":1}", ABSENT};
    sink.kv(sink.ctx, &slash);
    pass(f, 0);
    EXPECT_EVENTS(f, 1, "reminder purpose=a/b");
    fake_free(f);
}

static void bounds(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    struct reason why;
    char name[102];
    memset(name, 'x', sizeof(name));
    name[101] = '\0';
    assert_false(station_remind(f->st, 1, name, 1, &why));
    assert_string_equal(why.text, "the name must have 1 to 100 bytes");
    assert_false(station_remind(f->st, 1, "", 1, &why));
    assert_false(station_remind(f->st, 2, "a", 1, &why));
    assert_string_equal(why.text, "transaction 2 is over");
    assert_false(station_remind(f->st, 1, "a", INT64_MAX, &why));
    assert_string_equal(why.text, "the time is out of range");
    for (int i = 0; i < 16; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        remind(f, name, HOUR);
    }
    remind(f, "n3", MINUTE);
    assert_false(station_remind(f->st, 1, "one more", 1, &why));
    assert_string_equal(why.text, "a transaction may have 16 reminders");
    fake_free(f); /* with them */
}

/* Somebody sets the clock: it is the wall clock that counts. */
static void the_clock_is_set(void **state)
{
    (void)state;
    struct fake *f = with_transaction();
    remind(f, "a", 10 * HOUR);
    pass(f, HOUR);
    mono_t mono = mono_now();
    clock_fake(TEST_NOW + 10 * HOUR - 1000000);
    int64_t ran = mono - mono_now();
    clock_fake(TEST_NOW + 10 * HOUR - ran);
    clock_advance(ran);
    pass(f, HOUR); /* at the next look */
    EXPECT_EVENTS(f, 1, "reminder");
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_once),
        cmocka_unit_test(the_same_name_replaces),
        cmocka_unit_test(a_handler_may_set_it_anew),
        cmocka_unit_test(anew_while_it_waits),
        cmocka_unit_test(one_batch),
        cmocka_unit_test(it_ends_with_the_transaction),
        cmocka_unit_test(due_in_the_lane),
        cmocka_unit_test(one_that_failed_is_told),
        cmocka_unit_test(one_that_never_ran_is_told_again),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(it_survives_restarts),
        cmocka_unit_test(cut_off_by_a_restart),
        cmocka_unit_test(rows_without_a_transaction_go),
        cmocka_unit_test(rows_that_cannot_be_read),
        cmocka_unit_test(bounds),
        cmocka_unit_test(the_clock_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

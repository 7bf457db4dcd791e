/* Remote starts that wait for their StartTransaction: X5, X16, C2, C3. */
#include "fake.h"

#define REMOTE_START "RemoteStartTransaction"

static const struct command start_1 = {.action = REMOTE_START,
                                       .payload = "{\"connectorId\":1,\"idTag\":\"Ab\"}",
                                       .vars = "{\"vehicleId\":\"v1\",\"kv\":{\"a\": 1}}"};
static const struct command start_any = {
    .action = REMOTE_START, .payload = "{\"idTag\":\"Ab\"}", .vars = "{\"vehicleId\":\"v0\"}"};

static void ask(struct fake *f, const struct command *command)
{
    station_command(f->st, "CP1", command, NULL, NULL, NULL);
}

static void answer(struct fake *f, const char *format)
{
    const char *at = NULL;
    for (size_t i = f->sent.count; i > 0 && !at; i--)
        at = strstr(f->sent.at[i - 1], "[2,\"");
    assert_non_null(at);
    char *text = xprintf(format, at + 4);
    say(f, "CP1", text);
    xfree(text);
}

static void start(struct fake *f, int connector, const char *id_tag, const char *timestamp)
{
    static int message;
    char *text = xprintf("[2,\"s%d\",\"StartTransaction\",{\"connectorId\":%d,\"idTag\":\"%s\","
                         "\"meterStart\":5,\"timestamp\":\"%s\"}]",
                         ++message, connector, id_tag, timestamp);
    say(f, "CP1", text);
    xfree(text);
}

static size_t pending_count(struct fake *f)
{
    size_t at = 0, count = 0;
    while (station_pending_next(f->st, &at))
        count++;
    return count;
}

static const char *var(struct fake *f, int64_t id, const char *name)
{
    struct transaction *tx = station_transaction(f->st, id);
    assert_non_null(tx);
    return vars_get(&tx->vars, name);
}

static void x16_it_waits_and_the_start_takes_it(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    char id[UUID_SIZE];
    station_command(f->st, "CP1", &start_1, id, NULL, NULL);
    const struct pending_start *pending = station_pending(f->st, "cp1", 1);
    assert_non_null(pending);
    assert_string_equal(pending->cp, "CP1");
    assert_string_equal(pending->id_tag, "Ab");
    assert_string_equal(pending->command, id);
    assert_string_equal(pending->vars, start_1.vars);
    assert_int_equal(pending->created_ms, TEST_NOW);
    assert_int_equal(pending->expires_ms, TEST_NOW + 300000);
    assert_null(station_pending(f->st, "CP1", 2));
    assert_null(station_pending(f->st, "CP2", 1));
    EXPECT_ROWS(f, 1, "KV key=chargebridge/pending/CP1/1 expires=-");
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    assert_int_equal(pending_count(f), 1);
    policy_hears(f, EVENT_START);
    start(f, 1, "AB", NOW_TEXT);
    assert_int_equal(pending_count(f), 0);
    assert_string_equal(var(f, 1, "vehicleId"), "\"v1\"");
    assert_string_equal(var(f, 1, "kv"), "{\"a\": 1}");
    EXPECT_ROWS(f, 1, "KV_DELETE key=chargebridge/pending/CP1/1");
    EXPECT_ROWS(f, 1, "TX_VARS id=1 vars={\"vehicleId\":\"v1\",\"kv\":{\"a\": 1}}");
    fake_free(f);
}

static void look_at_vars(struct fake *f, const struct event *event)
{
    if (event->kind == EVENT_START)
        assert_string_equal(var(f, event->transaction_id, "vehicleId"), "\"v1\"");
}

/* C2: the effect may overtake the answer; on.start sees the vars. */
static void c2_before_the_answer(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->on_event = look_at_vars;
    policy_hears(f, EVENT_START);
    ask(f, &start_1);
    start(f, 1, "AB", NOW_TEXT);
    EXPECT_EVENTS(f, 1, "start tx=1");
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    assert_int_equal(pending_count(f), 0);
    fake_free(f);
}

static void who_fits(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, &start_1);
    start(f, 1, "XY", NOW_TEXT); /* another tag */
    start(f, 2, "AB", NOW_TEXT); /* another connector */
    assert_int_equal(pending_count(f), 1);
    assert_null(var(f, 1, "vehicleId"));
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    ask(f, &start_any);
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    assert_int_equal(pending_count(f), 2);
    start(f, 1, "AB", "2025-07-14T05:20:07Z"); /* the connector's own one first */
    assert_string_equal(var(f, 3, "vehicleId"), "\"v1\"");
    start(f, 3, "AB", NOW_TEXT);
    assert_string_equal(var(f, 4, "vehicleId"), "\"v0\"");
    assert_int_equal(pending_count(f), 0);
    fake_free(f);
}

static void x5_not_by_late_or_repeated_starts(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    start(f, 1, "AB", NOW_TEXT);
    ask(f, &start_1);
    start(f, 1, "AB", NOW_TEXT); /* the same again */
    assert_int_equal(pending_count(f), 1);
    start(f, 1, "AB", "2025-07-14T04:00:00Z");
    assert_int_equal(pending_count(f), 1);
    down(f, "CP1", 1);
    fake_free(f);
}

static void x16_one_a_connector(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, &start_1);
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    ask(f, &start_any);
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    const struct command other = {.action = REMOTE_START,
                                  .payload = "{\"idTag\":\"Z\",\"connectorId\":1}"};
    ask(f, &other);
    size_t at = 0;
    assert_int_equal(station_pending_next(f->st, &at)->connector, ABSENT); /* oldest first */
    assert_string_equal(station_pending_next(f->st, &at)->id_tag, "Z");
    assert_null(station_pending_next(f->st, &at));
    down(f, "CP1", 1);
    fake_free(f);
}

static void refused_ones_go_unknown_ones_stay(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, &start_1);
    answer(f, "[3,\"%.36s\",{\"status\":\"Rejected\"}]");
    assert_int_equal(pending_count(f), 0);
    EXPECT_ROWS(f, 1, "KV_DELETE key=chargebridge/pending/CP1/1");
    ask(f, &start_1); /* C3 */
    answer(f, "[4,\"%.36s\",\"InternalError\",\"\",{}]");
    assert_int_equal(pending_count(f), 1);
    ask(f, &start_any);
    pass(f, 30000);
    assert_int_equal(pending_count(f), 2);
    ask(f, &start_1);
    down(f, "CP1", 1);
    assert_int_equal(pending_count(f), 2);
    ask(f, &start_1); /* offline: never went out */
    assert_int_equal(pending_count(f), 2);
    fake_free(f);
}

static void what_does_not_go_out_does_not_wait(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->send_fails = true;
    ask(f, &start_1);
    assert_int_equal(pending_count(f), 0);
    f->send_fails = false;
    const struct command first = {.action = "ClearCache", .payload = "{}"};
    ask(f, &first);
    ask(f, &start_1); /* in the queue */
    assert_int_equal(pending_count(f), 0);
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    assert_int_equal(pending_count(f), 1);
    down(f, "CP1", 1);
    fake_free(f);
}

static void expiry(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    f->settings.remote_start_ms = 5000;
    station_free(f->st);
    fake_open(f);
    accepted_cp(f, "CP1", 1);
    policy_hears(f, EVENT_REMOTE_START_EXPIRED);
    ask(f, &start_1);
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    pass(f, 1000);
    ask(f, &start_any);
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    pass(f, 3999);
    EXPECT_EVENTS(f, 0, "remote_start_expired");
    pass(f, 1);
    EXPECT_EVENTS(f, 1,
                  "remote_start_expired cp=CP1 connector=1 idTag=AB "
                  "data={\"connectorId\":1,\"idTag\":\"Ab\",\"createdMs\":1752470408000,"
                  "\"vars\":{\"vehicleId\":\"v1\",\"kv\":{\"a\":1}}}");
    EXPECT_ROWS(f, 1, "EVENT cp=CP1 kind=remote_start_expired");
    EXPECT_ROWS(f, 1,
                "PROFILE_CLEAR cp=CP1 id=- connector=1 level=- tx=- purpose=TxProfile waiting=1");
    assert_int_equal(pending_count(f), 1);
    pass(f, 1000);
    EXPECT_EVENTS(f, 1, "remote_start_expired connector=- idTag=AB");
    EXPECT_ROWS(f, 2, "KV_DELETE");
    EXPECT_ROWS(f, 1, "PROFILE_CLEAR");
    assert_int_equal(pending_count(f), 0);
    start(f, 1, "AB", NOW_TEXT);
    assert_null(var(f, 1, "vehicleId"));
    fake_free(f);
}

static void ask_again(struct fake *f, const struct event *event)
{
    if (event->kind != EVENT_REMOTE_START_EXPIRED)
        return;
    ask(f, &start_1);
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    station_pending_drop(f->st, "CP1", ABSENT);
}

static void who_is_told_may_ask_again(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_hears(f, EVENT_REMOTE_START_EXPIRED);
    f->on_event = ask_again;
    ask(f, &start_1);
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    ask(f, &start_any);
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    pass(f, 300000);
    EXPECT_EVENTS(f, 1, "remote_start_expired");
    assert_int_equal(station_pending(f->st, "CP1", 1)->expires_ms, TEST_NOW + 600000);
    f->on_event = NULL;
    pass(f, 300000);
    EXPECT_EVENTS(f, 2, "remote_start_expired");
    fake_free(f);
}

/* The kv rows that are in the store now, poured into a new station. */
static void restart(struct fake *f)
{
    struct lines kept = {0};
    station_flush(f->st);
    for (size_t i = 0; i < f->rows.count; i++) {
        if (strncmp(f->rows.at[i], "KV key=", 7) == 0)
            line_add(&kept, xstrdup(f->rows.at[i] + 7));
    }
    station_free(f->st);
    fake_open(f);
    struct restore_sink sink = station_restore_sink(f->st);
    const struct record_charge_point cp = {.id = "CP1", .registration = "accepted"};
    sink.charge_point(sink.ctx, &cp);
    for (size_t i = 0; i < kept.count; i++) {
        char *value = strstr(kept.at[i], " value=");
        *value = '\0';
        value += 7;
        *strstr(value, " expires=") = '\0';
        const struct record_kv row = {kept.at[i], value, ABSENT};
        sink.kv(sink.ctx, &row);
    }
    lines_clear(&kept);
}

static void it_survives_restarts(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, &start_1);
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]");
    ask(f, &start_any);
    restart(f);
    assert_int_equal(pending_count(f), 2);
    const struct pending_start *pending = station_pending(f->st, "CP1", 1);
    assert_string_equal(pending->id_tag, "Ab");
    assert_string_equal(pending->vars, start_1.vars);
    assert_int_equal(pending->created_ms, TEST_NOW);
    assert_int_equal(strlen(pending->command), 36);
    up(f, "CP1", 5);
    start(f, 1, "AB", NOW_TEXT);
    assert_string_equal(var(f, 1, "vehicleId"), "\"v1\"");
    policy_hears(f, EVENT_REMOTE_START_EXPIRED);
    restart(f);
    clock_advance(400000);
    timers_run(&f->timers); /* what ran out meanwhile is told */
    EXPECT_EVENTS(f, 1, "remote_start_expired connector=-");
    fake_free(f);
}

static void rows_that_cannot_be_read(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct restore_sink sink = station_restore_sink(f->st);
    static const char *const values[] = {
        "7", "{}", "{\"cp\":\"CP1\",\"idTag\":\"A\",\"command\":\"c\",\"createdMs\":1}",
        "{\"cp\":1,\"idTag\":\"A\",\"command\":\"c\",\"createdMs\":1,\"expiresMs\":2}"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        const struct record_kv row = {"chargebridge/pending/CP1/1", values[i], ABSENT};
        sink.kv(sink.ctx, &row);
    }
    const struct record_kv other = {
        "mine", "{\"cp\":\"C\",\"idTag\":\"A\",\"command\":\"c\",\"createdMs\":1,\"expiresMs\":2}",
        ABSENT};
    sink.kv(sink.ctx, &other);
    assert_int_equal(pending_count(f), 0);
    /* one of a charge point that is gone runs out quietly */
    const struct record_kv gone = {"chargebridge/pending/C/-", other.value, ABSENT};
    sink.kv(sink.ctx, &gone);
    assert_int_equal(pending_count(f), 1);
    pass(f, 1);
    assert_int_equal(pending_count(f), 0);
    fake_free(f);
}

static void dropping_and_noting(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    assert_false(station_pending_drop(f->st, "CP1", 1));
    assert_false(station_pending_note(f->st, "CP1", 1, "{}"));
    const struct command bare = {.action = REMOTE_START,
                                 .payload = "{\"connectorId\":1,\"idTag\":\"Ab\"}",
                                 .vars = "[1]"}; /* no object */
    ask(f, &bare);
    assert_null(station_pending(f->st, "CP1", 1)->vars);
    assert_false(station_pending_note(f->st, "CP1", 1, "7"));
    assert_true(station_pending_note(f->st, "CP1", 1, "{\"mac\":\"m\"}"));
    assert_true(station_pending_note(f->st, "cp1", 1, "{\"x\":2,\"mac\":\"n\"}"));
    assert_string_equal(station_pending(f->st, "CP1", 1)->vars, "{\"mac\":\"n\",\"x\":2}");
    EXPECT_ROWS(f, 3, "KV key=chargebridge/pending/CP1/1");
    assert_true(station_pending_drop(f->st, "cp1", 1));
    EXPECT_ROWS(f, 1, "KV_DELETE");
    answer(f, "[3,\"%.36s\",{\"status\":\"Accepted\"}]"); /* does not come back */
    assert_int_equal(pending_count(f), 0);
    fake_free(f);
}

static void long_identities_and_large_vars(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    char cp[256], vars[VARS_MAX + 100];
    memset(cp, 'c', 255);
    cp[255] = '\0';
    accepted_cp(f, cp, 1);
    struct command command = start_1;
    station_command(f->st, cp, &command, NULL, NULL, NULL);
    EXPECT_ROWS(f, 1, "KV");
    memset(vars, 'v', sizeof(vars));
    memcpy(vars, "{\"a\":\"", 6);
    memcpy(vars + sizeof(vars) - 3, "\"}", 3);
    assert_false(station_pending(f->st, cp, 1)->vars == NULL);
    assert_true(station_pending_note(f->st, cp, 1, vars)); /* too large: not taken */
    assert_string_equal(station_pending(f->st, cp, 1)->vars,
                        "{\"vehicleId\":\"v1\",\"kv\":{\"a\": 1}}");
    command.vars = vars;
    command.payload = start_any.payload;
    down(f, cp, 1);
    up(f, cp, 2);
    pass(f, 10000);
    station_command(f->st, cp, &command, NULL, NULL, NULL);
    assert_null(station_pending(f->st, cp, ABSENT)->vars);
    down(f, cp, 2);
    fake_free(f);
}

static void deleting_the_station_forgets_them(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    accepted_cp(f, "CP2", 2);
    ask(f, &start_1);
    ask(f, &start_any);
    station_command(f->st, "CP2", &start_1, NULL, NULL, NULL);
    assert_true(station_delete(f->st, "CP1", NULL, NULL, NULL));
    assert_int_equal(pending_count(f), 1);
    assert_non_null(station_pending(f->st, "CP2", 1));
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x16_it_waits_and_the_start_takes_it),
        cmocka_unit_test(c2_before_the_answer),
        cmocka_unit_test(who_fits),
        cmocka_unit_test(x5_not_by_late_or_repeated_starts),
        cmocka_unit_test(x16_one_a_connector),
        cmocka_unit_test(refused_ones_go_unknown_ones_stay),
        cmocka_unit_test(what_does_not_go_out_does_not_wait),
        cmocka_unit_test(expiry),
        cmocka_unit_test(who_is_told_may_ask_again),
        cmocka_unit_test(it_survives_restarts),
        cmocka_unit_test(rows_that_cannot_be_read),
        cmocka_unit_test(dropping_and_noting),
        cmocka_unit_test(long_identities_and_large_vars),
        cmocka_unit_test(deleting_the_station_forgets_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

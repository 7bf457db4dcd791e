/* A storm of everything at once, seeded: charge points come, go, are deleted and registered while
 * policies and the store take their time, answer in any order of charge points, and fail.
 *
 * Nothing is checked but what must always hold: no CALL of ours ends twice or never, each CALL of a
 * charger is answered at most once, and at the end nothing is left under way. The sanitizers see
 * to the rest: this is the test of who may keep which pointer. */
#include "fake.h"

enum { CHARGE_POINTS = 4, STEPS = 6000, SEEDS = 12 };

struct storm {
    struct fake *f;
    uint64_t seed, connection, message;
    size_t asked, ended;
    unsigned said[STEPS], answered[STEPS]; /* by message id */
};

static struct storm storm;

static uint64_t draw(uint64_t below)
{
    storm.seed ^= storm.seed << 13;
    storm.seed ^= storm.seed >> 7;
    storm.seed ^= storm.seed << 17;
    return storm.seed % below;
}

static const char *const names[CHARGE_POINTS] = {"CP0", "CP1", "CP2", "CP3"};

static const char *some_cp(void)
{
    return names[draw(CHARGE_POINTS)];
}

static void on_ended(void *ctx, const struct call_result *result)
{
    (void)ctx;
    assert_int_equal(strlen(result->id), 36);
    storm.ended++;
    if (draw(20) == 0)
        station_delete(storm.f->st, some_cp(), NULL, NULL, NULL);
    if (draw(10) == 0) {
        storm.asked++;
        station_call(storm.f->st, some_cp(), "ClearCache", "{}", 0, on_ended, NULL);
    }
}

static void ask_one(void)
{
    static const char *const actions[] = {"ClearCache", "TriggerMessage", "RemoteStartTransaction",
                                          "GetConfiguration"};
    struct command command = {.action = actions[draw(ARRAY_LEN(actions))],
                              .payload = "{\"requestedMessage\":\"Heartbeat\",\"idTag\":\"A\"}",
                              .vars = draw(2) ? "{\"vehicleId\":\"v\"}" : NULL};
    const char *cp = some_cp();
    storm.asked++;
    uint64_t serial = station_command(storm.f->st, cp, &command, NULL, on_ended, NULL);
    if (serial && draw(10) == 0)
        station_cancel(storm.f->st, cp, serial);
}

static void say_something(void)
{
    static const char *const payloads[][2] = {
        {"Heartbeat", "{}"},
        {"BootNotification", "{\"chargePointVendor\":\"V\",\"chargePointModel\":\"M\"}"},
        {"Authorize", "{\"idTag\":\"A\"}"},
        {"Authorize", "{}"},
        {"StatusNotification",
         "{\"connectorId\":1,\"errorCode\":\"NoError\",\"status\":\"Available\"}"},
        {"StatusNotification",
         "{\"connectorId\":1,\"errorCode\":\"NoError\",\"status\":\"Charging\"}"},
        {"StartTransaction", "{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":%d,\"timestamp\":"
                             "\"2025-07-14T05:20:00Z\"}"},
        {"StopTransaction", "{\"transactionId\":%d,\"meterStop\":900,\"timestamp\":"
                            "\"2025-07-14T05:20:01Z\",\"idTag\":\"B\",\"transactionData\":[{"
                            "\"sampledValue\":[{\"value\":\"7\"}]}]}"},
        {"MeterValues", "{\"connectorId\":1,\"transactionId\":%d,\"meterValue\":[{\"sampledValue\":"
                        "[{\"value\":\"700\"}]}]}"},
        {"DataTransfer", "{\"vendorId\":\"V\"}"},
        {"Foo", "{}"}};
    const char *cp = some_cp();
    if (!station_find(storm.f->st, cp))
        return;
    const char *const *what = payloads[draw(ARRAY_LEN(payloads))];
    uint64_t id = draw(8) == 0 ? storm.message : ++storm.message; /* sometimes a repeat */
    assert_true(id < STEPS);
    storm.said[id]++;
    struct strbuf payload = {0};
    const char *number = strstr(what[1], "%d");
    strbuf_add(&payload, what[1], number ? (size_t)(number - what[1]) : strlen(what[1]));
    if (number)
        strbuf_addf(&payload, "%d%s", (int)draw(20) - 1, number + 2);
    char *text = xprintf("[2,\"%llu\",\"%s\",%s]", (unsigned long long)id, what[0], payload.at);
    say(storm.f, cp, text);
    strbuf_clear(&payload);
    xfree(text);
}

/* The charger that got our last CALL answers it, maybe for the second time. */
static void answer_ours(void)
{
    const struct lines *sent = &storm.f->sent;
    for (size_t i = sent->count; i > 0; i--) {
        unsigned connection = 0;
        const char *at = strstr(sent->at[i - 1], "[2,\"");
        if (!at || sscanf(sent->at[i - 1], "%u", &connection) != 1)
            continue;
        char *text = xprintf("[3,\"%.36s\",{\"status\":\"Accepted\"}]", at + 4);
        for (size_t n = 0; n < CHARGE_POINTS; n++)
            say_on(storm.f, names[n], connection, text);
        xfree(text);
        return;
    }
}

static void come_or_go(void)
{
    const char *id = some_cp();
    const struct charge_point *cp = station_find(storm.f->st, id);
    if (cp && cp->connection && draw(2))
        down(storm.f, id, cp->connection);
    else
        up(storm.f, id, ++storm.connection);
}

static void register_one(void)
{
    static const char *const words[] = {"accepted", "accepted", "accepted", "pending", "rejected"};
    struct charge_point_change change = {.registration = words[draw(ARRAY_LEN(words))],
                                         .security_profile = ABSENT};
    if (draw(4) == 0)
        change.options = "{\"replyDelayMs\":50}";
    station_register(storm.f->st, some_cp(), &change, NULL, NULL, NULL);
}

static void policies_answer(void)
{
    static const struct script scripts[] = {{.kind = VERDICT_NONE},
                                            {.kind = VERDICT_FAILED, .why = "boom"},
                                            {.kind = VERDICT_GIVEN, .word = "Accepted"},
                                            {.kind = VERDICT_GIVEN, .word = "Pending"}};
    if (storm.f->waiting_count > 0)
        policy_answer(storm.f, &scripts[draw(ARRAY_LEN(scripts))]);
}

static void store_commits(void)
{
    struct fake *f = storm.f;
    struct batch *batch = f->held;
    if (!batch)
        return;
    f->held = batch->next;
    if (!f->held)
        f->held_last = NULL;
    batch->next = NULL;
    f->fail = draw(10) == 0;
    commit(f, batch);
    f->fail = 0;
}

static void in_event(struct fake *f, const struct event *event)
{
    if (draw(30) == 0)
        station_delete(f->st, event->cp, NULL, NULL, NULL);
    if (draw(10) == 0)
        ask_one();
    if (event->transaction_id && draw(3) == 0)
        transaction_vars_changed(f->st, event->transaction_id);
}

static void one_step(void)
{
    switch (draw(12)) {
    case 0:
        come_or_go();
        break;
    case 1:
        ask_one();
        break;
    case 2:
        answer_ours();
        break;
    case 3:
        if (draw(5) == 0)
            register_one();
        break;
    case 4:
        pass(storm.f, (int64_t)draw(4000));
        break;
    case 5:
        station_transaction_close(storm.f->st, (int64_t)draw(20), NULL, NULL, NULL);
        break;
    case 6:
        station_flush(storm.f->st);
        break;
    case 7:
    case 8:
        if (storm.f->waiting_count < 50)
            say_something();
        break;
    case 9:
        policies_answer();
        break;
    default:
        store_commits();
        break;
    }
}

/* Looks through what was sent, and forgets it. */
static void expect_one_answer_each(void)
{
    struct fake *f = storm.f;
    for (size_t i = 0; i < f->sent.count; i++) {
        unsigned kind = 0, connection = 0, id = 0;
        if (sscanf(f->sent.at[i], "%u [%u,\"%u\"", &connection, &kind, &id) < 3 || kind == 2)
            continue;
        assert_true(id < STEPS);
        if (++storm.answered[id] > storm.said[id])
            fail_msg("answered too often: %s", f->sent.at[i]);
    }
    lines_clear(&f->sent);
    lines_clear(&f->rows);
    lines_clear(&f->events);
    lines_clear(&f->closed);
    lines_clear(&f->pauses);
}

static void drain(void)
{
    for (int i = 0; i < CHARGE_POINTS; i++) {
        const struct charge_point *cp = station_find(storm.f->st, names[i]);
        if (cp && cp->connection)
            down(storm.f, names[i], cp->connection);
    }
    for (int i = 0; i < 10000 && !station_idle(storm.f->st); i++) {
        policies_answer();
        store_commits();
        station_flush(storm.f->st);
        pass(storm.f, 50);
        expect_one_answer_each();
    }
}

static void everything_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        storm = (struct storm){.seed = seed * UINT64_C(0x9e3779b97f4a7c15)};
        struct fake *f = storm.f = fake_new();
        f->settings.registration = seed % 2 ? ADMIT_OPEN : ADMIT_PENDING;
        f->settings.log_messages = true;
        station_free(f->st);
        fake_open(f);
        f->hold = true;
        f->actions = " Foo Heartbeat DataTransfer ";
        f->on_event = in_event;
        for (int i = 0; i < EVENT_KINDS; i++)
            f->scripts[i] = (struct script){.listens = true, .later = i % 3 != 1};
        f->scripts[EVENT_AUTHORIZE].later = true;
        for (int step = 0; step < STEPS; step++) {
            one_step();
            if (step % 50 == 0)
                expect_one_answer_each();
        }
        drain();
        assert_int_equal(storm.asked, storm.ended);
        fake_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

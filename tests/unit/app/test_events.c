/* Events: what is told of a batch, replay, readers that fall behind, waking and sleeping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "events.h"

#define NOON 1700000000000LL

struct ear {
    struct body_source source;
    struct strbuf heard;
    size_t room; /* of one read */
    int woken;
    bool ended;
};

struct stage {
    struct timers timers;
    struct events *events;
};

static void set_up(struct stage *stage, int64_t ring)
{
    clock_fake(NOON);
    log_setup(LOG_ERROR, false);
    *stage = (struct stage){0};
    struct events_settings settings = {ring, 15000};
    stage->events = events_new(&settings, &stage->timers);
}

static void tear_down(struct stage *stage)
{
    events_free(stage->events);
    assert_int_equal(stage->timers.count, 0);
    timers_clear(&stage->timers);
    clock_real();
}

static void on_wake(void *ctx, uint64_t number)
{
    struct ear *ear = ctx;
    assert_int_equal(number, 5);
    ear->woken++;
}

/* Reads until there is nothing right now. */
static const char *hear(struct ear *ear)
{
    char some[70000];
    ptrdiff_t got;
    strbuf_reset(&ear->heard);
    while ((got = ear->source.read(ear->source.ctx, some, ear->room)) > 0) {
        assert_true((size_t)got <= ear->room);
        strbuf_add(&ear->heard, some, (size_t)got);
    }
    ear->ended = got == BODY_END;
    return strbuf_text(&ear->heard);
}

static void listen_for(struct stage *stage, struct ear *ear, const char *cp, const char *types,
                       int64_t last_id)
{
    struct reason why = {""};
    struct events_filter filter = {cp, types, last_id};
    *ear = (struct ear){.room = 4096};
    if (!events_reader(stage->events, &filter, &ear->source, &why))
        fail_msg("%s", why.text);
    assert_true(ear->source.endless);
    assert_int_equal(ear->source.length, -1);
    struct body_waker waker = {on_wake, ear, 5};
    ear->source.started(ear->source.ctx, &waker);
}

static void leave(struct ear *ear)
{
    ear->source.close(ear->source.ctx);
    strbuf_clear(&ear->heard);
}

static struct record_status *status(struct batch *batch, const char *cp, const char *word)
{
    struct record_status *row = &batch_add(batch, RECORD_STATUS)->status;
    *row = (struct record_status){.cp = cp,
                                  .evse = 1,
                                  .connector = 1,
                                  .status = word,
                                  .error_code = "NoError",
                                  .ts_ms = NOON,
                                  .received_ms = NOON};
    return row;
}

static void tell(struct stage *stage, const char *cp, const char *word)
{
    struct batch *batch = batch_new();
    status(batch, cp, word);
    events_batch(stage->events, batch);
    batch_free(batch);
}

static int64_t last_id(const char *text)
{
    const char *at = NULL, *next = text;
    while ((next = strstr(next, "id: ")))
        at = next++;
    return at ? strtoll(at + 4, NULL, 10) : -1;
}

static int count(const char *text, const char *what)
{
    int n = 0;
    while ((text = strstr(text, what))) {
        n++;
        text++;
    }
    return n;
}

/* ---- tests ---- */

static void an_event_as_it_goes_out(void **state)
{
    (void)state;
    struct stage stage;
    struct ear ear;
    set_up(&stage, 65536);
    assert_false(events_awake(stage.events));
    tell(&stage, "CP1", "Available"); /* nobody listens: dropped */
    listen_for(&stage, &ear, NULL, NULL, ABSENT);
    assert_true(events_awake(stage.events));
    assert_string_equal(hear(&ear), "retry: 2000\n\n");
    assert_int_equal(ear.woken, 0);
    tell(&stage, "CP1", "Preparing");
    assert_int_equal(ear.woken, 1);
    tell(&stage, "CP1", "Charging");
    assert_int_equal(ear.woken, 1); /* once is enough */
    assert_string_equal(
        hear(&ear),
        "id: 1700000000000000\nevent: status\ndata: {\"cpid\":\"CP1\",\"timestamp\":"
        "\"2023-11-14T22:13:20.000Z\",\"connectorId\":1,\"status\":\"Preparing\",\"errorCode\":"
        "\"NoError\",\"receivedAt\":\"2023-11-14T22:13:20.000Z\",\"repeat\":false}\n\n"
        "id: 1700000000000001\nevent: status\ndata: {\"cpid\":\"CP1\",\"timestamp\":"
        "\"2023-11-14T22:13:20.000Z\",\"connectorId\":1,\"status\":\"Charging\",\"errorCode\":"
        "\"NoError\",\"receivedAt\":\"2023-11-14T22:13:20.000Z\",\"repeat\":false}\n\n");
    leave(&ear);
    tear_down(&stage);
}

static void a_failed_batch_is_not_told(void **state)
{
    (void)state;
    struct stage stage;
    struct ear ear;
    set_up(&stage, 65536);
    listen_for(&stage, &ear, NULL, NULL, ABSENT);
    hear(&ear);
    struct batch *batch = batch_new();
    status(batch, "CP1", "Available");
    batch->failed = true;
    events_batch(stage.events, batch);
    batch_free(batch);
    assert_int_equal(ear.woken, 0);
    assert_string_equal(hear(&ear), "");
    leave(&ear);
    tear_down(&stage);
}

/* Every row of the table, with everything absent that may be: the JSON is well-formed. */
static void all_kinds(void **state)
{
    (void)state;
    struct stage stage;
    struct ear ear;
    set_up(&stage, 1 << 20);
    listen_for(&stage, &ear, NULL, NULL, ABSENT);
    ear.room = 65536;
    hear(&ear);
    struct batch *batch = batch_new();
    for (int kind = RECORD_CHARGE_POINT; kind <= RECORD_JOB; kind++)
        batch_add(batch, (enum record_kind)kind);
    batch_add(batch, RECORD_PRICE)->price =
        (struct record_price){.cp = "CP1", .id = 7, .currency = "EUR", .digits = 2, .total = 64};
    struct record *command = batch_add(batch, RECORD_COMMAND);
    command->command = (struct record_command){.id = "u-1",
                                               .cp = "CP1",
                                               .action = "Reset",
                                               .payload = "{\"type\":\"Soft\"}",
                                               .state = "accepted",
                                               .asked_ms = NOON,
                                               .sent_ms = NOON,
                                               .ended_ms = ABSENT,
                                               .response = "{\"status\":\"Accepted\"}"};
    events_batch(stage.events, batch);
    batch_free(batch);
    hear(&ear);
    for (int i = 0; events_names()[i]; i++) {
        char line[64];
        snprintf(line, sizeof(line), "\nevent: %s\n", events_names()[i]);
        bool told = strstr(ear.heard.at, line) != NULL;
        assert_int_equal(told, !text_is(events_names()[i], "message")); /* not unless asked for */
    }
    struct arena arena = {0};
    struct reason why;
    for (const char *at = ear.heard.at; (at = strstr(at, "data: ")); at++) {
        size_t len = strcspn(at + 6, "\n");
        if (!json_parse(&arena, at + 6, len, &why, NULL))
            fail_msg("%s: %.*s", why.text, (int)len, at + 6);
    }
    arena_clear(&arena);
    assert_non_null(strstr(ear.heard.at, "\"payload\":{\"type\":\"Soft\"},\"askedAt\":"));
    assert_non_null(strstr(ear.heard.at, "\"response\":{\"status\":\"Accepted\"}"));
    assert_null(strstr(ear.heard.at, "endedAt"));
    assert_non_null(strstr(ear.heard.at, "\"transactionId\":7,\"currency\":\"EUR\","
                                         "\"total\":64,\"digits\":2}")); /* one without: not told */
    leave(&ear);
    tear_down(&stage);
}

static void transactions(void **state)
{
    (void)state;
    struct stage stage;
    struct ear ear;
    set_up(&stage, 65536);
    listen_for(&stage, &ear, NULL, "transaction_started,transaction_stopped", ABSENT);
    hear(&ear);
    struct batch *batch = batch_new();
    struct record_start start = {.cp = "CP1",
                                 .evse = 2,
                                 .connector = 1,
                                 .id_tag = "TAG",
                                 .start_ms = NOON,
                                 .received_ms = NOON,
                                 .meter_start_wh = 100,
                                 .reservation_id = ABSENT,
                                 .verdict = "Accepted",
                                 .out_id = 7};
    batch_add(batch, RECORD_START)->start = start;
    start.out_repeat = true; /* a repeat is no new one */
    batch_add(batch, RECORD_START)->start = start;
    struct record_stop stop = {.cp = "CP1",
                               .id = 7,
                               .stop_ms = NOON,
                               .received_ms = NOON,
                               .meter_stop_wh = 1600,
                               .reason = "Local",
                               .energy_wh = 1500,
                               .out_evse = 2};
    batch_add(batch, RECORD_STOP)->stop = stop;
    stop.out_outcome = STOP_REPEAT;
    batch_add(batch, RECORD_STOP)->stop = stop;
    events_batch(stage.events, batch);
    batch_free(batch);
    hear(&ear);
    assert_int_equal(count(ear.heard.at, "event: "), 2);
    assert_non_null(strstr(ear.heard.at, "\"transactionId\":7,\"connectorId\":2,\"idTag\":\"TAG\","
                                         "\"meterStart\":100,\"startTime\":"));
    assert_non_null(strstr(ear.heard.at, "\"energy\":1500"));
    leave(&ear);
    tear_down(&stage);
}

static void messages(void **state)
{
    (void)state;
    struct stage stage;
    struct ear ear, quiet;
    set_up(&stage, 65536);
    listen_for(&stage, &ear, NULL, "message", ABSENT);
    listen_for(&stage, &quiet, NULL, NULL, ABSENT);
    hear(&ear);
    hear(&quiet);
    struct batch *batch = batch_new();
    struct record_message row = {.cp = "CP1", .connection = 3, .ts_ms = NOON};
    row.text = "[2,\"1\",\"Heartbeat\",{}]";
    row.len = strlen(row.text);
    batch_add(batch, RECORD_MESSAGE)->message = row;
    row.text = "\xff\xfe"; /* no UTF-8: told without its text */
    row.len = 2;
    row.outgoing = true;
    batch_add(batch, RECORD_MESSAGE)->message = row;
    events_batch(stage.events, batch);
    batch_free(batch);
    hear(&ear);
    assert_non_null(strstr(ear.heard.at, "\"connection\":3,\"direction\":\"in\",\"text\":"
                                         "\"[2,\\\"1\\\",\\\"Heartbeat\\\",{}]\"}\n\n"));
    assert_non_null(strstr(ear.heard.at, "\"direction\":\"out\"}\n\n"));
    assert_int_equal(quiet.woken, 0);
    assert_string_equal(hear(&quiet), "");
    leave(&ear);
    leave(&quiet);
    tear_down(&stage);
}

/* Raw JSON of a charger: nobody may end an event early, or begin one. */
static void line_breaks_in_raw_json(void **state)
{
    (void)state;
    struct stage stage;
    struct ear ear;
    set_up(&stage, 65536);
    listen_for(&stage, &ear, NULL, NULL, ABSENT);
    hear(&ear);
    struct batch *batch = batch_new();
    batch_add(batch, RECORD_EVENT)->event =
        (struct record_event){"CP1", "gap", "{\r\n\"a\":\n\n1\r}", NOON};
    events_batch(stage.events, batch);
    batch_free(batch);
    hear(&ear);
    assert_non_null(strstr(ear.heard.at, "\"detail\":{  \"a\":  1 }}\n\n"));
    assert_int_equal(count(ear.heard.at, "\n"), 4);
    assert_int_equal(count(ear.heard.at, "\r"), 0);
    leave(&ear);
    tear_down(&stage);
}

static void filters(void **state)
{
    (void)state;
    struct stage stage;
    struct ear one, other, none;
    struct reason why = {""};
    set_up(&stage, 65536);
    listen_for(&stage, &one, "cp1", "status, meter", ABSENT); /* identities have no case */
    listen_for(&stage, &other, "CP2", NULL, ABSENT);
    listen_for(&stage, &none, NULL, "meter", ABSENT);
    hear(&one);
    hear(&other);
    hear(&none);
    assert_int_equal(events_readers(stage.events), 3);
    tell(&stage, "CP1", "Available");
    assert_int_equal(count(hear(&one), "event: status"), 1);
    assert_string_equal(hear(&other), "");
    assert_string_equal(hear(&none), "");
    assert_int_equal(other.woken + none.woken, 0);
    events_tell(stage.events, "charge_point", "CP2", "\"online\":true");
    assert_non_null(strstr(hear(&other),
                           "event: charge_point\ndata: {\"cpid\":\"CP2\",\"timestamp\":"
                           "\"2023-11-14T22:13:20.000Z\",\"online\":true}\n\n"));
    struct events_filter filter = {NULL, "status,metre", ABSENT};
    struct body_source source;
    assert_false(events_reader(stage.events, &filter, &source, &why));
    assert_string_equal(why.text, "there is no event \"metre\"; did you mean \"meter\"?");
    leave(&one);
    leave(&other);
    leave(&none);
    tear_down(&stage);
}

static void replay(void **state)
{
    (void)state;
    struct stage stage;
    struct ear first, again;
    set_up(&stage, 65536);
    listen_for(&stage, &first, NULL, NULL, ABSENT);
    tell(&stage, "CP1", "One");
    int64_t seen = last_id(hear(&first));
    leave(&first);
    tell(&stage, "CP1", "Two"); /* nobody reads just now */
    tell(&stage, "CP1", "Three");
    listen_for(&stage, &again, NULL, NULL, seen);
    hear(&again);
    assert_null(strstr(again.heard.at, "missed"));
    assert_null(strstr(again.heard.at, "One"));
    assert_non_null(strstr(again.heard.at, "Two"));
    assert_non_null(strstr(again.heard.at, "Three"));
    seen = last_id(again.heard.at);
    leave(&again);
    listen_for(&stage, &again, NULL, NULL, seen); /* nothing since */
    assert_string_equal(hear(&again), "retry: 2000\n\n");
    leave(&again);
    listen_for(&stage, &again, NULL, NULL, seen + 1000000); /* such an id was never given */
    assert_string_equal(hear(&again), "retry: 2000\n\n");
    leave(&again);
    tear_down(&stage);
}

/* After a restart, or after it slept, nobody knows how many there were. */
static void replay_of_another_run(void **state)
{
    (void)state;
    struct stage stage;
    struct ear ear;
    set_up(&stage, 65536);
    listen_for(&stage, &ear, NULL, NULL, (NOON - 5000) * 1000);
    assert_string_equal(hear(&ear), "retry: 2000\n\nevent: missed\ndata: {\"missed\":null}\n\n");
    tell(&stage, "CP1", "One");
    int64_t seen = last_id(hear(&ear));
    leave(&ear);
    clock_advance(599999);
    timers_run(&stage.timers);
    assert_true(events_awake(stage.events));
    clock_advance(1);
    timers_run(&stage.timers);
    assert_false(events_awake(stage.events));
    listen_for(&stage, &ear, NULL, NULL, seen);
    assert_non_null(strstr(hear(&ear), "\"missed\":null"));
    tell(&stage, "CP1", "Two");
    assert_true(last_id(hear(&ear)) > seen + 1);
    leave(&ear);
    tear_down(&stage);
}

static void one_that_falls_behind(void **state)
{
    (void)state;
    struct stage stage;
    struct ear slow, quick;
    set_up(&stage, 65536);
    listen_for(&stage, &slow, NULL, NULL, ABSENT);
    listen_for(&stage, &quick, NULL, NULL, ABSENT);
    int64_t quick_saw = 0;
    for (int i = 0; i < 1000; i++) {
        tell(&stage, "CP1", "Available");
        if (i % 100 == 0)
            quick_saw += count(hear(&quick), "event: status");
    }
    quick_saw += count(hear(&quick), "event: status");
    assert_int_equal(quick_saw, 1000);
    hear(&slow);
    const char *missed = strstr(slow.heard.at, "event: missed\ndata: {\"missed\":");
    assert_non_null(missed);
    assert_int_equal(count(slow.heard.at, "event: missed"), 1);
    assert_int_equal(atoi(missed + 30) + count(slow.heard.at, "event: status"), 1000);
    int64_t seen = last_id(slow.heard.at);
    leave(&slow);
    listen_for(&stage, &slow, NULL, NULL, seen - 999); /* replay has the same gap */
    hear(&slow);
    assert_non_null(strstr(slow.heard.at, "event: missed\ndata: {\"missed\":"));
    leave(&slow);
    leave(&quick);
    tear_down(&stage);
}

/* Room for a few bytes at a time, while the ring runs past what is half told. */
static void little_room(void **state)
{
    (void)state;
    struct stage stage;
    struct ear ear;
    char some[8];
    set_up(&stage, 65536);
    listen_for(&stage, &ear, NULL, NULL, ABSENT);
    ear.room = sizeof(some);
    hear(&ear);
    tell(&stage, "CP1", "Half");
    ptrdiff_t got = ear.source.read(ear.source.ctx, some, sizeof(some));
    assert_int_equal(got, sizeof(some));
    for (int i = 0; i < 1000; i++)
        tell(&stage, "CP1", "Available");
    hear(&ear);
    assert_non_null(strstr(ear.heard.at, "\"Half\""));
    assert_int_equal(count(ear.heard.at, "event: missed"), 1);
    leave(&ear);
    tear_down(&stage);
}

/* All sizes around the end of the memory: what comes out is whole and in order. */
static void around_the_end_of_the_ring(void **state)
{
    (void)state;
    struct stage stage;
    struct ear ear;
    char word[3000];
    set_up(&stage, 65536);
    listen_for(&stage, &ear, NULL, NULL, ABSENT);
    ear.room = 65536;
    hear(&ear);
    int64_t before = 0;
    for (int i = 0; i < 3000; i++) {
        memset(word, 'w', sizeof(word));
        word[(size_t)(i * 37) % (sizeof(word) - 1)] = '\0';
        tell(&stage, "CP1", word);
        hear(&ear);
        assert_int_equal(count(ear.heard.at, "event: "), 1);
        assert_non_null(strstr(ear.heard.at, word));
        assert_true(last_id(ear.heard.at) > before);
        before = last_id(ear.heard.at);
    }
    leave(&ear);
    tear_down(&stage);
}

static void a_giant(void **state)
{
    (void)state;
    struct stage stage;
    struct ear ear;
    static char word[40000];
    set_up(&stage, 65536);
    listen_for(&stage, &ear, "CP1", "status", ABSENT);
    hear(&ear);
    memset(word, 'w', sizeof(word) - 1);
    tell(&stage, "CP1", word);
    assert_non_null(strstr(hear(&ear), "event: missed\ndata: {\"missed\":1}\n\n"));
    leave(&ear);
    tear_down(&stage);
}

static void keepalive(void **state)
{
    (void)state;
    struct stage stage;
    struct ear ear;
    set_up(&stage, 65536);
    listen_for(&stage, &ear, NULL, NULL, ABSENT);
    hear(&ear);
    for (int i = 1; i <= 3; i++) {
        clock_advance(14999);
        timers_run(&stage.timers);
        assert_int_equal(ear.woken, i - 1);
        clock_advance(1);
        timers_run(&stage.timers);
        assert_int_equal(ear.woken, i);
        assert_string_equal(hear(&ear), ":\n\n");
    }
    leave(&ear);
    tear_down(&stage);
}

static void the_end(void **state)
{
    (void)state;
    struct stage stage;
    struct ear waiting, busy;
    set_up(&stage, 65536);
    listen_for(&stage, &waiting, NULL, NULL, ABSENT);
    listen_for(&stage, &busy, NULL, NULL, ABSENT);
    hear(&waiting);
    events_free(stage.events);
    stage.events = NULL;
    assert_int_equal(waiting.woken, 1);
    assert_string_equal(hear(&waiting), "");
    assert_true(waiting.ended);
    assert_string_equal(hear(&busy), "");
    assert_true(busy.ended);
    leave(&waiting);
    leave(&busy);
    tear_down(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_as_it_goes_out),
        cmocka_unit_test(a_failed_batch_is_not_told),
        cmocka_unit_test(all_kinds),
        cmocka_unit_test(transactions),
        cmocka_unit_test(messages),
        cmocka_unit_test(line_breaks_in_raw_json),
        cmocka_unit_test(filters),
        cmocka_unit_test(replay),
        cmocka_unit_test(replay_of_another_run),
        cmocka_unit_test(one_that_falls_behind),
        cmocka_unit_test(little_room),
        cmocka_unit_test(around_the_end_of_the_ring),
        cmocka_unit_test(a_giant),
        cmocka_unit_test(keepalive),
        cmocka_unit_test(the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

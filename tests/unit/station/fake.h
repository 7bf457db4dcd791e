/* A world for the station without sockets, SQL or Lua: what its tests stand on.
 *
 * The store double commits batches in order, at once, when released, or never; it knows the rules
 * that the station relies on (repeat keys, stop outcomes) and keeps every row as one line of text.
 * The policy double answers by a script, at once or when told. The transport keeps what was sent.
 * Time is fake. Every test ends in fake_free(), which checks that nothing is left under way. */
#ifndef TESTS_STATION_FAKE_H
#define TESTS_STATION_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "fake_rows.h"
#include "station/station.h"

#define UNUSED __attribute__((unused))

enum { LINES_MAX = 16384 };
static const wall_t TEST_NOW = 1752470408000; /* 2025-07-14T05:20:08Z */
#define NOW_TEXT "2025-07-14T05:20:08Z"

struct lines {
    char *at[LINES_MAX];
    size_t count, read;
};

struct fake_start { /* the store's transactions */
    int64_t id;
    char *cp, *id_tag, *verdict, *parent, *expiry;
    int64_t evse, connector, start_ms, meter_start;
    int64_t stop_ms, meter_stop;
    bool stopped, estimated, priced;
};

struct script { /* how the policies answer one kind of event */
    bool listens, later, again, stopping;
    enum verdict_kind kind;
    const char *word, *extra, *why, *file;
    int64_t line;
};

struct waiting {
    event_done done;
    void *ctx;
};

struct fake {
    struct station_settings settings;
    struct timers timers;
    struct station *st;
    struct lines sent;   /* "<connection> <frame>" */
    struct lines closed; /* "<connection> <code> <reason>" */
    struct lines pauses; /* "<connection> pause" | "… resume" */
    bool send_fails;
    /* store */
    bool hold;
    int fail; /* so many batches fail from now on; -1: all */
    struct batch *held, *held_last;
    struct lines rows;
    struct fake_start *starts;
    size_t start_count, start_room;
    int64_t last_id;
    size_t batches;
    /* policies */
    struct script scripts[EVENT_KINDS];
    const char *actions; /* raw actions that are listened to, " DataTransfer Foo " */
    struct waiting waiting[64];
    size_t waiting_count;
    struct lines events;
    void (*on_event)(struct fake *f, const struct event *event); /* before it is answered */
};

/* ---- lines ---- */

UNUSED static void line_add(struct lines *lines, char *text_owned)
{
    assert_true(lines->count < LINES_MAX);
    lines->at[lines->count++] = text_owned;
}

UNUSED static void lines_clear(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        xfree(lines->at[i]);
    lines->count = lines->read = 0;
}

/* How many lines begin with the first word of `what` and hold each other word of it. */
UNUSED static size_t line_count(const struct lines *lines, const char *what)
{
    size_t found = 0;
    for (size_t i = 0; i < lines->count; i++) {
        struct span rest = span_of(what), word;
        bool fits = true;
        for (bool first = true; fits && span_cut(&rest, ' ', &word); first = false) {
            char *text = xprintf(first ? "%.*s " : " %.*s ", (int)word.len, word.at);
            const char *at = strstr(lines->at[i], text);
            fits = first ? at == lines->at[i] : at != NULL;
            xfree(text);
        }
        found += fits;
    }
    return found;
}

UNUSED static void lines_print(const struct lines *lines, const char *title)
{
    print_message("%s:\n", title);
    for (size_t i = 0; i < lines->count; i++)
        print_message("    %s\n", lines->at[i]);
}

/* ---- transport ---- */

static bool fake_send(void *ctx, uint64_t connection, const char *text, size_t len)
{
    struct fake *f = ctx;
    if (f->send_fails)
        return false;
    line_add(&f->sent, xprintf("%d %.*s", (int)connection, (int)len, text));
    return true;
}

static void fake_close(void *ctx, uint64_t connection, int code, const char *reason)
{
    struct fake *f = ctx;
    line_add(&f->closed, xprintf("%d %d %s", (int)connection, code, reason));
}

static void fake_pause(void *ctx, uint64_t connection, bool paused)
{
    struct fake *f = ctx;
    line_add(&f->pauses, xprintf("%d %s", (int)connection, paused ? "pause" : "resume"));
}

/* ---- store ---- */

static struct fake_start *start_find(struct fake *f, const struct record_start *row)
{
    for (size_t i = 0; i < f->start_count; i++) {
        struct fake_start *start = &f->starts[i];
        if (text_is_ci(start->cp, row->cp) && start->evse == row->evse &&
            start->connector == row->connector && text_is_ci(start->id_tag, row->id_tag) &&
            start->start_ms == row->start_ms && start->meter_start == row->meter_start_wh)
            return start;
    }
    return NULL;
}

static void start_out(struct batch *batch, struct record_start *row, const struct fake_start *first)
{
    row->out_repeat = true;
    row->out_id = first->id;
    row->out_verdict = arena_strdup(&batch->arena, first->verdict);
    row->out_parent_id_tag = arena_strdup(&batch->arena, first->parent);
    row->out_expiry = arena_strdup(&batch->arena, first->expiry);
}

static void commit_start(struct fake *f, struct batch *batch, struct record_start *row)
{
    const struct fake_start *first = start_find(f, row);
    if (first) {
        start_out(batch, row, first);
        return;
    }
    f->starts = xgrow(f->starts, f->start_count, &f->start_room, sizeof(*f->starts));
    row->out_id = ++f->last_id;
    f->starts[f->start_count++] = (struct fake_start){.id = row->out_id,
                                                      .cp = xstrdup(row->cp),
                                                      .id_tag = xstrdup(row->id_tag),
                                                      .verdict = xstrdup(row->verdict),
                                                      .parent = xstrdup_or_null(row->parent_id_tag),
                                                      .expiry = xstrdup_or_null(row->expiry),
                                                      .evse = row->evse,
                                                      .connector = row->connector,
                                                      .start_ms = row->start_ms,
                                                      .meter_start = row->meter_start_wh};
    struct strbuf line = {0};
    put_number(&line, "START id", row->out_id);
    put_text(&line, "cp", row->cp);
    put_number(&line, "evse", row->evse);
    put_number(&line, "connector", row->connector);
    put_text(&line, "idTag", row->id_tag);
    put_text(&line, "parent", row->parent_id_tag);
    put_number(&line, "start", row->start_ms);
    put_text(&line, "text", row->start_text);
    put_number(&line, "received", row->received_ms);
    put_number(&line, "meter", row->meter_start_wh);
    put_text(&line, "meterText", row->meter_start_text);
    put_number(&line, "reservation", row->reservation_id);
    put_text(&line, "verdict", row->verdict);
    put_number(&line, "flags", row->flags);
    put_number(&line, "generation", row->generation);
    line_add(&f->rows, strbuf_take(&line, NULL));
}

static void commit_stop(struct fake *f, struct record_stop *row)
{
    struct fake_start *start = NULL;
    for (size_t i = 0; i < f->start_count; i++) {
        if (f->starts[i].id == row->id && text_is_ci(f->starts[i].cp, row->cp))
            start = &f->starts[i];
    }
    row->out_outcome = STOP_UNKNOWN;
    if (!start)
        return;
    row->out_evse = start->evse;
    row->out_connector = start->connector;
    bool replaces = start->stopped && start->estimated && !(row->set_flags & TX_ESTIMATED);
    if (start->stopped && !replaces) {
        row->out_outcome = STOP_REPEAT;
        row->out_differs =
            start->meter_stop != row->meter_stop_wh || start->stop_ms != row->stop_ms;
        return;
    }
    row->out_outcome = replaces ? STOP_REPLACED_ESTIMATE : STOP_DONE;
    row->out_priced = replaces && start->priced;
    start->stopped = true;
    start->estimated = (row->set_flags & TX_ESTIMATED) != 0;
    start->meter_stop = row->meter_stop_wh;
    start->stop_ms = row->stop_ms;
    struct strbuf line = {0};
    put_number(&line, "STOP id", row->id);
    put_text(&line, "cp", row->cp);
    put_text(&line, "idTag", row->id_tag);
    put_number(&line, "stop", row->stop_ms);
    put_number(&line, "meter", row->meter_stop_wh);
    put_text(&line, "meterText", row->meter_stop_text);
    put_text(&line, "reason", row->reason);
    put_number(&line, "energy", row->energy_wh);
    put_number(&line, "flags", row->set_flags);
    put_text(&line, "vars", row->vars);
    put_number(&line, "due", row->due);
    line_add(&f->rows, strbuf_take(&line, NULL));
}

static void commit_price(struct fake *f, const struct record_price *row)
{
    for (size_t i = 0; i < f->start_count; i++) {
        if (f->starts[i].id == row->id && row->currency)
            f->starts[i].priced = true;
    }
}

static void commit_record(struct fake *f, struct batch *batch, struct record *row)
{
    struct strbuf line = {0};
    switch (row->kind) {
    case RECORD_START_FIND: {
        const struct fake_start *first = start_find(f, &row->start);
        if (first)
            start_out(batch, &row->start, first);
        strbuf_adds(&line, "FIND ");
        break;
    }
    case RECORD_START:
        commit_start(f, batch, &row->start);
        return;
    case RECORD_STOP:
        commit_stop(f, &row->stop);
        return;
    case RECORD_METER_VALUE:
        line_of_meter(&line, &row->meter_value);
        break;
    case RECORD_STATUS:
        line_of_status(&line, &row->status);
        break;
    case RECORD_CHARGE_POINT:
        line_of_charge_point(&line, &row->charge_point);
        break;
    case RECORD_CONNECTOR:
        line_of_connector(&line, &row->connector);
        break;
    case RECORD_DECISION:
        line_of_decision(&line, &row->decision);
        break;
    case RECORD_PRICE:
        commit_price(f, &row->price);
        line_of_price(&line, &row->price);
        break;
    case RECORD_FINISHED:
        put_number(&line, "FINISHED id", row->finished.id);
        break;
    default:
        line_of_other(&line, row);
        break;
    }
    line_add(&f->rows, strbuf_take(&line, NULL));
}

static void commit(struct fake *f, struct batch *batch)
{
    f->batches++;
    batch->failed = f->fail != 0;
    if (f->fail > 0)
        f->fail--;
    for (struct record *row = batch->first; row && !batch->failed; row = row->next)
        commit_record(f, batch, row);
    assert_non_null(batch->done); /* nothing goes out that nobody counts back in */
    batch->done(batch->ctx, batch);
}

static void fake_submit(void *ctx, struct batch *batch)
{
    struct fake *f = ctx;
    if (!f->hold) {
        commit(f, batch);
        return;
    }
    if (f->held_last)
        f->held_last->next = batch;
    else
        f->held = batch;
    f->held_last = batch;
}

/* Commits what is held, in order, and whatever follows from it that is submitted meanwhile. */
UNUSED static void store_release(struct fake *f)
{
    f->hold = false;
    while (f->held) {
        struct batch *batch = f->held;
        f->held = batch->next;
        if (!f->held)
            f->held_last = NULL;
        batch->next = NULL;
        commit(f, batch);
    }
}

/* ---- policies ---- */

static const char *const event_names[EVENT_KINDS] = {
    [EVENT_BOOT] = "boot",         [EVENT_AUTHORIZE] = "authorize",
    [EVENT_START] = "start",       [EVENT_PRICE] = "price",
    [EVENT_STOP] = "stop",         [EVENT_METER] = "meter",
    [EVENT_STATUS] = "status",     [EVENT_ONLINE] = "online",
    [EVENT_OFFLINE] = "offline",   [EVENT_REMOTE_START_EXPIRED] = "remote_start_expired",
    [EVENT_REMINDER] = "reminder", [EVENT_REBALANCE] = "rebalance",
    [EVENT_ACTION] = "action",
};

static void event_line(struct fake *f, const struct event *event)
{
    struct strbuf line = {0};
    strbuf_addf(&line, "%s cp=%s ", event_names[event->kind], event->cp);
    put_number(&line, "connector", event->connector);
    put_number(&line, "tx", event->transaction_id);
    put_text(&line, "idTag", event->id_tag);
    put_text(&line, "purpose", event->purpose);
    put_text(&line, "action", event->action);
    put_text(&line, "status", event->status);
    put_text(&line, "previous", event->previous);
    put_number(&line, "observe", event->observe);
    if (event->data) {
        strbuf_adds(&line, "data=");
        json_write(&line, event->data);
        strbuf_addc(&line, ' ');
    }
    line_add(&f->events, strbuf_take(&line, NULL));
}

static void give(const struct script *script, event_done done, void *ctx)
{
    struct arena arena = {0};
    struct verdict verdict = {.kind = script->kind,
                              .word = script->word,
                              .why = script->why,
                              .again = script->again,
                              .stopping = script->stopping,
                              .file = script->file,
                              .line = script->line,
                              .generation = 7};
    if (script->extra) {
        verdict.extra = json_parse(&arena, script->extra, strlen(script->extra), NULL, NULL);
        assert_non_null(verdict.extra);
    }
    done(ctx, &verdict);
    arena_clear(&arena);
}

static void fake_ask(void *ctx, const struct event *event, event_done done, void *done_ctx)
{
    struct fake *f = ctx;
    const struct script *script = &f->scripts[event->kind];
    event_line(f, event);
    if (f->on_event)
        f->on_event(f, event);
    if (!script->later) {
        give(script, done, done_ctx);
        return;
    }
    assert_true(f->waiting_count < ARRAY_LEN(f->waiting));
    f->waiting[f->waiting_count++] = (struct waiting){done, done_ctx};
}

static bool fake_listens(void *ctx, enum event_kind kind, const char *action)
{
    const struct fake *f = ctx;
    if (kind != EVENT_ACTION)
        return f->scripts[kind].listens;
    char *word = xprintf(" %s ", action);
    bool listens = f->actions && strstr(f->actions, word);
    xfree(word);
    return listens;
}

/* Answers the event that waits longest. */
UNUSED static void policy_answer(struct fake *f, const struct script *script)
{
    assert_true(f->waiting_count > 0);
    struct waiting waiting = f->waiting[0];
    memmove(f->waiting, f->waiting + 1, --f->waiting_count * sizeof(waiting));
    give(script, waiting.done, waiting.ctx);
}

UNUSED static void policy_says(struct fake *f, enum event_kind kind, const char *word,
                               const char *extra)
{
    f->scripts[kind] =
        (struct script){.listens = true, .kind = VERDICT_GIVEN, .word = word, .extra = extra};
}

UNUSED static void policy_hears(struct fake *f, enum event_kind kind)
{
    f->scripts[kind] = (struct script){.listens = true, .kind = VERDICT_NONE};
}

/* ---- the world ---- */

UNUSED static void fake_settings(struct fake *f)
{
    f->settings = (struct station_settings){.registration = ADMIT_PENDING,
                                            .heartbeat_interval_s = 300,
                                            .pending_interval_s = 60,
                                            .call_timeout_ms = 30000,
                                            .queue_timeout_ms = 60000,
                                            .boot_grace_ms = 10000,
                                            .clock_tolerance_ms = 5000,
                                            .late_after_ms = 300000,
                                            .authorize_default = "Invalid",
                                            .authorize_failed = "Blocked"};
}

UNUSED static void fake_open(struct fake *f)
{
    struct station_ports ports = {.ctx = f,
                                  .send = fake_send,
                                  .close = fake_close,
                                  .pause = fake_pause,
                                  .submit = fake_submit,
                                  .ask = fake_ask,
                                  .listens = fake_listens};
    f->st = station_new(&f->settings, &ports, &f->timers);
}

static void log_nothing(void *ctx, const char *line, size_t len)
{
    (void)ctx;
    (void)line;
    (void)len;
}

UNUSED static struct fake *fake_new(void)
{
    struct fake *f = xcalloc(1, sizeof(*f));
    clock_fake(TEST_NOW);
    log_redirect(log_nothing, NULL);
    fake_settings(f);
    fake_open(f);
    return f;
}

UNUSED static void fake_free(struct fake *f)
{
    station_flush(f->st);
    assert_null(f->held);
    assert_int_equal(f->waiting_count, 0);
    assert_true(station_idle(f->st));
    station_free(f->st);
    timers_clear(&f->timers);
    for (size_t i = 0; i < f->start_count; i++) {
        xfree(f->starts[i].cp);
        xfree(f->starts[i].id_tag);
        xfree(f->starts[i].verdict);
        xfree(f->starts[i].parent);
        xfree(f->starts[i].expiry);
    }
    xfree(f->starts);
    lines_clear(&f->sent);
    lines_clear(&f->closed);
    lines_clear(&f->pauses);
    lines_clear(&f->rows);
    lines_clear(&f->events);
    xfree(f);
    clock_real();
}

UNUSED static void pass(struct fake *f, int64_t ms)
{
    clock_advance(ms);
    timers_run(&f->timers);
}

UNUSED static void up(struct fake *f, const char *cp, uint64_t connection)
{
    station_connected(f->st, cp, connection, &version_16, "192.0.2.7");
}

UNUSED static void down(struct fake *f, const char *cp, uint64_t connection)
{
    station_disconnected(f->st, cp, connection, "gone");
}

/* The charger says something on its current connection. */
UNUSED static void say(struct fake *f, const char *cp, const char *text)
{
    const struct charge_point *at = station_find(f->st, cp);
    assert_non_null(at);
    station_received(f->st, cp, at->connection, text, strlen(text));
}

UNUSED static void say_on(struct fake *f, const char *cp, uint64_t connection, const char *text)
{
    station_received(f->st, cp, connection, text, strlen(text));
}

/* The next frame that was sent, "" if there is none. */
UNUSED static const char *next_sent(struct fake *f)
{
    return f->sent.read < f->sent.count ? f->sent.at[f->sent.read++] : "";
}

#define EXPECT_SENT(f, text) assert_string_equal(next_sent(f), text)
#define EXPECT_NOTHING(f) assert_string_equal(next_sent(f), "")

/* After a flush: how many rows are like that. */
UNUSED static size_t rows(struct fake *f, const char *what)
{
    station_flush(f->st);
    return line_count(&f->rows, what);
}

#define EXPECT_ROWS(f, n, what)                                                                    \
    do {                                                                                           \
        if (rows((f), (what)) != (n)) {                                                            \
            lines_print(&(f)->rows, "rows");                                                       \
            fail_msg("expected %d × %s, got %zu", (n), (what), rows((f), (what)));                 \
        }                                                                                          \
    } while (0)

#define EXPECT_EVENTS(f, n, what)                                                                  \
    do {                                                                                           \
        if (line_count(&(f)->events, (what)) != (n)) {                                             \
            lines_print(&(f)->events, "events");                                                   \
            fail_msg("expected %d × %s", (n), (what));                                             \
        }                                                                                          \
    } while (0)

/* Registered and accepted, connected as `connection`, booted; the traces of that are wiped. */
UNUSED static void accepted_cp(struct fake *f, const char *cp, uint64_t connection)
{
    struct charge_point_change change = {.registration = "accepted", .security_profile = ABSENT};
    assert_true(station_register(f->st, cp, &change, NULL, NULL, NULL));
    up(f, cp, connection);
    say(f, cp,
        "[2,\"b\",\"BootNotification\",{\"chargePointVendor\":\"V\",\"chargePointModel\":\"M\"}]");
    station_flush(f->st);
    lines_clear(&f->sent);
    lines_clear(&f->rows);
    lines_clear(&f->events);
}

/* A world with CP1 accepted on connection 1, whose policies accept every tag. */
UNUSED static struct fake *fake_with_cp1(void)
{
    struct fake *f = fake_new();
    accepted_cp(f, "CP1", 1);
    policy_says(f, EVENT_AUTHORIZE, "Accepted", NULL);
    return f;
}

#endif

/* The life of a CALL: see call.h. What it means is decided in handlers.c.
 *
 * Pinned: from the lane's start() to finish() the struct stays where it is, because policies and
 * the store hold it as their context and come back exactly once. */
#include "station/call.h"

#include "base/log.h"
#include "base/mem.h"
#include "station/messages.h"

static void call_free(struct call *call)
{
    timer_stop(call->st->timers, &call->delay);
    batch_free(call->batch);
    strbuf_clear(&call->answer);
    struct arena arena = call->arena; /* the call itself lives in it */
    arena_clear(&arena);
}

static void call_start(struct lane *lane, struct lane_item *item)
{
    (void)lane;
    call_dispatch(CONTAINER_OF(item, struct call, item));
}

static void call_drop(struct lane_item *item)
{
    call_free(CONTAINER_OF(item, struct call, item));
}

static void on_delay_over(struct timer *timer);

void call_receive(struct lane *lane, struct arena *arena_owned, const struct frame *frame,
                  struct span text)
{
    struct call *call = ARENA_NEW(arena_owned, struct call);
    call->item.start = call_start;
    call->item.drop = call_drop;
    call->item.bytes = text.len;
    call->item.kind = ITEM_CALL;
    call->lane = lane;
    call->st = lane->st;
    call->cp = lane->cp;
    call->connection = lane->cp->connection;
    call->version = lane->cp->version;
    call->received_ms = wall_now();
    call->text = text;
    call->frame = *frame;
    call->delay.fn = on_delay_over;
    call->arena = *arena_owned;
    lane_push(lane, &call->item);
}

/* ---- asking and storing ---- */

static void on_verdict(void *ctx, const struct verdict *verdict)
{
    struct call *call = ctx;
    call_verdict then = call->on_verdict;
    if (NEVER(then == NULL))
        return;
    call->on_verdict = NULL;
    then(call, verdict);
}

void call_ask(struct call *call, struct event *event, call_verdict then)
{
    struct station_ports *ports = &call->st->ports;
    event->cp = call->cp->id;
    call->on_verdict = then;
    if (ports->listens(ports->ctx, event->kind, event->action)) {
        ports->ask(ports->ctx, event, on_verdict, call);
    } else {
        const struct verdict none = {.kind = VERDICT_NONE};
        on_verdict(call, &none);
    }
}

static struct message own_frame(const struct call *call)
{
    return (struct message){.cp = call->cp,
                            .connection = call->connection,
                            .ts_ms = call->received_ms,
                            .text = call->text,
                            .note = call->note};
}

struct batch *call_batch(struct call *call)
{
    if (call->batch)
        return call->batch;
    call->batch = batch_new();
    if (call->st->settings.log_messages && !call->logged) {
        struct message message = own_frame(call);
        struct record *row = batch_add(call->batch, RECORD_MESSAGE);
        message_fill(&row->message, &call->batch->arena, &message);
        call->logged = true;
    }
    return call->batch;
}

static void on_stored(void *ctx, struct batch *batch)
{
    struct call *call = ctx;
    station_batch_back(call->st, batch);
    if (batch->failed && batch->first->kind == RECORD_MESSAGE)
        call->logged = false;
    call_stored then = call->on_stored;
    call->on_stored = NULL;
    if (!NEVER(then == NULL))
        then(call, batch);
    batch_free(batch);
}

void call_store(struct call *call, call_stored then)
{
    struct batch *batch = call_batch(call);
    call->batch = NULL;
    call->on_stored = then;
    batch->done = on_stored;
    batch->ctx = call;
    station_submit(call->st, batch);
}

/* ---- answering ---- */

static bool is_connected(const struct call *call)
{
    return call->connection != 0 && call->cp->connection == call->connection;
}

static void finish(struct call *call)
{
    struct lane *lane = call->lane;
    if (call->on_sent)
        call->on_sent(call);
    call_free(call);
    lane_done(lane, ITEM_CALL);
}

static void send_answer(struct call *call)
{
    struct station *st = call->st;
    if (!call->logged) {
        struct message message = own_frame(call);
        message_log(st, &message);
    }
    if (call->answer.len > 0 && is_connected(call)) {
        struct message message = {.cp = call->cp,
                                  .connection = call->connection,
                                  .ts_ms = wall_now(),
                                  .outgoing = true,
                                  .text = {call->answer.at, call->answer.len}};
        message_log(st, &message);
        st->ports.send(st->ports.ctx, call->connection, call->answer.at, call->answer.len);
    }
    finish(call);
}

static void on_delay_over(struct timer *timer)
{
    send_answer(CONTAINER_OF(timer, struct call, delay));
}

/* Q24: some drop the line when the answer comes too fast. */
static void send_in_time(struct call *call)
{
    int64_t delay_ms = call->cp->options.reply_delay_ms;
    if (delay_ms > 0 && is_connected(call) && call->answer.len > 0)
        timer_start(call->st->timers, &call->delay, delay_ms);
    else
        send_answer(call);
}

static void remember(struct call *call, bool empty)
{
    if (is_connected(call) && !(call->handler && call->handler->forgets))
        ring_put(&call->lane->ring, call->frame.id, ring_hash(call->text),
                 empty ? NULL : call->answer.at);
}

/* What we send is valid, or it is a bug of ours or an answer that a policy made up (L4). */
static bool is_sendable(struct call *call, const struct json *payload)
{
    struct payload_report *report = &call->st->report;
    *report = (struct payload_report){0};
    if (!call->action || !call->action->response ||
        payload_check(call->action->response, payload, report))
        return true;
    char fault[200];
    payload_report_text(report, fault, sizeof(fault));
    LOG(LOG_ERROR, "answer withheld: it is not valid", L_STR("cp", call->cp->id),
        L_STR("action", call->frame.action), L_STR("fault", fault));
    return false;
}

struct json *call_object(struct call *call)
{
    return json_new(&call->arena, JSON_OBJECT);
}

void call_answer(struct call *call, const struct json *payload)
{
    bool empty = !payload || payload->count == 0;
    if (!payload)
        payload = call_object(call);
    if (!is_sendable(call, payload)) {
        call_error(call, OCPP_INTERNAL_ERROR, "");
        return;
    }
    struct strbuf text = {0};
    json_write(&text, payload);
    frame_write_result(&call->answer, call->frame.id, (struct span){text.at, text.len});
    strbuf_clear(&text);
    remember(call, empty);
    send_in_time(call);
}

void call_error(struct call *call, enum ocpp_error error, const char *description)
{
    /* Not remembered: an error had no effect, so the same CALL may as well be tried again (X4). */
    call->refused = true;
    frame_write_error(&call->answer, call->version, call->frame.id, error, description);
    send_in_time(call);
}

void call_resend(struct call *call)
{
    send_in_time(call);
}

void call_orphan(struct call *call, struct record *row, struct arena *arena, const char *why)
{
    const struct json *payload = call->frame.payload;
    struct span whole = payload && payload->raw.at ? payload->raw : call->text;
    row->orphan = (struct record_orphan){.cp = arena_strdup(arena, call->cp->id),
                                         .action = arena_strdup(arena, call->frame.action),
                                         .payload = arena_strndup(arena, whole.at, whole.len),
                                         .why = arena_strdup(arena, why),
                                         .ts_ms = call->received_ms};
    call->st->counters.orphans++;
}

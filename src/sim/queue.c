/* The CALLs of a charger: in order, one outstanding, transaction messages until they are answered.
 *
 * The list holds what waits and what is outstanding; call_ready() says what may go out now. Before
 * the boot is accepted nothing but BootNotification does, and while Pending what TriggerMessage
 * asked for (B3). A transaction message that the central system fails to process is sent again,
 * with a new id, TransactionMessageAttempts times, waiting TransactionMessageRetryInterval ×
 * attempts [16 3.7.1]; later ones wait behind it, other CALLs may overtake (X5). A lost connection
 * is no attempt. CALLs that are not about transactions are lost with the connection. */
#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "sim/line.h"

enum {
    PATIENCE_MS = 30 * 1000, /* for an answer, in real time */
    PIPELINE = 3,            /* outstanding at once with the fault of that name */
    QUEUE_MAX = 200          /* then meter values of sessions go, the oldest first [16 4.7] */
};

static bool is(const struct sim_call *call, const char *action)
{
    return text_is(call->action, action);
}

static void call_free(struct sim_call *call)
{
    xfree(call->payload);
    xfree(call);
}

/* `before` NULL: it is the first. */
static void unlink_call(struct charger *charger, struct sim_call *before, struct sim_call *call)
{
    if (before)
        before->next = call->next;
    else
        charger->first = call->next;
    if (charger->last == call)
        charger->last = before;
    call->next = NULL;
    charger->queued--;
    if (call->sent)
        charger->outstanding--;
}

static void make_room(struct charger *charger)
{
    struct sim_call *before = NULL, *call = charger->first;
    if (charger->queued < QUEUE_MAX)
        return;
    while (call && (call->sent || !is(call, "MeterValues"))) {
        before = call;
        call = call->next;
    }
    if (call) {
        unlink_call(charger, before, call);
        call_free(call);
    }
}

struct sim_call *charger_call(struct charger *charger, const char *action, char *payload_owned)
{
    make_room(charger);
    struct sim_call *call = xcalloc(1, sizeof(*call));
    uuid_new(call->id);
    call->action = action;
    call->payload = payload_owned;
    call->triggered = charger->triggering;
    if (charger->last)
        charger->last->next = call;
    else
        charger->first = call;
    charger->last = call;
    charger->queued++;
    /* Sent when the loop turns, once the caller has filled the call in. */
    timer_start(charger->timers, &charger->sender, 0);
    return call;
}

void queue_first(struct charger *charger, struct sim_call *call)
{
    struct sim_call *before = NULL, *at = charger->first;
    while (at != call) { /* it is the last one: take it off … */
        before = at;
        at = at->next;
    }
    unlink_call(charger, before, call);
    for (before = NULL, at = charger->first; at && at->sent; at = at->next)
        before = at;
    call->next = at; /* … and put it behind those that are sent */
    if (before)
        before->next = call;
    else
        charger->first = call;
    if (!at)
        charger->last = call;
    charger->queued++;
}

bool queue_has(const struct charger *charger, const char *action)
{
    const struct sim_call *call = charger->first;
    while (call && !is(call, action))
        call = call->next;
    return call != NULL;
}

bool queue_has_transactional(const struct charger *charger)
{
    const struct sim_call *call = charger->first;
    while (call && !call->transactional)
        call = call->next;
    return call != NULL;
}

bool charger_may_send(const struct charger *charger)
{
    return charger->online && (charger->accepted || charger->triggering);
}

/* ---- sending ---- */

static bool call_ready(const struct charger *charger, const struct sim_call *call)
{
    if (call->sent || call->not_before > mono_now())
        return false;
    if (charger->accepted || is(call, "BootNotification"))
        return true;
    return call->triggered && text_is(charger->registration, "Pending");
}

/* The next to send. A transaction message that waits for its next attempt holds back those behind
 * it, so that they stay in order among themselves. */
static struct sim_call *next_ready(const struct charger *charger)
{
    bool held = false;
    for (struct sim_call *call = charger->first; call; call = call->next) {
        if (call->transactional && held)
            continue;
        if (call_ready(charger, call))
            return call;
        held |= call->transactional && !call->sent;
    }
    return NULL;
}

/* "transactionId" of a start that was never acknowledged is -1 (X8). */
static void write_payload(const struct charger *charger, const struct sim_call *call,
                          struct strbuf *out)
{
    strbuf_adds(out, call->payload);
    if (!call->start_serial || is(call, "StartTransaction"))
        return;
    int64_t id = charger->ids[call->start_serial];
    strbuf_addf(out, "%s\"transactionId\":%" PRId64 "}", out->len > 1 ? "," : "", id ? id : -1);
}

static void send_call(struct charger *charger, struct sim_call *call)
{
    struct strbuf payload = {0}, frame = {0};
    write_payload(charger, call, &payload);
    frame_write_call(&frame, call->id, call->action, (struct span){payload.at, payload.len});
    call->sent = true;
    call->deadline = mono_now() + clock_real_ms(PATIENCE_MS);
    charger->outstanding++;
    charger->figures.calls_sent++;
    enum ws_client_form form = fault_bend_call(charger, &frame);
    charger_put(charger, form, (struct span){strbuf_text(&frame), frame.len});
    strbuf_clear(&payload);
    strbuf_clear(&frame);
}

/* One timer for the deadlines of answers and for the next attempts. */
static void arm(struct charger *charger)
{
    mono_t now = mono_now(), next = INT64_MAX;
    for (const struct sim_call *call = charger->first; call; call = call->next) {
        mono_t due = call->sent ? call->deadline : call->not_before;
        if ((call->sent || due > now) && due < next)
            next = due;
    }
    if (next == INT64_MAX || !charger->online)
        timer_stop(charger->timers, &charger->patience);
    else
        timer_start(charger->timers, &charger->patience, next - now);
}

/* CALLs that nobody will ever send end; their owners may queue others meanwhile. */
static void end_lost(struct charger *charger)
{
    struct sim_call *before = NULL, *call = charger->first, *lost = NULL, **tail = &lost;
    while (call) {
        struct sim_call *next = call->next;
        if (call->transactional) {
            before = call;
        } else {
            unlink_call(charger, before, call);
            *tail = call;
            tail = &call->next;
        }
        call = next;
    }
    while ((call = lost)) {
        lost = call->next;
        if (call->answered)
            call->answered(charger, call, NULL);
        call_free(call);
    }
}

void queue_send(struct charger *charger)
{
    struct sim_call *call;
    size_t at_once = 1;
    if (!charger->online) {
        end_lost(charger);
        return;
    }
    if (charger->outstanding && fault_now(charger, "pipelining"))
        at_once = PIPELINE;
    while (charger->online && charger->outstanding < at_once && (call = next_ready(charger)))
        send_call(charger, call);
    arm(charger);
}

static void on_sender(struct timer *timer)
{
    struct charger *charger = CONTAINER_OF(timer, struct charger, sender);
    queue_send(charger);
    /* With pipelining, what follows goes out in the same millisecond. */
    if (charger->online && charger->outstanding && fault_now(charger, "pipelining"))
        queue_send(charger);
}

/* ---- the end of a CALL ---- */

static void end_call(struct charger *charger, struct sim_call *call, const struct json *response)
{
    struct sim_call *before = NULL;
    for (struct sim_call *at = charger->first; at != call; at = at->next)
        before = at;
    unlink_call(charger, before, call);
    if (call->answered)
        call->answered(charger, call, response);
    if (is(call, "StartTransaction") && call->start_serial && !charger->ids[call->start_serial])
        charger->ids[call->start_serial] = -1; /* given up: X8 */
    call_free(call);
    charger_queue_moved(charger);
}

/* The central system did not process it: later once more, or never again. */
static void fail_call(struct charger *charger, struct sim_call *call)
{
    charger->figures.calls_failed++;
    call->attempts++;
    bool pipelining = charger_fault_probability(charger, "pipelining") > 0;
    bool again = call->transactional && !pipelining &&
                 call->attempts < config_int(charger, "TransactionMessageAttempts");
    if (!again) {
        end_call(charger, call, NULL);
        return;
    }
    int64_t wait = config_int(charger, "TransactionMessageRetryInterval") * call->attempts;
    call->sent = false;
    charger->outstanding--;
    call->not_before = mono_now() + wait * 1000;
    uuid_new(call->id);
}

static struct sim_call *find_expired(const struct charger *charger)
{
    for (struct sim_call *call = charger->first; call; call = call->next) {
        if (call->sent && call->deadline <= mono_now())
            return call;
    }
    return NULL;
}

static void on_patience(struct timer *timer)
{
    struct charger *charger = CONTAINER_OF(timer, struct charger, patience);
    struct sim_call *call;
    while ((call = find_expired(charger))) {
        LOG(LOG_DEBUG, "no answer in time", L_STR("cp", charger->settings.identity),
            L_STR("action", call->action));
        fail_call(charger, call);
    }
    queue_send(charger);
}

void queue_answered(struct charger *charger, const char *id, const struct json *response)
{
    struct sim_call *call = charger->first;
    while (call && !(call->sent && text_is(call->id, id)))
        call = call->next;
    if (!call)
        return;
    bool start = is(call, "StartTransaction");
    if (response && start && fault_now(charger, "start_never_acknowledged")) {
        end_call(charger, call, NULL);
    } else if (response && (start || is(call, "StopTransaction")) &&
               fault_now(charger, "lost_answer")) {
        return; /* as if it never came: its deadline decides */
    } else if (response) {
        charger->figures.calls_answered++;
        end_call(charger, call, response);
    } else {
        fail_call(charger, call);
    }
    queue_send(charger);
}

void queue_line_lost(struct charger *charger)
{
    for (struct sim_call *call = charger->first; call; call = call->next) {
        if (!call->sent || !call->transactional)
            continue;
        call->sent = false;
        charger->outstanding--;
        uuid_new(call->id);
    }
    timer_stop(charger->timers, &charger->patience);
    end_lost(charger);
}

void queue_open(struct charger *charger)
{
    charger->sender.fn = on_sender;
    charger->patience.fn = on_patience;
    charger->id_count = 1; /* serial 0 means none */
    charger->ids = xgrow(NULL, 0, &charger->id_room, sizeof(*charger->ids));
    charger->ids[0] = 0;
}

void queue_close(struct charger *charger)
{
    timer_stop(charger->timers, &charger->sender);
    timer_stop(charger->timers, &charger->patience);
    while (charger->first) {
        struct sim_call *call = charger->first;
        unlink_call(charger, NULL, call);
        call_free(call);
    }
    xfree(charger->ids);
}

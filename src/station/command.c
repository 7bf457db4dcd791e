/* Our CALLs to chargers: rules R3, R5, B3, B4, B9, Q11, Q14, Q31.
 *
 * Each ends in exactly one result, told by asked_finish() (asked.c); whoever is told may do
 * anything, deleting the charge point included, so after each of them the lane is looked up again.
 * Nothing is ever sent by itself: who wants a command sent asks for it (B8, Q13, Q14). */
#include "base/log.h"
#include "base/mem.h"
#include "station/asked.h"
#include "station/call.h"
#include "station/effects.h"
#include "station/limit.h"
#include "station/messages.h"
#include "station/pending.h"

enum { TIMEOUTS_REPORTED = 3 };

/* What TriggerMessage may ask for, and the action that comes then. */
static const struct {
    const char *requested, *action;
} triggers[TRIGGERS] = {
    {"BootNotification", "BootNotification"},
    {"DiagnosticsStatusNotification", "DiagnosticsStatusNotification"},
    {"FirmwareStatusNotification", "FirmwareStatusNotification"},
    {"FirmwareStatusNotification", "SignedFirmwareStatusNotification"},
    {"Heartbeat", "Heartbeat"},
    {"LogStatusNotification", "LogStatusNotification"},
    {"MeterValues", "MeterValues"},
    {"SignChargePointCertificate", "SignCertificate"},
    {"StatusNotification", "StatusNotification"},
};

/* ---- results ---- */

void command_fail(struct outbox *lost, enum call_outcome outcome, const char *why)
{
    struct outcall *call;
    while ((call = outbox_take_any(lost)) != NULL)
        asked_finish_plain(call, outcome, why);
}

/* Finds the lane again after a callback. */
struct lane_ref {
    struct station *st;
    uint64_t connection;
    char id[IDENTITY_MAX + 1];
};

static struct lane_ref lane_ref_of(const struct lane *lane)
{
    struct lane_ref ref = {.st = lane->st, .connection = lane->cp->connection};
    text_copy(ref.id, sizeof(ref.id), span_of(lane->cp->id));
    return ref;
}

/* NULL: gone, or on another connection, whose CALLs are none of our business. */
static struct lane *lane_again(const struct lane_ref *ref)
{
    struct charge_point *cp = station_find(ref->st, ref->id);
    return cp && cp->connection == ref->connection ? cp->lane : NULL;
}

/* ---- sending ---- */

/* The message that a TriggerMessage asks for; NULL if it is none. */
static const char *triggers_what(struct arena *arena, const struct outcall *call)
{
    if (!text_is(call->action, "TriggerMessage") &&
        !text_is(call->action, "ExtendedTriggerMessage"))
        return NULL;
    struct span payload = span_of(call->payload);
    return json_gets(json_parse(arena, payload.at, payload.len, NULL, NULL), "requestedMessage");
}

/* Why it must not be sent now, or NULL (B3, B4, Q13). */
static const char *refusal(const struct charge_point *cp, const struct outcall *call)
{
    const char *action = call->action;
    bool remote =
        text_is(action, "RemoteStartTransaction") || text_is(action, "RemoteStopTransaction");
    if (cp->registration == REGISTRATION_REJECTED)
        return "the charge point is rejected";
    if (cp->registration == REGISTRATION_PENDING && remote)
        return "the charge point is not accepted yet";
    struct arena arena = {0};
    bool boot =
        cp->options.no_trigger_boot && text_is(triggers_what(&arena, call), "BootNotification");
    arena_clear(&arena);
    return boot ? "asking this charge point for a BootNotification reboots it (noTriggerBoot)"
                : NULL;
}

/* B3: while it is pending, the message that this asks for will be let through. */
static void note_trigger(struct lane *lane, const struct outcall *call)
{
    struct arena arena = {0};
    const char *requested = triggers_what(&arena, call);
    for (size_t i = 0; i < TRIGGERS; i++) {
        if (text_is(requested, triggers[i].requested))
            lane->triggered[i] = mono_now() + TRIGGER_MS;
    }
    arena_clear(&arena);
}

bool command_triggered(const struct lane *lane, const char *action)
{
    for (size_t i = 0; i < TRIGGERS; i++) {
        if (text_is(action, triggers[i].action) && mono_now() < lane->triggered[i])
            return true;
    }
    return false;
}

static bool send_frame(struct lane *lane, const struct outcall *call)
{
    struct station *st = lane->st;
    struct charge_point *cp = lane->cp;
    struct strbuf text = {0};
    frame_write_call(&text, call->id, call->action, span_of(call->payload));
    const struct message message = {.cp = cp,
                                    .connection = cp->connection,
                                    .ts_ms = wall_now(),
                                    .outgoing = true,
                                    .text = {text.at, text.len}};
    cp->calls_out++;
    st->counters.calls_out++;
    note_trigger(lane, call);
    asked_of(call)->sent_ms = message.ts_ms;
    pending_sent(st, cp, call, asked_of(call)->vars);
    effects_sending(st, cp, call);
    bool sent = st->ports.send(st->ports.ctx, cp->connection, text.at, text.len);
    if (sent) /* the log tells what left us */
        message_log(st, &message);
    strbuf_clear(&text);
    return sent;
}

static void rearm(struct lane *lane)
{
    mono_t next = outbox_next_deadline(&lane->outbox);
    bool waits = !lane->gate_open && !lane->boot_seen && lane->cp->connection != 0;
    if (waits && (next < 0 || lane->gate_at < next))
        next = lane->gate_at;
    if (next < 0)
        timer_stop(lane->st->timers, &lane->timer);
    else
        timer_start(lane->st->timers, &lane->timer, next - mono_now());
}

/* Sends the next one. Returns one that could not be sent, for asked_finish(); NULL: all is well. */
static struct outcall *send_next(struct lane *lane, enum call_outcome *outcome, const char **why)
{
    struct outcall *call = lane->gate_open ? outbox_send_next(&lane->outbox, mono_now()) : NULL;
    if (!call)
        return NULL;
    *outcome = CALL_REFUSED;
    *why = refusal(lane->cp, call);
    if (*why)
        return outbox_take_answered(&lane->outbox, call->id);
    char id[UUID_SIZE];
    text_copy(id, sizeof(id), span_of(call->id));
    const struct lane_ref ref = lane_ref_of(lane);
    if (send_frame(lane, call))
        return NULL;
    pending_refused(ref.st, id);
    *outcome = CALL_OFFLINE;
    *why = "the connection is being closed";
    lane = lane_again(&ref); /* a transport may close at once */
    return lane ? outbox_take_answered(&lane->outbox, id) : NULL;
}

static void pump(struct lane *lane)
{
    const struct lane_ref ref = lane_ref_of(lane);
    enum call_outcome outcome;
    const char *why;
    struct outcall *lost;
    while (lane && (lost = send_next(lane, &outcome, &why)) != NULL) {
        asked_finish_plain(lost, outcome, why);
        lane = lane_again(&ref);
    }
    lane = lane_again(&ref);
    if (lane)
        rearm(lane);
}

/* ---- the gate (B9) and time ---- */

static void report_timeouts(struct lane *lane)
{
    if (++lane->timeouts_in_row == TIMEOUTS_REPORTED) /* Q31 */
        station_row_event(lane->st, lane->cp->id, "commands_time_out", "{\"inRow\":3}");
}

static void on_timer(struct timer *timer)
{
    struct lane *lane = CONTAINER_OF(timer, struct lane, timer);
    const struct lane_ref ref = lane_ref_of(lane);
    if (!lane->gate_open && !lane->boot_seen && mono_now() >= lane->gate_at) {
        lane->gate_open = true;
        limit_ready(lane->st, lane->cp->id);
    }
    struct outcall *late;
    while (lane && (late = outbox_take_expired(&lane->outbox, mono_now())) != NULL) {
        bool sent = late->sent_at != 0;
        if (sent)
            report_timeouts(lane);
        asked_finish_plain(late, CALL_TIMEOUT,
                           sent ? "the charge point did not answer in time"
                                : "it could not be sent in time");
        lane = lane_again(&ref);
    }
    if (lane)
        pump(lane);
}

struct outbox command_reset(struct lane *lane)
{
    struct outbox lost = lane->outbox;
    lane->outbox = (struct outbox){0};
    lane->gate_open = lane->boot_seen = false;
    lane->gate_at = mono_now() + lane->st->settings.boot_grace_ms;
    lane->timeouts_in_row = 0;
    for (size_t i = 0; i < TRIGGERS; i++)
        lane->triggered[i] = 0;
    lane->timer.fn = on_timer;
    rearm(lane);
    return lost;
}

void command_boot_seen(struct lane *lane)
{
    lane->boot_seen = true;
    rearm(lane);
}

void command_boot_answered(struct lane *lane, bool ok)
{
    lane->boot_seen = false;
    if (ok) {
        if (lane->gate_open)
            limit_booted(lane->st, lane->cp->id);
        lane->cp->boot_answered = true;
        lane->gate_open = true;
        limit_ready(lane->st, lane->cp->id);
    } else {
        lane->gate_at = mono_now() + lane->st->settings.boot_grace_ms;
    }
    pump(lane);
}

/* ---- answers ---- */

static void finish_error(struct outcall *call, const struct frame *frame)
{
    struct reason why;
    reason_set(&why, "the charge point answered %s%s%s", frame->error_code,
               frame->description[0] ? ": " : "", frame->description);
    const struct call_result result = {.outcome = CALL_ERROR,
                                       .error_code = frame->error_code,
                                       .description = frame->description,
                                       .details = frame->details,
                                       .why = why.text,
                                       .ms = mono_now() - call->sent_at};
    asked_finish(call, &result);
}

/* Q14: an answer that cannot be used fails its own command only. */
static void finish_unreadable(const struct lane *lane, struct outcall *call, enum ocpp_error error,
                              const char *fault)
{
    struct reason why;
    reason_set(&why, "the answer of the charge point cannot be read: %s", fault);
    const struct call_result result = {.outcome = CALL_ERROR,
                                       .error_code = ocpp_error_text(lane->cp->version, error),
                                       .description = fault,
                                       .why = why.text,
                                       .ms = mono_now() - call->sent_at};
    asked_finish(call, &result);
}

static void finish_answered(struct lane *lane, struct outcall *call, struct arena *arena,
                            const struct frame *frame)
{
    const struct action *action = version_action(lane->cp->version, span_of(call->action));
    struct span raw = frame->payload->raw.at ? frame->payload->raw : SPAN("{}");
    struct payload_report *report = &lane->st->report;
    enum ocpp_error error =
        action ? payload_read(action->response, arena, frame->payload, false, report) : OCPP_OK;
    if (error != OCPP_OK) {
        char fault[260];
        payload_report_text(report, fault, sizeof(fault));
        finish_unreadable(lane, call, error, fault);
        return;
    }
    effects_record(lane->st, lane->cp, call, frame->payload);
    const struct call_result result = {.outcome = CALL_ANSWERED,
                                       .response = frame->payload,
                                       .response_raw = raw,
                                       .ms = mono_now() - call->sent_at};
    asked_finish(call, &result);
}

void command_answer(struct lane *lane, struct arena *arena, const struct frame *frame)
{
    struct outcall *call = frame->id ? outbox_take_answered(&lane->outbox, frame->id) : NULL;
    if (!call) {
        lane->st->counters.late_answers++; /* R3, R5: late or foreign */
        LOG(LOG_DEBUG, "an answer that nobody waits for", L_STR("cp", lane->cp->id));
        return;
    }
    const struct lane_ref ref = lane_ref_of(lane);
    lane->timeouts_in_row = 0;
    if (frame->kind == FRAME_RESULT)
        finish_answered(lane, call, arena, frame);
    else
        finish_error(call, frame);
    lane = lane_again(&ref);
    if (lane)
        pump(lane);
}

/* ---- what others call ---- */

static bool is_waiting(const struct outbox *box, uint64_t serial)
{
    if (box->sent && box->sent->serial == serial)
        return true;
    for (const struct outcall *call = box->head; call; call = call->next) {
        if (call->serial == serial)
            return true;
    }
    return false;
}

/* Why it cannot even be queued. */
static bool is_refused(struct charge_point *cp, struct outcall *call, struct call_result *result)
{
    result->outcome = CALL_OFFLINE;
    result->why = "the charge point is not connected";
    if (!cp || cp->connection == 0)
        return true;
    result->outcome = CALL_REFUSED;
    result->why = refusal(cp, call);
    if (result->why)
        return true;
    if (outbox_push(&cp->lane->outbox, call))
        return false;
    result->why = "too many commands wait already";
    result->queue_full = true;
    return true;
}

uint64_t station_command(struct station *st, const char *cp_id, const struct command *command,
                         char *id, call_done done, void *ctx)
{
    struct charge_point *cp = station_find(st, cp_id);
    struct outcall *call = asked_new(st, cp ? cp->id : cp_id, command, done, ctx);
    uint64_t serial = call->serial;
    call->deadline = mono_now() + st->settings.queue_timeout_ms;
    if (id)
        text_copy(id, UUID_SIZE, span_of(call->id));
    struct call_result result = {0};
    if (is_refused(cp, call, &result)) {
        asked_finish(call, &result);
        return 0;
    }
    asked_queued(call);
    const struct lane_ref ref = lane_ref_of(cp->lane);
    pump(cp->lane);
    const struct lane *lane = lane_again(&ref);
    return lane && is_waiting(&lane->outbox, serial) ? serial : 0;
}

uint64_t station_call(struct station *st, const char *id, const char *action, const char *payload,
                      int64_t timeout_ms, call_done done, void *ctx)
{
    const struct command command = {.action = action, .payload = payload, .timeout_ms = timeout_ms};
    return station_command(st, id, &command, NULL, done, ctx);
}

void station_cancel(struct station *st, const char *id, uint64_t serial)
{
    struct charge_point *cp = station_find(st, id);
    if (!cp)
        return;
    struct outcall *sent = cp->lane->outbox.sent;
    if (sent && sent->serial == serial) { /* R3: outstanding until it is answered or late */
        asked_cancel(sent);
        return;
    }
    struct outcall *call = outbox_take_serial(&cp->lane->outbox, serial);
    if (!call)
        return;
    rearm(cp->lane);
    asked_finish_plain(call, CALL_CANCELLED, "cancelled");
}

enum ocpp_error station_call_check(struct station *st, const char *id, const char *action,
                                   const struct json *payload, struct payload_report *report)
{
    const struct charge_point *cp = station_find(st, id);
    const struct version *version = cp && cp->version ? cp->version : &version_16;
    const struct action *found = version_action(version, span_of(action));
    report->count = 0;
    if (!found)
        return OCPP_NOT_IMPLEMENTED;
    if (!(found->direction & FROM_CENTRAL_SYSTEM))
        return OCPP_NOT_SUPPORTED;
    return payload_check(found->request, payload, report) ? OCPP_OK : report->faults[0].error;
}

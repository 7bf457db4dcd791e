/* What happens to a CALL before its handler: repeats, unknown actions, registration, repair.
 *
 * The table says which function handles which action; a new action is one row here and one row in
 * ocpp/v16.c. Actions without a row go to the policies if one of them listens for the name. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "station/call.h"

static const struct handler handlers_16[] = {
    {"Authorize", handle_authorize, false},
    {"BootNotification", handle_boot_notification, false},
    {"DataTransfer", handle_data_transfer, false},
    {"DiagnosticsStatusNotification", handle_job_status, false},
    {"FirmwareStatusNotification", handle_job_status, false},
    {"Heartbeat", handle_heartbeat, true},
    {"LogStatusNotification", handle_job_status, false},
    {"MeterValues", handle_meter_values, false},
    {"SecurityEventNotification", handle_security_event, false},
    {"SignCertificate", handle_sign_certificate, false},
    {"SignedFirmwareStatusNotification", handle_job_status, false},
    {"StartTransaction", handle_start_transaction, false},
    {"StatusNotification", handle_status_notification, false},
    {"StopTransaction", handle_stop_transaction, false},
};

static const struct handler *handler_find(const char *action)
{
    for (size_t i = 0; i < ARRAY_LEN(handlers_16); i++) {
        if (text_is(handlers_16[i].action, action))
            return &handlers_16[i];
    }
    return NULL;
}

/* ---- raw actions ---- */

static void raw_verdict(struct call *call, const struct verdict *verdict)
{
    if (verdict->kind == VERDICT_GIVEN) {
        const struct json *extra = verdict->extra;
        bool usable = !extra || extra->type == JSON_OBJECT;
        if (usable)
            call_answer(call, extra ? json_copy(&call->arena, extra) : NULL);
        else
            call_error(call, OCPP_INTERNAL_ERROR, "");
        return;
    }
    if (verdict->kind == VERDICT_NONE)
        call_error(call, OCPP_NOT_IMPLEMENTED, "");
    else
        call_error(call, OCPP_INTERNAL_ERROR, "");
}

static struct event raw_event(const struct call *call, bool observe)
{
    return (struct event){.kind = EVENT_ACTION,
                          .cp = call->cp->id,
                          .connector = ABSENT,
                          .action = call->frame.action,
                          .data = call->frame.payload,
                          .observe = observe};
}

void call_ask_raw(struct call *call)
{
    struct event event = raw_event(call, false);
    call_ask(call, &event, raw_verdict);
}

static bool policies_listen(const struct call *call)
{
    const struct station_ports *ports = &call->st->ports;
    return ports->listens(ports->ctx, EVENT_ACTION, call->frame.action);
}

/* ---- the steps before the handler ---- */

/* R7: the same CALL on the same connection gets the same answer, without side effects. Another CALL
 * under a used id is an error (R12), but for transaction messages: Q2, Q3, losing one of those over
 * a poor id generator would cost money. */
static bool is_repeat(struct call *call)
{
    const char *answer;
    if (call->connection != call->cp->connection)
        return false;
    uint64_t content = ring_hash(call->text);
    switch (ring_find(&call->lane->ring, call->frame.id, content, &answer)) {
    case RING_SAME:
        call->st->counters.repeats++;
        call->note = "repeated: the stored answer was sent again";
        if (answer)
            strbuf_adds(&call->answer, answer);
        else
            frame_write_result(&call->answer, call->frame.id, SPAN("{}"));
        call_resend(call);
        return true;
    case RING_OTHER:
        if (call->action && call->action->transactional)
            return false;
        call_error(call, OCPP_GENERIC_ERROR, "this message id was used before");
        return true;
    case RING_NEW:
        break;
    }
    return false;
}

/* Registration "open": whoever was never judged is accepted, boot or no boot (Q12). */
static void admit_openly(struct call *call)
{
    struct charge_point *cp = call->cp;
    if (cp->registered || cp->deleted || call->st->settings.registration != ADMIT_OPEN ||
        text_is(call->frame.action, "BootNotification"))
        return;
    charge_point_register(call->st, cp, REGISTRATION_ACCEPTED);
    station_row_charge_point(call->st, cp);
}

/* B3, B4: who is not accepted may introduce himself, and send what we asked for. */
static bool is_allowed(struct call *call)
{
    const struct charge_point *cp = call->cp;
    admit_openly(call);
    if (cp->registration == REGISTRATION_ACCEPTED ||
        text_is(call->frame.action, "BootNotification"))
        return true;
    if (cp->registration == REGISTRATION_REJECTED)
        return false;
    if (cp->options.accept_tx_before_boot && call->action && call->action->transactional)
        return true;
    return command_triggered(call->lane, call->frame.action);
}

/* What must be known of a transaction message before it is repaired. */
static void look_before_repair(struct call *call)
{
    const struct json *id = json_get(call->frame.payload, "transactionId");
    bool blank = !id || id->type == JSON_NULL || (id->type == JSON_STRING && id->text.len == 0);
    call->transaction_id_given = !blank;
    const struct json *meter = json_get(call->frame.payload, "meterStart");
    if (!meter)
        meter = json_get(call->frame.payload, "meterStop");
    if (meter && meter->type == JSON_STRING)
        call->meter_text = meter->text.at;
    else if (meter)
        call->meter_text = arena_strndup(&call->arena, meter->raw.at, meter->raw.len);
}

static void note_deviations(struct call *call, const struct payload_report *report)
{
    char first[260];
    payload_report_text(report, first, sizeof(first));
    call->note = arena_printf(&call->arena, "%u deviation%s: %s", report->count,
                              report->count == 1 ? "" : "s", first);
    call->cp->deviations += report->count;
    call->st->counters.deviations += report->count;
}

/* Strict stations are told every fault; but what belongs to a transaction is never refused for its
 * content (X1, X7, V4). */
static bool is_strict(const struct call *call)
{
    bool loose_values = text_is(call->action->name, "MeterValues") && !call->transaction_id_given;
    return call->cp->options.strict && (!call->action->transactional || loose_values);
}

/* R13 */
static bool read_payload(struct call *call)
{
    struct payload_report *report = &call->st->report;
    if (call->action->transactional)
        look_before_repair(call);
    enum ocpp_error error = payload_read(call->action->request, &call->arena, call->frame.payload,
                                         is_strict(call), report);
    if (report->count > 0)
        note_deviations(call, report);
    if (error == OCPP_OK)
        return true;
    char fault[260];
    payload_report_text(report, fault, sizeof(fault));
    call_error(call, error, fault);
    return false;
}

static void observe(struct call *call)
{
    if (call->handler->run == handle_data_transfer || !policies_listen(call))
        return;
    struct event event = raw_event(call, true);
    lane_event(call->lane, &event, false);
}

static void boot_sent(struct call *call)
{
    if (call->connection == call->cp->connection)
        command_boot_answered(call->lane, !call->refused);
}

/* B9: while it is being handled nothing is sent. Not from its arrival on: it may stand behind a
 * handler that waits for a command, and that must go out in the end. */
static void boot_begins(struct call *call)
{
    call->on_sent = boot_sent;
    if (call->connection == call->cp->connection)
        command_boot_seen(call->lane);
}

static void answer_broken(struct call *call)
{
    if (call->frame.action)
        call->action = version_action(call->version, span_of(call->frame.action));
    if (call->action && call->action->transactional) {
        struct arena *arena; /* Q16: it cannot be answered properly, but nothing of it is lost */
        struct record *row = station_row(call->st, RECORD_ORPHAN, &arena);
        call_orphan(call, row, arena, call->frame.why.text);
    }
    call->note = call->frame.why.text;
    call_error(call, call->frame.answer, call->frame.why.text);
}

void call_dispatch(struct call *call)
{
    const char *name = call->frame.action;
    if (text_is(name, "BootNotification"))
        boot_begins(call);
    if (call->frame.kind == FRAME_BAD) {
        answer_broken(call);
        return;
    }
    call->action = version_action(call->version, span_of(name));
    if (is_repeat(call))
        return;
    bool ours = call->action && (call->action->direction & FROM_CHARGE_POINT);
    call->handler = ours ? handler_find(name) : NULL;
    if (call->action && !ours) { /* R11 */
        call_error(call, OCPP_NOT_SUPPORTED, "");
    } else if (!call->handler && !policies_listen(call)) {
        call_error(call, OCPP_NOT_IMPLEMENTED, "");
    } else if (!is_allowed(call)) {
        call_error(call, OCPP_SECURITY_ERROR, "this charge point is not accepted yet");
    } else if (!call->handler) {
        call_ask_raw(call);
    } else if (read_payload(call)) {
        observe(call);
        call->handler->run(call);
    }
}

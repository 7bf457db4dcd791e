/* What the simulated charge point answers to CALLs of the central system: one row per action.
 *
 * The table of ocpp/ judges both sides: a request that it does not take is refused with the code of
 * R12, unknown actions and those of the other direction by R11; and an answer of ours that it does
 * not take never leaves: it becomes InternalError and a line in the log. How and when an answer
 * goes out is bent by the faults slow_answer … drop_on_command. Start reading at answer_frame(). */
#include "base/log.h"
#include "base/mem.h"
#include "sim/line.h"

enum { SLOW_MS = 2000, LATE_MS = 35 * 1000 }; /* real time; the server waits 30 s */

/* ---- the answers of the line half ---- */

enum ocpp_error answer_status(struct json_out *out, const char *status)
{
    json_open(out, '{');
    json_key(out, "status");
    json_put_string(out, status);
    json_close(out, '}');
    return OCPP_OK;
}

enum ocpp_error answer_reset(struct charger *charger, const struct json *request,
                             struct json_out *out)
{
    if (charger->rebooting != REBOOT_NONE)
        return answer_status(out, "Rejected");
    charger_reset_soon(charger, text_is(json_gets(request, "type"), "Soft"));
    return answer_status(out, "Accepted");
}

/* One vendor and one message are ours: its data comes back (N6). */
enum ocpp_error answer_data_transfer(struct charger *charger, const struct json *request,
                                     struct json_out *out)
{
    (void)charger;
    const char *data = json_gets(request, "data");
    if (!text_is_ci(json_gets(request, "vendorId"), "ChargeBridge"))
        return answer_status(out, "UnknownVendorId");
    if (!json_gets(request, "messageId") || !text_is_ci(json_gets(request, "messageId"), "echo"))
        return answer_status(out, "UnknownMessageId");
    json_open(out, '{');
    json_key(out, "status");
    json_put_string(out, "Accepted");
    if (data) {
        json_key(out, "data");
        json_put_string(out, data);
    }
    json_close(out, '}');
    return OCPP_OK;
}

/* ---- triggers (C10) ---- */

enum trigger_kind {
    TRIGGER_BOOT,
    TRIGGER_HEARTBEAT,
    TRIGGER_STATUS,
    TRIGGER_METER,
    TRIGGER_JOB,
    TRIGGER_CSR
};

struct trigger {
    const char *message;
    enum trigger_kind kind;
    const char *job; /* what job.c sends */
};

static const struct trigger triggers[] = {
    {"BootNotification", TRIGGER_BOOT, NULL},
    {"DiagnosticsStatusNotification", TRIGGER_JOB, "DiagnosticsStatusNotification"},
    {"FirmwareStatusNotification", TRIGGER_JOB, "FirmwareStatusNotification"},
    {"Heartbeat", TRIGGER_HEARTBEAT, NULL},
    {"MeterValues", TRIGGER_METER, NULL},
    {"StatusNotification", TRIGGER_STATUS, NULL},
    {NULL, 0, NULL},
};
/* In the security whitepaper a firmware status is a signed one. */
static const struct trigger extended_triggers[] = {
    {"BootNotification", TRIGGER_BOOT, NULL},
    {"FirmwareStatusNotification", TRIGGER_JOB, "SignedFirmwareStatusNotification"},
    {"Heartbeat", TRIGGER_HEARTBEAT, NULL},
    {"LogStatusNotification", TRIGGER_JOB, "LogStatusNotification"},
    {"MeterValues", TRIGGER_METER, NULL},
    {"SignChargePointCertificate", TRIGGER_CSR, NULL},
    {"StatusNotification", TRIGGER_STATUS, NULL},
    {NULL, 0, NULL},
};

/* `connector` -1: all of them, for a status also 0. */
static void pull(struct charger *charger, const struct trigger *trigger, int connector)
{
    int last = connector < 0 ? charger->settings.connectors : connector;
    switch (trigger->kind) {
    case TRIGGER_BOOT:
        charger_send_boot(charger);
        break;
    case TRIGGER_HEARTBEAT:
        charger_send_heartbeat(charger);
        break;
    case TRIGGER_STATUS:
        for (int id = connector < 0 ? 0 : connector; id <= last; id++)
            connector_send_status(charger, id);
        break;
    case TRIGGER_METER:
        for (int id = connector < 0 ? 1 : connector; id <= last; id++)
            connector_send_meter(charger, id);
        break;
    case TRIGGER_JOB:
        job_send_status(charger, trigger->job);
        break;
    case TRIGGER_CSR:
        security_send_csr(charger);
        break;
    }
}

static enum ocpp_error answer_trigger(struct charger *charger, const struct trigger *trigger,
                                      const struct json *request, struct json_out *out)
{
    const char *message = json_gets(request, "requestedMessage");
    int64_t connector = -1;
    bool given = json_int(json_get(request, "connectorId"), &connector);
    while (trigger->message && !text_is(trigger->message, message))
        trigger++;
    if (!trigger->message)
        return answer_status(out, "NotImplemented");
    int64_t least = trigger->kind == TRIGGER_METER ? 1 : 0;
    if (given && (connector < least || connector > charger->settings.connectors))
        return answer_status(out, "Rejected");
    charger->triggering = true; /* what comes of it may go out while Pending (B3) */
    pull(charger, trigger, given ? (int)connector : -1);
    charger->triggering = false;
    return answer_status(out, "Accepted");
}

enum ocpp_error answer_trigger_message(struct charger *charger, const struct json *request,
                                       struct json_out *out)
{
    return answer_trigger(charger, triggers, request, out);
}

static enum ocpp_error answer_extended_trigger_message(struct charger *charger,
                                                       const struct json *request,
                                                       struct json_out *out)
{
    return answer_trigger(charger, extended_triggers, request, out);
}

/* ---- the table ---- */

static const struct {
    const char *action;
    answer_fn answer;
} rows[] = {
    {"CancelReservation", answer_cancel_reservation},
    {"CertificateSigned", answer_certificate_signed},
    {"ChangeAvailability", answer_change_availability},
    {"ChangeConfiguration", answer_change_configuration},
    {"ClearCache", answer_clear_cache},
    {"ClearChargingProfile", answer_clear_charging_profile},
    {"DataTransfer", answer_data_transfer},
    {"DeleteCertificate", answer_delete_certificate},
    {"ExtendedTriggerMessage", answer_extended_trigger_message},
    {"GetCompositeSchedule", answer_get_composite_schedule},
    {"GetConfiguration", answer_get_configuration},
    {"GetDiagnostics", answer_get_diagnostics},
    {"GetInstalledCertificateIds", answer_get_installed_certificate_ids},
    {"GetLocalListVersion", answer_get_local_list_version},
    {"GetLog", answer_get_log},
    {"InstallCertificate", answer_install_certificate},
    {"RemoteStartTransaction", answer_remote_start},
    {"RemoteStopTransaction", answer_remote_stop},
    {"ReserveNow", answer_reserve_now},
    {"Reset", answer_reset},
    {"SendLocalList", answer_send_local_list},
    {"SetChargingProfile", answer_set_charging_profile},
    {"SignedUpdateFirmware", answer_signed_update_firmware},
    {"TriggerMessage", answer_trigger_message},
    {"UnlockConnector", answer_unlock_connector},
    {"UpdateFirmware", answer_update_firmware},
};

static answer_fn find_answer(const char *action)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (text_is(rows[i].action, action))
            return rows[i].answer;
    }
    return NULL;
}

/* A fault of ours: it must show, and nothing wrong may go out. */
static bool own_answer_valid(const struct charger *charger, const struct action *action,
                             const struct strbuf *payload, struct reason *why)
{
    struct arena arena = {0};
    struct payload_report report = {0};
    struct reason unreadable;
    const struct json *json = json_parse(&arena, payload->at, payload->len, &unreadable, NULL);
    bool valid = json && payload_check(action->response, json, &report);
    if (!json)
        reason_set(why, "own answer: %s", unreadable.text);
    else if (!valid)
        reason_set(why, "own answer: %s: %s", report.faults[0].pointer, report.faults[0].message);
    arena_clear(&arena);
    if (!valid)
        LOG(LOG_ERROR, "the simulator's answer is wrong", L_STR("cp", charger->settings.identity),
            L_STR("action", action->name), L_STR("reason", why->text));
    return valid;
}

/* B3: no remote starts and stops while Pending. B4: nothing before that. */
static bool registered(const struct charger *charger)
{
    return charger->registration[0] && !text_is(charger->registration, "Rejected");
}

static bool is_remote(const char *action)
{
    return text_is(action, "RemoteStartTransaction") || text_is(action, "RemoteStopTransaction");
}

static enum ocpp_error decide(struct charger *charger, const struct frame *frame,
                              struct strbuf *payload, struct reason *why)
{
    const struct action *action = version_action(&version_16, span_of(frame->action));
    struct json_out out = {.to = payload};
    struct payload_report report = {0};
    if (!action)
        return OCPP_NOT_IMPLEMENTED;
    answer_fn answer = find_answer(action->name);
    if (!answer)
        return OCPP_NOT_SUPPORTED;
    if (!registered(charger)) {
        reason_set(why, "the boot is not accepted yet");
        return OCPP_SECURITY_ERROR;
    }
    if (!payload_check(action->request, frame->payload, &report)) {
        reason_set(why, "%s: %s", report.faults[0].pointer, report.faults[0].message);
        return report.faults[0].error;
    }
    enum ocpp_error error = text_is(charger->registration, "Pending") && is_remote(action->name)
                                ? answer_status(&out, "Rejected")
                                : answer(charger, frame->payload, &out);
    if (error == OCPP_OK && !own_answer_valid(charger, action, payload, why))
        return OCPP_INTERNAL_ERROR;
    return error;
}

/* ---- sending them ---- */

struct pending_answer {
    struct pending_answer *next;
    struct charger *charger;
    struct timer timer;
    struct strbuf text;
};

static void answer_free(struct pending_answer *answer)
{
    timer_stop(answer->charger->timers, &answer->timer);
    strbuf_clear(&answer->text);
    xfree(answer);
}

static void on_answer_due(struct timer *timer)
{
    struct pending_answer *answer = CONTAINER_OF(timer, struct pending_answer, timer);
    struct charger *charger = answer->charger;
    struct pending_answer **at = &charger->answers;
    while (*at != answer)
        at = &(*at)->next;
    *at = answer->next;
    charger_put(charger, WS_CLIENT_TEXT, (struct span){answer->text.at, answer->text.len});
    answer_free(answer);
}

static void answer_later(struct charger *charger, struct strbuf *text_owned, int64_t wait_ms)
{
    struct pending_answer *answer = xcalloc(1, sizeof(*answer));
    answer->charger = charger;
    answer->text = *text_owned;
    *text_owned = (struct strbuf){0};
    answer->timer.fn = on_answer_due;
    answer->next = charger->answers;
    charger->answers = answer;
    timer_start(charger->timers, &answer->timer, clock_real_ms(wait_ms));
}

void answers_forget(struct charger *charger)
{
    while (charger->answers) {
        struct pending_answer *answer = charger->answers;
        charger->answers = answer->next;
        answer_free(answer);
    }
}

static void give(struct charger *charger, struct strbuf *text)
{
    if (fault_now(charger, "no_answer"))
        return;
    if (fault_now(charger, "late_answer")) {
        answer_later(charger, text, LATE_MS);
        return;
    }
    if (fault_now(charger, "slow_answer")) {
        answer_later(charger, text, SLOW_MS);
        return;
    }
    charger_put(charger, WS_CLIENT_TEXT, (struct span){text->at, text->len});
    if (fault_now(charger, "double_answer"))
        charger_put(charger, WS_CLIENT_TEXT, (struct span){text->at, text->len});
}

void answer_frame(struct charger *charger, const struct frame *frame)
{
    struct strbuf payload = {0}, text = {0};
    struct reason why = {0};
    bool call = frame->kind == FRAME_CALL;
    if (!call && (frame->answer == OCPP_OK || !frame->id))
        return;
    if (call) {
        charger->figures.calls_received++;
        charger_tell(charger, "call", 0, frame->action);
        if (fault_now(charger, "drop_on_command")) {
            charger_drop_line(charger);
            return;
        }
    }
    enum ocpp_error error = call ? decide(charger, frame, &payload, &why) : frame->answer;
    if (error == OCPP_OK)
        frame_write_result(&text, frame->id, (struct span){payload.at, payload.len});
    else
        frame_write_error(&text, &version_16, frame->id, error, call ? why.text : frame->why.text);
    give(charger, &text);
    strbuf_clear(&payload);
    strbuf_clear(&text);
}

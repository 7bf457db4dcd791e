/* DataTransfer, and the notifications that are stored and answered: rules N6, W1 to W3, G9. */
#include "base/mem.h"
#include "station/moment.h"

/* ---- DataTransfer (N6) ---- */

/* The data of a DataTransfer is text; anything else that a policy gives goes as its JSON. */
static void add_data(struct call *call, struct json *answer, const struct json *data)
{
    if (!data || data->type == JSON_NULL)
        return;
    struct strbuf text = {0};
    if (data->type == JSON_STRING)
        strbuf_add(&text, data->text.at, data->text.len);
    else
        json_write(&text, data);
    json_adds(&call->arena, answer, "data", strbuf_text(&text));
    strbuf_clear(&text);
}

static void data_transfer_verdict(struct call *call, const struct verdict *verdict)
{
    const struct json *extra = verdict->extra;
    bool whole = extra && extra->type == JSON_OBJECT;
    const char *status = verdict->word ? verdict->word : json_gets(extra, "status");
    if (verdict->kind == VERDICT_FAILED) {
        call_error(call, OCPP_INTERNAL_ERROR, "");
        return;
    }
    struct json *answer = call_object(call);
    bool given = verdict->kind == VERDICT_GIVEN && status;
    json_adds(&call->arena, answer, "status", given ? status : "UnknownVendorId");
    bool unknown =
        !given || text_is(status, "UnknownVendorId") || text_is(status, "UnknownMessageId");
    if (!unknown)
        add_data(call, answer, whole ? json_get(extra, "data") : extra);
    call_answer(call, answer);
}

void handle_data_transfer(struct call *call)
{
    struct event event = {.kind = EVENT_ACTION,
                          .connector = ABSENT,
                          .action = call->frame.action,
                          .data = call->frame.payload};
    call_ask(call, &event, data_transfer_verdict);
}

/* ---- firmware, diagnostics, logs (W1, W2) ---- */

static const char *job_kind(const char *action)
{
    if (text_is(action, "DiagnosticsStatusNotification"))
        return "diagnostics";
    return text_is(action, "LogStatusNotification") ? "log" : "firmware";
}

void handle_job_status(struct call *call)
{
    const struct json *payload = call->frame.payload;
    struct arena *arena;
    struct record *row = station_row(call->st, RECORD_JOB_STATUS, &arena);
    row->job_status =
        (struct record_job_status){.cp = arena_strdup(arena, call->cp->id),
                                   .kind = job_kind(call->action->name),
                                   .status = arena_strdup(arena, json_gets(payload, "status")),
                                   .request_id = ABSENT,
                                   .ts_ms = call->received_ms};
    json_int(json_get(payload, "requestId"), &row->job_status.request_id);
    call_answer(call, NULL);
}

/* ---- security (W3, G9) ---- */

void handle_security_event(struct call *call)
{
    const struct json *payload = call->frame.payload;
    struct moment when = moment_read(call, json_gets(payload, "timestamp"));
    struct arena *arena;
    struct record *row = station_row(call->st, RECORD_SECURITY_EVENT, &arena);
    row->security_event = (struct record_security_event){
        .cp = arena_strdup(arena, call->cp->id),
        .type = arena_strdup(arena, json_gets(payload, "type")),
        .tech_info = arena_strdup(arena, json_gets(payload, "techInfo")),
        .ts_ms = when.at_ms,
        .received_ms = call->received_ms,
    };
    call_answer(call, NULL);
}

/* The CSR is kept; signing is the work of a CA outside, which sends CertificateSigned later. */
void handle_sign_certificate(struct call *call)
{
    struct strbuf detail = {0};
    struct json_out o = {.to = &detail};
    json_open(&o, '{');
    json_key(&o, "csr");
    json_put_string(&o, json_gets(call->frame.payload, "csr"));
    json_close(&o, '}');
    station_row_event(call->st, call->cp->id, "sign_certificate", detail.at);
    strbuf_clear(&detail);
    struct json *answer = call_object(call);
    json_adds(&call->arena, answer, "status", "Accepted");
    call_answer(call, answer);
}

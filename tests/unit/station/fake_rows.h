/* Rows of the store double as lines of text: part of fake.h, which alone includes it.
 *
 * One line a record: its name, then `name=value` for each field, `-` for what is absent. Tests look
 * for parts of such lines with EXPECT_ROWS(). */
#ifndef TESTS_STATION_FAKE_ROWS_H
#define TESTS_STATION_FAKE_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "station/record.h"

static const char *or_dash(const char *text)
{
    return text && text[0] ? text : "-";
}

static void put_number(struct strbuf *line, const char *name, int64_t value)
{
    if (value == ABSENT)
        strbuf_addf(line, "%s=- ", name);
    else
        strbuf_addf(line, "%s=%lld ", name, (long long)value);
}

static void put_text(struct strbuf *line, const char *name, const char *value)
{
    strbuf_addf(line, "%s=%s ", name, or_dash(value));
}

static void line_of_meter(struct strbuf *line, const struct record_meter_value *row)
{
    strbuf_addf(line, "METER cp=%s ", row->cp);
    put_number(line, "evse", row->evse);
    put_number(line, "connector", row->connector);
    put_number(line, "tx", row->transaction_id);
    put_number(line, "ts", row->ts_ms);
    put_number(line, "energy", row->energy_wh);
    put_number(line, "power", row->power_w);
    put_number(line, "soc", row->soc);
    put_number(line, "implausible", row->implausible);
    for (size_t i = 0; i < row->sample_count; i++) {
        const struct record_sample *s = &row->samples[i];
        strbuf_addf(line, "{%s|%s|%s|%s|%s|%s|%s} ", s->measurand, s->context, s->format,
                    or_dash(s->phase), s->location, or_dash(s->unit), s->value);
    }
}

static void line_of_status(struct strbuf *line, const struct record_status *row)
{
    strbuf_addf(line, "STATUS cp=%s ", row->cp);
    put_number(line, "evse", row->evse);
    put_number(line, "connector", row->connector);
    put_text(line, "status", row->status);
    put_text(line, "error", row->error_code);
    put_text(line, "info", row->info);
    put_number(line, "ts", row->ts_ms);
    put_number(line, "repeat", row->repeat);
}

static void line_of_charge_point(struct strbuf *line, const struct record_charge_point *row)
{
    strbuf_addf(line, "CHARGE_POINT id=%s registration=%s ", row->id, row->registration);
    put_text(line, "hash", row->password_hash);
    put_number(line, "profile", row->security_profile);
    put_text(line, "options", row->options);
    put_text(line, "version", row->version);
    put_text(line, "vendor", row->vendor);
    put_text(line, "model", row->model);
    put_text(line, "serial", row->serial);
    put_text(line, "firmware", row->firmware);
    put_text(line, "vars", row->vars);
}

static void line_of_connector(struct strbuf *line, const struct record_connector *row)
{
    strbuf_addf(line, "CONNECTOR cp=%s ", row->cp);
    put_number(line, "evse", row->evse);
    put_number(line, "connector", row->connector);
    put_text(line, "status", row->status);
    put_text(line, "error", row->error_code);
    put_number(line, "newestStart", row->newest_start_ms);
    put_number(line, "lastMeterStop", row->last_meter_stop_wh);
}

static void line_of_decision(struct strbuf *line, const struct record_decision *row)
{
    strbuf_addf(line, "DECISION cp=%s event=%s ", row->cp, row->event);
    put_text(line, "idTag", row->id_tag);
    put_number(line, "evse", row->evse);
    put_number(line, "tx", row->transaction_id);
    put_text(line, "verdict", row->verdict);
    put_text(line, "why", row->why);
    put_text(line, "file", row->file);
    put_number(line, "line", row->line);
    put_number(line, "generation", row->generation);
    put_text(line, "inputs", row->inputs);
    put_text(line, "answer", row->answer);
}

static void line_of_price(struct strbuf *line, const struct record_price *row)
{
    strbuf_addf(line, "PRICE id=%d cp=%s ", (int)row->id, row->cp);
    put_text(line, "currency", row->currency);
    put_number(line, "digits", row->digits);
    put_number(line, "total", row->total);
    put_text(line, "lines", row->lines);
    put_text(line, "tariff", row->tariff);
    put_text(line, "file", row->file);
    put_number(line, "line", row->line);
    put_number(line, "generation", row->generation);
    put_number(line, "flags", row->set_flags);
}

static void line_of_command(struct strbuf *line, const struct record_command *row)
{
    strbuf_addf(line, "COMMAND id=%s cp=%s action=%s state=%s ", row->id, row->cp, row->action,
                row->state);
    put_text(line, "payload", row->payload);
    put_text(line, "by", row->asked_by);
    put_text(line, "batch", row->batch);
    put_number(line, "asked", row->asked_ms);
    put_number(line, "sent", row->sent_ms);
    put_number(line, "ended", row->ended_ms);
    put_text(line, "response", row->response);
    put_text(line, "code", row->error_code);
    put_text(line, "description", row->error_description);
    put_text(line, "details", row->error_details);
    put_text(line, "why", row->why);
}

static void line_of_profile(struct strbuf *line, const struct record_charging_profile *row)
{
    strbuf_addf(line, "PROFILE cp=%s purpose=%s ", row->cp, row->purpose);
    put_number(line, "connector", row->connector);
    put_number(line, "id", row->id);
    put_number(line, "level", row->stack_level);
    put_number(line, "tx", row->transaction_id);
    put_number(line, "accepted", row->accepted_ms);
    put_text(line, "profile", row->profile);
}

static void line_of_profile_clear(struct strbuf *line,
                                  const struct record_charging_profile_clear *row)
{
    strbuf_addf(line, "PROFILE_CLEAR cp=%s ", row->cp);
    put_number(line, "id", row->id);
    put_number(line, "connector", row->connector);
    put_number(line, "level", row->stack_level);
    put_number(line, "tx", row->transaction_id);
    put_text(line, "purpose", row->purpose);
    put_number(line, "waiting", row->waiting);
}

static void line_of_job(struct strbuf *line, const struct record_job *row)
{
    strbuf_addf(line, "UPLOAD command=%s cp=%s kind=%s action=%s ", row->command, row->cp,
                row->kind, row->action);
    put_text(line, "location", row->location);
    put_text(line, "file", row->file);
    put_number(line, "request", row->request_id);
    put_number(line, "accepted", row->accepted_ms);
}

static void line_of_reservation(struct strbuf *line, const struct record *row)
{
    const struct record_reservation *made = &row->reservation;
    const struct record_reservation_end *end = &row->reservation_end;
    if (row->kind == RECORD_RESERVATION) {
        strbuf_addf(line, "RESERVATION cp=%s idTag=%s ", made->cp, made->id_tag);
        put_number(line, "id", made->id);
        put_number(line, "connector", made->connector);
        put_text(line, "parent", made->parent_id_tag);
        put_number(line, "expiry", made->expiry_ms);
        put_number(line, "accepted", made->accepted_ms);
        return;
    }
    strbuf_addf(line, "RESERVATION_END cp=%s state=%s ", end->cp, end->state);
    put_number(line, "id", end->id);
    put_number(line, "connector", end->connector);
    put_number(line, "tx", end->transaction_id);
    put_number(line, "ended", end->ended_ms);
}

/* What we asked for, and what the charger accepted. */
static void line_of_asked(struct strbuf *line, const struct record *row)
{
    switch (row->kind) {
    case RECORD_COMMAND:
        line_of_command(line, &row->command);
        break;
    case RECORD_CONFIGURATION:
        strbuf_addf(line, "CONFIGURATION cp=%s key=%s ", row->configuration.cp,
                    row->configuration.key);
        put_text(line, "value",
                 span_is(span_of(row->configuration.value), "") ? "(empty)"
                                                                : row->configuration.value);
        put_number(line, "readonly", row->configuration.readonly);
        put_number(line, "unknown", row->configuration.unknown);
        put_number(line, "reboot", row->configuration.reboot);
        put_number(line, "told", row->configuration.told);
        put_number(line, "known", row->configuration.known_ms);
        break;
    case RECORD_RESERVATION:
    case RECORD_RESERVATION_END:
        line_of_reservation(line, row);
        break;
    case RECORD_CHARGING_PROFILE:
        line_of_profile(line, &row->charging_profile);
        break;
    case RECORD_CHARGING_PROFILE_CLEAR:
        line_of_profile_clear(line, &row->charging_profile_clear);
        break;
    case RECORD_LOCAL_LIST:
        strbuf_addf(line, "LOCAL_LIST cp=%s ", row->local_list.cp);
        put_number(line, "version", row->local_list.version);
        put_number(line, "full", row->local_list.full);
        put_text(line, "entries", row->local_list.entries);
        put_number(line, "known", row->local_list.known_ms);
        break;
    case RECORD_AVAILABILITY:
        strbuf_addf(line, "AVAILABILITY cp=%s ", row->availability.cp);
        put_number(line, "connector", row->availability.connector);
        put_text(line, "type", row->availability.type);
        put_text(line, "status", row->availability.status);
        put_number(line, "known", row->availability.known_ms);
        break;
    case RECORD_JOB:
        line_of_job(line, &row->job);
        break;
    default:
        fail_msg("a record of kind %d", (int)row->kind);
    }
}

static void line_of_other(struct strbuf *line, const struct record *row)
{
    switch (row->kind) {
    case RECORD_CHARGE_POINT_DELETE:
        strbuf_addf(line, "CHARGE_POINT_DELETE id=%s ", row->charge_point.id);
        break;
    case RECORD_TRANSACTION_VARS:
        put_number(line, "TX_VARS id", row->transaction_vars.id);
        put_text(line, "vars", row->transaction_vars.vars);
        put_number(line, "flags", row->transaction_vars.set_flags);
        break;
    case RECORD_MESSAGE:
        strbuf_addf(line, "MESSAGE %s %.*s note=%s ", row->message.outgoing ? "out" : "in",
                    (int)row->message.len, row->message.text, or_dash(row->message.note));
        break;
    case RECORD_SECURITY_EVENT:
        strbuf_addf(line, "SECURITY cp=%s type=%s info=%s ", row->security_event.cp,
                    row->security_event.type, or_dash(row->security_event.tech_info));
        put_number(line, "ts", row->security_event.ts_ms);
        break;
    case RECORD_JOB_STATUS:
        strbuf_addf(line, "JOB cp=%s kind=%s status=%s ", row->job_status.cp, row->job_status.kind,
                    row->job_status.status);
        put_number(line, "request", row->job_status.request_id);
        break;
    case RECORD_ID_TAG:
        strbuf_addf(line, "TAG idTag=%s status=%s parent=%s ", row->id_tag.id_tag,
                    row->id_tag.status, or_dash(row->id_tag.parent_id_tag));
        put_number(line, "expiry", row->id_tag.expiry_ms);
        break;
    case RECORD_ID_TAG_DELETE:
        strbuf_addf(line, "TAG_DELETE idTag=%s ", row->id_tag.id_tag);
        break;
    case RECORD_KV:
        strbuf_addf(line, "KV key=%s value=%s ", row->kv.key, row->kv.value);
        put_number(line, "expires", row->kv.expires_ms);
        break;
    case RECORD_KV_DELETE:
        strbuf_addf(line, "KV_DELETE key=%s ", row->kv.key);
        break;
    case RECORD_ORPHAN:
        strbuf_addf(line, "ORPHAN cp=%s action=%s payload=%s why=%s ", row->orphan.cp,
                    row->orphan.action, row->orphan.payload, row->orphan.why);
        break;
    case RECORD_EVENT:
        strbuf_addf(line, "EVENT cp=%s kind=%s detail=%s ", or_dash(row->event.cp), row->event.kind,
                    row->event.detail);
        break;
    default:
        line_of_asked(line, row);
        break;
    }
}

#endif

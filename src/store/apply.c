/* Records that are one statement each, and the table of all kinds. See apply.h. */
#include "store/apply.h"

#include "base/mem.h"

static void charge_point(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_charge_point *r = &record->charge_point;
    sql_done(a->sql, sql_bind(a->sql, SQL_PUT_CHARGE_POINT, "tttitttttttiiit", r->id,
                              r->registration, r->password_hash, r->security_profile, r->options,
                              r->version, r->vendor, r->model, r->serial, r->firmware, r->boot,
                              r->created_ms, r->last_boot_ms, r->last_seen_ms, r->vars));
}

static void charge_point_delete(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    sql_done(a->sql, sql_bind(a->sql, SQL_DELETE_CONNECTORS, "t", record->charge_point.id));
    sql_done(a->sql, sql_bind(a->sql, SQL_DELETE_CHARGE_POINT, "t", record->charge_point.id));
}

static void connector(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_connector *r = &record->connector;
    sql_done(a->sql,
             sql_bind(a->sql, SQL_PUT_CONNECTOR, "tiitttttioo", r->cp, r->evse, r->connector,
                      r->status, r->error_code, r->info, r->vendor_id, r->vendor_error_code,
                      r->status_ms, r->newest_start_ms, r->last_meter_stop_wh));
}

static void status(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_status *r = &record->status;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_STATUS, "tiitttttoii", r->cp, r->evse, r->connector,
                              r->status, r->error_code, r->info, r->vendor_id, r->vendor_error_code,
                              r->ts_ms, r->received_ms, (int64_t)r->repeat));
}

static void message(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_message *r = &record->message;
    sqlite3_stmt *statement = sql_bind(a->sql, SQL_ADD_MESSAGE, "tiiit", r->cp, r->connection,
                                       r->ts_ms, (int64_t)r->outgoing, r->note);
    if (statement)
        sqlite3_bind_text64(statement, 6, r->text, r->len, SQLITE_STATIC, SQLITE_UTF8);
    sql_done(a->sql, statement);
}

static void decision(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_decision *r = &record->decision;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_DECISION, "tittoootttiit", r->cp, r->ts_ms, r->event,
                              r->id_tag, r->evse, r->connector, r->transaction_id, r->verdict,
                              r->why, r->file, r->line, r->generation, r->inputs));
}

static void security_event(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_security_event *r = &record->security_event;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_SECURITY_EVENT, "tttoi", r->cp, r->type, r->tech_info,
                              r->ts_ms, r->received_ms));
}

static void job_status(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_job_status *r = &record->job_status;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_JOB_STATUS, "tttoi", r->cp, r->kind, r->status,
                              r->request_id, r->ts_ms));
}

static void id_tag(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_id_tag *r = &record->id_tag;
    sql_done(a->sql, sql_bind(a->sql, SQL_PUT_ID_TAG, "ttotto", r->id_tag, r->status, r->expiry_ms,
                              r->parent_id_tag, r->note, r->max_active));
}

static void id_tag_delete(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    sql_done(a->sql, sql_bind(a->sql, SQL_DELETE_ID_TAG, "t", record->id_tag.id_tag));
}

static void kv(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    sql_done(a->sql, sql_bind(a->sql, SQL_PUT_KV, "tto", record->kv.key, record->kv.value,
                              record->kv.expires_ms));
}

static void kv_delete(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    sql_done(a->sql, sql_bind(a->sql, SQL_DELETE_KV, "t", record->kv.key));
}

static void orphan(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_orphan *r = &record->orphan;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_ORPHAN, "tttti", r->cp, r->action, r->payload, r->why,
                              r->ts_ms));
}

static void event(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_event *r = &record->event;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_EVENT, "ttti", r->cp, r->kind, r->detail, r->ts_ms));
}

static void (*const by_kind[])(struct applier *, struct record *, struct arena *) = {
    [RECORD_CHARGE_POINT] = charge_point,
    [RECORD_CHARGE_POINT_DELETE] = charge_point_delete,
    [RECORD_CONNECTOR] = connector,
    [RECORD_START_FIND] = apply_start_find,
    [RECORD_START] = apply_start,
    [RECORD_STOP] = apply_stop,
    [RECORD_TRANSACTION_VARS] = apply_transaction_vars,
    [RECORD_METER_VALUE] = apply_meter_value,
    [RECORD_STATUS] = status,
    [RECORD_MESSAGE] = message,
    [RECORD_DECISION] = decision,
    [RECORD_SECURITY_EVENT] = security_event,
    [RECORD_JOB_STATUS] = job_status,
    [RECORD_ID_TAG] = id_tag,
    [RECORD_ID_TAG_DELETE] = id_tag_delete,
    [RECORD_KV] = kv,
    [RECORD_KV_DELETE] = kv_delete,
    [RECORD_ORPHAN] = orphan,
    [RECORD_EVENT] = event,
};

void apply_batch(struct applier *applier, struct batch *batch)
{
    for (struct record *record = batch->first; record && sql_ok(applier->sql);
         record = record->next)
        by_kind[record->kind](applier, record, &batch->arena);
}

void applier_forget_kinds(struct applier *applier)
{
    map_clear(&applier->kinds);
}

void applier_clear(struct applier *applier)
{
    map_clear(&applier->kinds);
    strbuf_clear(&applier->text);
    strbuf_clear(&applier->key);
}

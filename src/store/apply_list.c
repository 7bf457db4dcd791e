/* Records that are one more row of a list, each found again by its charge point (list.h). */
#include "store/apply.h"

static void added(struct applier *a, enum list_id list, wall_t at, const char *cp)
{
    list_added(&a->lists, a->sql, list, at);
    list_add_key(&a->lists, a->sql, list, cp);
}

void apply_status(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_status *r = &record->status;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_STATUS, "tiitttttoii", r->cp, r->evse, r->connector,
                              r->status, r->error_code, r->info, r->vendor_id, r->vendor_error_code,
                              r->ts_ms, r->received_ms, (int64_t)r->repeat));
    added(a, LIST_STATUS, r->received_ms, r->cp);
}

void apply_message(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_message *r = &record->message;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_MESSAGE, "tiiist", r->cp, r->connection, r->ts_ms,
                              (int64_t)r->outgoing, r->text ? r->text : "", r->len, r->note));
    added(a, LIST_MESSAGE, r->ts_ms, r->cp);
}

void apply_decision(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_decision *r = &record->decision;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_DECISION, "tittoootttoott", r->cp, r->ts_ms, r->event,
                              r->id_tag, r->evse, r->connector, r->transaction_id, r->verdict,
                              r->why, r->file, r->line, r->generation, r->inputs, r->answer));
    added(a, LIST_DECISION, r->ts_ms, r->cp);
    list_add_key(&a->lists, a->sql, LIST_DECISION, r->id_tag);
}

void apply_security_event(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_security_event *r = &record->security_event;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_SECURITY_EVENT, "tttoi", r->cp, r->type, r->tech_info,
                              r->ts_ms, r->received_ms));
    added(a, LIST_SECURITY_EVENT, r->received_ms, r->cp);
}

void apply_job_status(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_job_status *r = &record->job_status;
    int64_t job = apply_status_of_job(a, r);
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_JOB_STATUS, "tttoio", r->cp, r->kind, r->status,
                              r->request_id, r->ts_ms, job));
    added(a, LIST_JOB_STATUS, r->ts_ms, r->cp);
}

void apply_orphan(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_orphan *r = &record->orphan;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_ORPHAN, "tttti", r->cp, r->action, r->payload, r->why,
                              r->ts_ms));
    added(a, LIST_ORPHAN, r->ts_ms, r->cp);
}

void apply_event(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_event *r = &record->event;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_EVENT, "ttti", r->cp, r->kind, r->detail, r->ts_ms));
    added(a, LIST_EVENT, r->ts_ms, r->cp);
}

/* The table of all kinds of records, and those that are one statement on a keyed table. See
 * apply.h. */
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
    apply_control_forget(a, record->charge_point.id);
    sql_done(a->sql, sql_bind(a->sql, SQL_DELETE_CHARGE_POINT, "t", record->charge_point.id));
}

static void connector(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_connector *r = &record->connector;
    sql_done(a->sql,
             sql_bind(a->sql, SQL_PUT_CONNECTOR, "tiitttttooo", r->cp, r->evse, r->connector,
                      r->status, r->error_code, r->info, r->vendor_id, r->vendor_error_code,
                      r->status_ms, r->newest_start_ms, r->last_meter_stop_wh));
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
    const struct record_kv *r = &record->kv;
    sql_done(a->sql, sql_bind(a->sql, SQL_PUT_KV, "tto", r->key, r->value, r->expires_ms));
}

static void kv_delete(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    sql_done(a->sql, sql_bind(a->sql, SQL_DELETE_KV, "t", record->kv.key));
}

static void (*const by_kind[])(struct applier *, struct record *, struct arena *) = {
    [RECORD_CHARGE_POINT] = charge_point,
    [RECORD_CHARGE_POINT_DELETE] = charge_point_delete,
    [RECORD_CONNECTOR] = connector,
    [RECORD_START_FIND] = apply_start_find,
    [RECORD_START] = apply_start,
    [RECORD_STOP] = apply_stop,
    [RECORD_TRANSACTION_VARS] = apply_transaction_vars,
    [RECORD_PRICE] = apply_price,
    [RECORD_FINISHED] = apply_finished,
    [RECORD_METER_VALUE] = apply_meter_value,
    [RECORD_STATUS] = apply_status,
    [RECORD_MESSAGE] = apply_message,
    [RECORD_DECISION] = apply_decision,
    [RECORD_SECURITY_EVENT] = apply_security_event,
    [RECORD_JOB_STATUS] = apply_job_status,
    [RECORD_ID_TAG] = id_tag,
    [RECORD_ID_TAG_DELETE] = id_tag_delete,
    [RECORD_KV] = kv,
    [RECORD_KV_DELETE] = kv_delete,
    [RECORD_ORPHAN] = apply_orphan,
    [RECORD_EVENT] = apply_event,
    [RECORD_COMMAND] = apply_command,
    [RECORD_CONFIGURATION] = apply_configuration,
    [RECORD_RESERVATION] = apply_reservation,
    [RECORD_RESERVATION_END] = apply_reservation_end,
    [RECORD_CHARGING_PROFILE] = apply_profile,
    [RECORD_CHARGING_PROFILE_CLEAR] = apply_profile_clear,
    [RECORD_LOCAL_LIST] = apply_local_list,
    [RECORD_AVAILABILITY] = apply_availability,
    [RECORD_JOB] = apply_job,
};

void apply_batch(struct applier *a, struct batch *batch)
{
    for (struct record *record = batch->first; record && sql_ok(a->sql); record = record->next)
        if (!NEVER(record->kind >= ARRAY_LEN(by_kind)))
            by_kind[record->kind](a, record, &batch->arena);
}

void applier_forget(struct applier *a)
{
    list_index_forget(&a->lists);
    map_clear(&a->kinds);
    map_clear(&a->places);
    a->tx_profiles = TX_PROFILES_NOT_ASKED;
}

void applier_clear(struct applier *a)
{
    applier_forget(a);
    strbuf_clear(&a->vals);
    strbuf_clear(&a->key);
}

/* The station as a whole: made, freed, asked whether it is idle, and restored from the store. */
#include "station/station.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "station/finish.h"
#include "station/limit.h"
#include "station/meter_normalise.h"
#include "station/remind.h"

struct station *station_new(const struct station_settings *settings,
                            const struct station_ports *ports, struct timers *timers)
{
    struct station *st = xcalloc(1, sizeof(*st));
    st->settings = *settings;
    const char *by_default = settings->authorize_default;
    const char *if_failed = settings->authorize_failed;
    st->authorize_default = xstrdup(by_default ? by_default : "Invalid");
    st->authorize_failed = xstrdup(if_failed ? if_failed : "Invalid");
    st->settings.authorize_default = st->authorize_default;
    st->settings.authorize_failed = st->authorize_failed;
    st->ports = *ports;
    st->timers = timers;
    st->charge_points.ignore_case = true; /* T2 */
    st->tags.ignore_case = true;          /* A1 */
    kv_init(st);
    retry_init(st);
    pending_init(st);
    limits_init(st);
    return st;
}

/* Whoever still waits for a charger is told; nothing can be asked any more. */
static void cancel_commands(struct station *st)
{
    struct charge_point *cp;
    for (size_t at = 0; (cp = station_next(st, &at)) != NULL;)
        cp->connection = 0;
    for (size_t at = 0; (cp = station_next(st, &at)) != NULL;) {
        struct outbox lost = command_reset(cp->lane);
        command_fail(&lost, CALL_CANCELLED, "the server is stopping");
    }
}

void station_free(struct station *st)
{
    if (!st)
        return;
    assert(st->batches_out == 0);
    cancel_commands(st);
    struct charge_point *cp;
    size_t at = 0;
    while ((cp = station_next(st, &at)) != NULL)
        charge_point_free(cp);
    map_clear(&st->charge_points);
    transactions_clear(st);
    tags_clear(st);
    kv_clear(st);
    retry_clear(st);
    pending_clear(st);
    quirks_clear(st);
    limits_clear(st);
    failures_clear(st);
    station_dirty_clear(st);
    batch_free(st->rows);
    xfree(st->authorize_default);
    xfree(st->authorize_failed);
    xfree(st);
}

const struct station_settings *station_settings(const struct station *st)
{
    return &st->settings;
}

const struct station_counters *station_counters(const struct station *st)
{
    return &st->counters;
}

bool station_idle(const struct station *st)
{
    return st->items == 0 && st->batches_out == 0 && !st->rows && st->dirty_count == 0;
}

/* ---- restoring ---- */

static const struct version *version_by_name(const char *name)
{
    return text_is(name, version_16.name) ? &version_16 : NULL;
}

static void restore_charge_point(void *ctx, const struct record_charge_point *row)
{
    struct station *st = ctx;
    if (station_find(st, row->id))
        return;
    struct charge_point *cp = charge_point_new(st, row->id);
    enum registration registration = REGISTRATION_PENDING;
    registration_parse(row->registration, &registration);
    if (registration != REGISTRATION_PENDING || row->password_hash || row->options)
        charge_point_register(st, cp, registration);
    cp->password_hash = xstrdup_or_null(row->password_hash);
    cp->security_profile = row->security_profile;
    cp->options_json = xstrdup_or_null(row->options);
    cp->version = version_by_name(row->version);
    cp->vendor = xstrdup_or_null(row->vendor);
    cp->model = xstrdup_or_null(row->model);
    cp->serial = xstrdup_or_null(row->serial);
    cp->firmware = xstrdup_or_null(row->firmware);
    cp->boot_json = xstrdup_or_null(row->boot);
    options_apply(st, cp);
    cp->created_ms = row->created_ms;
    cp->last_boot_ms = row->last_boot_ms;
    cp->last_seen_ms = row->last_seen_ms;
    if (row->vars)
        vars_read(&cp->vars, row->vars);
}

static void copy_field(char *out, size_t size, const char *text)
{
    text_copy(out, size, span_of(text ? text : ""));
}

static void restore_connector(void *ctx, const struct record_connector *row)
{
    struct charge_point *cp = station_find(ctx, row->cp);
    struct connector *at = cp ? connector_ensure(cp, row->evse, row->connector) : NULL;
    if (!at)
        return;
    copy_field(at->status, sizeof(at->status), row->status);
    copy_field(at->error_code, sizeof(at->error_code), row->error_code);
    copy_field(at->info, sizeof(at->info), row->info);
    copy_field(at->vendor_id, sizeof(at->vendor_id), row->vendor_id);
    copy_field(at->vendor_error_code, sizeof(at->vendor_error_code), row->vendor_error_code);
    at->status_ms = at->received_ms = row->status_ms;
    at->newest_start_ms = row->newest_start_ms;
    at->last_meter_stop_wh = row->last_meter_stop_wh;
}

/* It waits for station_resume(). */
static void restore_stop(struct transaction *tx, const struct record_transaction *row)
{
    tx->stopped = tx->due = true;
    tx->stop_ms = row->stop_ms;
    tx->meter_stop_wh = row->meter_stop_wh;
    tx->energy_wh = row->energy_wh;
    tx->reason = xstrdup(row->reason ? row->reason : "Local");
    price_set(&tx->price, &row->price);
}

static void restore_transaction(void *ctx, const struct record_transaction *row)
{
    struct station *st = ctx;
    const struct record_start *start = &row->start;
    struct transaction *tx = transaction_new(start->cp);
    tx->id = row->id;
    tx->station_id = xstrdup_or_null(start->station_id);
    tx->evse = start->evse;
    tx->connector = start->connector;
    tx->id_tag = xstrdup_or_null(start->id_tag);
    tx->parent_id_tag = xstrdup_or_null(start->parent_id_tag);
    tx->verdict = xstrdup_or_null(start->verdict);
    tx->start_ms = start->flags & TX_SUSPECT_CLOCK ? start->received_ms : start->start_ms;
    tx->received_ms = start->received_ms;
    tx->meter_start_wh = start->meter_start_wh;
    tx->reservation_id = start->reservation_id;
    tx->flags = start->flags;
    tx->generation = start->generation;
    tx->sample.energy_wh = row->last_energy_wh;
    tx->sample.power_w = row->last_power_w;
    tx->sample.soc = row->last_soc;
    tx->sample.at = row->last_sample_ms == ABSENT ? 0 : row->last_sample_ms;
    if (row->vars)
        vars_read(&tx->vars, row->vars);
    if (row->due)
        restore_stop(tx, row);
    transaction_add(st, tx);
    struct charge_point *cp = station_find(st, tx->cp);
    struct connector *at = cp ? connector_ensure(cp, tx->evse, tx->connector) : NULL;
    if (at && !tx->stopped && !(tx->flags & TX_STALE) && tx->id > at->transaction_id)
        at->transaction_id = tx->id;
}

static void restore_meter_value(void *ctx, const struct record_meter_value *row)
{
    struct transaction *tx = station_transaction(ctx, row->transaction_id);
    struct meter_reading reading;
    meter_choose(row->samples, row->sample_count, &reading);
    reading.energy_wh = row->energy_wh; /* as they were judged */
    reading.power_w = row->power_w;
    reading.soc = row->soc;
    if (tx)
        track_add(tx, row->ts_ms, &reading);
}

static void restore_id_tag(void *ctx, const struct record_id_tag *row)
{
    tag_restore(ctx, row);
}

static void restore_kv(void *ctx, const struct record_kv *row)
{
    kv_restore(ctx, row);
    pending_restore(ctx, row);
    limit_restore(ctx, row);
    remind_restore(ctx, row);
}

struct restore_sink station_restore_sink(struct station *st)
{
    return (struct restore_sink){.ctx = st,
                                 .charge_point = restore_charge_point,
                                 .connector = restore_connector,
                                 .transaction = restore_transaction,
                                 .meter_value = restore_meter_value,
                                 .id_tag = restore_id_tag,
                                 .kv = restore_kv};
}

/* Rows and batches on their way to the store: see core.h for why there are two kinds.
 *
 * Every string in a row is copied into its batch. A batch of a turn that fails has promised
 * nothing: it is counted and logged, and what it held is lost, but for what is kept by retry.c. */
#include "base/log.h"
#include "base/mem.h"
#include "station/core.h"

static bool is_upsert(enum record_kind kind)
{
    switch (kind) {
    case RECORD_CHARGE_POINT:
    case RECORD_CONNECTOR:
    case RECORD_TRANSACTION_VARS:
    case RECORD_PRICE:
    case RECORD_FINISHED:
    case RECORD_KV:
    case RECORD_KV_DELETE:
        return true;
    default:
        return false;
    }
}

struct record *station_row(struct station *st, enum record_kind kind, struct arena **arena)
{
    if (!st->rows)
        st->rows = batch_new();
    if (is_upsert(kind))
        st->rows_hold_upserts = true;
    *arena = &st->rows->arena;
    return batch_add(st->rows, kind);
}

static void submit_now(struct station *st, struct batch *batch)
{
    st->batches_out++;
    st->batches_submitted++;
    st->ports.submit(st->ports.ctx, batch);
}

static void on_rows_back(void *ctx, struct batch *batch)
{
    station_batch_back(ctx, batch);
    retry_rows(ctx, batch);
}

void station_submit_rows(struct station *st, struct batch *batch)
{
    batch->done = on_rows_back;
    batch->ctx = st;
    submit_now(st, batch);
}

static void submit_rows(struct station *st)
{
    struct batch *batch = st->rows;
    if (!batch)
        return;
    st->rows = NULL;
    st->rows_hold_upserts = false;
    batch->serial = ++st->rows_serial;
    station_submit_rows(st, batch);
}

void station_batch_back(struct station *st, const struct batch *batch)
{
    st->batches_out--;
    if (batch->failed) {
        st->counters.failed_batches++;
        LOG(LOG_ERROR, "rows could not be stored", L_INT("failures", st->counters.failed_batches));
    }
    if (st->on_stored)
        st->on_stored(st->on_stored_ctx);
}

/* Batches come back in the order in which they went. */
uint64_t station_written(const struct station *st)
{
    return st->batches_submitted + (st->rows != NULL);
}

uint64_t station_stored(const struct station *st)
{
    return st->batches_submitted - st->batches_out;
}

void station_on_stored(struct station *st, void (*fn)(void *ctx), void *ctx)
{
    st->on_stored = fn;
    st->on_stored_ctx = ctx;
}

/* ---- vars ---- */

char *vars_text(struct arena *arena, const struct vars *vars)
{
    if (vars->values.room == 0) /* never had any; emptied ones are written as {} */
        return NULL;
    struct strbuf text = {0};
    vars_write(vars, &text);
    char *copy = arena_strndup(arena, text.at, text.len);
    strbuf_clear(&text);
    return copy;
}

static struct dirty *dirty_new(struct station *st)
{
    st->dirty = xgrow(st->dirty, st->dirty_count, &st->dirty_room, sizeof(*st->dirty));
    struct dirty *dirty = &st->dirty[st->dirty_count++];
    *dirty = (struct dirty){0};
    return dirty;
}

void charge_point_vars_changed(struct station *st, const char *id)
{
    const struct dirty *last = st->dirty_count ? &st->dirty[st->dirty_count - 1] : NULL;
    if (!last || !last->cp || !text_is_ci(last->cp, id))
        dirty_new(st)->cp = xstrdup(id);
}

void transaction_vars_changed(struct station *st, int64_t id)
{
    if (st->dirty_count == 0 || st->dirty[st->dirty_count - 1].transaction != id)
        dirty_new(st)->transaction = id;
}

static void write_dirty(struct station *st)
{
    for (size_t i = 0; i < st->dirty_count; i++) {
        struct dirty *dirty = &st->dirty[i];
        struct charge_point *cp = dirty->cp ? station_find(st, dirty->cp) : NULL;
        struct transaction *tx = dirty->cp ? NULL : station_transaction(st, dirty->transaction);
        if (cp && cp->vars.dirty) {
            cp->vars.dirty = false;
            station_row_charge_point(st, cp);
        }
        if (tx && tx->vars.dirty)
            transaction_vars_row(st, tx);
        xfree(dirty->cp);
    }
    st->dirty_count = 0;
}

void station_dirty_clear(struct station *st)
{
    for (size_t i = 0; i < st->dirty_count; i++)
        xfree(st->dirty[i].cp);
    XFREE(st->dirty);
}

void station_flush(struct station *st)
{
    write_dirty(st);
    submit_rows(st);
}

/* The vars too: what one handler wrote stays in one batch. */
void station_submit(struct station *st, struct batch *batch)
{
    if (st->rows_hold_upserts)
        station_flush(st);
    submit_now(st, batch);
}

/* ---- rows of one kind ---- */

static void fill_charge_point(struct record_charge_point *row, struct arena *arena,
                              const struct charge_point *cp)
{
    *row = (struct record_charge_point){
        .id = arena_strdup(arena, cp->id),
        .registration = registration_text(cp->registration),
        .password_hash = arena_strdup(arena, cp->password_hash),
        .security_profile = cp->security_profile,
        .options = arena_strdup(arena, cp->options_json),
        .version = cp->version ? cp->version->name : NULL,
        .vendor = arena_strdup(arena, cp->vendor),
        .model = arena_strdup(arena, cp->model),
        .serial = arena_strdup(arena, cp->serial),
        .firmware = arena_strdup(arena, cp->firmware),
        .boot = arena_strdup(arena, cp->boot_json),
        .created_ms = cp->created_ms,
        .last_boot_ms = cp->last_boot_ms,
        .last_seen_ms = cp->last_seen_ms,
        .vars = vars_text(arena, &cp->vars),
    };
}

static void fill_connector(struct record_connector *row, struct arena *arena,
                           const struct charge_point *cp, const struct connector *at)
{
    *row = (struct record_connector){
        .cp = arena_strdup(arena, cp->id),
        .evse = at->evse,
        .connector = at->connector,
        .status = arena_strdup(arena, at->status),
        .error_code = arena_strdup(arena, at->error_code),
        .info = arena_strdup(arena, at->info),
        .vendor_id = arena_strdup(arena, at->vendor_id),
        .vendor_error_code = arena_strdup(arena, at->vendor_error_code),
        .status_ms = at->status_ms,
        .newest_start_ms = at->newest_start_ms,
        .last_meter_stop_wh = at->last_meter_stop_wh,
    };
}

void row_charge_point(struct batch *batch, const struct charge_point *cp)
{
    fill_charge_point(&batch_add(batch, RECORD_CHARGE_POINT)->charge_point, &batch->arena, cp);
}

void row_connector(struct batch *batch, const struct charge_point *cp, const struct connector *at)
{
    fill_connector(&batch_add(batch, RECORD_CONNECTOR)->connector, &batch->arena, cp, at);
}

void row_event(struct batch *batch, const char *cp, const char *kind, const char *detail_json)
{
    struct record_event *row = &batch_add(batch, RECORD_EVENT)->event;
    *row = (struct record_event){arena_strdup(&batch->arena, cp), kind,
                                 arena_strdup(&batch->arena, detail_json), wall_now()};
}

void station_row_charge_point(struct station *st, const struct charge_point *cp)
{
    struct arena *arena;
    struct record *row = station_row(st, RECORD_CHARGE_POINT, &arena);
    fill_charge_point(&row->charge_point, arena, cp);
}

void station_row_connector(struct station *st, const struct charge_point *cp,
                           const struct connector *at)
{
    struct arena *arena;
    struct record *row = station_row(st, RECORD_CONNECTOR, &arena);
    fill_connector(&row->connector, arena, cp, at);
}

void station_row_event(struct station *st, const char *cp, const char *kind,
                       const char *detail_json)
{
    struct arena *arena;
    struct record_event *row = &station_row(st, RECORD_EVENT, &arena)->event;
    *row = (struct record_event){arena_strdup(arena, cp), kind, arena_strdup(arena, detail_json),
                                 wall_now()};
}

void transaction_vars_row(struct station *st, struct transaction *tx)
{
    struct arena *arena;
    struct record *row = station_row(st, RECORD_TRANSACTION_VARS, &arena);
    row->transaction_vars =
        (struct record_transaction_vars){.id = tx->id, .vars = vars_text(arena, &tx->vars)};
    tx->vars.dirty = false;
}

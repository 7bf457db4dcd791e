/* Starts and stops of transactions: repeats, estimates (X3, X7, X9, X11, X15). Which transaction a
 * start makes stale, only the station knows. */
#include "store/apply.h"

/* B11: a clock that is not set says nothing about order. */
static int64_t order_of(const struct record_start *r)
{
    return r->start_ms == ABSENT || (r->flags & TX_SUSPECT_CLOCK) ? r->received_ms : r->start_ms;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* X3: fills the out fields from the first one, if there is one. */
static void find_first(struct applier *a, struct record_start *r, struct arena *arena)
{
    sqlite3_stmt *row = sql_bind(a->sql, SQL_FIND_START, "tiitii", r->cp, r->evse, r->connector,
                                 or_empty(r->id_tag), r->start_ms, r->meter_start_wh);
    r->out_repeat = sql_row(a->sql, row);
    if (!r->out_repeat)
        return;
    r->out_id = sql_int(row, 0);
    r->out_verdict = arena_strdup(arena, sql_text(row, 1));
    r->out_parent_id_tag = arena_strdup(arena, sql_text(row, 2));
    r->out_expiry = arena_strdup(arena, sql_text(row, 3));
    sql_done(a->sql, row);
}

void apply_start_find(struct applier *a, struct record *record, struct arena *arena)
{
    find_first(a, &record->start, arena);
}

void apply_start(struct applier *a, struct record *record, struct arena *arena)
{
    struct record_start *r = &record->start;
    sqlite3_stmt *row = sql_bind(
        a->sql, SQL_ADD_START, "tiitiiittotiotottii", r->cp, r->evse, r->connector,
        or_empty(r->id_tag), r->start_ms, r->meter_start_wh, order_of(r), r->station_id,
        r->parent_id_tag, r->start_ms, r->start_text, r->received_ms, r->meter_start_wh,
        r->meter_start_text, r->reservation_id, r->verdict, r->expiry, r->flags, r->generation);
    if (!sql_row(a->sql, row)) {
        find_first(a, r, arena);
        return;
    }
    r->out_repeat = false;
    r->out_id = sql_int(row, 0);
    r->out_verdict = r->verdict;
    r->out_parent_id_tag = r->parent_id_tag;
    r->out_expiry = r->expiry;
    sql_done(a->sql, row);
    apply_profiles_begin(a, r);
}

/* Where the statement found something to stop. */
static bool stopped_now(struct applier *a, sqlite3_stmt *row, struct record_stop *r)
{
    if (!sql_row(a->sql, row))
        return false;
    r->out_evse = sql_int(row, 0);
    r->out_connector = sql_int(row, 1);
    r->out_priced = sqlite3_column_count(row) > 2 && sql_int(row, 2) == 1;
    sql_done(a->sql, row);
    return true;
}

static bool stop_open(struct applier *a, struct record_stop *r)
{
    return stopped_now(a,
                       sql_bind(a->sql, SQL_STOP_OPEN, "totiottoititi", r->id_tag, r->stop_ms,
                                r->stop_text, r->received_ms, r->meter_stop_wh, r->meter_stop_text,
                                r->reason, r->energy_wh, r->set_flags, r->vars, r->id, r->cp,
                                (int64_t)r->due),
                       r);
}

static bool stop_estimated(struct applier *a, struct record_stop *r)
{
    return stopped_now(a,
                       sql_bind(a->sql, SQL_STOP_ESTIMATED, "totiottiiiiti", r->id_tag, r->stop_ms,
                                r->stop_text, r->received_ms, r->meter_stop_wh, r->meter_stop_text,
                                r->reason, (int64_t)TX_ESTIMATED, r->set_flags,
                                (int64_t)TX_SUSPECT_METER, r->id, r->cp,
                                (int64_t)TX_PRICE_ESTIMATED),
                       r);
}

/* X9: it was stopped already; does this one tell the same? */
static enum stop_outcome stop_repeated(struct applier *a, struct record_stop *r)
{
    sqlite3_stmt *row = sql_bind(a->sql, SQL_GET_STOPPED, "it", r->id, r->cp);
    if (!sql_row(a->sql, row))
        return STOP_UNKNOWN;
    r->out_evse = sql_int(row, 0);
    r->out_connector = sql_int(row, 1);
    r->out_differs = sql_int(row, 2) != r->stop_ms || sql_int(row, 3) != r->meter_stop_wh ||
                     !text_is(sql_text(row, 4), r->reason);
    sql_done(a->sql, row);
    return STOP_REPEAT;
}

void apply_stop(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    struct record_stop *r = &record->stop;
    r->out_differs = r->out_priced = false;
    if (stop_open(a, r))
        r->out_outcome = STOP_DONE;
    else if (stop_estimated(a, r))
        r->out_outcome = STOP_REPLACED_ESTIMATE;
    else
        r->out_outcome = stop_repeated(a, r);
    if (r->out_outcome == STOP_DONE)
        apply_profiles_end(a, r);
}

void apply_transaction_vars(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_transaction_vars *r = &record->transaction_vars;
    sql_done(a->sql,
             sql_bind(a->sql, SQL_PUT_TRANSACTION_VARS, "tii", r->vars, r->set_flags, r->id));
}

void apply_price(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_price *r = &record->price;
    bool none = r->currency == NULL;
    sql_done(a->sql,
             sql_bind(a->sql, SQL_PUT_PRICE, "toottotoii", r->currency, none ? ABSENT : r->digits,
                      none ? ABSENT : r->total, r->lines, r->tariff, none ? ABSENT : r->generation,
                      r->file, none ? ABSENT : r->line, r->set_flags, r->id));
}

void apply_finished(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    sql_done(a->sql, sql_bind(a->sql, SQL_PUT_FINISHED, "i", record->finished.id));
}

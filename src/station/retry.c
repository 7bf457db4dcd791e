/* Rows of a turn that the store did not take, and that must not be lost: prices, what is finished,
 * what scripts keep. They are written again, whole and first of all, until the store takes them.
 *
 * Were they forgotten, memory would go on with a wallet that was paid from while the file says that
 * the transaction is still due; the next start would take the money twice. Rows are snapshots
 * (core.h): what is newer in memory by now replaces what they hold. One batch at a time, oldest
 * first, once a second. Batches with nothing of that kind promise nothing and are given up. */
#include "base/log.h"
#include "base/mem.h"
#include "station/core.h"

enum { RETRY_MS = 1000, KEPT_MAX = 1000 };

static bool matters(const struct batch *batch)
{
    for (const struct record *record = batch->first; record; record = record->next) {
        switch (record->kind) {
        case RECORD_PRICE:
        case RECORD_FINISHED:
        case RECORD_TRANSACTION_VARS:
        case RECORD_KV:
        case RECORD_KV_DELETE:
            return true;
        default:
            break;
        }
    }
    return false;
}

/* The charge point or connector as it is now goes out with the rows of this turn instead. */
static void write_present(struct station *st, const struct record *record)
{
    bool is_connector = record->kind == RECORD_CONNECTOR;
    struct charge_point *cp =
        station_find(st, is_connector ? record->connector.cp : record->charge_point.id);
    struct connector *at = cp && is_connector ? station_connector(cp, record->connector.evse,
                                                                  record->connector.connector)
                                              : NULL;
    if (at)
        station_row_connector(st, cp, at);
    else if (cp && !is_connector)
        station_row_charge_point(st, cp);
}

/* False: the record is not to be written again. */
static bool refresh(struct station *st, struct batch *batch, struct record *record)
{
    const struct transaction *tx;
    switch (record->kind) {
    case RECORD_KV:
    case RECORD_KV_DELETE:
        kv_refresh(st, record, &batch->arena);
        return true;
    case RECORD_TRANSACTION_VARS:
        tx = station_transaction(st, record->transaction_vars.id);
        if (tx && record->transaction_vars.vars)
            record->transaction_vars.vars = vars_text(&batch->arena, &tx->vars);
        return true;
    case RECORD_CHARGE_POINT:
    case RECORD_CONNECTOR:
        write_present(st, record);
        return false;
    default:
        return true;
    }
}

static void refresh_all(struct station *st, struct batch *batch)
{
    struct record **at = &batch->first;
    batch->last = NULL;
    while (*at) {
        if (refresh(st, batch, *at)) {
            batch->last = *at;
            at = &(*at)->next;
        } else {
            *at = (*at)->next;
        }
    }
}

static void on_timer(struct timer *timer)
{
    struct station *st = CONTAINER_OF(timer, struct station, retry_timer);
    struct batch *batch = st->kept;
    if (!batch)
        return;
    st->kept = batch->next;
    st->kept_count--;
    batch->next = NULL;
    batch->failed = false;
    refresh_all(st, batch);
    station_submit_rows(st, batch);
}

void retry_init(struct station *st)
{
    st->retry_timer.fn = on_timer;
}

void retry_clear(struct station *st)
{
    timer_stop(st->timers, &st->retry_timer);
    while (st->kept) {
        struct batch *batch = st->kept;
        st->kept = batch->next;
        batch_free(batch);
    }
}

/* The oldest comes back first, before anything that failed after it. */
void retry_rows(struct station *st, struct batch *batch)
{
    if (!batch->failed) {
        batch_free(batch);
        if (st->kept && !timer_running(&st->retry_timer)) /* it works again */
            timer_start(st->timers, &st->retry_timer, 0);
        return;
    }
    if (!matters(batch) || st->kept_count >= KEPT_MAX) {
        batch_free(batch);
        return;
    }
    struct batch **at = &st->kept;
    while (*at && (*at)->serial < batch->serial)
        at = &(*at)->next;
    batch->next = *at;
    *at = batch;
    st->kept_count++;
    if (!timer_running(&st->retry_timer))
        timer_start(st->timers, &st->retry_timer, RETRY_MS);
}

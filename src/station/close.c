/* Closing a transaction by estimate: an operator's or a policy's act for a charger that died (X15).
 *
 * It is an item of the charger's lane, so it never runs while a CALL is being handled; a real
 * StopTransaction that came first simply wins. */
#include "base/mem.h"
#include "station/finish.h"
#include "station/limit.h"

struct closing {
    struct lane_item item;
    struct station *st;
    struct lane *lane; /* NULL: its charge point was deleted */
    int64_t id;
    wall_t stop_ms;
    change_done done;
    void *ctx;
};

static void closing_end(struct closing *closing, bool ok, const char *why)
{
    struct closing kept = *closing;
    xfree(closing);
    if (kept.lane)
        lane_done(kept.lane, ITEM_OPERATOR); /* who is told finds it priced */
    if (kept.done)
        kept.done(kept.ctx, ok, why);
}

static int64_t last_register(const struct transaction *tx)
{
    int64_t energy_wh = transaction_energy_wh(tx);
    if (energy_wh == ABSENT || tx->meter_start_wh == ABSENT)
        return tx->sample.energy_wh;
    return tx->meter_start_wh + energy_wh;
}

static void mark_stopped(struct closing *closing, struct transaction *tx, bool due)
{
    tx->energy_wh = transaction_energy_wh(tx);
    tx->meter_stop_wh = last_register(tx);
    tx->stopped = true;
    tx->due = due;
    tx->stop_ms = closing->stop_ms;
    tx->flags |= TX_ESTIMATED;
    xfree(tx->reason);
    tx->reason = xstrdup("Other");
    struct connector *at =
        closing->lane ? station_connector(closing->lane->cp, tx->evse, tx->connector) : NULL;
    if (at && at->transaction_id == tx->id)
        at->transaction_id = 0;
    limit_transaction_ended(closing->st, tx);
    finish_transaction(closing->st, closing->lane, tx);
}

static void on_stored(void *ctx, struct batch *batch)
{
    struct closing *closing = ctx;
    bool ok = !batch->failed, due = batch->first->stop.due;
    station_batch_back(closing->st, batch);
    batch_free(batch);
    struct transaction *tx = station_transaction(closing->st, closing->id);
    if (ok && tx && !tx->stopped)
        mark_stopped(closing, tx, due);
    closing_end(closing, ok, ok ? NULL : "the transaction could not be stored");
}

static void run(struct closing *closing)
{
    struct transaction *tx = station_transaction(closing->st, closing->id);
    if (!tx || tx->stopped) {
        closing_end(closing, false, "the transaction was stopped meanwhile");
        return;
    }
    struct batch *batch = batch_new();
    struct arena *arena = &batch->arena;
    struct record *row = batch_add(batch, RECORD_STOP);
    row->stop = (struct record_stop){.cp = arena_strdup(arena, tx->cp),
                                     .id = tx->id,
                                     .stop_ms = closing->stop_ms,
                                     .received_ms = closing->stop_ms,
                                     .meter_stop_wh = last_register(tx),
                                     .reason = "Other",
                                     .energy_wh = transaction_energy_wh(tx),
                                     .set_flags = TX_ESTIMATED,
                                     .due = finish_wanted(closing->st),
                                     .vars = vars_text(arena, &tx->vars)};
    batch->done = on_stored;
    batch->ctx = closing;
    station_submit(closing->st, batch);
}

static void closing_start(struct lane *lane, struct lane_item *item)
{
    (void)lane;
    run(CONTAINER_OF(item, struct closing, item));
}

static void closing_drop(struct lane_item *item)
{
    struct closing *closing = CONTAINER_OF(item, struct closing, item);
    closing->lane = NULL; /* not active: there is nothing to end */
    closing_end(closing, false, "the charge point was deleted");
}

bool station_transaction_close(struct station *st, int64_t id, struct reason *why, change_done done,
                               void *ctx)
{
    struct transaction *tx = station_transaction(st, id);
    if (!tx || tx->stopped)
        return reason_set(why, "no such open transaction");
    struct charge_point *cp = station_find(st, tx->cp);
    struct closing *closing = xcalloc(1, sizeof(*closing));
    *closing = (struct closing){
        .item = {.start = closing_start, .drop = closing_drop, .kind = ITEM_OPERATOR},
        .st = st,
        .lane = cp ? cp->lane : NULL,
        .id = id,
        .stop_ms = wall_now(),
        .done = done,
        .ctx = ctx};
    if (cp)
        lane_push(cp->lane, &closing->item);
    else
        run(closing);
    return true;
}

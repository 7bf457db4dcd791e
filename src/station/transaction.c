/* Open transactions in memory, in one array by rising id.
 *
 * Ids come from the store and rise, so adding is appending nearly always. Lookups by a charger go
 * through transaction_of(): an id of another charge point is no id at all (X7, Q8). */
#include <string.h>

#include "base/mem.h"
#include "station/finish.h"
#include "station/remind.h"

struct transaction *transaction_new(const char *cp)
{
    struct transaction *tx = xcalloc(1, sizeof(*tx));
    tx->cp = xstrdup(cp);
    tx->meter_start_wh = tx->reservation_id = ABSENT;
    tx->meter_stop_wh = tx->energy_wh = ABSENT;
    tx->sample = (struct sample_state){.energy_wh = ABSENT,
                                       .power_w = ABSENT,
                                       .soc = ABSENT,
                                       .temperature_dc = ABSENT,
                                       .voltage_dv = ABSENT,
                                       .current_da = ABSENT};
    return tx;
}

static void transaction_free(struct transaction *tx)
{
    xfree(tx->station_id);
    xfree(tx->cp);
    xfree(tx->id_tag);
    xfree(tx->parent_id_tag);
    xfree(tx->verdict);
    xfree(tx->reason);
    track_clear(&tx->track);
    price_clear(&tx->price);
    remind_free(tx);
    vars_clear(&tx->vars);
    xfree(tx);
}

/* The place of the first id that is not below `id`. */
static size_t place_of(const struct station *st, int64_t id)
{
    size_t low = 0;
    size_t high = st->transaction_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (st->transactions[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct transaction *station_transaction(struct station *st, int64_t id)
{
    size_t place = place_of(st, id);
    bool found = place < st->transaction_count && st->transactions[place]->id == id;
    return found ? st->transactions[place] : NULL;
}

void transaction_add(struct station *st, struct transaction *tx)
{
    if (NEVER(station_transaction(st, tx->id) != NULL)) {
        transaction_free(tx);
        return;
    }
    st->transactions = xgrow(st->transactions, st->transaction_count, &st->transaction_room,
                             sizeof(struct transaction *));
    size_t place = place_of(st, tx->id);
    struct transaction **at = &st->transactions[place];
    memmove(at + 1, at, (st->transaction_count - place) * sizeof(struct transaction *));
    *at = tx;
    st->transaction_count++;
}

void transaction_drop(struct station *st, int64_t id)
{
    struct transaction *tx = station_transaction(st, id);
    if (!tx)
        return;
    remind_end(st, tx);
    if (tx->vars.dirty)
        transaction_vars_row(st, tx);
    struct transaction **at = &st->transactions[place_of(st, id)];
    st->transaction_count--;
    memmove(at, at + 1,
            (size_t)(st->transactions + st->transaction_count - at) * sizeof(struct transaction *));
    transaction_free(tx);
}

void transactions_clear(struct station *st)
{
    for (size_t i = 0; i < st->transaction_count; i++)
        transaction_free(st->transactions[i]);
    XFREE(st->transactions);
    st->transaction_count = st->transaction_room = 0;
}

struct transaction *station_transaction_next(struct station *st, size_t *at)
{
    while (*at < st->transaction_count) {
        struct transaction *tx = st->transactions[(*at)++];
        if (!tx->stopped)
            return tx;
    }
    return NULL;
}

bool transaction_is_of(const struct transaction *tx, const struct charge_point *cp)
{
    return text_is_ci(tx->cp, cp->id);
}

struct transaction *transaction_of(struct station *st, const struct charge_point *cp, int64_t id)
{
    struct transaction *tx = station_transaction(st, id);
    return tx && !tx->stopped && transaction_is_of(tx, cp) ? tx : NULL;
}

int64_t transaction_energy_wh(const struct transaction *tx)
{
    if (tx->energy_wh != ABSENT)
        return tx->energy_wh;
    if (tx->sample.energy_wh == ABSENT || (tx->flags & TX_SESSION_REGISTER))
        return tx->sample.energy_wh; /* V6 */
    if (tx->meter_start_wh == ABSENT)
        return ABSENT;
    int64_t energy_wh = tx->sample.energy_wh - tx->meter_start_wh;
    return energy_wh > 0 ? energy_wh : 0; /* the first sample may be rounded down */
}

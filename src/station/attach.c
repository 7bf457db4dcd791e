/* See attach.h. Transactions are scanned: such messages are rare, and open transactions few. */
#include "station/attach.h"

bool transaction_id_is_ours(int64_t id)
{
    return id >= 1 && id <= INT32_MAX;
}

struct transaction *attach_by_connector(struct station *st, const struct charge_point *cp,
                                        int64_t evse, int64_t connector)
{
    struct transaction *found = NULL;
    struct transaction *tx;
    size_t at = 0;
    while ((tx = station_transaction_next(st, &at)) != NULL) {
        if (tx->evse != evse || tx->connector != connector || !transaction_is_of(tx, cp))
            continue;
        if (found)
            return NULL;
        found = tx;
    }
    return found;
}

static bool fits_stop(const struct transaction *tx, const char *id_tag, int64_t meter_stop_wh)
{
    if (id_tag && !text_is_ci(tx->id_tag, id_tag))
        return false;
    return meter_stop_wh == ABSENT || tx->meter_start_wh == ABSENT ||
           meter_stop_wh >= tx->meter_start_wh;
}

struct transaction *attach_by_stop(struct station *st, const struct charge_point *cp,
                                   const char *id_tag, int64_t meter_stop_wh)
{
    struct transaction *found = NULL;
    struct transaction *tx;
    size_t at = 0;
    while ((tx = station_transaction_next(st, &at)) != NULL) {
        if (!transaction_is_of(tx, cp) || !fits_stop(tx, id_tag, meter_stop_wh))
            continue;
        if (found)
            return NULL;
        found = tx;
    }
    return found;
}

void attach_event(struct call *call, struct batch *batch, int64_t id)
{
    row_event(batch, call->cp->id, "transaction_attached",
              arena_printf(&call->arena, "{\"transactionId\":%lld,\"action\":\"%s\"}",
                           (long long)id, call->action->name));
}

/* See replay_store.h. */
#include "policy/replay_store.h"

#include <stdio.h>

#include "base/mem.h"

/* X3: the same charge point, connector, tag, time and meter. */
static char *key_of(const struct record_start *row)
{
    return xprintf("%s\n%lld\n%lld\n%s\n%lld\n%lld", row->cp, (long long)row->evse,
                   (long long)row->connector, row->id_tag ? row->id_tag : "",
                   (long long)row->start_ms, (long long)row->meter_start_wh);
}

struct replayed *replayed_at(const struct replay_store *store, int64_t id)
{
    return id > 0 ? idmap_get(&store->transactions, (uint64_t)id) : NULL;
}

bool replayed_find(const struct replay_store *store, struct arena *arena, struct record_start *row)
{
    char *key = key_of(row);
    const struct replayed *tx = map_gets(&store->by_key, key);
    xfree(key);
    if (!tx)
        return false;
    row->out_repeat = true;
    row->out_id = tx->id;
    row->out_verdict = arena_strdup(arena, tx->verdict);
    row->out_parent_id_tag = arena_strdup(arena, tx->parent);
    row->out_expiry = arena_strdup(arena, tx->expiry);
    return true;
}

void replayed_keep(struct replay_store *store, const struct record_start *row)
{
    struct replayed *tx = xmalloc(sizeof(*tx));
    char *key = key_of(row);
    *tx = (struct replayed){.id = row->out_id,
                            .evse = row->evse,
                            .connector = row->connector,
                            .meter_start_wh = row->meter_start_wh,
                            .cp = xstrdup(row->cp),
                            .verdict = xstrdup_or_null(row->verdict),
                            .parent = xstrdup_or_null(row->parent_id_tag),
                            .expiry = xstrdup_or_null(row->expiry)};
    store->by_key.ignore_case = true;
    idmap_put(&store->transactions, (uint64_t)tx->id, tx);
    map_put(&store->by_key, span_of(key), tx);
    xfree(key);
}

void replayed_stop(struct replay_store *store, struct record_stop *row)
{
    struct replayed *tx = replayed_at(store, row->id);
    if (!tx || !text_is_ci(tx->cp, row->cp)) {
        row->out_outcome = STOP_UNKNOWN;
        return;
    }
    row->out_outcome = tx->ended ? STOP_REPEAT : STOP_DONE;
    row->out_evse = tx->evse;
    row->out_connector = tx->connector;
    tx->ended = true;
}

void replayed_clear(struct replay_store *store)
{
    struct replayed *tx;
    size_t at = 0;
    while ((tx = idmap_next(&store->transactions, &at)) != NULL) {
        xfree(tx->cp);
        xfree(tx->verdict);
        xfree(tx->parent);
        xfree(tx->expiry);
        xfree(tx);
    }
    idmap_clear(&store->transactions);
    map_clear(&store->by_key);
}

/* What the store would know in a replay: transactions, and which StartTransaction is a repeat (X3).
 *
 * Nothing is ever written to a file; it lives as long as its world. Private to policy/replay*.c. */
#ifndef POLICY_REPLAY_STORE_H
#define POLICY_REPLAY_STORE_H

#include "base/map.h"
#include "station/record.h"

struct replayed { /* a transaction */
    int64_t id, evse, connector, meter_start_wh;
    char *cp, *verdict, *parent, *expiry;
    bool ended; /* stopped */
    bool cut;   /* … by this world: what the record still tells of it did not happen */
};

struct replay_store {          /* zeroed is ready */
    struct idmap transactions; /* id → struct replayed */
    struct map by_key;         /* repeat key → the same */
};

struct replayed *replayed_at(const struct replay_store *store, int64_t id); /* NULL: none */
/* Fills the out fields of a StartTransaction that was seen before; texts go to `arena`. */
bool replayed_find(const struct replay_store *store, struct arena *arena, struct record_start *row);
/* A new one, with row->out_id. */
void replayed_keep(struct replay_store *store, const struct record_start *row);
void replayed_stop(struct replay_store *store, struct record_stop *row);
void replayed_clear(struct replay_store *store);

#endif

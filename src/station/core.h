/* What the files of station/ share: the struct itself and its small helpers. Private to station/.
 *
 * Memory leads, rows are snapshots: state changes first, then a row with the new state is added, so
 * rows of one thing are always in order as long as batches are. Two kinds of batch go out: one per
 * durable CALL (call_store), and one per turn for all that promises nothing (station_row). The
 * latter is flushed before a durable one whenever it holds upserts, so that an older snapshot never
 * overwrites a newer one. */
#ifndef STATION_CORE_H
#define STATION_CORE_H

#include "station/station.h"

enum {
    CONNECTORS_MAX = 256,     /* of one charge point; what claims to be more is only recorded */
    UNREGISTERED_MAX = 10000, /* charge points that merely connected, in all */
    DAY_MS = 24 * 60 * 60 * 1000
};

struct dirty { /* vars to be written with the next flush */
    char *cp;  /* or NULL: */
    int64_t transaction;
};

struct station {
    struct station_settings settings;
    char *authorize_default, *authorize_failed;
    struct station_ports ports;
    struct timers *timers;
    struct map charge_points; /* identity, no case → struct charge_point * */
    size_t unregistered;
    struct transaction **transactions; /* by id, rising */
    size_t transaction_count, transaction_room;
    struct map tags; /* no case → struct id_tag * */
    struct map kv;   /* → struct kv_entry * */
    struct timer kv_timer;
    struct pending_start **pending; /* pending.c: oldest first */
    size_t pending_count, pending_room;
    struct timer pending_timer;
    struct quirk *quirks; /* quirk.h: in order of definition */
    size_t quirk_count;
    struct limits *limits;    /* limit_parts.h: sites, and limits on their way */
    uint64_t reminder_serial; /* remind.c */
    struct map failures;      /* admit.c: address → struct failure * */
    struct batch *rows;       /* of this turn; NULL while there are none */
    bool rows_hold_upserts;
    uint64_t rows_serial;
    struct batch *kept; /* retry.c: oldest first */
    size_t kept_count;
    struct timer retry_timer;
    struct dirty *dirty;
    size_t dirty_count, dirty_room;
    size_t items; /* CALLs and events, queued or active, of all lanes */
    size_t batches_out;
    uint64_t batches_submitted; /* those that have come back: less batches_out */
    void (*on_stored)(void *ctx);
    void *on_stored_ctx;
    struct station_counters counters;
    struct payload_report report; /* scratch: 4 KiB that need no zeroing per CALL */
};

/* ---- rows.c ---- */

/* A row in the batch of this turn; its strings belong into *arena. */
struct record *station_row(struct station *st, enum record_kind kind, struct arena **arena);
/* A batch with the rows of a turn, once more (retry.c). */
void station_submit_rows(struct station *st, struct batch *batch_owned);
/* Every batch goes out and comes back through these two. */
void station_submit(struct station *st, struct batch *batch_owned);
void station_batch_back(struct station *st, const struct batch *batch);
void station_dirty_clear(struct station *st);

/* Rows with the present state of a thing, or about one, in a batch of the caller's. */
void row_charge_point(struct batch *batch, const struct charge_point *cp);
void row_connector(struct batch *batch, const struct charge_point *cp, const struct connector *at);
void row_event(struct batch *batch, const char *cp, const char *kind, const char *detail_json);
/* The same rows in the batch of this turn. */
void station_row_charge_point(struct station *st, const struct charge_point *cp);
void station_row_connector(struct station *st, const struct charge_point *cp,
                           const struct connector *at);
void station_row_event(struct station *st, const char *cp, const char *kind,
                       const char *detail_json);
char *vars_text(struct arena *arena, const struct vars *vars); /* NULL when there are none */

/* ---- charge_point.c ---- */

struct charge_point *charge_point_new(struct station *st, const char *id); /* into the registry */
/* Out of the registry; frees it now, or as soon as its lane has nothing active. */
void charge_point_remove(struct station *st, struct charge_point *cp);
/* With its lane, in which nothing is with policies or the store; not from the registry. */
void charge_point_free(struct charge_point *cp);
/* Finds or adds; NULL when the numbers make no sense or there are too many. */
struct connector *connector_ensure(struct charge_point *cp, int64_t evse, int64_t connector);
/* 1.6 connectorId n is (n, 1), 0 is (0, 0) (Q4). */
int64_t connector_number(int64_t connector_id);
/* Known from now on, with this registration; the row is the caller's work. */
void charge_point_register(struct station *st, struct charge_point *cp,
                           enum registration registration);
/* As if it had never been: storing it failed. */
void charge_point_unregister(struct station *st, struct charge_point *cp);
/* "pending", "accepted", "rejected"; false: none of them. */
bool registration_parse(const char *text, enum registration *out);

/* ---- transaction.c ---- */

/* Heap, with everything absent; the caller's until transaction_add(). */
struct transaction *transaction_new(const char *cp);
void transaction_add(struct station *st, struct transaction *tx_owned);
/* Writes vars that on.stop changed, and frees it. */
void transaction_drop(struct station *st, int64_t id);
/* The open one with this id, if it is one of this charge point (Q8). */
struct transaction *transaction_of(struct station *st, const struct charge_point *cp, int64_t id);
/* Identities are compared without case (T2). */
bool transaction_is_of(const struct transaction *tx, const struct charge_point *cp);
/* Writes its vars with the rows of this turn. */
void transaction_vars_row(struct station *st, struct transaction *tx);
void transactions_clear(struct station *st);

/* ---- options.c ---- */

/* All switches at their defaults. */
void options_init(struct station_options *options, const struct station_settings *settings);
/* Sets the switches that a JSON object has; false leaves `options` as it is. */
bool options_parse(struct station_options *options, const char *json, struct reason *why);

/* ---- quirk.c ---- */

/* The switches of a charger but for those that the operator set. `cp` may be NULL: unknown yet. */
void options_base(struct station *st, const char *identity, const struct charge_point *cp,
                  struct station_options *out);
/* Works out its switches anew. */
void options_apply(struct station *st, struct charge_point *cp);
void quirks_clear(struct station *st);
/* The tag as its quirks leave it; in the arena, or what was given. NULL stays NULL. */
const char *id_tag_normal(const struct charge_point *cp, struct arena *arena, const char *id_tag);

/* ---- admit.c, tags.c, kv.c, pending.c: their parts of station_new, _free and _restore_sink ----
 */

void failures_clear(struct station *st);
void tags_clear(struct station *st);
void kv_clear(struct station *st);
void tag_restore(struct station *st, const struct record_id_tag *row);
void kv_restore(struct station *st, const struct record_kv *row);
void kv_init(struct station *st);
/* A KV or KV_DELETE record becomes what the key holds now. */
void kv_refresh(struct station *st, struct record *record, struct arena *arena);
void pending_init(struct station *st);
void pending_clear(struct station *st);
/* A kv row, if it is one of a pending start. */
void pending_restore(struct station *st, const struct record_kv *row);

/* ---- retry.c ---- */

void retry_init(struct station *st);
void retry_clear(struct station *st);
/* The rows of a turn came back: kept and written again if they failed and must not be lost. */
void retry_rows(struct station *st, struct batch *batch_owned);

#endif

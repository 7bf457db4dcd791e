/* The store: one SQLite file, one writer thread with group commit, one reader thread.
 *
 * Batches are committed in order of submission; everything queued since the last commit goes into
 * one transaction (WAL, synchronous=FULL); a bad batch fails alone, only a commit that fails takes
 * all of them with it. Finished batches come back on the loop thread, after the commit is on disk.
 * The queue is bounded by bytes: beyond STORE_QUEUE_MAX a batch comes back failed at once, so a
 * stuck disk turns into refused answers (which chargers repeat), never into endless memory. No
 * module but this one may assume SQLite; statements stay in the subset that PostgreSQL knows too
 * (`ON CONFLICT … RETURNING`). Start reading: schema.c, then writer.c. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/json.h"
#include "base/post.h"
#include "base/reason.h"
#include "station/record.h"

struct store;

struct store_retention { /* days; 0 = keep for ever */
    int64_t message_days, message_rows, status_days, decision_days, meter_value_days, event_days;
};

struct store_settings {
    const char *path; /* file, created if missing; ":memory:" is refused: readers need a file */
    struct store_retention retention;
    struct poster poster;
    int64_t probe_ms; /* 0 = 5000: after a failed commit, until one succeeds, it is tried again */
};

/* Opens, migrates (copy of the old file kept as <path>.before-<version>), starts the threads.
 * Refuses with a reason: not a database, a newer schema than ours, not writable, locked by another
 * process. Only one process may write: an exclusive lock file is held. */
struct store *store_open(const struct store_settings *settings, struct reason *why);
/* Commits what is queued (their `done` run inside this call), stops the threads. */
void store_close(struct store *store);

/* Before the first submit: pours charge points, connectors, open transactions, tags and kv. */
bool store_restore(struct store *store, const struct restore_sink *sink, struct reason *why);

/* Never blocks. Takes the batch over; see struct batch. */
void store_submit(struct store *store, struct batch *batch_owned);
/* True when every submitted batch and every query has come back. */
bool store_idle(const struct store *store);
/* False after a failed commit until one succeeds again: /health answers 503. When nobody has
 * anything to store meanwhile, the writer tries with a page of its own. */
bool store_healthy(const struct store *store);

/* What was submitted and the writer has not taken up yet. */
struct store_queue {
    size_t batches, bytes; /* bytes: at most STORE_QUEUE_MAX */
};
struct store_queue store_queue(struct store *store);

/* A named query (queries.c) on the reader thread, which sees everything that was submitted before;
 * `params` is a JSON object that is checked against the query's own table. `done` runs on the loop
 * thread, exactly once: a JSON array of objects and the cursor for the next page (or NULL), or NULL
 * and why. */
typedef void (*query_done)(void *ctx, const char *rows_json, const char *next_cursor,
                           const char *why);
void store_query(struct store *store, const char *name, const struct json *params, query_done done,
                 void *ctx);

/* Deletes what is older than its retention, a bounded number of rows at a time, on the writer
 * thread. Called by a timer of main; `now` is the wall clock. */
void store_retain(struct store *store, wall_t now);

/* API keys: name, scope, hash. Used at start and by `chargebridge keys`. Blocking. */
struct api_key {
    char *name, *scope, *hash;
    wall_t created_ms;
};
bool store_keys(struct store *store, struct api_key **keys, size_t *count, struct reason *why);
/* The same on a file, beside a running server. False: cannot open, or the name exists, or does not.
 */
bool keys_file_read(const char *path, struct api_key **keys, size_t *count, struct reason *why);
bool keys_file_add(const char *path, const struct api_key *key, struct reason *why);
bool keys_file_revoke(const char *path, const char *name, struct reason *why);
void api_keys_free(struct api_key *keys, size_t count);

#endif

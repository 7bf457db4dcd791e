/* What the files of the store share. Private to store/.
 *
 * Two threads beside the loop: the writer owns `writer.sql`, the reader `reader.sql`; everything
 * that two threads touch is under the mutex of its struct, or atomic. Loop-side counters are the
 * loop thread's alone. */
#ifndef STORE_PARTS_H
#define STORE_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "store/apply.h"
#include "store/store.h"

enum {
    STORE_QUEUE_MAX = 64 << 20, /* bytes of batches that wait */
    STORE_QUERIES_MAX = 1000,   /* queries that wait */
    STORE_QUERY_MS = 10000      /* a query that runs longer is ended */
};

/* Where the retention job stands; see retention.c. */
struct retention {
    wall_t now;
    int list;        /* LIST_COUNT: the lists are done */
    int ended;       /* which table of what has an end */
    int64_t at;      /* block of the list, or owner of the meter values */
    bool rows_begun; /* `at` is an owner */
};

struct writer {
    pthread_t thread;
    bool started;
    struct sql sql; /* the thread's own, like the applier and the job */
    struct applier applier;
    struct retention job;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct batch *first, **end; /* under lock, like all that follows */
    struct store_queue queued;
    bool closing, retain;
    wall_t retain_now;
};

struct query {
    struct query *next;
    uint64_t after;      /* reads what these many batches wrote (store->submitted) */
    char *name, *params; /* params: JSON text */
    wall_t now;          /* when it was asked */
    query_done done;
    void *ctx;
    struct strbuf rows; /* the answer */
    char *cursor;
    struct reason why;
    bool ok;
};

struct reader {
    pthread_t thread;
    bool started;
    struct sql sql;   /* the thread's own, like the kinds and the deadline */
    struct map kinds; /* see query.c */
    mono_t deadline;
    int64_t query_ms; /* set before the thread has work */
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    atomic_bool closing;
    struct query *first, **end; /* under lock, like all that follows */
    size_t waiting;
};

struct outlet;

struct store {
    struct store_settings settings;
    struct outlet *outlet;
    char *path;
    struct stat file; /* of the database when it was opened */
    int lock_fd;
    struct writer writer;
    struct reader reader;
    size_t batches_out, queries_out; /* the loop thread's own, like all that follows */
    uint64_t submitted, returned;    /* batches that the writer took, and gave back: in order */
    struct query *held, **held_end;  /* queries that wait for what was submitted before them */
    size_t held_count;
    bool closing; /* submissions fail at once */
    atomic_bool healthy;
};

/* store.c. The lock file beside the database: its descriptor, or -1 when another holds it. */
int store_lock(const char *path, struct reason *why);

/* restore.c. Shown for the test of their plans: start must not read what is past. */
extern const char restore_open_transactions[], restore_due_transactions[], restore_last_values[];

/* What history.c pours too. */
void restore_charge_points(struct sql *sql, const struct restore_sink *sink);
void restore_id_tags(struct sql *sql, const struct restore_sink *sink);
void restore_kv(struct sql *sql, const struct restore_sink *sink);
/* restore_meter.c: after each transaction of restore.c its meter values, oldest first. */
struct meter_pour {
    struct sql *sql;
    const struct restore_sink *sink;
    sqlite3_stmt *values, *kind;
    struct idmap kinds; /* of this file → struct record_sample *, in the arena */
    struct arena arena;
};
extern const char restore_meter_values[], restore_meter_kind[];
void meter_pour_begin(struct meter_pour *pour, struct sql *sql, const struct restore_sink *sink);
void meter_pour(struct meter_pour *pour, const struct record_transaction *tx);
void meter_pour_end(struct meter_pour *pour);

/* writer.c */
bool writer_start(struct store *store, struct reason *why);
void writer_submit(struct store *store, struct batch *batch);
void writer_retain(struct store *store, wall_t now);
/* Commits what is queued and ends the thread. */
void writer_stop(struct store *store);
/* Loop thread: tells the submitters. */
void writer_hand_back(struct store *store, struct batch *first);

/* retention.c: on the writer thread. One bounded step in a transaction of its own; true while there
 * is more to do. A zeroed job with `now` set is a new one. sql_ok() tells of failures. */
bool retention_step(struct retention *job, struct sql *sql, const struct store_retention *keep);

/* reader.c */
bool reader_start(struct store *store, struct reason *why);
/* Loop thread: now, or when everything that was submitted before has come back. */
void reader_submit(struct store *store, struct query *query);
/* Loop thread: batches came back; lets the queries go that waited for them. */
void reader_release(struct store *store);
/* What waits is answered with an error, what runs is interrupted. */
void reader_stop(struct store *store);
void reader_hand_back(struct store *store, struct query *first);

/* outlet.c */
struct outlet *outlet_new(struct store *store);
void outlet_put_batches(struct outlet *outlet, struct batch *first);
void outlet_put_query(struct outlet *outlet, struct query *query);
void outlet_deliver(struct outlet *outlet); /* loop thread */
void outlet_close(struct outlet *outlet);   /* after both threads ended and a last deliver */

/* query.c: on the reader thread. Fills the query's answer. */
void query_run(struct reader *reader, struct query *query);
void query_forget_kinds(struct reader *reader);

#endif

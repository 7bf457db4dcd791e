/* What the files of the store share. Private to store/.
 *
 * Two threads beside the loop: the writer owns `writer.sql`, the reader `reader.sql`; everything
 * that two threads touch is under its mutex. Loop-side counters are the loop thread's alone. */
#ifndef STORE_PARTS_H
#define STORE_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/apply.h"
#include "store/store.h"

enum { STORE_QUEUE_MAX = 64 << 20 };

struct writer {
    pthread_t thread;
    bool started;
    struct applier applier;
    struct sql sql; /* the thread's own */
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct batch *first, **end; /* under lock, like all that follows */
    size_t queued_bytes;
    bool closing, retain;
    wall_t retain_now;
};

struct query {
    struct query *next;
    struct store *store;
    char *name, *params; /* params: JSON text */
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
    struct sql sql; /* the thread's own */
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct query *first, **end;
    bool closing;
};

struct outlet;

struct store {
    struct store_settings settings;
    struct outlet *outlet;
    char *path;
    int lock_fd;
    struct writer writer;
    struct reader reader;
    size_t batches_out, queries_out; /* the loop thread's own */
    bool closing;                    /* likewise: submissions fail at once */
    atomic_bool healthy;
};

/* writer.c */
bool writer_start(struct store *store, struct reason *why);
void writer_submit(struct store *store, struct batch *batch);
void writer_retain(struct store *store, wall_t now);
/* Commits what is queued and ends the thread. */
void writer_stop(struct store *store);
/* Loop thread: tells the submitters. */
void writer_hand_back(struct store *store, struct batch *first);

/* retention.c: on the writer thread. One bounded step; true while there is more to delete. */
bool retention_step(struct sql *sql, const struct store_retention *keep, wall_t now);

/* reader.c */
bool reader_start(struct store *store, struct reason *why);
void reader_submit(struct store *store, struct query *query);
/* What waits is answered with an error. */
void reader_stop(struct store *store);
void reader_hand_back(struct store *store, struct query *first);

/* outlet.c */
struct outlet *outlet_new(struct store *store);
void outlet_put_batches(struct outlet *outlet, struct batch *first);
void outlet_put_query(struct outlet *outlet, struct query *query);
void outlet_deliver(struct outlet *outlet); /* loop thread */
void outlet_close(struct outlet *outlet);   /* after both threads ended and a last deliver */

/* queries.c: on the reader thread. Fills rows, cursor or why. */
bool query_run(sqlite3 *db, const char *name, const char *params, struct strbuf *rows,
               char **cursor_owned, struct reason *why);

#endif

/* The reader thread: named queries, one after the other, on a read-only connection.
 *
 * A query that runs too long is ended: it would keep the WAL from being checkpointed, and whoever
 * asked has stopped waiting. */
#include <string.h>

#include "base/mem.h"
#include "store/parts.h"

enum { STEPS_BETWEEN_LOOKS = 10000 }; /* of SQLite's machine: a fraction of a millisecond */

static void query_free(struct query *query)
{
    xfree(query->name);
    xfree(query->params);
    xfree(query->cursor);
    strbuf_clear(&query->rows);
    xfree(query);
}

/* ---- on the loop thread ---- */

void reader_hand_back(struct store *store, struct query *query)
{
    struct query *next;
    for (; query; query = next) {
        next = query->next;
        store->queries_out--;
        if (query->ok)
            query->done(query->ctx, strbuf_text(&query->rows), query->cursor, NULL);
        else
            query->done(query->ctx, NULL, NULL, query->why.text);
        query_free(query);
    }
}

static void refuse(struct store *store, struct query *query)
{
    query->next = NULL;
    reason_set(&query->why, store->closing ? "the store is closing"
                                           : "too many queries are waiting; try again later");
    reader_hand_back(store, query);
}

static void to_thread(struct store *store, struct query *query)
{
    struct reader *reader = &store->reader;
    pthread_mutex_lock(&reader->lock);
    bool refused = store->closing || reader->waiting >= STORE_QUERIES_MAX;
    if (!refused) {
        *reader->end = query;
        reader->end = &query->next;
        reader->waiting++;
        pthread_cond_signal(&reader->wanted);
    }
    pthread_mutex_unlock(&reader->lock);
    if (refused)
        refuse(store, query);
}

void reader_submit(struct store *store, struct query *query)
{
    store->queries_out++;
    query->after = store->submitted;
    if (store->closing || store->returned >= query->after) {
        to_thread(store, query);
    } else if (store->held_count >= STORE_QUERIES_MAX) {
        refuse(store, query);
    } else {
        *store->held_end = query;
        store->held_end = &query->next;
        store->held_count++;
    }
}

void reader_release(struct store *store)
{
    struct query *query;
    while ((query = store->held) != NULL && query->after <= store->returned) {
        store->held = query->next;
        if (!store->held)
            store->held_end = &store->held;
        store->held_count--;
        query->next = NULL;
        to_thread(store, query);
    }
}

/* ---- on the reader thread ---- */

static struct query *take(struct reader *reader, bool *closing)
{
    pthread_mutex_lock(&reader->lock);
    while (!reader->first && !reader->closing)
        pthread_cond_wait(&reader->wanted, &reader->lock);
    struct query *query = reader->first;
    if (query) {
        reader->first = query->next;
        reader->waiting--;
        if (!reader->first)
            reader->end = &reader->first;
    }
    *closing = reader->closing;
    pthread_mutex_unlock(&reader->lock);
    return query;
}

static int is_over(void *ctx)
{
    const struct reader *reader = ctx;
    return atomic_load(&reader->closing) || mono_now() >= reader->deadline;
}

static void *reader_main(void *arg)
{
    struct store *store = arg;
    struct reader *reader = &store->reader;
    struct query *query;
    bool closing;
    sqlite3_progress_handler(reader->sql.db, STEPS_BETWEEN_LOOKS, is_over, reader);
    while ((query = take(reader, &closing))) {
        reader->deadline = mono_now() + reader->query_ms;
        if (!closing)
            query_run(reader, query);
        if (!query->ok && atomic_load(&reader->closing))
            reason_set(&query->why, "the store is closing");
        outlet_put_query(store->outlet, query);
    }
    return NULL;
}

/* ---- start and stop ---- */

bool reader_start(struct store *store, struct reason *why)
{
    struct reader *reader = &store->reader;
    reader->end = &reader->first;
    reader->query_ms = STORE_QUERY_MS;
    if (!sql_open(&reader->sql, store->path, false, why))
        return false;
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->wanted, NULL);
    int code = pthread_create(&reader->thread, NULL, reader_main, store);
    reader->started = code == 0;
    return code == 0 ||
           reason_set(why, "store: cannot start the reader thread: %s", strerror(code));
}

void reader_stop(struct store *store)
{
    struct reader *reader = &store->reader;
    if (reader->started) {
        pthread_mutex_lock(&reader->lock);
        reader->closing = true;
        pthread_cond_signal(&reader->wanted);
        pthread_mutex_unlock(&reader->lock);
        pthread_join(reader->thread, NULL);
    }
    query_forget_kinds(reader);
    sql_close(&reader->sql);
}

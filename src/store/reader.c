/* The reader thread: named queries, one after the other, on a read-only connection. */
#include <string.h>

#include "base/mem.h"
#include "store/parts.h"

static void query_free(struct query *query)
{
    xfree(query->name);
    xfree(query->params);
    xfree(query->cursor);
    strbuf_clear(&query->rows);
    xfree(query);
}

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

void reader_submit(struct store *store, struct query *query)
{
    struct reader *reader = &store->reader;
    store->queries_out++;
    pthread_mutex_lock(&reader->lock);
    *reader->end = query;
    reader->end = &query->next;
    pthread_cond_signal(&reader->wanted);
    pthread_mutex_unlock(&reader->lock);
}

/* When the store closes, what waits is answered without being run. */
static struct query *take(struct reader *reader, bool *closing)
{
    pthread_mutex_lock(&reader->lock);
    while (!reader->first && !reader->closing)
        pthread_cond_wait(&reader->wanted, &reader->lock);
    struct query *query = reader->first;
    if (query && !(reader->first = query->next))
        reader->end = &reader->first;
    *closing = reader->closing;
    pthread_mutex_unlock(&reader->lock);
    return query;
}

static void *reader_main(void *arg)
{
    struct store *store = arg;
    struct query *query;
    bool closing;
    while ((query = take(&store->reader, &closing))) {
        if (closing)
            reason_set(&query->why, "the store is closing");
        else
            query->ok = query_run(store->reader.sql.db, query->name, query->params, &query->rows,
                                  &query->cursor, &query->why);
        outlet_put_query(store->outlet, query);
    }
    return NULL;
}

bool reader_start(struct store *store, struct reason *why)
{
    struct reader *reader = &store->reader;
    reader->end = &reader->first;
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
        pthread_mutex_destroy(&reader->lock);
        pthread_cond_destroy(&reader->wanted);
    }
    sql_close(&reader->sql);
}

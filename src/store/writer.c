/* The writer thread: takes the whole queue, one commit, hands the list back. See store.h.
 *
 * Everything queued since the last commit goes into one transaction. Should a step of it fail, it
 * is rolled back and written once more, now with a savepoint around each batch, so that a bad batch
 * fails alone; only a commit that fails takes the whole group with it. Savepoints all the time
 * would cost a tenth of the thread (measured), for failures that come with a bug or a full disk.
 * Between two groups the thread may take one bounded step of retention. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/parts.h"
#include "store/schema.h"

/* ---- on the loop thread ---- */

static void hand_back(struct store *store, struct batch *batch)
{
    store->batches_out--;
    if (batch->done)
        batch->done(batch->ctx, batch);
    else
        batch_free(batch);
}

void writer_hand_back(struct store *store, struct batch *batch)
{
    struct batch *next;
    for (; batch; batch = next) {
        next = batch->next;
        batch->next = NULL;
        store->returned++;
        hand_back(store, batch);
    }
    reader_release(store);
}

static size_t bytes_of(const struct batch *batch)
{
    return batch->arena.used + sizeof(*batch);
}

void writer_submit(struct store *store, struct batch *batch)
{
    struct writer *writer = &store->writer;
    store->batches_out++;
    batch->next = NULL;
    batch->failed = false;
    pthread_mutex_lock(&writer->lock);
    bool refused = store->closing || writer->queued.bytes + bytes_of(batch) > STORE_QUEUE_MAX;
    if (!refused) {
        *writer->end = batch;
        writer->end = &batch->next;
        writer->queued.bytes += bytes_of(batch);
        writer->queued.batches++;
        pthread_cond_signal(&writer->wanted);
    }
    pthread_mutex_unlock(&writer->lock);
    store->submitted += !refused;
    if (refused) {
        batch->failed = true;
        hand_back(store, batch);
    }
}

struct store_queue store_queue(struct store *store)
{
    struct writer *writer = &store->writer;
    pthread_mutex_lock(&writer->lock);
    struct store_queue queued = writer->queued;
    pthread_mutex_unlock(&writer->lock);
    return queued;
}

void writer_retain(struct store *store, wall_t now)
{
    struct writer *writer = &store->writer;
    pthread_mutex_lock(&writer->lock);
    writer->retain = true;
    writer->retain_now = now;
    pthread_cond_signal(&writer->wanted);
    pthread_mutex_unlock(&writer->lock);
}

/* ---- on the writer thread ---- */

/* What a failed group leaves behind: nothing, in the file and in our memory. */
static void undo(struct writer *writer)
{
    sql_reset_error(&writer->sql);
    applier_forget(&writer->applier);
    if (!sqlite3_get_autocommit(writer->sql.db)) /* else SQLite has rolled back itself */
        sql_run(&writer->sql, SQL_ROLLBACK);
    sql_reset_error(&writer->sql);
}

/* One batch within the open transaction; its failure is its own. */
static void write_alone(struct writer *writer, struct batch *batch)
{
    struct sql *sql = &writer->sql;
    sql_run(sql, SQL_SAVEPOINT);
    apply_batch(&writer->applier, batch);
    sql_run(sql, SQL_RELEASE);
    if (sql_ok(sql))
        return;
    batch->failed = true;
    LOG(LOG_ERROR, "a batch was not stored", L_STR("reason", sql->error));
    sql_reset_error(sql);
    applier_forget(&writer->applier);
    sql_run(sql, SQL_BACK_TO_SAVEPOINT);
    sql_run(sql, SQL_RELEASE);
}

static void write_plainly(struct writer *writer, struct batch *batch)
{
    apply_batch(&writer->applier, batch);
}

/* False: nothing of it is in the file, and sql->error says why. */
static bool write_all(struct writer *writer, struct batch *first,
                      void (*write)(struct writer *writer, struct batch *batch))
{
    struct sql *sql = &writer->sql;
    sql_run(sql, SQL_BEGIN);
    for (struct batch *batch = first; batch && sql_ok(sql); batch = batch->next)
        write(writer, batch);
    sql_run(sql, SQL_COMMIT);
    if (sql_ok(sql))
        return true;
    undo(writer);
    return false;
}

/* A file that was deleted or replaced takes commits like any other, and nobody will ever read them.
 */
static bool file_is_there(const struct store *store)
{
    struct stat now;
    return stat(store->path, &now) == 0 && now.st_dev == store->file.st_dev &&
           now.st_ino == store->file.st_ino;
}

static bool write_somehow(struct store *store, struct batch *first, const char **why)
{
    struct writer *writer = &store->writer;
    *why = "the file was deleted or replaced while the server runs; restart it";
    if (!file_is_there(store))
        return false;
    *why = writer->sql.error;
    return write_all(writer, first, write_plainly) || write_all(writer, first, write_alone);
}

static void write_group(struct store *store, struct batch *first)
{
    const char *why;
    bool ok = write_somehow(store, first, &why);
    if (!ok) {
        LOG(LOG_ERROR, "nothing was stored", L_STR("file", store->path), L_STR("reason", why));
        for (struct batch *batch = first; batch; batch = batch->next)
            batch->failed = true;
    }
    atomic_store(&store->healthy, ok);
}

/* Whether the disk takes writes again: one page, through the log to the disk. */
static void probe(struct store *store)
{
    struct sql *sql = &store->writer.sql;
    struct reason unused;
    char *text = xprintf("BEGIN IMMEDIATE; PRAGMA user_version=%d; COMMIT", schema_newest.count);
    if (file_is_there(store) && sql_script(sql, text, &unused)) {
        LOG(LOG_INFO, "the store takes writes again", L_STR("file", store->path));
        atomic_store(&store->healthy, true);
    } else if (!sqlite3_get_autocommit(sql->db)) {
        sql_script(sql, "ROLLBACK", &unused);
    }
    xfree(text);
}

static struct timespec after_ms(int64_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

/* Until there is some, or it is time for a probe. */
static void wait_for_work(struct store *store)
{
    struct writer *writer = &store->writer;
    const struct timespec until = after_ms(store->settings.probe_ms);
    int code = 0;
    while (!writer->first && !writer->closing && !writer->retain && code != ETIMEDOUT) {
        if (atomic_load(&store->healthy))
            pthread_cond_wait(&writer->wanted, &writer->lock);
        else
            code = pthread_cond_timedwait(&writer->wanted, &writer->lock, &until);
    }
}

/* Waits for work; takes the queue (maybe empty: retention, or a probe). False: time to end. */
static bool take_work(struct store *store, struct batch **first, bool *retain)
{
    struct writer *writer = &store->writer;
    pthread_mutex_lock(&writer->lock);
    wait_for_work(store);
    *first = writer->first;
    *retain = writer->retain && !writer->closing;
    if (*retain && writer->job.now == 0)
        writer->job.now = writer->retain_now;
    bool go_on = *first || !writer->closing;
    writer->first = NULL;
    writer->end = &writer->first;
    writer->queued = (struct store_queue){0};
    pthread_mutex_unlock(&writer->lock);
    return go_on;
}

static void step_retention(struct store *store)
{
    struct writer *writer = &store->writer;
    bool more = retention_step(&writer->job, &writer->sql, &store->settings.retention);
    if (!sql_ok(&writer->sql)) {
        LOG(LOG_ERROR, "retention failed", L_STR("reason", writer->sql.error));
        undo(writer);
        more = false;
    }
    if (more)
        return;
    writer->job = (struct retention){0};
    pthread_mutex_lock(&writer->lock);
    writer->retain = false;
    pthread_mutex_unlock(&writer->lock);
}

static void *writer_main(void *arg)
{
    struct store *store = arg;
    struct batch *first;
    bool retain;
    while (take_work(store, &first, &retain)) {
        if (first) {
            write_group(store, first);
            outlet_put_batches(store->outlet, first);
        }
        if (retain)
            step_retention(store);
        if (!first && !retain)
            probe(store);
    }
    return NULL;
}

/* ---- start and stop ---- */

bool writer_start(struct store *store, struct reason *why)
{
    struct writer *writer = &store->writer;
    if (stat(store->path, &store->file) != 0)
        return reason_set(why, "store: cannot find \"%s\" again: %s", store->path, strerror(errno));
    writer->applier.sql = &writer->sql;
    writer->end = &writer->first;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->wanted, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int code = pthread_create(&writer->thread, NULL, writer_main, store);
    writer->started = code == 0;
    return code == 0 ||
           reason_set(why, "store: cannot start the writer thread: %s", strerror(code));
}

void writer_stop(struct store *store)
{
    struct writer *writer = &store->writer;
    if (writer->started) {
        pthread_mutex_lock(&writer->lock);
        writer->closing = true;
        pthread_cond_signal(&writer->wanted);
        pthread_mutex_unlock(&writer->lock);
        pthread_join(writer->thread, NULL);
    }
    applier_clear(&writer->applier);
    sql_close(&writer->sql);
}

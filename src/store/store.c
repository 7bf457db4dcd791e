/* Opening and closing, and the doors to the two threads. See store.h. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/parts.h"
#include "store/schema.h"

/* A lock file beside the database: two daemons on one file would both believe in their own memory.
 */
static bool take_lock(struct store *store, struct reason *why)
{
    char *path = xprintf("%s.lock", store->path);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    bool ok = store->lock_fd >= 0;
    if (!ok)
        reason_set(why, "store: cannot write \"%s\": %s", path, strerror(errno));
    else if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0)
        ok = reason_set(why, "store: another ChargeBridge is running on \"%s\" (it holds %s)",
                        store->path, path);
    xfree(path);
    return ok;
}

static bool open_all(struct store *store, struct reason *why)
{
    if (text_is(store->path, ":memory:") || store->path[0] == '\0')
        return reason_set(why, "store: \"%s\" is no file; a database in memory loses everything",
                          store->path);
    return take_lock(store, why) && sql_open(&store->writer.sql, store->path, true, why) &&
           schema_migrate(&store->writer.sql, store->path, why) && writer_start(store, why) &&
           reader_start(store, why);
}

struct store *store_open(const struct store_settings *settings, struct reason *why)
{
    struct store *store = xcalloc(1, sizeof(*store));
    store->settings = *settings;
    store->path = xstrdup(settings->path);
    store->lock_fd = -1;
    store->outlet = outlet_new(store);
    atomic_init(&store->healthy, true);
    if (open_all(store, why))
        return store;
    store_close(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    /* What the last answers make the station submit is refused; what was queued is committed. */
    store->closing = true;
    reader_stop(store);
    writer_stop(store);
    outlet_deliver(store->outlet);
    outlet_close(store->outlet);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    xfree(store->path);
    xfree(store);
}

void store_submit(struct store *store, struct batch *batch_owned)
{
    writer_submit(store, batch_owned);
}

bool store_idle(const struct store *store)
{
    return store->batches_out == 0 && store->queries_out == 0;
}

bool store_healthy(const struct store *store)
{
    return atomic_load(&store->healthy);
}

void store_query(struct store *store, const char *name, const struct json *params, query_done done,
                 void *ctx)
{
    struct strbuf text = {0};
    if (store->closing) {
        done(ctx, NULL, NULL, "the store is closing");
        return;
    }
    if (params)
        json_write(&text, params);
    else
        strbuf_adds(&text, "{}");
    struct query *query = xcalloc(1, sizeof(*query));
    query->store = store;
    query->name = xstrdup(name);
    query->params = strbuf_take(&text, NULL);
    query->done = done;
    query->ctx = ctx;
    reader_submit(store, query);
}

void store_retain(struct store *store, wall_t now)
{
    writer_retain(store, now);
}

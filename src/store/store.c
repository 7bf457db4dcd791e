/* Opening and closing, and the doors to the two threads. See store.h. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/parts.h"
#include "store/schema.h"

enum { PROBE_MS = 5000 };

/* ---- one process a file ---- */

static bool locked_by_another(int fd, const char *path, const char *lock, struct reason *why)
{
    char pid[24] = "";
    ssize_t len = pread(fd, pid, sizeof(pid) - 1, 0);
    pid[len > 0 ? len : 0] = '\0';
    return reason_set(why, "store: another ChargeBridge is running on \"%s\" (pid %.*s holds %s)",
                      path, (int)strcspn(pid, "\n"), pid, lock);
}

int store_lock(const char *path, struct reason *why)
{
    char *lock = xprintf("%s.lock", path);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    bool ok = fd >= 0;
    if (!ok)
        reason_set(why, "store: cannot write \"%s\": %s", lock, strerror(errno));
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        ok = locked_by_another(fd, path, lock, why);
    else if (ftruncate(fd, 0) == 0) /* only for whoever reads it: the lock is what counts */
        dprintf(fd, "%ld\n", (long)getpid());
    if (!ok && fd >= 0)
        close(fd);
    xfree(lock);
    return ok ? fd : -1;
}

/* ---- opening and closing ---- */

/* C3: what was under way when the last server ended is not known to have happened, or not. */
static bool lose_commands(struct sql *sql, const char *path, struct reason *why)
{
    sql_run(sql, SQL_LOSE_COMMANDS);
    return sql_ok(sql) || reason_set(why, "store: cannot write \"%s\": %s", path, sql->error);
}

static bool open_all(struct store *store, struct reason *why)
{
    if (text_is(store->path, ":memory:") || store->path[0] == '\0')
        return reason_set(why, "store: \"%s\" is no file; a database in memory loses everything",
                          store->path);
    store->lock_fd = store_lock(store->path, why);
    return store->lock_fd >= 0 &&
           schema_open(&store->writer.sql, store->path, &schema_newest, true, why) &&
           lose_commands(&store->writer.sql, store->path, why) && writer_start(store, why) &&
           reader_start(store, why);
}

struct store *store_open(const struct store_settings *settings, struct reason *why)
{
    struct store *store = xcalloc(1, sizeof(*store));
    store->settings = *settings;
    if (store->settings.probe_ms <= 0)
        store->settings.probe_ms = PROBE_MS;
    store->path = xstrdup(settings->path);
    store->lock_fd = -1;
    store->held_end = &store->held;
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
    store->closing = true;
    reader_stop(store);
    writer_stop(store);
    /* What the last answers make others submit is refused, and comes back in the next round. */
    do
        outlet_deliver(store->outlet);
    while (!store_idle(store));
    outlet_close(store->outlet);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    xfree(store->path);
    xfree(store);
}

/* ---- the doors ---- */

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
    if (params)
        json_write(&text, params);
    else
        strbuf_adds(&text, "{}");
    struct query *query = xcalloc(1, sizeof(*query));
    query->name = xstrdup(name);
    query->params = strbuf_take(&text, NULL);
    query->now = wall_now(); /* by the loop's clock */
    query->done = done;
    query->ctx = ctx;
    reader_submit(store, query);
}

void store_retain(struct store *store, wall_t now)
{
    writer_retain(store, now);
}

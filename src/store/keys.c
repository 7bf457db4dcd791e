/* API keys. On connections of their own, so that `chargebridge keys` works beside a running server,
 * which reads them again with SIGHUP. A new file, or one with an older schema, is brought up to
 * date here only if no server holds its lock. */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/parts.h"
#include "store/schema.h"

struct keys_file {
    struct sql sql;
    int lock_fd; /* or -1 */
};

static bool open_keys(struct keys_file *file, const char *path, struct reason *why)
{
    file->lock_fd = -1;
    if (schema_open(&file->sql, path, &schema_newest, false, why))
        return true;
    struct reason locked;
    file->lock_fd = store_lock(path, &locked);
    if (file->lock_fd < 0)
        return false;
    if (schema_open(&file->sql, path, &schema_newest, true, why))
        return true;
    close(file->lock_fd);
    return false;
}

static bool close_keys(struct keys_file *file, struct reason *why)
{
    bool ok = sql_ok(&file->sql) || reason_set(why, "store: %s", file->sql.error);
    sql_close(&file->sql);
    if (file->lock_fd >= 0)
        close(file->lock_fd);
    return ok;
}

bool keys_file_read(const char *path, struct api_key **keys, size_t *count, struct reason *why)
{
    struct keys_file file;
    size_t room = 0;
    *keys = NULL;
    *count = 0;
    if (!open_keys(&file, path, why))
        return false;
    sqlite3_stmt *s = sql_prepare(
        &file.sql, "SELECT name, scope, hash, created_ms FROM api_key ORDER BY name", "");
    while (sql_row(&file.sql, s)) {
        *keys = xgrow(*keys, *count, &room, sizeof(**keys));
        (*keys)[(*count)++] = (struct api_key){xstrdup(sql_text(s, 0)), xstrdup(sql_text(s, 1)),
                                               xstrdup(sql_text(s, 2)), sql_int(s, 3)};
    }
    sqlite3_finalize(s);
    if (close_keys(&file, why))
        return true;
    api_keys_free(*keys, *count);
    *keys = NULL;
    *count = 0;
    return false;
}

/* False: an error, with `why`; else whether a row was changed. */
static bool change_key(struct keys_file *file, sqlite3_stmt *s, bool *changed, struct reason *why)
{
    *changed = sql_done(&file->sql, s) > 0;
    sqlite3_finalize(s);
    return close_keys(file, why);
}

bool keys_file_add(const char *path, const struct api_key *key, struct reason *why)
{
    struct keys_file file;
    bool added;
    if (!open_keys(&file, path, why))
        return false;
    sqlite3_stmt *s = sql_prepare(&file.sql,
                                  "INSERT INTO api_key (name, scope, hash, created_ms)"
                                  " VALUES (?,?,?,?) ON CONFLICT (name) DO NOTHING",
                                  "ttti", key->name, key->scope, key->hash, key->created_ms);
    if (!change_key(&file, s, &added, why))
        return false;
    return added || reason_set(why, "there is a key \"%s\" already; revoke it first", key->name);
}

bool keys_file_revoke(const char *path, const char *name, struct reason *why)
{
    struct keys_file file;
    bool removed;
    if (!open_keys(&file, path, why))
        return false;
    sqlite3_stmt *s = sql_prepare(&file.sql, "DELETE FROM api_key WHERE name = ?", "t", name);
    if (!change_key(&file, s, &removed, why))
        return false;
    return removed || reason_set(why, "there is no key \"%s\"", name);
}

bool store_keys(struct store *store, struct api_key **keys, size_t *count, struct reason *why)
{
    return keys_file_read(store->path, keys, count, why);
}

void api_keys_free(struct api_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        xfree(keys[i].name);
        xfree(keys[i].scope);
        xfree(keys[i].hash);
    }
    xfree(keys);
}

/* API keys. On connections of their own and without the lock file, so that `chargebridge keys`
 * works beside a running server, which reads them again with SIGHUP. */
#include <stdio.h>

#include "base/mem.h"
#include "store/parts.h"
#include "store/schema.h"

static bool open_keys(struct sql *sql, const char *path, struct reason *why)
{
    if (!sql_open(sql, path, true, why))
        return false;
    if (schema_migrate(sql, path, why))
        return true;
    sql_close(sql);
    return false;
}

static bool close_keys(struct sql *sql, struct reason *why)
{
    bool ok = sql_ok(sql) || reason_set(why, "store: %s", sql->error);
    sql_close(sql);
    return ok;
}

static sqlite3_stmt *prepare(struct sql *sql, const char *text, const char *types, ...)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(sql->db, text, -1, &statement, NULL) != SQLITE_OK) {
        sql_fail(sql);
        return NULL;
    }
    va_list args;
    va_start(args, types);
    sql_bind_values(statement, types, args);
    va_end(args);
    return statement;
}

bool keys_file_read(const char *path, struct api_key **keys, size_t *count, struct reason *why)
{
    struct sql sql;
    size_t room = 0;
    *keys = NULL;
    *count = 0;
    if (!open_keys(&sql, path, why))
        return false;
    sqlite3_stmt *s =
        prepare(&sql, "SELECT name, scope, hash, created_ms FROM api_key ORDER BY name", "");
    while (sql_row(&sql, s)) {
        *keys = xgrow(*keys, *count, &room, sizeof(**keys));
        (*keys)[(*count)++] = (struct api_key){xstrdup(sql_text(s, 0)), xstrdup(sql_text(s, 1)),
                                               xstrdup(sql_text(s, 2)), sql_int(s, 3)};
    }
    sqlite3_finalize(s);
    return close_keys(&sql, why);
}

bool keys_file_add(const char *path, const struct api_key *key, struct reason *why)
{
    struct sql sql;
    if (!open_keys(&sql, path, why))
        return false;
    sqlite3_stmt *s = prepare(&sql,
                              "INSERT INTO api_key (name, scope, hash, created_ms) VALUES (?,?,?,?)"
                              " ON CONFLICT (name) DO NOTHING",
                              "ttti", key->name, key->scope, key->hash, key->created_ms);
    int added = sql_done(&sql, s);
    sqlite3_finalize(s);
    if (sql_ok(&sql) && !added) {
        sql_close(&sql);
        return reason_set(why, "there is a key \"%s\" already; revoke it first", key->name);
    }
    return close_keys(&sql, why);
}

bool keys_file_revoke(const char *path, const char *name, struct reason *why)
{
    struct sql sql;
    if (!open_keys(&sql, path, why))
        return false;
    sqlite3_stmt *s = prepare(&sql, "DELETE FROM api_key WHERE name = ?", "t", name);
    int removed = sql_done(&sql, s);
    sqlite3_finalize(s);
    if (sql_ok(&sql) && !removed) {
        sql_close(&sql);
        return reason_set(why, "there is no key \"%s\"", name);
    }
    return close_keys(&sql, why);
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

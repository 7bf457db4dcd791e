/* See sql.h. */
#include "store/sql.h"

#include <stdarg.h>
#include <stdio.h>

enum { BUSY_MS = 5000 };

bool sql_script(struct sql *sql, const char *text, struct reason *why)
{
    char *message = NULL;
    if (sqlite3_exec(sql->db, text, NULL, NULL, &message) == SQLITE_OK)
        return true;
    reason_set(why, "%s", message ? message : sqlite3_errmsg(sql->db));
    sqlite3_free(message);
    return false;
}

bool sql_open(struct sql *sql, const char *path, bool writer, struct reason *why)
{
    int flags = writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    *sql = (struct sql){0};
    int code = sqlite3_open_v2(path, &sql->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        reason_set(why, "store: cannot open \"%s\": %s", path,
                   sql->db ? sqlite3_errmsg(sql->db) : "out of memory");
        sql_close(sql);
        return false;
    }
    sqlite3_busy_timeout(sql->db, BUSY_MS);
    sqlite3_extended_result_codes(sql->db, 1);
    struct reason cause;
    if (sql_script(sql,
                   writer ? "PRAGMA synchronous=FULL; PRAGMA cache_size=-16384;"
                          : "PRAGMA query_only=ON;",
                   &cause))
        return true;
    reason_set(why, "store: cannot use \"%s\": %s", path, cause.text);
    sql_close(sql);
    return false;
}

void sql_close(struct sql *sql)
{
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(sql->statements[i]);
    sqlite3_close(sql->db);
    *sql = (struct sql){0};
}

bool sql_ok(const struct sql *sql)
{
    return !sql->failed;
}

void sql_reset_error(struct sql *sql)
{
    sql->failed = false;
}

static void fail(struct sql *sql, const char *message)
{
    if (!sql->failed)
        snprintf(sql->error, sizeof(sql->error), "%s", message);
    sql->failed = true;
}

void sql_fail(struct sql *sql)
{
    fail(sql, sqlite3_errmsg(sql->db));
}

void sql_bind_values(sqlite3_stmt *statement, const char *types, va_list args)
{
    for (int i = 0; types[i]; i++) {
        if (types[i] == 't') {
            const char *text = va_arg(args, const char *);
            sqlite3_bind_text(statement, i + 1, text, -1, SQLITE_STATIC);
            continue;
        }
        int64_t value = va_arg(args, int64_t);
        if (types[i] == 'o' && value == ABSENT)
            sqlite3_bind_null(statement, i + 1);
        else
            sqlite3_bind_int64(statement, i + 1, value);
    }
}

sqlite3_stmt *sql_bind(struct sql *sql, enum sql_id id, const char *types, ...)
{
    sqlite3_stmt **statement = &sql->statements[id];
    if (!*statement && sqlite3_prepare_v3(sql->db, sql_texts[id], -1, SQLITE_PREPARE_PERSISTENT,
                                          statement, NULL) != SQLITE_OK) {
        fail(sql, sqlite3_errmsg(sql->db));
        return NULL;
    }
    sqlite3_reset(*statement);
    va_list args;
    va_start(args, types);
    sql_bind_values(*statement, types, args);
    va_end(args);
    return *statement;
}

static bool injected(struct sql *sql)
{
    return sql->fail_at > 0 && --sql->fail_at == 0;
}

bool sql_row(struct sql *sql, sqlite3_stmt *statement)
{
    if (sql->failed || !statement) {
        sqlite3_reset(statement); /* one left in the middle would hold up COMMIT and ROLLBACK */
        return false;
    }
    if (injected(sql)) {
        fail(sql, "injected failure");
        sqlite3_reset(statement);
        return false;
    }
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        fail(sql, sqlite3_errmsg(sql->db));
    sqlite3_reset(statement);
    return false;
}

int sql_done(struct sql *sql, sqlite3_stmt *statement)
{
    while (sql_row(sql, statement))
        continue;
    if (statement)
        sqlite3_clear_bindings(statement);
    return sql->failed ? 0 : sqlite3_changes(sql->db);
}

int64_t sql_int(sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return ABSENT;
    return sqlite3_column_int64(statement, column);
}

const char *sql_text(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

/* See sql.h. */
#include "store/sql.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { BUSY_MS = 5000 };

/* Once a process and before its first connection: we read no memory statistics of SQLite, and
 * counting them takes a global lock at every allocation. */
static void configure_library(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

bool sql_open(struct sql *sql, const char *path, bool to_write, struct reason *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_library);
    *sql = (struct sql){0};
    int flags = to_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    if (sqlite3_open_v2(path, &sql->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        reason_set(why, "store: cannot open \"%s\": %s", path,
                   sql->db ? sqlite3_errmsg(sql->db) : "out of memory");
        sql_close(sql);
        return false;
    }
    sqlite3_busy_timeout(sql->db, BUSY_MS);
    return true;
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

void sql_fail(struct sql *sql, const char *why)
{
    if (!sql->failed)
        snprintf(sql->error, sizeof(sql->error), "%s", why);
    sql->failed = true;
}

bool sql_script(struct sql *sql, const char *text, struct reason *why)
{
    char *message = NULL;
    if (sqlite3_exec(sql->db, text, NULL, NULL, &message) == SQLITE_OK)
        return true;
    reason_set(why, "%s", message ? message : sqlite3_errmsg(sql->db));
    sqlite3_free(message);
    return false;
}

static void bind_text(sqlite3_stmt *statement, int place, const char *text, size_t len)
{
    sqlite3_bind_text64(statement, place, text, len, SQLITE_STATIC, SQLITE_UTF8);
}

static void bind_all(sqlite3_stmt *statement, const char *types, va_list args)
{
    for (int place = 1; types[place - 1]; place++) {
        char type = types[place - 1];
        if (type == 't' || type == 's') {
            const char *text = va_arg(args, const char *);
            size_t len = type == 's' ? va_arg(args, size_t) : text ? strlen(text) : 0;
            bind_text(statement, place, text, len);
            continue;
        }
        int64_t value = va_arg(args, int64_t);
        if (type == 'o' && value == ABSENT)
            sqlite3_bind_null(statement, place);
        else
            sqlite3_bind_int64(statement, place, value);
    }
}

static bool prepare(struct sql *sql, const char *text, unsigned flags, sqlite3_stmt **statement)
{
    if (sqlite3_prepare_v3(sql->db, text, -1, flags, statement, NULL) == SQLITE_OK)
        return true;
    sql_fail(sql, sqlite3_errmsg(sql->db));
    return false;
}

sqlite3_stmt *sql_bind(struct sql *sql, enum sql_id id, const char *types, ...)
{
    sqlite3_stmt **statement = &sql->statements[id];
    if (!*statement && !prepare(sql, sql_texts[id], SQLITE_PREPARE_PERSISTENT, statement))
        return NULL;
    va_list args;
    va_start(args, types);
    bind_all(*statement, types, args);
    va_end(args);
    return *statement;
}

sqlite3_stmt *sql_prepare(struct sql *sql, const char *text, const char *types, ...)
{
    sqlite3_stmt *statement = NULL;
    if (!prepare(sql, text, 0, &statement))
        return NULL;
    va_list args;
    va_start(args, types);
    bind_all(statement, types, args);
    va_end(args);
    return statement;
}

/* A statement that stopped half-way would be in the way of COMMIT and RELEASE. */
static bool end_step(struct sql *sql, sqlite3_stmt *statement, const char *failure)
{
    if (failure)
        sql_fail(sql, failure);
    sqlite3_reset(statement);
    return false;
}

bool sql_row(struct sql *sql, sqlite3_stmt *statement)
{
    if (!statement)
        return false;
    if (sql->failed)
        return end_step(sql, statement, NULL);
    if (sql->fault && sql->fault(sql->fault_ctx, sqlite3_sql(statement)))
        return end_step(sql, statement, "injected failure");
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return true;
    return end_step(sql, statement, code == SQLITE_DONE ? NULL : sqlite3_errmsg(sql->db));
}

int64_t sql_done(struct sql *sql, sqlite3_stmt *statement)
{
    while (sql_row(sql, statement))
        continue;
    return sql->failed ? 0 : sqlite3_changes(sql->db);
}

void sql_run(struct sql *sql, enum sql_id id)
{
    sql_done(sql, sql_bind(sql, id, ""));
}

int64_t sql_new_id(const struct sql *sql)
{
    return sqlite3_last_insert_rowid(sql->db);
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

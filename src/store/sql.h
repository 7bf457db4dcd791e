/* One SQLite connection with its prepared statements, and short ways to bind, step and read.
 *
 * Every statement that writes is one row of `sql_texts` (sql_texts.c), prepared on first use and
 * kept. Errors are sticky within a unit of work: after a failed step the rest does nothing, and
 * whoever opened the unit asks sql_ok() at its end. Owned by one thread. Private to store/. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include <sqlite3.h>
#include <stdarg.h>

#include "base/reason.h"
#include "base/strbuf.h"
#include "station/record.h"

enum sql_id {
    SQL_BEGIN,
    SQL_BEGIN_READ,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_SAVEPOINT,
    SQL_RELEASE,
    SQL_BACK_TO_SAVEPOINT,
    SQL_PUT_CHARGE_POINT,
    SQL_DELETE_CHARGE_POINT,
    SQL_DELETE_CONNECTORS,
    SQL_PUT_CONNECTOR,
    SQL_FIND_START,
    SQL_ADD_START,
    SQL_STOP_OPEN,
    SQL_STOP_ESTIMATED,
    SQL_GET_STOPPED,
    SQL_PUT_TRANSACTION_VARS,
    SQL_PUT_PRICE,
    SQL_PUT_FINISHED,
    SQL_OWNS_TRANSACTION,
    SQL_FIND_KIND,
    SQL_ADD_KIND,
    SQL_FIND_PLACE,
    SQL_ADD_PLACE,
    SQL_FIND_METER_VALUE,
    SQL_ADD_METER_VALUE,
    SQL_ADD_STATUS,
    SQL_ADD_MESSAGE,
    SQL_ADD_DECISION,
    SQL_ADD_SECURITY_EVENT,
    SQL_ADD_JOB_STATUS,
    SQL_ADD_ORPHAN,
    SQL_ADD_EVENT,
    SQL_ADD_BLOCK,
    SQL_ADD_BLOCK_KEY,
    SQL_PUT_ID_TAG,
    SQL_DELETE_ID_TAG,
    SQL_PUT_KV,
    SQL_DELETE_KV,
    SQL_PUT_COMMAND,
    SQL_LOSE_COMMANDS,
    SQL_PUT_CONFIGURATION,
    SQL_FORGET_CONFIGURATION,
    SQL_PUT_RESERVATION,
    SQL_END_RESERVATION,
    SQL_END_RESERVATIONS,
    SQL_REPLACE_PROFILES,
    SQL_ADD_PROFILE,
    SQL_CLEAR_PROFILES,
    SQL_FORGET_PROFILES,
    SQL_ANY_TX_PROFILE,
    SQL_BIND_TX_PROFILES,
    SQL_END_TX_PROFILES,
    SQL_PUT_LOCAL_LIST,
    SQL_FORGET_LOCAL_LIST,
    SQL_EMPTY_LOCAL_LIST,
    SQL_EMPTY_OTHER_LOCAL_LIST,
    SQL_PUT_LOCAL_LIST_ENTRY,
    SQL_DELETE_LOCAL_LIST_ENTRY,
    SQL_PUT_AVAILABILITY,
    SQL_FORGET_AVAILABILITY,
    SQL_ADD_JOB,
    SQL_PUT_STATUS_OF_JOB,
    SQL_COUNT
};

extern const char *const sql_texts[SQL_COUNT];

struct sql {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_COUNT];
    bool failed; /* sticky; see above */
    char error[256];
    bool (*fault)(void *ctx, const char *text); /* tests: true fails the step; NULL: none does */
    void *fault_ctx;
};

/* Opens the file, to write (created if missing) or only to read. False and nothing is open. */
bool sql_open(struct sql *sql, const char *path, bool to_write, struct reason *why);
void sql_close(struct sql *sql);

bool sql_ok(const struct sql *sql);
/* The unit of work fails for a reason of ours. */
void sql_fail(struct sql *sql, const char *why);
void sql_reset_error(struct sql *sql);
/* Several statements separated by semicolons, without parameters. */
bool sql_script(struct sql *sql, const char *text, struct reason *why);

/* Binds by `types`, one letter a parameter: t const char * (NULL allowed); s const char * and
 * size_t; i int64_t; o int64_t where ABSENT becomes NULL. Texts are borrowed until the statement is
 * done. Returns the statement, ready to step; NULL after an error. */
sqlite3_stmt *sql_bind(struct sql *sql, enum sql_id id, const char *types, ...);
/* The same for a statement that is needed once; the caller finalizes it. */
sqlite3_stmt *sql_prepare(struct sql *sql, const char *text, const char *types, ...);
/* One step: true while there is a row. Whoever stops before false calls sqlite3_reset(). */
bool sql_row(struct sql *sql, sqlite3_stmt *statement);
/* Steps to the end; returns the number of changed rows (0 after an error). */
int64_t sql_done(struct sql *sql, sqlite3_stmt *statement);
/* A statement of the table that takes nothing and gives nothing. */
void sql_run(struct sql *sql, enum sql_id id);
/* The id that the last INSERT gave out. */
int64_t sql_new_id(const struct sql *sql);

int64_t sql_int(sqlite3_stmt *statement, int column); /* NULL gives ABSENT */
/* NULL gives NULL; until the next step. */
const char *sql_text(sqlite3_stmt *statement, int column);

#endif

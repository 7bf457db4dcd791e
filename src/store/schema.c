/* See schema.h. Adding to the schema = one more element of `migrations`; none is ever changed. */
#include "store/schema.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"

enum { APPLICATION_ID = 0x43427267 }; /* "CBrg": tells our files from others */

static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE charge_point (id TEXT PRIMARY KEY COLLATE NOCASE, registration TEXT NOT NULL,"
    " password_hash TEXT, security_profile INTEGER NOT NULL, options TEXT, version TEXT, vendor "
    "TEXT,"
    " model TEXT, serial TEXT, firmware TEXT, boot TEXT, created_ms INTEGER NOT NULL,"
    " last_boot_ms INTEGER, last_seen_ms INTEGER, vars TEXT);"
    "CREATE TABLE connector (cp TEXT NOT NULL COLLATE NOCASE, evse INTEGER NOT NULL,"
    " connector INTEGER NOT NULL, status TEXT, error_code TEXT, info TEXT, vendor_id TEXT,"
    " vendor_error_code TEXT, status_ms INTEGER, newest_start_ms INTEGER, last_meter_stop_wh "
    "INTEGER,"
    " PRIMARY KEY (cp, evse, connector)) WITHOUT ROWID;"
    /* The repeat key (X3) has its own never-null columns: ABSENT takes part in it as the
     * smallest integer, which no charger can send.
     * order_ms is the start, or the receipt of a charger whose clock is not set (B11). */
    "CREATE TABLE charge_transaction (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " cp TEXT NOT NULL COLLATE NOCASE, evse INTEGER NOT NULL, connector INTEGER NOT NULL,"
    " id_tag TEXT NOT NULL COLLATE NOCASE, key_start_ms INTEGER NOT NULL,"
    " key_meter_wh INTEGER NOT NULL, order_ms INTEGER NOT NULL, station_id TEXT, parent_id_tag "
    "TEXT, start_ms INTEGER,"
    " start_text TEXT, received_ms INTEGER NOT NULL, meter_start_wh INTEGER, meter_start_text TEXT,"
    " reservation_id INTEGER, verdict TEXT, expiry TEXT, flags INTEGER NOT NULL, generation "
    "INTEGER,"
    " state INTEGER NOT NULL DEFAULT 0, stop_id_tag TEXT, stop_ms INTEGER, stop_text TEXT,"
    " stop_received_ms INTEGER, meter_stop_wh INTEGER, meter_stop_text TEXT, reason TEXT,"
    " energy_wh INTEGER, vars TEXT,"
    " UNIQUE (cp, evse, connector, id_tag, key_start_ms, key_meter_wh));"
    "CREATE INDEX transaction_open ON charge_transaction (id) WHERE state = 0;"
    "CREATE INDEX transaction_of_connector ON charge_transaction (cp, evse, connector)"
    " WHERE state = 0;"
    "CREATE INDEX transaction_by_time ON charge_transaction (order_ms, id);"
    "CREATE INDEX transaction_by_cp ON charge_transaction (cp, order_ms, id);"
    /* One row a meterValue; what was sample text is in `vals` as kind=text (LIBRARIES.md §3). */
    "CREATE TABLE meter_kind (id INTEGER PRIMARY KEY, measurand TEXT NOT NULL, context TEXT NOT "
    "NULL,"
    " format TEXT NOT NULL, phase TEXT NOT NULL, location TEXT NOT NULL, unit TEXT NOT NULL,"
    " UNIQUE (measurand, context, format, phase, location, unit));"
    "CREATE TABLE meter_value (tx INTEGER NOT NULL, cp TEXT NOT NULL COLLATE NOCASE,"
    " evse INTEGER NOT NULL, connector INTEGER NOT NULL, ts_ms INTEGER NOT NULL, seq INTEGER NOT "
    "NULL,"
    " received_ms INTEGER NOT NULL, energy_wh INTEGER, power_w INTEGER, soc INTEGER,"
    " implausible INTEGER NOT NULL, vals TEXT NOT NULL,"
    " PRIMARY KEY (tx, cp, evse, connector, ts_ms, seq)) WITHOUT ROWID;"
    "CREATE TABLE status_log (id INTEGER PRIMARY KEY, cp TEXT NOT NULL COLLATE NOCASE,"
    " evse INTEGER NOT NULL, connector INTEGER NOT NULL, status TEXT, error_code TEXT, info TEXT,"
    " vendor_id TEXT, vendor_error_code TEXT, ts_ms INTEGER, received_ms INTEGER NOT NULL,"
    " is_repeat INTEGER NOT NULL);"
    "CREATE INDEX status_by_cp ON status_log (cp, id);"
    "CREATE TABLE message (id INTEGER PRIMARY KEY, cp TEXT NOT NULL COLLATE NOCASE,"
    " connection INTEGER NOT NULL, ts_ms INTEGER NOT NULL, outgoing INTEGER NOT NULL,"
    " text TEXT NOT NULL, note TEXT);"
    "CREATE INDEX message_by_cp ON message (cp, id);"
    "CREATE TABLE decision (id INTEGER PRIMARY KEY, cp TEXT COLLATE NOCASE, ts_ms INTEGER NOT NULL,"
    " event TEXT NOT NULL, id_tag TEXT COLLATE NOCASE, evse INTEGER, connector INTEGER, tx INTEGER,"
    " verdict TEXT, why TEXT, file TEXT, line INTEGER, generation INTEGER, inputs TEXT);"
    "CREATE INDEX decision_by_tag ON decision (id_tag, id);"
    "CREATE TABLE security_event (id INTEGER PRIMARY KEY, cp TEXT COLLATE NOCASE, type TEXT,"
    " tech_info TEXT, ts_ms INTEGER, received_ms INTEGER NOT NULL);"
    "CREATE TABLE job_status (id INTEGER PRIMARY KEY, cp TEXT NOT NULL COLLATE NOCASE,"
    " kind TEXT NOT NULL, status TEXT, request_id INTEGER, ts_ms INTEGER NOT NULL);"
    "CREATE TABLE id_tag (id_tag TEXT PRIMARY KEY COLLATE NOCASE, status TEXT NOT NULL,"
    " expiry_ms INTEGER, parent_id_tag TEXT, note TEXT, max_active INTEGER);"
    "CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires_ms INTEGER);"
    "CREATE TABLE orphan (id INTEGER PRIMARY KEY, cp TEXT NOT NULL COLLATE NOCASE, action TEXT,"
    " payload TEXT, why TEXT, ts_ms INTEGER NOT NULL);"
    "CREATE TABLE event (id INTEGER PRIMARY KEY, cp TEXT COLLATE NOCASE, kind TEXT NOT NULL,"
    " detail TEXT, ts_ms INTEGER NOT NULL);"
    "CREATE TABLE api_key (name TEXT PRIMARY KEY, scope TEXT NOT NULL, hash TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL);",
};

enum { NEWEST = sizeof(migrations) / sizeof(migrations[0]) };

static int64_t pragma(struct sql *sql, const char *name)
{
    char *text = xprintf("PRAGMA %s", name);
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(sql->db, text, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    xfree(text);
    return value;
}

/* SQLite's own copy: consistent whatever is in the WAL. */
static bool keep_copy(struct sql *sql, const char *path, struct reason *why)
{
    char *copy = xprintf("%s.before-%d", path, NEWEST);
    sqlite3 *to = NULL;
    remove(copy);
    bool ok = sqlite3_open(copy, &to) == SQLITE_OK;
    sqlite3_backup *backup = ok ? sqlite3_backup_init(to, "main", sql->db, "main") : NULL;
    ok = backup && sqlite3_backup_step(backup, -1) == SQLITE_DONE;
    ok = sqlite3_backup_finish(backup) == SQLITE_OK && ok;
    if (!ok)
        reason_set(why, "store: cannot keep a copy in \"%s\" before the migration: %s", copy,
                   sqlite3_errmsg(to));
    sqlite3_close(to);
    xfree(copy);
    return ok;
}

static bool apply(struct sql *sql, int64_t from, struct reason *why)
{
    struct reason cause;
    char *version =
        xprintf("PRAGMA user_version=%d; PRAGMA application_id=%d;", NEWEST, APPLICATION_ID);
    bool ok = sql_script(sql, "BEGIN IMMEDIATE", &cause);
    for (int64_t i = from; ok && i < NEWEST; i++)
        ok = sql_script(sql, migrations[i], &cause);
    ok = ok && sql_script(sql, version, &cause) && sql_script(sql, "COMMIT", &cause);
    xfree(version);
    if (ok)
        return true;
    sql_script(sql, "ROLLBACK", NULL);
    return reason_set(why, "store: migration from version %" PRId64 " to %d failed: %s", from,
                      NEWEST, cause.text);
}

bool schema_migrate(struct sql *sql, const char *path, struct reason *why)
{
    int64_t version = pragma(sql, "user_version");
    int64_t pages = pragma(sql, "page_count");
    int64_t application = pragma(sql, "application_id");
    if (version < 0 || pages < 0)
        return reason_set(why, "store: \"%s\" is not a database: %s", path,
                          sqlite3_errmsg(sql->db));
    if (pages > 0 && application != APPLICATION_ID && !(version == 0 && pages <= 1))
        return reason_set(why, "store: \"%s\" is a database of another program", path);
    if (version > NEWEST)
        return reason_set(why,
                          "store: \"%s\" was written by a newer ChargeBridge (schema %" PRId64
                          ", this one knows %d)",
                          path, version, NEWEST);
    struct reason cause;
    if (!sql_script(sql, "PRAGMA journal_mode=WAL", &cause))
        return reason_set(why, "store: cannot use \"%s\": %s", path, cause.text);
    if (version == NEWEST)
        return true;
    if (version > 0 && !keep_copy(sql, path, why))
        return false;
    return apply(sql, version, why);
}

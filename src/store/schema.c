/* See schema.h. Adding to the schema is one more element of `migrations`; none is ever changed once
 * a release has run it.
 *
 * Identities and idTags are compared without case everywhere (COLLATE NOCASE). There are no foreign
 * keys: rows outlive the charge point that they tell of, and values may come before it is known. */
#include "store/schema.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"

enum { APPLICATION_ID = 0x43427267 }; /* "CBrg": tells our files from those of others */

static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE charge_point (id TEXT PRIMARY KEY COLLATE NOCASE, registration TEXT NOT NULL,"
    " password_hash TEXT, security_profile INTEGER NOT NULL, options TEXT, version TEXT,"
    " vendor TEXT, model TEXT, serial TEXT, firmware TEXT, boot TEXT,"
    " created_ms INTEGER NOT NULL, last_boot_ms INTEGER, last_seen_ms INTEGER, vars TEXT);"

    "CREATE TABLE connector (cp TEXT NOT NULL COLLATE NOCASE, evse INTEGER NOT NULL,"
    " connector INTEGER NOT NULL, status TEXT, error_code TEXT, info TEXT, vendor_id TEXT,"
    " vendor_error_code TEXT, status_ms INTEGER, newest_start_ms INTEGER,"
    " last_meter_stop_wh INTEGER, PRIMARY KEY (cp, evse, connector)) WITHOUT ROWID;"

    /* Ids are never used again (AUTOINCREMENT) and fit what chargers can hold (X2). The repeat key
     * (X3) has columns of its own that are never NULL: ABSENT takes part in it as the smallest
     * integer, which no charger can send.
     * order_ms is the start, or the receipt if the charger's clock was not set (B11). */
    "CREATE TABLE charge_transaction ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 2147483647),"
    " cp TEXT NOT NULL COLLATE NOCASE, evse INTEGER NOT NULL, connector INTEGER NOT NULL,"
    " id_tag TEXT NOT NULL COLLATE NOCASE, key_start_ms INTEGER NOT NULL,"
    " key_meter_wh INTEGER NOT NULL, order_ms INTEGER NOT NULL, station_id TEXT,"
    " parent_id_tag TEXT, start_ms INTEGER, start_text TEXT, received_ms INTEGER NOT NULL,"
    " meter_start_wh INTEGER, meter_start_text TEXT, reservation_id INTEGER, verdict TEXT,"
    " expiry TEXT, flags INTEGER NOT NULL, generation INTEGER,"
    " state INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1)),"
    " stop_id_tag TEXT, stop_ms INTEGER, stop_text TEXT, stop_received_ms INTEGER,"
    " meter_stop_wh INTEGER, meter_stop_text TEXT, reason TEXT, energy_wh INTEGER, vars TEXT,"
    " UNIQUE (cp, evse, connector, id_tag, key_start_ms, key_meter_wh));"
    "CREATE INDEX transaction_open ON charge_transaction (order_ms, id) WHERE state = 0;"
    "CREATE INDEX transaction_by_time ON charge_transaction (order_ms, id);"
    "CREATE INDEX transaction_by_cp ON charge_transaction (cp, order_ms, id);"
    "CREATE INDEX transaction_by_tag ON charge_transaction (id_tag, order_ms, id);"

    /* One row a meterValue, as small as it gets (LIBRARIES.md §3): the samples are `kind=text`
     * lines in `vals`. The owner is a transaction id, or minus a place for values without one. */
    "CREATE TABLE meter_kind (id INTEGER PRIMARY KEY, measurand TEXT NOT NULL,"
    " context TEXT NOT NULL, format TEXT NOT NULL, phase TEXT NOT NULL, location TEXT NOT NULL,"
    " unit TEXT NOT NULL, UNIQUE (measurand, context, format, phase, location, unit));"
    "CREATE TABLE meter_place (id INTEGER PRIMARY KEY, cp TEXT NOT NULL COLLATE NOCASE,"
    " evse INTEGER NOT NULL, connector INTEGER NOT NULL, UNIQUE (cp, evse, connector));"
    "CREATE TABLE meter_value (owner INTEGER NOT NULL, ts_ms INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, place INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
    " energy_wh INTEGER, power_w INTEGER, soc INTEGER, implausible INTEGER NOT NULL,"
    " vals TEXT NOT NULL, PRIMARY KEY (owner, ts_ms, seq)) WITHOUT ROWID;"

    /* The lists: rows are only ever added, ids rise with time. list.h tells of their index. */
    "CREATE TABLE status_log (id INTEGER PRIMARY KEY, cp TEXT NOT NULL COLLATE NOCASE,"
    " evse INTEGER NOT NULL, connector INTEGER NOT NULL, status TEXT, error_code TEXT, info TEXT,"
    " vendor_id TEXT, vendor_error_code TEXT, ts_ms INTEGER, received_ms INTEGER NOT NULL,"
    " is_repeat INTEGER NOT NULL);"
    "CREATE TABLE message (id INTEGER PRIMARY KEY, cp TEXT NOT NULL COLLATE NOCASE,"
    " connection INTEGER NOT NULL, ts_ms INTEGER NOT NULL, outgoing INTEGER NOT NULL,"
    " text TEXT NOT NULL, note TEXT);"
    "CREATE TABLE decision (id INTEGER PRIMARY KEY, cp TEXT COLLATE NOCASE,"
    " ts_ms INTEGER NOT NULL, event TEXT NOT NULL, id_tag TEXT COLLATE NOCASE, evse INTEGER,"
    " connector INTEGER, tx INTEGER, verdict TEXT, why TEXT, file TEXT, line INTEGER,"
    " generation INTEGER, inputs TEXT);"
    "CREATE TABLE security_event (id INTEGER PRIMARY KEY, cp TEXT COLLATE NOCASE, type TEXT,"
    " tech_info TEXT, ts_ms INTEGER, received_ms INTEGER NOT NULL);"
    "CREATE TABLE job_status (id INTEGER PRIMARY KEY, cp TEXT NOT NULL COLLATE NOCASE,"
    " kind TEXT NOT NULL, status TEXT, request_id INTEGER, ts_ms INTEGER NOT NULL);"
    "CREATE TABLE orphan (id INTEGER PRIMARY KEY, cp TEXT NOT NULL COLLATE NOCASE, action TEXT,"
    " payload TEXT, why TEXT, ts_ms INTEGER NOT NULL);"
    "CREATE TABLE event (id INTEGER PRIMARY KEY, cp TEXT COLLATE NOCASE, kind TEXT NOT NULL,"
    " detail TEXT, ts_ms INTEGER NOT NULL);"
    "CREATE TABLE list_block (list INTEGER NOT NULL, block INTEGER NOT NULL,"
    " first_ms INTEGER NOT NULL, PRIMARY KEY (list, block)) WITHOUT ROWID;"
    "CREATE TABLE list_key (list INTEGER NOT NULL, block INTEGER NOT NULL,"
    " key TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY (list, block, key)) WITHOUT ROWID;"

    "CREATE TABLE id_tag (id_tag TEXT PRIMARY KEY COLLATE NOCASE, status TEXT NOT NULL,"
    " expiry_ms INTEGER, parent_id_tag TEXT, note TEXT, max_active INTEGER);"
    "CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires_ms INTEGER);"
    "CREATE TABLE api_key (name TEXT PRIMARY KEY, scope TEXT NOT NULL, hash TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL);",

    /* 2: what we asked of chargers, and what they accepted (C3, C5, C8, C9, P4, W1). `n` orders
     * rows of one moment; none of these tables is on the path of a charger's own messages. */
    "CREATE TABLE command (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE COLLATE NOCASE,"
    " cp TEXT NOT NULL COLLATE NOCASE, action TEXT NOT NULL, payload TEXT, asked_by TEXT,"
    " batch TEXT, state TEXT NOT NULL, asked_ms INTEGER NOT NULL, sent_ms INTEGER,"
    " ended_ms INTEGER, response TEXT, error_code TEXT, error_description TEXT,"
    " error_details TEXT, why TEXT);"
    "CREATE INDEX command_by_time ON command (asked_ms, n);"
    "CREATE INDEX command_by_cp ON command (cp, asked_ms, n);"
    "CREATE INDEX command_by_batch ON command (batch, asked_ms, n) WHERE batch IS NOT NULL;"
    "CREATE INDEX command_under_way ON command (n) WHERE ended_ms IS NULL AND state <> 'unknown';"

    "CREATE TABLE configuration (cp TEXT NOT NULL COLLATE NOCASE,"
    " key TEXT NOT NULL COLLATE NOCASE, value TEXT, readonly INTEGER, is_unknown INTEGER NOT NULL,"
    " reboot INTEGER NOT NULL, known_ms INTEGER NOT NULL, PRIMARY KEY (cp, key)) WITHOUT ROWID;"

    "CREATE TABLE reservation (n INTEGER PRIMARY KEY, cp TEXT NOT NULL COLLATE NOCASE,"
    " id INTEGER NOT NULL, connector INTEGER NOT NULL, id_tag TEXT NOT NULL COLLATE NOCASE,"
    " parent_id_tag TEXT COLLATE NOCASE, state TEXT NOT NULL, expiry_ms INTEGER NOT NULL,"
    " accepted_ms INTEGER NOT NULL, ended_ms INTEGER, tx INTEGER, UNIQUE (cp, id));"
    "CREATE INDEX reservation_by_time ON reservation (accepted_ms, n);"
    "CREATE INDEX reservation_by_cp ON reservation (cp, accepted_ms, n);"
    "CREATE INDEX reservation_standing ON reservation (accepted_ms, n) WHERE state = 'ACCEPTED';"

    "CREATE TABLE charging_profile (n INTEGER PRIMARY KEY, cp TEXT NOT NULL COLLATE NOCASE,"
    " connector INTEGER NOT NULL, id INTEGER NOT NULL, stack_level INTEGER NOT NULL,"
    " purpose TEXT NOT NULL, tx INTEGER, profile TEXT NOT NULL, accepted_ms INTEGER NOT NULL,"
    " UNIQUE (cp, id));"
    "CREATE INDEX charging_profile_by_time ON charging_profile (accepted_ms, n);"
    "CREATE INDEX charging_profile_by_cp ON charging_profile (cp, accepted_ms, n);"
    "CREATE INDEX charging_profile_of_tx ON charging_profile (cp) WHERE purpose = 'TxProfile';"

    "CREATE TABLE local_list (cp TEXT PRIMARY KEY COLLATE NOCASE, version INTEGER NOT NULL,"
    " known_ms INTEGER NOT NULL);"
    "CREATE TABLE local_list_entry (cp TEXT NOT NULL COLLATE NOCASE,"
    " id_tag TEXT NOT NULL COLLATE NOCASE, info TEXT, PRIMARY KEY (cp, id_tag)) WITHOUT ROWID;"

    "CREATE TABLE availability (n INTEGER PRIMARY KEY, cp TEXT NOT NULL COLLATE NOCASE,"
    " connector INTEGER NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL,"
    " known_ms INTEGER NOT NULL, UNIQUE (cp, connector));"
    "CREATE INDEX availability_by_time ON availability (known_ms, n);"
    "CREATE INDEX availability_by_cp ON availability (cp, known_ms, n);"

    /* Statuses tell the id of their job, so it never comes again (AUTOINCREMENT). */
    "CREATE TABLE job (id INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT COLLATE NOCASE,"
    " cp TEXT NOT NULL COLLATE NOCASE, kind TEXT NOT NULL, action TEXT, location TEXT, file TEXT,"
    " request_id INTEGER, accepted_ms INTEGER NOT NULL, status TEXT, status_ms INTEGER);"
    "CREATE INDEX job_by_cp ON job (cp, id);"
    "CREATE INDEX job_by_kind ON job (cp, kind, id);"
    "CREATE INDEX job_by_time ON job (accepted_ms);"
    "ALTER TABLE job_status ADD COLUMN job INTEGER;",

    /* 3: what a transaction costs, in the currency's smallest unit; `due`: its price and on.stop
     * are not through yet. */
    "ALTER TABLE charge_transaction ADD COLUMN due INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE charge_transaction ADD COLUMN price_currency TEXT;"
    "ALTER TABLE charge_transaction ADD COLUMN price_digits INTEGER;"
    "ALTER TABLE charge_transaction ADD COLUMN price_total INTEGER;"
    "ALTER TABLE charge_transaction ADD COLUMN price_lines TEXT;"
    "ALTER TABLE charge_transaction ADD COLUMN price_tariff TEXT;"
    "ALTER TABLE charge_transaction ADD COLUMN price_generation INTEGER;"
    "ALTER TABLE charge_transaction ADD COLUMN price_file TEXT;"
    "ALTER TABLE charge_transaction ADD COLUMN price_line INTEGER;"
    "CREATE INDEX transaction_due ON charge_transaction (order_ms, id) WHERE due = 1;"
    "ALTER TABLE decision ADD COLUMN answer TEXT;",
};

const struct schema schema_newest = {migrations, ARRAY_LEN(migrations)};

/* ---- whose file is it? ---- */

struct header {
    int64_t version, application, tables;
};

static bool read_int(struct sql *sql, const char *text, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(sql->db, text, -1, &statement, NULL) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_ROW;
    if (ok)
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return ok;
}

static bool read_header(struct sql *sql, const char *path, struct header *header,
                        struct reason *why)
{
    if (read_int(sql, "PRAGMA user_version", &header->version) &&
        read_int(sql, "PRAGMA application_id", &header->application) &&
        read_int(sql, "SELECT count(*) FROM sqlite_schema", &header->tables))
        return true;
    bool foreign = sqlite3_errcode(sql->db) == SQLITE_NOTADB;
    return reason_set(why, "store: \"%s\" %s: %s", path,
                      foreign ? "is not a database" : "cannot be read", sqlite3_errmsg(sql->db));
}

static bool check_header(struct sql *sql, const char *path, const struct schema *schema,
                         const struct header *header, struct reason *why)
{
    bool empty = header->version == 0 && header->application == 0 && header->tables == 0;
    if (!empty && header->application != APPLICATION_ID)
        return reason_set(why, "store: \"%s\" is a database of another program", path);
    if (header->version > schema->count)
        return reason_set(why,
                          "store: \"%s\" was written by a newer ChargeBridge (schema %" PRId64
                          ", this one knows %d)",
                          path, header->version, schema->count);
    if (sqlite3_db_readonly(sql->db, "main") == 1)
        return reason_set(why, "store: \"%s\" is not writable", path);
    return true;
}

/* ---- bringing it up to date ---- */

/* SQLite's own copy: consistent whatever is in the WAL. */
static bool keep_copy(struct sql *sql, const char *path, int version, struct reason *why)
{
    char *copy = xprintf("%s.before-%d", path, version);
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

static bool migrate(struct sql *sql, int64_t from, const struct schema *schema, struct reason *why)
{
    struct reason cause = {{0}};
    char *version =
        xprintf("PRAGMA user_version=%d; PRAGMA application_id=%d;", schema->count, APPLICATION_ID);
    bool ok = sql_script(sql, "BEGIN IMMEDIATE", &cause);
    for (int64_t i = from; ok && i < schema->count; i++)
        ok = sql_script(sql, schema->migrations[i], &cause);
    ok = ok && sql_script(sql, version, &cause) && sql_script(sql, "COMMIT", &cause);
    xfree(version);
    if (ok)
        return true;
    sql_script(sql, "ROLLBACK", NULL);
    return reason_set(why, "store: migration from version %" PRId64 " to %d failed: %s", from,
                      schema->count, cause.text);
}

static bool bring_up_to_date(struct sql *sql, const char *path, const struct header *header,
                             const struct schema *schema, struct reason *why)
{
    if (header->version == schema->count)
        return true;
    if (header->tables > 0 && !keep_copy(sql, path, schema->count, why))
        return false;
    return migrate(sql, header->version, schema, why);
}

/* FULL: a commit that we told of survives the loss of power. In memory: journals of savepoints and
 * statements; as files they cost a third of the writer's time (measured). */
static bool configure(struct sql *sql, const char *path, struct reason *why)
{
    struct reason cause = {{0}};
    if (sql_script(sql,
                   "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;"
                   "PRAGMA cache_size=-16384; PRAGMA journal_size_limit=67108864;",
                   &cause))
        return true;
    return reason_set(why, "store: cannot use \"%s\": %s", path, cause.text);
}

bool schema_open(struct sql *sql, const char *path, const struct schema *schema, bool may_migrate,
                 struct reason *why)
{
    struct header header = {0};
    if (!sql_open(sql, path, true, why))
        return false;
    bool ok = read_header(sql, path, &header, why) && check_header(sql, path, schema, &header, why);
    if (ok && header.version < schema->count && !may_migrate)
        ok = reason_set(why,
                        "store: \"%s\" has an older schema (%" PRId64 " of %d); the server that is "
                        "running on it must be stopped first",
                        path, header.version, schema->count);
    ok = ok && configure(sql, path, why) && bring_up_to_date(sql, path, &header, schema, why);
    if (!ok)
        sql_close(sql);
    return ok;
}

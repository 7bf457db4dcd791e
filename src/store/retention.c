/* Deleting what is older than its retention, a bounded number of rows at a time. */
#include "base/mem.h"
#include "store/parts.h"

enum { ROWS_AT_ONCE = 1000, DAY_MS = 24 * 3600 * 1000 };

/* Each deletes at most ?2 rows older than ?1; the inner select stays on the primary key. */
static const struct aged {
    size_t days_at; /* in struct store_retention */
    const char *sql;
} aged[] = {
    {offsetof(struct store_retention, message_days),
     "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE ts_ms < ?1 ORDER BY id LIMIT "
     "?2)"},
    {offsetof(struct store_retention, status_days),
     "DELETE FROM status_log WHERE id IN (SELECT id FROM status_log WHERE received_ms < ?1"
     " ORDER BY id LIMIT ?2)"},
    {offsetof(struct store_retention, decision_days),
     "DELETE FROM decision WHERE id IN (SELECT id FROM decision WHERE ts_ms < ?1 ORDER BY id LIMIT "
     "?2)"},
    {offsetof(struct store_retention, event_days),
     "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE ts_ms < ?1 ORDER BY id LIMIT ?2)"},
    {offsetof(struct store_retention, event_days), "DELETE FROM orphan WHERE id IN (SELECT id FROM "
                                                   "orphan WHERE ts_ms < ?1 ORDER BY id LIMIT ?2)"},
    {offsetof(struct store_retention, event_days),
     "DELETE FROM job_status WHERE id IN (SELECT id FROM job_status WHERE ts_ms < ?1"
     " ORDER BY id LIMIT ?2)"},
    {offsetof(struct store_retention, event_days),
     "DELETE FROM security_event WHERE id IN (SELECT id FROM security_event WHERE received_ms < ?1"
     " ORDER BY id LIMIT ?2)"},
    /* Samples without a transaction, then those of transactions stopped long ago. */
    {offsetof(struct store_retention, meter_value_days),
     "DELETE FROM meter_value WHERE (tx, cp, evse, connector, ts_ms, seq) IN (SELECT tx, cp, evse,"
     " connector, ts_ms, seq FROM meter_value WHERE received_ms < ?1 AND tx NOT IN"
     " (SELECT id FROM charge_transaction WHERE state = 0) LIMIT ?2)"},
};

static int delete_rows(struct sql *sql, const char *text, int64_t bound)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(sql->db, text, -1, &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, bound);
        sqlite3_bind_int64(statement, 2, ROWS_AT_ONCE);
    }
    int changed = sql_done(sql, statement);
    if (!statement)
        sql_fail(sql);
    sqlite3_finalize(statement);
    return changed;
}

/* All but the newest `rows` messages, by id. */
static int delete_surplus_messages(struct sql *sql, int64_t rows)
{
    return delete_rows(sql,
                       "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE id <= "
                       "(SELECT max(id) FROM message) - ?1 ORDER BY id LIMIT ?2)",
                       rows);
}

bool retention_step(struct sql *sql, const struct store_retention *keep, wall_t now)
{
    bool more = false;
    for (size_t i = 0; i < ARRAY_LEN(aged); i++) {
        int64_t days = *(const int64_t *)(const void *)((const char *)keep + aged[i].days_at);
        if (days > 0)
            more |= delete_rows(sql, aged[i].sql, now - days * DAY_MS) >= ROWS_AT_ONCE;
    }
    if (keep->message_rows > 0)
        more |= delete_surplus_messages(sql, keep->message_rows) >= ROWS_AT_ONCE;
    return more && sql_ok(sql);
}

/* Deleting what is older than its retention, a bounded number of rows at a time, oldest first.
 *
 * The lists go block by block (list.h): the index says when a block began, so what is young is not
 * even looked at. Meter values go owner by owner: the values without a transaction (negative
 * owners), then transactions in order of their ids, that is of receipt, up to the first that is
 * young. The newest row of a list stays, so that its ids go on rising. Commands, jobs and
 * reservations go some days after they ended, with the events. Transactions themselves are kept for
 * ever. */
#include "base/mem.h"
#include "store/parts.h"

/* So few that a batch that comes meanwhile waits for some milliseconds at most. */
enum { ROWS_AT_ONCE = 250, OWNERS_AT_ONCE = 250 };

static const int64_t day_ms = 24LL * 3600 * 1000;

static const size_t days_of_list[LIST_COUNT] = {
    [LIST_MESSAGE] = offsetof(struct store_retention, message_days),
    [LIST_STATUS] = offsetof(struct store_retention, status_days),
    [LIST_DECISION] = offsetof(struct store_retention, decision_days),
    [LIST_SECURITY_EVENT] = offsetof(struct store_retention, event_days),
    [LIST_JOB_STATUS] = offsetof(struct store_retention, event_days),
    [LIST_ORPHAN] = offsetof(struct store_retention, event_days),
    [LIST_EVENT] = offsetof(struct store_retention, event_days),
};

/* The one value of a query; ABSENT: no row. */
static int64_t ask(struct sql *sql, sqlite3_stmt *statement)
{
    int64_t value = sql_row(sql, statement) ? sql_int(statement, 0) : ABSENT;
    sqlite3_finalize(statement);
    return value;
}

static int64_t change(struct sql *sql, sqlite3_stmt *statement)
{
    int64_t changed = sql_done(sql, statement);
    sqlite3_finalize(statement);
    return changed;
}

/* ---- lists ---- */

struct limits { /* of one list: what is older than one of them goes */
    int64_t before_ms, up_to_id, newest_id;
};

static struct limits limits_of(const struct retention *job, struct sql *sql,
                               const struct store_retention *keep)
{
    const char *at = (const char *)keep + days_of_list[job->list];
    int64_t days = *(const int64_t *)(const void *)at;
    struct limits limits = {days > 0 ? job->now - days * day_ms : ABSENT, 0, 0};
    char *text = xprintf("SELECT max(id) FROM %s", list_tables[job->list].table);
    limits.newest_id = ask(sql, sql_prepare(sql, text, ""));
    xfree(text);
    if (limits.newest_id == ABSENT)
        limits.newest_id = 0;
    if (job->list == LIST_MESSAGE && keep->message_rows > 0)
        limits.up_to_id = limits.newest_id - keep->message_rows;
    return limits;
}

/* The next block that may hold old rows. One that claims to be of the future began while our clock
 * was wrong, and says nothing about those behind it. */
static int64_t next_block(const struct retention *job, struct sql *sql, const struct limits *limits)
{
    sqlite3_stmt *row = sql_prepare(
        sql, "SELECT block, first_ms FROM list_block WHERE list = ? AND block >= ? ORDER BY block",
        "ii", (int64_t)job->list, job->at);
    int64_t block = ABSENT;
    if (sql_row(sql, row)) {
        int64_t first_ms = sql_int(row, 1);
        bool young = first_ms >= limits->before_ms && first_ms <= job->now + day_ms;
        if (limits->before_ms == ABSENT)
            young = true;
        if (!young || sql_int(row, 0) * LIST_BLOCK <= limits->up_to_id)
            block = sql_int(row, 0);
    }
    sqlite3_finalize(row);
    return block;
}

static int64_t delete_rows(const struct retention *job, struct sql *sql,
                           const struct limits *limits, int64_t block)
{
    const struct list_table *list = &list_tables[job->list];
    char *text = xprintf("DELETE FROM %s WHERE id IN (SELECT id FROM %s WHERE id >= ?1 AND id < ?2"
                         " AND (%s < ?3 OR id <= ?4) ORDER BY id LIMIT %d)",
                         list->table, list->table, list->time, ROWS_AT_ONCE);
    int64_t end = (block + 1) * LIST_BLOCK;
    if (end > limits->newest_id)
        end = limits->newest_id;
    int64_t changed = change(sql, sql_prepare(sql, text, "iiii", block * LIST_BLOCK, end,
                                              limits->before_ms, limits->up_to_id));
    xfree(text);
    return changed;
}

static void delete_block_if_empty(const struct retention *job, struct sql *sql, int64_t block)
{
    char *text =
        xprintf("SELECT id FROM %s WHERE id >= ? AND id < ? LIMIT 1", list_tables[job->list].table);
    int64_t left =
        ask(sql, sql_prepare(sql, text, "ii", block * LIST_BLOCK, (block + 1) * LIST_BLOCK));
    xfree(text);
    if (left != ABSENT)
        return;
    change(sql, sql_prepare(sql, "DELETE FROM list_key WHERE list = ? AND block = ?", "ii",
                            (int64_t)job->list, block));
    change(sql, sql_prepare(sql, "DELETE FROM list_block WHERE list = ? AND block = ?", "ii",
                            (int64_t)job->list, block));
}

static void step_list(struct retention *job, struct sql *sql, const struct store_retention *keep)
{
    struct limits limits = limits_of(job, sql, keep);
    int64_t block = next_block(job, sql, &limits);
    if (block == ABSENT) {
        job->list++;
        job->at = 0;
    } else if (delete_rows(job, sql, &limits, block) < ROWS_AT_ONCE) {
        delete_block_if_empty(job, sql, block);
        job->at = block + 1;
    }
}

/* ---- commands, jobs, reservations ---- */

/* Each has an index by the time it began, and none ends before that. */
static const struct ended_table {
    const char *table, *key, *began, *ended_before;
} ended_tables[] = {
    /* C3: when it ended may be unknown */
    {"command", "n", "asked_ms", "state <> 'queued' AND coalesce(ended_ms, asked_ms) < ?1"},
    {"job", "id", "accepted_ms", "coalesce(status_ms, accepted_ms) < ?1"},
    /* C8: the clock ends what nothing else did */
    {"reservation", "n", "accepted_ms", "coalesce(ended_ms, expiry_ms) < ?1"},
};

static void step_ended(struct retention *job, struct sql *sql, int64_t before_ms)
{
    const struct ended_table *t = &ended_tables[job->ended];
    char *text = xprintf("DELETE FROM %s WHERE %s IN (SELECT %s FROM %s WHERE %s < ?1 AND %s"
                         " ORDER BY %s LIMIT %d)",
                         t->table, t->key, t->key, t->table, t->began, t->ended_before, t->began,
                         ROWS_AT_ONCE);
    if (change(sql, sql_prepare(sql, text, "i", before_ms)) < ROWS_AT_ONCE)
        job->ended++;
    xfree(text);
}

/* ---- meter values ---- */

enum age { AGE_OLD, AGE_KEPT, AGE_YOUNG };

/* A transaction's values go all at once, when it has been over for so long; those of an open one
 * stay. All transactions behind a young one are young. */
static enum age age_of(struct sql *sql, int64_t owner, int64_t before_ms)
{
    if (owner < 0)
        return AGE_OLD;
    sqlite3_stmt *row = sql_prepare(
        sql, "SELECT received_ms, stop_received_ms FROM charge_transaction WHERE id = ?", "i",
        owner);
    enum age age = AGE_OLD; /* without its transaction */
    if (sql_row(sql, row)) {
        if (sql_int(row, 0) >= before_ms)
            age = AGE_YOUNG;
        else if (sql_int(row, 1) == ABSENT || sql_int(row, 1) >= before_ms)
            age = AGE_KEPT;
    }
    sqlite3_finalize(row);
    return age;
}

static int64_t delete_values(struct sql *sql, int64_t owner, int64_t before_ms)
{
    return change(sql, sql_prepare(sql,
                                   "DELETE FROM meter_value WHERE (owner, ts_ms, seq) IN (SELECT"
                                   " owner, ts_ms, seq FROM meter_value WHERE owner = ?1 AND"
                                   " (owner > 0 OR ts_ms < ?2) ORDER BY ts_ms, seq LIMIT ?3)",
                                   "iii", owner, before_ms, (int64_t)ROWS_AT_ONCE));
}

/* False: all owners are done. */
static bool step_meter_values(struct retention *job, struct sql *sql, int64_t before_ms)
{
    int64_t deleted = 0;
    for (int owners = 0; owners < OWNERS_AT_ONCE && deleted < ROWS_AT_ONCE; owners++) {
        int64_t owner = ask(
            sql, sql_prepare(sql, "SELECT owner FROM meter_value WHERE owner >= ? ORDER BY owner",
                             "i", job->at));
        enum age age = owner == ABSENT ? AGE_YOUNG : age_of(sql, owner, before_ms);
        if (age == AGE_YOUNG)
            return false;
        int64_t gone = age == AGE_OLD ? delete_values(sql, owner, before_ms) : 0;
        deleted += gone;
        job->at = gone < ROWS_AT_ONCE ? owner + 1 : owner;
    }
    return sql_ok(sql);
}

bool retention_step(struct retention *job, struct sql *sql, const struct store_retention *keep)
{
    bool more = true;
    sql_run(sql, SQL_BEGIN);
    if (job->list < LIST_COUNT) {
        step_list(job, sql, keep);
    } else if (keep->event_days > 0 && job->ended < (int)ARRAY_LEN(ended_tables)) {
        step_ended(job, sql, job->now - keep->event_days * day_ms);
    } else if (keep->meter_value_days <= 0) {
        more = false;
    } else {
        if (!job->rows_begun)
            job->at = ABSENT;
        job->rows_begun = true;
        more = step_meter_values(job, sql, job->now - keep->meter_value_days * day_ms);
    }
    sql_run(sql, SQL_COMMIT);
    return more && sql_ok(sql);
}

/* See history.h: three cursors over one snapshot, merged by time. */
#include "store/history.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/parts.h"

enum { DAY_MS = 86400000 };

struct cursor {
    sqlite3_stmt *statement;
    bool there; /* it stands on a row that was not given yet */
    wall_t at;
};

struct history {
    struct sql sql;
    struct cursor cursors[3]; /* by enum history_kind */
    sqlite3_stmt *asker;
    int given; /* the cursor whose row is borrowed; -1: none */
    int64_t count;
};

static const char messages[] =
    "SELECT ts_ms, cp, connection, outgoing, text FROM message WHERE ts_ms >= ?1 ORDER BY id";
static const char decisions[] =
    "SELECT ts_ms, cp, event, id_tag, evse, connector, tx, verdict, why,"
    " file, line, generation FROM decision WHERE ts_ms >= ?1 ORDER BY id";
static const char commands[] = "SELECT asked_ms, id, cp, action, payload, asked_by FROM command"
                               " WHERE asked_ms >= ?1 AND asked_by LIKE 'policy %'"
                               " ORDER BY asked_ms, n";

/* One number out of the database; `fallback` if there is none. */
static int64_t one(struct sql *sql, const char *text, int64_t argument, int64_t fallback)
{
    sqlite3_stmt *s = sql_prepare(sql, text, "i", argument);
    int64_t value = sql_row(sql, s) ? sql_int(s, 0) : ABSENT;
    sqlite3_finalize(s);
    return value == ABSENT ? fallback : value;
}

/* A transaction that was open at `since` has its beginning before it; chargers tell their statuses
 * at least once a day, or when they boot. */
static wall_t warm_up(struct sql *sql, wall_t since)
{
    if (since == ABSENT)
        return 0;
    wall_t begin = one(sql,
                       "SELECT min(order_ms) FROM charge_transaction WHERE order_ms < ?1"
                       " AND (state = 0 OR stop_ms >= ?1)",
                       since, since);
    return begin < since - DAY_MS ? begin : since - DAY_MS;
}

static void cursor_step(struct history *history, struct cursor *cursor)
{
    cursor->there = sql_row(&history->sql, cursor->statement);
    cursor->at = cursor->there ? sql_int(cursor->statement, 0) : 0;
}

struct history *history_open(const char *path, wall_t since, struct reason *why)
{
    struct history *history = xcalloc(1, sizeof(*history));
    history->given = -1;
    if (!sql_open(&history->sql, path, false, why)) {
        xfree(history);
        return NULL;
    }
    struct sql *sql = &history->sql;
    wall_t begin = warm_up(sql, since);
    history->count = one(sql, "SELECT count(*) FROM message WHERE ts_ms >= ?1", begin, 0);
    const char *const texts[] = {messages, decisions, commands};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        history->cursors[i].statement = sql_prepare(sql, texts[i], "i", (int64_t)begin);
        cursor_step(history, &history->cursors[i]);
    }
    history->asker = sql_prepare(sql, "SELECT asked_by FROM command WHERE id = ?1", "");
    if (sql_ok(sql))
        return history;
    history_close(history, why);
    return NULL;
}

/* ---- rows ---- */

/* `[2,"id",…` gives id; our own ids have no escapes. */
static struct span id_of_call(const char *text)
{
    static const char begin[] = "[2,\"";
    const char *id = text + sizeof(begin) - 1;
    const char *end = strncmp(text, begin, sizeof(begin) - 1) == 0 ? strchr(id, '"') : NULL;
    return end ? (struct span){id, (size_t)(end - id)} : (struct span){0};
}

static const char *asked_by(struct history *history, const char *text)
{
    struct span id = id_of_call(text);
    sqlite3_reset(history->asker);
    if (!id.at)
        return NULL;
    sqlite3_bind_text(history->asker, 1, id.at, (int)id.len, SQLITE_STATIC);
    return sql_row(&history->sql, history->asker) ? sql_text(history->asker, 0) : NULL;
}

static void read_message(struct history *history, sqlite3_stmt *s, struct history_item *item)
{
    item->message = (struct record_message){.ts_ms = sql_int(s, 0),
                                            .cp = sql_text(s, 1),
                                            .connection = sql_int(s, 2),
                                            .outgoing = sql_int(s, 3) != 0,
                                            .text = sql_text(s, 4)};
    item->message.len = strlen(item->message.text);
    item->asked_by = item->message.outgoing ? asked_by(history, item->message.text) : NULL;
}

static void read_decision(sqlite3_stmt *s, struct history_item *item)
{
    item->decision = (struct record_decision){.ts_ms = sql_int(s, 0),
                                              .cp = sql_text(s, 1),
                                              .event = sql_text(s, 2),
                                              .id_tag = sql_text(s, 3),
                                              .evse = sql_int(s, 4),
                                              .connector = sql_int(s, 5),
                                              .transaction_id = sql_int(s, 6),
                                              .verdict = sql_text(s, 7),
                                              .why = sql_text(s, 8),
                                              .file = sql_text(s, 9),
                                              .line = sql_int(s, 10),
                                              .generation = sql_int(s, 11)};
}

static void read_command(sqlite3_stmt *s, struct history_item *item)
{
    item->command = (struct record_command){.asked_ms = sql_int(s, 0),
                                            .id = sql_text(s, 1),
                                            .cp = sql_text(s, 2),
                                            .action = sql_text(s, 3),
                                            .payload = sql_text(s, 4),
                                            .asked_by = sql_text(s, 5)};
}

bool history_next(struct history *history, struct history_item *item)
{
    if (history->given >= 0)
        cursor_step(history, &history->cursors[history->given]);
    int first = -1;
    for (int i = 0; i < (int)ARRAY_LEN(history->cursors); i++) {
        const struct cursor *cursor = &history->cursors[i];
        if (cursor->there && (first < 0 || cursor->at < history->cursors[first].at))
            first = i;
    }
    history->given = first;
    if (first < 0 || !sql_ok(&history->sql))
        return false;
    *item = (struct history_item){.kind = (enum history_kind)first};
    sqlite3_stmt *s = history->cursors[first].statement;
    if (item->kind == HISTORY_MESSAGE)
        read_message(history, s, item);
    else if (item->kind == HISTORY_DECISION)
        read_decision(s, item);
    else
        read_command(s, item);
    return sql_ok(&history->sql);
}

int64_t history_count(const struct history *history)
{
    return history->count;
}

/* ---- the state to begin with ---- */

static bool tell(const struct sql *sql, struct reason *why)
{
    return sql_ok(sql) || reason_set(why, "store: %s", sql->error);
}

bool history_state(struct history *history, const struct restore_sink *sink, struct reason *why)
{
    restore_charge_points(&history->sql, sink);
    restore_id_tags(&history->sql, sink);
    restore_kv(&history->sql, sink);
    return tell(&history->sql, why);
}

bool history_close(struct history *history, struct reason *why)
{
    bool ok = tell(&history->sql, why);
    for (size_t i = 0; i < ARRAY_LEN(history->cursors); i++)
        sqlite3_finalize(history->cursors[i].statement);
    sqlite3_finalize(history->asker);
    sql_close(&history->sql);
    xfree(history);
    return ok;
}

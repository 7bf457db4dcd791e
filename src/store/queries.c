/* The named queries: what may be asked, by which parameters, in which order, as which members.
 *
 * One row per query. Conditions are added for the parameters that are given; pages go by keyset:
 * the cursor is the last row's place in the order. A new query is one row here; its caller is a
 * route. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/parts.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000, ROWS_BYTES_MAX = 32 << 20 };

struct parameter {
    const char *name;
    char type;                /* t text, i integer, l text for LIKE %…% */
    const char *condition;    /* with one ? */
    const char *const *words; /* instead of a bound value: word, condition, … NULL */
    bool required;
};

struct query_row {
    const char *name;
    const char *columns;       /* SQL; the order columns first, they are not members */
    const char *from;          /* with WHERE and a condition that always holds */
    const char *members;       /* `name:type …`: i integer, t text, j JSON, b bool, m samples */
    const char *order, *after; /* ORDER BY, and the keyset condition */
    int order_columns;         /* 1 or 2 */
    struct parameter parameters[8];
};

static const char *const state_words[] = {"open", "state = 0", "stopped", "state = 1",
                                          "all",  "1",         NULL};
static const char *const direction_words[] = {"in", "outgoing = 0", "out", "outgoing = 1", NULL};

#define BY_ID .order = "id DESC", .after = "id < ?", .order_columns = 1
#define BY_CP                                                                                      \
    {                                                                                              \
        "cpid", 't', "cp = ?", NULL, false                                                         \
    }
#define BY_CONNECTOR                                                                               \
    {                                                                                              \
        "connectorId", 'i', "evse = ?", NULL, false                                                \
    }

#define TRANSACTION_COLUMNS                                                                        \
    "order_ms, id, id, cp, evse, id_tag, parent_id_tag, meter_start_wh, meter_stop_wh, energy_wh," \
    " coalesce(start_ms, received_ms), stop_ms, reason, verdict, flags, stop_id_tag, generation,"  \
    " vars, state"
#define TRANSACTION_MEMBERS                                                                        \
    "transactionId:i cpid:t connectorId:i idTag:t parentIdTag:t meterStart:i meterStop:i energy:i" \
    " startMs:i stopMs:i reason:t verdict:t flags:i stopIdTag:t generation:i vars:j stopped:b"

static const struct query_row rows[] = {
    {.name = "history",
     .columns = TRANSACTION_COLUMNS,
     .from = "charge_transaction WHERE 1",
     .members = TRANSACTION_MEMBERS,
     .order = "order_ms DESC, id DESC",
     .after = "(order_ms, id) < (?, ?)",
     .order_columns = 2,
     .parameters = {BY_CP,
                    BY_CONNECTOR,
                    {"idTag", 't', "id_tag = ?", NULL, false},
                    {"from", 'i', "order_ms >= ?", NULL, false},
                    {"to", 'i', "order_ms < ?", NULL, false},
                    {"state", 't', "state = 1", state_words, false}}},
    {.name = "transaction",
     .columns = TRANSACTION_COLUMNS,
     .from = "charge_transaction WHERE 1",
     .members = TRANSACTION_MEMBERS,
     .order = "order_ms DESC, id DESC",
     .after = "(order_ms, id) < (?, ?)",
     .order_columns = 2,
     .parameters = {{"id", 'i', "id = ?", NULL, true}}},
    {.name = "messages",
     .columns = "id, cp, connection, ts_ms, outgoing, text, note",
     .from = "message WHERE 1",
     .members = "cpid:t connection:i tsMs:i outgoing:b text:t note:t",
     BY_ID,
     .parameters = {BY_CP,
                    {"from", 'i', "ts_ms >= ?", NULL, false},
                    {"to", 'i', "ts_ms < ?", NULL, false},
                    {"direction", 't', NULL, direction_words, false},
                    {"contains", 'l', "text LIKE ? ESCAPE '\\'", NULL, false}}},
    {.name = "decisions",
     .columns =
         "id, cp, ts_ms, event, id_tag, evse, tx, verdict, why, file, line, generation, inputs",
     .from = "decision WHERE 1",
     .members = "cpid:t tsMs:i event:t idTag:t connectorId:i transactionId:i verdict:t why:t file:t"
                " line:i generation:i inputs:j",
     BY_ID,
     .parameters = {BY_CP,
                    {"idTag", 't', "id_tag = ?", NULL, false},
                    {"event", 't', "event = ?", NULL, false}}},
    {.name = "statuses",
     .columns = "id, cp, evse, status, error_code, info, vendor_id, vendor_error_code, ts_ms,"
                " received_ms, is_repeat",
     .from = "status_log WHERE 1",
     .members =
         "cpid:t connectorId:i status:t errorCode:t info:t vendorId:t vendorErrorCode:t tsMs:i"
         " receivedMs:i repeat:b",
     BY_ID,
     .parameters = {BY_CP, BY_CONNECTOR}},
    {.name = "meter",
     .columns = "ts_ms, seq, ts_ms, received_ms, energy_wh, power_w, soc, implausible, vals",
     .from = "meter_value WHERE 1",
     .members = "tsMs:i receivedMs:i energyWh:i powerW:i soc:i implausible:b samples:m",
     .order = "ts_ms, seq",
     .after = "(ts_ms, seq) > (?, ?)",
     .order_columns = 2,
     .parameters = {{"transactionId", 'i', "tx = ?", NULL, true}}},
    {.name = "orphans",
     .columns = "id, cp, action, payload, why, ts_ms",
     .from = "orphan WHERE 1",
     .members = "cpid:t action:t payload:j why:t tsMs:i",
     BY_ID,
     .parameters = {BY_CP}},
    {.name = "events",
     .columns = "id, cp, kind, detail, ts_ms",
     .from = "event WHERE 1",
     .members = "cpid:t kind:t detail:j tsMs:i",
     BY_ID,
     .parameters = {BY_CP, {"kind", 't', "kind = ?", NULL, false}}},
    {.name = "jobs",
     .columns = "id, cp, kind, status, request_id, ts_ms",
     .from = "job_status WHERE 1",
     .members = "cpid:t kind:t status:t requestId:i tsMs:i",
     BY_ID,
     .parameters = {BY_CP, {"kind", 't', "kind = ?", NULL, false}}},
    {.name = "security_events",
     .columns = "id, cp, type, tech_info, ts_ms, received_ms",
     .from = "security_event WHERE 1",
     .members = "cpid:t type:t techInfo:t tsMs:i receivedMs:i",
     BY_ID,
     .parameters = {BY_CP}},
};

/* ---- building ---- */

struct build {
    const struct query_row *row;
    struct arena arena;
    const struct json *params;
    struct strbuf sql;
    struct json *bound[16]; /* values in the order of their ? */
    size_t bound_count;
    int64_t limit;
    struct reason *why;
};

static const struct query_row *find_row(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (text_is(rows[i].name, name))
            return &rows[i];
    return NULL;
}

static void bind_later(struct build *b, struct json *value)
{
    if (!NEVER(b->bound_count == ARRAY_LEN(b->bound)))
        b->bound[b->bound_count++] = value;
}

static bool add_word(struct build *b, const struct parameter *p, const char *word)
{
    for (int i = 0; p->words[i]; i += 2) {
        if (text_is(p->words[i], word)) {
            strbuf_addf(&b->sql, " AND %s", p->words[i + 1]);
            return true;
        }
    }
    return reason_set(b->why, "%s: \"%s\" is not known", p->name, word);
}

/* `%` and `_` in the text mean themselves. */
static struct json *like_pattern(struct build *b, const char *text)
{
    struct strbuf pattern = {0};
    strbuf_addc(&pattern, '%');
    for (; *text; text++) {
        if (strchr("%_\\", *text))
            strbuf_addc(&pattern, '\\');
        strbuf_addc(&pattern, *text);
    }
    strbuf_addc(&pattern, '%');
    struct json *node = json_new_string(&b->arena, (struct span){pattern.at, pattern.len});
    strbuf_clear(&pattern);
    return node;
}

static bool add_parameter(struct build *b, const struct parameter *p)
{
    struct json *value = json_get(b->params, p->name);
    int64_t number;
    if (!value || value->type == JSON_NULL) {
        if (p->required)
            return reason_set(b->why, "%s is missing", p->name);
        if (p->words && p->condition)
            strbuf_addf(&b->sql, " AND %s", p->condition);
        return true;
    }
    if (p->type == 'i' ? !json_int(value, &number) : !json_text(value))
        return reason_set(b->why, "%s: expected %s", p->name,
                          p->type == 'i' ? "an integer" : "a string");
    if (p->words)
        return add_word(b, p, json_text(value));
    strbuf_addf(&b->sql, " AND %s", p->condition);
    bind_later(b, p->type == 'l' ? like_pattern(b, json_text(value)) : value);
    return true;
}

static bool add_cursor(struct build *b)
{
    struct span rest = span_of(json_gets(b->params, "cursor")), part;
    if (!json_get(b->params, "cursor"))
        return true;
    strbuf_addf(&b->sql, " AND %s", b->row->after);
    for (int i = 0; i < b->row->order_columns; i++) {
        int64_t value;
        bool last = i + 1 == b->row->order_columns;
        if (!span_cut(&rest, '_', &part) || !span_int(part, &value) || last != !rest.at)
            return reason_set(b->why, "cursor: not one that this list gave");
        bind_later(b, json_new_int(&b->arena, value));
    }
    return true;
}

static bool is_known(const struct query_row *row, struct span name)
{
    if (span_is(name, "limit") || span_is(name, "cursor"))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(row->parameters) && row->parameters[i].name; i++)
        if (span_is(name, row->parameters[i].name))
            return true;
    return false;
}

static bool check_names(struct build *b)
{
    for (const struct json *member = b->params->child; member; member = member->next)
        if (!is_known(b->row, member->key))
            return reason_set(b->why, "%.*s: no such parameter", (int)member->key.len,
                              member->key.at);
    b->limit = LIMIT_DEFAULT;
    const struct json *limit = json_get(b->params, "limit");
    if (limit && (!json_int(limit, &b->limit) || b->limit < 1 || b->limit > LIMIT_MAX))
        return reason_set(b->why, "limit: expected 1 to %d", LIMIT_MAX);
    return true;
}

static bool build_sql(struct build *b)
{
    if (b->params->type != JSON_OBJECT)
        return reason_set(b->why, "parameters: expected an object");
    if (!check_names(b))
        return false;
    strbuf_addf(&b->sql, "SELECT %s FROM %s", b->row->columns, b->row->from);
    for (size_t i = 0; i < ARRAY_LEN(b->row->parameters) && b->row->parameters[i].name; i++)
        if (!add_parameter(b, &b->row->parameters[i]))
            return false;
    if (!add_cursor(b))
        return false;
    /* One more than asked for tells whether there is a next page. */
    strbuf_addf(&b->sql, " ORDER BY %s LIMIT %" PRId64, b->row->order, b->limit + 1);
    return true;
}

/* ---- writing rows ---- */

static void put_kind(sqlite3 *db, struct json_out *out, int64_t id)
{
    static const char *const names[] = {"measurand", "context",  "format",
                                        "phase",     "location", "unit"};
    sqlite3_stmt *s = NULL;
    sqlite3_prepare_v2(db,
                       "SELECT measurand, context, format, phase, location, unit FROM meter_kind"
                       " WHERE id = ?",
                       -1, &s, NULL);
    sqlite3_bind_int64(s, 1, id);
    if (sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < (int)ARRAY_LEN(names); i++) {
            const char *text = sql_text(s, i);
            if (!text || !*text)
                continue;
            json_key(out, names[i]);
            json_put_string(out, text);
        }
    }
    sqlite3_finalize(s);
}

static void put_value(struct json_out *out, struct span escaped)
{
    struct strbuf text = {0};
    for (size_t i = 0; i < escaped.len; i++) {
        char c = escaped.at[i];
        if (c == '\\' && i + 1 < escaped.len)
            c = escaped.at[++i] == 'n' ? '\n' : '\\';
        strbuf_addc(&text, c);
    }
    json_put_span(out, (struct span){strbuf_text(&text), text.len});
    strbuf_clear(&text);
}

/* `kind=text` lines (apply_meter.c) as a list of samples. */
static void put_samples(sqlite3 *db, struct json_out *out, const char *vals)
{
    struct span rest = span_of(vals), line, kind;
    json_open(out, '[');
    while (span_cut(&rest, '\n', &line)) {
        int64_t id;
        struct span value = line;
        if (!span_cut(&value, '=', &kind) || !span_int(kind, &id))
            continue;
        json_open(out, '{');
        put_kind(db, out, id);
        json_key(out, "value");
        put_value(out, value);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void put_column(sqlite3 *db, struct json_out *out, sqlite3_stmt *s, int column, char type)
{
    const char *text;
    if (type == 'm') {
        put_samples(db, out, sql_text(s, column));
    } else if (sqlite3_column_type(s, column) == SQLITE_NULL) {
        json_put_null(out);
    } else if (type == 'i') {
        json_put_int(out, sqlite3_column_int64(s, column));
    } else if (type == 'b') {
        json_put_bool(out, sqlite3_column_int64(s, column) != 0);
    } else {
        text = sql_text(s, column);
        if (type == 'j')
            json_put_raw(out, span_of(text));
        else
            json_put_span(out, (struct span){text, (size_t)sqlite3_column_bytes(s, column)});
    }
}

static void put_row(sqlite3 *db, struct json_out *out, sqlite3_stmt *s, const struct query_row *row)
{
    struct span rest = span_of(row->members), member;
    int column = row->order_columns;
    /* The id of a list that goes by id is a member too. */
    json_open(out, '{');
    if (row->order_columns == 1) {
        json_key(out, "id");
        json_put_int(out, sqlite3_column_int64(s, 0));
    }
    while (span_cut(&rest, ' ', &member)) {
        char name[32];
        text_copy(name, sizeof(name), (struct span){member.at, member.len - 2});
        json_key(out, name);
        put_column(db, out, s, column++, member.at[member.len - 1]);
    }
    json_close(out, '}');
}

static char *cursor_of(const struct query_row *row, const int64_t place[2])
{
    return row->order_columns == 2 ? xprintf("%" PRId64 "_%" PRId64, place[0], place[1])
                                   : xprintf("%" PRId64, place[0]);
}

static bool put_rows(sqlite3 *db, struct build *b, sqlite3_stmt *s, struct strbuf *text,
                     char **cursor_owned)
{
    struct json_out out = {.to = text};
    int64_t place[2] = {0};
    int code = SQLITE_DONE;
    json_open(&out, '[');
    for (int64_t count = 0; (code = sqlite3_step(s)) == SQLITE_ROW; count++) {
        if (count == b->limit || text->len > ROWS_BYTES_MAX) {
            *cursor_owned = cursor_of(b->row, place);
            code = SQLITE_DONE;
            break;
        }
        for (int i = 0; i < b->row->order_columns; i++)
            place[i] = sqlite3_column_int64(s, i);
        put_row(db, &out, s, b->row);
    }
    json_close(&out, ']');
    return code == SQLITE_DONE || reason_set(b->why, "%s", sqlite3_errmsg(db));
}

static bool run(sqlite3 *db, struct build *b, struct strbuf *text, char **cursor_owned)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, strbuf_text(&b->sql), -1, &s, NULL) != SQLITE_OK)
        return reason_set(b->why, "%s", sqlite3_errmsg(db));
    for (size_t i = 0; i < b->bound_count; i++) {
        int64_t number;
        if (json_int(b->bound[i], &number))
            sqlite3_bind_int64(s, (int)i + 1, number);
        else
            sqlite3_bind_text(s, (int)i + 1, json_text(b->bound[i]), -1, SQLITE_STATIC);
    }
    bool ok = put_rows(db, b, s, text, cursor_owned);
    sqlite3_finalize(s);
    return ok;
}

bool query_run(sqlite3 *db, const char *name, const char *params, struct strbuf *text,
               char **cursor_owned, struct reason *why)
{
    struct build b = {.row = find_row(name), .why = why};
    *cursor_owned = NULL;
    if (!b.row)
        return reason_set(why, "no query \"%s\"", name);
    b.params = json_parse(&b.arena, params, strlen(params), why, NULL);
    bool ok = b.params && build_sql(&b) && run(db, &b, text, cursor_owned);
    strbuf_clear(&b.sql);
    arena_clear(&b.arena);
    return ok;
}

/* Runs a named query: parameters in, rows as JSON and a cursor out. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/parts.h"
#include "store/queries.h"

enum {
    ROWS_BYTES_MAX = 32 << 20, /* the page ends early then */
    KINDS_MAX = 10000          /* remembered */
};

/* ---- samples (apply_meter.c) ---- */

/* The kind as members of an object, `"measurand":"SoC",…`. Kinds never change, so each is read
 * once. NULL: there is none, or it cannot be read. */
static const char *kind_text(struct reader *reader, int64_t id)
{
    static const char *const names[] = {"measurand", "context",  "format",
                                        "phase",     "location", "unit"};
    char key[24];
    snprintf(key, sizeof(key), "%lld", (long long)id);
    const char *known = map_gets(&reader->kinds, key);
    if (known)
        return known;
    sqlite3_stmt *row = sql_prepare(&reader->sql,
                                    "SELECT measurand, context, format, phase, location, unit"
                                    " FROM meter_kind WHERE id = ?",
                                    "i", id);
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    bool found = sql_row(&reader->sql, row);
    for (int i = 0; found && i < (int)ARRAY_LEN(names); i++) {
        const char *part = sql_text(row, i);
        if (!part || !*part)
            continue;
        json_key(&out, names[i]);
        json_put_string(&out, part);
    }
    sqlite3_finalize(row);
    if (!found)
        return NULL;
    char *kind = strbuf_take(&text, NULL);
    if (reader->kinds.count >= KINDS_MAX)
        query_forget_kinds(reader);
    map_put(&reader->kinds, span_of(key), kind);
    return kind;
}

void query_forget_kinds(struct reader *reader)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&reader->kinds, &at)))
        xfree(entry->value);
    map_clear(&reader->kinds);
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

static void put_samples(struct reader *reader, struct json_out *out, const char *vals)
{
    struct span rest = span_of(vals), line, kind;
    json_open(out, '[');
    while (span_cut(&rest, '\n', &line)) {
        int64_t id = 0;
        bool whole = span_cut(&line, '=', &kind) && line.at && span_int(kind, &id);
        const char *members = whole ? kind_text(reader, id) : NULL;
        if (!members)
            continue;
        json_open(out, '{');
        strbuf_adds(out->to, members);
        out->comma = *members != '\0';
        json_key(out, "value");
        put_value(out, line);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* ---- rows ---- */

/* What is stored as JSON may be the text of a charger that was none (X7). */
static void put_json(struct json_out *out, struct span text)
{
    struct arena arena = {0};
    if (json_parse(&arena, text.at, text.len, NULL, NULL))
        json_put_raw(out, text);
    else
        json_put_span(out, text);
    arena_clear(&arena);
}

static void put_column(struct reader *reader, struct json_out *out, sqlite3_stmt *row, int column,
                       char type)
{
    if (sqlite3_column_type(row, column) == SQLITE_NULL) {
        json_put_null(out);
        return;
    }
    if (type == 'i' || type == 'b') {
        int64_t value = sqlite3_column_int64(row, column);
        if (type == 'i')
            json_put_int(out, value);
        else
            json_put_bool(out, value != 0);
        return;
    }
    struct span text = {sql_text(row, column), (size_t)sqlite3_column_bytes(row, column)};
    if (type == 'm')
        put_samples(reader, out, text.at);
    else if (type == 'j')
        put_json(out, text);
    else
        json_put_span(out, text);
}

static void put_row(struct reader *reader, struct json_out *out, sqlite3_stmt *row,
                    const struct query_row *query)
{
    struct span rest = span_of(query->members);
    struct member member;
    char name[32];
    json_open(out, '{');
    for (int column = query_places(query); query_next_member(&rest, &member); column++) {
        text_copy(name, sizeof(name), member.name);
        json_key(out, name);
        put_column(reader, out, row, column, member.type);
    }
    json_close(out, '}');
}

static void note_place(const struct query_row *query, sqlite3_stmt *row, struct query_place *place)
{
    strbuf_reset(&place->text);
    if (query->by_text)
        strbuf_add(&place->text, sql_text(row, 0), (size_t)sqlite3_column_bytes(row, 0));
    for (int i = 0; !query->by_text && i < query_places(query); i++)
        place->number[i] = sql_int(row, i);
}

static void put_rows(struct reader *reader, const struct query_build *b, sqlite3_stmt *row,
                     struct query *query)
{
    struct json_out out = {.to = &query->rows};
    struct query_place place = {0};
    json_open(&out, '[');
    for (int64_t count = 0; sql_row(&reader->sql, row); count++) {
        if (count == b->limit || query->rows.len > ROWS_BYTES_MAX) {
            query->cursor = query_cursor(b->row, &place);
            break;
        }
        note_place(b->row, row, &place);
        put_row(reader, &out, row, b->row);
    }
    json_close(&out, ']');
    strbuf_clear(&place.text);
}

static void bind_values(const struct query_build *b, sqlite3_stmt *row)
{
    for (size_t i = 0; i < b->bound_count; i++) {
        const struct json *value = b->bound[i];
        int64_t number;
        if (json_int(value, &number))
            sqlite3_bind_int64(row, (int)i + 1, number);
        else
            sqlite3_bind_text64(row, (int)i + 1, value->text.at, value->text.len, SQLITE_STATIC,
                                SQLITE_UTF8);
    }
}

static bool run(struct reader *reader, const struct query_build *b, struct query *query)
{
    struct sql *sql = &reader->sql;
    sql_reset_error(sql);
    sqlite3_stmt *row = sql_prepare(sql, strbuf_text(&b->sql), "");
    if (row) {
        bind_values(b, row);
        put_rows(reader, b, row, query);
    }
    bool over = sqlite3_errcode(sql->db) == SQLITE_INTERRUPT;
    sqlite3_finalize(row);
    if (sql_ok(sql))
        return true;
    return reason_set(&query->why, "%s: %s", query->name,
                      over ? "it took too long; ask for less, by cpid or by time" : sql->error);
}

void query_run(struct reader *reader, struct query *query)
{
    struct query_build b = {
        .row = query_row_find(query->name), .now = query->now, .why = &query->why};
    if (!b.row) {
        reason_set(&query->why, "no query \"%.40s\"", query->name);
        return;
    }
    const struct json *params =
        json_parse(&b.arena, query->params, strlen(query->params), &query->why, NULL);
    if (params && params->type != JSON_OBJECT)
        reason_set(&query->why, "parameters: expected an object");
    else
        query->ok = params && query_build(&b, params) && run(reader, &b, query);
    query_build_clear(&b);
}

/* From a row of queries.c and a caller's parameters to a statement.
 *
 * Conditions are added for the parameters that are given. Pages go by keyset: the cursor is the
 * last row's place in the order, so that rows that come in meanwhile shift nothing. Names and
 * conditions are ours, values are bound; no text of a caller ever becomes SQL. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "store/queries.h"

enum { LIMIT_DEFAULT = 100, NAME_SHOWN = 40 };

static size_t bind_later(struct query_build *b, const struct json *value)
{
    if (!NEVER(b->bound_count == QUERY_BOUND_MAX))
        b->bound[b->bound_count++] = value;
    return b->bound_count;
}

/* ---- our SQL with its marks ---- */

static void add_now(struct query_build *b, struct strbuf *to)
{
    if (b->now_number == 0)
        b->now_number = bind_later(b, json_new_int(&b->arena, b->now));
    strbuf_addf(to, "?%zu", b->now_number);
}

static void add_step(struct query_build *b, struct strbuf *to)
{
    strbuf_addf(to, "?%zu", b->step_number);
}

static void add_where(struct query_build *b, struct strbuf *to)
{
    strbuf_adds(to, strbuf_text(&b->where));
}

static const struct mark {
    const char *text;
    void (*add)(struct query_build *b, struct strbuf *to);
} marks[] = {{"{now}", add_now}, {"{step}", add_step}, {"{where}", add_where}};

/* Each ? becomes the number of the value. */
static void add_sql(struct query_build *b, struct strbuf *to, const char *sql, size_t number)
{
    while (*sql) {
        size_t plain = strcspn(sql, "?{");
        strbuf_add(to, sql, plain);
        sql += plain;
        if (*sql == '?') {
            strbuf_addf(to, "?%zu", number);
            sql++;
        }
        for (size_t i = 0; *sql == '{' && i < ARRAY_LEN(marks); i++) {
            if (strncmp(sql, marks[i].text, strlen(marks[i].text)) != 0)
                continue;
            marks[i].add(b, to);
            sql += strlen(marks[i].text);
        }
        if (NEVER(*sql == '{'))
            sql++;
    }
}

static void add_condition(struct query_build *b, const char *condition, size_t number)
{
    strbuf_adds(&b->where, b->where.len ? " AND " : " WHERE ");
    add_sql(b, &b->where, condition, number);
}

/* ---- parameters ---- */

static bool is_known(const struct query_row *row, struct span name)
{
    if (span_is(name, "limit") || span_is(name, "cursor"))
        return true;
    if (row->in_list && (span_is(name, "from") || span_is(name, "to")))
        return true;
    for (const struct parameter *p = row->parameters; p->name; p++)
        if (span_is(name, p->name))
            return true;
    return false;
}

static bool check_names(struct query_build *b, const struct json *params)
{
    for (const struct json *member = params->child; member; member = member->next) {
        int shown = member->key.len > NAME_SHOWN ? NAME_SHOWN : (int)member->key.len;
        if (!is_known(b->row, member->key))
            return reason_set(b->why, "%.*s: no such parameter", shown, member->key.at);
    }
    return true;
}

static const struct json *given(const struct json *params, const char *name)
{
    const struct json *value = json_get(params, name);
    return value && value->type != JSON_NULL ? value : NULL;
}

static bool add_word(struct query_build *b, const struct parameter *p, const char *word)
{
    for (const struct parameter_word *w = p->words; w->word; w++) {
        if (text_is(w->word, word)) {
            add_condition(b, w->condition, 0);
            return true;
        }
    }
    return reason_set(b->why, "%s: \"%.40s\" is not known", p->name, word);
}

/* `%` and `_` in the text mean themselves. */
static struct json *like_pattern(struct query_build *b, const char *text)
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

static bool set_step(struct query_build *b, const struct parameter *p, const struct json *value)
{
    int64_t step = 1;
    if (value && (!json_int(value, &step) || step < 1))
        return reason_set(b->why, "%s: expected milliseconds, at least 1", p->name);
    b->step_number = bind_later(b, json_new_int(&b->arena, step));
    return true;
}

static bool add_value(struct query_build *b, const struct parameter *p, const struct json *value)
{
    int64_t integer;
    if (p->type == PARAMETER_INTEGER && !json_int(value, &integer))
        return reason_set(b->why, "%s: expected an integer", p->name);
    if (p->type != PARAMETER_INTEGER && !json_text(value))
        return reason_set(b->why, "%s: expected a string", p->name);
    if (p->type == PARAMETER_WORD)
        return add_word(b, p, json_text(value));
    if (p->type == PARAMETER_WITHIN)
        value = like_pattern(b, json_text(value));
    size_t number = bind_later(b, value);
    add_condition(b, p->condition, number);
    /* Only the blocks that name it are read; one such key is enough to be fast. */
    if (p->is_key && b->keys.len == 0)
        add_sql(b, &b->keys,
                " CROSS JOIN list_key x ON x.list = k.list AND x.block = k.block AND x.key = ?",
                number);
    return true;
}

static bool add_parameters(struct query_build *b, const struct json *params)
{
    for (const struct parameter *p = b->row->parameters; p->name; p++) {
        const struct json *value = given(params, p->name);
        bool is_step = p->type == PARAMETER_STEP;
        if (is_step && !set_step(b, p, value))
            return false;
        if (value && !is_step && !add_value(b, p, value))
            return false;
        if (!value && p->required)
            return reason_set(b->why, "%s is missing", p->name);
        if (!value && p->absent)
            add_condition(b, p->absent, 0);
    }
    return true;
}

/* `from` and `to` of a list; blocks that ended before or began after are not read. */
static bool add_times(struct query_build *b, const struct json *params)
{
    const char *time = list_tables[b->row->list].time;
    const struct json *from = given(params, "from"), *to = given(params, "to");
    int64_t value;
    if (from && !json_int(from, &value))
        return reason_set(b->why, "from: expected an integer");
    if (to && !json_int(to, &value))
        return reason_set(b->why, "to: expected an integer");
    if (from)
        add_condition(b,
                      arena_printf(&b->arena,
                                   "r.%s >= ? AND k.block >= (SELECT coalesce(max(block), 0) FROM"
                                   " list_block WHERE list = %d AND first_ms <= ?)",
                                   time, (int)b->row->list),
                      bind_later(b, from));
    if (to)
        add_condition(b, arena_printf(&b->arena, "r.%s < ? AND k.first_ms < ?", time),
                      bind_later(b, to));
    return true;
}

static bool read_limit(struct query_build *b, const struct json *params)
{
    const struct json *limit = given(params, "limit");
    b->limit = LIMIT_DEFAULT;
    if (limit && (!json_int(limit, &b->limit) || b->limit < 1 || b->limit > QUERY_LIMIT_MAX))
        return reason_set(b->why, "limit: expected 1 to %d", QUERY_LIMIT_MAX);
    return true;
}

/* ---- the cursor ---- */

/* `x` and the bytes in hexadecimal: any text, and nothing that a URL would have to escape. */
static char *text_cursor(const struct strbuf *place)
{
    struct strbuf cursor = {0};
    strbuf_addc(&cursor, 'x');
    for (size_t i = 0; i < place->len; i++)
        strbuf_addf(&cursor, "%02x", (unsigned char)place->at[i]);
    return strbuf_take(&cursor, NULL);
}

/* -1: none. */
static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool read_text_cursor(struct span cursor, struct strbuf *place)
{
    if (cursor.len % 2 != 1 || cursor.at[0] != 'x')
        return false;
    for (size_t i = 1; i < cursor.len; i += 2) {
        int high = digit_of(cursor.at[i]), low = digit_of(cursor.at[i + 1]);
        if (high < 0 || low < 0)
            return false;
        strbuf_addc(place, (char)(high << 4 | low));
    }
    return true;
}

/* `42`, or `1767225600000_42`, or `x435031`. */
static bool read_cursor(const struct query_row *row, const char *text, struct query_place *place)
{
    struct span rest = span_of(text), part;
    if (!text)
        return false;
    if (row->by_text)
        return read_text_cursor(rest, &place->text);
    for (int i = 0; i < query_places(row); i++)
        if (!span_cut(&rest, '_', &part) || !span_int(part, &place->number[i]))
            return false;
    return rest.at == NULL;
}

char *query_cursor(const struct query_row *row, const struct query_place *place)
{
    if (row->by_text)
        return text_cursor(&place->text);
    if (query_places(row) == 1)
        return xprintf("%" PRId64, place->number[0]);
    return xprintf("%" PRId64 "_%" PRId64, place->number[0], place->number[1]);
}

static void add_place(struct query_build *b, const struct query_place *place, size_t first)
{
    const struct query_row *row = b->row;
    const char *sign = row->oldest_first ? ">" : "<";
    if (query_places(row) == 1) {
        add_condition(b, arena_printf(&b->arena, "%s %s ?", row->place[0], sign), first);
        return;
    }
    size_t second = bind_later(b, json_new_int(&b->arena, place->number[1]));
    strbuf_adds(&b->where, b->where.len ? " AND " : " WHERE ");
    strbuf_addf(&b->where, "(%s, %s) %s (?%zu, ?%zu)", row->place[0], row->place[1], sign, first,
                second);
}

static void go_on_behind(struct query_build *b, const struct query_place *place)
{
    const struct query_row *row = b->row;
    struct span text = {strbuf_text(&place->text), place->text.len};
    size_t first = bind_later(b, row->by_text ? json_new_string(&b->arena, text)
                                              : json_new_int(&b->arena, place->number[0]));
    if (row->in_list)
        add_condition(b, arena_printf(&b->arena, "r.id < ? AND k.block <= ? / %d", LIST_BLOCK),
                      first);
    else
        add_place(b, place, first);
}

static bool add_cursor(struct query_build *b, const struct json *params)
{
    struct query_place place = {0};
    const struct json *cursor = given(params, "cursor");
    bool ok = !cursor || read_cursor(b->row, json_text(cursor), &place);
    if (cursor && ok)
        go_on_behind(b, &place);
    strbuf_clear(&place.text);
    return ok || reason_set(b->why, "cursor: not one that this list gave");
}

/* ---- the whole ---- */

static void add_columns(struct query_build *b)
{
    const struct query_row *row = b->row;
    struct span rest = span_of(row->members);
    struct member member;
    strbuf_addf(&b->sql, "SELECT %s", row->in_list ? "r.id" : row->place[0]);
    if (row->place[1])
        strbuf_addf(&b->sql, ", %s", row->place[1]);
    while (query_next_member(&rest, &member))
        strbuf_addf(&b->sql, ", %.*s", (int)member.column.len, member.column.at);
}

/* CROSS JOIN keeps SQLite from turning the loops round: the blocks come first, newest first, so
 * that the rows come in their order and nothing is sorted. */
static void add_list(struct query_build *b)
{
    int list = (int)b->row->list;
    add_condition(b, arena_printf(&b->arena, "k.list = %d", list), 0);
    strbuf_addf(&b->sql,
                " FROM list_block k%s CROSS JOIN %s r ON r.id >= k.block * %d AND"
                " r.id < (k.block + 1) * %d%s ORDER BY k.block DESC, r.id DESC",
                strbuf_text(&b->keys), list_tables[list].table, LIST_BLOCK, LIST_BLOCK,
                strbuf_text(&b->where));
}

static void add_table(struct query_build *b)
{
    const struct query_row *row = b->row;
    const char *order = row->oldest_first ? "" : " DESC";
    strbuf_adds(&b->sql, " FROM ");
    add_sql(b, &b->sql, row->from, 0);
    if (!strstr(row->from, "{where}"))
        add_where(b, &b->sql);
    strbuf_addf(&b->sql, " ORDER BY %s%s", row->place[0], order);
    if (row->place[1])
        strbuf_addf(&b->sql, ", %s%s", row->place[1], order);
}

bool query_build(struct query_build *b, const struct json *params)
{
    if (!check_names(b, params) || !read_limit(b, params) || !add_parameters(b, params) ||
        (b->row->in_list && !add_times(b, params)) || !add_cursor(b, params))
        return false;
    add_columns(b);
    if (b->row->in_list)
        add_list(b);
    else
        add_table(b);
    strbuf_addf(&b->sql, " LIMIT %" PRId64, b->limit + 1);
    return true;
}

void query_build_clear(struct query_build *b)
{
    strbuf_clear(&b->sql);
    strbuf_clear(&b->keys);
    strbuf_clear(&b->where);
    arena_clear(&b->arena);
}

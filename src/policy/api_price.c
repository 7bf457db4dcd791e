/* Prices: what on.price returns becomes integers, once; tx.price, and tx:cost() of a running one.
 *
 *     return { currency = "EUR", energy = 1.234, start = 0.35, tariff = "2026-10", why = "day" }
 *     return { currency = "EUR", lines = { { name = "energy", amount = 1.234, quantity = 3.2,
 *                                            unit = "kWh", unit_price = 0.3856 } } }
 *
 * Short form: every other member is a line, in order of the names. Each line is rounded once
 * (money.h), the total is the sum of the integers. Whatever does not fit is an error: the
 * transaction is kept, without a price. Nothing here waits. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/hook_parts.h"
#include "policy/money.h"

enum { LINES_MAX = 100, NAME_MAX_BYTES = 64 };

struct reading {
    lua_State *L;
    struct arena *arena;
    struct reason *why;
    int digits;
    int64_t total;
    struct json *lines;
};

/* ---- reading ---- */

/* A member as text that stays: in the arena. NULL: it is not there, or `ok` is false. */
static const char *text_member(struct reading *r, int index, const char *name, bool *ok)
{
    struct span text = {NULL, 0};
    int type = lua_getfield(r->L, index, name);
    const char *copy = NULL;
    if (type == LUA_TSTRING || type == LUA_TNUMBER) {
        text.at = lua_tolstring(r->L, -1, &text.len);
        if (text.len <= 1024 && utf8_valid(text.at, text.len) && !memchr(text.at, '\0', text.len))
            copy = arena_strndup(r->arena, text.at, text.len);
    }
    if (type != LUA_TNIL && !copy)
        *ok = reason_set(r->why, "%s is %s; a short text is expected", name, api_type_of(r->L, -1));
    lua_pop(r->L, 1);
    return copy;
}

/* The number on top, of the line `name`. */
static bool read_amount(struct reading *r, const char *name, int64_t *out)
{
    struct reason why = {{0}};
    bool ok;
    if (lua_type(r->L, -1) != LUA_TNUMBER)
        return reason_set(r->why, "%s is %s; an amount is a number", name, api_type_of(r->L, -1));
    if (lua_isinteger(r->L, -1))
        ok = money_whole(lua_tointeger(r->L, -1), r->digits, out, &why);
    else
        ok = money_round(lua_tonumber(r->L, -1), r->digits, out, &why);
    if (ok && money_add(&r->total, *out))
        return true;
    return ok ? reason_set(r->why, "the total is too large")
              : reason_set(r->why, "%s %s", name, why.text);
}

static struct json *line_new(struct reading *r, const char *name, int64_t amount)
{
    struct json *line = json_new(r->arena, JSON_OBJECT);
    json_adds(r->arena, line, "name", name);
    json_addi(r->arena, line, "amount", amount);
    json_add(r->arena, r->lines, NULL, line);
    return line;
}

static bool check_name(struct reading *r, const char *name)
{
    size_t len = name ? strlen(name) : 0;
    if (len >= 1 && len <= NAME_MAX_BYTES && utf8_valid(name, len))
        return true;
    return reason_set(r->why, "a line's name is a text of 1 to %d bytes", NAME_MAX_BYTES);
}

static bool is_word(const char *name)
{
    static const char *const words[] = {"currency", "lines", "tariff", "why"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (text_is(words[i], name))
            return true;
    }
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of the lines, in order; -1: one does not fit. */
static int member_names(struct reading *r, int index, const char *names[LINES_MAX])
{
    int count = 0;
    lua_pushnil(r->L);
    while (lua_next(r->L, index)) {
        lua_pop(r->L, 1);
        size_t len = 0;
        const char *key = lua_type(r->L, -1) == LUA_TSTRING ? lua_tolstring(r->L, -1, &len) : NULL;
        bool whole = key && strlen(key) == len; /* "a\0b" would be read as "a" */
        if (whole && is_word(key))
            continue;
        if (!key)
            reason_set(r->why, "a list is not a price: write { currency = …, lines = { … } }");
        else if (count == LINES_MAX)
            reason_set(r->why, "more than %d lines", LINES_MAX);
        else if (check_name(r, whole ? key : NULL))
            names[count++] = arena_strdup(r->arena, key);
        else
            key = NULL;
        if (!key || r->why->text[0]) {
            lua_pop(r->L, 1);
            return -1;
        }
    }
    qsort(names, (size_t)count, sizeof(*names), compare_names);
    return count;
}

static bool read_members(struct reading *r, int index)
{
    const char *names[LINES_MAX];
    int count = member_names(r, index, names);
    for (int i = 0; i < count; i++) {
        int64_t amount;
        lua_getfield(r->L, index, names[i]);
        bool ok = read_amount(r, names[i], &amount);
        lua_pop(r->L, 1);
        if (!ok)
            return false;
        line_new(r, names[i], amount);
    }
    return count >= 0;
}

/* quantity, unit_price: told, not computed with. */
static bool read_detail(struct reading *r, int index, struct json *line, const char *name)
{
    struct reason why = {{0}};
    int type = lua_getfield(r->L, index, name);
    struct json *value =
        type == LUA_TNUMBER ? api_read_json(r->L, lua_gettop(r->L), r->arena, &why) : NULL;
    if (value)
        json_add(r->arena, line, name, value);
    else if (type != LUA_TNIL)
        reason_set(r->why, "%s is %s; a number is expected", name, api_type_of(r->L, -1));
    lua_pop(r->L, 1);
    return value || type == LUA_TNIL;
}

static bool check_line_members(struct reading *r, int index)
{
    static const char *const names[] = {"name", "amount", "quantity", "unit", "unit_price"};
    lua_pushnil(r->L);
    while (lua_next(r->L, index)) {
        lua_pop(r->L, 1);
        const char *key = lua_type(r->L, -1) == LUA_TSTRING ? lua_tostring(r->L, -1) : "?";
        size_t i = 0;
        while (i < ARRAY_LEN(names) && !text_is(names[i], key))
            i++;
        if (i == ARRAY_LEN(names)) {
            reason_set(r->why,
                       "a line has no \"%.40s\"; it has name, amount, quantity, unit, "
                       "unit_price",
                       key);
            lua_pop(r->L, 1);
            return false;
        }
    }
    return true;
}

/* The line at `index`, a table. */
static bool read_line(struct reading *r, int index)
{
    int64_t amount;
    bool ok = check_line_members(r, index);
    const char *name = ok ? text_member(r, index, "name", &ok) : NULL;
    const char *unit = ok ? text_member(r, index, "unit", &ok) : NULL;
    if (!ok || !check_name(r, name))
        return false;
    lua_getfield(r->L, index, "amount");
    ok = read_amount(r, name, &amount);
    lua_pop(r->L, 1);
    if (!ok)
        return false;
    struct json *line = line_new(r, name, amount);
    ok = read_detail(r, index, line, "quantity");
    json_adds(r->arena, line, "unit", unit);
    return ok && read_detail(r, index, line, "unit_price");
}

/* What stands beside the list is money too. */
static bool is_list(lua_State *L, int index, size_t count)
{
    size_t members = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        members++;
    return members == count;
}

/* The value of `lines` is on top. */
static bool read_lines(struct reading *r, int index)
{
    const char *names[LINES_MAX];
    int list = lua_gettop(r->L);
    if (!lua_istable(r->L, list))
        return reason_set(r->why, "lines is %s; a list is expected", api_type_of(r->L, list));
    size_t count = lua_rawlen(r->L, list);
    if (count > LINES_MAX)
        return reason_set(r->why, "more than %d lines", LINES_MAX);
    if (!is_list(r->L, list, count))
        return reason_set(r->why, "lines has names or gaps; a list is expected");
    int others = member_names(r, index, names);
    if (others > 0)
        reason_set(r->why, "%s stands beside lines; put it into them", names[0]);
    for (size_t i = 1; others == 0 && i <= count; i++) {
        bool ok = lua_rawgeti(r->L, list, (lua_Integer)i) == LUA_TTABLE
                      ? read_line(r, lua_gettop(r->L))
                      : reason_set(r->why, "lines[%zu] is %s; a table is expected", i,
                                   api_type_of(r->L, -1));
        lua_pop(r->L, 1);
        if (!ok)
            return false;
    }
    return others == 0;
}

struct json *api_read_price(lua_State *L, int index, struct arena *arena, struct reason *why)
{
    struct reading r = {.L = L, .arena = arena, .why = why, .lines = json_new(arena, JSON_ARRAY)};
    bool ok = true;
    why->text[0] = '\0';
    const char *currency = text_member(&r, index, "currency", &ok);
    const char *tariff = ok ? text_member(&r, index, "tariff", &ok) : NULL;
    const char *reason = ok ? text_member(&r, index, "why", &ok) : NULL;
    r.digits = money_digits(currency);
    if (ok && r.digits < 0)
        ok = currency
                 ? reason_set(why, "currency \"%.8s\" is none of ISO 4217 (\"EUR\", \"JPY\" …)",
                              currency)
                 : reason_set(why, "currency is missing");
    if (ok) {
        bool listed = lua_getfield(L, index, "lines") != LUA_TNIL;
        ok = listed ? read_lines(&r, index) : read_members(&r, index);
        lua_pop(L, 1);
    }
    if (!ok)
        return NULL;
    char text[MONEY_TEXT];
    money_text(r.total, r.digits, currency, text);
    struct json *price = json_new(arena, JSON_OBJECT);
    json_adds(arena, price, "currency", currency);
    json_addi(arena, price, "digits", r.digits);
    json_addi(arena, price, "total", r.total);
    json_adds(arena, price, "text", text);
    json_add(arena, price, "lines", r.lines);
    json_adds(arena, price, "tariff", tariff);
    return json_adds(arena, price, "why", reason);
}

/* ---- as scripts see it ---- */

void api_push_price(lua_State *L, const struct price *price)
{
    char text[MONEY_TEXT];
    struct reason why;
    if (!price || !price->currency) {
        lua_pushnil(L);
        return;
    }
    money_text(price->total, (int)price->digits, price->currency, text);
    lua_createtable(L, 0, 6);
    api_set_string(L, "currency", price->currency);
    api_set_integer(L, "digits", price->digits);
    api_set_integer(L, "total", price->total);
    api_set_string(L, "text", text);
    api_set_string(L, "tariff", price->tariff);
    if (api_push_json_text(L, span_of(price->lines), &why) != 0)
        lua_newtable(L);
    lua_setfield(L, -2, "lines");
}

/* ---- tx:cost() ---- */

static const char cost_word[] = "tx:cost";

/* (asking, id) → the price, or nil: as dispatch() of hooks.c, but nested and without an end. */
static int cost_run(lua_State *L)
{
    struct asking *asking = lua_touserdata(L, 1);
    lua_Integer id = lua_tointeger(L, 2);
    for (; asking->at < asking->list->count; asking->at++) {
        lua_settop(L, 2);
        lua_rawgeti(L, LUA_REGISTRYINDEX, asking->list->items[asking->at].ref);
        api_push_tx(L, id);
        lua_call(L, 1, LUA_MULTRET);
        if (!hook_judge(L, asking, 3, lua_gettop(L) - 2))
            continue;
        api_push_json(L, asking->verdict.extra);
        lua_pushnil(L);
        lua_setfield(L, -2, "why");
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

static int cost_failed(lua_State *L, struct generation *generation, struct policy_error *what,
                       const char *cp)
{
    char text[sizeof(what->file) + sizeof(what->message) + 16];
    error_text(generation, L, what);
    error_print(what, text, sizeof(text));
    errors_record(generation, what, &(struct error_event){"price (tx:cost)", cp, NULL}, NULL);
    return api_fail(L, "failed", "%s", text);
}

static int cost_of_open(lua_State *L, struct generation *generation, const struct transaction *tx)
{
    struct policy_error what = {0};
    char cp[64];
    struct asking asking;
    if (generation->costing)
        return api_raise(L, "%s cannot be used inside on.price while it runs for %s", cost_word,
                         cost_word);
    memset(&asking, 0, sizeof(asking));
    asking.generation = generation;
    asking.kind = EVENT_PRICE;
    asking.list = &generation->events[EVENT_PRICE];
    asking.row = hook_row_of(EVENT_PRICE);
    text_copy(cp, sizeof(cp), span_of(tx->cp));
    int64_t id = tx->id;
    error_push_handler(L, &what);
    lua_pushcfunction(L, cost_run);
    lua_pushlightuserdata(L, &asking);
    lua_pushinteger(L, id);
    generation->costing = true;
    int status = lua_pcall(L, 2, 1, -4);
    generation->costing = false;
    arena_clear(&asking.arena);
    if (status != LUA_OK)
        return cost_failed(L, generation, &what, cp);
    if (lua_isnil(L, -1))
        return api_fail(L, "unpriced", "no policy prices transaction %lld", (long long)id);
    return 1;
}

int api_tx_cost(lua_State *L)
{
    int64_t id = api_check_tx(L, 1);
    struct generation *generation = generation_of(L);
    const struct transaction *tx = station_transaction(api_station(L, cost_word), id);
    if (!tx)
        return api_fail(L, "gone", "transaction %lld is over", (long long)id);
    if (!tx->stopped)
        return cost_of_open(L, generation, tx);
    if (!tx->price.currency)
        return api_fail(L, "unpriced", "transaction %lld has no price", (long long)id);
    api_push_price(L, &tx->price);
    return 1;
}

static const struct api_row rows[] = {
    {"currency", NULL, "string", "ISO 4217: \"EUR\".", false},
    {"digits", NULL, "integer", "Digits behind the point of that currency: 2; 0 for JPY.", false},
    {"total", NULL, "integer", "The sum, in the smallest unit: 1234 is 12.34 EUR.", false},
    {"text", NULL, "string", "The sum to be read: \"12.34 EUR\".", false},
    {"lines", NULL,
     "{ name: string, amount: integer, quantity?: number, unit?: string, unit_price?: number }[]",
     "What it is made of; amounts in the smallest unit.", false},
    {"tariff", NULL, "string?", "The version of the tariff, as on.price said.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_price = {
    .on = "price",
    .class_doc =
        "What a transaction costs, in whole numbers of the currency's smallest unit. Each "
        "line was rounded once, half away from zero, as the decimal that the policy meant.",
    .rows = rows,
    .object = true};

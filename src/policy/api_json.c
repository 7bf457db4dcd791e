/* `json.encode` and friends, typed and strict on base/json; and lua-cjson for those who know it.
 *
 * json keeps what OCPP and REST need: integers are integers, arrays stay arrays, an answer has its
 * members in a fixed order. lua-cjson is offered as it is, but read-only, without the functions
 * that change its limits, and with inputs and outputs bounded: it allocates outside of the account
 * of the generation and ends the process when it gets no memory. */
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/budget.h"

enum { TEXT_MAX = 8 * 1024 * 1024, CJSON_DEPTH = 32, CJSON_VALUES_MAX = 200000 };
enum { STEPS_PER_BYTE = 40 }; /* of decoding, in the unit of budget_work(): about 10 ns */

extern int luaopen_cjson(lua_State *L);
extern int luaopen_cjson_safe(lua_State *L);

/* ---- json ---- */

static int json_encode(lua_State *L)
{
    struct arena arena = {0};
    struct reason why;
    struct strbuf out = {.cap = TEXT_MAX};
    if (lua_gettop(L) < 1)
        return api_raise(L, "json.encode: argument 1 (value) is missing");
    const struct json *node = api_read_json(L, 1, &arena, &why);
    if (node)
        json_write(&out, node);
    arena_clear(&arena);
    if (!node || out.overflow) {
        strbuf_clear(&out);
        return api_raise(L, "json.encode: %s", node ? "more than 8 MiB of text" : why.text);
    }
    /* The text goes through a buffer of Lua so that it is counted before ours is freed. */
    char *buffer = lua_newuserdatauv(L, out.len + 1, 0);
    size_t len = out.len;
    memcpy(buffer, strbuf_text(&out), len);
    strbuf_clear(&out);
    lua_pushlstring(L, buffer, len);
    return 1;
}

struct decoding {
    struct arena arena;
    const struct json *node;
};

static int push_decoded(lua_State *L)
{
    const struct decoding *decoding = lua_touserdata(L, 1);
    api_push_json(L, decoding->node);
    return 1;
}

int api_push_json_text(lua_State *L, struct span text, struct reason *why)
{
    struct decoding decoding = {0};
    size_t fault_at = 0;
    struct reason what;
    decoding.node = json_parse(&decoding.arena, text.at, text.len, &what, &fault_at);
    if (!decoding.node) {
        arena_clear(&decoding.arena);
        reason_set(why, "%s at byte %zu", what.text, fault_at + 1);
        return -1;
    }
    lua_pushcfunction(L, push_decoded);
    lua_pushlightuserdata(L, &decoding);
    int status = lua_pcall(L, 1, 1, 0);
    arena_clear(&decoding.arena);
    return status == LUA_OK ? 0 : lua_error(L);
}

static int json_decode(lua_State *L)
{
    struct reason why;
    struct span text;
    if (lua_type(L, 1) != LUA_TSTRING)
        return api_bad_argument(L, "json.decode", 1, "text", "a string");
    text.at = lua_tolstring(L, 1, &text.len);
    if (text.len > TEXT_MAX)
        return api_fail(L, "invalid", "more than 8 MiB of text");
    budget_work(L, text.len * STEPS_PER_BYTE);
    if (api_push_json_text(L, text, &why) != 0)
        return api_fail(L, "invalid", "%s", why.text);
    return 1;
}

static int json_array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    api_arg_table(L, "json.array", 1, "list");
    lua_settop(L, 1);
    api_mark_array(L, 1);
    return 1;
}

static int json_ordered(lua_State *L)
{
    api_arg_table(L, "json.ordered", 1, "names");
    api_arg_table(L, "json.ordered", 2, "object");
    lua_settop(L, 2);
    api_mark_ordered(L, 2, 1);
    return 1;
}

static const struct api_row rows[] = {
    {"encode", json_encode, "fun(value: any): string",
     "Strict JSON; members are sorted by name. Raises for what JSON has no word for (a function, "
     "NaN).",
     false},
    {"decode", json_decode, "fun(text: string): any, err?",
     "The value, or nil and an error. Integers stay integers, null members are left out.", false},
    {"array", json_array, "fun(list?: table): table",
     "Marks a list so that it is written as [ ] even while it is empty; returns it.", false},
    {"ordered", json_ordered, "fun(names: string[], object: table): table",
     "Marks an object: members are written in this order, and as null while they are nil.", false},
    {"null", NULL, "any", "null inside of lists; the same value as cjson.null.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_json = {
    .on = "json",
    .class_doc = "JSON that keeps integers, empty lists and the order of members.",
    .rows = rows};

void json_add_constants(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
}

/* ---- lua-cjson ---- */

struct measure {
    size_t values, bytes;
};

static void add_text(lua_State *L, int index, struct measure *sum)
{
    if (lua_type(L, index) != LUA_TSTRING)
        return;
    sum->bytes += lua_rawlen(L, index);
    if (sum->bytes > TEXT_MAX)
        api_raise(L, "cjson.encode: more than 8 MiB of text");
}

/* Everything that cjson would write, shared tables as often as they occur. */
static void measure_value(lua_State *L, int index, int depth, struct measure *sum)
{
    index = lua_absindex(L, index);
    add_text(L, index, sum);
    if (++sum->values > CJSON_VALUES_MAX)
        api_raise(L, "cjson.encode: more than %d values", CJSON_VALUES_MAX);
    if (!lua_istable(L, index))
        return;
    if (depth > CJSON_DEPTH)
        api_raise(L, "cjson.encode: nested too deeply");
    luaL_checkstack(L, 8, "cjson.encode: nested too deeply");
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        add_text(L, -2, sum);
        measure_value(L, -1, depth + 1, sum);
    }
}

static int cjson_encode(lua_State *L)
{
    struct measure sum = {0};
    if (lua_gettop(L) >= 1)
        measure_value(L, 1, 1, &sum);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int cjson_decode(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING && lua_rawlen(L, 1) > TEXT_MAX)
        return api_raise(L, "cjson.decode: more than 8 MiB of text");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Calls module.name(number), one of the limits; the module is on top. */
static void set_limit(lua_State *L, const char *name, int number)
{
    lua_getfield(L, -1, name);
    lua_pushinteger(L, number);
    lua_call(L, 1, 0);
}

static void wrap(lua_State *L, int module, const char *name, lua_CFunction fn)
{
    lua_getfield(L, module, name);
    lua_pushcclosure(L, fn, 1);
    lua_setfield(L, -2, name);
}

bool api_push_module(lua_State *L, const char *name)
{
    bool safe = text_is(name, "cjson.safe");
    if (!safe && !text_is(name, "cjson"))
        return false;
    lua_pushcfunction(L, safe ? luaopen_cjson_safe : luaopen_cjson);
    lua_call(L, 0, 1);
    int module = lua_gettop(L);
    set_limit(L, "decode_max_depth", CJSON_DEPTH);
    set_limit(L, "encode_max_depth", CJSON_DEPTH);
    lua_getfield(L, -1, "encode_keep_buffer");
    lua_pushboolean(L, 0);
    lua_call(L, 1, 0);
    lua_newtable(L);
    wrap(L, module, "encode", cjson_encode);
    wrap(L, module, "decode", cjson_decode);
    static const char *const kept[] = {"null", "_NAME", "_VERSION"};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        lua_getfield(L, module, kept[i]);
        lua_setfield(L, -2, kept[i]);
    }
    api_freeze(L, "cjson", false);
    lua_remove(L, module);
    return true;
}

/* The list of API tables, read-only views, errors, and the checks of arguments.
 *
 * What a script may use is what the rows say: api_fill_environment() registers them, api_print.c
 * prints them. Objects (cp, tx, vars …) open in their own files. Start reading at api_tables. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"

const struct api_table *const api_tables[] = {
    &api_table_time,
    &api_table_window_globals,
    &api_table_window,
    &api_table_log,
    &api_table_json,
    &api_table_cp_globals,
    &api_table_cp,
    &api_table_connector,
    &api_table_tx_globals,
    &api_table_tx,
    &api_table_price,
    &api_table_site_globals,
    &api_table_site,
    &api_table_vars,
    &api_table_err,
    &api_table_store,
    &api_table_http,
    &api_table_http_answer,
    &api_table_webhook_globals,
    &api_table_webhook,
    &api_table_quirk,
    &api_table_tags,
    &api_table_idtag_entry,
    &api_table_tag,
    &api_table_every,
    &api_table_route,
    &api_table_route_options,
    &api_table_req,
    &api_table_rest,
    &api_table_test,
    &api_table_t,
    NULL,
};

static const char error_key; /* registry: metatable of error values */

/* ---- setters ---- */

void api_set_seconds(lua_State *L, const char *name, int64_t ms)
{
    if (ms == ABSENT)
        return;
    lua_pushinteger(L, ms >= 0 ? ms / 1000 : (ms - 999) / 1000);
    lua_setfield(L, -2, name);
}

void api_set_string(lua_State *L, const char *name, const char *text)
{
    if (!text)
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

void api_set_integer(lua_State *L, const char *name, int64_t value)
{
    if (value == ABSENT)
        return;
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

void api_set_bool(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

/* ---- read-only views ---- */

static int on_write(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(1));
    return api_raise(L, "%s is read-only", name);
}

/* __index of the table behind a view, which is argument 1; upvalue: its name. */
static int on_missing(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(1));
    if (lua_type(L, 2) != LUA_TSTRING)
        return api_raise(L, "%s has no such member", name);
    const char *key = lua_tostring(L, 2), *near = NULL;
    unsigned least = 3;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            continue;
        const char *candidate = lua_tostring(L, -2);
        unsigned distance = text_distance(key, candidate, 3);
        if (distance < least) {
            near = candidate;
            least = distance;
        }
    }
    return api_raise(L, "%s.%s does not exist%s%s%s%s%s", name, key, near ? "; did you mean " : "",
                     near ? name : "", near ? "." : "", near ? near : "", near ? "?" : "");
}

/* Upvalue: the table behind. Its `next` must not hand the table itself to the script. */
static int on_next(lua_State *L)
{
    lua_settop(L, 2);
    return lua_next(L, lua_upvalueindex(1)) ? 2 : 0;
}

static int on_pairs(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, on_next, 1);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static int on_length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, lua_upvalueindex(1)));
    return 1;
}

void api_freeze(lua_State *L, const char *name, bool lenient)
{
    int table = lua_gettop(L);
    if (!lenient) {
        lua_createtable(L, 0, 1);
        lua_pushstring(L, name);
        lua_pushcclosure(L, on_missing, 1);
        lua_setfield(L, -2, "__index");
        lua_setmetatable(L, table);
    }
    lua_newtable(L);
    lua_createtable(L, 0, 6);
    lua_pushvalue(L, table);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_pushcclosure(L, on_write, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushvalue(L, table);
    lua_pushcclosure(L, on_pairs, 1);
    lua_setfield(L, -2, "__pairs");
    lua_pushvalue(L, table);
    lua_pushcclosure(L, on_length, 1);
    lua_setfield(L, -2, "__len");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_replace(L, table);
}

/* ---- objects ---- */

void api_open_object(lua_State *L, const void *key, const char *name, const luaL_Reg *metamethods)
{
    lua_createtable(L, 0, 8);
    luaL_setfuncs(L, metamethods, 0);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    api_name_type(L, name);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void *api_to_object(lua_State *L, int index, const void *key)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? lua_touserdata(L, index) : NULL;
}

void api_open_weak(lua_State *L, const void *key)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

bool api_has_row(const struct api_table *table, const char *name)
{
    for (const struct api_row *row = table->rows; row->name; row++) {
        if (text_is(row->name, name))
            return true;
    }
    return false;
}

int api_unknown_field(lua_State *L, const char *object, const struct api_table *table,
                      const char *key)
{
    size_t count = 0;
    while (table->rows[count].name)
        count++;
    const char *near = text_nearest(key, table->rows, count, sizeof(table->rows[0]));
    return api_raise(L, "a %s has no field %s%s%s%s", object, key, near ? "; did you mean " : "",
                     near ? near : "", near ? "?" : "");
}

/* ---- errors ---- */

static int error_text(lua_State *L)
{
    if (lua_getfield(L, 1, "message") != LUA_TSTRING)
        lua_getfield(L, 1, "code");
    return 1;
}

static int error_concat(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

void api_open_errors(lua_State *L)
{
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, error_text);
    lua_setfield(L, -2, "__tostring");
    lua_pushcfunction(L, error_concat);
    lua_setfield(L, -2, "__concat");
    api_name_type(L, "an error");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &error_key);
}

void api_push_error(lua_State *L, const char *code, const char *message)
{
    lua_createtable(L, 0, 2);
    api_set_string(L, "code", code);
    api_set_string(L, "message", message);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &error_key);
    lua_setmetatable(L, -2);
}

int api_fail(lua_State *L, const char *code, const char *format, ...)
{
    struct reason why;
    va_list args;
    va_start(args, format);
    vsnprintf(why.text, sizeof(why.text), format, args);
    va_end(args);
    lua_pushnil(L);
    api_push_error(L, code, why.text);
    return 2;
}

static const struct api_row error_rows[] = {
    {"code", NULL, "string",
     "\"offline\", \"timeout\", \"refused\", \"gone\", \"invalid\" … or the code of a "
     "CALLERROR.",
     false},
    {"message", NULL, "string", "For people; what tostring(err) gives.", false},
    {"details", NULL, "table?",
     "The errorDetails of a CALLERROR; of cp:configure, the answer of each key.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_err = {.on = "err",
                                        .class_doc =
                                            "Why something that may fail did fail: second "
                                            "result of the functions that return nil then.",
                                        .rows = error_rows,
                                        .object = true};

/* ---- the environment ---- */

struct station *api_station(lua_State *L, const char *what)
{
    generation_require_live(L, what);
    struct generation *generation = generation_of(L);
    if (!generation->station)
        api_raise(L, "%s needs a server and cannot be used here", what);
    return generation->station;
}

/* Adds the functions of the rows to the table on top. */
static void add_rows(lua_State *L, const struct api_table *table)
{
    for (const struct api_row *row = table->rows; row->name; row++) {
        if (!row->fn)
            continue;
        lua_pushcfunction(L, row->fn);
        lua_setfield(L, -2, row->name);
    }
}

static const char libraries_key; /* registry: name → read-only table */

void api_open(lua_State *L, struct generation *generation)
{
    (void)generation;
    api_open_json(L);
    api_open_errors(L);
    api_open_cp(L);
    api_open_tx(L);
    api_open_site(L);
    api_open_vars(L);
    api_open_window(L);
    api_open_webhook(L);
    api_open_source(L);
    lua_newtable(L);
    for (size_t i = 0; api_tables[i]; i++) {
        const struct api_table *table = api_tables[i];
        if (!table->on[0] || table->object)
            continue;
        lua_newtable(L);
        add_rows(L, table);
        if (text_is(table->on, "json"))
            json_add_constants(L);
        api_freeze(L, table->on, false);
        lua_setfield(L, -2, table->on);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &libraries_key);
}

static bool is_visible(const struct api_table *table, bool privileged, bool testing)
{
    if (table->testing)
        return testing;
    return privileged || !table->privileged;
}

void api_fill_environment(lua_State *L, bool privileged)
{
    struct generation *generation = generation_of(L);
    bool testing = generation->phase == PHASE_TESTING;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &libraries_key);
    lua_insert(L, -2);
    for (size_t i = 0; api_tables[i]; i++) {
        const struct api_table *table = api_tables[i];
        if (!is_visible(table, privileged, testing))
            continue;
        if (!table->on[0]) {
            add_rows(L, table);
        } else if (!table->object) {
            lua_getfield(L, -2, table->on);
            lua_setfield(L, -2, table->on);
        }
    }
    lua_pushinteger(L, generation->number);
    lua_setfield(L, -2, "generation");
    lua_remove(L, -2);
}

/* `store`: the scripts' durable values, shared by all policies and reloads.
 *
 * Kept by the station (station/kv.c), as JSON. store.add is what money needs: it reads, judges and
 * writes in one go, and with `once` never twice for the same token, whose row is written in the
 * same batch. Keys that begin with "chargebridge/" are the server's own: written by its own files
 * only, not listed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/dry.h"

enum { KEY_MAX = 255, ONCE_DAYS = 90, DAY_MS = 24 * 60 * 60 * 1000 };

static const char own_prefix[] = "chargebridge/";

static bool is_own(const char *key)
{
    return strncmp(key, own_prefix, sizeof(own_prefix) - 1) == 0;
}

/* What stands there, JSON or NULL. */
static const char *stored(lua_State *L, struct station *st, const char *key)
{
    const char *json = NULL;
    return dry_read(L, "store", "", key, &json) ? json : station_kv_get(st, key);
}

/* One of the server's own is a switch for policies (lua/routes/control.lua). */
static bool may_write(lua_State *L, const char *key)
{
    struct api_place place;
    if (!is_own(key) || text_is(key, "chargebridge/require_hash"))
        return true;
    return api_caller(L, &place) && strncmp(place.file, "lua/", 4) == 0;
}

static const char *arg_key(lua_State *L, const char *function)
{
    const char *key = api_arg_string(L, function, 1, "key");
    if (!may_write(L, key))
        api_raise(L, "%s: keys that begin with %s are the server's own", function, own_prefix);
    return key;
}

/* ---- store.get, store.set ---- */

static int store_get(lua_State *L)
{
    const char *key = api_arg_string(L, "store.get", 1, "key");
    struct reason why;
    const char *json = stored(L, api_station(L, "store.get"), key);
    if (!json)
        lua_pushnil(L);
    else if (api_push_json_text(L, span_of(json), &why) != 0)
        return api_raise(L, "store.get: %s", why.text);
    return 1;
}

/* ttl_ms ABSENT: it keeps the time that it has. */
static void write(lua_State *L, const char *function, const char *key, const char *json,
                  int64_t ttl_ms)
{
    struct station *st = api_station(L, function);
    struct reason why;
    if (strlen(key) <= KEY_MAX && dry_write(L, &(struct dry_value){function, "store", "", key, json,
                                                                   station_kv_get(st, key)}))
        return;
    bool ok = ttl_ms == ABSENT ? station_kv_update(st, key, json, &why)
                               : station_kv_set(st, key, json, ttl_ms, &why);
    if (!ok)
        api_raise(L, "%s: %s", function, why.text);
}

static int store_set(lua_State *L)
{
    static const char *const names[] = {"ttl", NULL};
    api_station(L, "store.set");
    const char *key = arg_key(L, "store.set");
    if (lua_gettop(L) < 2)
        return api_raise(L, "store.set: argument 2 (value) is missing; nil deletes");
    api_check_members(L, "store.set", 3, names);
    int64_t ttl_ms = api_opt_duration(L, "store.set", 3, "ttl", 0);
    const char *json = lua_isnil(L, 2) ? NULL : api_push_as_text(L, 2, "store.set");
    write(L, "store.set", key, json, ttl_ms);
    return 0;
}

/* ---- store.add ---- */

static const char add_name[] = "store.add";

/* The row that remembers a token; the key of the value is part of it. */
static void token_row(const char *key, const char *token, char out[128])
{
    char hash[SHA256_HEX_SIZE];
    char *text = xprintf("%zu:%s%s", strlen(key), key, token);
    sha256_hex(text, strlen(text), hash);
    xfree(text);
    snprintf(out, 128, "%sonce/%s", own_prefix, hash);
}

/* Pushes what stands there, 0 if nothing does. */
static void push_current(lua_State *L, struct station *st, const char *key)
{
    struct reason why;
    const char *json = stored(L, st, key);
    if (!json)
        lua_pushinteger(L, 0);
    else if (api_push_json_text(L, span_of(json), &why) != 0)
        api_raise(L, "%s: %s", add_name, why.text);
    if (lua_type(L, -1) != LUA_TNUMBER)
        api_raise(L, "%s: the value of \"%s\" must be a number, not %s", add_name, key,
                  api_type_of(L, -1));
}

/* Pushes the sum; false, and nothing pushed: it is beyond what numbers can hold. */
static bool push_sum(lua_State *L, int current, int delta)
{
    if (lua_isinteger(L, current) && lua_isinteger(L, delta)) {
        int64_t sum;
        if (__builtin_add_overflow((int64_t)lua_tointeger(L, current),
                                   (int64_t)lua_tointeger(L, delta), &sum))
            return false;
        lua_pushinteger(L, sum);
        return true;
    }
    double sum = lua_tonumber(L, current) + lua_tonumber(L, delta);
    if (!isfinite(sum))
        return false;
    lua_pushnumber(L, sum);
    return true;
}

/* `nil, err` with what stands there in err.details.value. */
static int refuse(lua_State *L, int current, const char *code, const char *message)
{
    lua_pushnil(L);
    api_push_error(L, code, message);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, current);
    lua_setfield(L, -2, "value");
    lua_setfield(L, -2, "details");
    return 2;
}

/* Does the value at `sum` go beyond the option, away from which the step at 2 leads? */
static bool is_beyond(lua_State *L, int sum, const char *option, bool below)
{
    if (!lua_istable(L, 3) || lua_getfield(L, 3, option) == LUA_TNIL)
        return false;
    if (lua_type(L, -1) != LUA_TNUMBER)
        api_raise(L, "%s: %s must be a number, not %s", add_name, option, api_type_of(L, -1));
    int limit = lua_gettop(L);
    lua_pushinteger(L, 0);
    bool away =
        below ? lua_compare(L, 2, limit + 1, LUA_OPLT) : lua_compare(L, limit + 1, 2, LUA_OPLT);
    return away &&
           (below ? lua_compare(L, sum, limit, LUA_OPLT) : lua_compare(L, limit, sum, LUA_OPLT));
}

static int store_add(lua_State *L)
{
    static const char *const names[] = {"once", "min", "max", "ttl", NULL};
    struct station *st = api_station(L, add_name);
    const char *key = arg_key(L, add_name);
    api_arg_number(L, add_name, 2, "delta");
    api_check_members(L, add_name, 3, names);
    const char *once = api_opt_string(L, add_name, 3, "once");
    int64_t ttl_ms = api_opt_duration(L, add_name, 3, "ttl", ABSENT);
    char token[128];
    push_current(L, st, key);
    int current = lua_gettop(L);
    if (once) {
        token_row(key, once, token);
        if (stored(L, st, token))
            return refuse(L, current, "once", "that was added already");
    }
    if (!push_sum(L, current, 2))
        return refuse(L, current, "refused", "the sum is no number that can be kept");
    int sum = lua_gettop(L);
    if (is_beyond(L, sum, "min", true))
        return refuse(L, current, "refused", "the sum would be below the least");
    if (is_beyond(L, sum, "max", false))
        return refuse(L, current, "refused", "the sum would be above the most");
    write(L, add_name, key, api_push_as_text(L, sum, add_name), ttl_ms);
    if (once)
        write(L, "store.once", token, "true", (int64_t)ONCE_DAYS * DAY_MS);
    lua_pushvalue(L, sum);
    return 1;
}

/* ---- store.keys ---- */

static bool begins_with(const char *key, const char *prefix)
{
    return strncmp(key, prefix, strlen(prefix)) == 0 && !is_own(key);
}

/* Those that are stored, and those that only a dry run has; some may be deleted there. */
static const char *next_key(lua_State *L, struct station *st, size_t at[2])
{
    const char *key, *json;
    if ((key = station_kv_next(st, &at[0])) != NULL)
        return key;
    while (dry_next(L, "store", "", &at[1], &key, &json)) {
        if (json && !station_kv_get(st, key))
            return key;
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Upvalues: the list of keys, how many were read. Keys that are gone meanwhile are left out. */
static int next_pair(lua_State *L)
{
    struct station *st = api_station(L, "store.keys");
    struct reason why;
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));
    while (lua_rawgeti(L, lua_upvalueindex(1), ++at) == LUA_TSTRING) {
        const char *json = stored(L, st, lua_tostring(L, -1));
        if (json && api_push_json_text(L, span_of(json), &why) == 0) {
            lua_pushinteger(L, at);
            lua_replace(L, lua_upvalueindex(2));
            return 2;
        }
        lua_pop(L, 1);
    }
    return 1;
}

static int store_keys(lua_State *L)
{
    struct station *st = api_station(L, "store.keys");
    const char *prefix = lua_isnoneornil(L, 1) ? "" : api_arg_string(L, "store.keys", 1, "prefix");
    const char *key;
    size_t count = 0, at[2] = {0, 0};
    while ((key = next_key(L, st, at)) != NULL)
        count += begins_with(key, prefix);
    const char **keys = lua_newuserdatauv(L, (count + 1) * sizeof(*keys), 0);
    size_t taken = 0;
    for (at[0] = at[1] = 0; (key = next_key(L, st, at)) != NULL;) {
        if (begins_with(key, prefix))
            keys[taken++] = key;
    }
    qsort(keys, taken, sizeof(*keys), compare);
    lua_createtable(L, (int)taken, 0);
    for (size_t i = 0; i < taken; i++) {
        lua_pushstring(L, keys[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_pair, 2);
    return 1;
}

/* ---- rows ---- */

static const struct api_row rows[] = {
    {"get", store_get, "fun(key: string): any",
     "The value kept under that key, a copy; nil if there is none or its time is over.", false},
    {"set", store_set, "fun(key: string, value: any, options?: { ttl?: string|number })",
     "Keeps a value (nil deletes it), for ever or for `ttl` (\"1h\"). Keys up to 255 bytes, values "
     "up "
     "to 64 KiB. Read back at once; on disk with the next commit.",
     false},
    {"add", store_add,
     "fun(key: string, delta: number, options?: { once?: string, min?: number, max?: number, ttl?: "
     "string|number }): number?, err?",
     "Adds to a number (0 if there is none) and gives the new one; integers stay integers. A step "
     "that leads below `min` or above `max` is not made: nil and err.code \"refused\". With `once` "
     "a token (\"stop 17\") is remembered for 90 days, and a second time is not added: err.code "
     "\"once\". err.details.value is what stands there. Without `ttl` it keeps the time it has.",
     false},
    {"keys", store_keys, "fun(prefix?: string): fun(): string?, any",
     "For loops: for key, value in store.keys \"wallet/\" do. In order of the keys; what is stored "
     "when the loop begins.",
     false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_store = {
    .on = "store",
    .class_doc = "Values that outlive reloads and restarts, shared by all policies.",
    .rows = rows};

/* `store.get` and `store.set`: the scripts' durable store, shared by all policies and reloads. */
#include <string.h>

#include "policy/api_parts.h"
#include "policy/dry.h"

static int store_get(lua_State *L)
{
    const char *key = api_arg_string(L, "store.get", 1, "key");
    struct reason why;
    const char *json = NULL;
    struct station *st = api_station(L, "store.get");
    if (!dry_read(L, "store", "", key, &json))
        json = station_kv_get(st, key);
    if (!json)
        lua_pushnil(L);
    else if (api_push_json_text(L, span_of(json), &why) != 0)
        return api_raise(L, "store.get: %s", why.text);
    return 1;
}

static int store_set(lua_State *L)
{
    static const char *const names[] = {"ttl", NULL};
    struct station *st = api_station(L, "store.set");
    const char *key = api_arg_string(L, "store.set", 1, "key");
    if (lua_gettop(L) < 2)
        return api_raise(L, "store.set: argument 2 (value) is missing; nil deletes");
    api_check_members(L, "store.set", 3, names);
    int64_t ttl_ms = api_opt_duration(L, "store.set", 3, "ttl", 0);
    const char *json = lua_isnil(L, 2) ? NULL : api_push_as_text(L, 2, "store.set");
    struct reason why;
    if (strlen(key) <= 255 && dry_write(L, &(struct dry_value){"store.set", "store", "", key, json,
                                                               station_kv_get(st, key)}))
        return 0;
    if (!station_kv_set(st, key, json, ttl_ms, &why))
        return api_raise(L, "store.set: %s", why.text);
    return 0;
}

static const struct api_row rows[] = {
    {"get", store_get, "fun(key: string): any",
     "The value kept under that key, a copy; nil if there is none or its time is over.", false},
    {"set", store_set, "fun(key: string, value: any, options?: { ttl?: string|number })",
     "Keeps a value (nil deletes it), for ever or for `ttl` (\"1h\"). Keys up to 255 bytes, values "
     "up "
     "to 64 KiB. Read back at once; on disk with the next commit.",
     false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_store = {
    .on = "store",
    .class_doc = "Values that outlive reloads and restarts, shared by all policies.",
    .rows = rows};

/* `cp.vars` and `tx.vars`: small values that outlive reloads and restarts, copied in and out.
 *
 * The value of the object is its owner's id; each access looks the owner up. Once the owner is gone
 * reading gives nil and writing does nothing. Values are kept as JSON (station/vars.h), so tables
 * that are read are copies: change one, then assign it again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/dry.h"
#include "station/site.h"

struct vars_owner {
    int64_t transaction; /* 0: it is a charge point; SITE: a site, by its name */
    char cp[];
};

enum { TEXT_MAX = 64 * 1024 }; /* of one value of vars or store */
enum { SITE = -1 };

static const char vars_key;

static struct vars_owner *push_owner(lua_State *L, const char *cp)
{
    size_t len = strlen(cp);
    struct vars_owner *owner = lua_newuserdatauv(L, sizeof(*owner) + len + 1, 0);
    owner->transaction = 0;
    memcpy(owner->cp, cp, len + 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vars_key);
    lua_setmetatable(L, -2);
    return owner;
}

void api_push_cp_vars(lua_State *L, const char *identity)
{
    push_owner(L, identity);
}

void api_push_tx_vars(lua_State *L, int64_t id)
{
    push_owner(L, "")->transaction = id;
}

void api_push_site_vars(lua_State *L, const char *name)
{
    push_owner(L, name)->transaction = SITE;
}

/* Scripts reach these functions only as metamethods of the userdata. */
static const struct vars_owner *owner_at(lua_State *L, int index)
{
    return lua_touserdata(L, index);
}

static const char *owner_name(const struct vars_owner *owner)
{
    if (owner->transaction == SITE)
        return "site.vars";
    return owner->transaction ? "tx.vars" : "cp.vars";
}

static struct vars *find_vars(struct station *st, const struct vars_owner *owner)
{
    if (owner->transaction == SITE) {
        struct site *site = station_site(st, owner->cp);
        return site ? &site->vars : NULL;
    }
    if (owner->transaction) {
        struct transaction *tx = station_transaction(st, owner->transaction);
        return tx ? &tx->vars : NULL;
    }
    struct charge_point *cp = station_find(st, owner->cp);
    return cp ? &cp->vars : NULL;
}

/* Whose they are, for dry.h: the identity or the id as text. */
static const char *subject_of(const struct vars_owner *owner, char id[24])
{
    if (owner->transaction <= 0)
        return owner->cp;
    snprintf(id, 24, "%" PRId64, owner->transaction);
    return id;
}

static void push_value(lua_State *L, const char *name, const char *json)
{
    struct reason why;
    if (api_push_json_text(L, span_of(json), &why) != 0)
        api_raise(L, "%s: %s", name, why.text);
}

static int vars_index(lua_State *L)
{
    const struct vars_owner *owner = owner_at(L, 1);
    const char *name = owner_name(owner);
    const struct vars *vars = find_vars(api_station(L, name), owner);
    const char *key = api_arg_string(L, name, 2, "name");
    const char *json = NULL;
    char id[24];
    if (vars && !dry_read(L, name, subject_of(owner, id), key, &json))
        json = vars_get(vars, key);
    if (!json)
        return 0;
    push_value(L, name, json);
    return 1;
}

/* The value as JSON text in a buffer of Lua, on top of the stack. */
const char *api_push_as_text(lua_State *L, int index, const char *what)
{
    struct arena arena = {0};
    struct reason why;
    struct strbuf out = {0};
    const struct json *node = api_read_json(L, index, &arena, &why);
    if (node)
        json_write(&out, node);
    arena_clear(&arena);
    if (!node)
        api_raise(L, "%s: %s", what, why.text);
    size_t size = out.len + 1;
    char *text = strbuf_take(&out, NULL);
    char *buffer = size <= TEXT_MAX + 1 ? lua_newuserdatauv(L, size, 0) : NULL;
    if (buffer)
        memcpy(buffer, text, size);
    xfree(text);
    if (!buffer)
        api_raise(L, "%s: the value is longer than %d bytes", what, TEXT_MAX);
    return buffer;
}

static bool dry_vars_write(lua_State *L, const struct vars_owner *owner, const struct vars *vars,
                           const char *key, const char *json)
{
    char id[24];
    const char *name = owner_name(owner);
    return dry_write(
        L, &(struct dry_value){name, name, subject_of(owner, id), key, json, vars_get(vars, key)});
}

static int vars_newindex(lua_State *L)
{
    const struct vars_owner *owner = owner_at(L, 1);
    const char *name = owner_name(owner);
    struct station *st = api_station(L, name);
    const char *key = api_arg_string(L, name, 2, "name");
    const char *json = lua_isnil(L, 3) ? NULL : api_push_as_text(L, 3, name);
    struct vars *vars = find_vars(st, owner);
    struct reason why;
    if (!vars || dry_vars_write(L, owner, vars, key, json))
        return 0;
    if (!vars_set(vars, key, json, &why))
        return api_raise(L, "%s: %s", name, why.text);
    if (owner->transaction == SITE)
        site_vars_changed(st, owner->cp);
    else if (owner->transaction)
        transaction_vars_changed(st, owner->transaction);
    else
        charge_point_vars_changed(st, owner->cp);
    return 0;
}

static int plain_next(lua_State *L)
{
    lua_settop(L, 2);
    return lua_next(L, 1) ? 2 : 0;
}

/* What this generation wrote while it runs dry, into the table on top. */
static void lay_over(lua_State *L, const struct vars_owner *owner)
{
    char id[24];
    const char *name = owner_name(owner), *subject = subject_of(owner, id), *key, *json;
    size_t at = 0;
    while (dry_next(L, name, subject, &at, &key, &json)) {
        if (json)
            push_value(L, name, json);
        else
            lua_pushnil(L);
        lua_setfield(L, -2, key);
    }
}

/* pairs(tx.vars): over a copy of them all. */
static int vars_pairs(lua_State *L)
{
    const struct vars_owner *owner = owner_at(L, 1);
    const char *name = owner_name(owner);
    const struct vars *vars = find_vars(api_station(L, name), owner);
    lua_pushcfunction(L, plain_next);
    lua_newtable(L);
    const struct map_entry *entry;
    size_t at = 0;
    while (vars && (entry = map_next(&vars->values, &at)) != NULL) {
        push_value(L, name, entry->value);
        lua_setfield(L, -2, entry->key);
    }
    if (vars)
        lay_over(L, owner);
    lua_pushnil(L);
    return 3;
}

static int vars_text(lua_State *L)
{
    const struct vars_owner *owner = owner_at(L, 1);
    if (owner->transaction > 0)
        lua_pushfstring(L, "vars of transaction %I", (LUAI_UACINT)owner->transaction);
    else
        lua_pushfstring(L, "vars of %s", owner->cp);
    return 1;
}

void api_open_vars(lua_State *L)
{
    static const luaL_Reg metamethods[] = {{"__index", vars_index},
                                           {"__newindex", vars_newindex},
                                           {"__pairs", vars_pairs},
                                           {"__tostring", vars_text},
                                           {NULL, NULL}};
    api_open_object(L, &vars_key, "vars", metamethods);
}

static const struct api_row rows[] = {{NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_vars = {
    .on = "vars",
    .class_doc =
        "Small values of a charge point or transaction that outlive reloads and restarts: nil, "
        "booleans, numbers, strings and tables of these, at most 16 KiB. Copied in and out: "
        "change a table, then assign it again. Of a gone owner they read nil.",
    .rows = rows,
    .object = true};

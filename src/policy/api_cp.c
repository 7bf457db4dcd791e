/* Charge points as scripts see them: `cp.online`, `cp.connectors[1].status`, `cp:call(…)`.
 *
 * The value holds the identity and nothing else; each access looks the charge point up, so a value
 * may be kept anywhere and for any time. The same identity gives the same value as long as anybody
 * holds it. One that is gone reads online == false, connectors empty, everything else nil. */
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"

static const char cp_key;  /* registry: metatable */
static const char all_key; /* registry: identity → value, weak */

struct cp_value {
    char id[1]; /* as long as it is */
};

/* ---- values ---- */

void api_push_cp(lua_State *L, const char *identity)
{
    struct generation *generation = generation_of(L);
    const struct charge_point *cp =
        generation->station ? station_find(generation->station, identity) : NULL;
    const char *id = cp ? cp->id : identity;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &all_key);
    if (lua_getfield(L, -1, id) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        size_t len = strlen(id);
        struct cp_value *value = lua_newuserdatauv(L, len + 1, 0);
        memcpy(value->id, id, len + 1);
        lua_rawgetp(L, LUA_REGISTRYINDEX, &cp_key);
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, value->id);
    }
    lua_remove(L, -2);
}

static const char *to_cp(lua_State *L, int index)
{
    const struct cp_value *value = api_to_object(L, index, &cp_key);
    return value ? value->id : NULL;
}

const char *api_check_cp(lua_State *L, int index)
{
    const char *id = to_cp(L, index);
    if (!id)
        api_raise(L, "expected a cp, got %s; call methods with a colon, cp:call(…)",
                  api_type_of(L, index));
    return id;
}

const char *api_cp_or_name(lua_State *L, int index)
{
    const char *id = to_cp(L, index);
    if (id)
        return id;
    return lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : NULL;
}

/* ---- fields ---- */

static void push_connectors(lua_State *L, const struct charge_point *cp)
{
    lua_newtable(L);
    for (size_t i = 0; cp && i < cp->connector_count; i++) {
        const struct connector *c = &cp->connectors[i];
        lua_createtable(L, 0, 6);
        api_set_integer(L, "id", c->evse);
        api_set_string(L, "status", c->status[0] ? c->status : NULL);
        api_set_string(L, "error_code", c->error_code[0] ? c->error_code : NULL);
        api_set_string(L, "info", c->info[0] ? c->info : NULL);
        api_set_seconds(L, "since", c->status_ms ? c->status_ms : ABSENT);
        if (c->transaction_id) {
            api_push_tx(L, c->transaction_id);
            lua_setfield(L, -2, "transaction");
        }
        lua_rawseti(L, -2, c->evse);
    }
}

/* Texts that read nil when empty or unknown. */
static const char *text_field(const struct charge_point *cp, const char *key)
{
    if (text_is(key, "registration"))
        return registration_text(cp->registration);
    if (text_is(key, "version"))
        return cp->version ? cp->version->name : NULL;
    if (text_is(key, "vendor"))
        return cp->vendor;
    if (text_is(key, "model"))
        return cp->model;
    if (text_is(key, "serial"))
        return cp->serial;
    if (text_is(key, "firmware"))
        return cp->firmware;
    if (text_is(key, "address"))
        return cp->connection ? cp->peer : NULL;
    return NULL;
}

static int cp_index(lua_State *L)
{
    const char *id = api_check_cp(L, 1);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (text_is(key, "id")) {
        lua_pushstring(L, id);
        return 1;
    }
    if (api_cp_action(L, key))
        return 1;
    if (api_cp_limit_field(L, id, key))
        return 1;
    if (text_is(key, "vars")) {
        api_push_cp_vars(L, id);
        return 1;
    }
    if (!api_has_row(&api_table_cp, key))
        return api_unknown_field(L, "cp", &api_table_cp, key);
    const struct charge_point *cp = station_find(api_station(L, "reading a cp"), id);
    if (text_is(key, "online"))
        lua_pushboolean(L, cp && cp->connection != 0);
    else if (text_is(key, "connectors"))
        push_connectors(L, cp);
    else if (text_is(key, "last_seen") && cp && cp->last_seen_ms)
        lua_pushinteger(L, cp->last_seen_ms / 1000);
    else if (text_is(key, "rating_w") && cp && cp->options.rating_w != ABSENT)
        lua_pushinteger(L, cp->options.rating_w);
    else
        lua_pushstring(L, cp ? text_field(cp, key) : NULL);
    return 1;
}

static int cp_newindex(lua_State *L)
{
    return api_raise(L, "a cp is read-only; keep values in cp.vars");
}

static int cp_text(lua_State *L)
{
    lua_pushstring(L, api_check_cp(L, 1));
    return 1;
}

static int cp_equal(lua_State *L)
{
    const char *a = to_cp(L, 1), *b = to_cp(L, 2);
    lua_pushboolean(L, a && b && text_is_ci(a, b));
    return 1;
}

void api_open_cp(lua_State *L)
{
    static const luaL_Reg metamethods[] = {{"__index", cp_index},
                                           {"__newindex", cp_newindex},
                                           {"__tostring", cp_text},
                                           {"__eq", cp_equal},
                                           {NULL, NULL}};
    api_open_object(L, &cp_key, "a cp", metamethods);
    api_open_weak(L, &all_key);
}

/* ---- globals ---- */

static int cp_find(lua_State *L)
{
    const char *id = api_arg_string(L, "chargepoint", 1, "id");
    struct generation *generation = generation_of(L);
    /* While files load nothing is known of charge points yet: a value to keep is given anyway. */
    if (generation->station && generation->phase != PHASE_LOADING &&
        !station_find(generation->station, id)) {
        lua_pushnil(L);
        return 1;
    }
    api_push_cp(L, id);
    return 1;
}

static int next_cp(lua_State *L)
{
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(2)) + 1;
    lua_pushinteger(L, at);
    lua_replace(L, lua_upvalueindex(2));
    if (lua_rawgeti(L, lua_upvalueindex(1), at) == LUA_TSTRING)
        api_push_cp(L, lua_tostring(L, -1));
    return 1;
}

static int cp_all(lua_State *L)
{
    struct station *st = api_station(L, "chargepoints");
    const struct charge_point *cp;
    size_t at = 0;
    lua_Integer count = 0;
    lua_newtable(L);
    while ((cp = station_next(st, &at)) != NULL) {
        lua_pushstring(L, cp->id);
        lua_rawseti(L, -2, ++count);
    }
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_cp, 2);
    return 1;
}

static const struct api_row global_rows[] = {
    {"chargepoint", cp_find, "fun(id: string): cp?",
     "The charge point of that identity, or nil if none is known.", false},
    {"chargepoints", cp_all, "fun(): fun(): cp?",
     "For loops: all known charge points, in the order of their first contact.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_cp_globals = {
    .on = "", .class_doc = "Charge points.", .rows = global_rows};

static const struct api_row rows[] = {
    {"id", NULL, "string", "Its identity, spelled as at the first contact.", false},
    {"online", NULL, "boolean", "Is it connected?", false},
    {"registration", NULL, "\"accepted\"|\"pending\"|\"rejected\"|nil", "How it was registered.",
     false},
    {"version", NULL, "string?", "The OCPP version of its last connection, \"1.6\".", false},
    {"vendor", NULL, "string?", "As in its last BootNotification.", false},
    {"model", NULL, "string?", "As in its last BootNotification.", false},
    {"serial", NULL, "string?", "As in its last BootNotification.", false},
    {"firmware", NULL, "string?", "As in its last BootNotification.", false},
    {"rating_w", NULL, "integer?", "What a connector gives at most, in W: its option ratingW.",
     false},
    {"address", NULL, "string?", "The address that it is connected from.", false},
    {"connectors", NULL, "table<integer, connector>",
     "Its connectors by connectorId as they are now (a copy); 0 is the controller.", false},
    {"limit_amps", NULL, "number?", "The limit that was set by cp:limit, in A per phase.", false},
    {"last_seen", NULL, "integer?", "When it was last heard of, in seconds since 1970.", false},
    {"vars", NULL, "vars", "Values that outlive reloads and restarts.", false},
    {"call", api_cp_call,
     "fun(self: cp, action: string, payload?: table, options?: { timeout?: string|number }): "
     "table?, err?",
     "Sends a CALL; the payload is spelled as on the wire. The answer's payload, or nil and an "
     "error: "
     "err.code is \"offline\", \"timeout\", \"refused\", \"gone\" or the code of a CALLERROR.",
     true},
    {"start", NULL,
     "fun(self: cp, what: { connector?: integer, idTag: string, vars?: table }): true?, err?",
     "RemoteStartTransaction; vars become part of tx.vars of the transaction that comes of it. "
     "err.code also \"Rejected\".",
     true},
    {"limit", NULL, "fun(self: cp, limit?: { amps?: number, watts?: number }): true?, err?",
     "Limits all its connectors together, as tx:limit does one transaction.", false},
    {"unlock", NULL, "fun(self: cp, connector: integer): true?, err?",
     "UnlockConnector; err.code also \"UnlockFailed\", \"NotSupported\".", true},
    {"trigger", NULL, "fun(self: cp, message: string, connector?: integer): true?, err?",
     "TriggerMessage; err.code also \"Rejected\", \"NotImplemented\".", true},
    {"reset", NULL, "fun(self: cp, type?: \"Soft\"|\"Hard\"): true?, err?",
     "Reset, soft if not told otherwise; err.code also \"Rejected\".", true},
    {"configure", NULL, "fun(self: cp, keys: table<string, string|number|boolean>): true?, err?",
     "One ChangeConfiguration a key. true if all were taken; else err.code is the first other "
     "answer (\"Rejected\", \"NotSupported\", \"offline\" …) and err.details has the answer of "
     "each key: cp:configure { HeartbeatInterval = 300 }.",
     true},
    {"pending", NULL,
     "fun(self: cp, connector?: integer): { idTag: string, connector?: integer, vars: table, "
     "since: integer }?",
     "The remote start that waits there for its StartTransaction.", false},
    {"note_pending", NULL, "fun(self: cp, connector: integer?, vars: table): boolean",
     "Adds to its vars; false if none waits.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_cp = {
    .on = "cp",
    .class_doc =
        "A charge point. May be kept for any time; once it is gone, online is false, connectors "
        "is empty and everything else but id and vars is nil.",
    .rows = rows,
    .object = true};

static const struct api_row connector_rows[] = {
    {"id", NULL, "integer", "connectorId.", false},
    {"status", NULL, "string?", "As in its last StatusNotification.", false},
    {"error_code", NULL, "string?", "As in its last StatusNotification.", false},
    {"info", NULL, "string?", "As in its last StatusNotification.", false},
    {"since", NULL, "integer?", "When it got this status, in seconds since 1970.", false},
    {"transaction", NULL, "tx?", "The open transaction.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_connector = {.on = "connector",
                                              .class_doc = "A connector as it was when read.",
                                              .rows = connector_rows,
                                              .object = true};

/* `core.composite`: the schedule that a stack of charging profiles makes (P1, P2, P5). */
#include <string.h>

#include "base/mem.h"
#include "ocpp/charging.h"
#include "policy/api_rest.h"

struct composing { /* what is read from the arguments, for as long as its arena */
    struct arena arena;
    struct strbuf out;
    const struct charging_profile **profiles;
    size_t count;
    struct charging_place place;
    wall_t from;
    int64_t duration_s;
    char unit;
};

static void read_place(lua_State *L, int index, struct composing *c)
{
    static const char *const names[] = {"connectorId", "transactionId", "sessionStartMs",
                                        "volts",       "phases",        NULL};
    static const char what[] = "core.composite";
    api_arg_table(L, what, index, "place");
    api_check_members(L, what, index, names);
    c->place = (struct charging_place){
        .connector = api_opt_integer(L, what, index, "connectorId", 0),
        .transaction_id = api_opt_integer(L, what, index, "transactionId", 0),
        .session_start_ms = api_opt_integer(L, what, index, "sessionStartMs", 0),
        .volts = 230,
        .phases = api_opt_integer(L, what, index, "phases", 3)};
    if (lua_getfield(L, index, "volts") == LUA_TNUMBER)
        c->place.volts = lua_tonumber(L, -1);
    lua_pop(L, 1);
}

/* The item on top. One that cannot be read limits nothing. */
static void read_profile(lua_State *L, struct composing *c)
{
    struct reason why;
    int item = lua_gettop(L);
    if (!lua_istable(L, item))
        api_raise(L, "core.composite: a profile is a table { connectorId, profile }");
    int64_t connector = api_opt_integer(L, "core.composite", item, "connectorId", 0);
    lua_getfield(L, item, "profile");
    const struct json *object = api_read_json(L, -1, &c->arena, &why);
    if (!object)
        api_raise(L, "core.composite: profile: %s", why.text);
    struct charging_profile *profile = arena_alloc(&c->arena, sizeof(*profile));
    if (charging_profile_read(&c->arena, object, connector, profile, &why))
        c->profiles[c->count++] = profile;
    lua_settop(L, item);
}

/* Arguments: the composing, then those of core.composite. Raises freely. */
static int compose(lua_State *L)
{
    static const char what[] = "core.composite";
    struct composing *c = lua_touserdata(L, 1);
    const char *unit = api_arg_string(L, what, 6, "unit");
    api_arg_table(L, what, 2, "profiles");
    c->from = api_arg_integer(L, what, 4, "fromMs");
    c->duration_s = api_arg_integer(L, what, 5, "duration");
    c->unit = unit[0];
    if (!text_is(unit, "A") && !text_is(unit, "W"))
        return api_raise(L, "core.composite: unit must be \"A\" or \"W\", not \"%s\"", unit);
    read_place(L, 3, c);
    size_t count = lua_rawlen(L, 2);
    c->profiles = arena_alloc(&c->arena, (count + 1) * sizeof(struct charging_profile *));
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i);
        read_profile(L, c);
        lua_pop(L, 1);
    }
    struct json_out out = {.to = &c->out};
    struct reason why;
    json_open(&out, '{');
    bool limited =
        charging_composite(c->profiles, c->count, &c->place, c->from, c->duration_s, c->unit, &out);
    json_close(&out, '}');
    struct span text = {strbuf_text(&c->out), c->out.len};
    if (!limited || api_push_json_text(L, text, &why) != 0)
        lua_pushnil(L);
    return 1;
}

int rest_composite(lua_State *L)
{
    struct composing c = {0};
    lua_settop(L, 5);
    lua_pushcfunction(L, compose);
    lua_insert(L, 1);
    lua_pushlightuserdata(L, &c);
    lua_insert(L, 2);
    int status = lua_pcall(L, 6, 1, 0);
    arena_clear(&c.arena);
    strbuf_clear(&c.out);
    return status == LUA_OK ? 1 : lua_error(L);
}

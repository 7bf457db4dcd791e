/* Sites and limits as scripts see them: site "depot" {…}, on.rebalance's argument, tx:limit{…}.
 *
 * The value of a site is its name; each access looks it up. While files load, site "depot" gives a
 * value whose call with a table defines it; afterwards only sites that are defined are found. What
 * a limit does not wait for, and how the fuse is guarded, is station/limit.h's. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/dry.h"
#include "policy/site.h"

static const char site_key; /* registry: metatable */

struct site_value {
    char name[SITE_NAME_MAX + 1];
};

/* ---- values ---- */

void api_push_site(lua_State *L, const char *name)
{
    struct site_value *value = lua_newuserdatauv(L, sizeof(*value), 0);
    text_copy(value->name, sizeof(value->name), span_of(name));
    lua_rawgetp(L, LUA_REGISTRYINDEX, &site_key);
    lua_setmetatable(L, -2);
}

static const char *check_site(lua_State *L, int index)
{
    const struct site_value *value = api_to_object(L, index, &site_key);
    if (!value)
        api_raise(L, "expected a site, got %s; call methods with a colon, site:charging()",
                  api_type_of(L, index));
    return value->name;
}

static struct site *find(lua_State *L, const char *what)
{
    return station_site(api_station(L, what), check_site(L, 1));
}

/* ---- definitions ---- */

static double number_of(lua_State *L, const char *member, double least, double most,
                        double fallback)
{
    double value = fallback;
    int type = lua_getfield(L, 2, member);
    if (type == LUA_TNUMBER)
        value = lua_tonumber(L, -1);
    bool fits = type == LUA_TNIL || (type == LUA_TNUMBER && value >= least && value <= most);
    lua_pop(L, 1);
    if (!fits)
        api_raise(L, "site: %s must be a number from %g to %g", member, least, most);
    return value;
}

/* "*", "CP1" or { "CP1", "CP2" }; the texts stay in the table, the list is Lua's and on the stack.
 */
static void read_chargers(lua_State *L, struct site_definition *site)
{
    int type = lua_getfield(L, 2, "chargers");
    int at = lua_gettop(L);
    site->all = type == LUA_TSTRING && text_is(lua_tostring(L, at), "*");
    if (site->all)
        return;
    if (type != LUA_TSTRING && type != LUA_TTABLE)
        api_raise(L, "site: chargers must be \"*\" or a list of identities, not %s",
                  api_type_of(L, at));
    size_t count = type == LUA_TSTRING ? 1 : lua_rawlen(L, at);
    const char **list = lua_newuserdatauv(L, (count + 1) * sizeof(*list), 0);
    for (size_t i = 0; i < count; i++) {
        if (type == LUA_TSTRING)
            lua_pushvalue(L, at);
        else
            lua_rawgeti(L, at, (lua_Integer)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            api_raise(L, "site: chargers[%d] must be an identity, not %s", (int)i + 1,
                      api_type_of(L, -1));
        list[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    if (count == 0)
        api_raise(L, "site: chargers must name at least one charger");
    site->chargers = list;
    site->charger_count = count;
}

static void read_failsafe(lua_State *L, struct site_definition *site)
{
    site->failsafe_a = NO_LIMIT;
    int type = lua_getfield(L, 2, "failsafe");
    bool off = type == LUA_TBOOLEAN && !lua_toboolean(L, -1);
    lua_pop(L, 1);
    site->no_failsafe = off;
    if (off)
        return;
    site->failsafe_a = number_of(L, "failsafe", 0, site->fuse_a, NO_LIMIT);
    double all = site->failsafe_a * (double)site->charger_count;
    if (all > site->fuse_a - site->base_load_a)
        api_raise(L,
                  "site: the failsafe of %g A at %d chargers is %g A, and the fuse leaves %g A; "
                  "failsafe = 0 lets cars wait for the server",
                  site->failsafe_a, (int)site->charger_count, all,
                  site->fuse_a - site->base_load_a);
}

static int site_define(lua_State *L)
{
    static const char *const members[] = {"chargers",  "fuse",     "phases", "voltage",
                                          "base_load", "failsafe", "settle", NULL};
    struct generation *generation = generation_of(L);
    const char *name = check_site(L, 1);
    if (generation->loading_file < 0)
        return api_raise(L, "a site can be defined only while a policy file loads");
    api_arg_table(L, "site", 2, "definition");
    api_check_members(L, "site", 2, members);
    struct site_definition site = {.name = name};
    read_chargers(L, &site);
    site.fuse_a = number_of(L, "fuse", SITE_MIN_AMPS, 100000, 0);
    if (site.fuse_a <= 0)
        return api_raise(L, "site: fuse is missing: amperes per phase, as in fuse = 100");
    site.phases = (int64_t)number_of(L, "phases", 1, 3, 3);
    site.volts = number_of(L, "voltage", 50, 1000, 230);
    site.base_load_a = number_of(L, "base_load", 0, site.fuse_a, 0);
    site.settle_ms = api_opt_duration(L, "site", 2, "settle", 5000);
    read_failsafe(L, &site);
    if (site.settle_ms < 0 || site.settle_ms > 10 * 60 * 1000)
        return api_raise(L, "site: settle must be from 0 to 10 minutes");
    struct reason why;
    if (!sites_add(generation, &site, &why))
        return api_raise(L, "%s", why.text);
    return 0;
}

static int site_new(lua_State *L)
{
    const char *name = api_arg_string(L, "site", 1, "name");
    struct generation *generation = generation_of(L);
    size_t len = strlen(name);
    bool fits = len > 0 && len <= SITE_NAME_MAX;
    for (const char *at = name; fits && *at; at++)
        fits = isalnum((unsigned char)*at) || strchr("-_. ", *at);
    if (!fits)
        return api_raise(L, "site: a name has 1 to %d letters, digits, - _ . or spaces",
                         SITE_NAME_MAX);
    if (generation->loading_file < 0 && !station_site(api_station(L, "site"), name))
        lua_pushnil(L);
    else
        api_push_site(L, name);
    return 1;
}

/* ---- fields ---- */

/* Transactions that are open there; stale ones have lost their connector to a newer one. */
static int push_transactions(lua_State *L, const char *what, bool wanting)
{
    const struct site *site = find(L, what);
    struct station *st = api_station(L, what);
    const struct transaction *tx;
    size_t at = 0;
    lua_Integer count = 0;
    lua_newtable(L);
    while (site && (tx = station_transaction_next(st, &at)) != NULL) {
        if ((tx->flags & TX_STALE) || !site_has(st, site, tx->cp) ||
            station_wants_power(st, tx->id) != wanting)
            continue;
        api_push_tx(L, tx->id);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

static int site_charging(lua_State *L)
{
    return push_transactions(L, "site:charging", true);
}

static int site_idle(lua_State *L)
{
    return push_transactions(L, "site:idle", false);
}

static int site_chargers(lua_State *L)
{
    const struct site *site = find(L, "site:chargers");
    struct station *st = api_station(L, "site:chargers");
    const struct charge_point *cp;
    size_t at = 0;
    lua_Integer count = 0;
    lua_newtable(L);
    while (site && (cp = station_next(st, &at)) != NULL) {
        if (!site_has(st, site, cp->id))
            continue;
        api_push_cp(L, cp->id);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

static int site_rebalance(lua_State *L)
{
    const struct site *site = find(L, "site:rebalance");
    if (site && !dry_note(L, "site:rebalance", site->name, NULL))
        station_site_rebalance(generation_of(L)->station, site->name);
    return 0;
}

/* Whole amperes are integers, so that they print as such. */
static void push_amps(lua_State *L, double amps)
{
    lua_Integer whole;
    if (amps < 0)
        lua_pushnil(L);
    else if (lua_numbertointeger(amps, &whole) && fabs((double)whole - amps) < 1e-9)
        lua_pushinteger(L, whole);
    else
        lua_pushnumber(L, amps);
}

static double base_load(lua_State *L, const struct site *site)
{
    const char *json;
    if (dry_read(L, "site", site->name, "base_load", &json) && json)
        return strtod(json, NULL);
    return site->base_load_a;
}

static void push_field(lua_State *L, struct station *st, const struct site *site, const char *key)
{
    if (text_is(key, "fuse"))
        push_amps(L, site->fuse_a);
    else if (text_is(key, "phases"))
        lua_pushinteger(L, site->phases);
    else if (text_is(key, "voltage"))
        push_amps(L, site->volts);
    else if (text_is(key, "base_load"))
        push_amps(L, base_load(L, site));
    else
        push_amps(L, site_failsafe(st, site));
}

static int site_index(lua_State *L)
{
    const char *name = check_site(L, 1);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (!api_has_row(&api_table_site, key))
        return api_unknown_field(L, "site", &api_table_site, key);
    for (const struct api_row *row = api_table_site.rows; row->name; row++) {
        if (row->fn && text_is(row->name, key)) {
            lua_pushcfunction(L, row->fn);
            return 1;
        }
    }
    if (text_is(key, "name")) {
        lua_pushstring(L, name);
        return 1;
    }
    if (text_is(key, "vars")) {
        api_push_site_vars(L, name);
        return 1;
    }
    struct station *st = api_station(L, "reading a site");
    const struct site *site = station_site(st, name);
    if (site)
        push_field(L, st, site, key);
    else
        lua_pushnil(L);
    return 1;
}

static int site_newindex(lua_State *L)
{
    const char *name = check_site(L, 1);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (!text_is(key, "base_load"))
        return api_raise(L, "of a site only base_load can be set; keep values in site.vars");
    struct station *st = api_station(L, "site.base_load");
    const struct site *site = station_site(st, name);
    double amps = lua_tonumber(L, 3);
    if (lua_type(L, 3) != LUA_TNUMBER || !isfinite(amps) || amps < 0)
        return api_raise(L, "site.base_load must be amperes per phase, not %s", api_type_of(L, 3));
    char text[40], before[40];
    snprintf(text, sizeof(text), "%.17g", amps);
    snprintf(before, sizeof(before), "%.17g", site ? site->base_load_a : 0);
    if (dry_write(L,
                  &(struct dry_value){"site.base_load", "site", name, "base_load", text, before}))
        return 0;
    if (!station_site_base_load(st, name, amps))
        return api_raise(L, "site.base_load: %g A is no load", amps);
    return 0;
}

static int site_text(lua_State *L)
{
    lua_pushstring(L, check_site(L, 1));
    return 1;
}

static int site_equal(lua_State *L)
{
    lua_pushboolean(L, text_is(check_site(L, 1), check_site(L, 2)));
    return 1;
}

void api_open_site(lua_State *L)
{
    static const luaL_Reg metamethods[] = {{"__index", site_index}, {"__newindex", site_newindex},
                                           {"__call", site_define}, {"__tostring", site_text},
                                           {"__eq", site_equal},    {NULL, NULL}};
    api_open_object(L, &site_key, "a site", metamethods);
}

/* ---- limits ---- */

/* Argument 2: { amps = n }, { watts = n } or nil, in amperes per phase of that charger's site. */
static double limit_of(lua_State *L, const char *what, struct station *st, const char *cp)
{
    static const char *const members[] = {"amps", "watts", NULL};
    if (lua_isnoneornil(L, 2))
        return NO_LIMIT;
    api_arg_table(L, what, 2, "limit");
    api_check_members(L, what, 2, members);
    int amps = lua_getfield(L, 2, "amps"), watts = lua_getfield(L, 2, "watts");
    if ((amps == LUA_TNIL) == (watts == LUA_TNIL))
        api_raise(L, "%s: needs either amps or watts, as in { amps = 16 }", what);
    int at = watts == LUA_TNIL ? -2 : -1;
    double value = lua_tonumber(L, at);
    if (lua_type(L, at) != LUA_TNUMBER || !(value >= 0) || value > 1e9)
        api_raise(L, "%s: %s must be a number from 0 on, not %s", what, at == -1 ? "watts" : "amps",
                  lua_type(L, at) == LUA_TNUMBER ? lua_tostring(L, at) : api_type_of(L, at));
    lua_pop(L, 2);
    if (at == -2)
        return value;
    struct grid grid = station_grid(st, cp);
    return value / grid.volts / (double)grid.phases;
}

static bool limit_dry(lua_State *L, const char *what, const char *subject, double amps)
{
    char detail[64] = "{}";
    if (amps >= 0)
        snprintf(detail, sizeof(detail), "{\"amps\":%.10g}", amps);
    return dry_note(L, what, subject, detail);
}

int api_tx_limit(lua_State *L)
{
    int64_t id = api_check_tx(L, 1);
    struct station *st = api_station(L, "tx:limit");
    const struct transaction *tx = station_transaction(st, id);
    double amps = limit_of(L, "tx:limit", st, tx ? tx->cp : "");
    char subject[24];
    if (!tx || tx->stopped)
        return api_fail(L, "gone", "transaction %lld is over", (long long)id);
    snprintf(subject, sizeof(subject), "%" PRId64, id);
    if (!limit_dry(L, "tx:limit", subject, amps))
        station_limit(st, id, amps);
    lua_pushboolean(L, true);
    return 1;
}

int api_cp_limit(lua_State *L)
{
    const char *cp = api_check_cp(L, 1);
    struct station *st = api_station(L, "cp:limit");
    double amps = limit_of(L, "cp:limit", st, cp);
    if (!station_find(st, cp))
        return api_fail(L, "gone", "there is no charge point %s", cp);
    if (!limit_dry(L, "cp:limit", cp, amps))
        station_limit_charger(st, cp, amps);
    lua_pushboolean(L, true);
    return 1;
}

int api_tx_limit_field(lua_State *L, int64_t id, const char *key)
{
    struct station *st = generation_of(L)->station;
    if (text_is(key, "limit_amps"))
        push_amps(L, station_limit_wanted(st, id));
    else if (text_is(key, "max_amps"))
        push_amps(L, station_max_amps(st, id));
    else if (text_is(key, "wants_power"))
        lua_pushboolean(L, station_wants_power(st, id));
    else
        return 0;
    return 1;
}

int api_cp_limit_field(lua_State *L, const char *cp, const char *key)
{
    if (!text_is(key, "limit_amps"))
        return 0;
    push_amps(L, station_limit_charger_wanted(api_station(L, "reading a cp"), cp));
    return 1;
}

/* ---- rows ---- */

static const struct api_row global_rows[] = {
    {"site", site_new, "fun(name: string): site?",
     "While a file loads: site \"depot\" { chargers = { \"CP1\" } or \"*\", fuse = 100 } defines a "
     "site; "
     "also phases = 3, voltage = 230, base_load = 0 (A), failsafe (A a connector has without the "
     "server, and a car that arrives until its first limit, for which the guard keeps no room: 6, "
     "or 0 if the fuse is too small for that at all of them; false: none), settle = "
     "\"5s\" "
     "(how long a car may take to follow a lower limit). Later: that site, or nil.",
     false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_site_globals = {
    .on = "", .class_doc = "Sites.", .rows = global_rows};

static const struct api_row rows[] = {
    {"name", NULL, "string", "Its name.", false},
    {"fuse", NULL, "number?", "A per phase.", false},
    {"phases", NULL, "integer?", "1 or 3.", false},
    {"voltage", NULL, "number?", "V of a phase.", false},
    {"base_load", NULL, "number?",
     "A per phase of everything that is no charger. May be set at any time; kept until the "
     "definition changes.",
     false},
    {"failsafe", NULL, "number?", "A that a connector has without the server.", false},
    {"vars", NULL, "vars", "Values that outlive reloads and restarts.", false},
    {"charging", site_charging, "fun(self: site): tx[]",
     "The transactions at its chargers whose cars want power, oldest first; those of chargers that "
     "are offline are among them.",
     false},
    {"idle", site_idle, "fun(self: site): tx[]",
     "The others: full cars and such (tx.wants_power is false), oldest first.", false},
    {"rebalance", site_rebalance, "fun(self: site)",
     "on.rebalance runs soon, for a policy that knows of a change that the core does not.", false},
    {"chargers", site_chargers, "fun(self: site): cp[]",
     "Its charge points that are known, in the order of their first contact.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_site = {
    .on = "site",
    .class_doc =
        "Chargers behind one fuse. The core guards it: limits are lowered at once, and raised only "
        "as far as all cars together stay under fuse and base load.",
    .rows = rows,
    .called = "({ chargers: string[]|\"*\", fuse: number, phases?: integer, voltage?: number, "
              "base_load?: number, failsafe?: number|false, settle?: string|number }): site",
    .object = true};

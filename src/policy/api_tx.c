/* Transactions as scripts see them: `tx.kwh`, `tx.cp`, `tx.active`, `transactions{ cp = cp }`.
 *
 * The value holds the number and nothing else; each access looks the transaction up among the open
 * ones. Once it has ended (and its on.stop has run) active is false, id and vars are there, and
 * everything else reads nil; in policy tests the figures of the end stay readable. */
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"

static const char tx_key;  /* registry: metatable */
static const char all_key; /* registry: id → value, weak */

/* ---- values ---- */

void api_push_tx(lua_State *L, int64_t id)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &all_key);
    if (lua_rawgeti(L, -1, id) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        int64_t *value = lua_newuserdatauv(L, sizeof(*value), 0);
        *value = id;
        lua_rawgetp(L, LUA_REGISTRYINDEX, &tx_key);
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, id);
    }
    lua_remove(L, -2);
}

static const int64_t *to_tx(lua_State *L, int index)
{
    return api_to_object(L, index, &tx_key);
}

int64_t api_check_tx(lua_State *L, int index)
{
    const int64_t *id = to_tx(L, index);
    if (!id)
        api_raise(L, "expected a tx, got %s", api_type_of(L, index));
    return *id;
}

/* ---- fields ---- */

static const struct {
    int64_t flag;
    const char *name;
} flag_names[] = {
    {TX_REFUSED, "refused"},
    {TX_SUSPECT_CLOCK, "suspect_clock"},
    {TX_SUSPECT_METER, "suspect_meter"},
    {TX_STALE, "stale"},
    {TX_ESTIMATED, "estimated"},
    {TX_GAP, "gap"},
    {TX_LATE, "late"},
    {TX_INCOMPLETE, "incomplete"},
    {TX_UNPRICED, "unpriced"},
    {TX_SESSION_REGISTER, "session_register"},
    {TX_PRICE_ESTIMATED, "price_estimated"},
};

void api_push_flags(lua_State *L, int64_t flags, bool as_list)
{
    lua_Integer count = 0;
    lua_newtable(L);
    for (size_t i = 0; i < ARRAY_LEN(flag_names); i++) {
        if (!(flags & flag_names[i].flag))
            continue;
        if (as_list) {
            lua_pushstring(L, flag_names[i].name);
            lua_rawseti(L, -2, ++count);
        } else {
            api_set_bool(L, flag_names[i].name, true);
        }
    }
    if (as_list)
        api_mark_array(L, -1);
}

/* The figures of one access, from the open transaction or from what the test kit kept. */
struct view {
    const char *cp, *id_tag, *parent, *reason;
    const char *policy_reason; /* JSON text of vars.stop_reason, or NULL */
    const struct price *price;
    bool active;
    int64_t connector, start_ms, meter_start_wh, energy_wh, power_w, soc, sample_ms, flags;
    int64_t end_ms, stop_ms, idle_ms; /* end: its stop, or now; stop: ABSENT while it is open */
};

static bool find(struct generation *generation, int64_t id, struct view *v)
{
    const struct transaction *tx = station_transaction(generation->station, id);
    const struct testkit_ended *ended = tx ? NULL : testkit_ended(generation, id);
    if (tx) {
        *v = (struct view){tx->cp,
                           tx->id_tag,
                           tx->parent_id_tag,
                           tx->stopped ? tx->reason : NULL,
                           vars_get(&tx->vars, "stop_reason"),
                           &tx->price,
                           !tx->stopped,
                           tx->evse,
                           tx->start_ms,
                           tx->meter_start_wh,
                           tx->stopped ? tx->energy_wh : transaction_energy_wh(tx),
                           tx->sample.power_w,
                           tx->sample.soc,
                           tx->sample.at ? tx->sample.at : tx->start_ms,
                           tx->flags,
                           track_end(tx),
                           tx->stopped ? tx->stop_ms : ABSENT,
                           track_idle_ms(tx)};
    } else if (ended) {
        *v = (struct view){ended->cp,
                           ended->id_tag,
                           NULL,
                           ended->reason,
                           ended->policy_reason,
                           &ended->price,
                           false,
                           ended->connector,
                           ended->start_ms,
                           ended->meter_start_wh,
                           ended->energy_wh,
                           ABSENT,
                           ABSENT,
                           ended->start_ms,
                           ended->flags,
                           ended->stop_ms,
                           ended->stop_ms,
                           ABSENT};
    }
    return tx || ended;
}

static void push_upper(lua_State *L, const char *text)
{
    char upper[256];
    if (!text) {
        lua_pushnil(L);
        return;
    }
    text_copy(upper, sizeof(upper), span_of(text));
    text_upper(upper);
    lua_pushstring(L, upper);
}

static void push_optional(lua_State *L, int64_t value)
{
    if (value == ABSENT)
        lua_pushnil(L);
    else
        lua_pushinteger(L, value);
}

static void push_number_field(lua_State *L, const struct view *v, const char *key)
{
    if (text_is(key, "connector"))
        push_optional(L, v->connector);
    else if (text_is(key, "start"))
        lua_pushinteger(L, v->start_ms / 1000);
    else if (text_is(key, "last_meter"))
        lua_pushinteger(L, v->sample_ms / 1000);
    else if (text_is(key, "meter_start"))
        push_optional(L, v->meter_start_wh);
    else if (text_is(key, "energy_wh"))
        push_optional(L, v->energy_wh);
    else if (text_is(key, "power"))
        push_optional(L, v->power_w);
    else if (text_is(key, "soc"))
        push_optional(L, v->soc);
    else if (text_is(key, "seconds"))
        lua_pushinteger(L, (v->end_ms - v->start_ms) / 1000);
    else if (text_is(key, "ended"))
        push_optional(L, v->stop_ms == ABSENT ? ABSENT : v->stop_ms / 1000);
    else if (text_is(key, "idle_minutes"))
        push_optional(L, v->idle_ms == ABSENT ? ABSENT : v->idle_ms / 60000);
    else if (v->energy_wh == ABSENT) /* kwh */
        lua_pushnil(L);
    else
        lua_pushnumber(L, (double)v->energy_wh / 1000);
}

/* What a policy said in tx:stop, if it ended by that. */
static void push_reason(lua_State *L, const struct view *v)
{
    struct reason why;
    if (!v->policy_reason || !text_is(v->reason, "Remote") ||
        api_push_json_text(L, span_of(v->policy_reason), &why) != 0)
        lua_pushstring(L, v->reason);
}

static void push_field(lua_State *L, const struct view *v, const char *key)
{
    if (text_is(key, "active"))
        lua_pushboolean(L, v->active);
    else if (text_is(key, "cp"))
        api_push_cp(L, v->cp);
    else if (text_is(key, "idTag"))
        push_upper(L, v->id_tag);
    else if (text_is(key, "parentIdTag"))
        push_upper(L, v->parent);
    else if (text_is(key, "stop_reason"))
        push_reason(L, v);
    else if (text_is(key, "flags"))
        api_push_flags(L, v->flags, false);
    else if (text_is(key, "price"))
        api_push_price(L, v->price);
    else
        push_number_field(L, v, key);
}

static const struct api_row *row_of(const char *name)
{
    const struct api_row *row = api_table_tx.rows;
    while (row->name && !text_is(row->name, name))
        row++;
    return row->name ? row : NULL;
}

static int tx_index(lua_State *L)
{
    int64_t id = api_check_tx(L, 1);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    struct view view;
    if (text_is(key, "id")) {
        lua_pushinteger(L, id);
        return 1;
    }
    if (text_is(key, "vars")) {
        api_push_tx_vars(L, id);
        return 1;
    }
    const struct api_row *row = row_of(key);
    if (!row)
        return api_unknown_field(L, "tx", &api_table_tx, key);
    if (row->fn) {
        lua_pushcfunction(L, row->fn);
        return 1;
    }
    api_station(L, "reading a tx");
    if (api_tx_limit_field(L, id, key))
        return 1;
    if (find(generation_of(L), id, &view))
        push_field(L, &view, key);
    else if (text_is(key, "active"))
        lua_pushboolean(L, 0);
    else if (text_is(key, "flags"))
        lua_newtable(L);
    else
        lua_pushnil(L);
    return 1;
}

static int tx_newindex(lua_State *L)
{
    return api_raise(L, "a tx is read-only; keep values in tx.vars");
}

static int tx_text(lua_State *L)
{
    lua_pushfstring(L, "%I", (LUAI_UACINT)api_check_tx(L, 1));
    return 1;
}

static int tx_equal(lua_State *L)
{
    const int64_t *a = to_tx(L, 1), *b = to_tx(L, 2);
    lua_pushboolean(L, a && b && *a == *b);
    return 1;
}

void api_open_tx(lua_State *L)
{
    static const luaL_Reg metamethods[] = {{"__index", tx_index},
                                           {"__newindex", tx_newindex},
                                           {"__tostring", tx_text},
                                           {"__eq", tx_equal},
                                           {NULL, NULL}};
    api_open_object(L, &tx_key, "a tx", metamethods);
    api_open_weak(L, &all_key);
}

/* ---- globals ---- */

struct filter {
    const char *id_tag, *cp; /* NULL: any */
    int64_t connector;       /* ABSENT: any */
    int64_t id;              /* ABSENT: any */
};

static struct filter read_filter(lua_State *L, const char *function)
{
    static const char *const names[] = {"idTag", "cp", "connector", "id", NULL};
    struct filter filter = {.connector = ABSENT, .id = ABSENT};
    api_check_members(L, function, 1, names);
    if (lua_isnoneornil(L, 1))
        return filter;
    filter.id_tag = api_opt_string(L, function, 1, "idTag");
    filter.connector = api_opt_integer(L, function, 1, "connector", ABSENT);
    filter.id = api_opt_integer(L, function, 1, "id", ABSENT);
    if (lua_getfield(L, 1, "cp") != LUA_TNIL) {
        filter.cp = api_cp_or_name(L, -1);
        if (!filter.cp)
            api_raise(L, "%s: cp must be a cp or its id, not %s", function, api_type_of(L, -1));
    }
    return filter; /* the texts stay on the stack or in the table */
}

static bool matches(const struct filter *filter, const struct transaction *tx)
{
    if (filter->id_tag && !text_is_ci(filter->id_tag, tx->id_tag ? tx->id_tag : ""))
        return false;
    if (filter->cp && !text_is_ci(filter->cp, tx->cp))
        return false;
    if (filter->id != ABSENT && filter->id != tx->id)
        return false;
    return filter->connector == ABSENT || filter->connector == tx->evse;
}

static int tx_find(lua_State *L)
{
    struct station *st = api_station(L, "transaction");
    struct filter filter = {.connector = ABSENT, .id = ABSENT};
    if (lua_isinteger(L, 1))
        filter.id = lua_tointeger(L, 1);
    else if (lua_isnoneornil(L, 1))
        return api_bad_argument(L, "transaction", 1, "filter",
                                "a table such as { idTag = idTag } or a number");
    else
        filter = read_filter(L, "transaction");
    const struct transaction *tx;
    size_t at = 0;
    while ((tx = station_transaction_next(st, &at)) != NULL) {
        if (!matches(&filter, tx))
            continue;
        api_push_tx(L, tx->id);
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

static int next_tx(lua_State *L)
{
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(2)) + 1;
    lua_pushinteger(L, at);
    lua_replace(L, lua_upvalueindex(2));
    if (lua_rawgeti(L, lua_upvalueindex(1), at) == LUA_TNUMBER)
        api_push_tx(L, lua_tointeger(L, -1));
    return 1;
}

static int tx_all(lua_State *L)
{
    struct station *st = api_station(L, "transactions");
    struct filter filter = read_filter(L, "transactions");
    const struct transaction *tx;
    size_t at = 0;
    lua_Integer count = 0;
    lua_newtable(L);
    while ((tx = station_transaction_next(st, &at)) != NULL) {
        if (!matches(&filter, tx))
            continue;
        lua_pushinteger(L, tx->id);
        lua_rawseti(L, -2, ++count);
    }
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_tx, 2);
    return 1;
}

#define FILTER "{ idTag?: string, cp?: cp|string, connector?: integer, id?: integer }"

static const struct api_row global_rows[] = {
    {"transaction", tx_find, "fun(filter: integer|" FILTER "): tx?",
     "The oldest open transaction that matches, or nil: transaction { idTag = idTag }.", false},
    {"transactions", tx_all, "fun(filter?: " FILTER "): fun(): tx?",
     "For loops: all open transactions that match, oldest first.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_tx_globals = {
    .on = "", .class_doc = "Transactions.", .rows = global_rows};

static const struct api_row rows[] = {
    {"id", NULL, "integer", "Its number (transactionId).", false},
    {"active", NULL, "boolean", "Is it open? False from on.stop on.", false},
    {"cp", NULL, "cp?", "Its charge point.", false},
    {"connector", NULL, "integer?", "connectorId.", false},
    {"idTag", NULL, "string?", "Who started it, in upper case.", false},
    {"parentIdTag", NULL, "string?", "The group of the tag, in upper case.", false},
    {"start", NULL, "integer?", "When it began, in seconds since 1970.", false},
    {"kwh", NULL, "number?", "Energy so far, or of the whole, in kWh; nil if it cannot be told.",
     false},
    {"energy_wh", NULL, "integer?", "The same in Wh.", false},
    {"power", NULL, "integer?", "The newest power, in W.", false},
    {"soc", NULL, "integer?", "The newest state of charge, in percent.", false},
    {"seconds", NULL, "integer?", "How long it lasts so far, or lasted.", false},
    {"ended", NULL, "integer?", "When it ended; nil while it is open.", false},
    {"idle_minutes", NULL, "integer?",
     "Whole minutes since the car last drew more than 300 W, or since the start if it never did; 0 "
     "while it charges. Counts to the newest meter value, in on.price and on.stop to the end.",
     false},
    {"last_meter", NULL, "integer?", "When the newest meter value was taken; until then its start.",
     false},
    {"meter_start", NULL, "integer?", "The meter at its start, in Wh.", false},
    {"stop_reason", NULL, "string?", "Why it ended, in on.stop (and in tests, after it).", false},
    {"flags", NULL, "table<string, boolean>",
     "Why its figures need care: refused, suspect_clock, suspect_meter, stale, estimated, gap, "
     "late, "
     "incomplete, unpriced, session_register, price_estimated.",
     false},
    {"price", NULL, "price?",
     "What it costs: in on.stop, if on.price said so (and in tests, after it).", false},
    {"cost", api_tx_cost, "fun(self: tx): price?, err?",
     "What it would cost if it ended now: runs on.price (which cannot wait). err.code "
     "\"unpriced\": "
     "no policy prices it; \"failed\": on.price failed; \"gone\": it is over.",
     false},
    {"limit_amps", NULL, "number?", "The limit that was set by tx:limit, in A per phase.", false},
    {"max_amps", NULL, "number?",
     "What its connector can give, in A per phase: by the rating of the charge point, else the "
     "fuse of "
     "its site.",
     false},
    {"wants_power", NULL, "boolean",
     "Does the car want power? False once it suspended by itself, until it charges again.", false},
    {"vars", NULL, "vars", "Values that outlive reloads and restarts.", false},
    {"limit", api_tx_limit, "fun(self: tx, limit?: { amps?: number, watts?: number }): true?, err?",
     "Limits it to amps per phase, or to watts in all; nil: no limit any more. Does not wait: the "
     "core "
     "sends the profile, rounded down and shaped for the charger (below 6 A is 0), again after it "
     "was "
     "away, and nothing if the limit is the same.",
     false},
    {"window", api_tx_window,
     "fun(self: tx, quantity: "
     "\"power\"|\"soc\"|\"energy\"|\"current\"|\"voltage\"|\"temperature\", span: "
     "string|number): { mean?: number, min?: number, max?: number, first: number, last: number, "
     "delta: number, count: integer, seconds: number }?",
     "What was measured in the last `span` (\"10m\"), up to the end of one that is over; nil if "
     "nothing was. W, %, Wh (no mean, min, max), A, V, °C; the mean is weighted by time. Begins "
     "with the value at the beginning of the span, if one was measured before; `seconds` is how "
     "much of the span is covered.",
     false},
    {"slices", api_tx_slices,
     "fun(self: tx, period?: string|number): fun(): { start: integer, seconds: number, kwh?: "
     "number, energy_wh?: integer, kw?: number, hour: integer, minute: integer, weekday: integer, "
     "date: string }?",
     "For loops: its time cut at whole quarters of an hour (or another period that divides a day) "
     "of site time, with the energy of each; they add up to tx.energy_wh. hour … date are of its "
     "beginning, weekday 1 is Monday. kwh is nil if the energy cannot be told.",
     false},
    {"remind", api_tx_remind, "fun(self: tx, name: string, delay?: string|number): true?, err?",
     "Runs on.reminder(tx, name) after that time, also after a reload or a restart, unless the "
     "transaction ends before. The same name again replaces it; without a delay it is cancelled. "
     "Up to 16 names. err.code \"gone\": it is over.",
     false},
    {"stop", api_tx_stop, "fun(self: tx, reason?: string): true?, err?",
     "RemoteStopTransaction. The reason is kept in tx.vars.stop_reason and is what tx.stop_reason "
     "reads once it ended. err.code also \"Rejected\".",
     true},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_tx = {
    .on = "tx",
    .class_doc = "A transaction. May be kept for any time; once it is over, active is false and "
                 "everything else but id is nil.",
    .rows = rows,
    .object = true};

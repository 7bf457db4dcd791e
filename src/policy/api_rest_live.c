/* `core`: snapshots of charge points, connectors and open transactions.
 *
 * Tables with the member names of the REST answers; times are integer milliseconds named …Ms. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_rest.h"
#include "station/quirk.h"

/* ---- charge points ---- */

const char *rest_state_of(const struct charge_point *cp)
{
    if (cp->registration == REGISTRATION_REJECTED)
        return "blocked";
    if (cp->registration == REGISTRATION_PENDING)
        return "pending";
    return cp->connection ? "online" : "offline";
}

static void set_time(lua_State *L, const char *name, wall_t ms)
{
    api_set_integer(L, name, ms ? ms : ABSENT);
}

static void push_connector(lua_State *L, const struct connector *c)
{
    lua_createtable(L, 0, 8);
    api_set_integer(L, "connectorId", c->evse);
    api_set_string(L, "status", c->status[0] ? c->status : NULL);
    api_set_string(L, "errorCode", c->error_code[0] ? c->error_code : NULL);
    api_set_string(L, "info", c->info[0] ? c->info : NULL);
    api_set_string(L, "vendorErrorCode", c->vendor_error_code[0] ? c->vendor_error_code : NULL);
    set_time(L, "statusMs", c->status_ms);
    api_set_integer(L, "transactionId", c->transaction_id ? c->transaction_id : ABSENT);
}

static void set_options(lua_State *L, const struct charge_point *cp)
{
    struct reason why;
    if (!cp->options_json || api_push_json_text(L, span_of(cp->options_json), &why) != 0)
        return;
    lua_setfield(L, -2, "options");
}

static void set_quirks(lua_State *L, const struct charge_point *cp)
{
    struct station *st = generation_of(L)->station;
    const char *name;
    lua_Integer count = 0;
    size_t at = 0;
    lua_newtable(L);
    while ((name = station_quirk_next(st, cp, &at)) != NULL) {
        lua_pushstring(L, name);
        lua_rawseti(L, -2, ++count);
    }
    api_mark_array(L, -1);
    lua_setfield(L, -2, "quirks");
}

static void push_charge_point(lua_State *L, const struct charge_point *cp)
{
    lua_createtable(L, 0, 24);
    set_quirks(L, cp);
    api_set_string(L, "cpid", cp->id);
    api_set_string(L, "state", rest_state_of(cp));
    api_set_bool(L, "online", cp->connection != 0);
    api_set_string(L, "registration", registration_text(cp->registration));
    api_set_bool(L, "registered", cp->registered);
    api_set_string(L, "version", cp->version ? cp->version->name : NULL);
    api_set_string(L, "vendor", cp->vendor);
    api_set_string(L, "model", cp->model);
    api_set_string(L, "serial", cp->serial);
    api_set_string(L, "firmware", cp->firmware);
    api_set_string(L, "address", cp->connection ? cp->peer : NULL);
    api_set_bool(L, "hasPassword", cp->password_hash != NULL);
    api_set_integer(L, "securityProfile", cp->security_profile);
    set_time(L, "createdMs", cp->created_ms);
    set_time(L, "lastBootMs", cp->last_boot_ms);
    set_time(L, "lastSeenMs", cp->last_seen_ms);
    set_time(L, "connectedMs", cp->connection ? cp->connected_ms : 0);
    set_options(L, cp);
    lua_createtable(L, (int)cp->connector_count, 0);
    for (size_t i = 0; i < cp->connector_count; i++) {
        push_connector(L, &cp->connectors[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    api_mark_array(L, -1);
    lua_setfield(L, -2, "connectors");
}

static int push_charge_points(lua_State *L)
{
    const struct page *page = lua_touserdata(L, 1);
    lua_createtable(L, (int)page_count(page), 0);
    for (size_t i = 0; i < page_count(page); i++) {
        push_charge_point(L, page->items[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    api_mark_array(L, -1);
    lua_pushstring(L, page_next(page));
    return 2;
}

int rest_charge_points(lua_State *L)
{
    struct station *st = api_station(L, "core.chargepoints");
    const struct charge_point *cp;
    struct page page;
    size_t at = 0;
    page_init(L, &page, "core.chargepoints", 1);
    const char *state = lua_istable(L, 1) && lua_getfield(L, 1, "state") == LUA_TSTRING
                            ? lua_tostring(L, -1)
                            : NULL;
    while ((cp = station_next(st, &at)) != NULL) {
        if (!state || text_is(state, rest_state_of(cp)))
            page_offer(&page, cp->id, cp);
    }
    return page_push(L, &page, push_charge_points);
}

int rest_charge_point(lua_State *L)
{
    struct station *st = api_station(L, "core.chargepoint");
    const struct charge_point *cp =
        station_find(st, api_arg_string(L, "core.chargepoint", 1, "id"));
    if (cp)
        push_charge_point(L, cp);
    else
        lua_pushnil(L);
    return 1;
}

static lua_Integer push_connectors_of(lua_State *L, const struct charge_point *cp,
                                      lua_Integer count)
{
    for (size_t i = 0; i < cp->connector_count; i++) {
        push_connector(L, &cp->connectors[i]);
        api_set_string(L, "cpid", cp->id);
        api_set_bool(L, "online", cp->connection != 0);
        lua_rawseti(L, -2, ++count);
    }
    return count;
}

static int push_connector_page(lua_State *L)
{
    const struct page *page = lua_touserdata(L, 1);
    lua_Integer count = 0;
    lua_newtable(L);
    for (size_t i = 0; i < page_count(page); i++)
        count = push_connectors_of(L, page->items[i], count);
    api_mark_array(L, -1);
    lua_pushstring(L, page_next(page));
    return 2;
}

/* A page is that many charge points, with all their connectors. */
static int connectors_page(lua_State *L, struct station *st)
{
    const struct charge_point *cp;
    struct page page;
    size_t at = 0;
    const char *id = api_opt_string(L, "core.connectors", 1, "cpid");
    page_init(L, &page, "core.connectors", 1);
    while ((cp = station_next(st, &at)) != NULL) {
        if (!id || text_is_ci(id, cp->id))
            page_offer(&page, cp->id, cp);
    }
    return page_push(L, &page, push_connector_page);
}

/* All connectors of all charge points, or of one, in order. */
int rest_connectors(lua_State *L)
{
    struct station *st = api_station(L, "core.connectors");
    if (lua_istable(L, 1))
        return connectors_page(L, st);
    const char *id = lua_isnoneornil(L, 1) ? NULL : api_arg_string(L, "core.connectors", 1, "cpid");
    const struct charge_point *cp;
    size_t at = 0;
    lua_Integer count = 0;
    lua_newtable(L);
    while ((cp = station_next(st, &at)) != NULL) {
        if (!id || text_is_ci(id, cp->id))
            count = push_connectors_of(L, cp, count);
    }
    api_mark_array(L, -1);
    return 1;
}

/* ---- open transactions ---- */

static void push_tenths(lua_State *L, const char *name, int64_t tenths)
{
    if (tenths == ABSENT)
        return;
    lua_pushnumber(L, (double)tenths / 10);
    lua_setfield(L, -2, name);
}

static void push_sample(lua_State *L, const struct sample_state *sample)
{
    lua_createtable(L, 0, 8);
    set_time(L, "timestampMs", sample->at);
    api_set_integer(L, "energyWh", sample->energy_wh);
    api_set_integer(L, "powerW", sample->power_w);
    api_set_integer(L, "soc", sample->soc);
    push_tenths(L, "voltageV", sample->voltage_dv);
    push_tenths(L, "currentA", sample->current_da);
    push_tenths(L, "temperatureC", sample->temperature_dc);
}

static void set_vars(lua_State *L, const struct transaction *tx)
{
    static const char *const names[] = {"vehicleId", "mac"};
    struct reason why;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *json = vars_get(&tx->vars, names[i]);
        if (json && api_push_json_text(L, span_of(json), &why) == 0)
            lua_setfield(L, -2, names[i]);
    }
}

static void push_active(lua_State *L, const struct transaction *tx)
{
    lua_createtable(L, 0, 16);
    api_set_string(L, "cpid", tx->cp);
    api_set_integer(L, "connectorId", tx->evse);
    api_set_string(L, "idTag", tx->id_tag);
    api_set_string(L, "parentIdTag", tx->parent_id_tag);
    api_set_integer(L, "transactionId", tx->id);
    api_set_integer(L, "startMs", tx->start_ms);
    api_set_integer(L, "meterStart", tx->meter_start_wh);
    api_set_integer(L, "energy", transaction_energy_wh(tx));
    api_push_flags(L, tx->flags, true);
    lua_setfield(L, -2, "flags");
    if (tx->sample.at) {
        push_sample(L, &tx->sample);
        lua_setfield(L, -2, "sample");
    }
    set_vars(L, tx);
}

static int compare_ids(const void *a, const void *b)
{
    const struct transaction *x = *(const struct transaction *const *)a;
    const struct transaction *y = *(const struct transaction *const *)b;
    return x->id < y->id ? -1 : x->id > y->id;
}

struct active_page {
    const struct transaction **items;
    size_t count, room, limit;
};

static int push_active_page(lua_State *L)
{
    const struct active_page *page = lua_touserdata(L, 1);
    size_t shown = page->count < page->limit ? page->count : page->limit;
    lua_createtable(L, (int)shown, 0);
    for (size_t i = 0; i < shown; i++) {
        push_active(L, page->items[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    api_mark_array(L, -1);
    if (shown < page->count)
        lua_pushinteger(L, page->items[shown - 1]->id);
    else
        lua_pushnil(L);
    return 2;
}

/* In order of the ids, from behind `after`. */
static int active_page(lua_State *L, struct station *st)
{
    static const char *const names[] = {"cpid", "after", "limit", NULL};
    static const char what[] = "core.active";
    api_check_members(L, what, 1, names);
    const char *id = api_opt_string(L, what, 1, "cpid");
    int64_t after = api_opt_integer(L, what, 1, "after", 0);
    int64_t limit = api_opt_integer(L, what, 1, "limit", INT64_MAX);
    struct active_page page = {.limit = limit > 0 ? (size_t)limit : 1};
    const struct transaction *tx;
    size_t at = 0;
    while ((tx = station_transaction_next(st, &at)) != NULL) {
        if (tx->id <= after || (id && !text_is_ci(id, tx->cp)))
            continue;
        page.items = xgrow(page.items, page.count, &page.room, sizeof(*page.items));
        page.items[page.count++] = tx;
    }
    if (page.count)
        qsort(page.items, page.count, sizeof(*page.items), compare_ids);
    lua_pushcfunction(L, push_active_page);
    lua_pushlightuserdata(L, &page);
    int status = lua_pcall(L, 1, 2, 0);
    xfree(page.items);
    return status == LUA_OK ? 2 : lua_error(L);
}

int rest_transaction(lua_State *L)
{
    struct station *st = api_station(L, "core.transaction");
    const struct transaction *tx =
        station_transaction(st, api_arg_integer(L, "core.transaction", 1, "id"));
    if (tx && !tx->stopped)
        push_active(L, tx);
    else
        lua_pushnil(L);
    return 1;
}

int rest_cost(lua_State *L)
{
    api_push_tx(L, api_arg_integer(L, "core.cost", 1, "transactionId"));
    lua_replace(L, 1);
    return api_tx_cost(L);
}

int rest_close(lua_State *L)
{
    struct station *st = api_station(L, "core.close");
    int64_t id = api_arg_integer(L, "core.close", 1, "transactionId");
    const struct transaction *tx = station_transaction(st, id);
    struct reason why;
    struct change_wait wait = rest_change_begin(L, "core.close");
    reason_set(&why, "no open transaction has this id");
    bool begun = tx && station_transaction_close(st, id, &why, wait.done, wait.ctx);
    return rest_change_end(L, &wait, begun, tx ? "conflict" : "unknown", why.text);
}

int rest_active(lua_State *L)
{
    struct station *st = api_station(L, "core.active");
    if (lua_istable(L, 1))
        return active_page(L, st);
    const char *id = lua_isnoneornil(L, 1) ? NULL : api_arg_string(L, "core.active", 1, "cpid");
    const struct transaction *tx;
    size_t at = 0;
    lua_Integer count = 0;
    lua_newtable(L);
    while ((tx = station_transaction_next(st, &at)) != NULL) {
        if (id && !text_is_ci(id, tx->cp))
            continue;
        push_active(L, tx);
        lua_rawseti(L, -2, ++count);
    }
    api_mark_array(L, -1);
    return 1;
}

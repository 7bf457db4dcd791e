/* `core`: what the REST routes of lua/routes may do beyond what policies may. Privileged.
 *
 * Snapshots of charge points, connectors and open transactions; registering; named queries of the
 * store; health. Tables carry the member names of the REST answers; times are integer milliseconds
 * named …Ms until core.time() makes text of them. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "policy/api_rest.h"

#ifndef CB_VERSION
#define CB_VERSION "unknown"
#endif

/* ---- pages ---- */

static int compare_names(const char *a, const char *b)
{
    int order = strcasecmp(a, b);
    return order ? order : strcmp(a, b);
}

void page_init(lua_State *L, struct page *page, const char *function, int options)
{
    static const char *const names[] = {"after", "limit", "state", NULL};
    api_check_members(L, function, options, names);
    page->after = api_opt_string(L, function, options, "after");
    int64_t limit = api_opt_integer(L, function, options, "limit", 100);
    if (limit < 1 || limit > 1000)
        api_raise(L, "%s: limit must be from 1 to 1000", function);
    page->limit = (size_t)limit;
    page->count = 0;
    page->items = xcalloc(page->limit + 1, sizeof(*page->items));
    page->names = xcalloc(page->limit + 1, sizeof(*page->names));
}

void page_offer(struct page *page, const char *name, const void *item)
{
    if (page->after && compare_names(name, page->after) <= 0)
        return;
    size_t most = page->limit + 1;
    if (page->count == most && compare_names(name, page->names[most - 1]) >= 0)
        return;
    size_t low = 0, high = page->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare_names(page->names[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (page->count < most)
        page->count++;
    size_t moved = page->count - 1 - low;
    memmove(&page->items[low + 1], &page->items[low], moved * sizeof(*page->items));
    memmove(&page->names[low + 1], &page->names[low], moved * sizeof(*page->names));
    page->items[low] = item;
    page->names[low] = name;
}

size_t page_count(const struct page *page)
{
    return page->count > page->limit ? page->limit : page->count;
}

const char *page_next(const struct page *page)
{
    return page->count > page->limit ? page->names[page->limit - 1] : NULL;
}

static void page_free(struct page *page)
{
    XFREE(page->items);
    XFREE(page->names);
}

/* ---- charge points ---- */

static const char *state_of(const struct charge_point *cp)
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

static void push_charge_point(lua_State *L, const struct charge_point *cp)
{
    lua_createtable(L, 0, 24);
    api_set_string(L, "cpid", cp->id);
    api_set_string(L, "state", state_of(cp));
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

/* Pushes with `fn`, then frees the page, whatever happens. */
int page_push(lua_State *L, struct page *page, lua_CFunction fn)
{
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, page);
    int status = lua_pcall(L, 1, 2, 0);
    page_free(page);
    return status == LUA_OK ? 2 : lua_error(L);
}

static int rest_charge_points(lua_State *L)
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
        if (!state || text_is(state, state_of(cp)))
            page_offer(&page, cp->id, cp);
    }
    return page_push(L, &page, push_charge_points);
}

static int rest_charge_point(lua_State *L)
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

/* All connectors of all charge points, or of one, in order. */
static int rest_connectors(lua_State *L)
{
    struct station *st = api_station(L, "core.connectors");
    const char *id = lua_isnoneornil(L, 1) ? NULL : api_arg_string(L, "core.connectors", 1, "cpid");
    const struct charge_point *cp;
    size_t at = 0;
    lua_Integer count = 0;
    lua_newtable(L);
    while ((cp = station_next(st, &at)) != NULL) {
        for (size_t i = 0; i < cp->connector_count && (!id || text_is_ci(id, cp->id)); i++) {
            push_connector(L, &cp->connectors[i]);
            api_set_string(L, "cpid", cp->id);
            api_set_bool(L, "online", cp->connection != 0);
            lua_rawseti(L, -2, ++count);
        }
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

static int rest_active(lua_State *L)
{
    struct station *st = api_station(L, "core.active");
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

/* ---- changes ---- */

struct change_result {
    bool ok;
    const char *code, *why;
};

static int build_change(lua_State *L)
{
    const struct change_result *result = lua_touserdata(L, 1);
    lua_settop(L, 0);
    if (!result->ok)
        return api_fail(L, result->code, "%s", result->why ? result->why : "it was not stored");
    lua_pushboolean(L, 1);
    return 1;
}

static int push_change(lua_State *L, void *arg)
{
    return api_push_protected(L, build_change, arg);
}

static void change_done_fn(void *ctx, bool ok, const char *why)
{
    struct task_ref ref = *(struct task_ref *)ctx;
    xfree(ctx);
    struct change_result result = {ok, "store", why};
    task_wake(ref, push_change, &result);
}

struct change_wait rest_change_begin(lua_State *L, const char *what)
{
    struct change_wait wait = {.ref = task_wait_begin(L, what, NULL, NULL), .done = change_done_fn};
    wait.ctx = xmalloc(sizeof(wait.ref));
    memcpy(wait.ctx, &wait.ref, sizeof(wait.ref));
    return wait;
}

int rest_change_end(lua_State *L, struct change_wait *wait, bool begun, const char *code,
                    const char *why)
{
    if (!begun) {
        xfree(wait->ctx);
        struct change_result result = {false, code, why};
        task_wake(wait->ref, push_change, &result);
    }
    return task_wait(L, wait->ref);
}

static int rest_register(lua_State *L)
{
    static const char *const names[] = {"registration", "password", "securityProfile", "options",
                                        NULL};
    struct station *st = api_station(L, "core.register");
    const char *id = api_arg_string(L, "core.register", 1, "cpid");
    api_arg_table(L, "core.register", 2, "change");
    api_check_members(L, "core.register", 2, names);
    struct charge_point_change change = {
        .registration = api_opt_string(L, "core.register", 2, "registration"),
        .password = api_opt_string(L, "core.register", 2, "password"),
        .security_profile = api_opt_integer(L, "core.register", 2, "securityProfile", ABSENT)};
    change.password_len = change.password ? strlen(change.password) : 0;
    if (lua_getfield(L, 2, "options") != LUA_TNIL)
        change.options = api_push_as_text(L, -1, "core.register");
    struct reason why;
    struct change_wait wait = rest_change_begin(L, "core.register");
    bool begun = station_register(st, id, &change, &why, wait.done, wait.ctx);
    return rest_change_end(L, &wait, begun, "invalid", why.text);
}

static int rest_delete(lua_State *L)
{
    struct station *st = api_station(L, "core.delete");
    const char *id = api_arg_string(L, "core.delete", 1, "cpid");
    struct reason why;
    struct change_wait wait = rest_change_begin(L, "core.delete");
    bool begun = station_delete(st, id, &why, wait.done, wait.ctx);
    return rest_change_end(L, &wait, begun, "conflict", why.text);
}

/* ---- the store ---- */

struct query_result {
    const char *rows, *next, *why;
};

static int build_rows(lua_State *L)
{
    const struct query_result *result = lua_touserdata(L, 1);
    struct reason why;
    lua_settop(L, 0);
    if (!result->rows)
        return api_fail(L, "store", "%s", result->why ? result->why : "the query failed");
    if (api_push_json_text(L, span_of(result->rows), &why) != 0)
        return api_fail(L, "store", "the rows could not be read: %s", why.text);
    lua_pushstring(L, result->next);
    return 2;
}

static int push_rows(lua_State *L, void *arg)
{
    return api_push_protected(L, build_rows, arg);
}

static void on_rows(void *ctx, const char *rows_json, const char *next_cursor, const char *why)
{
    struct task_ref ref = *(struct task_ref *)ctx;
    xfree(ctx);
    struct query_result result = {rows_json, next_cursor, why};
    task_wake(ref, push_rows, &result);
}

static int rest_query(lua_State *L)
{
    generation_require_live(L, "core.query");
    const char *name = api_arg_string(L, "core.query", 1, "name");
    api_arg_table(L, "core.query", 2, "params");
    const struct policy_ports *ports = generation_ports(generation_of(L));
    if (!ports || !ports->query)
        return api_fail(L, "store", "there is no store here");
    struct arena arena = {0};
    struct reason why;
    const struct json *params = api_read_json(L, 2, &arena, &why);
    if (!params) {
        arena_clear(&arena);
        return api_raise(L, "core.query: %s", why.text);
    }
    /* Nothing raises between here and the call but a wait that is not possible: checked first. */
    if (!lua_isyieldable(L)) {
        arena_clear(&arena);
        return api_raise(L, "core.query waits and cannot be used here");
    }
    struct task_ref ref = task_wait_begin(L, "core.query", NULL, NULL);
    void *ctx = xmalloc(sizeof(ref));
    memcpy(ctx, &ref, sizeof(ref));
    ports->query(ports->ctx, name, params, on_rows, ctx);
    arena_clear(&arena);
    return task_wait(L, ref);
}

static int rest_health(lua_State *L)
{
    const struct policy_ports *ports = generation_ports(generation_of(L));
    bool ok = !ports || !ports->store_healthy || ports->store_healthy(ports->ctx);
    lua_pushboolean(L, ok);
    return 1;
}

/* ---- small things ---- */

static int rest_time(lua_State *L)
{
    char text[TIMETEXT_SIZE];
    if (lua_isnil(L, 1))
        return 1;
    wall_t at = lua_isnone(L, 1) ? wall_now() : api_arg_integer(L, "core.time", 1, "ms");
    if (at % 1000 == 0)
        timetext_seconds(at, text);
    else
        timetext_millis(at, text);
    lua_pushstring(L, text);
    return 1;
}

static int rest_now_ms(lua_State *L)
{
    lua_pushinteger(L, wall_now());
    return 1;
}

static int rest_flags(lua_State *L)
{
    api_push_flags(L, api_arg_integer(L, "core.flags", 1, "flags"), true);
    return 1;
}

static int rest_version(lua_State *L)
{
    lua_pushliteral(L, CB_VERSION);
    return 1;
}

static const struct api_row rows[] = {
    {"chargepoints", rest_charge_points,
     "fun(page?: { after?: string, limit?: integer, state?: string }): table[], string?",
     "Charge points in order of their identity, and the cursor of the next page.", false},
    {"chargepoint", rest_charge_point, "fun(cpid: string): table?", "One charge point.", false},
    {"connectors", rest_connectors, "fun(cpid?: string): table[]",
     "All connectors, or those of one charge point.", false},
    {"active", rest_active, "fun(cpid?: string): table[]", "Open transactions, oldest first.",
     false},
    {"register", rest_register, "fun(cpid: string, change: table): true?, err?",
     "Creates or changes a charge point; the answer comes when it is on disk.", true},
    {"delete", rest_delete, "fun(cpid: string): true?, err?",
     "Forgets a charge point; err.code \"conflict\" while a transaction is open.", true},
    {"tags", rest_tags, "fun(page?: { after?: string, limit?: integer }): table[], string?",
     "Tags in order of their text, and the cursor of the next page.", false},
    {"tag", rest_tag, "fun(idTag: string): table?", "One tag.", false},
    {"put_tag", rest_put_tag, "fun(tag: table): true?, err?",
     "Creates or replaces a tag: in force at once, the answer comes when it is on disk.", true},
    {"delete_tag", rest_delete_tag, "fun(idTag: string): true?, err?",
     "Removes a tag; err.code \"unknown\" if there is none.", true},
    {"query", rest_query, "fun(name: string, params: table): table[]?, string|err|nil",
     "A named query of the store: its rows, and the cursor of the next page.", true},
    {"health", rest_health, "fun(): boolean", "Does the store take writes?", false},
    {"policies", rest_policies, "fun(): table", "State of the policies.", false},
    {"policy_errors", rest_policy_errors, "fun(): table",
     "The last distinct errors of policies: { total, items }.", false},
    {"reload", rest_reload, "fun(): table", "Loads the policies again; the report.", true},
    {"check", rest_check, "fun(): table", "Checks the folder without loading it; the report.",
     true},
    {"rollback", rest_rollback, "fun(): table", "Back to the generation before; the report.", true},
    {"time", rest_time, "fun(ms?: integer): string?", "RFC 3339 text of a time in milliseconds.",
     false},
    {"flags", rest_flags, "fun(flags: integer): string[]", "Names of a transaction's flags.",
     false},
    {"now_ms", rest_now_ms, "fun(): integer", "Now, in milliseconds.", false},
    {"version", rest_version, "fun(): string", "Of the server.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_rest = {.on = "core",
                                         .class_doc = "For the routes that ship with the server.",
                                         .rows = rows,
                                         .privileged = true};

/* `core.figures` and `core.routes`: what GET /metrics and GET /openapi.json are made of.
 *
 * A figure is { name, labels, value }; names carry the unit, labels are `name="value"` pairs joined
 * by commas. Figures of the other rooms come through ports->figures. Documentation and types of the
 * figures are in lua/routes/metrics.lua. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_rest.h"
#include "policy/outside.h"
#include "policy/reload.h"
#include "policy/router.h"
#include "policy/webhooks.h"
#include "policy/canary.h"
#include "policy/shadow.h"

/* ---- collecting ---- */

struct figure {
    char name[80], labels[160];
    double value;
};

struct figures { /* on the heap, so that ports may add while nothing of Lua runs */
    struct figure *items;
    size_t count, room;
};

static void add(void *ctx, const char *name, const char *labels, double value)
{
    struct figures *figures = ctx;
    figures->items = xgrow(figures->items, figures->count, &figures->room, sizeof(struct figure));
    struct figure *figure = &figures->items[figures->count++];
    text_copy(figure->name, sizeof(figure->name), span_of(name));
    text_copy(figure->labels, sizeof(figure->labels), span_of(labels ? labels : ""));
    figure->value = value;
}

static void add_label(struct figures *figures, const char *name, const char *label,
                      const char *text, double value)
{
    char labels[160];
    snprintf(labels, sizeof(labels), "%s=\"%s\"", label, text);
    add(figures, name, labels, value);
}

/* ---- the station ---- */

static const struct {
    const char *name;
    size_t offset;
} counter_rows[] = {
    {"chargebridge_calls_received_total", offsetof(struct station_counters, calls_in)},
    {"chargebridge_calls_sent_total", offsetof(struct station_counters, calls_out)},
    {"chargebridge_call_repeats_total", offsetof(struct station_counters, repeats)},
    {"chargebridge_deviations_total", offsetof(struct station_counters, deviations)},
    {"chargebridge_unreadable_frames_total", offsetof(struct station_counters, unreadable)},
    {"chargebridge_late_answers_total", offsetof(struct station_counters, late_answers)},
    {"chargebridge_orphan_messages_total", offsetof(struct station_counters, orphans)},
    {"chargebridge_refused_admissions_total",
     offsetof(struct station_counters, refused_admissions)},
    {"chargebridge_failed_batches_total", offsetof(struct station_counters, failed_batches)},
};

static void add_counters(struct figures *figures, const struct station_counters *counters)
{
    for (size_t i = 0; i < ARRAY_LEN(counter_rows); i++) {
        uint64_t value;
        memcpy(&value, (const char *)counters + counter_rows[i].offset, sizeof(value));
        add(figures, counter_rows[i].name, "", (double)value);
    }
    for (const struct hook_row *row = hook_rows; row->name; row++) {
        if (row->kind != EVENT_KINDS && counters->events_dropped[row->kind])
            add_label(figures, "chargebridge_events_dropped_total", "event", row->name,
                      (double)counters->events_dropped[row->kind]);
    }
}

static void add_charge_points(struct figures *figures, struct station *st)
{
    static const char *const states[] = {"online", "offline", "pending", "blocked"};
    size_t counts[ARRAY_LEN(states)] = {0}, at = 0, open = 0;
    const struct charge_point *cp;
    while ((cp = station_next(st, &at)) != NULL) {
        for (size_t i = 0; i < ARRAY_LEN(states); i++)
            counts[i] += text_is(states[i], rest_state_of(cp));
    }
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        add_label(figures, "chargebridge_charge_points", "state", states[i], (double)counts[i]);
    for (at = 0; station_transaction_next(st, &at) != NULL;)
        open++;
    add(figures, "chargebridge_open_transactions", "", (double)open);
    size_t pending = 0;
    for (at = 0; station_pending_next(st, &at) != NULL;)
        pending++;
    add(figures, "chargebridge_pending_starts", "", (double)pending);
}

/* ---- policies ---- */

/* The slots of hook_stats are powers of two of microseconds: their upper ends, cumulative. */
static void add_histogram(struct figures *figures, const char *hook, const struct hook_stats *stats)
{
    static const char name[] = "chargebridge_policy_run_seconds_bucket";
    char labels[160];
    uint64_t seen = 0;
    size_t last = ARRAY_LEN(stats->run_us) - 1;
    for (size_t i = 0; i < last; i++) {
        seen += stats->run_us[i];
        snprintf(labels, sizeof(labels), "hook=\"%s\",le=\"%.6g\"", hook,
                 (double)((int64_t)1 << (i + 1)) / 1e6);
        add(figures, name, labels, (double)seen);
    }
    seen += stats->run_us[last];
    snprintf(labels, sizeof(labels), "hook=\"%s\",le=\"+Inf\"", hook);
    add(figures, name, labels, (double)seen);
    add_label(figures, "chargebridge_policy_run_seconds_sum", "hook", hook,
              (double)stats->run_us_sum / 1e6);
    add_label(figures, "chargebridge_policy_run_seconds_count", "hook", hook, (double)seen);
}

static void add_hook(struct figures *figures, const char *hook, const struct hook_stats *stats)
{
    add_label(figures, "chargebridge_policy_calls_total", "hook", hook, (double)stats->calls);
    add_label(figures, "chargebridge_policy_errors_total", "hook", hook, (double)stats->errors);
    add_label(figures, "chargebridge_policy_waits_total", "hook", hook, (double)stats->waits);
    add_histogram(figures, hook, stats);
}

static void add_hooks(struct figures *figures, const struct generation *generation)
{
    for (const struct hook_row *row = hook_rows; row->name; row++) {
        bool identify = row->kind == EVENT_KINDS;
        const struct handler_list *list =
            identify ? &generation->identify : &generation->events[row->kind];
        if (list->count > 0)
            add_hook(figures, row->name,
                     identify ? &generation->identify_stats : &generation->stats[row->kind]);
    }
    if (generation->actions.count > 0)
        add_hook(figures, "action", &generation->stats[EVENT_ACTION]);
}

static void add_routes(struct figures *figures, const struct generation *generation)
{
    char labels[160];
    for (size_t i = 0; i < routes_count(generation); i++) {
        const struct route *route = generation->routes->items[i];
        if (route->replaced || route->calls == 0)
            continue;
        snprintf(labels, sizeof(labels), "method=\"%s\",path=\"%s\"", route->method,
                 route->template);
        add(figures, "chargebridge_route_calls_total", labels, (double)route->calls);
        add(figures, "chargebridge_route_errors_total", labels, (double)route->errors);
    }
}

static void add_candidates(struct figures *figures, const struct policy *policy)
{
    struct shadow_figures shadow;
    uint64_t runs, failures, rollbacks;
    if (shadow_figures(policy, &shadow)) {
        static const char events[] = "chargebridge_shadow_events_total";
        add_label(figures, events, "result", "compared", (double)shadow.compared);
        add_label(figures, events, "result", "skipped", (double)shadow.skipped);
        add_label(figures, events, "result", "incomparable", (double)shadow.incomparable);
        add(figures, "chargebridge_shadow_differences_total", "", (double)shadow.differing);
        add(figures, "chargebridge_shadow_errors_total", "", (double)shadow.failed);
        add(figures, "chargebridge_shadow_seconds_total", "", shadow.seconds);
    }
    canary_figures(policy, &runs, &failures, &rollbacks);
    add(figures, "chargebridge_canary_calls_total", "", (double)runs);
    add(figures, "chargebridge_canary_errors_total", "", (double)failures);
    add(figures, "chargebridge_canary_rollbacks_total", "", (double)rollbacks);
}

static void add_policies(struct figures *figures, const struct policy *policy)
{
    add(figures, "chargebridge_policy_generation", "",
        policy->current ? (double)policy->current->number : 0);
    add(figures, "chargebridge_policy_memory_bytes", "",
        policy->current ? (double)policy->current->memory : 0);
    add(figures, "chargebridge_policy_tasks", "", (double)policy->scheduler.tasks);
    add(figures, "chargebridge_policy_reloads_total", "", (double)policy->reloads);
    add(figures, "chargebridge_policy_refusals_total", "", (double)policy->refusals);
    add(figures, "chargebridge_policy_rollbacks_total", "", (double)policy->rollbacks);
    add(figures, "chargebridge_policy_distinct_errors_total", "", (double)policy->errors.total);
    add_candidates(figures, policy);
}

/* ---- the outside ---- */

static void add_outside(struct figures *figures, const struct policy *policy)
{
    static const char name[] = "chargebridge_outgoing_requests";
    struct outside_figures outside = outside_figures(policy);
    struct webhook_state state;
    size_t at = 0;
    add_label(figures, name, "state", "active", (double)outside.active);
    add_label(figures, name, "state", "queued", (double)outside.queued);
    add(figures, "chargebridge_outgoing_requests_total", "", (double)outside.started);
    add(figures, "chargebridge_outgoing_failures_total", "", (double)outside.failed);
    while (webhooks_next(policy, &at, &state)) {
        const struct {
            const char *figure;
            uint64_t value;
        } rows[] = {{"chargebridge_webhook_queued", state.queued},
                    {"chargebridge_webhook_delivered_total", state.delivered},
                    {"chargebridge_webhook_failures_total", state.failed},
                    {"chargebridge_webhook_dropped_total", state.dropped}};
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
            add_label(figures, rows[i].figure, "webhook", state.name, (double)rows[i].value);
    }
}

/* ---- figures ---- */

static int push_figures(lua_State *L)
{
    const struct figures *figures = lua_touserdata(L, 1);
    lua_createtable(L, (int)figures->count, 0);
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *figure = &figures->items[i];
        lua_createtable(L, 0, 3);
        api_set_string(L, "name", figure->name);
        api_set_string(L, "labels", figure->labels);
        lua_pushnumber(L, figure->value);
        lua_setfield(L, -2, "value");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    api_mark_array(L, -1);
    return 1;
}

int rest_figures(lua_State *L)
{
    struct generation *generation = generation_of(L);
    struct station *st = api_station(L, "core.figures");
    const struct policy_ports *ports = generation_ports(generation);
    struct figures figures = {0};
    add_counters(&figures, station_counters(st));
    add_charge_points(&figures, st);
    if (generation->policy) {
        add_policies(&figures, generation->policy);
        add_outside(&figures, generation->policy);
    }
    add_hooks(&figures, generation);
    add_routes(&figures, generation);
    if (ports && ports->figures)
        ports->figures(ports->ctx, add, &figures);
    lua_pushcfunction(L, push_figures);
    lua_pushlightuserdata(L, &figures);
    int status = lua_pcall(L, 1, 1, 0);
    xfree(figures.items);
    return status == LUA_OK ? 1 : lua_error(L);
}

/* ---- routes ---- */

static void push_route(lua_State *L, const struct route *route)
{
    static const char *const scopes[] = {"none", "read", "operate", "admin"};
    static const char *const kinds[] = {
        [BODY_JSON] = "json", [BODY_TEXT] = "text", [BODY_FILE] = "file"};
    static const char *const given[] = {"query", "body", "answers"};
    lua_createtable(L, 0, 12);
    api_set_string(L, "method", route->method);
    api_set_string(L, "path", route->template);
    api_set_string(L, "doc", route->doc);
    api_set_string(L, "scope", scopes[route->needs_key ? route->scope : SCOPE_NONE]);
    api_set_string(L, "bodyKind", kinds[route->body_kind]);
    api_set_bool(L, "idempotent", route->idempotent);
    api_set_bool(L, "builtin", route->builtin);
    if (lua_rawgeti(L, LUA_REGISTRYINDEX, route->options_ref) == LUA_TTABLE) {
        for (size_t i = 0; i < ARRAY_LEN(given); i++) {
            if (lua_getfield(L, -1, given[i]) == LUA_TTABLE)
                lua_setfield(L, -3, given[i]);
            else
                lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

int rest_routes(lua_State *L)
{
    const struct generation *generation = generation_of(L);
    lua_Integer count = 0;
    lua_newtable(L);
    for (size_t i = 0; i < routes_count(generation); i++) {
        if (generation->routes->items[i]->replaced)
            continue;
        push_route(L, generation->routes->items[i]);
        lua_rawseti(L, -2, ++count);
    }
    api_mark_array(L, -1);
    return 1;
}

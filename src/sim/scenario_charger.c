/* Chargers in scenarios: charger(identity, settings), its methods, and wait().
 *
 * A charger is a userdata with a pointer; chargers of a fleet live as long as it does. What a
 * person may do is in `methods`; each answers true, or false and why, so that
 * expect(c:plug(1, "CARD")) reports the reason. Events are queued while a charger works and handed
 * to waiting tasks by scenario_hand_out. Start reading at l_charger. */
#include <string.h>

#include "base/mem.h"
#include "sim/parts.h"
#include "sim/scenario_parts.h"

static const char charger_type[] = "charger";

/* ---- events ---- */

void scenario_on_event(void *ctx, struct charger *charger, const char *what, int connector,
                       const char *detail)
{
    struct scenario *scenario = ctx;
    if (scenario->finished)
        return;
    struct scenario_event *event = xcalloc(1, sizeof(*event));
    event->charger = charger;
    event->what = xstrdup(what);
    event->detail = xstrdup_or_null(detail);
    event->connector = connector;
    *scenario->end = event;
    scenario->end = &event->next;
    if (!timer_running(&scenario->soon))
        timer_start(loop_timers(scenario->settings.loop), &scenario->soon, 0);
}

static struct scenario_event *take_event(struct scenario *scenario)
{
    struct scenario_event *event = scenario->first;
    if (!event)
        return NULL;
    scenario->first = event->next;
    if (!scenario->first)
        scenario->end = &scenario->first;
    return event;
}

static void event_free(struct scenario_event *event)
{
    xfree(event->what);
    xfree(event->detail);
    xfree(event);
}

void scenario_drop_events(struct scenario *scenario)
{
    struct scenario_event *event;
    while ((event = take_event(scenario)) != NULL)
        event_free(event);
}

static bool waits_for(const struct task *task, const struct scenario_event *event)
{
    return task->charger == event->charger && text_is(task->what, event->what) &&
           (task->connector < 0 || task->connector == event->connector) &&
           (!task->detail || text_is(task->detail, event->detail));
}

static void push_event(lua_State *L, const char *what, int connector, const char *detail)
{
    lua_createtable(L, 0, 3);
    lua_pushstring(L, what);
    lua_setfield(L, -2, "what");
    lua_pushinteger(L, connector);
    lua_setfield(L, -2, "connector");
    lua_pushstring(L, detail);
    lua_setfield(L, -2, "detail");
}

/* Each event goes to those who waited when it is handed out; a task that waits again meanwhile gets
 * the next ones. */
static void hand_out_one(struct scenario *scenario, const struct scenario_event *event)
{
    size_t count = 0, room = 0;
    struct task **meant = NULL;
    for (struct task *task = scenario->tasks; task; task = task->next) {
        if (waits_for(task, event)) {
            meant = xgrow(meant, count, &room, sizeof(*meant));
            meant[count++] = task;
        }
    }
    /* A task ends by itself alone, so the others of the list are still there. The newest stands
     * first in the list: who waited longest goes first. */
    while (count-- > 0) {
        task_stop_waiting(meant[count]);
        push_event(meant[count]->thread, event->what, event->connector, event->detail);
        task_resume(meant[count], 1);
    }
    xfree(meant);
}

void scenario_hand_out(struct scenario *scenario)
{
    struct scenario_event *event;
    while (!scenario->finished && (event = take_event(scenario)) != NULL) {
        hand_out_one(scenario, event);
        event_free(event);
    }
}

/* ---- chargers ---- */

static struct charger *check_charger(lua_State *L, int index)
{
    return *(struct charger **)luaL_checkudata(L, index, charger_type);
}

static int push_charger(lua_State *L, struct charger *charger)
{
    *(struct charger **)lua_newuserdatauv(L, sizeof(charger), 0) = charger;
    luaL_setmetatable(L, charger_type);
    charger_on_event(charger, scenario_on_event, task_of(L)->scenario);
    return 1;
}

enum member { TEXT, WHOLE, WHOLE_32, REAL, YES, TIME, KIND };

static const struct {
    const char *name;
    enum member kind;
    size_t at;
    double least, most;
} members[] = {
#define AT(member) offsetof(struct charger_settings, member)
    {"host", TEXT, AT(host), 0, 0},
    {"port", WHOLE_32, AT(port), 1, 65535},
    {"path", TEXT, AT(path), 0, 0},
    {"password", TEXT, AT(password), 0, 0},
    {"connectors", WHOLE_32, AT(connectors), 1, 16},
    {"kind", KIND, AT(kind), 0, 0},
    {"power", WHOLE, AT(power_w), 1, 1000000},
    {"battery", WHOLE, AT(battery_wh), 1, 10000000},
    {"soc", REAL, AT(soc), 0, 100},
    {"meter_interval", WHOLE, AT(meter_interval_s), 0, 86400},
    {"boot_delay", TIME, AT(boot_delay_ms), 0, 0},
    {"reboot", TIME, AT(reboot_ms), 0, 0},
    {"autocharge", YES, AT(autocharge), 0, 0},
    {"log_frames", YES, AT(log_frames), 0, 0},
    {"seed", WHOLE, AT(seed), 0, 1e15},
    {"vendor", TEXT, AT(vendor), 0, 0},
    {"model", TEXT, AT(model), 0, 0},
    {"serial", TEXT, AT(serial), 0, 0},
    {"firmware", TEXT, AT(firmware), 0, 0},
};

static int64_t check_whole(lua_State *L, size_t row)
{
    int whole;
    lua_Integer value = lua_tointegerx(L, -1, &whole);
    if (!whole || (double)value < members[row].least || (double)value > members[row].most)
        luaL_error(L, "%s: expected a whole number from %d to %f", members[row].name,
                   (int)members[row].least, members[row].most);
    return value;
}

/* The value on top of the stack; texts stay in the table at index 2 for as long as it is used. */
static void read_member(lua_State *L, size_t row, struct charger_settings *settings)
{
    char *field = (char *)settings + members[row].at;
    const char *name = members[row].name;
    int type = lua_type(L, -1);
    switch (members[row].kind) {
    case TEXT:
        if (type != LUA_TSTRING)
            luaL_error(L, "%s: expected a text", name);
        *(const char **)(void *)field = lua_tostring(L, -1);
        break;
    case KIND:
        if (type != LUA_TSTRING ||
            (!text_is(lua_tostring(L, -1), "ac") && !text_is(lua_tostring(L, -1), "dc")))
            luaL_error(L, "kind: expected \"dc\" or \"ac\"");
        settings->kind = text_is(lua_tostring(L, -1), "ac") ? CAR_AC : CAR_DC;
        break;
    case YES:
        if (type != LUA_TBOOLEAN)
            luaL_error(L, "%s: expected true or false", name);
        *(bool *)field = lua_toboolean(L, -1);
        break;
    case REAL:
        if (type != LUA_TNUMBER || !(lua_tonumber(L, -1) >= members[row].least) ||
            !(lua_tonumber(L, -1) <= members[row].most))
            luaL_error(L, "%s: expected a number from %f to %f", name, members[row].least,
                       members[row].most);
        *(double *)(void *)field = lua_tonumber(L, -1);
        break;
    case TIME:
        *(int64_t *)(void *)field = scenario_duration(L, lua_gettop(L));
        break;
    case WHOLE:
        *(int64_t *)(void *)field = check_whole(L, row);
        break;
    case WHOLE_32:
        *(int *)(void *)field = (int)check_whole(L, row);
        break;
    }
}

static void read_settings(lua_State *L, int table, struct charger_settings *settings)
{
    lua_pushnil(L);
    while (lua_next(L, table)) {
        size_t row = 0;
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
        while (row < ARRAY_LEN(members) && !text_is(members[row].name, name))
            row++;
        if (row == ARRAY_LEN(members)) {
            const char *near =
                text_nearest(name, &members[0].name, ARRAY_LEN(members), sizeof(members[0]));
            luaL_error(L, "charger has no setting \"%s\"%s%s", name, near ? "; did you mean " : "",
                       near ? near : "");
        }
        read_member(L, row, settings);
        lua_pop(L, 1);
    }
}

/* charger(identity): one of the fleet, or a new one. With settings: a new one. */
static int l_charger(lua_State *L)
{
    struct scenario *scenario = task_of(L)->scenario;
    const char *identity = luaL_checkstring(L, 1);
    luaL_argcheck(L, *identity && strlen(identity) <= 255, 1, "expected 1 to 255 characters");
    lua_settop(L, 2);
    struct charger *charger = fleet_find(scenario->settings.fleet, identity);
    if (charger && lua_isnil(L, 2))
        return push_charger(L, charger);
    struct charger_settings settings = scenario->settings.charger;
    settings.identity = identity;
    settings.seed += fleet_count(scenario->settings.fleet);
    if (!lua_isnil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        settings.power_w = 0;
        read_settings(L, 2, &settings);
        if (settings.power_w == 0)
            settings.power_w = settings.kind == scenario->settings.charger.kind
                                   ? scenario->settings.charger.power_w
                               : settings.kind == CAR_DC ? 120000
                                                         : 22000;
    }
    struct reason why = {""};
    charger = fleet_add(scenario->settings.fleet, &settings, &why);
    if (!charger)
        return luaL_error(L, "%s", why.text);
    return push_charger(L, charger);
}

/* ---- methods ---- */

static int answer(lua_State *L, bool done, const struct reason *why)
{
    lua_pushboolean(L, done);
    if (done)
        return 1;
    lua_pushstring(L, why->text);
    return 2;
}

/* c:method(connector, …) */
static int check_connector(lua_State *L)
{
    lua_Integer connector = luaL_checkinteger(L, 2);
    return connector < 0 || connector > 1000 ? 1000 : (int)connector; /* unknown to every charger */
}

static int l_plug(lua_State *L)
{
    struct reason why;
    bool start = lua_isnoneornil(L, 4) || lua_toboolean(L, 4);
    return answer(L,
                  charger_plug(check_charger(L, 1), check_connector(L), luaL_optstring(L, 3, NULL),
                               start, &why),
                  &why);
}

static int l_unplug(lua_State *L)
{
    struct reason why;
    return answer(L, charger_unplug(check_charger(L, 1), check_connector(L), &why), &why);
}

static int l_start(lua_State *L)
{
    struct reason why;
    return answer(
        L, charger_start(check_charger(L, 1), check_connector(L), luaL_checkstring(L, 3), &why),
        &why);
}

static int l_stop(lua_State *L)
{
    struct reason why;
    return answer(
        L, charger_stop(check_charger(L, 1), check_connector(L), luaL_optstring(L, 3, NULL), &why),
        &why);
}

static int l_fault(lua_State *L)
{
    struct reason why;
    return answer(L,
                  charger_set_fault(check_charger(L, 1), check_connector(L),
                                    luaL_optstring(L, 3, "InternalError"), &why),
                  &why);
}

static int l_clear_fault(lua_State *L)
{
    struct reason why;
    return answer(L, charger_clear_fault(check_charger(L, 1), check_connector(L), &why), &why);
}

static int l_suspend(lua_State *L)
{
    static const char *const words[] = {"car", "charger", NULL};
    struct reason why;
    enum suspension by =
        luaL_checkoption(L, 3, "car", words) == 0 ? SUSPENDED_BY_CAR : SUSPENDED_BY_CHARGER;
    return answer(L, charger_suspend(check_charger(L, 1), check_connector(L), by, &why), &why);
}

static int l_resume(lua_State *L)
{
    struct reason why;
    return answer(L, charger_suspend(check_charger(L, 1), check_connector(L), SUSPENDED_NOT, &why),
                  &why);
}

static int l_stall(lua_State *L)
{
    struct reason why;
    lua_Number power_w = luaL_optnumber(L, 3, 0);
    luaL_argcheck(L, power_w >= -1 && power_w <= 1e6, 3, "expected -1 (no stall) to 1000000 W");
    return answer(L, charger_stall(check_charger(L, 1), check_connector(L), (int64_t)power_w, &why),
                  &why);
}

static int l_soc(lua_State *L)
{
    struct reason why;
    lua_Number percent = luaL_checknumber(L, 3);
    luaL_argcheck(L, percent >= 0 && percent <= 100, 3, "expected 0 to 100 percent");
    return answer(L, charger_set_soc(check_charger(L, 1), check_connector(L), percent, &why), &why);
}

static int l_network(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TBOOLEAN);
    charger_set_network(check_charger(L, 1), lua_toboolean(L, 2));
    return answer(L, true, NULL);
}

static int l_power_cycle(lua_State *L)
{
    charger_power_cycle(check_charger(L, 1));
    return answer(L, true, NULL);
}

static int l_send(lua_State *L)
{
    struct reason why;
    struct charger *charger = check_charger(L, 1);
    const char *action = luaL_checkstring(L, 2);
    struct strbuf payload = {0};
    if (lua_isnoneornil(L, 3))
        strbuf_adds(&payload, "{}");
    else
        scenario_write_json(L, 3, &payload);
    bool sent = charger_send(charger, action, strbuf_text(&payload), &why);
    strbuf_clear(&payload);
    return answer(L, sent, &why);
}

static int l_misbehave(lua_State *L)
{
    struct reason why;
    lua_Number probability = luaL_optnumber(L, 3, 1);
    luaL_argcheck(L, probability >= 0 && probability <= 1, 3, "expected a probability of 0 to 1");
    return answer(L, charger_fault(check_charger(L, 1), luaL_checkstring(L, 2), probability, &why),
                  &why);
}

static int l_configure(lua_State *L)
{
    struct reason why;
    luaL_checkany(L, 3);
    return answer(L,
                  charger_configure(check_charger(L, 1), luaL_checkstring(L, 2),
                                    luaL_tolstring(L, 3, NULL), &why),
                  &why);
}

/* ---- looking ---- */

static int l_identity(lua_State *L)
{
    lua_pushstring(L, charger_identity(check_charger(L, 1)));
    return 1;
}

static int push_text(lua_State *L, struct strbuf *text)
{
    struct arena arena = {0};
    struct reason why;
    const struct json *tree = json_parse(&arena, strbuf_text(text), text->len, &why, NULL);
    if (NEVER(!tree))
        lua_pushnil(L);
    else
        scenario_push_json(L, tree);
    arena_clear(&arena);
    strbuf_clear(text);
    return 1;
}

static int push_written(lua_State *L, const struct charger *charger,
                        void (*write)(const struct charger *charger, struct strbuf *out))
{
    struct strbuf text = {0};
    write(charger, &text);
    return push_text(L, &text);
}

/* What GET /state answers. */
static int l_state(lua_State *L)
{
    return push_written(L, check_charger(L, 1), charger_write_state);
}

/* figures(): what GET /figures answers for the whole fleet. */
static int l_figures(lua_State *L)
{
    const struct fleet *fleet = task_of(L)->scenario->settings.fleet;
    struct strbuf text = {0};
    fleet_write_figures(fleet, NULL, &text);
    return push_text(L, &text);
}

/* One connector of it: {status, transactionId, meterWh, powerW, soc …}; nil: there is none. */
static int l_connector(lua_State *L)
{
    lua_Integer connector = luaL_checkinteger(L, 2);
    l_state(L);
    lua_getfield(L, -1, "connectors");
    if (lua_istable(L, -1))
        lua_geti(L, -1, connector);
    else
        lua_pushnil(L);
    return 1;
}

/* A configuration key; nil: there is none. */
static int l_configuration(lua_State *L)
{
    const char *key = luaL_checkstring(L, 2);
    push_written(L, check_charger(L, 1), charger_write_configuration);
    lua_getfield(L, -1, "configurationKey");
    for (lua_Integer i = 1; lua_istable(L, -1) && lua_geti(L, -1, i) == LUA_TTABLE; i++) {
        lua_getfield(L, -1, "key");
        bool found = text_is_ci(lua_tostring(L, -1) ? lua_tostring(L, -1) : "", key);
        lua_pop(L, 1);
        if (found) {
            lua_getfield(L, -1, "value");
            return 1;
        }
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    return 1;
}

static const luaL_Reg methods[] = {
    {"plug", l_plug},               /* connector, card, auto_start = true */
    {"unplug", l_unplug},           /* connector */
    {"start", l_start},             /* connector, card */
    {"stop", l_stop},               /* connector, reason = "Local" */
    {"fault", l_fault},             /* connector, error code = "InternalError" */
    {"clear_fault", l_clear_fault}, /* connector */
    {"suspend", l_suspend},         /* connector, "car" or "charger" */
    {"resume", l_resume},           /* connector */
    {"stall", l_stall},             /* connector, W = 0; -1: no more */
    {"soc", l_soc},                 /* connector, percent */
    {"network", l_network},         /* true: up */
    {"power_cycle", l_power_cycle},
    {"send", l_send},           /* action, payload as a table */
    {"misbehave", l_misbehave}, /* fault of --help, probability = 1 */
    {"configure", l_configure}, /* key, value */
    {"configuration", l_configuration},
    {"identity", l_identity},
    {"state", l_state},
    {"connector", l_connector},
    {NULL, NULL},
};

/* ---- wait ---- */

/* The states that may have come before somebody waits for them. */
static bool holds_already(const struct charger *charger, const char *what, int connector,
                          const char *detail)
{
    if (text_is(what, "accepted"))
        return charger->accepted && charger->online;
    if (text_is(what, "offline"))
        return !charger->online;
    if (!text_is(what, "status") && !text_is(what, "started"))
        return false;
    if (connector < 0 || connector > charger->settings.connectors)
        return false;
    if (text_is(what, "status"))
        return detail && text_is(connector_status_text(charger, connector), detail);
    const struct sim_connector *place = charger_connector(charger, connector);
    return place && place->phase == SESSION_RUNNING && place->start_serial > 0 &&
           charger->ids[place->start_serial] != 0;
}

/* wait(charger, what, timeout = "1m", connector, detail): {what, connector, detail}, or nil. */
static int l_wait(lua_State *L)
{
    static const char *const words[] = {"accepted", "offline", "status", "started",
                                        "stopped",  "call",    NULL};
    struct task *task = task_of(L);
    struct charger *charger = check_charger(L, 1);
    const char *what = words[luaL_checkoption(L, 2, NULL, words)];
    int64_t timeout_ms = lua_isnoneornil(L, 3) ? 60000 : scenario_duration(L, 3);
    lua_Integer connector = luaL_optinteger(L, 4, -1);
    luaL_argcheck(L, connector >= -1 && connector <= 16, 4, "expected a connector");
    const char *detail = luaL_optstring(L, 5, NULL);
    if (holds_already(charger, what, (int)connector, detail)) {
        push_event(L, what, (int)connector, detail);
        return 1;
    }
    task->charger = charger;
    task->what = xstrdup(what);
    task->detail = xstrdup_or_null(detail);
    task->connector = (int)connector;
    timer_start(loop_timers(task->scenario->settings.loop), &task->timer, timeout_ms);
    return lua_yield(L, 0);
}

void scenario_add_chargers(lua_State *L)
{
    luaL_newmetatable(L, charger_type);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, "a charger");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_charger);
    lua_setfield(L, -2, "charger");
    lua_pushcfunction(L, l_wait);
    lua_setfield(L, -2, "wait");
    lua_pushcfunction(L, l_figures);
    lua_setfield(L, -2, "figures");
}

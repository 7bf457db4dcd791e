/* See scenario.h: tasks, time and the verdict. A task's struct lies in the extra space of its Lua
 * thread as a pointer, so that each C function finds who called it. */
#include "sim/scenario.h"

#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "sim/scenario_parts.h"

enum { HOOK_EVERY = 1000000, SLICES_MAX = 300, DAY_MS = 86400000 };

/* ---- tasks ---- */

struct task *task_of(lua_State *L)
{
    return *(struct task **)lua_getextraspace(L);
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    if (++task_of(L)->scenario->slice > SLICES_MAX)
        luaL_error(L, "ran %d million instructions without sleep, wait or http", SLICES_MAX);
}

static void on_task_timer(struct timer *timer);

/* A coroutine for the function on top of `from`, which is popped. */
static struct task *task_new(struct scenario *scenario, lua_State *from)
{
    struct task *task = xcalloc(1, sizeof(*task));
    task->scenario = scenario;
    task->timer.fn = on_task_timer;
    task->thread = lua_newthread(from);
    *(struct task **)lua_getextraspace(task->thread) = task;
    lua_sethook(task->thread, on_count, LUA_MASKCOUNT, HOOK_EVERY);
    lua_insert(from, -2);
    lua_xmove(from, task->thread, 1);
    task->anchor = luaL_ref(from, LUA_REGISTRYINDEX);
    task->next = scenario->tasks;
    scenario->tasks = task;
    return task;
}

void task_stop_waiting(struct task *task)
{
    timer_stop(loop_timers(task->scenario->settings.loop), &task->timer);
    task->charger = NULL;
    XFREE(task->what);
    XFREE(task->detail);
}

static void task_free(struct task *task)
{
    struct scenario *scenario = task->scenario;
    for (struct task **at = &scenario->tasks; *at; at = &(*at)->next) {
        if (*at == task) {
            *at = task->next;
            break;
        }
    }
    task_stop_waiting(task);
    if (task->transfer)
        http_client_cancel(scenario->settings.http, task->transfer);
    lua_resetthread(task->thread);
    luaL_unref(scenario->L, LUA_REGISTRYINDEX, task->anchor);
    xfree(task);
}

static void end_soon(struct scenario *scenario)
{
    scenario->finished = true;
    timer_start(loop_timers(scenario->settings.loop), &scenario->soon, 0);
}

static void report(struct scenario *scenario, const char *text)
{
    scenario->failures++;
    fprintf(stderr, "%s\n", text);
}

void task_resume(struct task *task, int results)
{
    struct scenario *scenario = task->scenario;
    if (scenario->finished)
        return;
    int returned;
    scenario->slice = 0;
    int status = lua_resume(task->thread, NULL, results, &returned);
    if (status == LUA_YIELD)
        return;
    if (status != LUA_OK) {
        const char *text = lua_tostring(task->thread, -1);
        report(scenario, text ? text : "an error that is no text");
    }
    task_free(task);
    if (!scenario->tasks && !scenario->finished)
        end_soon(scenario);
}

static void on_task_timer(struct timer *timer)
{
    struct task *task = CONTAINER_OF(timer, struct task, timer);
    bool waited = task->charger != NULL;
    task_stop_waiting(task);
    if (waited)
        lua_pushnil(task->thread); /* wait() timed out */
    task_resume(task, waited ? 1 : 0);
}

static void park(struct task *task, int64_t ms)
{
    timer_start(loop_timers(task->scenario->settings.loop), &task->timer, ms);
}

/* ---- time ---- */

int64_t scenario_duration(lua_State *L, int index)
{
    int64_t ms;
    if (lua_type(L, index) == LUA_TNUMBER) {
        lua_Number seconds = lua_tonumber(L, index);
        luaL_argcheck(L, seconds >= 0 && seconds < 1e9, index, "expected seconds, or like \"10m\"");
        return (int64_t)(seconds * 1000);
    }
    luaL_argcheck(L, duration_parse(span_of(luaL_checkstring(L, index)), &ms) && ms >= 0, index,
                  "expected a duration like \"90s\", \"10m\" or \"1h30m\"");
    return ms;
}

/* "07:30" or "07:30:15" as milliseconds of the day. */
static bool time_of_day(const char *text, int64_t *out)
{
    int64_t part[3] = {0}, most[] = {23, 59, 59};
    struct span rest = span_of(text), piece;
    int count = 0;
    while (span_cut(&rest, ':', &piece)) {
        if (count == 3 || piece.len != 2 || !span_int(piece, &part[count]) || part[count] < 0 ||
            part[count] > most[count])
            return false;
        count++;
    }
    *out = ((part[0] * 60 + part[1]) * 60 + part[2]) * 1000;
    return count >= 2;
}

static int l_sleep(lua_State *L)
{
    park(task_of(L), scenario_duration(L, 1));
    return lua_yield(L, 0);
}

static int l_at(lua_State *L)
{
    const char *when = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int64_t ms;
    wall_t now = wall_now();
    if (when[0] == '+' && duration_parse(span_of(when + 1), &ms)) {
        ms = ms > 0 ? ms : 0;
    } else if (time_of_day(when, &ms)) {
        ms = (ms - now % DAY_MS + DAY_MS) % DAY_MS;
    } else {
        return luaL_argerror(L, 1, "expected a time like \"07:30\" or \"+10m\"");
    }
    lua_settop(L, 2);
    park(task_new(task_of(L)->scenario, L), ms);
    return 0;
}

static int l_begin(lua_State *L)
{
    const char *text = luaL_checkstring(L, 1);
    int64_t ms;
    wall_t now = wall_now(), begin;
    if (text[0] == '-' && duration_parse(span_of(text + 1), &ms)) {
        begin = now - ms;
    } else if (time_of_day(text, &ms)) {
        begin = now - now % DAY_MS - DAY_MS + ms;
        begin -= begin > now - DAY_MS ? DAY_MS : 0; /* all of that day is over */
    } else if (!timetext_parse(span_of(text), 0, &begin)) {
        return luaL_argerror(L, 1,
                             "expected \"-24h\", \"07:00\" or a time like "
                             "\"2026-05-04T07:00:00Z\"");
    }
    clock_scale(task_of(L)->scenario->speed, begin);
    return 0;
}

static int l_speed(lua_State *L)
{
    lua_Number factor = luaL_checknumber(L, 1);
    luaL_argcheck(L, factor >= 0.001 && factor <= 100000, 1, "expected 0.001 to 100000");
    task_of(L)->scenario->speed = factor;
    clock_scale(factor, wall_now());
    return 0;
}

static int l_now(lua_State *L)
{
    char text[TIMETEXT_SIZE];
    timetext_seconds(wall_now(), text);
    lua_pushstring(L, text);
    return 1;
}

/* ---- words and verdicts ---- */

static int l_log(lua_State *L)
{
    struct strbuf text = {.cap = 4000};
    for (int i = 1; i <= lua_gettop(L); i++) {
        luaL_tolstring(L, i, NULL); /* may raise from a __tostring: nothing is held yet */
        lua_replace(L, i);
    }
    for (int i = 1; i <= lua_gettop(L); i++) {
        strbuf_adds(&text, i > 1 ? " " : "");
        strbuf_adds(&text, lua_tostring(L, i));
    }
    LOG(LOG_INFO, "scenario", L_STR("text", strbuf_text(&text)));
    strbuf_clear(&text);
    return 0;
}

/* expect(false, why) of a method that returns false, why works as it is. */
static int l_expect(lua_State *L)
{
    bool held = lua_toboolean(L, 1);
    lua_settop(L, 2);
    if (!held) {
        luaL_where(L, 1);
        const char *where = lua_tostring(L, -1);
        const char *text = luaL_tolstring(L, 2, NULL);
        lua_pushfstring(L, "%sexpected: %s", where, lua_isnil(L, 2) ? "something else" : text);
        report(task_of(L)->scenario, lua_tostring(L, -1));
    }
    lua_pushboolean(L, held);
    return 1;
}

static int l_finish(lua_State *L)
{
    struct scenario *scenario = task_of(L)->scenario;
    lua_Integer code = luaL_optinteger(L, 1, 0);
    luaL_argcheck(L, code >= 0 && code <= 125, 1, "expected an exit status of 0 to 125");
    scenario->code = (int)code;
    end_soon(scenario);
    return lua_yield(L, 0);
}

static const luaL_Reg functions[] = {
    {"sleep", l_sleep},   {"at", l_at},   {"begin", l_begin}, {"speed", l_speed},
    {"now", l_now},       {"log", l_log}, {"print", l_log},   {"expect", l_expect},
    {"finish", l_finish}, {NULL, NULL},
};

/* ---- the whole ---- */

static void on_soon(struct timer *timer)
{
    struct scenario *scenario = CONTAINER_OF(timer, struct scenario, soon);
    if (!scenario->finished)
        scenario_hand_out(scenario);
    if (!scenario->finished || scenario->told)
        return;
    scenario->told = true;
    int code = scenario->code == 0 && scenario->failures > 0 ? 1 : scenario->code;
    LOG(LOG_INFO, "scenario ended", L_INT("failures", scenario->failures), L_INT("status", code));
    scenario->settings.finished(scenario->settings.ctx, code);
}

/* Base, string, table and math; nothing that reaches files, the system, or other code. */
static void open_libraries(lua_State *L)
{
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                         {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_MATHLIBNAME, luaopen_math}};
    static const char *const closed[] = {"dofile", "loadfile", "load", "collectgarbage"};
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
        lua_pushnil(L);
        lua_setglobal(L, closed[i]);
    }
    lua_getglobal(L, LUA_STRLIBNAME);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_pop(L, 1);
}

/* math.random gives the same numbers again with the same --seed. */
static void seed_random(lua_State *L, uint64_t seed)
{
    lua_getglobal(L, LUA_MATHLIBNAME);
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, (lua_Integer)seed);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
}

/* Protected: upvalue 1 is the scenario, argument 1 the path. Returns the file as a function. */
static int open_all(lua_State *L)
{
    struct scenario *scenario = lua_touserdata(L, lua_upvalueindex(1));
    const char *path = luaL_checkstring(L, 1);
    open_libraries(L);
    seed_random(L, scenario->settings.charger.seed);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    scenario_add_chargers(L);
    scenario_add_http(L);
    lua_newtable(L);
    for (size_t i = 0; i < scenario->settings.argument_count; i++) {
        lua_pushstring(L, scenario->settings.arguments[i].value);
        lua_setfield(L, -2, scenario->settings.arguments[i].name);
    }
    lua_setfield(L, -2, "args");
    lua_pop(L, 1);
    if (luaL_loadfilex(L, path, "t") != LUA_OK)
        return lua_error(L);
    return 1;
}

struct scenario *scenario_open(const char *path, const struct scenario_settings *settings,
                               struct reason *why)
{
    struct scenario *scenario = xcalloc(1, sizeof(*scenario));
    scenario->settings = *settings;
    scenario->end = &scenario->first;
    scenario->soon.fn = on_soon;
    scenario->speed = (double)clock_real_ms(1000000) / 1000000;
    scenario->L = luaL_newstate();
    if (!scenario->L) {
        reason_set(why, "no memory for Lua");
        xfree(scenario);
        return NULL;
    }
    lua_pushlightuserdata(scenario->L, scenario);
    lua_pushcclosure(scenario->L, open_all, 1);
    lua_pushstring(scenario->L, path);
    if (lua_pcall(scenario->L, 1, 1, 0) != LUA_OK) {
        reason_set(why, "%s", lua_tostring(scenario->L, -1));
        scenario_free(scenario);
        return NULL;
    }
    park(task_new(scenario, scenario->L), 0);
    return scenario;
}

void scenario_free(struct scenario *scenario)
{
    if (!scenario)
        return;
    scenario->finished = true;
    for (size_t i = 0; i < fleet_count(scenario->settings.fleet); i++)
        charger_on_event(fleet_at(scenario->settings.fleet, i), NULL, NULL);
    while (scenario->tasks)
        task_free(scenario->tasks);
    timer_stop(loop_timers(scenario->settings.loop), &scenario->soon);
    scenario_drop_events(scenario);
    lua_close(scenario->L);
    xfree(scenario);
}

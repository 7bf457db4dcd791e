/* See budget.h. POLICY §4, row "time, one run between waits"; §7 has the measurements.
 *
 * The clock is read at the first look, not at the start of a run: most handlers end before the
 * hook fires for the first time and pay nothing. The first look is after FIRST instructions; then
 * the period grows up to MOST (10,000) while instructions are quick, and shrinks when some of them
 * turn out to be slow (comparing strings of megabytes), down to every single one. */
#include "policy/budget.h"

#include <lauxlib.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/generation.h"

enum {
    FIRST = 1000,
    MOST = 10000,
    QUICK_US = 500, /* between two looks: look less often */
    SLOW_US = 2000, /* look more often */
    WORK_LOOK = 1000000
};

static void on_count(lua_State *L, lua_Debug *ar);

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void start(struct generation *generation, lua_State *L, enum budget_kind kind)
{
    const struct policy_settings *settings = generation->settings;
    struct budget *budget = &generation->budget;
    *budget = (struct budget){.L = L, .kind = kind, .period = FIRST};
    if (kind == BUDGET_LOAD) {
        budget->start_us = budget->last_us = cpu_now_us();
        budget->limit_ms = settings->load_file_ms;
        budget->kill_us = smaller(settings->load_file_ms * 1000, generation->load_left_us);
        if (generation->load_left_us < settings->load_file_ms * 1000)
            budget->limit_ms = settings->load_total_ms;
    } else {
        budget->limit_ms = settings->run_kill_ms;
        budget->kill_us = settings->run_kill_ms * 1000;
        budget->warn_us = settings->run_warn_ms * 1000;
    }
    lua_sethook(L, on_count, LUA_MASKCOUNT, FIRST);
}

static void account(struct generation *generation)
{
    const struct budget *budget = &generation->budget;
    if (budget->kind == BUDGET_LOAD)
        generation->load_left_us -= cpu_now_us() - budget->start_us;
}

struct budget budget_begin(struct generation *generation, lua_State *L, enum budget_kind kind)
{
    struct budget outer = generation->budget;
    start(generation, L, kind);
    return outer;
}

void budget_end(struct generation *generation, const struct budget *outer)
{
    struct budget *budget = &generation->budget;
    account(generation);
    lua_sethook(budget->L, NULL, 0, 0);
    *budget = *outer;
    if (budget->L) /* it may have been the same coroutine's */
        lua_sethook(budget->L, on_count, LUA_MASKCOUNT, budget->expired ? 1 : budget->period);
}

void budget_poke(struct generation *generation)
{
    struct budget *budget = &generation->budget;
    if (budget->L) /* allowed from a signal handler, so from an allocator too */
        lua_sethook(budget->L, on_count, LUA_MASKCOUNT, 1);
}

/* Once a run: which policy is slow, before it is too slow. */
static void warn(lua_State *L, const struct budget *budget, int64_t used_us)
{
    lua_Debug ar;
    int level = 0;
    while (lua_getstack(L, level, &ar)) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0)
            break;
        ar.currentline = 0;
        level++;
    }
    const struct generation *generation = generation_of(L);
    if (generation->dry)
        return;
    LOG(LOG_WARN, "policy is slow", L_STR("file", ar.source[0] == '@' ? ar.source + 1 : ar.source),
        L_INT("line", ar.currentline), L_INT("ran_ms", used_us / 1000),
        L_INT("limit_ms", budget->limit_ms), L_INT("generation", generation->number));
}

/* True when the budget is used up. */
static bool look(lua_State *L, struct generation *generation)
{
    struct budget *budget = &generation->budget;
    int64_t now = cpu_now_us();
    budget->work = 0;
    if (budget->start_us == 0)
        budget->start_us = budget->last_us = now;
    int64_t used = now - budget->start_us;
    if (now - budget->last_us > SLOW_US)
        budget->period = budget->period > 8 ? budget->period / 8 : 1;
    else if (now - budget->last_us < QUICK_US)
        budget->period = budget->period < MOST / 4 ? budget->period * 4 : MOST;
    budget->last_us = now;
    if (budget->warn_us > 0 && used >= budget->warn_us && !budget->warned) {
        budget->warned = true;
        warn(L, budget, used);
    }
    if (used >= budget->kill_us || (generation->stop && atomic_load(generation->stop)))
        budget->expired = true;
    return budget->expired;
}

void budget_message(const struct budget *budget, char *out, size_t size)
{
    snprintf(out, size, "ran for more than %d ms%s and was stopped", (int)budget->limit_ms,
             budget->kind == BUDGET_LOAD ? "" : " without waiting");
}

/* A coroutine that can yield is left where it is: nobody resumes it, so no pcall of its hears of
 * the end, and thousands of nested ones need not be unwound one by one (which takes seconds).
 * task.c reads `expired` and ends the task. */
static void on_count(lua_State *L, lua_Debug *ar)
{
    struct generation *generation = generation_of(L);
    struct budget *budget = &generation->budget;
    if (budget->L != L)
        return;
    bool over = look(L, generation);
    lua_sethook(L, on_count, LUA_MASKCOUNT, over ? 1 : budget->period);
    if (!over)
        return;
    if (lua_isyieldable(L)) {
        lua_yield(L, 0); /* returns, in a hook */
        return;
    }
    char text[80];
    budget_message(budget, text, sizeof(text));
    lua_getinfo(L, "Sl", ar); /* not luaL_where: inside a hook that is a frame too high */
    lua_pushfstring(L, "%s:%d: %s", ar->short_src, ar->currentline, text);
    lua_error(L);
}

void budget_work(lua_State *L, uint64_t steps)
{
    struct generation *generation = generation_of(L);
    struct budget *budget = &generation->budget;
    if (budget->L != L)
        return;
    budget->work += steps;
    if (budget->work < WORK_LOOK || !look(L, generation))
        return;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    if (lua_isyieldable(L))
        lua_yield(L, 0); /* does not return, in a function */
    char text[80];
    budget_message(budget, text, sizeof(text));
    luaL_error(L, "%s", text);
}

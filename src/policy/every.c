/* `every("1m", fn)`: functions that run again and again while their generation is current.
 *
 * Registered while files load; the timers run from the swap until the generation is replaced, the
 * first run comes after one period. A function never overlaps itself: a run that is due while the
 * last one still waits is skipped and counted (POLICY.md §3.10). */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/limits.h"

struct every {
    struct timer timer;
    struct generation *generation;
    int ref; /* registry: the function */
    int64_t period_ms;
    bool running;
    bool builtin; /* of lua/: not shown to operators */
    uint64_t runs, skipped, errors;
    char label[128];
};

struct every_list {
    struct every **items; /* each in a place of its own: timers must not move */
    size_t count, room;
};

static void on_finished(void *ctx, lua_State *L, int nresults, const struct task_end *end)
{
    (void)L;
    (void)nresults;
    struct every *every = ctx;
    every->running = false;
    if (!end->ok)
        every->errors++;
}

static void on_due(struct timer *timer)
{
    struct every *every = CONTAINER_OF(timer, struct every, timer);
    struct generation *generation = every->generation;
    timer_start(generation->timers, timer, every->period_ms);
    if (every->running || !lua_checkstack(generation->L, 4)) {
        if (every->skipped++ == 0)
            LOG(LOG_WARN, "a run was skipped: the last one still waits",
                L_STR("every", every->label));
        return;
    }
    every->running = true;
    every->runs++;
    const struct task_start start = {.label = every->label, .deadline_ms = every->period_ms};
    lua_rawgeti(generation->L, LUA_REGISTRYINDEX, every->ref);
    task_run(generation, &start, 0, on_finished, every);
}

void everys_start(struct generation *generation, struct timers *timers)
{
    generation->timers = timers;
    for (size_t i = 0; i < everys_count(generation); i++) {
        struct every *every = generation->everys->items[i];
        if (!every->builtin || generation->phase != PHASE_TESTING)
            timer_start(timers, &every->timer, every->period_ms);
    }
}

void everys_start_builtin(struct generation *generation)
{
    for (size_t i = 0; i < everys_count(generation); i++) {
        struct every *every = generation->everys->items[i];
        if (every->builtin && !timer_running(&every->timer))
            timer_start(generation->timers, &every->timer, every->period_ms);
    }
}

void everys_stop(struct generation *generation, struct timers *timers)
{
    for (size_t i = 0; i < everys_count(generation); i++)
        timer_stop(timers, &generation->everys->items[i]->timer);
    log_limits_stop(generation, timers);
}

size_t everys_count(const struct generation *generation)
{
    return generation->everys ? generation->everys->count : 0;
}

void everys_free(struct generation *generation)
{
    for (size_t i = 0; i < everys_count(generation); i++)
        xfree(generation->everys->items[i]);
    if (generation->everys)
        xfree(generation->everys->items);
    XFREE(generation->everys);
    log_limits_free(generation);
}

void everys_write(const struct generation *generation, struct json_out *out)
{
    json_open(out, '[');
    for (size_t i = 0; i < everys_count(generation); i++) {
        const struct every *every = generation->everys->items[i];
        if (every->builtin)
            continue;
        json_open(out, '{');
        json_key(out, "name");
        json_put_string(out, every->label);
        json_key(out, "periodMs");
        json_put_int(out, every->period_ms);
        json_key(out, "runs");
        json_put_int(out, (int64_t)every->runs);
        json_key(out, "skipped");
        json_put_int(out, (int64_t)every->skipped);
        json_key(out, "errors");
        json_put_int(out, (int64_t)every->errors);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static int every_new(lua_State *L)
{
    struct generation *generation = generation_of(L);
    int64_t period_ms = api_arg_duration(L, "every", 1, "period");
    api_arg_function(L, "every", 2, "function");
    if (generation->loading_file < 0)
        return api_raise(L, "every can only be used while a policy file loads");
    if (period_ms < EVERY_LEAST_MS)
        return api_raise(L, "every: the period must be at least %d ms", EVERY_LEAST_MS);
    if (everys_count(generation) >= EVERYS_MAX)
        return api_raise(L, "every: more than %d timers", EVERYS_MAX);
    lua_pushvalue(L, 2);
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    if (!generation->everys)
        generation->everys = xcalloc(1, sizeof(struct every_list));
    struct every_list *list = generation->everys;
    struct every *every = xcalloc(1, sizeof(*every));
    every->timer.fn = on_due;
    every->generation = generation;
    every->ref = ref;
    every->period_ms = period_ms;
    every->builtin = generation->sources.files[generation->loading_file].builtin;
    struct api_place place = {.file = "?"};
    api_caller(L, &place);
    snprintf(every->label, sizeof(every->label), "every %s:%d", place.file, place.line);
    list->items = xgrow(list->items, list->count, &list->room, sizeof(*list->items));
    list->items[list->count++] = every;
    return 0;
}

static const struct api_row rows[] = {
    {"every", every_new, "fun(period: string|number, f: fun())",
     "Runs f again and again: every(\"1m\", function() … end). Never overlaps itself; the first "
     "run "
     "comes one period after the load.",
     false},
    {"generation", NULL, "integer", "Counts the loads of the policies; this one's number.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_every = {
    .on = "", .class_doc = "Timers and reloads.", .rows = rows};

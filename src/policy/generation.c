/* See generation.h. Creates and frees states, and holds the one protected call that is no task.
 *
 * A panic (an error outside of every protected call) is a bug of ours: it aborts with a line and a
 * core. Generations of a thread are in a list, so that a task_ref whose generation is gone can be
 * told from one that is not (task.c). */
#include "policy/generation.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "policy/build.h"
#include "policy/site.h"
#include "policy/errors.h"
#include "policy/memory.h"
#include "policy/quirk.h"
#include "policy/sandbox.h"
#include "policy/source.h"
#include "policy/task_parts.h"
#include "policy/webhooks.h"

/* One list a thread: the build thread and the loop thread never see each other's generations. */
static _Thread_local struct generation *alive;

void generation_join_thread(struct generation *generation)
{
    generation->next_alive = alive;
    alive = generation;
}

void generation_leave_thread(struct generation *generation)
{
    for (struct generation **at = &alive; *at; at = &(*at)->next_alive) {
        if (*at == generation) {
            *at = generation->next_alive;
            return;
        }
    }
}

bool generation_is_alive(const struct generation *generation)
{
    for (const struct generation *g = alive; g; g = g->next_alive) {
        if (g == generation)
            return true;
    }
    return false;
}

/* POLICY §6: lua_atpanic aborts with a core. */
static int on_panic(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    static const char head[] = "fatal: Lua error outside of a protected call: ";
    if (write(STDERR_FILENO, head, sizeof(head) - 1) < 0 || !text ||
        write(STDERR_FILENO, text, strlen(text)) < 0 || write(STDERR_FILENO, "\n", 1) < 0)
        abort();
    abort();
}

struct generation *generation_of(lua_State *L)
{
    return *(struct generation **)lua_getextraspace(L);
}

struct generation *generation_new(const struct policy_settings *settings, int64_t number)
{
    struct generation *generation = xcalloc(1, sizeof(*generation));
    generation->number = number;
    generation->settings = settings;
    generation->phase = PHASE_LOADING;
    generation->loading_file = -1;
    generation->load_left_us = settings->load_total_ms * 1000;
    generation->scheduler = &generation->own_scheduler;
    /* Random, so that a task_ref of a freed generation fits no later one at the same address. */
    generation->last_serial = random_u64() | 1;
    generation_join_thread(generation);
    lua_State *L = lua_newstate(memory_allocate, generation);
    if (!L)
        abort(); /* out of memory: not even a bare state */
    generation->L = L;
    lua_atpanic(L, on_panic);
    *(struct generation **)lua_getextraspace(L) = generation; /* new coroutines inherit it */
    lua_gc(L, LUA_GCGEN, 0, 0);
    sandbox_open(L);
    api_open(L, generation);
    return generation;
}

static void free_actions(struct generation *generation)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&generation->actions, &at))) {
        struct handler_list *list = entry->value;
        XFREE(list->items);
        xfree(list);
    }
    map_clear(&generation->actions);
}

void generation_free(struct generation *generation)
{
    if (!generation)
        return;
    tasks_cancel(generation, "the generation was closed");
    everys_free(generation);
    routes_free(generation);
    sites_free(generation);
    quirks_free(generation);
    webhooks_free(generation);
    lua_close(generation->L);
    generation_leave_thread(generation);
    tasks_free(generation);
    free_actions(generation);
    for (size_t i = 0; i < EVENT_KINDS; i++)
        XFREE(generation->events[i].items);
    XFREE(generation->identify.items);
    source_set_clear(&generation->sources);
    xfree(generation);
}

void generation_require_live(lua_State *L, const char *what)
{
    const struct generation *generation = generation_of(L);
    if (generation->phase == PHASE_LOADING || generation->loading_file >= 0)
        luaL_error(L, "%s cannot be used while a policy file loads", what);
}

int generation_file(const struct generation *generation, const char *name, size_t len)
{
    for (size_t i = 0; i < generation->sources.count; i++) {
        const char *have = generation->sources.files[i].name;
        if (strlen(have) == len && memcmp(have, name, len) == 0)
            return (int)i;
    }
    return -1;
}

const char *generation_file_name(const struct generation *generation, int file)
{
    return file >= 0 && (size_t)file < generation->sources.count
               ? generation->sources.files[file].name
               : NULL;
}

bool generation_call(struct generation *generation, int nargs, int nresults, enum budget_kind kind,
                     struct policy_error *why)
{
    lua_State *L = generation->L;
    struct policy_error scratch;
    why = why ? why : &scratch;
    *why = (struct policy_error){0};
    int base = lua_gettop(L) - nargs; /* of the function */
    error_push_handler(L, why);
    lua_insert(L, base);
    struct task *running = generation->running;
    generation->running = NULL; /* nothing in here can wait */
    struct policy_error *calling = generation->calling;
    generation->calling = why;
    struct budget outer = budget_begin(generation, L, kind);
    bool capped = memory_cap(generation, true);
    int status = lua_pcall(L, nargs, nresults, base);
    memory_cap(generation, capped);
    generation->calling = calling;
    if (status != LUA_OK)
        error_text(generation, L, why);
    budget_end(generation, &outer);
    generation->running = running;
    lua_remove(L, base);
    if (status != LUA_OK)
        lua_pop(L, 1);
    return status == LUA_OK;
}

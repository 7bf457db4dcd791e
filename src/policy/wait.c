/* Waiting: the one place where a script's coroutine yields, and the one that lets it go on. See
 * task.h.
 *
 * A wait is known by a serial that no other wait of the process has, so an answer that comes after
 * the task, or its generation, is gone finds nothing. */
#include <lauxlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/memory.h"
#include "policy/task_parts.h"

/* Where a wait fails although a task runs: inside a C function that calls back (POLICY §4). */
static const char *caller_that_cannot_wait(lua_State *L, const struct task *task)
{
    static const char *const names[][2] = {
        {"sort", "table.sort"},     {"gsub", "string.gsub"},
        {"concat", "table.concat"}, {"format", "__tostring"},
        {"tostring", "__tostring"}, {"require", "a file that is required"},
        {"cost", "on.price"}};
    bool price = strcmp(task->text, "price") == 0;
    lua_Debug ar;
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "nS", &ar);
        if (strcmp(ar.what, "C") != 0)
            continue;
        for (size_t i = 0; ar.name && i < ARRAY_LEN(names); i++) {
            if (strcmp(ar.name, names[i][0]) == 0)
                return names[i][1];
        }
        if (ar.name)
            return ar.name;
        break;
    }
    return price ? "on.price" : "a function that cannot wait";
}

static void refuse_wait(lua_State *L, const struct generation *generation, const char *what)
{
    bool charger = strncmp(what, "cp:", 3) == 0 || strncmp(what, "tx:", 3) == 0;
    const char *waits = charger ? "waits for the charger" : "waits";
    if (generation->loading_file >= 0)
        luaL_error(L, "%s cannot be used while a policy file loads", what);
    if (!generation->running)
        luaL_error(L, "%s %s and cannot be used here", what, waits);
    if (generation->running->closing)
        luaL_error(L, "%s %s and cannot be used while the handler ends", what, waits);
    luaL_error(L, "%s %s and cannot be used inside %s", what, waits,
               caller_that_cannot_wait(L, generation->running));
}

struct task_ref task_wait_begin(lua_State *L, const char *what, void (*cancel_fn)(void *arg),
                                void *cancel_arg)
{
    struct generation *generation = generation_of(L);
    struct task *task = generation->running;
    if (!task || task->closing || task->co != L || !lua_isyieldable(L))
        refuse_wait(L, generation, what);
    task_forget_wait(task);
    task->serial = ++generation->last_serial;
    task->woken = false;
    task->cancel = cancel_fn;
    task->cancel_arg = cancel_arg;
    idmap_put(&generation->waits, task->serial, task);
    return (struct task_ref){generation, task->serial};
}

void task_wait_hold(struct task_ref ref)
{
    struct task *task = ref.generation->running;
    task->held = true;
    task_set_deadline(task, 0);
}

int task_wait(lua_State *L, struct task_ref ref)
{
    struct task *task = ref.generation->running;
    if (task->woken) {
        task->woken = false;
        return task->nargs;
    }
    task->state = TASK_WAITING;
    return lua_yield(L, 0); /* what task_wake() pushes is what the API function returns */
}

void task_wake_extended(struct task_ref ref, int64_t ms, task_push push, void *arg)
{
    struct task *task =
        generation_is_alive(ref.generation) ? idmap_get(&ref.generation->waits, ref.serial) : NULL;
    if (task)
        task_set_deadline(task, ms);
    task_wake(ref, push, arg);
}

void task_wake(struct task_ref ref, task_push push, void *arg)
{
    if (!generation_is_alive(ref.generation))
        return;
    struct task *task = idmap_get(&ref.generation->waits, ref.serial);
    if (!task)
        return; /* cancelled meanwhile */
    task_forget_wait(task);
    bool capped = memory_cap(ref.generation, false);
    task->nargs = push(task->co, arg);
    memory_cap(ref.generation, capped);
    if (task->state == TASK_WAITING)
        task_take_turn(task);
    else
        task->woken = true;
}

/* See task.h. One function interprets every return of a coroutine: resume_one().
 *
 * Life of a task: READY (its first run waits for its turn) → RUNNING ⇄ WAITING → READY (results are
 * on its stack) → RUNNING … → ended, which frees it. Being cancelled ends it from READY and WAITING
 * at once, from RUNNING when it waits next. The deadline's timer starts with the first wait: a task
 * that does not wait is bounded by its budget. */
#include "policy/task_parts.h"

#include <lauxlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy/errors.h"
#include "policy/memory.h"
#include "policy/reload.h"

enum { POOL_MAX = 32, COLLECT_EVERY_MS = 1000 };

struct coroutine_pool {
    struct {
        lua_State *co;
        int ref;
    } items[POOL_MAX];
    int count;
};

/* ---- coroutines ---- */

static void take_coroutine(struct generation *generation, struct task *task)
{
    struct coroutine_pool *pool = generation->pool;
    if (pool && pool->count > 0) {
        pool->count--;
        task->co = pool->items[pool->count].co;
        task->ref = pool->items[pool->count].ref;
        return;
    }
    task->co = lua_newthread(generation->L);
    task->ref = luaL_ref(generation->L, LUA_REGISTRYINDEX);
}

/* One that ended without an error can run the next function. */
static void give_coroutine(struct generation *generation, struct task *task, bool clean)
{
    if (!generation->pool)
        generation->pool = xcalloc(1, sizeof(*generation->pool));
    struct coroutine_pool *pool = generation->pool;
    lua_settop(task->co, 0);
    if (clean && pool->count < POOL_MAX) {
        pool->items[pool->count].co = task->co;
        pool->items[pool->count].ref = task->ref;
        pool->count++;
    } else {
        luaL_unref(generation->L, LUA_REGISTRYINDEX, task->ref);
    }
}

/* ---- lists ---- */

static void link_task(struct generation *generation, struct task *task)
{
    task->previous = generation->last_task;
    if (generation->last_task)
        generation->last_task->next = task;
    else
        generation->first_task = task;
    generation->last_task = task;
    generation->tasks++;
    generation->scheduler->tasks++;
}

static void unlink_task(struct generation *generation, struct task *task)
{
    if (task->previous)
        task->previous->next = task->next;
    else
        generation->first_task = task->next;
    if (task->next)
        task->next->previous = task->previous;
    else
        generation->last_task = task->previous;
    generation->tasks--;
    generation->scheduler->tasks--;
}

static void push_ready(struct scheduler *scheduler, struct task *task)
{
    task->state = TASK_READY;
    task->next_ready = NULL;
    task->previous_ready = scheduler->ready_last;
    if (scheduler->ready_last)
        scheduler->ready_last->next_ready = task;
    else
        scheduler->ready = task;
    scheduler->ready_last = task;
}

static void drop_ready(struct scheduler *scheduler, struct task *task)
{
    if (task->previous_ready)
        task->previous_ready->next_ready = task->next_ready;
    else
        scheduler->ready = task->next_ready;
    if (task->next_ready)
        task->next_ready->previous_ready = task->previous_ready;
    else
        scheduler->ready_last = task->previous_ready;
    task->next_ready = task->previous_ready = NULL;
}

/* ---- the end ---- */

static enum budget_kind budget_of(const struct generation *generation)
{
    return generation->testkit ? BUDGET_LOAD : BUDGET_RUN;
}

/* Pending <close> variables of a task that failed or was cancelled, under a budget of their own
 * (rule 3.8). The error value, if there is one, is on top of the stack. */
static void close_coroutine(struct task *task)
{
    struct generation *generation = task->generation;
    struct task *outer = generation->running;
    generation->running = task;
    task->closing = true;
    struct budget budget = budget_begin(generation, task->co, budget_of(generation));
    bool capped = memory_cap(generation, true);
    lua_resetthread(task->co); /* 5.4.4 has no lua_closethread */
    memory_cap(generation, capped);
    budget_end(generation, &budget);
    generation->running = outer;
    lua_settop(task->co, 0);
}

void task_forget_wait(struct task *task)
{
    if (task->serial != 0)
        idmap_remove(&task->generation->waits, task->serial);
    task->serial = 0;
    task->cancel = NULL;
}

static void finish(struct task *task, int nresults, struct task_end *end)
{
    struct generation *generation = task->generation;
    task_forget_wait(task);
    if (generation->timers)
        timer_stop(generation->timers, &task->deadline);
    end->run_us = task->run_us;
    end->waits = task->waits;
    generation->runs++;
    generation->failures += !end->ok && !end->cancelled;
    task->finished(task->ctx, task->co, nresults, end);
    unlink_task(generation, task);
    give_coroutine(generation, task, end->ok);
    bool failed = !end->ok && !end->cancelled;
    xfree(task);
    policy_ended(generation, failed);
    if (generation->phase == PHASE_DRAINING && generation->tasks == 0)
        policy_drained(generation);
}

static void finish_failed(struct task *task, struct policy_error *what, bool cancelled)
{
    char text[sizeof(what->file) + sizeof(what->message) + 16];
    error_print(what, text, sizeof(text));
    struct task_end end = {.error = text,
                           .file = what->file[0] ? what->file : NULL,
                           .line = what->line,
                           .cancelled = cancelled};
    finish(task, 0, &end);
}

static void record(struct task *task, const struct policy_error *what)
{
    struct error_event event = {task->text, task->cp, task->example};
    errors_record(task->generation, what, &event, task->co);
}

/* An error ended the coroutine; its frames are still there. */
static void fail(struct task *task)
{
    struct policy_error what = {0};
    error_place(task->co, &what);
    error_text(task->generation, task->co, &what);
    record(task, &what);
    close_coroutine(task);
    finish_failed(task, &what, false);
}

/* The budget is used up: the coroutine yielded in the middle of something, for good. */
static void stop(struct task *task, const struct budget *budget)
{
    struct policy_error what = {0};
    error_place(task->co, &what);
    budget_message(budget, what.message, sizeof(what.message));
    record(task, &what);
    close_coroutine(task);
    finish_failed(task, &what, false);
}

static void cancel(struct task *task, const char *why)
{
    struct generation *generation = task->generation;
    if (task->state == TASK_RUNNING) {
        task->cancel_why = why;
        return;
    }
    struct scheduler *scheduler = generation->scheduler;
    bool busy = scheduler->busy;
    scheduler->busy = true;
    if (task->state == TASK_READY)
        drop_ready(scheduler, task);
    task->state = TASK_RUNNING;
    void (*tell)(void *arg) = task->cancel;
    void *arg = task->cancel_arg;
    bool waits = task->serial != 0;
    task_forget_wait(task);
    if (tell && waits)
        tell(arg);
    struct policy_error what = {0};
    error_place(task->co, &what);
    text_copy(what.message, sizeof(what.message), span_of(why));
    if (generation->policy && !generation->dry)
        LOG(LOG_WARN, "policy handler cancelled", L_STR("file", what.file[0] ? what.file : NULL),
            L_INT("line", what.line), L_STR("event", task->text), L_STR("cp", task->cp),
            L_INT("generation", generation->number), L_STR("why", why));
    close_coroutine(task);
    finish_failed(task, &what, true);
    scheduler->busy = busy;
}

static void run_ready(struct scheduler *scheduler);

static void on_deadline(struct timer *timer)
{
    struct task *task = CONTAINER_OF(timer, struct task, deadline);
    struct scheduler *scheduler = task->generation->scheduler;
    cancel(task, "it took too long: the time of the whole handler is up");
    run_ready(scheduler);
}

/* ---- running ---- */

static void on_yield(struct task *task)
{
    struct generation *generation = task->generation;
    task->waits++;
    if (task->cancel_why) {
        cancel(task, task->cancel_why);
        return;
    }
    if (task->deadline_ms > 0 && generation->timers && !timer_running(&task->deadline))
        timer_start(generation->timers, &task->deadline,
                    task->deadline_ms - (mono_now() - task->started));
}

static void resume_one(struct task *task)
{
    struct generation *generation = task->generation;
    struct scheduler *scheduler = generation->scheduler;
    struct task *outer = generation->running;
    bool busy = scheduler->busy;
    scheduler->busy = true;
    generation->running = task;
    task->state = TASK_RUNNING;
    struct budget budget = budget_begin(generation, task->co, budget_of(generation));
    bool capped = memory_cap(generation, true);
    int64_t start_us = stopwatch_us();
    int nresults = 0;
    int status = lua_resume(task->co, outer ? outer->co : generation->L, task->nargs, &nresults);
    task->run_us += stopwatch_us() - start_us;
    memory_cap(generation, capped);
    struct budget used = generation->budget;
    budget_end(generation, &budget);
    generation->running = outer;
    if (status == LUA_YIELD && used.expired)
        stop(task, &used);
    else if (status == LUA_YIELD)
        on_yield(task);
    else if (status == LUA_OK)
        finish(task, nresults, &(struct task_end){.ok = true});
    else
        fail(task);
    scheduler->busy = busy;
}

static void run_ready(struct scheduler *scheduler)
{
    while (!scheduler->busy && scheduler->ready) {
        struct task *task = scheduler->ready;
        drop_ready(scheduler, task);
        resume_one(task);
    }
}

void task_take_turn(struct task *task)
{
    struct scheduler *scheduler = task->generation->scheduler;
    if (scheduler->busy && task->generation->phase != PHASE_TESTING) {
        push_ready(scheduler, task);
        return;
    }
    resume_one(task);
    run_ready(scheduler);
}

/* ---- starting ---- */

static bool has_memory(struct generation *generation)
{
    if (!memory_is_full(generation))
        return true;
    mono_t now = mono_now();
    if (generation->collected_at != 0 && now - generation->collected_at < COLLECT_EVERY_MS)
        return false;
    generation->collected_at = now;
    lua_gc(generation->L, LUA_GCCOLLECT);
    return !memory_is_full(generation);
}

static const char *refusal(struct generation *generation)
{
    if (generation->closing)
        return "this generation of policies is being closed";
    if (generation->scheduler->tasks >= (size_t)generation->settings->tasks_max)
        return "too many handlers are waiting already";
    if (!has_memory(generation))
        return "not enough memory: policies of this generation use all they may";
    return NULL;
}

/* POLICY §4, row "counts": excess is refused by name. */
static void refuse(struct generation *generation, const struct task_start *start, const char *why,
                   task_finished finished, void *ctx)
{
    struct policy_error what = {0};
    text_copy(what.message, sizeof(what.message), span_of(why));
    struct error_event event = {start->label, start->cp, start->example};
    if (!generation->closing)
        errors_record(generation, &what, &event, NULL);
    struct task_end end = {.error = why, .cancelled = generation->closing, .refused = true};
    finished(ctx, generation->L, 0, &end);
}

static struct task *task_new(struct generation *generation, const struct task_start *start)
{
    size_t label = strlen(start->label) + 1, cp = start->cp ? strlen(start->cp) + 1 : 0;
    struct task *task = xmalloc(sizeof(*task) + label + cp);
    *task = (struct task){.generation = generation,
                          .deadline_ms = start->deadline_ms,
                          .deadline = {.fn = on_deadline},
                          .example = start->example,
                          .effects = start->effects,
                          .started = mono_now()};
    memcpy(task->text, start->label, label);
    if (start->cp) {
        memcpy(task->text + label, start->cp, cp);
        task->cp = task->text + label;
    }
    return task;
}

void task_run(struct generation *generation, const struct task_start *start, int nargs,
              task_finished finished, void *ctx)
{
    const char *why = refusal(generation);
    if (why) {
        lua_pop(generation->L, nargs + 1);
        refuse(generation, start, why, finished, ctx);
        return;
    }
    struct task *task = task_new(generation, start);
    task->finished = finished;
    task->ctx = ctx;
    task->nargs = nargs;
    bool capped = memory_cap(generation, false); /* while tests run: inside of another task */
    take_coroutine(generation, task);
    lua_checkstack(task->co, nargs + 1);
    lua_xmove(generation->L, task->co, nargs + 1);
    memory_cap(generation, capped);
    link_task(generation, task);
    task_take_turn(task);
}

void task_set_deadline(struct task *task, int64_t ms)
{
    task->started = mono_now();
    task->deadline_ms = ms;
    if (task->generation->timers)
        timer_stop(task->generation->timers, &task->deadline);
}

int64_t task_time_left(const struct generation *generation)
{
    const struct task *task = generation->running;
    return task && task->deadline_ms > 0 ? task->deadline_ms - (mono_now() - task->started)
                                         : INT64_MAX;
}

void task_extend(struct generation *generation, int64_t ms)
{
    if (generation->running)
        task_set_deadline(generation->running, ms);
}

static void cancel_all(struct generation *generation, const char *why, bool held_too)
{
    generation->closing = true;
    struct task *task = generation->first_task;
    while (task) {
        bool now = task->state != TASK_RUNNING && (held_too || !task->held);
        if (task->state == TASK_RUNNING)
            task->cancel_why = why;
        if (now)
            cancel(task, why);
        task = now ? generation->first_task : task->next; /* what it told may have changed it */
    }
}

void tasks_cancel(struct generation *generation, const char *why)
{
    cancel_all(generation, why, true);
}

void tasks_cancel_loose(struct generation *generation, const char *why)
{
    cancel_all(generation, why, false);
}

void tasks_free(struct generation *generation)
{
    idmap_clear(&generation->waits);
    XFREE(generation->pool);
}

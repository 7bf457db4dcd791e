/* A task: one coroutine that runs handlers for one event, request or timer, and may wait.
 *
 * Every wait of every API function goes through task_wait(), and every return from one through
 * task_wake(): nobody else yields or resumes. The pattern of a waiting API function:
 *
 *     static int cp_call(lua_State *L)
 *     {
 *         … check arguments …
 *         struct task_ref ref = task_wait_begin(L, "cp:call", cancel_fn, cancel_arg);
 *         station_call(…, on_result, ref_as_heap_ctx);      // may call back before it returns
 *         return task_wait(L, ref);                         // results at once, or yields
 *     }
 *     static void on_result(void *ctx, …) { task_wake(ref, push_fn, arg); }
 *
 * push_fn runs on the task's coroutine, pushes the results and returns how many; it must not
 * raise. When the task was cancelled meanwhile, task_wake() does nothing. task_wait_begin() raises
 * where a wait is not possible (loading, table.sort, gsub, __tostring): "cp:call waits for the
 * charger and cannot be used inside table.sort". Private to policy/. Loop thread (or the build
 * thread while tests run, for their own generation). */
#ifndef POLICY_TASK_H
#define POLICY_TASK_H

#include "policy/generation.h"

struct task_ref { /* by value; never dangles */
    struct generation *generation;
    uint64_t serial; /* of the wait */
};

typedef int (*task_push)(lua_State *L, void *arg);

/* `cancel` (may be NULL) is told when the task is cancelled while it waits: stop the operation. */
struct task_ref task_wait_begin(lua_State *L, const char *what, void (*cancel)(void *arg),
                                void *cancel_arg);
/* This wait is for something that surely ends, and the handler must hear of it: it has no deadline,
 * and outlives the draining of its generation. Before task_wait(). */
void task_wait_hold(struct task_ref ref);
int task_wait(lua_State *L, struct task_ref ref);
void task_wake(struct task_ref ref, task_push push, void *arg);

/* Milliseconds until the running task is cancelled; INT64_MAX: never, or none runs. */
int64_t task_time_left(const struct generation *generation);
/* The deadline of the running task becomes `ms` from now; 0 = none. */
void task_extend(struct generation *generation, int64_t ms);
/* task_wake(), and the deadline becomes `ms` from now. */
void task_wake_extended(struct task_ref ref, int64_t ms, task_push push, void *arg);

/* Starts a task. Live, no task runs inside another: what is started or woken while one runs, runs
 * right after it (POLICY §4: between two waits nothing else runs). While tests run it runs at once,
 * nested, so that a test can feed events and look at what they did. The function to run and its
 * `nargs` arguments are on top of generation->L and are popped. `finished` gets the results on the
 * coroutine's stack (nresults, first at index 1) or an error; exactly once, maybe before this
 * returns. */
struct task_end {
    bool ok;
    const char *error; /* readable, with file and line; NULL when ok */
    const char *file;  /* where it failed, or NULL */
    int line;
    bool cancelled;
    bool refused;   /* it never ran: too many, or no memory */
    int64_t run_us; /* in scripts, without the waits */
    uint32_t waits;
};
typedef void (*task_finished)(void *ctx, lua_State *L, int nresults, const struct task_end *end);
struct task_start {
    const char *label;   /* "authorize", "route GET /api/v1/active", "every 10-x.lua:12"; copied */
    const char *cp;      /* identity, or NULL; for logs and cancelling when it goes offline */
    int64_t deadline_ms; /* of the whole task; 0 = none */
    const char *example; /* arguments, for GET /policies/errors; NULL, or alive until `finished` */
    struct effects *effects; /* where effects are noted (dry.h); NULL, or alive until `finished` */
};
void task_run(struct generation *generation, const struct task_start *start, int nargs,
              task_finished finished, void *ctx);

#endif

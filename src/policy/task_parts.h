/* What the engine knows of tasks beyond task.h. Private to the engine files of policy/. */
#ifndef POLICY_TASK_PARTS_H
#define POLICY_TASK_PARTS_H

#include "policy/task.h"

enum task_state { TASK_READY, TASK_RUNNING, TASK_WAITING };

struct task {
    struct generation *generation;
    struct task *next, *previous;             /* of the generation, in order of starting */
    struct task *next_ready, *previous_ready; /* of the scheduler, while READY */
    lua_State *co;
    int ref; /* keeps co alive */
    enum task_state state;
    uint64_t serial;        /* of the wait that was begun last; 0 = none */
    bool woken;             /* between begin and wait: the results are there already */
    bool closing;           /* its <close> variables run: nothing can wait */
    bool held;              /* its wait ends by itself: not cancelled when its generation drains */
    const char *cancel_why; /* static: cancelled while it runs */
    int nargs;              /* on the stack of co, for the next resume */
    void (*cancel)(void *arg);
    void *cancel_arg;
    mono_t started;
    int64_t deadline_ms;
    struct timer deadline;
    task_finished finished;
    void *ctx;
    const char *example;
    struct effects *effects;
    int64_t run_us;
    uint32_t waits;
    const char *cp; /* in text, or NULL */
    char text[];    /* label, NUL, cp */
};

/* Runs it now, or after the one that runs. */
void task_take_turn(struct task *task);
/* From now; 0 = none. */
void task_set_deadline(struct task *task, int64_t ms);
/* The wait that it began last is over, however it ended. */
void task_forget_wait(struct task *task);

/* Cancels all tasks of the generation and lets no new one start: pending <close> run under budget,
 * `finished` is told (rule 3.8). A task that runs right now is cancelled when it waits next. */
void tasks_cancel(struct generation *generation, const char *why);
/* The same, but for those that task_wait_hold() holds. */
void tasks_cancel_loose(struct generation *generation, const char *why);
/* What is left when no task is alive and the state is closed. */
void tasks_free(struct generation *generation);

#endif

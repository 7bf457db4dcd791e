/* One generation: a lua_State with everything that its files registered, and what it may use.
 *
 * Built on the build thread, where it shares nothing with the live one; after the swap it belongs
 * to the loop thread. Freed when it is neither current nor has a task left (POLICY.md §3.8). The
 * tests of a build run on a second state with a station of their own (testkit.c), which is thrown
 * away, so that what they leave in Lua variables never goes live. Private to policy/. */
#ifndef POLICY_GENERATION_H
#define POLICY_GENERATION_H

#include <lua.h>

#include "base/digest.h"
#include "policy/budget.h"
#include "policy/policy.h"

enum { HANDLER_REF_NONE = -2 };

struct source_file { /* kept in memory: rollback rebuilds from it */
    char *name;      /* "10-authorize.lua", "lib/idtags.lua", "tests/cards.lua" */
    char *text;
    size_t len;
    char sha256[SHA256_HEX_SIZE];
    bool builtin; /* of lua/, embedded: privileged environment, not listed to operators */
};

struct source_set {
    struct source_file *files;
    size_t count, room;
};

struct handler { /* one function on one event or raw action, in file order */
    int ref;     /* registry */
    int file;    /* index into sources */
    int line;    /* where it was defined */
};

struct handler_list {
    struct handler *items;
    size_t count, room;
};

struct hook_stats {
    uint64_t calls, errors, waits;
    uint64_t run_us[20]; /* histogram by powers of two of microseconds: p50/p99 derive from it */
    uint64_t run_us_sum;
};

/* Whose turn it is among the tasks of one thread (task.c): the live generations share the policy's,
 * a generation that is built or tested has its own. */
struct scheduler {
    bool busy; /* a task runs, or its end is being told */
    struct task *ready,
        *ready_last;        /* woken or started meanwhile; run when the running one is through */
    size_t tasks;           /* alive */
    struct repeat *repeats; /* requests with an Idempotency-Key that run (router_repeat.c) */
};

enum generation_phase { PHASE_LOADING, PHASE_TESTING, PHASE_LIVE, PHASE_DRAINING };

struct generation {
    int64_t number;
    enum generation_phase phase;
    struct policy *policy;   /* NULL while it is built offline */
    struct station *station; /* the live one, or the test kit's while testing; NULL while loading */
    const struct policy_settings *settings;
    struct timers *timers; /* of the loop, or of the test kit while testing; NULL while loading */
    struct policy_report *report; /* where findings go while it is built or tested; else NULL */
    lua_State *L;
    size_t memory, memory_peak; /* bytes, by the allocator */
    size_t allocated;           /* bytes handed out since the budget last looked (memory.c) */
    bool capped;                /* a script runs: the memory limit holds (memory.h) */
    struct budget budget;       /* of what runs right now (budget.h) */
    int64_t load_left_us;       /* CPU time that the build may still use, tests included */
    const atomic_bool *stop;    /* the build is not wanted any more; NULL = cannot be stopped */
    struct source_set sources;
    wall_t loaded_at;
    struct handler_list events[EVENT_KINDS];
    struct handler_list identify;
    struct map actions;            /* raw action → struct handler_list * */
    struct route_table *routes;    /* router.c */
    struct every_list *everys;     /* every.c */
    struct webhook_list *webhooks; /* webhooks.c */
    struct quirk_list *quirks;     /* api_quirk.c */
    struct site_list *sites;       /* site.c */
    struct log_limits *log_limits; /* api_log.c; freed by everys_free() */
    struct testkit *testkit;       /* while a test runs (testkit.c); else NULL */
    struct error_log *errors;      /* of a generation that is only tried; NULL = the policy's */
    struct dry *dry;               /* it runs without effect (dry.h); else NULL. Not its own */
    struct scheduler *scheduler;   /* the policy's once live, else &own_scheduler */
    struct scheduler own_scheduler;
    struct task *first_task, *last_task; /* alive, oldest first */
    struct idmap waits;                  /* serial of a wait → its task */
    uint64_t last_serial;
    struct coroutine_pool *pool;   /* task.c: coroutines to use again */
    bool warned_of_bytecode;       /* build.c */
    bool costing;                  /* on.price runs for tx:cost() (api_price.c) */
    bool closing;                  /* no task starts any more */
    struct policy_error *calling;  /* of generation_call: where it ran out of memory */
    mono_t collected_at;           /* the last full collection for want of memory */
    struct timer drain_timer;      /* reload.c: rule 3.8 */
    uint64_t runs, failures;       /* ended tasks, and those with an error: probation (3.11) */
    struct generation *next_alive; /* generation.c: of this thread */
    struct task *running;          /* the task whose coroutine runs right now, else NULL */
    size_t tasks;                  /* alive, waiting ones included */
    int loading_file;              /* index of the file whose chunk runs, -1 outside */
    struct hook_stats stats[EVENT_KINDS];
    struct hook_stats identify_stats;
};

/* A state with the sandbox and the API in it and no file loaded; never NULL (a state that cannot
 * be created is out of memory). Belongs to the calling thread until generation_leave_thread(). */
struct generation *generation_new(const struct policy_settings *settings, int64_t number);
/* Cancels its tasks, closes the state, frees everything. On the thread that it belongs to. */
void generation_free(struct generation *generation);
/* Another thread takes it over: leave on the old thread, join on the new one. */
void generation_leave_thread(struct generation *generation);
void generation_join_thread(struct generation *generation);
/* Is this (still) a generation of the calling thread? The pointer may dangle. */
bool generation_is_alive(const struct generation *generation);
/* Calls the function under `nargs` arguments on top of generation->L, with a budget and under the
 * memory limit; nothing in it can wait. False: `why` says where it failed (may be NULL), and the
 * stack is as if it had returned nothing. */
bool generation_call(struct generation *generation, int nargs, int nresults, enum budget_kind kind,
                     struct policy_error *why);
/* Index of the source with this name, -1 if there is none. `len` bytes of `name` count. */
int generation_file(const struct generation *generation, const char *name, size_t len);
const char *generation_file_name(const struct generation *generation, int file); /* NULL for -1 */

/* Valid in every coroutine of the state, loading included. */
struct generation *generation_of(lua_State *L);
/* Raises unless the phase allows effects: "cp:call cannot be used while a policy file loads". */
void generation_require_live(lua_State *L, const char *what);

#endif

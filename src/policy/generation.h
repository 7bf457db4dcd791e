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
};

enum generation_phase { PHASE_LOADING, PHASE_TESTING, PHASE_LIVE, PHASE_DRAINING };

struct generation {
    int64_t number;
    enum generation_phase phase;
    struct policy *policy;   /* NULL while it is built offline */
    struct station *station; /* the live one, or the test kit's while testing; NULL while loading */
    const struct policy_settings *settings;
    struct timers *timers;        /* of the loop, or of the test kit while testing; NULL while loading */
    struct policy_report *report; /* where findings go while it is built or tested; else NULL */
    lua_State *L;
    size_t memory, memory_peak; /* bytes, by the allocator */
    struct source_set sources;
    wall_t loaded_at;
    struct handler_list events[EVENT_KINDS];
    struct handler_list identify;
    struct map actions;          /* raw action → struct handler_list * */
    struct route_table *routes;  /* router.c */
    struct every_list *everys;   /* every.c */
    struct log_limits *log_limits; /* api_log.c; freed by everys_free() */
    struct task *running;        /* the task whose coroutine runs right now, else NULL */
    size_t tasks;                /* alive, waiting ones included */
    int loading_file;            /* index of the file whose chunk runs, -1 outside */
    struct hook_stats stats[EVENT_KINDS];
};

/* Valid in every coroutine of the state, loading included. */
struct generation *generation_of(lua_State *L);
/* Raises unless the phase allows effects: "cp:call cannot be used while a policy file loads". */
void generation_require_live(lua_State *L, const char *what);

#endif

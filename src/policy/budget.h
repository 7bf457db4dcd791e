/* The time that one run of a script may take between two waits (POLICY §4), in CPU time.
 *
 * A count hook looks at the thread's CPU clock. Above run_warn_ms one warning is logged; above
 * run_kill_ms the run is over: a task's coroutine yields for good, and where that is not possible
 * (loading, table.sort …) the hook raises, from then on at every instruction, so that no pcall can
 * swallow it. C functions that may be slow without executing instructions report their work
 * (budget_work()), and so does the allocator (budget_poke()). Private to policy/. */
#ifndef POLICY_BUDGET_H
#define POLICY_BUDGET_H

#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct generation;

enum budget_kind {
    BUDGET_RUN, /* a handler between two waits: run_warn_ms, run_kill_ms */
    BUDGET_LOAD /* a file's chunk, or anything while tests run: load_file_ms, load_total_ms */
};

struct budget {
    lua_State *L; /* the coroutine that runs under it; NULL: none runs */
    enum budget_kind kind;
    int64_t start_us; /* CPU time; 0 = nobody has looked yet */
    int64_t last_us;
    int64_t warn_us, kill_us; /* from the start; warn_us 0 = never */
    int64_t limit_ms;         /* for the message */
    uint64_t work;            /* reported since the clock was looked at */
    int period;               /* instructions until the hook looks again */
    bool warned, expired;
};

/* Arms the hook on `L` with a fresh budget. Returns the one that was running, for budget_end():
 * runs may nest while tests run. */
struct budget budget_begin(struct generation *generation, lua_State *L, enum budget_kind kind);
void budget_end(struct generation *generation, const struct budget *outer);
/* "ran for more than 100 ms without waiting and was stopped" */
void budget_message(const struct budget *budget, char *out, size_t size);
/* A C function is about to do `steps` more steps of about a quarter of a nanosecond each. May
 * raise. */
void budget_work(lua_State *L, uint64_t steps);
/* The hook will look at the next instruction. Never raises: the allocator calls it. */
void budget_poke(struct generation *generation);

#endif

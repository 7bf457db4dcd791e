/* What went wrong in a script: where, what, how often (POLICY §5).
 *
 * One log line per error (at most one a second for the same one; the count says how many), the
 * traceback once a minute a place, and the last 100 distinct ones for GET /policies/errors.
 * Private to policy/. */
#ifndef POLICY_ERRORS_H
#define POLICY_ERRORS_H

#include "policy/generation.h"

/* File and line of the innermost policy function on the stack of `L`; unchanged if there is none.
 */
void error_place(lua_State *L, struct policy_error *out);
/* Pushes a message handler that calls error_place() with `out`, where the error is raised. */
void error_push_handler(lua_State *L, struct policy_error *out);
/* The error value on top of `L` as text, without its position; a position in it replaces the one in
 * `out`, because error(text, 2) means the caller's line. Values with __tostring are asked for it,
 * under the budget. Leaves the stack of `L` as it was. */
void error_text(struct generation *generation, lua_State *L, struct policy_error *out);

/* What a script says may be any bytes: those that are no UTF-8 become `?`, in place. */
void error_clean(char *text);
/* `10-authorize.lua:14: text`, cut to fit. */
void error_print(const struct policy_error *what, char *out, size_t size);

enum { ERRORS_KEPT = 100 };

struct error_entry {
    struct policy_error what;
    char event[64], cp[64], example[160];
    int64_t generation;
    uint64_t count;
    wall_t first, last;
    mono_t logged, traced; /* when the log last got it, and its traceback */
    char *traceback;       /* the newest, frames separated by " |"; NULL if there was none */
};

struct error_log { /* a policy's; the generations share it */
    struct error_entry *entries;
    size_t count;
    uint64_t total;
};

struct error_event {
    const char *event, *cp, *example; /* the last two may be NULL */
};
/* Nothing while tests run: they look at verdicts. `stack` (may be NULL) still has the frames. */
void errors_record(struct generation *generation, const struct policy_error *what,
                   const struct error_event *event, lua_State *stack);
void errors_clear(struct error_log *log);

#endif

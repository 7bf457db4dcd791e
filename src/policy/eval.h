/* Eval: one event that did not happen, on policies that run dry: what would they answer and do?
 *
 * The generation is built anew, from the sources of the current one or from a folder, and thrown
 * away: neither its Lua variables nor anything else of the live ones is touched. The event refers
 * to charge points and open transactions as they are. Start reading: eval_parse.c for the body,
 * eval.c for the run. Private to policy/. Loop thread. */
#ifndef POLICY_EVAL_H
#define POLICY_EVAL_H

#include "policy/dry.h"
#include "policy/reload.h"

struct eval_request { /* texts live as long as the body that it was read from */
    struct event event;
    const char *dir;     /* NULL: the policies that run */
    const char *warning; /* the event is possible, but not one that we know; or NULL */
};

struct eval_problem {
    const char *pointer; /* JSON pointer into the body, "" = all of it */
    struct reason text;
};

/* Reads {"event":…, …}. False: the problem. */
bool eval_parse(struct station *st, const struct json *body, struct arena *arena,
                struct eval_request *out, struct eval_problem *problem);

/* `done` exactly once, maybe before this returns, with {outcome, answer, …, effects: […]} or, when
 * the policies could not be built, with the report. The body's arena is taken over. */
typedef void (*eval_done)(void *ctx, const struct json *result,
                          const struct policy_report *refused);
void eval_run(struct policy *policy, const struct eval_request *request, struct arena *arena_owned,
              eval_done done, void *ctx);
/* Ends those that are under way; their `done` is told that they were refused. */
void eval_close(struct policy *policy);

#endif

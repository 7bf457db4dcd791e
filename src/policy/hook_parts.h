/* One event on its way through the handlers. Private to hooks.c, hook_args.c and hook_answer.c. */
#ifndef POLICY_HOOK_PARTS_H
#define POLICY_HOOK_PARTS_H

#include <lauxlib.h>

#include "policy/build.h"
#include "policy/errors.h"

enum { HOOK_ARGS_MAX = 4 };

struct asking {
    struct generation *generation;
    enum event_kind kind;
    const struct hook_row *row;
    const struct handler_list *list;
    size_t at; /* the handler whose turn it is */
    int nargs;
    int kept; /* registry: the arguments, for the handlers after one that fails; or LUA_NOREF */
    bool observe;
    bool failed; /* of a notification: the verdict tells of the first handler that failed */
    int64_t run_us;
    uint32_t waits;
    struct verdict verdict;
    struct arena arena;      /* word, extra, why, file */
    struct effects *effects; /* NULL: nobody wants to know */
    event_done done;
    void *ctx;
    char action[64], cp[64];
    char example[160];
};

/* Pushes the arguments of the event's handlers; returns how many. The memory limit is lifted. */
int hook_push_args(lua_State *L, const struct event *event);
/* idTags shortened, for GET /policies/errors. */
void hook_example(const struct event *event, char *out, size_t size);
/* Judges what the handler whose turn it is returned: `count` values from `first`. True: it is the
 * answer, and is in asking->verdict. Raises, with the handler's place, for anything that is neither
 * an answer nor "no opinion": an error is never "no opinion" (POLICY §4). */
bool hook_judge(lua_State *L, struct asking *asking, int first, int count);
/* The event is answered with a word or a payload; false: handlers are only told. */
bool hook_wants_answer(const struct asking *asking);
const struct hook_row *hook_row_of(enum event_kind kind);
/* "on.authorize", "on.DataTransfer" */
const char *hook_name(lua_State *L, const struct asking *asking);

#endif

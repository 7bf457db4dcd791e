/* Canary: a candidate folder is live for some charge points first.
 *
 * The chosen ones are named, or are a percentage by a hash of the identity (the same ones at any
 * time and on any server). Their events go to the candidate, with all effects; everything that has
 * no charge point (routes, `every`, on.identify, sites) stays with the current policies. When too
 * many of its handlers fail it is rolled back by itself, loudly, and stays away. Promoting makes it
 * the current generation. Private to policy/. Loop thread. */
#ifndef POLICY_CANARY_H
#define POLICY_CANARY_H

#include "policy/reload.h"

struct canary_order { /* whom, and when it is rolled back */
    char *dir;
    struct map chargepoints; /* identities, no case; values are not NULL */
    int64_t percent;         /* 0 to 100; beside those that are named */
    int64_t errors_min;      /* at least so many handlers failed … */
    int64_t error_percent;   /* … and more than this part of all */
};
struct canary_order *canary_order_new(void); /* with the defaults: 5 errors, 5 percent */
void canary_order_free(struct canary_order *order);

/* Takes both over. A canary that is there already is ended. */
void canary_start(struct policy *policy, struct generation *built,
                  struct canary_order *order_owned);
/* The generation for that charge point (may be NULL): the candidate, or the current one. */
struct generation *canary_choose(const struct policy *policy, const char *cp);
bool canary_listens(const struct policy *policy, enum event_kind kind, const char *action);
/* A handler of that generation failed. */
void canary_failed(struct policy *policy, struct generation *generation);
enum canary_act { CANARY_PROMOTE, CANARY_STOP, CANARY_ROLLBACK };
/* Done at the next turn of the loop; then `done` is told. False: there is none, or it is ending. */
bool canary_end(struct policy *policy, enum canary_act act, void (*done)(void *ctx), void *ctx);
/* {running, dir, generation, …, last: how the one before ended} */
struct json *canary_json(const struct policy *policy, struct arena *arena);
void canary_close(struct policy *policy);
/* For GET /metrics: handlers that ran and failed on the one that runs, and all rollbacks. */
void canary_figures(const struct policy *policy, uint64_t *runs, uint64_t *failures,
                    uint64_t *rollbacks);

#endif

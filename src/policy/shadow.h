/* Shadow: a candidate folder runs beside the live policies, dry, and is compared with them.
 *
 * It gets the same events after the live answer went out (before, where nobody waits for one: then
 * the objects are still there), on a generation of its own (dry.h), so a candidate that crashes,
 * loops or eats memory changes nothing. Its vars and store are a fork: what live handlers write to
 * events that it sees too, it writes itself. It may use a share of the time of the loop; beyond
 * that events are skipped, and counted. Differences are counted by event and charger and the last
 * ones listed (shadow_compare.c). Private to policy/. Loop thread. */
#ifndef POLICY_SHADOW_H
#define POLICY_SHADOW_H

#include "policy/dry.h"
#include "policy/reload.h"

/* Takes the built generation over, in place of the shadow before. */
void shadow_start(struct policy *policy, struct generation *built, const char *dir);
/* Builds the folder of the configuration, and lets it watch: after each load. */
void shadow_follow(struct policy *policy);
/* False: there was none. */
bool shadow_stop(struct policy *policy);
/* Asked when no live handler listens: without credit it does not either, so that an event which is
 * skipped is not even made. */
bool shadow_listens(const struct policy *policy, enum event_kind kind, const char *action);
/* Runs the event on the live generation, answers, and then runs it on the candidate. */
void shadow_event(struct policy *policy, struct generation *live, const struct event *event,
                  event_done done, void *ctx);
/* A live generation is about to write: in a handler whose event the candidate sees too (`seen`), or
 * elsewhere (a route, a timer), which the candidate sees as it is. */
void shadow_saw_write(const struct generation *live, const struct dry_value *value, bool seen);
/* {running, dir, generation, state, figures, counts: […], differences: […], errors: […]}, the
 * newest first; {running: false} if there is none. */
struct json *shadow_json(const struct policy *policy, struct arena *arena);
/* For GET /metrics: false if there is none. */
struct shadow_figures {
    uint64_t compared, skipped, incomparable, failed, differing;
    double seconds; /* spent on the candidate */
};
bool shadow_figures(const struct policy *policy, struct shadow_figures *out);

#endif

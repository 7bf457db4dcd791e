/* Generations that are live: swap, drain, rollback on probation (POLICY §3.5-3.11).
 *
 * A swap is one pointer. What ran keeps its generation until its last task ended; then it is closed
 * off the loop. Nothing here is called from inside a task: jobs arrive by the poster, the rest by
 * timers. */
#include "policy/reload.h"

#include "base/log.h"
#include "base/mem.h"
#include "policy/quirk.h"
#include "policy/site.h"
#include "policy/canary.h"
#include "policy/source.h"
#include "policy/task_parts.h"
#include "policy/webhooks.h"

enum { SMALL_BYTES = 256 << 10, PROBATION_FAILURES = 5 };

/* ---- the end of a generation ---- */

static void retire(struct policy *policy, struct generation *generation)
{
    timer_stop(policy->timers, &generation->drain_timer);
    for (size_t i = 0; i < policy->draining_count; i++) {
        if (policy->draining[i] != generation)
            continue;
        policy->draining_count--;
        for (; i < policy->draining_count; i++)
            policy->draining[i] = policy->draining[i + 1];
    }
    LOG(LOG_INFO, "policies retired", L_INT("generation", generation->number));
    generation->policy = NULL;
    generation->timers = NULL;
    if (generation->memory <= SMALL_BYTES)
        generation_free(generation);
    else
        jobs_close_generation(policy, generation);
}

void reload_discard(struct policy *policy, struct generation *generation)
{
    tasks_cancel(generation, "cancelled: it was only tried, and that is over");
    generation->policy = NULL;
    generation->timers = NULL;
    generation->dry = NULL;
    generation->errors = NULL;
    if (generation->memory <= SMALL_BYTES || policy->closing)
        generation_free(generation);
    else
        jobs_close_generation(policy, generation);
}

static void cancel_rest(struct policy *policy, struct generation *generation, const char *why)
{
    tasks_cancel_loose(generation, why);
    if (generation->tasks == 0)
        retire(policy, generation);
}

static void on_drain(struct timer *timer)
{
    struct generation *generation = CONTAINER_OF(timer, struct generation, drain_timer);
    cancel_rest(generation->policy, generation,
                "cancelled: policies were reloaded and its time to end is up");
}

void policy_drained(struct generation *generation)
{
    if (generation->policy && !generation->policy->closing)
        timer_start(generation->policy->timers, &generation->drain_timer, 0);
}

/* Rule 3.8: at most two old generations live, but for handlers that wait for a build of their own:
 * these come to an end by it, whatever was loaded before. */
void reload_drain(struct policy *policy, struct generation *generation)
{
    everys_stop(generation, policy->timers); /* 3.10 */
    generation->phase = PHASE_DRAINING;
    if (generation->tasks == 0) {
        retire(policy, generation);
        return;
    }
    static const char again[] = "cancelled: policies were reloaded again and again";
    if (policy->draining_count >= DRAINING_MAX)
        cancel_rest(policy, policy->draining[policy->draining_count - DRAINING_MAX], again);
    if (policy->draining_count == DRAINING_ROOM) {
        tasks_cancel(policy->draining[0], again);
        retire(policy, policy->draining[0]);
    }
    policy->draining[policy->draining_count++] = generation;
    generation->drain_timer.fn = on_drain;
    timer_start(policy->timers, &generation->drain_timer, policy->settings.drain_ms);
}

/* ---- history and probation (3.11) ---- */

static void forget_oldest(struct policy *policy)
{
    source_set_clear(&policy->history[0]);
    policy->history_count--;
    for (size_t i = 0; i < policy->history_count; i++)
        policy->history[i] = policy->history[i + 1];
}

/* Before `built` replaces the current one. A reload of the same files is nothing to go back to. */
static void keep_history(struct policy *policy, const struct generation *built, bool rollback)
{
    if (rollback) {
        policy->history_count--;
        source_set_clear(&policy->history[policy->history_count]);
    } else if (policy->current && !source_set_same(&policy->current->sources, &built->sources)) {
        if (policy->history_count == HISTORY_MAX)
            forget_oldest(policy);
        source_set_copy(&policy->history[policy->history_count++], &policy->current->sources);
    }
}

static void on_probation_end(struct timer *timer)
{
    struct policy *policy = CONTAINER_OF(timer, struct policy, probation_end);
    policy->on_probation = false;
}

static void on_probation_failed(struct timer *timer)
{
    struct policy *policy = CONTAINER_OF(timer, struct policy, probation_failed);
    if (policy->current)
        LOG(LOG_ERROR, "policies fail right after their reload: rolling back to the ones before",
            L_INT("generation", policy->current->number),
            L_INT("failed", policy->current->failures), L_INT("of", policy->current->runs));
    jobs_request(policy, JOB_ROLLBACK, NULL, NULL, NULL);
}

static void start_probation(struct policy *policy, bool rollback)
{
    timer_stop(policy->timers, &policy->probation_end);
    timer_stop(policy->timers, &policy->probation_failed);
    policy->on_probation =
        !rollback && policy->settings.probation_ms > 0 && policy->history_count > 0;
    if (!policy->on_probation)
        return;
    policy->probation_end.fn = on_probation_end;
    policy->probation_failed.fn = on_probation_failed;
    timer_start(policy->timers, &policy->probation_end, policy->settings.probation_ms);
}

/* More than five failed and they are over half: by itself, once. */
void policy_ended(struct generation *generation, bool failed)
{
    struct policy *policy = generation->policy;
    if (failed && policy)
        canary_failed(policy, generation);
    if (!failed || !policy || !policy->on_probation || generation != policy->current)
        return;
    if (generation->failures <= PROBATION_FAILURES || generation->failures * 2 <= generation->runs)
        return;
    policy->on_probation = false;
    timer_stop(policy->timers, &policy->probation_end);
    timer_start(policy->timers, &policy->probation_failed, 0);
}

/* ---- the swap ---- */

void reload_adopt(struct policy *policy, struct generation *built)
{
    built->policy = policy;
    built->station = policy->station;
    built->timers = policy->timers;
    built->scheduler = &policy->scheduler;
    built->stop = NULL;
    built->phase = PHASE_LIVE;
    built->loaded_at = wall_now();
}

void reload_adopt_dry(struct policy *policy, struct generation *built, struct dry *dry,
                      struct error_log *errors)
{
    reload_adopt(policy, built);
    built->scheduler = &built->own_scheduler;
    built->dry = dry;
    built->errors = errors;
}

void reload_swap(struct policy *policy, struct generation *built, bool rollback)
{
    struct generation *old = policy->current;
    keep_history(policy, built, rollback);
    reload_adopt(policy, built);
    if (policy->last_number < built->number)
        policy->last_number = built->number;
    policy->current = built; /* this is the swap */
    everys_start(built, policy->timers);
    quirks_start(built);
    sites_start(built);
    webhooks_swapped(policy);
    if (old)
        reload_drain(policy, old);
    start_probation(policy, rollback);
}

void reload_close(struct policy *policy)
{
    struct generation *all[DRAINING_ROOM + 1];
    size_t count = 0;
    for (size_t i = 0; i < policy->draining_count; i++)
        all[count++] = policy->draining[i];
    if (policy->current)
        all[count++] = policy->current;
    policy->current = NULL; /* what the ends of tasks cause finds nothing loaded */
    policy->draining_count = 0;
    timer_stop(policy->timers, &policy->probation_end);
    timer_stop(policy->timers, &policy->probation_failed);
    for (size_t i = 0; i < count; i++) {
        everys_stop(all[i], policy->timers);
        tasks_cancel(all[i], "cancelled: the server stops");
    }
    for (size_t i = 0; i < count; i++) {
        timer_stop(policy->timers, &all[i]->drain_timer);
        generation_free(all[i]);
    }
    while (policy->history_count > 0)
        source_set_clear(&policy->history[--policy->history_count]);
}

/* See shadow.h: the life of a shadow, and the way of an event through both generations.
 *
 * shadow_event() → the live handlers → on_live() → the answer goes out → run_queue() → the
 * candidate's handlers → on_candidate() → comparison_add(). The share: credit grows with real time
 * and is spent by whatever the candidate costs; without credit the event is skipped from the start,
 * so a skipped event costs nothing. What the candidate had written about a charger whose event it
 * missed is forgotten: it sees what is stored again. */
#include "policy/shadow.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "policy/shadow_parts.h"
#include "policy/status.h"
#include "policy/task_parts.h"

enum {
    SHARE_PERCENT = 10,     /* of real time; the promise is 25, events that it wants cost too */
    CREDIT_MAX_US = 200000, /* saved up while little happens: then nothing is skipped */
    OVERRUNS_MAX = 20,      /* then it is not run any more: it loops */
    IN_FLIGHT_MAX = 1000
};

struct shadow {
    uint64_t serial;
    char *dir;
    struct generation *generation;
    struct dry *dry;
    struct error_log errors;
    struct comparison comparison;
    struct watch *queue, *queue_last;
    size_t in_flight; /* candidate's handlers that wait */
    int64_t credit_us, credited_at_us, spent_us;
    uint64_t events, skipped, overruns;
    wall_t since;
    const char *stopped; /* why; NULL: it watches */
    bool closing;
};

/* ---- one event ---- */

static void watch_free(struct watch *watch)
{
    effects_clear(&watch->live_effects);
    effects_clear(&watch->candidate_effects);
    arena_clear(&watch->arena);
    xfree(watch);
}

/* From here on the event may go. */
static void watch_copy(struct watch *watch)
{
    const struct event *from = watch->event;
    struct event *to = &watch->copy;
    if (from == to)
        return;
    *to = *from;
    to->cp = arena_strdup(&watch->arena, from->cp);
    to->id_tag = arena_strdup(&watch->arena, from->id_tag);
    to->action = arena_strdup(&watch->arena, from->action);
    to->purpose = arena_strdup(&watch->arena, from->purpose);
    to->status = arena_strdup(&watch->arena, from->status);
    to->previous = arena_strdup(&watch->arena, from->previous);
    to->site = arena_strdup(&watch->arena, from->site);
    to->data = from->data ? json_copy(&watch->arena, from->data) : NULL;
    watch->event = to;
}

/* A charger waits for the answer; of the others only the lane does, and the answer is out. */
static bool is_answered(const struct event *event)
{
    return event->kind == EVENT_AUTHORIZE || event->kind == EVENT_BOOT ||
           (event->kind == EVENT_ACTION && !event->observe);
}

/* ---- the share ---- */

static bool has_credit(struct shadow *shadow)
{
    int64_t now = stopwatch_us();
    int64_t parts = (now - shadow->credited_at_us) / 100; /* what is left over counts next time */
    shadow->credit_us += parts * SHARE_PERCENT;
    shadow->credited_at_us += parts * 100;
    if (shadow->credit_us > CREDIT_MAX_US)
        shadow->credit_us = CREDIT_MAX_US;
    return shadow->credit_us > 0;
}

/* The share is one of real time; whether it loops is told by CPU time, as its budget is. */
static void spend(struct shadow *shadow, int64_t since_us, int64_t since_cpu_us)
{
    int64_t us = stopwatch_us() - since_us;
    shadow->credit_us -= us;
    shadow->spent_us += us;
    if (shadow->stopped ||
        cpu_now_us() - since_cpu_us < shadow->generation->settings->run_kill_ms * 1000)
        return;
    if (++shadow->overruns < OVERRUNS_MAX)
        return;
    shadow->stopped = "its handlers used up their time again and again";
    LOG(LOG_WARN, "shadow stopped: the candidate's handlers use up their time",
        L_STR("folder", shadow->dir), L_INT("times", shadow->overruns));
}

static void forget(struct shadow *shadow, const struct event *event)
{
    char id[24];
    snprintf(id, sizeof(id), "%" PRId64, event->transaction_id);
    if (event->cp)
        dry_drop(shadow->dry, "cp.vars", event->cp, NULL);
    if (event->transaction_id != 0)
        dry_drop(shadow->dry, "tx.vars", id, NULL);
}

static void skip(struct shadow *shadow, const struct event *event)
{
    shadow->skipped++;
    forget(shadow, event);
}

/* ---- the candidate ---- */

static void on_candidate(void *ctx, const struct verdict *verdict)
{
    struct watch *watch = ctx;
    struct shadow *shadow = watch->shadow;
    if (watch->candidate_over)
        *watch->candidate_over = true;
    else
        shadow->in_flight--;
    if (!shadow->closing) {
        outcome_take(&watch->candidate, &watch->arena, verdict);
        comparison_add(&shadow->comparison, watch);
        if (watch->event->kind == EVENT_STOP)
            forget(shadow, watch->event);
    }
    watch_free(watch);
}

static void run_candidate(struct shadow *shadow, struct watch *watch)
{
    int64_t since_us = stopwatch_us(), since_cpu_us = cpu_now_us();
    bool over = false;
    watch->shadow = shadow;
    watch->candidate_over = &over;
    hooks_event_noted(shadow->generation, watch->event, &watch->candidate_effects, on_candidate,
                      watch);
    if (!over) { /* it waits */
        watch->candidate_over = NULL;
        watch_copy(watch);
        shadow->in_flight++;
    }
    spend(shadow, since_us, since_cpu_us);
}

static void run_queue(struct policy *policy)
{
    struct shadow *shadow;
    while ((shadow = policy->shadow) != NULL && shadow->queue) {
        struct watch *watch = shadow->queue;
        shadow->queue = watch->next;
        if (!shadow->queue)
            shadow->queue_last = NULL;
        if (!shadow->stopped && shadow->in_flight < IN_FLIGHT_MAX && has_credit(shadow)) {
            run_candidate(shadow, watch);
        } else {
            skip(shadow, watch->event);
            watch_free(watch);
        }
    }
}

static void append(struct shadow *shadow, struct watch *watch)
{
    if (shadow->queue_last)
        shadow->queue_last->next = watch;
    else
        shadow->queue = watch;
    shadow->queue_last = watch;
}

/* ---- the live ones ---- */

static void on_live(void *ctx, const struct verdict *verdict)
{
    struct watch *watch = ctx;
    struct policy *policy = watch->policy;
    struct shadow *shadow = policy->shadow;
    event_done done = watch->done;
    void *done_ctx = watch->ctx;
    if (watch->over)
        *watch->over = true;
    if (!shadow || shadow->serial != watch->serial) {
        watch_free(watch);
        done(done_ctx, verdict);
        return;
    }
    bool answered = is_answered(watch->event);
    watch->at = wall_now(); /* as the record of the decision says */
    outcome_take(&watch->live, &watch->arena, verdict);
    if (answered)
        watch_copy(watch);
    append(shadow, watch);
    if (!answered)
        run_queue(policy);
    done(done_ctx, verdict);
    if (answered)
        run_queue(policy);
}

void shadow_event(struct policy *policy, struct generation *live, const struct event *event,
                  event_done done, void *ctx)
{
    struct shadow *shadow = policy->shadow;
    if (shadow->stopped || (!hooks_listens(live, event->kind, event->action) &&
                            !hooks_listens(shadow->generation, event->kind, event->action))) {
        hooks_event(live, event, done, ctx);
        return;
    }
    shadow->events++;
    if (!has_credit(shadow)) {
        skip(shadow, event);
        hooks_event(live, event, done, ctx);
        return;
    }
    bool over = false;
    struct watch *watch = xcalloc(1, sizeof(*watch));
    watch->policy = policy;
    watch->serial = shadow->serial;
    watch->event = event;
    watch->over = &over;
    watch->done = done;
    watch->ctx = ctx;
    hooks_event_noted(live, event, &watch->live_effects, on_live, watch);
    if (over)
        return;
    watch->over = NULL;
    watch_copy(watch);
}

void shadow_saw_write(const struct generation *live, const struct dry_value *value, bool seen)
{
    struct shadow *shadow = live->policy ? live->policy->shadow : NULL;
    if (!shadow || shadow->stopped)
        return;
    if (seen)
        dry_keep(shadow->dry, value);
    else
        dry_drop(shadow->dry, value->place, value->subject, value->key);
}

bool shadow_listens(const struct policy *policy, enum event_kind kind, const char *action)
{
    struct shadow *shadow = policy->shadow;
    if (!shadow || shadow->stopped || !hooks_listens(shadow->generation, kind, action))
        return false;
    if (has_credit(shadow))
        return true;
    shadow->events++;
    shadow->skipped++;
    return false;
}

/* ---- life ---- */

void shadow_start(struct policy *policy, struct generation *built, const char *dir)
{
    static uint64_t last_serial;
    shadow_stop(policy);
    struct shadow *shadow = xcalloc(1, sizeof(*shadow));
    shadow->serial = ++last_serial;
    shadow->dir = xstrdup(dir);
    shadow->dry = dry_new();
    shadow->generation = built;
    shadow->since = wall_now();
    shadow->credited_at_us = stopwatch_us();
    shadow->credit_us = CREDIT_MAX_US;
    reload_adopt_dry(policy, built, shadow->dry, &shadow->errors);
    policy->shadow = shadow;
    LOG(LOG_INFO, "shadow watches: a candidate runs beside the policies, without effect",
        L_STR("folder", dir), L_INT("generation", built->number));
}

static void on_followed(void *ctx, struct generation *built, const struct policy_report *report)
{
    struct policy *policy = ctx;
    if (built)
        shadow_start(policy, built, policy->settings.shadow_dir);
    else if (!policy->closing)
        LOG(LOG_ERROR, "shadow refused: the folder of policies.shadow_dir has problems",
            L_STR("folder", policy->settings.shadow_dir), L_INT("errors", report->error_count));
}

void shadow_follow(struct policy *policy)
{
    const struct candidate_order order = {
        .dir = policy->settings.shadow_dir, .dry = true, .take = on_followed, .ctx = policy};
    jobs_candidate(policy, &order);
}

bool shadow_stop(struct policy *policy)
{
    struct shadow *shadow = policy->shadow;
    if (!shadow)
        return false;
    policy->shadow = NULL;
    shadow->closing = true;
    while (shadow->queue) {
        struct watch *watch = shadow->queue;
        shadow->queue = watch->next;
        watch_free(watch);
    }
    reload_discard(policy, shadow->generation); /* what waits ends in on_candidate() */
    dry_free(shadow->dry);
    errors_clear(&shadow->errors);
    comparison_clear(&shadow->comparison);
    LOG(LOG_INFO, "shadow ended", L_STR("folder", shadow->dir));
    xfree(shadow->dir);
    xfree(shadow);
    return true;
}

/* ---- telling ---- */

struct json *shadow_json(const struct policy *policy, struct arena *arena)
{
    const struct shadow *shadow = policy->shadow;
    struct json *out = json_new(arena, JSON_OBJECT);
    json_add(arena, out, "running", json_new_bool(arena, shadow != NULL));
    if (!shadow)
        return out;
    char since[TIMETEXT_SIZE];
    timetext_millis(shadow->since, since);
    int64_t real_us = (wall_now() - shadow->since) * 1000;
    json_adds(arena, out, "state", shadow->stopped ? "stopped" : "watching");
    json_adds(arena, out, "why", shadow->stopped);
    json_adds(arena, out, "dir", shadow->dir);
    json_addi(arena, out, "generation", shadow->generation->number);
    json_adds(arena, out, "since", since);
    json_addi(arena, out, "events", (int64_t)shadow->events);
    json_addi(arena, out, "skipped", (int64_t)shadow->skipped);
    json_addi(arena, out, "runMs", shadow->spent_us / 1000);
    json_add(arena, out, "share",
             json_new_double(arena, real_us > 0 ? (double)shadow->spent_us / (double)real_us : 0));
    json_addi(arena, out, "memory", (int64_t)shadow->generation->memory);
    json_addi(arena, out, "overlayBytes", (int64_t)dry_bytes(shadow->dry));
    json_addi(arena, out, "overlayOverflow", (int64_t)dry_overflow(shadow->dry));
    json_add(arena, out, "hooks", status_hooks(shadow->generation, arena));
    comparison_json(&shadow->comparison, arena, out);
    json_add(arena, out, "errors", status_error_items(&shadow->errors, arena));
    return out;
}

bool shadow_figures(const struct policy *policy, struct shadow_figures *out)
{
    const struct shadow *shadow = policy->shadow;
    if (!shadow)
        return false;
    const struct comparison *comparison = &shadow->comparison;
    *out = (struct shadow_figures){.compared = comparison->compared,
                                   .skipped = shadow->skipped,
                                   .incomparable = comparison->incomparable,
                                   .failed = comparison->failed,
                                   .differing = comparison->differing,
                                   .seconds = (double)shadow->spent_us / 1e6};
    return true;
}

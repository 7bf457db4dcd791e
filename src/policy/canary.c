/* See canary.h. What ends a canary happens between two turns of the loop, by a timer, because those
 * who want it are inside a handler: of the candidate (it failed) or of a route. */
#include "policy/canary.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "policy/status.h"
#include "policy/task_parts.h"

enum { ERRORS_MIN = 5, ERROR_PERCENT = 5 };

struct ending { /* how the last one ended */
    const char *how;
    int64_t generation;
    uint64_t runs, failures;
    wall_t at;
    char dir[256];
};

struct canary {
    struct policy *policy;
    struct generation *generation; /* NULL: none runs */
    struct canary_order *order;
    wall_t since;
    struct timer timer;
    enum canary_act act;
    void (*done)(void *ctx); /* who wanted the end, or NULL */
    void *ctx;
    struct ending last;
    uint64_t rollbacks;
};

/* ---- whom ---- */

struct canary_order *canary_order_new(void)
{
    struct canary_order *order = xcalloc(1, sizeof(*order));
    order->chargepoints.ignore_case = true;
    order->errors_min = ERRORS_MIN;
    order->error_percent = ERROR_PERCENT;
    return order;
}

void canary_order_free(struct canary_order *order)
{
    if (!order)
        return;
    map_clear(&order->chargepoints);
    xfree(order->dir);
    xfree(order);
}

/* 0 to 99, by FNV-1a over the identity in upper case: not seeded, so that it is always the same. */
static int64_t bucket(const char *cp)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *at = cp; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c >= 'a' && c <= 'z')
            c = (unsigned char)(c - 'a' + 'A');
        hash = (hash ^ c) * 1099511628211u;
    }
    hash ^= hash >> 32; /* the low bits alone follow the last letters */
    return (int64_t)(hash % 100);
}

static struct generation *candidate(const struct policy *policy)
{
    return policy->canary ? policy->canary->generation : NULL;
}

struct generation *canary_choose(const struct policy *policy, const char *cp)
{
    struct generation *generation = candidate(policy);
    if (!generation || !cp)
        return policy->current;
    const struct canary_order *order = policy->canary->order;
    bool chosen = map_gets(&order->chargepoints, cp) || bucket(cp) < order->percent;
    return chosen ? generation : policy->current;
}

bool canary_listens(const struct policy *policy, enum event_kind kind, const char *action)
{
    const struct generation *generation = candidate(policy);
    return generation && hooks_listens(generation, kind, action);
}

/* ---- the end ---- */

static void note_end(struct canary *canary, const char *how)
{
    const struct generation *generation = canary->generation;
    canary->last = (struct ending){.how = how,
                                   .generation = generation->number,
                                   .runs = generation->runs,
                                   .failures = generation->failures,
                                   .at = wall_now()};
    text_copy(canary->last.dir, sizeof(canary->last.dir), span_of(canary->order->dir));
}

static void roll_back(struct canary *canary)
{
    const struct generation *generation = canary->generation;
    canary->rollbacks++;
    LOG(LOG_ERROR, "canary fails: rolled back, its charge points have the current policies again",
        L_STR("folder", canary->order->dir), L_INT("generation", generation->number),
        L_INT("failed", generation->failures), L_INT("of", generation->runs));
    note_end(canary, "rolled back");
}

static void end(struct canary *canary)
{
    struct policy *policy = canary->policy;
    struct generation *generation = canary->generation;
    if (canary->act == CANARY_PROMOTE) {
        note_end(canary, "promoted");
        canary->generation = NULL;
        generation->runs = generation->failures = 0; /* probation begins anew */
        reload_swap(policy, generation, false);
        policy->reloads++;
        policy->files_differ = !text_is(canary->order->dir, policy->settings.dir);
        LOG(LOG_INFO, "canary promoted: its policies run for all",
            L_STR("folder", canary->order->dir), L_INT("generation", generation->number));
        if (policy->files_differ)
            LOG(LOG_WARN, "the policies folder is not what runs",
                L_STR("folder", policy->settings.dir));
    } else {
        if (canary->act == CANARY_ROLLBACK)
            roll_back(canary);
        else
            note_end(canary, "stopped");
        canary->generation = NULL;
        reload_drain(policy, generation);
    }
    canary_order_free(canary->order);
    canary->order = NULL;
}

static void on_timer(struct timer *timer)
{
    struct canary *canary = CONTAINER_OF(timer, struct canary, timer);
    void (*done)(void *ctx) = canary->done;
    void *ctx = canary->ctx;
    canary->done = NULL;
    if (canary->generation)
        end(canary);
    if (done)
        done(ctx);
}

bool canary_end(struct policy *policy, enum canary_act act, void (*done)(void *ctx), void *ctx)
{
    struct canary *canary = policy->canary;
    if (!candidate(policy) || timer_running(&canary->timer))
        return false;
    canary->act = act;
    canary->done = done;
    canary->ctx = ctx;
    timer_start(policy->timers, &canary->timer, 0);
    return true;
}

void canary_failed(struct policy *policy, struct generation *generation)
{
    if (generation != candidate(policy))
        return;
    const struct canary_order *order = policy->canary->order;
    if (generation->failures >= (uint64_t)order->errors_min &&
        generation->failures * 100 > generation->runs * (uint64_t)order->error_percent)
        canary_end(policy, CANARY_ROLLBACK, NULL, NULL);
}

/* ---- the beginning ---- */

void canary_start(struct policy *policy, struct generation *built, struct canary_order *order)
{
    struct canary *canary = policy->canary;
    if (!canary) {
        canary = policy->canary = xcalloc(1, sizeof(*canary));
        canary->policy = policy;
        canary->timer.fn = on_timer;
    }
    if (canary->generation) {               /* the caller is a job: no handler runs */
        if (!timer_running(&canary->timer)) /* else its end was asked for already */
            canary->act = CANARY_STOP;
        timer_stop(policy->timers, &canary->timer);
        on_timer(&canary->timer);
    }
    reload_adopt(policy, built);
    canary->generation = built;
    canary->order = order;
    canary->since = wall_now();
    LOG(LOG_WARN, "canary: a candidate is live for some charge points", L_STR("folder", order->dir),
        L_INT("generation", built->number), L_INT("named", order->chargepoints.count),
        L_INT("percent", order->percent));
}

void canary_close(struct policy *policy)
{
    struct canary *canary = policy->canary;
    if (!canary)
        return;
    struct generation *generation = canary->generation;
    timer_stop(policy->timers, &canary->timer);
    policy->canary = NULL;
    if (generation) {
        tasks_cancel(generation, "cancelled: the server stops");
        generation_free(generation);
    }
    canary_order_free(canary->order);
    if (canary->done)
        canary->done(canary->ctx);
    xfree(canary);
}

/* ---- telling ---- */

static void add_time(struct arena *arena, struct json *object, const char *key, wall_t at)
{
    char text[TIMETEXT_SIZE];
    timetext_millis(at, text);
    json_adds(arena, object, key, text);
}

static struct json *last_json(const struct ending *last, struct arena *arena)
{
    struct json *out = json_new(arena, JSON_OBJECT);
    json_adds(arena, out, "outcome", last->how);
    json_adds(arena, out, "dir", last->dir);
    json_addi(arena, out, "generation", last->generation);
    json_addi(arena, out, "runs", (int64_t)last->runs);
    json_addi(arena, out, "errors", (int64_t)last->failures);
    add_time(arena, out, "at", last->at);
    return out;
}

static void add_order(const struct canary_order *order, struct arena *arena, struct json *out)
{
    const struct map_entry *entry;
    size_t at = 0;
    struct json *names = json_new(arena, JSON_ARRAY);
    while ((entry = map_next(&order->chargepoints, &at)) != NULL)
        json_add(arena, names, NULL, json_new_string(arena, span_of(entry->key)));
    json_adds(arena, out, "dir", order->dir);
    json_add(arena, out, "chargepoints", names);
    json_addi(arena, out, "percent", order->percent);
    json_addi(arena, out, "errorsMin", order->errors_min);
    json_addi(arena, out, "errorPercent", order->error_percent);
}

struct json *canary_json(const struct policy *policy, struct arena *arena)
{
    const struct canary *canary = policy->canary;
    const struct generation *generation = candidate(policy);
    struct json *out = json_new(arena, JSON_OBJECT);
    json_add(arena, out, "running", json_new_bool(arena, generation != NULL));
    if (generation) {
        add_order(canary->order, arena, out);
        json_addi(arena, out, "generation", generation->number);
        json_addi(arena, out, "runs", (int64_t)generation->runs);
        json_addi(arena, out, "errors", (int64_t)generation->failures);
        add_time(arena, out, "since", canary->since);
        json_add(arena, out, "hooks", status_hooks(generation, arena));
    }
    json_addi(arena, out, "rollbacks", canary ? (int64_t)canary->rollbacks : 0);
    if (canary && canary->last.how)
        json_add(arena, out, "last", last_json(&canary->last, arena));
    return out;
}

void canary_figures(const struct policy *policy, uint64_t *runs, uint64_t *failures,
                    uint64_t *rollbacks)
{
    const struct generation *generation = candidate(policy);
    *runs = generation ? generation->runs : 0;
    *failures = generation ? generation->failures : 0;
    *rollbacks = policy->canary ? policy->canary->rollbacks : 0;
}

/* See eval.h: build, run, tell, free. The end is told by a timer, because the handler's end is
 * inside of its generation, which is freed then. */
#include "policy/eval.h"

#include "base/log.h"
#include "base/mem.h"
#include "policy/shadow_parts.h"
#include "policy/status.h"
#include "policy/task_parts.h"

enum { EVALS_MAX = 16 };

struct eval {
    struct eval *next;
    struct policy *policy;
    struct eval_request request;
    struct arena arena;
    struct generation *generation; /* NULL: it is being built */
    struct dry *dry;
    struct error_log errors;
    struct effects effects;
    struct outcome outcome;
    int64_t since_us, us;
    bool over;
    struct timer timer;
    eval_done done;
    void *ctx;
};

static void unlink_eval(struct eval *eval)
{
    struct eval **at = &eval->policy->evals;
    while (*at && *at != eval)
        at = &(*at)->next;
    if (*at)
        *at = eval->next;
}

static void eval_free(struct eval *eval)
{
    unlink_eval(eval);
    timer_stop(eval->policy->timers, &eval->timer);
    if (eval->generation)
        reload_discard(eval->policy, eval->generation);
    dry_free(eval->dry);
    errors_clear(&eval->errors);
    effects_clear(&eval->effects);
    arena_clear(&eval->arena);
    xfree(eval);
}

static void tell_refused(struct eval *eval, const char *why)
{
    struct policy_report *report = xcalloc(1, sizeof(*report));
    finding_add(report, "", 0, "%s", why);
    eval_done done = eval->done;
    eval->done = NULL;
    if (done)
        done(eval->ctx, NULL, report);
    xfree(report);
}

/* ---- the result ---- */

/* What a charger would be told if the policies have no opinion, or fail. */
static const char *final_word(const struct eval *eval)
{
    const struct station_settings *settings = station_settings(eval->policy->station);
    if (eval->request.event.kind != EVENT_AUTHORIZE)
        return NULL;
    switch (eval->outcome.kind) {
    case VERDICT_GIVEN:
        return eval->outcome.word;
    case VERDICT_NONE:
        return settings->authorize_default;
    case VERDICT_FAILED:
        return settings->authorize_failed;
    }
    return NULL;
}

static struct json *result_json(struct eval *eval)
{
    struct arena *arena = &eval->arena;
    const struct event *event = &eval->request.event;
    struct json *out = outcome_json(&eval->outcome, arena);
    json_adds(arena, out, "event", event_text(event));
    json_adds(arena, out, "result", final_word(eval));
    json_adds(arena, out, "dir", eval->request.dir);
    json_adds(arena, out, "warning", eval->request.warning);
    json_add(arena, out, "listens",
             json_new_bool(arena, hooks_listens(eval->generation, event->kind, event->action)));
    json_addi(arena, out, "runUs", eval->us);
    json_add(arena, out, "effects", effects_json(&eval->effects, arena, true));
    json_addi(arena, out, "effectCount", (int64_t)eval->effects.count);
    if (eval->errors.count > 0)
        json_add(arena, out, "errors", status_error_items(&eval->errors, arena));
    return out;
}

static void on_timer(struct timer *timer)
{
    struct eval *eval = CONTAINER_OF(timer, struct eval, timer);
    eval_done done = eval->done;
    eval->done = NULL;
    const struct json *result = result_json(eval);
    if (done)
        done(eval->ctx, result, NULL);
    eval_free(eval);
}

/* ---- the run ---- */

static void on_verdict(void *ctx, const struct verdict *verdict)
{
    struct eval *eval = ctx;
    if (!eval->done)
        return; /* it is being closed */
    outcome_take(&eval->outcome, &eval->arena, verdict);
    eval->us = stopwatch_us() - eval->since_us;
    timer_start(eval->policy->timers, &eval->timer, 0);
}

static void on_built(void *ctx, struct generation *built, const struct policy_report *report)
{
    struct eval *eval = ctx;
    if (!built) {
        eval_done done = eval->done;
        eval->done = NULL;
        if (done)
            done(eval->ctx, NULL, report);
        eval_free(eval);
        return;
    }
    eval->generation = built;
    eval->dry = dry_new();
    reload_adopt_dry(eval->policy, built, eval->dry, &eval->errors);
    eval->since_us = stopwatch_us();
    hooks_event_noted(built, &eval->request.event, &eval->effects, on_verdict, eval);
}

void eval_run(struct policy *policy, const struct eval_request *request, struct arena *arena,
              eval_done done, void *ctx)
{
    size_t count = 0;
    for (const struct eval *at = policy->evals; at; at = at->next)
        count++;
    struct eval *eval = xcalloc(1, sizeof(*eval));
    eval->policy = policy;
    eval->request = *request;
    eval->arena = *arena;
    *arena = (struct arena){0};
    eval->timer.fn = on_timer;
    eval->done = done;
    eval->ctx = ctx;
    eval->next = policy->evals;
    policy->evals = eval;
    if (count >= EVALS_MAX || (!request->dir && !policy->current)) {
        tell_refused(eval, count >= EVALS_MAX ? "too many are being tried" : "no policies run");
        eval_free(eval);
        return;
    }
    const struct candidate_order order = {
        .dir = request->dir,
        .sources = policy->current ? &policy->current->sources : NULL,
        .number = request->dir ? policy->last_number + 1 : policy->current->number,
        .dry = true,
        .untested = true,
        .take = on_built,
        .ctx = eval};
    jobs_candidate(policy, &order);
}

void eval_close(struct policy *policy)
{
    struct eval *next;
    for (struct eval *eval = policy->evals; eval; eval = next) {
        next = eval->next;
        if (!eval->generation)
            continue; /* its job tells, and frees it */
        tell_refused(eval, "the server stops");
        eval_free(eval);
    }
}

/* The public functions: each forwards to the current generation or to the jobs. See policy.h. */
#include "policy/policy.h"

#include "base/mem.h"
#include "policy/build_parts.h"
#include "policy/canary.h"
#include "policy/eval.h"
#include "policy/handlers.h"
#include "policy/outside.h"
#include "policy/reload.h"
#include "policy/shadow.h"
#include "policy/webhooks.h"

enum { DRY_KILL_MS = 20 }; /* what is only tried may not hold up the loop for long */

struct policy *policy_new(const struct policy_settings *settings, struct station *station,
                          const struct policy_ports *ports, struct timers *timers,
                          struct poster poster)
{
    struct policy *policy = xcalloc(1, sizeof(*policy));
    policy->settings = *settings;
    policy->settings.dir = xstrdup(settings->dir);
    policy->settings.http_hosts = xstrdup_or_null(settings->http_hosts);
    policy->settings.shadow_dir = xstrdup(settings->shadow_dir ? settings->shadow_dir : "");
    policy->dry_settings = policy->settings;
    policy->dry_settings.run_kill_ms = DRY_KILL_MS;
    if (settings->run_kill_ms < DRY_KILL_MS)
        policy->dry_settings.run_kill_ms = settings->run_kill_ms;
    policy->station = station;
    if (ports)
        policy->ports = *ports;
    policy->timers = timers;
    policy->poster = poster;
    if (station)
        webhooks_open(policy);
    return policy;
}

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    policy->closing = true;
    jobs_stop(policy);
    eval_close(policy);
    shadow_stop(policy);
    canary_close(policy);
    reload_close(policy);
    jobs_stop(policy);
    webhooks_close(policy);
    outside_close(policy);
    errors_clear(&policy->errors);
    xfree((void *)policy->settings.dir);
    xfree((void *)policy->settings.shadow_dir);
    xfree((void *)policy->settings.http_hosts);
    xfree(policy);
}

bool policy_load(struct policy *policy, struct policy_report *report)
{
    struct build_order order = {.settings = &policy->settings,
                                .dir = policy->settings.dir,
                                .number = policy->last_number + 1};
    struct generation *built = build(&order, report);
    jobs_conclude(policy, JOB_RELOAD, built, report);
    return built != NULL;
}

void policy_reload(struct policy *policy, policy_built done, void *ctx)
{
    jobs_request(policy, JOB_RELOAD, NULL, done, ctx);
}

void policy_check(struct policy *policy, const char *dir, policy_built done, void *ctx)
{
    jobs_request(policy, JOB_CHECK, dir, done, ctx);
}

void policy_rollback(struct policy *policy, policy_built done, void *ctx)
{
    jobs_request(policy, JOB_ROLLBACK, NULL, done, ctx);
}

bool policy_check_offline(const struct policy_settings *settings, struct policy_report *report)
{
    struct build_order order = {.settings = settings, .dir = settings->dir, .number = 1};
    struct generation *built = build(&order, report);
    bool ok = built != NULL;
    generation_free(built);
    return ok;
}

void policy_event(struct policy *policy, const struct event *event, event_done done, void *ctx)
{
    struct generation *generation = canary_choose(policy, event->cp);
    if (generation && policy->shadow && generation == policy->current)
        shadow_event(policy, generation, event, done, ctx);
    else if (generation)
        hooks_event(generation, event, done, ctx);
    else
        done(ctx, &(struct verdict){.kind = VERDICT_NONE});
}

bool policy_listens(const struct policy *policy, enum event_kind kind, const char *action)
{
    return policy->current &&
           (hooks_listens(policy->current, kind, action) || canary_listens(policy, kind, action) ||
            shadow_listens(policy, kind, action));
}

enum verdict_kind policy_identify(struct policy *policy, const char *path,
                                  const struct name_value *headers, size_t header_count,
                                  char identity[IDENTITY_MAX + 1])
{
    identity[0] = '\0';
    if (!policy->current)
        return VERDICT_NONE;
    return identify_run(policy->current, path, headers, header_count, identity);
}

void policy_request(struct policy *policy, const struct request *request, respond_fn respond,
                    void *ctx)
{
    static const char nothing[] = "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
                                  "\"status\":503,\"detail\":\"no policies are loaded\"}";
    if (policy->current) {
        routes_handle(policy->current, request, respond, ctx);
        return;
    }
    if (request->upload && policy->ports.files)
        policy->ports.files->discard(policy->ports.ctx, request->upload);
    respond(ctx, &(struct response){.status = 503,
                                    .content_type = "application/problem+json",
                                    .body = SPAN(nothing)});
}

bool policy_idle(const struct policy *policy)
{
    return policy->scheduler.tasks == 0 && !policy->running && !policy->queue;
}

const struct policy_ports *generation_ports(const struct generation *generation)
{
    return generation->policy ? &generation->policy->ports : NULL;
}

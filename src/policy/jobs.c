/* Builds on their thread, one at a time (POLICY §3.1, §3.3, §3.6).
 *
 * A job is made on the loop thread, belongs to its own thread while that runs, and comes back by
 * the poster. `handed` settles who has it when the policy is freed meanwhile: whoever sets it
 * first. */
#include <signal.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy/build_parts.h"
#include "policy/reload.h"
#include "policy/shadow.h"

enum { WAITING_MAX = 16 };

struct waiter {
    policy_built done;
    void *ctx;
};

struct build_job {
    struct build_job *next;
    struct policy *policy; /* loop thread; NULL: it was freed */
    enum job_kind kind;
    char *dir;
    struct source_set sources; /* rollback, candidate */
    struct candidate_order candidate;
    struct waiter *waiters;
    size_t waiter_count, waiter_room;
    pthread_t thread;
    struct poster poster;
    const struct policy_settings *settings;
    int64_t number;
    atomic_bool stop, handed;
    struct generation *generation; /* built, or to be closed */
    struct policy_report report;
};

static void job_free(struct build_job *job)
{
    source_set_clear(&job->sources);
    xfree(job->waiters);
    xfree(job->dir);
    xfree(job);
}

static void start_next(struct policy *policy);

/* ---- on the build thread ---- */

static void compare_with_folder(struct build_job *job)
{
    struct source_set now = {0};
    struct policy_report unused = {0};
    source_read(&now, job->settings->dir, &unused);
    job->report.files_differ = !source_set_same(&now, &job->sources);
    source_set_clear(&now);
}

static void work(struct build_job *job)
{
    if (job->kind == JOB_CLOSE) {
        generation_join_thread(job->generation);
        generation_free(job->generation);
        job->generation = NULL;
        return;
    }
    struct build_order order = {.settings = job->settings,
                                .dir = job->dir ? job->dir : job->settings->dir,
                                .sources = job->sources.count > 0 ? &job->sources : NULL,
                                .untested = job->candidate.untested,
                                .number = job->number,
                                .stop = &job->stop};
    job->generation = build(&order, &job->report);
    if (job->kind == JOB_ROLLBACK)
        compare_with_folder(job);
    if (job->kind == JOB_CHECK) {
        generation_free(job->generation);
        job->generation = NULL;
    }
    if (job->generation)
        generation_leave_thread(job->generation);
}

static void on_built(void *arg);

static void *thread_main(void *arg)
{
    struct build_job *job = arg;
    work(job);
    struct poster poster = job->poster;
    if (!atomic_exchange(&job->handed, true))
        poster.post(poster.loop, on_built, job);
    return NULL;
}

/* Signals are the loop thread's. */
static bool start_thread(struct build_job *job)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    bool started = pthread_create(&job->thread, NULL, thread_main, job) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* ---- on the loop thread ---- */

static void log_findings(const struct policy_report *report)
{
    for (size_t i = 0; i < report->kept; i++)
        LOG(LOG_ERROR, "policy finding", L_STR("file", report->errors[i].file),
            L_INT("line", report->errors[i].line), L_STR("error", report->errors[i].message));
}

static void refuse(struct policy *policy, struct policy_report *report)
{
    report->generation = policy->current ? policy->current->number : 0;
    policy->refusals++;
    policy->last_refusal = (struct refusal){.any = true, .at = wall_now(), .report = *report};
    LOG(LOG_ERROR, policy->current ? "policies refused: what runs stays" : "policies refused",
        L_INT("errors", report->error_count), L_INT("generation", report->generation));
    log_findings(report);
}

void jobs_conclude(struct policy *policy, enum job_kind kind, struct generation *built,
                   struct policy_report *report)
{
    report->generation = policy->current ? policy->current->number : 0;
    if (kind == JOB_CHECK)
        return;
    if (!built) {
        refuse(policy, report);
        return;
    }
    bool rollback = kind == JOB_ROLLBACK;
    report->generation = built->number;
    policy->files_differ = rollback && report->files_differ;
    policy->reloads++;
    policy->rollbacks += rollback;
    reload_swap(policy, built, rollback);
    LOG(LOG_INFO, rollback ? "policies rolled back" : "policies loaded",
        L_INT("generation", report->generation), L_INT("files", report->files),
        L_INT("tests", report->tests));
    if (kind == JOB_RELOAD && policy->settings.shadow_dir[0])
        shadow_follow(policy);
    if (policy->files_differ)
        LOG(LOG_WARN, "the policies folder is not what runs",
            L_STR("folder", policy->settings.dir));
}

static void tell_waiters(struct build_job *job)
{
    for (size_t i = 0; i < job->waiter_count; i++) {
        if (job->waiters[i].done)
            job->waiters[i].done(job->waiters[i].ctx, &job->report);
    }
}

static void tell_refused(struct build_job *job, const char *why)
{
    job->report = (struct policy_report){0};
    finding_add(&job->report, "", 0, "%s", why);
    if (job->policy && job->policy->current)
        job->report.generation = job->policy->current->number;
    tell_waiters(job);
    if (job->kind == JOB_CANDIDATE)
        job->candidate.take(job->candidate.ctx, NULL, &job->report);
}

static void conclude(struct policy *policy, struct build_job *job)
{
    if (job->kind != JOB_CANDIDATE) {
        jobs_conclude(policy, job->kind, job->generation, &job->report);
        tell_waiters(job);
        return;
    }
    /* Its number is used up, so that no two generations that decide share one. */
    if (job->generation && job->candidate.number == 0)
        policy->last_number = job->generation->number;
    job->report.generation = job->generation   ? job->generation->number
                             : policy->current ? policy->current->number
                                               : 0;
    if (!job->generation)
        log_findings(&job->report);
    job->candidate.take(job->candidate.ctx, job->generation, &job->report);
}

static void on_built(void *arg)
{
    struct build_job *job = arg;
    struct policy *policy = job->policy;
    if (!policy) { /* freed meanwhile: everybody was told */
        job_free(job);
        return;
    }
    pthread_join(job->thread, NULL);
    policy->running = NULL;
    if (job->kind != JOB_CLOSE) {
        if (job->generation)
            generation_join_thread(job->generation);
        conclude(policy, job);
    }
    job_free(job);
    start_next(policy);
}

/* False: there is nothing to roll back to. */
static bool prepare(struct policy *policy, struct build_job *job)
{
    job->number = job->candidate.number ? job->candidate.number : policy->last_number + 1;
    if (job->kind != JOB_ROLLBACK)
        return true;
    if (policy->history_count == 0)
        return false;
    source_set_copy(&job->sources, &policy->history[policy->history_count - 1]);
    return true;
}

static void close_here(struct build_job *job)
{
    generation_join_thread(job->generation);
    generation_free(job->generation);
}

static void start_next(struct policy *policy)
{
    while (!policy->running && policy->queue && !policy->closing) {
        struct build_job *job = policy->queue;
        policy->queue = job->next;
        const char *why = NULL;
        if (!prepare(policy, job))
            why = "there is no earlier generation to go back to";
        else if (start_thread(job))
            policy->running = job;
        else
            why = "the build thread could not be started";
        if (!why)
            continue;
        if (job->kind == JOB_CLOSE)
            close_here(job);
        tell_refused(job, why);
        job_free(job);
    }
}

static struct build_job *job_new(struct policy *policy, enum job_kind kind, const char *dir)
{
    struct build_job *job = xcalloc(1, sizeof(*job));
    job->policy = policy;
    job->kind = kind;
    job->dir = xstrdup_or_null(dir);
    job->poster = policy->poster;
    job->settings = &policy->settings;
    return job;
}

static void append(struct policy *policy, struct build_job *job)
{
    struct build_job **at = &policy->queue;
    while (*at)
        at = &(*at)->next;
    *at = job;
}

/* Rule 3.1: what has not begun yet will see the same files. Only the last one may be joined, or a
 * rollback between two reloads would lose its place. */
static struct build_job *mergeable(struct policy *policy, enum job_kind kind, size_t *waiting)
{
    struct build_job *last = NULL;
    for (struct build_job *job = policy->queue; job; job = job->next) {
        (*waiting)++;
        last = job->kind == JOB_CLOSE ? last : job;
    }
    return kind == JOB_RELOAD && last && last->kind == JOB_RELOAD ? last : NULL;
}

void jobs_request(struct policy *policy, enum job_kind kind, const char *dir, policy_built done,
                  void *ctx)
{
    size_t waiting = 0;
    struct build_job *job = mergeable(policy, kind, &waiting);
    bool fresh = !job;
    if (fresh)
        job = job_new(policy, kind, dir);
    job->waiters = xgrow(job->waiters, job->waiter_count, &job->waiter_room, sizeof(*job->waiters));
    job->waiters[job->waiter_count++] = (struct waiter){done, ctx};
    if (fresh && (policy->closing || waiting >= WAITING_MAX)) {
        tell_refused(job, policy->closing ? "the server stops" : "too many builds are waiting");
        job_free(job);
        return;
    }
    if (fresh)
        append(policy, job);
    start_next(policy);
}

void jobs_candidate(struct policy *policy, const struct candidate_order *order)
{
    size_t waiting = 0;
    mergeable(policy, JOB_CANDIDATE, &waiting);
    struct build_job *job = job_new(policy, JOB_CANDIDATE, order->dir);
    job->candidate = *order;
    if (order->dry)
        job->settings = &policy->dry_settings;
    if (!order->dir)
        source_set_copy(&job->sources, order->sources);
    if (policy->closing || waiting >= WAITING_MAX) {
        tell_refused(job, policy->closing ? "the server stops" : "too many builds are waiting");
        job_free(job);
        return;
    }
    append(policy, job);
    start_next(policy);
}

void jobs_close_generation(struct policy *policy, struct generation *generation)
{
    struct build_job *job = job_new(policy, JOB_CLOSE, NULL);
    generation_leave_thread(generation);
    job->generation = generation;
    append(policy, job);
    start_next(policy);
}

static void stop_running(struct policy *policy)
{
    struct build_job *job = policy->running;
    if (!job)
        return;
    policy->running = NULL;
    atomic_store(&job->stop, true);
    bool posted = atomic_exchange(&job->handed, true);
    pthread_join(job->thread, NULL);
    if (job->generation)
        close_here(job);
    job->generation = NULL;
    tell_refused(job, "the server stops");
    job->policy = NULL;
    if (!posted) /* else on_built() is under way, and frees it */
        job_free(job);
}

void jobs_stop(struct policy *policy)
{
    stop_running(policy);
    while (policy->queue) {
        struct build_job *job = policy->queue;
        policy->queue = job->next;
        if (job->kind == JOB_CLOSE)
            close_here(job);
        tell_refused(job, "the server stops");
        job_free(job);
    }
}

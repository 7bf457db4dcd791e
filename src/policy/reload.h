/* The policy: which generation is current, which ones drain, what is being built (POLICY §3).
 *
 * Everything in here belongs to the loop thread; the build thread sees its job only. Private to
 * the engine files of policy/. */
#ifndef POLICY_RELOAD_H
#define POLICY_RELOAD_H

#include <pthread.h>

#include "policy/build.h"
#include "policy/errors.h"

enum { HISTORY_MAX = 4, DRAINING_MAX = 2 };

struct refusal {
    bool any;
    wall_t at;
    struct policy_report report;
};

struct policy {
    struct policy_settings settings; /* `dir` is a copy of ours */
    struct station *station;
    struct policy_ports ports;
    struct timers *timers;
    struct poster poster;
    struct generation *current;                /* NULL until the first load */
    struct generation *draining[DRAINING_MAX]; /* oldest first */
    size_t draining_count;
    int64_t last_number;
    struct source_set history[HISTORY_MAX]; /* of earlier generations, newest last: rollback */
    size_t history_count;
    struct scheduler scheduler;
    struct error_log errors;
    struct refusal last_refusal;
    struct timer probation_end, probation_failed;
    bool on_probation;
    bool files_differ; /* what runs came from a rollback */
    uint64_t reloads, refusals, rollbacks;
    struct build_job *running, *queue; /* jobs.c */
    struct webhooks *webhooks; /* webhooks.c: what is to be delivered; NULL without a station */
    struct outside *outside;   /* outside.c: HTTP under way; NULL until something was asked */
    bool closing;
};

/* ---- reload.c: generations ---- */

/* The new generation becomes current between two turns of the loop (3.5); takes it over. */
void reload_swap(struct policy *policy, struct generation *built, bool rollback);
/* A handler of `generation` ended: probation counts (3.11). */
void policy_ended(struct generation *generation, bool failed);
/* Its last task ended while it drains. Only arms a timer: callers are still inside it. */
void policy_drained(struct generation *generation);
/* Cancels and frees all generations. */
void reload_close(struct policy *policy);

/* ---- jobs.c: the build thread ---- */

enum job_kind {
    JOB_RELOAD,
    JOB_CHECK,
    JOB_ROLLBACK,
    JOB_CLOSE /* frees a big generation off the loop (3.8) */
};

/* Queues a build, or joins one of the same kind that waits (3.1). `done` may be NULL. */
void jobs_request(struct policy *policy, enum job_kind kind, const char *dir, policy_built done,
                  void *ctx);
/* Takes the generation over. */
void jobs_close_generation(struct policy *policy, struct generation *generation);
/* What a finished build means for the policy: swap or refusal, log and report (3.5, 3.6). */
void jobs_conclude(struct policy *policy, enum job_kind kind, struct generation *built,
                   struct policy_report *report);
/* Stops the build, tells everybody who waits, joins the thread. */
void jobs_stop(struct policy *policy);

#endif

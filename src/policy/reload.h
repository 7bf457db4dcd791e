/* The policy: which generation is current, which ones drain, what is being built (POLICY §3).
 *
 * Everything in here belongs to the loop thread; the build thread sees its job only. Private to
 * the engine files of policy/. */
#ifndef POLICY_RELOAD_H
#define POLICY_RELOAD_H

#include <pthread.h>

#include "policy/build.h"
#include "policy/errors.h"

/* More than DRAINING_MAX of them drain only while their handlers wait for a build (jobs.c). */
enum { HISTORY_MAX = 4, DRAINING_MAX = 2, DRAINING_ROOM = 24 };

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
    struct generation *current;                 /* NULL until the first load */
    struct generation *draining[DRAINING_ROOM]; /* oldest first */
    size_t draining_count;
    int64_t last_number;
    struct source_set history[HISTORY_MAX]; /* of earlier generations, newest last: rollback */
    size_t history_count;
    struct scheduler scheduler;
    struct error_log errors;
    struct refusal last_refusal;
    struct timer probation_end, probation_failed;
    bool on_probation;
    bool files_differ;                   /* what runs came from a rollback */
    struct policy_settings dry_settings; /* of generations that are only tried: less time */
    struct shadow *shadow;               /* shadow.c; NULL = none */
    struct canary *canary;               /* canary.c; NULL = there never was one */
    struct eval *evals;                  /* eval.c: under way */
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
/* It belongs to the past: no new event, and it is freed when its last handler ended (3.8). */
void reload_drain(struct policy *policy, struct generation *generation);
/* A built generation that runs beside the current one and is live for some chargers (canary). */
void reload_adopt(struct policy *policy, struct generation *built);
/* A built generation that runs without effect (dry.h): it has its own turn and its own errors. */
void reload_adopt_dry(struct policy *policy, struct generation *built, struct dry *dry,
                      struct error_log *errors);
/* Cancels what runs on it and frees it. */
void reload_discard(struct policy *policy, struct generation *generation);
/* Cancels and frees all generations. */
void reload_close(struct policy *policy);

/* ---- jobs.c: the build thread ---- */

enum job_kind {
    JOB_RELOAD,
    JOB_CHECK,
    JOB_ROLLBACK,
    JOB_CANDIDATE, /* builds something to be tried; `take` gets it */
    JOB_CLOSE      /* frees a big generation off the loop (3.8) */
};

/* Queues a build, or joins one of the same kind that waits (3.1). `done` may be NULL. */
void jobs_request(struct policy *policy, enum job_kind kind, const char *dir, policy_built done,
                  void *ctx);
/* Builds a folder, or sources, for `take`, which gets what came of it exactly once, on the loop
 * thread: the generation, its own, or NULL and why. */
struct candidate_order {
    const char *dir;                  /* copied */
    const struct source_set *sources; /* copied; if dir is NULL */
    bool dry;                         /* with the settings for what is only tried */
    int64_t number;                   /* 0: the next one, which is used up by that */
    bool untested;                    /* the tests were run, or are of no interest */
    void (*take)(void *ctx, struct generation *built, const struct policy_report *report);
    void *ctx;
};
void jobs_candidate(struct policy *policy, const struct candidate_order *order);
/* Takes the generation over. */
void jobs_close_generation(struct policy *policy, struct generation *generation);
/* What a finished build means for the policy: swap or refusal, log and report (3.5, 3.6). */
void jobs_conclude(struct policy *policy, enum job_kind kind, struct generation *built,
                   struct policy_report *report);
/* Stops the build, tells everybody who waits, joins the thread. */
void jobs_stop(struct policy *policy);

#endif

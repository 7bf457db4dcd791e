/* What shadow.c and shadow_compare.c share: one event on its way, and what came of all of them. */
#ifndef POLICY_SHADOW_PARTS_H
#define POLICY_SHADOW_PARTS_H

#include "policy/shadow.h"

struct outcome { /* a verdict that was kept */
    enum verdict_kind kind;
    const char *word, *why, *file;
    const struct json *extra;
    int64_t line, generation;
};

struct watch { /* one event */
    struct watch *next;
    struct policy *policy;
    struct shadow *shadow; /* valid while the candidate runs it */
    uint64_t serial;       /* of the shadow that was there when the live ones began */
    struct arena arena;
    const struct event *event; /* the caller's while its call lasts, then &copy */
    struct event copy;
    bool *over; /* tells the call that is still in it that this one is gone; NULL = it left */
    bool *candidate_over;
    struct effects live_effects, candidate_effects;
    struct outcome live, candidate;
    event_done done;
    void *ctx;
    wall_t at;
};

enum { DIFFERENCES_KEPT = 200, COUNTS_MAX = 2000 };

struct difference {
    wall_t at;
    char *json; /* as it is listed */
};

struct difference_count { /* of one event of one charger */
    char event[64];
    char cp[256];
    uint64_t count;
};

struct comparison {
    uint64_t compared, incomparable, failed, differing;
    uint64_t by_event[EVENT_KINDS], differing_by_event[EVENT_KINDS];
    struct difference kept[DIFFERENCES_KEPT]; /* a ring */
    size_t first, count;
    wall_t window_ms; /* how many were kept in this second: a flood of them costs time */
    size_t in_window;
    struct map counts; /* "event charger" → struct difference_count */
};

/* Both outcomes are in: counts, and keeps the difference if there is one. */
void comparison_add(struct comparison *comparison, const struct watch *watch);
/* Adds its figures and lists to the object. */
void comparison_json(const struct comparison *comparison, struct arena *arena, struct json *object);
void comparison_clear(struct comparison *comparison);
void outcome_take(struct outcome *outcome, struct arena *arena, const struct verdict *verdict);
/* {answer, …extra, why, file, line, generation} or {failed: why …}; also of eval. */
struct json *outcome_json(const struct outcome *outcome, struct arena *arena);
/* "authorize", "DataTransfer" */
const char *event_text(const struct event *event);

#endif

/* Policies: generations of Lua that decide, and can be exchanged while chargers are connected.
 *
 * POLICY.md §3 (reload) and §4 (sandbox) are the contract. A generation is one lua_State built
 * whole on the build thread: prelude and routes of lua/ (embedded), then the operator's files; it
 * is checked, then one pointer is swapped on the loop thread. Events run as tasks (one coroutine
 * each) on the generation that was current when they began. Nothing but this room includes lua.h
 * (and the simulator, for scenarios). Start reading: generation.c (build), task.c (run), reload.c
 * (swap, drain, rollback), sandbox.c (what scripts see), api_*.c (one row per function). */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/post.h"
#include "base/request.h"
#include "base/timer.h"
#include "station/station.h"

struct policy;

struct policy_settings {
    const char *dir;              /* the operator's folder */
    int64_t run_warn_ms;          /* 10: one run between waits */
    int64_t run_kill_ms;          /* 100 */
    int64_t authorize_timeout_ms; /* 5000: the whole handler */
    int64_t handler_timeout_ms;   /* 30000 */
    int64_t load_file_ms;         /* 1000 */
    int64_t load_total_ms;        /* 5000, tests included */
    int64_t memory_bytes;         /* 64 MiB a generation */
    int64_t drain_ms;             /* 30000 */
    int64_t probation_ms;         /* 60000; 0 = off */
    int64_t tasks_max;            /* 10000 */
    const char *shadow_dir;       /* a candidate that watches from the start; "" = none */
    int64_t zone_minutes;         /* site time, minutes east of UTC */
    const char *http_hosts; /* "host, host:port": where http.get and webhooks may go; or NULL */
};

/* Whether it is such a list. */
bool policy_http_hosts_valid(const char *hosts, struct reason *why);

/* ---- HTTP to the outside, for http.get and webhooks (net/http_client.h, by way of main) ---- */

struct policy_http { /* everything is copied */
    const char *method, *url;
    const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
    struct span body;
    int64_t timeout_ms, max_body;
};
struct policy_http_answer { /* borrowed for the call of `done` */
    const char *failure;    /* "timeout", "too_large", "unreachable"; NULL: the answer is whole */
    const char *error;      /* readable, with a failure */
    int status;
    struct span body;
    const struct name_value *headers;
    size_t header_count;
};
typedef void (*policy_http_done)(void *ctx, const struct policy_http_answer *answer);

/* What policies reach outside of the station; main fills it. */
struct policy_ports {
    void *ctx;
    /* A named query of the store; see store_query(). */
    void (*query)(void *ctx, const char *name, const struct json *params,
                  void (*done)(void *done_ctx, const char *rows_json, const char *next_cursor,
                               const char *why),
                  void *done_ctx);
    void (*decision)(void *ctx, const struct record_decision *row); /* copied by the callee */
    bool (*store_healthy)(void *ctx);
    /* A body of server-sent events; false and why: an unknown type. last_id may be ABSENT. */
    bool (*events)(void *ctx, const char *cp, const char *types, int64_t last_id,
                   struct body_source *out, struct reason *why);
    const struct policy_files *files; /* NULL: none (offline, tests) */
    /* A number for http_cancel, after which `done` does not come; 0 and why: not started. `done`
     * comes later, never from inside. NULL: no way out. */
    uint64_t (*http_start)(void *ctx, const struct policy_http *what, policy_http_done done,
                           void *done_ctx, struct reason *why);
    void (*http_cancel)(void *ctx, uint64_t number);
    /* Figures of the other rooms, for /metrics: calls `add` for each. `labels` is `name="value"`
     * pairs joined by commas, or "". Names and units: see lua/routes/metrics.lua. */
    void (*figures)(void *ctx,
                    void (*add)(void *add_ctx, const char *name, const char *labels, double value),
                    void *add_ctx);
};

/* The files of src/files.h, which policy may not name; same contracts, ctx first. */
struct policy_file {
    char name[129];
    int64_t size;
    wall_t modified_ms;
};
struct policy_files {
    bool (*next)(void *ctx, const char *after, struct policy_file *out);
    bool (*keep)(void *ctx, uint64_t upload, const char *name, struct policy_file *out,
                 struct reason *why);
    void (*discard)(void *ctx, uint64_t upload);
    bool (*remove)(void *ctx, const char *name, struct reason *why);
    bool (*source)(void *ctx, const char *name, struct body_source *out, struct policy_file *info,
                   struct reason *why);
    bool (*link)(void *ctx, const char *name, bool upload, const char *cp, int64_t valid_ms,
                 struct strbuf *url, struct reason *why);
    /* False: none, used or expired. */
    bool (*link_find)(void *ctx, const char *token, char name[129], bool *upload, char cp[256]);
    void (*link_use)(void *ctx, const char *token);
};

/* The station may be NULL for offline checks. Nothing is loaded yet. */
struct policy *policy_new(const struct policy_settings *settings, struct station *station,
                          const struct policy_ports *ports, struct timers *timers,
                          struct poster poster);
/* Cancels all tasks (their `done` run inside this call), joins the build thread, frees. */
void policy_free(struct policy *policy);

struct policy_error { /* one finding of a refused build, or a runtime error */
    char file[96];
    int line; /* 0 = the whole file or folder */
    char message[384];
};

struct policy_report { /* what a build found; borrowed for the call that hands it over */
    bool ok;
    int64_t generation; /* of the new one if ok, else of the one that stays (0 = none) */
    size_t error_count; /* all are counted, the first 20 kept */
    size_t kept;
    struct policy_error errors[20];
    size_t files, tests;
    bool files_differ; /* after a rollback: the folder on disk is not what runs (3.11) */
};
typedef void (*policy_built)(void *ctx, const struct policy_report *report);

/* Builds and swaps in on the calling thread, for the first start. False: see report. */
bool policy_load(struct policy *policy, struct policy_report *report);
/* Builds on the build thread; requests while one runs are merged into one more (3.1). `done` on the
 * loop thread, exactly once per request, after the swap or the refusal; may be NULL. */
void policy_reload(struct policy *policy, policy_built done, void *ctx);
/* The same checks on `dir` (NULL = the running folder) without swapping. */
void policy_check(struct policy *policy, const char *dir, policy_built done, void *ctx);
/* Back to the previous generation's kept sources, through the same checks (3.11). */
void policy_rollback(struct policy *policy, policy_built done, void *ctx);
/* For `chargebridge check DIR`: same code, no threads, no station. */
bool policy_check_offline(const struct policy_settings *settings, struct policy_report *report);

/* Runs the event's handlers; see event.h for `done`. */
void policy_event(struct policy *policy, const struct event *event, event_done done, void *ctx);
bool policy_listens(const struct policy *policy, enum event_kind kind, const char *action);

/* on.identify(path, headers): synchronous, cannot wait, run before the 101. Returns VERDICT_NONE
 * (no opinion), GIVEN with `identity` filled (this is who it is, and it is welcome), or FAILED with
 * `identity` "" (refused by the policy, or it failed: 404). */
enum verdict_kind policy_identify(struct policy *policy, const char *path,
                                  const struct name_value *headers, size_t header_count,
                                  char identity[IDENTITY_MAX + 1]);

/* Finds the route, checks scope and body, runs it as a task; `respond` exactly once. */
typedef void (*respond_fn)(void *ctx, const struct response *response);
void policy_request(struct policy *policy, const struct request *request, respond_fn respond,
                    void *ctx);

/* True when no task runs and no build is under way. */
bool policy_idle(const struct policy *policy);
/* The limits of POLICY.md §4, for the manual; the last has no `what`. */
struct policy_limit {
    const char *setting, *value; /* of [policies], and its default; NULL: it is fixed, at */
    int64_t number;
    const char *what;
};
extern const struct policy_limit policy_limits[];
/* `chargebridge api`: prints lua/meta/chargebridge.lua or the manual from the API rows. */
void policy_api_print(struct strbuf *out, bool manual);

#endif

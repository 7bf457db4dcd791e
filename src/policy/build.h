/* What the engine and the API tables owe each other while a generation is built. Private to
 * policy/.
 *
 * build.c runs: read files → state → api_open → for each file an environment, load, run → checks →
 * testkit on a second state → hand over. The functions here are provided by the room's other files
 * for build.c and hooks.c to call. */
#ifndef POLICY_BUILD_H
#define POLICY_BUILD_H

#include "policy/api.h"

/* Findings of a build: all are counted, the first 20 kept (POLICY.md §3.4). */
void finding_add(struct policy_report *report, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* router.c: `route("GET /api/v1/x/{id}", [options,] fn)` registers here. */
void routes_free(struct generation *generation);
/* Two owners of a route among operator files, bad syntax (reported when registered). */
size_t routes_count(const struct generation *generation);
/* Finds and runs the route as a task; answers 404, 405 + Allow, 401, 403, 400, 415 itself. */
void routes_handle(struct generation *generation, const struct request *request, respond_fn respond,
                   void *ctx);

/* every.c: `every("1m", fn)`. Started at the swap, stopped when the generation is replaced. */
void everys_start(struct generation *generation, struct timers *timers);
/* In tests and replays those of lua/ (batches …) run only from the first request to /api/v1 on: a
 * test of seven days would pay for each of their seconds. */
void everys_start_builtin(struct generation *generation);
void everys_stop(struct generation *generation, struct timers *timers);
size_t everys_count(const struct generation *generation);
void everys_free(struct generation *generation);
/* The operator's, as an array of {name, periodMs, runs, skipped, errors}: GET /api/v1/policies. */
void everys_write(const struct generation *generation, struct json_out *out);

/* hooks.c: one row per event: name, arguments, allowed words, default, doc line. */
struct hook_row {
    const char *name; /* "authorize" */
    enum event_kind kind;
    const char *signature, *doc;
    const char *const *words; /* allowed first results; NULL = no answer wanted */
};
extern const struct hook_row hook_rows[]; /* name NULL ends */
/* What policy_event() and policy_listens() do, on this generation: the test kit is one caller. */
void hooks_event(struct generation *generation, const struct event *event, event_done done,
                 void *ctx);
/* The same, and what the handlers do is noted in `effects` (dry.h), alive until `done`. */
void hooks_event_noted(struct generation *generation, const struct event *event,
                       struct effects *effects, event_done done, void *ctx);
bool hooks_listens(const struct generation *generation, enum event_kind kind, const char *action);

/* build.c: gives sources.files[file] an environment, loads and runs its chunk once under the load
 * budget; findings are added. False if it failed. testkit_run() runs tests/… with it. */
bool build_run_file(struct generation *generation, size_t file, struct policy_report *report);

/* The ports that policy_new() was given; NULL for a generation that is built offline or tested. */
const struct policy_ports *generation_ports(const struct generation *generation);

/* api_json.c: `require "cjson"` and "cjson.safe" push lua-cjson with safe limits; false (nothing
 * pushed) for any other name. The engine's require asks here before lib/. */
bool api_push_module(lua_State *L, const char *name);

/* testkit.c: runs every file of tests/ among the sources on `generation` (phase TESTING, its own
 * station with fake chargers and a fake clock of this thread). Adds findings; returns the number of
 * tests. */
size_t testkit_run(struct generation *generation, struct policy_report *report);

/* lua/ embedded (lua/embed.cmake): name, text, length; name NULL ends. */
struct embedded_lua {
    const char *name; /* "routes/active.lua" */
    const char *text;
    size_t len;
};
extern const struct embedded_lua embedded_lua[];

#endif

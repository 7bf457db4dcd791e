/* What the routes tell of policies: GET /policies and GET /policies/errors, as JSON.
 *
 * The trees live in `arena`. Private to policy/. */
#ifndef POLICY_STATUS_H
#define POLICY_STATUS_H

#include "policy/reload.h"

/* {generation, loadedAt, filesDiffer, files: [{name, sha256, bytes}], lastRefusal: {at, errorCount,
 * errors: [{file, line, message}]} or null, hooks: {authorize: {calls, errors, waits, p50Us, p99Us}
 * …}, draining: [{generation, tasks}], building, onProbation, tasks, memory, memoryPeak, reloads,
 * refusals, rollbacks, errors} */
struct json *status_policies(const struct policy *policy, struct arena *arena);
/* {total, items: [{file, line, message, event, cp, generation, count, first, last, example}]},
 * newest first. */
struct json *status_errors(const struct policy *policy, struct arena *arena);
/* The member `hooks` of it, of any generation. */
struct json *status_hooks(const struct generation *generation, struct arena *arena);
/* The items of such a list. */
struct json *status_error_items(const struct error_log *log, struct arena *arena);
/* {ok, generation, errorCount, errors: [{file, line, message}], files, tests, filesDiffer} */
struct json *status_report(const struct policy_report *report, struct arena *arena);

#endif

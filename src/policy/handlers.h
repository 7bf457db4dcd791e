/* The handlers that a generation's files defined on `on`. Private to the engine files of policy/.
 */
#ifndef POLICY_HANDLERS_H
#define POLICY_HANDLERS_H

#include "policy/build.h"

/* Adds a finding if `on.<name>` is no event and no action. */
void handlers_check_name(struct policy_report *report, const char *file, int line,
                         const char *name);
/* How many events and actions the file handles. */
size_t handlers_of_file(const struct generation *generation, int file);
void hook_stats_count(struct hook_stats *stats, bool failed, int64_t run_us, uint32_t waits);
/* identify.c: what policy_identify() does, on this generation. */
enum verdict_kind identify_run(struct generation *generation, const char *path,
                               const struct name_value *headers, size_t header_count,
                               char identity[IDENTITY_MAX + 1]);

#endif

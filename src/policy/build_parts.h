/* Building a generation: read, load, check, test (POLICY §3.2-3.4). Any thread; touches nothing but
 * its arguments. Private to the engine files of policy/. */
#ifndef POLICY_BUILD_PARTS_H
#define POLICY_BUILD_PARTS_H

#include "policy/build.h"
#include "policy/source.h"

struct build_order {
    const struct policy_settings *settings;
    const char *dir;                  /* read this folder, or … */
    const struct source_set *sources; /* … build these (rollback); NULL = read dir */
    int64_t number;
    const atomic_bool *stop; /* NULL = never */
    bool untested;           /* without the tests */
};

/* NULL: refused, see report. The report is filled but for `generation` and `files_differ`. */
struct generation *build(const struct build_order *order, struct policy_report *report);

/* names.c: the chunk on top of L names nothing unknown; else findings were added. */
bool names_check(struct generation *generation, int file, lua_State *L);
/* Runs the chunk of a source on L, inside a protected call of the caller's, as the file that is
 * being loaded; pushes what it returns. Raises; false (nothing pushed): findings were added. */
bool build_run_chunk(struct generation *generation, int file, lua_State *L);
/* The error value on top of L becomes a finding; `what` holds the place, if it is known. */
void build_report_error(struct generation *generation, int file, lua_State *L,
                        struct policy_error *what);

#endif

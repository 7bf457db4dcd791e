/* The text of policies: read from the folder whole, kept with the generation (POLICY §3.2).
 *
 * Private to policy/. */
#ifndef POLICY_SOURCE_H
#define POLICY_SOURCE_H

#include "policy/generation.h"

enum source_kind {
    SOURCE_POLICY,     /* 10-authorize.lua: run at every build, in byte order of name */
    SOURCE_LIB,        /* lib/idtags.lua: run by require, once a generation */
    SOURCE_TEST,       /* tests/cards.lua: run by the test kit */
    SOURCE_BUILTIN,    /* lua/routes/active.lua: ships with the server, run first */
    SOURCE_BUILTIN_LIB /* lua/lib/…, lua/testkit.lua: run on demand */
};

enum { SOURCE_NAME_MAX = 90 };

/* Everything that may be loaded from `dir`, in the order in which it runs. Adds a finding for each
 * file that cannot be taken: unreadable, too long, a symlink that leaves the folder, none at all.
 */
void source_read(struct source_set *set, const char *dir, struct policy_report *report);
/* What is embedded in the program: names get "lua/" in front. */
void source_add_builtin(struct source_set *set);
/* Copies `text`. */
void source_add(struct source_set *set, const char *name, const char *text, size_t len,
                bool builtin);
void source_set_copy(struct source_set *to, const struct source_set *from);
void source_set_clear(struct source_set *set);
/* The operator's files have the same names and texts. */
bool source_set_same(const struct source_set *a, const struct source_set *b);
enum source_kind source_kind_of(const struct source_file *file);

#endif

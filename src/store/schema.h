/* The schema and its numbered migrations, forwards only. Private to store/. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "store/sql.h"

/* Scripts in order; the file's version (PRAGMA user_version) is how many of them it has seen. */
struct schema {
    const char *const *migrations;
    int count;
};

extern const struct schema schema_newest;

/* Opens the file for writing, as a file of this schema: one that is ours, not newer than we know,
 * writable. What it lacks is added in one transaction if `may_migrate`, else it is refused; a file
 * of an older version is copied to <path>.before-<new version> first. False: nothing is open and
 * nothing was changed. */
bool schema_open(struct sql *sql, const char *path, const struct schema *schema, bool may_migrate,
                 struct reason *why);

#endif

/* The schema and its numbered migrations, forwards only. Private to store/. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "store/sql.h"

/* Brings the open database to the newest version in one transaction; a file that held an older
 * version is first copied to <path>.before-<new version>. Refuses what is not ours or newer than we
 * know. */
bool schema_migrate(struct sql *sql, const char *path, struct reason *why);

#endif

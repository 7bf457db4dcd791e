/* Writing records: one function per kind. Private to store/, writer thread only. */
#ifndef STORE_APPLY_H
#define STORE_APPLY_H

#include "base/map.h"
#include "store/sql.h"

struct applier {
    struct sql *sql;
    struct map kinds;        /* interned meter kinds: text → id + 1 as a pointer value */
    struct strbuf text, key; /* scratch */
};

void applier_clear(struct applier *applier);
/* Forgets what a rolled back batch may have interned. */
void applier_forget_kinds(struct applier *applier);
/* Writes all records of the batch in order and fills their out fields. sql_ok() tells. */
void apply_batch(struct applier *applier, struct batch *batch);

/* apply_transaction.c */
void apply_start_find(struct applier *applier, struct record *record, struct arena *arena);
void apply_start(struct applier *applier, struct record *record, struct arena *arena);
void apply_stop(struct applier *applier, struct record *record, struct arena *arena);
void apply_transaction_vars(struct applier *applier, struct record *record, struct arena *arena);

/* apply_meter.c */
void apply_meter_value(struct applier *applier, struct record *record, struct arena *arena);

#endif

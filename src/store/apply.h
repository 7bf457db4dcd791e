/* Writing records: one function per kind. Private to store/, writer thread only. */
#ifndef STORE_APPLY_H
#define STORE_APPLY_H

#include "base/map.h"
#include "store/list.h"
#include "store/sql.h"

struct applier {
    struct sql *sql;
    struct list_index lists;
    struct map kinds, places; /* ids of interned rows, as pointer values */
    struct strbuf vals, key;  /* scratch */
};

void applier_clear(struct applier *applier);
/* After a rollback: forgets what it believed to be in the file. */
void applier_forget(struct applier *applier);
/* Writes all records of the batch in order and fills their out fields. sql_ok() tells. */
void apply_batch(struct applier *applier, struct batch *batch);

/* apply_transaction.c */
void apply_start_find(struct applier *applier, struct record *record, struct arena *arena);
void apply_start(struct applier *applier, struct record *record, struct arena *arena);
void apply_stop(struct applier *applier, struct record *record, struct arena *arena);
void apply_transaction_vars(struct applier *applier, struct record *record, struct arena *arena);

/* apply_meter.c */
void apply_meter_value(struct applier *applier, struct record *record, struct arena *arena);

/* apply_list.c */
void apply_status(struct applier *applier, struct record *record, struct arena *arena);
void apply_message(struct applier *applier, struct record *record, struct arena *arena);
void apply_decision(struct applier *applier, struct record *record, struct arena *arena);
void apply_security_event(struct applier *applier, struct record *record, struct arena *arena);
void apply_job_status(struct applier *applier, struct record *record, struct arena *arena);
void apply_orphan(struct applier *applier, struct record *record, struct arena *arena);
void apply_event(struct applier *applier, struct record *record, struct arena *arena);

#endif

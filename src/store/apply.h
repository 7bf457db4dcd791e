/* Writing records: one function per kind. Private to store/, writer thread only. */
#ifndef STORE_APPLY_H
#define STORE_APPLY_H

#include "base/map.h"
#include "store/list.h"
#include "store/sql.h"

/* Whether the file has a TxProfile; asked once, so that a stop need not look for its own (P4). */
enum tx_profiles { TX_PROFILES_NOT_ASKED, TX_PROFILES_NONE, TX_PROFILES_SOME };

struct applier {
    struct sql *sql;
    struct list_index lists;
    struct map kinds, places; /* ids of interned rows, as pointer values */
    enum tx_profiles tx_profiles;
    struct strbuf vals, key; /* scratch */
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
void apply_price(struct applier *applier, struct record *record, struct arena *arena);
void apply_finished(struct applier *applier, struct record *record, struct arena *arena);

/* apply_control.c */
void apply_command(struct applier *applier, struct record *record, struct arena *arena);
void apply_configuration(struct applier *applier, struct record *record, struct arena *arena);
void apply_reservation(struct applier *applier, struct record *record, struct arena *arena);
void apply_reservation_end(struct applier *applier, struct record *record, struct arena *arena);
void apply_profile(struct applier *applier, struct record *record, struct arena *arena);
void apply_profile_clear(struct applier *applier, struct record *record, struct arena *arena);
void apply_local_list(struct applier *applier, struct record *record, struct arena *arena);
void apply_availability(struct applier *applier, struct record *record, struct arena *arena);
void apply_job(struct applier *applier, struct record *record, struct arena *arena);
/* The job that a status belongs to, which keeps it as its newest; or ABSENT. */
int64_t apply_status_of_job(struct applier *applier, const struct record_job_status *status);
/* A transaction has begun (out_id): the TxProfiles that waited for it are its own. */
void apply_profiles_begin(struct applier *applier, const struct record_start *start);
/* The transaction has stopped: its profiles with it (P4). */
void apply_profiles_end(struct applier *applier, const struct record_stop *stop);
/* The charge point is deleted: what is known of its present state with it. */
void apply_control_forget(struct applier *applier, const char *cp);

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

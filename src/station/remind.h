/* Reminders: tx:remind(name, delay) → on.reminder(tx, name), once (remind.c). Private to station/.
 *
 * A reminder belongs to a transaction and ends with it. It is a kv row as well, which goes in the
 * same batch as what a handler that does not wait has written (vars, store): that handler takes
 * effect exactly once, whenever the power goes. A handler that waits, and is cut off by a crash,
 * the end of the program or the end of its generation, is told again. What fell due while the
 * server was down is told after the start. */
#ifndef STATION_REMIND_H
#define STATION_REMIND_H

#include "station/core.h"

/* A kv row, if it is one of a reminder. Transactions must be there already. */
void remind_restore(struct station *st, const struct record_kv *row);
/* The transaction is over: they go, and so do their rows. */
void remind_end(struct station *st, struct transaction *tx);
/* Out of memory only. */
void remind_free(struct transaction *tx);

#endif

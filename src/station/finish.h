/* The end of a transaction: its price, then on.stop, then it is forgotten. Private to station/.
 *
 * A stop that any policy wants to hear of is stored as "due", and due it is until RECORD_FINISHED:
 * what was due when the server died is restored as stopped and finished then (station_resume). The
 * price is computed once (on.price cannot wait) and stored at once; where it is stored already,
 * only on.stop runs again. Its row, RECORD_FINISHED and what handlers wrote without waiting (vars,
 * store) go into one batch, so those handlers take effect exactly once; a handler that waits may
 * run again after a crash or a reload. A price that failed leaves TX_UNPRICED and is not tried
 * again. X15: the real stop after an estimate replaces the figures, never the price (money may have
 * moved by it): it gets TX_PRICE_ESTIMATED and an event "price_of_estimate". Start reading:
 * finish_transaction.
 */
#ifndef STATION_FINISH_H
#define STATION_FINISH_H

#include "station/lane.h"

/* Does a policy listen to the end of transactions? For struct record_stop. */
bool finish_wanted(struct station *st);
/* Takes the stopped transaction to its end, behind what the lane has under way; at once if `lane`
 * is NULL (its charge point was deleted). It is out of memory afterwards. */
void finish_transaction(struct station *st, struct lane *lane, const struct transaction *tx);

#endif

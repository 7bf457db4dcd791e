/* Which transaction does a message mean whose id cannot be one of ours? (X8). Private to station/.
 */
#ifndef STATION_ATTACH_H
#define STATION_ATTACH_H

#include "station/call.h"

/* Could we have issued this id? (X2) */
bool transaction_id_is_ours(int64_t id);
/* The only open transaction of the charge point on that connector, or NULL. */
struct transaction *attach_by_connector(struct station *st, const struct charge_point *cp,
                                        int64_t evse, int64_t connector);
/* The only open one that fits by tag (if there is one) and meterStop >= meterStart, or NULL. */
struct transaction *attach_by_stop(struct station *st, const struct charge_point *cp,
                                   const char *id_tag, int64_t meter_stop_wh);
/* An event says what was attached to which transaction. */
void attach_event(struct call *call, struct batch *batch, int64_t id);

#endif

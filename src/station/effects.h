/* What chargers accepted, as rows: see effects.c. Private to station/. */
#ifndef STATION_EFFECTS_H
#define STATION_EFFECTS_H

#include "ocpp/outbox.h"
#include "station/core.h"

/* A command of ours is being sent: from now on the charger may have done it (G5). */
void effects_sending(struct station *st, struct charge_point *cp, const struct outcall *call);
/* The CALLRESULT of a command of ours, as repaired, before anybody else hears of it. */
void effects_record(struct station *st, struct charge_point *cp, const struct outcall *call,
                    const struct json *response);
/* A StartTransaction carried this reservationId (C8). */
void effects_reservation_used(struct station *st, const struct charge_point *cp,
                              int64_t reservation_id, int64_t transaction_id);
/* This connector is Faulted or Unavailable now (N5); 0: all of them are. */
void effects_connector_lost(struct station *st, const struct charge_point *cp, int64_t connector);

#endif

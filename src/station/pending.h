/* Remote starts that wait for their StartTransaction: see pending.c. Private to station/. */
#ifndef STATION_PENDING_H
#define STATION_PENDING_H

#include "ocpp/outbox.h"
#include "station/core.h"

/* A RemoteStartTransaction goes out: its effect may come before its answer (C2). `vars` as in
 * struct command. */
void pending_sent(struct station *st, const struct charge_point *cp, const struct outcall *call,
                  const char *vars);
/* That command was refused, or never went out. */
void pending_refused(struct station *st, const char *command);
/* False: a StartTransaction took it, or something else ended it. */
bool pending_waits(const struct station *st, const char *command);
/* A StartTransaction came: the one that it answers goes, and its vars become part of `into`. */
void pending_take(struct station *st, const struct charge_point *cp, int64_t connector,
                  const char *id_tag, struct vars *into);
/* The charge point was deleted. */
void pending_forget(struct station *st, const struct charge_point *cp);

#endif

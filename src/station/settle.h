/* Waiting for the disk: for those who must not begin before what they noted outlives a crash (C3).
 */
#ifndef STATION_SETTLE_H
#define STATION_SETTLE_H

#include "station/station.h"

/* `done` tells when everything that was changed so far is on disk; not ok: some of it could not be
 * stored. Maybe before this returns. */
void station_settle(struct station *st, change_done done, void *ctx);

#endif

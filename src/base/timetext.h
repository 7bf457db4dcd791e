/* Times as text: what we send (rule B2) and everything that chargers send (rule B11). */
#ifndef BASE_TIMETEXT_H
#define BASE_TIMETEXT_H

#include "base/clock.h"
#include "base/strbuf.h"

enum { TIMETEXT_SIZE = 32 };

/* `2025-07-14T05:20:08Z`: UTC, whole seconds, no offset. `out` holds TIMETEXT_SIZE bytes. */
void timetext_seconds(wall_t t, char *out);
/* `2025-07-14T05:20:08.123Z`, for logs and REST. */
void timetext_millis(wall_t t, char *out);

/* Any number of fraction digits (cut to ms), `Z`, `+02:00`, `+0200`, `+02`, or no zone (then
 * `zone_minutes` east of UTC), `T`, `t` or a space between date and time, year 0001 to 9999.
 * False if it is no date and time at all. */
bool timetext_parse(struct span text, int zone_minutes, wall_t *out);
/* A strict RFC 3339 date-time, as schemas demand it. */
bool timetext_is_rfc3339(struct span text);
/* `2026-12-31` as the first millisecond of that day in UTC. */
bool timetext_parse_date(struct span text, wall_t *out);
/* `90s`, `15m`, `2h`, `7d`, `250ms`, or combinations (`1h30m`); in milliseconds. */
bool duration_parse(struct span text, int64_t *out_ms);

#endif

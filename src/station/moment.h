/* When did it happen? The charger's time against ours (B11, Q25). Private to station/. */
#ifndef STATION_MOMENT_H
#define STATION_MOMENT_H

#include "base/timetext.h"
#include "station/call.h"

struct moment {
    const char *text; /* as received; NULL: none was given */
    wall_t parsed_ms; /* the charger's instant; ABSENT: none, or not a time */
    wall_t at_ms;     /* what to order and show by: parsed_ms, or the time of receipt */
    bool suspect;     /* the clock is not set: before 2015, or more than a day ahead */
};

/* Reads a time that the CALL carries; raises "clock_not_set" once a connection. */
struct moment moment_read(struct call *call, const char *text);

#endif

/* What the meter of a transaction said, over time: tx:window, tx:slices and tx.idle_minutes.
 *
 * One series a transaction, in memory only; the store has the rows, and gives them back at start
 * (track_add for each, oldest first). Points are in order of their time, whatever the order of
 * their arrival. Bounded: beyond TRACK_EASY points, what is older than an hour is thinned to the
 * first and the last point of each quarter of an hour, which changes no quarter's energy; never
 * more than TRACK_MAX. Energies are clamped between 0 and the energy of the transaction, so that
 * slices add up to exactly that. Pure, but for the clock. Start reading: track_add(). */
#ifndef STATION_TRACK_H
#define STATION_TRACK_H

#include "base/clock.h"
#include "base/mem.h"

enum { TRACK_EASY = 256, TRACK_MAX = 1024, IDLE_W = 300 };

enum track_quantity {
    TRACK_POWER,       /* W */
    TRACK_SOC,         /* percent */
    TRACK_TEMPERATURE, /* degrees Celsius */
    TRACK_VOLTAGE,     /* V */
    TRACK_CURRENT,     /* A */
    TRACK_ENERGY,      /* Wh, as the register says */
    TRACK_QUANTITIES
};

struct track_point {
    wall_t at;
    int64_t energy_wh;            /* ABSENT */
    int32_t others[TRACK_ENERGY]; /* INT32_MIN: absent; the last three in tenths */
    bool keep;                    /* while it is thinned */
};

struct track { /* zeroed: empty */
    struct track_point *points;
    size_t count, room;
    wall_t drew_at;   /* the car drew more than IDLE_W then; 0: never */
    wall_t judged_at; /* until then we know whether it did; 0: we never knew */
};

struct transaction;
struct meter_reading;

void track_clear(struct track *track);
/* One judged reading (meter_judge). One of the same time is merged. */
void track_add(struct transaction *tx, wall_t at, const struct meter_reading *reading);

/* Its stop, or now; never before its start. */
wall_t track_end(const struct transaction *tx);

struct track_window {
    size_t count; /* points within */
    double mean;  /* weighted by time, linear between points */
    double min, max, first, last;
    int64_t ms; /* that the points cover */
};
/* Points of (from, to]. Where there is one before `from` too, the window begins with the value at
 * `from` between them (of a state of charge: the one before). False: no point is within. */
bool track_window(const struct transaction *tx, enum track_quantity quantity, wall_t from,
                  wall_t to, struct track_window *out);

struct track_slice {
    wall_t start;
    int64_t ms;
    int64_t energy_wh; /* ABSENT when the energy of the transaction cannot be told */
};
/* From its start to `end`, cut at whole periods of a clock `zone_ms` east of UTC. */
size_t track_slice_count(const struct transaction *tx, wall_t end, int64_t period_ms,
                         int64_t zone_ms);
/* Fills as many as were counted with the same arguments. Their energies add up to
 * transaction_energy_wh(). */
void track_slices(const struct transaction *tx, wall_t end, int64_t period_ms, int64_t zone_ms,
                  struct track_slice *out);

/* How long, until its stop or the newest reading, the car has drawn no more than IDLE_W; since the
 * start if it never did. Silence proves nothing: time after the newest reading does not count, but
 * the register at the stop tells of it. Doubt is the car's: over a gap of more than a quarter of an
 * hour, what IDLE_W would give in a quarter of an hour counts as drawing. 0 when nothing is known.
 */
int64_t track_idle_ms(const struct transaction *tx);

#endif

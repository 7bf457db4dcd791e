/* A meterValue in units that we count in (V1 to V3, V7), and what is plausible in a transaction
 * (V5, V6). Pure: no station, no store. Private to station/. */
#ifndef STATION_METER_NORMALISE_H
#define STATION_METER_NORMALISE_H

#include "station/charge_point.h"

struct meter_reading { /* ABSENT where nothing was measured */
    int64_t energy_wh, power_w, soc;
    int64_t temperature_dc, voltage_dv, current_da; /* tenths */
    bool implausible;              /* something of it was, and was taken out of the numbers (V5) */
    struct record_sample *samples; /* in `arena`; texts borrowed from the payload */
    size_t sample_count;
};

/* `meter_value` is one item of meterValue or transactionData, repaired. `options` (may be NULL)
 * know units better than the samples (Q15). */
void meter_normalise(struct arena *arena, const struct json *meter_value,
                     const struct station_options *options, struct meter_reading *reading);

/* The numbers of samples that have their defaults; the rest of `reading` is 0. */
void meter_choose(const struct record_sample *samples, size_t count, struct meter_reading *reading);

struct meter_frame { /* what a reading is judged against */
    struct sample_state last;
    int64_t meter_start_wh; /* ABSENT */
    bool session_register;  /* V6: samples count from the start of the transaction */
    int64_t rating_w;       /* ABSENT */
};

/* Takes implausible numbers out of `reading`, and the rest into `frame->last`. Values of an earlier
 * time than the last ones are judged by themselves and change nothing (X5). */
void meter_judge(struct meter_frame *frame, wall_t at, struct meter_reading *reading);

#endif

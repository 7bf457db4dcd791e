/* MeterValues and transactionData as rows. Private to station/. */
#ifndef STATION_METER_ROWS_H
#define STATION_METER_ROWS_H

#include "station/call.h"
#include "station/meter_normalise.h"

struct meter_place { /* where the values belong */
    int64_t evse, connector;
    int64_t transaction_id; /* 0 = none */
};

struct meter_newest { /* the newest meterValue of the list */
    bool any;
    wall_t at;
    struct meter_reading reading;
};

struct meter_taken { /* one that was judged, for the series of its transaction */
    struct meter_taken *next;
    wall_t at;
    struct meter_reading reading;
};

struct meter_list {
    const struct json *values; /* meterValue or transactionData, may be NULL */
    struct meter_place place;
    struct meter_frame frame; /* moves on with each value */
    struct meter_newest newest;
    struct meter_taken *taken, *taken_last; /* in order of the list */
};

/* The frame to judge values of a transaction in; of none if `tx` is NULL. */
struct meter_frame meter_frame_of(const struct call *call, const struct transaction *tx);
/* One row for each meterValue that has samples, in `batch`, or with the rows of this turn if that
 * is NULL. */
void meter_rows(struct call *call, struct batch *batch, struct meter_list *list);
/* Once the rows are stored: they become part of the transaction's series. */
void meter_track(struct transaction *tx, const struct meter_list *list);
/* The data of EVENT_METER (event.h), in the call's arena. */
struct json *meter_event_data(struct call *call, const struct meter_newest *newest);

#endif

/* May this tag charge? The policies' verdict as an idTagInfo and as a record. Private to station/.
 */
#ifndef STATION_DECIDE_H
#define STATION_DECIDE_H

#include "station/call.h"

struct ask {                /* everything lives in the call's arena */
    const char *purpose;    /* "authorize", "start", "stop" */
    const char *id_tag;     /* as spelled */
    int64_t connector;      /* 1.6 connectorId or ABSENT */
    int64_t evse_connector; /* second half of the connector key, for the record */
    int64_t transaction_id; /* 0 = none */
};

struct decision {
    const char *status;        /* one of the five words (A2) */
    const char *parent_id_tag; /* NULL: none (A3) */
    const char *expiry;        /* B2 time, or NULL */
    const char *why, *file;
    int64_t line, generation;
};

typedef void (*call_decided)(struct call *call, const struct decision *decision);

/* Asks on.authorize; `then` gets a decision in any case (A7). `ask` must live in call->arena. */
void call_decide(struct call *call, const struct ask *ask, call_decided then);
/* {"status":…,"parentIdTag":…,"expiryDate":…} in the call's arena. */
struct json *decision_info(struct call *call, const struct decision *decision);
/* Fills a RECORD_DECISION; its strings are copied into *arena. */
void decision_row(struct call *call, const struct ask *ask, const struct decision *decision,
                  struct record *row, struct arena *arena);

#endif

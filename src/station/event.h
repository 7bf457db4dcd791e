/* What the station asks policies, and what they answer.
 *
 * One struct for every event: the table in policy/hooks.c says which fields an event uses, which
 * words it may be answered with, and what its default is. Everything is borrowed: an event for the
 * duration of the call that hands it over (policy copies what it needs), a verdict for the
 * duration of `done`. `done` is called exactly once, on the loop thread, possibly before
 * ports.ask returns (the handler did not wait), and also when the handler was cancelled. */
#ifndef STATION_EVENT_H
#define STATION_EVENT_H

#include "base/json.h"

enum event_kind {
    EVENT_BOOT,      /* on.boot(cp, info) → "Accepted" | "Pending" | "Rejected" [, {interval=}] */
    EVENT_AUTHORIZE, /* on.authorize(idTag, cp, ask) → status word [, {parentIdTag, expiryDate,
                        why}]; ask = {purpose = "authorize" | "start" | "stop", connector,
                        transaction} */
    EVENT_START,     /* on.start(tx); stored and answered already */
    EVENT_PRICE,     /* on.price(tx) → what it costs; once, before on.stop; cannot wait */
    EVENT_STOP,      /* on.stop(tx) */
    EVENT_METER,     /* on.meter(tx, m); m = normalised samples */
    EVENT_STATUS,    /* on.status(cp, connector, status, previous); changes only */
    EVENT_ONLINE,    /* on.online(cp) */
    EVENT_OFFLINE,   /* on.offline(cp) */
    EVENT_REMOTE_START_EXPIRED, /* on.remote_start_expired(cp, pending): no StartTransaction came */
    EVENT_REBALANCE,            /* on.rebalance(site): its chargers share their power anew */
    EVENT_REMINDER,             /* on.reminder(tx, name) */
    EVENT_ACTION, /* on.<Action>(cp, req): raw; answers DataTransfer and actions without a handler
                     of ours, observes the others */
    EVENT_KINDS
};

/* `data` by kind:
 *   BOOT    the payload of BootNotification, as repaired.
 *   METER   {"timestamp":ms,"energyWh":n,"powerW":n,"soc":n,"temperatureC":x,"voltageV":x,
 *           "currentA":x,"implausible":bool,"samples":[{"measurand","context","format","phase",
 *           "location","unit","value"}…]}: the newest meterValue of one MeterValues in a
 * transaction; what was not measured is not there; samples have their defaults filled in (V1).
 *   REMOTE_START_EXPIRED {"connectorId":n,"idTag":…,"createdMs":n,"vars":{…}}.
 *   START, PRICE, STOP, STATUS, ONLINE, OFFLINE, AUTHORIZE: NULL (look the objects up by their
 * ids). ACTION  the payload: as repaired where we have a table, as received where not. What a
 * verdict carries: BOOT word, extra.interval (s). AUTHORIZE word, extra.parentIdTag,
 * extra.expiryDate (text, or seconds since 1970). PRICE: the word is the total as text, extra is
 * {"currency":…,"digits":n,"total":n,"lines":[{"name":…,"amount":n…}…],"tariff"?:…}, checked and
 * rounded: integers of the currency's smallest unit, the total their sum. ACTION, DataTransfer: the
 * word is the status and extra.data the data, or no word and extra is the whole answer. ACTION,
 * others: extra is the answer, none is `{}`. */
struct event {
    enum event_kind kind;
    const char *cp;                /* identity */
    int64_t connector;             /* 1.6 connectorId = evse; ABSENT if none */
    int64_t transaction_id;        /* 0 if none */
    const char *id_tag;            /* upper-cased; NULL if none */
    const char *action;            /* EVENT_ACTION: exact spelling */
    const char *purpose;           /* EVENT_AUTHORIZE; EVENT_REMINDER: its name */
    const char *status, *previous; /* EVENT_STATUS */
    const char *site;              /* EVENT_REBALANCE: its name; cp is NULL */
    const struct json *data;       /* boot info, meter values, raw payload, or NULL */
    bool observe; /* EVENT_ACTION: answered elsewhere; a returned value is an error */
};

enum verdict_kind {
    VERDICT_NONE, /* no handler, or no opinion: the station's default applies */
    VERDICT_GIVEN,
    VERDICT_FAILED /* error, budget, deadline, cancelled: the event's safe default applies */
};

struct verdict {
    enum verdict_kind kind;
    const char *word;         /* GIVEN, for events answered by a word */
    const struct json *extra; /* second value as an object, or the raw answer; may be NULL */
    const char *why;  /* given by the policy or the error; for records, never for chargers */
    bool again;       /* FAILED: not run for want of room, or cut off with its generation */
    const char *file; /* which policy decided or failed; NULL if none */
    int64_t line;
    int64_t generation;
    bool stopping; /* FAILED because the server ends: it was not asked, or was cut off */
};

typedef void (*event_done)(void *ctx, const struct verdict *verdict);

#endif

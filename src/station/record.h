/* The rows that the station has written, as values: what goes to the store and what comes back.
 *
 * A batch is the unit of durability: all its records are committed in one transaction, in order,
 * exactly once, or none is. It owns its records and every string in them (one arena). The station
 * fills a batch on the loop thread, submits it, and never touches it again until `done` gives it
 * back there; results (`out_…`) are then filled in. Batches are committed in order of submission.
 * The same structs, filled by the store, restore the state at start (struct restore_sink). */
#ifndef STATION_RECORD_H
#define STATION_RECORD_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/strbuf.h"

#define ABSENT INT64_MIN /* an optional integer that is not there */

enum record_kind {
    RECORD_CHARGE_POINT,
    RECORD_CHARGE_POINT_DELETE,
    RECORD_CONNECTOR,
    RECORD_START_FIND, /* a read, in order with the writes: has this StartTransaction been seen? */
    RECORD_START,
    RECORD_STOP,
    RECORD_TRANSACTION_VARS,
    RECORD_PRICE,
    RECORD_FINISHED,
    RECORD_METER_VALUE,
    RECORD_STATUS,
    RECORD_MESSAGE,
    RECORD_DECISION,
    RECORD_SECURITY_EVENT,
    RECORD_JOB_STATUS, /* firmware, diagnostics and log upload notifications */
    RECORD_ID_TAG,
    RECORD_ID_TAG_DELETE,
    RECORD_KV,
    RECORD_KV_DELETE,
    RECORD_ORPHAN, /* a transaction message that fits no transaction: kept whole (X7, X8) */
    RECORD_EVENT,  /* something an operator or script may want to know: gap, clock not set, … */
    RECORD_COMMAND,
    RECORD_CONFIGURATION,
    RECORD_RESERVATION,
    RECORD_RESERVATION_END,
    RECORD_CHARGING_PROFILE,
    RECORD_CHARGING_PROFILE_CLEAR,
    RECORD_LOCAL_LIST,
    RECORD_AVAILABILITY,
    RECORD_JOB
};

/* The station as it was registered and as it last described itself. Upsert by id (no case). */
struct record_charge_point {
    const char *id;
    const char *registration;  /* "accepted", "pending", "rejected" */
    const char *password_hash; /* NULL: none set */
    int64_t security_profile;  /* 0 or 1; more with TLS */
    const char *options;       /* JSON object of per-station switches (charge_point.h) or NULL */
    const char *version;       /* "1.6"; NULL before the first connection */
    const char *vendor, *model, *serial, *firmware, *boot; /* boot: the last payload as JSON */
    int64_t created_ms, last_boot_ms, last_seen_ms;
    const char *vars; /* JSON object or NULL */
};
/* `options` is not NULL once an operator registered the station (PUT): then it is known even while
 * its registration is pending. */

/* Current state of a connector. Upsert by (cp, evse, connector); connector 0 is the controller. */
struct record_connector {
    const char *cp;
    int64_t evse, connector;
    const char *status, *error_code, *info, *vendor_id, *vendor_error_code;
    int64_t status_ms;          /* by the charger's clock, or receipt if it gave none */
    int64_t newest_start_ms;    /* of all StartTransactions: older ones may be repeats (X3) */
    int64_t last_meter_stop_wh; /* continuity (X12) */
};

enum transaction_state { TRANSACTION_OPEN, TRANSACTION_STOPPED };

/* Flags of a transaction; why its figures need care. */
enum transaction_flag {
    TX_REFUSED = 1 << 0,          /* the tag was not accepted (X6) */
    TX_SUSPECT_CLOCK = 1 << 1,    /* ordered by receipt (B11) */
    TX_SUSPECT_METER = 1 << 2,    /* unreadable, or meterStop < meterStart: no energy (X11) */
    TX_STALE = 1 << 3,            /* a later start on its connector, no stop (X15) */
    TX_ESTIMATED = 1 << 4,        /* closed by operator or policy */
    TX_GAP = 1 << 5,              /* meterStart is not the last meterStop (X12) */
    TX_LATE = 1 << 6,             /* start arrived long after it happened (X5) */
    TX_INCOMPLETE = 1 << 7,       /* fields that we need were missing from start or stop */
    TX_UNPRICED = 1 << 8,         /* the price handler failed */
    TX_SESSION_REGISTER = 1 << 9, /* samples are session energy (V6) */
    TX_PRICE_ESTIMATED = 1 << 10  /* the price is that of an estimate, the figures are the real ones
                                     that came after it (X15, finish.h) */
};

/* In: everything but `out_…`. Out: the id. If the repeat key (cp, evse, connector, idTag without
 * case, start_ms, meter_start_wh) is known, nothing is written, out_repeat is true and the other
 * out fields describe the first one (X3). Absent integers take part in the key as ABSENT. */
struct record_start {
    const char *cp;
    int64_t evse, connector;
    const char *station_id; /* the station's own id text (2.x), NULL in 1.6 */
    const char *id_tag;     /* as spelled */
    const char *parent_id_tag;
    int64_t start_ms;       /* as parsed, it is in the repeat key; order by received_ms if flags has
                               TX_SUSPECT_CLOCK (B11) */
    const char *start_text; /* the charger's own text */
    int64_t received_ms;
    int64_t meter_start_wh;
    const char *meter_start_text;
    int64_t reservation_id;
    const char *verdict; /* "Accepted", "Blocked", … as answered */
    const char *expiry;  /* as answered, or NULL */
    int64_t flags;
    int64_t generation;
    int64_t out_id;
    bool out_repeat;
    const char *out_verdict, *out_parent_id_tag, *out_expiry; /* in the batch's arena */
};

/* RECORD_START_FIND uses the key fields of struct record_start and sets out_repeat and out_…. */

enum stop_outcome {
    STOP_DONE,   /* was open, now stopped */
    STOP_REPEAT, /* had been stopped already, the same way or another: see out_differs (X9) */
    STOP_REPLACED_ESTIMATE, /* had been closed by an estimate, now has the real figures (X15) */
    STOP_UNKNOWN            /* no such transaction of this station (X7) */
};

struct record_stop {
    const char *cp;
    int64_t id;
    const char *id_tag; /* NULL when absent */
    int64_t stop_ms;
    const char *stop_text;
    int64_t received_ms;
    int64_t meter_stop_wh;
    const char *meter_stop_text;
    const char *reason; /* "Local" when absent (X10) */
    int64_t energy_wh;  /* ABSENT when it cannot be told. STOP_REPLACED_ESTIMATE: the station no
                           longer knows meterStart then, so the store computes it by X11 */
    int64_t set_flags;  /* or-ed into the row */
    const char *vars;   /* final tx.vars, JSON or NULL */
    bool due;           /* policies have to hear of it: until RECORD_FINISHED (finish.h) */
    enum stop_outcome out_outcome;
    bool out_differs;
    bool out_priced; /* REPLACED_ESTIMATE: the price of the estimate stays (TX_PRICE_ESTIMATED) */
    int64_t out_evse, out_connector; /* of the transaction, unless STOP_UNKNOWN */
};

struct record_transaction_vars {
    int64_t id;
    const char *vars;
    int64_t set_flags;
};

/* What a transaction costs (finish.h). Amounts are whole numbers of the currency's smallest unit;
 * the digits of the currency are kept with them. A price that is there is never replaced. */
struct record_price {
    const char *cp;
    int64_t id;
    const char *currency; /* ISO 4217; NULL: no price, only the flags */
    int64_t digits, total;
    const char *lines;  /* JSON: [{"name":…,"amount":n,"quantity"?,"unit"?,"unit_price"?}…] */
    const char *tariff; /* version of the tariff, or NULL */
    const char *file;   /* the policy that priced it */
    int64_t line, generation;
    int64_t set_flags; /* TX_UNPRICED, or 0 */
    int64_t ts_ms;
};

/* Price and on.stop of a transaction are through; it is not due any more. */
struct record_finished {
    int64_t id;
};

struct record_sample {
    const char *measurand, *context, *format, *phase, *location,
        *unit;         /* defaults filled in (V1) */
    const char *value; /* as received */
};

/* One meterValue. Rows with the same (cp, evse, connector, transaction, ts) and the same samples
 * are stored once: StopTransaction repeats what MeterValues sent before (X13). A transaction_id
 * that belongs to another charge point, or to none, is stored as 0 (Q8): only the store knows old
 * ones. */
struct record_meter_value {
    const char *cp;
    int64_t evse, connector;
    int64_t transaction_id; /* 0 = none */
    int64_t ts_ms, received_ms;
    int64_t energy_wh, power_w, soc; /* normalised (V3), ABSENT if not there or implausible */
    bool implausible;                /* marked, kept out of totals (V5) */
    const struct record_sample *samples;
    size_t sample_count;
};

struct record_status {
    const char *cp;
    int64_t evse, connector;
    const char *status, *error_code, *info, *vendor_id, *vendor_error_code;
    int64_t ts_ms, received_ms;
    bool repeat; /* same as before: counted, raises no event (Q36) */
};

struct record_message {
    const char *cp;
    int64_t connection;
    int64_t ts_ms;
    bool outgoing;
    const char *text;
    size_t len;
    const char *note; /* deviations and repairs, or NULL */
};

struct record_decision {
    const char *cp;
    int64_t ts_ms;
    const char *event;  /* "authorize", "start", "stop", "boot", "identify", "price" */
    const char *id_tag; /* or NULL */
    int64_t evse, connector, transaction_id;
    const char *verdict, *why;
    const char *file; /* NULL: the default answered */
    int64_t line, generation;
    const char *inputs; /* JSON */
    const char *answer; /* JSON, where the verdict is not all of it (price); or NULL */
};

struct record_security_event {
    const char *cp, *type, *tech_info;
    int64_t ts_ms, received_ms;
};

struct record_job_status {
    const char *cp, *kind; /* "firmware", "diagnostics", "log" */
    const char *status;
    int64_t request_id; /* or ABSENT */
    int64_t ts_ms;
};

struct record_id_tag {
    const char *id_tag; /* upsert without case; spelling of the newest */
    const char *status; /* "Accepted", "Blocked", … */
    int64_t expiry_ms;  /* or ABSENT */
    const char *parent_id_tag, *note;
    int64_t max_active; /* or ABSENT */
};

struct record_kv {
    const char *key, *value; /* JSON text */
    int64_t expires_ms;      /* or ABSENT */
};

struct record_orphan {
    const char *cp, *action, *payload, *why;
    int64_t ts_ms;
};

struct record_event {
    const char *cp;            /* or NULL */
    const char *kind, *detail; /* detail: JSON object */
    int64_t ts_ms;
};

/* ---- what we asked of chargers, and what they accepted ---- */

/* A CALL of ours. Upsert by id: written when it is asked, and again, whole, when it ends. */
struct record_command {
    const char *id; /* the message id of the CALL, a UUID */
    const char *cp, *action;
    const char *payload;  /* as sent, secrets blanked */
    const char *asked_by; /* name of the API key, "policy FILE", or NULL */
    const char *batch;    /* the batch of commands that it belongs to, or NULL */
    const char *state;    /* "queued"; ended: "accepted" (a CALLRESULT came), "error", "timeout",
                             "offline", "refused", "cancelled". What was queued when the server
                             died reads "unknown" after the next start (C3) */
    int64_t asked_ms;
    int64_t sent_ms, ended_ms; /* ABSENT */
    const char *response;      /* payload of the CALLRESULT, JSON, secrets blanked; or NULL */
    const char *error_code, *error_description, *error_details, *why; /* or NULL */
};

/* One configuration key as the charger told it (C5). Upsert by (cp, key), keys without case. */
struct record_configuration {
    const char *cp, *key;
    const char *value; /* NULL: it has none, or does not tell it */
    int64_t readonly;  /* 0, 1 or ABSENT */
    bool unknown;      /* the charger says that it does not know the key */
    bool reboot;       /* a change that works only after a reboot (RebootRequired) */
    bool told;         /* by GetConfiguration, which says nothing of that: it stays as it was */
    int64_t known_ms;
};

/* A reservation that the charger accepted (C8). Upsert by (cp, id). */
struct record_reservation {
    const char *cp;
    int64_t id, connector;
    const char *id_tag, *parent_id_tag; /* the latter or NULL */
    int64_t expiry_ms, accepted_ms;
};
/* Ends those of a charger that still stand: by id, or by connector with id ABSENT (N5; connector 0
 * ends all of them). Expiry by clock needs no record: queries compare (C8). */
struct record_reservation_end {
    const char *cp;
    int64_t id, connector;
    const char *state;      /* "USED", "CANCELLED", "FAULTED" */
    int64_t transaction_id; /* USED: by which; else ABSENT */
    int64_t ended_ms;
};

/* A charging profile that the charger accepted (P2, P4): replaces those of the same charger with
 * the same profile id, or with the same purpose, stack level and connector. */
struct record_charging_profile {
    const char *cp;
    int64_t connector, id, stack_level;
    const char *purpose;
    int64_t transaction_id; /* TxProfile, or ABSENT */
    const char *profile;    /* csChargingProfiles, JSON */
    int64_t accepted_ms;
};
/* Forgets those for which all given members hold (P4); none given: all of the charger. */
struct record_charging_profile_clear {
    const char *cp;
    int64_t id, connector, stack_level, transaction_id; /* ABSENT: any */
    const char *purpose;                                /* NULL: any */
    bool waiting;                                       /* only those that no transaction has yet */
};

/* A local list that the charger accepted (C9). `entries`: JSON array of {idTag, idTagInfo?}; full
 * replaces what was there, else an entry without idTagInfo removes that tag. */
struct record_local_list {
    const char *cp;
    int64_t version; /* as told by the charger; 0 = empty, -1 = not supported */
    bool full;
    const char *entries; /* NULL: only the version was told; another one forgets the entries */
    int64_t known_ms;
};

/* Availability that the charger accepted (C4). Upsert by (cp, connector); 0 = all of it. */
struct record_availability {
    const char *cp;
    int64_t connector;
    const char *type;   /* "Operative", "Inoperative" */
    const char *status; /* "Accepted", "Scheduled" */
    int64_t known_ms;
};

/* A firmware update or an upload of diagnostics or logs that the charger took on (W1, W2). A
 * RECORD_JOB_STATUS belongs to the newest job of its charger and kind, with the same request id if
 * it has one; the store keeps the newest status in the job's row. */
struct record_job {
    const char *command;   /* id of the command */
    const char *cp, *kind; /* "firmware", "diagnostics", "log" */
    const char *action;
    const char *location; /* credentials and tokens blanked (W4) */
    const char *file;     /* file name that the charger told, or NULL */
    int64_t request_id;   /* or ABSENT */
    int64_t accepted_ms;
};

struct record {
    enum record_kind kind;
    struct record *next;
    union {
        struct record_charge_point charge_point; /* …_DELETE uses id only */
        struct record_connector connector;
        struct record_start start;
        struct record_stop stop;
        struct record_transaction_vars transaction_vars;
        struct record_price price;
        struct record_finished finished;
        struct record_meter_value meter_value;
        struct record_status status;
        struct record_message message;
        struct record_decision decision;
        struct record_security_event security_event;
        struct record_job_status job_status;
        struct record_id_tag id_tag; /* …_DELETE uses id_tag only */
        struct record_kv kv;         /* …_DELETE uses key only */
        struct record_orphan orphan;
        struct record_event event;
        struct record_command command;
        struct record_configuration configuration;
        struct record_reservation reservation;
        struct record_reservation_end reservation_end;
        struct record_charging_profile charging_profile;
        struct record_charging_profile_clear charging_profile_clear;
        struct record_local_list local_list;
        struct record_availability availability;
        struct record_job job;
    };
};

struct batch {
    struct arena arena;
    struct record *first, *last;
    struct batch *next;                           /* the store's queue */
    uint64_t serial;                              /* the station's: of the rows of a turn */
    bool failed;                                  /* set before done: nothing of it was stored */
    void (*done)(void *ctx, struct batch *batch); /* NULL: nobody waits; the batch stays the
                                                     callee's only during the call */
    void *ctx;
};

/* Heap; the submitter's until submitted. */
struct batch *batch_new(void);
void batch_free(struct batch *batch);
/* Appends a zeroed record of that kind, with optional integers of all kinds still 0: set them. */
struct record *batch_add(struct batch *batch, enum record_kind kind);

/* A transaction that is open, or stopped and due, as the store gives it back at start. */
struct record_transaction {
    int64_t id;
    struct record_start start; /* in-fields */
    const char *vars;
    int64_t last_energy_wh, last_power_w, last_soc, last_sample_ms; /* ABSENT if none */
    bool due; /* stopped, not finished: what follows holds */
    int64_t stop_ms, meter_stop_wh, energy_wh;
    const char *reason;
    struct record_price price; /* if it was priced already: `currency` is there */
};

/* Where the store pours the state at start, in this order. Values are borrowed for the call. */
struct restore_sink {
    void *ctx;
    void (*charge_point)(void *ctx, const struct record_charge_point *row);
    void (*connector)(void *ctx, const struct record_connector *row);
    void (*transaction)(void *ctx, const struct record_transaction *row);
    /* Of the transaction before, oldest first; without samples but for its last hour. May be NULL.
     */
    void (*meter_value)(void *ctx, const struct record_meter_value *row);
    void (*id_tag)(void *ctx, const struct record_id_tag *row);
    void (*kv)(void *ctx, const struct record_kv *row);
};

#endif

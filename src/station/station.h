/* The heart: charge points, transactions, tags, and the way of a CALL from frame to answer.
 *
 * Knows nobody outside: sockets, SQL and Lua are reached through struct station_ports, which main
 * fills, so its tests run without any of them. Everything here runs on the loop thread. A CALL
 * becomes an item in its charger's lane (lane.h); the lane handles one item at a time, in order of
 * arrival, the policy events that follow from it included (on.online and on.offline run beside
 * them); other chargers never wait for it (R2). Handlers are one function per action in handle_*.c;
 * each ends in exactly one answer (call.h).
 *
 * Start reading: lane.h, call.h, handlers.c, then handle_start.c. */
#ifndef STATION_STATION_H
#define STATION_STATION_H

#include "base/random.h"
#include "base/timer.h"
#include "ocpp/handshake.h"
#include "ocpp/payload.h"
#include "station/charge_point.h"
#include "station/event.h"

struct station;

struct station_ports {
    void *ctx;
    /* Sends a text frame; false when that connection is gone or its queue is full (it is then being
     * closed). */
    bool (*send)(void *ctx, uint64_t connection, const char *text, size_t len);
    void (*close)(void *ctx, uint64_t connection, int code, const char *reason);
    /* Stops or resumes reading from it (bounded lanes). */
    void (*pause)(void *ctx, uint64_t connection, bool paused);
    /* Takes the batch over; batch->done brings it back on the loop thread. */
    void (*submit)(void *ctx, struct batch *batch_owned);
    /* Runs the policies; see event.h for when `done` is called. */
    void (*ask)(void *ctx, const struct event *event, event_done done, void *done_ctx);
    /* Is there any handler for this event or raw action? Saves building the event. */
    bool (*listens)(void *ctx, enum event_kind kind, const char *action);
};

enum admission_mode { ADMIT_CLOSED, ADMIT_PENDING, ADMIT_OPEN }; /* `registration` in the config */

struct station_settings {
    enum admission_mode registration;
    int64_t heartbeat_interval_s; /* 300; B1, B10 */
    int64_t pending_interval_s;   /* 60 */
    int64_t call_timeout_ms;      /* 30000; R3 */
    int64_t queue_timeout_ms;     /* 60000: how long a CALL of ours may wait to be sent */
    int64_t boot_grace_ms;        /* 10000; B9 */
    int64_t clock_tolerance_ms;   /* 5000; N2 */
    int64_t
        remote_start_ms;   /* 300000: how long a remote start may wait for its transaction (X16) */
    int64_t late_after_ms; /* 300000: a start older than this on arrival is late (X5) */
    bool strict;           /* default of the per-station switch */
    const char *authorize_default; /* "Invalid": nobody had an opinion */
    const char *authorize_failed;  /* "Invalid": the policy failed (A7) */
    bool log_messages;             /* fill the message table */
};

struct station *station_new(const struct station_settings *settings,
                            const struct station_ports *ports, struct timers *timers);
/* After every batch and event came back; CALLs of ours that wait end as cancelled. */
void station_free(struct station *st);
/* Pours the stored state in at start: pass to store_restore(). */
struct restore_sink station_restore_sink(struct station *st);
/* Once policies are loaded and before any charger connects: transactions that were stopped, but not
 * priced, or whose on.stop had not run, when the server ended (finish.h). */
void station_resume(struct station *st);
const struct station_settings *station_settings(const struct station *st);

/* ---- connections (called by the WebSocket server through main) ---- */

enum admission {
    ADMISSION_OK,
    ADMISSION_UNKNOWN /* 404 */,
    ADMISSION_CREDENTIALS /* 401 */,
    ADMISSION_BUSY /* 503 */
};
/* Before the 101 answer (T4, T5): may this station connect? `hs->identity` is set (by the path or
 * by on.identify); `invited` = a policy vouches for an unknown one. Changes nothing but the failure
 * cache and, when refused, the security event log (W3). */
enum admission station_admit(struct station *st, const struct handshake *hs, bool invited);
/* Which version to assume if the client offers no subprotocol (T8); NULL = none. */
const struct version *station_assumed_version(struct station *st, const char *identity);
/* The socket is up. Creates the charge point if new; an older connection of the same identity is
 * closed with 4000 "replaced" and its CALLs fail as offline (T13). `version` NULL is a bug. */
void station_connected(struct station *st, const char *identity, uint64_t connection,
                       const struct version *version, const char *peer);
void station_received(struct station *st, const char *identity, uint64_t connection,
                      const char *text, size_t len);
/* A late close of a replaced connection changes nothing (T13). */
void station_disconnected(struct station *st, const char *identity, uint64_t connection,
                          const char *why);
/* True when no CALL is being handled, no event runs, no batch is out or waits for station_flush():
 * for shutdown and tests. */
bool station_idle(const struct station *st);
/* Submits the rows that promise nothing (messages, statuses, decisions, vars, kv) as one batch;
 * main calls it once per turn of the loop, before sleeping. Durable rows never wait for it. */
void station_flush(struct station *st);

/* How far writing has come: rows written now are on disk once station_stored() has reached what
 * station_written() says now (or their batch has failed, which is counted and logged). */
uint64_t station_written(const struct station *st);
uint64_t station_stored(const struct station *st);
/* Calls fn(ctx) whenever station_stored() has risen. One listener; NULL: none. */
void station_on_stored(struct station *st, void (*fn)(void *ctx), void *ctx);

struct station_counters { /* since start, for /metrics */
    uint64_t calls_in, calls_out, repeats, deviations, unreadable, late_answers, orphans;
    uint64_t refused_admissions, failed_batches;
    uint64_t events_dropped[EVENT_KINDS]; /* a lane holds at most 4 of online/offline */
};
const struct station_counters *station_counters(const struct station *st);

/* ---- reading (policy, REST) ---- */

struct charge_point *station_find(struct station *st, const char *id); /* no case; NULL */
/* `size_t at = 0; while ((cp = station_next(st, &at)))`: in order of first contact. */
struct charge_point *station_next(struct station *st, size_t *at);
struct connector *station_connector(struct charge_point *cp, int64_t evse, int64_t connector);
/* An open one, or one whose on.stop runs (`stopped`); NULL. */
struct transaction *station_transaction(struct station *st, int64_t id);
struct transaction *station_transaction_next(struct station *st,
                                             size_t *at); /* open, oldest first */
const char *registration_text(enum registration registration);
/* Whole minutes etc. are derived by callers; energy so far of an open transaction by V6, or ABSENT.
 */
int64_t transaction_energy_wh(const struct transaction *tx);

/* ---- changing (REST, policy) ---- */

struct charge_point_change {  /* NULL or ABSENT = leave as it is */
    const char *registration; /* "accepted", "pending", "rejected" */
    const char *password;     /* bytes of `password_len`; empty removes it */
    size_t password_len;
    int64_t security_profile;
    const char *options; /* JSON object, replaces all switches */
};
typedef void (*change_done)(void *ctx, bool ok, const char *why);
/* Creates or changes; durable when `done` says ok. False and `why` at once for a bad value
 * (`done` is then not called). */
bool station_register(struct station *st, const char *id, const struct charge_point_change *change,
                      struct reason *why, change_done done, void *ctx);
/* Forgets the station: its socket is closed (4001), its transactions and history are kept. False:
 * unknown, or a transaction is open. */
bool station_delete(struct station *st, const char *id, struct reason *why, change_done done,
                    void *ctx);
/* After vars_set() on a charge point's or transaction's vars: written with the next flush. */
void charge_point_vars_changed(struct station *st, const char *id);
void transaction_vars_changed(struct station *st, int64_t id);
/* Ends an open transaction whose charger died, with its last reading, flagged TX_ESTIMATED; a real
 * StopTransaction that comes later replaces it (X15). on.stop runs. False: no such open one. */
bool station_transaction_close(struct station *st, int64_t id, struct reason *why, change_done done,
                               void *ctx);

/* ---- our CALLs to chargers ---- */

enum call_outcome {
    CALL_ANSWERED, /* response = payload of the CALLRESULT */
    CALL_ERROR,    /* error_code, description, details of its CALLERROR */
    CALL_TIMEOUT,
    CALL_OFFLINE, /* not connected, or the socket dropped while it waited */
    CALL_REFUSED, /* not sent: queue full, not accepted yet (B3, B4); see `why` */
    CALL_CANCELLED
};

struct call_result {
    enum call_outcome outcome;
    const char *id; /* of the command: the message id of the CALL */
    const struct json *response;
    struct span response_raw;
    const char *error_code, *description;
    const struct json *details;
    const char *why; /* readable, for every outcome but ANSWERED */
    bool queue_full; /* REFUSED because of that */
    int64_t ms;      /* from sending to the answer */
};
typedef void (*call_done)(void *ctx, const struct call_result *result);

struct command { /* everything is copied */
    const char *action;
    const char *payload;  /* JSON text of an object, sent as given (DESIGN.md §6): the caller's to
                             check with station_call_check() */
    int64_t timeout_ms;   /* for the answer; <= 0 = the default */
    const char *asked_by; /* for the record: API key, policy file; or NULL */
    const char *batch;    /* or NULL */
    const char *vars;     /* RemoteStartTransaction: JSON object that becomes part of tx.vars of the
                             transaction that comes of it (vehicleId, mac, kv …); or NULL */
};
/* Sends a command in its turn. `done` exactly once, maybe before this returns; may be NULL. `id`
 * (UUID_SIZE bytes, may be NULL) gets the command's id in any case. Recorded, with its result, by
 * RECORD_COMMAND; what the charger accepted is recorded by effects.c. Returns the serial for
 * station_cancel, 0 if it has ended already. */
uint64_t station_command(struct station *st, const char *cp, const struct command *command,
                         char *id, call_done done, void *ctx);
/* The same with nothing but action, payload and timeout. */
uint64_t station_call(struct station *st, const char *id, const char *action, const char *payload,
                      int64_t timeout_ms, call_done done, void *ctx);
void station_cancel(struct station *st, const char *id, uint64_t serial);
/* Is it a CS→CP action of the version the station speaks (1.6 if never connected), and is the
 * payload valid to the letter? `report` gets the faults; OCPP_NOT_IMPLEMENTED for an unknown
 * action, OCPP_NOT_SUPPORTED for one of the other direction. */
enum ocpp_error station_call_check(struct station *st, const char *id, const char *action,
                                   const struct json *payload, struct payload_report *report);

/* ---- remote starts that wait for their StartTransaction (X16; pending.c) ---- */

/* Made when a RemoteStartTransaction goes out, one per connector (a new one replaces it); gone when
 * the charger refuses it, when its StartTransaction comes (same charger, connector or none asked,
 * same tag: `vars` become part of tx.vars), by station_pending_drop(), or at expires_ms:
 * EVENT_REMOTE_START_EXPIRED. Survives restarts (a kv row each). */
struct pending_start {
    char *cp;
    int64_t connector; /* ABSENT: the charger chooses */
    char *id_tag;
    char *vars; /* JSON object or NULL */
    char command[UUID_SIZE];
    wall_t created_ms, expires_ms;
};
const struct pending_start *station_pending(struct station *st, const char *cp, int64_t connector);
const struct pending_start *station_pending_next(struct station *st, size_t *at); /* oldest first */
bool station_pending_drop(struct station *st, const char *cp, int64_t connector);
/* Merges a JSON object into its vars (autocharge). False: there is none, or no object. */
bool station_pending_note(struct station *st, const char *cp, int64_t connector, const char *json);

/* ---- reminders (remind.c) ---- */

/* EVENT_REMINDER after delay_ms, once, even if the server is restarted meanwhile; ends with the
 * transaction. The same name replaces; delay_ms ABSENT cancels. False and `why`: it is over, too
 * many, or no name. */
bool station_remind(struct station *st, int64_t id, const char *name, int64_t delay_ms,
                    struct reason *why);

/* ---- tags (REST; the default policy reads them beside its list) ---- */

struct id_tag {
    char *id_tag; /* spelling as given */
    char *status;
    wall_t expiry_ms; /* ABSENT */
    char *parent_id_tag, *note;
    int64_t max_active; /* ABSENT */
};
const struct id_tag *station_tag(struct station *st, const char *id_tag); /* no case; NULL */
const struct id_tag *station_tag_next(struct station *st, size_t *at);
bool station_tag_put(struct station *st, const struct id_tag *tag, struct reason *why,
                     change_done done, void *ctx);
bool station_tag_delete(struct station *st, const char *id_tag, change_done done, void *ctx);
/* All of them or none: one batch. False: `*bad` is the index of the one that does not fit. */
bool station_tags_import(struct station *st, const struct id_tag *tags, size_t count, size_t *bad,
                         struct reason *why, change_done done, void *ctx);

/* ---- the scripts' durable store ---- */

const char *station_kv_get(struct station *st, const char *key); /* JSON text, borrowed; NULL */
/* json NULL deletes; ttl_ms <= 0 = for ever. False: key over 255 bytes or value over 64 KiB. In
 * memory at once, on disk with the next commit. */
bool station_kv_set(struct station *st, const char *key, const char *json, int64_t ttl_ms,
                    struct reason *why);
/* The same for a value that keeps the time it has left; a new one stays for ever. */
bool station_kv_update(struct station *st, const char *key, const char *json, struct reason *why);
/* `size_t at = 0; while ((key = station_kv_next(st, &at)))`: in no particular order. */
const char *station_kv_next(struct station *st, size_t *at);

#endif

/* What the files of the simulated charger share: its struct, and who offers what to whom. Private
 * to sim/. "line:" and "place:" name the half that owns a function; see charger.h. */
#ifndef SIM_PARTS_H
#define SIM_PARTS_H

#include "base/json.h"
#include "base/map.h"
#include "base/random.h"
#include "base/timer.h"
#include "ocpp/charging.h"
#include "ocpp/frame.h"
#include "ocpp/payload.h"
#include "sim/charger.h"

/* ---- CALLs of ours (line: queue.c) ---- */

/* One CALL that waits for its turn or its answer. Transactional ones (Start, Stop, MeterValues of a
 * session) are kept over reconnects and repeated by TransactionMessageAttempts and
 * TransactionMessageRetryInterval until answered; others are lost with the connection. */
struct sim_call {
    struct sim_call *next;
    char id[UUID_SIZE];
    const char *action;
    char *payload; /* an object; without its closing brace if start_serial is set */
    bool transactional;
    bool sent;                   /* outstanding */
    bool triggered;              /* asked for by TriggerMessage: may go out while Pending (B3) */
    int attempts;                /* that the central system failed to process */
    mono_t not_before, deadline; /* of the next attempt; of the answer */
    int connector;               /* whose, 0 = none */
    /* "transactionId" of that start is added when it is sent; 0 none. A StartTransaction carries
     * its own serial for its answer, is a whole object, and nothing is added. */
    int64_t start_serial;
    void (*answered)(struct charger *charger, const struct sim_call *call,
                     const struct json *response); /* NULL response: refused or lost */
};
/* Queues a CALL behind the others; `payload` is taken over. Fill in the rest of what is returned
 * before the loop turns. */
struct sim_call *charger_call(struct charger *charger, const char *action, char *payload_owned);

/* ---- a connector and its session (place) ---- */

enum connector_status { /* words in connector.c */
                        STATUS_AVAILABLE,
                        STATUS_PREPARING,
                        STATUS_CHARGING,
                        STATUS_SUSPENDED_EV,
                        STATUS_SUSPENDED_EVSE,
                        STATUS_FINISHING,
                        STATUS_RESERVED,
                        STATUS_UNAVAILABLE,
                        STATUS_FAULTED
};

struct vehicle { /* vehicle.c: a battery that says what it takes */
    enum car_kind kind;
    double capacity_wh, soc; /* percent */
    double stalled_w;        /* negative: not stalled */
};

struct sampled_data {    /* meter.c: what StopTransaction tells in transactionData */
    struct strbuf items; /* meterValue objects, commas between them */
    bool full;           /* no more fit */
};

struct sim_connector {
    int id;
    struct vehicle car;
    bool plugged, locked;
    bool inoperative, inoperative_next; /* ChangeAvailability, at once and after the session */
    enum suspension suspended;
    char error_code[32];            /* "" = none */
    enum connector_status reported; /* the last status that was sent */
    enum connector_status latest;   /* the last that was seen; not sent if it does not last */
    char id_tag[64];                /* presented, or of the session */
    char parent_id_tag[64];
    enum session_phase { /* session.c */
                         SESSION_NONE,
                         SESSION_AUTHORIZING, /* the tag is being checked */
                         SESSION_WAITING,     /* authorized, the cable is not there yet */
                         SESSION_RUNNING, /* a transaction: StartTransaction is queued or sent */
                         SESSION_ENDED    /* stopped, still plugged in */
    } phase;
    bool remote;            /* started by RemoteStartTransaction */
    bool refused;           /* by the answer to StartTransaction, at refused_wh */
    bool energy_withheld;   /* so, but StopTransactionOnInvalidId is false */
    int64_t start_serial;   /* index into charger->ids; 0 none */
    int64_t remote_profile; /* id of a TxProfile that came with the remote start, or 0 */
    int64_t reservation;    /* id of the one that this session uses, or 0 */
    char stop_tag[64];      /* presented to end the session, being checked; "" none */
    char reported_error[32];
    wall_t started_ms, metered_ms, sampled_ms;
    double meter_wh, start_wh, refused_wh, power_w, temperature_c;
    double limit_w; /* of the profiles; negative: none */
    double fed_w;   /* what of power_w the feed knows */
    struct sampled_data stop_data;
    struct charger *charger; /* whose */
    struct timer steady;     /* MinimumStatusDuration: the status is told when it fires */
    struct timer timeout;    /* ConnectionTimeOut */
};

/* ---- the whole ---- */

struct feed { /* what all chargers of a fleet draw together, at any moment */
    double now_w, peak_w;
};

struct charger {
    struct charger_settings settings;
    struct arena arena; /* of the settings */
    struct loop *loop;
    struct timers *timers;
    struct ws_client_context *context;
    struct http_client *http;
    uint64_t random; /* state of its generator: charger_random() */
    charger_watch watch;
    void *watch_ctx;
    struct charger_figures figures;
    struct feed *feed; /* of its fleet; NULL: none */

    /* line */
    struct ws_client *client; /* NULL while there is none */
    struct ws_client *lost;   /* a connection that still looks open to the server (silent_loss) */
    bool online, accepted, network_down;
    char registration[12]; /* of the last boot: "Accepted", "Pending", "Rejected"; "" none */
    bool triggering;       /* what is queued now was asked for by TriggerMessage */
    int attempts;          /* to connect, since it last worked */
    int64_t boot_retry_s;
    enum reboot_phase { REBOOT_NONE, REBOOT_SOON, REBOOT_DRAINING, REBOOT_AWAY } rebooting;
    bool reboot_soft;
    const char *reboot_reason; /* of the StopTransactions after it; NULL: they stopped before */
    struct timer reconnect, heartbeat, patience, sender, reboot, pinger, late_close;
    struct sim_call *first, *last;
    size_t queued, outstanding;
    struct pending_answer *answers; /* answers.c: to be sent later (slow_answer) */
    int64_t *ids; /* by start serial: the transaction id, 0 while unknown, -1 if it never came */
    size_t id_count, id_room;
    struct config *config;      /* config.c */
    struct auth *auth;          /* auth.c: local list and cache */
    struct fault_state *faults; /* fault.c */
    struct frame_log *log;      /* NULL unless settings.log_frames */

    /* place */
    struct sim_connector *connectors;
    bool inoperative, inoperative_next; /* connector 0 */
    char error_code[32];                /* connector 0 */
    enum connector_status reported;     /* of connector 0 */
    char reported_error[32];
    bool dark;     /* no power: nothing is metered, sessions stand still */
    bool rebooted; /* a security event says so once the boot is accepted */
    struct timer metering, clock_aligned;
    struct reservation_book *reservations; /* reserve.c */
    struct profile_book *profiles;         /* profile.c */
    struct job_book *jobs;                 /* job.c: firmware, diagnostics, logs */
    struct certificate_book *certificates; /* security.c */
};

double charger_random(struct charger *charger); /* line: 0 ≤ x < 1 */
void charger_tell(struct charger *charger, const char *what, int connector,
                  const char *detail); /* line: calls watch */

/* ---- line, used by place ---- */

/* Not before BootNotification was accepted; queued ones wait for it. */
bool charger_may_send(const struct charger *charger);
void charger_send_boot(struct charger *charger);
void charger_send_heartbeat(struct charger *charger);
/* Reset (line): stops sessions first if soft (place: sessions_stop_all), closes or drops the
 * connection, stays away for settings.reboot_ms, comes back with a boot. */
void charger_reset(struct charger *charger, bool soft);
/* The moment as the charger's own clock tells it (clock faults), for payloads. Big enough: 48. */
void charger_time_text(struct charger *charger, wall_t at, char out[48]);
/* Configuration (config.c); keys as in the standard, values as text, never NULL for known keys. */
const char *config_text(const struct charger *charger, const char *key);
int64_t config_int(const struct charger *charger, const char *key); /* 0 if it is no number */
bool config_bool(const struct charger *charger, const char *key);
/* Local list, then cache, by LocalPreAuthorize, LocalAuthorizeOffline, LocalAuthListEnabled,
 * AuthorizationCacheEnabled, AllowOfflineTxForUnknownId. NULL: ask the central system. */
const char *auth_local_verdict(struct charger *charger, const char *id_tag);
const char *auth_parent(struct charger *charger, const char *id_tag); /* NULL: unknown or none */
void auth_remember(struct charger *charger, const char *id_tag, const struct json *id_tag_info);
/* Is this fault to show now (draws from the generator)? Names as in fault.c, a compile-time list.
 * The place asks for: meter_kwh (energy in kWh), meter_empty (value ""), meter_zero (momentary 0),
 * meter_watts_as_kw, meter_session_register (counts from the start of the session),
 * meter_stop_below_start, stop_without_tag, stop_junk_tag (two junk characters after it),
 * stop_group_tag (another tag: "GROUP-" and the session's), stop_unknown (a StopTransaction more,
 * of a transaction that never was), status_race (Finishing or Available before StopTransaction,
 * Charging before the answer to StartTransaction). An unknown name is a bug. The clock_* ones are
 * in charger_time_text(). */
bool fault_now(struct charger *charger, const char *name);

/* ---- place, used by line ---- */

void place_open(struct charger *charger); /* connectors, books, timers */
void place_close(struct charger *charger);
/* Boot accepted: the status of connector 0 and of every connector; job results after a reboot. */
void place_accepted(struct charger *charger);
/* A configuration key changed. */
void place_configured(struct charger *charger, const char *key);
void sessions_stop_all(struct charger *charger, const char *reason);
/* The power goes (hard reset, power cycle): nothing is metered until sessions_after_reboot(). */
void sessions_power_lost(struct charger *charger);
/* After power loss or a hard reset: sessions that ran stop with `reason`, time after the reboot. */
void sessions_after_reboot(struct charger *charger, const char *reason);
struct sim_connector *charger_connector(const struct charger *charger, int id); /* NULL */
void connector_send_status(struct charger *charger, int id); /* 0 = the charger itself */
void connector_send_meter(struct charger *charger, int id);  /* TriggerMessage MeterValues */
const char *connector_status_text(const struct charger *charger, int id);
/* TriggerMessage and ExtendedTriggerMessage: DiagnosticsStatusNotification,
 * FirmwareStatusNotification, SignedFirmwareStatusNotification or LogStatusNotification. */
void job_send_status(struct charger *charger, const char *action);
void security_send_csr(struct charger *charger); /* trigger SignChargePointCertificate */
/* SecurityEventNotification; `info` may be NULL. */
void security_event(struct charger *charger, const char *type, const char *info);
/* Its members of the state: "reservations", "profiles", "connectors". The line writes the rest. */
void place_write_state(const struct charger *charger, struct json_out *out);
/* Of charger.h the place has: charger_connectors, charger_plug … charger_set_soc. The line: _new,
 * _free, _identity, _set_network, _power_cycle, _send, the faults, the looking. */

/* ---- answers (line: answers.c has the table; each half its own functions) ---- */

/* Writes the payload of the CALLRESULT into `out`, or returns the error and writes nothing. The
 * request passed the table's check. What follows from it goes out after the answer: start it with
 * charger_call() or a timer. */
typedef enum ocpp_error (*answer_fn)(struct charger *charger, const struct json *request,
                                     struct json_out *out);
/* line */
enum ocpp_error answer_change_configuration(struct charger *, const struct json *,
                                            struct json_out *);
enum ocpp_error answer_get_configuration(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_clear_cache(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_get_local_list_version(struct charger *, const struct json *,
                                              struct json_out *);
enum ocpp_error answer_send_local_list(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_reset(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_trigger_message(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_data_transfer(struct charger *, const struct json *, struct json_out *);
/* place */
enum ocpp_error answer_change_availability(struct charger *, const struct json *,
                                           struct json_out *);
enum ocpp_error answer_remote_start(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_remote_stop(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_unlock_connector(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_reserve_now(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_cancel_reservation(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_set_charging_profile(struct charger *, const struct json *,
                                            struct json_out *);
enum ocpp_error answer_clear_charging_profile(struct charger *, const struct json *,
                                              struct json_out *);
enum ocpp_error answer_get_composite_schedule(struct charger *, const struct json *,
                                              struct json_out *);
enum ocpp_error answer_update_firmware(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_signed_update_firmware(struct charger *, const struct json *,
                                              struct json_out *);
enum ocpp_error answer_get_diagnostics(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_get_log(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_install_certificate(struct charger *, const struct json *,
                                           struct json_out *);
enum ocpp_error answer_delete_certificate(struct charger *, const struct json *, struct json_out *);
enum ocpp_error answer_get_installed_certificate_ids(struct charger *, const struct json *,
                                                     struct json_out *);
enum ocpp_error answer_certificate_signed(struct charger *, const struct json *, struct json_out *);

#endif

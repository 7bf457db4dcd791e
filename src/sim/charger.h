/* A simulated charge point: what a real one does on the wire, with a car at each connector.
 *
 * Two halves. The line (charger.c queue.c answers.c config.c auth.c fault.c): connects, boots,
 * heartbeats, reconnects, keeps transaction messages until they are answered, answers CALLs, has
 * configuration keys, a local list and a cache, and the faults of OCPP.md §15. The place
 * (connector.c session.c vehicle.c meter.c reserve.c profile.c job.c security.c): the state machine
 * of a connector, the car, meters, reservations, charging profiles, firmware and log transfers.
 * parts.h is what they share. Frames and tables are those of ocpp/. Thousands may live on one loop,
 * each a full charger; random choices come from one seeded generator per charger, so a run can be
 * repeated. Everything is on the loop thread and in the time of base/clock.h, which may run faster
 * than the real one. */
#ifndef SIM_CHARGER_H
#define SIM_CHARGER_H

#include "base/strbuf.h"
#include "net/http_client.h"
#include "net/ws_client.h"

struct charger;

enum car_kind { CAR_DC, CAR_AC };

struct charger_settings {
    const char *host;
    int port;
    const char *path; /* "/ocpp": the identity is appended, percent-encoded */
    const char *identity;
    const char *password;     /* NULL: none */
    int connectors;           /* 1 to 16 */
    enum car_kind kind;       /* of the charger: DC 120 to 180 kW, AC three-phase */
    int64_t power_w;          /* of one connector; DC 120000, AC 22000 */
    int64_t battery_wh;       /* of the cars, 75000 */
    double soc;               /* percent at which they come, 20 */
    int64_t meter_interval_s; /* MeterValueSampleInterval at first, 10 */
    int64_t boot_delay_ms;    /* before the first connection: fleets are staggered */
    int64_t reboot_ms;        /* how long a reset keeps it away, 2000 */
    bool autocharge;          /* sends DataTransfer MacID before it authorizes a VID: tag */
    bool log_frames;          /* keep the last 1000 frames for GET /log */
    uint64_t seed;
    const char *vendor, *model, *serial, *firmware;
};

/* Everything in the settings is copied. Connects after boot_delay_ms, and for ever. */
struct charger *charger_new(const struct charger_settings *settings, struct loop *loop,
                            struct ws_client_context *context, struct http_client *http);
void charger_free(struct charger *charger);
const char *charger_identity(const struct charger *charger);
int charger_connectors(const struct charger *charger);

/* ---- what a person at the charger does ----
 * False and why: unknown connector ("unknown connector"), or not possible now. */

/* `id_tag` NULL: only the cable. With a tag: presents it too, if `auto_start`. */
bool charger_plug(struct charger *charger, int connector, const char *id_tag, bool auto_start,
                  struct reason *why);
bool charger_unplug(struct charger *charger, int connector, struct reason *why);
/* Presents a tag: starts a session, or ends one (its own tag, or one of its group). Before
 * plugging in is allowed: the connector waits ConnectionTimeOut for the cable. */
bool charger_start(struct charger *charger, int connector, const char *id_tag, struct reason *why);
/* `reason`: "Local", "EmergencyStop" …; NULL = Local. */
bool charger_stop(struct charger *charger, int connector, const char *reason, struct reason *why);
/* Connector 0 is the charger itself. `error_code` as in StatusNotification. */
bool charger_set_fault(struct charger *charger, int connector, const char *error_code,
                       struct reason *why);
bool charger_clear_fault(struct charger *charger, int connector, struct reason *why);
enum suspension { SUSPENDED_NOT, SUSPENDED_BY_CAR, SUSPENDED_BY_CHARGER };
bool charger_suspend(struct charger *charger, int connector, enum suspension by,
                     struct reason *why);
/* The car draws only that much from now on (a stall: 0); negative: what it wants again. */
bool charger_stall(struct charger *charger, int connector, int64_t power_w, struct reason *why);
/* The car's battery; percent 0 to 100. */
bool charger_set_soc(struct charger *charger, int connector, double soc, struct reason *why);
/* The network goes away (without a Close) until it is brought back. */
void charger_set_network(struct charger *charger, bool up);
/* Power off and on again: running sessions stop with PowerLoss after the reboot. */
void charger_power_cycle(struct charger *charger);
/* Sends any CALL of its own, as given; false: not JSON, no such action. */
bool charger_send(struct charger *charger, const char *action, const char *payload,
                  struct reason *why);

/* ---- faults (fault.c) ---- */

/* Switches one of OCPP.md §15; probability 0 (off) to 1 for each occasion, by the charger's own
 * generator. False and why: unknown name. fault_next: names and meanings, for help and GET. */
bool charger_fault(struct charger *charger, const char *name, double probability,
                   struct reason *why);
bool charger_fault_next(size_t *at, const char **name, const char **doc);
double charger_fault_probability(const struct charger *charger, const char *name);

/* ---- looking ---- */

/* {"identity","online","accepted","registration","version","firmware","queued","reservations":[…],
 * "localListVersion","profiles":[…],"faults":{…},"connectors":[{"connectorId","status","errorCode",
 * "transactionId","idTag","plugged","meterWh","powerW","limitW","soc","startedAt","available"}…]}
 */
void charger_write_state(const struct charger *charger, struct strbuf *out);
/* The configuration: {"configurationKey":[{"key","readonly","value"}…]}. */
void charger_write_configuration(const struct charger *charger, struct strbuf *out);
/* {"frames":[{"at","direction":"in|out","text"}…]}, oldest first, of the last 1000. */
void charger_write_log(const struct charger *charger, struct strbuf *out);
/* Sets a configuration key as the installer at the charger would (readonly ones too). */
bool charger_configure(struct charger *charger, const char *key, const char *value,
                       struct reason *why);

/* Counters of one charger or, summed up, of a fleet. */
struct charger_figures {
    uint64_t calls_sent, calls_answered, calls_failed, calls_received, connects, disconnects, boots,
        sessions_started, sessions_stopped;
    int64_t energy_wh;
};
void charger_add_figures(const struct charger *charger, struct charger_figures *sum);

/* Something happened, for scenarios: "accepted", "offline", "status" (connector, word), "started",
 * "stopped" (connector, transaction id), "call" (action of the central system). May be NULL. */
typedef void (*charger_watch)(void *ctx, struct charger *charger, const char *what, int connector,
                              const char *detail);
void charger_on_event(struct charger *charger, charger_watch watch, void *ctx);

#endif

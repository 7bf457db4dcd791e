/* A simulated charge point: what a real one does on the wire, with a small car at each connector.
 *
 * Connects, boots, reports statuses, heartbeats, reconnects; answers every CALL of the central
 * system; plugging in, starting, metering and stopping follow the state machine of connector.c.
 * Frames and tables are those of ocpp/, so a fault there shows on both sides. Transaction messages
 * that were not acknowledged are kept and sent again after a reconnect, in order (rules X3, X5).
 * Loop thread only. Read charger.c for the connection, connector.c for charging, answers.c for
 * CALLs. */
#ifndef SIM_CHARGER_H
#define SIM_CHARGER_H

#include "base/strbuf.h"
#include "net/ws_client.h"

struct charger;

struct charger_settings {
    const char *host;
    int port;
    const char *path; /* "/ocpp": the identity is appended */
    const char *identity;
    const char *password; /* NULL: none */
    int connectors;
    int64_t power_w;          /* what a car draws, 120000 */
    int64_t meter_interval_s; /* 10: MeterValues while charging */
    const char *vendor, *model, *firmware;
};

/* Everything in the settings is copied. Connects at once and for ever. */
struct charger *charger_new(const struct charger_settings *settings, struct loop *loop,
                            struct ws_client_context *context);
void charger_free(struct charger *charger);

/* What a person at the charger does. False and why: unknown connector, or not possible now.
 * `id_tag` NULL: only the cable. Plugging in with a tag presents it too. */
bool charger_plug(struct charger *charger, int connector, const char *id_tag, struct reason *why);
bool charger_unplug(struct charger *charger, int connector, struct reason *why);
bool charger_start(struct charger *charger, int connector, const char *id_tag, struct reason *why);
bool charger_stop(struct charger *charger, int connector, const char *reason, struct reason *why);

/* {"identity":…,"online":…,"connectors":[{"connectorId":1,"status":…,"transactionId":…,…}]} */
void charger_write_state(const struct charger *charger, struct strbuf *out);
int charger_connectors(const struct charger *charger);

#endif

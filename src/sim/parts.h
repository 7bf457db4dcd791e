/* What the files of the simulated charger share. Private to sim/. */
#ifndef SIM_PARTS_H
#define SIM_PARTS_H

#include "base/json.h"
#include "ocpp/frame.h"
#include "ocpp/outbox.h"
#include "sim/charger.h"

enum connector_state { /* in the order of a session; words in connector.c */
                       CONNECTOR_AVAILABLE,
                       CONNECTOR_PREPARING,
                       CONNECTOR_CHARGING,
                       CONNECTOR_FINISHING,
                       CONNECTOR_UNAVAILABLE
};

struct sim_connector {
    int id;
    enum connector_state state;
    bool plugged, starting; /* a StartTransaction is on its way */
    bool operative;         /* ChangeAvailability */
    char id_tag[64];
    int64_t start_serial; /* of its transaction, an index into charger->ids; 0 none */
    int64_t meter_mwh;    /* register, in mWh so that short steps add up */
    double soc;           /* of the car, percent */
    wall_t started_ms, metered_ms;
};

/* One CALL that waits for its turn or its answer. Kept over reconnects when `transactional`. */
struct sim_call {
    struct sim_call *next;
    char id[UUID_SIZE];
    const char *action;
    char *payload;        /* an object; without its closing brace if start_serial is set */
    bool transactional;   /* kept over reconnects until it is answered */
    int connector;        /* StartTransaction: whose */
    int64_t start_serial; /* "transactionId" of that start is added when it is sent; 0 none */
    void (*answered)(struct charger *charger, const struct sim_call *call,
                     const struct json *response); /* NULL response: refused or lost */
};

struct charger {
    struct charger_settings settings;
    struct arena arena;
    struct loop *loop;
    struct ws_client_context *context;
    struct ws_client *client; /* NULL while there is none */
    bool online, accepted;
    int attempts;
    int64_t heartbeat_s;
    int64_t *ids; /* by start serial: the transaction id, 0 while unknown */
    size_t id_count, id_room;
    struct timer reconnect, heartbeat, metering, patience, sender;
    struct sim_call *first, *last; /* the first is outstanding while call_sent */
    bool call_sent;
    struct sim_connector *connectors;
};

/* charger.c: queues a CALL behind the others; `payload` is taken over. Fill in the rest of what is
 * returned before the loop turns. */
struct sim_call *charger_call(struct charger *charger, const char *action, char *payload_owned);
void charger_send_next(struct charger *charger);
void charger_send_boot(struct charger *charger);

/* connector.c */
struct sim_connector *charger_connector(const struct charger *charger, int id);
void connector_send_status(struct charger *charger, const struct sim_connector *connector);
void connector_send_all_statuses(struct charger *charger);
void connector_meter(struct charger *charger, struct sim_connector *connector);
const char *connector_state_text(const struct sim_connector *connector);

/* answers.c: the payload of the CALLRESULT, or the error. */
enum ocpp_error answer_call(struct charger *charger, const struct frame *frame,
                            struct strbuf *payload);

#endif

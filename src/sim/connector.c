/* Charging at one connector: plug, present a tag, start, meter, stop, unplug.
 *
 *     Available → Preparing → Charging → Finishing → Available
 *
 * Each step sends what a real charger sends, in the order seen in the field: Authorize before
 * StartTransaction, status after it (rules X14, N1). */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "sim/parts.h"

static const char *const state_words[] = {"Available", "Preparing", "Charging", "Finishing",
                                          "Unavailable"};

const char *connector_state_text(const struct sim_connector *connector)
{
    if (!connector->operative && connector->state == CONNECTOR_AVAILABLE)
        return state_words[CONNECTOR_UNAVAILABLE];
    return state_words[connector->state];
}

struct sim_connector *charger_connector(const struct charger *charger, int id)
{
    if (id < 1 || id > charger->settings.connectors)
        return NULL;
    return &charger->connectors[id - 1];
}

int charger_connectors(const struct charger *charger)
{
    return charger->settings.connectors;
}

/* ---- what it sends ---- */

static void send_status(struct charger *charger, int id, const char *status)
{
    char now[TIMETEXT_SIZE];
    timetext_seconds(wall_now(), now);
    charger_call(charger, "StatusNotification",
                 xprintf("{\"connectorId\":%d,\"errorCode\":\"NoError\",\"status\":\"%s\","
                         "\"timestamp\":\"%s\"}",
                         id, status, now));
}

void connector_send_status(struct charger *charger, const struct sim_connector *connector)
{
    if (charger->accepted)
        send_status(charger, connector->id, connector_state_text(connector));
}

void connector_send_all_statuses(struct charger *charger)
{
    send_status(charger, 0, "Available");
    for (int i = 0; i < charger->settings.connectors; i++)
        connector_send_status(charger, &charger->connectors[i]);
}

static void set_state(struct charger *charger, struct sim_connector *connector,
                      enum connector_state state)
{
    connector->state = state;
    connector_send_status(charger, connector);
}

static char *tag_payload(const char *id_tag)
{
    struct strbuf payload = {0};
    strbuf_adds(&payload, "{\"idTag\":");
    json_write_string(&payload, span_of(id_tag));
    strbuf_addc(&payload, '}');
    return strbuf_take(&payload, NULL);
}

static int64_t register_wh(const struct sim_connector *connector)
{
    return connector->meter_mwh / 1000;
}

/* ---- starting ---- */

static void on_started(struct charger *charger, const struct sim_call *call,
                       const struct json *response)
{
    struct sim_connector *connector = charger_connector(charger, call->connector);
    int64_t id = 0;
    json_int(json_get(response, "transactionId"), &id);
    charger->ids[call->start_serial] = id;
    const char *status = json_gets(json_get(response, "idTagInfo"), "status");
    if (connector->start_serial == call->start_serial && !text_is(status, "Accepted"))
        charger_stop(charger, connector->id, "DeAuthorized", NULL);
}

static int64_t new_serial(struct charger *charger)
{
    charger->ids = xgrow(charger->ids, charger->id_count, &charger->id_room, sizeof(*charger->ids));
    charger->ids[charger->id_count] = 0;
    return (int64_t)charger->id_count++;
}

static void start_transaction(struct charger *charger, struct sim_connector *connector)
{
    char now[TIMETEXT_SIZE];
    struct strbuf payload = {0};
    connector->started_ms = connector->metered_ms = wall_now();
    connector->start_serial = new_serial(charger);
    timetext_seconds(connector->started_ms, now);
    strbuf_addf(&payload,
                "{\"connectorId\":%d,\"meterStart\":%" PRId64 ",\"timestamp\":\"%s\",\"idTag\":",
                connector->id, register_wh(connector), now);
    json_write_string(&payload, span_of(connector->id_tag));
    strbuf_addc(&payload, '}');
    struct sim_call *call = charger_call(charger, "StartTransaction", strbuf_take(&payload, NULL));
    call->transactional = true;
    call->connector = connector->id;
    call->start_serial = connector->start_serial;
    call->answered = on_started;
    set_state(charger, connector, CONNECTOR_CHARGING);
}

static void on_authorized(struct charger *charger, const struct sim_call *call,
                          const struct json *response)
{
    struct sim_connector *connector = charger_connector(charger, call->connector);
    const char *status = json_gets(json_get(response, "idTagInfo"), "status");
    if (!connector->starting)
        return;
    connector->starting = false;
    if (text_is(status, "Accepted") && connector->plugged)
        start_transaction(charger, connector);
}

bool charger_start(struct charger *charger, int id, const char *id_tag, struct reason *why)
{
    struct sim_connector *connector = charger_connector(charger, id);
    if (!connector)
        return reason_set(why, "unknown connector");
    if (!connector->operative)
        return reason_set(why, "the connector is out of service");
    if (connector->state != CONNECTOR_PREPARING || connector->starting)
        return reason_set(why,
                          connector->plugged ? "a session is running" : "nothing is plugged in");
    text_copy(connector->id_tag, sizeof(connector->id_tag), span_of(id_tag));
    connector->starting = true;
    struct sim_call *call = charger_call(charger, "Authorize", tag_payload(id_tag));
    call->connector = id;
    call->answered = on_authorized;
    return true;
}

bool charger_plug(struct charger *charger, int id, const char *id_tag, struct reason *why)
{
    struct sim_connector *connector = charger_connector(charger, id);
    if (!connector)
        return reason_set(why, "unknown connector");
    if (connector->plugged)
        return reason_set(why, "already plugged in");
    if (!connector->operative)
        return reason_set(why, "the connector is out of service");
    connector->plugged = true;
    connector->soc = 20;
    set_state(charger, connector, CONNECTOR_PREPARING);
    return !id_tag || charger_start(charger, id, id_tag, why);
}

/* ---- charging ---- */

/* Energy since the last look; the power falls off above 80 percent as a DC car's does. */
static int64_t advance(const struct charger *charger, struct sim_connector *connector)
{
    const double capacity_wh = 75000;
    int64_t ms = wall_now() - connector->metered_ms;
    double share = connector->soc < 80 ? 1 : (100 - connector->soc) / 20;
    double power = (double)charger->settings.power_w * (share > 0 ? share : 0);
    connector->metered_ms += ms;
    connector->meter_mwh += (int64_t)(power * (double)ms / 3600);
    connector->soc += power * (double)ms / 3600000 / capacity_wh * 100;
    if (connector->soc > 100)
        connector->soc = 100;
    return (int64_t)power;
}

void connector_meter(struct charger *charger, struct sim_connector *connector)
{
    if (connector->state != CONNECTOR_CHARGING)
        return;
    char now[TIMETEXT_SIZE];
    int64_t power = advance(charger, connector);
    timetext_seconds(connector->metered_ms, now);
    struct sim_call *call = charger_call(
        charger, "MeterValues",
        xprintf("{\"connectorId\":%d,\"meterValue\":[{\"timestamp\":\"%s\",\"sampledValue\":["
                "{\"value\":\"%" PRId64 "\",\"measurand\":\"Energy.Active.Import.Register\","
                "\"unit\":\"Wh\"},"
                "{\"value\":\"%" PRId64 "\",\"measurand\":\"Power.Active.Import\",\"unit\":\"W\"},"
                "{\"value\":\"%.1f\",\"measurand\":\"SoC\",\"unit\":\"Percent\"}]}]",
                connector->id, now, register_wh(connector), power, connector->soc));
    call->transactional = true;
    call->start_serial = connector->start_serial;
}

/* ---- stopping ---- */

bool charger_stop(struct charger *charger, int id, const char *reason, struct reason *why)
{
    struct sim_connector *connector = charger_connector(charger, id);
    if (!connector)
        return reason_set(why, "unknown connector");
    if (connector->state != CONNECTOR_CHARGING)
        return reason_set(why, "no session is running");
    char now[TIMETEXT_SIZE];
    advance(charger, connector);
    timetext_seconds(connector->metered_ms, now);
    struct sim_call *call =
        charger_call(charger, "StopTransaction",
                     xprintf("{\"meterStop\":%" PRId64 ",\"timestamp\":\"%s\",\"reason\":\"%s\"",
                             register_wh(connector), now, reason));
    call->transactional = true;
    call->start_serial = connector->start_serial;
    connector->start_serial = 0;
    set_state(charger, connector, CONNECTOR_FINISHING);
    return true;
}

bool charger_unplug(struct charger *charger, int id, struct reason *why)
{
    struct sim_connector *connector = charger_connector(charger, id);
    if (!connector)
        return reason_set(why, "unknown connector");
    if (!connector->plugged)
        return reason_set(why, "nothing is plugged in");
    if (connector->state == CONNECTOR_CHARGING)
        charger_stop(charger, id, "EVDisconnected", why);
    connector->plugged = connector->starting = false;
    set_state(charger, connector, CONNECTOR_AVAILABLE);
    return true;
}

/* ---- looking ---- */

void charger_write_state(const struct charger *charger, struct strbuf *text)
{
    struct json_out out = {.to = text};
    json_open(&out, '{');
    json_key(&out, "identity");
    json_put_string(&out, charger->settings.identity);
    json_key(&out, "online");
    json_put_bool(&out, charger->online);
    json_key(&out, "accepted");
    json_put_bool(&out, charger->accepted);
    json_key(&out, "connectors");
    json_open(&out, '[');
    for (int i = 0; i < charger->settings.connectors; i++) {
        const struct sim_connector *connector = &charger->connectors[i];
        json_open(&out, '{');
        json_key(&out, "connectorId");
        json_put_int(&out, connector->id);
        json_key(&out, "status");
        json_put_string(&out, connector_state_text(connector));
        json_key(&out, "transactionId");
        json_put_int(&out, charger->ids[connector->start_serial]);
        json_key(&out, "meterWh");
        json_put_int(&out, register_wh(connector));
        json_key(&out, "soc");
        json_put_int(&out, (int64_t)connector->soc);
        json_close(&out, '}');
    }
    json_close(&out, ']');
    json_close(&out, '}');
}

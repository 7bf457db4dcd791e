/* What the simulated charge point answers to CALLs of the central system: one row per action.
 *
 * Actions without a row are answered NotSupported when the tables know them and NotImplemented when
 * they do not (rule R11), as a charger of few features does. */
#include "base/mem.h"
#include "ocpp/payload.h"
#include "sim/parts.h"

static const char *accepted_if(bool yes)
{
    return yes ? "{\"status\":\"Accepted\"}" : "{\"status\":\"Rejected\"}";
}

static const char *on_remote_start(struct charger *charger, const struct json *request)
{
    int64_t id = 1;
    json_int(json_get(request, "connectorId"), &id);
    return accepted_if(charger_start(charger, (int)id, json_gets(request, "idTag"), NULL));
}

static const char *on_remote_stop(struct charger *charger, const struct json *request)
{
    int64_t id = 0;
    json_int(json_get(request, "transactionId"), &id);
    for (int i = 0; i < charger->settings.connectors; i++) {
        const struct sim_connector *connector = &charger->connectors[i];
        if (connector->start_serial && charger->ids[connector->start_serial] == id)
            return accepted_if(charger_stop(charger, connector->id, "Remote", NULL));
    }
    return accepted_if(false);
}

static const char *on_change_availability(struct charger *charger, const struct json *request)
{
    int64_t id = 0;
    bool operative = text_is(json_gets(request, "type"), "Operative"), scheduled = false;
    json_int(json_get(request, "connectorId"), &id);
    if (id && !charger_connector(charger, (int)id))
        return accepted_if(false);
    for (int i = 0; i < charger->settings.connectors; i++) {
        struct sim_connector *connector = &charger->connectors[i];
        if (id && connector->id != id)
            continue;
        connector->operative = operative;
        scheduled |= connector->state == CONNECTOR_CHARGING;
        if (connector->state == CONNECTOR_AVAILABLE)
            connector_send_status(charger, connector);
    }
    return scheduled ? "{\"status\":\"Scheduled\"}" : accepted_if(true);
}

static const char *on_unlock(struct charger *charger, const struct json *request)
{
    int64_t id = 0;
    json_int(json_get(request, "connectorId"), &id);
    struct sim_connector *connector = charger_connector(charger, (int)id);
    if (!connector)
        return "{\"status\":\"NotSupported\"}";
    if (connector->state == CONNECTOR_CHARGING)
        charger_stop(charger, connector->id, "UnlockCommand", NULL);
    return "{\"status\":\"Unlocked\"}";
}

static const char *on_trigger(struct charger *charger, const struct json *request)
{
    const char *message = json_gets(request, "requestedMessage");
    if (text_is(message, "BootNotification"))
        charger_send_boot(charger);
    else if (text_is(message, "StatusNotification"))
        connector_send_all_statuses(charger);
    else if (text_is(message, "Heartbeat"))
        charger_call(charger, "Heartbeat", xstrdup("{}"));
    else if (text_is(message, "MeterValues"))
        for (int i = 0; i < charger->settings.connectors; i++)
            connector_meter(charger, &charger->connectors[i]);
    else
        return "{\"status\":\"NotImplemented\"}";
    return accepted_if(true);
}

static const char *on_clear_cache(struct charger *charger, const struct json *request)
{
    (void)charger, (void)request;
    return accepted_if(true);
}

static const char *on_local_list_version(struct charger *charger, const struct json *request)
{
    (void)charger, (void)request;
    return "{\"listVersion\":-1}"; /* not supported (rule C9) */
}

static const char *on_data_transfer(struct charger *charger, const struct json *request)
{
    (void)charger, (void)request;
    return "{\"status\":\"UnknownVendorId\"}";
}

static const struct {
    const char *action;
    const char *(*answer)(struct charger *charger, const struct json *request);
} rows[] = {
    {"ChangeAvailability", on_change_availability},
    {"ClearCache", on_clear_cache},
    {"DataTransfer", on_data_transfer},
    {"GetLocalListVersion", on_local_list_version},
    {"RemoteStartTransaction", on_remote_start},
    {"RemoteStopTransaction", on_remote_stop},
    {"TriggerMessage", on_trigger},
    {"UnlockConnector", on_unlock},
};

enum ocpp_error answer_call(struct charger *charger, const struct frame *frame,
                            struct strbuf *payload)
{
    const struct action *action = version_action(&version_16, span_of(frame->action));
    struct payload_report report = {0};
    if (!action)
        return OCPP_NOT_IMPLEMENTED;
    if (!payload_check(action->request, frame->payload, &report))
        return report.faults[0].error;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (text_is(rows[i].action, frame->action)) {
            strbuf_adds(payload, rows[i].answer(charger, frame->payload));
            return OCPP_OK;
        }
    }
    return OCPP_NOT_SUPPORTED;
}

/* RemoteStartTransaction and RemoteStopTransaction: a session begun or ended from afar.
 *
 * Accepted is a promise to try (X16): the tag may still be refused, the cable may not come. Without
 * a connectorId the charger chooses: one with a car that waits, else a free one. */
#include "base/mem.h"
#include "sim/place.h"

static void put_status(struct json_out *out, bool accepted)
{
    json_open(out, '{');
    json_key(out, "status");
    json_put_string(out, accepted ? "Accepted" : "Rejected");
    json_close(out, '}');
}

static bool suits(const struct charger *charger, const struct sim_connector *connector,
                  const char *id_tag, bool plugged)
{
    enum connector_status status = connector_status(charger, connector);
    bool waits = connector->plugged && (status == STATUS_PREPARING || status == STATUS_FINISHING) &&
                 (connector->phase == SESSION_NONE || connector->phase == SESSION_ENDED);
    bool free_one = status == STATUS_AVAILABLE || status == STATUS_RESERVED;
    return (plugged ? waits : free_one) &&
           reserve_verdict(charger, connector->id, id_tag, NULL) != RESERVE_OTHERS;
}

static struct sim_connector *choose(const struct charger *charger, const char *id_tag)
{
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < charger->settings.connectors; i++)
            if (suits(charger, &charger->connectors[i], id_tag, pass == 0))
                return &charger->connectors[i];
    return NULL;
}

static bool start(struct charger *charger, const struct json *request)
{
    const char *id_tag = json_gets(request, "idTag");
    const struct json *profile = json_get(request, "chargingProfile");
    int64_t id = 0;
    bool given = json_int(json_get(request, "connectorId"), &id);
    if (given && (id < 1 || id > charger->settings.connectors))
        return false;
    struct sim_connector *connector =
        given ? charger_connector(charger, (int)id) : choose(charger, id_tag);
    if (!connector || connector->phase == SESSION_AUTHORIZING ||
        connector->phase == SESSION_WAITING || session_running(connector))
        return false;
    if (profile && !profile_remote(charger, connector, profile, NULL))
        return false;
    if (session_present(charger, connector, id_tag, true, NULL))
        return true;
    profile_session_ended(charger, connector);
    return false;
}

enum ocpp_error answer_remote_start(struct charger *charger, const struct json *request,
                                    struct json_out *out)
{
    put_status(out, start(charger, request));
    return OCPP_OK;
}

enum ocpp_error answer_remote_stop(struct charger *charger, const struct json *request,
                                   struct json_out *out)
{
    struct sim_connector *found = NULL;
    int64_t id = 0;
    json_int(json_get(request, "transactionId"), &id);
    for (int i = 0; i < charger->settings.connectors; i++) {
        struct sim_connector *connector = &charger->connectors[i];
        if (session_running(connector) && session_transaction(charger, connector) == id)
            found = connector;
    }
    put_status(out, found != NULL);
    if (found)
        session_stop(charger, found, "Remote", NULL);
    return OCPP_OK;
}

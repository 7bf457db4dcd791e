/* A connector of the simulated charger: its status, availability, faults, lock, and the hands of a
 * person on it.
 *
 * The status is never set: connector_status() derives it from the facts (plugged, phase of the
 * session, suspended, reserved, inoperative, fault), and connector_update() tells it when it is
 * another one than the last that was told (N1). Connector 0 is the charger itself and independent
 * of the others. Start reading at connector_status(). */
#include "base/mem.h"
#include "base/timetext.h"
#include "sim/place.h"
#include "sim/vehicle.h"

static const char *const status_words[] = {
    [STATUS_AVAILABLE] = "Available",
    [STATUS_PREPARING] = "Preparing",
    [STATUS_CHARGING] = "Charging",
    [STATUS_SUSPENDED_EV] = "SuspendedEV",
    [STATUS_SUSPENDED_EVSE] = "SuspendedEVSE",
    [STATUS_FINISHING] = "Finishing",
    [STATUS_RESERVED] = "Reserved",
    [STATUS_UNAVAILABLE] = "Unavailable",
    [STATUS_FAULTED] = "Faulted",
};

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

bool word_allowed(const char *action, const char *field, const char *word)
{
    const struct action *row = version_action(&version_16, span_of(action));
    for (const struct field *at = row->request; word && at->name; at++)
        if (text_is(at->name, field))
            for (size_t i = 0; at->words && at->words[i]; i++)
                if (text_is(at->words[i], word))
                    return true;
    return false;
}

void put_time(struct charger *charger, struct json_out *out, const char *key, wall_t at)
{
    char text[48];
    charger_time_text(charger, at, text);
    json_key(out, key);
    json_put_string(out, text);
}

/* ---- status ---- */

static enum connector_status session_status(const struct sim_connector *connector)
{
    const struct vehicle *car = &connector->car;
    if (connector->suspended == SUSPENDED_BY_CHARGER || connector->energy_withheld)
        return STATUS_SUSPENDED_EVSE;
    if (!connector->plugged || connector->suspended == SUSPENDED_BY_CAR ||
        !(vehicle_wants_w(car) > 0))
        return STATUS_SUSPENDED_EV;
    if (connector->limit_w == 0) /* negative: no limit */
        return STATUS_SUSPENDED_EVSE;
    return STATUS_CHARGING;
}

enum connector_status connector_status(const struct charger *charger,
                                       const struct sim_connector *connector)
{
    if (connector->error_code[0])
        return STATUS_FAULTED;
    if (session_running(connector))
        return session_status(connector);
    if (connector->inoperative)
        return STATUS_UNAVAILABLE;
    if (connector->plugged && connector->phase == SESSION_ENDED)
        return STATUS_FINISHING;
    if (connector->plugged || connector->phase != SESSION_NONE)
        return STATUS_PREPARING;
    return reserve_holds(charger, connector->id) ? STATUS_RESERVED : STATUS_AVAILABLE;
}

static enum connector_status own_status(const struct charger *charger)
{
    if (charger->error_code[0])
        return STATUS_FAULTED;
    return charger->inoperative ? STATUS_UNAVAILABLE : STATUS_AVAILABLE;
}

const char *connector_status_text(const struct charger *charger, int id)
{
    const struct sim_connector *connector = charger_connector(charger, id);
    return status_words[connector ? connector_status(charger, connector) : own_status(charger)];
}

/* Offline nothing is told; after the next boot every status is. */
void connector_send_status(struct charger *charger, int id)
{
    const struct sim_connector *connector = charger_connector(charger, id);
    const char *error_code = connector ? connector->error_code : charger->error_code;
    struct strbuf payload = {0};
    struct json_out out = {.to = &payload};
    if ((id != 0 && !connector) || !place_may_tell(charger))
        return;
    json_open(&out, '{');
    json_key(&out, "connectorId");
    json_put_int(&out, id);
    json_key(&out, "errorCode");
    json_put_string(&out, error_code[0] ? error_code : "NoError");
    json_key(&out, "status");
    json_put_string(&out, connector_status_text(charger, id));
    put_time(charger, &out, "timestamp", wall_now());
    json_close(&out, '}');
    charger_call(charger, "StatusNotification", strbuf_take(&payload, NULL))->connector = id;
}

static bool changed(enum connector_status *reported, char reported_error[32],
                    enum connector_status now, const char *error_code)
{
    if (*reported == now && text_is(reported_error, error_code))
        return false;
    *reported = now;
    text_copy(reported_error, 32, span_of(error_code));
    return true;
}

static void tell_status(struct charger *charger, struct sim_connector *connector)
{
    enum connector_status now = connector_status(charger, connector);
    if (!changed(&connector->reported, connector->reported_error, now, connector->error_code))
        return;
    connector_send_status(charger, connector->id);
    charger_tell(charger, "status", connector->id, status_words[now]);
}

static void on_steady(struct timer *timer)
{
    struct sim_connector *connector = CONTAINER_OF(timer, struct sim_connector, steady);
    tell_status(connector->charger, connector);
}

/* A status that does not last MinimumStatusDuration is not told. */
void connector_update(struct charger *charger, struct sim_connector *connector)
{
    enum connector_status now = connector_status(charger, connector);
    int64_t steady_s = config_int(charger, "MinimumStatusDuration");
    if (now == STATUS_FAULTED || now == STATUS_UNAVAILABLE)
        reserve_down(charger, connector->id);
    if (steady_s <= 0)
        tell_status(charger, connector);
    else if (connector->latest != now)
        timer_start(charger->timers, &connector->steady, steady_s * 1000);
    connector->latest = now;
}

static void update_own(struct charger *charger)
{
    enum connector_status now = own_status(charger);
    if (!changed(&charger->reported, charger->reported_error, now, charger->error_code))
        return;
    connector_send_status(charger, 0);
    charger_tell(charger, "status", 0, status_words[now]);
    if (now == STATUS_FAULTED || now == STATUS_UNAVAILABLE)
        reserve_down(charger, 0);
}

void connector_update_all(struct charger *charger)
{
    update_own(charger);
    for (int i = 0; i < charger->settings.connectors; i++)
        connector_update(charger, &charger->connectors[i]);
}

/* ---- availability (C4) ---- */

static void set_availability(struct sim_connector *connector, bool inoperative, bool *scheduled)
{
    if (session_running(connector)) {
        connector->inoperative_next = inoperative;
        *scheduled |= inoperative != connector->inoperative;
        return;
    }
    connector->inoperative = connector->inoperative_next = inoperative;
}

enum ocpp_error answer_change_availability(struct charger *charger, const struct json *request,
                                           struct json_out *out)
{
    int64_t id = 0;
    bool inoperative = text_is(json_gets(request, "type"), "Inoperative"), scheduled = false;
    json_int(json_get(request, "connectorId"), &id);
    bool known = id >= 0 && id <= charger->settings.connectors;
    for (int i = 0; known && i < charger->settings.connectors; i++)
        if (id == 0 || id == i + 1)
            set_availability(&charger->connectors[i], inoperative, &scheduled);
    if (id == 0) {
        charger->inoperative_next = inoperative;
        if (!scheduled)
            charger->inoperative = inoperative;
    }
    json_open(out, '{');
    json_key(out, "status");
    json_put_string(out, !known ? "Rejected" : scheduled ? "Scheduled" : "Accepted");
    json_close(out, '}');
    connector_update_all(charger);
    return OCPP_OK;
}

void connector_session_over(struct charger *charger, struct sim_connector *connector)
{
    connector->inoperative = connector->inoperative_next;
    if (!sessions_any(charger))
        charger->inoperative = charger->inoperative_next;
    connector_update(charger, connector);
    update_own(charger);
}

/* C6: ends a running transaction. A lock that is broken stays shut. */
enum ocpp_error answer_unlock_connector(struct charger *charger, const struct json *request,
                                        struct json_out *out)
{
    int64_t id = 0;
    json_int(json_get(request, "connectorId"), &id);
    bool known = id >= 1 && id <= charger->settings.connectors;
    struct sim_connector *connector = known ? charger_connector(charger, (int)id) : NULL;
    bool stuck = known && text_is(connector->error_code, "ConnectorLockFailure");
    json_open(out, '{');
    json_key(out, "status");
    json_put_string(out, !known ? "NotSupported" : stuck ? "UnlockFailed" : "Unlocked");
    json_close(out, '}');
    if (known)
        session_stop(charger, connector, "UnlockCommand", NULL);
    if (known && !stuck)
        connector->locked = false;
    return OCPP_OK;
}

/* ---- what a person does ---- */

static struct sim_connector *known(const struct charger *charger, int id, struct reason *why)
{
    struct sim_connector *connector = charger_connector(charger, id);
    if (!connector)
        reason_set(why, "unknown connector");
    return connector;
}

bool charger_plug(struct charger *charger, int id, const char *id_tag, bool auto_start,
                  struct reason *why)
{
    struct sim_connector *connector = known(charger, id, why);
    if (!connector)
        return false;
    if (connector->plugged)
        return reason_set(why, "already plugged in");
    connector->plugged = true;
    if (session_running(connector)) /* the car of an interrupted session is back */
        connector->suspended = SUSPENDED_NOT;
    else
        vehicle_arrive(&connector->car, charger->settings.kind,
                       (double)charger->settings.battery_wh, charger->settings.soc);
    meter_advance(charger, connector);
    session_plugged(charger, connector);
    connector_update(charger, connector);
    if (!id_tag || !auto_start || session_running(connector))
        return true;
    return session_present(charger, connector, id_tag, false, why);
}

bool charger_unplug(struct charger *charger, int id, struct reason *why)
{
    struct sim_connector *connector = known(charger, id, why);
    if (!connector)
        return false;
    if (!connector->plugged)
        return reason_set(why, "nothing is plugged in");
    meter_advance(charger, connector);
    connector->plugged = false;
    session_unplugged(charger, connector);
    connector_update(charger, connector);
    return true;
}

bool charger_start(struct charger *charger, int id, const char *id_tag, struct reason *why)
{
    struct sim_connector *connector = known(charger, id, why);
    return connector && session_present(charger, connector, id_tag, false, why);
}

bool charger_stop(struct charger *charger, int id, const char *reason, struct reason *why)
{
    struct sim_connector *connector = known(charger, id, why);
    if (!connector)
        return false;
    if (!reason)
        reason = "Local";
    if (!word_allowed("StopTransaction", "reason", reason))
        return reason_set(why, "%.40s: expected a reason of StopTransaction, as Local", reason);
    if (!session_running(connector))
        return reason_set(why, "no session is running");
    session_stop(charger, connector, reason, text_is(reason, "Local") ? connector->id_tag : NULL);
    return true;
}

bool charger_set_fault(struct charger *charger, int id, const char *error_code, struct reason *why)
{
    struct sim_connector *connector = charger_connector(charger, id);
    if (!connector && id != 0)
        return reason_set(why, "unknown connector");
    if (!error_code)
        error_code = "OtherError";
    if (text_is(error_code, "NoError") ||
        !word_allowed("StatusNotification", "errorCode", error_code))
        return reason_set(why, "%.40s: expected an errorCode as GroundFailure", error_code);
    if (connector) {
        session_stop(charger, connector, "Other", NULL);
        text_copy(connector->error_code, sizeof(connector->error_code), span_of(error_code));
        connector_update(charger, connector);
    } else {
        text_copy(charger->error_code, sizeof(charger->error_code), span_of(error_code));
        update_own(charger);
    }
    return true;
}

bool charger_clear_fault(struct charger *charger, int id, struct reason *why)
{
    struct sim_connector *connector = charger_connector(charger, id);
    if (!connector && id != 0)
        return reason_set(why, "unknown connector");
    char *error_code = connector ? connector->error_code : charger->error_code;
    if (!error_code[0])
        return reason_set(why, "there is no fault");
    error_code[0] = '\0';
    connector_update_all(charger);
    return true;
}

bool charger_suspend(struct charger *charger, int id, enum suspension by, struct reason *why)
{
    struct sim_connector *connector = known(charger, id, why);
    if (!connector)
        return false;
    if (!session_running(connector))
        return reason_set(why, "no session is running");
    meter_advance(charger, connector);
    connector->suspended = by;
    meter_advance(charger, connector); /* the power is another one at once */
    connector_update(charger, connector);
    return true;
}

bool charger_stall(struct charger *charger, int id, int64_t power_w, struct reason *why)
{
    struct sim_connector *connector = known(charger, id, why);
    if (!connector)
        return false;
    if (!connector->plugged)
        return reason_set(why, "nothing is plugged in");
    meter_advance(charger, connector);
    connector->car.stalled_w = power_w < 0 ? -1 : (double)power_w;
    meter_advance(charger, connector); /* the power is another one at once */
    connector_update(charger, connector);
    return true;
}

bool charger_set_soc(struct charger *charger, int id, double soc, struct reason *why)
{
    struct sim_connector *connector = known(charger, id, why);
    if (!connector)
        return false;
    if (!(soc >= 0 && soc <= 100))
        return reason_set(why, "expected a percentage from 0 to 100");
    if (!connector->plugged)
        return reason_set(why, "nothing is plugged in");
    meter_advance(charger, connector);
    connector->car.soc = soc;
    meter_advance(charger, connector); /* the power is another one at once */
    connector_update(charger, connector);
    return true;
}

/* ---- the whole place ---- */

void place_open(struct charger *charger)
{
    int count = charger->settings.connectors;
    charger->connectors = xcalloc((size_t)count, sizeof(*charger->connectors));
    reserve_open(charger);
    profile_open(charger);
    job_open(charger);
    security_open(charger);
    for (int i = 0; i < count; i++) {
        struct sim_connector *connector = &charger->connectors[i];
        connector->id = i + 1;
        connector->charger = charger;
        connector->steady.fn = on_steady;
        session_open(charger, connector);
    }
    meter_open(charger);
}

void place_close(struct charger *charger)
{
    meter_close(charger);
    for (int i = 0; i < charger->settings.connectors; i++) {
        timer_stop(charger->timers, &charger->connectors[i].steady);
        session_close(charger, &charger->connectors[i]);
    }
    security_close(charger);
    job_close(charger);
    profile_close(charger);
    reserve_close(charger);
    XFREE(charger->connectors);
}

/* B7. */
void place_accepted(struct charger *charger)
{
    for (int i = 0; i <= charger->settings.connectors; i++)
        connector_send_status(charger, i);
    if (charger->rebooted)
        security_event(charger, "ResetOrReboot", NULL);
    charger->rebooted = false;
    job_accepted(charger);
}

void place_configured(struct charger *charger, const char *key)
{
    meter_configured(charger, key);
}

static void write_connector(const struct charger *charger, const struct sim_connector *connector,
                            struct json_out *out)
{
    bool running = session_running(connector);
    json_open(out, '{');
    json_key(out, "connectorId");
    json_put_int(out, connector->id);
    json_key(out, "status");
    json_put_string(out, connector_status_text(charger, connector->id));
    json_key(out, "errorCode");
    json_put_string(out, connector->error_code[0] ? connector->error_code : "NoError");
    json_key(out, "transactionId");
    if (running)
        json_put_int(out, session_transaction(charger, connector));
    else
        json_put_null(out);
    json_key(out, "idTag");
    json_put_string(out, connector->id_tag[0] ? connector->id_tag : NULL);
    json_key(out, "plugged");
    json_put_bool(out, connector->plugged);
    json_key(out, "locked");
    json_put_bool(out, connector->locked);
    json_key(out, "meterWh");
    json_put_int(out, meter_register_wh(connector));
    json_key(out, "powerW");
    json_put_int(out, (int64_t)(connector->power_w + 0.5));
    json_key(out, "limitW");
    if (connector->limit_w < 0)
        json_put_null(out);
    else
        json_put_int(out, (int64_t)connector->limit_w);
    json_key(out, "soc");
    if (connector->plugged)
        json_put_double(out, (double)(int64_t)(connector->car.soc * 10) / 10);
    else
        json_put_null(out);
    json_key(out, "startedAt");
    char started[TIMETEXT_SIZE];
    timetext_seconds(connector->started_ms, started);
    json_put_string(out, running ? started : NULL);
    json_key(out, "available");
    json_put_bool(out, !connector->inoperative);
    json_close(out, '}');
}

void place_write_state(const struct charger *charger, struct json_out *out)
{
    json_key(out, "reservations");
    reserve_write_state(charger, out);
    json_key(out, "profiles");
    profile_write_state(charger, out);
    json_key(out, "connectors");
    json_open(out, '[');
    for (int i = 0; i < charger->settings.connectors; i++)
        write_connector(charger, &charger->connectors[i], out);
    json_close(out, ']');
}

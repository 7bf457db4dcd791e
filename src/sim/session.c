/* A session at a connector: a tag and a cable, in either order, then a transaction.
 *
 *     NONE → AUTHORIZING → (WAITING for the cable) → RUNNING → ENDED → (unplugged) NONE
 *
 * Each step sends what a real charger sends, in the order seen in the field: Authorize before
 * StartTransaction, status Charging before its answer (X14). What the central system answers later
 * may find the session gone: answers are matched by tag or by start serial. Offline the local list
 * and the cache decide, and the messages wait (X5). Start reading at session_present(). */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim/place.h"

enum { ID_TAG_MAX = 20 };

bool session_running(const struct sim_connector *connector)
{
    return connector->phase == SESSION_RUNNING;
}

bool sessions_any(const struct charger *charger)
{
    for (int i = 0; i < charger->settings.connectors; i++)
        if (session_running(&charger->connectors[i]))
            return true;
    return false;
}

int64_t session_transaction(const struct charger *charger, const struct sim_connector *connector)
{
    return charger->ids[connector->start_serial];
}

static char *tag_payload(const char *id_tag)
{
    struct strbuf payload = {0};
    struct json_out out = {.to = &payload};
    json_open(&out, '{');
    json_key(&out, "idTag");
    json_put_string(&out, id_tag);
    json_close(&out, '}');
    return strbuf_take(&payload, NULL);
}

static bool authorize_is_for(const struct sim_call *call, const char *id_tag)
{
    char *payload = tag_payload(id_tag);
    bool same = text_is(call->payload, payload);
    xfree(payload);
    return same;
}

/* Back to where it was before the tag: the connector is free, or waits for another tag. */
static void forget(struct charger *charger, struct sim_connector *connector)
{
    timer_stop(charger->timers, &connector->timeout);
    connector->phase = SESSION_NONE;
    connector->id_tag[0] = connector->parent_id_tag[0] = '\0';
    connector->remote = false;
    profile_session_ended(charger, connector);
    connector_update(charger, connector);
}

/* ---- starting ---- */

static int64_t new_serial(struct charger *charger)
{
    charger->ids = xgrow(charger->ids, charger->id_count, &charger->id_room, sizeof(*charger->ids));
    charger->ids[charger->id_count] = 0;
    return (int64_t)charger->id_count++;
}

/* No answer at all (the attempts are used up): what follows carries -1 (X8). */
static void on_started(struct charger *charger, const struct sim_call *call,
                       const struct json *response)
{
    struct sim_connector *connector = charger_connector(charger, call->connector);
    const struct json *info = json_get(response, "idTagInfo");
    int64_t id = -1;
    json_int(json_get(response, "transactionId"), &id);
    charger->ids[call->start_serial] = id;
    if (connector->start_serial != call->start_serial || !session_running(connector))
        return;
    char detail[32];
    snprintf(detail, sizeof(detail), "%lld", (long long)id);
    charger_tell(charger, "started", connector->id, detail);
    if (!info)
        return;
    auth_remember(charger, connector->id_tag, info);
    if (text_is(json_gets(info, "status"), "Accepted"))
        return;
    meter_advance(charger, connector);
    connector->refused = true;
    connector->refused_wh = connector->meter_wh;
    session_judge(charger, connector);
}

/* X6: MaxEnergyOnInvalidId may still be taken; then StopTransactionOnInvalidId decides. */
void session_judge(struct charger *charger, struct sim_connector *connector)
{
    if (!session_running(connector) || !connector->refused)
        return;
    double taken = connector->meter_wh - connector->refused_wh;
    if (taken < (double)config_int(charger, "MaxEnergyOnInvalidId"))
        return;
    if (config_bool(charger, "StopTransactionOnInvalidId")) {
        session_stop(charger, connector, "DeAuthorized", NULL);
        return;
    }
    connector->energy_withheld = true;
    connector->power_w = 0;
    meter_feed(charger, connector);
    connector_update(charger, connector);
}

static void send_start(struct charger *charger, struct sim_connector *connector)
{
    struct strbuf payload = {0};
    struct json_out out = {.to = &payload};
    json_open(&out, '{');
    json_key(&out, "connectorId");
    json_put_int(&out, connector->id);
    json_key(&out, "idTag");
    json_put_string(&out, connector->id_tag);
    json_key(&out, "meterStart");
    json_put_int(&out, meter_register_wh(connector));
    if (connector->reservation) {
        json_key(&out, "reservationId");
        json_put_int(&out, connector->reservation);
    }
    put_time(charger, &out, "timestamp", connector->started_ms);
    json_close(&out, '}');
    struct sim_call *call = charger_call(charger, "StartTransaction", strbuf_take(&payload, NULL));
    call->transactional = true;
    call->connector = connector->id;
    call->start_serial = connector->start_serial;
    call->answered = on_started;
}

static void start_transaction(struct charger *charger, struct sim_connector *connector)
{
    timer_stop(charger->timers, &connector->timeout);
    meter_advance(charger, connector);
    connector->phase = SESSION_RUNNING;
    connector->locked = true;
    connector->suspended = SUSPENDED_NOT;
    connector->refused = connector->energy_withheld = false;
    connector->stop_tag[0] = '\0';
    connector->started_ms = wall_now();
    connector->start_wh = connector->meter_wh;
    connector->start_serial = new_serial(charger);
    connector->reservation =
        reserve_use(charger, connector->id, connector->id_tag, connector->parent_id_tag);
    charger->figures.sessions_started++;
    profile_session_began(charger, connector);
    meter_session_began(charger, connector);
    if (fault_now(charger, "status_race")) /* X14 */
        connector_update(charger, connector);
    send_start(charger, connector);
    connector_update(charger, connector);
}

static void on_connection_timeout(struct timer *timer)
{
    struct sim_connector *connector = CONTAINER_OF(timer, struct sim_connector, timeout);
    if (connector->phase == SESSION_WAITING)
        forget(connector->charger, connector);
}

/* The tag is good: with a cable the transaction starts, without one ConnectionTimeOut runs. */
static void authorized(struct charger *charger, struct sim_connector *connector)
{
    if (connector->inoperative || connector->error_code[0] ||
        reserve_verdict(charger, connector->id, connector->id_tag, connector->parent_id_tag) !=
            RESERVE_FREE) {
        forget(charger, connector);
        return;
    }
    if (connector->plugged) {
        start_transaction(charger, connector);
        return;
    }
    int64_t wait_s = config_int(charger, "ConnectionTimeOut");
    connector->phase = SESSION_WAITING;
    timer_start(charger->timers, &connector->timeout, (wait_s > 0 ? wait_s : 60) * 1000);
    connector_update(charger, connector);
}

static void take_parent(struct charger *charger, struct sim_connector *connector)
{
    const char *parent = auth_parent(charger, connector->id_tag);
    text_copy(connector->parent_id_tag, sizeof(connector->parent_id_tag),
              span_of(parent ? parent : ""));
}

static void judged(struct charger *charger, struct sim_connector *connector, const char *verdict)
{
    if (!text_is(verdict, "Accepted")) {
        forget(charger, connector);
        return;
    }
    if (!connector->parent_id_tag[0])
        take_parent(charger, connector);
    authorized(charger, connector);
}

/* No answer, because the line broke: then as if offline. */
static void on_authorized(struct charger *charger, const struct sim_call *call,
                          const struct json *response)
{
    struct sim_connector *connector = charger_connector(charger, call->connector);
    const struct json *info = json_get(response, "idTagInfo");
    if (connector->phase != SESSION_AUTHORIZING || !authorize_is_for(call, connector->id_tag))
        return;
    if (!info) {
        judged(charger, connector,
               charger_may_send(charger) ? NULL : auth_local_verdict(charger, connector->id_tag));
        return;
    }
    auth_remember(charger, connector->id_tag, info);
    const char *parent = json_gets(info, "parentIdTag");
    text_copy(connector->parent_id_tag, sizeof(connector->parent_id_tag),
              span_of(parent ? parent : ""));
    judged(charger, connector, json_gets(info, "status"));
}

/* Autocharge: the car told its MAC address, which comes as DataTransfer before its tag. */
static void send_mac(struct charger *charger, const char *id_tag)
{
    struct strbuf payload = {0};
    struct json_out out = {.to = &payload};
    json_open(&out, '{');
    json_key(&out, "vendorId");
    json_put_string(&out, charger->settings.vendor);
    json_key(&out, "messageId");
    json_put_string(&out, "MacID");
    json_key(&out, "data");
    json_put_string(&out, id_tag);
    json_close(&out, '}');
    charger_call(charger, "DataTransfer", strbuf_take(&payload, NULL));
}

static void authorize(struct charger *charger, struct sim_connector *connector)
{
    bool ask = !connector->remote || config_bool(charger, "AuthorizeRemoteTxRequests");
    if (charger->settings.autocharge && !strncmp(connector->id_tag, "VID:", 4) &&
        charger_may_send(charger))
        send_mac(charger, connector->id_tag);
    const char *verdict = ask ? auth_local_verdict(charger, connector->id_tag) : "Accepted";
    if (verdict || !charger_may_send(charger)) {
        judged(charger, connector, verdict);
        return;
    }
    struct sim_call *call = charger_call(charger, "Authorize", tag_payload(connector->id_tag));
    call->connector = connector->id;
    call->answered = on_authorized;
    connector_update(charger, connector);
}

/* ---- a tag ends a session ---- */

static bool same_group(const struct sim_connector *connector, const char *parent)
{
    return parent && parent[0] && text_is_ci(parent, connector->parent_id_tag);
}

static void on_stop_authorized(struct charger *charger, const struct sim_call *call,
                               const struct json *response)
{
    struct sim_connector *connector = charger_connector(charger, call->connector);
    const struct json *info = json_get(response, "idTagInfo");
    if (!connector->stop_tag[0] || !authorize_is_for(call, connector->stop_tag))
        return;
    if (info)
        auth_remember(charger, connector->stop_tag, info);
    if (text_is(json_gets(info, "status"), "Accepted") &&
        same_group(connector, json_gets(info, "parentIdTag")))
        session_stop(charger, connector, "Local", connector->stop_tag);
    connector->stop_tag[0] = '\0';
}

/* A4: the tag itself, or one of its group; of others the central system is asked for the group. */
static bool present_to_end(struct charger *charger, struct sim_connector *connector,
                           const char *id_tag, struct reason *why)
{
    if (text_is_ci(id_tag, connector->id_tag)) {
        session_stop(charger, connector, "Local", connector->id_tag);
        return true;
    }
    if (!connector->parent_id_tag[0])
        take_parent(charger, connector);
    const char *verdict = auth_local_verdict(charger, id_tag);
    const char *parent = auth_parent(charger, id_tag);
    if (text_is(verdict, "Accepted") && same_group(connector, parent)) {
        session_stop(charger, connector, "Local", id_tag);
        return true;
    }
    if (verdict || !connector->parent_id_tag[0] || !charger_may_send(charger))
        return reason_set(why, "the session belongs to another tag");
    text_copy(connector->stop_tag, sizeof(connector->stop_tag), span_of(id_tag));
    struct sim_call *call = charger_call(charger, "Authorize", tag_payload(id_tag));
    call->connector = connector->id;
    call->answered = on_stop_authorized;
    return true;
}

/* ---- a tag begins one ---- */

static bool may_begin(struct charger *charger, const struct sim_connector *connector,
                      const char *id_tag, bool remote, struct reason *why)
{
    if (connector->error_code[0] || charger->error_code[0])
        return reason_set(why, "the connector is faulted");
    if (connector->inoperative)
        return reason_set(why, "the connector is out of service");
    if (session_running(connector))
        return reason_set(why, "a session is running");
    if (connector->phase == SESSION_AUTHORIZING || connector->phase == SESSION_WAITING)
        return reason_set(why, "a tag was presented already");
    enum reserve_verdict reserved =
        reserve_verdict(charger, connector->id, id_tag, auth_parent(charger, id_tag));
    if (reserved == RESERVE_OTHERS || (reserved == RESERVE_ASK && !charger_may_send(charger)))
        return reason_set(why, "reserved for another tag");
    if (reserved == RESERVE_ASK && remote && !config_bool(charger, "AuthorizeRemoteTxRequests"))
        return reason_set(why, "reserved for another tag");
    return true;
}

bool session_present(struct charger *charger, struct sim_connector *connector, const char *id_tag,
                     bool remote, struct reason *why)
{
    size_t len = id_tag ? strlen(id_tag) : 0;
    if (len < 1 || len > ID_TAG_MAX || !utf8_valid(id_tag, len))
        return reason_set(why, "expected an idTag of 1 to %d characters", ID_TAG_MAX);
    if (session_running(connector) && !remote)
        return present_to_end(charger, connector, id_tag, why);
    if (!may_begin(charger, connector, id_tag, remote, why))
        return false;
    connector->phase = SESSION_AUTHORIZING;
    connector->remote = remote;
    connector->parent_id_tag[0] = '\0';
    text_copy(connector->id_tag, sizeof(connector->id_tag), span_of(id_tag));
    authorize(charger, connector);
    return true;
}

void session_plugged(struct charger *charger, struct sim_connector *connector)
{
    if (connector->phase == SESSION_ENDED)
        connector->phase = SESSION_NONE;
    if (connector->phase == SESSION_WAITING)
        authorized(charger, connector);
}

/* Without StopTransactionOnEVSideDisconnect the transaction goes on, suspended, until its tag ends
 * it or the car comes back. */
void session_unplugged(struct charger *charger, struct sim_connector *connector)
{
    if (session_running(connector)) {
        if (!config_bool(charger, "StopTransactionOnEVSideDisconnect")) {
            connector->power_w = 0;
            meter_feed(charger, connector);
            if (config_bool(charger, "UnlockConnectorOnEVSideDisconnect"))
                connector->locked = false;
            return;
        }
        session_stop(charger, connector, "EVDisconnected", NULL);
    }
    if (connector->phase == SESSION_AUTHORIZING)
        forget(charger, connector);
    if (connector->phase == SESSION_ENDED)
        forget(charger, connector);
}

/* ---- stopping ---- */

/* X10: the tag is optional; faults leave it out, spoil it, or tell another of the group. */
static void put_stop_tag(struct charger *charger, struct json_out *out, const char *id_tag)
{
    char text[ID_TAG_MAX + 8];
    if (!id_tag || fault_now(charger, "stop_without_tag"))
        return;
    text_copy(text, sizeof(text), span_of(id_tag));
    if (fault_now(charger, "stop_junk_tag")) {
        memcpy(text + strlen(text), "\x7f\x01", 3);
    } else if (fault_now(charger, "stop_group_tag")) {
        char *other = xprintf("GROUP-%s", id_tag);
        text_copy(text, ID_TAG_MAX + 1, span_of(other));
        xfree(other);
    }
    json_key(out, "idTag");
    json_put_string(out, text);
}

static void send_stop(struct charger *charger, struct sim_connector *connector, const char *reason,
                      const char *id_tag)
{
    struct strbuf payload = {0};
    struct json_out out = {.to = &payload};
    int64_t meter_wh = meter_register_wh(connector);
    if (fault_now(charger, "meter_stop_below_start"))
        meter_wh = (int64_t)connector->start_wh - 1;
    json_open(&out, '{');
    put_stop_tag(charger, &out, id_tag);
    json_key(&out, "meterStop");
    json_put_int(&out, meter_wh);
    put_time(charger, &out, "timestamp", wall_now());
    json_key(&out, "reason");
    json_put_string(&out, reason);
    if (connector->stop_data.items.len > 0) {
        json_key(&out, "transactionData");
        strbuf_addc(&payload, '[');
        strbuf_add(&payload, connector->stop_data.items.at, connector->stop_data.items.len);
        strbuf_addc(&payload, ']');
    } /* no brace: the line adds the transactionId */
    struct sim_call *call = charger_call(charger, "StopTransaction", strbuf_take(&payload, NULL));
    call->transactional = true;
    call->connector = connector->id;
    call->start_serial = connector->start_serial;
}

/* X7. */
static void send_unknown_stop(struct charger *charger)
{
    struct strbuf payload = {0};
    struct json_out out = {.to = &payload};
    json_open(&out, '{');
    json_key(&out, "meterStop");
    json_put_int(&out, 1);
    put_time(charger, &out, "timestamp", wall_now());
    json_key(&out, "transactionId");
    json_put_int(&out, 2000000000);
    json_close(&out, '}');
    charger_call(charger, "StopTransaction", strbuf_take(&payload, NULL))->transactional = true;
}

void session_stop(struct charger *charger, struct sim_connector *connector, const char *reason,
                  const char *id_tag)
{
    if (!session_running(connector))
        return;
    meter_advance(charger, connector);
    meter_session_ends(charger, connector);
    bool early = fault_now(charger, "status_race");
    char detail[32];
    snprintf(detail, sizeof(detail), "%lld", (long long)session_transaction(charger, connector));
    connector->phase = SESSION_ENDED;
    connector->power_w = 0;
    meter_feed(charger, connector);
    connector->locked = connector->refused = connector->energy_withheld = false;
    connector->suspended = SUSPENDED_NOT;
    if (!connector->plugged)
        connector->phase = SESSION_NONE;
    if (early) /* X14 */
        connector_update(charger, connector);
    send_stop(charger, connector, reason, id_tag);
    if (fault_now(charger, "stop_unknown"))
        send_unknown_stop(charger);
    profile_session_ended(charger, connector);
    strbuf_clear(&connector->stop_data.items);
    connector->stop_data.full = false;
    connector->start_serial = connector->reservation = 0;
    connector->remote = false;
    if (connector->phase == SESSION_NONE)
        connector->id_tag[0] = connector->parent_id_tag[0] = '\0';
    charger->figures.sessions_stopped++;
    charger->figures.energy_wh += (int64_t)(connector->meter_wh - connector->start_wh);
    connector_session_over(charger, connector);
    charger_tell(charger, "stopped", connector->id, detail);
}

void sessions_stop_all(struct charger *charger, const char *reason)
{
    if (text_is(reason, "SoftReset") || text_is(reason, "Reboot"))
        charger->rebooted = true;
    for (int i = 0; i < charger->settings.connectors; i++) {
        struct sim_connector *connector = &charger->connectors[i];
        if (connector->phase == SESSION_AUTHORIZING || connector->phase == SESSION_WAITING)
            forget(charger, connector);
        session_stop(charger, connector, reason, NULL);
    }
}

void sessions_power_lost(struct charger *charger)
{
    for (int i = 0; i < charger->settings.connectors; i++)
        meter_advance(charger, &charger->connectors[i]);
    charger->dark = true;
    job_power_lost(charger);
}

/* C4: the time of these stops is that after the reboot. */
void sessions_after_reboot(struct charger *charger, const char *reason)
{
    for (int i = 0; i < charger->settings.connectors; i++)
        meter_advance(charger, &charger->connectors[i]);
    charger->dark = false;
    charger->rebooted = true;
    sessions_stop_all(charger, reason);
}

void session_open(struct charger *charger, struct sim_connector *connector)
{
    (void)charger;
    connector->limit_w = -1;
    connector->temperature_c = 20;
    connector->metered_ms = wall_now();
    connector->timeout.fn = on_connection_timeout;
}

void session_close(struct charger *charger, struct sim_connector *connector)
{
    timer_stop(charger->timers, &connector->timeout);
    strbuf_clear(&connector->stop_data.items);
}

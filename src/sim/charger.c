/* The connection and the life of a simulated charge point: handshake, boot, heartbeat, reconnect,
 * reset, power and network.
 *
 * A charger is up or rebooting (`rebooting`), and connected or not. Up and not connected it tries
 * again with a growing wait, for ever. What it keeps over a reboot: configuration, local list,
 * cache, transaction messages. Registration belongs to the boot, not to the connection (T14): a
 * reconnect sends no BootNotification unless a fault wants one. Waits for the network and for the
 * server are in real time (clock_real_ms), all others in that of base/clock.h. Start at
 * connect_now(). */
#include "sim/charger.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "sim/line.h"

enum {
    CONNECT_MS = 10 * 1000, /* real time, these five */
    RECONNECT_MS = 1000,
    RECONNECT_MAX_MS = 30 * 1000,
    DRAIN_MS = 10 * 1000, /* a soft reset waits so long for its StopTransactions */
    ANSWER_LEAVES_MS = 100,
    LATE_CLOSE_MS = 60 * 1000, /* of a connection that was lost silently */
    BOOT_RETRY_S = 60,         /* when the central system leaves it to us (B1) */
    PINGS_MISSED = 3           /* then the server is gone */
};

static const char *identity_of(const struct charger *charger)
{
    return charger->settings.identity;
}

/* splitmix64; 53 bits make the double. */
double charger_random(struct charger *charger)
{
    uint64_t z = charger->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

void charger_tell(struct charger *charger, const char *what, int connector, const char *detail)
{
    if (charger->watch)
        charger->watch(charger->watch_ctx, charger, what, connector, detail);
}

bool charger_put(struct charger *charger, enum ws_client_form form, struct span text)
{
    if (!charger->online)
        return false;
    frame_log_add(charger, false, text);
    return ws_client_send_as(charger->client, form, text.at, text.len);
}

/* ---- boot and heartbeat ---- */

static void arm_heartbeat(struct charger *charger)
{
    int64_t wait_s =
        charger->accepted ? config_int(charger, "HeartbeatInterval") : charger->boot_retry_s;
    if (charger->online && wait_s > 0)
        timer_start(charger->timers, &charger->heartbeat, wait_s * 1000);
    else
        timer_stop(charger->timers, &charger->heartbeat);
}

static void arm_pinger(struct charger *charger)
{
    int64_t wait_ms = config_int(charger, "WebSocketPingInterval") * 1000;
    if (charger->online && wait_ms > 0)
        timer_start(charger->timers, &charger->pinger, clock_real_ms(wait_ms));
    else
        timer_stop(charger->timers, &charger->pinger);
}

void charger_retime(struct charger *charger)
{
    arm_pinger(charger);
    if (charger->accepted)
        arm_heartbeat(charger);
}

static void take_for_accepted(struct charger *charger)
{
    charger->accepted = true;
    charger_tell(charger, "accepted", 0, identity_of(charger));
    place_accepted(charger);
    arm_heartbeat(charger);
}

static void on_boot_answered(struct charger *charger, const struct sim_call *call,
                             const struct json *response)
{
    (void)call;
    const char *status = json_gets(response, "status");
    int64_t interval = 0;
    json_int(json_get(response, "interval"), &interval);
    if (!charger->online)
        return; /* lost with the line; the next connection boots again */
    if (!status) {
        arm_heartbeat(charger);
        return;
    }
    LOG(LOG_INFO, "boot answered", L_STR("cp", identity_of(charger)), L_STR("status", status),
        L_INT("interval_s", interval));
    text_copy(charger->registration, sizeof(charger->registration), span_of(status));
    charger->accepted = false;
    charger->boot_retry_s = interval > 0 ? interval : BOOT_RETRY_S;
    if (!text_is(status, "Accepted")) {
        arm_heartbeat(charger);
        return;
    }
    if (interval > 0) {
        char *text = xprintf("%" PRId64, interval);
        config_change(charger, "HeartbeatInterval", text, true);
        xfree(text);
    }
    charger->figures.boots++;
    take_for_accepted(charger);
}

/* First in the queue: transaction messages from before must wait for it. */
void charger_send_boot(struct charger *charger)
{
    const struct charger_settings *settings = &charger->settings;
    const struct {
        const char *key, *value;
    } members[] = {{"chargePointVendor", settings->vendor},
                   {"chargePointModel", settings->model},
                   {"chargePointSerialNumber", settings->serial},
                   {"firmwareVersion", settings->firmware}};
    struct strbuf payload = {0};
    struct json_out out = {.to = &payload};
    if (queue_has(charger, "BootNotification"))
        return;
    json_open(&out, '{');
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (!members[i].value)
            continue;
        json_key(&out, members[i].key);
        json_put_string(&out, members[i].value);
    }
    json_close(&out, '}');
    struct sim_call *boot = charger_call(charger, "BootNotification", strbuf_take(&payload, NULL));
    boot->answered = on_boot_answered;
    queue_first(charger, boot);
}

void charger_send_heartbeat(struct charger *charger)
{
    charger_call(charger, "Heartbeat", xstrdup("{}"));
}

/* ---- the connection goes ---- */

static void come_back(struct charger *charger)
{
    int64_t wait = (int64_t)RECONNECT_MS << (charger->attempts < 5 ? charger->attempts : 5);
    if (charger->rebooting == REBOOT_AWAY || charger->network_down)
        return;
    charger->attempts++;
    wait = wait > RECONNECT_MAX_MS ? RECONNECT_MAX_MS : wait;
    wait = (int64_t)((double)wait * (0.75 + charger_random(charger) / 2));
    timer_start(charger->timers, &charger->reconnect, clock_real_ms(wait));
}

static void reboot_away(struct charger *charger, const char *reason);

/* The socket is given up already. */
static void line_down(struct charger *charger, const char *why)
{
    bool was_online = charger->online;
    charger->online = false;
    timer_stop(charger->timers, &charger->heartbeat);
    timer_stop(charger->timers, &charger->pinger);
    timer_stop(charger->timers, &charger->reconnect);
    answers_forget(charger);
    queue_line_lost(charger);
    if (was_online) {
        charger->figures.disconnects++;
        charger_tell(charger, "offline", 0, why);
    }
    if (charger->rebooting == REBOOT_SOON || charger->rebooting == REBOOT_DRAINING)
        reboot_away(charger, charger->reboot_soft ? NULL : "HardReset");
    else
        come_back(charger);
}

static void on_closed(void *ctx, int status, int code, const char *why)
{
    struct charger *charger = ctx;
    LOG(LOG_INFO, "not connected", L_STR("cp", identity_of(charger)), L_STR("reason", why),
        L_INT("status", status), L_INT("code", code));
    ws_client_free(charger->client);
    charger->client = NULL;
    if (status == 401)
        config_login_refused(charger);
    line_down(charger, why);
}

static void on_lost_closed(void *ctx, int status, int code, const char *why)
{
    (void)status, (void)code, (void)why;
    struct charger *charger = ctx;
    timer_stop(charger->timers, &charger->late_close);
    ws_client_free(charger->lost);
    charger->lost = NULL;
}

static void on_late_close(struct timer *timer)
{
    struct charger *charger = CONTAINER_OF(timer, struct charger, late_close);
    ws_client_free(charger->lost);
    charger->lost = NULL;
}

/* T13: for the server the connection still looks open; its close comes late. */
static void lose_silently(struct charger *charger)
{
    const struct ws_client_hooks hooks = {.closed = on_lost_closed, .ctx = charger};
    ws_client_free(charger->lost);
    charger->lost = charger->client;
    charger->client = NULL;
    ws_client_abandon(charger->lost, &hooks);
    timer_start(charger->timers, &charger->late_close, clock_real_ms(LATE_CLOSE_MS));
}

/* Ends TCP without a Close, or not even that. */
static void cut_line(struct charger *charger)
{
    if (!charger->client)
        return;
    if (charger->online && fault_now(charger, "silent_loss")) {
        lose_silently(charger);
        return;
    }
    ws_client_drop(charger->client);
    ws_client_free(charger->client);
    charger->client = NULL;
}

void charger_drop_line(struct charger *charger)
{
    cut_line(charger);
    line_down(charger, "dropped");
}

void charger_set_network(struct charger *charger, bool up)
{
    if (charger->network_down == !up)
        return;
    charger->network_down = !up;
    if (!up) {
        cut_line(charger);
        line_down(charger, "network down");
    } else if (charger->rebooting != REBOOT_AWAY) {
        charger->attempts = 0;
        timer_start(charger->timers, &charger->reconnect, 0);
    }
}

static void on_heartbeat(struct timer *timer)
{
    struct charger *charger = CONTAINER_OF(timer, struct charger, heartbeat);
    if (charger->accepted && fault_now(charger, "silent_loss")) {
        lose_silently(charger);
        line_down(charger, "lost silently");
        return;
    }
    if (!charger->accepted)
        charger_send_boot(charger);
    else if (!fault_now(charger, "no_heartbeat"))
        charger_send_heartbeat(charger);
    arm_heartbeat(charger);
}

/* The server is watched by its pongs. */
static void on_pinger(struct timer *timer)
{
    struct charger *charger = CONTAINER_OF(timer, struct charger, pinger);
    int64_t wait_ms = clock_real_ms(config_int(charger, "WebSocketPingInterval") * 1000);
    if (mono_now() - ws_client_heard(charger->client) > wait_ms * PINGS_MISSED) {
        charger_drop_line(charger);
        return;
    }
    ws_client_ping(charger->client);
    arm_pinger(charger);
}

/* ---- the connection comes ---- */

static void on_opened(void *ctx, const char *subprotocol)
{
    struct charger *charger = ctx;
    LOG(LOG_INFO, "connected", L_STR("cp", identity_of(charger)),
        L_STR("subprotocol", subprotocol));
    charger->online = true;
    charger->attempts = 0;
    charger->figures.connects++;
    if (fault_now(charger, "no_pong"))
        ws_client_ignore_pings(charger->client);
    arm_pinger(charger);
    if (charger->accepted && fault_now(charger, "boot_on_reconnect"))
        charger->accepted = false;
    if (charger->accepted) { /* what changed while offline nobody was told */
        for (int id = 0; id <= charger->settings.connectors; id++)
            connector_send_status(charger, id);
        arm_heartbeat(charger);
    } else if (fault_now(charger, "no_boot")) {
        text_copy(charger->registration, sizeof(charger->registration), SPAN("Accepted"));
        take_for_accepted(charger);
    } else {
        charger_send_boot(charger);
    }
    queue_send(charger);
}

static void on_message(void *ctx, const char *text, size_t len)
{
    struct charger *charger = ctx;
    struct arena arena = {0};
    struct frame frame;
    frame_log_add(charger, true, (struct span){text, len});
    frame_parse(&frame, &arena, &version_16, text, len);
    if (frame.kind == FRAME_CALL || frame.kind == FRAME_BAD)
        answer_frame(charger, &frame);
    else if (frame.kind == FRAME_RESULT)
        queue_answered(charger, frame.id, frame.payload);
    else if (frame.kind == FRAME_ERROR && frame.id)
        queue_answered(charger, frame.id, NULL);
    arena_clear(&arena);
}

static void add_escaped(struct strbuf *out, const char *identity)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~*@:+=";
    for (const char *c = identity; *c; c++) {
        if (strchr(plain, *c))
            strbuf_addc(out, *c);
        else
            strbuf_addf(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

static void connect_now(struct charger *charger)
{
    const struct ws_client_hooks hooks = {on_opened, on_message, on_closed, charger};
    struct fault_handshake shake = {.subprotocols = "ocpp1.6"};
    struct reason why;
    strbuf_addf(&shake.path, "%s/", charger->settings.path);
    add_escaped(&shake.path, identity_of(charger));
    bool login = config_password(charger, &shake.password);
    fault_bend_handshake(charger, &shake);
    const struct ws_client_settings settings = {.host = charger->settings.host,
                                                .port = charger->settings.port,
                                                .path = shake.path.at,
                                                .subprotocols = shake.subprotocols,
                                                .user = login ? identity_of(charger) : NULL,
                                                .password = strbuf_text(&shake.password),
                                                .password_len = shake.password.len,
                                                .connect_timeout_ms = clock_real_ms(CONNECT_MS)};
    charger->client = ws_client_open(charger->context, &settings, &hooks, &why);
    if (!charger->client) {
        LOG(LOG_WARN, "cannot connect", L_STR("cp", identity_of(charger)),
            L_STR("reason", why.text));
        come_back(charger);
    }
    strbuf_clear(&shake.path);
    strbuf_clear(&shake.password);
}

/* While connected: new credentials wait (G5). */
static void on_reconnect(struct timer *timer)
{
    struct charger *charger = CONTAINER_OF(timer, struct charger, reconnect);
    if (charger->client)
        ws_client_close(charger->client, 1000, "new credentials");
    else
        connect_now(charger);
}

void charger_reconnect_soon(struct charger *charger)
{
    if (charger->rebooting != REBOOT_AWAY && !charger->network_down)
        timer_start(charger->timers, &charger->reconnect, clock_real_ms(ANSWER_LEAVES_MS));
}

/* ---- reset and power ---- */

/* Off, for reboot_ms. `reason`: of the sessions that run; NULL, they were stopped. */
static void reboot_away(struct charger *charger, const char *reason)
{
    charger->rebooting = REBOOT_AWAY;
    charger->reboot_reason = reason;
    charger->accepted = false;
    charger->registration[0] = '\0';
    if (reason)
        sessions_power_lost(charger);
    if (charger->client && charger->reboot_soft && charger->online) {
        ws_client_free(charger->client); /* with a Close */
        charger->client = NULL;
    } else {
        cut_line(charger);
    }
    if (charger->online)
        line_down(charger, "rebooting");
    timer_stop(charger->timers, &charger->reconnect);
    timer_start(charger->timers, &charger->reboot, charger->settings.reboot_ms);
}

static void reboot_ends(struct charger *charger)
{
    charger->rebooting = REBOOT_NONE;
    charger->attempts = 0;
    config_rebooted(charger);
    if (charger->reboot_reason)
        sessions_after_reboot(charger, charger->reboot_reason);
    if (!charger->network_down)
        connect_now(charger);
}

static void reboot_begins(struct charger *charger, bool soft, const char *reason)
{
    charger->reboot_soft = soft;
    if (!soft) {
        reboot_away(charger, reason);
        return;
    }
    charger->rebooting = REBOOT_DRAINING;
    timer_start(charger->timers, &charger->reboot, clock_real_ms(DRAIN_MS));
    sessions_stop_all(charger, reason);
    charger_queue_moved(charger);
}

void charger_reset(struct charger *charger, bool soft)
{
    if (charger->rebooting == REBOOT_NONE || charger->rebooting == REBOOT_SOON)
        reboot_begins(charger, soft, soft ? "SoftReset" : "HardReset");
}

void charger_reset_soon(struct charger *charger, bool soft)
{
    if (charger->rebooting != REBOOT_NONE)
        return;
    charger->rebooting = REBOOT_SOON;
    charger->reboot_soft = soft;
    timer_start(charger->timers, &charger->reboot, clock_real_ms(ANSWER_LEAVES_MS));
}

void charger_power_cycle(struct charger *charger)
{
    if (charger->rebooting != REBOOT_AWAY)
        reboot_begins(charger, false, "PowerLoss");
}

void charger_queue_moved(struct charger *charger)
{
    if (charger->rebooting == REBOOT_DRAINING &&
        (!charger->online || !queue_has_transactional(charger)))
        timer_start(charger->timers, &charger->reboot, 0);
}

static void on_reboot(struct timer *timer)
{
    struct charger *charger = CONTAINER_OF(timer, struct charger, reboot);
    if (charger->rebooting == REBOOT_SOON)
        charger_reset(charger, charger->reboot_soft);
    else if (charger->rebooting == REBOOT_DRAINING)
        reboot_away(charger, NULL);
    else if (charger->rebooting == REBOOT_AWAY)
        reboot_ends(charger);
}

/* ---- life ---- */

static void copy_settings(struct charger *charger, const struct charger_settings *from)
{
    struct arena *arena = &charger->arena;
    struct charger_settings *to = &charger->settings;
    *to = *from;
    to->host = arena_strdup(arena, from->host);
    to->path = arena_strdup(arena, from->path);
    to->identity = arena_strdup(arena, from->identity);
    to->password = arena_strdup(arena, from->password);
    to->vendor = arena_strdup(arena, from->vendor);
    to->model = arena_strdup(arena, from->model);
    to->serial = arena_strdup(arena, from->serial);
    to->firmware = arena_strdup(arena, from->firmware);
}

struct charger *charger_new(const struct charger_settings *settings, struct loop *loop,
                            struct ws_client_context *context, struct http_client *http)
{
    struct charger *charger = xcalloc(1, sizeof(*charger));
    copy_settings(charger, settings);
    charger->loop = loop;
    charger->timers = loop_timers(loop);
    charger->context = context;
    charger->http = http;
    charger->random = settings->seed;
    charger->boot_retry_s = BOOT_RETRY_S;
    charger->reconnect.fn = on_reconnect;
    charger->heartbeat.fn = on_heartbeat;
    charger->pinger.fn = on_pinger;
    charger->reboot.fn = on_reboot;
    charger->late_close.fn = on_late_close;
    queue_open(charger);
    config_open(charger);
    auth_open(charger);
    frame_log_open(charger);
    place_open(charger);
    timer_start(charger->timers, &charger->reconnect, clock_real_ms(settings->boot_delay_ms));
    return charger;
}

void charger_free(struct charger *charger)
{
    if (!charger)
        return;
    struct timer *const all[] = {&charger->reconnect, &charger->heartbeat, &charger->pinger,
                                 &charger->reboot, &charger->late_close};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        timer_stop(charger->timers, all[i]);
    charger->online = false;
    ws_client_free(charger->client);
    ws_client_free(charger->lost);
    answers_forget(charger);
    place_close(charger);
    queue_close(charger);
    auth_close(charger);
    config_close(charger);
    faults_close(charger);
    frame_log_close(charger);
    arena_clear(&charger->arena);
    xfree(charger);
}

const char *charger_identity(const struct charger *charger)
{
    return charger->settings.identity;
}

void charger_on_event(struct charger *charger, charger_watch watch, void *ctx)
{
    charger->watch = watch;
    charger->watch_ctx = ctx;
}

bool charger_send(struct charger *charger, const char *action, const char *payload,
                  struct reason *why)
{
    const struct action *row = version_action(&version_16, span_of(action));
    struct arena arena = {0};
    struct reason fault;
    if (!row)
        return reason_set(why, "unknown action \"%s\"", action);
    bool readable = json_parse(&arena, payload, strlen(payload), &fault, NULL) != NULL;
    arena_clear(&arena);
    if (!readable)
        return reason_set(why, "expected JSON: %s", fault.text);
    if (!charger->online)
        return reason_set(why, "not connected");
    charger_call(charger, row->name, xstrdup(payload));
    return true;
}

void charger_write_state(const struct charger *charger, struct strbuf *out)
{
    struct json_out json = {.to = out};
    json_open(&json, '{');
    json_key(&json, "identity");
    json_put_string(&json, identity_of(charger));
    json_key(&json, "online");
    json_put_bool(&json, charger->online);
    json_key(&json, "accepted");
    json_put_bool(&json, charger->accepted);
    json_key(&json, "registration");
    json_put_string(&json, charger->registration[0] ? charger->registration : NULL);
    json_key(&json, "version");
    json_put_string(&json, version_16.name);
    json_key(&json, "firmware");
    json_put_string(&json, charger->settings.firmware);
    json_key(&json, "queued");
    json_put_int(&json, (int64_t)charger->queued);
    json_key(&json, "localListVersion");
    json_put_int(&json, auth_list_version(charger));
    json_key(&json, "faults");
    faults_write(charger, &json);
    place_write_state(charger, &json);
    json_close(&json, '}');
}

void charger_add_figures(const struct charger *charger, struct charger_figures *sum)
{
    const struct charger_figures *own = &charger->figures;
    sum->calls_sent += own->calls_sent;
    sum->calls_answered += own->calls_answered;
    sum->calls_failed += own->calls_failed;
    sum->calls_received += own->calls_received;
    sum->connects += own->connects;
    sum->disconnects += own->disconnects;
    sum->boots += own->boots;
    sum->sessions_started += own->sessions_started;
    sum->sessions_stopped += own->sessions_stopped;
    sum->energy_wh += own->energy_wh;
}

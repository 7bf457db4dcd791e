/* The connection of a simulated charge point and its queue of CALLs. See charger.h. */
#include "sim/charger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "sim/parts.h"

enum { PATIENCE_MS = 30 * 1000, RECONNECT_MAX_MS = 30 * 1000 };

/* ---- the queue ---- */

struct sim_call *charger_call(struct charger *charger, const char *action, char *payload_owned)
{
    struct sim_call *call = xcalloc(1, sizeof(*call));
    uuid_new(call->id);
    call->action = action;
    call->payload = payload_owned;
    if (charger->last)
        charger->last->next = call;
    else
        charger->first = call;
    charger->last = call;
    /* Sent by the caller's turn of the loop, once the caller has filled the call in. */
    timer_start(loop_timers(charger->loop), &charger->sender, 0);
    return call;
}

static void call_free(struct sim_call *call)
{
    xfree(call->payload);
    xfree(call);
}

static struct sim_call *take_first(struct charger *charger)
{
    struct sim_call *call = charger->first;
    charger->first = call->next;
    if (!charger->first)
        charger->last = NULL;
    charger->call_sent = false;
    return call;
}

/* Nothing but BootNotification goes out before the boot is accepted. */
static bool may_send(const struct charger *charger)
{
    return charger->online && charger->first && !charger->call_sent &&
           (charger->accepted || text_is(charger->first->action, "BootNotification"));
}

void charger_send_next(struct charger *charger)
{
    if (!may_send(charger))
        return;
    const struct sim_call *call = charger->first;
    struct strbuf payload = {0}, frame = {0};
    strbuf_adds(&payload, call->payload);
    if (call->start_serial && !text_is(call->action, "StartTransaction"))
        strbuf_addf(&payload, ",\"transactionId\":%" PRId64 "}", charger->ids[call->start_serial]);
    frame_write_call(&frame, call->id, call->action, (struct span){payload.at, payload.len});
    charger->call_sent = ws_client_send(charger->client, frame.at, frame.len);
    timer_start(loop_timers(charger->loop), &charger->patience, PATIENCE_MS);
    strbuf_clear(&payload);
    strbuf_clear(&frame);
}

static void on_sender(struct timer *timer)
{
    charger_send_next(CONTAINER_OF(timer, struct charger, sender));
}

static void end_call(struct charger *charger, const struct json *response)
{
    struct sim_call *call = take_first(charger);
    timer_stop(loop_timers(charger->loop), &charger->patience);
    if (call->answered)
        call->answered(charger, call, response);
    call_free(call);
    charger_send_next(charger);
}

/* No answer: a transaction message is sent again, anything else is forgotten. */
static void on_patience(struct timer *timer)
{
    struct charger *charger = CONTAINER_OF(timer, struct charger, patience);
    if (!charger->call_sent)
        return;
    LOG(LOG_WARN, "no answer in time", L_STR("cp", charger->settings.identity),
        L_STR("action", charger->first->action));
    if (charger->first->transactional) {
        charger->call_sent = false;
        uuid_new(charger->first->id);
        charger_send_next(charger);
    } else {
        end_call(charger, NULL);
    }
}

/* After a disconnect only transaction messages are worth keeping; each gets a new id. */
static void keep_transactional(struct charger *charger)
{
    struct sim_call *call = charger->first, *next;
    charger->first = charger->last = NULL;
    charger->call_sent = false;
    for (; call; call = next) {
        next = call->next;
        call->next = NULL;
        if (!call->transactional) {
            call_free(call);
            continue;
        }
        uuid_new(call->id);
        if (charger->last)
            charger->last->next = call;
        else
            charger->first = call;
        charger->last = call;
    }
}

/* ---- boot ---- */

static void on_boot_answered(struct charger *charger, const struct sim_call *call,
                             const struct json *response)
{
    (void)call;
    int64_t interval = 0;
    json_int(json_get(response, "interval"), &interval);
    charger->accepted = text_is(json_gets(response, "status"), "Accepted");
    charger->heartbeat_s = interval > 0 ? interval : 60;
    LOG(LOG_INFO, charger->accepted ? "booted" : "not accepted yet",
        L_STR("cp", charger->settings.identity), L_STR("status", json_gets(response, "status")),
        L_INT("interval_s", charger->heartbeat_s));
    if (charger->accepted)
        connector_send_all_statuses(charger);
    timer_start(loop_timers(charger->loop), &charger->heartbeat, charger->heartbeat_s * 1000);
}

/* First in the queue: transaction messages from before must wait for it. */
void charger_send_boot(struct charger *charger)
{
    struct strbuf payload = {0};
    struct json_out out = {.to = &payload};
    json_open(&out, '{');
    json_key(&out, "chargePointVendor");
    json_put_string(&out, charger->settings.vendor);
    json_key(&out, "chargePointModel");
    json_put_string(&out, charger->settings.model);
    json_key(&out, "firmwareVersion");
    json_put_string(&out, charger->settings.firmware);
    json_close(&out, '}');
    struct sim_call *before = charger->first;
    charger->first = charger->last = NULL;
    struct sim_call *boot = charger_call(charger, "BootNotification", strbuf_take(&payload, NULL));
    boot->answered = on_boot_answered;
    boot->next = before;
    for (charger->last = boot; charger->last->next;)
        charger->last = charger->last->next;
    charger_send_next(charger);
}

static void on_heartbeat(struct timer *timer)
{
    struct charger *charger = CONTAINER_OF(timer, struct charger, heartbeat);
    if (!charger->online)
        return;
    if (charger->accepted)
        charger_call(charger, "Heartbeat", xstrdup("{}"));
    else
        charger_send_boot(charger);
    timer_start(loop_timers(charger->loop), timer, charger->heartbeat_s * 1000);
}

/* ---- the connection ---- */

static void on_opened(void *ctx, const char *subprotocol)
{
    struct charger *charger = ctx;
    LOG(LOG_INFO, "connected", L_STR("cp", charger->settings.identity),
        L_STR("subprotocol", subprotocol));
    charger->online = true;
    charger->attempts = 0;
    charger_send_boot(charger);
}

static void on_closed(void *ctx, int status, int code, const char *why)
{
    struct charger *charger = ctx;
    int64_t wait = 1000ll << (charger->attempts < 5 ? charger->attempts : 5);
    charger->attempts++;
    charger->online = charger->accepted = false;
    if (charger->client)
        ws_client_free(charger->client);
    charger->client = NULL;
    keep_transactional(charger);
    wait = wait > RECONNECT_MAX_MS ? RECONNECT_MAX_MS : wait;
    LOG(LOG_WARN, "not connected", L_STR("cp", charger->settings.identity), L_STR("reason", why),
        L_INT("status", status), L_INT("code", code), L_INT("next_try_ms", wait));
    timer_stop(loop_timers(charger->loop), &charger->patience);
    timer_start(loop_timers(charger->loop), &charger->reconnect, wait);
}

static void answer(struct charger *charger, const struct frame *frame)
{
    struct strbuf payload = {0}, text = {0};
    enum ocpp_error error = answer_call(charger, frame, &payload);
    if (error == OCPP_OK)
        frame_write_result(&text, frame->id, (struct span){payload.at, payload.len});
    else
        frame_write_error(&text, &version_16, frame->id, error, "");
    ws_client_send(charger->client, text.at, text.len);
    strbuf_clear(&payload);
    strbuf_clear(&text);
}

static void on_message(void *ctx, const char *text, size_t len)
{
    struct charger *charger = ctx;
    struct arena arena = {0};
    struct frame frame;
    frame_parse(&frame, &arena, &version_16, text, len);
    bool ours = charger->call_sent && frame.id && text_is(frame.id, charger->first->id);
    if (frame.kind == FRAME_CALL)
        answer(charger, &frame);
    else if (frame.kind == FRAME_RESULT && ours)
        end_call(charger, frame.payload);
    else if (frame.kind == FRAME_ERROR && ours && !charger->first->transactional)
        end_call(charger, NULL);
    arena_clear(&arena); /* an error on a transaction message: sent again when patience ends */
}

static void connect_now(struct charger *charger)
{
    struct ws_client_hooks hooks = {on_opened, on_message, on_closed, charger};
    char *path = xprintf("%s/%s", charger->settings.path, charger->settings.identity);
    struct ws_client_settings settings = {.host = charger->settings.host,
                                          .port = charger->settings.port,
                                          .path = path,
                                          .subprotocols = "ocpp1.6",
                                          .connect_timeout_ms = 10000};
    struct reason why;
    if (charger->settings.password) {
        settings.user = charger->settings.identity;
        settings.password = charger->settings.password;
        settings.password_len = strlen(charger->settings.password);
    }
    charger->client = ws_client_open(charger->context, &settings, &hooks, &why);
    if (!charger->client)
        on_closed(charger, 0, 1006, why.text);
    xfree(path);
}

static void on_reconnect(struct timer *timer)
{
    connect_now(CONTAINER_OF(timer, struct charger, reconnect));
}

/* ---- life ---- */

static void on_metering(struct timer *timer)
{
    struct charger *charger = CONTAINER_OF(timer, struct charger, metering);
    for (int i = 0; i < charger->settings.connectors; i++)
        connector_meter(charger, &charger->connectors[i]);
    timer_start(loop_timers(charger->loop), timer, charger->settings.meter_interval_s * 1000);
}

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
    to->firmware = arena_strdup(arena, from->firmware);
}

struct charger *charger_new(const struct charger_settings *settings, struct loop *loop,
                            struct ws_client_context *context)
{
    struct charger *charger = xcalloc(1, sizeof(*charger));
    copy_settings(charger, settings);
    charger->loop = loop;
    charger->context = context;
    charger->id_count = 1; /* serial 0 means none */
    charger->ids = xgrow(NULL, 0, &charger->id_room, sizeof(*charger->ids));
    charger->ids[0] = 0;
    charger->connectors = xcalloc((size_t)settings->connectors, sizeof(*charger->connectors));
    for (int i = 0; i < settings->connectors; i++)
        charger->connectors[i] = (struct sim_connector){.id = i + 1, .operative = true, .soc = 20};
    charger->reconnect.fn = on_reconnect;
    charger->heartbeat.fn = on_heartbeat;
    charger->metering.fn = on_metering;
    charger->patience.fn = on_patience;
    charger->sender.fn = on_sender;
    timer_start(loop_timers(loop), &charger->metering, settings->meter_interval_s * 1000);
    connect_now(charger);
    return charger;
}

void charger_free(struct charger *charger)
{
    struct timers *timers = loop_timers(charger->loop);
    struct timer *all[] = {&charger->reconnect, &charger->heartbeat, &charger->metering,
                           &charger->patience, &charger->sender};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        timer_stop(timers, all[i]);
    if (charger->client)
        ws_client_free(charger->client);
    while (charger->first)
        call_free(take_first(charger));
    xfree(charger->connectors);
    xfree(charger->ids);
    arena_clear(&charger->arena);
    xfree(charger);
}

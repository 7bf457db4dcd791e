/* A whole charger on a loop, against a stand-in of the central system.
 *
 * world_open() makes the charger; world_serve() the WebSocket server, which keeps every frame and
 * answers CALLs as `world` says: all well by default. Time is the fake clock: world_pass() moves it
 * in steps and turns the loop; world_until() turns it until something holds. Without world_serve()
 * nobody is there and the charger stays offline. */
#ifndef LINE_WORLD_H
#define LINE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* after the above: */
#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/ws_server.h"
#include "sim/line.h"

#define WORLD_START 1752469200000 /* 2025-07-14T05:00:00Z */

enum { WORLD_FRAMES = 2000 };

struct world_frame {
    char *text;
    enum frame_kind kind;
    char id[64], action[64];
    struct json *payload; /* in world.arena */
    mono_t at;
};

static struct world {
    struct loop *loop;
    struct ws_server *server;
    struct ws_client_context *context;
    struct charger *charger;
    struct charger_settings settings; /* change before world_open */
    uint64_t connection;              /* the newest, 0 none */
    int opened, closed, admitted, port;
    struct world_frame frames[WORLD_FRAMES]; /* from the charger, oldest first */
    size_t count;
    struct arena arena;
    /* the handshake, and what is answered to it */
    char path[300], subprotocols[64];
    struct strbuf password;
    int status;              /* 101 */
    bool pong_required;      /* T12 */
    int64_t server_pings_ms; /* 0: hardly ever */
    /* what the central system answers */
    const char *boot_status; /* "Accepted" */
    int boot_interval;       /* 0 */
    const char *deaf_to;     /* this action is not answered */
    const char *fails;       /* this one with InternalError */
    const char *tag_status;  /* "Accepted" */
    int transactions;        /* ids given so far */
    char events[4096];       /* "accepted 0 CP1\n" … */
    bool done;
} world;

/* ---- the stand-in ---- */

static void world_admit(void *ctx, struct handshake *hs, const struct name_value *headers,
                        size_t header_count, struct ws_admission *out)
{
    bool offered;
    (void)ctx, (void)headers, (void)header_count;
    world.admitted++;
    text_copy(world.path, sizeof(world.path), span_of(hs->path));
    text_copy(world.subprotocols, sizeof(world.subprotocols),
              span_of(hs->subprotocols ? hs->subprotocols : "(none)"));
    out->status = world.status;
    out->pong_required = world.pong_required;
    if (!handshake_identity(hs->path, "/ocpp", out->identity))
        out->status = 404;
    strbuf_reset(&world.password);
    handshake_password(hs->authorization, out->identity, &world.password);
    out->version = handshake_version(hs->subprotocols, &offered);
}

static void world_opened(void *ctx, uint64_t connection, const char *identity,
                         const struct version *version, const char *peer)
{
    (void)ctx, (void)identity, (void)version, (void)peer;
    world.opened++;
    world.connection = connection;
}

static void world_closed(void *ctx, uint64_t connection, const char *identity, const char *why)
{
    (void)ctx, (void)identity, (void)why;
    world.closed++;
    if (world.connection == connection)
        world.connection = 0;
}

static void world_put(const char *text)
{
    assert_true(ws_server_send(world.server, world.connection, text, strlen(text)));
}

static void world_answer(const struct frame *call)
{
    char payload[200] = "{}";
    if (text_is(call->action, world.deaf_to))
        return;
    if (text_is(call->action, "BootNotification"))
        snprintf(payload, sizeof(payload),
                 "{\"status\":\"%s\",\"currentTime\":\"2025-07-14T05:00:00Z\",\"interval\":%d}",
                 world.boot_status, world.boot_interval);
    if (text_is(call->action, "Heartbeat"))
        snprintf(payload, sizeof(payload), "{\"currentTime\":\"2025-07-14T05:00:00Z\"}");
    if (text_is(call->action, "Authorize"))
        snprintf(payload, sizeof(payload), "{\"idTagInfo\":{\"status\":\"%s\"}}", world.tag_status);
    if (text_is(call->action, "StartTransaction") && !text_is(call->action, world.fails))
        snprintf(payload, sizeof(payload),
                 "{\"transactionId\":%d,\"idTagInfo\":{\"status\":\"%s\"}}", ++world.transactions,
                 world.tag_status);
    struct strbuf text = {0};
    if (text_is(call->action, world.fails))
        frame_write_error(&text, &version_16, call->id, OCPP_INTERNAL_ERROR, "as told");
    else
        frame_write_result(&text, call->id, span_of(payload));
    world_put(text.at);
    strbuf_clear(&text);
}

static void world_message(void *ctx, uint64_t connection, const char *identity, const char *text,
                          size_t len)
{
    struct frame frame;
    (void)ctx, (void)identity;
    assert_true(world.count < WORLD_FRAMES);
    struct world_frame *at = &world.frames[world.count++];
    at->text = xstrndup(text, len);
    at->at = mono_now();
    frame_parse(&frame, &world.arena, &version_16, at->text, len);
    at->kind = frame.kind;
    at->payload = frame.payload;
    text_copy(at->id, sizeof(at->id), span_of(frame.id ? frame.id : ""));
    text_copy(at->action, sizeof(at->action), span_of(frame.action ? frame.action : ""));
    if (frame.kind == FRAME_CALL && connection == world.connection)
        world_answer(&frame);
}

/* ---- life ---- */

static void world_log(void *ctx, const char *line, size_t len)
{
    (void)ctx, (void)line, (void)len;
}

static void world_event(void *ctx, struct charger *charger, const char *what, int connector,
                        const char *detail)
{
    (void)ctx, (void)charger;
    size_t len = strlen(world.events);
    snprintf(world.events + len, sizeof(world.events) - len, "%s %d %s\n", what, connector,
             detail ? detail : "");
}

/* First; the settings may be changed then. */
static inline void world_begin(void)
{
    world = (struct world){.status = 101, .boot_status = "Accepted", .tag_status = "Accepted"};
    log_redirect(world_log, NULL);
    clock_fake(WORLD_START);
    world.loop = loop_new();
    world.settings = (struct charger_settings){.host = "127.0.0.1",
                                               .port = 1,
                                               .path = "/ocpp",
                                               .identity = "CP1",
                                               .connectors = 2,
                                               .kind = CAR_DC,
                                               .power_w = 120000,
                                               .battery_wh = 75000,
                                               .soc = 20,
                                               .meter_interval_s = 60,
                                               .reboot_ms = 2000,
                                               .log_frames = true,
                                               .seed = 7,
                                               .vendor = "ChargeBridge",
                                               .model = "Simulator",
                                               .serial = "S-1",
                                               .firmware = "1.0"};
}

static inline void world_open(void)
{
    struct reason why;
    world.context = ws_client_context_open(world.loop, &why);
    assert_non_null(world.context);
    world.charger = charger_new(&world.settings, world.loop, world.context, NULL);
    charger_on_event(world.charger, world_event, NULL);
    assert_true(charger_configure(world.charger, "WebSocketPingInterval", "0", &why));
}

static inline void world_serve(void)
{
    const struct ws_server_settings settings = {
        .address = "127.0.0.1",
        .port = world.port,
        .max_message = 1 << 20,
        .send_queue_max = 1 << 20,
        .ping_interval_ms = world.server_pings_ms ? world.server_pings_ms : 1000000000,
        .handshake_timeout_ms = 10000,
        .accept_per_second = 100000,
        .connections_max = 100};
    const struct ws_server_hooks hooks = {.admit = world_admit,
                                          .opened = world_opened,
                                          .message = world_message,
                                          .closed = world_closed};
    struct reason why;
    world.server = ws_server_open(world.loop, &settings, &hooks, &why);
    if (!world.server)
        fail_msg("%s", why.text);
    world.port = world.settings.port = ws_server_port(world.server);
}

static void world_done(void *ctx)
{
    (void)ctx;
    world.done = true;
}

static inline void world_close(void)
{
    charger_free(world.charger);
    if (world.server) {
        ws_server_shutdown(world.server, world_done, NULL);
        for (int i = 0; i < 4000 && !world.done; i++) {
            clock_advance(100);
            loop_run_once(world.loop, 1);
        }
        ws_server_free(world.server);
    }
    if (world.context)
        ws_client_context_free(world.context);
    loop_free(world.loop);
    for (size_t i = 0; i < world.count; i++)
        xfree(world.frames[i].text);
    strbuf_clear(&world.password);
    arena_clear(&world.arena);
    log_redirect(NULL, NULL);
    clock_real();
}

/* ---- time ---- */

#define world_until(condition)                                                                     \
    do {                                                                                           \
        int turns_left_ = 4000;                                                                    \
        while (!(condition) && turns_left_-- > 0)                                                  \
            loop_run_once(world.loop, 1);                                                          \
        assert_true(condition);                                                                    \
    } while (0)

static inline void world_turn(void)
{
    for (int i = 0; i < 30; i++)
        loop_run_once(world.loop, i < 5);
}

static inline void world_pass(int64_t ms)
{
    while (ms > 0) {
        int64_t step = ms > 1000 ? 1000 : ms;
        clock_advance(step);
        ms -= step;
        world_turn();
    }
}

/* ---- looking ---- */

static inline int world_calls(const char *action)
{
    int found = 0;
    for (size_t i = 0; i < world.count; i++)
        found += world.frames[i].kind == FRAME_CALL && text_is(world.frames[i].action, action);
    return found;
}

/* The n-th CALL with this action, from 0; NULL. */
static inline const struct world_frame *world_call(const char *action, int n)
{
    for (size_t i = 0; i < world.count; i++) {
        if (world.frames[i].kind == FRAME_CALL && text_is(world.frames[i].action, action) &&
            n-- == 0)
            return &world.frames[i];
    }
    return NULL;
}

/* Connected and booted. */
static inline void world_start(void)
{
    world_begin();
    world_serve();
    world_open();
    world_until(world.charger->accepted && world_calls("StatusNotification") == 3);
    world_turn();
}

/* Sends a CALL of the central system and waits for its answer: the whole text of the frame. */
static inline const char *world_ask(const char *action, const char *payload)
{
    static int number;
    char id[16];
    struct strbuf text = {0};
    snprintf(id, sizeof(id), "q%d", ++number);
    frame_write_call(&text, id, action, span_of(payload));
    world_put(text.at);
    strbuf_clear(&text);
    for (int turn = 0; turn < 2000; turn++) {
        for (size_t i = 0; i < world.count; i++) {
            const struct world_frame *frame = &world.frames[i];
            if (text_is(frame->id, id) && frame->kind != FRAME_CALL)
                return frame->text;
        }
        loop_run_once(world.loop, 1);
    }
    return "";
}

/* `part` is in the answer. */
#define ASK(action, payload, part)                                                                 \
    do {                                                                                           \
        const char *got_ = world_ask(action, payload);                                             \
        if (!strstr(got_, part))                                                                   \
            fail_msg("%s %s: %s", action, payload, got_);                                          \
    } while (0)

#endif

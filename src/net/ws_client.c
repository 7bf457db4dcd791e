/* A client: a link that connects (ws_lws.h), its deadline, and the promise of one `closed`.
 *
 * Ends are always told from the loop, never from inside ws_client_open or ws_client_close, so a
 * simulator may call anything anywhere. Thousands live on one context; nothing here is per context
 * but the count. Start reading at ws_client_open. */
#include "net/ws_client.h"

#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "net/ws_lws.h"

enum {
    CLOSE_DEADLINE_MS = 5000,
    DROP_AGAIN_MS = 100,
    CONNECT_DEFAULT_MS = 30000,
    DESCRIPTORS = 65536,          /* as many as the hard limit gives, within reason */
    CLIENT_MESSAGE_MAX = 16 << 20 /* tests the server's limits, not its own */
};

enum client_state { CONNECTING, OPEN, CLOSING, FAILED };

struct ws_client_context {
    struct loop *loop;
    struct ws_lws *lws;
    size_t clients;
};

struct ws_client {
    struct ws_link link;
    struct ws_client_context *context;
    struct ws_client_hooks hooks;
    struct timer timer; /* by state: connect timeout, close deadline, telling of failure */
    enum client_state state;
    mono_t heard;
};

static struct ws_client *of_link(struct ws_link *link)
{
    return CONTAINER_OF(link, struct ws_client, link);
}

static struct timers *timers_of(const struct ws_client *client)
{
    return loop_timers(client->context->loop);
}

static void on_opened(struct ws_link *link, const char *subprotocol)
{
    struct ws_client *client = of_link(link);
    client->state = OPEN;
    client->heard = mono_now();
    timer_stop(timers_of(client), &client->timer);
    client->hooks.opened(client->hooks.ctx, subprotocol);
}

static void on_message(struct ws_link *link, const char *text, size_t len)
{
    struct ws_client *client = of_link(link);
    client->hooks.message(client->hooks.ctx, text, len);
}

static void on_heard(struct ws_link *link)
{
    of_link(link)->heard = mono_now(); /* the simulator's model watches the server */
}

static void on_closed(struct ws_link *link, int status, int code, const char *why)
{
    struct ws_client *client = of_link(link);
    client->state = FAILED;
    timer_stop(timers_of(client), &client->timer);
    client->hooks.closed(client->hooks.ctx, status, code, why);
}

static const struct ws_link_hooks link_hooks = {
    .opened = on_opened, .message = on_message, .heard = on_heard, .closed = on_closed};

static void drop(struct ws_client *client, const char *why)
{
    client->state = CLOSING;
    ws_link_drop(&client->link, why);
    timer_start(timers_of(client), &client->timer, clock_real_ms(DROP_AGAIN_MS));
}

static void on_timer(struct timer *timer)
{
    struct ws_client *client = CONTAINER_OF(timer, struct ws_client, timer);
    switch (client->state) {
    case FAILED:
        client->hooks.closed(client->hooks.ctx, 0, WS_LOST, "connection failed");
        return; /* may be freed now */
    case CONNECTING:
        drop(client, "connect timeout");
        return;
    case OPEN:
    case CLOSING:
        drop(client, "did not answer our Close");
        return;
    }
}

struct ws_client_context *ws_client_context_open(struct loop *loop, struct reason *why)
{
    struct ws_lws *lws = ws_lws_new(loop, false, DESCRIPTORS, why);
    if (lws == NULL)
        return NULL;
    struct ws_client_context *context = xcalloc(1, sizeof(*context));
    context->loop = loop;
    context->lws = lws;
    return context;
}

void ws_client_context_free(struct ws_client_context *context)
{
    if (context == NULL || NEVER(context->clients > 0))
        return;
    ws_lws_free(context->lws);
    xfree(context);
}

/* The value of the Authorization header; the password may hold any bytes. */
static void basic_credentials(const struct ws_client_settings *settings, struct strbuf *out)
{
    struct strbuf plain = {0};
    strbuf_addf(&plain, "%s:", settings->user);
    strbuf_add(&plain, settings->password, settings->password_len);
    strbuf_adds(out, "Basic ");
    base64_encode(plain.at, plain.len, out);
    strbuf_clear(&plain);
}

struct ws_client *ws_client_open(struct ws_client_context *context,
                                 const struct ws_client_settings *settings,
                                 const struct ws_client_hooks *hooks, struct reason *why)
{
    if (settings->path[0] != '/' || settings->port < 1 || settings->port > 65535) {
        reason_set(why, "no address of a server: port %d, path \"%s\"", settings->port,
                   settings->path);
        return NULL;
    }
    struct ws_client *client = xcalloc(1, sizeof(*client));
    client->context = context;
    client->hooks = *hooks;
    client->timer.fn = on_timer;
    client->link.hooks = &link_hooks;
    client->link.max_message = CLIENT_MESSAGE_MAX;
    client->link.queue_max = CLIENT_MESSAGE_MAX;
    context->clients++;
    struct strbuf credentials = {0};
    if (settings->user != NULL)
        basic_credentials(settings, &credentials);
    const struct ws_link_target to = {.host = settings->host,
                                      .port = settings->port,
                                      .path = settings->path,
                                      .subprotocols = settings->subprotocols,
                                      .authorization =
                                          settings->user == NULL ? NULL : credentials.at};
    int64_t timeout =
        settings->connect_timeout_ms > 0 ? settings->connect_timeout_ms : CONNECT_DEFAULT_MS;
    bool started = ws_link_connect(context->lws, &client->link, &to);
    client->state = started ? CONNECTING : FAILED;
    timer_start(timers_of(client), &client->timer, started ? timeout : 0);
    strbuf_clear(&credentials);
    return client;
}

bool ws_client_send(struct ws_client *client, const char *text, size_t len)
{
    return client->state == OPEN && ws_link_send(&client->link, text, len) == WS_SENT;
}

static bool send_fragments(struct ws_link *link, const char *bytes, size_t len)
{
    size_t first = len / 3, second = len / 3;
    return ws_link_send_piece(link, WS_TEXT_BEGINS, bytes, first) == WS_SENT &&
           ws_link_send_piece(link, WS_TEXT_GOES_ON, bytes + first, second) == WS_SENT &&
           ws_link_send_piece(link, WS_TEXT_ENDS, bytes + first + second, len - first - second) ==
               WS_SENT;
}

bool ws_client_send_as(struct ws_client *client, enum ws_client_form form, const char *bytes,
                       size_t len)
{
    if (client->state != OPEN)
        return false;
    if (form == WS_CLIENT_FRAGMENTS)
        return send_fragments(&client->link, bytes, len);
    enum ws_piece piece = form == WS_CLIENT_BINARY ? WS_BINARY : WS_TEXT;
    return ws_link_send_piece(&client->link, piece, bytes, len) == WS_SENT;
}

void ws_client_ping(struct ws_client *client)
{
    if (client->state == OPEN)
        ws_link_ping(&client->link);
}

mono_t ws_client_heard(const struct ws_client *client)
{
    return client->heard;
}

void ws_client_ignore_pings(struct ws_client *client)
{
    if (client->state == OPEN)
        ws_link_ignore_pings(&client->link);
}

void ws_client_abandon(struct ws_client *client, const struct ws_client_hooks *hooks)
{
    client->hooks = *hooks;
    ws_link_pause(&client->link, true);
}

void ws_client_close(struct ws_client *client, int code, const char *reason)
{
    if (client->state == CONNECTING) {
        drop(client, "closed before it was open");
    } else if (client->state == OPEN) {
        client->state = CLOSING;
        ws_link_close(&client->link, code, reason);
        timer_start(timers_of(client), &client->timer, clock_real_ms(CLOSE_DEADLINE_MS));
    }
}

void ws_client_drop(struct ws_client *client)
{
    if (client->state != FAILED)
        drop(client, "dropped");
}

void ws_client_free(struct ws_client *client)
{
    if (client == NULL)
        return;
    ws_link_detach(&client->link);
    timer_stop(timers_of(client), &client->timer);
    client->context->clients--;
    xfree(client);
}

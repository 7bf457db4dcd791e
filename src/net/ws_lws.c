/* libwebsockets contexts, handshakes, and the one function that lws calls back.
 *
 * The server's lws never sees a request from outside: visitor.c reads and judges it, and lws gets
 * a head that we write ourselves with the socket (ws_link_adopt), which it answers with 101 on the
 * spot. That keeps its upgrade code, HTTP keep-alive, h2c and header limits out of reach (P3-P5,
 * P9). Its timers are off (P2); TLS, extensions and listening are not used. Frames: ws_lws_link.c.
 */
#include <assert.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/loop_parts.h"
#include "net/ws_lws_parts.h"

enum {
    RX_BUFFER = 2048,   /* each connection owns one, so idle chargers pay for it */
    TX_PACKET = 65536,  /* P1: else a send is cut at the rx buffer and copied */
    HEADS_AT_ONCE = 16, /* the server's handshakes never overlap */
    CLIENT_HEADS_AT_ONCE = 32767
};

/* What a socket without a link may still do: end. Links are detached when their owner goes. */
static int on_orphan(struct lws *wsi, enum lws_callback_reasons reason)
{
    switch (reason) {
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        lws_close_reason(wsi, LWS_CLOSE_STATUS_GOINGAWAY, NULL, 0);
        lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC); /* as close_now does */
        return 0;
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_CLIENT_RECEIVE:
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
    case LWS_CALLBACK_HTTP: /* cannot be: we send it upgrades only */
        return -1;
    default:
        return 0;
    }
}

static int on_adopting(struct ws_lws *self, struct lws *wsi, enum lws_callback_reasons reason,
                       void *in)
{
    if (reason == LWS_CALLBACK_ESTABLISHED) {
        self->adopting->wsi = wsi;
        self->adopting->open = true;
        lws_set_opaque_user_data(wsi, self->adopting);
        return 0;
    }
    if (reason == LWS_CALLBACK_ADD_HEADERS && self->adopt_subprotocol != NULL) {
        struct lws_process_html_args *args = in;
        int len = lws_snprintf(args->p, (size_t)args->max_len, "Sec-WebSocket-Protocol: %s\r\n",
                               self->adopt_subprotocol);
        args->p += len;
        return 0;
    }
    return on_orphan(wsi, reason);
}

static int append_authorization(struct ws_link *link, struct lws *wsi, unsigned char **at,
                                size_t room)
{
    if (link->authorization == NULL)
        return 0;
    return lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_AUTHORIZATION,
                                        (const unsigned char *)link->authorization,
                                        (int)strlen(link->authorization), at, *at + room)
               ? -1
               : 0;
}

/* Before the answer is judged: a refusal's status is lost once lws reports the error. */
static void note_answer(struct ws_link *link, struct lws *wsi)
{
    link->status = (int)lws_http_client_http_response(wsi);
    char name[WS_SUBPROTOCOL_MAX + 1];
    if (lws_hdr_copy(wsi, name, sizeof(name), WSI_TOKEN_PROTOCOL) > 0) {
        xfree(link->subprotocol);
        link->subprotocol = xstrdup(name);
    }
}

static int on_client_established(struct ws_link *link, struct lws *wsi)
{
    if (link->dropped) /* its owner gave up while the answer was on its way */
        return -1;
    link->open = true;
    link->status = 0;
    link->hooks->opened(link, link->subprotocol == NULL ? "" : link->subprotocol);
    return lws_get_opaque_user_data(wsi) == link ? 0 : -1;
}

static void on_connection_error(struct ws_link *link, const char *text, size_t len)
{
    char why[160] = "connection failed";
    if (link->status > 0) {
        lws_snprintf(why, sizeof(why), "refused with HTTP %d", link->status);
    } else if (text != NULL && len > 0) {
        text_copy(why, sizeof(why), (struct span){text, len});
    }
    ws_link_finish(link, why);
}

/* The one door from libwebsockets to us. */
static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
    (void)user;
    struct ws_lws *self = wsi == NULL ? NULL : lws_context_user(lws_get_context(wsi));
    struct ws_link *link = wsi == NULL ? NULL : lws_get_opaque_user_data(wsi);
    if (link == NULL) {
        if (self != NULL && self->adopting != NULL && self->adopting->wsi == NULL)
            return on_adopting(self, wsi, reason, in);
        return on_orphan(wsi, reason);
    }
    switch (reason) {
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_CLIENT_RECEIVE:
        ws_link_on_receive(link, in, len);
        return 0;
    case LWS_CALLBACK_RECEIVE_PONG:
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
        link->hooks->heard(link);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return ws_link_on_writeable(link);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        ws_link_on_peer_close(link, in, len);
        return 0; /* lws echoes it */
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return append_authorization(link, wsi, in, len);
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
        note_answer(link, wsi);
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        return on_client_established(link, wsi);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        on_connection_error(link, in, len);
        return 0;
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP: /* dropped while the answer was awaited */
        ws_link_finish(link, "connection lost");
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "link", .callback = on_lws, .rx_buffer_size = RX_BUFFER, .tx_packet_size = TX_PACKET},
    {.name = NULL},
};

static void on_log(int level, const char *line)
{
    /* lws_adopt_socket_vhost_readbuf says this at error level each time it works. */
    if (strstr(line, "calling service") != NULL)
        return;
    char text[240];
    text_copy(text, sizeof(text), span_trim(span_of(line)));
    LOG(level == LLL_ERR ? LOG_WARN : LOG_DEBUG, "libwebsockets", L_STR("text", text));
}

/* lws sizes its tables by the soft limit when the context is made; more than needed costs memory
 * (16 bytes a descriptor, touched). */
static void raise_descriptor_limit(int wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= (rlim_t)wanted)
        return;
    limit.rlim_cur = limit.rlim_max < (rlim_t)wanted ? limit.rlim_max : (rlim_t)wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static struct lws_vhost *make_vhost(struct ws_lws *self, bool server)
{
    static const lws_retry_bo_t no_validity_timers = {0}; /* P2: honoured on vhosts only */
    struct lws_context_creation_info info = {0};
    info.port = server ? CONTEXT_PORT_NO_LISTEN_SERVER : CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols;
    info.vhost_name = "ocpp";
    info.retry_and_idle_policy = &no_validity_timers;
    return lws_create_vhost(self->context, &info);
}

/* On a foreign loop lws_context_destroy only starts to close; called again when the handles are
 * gone it frees [measured: without it 342 kB leak]. */
static void finish_destroying(void *ctx)
{
    struct ws_lws *self = ctx;
    lws_context_destroy(self->context);
    xfree(self->scratch);
    xfree(self);
}

void ws_lws_free(struct ws_lws *self)
{
    if (self == NULL)
        return;
    lws_context_destroy(self->context);
    loop_at_free(self->loop, finish_destroying, self);
}

struct ws_lws *ws_lws_new(struct loop *loop, bool server, int fds, struct reason *why)
{
    struct ws_lws *self = xcalloc(1, sizeof(*self));
    self->loop = loop;
    void *loops[1] = {loop_native(loop)};
    raise_descriptor_limit(fds);
    lws_set_log_level(LLL_ERR | (log_enabled(LOG_DEBUG) ? LLL_WARN : 0), on_log);
    struct lws_context_creation_info info = {0};
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    info.foreign_loops = loops;
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.user = self;
    info.max_http_header_pool = server ? HEADS_AT_ONCE : CLIENT_HEADS_AT_ONCE;
    self->context = lws_create_context(&info);
    if (self->context != NULL)
        self->vhost = make_vhost(self, server);
    if (self->vhost == NULL) {
        reason_set(why, "libwebsockets does not start; is its libuv plugin installed "
                        "(package libwebsockets-evlib-uv)?");
        if (self->context != NULL) {
            ws_lws_free(self);
        } else {
            xfree(self);
        }
        return NULL;
    }
    return self;
}

bool ws_link_adopt(struct ws_lws *self, struct ws_link *link, int fd_owned, const char *key,
                   const char *subprotocol)
{
    char head[256];
    int len = lws_snprintf(head, sizeof(head),
                           "GET / HTTP/1.1\r\nHost: c\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                           "Sec-WebSocket-Version: 13\r\n\r\n",
                           key);
    assert(self->adopting == NULL);
    link->lws = self;
    self->adopting = link;
    self->adopt_subprotocol = subprotocol;
    struct lws *wsi = lws_adopt_socket_vhost_readbuf(self->vhost, fd_owned, head, (size_t)len);
    self->adopting = NULL;
    if (link->wsi == NULL && wsi != NULL) /* not finished on the spot: never wait for it */
        lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    return link->wsi != NULL;
}

bool ws_link_connect(struct ws_lws *self, struct ws_link *link, const struct ws_link_target *to)
{
    struct lws_client_connect_info info = {0};
    info.context = self->context;
    info.vhost = self->vhost;
    info.address = info.host = to->host;
    info.port = to->port;
    info.path = to->path;
    info.protocol = to->subprotocols;
    info.local_protocol_name = protocols[0].name;
    info.opaque_user_data = link;
    info.pwsi = &link->wsi;
    link->lws = self;
    link->authorization = xstrdup_or_null(to->authorization);
    self->connecting = link;
    struct lws *wsi = lws_client_connect_via_info(&info);
    self->connecting = NULL;
    if (wsi == NULL || link->wsi == NULL) {
        link->wsi = NULL;
        ws_link_clear(link);
        return false;
    }
    return true;
}

void ws_accept_key(const char *key, char out[WS_ACCEPT_SIZE])
{
    struct strbuf text = {0};
    unsigned char digest[20];
    strbuf_addf(&text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key); /* RFC 6455 §4.2.2 */
    lws_SHA1((const unsigned char *)strbuf_text(&text), text.len, digest);
    lws_b64_encode_string((const char *)digest, sizeof(digest), out, WS_ACCEPT_SIZE);
    strbuf_clear(&text);
}

/* The server: connections by number, liveness, closing. See ws_server.h.
 *
 * A charger's socket passes through listen.c (accept), visitor.c (handshake, refusals) and then
 * lives here as a struct connection around a link (ws_lws.h). One timer per connection serves
 * pings, the idle limit (T11) and, once closing, the 5 s after which the socket ends whatever the
 * peer does. Connections are freed in on_closed only; hooks get numbers, never pointers. */
#include "net/ws_server.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "net/http_head.h"
#include "net/visitor.h"
#include "net/ws_lws.h"

enum {
    CLOSE_DEADLINE_MS = 5000,
    DROP_AGAIN_MS = 100,         /* lws may reset its own kill timer once while it closes */
    DESCRIPTORS_OF_OTHERS = 512, /* database, REST, logs, and some air */
    DEAD_PEER_DEFAULT_MS = 180000
};

struct connection {
    struct ws_link link;
    struct ws_server *server;
    uint64_t number;
    char *identity;
    const struct version *version;
    struct timer timer;
    mono_t heard, next_ping, ping_before;
    uint64_t bytes; /* received when the timer last looked */
    bool pong_required, paused, closing;
    char peer[PEER_SIZE];
};

struct ws_server {
    struct loop *loop;
    struct ws_server_settings settings;
    struct ws_server_hooks hooks;
    struct ws_lws *lws;
    struct listener *listener;
    struct visitors visitors;
    struct idmap connections;
    struct map peers; /* address → number of sockets, if limited */
    uint64_t last_number;
    int64_t idle_ms;       /* effective; 0 = no limit */
    bool full;             /* said so in the log */
    struct timer shutting; /* runs the next step of a shutdown outside of any hook */
    bool shutdown, done_called;
    void (*done)(void *ctx);
    void *done_ctx;
};

static struct connection *of_link(struct ws_link *link)
{
    return CONTAINER_OF(link, struct connection, link);
}

static struct connection *find(const struct ws_server *server, uint64_t number)
{
    return idmap_get(&server->connections, number);
}

/* Liveness: T11, T12. */

/* lws keeps the charger's own pings to itself, and half a message is life too: ask the kernel.
 * Only when no callback told us better, because it says that bytes came, not when. */
static void look_for_bytes(struct connection *c, mono_t now)
{
    uint64_t bytes = socket_bytes_received(ws_link_fd(&c->link));
    if (bytes != c->bytes && c->heard < c->ping_before)
        c->heard = now;
    c->bytes = bytes;
    c->ping_before = now;
}

static bool may_die(const struct connection *c)
{
    return c->server->idle_ms > 0 && c->pong_required && !c->paused;
}

static void schedule(struct connection *c, mono_t now)
{
    int64_t delay = -1;
    if (c->server->settings.ping_interval_ms > 0)
        delay = c->next_ping - now;
    if (c->server->idle_ms > 0 && c->pong_required) {
        int64_t left = c->heard + c->server->idle_ms - now;
        if (delay < 0 || left < delay)
            delay = left;
    }
    if (delay >= 0)
        timer_start(loop_timers(c->server->loop), &c->timer, delay);
}

static void begin_closing(struct connection *c)
{
    c->closing = true;
    timer_start(loop_timers(c->server->loop), &c->timer, CLOSE_DEADLINE_MS);
}

static void drop(struct connection *c, const char *why)
{
    ws_link_drop(&c->link, why);
    c->closing = true;
    timer_start(loop_timers(c->server->loop), &c->timer, DROP_AGAIN_MS);
}

static void on_timer(struct timer *timer)
{
    struct connection *c = CONTAINER_OF(timer, struct connection, timer);
    if (c->closing) {
        drop(c, "did not answer our Close");
        return;
    }
    mono_t now = mono_now();
    if (c->next_ping <= now || c->heard + c->server->idle_ms <= now)
        look_for_bytes(c, now);
    if (c->paused)
        c->heard = now; /* we do not read, so silence proves nothing */
    if (may_die(c) && now - c->heard >= c->server->idle_ms) {
        drop(c, "silent for too long");
        return;
    }
    if (c->server->settings.ping_interval_ms > 0 && c->next_ping <= now) {
        ws_link_ping(&c->link);
        c->next_ping = now + c->server->settings.ping_interval_ms;
    }
    schedule(c, now);
}

/* Sockets per address, counted from accept to the end. */

static size_t peer_sockets(const struct ws_server *server, const char *peer)
{
    return (size_t)(uintptr_t)map_gets(&server->peers, peer);
}

static void count_peer(struct ws_server *server, const char *peer, bool more)
{
    if (server->settings.connections_per_address <= 0)
        return;
    size_t count = peer_sockets(server, peer) + (more ? 1 : (size_t)-1);
    if (count == 0) {
        map_remove(&server->peers, span_of(peer));
    } else {
        map_put(&server->peers, span_of(peer), (void *)(uintptr_t)count);
    }
}

/* What the link tells. */

static void on_heard(struct ws_link *link)
{
    of_link(link)->heard = mono_now();
}

static void on_message(struct ws_link *link, const char *text, size_t len)
{
    struct connection *c = of_link(link);
    struct ws_server *server = c->server;
    server->hooks.message(server->hooks.ctx, c->number, c->identity, text, len);
}

static void connection_free(struct connection *c)
{
    timer_stop(loop_timers(c->server->loop), &c->timer);
    xfree(c->identity);
    xfree(c);
}

static void shutdown_step_soon(struct ws_server *server)
{
    timer_start(loop_timers(server->loop), &server->shutting, 0);
}

static void on_closed(struct ws_link *link, int status, int code, const char *why)
{
    (void)status;
    (void)code;
    struct connection *c = of_link(link);
    struct ws_server *server = c->server;
    idmap_remove(&server->connections, c->number);
    count_peer(server, c->peer, false);
    server->full = false;
    server->hooks.closed(server->hooks.ctx, c->number, c->identity, why);
    connection_free(c);
    if (server->shutdown)
        shutdown_step_soon(server);
}

static const struct ws_link_hooks link_hooks = {
    .message = on_message, .heard = on_heard, .closed = on_closed};

/* How sockets come in. */

static void on_admit(void *ctx, struct handshake *hs, const struct name_value *headers,
                     size_t header_count, struct ws_admission *out)
{
    struct ws_server *server = ctx;
    server->hooks.admit(server->hooks.ctx, hs, headers, header_count, out);
}

static struct connection *connection_new(struct ws_server *server, const char *peer,
                                         const struct ws_admission *admission)
{
    struct connection *c = xcalloc(1, sizeof(*c));
    c->server = server;
    c->link.hooks = &link_hooks;
    c->link.max_message = (size_t)server->settings.max_message;
    c->link.queue_max = (size_t)server->settings.send_queue_max;
    c->identity = xstrdup(admission->identity);
    c->version = admission->version;
    c->pong_required = admission->pong_required;
    c->timer.fn = on_timer;
    c->heard = c->ping_before = mono_now();
    c->next_ping = c->heard + server->settings.ping_interval_ms;
    text_copy(c->peer, sizeof(c->peer), span_of(peer));
    return c;
}

static void on_admitted(void *ctx, int fd_owned, const char *peer, const char *key,
                        const char *subprotocol, const struct ws_admission *admission)
{
    struct ws_server *server = ctx;
    struct connection *c = connection_new(server, peer, admission);
    if (server->shutdown || !ws_link_adopt(server->lws, &c->link, fd_owned, key, subprotocol)) {
        count_peer(server, peer, false);
        if (server->shutdown)
            close(fd_owned);
        connection_free(c);
        return;
    }
    c->bytes = socket_bytes_received(ws_link_fd(&c->link));
    uint64_t number = c->number = ++server->last_number;
    idmap_put(&server->connections, number, c);
    schedule(c, c->heard);
    server->hooks.opened(server->hooks.ctx, number, c->identity, c->version, peer);
}

static void on_left(void *ctx, const char *peer)
{
    struct ws_server *server = ctx;
    server->full = false;
    count_peer(server, peer, false);
}

static void turn_away(struct ws_server *server, int fd_owned, int status, const char *peer)
{
    struct strbuf answer = {0};
    http_answer(&answer, status, false);
    (void)!send(fd_owned, strbuf_text(&answer), answer.len, MSG_NOSIGNAL);
    strbuf_clear(&answer);
    close(fd_owned);
    if (!server->full)
        LOG(LOG_WARN, "too many connections: chargers are turned away", L_STR("peer", peer),
            L_INT("open", server->connections.count));
    server->full = true;
}

static void on_accepted(void *ctx, int fd_owned, const char *peer)
{
    struct ws_server *server = ctx;
    size_t sockets = server->connections.count + server->visitors.count;
    int per_address = server->settings.connections_per_address;
    if (sockets >= (size_t)server->settings.connections_max) {
        turn_away(server, fd_owned, 503, peer);
    } else if (per_address > 0 && peer_sockets(server, peer) >= (size_t)per_address) {
        turn_away(server, fd_owned, 429, peer);
    } else {
        count_peer(server, peer, true);
        visitor_start(&server->visitors, fd_owned, peer);
    }
}

/* Opening. */

static int64_t effective_idle(const struct ws_server_settings *settings)
{
    /* T11: the configuration adds the heartbeat's part; alone we know the ping interval. */
    return settings->idle_timeout_ms > 0 ? settings->idle_timeout_ms
                                         : 3 * settings->ping_interval_ms;
}

/* P10: stay below the limit, or accept would fail for the database too. */
static void fit_connections_max(struct ws_server *server)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT32_MAX)
        return;
    int most = (int)limit.rlim_cur - DESCRIPTORS_OF_OTHERS;
    if (most < 1)
        most = (int)limit.rlim_cur / 2;
    if (server->settings.connections_max <= most)
        return;
    LOG(LOG_WARN, "connections_max is cut to fit the limit of open files",
        L_INT("configured", server->settings.connections_max), L_INT("used", most));
    server->settings.connections_max = most;
}

static void on_shutting(struct timer *timer);

struct ws_server *ws_server_open(struct loop *loop, const struct ws_server_settings *settings,
                                 const struct ws_server_hooks *hooks, struct reason *why)
{
    struct ws_server *server = xcalloc(1, sizeof(*server));
    server->loop = loop;
    server->settings = *settings;
    server->settings.address = NULL; /* the listener's, and only during this call */
    server->hooks = *hooks;
    server->idle_ms = effective_idle(settings);
    server->shutting.fn = on_shutting;
    server->last_number = (uint64_t)wall_now(); /* not used before a restart either */
    server->visitors = (struct visitors){.loop = loop,
                                         .timeout_ms = settings->handshake_timeout_ms,
                                         .ctx = server,
                                         .admit = on_admit,
                                         .admitted = on_admitted,
                                         .left = on_left};
    const struct listener_settings listening = {
        .address = settings->address,
        .port = settings->port,
        .per_second = settings->accept_per_second,
        .dead_peer_ms = server->idle_ms > 0 ? server->idle_ms : DEAD_PEER_DEFAULT_MS,
        .accepted = on_accepted,
        .ctx = server};
    server->lws = ws_lws_new(loop, true, settings->connections_max + DESCRIPTORS_OF_OTHERS, why);
    if (server->lws != NULL)
        server->listener = listener_open(loop, &listening, why);
    if (server->listener == NULL) {
        ws_lws_free(server->lws);
        xfree(server);
        return NULL;
    }
    fit_connections_max(server);
    return server;
}

int ws_server_port(const struct ws_server *server)
{
    return server->listener == NULL ? 0 : listener_port(server->listener);
}

bool ws_server_send(struct ws_server *server, uint64_t connection, const char *text, size_t len)
{
    struct connection *c = find(server, connection);
    if (c == NULL)
        return false;
    enum ws_sent sent = ws_link_send(&c->link, text, len);
    if (sent == WS_QUEUE_FULL) {
        LOG(LOG_WARN, "charger reads too slowly", L_STR("cp", c->identity),
            L_INT("connection", connection));
        ws_link_discard_queue(&c->link);
        ws_server_close(server, connection, WS_POLICY, "reads too slowly");
    }
    return sent == WS_SENT;
}

void ws_server_close(struct ws_server *server, uint64_t connection, int code, const char *reason)
{
    struct connection *c = find(server, connection);
    if (c == NULL || c->closing)
        return;
    ws_link_close(&c->link, code, reason);
    begin_closing(c);
}

void ws_server_pause(struct ws_server *server, uint64_t connection, bool paused)
{
    struct connection *c = find(server, connection);
    if (c == NULL || c->paused == paused)
        return;
    c->paused = paused;
    if (!paused)
        c->heard = mono_now();
    ws_link_pause(&c->link, paused);
}

size_t ws_server_count(const struct ws_server *server)
{
    return server->connections.count;
}

struct ws_queues ws_server_queues(const struct ws_server *server)
{
    struct ws_queues queues = {0};
    const struct connection *c;
    for (size_t at = 0; (c = idmap_next(&server->connections, &at)) != NULL;) {
        queues.sum += c->link.queued;
        if (c->link.queued > queues.max)
            queues.max = c->link.queued;
    }
    return queues;
}

/* Ending. */

static void close_all(struct ws_server *server)
{
    size_t at = 0;
    struct connection *c;
    while ((c = idmap_next(&server->connections, &at)) != NULL) {
        if (server->settings.drop_on_shutdown) {
            drop(c, "server restarts"); /* Q23: some do not come back after a clean Close */
        } else if (!c->closing) {
            ws_link_close(&c->link, WS_RESTART, "server restarts");
            begin_closing(c);
        }
    }
}

static void on_shutting(struct timer *timer)
{
    struct ws_server *server = CONTAINER_OF(timer, struct ws_server, shutting);
    if (server->listener != NULL) {
        listener_close(server->listener);
        server->listener = NULL;
        visitors_clear(&server->visitors);
        close_all(server);
    }
    if (server->connections.count > 0 || server->done_called)
        return;
    server->done_called = true;
    if (server->done != NULL)
        server->done(server->done_ctx);
}

void ws_server_shutdown(struct ws_server *server, void (*done)(void *ctx), void *ctx)
{
    server->done = done;
    server->done_ctx = ctx;
    server->shutdown = true;
    shutdown_step_soon(server);
}

void ws_server_free(struct ws_server *server)
{
    if (server == NULL)
        return;
    timer_stop(loop_timers(server->loop), &server->shutting);
    listener_close(server->listener);
    visitors_clear(&server->visitors);
    size_t at = 0;
    struct connection *c;
    while ((c = idmap_next(&server->connections, &at)) != NULL) {
        ws_link_detach(&c->link);
        connection_free(c);
    }
    idmap_clear(&server->connections);
    map_clear(&server->peers);
    ws_lws_free(server->lws);
    xfree(server);
}

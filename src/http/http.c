/* The daemon: MHD's callbacks, one exchange per request, suspend and resume. See http.h.
 *
 * A request goes: on_access with headers (exchange made, deadline started) → on_access per piece of
 * the body → on_access at the end (handed to `handle`, connection suspended) → http_respond
 * (response kept, connection resumed) → on_access again (response queued) → on_completed (exchange
 * freed). MHD may only be re-entered by MHD_run, so a resume asks for another run (LIBRARIES.md
 * §6). */
#include "http/http.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/parts.h"

/* ---- answering ---- */

static void wake(struct exchange *exchange)
{
    if (exchange->suspended) {
        exchange->suspended = false;
        MHD_resume_connection(exchange->connection);
        exchange->http->run_again = true;
    }
}

static void set_response(struct exchange *exchange, int status, struct MHD_Response *response_owned)
{
    exchange->status = status;
    exchange->response = response_owned;
    exchange->answered = true;
    idmap_remove(&exchange->http->exchanges, exchange->number);
    wake(exchange);
}

bool http_respond(struct http *http, uint64_t request, const struct response *response)
{
    struct exchange *exchange = idmap_get(&http->exchanges, request);
    if (!exchange)
        return false;
    struct MHD_Response *made = response_make(response);
    set_response(exchange, response->status, made);
    return true;
}

static enum MHD_Result send_now(struct MHD_Connection *connection, int status,
                                struct MHD_Response *response_owned)
{
    if (!response_owned)
        return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response_owned);
    MHD_destroy_response(response_owned);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, int status, const char *detail,
                              int retry_after_s)
{
    struct MHD_Response *response = response_problem(status, detail);
    char seconds[16];
    if (response && retry_after_s) {
        snprintf(seconds, sizeof(seconds), "%d", retry_after_s);
        MHD_add_response_header(response, "Retry-After", seconds);
    }
    /* What is left of the request is not read: the connection ends with the answer. */
    if (response && status != 429 && status != 431)
        MHD_add_response_header(response, "Connection", "close");
    return send_now(connection, status, response);
}

/* ---- one exchange ---- */

static void end_socket(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        shutdown(info->connect_fd, SHUT_RDWR);
}

static void on_deadline(struct timer *timer)
{
    struct exchange *exchange = CONTAINER_OF(timer, struct exchange, deadline);
    if (exchange->handed) { /* the handler never answered */
        set_response(exchange, 504, response_problem(504, "no answer in time"));
        return;
    }
    /* The request never became whole: MHD ends the connection at its next look. */
    end_socket(exchange->connection);
    exchange->http->run_again = true;
}

static struct link *link_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static struct exchange *exchange_new(struct http *http, struct MHD_Connection *connection)
{
    struct exchange *exchange = xcalloc(1, sizeof(*exchange));
    exchange->http = http;
    exchange->number = ++http->next_number;
    exchange->connection = connection;
    exchange->body.cap = (size_t)http->settings.max_body;
    exchange->deadline.fn = on_deadline;
    timer_start(http->timers, &exchange->deadline, http->settings.request_timeout_ms);
    timer_stop(http->timers, &link_of(connection)->head);
    return exchange;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct http *http = ctx;
    struct exchange *exchange = *slot;
    struct link *link = link_of(connection);
    *slot = NULL;
    if (!exchange)
        return;
    if (link)
        timer_start(http->timers, &link->head, http->settings.request_timeout_ms);
    idmap_remove(&http->exchanges, exchange->number);
    timer_stop(http->timers, &exchange->deadline);
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    strbuf_clear(&exchange->body);
    xfree(exchange);
}

/* The whole request is here: who is it, and over to the handler. */
static enum MHD_Result hand_over(struct exchange *exchange, const char *method, const char *uri)
{
    struct http *http = exchange->http;
    struct MHD_Connection *connection = exchange->connection;
    struct arena arena = {0};
    struct request request;
    const char *peer = link_of(connection)->peer;
    int retry_after_s;
    if (!request_read(connection, method, uri, &arena, &request)) {
        arena_clear(&arena);
        return refuse(connection, 431, "too many headers or query parameters", 0);
    }
    request.scope =
        keys_judge(&http->keys, request_key(connection), peer, &request.key_name, &retry_after_s);
    if (retry_after_s) {
        arena_clear(&arena);
        return refuse(connection, 429, "too many wrong API keys from this address", retry_after_s);
    }
    request.peer = peer;
    request.body = (struct span){strbuf_text(&exchange->body), exchange->body.len};
    exchange->handed = true;
    idmap_put(&http->exchanges, exchange->number, exchange);
    timer_start(http->timers, &exchange->deadline, http->settings.answer_timeout_ms);
    http->handle(http->ctx, exchange->number, &request);
    arena_clear(&arena);
    if (!exchange->answered) {
        exchange->suspended = true;
        MHD_suspend_connection(connection);
        return MHD_YES;
    }
    struct MHD_Response *response = exchange->response;
    exchange->response = NULL;
    return send_now(connection, exchange->status, response);
}

static bool declared_too_large(const struct exchange *exchange)
{
    int64_t length;
    const char *text = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text && span_int(span_of(text), &length) && length > exchange->http->settings.max_body;
}

static enum MHD_Result too_large(struct exchange *exchange)
{
    char detail[80];
    snprintf(detail, sizeof(detail), "the body may have %lld bytes at most",
             (long long)exchange->http->settings.max_body);
    return refuse(exchange->connection, 413, detail, 0);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *uri,
                                 const char *method, const char *version, const char *data,
                                 size_t *data_size, void **slot)
{
    (void)version;
    struct http *http = ctx;
    struct exchange *exchange = *slot;
    if (!exchange) {
        *slot = exchange = exchange_new(http, connection);
        if (http->draining)
            return refuse(connection, 503, "the server is stopping", 0);
        return declared_too_large(exchange) ? too_large(exchange) : MHD_YES;
    }
    if (exchange->answered) {
        struct MHD_Response *response = exchange->response;
        exchange->response = NULL;
        return send_now(connection, exchange->status, response);
    }
    if (*data_size) {
        strbuf_add(&exchange->body, data, *data_size);
        exchange->too_large |= exchange->body.overflow;
        *data_size = 0;
        return MHD_YES;
    }
    if (exchange->too_large)
        return too_large(exchange);
    return hand_over(exchange, method, uri);
}

/* ---- connections ---- */

/* MHD's own limit per address closes silently and cannot be asked; its total is set as an option.
 */
static enum MHD_Result on_accept(void *ctx, const struct sockaddr *address, socklen_t len)
{
    (void)len;
    struct http *http = ctx;
    char peer[PEER_SIZE];
    address_text(address, peer);
    const struct address_count *known = map_gets(&http->addresses, peer);
    return known && known->count >= (size_t)http->settings.connections_per_address ? MHD_NO
                                                                                   : MHD_YES;
}

static void on_head_late(struct timer *timer)
{
    struct link *link = CONTAINER_OF(timer, struct link, head);
    end_socket(link->connection);
    link->http->run_again = true;
}

static void count_address(struct http *http, const char *peer, int by)
{
    struct address_count *known = map_gets(&http->addresses, peer);
    if (!known) {
        known = xcalloc(1, sizeof(*known));
        map_put(&http->addresses, span_of(peer), known);
    }
    known->count += (size_t)by;
    if (known->count == 0)
        xfree(map_remove(&http->addresses, span_of(peer)));
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = ctx;
    struct link *link = *slot;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        *slot = link = xcalloc(1, sizeof(*link));
        *link = (struct link){.http = http, .connection = connection, .head = {.fn = on_head_late}};
        address_text(info ? info->client_addr : NULL, link->peer);
        count_address(http, link->peer, 1);
        timer_start(http->timers, &link->head, http->settings.request_timeout_ms);
    } else if (link) {
        timer_stop(http->timers, &link->head);
        count_address(http, link->peer, -1);
        xfree(link);
        *slot = NULL;
    }
}

static void on_mhd_log(void *ctx, const char *format, va_list args)
{
    (void)ctx;
    char line[256];
    vsnprintf(line, sizeof(line), format, args);
    line[strcspn(line, "\n")] = '\0';
    LOG(LOG_DEBUG, "libmicrohttpd", L_STR("line", line));
}

/* Paths reach the routes as received, so that %2F stays inside its segment. */
static size_t keep_escapes(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx, (void)connection;
    return strlen(text);
}

/* ---- open, run, close ---- */

struct http *http_open(const struct http_settings *settings, struct timers *timers,
                       http_handler handle, void *ctx, struct reason *why)
{
    struct http *http = xcalloc(1, sizeof(*http));
    http->settings = *settings;
    http->timers = timers;
    http->handle = handle;
    http->ctx = ctx;
    keys_set(&http->keys, settings->keys, settings->key_count);
    http->settings.keys = NULL;
    int fd = address_listen(settings->address, settings->port, &http->port, why);
    if (fd >= 0) {
        http->daemon = MHD_start_daemon(
            MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, on_accept, http,
            on_access, http, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET,
            fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_NOTIFY_CONNECTION,
            on_connection, http, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
            MHD_OPTION_CONNECTION_LIMIT, (unsigned)settings->connections_max,
            MHD_OPTION_CONNECTION_TIMEOUT, 120u, MHD_OPTION_END);
        if (!http->daemon) {
            close(fd);
            reason_set(why, "REST: libmicrohttpd did not start");
        }
    }
    if (!http->daemon) {
        http_close(http);
        return NULL;
    }
    return http;
}

int http_port(const struct http *http)
{
    return http->port;
}

int http_fd(const struct http *http)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? info->epoll_fd : -1;
}

void http_run(struct http *http)
{
    if (http->running)
        return;
    http->running = true;
    http->run_again = false;
    MHD_run(http->daemon);
    http->running = false;
}

bool http_wants_run(const struct http *http)
{
    return http->run_again;
}

int64_t http_timeout_ms(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (http->run_again)
        return 0;
    return MHD_get_timeout(http->daemon, &ms) == MHD_YES ? (int64_t)ms : -1;
}

size_t http_pending(const struct http *http)
{
    return http->exchanges.count;
}

void http_drain(struct http *http)
{
    http->draining = true;
}

void http_set_keys(struct http *http, const struct http_key *keys, size_t count)
{
    keys_set(&http->keys, keys, count);
}

/* MHD aborts the process when it is stopped with a suspended connection: wake all, run, then stop.
 */
static void answer_all(struct http *http)
{
    struct exchange *exchange;
    size_t at = 0;
    while ((exchange = idmap_next(&http->exchanges, &at))) {
        set_response(exchange, 503, response_problem(503, "the server is stopping"));
        at = 0; /* answering took it out of the map */
    }
    for (int i = 0; i < 3; i++)
        MHD_run(http->daemon);
}

void http_close(struct http *http)
{
    if (http->daemon) {
        http->draining = true;
        answer_all(http);
        MHD_stop_daemon(http->daemon);
    }
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&http->addresses, &at)))
        xfree(entry->value);
    map_clear(&http->addresses);
    idmap_clear(&http->exchanges);
    keys_clear(&http->keys);
    xfree(http);
}

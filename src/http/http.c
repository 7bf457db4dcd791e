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
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/parts.h"

/* A body that is too large anyway is still read, up to here, if that lets the client read our 413:
 * closing on unread bytes resets the connection, and the answer may be lost. */
enum { SWALLOW_MAX = 1 << 20 };

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
    struct http *http = exchange->http;
    exchange->status = status;
    exchange->response = response_owned;
    exchange->phase = PHASE_ANSWERING;
    timer_start(http->timers, &exchange->deadline, http->settings.answer_timeout_ms);
    idmap_remove(&http->exchanges, exchange->number);
    wake(exchange);
}

bool http_respond(struct http *http, uint64_t request, const struct response *response)
{
    struct exchange *exchange = idmap_get(&http->exchanges, request);
    if (!exchange)
        return false;
    if (NEVER(response->status < 200 || response->status > 599))
        set_response(exchange, 500, response_problem(500, NULL));
    else
        set_response(exchange, response->status, response_make(response));
    return true;
}

/* What set_response() left goes to MHD, from within on_access. */
static enum MHD_Result send_response(struct exchange *exchange)
{
    struct MHD_Response *response = exchange->response;
    exchange->response = NULL;
    if (!response)
        return MHD_NO;
    enum MHD_Result result =
        MHD_queue_response(exchange->connection, (unsigned)exchange->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct exchange *exchange, int status, const char *detail)
{
    set_response(exchange, status, response_problem(status, detail));
    return send_response(exchange);
}

static enum MHD_Result refuse_guessing(struct exchange *exchange, int retry_after_s)
{
    struct MHD_Response *response =
        response_problem(429, "too many wrong API keys from this address");
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%d", retry_after_s);
    if (response)
        MHD_add_response_header(response, "Retry-After", seconds);
    set_response(exchange, 429, response);
    return send_response(exchange);
}

static enum MHD_Result refuse_large(struct exchange *exchange)
{
    char detail[80];
    snprintf(detail, sizeof(detail), "the body may have %lld bytes at most",
             (long long)exchange->http->settings.max_body);
    return refuse(exchange, 413, detail);
}

/* ---- one exchange ---- */

static void on_deadline(struct timer *timer)
{
    struct exchange *exchange = CONTAINER_OF(timer, struct exchange, deadline);
    struct strbuf late = {0};
    switch (exchange->phase) {
    case PHASE_RECEIVING:
        response_late(&late);
        link_end_saying(link_of(exchange->connection), (struct span){late.at, late.len});
        strbuf_clear(&late);
        break;
    case PHASE_WAITING:
        set_response(exchange, 504, response_problem(504, "no answer in time"));
        break;
    case PHASE_ANSWERING: /* a client that does not read */
        link_end(link_of(exchange->connection));
        break;
    }
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
    *slot = NULL;
    if (!exchange)
        return;
    struct link *link = link_of(connection);
    if (link)
        timer_start(http->timers, &link->head, http->settings.request_timeout_ms);
    idmap_remove(&http->exchanges, exchange->number);
    timer_stop(http->timers, &exchange->deadline);
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    strbuf_clear(&exchange->body);
    xfree(exchange);
}

static void hand_to_handler(struct exchange *exchange, const struct request *request)
{
    struct http *http = exchange->http;
    exchange->phase = PHASE_WAITING;
    idmap_put(&http->exchanges, exchange->number, exchange);
    timer_start(http->timers, &exchange->deadline, http->settings.answer_timeout_ms);
    http->handle(http->ctx, exchange->number, request);
}

/* The whole request is here: who is it, and over to the handler. */
static enum MHD_Result hand_over(struct exchange *exchange, const char *method, const char *uri)
{
    struct MHD_Connection *connection = exchange->connection;
    struct arena arena = {0};
    struct request request;
    int retry_after_s = 0;
    bool read = request_read(connection, method, uri, &arena, &request);
    if (read) {
        request.peer = link_of(connection)->peer;
        request.body = (struct span){strbuf_text(&exchange->body), exchange->body.len};
        request.scope = keys_judge(&exchange->http->keys, request_key(connection), request.peer,
                                   &request.key_name, &retry_after_s);
        if (!retry_after_s)
            hand_to_handler(exchange, &request);
    }
    arena_clear(&arena);
    if (!read)
        return refuse(exchange, 431, "too many headers or query parameters");
    if (retry_after_s)
        return refuse_guessing(exchange, retry_after_s);
    if (exchange->phase == PHASE_ANSWERING)
        return send_response(exchange);
    exchange->suspended = true;
    MHD_suspend_connection(connection);
    return MHD_YES;
}

/* The head is here. */
static enum MHD_Result begin(struct exchange *exchange, const char *method, const char *version)
{
    if (!request_head_is_whole(exchange->connection, method, version))
        return refuse(exchange, 400, "the head of the request has NUL bytes or folded lines");
    int64_t length;
    const char *text = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (!text || !span_int(span_of(text), &length) || length <= exchange->http->settings.max_body)
        return MHD_YES;
    exchange->too_large = true;
    bool asks_first = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND,
                                                  MHD_HTTP_HEADER_EXPECT) != NULL;
    return asks_first || length > SWALLOW_MAX ? refuse_large(exchange) : MHD_YES;
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *uri,
                                 const char *method, const char *version, const char *data,
                                 size_t *data_size, void **slot)
{
    struct http *http = ctx;
    struct exchange *exchange = *slot;
    if (!exchange) {
        *slot = exchange = exchange_new(http, connection);
        return begin(exchange, method, version);
    }
    if (exchange->phase == PHASE_ANSWERING)
        return send_response(exchange);
    if (*data_size) {
        if (!exchange->too_large)
            strbuf_add(&exchange->body, data, *data_size);
        exchange->too_large |= exchange->body.overflow;
        *data_size = 0;
        return MHD_YES;
    }
    /* Also the one whose body was on its way when the draining began: nobody may start to wait once
     * http_close() has woken those who did. */
    if (http->draining)
        return refuse(exchange, 503, "the server is stopping");
    return exchange->too_large ? refuse_large(exchange) : hand_over(exchange, method, uri);
}

/* ---- open, run, close ---- */

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
            MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, link_accept, http,
            on_access, http, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET,
            fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_NOTIFY_CONNECTION,
            link_notify, http, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
            MHD_OPTION_CONNECTION_LIMIT, (unsigned)settings->connections_max, MHD_OPTION_END);
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
    for (int i = 0; i < 3; i++) /* resume, send, notice what ended */
        http_run(http);
}

void http_close(struct http *http)
{
    if (http->daemon) {
        http->draining = true;
        answer_all(http);
        MHD_stop_daemon(http->daemon);
    }
    link_forget_addresses(http);
    idmap_clear(&http->exchanges);
    keys_clear(&http->keys);
    xfree(http);
}

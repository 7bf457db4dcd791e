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
enum { SWALLOW_MAX = 1 << 20, STREAM_RETRY_S = 30 };

/* ---- answering ---- */

void exchange_suspend(struct exchange *exchange)
{
    exchange->suspended = true;
    MHD_suspend_connection(exchange->connection);
}

void exchange_resume(struct exchange *exchange)
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
    idmap_remove(&http->exchanges, exchange->number);
    if (exchange->stream)
        stream_watch(exchange->stream);
    else
        timer_start(http->timers, &exchange->deadline, http->settings.answer_timeout_ms);
    exchange_resume(exchange);
}

static struct MHD_Response *problem_later(int status, const char *detail, int retry_after_s)
{
    struct MHD_Response *response = response_problem(status, detail);
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%d", retry_after_s);
    if (response)
        MHD_add_response_header(response, "Retry-After", seconds);
    return response;
}

static void respond_with_stream(struct exchange *exchange, const struct response *response)
{
    struct http *http = exchange->http;
    const struct body_source *source = response->source;
    const char *why = NULL;
    if (stream_is_too_many(http, source))
        why = "too many streams are open";
    else if (http->draining && source->endless)
        why = "the server is stopping";
    if (!why) {
        struct MHD_Response *made = stream_make(exchange, response);
        set_response(exchange, response->status, made);
        return;
    }
    source->close(source->ctx);
    set_response(exchange, 503, problem_later(503, why, STREAM_RETRY_S));
}

bool http_respond(struct http *http, uint64_t request, const struct response *response)
{
    struct exchange *exchange = idmap_get(&http->exchanges, request);
    const struct body_source *source = response->source;
    bool bad = NEVER(response->status < 200 || response->status > 599);
    if (source && (!exchange || bad))
        source->close(source->ctx);
    if (!exchange)
        return false;
    if (bad)
        set_response(exchange, 500, response_problem(500, NULL));
    else if (source)
        respond_with_stream(exchange, response);
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

static enum MHD_Result refuse_guessing(struct exchange *exchange)
{
    set_response(
        exchange, 429,
        problem_later(429, "too many wrong API keys from this address", exchange->retry_after_s));
    return send_response(exchange);
}

static enum MHD_Result refuse_large(struct exchange *exchange)
{
    char detail[80];
    snprintf(detail, sizeof(detail), "the body may have %zu bytes at most", exchange->body.cap);
    return refuse(exchange, 413, detail);
}

/* ---- one exchange ---- */

static void end_saying(struct exchange *exchange, int status, const char *detail)
{
    struct strbuf answer = {0};
    response_raw(&answer, status, detail);
    link_end_saying(link_of(exchange->connection), (struct span){answer.at, answer.len});
    strbuf_clear(&answer);
}

static void on_deadline(struct timer *timer)
{
    struct exchange *exchange = CONTAINER_OF(timer, struct exchange, deadline);
    switch (exchange->phase) {
    case PHASE_RECEIVING:
        end_saying(exchange, 408, "the request was not complete in time");
        break;
    case PHASE_WAITING:
        set_response(exchange, 504, response_problem(504, "no answer in time"));
        break;
    case PHASE_ANSWERING: /* a client that does not read */
        if (exchange->stream)
            stream_watch(exchange->stream);
        else
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
    upload_close(exchange, false);
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    if (exchange->stream)
        exchange->stream->exchange = NULL;
    strbuf_clear(&exchange->body);
    xfree(exchange->key_name);
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

bool exchange_read(struct exchange *exchange, const char *method, const char *uri,
                   struct arena *arena, struct request *out)
{
    if (!request_read(exchange->connection, method, uri, arena, out))
        return false;
    out->peer = link_of(exchange->connection)->peer;
    if (!exchange->judged) {
        const char *name = NULL;
        exchange->scope = keys_judge(&exchange->http->keys, request_key(exchange->connection),
                                     out->peer, &name, &exchange->retry_after_s);
        exchange->key_name = xstrdup_or_null(name);
        exchange->judged = true;
    }
    out->scope = exchange->scope;
    out->key_name = exchange->key_name;
    return true;
}

/* The whole request is here: who is it, and over to the handler. */
static enum MHD_Result hand_over(struct exchange *exchange, const char *method, const char *uri)
{
    struct arena arena = {0};
    struct request request;
    bool read = exchange_read(exchange, method, uri, &arena, &request);
    if (read && !exchange->retry_after_s) {
        request.body = (struct span){strbuf_text(&exchange->body), exchange->body.len};
        request.upload = exchange->sink.close ? exchange->sink.number : 0;
        upload_close(exchange, true);
        hand_to_handler(exchange, &request);
    }
    arena_clear(&arena);
    if (!read)
        return refuse(exchange, 431, "too many headers or query parameters");
    if (exchange->retry_after_s)
        return refuse_guessing(exchange);
    if (exchange->phase == PHASE_ANSWERING)
        return send_response(exchange);
    exchange_suspend(exchange);
    return MHD_YES;
}

static const char *header(struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

/* Answers a refusal now, or keeps it until the body has been read. */
static enum MHD_Result refuse_body(struct exchange *exchange, int64_t length, int status,
                                   struct MHD_Response *refused)
{
    if (header(exchange, MHD_HTTP_HEADER_EXPECT) || length > SWALLOW_MAX) {
        set_response(exchange, status, refused);
        return send_response(exchange);
    }
    exchange->status = status;
    exchange->response = refused;
    return MHD_YES;
}

/* The head is here. */
static enum MHD_Result begin(struct exchange *exchange, const char *method, const char *uri,
                             const char *version)
{
    struct http *http = exchange->http;
    struct MHD_Response *refused = NULL;
    int status = 413;
    if (!request_head_is_whole(exchange->connection, method, version))
        return refuse(exchange, 400, "the head of the request has NUL bytes or folded lines");
    int64_t length = 0;
    const char *text = header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (text && !span_int(span_of(text), &length))
        length = INT64_MAX;
    bool has_body = length > 0 || header(exchange, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    if (has_body && http->upload && !http->draining)
        upload_begin(exchange, method, uri, length, &status, &refused);
    if (refused)
        return refuse_body(exchange, length, status, refused);
    if (exchange->sink.close || length <= (int64_t)exchange->body.cap)
        return MHD_YES;
    exchange->too_large = true;
    bool at_once = header(exchange, MHD_HTTP_HEADER_EXPECT) || length > SWALLOW_MAX;
    return at_once ? refuse_large(exchange) : MHD_YES;
}

/* A piece of the body. False: enough of it. */
static bool take_piece(struct exchange *exchange, const char *data, size_t len)
{
    struct http *http = exchange->http;
    if (exchange->sink.close) {
        timer_start(http->timers, &exchange->deadline, http->settings.request_timeout_ms);
        upload_write(exchange, data, len, &exchange->status, &exchange->response);
    } else if (exchange->response) {
        exchange->received += (int64_t)len;
        if (exchange->received > SWALLOW_MAX) {
            end_saying(exchange, exchange->status, "the rest of the body is not wanted");
            return false;
        }
    } else {
        if (!exchange->too_large)
            strbuf_add(&exchange->body, data, len);
        exchange->too_large |= exchange->body.overflow;
        if (exchange->body.len > (size_t)http->settings.max_body && !exchange->too_large)
            timer_start(http->timers, &exchange->deadline, http->settings.request_timeout_ms);
    }
    return true;
}

/* All of the body is here. */
static enum MHD_Result finish(struct exchange *exchange, const char *method, const char *uri)
{
    struct MHD_Response *refusal = exchange->response;
    exchange->response = NULL;
    /* Also the one whose body was on its way when the draining began: nobody may start to wait once
     * http_close() has woken those who did. */
    if (exchange->http->draining) {
        if (refusal)
            MHD_destroy_response(refusal);
        upload_close(exchange, false);
        return refuse(exchange, 503, "the server is stopping");
    }
    if (refusal) {
        set_response(exchange, exchange->status, refusal);
        return send_response(exchange);
    }
    return exchange->too_large ? refuse_large(exchange) : hand_over(exchange, method, uri);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *uri,
                                 const char *method, const char *version, const char *data,
                                 size_t *data_size, void **slot)
{
    struct http *http = ctx;
    struct exchange *exchange = *slot;
    if (!exchange) {
        *slot = exchange = exchange_new(http, connection);
        exchange->head_only = text_is(method, MHD_HTTP_METHOD_HEAD);
        return begin(exchange, method, uri, version);
    }
    if (exchange->phase == PHASE_ANSWERING)
        return send_response(exchange);
    if (*data_size) {
        bool on = take_piece(exchange, data, *data_size);
        *data_size = 0;
        return on ? MHD_YES : MHD_NO;
    }
    return finish(exchange, method, uri);
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

void http_on_upload(struct http *http, http_upload_hook hook, void *ctx)
{
    http->upload = hook;
    http->upload_ctx = ctx;
}

size_t http_pending(const struct http *http)
{
    return http->exchanges.count + http->streams.count - http->endless;
}

size_t http_connections(const struct http *http)
{
    return http->connections;
}

size_t http_streams(const struct http *http)
{
    return http->endless;
}

void http_drain(struct http *http)
{
    http->draining = true;
    streams_end(http, false);
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
        streams_end(http, true);
        answer_all(http);
        MHD_stop_daemon(http->daemon);
    }
    link_forget_addresses(http);
    idmap_clear(&http->exchanges);
    idmap_clear(&http->streams);
    keys_clear(&http->keys);
    xfree(http);
}

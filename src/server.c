/* Wiring only: see server.h. Reading order: open and close at the end, the ports above them, one
 * small section per neighbour. Everything here runs on the loop thread. */
#include "server.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "bodies.h"
#include "http_loop.h"
#include "outgoing.h"
#include "process.h"

enum { STOP_WITHIN_MS = 5000, RETAIN_EVERY_MS = 10 * 60 * 1000 };

struct server {
    const struct conf *conf;
    struct loop *loop;
    struct timers *timers;
    struct store *store;
    struct station *station;
    struct policy *policy;
    struct ws_server *ws;
    struct http *http;
    struct http_loop *http_loop;
    struct outgoing *outgoing;
    struct events *events;
    struct files *files;
    struct bodies bodies;
    wall_t started;
    struct timer retain_timer, stop_timer;
    bool sockets_closed;
    mono_t stop_deadline;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
};

/* ---- station's ports ---- */

static bool port_send(void *ctx, uint64_t connection, const char *text, size_t len)
{
    struct server *server = ctx;
    return server->ws && ws_server_send(server->ws, connection, text, len);
}

static void port_close(void *ctx, uint64_t connection, int code, const char *reason)
{
    struct server *server = ctx;
    if (server->ws)
        ws_server_close(server->ws, connection, code, reason);
}

static void port_pause(void *ctx, uint64_t connection, bool paused)
{
    struct server *server = ctx;
    if (server->ws)
        ws_server_pause(server->ws, connection, paused);
}

/* A batch that is tapped on its way back: in its own arena. */
struct tap {
    struct server *server;
    void (*done)(void *ctx, struct batch *batch);
    void *ctx;
};

static void on_tapped(void *ctx, struct batch *batch)
{
    struct tap tap = *(struct tap *)ctx;
    events_batch(tap.server->events, batch);
    if (tap.done)
        tap.done(tap.ctx, batch);
    else
        batch_free(batch);
}

static void port_submit(void *ctx, struct batch *batch)
{
    struct server *server = ctx;
    if (events_awake(server->events)) {
        struct tap *tap = ARENA_NEW(&batch->arena, struct tap);
        *tap = (struct tap){server, batch->done, batch->ctx};
        batch->done = on_tapped;
        batch->ctx = tap;
    }
    store_submit(server->store, batch);
}

static void port_ask(void *ctx, const struct event *event, event_done done, void *done_ctx)
{
    struct server *server = ctx;
    if (server->policy) {
        policy_event(server->policy, event, done, done_ctx);
        return;
    }
    /* Shutting down: the safe default of each event applies. */
    struct verdict verdict = {
        .kind = VERDICT_FAILED, .why = "the server is stopping", .stopping = true};
    done(done_ctx, &verdict);
}

static bool port_listens(void *ctx, enum event_kind kind, const char *action)
{
    struct server *server = ctx;
    return server->policy && policy_listens(server->policy, kind, action);
}

/* ---- policy's ports ---- */

static void port_query(void *ctx, const char *name, const struct json *params, query_done done,
                       void *done_ctx)
{
    struct server *server = ctx;
    station_flush(server->station); /* who asks sees what he did before */
    store_query(server->store, name, params, done, done_ctx);
}

static void port_decision(void *ctx, const struct record_decision *row)
{
    struct server *server = ctx;
    struct batch *batch = batch_new();
    struct record_decision *to = &batch_add(batch, RECORD_DECISION)->decision;
    *to = *row;
    to->cp = arena_strdup(&batch->arena, row->cp);
    to->event = arena_strdup(&batch->arena, row->event);
    to->id_tag = arena_strdup(&batch->arena, row->id_tag);
    to->verdict = arena_strdup(&batch->arena, row->verdict);
    to->why = arena_strdup(&batch->arena, row->why);
    to->file = arena_strdup(&batch->arena, row->file);
    to->inputs = arena_strdup(&batch->arena, row->inputs);
    port_submit(server, batch);
}

static bool port_healthy(void *ctx)
{
    struct server *server = ctx;
    return store_healthy(server->store);
}

static bool port_events(void *ctx, const char *cp, const char *types, int64_t last_id,
                        struct body_source *out, struct reason *why)
{
    struct server *server = ctx;
    struct events_filter filter = {cp, types, last_id};
    return events_reader(server->events, &filter, out, why);
}

/* ---- figures of the rooms that policy may not name ---- */

typedef void (*figure_add)(void *ctx, const char *name, const char *labels, double value);

static void port_figures(void *ctx, figure_add add, void *add_ctx)
{
    struct server *server = ctx;
    add(add_ctx, "chargebridge_store_healthy", "", store_healthy(server->store));
    struct store_queue queue = store_queue(server->store);
    add(add_ctx, "chargebridge_store_queue_batches", "", (double)queue.batches);
    add(add_ctx, "chargebridge_store_queue_bytes", "", (double)queue.bytes);
    if (server->http) {
        add(add_ctx, "chargebridge_http_connections", "", (double)http_connections(server->http));
        add(add_ctx, "chargebridge_http_pending_requests", "", (double)http_pending(server->http));
        add(add_ctx, "chargebridge_http_streams", "", (double)http_streams(server->http));
    }
    add(add_ctx, "chargebridge_event_readers", "", (double)events_readers(server->events));
    if (server->ws) {
        struct ws_queues queues = ws_server_queues(server->ws);
        add(add_ctx, "chargebridge_websocket_connections", "", (double)ws_server_count(server->ws));
        add(add_ctx, "chargebridge_websocket_send_queue_bytes", "", (double)queues.sum);
        add(add_ctx, "chargebridge_websocket_send_queue_max_bytes", "", (double)queues.max);
    }
    add(add_ctx, "process_resident_memory_bytes", "", process_resident_bytes());
    add(add_ctx, "process_start_time_seconds", "", (double)server->started / 1000);
    add(add_ctx, "process_cpu_seconds_total", "", process_cpu_seconds());
}

/* ---- files, for the routes ---- */

static void give_info(const struct file_info *from, struct policy_file *to)
{
    text_copy(to->name, sizeof(to->name), span_of(from->name));
    to->size = from->size;
    to->modified_ms = from->modified_ms;
}

static bool files_port_next(void *ctx, const char *after, struct policy_file *out)
{
    struct server *server = ctx;
    struct file_info info;
    bool found = files_next(server->files, after, &info);
    if (found)
        give_info(&info, out);
    return found;
}

static bool files_port_keep(void *ctx, uint64_t upload, const char *name, struct policy_file *out,
                            struct reason *why)
{
    struct server *server = ctx;
    struct file_info info;
    bool kept = files_keep(server->files, upload, name, &info, why);
    if (kept && out)
        give_info(&info, out);
    return kept;
}

static void files_port_discard(void *ctx, uint64_t upload)
{
    struct server *server = ctx;
    files_discard(server->files, upload);
}

static bool files_port_remove(void *ctx, const char *name, struct reason *why)
{
    struct server *server = ctx;
    return files_remove(server->files, name, why);
}

static bool files_port_source(void *ctx, const char *name, struct body_source *out,
                              struct policy_file *info, struct reason *why)
{
    struct server *server = ctx;
    struct file_info found;
    bool ok = files_source(server->files, name, out, &found, why);
    if (ok && info)
        give_info(&found, info);
    return ok;
}

static bool files_port_link(void *ctx, const char *name, bool upload, const char *cp,
                            int64_t valid_ms, struct strbuf *url, struct reason *why)
{
    struct server *server = ctx;
    return files_link(server->files, name, upload, cp, valid_ms, url, why);
}

static bool files_port_link_find(void *ctx, const char *token, char name[129], bool *upload,
                                 char cp[256])
{
    struct server *server = ctx;
    const struct file_link *link = files_link_find(server->files, token);
    if (!link)
        return false;
    text_copy(name, 129, span_of(link->name));
    text_copy(cp, 256, span_of(link->cp));
    *upload = link->upload;
    return true;
}

static void files_port_link_use(void *ctx, const char *token)
{
    struct server *server = ctx;
    files_link_use(server->files, token);
}

static const struct policy_files files_port = {
    .next = files_port_next,
    .keep = files_port_keep,
    .discard = files_port_discard,
    .remove = files_port_remove,
    .source = files_port_source,
    .link = files_port_link,
    .link_find = files_port_link_find,
    .link_use = files_port_link_use,
};

/* ---- HTTP to the outside, for policies ---- */

static uint64_t port_http_start(void *ctx, const struct policy_http *what, policy_http_done done,
                                void *done_ctx, struct reason *why)
{
    struct server *server = ctx;
    return outgoing_start(server->outgoing, what, done, done_ctx, why);
}

static void port_http_cancel(void *ctx, uint64_t number)
{
    struct server *server = ctx;
    outgoing_cancel(server->outgoing, number);
}

/* ---- chargers: WebSocket server → station ---- */

/* Who is it, by the policies or by the path? False: nobody that we know of (404). */
static bool identify(struct server *server, struct handshake *hs, const struct name_value *headers,
                     size_t header_count, bool *invited)
{
    switch (policy_identify(server->policy, hs->path, headers, header_count, hs->identity)) {
    case VERDICT_GIVEN:
        *invited = true;
        return true;
    case VERDICT_FAILED:
        return false;
    case VERDICT_NONE:
        break;
    }
    return handshake_identity(hs->path, server->conf->ocpp_path, hs->identity);
}

/* The order of checks is that of rule T5: path, station, credentials, subprotocol. */
static void on_admit(void *ctx, struct handshake *hs, const struct name_value *headers,
                     size_t header_count, struct ws_admission *out)
{
    struct server *server = ctx;
    bool invited = false;
    *out = (struct ws_admission){.status = 404};
    if (!identify(server, hs, headers, header_count, &invited))
        return;
    switch (station_admit(server->station, hs, invited)) {
    case ADMISSION_UNKNOWN:
        return;
    case ADMISSION_CREDENTIALS:
        out->status = 401;
        return;
    case ADMISSION_BUSY:
        out->status = 503;
        return;
    case ADMISSION_OK:
        break;
    }
    bool offered = false;
    out->status = 101;
    out->version = handshake_version(hs->subprotocols, &offered);
    if (!out->version && !offered)
        out->version = station_assumed_version(server->station, hs->identity);
    const struct charge_point *cp = station_find(server->station, hs->identity);
    out->pong_required = !cp || cp->options.pong_required;
    text_copy(out->identity, sizeof(out->identity), span_of(hs->identity));
}

/* Its rows do not say whether it is connected. */
static void tell_online(struct server *server, const char *identity)
{
    if (!events_awake(server->events))
        return;
    const struct charge_point *cp = station_find(server->station, identity);
    bool online = cp && cp->connection;
    events_tell(server->events, "charge_point", cp ? cp->id : identity,
                online ? "\"online\":true" : "\"online\":false");
}

static void on_opened(void *ctx, uint64_t connection, const char *identity,
                      const struct version *version, const char *peer)
{
    struct server *server = ctx;
    station_connected(server->station, identity, connection, version, peer);
    tell_online(server, identity);
}

static void on_message(void *ctx, uint64_t connection, const char *identity, const char *text,
                       size_t len)
{
    struct server *server = ctx;
    station_received(server->station, identity, connection, text, len);
}

static void on_closed(void *ctx, uint64_t connection, const char *identity, const char *why)
{
    struct server *server = ctx;
    const struct charge_point *cp = station_find(server->station, identity);
    bool current = cp && cp->connection == connection;
    station_disconnected(server->station, identity, connection, why);
    if (current) /* not one that was replaced (T13) */
        tell_online(server, identity);
}

/* ---- REST: http → policy routes ---- */

struct exchange {
    struct server *server;
    uint64_t request;
};

static void on_response(void *ctx, const struct response *response)
{
    struct exchange exchange = *(struct exchange *)ctx;
    xfree(ctx);
    if (exchange.server->http)
        http_respond(exchange.server->http, exchange.request, response);
}

static void on_request(void *ctx, uint64_t request, const struct request *what)
{
    struct server *server = ctx;
    struct exchange *exchange = xmalloc(sizeof(*exchange));
    *exchange = (struct exchange){server, request};
    policy_request(server->policy, what, on_response, exchange);
}

/* ---- once per turn of the loop ---- */

static void before_sleep(void *ctx)
{
    struct server *server = ctx;
    station_flush(server->station);
}

static void on_retain(struct timer *timer)
{
    struct server *server = CONTAINER_OF(timer, struct server, retain_timer);
    store_retain(server->store, wall_now());
    timer_start(server->timers, timer, RETAIN_EVERY_MS);
}

/* ---- opening ---- */

static bool open_store(struct server *server, struct reason *why)
{
    struct store_settings settings = server->conf->store;
    settings.poster = loop_poster(server->loop);
    server->store = store_open(&settings, why);
    if (!server->store)
        return false;
    struct station_ports ports = {.ctx = server,
                                  .send = port_send,
                                  .close = port_close,
                                  .pause = port_pause,
                                  .submit = port_submit,
                                  .ask = port_ask,
                                  .listens = port_listens};
    server->station = station_new(&server->conf->station, &ports, server->timers);
    struct restore_sink sink = station_restore_sink(server->station);
    return store_restore(server->store, &sink, why);
}

static bool open_policies(struct server *server, struct reason *why)
{
    server->outgoing = outgoing_open(server->loop, why);
    if (!server->outgoing)
        return false;
    struct policy_ports ports = {.ctx = server,
                                 .query = port_query,
                                 .decision = port_decision,
                                 .store_healthy = port_healthy,
                                 .events = port_events,
                                 .files = &files_port,
                                 .http_start = port_http_start,
                                 .http_cancel = port_http_cancel,
                                 .figures = port_figures};
    server->policy = policy_new(&server->conf->policy, server->station, &ports, server->timers,
                                loop_poster(server->loop));
    struct policy_report *report = xcalloc(1, sizeof(*report));
    bool ok = policy_load(server->policy, report);
    if (!ok) /* what was found is in the log already */
        reason_set(why, "the policies in \"%s\" were refused (%zu problem%s, see above)",
                   server->conf->policy.dir, report->error_count,
                   report->error_count == 1 ? "" : "s");
    xfree(report);
    return ok;
}

static enum key_scope scope_by_name(const char *name)
{
    if (text_is(name, "admin"))
        return SCOPE_ADMIN;
    return text_is(name, "operate") ? SCOPE_OPERATE : SCOPE_READ;
}

/* The configured key and those made by `chargebridge keys add`. */
static bool load_keys(struct server *server, struct reason *why)
{
    struct api_key *stored = NULL;
    size_t count = 0;
    if (!store_keys(server->store, &stored, &count, why))
        return false;
    struct http_key *keys = xcalloc(count + 1, sizeof(*keys));
    size_t used = 0;
    if (server->conf->http_key[0])
        keys[used++] = (struct http_key){"config", SCOPE_ADMIN, server->conf->http_key, NULL};
    for (size_t i = 0; i < count; i++)
        keys[used++] =
            (struct http_key){stored[i].name, scope_by_name(stored[i].scope), NULL, stored[i].hash};
    bool ok = used > 0 || conf_is_loopback(server->conf->http.address);
    if (ok)
        http_set_keys(server->http, keys, used);
    else
        reason_set(why,
                   "rest.address is %s, which others can reach, but there is no API key; write "
                   "`key = …` under [rest], or make one with `chargebridge keys add NAME`",
                   server->conf->http.address);
    xfree(keys);
    api_keys_free(stored, count);
    return ok;
}

/* Chargers reach the files by the REST address, unless told otherwise. */
static bool open_files(struct server *server, struct reason *why)
{
    const char *address = server->conf->http.address;
    bool six = strchr(address, ':') != NULL;
    char url[96];
    snprintf(url, sizeof(url), "http://%s%s%s:%d", six ? "[" : "", address, six ? "]" : "",
             http_port(server->http));
    struct files_settings settings = server->conf->files;
    if (!settings.public_url[0])
        settings.public_url = url;
    server->files = files_open(&settings, server->station, why);
    if (!server->files)
        return false;
    server->bodies =
        (struct bodies){.files = server->files, .max_body = server->conf->http.max_body};
    http_on_upload(server->http, bodies_begin, &server->bodies);
    return true;
}

static bool open_listeners(struct server *server, struct reason *why)
{
    struct ws_server_hooks hooks = {server, on_admit, on_opened, on_message, on_closed};
    server->ws = ws_server_open(server->loop, &server->conf->ocpp, &hooks, why);
    if (!server->ws)
        return false;
    server->http = http_open(&server->conf->http, server->timers, on_request, server, why);
    if (!server->http || !load_keys(server, why) || !open_files(server, why))
        return false;
    server->http_loop = http_loop_attach(server->loop, server->http);
    return true;
}

struct server *server_open(struct loop *loop, const struct conf *conf, struct reason *why)
{
    struct server *server = xcalloc(1, sizeof(*server));
    server->conf = conf;
    server->loop = loop;
    server->timers = loop_timers(loop);
    server->retain_timer.fn = on_retain;
    server->started = wall_now();
    server->events = events_new(&conf->events, server->timers);
    if (!open_store(server, why) || !open_policies(server, why) || !open_listeners(server, why)) {
        server_close(server);
        return NULL;
    }
    station_resume(server->station);
    loop_before_sleep(loop, before_sleep, server);
    timer_start(server->timers, &server->retain_timer, 60 * 1000);
    return server;
}

/* ---- stopping ---- */

static void on_sockets_closed(void *ctx)
{
    struct server *server = ctx;
    server->sockets_closed = true;
}

/* Looks every 20 ms whether all is done: stopping has no reason to be clever. */
static void stop_poll(struct timer *timer)
{
    struct server *server = CONTAINER_OF(timer, struct server, stop_timer);
    bool late = mono_now() >= server->stop_deadline;
    if ((server->sockets_closed && server_idle(server)) || late) {
        if (late)
            LOG(LOG_WARN, "stopping although not everything finished in time");
        server->stopped(server->stopped_ctx);
        return;
    }
    timer_start(server->timers, timer, 20);
}

void server_stop(struct server *server, void (*stopped)(void *ctx), void *ctx)
{
    if (server->stopped)
        return;
    server->stopped = stopped;
    server->stopped_ctx = ctx;
    server->stop_deadline = mono_now() + STOP_WITHIN_MS;
    http_drain(server->http);
    ws_server_shutdown(server->ws, on_sockets_closed, server);
    server->stop_timer.fn = stop_poll;
    timer_start(server->timers, &server->stop_timer, 0);
}

/* Order: policies first (their tasks answer requests and chargers), then the sockets, then the
 * store, whose last commits still tell the station. */
void server_close(struct server *server)
{
    if (!server)
        return;
    loop_before_sleep_remove(server->loop, before_sleep, server);
    struct policy *policy = server->policy;
    server->policy = NULL;
    if (policy)
        policy_free(policy);
    outgoing_close(server->outgoing); /* policies have cancelled what they had under way */
    http_loop_detach(server->http_loop);
    struct http *http = server->http;
    server->http = NULL;
    if (http)
        http_close(http);
    struct ws_server *ws = server->ws;
    if (ws)
        ws_server_free(ws);
    server->ws = NULL;
    if (server->station)
        station_flush(server->station);
    if (server->store)
        store_close(server->store);
    server->store = NULL;
    if (server->station)
        station_free(server->station);
    files_close(server->files);
    bodies_clear(&server->bodies);
    events_free(server->events);
    timer_stop(server->timers, &server->retain_timer);
    timer_stop(server->timers, &server->stop_timer);
    xfree(server);
}

/* ---- what others may ask ---- */

int server_ocpp_port(const struct server *server)
{
    return ws_server_port(server->ws);
}

int server_rest_port(const struct server *server)
{
    return http_port(server->http);
}

struct policy *server_policy(struct server *server)
{
    return server->policy;
}

struct store *server_store(struct server *server)
{
    return server->store;
}

bool server_reload_keys(struct server *server, struct reason *why)
{
    return load_keys(server, why);
}

bool server_idle(const struct server *server)
{
    return station_idle(server->station) && policy_idle(server->policy) &&
           store_idle(server->store) && http_pending(server->http) == 0;
}

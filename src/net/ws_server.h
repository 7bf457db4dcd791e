/* The WebSocket server that chargers connect to (OCPP.md §1, T1-T15).
 *
 * Owns listening sockets (its own accept loop: rate, caps, EMFILE back-off), libwebsockets, the
 * handshake, reassembly and size limits, bounded send queues, pings and liveness. Hooks may call
 * any function here but ws_server_free, also for the same connection. It decides nothing about
 * chargers: `admit` says who may in, `message` gets whole texts. Connections are
 * named by 64-bit numbers that are never reused, over restarts too, so a late answer can never
 * reach a newer socket. All libwebsockets calls are in ws_lws.c (LIBRARIES.md §4: its traps). Loop
 * thread only. */
#ifndef NET_WS_SERVER_H
#define NET_WS_SERVER_H

#include "base/reason.h"
#include "base/request.h"
#include "net/loop.h"
#include "ocpp/handshake.h"

struct ws_server;

struct ws_admission {
    int status; /* 101, or the HTTP status to refuse with: 401 (adds WWW-Authenticate), 403, 404,
                   429, 503 (both add Retry-After) */
    char identity[IDENTITY_MAX + 1];
    const struct version
        *version;       /* NULL with 101: finish the handshake, then close at once (T7) */
    bool pong_required; /* T12 */
};

struct ws_server_hooks {
    void *ctx;
    /* Called once per handshake, before the 101, with path, headers and peer set. `headers`: all of
     * the request, names in lower case, without credentials. All is borrowed for the call. */
    void (*admit)(void *ctx, struct handshake *hs, const struct name_value *headers,
                  size_t header_count, struct ws_admission *out);
    void (*opened)(void *ctx, uint64_t connection, const char *identity,
                   const struct version *version, const char *peer);
    /* Valid UTF-8 (T10), perhaps empty; borrowed for the call, not NUL-terminated. */
    void (*message)(void *ctx, uint64_t connection, const char *identity, const char *text,
                    size_t len);
    /* Once per opened connection, from the loop; `why` is readable. */
    void (*closed)(void *ctx, uint64_t connection, const char *identity, const char *why);
};

struct ws_server_settings {
    const char *address;          /* "0.0.0.0", "::", "127.0.0.1" */
    int port;                     /* 0 = any; see ws_server_port */
    int64_t max_message;          /* 1 MiB: longer → 1009 (T10) */
    int64_t send_queue_max;       /* 1 MiB a connection: a reader slower than that is dropped */
    int64_t ping_interval_ms;     /* 60000 (T11) */
    int64_t idle_timeout_ms;      /* 0 = 3 × the longest of heartbeat and ping interval; the config
                                     checks it */
    int64_t handshake_timeout_ms; /* 10000 */
    int accept_per_second;        /* 1000 (T15) */
    int connections_max;          /* 20000, and below RLIMIT_NOFILE */
    int connections_per_address;  /* 0 = no limit */
    bool drop_on_shutdown;        /* Q23: end TCP instead of sending Close 1012 */
};

struct ws_server *ws_server_open(struct loop *loop, const struct ws_server_settings *settings,
                                 const struct ws_server_hooks *hooks, struct reason *why);
int ws_server_port(const struct ws_server *server);
/* Queues or writes one text frame; false when the connection is gone or being closed, or when its
 * queue is full (it is then closed with 1008 "reads too slowly"). */
bool ws_server_send(struct ws_server *server, uint64_t connection, const char *text, size_t len);
/* Sends Close and ends the socket within 5 s whatever the peer does. `closed` follows, later. */
void ws_server_close(struct ws_server *server, uint64_t connection, int code, const char *reason);
void ws_server_pause(struct ws_server *server, uint64_t connection, bool paused);
size_t ws_server_count(const struct ws_server *server);
/* Bytes that wait for readers: of all connections, and of the one with most. */
struct ws_queues {
    size_t sum, max;
};
struct ws_queues ws_server_queues(const struct ws_server *server);
/* Stops accepting; closes all with 1012. `done` when the last one is closed (at most 5 s). */
void ws_server_shutdown(struct ws_server *server, void (*done)(void *ctx), void *ctx);
/* Not from inside a hook. Ends what is still open without telling; usually after `done`. */
void ws_server_free(struct ws_server *server);

#endif

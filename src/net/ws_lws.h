/* One WebSocket over libwebsockets, of the server or of a client: a link.
 *
 * Inside net/ only. ws_lws.c and ws_lws_link.c make every libwebsockets call of the program and
 * obey its traps (LIBRARIES.md P1-P14): one place that writes, own queue, own reassembly, lws's
 * timers off. Knows nothing of chargers, identities, handshakes and liveness: those are in
 * ws_server.c and ws_client.c. Hooks may call any function here, also for the same link; `closed`
 * is the last one, comes from the loop and never from inside a call here, and may free the link. */
#ifndef NET_WS_LWS_H
#define NET_WS_LWS_H

#include "base/reason.h"
#include "base/strbuf.h"
#include "net/loop.h"

struct lws;
struct ws_lws; /* a libwebsockets context on a loop */
struct ws_link;
struct ws_frame;

enum { WS_CLOSE_REASON_MAX = 123, WS_SUBPROTOCOL_MAX = 63, WS_ACCEPT_SIZE = 32 };

/* Close codes, RFC 6455 §7.4.1. */
enum {
    WS_NORMAL = 1000,
    WS_GOING_AWAY = 1001,
    WS_PROTOCOL_ERROR = 1002,
    WS_UNACCEPTABLE = 1003,
    WS_NO_CODE = 1005,
    WS_LOST = 1006,
    WS_BAD_TEXT = 1007,
    WS_POLICY = 1008,
    WS_TOO_BIG = 1009,
    WS_RESTART = 1012
};

struct ws_link_hooks {
    /* Client only; "" when the server chose none. */
    void (*opened)(struct ws_link *link, const char *subprotocol);
    /* A whole valid text; borrowed, not NUL-terminated. */
    void (*message)(struct ws_link *link, const char *text, size_t len);
    void (*heard)(struct ws_link *link); /* data or pong came */
    /* `status`: HTTP status that refused a client, 0 otherwise. `code`: 1006 without a Close. */
    void (*closed)(struct ws_link *link, int status, int code, const char *why);
};

/* Embedded by its owner, who zeroes it and sets the first group; the rest is the link's own. */
struct ws_link {
    const struct ws_link_hooks *hooks;
    size_t max_message; /* longer ones: 1009 */
    size_t queue_max;   /* bytes that may wait for a slow reader */

    struct ws_lws *lws;
    struct lws *wsi; /* NULL: not open yet, or gone */
    struct ws_frame *queue_first, *queue_last;
    size_t queued;
    struct strbuf partial; /* fragments of the message that is arriving */
    char *close_reason;
    char *authorization; /* client: value of the header */
    char *subprotocol;   /* client: what the server chose */
    int close_code;      /* ours */
    int peer_code;       /* the peer's, 0 = it sent no Close */
    int status;          /* client: of the server's answer */
    bool open, ping_due, close_due, close_sent, dropped;
};

/* `fds`: descriptors the caller will need; the soft limit is raised before lws looks at it. */
struct ws_lws *ws_lws_new(struct loop *loop, bool server, int fds, struct reason *why);
/* All links must be closed or detached. Not from inside a hook. */
void ws_lws_free(struct ws_lws *lws);

/* Takes the socket over, answers the handshake with 101 and is open; false: closed instead.
 * `key` is Sec-WebSocket-Key; `subprotocol` is answered as given, NULL answers none. */
bool ws_link_adopt(struct ws_lws *lws, struct ws_link *link, int fd_owned, const char *key,
                   const char *subprotocol);

struct ws_link_target {
    const char *host;
    int port;
    const char *path;
    const char *subprotocols;  /* NULL sends no header */
    const char *authorization; /* value of the header, or NULL */
};
/* Starts to connect; `opened` or `closed` follows. False: failed at once, no hook is called. */
bool ws_link_connect(struct ws_lws *lws, struct ws_link *link, const struct ws_link_target *to);

enum ws_sent { WS_SENT, WS_QUEUE_FULL, WS_NOT_OPEN };
enum ws_sent ws_link_send(struct ws_link *link, const char *text, size_t len);
/* What a simulated charger may do beside that: binary, or the pieces of a fragmented text in order;
 * nothing else may be sent between them. */
enum ws_piece { WS_TEXT, WS_BINARY, WS_TEXT_BEGINS, WS_TEXT_GOES_ON, WS_TEXT_ENDS };
enum ws_sent ws_link_send_piece(struct ws_link *link, enum ws_piece piece, const char *bytes,
                                size_t len);
/* From now on pings of the peer are not answered. */
void ws_link_ignore_pings(struct ws_link *link);
void ws_link_ping(struct ws_link *link);
/* Sends Close after what is queued. The caller sets a deadline and calls ws_link_drop then. */
void ws_link_close(struct ws_link *link, int code, const char *reason);
void ws_link_discard_queue(struct ws_link *link);
/* Ends TCP without a Close. May be repeated. */
void ws_link_drop(struct ws_link *link, const char *why);
void ws_link_pause(struct ws_link *link, bool paused);
bool ws_link_is_open(const struct ws_link *link); /* can send */
int ws_link_fd(const struct ws_link *link);       /* -1 when gone */
/* Forgets the socket, which is closed with 1001 behind our back; frees what the link owns. No hook
 * is called. */
void ws_link_detach(struct ws_link *link);

/* Sec-WebSocket-Accept of a key. */
void ws_accept_key(const char *key, char out[WS_ACCEPT_SIZE]);

#endif

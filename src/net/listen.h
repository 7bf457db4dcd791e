/* A listening socket with an accept loop of our own (LIBRARIES.md P10, P14, T15).
 *
 * Accepts at a bounded rate, survives running out of descriptors, and sets each socket up (no
 * delay, keepalive). Who may stay is decided by whoever gets the socket. */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stdint.h>

#include "base/reason.h"
#include "net/loop.h"
#include "net/socket.h"

struct listener;

struct listener_settings {
    const char *address; /* numeric, or a name that resolves at once */
    int port;            /* 0 = any */
    int per_second;
    int64_t dead_peer_ms; /* TCP_USER_TIMEOUT: unacknowledged that long = gone */
    /* The socket (non-blocking) becomes the callee's. `peer`: no port, IPv4-mapped as IPv4. */
    void (*accepted)(void *ctx, int fd_owned, const char *peer);
    void *ctx;
};

struct listener *listener_open(struct loop *loop, const struct listener_settings *settings,
                               struct reason *why);
int listener_port(const struct listener *listener);
void listener_close(struct listener *listener); /* also from inside `accepted` */

#endif

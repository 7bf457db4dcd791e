/* Sockets that are no WebSocket yet: reading the request, judging it, answering.
 *
 * A visitor has one deadline for its whole request however slowly the bytes come, and 8 KiB. The
 * order of judgement is: is it a request, is it an upgrade we understand, does `admit` let it in
 * (T4-T7). Refused ones get a whole HTTP answer and a short time to read it; admitted ones leave
 * here as a bare socket whose request has been consumed, not one byte more. */
#ifndef NET_VISITOR_H
#define NET_VISITOR_H

#include "net/listen.h"
#include "net/ws_server.h"

struct visitor;

/* Zero it and set the first group. */
struct visitors {
    struct loop *loop;
    int64_t timeout_ms;
    void *ctx;
    void (*admit)(void *ctx, struct handshake *hs, const struct name_value *headers,
                  size_t header_count, struct ws_admission *out);
    /* The socket becomes the callee's. `key`: Sec-WebSocket-Key. `subprotocol`: the spelling to
     * answer with; NULL = the charger asked for none of that version (T8). */
    void (*admitted)(void *ctx, int fd_owned, const char *peer, const char *key,
                     const char *subprotocol, const struct ws_admission *admission);
    void (*left)(void *ctx, const char *peer); /* for one that was not admitted */

    struct visitor *first;
    size_t count;
};

void visitor_start(struct visitors *visitors, int fd_owned, const char *peer);
void visitors_clear(struct visitors *visitors); /* closes all; `left` is not called */

#endif

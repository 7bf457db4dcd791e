/* Shared by ws_lws.c (contexts, handshakes, what lws calls) and ws_lws_link.c (frames). */
#ifndef NET_WS_LWS_PARTS_H
#define NET_WS_LWS_PARTS_H

#include <libwebsockets.h>

#include "net/ws_lws.h"

struct ws_lws {
    struct loop *loop;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct ws_link *adopting;      /* while ws_link_adopt is on the stack */
    const char *adopt_subprotocol; /* for its answer */
    struct ws_link *connecting;    /* while ws_link_connect is on the stack */
    unsigned char *scratch;        /* LWS_PRE bytes and a frame */
    size_t scratch_room;
};

void ws_link_on_receive(struct ws_link *link, const char *in, size_t len);
int ws_link_on_writeable(struct ws_link *link); /* what lws wants back */
void ws_link_on_peer_close(struct ws_link *link, const unsigned char *in, size_t len);
/* The socket is gone: frees what the link owns, then calls `closed`. */
void ws_link_finish(struct ws_link *link, const char *why);
void ws_link_clear(struct ws_link *link);

#endif

/* What the loop offers inside net/ only. */
#ifndef NET_LOOP_PARTS_H
#define NET_LOOP_PARTS_H

#include "net/loop.h"

/* Calls fn(ctx) from loop_free when every handle on the loop has closed. libwebsockets needs
 * it: on a foreign loop its context can be freed only after its handles are gone. */
void loop_at_free(struct loop *loop, void (*fn)(void *ctx), void *ctx);

#endif

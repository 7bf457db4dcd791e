/* HTTP transfers of policies: the port of policy.h on the client of net/http_client.h.
 *
 * Policy may not name net, so the wiring translates: what a transfer is, how it failed, and whose
 * `done` it is. Nothing is decided here: which hosts are allowed and how many transfers run at once
 * is policy's work (policy/outside.h). Loop thread only. */
#ifndef OUTGOING_H
#define OUTGOING_H

#include "net/loop.h"
#include "policy/policy.h"

struct outgoing;

struct outgoing *outgoing_open(struct loop *loop, struct reason *why);
/* What is under way ends without `done`. NULL is fine. */
void outgoing_close(struct outgoing *out);
/* As struct policy_ports says of http_start and http_cancel. */
uint64_t outgoing_start(struct outgoing *out, const struct policy_http *what, policy_http_done done,
                        void *ctx, struct reason *why);
void outgoing_cancel(struct outgoing *out, uint64_t number);

#endif

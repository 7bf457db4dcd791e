/* The way out to HTTP hosts: who may be asked, and how many at once.
 *
 * Whatever policies send by HTTP passes here: http.get, http.post (api_http.c) and the deliveries
 * of webhooks (webhooks.c). Hosts are allowed by the configuration, `policies.http_hosts`; a URL is
 * read so strictly that no other reader can take another host from it. Sixteen transfers run at
 * once, the rest waits in order; time in the queue counts. While tests run, a transfer is handed to
 * the test kit instead and any host is allowed. Private to policy/; loop thread (or the build
 * thread while tests run). Start reading at outside_start(). */
#ifndef POLICY_OUTSIDE_H
#define POLICY_OUTSIDE_H

#include "policy/reload.h"

enum {
    OUTSIDE_AT_ONCE = 16,
    OUTSIDE_TIMEOUT_MS = 5000, /* the default, and the most */
    OUTSIDE_BODY_MAX = 1 << 20,
    OUTSIDE_URL_MAX = 2048
};

/* Whether it is an http:// or https:// URL without user, password, fragment, blanks. */
bool outside_url_valid(const char *url, struct reason *why);
/* Is the host of a valid URL in the list? Without a port there, the default port is meant. */
bool outside_allowed(const char *hosts, const char *url, struct reason *why);

/* Starts or queues; everything is copied. `done` exactly once, later, unless it is cancelled. The
 * number for outside_cancel(); 0 and why: the host is not allowed, or there is no way out. */
uint64_t outside_start(struct generation *generation, const struct policy_http *what,
                       policy_http_done done, void *ctx, struct reason *why);
void outside_cancel(struct generation *generation, uint64_t number);

/* What struct policy holds of it. */
void outside_close(struct policy *policy); /* what is under way ends without `done` */
struct outside_figures {
    size_t active, queued;
    uint64_t started, failed;
};
struct outside_figures outside_figures(const struct policy *policy);

#endif

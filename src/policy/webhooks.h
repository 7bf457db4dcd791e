/* Webhooks: events for other systems, delivered at least once and in order.
 *
 * A policy file declares a webhook (url, secret, headers); what is sent by it is a kv row from that
 * moment and leaves only when the receiver has answered 2xx, so neither a reload nor a crash loses
 * or renames it: the row is the body, byte for byte, with its id. Delivery begins when the row is
 * on disk. One request a webhook is under way; the next waits for it, whatever it takes: 5 s after
 * the first failure, then twice as long, up to 15 minutes, for 3 days; then it is dropped, loudly.
 * URL and secret are those that the current policies declare, so that a mistake in them is mended
 * by a reload. Private to policy/; loop thread. Start reading: webhook_send, then pump. */
#ifndef POLICY_WEBHOOKS_H
#define POLICY_WEBHOOKS_H

#include "policy/reload.h"

enum {
    WEBHOOKS_MAX = 64,           /* of a generation */
    WEBHOOK_NAME_MAX = 64,       /* of names, and of names of events */
    WEBHOOK_QUEUE_MAX = 10000,   /* messages of one */
    WEBHOOK_RETRY_MS = 5 * 1000, /* after the first failure */
    WEBHOOK_RETRY_MOST_MS = 15 * 60 * 1000,
    WEBHOOK_KEEP_MS = 3 * 24 * 60 * 60 * 1000
};

/* ---- what policies declare ---- */

struct webhook {
    char *name, *url;
    char *secret;   /* or NULL: not signed */
    char **headers; /* "Name: value", NULL-terminated; or NULL */
    int file, line;
};
struct webhook_list {
    struct webhook items[WEBHOOKS_MAX];
    size_t count;
};
size_t webhooks_count(const struct generation *generation);
const struct webhook *webhook_find(const struct generation *generation, const char *name);
/* Letters, digits, `.`, `-`, `_`. */
bool webhook_name_valid(const char *name);
void webhooks_free(struct generation *generation);

/* ---- the outbox of a policy ---- */

/* Reads what was not delivered before the last end. */
void webhooks_open(struct policy *policy);
/* Other policies are current: URLs may be others. */
void webhooks_swapped(struct policy *policy);
/* Takes it in; `payload` is JSON. False and why: too many wait, or it is too long. */
bool webhook_send(struct policy *policy, const char *name, const char *event, const char *payload,
                  char id[UUID_SIZE], struct reason *why);
void webhooks_close(struct policy *policy); /* what is under way stays for the next start */

/* ---- for GET /webhooks and /metrics ---- */

struct webhook_state {
    const char *name;
    size_t queued;
    bool sending;
    uint64_t delivered, failed, dropped; /* since start; failed: attempts */
    wall_t oldest_ms, delivered_ms;      /* 0: none */
    const char *error;                   /* the last failure; "" since the last delivery */
    wall_t error_ms, retry_ms;           /* 0: none */
};
/* `size_t at = 0; while (webhooks_next(policy, &at, &state))`: all that were used since start, or
 * have something in them. */
bool webhooks_next(const struct policy *policy, size_t *at, struct webhook_state *out);
/* Tries now what waits for its next attempt. False: no such webhook. */
bool webhook_retry(struct policy *policy, const char *name);

#endif

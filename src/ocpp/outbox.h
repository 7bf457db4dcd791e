/* The CALLs that we have for one charger: one outstanding, the others wait (rules R3, B9, Q11).
 *
 * A pure data structure without sockets or clocks of its own: the station pushes, asks what to send
 * next, reports answers and the passing of time. Each entry ends exactly once, through
 * outbox_take*; whoever takes an entry owns it. */
#ifndef OCPP_OUTBOX_H
#define OCPP_OUTBOX_H

#include "base/clock.h"
#include "base/random.h"

enum { OUTBOX_MAX = 20 };

struct outcall {
    struct outcall *next;
    uint64_t serial;    /* names the CALL for whoever asked; unique in the process */
    char id[UUID_SIZE]; /* its message id, from the beginning */
    char *action;
    char *payload;      /* JSON text, sent as given */
    int64_t timeout_ms; /* for the answer, counted from sending */
    /* While queued the latest moment to be sent (0 = none), once sent that of the answer. */
    mono_t deadline;
    mono_t sent_at; /* 0 while queued */
    void *ctx;      /* the station's; opaque here */
};

struct outbox {
    struct outcall *sent; /* the one outstanding */
    struct outcall *head, *tail;
    size_t queued;
};

/* Takes over `call` (made with outcall_new); false and untouched when OUTBOX_MAX are queued. */
bool outbox_push(struct outbox *box, struct outcall *call_owned);
/* The next to send, now marked outstanding with its answer deadline; NULL while one is outstanding
 * or none is queued. Borrowed. */
struct outcall *outbox_send_next(struct outbox *box, mono_t now);
/* The outstanding CALL if `id` is its id; else NULL (a late or foreign answer, R5). */
struct outcall *outbox_take_answered(struct outbox *box, const char *id);
/* One whose deadline has come, or NULL; call until NULL. */
struct outcall *outbox_take_expired(struct outbox *box, mono_t now);
/* Any one at all: when the socket is gone. Call until NULL. */
struct outcall *outbox_take_any(struct outbox *box);
struct outcall *outbox_take_serial(struct outbox *box, uint64_t serial);
/* The earliest deadline, or -1. */
mono_t outbox_next_deadline(const struct outbox *box);

struct outcall *outcall_new(const char *action, const char *payload, int64_t timeout_ms);
void outcall_free(struct outcall *call);

#endif

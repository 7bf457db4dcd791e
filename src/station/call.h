/* One CALL of a charger, from its frame to its answer.
 *
 * Everything that belongs to it lives in its arena and dies with it. Handlers run in the lane's
 * active slot: they may ask policies and store rows, once at a time; each such step continues in a
 * `then` function, at once or later. Every handler ends in exactly one call_answer() or
 * call_error(), and must not touch the CALL afterwards. The socket may be gone by then: the answer
 * is not sent, everything else happens. Handlers are one function per action in handle_*.c, listed
 * in handlers.c. */
#ifndef STATION_CALL_H
#define STATION_CALL_H

#include "station/lane.h"

struct call;
typedef void (*call_then)(struct call *call);
typedef void (*call_verdict)(struct call *call, const struct verdict *verdict);
typedef void (*call_stored)(struct call *call, struct batch *batch);

struct handler {
    const char *action;
    void (*run)(struct call *call);
    bool forgets; /* answering again does no harm: not worth a place in the ring (R7) */
};

struct call {
    struct lane_item item;
    struct lane *lane;
    struct station *st;
    struct charge_point *cp;
    uint64_t connection; /* that it came by */
    const struct version *version;
    wall_t received_ms;
    struct arena arena;
    struct span text; /* the frame as received */
    struct frame frame;
    const struct action *action; /* NULL: not in the table */
    const struct handler *handler;
    const char *note;          /* deviations, for the message log */
    const char *meter_text;    /* meterStart or meterStop as the charger wrote it (X11) */
    bool transaction_id_given; /* whatever it was (X8) */
    void *work;                /* the handler's own, in the arena */
    struct batch *batch;       /* filled, not yet submitted */
    bool logged;               /* its frame is in the message log */
    call_verdict on_verdict;
    call_stored on_stored;
    call_then on_sent; /* may be NULL: after the answer went out or could not */
    bool refused;      /* the answer is a CALLERROR */
    struct strbuf answer;
    struct timer delay; /* Q24 */
};

/* Queues a frame that is a CALL, or a broken one that wants an answer. */
void call_receive(struct lane *lane, struct arena *arena_owned, const struct frame *frame,
                  struct span text);

/* ---- for handlers ---- */

/* Asks the policies; without a handler `then` gets VERDICT_NONE at once. */
void call_ask(struct call *call, struct event *event, call_verdict then);
/* The durable rows of this CALL; its frame is the first of them. */
struct batch *call_batch(struct call *call);
/* Submits them; `then` looks at batch->failed. The batch is freed after it. */
void call_store(struct call *call, call_stored then);
/* `payload` is built in the call's arena; NULL is `{}`. Checked to the letter before it goes out.
 */
void call_answer(struct call *call, const struct json *payload);
/* A CALLERROR (R8, R9); `description` is for humans and may be "". */
void call_error(struct call *call, enum ocpp_error error, const char *description);
/* call->answer is written already: a stored one (R7). */
void call_resend(struct call *call);
/* A transaction message that fits nowhere is kept whole (X7, X8, Q16). */
void call_orphan(struct call *call, struct record *row, struct arena *arena, const char *why);
struct json *call_object(struct call *call); /* empty, in its arena */

/* ---- handlers.c ---- */

/* Decides what to do with the CALL and runs its handler. */
void call_dispatch(struct call *call);
/* Raw actions: policies answer what we have no handler for. */
void call_ask_raw(struct call *call);

void handle_authorize(struct call *call);
void handle_boot_notification(struct call *call);
void handle_data_transfer(struct call *call);
void handle_heartbeat(struct call *call);
void handle_job_status(struct call *call);
void handle_meter_values(struct call *call);
void handle_security_event(struct call *call);
void handle_sign_certificate(struct call *call);
void handle_start_transaction(struct call *call);
void handle_status_notification(struct call *call);
void handle_stop_transaction(struct call *call);

#endif

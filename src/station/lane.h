/* A lane: all that is private about one charge point, first of all its two tracks.
 *
 * CALLs run on one track, one at a time, in order of arrival (R2, Q9); what follows from a CALL
 * (on.start …) runs right behind it, before the next CALL. on.online and on.offline run on a track
 * of their own: a handler may wait there for a command, which waits for the boot to be answered
 * (B9), which is a CALL. An item ends by lane_done(), at once or after policies and the store
 * answered; then the next one starts. Active items, the lane and the charge point stay where they
 * are until then, even if the socket or the registration is gone meanwhile: callbacks of an active
 * item may use them, nobody else may keep them. Bounded: beyond LANE_CALLS_MAX CALLs or
 * LANE_BYTES_MAX bytes the socket is paused until half of it is left; nothing that was received is
 * ever dropped, but by deleting the station. */
#ifndef STATION_LANE_H
#define STATION_LANE_H

#include "ocpp/frame.h"
#include "ocpp/outbox.h"
#include "station/core.h"
#include "station/ring.h"

enum {
    LANE_CALLS_MAX = 64,
    LANE_BYTES_MAX = 1024 * 1024,
    LANE_OUTSIDE_MAX = 4, /* online and offline events that wait */
    UNREADABLE_MAX = 10,  /* in a row; then 1002 (R10) */
    TRIGGERS = 9,
    TRIGGER_MS = 60000 /* how long a triggered message is let through while pending (B3) */
};

struct lane;

struct lane_item {
    struct lane_item *next;
    /* Runs it; ends in lane_done(), maybe before it returns. */
    void (*start)(struct lane *lane, struct lane_item *item);
    /* Frees it without running it. */
    void (*drop)(struct lane_item *item);
    size_t bytes;
    enum item_kind { ITEM_CALL, ITEM_AFTER, ITEM_OPERATOR, ITEM_OUTSIDE } kind;
};

struct lane_queue {
    struct lane_item *head, *tail;
};

struct lane_track {
    struct lane_item *active;
    struct lane_queue after; /* ITEM_AFTER: consequences of the last CALL */
    struct lane_queue queue;
    bool running; /* track_run is on the stack */
};

struct lane {
    struct station *st;
    struct charge_point *cp;
    struct lane_track calls, outside;
    size_t waiting_calls, waiting_bytes, waiting_outside;
    bool paused;

    /* Of the connection, from here on. */
    struct ring ring; /* R7 */
    unsigned unreadable_in_row;
    bool clock_reported; /* B11: one event a connection */

    /* Our CALLs (command.c). */
    struct outbox outbox;
    struct timer timer; /* their deadlines, and the boot grace */
    bool gate_open;     /* B9 */
    bool boot_seen;     /* a BootNotification waits for its answer */
    mono_t gate_at;     /* opens by itself then */
    unsigned timeouts_in_row;
    mono_t triggered[TRIGGERS]; /* B3: until when; by triggers[] of command.c */

    /* The last StopTransaction, so that its repeat gets the same answer (X9). */
    int64_t last_stop_id;
    char *last_stop_info; /* idTagInfo as JSON, or NULL */
};

/* Heap, empty; belongs to its charge point. */
struct lane *lane_new(struct station *st, struct charge_point *cp);
/* Nothing of it is with policies or the store. */
void lane_free(struct lane *lane);

void lane_push(struct lane *lane, struct lane_item *item_owned); /* by its kind; then runs */
/* The active item of that kind has ended; the caller must not touch the lane any more. */
void lane_done(struct lane *lane, enum item_kind kind);
/* Something is under way: the lane and its charge point must stay. */
bool lane_is_active(const struct lane *lane);
/* Drops all that waits: the station was deleted. */
void lane_drop(struct lane *lane);

/* ---- events (lane_event.c) ---- */

/* Queues a policy event if anybody listens. Everything in it is copied; `data` may be NULL.
 * `drop_transaction`: forget event->transaction_id afterwards, listener or not. */
void lane_event(struct lane *lane, const struct event *event, bool drop_transaction);

/* ---- command.c ---- */

/* A new connection, or none any more: starts anew and gives back the CALLs that were sent or
 * waited. Fail them when everything else is in order: who waits for them may do anything. */
struct outbox command_reset(struct lane *lane);
void command_fail(struct outbox *lost, enum call_outcome outcome, const char *why);
/* B9: a BootNotification is being handled; its answer went out (ok), or an error did. */
void command_boot_seen(struct lane *lane);
void command_boot_answered(struct lane *lane, bool ok);
/* A CALLRESULT or CALLERROR (what was broken in it is one too, Q14): ends our CALL if it is its
 * answer. */
void command_answer(struct lane *lane, struct arena *arena, const struct frame *frame);
/* True while a message that we asked for may come from a station that is not accepted yet. */
bool command_triggered(const struct lane *lane, const char *action);

#endif

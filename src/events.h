/* What happens, live: GET /events as server-sent events.
 *
 * The hub watches the batches that the store has committed (main taps them on their way back), so
 * an event is never seen before it is true. Each record kind that is worth an event is one row of a
 * table (name, members). Events are kept once, in a ring shared by all readers; a reader is a place
 * in the ring, so one that never reads costs a socket and nothing else; when the ring has run past
 * it, it gets `event: missed` with the number (of events of all kinds; null: not known) and goes
 * on. Ids rise for ever, over restarts too (they begin at the time of start in microseconds), so
 * Last-Event-ID replays what the ring still has. The hub sleeps (costs nothing) until the first
 * reader comes, and again ten minutes after the last one left. Loop thread only. */
#ifndef EVENTS_H
#define EVENTS_H

#include "base/reason.h"
#include "base/request.h"
#include "base/timer.h"
#include "station/record.h"

struct events;

struct events_settings {
    int64_t ring_bytes;   /* 4 MiB */
    int64_t keepalive_ms; /* 15000: a comment line when nothing happened */
};

struct events *events_new(const struct events_settings *settings, struct timers *timers);
/* Open readers get their end. */
void events_free(struct events *events);

/* False while the hub sleeps: what is told then is dropped. */
bool events_awake(const struct events *events);
/* A batch came back; nothing of a failed one is told. */
void events_batch(struct events *events, const struct batch *batch);
/* Something that is no record, under one of events_names(); cp may be NULL. `data`: the members of
 * its JSON object behind cpid and timestamp, as `"online":true`. */
void events_tell(struct events *events, const char *name, const char *cp, const char *data);

struct events_filter {
    const char *cp;    /* NULL: all */
    const char *types; /* comma-separated names; NULL: all but `message` */
    int64_t last_id;   /* Last-Event-ID; ABSENT: only what comes */
};
/* False and `why`: an unknown type. Each event: `id:`, `event:` its name, `data:` one JSON object
 * with cpid and timestamp. */
bool events_reader(struct events *events, const struct events_filter *filter,
                   struct body_source *out, struct reason *why);
size_t events_readers(const struct events *events);
/* "status", "message" …; NULL ends. For the OpenAPI document. */
const char *const *events_names(void);

#endif

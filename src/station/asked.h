/* What is kept of a command of ours beside its place in the outbox: see asked.c. Private to
 * station/.
 */
#ifndef STATION_ASKED_H
#define STATION_ASKED_H

#include "ocpp/outbox.h"
#include "station/core.h"

struct asked { /* ctx of the outcall */
    struct station *st;
    char *cp, *asked_by, *batch, *vars;
    wall_t asked_ms, sent_ms; /* sent_ms: ABSENT until then */
    call_done done;           /* NULL: nobody waits, or no longer */
    void *ctx;
    bool cancelled; /* its result was told already */
    bool offered;   /* a key that counts beside the old one (G5) */
};

/* An outcall with all that belongs to it; everything is copied. */
struct outcall *asked_new(struct station *st, const char *cp, const struct command *command,
                          call_done done, void *ctx);
struct asked *asked_of(const struct outcall *call);
/* Its row, as it stands while it waits. */
void asked_queued(const struct outcall *call);
/* It has ended: writes its row, frees it, tells whoever waits. Nothing of `call` may be touched
 * afterwards, and of the lane neither (look it up again). */
void asked_finish(struct outcall *call_owned, const struct call_result *result);
void asked_finish_plain(struct outcall *call_owned, enum call_outcome outcome, const char *why);
/* Nobody waits for it any more, but it is outstanding still (R3). Tells that, once. */
void asked_cancel(struct outcall *call);

#endif

/* The last 64 CALLs of a connection with their answers, for repeats with the same id (R7, Q2).
 *
 * An entry holds hashes of the id and of the frame, and the whole answer frame. Entries of another
 * connection must not be found: ring_clear() when the socket changes. */
#ifndef STATION_RING_H
#define STATION_RING_H

#include "base/strbuf.h"

enum { RING_MAX = 64 };

struct ring_entry {
    uint64_t id, content;
    char *answer; /* frame text; NULL: `[3,id,{}]`, which is most of them */
};

struct ring {
    struct ring_entry *entries; /* NULL until the first */
    uint16_t count, next;
};

enum ring_found { RING_NEW, RING_SAME, RING_OTHER };

/* Of a whole frame, to tell whether the same comes again. */
uint64_t ring_hash(struct span text);
/* RING_SAME: *answer is the stored frame (borrowed), or NULL for an empty result. */
enum ring_found ring_find(const struct ring *ring, const char *id, uint64_t content,
                          const char **answer);
/* Replaces the oldest when 64 are there; `answer` is copied. */
void ring_put(struct ring *ring, const char *id, uint64_t content, const char *answer);
void ring_clear(struct ring *ring);

#endif

/* See ring.h. 64-bit hashes under a random seed: a charger that finds a collision has deceived
 * itself only. Answers that are just `{}` are not stored, so a quiet charger costs 1.5 KiB here. */
#include "station/ring.h"

#include <string.h>

#include "base/mem.h"
#include "base/random.h"

uint64_t ring_hash(struct span text)
{
    static _Thread_local uint64_t seed; /* every ring lives on one thread */
    while (seed == 0)
        seed = random_u64();
    uint64_t hash = seed ^ text.len;
    const char *at = text.at;
    size_t left = text.len;
    for (; left >= 8; at += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    for (; left > 0; at++, left--) {
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash;
}

enum ring_found ring_find(const struct ring *ring, const char *id, uint64_t content,
                          const char **answer)
{
    *answer = NULL;
    if (ring->count == 0)
        return RING_NEW;
    uint64_t wanted = ring_hash(span_of(id));
    enum ring_found found = RING_NEW;
    for (size_t i = 0; i < ring->count; i++) {
        const struct ring_entry *entry = &ring->entries[i];
        if (entry->id != wanted)
            continue;
        if (entry->content == content) {
            *answer = entry->answer;
            return RING_SAME;
        }
        found = RING_OTHER;
    }
    return found;
}

void ring_put(struct ring *ring, const char *id, uint64_t content, const char *answer)
{
    if (ring->entries == NULL)
        ring->entries = xcalloc(RING_MAX, sizeof(*ring->entries));
    struct ring_entry *entry = &ring->entries[ring->next];
    xfree(entry->answer);
    *entry = (struct ring_entry){ring_hash(span_of(id)), content, xstrdup_or_null(answer)};
    ring->next = (uint16_t)((ring->next + 1) % RING_MAX);
    if (ring->count < RING_MAX)
        ring->count++;
}

void ring_clear(struct ring *ring)
{
    for (size_t i = 0; i < ring->count; i++)
        xfree(ring->entries[i].answer);
    XFREE(ring->entries);
    *ring = (struct ring){0};
}

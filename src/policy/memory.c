/* See memory.h. POLICY §4, row "memory". The one place of this room that calls realloc: it must
 * fail softly. */
#include "policy/memory.h"

#include <stdlib.h>

#include "policy/errors.h"

enum { POKE_BYTES = 1 << 20 }; /* copying this much takes about 0.1 ms */

bool memory_cap(struct generation *generation, bool capped)
{
    bool before = generation->capped;
    generation->capped = capped;
    return before;
}

bool memory_is_full(const struct generation *generation)
{
    return generation->memory >= (size_t)generation->settings->memory_bytes;
}

static bool fits(const struct generation *generation, size_t more)
{
    size_t limit = (size_t)generation->settings->memory_bytes;
    return !generation->capped ||
           (generation->memory <= limit && more <= limit - generation->memory);
}

/* A loop may spend seconds in few instructions that copy megabytes each (`s = s .. s`). */
static void count_for_budget(struct generation *generation, size_t size)
{
    generation->allocated += size;
    if (generation->allocated >= POKE_BYTES) {
        generation->allocated = 0;
        budget_poke(generation);
    }
}

/* Lua runs no message handler when memory runs out, and the frames are gone when lua_pcall returns:
 * the place is noted here, where they still stand. Reading them allocates nothing. */
static void *refuse(struct generation *generation)
{
    if (generation->calling && generation->L)
        error_place(generation->L, generation->calling);
    return NULL;
}

void *memory_allocate(void *ud, void *ptr, size_t old_size, size_t new_size)
{
    struct generation *generation = ud;
    if (!ptr)
        old_size = 0; /* Lua passes the kind of object instead */
    if (new_size == 0) {
        free(ptr);
        generation->memory -= old_size;
        return NULL;
    }
    if (new_size > old_size && !fits(generation, new_size - old_size))
        return refuse(generation);
    void *fresh = realloc(ptr, new_size);
    if (!fresh)
        return new_size <= old_size ? ptr : NULL; /* Lua counts on shrinking */
    generation->memory = generation->memory - old_size + new_size;
    if (generation->memory > generation->memory_peak)
        generation->memory_peak = generation->memory;
    if (new_size > old_size)
        count_for_budget(generation, new_size);
    return fresh;
}

/* The allocator of a generation's state: counts, and refuses beyond settings->memory_bytes.
 *
 * The limit holds while a script runs ("not enough memory" is then raised inside a protected call,
 * and the handler fails). It is lifted while the host pushes an event's arguments or the results of
 * a wait, because nothing protects those: what they push is bounded by the size of frames and
 * bodies, and no task starts while the generation is above its limit. Private to policy/. */
#ifndef POLICY_MEMORY_H
#define POLICY_MEMORY_H

#include "policy/generation.h"

void *memory_allocate(void *generation, void *ptr, size_t old_size, size_t new_size);
/* Switches the limit on or off; returns what it was. */
bool memory_cap(struct generation *generation, bool capped);
bool memory_is_full(const struct generation *generation);

#endif

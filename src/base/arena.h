/* Memory that dies all at once: one arena per event (a CALL, a request, a batch of rows).
 *
 * Everything handed out lives until arena_clear(); nothing is freed singly, so a borrowed string
 * inside an event never dangles within it. Not thread-safe: an arena is owned by whoever owns the
 * event, and moves between threads only together with it. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used;                /* bytes handed out, for limits and tests */
};

/* A zeroed struct arena is ready to use. */
void arena_clear(struct arena *arena);

/* Zeroed memory, aligned for any type; never NULL. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strndup(struct arena *arena, const char *text, size_t len);
/* NULL in, NULL out. */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

#endif

/* Arenas: a list of chunks, filled from the front, freed together.
 *
 * Chunks double in size up to a limit; what is bigger than a chunk gets one of its own. In builds
 * with sanitizers each piece is followed by poisoned bytes, so running over its end is caught as
 * it would be with malloc. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#ifdef CB_SANITIZED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#ifdef CB_SANITIZED
enum { GAP = 16 };
#else
enum { GAP = 0 };
#endif

enum { ALIGNMENT = 16, FIRST_CHUNK = 8 * 1024, BIGGEST_CHUNK = 256 * 1024 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* of data */
    size_t used;
    _Alignas(ALIGNMENT) char data[];
};

void arena_clear(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        ASAN_UNPOISON_MEMORY_REGION(chunk->data, chunk->size);
        xfree(chunk);
        chunk = older;
    }
    arena->chunks = NULL;
    arena->used = 0;
}

/* Room for `size` more bytes. A piece bigger than half a chunk goes behind the newest one, which
 * may still have room for many small pieces. */
static struct arena_chunk *add_chunk(struct arena *arena, size_t size)
{
    struct arena_chunk *newest = arena->chunks;
    size_t usual = newest ? newest->size * 2 : FIRST_CHUNK;
    if (usual > BIGGEST_CHUNK)
        usual = BIGGEST_CHUNK;
    size_t data_size = size > usual ? size : usual;
    size_t bytes;
    if (__builtin_add_overflow(data_size, sizeof(struct arena_chunk), &bytes))
        bytes = SIZE_MAX; /* xmalloc says so and aborts */
    struct arena_chunk *chunk = xmalloc(bytes);
    chunk->size = data_size;
    chunk->used = 0;
    ASAN_POISON_MEMORY_REGION(chunk->data, chunk->size);
    if (newest && size > usual) {
        chunk->older = newest->older;
        newest->older = chunk;
    } else {
        chunk->older = newest;
        arena->chunks = chunk;
    }
    return chunk;
}

/* Memory that is not zeroed. */
static void *take(struct arena *arena, size_t size)
{
    size_t rounded;
    if (__builtin_add_overflow(size, (size_t)(ALIGNMENT - 1 + GAP), &rounded))
        rounded = SIZE_MAX - ALIGNMENT + 1;
    rounded &= ~(size_t)(ALIGNMENT - 1);
    struct arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < rounded)
        chunk = add_chunk(arena, rounded);
    char *at = chunk->data + chunk->used;
    chunk->used += rounded;
    arena->used += size;
    ASAN_UNPOISON_MEMORY_REGION(at, size);
    return at;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    return memset(take(arena, size), 0, size);
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
    char *copy = take(arena, len + 1);
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text ? arena_strndup(arena, text, strlen(text)) : NULL;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    char shorter[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(shorter, sizeof shorter, format, args);
    va_end(args);
    if (NEVER(len < 0))
        return arena_strndup(arena, "", 0);
    if ((size_t)len < sizeof shorter)
        return arena_strndup(arena, shorter, (size_t)len);
    char *text = take(arena, (size_t)len + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

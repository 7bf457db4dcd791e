/* The allocator that aborts, and NEVER.
 *
 * Out of memory is not an error that callers handle: one line to stderr, then abort, so that a
 * supervisor restarts us with a clean state. Nothing here logs through log.c, which allocates. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLACES_KEPT = 64, GROW_FROM = 8 };

/* write(2) of a ready line: no allocation on the way out. */
static void last_words(const char *line)
{
    size_t len = strlen(line);
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n <= 0)
            return;
        line += n;
        len -= (size_t)n;
    }
}

_Noreturn static void out_of_memory(size_t size)
{
    char line[96];
    snprintf(line, sizeof line, "fatal: out of memory: %zu bytes wanted\n", size);
    last_words(line);
    abort();
}

void *xmalloc(size_t size)
{
    void *ptr = malloc(size ? size : 1);
    if (!ptr)
        out_of_memory(size);
    return ptr;
}

void *xcalloc(size_t count, size_t size)
{
    void *ptr = calloc(count ? count : 1, size ? size : 1);
    if (!ptr)
        out_of_memory(count * size);
    return ptr;
}

void *xrealloc(void *ptr, size_t size)
{
    void *grown = realloc(ptr, size ? size : 1);
    if (!grown)
        out_of_memory(size);
    return grown;
}

char *xstrndup(const char *text, size_t len)
{
    if (len == SIZE_MAX)
        out_of_memory(len);
    char *copy = xmalloc(len + 1);
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *xstrdup(const char *text)
{
    return xstrndup(text, strlen(text));
}

char *xstrdup_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

char *xprintf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0)
        out_of_memory(0);
    return text;
}

void xfree(void *ptr)
{
    free(ptr);
}

void *xgrow(void *array, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return array;
    size_t wanted = *capacity ? *capacity : GROW_FROM;
    while (wanted <= count) {
        if (wanted > SIZE_MAX / 2)
            out_of_memory(SIZE_MAX);
        wanted *= 2;
    }
    size_t bytes;
    if (__builtin_mul_overflow(wanted, item_size, &bytes))
        out_of_memory(SIZE_MAX);
    array = xrealloc(array, bytes);
    *capacity = wanted;
    return array;
}

/* True the first time for a place; when the table is full, later places are not reported. */
static _Bool first_report(const char *file, int line)
{
    static _Atomic uintptr_t places[PLACES_KEPT];
    uintptr_t place = (uintptr_t)file * 31 + (uintptr_t)line + 1;
    for (size_t i = 0; i < PLACES_KEPT; i++) {
        uintptr_t free_place = 0;
        if (atomic_compare_exchange_strong(&places[i], &free_place, place))
            return 1;
        if (free_place == place)
            return 0;
    }
    return 0;
}

_Bool never_happened(const char *what, const char *file, int line)
{
    if (first_report(file, line)) {
        char text[320];
        snprintf(text, sizeof text, "bug: %s:%d: %s\n", file, line, what);
        last_words(text);
    }
#ifdef CB_SANITIZED
    abort();
#endif
    return 1;
}

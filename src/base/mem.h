/* Memory that aborts with one line instead of returning NULL.
 *
 * The only room that may call malloc and friends. Two users have allocators of their own because
 * they must fail softly: the Lua states (policy/) and buffers that the network feeds (they carry a
 * cap, see strbuf.h). Start reading here, then arena.h for everything that lives as long as one
 * event. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Each returns memory that the caller owns and gives back with xfree(); never NULL. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *ptr, size_t size);
char *xstrdup(const char *text);
/* Copies `len` bytes and adds a NUL. */
char *xstrndup(const char *text, size_t len);
/* NULL in, NULL out. */
char *xstrdup_or_null(const char *text);
char *xprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

void xfree(void *ptr);

/* Frees what the variable points to and sets it to NULL. */
#define XFREE(var)                                                                                 \
    do {                                                                                           \
        xfree((void *)(var));                                                                      \
        (var) = NULL;                                                                              \
    } while (0)

/* Doubles as an array grows: makes room for `count + 1` items. */
void *xgrow(void *array, size_t count, size_t *capacity, size_t item_size);

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* A bug that we can live with: reports file and line once to stderr, aborts in builds with
 * sanitizers, and yields the condition elsewhere. */
#define NEVER(cond) (__builtin_expect(!!(cond), 0) && never_happened(#cond, __FILE__, __LINE__))
_Bool never_happened(const char *what, const char *file, int line);

#endif

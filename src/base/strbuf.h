/* Strings: borrowed spans and growing buffers.
 *
 * A span never owns and need not be NUL-terminated. A strbuf owns its bytes, is always
 * NUL-terminated, and may carry a cap: growing beyond it sets `overflow` and drops the addition,
 * so text that comes from outside cannot exhaust memory; later additions are dropped too, so that
 * the text has no hole. Comparison without case is ASCII only:
 * that is what CiString of OCPP means in the field. */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    const char *at; /* NULL only when absent */
    size_t len;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})

struct span span_of(const char *text); /* NULL gives an absent span */
bool span_is(struct span s, const char *text);
bool span_is_ci(struct span s, const char *text);
bool span_starts(struct span s, const char *prefix);
struct span span_trim(struct span s); /* spaces, tabs, CR, LF at both ends */
/* Cuts the next piece off `rest` at `separator`; false when nothing is left: "a,b," is two pieces.
 * Afterwards rest->at is NULL when no separator was found. */
bool span_cut(struct span *rest, char separator, struct span *piece);
/* Whole span is a decimal integer that fits. */
bool span_int(struct span s, int64_t *out);

bool text_is_ci(const char *a, const char *b);
bool text_is(const char *a, const char *b); /* both may be NULL */
void text_upper(char *text);                /* ASCII, in place */
/* Copies at most size-1 bytes, cuts at a UTF-8 boundary, always terminates. */
void text_copy(char *out, size_t size, struct span s);
bool utf8_valid(const char *text, size_t len);
/* Bytes of the one valid character at the start of `text`; 0 when there is none. */
size_t utf8_step(const char *text, size_t len);
/* How much of `text` to keep for at most `most` bytes without cutting a character. */
size_t utf8_cut(const char *text, size_t len, size_t most);
/* Edit distance for "did you mean" (swapping two neighbours is one edit); bounded, returns > limit
 * when it is more. */
unsigned text_distance(const char *a, const char *b, unsigned limit);
/* The nearest of `count` names, or NULL if none is near enough to be meant: the same but for case,
 * or at most 2 edits and a third of the length away. `names` is an array
 * of `const char *` found every `stride` bytes, so any table with a name column can be given. */
const char *text_nearest(const char *word, const void *names, size_t count, size_t stride);

struct strbuf {
    char *at; /* NULL while empty */
    size_t len;
    size_t room;
    size_t cap; /* most bytes of text; 0 = no cap */
    bool overflow;
};

/* A zeroed struct strbuf is ready to use. */
void strbuf_clear(struct strbuf *b); /* frees; ready to use again, cap kept */
void strbuf_reset(struct strbuf *b); /* forgets the text, keeps the memory */
/* Room for `len` more bytes at b->at + b->len, and a NUL; false and `overflow` when the cap forbids
 * it. Whoever writes there adds to b->len and terminates. */
bool strbuf_reserve(struct strbuf *b, size_t len);
void strbuf_add(struct strbuf *b, const char *text, size_t len);
void strbuf_adds(struct strbuf *b, const char *text);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_addv(struct strbuf *b, const char *format, va_list args);
const char *strbuf_text(const struct strbuf *b); /* "" while empty; borrowed */
/* The text becomes the caller's (xfree); the buffer is empty again. Never NULL. */
char *strbuf_take(struct strbuf *b, size_t *len);

#endif

/* Growing text buffers. Spans and plain text are in text.c.
 *
 * A buffer without a cap aborts when memory is out, as all of base does; one with a cap is fed by
 * the network, so it drops the addition instead and says so in `overflow`. */
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_ROOM = 64 };

void strbuf_clear(struct strbuf *b)
{
    XFREE(b->at);
    b->len = 0;
    b->room = 0;
    b->overflow = false;
}

void strbuf_reset(struct strbuf *b)
{
    b->len = 0;
    b->overflow = false;
    if (b->at)
        b->at[0] = '\0';
}

bool strbuf_reserve(struct strbuf *b, size_t len)
{
    if (b->overflow)
        return false;
    size_t needed;
    if (__builtin_add_overflow(b->len, len, &needed) || needed >= SIZE_MAX / 2 ||
        (b->cap && needed > b->cap)) {
        b->overflow = true;
        return false;
    }
    if (needed < b->room)
        return true;
    size_t room = b->room ? b->room : FIRST_ROOM;
    while (room <= needed)
        room *= 2;
    char *at = b->cap ? realloc(b->at, room) : xrealloc(b->at, room);
    if (!at) {
        b->overflow = true;
        return false;
    }
    b->at = at;
    b->room = room;
    return true;
}

void strbuf_add(struct strbuf *b, const char *text, size_t len)
{
    if (!strbuf_reserve(b, len))
        return;
    if (len > 0)
        memcpy(b->at + b->len, text, len);
    b->len += len;
    b->at[b->len] = '\0';
}

void strbuf_adds(struct strbuf *b, const char *text)
{
    strbuf_add(b, text, strlen(text));
}

void strbuf_addc(struct strbuf *b, char c)
{
    if (!strbuf_reserve(b, 1))
        return;
    b->at[b->len++] = c;
    b->at[b->len] = '\0';
}

void strbuf_addv(struct strbuf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    size_t left = b->room - b->len;
    int len = vsnprintf(left ? b->at + b->len : NULL, left, format, args);
    if (NEVER(len < 0)) {
        va_end(again);
        return;
    }
    if ((size_t)len < left && !b->overflow && (!b->cap || b->len + (size_t)len <= b->cap)) {
        b->len += (size_t)len;
    } else if (strbuf_reserve(b, (size_t)len)) {
        vsnprintf(b->at + b->len, b->room - b->len, format, again);
        b->len += (size_t)len;
    } else if (b->at) {
        b->at[b->len] = '\0'; /* the first attempt wrote here */
    }
    va_end(again);
}

void strbuf_addf(struct strbuf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_addv(b, format, args);
    va_end(args);
}

const char *strbuf_text(const struct strbuf *b)
{
    return b->at ? b->at : "";
}

char *strbuf_take(struct strbuf *b, size_t *len)
{
    char *text = b->at ? b->at : xstrdup("");
    if (len)
        *len = b->len;
    b->at = NULL;
    strbuf_clear(b);
    return text;
}

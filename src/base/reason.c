/* Filling a struct reason. */
#include "base/reason.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/strbuf.h"

bool reason_set(struct reason *why, const char *format, ...)
{
    if (!why)
        return false;
    /* By way of a second buffer, so that a reason can be an argument of its own next text. One
     * byte longer, so that text_copy sees whether it cuts a character. */
    char text[sizeof why->text + 1];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (NEVER(len < 0))
        text[0] = '\0';
    text_copy(why->text, sizeof why->text, span_of(text));
    return false;
}

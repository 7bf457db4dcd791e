/* Why something did not work: a fixed buffer that the caller owns.
 *
 * `bool f(…, struct reason *why)` fills it when it returns false. Whoever returns a reason does
 * not log it. A NULL reason is allowed everywhere. */
#ifndef BASE_REASON_H
#define BASE_REASON_H

#include <stdbool.h>

struct reason {
    char text[480];
};

/* Formats (cut at the end of the buffer) and returns false, so `return reason_set(why, …)`. */
bool reason_set(struct reason *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

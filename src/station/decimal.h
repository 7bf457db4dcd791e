/* Numbers as chargers write them, as integers of a smaller unit (V2, X11); policy/money.c rounds
 * amounts by it. */
#ifndef STATION_DECIMAL_H
#define STATION_DECIMAL_H

#include "base/strbuf.h"

/* `text` × 10^power, rounded half up. Reads surrounding space, a sign, `.` or `,` before fraction
 * digits, an exponent. False: not a number ("", NaN, two points), or beyond ±10^17. */
bool decimal_scaled(struct span text, int power, int64_t *out);

/* Within ±10^17: of two such the sum and the difference are no overflow. */
bool decimal_fits(int64_t value);

#endif

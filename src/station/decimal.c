/* See decimal.h. No floating point: 12345.5 Wh must round the same way everywhere. */
#include "station/decimal.h"

#include "base/mem.h"

enum { DIGITS_MAX = 40, EXPONENT_MAX = 30 };

static const int64_t VALUE_MAX = 100000000000000000; /* 10^17 */

struct digits {
    char at[DIGITS_MAX]; /* values, not characters */
    int count;
    int whole; /* so many stand before the point; may be negative or beyond count */
    bool negative;
};

static bool is_digit(struct span s)
{
    return s.len > 0 && *s.at >= '0' && *s.at <= '9';
}

static bool is_one_of(struct span s, char a, char b)
{
    return s.len > 0 && (*s.at == a || *s.at == b);
}

static void skip(struct span *s)
{
    s->at++;
    s->len--;
}

/* More digits than we keep cannot change what we return, but for their number. */
static int take_digits(struct span *s, struct digits *d)
{
    int taken = 0;
    for (; is_digit(*s); skip(s), taken++) {
        if (d->count < DIGITS_MAX)
            d->at[d->count++] = (char)(*s->at - '0');
    }
    return taken;
}

static bool take_exponent(struct span *s, int *exponent)
{
    skip(s);
    bool negative = is_one_of(*s, '-', '-');
    if (is_one_of(*s, '-', '+'))
        skip(s);
    if (!is_digit(*s))
        return false;
    for (; is_digit(*s); skip(s)) {
        *exponent = *exponent * 10 + (*s->at - '0');
        if (*exponent > EXPONENT_MAX)
            return false;
    }
    if (negative)
        *exponent = -*exponent;
    return true;
}

static bool digits_read(struct span s, struct digits *d)
{
    *d = (struct digits){.negative = is_one_of(s, '-', '-')};
    if (is_one_of(s, '-', '+'))
        skip(&s);
    d->whole = take_digits(&s, d);
    int fraction = 0;
    if (is_one_of(s, '.', ',')) {
        skip(&s);
        fraction = take_digits(&s, d);
    }
    int exponent = 0;
    if (d->whole + fraction == 0 || d->whole > DIGITS_MAX)
        return false;
    if (is_one_of(s, 'e', 'E') && !take_exponent(&s, &exponent))
        return false;
    d->whole += exponent;
    return s.len == 0;
}

static int digit_at(const struct digits *d, int place)
{
    return place >= 0 && place < d->count ? d->at[place] : 0;
}

static bool any_from(const struct digits *d, int place)
{
    for (int i = place < 0 ? 0 : place; i < d->count; i++) {
        if (d->at[i] != 0)
            return true;
    }
    return false;
}

bool decimal_fits(int64_t value)
{
    return value >= -VALUE_MAX && value <= VALUE_MAX;
}

bool decimal_scaled(struct span text, int power, int64_t *out)
{
    struct digits d;
    if (!text.at || !digits_read(span_trim(text), &d))
        return false;
    int whole = d.whole + power;
    int64_t value = 0;
    for (int i = 0; i < whole; i++) {
        value = value * 10 + digit_at(&d, i);
        if (value > VALUE_MAX)
            return false;
    }
    /* Half up means towards +∞: 2.5 → 3, -2.5 → -2. */
    int next = digit_at(&d, whole);
    bool up = d.negative ? next > 5 || (next == 5 && any_from(&d, whole + 1)) : next >= 5;
    value += up;
    *out = d.negative ? -value : value;
    return true;
}

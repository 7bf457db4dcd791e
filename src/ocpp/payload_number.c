/* Numbers as chargers write them, without floating point: an energy register has no rounding error
 * to spare, and 2^63-1 has to survive (quirk Q4). */
#include <string.h>

#include "base/arena.h"
#include "ocpp/payload_parts.h"

enum { DIGITS_MAX = 64, EXPONENT_MAX = 400 };

/* digits × 10^(point - count), all digits significant but for leading zeros. */
struct decimal {
    bool negative;
    int count;
    int point; /* so many digits stand before the decimal point; may be negative or > count */
    char digits[DIGITS_MAX];
};

static bool take_digits(struct span *s, struct decimal *d)
{
    size_t before = s->len;
    while (s->len > 0 && *s->at >= '0' && *s->at <= '9') {
        if (d->count == DIGITS_MAX)
            return false;
        d->digits[d->count++] = *s->at++;
        s->len--;
    }
    return s->len < before;
}

static bool take_exponent(struct span *s, struct decimal *d)
{
    int exponent = 0;
    s->at++;
    s->len--;
    bool negative = s->len > 0 && *s->at == '-';
    if (s->len > 0 && (*s->at == '-' || *s->at == '+')) {
        s->at++;
        s->len--;
    }
    if (s->len == 0)
        return false;
    for (; s->len > 0; s->at++, s->len--) {
        if (*s->at < '0' || *s->at > '9')
            return false;
        exponent = exponent * 10 + (*s->at - '0');
        if (exponent > EXPONENT_MAX)
            return false;
    }
    d->point += negative ? -exponent : exponent;
    return true;
}

/* `points` are the characters that may stand for the decimal point. */
static bool decimal_read(struct span s, const char *points, struct decimal *d)
{
    d->count = 0;
    d->negative = s.len > 0 && *s.at == '-';
    if (s.len > 0 && (*s.at == '-' || *s.at == '+')) {
        s.at++;
        s.len--;
    }
    if (!take_digits(&s, d))
        return false;
    d->point = d->count;
    if (s.len > 0 && *s.at != '\0' && strchr(points, *s.at) != NULL) {
        s.at++;
        s.len--;
        if (s.len > 0 && !take_digits(&s, d))
            return false;
    }
    if (s.len > 0 && (*s.at == 'e' || *s.at == 'E'))
        return take_exponent(&s, d);
    return s.len == 0;
}

static int decimal_digit(const struct decimal *d, int place)
{
    return place >= 0 && place < d->count ? d->digits[place] - '0' : 0;
}

static bool decimal_zero_from(const struct decimal *d, int place)
{
    for (int i = place < 0 ? 0 : place; i < d->count; i++) {
        if (d->digits[i] != '0')
            return false;
    }
    return true;
}

/* Counts away from zero on the side of the sign, so that -2^63 fits. */
static bool decimal_whole(const struct decimal *d, int64_t *out)
{
    int64_t value = 0;
    for (int i = 0; i < d->point; i++) {
        int digit = d->negative ? -decimal_digit(d, i) : decimal_digit(d, i);
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

enum number_reading number_to_int(struct span text, int64_t *out)
{
    struct decimal d;
    int64_t value;
    if (!decimal_read(span_trim(text), ".", &d))
        return NUMBER_NONE;
    if (!decimal_whole(&d, &value))
        return NUMBER_TOO_LARGE;
    bool exact = decimal_zero_from(&d, d.point);
    int tenth = decimal_digit(&d, d.point);
    int step = 0;
    if (d.negative)
        step = tenth > 5 || (tenth == 5 && !decimal_zero_from(&d, d.point + 1)) ? -1 : 0;
    else
        step = tenth >= 5;
    if (__builtin_add_overflow(value, step, &value))
        return NUMBER_TOO_LARGE;
    *out = value;
    return exact ? NUMBER_EXACT : NUMBER_ROUNDED;
}

bool number_to_json(struct arena *arena, struct span text, struct span *out)
{
    struct decimal d;
    char clean[DIGITS_MAX + EXPONENT_MAX + 8];
    size_t len = 0;
    if (!decimal_read(span_trim(text), ".,", &d))
        return false;
    if (d.negative)
        clean[len++] = '-';
    int place = 0;
    while (place < d.point - 1 && decimal_digit(&d, place) == 0)
        place++;
    if (d.point <= 0)
        clean[len++] = '0';
    for (; place < d.point; place++)
        clean[len++] = (char)('0' + decimal_digit(&d, place));
    if (!decimal_zero_from(&d, d.point)) {
        clean[len++] = '.';
        for (place = d.point; place < d.count; place++)
            clean[len++] = (char)('0' + decimal_digit(&d, place));
    }
    *out = (struct span){arena_strndup(arena, clean, len), len};
    return true;
}

bool number_is_tenths(struct span text)
{
    struct decimal d;
    return decimal_read(text, ".", &d) && decimal_zero_from(&d, d.point + 1);
}

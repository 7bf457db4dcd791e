/* JSON numbers: finding their end, their value, and their shortest text.
 *
 * Integers of up to 18 digits are exact; everything else keeps its text, and a double is made of it
 * only when somebody asks. The process stays in the "C" locale, which strtod() and %g rely on. */
#include "base/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_parts.h"
#include "base/mem.h"

enum {
    INT_DIGITS = 18,    /* so many always fit an int64_t */
    SMALL_NUMBER = 64,  /* numbers up to this length are converted on the stack */
    SURELY_FINITE = 300 /* so many characters without exponent cannot overflow a double */
};

static size_t count_digits(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

size_t json_scan_number(const char *text, size_t len, bool *is_int, int64_t *integer)
{
    size_t at = len > 0 && text[0] == '-';
    const char *digits = text + at;
    size_t count = count_digits(digits, len - at);
    if (count == 0 || (count > 1 && *digits == '0'))
        return 0;
    at += count;
    *is_int = count <= INT_DIGITS;
    if (at < len && text[at] == '.') {
        size_t fraction = count_digits(text + at + 1, len - at - 1);
        if (fraction == 0)
            return 0;
        at += 1 + fraction;
        *is_int = false;
    }
    if (at < len && (text[at] | 0x20) == 'e') {
        at++;
        if (at < len && (text[at] == '+' || text[at] == '-'))
            at++;
        size_t exponent = count_digits(text + at, len - at);
        if (exponent == 0)
            return 0;
        at += exponent;
        *is_int = false;
    }
    if (*is_int) {
        int64_t value = 0;
        for (size_t i = 0; i < count; i++)
            value = value * 10 + (digits[i] - '0');
        *integer = text[0] == '-' ? -value : value;
    }
    return at;
}

bool json_number_double(struct span text, double *out)
{
    char small[SMALL_NUMBER];
    char *copy = text.len < sizeof small ? small : xmalloc(text.len + 1);
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    *out = strtod(copy, NULL);
    if (copy != small)
        xfree(copy);
    return isfinite(*out);
}

bool json_number_fits(struct span text)
{
    double value;
    bool exponent = memchr(text.at, 'e', text.len) || memchr(text.at, 'E', text.len);
    return (text.len <= SURELY_FINITE && !exponent) || json_number_double(text, &value);
}

bool json_is_number(struct span text)
{
    bool is_int;
    int64_t integer;
    return text.len > 0 && json_scan_number(text.at, text.len, &is_int, &integer) == text.len &&
           json_number_fits(text);
}

struct span json_print_int(int64_t value, char out[JSON_INT_SIZE])
{
    char *end = out + JSON_INT_SIZE;
    char *at = end;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        *--at = '-';
    return (struct span){at, (size_t)(end - at)};
}

struct span json_print_double(double value, char out[JSON_DOUBLE_SIZE])
{
    /* Up to 15 digits survive a double, and %g drops zeros; subnormals carry fewer. */
    int digits = value > -DBL_MIN && value < DBL_MIN ? 1 : DBL_DIG;
    int len;
    do {
        len = snprintf(out, JSON_DOUBLE_SIZE, "%.*g", digits, value);
    } while (strtod(out, NULL) != value && digits++ < DBL_DECIMAL_DIG);
    return (struct span){out, (size_t)len};
}

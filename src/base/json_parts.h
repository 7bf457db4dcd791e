/* What the files of the JSON code share with each other and with nobody else: json.c reads text,
 * json_tree.c has the finished trees, json_write.c writes, json_number.c knows numbers. */
#ifndef BASE_JSON_PARTS_H
#define BASE_JSON_PARTS_H

#include <endian.h>
#include <string.h>

#include "base/json.h"

/* Of the eight bytes at `at`, how many at the front are plain: ASCII without quotes, backslashes
 * and controls; they need neither decoding nor escaping. All eight are looked at together. */
static inline size_t json_plain_bytes(const char *at)
{
    const uint64_t ones = 0x0101010101010101U;
    uint64_t word;
    memcpy(&word, at, sizeof word);
    word = le64toh(word);
    uint64_t quote = word ^ ('"' * ones);
    uint64_t backslash = word ^ ('\\' * ones);
    /* The lowest byte that is not plain gets its top bit set; those above it may get it wrongly. */
    uint64_t found = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                     ((word - 0x20 * ones) & ~word) | word;
    found &= 0x80 * ones;
    return found ? (size_t)__builtin_ctzll(found) / 8 : sizeof word;
}

/* Length of the JSON number at the start of `text`, 0 when there is none. `*is_int`: no fraction,
 * no exponent, at most 18 digits; then `*integer` is its value. `text` need not end with it. */
size_t json_scan_number(const char *text, size_t len, bool *is_int, int64_t *integer);
/* The number as a double; false when it overflows. */
bool json_number_double(struct span text, double *out);
/* Whether it does not; cheaper, because most numbers can be seen to be finite. */
bool json_number_fits(struct span text);
enum { JSON_INT_SIZE = 20, JSON_DOUBLE_SIZE = 32 };
/* The text lies in `out`, not necessarily at its start. */
struct span json_print_int(int64_t value, char out[JSON_INT_SIZE]);
/* The shortest text that reads back as `value`, which is finite. */
struct span json_print_double(double value, char out[JSON_DOUBLE_SIZE]);

/* The members of `object` in an order by key that is the same for equal sets of keys; equal keys
 * become neighbours. `object->count` pointers; the caller frees them with xfree(). */
struct json **json_sorted_members(const struct json *object);
bool json_same_key(const struct json *a, const struct json *b);

#endif

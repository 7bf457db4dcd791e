/* Spans, plain text, UTF-8, and "did you mean": the part of strbuf.h that owns nothing. */
#include "base/strbuf.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum {
    DISTANCE_TEXT_MAX = 64, /* longer words are compared for equality only */
    NEAR_EDITS = 2,
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool same_ci(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (lower(a[i]) != lower(b[i]))
            return false;
    }
    return true;
}

struct span span_of(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}

bool span_is(struct span s, const char *text)
{
    size_t len = strlen(text);
    return s.at && s.len == len && memcmp(s.at, text, len) == 0;
}

bool span_is_ci(struct span s, const char *text)
{
    return s.at && s.len == strlen(text) && same_ci(s.at, text, s.len);
}

bool span_starts(struct span s, const char *prefix)
{
    size_t len = strlen(prefix);
    return s.at && s.len >= len && memcmp(s.at, prefix, len) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
    while (s.len > 0 && is_blank(s.at[0])) {
        s.at++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

bool span_cut(struct span *rest, char separator, struct span *piece)
{
    if (!rest->at || rest->len == 0)
        return false;
    const char *cut = memchr(rest->at, separator, rest->len);
    if (!cut) {
        *piece = *rest;
        *rest = (struct span){NULL, 0};
        return true;
    }
    size_t len = (size_t)(cut - rest->at);
    *piece = (struct span){rest->at, len};
    *rest = (struct span){cut + 1, rest->len - len - 1};
    return true;
}

bool span_int(struct span s, int64_t *out)
{
    bool negative = s.len > 0 && s.at[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i >= s.len)
        return false;
    int64_t value = 0;
    for (; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        int digit = s.at[i] - '0';
        /* Downwards, because only that way INT64_MIN fits. */
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
        return false;
    *out = value;
    return true;
}

bool text_is_ci(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    size_t len = strlen(a);
    return len == strlen(b) && same_ci(a, b, len);
}

bool text_is(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

void text_upper(char *text)
{
    for (; *text; text++) {
        if (*text >= 'a' && *text <= 'z')
            *text = (char)(*text - 32);
    }
}

size_t utf8_step(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    if (len == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    size_t size = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || len < size)
        return 0;
    /* The second byte carries the rules against overlong forms, surrogates and > U+10FFFF. */
    unsigned char low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    return size;
}

/* How many bytes from here are ASCII, in steps of eight: most of what we read is nothing else. */
static size_t ascii_run(const char *text, size_t len)
{
    size_t run = 0;
    for (uint64_t word; len - run >= sizeof(word); run += sizeof(word)) {
        memcpy(&word, text + run, sizeof(word));
        if (word & 0x8080808080808080u)
            break;
    }
    return run;
}

bool utf8_valid(const char *text, size_t len)
{
    while (len > 0) {
        size_t run = ascii_run(text, len);
        text += run;
        len -= run;
        if (len == 0)
            break;
        size_t step = utf8_step(text, len);
        if (step == 0)
            return false;
        text += step;
        len -= step;
    }
    return true;
}

size_t utf8_cut(const char *text, size_t len, size_t most)
{
    if (len <= most)
        return len;
    /* Back over at most three continuation bytes: bytes that are no UTF-8 are cut anywhere. */
    size_t cut = most;
    while (cut > 0 && most - cut < 3 && ((unsigned char)text[cut] & 0xC0) == 0x80)
        cut--;
    return ((unsigned char)text[cut] & 0xC0) == 0x80 ? most : cut;
}

void text_copy(char *out, size_t size, struct span s)
{
    if (NEVER(size == 0))
        return;
    size_t len = s.at ? utf8_cut(s.at, s.len, size - 1) : 0;
    if (len > 0)
        memmove(out, s.at, len);
    out[len] = '\0';
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* Optimal string alignment: insert, delete, replace, or swap two neighbours, one edit each. */
unsigned text_distance(const char *a, const char *b, unsigned limit)
{
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    size_t gap = a_len > b_len ? a_len - b_len : b_len - a_len;
    if (gap > limit || a_len > DISTANCE_TEXT_MAX || b_len > DISTANCE_TEXT_MAX)
        return strcmp(a, b) == 0 ? 0 : limit + 1;
    unsigned rows[3][DISTANCE_TEXT_MAX + 1];
    unsigned *before = rows[0];
    unsigned *last = rows[1];
    unsigned *row = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned least = row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned cost = a[i - 1] != b[j - 1];
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
            if (row[j] < least)
                least = row[j];
        }
        if (least > limit && i < a_len)
            return limit + 1;
        unsigned *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_len] > limit ? limit + 1 : last[b_len];
}

const char *text_nearest(const char *word, const void *names, size_t count, size_t stride)
{
    const char *best = NULL;
    unsigned best_distance = NEAR_EDITS + 1;
    size_t word_len = strlen(word);
    for (size_t i = 0; i < count; i++) {
        const char *name = *(const char *const *)(const void *)((const char *)names + i * stride);
        if (!name)
            continue;
        if (text_is_ci(word, name))
            return name;
        size_t name_len = strlen(name);
        size_t longer = word_len > name_len ? word_len : name_len;
        unsigned limit = longer / 3 < NEAR_EDITS ? (unsigned)(longer / 3) : NEAR_EDITS;
        unsigned distance = text_distance(word, name, limit);
        if (distance <= limit && distance < best_distance) {
            best = name;
            best_distance = distance;
        }
    }
    return best;
}

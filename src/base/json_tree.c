/* Finished trees: reading, building, comparing, and what a JSON number is. */
#include "base/json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_parts.h"
#include "base/mem.h"

enum {
    INT_DIGITS = 18,     /* so many always fit an int64_t */
    SMALL_NUMBER = 64,   /* numbers up to this length are converted on the stack */
    SURELY_FINITE = 300, /* so many characters without exponent cannot overflow a double */
    LOOKUP_MEMBERS = 16  /* larger objects are sorted before they are compared */
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

bool json_number_value(struct span text, double *out)
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

/* Checked apart from its value, because most numbers can be seen to be finite. */
static bool number_fits(struct span text)
{
    double value;
    bool exponent = memchr(text.at, 'e', text.len) || memchr(text.at, 'E', text.len);
    return (text.len <= SURELY_FINITE && !exponent) || json_number_value(text, &value);
}

bool json_is_number(struct span text)
{
    bool is_int;
    int64_t integer;
    return text.len > 0 && json_scan_number(text.at, text.len, &is_int, &integer) == text.len &&
           number_fits(text);
}

size_t json_print_double(double value, char out[JSON_DOUBLE_SIZE])
{
    /* Up to 15 digits survive a double, and %g drops zeros; subnormals carry fewer. */
    int digits = value > -DBL_MIN && value < DBL_MIN ? 1 : DBL_DIG;
    int len;
    do {
        len = snprintf(out, JSON_DOUBLE_SIZE, "%.*g", digits, value);
    } while (strtod(out, NULL) != value && digits++ < DBL_DECIMAL_DIG);
    return (size_t)len;
}

struct json *json_get(const struct json *object, const char *key)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    size_t len = strlen(key);
    for (struct json *member = object->child; member; member = member->next) {
        if (member->key.len == len && memcmp(member->key.at, key, len) == 0)
            return member;
    }
    return NULL;
}

const char *json_text(const struct json *node)
{
    return node && node->type == JSON_STRING ? node->text.at : NULL;
}

const char *json_gets(const struct json *object, const char *key)
{
    return json_text(json_get(object, key));
}

bool json_double(const struct json *node, double *out)
{
    if (node && node->type == JSON_INT) {
        *out = (double)node->integer;
        return true;
    }
    return node && node->type == JSON_NUMBER && json_number_value(node->text, out);
}

bool json_int(const struct json *node, int64_t *out)
{
    const double exact = 9007199254740992.0; /* 2^53: up to here a double is one integer only */
    if (node && node->type == JSON_INT) {
        *out = node->integer;
        return true;
    }
    double value;
    if (!node || node->type != JSON_NUMBER)
        return false;
    if (span_int(node->text, out))
        return true;
    if (!json_number_value(node->text, &value) || value < -exact || value > exact ||
        (double)(int64_t)value != value)
        return false;
    *out = (int64_t)value;
    return true;
}

bool json_bool(const struct json *node, bool fallback)
{
    return node && node->type == JSON_BOOL ? node->boolean : fallback;
}

const char *json_type_name(enum json_type type)
{
    switch (type) {
    case JSON_NULL:
        return "null";
    case JSON_BOOL:
        return "a boolean";
    case JSON_INT:
        return "an integer";
    case JSON_NUMBER:
        return "a number";
    case JSON_STRING:
        return "a string";
    case JSON_ARRAY:
        return "a list";
    case JSON_OBJECT:
        return "an object";
    }
    return "nothing";
}

static struct span keep(struct arena *arena, struct span text)
{
    return (struct span){arena_strndup(arena, text.at, text.len), text.len};
}

struct json *json_new(struct arena *arena, enum json_type type)
{
    struct json *node = ARENA_NEW(arena, struct json);
    node->type = type;
    return node;
}

struct json *json_new_string(struct arena *arena, struct span text)
{
    struct json *node = json_new(arena, JSON_STRING);
    node->text = keep(arena, text);
    return node;
}

struct json *json_new_number(struct arena *arena, struct span text)
{
    struct json *node = json_new(arena, JSON_NULL);
    if (NEVER(!json_is_number(text)))
        return node;
    bool is_int;
    json_scan_number(text.at, text.len, &is_int, &node->integer);
    node->type = is_int ? JSON_INT : JSON_NUMBER;
    node->text = keep(arena, text);
    return node;
}

struct json *json_new_int(struct arena *arena, int64_t value)
{
    struct json *node = json_new(arena, JSON_INT);
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRId64, value);
    node->integer = value;
    node->text = keep(arena, (struct span){text, (size_t)len});
    return node;
}

struct json *json_new_double(struct arena *arena, double value)
{
    if (!isfinite(value))
        return json_new(arena, JSON_NULL);
    char text[JSON_DOUBLE_SIZE];
    size_t len = json_print_double(value, text);
    return json_new_number(arena, (struct span){text, len});
}

struct json *json_new_bool(struct arena *arena, bool value)
{
    struct json *node = json_new(arena, JSON_BOOL);
    node->boolean = value;
    return node;
}

static void append(struct json *parent, struct json *node)
{
    node->next = NULL;
    if (parent->last)
        parent->last->next = node;
    else
        parent->child = node;
    parent->last = node;
    parent->count++;
}

struct json *json_copy(struct arena *arena, const struct json *node)
{
    if (!node)
        return NULL;
    struct json *copy = json_new(arena, node->type);
    copy->boolean = node->boolean;
    copy->integer = node->integer;
    if (node->text.at)
        copy->text = keep(arena, node->text);
    for (const struct json *child = node->child; child; child = child->next) {
        struct json *child_copy = json_copy(arena, child);
        if (child->key.at)
            child_copy->key = keep(arena, child->key);
        append(copy, child_copy);
    }
    return copy;
}

struct json *json_add(struct arena *arena, struct json *parent, const char *key, struct json *node)
{
    bool object = parent->type == JSON_OBJECT;
    if (NEVER((!object && parent->type != JSON_ARRAY) || object != (key != NULL)) || !node)
        return parent;
    node->key = key ? keep(arena, span_of(key)) : (struct span){NULL, 0};
    append(parent, node);
    parent->raw = (struct span){NULL, 0};
    return parent;
}

struct json *json_adds(struct arena *arena, struct json *object, const char *key, const char *text)
{
    return text ? json_add(arena, object, key, json_new_string(arena, span_of(text))) : object;
}

struct json *json_addi(struct arena *arena, struct json *object, const char *key, int64_t value)
{
    return json_add(arena, object, key, json_new_int(arena, value));
}

bool json_remove(struct json *object, const char *key)
{
    struct json *gone = json_get(object, key);
    if (!gone)
        return false;
    struct json *before = NULL;
    if (object->child == gone) {
        object->child = gone->next;
    } else {
        before = object->child;
        while (before->next != gone)
            before = before->next;
        before->next = gone->next;
    }
    if (object->last == gone)
        object->last = before;
    gone->next = NULL;
    object->count--;
    object->raw = (struct span){NULL, 0};
    return true;
}

bool json_same_key(const struct json *a, const struct json *b)
{
    return a->key.len == b->key.len && memcmp(a->key.at, b->key.at, a->key.len) == 0;
}

static int compare_keys(const void *a, const void *b)
{
    const struct span *ka = &(*(struct json *const *)a)->key;
    const struct span *kb = &(*(struct json *const *)b)->key;
    if (ka->len != kb->len)
        return ka->len < kb->len ? -1 : 1;
    return memcmp(ka->at, kb->at, ka->len);
}

struct json **json_sorted_members(const struct json *object)
{
    struct json **sorted = xmalloc(object->count * sizeof(struct json *));
    size_t count = 0;
    for (struct json *member = object->child; member; member = member->next)
        sorted[count++] = member;
    qsort(sorted, count, sizeof *sorted, compare_keys);
    return sorted;
}

static bool objects_equal(const struct json *a, const struct json *b)
{
    if (a->count <= LOOKUP_MEMBERS) {
        for (const struct json *member = a->child; member; member = member->next) {
            if (!json_equal(member, json_get(b, member->key.at)))
                return false;
        }
        return true;
    }
    struct json **members_a = json_sorted_members(a);
    struct json **members_b = json_sorted_members(b);
    bool equal = true;
    for (uint32_t i = 0; equal && i < a->count; i++)
        equal = json_same_key(members_a[i], members_b[i]) && json_equal(members_a[i], members_b[i]);
    xfree(members_a);
    xfree(members_b);
    return equal;
}

static bool is_number(const struct json *node)
{
    return node->type == JSON_INT || node->type == JSON_NUMBER;
}

/* 3, 3.0 and 3e0 are equal; integers too long for a double are compared digit by digit. */
static bool numbers_equal(const struct json *a, const struct json *b)
{
    if (a->type == JSON_INT && b->type == JSON_INT)
        return a->integer == b->integer;
    int64_t integer_a, integer_b;
    if (json_int(a, &integer_a) && json_int(b, &integer_b))
        return integer_a == integer_b;
    double value_a, value_b;
    bool long_a = a->type == JSON_NUMBER && count_digits(a->text.at, a->text.len) == a->text.len;
    bool long_b = b->type == JSON_NUMBER && count_digits(b->text.at, b->text.len) == b->text.len;
    if (long_a && long_b)
        return a->text.len == b->text.len && memcmp(a->text.at, b->text.at, a->text.len) == 0;
    return json_double(a, &value_a) && json_double(b, &value_b) && value_a == value_b;
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (!a || !b)
        return a == b;
    if (is_number(a) && is_number(b))
        return numbers_equal(a, b);
    if (a->type != b->type || a->count != b->count)
        return false;
    switch (a->type) {
    case JSON_BOOL:
        return a->boolean == b->boolean;
    case JSON_STRING:
        return a->text.len == b->text.len && memcmp(a->text.at, b->text.at, a->text.len) == 0;
    case JSON_ARRAY:
        for (const struct json *x = a->child, *y = b->child; x; x = x->next, y = y->next) {
            if (!json_equal(x, y))
                return false;
        }
        return true;
    case JSON_OBJECT:
        return objects_equal(a, b);
    default:
        return true;
    }
}

/* Finished trees: reading, building, comparing. */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_parts.h"
#include "base/mem.h"

enum { LOOKUP_MEMBERS = 16 }; /* larger objects are sorted before they are compared */

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
    return node && node->type == JSON_NUMBER && json_number_double(node->text, out);
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
    if (!json_number_double(node->text, &value) || value < -exact || value > exact ||
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
    char text[JSON_INT_SIZE];
    node->integer = value;
    node->text = keep(arena, json_print_int(value, text));
    return node;
}

struct json *json_new_double(struct arena *arena, double value)
{
    if (!isfinite(value))
        return json_new(arena, JSON_NULL);
    char text[JSON_DOUBLE_SIZE];
    return json_new_number(arena, json_print_double(value, text));
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

/* A number without fraction and exponent. */
static bool is_whole(struct span text)
{
    return !memchr(text.at, '.', text.len) && !memchr(text.at, 'e', text.len) &&
           !memchr(text.at, 'E', text.len);
}

/* 3, 3.0 and 3e0 are equal; integers too long for a double are compared digit by digit. */
static bool numbers_equal(const struct json *a, const struct json *b)
{
    int64_t integer_a, integer_b;
    double value_a, value_b;
    bool small_a = json_int(a, &integer_a);
    bool small_b = json_int(b, &integer_b);
    if (small_a && small_b)
        return integer_a == integer_b;
    if (!small_a && !small_b && is_whole(a->text) && is_whole(b->text))
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

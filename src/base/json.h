/* The strict JSON of the wire: a tree in an arena, and a writer.
 *
 * Why our own (LIBRARIES.md §5): exact integers and decimals, raw spans so that a payload goes out
 * as given, and a strictness no packaged library has. Refuses: duplicate keys, depth over 32,
 * invalid UTF-8, U+0000, raw control characters, lone surrogates, NaN/Infinity, trailing text, more
 * nodes than JSON_NODES_MAX. Integers of up to 18 digits are JSON_INT; every other number is
 * JSON_NUMBER and keeps its text. tests/unit/base/test_json.c holds it against jansson. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/arena.h"
#include "base/reason.h"
#include "base/strbuf.h"

enum { JSON_DEPTH_MAX = 32, JSON_NODES_MAX = 200000 };

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT,    /* `integer` is exact */
    JSON_NUMBER, /* decimal, exponent, or too many digits: see `text` */
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json {
    enum json_type type;
    bool boolean;
    uint32_t count;     /* children */
    struct span key;    /* member name, decoded; absent outside objects */
    struct span text;   /* string: decoded, NUL-terminated; number: as written */
    struct span raw;    /* the exact source text of this value; absent for built nodes */
    int64_t integer;    /* JSON_INT */
    struct json *child; /* first child */
    struct json *last;  /* last child, for building */
    struct json *next;  /* next sibling */
};

/* The tree lives in `arena`, spans point into it or into `text`, which must outlive the tree.
 * NULL on the first fault: `why` says what was expected, `*fault_at` (may be NULL) is its byte. */
struct json *json_parse(struct arena *arena, const char *text, size_t len, struct reason *why,
                        size_t *fault_at);

/* NULL-safe reading: each takes a NULL or wrong-typed node as absent. */
struct json *json_get(const struct json *object, const char *key);
const char *json_text(const struct json *node);                    /* JSON_STRING only, else NULL */
const char *json_gets(const struct json *object, const char *key); /* member that is a string */
bool json_int(const struct json *node, int64_t *out);   /* JSON_INT, or a number like 3.0 */
bool json_double(const struct json *node, double *out); /* JSON_INT or JSON_NUMBER */
bool json_bool(const struct json *node, bool fallback);
const char *json_type_name(enum json_type type); /* "a string", "an integer" … for messages */
/* The whole text is one JSON number that json_parse() takes. */
bool json_is_number(struct span text);

/* Building: nodes live in the arena; text is copied unless said otherwise. */
struct json *json_new(struct arena *arena, enum json_type type);
struct json *json_new_string(struct arena *arena, struct span text);
struct json *json_new_int(struct arena *arena, int64_t value);
struct json *json_new_double(struct arena *arena, double value); /* shortest text that reads back */
struct json *json_new_number(struct arena *arena, struct span text); /* text is a JSON number */
struct json *json_new_bool(struct arena *arena, bool value);
struct json *json_copy(struct arena *arena, const struct json *node); /* deep; without `raw` */
/* Appends; `key` must be NULL for arrays. Returns the object, so that calls can be chained. */
struct json *json_add(struct arena *arena, struct json *parent, const char *key, struct json *node);
/* Without a text (NULL) nothing is added. */
struct json *json_adds(struct arena *arena, struct json *object, const char *key, const char *text);
struct json *json_addi(struct arena *arena, struct json *object, const char *key, int64_t value);
/* Unlinks the member; false when there is none. */
bool json_remove(struct json *object, const char *key);
/* Members in any order; 3 and 3.0 are the same number. */
bool json_equal(const struct json *a, const struct json *b);

/* Writes compactly; nodes with `raw` and no children changes are still written from the tree. */
void json_write(struct strbuf *out, const struct json *node);
void json_write_string(struct strbuf *out, struct span text); /* with quotes and escapes */

/* Streaming writer for text that never becomes a tree (logs, query results):
 *     struct json_out o = {.to = &buf};
 *     json_open(&o, '{'); json_key(&o, "id"); json_put_int(&o, 7); json_close(&o, '}'); */
struct json_out {
    struct strbuf *to;
    bool comma; /* an item stands before the next one */
};
void json_open(struct json_out *o, char bracket);
void json_close(struct json_out *o, char bracket);
void json_key(struct json_out *o, const char *key);
void json_put_string(struct json_out *o, const char *text); /* NULL writes null */
void json_put_span(struct json_out *o, struct span text);
void json_put_int(struct json_out *o, int64_t value);
void json_put_double(struct json_out *o, double value); /* not finite writes null */
void json_put_bool(struct json_out *o, bool value);
void json_put_null(struct json_out *o);
void json_put_raw(struct json_out *o, struct span json); /* text that is JSON already */

#endif

/* The reader: strict JSON text to a tree, in one pass, with one copy of the text.
 *
 * The text is copied to the arena once, NUL-terminated and padded, and strings are decoded in
 * place there: a decoded string is never longer than its source, and its closing quote makes room
 * for the NUL. `raw` spans point into the caller's text. Start at json_parse(); json_tree.c has
 * everything that works on finished trees. */
#include "base/json.h"

#include <string.h>

#include "base/json_parts.h"
#include "base/mem.h"

enum {
    PAD = 8,             /* zeros behind the copy, so that eight bytes can be looked at anywhere */
    LINEAR_MEMBERS = 16, /* up to here each new key is compared with those before it */
    NODES_AT_ONCE = 64,
    KEY_SHOWN = 64
};

struct parser {
    char *at; /* in the copy */
    char *start;
    char *end;
    const char *source; /* the caller's text */
    struct arena *arena;
    struct json *nodes; /* zeroed ones, ready to be used */
    uint32_t nodes_left;
    uint32_t node_count;
    struct reason *why;
    const char *fault;
};

static bool fail(struct parser *p, const char *at, const char *what)
{
    p->fault = at;
    return reason_set(p->why, "%s", what);
}

static void skip_space(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t')
        p->at++;
}

/* What stands at p->at is not what was expected. */
static bool fail_expected(struct parser *p, const char *what)
{
    p->fault = p->at;
    if (p->at == p->end)
        return reason_set(p->why, "expected %s, got the end of the text", what);
    unsigned char c = (unsigned char)*p->at;
    if (c > 0x20 && c < 0x7F)
        return reason_set(p->why, "expected %s, got '%c'", what, c);
    return reason_set(p->why, "expected %s, got byte 0x%02X", what, c);
}

static struct json *new_node(struct parser *p)
{
    if (p->nodes_left == 0) {
        /* A first guess from the length of the text, so that small frames take little memory. */
        size_t guess = (size_t)(p->end - p->start) / 16 + 4;
        p->nodes_left = guess < NODES_AT_ONCE ? (uint32_t)guess : NODES_AT_ONCE;
        p->nodes = arena_alloc(p->arena, p->nodes_left * sizeof *p->nodes);
    }
    p->nodes_left--;
    p->node_count++;
    return p->nodes++;
}

/* The first byte from `at` on that is not plain text; there is always one, the NUL at the end. */
static char *skip_plain(char *at)
{
    size_t plain;
    do {
        plain = json_plain_bytes(at);
        at += plain;
    } while (plain == 8);
    return at;
}

static bool take_hex4(const char *at, uint32_t *out)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return false;
        value = value << 4 | digit;
    }
    *out = value;
    return true;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xE0 | c >> 12);
        } else {
            *to++ = (char)(0xF0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
    }
    *to++ = (char)(0x80 | (c & 0x3F));
    return to;
}

/* \uXXXX at p->at, with its second half when it is a surrogate. */
static bool take_unicode(struct parser *p, char **to)
{
    uint32_t c, low;
    if (!take_hex4(p->at + 2, &c))
        return fail(p, p->at, "expected four hex digits after \\u");
    if (c == 0)
        return fail(p, p->at, "U+0000 in a string");
    if (c < 0xD800 || c > 0xDFFF) {
        *to = put_utf8(*to, c);
        p->at += 6;
        return true;
    }
    if (c > 0xDBFF || p->at[6] != '\\' || p->at[7] != 'u' || !take_hex4(p->at + 8, &low) ||
        low < 0xDC00 || low > 0xDFFF)
        return fail(p, p->at, "lone surrogate in a string");
    *to = put_utf8(*to, 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00));
    p->at += 12;
    return true;
}

static bool take_escape(struct parser *p, char **to)
{
    static const char plain[128] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    unsigned char c = (unsigned char)p->at[1];
    if (c == 'u')
        return take_unicode(p, to);
    if (c >= sizeof plain || plain[c] == 0)
        return fail(p, p->at, "unknown escape in a string");
    *(*to)++ = plain[c];
    p->at += 2;
    return true;
}

/* The string whose opening quote is at p->at, decoded in place. */
static bool take_string(struct parser *p, struct span *out)
{
    char *opening = p->at++;
    char *to = p->at;
    char *first = p->at;
    for (;;) {
        char *from = p->at;
        p->at = skip_plain(from);
        size_t plain = (size_t)(p->at - from);
        if (to != from && plain > 0)
            memmove(to, from, plain);
        to += plain;
        if (*p->at == '"')
            break;
        if (*p->at == '\\') {
            if (!take_escape(p, &to))
                return false;
            continue;
        }
        if (p->at == p->end)
            return fail(p, opening, "string without end");
        size_t step = utf8_step(p->at, (size_t)(p->end - p->at));
        if (step < 2)
            return fail(p, p->at, step ? "control character in a string" : "invalid UTF-8");
        if (to != p->at)
            memmove(to, p->at, step);
        to += step;
        p->at += step;
    }
    *to = '\0';
    p->at++;
    *out = (struct span){first, (size_t)(to - first)};
    return true;
}

static bool take_word(struct parser *p, struct json *node)
{
    static const struct {
        const char *word;
        size_t len;
        enum json_type type;
        bool boolean;
    } words[] = {{"true", 4, JSON_BOOL, true},
                 {"false", 5, JSON_BOOL, false},
                 {"null", 4, JSON_NULL, false}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strncmp(p->at, words[i].word, words[i].len) == 0) {
            node->type = words[i].type;
            node->boolean = words[i].boolean;
            p->at += words[i].len;
            return true;
        }
    }
    return fail_expected(p, "a value");
}

static bool take_number(struct parser *p, struct json *node)
{
    bool is_int;
    size_t len = json_scan_number(p->at, (size_t)(p->end - p->at), &is_int, &node->integer);
    if (len == 0)
        return fail(p, p->at, "expected a number");
    node->text = (struct span){p->at, len};
    node->type = is_int ? JSON_INT : JSON_NUMBER;
    if (!is_int && !json_number_fits(node->text))
        return fail(p, p->at, "number too large");
    p->at += len;
    return true;
}

static bool fail_duplicate(struct parser *p, const struct json *member)
{
    int shown = (int)utf8_cut(member->key.at, member->key.len, KEY_SHOWN);
    p->fault = member->key.at - 1; /* its quote */
    return reason_set(p->why, "duplicate key \"%.*s\"", shown, member->key.at);
}

/* Small objects: the new member against those before it. */
static bool is_first_of_name(const struct json *object, const struct json *member)
{
    for (const struct json *other = object->child; other; other = other->next) {
        if (json_same_key(other, member))
            return false;
    }
    return true;
}

/* Large objects: all at once, when the object is complete. */
static bool check_duplicates(struct parser *p, const struct json *object)
{
    if (object->count <= LINEAR_MEMBERS)
        return true;
    struct json **sorted = json_sorted_members(object);
    const struct json *later = NULL; /* of the first pair of equal keys in the text */
    for (uint32_t i = 1; i < object->count; i++) {
        if (!json_same_key(sorted[i - 1], sorted[i]))
            continue;
        const struct json *second =
            sorted[i - 1]->key.at > sorted[i]->key.at ? sorted[i - 1] : sorted[i];
        if (!later || second->key.at < later->key.at)
            later = second;
    }
    xfree(sorted);
    return !later || fail_duplicate(p, later);
}

static bool take_value(struct parser *p, struct json *node, int depth);

/* One element, or one member with its key; appended to `parent`. */
static bool take_item(struct parser *p, struct json *parent, int depth)
{
    if (p->node_count >= JSON_NODES_MAX)
        return fail(p, p->at, "too many values");
    struct json *item = new_node(p);
    if (parent->type == JSON_OBJECT) {
        if (*p->at != '"')
            return fail_expected(p, "a member name");
        if (!take_string(p, &item->key))
            return false;
        if (parent->count < LINEAR_MEMBERS && !is_first_of_name(parent, item))
            return fail_duplicate(p, item);
        skip_space(p);
        if (*p->at != ':')
            return fail_expected(p, "':'");
        p->at++;
        skip_space(p);
    }
    if (parent->last)
        parent->last->next = item;
    else
        parent->child = item;
    parent->last = item;
    parent->count++;
    return take_value(p, item, depth);
}

static bool take_container(struct parser *p, struct json *node, int depth)
{
    bool object = *p->at == '{';
    char closing = object ? '}' : ']';
    if (depth >= JSON_DEPTH_MAX)
        return fail(p, p->at, "nested too deeply");
    node->type = object ? JSON_OBJECT : JSON_ARRAY;
    p->at++;
    skip_space(p);
    if (*p->at == closing) {
        p->at++;
        return true;
    }
    for (;;) {
        if (!take_item(p, node, depth + 1))
            return false;
        skip_space(p);
        if (*p->at != ',')
            break;
        p->at++;
        skip_space(p);
    }
    if (*p->at != closing)
        return fail_expected(p, object ? "',' or '}'" : "',' or ']'");
    p->at++;
    return !object || check_duplicates(p, node);
}

/* A value at p->at, where no space is. */
static bool take_value(struct parser *p, struct json *node, int depth)
{
    const char *start = p->at;
    bool ok;
    switch (*start) {
    case '"':
        node->type = JSON_STRING;
        ok = take_string(p, &node->text);
        break;
    case '{':
    case '[':
        ok = take_container(p, node, depth);
        break;
    case '-':
    case '0' ... '9':
        ok = take_number(p, node);
        break;
    default:
        ok = take_word(p, node);
    }
    node->raw = (struct span){p->source + (start - p->start), (size_t)(p->at - start)};
    return ok;
}

struct json *json_parse(struct arena *arena, const char *text, size_t len, struct reason *why,
                        size_t *fault_at)
{
    char *copy = arena_alloc(arena, len + PAD);
    if (len > 0)
        memcpy(copy, text, len);
    struct parser p = {
        .at = copy, .start = copy, .end = copy + len, .source = text, .arena = arena, .why = why};
    struct json *root = new_node(&p);
    skip_space(&p);
    bool ok = take_value(&p, root, 0);
    skip_space(&p);
    if (ok && p.at != p.end)
        ok = fail_expected(&p, "the end of the text");
    if (!ok && fault_at)
        *fault_at = (size_t)(p.fault - p.start);
    return ok ? root : NULL;
}

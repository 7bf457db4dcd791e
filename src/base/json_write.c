/* The writers: a tree, or a stream of values, to compact JSON text.
 *
 * What is written is always valid: bytes that are no UTF-8 become U+FFFD. Long runs of plain text
 * are copied at once. */
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/json_parts.h"

static void write_span(struct strbuf *out, struct span text)
{
    strbuf_add(out, text.at, text.len);
}

static void write_int(struct strbuf *out, int64_t value)
{
    char text[JSON_INT_SIZE];
    write_span(out, json_print_int(value, text));
}

static void write_escape(struct strbuf *out, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "btn?fr"; /* of \b to \r */
    char escape[6] = {'\\', c};
    size_t len = 2;
    if (c >= '\b' && c <= '\r' && c != '\v') {
        escape[1] = letters[c - '\b'];
    } else if (c != '"' && c != '\\') {
        memcpy(escape + 1, "u00", 3);
        escape[4] = hex[c >> 4];
        escape[5] = hex[c & 15];
        len = 6;
    }
    strbuf_add(out, escape, len);
}

static bool is_plain(char c)
{
    return (signed char)c >= 0x20 && c != '"' && c != '\\';
}

/* How many bytes from the start on can be copied as they are; a character that is not ASCII is
 * checked and passed. */
static size_t plain_run(struct span text)
{
    size_t at = 0;
    while (at < text.len) {
        size_t left = text.len - at;
        size_t plain = left >= 8 ? json_plain_bytes(text.at + at) : is_plain(text.at[at]);
        if (plain == 0 && (text.at[at] & 0x80) != 0)
            plain = utf8_step(text.at + at, left);
        if (plain == 0)
            break;
        at += plain;
    }
    return at;
}

/* A string with something that has to be escaped; the first `run` bytes have not. */
static void write_with_escapes(struct strbuf *out, struct span text, size_t run)
{
    strbuf_addc(out, '"');
    while (text.len > 0) {
        strbuf_add(out, text.at, run);
        text = (struct span){text.at + run, text.len - run};
        if (text.len > 0) {
            if ((*text.at & 0x80) == 0)
                write_escape(out, *text.at);
            else
                strbuf_adds(out, "\xEF\xBF\xBD");
            text = (struct span){text.at + 1, text.len - 1};
        }
        run = plain_run(text);
    }
    strbuf_addc(out, '"');
}

/* A string and, when it is a key, its colon. */
static void write_string(struct strbuf *out, struct span text, bool is_key)
{
    size_t run = plain_run(text);
    if (run < text.len) {
        write_with_escapes(out, text, run);
        if (is_key)
            strbuf_addc(out, ':');
        return;
    }
    if (!strbuf_reserve(out, run + 3))
        return;
    char *to = out->at + out->len;
    *to++ = '"';
    if (run > 0)
        memcpy(to, text.at, run);
    to += run;
    *to++ = '"';
    if (is_key)
        *to++ = ':';
    *to = '\0';
    out->len = (size_t)(to - out->at);
}

void json_write_string(struct strbuf *out, struct span text)
{
    write_string(out, text, false);
}

static void write_children(struct strbuf *out, const struct json *node)
{
    bool object = node->type == JSON_OBJECT;
    strbuf_addc(out, object ? '{' : '[');
    for (const struct json *child = node->child; child; child = child->next) {
        if (child != node->child)
            strbuf_addc(out, ',');
        if (object)
            write_string(out, child->key, true);
        json_write(out, child);
    }
    strbuf_addc(out, object ? '}' : ']');
}

static void write_bool(struct strbuf *out, bool value)
{
    if (value)
        strbuf_add(out, "true", 4);
    else
        strbuf_add(out, "false", 5);
}

void json_write(struct strbuf *out, const struct json *node)
{
    switch (node ? node->type : JSON_NULL) {
    case JSON_NULL:
        strbuf_add(out, "null", 4);
        break;
    case JSON_BOOL:
        write_bool(out, node->boolean);
        break;
    case JSON_INT:
        if (span_is(node->text, "-0")) /* the one spelling that the integer does not keep */
            write_span(out, node->text);
        else
            write_int(out, node->integer);
        break;
    case JSON_NUMBER:
        write_span(out, node->text);
        break;
    case JSON_STRING:
        json_write_string(out, node->text);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        write_children(out, node);
        break;
    }
}

/* The comma before an item, if one is due; after the item the next one is. */
static void begin_item(struct json_out *o)
{
    if (o->comma)
        strbuf_addc(o->to, ',');
    o->comma = true;
}

void json_open(struct json_out *o, char bracket)
{
    begin_item(o);
    strbuf_addc(o->to, bracket);
    o->comma = false;
}

void json_close(struct json_out *o, char bracket)
{
    strbuf_addc(o->to, bracket);
    o->comma = true;
}

void json_key(struct json_out *o, const char *key)
{
    begin_item(o);
    write_string(o->to, span_of(key), true);
    o->comma = false;
}

void json_put_string(struct json_out *o, const char *text)
{
    json_put_span(o, span_of(text));
}

void json_put_span(struct json_out *o, struct span text)
{
    begin_item(o);
    if (text.at)
        json_write_string(o->to, text);
    else
        strbuf_add(o->to, "null", 4);
}

void json_put_int(struct json_out *o, int64_t value)
{
    begin_item(o);
    write_int(o->to, value);
}

void json_put_double(struct json_out *o, double value)
{
    if (!isfinite(value)) {
        json_put_null(o);
        return;
    }
    char text[JSON_DOUBLE_SIZE];
    begin_item(o);
    write_span(o->to, json_print_double(value, text));
}

void json_put_bool(struct json_out *o, bool value)
{
    begin_item(o);
    write_bool(o->to, value);
}

void json_put_null(struct json_out *o)
{
    begin_item(o);
    strbuf_add(o->to, "null", 4);
}

void json_put_raw(struct json_out *o, struct span json)
{
    begin_item(o);
    if (json.at && json.len > 0)
        write_span(o->to, json);
    else
        strbuf_add(o->to, "null", 4);
}

/* Where the keys of an allow-list stand in its file: for messages with the right line, and to see a
 * key that is written twice, which the finished table does not show.
 *
 * A scanner of just enough Lua: strings, long brackets, comments, nesting. It never decides
 * anything but a line; where it does not understand the source, faults tell the line of the call.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_tags.h"

struct scanner {
    const char *at, *end;
    int line;
};

static void step(struct scanner *s)
{
    if (*s->at == '\n')
        s->line++;
    s->at++;
}

static bool starts(const struct scanner *s, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(s->end - s->at) >= len && memcmp(s->at, text, len) == 0;
}

/* `[[…]]`, `[==[…]==]`; false if it is no long bracket. */
static bool skip_long(struct scanner *s)
{
    const char *p = s->at + 1;
    while (p < s->end && *p == '=')
        p++;
    if (p >= s->end || *p != '[')
        return false;
    size_t level = (size_t)(p - s->at - 1);
    while (s->at < s->end) {
        step(s);
        if (s->at + level + 1 < s->end && *s->at == ']' && s->at[level + 1] == ']' &&
            strspn(s->at + 1, "=") == level) {
            s->at += level + 2;
            return true;
        }
    }
    return true;
}

static void skip_blank(struct scanner *s)
{
    while (s->at < s->end) {
        if (isspace((unsigned char)*s->at)) {
            step(s);
        } else if (starts(s, "--")) {
            s->at += 2;
            if (s->at < s->end && *s->at == '[' && skip_long(s))
                continue;
            while (s->at < s->end && *s->at != '\n')
                s->at++;
        } else {
            return;
        }
    }
}

/* A quoted string at the scanner; its text without the quotes, escapes as written. */
static struct span take_string(struct scanner *s)
{
    char quote = *s->at;
    step(s);
    const char *from = s->at;
    while (s->at < s->end && *s->at != quote && *s->at != '\n') {
        if (*s->at == '\\' && s->at + 1 < s->end)
            step(s);
        step(s);
    }
    struct span text = {from, (size_t)(s->at - from)};
    if (s->at < s->end)
        step(s);
    return text;
}

static struct span take_name(struct scanner *s)
{
    const char *from = s->at;
    while (s->at < s->end && (isalnum((unsigned char)*s->at) || *s->at == '_'))
        s->at++;
    return (struct span){from, (size_t)(s->at - from)};
}

static void add_key(struct checking *c, struct span text, int line)
{
    c->keys = xgrow(c->keys, c->key_count, &c->key_room, sizeof(*c->keys));
    c->keys[c->key_count++] = (struct tag_key){xstrndup(text.at, text.len), line};
}

/* `["key"]` at depth 1. */
static void take_bracketed(struct checking *c, struct scanner *s)
{
    int line = s->line;
    step(s);
    skip_blank(s);
    if (s->at < s->end && (*s->at == '"' || *s->at == '\'')) {
        struct span text = take_string(s);
        skip_blank(s);
        if (s->at < s->end && *s->at == ']')
            add_key(c, text, line);
    }
}

/* `key =` at depth 1. */
static void take_bare(struct checking *c, struct scanner *s)
{
    int line = s->line;
    struct span text = take_name(s);
    skip_blank(s);
    if (starts(s, "=") && !starts(s, "=="))
        add_key(c, text, line);
}

/* From behind the opening brace to its partner. */
static void scan_list(struct checking *c, struct scanner *s)
{
    int depth = 1;
    while (depth > 0) {
        skip_blank(s);
        if (s->at >= s->end)
            return;
        char ch = *s->at;
        if (depth == 1 && (isalpha((unsigned char)ch) || ch == '_')) {
            take_bare(c, s);
        } else if (ch == '"' || ch == '\'') {
            take_string(s);
        } else if (ch == '[') {
            if (skip_long(s))
                continue;
            if (depth == 1)
                take_bracketed(c, s);
            else
                step(s);
        } else {
            depth += (ch == '{') - (ch == '}');
            step(s);
        }
    }
}

static const struct source_file *source_of(const struct generation *generation, const char *name)
{
    for (size_t i = 0; i < generation->sources.count; i++) {
        if (text_is(generation->sources.files[i].name, name))
            return &generation->sources.files[i];
    }
    return NULL;
}

void tags_scan(struct checking *c)
{
    if (!api_caller(c->L, &c->place))
        return;
    const struct source_file *file = source_of(generation_of(c->L), c->place.file);
    if (!file)
        return;
    struct scanner s = {file->text, file->text + file->len, 1};
    while (s.at < s.end && s.line < c->place.line)
        step(&s);
    const char *call = memmem(s.at, (size_t)(s.end - s.at), "idtags", 6);
    while (call && s.at < call + 6)
        step(&s);
    skip_blank(&s);
    if (starts(&s, "(")) {
        step(&s);
        skip_blank(&s);
    }
    if (!call || !starts(&s, "{"))
        return;
    step(&s);
    scan_list(c, &s);
}

void tags_scan_clear(struct checking *c)
{
    for (size_t i = 0; i < c->key_count; i++)
        xfree(c->keys[i].text);
    XFREE(c->keys);
    c->key_count = c->key_room = 0;
}

static int line_of(const struct checking *c, const char *tag)
{
    int line = c->place.line;
    for (size_t i = 0; tag && i < c->key_count; i++) {
        if (text_is(c->keys[i].text, tag))
            line = c->keys[i].line;
    }
    return line;
}

void tags_fault(struct checking *c, const char *tag, const char *format, ...)
{
    struct reason why;
    va_list args;
    va_start(args, format);
    vsnprintf(why.text, sizeof(why.text), format, args);
    va_end(args);
    if (c->faults++ == 0)
        reason_set(&c->first, "%s%s%s", tag ? tag : "", tag ? ": " : "", why.text);
    if (c->report)
        finding_add(c->report, c->place.file, line_of(c, tag), "idtags: %s%s%s", tag ? tag : "",
                    tag ? ": " : "", why.text);
}

const char *tags_later(const struct checking *c, const char *upper)
{
    const char *later = upper;
    for (size_t i = 0; i < c->key_count; i++) {
        if (text_is_ci(c->keys[i].text, upper))
            later = c->keys[i].text;
    }
    return later;
}

void tags_check_repeats(struct checking *c)
{
    struct map seen = {0};
    for (size_t i = 0; i < c->key_count; i++) {
        if (map_put(&seen, span_of(c->keys[i].text), c))
            tags_fault(c, c->keys[i].text, "this tag is in the list twice");
    }
    map_clear(&seen);
}

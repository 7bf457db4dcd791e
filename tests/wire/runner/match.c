/* See match.h. */
#include "match.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"

static struct span name_at(const char *dollar)
{
    size_t len = 0;
    while (isalnum((unsigned char)dollar[1 + len]) || dollar[1 + len] == '_')
        len++;
    return (struct span){dollar + 1, len};
}

static bool match_from(const char *pattern, const char *text, struct map *names);

static bool match_rest(const char *pattern, const char *text, struct map *names)
{
    for (;; text++) {
        if (match_from(pattern, text, names))
            return true;
        if (!*text)
            return false;
    }
}

static bool match_name(struct span name, const char *after, const char *text, struct map *names)
{
    const char *bound = map_get(names, name);
    if (bound) {
        size_t len = strlen(bound);
        return strncmp(text, bound, len) == 0 && match_from(after, text + len, names);
    }
    size_t len = *after ? strcspn(text, (char[]){*after, 0}) : strlen(text);
    if (len == 0)
        return false;
    bool keep = !span_is(name, "_");
    if (keep)
        map_put(names, name, xstrndup(text, len));
    if (match_from(after, text + len, names))
        return true;
    if (keep)
        xfree(map_remove(names, name));
    return false;
}

static bool match_from(const char *pattern, const char *text, struct map *names)
{
    for (; *pattern; pattern++, text++) {
        if (strncmp(pattern, "...", 3) == 0)
            return match_rest(pattern + 3, text, names);
        if (*pattern == '$' && name_at(pattern).len) {
            struct span name = name_at(pattern);
            return match_name(name, name.at + name.len, text, names);
        }
        if (*pattern != *text)
            return false;
    }
    return *text == '\0';
}

bool match_text(const char *pattern, const char *text, struct map *names)
{
    return match_from(pattern, text, names);
}

void match_fill(struct strbuf *out, const char *text, const struct map *names)
{
    while (*text) {
        struct span name = *text == '$' ? name_at(text) : (struct span){text, 0};
        const char *value = name.len ? map_get(names, name) : NULL;
        if (value) {
            strbuf_adds(out, value);
            text = name.at + name.len;
        } else {
            strbuf_addc(out, *text++);
        }
    }
}

void match_names_clear(struct map *names)
{
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(names, &at)))
        xfree(entry->value);
    map_clear(names);
}

/* A request as MHD has it, turned into the value that routes see.
 *
 * Header values are taken with their length (LIBRARIES.md §6: `key\0` equals `key` otherwise). The
 * path stays as received: routes decode it segment by segment; the query is decoded here. */
#include <string.h>

#include "http/parts.h"

struct pairs {
    struct arena *arena;
    struct name_value *items;
    size_t count, max;
    bool too_many, headers;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* `+` is a space and %XX a byte; a bad escape stays as it is, %00 ends nothing: it is left out. */
static char *query_decode(struct arena *arena, const char *text)
{
    char *out = arena_strndup(arena, text, strlen(text)), *to = out;
    for (const char *from = text; *from; from++) {
        char c = *from == '+' ? ' ' : *from;
        if (c == '%' && hex_digit(from[1]) >= 0 && hex_digit(from[2]) >= 0) {
            c = (char)(hex_digit(from[1]) << 4 | hex_digit(from[2]));
            from += 2;
        }
        if (c)
            *to++ = c;
    }
    *to = '\0';
    return out;
}

static char *lower(struct arena *arena, const char *text)
{
    char *out = arena_strdup(arena, text);
    for (char *c = out; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return out;
}

static bool is_secret(const char *name)
{
    return text_is(name, "authorization") || text_is(name, "x-api-key");
}

static enum MHD_Result on_pair(void *ctx, enum MHD_ValueKind kind, const char *name,
                               const char *value)
{
    (void)kind;
    struct pairs *pairs = ctx;
    struct name_value pair;
    value = value ? value : "";
    if (pairs->headers)
        pair = (struct name_value){lower(pairs->arena, name), arena_strdup(pairs->arena, value)};
    else
        pair = (struct name_value){query_decode(pairs->arena, name),
                                   query_decode(pairs->arena, value)};
    if (pairs->headers && is_secret(pair.name))
        return MHD_YES;
    if (pairs->count == pairs->max) {
        pairs->too_many = true;
        return MHD_NO;
    }
    pairs->items[pairs->count++] = pair;
    return MHD_YES;
}

static struct pairs read_pairs(struct MHD_Connection *connection, struct arena *arena, bool headers)
{
    struct pairs pairs = {.arena = arena, .headers = headers};
    pairs.max = headers ? HEADERS_MAX : QUERY_MAX;
    pairs.items = arena_alloc(arena, pairs.max * sizeof(*pairs.items));
    MHD_get_connection_values(connection, headers ? MHD_HEADER_KIND : MHD_GET_ARGUMENT_KIND,
                              on_pair, &pairs);
    return pairs;
}

bool request_read(struct MHD_Connection *connection, const char *method, const char *uri,
                  struct arena *arena, struct request *out)
{
    struct pairs headers = read_pairs(connection, arena, true);
    struct pairs query = read_pairs(connection, arena, false);
    *out = (struct request){.method = method,
                            .path = uri,
                            .query = query.items,
                            .query_count = query.count,
                            .headers = headers.items,
                            .header_count = headers.count};
    return !headers.too_many && !query.too_many;
}

static struct span header(struct MHD_Connection *connection, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (MHD_lookup_connection_value_n(connection, MHD_HEADER_KIND, name, strlen(name), &value,
                                      &len) != MHD_YES)
        return (struct span){0};
    return (struct span){value, len};
}

struct span request_key(struct MHD_Connection *connection)
{
    struct span key = header(connection, "X-API-Key");
    if (key.at)
        return key;
    key = header(connection, "Authorization");
    if (key.len < 7 || !span_is_ci((struct span){key.at, 7}, "Bearer "))
        return (struct span){0};
    return (struct span){key.at + 7, key.len - 7};
}

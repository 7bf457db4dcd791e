/* A request as MHD has it, turned into the value that routes see.
 *
 * MHD ends a header at the first NUL, and even MHD_lookup_connection_value_n() gives that length,
 * so `key\0x` would equal `key`: heads with NUL bytes are refused before anything is read of them.
 * The path stays as received: routes decode it segment by segment; the query is decoded here. */
#include <string.h>

#include "http/parts.h"

/* ---- is all of the head visible? ---- */

struct measured {
    size_t visible, most;
    bool folded;
};

static enum MHD_Result on_measured(void *ctx, enum MHD_ValueKind kind, const char *name,
                                   size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    struct measured *m = ctx;
    uintptr_t from = (uintptr_t)name, to = (uintptr_t)(value ? value : name + name_len);
    if (to < from + name_len || to - from > m->most)
        m->folded = true; /* the value was copied elsewhere */
    else
        m->visible += to - from + value_len + 2;
    return MHD_YES;
}

/* Names and values lie in one buffer as they came. What MHD shows of each line, ended by CR LF,
 * adds up to the size of the head; bytes behind a NUL are missing from the sum, and folded lines,
 * which this MHD garbles and RFC 9112 §5.2 lets us refuse, do not lie in place. From 1.0 on MHD
 * refuses both by itself. */
bool request_head_is_whole(struct MHD_Connection *connection, const char *method,
                           const char *version)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (MHD_VERSION >= 0x01000000 || !info)
        return true;
    struct measured m = {.most = info->header_size};
    m.visible = (size_t)((uintptr_t)version - (uintptr_t)method) + strlen(version) + 2 + 2;
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_measured, &m);
    return !m.folded && info->header_size <= m.visible;
}

/* ---- names and values ---- */

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
    return span_trim((struct span){key.at + 7, key.len - 7});
}

/* Reading a WebSocket handshake: three pure functions over the request line and two headers.
 *
 * The order of the checks (path, station, profile and credentials, subprotocol: T5) is the
 * station's business. Nothing here logs, and decoded credentials are wiped (G4). */
#include "ocpp/handshake.h"

#include <string.h>

#include "base/digest.h"

/* The next segment that is not empty; repeated slashes count as one (T3). */
static bool take_segment(struct span *path, struct span *segment)
{
    while (span_cut(path, '/', segment)) {
        if (segment->len > 0)
            return true;
    }
    return false;
}

/* One segment, percent-decoded once. Beyond T1, text that is not UTF-8 or holds control characters
 * is refused: it could neither be stored nor shown. */
static bool decode_identity(struct span text, char out[IDENTITY_MAX + 1])
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '%') {
            size_t room = 1;
            if (text.len - i < 3 || !hex_decode((struct span){text.at + i + 1, 2}, &c, &room))
                return false;
            i += 2;
        }
        if (c < 0x20 || c == 0x7F || len == IDENTITY_MAX)
            return false;
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return len > 0 && utf8_valid(out, len);
}

bool handshake_identity(const char *path, const char *prefix, char out[IDENTITY_MAX + 1])
{
    struct span rest = span_of(path);
    struct span expected = span_of(prefix);
    struct span segment, wanted;
    out[0] = '\0';
    if (rest.len == 0 || rest.at[0] != '/')
        return false;
    while (take_segment(&expected, &wanted)) {
        if (!take_segment(&rest, &segment) || segment.len != wanted.len ||
            memcmp(segment.at, wanted.at, wanted.len) != 0)
            return false;
    }
    struct span identity;
    if (!take_segment(&rest, &identity) || take_segment(&rest, &segment))
        return false;
    if (decode_identity(identity, out))
        return true;
    out[0] = '\0';
    return false;
}

const struct version *handshake_version(const char *subprotocols, bool *offered)
{
    struct span rest = span_of(subprotocols);
    struct span name;
    const struct version *chosen = NULL;
    *offered = false;
    while (span_cut(&rest, ',', &name)) {
        name = span_trim(name);
        if (name.len == 0)
            continue;
        *offered = true;
        if (chosen == NULL)
            chosen = version_by_subprotocol(name);
    }
    return chosen;
}

/* G2: the identity is known, so that it and the password may both hold ':'. */
static bool split_credentials(struct span pair, struct span identity, struct span *password)
{
    if (pair.len <= identity.len || pair.at[identity.len] != ':' || identity.len == 0 ||
        strncasecmp(pair.at, identity.at, identity.len) != 0)
        return false;
    *password = (struct span){pair.at + identity.len + 1, pair.len - identity.len - 1};
    return true;
}

bool handshake_password(const char *authorization, const char *identity, struct strbuf *password)
{
    struct span header = span_trim(span_of(authorization));
    struct span scheme;
    struct span found;
    struct strbuf pair = {0};
    if (!span_cut(&header, ' ', &scheme) || !span_is_ci(scheme, "Basic"))
        return false;
    bool ok =
        base64_decode(span_trim(header), &pair) &&
        split_credentials((struct span){strbuf_text(&pair), pair.len}, span_of(identity), &found);
    if (ok)
        strbuf_add(password, found.at, found.len);
    if (pair.at != NULL)
        explicit_bzero(pair.at, pair.room);
    strbuf_clear(&pair);
    return ok;
}

/* What a WebSocket handshake says about the charger: path → identity, subprotocol, credentials.
 *
 * Pure parsing of text (rules T1-T8, G2); the server in net/ collects the headers, the station
 * decides. Nothing here knows sockets. */
#ifndef OCPP_HANDSHAKE_H
#define OCPP_HANDSHAKE_H

#include "base/strbuf.h"
#include "ocpp/version.h"

enum { IDENTITY_MAX = 255 };

struct handshake {
    const char *path;          /* as on the request line, still percent-encoded, without query */
    const char *subprotocols;  /* header value(s), comma-separated; NULL = absent */
    const char *authorization; /* header value; NULL = absent */
    const char *peer;          /* address without port, IPv4-mapped ones as IPv4 */
    bool tls;
    char identity[IDENTITY_MAX + 1]; /* filled by handshake_identity */
};

/* `prefix` is e.g. "/ocpp"; repeated slashes and one trailing slash are tolerated (T3). Percent-
 * decodes the last segment once (T1). False: unknown path, bad escape, NUL, empty, too long. */
bool handshake_identity(const char *path, const char *prefix, char out[IDENTITY_MAX + 1]);

/* The first of the client's list that we speak (T6). `*offered` tells whether there was a header
 * with any name in it (T7 against T8). */
const struct version *handshake_version(const char *subprotocols, bool *offered);

/* Basic credentials (G2): true when the header holds this identity; the password bytes are appended
 * to `password`. */
bool handshake_password(const char *authorization, const char *identity, struct strbuf *password);

#endif

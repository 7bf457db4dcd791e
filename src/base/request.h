/* A REST request and its response as values, between http (sockets) and policy (routes).
 *
 * A request is borrowed for the duration of the call that hands it over; a response is copied by
 * whoever receives it. */
#ifndef BASE_REQUEST_H
#define BASE_REQUEST_H

#include "base/strbuf.h"

enum key_scope {
    SCOPE_NONE,
    SCOPE_READ,
    SCOPE_OPERATE,
    SCOPE_ADMIN
}; /* each includes those before */

struct name_value {
    const char *name; /* query: decoded; header: lower case */
    const char *value;
};

struct request {
    const char *method; /* "GET" … */
    const char *path;   /* percent-decoded per segment is the route's work: as received */
    const struct name_value *query;
    size_t query_count;
    const struct name_value *headers; /* without Authorization and X-API-Key */
    size_t header_count;
    struct span body;
    const char *peer;     /* address, without port */
    enum key_scope scope; /* of the key that was presented; SCOPE_NONE: none or a wrong one */
    const char *key_name; /* which key, for records; NULL with SCOPE_NONE */
};

struct response {
    int status;
    const char *content_type; /* NULL with an empty body */
    struct span body;
    const struct name_value *headers;
    size_t header_count;
};

/* "Not Found" …; never NULL. */
const char *status_title(int status);

#endif

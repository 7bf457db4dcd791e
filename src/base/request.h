/* A REST request and its response as values, between http (sockets) and policy (routes).
 *
 * A request is borrowed for the duration of the call that hands it over; a response is copied by
 * whoever receives it. */
#ifndef BASE_REQUEST_H
#define BASE_REQUEST_H

#include "base/strbuf.h"

/* ---- a body that comes piece by piece (events, files, long lists) ---- */

/* How the owner of a source says that there is more to read. A copy may be kept for ever: waking
 * an answer that has ended does nothing. */
struct body_waker {
    void (*wake)(void *http, uint64_t request);
    void *http;
    uint64_t request;
};

enum { BODY_END = -1, BODY_BROKEN = -2 };

/* Pulled by http as fast as the client reads, on the loop thread; never from inside a wake(). */
struct body_source {
    void (*started)(void *ctx, const struct body_waker *waker); /* once, before the first read */
    /* Writes up to `room` bytes and returns how many; 0: nothing right now, wake() follows;
     * BODY_END; BODY_BROKEN: the connection is cut, so that nobody takes the part for the whole. */
    ptrdiff_t (*read)(void *ctx, char *to, size_t room);
    void (*close)(void *ctx); /* exactly once, also if the client is gone; nothing follows it */
    void *ctx;
    int64_t length; /* -1: not known, sent in chunks */
    bool endless;   /* may stay open as long as the client reads: no deadline for the whole */
};

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
    uint64_t upload;      /* the body went to a sink (http.h): its number there; else 0 */
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
    const struct body_source *source; /* instead of `body`: copied, and owned by whoever takes the
                                         response; else NULL */
};

/* "Not Found" …; never NULL. */
const char *status_title(int status);

#endif

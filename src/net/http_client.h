/* An HTTP client on the loop: libcurl's multi interface driven by the loop's sockets and timers.
 *
 * Nothing blocks: names are resolved by libcurl's own thread, bodies go to memory up to a limit or
 * to a file. Redirects are not followed. What starts ends exactly once, by `done` or by
 * http_client_cancel(); `done` comes from the loop, never from inside a call here, and may call
 * anything but http_client_close. The simulator downloads firmware and uploads diagnostics with it;
 * policies' http.get and webhooks go through it. Loop thread only; start reading at
 * http_client_start(). */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include <stdint.h>

#include "base/reason.h"
#include "base/request.h"
#include "net/loop.h"

struct http_client; /* one per loop */

struct http_transfer {          /* everything is copied */
    const char *method;         /* "GET", "POST", "PUT" … */
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
    struct span body;           /* or: */
    const char *upload_path;    /* a file to send; NULL */
    const char *download_path;  /* a file to write the answer to (created, cut); NULL = memory */
    int64_t timeout_ms;         /* for the whole */
    int64_t max_body;           /* of the answer; more fails */
};

enum http_failure {
    HTTP_DONE,        /* the answer is whole, whatever its status */
    HTTP_TIMEOUT,     /* not finished within timeout_ms */
    HTTP_TOO_LARGE,   /* more than max_body, or more than 64 KiB of headers */
    HTTP_UNREACHABLE, /* no connection, or it broke off, or what came is not HTTP */
};

struct http_transferred { /* borrowed for the call of `done` */
    enum http_failure failure;
    int status;                       /* HTTP status, 0 if there was no answer */
    const char *error;                /* readable, unless HTTP_DONE; else NULL */
    struct span body;                 /* "" with download_path */
    int64_t bytes;                    /* of the answer's body */
    const char *content_type;         /* or NULL */
    const struct name_value *headers; /* of the answer, names in lower case, in order of arrival */
    size_t header_count;
    int64_t ms;
};
typedef void (*http_transfer_done)(void *ctx, const struct http_transferred *what);

struct http_client *http_client_open(struct loop *loop, struct reason *why);
/* What is under way ends without `done`. */
void http_client_close(struct http_client *client);
/* A number for http_client_cancel; 0 and `why`: not started (not http, file unreadable …). */
uint64_t http_client_start(struct http_client *client, const struct http_transfer *transfer,
                           http_transfer_done done, void *ctx, struct reason *why);
void http_client_cancel(struct http_client *client, uint64_t number); /* `done` does not come */
size_t http_client_active(const struct http_client *client);

#endif

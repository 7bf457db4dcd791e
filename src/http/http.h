/* The REST daemon: libmicrohttpd without threads, inside the loop by its epoll descriptor.
 *
 * Owns sockets, limits (body, headers, connections, a deadline on the whole request) and API keys;
 * knows nothing of routes: each complete request goes to `handle`, the connection is suspended
 * until http_respond(). The loop is not named here (http may not include net): whoever wires it
 * watches http_fd(), calls http_run() when it is readable, when http_wants_run() is true before
 * sleeping, and after http_timeout_ms(). Traps: LIBRARIES.md §6. Loop thread only.
 *
 * All answers are ours, as application/problem+json where they refuse, but for those that
 * libmicrohttpd gives before it knows of a request: to a request line or header that cannot be
 * parsed (400, 413), to a head beyond its memory (414, 431), to a version other than 1.x (505).
 * They have short HTML bodies that are fixed in the library: neither an option nor a callback of
 * 0.9.75 reaches them. The status is right, and the connection ends. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/reason.h"
#include "base/request.h"
#include "base/timer.h"

struct http;

struct http_key {
    const char *name;
    enum key_scope scope;
    const char *secret; /* plain, from the config; or NULL and */
    const char *hash;   /* stored, see digest.h */
};

struct http_settings {
    const char *address;
    int port;                    /* 0 = any */
    int64_t max_body;            /* 65536 → 413 */
    int64_t request_timeout_ms;  /* 10000 for the head, else closed; again for the body, else 408 */
    int64_t answer_timeout_ms;   /* 120000: the handler never answered → 504; again for sending */
    int connections_max;         /* 512 */
    int connections_per_address; /* 64; 0 = no limit */
    int streams_max;             /* 1000: endless answers at once; one more is 503 */
    int64_t stream_stall_ms;     /* 60000: an endless answer whose client takes nothing is cut */
    const struct http_key *keys; /* copied */
    size_t key_count;
};

/* `request` names the exchange for http_respond; numbers are never reused. Borrowed for the call.
 */
typedef void (*http_handler)(void *ctx, uint64_t request, const struct request *what);

/* ---- bodies that do not fit into memory ---- */

/* Where the body of one request goes instead. `close` exactly once: `whole` when all of it was
 * written. */
struct http_sink {
    bool (*write)(void *ctx, const char *data, size_t len); /* false: it cannot be kept (503) */
    void (*close)(void *ctx, bool whole);
    void *ctx;
    int64_t max;     /* bytes; more is answered 413 */
    uint64_t number; /* becomes request.upload when the whole body is there */
};
/* Asked with the head of every request that has a body (request.body is empty). True: `sink` is
 * filled in. False and `refusal->status` set: answered with it at once (copied). False and 0: the
 * body goes into memory, up to sink->max bytes if the hook sets it, else up to max_body. One that
 * may be larger than max_body is bounded by stalls, as a sink's: give it to known keys only. */
typedef bool (*http_upload_hook)(void *ctx, const struct request *head, struct http_sink *sink,
                                 struct response *refusal);

struct http *http_open(const struct http_settings *settings, struct timers *timers,
                       http_handler handle, void *ctx, struct reason *why);
int http_port(const struct http *http);
int http_fd(const struct http *http);
void http_run(struct http *http);
bool http_wants_run(const struct http *http);
int64_t http_timeout_ms(struct http *http); /* -1 = none */
/* Copies the response and takes its source over. When the client is gone it is dropped, its source
 * closed (false). May be called inside handle. */
bool http_respond(struct http *http, uint64_t request, const struct response *response);
/* Optional, once, before the first request. */
void http_on_upload(struct http *http, http_upload_hook hook, void *ctx);
/* The waker of sources names this one. */
void http_wake(void *http, uint64_t request);
/* Requests whose answer is not known yet, and answers with an end that are still being pulled. */
size_t http_pending(const struct http *http);
size_t http_connections(const struct http *http);
size_t http_streams(const struct http *http); /* endless answers */
/* From now on new requests get 503 and endless answers end; those waiting go on. */
void http_drain(struct http *http);
void http_set_keys(struct http *http, const struct http_key *keys, size_t count);
/* Answers whatever still waits with 503, stops, frees. */
void http_close(struct http *http);

/* RFC 9457: fills `out` with application/problem+json; used by http itself and by the routes. */
void http_problem(struct strbuf *out, int status, const char *detail, const char *instance);

#endif

/* The head of an HTTP request, parsed in place, and the few answers this port gives.
 *
 * We read the request ourselves before libwebsockets sees the socket: the path must stay
 * percent-encoded (T1: %2F belongs to the identity), refusals need clean answers, and requests
 * that are no WebSocket upgrade never reach its upgrade code (LIBRARIES.md P3-P5, P9). Pure text:
 * nothing here knows sockets. Strict where requests could be read in two ways (bare CR, folded
 * lines, blanks before a colon), lenient where chargers err without doubt (Q18, T3). */
#ifndef NET_HTTP_HEAD_H
#define NET_HTTP_HEAD_H

#include "base/request.h"

enum { HTTP_HEAD_MAX = 8192, HTTP_HEADERS_MAX = 64, HTTP_KEY_MAX = 64 };

struct http_head {
    const char *path;                            /* percent-encoded, without query; "" cannot be */
    const char *key;                             /* Sec-WebSocket-Key */
    const char *subprotocols;                    /* merged lines; NULL = absent */
    const char *authorization;                   /* NULL = absent */
    bool head_method;                            /* HEAD: answers carry no body */
    struct name_value headers[HTTP_HEADERS_MAX]; /* without credentials and Sec-WebSocket-Key */
    size_t header_count;
};

/* The length of the head at the start of `text` including its empty line; 0 while it is not
 * complete; -1 when it can never become one (no request line at the start). */
long http_head_length(const char *text, size_t len);

/* Parses a complete head and overwrites it: the result points into `text`, or into `merged` when
 * Sec-WebSocket-Protocol came on several lines. 101 when it is an upgrade that we understand, else
 * the status to refuse it with: 400, 405, 426, 431, 505. */
int http_head_parse(char *text, size_t len, struct http_head *head, struct strbuf *merged);

/* Appends a whole answer that ends the connection. */
void http_answer(struct strbuf *out, int status, bool head_method);

#endif

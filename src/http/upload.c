/* Bodies that go into a sink instead of memory, as http_on_upload()'s hook says with the head.
 *
 * The key is judged once, here, with the head: a wrong one must not count twice. A sink is closed
 * exactly once: whole when all of it came, else when it gave up, when the client left, or when the
 * server stops. */
#include <stdio.h>

#include "base/mem.h"
#include "http/parts.h"

static struct MHD_Response *too_large(int64_t most, int *status)
{
    char detail[80];
    snprintf(detail, sizeof(detail), "the body may have %lld bytes at most", (long long)most);
    *status = 413;
    return response_problem(413, detail);
}

void upload_begin(struct exchange *exchange, const char *method, const char *uri, int64_t length,
                  int *status, struct MHD_Response **refused)
{
    struct http *http = exchange->http;
    struct arena arena = {0};
    struct request request;
    struct response refusal = {0};
    struct http_sink sink = {0};
    *refused = NULL;
    if (!exchange_read(exchange, method, uri, &arena, &request) || exchange->retry_after_s) {
        arena_clear(&arena); /* refused once the body is here, as without a hook */
        return;
    }
    if (http->upload(http->upload_ctx, &request, &sink, &refusal)) {
        exchange->sink = sink;
        if (length > sink.max) {
            *refused = too_large(sink.max, status);
            upload_close(exchange, false);
        }
    } else if (refusal.status) {
        *status = refusal.status;
        *refused = response_make(&refusal);
    } else if (sink.max > 0) {
        exchange->body.cap = (size_t)sink.max;
    }
    arena_clear(&arena);
}

bool upload_write(struct exchange *exchange, const char *data, size_t len, int *status,
                  struct MHD_Response **refused)
{
    struct http_sink *sink = &exchange->sink;
    exchange->received += (int64_t)len;
    if (exchange->received > sink->max) {
        *refused = too_large(sink->max, status);
    } else if (!sink->write(sink->ctx, data, len)) {
        *status = 503;
        *refused = response_problem(503, "the body could not be kept");
    } else {
        return true;
    }
    upload_close(exchange, false);
    exchange->received = 0;
    return false;
}

void upload_close(struct exchange *exchange, bool whole)
{
    struct http_sink sink = exchange->sink;
    exchange->sink.close = NULL;
    if (sink.close)
        sink.close(sink.ctx, whole);
}

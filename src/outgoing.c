/* See outgoing.h. */
#include "outgoing.h"

#include "base/mem.h"
#include "net/http_client.h"

struct transfer {
    struct outgoing *out;
    uint64_t number;
    policy_http_done done;
    void *ctx;
};

struct outgoing {
    struct http_client *client;
    struct idmap transfers; /* number → struct transfer * */
};

struct outgoing *outgoing_open(struct loop *loop, struct reason *why)
{
    struct http_client *client = http_client_open(loop, why);
    if (!client)
        return NULL;
    struct outgoing *out = xcalloc(1, sizeof(*out));
    out->client = client;
    return out;
}

void outgoing_close(struct outgoing *out)
{
    if (!out)
        return;
    http_client_close(out->client);
    struct transfer *transfer;
    size_t at = 0;
    while ((transfer = idmap_next(&out->transfers, &at)) != NULL)
        xfree(transfer);
    idmap_clear(&out->transfers);
    xfree(out);
}

static void on_transferred(void *ctx, const struct http_transferred *what)
{
    static const char *const failures[] = {[HTTP_DONE] = NULL,
                                           [HTTP_TIMEOUT] = "timeout",
                                           [HTTP_TOO_LARGE] = "too_large",
                                           [HTTP_UNREACHABLE] = "unreachable"};
    struct transfer transfer = *(struct transfer *)ctx;
    xfree(idmap_remove(&transfer.out->transfers, transfer.number));
    const struct policy_http_answer answer = {.failure = failures[what->failure],
                                              .error = what->error,
                                              .status = what->status,
                                              .body = what->body,
                                              .headers = what->headers,
                                              .header_count = what->header_count};
    transfer.done(transfer.ctx, &answer);
}

uint64_t outgoing_start(struct outgoing *out, const struct policy_http *what, policy_http_done done,
                        void *ctx, struct reason *why)
{
    const struct http_transfer as = {.method = what->method,
                                     .url = what->url,
                                     .headers = what->headers,
                                     .body = what->body,
                                     .timeout_ms = what->timeout_ms,
                                     .max_body = what->max_body};
    struct transfer *transfer = xmalloc(sizeof(*transfer));
    uint64_t number = http_client_start(out->client, &as, on_transferred, transfer, why);
    if (!number) {
        xfree(transfer);
        return 0;
    }
    *transfer = (struct transfer){out, number, done, ctx};
    idmap_put(&out->transfers, number, transfer);
    return number;
}

void outgoing_cancel(struct outgoing *out, uint64_t number)
{
    http_client_cancel(out->client, number);
    xfree(idmap_remove(&out->transfers, number));
}

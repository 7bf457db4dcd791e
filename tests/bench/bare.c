/* The reference: a bare libwebsockets server on libuv that answers every frame from a constant.
 *
 *     bare PORT
 *
 * What any CSMS on this stack costs at least: LIBRARIES.md §3 calls it "lws + uv, direct write". It
 * takes the message id from the text and looks at the action's first letters; nothing else. */
#include <inttypes.h>
#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static int64_t transactions;

static int answer(const char *text, size_t len, char *out, size_t size)
{
    const char *id = memchr(text, '"', len);
    const char *end = id ? memchr(id + 1, '"', len - (size_t)(id + 1 - text)) : NULL;
    if (!end)
        return 0;
    int id_len = (int)(end - id - 1);
    if (memmem(text, len, "\"StartT", 7))
        return snprintf(
            out, size,
            "[3,\"%.*s\",{\"idTagInfo\":{\"status\":\"Accepted\"},\"transactionId\":%" PRId64 "}]",
            id_len, id + 1, ++transactions);
    if (memmem(text, len, "\"Boot", 5))
        return snprintf(out, size,
                        "[3,\"%.*s\",{\"status\":\"Accepted\",\"currentTime\":"
                        "\"2026-01-01T00:00:00Z\",\"interval\":300}]",
                        id_len, id + 1);
    if (memmem(text, len, "\"Heart", 6))
        return snprintf(out, size, "[3,\"%.*s\",{\"currentTime\":\"2026-01-01T00:00:00Z\"}]",
                        id_len, id + 1);
    if (memmem(text, len, "\"Auth", 5))
        return snprintf(out, size, "[3,\"%.*s\",{\"idTagInfo\":{\"status\":\"Accepted\"}}]", id_len,
                        id + 1);
    return snprintf(out, size, "[3,\"%.*s\",{}]", id_len, id + 1);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    (void)user;
    unsigned char out[LWS_PRE + 512];
    if (reason == LWS_CALLBACK_RECEIVE) {
        int n = answer(in, len, (char *)out + LWS_PRE, 512);
        if (n > 0)
            lws_write(wsi, out + LWS_PRE, (size_t)n, LWS_WRITE_TEXT);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = {{"ocpp1.6", on_event, 4, 4096, 0, NULL, 65536},
                                                     {NULL, NULL, 0, 0, 0, NULL, 0}};
    static const lws_retry_bo_t no_timers = {0};
    uv_loop_t *loop = uv_default_loop();
    void *loops[1] = {loop};
    struct lws_context_creation_info info = {0};
    info.port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 9010;
    info.protocols = protocols;
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DISABLE_IPV6;
    info.iface = "127.0.0.1";
    info.foreign_loops = loops;
    info.retry_and_idle_policy = &no_timers;
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *context = lws_create_context(&info);
    if (!context)
        return 1;
    printf("ready\n");
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}

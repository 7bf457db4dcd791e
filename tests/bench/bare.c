/* The reference: a bare libwebsockets server on libuv that answers every frame from a constant.
 *
 *     bare PORT
 *
 * The least that any server on this stack costs (the row "lws + uv, direct write" of our library
 * notes): it takes the message id from the text, looks at the action's first letters, and keeps
 * nothing but the number of the last transaction. Start reading at on_event. */
#include <inttypes.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { ANSWER_MAX = 256, FRAME_MAX = 65536 };

static const struct {
    const char *action, *payload;
} answers[] = {
    {"Boot", "{\"status\":\"Accepted\",\"currentTime\":\"2026-01-01T00:00:00.000Z\","
             "\"interval\":300}"},
    {"Hear", "{\"currentTime\":\"2026-01-01T00:00:00.000Z\"}"},
    {"Auth", "{\"idTagInfo\":{\"status\":\"Accepted\"}}"},
    {"Stop", "{\"idTagInfo\":{\"status\":\"Accepted\"}}"},
    {"Mete", "{}"},
    {"Stat", "{}"},
};

/* The answer to `text` into `out`; its length, 0 for what is no CALL of the load. */
static int answer(const char *text, size_t len, char out[ANSWER_MAX])
{
    static int64_t transactions;
    const char *id = memchr(text, '"', len);
    const char *id_end = id ? memchr(id + 1, '"', len - (size_t)(id + 1 - text)) : NULL;
    if (!id_end || len - (size_t)(id_end - text) < sizeof("\",\"Boot"))
        return 0;
    int id_len = (int)(id_end + 1 - id);
    const char *action = id_end + strlen("\",\"");
    if (memcmp(action, "Star", 4) == 0)
        return snprintf(
            out, ANSWER_MAX,
            "[3,%.*s,{\"idTagInfo\":{\"status\":\"Accepted\"},\"transactionId\":%" PRId64 "}]",
            id_len, id, ++transactions);
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        if (memcmp(action, answers[i].action, 4) == 0)
            return snprintf(out, ANSWER_MAX, "[3,%.*s,%s]", id_len, id, answers[i].payload);
    }
    return 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    (void)user;
    unsigned char out[LWS_PRE + ANSWER_MAX];
    if (reason != LWS_CALLBACK_RECEIVE)
        return 0;
    int n = answer(in, len, (char *)out + LWS_PRE);
    /* One CALL outstanding each, so nothing of an earlier answer can still be buffered. */
    if (n <= 0 || n >= ANSWER_MAX || lws_partial_buffered(wsi))
        return -1;
    return lws_write(wsi, out + LWS_PRE, (size_t)n, LWS_WRITE_TEXT) < n ? -1 : 0;
}

int main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = {
        {"ocpp1.6", on_event, 0, 4096, 0, NULL, FRAME_MAX}, {NULL, NULL, 0, 0, 0, NULL, 0}};
    static const lws_retry_bo_t no_validity_timers = {0};
    uv_loop_t *loop = uv_default_loop();
    void *loops[1] = {loop};
    struct lws_context_creation_info info = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: bare PORT\n");
        return 2;
    }
    lws_set_log_level(LLL_ERR, NULL);
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DISABLE_IPV6;
    info.foreign_loops = loops;
    info.port = (int)strtol(argv[1], NULL, 10);
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    info.retry_and_idle_policy = &no_validity_timers; /* honoured on vhosts only */
    struct lws_context *context = lws_create_context(&info);
    if (!context || !lws_create_vhost(context, &info))
        return 1;
    printf("ready\n");
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}

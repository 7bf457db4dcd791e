/* See rig.h. Included by each test file: one executable a file. */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the server ---- */

static void add_pairs(struct strbuf *to, const char *what, const struct name_value *pairs,
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        strbuf_addf(to, "%s %s=%s\n", what, pairs[i].name, pairs[i].value);
}

/* Lines: `METHOD path`, `query name=value` each, `header name=value` each, `body …`, `upload
 * number` if there is one, `from peer scope key`. */
static void write_down(struct strbuf *to, const struct request *what)
{
    strbuf_reset(to);
    strbuf_addf(to, "%s %s\n", what->method, what->path);
    add_pairs(to, "query", what->query, what->query_count);
    add_pairs(to, "header", what->headers, what->header_count);
    strbuf_adds(to, "body ");
    strbuf_add(to, what->body.at, what->body.len);
    if (what->upload)
        strbuf_addf(to, "\nupload %llu", (unsigned long long)what->upload);
    strbuf_addf(to, "\nfrom %s %d %s\n", what->peer, (int)what->scope,
                what->key_name ? what->key_name : "-");
}

static void rig_handle(void *ctx, uint64_t number, const struct request *what)
{
    struct rig *rig = ctx;
    rig->handled++;
    write_down(&rig->seen, what);
    if (rig->on_request)
        rig->on_request(rig, number);
    if (rig->hold) {
        assert_true(rig->held_count < HELD_MAX);
        rig->held[rig->held_count++] = number;
    } else {
        assert_true(http_respond(rig->http, number, &rig->answer));
    }
}

void rig_init(struct rig *rig)
{
    clock_fake(1700000000000);
    log_setup(LOG_ERROR, false);
    *rig = (struct rig){
        .settings = {.address = "127.0.0.1",
                     .max_body = 65536,
                     .request_timeout_ms = 10000,
                     .answer_timeout_ms = 120000,
                     .connections_max = 512,
                     .connections_per_address = 64,
                     .streams_max = 1000,
                     .stream_stall_ms = 60000},
        .answer = {.status = 200,
                   .content_type = "application/json",
                   .body = SPAN("{\"ok\":true}")},
    };
}

void rig_open(struct rig *rig)
{
    struct reason why = {""};
    rig->http = http_open(&rig->settings, &rig->timers, rig_handle, rig, &why);
    if (!rig->http)
        fail_msg("%s", why.text);
    assert_true(http_port(rig->http) > 0);
}

void rig_clear(struct rig *rig)
{
    if (rig->http)
        http_close(rig->http);
    assert_int_equal(rig->timers.count, 0); /* nothing of it is left behind */
    timers_clear(&rig->timers);
    strbuf_clear(&rig->seen);
    clock_real();
}

void rig_turn(struct rig *rig, int turns)
{
    while (turns-- > 0) {
        struct pollfd ready = {.fd = http_fd(rig->http), .events = POLLIN};
        bool now = http_wants_run(rig->http) || http_timeout_ms(rig->http) == 0;
        int got = poll(&ready, 1, now ? 0 : 1);
        if (now || got > 0)
            http_run(rig->http);
        timers_run(&rig->timers);
    }
}

void rig_advance(struct rig *rig, int64_t ms)
{
    clock_advance(ms);
    timers_run(&rig->timers);
    rig_turn(rig, 10);
}

void rig_answer(struct rig *rig, size_t held, int status, const char *body)
{
    struct response response = {
        .status = status, .content_type = "application/json", .body = span_of(body)};
    assert_true(held < rig->held_count);
    assert_true(http_respond(rig->http, rig->held[held], &response));
}

/* ---- clients ---- */

struct client client_connect_from(struct rig *rig, const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_port(rig->http))};
    assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
    struct client client = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(client.fd >= 0);
    assert_int_equal(bind(client.fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(client.fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return client;
}

struct client client_connect(struct rig *rig)
{
    return client_connect_from(rig, "127.0.0.1");
}

void client_write(struct client *client, const void *bytes, size_t len)
{
    assert_int_equal(send(client->fd, bytes, len, MSG_NOSIGNAL), len);
}

void client_writes(struct client *client, const char *text)
{
    client_write(client, text, strlen(text));
}

bool client_pull(struct client *client)
{
    char buffer[16384];
    ssize_t n;
    while ((n = recv(client->fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
        strbuf_add(&client->in, buffer, (size_t)n);
    client->eof |= n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    return true;
}

void client_close(struct client *client)
{
    close(client->fd);
    strbuf_clear(&client->in);
}

static void take(struct client *client, size_t len)
{
    memmove(client->in.at, client->in.at + len, client->in.len - len + 1);
    client->in.len -= len;
}

bool reply_has(const struct reply *reply, const char *line)
{
    char whole[512];
    snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
    return strstr(reply->head, whole) != NULL;
}

static const char *end_of_head(struct client *client)
{
    client_pull(client);
    return strstr(strbuf_text(&client->in), "\r\n\r\n");
}

void client_head(struct rig *rig, struct client *client, struct reply *reply)
{
    const char *end = NULL;
    RIG_UNTIL(rig, (end = end_of_head(client)) || client->eof);
    *reply = (struct reply){0};
    if (!end)
        return;
    size_t len = (size_t)(end + 4 - client->in.at);
    text_copy(reply->head, sizeof(reply->head), (struct span){client->in.at, len});
    assert_int_equal(sscanf(reply->head, "HTTP/1.1 %d", &reply->status), 1);
    take(client, len);
}

static void read_reply(struct rig *rig, struct client *client, struct reply *reply, bool body)
{
    client_head(rig, client, reply);
    if (reply->status == 0 || reply->status == 100)
        return;
    assert_true(reply_has(reply, "X-Content-Type-Options: nosniff"));
    assert_non_null(strcasestr(reply->head, "\r\nCache-Control: "));
    if (reply->status == 204)
        return;
    const char *length = strstr(reply->head, "\r\nContent-Length: ");
    assert_non_null(length);
    reply->length = strtoul(length + 18, NULL, 10);
    if (!body)
        return;
    RIG_UNTIL(rig, client_pull(client) && (client->in.len >= reply->length || client->eof));
    assert_true(client->in.len >= reply->length);
    text_copy(reply->body, sizeof(reply->body),
              (struct span){strbuf_text(&client->in), reply->length});
    if (reply->length)
        take(client, reply->length);
}

void client_reply(struct rig *rig, struct client *client, struct reply *reply)
{
    read_reply(rig, client, reply, true);
}

void client_reply_to_head(struct rig *rig, struct client *client, struct reply *reply)
{
    read_reply(rig, client, reply, false);
}

void client_expect_end(struct rig *rig, struct client *client)
{
    RIG_UNTIL(rig, client_pull(client) && client->eof);
    assert_string_equal(strbuf_text(&client->in), "");
}

void client_expect_nothing(struct rig *rig, struct client *client)
{
    rig_turn(rig, 10);
    client_pull(client);
    assert_string_equal(strbuf_text(&client->in), "");
    assert_false(client->eof);
}

void ask(struct rig *rig, const char *text, struct reply *reply)
{
    struct client client = client_connect(rig);
    client_writes(&client, text);
    client_reply(rig, &client, reply);
    client_close(&client);
    rig_turn(rig, 3);
}

int ask_status(struct rig *rig, const char *text)
{
    struct reply reply;
    ask(rig, text, &reply);
    return reply.status;
}

/* See rig.h. Included by each test file: one executable a file. */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void rig_admit(void *ctx, struct handshake *hs, const struct name_value *headers,
                      size_t header_count, struct ws_admission *out)
{
    struct rig *rig = ctx;
    rig->admits++;
    text_copy(rig->peer_seen, sizeof(rig->peer_seen), span_of(hs->peer));
    text_copy(rig->path_seen, sizeof(rig->path_seen), span_of(hs->path));
    for (size_t i = 0; i < header_count; i++) {
        assert_false(text_is(headers[i].name, "authorization"));
        if (text_is(headers[i].name, "user-agent"))
            text_copy(rig->user_agent, sizeof(rig->user_agent), span_of(headers[i].value));
    }
    bool offered;
    out->status = rig->status;
    out->pong_required = rig->pong_required;
    if (!handshake_identity(hs->path, "/ocpp", out->identity)) {
        out->status = 404;
        return;
    }
    strbuf_reset(&rig->password);
    handshake_password(hs->authorization, out->identity, &rig->password);
    out->version = handshake_version(hs->subprotocols, &offered);
    if (!offered && rig->assume_16)
        out->version = &version_16;
}

static struct opened *rig_find(struct rig *rig, uint64_t connection)
{
    for (size_t i = 0; i < rig->opened_count; i++) {
        if (rig->opened[i].connection == connection)
            return &rig->opened[i];
    }
    return NULL;
}

static void rig_on_opened(void *ctx, uint64_t connection, const char *identity,
                          const struct version *version, const char *peer)
{
    struct rig *rig = ctx;
    assert_null(rig_find(rig, connection)); /* numbers are never reused */
    assert_ptr_equal(version, &version_16);
    assert_string_equal(peer, "127.0.0.1");
    rig->opened = xgrow(rig->opened, rig->opened_count, &rig->opened_room, sizeof(*rig->opened));
    struct opened *opened = &rig->opened[rig->opened_count++];
    *opened = (struct opened){.connection = connection, .open = true};
    text_copy(opened->identity, sizeof(opened->identity), span_of(identity));
    if (rig->on_opened != NULL)
        rig->on_opened(rig, connection);
}

static void rig_on_message(void *ctx, uint64_t connection, const char *identity, const char *text,
                           size_t len)
{
    struct rig *rig = ctx;
    struct opened *opened = rig_find(rig, connection);
    assert_non_null(opened);
    assert_true(opened->open);
    assert_string_equal(opened->identity, identity);
    rig->messages++;
    strbuf_reset(&rig->last);
    strbuf_add(&rig->last, text, len);
    rig->last_len = len;
    if (rig->on_message != NULL)
        rig->on_message(rig, connection, text, len);
}

static void rig_on_closed(void *ctx, uint64_t connection, const char *identity, const char *why)
{
    struct rig *rig = ctx;
    struct opened *opened = rig_find(rig, connection);
    assert_non_null(opened);
    assert_true(opened->open); /* once */
    assert_string_equal(opened->identity, identity);
    opened->open = false;
    text_copy(opened->why, sizeof(opened->why), span_of(why));
    rig->closes++;
    assert_false(ws_server_send(rig->server, connection, "x", 1));
}

static void no_log(void *ctx, const char *line, size_t len)
{
    (void)ctx;
    (void)line;
    (void)len;
}

void rig_init(struct rig *rig)
{
    *rig = (struct rig){.status = 101, .pong_required = true};
    log_redirect(no_log, NULL);
    clock_fake(1700000000000);
    rig->loop = loop_new();
    rig->settings = (struct ws_server_settings){.address = "127.0.0.1",
                                                .max_message = 1 << 20,
                                                .send_queue_max = 1 << 20,
                                                .ping_interval_ms = 60000,
                                                .handshake_timeout_ms = 10000,
                                                .accept_per_second = 100000,
                                                .connections_max = 2000};
}

void rig_open(struct rig *rig)
{
    const struct ws_server_hooks hooks = {.ctx = rig,
                                          .admit = rig_admit,
                                          .opened = rig_on_opened,
                                          .message = rig_on_message,
                                          .closed = rig_on_closed};
    struct reason why;
    rig->server = ws_server_open(rig->loop, &rig->settings, &hooks, &why);
    if (rig->server == NULL)
        fail_msg("%s", why.text);
}

static void rig_done(void *ctx)
{
    struct rig *rig = ctx;
    assert_false(rig->done);
    rig->done = true;
}

void rig_clear(struct rig *rig)
{
    if (!rig->done)
        ws_server_shutdown(rig->server, rig_done, rig);
    for (int i = 0; i < 4000 && !rig->done; i++) {
        clock_advance(100); /* peers that do not answer our Close cost 5 s */
        loop_run_once(rig->loop, 1);
    }
    assert_true(rig->done);
    assert_int_equal(ws_server_count(rig->server), 0);
    assert_int_equal(rig->closes, rig->opened_count);
    ws_server_free(rig->server);
    loop_free(rig->loop);
    xfree(rig->opened);
    strbuf_clear(&rig->last);
    strbuf_clear(&rig->password);
    clock_real();
}

void rig_turn(struct rig *rig, int turns)
{
    for (int i = 0; i < turns; i++)
        loop_run_once(rig->loop, 0);
}

void rig_advance(struct rig *rig, int64_t ms)
{
    clock_advance(ms);
    rig_turn(rig, 10);
}

struct peer peer_connect(struct rig *rig)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)ws_server_port(rig->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct peer peer = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(peer.fd >= 0);
    /* Blocking connect: the kernel completes it without our accept. */
    assert_int_equal(connect(peer.fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return peer;
}

void peer_write(struct peer *peer, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    assert_int_equal(send(peer->fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

void peer_writes(struct peer *peer, const char *text)
{
    peer_write(peer, text, strlen(text));
}

bool peer_pull(struct peer *peer)
{
    char chunk[16384];
    ssize_t got = recv(peer->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (got > 0) {
        strbuf_add(&peer->in, chunk, (size_t)got);
        return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        peer->eof = true;
    return peer->eof;
}

void peer_close(struct peer *peer)
{
    close(peer->fd);
    peer->fd = -1;
    strbuf_clear(&peer->in);
}

const char *peer_head(struct rig *rig, struct peer *peer, char *out, size_t size)
{
    for (int i = 0; i < 2000; i++) {
        const char *start = peer->in.at == NULL ? NULL : peer->in.at + peer->seen;
        const char *end = start == NULL ? NULL : strstr(start, "\r\n\r\n");
        if (end != NULL) {
            text_copy(out, size, (struct span){start, (size_t)(end + 4 - start)});
            peer->seen += (size_t)(end + 4 - start);
            return out;
        }
        if (peer->eof)
            break;
        if (!peer_pull(peer))
            loop_run_once(rig->loop, 1);
    }
    out[0] = '\0';
    return out;
}

struct peer peer_upgrade(struct rig *rig, const char *path, const char *subprotocols)
{
    struct peer peer = peer_connect(rig);
    char *head =
        xprintf("GET %s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                path, subprotocols == NULL ? "" : "Sec-WebSocket-Protocol: ",
                subprotocols == NULL ? "" : subprotocols, subprotocols == NULL ? "" : "\r\n");
    peer_writes(&peer, head);
    xfree(head);
    char answer[1024];
    peer_head(rig, &peer, answer, sizeof(answer));
    if (strncmp(answer, "HTTP/1.1 101 ", 13) != 0)
        fail_msg("no upgrade: %s", answer);
    assert_non_null(strstr(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    return peer;
}

void peer_frame(struct peer *peer, int opcode, bool fin, const void *payload, size_t len)
{
    static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
    struct strbuf frame = {0};
    strbuf_addc(&frame, (char)(opcode | (fin ? 0x80 : 0)));
    if (len < 126) {
        strbuf_addc(&frame, (char)(0x80 | len));
    } else if (len < 65536) {
        strbuf_addc(&frame, (char)(0x80 | 126));
        strbuf_addc(&frame, (char)(len >> 8));
        strbuf_addc(&frame, (char)(len & 0xff));
    } else {
        strbuf_addc(&frame, (char)(0x80 | 127));
        for (int shift = 56; shift >= 0; shift -= 8)
            strbuf_addc(&frame, (char)((uint64_t)len >> shift & 0xff));
    }
    strbuf_add(&frame, (const char *)mask, 4);
    for (size_t i = 0; i < len; i++)
        strbuf_addc(&frame, (char)(((const unsigned char *)payload)[i] ^ mask[i & 3]));
    peer_write(peer, frame.at, frame.len);
    strbuf_clear(&frame);
}

void peer_text(struct peer *peer, const char *text)
{
    peer_frame(peer, 1, true, text, strlen(text));
}

static bool parse_frame(struct peer *peer, struct frame_in *out)
{
    const unsigned char *at = (const unsigned char *)peer->in.at + peer->seen;
    size_t have = peer->in.len - peer->seen;
    size_t head = 2;
    if (have < 2)
        return false;
    uint64_t len = at[1] & 0x7f;
    assert_int_equal(at[1] & 0x80, 0); /* servers do not mask */
    if (len >= 126) {
        int bytes = len == 126 ? 2 : 8;
        head += (size_t)bytes;
        if (have < head)
            return false;
        len = 0;
        for (int i = 0; i < bytes; i++)
            len = len << 8 | at[2 + i];
    }
    if (have < head + len)
        return false;
    *out = (struct frame_in){.opcode = at[0] & 0x0f,
                             .fin = (at[0] & 0x80) != 0,
                             .len = (size_t)len,
                             .payload = at + head};
    if (out->opcode == 8 && len >= 2)
        out->close_code = out->payload[0] << 8 | out->payload[1];
    peer->seen += head + (size_t)len;
    return true;
}

struct frame_in peer_next(struct rig *rig, struct peer *peer)
{
    struct frame_in frame = {.opcode = -1};
    for (int i = 0; i < 4000; i++) {
        if (parse_frame(peer, &frame))
            return frame;
        if (peer->eof)
            return (struct frame_in){.opcode = -1};
        if (!peer_pull(peer))
            loop_run_once(rig->loop, 1);
    }
    fail_msg("the server sends nothing");
    return frame;
}

void peer_expect_text(struct rig *rig, struct peer *peer, const char *text)
{
    struct frame_in frame = peer_next(rig, peer);
    assert_int_equal(frame.opcode, 1);
    assert_true(frame.fin);
    assert_int_equal(frame.len, strlen(text));
    assert_memory_equal(frame.payload, text, frame.len);
}

void peer_expect_close(struct rig *rig, struct peer *peer, int code)
{
    struct frame_in frame = peer_next(rig, peer);
    assert_int_equal(frame.opcode, 8);
    assert_int_equal(frame.close_code, code);
    peer_frame(peer, 8, true, frame.payload, 2);
}

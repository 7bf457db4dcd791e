/* Frames between charger and server: T10, fragments, control frames, back-pressure, closing. */
#include "rig.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.c"

static void echo(struct rig *rig, uint64_t connection, const char *text, size_t len)
{
    assert_true(ws_server_send(rig->server, connection, text, len));
}

static void echo_if_open(struct rig *rig, uint64_t connection, const char *text, size_t len)
{
    ws_server_send(rig->server, connection, text, len);
}

static void open_echo(struct rig *rig)
{
    rig_init(rig);
    rig->on_message = echo;
    rig_open(rig);
}

static struct peer charger(struct rig *rig)
{
    return peer_upgrade(rig, "/ocpp/CP1", "ocpp1.6");
}

static void test_text_comes_and_goes(void **state)
{
    (void)state;
    struct rig rig;
    open_echo(&rig);
    struct peer peer = charger(&rig);
    peer_text(&peer, "[2,\"1\",\"Heartbeat\",{}]");
    peer_expect_text(&rig, &peer, "[2,\"1\",\"Heartbeat\",{}]");
    assert_int_equal(rig.messages, 1);
    assert_string_equal(rig.opened[0].identity, "CP1");
    assert_int_equal(ws_server_count(rig.server), 1);
    peer_close(&peer);
    RIG_UNTIL(&rig, rig.closes == 1);
    assert_string_equal(rig.opened[0].why, "connection lost");
    assert_int_equal(ws_server_count(rig.server), 0);
    rig_clear(&rig);
}

static void test_an_empty_text_is_passed_on(void **state)
{
    (void)state;
    struct rig rig;
    open_echo(&rig);
    struct peer peer = charger(&rig);
    peer_text(&peer, "");
    peer_text(&peer, "after");
    peer_expect_text(&rig, &peer, "");
    peer_expect_text(&rig, &peer, "after");
    assert_int_equal(rig.messages, 2);
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_fragments_with_a_ping_between(void **state)
{
    (void)state;
    struct rig rig;
    open_echo(&rig);
    struct peer peer = charger(&rig);
    peer_frame(&peer, 1, false, "[2,\"1\",", 7);
    peer_frame(&peer, 9, true, "are you", 7);
    peer_frame(&peer, 0, false, "\"Heart", 6);
    peer_frame(&peer, 0, true, "beat\",{}]", 9);
    /* The answer may overtake the pong: it is written at once, the pong when lws has its turn. */
    peer_expect_text(&rig, &peer, "[2,\"1\",\"Heartbeat\",{}]");
    struct frame_in pong = peer_next(&rig, &peer);
    assert_int_equal(pong.opcode, 10);
    assert_int_equal(pong.len, 7);
    assert_memory_equal(pong.payload, "are you", 7);
    /* An empty last fragment ends a message too. */
    peer_frame(&peer, 1, false, "[]", 2);
    peer_frame(&peer, 0, true, "", 0);
    peer_expect_text(&rig, &peer, "[]");
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_large_fragments(void **state)
{
    (void)state;
    struct rig rig;
    open_echo(&rig);
    struct peer peer = charger(&rig);
    char *text = xmalloc(18001);
    for (size_t i = 0; i < 18000; i++)
        text[i] = (char)('a' + i % 26);
    text[18000] = '\0';
    peer_frame(&peer, 1, false, text, 9000);
    peer_frame(&peer, 9, true, "", 0);
    peer_frame(&peer, 0, true, text + 9000, 9000);
    bool pong = false, echoed = false;
    while (!pong || !echoed) { /* in either order */
        struct frame_in frame = peer_next(&rig, &peer);
        pong |= frame.opcode == 10;
        echoed |=
            frame.opcode == 1 && frame.len == 18000 && memcmp(frame.payload, text, 18000) == 0;
        assert_true(frame.opcode == 10 || frame.opcode == 1);
    }
    xfree(text);
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_one_byte_segments(void **state)
{
    (void)state;
    struct rig rig;
    open_echo(&rig);
    struct peer peer = charger(&rig);
    struct peer frame = {.fd = -1};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    frame.fd = pair[0];
    peer_text(&frame, "[2,\"7\",\"Heartbeat\",{}]");
    char bytes[64];
    ssize_t len = recv(pair[1], bytes, sizeof(bytes), 0);
    for (ssize_t i = 0; i < len; i++) {
        peer_write(&peer, bytes + i, 1);
        rig_turn(&rig, 2);
    }
    peer_expect_text(&rig, &peer, "[2,\"7\",\"Heartbeat\",{}]");
    close(pair[1]);
    peer_close(&frame);
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_many_messages_in_one_segment(void **state)
{
    (void)state;
    struct rig rig;
    open_echo(&rig);
    struct peer peer = charger(&rig);
    char text[32];
    for (int i = 0; i < 500; i++) { /* the loop does not turn: they wait together */
        snprintf(text, sizeof(text), "message %d", i);
        peer_text(&peer, text);
    }
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "message %d", i);
        peer_expect_text(&rig, &peer, text);
    }
    peer_close(&peer);
    rig_clear(&rig);
}

/* Writes while turning the loop, for what does not fit a socket buffer. */
static void write_large(struct rig *rig, struct peer *peer, const unsigned char *head,
                        size_t head_len, size_t len)
{
    static unsigned char zeros[4096]; /* mask 0,0,0,0 and 'x' below */
    memset(zeros, 'x', sizeof(zeros));
    peer_write(peer, head, head_len);
    int stuck = 0;
    while (len > 0 && stuck < 1000) {
        size_t now = len < sizeof(zeros) ? len : sizeof(zeros);
        ssize_t sent = send(peer->fd, zeros, now, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && peer_pull(peer) && peer->eof)
            return; /* the server had enough */
        stuck = sent > 0 ? 0 : stuck + 1;
        len -= sent > 0 ? (size_t)sent : 0;
        loop_run_once(rig->loop, sent > 0 ? 0 : 1);
    }
    assert_int_equal(len, 0);
}

static void test_the_longest_message_passes(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer peer = charger(&rig);
    static const unsigned char head[] = {0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0};
    write_large(&rig, &peer, head, sizeof(head), 1 << 20);
    RIG_UNTIL(&rig, rig.messages == 1);
    assert_int_equal(rig.last_len, 1 << 20);
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_one_byte_more_is_1009(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer peer = charger(&rig);
    static const unsigned char head[] = {0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0};
    write_large(&rig, &peer, head, sizeof(head), (1 << 20) + 1);
    struct frame_in frame = peer_next(&rig, &peer);
    assert_int_equal(frame.opcode, 8);
    assert_int_equal(frame.close_code, 1009);
    peer_frame(&peer, 8, true, frame.payload, 2);
    RIG_UNTIL(&rig, rig.closes == 1);
    assert_int_equal(rig.messages, 0);
    assert_string_equal(rig.opened[0].why, "closed by us: 1009 message too long");
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_too_long_by_fragments_is_1009(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.settings.max_message = 1000;
    rig_open(&rig);
    struct peer peer = charger(&rig);
    char text[600];
    memset(text, 'y', sizeof(text));
    peer_frame(&peer, 1, false, text, 600);
    peer_frame(&peer, 0, false, text, 400);
    rig_turn(&rig, 5);
    peer_frame(&peer, 0, true, text, 1);
    peer_expect_close(&rig, &peer, 1009);
    RIG_UNTIL(&rig, rig.closes == 1);
    peer_close(&peer);
    rig_clear(&rig);
}

/* Sends one frame that breaks T10 and expects the code. */
static void expect_fault(int opcode, bool fin, const char *payload, size_t len, int code)
{
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer peer = charger(&rig);
    peer_frame(&peer, opcode, fin, payload, len);
    peer_expect_close(&rig, &peer, code);
    if (code == 1002) /* found by lws, which has lost the frames by then and waits for the end */
        shutdown(peer.fd, SHUT_WR);
    RIG_UNTIL(&rig, rig.closes == 1);
    assert_int_equal(rig.messages, 0);
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_faulty_frames_close_with_their_code(void **state)
{
    (void)state;
    expect_fault(2, true, "\x01\x02", 2, 1003);
    expect_fault(2, false, "\x01\x02", 2, 1003);
    expect_fault(1, true, "\xc3\x28", 2, 1007);
    expect_fault(1, true, "\xed\xa0\x80", 3, 1007); /* a surrogate */
    expect_fault(3, true, "x", 1, 1002);            /* reserved opcode */
    expect_fault(0x41, true, "x", 1, 1002);         /* T9: compressed, not negotiated */
    expect_fault(0, true, "x", 1, 1002);            /* continues nothing */
}

/* RFC 6455 §5.4: no new message inside an unfinished one. */
static void test_a_message_inside_a_message_is_1002(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer peer = charger(&rig);
    peer_frame(&peer, 1, false, "aaaa", 4);
    peer_text(&peer, "[2,\"1\",\"Heartbeat\",{}]");
    peer_expect_close(&rig, &peer, 1002);
    shutdown(peer.fd, SHUT_WR);
    RIG_UNTIL(&rig, rig.closes == 1);
    assert_int_equal(rig.messages, 0);
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_utf8_cut_by_fragments_is_whole(void **state)
{
    (void)state;
    struct rig rig;
    open_echo(&rig);
    struct peer peer = charger(&rig);
    peer_frame(&peer, 1, false, "\xe2\x82", 2);
    peer_frame(&peer, 0, true, "\xac", 1);
    peer_expect_text(&rig, &peer, "\xe2\x82\xac");
    peer_close(&peer);
    rig_clear(&rig);
}

/* P7: RFC 6455 wants masks from clients; lws does not insist, and neither do we. */
static void test_unmasked_frames_are_accepted(void **state)
{
    (void)state;
    struct rig rig;
    open_echo(&rig);
    struct peer peer = charger(&rig);
    peer_write(&peer, "\x81\x02[]", 4);
    peer_expect_text(&rig, &peer, "[]");
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_broken_json_is_no_fault_here(void **state)
{
    (void)state;
    struct rig rig;
    open_echo(&rig);
    struct peer peer = charger(&rig);
    peer_text(&peer, "[,{"); /* Q16 */
    peer_expect_text(&rig, &peer, "[,{");
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_the_chargers_close_is_echoed(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer peer = charger(&rig);
    peer_frame(&peer, 8, true,
               "\x03\xe8"
               "bye",
               5);
    struct frame_in frame = peer_next(&rig, &peer);
    assert_int_equal(frame.opcode, 8);
    assert_int_equal(frame.close_code, 1000);
    RIG_UNTIL(&rig, rig.closes == 1);
    assert_string_equal(rig.opened[0].why, "closed by the peer: 1000 bye");
    peer_close(&peer);
    rig_clear(&rig);
}

/* T13 uses 4000; the number of the old connection must never name the new one. */
static void test_closing_flushes_and_names_the_code(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer first = charger(&rig);
    struct peer second = charger(&rig);
    RIG_UNTIL(&rig, rig.opened_count == 2);
    uint64_t old = rig.opened[0].connection;
    assert_true(old < rig.opened[1].connection);
    assert_true(ws_server_send(rig.server, old, "last words", 10));
    ws_server_close(rig.server, old, 4000, "replaced");
    ws_server_close(rig.server, old, 1000, "again"); /* the first counts */
    assert_false(ws_server_send(rig.server, old, "x", 1));
    assert_int_equal(rig.closes, 0); /* later */
    peer_expect_text(&rig, &first, "last words");
    peer_expect_close(&rig, &first, 4000);
    RIG_UNTIL(&rig, rig.closes == 1);
    assert_string_equal(rig.opened[0].why, "closed by us: 4000 replaced");
    assert_true(rig.opened[1].open);
    assert_false(ws_server_send(rig.server, old, "x", 1));
    ws_server_close(rig.server, old, 1000, "gone");
    assert_true(ws_server_send(rig.server, rig.opened[1].connection, "you", 3));
    peer_expect_text(&rig, &second, "you");
    peer_close(&first);
    peer_close(&second);
    rig_clear(&rig);
}

static void test_a_peer_that_ignores_close_ends_after_5_s(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer peer = charger(&rig);
    RIG_UNTIL(&rig, rig.opened_count == 1);
    ws_server_close(rig.server, rig.opened[0].connection, 1008, "enough");
    struct frame_in frame = peer_next(&rig, &peer);
    assert_int_equal(frame.close_code, 1008);
    rig_advance(&rig, 4999);
    assert_int_equal(rig.closes, 0);
    peer_text(&peer, "still talking");
    rig_advance(&rig, 1);
    RIG_UNTIL(&rig, rig.closes == 1);
    assert_int_equal(rig.messages, 0);
    assert_string_equal(rig.opened[0].why, "did not answer our Close");
    peer_close(&peer);
    rig_clear(&rig);
}

static void close_inside(struct rig *rig, uint64_t connection, const char *text, size_t len)
{
    assert_true(ws_server_send(rig->server, connection, text, len));
    ws_server_close(rig->server, connection, 1008, "said too much");
    assert_false(ws_server_send(rig->server, connection, text, len));
}

static void test_closing_inside_message(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.on_message = close_inside;
    rig_open(&rig);
    struct peer peer = charger(&rig);
    peer_text(&peer, "one");
    peer_text(&peer, "two"); /* arrives with it, is not delivered */
    peer_expect_text(&rig, &peer, "one");
    peer_expect_close(&rig, &peer, 1008);
    RIG_UNTIL(&rig, rig.closes == 1);
    assert_int_equal(rig.messages, 1);
    peer_close(&peer);
    rig_clear(&rig);
}

static void greet_and_close(struct rig *rig, uint64_t connection)
{
    assert_true(ws_server_send(rig->server, connection, "hello", 5));
    ws_server_close(rig->server, connection, 4001, "bye");
}

static void test_sending_and_closing_inside_opened(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.on_opened = greet_and_close;
    rig_open(&rig);
    struct peer peer = charger(&rig);
    peer_expect_text(&rig, &peer, "hello");
    peer_expect_close(&rig, &peer, 4001);
    RIG_UNTIL(&rig, rig.closes == 1);
    peer_close(&peer);
    rig_clear(&rig);
}

/* One charger's message closes another: never the one whose callback runs. */
static void close_first(struct rig *rig, uint64_t connection, const char *text, size_t len)
{
    (void)text;
    (void)len;
    if (connection != rig->opened[0].connection)
        ws_server_close(rig->server, rig->opened[0].connection, 4000, "replaced");
}

static void test_closing_another_inside_message(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.on_message = close_first;
    rig_open(&rig);
    struct peer first = charger(&rig);
    struct peer second = charger(&rig);
    peer_text(&second, "mine");
    peer_expect_close(&rig, &first, 4000);
    RIG_UNTIL(&rig, rig.closes == 1);
    assert_true(rig.opened[1].open);
    peer_close(&first);
    peer_close(&second);
    rig_clear(&rig);
}

/* P1: whatever the reader does, frames arrive whole and in order. */
static void test_a_slow_reader_gets_all_in_order(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.settings.send_queue_max = 16 << 20;
    rig_open(&rig);
    struct peer peer = charger(&rig);
    RIG_UNTIL(&rig, rig.opened_count == 1);
    char text[1200];
    memset(text, '.', sizeof(text));
    for (int i = 0; i < 8000; i++) {
        snprintf(text, 9, "%08d", i);
        text[8] = ' ';
        assert_true(ws_server_send(rig.server, rig.opened[0].connection, text,
                                   16 + (size_t)(i * 7) % 1100));
        if (i % 50 == 0)
            rig_turn(&rig, 1);
    }
    for (int i = 0; i < 8000; i++) {
        struct frame_in frame = peer_next(&rig, &peer);
        assert_int_equal(frame.opcode, 1);
        assert_int_equal(frame.len, 16 + (size_t)(i * 7) % 1100);
        snprintf(text, 9, "%08d", i);
        assert_memory_equal(frame.payload, text, 8);
        if (peer.seen == peer.in.len) {
            strbuf_reset(&peer.in);
            peer.seen = 0;
        }
    }
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_a_stalled_reader_is_bounded_and_dropped(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer peer = charger(&rig);
    RIG_UNTIL(&rig, rig.opened_count == 1);
    char text[1000];
    memset(text, '.', sizeof(text));
    int sent = 0;
    while (sent < 10000 && ws_server_send(rig.server, rig.opened[0].connection, text, sizeof(text)))
        sent++;
    assert_true(sent < 10000); /* socket buffers and 1 MiB, no more */
    assert_int_equal(rig.closes, 0);
    assert_false(ws_server_send(rig.server, rig.opened[0].connection, text, 1));
    rig_advance(&rig, 5000);
    RIG_UNTIL(&rig, rig.closes == 1);
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_pausing_holds_what_comes(void **state)
{
    (void)state;
    struct rig rig;
    open_echo(&rig);
    struct peer peer = charger(&rig);
    RIG_UNTIL(&rig, rig.opened_count == 1);
    uint64_t connection = rig.opened[0].connection;
    ws_server_pause(rig.server, connection, true);
    peer_text(&peer, "one");
    peer_text(&peer, "two");
    rig_turn(&rig, 20);
    assert_int_equal(rig.messages, 0);
    assert_true(ws_server_send(rig.server, connection, "ours", 4)); /* writing goes on */
    peer_expect_text(&rig, &peer, "ours");
    ws_server_pause(rig.server, connection, false);
    peer_expect_text(&rig, &peer, "one");
    peer_expect_text(&rig, &peer, "two");
    peer_close(&peer);
    rig_clear(&rig);
}

static void pause_inside(struct rig *rig, uint64_t connection, const char *text, size_t len)
{
    (void)text;
    (void)len;
    ws_server_pause(rig->server, connection, true);
}

static void test_pausing_inside_message_keeps_the_rest(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.on_message = pause_inside;
    rig_open(&rig);
    struct peer peer = charger(&rig);
    char text[16];
    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof(text), "m%d", i);
        peer_text(&peer, text);
    }
    for (int i = 0; i < 50; i++) { /* one for each time we let it go on */
        RIG_UNTIL(&rig, rig.messages == (size_t)i + 1);
        rig_turn(&rig, 10);
        assert_int_equal(rig.messages, (size_t)i + 1);
        snprintf(text, sizeof(text), "m%d", i);
        assert_string_equal(strbuf_text(&rig.last), text);
        ws_server_pause(rig.server, rig.opened[0].connection, false);
    }
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_frames_behind_the_request_are_not_lost(void **state)
{
    (void)state;
    struct rig rig;
    open_echo(&rig);
    struct peer peer = peer_connect(&rig);
    peer_writes(&peer, "GET /ocpp/EARLY HTTP/1.1\r\nUpgrade: websocket\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n\x81\x82\x01\x01\x01\x01\x5a\x5c");
    char answer[1024];
    peer_head(&rig, &peer, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 101 ", 13);
    peer_expect_text(&rig, &peer, "[]");
    peer_close(&peer);
    rig_clear(&rig);
}

/* Deterministic noise behind the handshake: whatever lws makes of it, each connection ends once. */
static void test_noise_ends_or_waits(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.on_message = echo_if_open;
    rig_open(&rig);
    uint64_t random = 0x9e3779b97f4a7c15u;
    for (int round = 0; round < 500; round++) {
        struct peer peer = charger(&rig);
        unsigned char noise[200];
        for (size_t i = 0; i < sizeof(noise); i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            noise[i] = (unsigned char)random;
        }
        static const unsigned char starts[] = {0x81, 0x01, 0x80, 0x88, 0x89, 0x8a, 0xc1, 0x82};
        noise[0] = starts[round % 8];
        noise[1] = (unsigned char)(0x80 | (noise[1] & (round % 2 ? 0x7f : 0x0f)));
        peer_write(&peer, noise, 1 + noise[2] % (sizeof(noise) - 1));
        rig_turn(&rig, 3);
        peer_close(&peer);
    }
    RIG_UNTIL(&rig, ws_server_count(rig.server) == 0);
    rig_clear(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_comes_and_goes),
        cmocka_unit_test(test_an_empty_text_is_passed_on),
        cmocka_unit_test(test_fragments_with_a_ping_between),
        cmocka_unit_test(test_large_fragments),
        cmocka_unit_test(test_one_byte_segments),
        cmocka_unit_test(test_many_messages_in_one_segment),
        cmocka_unit_test(test_the_longest_message_passes),
        cmocka_unit_test(test_one_byte_more_is_1009),
        cmocka_unit_test(test_too_long_by_fragments_is_1009),
        cmocka_unit_test(test_faulty_frames_close_with_their_code),
        cmocka_unit_test(test_a_message_inside_a_message_is_1002),
        cmocka_unit_test(test_utf8_cut_by_fragments_is_whole),
        cmocka_unit_test(test_unmasked_frames_are_accepted),
        cmocka_unit_test(test_broken_json_is_no_fault_here),
        cmocka_unit_test(test_the_chargers_close_is_echoed),
        cmocka_unit_test(test_closing_flushes_and_names_the_code),
        cmocka_unit_test(test_a_peer_that_ignores_close_ends_after_5_s),
        cmocka_unit_test(test_closing_inside_message),
        cmocka_unit_test(test_sending_and_closing_inside_opened),
        cmocka_unit_test(test_closing_another_inside_message),
        cmocka_unit_test(test_a_slow_reader_gets_all_in_order),
        cmocka_unit_test(test_a_stalled_reader_is_bounded_and_dropped),
        cmocka_unit_test(test_pausing_holds_what_comes),
        cmocka_unit_test(test_pausing_inside_message_keeps_the_rest),
        cmocka_unit_test(test_noise_ends_or_waits),
        cmocka_unit_test(test_frames_behind_the_request_are_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

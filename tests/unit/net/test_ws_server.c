/* Liveness (T11, T12), bounds of accepting (T15, P10), many connections, the end. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.c"

static struct peer charger(struct rig *rig, int number)
{
    char path[64];
    snprintf(path, sizeof(path), "/ocpp/CP%d", number);
    return peer_upgrade(rig, path, "ocpp1.6");
}

static void expect_ping(struct rig *rig, struct peer *peer, bool answer)
{
    struct frame_in frame = peer_next(rig, peer);
    assert_int_equal(frame.opcode, 9);
    assert_int_equal(frame.len, 4);
    if (!answer)
        return;
    peer_frame(peer, 10, true, frame.payload, frame.len);
    rig_turn(rig, 5);
}

static void expect_nothing(struct rig *rig, struct peer *peer)
{
    rig_turn(rig, 10);
    peer_pull(peer);
    assert_int_equal(peer->in.len, peer->seen);
    assert_false(peer->eof);
}

static void test_pings_keep_their_interval(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer peer = charger(&rig, 1);
    rig_advance(&rig, 59999);
    expect_nothing(&rig, &peer);
    rig_advance(&rig, 1);
    expect_ping(&rig, &peer, true);
    rig_advance(&rig, 59999);
    expect_nothing(&rig, &peer);
    rig_advance(&rig, 1);
    expect_ping(&rig, &peer, true);
    for (int i = 0; i < 100; i++) { /* an hour and 40 minutes with pongs only */
        rig_advance(&rig, 60000);
        expect_ping(&rig, &peer, true);
    }
    assert_int_equal(rig.closes, 0);
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_a_silent_charger_ends_after_three_intervals(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer peer = charger(&rig, 1);
    rig_advance(&rig, 60000);
    expect_ping(&rig, &peer, true); /* the last we hear, at 60 s */
    rig_advance(&rig, 60000);
    rig_advance(&rig, 60000);
    rig_advance(&rig, 59999);
    assert_int_equal(rig.closes, 0);
    rig_advance(&rig, 1);
    RIG_UNTIL(&rig, rig.closes == 1);
    assert_string_equal(rig.opened[0].why, "silent for too long");
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_the_configured_limit_counts(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.settings.idle_timeout_ms = 600000;
    rig_open(&rig);
    struct peer peer = charger(&rig, 1);
    for (int i = 0; i < 9; i++)
        rig_advance(&rig, 60000);
    rig_advance(&rig, 59999);
    assert_int_equal(rig.closes, 0);
    rig_advance(&rig, 1);
    RIG_UNTIL(&rig, rig.closes == 1);
    peer_close(&peer);
    rig_clear(&rig);
}

/* T11: every received byte is life: data, the charger's own pings, half a message. */
static void expect_alive_by(void (*speak)(struct peer *peer, int round))
{
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer peer = charger(&rig, 1);
    for (int i = 0; i < 20; i++) {
        speak(&peer, i);
        rig_turn(&rig, 5);
        rig_advance(&rig, 60000);
        rig_advance(&rig, 60000);
    }
    assert_int_equal(rig.closes, 0);
    /* And dead when that stops, at most an interval late. */
    for (int i = 0; i < 4; i++)
        rig_advance(&rig, 60000);
    RIG_UNTIL(&rig, rig.closes == 1);
    peer_close(&peer);
    rig_clear(&rig);
}

static void speak_text(struct peer *peer, int round)
{
    (void)round;
    peer_text(peer, "[]");
}

static void speak_ping(struct peer *peer, int round)
{
    (void)round;
    peer_frame(peer, 9, true, "", 0);
}

static void speak_a_byte(struct peer *peer, int round)
{
    static const unsigned char frame[] = {0x81, 0x90, 0,   0,   0,   0,   '[', '2', ',', '"',
                                          '1',  '"',  ',', '"', 'H', 'e', 'a', 'r', 't', 'b'};
    peer_write(peer, frame + round, 1);
}

static void test_every_byte_is_life(void **state)
{
    (void)state;
    expect_alive_by(speak_text);
    expect_alive_by(speak_ping);
    expect_alive_by(speak_a_byte);
}

static void test_pong_is_not_required_of_some(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.pong_required = false; /* T12 */
    rig_open(&rig);
    struct peer peer = charger(&rig, 1);
    for (int i = 0; i < 51; i++) { /* CAP: 51 minutes of silence */
        rig_advance(&rig, 60000);
        expect_ping(&rig, &peer, false);
    }
    assert_int_equal(rig.closes, 0);
    peer_text(&peer, "[]");
    RIG_UNTIL(&rig, rig.messages == 1);
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_a_paused_charger_does_not_die_of_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer peer = charger(&rig, 1);
    ws_server_pause(rig.server, rig.opened[0].connection, true);
    for (int i = 0; i < 10; i++)
        rig_advance(&rig, 60000);
    assert_int_equal(rig.closes, 0);
    ws_server_pause(rig.server, rig.opened[0].connection, false);
    for (int i = 0; i < 3; i++)
        rig_advance(&rig, 60000);
    RIG_UNTIL(&rig, rig.closes == 1);
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_no_pings_and_no_limit(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.settings.ping_interval_ms = 0;
    rig_open(&rig);
    struct peer peer = charger(&rig, 1);
    rig_advance(&rig, 86400000);
    expect_nothing(&rig, &peer);
    peer_close(&peer);
    RIG_UNTIL(&rig, rig.closes == 1);
    rig_clear(&rig);
}

/* A ping never breaks into a frame that is partly sent (P1). */
static void test_pings_wait_for_a_slow_reader(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.settings.send_queue_max = 64 << 20;
    rig_open(&rig);
    struct peer peer = charger(&rig, 1);
    char *text = xmalloc(300001);
    memset(text, '.', 300000);
    text[300000] = '\0';
    for (int i = 0; i < 60; i++)
        assert_true(ws_server_send(rig.server, rig.opened[0].connection, text, 300000));
    struct ws_queues queues = ws_server_queues(rig.server);
    assert_true(queues.max > 1 << 20 && queues.max < 64 << 20);
    assert_int_equal(queues.sum, queues.max); /* of one connection */
    rig_advance(&rig, 60000);
    int texts = 0, pings = 0;
    while (texts < 60) {
        struct frame_in frame = peer_next(&rig, &peer);
        if (frame.opcode == 9) {
            pings++;
            continue;
        }
        assert_int_equal(frame.opcode, 1);
        assert_int_equal(frame.len, 300000);
        assert_memory_equal(frame.payload, text, 300000);
        texts++;
    }
    assert_int_equal(pings, 1);
    queues = ws_server_queues(rig.server);
    assert_int_equal(queues.sum + queues.max, 0);
    xfree(text);
    peer_close(&peer);
    rig_clear(&rig);
}

static size_t visitors_answered(struct rig *rig, struct peer *peers, size_t count)
{
    rig_turn(rig, 20);
    size_t answered = 0;
    for (size_t i = 0; i < count; i++) {
        peer_pull(&peers[i]);
        answered += peers[i].in.len > 0;
    }
    return answered;
}

/* T15 */
static void test_accepting_keeps_its_rate(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.settings.accept_per_second = 10;
    rig_open(&rig);
    struct peer peers[30];
    for (size_t i = 0; i < 30; i++) {
        peers[i] = peer_connect(&rig);
        peer_writes(&peers[i], "GET / HTTP/1.1\r\n\r\n");
    }
    assert_int_equal(visitors_answered(&rig, peers, 30), 10); /* a second's worth at once */
    rig_advance(&rig, 99);
    assert_int_equal(visitors_answered(&rig, peers, 30), 10);
    rig_advance(&rig, 21);
    assert_int_equal(visitors_answered(&rig, peers, 30), 11);
    for (int i = 0; i < 45; i++)
        rig_advance(&rig, 20);
    assert_int_equal(visitors_answered(&rig, peers, 30), 20);
    for (int i = 0; i < 60; i++)
        rig_advance(&rig, 20);
    assert_int_equal(visitors_answered(&rig, peers, 30), 30);
    for (size_t i = 0; i < 30; i++)
        peer_close(&peers[i]);
    rig_clear(&rig);
}

static int turned_away(struct rig *rig)
{
    struct peer peer = peer_connect(rig);
    char answer[512];
    peer_head(rig, &peer, answer, sizeof(answer));
    peer_close(&peer);
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? (int)strtol(answer + 9, NULL, 10) : 0;
}

static void test_the_number_of_connections_is_bounded(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.settings.connections_max = 3;
    rig_open(&rig);
    struct peer first = charger(&rig, 1), second = charger(&rig, 2);
    struct peer visitor = peer_connect(&rig); /* one that says nothing counts too */
    rig_turn(&rig, 5);
    assert_int_equal(turned_away(&rig), 503);
    peer_close(&visitor);
    rig_turn(&rig, 5);
    struct peer third = charger(&rig, 3);
    assert_int_equal(turned_away(&rig), 503);
    peer_close(&second);
    RIG_UNTIL(&rig, rig.closes == 1);
    second = charger(&rig, 4);
    peer_close(&first);
    peer_close(&second);
    peer_close(&third);
    rig_clear(&rig);
}

static void test_the_number_per_address_is_bounded(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.settings.connections_per_address = 2;
    rig_open(&rig);
    for (int i = 0; i < 5; i++) { /* the count comes back to 0 each time */
        struct peer first = charger(&rig, 1), second = charger(&rig, 2);
        assert_int_equal(turned_away(&rig), 429);
        peer_close(&first);
        peer_close(&second);
        RIG_UNTIL(&rig, ws_server_count(rig.server) == 0);
    }
    rig_clear(&rig);
}

/* P10: lws's own listener would spin here for ever. */
static void test_running_out_of_descriptors(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer first = charger(&rig, 1);
    struct peer late = peer_connect(&rig);
    struct peer later = peer_connect(&rig);
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 100;
    setrlimit(RLIMIT_NOFILE, &none);
    int fillers[100], count = 0;
    while ((fillers[count] = dup(0)) >= 0)
        count++;
    rig_turn(&rig, 200);
    while (count > 0)
        close(fillers[--count]);
    setrlimit(RLIMIT_NOFILE, &before);
    peer_text(&first, "[]"); /* the others are served meanwhile */
    RIG_UNTIL(&rig, rig.messages == 1);
    assert_true(peer_pull(&late));
    assert_true(late.eof); /* turned away by the spare descriptor, not left waiting */
    assert_false(peer_pull(&later));
    rig_advance(&rig, 100);
    peer_writes(&later, "GET / HTTP/1.1\r\n\r\n");
    char answer[512];
    assert_memory_equal(peer_head(&rig, &later, answer, sizeof(answer)), "HTTP/1.1 426 ", 13);
    peer_close(&first);
    peer_close(&late);
    peer_close(&later);
    rig_clear(&rig);
}

enum { MANY = 500 };

static void test_many_come_and_go(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    static struct peer peers[MANY];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++)
            peers[i] = charger(&rig, i);
        assert_int_equal(ws_server_count(rig.server), MANY);
        for (int i = 0; i < MANY; i++)
            peer_text(&peers[i], "[2,\"1\",\"Heartbeat\",{}]");
        RIG_UNTIL(&rig, rig.messages == (size_t)(round + 1) * MANY);
        for (int i = 0; i < MANY; i++) {
            if (i % 2 == 0)
                peer_frame(&peers[i], 8, true, "\x03\xe8", 2);
            peer_close(&peers[i]);
        }
        RIG_UNTIL(&rig, ws_server_count(rig.server) == 0);
    }
    for (size_t i = 1; i < rig.opened_count; i++)
        assert_true(rig.opened[i].connection > rig.opened[i - 1].connection);
    rig_clear(&rig);
}

static void set_done(void *ctx)
{
    *(bool *)ctx = true;
}

static void test_shutdown_closes_with_1012(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer polite = charger(&rig, 1), deaf = charger(&rig, 2), visitor = peer_connect(&rig);
    rig_turn(&rig, 5);
    ws_server_shutdown(rig.server, set_done, &rig.done);
    assert_int_equal(rig.closes, 0);
    peer_expect_close(&rig, &polite, 1012);
    RIG_UNTIL(&rig, rig.closes == 1);
    RIG_UNTIL(&rig, peer_pull(&visitor) && visitor.eof);
    assert_int_equal(ws_server_port(rig.server), 0); /* nobody listens */
    assert_int_equal(peer_next(&rig, &deaf).close_code, 1012);
    rig_advance(&rig, 4900);
    assert_false(rig.done);
    rig_advance(&rig, 100);
    RIG_UNTIL(&rig, rig.done);
    peer_close(&polite);
    peer_close(&deaf);
    peer_close(&visitor);
    rig_clear(&rig);
}

static void test_shutdown_may_drop_instead(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.settings.drop_on_shutdown = true; /* Q23 */
    rig_open(&rig);
    struct peer peer = charger(&rig, 1);
    ws_server_shutdown(rig.server, set_done, &rig.done);
    assert_int_equal(peer_next(&rig, &peer).opcode, -1);
    RIG_UNTIL(&rig, rig.done);
    assert_string_equal(rig.opened[0].why, "server restarts");
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_shutdown_of_an_empty_server(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    ws_server_shutdown(rig.server, set_done, &rig.done);
    assert_false(rig.done); /* later */
    RIG_UNTIL(&rig, rig.done);
    rig_clear(&rig);
}

/* No shutdown before: sockets end, nobody is told, nothing leaks. */
static void test_freeing_with_connections(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct peer peer = charger(&rig, 1), visitor = peer_connect(&rig);
    rig_turn(&rig, 5);
    ws_server_send(rig.server, rig.opened[0].connection, "x", 1);
    ws_server_free(rig.server);
    loop_free(rig.loop);
    assert_int_equal(rig.closes, 0);
    while (!peer.eof)
        peer_pull(&peer);
    xfree(rig.opened);
    peer_close(&peer);
    peer_close(&visitor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pings_keep_their_interval),
        cmocka_unit_test(test_a_silent_charger_ends_after_three_intervals),
        cmocka_unit_test(test_the_configured_limit_counts),
        cmocka_unit_test(test_every_byte_is_life),
        cmocka_unit_test(test_pong_is_not_required_of_some),
        cmocka_unit_test(test_a_paused_charger_does_not_die_of_it),
        cmocka_unit_test(test_no_pings_and_no_limit),
        cmocka_unit_test(test_pings_wait_for_a_slow_reader),
        cmocka_unit_test(test_accepting_keeps_its_rate),
        cmocka_unit_test(test_the_number_of_connections_is_bounded),
        cmocka_unit_test(test_the_number_per_address_is_bounded),
        cmocka_unit_test(test_running_out_of_descriptors),
        cmocka_unit_test(test_many_come_and_go),
        cmocka_unit_test(test_shutdown_closes_with_1012),
        cmocka_unit_test(test_shutdown_may_drop_instead),
        cmocka_unit_test(test_shutdown_of_an_empty_server),
        cmocka_unit_test(test_freeing_with_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Frames between charger and server: T10, fragments, control frames, back-pressure, closing. */
#include "rig.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#include "rig.c"

static void echo(struct rig *rig, uint64_t connection, const char *text, size_t len)
{
    assert_true(ws_server_send(rig->server, connection, text, len));
}

static struct rig echo_rig(void)
{
    struct rig rig;
    rig_init(&rig);
    rig.on_message = echo;
    return rig;
}

static void test_text_comes_and_goes(void **state)
{
    (void)state;
    struct rig rig = echo_rig();
    rig_open(&rig);
    struct peer peer = peer_upgrade(&rig, "/ocpp/CP1", "ocpp1.6");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The connection of a charger: handshake, boot, heartbeat, back-off, reset, power, silent loss. */
#include "line_world.h"

static struct reason why;

static int teardown(void **state)
{
    (void)state;
    world_close();
    return 0;
}

static void configure(const char *key, const char *value)
{
    assert_true(charger_configure(world.charger, key, value, &why));
}

static void fault(const char *name, double probability)
{
    assert_true(charger_fault(world.charger, name, probability, &why));
}

static void test_handshake(void **state)
{
    (void)state;
    world_begin();
    world.settings.identity = "CP 1/ä";
    world.settings.password = "secret secret secret";
    world_serve();
    world_open();
    world_until(world.charger->accepted);
    assert_string_equal(world.path, "/ocpp/CP%201%2F%C3%A4");
    assert_string_equal(world.subprotocols, "ocpp1.6");
    assert_string_equal(world.password.at, "secret secret secret");
}

static void test_pending_boots_again_after_the_interval(void **state)
{
    (void)state;
    world_begin();
    world.boot_status = "Pending";
    world.boot_interval = 20;
    world_serve();
    world_open();
    world_until(text_is(world.charger->registration, "Pending"));
    world_pass(19000);
    assert_int_equal(world.count, 1); /* nothing but that one boot */
    ASK("RemoteStartTransaction", "{\"idTag\":\"A\",\"connectorId\":1}", "\"Rejected\"");
    ASK("GetLocalListVersion", "{}", "\"listVersion\":0");
    ASK("TriggerMessage", "{\"requestedMessage\":\"StatusNotification\",\"connectorId\":2}",
        "\"Accepted\"");
    world_until(world_calls("StatusNotification") == 1); /* B3 */
    world.boot_status = "Accepted";
    world.boot_interval = 77;
    world_pass(2000);
    world_until(world.charger->accepted);
    assert_int_equal(world_calls("BootNotification"), 2);
    world_until(world_calls("StatusNotification") == 4);
    assert_int_equal(config_int(world.charger, "HeartbeatInterval"), 77);
}

static void test_rejected_takes_no_commands(void **state)
{
    (void)state;
    world_begin();
    world.boot_status = "Rejected";
    world_serve();
    world_open();
    world_until(text_is(world.charger->registration, "Rejected"));
    ASK("GetConfiguration", "{}", "\"SecurityError\"");
    world_pass(59000);
    assert_int_equal(world_calls("BootNotification"), 1);
    world_pass(2000); /* interval 0: ours, 60 s */
    assert_int_equal(world_calls("BootNotification"), 2);
}

static void test_a_boot_without_answer_comes_again(void **state)
{
    (void)state;
    world_begin();
    world.deaf_to = "BootNotification";
    world_serve();
    world_open();
    world_until(world_calls("BootNotification") == 1);
    world.deaf_to = NULL;
    world_pass(92000); /* patience and the wait */
    world_until(world.charger->accepted);
    assert_int_equal(world_calls("BootNotification"), 2);
}

static void test_heartbeats_by_configuration(void **state)
{
    (void)state;
    world_start();
    ASK("ChangeConfiguration", "{\"key\":\"HeartbeatInterval\",\"value\":\"10\"}", "\"Accepted\"");
    world_pass(31000);
    assert_int_equal(world_calls("Heartbeat"), 3);
    fault("no_heartbeat", 1);
    world_pass(60000);
    assert_int_equal(world_calls("Heartbeat"), 3);
    fault("no_heartbeat", 0);
    configure("HeartbeatInterval", "0");
    world_pass(60000);
    assert_int_equal(world_calls("Heartbeat"), 3);
}

static void test_back_off(void **state)
{
    (void)state;
    world_begin();
    world.status = 503;
    world_serve();
    world_open();
    world_until(world.admitted == 1);
    world_turn();
    for (int i = 0; i < 8; i++) { /* 1, 2, 4, 8, 16, 30 … seconds, a quarter more or less */
        int64_t least = i < 5 ? 750 << i : 22500, most = i < 5 ? 1250 << i : 37500;
        int before = world.admitted;
        int64_t waited = 0;
        for (; world.admitted == before && waited < 60000; waited += 250)
            world_pass(250);
        if (waited < least || waited > most + 250)
            fail_msg("wait %d took %d ms", i, (int)waited);
    }
}

static void test_reconnect_without_boot_tells_statuses(void **state)
{
    (void)state;
    world_start();
    ws_server_close(world.server, world.connection, 1001, "");
    world_until(!world.charger->online);
    assert_true(world.charger->accepted);
    assert_non_null(strstr(world.events, "offline 0 "));
    world_pass(2000);
    world_until(world_calls("StatusNotification") == 6);
    assert_int_equal(world_calls("BootNotification"), 1);
    fault("boot_on_reconnect", 1); /* B5 */
    charger_drop_line(world.charger);
    world_pass(2000);
    world_until(world_calls("BootNotification") == 2);
}

static void test_no_boot(void **state)
{
    (void)state;
    world_begin();
    world.settings.boot_delay_ms = 1000;
    world_serve();
    world_open();
    fault("no_boot", 1);
    world_pass(1500);
    world_until(world_calls("StatusNotification") == 3);
    assert_int_equal(world_calls("BootNotification"), 0);
    assert_true(world.charger->accepted);
}

static void test_soft_reset_stops_first(void **state)
{
    (void)state;
    world_start();
    assert_true(charger_plug(world.charger, 1, "TAG1", true, &why));
    world_until(world_calls("StartTransaction") == 1);
    world_turn();
    ASK("Reset", "{\"type\":\"Soft\"}", "\"Accepted\"");
    ASK("Reset", "{\"type\":\"Soft\"}", "\"Rejected\""); /* one at a time */
    world_pass(200);
    world_until(world_calls("StopTransaction") == 1);
    assert_string_equal(json_gets(world_call("StopTransaction", 0)->payload, "reason"),
                        "SoftReset");
    world_until(!world.charger->online);
    world_pass(1500);
    assert_int_equal(world.opened, 1);
    world_pass(1000);
    world_until(world_calls("BootNotification") == 2);
    assert_int_equal(world_calls("StopTransaction"), 1);
}

static void test_hard_reset_stops_after_it(void **state)
{
    (void)state;
    world_start();
    assert_true(charger_plug(world.charger, 1, "TAG1", true, &why));
    world_until(world_calls("StartTransaction") == 1);
    world_turn();
    ASK("Reset", "{\"type\":\"Hard\"}", "\"Accepted\"");
    world_pass(200);
    assert_false(world.charger->online);
    assert_int_equal(world_calls("StopTransaction"), 0);
    world_pass(2500);
    world_until(world_calls("StopTransaction") == 1);
    const struct world_frame *stop = world_call("StopTransaction", 0);
    assert_string_equal(json_gets(stop->payload, "reason"), "HardReset");
    assert_true(world_call("BootNotification", 1) < stop); /* behind the boot */
}

static void test_power_cycle(void **state)
{
    (void)state;
    world_start();
    assert_true(charger_plug(world.charger, 1, "TAG1", true, &why));
    world_until(world_calls("StartTransaction") == 1);
    world_turn();
    charger_power_cycle(world.charger);
    charger_power_cycle(world.charger); /* off is off */
    world_pass(2500);
    world_until(world_calls("StopTransaction") == 1);
    assert_string_equal(json_gets(world_call("StopTransaction", 0)->payload, "reason"),
                        "PowerLoss");
    assert_int_equal(world_calls("BootNotification"), 2);
}

static void test_network_down_while_rebooting(void **state)
{
    (void)state;
    world_start();
    charger_power_cycle(world.charger);
    charger_set_network(world.charger, false);
    world_pass(10000);
    assert_int_equal(world.admitted, 1);
    charger_set_network(world.charger, true);
    world_until(world.admitted == 2);
}

static void test_silent_loss(void **state)
{
    (void)state;
    world_start();
    uint64_t before = world.connection;
    fault("silent_loss", 1);
    charger_drop_line(world.charger);
    fault("silent_loss", 0);
    world_pass(2000);
    world_until(world.opened == 2);
    assert_int_equal(world.closed, 0); /* the old one still looks open */
    assert_true(ws_server_send(world.server, before, "[2,\"a\",\"Reset\",{}]", 18));
    world_turn();
    assert_true(world.charger->online);
    world_pass(60000);
    world_until(world.closed == 1); /* late */
    assert_true(world.charger->online);
}

static void test_new_credentials_come_back_at_once(void **state)
{
    (void)state;
    world_begin();
    world.settings.password = "0123456789abcdef";
    world_serve();
    world_open();
    world_until(world.charger->accepted);
    ASK("ChangeConfiguration",
        "{\"key\":\"AuthorizationKey\",\"value\":\"41424344454647484950515253545556\"}",
        "\"Accepted\"");
    world_pass(200);
    world_until(world.closed == 1);
    world_pass(2000);
    world_until(world.opened == 2);
    assert_string_equal(world.password.at, "ABCDEFGHIPQRSTUV");
    assert_int_equal(world_calls("BootNotification"), 1);
}

static void test_a_silent_server_is_left(void **state)
{
    (void)state;
    world_start();
    configure("WebSocketPingInterval", "10");
    world_pass(60000);
    assert_int_equal(world.opened, 1); /* pongs come */
    ws_server_pause(world.server, world.connection, true);
    world_pass(50000);
    world_until(world.opened == 2);
}

/* T11, T12: for the server a charger that answers no ping and says nothing is gone. */
static void test_no_pong(void **state)
{
    (void)state;
    world_begin();
    world.settings.boot_delay_ms = 100;
    world.pong_required = true;
    world.server_pings_ms = 10000;
    world_serve();
    world_open();
    world_pass(200);
    world_until(world.charger->accepted);
    world_pass(120000);
    assert_int_equal(world.opened, 1);
    fault("no_pong", 1);
    charger_drop_line(world.charger);
    world_pass(2000);
    world_until(world.opened == 2);
    fault("no_pong", 0);
    ASK("ClearCache", "{}", "\"Accepted\""); /* else it is healthy */
    world_pass(40000);
    world_until(world.closed == 2);
    world_pass(3000);
    world_until(world.opened == 3);
    world_pass(60000);
    assert_int_equal(world.opened, 3);
}

static void test_handshake_faults(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *path, *subprotocols, *password;
    } rows[] = {
        {"no_subprotocol", "/ocpp/CP1", "(none)", "61626364656667686970"},
        {"old_subprotocol", "/ocpp/CP1", "ocpp1.5", "61626364656667686970"},
        {"path_slashes", "///CP1", "ocpp1.6", NULL},
        {"path_escape", "/ocpp/%43%50%31", "ocpp1.6", "61626364656667686970"},
        {"unknown_identity", "/ocpp/CP1-unknown", "ocpp1.6", NULL},
        {"wrong_password", "/ocpp/CP1", "ocpp1.6", "61626364656667686970-wrong"},
        {"binary_password", "/ocpp/CP1", "ocpp1.6", "abcdefghip"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        world_begin();
        world.settings.password = "61626364656667686970";
        world.settings.boot_delay_ms = 100;
        world_serve();
        world_open();
        fault(rows[i].fault, 1);
        world_pass(200);
        world_until(world.admitted >= 1);
        assert_string_equal(world.path, rows[i].path);
        assert_string_equal(world.subprotocols, rows[i].subprotocols);
        if (rows[i].password)
            assert_string_equal(strbuf_text(&world.password), rows[i].password);
        if (i + 1 < ARRAY_LEN(rows))
            world_close();
    }
}

static void test_state_figures_and_log(void **state)
{
    (void)state;
    world_start();
    struct strbuf text = {0};
    struct arena arena = {0};
    charger_write_state(world.charger, &text);
    struct json *json = json_parse(&arena, text.at, text.len, &why, NULL);
    assert_non_null(json);
    assert_string_equal(json_gets(json, "registration"), "Accepted");
    assert_string_equal(json_gets(json, "version"), "1.6");
    assert_int_equal(json_get(json, "connectors")->count, 2);
    struct charger_figures sum = {.connects = 1};
    charger_add_figures(world.charger, &sum);
    assert_int_equal(sum.connects, 2);
    assert_int_equal(sum.calls_sent, world.count);
    struct strbuf log = {0};
    charger_write_log(world.charger, &log);
    json = json_parse(&arena, log.at, log.len, &why, NULL);
    assert_non_null(json);
    const struct json *first = json_get(json, "frames")->child;
    assert_string_equal(json_gets(first, "direction"), "out");
    assert_string_equal(json_gets(first, "text"), world.frames[0].text);
    assert_string_equal(json_gets(first->next, "direction"), "in");
    strbuf_clear(&text);
    strbuf_clear(&log);
    arena_clear(&arena);
}

static void test_the_log_keeps_a_thousand(void **state)
{
    (void)state;
    world_begin();
    world_open();
    for (int i = 0; i < 1100; i++) {
        char *text = xprintf("frame %d \xff", i);
        frame_log_add(world.charger, true, span_of(text));
        xfree(text);
    }
    struct strbuf log = {0};
    struct arena arena = {0};
    charger_write_log(world.charger, &log);
    struct json *frames = json_get(json_parse(&arena, log.at, log.len, &why, NULL), "frames");
    assert_int_equal(frames->count, 1000);
    assert_string_equal(json_gets(frames->child, "text"), "frame 100 ?");
    strbuf_clear(&log);
    arena_clear(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_handshake),
        TEST(test_pending_boots_again_after_the_interval),
        TEST(test_rejected_takes_no_commands),
        TEST(test_a_boot_without_answer_comes_again),
        TEST(test_heartbeats_by_configuration),
        TEST(test_back_off),
        TEST(test_reconnect_without_boot_tells_statuses),
        TEST(test_no_boot),
        TEST(test_soft_reset_stops_first),
        TEST(test_hard_reset_stops_after_it),
        TEST(test_power_cycle),
        TEST(test_network_down_while_rebooting),
        TEST(test_silent_loss),
        TEST(test_new_credentials_come_back_at_once),
        TEST(test_a_silent_server_is_left),
        TEST(test_no_pong),
        TEST(test_handshake_faults),
        TEST(test_state_figures_and_log),
        TEST(test_the_log_keeps_a_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* CALLs of a charger: order, one at a time, repeats of transaction messages, what is lost and kept.
 */
#include "line_world.h"

static int answered_null, answered_ok;

static void on_answered(struct charger *charger, const struct sim_call *call,
                        const struct json *response)
{
    (void)charger, (void)call;
    if (response)
        answered_ok++;
    else
        answered_null++;
}

static struct sim_call *add(const char *action, const char *payload, bool transactional)
{
    struct sim_call *call = charger_call(world.charger, action, xstrdup(payload));
    call->transactional = transactional;
    call->answered = on_answered;
    return call;
}

static const char meter_values[] = "{\"connectorId\":1,\"meterValue\":[]}";

static int setup(void **state)
{
    (void)state;
    answered_null = answered_ok = 0;
    world_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close();
    return 0;
}

static void configure(const char *key, const char *value)
{
    struct reason why;
    assert_true(charger_configure(world.charger, key, value, &why));
}

static void test_boot_comes_first_and_alone(void **state)
{
    (void)state;
    assert_string_equal(world.frames[0].action, "BootNotification");
    assert_string_equal(json_gets(world.frames[0].payload, "chargePointSerialNumber"), "S-1");
    assert_int_equal(world_calls("BootNotification"), 1);
    assert_int_equal(world.charger->figures.boots, 1);
    assert_non_null(strstr(world.events, "accepted 0 CP1"));
}

static void test_one_outstanding_in_order(void **state)
{
    (void)state;
    world.deaf_to = "Authorize";
    add("Authorize", "{\"idTag\":\"A\"}", false);
    add("Heartbeat", "{}", false);
    world_turn();
    assert_int_equal(world_calls("Authorize"), 1);
    assert_int_equal(world_calls("Heartbeat"), 0);
    world_pass(31000); /* patience */
    assert_int_equal(world_calls("Heartbeat"), 1);
    assert_int_equal(answered_null, 1);
    assert_int_equal(answered_ok, 1);
}

static void test_transaction_messages_are_tried_again(void **state)
{
    (void)state;
    configure("TransactionMessageAttempts", "3");
    configure("TransactionMessageRetryInterval", "10");
    world.fails = "MeterValues";
    add("MeterValues", meter_values, true);
    world_until(world_calls("MeterValues") == 1);
    world_pass(9000);
    assert_int_equal(world_calls("MeterValues"), 1);
    world_pass(2000); /* 1 × 10 s */
    assert_int_equal(world_calls("MeterValues"), 2);
    world_pass(18000);
    assert_int_equal(world_calls("MeterValues"), 2);
    world_pass(3000); /* 2 × 10 s */
    assert_int_equal(world_calls("MeterValues"), 3);
    world_pass(120000);
    assert_int_equal(world_calls("MeterValues"), 3); /* given up */
    assert_int_equal(answered_null, 1);
    assert_int_equal(world.charger->queued, 0);
    assert_string_not_equal(world_call("MeterValues", 0)->id, world_call("MeterValues", 1)->id);
    assert_string_not_equal(world_call("MeterValues", 1)->id, world_call("MeterValues", 2)->id);
}

static void test_later_ones_wait_others_overtake(void **state)
{
    (void)state;
    configure("TransactionMessageRetryInterval", "10");
    world.fails = "MeterValues";
    add("MeterValues", meter_values, true);
    add("StopTransaction",
        "{\"transactionId\":1,\"meterStop\":1,\"timestamp\":\"2025-07-14T05:00:00Z\"}", true);
    add("Heartbeat", "{}", false);
    world_until(world_calls("Heartbeat") == 1);
    assert_int_equal(world_calls("StopTransaction"), 0);
    world.fails = NULL;
    world_pass(11000);
    assert_int_equal(world_calls("MeterValues"), 2);
    assert_int_equal(world_calls("StopTransaction"), 1);
    assert_int_equal(answered_ok, 3);
}

static void test_offline_the_transaction_messages_wait(void **state)
{
    (void)state;
    charger_set_network(world.charger, false);
    add("MeterValues", meter_values, true);
    add("Authorize", "{\"idTag\":\"A\"}", false);
    world_turn();
    assert_int_equal(answered_null, 1); /* Authorize */
    assert_int_equal(world.charger->queued, 1);
    world_pass(60000);
    assert_int_equal(world_calls("MeterValues"), 0);
    charger_set_network(world.charger, true);
    world_until(world_calls("MeterValues") == 1);
    assert_int_equal(world_calls("BootNotification"), 1); /* T14: a reconnect is no boot */
    world_until(answered_ok == 1);
}

/* A line that breaks is no attempt; the message comes again with a new id. */
static void test_a_broken_line_is_no_attempt(void **state)
{
    (void)state;
    configure("TransactionMessageAttempts", "1");
    world.deaf_to = "MeterValues";
    add("MeterValues", meter_values, true);
    world_until(world_calls("MeterValues") == 1);
    charger_drop_line(world.charger);
    world.deaf_to = NULL;
    assert_int_equal(world.charger->outstanding, 0);
    world_pass(3000);
    world_until(world_calls("MeterValues") == 2);
    assert_string_not_equal(world_call("MeterValues", 0)->id, world_call("MeterValues", 1)->id);
    world_until(answered_ok == 1);
}

static void test_a_full_queue_drops_old_meter_values(void **state)
{
    (void)state;
    charger_set_network(world.charger, false);
    add("StartTransaction", "{}", true)->start_serial = 0;
    for (int i = 0; i < 300; i++) {
        char *payload = xprintf("{\"connectorId\":%d,\"meterValue\":[]}", i);
        add("MeterValues", payload, true);
        xfree(payload);
    }
    assert_int_equal(world.charger->queued, 200);
    assert_string_equal(world.charger->first->action, "StartTransaction");
    assert_string_equal(world.charger->first->next->payload,
                        "{\"connectorId\":101,\"meterValue\":[]}");
}

static void test_late_answers_change_nothing(void **state)
{
    (void)state;
    world.deaf_to = "Authorize";
    add("Authorize", "{\"idTag\":\"A\"}", false);
    world_until(world_calls("Authorize") == 1);
    char *text = xprintf("[3,\"%s\",{\"idTagInfo\":{\"status\":\"Accepted\"}}]",
                         world_call("Authorize", 0)->id);
    world_pass(31000);
    assert_int_equal(answered_null, 1);
    world_put(text);
    world_put("[3,\"nobody\",{}]");
    world_put("[4,\"nobody\",\"GenericError\",\"\",{}]");
    world_turn();
    assert_int_equal(answered_ok + answered_null, 1);
    xfree(text);
}

static struct reason ignored;

static void begin_session(void)
{
    assert_true(charger_plug(world.charger, 1, "TAG1", true, &ignored));
    world_until(world_calls("StartTransaction") == 1);
}

static void test_start_never_acknowledged(void **state)
{
    (void)state;
    assert_true(charger_fault(world.charger, "start_never_acknowledged", 1, &ignored));
    begin_session();
    world_turn();
    assert_true(charger_stop(world.charger, 1, NULL, &ignored));
    world_until(world_calls("StopTransaction") == 1);
    int64_t id = 0;
    assert_true(
        json_int(json_get(world_call("StopTransaction", 0)->payload, "transactionId"), &id));
    assert_int_equal(id, -1);
}

static void test_a_stop_waits_for_its_id(void **state)
{
    (void)state;
    configure("TransactionMessageRetryInterval", "5");
    world.fails = "StartTransaction";
    begin_session();
    assert_true(charger_stop(world.charger, 1, NULL, &ignored));
    world_pass(2000);
    assert_int_equal(world_calls("StopTransaction"), 0);
    world.fails = NULL;
    world.transactions = 41;
    world_pass(5000);
    world_until(world_calls("StopTransaction") == 1);
    int64_t id = 0;
    assert_true(
        json_int(json_get(world_call("StopTransaction", 0)->payload, "transactionId"), &id));
    assert_int_equal(id, 42);
}

static void test_lost_answer(void **state)
{
    (void)state;
    configure("TransactionMessageRetryInterval", "5");
    assert_true(charger_fault(world.charger, "lost_answer", 1, &ignored));
    begin_session();
    world_turn();
    assert_true(charger_fault(world.charger, "lost_answer", 0, &ignored));
    world_pass(36000);
    assert_int_equal(world_calls("StartTransaction"), 2);
    const struct world_frame *first = world_call("StartTransaction", 0),
                             *second = world_call("StartTransaction", 1);
    assert_string_not_equal(first->id, second->id);
    assert_true(json_equal(first->payload, second->payload)); /* X3: what makes it the same */
}

static void test_pipelining(void **state)
{
    (void)state;
    world.deaf_to = "Heartbeat";
    assert_true(charger_fault(world.charger, "pipelining", 1, &ignored));
    for (int i = 0; i < 5; i++)
        add("Heartbeat", "{}", false);
    world_turn();
    assert_int_equal(world_calls("Heartbeat"), 3);
    assert_int_equal(world_call("Heartbeat", 0)->at, world_call("Heartbeat", 2)->at);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_boot_comes_first_and_alone),
        TEST(test_one_outstanding_in_order),
        TEST(test_transaction_messages_are_tried_again),
        TEST(test_later_ones_wait_others_overtake),
        TEST(test_offline_the_transaction_messages_wait),
        TEST(test_a_broken_line_is_no_attempt),
        TEST(test_a_full_queue_drops_old_meter_values),
        TEST(test_late_answers_change_nothing),
        TEST(test_start_never_acknowledged),
        TEST(test_a_stop_waits_for_its_id),
        TEST(test_lost_answer),
        TEST(test_pipelining),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

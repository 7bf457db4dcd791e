/* The state machine of a connector and its session. */
#include "place_world.h"

#define ACCEPTED "{\"idTagInfo\":{\"status\":\"Accepted\"}}"
#define INVALID "{\"idTagInfo\":{\"status\":\"Invalid\"}}"

static struct charger *const cp = &world.charger;

static void test_plug_first(void **state)
{
    (void)state;
    assert_true(charger_plug(cp, 1, NULL, false, NULL));
    world_status(1, "Preparing");
    assert_true(charger_start(cp, 1, "TAG", NULL));
    world_answer(world_take("Authorize"), ACCEPTED);
    struct sim_call *start = world_take("StartTransaction");
    assert_true(start->transactional);
    assert_int_equal(world_member(world_payload(start), "meterStart"), 0);
    world_status(1, "Charging");
    world_answer(start, "{\"transactionId\":42,\"idTagInfo\":{\"status\":\"Accepted\"}}");
    assert_non_null(strstr(world.events, "started 1 42\n"));
    world_pass(60000);
    world_skip();
    assert_true(charger_stop(cp, 1, NULL, NULL));
    const struct json *stop = world_stop("Local");
    assert_int_equal(world_member(stop, "transactionId"), 42);
    assert_int_equal(world_member(stop, "meterStop"), 2000);
    assert_string_equal(json_gets(stop, "idTag"), "TAG");
    world_status(1, "Finishing");
    assert_true(charger_unplug(cp, 1, NULL));
    world_status(1, "Available");
    assert_non_null(strstr(world.events, "stopped 1 42\n"));
    world_nothing();
}

static void test_tag_first_then_cable(void **state)
{
    (void)state;
    assert_true(charger_start(cp, 2, "TAG", NULL));
    struct sim_call *authorize = world_take("Authorize");
    world_status(2, "Preparing");
    world_answer(authorize, ACCEPTED);
    world_nothing();
    world_pass(29000);
    assert_true(charger_plug(cp, 2, NULL, false, NULL));
    world_take("StartTransaction");
    world_status(2, "Charging");
    world_pass(60000);
    assert_true(session_running(world_connector(2)));
}

static void test_cable_never_comes(void **state)
{
    (void)state;
    assert_true(charger_start(cp, 1, "TAG", NULL));
    world_answer(world_take("Authorize"), ACCEPTED);
    world_skip();
    world_pass(30000);
    world_status(1, "Available");
    charger_plug(cp, 1, NULL, false, NULL);
    world_status(1, "Preparing");
    world_nothing();
}

static void test_refused_tag(void **state)
{
    (void)state;
    charger_plug(cp, 1, "TAG", true, NULL);
    world_status(1, "Preparing");
    world_answer(world_take("Authorize"), INVALID);
    world_nothing();
    assert_true(charger_start(cp, 1, "OTHER", NULL));
    world_answer(world_take("Authorize"), ACCEPTED);
    world_take("StartTransaction");
}

static void test_late_answer_of_another_tag(void **state)
{
    (void)state;
    charger_plug(cp, 1, "TAG1", true, NULL);
    world_status(1, "Preparing");
    struct sim_call *first = world_take("Authorize");
    charger_unplug(cp, 1, NULL);
    world_status(1, "Available");
    charger_plug(cp, 1, "TAG2", true, NULL);
    world_status(1, "Preparing");
    struct sim_call *second = world_take("Authorize");
    world_answer(first, ACCEPTED);
    world_nothing();
    world_answer(second, ACCEPTED);
    assert_string_equal(json_gets(world_payload(world_take("StartTransaction")), "idTag"), "TAG2");
}

static void test_local_verdict_asks_nobody(void **state)
{
    (void)state;
    world.tags[0].tag = "KNOWN";
    world.tags[0].verdict = "Accepted";
    world.tags[1].tag = "LOST";
    world.tags[1].verdict = "Blocked";
    charger_plug(cp, 1, "LOST", true, NULL);
    world_status(1, "Preparing");
    world_nothing();
    charger_start(cp, 1, "KNOWN", NULL);
    world_take("StartTransaction");
}

static void test_offline(void **state)
{
    (void)state;
    world.offline = true;
    world.tags[0].tag = "KNOWN";
    world.tags[0].verdict = "Accepted";
    charger_plug(cp, 1, "STRANGER", true, NULL);
    world_nothing();
    charger_start(cp, 1, "KNOWN", NULL);
    struct sim_call *start = world_take("StartTransaction");
    world_pass(10000);
    assert_true(world_take("MeterValues")->transactional);
    charger_stop(cp, 1, "Local", NULL);
    assert_true(world_take("StopTransaction")->transactional);
    world_nothing();
    world.offline = false;
    place_accepted(cp);
    world_status(0, "Available");
    world_status(1, "Finishing");
    world_status(2, "Available");
    world_answer(start, NULL); /* its attempts are used up (X8) */
    assert_int_equal(cp->ids[start->start_serial], -1);
}

static void test_authorize_lost_with_the_line(void **state)
{
    (void)state;
    charger_plug(cp, 1, "TAG", true, NULL);
    world_skip();
    struct sim_call *authorize = world.calls[1];
    world.offline = true;
    world.tags[0].tag = "TAG";
    world.tags[0].verdict = "Accepted";
    world_answer(authorize, NULL);
    world_take("StartTransaction");
}

static void deauthorized(const char *stop_on_invalid, const char *max_energy)
{
    world.keys[0].key = "StopTransactionOnInvalidId";
    world.keys[0].value = stop_on_invalid;
    world.keys[1].key = "MaxEnergyOnInvalidId";
    world.keys[1].value = max_energy;
    charger_plug(cp, 1, "TAG", true, NULL);
    world_status(1, "Preparing");
    world_answer(world_take("Authorize"), ACCEPTED);
    struct sim_call *start = world_take("StartTransaction");
    world_status(1, "Charging");
    world_answer(start, "{\"transactionId\":5,\"idTagInfo\":{\"status\":\"ConcurrentTx\"}}");
}

static void test_deauthorized_stops(void **state)
{
    (void)state;
    deauthorized("true", "0");
    world_stop("DeAuthorized");
    world_status(1, "Finishing");
}

static void test_deauthorized_withholds_energy(void **state)
{
    (void)state;
    deauthorized("false", "0");
    world_status(1, "SuspendedEVSE");
    world_pass(60000);
    assert_int_equal(meter_register_wh(world_connector(1)), 0);
    assert_true(session_running(world_connector(1)));
}

static void test_deauthorized_gives_a_little(void **state)
{
    (void)state;
    deauthorized("true", "500");
    world_nothing();
    world_pass(10000);
    assert_true(session_running(world_connector(1)));
    world_pass(10000);
    assert_false(session_running(world_connector(1)));
    assert_int_equal(meter_register_wh(world_connector(1)), 666);
}

static void test_own_tag_stops(void **state)
{
    (void)state;
    world_charge(1, "TAG", 7);
    assert_true(charger_start(cp, 1, "tag", NULL)); /* A1: without case */
    assert_string_equal(json_gets(world_stop("Local"), "idTag"), "TAG");
}

static void test_foreign_tag_is_refused(void **state)
{
    (void)state;
    struct reason why;
    world_charge(1, "TAG", 7);
    assert_false(charger_start(cp, 1, "OTHER", &why));
    assert_string_equal(why.text, "the session belongs to another tag");
    world_nothing();
}

static void test_tag_of_the_group_stops(void **state)
{
    (void)state;
    charger_plug(cp, 1, "TAG", true, NULL);
    world_status(1, "Preparing");
    world_answer(world_take("Authorize"),
                 "{\"idTagInfo\":{\"status\":\"Accepted\",\"parentIdTag\":\"GROUP\"}}");
    world_skip();
    assert_true(charger_start(cp, 1, "STRANGER", NULL));
    world_answer(world_take("Authorize"),
                 "{\"idTagInfo\":{\"status\":\"Accepted\",\"parentIdTag\":\"OTHERS\"}}");
    world_nothing();
    assert_true(charger_start(cp, 1, "FAMILY", NULL));
    world_answer(world_take("Authorize"),
                 "{\"idTagInfo\":{\"status\":\"Accepted\",\"parentIdTag\":\"group\"}}");
    assert_string_equal(json_gets(world_stop("Local"), "idTag"), "FAMILY");
}

static void test_unplugged_while_charging(void **state)
{
    (void)state;
    world_charge(1, "TAG", 7);
    charger_unplug(cp, 1, NULL);
    world_stop("EVDisconnected");
    world_status(1, "Available");
    world_nothing();
    world.keys[0].key = "StopTransactionOnEVSideDisconnect";
    world.keys[0].value = "false";
    world_charge(1, "TAG", 8);
    charger_unplug(cp, 1, NULL);
    world_status(1, "SuspendedEV");
    charger_plug(cp, 1, NULL, false, NULL);
    world_status(1, "Charging");
    world_nothing();
}

static void test_suspend_and_resume(void **state)
{
    (void)state;
    world_charge(1, "TAG", 7);
    assert_true(charger_suspend(cp, 1, SUSPENDED_BY_CAR, NULL));
    world_status(1, "SuspendedEV");
    charger_suspend(cp, 1, SUSPENDED_BY_CHARGER, NULL);
    world_status(1, "SuspendedEVSE");
    charger_suspend(cp, 1, SUSPENDED_BY_CHARGER, NULL);
    world_nothing(); /* on change only */
    charger_suspend(cp, 1, SUSPENDED_NOT, NULL);
    world_status(1, "Charging");
    charger_stall(cp, 1, 0, NULL);
    world_status(1, "SuspendedEV");
}

static void test_fault_ends_the_session(void **state)
{
    (void)state;
    struct reason why;
    world_charge(1, "TAG", 7);
    assert_true(charger_set_fault(cp, 1, "GroundFailure", NULL));
    world_stop("Other");
    world_status(1, "Finishing");
    const struct json *status = world_payload(world_take("StatusNotification"));
    assert_string_equal(json_gets(status, "status"), "Faulted");
    assert_string_equal(json_gets(status, "errorCode"), "GroundFailure");
    assert_false(charger_start(cp, 1, "TAG", &why));
    assert_false(charger_set_fault(cp, 1, "Nonsense", &why));
    assert_false(charger_set_fault(cp, 1, "NoError", &why));
    charger_clear_fault(cp, 1, NULL);
    world_status(1, "Finishing");
    assert_false(charger_clear_fault(cp, 1, &why));
    charger_set_fault(cp, 0, NULL, NULL);
    world_status(0, "Faulted");
    charger_clear_fault(cp, 0, NULL);
    world_status(0, "Available");
}

static void test_unknown_connector(void **state)
{
    (void)state;
    struct reason why = {""};
    assert_false(charger_plug(cp, 3, NULL, false, &why));
    assert_string_equal(why.text, "unknown connector");
    assert_false(charger_unplug(cp, 0, &why));
    assert_false(charger_start(cp, -1, "TAG", &why));
    assert_false(charger_stop(cp, 99, NULL, &why));
    assert_false(charger_set_fault(cp, 3, NULL, &why));
    assert_false(charger_suspend(cp, 3, SUSPENDED_NOT, &why));
    assert_false(charger_stall(cp, 3, 0, &why));
    assert_false(charger_set_soc(cp, 3, 50, &why));
    assert_string_equal(why.text, "unknown connector");
    assert_false(charger_start(cp, 1, "THIS TAG HAS 21 CHARS", &why));
    assert_false(charger_start(cp, 1, "", &why));
    assert_false(charger_stop(cp, 1, NULL, &why));
    assert_false(charger_unplug(cp, 1, &why));
    world_nothing();
}

static void test_availability(void **state)
{
    (void)state;
    world_ask_expect("ChangeAvailability", answer_change_availability,
                     "{\"connectorId\":2,\"type\":\"Inoperative\"}", "Accepted");
    world_status(2, "Unavailable");
    world_charge(1, "TAG", 7);
    world_ask_expect("ChangeAvailability", answer_change_availability,
                     "{\"connectorId\":0,\"type\":\"Inoperative\"}", "Scheduled");
    world_nothing();
    charger_stop(cp, 1, NULL, NULL);
    world_stop("Local");
    world_status(1, "Unavailable");
    world_status(0, "Unavailable");
    sessions_after_reboot(cp, "HardReset"); /* C4: persists */
    place_accepted(cp);
    world_status(0, "Unavailable");
    world_skip();
    world_ask_expect("ChangeAvailability", answer_change_availability,
                     "{\"connectorId\":0,\"type\":\"Operative\"}", "Accepted");
    world_status(0, "Available");
    world_status(1, "Finishing");
    world_status(2, "Available");
    world_ask_expect("ChangeAvailability", answer_change_availability,
                     "{\"connectorId\":9,\"type\":\"Operative\"}", "Rejected");
}

static void test_unlock(void **state)
{
    (void)state;
    world_ask_expect("UnlockConnector", answer_unlock_connector, "{\"connectorId\":1}", "Unlocked");
    world_ask_expect("UnlockConnector", answer_unlock_connector, "{\"connectorId\":0}",
                     "NotSupported");
    world_charge(1, "TAG", 7);
    world_ask_expect("UnlockConnector", answer_unlock_connector, "{\"connectorId\":1}", "Unlocked");
    world_stop("UnlockCommand");
    charger_set_fault(cp, 1, "ConnectorLockFailure", NULL);
    world_ask_expect("UnlockConnector", answer_unlock_connector, "{\"connectorId\":1}",
                     "UnlockFailed");
}

static void test_remote_start_and_stop(void **state)
{
    (void)state;
    world_ask_expect("RemoteStartTransaction", answer_remote_start,
                     "{\"connectorId\":3,\"idTag\":\"TAG\"}", "Rejected");
    charger_plug(cp, 2, NULL, false, NULL);
    world_status(2, "Preparing");
    world_ask_expect("RemoteStartTransaction", answer_remote_start, "{\"idTag\":\"TAG\"}",
                     "Accepted");
    world_answer(world_take("Authorize"), ACCEPTED);
    struct sim_call *start = world_take("StartTransaction");
    assert_int_equal(world_member(world_payload(start), "connectorId"), 2);
    world_status(2, "Charging");
    world_answer(start, "{\"transactionId\":9,\"idTagInfo\":{\"status\":\"Accepted\"}}");
    world_ask_expect("RemoteStartTransaction", answer_remote_start,
                     "{\"connectorId\":2,\"idTag\":\"TAG\"}", "Rejected");
    world_ask_expect("RemoteStopTransaction", answer_remote_stop, "{\"transactionId\":8}",
                     "Rejected");
    world_ask_expect("RemoteStopTransaction", answer_remote_stop, "{\"transactionId\":9}",
                     "Accepted");
    world_stop("Remote");
    world_status(2, "Finishing");
    world_nothing();
}

static void test_remote_start_without_asking(void **state)
{
    (void)state;
    world.keys[0].key = "AuthorizeRemoteTxRequests";
    world.keys[0].value = "false";
    world_ask_expect("RemoteStartTransaction", answer_remote_start,
                     "{\"connectorId\":1,\"idTag\":\"TAG\"}", "Accepted");
    world_status(1, "Preparing");
    world_ask_expect("RemoteStartTransaction", answer_remote_start,
                     "{\"connectorId\":1,\"idTag\":\"TAG\"}", "Rejected");
    charger_plug(cp, 1, NULL, false, NULL);
    world_take("StartTransaction");
}

static void test_autocharge(void **state)
{
    (void)state;
    cp->settings.autocharge = true;
    charger_plug(cp, 1, "VID:FCA47A147858", true, NULL);
    world_status(1, "Preparing");
    const struct json *mac = world_payload(world_take("DataTransfer"));
    assert_string_equal(json_gets(mac, "messageId"), "MacID");
    assert_string_equal(json_gets(mac, "data"), "VID:FCA47A147858");
    world_take("Authorize");
}

static void test_power_loss(void **state)
{
    (void)state;
    world_charge(1, "TAG", 7);
    world_pass(30000);
    world_skip();
    sessions_power_lost(cp);
    world_pass(60000);
    world_nothing();
    sessions_after_reboot(cp, "PowerLoss");
    const struct json *stop = world_stop("PowerLoss");
    assert_int_equal(world_member(stop, "meterStop"), 1000);
    assert_string_equal(json_gets(stop, "timestamp"), "2025-07-14T05:01:30Z");
    world_skip();
    place_accepted(cp);
    world_status(0, "Available");
    world_status(1, "Finishing");
    world_status(2, "Available");
    assert_string_equal(json_gets(world_payload(world_take("SecurityEventNotification")), "type"),
                        "ResetOrReboot");
}

static void test_stop_reasons(void **state)
{
    (void)state;
    struct reason why;
    static const char *const reasons[] = {"EmergencyStop", "Other", "Reboot", "SoftReset"};
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        world_charge(1, "TAG", (int)i + 1);
        assert_false(charger_stop(cp, 1, "Boredom", &why));
        assert_true(charger_stop(cp, 1, reasons[i], NULL));
        world_stop(reasons[i]);
        charger_unplug(cp, 1, NULL);
        world_skip();
    }
    assert_int_equal(cp->figures.sessions_stopped, 4);
}

static void test_faults_of_stop(void **state)
{
    (void)state;
    world.faults[0] = "stop_without_tag";
    world_charge(1, "TAG", 1);
    charger_stop(cp, 1, NULL, NULL);
    assert_null(json_gets(world_stop("Local"), "idTag"));
    world_status(1, "Finishing");
    charger_unplug(cp, 1, NULL);
    world_status(1, "Available");
    world.faults[0] = "stop_unknown";
    world.faults[1] = "meter_stop_below_start";
    world.faults[2] = "status_race";
    charger_plug(cp, 1, "TAG", true, NULL);
    world_status(1, "Preparing");
    world_answer(world_take("Authorize"), ACCEPTED);
    world_status(1, "Charging");
    world_take("StartTransaction");
    charger_stop(cp, 1, NULL, NULL);
    world_status(1, "Finishing");
    assert_int_equal(world_member(world_stop("Local"), "meterStop"), -1);
    assert_int_equal(world_member(world_payload(world_take("StopTransaction")), "transactionId"),
                     2000000000);
}

static void test_short_statuses_are_not_told(void **state)
{
    (void)state;
    world.keys[0].key = "MinimumStatusDuration";
    world.keys[0].value = "5";
    charger_plug(cp, 1, NULL, false, NULL);
    world_pass(4999);
    world_nothing();
    charger_unplug(cp, 1, NULL);
    world_pass(60000);
    world_nothing(); /* Available was told last, and is again */
    charger_plug(cp, 1, NULL, false, NULL);
    world_pass(5000);
    world_status(1, "Preparing");
}

static void test_state(void **state)
{
    (void)state;
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    struct arena arena = {0};
    struct reason why;
    world_charge(1, "TAG", 7);
    json_open(&out, '{');
    place_write_state(cp, &out);
    json_close(&out, '}');
    struct json *root = json_parse(&arena, text.at, text.len, &why, NULL);
    assert_non_null(root);
    const struct json *first = json_get(root, "connectors")->child;
    assert_string_equal(json_gets(first, "status"), "Charging");
    assert_int_equal(world_member(first, "transactionId"), 7);
    assert_string_equal(json_gets(first, "startedAt"), "2025-07-14T05:00:00Z");
    assert_int_equal(json_get(first->next, "transactionId")->type, JSON_NULL);
    arena_clear(&arena);
    strbuf_clear(&text);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_plug_first),
        CASE(test_tag_first_then_cable),
        CASE(test_cable_never_comes),
        CASE(test_refused_tag),
        CASE(test_late_answer_of_another_tag),
        CASE(test_local_verdict_asks_nobody),
        CASE(test_offline),
        CASE(test_authorize_lost_with_the_line),
        CASE(test_deauthorized_stops),
        CASE(test_deauthorized_withholds_energy),
        CASE(test_deauthorized_gives_a_little),
        CASE(test_own_tag_stops),
        CASE(test_foreign_tag_is_refused),
        CASE(test_tag_of_the_group_stops),
        CASE(test_unplugged_while_charging),
        CASE(test_suspend_and_resume),
        CASE(test_fault_ends_the_session),
        CASE(test_unknown_connector),
        CASE(test_availability),
        CASE(test_unlock),
        CASE(test_remote_start_and_stop),
        CASE(test_remote_start_without_asking),
        CASE(test_autocharge),
        CASE(test_power_loss),
        CASE(test_stop_reasons),
        CASE(test_faults_of_stop),
        CASE(test_short_statuses_are_not_told),
        CASE(test_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

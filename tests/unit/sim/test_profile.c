/* Charging profiles: which are taken, how they bend the power, when they go. */
#include "place_world.h"

static struct charger *const cp = &world.charger;

static void set(int connector, int id, const char *purpose, int level, const char *more,
                const char *schedule, const char *status)
{
    char text[700];
    snprintf(text, sizeof(text),
             "{\"connectorId\":%d,\"csChargingProfiles\":{\"chargingProfileId\":%d,"
             "\"stackLevel\":%d,\"chargingProfilePurpose\":\"%s\",%s"
             "\"chargingProfileKind\":\"Absolute\",\"chargingSchedule\":{"
             "\"startSchedule\":\"2025-07-14T05:00:00Z\",%s}}}",
             connector, id, level, purpose, more, schedule);
    world_ask_expect("SetChargingProfile", answer_set_charging_profile, text, status);
}

#define WATTS(w)                                                                                   \
    "\"chargingRateUnit\":\"W\",\"chargingSchedulePeriod\":[{\"startPeriod\":0,\"limit\":" #w "}]"

static double power(int connector)
{
    meter_advance(cp, world_connector(connector));
    return world_connector(connector)->power_w;
}

static void test_limits_bend_the_power(void **state)
{
    (void)state;
    world_charge(1, "TAG", 7);
    assert_true(power(1) == 120000);
    set(1, 1, "TxDefaultProfile", 0, "", WATTS(50000), "Accepted");
    assert_true(world_connector(1)->power_w == 50000);
    set(0, 2, "ChargePointMaxProfile", 0, "", WATTS(30000), "Accepted");
    assert_true(world_connector(1)->power_w == 30000);
    set(1, 3, "TxProfile", 0, "\"transactionId\":7,", WATTS(20000), "Accepted");
    assert_true(world_connector(1)->power_w == 20000);
    set(1, 4, "TxProfile", 1, "", WATTS(25000), "Accepted"); /* P2 */
    assert_true(world_connector(1)->power_w == 25000);
    world_pass(60000);
    assert_int_equal(meter_register_wh(world_connector(1)), 416);
}

static void test_schedule_in_time(void **state)
{
    (void)state;
    set(1, 1, "TxDefaultProfile", 0, "",
        "\"chargingRateUnit\":\"W\",\"chargingSchedulePeriod\":[{\"startPeriod\":0,\"limit\":60000}"
        ","
        "{\"startPeriod\":60,\"limit\":0},{\"startPeriod\":120,\"limit\":36000.5}]",
        "Accepted");
    world_charge(1, "TAG", 7);
    assert_true(power(1) == 60000);
    world_pass(60000);
    world_skip();
    assert_true(power(1) == 0);
    assert_string_equal(connector_status_text(cp, 1), "SuspendedEVSE");
    world_pass(60000);
    assert_true(power(1) == 36000.5);
    assert_string_equal(connector_status_text(cp, 1), "Charging");
    assert_int_equal(meter_register_wh(world_connector(1)), 1000);
}

static void test_max_profile_is_shared(void **state)
{
    (void)state;
    set(0, 2, "ChargePointMaxProfile", 0, "", WATTS(80000), "Accepted");
    world_charge(1, "TAG", 7);
    assert_true(power(1) == 80000);
    world_charge(2, "TAG2", 8);
    assert_true(power(1) == 40000);
    assert_true(power(2) == 40000);
}

static void test_refused(void **state)
{
    (void)state;
    set(1, 1, "TxProfile", 0, "", WATTS(50000), "Rejected"); /* no transaction */
    set(1, 1, "ChargePointMaxProfile", 0, "", WATTS(50000), "Rejected");
    set(3, 1, "TxDefaultProfile", 0, "", WATTS(50000), "Rejected");
    set(1, 1, "TxDefaultProfile", 6, "", WATTS(50000), "Rejected"); /* level */
    world.keys[0].key = "ChargingScheduleAllowedChargingRateUnit";
    world.keys[0].value = "Current";
    set(1, 1, "TxDefaultProfile", 0, "", WATTS(50000), "Rejected");
    world.keys[0].value = "Power";
    set(1, 1, "TxDefaultProfile", 0, "", WATTS(50000), "Accepted");
    world.keys[1].key = "MaxChargingProfilesInstalled";
    world.keys[1].value = "1";
    set(1, 2, "TxDefaultProfile", 1, "", WATTS(50000), "Rejected");
    set(1, 2, "TxDefaultProfile", 0, "", WATTS(40000), "Accepted"); /* replaces */
    world_charge(1, "TAG", 7);
    assert_true(power(1) == 40000);
    set(1, 9, "TxProfile", 0, "\"transactionId\":8,", WATTS(1000), "Rejected");
    world.keys[2].key = "SupportedFeatureProfiles";
    world.keys[2].value = "Core";
    set(1, 2, "TxDefaultProfile", 0, "", WATTS(40000), "NotSupported");
    assert_null(world_ask("ClearChargingProfile", answer_clear_charging_profile, "{}"));
    assert_null(world_ask("GetCompositeSchedule", answer_get_composite_schedule,
                          "{\"connectorId\":1,\"duration\":60}"));
}

static void test_periods_are_bounded(void **state)
{
    (void)state;
    world.keys[0].key = "ChargingScheduleMaxPeriods";
    world.keys[0].value = "1";
    set(1, 1, "TxDefaultProfile", 0, "",
        "\"chargingRateUnit\":\"W\",\"chargingSchedulePeriod\":[{\"startPeriod\":0,\"limit\":1},"
        "{\"startPeriod\":60,\"limit\":2}]",
        "Rejected");
}

static void test_tx_profile_ends_with_its_transaction(void **state)
{
    (void)state;
    world_charge(1, "TAG", 7);
    set(1, 3, "TxProfile", 0, "", WATTS(20000), "Accepted");
    charger_stop(cp, 1, NULL, NULL);
    charger_unplug(cp, 1, NULL);
    world_skip();
    world_charge(1, "TAG", 8);
    assert_true(power(1) == 120000);
    world_ask_expect("ClearChargingProfile", answer_clear_charging_profile, "{\"id\":3}",
                     "Unknown");
}

static void test_default_persists_over_a_reboot(void **state)
{
    (void)state;
    set(0, 1, "TxDefaultProfile", 0, "", WATTS(50000), "Accepted");
    sessions_power_lost(cp);
    world_pass(2000);
    sessions_after_reboot(cp, "PowerLoss");
    world_charge(2, "TAG", 7);
    assert_true(power(2) == 50000);
}

static void test_remote_start_with_profile(void **state)
{
    (void)state;
    static const char with[] =
        "{\"connectorId\":1,\"idTag\":\"TAG\",\"chargingProfile\":{\"chargingProfileId\":4,"
        "\"stackLevel\":0,\"chargingProfilePurpose\":\"%s\",\"chargingProfileKind\":"
        "\"Relative\",\"chargingSchedule\":{\"chargingRateUnit\":\"W\","
        "\"chargingSchedulePeriod\":[{\"startPeriod\":0,\"limit\":11000}]}}}";
    char text[500];
    snprintf(text, sizeof(text), with, "TxDefaultProfile");
    world_ask_expect("RemoteStartTransaction", answer_remote_start, text, "Rejected"); /* C7 */
    snprintf(text, sizeof(text), with, "TxProfile");
    world_ask_expect("RemoteStartTransaction", answer_remote_start, text, "Accepted");
    world_answer(world_take("Authorize"), "{\"idTagInfo\":{\"status\":\"Accepted\"}}");
    charger_plug(cp, 1, NULL, false, NULL);
    assert_true(power(1) == 11000);
    charger_stop(cp, 1, NULL, NULL);
    charger_unplug(cp, 1, NULL);
    world_ask_expect("RemoteStartTransaction", answer_remote_start, text, "Accepted");
    world_pass(100); /* refused: the profile goes with the session that never was */
    world_skip();
    world_answer(world.calls[world.called - 2], "{\"idTagInfo\":{\"status\":\"Invalid\"}}");
    world_ask_expect("ClearChargingProfile", answer_clear_charging_profile, "{\"id\":4}",
                     "Unknown");
}

static void test_clear_by_each_field(void **state)
{
    (void)state;
    set(0, 1, "ChargePointMaxProfile", 0, "", WATTS(90000), "Accepted");
    set(1, 2, "TxDefaultProfile", 0, "", WATTS(50000), "Accepted");
    set(2, 3, "TxDefaultProfile", 1, "", WATTS(50000), "Accepted");
    world_ask_expect("ClearChargingProfile", answer_clear_charging_profile,
                     "{\"connectorId\":2,\"stackLevel\":0}", "Unknown");
    world_ask_expect("ClearChargingProfile", answer_clear_charging_profile,
                     "{\"connectorId\":2,\"stackLevel\":1}", "Accepted");
    world_ask_expect("ClearChargingProfile", answer_clear_charging_profile,
                     "{\"chargingProfilePurpose\":\"ChargePointMaxProfile\"}", "Accepted");
    world_ask_expect("ClearChargingProfile", answer_clear_charging_profile,
                     "{\"id\":2,\"connectorId\":9}", "Accepted"); /* id overrules */
    world_ask_expect("ClearChargingProfile", answer_clear_charging_profile, "{}", "Unknown");
}

static void test_composite(void **state)
{
    (void)state;
    set(1, 2, "TxDefaultProfile", 0, "", WATTS(50000), "Accepted");
    const struct json *answer = world_ask("GetCompositeSchedule", answer_get_composite_schedule,
                                          "{\"connectorId\":1,\"duration\":600}");
    const struct json *schedule = json_get(answer, "chargingSchedule");
    assert_string_equal(json_gets(answer, "status"), "Accepted");
    assert_string_equal(json_gets(answer, "scheduleStart"), "2025-07-14T05:00:00Z");
    assert_string_equal(json_gets(schedule, "chargingRateUnit"), "W");
    const struct json *period = json_get(schedule, "chargingSchedulePeriod")->child;
    assert_int_equal(world_member(period, "limit"), 50000);
    /* nothing limits: the hardware */
    answer = world_ask("GetCompositeSchedule", answer_get_composite_schedule,
                       "{\"connectorId\":0,\"duration\":600,\"chargingRateUnit\":\"W\"}");
    period = json_get(json_get(answer, "chargingSchedule"), "chargingSchedulePeriod")->child;
    assert_int_equal(world_member(period, "limit"), 240000);
    world_ask_expect("GetCompositeSchedule", answer_get_composite_schedule,
                     "{\"connectorId\":1,\"duration\":0}", "Rejected");
    assert_null(world_ask("GetCompositeSchedule", answer_get_composite_schedule,
                          "{\"connectorId\":3,\"duration\":60}"));
    world.keys[0].key = "ChargingScheduleAllowedChargingRateUnit";
    world.keys[0].value = "Power";
    assert_null(world_ask("GetCompositeSchedule", answer_get_composite_schedule,
                          "{\"connectorId\":1,\"duration\":60,\"chargingRateUnit\":\"A\"}"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_limits_bend_the_power),
        CASE(test_schedule_in_time),
        CASE(test_max_profile_is_shared),
        CASE(test_refused),
        CASE(test_periods_are_bounded),
        CASE(test_tx_profile_ends_with_its_transaction),
        CASE(test_default_persists_over_a_reboot),
        CASE(test_remote_start_with_profile),
        CASE(test_clear_by_each_field),
        CASE(test_composite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

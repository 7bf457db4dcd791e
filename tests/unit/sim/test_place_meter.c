/* What the meters tell: samples, clock-aligned data, transactionData, and the meter faults. */
#include "place_world.h"

static struct charger *const cp = &world.charger;

static const struct json *sampled(const struct json *payload, const char *measurand)
{
    const struct json *list = json_get(json_get(payload, "meterValue")->child, "sampledValue");
    for (const struct json *at = list->child; at; at = at->next)
        if (text_is(json_gets(at, "measurand"), measurand))
            return at;
    return NULL;
}

static const struct json *next_values(void)
{
    return world_payload(world_take("MeterValues"));
}

static void value_is(const struct json *payload, const char *measurand, const char *value,
                     const char *unit)
{
    const struct json *found = sampled(payload, measurand);
    if (!found)
        fail_msg("no %s", measurand);
    assert_string_equal(json_gets(found, "value"), value);
    assert_string_equal(json_gets(found, "unit"), unit);
}

static void test_sample_interval(void **state)
{
    (void)state;
    world_charge(1, "TAG", 7);
    world_pass(9999);
    world_nothing();
    world_pass(1);
    const struct json *payload = next_values();
    assert_int_equal(world_member(payload, "transactionId"), 7);
    value_is(payload, "Energy.Active.Import.Register", "333", "Wh");
    value_is(payload, "Power.Active.Import", "120000", "W");
    value_is(payload, "SoC", "20.4", "Percent");
    assert_non_null(sampled(payload, "Voltage"));
    assert_non_null(sampled(payload, "Current.Import"));
    assert_non_null(sampled(payload, "Temperature"));
    assert_string_equal(json_gets(sampled(payload, "SoC"), "context"), "Sample.Periodic");
    world_pass(50000);
    for (int i = 0; i < 5; i++)
        next_values();
    world_nothing();
}

static void test_interval_zero_is_silent(void **state)
{
    (void)state;
    world.keys[0].key = "MeterValueSampleInterval";
    world.keys[0].value = "0";
    world_charge(1, "TAG", 7);
    world_pass(3600000);
    world_status(1, "SuspendedEV"); /* full */
    world_nothing();
}

static void test_interval_changes_while_charging(void **state)
{
    (void)state;
    world_charge(1, "TAG", 7);
    world_pass(1000);
    world.keys[0].key = "MeterValueSampleInterval";
    world.keys[0].value = "2";
    place_configured(cp, "MeterValueSampleInterval");
    world_pass(1000);
    next_values();
    world_nothing();
}

static void test_ac_has_three_phases(void **state)
{
    (void)state;
    place_close(cp);
    xfree(cp->ids);
    world_open_with(CAR_AC, 1);
    world_charge(1, "TAG", 7);
    world_pass(10000);
    const struct json *payload = next_values();
    const struct json *current = sampled(payload, "Current.Import");
    assert_string_equal(json_gets(current, "phase"), "L1");
    assert_string_equal(json_gets(current, "value"), "31.9");
    assert_string_equal(json_gets(current->next->next, "phase"), "L3");
    value_is(payload, "Power.Active.Import", "22000", "W");
}

static void test_nothing_chosen_sends_nothing(void **state)
{
    (void)state;
    world.keys[0].key = "MeterValuesSampledData";
    world.keys[0].value = "";
    world_charge(1, "TAG", 7);
    world_pass(60000);
    world_nothing();
    world.keys[0].value = "Frequency, SoC";
    world_pass(10000);
    const struct json *payload = next_values();
    assert_non_null(sampled(payload, "SoC"));
    assert_null(sampled(payload, "Energy.Active.Import.Register"));
}

static void test_triggered(void **state)
{
    (void)state;
    connector_send_meter(cp, 2);
    struct sim_call *call = world_take("MeterValues");
    assert_false(call->transactional);
    const struct json *payload = world_payload(call);
    assert_null(json_get(payload, "transactionId"));
    assert_string_equal(json_gets(sampled(payload, "Voltage"), "context"), "Trigger");
    assert_null(sampled(payload, "SoC")); /* no car */
    connector_send_meter(cp, 0);
    world_payload(world_take("MeterValues"));
    world.offline = true;
    connector_send_meter(cp, 2);
    world_nothing();
}

static void test_clock_aligned(void **state)
{
    (void)state;
    world.keys[0].key = "MeterValueSampleInterval";
    world.keys[0].value = "0";
    world.keys[1].key = "ClockAlignedDataInterval";
    world.keys[1].value = "900";
    world_pass(7 * 60 * 1000);
    place_configured(cp, "ClockAlignedDataInterval");
    world_charge(1, "TAG", 7);
    world_pass(8 * 60 * 1000 - 1);
    world_nothing();
    world_pass(1);
    for (int id = 0; id <= 2; id++) {
        const struct json *payload = next_values();
        assert_int_equal(world_member(payload, "connectorId"), id);
        assert_string_equal(json_gets(json_get(payload, "meterValue")->child, "timestamp"),
                            "2025-07-14T05:15:00Z");
        assert_string_equal(json_gets(sampled(payload, "Energy.Active.Import.Register"), "context"),
                            "Sample.Clock");
        assert_true((json_get(payload, "transactionId") != NULL) == (id == 1));
    }
    world_nothing();
    world.keys[1].value = "0";
    place_configured(cp, "ClockAlignedDataInterval");
    world_pass(900000);
    world_nothing();
}

static void test_transaction_data(void **state)
{
    (void)state;
    static const char *const contexts[] = {"Transaction.Begin", "Sample.Periodic",
                                           "Sample.Periodic", "Transaction.End"};
    world.keys[0].key = "StopTxnSampledData";
    world.keys[0].value = "Energy.Active.Import.Register";
    world_charge(1, "TAG", 7);
    world_pass(25000);
    world_skip();
    charger_stop(cp, 1, NULL, NULL);
    const struct json *data = json_get(world_stop("Local"), "transactionData");
    assert_int_equal(data->count, 4);
    const struct json *item = data->child;
    for (size_t i = 0; i < 4; i++, item = item->next)
        assert_string_equal(json_gets(json_get(item, "sampledValue")->child, "context"),
                            contexts[i]);
    charger_unplug(cp, 1, NULL);
    world_skip();
    world_charge(1, "TAG", 8); /* nothing of the last session is left */
    charger_stop(cp, 1, NULL, NULL);
    assert_int_equal(json_get(world_stop("Local"), "transactionData")->count, 2);
}

static void test_transaction_data_is_bounded(void **state)
{
    (void)state;
    world.keys[0].key = "StopTxnSampledData";
    world.keys[0].value = "Energy.Active.Import.Register,SoC,Voltage";
    world_charge(1, "TAG", 7);
    world_pass(3 * 3600 * 1000);
    world_skip();
    charger_stop(cp, 1, NULL, NULL);
    const struct sim_call *stop = world_take("StopTransaction");
    assert_true(strlen(stop->payload) < 40000);
    assert_non_null(strstr(stop->payload, "Transaction.End"));
}

static void test_meter_faults(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *measurand, *value, *unit;
    } rows[] = {
        {"meter_kwh", "Energy.Active.Import.Register", "0.666", "kWh"},
        {"meter_empty", "Energy.Active.Import.Register", "", "Wh"},
        {"meter_zero", "Energy.Active.Import.Register", "0", "Wh"},
        {"meter_watts_as_kw", "Power.Active.Import", "120000", "kW"},
        {"meter_session_register", "Energy.Active.Import.Register", "1667", "Wh"},
    };
    world_charge(1, "TAG", 7);
    world_pass(10000);
    next_values();
    charger_stop(cp, 1, NULL, NULL);
    charger_unplug(cp, 1, NULL);
    world_skip();
    world_charge(1, "TAG", 8); /* meterStart 333 */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        world.faults[0] = rows[i].fault;
        world_pass(10000);
        value_is(next_values(), rows[i].measurand, rows[i].value, rows[i].unit);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sample_interval),
        CASE(test_interval_zero_is_silent),
        CASE(test_interval_changes_while_charging),
        CASE(test_ac_has_three_phases),
        CASE(test_nothing_chosen_sends_nothing),
        CASE(test_triggered),
        CASE(test_clock_aligned),
        CASE(test_transaction_data),
        CASE(test_transaction_data_is_bounded),
        CASE(test_meter_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

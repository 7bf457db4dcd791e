/* MeterValues: rules V1 to V7, X4, X8, X14, Q15, Q32, and transaction_energy_wh. */
#include "fake.h"

#include "station/meter_normalise.h"

#define T1 "2025-07-14T05:20:05Z"

/* ---- one meterValue ---- */

static struct arena arena;

/* `samples`: the items of sampledValue. */
static struct meter_reading read_samples(const char *samples)
{
    char *text = xprintf("{\"sampledValue\":[%s]}", samples);
    char *kept = arena_strdup(&arena, text);
    xfree(text);
    struct json *value = json_parse(&arena, kept, strlen(kept), NULL, NULL);
    assert_non_null(value);
    struct meter_reading reading;
    meter_normalise(&arena, value, NULL, &reading);
    return reading;
}

static int forget(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

#define ENERGY(value, unit) "{\"value\":\"" value "\",\"unit\":\"" unit "\"}"
#define SAMPLE(measurand, value, more)                                                             \
    "{\"measurand\":\"" measurand "\",\"value\":\"" value "\"" more "}"
#define UNIT(unit) ",\"unit\":\"" unit "\""
#define PHASE(phase) ",\"phase\":\"" phase "\""

static void v1_defaults_are_filled_in(void **state)
{
    (void)state;
    const struct meter_reading reading = read_samples("{\"value\":\"5\"}");
    assert_int_equal(reading.sample_count, 1);
    assert_string_equal(reading.samples[0].measurand, "Energy.Active.Import.Register");
    assert_string_equal(reading.samples[0].context, "Sample.Periodic");
    assert_string_equal(reading.samples[0].format, "Raw");
    assert_string_equal(reading.samples[0].location, "Outlet");
    assert_string_equal(reading.samples[0].unit, "Wh");
    assert_null(reading.samples[0].phase);
    assert_int_equal(reading.energy_wh, 5);
    assert_null(read_samples(SAMPLE("SoC", "5", "")).samples[0].unit);
    assert_int_equal(read_samples("").sample_count, 0);
}

static void v2_values_that_are_no_numbers_are_kept_as_text(void **state)
{
    (void)state;
    const char *const texts[] = {"", "NaN", "n/a", "1.2.3"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char *sample = xprintf("{\"value\":\"%s\"}", texts[i]);
        const struct meter_reading reading = read_samples(sample);
        assert_int_equal(reading.energy_wh, ABSENT);
        assert_string_equal(reading.samples[0].value, texts[i]);
        xfree(sample);
    }
    assert_int_equal(read_samples(ENERGY(" 1,5 ", "kWh")).energy_wh, 1500);
}

static void v2_q32_signed_data_is_opaque(void **state)
{
    (void)state;
    const struct meter_reading reading =
        read_samples("{\"value\":\"123\",\"format\":\"SignedData\"}");
    assert_int_equal(reading.energy_wh, ABSENT);
    assert_string_equal(reading.samples[0].value, "123");
}

static void v3_q15_units_are_normalised(void **state)
{
    (void)state;
    assert_int_equal(read_samples(ENERGY("12.3455", "kWh")).energy_wh, 12346);
    assert_int_equal(read_samples(ENERGY("7", "wh")).energy_wh, 7);
    assert_int_equal(read_samples(ENERGY("7", "Celsius")).energy_wh, ABSENT);
    assert_int_equal(read_samples(SAMPLE("Power.Active.Import", "59.4", UNIT("kW"))).power_w,
                     59400);
    assert_int_equal(read_samples(SAMPLE("Power.Active.Import", "230", "")).power_w, 230);
    assert_int_equal(read_samples(SAMPLE("SoC", "79.6", UNIT("Percent"))).soc, 80);
    assert_int_equal(read_samples(SAMPLE("Voltage", "399.95", UNIT("V"))).voltage_dv, 4000);
    assert_int_equal(read_samples(SAMPLE("Current.Import", "16.04", UNIT("A"))).current_da, 160);
    assert_int_equal(read_samples(SAMPLE("Temperature", "21.5", UNIT("Celcius"))).temperature_dc,
                     215);
    assert_int_equal(read_samples(SAMPLE("Temperature", "300", UNIT("K"))).temperature_dc, 269);
    assert_int_equal(read_samples(SAMPLE("Temperature", "0", UNIT("K"))).temperature_dc, -2731);
    assert_int_equal(read_samples(SAMPLE("Temperature", "-40", UNIT("Fahrenheit"))).temperature_dc,
                     -400);
    assert_int_equal(read_samples(SAMPLE("Temperature", "70", UNIT("Fahrenheit"))).temperature_dc,
                     211);
}

static void v7_a_total_beats_the_phases_and_phases_are_added(void **state)
{
    (void)state;
    assert_int_equal(read_samples("{\"value\":\"10\",\"phase\":\"L1\"},{\"value\":\"20\",\"phase\":"
                                  "\"L2\"},{\"value\":\"30\",\"phase\":\"L3\"}")
                         .energy_wh,
                     60);
    assert_int_equal(
        read_samples("{\"value\":\"10\",\"phase\":\"L1\"},{\"value\":\"99\"}").energy_wh, 99);
    struct strbuf many = {0}; /* of no real charger: their sum fits no integer */
    for (int i = 0; i < 100; i++)
        strbuf_addf(&many, "%s{\"value\":\"1e17\",\"phase\":\"L1\"}", i > 0 ? "," : "");
    assert_int_equal(read_samples(strbuf_text(&many)).energy_wh, 100000000000000000);
    strbuf_clear(&many);
    const struct meter_reading ac =
        read_samples(SAMPLE("Current.Import", "10", PHASE("L1")) "," SAMPLE(
            "Current.Import", "16",
            PHASE("L2")) "," SAMPLE("Current.Import", "3",
                                    PHASE("N")) "," SAMPLE("Voltage", "230",
                                                           PHASE(
                                                               "L1-N")) "," SAMPLE("Voltage", "231",
                                                                                   PHASE("L2-N")));
    assert_int_equal(ac.current_da, 160);
    assert_int_equal(ac.voltage_dv, 2300);
}

static void v7_intervals_and_exports_are_not_the_register(void **state)
{
    (void)state;
    const struct meter_reading reading =
        read_samples(SAMPLE("Energy.Active.Import.Interval", "5",
                            "") "," SAMPLE("Energy.Active.Export.Register", "6",
                                           "") "," SAMPLE("Power.Offered", "59402", UNIT("kW")));
    assert_int_equal(reading.energy_wh, ABSENT);
    assert_int_equal(reading.power_w, ABSENT);
    assert_int_equal(reading.sample_count, 3);
}

static void the_outlet_beats_other_locations(void **state)
{
    (void)state;
    assert_int_equal(
        read_samples("{\"value\":\"7\",\"location\":\"Inlet\"},{\"value\":\"5\"}").energy_wh, 5);
    assert_int_equal(read_samples("{\"value\":\"7\",\"location\":\"Inlet\"}").energy_wh, 7);
    assert_int_equal(read_samples(SAMPLE("SoC", "50", ",\"location\":\"EV\"")).soc, 50);
}

/* ---- plausible? ---- */

static struct meter_frame frame_from(int64_t meter_start_wh)
{
    const struct sample_state none = {ABSENT, ABSENT, ABSENT, ABSENT, ABSENT, ABSENT, 0};
    return (struct meter_frame){.last = none, .meter_start_wh = meter_start_wh, .rating_w = ABSENT};
}

static bool is_odd(struct meter_frame *frame, wall_t at, int64_t energy_wh)
{
    struct meter_reading reading = read_samples("");
    reading.energy_wh = energy_wh;
    meter_judge(frame, at, &reading);
    assert_int_equal(reading.energy_wh, reading.implausible ? ABSENT : energy_wh);
    return reading.implausible;
}

static void v5_a_falling_register_and_a_momentary_zero(void **state)
{
    (void)state;
    struct meter_frame frame = frame_from(1000);
    assert_false(is_odd(&frame, 1, 1500));
    assert_true(is_odd(&frame, 2, 1400));
    assert_true(is_odd(&frame, 3, 0));
    assert_int_equal(frame.last.energy_wh, 1500); /* the base stays */
    assert_false(is_odd(&frame, 4, 1600));
    assert_false(is_odd(&frame, 2, 1550)); /* an older one that comes late is no fall (X5) */
    assert_int_equal(frame.last.energy_wh, 1600);
    assert_true(is_odd(&frame, 5, -5));
    assert_false(frame.session_register);
    frame = frame_from(0);
    assert_false(is_odd(&frame, 1, 0));
}

static void v5_power_above_five_times_the_rating(void **state)
{
    (void)state;
    struct meter_frame frame = frame_from(0);
    struct meter_reading reading = read_samples(SAMPLE("Power.Active.Import", "59402", UNIT("kW")));
    meter_judge(&frame, 1, &reading);
    assert_true(reading.implausible);
    assert_int_equal(frame.last.power_w, ABSENT);
    frame.rating_w = 11000;
    reading = read_samples(SAMPLE("Power.Active.Import", "55", UNIT("kW")));
    meter_judge(&frame, 2, &reading);
    assert_false(reading.implausible);
    reading = read_samples(SAMPLE("Power.Active.Import", "55001", ""));
    meter_judge(&frame, 3, &reading);
    assert_true(reading.implausible);
    reading = read_samples(SAMPLE("SoC", "101", ""));
    meter_judge(&frame, 4, &reading);
    assert_true(reading.implausible);
}

static void v6_session_energy_instead_of_the_register(void **state)
{
    (void)state;
    struct meter_frame frame = frame_from(500000);
    assert_false(is_odd(&frame, 1, 500000)); /* lifetime at the start … */
    assert_false(is_odd(&frame, 2, 1200));   /* … session in between */
    assert_true(frame.session_register);
    assert_false(is_odd(&frame, 3, 1300));
    assert_true(is_odd(&frame, 4, 1250));
    frame = frame_from(500000); /* rounded down is no session register */
    assert_false(is_odd(&frame, 1, 499999));
    assert_false(frame.session_register);
}

/* ---- the CALL ---- */

static struct fake *fake_with_transaction(void)
{
    struct fake *f = fake_with_cp1();
    say(f, "CP1",
        "[2,\"start\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":1000,"
        "\"timestamp\":\"2025-07-14T05:20:00Z\"}]");
    next_sent(f);
    policy_hears(f, EVENT_METER);
    lines_clear(&f->rows);
    return f;
}

static void meter(struct fake *f, const char *id, const char *members, const char *value)
{
    char *text = xprintf("[2,\"%s\",\"MeterValues\",{%s,\"meterValue\":[{\"timestamp\":\"" T1
                         "\",\"sampledValue\":[{\"value\":\"%s\"}]}]}]",
                         id, members, value);
    say(f, "CP1", text);
    xfree(text);
}

static void v4_values_without_a_transaction_are_answered_at_once(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->hold = true;
    meter(f, "1", "\"connectorId\":1", "5");
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    meter(f, "2", "\"connectorId\":0,\"transactionId\":null", "77");
    EXPECT_SENT(f, "1 [3,\"2\",{}]");
    station_flush(f->st);
    store_release(f);
    EXPECT_ROWS(f, 1, "METER evse=1 connector=1 tx=0 energy=5 implausible=0");
    EXPECT_ROWS(f, 1, "METER evse=0 connector=0 tx=0 energy=77");
    EXPECT_EVENTS(f, 0, "meter");
    assert_int_equal(station_transaction(f->st, 1)->sample.energy_wh, ABSENT);
    fake_free(f);
}

static void x4_values_of_a_transaction_are_stored_first(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    f->hold = true;
    meter(f, "1", "\"connectorId\":1,\"transactionId\":1", "1500");
    EXPECT_NOTHING(f);
    store_release(f);
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_ROWS(f, 1, "METER evse=1 connector=1 tx=1 ts=1752470405000 energy=1500");
    const struct transaction *tx = station_transaction(f->st, 1);
    assert_int_equal(tx->sample.energy_wh, 1500);
    assert_int_equal(transaction_energy_wh(tx), 500);
    EXPECT_EVENTS(f, 1,
                  "meter cp=CP1 connector=1 tx=1 "
                  "data={\"timestamp\":1752470405000,\"energyWh\":1500,\"implausible\":false,"
                  "\"samples\":[{\"measurand\":\"Energy.Active.Import.Register\",\"context\":"
                  "\"Sample.Periodic\",\"format\":\"Raw\",\"location\":\"Outlet\",\"unit\":"
                  "\"Wh\",\"value\":\"1500\"}]}");
    f->fail = 1;
    meter(f, "2", "\"connectorId\":1,\"transactionId\":1", "1600");
    EXPECT_SENT(f, "1 [4,\"2\",\"InternalError\",\"\",{}]");
    assert_int_equal(tx->sample.energy_wh, 1500);
    EXPECT_EVENTS(f, 1, "meter");
    fake_free(f);
}

static void x14_values_after_the_stop_go_by_the_id(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    say(f, "CP1",
        "[2,\"s\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":1500,"
        "\"timestamp\":\"" T1 "\"}]");
    next_sent(f);
    meter(f, "1", "\"connectorId\":1,\"transactionId\":1", "1500");
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_ROWS(f, 1, "METER evse=1 tx=1 energy=1500");
    EXPECT_EVENTS(f, 0, "meter");
    fake_free(f);
}

static void q8_values_for_a_transaction_of_another_charger_do_not_touch_it(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    accepted_cp(f, "CP2", 2);
    policy_hears(f, EVENT_METER);
    say(f, "CP2",
        "[2,\"1\",\"MeterValues\",{\"connectorId\":1,\"transactionId\":1,\"meterValue\":[{"
        "\"timestamp\":\"" T1 "\",\"sampledValue\":[{\"value\":\"9999\"}]}]}]");
    EXPECT_SENT(f, "2 [3,\"1\",{}]");
    assert_int_equal(station_transaction(f->st, 1)->sample.energy_wh, ABSENT);
    EXPECT_EVENTS(f, 0, "meter");
    fake_free(f);
}

static void x8_q4_an_id_that_cannot_be_ours_is_attached_by_connector(void **state)
{
    (void)state;
    const char *const ids[] = {"-1", "0", "9223372036854775807", "\"abc\"", "2147483648"};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        struct fake *f = fake_with_transaction();
        char *members = xprintf("\"connectorId\":1,\"transactionId\":%s", ids[i]);
        meter(f, "1", members, "1500");
        EXPECT_SENT(f, "1 [3,\"1\",{}]");
        EXPECT_ROWS(f, 1, "METER tx=1 energy=1500");
        EXPECT_ROWS(f, 1, "EVENT kind=transaction_attached");
        assert_int_equal(station_transaction(f->st, 1)->sample.energy_wh, 1500);
        xfree(members);
        fake_free(f);
    }
}

static void x8_without_a_fitting_transaction_it_is_an_orphan(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    meter(f, "1", "\"connectorId\":2,\"transactionId\":-1", "1500");
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_ROWS(f, 0, "METER");
    EXPECT_ROWS(f, 1, "ORPHAN action=MeterValues");
    f->fail = 1;
    meter(f, "2", "\"connectorId\":2,\"transactionId\":-1", "1500");
    EXPECT_SENT(f, "1 [4,\"2\",\"InternalError\",\"\",{}]");
    fake_free(f);
}

static void v4_odd_messages_are_answered(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    const char *const payloads[] = {
        "{}",
        "{\"connectorId\":1,\"transactionId\":1,\"meterValue\":{\"timestamp\":\"" T1
        "\",\"sampledValue\":{\"value\":1100}}}",
        "{\"connectorId\":1,\"transactionId\":1,\"meterValue\":[{\"sampledValue\":[{\"value\":\"\"}"
        ","
        "{\"value\":\"50\",\"measurand\":\"Frequency\",\"unit\":\"Hz\",\"context\":\"Odd\"}]}]}",
        "{\"connectorId\":1,\"transactionId\":1,\"meterValue\":[]}",
        "{\"transactionId\":1,\"meterValue\":[{\"timestamp\":\"" T1 "\",\"sampledValue\":[]},7]}"};
    for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
        char *text = xprintf("[2,\"%zu\",\"MeterValues\",%s]", i, payloads[i]);
        char *answer = xprintf("1 [3,\"%zu\",{}]", i);
        say(f, "CP1", text);
        EXPECT_SENT(f, answer);
        xfree(text);
        xfree(answer);
    }
    EXPECT_ROWS(f, 1, "METER tx=1 energy=1100");
    EXPECT_ROWS(f, 1,
                "METER tx=1 ts=1752470408000 energy=- "
                "{Frequency|Odd|Raw|-|Outlet|Hz|50}");
    EXPECT_ROWS(f, 2, "METER");
    fake_free(f);
}

static void v5_implausible_values_are_stored_and_marked(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    meter(f, "1", "\"connectorId\":1,\"transactionId\":1", "1500");
    meter(f, "2", "\"connectorId\":1,\"transactionId\":1", "0");
    EXPECT_ROWS(f, 1, "METER tx=1 energy=- implausible=1");
    assert_int_equal(station_transaction(f->st, 1)->sample.energy_wh, 1500);
    fake_free(f);
}

static void tenths_reach_the_policies(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    say(f, "CP1",
        "[2,\"1\",\"MeterValues\",{\"connectorId\":1,\"transactionId\":1,\"meterValue\":[{"
        "\"timestamp\":\"" T1
        "\",\"sampledValue\":[{\"value\":\"399.5\",\"measurand\":\"Voltage\"},"
        "{\"value\":\"16\",\"measurand\":\"Current.Import\",\"phase\":\"L1\"}]},{\"timestamp\":"
        "\"2025-07-14T05:20:01Z\",\"sampledValue\":[{\"value\":\"1100\"}]}]}]");
    EXPECT_SENT(f, "1 [3,\"1\",{}]");
    EXPECT_EVENTS(f, 1, "meter"); /* the newest meterValue, though it is not the last */
    assert_non_null(strstr(f->events.at[1], "\"voltageV\":399.5,\"currentA\":16"));
    EXPECT_ROWS(f, 2, "METER tx=1");
    fake_free(f);
}

static void v6_the_session_flag_is_stored(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    meter(f, "1", "\"connectorId\":1,\"transactionId\":1", "200");
    meter(f, "2", "\"connectorId\":1,\"transactionId\":1", "300");
    EXPECT_ROWS(f, 1, "TX_VARS id=1 flags=512");
    EXPECT_ROWS(f, 1, "TX_VARS");
    assert_int_equal(transaction_energy_wh(station_transaction(f->st, 1)), 300);
    fake_free(f);
}

static void x8_two_open_ones_on_a_connector_fit_neither(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    say(f, "CP1",
        "[2,\"s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":1100,"
        "\"timestamp\":\"2025-07-14T05:20:04Z\"}]");
    next_sent(f);
    meter(f, "1", "\"connectorId\":1,\"transactionId\":-1", "1500");
    EXPECT_ROWS(f, 1, "ORPHAN");
    fake_free(f);
}

static void the_connector_of_the_transaction_counts(void **state)
{
    (void)state;
    struct fake *f = fake_with_transaction();
    meter(f, "1", "\"connectorId\":0,\"transactionId\":1", "1500");
    EXPECT_ROWS(f, 1, "METER evse=1 connector=1 tx=1");
    fake_free(f);
}

int main(void)
{
#define PURE(test) cmocka_unit_test_teardown(test, forget)
    const struct CMUnitTest tests[] = {
        PURE(v1_defaults_are_filled_in),
        PURE(v2_values_that_are_no_numbers_are_kept_as_text),
        PURE(v2_q32_signed_data_is_opaque),
        PURE(v3_q15_units_are_normalised),
        PURE(v7_a_total_beats_the_phases_and_phases_are_added),
        PURE(v7_intervals_and_exports_are_not_the_register),
        PURE(the_outlet_beats_other_locations),
        PURE(v5_a_falling_register_and_a_momentary_zero),
        PURE(v5_power_above_five_times_the_rating),
        PURE(v6_session_energy_instead_of_the_register),
        cmocka_unit_test(v4_values_without_a_transaction_are_answered_at_once),
        cmocka_unit_test(x4_values_of_a_transaction_are_stored_first),
        cmocka_unit_test(x14_values_after_the_stop_go_by_the_id),
        cmocka_unit_test(q8_values_for_a_transaction_of_another_charger_do_not_touch_it),
        cmocka_unit_test(x8_q4_an_id_that_cannot_be_ours_is_attached_by_connector),
        cmocka_unit_test(x8_without_a_fitting_transaction_it_is_an_orphan),
        cmocka_unit_test(v4_odd_messages_are_answered),
        cmocka_unit_test(v5_implausible_values_are_stored_and_marked),
        cmocka_unit_test(tenths_reach_the_policies),
        cmocka_unit_test(v6_the_session_flag_is_stored),
        cmocka_unit_test(x8_two_open_ones_on_a_connector_fit_neither),
        cmocka_unit_test(the_connector_of_the_transaction_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

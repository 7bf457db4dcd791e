/* StatusNotification: rules N1 to N4, X14, Q36. */
#include "fake.h"

static void notify(struct fake *f, const char *id, const char *members)
{
    char *text = xprintf("[2,\"%s\",\"StatusNotification\",{%s}]", id, members);
    char *answer = xprintf("1 [3,\"%s\",{}]", id);
    say(f, "CP1", text);
    EXPECT_SENT(f, answer);
    xfree(text);
    xfree(answer);
}

#define STATE(connector, status) STATE_AT(connector, status, "2025-07-14T05:20:00Z")
#define STATE_AT(connector, status, time)                                                          \
    "\"connectorId\":" connector ",\"errorCode\":\"NoError\",\"status\":\"" status                 \
    "\",\"timestamp\":\"" time "\""

static const struct connector *connector_of(struct fake *f, int64_t evse, int64_t connector)
{
    return station_connector(station_find(f->st, "CP1"), evse, connector);
}

static struct fake *fake_hearing(void)
{
    struct fake *f = fake_with_cp1();
    policy_hears(f, EVENT_STATUS);
    return f;
}

static void n1_the_state_of_each_connector(void **state)
{
    (void)state;
    struct fake *f = fake_hearing();
    notify(f, "1", STATE("0", "Available"));
    notify(f, "2", STATE("2", "Preparing"));
    notify(f, "3", STATE("1", "Sleeping")); /* any word, any transition */
    assert_string_equal(connector_of(f, 0, 0)->status, "Available");
    assert_string_equal(connector_of(f, 2, 1)->status, "Preparing");
    assert_string_equal(connector_of(f, 1, 1)->status, "Sleeping");
    const struct charge_point *cp = station_find(f->st, "CP1");
    assert_int_equal(cp->connector_count, 3);
    assert_int_equal(cp->connectors[1].evse, 1); /* in order */
    EXPECT_ROWS(f, 1, "STATUS cp=CP1 evse=2 connector=1 status=Preparing error=NoError repeat=0");
    EXPECT_ROWS(f, 1, "CONNECTOR evse=2 connector=1 status=Preparing");
    EXPECT_EVENTS(f, 1, "status connector=2 status=Preparing previous=-");
    fake_free(f);
}

static void q36_events_on_change_only_and_repeats_are_counted(void **state)
{
    (void)state;
    struct fake *f = fake_hearing();
    notify(f, "1", STATE("1", "Available"));
    notify(f, "2", STATE_AT("1", "Available", "2025-07-14T05:20:01Z"));
    notify(f, "3", STATE_AT("1", "Charging", "2025-07-14T05:20:02Z"));
    EXPECT_EVENTS(f, 2, "status");
    EXPECT_EVENTS(f, 1, "status status=Charging previous=Available");
    EXPECT_ROWS(f, 1, "STATUS status=Available repeat=1");
    EXPECT_ROWS(f, 2, "CONNECTOR");
    assert_int_equal(connector_of(f, 1, 1)->repeats, 1);
    notify(f, "4",
           "\"connectorId\":1,\"errorCode\":\"WeakSignal\",\"status\":\"Charging\","
           "\"info\":\"x\",\"vendorId\":\"\"");
    EXPECT_EVENTS(f, 1, "status status=Charging previous=Charging"); /* N3: another warning */
    EXPECT_ROWS(f, 1, "STATUS error=WeakSignal info=x");
    fake_free(f);
}

static void n2_the_newest_time_wins_within_tolerance(void **state)
{
    (void)state;
    struct fake *f = fake_hearing();
    notify(f, "1", STATE_AT("1", "Charging", "2025-07-14T05:20:05Z"));
    notify(f, "2", STATE_AT("1", "Finishing", "2025-07-14T05:20:05Z")); /* equal */
    assert_string_equal(connector_of(f, 1, 1)->status, "Finishing");
    notify(f, "3", STATE_AT("1", "Available", "2025-07-14T05:20:00Z")); /* 5 s older */
    assert_string_equal(connector_of(f, 1, 1)->status, "Available");
    notify(f, "4", STATE_AT("1", "Faulted", "2025-07-14T05:19:54Z")); /* too old */
    assert_string_equal(connector_of(f, 1, 1)->status, "Available");
    EXPECT_ROWS(f, 1, "STATUS status=Faulted");
    EXPECT_EVENTS(f, 3, "status");
    notify(f, "6", STATE_AT("1", "Charging", "2025-07-14T05:20:38Z")); /* a little ahead of us */
    notify(f, "7", STATE_AT("1", "Preparing", "2025-07-14T05:20:10Z"));
    assert_string_equal(connector_of(f, 1, 1)->status, "Charging");
    clock_advance(60000);
    notify(f, "5", "\"connectorId\":1,\"errorCode\":\"NoError\",\"status\":\"Reserved\"");
    assert_int_equal(connector_of(f, 1, 1)->status_ms, TEST_NOW + 60000); /* no time: receipt */
    fake_free(f);
}

static void a_clock_that_ran_ahead_does_not_block_what_follows(void **state)
{
    (void)state;
    struct fake *f = fake_hearing();
    notify(f, "1", STATE_AT("1", "Charging", "2025-07-14T15:20:00Z")); /* 10 h ahead */
    notify(f, "2", STATE_AT("1", "Available", "2025-07-14T05:20:07Z"));
    assert_string_equal(connector_of(f, 1, 1)->status, "Available");
    notify(f, "3", STATE_AT("1", "Faulted", "1970-01-01T00:00:00Z")); /* B11: by receipt */
    assert_string_equal(connector_of(f, 1, 1)->status, "Faulted");
    EXPECT_ROWS(f, 1, "EVENT kind=clock_not_set");
    fake_free(f);
}

static void x14_no_state_opens_or_closes_a_transaction(void **state)
{
    (void)state;
    struct fake *f = fake_hearing();
    notify(f, "1", STATE_AT("1", "Charging", "2025-07-14T05:20:01Z"));
    size_t at = 0;
    assert_null(station_transaction_next(f->st, &at));
    say(f, "CP1",
        "[2,\"s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":0,"
        "\"timestamp\":\"2025-07-14T05:20:00Z\"}]");
    next_sent(f);
    notify(f, "2", STATE_AT("1", "Available", "2025-07-14T05:20:02Z"));
    assert_false(station_transaction(f->st, 1)->stopped);
    assert_int_equal(connector_of(f, 1, 1)->transaction_id, 1);
    fake_free(f);
}

static void n4_offline_keeps_the_last_states(void **state)
{
    (void)state;
    struct fake *f = fake_hearing();
    notify(f, "1", STATE("1", "Charging"));
    down(f, "CP1", 1);
    assert_string_equal(connector_of(f, 1, 1)->status, "Charging");
    fake_free(f);
}

static void absurd_connectors_are_recorded_and_not_kept(void **state)
{
    (void)state;
    struct fake *f = fake_hearing();
    for (int i = 0; i < 300; i++) {
        char *id = xprintf("c%d", i);
        char *members = xprintf("\"connectorId\":%d,\"errorCode\":\"NoError\",\"status\":"
                                "\"Available\"",
                                i);
        notify(f, id, members);
        xfree(members);
        xfree(id);
    }
    notify(f, "n", STATE("-1", "Available"));
    assert_int_equal(station_find(f->st, "CP1")->connector_count, 256);
    EXPECT_ROWS(f, 301, "STATUS");
    fake_free(f);
}

static void long_texts_are_cut_and_still_repeats(void **state)
{
    (void)state;
    struct fake *f = fake_hearing();
    const char members[] =
        "\"connectorId\":1,\"errorCode\":\"OtherErrorThatIsLongerThanAnyWordOfTheStandard\","
        "\"status\":\"AStatusThatIsLongerThanTheField\",\"vendorId\":\""
        "0123456789012345678901234567890123456789012345678901234567890123456789\"";
    notify(f, "1", members);
    notify(f, "2", members);
    assert_int_equal(connector_of(f, 1, 1)->repeats, 1);
    EXPECT_EVENTS(f, 1, "status");
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(n1_the_state_of_each_connector),
        cmocka_unit_test(q36_events_on_change_only_and_repeats_are_counted),
        cmocka_unit_test(n2_the_newest_time_wins_within_tolerance),
        cmocka_unit_test(a_clock_that_ran_ahead_does_not_block_what_follows),
        cmocka_unit_test(x14_no_state_opens_or_closes_a_transaction),
        cmocka_unit_test(n4_offline_keeps_the_last_states),
        cmocka_unit_test(absurd_connectors_are_recorded_and_not_kept),
        cmocka_unit_test(long_texts_are_cut_and_still_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

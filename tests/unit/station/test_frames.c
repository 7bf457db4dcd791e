/* From frame to answer: rules R2 to R13, T10, T13, Q2, Q3, Q10, Q16, Q20. */
#include "fake.h"

#define HEARTBEAT(id) "[2,\"" id "\",\"Heartbeat\",{}]"
#define HEARTBEAT_ANSWER(connection, id)                                                           \
    connection " [3,\"" id "\",{\"currentTime\":\"" NOW_TEXT "\"}]"

static void r2_q10_pipelined_calls_are_answered_in_order(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->scripts[EVENT_AUTHORIZE].later = true;
    say(f, "CP1", "[2,\"1\",\"Authorize\",{\"idTag\":\"A\"}]");
    say(f, "CP1", HEARTBEAT("2"));
    say(f, "CP1", "[2,\"3\",\"Authorize\",{\"idTag\":\"B\"}]");
    EXPECT_NOTHING(f);
    const struct script accepted = {.kind = VERDICT_GIVEN, .word = "Accepted"};
    policy_answer(f, &accepted);
    EXPECT_SENT(f, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Accepted\"}}]");
    EXPECT_SENT(f, HEARTBEAT_ANSWER("1", "2"));
    EXPECT_NOTHING(f);
    policy_answer(f, &accepted);
    EXPECT_SENT(f, "1 [3,\"3\",{\"idTagInfo\":{\"status\":\"Accepted\"}}]");
    fake_free(f);
}

static void r2_other_chargers_do_not_wait(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    accepted_cp(f, "CP2", 2);
    f->scripts[EVENT_AUTHORIZE].later = true;
    say(f, "CP1", "[2,\"1\",\"Authorize\",{\"idTag\":\"A\"}]");
    say(f, "CP2", HEARTBEAT("1"));
    EXPECT_SENT(f, HEARTBEAT_ANSWER("2", "1"));
    const struct script accepted = {.kind = VERDICT_GIVEN, .word = "Accepted"};
    policy_answer(f, &accepted);
    fake_free(f);
}

static void r2_a_thousand_pipelined_calls_each_get_one_answer(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->hold = true;
    say(f, "CP1",
        "[2,\"s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":0,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    for (int i = 0; i < 1000; i++) {
        char *text = xprintf("[2,\"%d\",\"Heartbeat\",{}]", i);
        say(f, "CP1", text);
        xfree(text);
    }
    EXPECT_NOTHING(f);
    assert_string_equal(f->pauses.at[0], "1 pause");
    assert_int_equal(f->pauses.count, 1);
    assert_false(station_idle(f->st));
    store_release(f);
    EXPECT_SENT(f, "1 [3,\"s\",{\"idTagInfo\":{\"status\":\"Accepted\"},\"transactionId\":1}]");
    for (int i = 0; i < 1000; i++) {
        char *text = xprintf("1 [3,\"%d\",{\"currentTime\":\"" NOW_TEXT "\"}]", i);
        EXPECT_SENT(f, text);
        xfree(text);
    }
    EXPECT_NOTHING(f);
    assert_int_equal(f->pauses.count, 2);
    assert_string_equal(f->pauses.at[1], "1 resume");
    fake_free(f);
}

static void reading_pauses_at_a_mebibyte_and_resumes_at_half(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->scripts[EVENT_AUTHORIZE].later = true;
    say(f, "CP1", "[2,\"1\",\"Authorize\",{\"idTag\":\"A\"}]");
    char *data = xmalloc(300 * 1024);
    memset(data, 'x', 300 * 1024);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(f->pauses.count, 0);
        char *text = xprintf("[2,\"d%d\",\"DataTransfer\",{\"vendorId\":\"V\",\"data\":\"%.*s\"}]",
                             i, 300 * 1024, data);
        say(f, "CP1", text);
        xfree(text);
    }
    assert_string_equal(f->pauses.at[0], "1 pause");
    const struct script accepted = {.kind = VERDICT_GIVEN, .word = "Accepted"};
    policy_answer(f, &accepted);
    assert_string_equal(f->pauses.at[1], "1 resume");
    xfree(data);
    fake_free(f);
}

static void r4_calls_are_answered_while_ours_is_open(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    station_call(f->st, "CP1", "ClearCache", "{}", 0, NULL, NULL);
    assert_non_null(strstr(next_sent(f), "\"ClearCache\",{}]"));
    say(f, "CP1", HEARTBEAT("1"));
    EXPECT_SENT(f, HEARTBEAT_ANSWER("1", "1"));
    down(f, "CP1", 1);
    fake_free(f);
}

static void r5_answers_that_nobody_waits_for_are_dropped(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1", "[3,\"nobody\",{}]");
    say(f, "CP1", "[4,\"nobody\",\"InternalError\",\"\",{}]");
    say(f, "CP1", "[4,\"nobody\"]");
    EXPECT_NOTHING(f);
    assert_int_equal(station_counters(f->st)->late_answers, 3);
    fake_free(f);
}

static void r6_null_or_missing_payload_is_empty(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1", "[2,\"1\",\"Heartbeat\",null]");
    EXPECT_SENT(f, HEARTBEAT_ANSWER("1", "1"));
    say(f, "CP1", "[2,\"2\",\"Heartbeat\"]");
    EXPECT_SENT(f, HEARTBEAT_ANSWER("1", "2"));
    fake_free(f);
}

static const char start_1[] =
    "[2,\"7\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":10,"
    "\"timestamp\":\"" NOW_TEXT "\"}]";

static void r7_q2_the_same_call_gets_the_stored_answer(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const char answer[] =
        "1 [3,\"7\",{\"idTagInfo\":{\"status\":\"Accepted\"},\"transactionId\":1}]";
    say(f, "CP1", start_1);
    EXPECT_SENT(f, answer);
    size_t batches = f->batches;
    say(f, "CP1", start_1);
    EXPECT_SENT(f, answer);
    assert_int_equal(f->batches, batches); /* no side effects */
    EXPECT_EVENTS(f, 1, "authorize");
    assert_int_equal(station_counters(f->st)->repeats, 1);
    fake_free(f);
}

static void r7_a_stored_empty_answer_comes_back_too(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const char status[] = "[2,\"s\",\"StatusNotification\",{\"connectorId\":1,\"errorCode\":"
                          "\"NoError\",\"status\":\"Available\"}]";
    say(f, "CP1", status);
    say(f, "CP1", status);
    EXPECT_SENT(f, "1 [3,\"s\",{}]");
    EXPECT_SENT(f, "1 [3,\"s\",{}]");
    EXPECT_ROWS(f, 1, "STATUS");
    fake_free(f);
}

static void r7_another_call_under_a_used_id_is_an_error(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1", start_1);
    next_sent(f);
    say(f, "CP1", "[2,\"7\",\"Authorize\",{\"idTag\":\"B\"}]");
    EXPECT_SENT(f, "1 [4,\"7\",\"GenericError\",\"this message id was used before\",{}]");
    fake_free(f);
}

static void q2_q3_but_a_transaction_message_is_never_lost_over_it(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1", start_1);
    next_sent(f);
    say(f, "CP1",
        "[2,\"7\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":20,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    EXPECT_SENT(f, "1 [3,\"7\",{}]");
    EXPECT_ROWS(f, 1, "STOP id=1 energy=10");
    fake_free(f);
}

static void r7_ids_are_forgotten_with_the_connection_and_after_64(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const char authorize[] = "[2,\"7\",\"Authorize\",{\"idTag\":\"A\"}]";
    say(f, "CP1", authorize);
    down(f, "CP1", 1);
    up(f, "CP1", 2);
    say(f, "CP1", authorize);
    EXPECT_EVENTS(f, 2, "authorize");
    for (int i = 0; i < 64; i++) {
        char *text = xprintf("[2,\"x%d\",\"Authorize\",{\"idTag\":\"A\"}]", i);
        say(f, "CP1", text);
        xfree(text);
    }
    EXPECT_EVENTS(f, 66, "authorize");
    say(f, "CP1", "[2,\"x0\",\"Authorize\",{\"idTag\":\"A\"}]");
    EXPECT_EVENTS(f, 66, "authorize");
    say(f, "CP1", authorize);
    EXPECT_EVENTS(f, 67, "authorize");
    fake_free(f);
}

static void r7_a_failure_is_not_the_answer_for_good(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->fail = 1;
    say(f, "CP1", start_1);
    EXPECT_SENT(f, "1 [4,\"7\",\"InternalError\",\"\",{}]");
    say(f, "CP1", start_1);
    EXPECT_SENT(f, "1 [3,\"7\",{\"idTagInfo\":{\"status\":\"Accepted\"},\"transactionId\":1}]");
    fake_free(f);
}

static void r10_ten_unreadable_frames_in_a_row_close(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    for (int i = 0; i < 9; i++)
        say(f, "CP1", "hello");
    say(f, "CP1", "");
    say(f, "CP1", HEARTBEAT("1"));
    for (int i = 0; i < 9; i++)
        say(f, "CP1", "{}");
    assert_int_equal(f->closed.count, 0);
    say(f, "CP1", "[]");
    assert_string_equal(f->closed.at[0], "1 1002 frames cannot be read");
    EXPECT_SENT(f, HEARTBEAT_ANSWER("1", "1"));
    EXPECT_NOTHING(f);
    fake_free(f);
}

static void r11_unknown_and_foreign_actions(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1", "[2,\"1\",\"heartbeat\",{}]");
    EXPECT_SENT(f, "1 [4,\"1\",\"NotImplemented\",\"\",{}]");
    say(f, "CP1", "[2,\"2\",\"RemoteStartTransaction\",{}]");
    EXPECT_SENT(f, "1 [4,\"2\",\"NotSupported\",\"\",{}]");
    fake_free(f);
}

static void r12_what_cannot_be_read_is_answered_in_turn(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1", "[2,\"1\",\"Authorize\",[]]");
    assert_non_null(strstr(next_sent(f), "1 [4,\"1\",\"FormationViolation\","));
    say(f, "CP1", "[2,\"2\",\"Authorize\",{}]");
    assert_non_null(strstr(next_sent(f), "1 [4,\"2\",\"ProtocolError\",\"/idTag: missing\""));
    say(f, "CP1", "[2,\"3\",\"StatusNotification\",{\"connectorId\":[],\"status\":\"Available\"}]");
    assert_non_null(strstr(next_sent(f), "1 [4,\"3\",\"TypeConstraintViolation\","));
    fake_free(f);
}

static void q16_a_broken_transaction_message_is_kept_whole(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    say(f, "CP1", "[2,\"1\",\"StopTransaction\",{\"transactionId\":,\"meterStop\":5}]");
    assert_non_null(strstr(next_sent(f), "1 [4,\"1\",\"FormationViolation\","));
    EXPECT_ROWS(f, 1,
                "ORPHAN cp=CP1 action=StopTransaction "
                "payload=[2,\"1\",\"StopTransaction\",{\"transactionId\":,\"meterStop\":5}]");
    fake_free(f);
}

static void r13_deviations_are_counted_and_noted(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    f->settings.log_messages = true;
    station_free(f->st);
    fake_open(f);
    accepted_cp(f, "CP1", 1);
    say(f, "CP1", "[2,\"1\",\"Authorize\",{\"idTag\":123,\"connectorId\":1}]");
    EXPECT_SENT(f, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Invalid\"}}]");
    assert_int_equal(station_find(f->st, "CP1")->deviations, 2);
    EXPECT_ROWS(f, 1, "MESSAGE in note=2");
    EXPECT_ROWS(f, 1, "MESSAGE out");
    fake_free(f);
}

static void r13_strict_is_a_switch_of_the_station(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const struct charge_point_change strict = {.security_profile = ABSENT,
                                               .options = "{\"strict\":true}"};
    assert_true(station_register(f->st, "CP1", &strict, NULL, NULL, NULL));
    say(f, "CP1", "[2,\"1\",\"Authorize\",{\"idTag\":123}]");
    assert_non_null(strstr(next_sent(f), "1 [4,\"1\",\"TypeConstraintViolation\","));
    /* X1: never a transaction message. */
    say(f, "CP1", "[2,\"2\",\"StartTransaction\",{\"connectorId\":\"1\"}]");
    EXPECT_SENT(f, "1 [3,\"2\",{\"idTagInfo\":{\"status\":\"Accepted\"},\"transactionId\":1}]");
    say(f, "CP1", "[2,\"3\",\"MeterValues\",{\"connectorId\":1,\"meterValue\":[]}]");
    assert_non_null(strstr(next_sent(f), "1 [4,\"3\",\"OccurenceConstraintViolation\","));
    say(f, "CP1",
        "[2,\"4\",\"MeterValues\",{\"connectorId\":1,\"transactionId\":1,\"meterValue\":[]}]");
    EXPECT_SENT(f, "1 [3,\"4\",{}]");
    fake_free(f);
}

static void t13_q20_the_newest_connection_wins(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_hears(f, EVENT_ONLINE);
    policy_hears(f, EVENT_OFFLINE);
    up(f, "cp1", 2);
    assert_string_equal(f->closed.at[0], "1 4000 replaced");
    down(f, "CP1", 1); /* the late close */
    assert_int_equal(station_find(f->st, "CP1")->connection, 2);
    say_on(f, "CP1", 1, HEARTBEAT("late"));
    EXPECT_NOTHING(f);
    say(f, "CP1", HEARTBEAT("1"));
    EXPECT_SENT(f, HEARTBEAT_ANSWER("2", "1"));
    EXPECT_EVENTS(f, 0, "online");
    EXPECT_EVENTS(f, 0, "offline");
    down(f, "CP1", 2);
    EXPECT_EVENTS(f, 1, "offline");
    assert_int_equal(station_find(f->st, "CP1")->connection, 0);
    fake_free(f);
}

static void t13_an_answer_never_reaches_a_newer_connection(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->hold = true;
    say(f, "CP1", start_1);
    up(f, "CP1", 2);
    store_release(f);
    EXPECT_NOTHING(f);
    EXPECT_ROWS(f, 1, "START id=1");
    assert_non_null(station_transaction(f->st, 1));
    say(f, "CP1", start_1); /* the charger repeats it there */
    EXPECT_SENT(f, "2 [3,\"7\",{\"idTagInfo\":{\"status\":\"Accepted\"},\"transactionId\":1}]");
    EXPECT_ROWS(f, 1, "START");
    fake_free(f);
}

static void what_was_received_is_handled_though_the_socket_is_gone(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->scripts[EVENT_AUTHORIZE].later = true;
    say(f, "CP1", start_1);
    say(f, "CP1",
        "[2,\"8\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":30,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    down(f, "CP1", 1);
    const struct script accepted = {.kind = VERDICT_GIVEN, .word = "Accepted"};
    policy_answer(f, &accepted);
    EXPECT_NOTHING(f);
    EXPECT_ROWS(f, 1, "START id=1");
    EXPECT_ROWS(f, 1, "STOP id=1 energy=20");
    fake_free(f);
}

static void q24_answers_wait_in_order(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const struct charge_point_change slow = {.security_profile = ABSENT,
                                             .options = "{\"replyDelayMs\":1000}"};
    assert_true(station_register(f->st, "CP1", &slow, NULL, NULL, NULL));
    say(f, "CP1", "[2,\"1\",\"DataTransfer\",{\"vendorId\":\"V\"}]");
    say(f, "CP1", "[2,\"2\",\"DataTransfer\",{\"vendorId\":\"V\"}]");
    pass(f, 999);
    EXPECT_NOTHING(f);
    pass(f, 1);
    EXPECT_SENT(f, "1 [3,\"1\",{\"status\":\"UnknownVendorId\"}]");
    EXPECT_NOTHING(f);
    pass(f, 500);
    down(f, "CP1", 1);
    pass(f, 500);
    EXPECT_NOTHING(f);
    fake_free(f);
}

static struct fake *fake_logging(void)
{
    struct fake *f = fake_new();
    f->settings.log_messages = true;
    station_free(f->st);
    fake_open(f);
    accepted_cp(f, "CP1", 1);
    policy_says(f, EVENT_AUTHORIZE, "Accepted", NULL);
    return f;
}

static void a_durable_call_is_logged_once_with_its_rows(void **state)
{
    (void)state;
    struct fake *f = fake_logging();
    size_t batches = f->batches;
    say(f, "CP1", start_1);
    assert_int_equal(f->batches, batches + 1);
    assert_int_equal(line_count(&f->rows, "MESSAGE in"), 1); /* before any flush */
    EXPECT_ROWS(f, 1, "MESSAGE in");
    EXPECT_ROWS(f, 1, "MESSAGE out");
    assert_non_null(strstr(f->rows.at[0], "StartTransaction"));
    f->fail = 1; /* what the store refused is logged with the answer */
    say(f, "CP1",
        "[2,\"8\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":20,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    EXPECT_ROWS(f, 2, "MESSAGE in");
    EXPECT_ROWS(f, 2, "MESSAGE out");
    say(f, "CP1", "[3,\"x\",{}]");
    say(f, "CP1", "nonsense");
    EXPECT_ROWS(f, 4, "MESSAGE in");
    fake_free(f);
}

static void messages_are_logged_without_secrets(void **state)
{
    (void)state;
    struct fake *f = fake_logging();
    const char *const commands[][2] = {
        {"ChangeConfiguration", "{\"key\":\"AuthorizationKey\",\"value\":\"0011\\\\2233\"}"},
        {"GetDiagnostics", "{\"location\":\"ftp:\\/\\/u:pw@host\\/d\",\"retries\":1}"},
        {"UpdateFirmware", "{\"location\":\"https://u:p@w@host/f?x=a@b\"}"}};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        station_call(f->st, "CP1", commands[i][0], commands[i][1], 1000, NULL, NULL);
        pass(f, 1000);
    }
    station_flush(f->st);
    const char *log[3] = {0};
    size_t found = 0;
    for (size_t i = 0; i < f->rows.count && found < 3; i++) {
        if (strncmp(f->rows.at[i], "MESSAGE out", 11) == 0)
            log[found++] = strstr(f->rows.at[i], "{");
    }
    assert_int_equal(found, 3);
    assert_string_equal(log[0], "{\"key\":\"AuthorizationKey\",\"value\":\"**********\"}] note=- ");
    assert_string_equal(log[1],
                        "{\"location\":\"ftp:\\/\\/****@host\\/d\",\"retries\":1}] note=- ");
    assert_string_equal(log[2], "{\"location\":\"https://*****@host/f?*****\"}] note=- ");
    say(f, "CP1",
        "[3,\"x\",{\"configurationKey\":[{\"key\":\"a\",\"value\":\"1\"},{\"value\":"
        "\"22\",\"readonly\":false,\"key\":\"AUTHORIZATIONKEY\"},{\"value\":\"3\"}]}]");
    EXPECT_ROWS(
        f, 1,
        "MESSAGE [3,\"x\",{\"configurationKey\":[{\"key\":\"a\",\"value\":\"1\"},{\"value\":"
        "\"**\",\"readonly\":false,\"key\":\"AUTHORIZATIONKEY\"},{\"value\":\"3\"}]}]");
    assert_non_null(strstr(f->sent.at[0], "0011"));
    say(f, "CP1", /* the same names, spelled with escapes */
        "[3,\"y\",{\"configurationKey\":[{\"\\u006bey\":\"a\",\"value\":\"1\"},{\"valu\\u0065\":"
        "\"4\\u00e44\",\"key\":\"authoriz\\u0061tion\\u004bey\"}],"
        "\"loc\\u0061tion\":\"ftp://u:p@h/\",\"remoteLocation\":\"ftp:\\u002f/u:p@h/\","
        "\"u\":\"\\u00\"}]");
    EXPECT_ROWS(
        f, 1,
        "MESSAGE "
        "[3,\"y\",{\"configurationKey\":[{\"\\u006bey\":\"a\",\"value\":\"1\"},{\"valu\\u0065\":"
        "\"********\",\"key\":\"authoriz\\u0061tion\\u004bey\"}],"
        "\"loc\\u0061tion\":\"ftp://***@h/\",\"remoteLocation\":\"*****************\","
        "\"u\":\"\\u00\"}]");
    fake_free(f);
}

static void an_answer_that_waits_for_its_time_is_freed_with_the_station(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const struct charge_point_change slow = {.security_profile = ABSENT,
                                             .options = "{\"replyDelayMs\":1000}"};
    assert_true(station_register(f->st, "CP1", &slow, NULL, NULL, NULL));
    say(f, "CP1", "[2,\"1\",\"DataTransfer\",{\"vendorId\":\"V\"}]");
    say(f, "CP1", "[2,\"2\",\"DataTransfer\",{\"vendorId\":\"V\"}]");
    charge_point_vars_changed(f->st, "CP1");
    station_free(f->st);
    fake_open(f);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r2_q10_pipelined_calls_are_answered_in_order),
        cmocka_unit_test(r2_other_chargers_do_not_wait),
        cmocka_unit_test(r2_a_thousand_pipelined_calls_each_get_one_answer),
        cmocka_unit_test(reading_pauses_at_a_mebibyte_and_resumes_at_half),
        cmocka_unit_test(r4_calls_are_answered_while_ours_is_open),
        cmocka_unit_test(r5_answers_that_nobody_waits_for_are_dropped),
        cmocka_unit_test(r6_null_or_missing_payload_is_empty),
        cmocka_unit_test(r7_q2_the_same_call_gets_the_stored_answer),
        cmocka_unit_test(r7_a_stored_empty_answer_comes_back_too),
        cmocka_unit_test(r7_another_call_under_a_used_id_is_an_error),
        cmocka_unit_test(q2_q3_but_a_transaction_message_is_never_lost_over_it),
        cmocka_unit_test(r7_ids_are_forgotten_with_the_connection_and_after_64),
        cmocka_unit_test(r7_a_failure_is_not_the_answer_for_good),
        cmocka_unit_test(r10_ten_unreadable_frames_in_a_row_close),
        cmocka_unit_test(r11_unknown_and_foreign_actions),
        cmocka_unit_test(r12_what_cannot_be_read_is_answered_in_turn),
        cmocka_unit_test(q16_a_broken_transaction_message_is_kept_whole),
        cmocka_unit_test(r13_deviations_are_counted_and_noted),
        cmocka_unit_test(r13_strict_is_a_switch_of_the_station),
        cmocka_unit_test(t13_q20_the_newest_connection_wins),
        cmocka_unit_test(t13_an_answer_never_reaches_a_newer_connection),
        cmocka_unit_test(what_was_received_is_handled_though_the_socket_is_gone),
        cmocka_unit_test(q24_answers_wait_in_order),
        cmocka_unit_test(a_durable_call_is_logged_once_with_its_rows),
        cmocka_unit_test(messages_are_logged_without_secrets),
        cmocka_unit_test(an_answer_that_waits_for_its_time_is_freed_with_the_station),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

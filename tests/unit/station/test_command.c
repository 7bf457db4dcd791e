/* Our CALLs: rules R3, R5, B3, B4, B8, B9, C2, T13, Q11, Q14, Q31. */
#include "fake.h"

struct asked {
    int times;
    enum call_outcome outcome;
    char text[400]; /* response, or error code, or why */
    int64_t ms;
};

static void on_done(void *ctx, const struct call_result *result)
{
    struct asked *asked = ctx;
    struct strbuf text = {0};
    asked->times++;
    asked->outcome = result->outcome;
    asked->ms = result->ms;
    if (result->outcome == CALL_ANSWERED)
        strbuf_add(&text, result->response_raw.at, result->response_raw.len);
    else
        strbuf_addf(&text, "%s%s%s", result->error_code ? result->error_code : "",
                    result->error_code ? "|" : "", result->why);
    text_copy(asked->text, sizeof(asked->text), span_of(strbuf_text(&text)));
    strbuf_clear(&text);
}

static uint64_t ask(struct fake *f, struct asked *asked, const char *action, const char *payload)
{
    *asked = (struct asked){0};
    return station_call(f->st, "CP1", action, payload, 0, on_done, asked);
}

/* The id of the CALL that was sent last. */
static const char *sent_id(struct fake *f)
{
    static char id[40];
    const char *text = f->sent.at[f->sent.count - 1];
    const char *at = strstr(text, "[2,\"");
    assert_non_null(at);
    memcpy(id, at + 4, 36);
    id[36] = '\0';
    return id;
}

static void answer(struct fake *f, const char *format)
{
    char *text = xprintf(format, sent_id(f));
    say(f, "CP1", text);
    xfree(text);
}

#define EXPECT_OUTCOME(asked, wanted, part)                                                        \
    do {                                                                                           \
        assert_int_equal((asked)->times, 1);                                                       \
        assert_int_equal((asked)->outcome, (wanted));                                              \
        if (!strstr((asked)->text, (part)))                                                        \
            fail_msg("\"%s\" does not hold \"%s\"", (asked)->text, (part));                        \
    } while (0)

static void a_payload_goes_out_as_given(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked;
    assert_true(ask(f, &asked, "GetConfiguration", "{ \"key\":[], \"x\":1.50}") != 0);
    const char *text = next_sent(f);
    assert_non_null(strstr(text, "\",\"GetConfiguration\",{ \"key\":[], \"x\":1.50}]"));
    clock_advance(250);
    answer(f, "[3,\"%s\",{\"unknownKey\": [\"k\"], \"more\":true}]");
    EXPECT_OUTCOME(&asked, CALL_ANSWERED, "{\"unknownKey\": [\"k\"], \"more\":true}");
    assert_int_equal(asked.ms, 250);
    assert_int_equal(station_find(f->st, "CP1")->calls_out, 1);
    fake_free(f);
}

static void r3_one_outstanding_the_others_wait(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked a, b, c;
    ask(f, &a, "ClearCache", "{}");
    ask(f, &b, "GetLocalListVersion", "{}");
    ask(f, &c, "Reset", "{\"type\":\"Soft\"}");
    assert_int_equal(f->sent.count, 1);
    answer(f, "[3,\"%s\",{\"status\":\"Accepted\"}]");
    EXPECT_OUTCOME(&a, CALL_ANSWERED, "Accepted");
    assert_int_equal(f->sent.count, 2);
    answer(f, "[4,\"%s\",\"NotSupported\",\"no list\",{\"a\":1}]");
    EXPECT_OUTCOME(&b, CALL_ERROR, "NotSupported|the charge point answered NotSupported: no list");
    assert_non_null(strstr(f->sent.at[2], "\"Reset\""));
    answer(f, "[3,\"%s\",{\"status\":\"Rejected\"}]");
    EXPECT_OUTCOME(&c, CALL_ANSWERED, "Rejected"); /* a negative answer is data */
    fake_free(f);
}

static void r3_after_a_timeout_the_next_goes_out_and_late_answers_are_dropped(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked a, b;
    ask(f, &a, "ClearCache", "{}");
    char *late = xprintf("[3,\"%s\",{\"status\":\"Accepted\"}]", sent_id(f));
    ask(f, &b, "ClearCache", "{}");
    pass(f, 29999);
    assert_int_equal(a.times, 0);
    pass(f, 1);
    EXPECT_OUTCOME(&a, CALL_TIMEOUT, "did not answer in time");
    assert_int_equal(f->sent.count, 2);
    say(f, "CP1", late);
    xfree(late);
    assert_int_equal(b.times, 0);
    assert_int_equal(a.times, 1);
    assert_int_equal(station_counters(f->st)->late_answers, 1);
    answer(f, "[3,\"%s\",{\"status\":\"Accepted\"}]");
    EXPECT_OUTCOME(&b, CALL_ANSWERED, "Accepted");
    fake_free(f);
}

static void what_waits_too_long_is_not_sent(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked first[3], last;
    for (int i = 0; i < 3; i++)
        ask(f, &first[i], "ClearCache", "{}");
    ask(f, &last, "Reset", "{\"type\":\"Hard\"}");
    pass(f, 30000);
    pass(f, 30000);
    EXPECT_OUTCOME(&last, CALL_TIMEOUT, "could not be sent in time");
    assert_null(strstr(f->sent.at[f->sent.count - 1], "Reset"));
    down(f, "CP1", 1);
    fake_free(f);
}

static void q31_three_timeouts_in_a_row_are_an_event(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked;
    for (int i = 0; i < 4; i++) {
        EXPECT_ROWS(f, i >= 3 ? 1 : 0, "EVENT kind=commands_time_out");
        ask(f, &asked, "ClearCache", "{}");
        pass(f, 30000);
    }
    fake_free(f);
}

static void offline_and_unknown(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked = {0};
    assert_int_equal(station_call(f->st, "NOBODY", "ClearCache", "{}", 0, on_done, &asked), 0);
    EXPECT_OUTCOME(&asked, CALL_OFFLINE, "not connected");
    down(f, "CP1", 1);
    assert_int_equal(ask(f, &asked, "ClearCache", "{}"), 0);
    EXPECT_OUTCOME(&asked, CALL_OFFLINE, "not connected");
    fake_free(f);
}

static void t13_all_end_at_once_when_the_socket_goes_or_is_replaced(void **state)
{
    (void)state;
    for (int replaced = 0; replaced < 2; replaced++) {
        struct fake *f = fake_with_cp1();
        struct asked sent, queued;
        ask(f, &sent, "ClearCache", "{}");
        ask(f, &queued, "ClearCache", "{}");
        if (replaced)
            up(f, "CP1", 2);
        else
            down(f, "CP1", 1);
        EXPECT_OUTCOME(&sent, CALL_OFFLINE, replaced ? "anew" : "offline");
        EXPECT_OUTCOME(&queued, CALL_OFFLINE, replaced ? "anew" : "offline");
        assert_int_equal(f->sent.count, 1);
        pass(f, 100000); /* no timer is left behind */
        assert_int_equal(sent.times, 1);
        fake_free(f);
    }
}

static struct fake *world;
static struct asked again;
static void ask_again(void *ctx, const struct call_result *result)
{
    (void)ctx;
    assert_int_equal(result->outcome, CALL_OFFLINE);
    ask(world, &again, "ClearCache", "{}");
}

static void who_is_told_may_ask_again_at_once(void **state)
{
    (void)state;
    struct fake *f = world = fake_with_cp1();
    station_call(f->st, "CP1", "ClearCache", "{}", 0, ask_again, NULL);
    up(f, "CP1", 2);
    assert_int_equal(again.times, 0); /* B9: it waits for the new connection's boot */
    assert_int_equal(f->sent.count, 1);
    pass(f, 10000);
    assert_int_equal(f->sent.count, 2);
    answer(f, "[3,\"%s\",{\"status\":\"Accepted\"}]");
    EXPECT_OUTCOME(&again, CALL_ANSWERED, "Accepted");
    fake_free(f);
}

static void delete_it(void *ctx, const struct call_result *result)
{
    (void)ctx;
    (void)result;
    assert_true(station_delete(world->st, "CP1", NULL, NULL, NULL));
}

static void who_is_told_may_delete_the_station(void **state)
{
    (void)state;
    const char *const ways[] = {"answer", "timeout", "down", "refused"};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct fake *f = world = fake_with_cp1();
        struct asked behind;
        station_call(f->st, "CP1", "ClearCache", "{}", 0, delete_it, NULL);
        ask(f, &behind, "ClearCache", "{}");
        if (i == 0)
            answer(f, "[3,\"%s\",{\"status\":\"Accepted\"}]");
        else if (i == 1)
            pass(f, 30000);
        else if (i == 2)
            down(f, "CP1", 1);
        else
            answer(f, "[4,\"%s\",\"InternalError\",\"\",{}]");
        EXPECT_OUTCOME(&behind, CALL_OFFLINE, "");
        assert_null(station_find(f->st, "CP1"));
        fake_free(f);
    }
}

static void b9_nothing_is_sent_before_the_boot_is_answered(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked;
    up(f, "CP1", 2);
    policy_hears(f, EVENT_BOOT);
    f->scripts[EVENT_BOOT].later = true;
    ask(f, &asked, "ClearCache", "{}");
    pass(f, 9000);
    say(f, "CP1", "[2,\"1\",\"BootNotification\",{}]");
    pass(f, 20000); /* the policy takes its time */
    EXPECT_NOTHING(f);
    policy_answer(f, &(struct script){0});
    assert_non_null(strstr(next_sent(f), "[3,\"1\",{\"status\":\"Accepted\""));
    assert_non_null(strstr(next_sent(f), "\"ClearCache\""));
    assert_true(station_find(f->st, "CP1")->boot_answered);
    answer(f, "[3,\"%s\",{\"status\":\"Accepted\"}]");
    fake_free(f);
}

static void b9_without_a_boot_ten_seconds_are_enough(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked;
    up(f, "CP1", 2);
    ask(f, &asked, "ClearCache", "{}");
    pass(f, 9999);
    EXPECT_NOTHING(f);
    pass(f, 1);
    assert_non_null(strstr(next_sent(f), "\"ClearCache\""));
    down(f, "CP1", 2);
    fake_free(f);
}

static void b9_a_boot_that_could_not_be_answered_well_starts_the_wait_anew(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked;
    up(f, "CP1", 2);
    policy_says(f, EVENT_BOOT, "Pending", NULL);
    station_flush(f->st);
    ask(f, &asked, "ClearCache", "{}");
    pass(f, 9000);
    f->fail = 1;
    say(f, "CP1", "[2,\"1\",\"BootNotification\",{}]");
    EXPECT_SENT(f, "2 [4,\"1\",\"InternalError\",\"\",{}]");
    pass(f, 9999);
    EXPECT_NOTHING(f);
    pass(f, 1);
    assert_non_null(strstr(next_sent(f), "\"ClearCache\""));
    down(f, "CP1", 2);
    fake_free(f);
}

static void b3_b4_remote_start_and_stop_only_when_accepted(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct asked asked;
    up(f, "CP1", 1);
    say(f, "CP1", "[2,\"1\",\"BootNotification\",{}]");
    next_sent(f);
    ask(f, &asked, "RemoteStartTransaction", "{\"idTag\":\"A\"}");
    EXPECT_OUTCOME(&asked, CALL_REFUSED, "not accepted yet");
    ask(f, &asked, "RemoteStopTransaction", "{\"transactionId\":1}");
    EXPECT_OUTCOME(&asked, CALL_REFUSED, "not accepted yet");
    ask(f, &asked, "GetConfiguration", "{}");
    answer(f, "[3,\"%s\",{}]");
    EXPECT_OUTCOME(&asked, CALL_ANSWERED, "{}");
    const struct charge_point_change change = {.registration = "rejected",
                                               .security_profile = ABSENT};
    assert_true(station_register(f->st, "CP1", &change, NULL, NULL, NULL));
    ask(f, &asked, "GetConfiguration", "{}");
    EXPECT_OUTCOME(&asked, CALL_REFUSED, "rejected");
    fake_free(f);
}

static void b3_what_waited_is_judged_again_when_its_turn_comes(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked, other;
    up(f, "CP1", 2);
    ask(f, &asked, "RemoteStartTransaction", "{\"idTag\":\"A\"}");
    ask(f, &other, "GetConfiguration", "{}");
    policy_says(f, EVENT_BOOT, "Pending", NULL);
    say(f, "CP1", "[2,\"1\",\"BootNotification\",{}]");
    EXPECT_OUTCOME(&asked, CALL_REFUSED, "not accepted yet");
    next_sent(f);
    assert_non_null(strstr(next_sent(f), "GetConfiguration"));
    down(f, "CP1", 2);
    fake_free(f);
}

static void b8_nothing_is_ever_sent_by_itself(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    down(f, "CP1", 1);
    up(f, "CP1", 2);
    up(f, "NEW", 3);
    pass(f, 600000);
    EXPECT_NOTHING(f);
    fake_free(f);
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked[22];
    for (int i = 0; i < 22; i++)
        ask(f, &asked[i], "ClearCache", "{}");
    EXPECT_OUTCOME(&asked[21], CALL_REFUSED, "too many");
    assert_int_equal(asked[20].times, 0);
    down(f, "CP1", 1);
    EXPECT_OUTCOME(&asked[20], CALL_OFFLINE, "");
    fake_free(f);
}

static void a_socket_that_takes_nothing_ends_the_call(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked;
    f->send_fails = true;
    assert_int_equal(ask(f, &asked, "ClearCache", "{}"), 0);
    EXPECT_OUTCOME(&asked, CALL_OFFLINE, "being closed");
    fake_free(f);
}

static void q14_a_broken_answer_fails_its_own_command_only(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked, next;
    ask(f, &asked, "GetConfiguration", "{}");
    ask(f, &next, "GetConfiguration", "{}");
    answer(f, "[3,\"%s\",{\"configurationKey\":[]");
    EXPECT_OUTCOME(&asked, CALL_ERROR, "FormationViolation|");
    assert_int_equal(next.times, 0);
    answer(f, "[3,\"%s\",{\"configurationKey\":\"\"}]");
    EXPECT_OUTCOME(&next, CALL_ANSWERED, "configurationKey");
    ask(f, &asked, "ClearCache", "{}");
    answer(f, "[3,\"%s\",{}]");
    EXPECT_OUTCOME(&asked, CALL_ERROR,
                   "ProtocolError|the answer of the charge point cannot be read");
    fake_free(f);
}

static void r9_short_errors_are_accepted(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked;
    ask(f, &asked, "ClearCache", "{}");
    answer(f, "[4,\"%s\",\"OccurenceConstraintViolation\"]");
    EXPECT_OUTCOME(&asked, CALL_ERROR, "OccurenceConstraintViolation|");
    fake_free(f);
}

static void cancelling(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked sent, queued, third;
    uint64_t first = ask(f, &sent, "ClearCache", "{}");
    uint64_t second = ask(f, &queued, "ClearCache", "{}");
    ask(f, &third, "ClearCache", "{}");
    station_cancel(f->st, "CP1", second);
    EXPECT_OUTCOME(&queued, CALL_CANCELLED, "cancelled");
    station_cancel(f->st, "CP1", first);
    EXPECT_OUTCOME(&sent, CALL_CANCELLED, "cancelled");
    station_cancel(f->st, "CP1", first);
    station_cancel(f->st, "CP1", 999999);
    station_cancel(f->st, "NOBODY", first);
    assert_int_equal(f->sent.count, 1); /* R3: the charger has it still */
    answer(f, "[3,\"%s\",{\"status\":\"Accepted\"}]");
    assert_int_equal(sent.times, 1);
    assert_int_equal(f->sent.count, 2);
    down(f, "CP1", 1);
    EXPECT_OUTCOME(&third, CALL_OFFLINE, "");
    fake_free(f);
}

static void freeing_the_station_tells_who_waits(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked sent, queued;
    ask(f, &sent, "ClearCache", "{}");
    ask(f, &queued, "ClearCache", "{}");
    station_free(f->st);
    EXPECT_OUTCOME(&sent, CALL_CANCELLED, "stopping");
    EXPECT_OUTCOME(&queued, CALL_CANCELLED, "stopping");
    fake_open(f);
    fake_free(f);
}

static enum ocpp_error check(struct fake *f, const char *cp, const char *action,
                             const char *payload)
{
    struct arena arena = {0};
    struct payload_report report = {0};
    const struct json *json = json_parse(&arena, payload, strlen(payload), NULL, NULL);
    enum ocpp_error error = station_call_check(f->st, cp, action, json, &report);
    arena_clear(&arena);
    return error;
}

static void payloads_are_checked_to_the_letter(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    assert_int_equal(check(f, "CP1", "Reset", "{\"type\":\"Soft\"}"), OCPP_OK);
    assert_int_equal(check(f, "NOBODY", "Reset", "{\"type\":\"Soft\"}"), OCPP_OK);
    assert_int_equal(check(f, "CP1", "Reset", "{\"type\":\"soft\"}"),
                     OCPP_PROPERTY_CONSTRAINT_VIOLATION);
    assert_int_equal(check(f, "CP1", "Restart", "{}"), OCPP_NOT_IMPLEMENTED);
    assert_int_equal(check(f, "CP1", "Heartbeat", "{}"), OCPP_NOT_SUPPORTED);
    assert_int_equal(check(f, "CP1", "DataTransfer", "{\"vendorId\":\"V\"}"), OCPP_OK);
    fake_free(f);
}

static void c2_effects_may_come_before_the_answer(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked;
    ask(f, &asked, "ChangeAvailability", "{\"connectorId\":1,\"type\":\"Inoperative\"}");
    char *result = xprintf("[3,\"%s\",{\"status\":\"Accepted\"}]", sent_id(f));
    say(f, "CP1",
        "[2,\"1\",\"StatusNotification\",{\"connectorId\":1,\"errorCode\":\"NoError\","
        "\"status\":\"Unavailable\"}]");
    assert_int_equal(asked.times, 0);
    say(f, "CP1", result);
    xfree(result);
    EXPECT_OUTCOME(&asked, CALL_ANSWERED, "Accepted");
    fake_free(f);
}

static char told_id[UUID_SIZE];
static bool told_full;

static void on_told(void *ctx, const struct call_result *result)
{
    on_done(ctx, result);
    text_copy(told_id, sizeof(told_id), span_of(result->id));
    told_full = result->queue_full;
}

static void a_command_has_its_id_from_the_beginning(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const struct command command = {.action = "ClearCache", .payload = "{}"};
    char a[UUID_SIZE], b[UUID_SIZE];
    struct asked first = {0}, second = {0};
    assert_true(station_command(f->st, "CP1", &command, a, on_told, &first) != 0);
    assert_true(station_command(f->st, "CP1", &command, b, on_told, &second) != 0);
    assert_string_equal(sent_id(f), a);
    assert_string_not_equal(a, b);
    answer(f, "[3,\"%s\",{\"status\":\"Accepted\"}]");
    assert_string_equal(told_id, a);
    assert_string_equal(sent_id(f), b);
    down(f, "CP1", 1);
    assert_string_equal(told_id, b);
    assert_int_equal(station_command(f->st, "cp1", &command, a, on_told, &first), 0);
    assert_string_equal(told_id, a); /* in any case */
    EXPECT_OUTCOME(&second, CALL_OFFLINE, "went offline");
    fake_free(f);
}

/* How many rows of that command read so. */
static size_t told(struct fake *f, const char *id, const char *rest)
{
    char *what = xprintf("COMMAND id=%s %s", id, rest);
    size_t found = rows(f, what);
    xfree(what);
    return found;
}

static void commands_are_recorded_when_asked_and_when_ended(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct asked asked = {0};
    char id[UUID_SIZE];
    const struct command command = {.action = "GetConfiguration",
                                    .payload = "{\"key\":[\"A\"]}",
                                    .asked_by = "ops",
                                    .batch = "b1"};
    station_command(f->st, "cp1", &command, id, on_told, &asked);
    assert_int_equal(told(f, id,
                          "cp=CP1 action=GetConfiguration state=queued payload={\"key\":[\"A\"]} "
                          "by=ops batch=b1 asked=1752470408000 sent=- ended=- response=-"),
                     1);
    clock_advance(2000);
    answer(f, "[3,\"%s\",{\"unknownKey\": [\"A\"]}]");
    assert_int_equal(told(f, id,
                          "state=accepted by=ops batch=b1 asked=1752470408000 sent=1752470408000 "
                          "ended=1752470410000 why=-"),
                     1);
    assert_non_null(strstr(f->rows.at[f->rows.count - 1], "response={\"unknownKey\": [\"A\"]} "));
    station_command(f->st, "CP1", &command, id, on_told, &asked);
    answer(f, "[4,\"%s\",\"NotSupported\",\"no\",{\"a\":[1]}]");
    assert_int_equal(
        told(f, id, "state=error code=NotSupported description=no details={\"a\":[1]}"), 1);
    station_command(f->st, "CP1", &command, id, on_told, &asked);
    pass(f, 30000);
    assert_int_equal(told(f, id, "state=timeout ended=1752470440000"), 1);
    down(f, "CP1", 1);
    station_command(f->st, "CP1", &command, id, on_told, &asked);
    assert_int_equal(told(f, id, "state=offline sent=- asked=1752470440000 ended=1752470440000"),
                     1);
    assert_int_equal(told(f, id, ""), 1); /* whole, at once */
    station_command(f->st, "nobody", &command, id, on_told, &asked);
    assert_int_equal(told(f, id, "cp=nobody state=offline"), 1);
    fake_free(f);
}

static void refused_ones_are_recorded(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const struct command command = {.action = "ClearCache", .payload = "{}"};
    struct asked asked[22] = {0};
    char id[UUID_SIZE];
    for (int i = 0; i < 21; i++) {
        station_command(f->st, "CP1", &command, id, on_told, &asked[i]);
        assert_int_equal(asked[i].times, 0);
    }
    station_command(f->st, "CP1", &command, id, on_told, &asked[21]);
    EXPECT_OUTCOME(&asked[21], CALL_REFUSED, "too many commands wait");
    assert_true(told_full);
    assert_int_equal(told(f, id, "state=refused sent=-"), 1);
    const struct charge_point_change pending = {.registration = "pending",
                                                .security_profile = ABSENT};
    assert_true(station_register(f->st, "CP1", &pending, NULL, NULL, NULL));
    const struct command stop = {.action = "RemoteStopTransaction",
                                 .payload = "{\"transactionId\":1}"};
    struct asked remote = {0};
    station_command(f->st, "CP1", &stop, id, on_told, &remote);
    EXPECT_OUTCOME(&remote, CALL_REFUSED, "not accepted yet");
    assert_false(told_full);
    assert_int_equal(told(f, id, "state=refused"), 1);
    down(f, "CP1", 1);
    for (int i = 0; i < 21; i++)
        assert_int_equal(asked[i].times, 1);
    EXPECT_ROWS(f, 21, "COMMAND state=offline");
    fake_free(f);
}

/* Told as cancelled, once; but if the charger answers all the same, its row says so. */
static void cancelled_ones_are_recorded(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const struct command command = {.action = "ClearCache", .payload = "{}"};
    struct asked asked[3] = {0};
    char id[3][UUID_SIZE];
    uint64_t serial[3];
    for (int i = 0; i < 3; i++)
        serial[i] = station_command(f->st, "CP1", &command, id[i], on_told, &asked[i]);
    station_cancel(f->st, "CP1", serial[0]);
    station_cancel(f->st, "CP1", serial[0]);
    station_cancel(f->st, "CP1", serial[1]);
    assert_int_equal(told(f, id[0], "state=cancelled"), 1);
    assert_int_equal(told(f, id[1], "state=cancelled sent=-"), 1);
    answer(f, "[3,\"%s\",{\"status\":\"Accepted\"}]");
    assert_int_equal(told(f, id[0], "state=accepted"), 1);
    EXPECT_OUTCOME(&asked[0], CALL_CANCELLED, "cancelled");
    station_cancel(f->st, "CP1", serial[2]);
    down(f, "CP1", 1); /* no answer: cancelled it stays */
    assert_int_equal(told(f, id[2], "state=cancelled"), 1);
    assert_int_equal(told(f, id[2], "state=offline"), 0);
    EXPECT_OUTCOME(&asked[2], CALL_CANCELLED, "cancelled");
    fake_free(f);
}

static void secrets_are_not_in_the_rows(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const struct command key = {.action = "ChangeConfiguration",
                                .payload = "{\"key\":\"AuthorizationKey\",\"value\":\"s3cret\"}"};
    const struct command log = {.action = "GetDiagnostics",
                                .payload = "{\"location\":\"ftp://u:s3cret@h/?t=s3cret\"}"};
    station_command(f->st, "CP1", &key, NULL, NULL, NULL);
    answer(f,
           "[4,\"%s\",\"GenericError\",\"\",{\"key\":\"AuthorizationKey\",\"value\":\"s3cret\"}]");
    station_command(f->st, "CP1", &log, NULL, NULL, NULL);
    answer(f, "[3,\"%s\",{}]");
    EXPECT_ROWS(f, 4, "COMMAND");
    for (size_t i = 0; i < f->rows.count; i++)
        assert_null(strstr(f->rows.at[i], "s3cret"));
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payload_goes_out_as_given),
        cmocka_unit_test(r3_one_outstanding_the_others_wait),
        cmocka_unit_test(r3_after_a_timeout_the_next_goes_out_and_late_answers_are_dropped),
        cmocka_unit_test(what_waits_too_long_is_not_sent),
        cmocka_unit_test(q31_three_timeouts_in_a_row_are_an_event),
        cmocka_unit_test(offline_and_unknown),
        cmocka_unit_test(t13_all_end_at_once_when_the_socket_goes_or_is_replaced),
        cmocka_unit_test(who_is_told_may_ask_again_at_once),
        cmocka_unit_test(who_is_told_may_delete_the_station),
        cmocka_unit_test(b9_nothing_is_sent_before_the_boot_is_answered),
        cmocka_unit_test(b9_without_a_boot_ten_seconds_are_enough),
        cmocka_unit_test(b9_a_boot_that_could_not_be_answered_well_starts_the_wait_anew),
        cmocka_unit_test(b3_b4_remote_start_and_stop_only_when_accepted),
        cmocka_unit_test(b3_what_waited_is_judged_again_when_its_turn_comes),
        cmocka_unit_test(b8_nothing_is_ever_sent_by_itself),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(a_socket_that_takes_nothing_ends_the_call),
        cmocka_unit_test(q14_a_broken_answer_fails_its_own_command_only),
        cmocka_unit_test(r9_short_errors_are_accepted),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(freeing_the_station_tells_who_waits),
        cmocka_unit_test(payloads_are_checked_to_the_letter),
        cmocka_unit_test(c2_effects_may_come_before_the_answer),
        cmocka_unit_test(a_command_has_its_id_from_the_beginning),
        cmocka_unit_test(commands_are_recorded_when_asked_and_when_ended),
        cmocka_unit_test(refused_ones_are_recorded),
        cmocka_unit_test(cancelled_ones_are_recorded),
        cmocka_unit_test(secrets_are_not_in_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

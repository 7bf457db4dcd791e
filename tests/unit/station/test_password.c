/* A key change of which nobody knows whether the charger took it: both count until it shows (G5).
 */
#include "fake.h"

#include "base/digest.h"

#define OLD "the old password"
#define NEW "the new password" /* plain text, as some chargers have it (G3) */
#define NEWER "the newer password"

/* Does it get in with this password (NULL: with none)? */
static bool gets_in(struct fake *f, const char *password)
{
    struct handshake hs = {.path = "/", .peer = "192.0.2.7"};
    struct strbuf header = {0};
    text_copy(hs.identity, sizeof(hs.identity), span_of("CP1"));
    if (password) {
        char *pair = xprintf("CP1:%s", password);
        strbuf_adds(&header, "Basic ");
        base64_encode(pair, strlen(pair), &header);
        hs.authorization = header.at;
        xfree(pair);
    }
    bool in = station_admit(f->st, &hs, false) == ADMISSION_OK;
    strbuf_clear(&header);
    return in;
}

static struct fake *fake_with_password(const char *password)
{
    struct fake *f = fake_with_cp1();
    const struct charge_point_change change = {
        .password = password, .password_len = strlen(password), .security_profile = ABSENT};
    assert_true(station_register(f->st, "CP1", &change, NULL, NULL, NULL));
    return f;
}

static void ask_key(struct fake *f, const char *key)
{
    char *payload = xprintf("{\"key\":\"AuthorizationKey\",\"value\":\"%s\"}", key);
    station_call(f->st, "CP1", "ChangeConfiguration", payload, 0, NULL, NULL);
    xfree(payload);
}

/* `[%d,"id",…`: what the charger answers to what it was sent last. */
static void answer(struct fake *f, int kind, const char *rest)
{
    const char *at = strstr(f->sent.at[f->sent.count - 1], "[2,\"");
    assert_non_null(at);
    char *text = xprintf("[%d,\"%.36s\",%s]", kind, at + 4, rest);
    say(f, "CP1", text);
    xfree(text);
}

static void ask_and_time_out(struct fake *f, const char *key)
{
    ask_key(f, key);
    pass(f, 30000);
}

static void without_an_answer_the_new_key_may_show(void **state)
{
    (void)state;
    struct fake *f = fake_with_password(OLD);
    ask_and_time_out(f, NEW);
    EXPECT_ROWS(f, 1, "COMMAND action=ChangeConfiguration state=timeout");
    assert_false(gets_in(f, "something else"));
    assert_false(gets_in(f, NULL));
    assert_true(gets_in(f, NEW));
    assert_false(gets_in(f, OLD)); /* it has shown */
    assert_true(gets_in(f, NEW));
    fake_free(f);
}

static void without_an_answer_the_old_key_may_show(void **state)
{
    (void)state;
    struct fake *f = fake_with_password(OLD);
    ask_key(f, NEW);
    down(f, "CP1", 1); /* before it answered */
    assert_true(gets_in(f, OLD));
    assert_false(gets_in(f, NEW));
    assert_true(gets_in(f, OLD));
    fake_free(f);
}

/* The old socket may look open for long after the charger has left it (T13). */
static void it_may_come_back_before_we_know_that_it_left(void **state)
{
    (void)state;
    struct fake *f = fake_with_password(OLD);
    ask_key(f, NEW);
    assert_true(gets_in(f, NEW));
    up(f, "CP1", 2);
    assert_false(gets_in(f, OLD));
    assert_true(gets_in(f, NEW));
    fake_free(f);
}

static void an_answer_decides(void **state)
{
    (void)state;
    static const char *const refusals[] = {"{\"status\":\"Rejected\"}",
                                           "{\"status\":\"NotSupported\"}"};
    struct fake *f = fake_with_password(OLD);
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        ask_key(f, NEW);
        answer(f, 3, refusals[i]);
        assert_false(gets_in(f, NEW));
        assert_true(gets_in(f, OLD));
    }
    ask_key(f, OLD); /* the one that it has, refused: it still has it */
    answer(f, 3, refusals[0]);
    assert_true(gets_in(f, OLD));
    ask_key(f, NEW);
    answer(f, 3, "{\"status\":\"Accepted\"}");
    assert_false(gets_in(f, OLD));
    assert_true(gets_in(f, NEW));
    fake_free(f);
}

static void some_answers_decide_nothing(void **state)
{
    (void)state;
    struct fake *f = fake_with_password(OLD);
    ask_key(f, NEW);
    answer(f, 4, "\"InternalError\",\"\",{}");
    assert_true(gets_in(f, NEW));
    ask_key(f, NEWER);
    answer(f, 3, "{\"status\":\"RebootRequired\"}");
    assert_true(gets_in(f, NEWER));
    assert_false(gets_in(f, NEW));
    fake_free(f);
}

/* Refused is only what was asked last; what was asked before may have been taken. */
static void doubts_add_up_to_a_bound(void **state)
{
    (void)state;
    struct fake *f = fake_with_password(OLD);
    ask_and_time_out(f, NEW);
    ask_key(f, NEWER);
    answer(f, 3, "{\"status\":\"Rejected\"}");
    assert_false(gets_in(f, NEWER));
    assert_true(gets_in(f, NEW));
    for (int i = 0; i < 10; i++) {
        char *key = xprintf("key number %d, long enough", i);
        ask_and_time_out(f, key);
        xfree(key);
    }
    assert_true(strlen(station_find(f->st, "CP1")->password_hash) < 4 * SECRET_HASH_SIZE);
    assert_false(gets_in(f, "key number 3, long enough"));
    assert_true(gets_in(f, NEW)); /* the one that it surely had */
    fake_free(f);
}

static void a_station_without_password_may_have_one_now(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask_and_time_out(f, NEW);
    assert_true(gets_in(f, "something else")); /* as before, and nothing is shown by it */
    assert_true(gets_in(f, NEW));
    assert_false(gets_in(f, NULL));
    fake_free(f);
    f = fake_with_cp1();
    ask_and_time_out(f, NEW);
    assert_true(gets_in(f, NULL));
    assert_null(station_find(f->st, "CP1")->password_hash);
    ask_key(f, NEW);
    answer(f, 3, "{\"status\":\"Rejected\"}");
    assert_null(station_find(f->st, "CP1")->password_hash);
    fake_free(f);
}

static void an_operator_ends_the_doubt(void **state)
{
    (void)state;
    struct fake *f = fake_with_password(OLD);
    ask_key(f, NEW);
    const struct charge_point_change change = {
        .password = NEWER, .password_len = strlen(NEWER), .security_profile = ABSENT};
    assert_true(station_register(f->st, "CP1", &change, NULL, NULL, NULL));
    answer(f, 3, "{\"status\":\"Rejected\"}");
    assert_false(gets_in(f, NEW));
    assert_true(gets_in(f, NEWER));
    fake_free(f);
}

static void the_doubt_outlives_a_restart(void **state)
{
    (void)state;
    struct fake *f = fake_with_password(OLD);
    ask_and_time_out(f, NEW);
    const struct charge_point *cp = station_find(f->st, "CP1");
    char *row = xprintf("CHARGE_POINT hash=%s profile=1", cp->password_hash);
    EXPECT_ROWS(f, 1, row);
    xfree(row);
    struct record_charge_point record = {.id = "CP1",
                                         .registration = "accepted",
                                         .password_hash = xstrdup(cp->password_hash),
                                         .security_profile = 1};
    fake_free(f);
    f = fake_new();
    struct restore_sink sink = station_restore_sink(f->st);
    sink.charge_point(sink.ctx, &record);
    assert_true(gets_in(f, OLD));
    assert_false(gets_in(f, NEW));
    xfree((char *)record.password_hash);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_answer_the_new_key_may_show),
        cmocka_unit_test(without_an_answer_the_old_key_may_show),
        cmocka_unit_test(it_may_come_back_before_we_know_that_it_left),
        cmocka_unit_test(an_answer_decides),
        cmocka_unit_test(some_answers_decide_nothing),
        cmocka_unit_test(doubts_add_up_to_a_bound),
        cmocka_unit_test(a_station_without_password_may_have_one_now),
        cmocka_unit_test(an_operator_ends_the_doubt),
        cmocka_unit_test(the_doubt_outlives_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

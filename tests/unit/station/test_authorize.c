/* Authorize: rules A1 to A7, and what is recorded of a decision. */
#include "fake.h"

static void authorize(struct fake *f, const char *id, const char *tag)
{
    char *text = xprintf("[2,\"%s\",\"Authorize\",{\"idTag\":\"%s\"}]", id, tag);
    say(f, "CP1", text);
    xfree(text);
}

static void a1_policies_see_upper_case_and_the_spelling_is_kept(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    authorize(f, "1", "vid:02a0c");
    EXPECT_EVENTS(f, 1, "authorize cp=CP1 connector=- idTag=VID:02A0C purpose=authorize");
    EXPECT_ROWS(f, 1, "DECISION event=authorize idTag=vid:02a0c verdict=Accepted");
    authorize(f, "2", "a tag of far more than twenty characters");
    next_sent(f);
    assert_non_null(strstr(next_sent(f), "Accepted"));
    fake_free(f);
}

static void a2_the_five_words_pass_and_others_do_not(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const char *const words[] = {"Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        policy_says(f, EVENT_AUTHORIZE, words[i], NULL);
        char *id = xprintf("w%zu", i);
        char *answer = xprintf("1 [3,\"%s\",{\"idTagInfo\":{\"status\":\"%s\"}}]", id, words[i]);
        authorize(f, id, "A");
        EXPECT_SENT(f, answer);
        xfree(answer);
        xfree(id);
    }
    policy_says(f, EVENT_AUTHORIZE, "accepted", NULL);
    authorize(f, "x", "A");
    EXPECT_SENT(f, "1 [3,\"x\",{\"idTagInfo\":{\"status\":\"Invalid\"}}]");
    fake_free(f);
}

static void a3_expiry_and_parent(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_says(f, EVENT_AUTHORIZE, "Accepted",
                "{\"parentIdTag\":\"FLEET\",\"expiryDate\":1767225600}");
    authorize(f, "1", "A");
    EXPECT_SENT(f, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Accepted\",\"parentIdTag\":\"FLEET\","
                   "\"expiryDate\":\"2026-01-01T00:00:00Z\"}}]");
    policy_says(f, EVENT_AUTHORIZE, "Accepted",
                "{\"parentIdTag\":\"\",\"expiryDate\":\"2026-01-01T02:00:00.5+02:00\"}");
    authorize(f, "2", "A");
    EXPECT_SENT(f, "1 [3,\"2\",{\"idTagInfo\":{\"status\":\"Accepted\","
                   "\"expiryDate\":\"2026-01-01T00:00:00Z\"}}]");
    policy_says(f, EVENT_AUTHORIZE, "Accepted", "{\"expiryDate\":\"2025-07-14\"}");
    authorize(f, "3", "A"); /* in the past */
    EXPECT_SENT(f, "1 [3,\"3\",{\"idTagInfo\":{\"status\":\"Expired\","
                   "\"expiryDate\":\"2025-07-14T00:00:00Z\"}}]");
    policy_says(f, EVENT_AUTHORIZE, "Accepted",
                "{\"parentIdTag\":\"longer than twenty characters\",\"expiryDate\":\"never\"}");
    authorize(f, "4", "A"); /* cannot be sent, so it is not */
    EXPECT_SENT(f, "1 [3,\"4\",{\"idTagInfo\":{\"status\":\"Accepted\"}}]");
    fake_free(f);
}

static void a_default_says_that_it_is_one(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->scripts[EVENT_AUTHORIZE] = (struct script){.listens = true, .kind = VERDICT_NONE};
    authorize(f, "1", "A");
    EXPECT_ROWS(f, 1, "DECISION event=authorize verdict=Invalid why=no policy had an opinion");
    fake_free(f);
}

static void a7_a_failing_policy_gives_the_configured_word(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->scripts[EVENT_AUTHORIZE] = (struct script){
        .listens = true, .kind = VERDICT_FAILED, .why = "boom", .file = "10-a.lua", .line = 14};
    authorize(f, "1", "A");
    EXPECT_SENT(f, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Blocked\"}}]");
    EXPECT_ROWS(f, 1,
                "DECISION event=authorize verdict=Blocked why=boom file=10-a.lua line=14 "
                "generation=7 inputs={\"idTag\":\"A\",\"purpose\":\"authorize\"}");
    fake_free(f);
}

static void without_an_opinion_the_default_answers(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    policy_hears(f, EVENT_AUTHORIZE);
    authorize(f, "1", "A");
    EXPECT_SENT(f, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Invalid\"}}]");
    f->scripts[EVENT_AUTHORIZE].listens = false;
    authorize(f, "2", "A");
    EXPECT_SENT(f, "1 [3,\"2\",{\"idTagInfo\":{\"status\":\"Invalid\"}}]");
    EXPECT_EVENTS(f, 1, "authorize");
    EXPECT_ROWS(f, 2, "DECISION verdict=Invalid file=-");
    fake_free(f);
}

static void authorize_waits_for_no_disk(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->fail = -1;
    authorize(f, "1", "A");
    EXPECT_SENT(f, "1 [3,\"1\",{\"idTagInfo\":{\"status\":\"Accepted\"}}]");
    station_flush(f->st);
    assert_int_equal(station_counters(f->st)->failed_batches, 1);
    fake_free(f);
}

static void the_charge_point_may_be_deleted_while_policies_think(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    f->scripts[EVENT_AUTHORIZE].later = true;
    authorize(f, "1", "A");
    authorize(f, "2", "B");
    assert_true(station_delete(f->st, "CP1", NULL, NULL, NULL));
    assert_null(station_find(f->st, "CP1"));
    up(f, "CP1", 2); /* and is back before they are done */
    const struct script accepted = {.kind = VERDICT_GIVEN, .word = "Accepted"};
    policy_answer(f, &accepted);
    EXPECT_NOTHING(f);
    EXPECT_EVENTS(f, 1, "authorize"); /* what waited was dropped */
    EXPECT_ROWS(f, 1, "DECISION idTag=A verdict=Accepted");
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a1_policies_see_upper_case_and_the_spelling_is_kept),
        cmocka_unit_test(a2_the_five_words_pass_and_others_do_not),
        cmocka_unit_test(a3_expiry_and_parent),
        cmocka_unit_test(a_default_says_that_it_is_one),
        cmocka_unit_test(a7_a_failing_policy_gives_the_configured_word),
        cmocka_unit_test(without_an_opinion_the_default_answers),
        cmocka_unit_test(authorize_waits_for_no_disk),
        cmocka_unit_test(the_charge_point_may_be_deleted_while_policies_think),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Registering, changing, deleting; options; vars; tags; kv; restoring. */
#include "fake.h"

struct told {
    int times;
    bool ok;
    char why[200];
};

static void on_change(void *ctx, bool ok, const char *why)
{
    struct told *told = ctx;
    told->times++;
    told->ok = ok;
    text_copy(told->why, sizeof(told->why), span_of(why ? why : ""));
}

static void refuse(struct fake *f, const char *id, struct charge_point_change change,
                   const char *part)
{
    struct reason why = {{0}};
    struct told told = {0};
    assert_false(station_register(f->st, id, &change, &why, on_change, &told));
    if (!strstr(why.text, part))
        fail_msg("\"%s\" does not say \"%s\"", why.text, part);
    assert_int_equal(told.times, 0);
    assert_null(station_find(f->st, id));
}

static void bad_values_are_refused_with_a_reason(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    refuse(f, "", (struct charge_point_change){.security_profile = ABSENT}, "identity");
    refuse(f, "a\nb", (struct charge_point_change){.security_profile = ABSENT}, "control");
    refuse(f, "\xff", (struct charge_point_change){.security_profile = ABSENT}, "UTF-8");
    refuse(f, "A", (struct charge_point_change){.registration = "ok", .security_profile = ABSENT},
           "registration");
    refuse(f, "A", (struct charge_point_change){.security_profile = 3}, "securityProfile");
    refuse(f, "A", (struct charge_point_change){.security_profile = 1}, "needs a password");
    refuse(f, "A",
           (struct charge_point_change){
               .password = "short", .password_len = 5, .security_profile = ABSENT},
           "16 to 64");
    const char *const options[][2] = {{"[]", "an object"},
                                      {"{", ""},
                                      {"{\"strictt\":true}", "did you mean \"strict\"?"},
                                      {"{\"strict\":1}", "true or false"},
                                      {"{\"zoneMinutes\":9999}", "-1440 to 1440"},
                                      {"{\"replyDelayMs\":\"1\"}", "an integer"},
                                      {"{\"assumeProtocol\":\"ocpp1.5\"}", "ocpp1.6"}};
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        refuse(f, "A",
               (struct charge_point_change){.options = options[i][0], .security_profile = ABSENT},
               options[i][1]);
    fake_free(f);
}

static void a_change_is_durable_when_it_is_told(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct told told = {0};
    const struct charge_point_change change = {
        .registration = "accepted",
        .security_profile = ABSENT,
        .options = "{\"strict\":true,\"pongRequired\":false,\"ratingW\":180000}"};
    f->hold = true;
    assert_true(station_register(f->st, "CP1", &change, NULL, on_change, &told));
    assert_int_equal(told.times, 0);
    store_release(f);
    assert_true(told.times == 1 && told.ok);
    const struct charge_point *cp = station_find(f->st, "cp1");
    assert_true(cp->options.strict && !cp->options.pong_required);
    assert_int_equal(cp->options.rating_w, 180000);
    EXPECT_ROWS(f, 1, "CHARGE_POINT id=CP1 registration=accepted profile=0");
    const struct charge_point_change other = {.registration = "rejected",
                                              .security_profile = ABSENT};
    assert_true(station_register(f->st, "CP1", &other, NULL, on_change, &told));
    assert_true(cp->options.strict); /* NULL leaves it */
    assert_int_equal(cp->registration, REGISTRATION_REJECTED);
    fake_free(f);
}

static void a_change_that_cannot_be_stored_is_taken_back(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct told told = {0};
    const struct charge_point_change first = {
        .registration = "accepted", .security_profile = ABSENT, .options = "{\"replyDelayMs\":5}"};
    assert_true(station_register(f->st, "CP1", &first, NULL, NULL, NULL));
    const struct charge_point_change second = {.registration = "rejected",
                                               .security_profile = ABSENT,
                                               .password = "0123456789abcdef",
                                               .password_len = 16,
                                               .options = "{}"};
    f->fail = 1;
    assert_true(station_register(f->st, "CP1", &second, NULL, on_change, &told));
    assert_true(told.times == 1 && !told.ok);
    const struct charge_point *cp = station_find(f->st, "CP1");
    assert_int_equal(cp->registration, REGISTRATION_ACCEPTED);
    assert_null(cp->password_hash);
    assert_int_equal(cp->security_profile, 0);
    assert_int_equal(cp->options.reply_delay_ms, 5);
    fake_free(f);
}

static void deleting_closes_and_forgets(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct told told = {0};
    struct reason why;
    assert_false(station_delete(f->st, "NOBODY", &why, on_change, &told));
    say(f, "CP1",
        "[2,\"1\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":0,"
        "\"timestamp\":\"2025-07-14T05:20:00Z\"}]");
    assert_false(station_delete(f->st, "CP1", &why, on_change, &told));
    assert_string_equal(why.text, "a transaction is open");
    say(f, "CP1",
        "[2,\"2\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":1,"
        "\"timestamp\":\"2025-07-14T05:20:01Z\"}]");
    assert_true(station_delete(f->st, "CP1", &why, on_change, &told));
    assert_true(told.times == 1 && told.ok);
    assert_string_equal(f->closed.at[0], "1 4001 deleted");
    assert_null(station_find(f->st, "CP1"));
    down(f, "CP1", 1);
    EXPECT_ROWS(f, 1, "CHARGE_POINT_DELETE id=CP1");
    fake_free(f);
}

static void iterating_in_order_of_first_contact(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    up(f, "B", 1);
    up(f, "A", 2);
    up(f, "b", 3);
    size_t at = 0;
    assert_string_equal(station_next(f->st, &at)->id, "B");
    assert_string_equal(station_next(f->st, &at)->id, "A");
    assert_null(station_next(f->st, &at));
    assert_string_equal(registration_text(station_find(f->st, "b")->registration), "pending");
    fake_free(f);
}

static void vars_of_a_charge_point_are_written_behind(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    struct charge_point *cp = station_find(f->st, "CP1");
    assert_true(vars_set(&cp->vars, "a", "1", NULL));
    charge_point_vars_changed(f->st, "CP1");
    assert_true(vars_set(&cp->vars, "a", "2", NULL));
    charge_point_vars_changed(f->st, "cp1");
    assert_false(station_idle(f->st));
    EXPECT_ROWS(f, 1, "CHARGE_POINT id=CP1 vars={\"a\":2}");
    EXPECT_ROWS(f, 1, "CHARGE_POINT");
    assert_true(vars_set(&cp->vars, "a", NULL, NULL));
    charge_point_vars_changed(f->st, "CP1");
    charge_point_vars_changed(f->st, "NOBODY");
    transaction_vars_changed(f->st, 4711);
    EXPECT_ROWS(f, 1, "CHARGE_POINT id=CP1 vars={}");
    fake_free(f);
}

/* ---- tags ---- */

static void tags_hold_at_once_and_are_told_when_stored(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct told told = {0};
    struct id_tag tag = {.id_tag = (char *)"Ab",
                         .status = (char *)"Accepted",
                         .expiry_ms = 5,
                         .parent_id_tag = (char *)"",
                         .max_active = ABSENT};
    f->hold = true;
    assert_true(station_tag_put(f->st, &tag, NULL, on_change, &told));
    assert_string_equal(station_tag(f->st, "AB")->status, "Accepted");
    assert_null(station_tag(f->st, "AB")->parent_id_tag); /* A3 */
    assert_int_equal(told.times, 0);
    store_release(f);
    assert_true(told.times == 1 && told.ok);
    tag.status = (char *)"Blocked";
    f->fail = 1;
    assert_true(station_tag_put(f->st, &tag, NULL, on_change, &told));
    assert_true(told.times == 2 && !told.ok);
    assert_string_equal(station_tag(f->st, "ab")->status, "Accepted");
    f->fail = 1;
    assert_true(station_tag_delete(f->st, "ab", on_change, &told));
    assert_true(told.times == 3 && !told.ok);
    assert_non_null(station_tag(f->st, "ab"));
    assert_true(station_tag_delete(f->st, "ab", on_change, &told));
    assert_true(told.times == 4 && told.ok);
    assert_null(station_tag(f->st, "ab"));
    assert_false(station_tag_delete(f->st, "ab", on_change, &told));
    size_t at = 0;
    assert_null(station_tag_next(f->st, &at));
    EXPECT_ROWS(f, 1, "TAG idTag=Ab status=Accepted parent=- expiry=5");
    EXPECT_ROWS(f, 1, "TAG_DELETE idTag=ab");
    fake_free(f);
}

static void a_failed_change_does_not_undo_a_later_one(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct id_tag tag = {.id_tag = (char *)"A",
                         .status = (char *)"Accepted",
                         .expiry_ms = ABSENT,
                         .max_active = ABSENT};
    f->hold = true;
    f->fail = 1;
    assert_true(station_tag_put(f->st, &tag, NULL, NULL, NULL));
    tag.status = (char *)"Blocked";
    assert_true(station_tag_put(f->st, &tag, NULL, NULL, NULL));
    store_release(f);
    assert_string_equal(station_tag(f->st, "A")->status, "Blocked");
    fake_free(f);
}

static void tags_need_a_name_and_a_word(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct reason why;
    struct id_tag tag = {.id_tag = (char *)"", .status = (char *)"Accepted"};
    assert_false(station_tag_put(f->st, &tag, &why, NULL, NULL));
    tag = (struct id_tag){.id_tag = (char *)"A", .status = (char *)"accepted"};
    assert_false(station_tag_put(f->st, &tag, &why, NULL, NULL));
    assert_non_null(strstr(why.text, "status"));
    fake_free(f);
}

/* ---- kv ---- */

static void kv_values_expire(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    assert_true(station_kv_set(f->st, "k", "1", 0, NULL));
    assert_true(station_kv_set(f->st, "t", "{\"a\":2}", 1000, NULL));
    assert_string_equal(station_kv_get(f->st, "k"), "1");
    assert_string_equal(station_kv_get(f->st, "t"), "{\"a\":2}");
    EXPECT_ROWS(f, 1, "KV key=k value=1 expires=-");
    EXPECT_ROWS(f, 1, "KV key=t expires=1752470409000");
    pass(f, 1000);
    assert_null(station_kv_get(f->st, "t"));
    assert_true(station_kv_set(f->st, "long", "1", 90000, NULL));
    pass(f, 59000); /* the sweep */
    EXPECT_ROWS(f, 1, "KV_DELETE key=t");
    pass(f, 60000);
    EXPECT_ROWS(f, 1, "KV_DELETE key=long");
    assert_int_equal(timers_next(&f->timers), -1);
    assert_true(station_kv_set(f->st, "k", NULL, 0, NULL));
    assert_true(station_kv_set(f->st, "k", NULL, 0, NULL));
    assert_null(station_kv_get(f->st, "k"));
    EXPECT_ROWS(f, 1, "KV_DELETE key=k");
    fake_free(f);
}

static void kv_is_bounded(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct reason why;
    char big[65 * 1024 + 2];
    memset(big, '1', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    assert_false(station_kv_set(f->st, "k", big, 0, &why));
    assert_non_null(strstr(why.text, "value"));
    big[256] = '\0';
    assert_false(station_kv_set(f->st, big, "1", 0, &why));
    assert_non_null(strstr(why.text, "key"));
    assert_null(station_kv_get(f->st, "k"));
    assert_true(station_kv_set(f->st, big + 1, "1", INT64_MAX, NULL));
    assert_string_equal(station_kv_get(f->st, big + 1), "1");
    fake_free(f);
}

/* ---- restoring ---- */

static void pour(struct restore_sink *sink)
{
    const struct record_charge_point cp = {.id = "CP1",
                                           .registration = "accepted",
                                           .options = "{\"strict\":true}",
                                           .version = "1.6",
                                           .model = "F3",
                                           .last_boot_ms = 7,
                                           .vars = "{\"a\":1}"};
    const struct record_charge_point seen = {.id = "CP2", .registration = "pending"};
    const struct record_connector at = {.cp = "CP1",
                                        .evse = 1,
                                        .connector = 1,
                                        .status = "Charging",
                                        .error_code = "NoError",
                                        .status_ms = TEST_NOW,
                                        .newest_start_ms = 1752470400000,
                                        .last_meter_stop_wh = 5};
    struct record_transaction tx = {.id = 1,
                                    .start = {.cp = "CP1",
                                              .evse = 1,
                                              .connector = 1,
                                              .id_tag = "A",
                                              .parent_id_tag = "G",
                                              .start_ms = 60000,
                                              .received_ms = TEST_NOW,
                                              .meter_start_wh = 100,
                                              .reservation_id = ABSENT,
                                              .verdict = "Accepted",
                                              .flags = TX_SUSPECT_CLOCK | TX_STALE},
                                    .last_energy_wh = 300,
                                    .last_power_w = ABSENT,
                                    .last_soc = ABSENT,
                                    .last_sample_ms = TEST_NOW};
    sink->charge_point(sink->ctx, &cp);
    sink->charge_point(sink->ctx, &seen);
    sink->connector(sink->ctx, &at);
    sink->transaction(sink->ctx, &tx);
    tx.id = 2;
    tx.start.start_ms = 1752470400000;
    tx.start.flags = 0;
    tx.vars = "{\"low\":1}";
    sink->transaction(sink->ctx, &tx);
    sink->id_tag(sink->ctx, &(struct record_id_tag){.id_tag = "A",
                                                    .status = "Accepted",
                                                    .expiry_ms = ABSENT,
                                                    .max_active = ABSENT});
    sink->kv(sink->ctx, &(struct record_kv){"k", "1", ABSENT});
    sink->kv(sink->ctx, &(struct record_kv){"old", "1", TEST_NOW - 1});
}

static void the_stored_state_is_poured_in(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct restore_sink sink = station_restore_sink(f->st);
    pour(&sink);
    f->last_id = 2;
    struct charge_point *cp = station_find(f->st, "CP1");
    assert_true(cp->registered && cp->options.strict);
    assert_ptr_equal(cp->version, &version_16);
    assert_string_equal(vars_get(&cp->vars, "a"), "1");
    assert_false(station_find(f->st, "CP2")->registered);
    const struct connector *at = station_connector(cp, 1, 1);
    assert_int_equal(at->transaction_id, 2);
    assert_int_equal(at->last_meter_stop_wh, 5);
    assert_int_equal(station_transaction(f->st, 1)->start_ms, TEST_NOW);
    const struct transaction *tx = station_transaction(f->st, 2);
    assert_string_equal(tx->parent_id_tag, "G");
    assert_int_equal(transaction_energy_wh(tx), 200);
    assert_string_equal(vars_get(&tx->vars, "low"), "1");
    assert_non_null(station_tag(f->st, "a"));
    assert_string_equal(station_kv_get(f->st, "k"), "1");
    assert_null(station_kv_get(f->st, "old"));
    /* T14, X3: it goes on as if nothing had happened. */
    up(f, "CP1", 1);
    say(f, "CP1", "[2,\"1\",\"Heartbeat\",{}]");
    assert_non_null(strstr(next_sent(f), "currentTime"));
    say(f, "CP1",
        "[2,\"2\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":100,"
        "\"timestamp\":\"2025-07-14T05:20:00Z\"}]");
    EXPECT_ROWS(f, 1, "FIND");
    fake_free(f);
}

static void odd_rows_are_survived(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct restore_sink sink = station_restore_sink(f->st);
    const struct record_charge_point cp = {
        .id = "CP1", .registration = "maybe", .options = "{\"gone\":1}", .version = "9"};
    sink.charge_point(sink.ctx, &cp);
    sink.charge_point(sink.ctx, &cp);
    sink.connector(sink.ctx, &(struct record_connector){.cp = "NOBODY"});
    assert_int_equal(station_find(f->st, "CP1")->registration, REGISTRATION_PENDING);
    assert_null(station_find(f->st, "CP1")->version);
    const struct record_transaction tx = {.id = 5,
                                          .start = {.cp = "GONE",
                                                    .id_tag = "A",
                                                    .meter_start_wh = ABSENT,
                                                    .reservation_id = ABSENT,
                                                    .verdict = "Accepted"},
                                          .last_energy_wh = 9,
                                          .last_power_w = ABSENT,
                                          .last_soc = ABSENT,
                                          .last_sample_ms = ABSENT};
    sink.transaction(sink.ctx, &tx);
    assert_int_equal(transaction_energy_wh(station_transaction(f->st, 5)), ABSENT);
    assert_int_equal(station_settings(f->st)->pending_interval_s, 60);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_values_are_refused_with_a_reason),
        cmocka_unit_test(a_change_is_durable_when_it_is_told),
        cmocka_unit_test(a_change_that_cannot_be_stored_is_taken_back),
        cmocka_unit_test(deleting_closes_and_forgets),
        cmocka_unit_test(iterating_in_order_of_first_contact),
        cmocka_unit_test(vars_of_a_charge_point_are_written_behind),
        cmocka_unit_test(tags_hold_at_once_and_are_told_when_stored),
        cmocka_unit_test(a_failed_change_does_not_undo_a_later_one),
        cmocka_unit_test(tags_need_a_name_and_a_word),
        cmocka_unit_test(kv_values_expire),
        cmocka_unit_test(kv_is_bounded),
        cmocka_unit_test(the_stored_state_is_poured_in),
        cmocka_unit_test(odd_rows_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

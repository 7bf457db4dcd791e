/* Queries of commands, of what chargers accepted, and of meter series: each filter, the order, and
 * pages that together are the whole. */
#include "rig.h"

/* `member` of all rows, page after page: `3 2 | 1 | `. */
static void assert_pages(struct rig *rig, const char *name, const char *member, const char *more,
                         int limit, const char *expected)
{
    struct strbuf got = {0};
    char *cursor = NULL;
    for (int pages = 0; pages == 0 || (cursor && pages < 50); pages++) {
        struct arena arena = {0};
        char *params =
            cursor ? arena_printf(&arena, "{\"limit\":%d,\"cursor\":\"%s\"%s}", limit, cursor, more)
                   : arena_printf(&arena, "{\"limit\":%d%s}", limit, more);
        rig_rows(rig, name, params);
        struct json *rows = json_parse(&arena, rig->rows, strlen(rig->rows), NULL, NULL);
        for (struct json *row = rows->child; row; row = row->next) {
            struct span raw = json_get(row, member)->raw;
            strbuf_add(&got, raw.at, raw.len);
            strbuf_addc(&got, ' ');
        }
        strbuf_adds(&got, "| ");
        arena_clear(&arena);
        XFREE(cursor);
        cursor = xstrdup_or_null(rig->cursor);
    }
    assert_null(cursor);
    assert_string_equal(strbuf_text(&got), expected);
    strbuf_clear(&got);
}

/* ---- commands ---- */

static void ask(struct rig *rig, const char *id, const char *cp, const char *action,
                const char *batch, const char *state, int64_t at)
{
    rig_put(rig, (struct record){.kind = RECORD_COMMAND,
                                 .command = {.id = id,
                                             .cp = cp,
                                             .action = action,
                                             .payload = "{}",
                                             .batch = batch,
                                             .state = state,
                                             .asked_ms = at,
                                             .sent_ms = ABSENT,
                                             .ended_ms = ABSENT}});
}

static void test_commands(void **state)
{
    struct rig *rig = *state;
    ask(rig, "a", "CP1", "Reset", "b1", "queued", 100);
    ask(rig, "b", "CP2", "Reset", "b1", "accepted", 300);
    ask(rig, "c", "CP1", "Reset", NULL, "accepted", 300);
    ask(rig, "d", "CP1", "ClearCache", NULL, "timeout", 200);
    ask(rig, "e", "CP3", "Reset", "b2", "queued", 300);
    ask(rig, "b", "CP2", "Reset", "b1", "error", 300); /* its end moves it nowhere */
    assert_pages(rig, "commands", "id", "", 2, "\"e\" \"c\" | \"b\" \"d\" | \"a\" | ");
    assert_pages(rig, "commands", "id", ",\"cpid\":\"cp1\"", 1, "\"c\" | \"d\" | \"a\" | ");
    assert_pages(rig, "commands", "id", ",\"action\":\"ClearCache\"", 9, "\"d\" | ");
    assert_pages(rig, "commands", "id", ",\"state\":\"queued\"", 1, "\"e\" | \"a\" | ");
    assert_pages(rig, "commands", "id", ",\"batch\":\"b1\"", 1, "\"b\" | \"a\" | ");
    assert_pages(rig, "commands", "id", ",\"from\":200,\"to\":300", 9, "\"d\" | ");
    assert_pages(rig, "commands", "id",
                 ",\"cpid\":\"CP1\",\"batch\":\"b1\",\"state\":\"queued\",\"from\":100,\"to\":101,"
                 "\"action\":\"Reset\"",
                 9, "\"a\" | ");
    assert_string_equal(rig_refusal(rig, "command", NULL), "id is missing");
    assert_string_equal(rig_refusal(rig, "commands", "{\"id\":\"a\"}"), "id: no such parameter");
}

/* ---- in order of a text ---- */

static void test_configuration(void **state)
{
    struct rig *rig = *state;
    static const char *const keys[] = {"b", "A", "_", "c_d\xc3\xa4", "C", "ab"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        rig_put(rig, (struct record){.kind = RECORD_CONFIGURATION,
                                     .configuration = {.cp = "CP1", .key = keys[i]}});
        rig_put(rig, (struct record){.kind = RECORD_CONFIGURATION,
                                     .configuration = {.cp = "CP2", .key = keys[i]}});
    }
    for (int limit = 1; limit < 3; limit++)
        assert_pages(rig, "configuration", "key", ",\"cpid\":\"CP1\"", limit,
                     limit == 1 ? "\"_\" | \"A\" | \"ab\" | \"b\" | \"C\" | \"c_d\xc3\xa4\" | "
                                : "\"_\" \"A\" | \"ab\" \"b\" | \"C\" \"c_d\xc3\xa4\" | ");
    rig_rows(rig, "configuration", "{\"cpid\":\"CP1\",\"limit\":3}");
    assert_string_equal(rig->cursor, "x6162");
    assert_pages(rig, "configuration", "key", ",\"cpid\":\"CP1\",\"key\":\"a\"", 5, "\"A\" | ");
    assert_string_equal(rig_refusal(rig, "configuration", NULL), "cpid is missing");
}

static void test_bad_text_cursors(void **state)
{
    struct rig *rig = *state;
    static const char *const bad[] = {
        "\"\"", "\"5\"", "\"x4\"",   "\"x4g\"",  "\"X41\"",   "\"x4A\"",      "\"41\"",
        "5",    "[]",    "\"x41_\"", "\"x 41\"", "\"x4\\n\"", "\"\\u00e441\""};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char params[80];
        snprintf(params, sizeof(params), "{\"cursor\":%s}", bad[i]);
        assert_string_equal(rig_refusal(rig, "tags_all", params),
                            "cursor: not one that this list gave");
    }
    assert_rows(rig, "tags_all", "{\"cursor\":\"x\"}", "[]");
    assert_rows(rig, "tags_all", "{\"cursor\":\"xff00\"}", "[]");
}

static void test_tags_all(void **state)
{
    struct rig *rig = *state;
    rig_put(rig,
            (struct record){.kind = RECORD_ID_TAG, .id_tag = {"b", "Blocked", 5, "p", "n", 2}});
    rig_put(rig, (struct record){.kind = RECORD_ID_TAG,
                                 .id_tag = {"", "Accepted", ABSENT, NULL, NULL, ABSENT}});
    rig_put(rig, (struct record){.kind = RECORD_ID_TAG,
                                 .id_tag = {"C", "Accepted", ABSENT, NULL, NULL, ABSENT}});
    assert_pages(rig, "tags_all", "idTag", "", 1, "\"\" | \"b\" | \"C\" | ");
    assert_rows(rig, "tags_all", "{\"cursor\":\"x\",\"limit\":1}",
                "[{\"idTag\":\"b\",\"status\":\"Blocked\",\"expiryMs\":5,\"parentIdTag\":\"p\","
                "\"note\":\"n\",\"maxActive\":2}]");
}

static void test_local_list_tags(void **state)
{
    struct rig *rig = *state;
    rig_put(rig, (struct record){
                     .kind = RECORD_LOCAL_LIST,
                     .local_list = {"CP1", 1, true,
                                    "[{\"idTag\":\"q\"},{\"idTag\":\"'\"},{\"idTag\":\"R\"}]", 5}});
    assert_pages(rig, "local_list_tags", "idTag", ",\"cpid\":\"cp1\"", 2, "\"'\" \"q\" | \"R\" | ");
    assert_pages(rig, "local_list", "version", ",\"cpid\":\"CP1\"", 1, "1 | ");
    assert_string_equal(rig_refusal(rig, "local_list", NULL), "cpid is missing");
    assert_string_equal(rig_refusal(rig, "local_list_tags", NULL), "cpid is missing");
}

/* ---- newest first ---- */

static void test_reservations(void **state)
{
    struct rig *rig = *state;
    static const int64_t at[] = {10, 30, 20, 30, 30};
    for (int64_t i = 0; i < 5; i++)
        rig_put(rig, (struct record){.kind = RECORD_RESERVATION,
                                     .reservation = {i == 1 ? "CP2" : "CP1", i, i % 2, "Tag", NULL,
                                                     i == 4 ? 50 : 1000, at[i]}});
    rig_put(rig, (struct record){.kind = RECORD_RESERVATION_END,
                                 .reservation_end = {"CP1", 2, 0, "USED", 1, 40}});
    clock_fake(100);
    assert_pages(rig, "reservations", "id", "", 2, "4 3 | 1 2 | 0 | ");
    assert_pages(rig, "reservations", "id", ",\"cpid\":\"cp1\"", 1, "4 | 3 | 2 | 0 | ");
    assert_pages(rig, "reservations", "id", ",\"connectorId\":1", 1, "3 | 1 | ");
    assert_pages(rig, "reservations", "id", ",\"state\":\"ACCEPTED\"", 1, "3 | 1 | 0 | ");
    assert_pages(rig, "reservations", "id", ",\"state\":\"EXPIRED\"", 1, "4 | ");
    assert_pages(rig, "reservations", "id", ",\"state\":\"USED\",\"cpid\":\"CP1\"", 1, "2 | ");
    assert_pages(rig, "reservations", "id", ",\"state\":\"FAULTED\"", 1, "| ");
    assert_string_equal(rig_refusal(rig, "reservations", "{\"state\":\"accepted\"}"),
                        "state: \"accepted\" is not known");
    clock_real();
}

static void test_profiles(void **state)
{
    struct rig *rig = *state;
    for (int64_t i = 1; i < 5; i++)
        rig_put(rig, (struct record){.kind = RECORD_CHARGING_PROFILE,
                                     .charging_profile = {i == 2 ? "CP2" : "CP1", i % 2, i, i,
                                                          i < 3 ? "TxProfile" : "TxDefaultProfile",
                                                          ABSENT, "{}", i < 4 ? 7 : 5}});
    assert_pages(rig, "profiles", "chargingProfileId", "", 2, "3 2 | 1 4 | ");
    assert_pages(rig, "profiles", "chargingProfileId", ",\"cpid\":\"cp1\"", 1, "3 | 1 | 4 | ");
    assert_pages(rig, "profiles", "chargingProfileId", ",\"connectorId\":0", 9, "2 4 | ");
    assert_pages(rig, "profiles", "chargingProfileId", ",\"purpose\":\"TxProfile\"", 1, "2 | 1 | ");
}

static void test_availability(void **state)
{
    struct rig *rig = *state;
    for (int64_t i = 0; i < 4; i++)
        rig_put(rig, (struct record){.kind = RECORD_AVAILABILITY,
                                     .availability = {i < 3 ? "CP1" : "CP2", i, "Operative",
                                                      "Accepted", 100 - i / 2}});
    assert_pages(rig, "availability", "connectorId", "", 1, "1 | 0 | 3 | 2 | ");
    assert_pages(rig, "availability", "connectorId", ",\"cpid\":\"cp1\"", 2, "1 0 | 2 | ");
}

static void test_jobs(void **state)
{
    struct rig *rig = *state;
    static const char *const kinds[] = {"log", "firmware", "log", "log"};
    for (int i = 0; i < 4; i++)
        rig_put(rig, (struct record){.kind = RECORD_JOB,
                                     .job = {.cp = i == 3 ? "CP2" : "CP1",
                                             .kind = kinds[i],
                                             .request_id = ABSENT,
                                             .accepted_ms = 5}});
    assert_pages(rig, "jobs", "id", "", 3, "4 3 2 | 1 | ");
    assert_pages(rig, "jobs", "id", ",\"cpid\":\"cp1\"", 2, "3 2 | 1 | ");
    assert_pages(rig, "jobs", "id", ",\"kind\":\"log\"", 2, "4 3 | 1 | ");
    assert_pages(rig, "jobs", "id", ",\"kind\":\"log\",\"cpid\":\"CP1\"", 1, "3 | 1 | ");
}

static void test_job_statuses(void **state)
{
    struct rig *rig = *state;
    static const char *const kinds[] = {"log", "firmware"};
    for (int i = 0; i < 2; i++)
        rig_put(rig, (struct record){.kind = RECORD_JOB,
                                     .job = {.cp = "CP1", .kind = kinds[i], .request_id = ABSENT}});
    for (int i = 0; i < 5; i++)
        rig_put(rig, (struct record){.kind = RECORD_JOB_STATUS,
                                     .job_status = {"CP1", kinds[i % 2], "x", ABSENT, 10 + i}});
    assert_pages(rig, "job_statuses", "id", ",\"job\":1", 2, "5 3 | 1 | ");
    assert_pages(rig, "job_statuses", "id", ",\"job\":2,\"cpid\":\"CP1\"", 1, "4 | 2 | ");
    assert_pages(rig, "job_statuses", "id", ",\"kind\":\"log\",\"to\":14", 9, "3 1 | ");
}

static void test_history(void **state)
{
    struct rig *rig = *state;
    for (int64_t i = 0; i < 3; i++) {
        struct record_start start = start_of("CP1", "Tag", 100 + i);
        start.flags = i;
        rig_start(rig, start, NULL);
    }
    const char *all = ",\"state\":\"all\"";
    assert_pages(rig, "history", "transactionId", all, 2, "3 2 | 1 | ");
    assert_pages(rig, "history", "transactionId", ",\"state\":\"all\",\"flags\":3", 1, "3 | 2 | ");
    assert_pages(rig, "history", "transactionId", ",\"state\":\"all\",\"flags\":2", 1, "3 | ");
    assert_pages(rig, "history", "transactionId", ",\"state\":\"open\",\"flags\":4", 1, "| ");
    assert_pages(rig, "history", "transactionId", ",\"state\":\"all\",\"transactionId\":2", 1,
                 "2 | ");
    assert_pages(rig, "history", "transactionId", ",\"transactionId\":2", 1, "| "); /* it is open */
}

/* ---- meter values ---- */

static void measure(struct rig *rig, int64_t tx, const char *cp, int64_t place, int64_t at,
                    int64_t energy, int64_t power, int64_t soc)
{
    static char value[24];
    static int count;
    snprintf(value, sizeof(value), "%d", count++); /* no two are repeats */
    const struct record_sample sample = {.measurand = "M", .value = value};
    rig_put(rig, (struct record){.kind = RECORD_METER_VALUE,
                                 .meter_value = {.cp = cp,
                                                 .evse = place,
                                                 .connector = place > 0,
                                                 .transaction_id = tx,
                                                 .ts_ms = at,
                                                 .energy_wh = energy,
                                                 .power_w = power,
                                                 .soc = soc,
                                                 .samples = &sample,
                                                 .sample_count = 1}});
}

static void test_meter_places(void **state)
{
    struct rig *rig = *state;
    int64_t tx = rig_start(rig, start_of("CP1", "Tag", 1), NULL);
    measure(rig, 0, "CP1", 1, 20, 1, ABSENT, ABSENT);
    measure(rig, 0, "CP1", 1, 10, 2, ABSENT, ABSENT);
    measure(rig, 0, "CP1", 0, 10, 3, ABSENT, ABSENT);
    measure(rig, 0, "CP1", 2, 10, 4, ABSENT, ABSENT);
    measure(rig, 0, "CP2", 1, 10, 5, ABSENT, ABSENT);
    measure(rig, tx, "CP1", 1, 10, 6, ABSENT, ABSENT);
    measure(rig, 99, "CP1", 1, 30, 7, ABSENT, ABSENT); /* Q8: it belongs to none */
    const char *first = ",\"cpid\":\"cp1\",\"connectorId\":1";
    assert_pages(rig, "meter_places", "energyWh", first, 1, "2 | 1 | 7 | ");
    assert_pages(rig, "meter_places", "energyWh",
                 ",\"cpid\":\"cp1\",\"connectorId\":1,\"from\":20,\"to\":30", 1, "1 | ");
    assert_pages(rig, "meter_places", "energyWh", ",\"cpid\":\"CP1\",\"connectorId\":0", 9, "3 | ");
    assert_pages(rig, "meter_places", "energyWh", ",\"cpid\":\"CP1\",\"connectorId\":3", 9, "| ");
    rig_rows(rig, "meter_places", "{\"cpid\":\"CP2\",\"connectorId\":1}");
    assert_non_null(strstr(rig->rows, "\"samples\":[{\"measurand\":\"M\",\"value\":"));
    assert_string_equal(rig_refusal(rig, "meter_places", "{\"cpid\":\"CP1\"}"),
                        "connectorId is missing");
    assert_string_equal(rig_refusal(rig, "meter_places", "{\"connectorId\":1}"), "cpid is missing");
}

/* One row a step: the last that is known of each figure, though they came in different rows. */
static void test_meter_series(void **state)
{
    struct rig *rig = *state;
    int64_t tx = rig_start(rig, start_of("CP1", "Tag", 1), NULL);
    measure(rig, tx, "CP1", 1, 1000, 10, 100, ABSENT);
    measure(rig, tx, "CP1", 1, 1400, 20, ABSENT, 50);
    measure(rig, tx, "CP1", 1, 1999, ABSENT, 0, ABSENT);
    measure(rig, tx, "CP1", 1, 2000, 30, ABSENT, ABSENT);
    measure(rig, tx, "CP1", 1, 4000, 40, ABSENT, ABSENT);
    measure(rig, tx, "CP1", 1, 4000, 41, ABSENT, ABSENT); /* of one instant: the later counts */
    measure(rig, 0, "CP1", 1, 1998, 99, 99, 99);
    assert_rows(rig, "meter_series", "{\"transactionId\":1,\"step_ms\":1000}",
                "[{\"tsMs\":1999,\"energyWh\":20,\"powerW\":0,\"soc\":50},"
                "{\"tsMs\":2000,\"energyWh\":30,\"powerW\":null,\"soc\":null},"
                "{\"tsMs\":4000,\"energyWh\":41,\"powerW\":null,\"soc\":null}]");
    const char *by_second = ",\"transactionId\":1,\"step_ms\":1000";
    for (int limit = 1; limit < 4; limit++)
        assert_pages(rig, "meter_series", "tsMs", by_second, limit,
                     limit == 1   ? "1999 | 2000 | 4000 | "
                     : limit == 2 ? "1999 2000 | 4000 | "
                                  : "1999 2000 4000 | ");
    assert_pages(rig, "meter_series", "tsMs", ",\"transactionId\":1", 2,
                 "1000 1400 | 1999 2000 | 4000 | ");
    assert_pages(rig, "meter_series", "energyWh", ",\"transactionId\":1,\"step_ms\":3000", 9,
                 "30 41 | ");
    assert_rows(rig, "meter_series", "{\"transactionId\":2}", "[]");
}

static void test_meter_series_refusals(void **state)
{
    struct rig *rig = *state;
    static const char *const bad[] = {"0", "-1", "1.5", "\"60\"", "{}", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char params[80];
        snprintf(params, sizeof(params), "{\"transactionId\":1,\"step_ms\":%s}", bad[i]);
        assert_string_equal(rig_refusal(rig, "meter_series", params),
                            "step_ms: expected milliseconds, at least 1");
    }
    assert_string_equal(rig_refusal(rig, "meter_series", NULL), "transactionId is missing");
    assert_rows(rig, "meter_series", "{\"transactionId\":-1,\"step_ms\":null}", "[]");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_commands),
        TEST(test_configuration),
        TEST(test_bad_text_cursors),
        TEST(test_tags_all),
        TEST(test_local_list_tags),
        TEST(test_reservations),
        TEST(test_profiles),
        TEST(test_availability),
        TEST(test_jobs),
        TEST(test_job_statuses),
        TEST(test_history),
        TEST(test_meter_places),
        TEST(test_meter_series),
        TEST(test_meter_series_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

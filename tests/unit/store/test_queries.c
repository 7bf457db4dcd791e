/* Named queries: filters, pages by cursor, what is refused and how it is said. */
#include "rig.h"

static void add_messages(struct rig *rig, int count)
{
    struct batch *batch = rig_batch(rig);
    for (int i = 1; i <= count; i++) {
        struct record *record = batch_add(batch, RECORD_MESSAGE);
        char *text = arena_printf(&batch->arena, "[2,\"%d\",\"50%%_off\\\\\"]", i);
        record->message = (struct record_message){
            i % 2 ? "CP1" : "CP2", i, 1000 + i, i % 3 == 0, text, strlen(text), NULL};
    }
    assert_true(rig_store(rig, batch));
    batch_free(batch);
}

static size_t count_rows(struct rig *rig)
{
    struct arena arena = {0};
    struct json *rows = json_parse(&arena, rig->rows, strlen(rig->rows), NULL, NULL);
    assert_non_null(rows);
    assert_int_equal(rows->type, JSON_ARRAY);
    size_t count = rows->count;
    arena_clear(&arena);
    return count;
}

/* Reads page after page; the ids as one text. */
static char *read_pages(struct rig *rig, const char *name, const char *member, const char *more,
                        int limit)
{
    struct strbuf ids = {0};
    char *cursor = NULL;
    int pages = 0;
    do {
        struct arena arena = {0};
        char *params =
            cursor ? arena_printf(&arena, "{\"limit\":%d,\"cursor\":\"%s\"%s}", limit, cursor, more)
                   : arena_printf(&arena, "{\"limit\":%d%s}", limit, more);
        rig_rows(rig, name, params);
        struct json *rows = json_parse(&arena, rig->rows, strlen(rig->rows), NULL, NULL);
        assert_true(rows->count <= (unsigned)limit);
        for (struct json *row = rows->child; row; row = row->next)
            strbuf_addf(&ids, "%lld ", (long long)json_get(row, member)->integer);
        arena_clear(&arena);
        XFREE(cursor);
        cursor = xstrdup_or_null(rig->cursor);
        strbuf_adds(&ids, "| ");
    } while (cursor && pages++ < 50);
    return strbuf_take(&ids, NULL);
}

static void assert_pages(struct rig *rig, const char *name, const char *member, const char *more,
                         int limit, const char *expected)
{
    char *got = read_pages(rig, name, member, more, limit);
    assert_string_equal(got, expected);
    xfree(got);
}

static void test_pages_by_id(void **state)
{
    struct rig *rig = *state;
    add_messages(rig, 7);
    assert_pages(rig, "messages", "id", "", 3, "7 6 5 | 4 3 2 | 1 | ");
    assert_pages(rig, "messages", "id", "", 7, "7 6 5 4 3 2 1 | ");
    assert_pages(rig, "messages", "id", "", 6, "7 6 5 4 3 2 | 1 | ");
    assert_pages(rig, "messages", "id", ",\"cpid\":\"cp2\"", 2, "6 4 | 2 | ");
}

/* Rows that arrive between two pages move nothing. */
static void test_pages_while_writing(void **state)
{
    struct rig *rig = *state;
    add_messages(rig, 4);
    rig_rows(rig, "messages", "{\"limit\":2}");
    assert_string_equal(rig->cursor, "3");
    add_messages(rig, 3);
    rig_rows(rig, "messages", "{\"limit\":2,\"cursor\":\"3\"}");
    assert_non_null(strstr(rig->rows, "\"id\":2"));
    assert_non_null(strstr(rig->rows, "\"id\":1"));
    assert_null(rig->cursor);
}

/* By time and id: equal times are split by the id, and negative times are no problem. */
static void test_pages_by_time(void **state)
{
    struct rig *rig = *state;
    static const int64_t at[] = {-5, 2000, 1000, 2000, 2000};
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        struct record_start in = start_of("CP1", "Tag", at[i]);
        in.meter_start_wh = (int64_t)i;
        rig_start(rig, in, NULL);
    }
    assert_pages(rig, "history", "transactionId", ",\"state\":\"all\"", 2, "5 4 | 2 3 | 1 | ");
    assert_pages(rig, "history", "transactionId", ",\"state\":\"open\",\"from\":1000,\"to\":2000",
                 2, "3 | ");
}

static void test_meter_pages(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, start_of("CP1", "Tag", 1), NULL);
    struct batch *batch = rig_batch(rig);
    static const int64_t at[] = {30, 10, 20, 10};
    static const struct record_sample samples[] = {{"A", NULL, NULL, NULL, NULL, NULL, "0"},
                                                   {"A", NULL, NULL, NULL, NULL, NULL, "1"},
                                                   {"A", NULL, NULL, NULL, NULL, NULL, "2"},
                                                   {"A", NULL, NULL, NULL, NULL, NULL, "3"}};
    for (size_t i = 0; i < 4; i++) {
        struct record *record = batch_add(batch, RECORD_METER_VALUE);
        record->meter_value = (struct record_meter_value){.cp = "CP1",
                                                          .evse = 1,
                                                          .connector = 1,
                                                          .transaction_id = 1,
                                                          .ts_ms = at[i],
                                                          .energy_wh = (int64_t)i,
                                                          .samples = &samples[i],
                                                          .sample_count = 1};
    }
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    assert_pages(rig, "meter", "energyWh", ",\"transactionId\":1", 1, "1 | 3 | 2 | 0 | ");
}

static void test_message_filters(void **state)
{
    struct rig *rig = *state;
    add_messages(rig, 9);
    assert_pages(rig, "messages", "id", ",\"direction\":\"out\"", 9, "9 6 3 | ");
    assert_pages(rig, "messages", "id", ",\"direction\":\"in\",\"from\":1005,\"to\":1008", 9,
                 "7 5 | ");
    /* what LIKE would take for wildcards is text */
    assert_pages(rig, "messages", "id", ",\"contains\":\"\\\"4\\\"\"", 9, "4 | ");
    assert_pages(rig, "messages", "id", ",\"contains\":\"50%_OFF\"", 2,
                 "9 8 | 7 6 | 5 4 | 3 2 | "
                 "1 | ");
    assert_pages(rig, "messages", "id", ",\"contains\":\"5_%\"", 9, "| ");
    assert_pages(rig, "messages", "id", ",\"contains\":\"off\\\\\"", 9, "9 8 7 6 5 4 3 2 1 | ");
    assert_pages(rig, "messages", "id", ",\"cpid\":null,\"contains\":\"\\\"8\\\"\"", 9, "8 | ");
}

static void test_history_filters(void **state)
{
    struct rig *rig = *state;
    struct record_start in = start_of("CP1", "Tag", 1000);
    rig_start(rig, in, NULL);
    in.evse = 2;
    rig_start(rig, in, NULL);
    in.cp = "CP2";
    in.id_tag = "Other";
    rig_start(rig, in, NULL);
    rig_stop(rig, stop_of("CP1", 2));
    assert_pages(rig, "history", "transactionId", "", 9, "2 | "); /* the stopped ones */
    assert_pages(rig, "history", "transactionId", ",\"state\":\"open\"", 9, "3 1 | ");
    assert_pages(rig, "history", "transactionId", ",\"state\":\"all\",\"idTag\":\"TAG\"", 9,
                 "2 1 | ");
    assert_pages(rig, "history", "transactionId",
                 ",\"state\":\"all\",\"connectorId\":2,\"cpid\":\"CP1\"", 9, "2 | ");
    assert_pages(rig, "history", "transactionId", ",\"state\":\"all\",\"connectorId\":2.0", 9,
                 "3 2 | ");
    assert_string_equal(rig_rows(rig, "transaction", "{\"id\":99}"), "[]");
}

static void test_default_limit(void **state)
{
    struct rig *rig = *state;
    add_messages(rig, 150);
    rig_rows(rig, "messages", NULL);
    assert_int_equal(count_rows(rig), 100);
    assert_string_equal(rig->cursor, "51");
    rig_rows(rig, "messages", "{\"limit\":1000}");
    assert_int_equal(count_rows(rig), 150);
}

static void assert_says(struct rig *rig, const char *name, const char *params, const char *text)
{
    assert_string_equal(rig_refusal(rig, name, params), text);
}

static void test_refusals(void **state)
{
    struct rig *rig = *state;
    static const char limit[] = "limit: expected 1 to 1000";
    assert_says(rig, "nothing", NULL, "no query \"nothing\"");
    assert_says(rig, "history", "{\"idtag\":\"x\"}", "idtag: no such parameter");
    assert_says(rig, "history", "{\"id\":1}", "id: no such parameter");
    assert_says(rig, "history", "{\"connectorId\":\"1\"}", "connectorId: expected an integer");
    assert_says(rig, "history", "{\"connectorId\":1.5}", "connectorId: expected an integer");
    assert_says(rig, "history", "{\"idTag\":1}", "idTag: expected a string");
    assert_says(rig, "history", "{\"state\":\"closed\"}", "state: \"closed\" is not known");
    assert_says(rig, "history", "{\"state\":1}", "state: expected a string");
    assert_says(rig, "transaction", NULL, "id is missing");
    assert_says(rig, "meter", "{\"transactionId\":null}", "transactionId is missing");
    assert_says(rig, "history", "{\"limit\":0}", limit);
    assert_says(rig, "history", "{\"limit\":1001}", limit);
    assert_says(rig, "history", "{\"limit\":\"5\"}", limit);
    assert_says(rig, "history", "[]", "parameters: expected an object");
    assert_says(rig, "history", "{\"idTag\":\"'; DROP TABLE kv --\",\"x\":1}",
                "x: no such parameter");
    assert_string_equal(rig_rows(rig, "history", "{\"idTag\":\"'; DROP TABLE kv --\"}"), "[]");
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM kv"), 0);
}

static void test_bad_cursors(void **state)
{
    struct rig *rig = *state;
    static const char text[] = "cursor: not one that this list gave";
    static const char *const by_id[] = {
        "\"\"", "\"x\"", "\"1_2\"", "\"1_\"", "5", "\"1 \"", "\"99999999999999999999\"", "{}"};
    static const char *const by_time[] = {"\"1\"", "\"1_\"", "\"_1\"", "\"1_2_3\"", "\"1_2_\""};
    char params[80];
    for (size_t i = 0; i < ARRAY_LEN(by_id); i++) {
        snprintf(params, sizeof(params), "{\"cursor\":%s}", by_id[i]);
        assert_says(rig, "messages", params, text);
    }
    for (size_t i = 0; i < ARRAY_LEN(by_time); i++) {
        snprintf(params, sizeof(params), "{\"cursor\":%s}", by_time[i]);
        assert_says(rig, "history", params, text);
    }
    assert_string_equal(rig_rows(rig, "history", "{\"cursor\":\"-5_2\"}"), "[]");
}

/* Answers come one after the other, in order of asking. */
struct order {
    size_t count;
    size_t seen[20];
};

struct asked {
    struct order *order;
    size_t number;
};

static void on_answer(void *ctx, const char *rows, const char *cursor, const char *why)
{
    (void)cursor;
    struct asked *asked = ctx;
    assert_true((rows == NULL) == (asked->number % 5 == 0));
    assert_true((why != NULL) == (asked->number % 5 == 0));
    asked->order->seen[asked->order->count++] = asked->number;
}

static void test_order_of_answers(void **state)
{
    struct rig *rig = *state;
    struct order order = {0};
    struct asked asked[20];
    for (size_t i = 0; i < 20; i++) {
        asked[i] = (struct asked){&order, i};
        store_query(rig->store, i % 5 ? "events" : "none", NULL, on_answer, &asked[i]);
    }
    assert_int_equal(order.count, 0); /* never inside the call */
    assert_false(store_idle(rig->store));
    rig_settle(rig);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(order.seen[i], i);
}

static void on_rows_seen(void *ctx, const char *rows, const char *cursor, const char *why)
{
    (void)cursor, (void)why;
    *(bool *)ctx = rows && strstr(rows, "\"kind\":\"just-now\"");
}

/* Who asks sees what was submitted before, committed or not yet. */
static void test_sees_what_was_submitted(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 20; i++) {
        bool seen = false;
        struct batch *batch = batch_new();
        char *cp = arena_strdup(&batch->arena, i % 2 ? "ODD" : "EVEN");
        char *kind = arena_strdup(&batch->arena, "just-now");
        batch_add(batch, RECORD_EVENT)->event =
            (struct record_event){.cp = cp, .kind = kind, .ts_ms = 1000 + i};
        char params[64];
        snprintf(params, sizeof(params), "{\"from\":%d}", 1000 + i);
        struct arena arena = {0};
        struct json *object = json_parse(&arena, params, strlen(params), NULL, NULL);
        store_submit(rig->store, batch);
        store_query(rig->store, "events", object, on_rows_seen, &seen);
        arena_clear(&arena);
        rig_settle(rig);
        assert_true(seen);
    }
}

/* A page that grew too long ends early, and the next one goes on. */
static void test_long_page(void **state)
{
    struct rig *rig = *state;
    enum { LEN = 3 << 20, COUNT = 14 };
    char *text = xmalloc(LEN);
    memset(text, 'x', LEN);
    for (int i = 0; i < COUNT; i++) {
        struct batch *batch = rig_batch(rig);
        struct record *record = batch_add(batch, RECORD_MESSAGE);
        record->message = (struct record_message){"CP1", 1, i, false, text, LEN, NULL};
        assert_true(rig_store(rig, batch));
        batch_free(batch);
    }
    xfree(text);
    assert_pages(rig, "messages", "id", "", 100, "14 13 12 11 10 9 8 7 6 5 4 | 3 2 1 | ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_pages_by_id),     TEST(test_pages_while_writing),
        TEST(test_pages_by_time),   TEST(test_meter_pages),
        TEST(test_message_filters), TEST(test_history_filters),
        TEST(test_default_limit),   TEST(test_refusals),
        TEST(test_bad_cursors),     TEST(test_order_of_answers),
        TEST(test_long_page),       TEST(test_sees_what_was_submitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

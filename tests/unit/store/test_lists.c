/* The coarse index of the lists (list.h): what it finds, over blocks, restarts and failures; and
 * that no query sorts or reads more than it must. */
#include "rig.h"

#include "store/queries.h"

static void add_message(struct batch *batch, const char *cp, int64_t at)
{
    batch_add(batch, RECORD_MESSAGE)->message =
        (struct record_message){.cp = cp, .ts_ms = at, .text = "[]", .len = 2};
}

/* Messages `from` to `until` by the clock, of CP1, but each hundredth of CP2. */
static void write_messages(struct rig *rig, int64_t from, int64_t until)
{
    struct batch *batch = rig_batch(rig);
    for (int64_t at = from; at < until; at++)
        add_message(batch, at % 100 == 0 ? "CP2" : "CP1", at);
    assert_true(rig_store(rig, batch));
    batch_free(batch);
}

/* Reads all pages; the count, and that the times fall. */
static int64_t count_pages(struct rig *rig, const char *params)
{
    int64_t count = 0, before = INT64_MAX, at = 0;
    char *cursor = NULL;
    struct arena arena = {0};
    do {
        char *page =
            arena_printf(&arena, "{\"limit\":1000%s%s%s%s}", params, cursor ? ",\"cursor\":\"" : "",
                         cursor ? cursor : "", cursor ? "\"" : "");
        const char *rows = rig_rows(rig, "messages", page);
        struct json *list = json_parse(&arena, rows, strlen(rows), NULL, NULL);
        for (struct json *row = list->child; row; row = row->next, count++) {
            assert_true(json_int(json_get(row, "tsMs"), &at) && at < before);
            before = at;
        }
        cursor = arena_strdup(&arena, rig->cursor);
    } while (cursor);
    arena_clear(&arena);
    return count;
}

static void test_many_blocks(void **state)
{
    struct rig *rig = *state;
    const int64_t end = 3 * LIST_BLOCK + 10;
    write_messages(rig, 1, 2000);
    write_messages(rig, 2000, LIST_BLOCK + 5);
    rig_reopen(rig); /* the writer goes on in the middle of a block and knows nothing of it */
    write_messages(rig, LIST_BLOCK + 5, end);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM list_block"), 4);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM list_key"), 7); /* no CP2 in the last */
    assert_int_equal(rig_number(rig, "SELECT first_ms FROM list_block WHERE block = 1"),
                     LIST_BLOCK);
    assert_int_equal(count_pages(rig, ""), end - 1);
    assert_int_equal(count_pages(rig, ",\"cpid\":\"CP2\""), (end - 1) / 100);
    assert_int_equal(count_pages(rig, ",\"cpid\":\"cp1\""), end - 1 - (end - 1) / 100);
    assert_int_equal(count_pages(rig, ",\"cpid\":\"CP3\""), 0);
}

/* The edges of a span of time, against the edges of blocks. */
static void test_times(void **state)
{
    struct rig *rig = *state;
    const int64_t end = 3 * LIST_BLOCK;
    const int64_t edges[] = {
        0, 1, 2, LIST_BLOCK - 1, LIST_BLOCK, LIST_BLOCK + 1, 2 * LIST_BLOCK, end - 1, end, end + 5};
    char params[80];
    write_messages(rig, 1, end);
    for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
        for (size_t j = i; j < ARRAY_LEN(edges); j++) {
            int64_t from = edges[i] < 1 ? 1 : edges[i], to = edges[j] > end ? end : edges[j];
            snprintf(params, sizeof(params), ",\"from\":%lld,\"to\":%lld", (long long)edges[i],
                     (long long)edges[j]);
            assert_int_equal(count_pages(rig, params), to > from ? to - from : 0);
        }
    }
}

/* Whatever step fails, the next batch is found by its charge point: what the writer believed to be
 * in the index went with the batch that failed. */
static void test_failures(void **state)
{
    struct rig *rig = *state;
    char cp[32], params[64];
    bool failed = true;
    for (int n = 1; failed; n++) {
        snprintf(cp, sizeof(cp), "CP-%d", n);
        snprintf(params, sizeof(params), "{\"cpid\":\"%s\"}", cp);
        struct batch *batch = rig_batch(rig);
        add_message(batch, cp, 1000 + n);
        rig_fail_at(rig, n, SAME_STEP);
        failed = !rig_store(rig, batch);
        rig_fail_no_more(rig);
        batch_free(batch);
        assert_int_equal(strlen(rig_rows(rig, "messages", params)) > 2, !failed);
        batch = rig_batch(rig);
        add_message(batch, cp, 1000 + n);
        assert_true(rig_store(rig, batch));
        batch_free(batch);
        assert_true(strlen(rig_rows(rig, "messages", params)) > 2);
        assert_true(n < 100);
    }
}

static void test_two_keys(void **state)
{
    struct rig *rig = *state;
    struct batch *batch = rig_batch(rig);
    batch_add(batch, RECORD_DECISION)->decision = (struct record_decision){
        .cp = "CP1", .ts_ms = 1, .event = "start", .id_tag = "A", .verdict = "Accepted"};
    batch_add(batch, RECORD_DECISION)->decision = (struct record_decision){
        .cp = "A", .ts_ms = 2, .event = "boot", .id_tag = NULL, .verdict = "Accepted"};
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    assert_non_null(strstr(rig_rows(rig, "decisions", "{\"idTag\":\"a\"}"), "\"id\":1,"));
    assert_null(strstr(rig->rows, "\"id\":2,"));
    assert_non_null(strstr(rig_rows(rig, "decisions", "{\"cpid\":\"a\"}"), "\"id\":2,"));
    assert_null(strstr(rig->rows, "\"id\":1,"));
    assert_string_equal(rig_rows(rig, "decisions", "{\"cpid\":\"cp1\",\"idTag\":\"b\"}"), "[]");
    assert_non_null(
        strstr(rig_rows(rig, "decisions", "{\"cpid\":\"cp1\",\"idTag\":\"A\"}"), "\"id\":1,"));
}

/* ---- plans ---- */

static struct json *some_value(struct arena *arena, const struct parameter *p)
{
    if (p->type == PARAMETER_INTEGER || p->type == PARAMETER_STEP)
        return json_new_int(arena, 7);
    return json_new_string(arena, span_of(p->type == PARAMETER_WORD ? p->words[0].word : "x"));
}

/* The parameters whose bits are set, and a cursor or none. */
static struct json *some_params(struct arena *arena, const struct query_row *row, unsigned bits,
                                bool cursor)
{
    struct json *params = json_new(arena, JSON_OBJECT);
    for (unsigned i = 0; row->parameters[i].name; i++)
        if (row->parameters[i].required || bits & 1u << i)
            json_add(arena, params, row->parameters[i].name,
                     some_value(arena, &row->parameters[i]));
    if (row->in_list && bits & 1u << 7) {
        json_addi(arena, params, "from", 1);
        json_addi(arena, params, "to", 2);
    }
    if (cursor)
        json_adds(arena, params, "cursor",
                  row->by_text             ? "x41"
                  : query_places(row) == 1 ? "5"
                                           : "5_5");
    return params;
}

/* In the order of the rows, by an index or the table's own. */
static bool goes_in_order(const char *step)
{
    static const char *const orders[] = {"_by_time",        "transaction_open",
                                         "transaction_due", "reservation_standing",
                                         "SCAN job",        "sqlite_autoindex_id_tag"};
    for (size_t i = 0; i < ARRAY_LEN(orders); i++)
        if (strstr(step, orders[i]))
            return true;
    return false;
}

static void assert_plan(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;
    char *text = xprintf("EXPLAIN QUERY PLAN %s", sql);
    if (sqlite3_prepare_v2(db, text, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    xfree(text);
    while (sqlite3_step(s) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(s, 3);
        bool scan = strncmp(step, "SCAN ", 5) == 0 && !goes_in_order(step);
        if (strstr(step, "TEMP B-TREE") || scan)
            fail_msg("%s\n%s", step, sql);
    }
    sqlite3_finalize(s);
}

/* Rows come in their order from an index, whatever is asked: no page costs more than its rows and
 * those that its filters pass over. */
static void test_no_query_sorts(void **state)
{
    struct rig *rig = *state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(rig->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    for (size_t i = 0; i < query_row_count; i++) {
        if (strstr(query_rows[i].from ? query_rows[i].from : "", "GROUP BY"))
            continue; /* a series sorts its steps: those of one transaction */
        for (unsigned bits = 0; bits < 256; bits++) {
            struct query_build b = {.row = &query_rows[i], .why = &rig->why};
            if (!query_build(&b, some_params(&b.arena, b.row, bits, bits % 2)))
                fail_msg("%s: %s", b.row->name, rig->why.text);
            assert_plan(db, strbuf_text(&b.sql));
            query_build_clear(&b);
        }
    }
    sqlite3_close(db);
}

/* Nor does the start read more than what is alive, however much is past. */
static void test_start_reads_what_is_alive(void **state)
{
    struct rig *rig = *state;
    assert_plan(rig_look(rig), restore_open_transactions);
    assert_plan(rig_look(rig), restore_due_transactions);
    assert_plan(rig_look(rig), restore_last_values);
    assert_plan(rig_look(rig), restore_meter_values);
    assert_plan(rig_look(rig), restore_meter_kind);
}

/* ---- limits ---- */

static void test_long_query(void **state)
{
    struct rig *rig = *state;
    write_messages(rig, 1, 2 * LIST_BLOCK);
    rig->store->reader.query_ms = 0;
    assert_string_equal(rig_refusal(rig, "messages", "{\"contains\":\"x\"}"),
                        "messages: it took too long; ask for less, by cpid or by time");
    rig->store->reader.query_ms = STORE_QUERY_MS;
    assert_string_equal(rig_rows(rig, "messages", "{\"contains\":\"x\"}"), "[]");
}

static void set_waiting(struct rig *rig, size_t waiting)
{
    pthread_mutex_lock(&rig->store->reader.lock);
    rig->store->reader.waiting = waiting;
    pthread_mutex_unlock(&rig->store->reader.lock);
}

static void test_too_many_queries(void **state)
{
    struct rig *rig = *state;
    set_waiting(rig, STORE_QUERIES_MAX);
    assert_string_equal(rig_refusal(rig, "messages", NULL),
                        "too many queries are waiting; try again later");
    set_waiting(rig, 0);
    assert_string_equal(rig_rows(rig, "messages", NULL), "[]");
}

/* What a charger sent as a payload may be no JSON; the answer is, all the same. */
static void test_payload_that_is_no_json(void **state)
{
    struct rig *rig = *state;
    struct batch *batch = rig_batch(rig);
    batch_add(batch, RECORD_ORPHAN)->orphan =
        (struct record_orphan){"CP1", "StopTransaction", "{\"a\":", "cut off", 5};
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    assert_string_equal(rig_rows(rig, "orphans", NULL),
                        "[{\"id\":1,\"cpid\":\"CP1\",\"action\":\"StopTransaction\","
                        "\"payload\":\"{\\\"a\\\":\",\"why\":\"cut off\",\"tsMs\":5}]");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_many_blocks),
        TEST(test_times),
        TEST(test_failures),
        TEST(test_two_keys),
        TEST(test_no_query_sorts),
        TEST(test_start_reads_what_is_alive),
        TEST(test_long_query),
        TEST(test_too_many_queries),
        TEST(test_payload_that_is_no_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What chargers accepted: reservations, charging profiles, local lists; what replaces what, and
 * what ends what (C8, C9, P2, P4). */
#include "rig.h"

/* ---- reservations (C8) ---- */

static void reserve(struct rig *rig, const char *cp, int64_t id, int64_t connector, int64_t expiry)
{
    rig_put(rig, (struct record){.kind = RECORD_RESERVATION,
                                 .reservation = {cp, id, connector, "Tag", "Parent", expiry, 100}});
}

static void end_of(struct rig *rig, int64_t id, int64_t connector, const char *state, int64_t tx)
{
    rig_put(rig, (struct record){.kind = RECORD_RESERVATION_END,
                                 .reservation_end = {"CP1", id, connector, state, tx, 500}});
}

/* `7:USED 8:CANCELLED `, in order of the ids. */
static void assert_states(struct rig *rig, const char *params, const char *expected)
{
    struct arena arena = {0};
    struct strbuf got = {0};
    rig_rows(rig, "reservations", params);
    struct json *rows = json_parse(&arena, rig->rows, strlen(rig->rows), NULL, NULL);
    for (int64_t id = 0; id < 20; id++)
        for (struct json *row = rows->child; row; row = row->next)
            if (json_get(row, "id")->integer == id)
                strbuf_addf(&got, "%d:%s ", (int)id, json_gets(row, "state"));
    assert_string_equal(strbuf_text(&got), expected);
    strbuf_clear(&got);
    arena_clear(&arena);
}

static void test_reservation(void **state)
{
    struct rig *rig = *state;
    clock_fake(1000);
    reserve(rig, "CP1", 7, 1, 2000);
    assert_rows(rig, "reservations", NULL,
                "[{\"id\":7,\"cpid\":\"CP1\",\"connectorId\":1,\"idTag\":\"Tag\","
                "\"parentIdTag\":\"Parent\",\"state\":\"ACCEPTED\",\"expiryMs\":2000,"
                "\"acceptedMs\":100,\"endedMs\":null,\"transactionId\":null}]");
    end_of(rig, 7, 0, "USED", 33);
    assert_rows(rig, "reservations", NULL,
                "[{\"id\":7,\"cpid\":\"CP1\",\"connectorId\":1,\"idTag\":\"Tag\","
                "\"parentIdTag\":\"Parent\",\"state\":\"USED\",\"expiryMs\":2000,"
                "\"acceptedMs\":100,\"endedMs\":500,\"transactionId\":33}]");
    end_of(rig, 7, 0, "CANCELLED", ABSENT); /* it has ended already */
    assert_states(rig, NULL, "7:USED ");
    reserve(rig, "cp1", 7, 2, 3000); /* the same id replaces, and stands again */
    rig_rows(rig, "reservations", NULL);
    assert_non_null(strstr(rig->rows, "\"connectorId\":2"));
    assert_non_null(strstr(rig->rows, "\"endedMs\":null,\"transactionId\":null}]"));
    assert_states(rig, NULL, "7:ACCEPTED ");
    clock_real();
}

/* By the loop's clock at the moment of asking; the charger's word comes after. */
static void test_reservation_expires(void **state)
{
    struct rig *rig = *state;
    clock_fake(1999);
    reserve(rig, "CP1", 7, 1, 2000);
    assert_states(rig, "{\"state\":\"ACCEPTED\"}", "7:ACCEPTED ");
    assert_states(rig, "{\"state\":\"EXPIRED\"}", "");
    clock_advance(1);
    assert_states(rig, "{\"state\":\"ACCEPTED\"}", "");
    assert_states(rig, "{\"state\":\"EXPIRED\"}", "7:EXPIRED ");
    assert_states(rig, NULL, "7:EXPIRED ");
    end_of(rig, 7, 0, "USED", 1);
    assert_states(rig, "{\"state\":\"EXPIRED\"}", "");
    assert_states(rig, "{\"state\":\"USED\"}", "7:USED ");
    clock_real();
}

/* N5: a connector's, or all; those that were over before are left alone. */
static void test_reservations_of_connector(void **state)
{
    struct rig *rig = *state;
    clock_fake(600);
    reserve(rig, "CP1", 1, 1, 2000);
    reserve(rig, "CP1", 2, 2, 2000);
    reserve(rig, "CP1", 3, 1, 400); /* had expired at 500 */
    reserve(rig, "CP1", 4, 0, 2000);
    reserve(rig, "CP2", 5, 1, 2000);
    end_of(rig, ABSENT, 1, "FAULTED", ABSENT);
    assert_states(rig, NULL, "1:FAULTED 2:ACCEPTED 3:EXPIRED 4:ACCEPTED 5:ACCEPTED ");
    end_of(rig, ABSENT, 0, "CANCELLED", ABSENT);
    assert_states(rig, NULL, "1:FAULTED 2:CANCELLED 3:EXPIRED 4:CANCELLED 5:ACCEPTED ");
    end_of(rig, 5, 0, "CANCELLED", ABSENT); /* of another charger */
    assert_states(rig, "{\"cpid\":\"cp2\"}", "5:ACCEPTED ");
    clock_real();
}

/* ---- charging profiles (P2, P4) ---- */

static void profile(struct rig *rig, int64_t id, int64_t connector, int64_t level,
                    const char *purpose, int64_t tx)
{
    rig_put(rig, (struct record){.kind = RECORD_CHARGING_PROFILE,
                                 .charging_profile = {"CP1", connector, id, level, purpose, tx,
                                                      "{\"x\":1}", 100}});
}

static void clear(struct rig *rig, struct record_charging_profile_clear what)
{
    rig_put(rig,
            (struct record){.kind = RECORD_CHARGING_PROFILE_CLEAR, .charging_profile_clear = what});
}

/* The ids, rising. */
static void assert_profiles(struct rig *rig, const char *expected)
{
    struct strbuf got = {0};
    sqlite3 *db = rig_look(rig);
    sqlite3_stmt *s;
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT id FROM charging_profile ORDER BY id", -1, &s, NULL), 0);
    while (sqlite3_step(s) == SQLITE_ROW)
        strbuf_addf(&got, "%d ", sqlite3_column_int(s, 0));
    sqlite3_finalize(s);
    assert_string_equal(strbuf_text(&got), expected);
    strbuf_clear(&got);
}

static void test_profile(void **state)
{
    struct rig *rig = *state;
    profile(rig, 1, 1, 0, "TxProfile", 33);
    assert_rows(rig, "profiles", NULL,
                "[{\"cpid\":\"CP1\",\"connectorId\":1,\"chargingProfileId\":1,\"stackLevel\":0,"
                "\"purpose\":\"TxProfile\",\"transactionId\":33,\"profile\":{\"x\":1},"
                "\"acceptedMs\":100}]");
}

static void test_profile_replaces(void **state)
{
    struct rig *rig = *state;
    profile(rig, 1, 1, 0, "TxDefaultProfile", ABSENT);
    profile(rig, 2, 2, 0, "TxDefaultProfile", ABSENT);
    profile(rig, 3, 1, 1, "TxDefaultProfile", ABSENT);
    profile(rig, 4, 1, 0, "TxProfile", ABSENT);
    assert_profiles(rig, "1 2 3 4 ");
    profile(rig, 5, 1, 0, "TxDefaultProfile", ABSENT); /* as number 1, by another id */
    assert_profiles(rig, "2 3 4 5 ");
    profile(rig, 2, 7, 3, "TxDefaultProfile", ABSENT); /* the id, elsewhere */
    assert_profiles(rig, "2 3 4 5 ");
    rig_rows(rig, "profiles", "{\"connectorId\":7}");
    assert_non_null(strstr(rig->rows, "\"chargingProfileId\":2,\"stackLevel\":3"));
    profile(rig, 2, 1, 0, "TxProfile", ABSENT); /* both at once */
    assert_profiles(rig, "2 3 5 ");
}

#define ANY .id = ABSENT, .connector = ABSENT, .stack_level = ABSENT, .transaction_id = ABSENT

static void test_profile_clear(void **state)
{
    struct rig *rig = *state;
    profile(rig, 1, 1, 0, "TxDefaultProfile", ABSENT);
    profile(rig, 2, 2, 0, "TxDefaultProfile", ABSENT);
    profile(rig, 3, 1, 1, "TxDefaultProfile", ABSENT);
    profile(rig, 4, 0, 1, "ChargePointMaxProfile", ABSENT);
    profile(rig, 5, 1, 1, "TxProfile", 33);
    struct record_charging_profile_clear what = {.cp = "CP2", ANY};
    clear(rig, what);
    assert_profiles(rig, "1 2 3 4 5 ");
    what.cp = "cp1";
    what.stack_level = 1;
    what.purpose = "TxDefaultProfile";
    what.connector = 2; /* no profile has all three */
    clear(rig, what);
    assert_profiles(rig, "1 2 3 4 5 ");
    what.connector = 1;
    clear(rig, what);
    assert_profiles(rig, "1 2 4 5 ");
    clear(rig, (struct record_charging_profile_clear){.cp = "CP1",
                                                      .id = 2,
                                                      .connector = ABSENT,
                                                      .stack_level = ABSENT,
                                                      .transaction_id = ABSENT});
    assert_profiles(rig, "1 4 5 ");
    clear(rig, (struct record_charging_profile_clear){.cp = "CP1",
                                                      .id = ABSENT,
                                                      .connector = ABSENT,
                                                      .stack_level = ABSENT,
                                                      .transaction_id = 33});
    assert_profiles(rig, "1 4 ");
    profile(rig, 6, 1, 2, "TxProfile", 33);
    profile(rig, 7, 1, 3, "TxProfile", ABSENT);
    clear(rig, (struct record_charging_profile_clear){
                   .cp = "CP1", ANY, .purpose = "TxProfile", .waiting = true});
    assert_profiles(rig, "1 4 6 ");
    clear(rig, (struct record_charging_profile_clear){.cp = "CP1", ANY});
    assert_profiles(rig, "");
}

/* P4: a TxProfile ends with its transaction; also the one that told none, on its connector. */
static void test_profile_ends(void **state)
{
    struct rig *rig = *state;
    int64_t first = rig_start(rig, start_of("CP1", "A", 50), NULL);
    int64_t second = rig_start(rig, start_of("CP1", "B", 60), NULL);
    rig_stop(rig, stop_of("CP1", second)); /* there is none: this is remembered */
    profile(rig, 1, 1, 0, "TxProfile", first);
    profile(rig, 2, 1, 1, "TxProfile", first + 100);
    profile(rig, 3, 1, 2, "TxProfile", ABSENT);
    profile(rig, 4, 2, 2, "TxProfile", ABSENT);
    profile(rig, 5, 1, 0, "TxDefaultProfile", ABSENT);
    rig_stop(rig, stop_of("CP1", first + 50)); /* no such transaction */
    rig_stop(rig, stop_of("CP1", second));     /* a repeat */
    assert_profiles(rig, "1 2 3 4 5 ");
    rig_stop(rig, stop_of("CP1", first));
    assert_profiles(rig, "2 4 5 ");
}

/* One that was accepted before a transaction began is for that one, whatever the charger's clock
 * says of its stop; not for one that began before and comes late (X5). */
static void test_profile_of_remote_start(void **state)
{
    struct rig *rig = *state;
    for (int64_t flags = 0; flags <= TX_LATE; flags += TX_LATE) {
        profile(rig, 1, 1, 0, "TxProfile", ABSENT); /* accepted at 100 */
        profile(rig, 2, 2, 0, "TxProfile", ABSENT);
        profile(rig, 3, 1, 0, "TxDefaultProfile", ABSENT);
        struct record_start start = start_of("CP1", flags ? "B" : "A", 50);
        start.flags = flags;
        struct record_stop stop = stop_of("CP1", rig_start(rig, start, NULL));
        stop.stop_ms = 90;
        rig_stop(rig, stop);
        assert_profiles(rig, flags ? "1 2 3 " : "2 3 ");
    }
}

/* A stop that comes late, of a transaction before: what was accepted since is not its own. */
static void test_profile_of_next(void **state)
{
    struct rig *rig = *state;
    int64_t id = rig_start(rig, start_of("CP1", "A", 50), NULL);
    profile(rig, 1, 1, 0, "TxProfile", ABSENT); /* accepted at 100 */
    struct record_stop stop = stop_of("CP1", id);
    stop.stop_ms = 90;
    rig_stop(rig, stop);
    assert_profiles(rig, "1 ");
}

/* What the store remembers about TxProfiles is worth nothing after a batch that failed. */
static void test_profile_after_failure(void **state)
{
    struct rig *rig = *state;
    int64_t id = rig_start(rig, start_of("CP1", "A", 50), NULL);
    int64_t other = rig_start(rig, start_of("CP1", "B", 60), NULL);
    profile(rig, 1, 1, 0, "TxProfile", id);
    struct batch *batch = rig_batch(rig);
    batch_add(batch, RECORD_STOP)->stop = stop_of("CP1", id);    /* deletes the last one */
    batch_add(batch, RECORD_STOP)->stop = stop_of("CP1", other); /* finds none */
    batch_add(batch, RECORD_KV)->kv = (struct record_kv){"key", NULL, ABSENT};
    assert_false(rig_store(rig, batch));
    batch_free(batch);
    assert_profiles(rig, "1 ");
    rig_stop(rig, stop_of("CP1", id));
    assert_profiles(rig, "");
}

/* ---- local lists (C9) ---- */

static void local_list(struct rig *rig, int64_t version, bool full, const char *entries)
{
    rig_put(rig, (struct record){.kind = RECORD_LOCAL_LIST,
                                 .local_list = {"CP1", version, full, entries, 10 + version}});
}

static void test_local_list(void **state)
{
    struct rig *rig = *state;
    local_list(rig, 3, true,
               "[{\"idTag\":\"b\",\"idTagInfo\":{\"status\":\"Accepted\"}},{\"idTag\":\"A\","
               "\"idTagInfo\":{\"status\":\"Blocked\",\"expiryDate\":\"2030-01-01T00:00:00Z\"}}]");
    assert_rows(rig, "local_list", "{\"cpid\":\"cp1\"}",
                "[{\"cpid\":\"CP1\",\"version\":3,\"knownMs\":13,\"size\":2}]");
    assert_rows(rig, "local_list_tags", "{\"cpid\":\"CP1\"}",
                "[{\"idTag\":\"A\",\"idTagInfo\":{\"status\":\"Blocked\","
                "\"expiryDate\":\"2030-01-01T00:00:00Z\"}},"
                "{\"idTag\":\"b\",\"idTagInfo\":{\"status\":\"Accepted\"}}]");
    /* a difference adds, changes without case, removes; what is not there is no fault */
    local_list(rig, 4, false,
               "[{\"idTag\":\"B\",\"idTagInfo\":{\"status\":\"Expired\"}},{\"idTag\":\"a\"},"
               "{\"idTag\":\"c\",\"idTagInfo\":{\"status\":\"Invalid\"}},{\"idTag\":\"d\"}]");
    assert_rows(rig, "local_list_tags", "{\"cpid\":\"CP1\"}",
                "[{\"idTag\":\"B\",\"idTagInfo\":{\"status\":\"Expired\"}},"
                "{\"idTag\":\"c\",\"idTagInfo\":{\"status\":\"Invalid\"}}]");
    /* only the version, and it is the one that we know: the entries stay */
    local_list(rig, 4, false, NULL);
    assert_rows(rig, "local_list", "{\"cpid\":\"CP1\"}",
                "[{\"cpid\":\"CP1\",\"version\":4,\"knownMs\":14,\"size\":2}]");
    /* a whole one replaces all */
    local_list(rig, 6, true, "[{\"idTag\":\"e\"}]");
    assert_rows(rig, "local_list_tags", "{\"cpid\":\"CP1\"}",
                "[{\"idTag\":\"e\",\"idTagInfo\":null}]");
    local_list(rig, 7, true, "[]");
    assert_rows(rig, "local_list", "{\"cpid\":\"CP1\"}",
                "[{\"cpid\":\"CP1\",\"version\":7,\"knownMs\":17,\"size\":0}]");
}

/* 0: empty, -1: not supported. */
static void test_local_list_is_none(void **state)
{
    struct rig *rig = *state;
    for (int64_t version = -1; version <= 0; version++) {
        local_list(rig, 3, true, "[{\"idTag\":\"e\"}]");
        local_list(rig, version, false, NULL);
        assert_rows(rig, "local_list_tags", "{\"cpid\":\"CP1\"}", "[]");
    }
    assert_rows(rig, "local_list", "{\"cpid\":\"CP1\"}",
                "[{\"cpid\":\"CP1\",\"version\":0,\"knownMs\":10,\"size\":0}]");
    assert_rows(rig, "local_list", "{\"cpid\":\"CP2\"}", "[]");
}

/* The charger tells another version than ours: what it holds, only somebody else knows. */
static void test_local_list_of_others(void **state)
{
    struct rig *rig = *state;
    for (int64_t told = 2; told <= 4; told += 2) { /* older, newer */
        local_list(rig, 3, true, "[{\"idTag\":\"e\"}]");
        local_list(rig, told, false, NULL);
        rig_rows(rig, "local_list", "{\"cpid\":\"CP1\"}");
        assert_non_null(strstr(rig->rows, "\"size\":0}"));
        assert_rows(rig, "local_list_tags", "{\"cpid\":\"CP1\"}", "[]");
    }
}

/* Entries that are none fail their batch, and only that; nothing of it stays. */
static void test_local_list_is_bad(void **state)
{
    struct rig *rig = *state;
    static const char *const bad[] = {"[",
                                      "",
                                      "{}",
                                      "null",
                                      "[1]",
                                      "[{}]",
                                      "[{\"idTag\":5}]",
                                      "[{\"idTag\":\"x\"},{\"idTag\":null}]",
                                      "[{\"idTag\":\"x\"}] tail"};
    local_list(rig, 3, true, "[{\"idTag\":\"e\"}]");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct batch *batches[3];
        for (int at = 0; at < 3; at++) {
            batches[at] = rig_batch(rig);
            batch_add(batches[at], RECORD_CONFIGURATION)->configuration =
                (struct record_configuration){
                    .cp = "CP1", .key = arena_printf(&batches[at]->arena, "k%d-%d", (int)i, at)};
        }
        batch_add(batches[1], RECORD_LOCAL_LIST)->local_list =
            (struct record_local_list){"CP1", 4, true, bad[i], 5};
        for (int at = 0; at < 3; at++)
            store_submit(rig->store, batches[at]);
        rig_settle(rig);
        for (int at = 0; at < 3; at++) {
            assert_true(batches[at]->failed == (at == 1));
            batch_free(batches[at]);
        }
        assert_int_equal(rig_number(rig, "SELECT count(*) FROM configuration"), 2 * (i + 1));
        assert_true(store_healthy(rig->store));
    }
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM configuration WHERE key LIKE '%-1'"), 0);
    assert_rows(rig, "local_list", "{\"cpid\":\"CP1\"}",
                "[{\"cpid\":\"CP1\",\"version\":3,\"knownMs\":13,\"size\":1}]");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_reservation),
        TEST(test_reservation_expires),
        TEST(test_reservations_of_connector),
        TEST(test_profile),
        TEST(test_profile_replaces),
        TEST(test_profile_clear),
        TEST(test_profile_ends),
        TEST(test_profile_of_remote_start),
        TEST(test_profile_of_next),
        TEST(test_profile_after_failure),
        TEST(test_local_list),
        TEST(test_local_list_is_none),
        TEST(test_local_list_of_others),
        TEST(test_local_list_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

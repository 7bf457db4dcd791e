/* Migrations from one version to the next, and files that a server is running on. */
#include "rig.h"

#include "store/schema.h"

enum { GOOD, BAD };

/* The schema of today and one more step. */
enum { TODAY = 3, NEXT };

static bool open_next(struct rig *rig, int which, bool may_migrate)
{
    assert_int_equal(schema_newest.count, TODAY);
    const char *const migrations[NEXT] = {
        schema_newest.migrations[0], schema_newest.migrations[1], schema_newest.migrations[2],
        which == GOOD ? "ALTER TABLE kv ADD COLUMN note TEXT; UPDATE kv SET note = 'new';"
                      : "ALTER TABLE kv ADD COLUMN note TEXT; UPDATE nothing SET note = 'new';"};
    const struct schema schema = {migrations, NEXT};
    struct sql sql;
    if (!schema_open(&sql, rig->path, &schema, may_migrate, &rig->why))
        return false;
    sql_close(&sql);
    return true;
}

static void put_kv(struct rig *rig)
{
    struct batch *batch = rig_batch(rig);
    batch_add(batch, RECORD_KV)->kv = (struct record_kv){"key", "1", ABSENT};
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    rig_close(rig);
}

/* The copy as the rig's file, or not there. */
static bool look_at_copy(struct rig *rig)
{
    size_t len = strlen(rig->path);
    snprintf(rig->path + len, sizeof(rig->path) - len, ".before-4");
    return access(rig->path, F_OK) == 0;
}

static void forget_copy(struct rig *rig)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[320];
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        snprintf(path, sizeof(path), "%s%s", rig->path, ends[i]);
        unlink(path);
    }
    *strstr(rig->path, ".before-4") = '\0';
}

static void test_next_version(void **state)
{
    struct rig *rig = *state;
    put_kv(rig);
    assert_true(open_next(rig, GOOD, true));
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), NEXT);
    assert_int_equal(rig_number(rig, "SELECT note = 'new' AND value = '1' FROM kv"), 1);
    assert_true(look_at_copy(rig)); /* as it was, data and all */
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), TODAY);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM pragma_table_info('kv')"), 3);
    assert_int_equal(rig_number(rig, "SELECT value = '1' FROM kv"), 1);
    forget_copy(rig);
    /* once is enough */
    assert_true(open_next(rig, GOOD, true));
    assert_false(look_at_copy(rig));
    forget_copy(rig);
}

static void test_next_version_fails(void **state)
{
    struct rig *rig = *state;
    put_kv(rig);
    assert_false(open_next(rig, BAD, true));
    assert_non_null(strstr(rig->why.text, "migration from version 3 to 4 failed"));
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), TODAY);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM pragma_table_info('kv')"), 3);
    assert_true(look_at_copy(rig));
    forget_copy(rig);
    assert_true(rig_open(rig)); /* today's program still takes it */
}

static void test_may_not_migrate(void **state)
{
    struct rig *rig = *state;
    put_kv(rig);
    assert_false(open_next(rig, GOOD, false));
    assert_non_null(strstr(rig->why.text, "older schema (3 of 4)"));
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), TODAY);
    assert_false(look_at_copy(rig));
    forget_copy(rig);
}

/* `chargebridge keys` of a newer program never changes the schema under a running server. */
static void test_keys_beside_older_server(void **state)
{
    struct rig *rig = *state;
    struct api_key key = {"name", "read", "hash", 5}, *keys;
    size_t count;
    assert_true(keys_file_add(rig->path, &key, &rig->why)); /* the same version is fine */
    rig_sql(rig, "PRAGMA user_version=0");
    assert_false(keys_file_add(rig->path, &key, &rig->why));
    assert_non_null(strstr(rig->why.text, "older schema"));
    assert_false(keys_file_read(rig->path, &keys, &count, &rig->why));
    assert_false(keys_file_revoke(rig->path, "name", &rig->why));
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), 0);
    rig_sql(rig, "PRAGMA user_version=3");
    assert_true(store_keys(rig->store, &keys, &count, &rig->why));
    assert_int_equal(count, 1);
    api_keys_free(keys, count);
}

/* ---- a file of version 1 ---- */

static void make_version_1(struct rig *rig)
{
    const struct schema first = {schema_newest.migrations, 1};
    struct sql sql;
    assert_true(schema_open(&sql, rig->path, &first, true, &rig->why));
    assert_true(sql_script(&sql,
                           "INSERT INTO charge_point (id, registration, security_profile,"
                           " created_ms) VALUES ('CP1', 'accepted', 0, 1);"
                           "INSERT INTO job_status (cp, kind, status, ts_ms)"
                           " VALUES ('CP1', 'firmware', 'Installed', 5);"
                           "INSERT INTO list_block (list, block, first_ms) VALUES (4, 0, 5);"
                           "INSERT INTO charge_transaction (cp, evse, connector, id_tag,"
                           " key_start_ms, key_meter_wh, order_ms, received_ms, flags, state)"
                           " VALUES ('CP1', 1, 1, 'A', 1, 0, 1, 1, 0, 1);",
                           &rig->why));
    sql_close(&sql);
}

static void test_from_version_1(void **state)
{
    struct rig *rig = *state;
    make_version_1(rig);
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), 1);
    assert_true(rig_open(rig));
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), TODAY);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM charge_point"), 1);
    /* what it had is still found, and what is new can be written */
    assert_string_equal(rig_rows(rig, "job_statuses", NULL),
                        "[{\"id\":1,\"cpid\":\"CP1\",\"kind\":\"firmware\","
                        "\"status\":\"Installed\",\"requestId\":null,\"tsMs\":5,\"job\":null}]");
    struct batch *batch = rig_batch(rig);
    batch_add(batch, RECORD_JOB)->job = (struct record_job){
        .cp = "CP1", .kind = "firmware", .request_id = ABSENT, .accepted_ms = 6};
    batch_add(batch, RECORD_JOB_STATUS)->job_status =
        (struct record_job_status){"CP1", "firmware", "Downloading", ABSENT, 7};
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    assert_int_equal(rig_number(rig, "SELECT job FROM job_status WHERE id = 2"), 1);
    /* a transaction of that time is neither priced nor due */
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM charge_transaction WHERE due = 0 AND"
                                     " price_currency IS NULL AND state = 1"),
                     1);
    rig_close(rig);
    /* the copy is the old file */
    size_t len = strlen(rig->path);
    snprintf(rig->path + len, sizeof(rig->path) - len, ".before-3");
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), 1);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM sqlite_master WHERE name = 'command'"),
                     0);
    rig->path[len] = '\0';
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_next_version),
        TEST(test_next_version_fails),
        TEST(test_may_not_migrate),
        TEST(test_keys_beside_older_server),
        cmocka_unit_test_setup_teardown(test_from_version_1, rig_make, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

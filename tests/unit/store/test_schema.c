/* Migrations from one version to the next, and files that a server is running on. */
#include "rig.h"

#include "store/schema.h"

enum { GOOD, BAD };

/* The schema of today and one more step. */
static struct schema next_schema(const char *const migrations[2])
{
    return (struct schema){migrations, 2};
}

static bool open_next(struct rig *rig, int which, bool may_migrate)
{
    const char *const migrations[2] = {
        schema_newest.migrations[0],
        which == GOOD ? "ALTER TABLE kv ADD COLUMN note TEXT; UPDATE kv SET note = 'new';"
                      : "ALTER TABLE kv ADD COLUMN note TEXT; UPDATE nothing SET note = 'new';"};
    const struct schema schema = next_schema(migrations);
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
    snprintf(rig->path + len, sizeof(rig->path) - len, ".before-2");
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
    *strstr(rig->path, ".before-2") = '\0';
}

static void test_next_version(void **state)
{
    struct rig *rig = *state;
    put_kv(rig);
    assert_true(open_next(rig, GOOD, true));
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), 2);
    assert_int_equal(rig_number(rig, "SELECT note = 'new' AND value = '1' FROM kv"), 1);
    assert_true(look_at_copy(rig)); /* as it was, data and all */
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), 1);
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
    assert_non_null(strstr(rig->why.text, "migration from version 1 to 2 failed"));
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), 1);
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
    assert_non_null(strstr(rig->why.text, "older schema (1 of 2)"));
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), 1);
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
    rig_sql(rig, "PRAGMA user_version=1");
    assert_true(store_keys(rig->store, &keys, &count, &rig->why));
    assert_int_equal(count, 1);
    api_keys_free(keys, count);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_next_version),
        TEST(test_next_version_fails),
        TEST(test_may_not_migrate),
        TEST(test_keys_beside_older_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

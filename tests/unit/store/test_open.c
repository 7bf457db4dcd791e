/* Opening: what is taken, what is refused and left as it was, and the lock. */
#include "rig.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/schema.h"

static void assert_refused(struct rig *rig, const char *word)
{
    assert_false(rig_open(rig));
    if (!strstr(rig->why.text, word))
        fail_msg("\"%s\" does not say \"%s\"", rig->why.text, word);
}

static void write_file(const struct rig *rig, const char *text, size_t len)
{
    int fd = open(rig->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
}

static void test_new_file(void **state)
{
    struct rig *rig = *state;
    assert_true(rig_open(rig));
    assert_true(store_idle(rig->store));
    assert_true(store_healthy(rig->store));
    rig_close(rig);
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), schema_newest.count);
    assert_int_equal(rig_number(rig, "PRAGMA application_id"), 0x43427267);
    assert_true(rig_open(rig));
}

static void test_empty_file_is_new(void **state)
{
    struct rig *rig = *state;
    write_file(rig, "", 0);
    assert_true(rig_open(rig));
    assert_string_equal(rig_rows(rig, "history", NULL), "[]");
}

/* A crash between the first page and the first migration leaves a database without tables. */
static void test_half_made_file_is_new(void **state)
{
    struct rig *rig = *state;
    rig_sql(rig, "PRAGMA journal_mode=WAL");
    assert_true(rig_open(rig));
}

static void test_newer_schema(void **state)
{
    struct rig *rig = *state;
    assert_true(rig_open(rig));
    rig_close(rig);
    rig_sql(rig, "PRAGMA user_version=99");
    assert_refused(rig, "newer ChargeBridge");
    assert_refused(rig, "99");
}

static void test_foreign_database(void **state)
{
    struct rig *rig = *state;
    rig_sql(rig, "CREATE TABLE song (title TEXT); INSERT INTO song VALUES ('x');");
    assert_refused(rig, "another program");
    /* and it is left as it was */
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM sqlite_master"), 1);
    char head[20];
    int fd = open(rig->path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, head, sizeof(head)), sizeof(head));
    close(fd);
    assert_int_equal(head[18], 1); /* the format version: 1 = journal, 2 = WAL */
}

/* Foreign by its number although it is at our version. */
static void test_foreign_application(void **state)
{
    struct rig *rig = *state;
    rig_sql(rig, "CREATE TABLE song (title TEXT); PRAGMA user_version=1; "
                 "PRAGMA application_id=77;");
    assert_refused(rig, "another program");
}

static void test_no_database(void **state)
{
    struct rig *rig = *state;
    char text[4096];
    memset(text, 'x', sizeof(text));
    write_file(rig, text, sizeof(text));
    assert_refused(rig, "not a database");
    char after[sizeof(text)];
    int fd = open(rig->path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, after, sizeof(after)), sizeof(after));
    close(fd);
    assert_memory_equal(after, text, sizeof(text));
}

static void test_memory(void **state)
{
    struct rig *rig = *state;
    rig->settings.path = ":memory:";
    assert_refused(rig, ":memory:");
    rig->settings.path = "";
    assert_refused(rig, "no file");
}

static void test_no_folder(void **state)
{
    struct rig *rig = *state;
    char path[400];
    snprintf(path, sizeof(path), "%s/none/cb.db", rig->dir);
    rig->settings.path = path;
    assert_refused(rig, "cannot write");
    rig->settings.path = rig->dir; /* a folder, no file */
    assert_refused(rig, "cannot open");
    snprintf(path, sizeof(path), "%s.lock", rig->dir);
    unlink(path);
    rig->settings.path = rig->path;
}

/* In a child, which gives up being root first. */
static void test_read_only_folder(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(chmod(rig->dir, 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(2);
        if (rig_open(rig))
            _exit(3);
        _exit(strstr(rig->why.text, "cannot write") ? 0 : 4);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(rig->dir, 0755), 0);
    assert_int_equal(status, 0);
}

static void test_second_process(void **state)
{
    struct rig *rig = *state;
    assert_true(rig_open(rig));
    struct store *first = rig->store;
    pid_t child = fork();
    if (child == 0)
        _exit(!rig_open(rig) && strstr(rig->why.text, "another ChargeBridge is running") ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    /* nor a second time in this one */
    assert_refused(rig, "another ChargeBridge is running");
    rig->store = first;
    assert_string_equal(rig_rows(rig, "history", NULL), "[]");
    rig_reopen(rig); /* the lock went with it */
}

/* A failing migration leaves nothing; a copy is kept of what held an older version. */
static void test_migration_is_whole(void **state)
{
    struct rig *rig = *state;
    /* ours by number, but a table of the migration is there already */
    rig_sql(rig, "CREATE TABLE kv (other TEXT); PRAGMA application_id=1128428135;");
    assert_refused(rig, "migration from version 0 to 3 failed");
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM sqlite_master"), 1);
    assert_int_equal(rig_number(rig, "PRAGMA user_version"), 0);
}

static void test_closing_nothing(void **state)
{
    (void)state;
    store_close(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_make, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_new_file),
        TEST(test_empty_file_is_new),
        TEST(test_half_made_file_is_new),
        TEST(test_newer_schema),
        TEST(test_foreign_database),
        TEST(test_foreign_application),
        TEST(test_no_database),
        TEST(test_memory),
        TEST(test_no_folder),
        TEST(test_read_only_folder),
        TEST(test_second_process),
        TEST(test_migration_is_whole),
        TEST(test_closing_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

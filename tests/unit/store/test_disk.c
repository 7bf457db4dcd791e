/* A disk that is full and one that lies: what cannot be stored is told as failed, and the store
 * goes on as soon as it can. */
#include "rig.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { LIMIT = 512 * 1024, HEAVY = 1024 * 1024 };

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static bool store_text(struct rig *rig, size_t len)
{
    struct batch *batch = rig_batch(rig);
    char *text = arena_alloc(&batch->arena, len + 1);
    memset(text, 'x', len);
    batch_add(batch, RECORD_EVENT)->event = (struct record_event){"CP1", "small", NULL, 1};
    batch_add(batch, RECORD_EVENT)->event = (struct record_event){"CP1", "e", text, 2};
    bool ok = rig_store(rig, batch);
    batch_free(batch);
    return ok;
}

/* In a child, for the limit is the process's own. Tells the check that failed. */
static int full_disk(struct rig *rig)
{
    signal(SIGXFSZ, SIG_IGN); /* write() says EFBIG then, as a full disk says ENOSPC */
    if (!rig_open(rig) || !store_text(rig, 10))
        return 1;
    limit_files(LIMIT);
    for (int i = 0; i < 3; i++)
        if (store_text(rig, HEAVY) || store_healthy(rig->store))
            return 2;
    if (!store_text(rig, 10) || !store_healthy(rig->store))
        return 3; /* what still fits is stored */
    if (store_text(rig, HEAVY))
        return 4;
    limit_files(RLIM_INFINITY);
    if (!store_text(rig, HEAVY) || !store_healthy(rig->store))
        return 5;
    rig_close(rig);
    return 0;
}

/* Nobody stores anything, and yet it is told when the disk has room again. */
static int full_disk_recovers(struct rig *rig)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    signal(SIGXFSZ, SIG_IGN);
    rig->settings.probe_ms = 10;
    if (!rig_open(rig) || !store_text(rig, 10))
        return 1;
    limit_files(1); /* not even a page */
    if (store_text(rig, 10))
        return 2;
    for (int i = 0; i < 20; i++) {
        nanosleep(&moment, NULL);
        if (store_healthy(rig->store))
            return 3;
    }
    limit_files(RLIM_INFINITY);
    for (int i = 0; i < 4000 && !store_healthy(rig->store); i++)
        nanosleep(&moment, NULL);
    if (!store_healthy(rig->store) || !store_text(rig, 10))
        return 4;
    rig_close(rig);
    return 0;
}

static int in_child(struct rig *rig, int (*run)(struct rig *rig))
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(run(rig));
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_full_disk_recovers(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(in_child(rig, full_disk_recovers), 0);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event"), 4);
    assert_true(rig_open(rig));
}

static void test_full_disk(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(in_child(rig, full_disk), 0);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event"), 6);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event WHERE kind = 'small'"), 3);
    assert_true(rig_open(rig));
}

static void on_charge_point(void *ctx, const struct record_charge_point *row)
{
    (void)ctx, (void)row;
}

/* All pages but the first are noise. */
static void test_noise(void **state)
{
    struct rig *rig = *state;
    char noise[4096];
    assert_true(rig_open(rig));
    for (int i = 0; i < 20; i++)
        assert_true(store_text(rig, 5000));
    rig_close(rig);
    int64_t pages = rig_number(rig, "PRAGMA page_count");
    int fd = open(rig->path, O_WRONLY | O_CLOEXEC);
    memset(noise, 0xA5, sizeof(noise));
    for (int64_t page = 1; page < pages; page++)
        assert_int_equal(pwrite(fd, noise, sizeof(noise), page * 4096), sizeof(noise));
    close(fd);
    struct restore_sink sink = {.charge_point = on_charge_point};
    if (!rig_open(rig)) { /* refused is as good as what follows */
        assert_non_null(strstr(rig->why.text, "malformed"));
        return;
    }
    assert_false(store_restore(rig->store, &sink, &rig->why));
    assert_non_null(strstr(rig->why.text, "malformed"));
    assert_false(store_text(rig, 5));
    assert_non_null(strstr(rig_refusal(rig, "events", NULL), "malformed"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_make, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_full_disk),
        TEST(test_full_disk_recovers),
        TEST(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

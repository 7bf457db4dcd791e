/* Killed in the middle, again and again: what was acknowledged is there, once (X4). */
#include "rig.h"

#include <signal.h>
#include <sys/wait.h>

struct acknowledged {
    int64_t key, id;
    enum record_kind kind;
};

struct child {
    int pipe;
    struct rig *rig;
};

static void submit_of_child(struct child *child, enum record_kind kind, int64_t number);

static void on_child_stored(void *ctx, struct batch *batch)
{
    struct child *child = ctx;
    const struct record *first = batch->first;
    struct acknowledged line = {.kind = first->kind};
    if (batch->failed)
        _exit(1);
    if (first->kind == RECORD_START) {
        line.key = first->start.start_ms;
        line.id = first->start.out_id;
        if (line.id % 2) /* and every second one is stopped */
            submit_of_child(child, RECORD_STOP, line.id);
    } else {
        line.id = first->stop.id;
    }
    if (write(child->pipe, &line, sizeof(line)) != sizeof(line))
        _exit(1);
    batch_free(batch);
}

static void submit_of_child(struct child *child, enum record_kind kind, int64_t number)
{
    struct batch *batch = batch_new();
    struct record *record = batch_add(batch, kind);
    if (kind == RECORD_START)
        record->start = start_of("CP1", "Tag", number);
    else
        record->stop = stop_of("CP1", number);
    batch->done = on_child_stored;
    batch->ctx = child;
    store_submit(child->rig->store, batch);
}

_Noreturn static void run_child(struct rig *rig, int64_t from, int fd)
{
    struct child child = {fd, rig};
    if (!rig_open(rig))
        _exit(1);
    for (int64_t key = from;; key++) {
        submit_of_child(&child, RECORD_START, key);
        while (rig->store->batches_out > 50)
            mailbox_run_one(&rig->mail);
    }
}

static size_t kill_round(struct rig *rig, int64_t from, size_t until, struct acknowledged *all,
                         size_t count)
{
    int fds[2], status;
    size_t first = count;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0)
        run_child(rig, from, fds[1]);
    close(fds[1]);
    while (read(fds[0], &all[count], sizeof(*all)) == sizeof(*all))
        if (++count == first + until)
            kill(pid, SIGKILL);
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return count;
}

/* As its charger would find out: by sending it again. */
static void assert_is_there(struct rig *rig, const struct acknowledged *line)
{
    if (line->kind == RECORD_STOP) {
        struct record_stop stop = rig_stop(rig, stop_of("CP1", line->id));
        assert_int_equal(stop.out_outcome, STOP_REPEAT);
        assert_false(stop.out_differs);
        return;
    }
    struct record_start start;
    assert_int_equal(rig_start(rig, start_of("CP1", "Tag", line->key), &start), line->id);
    assert_true(start.out_repeat);
}

static void test_kill(void **state)
{
    struct rig *rig = *state;
    enum { ROOM = 20000 };
    struct acknowledged *all = xcalloc(ROOM, sizeof(*all));
    size_t count = 0;
    rig_close(rig);
    for (size_t round = 0; round < 3; round++) {
        count = kill_round(rig, (int64_t)round * 1000000, 200 + 300 * round, all, count);
        assert_true(rig_open(rig));
        for (size_t i = 0; i < count; i++) {
            assert_is_there(rig, &all[i]);
        }
        rig_close(rig);
        assert_int_equal(rig_number(rig, "SELECT count(*) = count(DISTINCT id) FROM"
                                         " charge_transaction"),
                         1);
        assert_int_equal(rig_number(rig, "SELECT integrity_check = 'ok' FROM"
                                         " pragma_integrity_check"),
                         1);
    }
    assert_true(count >= 200 + 500 + 800);
    xfree(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The loop: timers by the fake clock, posting from another thread, hooks, watches, signals. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/loop.h"

struct bell {
    struct timer timer;
    int rings;
};

static void on_bell(struct timer *timer)
{
    CONTAINER_OF(timer, struct bell, timer)->rings++;
}

static void count(void *ctx)
{
    ++*(int *)ctx;
}

static void test_timers_follow_the_fake_clock(void **state)
{
    (void)state;
    clock_fake(0);
    struct loop *loop = loop_new();
    struct bell bell = {.timer.fn = on_bell};
    timer_start(loop_timers(loop), &bell.timer, 60000);
    loop_run_once(loop, 1);
    assert_int_equal(bell.rings, 0);
    clock_advance(59999);
    loop_run_once(loop, 0);
    assert_int_equal(bell.rings, 0);
    clock_advance(1);
    loop_run_once(loop, 1000); /* does not sleep: something is due */
    assert_int_equal(bell.rings, 1);
    loop_free(loop);
    clock_real();
}

static void stop(struct timer *timer)
{
    struct bell *bell = CONTAINER_OF(timer, struct bell, timer);
    bell->rings++;
}

struct stopper {
    struct timer timer;
    struct loop *loop;
};

static void on_stopper(struct timer *timer)
{
    loop_stop(CONTAINER_OF(timer, struct stopper, timer)->loop);
}

static void test_timers_end_the_sleep_in_real_time(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct bell bell = {.timer.fn = stop};
    struct stopper stopper = {.timer.fn = on_stopper, .loop = loop};
    timer_start(loop_timers(loop), &bell.timer, 0);
    timer_start(loop_timers(loop), &stopper.timer, 2);
    loop_run(loop); /* would never return if the alarm were not armed */
    assert_int_equal(bell.rings, 1);
    loop_free(loop);
}

enum { POSTS = 1000 };

struct posting {
    struct poster poster;
    struct loop *loop;
    int next;
    int order[POSTS];
};

static struct posting posting;

static void on_posted(void *arg)
{
    posting.order[posting.next++] = (int)(intptr_t)arg;
    if (posting.next == POSTS)
        loop_stop(posting.loop);
}

static void *poster_thread(void *arg)
{
    struct poster poster = *(struct poster *)arg;
    for (intptr_t i = 0; i < POSTS; i++)
        poster.post(poster.loop, on_posted, (void *)i);
    return NULL;
}

static void test_posts_arrive_once_and_in_order(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    posting = (struct posting){.poster = loop_poster(loop), .loop = loop};
    pthread_t thread;
    pthread_create(&thread, NULL, poster_thread, &posting.poster);
    loop_run(loop);
    pthread_join(thread, NULL);
    for (int i = 0; i < POSTS; i++)
        assert_int_equal(posting.order[i], i);
    loop_free(loop);
}

static void test_posts_before_free_still_run(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct poster poster = loop_poster(loop);
    int ran = 0;
    poster.post(poster.loop, count, &ran);
    loop_free(loop);
    assert_int_equal(ran, 1);
}

static void test_hooks_run_once_a_turn(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    int first = 0, second = 0;
    loop_before_sleep(loop, count, &first);
    loop_before_sleep(loop, count, &second);
    loop_run_once(loop, 0);
    loop_run_once(loop, 0);
    assert_int_equal(first, 2);
    assert_int_equal(second, 2);
    loop_free(loop);
}

struct reader {
    int fd;
    int calls;
    struct loop_watch *watch;
};

static void on_reader(void *ctx)
{
    struct reader *reader = ctx;
    char byte;
    reader->calls++;
    assert_int_equal(read(reader->fd, &byte, 1), 1);
    if (byte == 'x') { /* unwatching and closing inside the callback is allowed */
        loop_unwatch(reader->watch);
        close(reader->fd);
    }
}

static void test_watch_until_unwatched_inside_its_callback(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct reader reader = {.fd = fds[0]};
    reader.watch = loop_watch(loop, fds[0], on_reader, &reader);
    loop_run_once(loop, 0);
    assert_int_equal(reader.calls, 0);
    assert_int_equal(write(fds[1], "ax", 2), 2);
    for (int i = 0; i < 5; i++)
        loop_run_once(loop, 0);
    assert_int_equal(reader.calls, 2);
    close(fds[1]);
    loop_free(loop);
}

static void test_signals_arrive_on_the_loop(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    int hups = 0;
    struct loop_signal *hup = loop_signal(loop, SIGHUP, count, &hups);
    raise(SIGHUP);
    for (int i = 0; i < 10 && hups == 0; i++)
        loop_run_once(loop, 100);
    assert_int_equal(hups, 1);
    loop_unsignal(hup);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_follow_the_fake_clock),
        cmocka_unit_test(test_timers_end_the_sleep_in_real_time),
        cmocka_unit_test(test_posts_arrive_once_and_in_order),
        cmocka_unit_test(test_posts_before_free_still_run),
        cmocka_unit_test(test_hooks_run_once_a_turn),
        cmocka_unit_test(test_watch_until_unwatched_inside_its_callback),
        cmocka_unit_test(test_signals_arrive_on_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

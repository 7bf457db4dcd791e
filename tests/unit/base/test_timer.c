/* Timers: order, moving, stopping, and callbacks that start and stop others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "base/timer.h"

enum { MANY = 1000 };

static struct timers timers;

struct alarm {
    struct timer timer;
    int fired;
    int rank; /* among all that fired in this test */
    struct alarm *starts, *stops;
    int64_t starts_in;
};

static int fired_so_far;

static void on_fire(struct timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
    assert_false(timer_running(timer));
    alarm->fired++;
    alarm->rank = ++fired_so_far;
    if (alarm->stops)
        timer_stop(&timers, &alarm->stops->timer);
    if (alarm->starts)
        timer_start(&timers, &alarm->starts->timer, alarm->starts_in);
}

static int set_up(void **state)
{
    (void)state;
    clock_fake(0);
    fired_so_far = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    timers_clear(&timers);
    return 0;
}

static void advance(int64_t ms)
{
    clock_advance(ms);
    timers_run(&timers);
}

static void test_fires_once_when_due(void **state)
{
    (void)state;
    struct alarm a = {.timer.fn = on_fire};
    assert_int_equal(timers_next(&timers), -1);
    assert_false(timer_running(&a.timer));
    timer_start(&timers, &a.timer, 100);
    assert_true(timer_running(&a.timer));
    assert_int_equal(timers_next(&timers), 100);
    advance(99);
    assert_int_equal(a.fired, 0);
    assert_int_equal(timers_next(&timers), 1);
    advance(1);
    assert_int_equal(a.fired, 1);
    advance(1000);
    assert_int_equal(a.fired, 1);
    assert_int_equal(timers_next(&timers), -1);
}

static void test_late_means_now(void **state)
{
    (void)state;
    struct alarm a = {.timer.fn = on_fire};
    timer_start(&timers, &a.timer, -5);
    assert_int_equal(timers_next(&timers), 0);
    clock_advance(1000);
    assert_int_equal(timers_next(&timers), 0);
    timers_run(&timers);
    assert_int_equal(a.fired, 1);
    timer_start(&timers, &a.timer, INT64_MAX);
    assert_true(timers_next(&timers) > 0);
    advance(1000);
    assert_int_equal(a.fired, 1);
}

static void test_starting_again_moves(void **state)
{
    (void)state;
    struct alarm a = {.timer.fn = on_fire};
    struct alarm b = {.timer.fn = on_fire};
    timer_start(&timers, &a.timer, 10);
    timer_start(&timers, &b.timer, 20);
    timer_start(&timers, &a.timer, 30);
    advance(20);
    assert_int_equal(a.fired, 0);
    assert_int_equal(b.fired, 1);
    timer_start(&timers, &a.timer, 1);
    advance(1);
    assert_int_equal(a.fired, 1);
    advance(100);
    assert_int_equal(a.fired, 1);
}

static void test_stopping(void **state)
{
    (void)state;
    struct alarm a = {.timer.fn = on_fire};
    timer_stop(&timers, &a.timer);
    timer_start(&timers, &a.timer, 10);
    timer_stop(&timers, &a.timer);
    timer_stop(&timers, &a.timer);
    assert_false(timer_running(&a.timer));
    advance(100);
    assert_int_equal(a.fired, 0);
    timer_start(&timers, &a.timer, 10);
    timers_clear(&timers);
    assert_false(timer_running(&a.timer));
    advance(100);
    assert_int_equal(a.fired, 0);
}

static void test_same_moment_in_order_of_starting(void **state)
{
    (void)state;
    static struct alarm alarms[MANY];
    memset(alarms, 0, sizeof alarms);
    for (int i = 0; i < MANY; i++) {
        alarms[i].timer.fn = on_fire;
        timer_start(&timers, &alarms[i].timer, 50);
    }
    /* Started anew, it goes to the end. */
    timer_start(&timers, &alarms[0].timer, 50);
    advance(50);
    for (int i = 1; i < MANY; i++)
        assert_int_equal(alarms[i].rank, i);
    assert_int_equal(alarms[0].rank, MANY);
}

static void test_many_in_order_of_time(void **state)
{
    (void)state;
    static struct alarm alarms[MANY];
    memset(alarms, 0, sizeof alarms);
    for (int i = 0; i < MANY; i++) {
        alarms[i].timer.fn = on_fire;
        timer_start(&timers, &alarms[i].timer, (i * 7919) % MANY); /* each delay once */
    }
    for (int i = 0; i < MANY; i += 3)
        timer_stop(&timers, &alarms[i].timer);
    int expected = 0;
    for (int ms = 0; ms < MANY; ms++, advance(1)) {
        timers_run(&timers);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(alarms[i].fired, i % 3 != 0 && (i * 7919) % MANY <= ms);
    }
    for (int i = 0; i < MANY; i++)
        expected += i % 3 != 0;
    assert_int_equal(fired_so_far, expected);
}

static void test_restart_from_its_own_callback_fires_next_time(void **state)
{
    (void)state;
    struct alarm a = {.timer.fn = on_fire};
    a.starts = &a;
    timer_start(&timers, &a.timer, 0);
    for (int i = 1; i < 5; i++) {
        timers_run(&timers);
        assert_int_equal(a.fired, i);
        assert_true(timer_running(&a.timer));
    }
}

static void test_callback_stops_and_starts_others(void **state)
{
    (void)state;
    struct alarm stopped = {.timer.fn = on_fire};
    struct alarm started = {.timer.fn = on_fire};
    struct alarm first = {.timer.fn = on_fire, .stops = &stopped, .starts = &started};
    timer_start(&timers, &first.timer, 10);
    timer_start(&timers, &stopped.timer, 10);
    timer_start(&timers, &started.timer, 10);
    advance(10);
    assert_int_equal(first.fired, 1);
    assert_int_equal(stopped.fired, 0);
    assert_int_equal(started.fired, 0); /* moved to now: next time */
    advance(0);
    assert_int_equal(started.fired, 1);
}

static void clear_all(struct timer *timer)
{
    on_fire(timer);
    timers_clear(&timers);
}

static void test_callback_clears_all(void **state)
{
    (void)state;
    struct alarm a = {.timer.fn = clear_all};
    struct alarm b = {.timer.fn = on_fire};
    timer_start(&timers, &a.timer, 0);
    timer_start(&timers, &b.timer, 0);
    timers_run(&timers);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
    assert_false(timer_running(&b.timer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fires_once_when_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_late_means_now, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_starting_again_moves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stopping, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same_moment_in_order_of_starting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_in_order_of_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_restart_from_its_own_callback_fires_next_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_callback_stops_and_starts_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_callback_clears_all, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

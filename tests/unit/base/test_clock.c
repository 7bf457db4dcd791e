/* The clocks, real and fake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "base/clock.h"

static void test_real_clocks_run(void **state)
{
    (void)state;
    assert_false(clock_is_fake());
    assert_true(wall_now() > 1700000000000);
    mono_t mono = mono_now();
    assert_true(mono > 0);
    int64_t cpu = cpu_now_us();
    int64_t watch = stopwatch_us();
    while (cpu_now_us() < cpu + 2000)
        ;
    assert_true(stopwatch_us() >= watch + 1900);
    assert_true(mono_now() >= mono + 1);
}

static void *ask_other_thread(void *real)
{
    *(bool *)real = !clock_is_fake() && mono_now() != 1000000 && wall_now() > 1700000000000;
    return NULL;
}

static void test_fake_clock_stands_still(void **state)
{
    (void)state;
    clock_fake(5000);
    assert_true(clock_is_fake());
    assert_int_equal(mono_now(), 1000000);
    assert_int_equal(wall_now(), 5000);
    clock_advance(250);
    assert_int_equal(mono_now(), 1000250);
    assert_int_equal(wall_now(), 5250);
    int64_t cpu = cpu_now_us();
    while (cpu_now_us() == cpu)
        ;
    assert_int_equal(wall_now(), 5250);

    bool real = false;
    pthread_t thread;
    pthread_create(&thread, NULL, ask_other_thread, &real);
    pthread_join(thread, NULL);
    assert_true(real);

    clock_real();
    assert_false(clock_is_fake());
    assert_true(wall_now() > 1700000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_clocks_run),
        cmocka_unit_test(test_fake_clock_stands_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

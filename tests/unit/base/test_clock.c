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
    /* Each at its own pace: what the kernel counts as our time may run ahead of the clock. */
    while (cpu_now_us() < cpu + 2000 || stopwatch_us() < watch + 2000)
        ;
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

static void test_fast_clocks(void **state)
{
    (void)state;
    assert_int_equal(clock_real_ms(7), 7);
    assert_int_equal(clock_sleep_ms(7), 7);
    mono_t mono = mono_now();
    clock_scale(1000, 5000);
    assert_true(mono_now() >= mono);
    assert_true(wall_now() >= 5000 && wall_now() < 5000 + 60000);
    assert_int_equal(clock_real_ms(7), 7000);
    assert_int_equal(clock_sleep_ms(7000), 7);
    assert_int_equal(clock_sleep_ms(7001), 8);
    assert_int_equal(clock_sleep_ms(1), 1); /* never too early */
    mono = mono_now();
    wall_t wall = wall_now();
    int64_t watch = stopwatch_us();
    while (stopwatch_us() < watch + 2000)
        ;
    assert_true(mono_now() - mono >= 2000);
    assert_true(wall_now() - wall >= 2000);
    assert_true(wall_now() - wall <= stopwatch_us() - watch + 10000);

    bool other = true; /* other threads have the same clocks */
    pthread_t thread;
    pthread_create(&thread, NULL, ask_other_thread, &other);
    pthread_join(thread, NULL);
    assert_false(other);

    clock_fake(77); /* the fake one stands before the fast one */
    assert_int_equal(wall_now(), 77);
    clock_real();

    mono = mono_now();
    clock_scale(0.001, 1000000); /* changes the speed; mono does not jump back */
    assert_true(mono_now() >= mono);
    assert_true(wall_now() >= 1000000 && wall_now() < 1000100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_clocks_run), cmocka_unit_test(test_fake_clock_stands_still),
        cmocka_unit_test(test_fast_clocks), /* the last: there is no way back */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

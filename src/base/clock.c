/* The real clocks and the fake one. The fake one is a thread's own, so it needs no lock. */
#include "base/clock.h"

#include <time.h>

enum { FAKE_MONO_START = 1000000 };

static _Thread_local bool fake;
static _Thread_local mono_t fake_mono;
static _Thread_local wall_t fake_wall;

static int64_t read_us(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

mono_t mono_now(void)
{
    return fake ? fake_mono : read_us(CLOCK_MONOTONIC) / 1000;
}

wall_t wall_now(void)
{
    return fake ? fake_wall : read_us(CLOCK_REALTIME) / 1000;
}

void clock_fake(wall_t wall)
{
    fake_mono = FAKE_MONO_START;
    fake_wall = wall;
    fake = true;
}

void clock_advance(int64_t ms)
{
    fake_mono += ms;
    fake_wall += ms;
}

bool clock_is_fake(void)
{
    return fake;
}

void clock_real(void)
{
    fake = false;
}

int64_t cpu_now_us(void)
{
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}

int64_t stopwatch_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

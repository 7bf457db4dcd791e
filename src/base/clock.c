/* The real clocks and the fake one. Any thread may ask; only tests set. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

enum { FAKE_MONO_START = 1000000 };

static atomic_bool fake;
static _Atomic mono_t fake_mono;
static _Atomic wall_t fake_wall;

static int64_t read_us(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

mono_t mono_now(void)
{
    return atomic_load(&fake) ? atomic_load(&fake_mono) : read_us(CLOCK_MONOTONIC) / 1000;
}

wall_t wall_now(void)
{
    return atomic_load(&fake) ? atomic_load(&fake_wall) : read_us(CLOCK_REALTIME) / 1000;
}

void clock_fake(wall_t wall)
{
    atomic_store(&fake_mono, FAKE_MONO_START);
    atomic_store(&fake_wall, wall);
    atomic_store(&fake, true);
}

void clock_advance(int64_t ms)
{
    atomic_fetch_add(&fake_mono, ms);
    atomic_fetch_add(&fake_wall, ms);
}

bool clock_is_fake(void)
{
    return atomic_load(&fake);
}

int64_t cpu_now_us(void)
{
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}

int64_t stopwatch_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

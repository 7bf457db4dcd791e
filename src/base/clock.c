/* The real clocks, the faster ones and the fake one. The fake one is a thread's own, so it needs no
 * lock; the faster ones are the process's and count from where clock_scale() was called last. */
#include "base/clock.h"

#include <time.h>

enum { FAKE_MONO_START = 1000000 };

static _Thread_local bool fake;
static _Thread_local mono_t fake_mono;
static _Thread_local wall_t fake_wall;

/* 0 = not scaled. */
static double scale;
static int64_t scale_from_us; /* CLOCK_MONOTONIC then */
static mono_t scale_mono;     /* what the clocks showed then */
static wall_t scale_wall;

static int64_t read_us(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t scaled_ms(void)
{
    return (int64_t)((double)(read_us(CLOCK_MONOTONIC) - scale_from_us) * scale / 1000);
}

mono_t mono_now(void)
{
    if (fake)
        return fake_mono;
    return scale > 0 ? scale_mono + scaled_ms() : read_us(CLOCK_MONOTONIC) / 1000;
}

wall_t wall_now(void)
{
    if (fake)
        return fake_wall;
    return scale > 0 ? scale_wall + scaled_ms() : read_us(CLOCK_REALTIME) / 1000;
}

void clock_scale(double factor, wall_t begin)
{
    scale_mono = mono_now();
    scale_wall = begin;
    scale_from_us = read_us(CLOCK_MONOTONIC);
    scale = factor;
}

int64_t clock_real_ms(int64_t ms)
{
    return scale > 0 ? (int64_t)((double)ms * scale) : ms;
}

int64_t clock_sleep_ms(int64_t ms)
{
    if (scale <= 0)
        return ms;
    int64_t down = (int64_t)((double)ms / scale);
    return (double)down * scale < (double)ms ? down + 1 : down;
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

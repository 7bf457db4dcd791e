/* Timers of the loop thread: a heap of intrusive entries.
 *
 * The owner embeds a struct timer, sets `fn` once and finds itself again with CONTAINER_OF. A timer
 * fires once; start it again for the next time. Starting a running timer moves it. The loop
 * (net/loop.h) asks timers_next() how long it may sleep and calls timers_run() when it wakes; tests
 * call timers_run() after clock_advance(). Cost: O(log n), no allocation per timer. */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stddef.h>

#include "base/clock.h"

struct timer {
    mono_t due;
    size_t place;   /* 1-based place in the heap; 0 = not running */
    uint64_t order; /* of starting, among all timers of a heap */
    void (*fn)(struct timer *timer);
};

struct timers {
    struct timer **heap;
    size_t count, room;
    uint64_t started; /* how often timer_start was called */
};

void timers_clear(struct timers *t); /* stops all; owners keep their structs */
/* Fires `delay_ms` after mono_now(); negative counts as 0. Timers due at the same moment fire in
 * the order in which they were started. */
void timer_start(struct timers *t, struct timer *timer, int64_t delay_ms);
void timer_stop(struct timers *t, struct timer *timer); /* also when not running */
bool timer_running(const struct timer *timer);
/* Milliseconds until the next is due (0 = now), -1 when none runs. */
int64_t timers_next(const struct timers *t);
/* Fires all that are due at mono_now(); one that a callback starts with delay 0 fires next time. */
void timers_run(struct timers *t);

#endif

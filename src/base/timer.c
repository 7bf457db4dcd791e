/* The timers: a binary heap of pointers, ordered by due time, then by order of starting. */
#include "base/timer.h"

#include "base/mem.h"

static bool earlier(const struct timer *a, const struct timer *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

/* Places are 1-based in struct timer and 0-based here. */
static void put(struct timers *t, size_t at, struct timer *timer)
{
    t->heap[at] = timer;
    timer->place = at + 1;
}

static void sift_up(struct timers *t, size_t at, struct timer *timer)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!earlier(timer, t->heap[parent]))
            break;
        put(t, at, t->heap[parent]);
        at = parent;
    }
    put(t, at, timer);
}

static void sift_down(struct timers *t, size_t at, struct timer *timer)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= t->count)
            break;
        if (child + 1 < t->count && earlier(t->heap[child + 1], t->heap[child]))
            child++;
        if (!earlier(t->heap[child], timer))
            break;
        put(t, at, t->heap[child]);
        at = child;
    }
    put(t, at, timer);
}

void timers_clear(struct timers *t)
{
    for (size_t i = 0; i < t->count; i++)
        t->heap[i]->place = 0;
    XFREE(t->heap);
    t->count = 0;
    t->room = 0;
}

void timer_start(struct timers *t, struct timer *timer, int64_t delay_ms)
{
    timer_stop(t, timer);
    if (__builtin_add_overflow(mono_now(), delay_ms > 0 ? delay_ms : 0, &timer->due))
        timer->due = INT64_MAX;
    timer->order = ++t->started;
    t->heap = xgrow(t->heap, t->count, &t->room, sizeof(struct timer *));
    t->count++;
    sift_up(t, t->count - 1, timer);
}

void timer_stop(struct timers *t, struct timer *timer)
{
    if (timer->place == 0)
        return;
    size_t at = timer->place - 1;
    if (NEVER(at >= t->count || t->heap[at] != timer))
        return;
    timer->place = 0;
    struct timer *moved = t->heap[--t->count];
    if (moved == timer)
        return;
    if (at > 0 && earlier(moved, t->heap[(at - 1) / 2]))
        sift_up(t, at, moved);
    else
        sift_down(t, at, moved);
}

bool timer_running(const struct timer *timer)
{
    return timer->place != 0;
}

int64_t timers_next(const struct timers *t)
{
    if (t->count == 0)
        return -1;
    int64_t left = t->heap[0]->due - mono_now();
    return left > 0 ? left : 0;
}

void timers_run(struct timers *t)
{
    mono_t now = mono_now();
    uint64_t newest = t->started;
    /* What a callback starts is due now or later and ordered behind all that was there before, so
     * the first such timer at the top ends the round. */
    while (t->count > 0 && t->heap[0]->due <= now && t->heap[0]->order <= newest) {
        struct timer *timer = t->heap[0];
        timer_stop(t, timer);
        timer->fn(timer);
    }
}

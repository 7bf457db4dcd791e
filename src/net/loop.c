/* The event loop on libuv: timers of base, posting from other threads, watched descriptors.
 *
 * Order of one turn: hooks before sleep, sleep, sockets, timers that are due. Timers are asked
 * after every sleep and not by a uv callback each, so that with the fake clock they fire by
 * mono_now() alone; the one uv_timer exists only to end the sleep in time. Nothing here may block
 * or lock longer than it takes to swap the list of posted functions. Start reading at
 * on_before_sleep. */
#include "net/loop.h"

#include <assert.h>
#include <signal.h>
#include <uv.h>

#include "base/mem.h"
#include "net/loop_parts.h"

enum { HOOKS_MAX = 8, DRAIN_TURNS_MAX = 1000 };

struct hook {
    void (*fn)(void *ctx);
    void *ctx;
};

struct posted {
    struct posted *next;
    void (*fn)(void *arg);
    void *arg;
};

struct loop {
    uv_loop_t uv;
    uv_timer_t alarm;  /* ends the sleep when the first timer is due */
    uv_timer_t waiter; /* ends the sleep of loop_run_once */
    uv_prepare_t before_sleep;
    uv_check_t after_sleep;
    uv_async_t wake;
    struct timers timers;
    struct hook hooks[HOOKS_MAX];
    size_t hook_count;
    struct hook *finalizers;
    size_t finalizer_count, finalizer_room;
    uv_mutex_t posted_lock;
    struct posted *posted_first, **posted_end; /* under posted_lock */
};

struct loop_watch {
    uv_poll_t poll;
    void (*fn)(void *ctx);
    void *ctx;
};

struct loop_signal {
    uv_signal_t signal;
    void (*fn)(void *ctx);
    void *ctx;
};

static void on_alarm(uv_timer_t *alarm)
{
    (void)alarm; /* on_after_sleep does the work */
}

static void on_before_sleep(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;
    for (size_t i = 0; i < loop->hook_count; i++)
        loop->hooks[i].fn(loop->hooks[i].ctx);
    int64_t next = timers_next(&loop->timers);
    /* Standing time reaches nothing later than now, however long we sleep. */
    if (next < 0 || (next > 0 && clock_is_fake())) {
        uv_timer_stop(&loop->alarm);
        return;
    }
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->alarm, on_alarm, (uint64_t)clock_sleep_ms(next), 0);
}

static void on_after_sleep(uv_check_t *check)
{
    struct loop *loop = check->data;
    timers_run(&loop->timers);
}

static void on_wake(uv_async_t *async)
{
    struct loop *loop = async->data;
    uv_mutex_lock(&loop->posted_lock);
    struct posted *first = loop->posted_first;
    loop->posted_first = NULL;
    loop->posted_end = &loop->posted_first;
    uv_mutex_unlock(&loop->posted_lock);
    while (first != NULL) {
        struct posted *posted = first;
        first = posted->next;
        posted->fn(posted->arg);
        xfree(posted);
    }
}

static void post(void *ctx, void (*fn)(void *arg), void *arg)
{
    struct loop *loop = ctx;
    struct posted *posted = xmalloc(sizeof(*posted));
    *posted = (struct posted){.fn = fn, .arg = arg};
    uv_mutex_lock(&loop->posted_lock);
    *loop->posted_end = posted;
    loop->posted_end = &posted->next;
    /* Inside the lock: loop_free may not pull the handle away between the two. */
    uv_async_send(&loop->wake);
    uv_mutex_unlock(&loop->posted_lock);
}

struct loop *loop_new(void)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    int failed = uv_loop_init(&loop->uv);
    failed |= uv_mutex_init(&loop->posted_lock);
    loop->posted_end = &loop->posted_first;
    failed |= uv_timer_init(&loop->uv, &loop->alarm);
    failed |= uv_timer_init(&loop->uv, &loop->waiter);
    failed |= uv_prepare_init(&loop->uv, &loop->before_sleep);
    failed |= uv_check_init(&loop->uv, &loop->after_sleep);
    failed |= uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (NEVER(failed != 0)) { /* no descriptors left before we opened any */
        xfree(loop);
        return NULL;
    }
    loop->before_sleep.data = loop->after_sleep.data = loop->wake.data = loop;
    uv_prepare_start(&loop->before_sleep, on_before_sleep);
    uv_check_start(&loop->after_sleep, on_after_sleep);
    signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error code, not our end */
    return loop;
}

static void close_handles(struct loop *loop)
{
    uv_close((uv_handle_t *)&loop->alarm, NULL);
    uv_close((uv_handle_t *)&loop->waiter, NULL);
    uv_close((uv_handle_t *)&loop->before_sleep, NULL);
    uv_close((uv_handle_t *)&loop->after_sleep, NULL);
    uv_mutex_lock(&loop->posted_lock);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_mutex_unlock(&loop->posted_lock);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    on_wake(&loop->wake); /* what was posted frees its argument there */
    close_handles(loop);
    /* Handles that others closed before us finish closing in their own turns. */
    for (int turn = 0; turn < DRAIN_TURNS_MAX && uv_loop_alive(&loop->uv); turn++)
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    for (size_t i = 0; i < loop->finalizer_count; i++)
        loop->finalizers[i].fn(loop->finalizers[i].ctx);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    (void)NEVER(uv_loop_close(&loop->uv) != 0); /* something still lives on the loop */
    timers_clear(&loop->timers);
    xfree(loop->finalizers);
    uv_mutex_destroy(&loop->posted_lock);
    xfree(loop);
}

struct timers *loop_timers(struct loop *loop)
{
    return &loop->timers;
}

struct poster loop_poster(struct loop *loop)
{
    return (struct poster){.post = post, .loop = loop};
}

void loop_before_sleep(struct loop *loop, void (*fn)(void *ctx), void *ctx)
{
    assert(loop->hook_count < HOOKS_MAX);
    loop->hooks[loop->hook_count++] = (struct hook){fn, ctx};
}

void loop_before_sleep_remove(struct loop *loop, void (*fn)(void *ctx), void *ctx)
{
    size_t kept = 0;
    for (size_t i = 0; i < loop->hook_count; i++)
        if (loop->hooks[i].fn != fn || loop->hooks[i].ctx != ctx)
            loop->hooks[kept++] = loop->hooks[i];
    loop->hook_count = kept;
}

void loop_at_free(struct loop *loop, void (*fn)(void *ctx), void *ctx)
{
    loop->finalizers = xgrow(loop->finalizers, loop->finalizer_count, &loop->finalizer_room,
                             sizeof(*loop->finalizers));
    loop->finalizers[loop->finalizer_count++] = (struct hook){fn, ctx};
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error shows when fn reads */
    (void)events;
    struct loop_watch *watch = poll->data;
    watch->fn(watch->ctx);
}

struct loop_watch *loop_watch(struct loop *loop, int fd, void (*fn)(void *ctx), void *ctx)
{
    struct loop_watch *watch = xcalloc(1, sizeof(*watch));
    watch->fn = fn;
    watch->ctx = ctx;
    watch->poll.data = watch;
    if (NEVER(uv_poll_init(&loop->uv, &watch->poll, fd) != 0)) { /* not a descriptor, or twice */
        xfree(watch);
        return NULL;
    }
    uv_poll_start(&watch->poll, UV_READABLE, on_readable);
    return watch;
}

static void on_watch_closed(uv_handle_t *handle)
{
    xfree(handle->data);
}

void loop_unwatch(struct loop_watch *watch)
{
    if (watch != NULL)
        uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static void on_signal(uv_signal_t *signal, int signo)
{
    (void)signo;
    struct loop_signal *self = signal->data;
    self->fn(self->ctx);
}

struct loop_signal *loop_signal(struct loop *loop, int signo, void (*fn)(void *ctx), void *ctx)
{
    struct loop_signal *self = xcalloc(1, sizeof(*self));
    self->fn = fn;
    self->ctx = ctx;
    self->signal.data = self;
    uv_signal_init(&loop->uv, &self->signal);
    if (NEVER(uv_signal_start(&self->signal, on_signal, signo) != 0)) {
        loop_unsignal(self);
        return NULL;
    }
    return self;
}

void loop_unsignal(struct loop_signal *self)
{
    if (self != NULL)
        uv_close((uv_handle_t *)&self->signal, on_watch_closed);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

void loop_run_once(struct loop *loop, int wait_ms)
{
    if (wait_ms > 0) {
        uv_update_time(&loop->uv);
        uv_timer_start(&loop->waiter, on_alarm, (uint64_t)wait_ms, 0);
        uv_run(&loop->uv, UV_RUN_ONCE);
        uv_timer_stop(&loop->waiter);
    } else {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    }
}

void *loop_native(struct loop *loop)
{
    return &loop->uv;
}

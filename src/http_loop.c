/* See http_loop.h. */
#include "http_loop.h"

#include "base/mem.h"

struct http_loop {
    struct loop *loop;
    struct http *http;
    struct loop_watch *watch;
    struct timer timer;
};

static void on_ready(void *ctx)
{
    struct http_loop *attached = ctx;
    http_run(attached->http);
}

static void on_timer(struct timer *timer)
{
    struct http_loop *attached = CONTAINER_OF(timer, struct http_loop, timer);
    http_run(attached->http);
}

static void before_sleep(void *ctx)
{
    struct http_loop *attached = ctx;
    struct timers *timers = loop_timers(attached->loop);
    if (http_wants_run(attached->http))
        http_run(attached->http);
    int64_t wait = http_timeout_ms(attached->http);
    if (wait < 0)
        timer_stop(timers, &attached->timer);
    else
        timer_start(timers, &attached->timer, wait);
}

struct http_loop *http_loop_attach(struct loop *loop, struct http *http)
{
    struct http_loop *attached = xcalloc(1, sizeof(*attached));
    *attached = (struct http_loop){.loop = loop, .http = http, .timer = {.fn = on_timer}};
    attached->watch = loop_watch(loop, http_fd(http), on_ready, attached);
    loop_before_sleep(loop, before_sleep, attached);
    return attached;
}

void http_loop_detach(struct http_loop *attached)
{
    if (!attached)
        return;
    loop_before_sleep_remove(attached->loop, before_sleep, attached);
    loop_unwatch(attached->watch);
    timer_stop(loop_timers(attached->loop), &attached->timer);
    xfree(attached);
}

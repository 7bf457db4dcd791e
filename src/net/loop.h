/* The event loop: one thread, libuv underneath, the timers of base on top.
 *
 * The loop owns the struct timers that everybody on the loop thread uses, so that tests can drive
 * everything with the fake clock: loop_run_once() handles what is ready and fires what is due by
 * mono_now(). Other threads reach it through the poster only. loop_before_sleep() is called once
 * per turn, after all sockets were served: whoever batches work flushes it there. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>

#include "base/post.h"
#include "base/timer.h"

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *loop); /* after everything that lives on it is closed */

struct timers *loop_timers(struct loop *loop);
struct poster loop_poster(struct loop *loop);
void loop_before_sleep(struct loop *loop, void (*fn)(void *ctx), void *ctx); /* up to 8 */
void loop_before_sleep_remove(struct loop *loop, void (*fn)(void *ctx), void *ctx);

/* Calls fn(ctx) when fd is readable, until loop_unwatch. The fd stays the caller's. */
struct loop_watch;
struct loop_watch *loop_watch(struct loop *loop, int fd, void (*fn)(void *ctx), void *ctx);
void loop_unwatch(struct loop_watch *watch);
/* SIGHUP and friends, on the loop thread. */
struct loop_signal;
struct loop_signal *loop_signal(struct loop *loop, int signo, void (*fn)(void *ctx), void *ctx);
void loop_unsignal(struct loop_signal *signal);

void loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop);
/* One turn; waits at most wait_ms for something to be ready. For tests. */
void loop_run_once(struct loop *loop, int wait_ms);
void *loop_native(struct loop *loop); /* the uv_loop_t, for net/ only */

#endif

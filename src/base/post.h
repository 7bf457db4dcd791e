/* How another thread hands something to the loop thread.
 *
 * The loop (net/loop.h) fills it; store and policy get a copy and know no more of the loop. The
 * function runs on the loop thread, later, once, in order of posting. */
#ifndef BASE_POST_H
#define BASE_POST_H

struct poster {
    void (*post)(void *loop, void (*fn)(void *arg), void *arg);
    void *loop;
};

#endif

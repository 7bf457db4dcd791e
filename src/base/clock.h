/* The two clocks, both in integer milliseconds, both replaceable by tests.
 *
 * mono_now() never jumps: deadlines, timers, liveness. wall_now() is UTC since 1970: what is
 * stored and sent. Tests call clock_fake() once and clock_advance() then; nothing in the program
 * asks the system for the time elsewhere, except cpu_now_us(), which budgets of policies use and
 * which is never fake. Simulations may let both run faster than the real time: clock_scale(). */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t mono_t;
typedef int64_t wall_t;

mono_t mono_now(void);
wall_t wall_now(void);

/* From now on time stands still at `wall` (mono starts at 1,000,000) until advanced, for the
 * calling thread only: the build thread fakes time for policy tests while the loop goes on in real
 * time. */
void clock_fake(wall_t wall);
void clock_advance(int64_t ms);
bool clock_is_fake(void);
void clock_real(void); /* back to the system's time on this thread */

/* From now on wall_now() starts at `begin`, and both clocks run `factor` (0.001 to 100,000) times
 * as fast as the real ones, for the whole process; mono_now() goes on without a jump. Again:
 * another speed from here on. Before other threads ask for the time, or while they do not mind. */
void clock_scale(double factor, wall_t begin);
/* How many milliseconds of these clocks pass in so many real ones, and the other way (rounded up,
 * so that who sleeps them does not wake too early). The same number without clock_scale(). */
int64_t clock_real_ms(int64_t ms);
int64_t clock_sleep_ms(int64_t ms);

/* CPU time of the calling thread, in microseconds. */
int64_t cpu_now_us(void);
/* Real monotonic time in microseconds, for measurements only (never for behaviour). */
int64_t stopwatch_us(void);

#endif

/* A scenario: a Lua file that plays with simulated chargers, in their own time.
 *
 * The file runs as a coroutine, and so does each function given to at(); sleep, wait and http.* let
 * the others go on. It sees base, string, table and math of Lua without what reaches files, the
 * system or other code, and:
 *
 *     begin("-24h" | "07:00" | time)    where the clocks start; "07:00": of the last day that is
 * over speed(n)                          times as fast as real time charger(identity, {kind=…}) a
 * new charger, or one of the fleet; methods: see scenario_charger.c at("07:30" | "+10m", function)
 * then (UTC, the next such time) sleep("10m")                      also wait(charger, what,
 * timeout, connector, detail) http.get/post/put/delete(url …)   → {status, body, json} or {error}
 *     expect(condition, text)           counts and reports what did not hold, with file:line
 *     figures()                        {energyWh, powerW, peakW …} of all chargers together
 *     log(…)  now()  args.NAME          what --arg NAME=VALUE gave
 *     finish(code)                      ends; without it the end of all coroutines does
 *
 * Result: 0 when every expectation held, 1 when one did not or an error was raised. Loop thread
 * only; start reading at scenario_open. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "sim/fleet.h"
#include "sim/options.h"

struct scenario;

struct scenario_settings {
    struct loop *loop;
    struct http_client *http;
    struct fleet *fleet;             /* outlives the scenario */
    struct charger_settings charger; /* what charger() starts from; the texts outlive it too */
    const struct sim_argument *arguments;
    size_t argument_count;
    void (*finished)(void *ctx, int code); /* once, from the loop */
    void *ctx;
};

/* Starts from the loop. NULL and why: not readable, not Lua (with file:line). */
struct scenario *scenario_open(const char *path, const struct scenario_settings *settings,
                               struct reason *why);
void scenario_free(struct scenario *scenario); /* before the fleet; NULL is allowed */

#endif

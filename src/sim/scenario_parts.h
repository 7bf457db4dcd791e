/* What the files of scenarios share: tasks (scenario.c), chargers and waiting (scenario_charger.c),
 * HTTP and JSON (scenario_http.c). Private to sim/.
 *
 * A task is one coroutine. It is parked by a C function that says what it waits for and returns
 * lua_yield(L, 0); whoever resumes it pushes that function's results and calls task_resume. Nothing
 * resumes a task from inside a charger: events are queued and handed out by a timer. */
#ifndef SIM_SCENARIO_PARTS_H
#define SIM_SCENARIO_PARTS_H

#include <lauxlib.h>
#include <lua.h>

#include "base/json.h"
#include "base/timer.h"
#include "sim/scenario.h"

struct task {
    struct task *next;
    struct scenario *scenario;
    lua_State *thread;
    int anchor;         /* of the thread in the registry */
    struct timer timer; /* sleeping, or the timeout of a wait, or not yet begun */
    uint64_t transfer;  /* under way, 0 none */
    /* wait(): NULL while it does not */
    const struct charger *charger;
    char *what, *detail; /* detail NULL: any */
    int connector;       /* negative: any */
};

struct scenario_event {
    struct scenario_event *next;
    struct charger *charger;
    char *what, *detail; /* detail may be NULL */
    int connector;
};

struct scenario {
    struct scenario_settings settings;
    lua_State *L;
    struct task *tasks;
    struct timer soon; /* events to hand out, or the end */
    struct scenario_event *first, **end;
    int failures;
    bool finished, told;
    int code;
    int slice; /* counts of instructions since the running task was resumed */
    double speed;
};

struct task *task_of(lua_State *L); /* the running one */
/* With `results` values on its stack. The task may be gone afterwards. */
void task_resume(struct task *task, int results);
/* `60`, "10m" … at `index`, in ms of the clocks; raises. */
int64_t scenario_duration(lua_State *L, int index);
/* Pushes a library's functions into the environment at the top of the stack. */
void scenario_add_chargers(lua_State *L);
void scenario_add_http(lua_State *L);
void task_stop_waiting(struct task *task);
void scenario_on_event(void *ctx, struct charger *charger, const char *what, int connector,
                       const char *detail);
void scenario_hand_out(struct scenario *scenario); /* the queued events */
void scenario_drop_events(struct scenario *scenario);

/* JSON null becomes nil. */
void scenario_push_json(lua_State *L, const struct json *node);
/* The value at `index`: tables with [1] are arrays, others objects; raises for what has no JSON. */
void scenario_write_json(lua_State *L, int index, struct strbuf *out);

#endif

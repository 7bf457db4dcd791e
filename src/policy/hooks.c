/* The events: one row each, and the way of an event through its handlers.
 *
 * All handlers of one event run in one task, in name order of their files. An event that is
 * answered stops at the first answer, and at the first error, which is never "no opinion"
 * (POLICY §4). An event that nobody answers (start, meter, status …) goes to all handlers; one that
 * fails does not keep it from the next. Start reading: hooks_event(), then dispatch(). */
#include <string.h>

#include "base/mem.h"
#include "policy/handlers.h"
#include "policy/hook_parts.h"
#include "policy/memory.h"
#include "policy/reload.h"

static const char *const authorize_words[] = {"Accepted", "Blocked",      "Expired",
                                              "Invalid",  "ConcurrentTx", NULL};
static const char *const boot_words[] = {"Accepted", "Pending", "Rejected", NULL};

/* kind EVENT_KINDS: on.identify, which is no event of the station's. */
const struct hook_row hook_rows[] = {
    {"identify", EVENT_KINDS, "fun(path: string, headers: table<string, string>): string|false|nil",
     "Who connects? The identity (it is welcome, known or not), false to refuse, nothing to let "
     "the "
     "path and the list of charge points decide. Runs before the connection is accepted and cannot "
     "wait.",
     NULL},
    {"boot", EVENT_BOOT, "fun(cp: cp, info: table): status: string?, more: table?",
     "BootNotification: \"Accepted\", \"Pending\" or \"Rejected\", and {interval = seconds, why = "
     "text}. Default: by the charge point's registration.",
     boot_words},
    {"authorize", EVENT_AUTHORIZE,
     "fun(idTag: string, cp: cp, ask: table): status: string?, more: table?",
     "May this idTag (upper case) charge? \"Accepted\", \"Blocked\", \"Expired\", \"Invalid\" or "
     "\"ConcurrentTx\", and {parentIdTag, expiryDate, why}. ask = {purpose = \"authorize\", "
     "\"start\" "
     "or \"stop\", connector, transaction}. Default: Invalid.",
     authorize_words},
    {"start", EVENT_START, "fun(tx: tx)", "A transaction began; it is stored and answered already.",
     NULL},
    {"price", EVENT_PRICE,
     "fun(tx: tx): { currency: string, tariff?: string, why?: string, lines?: { name: string, "
     "amount: number, quantity?: number, unit?: string, unit_price?: number }[], [string]: "
     "number }?",
     "What does the transaction cost? Asked once when it has ended, before on.stop; cannot wait. "
     "{currency = \"EUR\", energy = 1.234, start = 0.35}: every other member is a line, or the "
     "lines as a list. The core rounds each line once, half away from zero, and sums. Default: no "
     "price; if it fails, tx.flags.unpriced. A price never changes: if a real stop comes after an "
     "estimate, it stays, and the transaction is flagged price_estimated.",
     NULL},
    {"stop", EVENT_STOP, "fun(tx: tx)",
     "A transaction ended: tx.stop_reason, tx.kwh, tx.price. Runs once; what a handler that does "
     "not wait has written is stored together with that. One that waits may run again after a "
     "crash or a reload.",
     NULL},
    {"meter", EVENT_METER, "fun(tx: tx, m: table)",
     "Meter values within a transaction. m = {time (s), energy (Wh), power (W), soc (%), voltage "
     "(V), current (A), temperature (°C), implausible, samples}; what was not measured is nil.",
     NULL},
    {"status", EVENT_STATUS, "fun(cp: cp, connector: integer, status: string, previous: string?)",
     "The status of a connector changed (0 = the charge point itself). Repeats raise no event.",
     NULL},
    {"remote_start_expired", EVENT_REMOTE_START_EXPIRED,
     "fun(cp: cp, pending: { connector?: integer, idTag: string, vars: table, created: integer })",
     "A remote start that the charge point accepted, but no StartTransaction came of it in time.",
     NULL},
    {"rebalance", EVENT_REBALANCE, "fun(site: site)",
     "The chargers of a site share its power anew: a transaction began or ended, a status changed, "
     "a "
     "charge point came or went, the base load changed, and once a minute. Never two at once for "
     "one "
     "site.",
     NULL},
    {"reminder", EVENT_REMINDER, "fun(tx: tx, name: string)",
     "The time of a tx:remind has come; it is told once, while the transaction is open. What was "
     "due while the server was down is told after its start, when chargers may still be offline. "
     "What a handler that does not wait has written (vars, store) is stored together with that; "
     "one that waits and is cut off, by a crash or a reload, is told again.",
     NULL},
    {"online", EVENT_ONLINE, "fun(cp: cp)", "A charge point connected.", NULL},
    {"offline", EVENT_OFFLINE, "fun(cp: cp)", "A charge point's connection is gone.", NULL},
    {NULL, EVENT_KINDS, NULL, NULL, NULL},
};

/* on.<Action>, any CamelCase name. */
static const struct hook_row action_row = {"<Action>", EVENT_ACTION,
                                           "fun(cp: cp, req: table): table?",
                                           "A raw OCPP action, payload as on the wire.", NULL};

const struct hook_row *hook_row_of(enum event_kind kind)
{
    for (const struct hook_row *row = hook_rows; row->name; row++) {
        if (row->kind == kind)
            return row;
    }
    return &action_row;
}

static const struct handler_list *handlers_for(const struct generation *generation,
                                               enum event_kind kind, const char *action)
{
    if (kind != EVENT_ACTION)
        return &generation->events[kind];
    return action ? map_gets(&generation->actions, action) : NULL;
}

bool hooks_listens(const struct generation *generation, enum event_kind kind, const char *action)
{
    const struct handler_list *list = handlers_for(generation, kind, action);
    return list && list->count > 0;
}

static const char *event_name(const struct asking *asking)
{
    return asking->kind == EVENT_ACTION ? asking->action : asking->row->name;
}

/* ---- the dispatcher, a C function in the task's coroutine ---- */

/* Stack: 1 asking, 2 … nargs + 1 arguments; what the handler returned lies above. True: it is the
 * answer. */
static bool take_results(lua_State *L, struct asking *asking)
{
    int base = asking->nargs + 1;
    return hook_judge(L, asking, base + 1, lua_gettop(L) - base);
}

static int resumed(lua_State *L, int status, lua_KContext ctx);

static int run_handlers(lua_State *L, struct asking *asking)
{
    for (; asking->at < asking->list->count; asking->at++) {
        lua_settop(L, asking->nargs + 1);
        lua_rawgeti(L, LUA_REGISTRYINDEX, asking->list->items[asking->at].ref);
        for (int i = 0; i < asking->nargs; i++)
            lua_pushvalue(L, 2 + i);
        if (asking->kind == EVENT_PRICE) /* cannot wait */
            lua_call(L, asking->nargs, LUA_MULTRET);
        else
            lua_callk(L, asking->nargs, LUA_MULTRET, 0, resumed);
        if (take_results(L, asking))
            break;
    }
    return 0;
}

/* The handler waited, and is through now. */
static int resumed(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    struct asking *asking = lua_touserdata(L, 1);
    if (take_results(L, asking))
        return 0;
    asking->at++;
    return run_handlers(L, asking);
}

static int dispatch(lua_State *L)
{
    return run_handlers(L, lua_touserdata(L, 1));
}

/* ---- start and end ---- */

void hook_stats_count(struct hook_stats *stats, bool failed, int64_t run_us, uint32_t waits)
{
    stats->calls++;
    stats->errors += failed;
    stats->waits += waits;
    size_t slot = 0;
    while (slot + 1 < ARRAY_LEN(stats->run_us) && run_us >> (slot + 1) > 0)
        slot++;
    stats->run_us[slot]++;
    stats->run_us_sum += (uint64_t)(run_us > 0 ? run_us : 0);
}

static void conclude(struct asking *asking)
{
    struct generation *generation = asking->generation;
    struct verdict *verdict = &asking->verdict;
    verdict->generation = generation->number;
    if (asking->failed)
        verdict->kind = VERDICT_FAILED;
    luaL_unref(generation->L, LUA_REGISTRYINDEX, asking->kept);
    hook_stats_count(&generation->stats[asking->kind], asking->failed, asking->run_us,
                     asking->waits);
    asking->done(asking->ctx, verdict);
    arena_clear(&asking->arena);
    xfree(asking);
}

/* Not a deadline and not a drain: the program ends, and nobody else will be asked. */
static bool is_stopping(const struct asking *asking)
{
    const struct policy *policy = asking->generation->policy;
    return policy && policy->closing;
}

/* What a failed handler had put into the verdict is void. */
static void note_failure(struct asking *asking, const struct task_end *end)
{
    if (asking->failed)
        return;
    asking->failed = true;
    asking->verdict = (struct verdict){.why = arena_strdup(&asking->arena, end->error),
                                       .file = arena_strdup(&asking->arena, end->file),
                                       .line = end->line,
                                       .stopping = end->cancelled && is_stopping(asking)};
}

static void start_rest(struct asking *asking);

static void finished(void *ctx, lua_State *L, int nresults, const struct task_end *end)
{
    (void)L;
    (void)nresults;
    struct asking *asking = ctx;
    asking->run_us += end->run_us;
    asking->waits += end->waits;
    if (!end->ok)
        note_failure(asking, end);
    asking->verdict.again = end->refused || (end->cancelled && asking->generation->closing);
    bool goes_on = !end->ok && asking->kept != LUA_NOREF && !asking->generation->closing;
    if (goes_on && ++asking->at < asking->list->count)
        start_rest(asking);
    else
        conclude(asking);
}

/* The function and its arguments are on top of the main state. */
static void start(struct asking *asking)
{
    struct generation *generation = asking->generation;
    const struct policy_settings *settings = generation->settings;
    struct task_start start = {.label = event_name(asking),
                               .cp = asking->cp[0] ? asking->cp : NULL,
                               .deadline_ms = asking->kind == EVENT_AUTHORIZE
                                                  ? settings->authorize_timeout_ms
                                                  : settings->handler_timeout_ms,
                               .example = asking->example,
                               .effects = asking->effects};
    task_run(generation, &start, asking->nargs + 1, finished, asking);
}

/* Nobody answers this event, so a handler that fails must not keep it from the others. */
static void keep_arguments(lua_State *L, struct asking *asking)
{
    lua_createtable(L, asking->nargs, 0);
    for (int i = 1; i <= asking->nargs; i++) {
        lua_pushvalue(L, -1 - asking->nargs + i - 1);
        lua_rawseti(L, -2, i);
    }
    asking->kept = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void start_rest(struct asking *asking)
{
    lua_State *L = asking->generation->L;
    bool capped = memory_cap(asking->generation, false);
    lua_checkstack(L, LUA_MINSTACK);
    lua_pushcfunction(L, dispatch);
    lua_pushlightuserdata(L, asking);
    lua_rawgeti(L, LUA_REGISTRYINDEX, asking->kept);
    for (int i = 1; i <= asking->nargs; i++)
        lua_rawgeti(L, -i, i);
    lua_remove(L, -1 - asking->nargs);
    memory_cap(asking->generation, capped);
    start(asking);
}

static struct asking *asking_new(struct generation *generation, const struct event *event,
                                 const struct handler_list *list, event_done done, void *ctx)
{
    struct asking *asking = xmalloc(sizeof(*asking));
    memset(asking, 0, offsetof(struct asking, action)); /* the texts are all written */
    asking->generation = generation;
    asking->kind = event->kind;
    asking->row = hook_row_of(event->kind);
    asking->list = list;
    asking->observe = event->observe;
    asking->kept = LUA_NOREF;
    asking->done = done;
    asking->ctx = ctx;
    text_copy(asking->action, sizeof(asking->action), span_of(event->action ? event->action : ""));
    text_copy(asking->cp, sizeof(asking->cp), span_of(event->cp ? event->cp : ""));
    hook_example(event, asking->example, sizeof(asking->example));
    return asking;
}

void hooks_event(struct generation *generation, const struct event *event, event_done done,
                 void *ctx)
{
    hooks_event_noted(generation, event, NULL, done, ctx);
}

void hooks_event_noted(struct generation *generation, const struct event *event,
                       struct effects *effects, event_done done, void *ctx)
{
    const struct handler_list *list = handlers_for(generation, event->kind, event->action);
    if (!list || list->count == 0) {
        done(ctx, &(struct verdict){.kind = VERDICT_NONE, .generation = generation->number});
        return;
    }
    struct asking *asking = asking_new(generation, event, list, done, ctx);
    asking->effects = effects;
    lua_State *L = generation->L;
    bool capped = memory_cap(generation, false);
    lua_checkstack(L, LUA_MINSTACK);
    lua_pushcfunction(L, dispatch);
    lua_pushlightuserdata(L, asking);
    asking->nargs = hook_push_args(L, event);
    if (!hook_wants_answer(asking) && list->count > 1)
        keep_arguments(L, asking);
    memory_cap(generation, capped);
    start(asking);
}

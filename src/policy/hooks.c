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
    {"stop", EVENT_STOP, "fun(tx: tx)", "A transaction ended: tx.stop_reason, tx.kwh.", NULL},
    {"meter", EVENT_METER, "fun(tx: tx, m: table)",
     "Meter values within a transaction. m = {time (s), energy (Wh), power (W), soc (%), voltage "
     "(V), current (A), temperature (°C), implausible, samples}; what was not measured is nil.",
     NULL},
    {"status", EVENT_STATUS, "fun(cp: cp, connector: integer, status: string, previous: string?)",
     "The status of a connector changed (0 = the charge point itself). Repeats raise no event.",
     NULL},
    {"online", EVENT_ONLINE, "fun(cp: cp)", "A charge point connected.", NULL},
    {"offline", EVENT_OFFLINE, "fun(cp: cp)", "A charge point's connection is gone.", NULL},
    {NULL, EVENT_KINDS, NULL, NULL, NULL},
};

/* on.<Action>, any CamelCase name. */
static const struct hook_row action_row = {"<Action>", EVENT_ACTION,
                                           "fun(cp: cp, req: table): table?",
                                           "A raw OCPP action, payload as on the wire.", NULL};

static const struct hook_row *row_of(enum event_kind kind)
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

/* ---- the dispatcher, a C function in the task's coroutine ---- */

/* Stack: 1 asking, 2 … nargs + 1 arguments, and if it protects, the message handler. */
static int base_of(const struct asking *asking)
{
    return asking->nargs + 1 + asking->protects;
}

static const char *event_name(const struct asking *asking)
{
    return asking->kind == EVENT_ACTION ? asking->action : asking->row->name;
}

/* Message handler: the frames are still there. */
static int keep_failure(lua_State *L)
{
    struct asking *asking = lua_touserdata(L, lua_upvalueindex(1));
    struct policy_error *what = &asking->what;
    *what = (struct policy_error){0};
    error_place(L, what);
    lua_settop(L, 1);
    error_text(asking->generation, L, what);
    struct error_event event = {event_name(asking), asking->cp, asking->example};
    errors_record(asking->generation, what, &event, L);
    lua_pushboolean(L, true);
    return 1;
}

/* Lua calls no message handler when there is no memory, or for an error in one: then the error
 * value is a text, and the handler's definition is all that is known of the place. */
static void keep_place(lua_State *L, struct asking *asking)
{
    const struct handler *handler = &asking->list->items[asking->at];
    asking->what = (struct policy_error){.line = handler->line};
    text_copy(asking->what.file, sizeof(asking->what.file),
              span_of(generation_file_name(asking->generation, handler->file)));
    error_text(asking->generation, L, &asking->what);
    struct error_event event = {event_name(asking), asking->cp, asking->example};
    errors_record(asking->generation, &asking->what, &event, NULL);
}

/* A handler of a notification failed; the error value is on top. The verdict tells of the first. */
static void note_failure(lua_State *L, struct asking *asking)
{
    if (!lua_isboolean(L, -1))
        keep_place(L, asking);
    if (!asking->failed) {
        asking->failed = true;
        asking->verdict.file = arena_strdup(&asking->arena, asking->what.file);
        asking->verdict.line = asking->what.line;
        asking->verdict.why = arena_strdup(&asking->arena, asking->what.message);
    }
    budget_renew(asking->generation); /* the next handler has its own */
}

static int judge(lua_State *L)
{
    struct asking *asking = lua_touserdata(L, lua_upvalueindex(1));
    hook_judge(L, asking, 1, lua_gettop(L));
    return 0;
}

/* What the handler returned is on the stack from base + 1. True: the event is answered. */
static bool take_results(lua_State *L, struct asking *asking)
{
    int base = base_of(asking), count = lua_gettop(L) - base;
    if (!asking->protects)
        return hook_judge(L, asking, base + 1, count);
    if (count == 0)
        return false;
    lua_pushlightuserdata(L, asking);
    lua_pushcclosure(L, judge, 1);
    lua_insert(L, base + 1);
    if (lua_pcall(L, count, 0, 0) != LUA_OK)
        note_failure(L, asking);
    return false;
}

static int resumed(lua_State *L, int status, lua_KContext ctx);

static int run_handlers(lua_State *L, struct asking *asking)
{
    int base = base_of(asking);
    for (; asking->at < asking->list->count; asking->at++) {
        lua_settop(L, base);
        lua_rawgeti(L, LUA_REGISTRYINDEX, asking->list->items[asking->at].ref);
        for (int i = 0; i < asking->nargs; i++)
            lua_pushvalue(L, 2 + i);
        int status = LUA_OK;
        if (asking->protects)
            status = lua_pcallk(L, asking->nargs, LUA_MULTRET, base, 0, resumed);
        else
            lua_callk(L, asking->nargs, LUA_MULTRET, 0, resumed);
        if (status != LUA_OK)
            note_failure(L, asking);
        else if (take_results(L, asking))
            return 0;
    }
    return 0;
}

/* The handler waited, and is through now. */
static int resumed(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    struct asking *asking = lua_touserdata(L, 1);
    if (status != LUA_OK && status != LUA_YIELD)
        note_failure(L, asking);
    else if (take_results(L, asking))
        return 0;
    asking->at++;
    return run_handlers(L, asking);
}

static int dispatch(lua_State *L)
{
    struct asking *asking = lua_touserdata(L, 1);
    asking->protects = !hook_wants_answer(asking) && asking->list->count > 1;
    if (asking->protects) {
        lua_pushlightuserdata(L, asking);
        lua_pushcclosure(L, keep_failure, 1);
    }
    return run_handlers(L, asking);
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
}

static void finished(void *ctx, lua_State *L, int nresults, const struct task_end *end)
{
    (void)L;
    (void)nresults;
    struct asking *asking = ctx;
    struct verdict *verdict = &asking->verdict;
    verdict->generation = asking->generation->number;
    bool failed = !end->ok || asking->failed;
    if (!end->ok) {
        *verdict = (struct verdict){.why = end->error,
                                    .file = end->file,
                                    .line = end->line,
                                    .generation = verdict->generation};
    }
    if (failed)
        verdict->kind = VERDICT_FAILED;
    hook_stats_count(&asking->generation->stats[asking->kind], failed, end->run_us, end->waits);
    asking->done(asking->ctx, verdict);
    arena_clear(&asking->arena);
    xfree(asking);
}

static struct asking *asking_new(struct generation *generation, const struct event *event,
                                 const struct handler_list *list, event_done done, void *ctx)
{
    struct asking *asking = xmalloc(sizeof(*asking));
    memset(asking, 0, offsetof(struct asking, action)); /* the texts are all written */
    asking->generation = generation;
    asking->kind = event->kind;
    asking->row = row_of(event->kind);
    asking->list = list;
    asking->observe = event->observe;
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
    const struct handler_list *list = handlers_for(generation, event->kind, event->action);
    if (!list || list->count == 0) {
        done(ctx, &(struct verdict){.kind = VERDICT_NONE, .generation = generation->number});
        return;
    }
    struct asking *asking = asking_new(generation, event, list, done, ctx);
    lua_State *L = generation->L;
    bool capped = memory_cap(generation, false);
    lua_checkstack(L, LUA_MINSTACK);
    lua_pushcfunction(L, dispatch);
    lua_pushlightuserdata(L, asking);
    asking->nargs = hook_push_args(L, event);
    memory_cap(generation, capped);
    const struct policy_settings *settings = generation->settings;
    struct task_start start = {.label = event_name(asking),
                               .cp = event->cp,
                               .deadline_ms = event->kind == EVENT_AUTHORIZE
                                                  ? settings->authorize_timeout_ms
                                                  : settings->handler_timeout_ms,
                               .example = asking->example};
    task_run(generation, &start, asking->nargs + 1, finished, asking);
}

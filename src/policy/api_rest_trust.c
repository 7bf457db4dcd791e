/* `core`: trying policies before they are live: eval, shadow, canary. */
#include <string.h>

#include "base/mem.h"
#include "policy/api_rest.h"
#include "policy/canary.h"
#include "policy/eval.h"
#include "policy/shadow.h"
#include "policy/status.h"

/* ---- reports ---- */

static int build_true(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushboolean(L, 1);
    return 1;
}

static int push_true(lua_State *L, void *arg)
{
    return api_push_protected(L, build_true, arg);
}

/* ---- eval ---- */

static int build_eval(lua_State *L)
{
    api_push_json(L, lua_touserdata(L, 1));
    return 1;
}

static int push_eval(lua_State *L, void *arg)
{
    return api_push_protected(L, build_eval, arg);
}

static int build_eval_refused(lua_State *L)
{
    const struct policy_report *report = lua_touserdata(L, 1);
    struct arena arena = {0};
    lua_pushnil(L);
    api_push_error(L, "refused", "the policies have problems");
    rest_push_tree(L, &arena, status_report(report, &arena));
    lua_setfield(L, -2, "details");
    return 2;
}

static int push_eval_refused(lua_State *L, void *arg)
{
    return api_push_protected(L, build_eval_refused, arg);
}

static void on_eval(void *ctx, const struct json *result, const struct policy_report *refused)
{
    struct task_ref ref = *(struct task_ref *)ctx;
    xfree(ctx);
    if (result)
        task_wake(ref, push_eval, (void *)result);
    else
        task_wake(ref, push_eval_refused, (void *)refused);
}

static int build_eval_invalid(lua_State *L)
{
    const struct eval_problem *problem = lua_touserdata(L, 1);
    lua_pushnil(L);
    api_push_error(L, "invalid", problem->text.text);
    lua_createtable(L, 0, 2);
    api_set_string(L, "pointer", problem->pointer);
    api_set_string(L, "message", problem->text.text);
    lua_setfield(L, -2, "details");
    return 2;
}

/* The results of `build`, then the arena is freed, whatever happens. */
static int finish(lua_State *L, struct arena *arena, lua_CFunction build, void *arg)
{
    int base = lua_gettop(L);
    lua_pushcfunction(L, build);
    lua_pushlightuserdata(L, arg);
    int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    arena_clear(arena);
    return status == LUA_OK ? lua_gettop(L) - base : lua_error(L);
}

static void *ref_kept(struct task_ref ref)
{
    struct task_ref *kept = xmalloc(sizeof(*kept));
    *kept = ref;
    return kept;
}

int rest_eval(lua_State *L)
{
    struct policy *policy = rest_policy_of(L, "core.eval");
    struct station *st = api_station(L, "core.eval");
    struct task_ref ref = task_wait_begin(L, "core.eval", NULL, NULL);
    task_wait_hold(ref); /* its build may stand behind others */
    struct arena arena = {0};
    struct reason why;
    struct eval_request request;
    struct eval_problem problem = {.pointer = ""};
    const struct json *body = api_read_json(L, 1, &arena, &why);
    if (!body)
        problem.text = why;
    if (!body || !eval_parse(st, body, &arena, &request, &problem))
        return finish(L, &arena, build_eval_invalid, &problem);
    eval_run(policy, &request, &arena, on_eval, ref_kept(ref));
    return task_wait(L, ref);
}

/* ---- candidates that stay ---- */

struct starting { /* a build for shadow or canary */
    struct policy *policy;
    struct task_ref ref;
    struct canary_order *order; /* NULL: shadow */
    char *dir;
};

static void on_candidate(void *ctx, struct generation *built, const struct policy_report *report)
{
    struct starting *starting = ctx;
    if (built && starting->order)
        canary_start(starting->policy, built, starting->order);
    else if (built)
        shadow_start(starting->policy, built, starting->dir);
    else
        canary_order_free(starting->order);
    struct task_ref ref = starting->ref;
    xfree(starting->dir);
    xfree(starting);
    task_wake(ref, rest_push_report, (void *)report);
}

/* Takes `order` (or NULL) over. */
static int build_candidate(lua_State *L, struct policy *policy, struct task_ref ref,
                           const char *dir, struct canary_order *order)
{
    struct starting *starting = xcalloc(1, sizeof(*starting));
    *starting = (struct starting){policy, ref, order, xstrdup(dir)};
    const struct candidate_order build = {
        .dir = dir, .dry = order == NULL, .take = on_candidate, .ctx = starting};
    jobs_candidate(policy, &build);
    return task_wait(L, ref);
}

int rest_shadow(lua_State *L)
{
    struct arena arena = {0};
    return rest_push_tree(L, &arena, shadow_json(rest_policy_of(L, "core.shadow"), &arena));
}

int rest_shadow_start(lua_State *L)
{
    struct policy *policy = rest_policy_of(L, "core.shadow_start");
    const char *dir = api_arg_string(L, "core.shadow_start", 1, "dir");
    struct task_ref ref = task_wait_begin(L, "core.shadow_start", NULL, NULL);
    task_wait_hold(ref); /* its build may stand behind others */
    return build_candidate(L, policy, ref, dir, NULL);
}

int rest_shadow_stop(lua_State *L)
{
    lua_pushboolean(L, shadow_stop(rest_policy_of(L, "core.shadow_stop")));
    return 1;
}

int rest_canary(lua_State *L)
{
    struct arena arena = {0};
    return rest_push_tree(L, &arena, canary_json(rest_policy_of(L, "core.canary"), &arena));
}

/* The names lie in the table; nothing in here raises. */
static void read_names(lua_State *L, int index, struct map *names)
{
    static char chosen;
    lua_Integer count = (lua_Integer)lua_rawlen(L, index);
    for (lua_Integer i = 1; i <= count; i++) {
        if (lua_rawgeti(L, index, i) == LUA_TSTRING)
            map_put(names, span_of(lua_tostring(L, -1)), &chosen);
        lua_pop(L, 1);
    }
}

int rest_canary_start(lua_State *L)
{
    static const char what[] = "core.canary_start";
    static const char *const members[] = {"dir",       "chargepoints", "percent",
                                          "errorsMin", "errorPercent", NULL};
    struct policy *policy = rest_policy_of(L, what);
    api_arg_table(L, what, 1, "what");
    api_check_members(L, what, 1, members);
    const char *dir = api_opt_string(L, what, 1, "dir");
    int64_t percent = api_opt_integer(L, what, 1, "percent", 0);
    int64_t errors_min = api_opt_integer(L, what, 1, "errorsMin", 5);
    int64_t error_percent = api_opt_integer(L, what, 1, "errorPercent", 5);
    if (!dir)
        return api_raise(L, "%s: dir is needed", what);
    bool named = lua_getfield(L, 1, "chargepoints") == LUA_TTABLE;
    int names = lua_gettop(L);
    struct task_ref ref = task_wait_begin(L, what, NULL, NULL);
    task_wait_hold(ref); /* its build may stand behind others */
    struct canary_order *order = canary_order_new();
    if (named)
        read_names(L, names, &order->chargepoints);
    order->dir = xstrdup(dir);
    order->percent = percent;
    order->errors_min = errors_min;
    order->error_percent = error_percent;
    return build_candidate(L, policy, ref, dir, order);
}

static void on_ended(void *ctx)
{
    struct task_ref ref = *(struct task_ref *)ctx;
    xfree(ctx);
    task_wake(ref, push_true, NULL);
}

static int end_canary(lua_State *L, const char *what, enum canary_act act)
{
    struct policy *policy = rest_policy_of(L, what);
    struct task_ref ref = task_wait_begin(L, what, NULL, NULL);
    task_wait_hold(ref); /* its build may stand behind others */
    void *ctx = ref_kept(ref);
    if (canary_end(policy, act, on_ended, ctx))
        return task_wait(L, ref);
    xfree(ctx);
    lua_pushboolean(L, 0);
    return 1;
}

int rest_canary_promote(lua_State *L)
{
    return end_canary(L, "core.canary_promote", CANARY_PROMOTE);
}

int rest_canary_stop(lua_State *L)
{
    return end_canary(L, "core.canary_stop", CANARY_STOP);
}

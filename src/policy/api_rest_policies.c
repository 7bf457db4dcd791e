/* `core`: the policies as the routes show and command them. */
#include "base/mem.h"
#include "policy/api_rest.h"
#include "policy/status.h"

struct policy *rest_policy_of(lua_State *L, const char *what)
{
    struct policy *policy = generation_of(L)->policy;
    if (!policy)
        api_raise(L, "%s needs a server and cannot be used here", what);
    return policy;
}

static int push_tree(lua_State *L)
{
    api_push_json(L, lua_touserdata(L, 1));
    return 1;
}

int rest_push_tree(lua_State *L, struct arena *arena, const struct json *tree)
{
    lua_pushcfunction(L, push_tree);
    lua_pushlightuserdata(L, (void *)tree);
    int status = lua_pcall(L, 1, 1, 0);
    arena_clear(arena);
    return status == LUA_OK ? 1 : lua_error(L);
}

int rest_policies(lua_State *L)
{
    struct arena arena = {0};
    const struct policy *policy = rest_policy_of(L, "core.policies");
    struct json *tree = status_policies(policy, &arena);
    struct strbuf timers = {0};
    struct json_out out = {.to = &timers};
    everys_write(generation_of(L), &out);
    char *text = arena_strndup(&arena, strbuf_text(&timers), timers.len);
    json_add(&arena, tree, "timers", json_parse(&arena, text, timers.len, NULL, NULL));
    strbuf_clear(&timers);
    return rest_push_tree(L, &arena, tree);
}

int rest_policy_errors(lua_State *L)
{
    struct arena arena = {0};
    const struct policy *policy = rest_policy_of(L, "core.policy_errors");
    return rest_push_tree(L, &arena, status_errors(policy, &arena));
}

/* ---- commands ---- */

static int build_report(lua_State *L)
{
    struct arena arena = {0};
    const struct policy_report *report = lua_touserdata(L, 1);
    return rest_push_tree(L, &arena, status_report(report, &arena));
}

int rest_push_report(lua_State *L, void *arg)
{
    return api_push_protected(L, build_report, arg);
}

struct build_wait {
    struct task_ref ref;
    int64_t rest_ms; /* for the handler, afterwards */
};

static void on_built(void *ctx, const struct policy_report *report)
{
    struct build_wait wait = *(struct build_wait *)ctx;
    xfree(ctx);
    task_wake_extended(wait.ref, wait.rest_ms, rest_push_report, (void *)report);
}

/* Until its own build is through, however many are before it, and whatever they replace meanwhile.
 */
static struct task_ref wait_begin(lua_State *L, const char *what, struct build_wait **wait)
{
    struct task_ref ref = task_wait_begin(L, what, NULL, NULL);
    task_wait_hold(ref);
    *wait = xmalloc(sizeof(**wait));
    **wait = (struct build_wait){ref, generation_of(L)->settings->handler_timeout_ms};
    return ref;
}

int rest_reload(lua_State *L)
{
    struct policy *policy = rest_policy_of(L, "core.reload");
    struct build_wait *wait;
    struct task_ref ref = wait_begin(L, "core.reload", &wait);
    policy_reload(policy, on_built, wait);
    return task_wait(L, ref);
}

int rest_check(lua_State *L)
{
    struct policy *policy = rest_policy_of(L, "core.check");
    struct build_wait *wait;
    struct task_ref ref = wait_begin(L, "core.check", &wait);
    policy_check(policy, NULL, on_built, wait);
    return task_wait(L, ref);
}

int rest_rollback(lua_State *L)
{
    struct policy *policy = rest_policy_of(L, "core.rollback");
    struct build_wait *wait;
    struct task_ref ref = wait_begin(L, "core.rollback", &wait);
    policy_rollback(policy, on_built, wait);
    return task_wait(L, ref);
}

/* `core`: webhooks as the routes show and command them. */
#include <string.h>

#include "base/mem.h"
#include "policy/api_rest.h"
#include "policy/webhooks.h"

static void set_time(lua_State *L, const char *name, wall_t ms)
{
    api_set_integer(L, name, ms ? ms : ABSENT);
}

/* Without its query, which may hold a key. */
static void set_url(lua_State *L, const char *url)
{
    lua_pushlstring(L, url, strcspn(url, "?"));
    lua_setfield(L, -2, "url");
}

static void push_webhook(lua_State *L, const struct webhook *webhook,
                         const struct webhook_state *state)
{
    lua_createtable(L, 0, 16);
    api_set_string(L, "name", state->name);
    if (webhook)
        set_url(L, webhook->url);
    api_set_bool(L, "declared", webhook != NULL);
    api_set_bool(L, "signed", webhook && webhook->secret);
    api_set_bool(L, "sending", state->sending);
    api_set_integer(L, "queued", (int64_t)state->queued);
    api_set_integer(L, "delivered", (int64_t)state->delivered);
    api_set_integer(L, "failedAttempts", (int64_t)state->failed);
    api_set_integer(L, "dropped", (int64_t)state->dropped);
    set_time(L, "oldestMs", state->oldest_ms);
    set_time(L, "deliveredMs", state->delivered_ms);
    set_time(L, "retryMs", state->retry_ms);
    if (state->error && state->error[0]) {
        api_set_string(L, "lastError", state->error);
        set_time(L, "errorMs", state->error_ms);
    }
}

static bool is_used(const struct policy *policy, const char *name)
{
    struct webhook_state state;
    size_t at = 0;
    while (webhooks_next(policy, &at, &state)) {
        if (text_is(state.name, name))
            return true;
    }
    return false;
}

/* Those that were used, then those that are only declared. */
int rest_webhooks(lua_State *L)
{
    const struct policy *policy = rest_policy_of(L, "core.webhooks");
    const struct webhook_list *list = policy->current ? policy->current->webhooks : NULL;
    struct webhook_state state;
    lua_Integer count = 0;
    size_t at = 0;
    lua_newtable(L);
    while (webhooks_next(policy, &at, &state)) {
        push_webhook(L, webhook_find(policy->current, state.name), &state);
        lua_rawseti(L, -2, ++count);
    }
    for (size_t i = 0; list && i < list->count; i++) {
        const struct webhook *webhook = &list->items[i];
        if (is_used(policy, webhook->name))
            continue;
        push_webhook(L, webhook, &(struct webhook_state){.name = webhook->name});
        lua_rawseti(L, -2, ++count);
    }
    api_mark_array(L, -1);
    return 1;
}

int rest_webhook_retry(lua_State *L)
{
    struct policy *policy = rest_policy_of(L, "core.webhook_retry");
    const char *name = api_arg_string(L, "core.webhook_retry", 1, "name");
    lua_pushboolean(L, webhook_retry(policy, name) || webhook_find(policy->current, name));
    return 1;
}

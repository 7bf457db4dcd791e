/* HTTP in policy tests: requests wait here until lua/testkit.lua answers them (t.http), and what
 * webhooks sent is kept for t.webhooks. Nothing leaves the process. */
#include <string.h>

#include "base/mem.h"
#include "policy/testkit.h"

struct testkit_http { /* asked and not answered yet */
    struct testkit_http *next;
    uint64_t number;
    struct arena arena;
    const char *method, *url, *body;
    size_t body_len, header_count;
    struct name_value headers[16];
    policy_http_done done;
    void *ctx;
};

static const char webhooks_key; /* registry: list of { webhook, id, event, payload } */

/* ---- what outside.c asks ---- */

static void keep_header(struct testkit_http *http, const char *line)
{
    struct span value = span_of(line), name;
    if (http->header_count == ARRAY_LEN(http->headers))
        return;
    span_cut(&value, ':', &name);
    value = span_trim(value);
    http->headers[http->header_count++] =
        (struct name_value){arena_strndup(&http->arena, name.at, name.len),
                            arena_strndup(&http->arena, value.at ? value.at : "", value.len)};
}

uint64_t testkit_http_start(struct testkit *kit, const struct policy_http *what,
                            policy_http_done done, void *ctx)
{
    struct testkit_http *http = xcalloc(1, sizeof(*http)), **last = &kit->http;
    while (*last)
        last = &(*last)->next;
    *last = http;
    http->number = ++kit->http_numbers;
    http->method = arena_strdup(&http->arena, what->method);
    http->url = arena_strdup(&http->arena, what->url);
    http->body = arena_strndup(&http->arena, what->body.at ? what->body.at : "", what->body.len);
    http->body_len = what->body.len;
    for (size_t i = 0; what->headers && what->headers[i]; i++)
        keep_header(http, what->headers[i]);
    http->done = done;
    http->ctx = ctx;
    return http->number;
}

/* Out of the list; the caller's. NULL: it was cancelled. */
static struct testkit_http *take(struct testkit *kit, uint64_t number)
{
    struct testkit_http **at = &kit->http;
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    struct testkit_http *http = *at;
    if (http)
        *at = http->next;
    return http;
}

static void http_free(struct testkit_http *http)
{
    if (!http)
        return;
    arena_clear(&http->arena);
    xfree(http);
}

void testkit_http_cancel(struct testkit *kit, uint64_t number)
{
    http_free(take(kit, number));
}

static void tell(struct testkit *kit, uint64_t number, const struct policy_http_answer *answer)
{
    struct testkit_http *http = take(kit, number);
    if (http)
        http->done(http->ctx, answer);
    http_free(http);
}

void testkit_http_end(struct testkit *kit)
{
    const struct policy_http_answer over = {.failure = "unreachable", .error = "the test is over"};
    while (kit->http)
        tell(kit, kit->http->number, &over);
    lua_State *L = kit->generation->L;
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &webhooks_key);
}

/* ---- for lua/testkit.lua ---- */

/* next_http() → number, { method, url, body, headers }; nothing when nobody asks. */
int testkit_next_http(lua_State *L)
{
    const struct testkit_http *http = testkit_of(L)->http;
    if (!http)
        return 0;
    lua_pushinteger(L, (lua_Integer)http->number);
    lua_createtable(L, 0, 4);
    api_set_string(L, "method", http->method);
    api_set_string(L, "url", http->url);
    lua_pushlstring(L, http->body, http->body_len);
    lua_setfield(L, -2, "body");
    lua_createtable(L, 0, (int)http->header_count);
    for (size_t i = 0; i < http->header_count; i++)
        api_set_string(L, http->headers[i].name, http->headers[i].value);
    lua_setfield(L, -2, "headers");
    return 2;
}

/* http_answer(number, status, body, headers) */
int testkit_http_answer(lua_State *L)
{
    struct testkit *kit = testkit_of(L);
    struct name_value headers[16];
    struct policy_http_answer answer = {.headers = headers};
    uint64_t number = (uint64_t)api_arg_integer(L, "t.http", 1, "number");
    answer.status = (int)api_arg_integer(L, "t.http", 2, "status");
    api_arg_string(L, "t.http", 3, "body");
    answer.body.at = lua_tolstring(L, 3, &answer.body.len);
    api_arg_table(L, "t.http", 4, "headers");
    luaL_checkstack(L, (int)ARRAY_LEN(headers) + 4, "t.http");
    lua_pushnil(L);
    while (answer.header_count < ARRAY_LEN(headers) && lua_next(L, 4)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            return api_raise(L, "t.http: headers must be texts by name");
        headers[answer.header_count].name = lua_tostring(L, -2);
        headers[answer.header_count++].value = lua_tostring(L, -1);
        lua_pushvalue(L, -2); /* the value stays where it is, so that its text lives */
    }
    tell(kit, number, &answer);
    return 0;
}

/* http_fail(number, code, message) */
int testkit_http_fail(lua_State *L)
{
    struct testkit *kit = testkit_of(L);
    uint64_t number = (uint64_t)api_arg_integer(L, "t.http", 1, "number");
    const struct policy_http_answer answer = {.failure = api_arg_string(L, "t.http", 2, "code"),
                                              .error = api_arg_string(L, "t.http", 3, "message")};
    tell(kit, number, &answer);
    return 0;
}

/* ---- webhooks ---- */

static void push_webhooks(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &webhooks_key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &webhooks_key);
}

void testkit_webhook(lua_State *L, const char *webhook, const char *id, const char *event,
                     const char *payload)
{
    struct reason why;
    push_webhooks(L);
    lua_createtable(L, 0, 4);
    api_set_string(L, "webhook", webhook);
    api_set_string(L, "id", id);
    api_set_string(L, "event", event);
    if (api_push_json_text(L, span_of(payload), &why) == 0)
        lua_setfield(L, -2, "payload");
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
}

/* webhooks() → what was sent in this test, oldest first. */
int testkit_webhooks(lua_State *L)
{
    testkit_of(L);
    push_webhooks(L);
    return 1;
}

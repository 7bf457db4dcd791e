/* The functions under lua/testkit.lua: chargers, frames, time. One argument check each; the
 * comfortable words that tests use (t.authorize, t.meter …) are in Lua. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "ocpp/frame.h"
#include "policy/testkit.h"

struct testkit *testkit_of(lua_State *L)
{
    struct testkit *kit = generation_of(L)->testkit;
    if (!kit)
        api_raise(L, "t can only be used while its test runs");
    return kit;
}

static int kit_connect(lua_State *L)
{
    testkit_connect(testkit_of(L), api_arg_string(L, "t.connect", 1, "cp"));
    return 0;
}

static int kit_disconnect(lua_State *L)
{
    testkit_disconnect(testkit_of(L), api_arg_string(L, "t.disconnect", 1, "cp"));
    return 0;
}

static int kit_online(lua_State *L)
{
    lua_pushboolean(L, testkit_connection(testkit_of(L), api_arg_string(L, "t", 1, "cp")) != 0);
    return 1;
}

/* send(cp, action, payload) → id: the charger sends a CALL. */
static int kit_send(lua_State *L)
{
    struct testkit *kit = testkit_of(L);
    const char *cp = api_arg_string(L, "t.call", 1, "cp");
    const char *action = api_arg_string(L, "t.call", 2, "action");
    const char *payload = api_push_as_text(L, 3, "t.call");
    char id[UUID_SIZE];
    struct strbuf text = {0};
    uuid_new(id);
    frame_write_call(&text, id, action, span_of(payload));
    testkit_receive(kit, cp, strbuf_text(&text), text.len);
    strbuf_clear(&text);
    lua_pushstring(L, id);
    return 1;
}

struct reading {
    struct arena arena;
    struct frame frame;
};

static int push_result(lua_State *L)
{
    const struct reading *reading = lua_touserdata(L, 1);
    if (reading->frame.kind == FRAME_RESULT) {
        api_push_json(L, reading->frame.payload);
        return 1;
    }
    lua_pushnil(L);
    api_push_error(L, reading->frame.error_code, reading->frame.description);
    return 2;
}

/* result(id) → payload | nil, err | nothing: what came back for it so far. */
static int kit_result(lua_State *L)
{
    char *text = testkit_take_result(testkit_of(L), api_arg_string(L, "t.call", 1, "id"));
    struct reading reading = {0};
    if (!text)
        return 0;
    frame_parse(&reading.frame, &reading.arena, &version_16, text, strlen(text));
    lua_pushcfunction(L, push_result);
    lua_pushlightuserdata(L, &reading);
    int top = lua_gettop(L) - 2;
    int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    arena_clear(&reading.arena);
    xfree(text);
    return status == LUA_OK ? lua_gettop(L) - top : lua_error(L);
}

/* next_call() → cp, id, action, payload: lets everything happen that can, until a charger has to
 * answer; nothing when all is quiet. */
static int kit_next_call(lua_State *L)
{
    struct testkit_call call;
    if (!testkit_step(testkit_of(L), &call))
        return 0;
    lua_pushstring(L, call.cp);
    lua_pushstring(L, call.id);
    lua_pushstring(L, call.action);
    api_push_json(L, call.payload);
    return 4;
}

/* reply(cp, id, payload) or reply(cp, id, nil, code): the charger answers. */
static int kit_reply(lua_State *L)
{
    struct testkit *kit = testkit_of(L);
    const char *cp = api_arg_string(L, "t.answers", 1, "cp");
    const char *id = api_arg_string(L, "t.answers", 2, "id");
    struct strbuf text = {0};
    if (lua_isnoneornil(L, 3)) {
        const char *code = api_arg_string(L, "t.answers", 4, "code");
        struct json_out o = {.to = &text};
        json_open(&o, '[');
        json_put_int(&o, FRAME_ERROR);
        json_put_string(&o, id);
        json_put_string(&o, code);
        json_put_string(&o, "");
        json_open(&o, '{');
        json_close(&o, '}');
        json_close(&o, ']');
    } else {
        const char *payload = api_push_as_text(L, 3, "t.answers");
        frame_write_result(&text, id, span_of(payload));
    }
    testkit_receive(kit, cp, strbuf_text(&text), text.len);
    strbuf_clear(&text);
    return 0;
}

/* sleep(ms) → ms: moves the clock to the next timer, at most so far; tells how far it moved. */
static int kit_sleep(lua_State *L)
{
    struct testkit *kit = testkit_of(L);
    int64_t most = api_arg_integer(L, "t.advance", 1, "ms");
    int64_t next = timers_next(&kit->timers);
    int64_t step = next >= 0 && next < most ? next : most;
    clock_advance(step);
    timers_run(&kit->timers);
    lua_pushinteger(L, step);
    return 1;
}

static int kit_set_clock(lua_State *L)
{
    testkit_of(L);
    testkit_fake_clock(api_arg_integer(L, "t.clock", 1, "seconds") * 1000, mono_now());
    return 0;
}

static void on_tag(void *ctx, bool ok, const char *why)
{
    (void)ctx;
    (void)ok;
    (void)why;
}

/* tag{ idTag=, status=, expires= (seconds), parentIdTag=, max_active= }: as if set by REST. */
static int kit_tag(lua_State *L)
{
    static const char *const names[] = {"idTag",       "status",     "expires",
                                        "parentIdTag", "max_active", NULL};
    struct testkit *kit = testkit_of(L);
    api_arg_table(L, "t.tag", 1, "tag");
    api_check_members(L, "t.tag", 1, names);
    int64_t expires = api_opt_integer(L, "t.tag", 1, "expires", ABSENT);
    const struct id_tag tag = {.id_tag = (char *)api_opt_string(L, "t.tag", 1, "idTag"),
                               .status = (char *)api_opt_string(L, "t.tag", 1, "status"),
                               .expiry_ms = expires == ABSENT ? ABSENT : expires * 1000,
                               .parent_id_tag =
                                   (char *)api_opt_string(L, "t.tag", 1, "parentIdTag"),
                               .max_active = api_opt_integer(L, "t.tag", 1, "max_active", ABSENT)};
    struct reason why;
    if (!station_tag_put(kit->station, &tag, &why, on_tag, NULL))
        return api_raise(L, "t.tag: %s", why.text);
    return 0;
}

/* What to say of a word that `t` does not have. */
static int kit_unknown(lua_State *L)
{
    const char *name = luaL_tolstring(L, 1, NULL);
    size_t count = 0;
    while (api_table_t.rows[count].name)
        count++;
    const char *near = text_nearest(name, api_table_t.rows, count, sizeof(api_table_t.rows[0]));
    lua_pushfstring(L, "there is no t.%s%s%s%s", name, near ? "; did you mean t." : "",
                    near ? near : "", near ? "?" : "");
    return 1;
}

static int kit_allow_failures(lua_State *L)
{
    testkit_of(L)->failures_allowed = true;
    return 0;
}

static int kit_tx(lua_State *L)
{
    api_push_tx(L, api_arg_integer(L, "t.transaction", 1, "id"));
    return 1;
}

/* ---- requests ---- */

static void on_response(void *ctx, const struct response *response)
{
    struct testkit_answer *answer = ctx;
    answer->status = response->status;
    answer->json = response->content_type && strstr(response->content_type, "json");
    strbuf_add(&answer->body, response->body.at, response->body.len);
    answer->has_source = response->source != NULL;
    if (response->source)
        answer->source = *response->source;
}

static int push_answer(lua_State *L)
{
    const struct testkit_answer *answer = lua_touserdata(L, 1);
    struct reason why;
    struct span body = {strbuf_text(&answer->body), answer->body.len};
    lua_pushinteger(L, answer->status);
    if (!answer->json || api_push_json_text(L, body, &why) != 0)
        lua_pushlstring(L, body.at, body.len);
    return 2;
}

enum { QUERY_MAX = 16 };

/* The path before `?`; its parameters, as they are written, go to `query`. What it pushes keeps the
 * texts. */
static const char *split_query(lua_State *L, const char *text, struct name_value *query,
                               size_t *count)
{
    struct span rest = span_of(text), pair, name, path;
    luaL_checkstack(L, 2 * QUERY_MAX + 4, "t.request");
    span_cut(&rest, '?', &path);
    while (rest.at && *count < QUERY_MAX && span_cut(&rest, '&', &pair)) {
        span_cut(&pair, '=', &name);
        query[*count].name = lua_pushlstring(L, name.at, name.len);
        query[(*count)++].value = lua_pushlstring(L, pair.at ? pair.at : "", pair.len);
    }
    return lua_pushlstring(L, path.at, path.len);
}

/* request(method, path, body, headers) → token; answer(token) → status, body | nothing so far. */
static int kit_request(lua_State *L)
{
    static const char *const names[] = {"Accept", "Idempotency-Key", "Prefer", "Last-Event-ID"};
    struct name_value headers[1 + ARRAY_LEN(names)] = {{"content-type", "application/json"}};
    size_t count = 1, query_count = 0;
    struct testkit *kit = testkit_of(L);
    const char *method = api_arg_string(L, "t.request", 1, "method");
    const char *path = api_arg_string(L, "t.request", 2, "path");
    const char *body = lua_isnoneornil(L, 3) ? NULL : api_push_as_text(L, 3, "t.request");
    if (strncmp(path, "/api/v1/", 8) == 0)
        everys_start_builtin(kit->generation);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = api_opt_string(L, "t.request", 4, names[i]);
        if (value)
            headers[count++] = (struct name_value){names[i], value};
    }
    struct name_value query[QUERY_MAX];
    path = split_query(L, path, query, &query_count);
    const struct request request = {.method = method,
                                    .path = path,
                                    .query = query,
                                    .query_count = query_count,
                                    .headers = headers,
                                    .header_count = count,
                                    .body = span_of(body),
                                    .peer = "192.0.2.2",
                                    .scope = SCOPE_ADMIN,
                                    .key_name = "test"};
    struct testkit_answer *answer = xcalloc(1, sizeof(*answer));
    answer->next = kit->answers;
    kit->answers = answer;
    routes_handle(kit->generation, &request, on_response, answer);
    lua_pushlightuserdata(L, answer);
    return 1;
}

static int kit_answer(lua_State *L)
{
    testkit_of(L);
    struct testkit_answer *answer = lua_touserdata(L, 1);
    if (!answer || !answer->status)
        return 0;
    testkit_read_source(testkit_of(L), answer, false);
    lua_pushcfunction(L, push_answer);
    lua_pushlightuserdata(L, answer);
    int status = lua_pcall(L, 1, 2, 0);
    strbuf_clear(&answer->body);
    return status == LUA_OK ? 2 : lua_error(L);
}

void testkit_push_functions(lua_State *L)
{
    static const luaL_Reg functions[] = {{"connect", kit_connect},
                                         {"disconnect", kit_disconnect},
                                         {"online", kit_online},
                                         {"send", kit_send},
                                         {"result", kit_result},
                                         {"next_call", kit_next_call},
                                         {"reply", kit_reply},
                                         {"sleep", kit_sleep},
                                         {"set_clock", kit_set_clock},
                                         {"tag", kit_tag},
                                         {"allow_failures", kit_allow_failures},
                                         {"unknown", kit_unknown},
                                         {"tx", kit_tx},
                                         {"request", kit_request},
                                         {"answer", kit_answer},
                                         {"next_http", testkit_next_http},
                                         {"http_answer", testkit_http_answer},
                                         {"http_fail", testkit_http_fail},
                                         {"webhooks", testkit_webhooks},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
}

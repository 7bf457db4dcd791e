/* `http.get` and `http.post`: what other machines know, asked while the handler waits.
 *
 * Wrong use (no URL, a header that is none) is an error with the script's line; what the network
 * does is `nil, err`. A request never lasts longer than the handler may still take, less half a
 * second, so that the policy can still say what holds while its backend is down. */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/dry.h"
#include "policy/outside.h"

enum { HEADERS_MAX = 14, REST_FOR_HANDLER_MS = 500, LEAST_MS = 100, STEPS_PER_BYTE = 40 };

struct asking { /* one request under way; freed when its answer is in */
    struct task_ref ref;
    struct generation *generation;
    uint64_t number;
};

struct http_question { /* while its arguments are read; what it points to is on the stack */
    const char *what;
    struct policy_http http;
    const char *headers[HEADERS_MAX + 2];
    size_t header_count;
    bool typed; /* has a Content-Type */
};

/* ---- the answer ---- */

static bool looks_like_json(const struct policy_http_answer *answer)
{
    struct span body = span_trim(answer->body);
    for (size_t i = 0; i < answer->header_count; i++) {
        if (text_is(answer->headers[i].name, "content-type") &&
            strstr(answer->headers[i].value, "json"))
            return true;
    }
    return body.len > 0 && (body.at[0] == '{' || body.at[0] == '[');
}

/* A name that comes more than once has its values joined by commas. */
static void push_headers(lua_State *L, const struct policy_http_answer *answer)
{
    lua_createtable(L, 0, (int)answer->header_count);
    for (size_t i = 0; i < answer->header_count; i++) {
        const struct name_value *header = &answer->headers[i];
        bool again = lua_getfield(L, -1, header->name) == LUA_TSTRING;
        if (again)
            lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), header->value);
        else
            lua_pushstring(L, header->value);
        lua_setfield(L, -3, header->name);
        lua_pop(L, 1);
    }
}

static int build_answer(lua_State *L)
{
    const struct policy_http_answer *answer = lua_touserdata(L, 1);
    struct reason why;
    lua_settop(L, 0);
    if (answer->failure)
        return api_fail(L, answer->failure, "%s", answer->error ? answer->error : answer->failure);
    lua_createtable(L, 0, 4);
    push_headers(L, answer);
    lua_setfield(L, 1, "headers");
    api_set_integer(L, "status", answer->status);
    lua_pushlstring(L, answer->body.at ? answer->body.at : "", answer->body.len);
    lua_setfield(L, 1, "body");
    if (looks_like_json(answer) && api_push_json_text(L, answer->body, &why) == 0)
        lua_setfield(L, 1, "json");
    return 1;
}

static int push_answer(lua_State *L, void *arg)
{
    return api_push_protected(L, build_answer, arg);
}

static void on_answer(void *ctx, const struct policy_http_answer *answer)
{
    struct task_ref ref = ((struct asking *)ctx)->ref;
    xfree(ctx);
    task_wake(ref, push_answer, (void *)answer);
}

static void on_cancel(void *arg)
{
    struct asking *asking = *(struct asking **)arg;
    outside_cancel(asking->generation, asking->number);
    xfree(asking);
}

/* ---- asking ---- */

static int64_t timeout_of(lua_State *L, const char *what, int index)
{
    int64_t timeout_ms = api_opt_duration(L, what, index, "timeout", OUTSIDE_TIMEOUT_MS);
    if (timeout_ms < 1 || timeout_ms > OUTSIDE_TIMEOUT_MS)
        api_raise(L, "%s: timeout must be from 1ms to %ds", what, OUTSIDE_TIMEOUT_MS / 1000);
    int64_t left = task_time_left(generation_of(L));
    if (left != INT64_MAX && timeout_ms > left - REST_FOR_HANDLER_MS)
        timeout_ms = left - REST_FOR_HANDLER_MS;
    return timeout_ms > LEAST_MS ? timeout_ms : LEAST_MS;
}

static void check_header(lua_State *L, const char *what, const char *name, const char *value)
{
    static const char *const ours[] = {"Host",    "Content-Length", "Transfer-Encoding",
                                       "Upgrade", "Connection",     "Expect"};
    size_t len = 0;
    while (name[len] && (isalnum((unsigned char)name[len]) || strchr("!#$%&'*+-.^_`|~", name[len])))
        len++;
    if (len == 0 || name[len])
        api_raise(L, "%s: headers: \"%s\" is no name of a header", what, name);
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (text_is_ci(name, ours[i]))
            api_raise(L, "%s: headers: %s is not for policies to set", what, ours[i]);
    }
    if (strpbrk(value, "\r\n"))
        api_raise(L, "%s: headers: %s has more than one line", what, name);
}

int api_header_lines(lua_State *L, const char *what, int headers, int most)
{
    int lines = lua_gettop(L), count = 0;
    if (!lua_istable(L, headers))
        return api_raise(L, "%s: headers must be a table of texts by name", what);
    for (lua_pushnil(L); lua_next(L, headers); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1))
            return api_raise(L, "%s: headers must be a table of texts by name", what);
        if (count == most)
            return api_raise(L, "%s: headers: more than %d", what, most);
        const char *name = lua_tostring(L, -2), *value = luaL_tolstring(L, -1, NULL);
        check_header(L, what, name, value);
        lua_pushfstring(L, "%s: %s", name, value);
        lua_rawseti(L, lines, ++count);
        lua_pop(L, 1);
    }
    return count;
}

/* The lines live in a list that stays on the stack. */
static void read_headers(lua_State *L, struct http_question *request, int options)
{
    if (!lua_istable(L, options) || lua_getfield(L, options, "headers") == LUA_TNIL)
        return;
    lua_newtable(L);
    int count = api_header_lines(L, request->what, lua_gettop(L) - 1, HEADERS_MAX);
    for (int i = 0; i < count; i++) {
        lua_rawgeti(L, -1, i + 1);
        request->headers[i] = lua_tostring(L, -1);
        struct span rest = span_of(request->headers[i]), name;
        request->typed |= span_cut(&rest, ':', &name) && span_is_ci(name, "Content-Type");
        lua_pop(L, 1);
    }
    request->header_count = (size_t)count;
}

static void check_url(lua_State *L, struct http_question *request)
{
    struct reason why;
    request->http.url = api_arg_string(L, request->what, 1, "url");
    if (!outside_url_valid(request->http.url, &why))
        api_raise(L, "%s: %s", request->what, why.text);
}

static int ask(lua_State *L, struct http_question *request)
{
    struct generation *generation = generation_of(L);
    struct reason why;
    request->http.headers = request->headers;
    request->http.max_body = OUTSIDE_BODY_MAX;
    /* On the stack, and so alive, while the task waits; what may raise comes before the heap. */
    struct asking **box = lua_newuserdatauv(L, sizeof(*box), 0);
    struct task_ref ref = task_wait_begin(L, request->what, on_cancel, box);
    struct asking *asking = *box = xmalloc(sizeof(*asking));
    *asking = (struct asking){ref, generation, 0};
    asking->number = outside_start(generation, &request->http, on_answer, asking, &why);
    if (!asking->number) {
        const struct policy_http_answer refused = {.failure = "refused", .error = why.text};
        on_answer(asking, &refused);
    }
    return task_wait(L, ref);
}

static int http_get(lua_State *L)
{
    static const char *const names[] = {"headers", "timeout", NULL};
    struct http_question request = {.what = "http.get", .http.method = "GET"};
    generation_require_live(L, request.what);
    lua_settop(L, 2);
    check_url(L, &request);
    api_check_members(L, request.what, 2, names);
    request.http.timeout_ms = timeout_of(L, request.what, 2);
    read_headers(L, &request, 2);
    return ask(L, &request);
}

/* ---- sending ---- */

static void read_method(lua_State *L, struct http_question *request)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    const char *method = api_opt_string(L, request->what, 3, "method");
    for (size_t i = 0; method && i < ARRAY_LEN(methods); i++) {
        if (text_is(method, methods[i]))
            request->http.method = methods[i];
    }
    if (method && !text_is(method, request->http.method))
        api_raise(L, "%s: method must be POST, PUT, PATCH or DELETE", request->what);
}

static void read_body(lua_State *L, struct http_question *request)
{
    const char *type = NULL;
    if (lua_istable(L, 2)) {
        request->http.body = span_of(api_push_as_text(L, 2, request->what));
        type = "application/json";
    } else if (!lua_isnil(L, 2)) {
        if (lua_type(L, 2) != LUA_TSTRING) /* any bytes, NUL too */
            api_bad_argument(L, request->what, 2, "body", "a table or a string");
        request->http.body.at = lua_tolstring(L, 2, &request->http.body.len);
        type = "text/plain; charset=utf-8";
    }
    if (type && !request->typed)
        request->headers[request->header_count++] = lua_pushfstring(L, "Content-Type: %s", type);
}

/* {"method":…,"url":…,"body":…}; true: a dry run, which does not send. */
static bool note(lua_State *L, const struct http_question *request)
{
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    if (!dry_wanted(L))
        return false;
    json_open(&out, '{');
    json_key(&out, "method");
    json_put_string(&out, request->http.method);
    json_key(&out, "body");
    json_put_span(&out, request->http.body.at ? request->http.body : SPAN(""));
    json_close(&out, '}');
    bool dry = dry_note(L, request->what, request->http.url, strbuf_text(&text));
    strbuf_clear(&text);
    if (dry)
        dry_incomparable(L);
    return dry;
}

static int http_post(lua_State *L)
{
    static const char *const names[] = {"headers", "timeout", "method", NULL};
    struct http_question request = {.what = "http.post", .http.method = "POST"};
    generation_require_live(L, request.what);
    lua_settop(L, 3);
    check_url(L, &request);
    api_check_members(L, request.what, 3, names);
    request.http.timeout_ms = timeout_of(L, request.what, 3);
    read_method(L, &request);
    read_headers(L, &request, 3);
    read_body(L, &request);
    if (note(L, &request))
        return api_fail(L, "dry", "not sent: this is a dry run");
    return ask(L, &request);
}

/* ---- values in URLs ---- */

static int http_escape(lua_State *L)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len;
    if (lua_type(L, 1) != LUA_TSTRING)
        return api_bad_argument(L, "http.escape", 1, "text", "a string");
    const char *text = lua_tolstring(L, 1, &len);
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 128 && (isalnum(c) || strchr("-._~", c)) && c) {
            luaL_addchar(&out, (char)c);
        } else {
            luaL_addchar(&out, '%');
            luaL_addchar(&out, digits[c >> 4]);
            luaL_addchar(&out, digits[c & 15]);
        }
    }
    luaL_pushresult(&out);
    return 1;
}

static const struct api_row rows[] = {
    {"get", http_get,
     "fun(url: string, options?: { headers?: table<string, string>, timeout?: string|number }): "
     "http_answer?, err?",
     "Asks a host of policies.http_hosts. Redirects are answers. `timeout` at most 5s, and never "
     "longer than the handler may still take. err.code: \"timeout\", \"unreachable\", \"refused\" "
     "(the host is not allowed), \"too_large\" (over 1 MiB).",
     true},
    {"post", http_post,
     "fun(url: string, body?: table|string, options?: { headers?: table<string, string>, timeout?: "
     "string|number, method?: \"POST\"|\"PUT\"|\"PATCH\"|\"DELETE\" }): http_answer?, err?",
     "Sends a table as JSON, or a text, and gives the answer as http.get does. For what must not "
     "be lost there are webhooks.",
     true},
    {"escape", http_escape, "fun(text: string): string",
     "The text as it may stand in a URL: \"http://backend/cards/\" .. http.escape(idTag).", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_http = {
    .on = "http",
    .class_doc = "Other machines, by HTTP: those that the configuration allows.",
    .rows = rows};

static const struct api_row answer_rows[] = {
    {"status", NULL, "integer", "200 …; what is not 2xx is an answer too.", false},
    {"body", NULL, "string", "As it came.", false},
    {"json", NULL, "any", "The body as a value, if it is strict JSON; else nil.", false},
    {"headers", NULL, "table<string, string>", "By name, in lower case.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_http_answer = {
    .on = "http_answer", .class_doc = "What came back.", .rows = answer_rows, .object = true};

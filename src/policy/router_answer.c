/* Responses: what a handler returned, and problems of RFC 9457. */
#include <ctype.h>
#include <string.h>

#include "policy/router.h"

enum { HEADERS_MAX = 16 };

static const char problem_type[] = "application/problem+json";

/* ---- problems ---- */

static void write_faults(struct json_out *o, const struct problem *problem)
{
    json_key(o, "errors");
    json_open(o, '[');
    for (size_t i = 0; i < problem->fault_count; i++) {
        json_open(o, '{');
        json_key(o, "pointer");
        json_put_string(o, problem->faults[i].pointer);
        json_key(o, "message");
        json_put_string(o, problem->faults[i].message);
        json_close(o, '}');
    }
    json_close(o, ']');
}

void answer_problem(const struct problem *problem, respond_fn respond, void *ctx)
{
    struct strbuf body = {0};
    struct json_out o = {.to = &body};
    json_open(&o, '{');
    json_key(&o, "type");
    json_put_string(&o, "about:blank");
    json_key(&o, "title");
    json_put_string(&o, status_title(problem->status));
    json_key(&o, "status");
    json_put_int(&o, problem->status);
    if (problem->detail) {
        json_key(&o, "detail");
        json_put_string(&o, problem->detail);
    }
    if (problem->instance) {
        json_key(&o, "instance");
        json_put_string(&o, problem->instance);
    }
    if (problem->fault_count)
        write_faults(&o, problem);
    json_close(&o, '}');
    const struct name_value extra = {problem->header_name, problem->header_value};
    const struct response response = {.status = problem->status,
                                      .content_type = problem_type,
                                      .body = {body.at, body.len},
                                      .headers = &extra,
                                      .header_count = problem->header_name ? 1 : 0};
    respond(ctx, &response);
    strbuf_clear(&body);
}

/* The order list of problem tables, on top; made once a state. */
static void push_problem_order(lua_State *L)
{
    static const char order_key;
    static const char *const names[] = {"type", "title", "status"};
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &order_key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    for (int i = 0; i < 3; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &order_key);
}

int answer_problem_new(lua_State *L)
{
    int64_t status = api_arg_integer(L, "problem", 1, "status");
    const char *detail = lua_isnoneornil(L, 2) ? NULL : api_arg_string(L, "problem", 2, "detail");
    if (status < 400 || status > 599)
        return api_raise(L, "problem: the status must be from 400 to 599");
    bool more = !lua_isnoneornil(L, 3);
    if (more)
        api_arg_table(L, "problem", 3, "more");
    lua_settop(L, 3);
    lua_pushinteger(L, status);
    lua_newtable(L);
    for (lua_pushnil(L); more && lua_next(L, 3);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_settable(L, 5);
    }
    lua_settop(L, 5);
    api_set_string(L, "type", "about:blank");
    api_set_string(L, "title", status_title((int)status));
    api_set_integer(L, "status", status);
    api_set_string(L, "detail", detail);
    push_problem_order(L);
    api_mark_ordered(L, 5, 6);
    lua_settop(L, 5);
    lua_createtable(L, 0, 1);
    api_set_string(L, "Content-Type", problem_type);
    return 3;
}

/* ---- results of handlers ---- */

struct answer {
    int status;
    const char *content_type;
    struct strbuf body;
    bool has_source;
    struct body_source source;
    struct name_value headers[HEADERS_MAX];
    size_t header_count;
};

static bool is_token(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c))
            return false;
    }
    return *text != '\0';
}

static bool is_clean(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    }
    return true;
}

/* Name at -2, value at -1. Both stay alive in the table of the coroutine's stack. */
static bool take_header(lua_State *L, struct answer *answer, struct reason *why)
{
    static const char *const ours[] = {"Content-Length", "Transfer-Encoding", "Connection", "Date"};
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
        return reason_set(why, "headers are a table of texts by name");
    size_t len;
    const char *name = lua_tostring(L, -2), *value = lua_tolstring(L, -1, &len);
    if (!is_token(name) || !is_clean(value, len))
        return reason_set(why, "header %.60s has characters that no header may have", name);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (text_is_ci(name, ours[i]))
            return reason_set(why, "header %s is the server's to set", ours[i]);
    }
    if (text_is_ci(name, "Content-Type"))
        answer->content_type = value;
    else if (answer->header_count == HEADERS_MAX)
        return reason_set(why, "more than %d headers", HEADERS_MAX);
    else
        answer->headers[answer->header_count++] = (struct name_value){name, value};
    return true;
}

static bool take_headers(lua_State *L, int nresults, struct answer *answer, struct reason *why)
{
    if (nresults < 3 || lua_isnil(L, 3))
        return true;
    if (!lua_istable(L, 3))
        return reason_set(why, "the third result (headers) must be a table, not %s",
                          api_type_of(L, 3));
    for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1)) {
        if (!take_header(L, answer, why)) {
            lua_pop(L, 2);
            return false;
        }
    }
    return true;
}

static bool take_source(lua_State *L, struct answer *answer, struct reason *why)
{
    if (!source_take(L, 2, &answer->source))
        return reason_set(why, "the body: this source was sent already");
    answer->has_source = true;
    if (!answer->content_type)
        answer->content_type = "application/octet-stream";
    return true;
}

static bool take_body(lua_State *L, int nresults, struct answer *answer, struct reason *why)
{
    if (nresults < 2 || lua_isnil(L, 2))
        return true;
    if (source_is(L, 2))
        return take_source(L, answer, why);
    if (lua_type(L, 2) == LUA_TSTRING) {
        size_t len;
        const char *text = lua_tolstring(L, 2, &len);
        strbuf_add(&answer->body, text, len);
        if (!answer->content_type)
            answer->content_type = "text/plain; charset=utf-8";
        return true;
    }
    struct arena arena = {0};
    struct reason fault;
    const struct json *node = lua_istable(L, 2) ? api_read_json(L, 2, &arena, &fault) : NULL;
    if (node)
        json_write(&answer->body, node);
    else if (lua_istable(L, 2))
        reason_set(why, "the body: %s", fault.text);
    else
        reason_set(
            why,
            "the second result (body) must be a table, a text, a source or a function(emit), "
            "not %s",
            api_type_of(L, 2));
    arena_clear(&arena);
    if (!answer->content_type)
        answer->content_type = "application/json";
    return node != NULL;
}

static void send(struct answer *answer, respond_fn respond, void *ctx)
{
    bool any = answer->body.len || answer->has_source;
    const struct response response = {.status = answer->status,
                                      .content_type = any ? answer->content_type : NULL,
                                      .body = {strbuf_text(&answer->body), answer->body.len},
                                      .headers = answer->headers,
                                      .header_count = answer->header_count,
                                      .source = answer->has_source ? &answer->source : NULL};
    respond(ctx, &response);
}

static bool take_status(lua_State *L, int nresults, struct answer *answer, struct reason *why)
{
    int is_int = 0;
    lua_Integer status = nresults >= 1 ? lua_tointegerx(L, 1, &is_int) : 0;
    if (!is_int || lua_type(L, 1) != LUA_TNUMBER || status < 200 || status > 599)
        return reason_set(why, "a handler returns a status from 200 to 599 first, as in "
                               "return 200, { ok = true }");
    answer->status = (int)status;
    if (!lua_checkstack(L, 8))
        return reason_set(why, "no memory for the answer");
    return true;
}

bool answer_results(lua_State *L, int nresults, respond_fn respond, void *ctx, struct reason *why)
{
    struct answer answer = {0};
    bool ok = take_status(L, nresults, &answer, why) && take_headers(L, nresults, &answer, why) &&
              take_body(L, nresults, &answer, why);
    if (ok)
        send(&answer, respond, ctx);
    strbuf_clear(&answer.body);
    return ok;
}

bool answer_head(lua_State *L, int nresults, const struct body_source *source, respond_fn respond,
                 void *ctx, struct reason *why)
{
    struct answer answer = {.has_source = source != NULL};
    if (!take_status(L, nresults, &answer, why) || !take_headers(L, nresults, &answer, why))
        return false;
    if (source)
        answer.source = *source;
    if (!answer.content_type)
        answer.content_type = "text/plain; charset=utf-8";
    send(&answer, respond, ctx);
    return true;
}

/* HTTP in scenarios, and JSON between Lua and text.
 *
 * A body that is a table goes as JSON, a string as it is; an answer that is JSON comes as the table
 * `json` too. Each call parks its task until http_client has ended the transfer, whose timeout is
 * real time. Start reading at request. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "sim/scenario_parts.h"

enum {
    HTTP_TIMEOUT_MS = 30000,
    HTTP_BODY_MAX = 4 * 1024 * 1024,
    HEADERS_MAX = 30,
    DEPTH_MAX = JSON_DEPTH_MAX
};

/* ---- JSON ---- */

static void push_number(lua_State *L, const struct json *node)
{
    double value = 0;
    json_double(node, &value);
    lua_pushnumber(L, value);
}

static void push_list(lua_State *L, const struct json *node)
{
    luaL_checkstack(L, 4, "JSON");
    lua_createtable(L, 0, 0);
    lua_Integer at = 0;
    for (const struct json *child = node->child; child; child = child->next) {
        if (node->type == JSON_OBJECT)
            lua_pushlstring(L, child->key.at, child->key.len);
        scenario_push_json(L, child);
        if (node->type == JSON_OBJECT)
            lua_settable(L, -3);
        else
            lua_seti(L, -2, ++at);
    }
}

void scenario_push_json(lua_State *L, const struct json *node)
{
    switch (node->type) {
    case JSON_NULL:
        lua_pushnil(L);
        break;
    case JSON_BOOL:
        lua_pushboolean(L, node->boolean);
        break;
    case JSON_INT:
        lua_pushinteger(L, node->integer);
        break;
    case JSON_NUMBER:
        push_number(L, node);
        break;
    case JSON_STRING:
        lua_pushlstring(L, node->text.at, node->text.len);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        push_list(L, node);
        break;
    }
}

/* NULL, or what cannot be written. Never raises, so that `out` can be freed. */
static const char *write_value(lua_State *L, int index, struct json_out *out, int depth);

static const char *write_table(lua_State *L, int index, struct json_out *out, int depth)
{
    if (depth == DEPTH_MAX || !lua_checkstack(L, 6))
        return "a table within itself, or too deep";
    const char *bad = NULL;
    lua_Integer count = (lua_Integer)lua_rawlen(L, index);
    json_open(out, count > 0 ? '[' : '{');
    for (lua_Integer i = 1; i <= count && !bad; i++) {
        lua_rawgeti(L, index, i);
        bad = write_value(L, lua_gettop(L), out, depth + 1);
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    while (!bad && lua_next(L, index)) {
        bool text = lua_type(L, -2) == LUA_TSTRING;
        if (count > 0 ? text : !text) {
            bad = "a table with both numbers and names";
        } else if (text) {
            json_key(out, lua_tostring(L, -2));
            bad = write_value(L, lua_gettop(L), out, depth + 1);
        }
        if (bad)
            lua_pop(L, 1);
        lua_pop(L, 1);
    }
    json_close(out, count > 0 ? ']' : '}');
    return bad;
}

static const char *write_value(lua_State *L, int index, struct json_out *out, int depth)
{
    size_t len;
    const char *text;
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        json_put_bool(out, lua_toboolean(L, index));
        return NULL;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            json_put_int(out, lua_tointeger(L, index));
        else if (isfinite(lua_tonumber(L, index)))
            json_put_double(out, lua_tonumber(L, index));
        else
            return "a number that is not finite";
        return NULL;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &len);
        if (!utf8_valid(text, len))
            return "a string that is not UTF-8";
        json_put_span(out, (struct span){text, len});
        return NULL;
    case LUA_TTABLE:
        return write_table(L, index, out, depth);
    default:
        return luaL_typename(L, index);
    }
}

void scenario_write_json(lua_State *L, int index, struct strbuf *out)
{
    struct json_out o = {.to = out};
    const char *bad = write_value(L, lua_absindex(L, index), &o, 0);
    if (!bad)
        return;
    strbuf_clear(out);
    luaL_error(L, "cannot be written as JSON: %s", bad);
}

/* ---- HTTP ---- */

static void set_json(lua_State *L, struct span body)
{
    struct arena arena = {0};
    struct reason why;
    const struct json *tree = json_parse(&arena, body.at, body.len, &why, NULL);
    if (tree) {
        scenario_push_json(L, tree);
        lua_setfield(L, -2, "json");
    }
    arena_clear(&arena);
}

static void on_transferred(void *ctx, const struct http_transferred *what)
{
    struct task *task = ctx;
    lua_State *L = task->thread;
    task->transfer = 0;
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, what->status);
    lua_setfield(L, -2, "status");
    lua_pushlstring(L, what->body.at, what->body.len);
    lua_setfield(L, -2, "body");
    lua_pushstring(L, what->error); /* nil for NULL */
    lua_setfield(L, -2, "error");
    if (what->content_type && strstr(what->content_type, "json"))
        set_json(L, what->body);
    task_resume(task, 1);
}

/* {Name = "value"} at `index` as lines, which stay on the stack. */
static size_t read_headers(lua_State *L, int index, const char *lines[HEADERS_MAX + 2])
{
    size_t count = 0;
    if (lua_isnoneornil(L, index))
        return 0;
    luaL_checktype(L, index, LUA_TTABLE);
    luaL_checkstack(L, HEADERS_MAX + 10, "headers");
    lua_pushnil(L);
    while (lua_next(L, index)) {
        if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1) || count == HEADERS_MAX)
            luaL_error(L, "headers: expected at most %d of Name = \"value\"", HEADERS_MAX);
        lua_pushfstring(L, "%s: %s", lua_tostring(L, -2), lua_tostring(L, -1));
        lines[count++] = lua_tostring(L, -1);
        lua_rotate(L, -3, 1); /* the line below key and value */
        lua_pop(L, 1);
    }
    return count;
}

static int request(lua_State *L, const char *method, int body_at, int headers_at)
{
    struct task *task = task_of(L);
    const char *url = luaL_checkstring(L, 1);
    const char *lines[HEADERS_MAX + 2] = {0};
    struct strbuf json = {0};
    size_t len = 0, count = read_headers(L, headers_at, lines);
    struct http_transfer transfer = {.method = method,
                                     .url = url,
                                     .headers = lines,
                                     .timeout_ms = HTTP_TIMEOUT_MS,
                                     .max_body = HTTP_BODY_MAX};
    if (body_at > 0 && lua_type(L, body_at) == LUA_TSTRING) {
        transfer.body.at = lua_tolstring(L, body_at, &len);
        transfer.body.len = len;
    } else if (body_at > 0 && !lua_isnoneornil(L, body_at)) {
        scenario_write_json(L, body_at, &json);
        transfer.body = (struct span){strbuf_text(&json), json.len};
    }
    bool typed = false;
    for (size_t i = 0; i < count; i++)
        typed |= strncasecmp(lines[i], "content-type:", 13) == 0;
    if (transfer.body.len > 0 && !typed)
        lines[count] = "Content-Type: application/json";
    struct reason why = {""};
    task->transfer =
        http_client_start(task->scenario->settings.http, &transfer, on_transferred, task, &why);
    strbuf_clear(&json);
    if (!task->transfer)
        return luaL_error(L, "%s", why.text);
    return lua_yield(L, 0);
}

static int l_get(lua_State *L)
{
    return request(L, "GET", 0, 2);
}

static int l_post(lua_State *L)
{
    return request(L, "POST", 2, 3);
}

static int l_put(lua_State *L)
{
    return request(L, "PUT", 2, 3);
}

static int l_delete(lua_State *L)
{
    return request(L, "DELETE", 0, 2);
}

void scenario_add_http(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"get", l_get}, {"post", l_post}, {"put", l_put}, {"delete", l_delete}, {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "http");
}

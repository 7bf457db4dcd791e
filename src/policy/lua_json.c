/* The typed bridge between JSON trees and Lua values, in both directions.
 *
 * Integers stay integers, `[]` stays `[]`: arrays from JSON carry a mark (a metatable), and so do
 * objects whose members want an order. Members are otherwise written sorted by name, so the same
 * value always makes the same text. api_read_json() never raises: it also runs where no protected
 * call surrounds it (the results of a route). Nothing here is OCPP; payloads are checked elsewhere.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"

enum { TEXT_MAX = 8 * 1024 * 1024 }; /* bytes of all strings of one value */

/* Addresses serve as registry keys and as fields of metatables; their values are never used. */
static const char array_key, order_key, orders_key;

/* ---- marks ---- */

void api_open_json(lua_State *L)
{
    lua_createtable(L, 0, 1);
    lua_pushboolean(L, 1);
    lua_rawsetp(L, -2, &array_key);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &array_key);
    lua_newtable(L); /* order list → metatable, while anybody uses the list */
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &orders_key);
}

void api_mark_array(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    lua_setmetatable(L, index);
}

static bool has_mark(lua_State *L, int index, const void *key)
{
    if (!lua_getmetatable(L, index))
        return false;
    int type = lua_rawgetp(L, -1, key);
    lua_pop(L, 2);
    return type != LUA_TNIL;
}

bool api_is_array(lua_State *L, int index)
{
    return has_mark(L, index, &array_key);
}

void api_mark_ordered(lua_State *L, int index, int order)
{
    index = lua_absindex(L, index);
    order = lua_absindex(L, order);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &orders_key);
    lua_pushvalue(L, order);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushvalue(L, order);
        lua_rawsetp(L, -2, &order_key);
        lua_pushvalue(L, order);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    lua_setmetatable(L, index);
    lua_pop(L, 1);
}

/* ---- JSON → Lua ---- */

static void push_array(lua_State *L, const struct json *node)
{
    lua_createtable(L, (int)node->count, 0);
    lua_Integer at = 0;
    for (const struct json *child = node->child; child; child = child->next) {
        if (child->type == JSON_NULL)
            lua_pushlightuserdata(L, NULL);
        else
            api_push_json(L, child);
        lua_rawseti(L, -2, ++at);
    }
    api_mark_array(L, -1);
}

static void push_object(lua_State *L, const struct json *node)
{
    lua_createtable(L, 0, (int)node->count);
    for (const struct json *child = node->child; child; child = child->next) {
        if (child->type == JSON_NULL)
            continue;
        lua_pushlstring(L, child->key.at, child->key.len);
        api_push_json(L, child);
        lua_rawset(L, -3);
    }
}

static void push_number(lua_State *L, const struct json *node)
{
    double value = 0;
    int64_t whole;
    if (node->type == JSON_INT)
        lua_pushinteger(L, node->integer);
    else if (node->type == JSON_NUMBER && span_int(node->text, &whole)) /* of 19 digits */
        lua_pushinteger(L, whole);
    else if (json_double(node, &value))
        lua_pushnumber(L, value);
    else
        lua_pushnil(L);
}

void api_push_json(lua_State *L, const struct json *node)
{
    luaL_checkstack(L, 6, "JSON nested too deeply");
    switch (node ? node->type : JSON_NULL) {
    case JSON_NULL:
        lua_pushnil(L);
        break;
    case JSON_BOOL:
        lua_pushboolean(L, node->boolean);
        break;
    case JSON_INT:
    case JSON_NUMBER:
        push_number(L, node);
        break;
    case JSON_STRING:
        lua_pushlstring(L, node->text.at, node->text.len);
        break;
    case JSON_ARRAY:
        push_array(L, node);
        break;
    case JSON_OBJECT:
        push_object(L, node);
        break;
    }
}

/* ---- Lua → JSON ---- */

struct step { /* from the top to where we are: for messages and to see cycles */
    const void *table;
    const char *key; /* NULL: an item */
    lua_Integer item;
};

struct reading {
    lua_State *L;
    struct arena *arena;
    struct reason *why;
    size_t nodes, bytes;
    int depth;
    struct step path[JSON_DEPTH_MAX];
};

static struct json *read_value(struct reading *r, int index);

/* "…: at .connectors[2]"; returns NULL. */
static struct json *fault(struct reading *r, const char *what)
{
    struct strbuf at = {.cap = 200};
    for (int i = 0; i < r->depth; i++) {
        if (r->path[i].key)
            strbuf_addf(&at, ".%s", r->path[i].key);
        else if (r->path[i].item)
            strbuf_addf(&at, "[%lld]", (long long)r->path[i].item);
    }
    if (at.len)
        reason_set(r->why, "%s (at %s)", what, strbuf_text(&at));
    else
        reason_set(r->why, "%s", what);
    strbuf_clear(&at);
    return NULL;
}

static struct json *read_number(struct reading *r, int index)
{
    if (lua_isinteger(r->L, index))
        return json_new_int(r->arena, lua_tointeger(r->L, index));
    double value = lua_tonumber(r->L, index);
    if (!isfinite(value))
        return fault(r, "JSON has no infinite numbers and no NaN");
    return json_new_double(r->arena, value);
}

static bool text_fits(struct reading *r, struct span text)
{
    r->bytes += text.len;
    if (r->bytes > TEXT_MAX)
        return fault(r, "more than 8 MiB of text");
    if (!utf8_valid(text.at, text.len))
        return fault(r, "text that is not valid UTF-8 cannot be JSON");
    if (memchr(text.at, '\0', text.len))
        return fault(r, "text with a zero byte cannot be JSON");
    return true;
}

static struct json *read_string(struct reading *r, int index)
{
    struct span text;
    text.at = lua_tolstring(r->L, index, &text.len);
    return text_fits(r, text) ? json_new_string(r->arena, text) : NULL;
}

/* The value on top becomes a child of `parent` and is popped. */
static struct json *read_item(struct reading *r, struct step step)
{
    struct step *here = &r->path[r->depth - 1];
    here->key = step.key;
    here->item = step.item;
    struct json *node = read_value(r, -1);
    lua_pop(r->L, 1);
    return node;
}

static struct json *read_array(struct reading *r, int index)
{
    lua_State *L = r->L;
    struct json *array = json_new(r->arena, JSON_ARRAY);
    lua_Integer count = (lua_Integer)lua_rawlen(L, index), found = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        found++;
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= count)
            continue;
        lua_pop(L, 2);
        return fault(r, "a table with both a list and named members cannot be JSON");
    }
    if (found != count)
        return fault(r, "a list with holes cannot be JSON; use json.null");
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, index, i);
        struct json *node = read_item(r, (struct step){.item = i});
        if (!node)
            return NULL;
        json_add(r->arena, array, NULL, node);
    }
    return array;
}

struct member {
    const char *key;
    size_t len;
    struct json *node;
};

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    size_t least = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->key, y->key, least);
    if (order != 0)
        return order;
    return x->len < y->len ? -1 : x->len > y->len;
}

/* All members, in the arena, sorted by name; NULL after a fault. */
static struct member *read_members(struct reading *r, int index, size_t *count)
{
    lua_State *L = r->L;
    size_t room = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        room++;
    struct member *members = arena_alloc(r->arena, (room + 1) * sizeof(*members));
    *count = 0;
    for (lua_pushnil(L); lua_next(L, index);) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            fault(r, "a member name that is no text cannot be JSON");
            lua_pop(L, 2);
            return NULL;
        }
        struct member *to = &members[(*count)++];
        struct span key;
        key.at = lua_tolstring(L, -2, &key.len);
        to->node = text_fits(r, key) ? read_item(r, (struct step){.key = key.at}) : NULL;
        if (!to->node) {
            lua_settop(L, index);
            return NULL;
        }
        to->key = arena_strndup(r->arena, key.at, key.len);
        to->len = key.len;
    }
    qsort(members, *count, sizeof(*members), compare_members);
    return members;
}

/* Members named in the order list at the top of the stack come first, null if they are not there.
 */
static void add_ordered(struct reading *r, struct json *object, struct member *members,
                        size_t count)
{
    lua_State *L = r->L;
    lua_Integer names = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= names; i++) {
        if (lua_rawgeti(L, -1, i) == LUA_TSTRING) {
            struct member wanted = {.key = lua_tolstring(L, -1, &wanted.len)};
            struct member *found =
                bsearch(&wanted, members, count, sizeof(*members), compare_members);
            struct json *node = found ? found->node : NULL;
            json_add(r->arena, object, wanted.key, node ? node : json_new(r->arena, JSON_NULL));
            if (found)
                found->node = NULL;
        }
        lua_pop(L, 1);
    }
}

static struct json *read_object(struct reading *r, int index)
{
    lua_State *L = r->L;
    size_t count;
    struct member *members = read_members(r, index, &count);
    if (!members)
        return NULL;
    struct json *object = json_new(r->arena, JSON_OBJECT);
    if (lua_getmetatable(L, index)) {
        if (lua_rawgetp(L, -1, &order_key) == LUA_TTABLE)
            add_ordered(r, object, members, count);
        lua_pop(L, 2);
    }
    for (size_t i = 0; i < count; i++) {
        if (members[i].node)
            json_add(r->arena, object, members[i].key, members[i].node);
    }
    return object;
}

static struct json *read_table(struct reading *r, int index)
{
    const void *table = lua_topointer(r->L, index);
    for (int i = 0; i < r->depth; i++) {
        if (r->path[i].table == table)
            return fault(r, "a table that contains itself cannot be JSON");
    }
    if (r->depth >= JSON_DEPTH_MAX || !lua_checkstack(r->L, 8))
        return fault(r, "nested too deeply");
    r->path[r->depth++] = (struct step){.table = table};
    bool array = lua_rawlen(r->L, index) > 0 || api_is_array(r->L, index);
    struct json *node = array ? read_array(r, index) : read_object(r, index);
    if (node)
        r->depth--;
    return node;
}

static struct json *read_value(struct reading *r, int index)
{
    index = lua_absindex(r->L, index);
    if (++r->nodes > JSON_NODES_MAX)
        return fault(r, "too many values");
    switch (lua_type(r->L, index)) {
    case LUA_TNIL:
        return json_new(r->arena, JSON_NULL);
    case LUA_TBOOLEAN:
        return json_new_bool(r->arena, lua_toboolean(r->L, index));
    case LUA_TNUMBER:
        return read_number(r, index);
    case LUA_TSTRING:
        return read_string(r, index);
    case LUA_TTABLE:
        return read_table(r, index);
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(r->L, index))
            return json_new(r->arena, JSON_NULL);
    }
    char what[64];
    snprintf(what, sizeof(what), "%s cannot be JSON", api_type_of(r->L, index));
    return fault(r, what);
}

struct json *api_read_json(lua_State *L, int index, struct arena *arena, struct reason *why)
{
    struct reading r = {.L = L, .arena = arena, .why = why};
    int top = lua_gettop(L);
    struct json *node = NULL;
    if (lua_checkstack(L, 8))
        node = read_value(&r, index);
    else
        reason_set(why, "the stack is full");
    lua_settop(L, top);
    return node;
}

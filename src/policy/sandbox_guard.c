/* Guards around functions of Lua's library (POLICY §4): what the budget's hook cannot see.
 *
 * No hook fires inside a C function, so each of these bounds its arguments or reports its work
 * before it goes on to the library's own function, which is upvalue 1 and is called on the same
 * stack. LuaL's messages still name the function as the author wrote it. */
#include <lauxlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/sandbox.h"

enum {
    SORT_MAX = 100000,   /* elements, without a Lua comparator: about 50 ms */
    STEPS_PER_MOVE = 50, /* in the unit of budget_work() */
    STEPS_PER_BYTE = 4
};
static const double STEPS_MAX = 1e8; /* about 25 ms */

static int go_on(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* ---- finalizers ---- */

static int guard_setmetatable(lua_State *L)
{
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "setmetatable: __gc is not available to policies (use __close)");
        lua_pop(L, 1);
    }
    return go_on(L);
}

/* ---- patterns ---- */

static void check_pattern(lua_State *L, const char *function, size_t from, bool anchors)
{
    size_t subject, len;
    if (!lua_tolstring(L, 1, &subject))
        return; /* no string: the library says so */
    const char *pattern = lua_tolstring(L, 2, &len);
    if (!pattern)
        return;
    subject = from < subject ? subject - from : 0;
    double steps = pattern_bound(pattern, len, subject, anchors);
    if (steps > STEPS_MAX)
        luaL_error(L,
                   "string.%s: matching '%s' against %d bytes could take too long: use fewer "
                   "of * + - ?, anchor it with ^, or cut the text first",
                   function, pattern, (int)subject);
    budget_work(L, (uint64_t)steps + subject);
}

/* Bytes before the position where find and match begin; too large a position is the library's. */
static size_t start_of(lua_State *L, int index)
{
    size_t len = 0;
    lua_tolstring(L, 1, &len);
    lua_Integer init = luaL_optinteger(L, index, 1);
    if (init > 0)
        return (size_t)init - 1;
    return init == 0 || init < -(lua_Integer)len ? 0 : len - (size_t)-init;
}

static int guard_find(lua_State *L)
{
    luaL_checkstring(L, 1);
    size_t from = start_of(L, 3);
    if (lua_toboolean(L, 4))
        budget_work(L, lua_rawlen(L, 1));
    else
        check_pattern(L, "find", from, true);
    return go_on(L);
}

static int guard_match(lua_State *L)
{
    luaL_checkstring(L, 1);
    check_pattern(L, "match", start_of(L, 3), true);
    return go_on(L);
}

static int guard_gmatch(lua_State *L)
{
    luaL_checkstring(L, 1);
    check_pattern(L, "gmatch", start_of(L, 3), false); /* ^ is no anchor here */
    return go_on(L);
}

static int guard_gsub(lua_State *L)
{
    luaL_checkstring(L, 1);
    check_pattern(L, "gsub", 0, true);
    return go_on(L);
}

/* ---- big results ---- */

/* The allocator would refuse it as well; this says by what. */
static int guard_rep(lua_State *L)
{
    size_t len, separator = 0;
    luaL_checklstring(L, 1, &len);
    lua_Integer count = luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &separator);
    int64_t limit = generation_of(L)->settings->memory_bytes;
    if (count > 0 && (double)count * (double)(len + separator) > (double)limit)
        return luaL_error(L,
                          "string.rep: the result would be longer than the memory limit of "
                          "%d bytes",
                          (int)limit);
    return go_on(L);
}

/* ---- loops of C ---- */

static uint64_t length_of(lua_State *L, int index)
{
    lua_Integer length = lua_istable(L, index) ? luaL_len(L, index) : 0;
    return length > 0 ? (uint64_t)length : 0;
}

/* Without a comparator in Lua no hook fires in it. */
static int guard_sort(lua_State *L)
{
    uint64_t length = length_of(L, 1);
    bool in_lua = lua_isfunction(L, 2) && !lua_iscfunction(L, 2);
    if (!in_lua && length > SORT_MAX)
        return luaL_error(L,
                          "table.sort: %d elements are too many (at most %d, or with a "
                          "comparison function)",
                          (int)length, SORT_MAX);
    if (!in_lua)
        budget_work(L, length * STEPS_PER_MOVE * 16);
    return go_on(L);
}

/* table.insert(t, pos, x) and table.remove(t, pos) move everything behind pos. */
static void report_shift(lua_State *L, int index)
{
    uint64_t length = length_of(L, 1);
    lua_Integer position = lua_tointeger(L, index);
    if (position >= 1 && (uint64_t)position < length)
        budget_work(L, (length - (uint64_t)position) * STEPS_PER_MOVE);
}

static int guard_insert(lua_State *L)
{
    if (lua_gettop(L) == 3)
        report_shift(L, 2);
    return go_on(L);
}

static int guard_remove(lua_State *L)
{
    if (lua_gettop(L) >= 2)
        report_shift(L, 2);
    return go_on(L);
}

static int guard_move(lua_State *L)
{
    lua_Integer from = lua_tointeger(L, 2), to = lua_tointeger(L, 3);
    if (to > from && (from > 0 || to < LUA_MAXINTEGER + from)) {
        double count = (double)to - (double)from;
        if (count > STEPS_MAX / STEPS_PER_MOVE)
            return luaL_error(L, "table.move: too many elements");
        budget_work(L, (uint64_t)count * STEPS_PER_MOVE);
    }
    return go_on(L);
}

/* table.concat(t, sep, i, j) takes j as it is given, whatever the table holds. */
static int guard_concat(lua_State *L)
{
    double last = lua_isnoneornil(L, 4) ? (double)length_of(L, 1) : (double)lua_tointeger(L, 4);
    double count = last - (double)luaL_optinteger(L, 3, 1);
    if (count > 0)
        budget_work(L, (uint64_t)(count < STEPS_MAX ? count : STEPS_MAX) * STEPS_PER_MOVE);
    return go_on(L);
}

/* Walks over the whole text: utf8.len, utf8.offset, tonumber with a base. */
static int guard_text(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING)
        budget_work(L, lua_rawlen(L, 1) * STEPS_PER_BYTE);
    return go_on(L);
}

const struct sandbox_guard sandbox_guards[] = {
    {"", "setmetatable", guard_setmetatable},
    {"", "tonumber", guard_text},
    {"", "require", sandbox_require},
    {"string", "find", guard_find},
    {"string", "match", guard_match},
    {"string", "gmatch", guard_gmatch},
    {"string", "gsub", guard_gsub},
    {"string", "rep", guard_rep},
    {"table", "sort", guard_sort},
    {"table", "insert", guard_insert},
    {"table", "remove", guard_remove},
    {"table", "move", guard_move},
    {"table", "concat", guard_concat},
    {"utf8", "len", guard_text},
    {"utf8", "codepoint", guard_text},
    {"utf8", "offset", guard_text},
    {"os", "time", sandbox_time},
    {"os", "date", sandbox_date},
    {NULL, NULL, NULL},
};

/* Guards around functions of Lua's library (POLICY §4): what the budget's hook cannot see.
 *
 * No hook fires inside a C function, so each of these bounds its arguments or reports its work
 * before it goes on to the library's own function, which is upvalue 1 and is called on the same
 * stack. LuaL's messages still name the function as the author wrote it. */
#include <lauxlib.h>
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "policy/limits.h"
#include "policy/sandbox.h"

enum {
    SORT_MAX = 100000,     /* elements, without a Lua comparator: about 50 ms */
    MOVES_MAX = 2000000,   /* elements: about 25 ms */
    SUBJECT_MAX = 4 << 20, /* bytes that a pattern may be tried at, one after the other */
    STEPS_PER_MOVE = 50,   /* in the unit of budget_work() */
    STEPS_PER_BYTE = 4,
    STEPS_PER_STEP = 16,    /* of matching */
    STEPS_PER_POSITION = 60 /* of trying a pattern there */
};
static const double STEPS_MAX = 1e7;    /* about 25 ms */
static const double COMPARED_MAX = 1e9; /* bytes: about 25 ms */

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

static int refuse_pattern(lua_State *L, const char *function, size_t subject)
{
    char shown[64];
    text_copy(shown, sizeof(shown), (struct span){lua_tostring(L, 2), lua_rawlen(L, 2)});
    return luaL_error(L,
                      "string.%s: matching '%s' against %d bytes could take too long: use fewer "
                      "of * + - ?, anchor it with ^, or cut the text first",
                      function, shown, (int)subject);
}

/* Looking for a text as it is: free, unless both are so long that it may take n·m. */
static void check_plain(lua_State *L, size_t subject)
{
    size_t len = lua_rawlen(L, 2);
    if (len > subject)
        return;
    double compared = (double)(subject - len + 1) * (double)len;
    if (compared > COMPARED_MAX)
        refuse_pattern(L, "find", subject);
    budget_work(L, subject + (uint64_t)compared / 8);
}

/* Arguments 1 and 2 are strings by now. */
static void check_pattern(lua_State *L, const char *function, size_t from, bool anchors)
{
    size_t subject = lua_rawlen(L, 1), len;
    const char *pattern = lua_tolstring(L, 2, &len);
    subject = from < subject ? subject - from : 0;
    struct pattern_cost cost = pattern_cost(pattern, len, subject, anchors);
    bool anchored = anchors && *pattern == '^';
    if (cost.bound > PATTERN_BOUND_MAX || cost.steps > STEPS_MAX ||
        (subject > SUBJECT_MAX && !anchored))
        refuse_pattern(L, function, subject);
    budget_work(L, (uint64_t)cost.steps * STEPS_PER_STEP +
                       (anchored ? 0 : subject * STEPS_PER_POSITION));
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
    const char *pattern = luaL_checkstring(L, 2);
    size_t from = start_of(L, 3), subject = lua_rawlen(L, 1);
    bool special = strpbrk(pattern, "^$*+?.([%-") || strlen(pattern) < lua_rawlen(L, 2);
    if (lua_toboolean(L, 4) || !special)
        check_plain(L, from < subject ? subject - from : 0);
    else
        check_pattern(L, "find", from, true);
    return go_on(L);
}

static int guard_match(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    check_pattern(L, "match", start_of(L, 3), true);
    return go_on(L);
}

static int guard_gmatch(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    check_pattern(L, "gmatch", start_of(L, 3), false); /* ^ is no anchor here */
    return go_on(L);
}

static int guard_gsub(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    check_pattern(L, "gsub", 0, true);
    return go_on(L);
}

/* ---- big results ---- */

/* Instead of the library's, which copies piece by piece: a billion times nothing takes seconds. */
static int guard_rep(lua_State *L)
{
    size_t len, gap;
    const char *text = luaL_checklstring(L, 1, &len);
    lua_Integer count = luaL_checkinteger(L, 2);
    const char *separator = luaL_optlstring(L, 3, "", &gap);
    int64_t limit = generation_of(L)->settings->memory_bytes;
    if (count <= 0 || len + gap == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((double)count * (double)(len + gap) > (double)limit)
        return luaL_error(L,
                          "string.rep: the result would be longer than the memory limit of "
                          "%d bytes",
                          (int)limit);
    size_t total = (size_t)count * (len + gap) - gap;
    luaL_Buffer buffer;
    char *out = luaL_buffinitsize(L, &buffer, total + gap);
    memcpy(out, text, len);
    memcpy(out + len, separator, gap);
    for (size_t have = len + gap; have < total + gap;) { /* doubles */
        size_t more = have < total + gap - have ? have : total + gap - have;
        memcpy(out + have, out, more);
        have += more;
    }
    luaL_pushresultsize(&buffer, total);
    return 1;
}

/* ---- loops of C ---- */

static uint64_t length_of(lua_State *L, int index)
{
    lua_Integer length = lua_istable(L, index) ? luaL_len(L, index) : 0;
    return length > 0 ? (uint64_t)length : 0;
}

static size_t longest_text(lua_State *L, uint64_t length)
{
    size_t longest = 0;
    for (uint64_t i = 1; i <= length; i++) {
        if (lua_rawgeti(L, 1, (lua_Integer)i) == LUA_TSTRING && lua_rawlen(L, -1) > longest)
            longest = lua_rawlen(L, -1);
        lua_pop(L, 1);
    }
    return longest;
}

/* Without a comparator in Lua no hook fires in it. */
static int guard_sort(lua_State *L)
{
    uint64_t length = length_of(L, 1);
    if (lua_isfunction(L, 2) && !lua_iscfunction(L, 2))
        return go_on(L);
    if (length > SORT_MAX)
        return luaL_error(L,
                          "table.sort: %d elements are too many (at most %d, or with a "
                          "comparison function)",
                          (int)(length < INT_MAX ? length : INT_MAX), SORT_MAX);
    double compares = (double)length * 20;
    if (compares * (double)longest_text(L, length) > COMPARED_MAX * 10)
        return luaL_error(L, "table.sort: the texts are too long");
    budget_work(L, (uint64_t)compares * STEPS_PER_MOVE);
    return go_on(L);
}

static void check_moves(lua_State *L, const char *function, double count)
{
    if (count > MOVES_MAX)
        luaL_error(L, "%s: too many elements would have to be moved (at most %d)", function,
                   MOVES_MAX);
    if (count > 0)
        budget_work(L, (uint64_t)count * STEPS_PER_MOVE);
}

/* table.insert(t, pos, x) and table.remove(t, pos) move everything behind pos, and believe __len.
 */
static void check_shift(lua_State *L, const char *function)
{
    lua_Integer position = lua_tointeger(L, 2);
    if (position >= 1)
        check_moves(L, function, (double)length_of(L, 1) - (double)position);
}

static int guard_insert(lua_State *L)
{
    if (lua_gettop(L) == 3)
        check_shift(L, "table.insert");
    return go_on(L);
}

static int guard_remove(lua_State *L)
{
    if (lua_gettop(L) >= 2)
        check_shift(L, "table.remove");
    return go_on(L);
}

static int guard_move(lua_State *L)
{
    check_moves(L, "table.move", (double)lua_tointeger(L, 3) - (double)lua_tointeger(L, 2));
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

/* Arguments and options of API functions, and the messages for wrong ones.
 *
 * Wrong use is an error with the script's line (POLICY.md §1); what can be foreseen at run time is
 * `nil, err` and never comes from here. */
#include <stdio.h>
#include <string.h>

#include "base/timetext.h"
#include "policy/api_parts.h"

static const char name_key; /* in metatables: what messages call such a value */

/* ---- where the script is ---- */

/* The innermost frame of an operator's file; of lua/ if there is no other: what the test kit or a
 * route refuses is the fault of who called it. */
bool api_caller(lua_State *L, struct api_place *place)
{
    lua_Debug ar;
    bool found = false;
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline < 0)
            continue;
        const char *name = ar.source[0] == '@' || ar.source[0] == '=' ? ar.source + 1 : ar.source;
        bool ours = strncmp(name, "lua/", 4) == 0;
        if (found && ours)
            continue;
        text_copy(place->file, sizeof(place->file), span_of(name));
        place->line = ar.currentline;
        found = true;
        if (!ours)
            break;
    }
    return found;
}

int api_raise(lua_State *L, const char *format, ...)
{
    struct reason why;
    struct api_place place;
    va_list args;
    va_start(args, format);
    vsnprintf(why.text, sizeof(why.text), format, args);
    va_end(args);
    if (api_caller(L, &place))
        lua_pushfstring(L, "%s:%d: %s", place.file, place.line, why.text);
    else
        lua_pushstring(L, why.text);
    return lua_error(L);
}

/* ---- arguments ---- */

const char *api_type_of(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TNONE:
        return "nil";
    case LUA_TBOOLEAN:
        return "a boolean";
    case LUA_TNUMBER:
        return "a number";
    case LUA_TSTRING:
        return "a string";
    case LUA_TFUNCTION:
        return "a function";
    case LUA_TLIGHTUSERDATA:
        return "json.null";
    case LUA_TTABLE:
    case LUA_TUSERDATA:
        break;
    default:
        return "something else";
    }
    const char *name = NULL;
    if (lua_getmetatable(L, index)) {
        if (lua_rawgetp(L, -1, &name_key) == LUA_TLIGHTUSERDATA)
            name = lua_touserdata(L, -1);
        lua_pop(L, 2);
    }
    return name ? name : lua_istable(L, index) ? "a table" : "an object";
}

void api_name_type(lua_State *L, const char *name)
{
    lua_pushlightuserdata(L, (void *)name);
    lua_rawsetp(L, -2, &name_key);
}

int api_bad_argument(lua_State *L, const char *function, int index, const char *argument,
                     const char *expected)
{
    /* Methods count from behind the object: what authors call argument 1 is stack index 2. */
    int shown = strchr(function, ':') ? index - 1 : index;
    return api_raise(L, "%s: argument %d (%s) must be %s, not %s", function, shown, argument,
                     expected, api_type_of(L, index));
}

const char *api_arg_string(lua_State *L, const char *function, int index, const char *argument)
{
    if (lua_type(L, index) != LUA_TSTRING)
        api_bad_argument(L, function, index, argument, "a string");
    size_t len;
    const char *text = lua_tolstring(L, index, &len);
    if (strlen(text) != len)
        api_raise(L, "%s: %s must not contain a zero byte", function, argument);
    return text;
}

int64_t api_arg_integer(lua_State *L, const char *function, int index, const char *argument)
{
    int is_int = 0;
    lua_Integer value = lua_tointegerx(L, index, &is_int);
    if (!is_int || lua_type(L, index) != LUA_TNUMBER)
        api_bad_argument(L, function, index, argument, "an integer");
    return value;
}

double api_arg_number(lua_State *L, const char *function, int index, const char *argument)
{
    if (lua_type(L, index) != LUA_TNUMBER)
        api_bad_argument(L, function, index, argument, "a number");
    return lua_tonumber(L, index);
}

void api_arg_function(lua_State *L, const char *function, int index, const char *argument)
{
    if (!lua_isfunction(L, index))
        api_bad_argument(L, function, index, argument, "a function");
}

void api_arg_table(lua_State *L, const char *function, int index, const char *argument)
{
    if (!lua_istable(L, index))
        api_bad_argument(L, function, index, argument, "a table");
}

static int64_t read_duration(lua_State *L, const char *function, int index, const char *argument)
{
    int64_t ms = 0;
    if (lua_type(L, index) == LUA_TNUMBER) {
        double seconds = lua_tonumber(L, index);
        if (seconds >= 0 && seconds <= 1e10)
            return (int64_t)(seconds * 1000 + 0.5);
        api_raise(L, "%s: %s must be a number of seconds from 0 on", function, argument);
    }
    if (lua_type(L, index) != LUA_TSTRING)
        api_bad_argument(L, function, index, argument, "a duration such as \"15m\"");
    if (!duration_parse(span_of(lua_tostring(L, index)), &ms))
        api_raise(L, "%s: %s: \"%s\" is no duration; write \"90s\", \"15m\", \"2h\" or \"1d\"",
                  function, argument, lua_tostring(L, index));
    return ms;
}

int64_t api_arg_duration(lua_State *L, const char *function, int index, const char *argument)
{
    return read_duration(L, function, index, argument);
}

bool api_whole_seconds(double seconds, int64_t *out)
{
    if (!(seconds > -1e12 && seconds < 1e12))
        return false;
    *out = (int64_t)seconds;
    if ((double)*out > seconds)
        (*out)--;
    return true;
}

/* ---- options ---- */

void api_check_members(lua_State *L, const char *function, int index, const char *const *names)
{
    if (lua_isnoneornil(L, index))
        return;
    if (!lua_istable(L, index))
        api_bad_argument(L, function, index, "options", "a table");
    size_t count = 0;
    while (names[count])
        count++;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            api_raise(L, "%s: the options are named, as in { %s = … }", function, names[0]);
        const char *key = lua_tostring(L, -2);
        bool known = false;
        for (size_t i = 0; i < count; i++)
            known = known || text_is(key, names[i]);
        if (known)
            continue;
        const char *near = text_nearest(key, names, count, sizeof(names[0]));
        api_raise(L, "%s: unknown option %s%s%s%s", function, key, near ? "; did you mean " : "",
                  near ? near : "", near ? "?" : "");
    }
}

/* Pushes the member; false, and nothing pushed, if there is none. */
static bool push_option(lua_State *L, int index, const char *name)
{
    if (!lua_istable(L, index))
        return false;
    if (lua_getfield(L, index, name) != LUA_TNIL)
        return true;
    lua_pop(L, 1);
    return false;
}

static int bad_option(lua_State *L, const char *function, const char *name, const char *expected)
{
    return api_raise(L, "%s: %s must be %s, not %s", function, name, expected, api_type_of(L, -1));
}

const char *api_opt_string(lua_State *L, const char *function, int index, const char *name)
{
    if (!push_option(L, index, name))
        return NULL;
    size_t len = 0;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
    if (!text)
        bad_option(L, function, name, "a string");
    if (strlen(text) != len)
        api_raise(L, "%s: %s must not contain a zero byte", function, name);
    lua_pop(L, 1);
    return text;
}

int64_t api_opt_integer(lua_State *L, const char *function, int index, const char *name,
                        int64_t fallback)
{
    if (!push_option(L, index, name))
        return fallback;
    int is_int = 0;
    lua_Integer value = lua_tointegerx(L, -1, &is_int);
    if (!is_int || lua_type(L, -1) != LUA_TNUMBER)
        bad_option(L, function, name, "an integer");
    lua_pop(L, 1);
    return value;
}

bool api_opt_bool(lua_State *L, const char *function, int index, const char *name, bool fallback)
{
    if (!push_option(L, index, name))
        return fallback;
    if (!lua_isboolean(L, -1))
        bad_option(L, function, name, "true or false");
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

int64_t api_opt_duration(lua_State *L, const char *function, int index, const char *name,
                         int64_t fallback)
{
    if (!push_option(L, index, name))
        return fallback;
    int64_t value = read_duration(L, function, lua_gettop(L), name);
    lua_pop(L, 1);
    return value;
}

/* ---- results of waits ---- */

int api_push_protected(lua_State *L, lua_CFunction fn, void *arg)
{
    lua_State *main = generation_of(L)->L;
    int before = lua_gettop(main);
    if (lua_checkstack(main, 20) && lua_checkstack(L, 20)) {
        lua_pushcfunction(main, fn);
        lua_pushlightuserdata(main, arg);
        if (lua_pcall(main, 1, LUA_MULTRET, 0) == LUA_OK) {
            int count = lua_gettop(main) - before;
            if (L != main && lua_checkstack(L, count))
                lua_xmove(main, L, count);
            return count;
        }
        lua_settop(main, before);
    }
    lua_pushnil(L);
    lua_pushboolean(L, 0);
    return 2;
}

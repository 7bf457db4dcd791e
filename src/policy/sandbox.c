/* See sandbox.h. Start reading at `allowed`: that is the list. */
#include "policy/sandbox.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/build.h"

/* POLICY §4, row "names"; "" are globals. What is not here and not an API row does not exist. */
static const struct library {
    const char *name;
    lua_CFunction open;
    const char *members[48];
} allowed[] = {
    {"",
     luaopen_base,
     {"assert", "error", "ipairs", "next", "pairs", "pcall", "select", "setmetatable", "tonumber",
      "tostring", "type"}},
    {"math",
     luaopen_math,
     {"abs",  "acos",   "asin",       "atan", "ceil",       "cos", "deg",        "exp",  "floor",
      "fmod", "huge",   "log",        "max",  "maxinteger", "min", "mininteger", "modf", "pi",
      "rad",  "random", "randomseed", "sin",  "sqrt",       "tan", "tointeger",  "type", "ult"}},
    {"string",
     luaopen_string,
     {"byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "pack",
      "packsize", "rep", "reverse", "sub", "unpack", "upper"}},
    {"table", luaopen_table, {"concat", "insert", "move", "pack", "remove", "sort", "unpack"}},
    {"utf8", luaopen_utf8, {"char", "charpattern", "codepoint", "codes", "len", "offset"}},
    {"os", NULL, {NULL}}, /* time and date are ours */
};

/* Standard names that are left out: asking for one says so, instead of "unknown". */
static const char *const absent[] = {
    "load",     "loadstring", "dofile",         "loadfile",     "print",    "io",
    "package",  "debug",      "coroutine",      "xpcall",       "rawequal", "rawget",
    "rawlen",   "rawset",     "collectgarbage", "getmetatable", "warn",     "_G",
    "_VERSION", "module",     "setfenv",        "getfenv",      "unpack",   "bit32"};
static const char *const absent_members[] = {"string.dump", "os.*"}; /* * : but for the allowed */

static const char *const keywords[] = {"and",   "break", "do",       "else", "elseif", "end",
                                       "false", "for",   "function", "goto", "if",     "in",
                                       "local", "nil",   "not",      "or",   "repeat", "return",
                                       "then",  "true",  "until",    "while"};

/* Registry keys by address: the libraries (a table by name), the names by kind of file. */
static const char libraries_key, real_key;
static const char names_keys[SOURCE_BUILTIN_LIB + 1];

static bool is_absent(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        if (strcmp(absent[i], name) == 0)
            return true;
    }
    return false;
}

static bool is_absent_member(const char *library, const char *field)
{
    size_t len = strlen(library);
    for (size_t i = 0; i < ARRAY_LEN(absent_members); i++) {
        const char *member = absent_members[i] + len + 1;
        if (strncmp(absent_members[i], library, len) == 0 && member[-1] == '.' &&
            (strcmp(member, "*") == 0 || strcmp(member, field) == 0))
            return true;
    }
    return false;
}

/* ---- did you mean ---- */

/* The text keys of the table on top, and `more`, near `word`. */
static void find_nearest(lua_State *L, const char *word, const char *const *more, size_t count,
                         char nearest[NEAREST_SIZE])
{
    size_t room = 0, used = count;
    const char **names = NULL;
    for (size_t i = 0; i < count; i++) {
        names = xgrow(names, i, &room, sizeof(*names));
        names[i] = more[i];
    }
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            continue;
        names = xgrow(names, used, &room, sizeof(*names));
        names[used++] = lua_tostring(L, -2);
    }
    const char *near = text_nearest(word, names, used, sizeof(*names));
    text_copy(nearest, NEAREST_SIZE, span_of(near ? near : ""));
    XFREE(names);
}

/* Pushes the table behind a library, or behind a table of the API (api_freeze), on top of the
 * stack; false (nothing pushed) for other values, and for those of which any member may be asked.
 */
static bool push_real(lua_State *L)
{
    if (!lua_istable(L, -1) || !lua_getmetatable(L, -1))
        return false;
    if (lua_rawgetp(L, -1, &real_key) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_pushliteral(L, "__index");
        lua_rawget(L, -2);
    }
    lua_remove(L, -2);
    if (lua_istable(L, -1) && luaL_getmetafield(L, -1, "__index") != LUA_TNIL) {
        lua_pop(L, 1);
        return true;
    }
    lua_pop(L, 1);
    return false;
}

/* ---- libraries ---- */

static int on_library_write(lua_State *L)
{
    return luaL_error(L, "%s is read-only", lua_tostring(L, lua_upvalueindex(1)));
}

static enum sandbox_name look_up_field(lua_State *L, const char *library, const char *field,
                                       char nearest[NEAREST_SIZE])
{
    if (is_absent_member(library, field))
        return SANDBOX_ABSENT;
    find_nearest(L, field, NULL, 0, nearest);
    return SANDBOX_UNKNOWN;
}

static int raise_unknown(lua_State *L, enum sandbox_name kind, const char *prefix, const char *name,
                         const char *nearest)
{
    if (kind == SANDBOX_ABSENT)
        return luaL_error(L, "%s%s is not available to policies", prefix, name);
    if (nearest[0])
        return luaL_error(L, "%s%s is unknown (did you mean %s%s?)", prefix, name, prefix, nearest);
    return luaL_error(L, "%s%s is unknown", prefix, name);
}

/* Upvalues: name, the table behind. */
static int on_library_read(lua_State *L)
{
    const char *library = lua_tostring(L, lua_upvalueindex(1));
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "%s has no such member", library);
    char nearest[NEAREST_SIZE] = "";
    lua_pushvalue(L, lua_upvalueindex(2));
    enum sandbox_name kind = look_up_field(L, library, lua_tostring(L, 2), nearest);
    lua_pushfstring(L, "%s.", library);
    return raise_unknown(L, kind, lua_tostring(L, -1), lua_tostring(L, 2), nearest);
}

/* The table on top becomes what scripts cannot change and what says so when a member is unknown:
 * an empty table before it. */
static void freeze(lua_State *L, const char *name)
{
    lua_newtable(L); /* of the table behind: unknown members */
    lua_pushstring(L, name);
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, on_library_read, 2);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);

    lua_newtable(L); /* the view */
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -3);
    lua_rawsetp(L, -2, &real_key);
    lua_pushstring(L, name);
    lua_pushcclosure(L, on_library_write, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

static void copy_members(lua_State *L, const struct library *library)
{
    for (const char *const *name = library->members; *name; name++) {
        lua_getfield(L, -2, *name);
        lua_setfield(L, -2, *name);
    }
}

static void add_guards(lua_State *L, const char *library)
{
    for (const struct sandbox_guard *guard = sandbox_guards; guard->library; guard++) {
        if (strcmp(guard->library, library) != 0)
            continue;
        lua_getfield(L, -1, guard->name); /* nil if it is all ours */
        lua_pushcclosure(L, guard->fn, 1);
        lua_setfield(L, -2, guard->name);
    }
}

/* `("x"):rep(3)`: methods of strings are the guarded ones too. */
static void set_string_methods(lua_State *L)
{
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
}

/* Leaves the view of a library, or the plain table of the globals, on top. */
static void open_library(lua_State *L, const struct library *library)
{
    if (library->open) {
        lua_pushcfunction(L, library->open);
        lua_call(L, 0, 1);
    } else {
        lua_newtable(L);
    }
    lua_newtable(L);
    copy_members(L, library);
    add_guards(L, library->name);
    lua_remove(L, -2);
    if (strcmp(library->name, "string") == 0)
        set_string_methods(L);
    if (library->name[0])
        freeze(L, library->name);
}

void sandbox_open(lua_State *L)
{
    lua_newtable(L);
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        open_library(L, &allowed[i]);
        lua_setfield(L, -2, allowed[i].name);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &libraries_key);
}

/* ---- globals ---- */

static enum sandbox_name look_up_global(lua_State *L, const char *name, char nearest[NEAREST_SIZE])
{
    if (is_absent(name))
        return SANDBOX_ABSENT;
    find_nearest(L, name, keywords, ARRAY_LEN(keywords), nearest);
    return SANDBOX_UNKNOWN;
}

/* Upvalue: the names. */
static int on_unknown_global(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "_ENV has no such member");
    const char *name = lua_tostring(L, 2);
    char nearest[NEAREST_SIZE] = "";
    lua_pushvalue(L, lua_upvalueindex(1));
    enum sandbox_name kind = look_up_global(L, name, nearest);
    return raise_unknown(L, kind, "", name, nearest);
}

static int on_global_write(lua_State *L)
{
    lua_settop(L, 2);
    return luaL_error(L, "assignment to the global '%s': write local %s",
                      luaL_tolstring(L, 2, NULL), lua_tostring(L, -1));
}

/* `on` is one object for all files: handlers belong to the file that is being loaded. */
static void add_on(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, sandbox_on_define);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, sandbox_on_read);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "on");
}

/* The table of the names that files of this kind may use; made when first asked for, because which
 * API tables there are depends on the phase. */
static void push_names(lua_State *L, enum source_kind kind)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &names_keys[kind]) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &libraries_key);
    for (size_t i = 1; i < ARRAY_LEN(allowed); i++) {
        lua_getfield(L, -1, allowed[i].name);
        lua_setfield(L, -3, allowed[i].name);
    }
    lua_getfield(L, -1, "");
    for (lua_pushnil(L); lua_next(L, -2);) { /* the plain functions */
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -6);
    }
    lua_pop(L, 2);
    add_on(L);
    api_fill_environment(L, kind == SOURCE_BUILTIN || kind == SOURCE_BUILTIN_LIB);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, on_unknown_global, 1);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &names_keys[kind]);
}

void sandbox_push_environment(lua_State *L, enum source_kind kind)
{
    lua_newtable(L);
    lua_createtable(L, 0, 3);
    push_names(L, kind);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, on_global_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

enum sandbox_name sandbox_look_up(lua_State *L, enum source_kind kind, const char *name,
                                  const char *field, char nearest[NEAREST_SIZE])
{
    int top = lua_gettop(L);
    enum sandbox_name found = SANDBOX_KNOWN;
    char unused[NEAREST_SIZE];
    nearest = nearest ? nearest : unused;
    nearest[0] = '\0';
    push_names(L, kind);
    lua_pushstring(L, name);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pop(L, 1);
        found = look_up_global(L, name, nearest);
    } else if (field && push_real(L)) {
        lua_pushstring(L, field);
        if (lua_rawget(L, -2) == LUA_TNIL) {
            lua_pop(L, 1);
            found = look_up_field(L, name, field, nearest);
        }
    }
    lua_settop(L, top);
    return found;
}

/* ---- for the manual ---- */

static void print_name(struct strbuf *out, const char *library, const char *name)
{
    strbuf_addf(out, " `%s%s%s`", library, library[0] ? "." : "", name);
}

static bool is_member(const struct library *library, const char *name)
{
    for (const char *const *member = library->members; *member; member++) {
        if (strcmp(*member, name) == 0)
            return true;
    }
    return false;
}

void sandbox_print(struct strbuf *out)
{
    strbuf_adds(out, "## Names of Lua\n\nOf standard Lua 5.4 there are:");
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        for (const char *const *name = allowed[i].members; *name; name++)
            print_name(out, allowed[i].name, *name);
        for (const struct sandbox_guard *guard = sandbox_guards; guard->library; guard++) {
            if (strcmp(guard->library, allowed[i].name) == 0 &&
                !is_member(&allowed[i], guard->name))
                print_name(out, guard->library, guard->name);
        }
    }
    strbuf_adds(out, ".\n\nNot available to policies:");
    for (size_t i = 0; i < ARRAY_LEN(absent); i++)
        print_name(out, "", absent[i]);
    for (size_t i = 0; i < ARRAY_LEN(absent_members); i++)
        print_name(out, "", absent_members[i]);
    strbuf_adds(out,
                " (but for those above). Asking for one of them, or for a name that nobody "
                "knows, is an error when the file is loaded, where it can be seen, or when it is "
                "used. So is writing to a global.\n\n");
}

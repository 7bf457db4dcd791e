/* `require "idtags"`: runs lib/idtags.lua once a generation and keeps what it returns (POLICY §1).
 *
 * Nothing else is loadable, but for lua-cjson (api_push_module). A lib that fails is a finding even
 * if the file that required it catches the error: fail closed. Cycles are named. */
#include <lauxlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/build_parts.h"
#include "policy/errors.h"
#include "policy/sandbox.h"

static const char loaded_key; /* registry: name → value, or one of the marks */
static const char running_mark, failed_mark;

static void push_loaded(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &loaded_key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &loaded_key);
}

static int raise_missing(lua_State *L, const struct generation *generation, const char *name)
{
    const struct source_set *set = &generation->sources;
    const char **names = lua_newuserdatauv(L, (set->count + 1) * sizeof(*names), 0);
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        const char *have = set->files[i].name;
        if (source_kind_of(&set->files[i]) != SOURCE_LIB)
            continue;
        luaL_checkstack(L, 4, NULL);
        names[count++] = lua_pushlstring(L, have + 4, strlen(have) - 8); /* lib/….lua */
    }
    const char *near = text_nearest(name, names, count, sizeof(*names));
    if (near)
        return luaL_error(L, "require: there is no lib/%s.lua (did you mean '%s'?)", name, near);
    return luaL_error(L, "require: there is no lib/%s.lua", name);
}

/* Libs of the program are for the program's files. */
static int find_lib(const struct generation *generation, const char *name)
{
    char file[SOURCE_NAME_MAX + 16];
    int from = generation->loading_file;
    bool builtin = from >= 0 && generation->sources.files[from].builtin;
    struct strbuf path = {.cap = sizeof(file) - 1};
    strbuf_addf(&path, "%slib/%s.lua", builtin ? "lua/" : "", name);
    int found = path.overflow ? -1 : generation_file(generation, strbuf_text(&path), path.len);
    strbuf_clear(&path);
    return found;
}

static int run_lib(lua_State *L)
{
    return build_run_chunk(generation_of(L), (int)lua_tointeger(L, 1), L) ? 1 : 0;
}

/* In a protected call of its own, so that the failure is known even if a pcall above hides it. */
static int load_lib(lua_State *L, struct generation *generation, const char *name, int file)
{
    int requirer = generation->loading_file;
    struct policy_error what = {0};
    lua_pushlightuserdata(L, (void *)&running_mark);
    lua_setfield(L, 2, name);
    error_push_handler(L, &what);
    int handler = lua_gettop(L);
    lua_pushcfunction(L, run_lib);
    lua_pushinteger(L, file);
    int status = lua_pcall(L, 1, 1, handler);
    generation->loading_file = requirer;
    if (status != LUA_OK)
        build_report_error(generation, file, L, &what);
    bool ok = status == LUA_OK && !lua_isnil(L, -1);
    if (ok)
        lua_pushvalue(L, -1);
    else
        lua_pushlightuserdata(L, (void *)&failed_mark);
    lua_setfield(L, 2, name);
    return ok ? 1
              : luaL_error(L, "require '%s': %s has errors", name,
                           generation_file_name(generation, file));
}

int sandbox_require(lua_State *L)
{
    struct generation *generation = generation_of(L);
    if (lua_type(L, 1) != LUA_TSTRING)
        return luaL_error(L, "require needs the name of a file in lib/");
    const char *name = lua_tostring(L, 1);
    lua_settop(L, 1);
    push_loaded(L); /* 2 */
    if (lua_getfield(L, 2, name) != LUA_TNIL) {
        const void *mark = lua_islightuserdata(L, -1) ? lua_touserdata(L, -1) : NULL;
        if (mark == &running_mark)
            return luaL_error(L, "require '%s': it is being loaded right now (a cycle)", name);
        if (mark == &failed_mark)
            return luaL_error(L, "require '%s': it has errors", name);
        return 1;
    }
    lua_pop(L, 1);
    if (api_push_module(L, name))
        return 1;
    int file = find_lib(generation, name);
    if (file < 0)
        return raise_missing(L, generation, name);
    if (generation->loading_file < 0)
        return luaL_error(L, "require '%s': files are loaded only while a policy file loads", name);
    return load_lib(L, generation, name, file);
}

/* `core`: files, one-time links and live events; bodies that come piece by piece as values.
 *
 * A `source` is a userdata that owns a body_source until a response takes it (source_take); one
 * that is never sent is closed by its __gc or __close. */
#include <string.h>

#include "base/mem.h"
#include "policy/api_rest.h"
#include "policy/router.h"

/* ---- sources ---- */

static const char source_key; /* registry: metatable */

struct source_value {
    bool open; /* still ours */
    struct body_source source;
};

static struct source_value *push_source(lua_State *L)
{
    struct source_value *value = lua_newuserdatauv(L, sizeof(*value), 0);
    value->open = false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &source_key);
    lua_setmetatable(L, -2);
    return value;
}

static int source_close(lua_State *L)
{
    struct source_value *value = lua_touserdata(L, 1);
    if (value->open) {
        value->open = false;
        value->source.close(value->source.ctx);
    }
    return 0;
}

void api_open_source(lua_State *L)
{
    static const luaL_Reg metamethods[] = {
        {"__gc", source_close}, {"__close", source_close}, {NULL, NULL}};
    api_open_object(L, &source_key, "a source", metamethods);
}

bool source_is(lua_State *L, int index)
{
    return api_to_object(L, index, &source_key) != NULL;
}

bool source_take(lua_State *L, int index, struct body_source *out)
{
    struct source_value *value = api_to_object(L, index, &source_key);
    if (!value || !value->open)
        return false;
    value->open = false;
    *out = value->source;
    return true;
}

/* ---- events ---- */

int rest_events(lua_State *L)
{
    static const char *const names[] = {"cpid", "types", "lastId", NULL};
    static const char what[] = "core.events";
    const struct policy_ports *ports = generation_ports(generation_of(L));
    generation_require_live(L, what);
    api_check_members(L, what, 1, names);
    const char *cp = api_opt_string(L, what, 1, "cpid");
    const char *types = api_opt_string(L, what, 1, "types");
    int64_t last_id = api_opt_integer(L, what, 1, "lastId", ABSENT);
    struct reason why;
    reason_set(&why, "there are no events here");
    struct source_value *value = push_source(L);
    value->open = ports && ports->events &&
                  ports->events(ports->ctx, cp, types, last_id, &value->source, &why);
    if (value->open)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, why.text);
    return 2;
}

/* ---- files ---- */

/* NULL where there are none: offline, and in tests. */
static const struct policy_files *files_of(lua_State *L, const char *what, void **ctx)
{
    const struct policy_ports *ports = generation_ports(generation_of(L));
    generation_require_live(L, what);
    *ctx = ports ? ports->ctx : NULL;
    return ports ? ports->files : NULL;
}

static int no_files(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "there are no files here");
    return 2;
}

static int fail(lua_State *L, const struct reason *why)
{
    lua_pushnil(L);
    lua_pushstring(L, why->text);
    return 2;
}

static void push_info(lua_State *L, const struct policy_file *file)
{
    lua_createtable(L, 0, 3);
    api_set_string(L, "name", file->name);
    api_set_integer(L, "size", file->size);
    api_set_integer(L, "modifiedMs", file->modified_ms);
}

int rest_file_source(lua_State *L)
{
    void *ctx;
    const char *name = api_arg_string(L, "core.file_source", 1, "name");
    const struct policy_files *files = files_of(L, "core.file_source", &ctx);
    struct policy_file info;
    struct reason why;
    if (!files)
        return no_files(L);
    struct source_value *value = push_source(L);
    value->open = files->source(ctx, name, &value->source, &info, &why);
    if (!value->open)
        return fail(L, &why);
    push_info(L, &info);
    return 2;
}

int rest_files(lua_State *L)
{
    void *ctx;
    const struct policy_files *files = files_of(L, "core.files", &ctx);
    const char *after = lua_isnoneornil(L, 1) ? NULL : api_arg_string(L, "core.files", 1, "after");
    int64_t limit = lua_isnoneornil(L, 2) ? 100 : api_arg_integer(L, "core.files", 2, "limit");
    struct policy_file file;
    char last[sizeof(file.name)] = "";
    lua_Integer count = 0;
    bool more = false;
    lua_newtable(L);
    api_mark_array(L, -1);
    while (files && files->next(ctx, after, &file)) {
        more = count >= limit;
        if (more)
            break;
        push_info(L, &file);
        lua_rawseti(L, -2, ++count);
        memcpy(last, file.name, sizeof(last));
        after = last;
    }
    lua_pushstring(L, more ? last : NULL);
    return 2;
}

int rest_file_keep(lua_State *L)
{
    void *ctx;
    const struct policy_files *files = files_of(L, "core.file_keep", &ctx);
    int64_t upload = api_arg_integer(L, "core.file_keep", 1, "upload");
    const char *name = api_arg_string(L, "core.file_keep", 2, "name");
    struct policy_file info;
    struct reason why;
    if (!files)
        return no_files(L);
    if (!files->keep(ctx, (uint64_t)upload, name, &info, &why))
        return fail(L, &why);
    push_info(L, &info);
    return 1;
}

int rest_file_discard(lua_State *L)
{
    void *ctx;
    const struct policy_files *files = files_of(L, "core.file_discard", &ctx);
    int64_t upload = api_arg_integer(L, "core.file_discard", 1, "upload");
    if (files)
        files->discard(ctx, (uint64_t)upload);
    return 0;
}

int rest_file_remove(lua_State *L)
{
    void *ctx;
    const struct policy_files *files = files_of(L, "core.file_remove", &ctx);
    const char *name = api_arg_string(L, "core.file_remove", 1, "name");
    struct reason why;
    if (!files)
        return no_files(L);
    if (!files->remove(ctx, name, &why))
        return fail(L, &why);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- links ---- */

int rest_file_link(lua_State *L)
{
    static const char *const names[] = {"name", "upload", "cpid", "validMs", NULL};
    static const char what[] = "core.file_link";
    void *ctx;
    const struct policy_files *files = files_of(L, what, &ctx);
    api_arg_table(L, what, 1, "link");
    api_check_members(L, what, 1, names);
    const char *name = api_opt_string(L, what, 1, "name");
    const char *cp = api_opt_string(L, what, 1, "cpid");
    bool upload = api_opt_bool(L, what, 1, "upload", false);
    int64_t valid_ms = api_opt_integer(L, what, 1, "validMs", 0);
    struct reason why;
    if (!name || valid_ms <= 0)
        return api_raise(L, "%s: name and validMs are needed", what);
    if (!files)
        return no_files(L);
    struct strbuf url = {.cap = 2000};
    if (!files->link(ctx, name, upload, cp ? cp : "", valid_ms, &url, &why)) {
        strbuf_clear(&url);
        return fail(L, &why);
    }
    char text[2048];
    text_copy(text, sizeof(text), (struct span){strbuf_text(&url), url.len});
    strbuf_clear(&url);
    lua_pushstring(L, text);
    return 1;
}

int rest_file_link_find(lua_State *L)
{
    void *ctx;
    const struct policy_files *files = files_of(L, "core.file_link_find", &ctx);
    const char *token = api_arg_string(L, "core.file_link_find", 1, "token");
    char name[129], cp[256];
    bool upload;
    if (!files || !files->link_find(ctx, token, name, &upload, cp)) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 3);
    api_set_string(L, "name", name);
    api_set_bool(L, "upload", upload);
    api_set_string(L, "cpid", cp[0] ? cp : NULL);
    return 1;
}

int rest_file_link_use(lua_State *L)
{
    void *ctx;
    const struct policy_files *files = files_of(L, "core.file_link_use", &ctx);
    const char *token = api_arg_string(L, "core.file_link_use", 1, "token");
    if (files)
        files->link_use(ctx, token);
    return 0;
}

/* `core`: tags as PUT, GET and DELETE /api/v1/tags see them. */
#include <string.h>

#include "policy/api_rest.h"

static void push_tag(lua_State *L, const struct id_tag *tag)
{
    lua_createtable(L, 0, 6);
    api_set_string(L, "idTag", tag->id_tag);
    api_set_string(L, "status", tag->status);
    api_set_integer(L, "expiryMs", tag->expiry_ms);
    api_set_string(L, "parentIdTag", tag->parent_id_tag);
    api_set_string(L, "note", tag->note);
    api_set_integer(L, "maxActive", tag->max_active);
}

static int push_tags(lua_State *L)
{
    const struct page *page = lua_touserdata(L, 1);
    lua_createtable(L, (int)page_count(page), 0);
    for (size_t i = 0; i < page_count(page); i++) {
        push_tag(L, page->items[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    api_mark_array(L, -1);
    lua_pushstring(L, page_next(page));
    return 2;
}

int rest_tags(lua_State *L)
{
    struct station *st = api_station(L, "core.tags");
    const struct id_tag *tag;
    struct page page;
    size_t at = 0;
    page_init(L, &page, "core.tags", 1);
    while ((tag = station_tag_next(st, &at)) != NULL)
        page_offer(&page, tag->id_tag, tag);
    return page_push(L, &page, push_tags);
}

int rest_tag(lua_State *L)
{
    struct station *st = api_station(L, "core.tag");
    const struct id_tag *tag = station_tag(st, api_arg_string(L, "core.tag", 1, "idTag"));
    if (tag)
        push_tag(L, tag);
    else
        lua_pushnil(L);
    return 1;
}

/* The table at `index`; it keeps the texts alive. */
static struct id_tag read_tag(lua_State *L, const char *what, int index)
{
    static const char *const names[] = {"idTag", "status",    "expiryMs", "parentIdTag",
                                        "note",  "maxActive", NULL};
    api_check_members(L, what, index, names);
    struct id_tag tag = {.id_tag = (char *)api_opt_string(L, what, index, "idTag"),
                         .status = (char *)api_opt_string(L, what, index, "status"),
                         .expiry_ms = api_opt_integer(L, what, index, "expiryMs", ABSENT),
                         .parent_id_tag = (char *)api_opt_string(L, what, index, "parentIdTag"),
                         .note = (char *)api_opt_string(L, what, index, "note"),
                         .max_active = api_opt_integer(L, what, index, "maxActive", ABSENT)};
    if (!tag.id_tag || !tag.status)
        api_raise(L, "%s: idTag and status are needed", what);
    return tag;
}

int rest_put_tag(lua_State *L)
{
    struct station *st = api_station(L, "core.put_tag");
    api_arg_table(L, "core.put_tag", 1, "tag");
    const struct id_tag tag = read_tag(L, "core.put_tag", 1);
    struct reason why;
    struct change_wait wait = rest_change_begin(L, "core.put_tag");
    bool begun = station_tag_put(st, &tag, &why, wait.done, wait.ctx);
    return rest_change_end(L, &wait, begun, "invalid", why.text);
}

int rest_delete_tag(lua_State *L)
{
    struct station *st = api_station(L, "core.delete_tag");
    const char *id_tag = api_arg_string(L, "core.delete_tag", 1, "idTag");
    struct change_wait wait = rest_change_begin(L, "core.delete_tag");
    bool begun = station_tag_delete(st, id_tag, wait.done, wait.ctx);
    return rest_change_end(L, &wait, begun, "unknown", "no such tag");
}

/* ---- many at once ---- */

/* Argument: the list. All texts stay alive in it. */
static void read_tags(lua_State *L, struct id_tag *tags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        if (!lua_istable(L, -1))
            api_raise(L, "core.import_tags: item %d is no tag", (int)i + 1);
        tags[i] = read_tag(L, "core.import_tags", lua_gettop(L));
        lua_pop(L, 1);
    }
}

int rest_import_tags(lua_State *L)
{
    struct station *st = api_station(L, "core.import_tags");
    api_arg_table(L, "core.import_tags", 1, "tags");
    size_t count = lua_rawlen(L, 1), bad = 0;
    struct id_tag *tags = lua_newuserdatauv(L, (count + 1) * sizeof(*tags), 0);
    read_tags(L, tags, count);
    if (count == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    struct reason why;
    struct change_wait wait = rest_change_begin(L, "core.import_tags");
    if (station_tags_import(st, tags, count, &bad, &why, wait.done, wait.ctx))
        return rest_change_end(L, &wait, true, NULL, NULL);
    rest_change_drop(&wait);
    api_fail(L, "invalid", "%s", why.text);
    lua_createtable(L, 0, 1);
    api_set_integer(L, "index", (int64_t)bad + 1);
    lua_setfield(L, -2, "details");
    return 2;
}

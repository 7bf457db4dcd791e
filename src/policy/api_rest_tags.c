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

int rest_put_tag(lua_State *L)
{
    static const char *const names[] = {"idTag", "status",    "expiryMs", "parentIdTag",
                                        "note",  "maxActive", NULL};
    struct station *st = api_station(L, "core.put_tag");
    api_arg_table(L, "core.put_tag", 1, "tag");
    api_check_members(L, "core.put_tag", 1, names);
    struct id_tag tag = {.id_tag = (char *)api_opt_string(L, "core.put_tag", 1, "idTag"),
                         .status = (char *)api_opt_string(L, "core.put_tag", 1, "status"),
                         .expiry_ms = api_opt_integer(L, "core.put_tag", 1, "expiryMs", ABSENT),
                         .parent_id_tag =
                             (char *)api_opt_string(L, "core.put_tag", 1, "parentIdTag"),
                         .note = (char *)api_opt_string(L, "core.put_tag", 1, "note"),
                         .max_active = api_opt_integer(L, "core.put_tag", 1, "maxActive", ABSENT)};
    if (!tag.id_tag || !tag.status)
        return api_raise(L, "core.put_tag: idTag and status are needed");
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

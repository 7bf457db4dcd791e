/* `idtags { … }`: an allow-list that is checked when the file loads; `tag(idTag)`: a tag set by
 * REST.
 *
 * The list becomes a read-only table that finds tags in any spelling. All bad entries are findings
 * of the build, each with the line of its key (api_tags_scan.c); outside of a build the first one
 * is an error. */
#include <string.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "policy/api_tags.h"

enum { TAG_BYTES_MAX = 255, GROUP_CHARS_MAX = 20, SECONDS_A_DAY = 86400 };

/* ---- one entry ---- */

/* Leaves the checked entry's table, with what is on top added under `name`. */
static bool wrong(struct checking *c, const char *tag, const char *name, const char *expected)
{
    tags_fault(c, tag, "%s must be %s, not %s", name, expected, api_type_of(c->L, -1));
    return false;
}

/* A date lasts to its end in site time: it becomes the next midnight. Date and time are exact. */
static bool read_expires(struct checking *c, const char *tag, const char *name)
{
    lua_State *L = c->L;
    int zone = (int)generation_of(L)->settings->zone_minutes;
    wall_t at;
    if (lua_isinteger(L, -1)) {
        lua_pushvalue(L, -1);
        return true;
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        return wrong(c, tag, name, "a date such as \"2026-12-31\"");
    struct span text = span_of(lua_tostring(L, -1));
    if (timetext_parse_date(text, &at)) {
        lua_pushinteger(L, at / 1000 - zone * 60 + SECONDS_A_DAY);
        return true;
    }
    if (timetext_parse(text, zone, &at)) {
        lua_pushinteger(L, at / 1000);
        return true;
    }
    tags_fault(c, tag, "%s: \"%s\" is no date; write \"2026-12-31\"", name, text.at);
    return false;
}

static bool read_hours(struct checking *c, const char *tag, const char *name)
{
    struct reason why;
    if (lua_type(c->L, -1) != LUA_TSTRING)
        return wrong(c, tag, name, "hours such as \"22:00-06:00\"");
    if (api_push_window(c->L, span_of(lua_tostring(c->L, -1)), &why))
        return true;
    tags_fault(c, tag, "%s: %s", name, why.text);
    return false;
}

static bool read_text(struct checking *c, const char *tag, const char *name)
{
    size_t len = 0;
    const char *text = lua_type(c->L, -1) == LUA_TSTRING ? lua_tolstring(c->L, -1, &len) : NULL;
    if (!text)
        return wrong(c, tag, name, "a text");
    if (text_is(name, "group") && (len == 0 || len > GROUP_CHARS_MAX)) {
        tags_fault(c, tag, "group must have 1 to %d characters", GROUP_CHARS_MAX);
        return false;
    }
    lua_pushvalue(c->L, -1);
    return true;
}

static bool read_bool(struct checking *c, const char *tag, const char *name)
{
    if (!lua_isboolean(c->L, -1))
        return wrong(c, tag, name, "true or false");
    lua_pushvalue(c->L, -1);
    return true;
}

static bool read_count(struct checking *c, const char *tag, const char *name)
{
    if (!lua_isinteger(c->L, -1) || lua_tointeger(c->L, -1) < 1)
        return wrong(c, tag, name, "an integer from 1 on");
    lua_pushvalue(c->L, -1);
    return true;
}

static const struct {
    const char *name;
    bool (*read)(struct checking *c, const char *tag, const char *name);
} members[] = {
    {"name", read_text},   {"group", read_text},       {"expires", read_expires},
    {"hours", read_hours}, {"blocked", read_bool},     {"why", read_text},
    {"shared", read_bool}, {"max_active", read_count},
};

/* The member (key at -2, value at -1) into the entry at `to`. */
static void read_member(struct checking *c, const char *tag, int to)
{
    lua_State *L = c->L;
    if (lua_type(L, -2) != LUA_TSTRING) {
        tags_fault(c, tag, "its members are named, as in { name = \"…\" }");
        return;
    }
    const char *name = lua_tostring(L, -2);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (!text_is(name, members[i].name))
            continue;
        if (members[i].read(c, tag, name))
            lua_setfield(L, to, name);
        return;
    }
    const char *near = text_nearest(name, members, ARRAY_LEN(members), sizeof(members[0]));
    tags_fault(c, tag, "unknown member %s%s%s%s", name, near ? "; did you mean \"" : "",
               near ? near : "", near ? "\"?" : "");
}

/* The key at -2, its entry at -1; the checked entry goes into the table at `list`. */
static void read_entry(struct checking *c, int list)
{
    lua_State *L = c->L;
    size_t len;
    if (lua_type(L, -2) != LUA_TSTRING) {
        tags_fault(c, NULL, "a key that is no text; write [\"04A2B3C4\"] = { … }");
        return;
    }
    const char *tag = lua_tolstring(L, -2, &len);
    if (len == 0 || len > TAG_BYTES_MAX || strlen(tag) != len || !utf8_valid(tag, len)) {
        tags_fault(c, tag, "an idTag is a text of 1 to %d bytes", TAG_BYTES_MAX);
        return;
    }
    if (!lua_istable(L, -1)) {
        tags_fault(c, tag, "its entry must be a table such as { name = \"…\" }, not %s",
                   api_type_of(L, -1));
        return;
    }
    char upper[TAG_BYTES_MAX + 1];
    text_copy(upper, sizeof(upper), span_of(tag));
    text_upper(upper);
    int from = lua_gettop(L);
    lua_newtable(L);
    api_set_string(L, "idTag", tag);
    for (lua_pushnil(L); lua_next(L, from); lua_settop(L, from + 2))
        read_member(c, tag, from + 1);
    api_freeze(L, "an idTag entry", true);
    if (lua_getfield(L, list, upper) != LUA_TNIL)
        tags_fault(c, tags_later(c, upper), "this tag is in the list twice");
    lua_pop(L, 1);
    lua_setfield(L, list, upper);
}

/* ---- the list ---- */

static int list_index(lua_State *L)
{
    char upper[TAG_BYTES_MAX + 1];
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    text_copy(upper, sizeof(upper), span_of(lua_tostring(L, 2)));
    text_upper(upper);
    lua_getfield(L, lua_upvalueindex(1), upper);
    return 1;
}

/* Replaces the table on top by its read-only view that ignores case. */
static void freeze_list(lua_State *L)
{
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, list_index, 1);
    lua_insert(L, -2);
    api_freeze(L, "a list of idTags", true);
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_remove(L, -2);
}

/* Arguments: the list, what is being checked. */
static int check_list(lua_State *L)
{
    struct checking *c = lua_touserdata(L, 2);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, 1); lua_settop(L, 4))
        read_entry(c, 3);
    tags_check_repeats(c);
    if (c->faults == 0 || c->report)
        freeze_list(L);
    return 1;
}

static int tags_list(lua_State *L)
{
    struct checking c = {.L = L, .report = generation_of(L)->report};
    if (!lua_istable(L, 1))
        return api_bad_argument(L, "idtags", 1, "list", "a table of idTags");
    lua_settop(L, 1);
    tags_scan(&c);
    lua_pushcfunction(L, check_list);
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, &c);
    int status = lua_pcall(L, 2, 1, 0);
    tags_scan_clear(&c);
    if (status != LUA_OK)
        return lua_error(L);
    if (c.faults && !c.report)
        return api_raise(L, "idtags: %s", c.first.text);
    return 1;
}

/* ---- tags set by REST ---- */

static int tags_find(lua_State *L)
{
    const char *id_tag = api_arg_string(L, "tag", 1, "idTag");
    const struct id_tag *tag = station_tag(api_station(L, "tag"), id_tag);
    if (!tag) {
        lua_pushnil(L);
        return 1;
    }
    lua_newtable(L);
    api_set_string(L, "idTag", tag->id_tag);
    api_set_string(L, "status", tag->status);
    api_set_seconds(L, "expires", tag->expiry_ms);
    api_set_string(L, "parentIdTag", tag->parent_id_tag);
    api_set_string(L, "note", tag->note);
    api_set_integer(L, "max_active", tag->max_active);
    return 1;
}

static const struct api_row rows[] = {
    {"idtags", tags_list, "fun(list: table<string, idtag_entry>): table<string, idtag_entry?>",
     "An allow-list, checked when the file loads: idtags { [\"04A2B3C4\"] = { name = \"Van 7\" } "
     "}. "
     "Finds a tag in any spelling; read-only.",
     false},
    {"tag", tags_find, "fun(idTag: string): tag?",
     "What PUT /api/v1/tags/{idTag} set for that tag, or nil.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_tags = {.on = "", .class_doc = "idTags.", .rows = rows};

static const struct api_row entry_rows[] = {
    {"name", NULL, "string?", "Whose it is.", false},
    {"group", NULL, "string?", "Answered as parentIdTag: members may stop what another started.",
     false},
    {"expires", NULL, "string|integer|nil",
     "Written \"2026-12-31\" (to the end of that day, site time) or with a time; read as seconds.",
     false},
    {"hours", NULL, "string|window|nil", "Written \"22:00-06:00\"; read as a window.", false},
    {"blocked", NULL, "boolean?", "Refuse it.", false},
    {"why", NULL, "string?", "Why it is blocked, for the log.", false},
    {"shared", NULL, "boolean?", "May charge at several places at once.", false},
    {"max_active", NULL, "integer?", "May charge at so many places at once.", false},
    {"idTag", NULL, "string?", "Its spelling in the list; not written.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_idtag_entry = {.on = "idtag_entry",
                                                .class_doc = "An entry of an allow-list.",
                                                .rows = entry_rows,
                                                .object = true};

static const struct api_row tag_rows[] = {
    {"idTag", NULL, "string", "Its spelling.", false},
    {"status", NULL, "string",
     "\"Accepted\", \"Blocked\", \"Expired\", \"Invalid\" or \"ConcurrentTx\".", false},
    {"expires", NULL, "integer?", "Seconds since 1970.", false},
    {"parentIdTag", NULL, "string?", "Its group.", false},
    {"note", NULL, "string?", "A text for operators.", false},
    {"max_active", NULL, "integer?", "May charge at so many places at once.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_tag = {.on = "tag",
                                        .class_doc = "A tag set by REST, as it was when read.",
                                        .rows = tag_rows,
                                        .object = true};

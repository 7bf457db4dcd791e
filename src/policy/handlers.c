/* `function on.authorize(…)`: handlers are registered by defining them (POLICY §1, §3.4).
 *
 * lower_case names are events (hook_rows), CamelCase names raw OCPP actions. Wrong names, wrong
 * types and second definitions are findings, not errors: one build reports all of them. */
#include "policy/handlers.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy/sandbox.h"

static const struct hook_row *row_of(const char *name)
{
    for (const struct hook_row *row = hook_rows; row->name; row++) {
        if (strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

static struct handler_list *list_of(struct generation *generation, const char *name)
{
    const struct hook_row *row = row_of(name);
    if (row)
        return row->kind == EVENT_KINDS ? &generation->identify : &generation->events[row->kind];
    if (!isupper((unsigned char)name[0]))
        return NULL;
    struct handler_list *list = map_gets(&generation->actions, name);
    if (!list) {
        list = xcalloc(1, sizeof(*list));
        map_put(&generation->actions, span_of(name), list);
    }
    return list;
}

static const struct handler *find_of_file(const struct handler_list *list, int file)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].file == file)
            return &list->items[i];
    }
    return NULL;
}

/* Vendors have actions of their own, so a name that is only nearly ours is no finding. */
static void warn_of_near_action(const char *file, int line, const char *name)
{
    if (version_action(&version_16, span_of(name)))
        return;
    const char *near = text_nearest(name, &version_16.actions[0].name, version_16.action_count,
                                    sizeof(version_16.actions[0]));
    if (near)
        LOG(LOG_WARN, "policy handles an action that is not in OCPP 1.6", L_STR("file", file),
            L_INT("line", line), L_STR("action", name), L_STR("did_you_mean", near));
}

static void report_unknown(struct policy_report *report, const char *file, int line,
                           const char *name)
{
    size_t count = 0;
    while (hook_rows[count].name)
        count++;
    const char *near = text_nearest(name, &hook_rows[0].name, count, sizeof(hook_rows[0]));
    if (near)
        finding_add(report, file, line, "on.%s is no event (did you mean on.%s?)", name, near);
    else
        finding_add(report, file, line, "on.%s is no event", name);
}

void handlers_check_name(struct policy_report *report, const char *file, int line, const char *name)
{
    if (!row_of(name) && !isupper((unsigned char)name[0]))
        report_unknown(report, file, line, name);
}

/* What is wrong with defining `name` in `file`; true if nothing is, or if it was reported. */
static bool check(struct generation *generation, lua_State *L, const char *name, int line)
{
    struct policy_report *report = generation->report;
    const char *file = generation_file_name(generation, generation->loading_file);
    enum source_kind kind = source_kind_of(&generation->sources.files[generation->loading_file]);
    struct handler_list *list = list_of(generation, name);
    if (kind == SOURCE_LIB || kind == SOURCE_TEST) {
        finding_add(report, file, line, "on.%s: events are defined in policies/*.lua only", name);
    } else if (!list) {
        report_unknown(report, file, line, name);
    } else if (!lua_isfunction(L, 3)) {
        finding_add(report, file, line, "on.%s must be a function, not %s", name,
                    lua_type(L, 3) == LUA_TNIL ? "nil" : luaL_typename(L, 3));
    } else if (find_of_file(list, generation->loading_file)) {
        finding_add(report, file, line, "on.%s is defined twice in this file (first in line %d)",
                    name, find_of_file(list, generation->loading_file)->line);
    } else {
        return true;
    }
    return false;
}

/* __newindex of `on`: (on, name, function). */
int sandbox_on_define(lua_State *L)
{
    struct generation *generation = generation_of(L);
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "on.<event> needs a name");
    const char *name = lua_tostring(L, 2);
    if (generation->loading_file < 0 || !generation->report)
        return luaL_error(L, "on.%s can be defined only while the policy file loads", name);
    lua_Debug ar = {0};
    if (lua_getstack(L, 1, &ar))
        lua_getinfo(L, "l", &ar);
    if (!check(generation, L, name, ar.currentline))
        return 0;
    if (!row_of(name))
        warn_of_near_action(generation_file_name(generation, generation->loading_file),
                            ar.currentline, name);
    lua_settop(L, 3);
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    struct handler_list *list = list_of(generation, name);
    list->items = xgrow(list->items, list->count, &list->room, sizeof(*list->items));
    list->items[list->count++] =
        (struct handler){.ref = ref, .file = generation->loading_file, .line = ar.currentline};
    return 0;
}

int sandbox_on_read(lua_State *L)
{
    return luaL_error(L, "on.%s cannot be read: keep the function in a local",
                      luaL_tolstring(L, 2, NULL));
}

size_t handlers_of_file(const struct generation *generation, int file)
{
    size_t count = find_of_file(&generation->identify, file) != NULL;
    for (size_t i = 0; i < EVENT_KINDS; i++)
        count += find_of_file(&generation->events[i], file) != NULL;
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&generation->actions, &at)))
        count += find_of_file(entry->value, file) != NULL;
    return count;
}

/* Unknown names in a file that is about to be loaded: globals, their fields, methods (POLICY §3.3).
 *
 * Globals are known exactly. Methods are called on values that only the run knows, so one is
 * refused only if nothing could have it: no object of the API, no string, and no operator's file
 * names it otherwise than by calling it. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy/build_parts.h"
#include "policy/bytecode.h"
#include "policy/handlers.h"
#include "policy/memory.h"
#include "policy/sandbox.h"

struct name_check {
    struct generation *generation;
    int file;
    size_t findings;
    bool only_events; /* the chunk will not run: say now which events do not exist */
};

/* ---- methods: `tx:stpo()` would show only when its line runs ---- */

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Is the word that ends at `end` behind `function`? `function account:withdraw` */
static bool is_defined_there(const char *text, const char *end)
{
    const char *at = end;
    while (at > text && (is_word(at[-1]) || at[-1] == '.' || at[-1] == ':'))
        at--;
    while (at > text && at[-1] == ' ')
        at--;
    return at - text >= 8 && strncmp(at - 8, "function", 8) == 0;
}

/* Does the text name it otherwise than by calling it? Then somebody may have made such a method. */
static bool names_it(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
        bool whole = (at == text || !is_word(at[-1])) && !is_word(at[len]);
        bool called = at > text && at[-1] == ':' && !is_defined_there(text, at);
        if (whole && !called)
            return true;
    }
    return false;
}

static bool is_method_row(const struct api_row *row)
{
    return strncmp(row->signature, "fun(", 4) == 0;
}

static bool is_method(const struct generation *generation, const char *name)
{
    for (size_t i = 0; api_tables[i]; i++) {
        for (const struct api_row *row = api_tables[i]->rows; row->name; row++) {
            if (api_tables[i]->object && is_method_row(row) && text_is(row->name, name))
                return true;
        }
    }
    for (size_t i = 0; i < generation->sources.count; i++) {
        const struct source_file *file = &generation->sources.files[i];
        if (!file->builtin && names_it(file->text, name))
            return true;
    }
    return sandbox_look_up(generation->L, SOURCE_POLICY, "string", name, NULL) == SANDBOX_KNOWN;
}

static const char *nearest_method(const char *name)
{
    const char *names[256];
    size_t count = 0;
    for (size_t i = 0; api_tables[i]; i++) {
        for (const struct api_row *row = api_tables[i]->rows; row->name; row++) {
            if (api_tables[i]->object && !api_tables[i]->privileged && is_method_row(row) &&
                count < ARRAY_LEN(names))
                names[count++] = row->name;
        }
    }
    return text_nearest(name, names, count, sizeof(names[0]));
}

static void check_method(struct name_check *check, const struct bytecode_name *found)
{
    struct generation *generation = check->generation;
    const struct source_file *file = &generation->sources.files[check->file];
    if (file->builtin || is_method(generation, found->name))
        return;
    const char *near = nearest_method(found->name);
    check->findings++;
    if (sandbox_look_up(generation->L, SOURCE_POLICY, "string", found->name, NULL) ==
        SANDBOX_ABSENT) {
        finding_add(generation->report, file->name, found->line,
                    "string.%s is not available to policies", found->name);
        return;
    }
    finding_add(generation->report, file->name, found->line, "nothing has a method %s%s%s%s",
                found->name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static void check_name(void *ctx, const struct bytecode_name *found)
{
    struct name_check *check = ctx;
    struct generation *generation = check->generation;
    const struct source_file *file = &generation->sources.files[check->file];
    char nearest[NEAREST_SIZE];
    if (found->method) {
        if (!check->only_events)
            check_method(check, found);
        return;
    }
    if (found->sets_field) { /* `function on.x()`: told by the run, if there is one */
        if (check->only_events && strcmp(found->name, "on") == 0)
            handlers_check_name(generation->report, file->name, found->line, found->field);
        return;
    }
    if (check->only_events)
        return;
    if (found->write) {
        check->findings++;
        finding_add(generation->report, file->name, found->line,
                    "assignment to the global '%s': write local %s", found->name, found->name);
        return;
    }
    enum sandbox_name known =
        sandbox_look_up(generation->L, source_kind_of(file), found->name, found->field, nearest);
    if (known == SANDBOX_KNOWN)
        return;
    check->findings++;
    bool in_field = found->field && sandbox_look_up(generation->L, source_kind_of(file),
                                                    found->name, NULL, NULL) == SANDBOX_KNOWN;
    /* `io.open` is said whole; of `foo.bar` it is foo that is unknown. */
    char name[128];
    if (found->field && (in_field || known == SANDBOX_ABSENT))
        snprintf(name, sizeof(name), "%s.%s", found->name, found->field);
    else
        snprintf(name, sizeof(name), "%s", found->name);
    if (known == SANDBOX_ABSENT)
        finding_add(generation->report, file->name, found->line, "%s is not available to policies",
                    name);
    else if (nearest[0])
        finding_add(generation->report, file->name, found->line,
                    "%s is unknown (did you mean %s%s%s?)", name, in_field ? found->name : "",
                    in_field ? "." : "", nearest);
    else
        finding_add(generation->report, file->name, found->line, "%s is unknown", name);
}

static int write_dump(lua_State *L, const void *data, size_t len, void *ud)
{
    (void)L;
    strbuf_add(ud, data, len);
    return 0;
}

bool names_check(struct generation *generation, int file, lua_State *L)
{
    struct strbuf dump = {0};
    struct name_check check = {.generation = generation, .file = file};
    bool capped = memory_cap(generation, false); /* nothing may raise past the buffer */
    lua_dump(L, write_dump, &dump, 0);
    bool readable = bytecode_scan(dump.at, dump.len, check_name, &check);
    check.only_events = true;
    if (check.findings > 0)
        bytecode_scan(dump.at, dump.len, check_name, &check);
    memory_cap(generation, capped);
    strbuf_clear(&dump);
    if (!readable && !generation->warned_of_bytecode) {
        generation->warned_of_bytecode = true;
        LOG(LOG_WARN, "policies are not checked for unknown names: not the bytecode of Lua 5.4");
    }
    return check.findings == 0;
}

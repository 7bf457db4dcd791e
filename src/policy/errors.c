/* See errors.h. */
#include "policy/errors.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy/memory.h"
#include "policy/reload.h"

enum { LOG_EVERY_MS = 1000, TRACEBACK_EVERY_MS = 60000, TRACEBACK_MAX = 2000 };

void error_place(lua_State *L, struct policy_error *out)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.source[0] != '@' || ar.currentline <= 0)
            continue; /* a C function */
        text_copy(out->file, sizeof(out->file), span_of(ar.source + 1));
        out->line = ar.currentline;
        return;
    }
}

static int on_error(lua_State *L)
{
    error_place(L, lua_touserdata(L, lua_upvalueindex(1)));
    lua_settop(L, 1);
    return 1;
}

void error_push_handler(lua_State *L, struct policy_error *out)
{
    lua_pushlightuserdata(L, out);
    lua_pushcclosure(L, on_error, 1);
}

/* `10-authorize.lua:14: text` becomes place and text. */
static struct span take_position(const struct generation *generation, struct span text,
                                 struct policy_error *out)
{
    struct span rest = text, file, line;
    if (!span_cut(&rest, ':', &file) || !rest.at || !span_cut(&rest, ':', &line) || !rest.at)
        return text;
    int64_t number;
    if (!span_int(line, &number) || number < 0 || number > INT32_MAX ||
        generation_file(generation, file.at, file.len) < 0)
        return text;
    text_copy(out->file, sizeof(out->file), file);
    out->line = (int)number;
    return span_trim(rest);
}

static int tostring(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* Pushes text for the value on top of `from` onto the main state. */
static void push_text(struct generation *generation, lua_State *from)
{
    lua_State *L = generation->L;
    lua_pushcfunction(L, tostring);
    lua_pushvalue(from, L == from ? -2 : -1);
    if (from != L)
        lua_xmove(from, L, 1);
    struct budget outer =
        budget_begin(generation, L, generation->budget.L ? generation->budget.kind : BUDGET_RUN);
    bool capped = memory_cap(generation, true);
    int status = lua_pcall(L, 1, 1, 0);
    memory_cap(generation, capped);
    budget_end(generation, &outer);
    if (status != LUA_OK) {
        lua_pop(L, 1);
        lua_pushliteral(L, "an error that has no text");
    }
}

void error_text(struct generation *generation, lua_State *L, struct policy_error *out)
{
    bool capped = memory_cap(generation, false); /* nothing protects the main state here */
    struct span text;
    bool is_text = lua_type(L, -1) == LUA_TSTRING;
    if (!is_text)
        push_text(generation, L);
    lua_State *holder = is_text ? L : generation->L;
    text.at = lua_tolstring(holder, -1, &text.len);
    struct span rest = take_position(generation, text, out);
    text_copy(out->message, sizeof(out->message), rest);
    error_clean(out->message);
    if (!is_text)
        lua_pop(holder, 1);
    memory_cap(generation, capped);
}

void error_clean(char *text)
{
    for (size_t len = strlen(text); len > 0;) {
        size_t step = utf8_step(text, len);
        if (step == 0)
            *text = '?';
        step = step ? step : 1;
        text += step;
        len -= step;
    }
}

void error_print(const struct policy_error *what, char *out, size_t size)
{
    if (what->line > 0)
        snprintf(out, size, "%s:%d: %s", what->file, what->line, what->message);
    else if (what->file[0])
        snprintf(out, size, "%s: %s", what->file, what->message);
    else
        snprintf(out, size, "%s", what->message);
}

/* ---- the last distinct ones ---- */

static bool is_same(const struct error_entry *entry, const struct policy_error *what,
                    const char *event)
{
    return entry->what.line == what->line && strcmp(entry->what.file, what->file) == 0 &&
           strcmp(entry->what.message, what->message) == 0 &&
           strncmp(entry->event, event, sizeof(entry->event) - 1) == 0;
}

/* The entry of this error, or the one to overwrite: a free one, else the one not seen longest. */
static struct error_entry *find(struct error_log *log, const struct policy_error *what,
                                const char *event)
{
    if (!log->entries)
        log->entries = xcalloc(ERRORS_KEPT, sizeof(*log->entries));
    struct error_entry *oldest = &log->entries[0];
    for (size_t i = 0; i < log->count; i++) {
        struct error_entry *entry = &log->entries[i];
        if (is_same(entry, what, event))
            return entry;
        if (entry->last < oldest->last)
            oldest = entry;
    }
    if (log->count < ERRORS_KEPT)
        oldest = &log->entries[log->count++];
    xfree(oldest->traceback);
    *oldest = (struct error_entry){.what = *what, .first = wall_now()};
    text_copy(oldest->event, sizeof(oldest->event), span_of(event));
    return oldest;
}

/* The traceback is for whoever mends the place; one line of the log, frames separated by "|". */
static void take_traceback(struct generation *generation, struct error_entry *entry,
                           lua_State *stack)
{
    lua_State *L = generation->L;
    bool capped = memory_cap(generation, false);
    luaL_traceback(L, stack, NULL, 0);
    char text[TRACEBACK_MAX];
    text_copy(text, sizeof(text), span_of(lua_tostring(L, -1)));
    lua_pop(L, 1);
    memory_cap(generation, capped);
    for (char *at = text; (at = strstr(at, "\n\t"));) {
        at[0] = ' ';
        at[1] = '|';
    }
    xfree(entry->traceback);
    entry->traceback = xstrdup(text);
    if (!generation->dry)
        LOG(LOG_WARN, "policy traceback", L_STR("file", entry->what.file),
            L_INT("line", entry->what.line), L_STR("traceback", text));
}

/* A place is a file and a line, whatever was said there. */
static bool was_traced(const struct error_log *log, const struct policy_error *what, mono_t now)
{
    for (size_t i = 0; i < log->count; i++) {
        const struct error_entry *entry = &log->entries[i];
        if (entry->traced != 0 && now - entry->traced < TRACEBACK_EVERY_MS &&
            entry->what.line == what->line && strcmp(entry->what.file, what->file) == 0)
            return true;
    }
    return false;
}

void errors_record(struct generation *generation, const struct policy_error *what,
                   const struct error_event *event, lua_State *stack)
{
    struct error_log *log = generation->errors   ? generation->errors
                            : generation->policy ? &generation->policy->errors
                                                 : NULL;
    if (!log)
        return;
    struct error_entry *entry = find(log, what, event->event);
    mono_t now = mono_now();
    log->total++;
    entry->count++;
    entry->last = wall_now();
    entry->generation = generation->number;
    text_copy(entry->cp, sizeof(entry->cp), span_of(event->cp ? event->cp : ""));
    text_copy(entry->example, sizeof(entry->example),
              span_of(event->example ? event->example : ""));
    if (entry->count > 1 && now - entry->logged < LOG_EVERY_MS)
        return;
    entry->logged = now;
    if (!generation->dry) /* of what is only tried its own list tells */
        LOG(LOG_ERROR, "policy error", L_STR("file", what->file[0] ? what->file : NULL),
            L_INT("line", what->line), L_STR("event", event->event), L_STR("cp", event->cp),
            L_INT("generation", generation->number), L_INT("count", entry->count),
            L_STR("error", what->message));
    if (stack && !was_traced(log, what, now)) {
        entry->traced = now;
        take_traceback(generation, entry, stack);
    }
}

void errors_clear(struct error_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        xfree(log->entries[i].traceback);
    XFREE(log->entries);
    log->count = 0;
}

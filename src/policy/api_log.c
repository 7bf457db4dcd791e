/* `log.info("…%s…", value)`: lines of policies in the server's log, at most 20 a second a file.
 *
 * What is beyond that is counted and told by one line when the second is over (POLICY.md §4), so a
 * loop that logs cannot fill a disk. The counts live in C beside the generation, not in the Lua
 * state: they need a timer, and that must be stopped on the loop thread. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/dry.h"
#include "policy/errors.h"
#include "policy/limits.h"

enum { WINDOW_MS = 1000, LINE_BYTES = 2000, FILES_MAX = 256 };

struct log_limit {
    char *file;
    mono_t since; /* of the running second */
    int lines;
    size_t dropped;
};

struct log_limits {
    struct timer timer; /* runs while anything is dropped, if the generation has timers */
    struct timers *timers;
    struct log_limit *files;
    size_t count, room;
};

/* ---- limits ---- */

static void tell_dropped(struct log_limit *limit)
{
    if (!limit->dropped)
        return;
    char text[64];
    snprintf(text, sizeof(text), "%zu more", limit->dropped);
    LOG(LOG_WARN, text, L_STR("file", limit->file));
    limit->dropped = 0;
}

static void on_second(struct timer *timer)
{
    struct log_limits *limits = CONTAINER_OF(timer, struct log_limits, timer);
    for (size_t i = 0; i < limits->count; i++)
        tell_dropped(&limits->files[i]);
}

static struct log_limit *limit_of(struct generation *generation, const char *file)
{
    if (!generation->log_limits) {
        generation->log_limits = xcalloc(1, sizeof(struct log_limits));
        generation->log_limits->timer.fn = on_second;
    }
    struct log_limits *limits = generation->log_limits;
    for (size_t i = 0; i < limits->count; i++) {
        if (text_is(limits->files[i].file, file))
            return &limits->files[i];
    }
    if (limits->count == FILES_MAX)
        return &limits->files[0];
    limits->files = xgrow(limits->files, limits->count, &limits->room, sizeof(*limits->files));
    struct log_limit *limit = &limits->files[limits->count++];
    *limit = (struct log_limit){.file = xstrdup(file), .since = mono_now()};
    return limit;
}

/* May this file write one more line now? */
static bool take_line(struct generation *generation, const char *file)
{
    struct log_limit *limit = limit_of(generation, file);
    struct log_limits *limits = generation->log_limits;
    mono_t now = mono_now();
    if (now - limit->since >= WINDOW_MS || now < limit->since) {
        tell_dropped(limit);
        limit->since = now;
        limit->lines = 0;
    }
    if (limit->lines < LOG_LINES_A_SECOND) {
        limit->lines++;
        return true;
    }
    limit->dropped++;
    if (generation->timers && generation->phase == PHASE_LIVE && !timer_running(&limits->timer)) {
        limits->timers = generation->timers;
        timer_start(limits->timers, &limits->timer, WINDOW_MS);
    }
    return false;
}

void log_limits_stop(struct generation *generation, struct timers *timers)
{
    struct log_limits *limits = generation->log_limits;
    if (!limits)
        return;
    timer_stop(timers, &limits->timer);
    on_second(&limits->timer);
}

void log_limits_free(struct generation *generation)
{
    struct log_limits *limits = generation->log_limits;
    if (!limits)
        return;
    for (size_t i = 0; i < limits->count; i++)
        xfree(limits->files[i].file);
    xfree(limits->files);
    XFREE(generation->log_limits);
}

/* ---- the functions ---- */

/* Leaves the text of the line on top: a format and its arguments, or one value of any kind. */
static const char *push_line(lua_State *L, const char *function, size_t *len)
{
    int arguments = lua_gettop(L);
    if (arguments == 0)
        api_raise(L, "%s: argument 1 (format) is missing", function);
    if (arguments == 1)
        return luaL_tolstring(L, 1, len);
    if (lua_type(L, 1) != LUA_TSTRING)
        api_bad_argument(L, function, 1, "format", "a string");
    lua_getfield(L, 1, "format"); /* string.format, as a method of the text */
    for (int i = 1; i <= arguments; i++)
        lua_pushvalue(L, i);
    if (lua_pcall(L, arguments, 1, 0) != LUA_OK)
        api_raise(L, "%s: %s", function, luaL_gsub(L, lua_tostring(L, -1), " to '?'", ""));
    return lua_tolstring(L, -1, len);
}

/* What a dry run would log, as a JSON text, beside its effects. */
static void note_line(lua_State *L, const char *function, struct span text)
{
    struct strbuf json = {0};
    char line[LINE_BYTES + 1];
    text_copy(line, sizeof(line), text);
    error_clean(line);
    json_write_string(&json, span_of(line));
    dry_note_aside(L, function, NULL, strbuf_text(&json));
    strbuf_clear(&json);
}

static int write_line(lua_State *L, const char *function, enum log_level level)
{
    struct generation *generation = generation_of(L);
    struct api_place place = {.file = "?"};
    char line[LINE_BYTES + 1];
    size_t len;
    const char *text = push_line(L, function, &len);
    if (dry_is(L)) {
        note_line(L, function, (struct span){text, len});
        return 0;
    }
    /* What tests log is no news of this server. */
    if (generation->phase == PHASE_TESTING || !log_enabled(level))
        return 0;
    api_caller(L, &place);
    if (!take_line(generation, place.file))
        return 0;
    text_copy(line, sizeof(line), (struct span){text, len});
    LOG(level, line, L_STR("file", place.file), L_INT("line", place.line));
    return 0;
}

static int log_info(lua_State *L)
{
    return write_line(L, "log.info", LOG_INFO);
}

static int log_warn(lua_State *L)
{
    return write_line(L, "log.warn", LOG_WARN);
}

static int log_error(lua_State *L)
{
    return write_line(L, "log.error", LOG_ERROR);
}

static int log_debug(lua_State *L)
{
    return write_line(L, "log.debug", LOG_DEBUG);
}

#define SIGNATURE "fun(format: any, ...: any)"

static const struct api_row rows[] = {
    {"info", log_info, SIGNATURE, "Writes a line; the format is that of string.format.", false},
    {"warn", log_warn, SIGNATURE, "The same, as a warning.", false},
    {"error", log_error, SIGNATURE, "The same, as an error.", false},
    {"debug", log_debug, SIGNATURE, "The same, shown only if the server logs at debug level.",
     false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_log = {
    .on = "log",
    .class_doc =
        "Lines in the server's log, at most 20 a second from a file; one line tells how many "
        "more there were. Silent while tests run.",
    .rows = rows};

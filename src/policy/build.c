/* See build_parts.h. Order: read everything → run the built-in files and the policies on a fresh
 * state → check → the tests, on a second state that is thrown away. All findings are collected;
 * the first 20 are kept (POLICY §3.4). */
#include "policy/build_parts.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy/errors.h"
#include "policy/handlers.h"
#include "policy/sandbox.h"
#include "policy/quirk.h"
#include "policy/syntax_hint.h"
#include "policy/webhooks.h"
#include "policy/site.h"

void finding_add(struct policy_report *report, const char *file, int line, const char *format, ...)
{
    if (!report)
        return;
    report->error_count++;
    if (report->kept >= ARRAY_LEN(report->errors))
        return;
    struct policy_error *error = &report->errors[report->kept++];
    text_copy(error->file, sizeof(error->file), span_of(file ? file : ""));
    error->line = line;
    char text[sizeof(error->message)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    text_copy(error->message, sizeof(error->message), span_of(text)); /* no half characters */
    error_clean(error->message);
}

/* ---- one file ---- */

/* The parser's message on top of L, with what was probably meant. */
static void raise_syntax(lua_State *L, const char *text, size_t len)
{
    char hint[128];
    const char *message = lua_tostring(L, -1);
    if (message && syntax_hint(text, len, message, hint, sizeof(hint)))
        lua_pushfstring(L, "%s (%s)", message, hint);
    lua_error(L);
}

bool build_run_chunk(struct generation *generation, int file, lua_State *L)
{
    const struct source_file *source = &generation->sources.files[file];
    int outer = generation->loading_file;
    generation->loading_file = file;
    const char *text = source->text;
    size_t len = source->len;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* editors of Windows */
        text += 3;
        len -= 3;
    }
    lua_pushfstring(L, "@%s", source->name);
    /* Text only: bytecode could break the state. */
    if (luaL_loadbufferx(L, text, len, lua_tostring(L, -1), "t") != LUA_OK)
        raise_syntax(L, text, len);
    lua_remove(L, -2);
    bool ok = names_check(generation, file, L);
    if (ok) {
        sandbox_push_environment(L, source_kind_of(source));
        lua_setupvalue(L, -2, 1);
        lua_call(L, 0, 1);
        if (lua_isnil(L, -1)) { /* require gives true then, as in Lua */
            lua_pop(L, 1);
            lua_pushboolean(L, true);
        }
    } else {
        lua_pop(L, 1);
    }
    generation->loading_file = outer;
    return ok;
}

void build_report_error(struct generation *generation, int file, lua_State *L,
                        struct policy_error *what)
{
    error_text(generation, L, what);
    const char *name = generation_file_name(generation, file);
    finding_add(generation->report, what->file[0] ? what->file : name, what->line, "%s",
                what->message);
}

static int run_file(lua_State *L)
{
    lua_pushboolean(L, build_run_chunk(generation_of(L), (int)lua_tointeger(L, 1), L));
    return 1;
}

bool build_run_file(struct generation *generation, size_t file, struct policy_report *report)
{
    lua_State *L = generation->L;
    const char *name = generation_file_name(generation, (int)file);
    struct policy_report *outer = generation->report;
    int loading = generation->loading_file;
    generation->report = report;
    struct policy_error what;
    lua_pushcfunction(L, run_file);
    lua_pushinteger(L, (lua_Integer)file);
    bool ok = generation_call(generation, 1, 1, BUDGET_LOAD, &what);
    if (ok) {
        ok = lua_toboolean(L, -1);
        lua_pop(L, 1);
    } else {
        finding_add(report, what.file[0] ? what.file : name, what.line, "%s", what.message);
    }
    generation->loading_file = loading;
    generation->report = outer;
    return ok;
}

/* ---- the whole ---- */

static size_t registered(const struct generation *generation, size_t file)
{
    return handlers_of_file(generation, (int)file) + routes_count(generation) +
           everys_count(generation) + sites_count(generation) + webhooks_count(generation) +
           quirks_count(generation);
}

static bool is_stopped(const struct generation *generation)
{
    return generation->stop && atomic_load(generation->stop);
}

static void run_policy(struct generation *generation, size_t file, struct policy_report *report)
{
    size_t findings = report->error_count;
    size_t before = registered(generation, file);
    bool ok = build_run_file(generation, file, report);
    const struct source_file *source = &generation->sources.files[file];
    if (ok && source_kind_of(source) == SOURCE_POLICY && report->error_count == findings &&
        registered(generation, file) == before)
        finding_add(report, source->name, 0,
                    "registers nothing: define on.<event>, or call route(), every() or site()");
}

static struct generation *assemble(const struct build_order *order,
                                   const struct source_set *sources, int64_t left_us,
                                   struct policy_report *report)
{
    struct generation *generation = generation_new(order->settings, order->number);
    generation->stop = order->stop;
    generation->load_left_us = left_us;
    generation->report = report;
    source_set_copy(&generation->sources, sources);
    static const enum source_kind turns[] = {SOURCE_BUILTIN, SOURCE_POLICY};
    for (size_t turn = 0; turn < ARRAY_LEN(turns); turn++) {
        for (size_t i = 0; i < sources->count && !is_stopped(generation); i++) {
            if (source_kind_of(&sources->files[i]) != turns[turn])
                continue;
            if (generation->load_left_us <= 0) {
                finding_add(report, sources->files[i].name, 0,
                            "not loaded: the build took more than %d ms in all",
                            (int)order->settings->load_total_ms);
                break;
            }
            run_policy(generation, i, report);
        }
    }
    generation->report = NULL;
    return generation;
}

static void count_files(const struct source_set *sources, struct policy_report *report,
                        bool *has_tests)
{
    for (size_t i = 0; i < sources->count; i++) {
        report->files += !sources->files[i].builtin;
        *has_tests = *has_tests || source_kind_of(&sources->files[i]) == SOURCE_TEST;
    }
}

/* On a state of their own, so that what tests leave behind never goes live. */
static void run_tests(const struct build_order *order, const struct source_set *sources,
                      int64_t left_us, struct policy_report *report)
{
    struct policy_report again = {0};
    struct generation *generation = assemble(order, sources, left_us, &again);
    if (again.error_count > 0) {
        finding_add(report, again.errors[0].file, again.errors[0].line, "%s (when loaded again)",
                    again.errors[0].message);
    } else {
        generation->phase = PHASE_TESTING;
        report->tests = testkit_run(generation, report);
    }
    generation_free(generation);
}

struct generation *build(const struct build_order *order, struct policy_report *report)
{
    *report = (struct policy_report){0};
    struct source_set sources = {0};
    if (order->sources) {
        source_set_copy(&sources, order->sources);
    } else {
        source_add_builtin(&sources);
        source_read(&sources, order->dir, report);
    }
    bool has_tests = false;
    count_files(&sources, report, &has_tests);
    struct generation *generation = NULL;
    if (report->error_count == 0)
        generation = assemble(order, &sources, order->settings->load_total_ms * 1000, report);
    if (report->error_count == 0 && has_tests && !order->untested)
        run_tests(order, &sources, generation->load_left_us, report);
    if (report->error_count == 0 && order->stop && atomic_load(order->stop))
        finding_add(report, "", 0, "the build was stopped");
    source_set_clear(&sources);
    report->ok = report->error_count == 0;
    if (!report->ok) {
        generation_free(generation);
        return NULL;
    }
    return generation;
}

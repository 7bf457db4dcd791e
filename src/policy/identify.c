/* on.identify(path, headers): who connects? Runs before the 101, so it cannot wait.
 *
 * The answer is an identity, false (refused), or nothing. A handler that fails refuses: POLICY §4,
 * an error is never "no opinion". */
#include <string.h>

#include "base/log.h"
#include "policy/errors.h"
#include "policy/handlers.h"
#include "policy/memory.h"
#include "policy/reload.h"

static void push_arguments(lua_State *L, const char *path, const struct name_value *headers,
                           size_t count)
{
    lua_pushstring(L, path);
    lua_createtable(L, 0, (int)count);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, headers[i].value);
        lua_setfield(L, -2, headers[i].name);
    }
}

/* Nothing a socket or a log could stumble over. */
static bool is_identity(struct span text)
{
    if (text.len == 0 || text.len > IDENTITY_MAX || !utf8_valid(text.at, text.len))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return false;
    }
    return true;
}

/* The result on top. */
static enum verdict_kind judge(lua_State *L, char identity[IDENTITY_MAX + 1],
                               struct policy_error *why)
{
    if (lua_isnil(L, -1))
        return VERDICT_NONE;
    if (lua_isboolean(L, -1) && !lua_toboolean(L, -1))
        return VERDICT_FAILED; /* refused; why stays empty */
    struct span text = {NULL, 0};
    if (lua_type(L, -1) == LUA_TSTRING)
        text.at = lua_tolstring(L, -1, &text.len);
    if (text.at && is_identity(text)) {
        text_copy(identity, IDENTITY_MAX + 1, text);
        return VERDICT_GIVEN;
    }
    text_copy(why->message, sizeof(why->message),
              span_of("on.identify returns an identity of 1 to 255 bytes, false, or nothing"));
    return VERDICT_FAILED;
}

static enum verdict_kind run_handler(struct generation *generation, const struct handler *handler,
                                     char identity[IDENTITY_MAX + 1], struct policy_error *why)
{
    lua_State *L = generation->L; /* the two arguments are on top, and stay there */
    lua_rawgeti(L, LUA_REGISTRYINDEX, handler->ref);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    if (!generation_call(generation, 2, 1, BUDGET_RUN, why))
        return VERDICT_FAILED;
    enum verdict_kind kind = judge(L, identity, why);
    lua_pop(L, 1);
    if (why->message[0]) {
        text_copy(why->file, sizeof(why->file),
                  span_of(generation_file_name(generation, handler->file)));
        why->line = handler->line;
    }
    return kind;
}

static void record(const struct generation *generation, const struct handler *handler,
                   enum verdict_kind kind, const char *path, const char *identity)
{
    const struct policy_ports *ports = generation_ports(generation);
    if (kind == VERDICT_NONE || !ports || !ports->decision)
        return;
    struct record_decision row = {.cp = kind == VERDICT_GIVEN ? identity : path,
                                  .ts_ms = wall_now(),
                                  .event = "identify",
                                  .verdict = kind == VERDICT_GIVEN ? "Accepted" : "Rejected",
                                  .file = generation_file_name(generation, handler->file),
                                  .line = handler->line,
                                  .generation = generation->number};
    ports->decision(ports->ctx, &row);
}

enum verdict_kind identify_run(struct generation *generation, const char *path,
                               const struct name_value *headers, size_t header_count,
                               char identity[IDENTITY_MAX + 1])
{
    identity[0] = '\0';
    if (generation->identify.count == 0)
        return VERDICT_NONE;
    lua_State *L = generation->L;
    bool capped = memory_cap(generation, false);
    lua_checkstack(L, LUA_MINSTACK);
    int64_t start_us = stopwatch_us();
    push_arguments(L, path, headers, header_count);
    enum verdict_kind kind = VERDICT_NONE;
    struct policy_error why = {0};
    for (size_t i = 0; i < generation->identify.count && kind == VERDICT_NONE; i++) {
        const struct handler *handler = &generation->identify.items[i];
        kind = run_handler(generation, handler, identity, &why);
        record(generation, handler, kind, path, identity);
    }
    lua_pop(L, 2);
    memory_cap(generation, capped);
    bool failed = why.message[0] != '\0';
    if (failed)
        errors_record(generation, &why, &(struct error_event){"identify", NULL, NULL}, NULL);
    hook_stats_count(&generation->identify_stats, failed, stopwatch_us() - start_us, 0);
    generation->runs++;
    generation->failures += failed;
    policy_ended(generation, failed);
    return kind;
}

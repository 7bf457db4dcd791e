/* `core.command`: any CALL to a charger, with the charger's own answer or why there is none.
 *
 * What a REST client sent goes out as given (DESIGN.md §6): parsed, checked against the version's
 * table, written compactly with the same members in the same order and numbers spelled the same.
 * Each command has exactly one result: a table whose `status` says how it ended. Also here: the
 * remote starts that wait for their StartTransaction. */
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "policy/api_rest.h"

/* ---- what is asked ---- */

struct asked { /* texts are kept alive by Lua values on the stack */
    const char *cp;
    struct command command;
    /* Why it is refused before it is asked: */
    const char *status; /* NULL: it is fine */
    struct reason why;
    struct payload_report report;
    struct arena arena; /* while the payload is read */
    struct strbuf text;
};

/* NULL: it is no JSON. */
static struct json *read_text(struct asked *asked, struct span body)
{
    struct reason fault;
    size_t at = 0;
    if (span_trim(body).len == 0)
        return json_new(&asked->arena, JSON_OBJECT);
    struct json *payload = json_parse(&asked->arena, body.at, body.len, &fault, &at);
    if (!payload) {
        asked->status = "bad_json";
        reason_set(&asked->why, "the body is not JSON: %s at byte %zu", fault.text, at + 1);
    }
    return payload;
}

static struct json *read_table(lua_State *L, int index, struct station *st, struct asked *asked)
{
    struct reason why;
    if (lua_isnil(L, index))
        return json_new(&asked->arena, JSON_OBJECT);
    struct json *payload = api_read_json(L, index, &asked->arena, &why);
    if (!payload)
        api_raise(L, "core.command: payload: %s", why.text);
    api_fix_payload(st, asked->cp, asked->command.action, payload);
    return payload;
}

static const char *fault_of(struct asked *asked, struct station *st, const struct json *payload)
{
    struct payload_fault *first = &asked->report.faults[0];
    if (payload->type != JSON_OBJECT) {
        asked->report.count = 1;
        text_copy(first->message, sizeof(first->message), SPAN("expected an object"));
        return "invalid";
    }
    switch (station_call_check(st, asked->cp, asked->command.action, payload, &asked->report)) {
    case OCPP_OK:
        return NULL;
    case OCPP_NOT_IMPLEMENTED:
        return "not_implemented";
    case OCPP_NOT_SUPPORTED:
        return "not_supported";
    default:
        return "invalid";
    }
}

/* Arguments: the asked, the station, the payload as text or table. Result: the text to send, in
 * memory of Lua. Raises freely: what the asked holds is cleared by the caller. */
static int read_payload(lua_State *L)
{
    struct asked *asked = lua_touserdata(L, 1);
    struct station *st = lua_touserdata(L, 2);
    struct json *payload;
    if (lua_type(L, 3) == LUA_TSTRING) {
        struct span body;
        body.at = lua_tolstring(L, 3, &body.len);
        payload = read_text(asked, body);
    } else {
        payload = read_table(L, 3, st, asked);
    }
    if (payload)
        asked->status = fault_of(asked, st, payload);
    if (asked->status)
        return 0;
    json_write(&asked->text, payload);
    char *text = lua_newuserdatauv(L, asked->text.len + 1, 0);
    memcpy(text, strbuf_text(&asked->text), asked->text.len + 1);
    asked->command.payload = text;
    return 1;
}

/* Reads both arguments; what it pushes must stay until the command is asked. */
static void read_arguments(lua_State *L, const char *what, struct station *st, struct asked *asked)
{
    static const char *const names[] = {"action", "body",  "payload", "timeout",
                                        "by",     "batch", "vars",    NULL};
    memset(asked, 0, sizeof(*asked));
    asked->cp = api_arg_string(L, what, 1, "cpid");
    api_arg_table(L, what, 2, "command");
    api_check_members(L, what, 2, names);
    struct command *command = &asked->command;
    command->action = api_opt_string(L, what, 2, "action");
    command->asked_by = api_opt_string(L, what, 2, "by");
    command->batch = api_opt_string(L, what, 2, "batch");
    command->timeout_ms = api_opt_duration(L, what, 2, "timeout", 0);
    if (!command->action)
        api_raise(L, "%s: action is needed", what);
    if (lua_getfield(L, 2, "vars") != LUA_TNIL)
        command->vars = api_push_as_text(L, -1, what);
    if (!station_find(st, asked->cp)) {
        asked->status = "unknown";
        return;
    }
    lua_pushcfunction(L, read_payload);
    lua_pushlightuserdata(L, asked);
    lua_pushlightuserdata(L, st);
    if (lua_getfield(L, 2, "body") == LUA_TNIL) {
        lua_pop(L, 1);
        lua_getfield(L, 2, "payload");
    }
    int status = lua_pcall(L, 3, 1, 0);
    arena_clear(&asked->arena);
    strbuf_clear(&asked->text);
    if (status != LUA_OK)
        lua_error(L);
}

static int push_refusal(lua_State *L, const struct asked *asked)
{
    size_t count = asked->report.count;
    if (count > PAYLOAD_FAULTS_MAX)
        count = PAYLOAD_FAULTS_MAX;
    lua_createtable(L, 0, 3);
    api_set_string(L, "status", asked->status);
    api_set_string(L, "why", asked->why.text[0] ? asked->why.text : NULL);
    if (!text_is(asked->status, "invalid"))
        return 1;
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(L, 0, 2);
        api_set_string(L, "pointer", asked->report.faults[i].pointer);
        api_set_string(L, "message", asked->report.faults[i].message);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    api_mark_array(L, -1);
    lua_setfield(L, -2, "errors");
    return 1;
}

/* ---- results ---- */

static const char *const outcome_words[] = {
    [CALL_ANSWERED] = "accepted", [CALL_ERROR] = "error",     [CALL_TIMEOUT] = "timeout",
    [CALL_OFFLINE] = "offline",   [CALL_REFUSED] = "refused", [CALL_CANCELLED] = "cancelled"};

static void set_answer(lua_State *L, const struct call_result *result)
{
    if (result->outcome == CALL_ANSWERED) {
        if (result->response)
            api_push_json(L, result->response);
        else
            lua_newtable(L);
        lua_setfield(L, -2, "response");
    }
    if (result->outcome != CALL_ERROR)
        return;
    api_set_string(L, "errorCode", result->error_code ? result->error_code : "");
    api_set_string(L, "errorDescription", result->description ? result->description : "");
    api_push_json(L, result->details);
    lua_setfield(L, -2, "errorDetails");
}

static int build_result(lua_State *L)
{
    const struct call_result *result = lua_touserdata(L, 1);
    lua_settop(L, 0);
    lua_createtable(L, 0, 8);
    api_set_string(L, "id", result->id);
    api_set_string(L, "status", outcome_words[result->outcome]);
    set_answer(L, result);
    api_set_string(L, "why", result->why);
    api_set_integer(L, "ms", result->ms);
    api_set_bool(L, "queueFull", result->queue_full);
    return 1;
}

/* The command's own deadlines end it; those of the handler begin anew afterwards. */
static void hold_deadline(lua_State *L, struct station *st, int64_t timeout_ms)
{
    const struct station_settings *settings = station_settings(st);
    struct generation *generation = generation_of(L);
    int64_t answer_ms = timeout_ms > 0 ? timeout_ms : settings->call_timeout_ms;
    task_extend(generation,
                settings->queue_timeout_ms + answer_ms + generation->settings->handler_timeout_ms);
}

int rest_command(lua_State *L)
{
    struct station *st = api_station(L, "core.command");
    struct asked asked;
    read_arguments(L, "core.command", st, &asked);
    if (asked.status)
        return push_refusal(L, &asked);
    hold_deadline(L, st, asked.command.timeout_ms);
    return api_command_wait(L, "core.command", asked.cp, &asked.command, build_result);
}

/* ---- without waiting ---- */

struct starting { /* known at once only: what comes later is in the command's record */
    bool left, ended;
    enum call_outcome outcome;
    bool queue_full;
    char why[256];
};

static void on_started(void *ctx, const struct call_result *result)
{
    struct starting *starting = ctx;
    if (starting->left) {
        xfree(starting);
        return;
    }
    starting->ended = true;
    starting->outcome = result->outcome;
    starting->queue_full = result->queue_full;
    text_copy(starting->why, sizeof(starting->why), span_of(result->why ? result->why : ""));
}

int rest_command_start(lua_State *L)
{
    struct station *st = api_station(L, "core.command_start");
    struct asked asked;
    char id[UUID_SIZE] = "";
    read_arguments(L, "core.command_start", st, &asked);
    if (asked.status)
        return push_refusal(L, &asked);
    struct starting *starting = xcalloc(1, sizeof(*starting));
    station_command(st, asked.cp, &asked.command, id, on_started, starting);
    struct starting now = *starting;
    starting->left = true;
    if (now.ended)
        xfree(starting);
    lua_createtable(L, 0, 4);
    api_set_string(L, "id", id);
    api_set_string(L, "status", now.ended ? outcome_words[now.outcome] : "queued");
    if (now.ended) {
        api_set_string(L, "why", now.why[0] ? now.why : NULL);
        api_set_bool(L, "queueFull", now.queue_full);
    }
    return 1;
}

/* ---- remote starts that wait ---- */

static void push_pending(lua_State *L, const struct pending_start *pending)
{
    struct reason why;
    lua_createtable(L, 0, 8);
    api_set_string(L, "cpid", pending->cp);
    api_set_integer(L, "connectorId", pending->connector);
    api_set_string(L, "idTag", pending->id_tag);
    api_set_string(L, "command", pending->command);
    api_set_integer(L, "createdMs", pending->created_ms);
    api_set_integer(L, "expiresMs", pending->expires_ms);
    if (pending->vars && api_push_json_text(L, span_of(pending->vars), &why) == 0)
        lua_setfield(L, -2, "vars");
}

int rest_pending(lua_State *L)
{
    struct station *st = api_station(L, "core.pending");
    const char *cp = lua_isnoneornil(L, 1) ? NULL : api_arg_string(L, "core.pending", 1, "cpid");
    const struct pending_start *pending;
    size_t at = 0;
    lua_Integer count = 0;
    lua_newtable(L);
    while ((pending = station_pending_next(st, &at)) != NULL) {
        if (cp && !text_is_ci(cp, pending->cp))
            continue;
        push_pending(L, pending);
        lua_rawseti(L, -2, ++count);
    }
    api_mark_array(L, -1);
    return 1;
}

int rest_pending_drop(lua_State *L)
{
    struct station *st = api_station(L, "core.pending_drop");
    const char *cp = api_arg_string(L, "core.pending_drop", 1, "cpid");
    int64_t connector =
        lua_isnoneornil(L, 2) ? ABSENT : api_arg_integer(L, "core.pending_drop", 2, "connectorId");
    lua_pushboolean(L, station_pending_drop(st, cp, connector));
    return 1;
}

/* `cp:call(Action, payload)`: any CALL to a charger, with its answer; and the one way of waiting
 * for a command that core.command and the words of api_actions.c share: api_command_wait().
 *
 * What is wrong in the script (an action that does not exist, a payload that the version's table
 * refuses) is an error with its line; what a charger or a line may do (offline, timeout, CALLERROR)
 * is `nil, err`. A payload goes out as given; only empty tables become `[]` where the table of the
 * version wants a list. */
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/dry.h"

struct calling { /* one command under way; freed when its result is in */
    struct task_ref ref;
    struct station *station;
    uint64_t serial;
    lua_CFunction build; /* a struct call_result as light userdata → the results */
    char cp[];
};

/* ---- payload ---- */

static void fix_lists(const struct field *fields, struct json *object)
{
    if (object->type != JSON_OBJECT)
        return;
    for (struct json *member = object->child; member; member = member->next) {
        const struct field *field = fields;
        while (field && field->name && !span_is(member->key, field->name))
            field++;
        if (!field || !field->name)
            continue;
        if (field->list && member->type == JSON_OBJECT && member->count == 0)
            member->type = JSON_ARRAY;
        if (field->type != FIELD_OBJECT)
            continue;
        if (member->type == JSON_OBJECT)
            fix_lists(field->fields, member);
        for (struct json *item = member->type == JSON_ARRAY ? member->child : NULL; item;
             item = item->next)
            fix_lists(field->fields, item);
    }
}

void api_fix_payload(struct station *st, const char *cp, const char *name, struct json *payload)
{
    const struct action *action = version_action(api_version_of(st, cp), span_of(name));
    if (action)
        fix_lists(action->request, payload);
}

const struct version *api_version_of(struct station *st, const char *cp)
{
    const struct charge_point *found = station_find(st, cp);
    return found && found->version ? found->version : &version_16;
}

/* Raises for an action that cannot be sent, naming the nearest that can. */
static const struct action *check_action(lua_State *L, const struct version *version,
                                         const char *name)
{
    const struct action *action = version_action(version, span_of(name));
    if (action && (action->direction & FROM_CENTRAL_SYSTEM))
        return action;
    if (action)
        api_raise(L, "cp:call: %s is sent by chargers, not to them", name);
    const char *near =
        text_nearest(name, version->actions, version->action_count, sizeof(version->actions[0]));
    api_raise(L, "cp:call: OCPP %s has no action %s%s%s%s", version->name, name,
              near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return NULL;
}

/* The payload as text in a Lua value on top of the stack. */
static const char *push_payload(lua_State *L, struct station *st, const char *cp, const char *name,
                                int index)
{
    const struct action *action = check_action(L, api_version_of(st, cp), name);
    struct arena arena = {0};
    struct reason why;
    struct payload_report report = {0};
    struct strbuf text = {0};
    struct json *payload = lua_isnoneornil(L, index) ? json_new(&arena, JSON_OBJECT)
                                                     : api_read_json(L, index, &arena, &why);
    bool ok = payload != NULL;
    if (ok && payload->type != JSON_OBJECT)
        ok = reason_set(&why, "the payload must be a table with named members");
    if (ok) {
        fix_lists(action->request, payload);
        ok = station_call_check(st, cp, name, payload, &report) == OCPP_OK;
        if (!ok)
            payload_report_text(&report, why.text, sizeof(why.text));
    }
    if (ok)
        json_write(&text, payload);
    arena_clear(&arena);
    if (!ok)
        api_raise(L, "cp:call: %s: %s", name, why.text);
    /* Whatever raises from here on, raises for want of memory; the buffer is Lua's soon. */
    size_t size = text.len + 1;
    char *owned = strbuf_take(&text, NULL);
    char *buffer = lua_newuserdatauv(L, size, 0);
    memcpy(buffer, owned, size);
    xfree(owned);
    return buffer;
}

/* ---- the result ---- */

const char *api_call_code(const struct call_result *result)
{
    switch (result->outcome) {
    case CALL_ANSWERED:
        break;
    case CALL_ERROR:
        return result->error_code && result->error_code[0] ? result->error_code : "GenericError";
    case CALL_TIMEOUT:
        return "timeout";
    case CALL_OFFLINE:
        return "offline";
    case CALL_REFUSED:
        return "refused";
    case CALL_CANCELLED:
        return "cancelled";
    }
    return "cancelled";
}

int api_call_failed(lua_State *L, const struct call_result *result)
{
    struct reason message;
    if (result->outcome == CALL_ERROR)
        reason_set(&message, "CALLERROR %s%s%s", api_call_code(result),
                   result->description && result->description[0] ? ": " : "",
                   result->description ? result->description : "");
    else
        reason_set(&message, "%s", result->why ? result->why : api_call_code(result));
    lua_pushnil(L);
    api_push_error(L, api_call_code(result), message.text);
    if (result->details) {
        api_push_json(L, result->details);
        lua_setfield(L, -2, "details");
    }
    return 2;
}

static int build_result(lua_State *L)
{
    const struct call_result *result = lua_touserdata(L, 1);
    lua_settop(L, 0);
    if (result->outcome != CALL_ANSWERED)
        return api_call_failed(L, result);
    if (result->response)
        api_push_json(L, result->response);
    else
        lua_newtable(L);
    return 1;
}

/* ---- waiting ---- */

struct arrival {
    lua_CFunction build;
    const struct call_result *result;
};

static int push_result(lua_State *L, void *arg)
{
    const struct arrival *arrival = arg;
    return api_push_protected(L, arrival->build, (void *)arrival->result);
}

static void on_result(void *ctx, const struct call_result *result)
{
    struct calling *calling = ctx;
    struct task_ref ref = calling->ref;
    struct arrival arrival = {calling->build, result};
    xfree(calling);
    task_wake(ref, push_result, &arrival);
}

/* The task was cancelled: the CALL, if it still waits in the queue, is not sent. */
static void on_cancel(void *arg)
{
    struct calling *calling = *(struct calling **)arg;
    if (calling->serial)
        station_cancel(calling->station, calling->cp, calling->serial);
}

/* {"action":…,"payload":{…}}: whatever word of the API it came from. */
bool api_note_command(lua_State *L, const char *cp, const struct command *command)
{
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    if (!dry_wanted(L))
        return false;
    json_open(&out, '{');
    json_key(&out, "action");
    json_put_string(&out, command->action);
    json_key(&out, "payload");
    json_put_raw(&out, span_of(command->payload));
    json_close(&out, '}');
    bool dry = dry_note(L, "call", cp, strbuf_text(&text));
    strbuf_clear(&text);
    return dry;
}

int api_command_wait(lua_State *L, const char *what, const char *cp, const struct command *command,
                     lua_CFunction build)
{
    struct station *st = api_station(L, what);
    if (api_note_command(L, cp, command))
        return dry_call(L, st, cp, command->action, build);
    /* On the stack, and so alive, while the task waits; what may raise comes before the heap. */
    struct calling **box = lua_newuserdatauv(L, sizeof(*box), 0);
    struct task_ref ref = task_wait_begin(L, what, on_cancel, box);
    size_t len = strlen(cp);
    struct calling *calling = *box = xcalloc(1, sizeof(*calling) + len + 1);
    calling->ref = ref;
    calling->station = st;
    calling->build = build;
    memcpy(calling->cp, cp, len + 1);
    uint64_t serial = station_command(st, cp, command, NULL, on_result, calling);
    if (serial) /* else the result is in, and `calling` is gone */
        calling->serial = serial;
    return task_wait(L, ref);
}

const char *api_push_asker(lua_State *L)
{
    struct api_place place = {.file = "?"};
    api_caller(L, &place);
    return lua_pushfstring(L, "policy %s", place.file);
}

int api_cp_call(lua_State *L)
{
    static const char *const names[] = {"timeout", NULL};
    const char *cp = api_check_cp(L, 1);
    struct station *st = api_station(L, "cp:call");
    const char *action = api_arg_string(L, "cp:call", 2, "action");
    if (!lua_isnoneornil(L, 3))
        api_arg_table(L, "cp:call", 3, "payload");
    api_check_members(L, "cp:call", 4, names);
    struct command command = {.action = action};
    command.timeout_ms = api_opt_duration(L, "cp:call", 4, "timeout", 0);
    command.payload = push_payload(L, st, cp, action, 3);
    command.asked_by = api_push_asker(L);
    if (!station_find(st, cp))
        return api_fail(L, "gone", "charge point %s is not known", cp);
    return api_command_wait(L, "cp:call", cp, &command, build_result);
}

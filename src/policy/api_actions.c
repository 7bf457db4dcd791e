/* Words for the CALLs that policies send most: cp:start, cp:unlock, cp:trigger, cp:reset, tx:stop
 * (cp:configure is in api_configure.c); and the remote starts that wait (cp:pending,
 * cp:note_pending).
 *
 * Each word is a CALL whose answer is true, or nil and an error: err.code is what the charger said
 * ("Rejected", "UnlockFailed" …), the code of a CALLERROR, or "offline", "timeout", "refused",
 * "gone". */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/dry.h"

/* ---- what the charger said ---- */

static bool is_yes(const char *status)
{
    static const char *const words[] = {"Accepted", "Scheduled", "Unlocked"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (text_is(status, words[i]))
            return true;
    }
    return false;
}

static int build_yes(lua_State *L)
{
    const struct call_result *result = lua_touserdata(L, 1);
    lua_settop(L, 0);
    if (result->outcome != CALL_ANSWERED)
        return api_call_failed(L, result);
    const char *status = json_gets(result->response, "status");
    if (!is_yes(status))
        return api_fail(L, status ? status : "invalid", "the charger answered %s",
                        status ? status : "without a status");
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- asking ---- */

/* The payload is the table on top. */
static int ask(lua_State *L, const char *what, const char *cp, struct command *command)
{
    struct station *st = api_station(L, what);
    command->payload = api_push_as_text(L, -1, what);
    command->asked_by = api_push_asker(L);
    if (!station_find(st, cp))
        return api_fail(L, "gone", "charge point %s is not known", cp);
    return api_command_wait(L, what, cp, command, build_yes);
}

static int cp_start(lua_State *L)
{
    static const char *const names[] = {"connector", "idTag", "vars", NULL};
    static const char what[] = "cp:start";
    const char *cp = api_check_cp(L, 1);
    struct command command = {.action = "RemoteStartTransaction"};
    api_arg_table(L, what, 2, "what");
    api_check_members(L, what, 2, names);
    const char *id_tag = api_opt_string(L, what, 2, "idTag");
    if (!id_tag)
        return api_raise(L, "%s: idTag is needed", what);
    if (lua_getfield(L, 2, "vars") != LUA_TNIL)
        command.vars = api_push_as_text(L, -1, what);
    lua_createtable(L, 0, 2);
    api_set_string(L, "idTag", id_tag);
    api_set_integer(L, "connectorId", api_opt_integer(L, what, 2, "connector", ABSENT));
    return ask(L, what, cp, &command);
}

static int cp_unlock(lua_State *L)
{
    const char *cp = api_check_cp(L, 1);
    struct command command = {.action = "UnlockConnector"};
    int64_t connector = api_arg_integer(L, "cp:unlock", 2, "connector");
    lua_createtable(L, 0, 1);
    api_set_integer(L, "connectorId", connector);
    return ask(L, "cp:unlock", cp, &command);
}

static int cp_reset(lua_State *L)
{
    const char *cp = api_check_cp(L, 1);
    struct command command = {.action = "Reset"};
    const char *type = lua_isnoneornil(L, 2) ? "Soft" : api_arg_string(L, "cp:reset", 2, "type");
    if (!text_is(type, "Soft") && !text_is(type, "Hard"))
        return api_raise(L, "cp:reset: type must be Soft or Hard, not %s", type);
    lua_createtable(L, 0, 1);
    api_set_string(L, "type", type);
    return ask(L, "cp:reset", cp, &command);
}

static int cp_trigger(lua_State *L)
{
    const char *cp = api_check_cp(L, 1);
    struct command command = {.action = "TriggerMessage"};
    const char *message = api_arg_string(L, "cp:trigger", 2, "message");
    int64_t connector =
        lua_isnoneornil(L, 3) ? ABSENT : api_arg_integer(L, "cp:trigger", 3, "connector");
    lua_createtable(L, 0, 2);
    api_set_string(L, "requestedMessage", message);
    api_set_integer(L, "connectorId", connector);
    return ask(L, "cp:trigger", cp, &command);
}

/* Why a policy ended it, for tx.stop_reason: the charger will only say "Remote". */
static void note_reason(lua_State *L, struct station *st, int64_t id, int index)
{
    struct transaction *tx = station_transaction(st, id);
    struct reason why;
    if (!tx || lua_isnoneornil(L, index))
        return;
    const char *json = api_push_as_text(L, index, "tx:stop");
    char subject[24];
    snprintf(subject, sizeof(subject), "%lld", (long long)id);
    if (dry_write(L, &(struct dry_value){"tx.vars", "tx.vars", subject, "stop_reason", json,
                                         vars_get(&tx->vars, "stop_reason")})) {
        lua_pop(L, 1);
        return;
    }
    if (!vars_set(&tx->vars, "stop_reason", json, &why))
        api_raise(L, "tx:stop: %s", why.text);
    transaction_vars_changed(st, id);
    lua_pop(L, 1);
}

int api_tx_stop(lua_State *L)
{
    int64_t id = api_check_tx(L, 1);
    struct command command = {.action = "RemoteStopTransaction"};
    struct station *st = api_station(L, "tx:stop");
    if (!lua_isnoneornil(L, 2))
        api_arg_string(L, "tx:stop", 2, "reason");
    const struct transaction *tx = station_transaction(st, id);
    if (!tx || tx->stopped)
        return api_fail(L, "gone", "transaction %lld is over", (long long)id);
    note_reason(L, st, id, 2);
    lua_pushstring(L, tx->cp); /* keeps the text */
    const char *cp = lua_tostring(L, -1);
    lua_createtable(L, 0, 1);
    api_set_integer(L, "transactionId", id);
    return ask(L, "tx:stop", cp, &command);
}

/* ---- remote starts that wait ---- */

static int cp_pending(lua_State *L)
{
    const char *cp = api_check_cp(L, 1);
    struct station *st = api_station(L, "cp:pending");
    int64_t connector =
        lua_isnoneornil(L, 2) ? ABSENT : api_arg_integer(L, "cp:pending", 2, "connector");
    const struct pending_start *pending = station_pending(st, cp, connector);
    struct reason why;
    if (!pending) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 4);
    api_set_string(L, "idTag", pending->id_tag);
    api_set_seconds(L, "since", pending->created_ms);
    api_set_integer(L, "connector", pending->connector);
    if (!pending->vars || api_push_json_text(L, span_of(pending->vars), &why) != 0)
        lua_newtable(L);
    lua_setfield(L, -2, "vars");
    return 1;
}

static int cp_note_pending(lua_State *L)
{
    static const char what[] = "cp:note_pending";
    const char *cp = api_check_cp(L, 1);
    struct station *st = api_station(L, what);
    int64_t connector = lua_isnil(L, 2) ? ABSENT : api_arg_integer(L, what, 2, "connector");
    api_arg_table(L, what, 3, "vars");
    const char *json = api_push_as_text(L, 3, what);
    if (dry_note(L, what, cp, json)) {
        lua_pushboolean(L, station_pending(st, cp, connector) != NULL);
        return 1;
    }
    lua_pushboolean(L, station_pending_note(st, cp, connector, json));
    return 1;
}

int api_cp_action(lua_State *L, const char *key)
{
    static const struct {
        const char *name;
        lua_CFunction fn;
    } words[] = {
        {"call", api_cp_call},   {"start", cp_start},     {"unlock", cp_unlock},
        {"trigger", cp_trigger}, {"pending", cp_pending}, {"note_pending", cp_note_pending},
        {"limit", api_cp_limit}, {"reset", cp_reset},     {"configure", api_cp_configure}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!text_is(words[i].name, key))
            continue;
        lua_pushcfunction(L, words[i].fn);
        return 1;
    }
    return 0;
}

/* What handlers get for each event. One function per event; the table at the end lists them.
 *
 * Objects are ids (POLICY §1), times are seconds since 1970, units are those of the manual. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/hook_parts.h"

static void push_data(lua_State *L, const struct event *event)
{
    if (event->data)
        api_push_json(L, event->data);
    else
        lua_newtable(L);
}

static int boot_args(lua_State *L, const struct event *event)
{
    api_push_cp(L, event->cp);
    push_data(L, event);
    return 2;
}

static int authorize_args(lua_State *L, const struct event *event)
{
    lua_pushstring(L, event->id_tag ? event->id_tag : "");
    api_push_cp(L, event->cp);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, event->purpose ? event->purpose : "authorize");
    lua_setfield(L, -2, "purpose");
    if (event->connector != ABSENT) {
        lua_pushinteger(L, event->connector);
        lua_setfield(L, -2, "connector");
    }
    if (event->transaction_id != 0) {
        api_push_tx(L, event->transaction_id);
        lua_setfield(L, -2, "transaction");
    }
    return 3;
}

static int transaction_args(lua_State *L, const struct event *event)
{
    api_push_tx(L, event->transaction_id);
    return 1;
}

static int64_t seconds(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
}

/* m.time s, m.energy Wh, m.power W, m.soc %, m.temperature °C, m.voltage V, m.current A. */
static int meter_args(lua_State *L, const struct event *event)
{
    static const char *const names[][2] = {{"energyWh", "energy"},
                                           {"powerW", "power"},
                                           {"soc", "soc"},
                                           {"voltageV", "voltage"},
                                           {"temperatureC", "temperature"},
                                           {"currentA", "current"},
                                           {"samples", "samples"}};
    api_push_tx(L, event->transaction_id);
    lua_createtable(L, 0, ARRAY_LEN(names) + 2);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct json *value = json_get(event->data, names[i][0]);
        if (!value || value->type == JSON_NULL)
            continue;
        api_push_json(L, value);
        lua_setfield(L, -2, names[i][1]);
    }
    int64_t ms;
    if (json_int(json_get(event->data, "timestamp"), &ms)) {
        lua_pushinteger(L, seconds(ms));
        lua_setfield(L, -2, "time");
    }
    lua_pushboolean(L, json_bool(json_get(event->data, "implausible"), false));
    lua_setfield(L, -2, "implausible");
    return 2;
}

static int status_args(lua_State *L, const struct event *event)
{
    api_push_cp(L, event->cp);
    lua_pushinteger(L, event->connector == ABSENT ? 0 : event->connector);
    lua_pushstring(L, event->status);
    lua_pushstring(L, event->previous && event->previous[0] ? event->previous : NULL);
    return 4;
}

/* pending = { connector, idTag, vars, created (s) } */
static int expired_args(lua_State *L, const struct event *event)
{
    const char *id_tag = event->id_tag ? event->id_tag : json_gets(event->data, "idTag");
    const struct json *vars = json_get(event->data, "vars");
    int64_t connector = event->connector, created;
    if (connector == ABSENT && !json_int(json_get(event->data, "connectorId"), &connector))
        connector = ABSENT;
    api_push_cp(L, event->cp);
    lua_createtable(L, 0, 4);
    api_set_integer(L, "connector", connector);
    api_set_string(L, "idTag", id_tag);
    if (json_int(json_get(event->data, "createdMs"), &created))
        api_set_seconds(L, "created", created);
    if (vars && vars->type == JSON_OBJECT)
        api_push_json(L, vars);
    else
        lua_newtable(L);
    lua_setfield(L, -2, "vars");
    return 2;
}

static int reminder_args(lua_State *L, const struct event *event)
{
    api_push_tx(L, event->transaction_id);
    lua_pushstring(L, event->purpose);
    return 2;
}

static int cp_args(lua_State *L, const struct event *event)
{
    api_push_cp(L, event->cp);
    return 1;
}

static int action_args(lua_State *L, const struct event *event)
{
    api_push_cp(L, event->cp);
    push_data(L, event);
    return 2;
}

int hook_push_args(lua_State *L, const struct event *event)
{
    if (event->kind == EVENT_REBALANCE) {
        api_push_site(L, event->site);
        return 1;
    }
    static int (*const pushers[EVENT_KINDS])(lua_State *, const struct event *) = {
        [EVENT_BOOT] = boot_args,         [EVENT_AUTHORIZE] = authorize_args,
        [EVENT_START] = transaction_args, [EVENT_PRICE] = transaction_args,
        [EVENT_STOP] = transaction_args,  [EVENT_METER] = meter_args,
        [EVENT_STATUS] = status_args,     [EVENT_ONLINE] = cp_args,
        [EVENT_OFFLINE] = cp_args,        [EVENT_REMOTE_START_EXPIRED] = expired_args,
        [EVENT_REMINDER] = reminder_args, [EVENT_ACTION] = action_args,
    };
    return pushers[event->kind](L, event);
}

/* Cut at a character, so that it stays UTF-8. */
static void add(char *out, size_t size, const char *name, const char *value, size_t most,
                const char *after)
{
    char cut[64];
    size_t len = strlen(out);
    if (!value)
        return;
    text_copy(cut, most + 1 < sizeof(cut) ? most + 1 : sizeof(cut), span_of(value));
    snprintf(out + len, size - len, "%s%s=%s%s", len > 0 ? " " : "", name, cut, after);
}

void hook_example(const struct event *event, char *out, size_t size)
{
    char number[24];
    out[0] = '\0';
    add(out, size, "idTag", event->id_tag, 4, "…");
    if (event->connector != ABSENT) {
        snprintf(number, sizeof(number), "%" PRId64, event->connector);
        add(out, size, "connector", number, sizeof(number), "");
    }
    if (event->transaction_id != 0) {
        snprintf(number, sizeof(number), "%" PRId64, event->transaction_id);
        add(out, size, "transaction", number, sizeof(number), "");
    }
    add(out, size, "status", event->status, 24, "");
    add(out, size, "site", event->site, 24, "");
}

/* `cp:reset(type)` and `cp:configure { Key = value, … }`.
 *
 * configure sends one ChangeConfiguration a key, in order of the keys, and goes on where the
 * charger refuses one; it stops when the charger is gone or does not answer. Who wrote the script
 * gets true only if all keys were taken; else the first answer that was no yes, and all of them in
 * err.details. Start reading at cp_configure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/dry.h"

enum { KEYS_MAX = 50, KEY_MAX = 50, VALUE_MAX = 500 };

static const char what[] = "cp:configure";

struct key {
    const char *name, *value;
    const char *status; /* what came of it; NULL: not asked */
};

struct configuring { /* freed when the last answer is in */
    struct task_ref ref;
    struct station *station;
    uint64_t serial; /* of the CALL under way */
    struct arena arena;
    const char *cp, *asked_by;
    struct key *keys;
    size_t count, at;
};

/* ---- the result ---- */

static bool is_taken(const char *status)
{
    return text_is(status, "Accepted") || text_is(status, "RebootRequired");
}

static const struct key *first_refused(const struct configuring *c, size_t *refused)
{
    const struct key *first = NULL;
    *refused = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (is_taken(c->keys[i].status))
            continue;
        (*refused)++;
        if (!first && c->keys[i].status)
            first = &c->keys[i];
    }
    return first;
}

static int build_results(lua_State *L)
{
    const struct configuring *c = lua_touserdata(L, 1);
    size_t refused;
    const struct key *first = first_refused(c, &refused);
    lua_settop(L, 0);
    if (refused == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    api_fail(L, first ? first->status : "cancelled", "%zu of %zu keys were not taken: %s %s",
             refused, c->count, first ? first->name : "", first ? first->status : "cancelled");
    lua_createtable(L, 0, (int)c->count);
    for (size_t i = 0; i < c->count; i++)
        api_set_string(L, c->keys[i].name, c->keys[i].status);
    lua_setfield(L, -2, "details");
    return 2;
}

static int push_results(lua_State *L, void *arg)
{
    return api_push_protected(L, build_results, arg);
}

static void finish(struct configuring *c)
{
    task_wake(c->ref, push_results, c);
    arena_clear(&c->arena);
    xfree(c);
}

/* ---- one key after the other ---- */

static const char *status_of(const struct call_result *result)
{
    if (result->outcome != CALL_ANSWERED)
        return api_call_code(result);
    const char *status = json_gets(result->response, "status");
    return status ? status : "invalid";
}

static void send_key(struct configuring *c);

static void on_result(void *ctx, const struct call_result *result)
{
    struct configuring *c = ctx;
    bool heard = result->outcome == CALL_ANSWERED || result->outcome == CALL_ERROR;
    c->keys[c->at++].status = arena_strdup(&c->arena, status_of(result));
    if (heard && c->at < c->count)
        send_key(c);
    else
        finish(c);
}

static const char *payload_of(struct configuring *c, const struct key *key)
{
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    json_open(&out, '{');
    json_key(&out, "key");
    json_put_string(&out, key->name);
    json_key(&out, "value");
    json_put_string(&out, key->value);
    json_close(&out, '}');
    const char *payload = arena_strdup(&c->arena, strbuf_text(&text));
    strbuf_clear(&text);
    return payload;
}

static struct command command_of(struct configuring *c, const struct key *key)
{
    return (struct command){
        .action = "ChangeConfiguration", .payload = payload_of(c, key), .asked_by = c->asked_by};
}

static void send_key(struct configuring *c)
{
    const struct command command = command_of(c, &c->keys[c->at]);
    uint64_t serial = station_command(c->station, c->cp, &command, NULL, on_result, c);
    if (serial) /* else its result is in, and `c` may be gone */
        c->serial = serial;
}

/* A CALL that still waits is not sent; its result, "cancelled", ends the rest. */
static void on_cancel(void *arg)
{
    struct configuring *c = *(struct configuring **)arg;
    station_cancel(c->station, c->cp, c->serial);
}

/* ---- asking ---- */

/* As ChangeConfiguration wants it, pushed. */
static const char *push_value(lua_State *L, int index, const char *name)
{
    lua_Integer whole;
    int is_whole = 0;
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        return lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
    case LUA_TNUMBER:
        whole = lua_tointegerx(L, index, &is_whole);
        return is_whole ? lua_pushfstring(L, "%I", whole) : luaL_tolstring(L, index, NULL);
    case LUA_TSTRING:
        lua_pushvalue(L, index);
        return lua_tostring(L, -1);
    default:
        api_raise(L, "%s: %s must be a string, a number or a boolean, not %s", what, name,
                  api_type_of(L, index));
        return NULL;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct key *)a)->name, ((const struct key *)b)->name);
}

/* The table at 2 as keys in memory of Lua's, on top; its texts in lists that stay on the stack. */
static struct key *read_keys(lua_State *L, size_t *count)
{
    struct key *keys = lua_newuserdatauv(L, KEYS_MAX * sizeof(*keys), 0);
    lua_newtable(L);
    int anchor = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            api_raise(L, "%s: write { Key = value, … }", what);
        const char *name = lua_tostring(L, -2);
        if (*count == KEYS_MAX)
            api_raise(L, "%s: more than %d keys", what, KEYS_MAX);
        const char *value = push_value(L, lua_gettop(L), name);
        if (name[0] == '\0' || strlen(name) > KEY_MAX || strlen(value) > VALUE_MAX)
            api_raise(L, "%s: %.60s: keys have 1 to %d bytes, values up to %d", what, name, KEY_MAX,
                      VALUE_MAX);
        keys[(*count)++] = (struct key){name, value, NULL};
        lua_rawseti(L, anchor, (lua_Integer)*count);
    }
    if (*count == 0)
        api_raise(L, "%s: no keys: write { Key = value, … }", what);
    qsort(keys, *count, sizeof(*keys), by_name);
    return keys;
}

static struct configuring *configuring_new(struct station *st, const char *cp, const char *asked_by,
                                           const struct key *keys, size_t count)
{
    struct configuring *c = xcalloc(1, sizeof(*c));
    c->station = st;
    c->cp = arena_strdup(&c->arena, cp);
    c->asked_by = arena_strdup(&c->arena, asked_by);
    c->keys = arena_alloc(&c->arena, count * sizeof(*keys));
    c->count = count;
    for (size_t i = 0; i < count; i++)
        c->keys[i] = (struct key){arena_strdup(&c->arena, keys[i].name),
                                  arena_strdup(&c->arena, keys[i].value), NULL};
    return c;
}

/* Notes each CALL; true: a dry run, in which none is sent. */
static bool note(lua_State *L, struct configuring *c)
{
    bool dry = false;
    for (size_t i = 0; i < c->count; i++) {
        const struct command command = command_of(c, &c->keys[i]);
        dry = api_note_command(L, c->cp, &command);
    }
    return dry;
}

static int dry_result(lua_State *L, struct configuring *c)
{
    const struct charge_point *found = station_find(c->station, c->cp);
    for (size_t i = 0; i < c->count; i++)
        c->keys[i].status = found && found->connection ? "Accepted" : "offline";
    int results = push_results(L, c);
    arena_clear(&c->arena);
    xfree(c);
    return results;
}

int api_cp_configure(lua_State *L)
{
    const char *cp = api_check_cp(L, 1);
    struct station *st = api_station(L, what);
    size_t count = 0;
    lua_settop(L, 2);
    api_arg_table(L, what, 2, "keys");
    const struct key *keys = read_keys(L, &count);
    const char *asked_by = api_push_asker(L);
    if (!station_find(st, cp))
        return api_fail(L, "gone", "charge point %s is not known", cp);
    /* On the stack, and so alive, while the task waits; what may raise comes before the heap. */
    struct configuring **box = lua_newuserdatauv(L, sizeof(*box), 0);
    struct task_ref ref = {0};
    if (!dry_is(L))
        ref = task_wait_begin(L, what, on_cancel, box);
    struct configuring *c = *box = configuring_new(st, cp, asked_by, keys, count);
    c->ref = ref;
    if (note(L, c))
        return dry_result(L, c);
    send_key(c);
    return task_wait(L, ref);
}

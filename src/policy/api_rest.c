/* `core`: what the REST routes of lua/routes may do beyond what policies may. Privileged.
 *
 * Here: registering, named queries of the store, health, and the list of all rows; snapshots are in
 * api_rest_live.c, tags in api_rest_tags.c, policies in api_rest_policies.c. Times are integer
 * milliseconds named …Ms until core.time() makes text of them. */
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "policy/api_rest.h"
#include "station/settle.h"

#ifndef CB_VERSION
#define CB_VERSION "unknown"
#endif

/* ---- changes ---- */

struct change_result {
    bool ok;
    const char *code, *why;
};

static int build_change(lua_State *L)
{
    const struct change_result *result = lua_touserdata(L, 1);
    lua_settop(L, 0);
    if (!result->ok)
        return api_fail(L, result->code, "%s", result->why ? result->why : "it was not stored");
    lua_pushboolean(L, 1);
    return 1;
}

static int push_change(lua_State *L, void *arg)
{
    return api_push_protected(L, build_change, arg);
}

static void change_done_fn(void *ctx, bool ok, const char *why)
{
    struct task_ref ref = *(struct task_ref *)ctx;
    xfree(ctx);
    struct change_result result = {ok, "store", why};
    task_wake(ref, push_change, &result);
}

struct change_wait rest_change_begin(lua_State *L, const char *what)
{
    struct change_wait wait = {.ref = task_wait_begin(L, what, NULL, NULL), .done = change_done_fn};
    wait.ctx = xmalloc(sizeof(wait.ref));
    memcpy(wait.ctx, &wait.ref, sizeof(wait.ref));
    return wait;
}

int rest_change_end(lua_State *L, struct change_wait *wait, bool begun, const char *code,
                    const char *why)
{
    if (!begun) {
        xfree(wait->ctx);
        struct change_result result = {false, code, why};
        task_wake(wait->ref, push_change, &result);
    }
    return task_wait(L, wait->ref);
}

void rest_change_drop(struct change_wait *wait)
{
    XFREE(wait->ctx);
}

/* ---- the next turn ---- */

struct pausing { /* freed when it fires or its task is cancelled */
    struct timer timer;
    struct timers *timers;
    struct task_ref ref;
};

static int push_nothing(lua_State *L, void *arg)
{
    (void)L;
    (void)arg;
    return 0;
}

static void on_turn(struct timer *timer)
{
    struct pausing *pausing = CONTAINER_OF(timer, struct pausing, timer);
    struct task_ref ref = pausing->ref;
    xfree(pausing);
    task_wake(ref, push_nothing, NULL);
}

static void on_pause_cancelled(void *arg)
{
    struct pausing *pausing = *(struct pausing **)arg;
    timer_stop(pausing->timers, &pausing->timer);
    xfree(pausing);
}

static int rest_pause(lua_State *L)
{
    generation_require_live(L, "core.pause");
    struct timers *timers = generation_of(L)->timers;
    if (!timers)
        return api_raise(L, "core.pause cannot be used here");
    struct pausing **box = lua_newuserdatauv(L, sizeof(*box), 0);
    struct task_ref ref = task_wait_begin(L, "core.pause", on_pause_cancelled, box);
    struct pausing *pausing = *box = xcalloc(1, sizeof(*pausing));
    *pausing = (struct pausing){{.fn = on_turn}, timers, ref};
    timer_start(timers, &pausing->timer, 0);
    return task_wait(L, ref);
}

/* ---- charge points ---- */

static int rest_register(lua_State *L)
{
    static const char *const names[] = {"registration", "password", "securityProfile", "options",
                                        NULL};
    struct station *st = api_station(L, "core.register");
    const char *id = api_arg_string(L, "core.register", 1, "cpid");
    api_arg_table(L, "core.register", 2, "change");
    api_check_members(L, "core.register", 2, names);
    struct charge_point_change change = {
        .registration = api_opt_string(L, "core.register", 2, "registration"),
        .password = api_opt_string(L, "core.register", 2, "password"),
        .security_profile = api_opt_integer(L, "core.register", 2, "securityProfile", ABSENT)};
    change.password_len = change.password ? strlen(change.password) : 0;
    if (lua_getfield(L, 2, "options") != LUA_TNIL)
        change.options = api_push_as_text(L, -1, "core.register");
    struct reason why;
    struct change_wait wait = rest_change_begin(L, "core.register");
    bool begun = station_register(st, id, &change, &why, wait.done, wait.ctx);
    return rest_change_end(L, &wait, begun, "invalid", why.text);
}

static int rest_delete(lua_State *L)
{
    struct station *st = api_station(L, "core.delete");
    const char *id = api_arg_string(L, "core.delete", 1, "cpid");
    struct reason why;
    struct change_wait wait = rest_change_begin(L, "core.delete");
    bool begun = station_delete(st, id, &why, wait.done, wait.ctx);
    return rest_change_end(L, &wait, begun, "conflict", why.text);
}

/* ---- the store ---- */

int rest_stored(lua_State *L)
{
    struct station *st = api_station(L, "core.stored");
    struct change_wait wait = rest_change_begin(L, "core.stored");
    station_settle(st, wait.done, wait.ctx);
    return rest_change_end(L, &wait, true, NULL, NULL);
}

struct query_result {
    const char *rows, *next, *why;
};

static int build_rows(lua_State *L)
{
    const struct query_result *result = lua_touserdata(L, 1);
    struct reason why;
    lua_settop(L, 0);
    if (!result->rows)
        return api_fail(L, "store", "%s", result->why ? result->why : "the query failed");
    if (api_push_json_text(L, span_of(result->rows), &why) != 0)
        return api_fail(L, "store", "the rows could not be read: %s", why.text);
    lua_pushstring(L, result->next);
    return 2;
}

static int push_rows(lua_State *L, void *arg)
{
    return api_push_protected(L, build_rows, arg);
}

static void on_rows(void *ctx, const char *rows_json, const char *next_cursor, const char *why)
{
    struct task_ref ref = *(struct task_ref *)ctx;
    xfree(ctx);
    struct query_result result = {rows_json, next_cursor, why};
    task_wake(ref, push_rows, &result);
}

static int rest_query(lua_State *L)
{
    generation_require_live(L, "core.query");
    const char *name = api_arg_string(L, "core.query", 1, "name");
    api_arg_table(L, "core.query", 2, "params");
    const struct policy_ports *ports = generation_ports(generation_of(L));
    if (!ports || !ports->query)
        return api_fail(L, "store", "there is no store here");
    struct arena arena = {0};
    struct reason why;
    const struct json *params = api_read_json(L, 2, &arena, &why);
    if (!params) {
        arena_clear(&arena);
        return api_raise(L, "core.query: %s", why.text);
    }
    /* Nothing raises between here and the call but a wait that is not possible: checked first. */
    if (!lua_isyieldable(L)) {
        arena_clear(&arena);
        return api_raise(L, "core.query waits and cannot be used here");
    }
    struct task_ref ref = task_wait_begin(L, "core.query", NULL, NULL);
    void *ctx = xmalloc(sizeof(ref));
    memcpy(ctx, &ref, sizeof(ref));
    ports->query(ports->ctx, name, params, on_rows, ctx);
    arena_clear(&arena);
    return task_wait(L, ref);
}

static int rest_health(lua_State *L)
{
    const struct policy_ports *ports = generation_ports(generation_of(L));
    bool ok = !ports || !ports->store_healthy || ports->store_healthy(ports->ctx);
    lua_pushboolean(L, ok);
    return 1;
}

/* ---- small things ---- */

static int rest_time(lua_State *L)
{
    char text[TIMETEXT_SIZE];
    if (lua_isnil(L, 1))
        return 1;
    wall_t at = lua_isnone(L, 1) ? wall_now() : api_arg_integer(L, "core.time", 1, "ms");
    if (at % 1000 == 0)
        timetext_seconds(at, text);
    else
        timetext_millis(at, text);
    lua_pushstring(L, text);
    return 1;
}

static int rest_now_ms(lua_State *L)
{
    lua_pushinteger(L, wall_now());
    return 1;
}

static int rest_flags(lua_State *L)
{
    api_push_flags(L, api_arg_integer(L, "core.flags", 1, "flags"), true);
    return 1;
}

static int rest_sha256(lua_State *L)
{
    char hex[SHA256_HEX_SIZE];
    struct span text = span_of(api_arg_string(L, "core.sha256", 1, "text"));
    sha256_hex(text.at, text.len, hex);
    lua_pushstring(L, hex);
    return 1;
}

static int rest_version(lua_State *L)
{
    lua_pushliteral(L, CB_VERSION);
    return 1;
}

static const struct api_row rows[] = {
    {"chargepoints", rest_charge_points,
     "fun(page?: { after?: string, limit?: integer, state?: string }): table[], string?",
     "Charge points in order of their identity, and the cursor of the next page.", false},
    {"chargepoint", rest_charge_point, "fun(cpid: string): table?", "One charge point.", false},
    {"connectors", rest_connectors,
     "fun(which?: string|{ cpid?: string, after?: string, limit?: integer }): table[], string?",
     "All connectors, or those of one charge point, or of one page of charge points.", false},
    {"active", rest_active,
     "fun(which?: string|{ cpid?: string, after?: integer, limit?: integer }): table[], integer?",
     "Open transactions, oldest first; as a page in order of their ids.", false},
    {"transaction", rest_transaction, "fun(id: integer): table?", "One open transaction.", false},
    {"cost", rest_cost, "fun(transactionId: integer): table?, err?",
     "What it would cost if it ended now; see tx:cost.", false},
    {"close", rest_close, "fun(transactionId: integer): true?, err?",
     "Ends a transaction whose charger died; err.code \"unknown\", \"conflict\" or \"store\".",
     true},
    {"command", rest_command, "fun(cpid: string, command: table): table",
     "Sends a CALL and waits: { action, body = text as received or payload = table, timeout, by, "
     "batch, vars }. The result's status tells how it ended.",
     true},
    {"command_start", rest_command_start, "fun(cpid: string, command: table): table",
     "The same without waiting: status \"queued\", or what is known at once.", false},
    {"pending", rest_pending, "fun(cpid?: string): table[]",
     "Remote starts that wait for their StartTransaction, oldest first.", false},
    {"pending_drop", rest_pending_drop, "fun(cpid: string, connectorId?: integer): boolean",
     "Forgets one.", false},
    {"composite", rest_composite,
     "fun(profiles: table[], place: table, fromMs: integer, duration: integer, unit: string): "
     "table?",
     "The composite schedule of charging profiles; nil if nothing limits.", false},
    {"pause", rest_pause, "fun()", "Lets the others have a turn.", true},
    {"figures", rest_figures, "fun(): { name: string, labels: string, value: number }[]",
     "All figures of GET /metrics.", false},
    {"routes", rest_routes, "fun(): table[]", "All routes as they were declared.", false},
    {"events", rest_events,
     "fun(filter?: { cpid?: string, types?: string, lastId?: integer }): source?, string?",
     "A body of server-sent events.", false},
    {"file_source", rest_file_source, "fun(name: string): source?, table|string|nil",
     "The file as a body, and its size.", false},
    {"files", rest_files, "fun(after?: string, limit?: integer): table[], string?",
     "Files in order of their names.", false},
    {"file_keep", rest_file_keep, "fun(upload: integer, name: string): table?, string?",
     "What was received becomes that file.", false},
    {"file_discard", rest_file_discard, "fun(upload: integer)", "What was received is not wanted.",
     false},
    {"file_remove", rest_file_remove, "fun(name: string): true?, string?", "Removes a file.",
     false},
    {"file_link", rest_file_link,
     "fun(link: { name: string, upload?: boolean, cpid?: string, validMs: integer }): string?, "
     "string?",
     "A one-time link, as a whole address.", false},
    {"file_link_find", rest_file_link_find, "fun(token: string): table?", "What a link is for.",
     false},
    {"file_link_use", rest_file_link_use, "fun(token: string)", "Its transfer is over.", false},
    {"register", rest_register, "fun(cpid: string, change: table): true?, err?",
     "Creates or changes a charge point; the answer comes when it is on disk.", true},
    {"delete", rest_delete, "fun(cpid: string): true?, err?",
     "Forgets a charge point; err.code \"conflict\" while a transaction is open.", true},
    {"tags", rest_tags, "fun(page?: { after?: string, limit?: integer }): table[], string?",
     "Tags in order of their text, and the cursor of the next page.", false},
    {"tag", rest_tag, "fun(idTag: string): table?", "One tag.", false},
    {"put_tag", rest_put_tag, "fun(tag: table): true?, err?",
     "Creates or replaces a tag: in force at once, the answer comes when it is on disk.", true},
    {"import_tags", rest_import_tags, "fun(tags: table[]): true?, err?",
     "All of them or none; err.details.index is the first that does not fit.", true},
    {"delete_tag", rest_delete_tag, "fun(idTag: string): true?, err?",
     "Removes a tag; err.code \"unknown\" if there is none.", true},
    {"stored", rest_stored, "fun(): true?, err?",
     "Waits until what was changed before is on disk, so that no crash forgets it.", true},
    {"query", rest_query, "fun(name: string, params: table): table[]?, string|err|nil",
     "A named query of the store: its rows, and the cursor of the next page.", true},
    {"health", rest_health, "fun(): boolean", "Does the store take writes?", false},
    {"policies", rest_policies, "fun(): table", "State of the policies.", false},
    {"policy_errors", rest_policy_errors, "fun(): table",
     "The last distinct errors of policies: { total, items }.", false},
    {"reload", rest_reload, "fun(): table", "Loads the policies again; the report.", true},
    {"check", rest_check, "fun(): table", "Checks the folder without loading it; the report.",
     true},
    {"rollback", rest_rollback, "fun(): table", "Back to the generation before; the report.", true},
    {"webhooks", rest_webhooks, "fun(): table[]", "Webhooks and how their delivery goes.", false},
    {"webhook_retry", rest_webhook_retry, "fun(name: string): boolean",
     "Tries now what waits for its next attempt; false: unknown.", false},
    {"eval", rest_eval, "fun(body: table): table?, err?",
     "Tries an event on policies that run dry; err.code \"invalid\" with details {pointer, "
     "message}, or \"refused\" with the report.",
     true},
    {"shadow", rest_shadow, "fun(): table", "The candidate that runs beside the policies.", false},
    {"shadow_start", rest_shadow_start, "fun(dir: string): table",
     "Builds a folder and lets it watch; the report.", true},
    {"shadow_stop", rest_shadow_stop, "fun(): boolean", "Ends it; false if there was none.", false},
    {"canary", rest_canary, "fun(): table", "The candidate that is live for some charge points.",
     false},
    {"canary_start", rest_canary_start,
     "fun(what: { dir: string, chargepoints?: string[], percent?: integer, errorsMin?: integer, "
     "errorPercent?: integer }): table",
     "Builds a folder and makes it live for them; the report.", true},
    {"canary_promote", rest_canary_promote, "fun(): boolean",
     "Makes it live for all; false if there is none.", true},
    {"canary_stop", rest_canary_stop, "fun(): boolean", "Ends it; false if there is none.", true},
    {"time", rest_time, "fun(ms?: integer): string?", "RFC 3339 text of a time in milliseconds.",
     false},
    {"flags", rest_flags, "fun(flags: integer): string[]", "Names of a transaction's flags.",
     false},
    {"now_ms", rest_now_ms, "fun(): integer", "Now, in milliseconds.", false},
    {"sha256", rest_sha256, "fun(text: string): string", "SHA-256 of a text, in hex.", false},
    {"version", rest_version, "fun(): string", "Of the server.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_rest = {.on = "core",
                                         .class_doc = "For the routes that ship with the server.",
                                         .rows = rows,
                                         .privileged = true};

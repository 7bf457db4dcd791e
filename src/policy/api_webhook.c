/* `webhook`: declared while files load, used from handlers.
 *
 *     webhook "crm" { url = "https://crm.example/hooks", secret = "…" }
 *     function on.stop(tx) webhook("crm"):send("stop", { id = tx.id }) end
 *
 * A webhook in Lua is its name; what it is, is looked up in the generation. See webhooks.h for what
 * becomes of a message. */
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/dry.h"
#include "policy/outside.h"
#include "policy/testkit.h"
#include "policy/webhooks.h"

enum { SECRET_MAX = 256, HEADERS_MAX = 10 };

static const char webhook_key;

static const char *check_webhook(lua_State *L, int index)
{
    const char *name = api_to_object(L, index, &webhook_key);
    if (!name)
        api_raise(L, "a webhook is needed here: webhook(\"name\"):send(…)");
    return name;
}

/* ---- declaring ---- */

static void check_declarable(lua_State *L, const char *name)
{
    const struct generation *generation = generation_of(L);
    const struct webhook *known = webhook_find(generation, name);
    if (generation->phase != PHASE_LOADING || generation->loading_file < 0)
        api_raise(L, "webhook \"%s\" can only be declared while a policy file loads", name);
    if (known)
        api_raise(L, "webhook \"%s\" is declared already, at %s:%d", name,
                  generation_file_name(generation, known->file), known->line);
    if (generation->webhooks && generation->webhooks->count == WEBHOOKS_MAX)
        api_raise(L, "webhook \"%s\": more than %d", name, WEBHOOKS_MAX);
}

/* Everything that may raise comes before the first byte is kept. */
static void check_declaration(lua_State *L, const char *name)
{
    static const char *const names[] = {"url", "secret", "headers", NULL};
    struct reason why;
    if (!lua_istable(L, 2))
        api_raise(L, "webhook \"%s\" needs a table: { url = … }", name);
    api_check_members(L, "webhook", 2, names);
    const char *url = api_opt_string(L, "webhook", 2, "url");
    if (!url)
        api_raise(L, "webhook \"%s\": url is needed", name);
    if (!outside_url_valid(url, &why))
        api_raise(L, "webhook \"%s\": url: %s", name, why.text);
    const char *secret = api_opt_string(L, "webhook", 2, "secret");
    if (secret && (secret[0] == '\0' || strlen(secret) > SECRET_MAX))
        api_raise(L, "webhook \"%s\": secret must have 1 to %d bytes", name, SECRET_MAX);
}

/* The lines of `headers` as a list on top of the stack, checked; their number. */
static int push_headers(lua_State *L)
{
    lua_getfield(L, 2, "headers");
    lua_newtable(L);
    return lua_isnil(L, -2) ? 0 : api_header_lines(L, "webhook", lua_gettop(L) - 1, HEADERS_MAX);
}

static int webhook_declare(lua_State *L)
{
    const char *name = check_webhook(L, 1);
    struct generation *generation = generation_of(L);
    struct api_place place = {.file = "?"};
    lua_settop(L, 2);
    check_declarable(L, name);
    check_declaration(L, name);
    const char *url = api_opt_string(L, "webhook", 2, "url");
    const char *secret = api_opt_string(L, "webhook", 2, "secret");
    int headers = push_headers(L);
    api_caller(L, &place);
    if (!generation->webhooks)
        generation->webhooks = xcalloc(1, sizeof(*generation->webhooks));
    struct webhook *webhook = &generation->webhooks->items[generation->webhooks->count++];
    *webhook = (struct webhook){.name = xstrdup(name),
                                .url = xstrdup(url),
                                .secret = xstrdup_or_null(secret),
                                .headers = xcalloc((size_t)headers + 1, sizeof(char *)),
                                .file = generation->loading_file,
                                .line = place.line};
    for (int i = 0; i < headers; i++) {
        lua_rawgeti(L, -1, i + 1);
        webhook->headers[i] = xstrdup(lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    lua_settop(L, 1);
    return 1;
}

/* ---- using ---- */

static void check_known(lua_State *L, const char *name)
{
    const struct generation *generation = generation_of(L);
    const struct webhook_list *list = generation->webhooks;
    if (webhook_find(generation, name))
        return;
    const char *near =
        list ? text_nearest(name, &list->items[0].name, list->count, sizeof(list->items[0])) : NULL;
    api_raise(L, "webhook \"%s\" is not declared%s%s%s", name, near ? "; did you mean \"" : "",
              near ? near : "", near ? "\"?" : "");
}

static bool note(lua_State *L, const char *name, const char *event, const char *payload)
{
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    if (!dry_wanted(L))
        return false;
    json_open(&out, '{');
    json_key(&out, "event");
    json_put_string(&out, event);
    json_key(&out, "payload");
    json_put_raw(&out, span_of(payload));
    json_close(&out, '}');
    bool dry = dry_note(L, "webhook", name, strbuf_text(&text));
    strbuf_clear(&text);
    return dry;
}

static int webhook_do_send(lua_State *L)
{
    static const char what[] = "webhook:send";
    const char *name = check_webhook(L, 1);
    char id[UUID_SIZE] = "00000000-0000-4000-8000-000000000000";
    struct generation *generation = generation_of(L);
    struct reason why;
    generation_require_live(L, what);
    lua_settop(L, 3);
    const char *event = api_arg_string(L, what, 2, "event");
    if (!webhook_name_valid(event))
        return api_raise(L, "%s: argument 2 (event) must be a name of letters, digits, . - _",
                         what);
    check_known(L, name);
    const char *payload = lua_isnil(L, 3) ? "null" : api_push_as_text(L, 3, what);
    if (!note(L, name, event, payload)) {
        if (generation->testkit) {
            uuid_new(id);
            testkit_webhook(L, name, id, event, payload);
        } else if (!generation->policy || !generation->policy->webhooks) {
            return api_raise(L, "%s needs a server and cannot be used here", what);
        } else if (!webhook_send(generation->policy, name, event, payload, id, &why)) {
            return api_fail(L, "refused", "%s", why.text);
        }
    }
    lua_pushstring(L, id);
    return 1;
}

/* ---- the object ---- */

static const struct api_row webhook_rows[] = {
    {"send", webhook_do_send, "fun(self: webhook, event: string, payload?: any): string?, err?",
     "Takes the payload in and gives its id; it is delivered later, in order and at least once, "
     "over restarts too: { id, webhook, event, created, data }. nil and an error when 10,000 wait "
     "already, or it is longer than 64 KiB.",
     false},
    {"name", NULL, "string", "As declared.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_webhook = {
    .on = "webhook",
    .class_doc = "A receiver of events in another system.",
    .rows = webhook_rows,
    .called = "({ url: string, secret?: string, headers?: table<string, string> }): webhook",
    .object = true};

static int on_index(lua_State *L)
{
    const char *name = check_webhook(L, 1);
    const char *key = luaL_tolstring(L, 2, NULL);
    if (text_is(key, "name"))
        lua_pushstring(L, name);
    else if (text_is(key, "send"))
        lua_pushcfunction(L, webhook_do_send);
    else
        return api_unknown_field(L, "webhook", &api_table_webhook, key);
    return 1;
}

static int on_write(lua_State *L)
{
    return api_raise(L, "webhook \"%s\" is read-only; declare it with { url = … }",
                     check_webhook(L, 1));
}

static int on_text(lua_State *L)
{
    lua_pushfstring(L, "webhook %s", check_webhook(L, 1));
    return 1;
}

void api_open_webhook(lua_State *L)
{
    static const luaL_Reg metamethods[] = {{"__index", on_index},
                                           {"__newindex", on_write},
                                           {"__call", webhook_declare},
                                           {"__tostring", on_text},
                                           {NULL, NULL}};
    api_open_object(L, &webhook_key, "a webhook", metamethods);
}

static int webhook_new(lua_State *L)
{
    const char *name = api_arg_string(L, "webhook", 1, "name");
    if (!webhook_name_valid(name))
        return api_raise(L, "webhook: argument 1 (name) must be a name of letters, digits, . - _");
    size_t size = strlen(name) + 1;
    memcpy(lua_newuserdatauv(L, size, 0), name, size);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &webhook_key);
    lua_setmetatable(L, -2);
    return 1;
}

static const struct api_row global_rows[] = {
    {"webhook", webhook_new, "fun(name: string): webhook",
     "Declared while files load: `webhook \"crm\" { url = \"https://…\", secret = \"…\", headers = "
     "{…} }`; used later: `webhook(\"crm\"):send(\"stop\", {…})`. Each delivery is a POST with "
     "X-ChargeBridge-Event, -Id and, with a secret, -Signature: t=…,v1=HMAC-SHA256 of \"t.body\". "
     "What is not answered 2xx is sent again, after 5s up to 15m, for 3 days. The host must be in "
     "policies.http_hosts.",
     false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_webhook_globals = {
    .on = "", .class_doc = "Webhooks.", .rows = global_rows};

/* The table of routes: registering (`route` in policies and lua/routes) and finding.
 *
 * A route belongs to the file that defined it. An operator's route may replace one that ships with
 * the server if it says so; two owners of the same route are an error of the build. Where several
 * templates fit a path, a literal segment wins over a parameter, from left to right. */
#include "policy/router.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

/* ---- memory ---- */

static void route_free(struct route *route)
{
    if (!route)
        return;
    for (size_t i = 0; i < route->count; i++)
        xfree(route->segments[i].text);
    shape_free(&route->query);
    shape_free(&route->body);
    xfree(route->method);
    xfree(route->template);
    xfree(route->doc);
    xfree(route);
}

void routes_free(struct generation *generation)
{
    struct route_table *table = generation->routes;
    if (!table)
        return;
    for (size_t i = 0; i < table->count; i++)
        route_free(table->items[i]);
    xfree(table->items);
    XFREE(generation->routes);
}

size_t routes_count(const struct generation *generation)
{
    return generation->routes ? generation->routes->count : 0;
}

/* ---- templates ---- */

static bool is_name(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (!(isalpha(c) || c == '_' || (i > 0 && isdigit(c))))
            return false;
    }
    return text.len > 0;
}

static bool add_segment(struct route *route, struct span text, struct reason *why)
{
    if (route->count == SEGMENTS_MAX)
        return reason_set(why, "more than %d segments", SEGMENTS_MAX);
    bool parameter = text.len >= 2 && text.at[0] == '{' && text.at[text.len - 1] == '}';
    struct span name = parameter ? (struct span){text.at + 1, text.len - 2} : text;
    if (parameter ? !is_name(name) : name.len == 0 || strcspn(name.at, "{}?#%/ ") < name.len)
        return reason_set(why, "\"%.*s\" is no segment; write /name or /{parameter}", (int)text.len,
                          text.at);
    for (size_t i = 0; parameter && i < route->count; i++) {
        if (route->segments[i].parameter && span_is(name, route->segments[i].text))
            return reason_set(why, "{%s} is there twice", route->segments[i].text);
    }
    route->segments[route->count++] =
        (struct route_segment){xstrndup(name.at, name.len), parameter};
    return true;
}

static bool read_template(struct route *route, const char *text, struct reason *why)
{
    struct span rest = span_of(text), method = {0}, segment;
    span_cut(&rest, ' ', &method);
    size_t at = 0;
    while (at < ARRAY_LEN(methods) && !span_is(method, methods[at]))
        at++;
    if (at == ARRAY_LEN(methods) || !rest.at)
        return reason_set(why,
                          "begins with a method: \"GET /path\" (GET, POST, PUT, PATCH, DELETE)");
    route->method = xstrdup(methods[at]);
    route->template = xstrndup(rest.at, rest.len);
    if (rest.len < 2 || rest.at[0] != '/')
        return reason_set(why, "the path begins with / and is not empty");
    rest.at++;
    rest.len--;
    while (span_cut(&rest, '/', &segment)) {
        if (!add_segment(route, segment, why))
            return false;
    }
    return true;
}

static bool same_shape(const struct route *a, const struct route *b)
{
    if (!text_is(a->method, b->method) || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct route_segment *x = &a->segments[i], *y = &b->segments[i];
        if (x->parameter != y->parameter || (!x->parameter && !text_is(x->text, y->text)))
            return false;
    }
    return true;
}

/* ---- registering ---- */

static struct route *other_owner(const struct generation *generation, const struct route *route)
{
    for (size_t i = 0; i < routes_count(generation); i++) {
        struct route *other = generation->routes->items[i];
        if (!other->replaced && same_shape(other, route))
            return other;
    }
    return NULL;
}

static void check_owner(lua_State *L, const struct route *route, bool replace)
{
    struct route *other = other_owner(generation_of(L), route);
    if (other && other->builtin && !route->builtin) {
        if (!replace)
            api_raise(L,
                      "route: \"%s %s\" ships with the server; to replace it write "
                      "route(\"…\", { replace = true }, function …)",
                      route->method, route->template);
        other->replaced = true;
    } else if (other) {
        api_raise(L, "route: \"%s %s\" is defined already, in %s:%d", route->method,
                  route->template, other->file, other->line);
    } else if (replace) {
        api_raise(L, "route: there is no \"%s %s\" of the server to replace", route->method,
                  route->template);
    }
}

static enum key_scope scope_named(lua_State *L, const char *name, const char *method)
{
    static const char *const names[] = {
        [SCOPE_READ] = "read", [SCOPE_OPERATE] = "operate", [SCOPE_ADMIN] = "admin"};
    if (!name)
        return text_is(method, "GET") ? SCOPE_READ : SCOPE_OPERATE;
    for (int scope = SCOPE_READ; scope <= SCOPE_ADMIN; scope++) {
        if (text_is(name, names[scope]))
            return (enum key_scope)scope;
    }
    api_raise(L, "route: scope must be \"read\", \"operate\" or \"admin\", not \"%s\"", name);
    return SCOPE_ADMIN;
}

static void read_body(lua_State *L, struct route *route, int options)
{
    if (!lua_istable(L, options) || lua_getfield(L, options, "body") == LUA_TNIL)
        return;
    if (lua_type(L, -1) == LUA_TSTRING) {
        if (text_is(lua_tostring(L, -1), "text"))
            route->body_kind = BODY_TEXT;
        else if (text_is(lua_tostring(L, -1), "file"))
            route->body_kind = BODY_FILE;
        else if (!text_is(lua_tostring(L, -1), "json"))
            api_raise(L, "route: body must be \"json\", \"text\", \"file\" or a table of members");
        return;
    }
    shape_read(L, &route->body, lua_gettop(L), "body");
}

static void read_options(lua_State *L, struct route *route, int options)
{
    static const char *const names[] = {"key",  "scope",   "replace",    "doc", "query",
                                        "body", "answers", "idempotent", NULL};
    api_check_members(L, "route", options, names);
    const char *scope = api_opt_string(L, "route", options, "scope");
    route->needs_key = api_opt_bool(L, "route", options, "key", true);
    route->scope = scope_named(L, scope, route->method);
    route->doc = xstrdup_or_null(api_opt_string(L, "route", options, "doc"));
    if (lua_istable(L, options) && lua_getfield(L, options, "query") != LUA_TNIL)
        shape_read(L, &route->query, lua_gettop(L), "query");
    read_body(L, route, options);
    if (lua_istable(L, options) && lua_getfield(L, options, "answers") != LUA_TNIL &&
        !lua_istable(L, -1))
        api_raise(L, "route: answers must be a table such as { [200] = \"Session\" }");
    route->idempotent = api_opt_bool(L, "route", options, "idempotent", false);
    if (route->idempotent && !text_is(route->method, "POST"))
        api_raise(L, "route: idempotent is for POST");
    check_owner(L, route, api_opt_bool(L, "route", options, "replace", false));
}

/* Arguments: the route, the template, the options. Raises freely: the route is the caller's. */
static int read_route(lua_State *L)
{
    struct route *route = lua_touserdata(L, 1);
    struct reason why;
    if (!read_template(route, lua_tostring(L, 2), &why))
        return api_raise(L, "route: \"%s\" is no route: %s", lua_tostring(L, 2), why.text);
    read_options(L, route, 3);
    return 0;
}

/* Those that ship with the server do not count (POLICY §4). */
static size_t operator_routes(const struct generation *generation)
{
    size_t count = 0;
    for (size_t i = 0; i < routes_count(generation); i++)
        count += !generation->routes->items[i]->builtin;
    return count;
}

static int route_new(lua_State *L)
{
    struct generation *generation = generation_of(L);
    bool options = lua_gettop(L) >= 3;
    api_arg_string(L, "route", 1, "template");
    if (options && !lua_istable(L, 2))
        return api_bad_argument(L, "route", 2, "options", "a table");
    api_arg_function(L, "route", options ? 3 : 2, "handler");
    if (generation->loading_file < 0)
        return api_raise(L, "route can only be used while a policy file loads");
    if (operator_routes(generation) >= ROUTES_MAX)
        return api_raise(L, "route: more than %d routes", ROUTES_MAX);
    struct api_place place = {.file = "?"};
    api_caller(L, &place);
    struct route *route = xcalloc(1, sizeof(*route));
    memcpy(route->file, place.file, sizeof(route->file));
    route->line = place.line;
    route->builtin = generation->sources.files[generation->loading_file].builtin;
    route->options_ref = LUA_NOREF;
    lua_pushcfunction(L, read_route);
    lua_pushlightuserdata(L, route);
    lua_pushvalue(L, 1);
    if (options)
        lua_pushvalue(L, 2);
    int status = lua_pcall(L, options ? 3 : 2, 0, 0);
    if (status == LUA_OK) {
        lua_settop(L, options ? 3 : 2);
        route->ref = luaL_ref(L, LUA_REGISTRYINDEX);
        if (options)
            route->options_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    } else {
        route_free(route);
        return lua_error(L);
    }
    if (!generation->routes)
        generation->routes = xcalloc(1, sizeof(struct route_table));
    struct route_table *table = generation->routes;
    table->items = xgrow(table->items, table->count, &table->room, sizeof(*table->items));
    table->items[table->count++] = route;
    return 0;
}

/* ---- finding ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL: a bad escape, a zero byte, or bytes that are no UTF-8. */
static const char *decode(struct arena *arena, struct span segment)
{
    char *out = arena_alloc(arena, segment.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < segment.len; i++) {
        char c = segment.at[i];
        if (c == '%') {
            if (segment.len - i < 3)
                return NULL;
            int high = hex_value(segment.at[i + 1]), low = hex_value(segment.at[i + 2]);
            if (high < 0 || low < 0)
                return NULL;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0')
            return NULL;
        out[len++] = c;
    }
    return utf8_valid(out, len) ? out : NULL;
}

/* The decoded segments of a path; one slash at the end is ignored. -1: a bad escape; -2: more than
 * any route has, or an empty one. */
static int split_path(struct arena *arena, const char *path, const char *out[SEGMENTS_MAX])
{
    struct span rest = span_of(path), segment;
    int count = 0;
    if (rest.len > 1 && rest.at[rest.len - 1] == '/')
        rest.len--;
    if (rest.len < 2 || rest.at[0] != '/')
        return -2;
    rest.at++;
    rest.len--;
    while (span_cut(&rest, '/', &segment)) {
        if (count == SEGMENTS_MAX || segment.len == 0)
            return -2;
        out[count] = decode(arena, segment);
        if (!out[count++])
            return -1;
    }
    return count;
}

static bool fits(const struct route *route, const char *const *segments, int count)
{
    if (route->replaced || route->count != (size_t)count)
        return false;
    for (int i = 0; i < count; i++) {
        if (!route->segments[i].parameter && !text_is(route->segments[i].text, segments[i]))
            return false;
    }
    return true;
}

/* Has `a` a literal where `b` has a parameter, before the other way round? */
static bool is_closer(const struct route *a, const struct route *b)
{
    for (size_t i = 0; b && i < a->count; i++) {
        if (a->segments[i].parameter != b->segments[i].parameter)
            return b->segments[i].parameter;
    }
    return !b;
}

void route_find(const struct generation *generation, const char *method, const char *path,
                struct route_match *match)
{
    const char *segments[SEGMENTS_MAX];
    int count = split_path(match->arena, path, segments);
    const char *wanted = text_is(method, "HEAD") ? "GET" : method;
    match->bad_path = count == -1;
    for (size_t i = 0; i < routes_count(generation); i++) {
        const struct route *route = generation->routes->items[i];
        if (count < 0 || !fits(route, segments, count))
            continue;
        if (text_is(route->method, wanted)) {
            if (is_closer(route, match->route))
                match->route = route;
        } else if (!match->allowed.len || !strstr(strbuf_text(&match->allowed), route->method)) {
            strbuf_addf(&match->allowed, "%s%s", match->allowed.len ? ", " : "", route->method);
        }
    }
    for (size_t i = 0; match->route && i < match->route->count; i++)
        match->values[i] = match->route->segments[i].parameter ? segments[i] : NULL;
}

static const struct api_row rows[] = {
    {"route", route_new,
     "fun(template: string, options: route_options|route_handler, handler?: route_handler)",
     "A REST route: route(\"GET /mine/{id}\", function(req) return 200, { id = req.path.id } end). "
     "The options may be left out. A body that is a function(emit) is written piece by piece: "
     "emit(text) waits while the client is slow and returns false when it has gone.",
     false},
    {"problem", answer_problem_new,
     "fun(status: integer, detail?: string, more?: table): integer, table, table<string, string>",
     "An error answer of RFC 9457: return problem(404, \"unknown charge point\").", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_route = {.on = "", .class_doc = "REST.", .rows = rows};

static const struct api_row option_rows[] = {
    {"key", NULL, "boolean?", "false: open to all, without a key.", false},
    {"scope", NULL, "\"read\"|\"operate\"|\"admin\"|nil",
     "What the key must allow; \"read\" for GET, \"operate\" for the others.", false},
    {"replace", NULL, "boolean?", "true: instead of a route that ships with the server.", false},
    {"doc", NULL, "string?", "One line for the list of endpoints.", false},
    {"answers", NULL, "table<integer, string|table>?",
     "Shapes of the answers by status, for the OpenAPI document: JSON Schema as tables.", false},
    {"idempotent", NULL, "boolean?",
     "true: a POST that is repeated with the same Idempotency-Key within 24 hours gets the first "
     "answer again.",
     false},
    {"query", NULL, "table<string, string>?",
     "Allowed parameters and their types: \"string\", \"integer\", \"number\", \"boolean\", "
     "\"time\" (the "
     "handler gets seconds), \"limit\" (1 to 1000, else 100), words (\"a|b\"); with ? it may be "
     "missing.",
     false},
    {"body", NULL, "table<string, string|table>|\"json\"|\"text\"|\"file\"|nil",
     "Allowed members and their types, as for query, also \"object\", \"array\", \"any\"; a table "
     "of members is an object, { \"string\" } a list of strings ([\"name?\"] = { … } may be "
     "missing); "
     "\"text\" takes any body as it is.",
     false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_route_options = {
    .on = "route_options", .class_doc = "Options of a route.", .rows = option_rows, .object = true};

static const struct api_row req_rows[] = {
    {"method", NULL, "string", "\"GET\" …", false},
    {"url", NULL, "string", "The path as received.", false},
    {"path", NULL, "table<string, string>", "The parameters of the template, decoded.", false},
    {"query", NULL, "table<string, any>", "The query parameters, of the types that were declared.",
     false},
    {"json", NULL, "any", "The body; an empty table if there is none.", false},
    {"body", NULL, "string", "The body as text.", false},
    {"headers", NULL, "table<string, string>", "By name in lower case; without keys.", false},
    {"peer", NULL, "string?", "The address of the client.", false},
    {"key", NULL, "string?", "The name of the API key.", false},
    {"upload", NULL, "integer?", "The number of the received file, with body = \"file\".", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_req = {
    .on = "req", .class_doc = "A REST request.", .rows = req_rows, .object = true};

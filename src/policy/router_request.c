/* One request through all checks to its handler: path, key, query, body, then a task.
 *
 * Each check has one answer (404, 405, 401, 403, 400, 415, 422); what a handler does wrong is a 500
 * under an id that is in the log, never a traceback to the client. The request is borrowed for the
 * call: what the handler needs is copied into its `req` before this returns. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "policy/api_rest.h"
#include "policy/errors.h"
#include "policy/router.h"

enum { FAULTS_MAX = 16, INSTANCE_SIZE = UUID_SIZE + 9 };

struct exchange { /* from the start of the task to its end */
    struct generation *generation;
    struct route *route;
    struct repeat *repeat;   /* or NULL */
    struct emitter *emitter; /* once the head of a body that is written piece by piece is out */
    uint64_t upload;
    bool head_only;
    respond_fn respond;
    void *ctx;
    char label[200];
};

struct handling { /* during routes_handle */
    struct generation *generation;
    const struct request *request;
    struct arena arena;
    struct route_match match;
    const struct json *body; /* NULL: none, or text */
    struct problem problem;
    struct repeat *repeat;
    bool responded;
    respond_fn respond;
    void *ctx;
    struct shape_fault faults[FAULTS_MAX];
    struct reason why;
};

/* ---- refusals ---- */

static bool refuse(struct handling *h, int status, const char *detail)
{
    h->problem.status = status;
    h->problem.detail = detail;
    return false;
}

static bool find_route(struct handling *h)
{
    const struct request *request = h->request;
    h->match.arena = &h->arena;
    route_find(h->generation, request->method, request->path, &h->match);
    if (h->match.route)
        return true;
    if (h->match.bad_path)
        return refuse(h, 400, "the path has a broken percent escape");
    if (!h->match.allowed.len) {
        reason_set(&h->why, "no such path: %.200s", request->path);
        return refuse(h, 404, h->why.text);
    }
    h->problem.header_name = "Allow";
    h->problem.header_value = strbuf_text(&h->match.allowed);
    reason_set(&h->why, "%.20s is not for this path; allowed: %s", request->method,
               strbuf_text(&h->match.allowed));
    return refuse(h, 405, h->why.text);
}

static bool check_key(struct handling *h)
{
    const struct route *route = h->match.route;
    static const char *const names[] = {"no", "read", "operate", "admin"};
    if (!route->needs_key || h->request->scope >= route->scope)
        return true;
    if (h->request->scope == SCOPE_NONE) {
        h->problem.header_name = "WWW-Authenticate";
        h->problem.header_value = "Bearer";
        return refuse(h, 401, "a valid key is needed, in X-API-Key or Authorization: Bearer");
    }
    reason_set(&h->why, "this needs a key with scope %s, yours has %s", names[route->scope],
               names[h->request->scope]);
    return refuse(h, 403, h->why.text);
}

/* ---- the body ---- */

static const char *header(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (text_is_ci(request->headers[i].name, name))
            return request->headers[i].value;
    }
    return NULL;
}

/* "application/json; charset=utf-8" without its parameters. */
static struct span media_type(const struct request *request)
{
    struct span rest = span_of(header(request, "content-type")), type = {0};
    if (rest.at)
        span_cut(&rest, ';', &type);
    return type.at ? span_trim(type) : (struct span){NULL, 0};
}

static bool ends_with_json(struct span type)
{
    return type.len > 5 && span_is_ci((struct span){type.at + type.len - 5, 5}, "+json");
}

/* JSON by its type or, as `curl -d` sends it, labelled as a form. */
static bool read_body(struct handling *h)
{
    struct span body = h->request->body, type = media_type(h->request);
    bool form = span_is_ci(type, "application/x-www-form-urlencoded");
    size_t fault_at = 0;
    if (h->match.route->body_kind != BODY_JSON || body.len == 0)
        return true;
    if (type.len && !form && !span_is_ci(type, "application/json") && !ends_with_json(type)) {
        reason_set(&h->why, "the body must be application/json, not %.*s", (int)type.len, type.at);
        return refuse(h, 415, h->why.text);
    }
    struct reason fault;
    h->body = json_parse(&h->arena, body.at, body.len, &fault, &fault_at);
    if (h->body)
        return true;
    if (form)
        return refuse(h, 415, "the body must be JSON, with Content-Type: application/json");
    reason_set(&h->why, "the body is not JSON: %s at byte %zu", fault.text, fault_at + 1);
    return refuse(h, 400, h->why.text);
}

static bool check_body(struct handling *h)
{
    const struct route *route = h->match.route;
    if (route->body_kind != BODY_JSON)
        return true;
    if (h->body && h->body->type != JSON_OBJECT && h->body->type != JSON_ARRAY) {
        h->faults[0] = (struct shape_fault){.message = "expected an object"};
        h->problem.fault_count = 1;
    } else {
        const struct json empty = {.type = JSON_OBJECT};
        h->problem.fault_count =
            shape_check_body(&route->body, h->body ? h->body : &empty, h->faults, FAULTS_MAX);
    }
    h->problem.faults = h->faults;
    return h->problem.fault_count == 0 || refuse(h, 422, "the body has fields that do not fit");
}

/* ---- the handler ---- */

static void set_pairs(lua_State *L, const char *name, const struct name_value *pairs, size_t count)
{
    lua_createtable(L, 0, (int)count);
    for (size_t i = 0; i < count; i++)
        api_set_string(L, pairs[i].name, pairs[i].value);
    lua_setfield(L, -2, name);
}

static void set_path(lua_State *L, const struct route_match *match)
{
    lua_newtable(L);
    for (size_t i = 0; i < match->route->count; i++) {
        if (match->route->segments[i].parameter)
            api_set_string(L, match->route->segments[i].text, match->values[i]);
    }
    lua_setfield(L, -2, "path");
}

/* Argument: the handling. Results: the handler and its req; nothing when the query is wrong. */
static int push_call(lua_State *L)
{
    struct handling *h = lua_touserdata(L, 1);
    const struct request *request = h->request;
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->match.route->ref);
    lua_createtable(L, 0, 10);
    if (!shape_push_query(L, &h->match.route->query, request, &h->why))
        return 0;
    lua_setfield(L, -2, "query");
    api_set_string(L, "method", request->method);
    api_set_string(L, "url", request->path);
    set_path(L, &h->match);
    if (h->body)
        api_push_json(L, h->body);
    else
        lua_newtable(L);
    lua_setfield(L, -2, "json");
    lua_pushlstring(L, request->body.at ? request->body.at : "", request->body.len);
    lua_setfield(L, -2, "body");
    set_pairs(L, "headers", request->headers, request->header_count);
    api_set_string(L, "peer", request->peer);
    api_set_string(L, "key", request->key_name);
    api_set_integer(L, "upload", request->upload ? (int64_t)request->upload : ABSENT);
    return 2;
}

/* A handler that ends with an error is on record already; one that returns nonsense is not. */
static void record(const struct exchange *exchange, const char *message)
{
    struct policy_error what = {.line = exchange->route->line};
    text_copy(what.file, sizeof(what.file), span_of(exchange->route->file));
    text_copy(what.message, sizeof(what.message), span_of(message));
    const struct error_event event = {.event = exchange->label};
    errors_record(exchange->generation, &what, &event, NULL);
}

/* The response of an exchange: kept for repeats, then handed on. */
static void respond_once(void *ctx, const struct response *response)
{
    struct exchange *exchange = ctx;
    if (exchange->repeat)
        repeat_end(exchange->repeat, response);
    exchange->repeat = NULL;
    exchange->respond(exchange->ctx, response);
}

static void fail(struct exchange *exchange, const char *file, int line, const char *message)
{
    char instance[INSTANCE_SIZE] = "urn:uuid:";
    uuid_new(instance + 9);
    exchange->route->errors++;
    LOG(LOG_ERROR, "request failed", L_STR("instance", instance), L_STR("event", exchange->label),
        L_STR("file", file), L_INT("line", line), L_STR("error", message));
    const struct problem problem = {
        .status = 500,
        .detail = "the handler of this route failed; the log has more under the instance",
        .instance = instance};
    answer_problem(&problem, respond_once, exchange);
}

/* A received file that the handler did not keep goes (files_discard of a kept one does nothing). */
static void drop_upload(const struct generation *generation, uint64_t upload)
{
    const struct policy_ports *ports = generation_ports(generation);
    if (upload && ports && ports->files)
        ports->files->discard(ports->ctx, upload);
}

/* ---- the task: the handler, then the function that writes its body ---- */

static int body_written(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lua_settop(L, 0);
    return 0;
}

/* Stack: what the handler returned. */
static int write_body(lua_State *L, struct exchange *exchange)
{
    int count = lua_gettop(L);
    struct reason why;
    struct body_source source;
    if (exchange->head_only) {
        lua_pushliteral(L, "");
        lua_replace(L, 2);
        return count;
    }
    struct emitter *emitter = emitter_begin(L, &source);
    if (!answer_head(L, count, &source, respond_once, exchange, &why)) {
        source.close(source.ctx);
        emitter_end(emitter, false);
        lua_pop(L, 1);
        return count; /* answer_results() says what is wrong */
    }
    exchange->emitter = emitter;
    lua_pushvalue(L, 2);
    lua_insert(L, -2);
    lua_callk(L, 1, 0, 0, body_written);
    return body_written(L, LUA_OK, 0);
}

/* Stack: the exchange, then what the handler returned. */
static int answer_it(lua_State *L)
{
    struct exchange *exchange = lua_touserdata(L, 1);
    lua_remove(L, 1);
    if (lua_gettop(L) >= 2 && lua_isfunction(L, 2))
        return write_body(L, exchange);
    return lua_gettop(L);
}

static int not_stored(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushcfunction(L, answer_problem_new);
    lua_pushinteger(L, 503);
    lua_pushliteral(L, "the store does not take writes");
    lua_call(L, 2, 3);
    return 3;
}

/* Stack: as for answer_it(), and whether what the handler wrote is on disk. */
static int results_stored(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    bool ok = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (ok)
        return answer_it(L);
    struct exchange *exchange = lua_touserdata(L, 1);
    if (exchange->repeat)
        repeat_leave(exchange->repeat);
    exchange->repeat = NULL;
    return not_stored(L);
}

/* What was answered to a POST must be there after a power cut, the values that a policy keeps
 * included: nobody repeats what was answered. */
static bool must_wait(const struct exchange *exchange)
{
    const struct station *st = exchange->generation->station;
    bool reads = text_is(exchange->route->method, "GET");
    return st && !reads && station_written(st) != station_stored(st);
}

static int handler_returned(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    if (!must_wait(lua_touserdata(L, 1)))
        return answer_it(L);
    lua_pushcfunction(L, rest_stored);
    lua_callk(L, 0, 1, 0, results_stored);
    return results_stored(L, LUA_OK, 0);
}

/* Stack: the exchange, the handler, its req, and whether the row of its key is on disk. */
static int key_stored(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    bool ok = lua_toboolean(L, -1);
    lua_settop(L, ok ? 3 : 1);
    if (!ok)
        return not_stored(L);
    lua_callk(L, 1, LUA_MULTRET, 0, handler_returned);
    return handler_returned(L, LUA_OK, 0);
}

/* Arguments: the exchange, the handler, its req. */
static int run_handler(lua_State *L)
{
    const struct exchange *exchange = lua_touserdata(L, 1);
    if (exchange->repeat) {
        lua_pushcfunction(L, rest_stored);
        lua_callk(L, 0, 1, 0, key_stored);
        return key_stored(L, LUA_OK, 0);
    }
    lua_callk(L, 1, LUA_MULTRET, 0, handler_returned);
    return handler_returned(L, LUA_OK, 0);
}

/* ---- its end ---- */

static void answer(struct exchange *exchange, lua_State *L, int nresults,
                   const struct task_end *end)
{
    struct reason why;
    if (end->ok) {
        if (!answer_results(L, nresults, respond_once, exchange, &why)) {
            record(exchange, why.text);
            fail(exchange, exchange->route->file, exchange->route->line, why.text);
        }
    } else if (end->cancelled) {
        const struct problem problem = {.status = 504, .detail = "the handler did not end in time"};
        answer_problem(&problem, respond_once, exchange);
    } else {
        fail(exchange, end->file, end->line, end->error);
    }
}

static void on_finished(void *ctx, lua_State *L, int nresults, const struct task_end *end)
{
    struct exchange *exchange = ctx;
    if (exchange->emitter) {
        emitter_end(exchange->emitter, end->ok);
        exchange->route->errors += !end->ok;
    } else {
        answer(exchange, L, nresults, end);
    }
    drop_upload(exchange->generation, exchange->upload);
    xfree(exchange);
}

static bool check_repeat(struct handling *h)
{
    return repeat_begin(h->generation, h->match.route, h->request, &h->repeat, &h->problem,
                        &h->responded, h->respond, h->ctx);
}

/* Pushes the handler and its req. */
static bool push_handler(struct handling *h)
{
    lua_State *L = h->generation->L;
    if (!lua_checkstack(L, 8))
        return refuse(h, 503, "too much is under way");
    int top = lua_gettop(L);
    lua_pushcfunction(L, push_call);
    lua_pushlightuserdata(L, h);
    if (lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK) {
        lua_settop(L, top);
        return refuse(h, 503, "no memory for this request");
    }
    if (lua_gettop(L) == top)
        return refuse(h, 400, h->why.text);
    if (check_repeat(h))
        return true;
    lua_settop(L, top);
    return false;
}

static struct exchange *exchange_new(const struct handling *h)
{
    struct exchange *exchange = xcalloc(1, sizeof(*exchange));
    exchange->generation = h->generation;
    exchange->route = (struct route *)h->match.route;
    exchange->repeat = h->repeat;
    exchange->upload = h->request->upload;
    exchange->head_only = text_is(h->request->method, "HEAD");
    exchange->respond = h->respond;
    exchange->ctx = h->ctx;
    return exchange;
}

/* True when the task was started: it answers. */
static bool run(struct handling *h)
{
    struct generation *generation = h->generation;
    lua_State *L = generation->L;
    if (!push_handler(h))
        return false;
    struct exchange *exchange = exchange_new(h);
    exchange->route->calls++;
    lua_pushcfunction(L, run_handler); /* below the handler and its req, with the exchange */
    lua_insert(L, -3);
    lua_pushlightuserdata(L, exchange);
    lua_insert(L, -3);
    struct strbuf label = {.cap = sizeof(exchange->label) - 1};
    strbuf_addf(&label, "route %s %s", exchange->route->method, exchange->route->template);
    text_copy(exchange->label, sizeof(exchange->label), span_of(strbuf_text(&label)));
    strbuf_clear(&label);
    const struct task_start start = {.label = exchange->label,
                                     .deadline_ms = generation->settings->handler_timeout_ms};
    task_run(generation, &start, 3, on_finished, exchange);
    return true;
}

void routes_handle(struct generation *generation, const struct request *request, respond_fn respond,
                   void *ctx)
{
    struct handling h = {
        .generation = generation, .request = request, .respond = respond, .ctx = ctx};
    bool runs = find_route(&h) && check_key(&h) && read_body(&h) && check_body(&h) && run(&h);
    if (!runs && !h.responded)
        answer_problem(&h.problem, respond, ctx);
    if (!runs)
        drop_upload(generation, request->upload);
    strbuf_clear(&h.match.allowed);
    arena_clear(&h.arena);
}

/* Routes: templates, finding, keys, query, bodies, answers, and everything that is refused. */
#include "api_world.h"

/* ---- registering ---- */

static void refused(const char *text, int line, const char *part)
{
    struct world *w = world_new();
    world_file(w, "10-t.lua", text);
    if (world_load(w))
        fail_msg("%s loads", text);
    expect_finding(w, "10-t.lua", line, part);
    world_free(w);
}

static void test_bad_templates(void **state)
{
    (void)state;
    static const char *const bad[] = {"GET",
                                      "/x",
                                      "get /x",
                                      "FETCH /x",
                                      "GET x",
                                      "GET /",
                                      "GET //",
                                      "GET /a//b",
                                      "GET /{}",
                                      "GET /{a}b",
                                      "GET /{1}",
                                      "GET /{a-b}",
                                      "GET /a?b=1",
                                      "GET /a b",
                                      "GET /%20",
                                      "GET /{a}/{a}",
                                      "GET /1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *text = xprintf("\nroute(\"%s\", function() end)", bad[i]);
        refused(text, 2, "is no route: ");
        xfree(text);
    }
}

static void test_bad_arguments(void **state)
{
    (void)state;
    refused("route()", 1, "route: argument 1 (template) must be a string, not nil");
    refused("route('GET /x')", 1, "route: argument 2 (handler) must be a function, not nil");
    refused("route('GET /x', 42)", 1, "argument 2 (handler) must be a function, not a number");
    refused("route('GET /x', {}, 42)", 1, "argument 3 (handler) must be a function");
    refused("route('GET /x', 5, function() end)", 1, "argument 2 (options) must be a table");
    refused("route('GET /x', { kye = false }, function() end)", 1, "did you mean key?");
    refused("route('GET /x', { key = 1 }, function() end)", 1, "key must be true or false");
    refused("route('GET /x', { scope = 'root' }, function() end)", 1, "not \"root\"");
    refused("route('GET /x', { query = 1 }, function() end)", 1, "route: query must be a table");
    refused("route('GET /x', { query = { a = 1 } }, function() end)", 1,
            "query must be a table such");
    refused("route('GET /x', { query = { a = 'int' } }, function() end)", 1, "\"int\" is no type");
    refused("route('GET /x', { body = 'xml' }, function() end)", 1,
            "body must be \"json\", \"text\"");
    refused("route('GET /x', { body = 5 }, function() end)", 1, "body must be a table");
    refused("route('GET /x', { doc = 5 }, function() end)", 1, "doc must be a string");
}

static void test_only_while_loading(void **state)
{
    (void)state;
    lua_fails("route('GET /x', function() end)",
              "route can only be used while a policy file loads");
}

static void test_two_owners(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_file(w, "10-a.lua", "route('GET /x/{a}', function() return 200 end)");
    world_file(w, "20-b.lua", "\nroute('GET /x/{b}', function() return 200 end)");
    assert_false(world_load(w));
    expect_finding(w, "20-b.lua", 2, "\"GET /x/{b}\" is defined already, in 10-a.lua:1");
    world_free(w);
}

static void test_replacing(void **state)
{
    (void)state;
    refused("route('GET /api/v1/health', function() end)", 1, "ships with the server");
    refused("route('GET /mine', { replace = true }, function() end)", 1, "no \"GET /mine\"");
    struct world *w = world_with("route('GET /api/v1/health', { replace = true, key = false },"
                                 " function() return 200, 'mine' end)");
    EXPECT(w, "GET /api/v1/health", NULL, 200, "mine");
    world_free(w);
}

static void test_at_most_256(void **state)
{
    (void)state;
    refused("for i = 1, 300 do route('GET /x' .. i, function() end) end", 1,
            "more than 256 routes");
}

/* ---- finding ---- */

static const char several[] =
    "route('GET /a/{x}', function(req) return 200, { 'x', req.path.x } end)\n"
    "route('GET /a/b', function(req) return 200, { 'b' } end)\n"
    "route('GET /{y}/b', function(req) return 200, { 'y', req.path.y } end)\n"
    "route('PUT /a/{x}', function(req) return 200, { 'put' } end)\n"
    "route('DELETE /a/{z}', function(req) return 200, { 'gone' } end)";

static void test_finding(void **state)
{
    (void)state;
    struct world *w = world_with(several);
    EXPECT(w, "GET /a/b", NULL, 200, "[\"b\"]");
    EXPECT(w, "GET /a/b/", NULL, 200, "[\"b\"]");
    EXPECT(w, "HEAD /a/b", NULL, 200, "[\"b\"]");
    EXPECT(w, "GET /a/c", NULL, 200, "[\"x\",\"c\"]");
    EXPECT(w, "GET /c/b", NULL, 200, "[\"y\",\"c\"]");
    EXPECT(w, "GET /a/VID%3aFC%2F%C3%A9+1", NULL, 200, "[\"x\",\"VID:FC/\xc3\xa9+1\"]");
    EXPECT(w, "PUT /a/b", NULL, 200, "[\"put\"]");
    EXPECT_PART(w, "GET /a", NULL, 404, "\"status\":404,\"detail\":\"no such path: /a\"");
    EXPECT_PART(w, "GET /", NULL, 404, "no such path");
    EXPECT_PART(w, "GET /a//b", NULL, 404, "no such path");
    EXPECT_PART(w, "GET a/b", NULL, 404, "no such path");
    EXPECT_PART(w, "GET /1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8", NULL, 404, "no such path");
    world_free(w);
}

static void test_bad_paths(void **state)
{
    (void)state;
    static const char *const bad[] = {"GET /a/%", "GET /a/%2", "GET /a/%zz", "GET /a/%00",
                                      "GET /a/%ff"};
    struct world *w = world_with(several);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT_PART(w, bad[i], NULL, 400, "broken percent escape");
    world_free(w);
}

static void test_method_not_allowed(void **state)
{
    (void)state;
    struct world *w = world_with(several);
    EXPECT_PART(w, "POST /a/b", NULL, 405, "POST is not for this path; allowed: GET, PUT, DELETE");
    assert_string_equal(w->headers, "Allow: GET, PUT, DELETE\n");
    assert_string_equal(w->type, "application/problem+json");
    world_free(w);
}

/* ---- keys ---- */

static void test_scopes(void **state)
{
    (void)state;
    struct world *w =
        world_with("route('GET /r', function(req) return 200, { req.key } end)\n"
                   "route('POST /o', function() return 200, 'o' end)\n"
                   "route('GET /a', { scope = 'admin' }, function() return 200, 'a' end)\n"
                   "route('GET /p', { key = false }, function() return 200, 'p' end)");
    static const struct {
        const char *what;
        enum key_scope scope;
        int status;
    } cases[] = {
        {"GET /p", SCOPE_NONE, 200},     {"GET /r", SCOPE_NONE, 401},
        {"GET /r", SCOPE_READ, 200},     {"POST /o", SCOPE_READ, 403},
        {"POST /o", SCOPE_OPERATE, 200}, {"GET /a", SCOPE_OPERATE, 403},
        {"GET /a", SCOPE_ADMIN, 200},    {"GET /r", SCOPE_ADMIN, 200},
        {"GET /a", SCOPE_NONE, 401},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct asked asked = {NULL, NULL, cases[i].scope};
        if (ask_with(w, cases[i].what, asked) != cases[i].status)
            fail_msg("%s %d: %d", cases[i].what, cases[i].scope, w->status);
    }
    ask_with(w, "GET /r", (struct asked){NULL, NULL, SCOPE_NONE});
    assert_string_equal(w->headers, "WWW-Authenticate: Bearer\n");
    ask_with(w, "GET /a", (struct asked){NULL, NULL, SCOPE_READ});
    assert_non_null(strstr(strbuf_text(&w->body), "needs a key with scope admin, yours has read"));
    world_free(w);
}

/* ---- query ---- */

static void test_query(void **state)
{
    (void)state;
    struct world *w = world_with(
        "route('GET /q', { query = { s = 'string?', i = 'integer?', n = 'number?', b = 'boolean?',"
        " t = 'time?', w = 'a|b?', limit = 'limit' } }, function(req) return 200, req.query end)\n"
        "route('GET /need', { query = { s = 'string' } }, function(req) return 200, req.query "
        "end)\n"
        "route('GET /none', { query = {} }, function(req) return 200, req.query end)\n"
        "route('GET /free', function(req) return 200, req.query end)");
    EXPECT(w, "GET /q", NULL, 200, "{\"limit\":100}");
    EXPECT(
        w, "GET /q?s=x&i=-5&n=1.5&b=true&t=2026-01-01T00:00:00Z&w=b&limit=1000", NULL, 200,
        "{\"b\":true,\"i\":-5,\"limit\":1000,\"n\":1.5,\"s\":\"x\",\"t\":1767225600,\"w\":\"b\"}");
    EXPECT(w, "GET /q?b=0&t=2026-01-01", NULL, 200, "{\"b\":false,\"limit\":100,\"t\":1767225600}");
    EXPECT(w, "GET /q?t=2026-01-01T00:00:00.250Z", NULL, 200,
           "{\"limit\":100,\"t\":1767225600.25}");
    EXPECT(w, "GET /free?x=1&y=", NULL, 200, "{\"x\":\"1\",\"y\":\"\"}");
    static const struct {
        const char *what, *part;
    } bad[] = {
        {"GET /q?x=1", "unknown query parameter \\\"x\\\"; known here: b, i, limit, n, s, t, w"},
        {"GET /none?x=1", "unknown query parameter \\\"x\\\"; known here: none"},
        {"GET /need", "query parameter \\\"s\\\" is missing"},
        {"GET /q?i=x", "query parameter \\\"i\\\" must be an integer"},
        {"GET /q?n=0x5", "must be a number"},
        {"GET /q?b=yes", "must be true or false"},
        {"GET /q?t=soon", "must be a time such as"},
        {"GET /q?w=c", "must be \\\"a\\\" or \\\"b\\\""},
        {"GET /q?limit=0", "must be an integer from 1 to 1000"},
        {"GET /q?limit=1001", "must be an integer from 1 to 1000"},
        {"GET /q?s=1&s=2", "query parameter \\\"s\\\" is given twice"},
        {"GET /q?s=\xff", "is not UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT_PART(w, bad[i].what, NULL, 400, bad[i].part);
    world_free(w);
}

/* ---- bodies ---- */

static int post(struct world *w, const char *what, const char *type, const char *body)
{
    return ask_with(w, what, (struct asked){body, type, SCOPE_ADMIN});
}

static void test_content_types(void **state)
{
    (void)state;
    struct world *w = world_with("route('POST /b', function(req) return 200, req.json end)");
    static const struct {
        const char *type, *body;
        int status;
    } cases[] = {
        {"application/json", "{\"a\":1}", 200},
        {"application/json; charset=utf-8", "{\"a\":1}", 200},
        {"Application/JSON", "{\"a\":1}", 200},
        {"application/vnd.x+json", "{\"a\":1}", 200},
        {NULL, "{\"a\":1}", 200},
        {"application/x-www-form-urlencoded", "{\"a\":1}", 200}, /* curl -d */
        {"application/x-www-form-urlencoded", "a=1", 415},
        {"text/plain", "{\"a\":1}", 415},
        {"multipart/form-data; boundary=x", "x", 415},
        {"application/json", "{\"a\":1", 400},
        {"application/json", "nonsense", 400},
        {NULL, "{\"a\":1,\"a\":2}", 400},
        {"application/json", "5", 422},
        {"application/json", "\"text\"", 422},
        {"application/json", "null", 422},
        {"application/json", "[1]", 200},
        {"text/plain", NULL, 200},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (post(w, "POST /b", cases[i].type, cases[i].body) != cases[i].status)
            fail_msg("%s %s: %d %s", cases[i].type, cases[i].body, w->status,
                     strbuf_text(&w->body));
    }
    EXPECT_PART(w, "POST /b", "{\"a\":}", 400, "the body is not JSON: ");
    world_free(w);
}

static void test_text_bodies(void **state)
{
    (void)state;
    struct world *w =
        world_with("route('POST /t', { body = 'text' }, function(req) return 200, req.body end)");
    assert_int_equal(post(w, "POST /t", "text/csv", "a;b"), 200);
    assert_string_equal(strbuf_text(&w->body), "a;b");
    world_free(w);
}

static void test_declared_bodies(void **state)
{
    (void)state;
    struct world *w = world_with(
        "route('POST /b', { body = { s = 'string', i = 'integer?', n = 'number?', b = 'boolean?',"
        " o = 'object?', l = 'array?', t = 'time?', w = 'a|b|c?', x = 'any?', m = 'limit' } },"
        " function(req) return 200, req.json end)");
    EXPECT(w, "POST /b",
           "{\"s\":\"\",\"i\":3,\"n\":1.5,\"b\":false,\"o\":{},\"l\":[],\"t\":\"2026-01-01T00:00:"
           "00Z\","
           "\"w\":\"c\",\"x\":[null],\"m\":5}",
           200,
           "{\"b\":false,\"i\":3,\"l\":[],\"m\":5,\"n\":1.5,\"o\":{},\"s\":\"\",\"t\":\"2026-01-"
           "01T00:00:"
           "00Z\",\"w\":\"c\",\"x\":[null]}");
    EXPECT(w, "POST /b", "{\"s\":\"x\",\"i\":null}", 200, "{\"s\":\"x\"}");
    static const struct {
        const char *body, *part;
    } bad[] = {
        {NULL, "{\"pointer\":\"/s\",\"message\":\"required\"}"},
        {"{}", "{\"pointer\":\"/s\",\"message\":\"required\"}"},
        {"{\"s\":null}", "{\"pointer\":\"/s\",\"message\":\"expected a string, got null\"}"},
        {"{\"s\":5}", "\"message\":\"expected a string, got an integer\""},
        {"{\"s\":\"\",\"i\":1.5}",
         "{\"pointer\":\"/i\",\"message\":\"expected an integer, got a number\"}"},
        {"{\"s\":\"\",\"n\":\"1\"}", "expected a number, got a string"},
        {"{\"s\":\"\",\"b\":0}", "expected true or false, got an integer"},
        {"{\"s\":\"\",\"o\":[]}", "expected an object, got a list"},
        {"{\"s\":\"\",\"l\":{}}", "expected an array, got an object"},
        {"{\"s\":\"\",\"t\":\"soon\"}", "expected a time such as"},
        {"{\"s\":\"\",\"w\":\"d\"}", "expected \\\"a\\\", \\\"b\\\" or \\\"c\\\", got a string"},
        {"{\"s\":\"\",\"m\":0}", "expected an integer from 1 to 1000"},
        {"{\"s\":\"\",\"q~/r\":0}", "{\"pointer\":\"/q~0~1r\",\"message\":\"unknown field"},
        {"[]", "{\"pointer\":\"\",\"message\":\"expected an object\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT_PART(w, "POST /b", bad[i].body, 422, bad[i].part);
    EXPECT_PART(
        w, "POST /b", "{\"i\":\"x\",\"z\":1}", 422,
        "\"errors\":[{\"pointer\":\"/i\",\"message\":\"expected an integer, got a string\"},"
        "{\"pointer\":\"/z\",\"message\":\"unknown field\"},{\"pointer\":\"/s\",\"message\":"
        "\"required\"}]");
    world_free(w);
    w = world_with("route('POST /b', { body = { idTag = 'string' } }, function() return 204 end)");
    EXPECT_PART(w, "POST /b", "{\"idtag\":\"x\"}", 422, "unknown field; did you mean idTag?");
    world_free(w);
}

/* ---- what a handler sees ---- */

static void test_req(void **state)
{
    (void)state;
    struct world *w = world_with(
        "route('POST /x/{a}', function(req) return 200, { req.method, req.url, req.path, req.query,"
        " req.json, req.body, req.headers, req.peer, req.key } end)");
    EXPECT(
        w, "POST /x/%41?q=1", "{\"b\":1}", 200,
        "[\"POST\",\"/x/%41\",{\"a\":\"A\"},{\"q\":\"1\"},{\"b\":1},\"{\\\"b\\\":1}\",{\"accept\":"
        "\"*/*\",\"content-type\":\"application/json\"},\"192.0.2.9\",\"tester\"]");
    world_free(w);
}

/* ---- answers ---- */

static void test_answers(void **state)
{
    (void)state;
    struct world *w = world_with(
        "route('GET /1', function() return 204 end)\n"
        "route('GET /2', function() return 200, 'text' end)\n"
        "route('GET /3', function() return 201, { a = 1 }, { Location = '/x', ['X-Y'] = 'z' } "
        "end)\n"
        "route('GET /4', function() return 200, '<p>', { ['content-type'] = 'text/html' } end)\n"
        "route('GET /5', function() return problem(409, 'no', { code = 5 }) end)\n"
        "route('GET /6', function() return problem(404) end)\n"
        "route('GET /7', function() return 200, {} end)\n"
        "route('GET /8', function() return 200, nil, nil, 'more' end)");
    EXPECT(w, "GET /1", NULL, 204, "");
    assert_string_equal(w->type, "");
    EXPECT(w, "GET /2", NULL, 200, "text");
    assert_string_equal(w->type, "text/plain; charset=utf-8");
    EXPECT(w, "GET /3", NULL, 201, "{\"a\":1}");
    assert_string_equal(w->type, "application/json");
    assert_non_null(strstr(w->headers, "Location: /x\n"));
    assert_non_null(strstr(w->headers, "X-Y: z\n"));
    EXPECT(w, "GET /4", NULL, 200, "<p>");
    assert_string_equal(w->type, "text/html");
    EXPECT(w, "GET /5", NULL, 409,
           "{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,\"code\":5,\"detail\":"
           "\"no\"}");
    assert_string_equal(w->type, "application/problem+json");
    EXPECT(w, "GET /6", NULL, 404,
           "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}");
    EXPECT(w, "GET /7", NULL, 200, "{}");
    EXPECT(w, "GET /8", NULL, 200, "");
    world_free(w);
}

static void test_wrong_answers(void **state)
{
    (void)state;
    static const struct {
        const char *code, *part;
    } cases[] = {
        {"", "a handler returns a status"},
        {"return 'x'", "a handler returns a status"},
        {"return {}", "a handler returns a status"},
        {"return '200'", "a handler returns a status"},
        {"return 199", "a handler returns a status"},
        {"return 600", "a handler returns a status"},
        {"return 200, 5", "the second result (body) must be a table, a text, a source or a "
                          "function(emit), not a number"},
        {"return 200, true", "not a boolean"},
        {"return 200, { f = pcall }", "the body: a function cannot be JSON (at .f)"},
        {"return 200, 'x', 5", "the third result (headers) must be a table, not a number"},
        {"return 200, 'x', { 'y' }", "headers are a table of texts by name"},
        {"return 200, 'x', { a = 5 }", "headers are a table of texts by name"},
        {"return 200, 'x', { ['a b'] = '5' }", "characters that no header may have"},
        {"return 200, 'x', { a = '5\\r\\nSet-Cookie: x' }", "characters that no header may have"},
        {"return 200, 'x', { ['Content-Length'] = '5' }", "is the server's to set"},
        {"local h = {} for i = 1, 17 do h['x' .. i] = 'y' end return 200, 'x', h", "more than 16"},
        {"return problem(200)", "problem: the status must be from 400 to 599"},
        {"return problem()", "problem: argument 1 (status) must be an integer, not nil"},
        {"return problem(404, {})", "problem: argument 2 (detail) must be a string"},
        {"return problem(404, 'x', 5)", "problem: argument 3 (more) must be a table"},
        {"error('boom')", "boom"},
        {"error({})", "table"},
        {"local x = nil; return x.y", "nil"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = xprintf("route('GET /x', function() %s end)", cases[i].code);
        struct world *w = world_with(text);
        EXPECT_PART(w, "GET /x", NULL, 500, "\"instance\":\"urn:uuid:");
        if (!strstr(strbuf_text(&w->log), cases[i].part))
            fail_msg("%s: %s", cases[i].code, strbuf_text(&w->log));
        const char *id = strstr(strbuf_text(&w->body), "urn:uuid:");
        char instance[46];
        text_copy(instance, sizeof(instance), span_of(id));
        assert_non_null(strstr(strbuf_text(&w->log), instance)); /* the log has it */
        assert_null(strstr(strbuf_text(&w->body), "traceback"));
        EXPECT_PART(w, "GET /api/v1/policies/errors", NULL, 200, "\"file\":\"10-t.lua\"");
        xfree(text);
        world_free(w);
    }
}

static void test_too_late(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->settings.handler_timeout_ms = 5000;
    world_file(w, "10-t.lua",
               "route('GET /x', function() chargepoint('CP1'):call('ClearCache') end)");
    assert_true(world_load(w));
    assert_int_equal(ask(w, "GET /x", NULL), 0);
    pass(w->f, 5000);
    assert_int_equal(w->status, 504);
    assert_int_equal(w->responses, 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_templates),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_only_while_loading),
        cmocka_unit_test(test_two_owners),
        cmocka_unit_test(test_replacing),
        cmocka_unit_test(test_at_most_256),
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_bad_paths),
        cmocka_unit_test(test_method_not_allowed),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_text_bodies),
        cmocka_unit_test(test_declared_bodies),
        cmocka_unit_test(test_req),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_wrong_answers),
        cmocka_unit_test(test_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

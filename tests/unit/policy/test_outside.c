/* http.get, http.post and what lets them out: hosts, sixteen at once, the queue, time. */
#include "outside_world.h"
#include "policy/outside.h"

/* ---- hosts ---- */

static void test_urls(void **state)
{
    (void)state;
    static const char *const good[] = {"http://a",           "https://a.b-c_d/x?y=z",
                                       "http://a:1/",        "http://[::1]:80/",
                                       "http://127.0.0.1?x", "http://a/@b:c",
                                       "http://a/%20~!$",    "https://[fe80::1.2.3.4]"};
    static const char *const bad[] = {"",
                                      "a",
                                      "ftp://a",
                                      "HTTP://a",
                                      "http://",
                                      "http:///a",
                                      "http://a b",
                                      "http://a\n",
                                      "http://u@a",
                                      "http://u:p@a/",
                                      "http://a\\b",
                                      "http://a#b",
                                      "http://a:",
                                      "http://a:0",
                                      "http://a:70000",
                                      "http://a:b",
                                      "http://[::1",
                                      "http://[]/",
                                      "http://[a]x",
                                      "http://[g]",
                                      "http://a%2eb",
                                      "http://\xc3\xa4",
                                      "http://a,b",
                                      "http://a/<b>"};
    struct reason why;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (!outside_url_valid(good[i], &why))
            fail_msg("%s: %s", good[i], why.text);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (outside_url_valid(bad[i], &why))
            fail_msg("%s is taken", bad[i]);
    }
    char *longest = xprintf("http://a/%02040d", 0);
    assert_false(outside_url_valid(longest, &why));
    longest[2048] = '\0';
    assert_true(outside_url_valid(longest, &why));
    xfree(longest);
}

static void test_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *hosts, *url;
        bool allowed;
    } rows[] = {
        {"", "http://a/", false},           {NULL, "http://a/", false},
        {"a", "http://a/x", true},          {"a", "http://a:80", true},
        {"a", "https://a/", true},          {"a", "https://a:443/", true},
        {"a", "https://a:80/", false},      {"a", "http://a:8080/", false},
        {"a:8080", "http://a:8080/", true}, {"a:8080", "http://a/", false},
        {"a:80", "https://a/", false},      {"b, A\t,c", "http://a/", true},
        {"a.b", "http://a.b.c/", false},    {"a.b", "http://xa.b/", false},
        {"a.b", "http://a.b./", false},     {"[::1]:81", "http://[::1]:81/", true},
        {"[::1]", "http://[::1]/", true},   {"a", "http://a@b/", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reason why;
        if (outside_allowed(rows[i].hosts, rows[i].url, &why) != rows[i].allowed)
            fail_msg("\"%s\", %s", rows[i].hosts, rows[i].url);
    }
}

static void test_lists_of_hosts(void **state)
{
    (void)state;
    static const char *const good[] = {"", "a", "a, b:1", " a\tb , ", "[::1]:80 127.0.0.1"};
    static const char *const bad[] = {"http://a", "a/b", "a:", "*", "a:x", "a:1:2", "u@a"};
    struct reason why;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(policy_http_hosts_valid(good[i], &why));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(policy_http_hosts_valid(bad[i], &why));
    assert_string_equal(why.text, "\"u@a\": expected host or host:port, without http://");
}

/* ---- one request ---- */

#define ASK                                                                                        \
    "local function ask(f, ...) local answer, err = f(...)\n"                                      \
    "  if answer then return 200, answer end\n"                                                    \
    "  return 200, { code = err.code, message = tostring(err) } end\n"

static void test_get(void **state)
{
    (void)state;
    static const struct name_value headers[] = {
        {"content-type", "application/json"}, {"x", "1"}, {"x", "2"}};
    struct world *w = out_world_with(
        ASK "route('GET /a', function() return ask(http.get, 'http://backend:8000/x?y', { headers ="
            " { ['X-A'] = 'b', N = 5 } }) end)");
    assert_int_equal(ask(w, "GET /a", NULL), 0);
    assert_string_equal(out.sent[0].method, "GET");
    assert_string_equal(out.sent[0].url, "http://backend:8000/x?y");
    assert_non_null(strstr(out.sent[0].headers, "X-A: b\n"));
    assert_non_null(strstr(out.sent[0].headers, "N: 5\n"));
    assert_int_equal(out.sent[0].timeout_ms, 5000);
    assert_int_equal(out.sent[0].max_body, 1 << 20);
    out_answer(
        0, &(struct policy_http_answer){
               .status = 201, .body = SPAN("{\"a\":[]}"), .headers = headers, .header_count = 3});
    assert_string_equal(strbuf_text(&w->body),
                        "{\"body\":\"{\\\"a\\\":[]}\",\"headers\":{\"content-type\":"
                        "\"application/json\",\"x\":\"1, 2\"},\"json\":{\"a\":[]},\"status\":201}");
    static const char *const failures[] = {"timeout", "too_large", "unreachable"};
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        assert_int_equal(ask(w, "GET /a", NULL), 0);
        out_answer(i + 1, &(struct policy_http_answer){.failure = failures[i], .error = "so"});
        char *wanted = xprintf("{\"code\":\"%s\",\"message\":\"so\"}", failures[i]);
        assert_string_equal(strbuf_text(&w->body), wanted);
        xfree(wanted);
    }
    out_free(w);
}

/* What is JSON by its looks, and what is none after all. */
static void test_json(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body, *json;
    } rows[] = {
        {"text/plain", " {\"a\":1}", "{\"a\":1}"},
        {"text/plain", "[1]", "[1]"},
        {"text/plain", "5", "null"},
        {"application/problem+json", "5", "5"},
        {"application/json", "{", "null"},
        {"application/json", "", "null"},
        {"application/json", "{\"a\":1,\"a\":2}", "null"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *w =
            out_world_with("route('GET /a', function() local a = http.get 'http://backend:8000'"
                           " return 200, json.ordered({ 'json' }, { json = a.json }) end)");
        const struct name_value header = {"content-type", rows[i].type};
        assert_int_equal(ask(w, "GET /a", NULL), 0);
        out_answer(0, &(struct policy_http_answer){.status = 200,
                                                   .body = span_of(rows[i].body),
                                                   .headers = &header,
                                                   .header_count = 1});
        char *wanted = xprintf("{\"json\":%s}", rows[i].json);
        assert_string_equal(strbuf_text(&w->body), wanted);
        xfree(wanted);
        out_free(w);
    }
}

static void test_post(void **state)
{
    (void)state;
    struct world *w = out_world_with(
        ASK "route('GET /table', function() return ask(http.post, 'http://backend:8000', { a = 1 "
            "}) end)"
            "route('GET /text', function() return ask(http.post, 'http://backend:8000', 'x\\0y',"
            " { timeout = '2s', method = 'PUT' }) end)"
            "route('GET /typed', function() return ask(http.post, 'http://backend:8000', {},"
            " { headers = { ['content-type'] = 'text/x' } }) end)"
            "route('GET /none', function() return ask(http.post, 'http://backend:8000') end)");
    static const char *const paths[] = {"GET /table", "GET /text", "GET /typed", "GET /none"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_int_equal(ask(w, paths[i], NULL), 0);
        out_status(i, 204);
        assert_int_equal(w->status, 200);
    }
    assert_string_equal(out.sent[0].body, "{\"a\":1}");
    assert_string_equal(out.sent[0].headers, "Content-Type: application/json\n");
    assert_string_equal(out.sent[1].method, "PUT");
    assert_memory_equal(out.sent[1].body, "x\0y", 3);
    assert_int_equal(out.sent[1].timeout_ms, 2000);
    assert_string_equal(out.sent[1].headers, "Content-Type: text/plain; charset=utf-8\n");
    assert_string_equal(out.sent[2].headers, "content-type: text/x\n");
    assert_string_equal(out.sent[3].headers, "");
    assert_string_equal(out.sent[3].method, "POST");
    out_free(w);
}

static void test_refused(void **state)
{
    (void)state;
    struct world *w = out_world_with(
        ASK "route('GET /a', function() return ask(http.get, 'http://evil/') end)"
            "route('GET /b', function() return ask(http.get, 'http://backend:8000/') end)");
    EXPECT(w, "GET /a", NULL, 200,
           "{\"code\":\"refused\",\"message\":\"evil:80 is not in policies.http_hosts\"}");
    out.refuses = "no more sockets";
    EXPECT(w, "GET /b", NULL, 200, "{\"code\":\"refused\",\"message\":\"no more sockets\"}");
    assert_int_equal(out.count, 0);
    out_free(w);
}

static void test_wrong_use(void **state)
{
    (void)state;
    static const char *const calls[][2] = {
        {"http.get()", "http.get: argument 1 (url) must be"},
        {"http.get('http://a b')", "http.escape() makes a value fit"},
        {"http.get('http://a', { timout = 1 })", "did you mean timeout?"},
        {"http.get('http://a', { timeout = '6s' })", "timeout must be from 1ms to 5s"},
        {"http.get('http://a', { timeout = 0 })", "timeout must be from 1ms to 5s"},
        {"http.get('http://a', { headers = 5 })", "headers must be a table"},
        {"http.get('http://a', { headers = { 'X: a' } })", "headers must be a table"},
        {"http.get('http://a', { headers = { A = {} } })", "headers must be a table"},
        {"http.get('http://a', { headers = { ['A:'] = 'a' } })", "is no name of a header"},
        {"http.get('http://a', { headers = { host = 'a' } })", "is not for policies to set"},
        {"http.get('http://a', { headers = { A = 'a\\nb' } })", "more than one line"},
        {"http.post('http://a', 5)", "http.post: argument 2 (body) must be"},
        {"http.post('http://a', { 1, a = 2 })", "http.post: "},
        {"http.post('http://a', '', { method = 'GET' })", "method must be POST, PUT"},
        {"http.escape()", "http.escape: argument 1 (text) must be"},
        {"local h = {} for i = 1, 20 do h['A' .. i] = 'x' end http.get('http://a', { headers = h "
         "})",
         "headers: more than 14"},
    };
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        lua_fails(calls[i][0], calls[i][1]);
    lua_gives("return http.escape('A b/\xc3\xa4\\0-._~')", "\"A%20b%2F%C3%A4%00-._~\"");
}

static void test_not_while_loading(void **state)
{
    (void)state;
    struct world *w = out_world("http.get 'http://backend:8000/'");
    assert_false(world_load(w));
    expect_finding(w, "10-t.lua", 1, "http.get cannot be used while a policy file loads");
    out_free(w);
}

/* ---- many ---- */

#define GATE                                                                                       \
    ASK "route('GET /a', function(req) return ask(http.get, 'http://backend:8000/' .. "            \
        "req.query.n, "                                                                            \
        "{ timeout = '1s' }) end)"

static void ask_many(struct world *w, int count)
{
    for (int i = 0; i < count; i++) {
        char *what = xprintf("GET /a?n=%d", i);
        assert_int_equal(ask(w, what, NULL), 0);
        xfree(what);
    }
}

static void test_sixteen_at_once(void **state)
{
    (void)state;
    struct world *w = out_world_with(GATE);
    ask_many(w, 20);
    assert_int_equal(out.count, 16);
    out_status(3, 200);
    assert_int_equal(out.count, 17); /* the next in order, with the time that is left */
    assert_string_equal(out.sent[16].url, "http://backend:8000/16");
    pass(w->f, 600);
    out_status(5, 200);
    assert_int_equal(out.sent[17].timeout_ms, 400);
    pass(w->f, 399);
    assert_int_equal(w->responses, 2);
    pass(w->f, 1); /* the others waited too long */
    assert_int_equal(w->responses, 4);
    assert_string_equal(strbuf_text(&w->body),
                        "{\"code\":\"timeout\",\"message\":\"too many requests under way: its turn "
                        "did not come\"}");
    for (size_t i = 0; i < out.count; i++) {
        if (out.sent[i].done)
            out_status(i, 200);
    }
    assert_int_equal(out.count, 18);
    assert_int_equal(w->responses, 20);
    out_free(w);
}

/* What was queued can fail to start when its turn comes. */
static void test_a_start_that_fails_later(void **state)
{
    (void)state;
    struct world *w = out_world_with(GATE);
    ask_many(w, 19);
    out.refuses = "no more sockets";
    out_status(0, 200);
    assert_int_equal(w->responses, 4);
    assert_string_equal(strbuf_text(&w->body),
                        "{\"code\":\"unreachable\",\"message\":\"no more sockets\"}");
    for (size_t i = 1; i < out.count; i++)
        out_status(i, 200);
    out_free(w);
}

/* A server that ends takes everything back, and tells nobody after that. */
static void test_closing(void **state)
{
    (void)state;
    struct world *w = out_world_with(GATE);
    ask_many(w, 18);
    policy_free(w->policy);
    w->policy = NULL;
    assert_int_equal(out.cancelled, 16);
    assert_int_equal(out.count, 16);
    assert_int_equal(w->responses, 18);
    out_free(w);
}

/* ---- time ---- */

static void on_verdict(void *ctx, const struct verdict *verdict)
{
    text_copy(ctx, 64, span_of(verdict->word ? verdict->word : "none"));
}

static void authorize(struct world *w, char word[64])
{
    const struct event event = {.kind = EVENT_AUTHORIZE,
                                .cp = "CP1",
                                .connector = ABSENT,
                                .id_tag = "A",
                                .purpose = "authorize"};
    word[0] = '\0';
    policy_event(w->policy, &event, on_verdict, word);
}

/* A request leaves time for the handler to say what holds then. */
static void test_within_the_handler(void **state)
{
    (void)state;
    struct world *w = out_world_with(
        "function on.authorize() local answer, err = http.get('http://backend:8000/')"
        " return err and err.code == 'timeout' and 'Accepted' or 'Blocked' end");
    char word[64];
    authorize(w, word);
    assert_int_equal(out.sent[0].timeout_ms, 4500);
    pass(w->f, 4500);
    out_answer(0, &(struct policy_http_answer){.failure = "timeout", .error = "late"});
    assert_string_equal(word, "Accepted");
    authorize(w, word); /* nobody answers at all: the handler's own time ends, and with it this */
    pass(w->f, 5000);
    assert_string_equal(word, "none");
    assert_int_equal(out.cancelled, 1);
    out_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_lists_of_hosts),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_post),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_not_while_loading),
        cmocka_unit_test(test_sixteen_at_once),
        cmocka_unit_test(test_a_start_that_fails_later),
        cmocka_unit_test(test_closing),
        cmocka_unit_test(test_within_the_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

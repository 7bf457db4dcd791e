/* Idempotency-Key; nested shapes of bodies; the options of routes that came with them. */
#include "api_world.h"

#include "base/digest.h"

static const char policy[] =
    "local function count() local n = (store.get('n') or 0) + 1 store.set('n', n) return n end\n"
    "route('POST /do', { idempotent = true }, function(req)\n"
    "  return req.json.status or 201, { n = count() }, { ['X-N'] = 'yes' } end)\n"
    "route('POST /plain', function(req) return 200, { n = count() } end)\n"
    "route('POST /other/{x}', { idempotent = true }, function(req) return 200, { n = count() } "
    "end)\n"
    "route('POST /fails', { idempotent = true }, function(req) count() error('boom') end)\n"
    "route('POST /big', { idempotent = true }, function(req) return 200, { n = count(), s ="
    " string.rep('x', 17000) } end)\n"
    "route('POST /escapes', { idempotent = true }, function(req) count() return 200,"
    " string.rep('\\1', 16000) end)\n"
    "route('POST /waits', { idempotent = true }, function(req)\n"
    "  chargepoint('CP1'):call('ClearCache') return 200, { n = count() } end)";

static struct world *keyed(const char *key)
{
    static struct name_value header;
    struct world *w = world_with(policy);
    header = (struct name_value){"idempotency-key", key};
    w->extra_header = &header;
    return w;
}

static void use_key(struct world *w, const char *key)
{
    static struct name_value header;
    header = (struct name_value){"Idempotency-Key", key};
    w->extra_header = key ? &header : NULL;
}

/* The row of such a request while it runs. */
static void row_of(const struct request *request, const char *key, char name[80], char text[120])
{
    char hash[SHA256_HEX_SIZE];
    struct strbuf parts = {0};
    const char *all[] = {request->key_name, request->method, request->path, key};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        strbuf_add(&parts, all[i], strlen(all[i]) + 1);
    sha256_hex(parts.at, parts.len, hash);
    snprintf(name, 80, "repeat:%s", hash);
    sha256_hex(request->body.at, request->body.len, hash);
    snprintf(text, 120, "{\"request\":\"%s\"}", hash);
    strbuf_clear(&parts);
}

static void test_the_same_answer_again(void **state)
{
    (void)state;
    struct world *w = keyed("k1");
    EXPECT(w, "POST /do", "{\"a\":1}", 201, "{\"n\":1}");
    strbuf_reset(&w->body);
    EXPECT(w, "POST /do", "{\"a\":1}", 201, "{\"n\":1}");
    assert_string_equal(w->headers, "X-N: yes\n");
    assert_string_equal(w->type, "application/json");
    EXPECT_PART(w, "POST /do", "{\"a\":2}", 422, "used with another body or query");
    world_free(w);
}

static void test_what_makes_another_request(void **state)
{
    (void)state;
    struct world *w = keyed("k1");
    EXPECT(w, "POST /do", "{}", 201, "{\"n\":1}");
    use_key(w, "k2");
    EXPECT(w, "POST /do", "{}", 201, "{\"n\":2}");
    use_key(w, "k1");
    EXPECT(w, "POST /other/a", "{}", 200, "{\"n\":3}");
    EXPECT(w, "POST /other/b", "{}", 200, "{\"n\":4}");
    use_key(w, NULL);
    EXPECT(w, "POST /do", "{}", 201, "{\"n\":5}");
    EXPECT(w, "POST /do", "{}", 201, "{\"n\":6}");
    use_key(w, "k1");
    EXPECT(w, "POST /plain", "{}", 200, "{\"n\":7}"); /* no such promise */
    EXPECT(w, "POST /plain", "{}", 200, "{\"n\":8}");
    pass(w->f, (int64_t)24 * 3600 * 1000 + 1000);
    EXPECT(w, "POST /do", "{}", 201, "{\"n\":9}"); /* forgotten after a day */
    world_free(w);
}

static void test_what_is_not_kept(void **state)
{
    (void)state;
    struct world *w = keyed("k1");
    assert_int_equal(ask(w, "POST /fails", "{}"), 500);
    assert_int_equal(ask(w, "POST /fails", "{}"), 500); /* what it did first is not done again */
    assert_string_equal(station_kv_get(w->f->st, "n"), "1");
    EXPECT(w, "POST /do", "{\"status\":503}", 503, "{\"n\":2}");
    EXPECT(w, "POST /do", "{\"status\":503}", 503, "{\"n\":3}");
    EXPECT(w, "POST /do", "{\"status\":429}", 429, "{\"n\":4}"); /* later */
    EXPECT(w, "POST /do", "{\"status\":429}", 429, "{\"n\":5}");
    use_key(w, "k2");
    EXPECT(w, "POST /do", "{\"status\":409}", 409, "{\"n\":6}"); /* a refusal is an answer */
    EXPECT(w, "POST /do", "{\"status\":409}", 409, "{\"n\":6}");
    world_free(w);
}

/* Done once all the same. */
static void test_answers_that_are_too_long(void **state)
{
    (void)state;
    struct world *w = keyed("k1");
    EXPECT_PART(w, "POST /big", "{}", 200, "\"n\":1");
    EXPECT_PART(w, "POST /big", "{}", 409, "too long to be kept");
    EXPECT_PART(w, "POST /big", "{\"x\":1}", 422, "another body");
    EXPECT_PART(w, "POST /escapes", "{}", 200, "\1\1");
    EXPECT_PART(w, "POST /escapes", "{}", 409, "too long to be kept");
    assert_string_equal(station_kv_get(w->f->st, "n"), "2");
    world_free(w);
}

/* The row of a key is on disk before the handler begins: what was cut off by a crash is not done
 * again. */
static void test_over_a_crash(void **state)
{
    (void)state;
    struct world *w = keyed("k1");
    w->f->hold = true;
    assert_int_equal(ask(w, "POST /do", "{}"), 0);
    assert_null(station_kv_get(w->f->st, "n"));
    EXPECT_PART(w, "POST /do", "{}", 409, "still runs");
    store_release(w->f);
    assert_string_equal(strbuf_text(&w->body), "{\"n\":1}");
    w->f->fail = -1;
    use_key(w, "k2");
    EXPECT_PART(w, "POST /do", "{}", 503, "does not take writes");
    w->f->fail = 0;
    EXPECT(w, "POST /do", "{}", 201, "{\"n\":2}");
    use_key(w, "k3"); /* as its row is while it runs, in a server that did not see it begin */
    const struct request request = {.method = "POST",
                                    .path = "/do",
                                    .headers = w->extra_header,
                                    .header_count = 1,
                                    .key_name = "tester",
                                    .body = SPAN("{}")};
    char name[80], text[120];
    row_of(&request, "k3", name, text);
    assert_true(station_kv_set(w->f->st, name, text, 0, NULL));
    EXPECT_PART(w, "POST /do", "{}", 409, "by a restart of the server");
    EXPECT_PART(w, "POST /do", "{\"x\":1}", 422, "another body");
    assert_string_equal(station_kv_get(w->f->st, "n"), "2");
    world_free(w);
}

/* What the handler did is done, whether or not that could be stored. */
static void test_the_store_fails_meanwhile(void **state)
{
    (void)state;
    struct world *w = keyed("k1");
    assert_int_equal(ask(w, "POST /waits", "{}"), 0);
    const char *at = strstr(w->f->sent.at[w->f->sent.count - 1], "[2,\"");
    char *answer = xprintf("[3,\"%.36s\",{\"status\":\"Accepted\"}]", at + 4);
    w->f->fail = -1;
    say(w->f, "CP1", answer);
    xfree(answer);
    assert_int_equal(w->status, 503);
    w->f->fail = 0;
    EXPECT_PART(w, "POST /waits", "{}", 409, "because its store failed");
    world_free(w);
}

static void test_while_the_first_runs(void **state)
{
    (void)state;
    struct world *w = keyed("k1");
    assert_int_equal(ask(w, "POST /waits", "{}"), 0);
    EXPECT_PART(w, "POST /waits", "{}", 409, "still runs");
    EXPECT_PART(w, "POST /waits", "{\"x\":1}", 422, "another body");
    const char *at = strstr(w->f->sent.at[w->f->sent.count - 1], "[2,\"");
    char *answer = xprintf("[3,\"%.36s\",{\"status\":\"Accepted\"}]", at + 4);
    say(w->f, "CP1", answer);
    xfree(answer);
    assert_string_equal(strbuf_text(&w->body), "{\"n\":1}");
    EXPECT(w, "POST /waits", "{}", 200, "{\"n\":1}");
    world_free(w);
}

static void test_bad_keys(void **state)
{
    (void)state;
    struct world *w = keyed("");
    EXPECT_PART(w, "POST /do", "{}", 400, "1 to 255 visible ASCII");
    use_key(w, "a b");
    EXPECT_PART(w, "POST /do", "{}", 400, "1 to 255 visible ASCII");
    assert_null(station_kv_get(w->f->st, "n"));
    world_free(w);
}

/* ---- shapes ---- */

static void test_nested_bodies(void **state)
{
    (void)state;
    struct world *w = world_with(
        "route('POST /n', { body = { place = { connector = 'integer', name = 'string?' },\n"
        "tags = { 'string' }, ['rows?'] = { { id = 'integer' } }, any = 'array?' } },\n"
        "function(req) return 200, { req.json.place.connector, #req.json.tags } end)");
    EXPECT(w, "POST /n", "{\"place\":{\"connector\":2},\"tags\":[\"a\",\"b\"]}", 200, "[2,2]");
    EXPECT(w, "POST /n",
           "{\"place\":{\"connector\":2,\"name\":null},\"tags\":[],\"rows\":[{\"id\":1}],\"any\":"
           "[1,{}]}",
           200, "[2,0]");
    EXPECT_PART(w, "POST /n", "{\"place\":{\"conector\":2},\"tags\":[\"a\",5]}", 422,
                "\"errors\":[{\"pointer\":\"/place/conector\",\"message\":\"unknown field; did you "
                "mean connector?\"},{\"pointer\":\"/place/connector\",\"message\":\"required\"},{"
                "\"pointer\":\"/tags/1\",\"message\":\"expected a string, got an integer\"}]");
    EXPECT_PART(w, "POST /n", "{\"place\":[],\"tags\":{}}", 422,
                "\"errors\":[{\"pointer\":\"/place\",\"message\":\"expected an object, got a "
                "list\"},{\"pointer\":\"/tags\",\"message\":\"expected an array, got an "
                "object\"}]");
    EXPECT_PART(w, "POST /n",
                "{\"place\":{\"connector\":1},\"tags\":[],\"rows\":[{\"id\":1},{\"id\":\"x\"}]}",
                422, "\"pointer\":\"/rows/1/id\"");
    EXPECT_PART(w, "POST /n", "{\"place\":{\"connector\":1}}", 422, "\"pointer\":\"/tags\"");
    world_free(w);
}

static void refused(const char *options, const char *part)
{
    struct world *w = world_new();
    char *text = xprintf("route('GET /x', { %s }, function() end)", options);
    world_file(w, "10-t.lua", text);
    assert_false(world_load(w));
    expect_finding(w, "10-t.lua", 1, part);
    xfree(text);
    world_free(w);
}

static void test_wrong_options(void **state)
{
    (void)state;
    refused("query = { a = { 'string' } }", "query.a: a parameter is no table");
    refused("body = { a = { b = 'strin' } }", "body.b: \"strin\" is no type");
    refused("body = { a = 5 }", "body must be a table such as");
    refused("body = { a = { [2] = 'string' } }", "body must be a table such as");
    refused("body = 'files'", "body must be \"json\", \"text\", \"file\" or a table");
    refused("answers = 'x'", "answers must be a table");
    refused("idempotent = true", "idempotent is for POST");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_answer_again),
        cmocka_unit_test(test_what_makes_another_request),
        cmocka_unit_test(test_what_is_not_kept),
        cmocka_unit_test(test_answers_that_are_too_long),
        cmocka_unit_test(test_over_a_crash),
        cmocka_unit_test(test_the_store_fails_meanwhile),
        cmocka_unit_test(test_while_the_first_runs),
        cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_nested_bodies),
        cmocka_unit_test(test_wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

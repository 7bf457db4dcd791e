/* Bodies that a function(emit) writes: waiting for slow clients, clients that go, errors,
 * deadlines.
 */
#include "api_world.h"

/* The route writes req.query.n pieces of 1,000 bytes and notes in the store what it did. */
static const char policy[] =
    "route('GET /list', { query = { n = 'integer' } }, function(req)\n"
    "  return 200, function(emit)\n"
    "    for i = 1, req.query.n do\n"
    "      store.set('written', i)\n"
    "      if not emit(string.rep('x', 999) .. '\\n') then store.set('gone', i) return end\n"
    "    end\n"
    "    store.set('through', true)\n"
    "  end, { ['Content-Type'] = 'text/csv' }\n"
    "end)\n"
    "local kept\n"
    "route('GET /fails', function() return 200, function(emit) kept = emit emit('a') error('boom')"
    " end end)\n"
    "route('GET /later', function() kept('x') return 204 end)\n"
    "route('GET /slow', function()\n"
    "  return 200, function(emit) emit('a') chargepoint('CP1'):call('ClearCache', {}, { timeout = "
    "'1h' })\n"
    "    emit('b') chargepoint('CP1'):call('ClearCache', {}, { timeout = '1h' }) emit('c') end\n"
    "end)\n"
    "route('GET /number', function() return 200, function(emit) emit(5) end end)\n"
    "route('GET /headers', function() return 200, function() end, { ['Bad Name'] = 'x' } end)\n"
    "route('GET /status', function() return 5, function() store.set('written', 1) end end)\n"
    "route('GET /none', function() return 200, function() end end)";

static const char *noted(struct world *w, const char *key)
{
    const char *text = station_kv_get(w->f->st, key);
    return text ? text : "-";
}

static void test_all_at_once(void **state)
{
    (void)state;
    struct world *w = world_with(policy);
    assert_int_equal(ask(w, "GET /list?n=3", NULL), 200);
    assert_string_equal(w->type, "text/csv");
    assert_int_equal(w->source.length, -1);
    assert_false(w->source.endless);
    source_start(w);
    assert_int_equal(source_pull(w, 700, 100000), BODY_END);
    assert_int_equal(w->body.len, 3000);
    assert_string_equal(noted(w, "through"), "true");
    source_close(w);
    assert_int_equal(ask(w, "GET /none", NULL), 200);
    source_start(w);
    assert_int_equal(source_pull(w, 700, 100), BODY_END);
    source_close(w);
    world_free(w);
}

static void test_waits_for_a_slow_client(void **state)
{
    (void)state;
    struct world *w = world_with(policy);
    assert_int_equal(ask(w, "GET /list?n=200", NULL), 200);
    assert_string_equal(noted(w, "written"), "66"); /* 64 KiB lie unread */
    source_start(w);
    pass(w->f, 120000); /* the client is slow: that is not the handler's fault */
    assert_true(source_pull(w, 1000, 10000) > 0);
    pass(w->f, 0);
    assert_string_equal(noted(w, "written"), "66"); /* not half empty yet */
    ptrdiff_t got;
    int turns = 0;
    while ((got = source_pull(w, 1000, 20000)) != BODY_END) {
        assert_true(turns++ < 100);
        pass(w->f, 0);
    }
    assert_int_equal(w->body.len, 200000);
    assert_string_equal(noted(w, "through"), "true");
    source_close(w);
    world_free(w);
}

static void test_wakes_the_reader(void **state)
{
    (void)state;
    struct world *w = world_with(policy);
    assert_int_equal(ask(w, "GET /slow", NULL), 200);
    source_start(w);
    assert_int_equal(source_pull(w, 100, 100), 0);
    assert_string_equal(strbuf_text(&w->body), "a");
    assert_false(w->woken);
    char id[64];
    for (int i = 0; i < 2; i++) {
        const char *at = strstr(w->f->sent.at[w->f->sent.count - 1], "[2,\"");
        text_copy(id, strcspn(at + 4, "\"") + 1, span_of(at + 4));
        char *answer = xprintf("[3,\"%s\",{\"status\":\"Accepted\"}]", id);
        pass(w->f, 20000); /* each time less than the 30 s between two emits */
        say(w->f, "CP1", answer);
        xfree(answer);
        assert_true(w->woken);
        w->woken = false;
        source_pull(w, 100, 100);
    }
    assert_string_equal(strbuf_text(&w->body), "abc");
    source_close(w);
    world_free(w);
}

static void test_deadline_between_two_emits(void **state)
{
    (void)state;
    struct world *w = world_with(policy);
    assert_int_equal(ask(w, "GET /slow", NULL), 200);
    source_start(w);
    assert_int_equal(source_pull(w, 100, 100), 0);
    pass(w->f, 30001);
    assert_true(w->woken);
    assert_int_equal(source_pull(w, 100, 100), BODY_BROKEN);
    source_close(w);
    world_free(w);
}

static void test_client_goes(void **state)
{
    (void)state;
    struct world *w = world_with(policy);
    assert_int_equal(ask(w, "GET /list?n=200", NULL), 200);
    source_start(w);
    source_close(w);
    pass(w->f, 0);
    assert_string_equal(noted(w, "gone"), "66"); /* the emit that waited says so */
    assert_string_equal(noted(w, "through"), "-");
    assert_int_equal(ask(w, "GET /list?n=3", NULL), 200);
    source_close(w); /* before the first read */
    world_free(w);
}

static void test_failing(void **state)
{
    (void)state;
    struct world *w = world_with(policy);
    assert_int_equal(ask(w, "GET /fails", NULL), 200);
    source_start(w);
    assert_int_equal(source_pull(w, 100, 100), BODY_BROKEN); /* nobody takes it for the whole */
    assert_string_equal(strbuf_text(&w->body), "a");
    source_close(w);
    assert_int_equal(ask(w, "GET /later", NULL), 500);
    assert_non_null(strstr(strbuf_text(&w->log), "emit can only be used while its answer"));
    assert_int_equal(ask(w, "GET /number", NULL), 200);
    source_close(w);
    assert_non_null(strstr(strbuf_text(&w->log), "emit: argument 1 (text) must be a string"));
    assert_int_equal(ask(w, "GET /headers", NULL), 500);
    assert_non_null(strstr(strbuf_text(&w->log), "header Bad Name has characters"));
    assert_int_equal(ask(w, "GET /status", NULL), 500);
    assert_string_equal(noted(w, "written"), "-"); /* its function never ran */
    world_free(w);
}

static void test_head(void **state)
{
    (void)state;
    struct world *w = world_with(policy);
    assert_int_equal(ask(w, "HEAD /list?n=3", NULL), 200);
    assert_false(w->has_source);
    assert_string_equal(noted(w, "written"), "-");
    assert_int_equal(ask(w, "HEAD /unknown", NULL), 404);
    world_free(w);
}

static void test_policy_ends_meanwhile(void **state)
{
    (void)state;
    struct world *w = world_with(policy);
    assert_int_equal(ask(w, "GET /list?n=200", NULL), 200);
    source_start(w);
    policy_free(w->policy);
    w->policy = NULL;
    assert_int_equal(source_pull(w, 1000, 1000000), BODY_BROKEN);
    source_close(w);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_waits_for_a_slow_client),
        cmocka_unit_test(test_wakes_the_reader),
        cmocka_unit_test(test_deadline_between_two_emits),
        cmocka_unit_test(test_client_goes),
        cmocka_unit_test(test_failing),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_policy_ends_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

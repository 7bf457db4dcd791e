/* Webhooks: what is promised of a message between webhook:send and the receiver's 2xx. */
#include "base/digest.h"
#include "outside_world.h"
#include "policy/webhooks.h"

#define HOOK                                                                                       \
    "webhook 'crm' { url = 'http://backend:8000/hook', secret = 'key', headers = { A = 'b' } }\n"  \
    "webhook 'plain' { url = 'http://backend:8000/plain' }\n"                                      \
    "webhook 'lost' { url = 'http://elsewhere/' }\n"                                               \
    "route('GET /send', function(req) local id, err = webhook(req.query.hook or 'crm'):send("      \
    "'event.x', { n = req.query.n }) return 200, { id or err.code } end)\n"

/* Its row is on disk with the next flush. */
static void queue(struct world *w, const char *n)
{
    char *what = xprintf("GET /send?n=%s", n);
    assert_int_equal(ask(w, what, NULL), 200);
    xfree(what);
}

static void turn(struct world *w)
{
    station_flush(w->f->st);
}

static bool holds(size_t place, const char *n)
{
    char *part = xprintf("\"data\":{\"n\":\"%s\"}}", n);
    bool found = strstr(out.sent[place].body, part) != NULL;
    xfree(part);
    return found;
}

static struct webhook_state state_of(struct world *w, const char *name)
{
    struct webhook_state found;
    size_t at = 0;
    while (webhooks_next(w->policy, &at, &found)) {
        if (text_is(found.name, name))
            return found;
    }
    return (struct webhook_state){0};
}

/* ---- delivery ---- */

static void test_one_message(void **state)
{
    (void)state;
    struct world *w = out_world_with(HOOK);
    w->f->hold = true;
    queue(w, "1");
    turn(w);
    assert_int_equal(out.count, 0); /* a crash now would forget it: nobody may know of it yet */
    assert_int_equal(state_of(w, "crm").queued, 1);
    store_release(w->f);
    w->f->hold = false;
    assert_int_equal(out.count, 1);
    const struct sent *sent = &out.sent[0];
    char *wanted =
        xprintf("{\"id\":\"%.36s\",\"webhook\":\"crm\",\"event\":\"event.x\",\"created\":"
                "\"2025-07-14T05:20:08.000Z\",\"data\":{\"n\":\"1\"}}",
                strbuf_text(&w->body) + 2);
    assert_string_equal(sent->body, wanted);
    xfree(wanted);
    assert_string_equal(sent->method, "POST");
    assert_string_equal(sent->url, "http://backend:8000/hook");
    char mac[SHA256_HEX_SIZE];
    char *text = xprintf("1752470408.%s", sent->body);
    hmac_sha256_hex(SPAN("key"), span_of(text), mac);
    xfree(text);
    wanted =
        xprintf("Content-Type: application/json\nX-ChargeBridge-Event: event.x\n"
                "X-ChargeBridge-Id: %.36s\nX-ChargeBridge-Signature: t=1752470408,v1=%s\nA: b\n",
                strbuf_text(&w->body) + 2, mac);
    assert_string_equal(sent->headers, wanted);
    xfree(wanted);
    out_status(0, 200);
    turn(w);
    EXPECT_ROWS(w->f, 1, "KV_DELETE key=chargebridge/webhook/crm/0000000000000001");
    const struct webhook_state now = state_of(w, "crm");
    assert_int_equal(now.queued, 0);
    assert_int_equal(now.delivered, 1);
    out_free(w);
}

/* In order, one at a time; other webhooks go beside. */
static void test_order(void **state)
{
    (void)state;
    struct world *w = out_world_with(HOOK);
    queue(w, "1");
    queue(w, "2");
    queue(w, "3");
    EXPECT_PART(w, "GET /send?hook=plain&n=4", NULL, 200, "[\"");
    turn(w);
    assert_int_equal(out.count, 2);
    assert_true(holds(0, "1"));
    assert_true(holds(1, "4"));
    assert_null(strstr(out.sent[1].headers, "Signature"));
    out_status(1, 204);
    out_status(0, 202);
    assert_true(holds(2, "2"));
    out_status(2, 299);
    assert_true(holds(3, "3"));
    out_status(3, 200);
    assert_int_equal(out.count, 4);
    out_free(w);
}

static void test_trying_again(void **state)
{
    (void)state;
    static const int64_t waits_s[] = {5, 10, 20, 40, 80, 160, 320, 640, 900, 900};
    struct world *w = out_world_with(HOOK);
    queue(w, "1");
    queue(w, "2");
    turn(w);
    for (size_t i = 0; i < ARRAY_LEN(waits_s); i++) {
        assert_int_equal(out.count, i + 1);
        if (i % 3 == 0)
            out_status(i, 500);
        else if (i % 3 == 1)
            out_status(i, 302);
        else
            out_answer(i, &(struct policy_http_answer){.failure = "timeout", .error = "too slow"});
        pass(w->f, waits_s[i] * 1000 - 1);
        assert_int_equal(out.count, i + 1);
        pass(w->f, 1);
    }
    for (size_t i = 1; i < out.count; i++)
        assert_string_equal(out.sent[i].body, out.sent[0].body);
    assert_string_not_equal(out.sent[1].headers, out.sent[0].headers); /* signed anew */
    const struct webhook_state now = state_of(w, "crm");
    assert_string_equal(now.error, "the receiver answered 500");
    assert_int_equal(now.failed, 10);
    assert_int_equal(now.queued, 2);
    assert_true(now.sending);
    out_status(10, 200);
    assert_true(holds(11, "2"));
    assert_string_equal(state_of(w, "crm").error, "");
    out_status(11, 500); /* and its back-off starts anew */
    pass(w->f, 5000);
    assert_int_equal(out.count, 13);
    out_status(12, 200);
    /* Told once, not eleven times. */
    const char *first = strstr(strbuf_text(&w->log), "webhook not delivered");
    assert_non_null(first);
    const char *second = strstr(first + 1, "webhook not delivered");
    assert_non_null(second);
    assert_null(strstr(second + 1, "webhook not delivered"));
    out_free(w);
}

/* The receiver had it, even if its answer broke off after the head. */
static void test_a_broken_yes(void **state)
{
    (void)state;
    struct world *w = out_world_with(HOOK);
    queue(w, "1");
    turn(w);
    out_answer(0, &(struct policy_http_answer){
                      .failure = "unreachable", .error = "broke off", .status = 200});
    assert_int_equal(state_of(w, "crm").delivered, 1);
    out_free(w);
}

static void test_three_days(void **state)
{
    (void)state;
    struct world *w = out_world_with(HOOK);
    queue(w, "1");
    turn(w);
    int64_t late = 0;
    while (state_of(w, "crm").dropped == 0) {
        assert_true(late < 4 * (24 * 60 * 60 * 1000));
        for (size_t i = 0; i < out.count; i++) {
            if (out.sent[i].done)
                out_status(i, 500);
        }
        if (out.count > SENT_MAX - 4) { /* the list of the test is finite */
            for (size_t i = 0; i < out.count; i++) {
                xfree(out.sent[i].method);
                xfree(out.sent[i].url);
                xfree(out.sent[i].headers);
                xfree(out.sent[i].body);
            }
            out.count = 0;
        }
        pass(w->f, 900 * 1000);
        late += 900 * 1000;
    }
    assert_true(late >= 3 * (24 * 60 * 60 * 1000) &&
                late <= 3 * (24 * 60 * 60 * 1000) + 1000 * 1000);
    assert_int_equal(state_of(w, "crm").queued, 0);
    assert_non_null(strstr(strbuf_text(&w->log), "webhook message dropped"));
    turn(w);
    EXPECT_ROWS(w->f, 1, "KV_DELETE key=chargebridge/webhook/crm/0000000000000001");
    out_free(w);
}

static void test_too_many(void **state)
{
    (void)state;
    struct world *w = out_world_with(
        HOOK "route('GET /fill', function() local hook, n = webhook 'crm', 0"
             " while hook:send('e') do n = n + 1 end"
             " local id, err = hook:send('e') return 200, { n, err.code, tostring(err) } end)\n"
             "route('GET /long', function() local id, err = webhook('plain'):send('e',"
             " string.rep('x', 65500)) return 200, { err.code } end)\n");
    EXPECT(w, "GET /fill", NULL, 200,
           "[10000,\"refused\",\"10000 messages of webhook crm wait already\"]");
    EXPECT(w, "GET /long", NULL, 200, "[\"refused\"]");
    assert_int_equal(state_of(w, "plain").queued, 0);
    out_free(w);
}

/* ---- reloads, restarts ---- */

static void reload(struct world *w, const char *text)
{
    world_file(w, "10-t.lua", text);
    if (!world_load(w)) {
        show_findings(&w->report);
        fail_msg("the policy does not load");
    }
    pass(w->f, 0);
}

static void test_reload(void **state)
{
    (void)state;
    struct world *w = out_world_with(HOOK);
    queue(w, "1");
    turn(w);
    reload(w, "webhook 'crm' { url = 'http://backend:8000/moved' }");
    assert_int_equal(out.count, 1); /* what is under way goes on */
    out_status(0, 404);
    reload(w, "webhook 'crm' { url = 'http://backend:8000/moved' }");
    assert_int_equal(out.count, 2); /* and a mended address is tried at once */
    assert_string_equal(out.sent[1].url, "http://backend:8000/moved");
    out_status(1, 404);
    reload(w, "every('1h', function() end)");
    assert_int_equal(out.count, 2);
    assert_string_equal(state_of(w, "crm").error, "the policies declare no such webhook");
    reload(w, HOOK);
    assert_int_equal(out.count, 3);
    assert_string_equal(out.sent[2].body, out.sent[0].body);
    out_status(2, 200);
    out_free(w);
}

static void test_retry_now(void **state)
{
    (void)state;
    struct world *w = out_world_with(HOOK);
    assert_false(webhook_retry(w->policy, "crm"));
    queue(w, "1");
    turn(w);
    out_status(0, 500);
    assert_true(webhook_retry(w->policy, "crm"));
    pass(w->f, 0);
    assert_int_equal(out.count, 2);
    assert_true(webhook_retry(w->policy, "crm")); /* under way: nothing to do */
    pass(w->f, 0);
    assert_int_equal(out.count, 2);
    out_status(1, 200);
    out_free(w);
}

static void test_not_allowed(void **state)
{
    (void)state;
    struct world *w = out_world_with(HOOK);
    EXPECT_PART(w, "GET /send?hook=lost&n=1", NULL, 200, "[\"");
    turn(w);
    assert_int_equal(out.count, 0);
    const struct webhook_state now = state_of(w, "lost");
    assert_string_equal(now.error, "elsewhere:80 is not in policies.http_hosts");
    assert_int_equal(now.queued, 1);
    out.refuses = "no more sockets";
    queue(w, "2");
    turn(w);
    assert_string_equal(state_of(w, "crm").error, "no more sockets");
    out_free(w);
}

static void row(struct world *w, const char *key, const char *value)
{
    struct reason why;
    assert_true(station_kv_set(w->f->st, key, value, 0, &why));
}

#define ROW(n)                                                                                     \
    "{\"id\":\"11111111-2222-4333-8444-55555555555" n "\",\"webhook\":\"crm\",\"event\":\"e\","    \
    "\"created\":\"2025-07-14T05:00:00.000Z\",\"data\":{\"n\":\"" n "\"}}"

/* What was not delivered before the last end, in its order; rows that are none are left alone. */
static void test_restart(void **state)
{
    (void)state;
    struct world *w = out_world(HOOK);
    row(w, "chargebridge/webhook/crm/0000000000000010", ROW("3"));
    row(w, "chargebridge/webhook/crm/0000000000000002", ROW("1"));
    row(w, "chargebridge/webhook/gone/0000000000000004", ROW("9"));
    row(w, "chargebridge/webhook/crm/0000000000000009", ROW("2"));
    static const char *const odd[][2] = {
        {"chargebridge/webhook/crm/x", ROW("4")},
        {"chargebridge/webhook/crm", ROW("4")},
        {"chargebridge/webhook/a b/7", ROW("4")},
        {"chargebridge/webhook/crm/8", "[]"},
        {"chargebridge/webhook/crm/11", "{\"id\":\"x\",\"event\":\"e\",\"created\":\"then\"}"}};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++)
        row(w, odd[i][0], odd[i][1]);
    assert_true(world_load(w));
    turn(w);
    assert_int_equal(state_of(w, "crm").queued, 3);
    assert_int_equal(state_of(w, "gone").queued, 1);
    queue(w, "4"); /* behind them */
    turn(w);
    for (size_t i = 0; i < 4; i++) {
        char n[2] = {(char)('1' + i), '\0'};
        assert_int_equal(out.count, i + 1);
        assert_true(holds(i, n));
        out_status(i, 200);
    }
    assert_string_equal(out.sent[0].body, ROW("1"));
    for (size_t i = 0; i < ARRAY_LEN(odd); i++)
        assert_non_null(station_kv_get(w->f->st, odd[i][0]));
    out_free(w);
}

/* A server that ends while one is under way: it stays. */
static void test_closing(void **state)
{
    (void)state;
    struct world *w = out_world_with(HOOK);
    queue(w, "1");
    queue(w, "2");
    turn(w);
    policy_free(w->policy);
    w->policy = NULL;
    assert_int_equal(out.cancelled, 1);
    assert_non_null(station_kv_get(w->f->st, "chargebridge/webhook/crm/0000000000000001"));
    assert_non_null(station_kv_get(w->f->st, "chargebridge/webhook/crm/0000000000000002"));
    turn(w);
    assert_int_equal(out.count, 1);
    out_free(w);
}

/* ---- the Lua side ---- */

static void test_declarations(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"webhook 'a b' { url = 'http://a' }", "must be a name of letters"},
        {"webhook '' { url = 'http://a' }", "must be a name of letters"},
        {"webhook 'a' {}", "webhook \"a\": url is needed"},
        {"webhook 'a' { url = 'a' }", "webhook \"a\": url: expected a URL"},
        {"webhook 'a' { url = 'http://a', secrt = 'x' }", "did you mean secret?"},
        {"webhook 'a' { url = 'http://a', secret = '' }", "secret must have 1 to 256 bytes"},
        {"webhook 'a' { url = 'http://a', headers = { Host = 'x' } }", "not for policies to set"},
        {"webhook 'a' (5)", "webhook \"a\" needs a table"},
        {"webhook 'a' { url = 'http://a' } webhook 'a' { url = 'http://a' }",
         "webhook \"a\" is declared already, at 10-t.lua:1"},
        {"webhook('a'):send('x')", "webhook:send cannot be used while a policy file loads"},
        {"webhook('a').url = 5", "webhook \"a\" is read-only"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *w = out_world(rows[i][0]);
        assert_false(world_load(w));
        expect_finding(w, "10-t.lua", 1, rows[i][1]);
        out_free(w);
    }
    struct strbuf many = {0};
    for (int i = 0; i <= WEBHOOKS_MAX; i++)
        strbuf_addf(&many, "webhook 'w%d' { url = 'http://a' }\n", i);
    struct world *w = out_world(strbuf_text(&many));
    assert_false(world_load(w));
    expect_finding(w, "10-t.lua", WEBHOOKS_MAX + 1, "webhook \"w64\": more than 64");
    strbuf_clear(&many);
    out_free(w);
}

static void test_wrong_use(void **state)
{
    (void)state;
    lua_fails("webhook('crm'):send('x')", "is not declared");
    lua_fails("webhook 'a' { url = 'http://a' }", "can only be declared while a policy file loads");
    lua_fails("webhook.send(5, 'x')", "webhook");
    lua_fails("return webhook('a').sned", "did you mean send?");
    lua_gives("return { webhook('a').name, tostring(webhook 'a') }", "[\"a\",\"webhook a\"]");
    static const char *const calls[][2] = {
        {"webhook('cmr'):send('x')", "is not declared; did you mean \\\"crm\\\"?"},
        {"webhook('crm'):send()", "webhook:send: argument 1 (event) must be"},
        {"webhook('crm'):send('a b')", "must be a name of letters"},
        {"webhook('crm'):send('x', print)", "print is unknown"},
        {"webhook('crm'):send('x', { f = function() end })", "webhook:send: "},
        {"webhook('crm'):send('x', string.rep('x', 70000))", "webhook:send: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        char *code = xprintf(HOOK "route('GET /run', function() %s return 204 end)", calls[i][0]);
        struct world *w = out_world(code);
        bool ok = world_load(w) && ask(w, "GET /run", NULL) == 500 &&
                  strstr(strbuf_text(&w->log), calls[i][1]);
        if (!ok && w->loaded)
            fail_msg("%s: %d %s", calls[i][0], w->status, strbuf_text(&w->log));
        out_free(w);
        xfree(code);
    }
}

/* POST /send is answered when its message is on disk; GET /webhooks tells. */
static void test_routes(void **state)
{
    (void)state;
    struct world *w = out_world_with(HOOK);
    EXPECT(w, "POST /api/v1/webhooks/nobody/retry", NULL, 404,
           strbuf_text(&w->body)); /* a problem, whatever its words */
    queue(w, "1");
    turn(w);
    out_status(0, 500);
    EXPECT(
        w, "GET /api/v1/webhooks", NULL, 200,
        "{\"items\":[{\"name\":\"crm\",\"url\":\"http://backend:8000/hook\",\"declared\":true,"
        "\"signed\":true,\"queued\":1,\"sending\":false,\"delivered\":0,\"failedAttempts\":1,"
        "\"dropped\":0,\"oldestAt\":\"" NOW_TEXT "\",\"lastDeliveredAt\":null,\"lastError\":\"the "
        "receiver answered 500\",\"lastErrorAt\":\"" NOW_TEXT
        "\",\"nextAttemptAt\":\"2025-07-14T05:20:13Z\"},"
        "{\"name\":\"lost\",\"url\":\"http://elsewhere/\",\"declared\":true,\"signed\":false,"
        "\"queued\":0,\"sending\":false,\"delivered\":0,\"failedAttempts\":0,\"dropped\":0,"
        "\"oldestAt\":null,\"lastDeliveredAt\":null,\"lastError\":null,\"lastErrorAt\":null,"
        "\"nextAttemptAt\":null},"
        "{\"name\":\"plain\",\"url\":\"http://backend:8000/plain\",\"declared\":true,\"signed\":"
        "false,\"queued\":0,\"sending\":false,\"delivered\":0,\"failedAttempts\":0,\"dropped\":0,"
        "\"oldestAt\":null,\"lastDeliveredAt\":null,\"lastError\":null,\"lastErrorAt\":null,"
        "\"nextAttemptAt\":null}]}");
    EXPECT(w, "POST /api/v1/webhooks/crm/retry", NULL, 200, "{\"ok\":true}");
    pass(w->f, 0);
    out_status(1, 200);
    EXPECT_PART(w, "GET /api/v1/metrics", NULL, 200,
                "chargebridge_webhook_delivered_total{webhook=\"crm\"} 1");
    EXPECT_PART(w, "GET /api/v1/metrics", NULL, 200,
                "chargebridge_webhook_failures_total{webhook=\"crm\"} 1");
    out_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_message),  cmocka_unit_test(test_order),
        cmocka_unit_test(test_trying_again), cmocka_unit_test(test_a_broken_yes),
        cmocka_unit_test(test_three_days),   cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_reload),       cmocka_unit_test(test_retry_now),
        cmocka_unit_test(test_not_allowed),  cmocka_unit_test(test_restart),
        cmocka_unit_test(test_closing),      cmocka_unit_test(test_declarations),
        cmocka_unit_test(test_wrong_use),    cmocka_unit_test(test_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* cp objects and cp:call: every field, gone ones, every outcome of a CALL. */
#include "api_world.h"

static void test_fields(void **state)
{
    (void)state;
    lua_gives(
        "local cp = chargepoint 'CP1' return {cp.id, cp.online, cp.registration, cp.version,"
        " cp.vendor, cp.model, cp.serial == nil, cp.firmware == nil, cp.address, cp.last_seen}",
        "[\"CP1\",true,\"accepted\",\"1.6\",\"V\",\"M\",true,true,\"192.0.2.7\",1752470408]");
    lua_gives("return {tostring(chargepoint 'cp1'), chargepoint 'cp1' == chargepoint 'CP1',"
              " chargepoint 'nobody' == nil}",
              "[\"CP1\",true,true]");
    lua_gives("local t = {[chargepoint 'CP1'] = 'x'} return t[chargepoint 'cp1']", "\"x\"");
}

static void test_every_row_can_be_read(void **state)
{
    (void)state;
    lua_gives("local cp = chargepoint 'CP1' for _, name in ipairs { 'id', 'online', 'registration',"
              " 'version', 'vendor', 'model', 'serial', 'firmware', 'address', 'connectors',"
              " 'last_seen', 'vars', 'call' } do local v = cp[name] end return true",
              "true");
}

static void test_connectors(void **state)
{
    (void)state;
    struct world *w =
        world_running("local c = chargepoint('CP1').connectors return {#c, c[2], "
                      "c[1] and c[1].transaction and c[1].transaction.id, c[0].status}");
    say(w->f, "CP1",
        "[2,\"1\",\"StatusNotification\",{\"connectorId\":2,\"errorCode\":\"GroundFailure\","
        "\"info\":"
        "\"wet\",\"status\":\"Faulted\",\"timestamp\":\"2025-07-14T05:20:00Z\"}]");
    say(w->f, "CP1",
        "[2,\"2\",\"StatusNotification\",{\"connectorId\":0,\"errorCode\":\"NoError\",\"status\":"
        "\"Available\"}]");
    say(w->f, "CP1",
        "[2,\"3\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":0,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    EXPECT(w, "POST /run", NULL, 200,
           "[[2,{\"error_code\":\"GroundFailure\",\"id\":2,\"info\":\"wet\",\"since\":1752470400,"
           "\"status\":\"Faulted\"},1,\"Available\"]]");
    world_free(w);
}

static void test_all(void **state)
{
    (void)state;
    struct world *w =
        world_running("local ids = {} for cp in chargepoints() do ids[#ids + 1] = cp.id"
                      " end return ids");
    up(w->f, "CP9", 9);
    up(w->f, "CP2", 10);
    EXPECT(w, "POST /run", NULL, 200, "[[\"CP1\",\"CP9\",\"CP2\"]]");
    world_free(w);
}

static void test_gone(void **state)
{
    (void)state;
    struct world *w = world_with(
        "local kept\n"
        "route('POST /keep', function() kept = chargepoint 'CP1' kept.vars.x = 1 return 204 end)\n"
        "route('GET /kept', function() kept.vars.y = 2 return 200, {kept.id, kept.online,"
        " kept.registration == nil, kept.vendor == nil, next(kept.connectors) == nil,"
        " kept.last_seen == nil, kept.vars.x == nil, next({pairs(kept.vars)}) ~= nil} end)\n"
        "route('GET /call', function() local a, err = kept:call('Reset', {type = 'Soft'})"
        " return 200, {a == nil, err.code} end)");
    EXPECT(w, "POST /keep", NULL, 204, "");
    assert_true(station_delete(w->f->st, "CP1", NULL, NULL, NULL));
    EXPECT(w, "GET /kept", NULL, 200, "[\"CP1\",false,true,true,true,true,true,true]");
    EXPECT(w, "GET /call", NULL, 200, "[true,\"gone\"]");
    world_free(w);
}

static void test_errors(void **state)
{
    (void)state;
    lua_fails("return chargepoint()", "chargepoint: argument 1 (id) must be a string, not nil");
    lua_fails("return chargepoint(5)",
              "chargepoint: argument 1 (id) must be a string, not a number");
    lua_fails("return chargepoint('CP1').onlin", "a cp has no field onlin; did you mean online?");
    lua_fails("return chargepoint('CP1')[1]", "a cp has no field");
    lua_fails("chargepoint('CP1').online = false", "a cp is read-only; keep values in cp.vars");
    lua_fails("return chargepoint('CP1').call('Reset')", "expected a cp, got a string");
    lua_fails("return chargepoint('CP1'):call()", "cp:call: argument 1 (action) must be a string");
    lua_fails("return chargepoint('CP1'):call('Reset', 5)", "argument 2 (payload) must be a table");
    lua_fails("return chargepoint('CP1'):call('Reset', {}, 5)",
              "argument 3 (options) must be a table");
    lua_fails("return chargepoint('CP1'):call('Reset', {}, {tmeout = 1})", "did you mean timeout?");
    lua_fails("return chargepoint('CP1'):call('Rest', {})",
              "cp:call: OCPP 1.6 has no action Rest; did you mean Reset?");
    lua_fails("return chargepoint('CP1'):call('Authorize', {idTag = 'X'})",
              "cp:call: Authorize is sent by chargers, not to them");
    lua_fails("return chargepoint('CP1'):call('Reset', {type = 'Warm'})", "cp:call: Reset: /type");
    lua_fails("return chargepoint('CP1'):call('Reset')", "cp:call: Reset: /type");
    lua_fails("return chargepoint('CP1'):call('Reset', {1})", "a table with named members");
    lua_fails("return chargepoint('CP1'):call('Reset', {type = pcall})",
              "cp:call: Reset: a function cannot be JSON (at .type)");
    lua_fails("table.sort({2, 1}, function() return chargepoint('CP1'):call('ClearCache') end)",
              "cannot be used inside table.sort");
}

static void test_not_while_loading(void **state)
{
    (void)state;
    static const struct {
        const char *code, *part;
    } cases[] = {
        {"chargepoint('CP1'):call('ClearCache')",
         "cp:call cannot be used while a policy file loads"},
        {"local x = chargepoint('CP1').online", "reading a cp cannot be used while"},
        {"local x = chargepoint('CP1').vars.x", "cp.vars cannot be used while"},
        {"chargepoint('CP1').vars.x = 1", "cp.vars cannot be used while"},
        {"for cp in chargepoints() do end", "chargepoints cannot be used while"},
        {"for tx in transactions() do end", "transactions cannot be used while"},
        {"local x = transaction(5)", "transaction cannot be used while"},
        {"local x = tag('A')", "tag cannot be used while"},
        {"store.set('a', 1)", "store.set cannot be used while"},
        {"local x = store.get('a')", "store.get cannot be used while"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world *w = world_new();
        char *text = xprintf("-- line 1\n%s\nfunction on.start(tx) end", cases[i].code);
        world_file(w, "10-t.lua", text);
        assert_false(world_load(w));
        expect_finding(w, "10-t.lua", 2, cases[i].part);
        xfree(text);
        world_free(w);
    }
}

/* The last frame that was sent: its message id. */
static const char *last_id(struct world *w)
{
    static char id[64];
    const char *text = w->f->sent.at[w->f->sent.count - 1];
    const char *at = strstr(text, "[2,\"");
    assert_non_null(at);
    text_copy(id, sizeof(id), (struct span){at + 4, strcspn(at + 4, "\"")});
    return id;
}

static void reply(struct world *w, const char *format)
{
    char *text = xprintf(format, last_id(w));
    say(w->f, "CP1", text);
    xfree(text);
}

static const char calling[] =
    "route('POST /call', function(req) local a, err = chargepoint('CP1'):call(req.json.action,"
    " req.json.payload, {timeout = '20s'})\n if a then return 200, a end\n"
    " return 200, {err = err, text = 'no: ' .. err, code = err.code, details = err.details} end)";

static void test_an_answer(void **state)
{
    (void)state;
    struct world *w = world_with(calling);
    assert_int_equal(
        ask(w, "POST /call", "{\"action\":\"GetConfiguration\",\"payload\":{\"key\":{}}}"), 0);
    assert_non_null(strstr(w->f->sent.at[0], "\"GetConfiguration\",{\"key\":[]}]"));
    reply(w, "[3,\"%s\",{\"configurationKey\":[],\"unknownKey\":[\"x\"]}]");
    assert_int_equal(w->status, 200);
    assert_string_equal(strbuf_text(&w->body), "{\"configurationKey\":[],\"unknownKey\":[\"x\"]}");
    assert_int_equal(w->responses, 1);
    world_free(w);
}

static void expect_code(struct world *w, const char *body)
{
    if (w->status != 200 || !text_is(strbuf_text(&w->body), body))
        fail_msg("got %d %s", w->status, strbuf_text(&w->body));
    world_free(w);
}

static struct world *world_that_calls(void)
{
    struct world *w = world_with(calling);
    assert_int_equal(ask(w, "POST /call", "{\"action\":\"ClearCache\"}"), 0);
    return w;
}

static void test_a_callerror(void **state)
{
    (void)state;
    struct world *w = world_that_calls();
    reply(w, "[4,\"%s\",\"NotSupported\",\"no cache\",{\"a\":1}]");
    expect_code(
        w, "{\"code\":\"NotSupported\",\"details\":{\"a\":1},\"err\":{\"code\":\"NotSupported\","
           "\"details\":{\"a\":1},\"message\":\"CALLERROR NotSupported: no cache\"},\"text\":"
           "\"no: CALLERROR NotSupported: no cache\"}");
}

static void test_a_timeout(void **state)
{
    (void)state;
    struct world *w = world_that_calls();
    pass(w->f, 19000);
    assert_int_equal(w->status, 0);
    pass(w->f, 2000);
    assert_int_equal(w->status, 200);
    assert_non_null(strstr(strbuf_text(&w->body), "\"code\":\"timeout\""));
    world_free(w);
}

static void test_offline_at_once_and_later(void **state)
{
    (void)state;
    struct world *w = world_that_calls();
    down(w->f, "CP1", 1);
    assert_non_null(strstr(strbuf_text(&w->body), "\"code\":\"offline\""));
    assert_int_equal(ask(w, "POST /call", "{\"action\":\"ClearCache\"}"), 200);
    assert_non_null(strstr(strbuf_text(&w->body), "\"code\":\"offline\""));
    world_free(w);
}

static void test_refused(void **state)
{
    (void)state;
    struct world *w = world_with(calling);
    struct charge_point_change change = {.registration = "rejected", .security_profile = ABSENT};
    assert_true(station_register(w->f->st, "CP1", &change, NULL, NULL, NULL));
    assert_int_equal(ask(w, "POST /call", "{\"action\":\"ClearCache\"}"), 200);
    assert_non_null(strstr(strbuf_text(&w->body), "\"code\":\"refused\""));
    world_free(w);
}

static void test_a_handler_that_is_cut_off(void **state)
{
    (void)state;
    struct world *w = world_that_calls();
    policy_free(w->policy);
    w->policy = NULL;
    assert_int_equal(w->status, 504);
    reply(w, "[3,\"%s\",{\"status\":\"Accepted\"}]"); /* late, for nobody */
    assert_int_equal(w->responses, 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_every_row_can_be_read),
        cmocka_unit_test(test_connectors),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_not_while_loading),
        cmocka_unit_test(test_an_answer),
        cmocka_unit_test(test_a_callerror),
        cmocka_unit_test(test_a_timeout),
        cmocka_unit_test(test_offline_at_once_and_later),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_a_handler_that_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

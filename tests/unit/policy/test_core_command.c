/* core.command: sent as given, one result each; remote starts that wait; closing transactions. */
#include "core_world.h"

#define COMMAND(action, body)                                                                      \
    "local r = core.command('CP1', { action = '" action "', body = [[" body "]] }) r.id = r.id"    \
    " and #r.id return r"

static void test_sent_as_given(void **state)
{
    (void)state;
    struct world *w = world_new();
    core_load(w, "route('POST /run', { body = 'text' }, function(req)\n"
                 "return 200, core.command('CP1', { action = 'SetChargingProfile',"
                 " body = req.body, by = 'me' }) end)");
    static const char given[] =
        "{\"csChargingProfiles\": {\"stackLevel\":0, \"chargingProfileId\":7,\n"
        "\"chargingProfilePurpose\":\"TxDefaultProfile\",\"chargingProfileKind\":\"Relative\","
        "\"chargingSchedule\":{\"chargingSchedulePeriod\":[{\"limit\":16.0,\"startPeriod\":0},"
        "{\"startPeriod\":60,\"limit\":1.60e1}],\"chargingRateUnit\":\"A\"}},\"connectorId\":1}";
    static const char wanted[] =
        "\",\"SetChargingProfile\",{\"csChargingProfiles\":{\"stackLevel\":0,\"chargingProfileId\":"
        "7,\"chargingProfilePurpose\":\"TxDefaultProfile\",\"chargingProfileKind\":\"Relative\","
        "\"chargingSchedule\":{\"chargingSchedulePeriod\":[{\"limit\":16.0,\"startPeriod\":0},"
        "{\"startPeriod\":60,\"limit\":1.60e1}],\"chargingRateUnit\":\"A\"}},\"connectorId\":1}]";
    char id[64];
    assert_int_equal(ask(w, "POST /run", given), 0);
    assert_string_equal(sent_call(w->f, id), wanted);
    clock_advance(40);
    answer_call(w->f, "{\"status\":\"Accepted\"}");
    assert_int_equal(w->status, 200);
    char *body_wanted = xprintf("{\"id\":\"%s\",\"ms\":40,\"queueFull\":false,\"response\":{"
                                "\"status\":\"Accepted\"},\"status\":\"accepted\"}",
                                id);
    assert_string_equal(strbuf_text(&w->body), body_wanted);
    xfree(body_wanted);
    EXPECT_ROWS(w->f, 1, "COMMAND state=accepted by=me");
    world_free(w);
}

/* Runs the command; what happens then is the caller's. */
static struct world *commanding(const char *code)
{
    struct world *w = core_running(code);
    assert_int_equal(ask(w, "POST /run", "{}"), 0);
    return w;
}

static void expect_part(struct world *w, const char *part)
{
    if (w->status != 200 || !strstr(strbuf_text(&w->body), part))
        fail_msg("got %d %s\n%s", w->status, strbuf_text(&w->body), strbuf_text(&w->log));
    world_free(w);
}

static void test_every_way_to_end(void **state)
{
    (void)state;
    static const char code[] = COMMAND("ClearCache", "");
    struct world *w = commanding(code);
    char id[64];
    assert_string_equal(sent_call(w->f, id), "\",\"ClearCache\",{}]");
    answer_error(w->f, "\"NotSupported\",\"no cache\",{\"a\":1}");
    expect_part(w, "\"errorCode\":\"NotSupported\",\"errorDescription\":\"no cache\","
                   "\"errorDetails\":{\"a\":1},\"id\":36,");
    w = commanding(code);
    down(w->f, "CP1", 1);
    expect_part(w, "\"status\":\"offline\"");
    w = commanding("return core.command('CP1', { action = 'ClearCache', timeout = 5 })");
    pass(w->f, 5000);
    expect_part(w, "\"status\":\"timeout\"");
    /* Longer than a handler may take otherwise. */
    w = commanding("return core.command('CP1', { action = 'ClearCache', timeout = 100 })");
    pass(w->f, 90000);
    assert_int_equal(w->status, 0);
    answer_call(w->f, "{\"status\":\"Rejected\"}");
    expect_part(w, "\"response\":{\"status\":\"Rejected\"},\"status\":\"accepted\"");
    w = core_running(code);
    down(w->f, "CP1", 1);
    assert_int_equal(ask(w, "POST /run", "{}"), 200);
    expect_part(w, "\"status\":\"offline\"");
}

static void test_refused_before_it_is_asked(void **state)
{
    (void)state;
    core_gives("return core.command('nobody', { action = 'Reset', body = '' }).status",
               "\"unknown\"");
    core_gives("return core.command('CP1', { action = 'Fly', body = '{}' }).status",
               "\"not_implemented\"");
    core_gives("return core.command('CP1', { action = 'BootNotification', body = '{}' }).status",
               "\"not_supported\"");
    core_gives("return core.command('CP1', { action = 'Reset', body = '{\"type\":}' })",
               "{\"status\":\"bad_json\",\"why\":\"the body is not JSON: expected a value, got '}' "
               "at byte "
               "9\"}");
    core_gives("return core.command('CP1', { action = 'Reset', body = '[]' }).errors",
               "[{\"message\":\"expected an object\",\"pointer\":\"\"}]");
    core_gives("local r = core.command('CP1', { action = 'Reset', body = '{\"kind\":1}' })"
               " return { r.status, #r.errors, r.errors[1].pointer }",
               "[\"invalid\",2,\"/kind\"]");
    core_gives("local ok, why = pcall(core.command, 'CP1', { action = 'Reset', payload = { type ="
               " pcall } }) return ok",
               "false");
}

static void test_payload_as_table(void **state)
{
    (void)state;
    struct world *w = commanding(
        "return core.command('CP1', { action = 'GetConfiguration', payload = { key = {} } })");
    char id[64];
    assert_string_equal(sent_call(w->f, id), "\",\"GetConfiguration\",{\"key\":[]}]");
    answer_call(w->f, "{}");
    expect_part(w, "\"response\":{},\"status\":\"accepted\"");
}

static void test_start_without_waiting(void **state)
{
    (void)state;
    struct world *w =
        core_running("local r = core.command_start('CP1', { action = 'ClearCache', batch = 'b1' })"
                     " local s = core.command_start('CP1', { action = 'Fly' })"
                     " return { r.status, #r.id, s.status }");
    EXPECT(w, "POST /run", "{}", 200, "[[\"queued\",36,\"not_implemented\"]]");
    answer_call(w->f, "{\"status\":\"Accepted\"}");
    EXPECT_ROWS(w->f, 1, "COMMAND state=accepted batch=b1");
    down(w->f, "CP1", 1);
    EXPECT(w, "POST /run", "{}", 200, "[[\"offline\",36,\"not_implemented\"]]");
    world_free(w);
}

static void test_until_it_is_stored(void **state)
{
    (void)state;
    struct world *w = core_running("store.set('chargebridge/x', 1) local ok, err = core.stored()"
                                   " return { ok or err.code, store.get('chargebridge/x') }");
    w->f->hold = true;
    assert_int_equal(ask(w, "POST /run", "{}"), 0);
    store_release(w->f);
    assert_int_equal(w->status, 200);
    assert_string_equal(strbuf_text(&w->body), "[[true,1]]");
    EXPECT_ROWS(w->f, 1, "KV key=chargebridge/x");
    w->f->fail = 1;
    EXPECT(w, "POST /run", "{}", 200, "[[\"store\",1]]");
    world_free(w);
}

/* The handler is cancelled with its generation: what waits in the queue is not sent. */
static void test_cancelled_with_its_policy(void **state)
{
    (void)state;
    struct world *w = commanding(COMMAND("ClearCache", ""));
    policy_free(w->policy);
    w->policy = NULL;
    assert_int_equal(w->status, 504);
    world_free(w);
}

static void test_pending(void **state)
{
    (void)state;
    struct world *w = world_new();
    core_load(w,
              "route('POST /start', function() return 200, core.command('CP1', { action ="
              " 'RemoteStartTransaction', body = '{\"connectorId\":1,\"idTag\":\"VID:A\"}', vars = "
              "{ vehicleId = 'V1' } }) end)\n"
              "route('POST /run', function(req) local l = core.pending('cp1') for _, p in"
              " ipairs(l) do p.command = #p.command end return 200, { l, core.pending('CP2') }"
              " end)\n"
              "route('POST /drop', function(req) return 200, { core.pending_drop('CP1', 1) }"
              " end)\n"
              "route('POST /vars', function() return 200, core.active('CP1') end)");
    assert_int_equal(ask(w, "POST /start", "{}"), 0);
    answer_call(w->f, "{\"status\":\"Accepted\"}");
    assert_int_equal(w->status, 200);
    EXPECT(w, "POST /run", "{}", 200,
           "[[{\"command\":36,\"connectorId\":1,\"cpid\":\"CP1\",\"createdMs\":1752470408000,"
           "\"expiresMs\":1752470708000,\"idTag\":\"VID:A\",\"vars\":{\"vehicleId\":\"V1\"}}],[]]");
    EXPECT(w, "POST /drop", "{}", 200, "[true]");
    EXPECT(w, "POST /drop", "{}", 200, "[false]");
    assert_int_equal(ask(w, "POST /start", "{}"), 0);
    answer_call(w->f, "{\"status\":\"Accepted\"}");
    say(w->f, "CP1",
        "[2,\"s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"VID:A\",\"meterStart\":0,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    EXPECT(w, "POST /run", "{}", 200, "[[],[]]");
    EXPECT_PART(w, "POST /vars", "{}", 200, "\"vehicleId\":\"V1\""); /* merged into tx.vars */
    world_free(w);
}

static void start(struct world *w, const char *id, int connector)
{
    char text[256];
    snprintf(text, sizeof(text),
             "[2,\"%s\",\"StartTransaction\",{\"connectorId\":%d,\"idTag\":\"T%d\",\"meterStart\":0"
             ",\"timestamp\":\"" NOW_TEXT "\"}]",
             id, connector, connector);
    say(w->f, "CP1", text);
}

static void test_transactions(void **state)
{
    (void)state;
    struct world *w = world_new();
    core_load(
        w,
        "local function ids(list, next) local t = json.array() for i, x in ipairs(list) do t[i] ="
        " x.transactionId end return { t, next or 'end' } end\n"
        "route('POST /page', function(req) return 200, ids(core.active(req.json)) end)\n"
        "route('POST /one', function(req) local t = core.transaction(req.json.id) return"
        " 200, { t and t.idTag or 'none' } end)\n"
        "route('POST /close', function(req) local ok, err = core.close(req.json.id)"
        " return 200, { ok or err.code } end)\n"
        "route('POST /places', function(req) local l, next = core.connectors(req.json)"
        " return 200, { #l, next or 'end' } end)");
    start(w, "1", 1);
    start(w, "2", 2);
    start(w, "3", 3);
    EXPECT(w, "POST /page", "{\"limit\":2}", 200, "[[1,2],2]");
    EXPECT(w, "POST /page", "{\"limit\":2,\"after\":2}", 200, "[[3],\"end\"]");
    EXPECT(w, "POST /page", "{\"cpid\":\"CP2\"}", 200, "[[],\"end\"]");
    EXPECT(w, "POST /page", "{}", 200, "[[1,2,3],\"end\"]");
    EXPECT(w, "POST /one", "{\"id\":2}", 200, "[\"T2\"]");
    EXPECT(w, "POST /one", "{\"id\":9}", 200, "[\"none\"]");
    up(w->f, "CP2", 9);
    EXPECT(w, "POST /places", "{\"limit\":1}", 200, "[3,\"CP1\"]");
    EXPECT(w, "POST /places", "{\"limit\":1,\"after\":\"CP1\"}", 200, "[0,\"end\"]");
    EXPECT(w, "POST /close", "{\"id\":2}", 200, "[true]");
    EXPECT(w, "POST /close", "{\"id\":2}", 200, "[\"unknown\"]");
    EXPECT(w, "POST /page", "{}", 200, "[[1,3],\"end\"]");
    w->f->fail = 1;
    EXPECT(w, "POST /close", "{\"id\":3}", 200, "[\"store\"]");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sent_as_given),
        cmocka_unit_test(test_every_way_to_end),
        cmocka_unit_test(test_refused_before_it_is_asked),
        cmocka_unit_test(test_payload_as_table),
        cmocka_unit_test(test_start_without_waiting),
        cmocka_unit_test(test_until_it_is_stored),
        cmocka_unit_test(test_cancelled_with_its_policy),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_transactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

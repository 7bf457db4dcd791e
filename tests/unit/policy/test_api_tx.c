/* tx objects: every field of open, stopping and ended transactions; filters. */
#include "api_world.h"

static void start(struct world *w, const char *cp, int connector, const char *tag, int meter)
{
    static int number;
    char *text = xprintf("[2,\"s%d\",\"StartTransaction\",{\"connectorId\":%d,\"idTag\":\"%s\","
                         "\"meterStart\":%d,\"timestamp\":\"" NOW_TEXT "\"}]",
                         ++number, connector, tag, meter);
    say(w->f, cp, text);
    xfree(text);
}

static void meter(struct world *w, const char *cp, int connector, int id)
{
    static int number;
    char *text = xprintf(
        "[2,\"m%d\",\"MeterValues\",{\"connectorId\":%d,\"transactionId\":%d,\"meterValue\":[{"
        "\"timestamp\":\"2025-07-14T05:30:08Z\",\"sampledValue\":[{\"value\":\"3500\"},{"
        "\"measurand\":"
        "\"Power.Active.Import\",\"unit\":\"kW\",\"value\":\"7.2\"},{\"measurand\":\"SoC\","
        "\"unit\":"
        "\"Percent\",\"value\":\"41\"}]}]}]",
        ++number, connector, id);
    say(w->f, cp, text);
    xfree(text);
}

static void test_fields(void **state)
{
    (void)state;
    struct world *w = world_running(
        "local tx = transaction(1) tx.vars.a = {1} return {tx.id, tx.active, tx.cp.id, "
        "tx.connector,"
        " tx.idTag, tx.parentIdTag or json.null, tx.start, tx.kwh, tx.energy_wh, tx.power, tx.soc,"
        " tx.last_meter, tx.meter_start, tx.stop_reason == nil, next(tx.flags) == nil, tx.vars.a,"
        " tostring(tx), tostring(tx.vars)}");
    policy_says(w->f, EVENT_AUTHORIZE, "Accepted", "{\"parentIdTag\":\"Fleet\"}");
    start(w, "CP1", 1, "abc", 1000);
    clock_advance(600000);
    meter(w, "CP1", 1, 1);
    EXPECT(w, "POST /run", NULL, 200,
           "[[1,true,\"CP1\",1,\"ABC\",\"FLEET\",1752470408,2.5,2500,7200,41,1752471008,1000,true,"
           "true,"
           "[1],\"1\",\"vars of transaction 1\"]]");
    EXPECT_ROWS(w->f, 1, "TX_VARS id=1 vars={\"a\":[1]}");
    world_free(w);
}

static void test_before_the_first_sample(void **state)
{
    (void)state;
    struct world *w =
        world_running("local tx = transaction(1) return {tx.power == nil, tx.soc == nil,"
                      " tx.last_meter == tx.start, tx.kwh == nil or tx.kwh}");
    start(w, "CP1", 1, "A", 0);
    assert_int_equal(ask(w, "POST /run", NULL), 200);
    assert_non_null(strstr(strbuf_text(&w->body), "[[true,true,true,"));
    world_free(w);
}

static void test_filters(void **state)
{
    (void)state;
    struct world *w =
        world_running("local function ids(f) local t = json.array() for tx in transactions(f) do "
                      "t[#t + 1] = tx.id end"
                      " return t end\n local one = transaction { idTag = 'b' } return {ids(), ids "
                      "{ idTag = 'A' },"
                      " ids { cp = 'cp1' }, ids { cp = chargepoint 'CP2' }, ids { connector = 2 }, "
                      "ids { id = 3 },"
                      " ids { cp = 'CP1', connector = 2 }, ids { idTag = 'nobody' }, one.id,"
                      " transaction { idTag = 'c' } == nil, transaction(99) == nil, transaction(1) "
                      "== transaction(1),"
                      " transaction(1) == transaction(2)}");
    accepted_cp(w->f, "CP2", 2);
    start(w, "CP1", 1, "a", 0);
    start(w, "CP1", 2, "B", 0);
    start(w, "CP2", 1, "A", 0);
    EXPECT(w, "POST /run", NULL, 200,
           "[[[1,2,3],[1,3],[1,2],[3],[2],[3],[2],[],2,true,true,true,false]]");
    world_free(w);
}

static void test_flags(void **state)
{
    (void)state;
    struct world *w =
        world_running("local f = transaction(1).flags return {f.refused, f.late == nil}");
    policy_says(w->f, EVENT_AUTHORIZE, "Blocked", NULL);
    start(w, "CP1", 1, "A", 0);
    EXPECT(w, "POST /run", NULL, 200, "[[true,true]]");
    world_free(w);
}

static void test_over(void **state)
{
    (void)state;
    struct world *w = world_with(
        "local kept\n"
        "route('POST /keep', function() kept = transaction(1) return 204 end)\n"
        "route('GET /kept', function() kept.vars.y = 1 return 200, {kept.id, kept.active, kept.cp "
        "== nil,"
        " kept.kwh == nil, kept.idTag == nil, next(kept.flags) == nil, kept.vars.y == nil,"
        " kept.stop_reason == nil} end)");
    start(w, "CP1", 1, "A", 0);
    EXPECT(w, "POST /keep", NULL, 204, "");
    say(w->f, "CP1",
        "[2,\"stop\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":100,\"timestamp\":"
        "\"2025-07-14T05:20:09Z\"}]");
    EXPECT(w, "GET /kept", NULL, 200, "[1,false,true,true,true,true,true,true]");
    world_free(w);
}

static void test_errors(void **state)
{
    (void)state;
    lua_fails("return transaction()", "transaction: argument 1 (filter) must be a table such as");
    lua_fails("return transaction('A')", "argument 1 (options) must be a table, not a string");
    lua_fails("return transaction { idtag = 'A' }", "unknown option idtag; did you mean idTag?");
    lua_fails("return transaction { 'A' }", "the options are named");
    lua_fails("return transaction { idTag = 5 }",
              "transaction: idTag must be a string, not a number");
    lua_fails("return transaction { connector = '1' }",
              "connector must be an integer, not a string");
    lua_fails("return transactions { cp = 5 }",
              "transactions: cp must be a cp or its id, not a number");
    lua_fails("return transactions { cp = {} }", "cp must be a cp or its id, not a table");
}

static void test_errors_of_fields(void **state)
{
    (void)state;
    static const struct {
        const char *code, *part;
    } cases[] = {
        {"return tx.idtag", "a tx has no field idtag; did you mean idTag?"},
        {"tx.kwh = 5", "a tx is read-only; keep values in tx.vars"},
        {"tx.vars.x = tx", "tx.vars: a tx cannot be JSON"},
        {"return tx[1]", "a tx has no field"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *code = xprintf("local tx = transaction(1) %s", cases[i].code);
        struct world *w = world_running(code);
        start(w, "CP1", 1, "A", 0);
        assert_int_equal(ask(w, "POST /run", NULL), 500);
        if (!strstr(strbuf_text(&w->log), cases[i].part))
            fail_msg("%s: %s", cases[i].code, strbuf_text(&w->log));
        xfree(code);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_before_the_first_sample),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_over),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_errors_of_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

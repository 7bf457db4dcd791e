/* site "depot" {…}, its object, on.rebalance, tx:limit and cp:limit. */
#include "api_world.h"
#include "station/site.h"

#define DEPOT "site \"depot\" { chargers = { \"CP1\", \"CP2\" }, fuse = 100, failsafe = 0 }\n"

/* `top`, and a route GET /run with the code. */
static struct world *running(const char *top, const char *code)
{
    char *text = xprintf("%sroute(\"GET /run\", function(req)\n"
                         "local function run() %s\nend\n"
                         "return 200, { run() }\nend)",
                         top, code);
    struct world *w = world_with(text);
    xfree(text);
    return w;
}

static void gives(struct world *w, const char *json)
{
    EXPECT(w, "GET /run", NULL, 200, json);
}

static void start(struct world *w, int message, int connector)
{
    char *text = xprintf("[2,\"m%d\",\"StartTransaction\",{\"connectorId\":%d,\"idTag\":\"T\","
                         "\"meterStart\":%d,\"timestamp\":\"" NOW_TEXT "\"}]",
                         message, connector, message);
    say(w->f, "CP1", text);
    xfree(text);
}

static void status(struct world *w, const char *word)
{
    static int message;
    message++;
    char *text = xprintf("[2,\"s%d\",\"StatusNotification\",{\"connectorId\":1,\"errorCode\":"
                         "\"NoError\",\"status\":\"%s\"}]",
                         message, word);
    say(w->f, "CP1", text);
    xfree(text);
}

/* ---- definitions ---- */

static void test_members(void **state)
{
    (void)state;
    struct world *w = running(
        "site \"a b-c_1.2\" { chargers = \"CP1\", fuse = 63.5, phases = 1, voltage = 240, "
        "base_load = "
        "3, failsafe = 8, settle = \"1m\" }\n",
        "local s = site \"a b-c_1.2\" return { s.name, s.fuse, s.phases, s.voltage, s.base_load, "
        "s.failsafe, #s:chargers(), s:chargers()[1].id, tostring(s), s == site \"a b-c_1.2\" }");
    gives(w, "[[\"a b-c_1.2\",63.5,1,240,3,8,1,\"CP1\",\"a b-c_1.2\",true]]");
    assert_int_equal(station_site(w->f->st, "a b-c_1.2")->settle_ms, 60000);
    world_free(w);
}

static void test_by_default(void **state)
{
    (void)state;
    struct world *w =
        running("site \"x\" { chargers = \"*\", fuse = 16 }\n",
                "local s = site \"x\" return { s.phases, s.voltage, s.base_load, s.failsafe, site "
                "\"y\" == nil }");
    gives(w, "[[3,230,0,6,true]]");
    world_free(w);
}

static void test_no_failsafe(void **state)
{
    (void)state;
    struct world *w = running("site \"x\" { chargers = \"*\", fuse = 16, failsafe = false }\n",
                              "return tostring((site \"x\").failsafe)");
    gives(w, "[\"nil\"]");
    world_free(w);
}

static void test_wrong_definitions(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"site \"x\" { chargers = \"*\" }", "fuse is missing"},
        {"site \"x\" { fuse = 10 }", "chargers must be \"*\" or a list of identities, not nil"},
        {"site \"x\" { chargers = {}, fuse = 10 }", "at least one charger"},
        {"site \"x\" { chargers = { 7 }, fuse = 10 }", "chargers[1] must be an identity"},
        {"site \"x\" { chargers = \"*\", fuse = 5 }", "fuse must be a number from 6 to 100000"},
        {"site \"x\" { chargers = \"*\", fuse = \"10\" }", "fuse must be a number"},
        {"site \"x\" { chargers = \"*\", fuse = 10, phases = 4 }", "phases"},
        {"site \"x\" { chargers = \"*\", fuse = 10, voltag = 4 }", "voltag"},
        {"site \"x\" { chargers = \"*\", fuse = 10, base_load = 11 }", "base_load"},
        {"site \"x\" { chargers = \"*\", fuse = 10, settle = \"1h\" }", "settle"},
        {"site \"x\" { chargers = \"*\", fuse = 0/0 }", "fuse"},
        {"site \"x\" { chargers = { \"A\", \"B\" }, fuse = 10, failsafe = 6 }",
         "the failsafe of 6 A at 2 chargers is 12 A, and the fuse leaves 10 A"},
        {"site \"x/y\" { chargers = \"*\", fuse = 10 }", "a name has"},
        {"site \"\" { chargers = \"*\", fuse = 10 }", "a name has"},
        {"site(7)", "argument 1 (name) must be"},
        {"site \"x\" (7)", "definition"},
        {"site \"x\" { chargers = \"A\", fuse = 10 } site \"x\" { chargers = \"B\", fuse = 10 }",
         "site \"x\" is defined twice"},
        {"site \"x\" { chargers = \"A\", fuse = 10 } site \"y\" { chargers = { \"B\", \"a\" }, "
         "fuse "
         "= 20 }",
         "charger a is in site \"x\" already"},
        {"site \"x\" { chargers = \"*\", fuse = 10 } site \"y\" { chargers = \"*\", fuse = 10 }",
         "site \"x\" has all other chargers"},
        {"local s = site \"x\"", "registers nothing"},
        {"local s = site \"x\" s:charging()", "cannot be used while a policy file loads"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world *w = world_new();
        world_file(w, "10-t.lua", cases[i].text);
        assert_false(world_load(w));
        bool found = false;
        for (size_t n = 0; n < w->report.kept; n++)
            found |= strstr(w->report.errors[n].message, cases[i].part) != NULL;
        if (!found) {
            show_findings(&w->report);
            fail_msg("%s: expected \"%s\"", cases[i].text, cases[i].part);
        }
        world_free(w);
    }
}

static void test_two_files(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_file(w, "10-a.lua", "site \"a\" { chargers = \"CP1\", fuse = 10 }");
    world_file(w, "20-b.lua", "\nsite \"b\" { chargers = \"CP1\", fuse = 10 }");
    assert_false(world_load(w));
    expect_finding(w, "20-b.lua", 2, "charger CP1 is in site \"a\" already");
    world_free(w);
}

static void test_not_later(void **state)
{
    (void)state;
    struct world *w = running(DEPOT, "site \"depot\" { chargers = \"*\", fuse = 10 }");
    assert_int_equal(ask(w, "GET /run", NULL), 500);
    assert_non_null(
        strstr(strbuf_text(&w->log), "a site can be defined only while a policy file loads"));
    world_free(w);
}

/* ---- the object ---- */

static void test_transactions(void **state)
{
    (void)state;
    struct world *w =
        running(DEPOT, "local s, out = site \"depot\", {} "
                       "for _, tx in ipairs(s:charging()) do out[#out + 1] = tx.id end "
                       "for _, tx in ipairs(s:idle()) do out[#out + 1] = -tx.id end "
                       "return json.encode(out) == '{}' and {} or out");
    start(w, 1, 1);
    start(w, 2, 2);
    gives(w, "[[1,2]]");
    status(w, "SuspendedEV");
    gives(w, "[[2,-1]]");
    start(w, 3, 1); /* the first has lost its stop */
    status(w, "Charging");
    gives(w, "[[2,3]]");
    world_free(w);
}

static void test_base_load(void **state)
{
    (void)state;
    struct world *w = running(DEPOT, "local s = site \"depot\" local old = s.base_load "
                                     "s.base_load = old + 2.5 return { old, s.base_load }");
    gives(w, "[[0,2.5]]");
    assert_true(station_site(w->f->st, "depot")->base_load_a == 2.5);
    assert_true(world_load(w)); /* a reload */
    gives(w, "[[2.5,5]]");
    world_free(w);
    static const struct {
        const char *code, *part;
    } wrong[] = {{"(site \"depot\").base_load = -1", "must be amperes per phase"},
                 {"(site \"depot\").base_load = \"7\"", "must be amperes per phase, not a string"},
                 {"(site \"depot\").base_load = 1e300", "is no load"},
                 {"(site \"depot\").fuse = 1", "only base_load can be set"},
                 {"return (site \"depot\").fuze", "did you mean fuse"},
                 {"(site \"depot\").charging()", "call methods with a colon"}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        w = running(DEPOT, wrong[i].code);
        assert_int_equal(ask(w, "GET /run", NULL), 500);
        if (!strstr(strbuf_text(&w->log), wrong[i].part))
            fail_msg("%s: %s", wrong[i].code, strbuf_text(&w->log));
        world_free(w);
    }
}

static void test_vars(void **state)
{
    (void)state;
    struct world *w =
        running(DEPOT, "local v = (site \"depot\").vars v.n = (v.n or 0) + 1 "
                       "local out = {} for k, x in pairs(v) do out[#out + 1] = k .. x "
                       "end return { v.n, out[1], tostring(v) }");
    gives(w, "[[1,\"n1\",\"vars of depot\"]]");
    assert_true(world_load(w));
    gives(w, "[[2,\"n2\",\"vars of depot\"]]");
    EXPECT_ROWS(w->f, 2, "KV key=chargebridge/site/depot");
    world_free(w);
}

/* ---- on.rebalance ---- */

static void count(void *ctx, const struct verdict *verdict)
{
    int *kinds = ctx;
    kinds[verdict->kind]++;
}

/* The policies hear of it (the station of this world asks a double). */
static void tell(struct world *w, struct event event, enum verdict_kind kind)
{
    int kinds[3] = {0};
    event.connector = ABSENT;
    policy_event(w->policy, &event, count, kinds);
    assert_int_equal(kinds[kind], 1);
}

static void test_rebalance(void **state)
{
    (void)state;
    struct world *w = running(
        DEPOT "function on.rebalance(s) s.vars.seen = s.name .. s.fuse .. #s:charging() end\n",
        "(site \"depot\"):rebalance() return (site \"depot\").vars.seen or '-'");
    policy_hears(w->f, EVENT_REBALANCE);
    pass(w->f, 0);
    gives(w, "[\"-\"]");
    EXPECT_EVENTS(w->f, 1, "rebalance");
    pass(w->f, 0);
    EXPECT_EVENTS(w->f, 2, "rebalance");
    start(w, 1, 1);
    tell(w, (struct event){.kind = EVENT_REBALANCE, .site = "depot"}, VERDICT_NONE);
    gives(w, "[\"depot1001\"]");
    pass(w->f, 0);
    world_free(w);
}

static void test_a_failing_rebalance(void **state)
{
    (void)state;
    struct world *w = running(DEPOT "function on.rebalance(s) error 'x' end\n", "return 1");
    tell(w, (struct event){.kind = EVENT_REBALANCE, .site = "depot"}, VERDICT_FAILED);
    assert_non_null(strstr(strbuf_text(&w->log), "event=rebalance"));
    EXPECT_PART(w, "GET /run", NULL, 200, "1");
    world_free(w);
}

/* ---- limits ---- */

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *code, *json;
    } cases[] = {
        {"local ok = tx:limit { amps = 16 } return { ok, tx.limit_amps }", "[[true,16]]"},
        {"tx:limit { watts = 11040 } return tx.limit_amps", "[16]"},
        {"tx:limit { amps = 7.25 } return tx.limit_amps", "[7.25]"},
        {"tx:limit { amps = 7 } tx:limit() return tostring(tx.limit_amps)", "[\"nil\"]"},
        {"return { tostring(tx.limit_amps), tx.max_amps, tx.wants_power }", "[[\"nil\",100,true]]"},
        {"local cp = tx.cp local ok = cp:limit { amps = 20 } return { ok, cp.limit_amps }",
         "[[true,20]]"},
        {"tx.cp:limit { amps = 20 } tx.cp:limit(nil) return tostring(tx.cp.limit_amps)",
         "[\"nil\"]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *code = xprintf("local tx = transaction(1) %s", cases[i].code);
        struct world *w = running(DEPOT, code);
        start(w, 1, 1);
        gives(w, cases[i].json);
        world_free(w);
        xfree(code);
    }
}

static void test_limit_of_a_gone_one(void **state)
{
    (void)state;
    struct world *w = running(
        DEPOT "local old function on.start(tx) old = old or tx end\n",
        "local ok, err = old:limit { amps = 16 } return { tostring(ok), err and err.code or '-', "
        "tostring(old.limit_amps), old.wants_power }");
    start(w, 1, 1);
    tell(w, (struct event){.kind = EVENT_START, .cp = "CP1", .transaction_id = 1}, VERDICT_NONE);
    say(w->f, "CP1",
        "[2,\"e\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":9,\"timestamp\":"
        "\"" NOW_TEXT "\"}]");
    gives(w, "[[\"nil\",\"gone\",\"nil\",false]]");
    world_free(w);
    w = running(DEPOT, "local ok, err = chargepoint('CP1'):limit { amps = 16 } return ok");
    gives(w, "[true]");
    world_free(w);
}

static void test_wrong_limits(void **state)
{
    (void)state;
    static const struct {
        const char *code, *part;
    } wrong[] = {
        {"tx:limit(16)", "argument 1 (limit) must be a table"},
        {"tx:limit {}", "needs either amps or watts"},
        {"tx:limit { amps = 1, watts = 2 }", "needs either amps or watts"},
        {"tx:limit { amp = 1 }", "did you mean amps"},
        {"tx:limit { amps = -1 }", "amps must be a number from 0 on, not -1"},
        {"tx:limit { amps = 0/0 }", "amps must be a number from 0 on"},
        {"tx:limit { watts = 'x' }", "watts must be a number from 0 on, not a string"},
        {"tx:limit { amps = 1e10 }", "amps must be a number"},
        {"tx.limit_amps = 5", "a tx is read-only"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char *code = xprintf("local tx = transaction(1) %s", wrong[i].code);
        struct world *w = running(DEPOT, code);
        start(w, 1, 1);
        assert_int_equal(ask(w, "GET /run", NULL), 500);
        if (!strstr(strbuf_text(&w->log), wrong[i].part))
            fail_msg("%s: %s", wrong[i].code, strbuf_text(&w->log));
        world_free(w);
        xfree(code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_by_default),
        cmocka_unit_test(test_no_failsafe),
        cmocka_unit_test(test_wrong_definitions),
        cmocka_unit_test(test_two_files),
        cmocka_unit_test(test_not_later),
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_base_load),
        cmocka_unit_test(test_vars),
        cmocka_unit_test(test_rebalance),
        cmocka_unit_test(test_a_failing_rebalance),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limit_of_a_gone_one),
        cmocka_unit_test(test_wrong_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tx:window, tx:slices, tx:remind, and the fields that tell of time. */
#include "api_world.h"

enum { MINUTE = 60000 };

static void start(struct world *w)
{
    say(w->f, "CP1",
        "[2,\"s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":1000,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    assert_non_null(station_transaction(w->f->st, 1));
}

/* `minutes` after the start: 05:20:08Z on a Monday. */
static void meter(struct world *w, int minutes, int energy, int power)
{
    static int number;
    char at[TIMETEXT_SIZE];
    timetext_seconds(TEST_NOW + (wall_t)minutes * MINUTE, at);
    char *text = xprintf(
        "[2,\"m%d\",\"MeterValues\",{\"connectorId\":1,\"transactionId\":1,\"meterValue\":[{"
        "\"timestamp\":\"%s\",\"sampledValue\":[{\"value\":\"%d\"},{\"measurand\":"
        "\"Power.Active.Import\",\"unit\":\"W\",\"value\":\"%d\"},{\"measurand\":\"Voltage\","
        "\"unit\":\"V\",\"value\":\"230.5\"}]}]}]",
        ++number, at, energy, power);
    say(w->f, "CP1", text);
    xfree(text);
}

static struct world *running(const char *code)
{
    struct world *w = world_running(code);
    start(w);
    return w;
}

static void windows(void **state)
{
    (void)state;
    struct world *w = running(
        "local tx = transaction(1) return {tx:window('power', '10m') or json.null,"
        " tx:window('energy', 600), tx:window('voltage', '1m'), tx:window('soc', '1d') == nil,"
        " tx:window('current', '1d') == nil}");
    clock_advance(20 * MINUTE);
    meter(w, 5, 1100, 1000);
    meter(w, 15, 2100, 6001);
    meter(w, 20, 2600, 6000);
    EXPECT(w, "POST /run", NULL, 200,
           "[[{\"count\":2,\"delta\":2499.5,\"first\":3500.5,\"last\":6000,\"max\":6001,"
           "\"mean\":5375.625,\"min\":3500.5,\"seconds\":600},"
           "{\"count\":2,\"delta\":1000,\"first\":1600,\"last\":2600,\"seconds\":600},"
           "{\"count\":1,\"delta\":0,\"first\":230.5,\"last\":230.5,\"max\":230.5,\"mean\":230.5,"
           "\"min\":230.5,\"seconds\":60},true,true]]");
    world_free(w);
}

static void slices(void **state)
{
    (void)state;
    struct world *w = running("local list = {} for q in transaction(1):slices() do"
                              " list[#list + 1] = q end return list");
    meter(w, 10, 2500, 9000);
    clock_advance(10 * MINUTE);
    EXPECT(w, "POST /run", NULL, 200,
           "[[{\"date\":\"2025-07-14\",\"energy_wh\":1480,\"hour\":5,\"kw\":9,\"kwh\":1.48,"
           "\"minute\":20,\"seconds\":592,\"start\":1752470408,\"weekday\":1},"
           "{\"date\":\"2025-07-14\",\"energy_wh\":20,\"hour\":5,\"kw\":9,\"kwh\":0.02,"
           "\"minute\":30,\"seconds\":8,\"start\":1752471000,\"weekday\":1}]]");
    world_free(w);
}

static void slices_add_up(void **state)
{
    (void)state;
    struct world *w = running("local tx, sum, n, seconds = transaction(1), 0, 0, 0"
                              " for q in tx:slices '1h' do sum = sum + q.energy_wh n = n + 1"
                              " seconds = seconds + q.seconds end"
                              " return {sum, n, seconds, tx.energy_wh, tx.seconds}");
    meter(w, 7, 2501, 9000);
    meter(w, 77, 9999, 9000);
    clock_advance(100 * MINUTE);
    EXPECT(w, "POST /run", NULL, 200, "[[8999,3,6000,8999,6000]]");
    world_free(w);
}

static void of_nothing(void **state)
{
    (void)state;
    struct world *w = world_with("local kept\n"
                                 "route('POST /keep', function() kept = transaction(1)\n"
                                 "return 204 end)\n"
                                 "route('POST /run', function() local n = 0\n"
                                 "for q in kept:slices() do n = n + 1 end\n"
                                 "local ok, err = kept:remind('a', 5)\n"
                                 "return 200, {n, kept:window('power', '1h') == nil, ok == nil,"
                                 " err.code, kept.seconds == nil, kept.idle_minutes == nil,"
                                 " kept.ended == nil} end)");
    start(w);
    EXPECT(w, "POST /keep", NULL, 204, "");
    say(w->f, "CP1",
        "[2,\"e\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":7,\"timestamp\":"
        "\"" NOW_TEXT "\"}]");
    EXPECT(w, "POST /run", NULL, 200, "[0,true,true,\"gone\",true,true,true]");
    world_free(w);
}

static void wrong_use(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"window()", "tx:window: argument 1 (quantity) must be a string, not nil"},
        {"window('powr', 1)", "is not measured; did you mean"},
        {"window('humidity', 1)", "is not measured; power, soc, energy"},
        {"window('power')", "tx:window: argument 2 (span) must be a duration"},
        {"slices('7m')", "tx:slices: a day must be whole periods of a minute or more"},
        {"slices('30s')", "tx:slices: a day must be whole periods"},
        {"slices(0)", "tx:slices: a day must be whole periods"},
        {"slices('2d')", "tx:slices: a day must be whole periods"},
        {"remind()", "tx:remind: argument 1 (name) must be a string, not nil"},
        {"remind('a', 'x')", "is no duration"},
        {"remind('', 1)", "tx:remind: the name must have 1 to 100 bytes"},
        {"window(transaction(1)['rem' .. 'nd'])", "a tx has no field remnd; did you mean remind?"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *code = xprintf("transaction(1):%s", cases[i][0]);
        struct world *w = running(code);
        assert_int_equal(ask(w, "POST /run", NULL), 500);
        if (!strstr(strbuf_text(&w->log), cases[i][1]))
            fail_msg("%s\nis not in\n%s", cases[i][1], strbuf_text(&w->log));
        world_free(w);
        xfree(code);
    }
}

static void reminders(void **state)
{
    (void)state;
    struct world *w = running("local tx = transaction(1)"
                              " return {tx:remind('a', '10m'), tx:remind('b', 60),"
                              " tx:remind('b'), tx:remind('c')}");
    EXPECT(w, "POST /run", NULL, 200, "[[true,true,true,true]]");
    EXPECT_ROWS(w->f, 1, "KV key=chargebridge/remind/1/a value={\"dueMs\":1752471008000}");
    EXPECT_ROWS(w->f, 1, "KV_DELETE key=chargebridge/remind/1/b");
    world_free(w);
}

static void on_told(void *ctx, const struct verdict *verdict)
{
    *(struct verdict *)ctx = *verdict;
}

static void the_event(void **state)
{
    (void)state;
    struct world *w =
        world_with("function on.reminder(tx, name) tx.vars.told = name .. tx.connector end");
    start(w);
    const struct event event = {.kind = EVENT_REMINDER,
                                .cp = "CP1",
                                .connector = 1,
                                .transaction_id = 1,
                                .purpose = "soon"};
    struct verdict verdict = {0};
    assert_true(policy_listens(w->policy, EVENT_REMINDER, NULL));
    policy_event(w->policy, &event, on_told, &verdict);
    assert_int_equal(verdict.kind, VERDICT_NONE);
    assert_false(verdict.again);
    EXPECT_ROWS(w->f, 1, "TX_VARS id=1 vars={\"told\":\"soon1\"}");
    world_free(w);
}

/* Told again: one that waits and is cut off with its generation. Not: one that fails. */
static void again(void **state)
{
    (void)state;
    struct world *w = world_with("function on.reminder(tx, name)\n"
                                 "if name == 'bad' then error 'no' end\n"
                                 "tx.cp:call('ClearCache', {}) end");
    start(w);
    struct event event = {
        .kind = EVENT_REMINDER, .cp = "CP1", .connector = 1, .transaction_id = 1, .purpose = "bad"};
    struct verdict verdict = {0};
    policy_event(w->policy, &event, on_told, &verdict);
    assert_int_equal(verdict.kind, VERDICT_FAILED);
    assert_false(verdict.again);
    verdict.kind = VERDICT_GIVEN;
    event.purpose = "good";
    policy_event(w->policy, &event, on_told, &verdict);
    assert_int_equal(verdict.kind, VERDICT_GIVEN); /* it waits */
    world_free(w);
    assert_int_equal(verdict.kind, VERDICT_FAILED);
    assert_true(verdict.again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows),    cmocka_unit_test(slices),    cmocka_unit_test(slices_add_up),
        cmocka_unit_test(of_nothing), cmocka_unit_test(wrong_use), cmocka_unit_test(reminders),
        cmocka_unit_test(the_event),  cmocka_unit_test(again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

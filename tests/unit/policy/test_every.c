/* Timers of policies: periods, no overlap, limits, and what stops them. */
#include "api_world.h"

static const char counting[] = "local n = 0\n"
                               "every('10s', function() n = n + 1 end)\n"
                               "route('GET /n', function() return 200, { n } end)";

static void test_runs_after_its_period(void **state)
{
    (void)state;
    struct world *w = world_with(counting);
    EXPECT(w, "GET /n", NULL, 200, "[0]");
    pass(w->f, 9999);
    EXPECT(w, "GET /n", NULL, 200, "[0]");
    pass(w->f, 1);
    EXPECT(w, "GET /n", NULL, 200, "[1]");
    for (int i = 0; i < 5; i++)
        pass(w->f, 10000);
    EXPECT(w, "GET /n", NULL, 200, "[6]");
    world_free(w);
}

static void test_reload_begins_a_new_period(void **state)
{
    (void)state;
    struct world *w = world_with(counting);
    pass(w->f, 9000);
    assert_true(world_load(w));
    pass(w->f, 9000); /* the old one would have run */
    EXPECT(w, "GET /n", NULL, 200, "[0]");
    pass(w->f, 1000);
    EXPECT(w, "GET /n", NULL, 200, "[1]");
    world_free(w);
}

static void test_refused_load_changes_nothing(void **state)
{
    (void)state;
    struct world *w = world_with(counting);
    pass(w->f, 9000);
    world_file(w, "20-bad.lua", "every('1s', function() end) error('no')");
    assert_false(world_load(w));
    pass(w->f, 1000);
    EXPECT(w, "GET /n", NULL, 200, "[1]");
    world_free(w);
}

static void test_never_overlaps(void **state)
{
    (void)state;
    struct world *w =
        world_with("local n = 0\n"
                   "every('10s', function() n = n + 1 chargepoint('CP1'):call('ClearCache',"
                   " {}, { timeout = '25s' }) end)\n"
                   "route('GET /n', function() return 200, { n } end)");
    pass(w->f, 10000);
    EXPECT(w, "GET /n", NULL, 200, "[1]");
    pass(w->f, 5000);
    EXPECT(w, "GET /n", NULL, 200, "[1]");
    EXPECT_PART(
        w, "GET /api/v1/policies", NULL, 200,
        "\"timers\":[{\"errors\":0,\"name\":\"every 10-t.lua:2\",\"periodMs\":10000,\"runs\":1,"
        "\"skipped\":0}]");
    pass(w->f, 5000); /* due again: its own deadline ends the first run in the same moment */
    assert_int_equal(w->f->sent.count,
                     1); /* one CALL at a time; the cut-off one was not sent again */
    world_free(w);
}

static void test_an_error_is_counted_and_the_timer_goes_on(void **state)
{
    (void)state;
    struct world *w = world_with("local n = 0\nevery('1s', function() n = n + 1 error('bad') end)\n"
                                 "route('GET /n', function() return 200, { n } end)");
    pass(w->f, 1000);
    pass(w->f, 1000);
    EXPECT(w, "GET /n", NULL, 200, "[2]");
    EXPECT_PART(w, "GET /api/v1/policies", NULL, 200, "\"errors\":2,\"name\":\"every 10-t.lua:2\"");
    EXPECT_PART(w, "GET /api/v1/policies/errors", NULL, 200, "\"event\":\"every 10-t.lua:2\"");
    world_free(w);
}

static void refused(const char *text, const char *part)
{
    struct world *w = world_new();
    world_file(w, "10-t.lua", text);
    assert_false(world_load(w));
    expect_finding(w, "10-t.lua", 1, part);
    world_free(w);
}

static void test_errors(void **state)
{
    (void)state;
    refused("every('sometimes', function() end)", "every: period: \"sometimes\" is no duration");
    refused("every('1m')", "every: argument 2 (function) must be a function, not nil");
    refused("every(nil, function() end)", "every: argument 1 (period) must be a duration");
    refused("every(0.01, function() end)", "the period must be at least 100 ms");
    refused("for i = 1, 65 do every('1m', function() end) end", "every: more than 64 timers");
    lua_fails("every('1m', function() end)", "every can only be used while a policy file loads");
}

static void test_generation(void **state)
{
    (void)state;
    struct world *w = world_with("route('GET /g', function() return 200, { generation } end)");
    EXPECT(w, "GET /g", NULL, 200, "[1]");
    assert_true(world_load(w));
    EXPECT(w, "GET /g", NULL, 200, "[2]");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_after_its_period),
        cmocka_unit_test(test_reload_begins_a_new_period),
        cmocka_unit_test(test_refused_load_changes_nothing),
        cmocka_unit_test(test_never_overlaps),
        cmocka_unit_test(test_an_error_is_counted_and_the_timer_goes_on),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

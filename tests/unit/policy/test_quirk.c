/* quirk {…} in policy files: what may be declared, and from when it holds. */
#include "api_world.h"

static void test_wrong_packs(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"quirk()", "quirk: argument 1 (what) must be a table"},
        {"quirk {}", "quirk: name is needed"},
        {"quirk { name = 5 }", "quirk: name must be a text of 1 to 64 bytes"},
        {"quirk { name = 'q', strict = true }", "quirk \"q\": for which chargers?"},
        {"quirk { name = 'q', vendor = '' }",
         "quirk \"q\": vendor must be a text of 1 to 100 bytes"},
        {"quirk { name = 'q', vendor = 'V' }", "quirk \"q\" switches nothing"},
        {"quirk { name = 'q', vendor = 'V', replyDelay = 5 }",
         "quirk \"q\": replyDelay: unknown option; did you mean \"replyDelayMs\"?"},
        {"quirk { name = 'q', vendor = 'V', replyDelayMs = '5' }", "expected an integer from 0"},
        {"quirk { name = 'q', vendor = 'V', 5 }", "write { vendor = …"},
        {"quirk { name = 'q', vendor = 'V', dc = true } quirk { name = 'q', model = 'M', dc = true "
         "}",
         "quirk \"q\" is declared twice"},
        {"for i = 1, 201 do quirk { name = 'q' .. i, vendor = 'V', dc = true } end",
         "quirk \"q201\": more than 200"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *w = world_new();
        world_file(w, "10-t.lua", rows[i][0]);
        assert_false(world_load(w));
        expect_finding(w, "10-t.lua", 1, rows[i][1]);
        world_free(w);
    }
    lua_fails("quirk { name = 'q', vendor = 'V', dc = true }",
              "quirk can only be used while a policy file loads");
}

/* They are a generation's own: the next load has its own or none. */
static void test_loads(void **state)
{
    (void)state;
    struct world *w = world_with("quirk { name = 'q', vendor = 'v', model = '*', dc = true,"
                                 " tagCutAt = '_' }");
    const struct charge_point *cp = station_find(w->f->st, "CP1");
    assert_true(cp->options.dc);
    assert_string_equal(cp->options.tag_cut_at, "_");
    EXPECT_PART(w, "GET /api/v1/chargepoints/CP1", NULL, 200, "\"quirks\":[\"q\"]");
    world_file(w, "10-t.lua", "quirk { name = 'q', vendor = 'v', nonsense = true }");
    assert_false(world_load(w));
    assert_true(cp->options.dc); /* a refused load changes nothing */
    world_file(w, "10-t.lua", "every('1h', function() end)");
    assert_true(world_load(w));
    assert_false(cp->options.dc);
    EXPECT_PART(w, "GET /api/v1/chargepoints/CP1", NULL, 200, "\"quirks\":[]");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_packs),
        cmocka_unit_test(test_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Sites: who belongs to them, when they share anew, and what of them outlives a definition. */
#include "limit_rig.h"

static void define(struct rig *r, struct site_definition site)
{
    site.fuse_a = site.fuse_a > 0 ? site.fuse_a : 100;
    site.phases = 3;
    site.volts = 230;
    site.no_failsafe = true;
    station_sites_define(r->f->st, &site, 1);
}

static void who_belongs_to_it(void **state)
{
    (void)state;
    struct rig *r = rig_new(3);
    const char *const two[] = {"cp2"};
    const struct site_definition sites[] = {
        {.name = "rest", .all = true, .fuse_a = 50, .phases = 3, .volts = 230},
        {.name = "two",
         .chargers = two,
         .charger_count = 1,
         .fuse_a = 16,
         .phases = 1,
         .volts = 240}};
    station_sites_define(r->f->st, sites, 2);
    struct site *rest = station_site(r->f->st, "rest"), *second = station_site(r->f->st, "two");
    assert_ptr_equal(station_site_of(r->f->st, "CP1"), rest);
    assert_ptr_equal(station_site_of(r->f->st, "CP2"), second);
    assert_true(site_has(r->f->st, rest, "CP3"));
    assert_false(site_has(r->f->st, rest, "CP2"));
    assert_null(station_site(r->f->st, "Rest"));
    struct grid grid = station_grid(r->f->st, "CP2");
    assert_true(grid.volts == 240 && grid.phases == 1);
    station_sites_define(r->f->st, NULL, 0);
    assert_null(station_site_of(r->f->st, "CP1"));
    rig_turn(r);
    rig_free(r);
}

static void when_it_shares_anew(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    policy_hears(r->f, EVENT_REBALANCE);
    define(r, (struct site_definition){.name = "one", .chargers = rig_names, .charger_count = 1});
    rig_turn(r);
    EXPECT_EVENTS(r->f, 1, "rebalance");
    rig_turn(r);
    EXPECT_EVENTS(r->f, 1, "rebalance");
    rig_start(r, 2); /* of another place */
    EXPECT_EVENTS(r->f, 1, "rebalance");
    int64_t id = rig_start(r, 1);
    EXPECT_EVENTS(r->f, 2, "rebalance");
    rig_status(r, 1, "Charging");
    EXPECT_EVENTS(r->f, 3, "rebalance");
    rig_status(r, 1, "Charging"); /* a repeat */
    EXPECT_EVENTS(r->f, 3, "rebalance");
    rig_stop(r, 1, id);
    EXPECT_EVENTS(r->f, 4, "rebalance");
    assert_true(station_site_base_load(r->f->st, "one", 10));
    assert_true(station_site_base_load(r->f->st, "one", 10));
    rig_turn(r);
    EXPECT_EVENTS(r->f, 5, "rebalance");
    assert_false(station_site_base_load(r->f->st, "one", -1));
    assert_false(station_site_base_load(r->f->st, "one", 1e9));
    down(r->f, "CP1", 1);
    rig_turn(r);
    up(r->f, "CP1", 101);
    rig_turn(r);
    EXPECT_EVENTS(r->f, 7, "rebalance");
    station_site_rebalance(r->f->st, "one");
    station_site_rebalance(r->f->st, "none");
    rig_turn(r);
    EXPECT_EVENTS(r->f, 8, "rebalance");
    rig_later(r, 59999);
    EXPECT_EVENTS(r->f, 8, "rebalance");
    rig_later(r, 1);
    EXPECT_EVENTS(r->f, 9, "rebalance");
    rig_free(r);
}

static void never_two_at_once(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    policy_hears(r->f, EVENT_REBALANCE);
    r->f->scripts[EVENT_REBALANCE].later = true;
    define(r, (struct site_definition){.name = "one", .all = true});
    rig_turn(r);
    EXPECT_EVENTS(r->f, 1, "rebalance");
    rig_start(r, 1);
    rig_status(r, 1, "Charging");
    EXPECT_EVENTS(r->f, 1, "rebalance");
    define(r, (struct site_definition){.name = "one", .all = true}); /* a reload meanwhile */
    rig_turn(r);
    EXPECT_EVENTS(r->f, 1, "rebalance");
    const struct script script = {.kind = VERDICT_NONE};
    policy_answer(r->f, &script);
    rig_turn(r);
    EXPECT_EVENTS(r->f, 2, "rebalance");
    station_sites_define(r->f->st, NULL, 0); /* it is gone when they are done */
    policy_answer(r->f, &script);
    rig_later(r, 60000);
    EXPECT_EVENTS(r->f, 2, "rebalance");
    rig_free(r);
}

/* Nobody listens: it is looked at again, in case a reload changes that. */
static void nobody_listens(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    define(r, (struct site_definition){.name = "one", .all = true});
    rig_turn(r);
    EXPECT_EVENTS(r->f, 0, "rebalance");
    policy_hears(r->f, EVENT_REBALANCE);
    rig_later(r, 60000);
    EXPECT_EVENTS(r->f, 1, "rebalance");
    rig_free(r);
}

static void what_outlives_a_definition(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    define(r, (struct site_definition){.name = "one", .all = true, .base_load_a = 5});
    struct site *site = station_site(r->f->st, "one");
    assert_true(site->base_load_a == 5);
    station_site_base_load(r->f->st, "one", 12.5);
    vars_set(&site->vars, "x", "[1]", NULL);
    site_vars_changed(r->f->st, "one");
    site_vars_changed(r->f->st, "none");
    EXPECT_ROWS(r->f, 2, "KV key=chargebridge/site/one");
    define(r, (struct site_definition){.name = "one", .all = true, .base_load_a = 5});
    site = station_site(r->f->st, "one");
    assert_true(site->base_load_a == 12.5);
    assert_string_equal(vars_get(&site->vars, "x"), "[1]");
    define(r, (struct site_definition){.name = "one", .all = true, .base_load_a = 7});
    assert_true(station_site(r->f->st, "one")->base_load_a == 7); /* the file says another one */
    rig_turn(r);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_belongs_to_it),          cmocka_unit_test(when_it_shares_anew),
        cmocka_unit_test(never_two_at_once),          cmocka_unit_test(nobody_listens),
        cmocka_unit_test(what_outlives_a_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

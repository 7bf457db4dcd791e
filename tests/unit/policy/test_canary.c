/* A candidate that is live for some charge points: for whom, how it ends, and that it ends by
 * itself when it fails. */
#include "engine_rig.h"

#include "policy/canary.h"

static struct arena arena;
static unsigned ended;

static int set_up(void **state)
{
    static struct rig rig;
    rig_open(&rig);
    ended = 0;
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_shut(*state);
    arena_clear(&arena);
    return 0;
}

/* ---- helpers ---- */

static const char says_new[] = "function on.authorize(tag, cp)\n"
                               "  if tag == 'FAIL' then error 'failed' end\n"
                               "  if tag == 'WAIT' then cp:call('ClearCache') end\n"
                               "  return 'Accepted', {why = 'new'}\n"
                               "end";

static void live(struct rig *rig)
{
    rig_file(rig, "10-a.lua",
             "function on.authorize(tag, cp)\n"
             "  if tag == 'FAIL' then error 'failed' end\n"
             "  return 'Accepted', {why = 'old'} end");
    rig_load_ok(rig);
    rig_connect(rig);
}

struct order {
    struct rig *rig;
    struct canary_order *canary;
};

static void take_canary(void *ctx, struct generation *built, const struct policy_report *report)
{
    struct order *order = ctx;
    order->rig->report = *report;
    if (built)
        canary_start(order->rig->policy, built, order->canary);
    else
        canary_order_free(order->canary);
}

static void canary(struct rig *rig, const char *code, const char *cp, int64_t percent)
{
    static char chosen;
    static struct order order;
    order = (struct order){rig, canary_order_new()};
    order.canary->dir = xstrdup("candidate");
    order.canary->percent = percent;
    if (cp)
        map_put(&order.canary->chargepoints, span_of(cp), &chosen);
    rig_file(rig, "10-a.lua", code);
    const struct candidate_order build = {.dir = rig->dir, .take = take_canary, .ctx = &order};
    jobs_candidate(rig->policy, &build);
    rig_settle(rig);
}

static const char *who(struct rig *rig, const char *cp)
{
    const struct event event = {
        .kind = EVENT_AUTHORIZE, .cp = cp, .connector = 1, .id_tag = "A", .purpose = "authorize"};
    return rig_event(rig, event)->why;
}

static struct json *state_of(struct rig *rig)
{
    return canary_json(rig->policy, &arena);
}

static bool runs(struct rig *rig)
{
    return json_bool(json_get(state_of(rig), "running"), false);
}

static const char *last(struct rig *rig)
{
    return json_gets(json_get(state_of(rig), "last"), "outcome");
}

static void fail_times(struct rig *rig, int times)
{
    for (int i = 0; i < times; i++)
        assert_int_equal(rig_authorize(rig, "FAIL")->kind, VERDICT_FAILED);
}

static void note_end(void *ctx)
{
    (void)ctx;
    ended++;
}

/* ---- for whom ---- */

static void the_named_ones_have_it(void **state)
{
    struct rig *rig = *state;
    live(rig);
    canary(rig, says_new, "cp1", 0);
    assert_string_equal(who(rig, "CP1"), "new");
    assert_string_equal(who(rig, "CP2"), "old");
    assert_int_equal(rig_authorize(rig, "A")->generation, 2);
}

static void a_percentage_is_stable_and_grows(void **state)
{
    struct rig *rig = *state;
    bool had[300] = {false};
    int counts[3] = {0};
    live(rig);
    for (int round = 0; round < 3; round++) {
        static const int64_t percents[] = {20, 50, 100};
        canary(rig, says_new, NULL, percents[round]);
        for (size_t i = 0; i < ARRAY_LEN(had); i++) {
            char cp[32];
            snprintf(cp, sizeof(cp), i % 2 ? "station-%zu" : "CP%03zu", i);
            bool has = strcmp(who(rig, cp), "new") == 0;
            assert_true(has || !had[i]); /* who has it at 20 % has it at 50 % */
            had[i] = has;
            counts[round] += has;
        }
    }
    assert_in_range(counts[0], 35, 85);
    assert_in_range(counts[1], 115, 185);
    assert_int_equal(counts[2], ARRAY_LEN(had));
}

static void an_action_that_only_it_handles_is_asked(void **state)
{
    struct rig *rig = *state;
    live(rig);
    assert_false(policy_listens(rig->policy, EVENT_ACTION, "Vendor"));
    canary(rig, "function on.Vendor() return {ok = true} end", "CP1", 0);
    assert_true(policy_listens(rig->policy, EVENT_ACTION, "Vendor"));
    const struct event event = {.kind = EVENT_ACTION, .connector = ABSENT, .action = "Vendor"};
    assert_int_equal(rig_event(rig, event)->kind, VERDICT_GIVEN);
}

/* ---- its end ---- */

static void it_is_rolled_back_when_it_fails(void **state)
{
    struct rig *rig = *state;
    live(rig);
    canary(rig, says_new, "CP1", 0);
    fail_times(rig, 4);
    rig_turn(rig);
    assert_true(runs(rig));
    fail_times(rig, 1);
    assert_true(runs(rig)); /* not inside of the handler */
    rig_turn(rig);
    assert_false(runs(rig));
    assert_string_equal(last(rig), "rolled back");
    assert_true(rig_logged(rig, "level=error msg=\"canary fails: rolled back"));
    assert_string_equal(who(rig, "CP1"), "old");
}

/* Few failures among many runs are no reason, and failures of the current ones are not its own. */
static void a_few_failures_are_not_enough(void **state)
{
    struct rig *rig = *state;
    live(rig);
    canary(rig, says_new, "CP1", 0);
    for (int i = 0; i < 200; i++)
        who(rig, "CP1");
    fail_times(rig, 10); /* of 210: less than 5 percent */
    rig_turn(rig);
    assert_true(runs(rig));
    const struct event event = {.kind = EVENT_AUTHORIZE, .cp = "CP2", .id_tag = "FAIL"};
    for (int i = 0; i < 50; i++)
        assert_int_equal(rig_event(rig, event)->kind, VERDICT_FAILED);
    rig_turn(rig);
    assert_true(runs(rig));
    fail_times(rig, 1);
    rig_turn(rig);
    assert_false(runs(rig));
}

static void promoted_it_is_the_current_one(void **state)
{
    struct rig *rig = *state;
    live(rig);
    canary(rig, says_new, "CP1", 0);
    fail_times(rig, 3);
    assert_true(canary_end(rig->policy, CANARY_PROMOTE, note_end, NULL));
    assert_false(canary_end(rig->policy, CANARY_STOP, note_end, NULL));
    rig_turn(rig);
    assert_int_equal(ended, 1);
    assert_false(runs(rig));
    assert_string_equal(last(rig), "promoted");
    assert_string_equal(who(rig, "CP2"), "new");
    assert_true(rig->policy->files_differ);
    assert_true(rig->policy->on_probation);
    policy_rollback(rig->policy, rig_on_report, rig);
    rig_settle(rig);
    assert_string_equal(who(rig, "CP2"), "old");
    assert_false(canary_end(rig->policy, CANARY_PROMOTE, note_end, NULL));
}

static void a_reload_leaves_it(void **state)
{
    struct rig *rig = *state;
    live(rig);
    canary(rig, says_new, "CP1", 0);
    rig_file(rig, "10-a.lua", "function on.authorize() return 'Accepted', {why = 'third'} end");
    assert_true(rig_reload(rig));
    assert_string_equal(who(rig, "CP1"), "new");
    assert_string_equal(who(rig, "CP2"), "third");
}

/* What waits goes on to its end; the next event has the current policies. */
static void stopped_it_drains(void **state)
{
    struct rig *rig = *state;
    live(rig);
    canary(rig, says_new, "CP1", 0);
    rig_authorize(rig, "WAIT");
    assert_true(canary_end(rig->policy, CANARY_STOP, note_end, NULL));
    rig_turn(rig);
    assert_string_equal(last(rig), "stopped");
    assert_int_equal(rig->answer.times, 0);
    rig_answer_call(rig);
    assert_string_equal(rig->answer.why, "new");
    assert_string_equal(who(rig, "CP1"), "old");
}

static void another_takes_its_place(void **state)
{
    struct rig *rig = *state;
    live(rig);
    canary(rig, says_new, "CP1", 0);
    canary(rig, "function on.authorize() return 'Accepted', {why = 'newer'} end", "CP2", 0);
    assert_string_equal(who(rig, "CP1"), "old");
    assert_string_equal(who(rig, "CP2"), "newer");
    assert_string_equal(last(rig), "stopped");
    canary(rig, "function on.authorise() end", "CP1", 0); /* has problems: what runs stays */
    assert_false(rig->report.ok);
    assert_string_equal(who(rig, "CP2"), "newer");
}

/* The server stops while it runs, waits and is about to end. */
static void it_ends_with_the_server(void **state)
{
    struct rig *rig = *state;
    live(rig);
    canary(rig, says_new, "CP1", 0);
    rig_authorize(rig, "WAIT");
    assert_true(canary_end(rig->policy, CANARY_PROMOTE, note_end, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_named_ones_have_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_percentage_is_stable_and_grows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_action_that_only_it_handles_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_rolled_back_when_it_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_few_failures_are_not_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(promoted_it_is_the_current_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reload_leaves_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopped_it_drains, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_takes_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_ends_with_the_server, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

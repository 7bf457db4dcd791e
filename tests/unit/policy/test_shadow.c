/* A candidate that runs beside the live policies: compared exactly, on a fork of vars and store,
 * without effect, and gone without a trace whenever it is ended. */
#include "engine_rig.h"

#include "policy/shadow.h"

static struct arena arena;

static int set_up(void **state)
{
    static struct rig rig;
    rig_open(&rig);
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

static const char counting[] =
    "function on.authorize(tag, cp)\n"
    "  store.set('n', (store.get('n') or 0) + 1)\n"
    "  cp.vars[tag] = true\n"
    "  if tag == 'WAIT' then cp:call('ClearCache') end\n"
    "  return 'Accepted', {why = 'live'}\n"
    "end\n"
    "function on.status(cp, connector, status) cp.vars.status = status end\n";

static void live(struct rig *rig, const char *code)
{
    rig_file(rig, "10-a.lua", code);
    rig_load_ok(rig);
    rig_connect(rig);
}

static void take_shadow(void *ctx, struct generation *built, const struct policy_report *report)
{
    struct rig *rig = ctx;
    rig->report = *report;
    if (built)
        shadow_start(rig->policy, built, "candidate");
}

static void candidate(struct rig *rig, const char *code)
{
    rig_file(rig, "lib/kept.lua", "return 1");
    rig_file(rig, "10-a.lua", code);
    const struct candidate_order order = {
        .dir = rig->dir, .dry = true, .take = take_shadow, .ctx = rig};
    jobs_candidate(rig->policy, &order);
    rig_settle(rig);
}

static int64_t figure(struct rig *rig, const char *name)
{
    int64_t value = -1;
    json_int(json_get(shadow_json(rig->policy, &arena), name), &value);
    return value;
}

static const struct json *difference(struct rig *rig, size_t index)
{
    const struct json *item = json_get(shadow_json(rig->policy, &arena), "differences")->child;
    while (item && index-- > 0)
        item = item->next;
    return item;
}

static int64_t stored(struct rig *rig)
{
    const char *json = station_kv_get(rig->station, "n");
    return json ? strtoll(json, NULL, 10) : -1;
}

/* ---- the same, and not the same ---- */

/* Both count from the same value on, and only the live ones' count is stored. */
static void the_same_policies_never_differ(void **state)
{
    struct rig *rig = *state;
    live(rig, counting);
    rig_authorize(rig, "A");
    candidate(rig, counting);
    for (int i = 0; i < 5; i++)
        assert_string_equal(rig_authorize(rig, "A")->word, "Accepted");
    assert_int_equal(figure(rig, "compared"), 5);
    assert_int_equal(figure(rig, "differing"), 0);
    assert_int_equal(stored(rig), 6);
}

static void a_reason_is_no_difference_and_an_answer_is(void **state)
{
    struct rig *rig = *state;
    live(rig, "function on.authorize(tag) return 'Accepted', {why = 'a'} end");
    candidate(rig, "function on.authorize(tag)\n"
                   "  if tag == 'B' then return 'Blocked', {why = 'b'} end\n"
                   "  if tag == 'C' then return 'Accepted', {parentIdTag = 'G'} end\n"
                   "  if tag == 'D' then error 'no' end\n"
                   "  if tag == 'E' then return end\n"
                   "  return 'Accepted', {why = 'another'} end");
    rig_authorize(rig, "A");
    assert_int_equal(figure(rig, "differing"), 0);
    for (const char *tag = "BCDE"; *tag; tag++)
        assert_string_equal(rig_authorize(rig, (char[]){*tag, '\0'})->word, "Accepted");
    assert_int_equal(figure(rig, "differing"), 4);
    assert_int_equal(figure(rig, "failed"), 1);
    const struct json *newest = difference(rig, 0);
    assert_string_equal(json_gets(json_get(newest, "candidate"), "outcome"), "none");
    assert_string_equal(json_gets(difference(rig, 3), "idTag"), "B");
    assert_string_equal(json_gets(json_get(difference(rig, 3), "candidate"), "answer"), "Blocked");
    assert_int_equal(rig->policy->errors.total, 0); /* its errors are its own */
}

static void effects_are_compared_in_order(void **state)
{
    struct rig *rig = *state;
    live(rig, "function on.authorize(tag, cp) cp.vars.a = 1 cp.vars.b = 2 return 'Accepted' end");
    candidate(rig, "function on.authorize(tag, cp)\n"
                   "  if tag == 'TURNED' then cp.vars.b = 2 cp.vars.a = 1 return 'Accepted' end\n"
                   "  cp.vars.a = 1 cp.vars.b = 2 log.info('not compared') return 'Accepted' end");
    rig_authorize(rig, "SAME");
    assert_int_equal(figure(rig, "differing"), 0);
    rig_authorize(rig, "TURNED");
    assert_int_equal(figure(rig, "differing"), 1);
    assert_string_equal(json_gets(difference(rig, 0), "differs"), "effects");
    assert_false(rig_logged(rig, "not compared"));
}

/* A CALL of the candidate is not sent; it goes on as if the charger had accepted. */
static void a_candidate_sends_nothing(void **state)
{
    struct rig *rig = *state;
    live(rig, "function on.authorize() return 'Accepted' end");
    candidate(rig, "function on.authorize(tag, cp)\n"
                   "  local ok = cp:unlock(1)\n"
                   "  local got = cp:call('ChangeAvailability', {connectorId = 0, type = "
                   "'Operative'})\n"
                   "  return ok and got.status == 'Accepted' and 'Blocked' or 'Invalid' end");
    assert_string_equal(rig_authorize(rig, "A")->word, "Accepted");
    assert_int_equal(rig->calls, 0);
    assert_string_equal(json_gets(json_get(difference(rig, 0), "candidate"), "answer"), "Blocked");
}

/* Events that only the candidate handles are asked for; the live answer is "nobody". */
static void a_candidate_may_listen_alone(void **state)
{
    struct rig *rig = *state;
    live(rig, "function on.authorize() return 'Accepted' end");
    assert_false(policy_listens(rig->policy, EVENT_STATUS, NULL));
    candidate(rig, counting);
    assert_true(policy_listens(rig->policy, EVENT_STATUS, NULL));
    const struct event event = {.kind = EVENT_STATUS, .connector = 1, .status = "Faulted"};
    assert_int_equal(rig_event(rig, event)->kind, VERDICT_NONE);
    assert_int_equal(figure(rig, "differing"), 1);
    assert_true(shadow_stop(rig->policy));
    assert_false(policy_listens(rig->policy, EVENT_STATUS, NULL));
    assert_false(shadow_stop(rig->policy));
}

/* What is written outside of events is seen by the candidate; what events write is its own. */
static void only_events_are_forked(void **state)
{
    struct rig *rig = *state;
    struct reason why;
    live(rig, counting);
    candidate(rig, counting);
    rig_authorize(rig, "A");                                       /* both: 1 */
    assert_true(station_kv_set(rig->station, "n", "10", 0, &why)); /* behind its back: unseen */
    rig_authorize(rig, "A");
    assert_int_equal(figure(rig, "differing"), 1); /* 11 and 2: this is what a fork means */
    shadow_saw_write(rig->policy->current,
                     &(struct dry_value){"store.set", "store", "", "n", "20", "11"}, false);
    assert_true(station_kv_set(rig->station, "n", "20", 0, &why)); /* as a route does */
    rig_authorize(rig, "A");
    assert_int_equal(figure(rig, "differing"), 1);
}

/* ---- ends ---- */

static void it_may_end_while_the_live_ones_wait(void **state)
{
    struct rig *rig = *state;
    live(rig, counting);
    candidate(rig, counting);
    rig_authorize(rig, "WAIT");
    assert_int_equal(rig->answer.times, 0);
    assert_true(shadow_stop(rig->policy));
    rig_answer_call(rig);
    assert_int_equal(rig->answer.times, 1);
    assert_string_equal(rig->answer.word, "Accepted");
}

/* The event is gone long before the answer. */
static void a_live_handler_that_waits_is_compared_at_its_end(void **state)
{
    struct rig *rig = *state;
    live(rig, counting);
    candidate(rig, counting);
    rig_authorize(rig, "WAIT");
    assert_int_equal(figure(rig, "compared"), 0);
    rig_answer_call(rig);
    assert_int_equal(rig->answer.times, 1);
    assert_int_equal(figure(rig, "compared"), 1);
    assert_int_equal(figure(rig, "differing"), 0);
}

static void another_takes_its_place(void **state)
{
    struct rig *rig = *state;
    live(rig, counting);
    candidate(rig, counting);
    rig_authorize(rig, "WAIT");
    candidate(rig, "function on.authorize() return 'Blocked' end");
    rig_answer_call(rig); /* began under the one before: belongs to none */
    assert_int_equal(figure(rig, "compared"), 0);
    rig_authorize(rig, "A");
    assert_int_equal(figure(rig, "differing"), 1);
}

static void a_folder_with_problems_does_not_watch(void **state)
{
    struct rig *rig = *state;
    live(rig, counting);
    candidate(rig, "function on.authorise() end");
    assert_false(rig->report.ok);
    assert_int_equal(figure(rig, "compared"), -1);
    assert_int_equal(rig->policy->refusals, 0); /* nothing was refused to go live */
    rig_authorize(rig, "A");
    assert_string_equal(rig->answer.word, "Accepted");
}

/* The server stops while a candidate is built, watches, and has events under way. */
static void it_ends_with_the_server(void **state)
{
    struct rig *rig = *state;
    live(rig, counting);
    candidate(rig, counting);
    rig_authorize(rig, "WAIT");
    const struct candidate_order order = {
        .dir = rig->dir, .dry = true, .take = take_shadow, .ctx = rig};
    jobs_candidate(rig->policy, &order);
}

/* ---- too much ---- */

static void differences_are_bounded(void **state)
{
    struct rig *rig = *state;
    live(rig, "function on.authorize() return 'Accepted' end");
    candidate(rig, "function on.authorize() return 'Blocked' end");
    for (int i = 0; i < 400; i++) {
        rig_authorize(rig, "A");
        clock_advance(100);
    }
    const struct json *all = shadow_json(rig->policy, &arena);
    int64_t differing = 0, skipped = 0;
    json_int(json_get(all, "differing"), &differing);
    json_int(json_get(all, "skipped"), &skipped);
    assert_int_equal(differing + skipped, 400); /* a slow machine may skip some */
    assert_true(json_get(all, "differences")->count <= 200);
    assert_int_equal(json_get(all, "counts")->count, 1);
}

/* Every run is cut off at its own, smaller budget; after a while it is not run any more. */
static void one_that_loops_is_stopped(void **state)
{
    struct rig *rig = *state;
    live(rig, "function on.authorize() return 'Accepted' end");
    candidate(rig, "function on.authorize() while true do pcall(function() while true do end end) "
                   "end end");
    int64_t begun_us = stopwatch_us(); /* the share is one of real time */
    while (!rig_logged(rig, "shadow stopped") && stopwatch_us() - begun_us < 60000000)
        assert_string_equal(rig_authorize(rig, "A")->word, "Accepted");
    assert_true(rig_logged(rig, "shadow stopped"));
    assert_string_equal(json_gets(shadow_json(rig->policy, &arena), "state"), "stopped");
    assert_true(figure(rig, "skipped") > 0);
    assert_false(policy_listens(rig->policy, EVENT_STATUS, NULL));
    assert_int_equal(rig->policy->errors.total, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_policies_never_differ, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reason_is_no_difference_and_an_answer_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(effects_are_compared_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_candidate_sends_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_candidate_may_listen_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_events_are_forked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_may_end_while_the_live_ones_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_live_handler_that_waits_is_compared_at_its_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_takes_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_with_problems_does_not_watch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_ends_with_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(differences_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_loops_is_stopped, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The reload contract, clause by clause (POLICY §3); clause 3.12 is tests/reload's. */
#include "engine_rig.h"

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
    return 0;
}

/* A policy that says who it is. With the tag WAIT it waits for the charger first. */
static void write_policy(struct rig *rig, const char *name)
{
    char code[600];
    snprintf(code, sizeof(code),
             "local seen = {}\n"
             "function on.authorize(tag, cp)\n"
             "  local x <close> = setmetatable({}, {__close = function() seen[1] = 'closed' end})\n"
             "  if tag == 'WAIT' then cp:call('ClearCache') end\n"
             "  if tag == 'FAIL' then error 'failed' end\n"
             "  return 'Accepted', {why = '%s'}\n"
             "end",
             name);
    rig_file(rig, "10-a.lua", code);
}

static const char *who(struct rig *rig)
{
    static struct answer answer;
    answer = (struct answer){0};
    const struct event event = {.kind = EVENT_AUTHORIZE,
                                .cp = "CP1",
                                .connector = 1,
                                .id_tag = "A",
                                .purpose = "authorize"};
    policy_event(rig->policy, &event, rig_on_verdict, &answer);
    assert_int_equal(answer.times, 1);
    return answer.why;
}

/* ---- 3.1 trigger, 3.5 swap ---- */

static void a_reload_swaps_for_later_events(void **state)
{
    struct rig *rig = *state;
    write_policy(rig, "one");
    rig_load_ok(rig);
    assert_string_equal(who(rig), "one");
    write_policy(rig, "two");
    policy_reload(rig->policy, rig_on_report, rig);
    assert_false(policy_idle(rig->policy));
    assert_string_equal(who(rig), "one"); /* the loop goes on meanwhile */
    assert_int_equal(rig->reports, 0);
    rig_settle(rig);
    assert_int_equal(rig->reports, 1);
    assert_true(rig->report.ok);
    assert_int_equal(rig->report.generation, 2);
    assert_string_equal(who(rig), "two");
    assert_int_equal(rig_authorize(rig, "A")->generation, 2);
    rig_settle(rig);
    assert_true(policy_idle(rig->policy));
}

/* Requests while one runs are merged into one more (3.1); each is answered once. */
static void requests_are_merged(void **state)
{
    struct rig *rig = *state;
    write_policy(rig, "one");
    rig_load_ok(rig);
    for (int i = 0; i < 6; i++)
        policy_reload(rig->policy, rig_on_report, rig);
    policy_reload(rig->policy, NULL, NULL);
    rig_settle(rig);
    assert_int_equal(rig->reports, 6);
    assert_int_equal(rig->policy->reloads, 3); /* the first load, one, and one more */
    assert_int_equal(rig->policy->current->number, 3);
}

/* A rollback between two reloads keeps its place. */
static void a_rollback_is_not_merged_over(void **state)
{
    struct rig *rig = *state;
    write_policy(rig, "one");
    rig_load_ok(rig);
    write_policy(rig, "two");
    policy_reload(rig->policy, rig_on_report, rig);
    policy_rollback(rig->policy, rig_on_report, rig);
    policy_reload(rig->policy, rig_on_report, rig);
    rig_settle(rig);
    assert_int_equal(rig->reports, 3);
    assert_string_equal(who(rig), "two");
    assert_int_equal(rig->policy->rollbacks, 1);
}

static void too_many_waiting_builds_are_refused(void **state)
{
    struct rig *rig = *state;
    write_policy(rig, "one");
    rig_load_ok(rig);
    for (int i = 0; i < 30; i++)
        policy_check(rig->policy, NULL, rig_on_report, rig);
    assert_true(rig->reports >= 13);
    assert_false(rig->report.ok);
    assert_string_equal(rig->report.errors[0].message, "too many builds are waiting");
    rig_settle(rig);
    assert_int_equal(rig->reports, 30);
}

static void on_response(void *ctx, const struct response *response)
{
    int *status = ctx;
    assert_int_equal(*status, 0); /* once */
    *status = response->status;
}

static void command(struct rig *rig, const char *path, int *status)
{
    const struct request request = {.method = "POST",
                                    .path = path,
                                    .peer = "192.0.2.9",
                                    .scope = SCOPE_ADMIN,
                                    .key_name = "tester"};
    policy_request(rig->policy, &request, on_response, status);
}

/* Whoever asked hears of its own build, however many replace its generation meanwhile and however
 * long that takes; what else ran there is cancelled as ever. */
static void each_command_waits_for_its_own_build(void **state)
{
    enum { COMMANDS = 10 };
    struct rig *rig = *state;
    int status[COMMANDS] = {0};
    size_t most = 0;
    rig->settings.authorize_timeout_ms = 600000;
    rig->settings.handler_timeout_ms = 20000;
    write_policy(rig, "one");
    rig_load_ok(rig);
    rig_connect(rig);
    for (int i = 0; i < COMMANDS; i++) /* the checks keep the reloads from being merged */
        command(rig, i % 2 ? "/api/v1/policies/check" : "/api/v1/policies/reload", &status[i]);
    while (rig->policy->running) {
        rig_authorize(rig, "WAIT"); /* each generation has a handler under way */
        rig_wait_post(rig);
        rig_advance(rig, 5000);
        most = rig->policy->draining_count > most ? rig->policy->draining_count : most;
    }
    for (int i = 0; i < COMMANDS; i++)
        assert_int_equal(status[i], 200);
    assert_int_equal(most, DRAINING_MAX + 1); /* the first one, with those that wait */
    assert_int_equal(rig->policy->current->number, 1 + COMMANDS / 2);
    rig_advance(rig, 31000);
    assert_int_equal(rig->policy->draining_count, 0);
}

/* ---- 3.6 refusal ---- */

static void a_refusal_changes_nothing(void **state)
{
    struct rig *rig = *state;
    write_policy(rig, "one");
    rig_load_ok(rig);
    struct generation *before = rig->policy->current;
    rig_file(rig, "20-b.lua", "\nfunction on.authorise() end");
    assert_false(rig_reload(rig));
    assert_ptr_equal(rig->policy->current, before);
    assert_int_equal(rig->report.generation, 1); /* the one that stays */
    assert_string_equal(rig->report.errors[0].file, "20-b.lua");
    assert_int_equal(rig->report.errors[0].line, 2);
    assert_string_equal(who(rig), "one");
    assert_true(rig_logged(rig, "policies refused"));
    assert_true(rig_logged(rig, "file=20-b.lua line=2"));

    struct arena arena = {0};
    struct json *status = status_policies(rig->policy, &arena);
    struct json *refusal = json_get(status, "lastRefusal");
    assert_string_equal(json_gets(json_get(refusal, "errors")->child, "file"), "20-b.lua");
    assert_string_equal(json_gets(refusal, "at"), "2026-01-01T00:00:00.000Z");
    int64_t refusals = 0;
    assert_true(json_int(json_get(status, "refusals"), &refusals)); /* the metric */
    assert_int_equal(refusals, 1);
    arena_clear(&arena);

    rig_remove(rig, "20-b.lua");
    assert_true(rig_reload(rig));
    assert_int_equal(rig->report.generation, 2); /* a refused build uses up no number */
}

static void a_refused_first_load_leaves_nothing(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua", "syntax error");
    assert_false(rig_load(rig));
    assert_int_equal(rig->report.generation, 0);
    assert_int_equal(rig_authorize(rig, "A")->kind, VERDICT_NONE);
    write_policy(rig, "later");
    assert_true(rig_reload(rig));
    assert_string_equal(who(rig), "later");
}

/* ---- 3.7 in flight, 3.8 drain ---- */

static void handlers_end_on_the_generation_they_began_in(void **state)
{
    struct rig *rig = *state;
    write_policy(rig, "one");
    rig_load_ok(rig);
    rig_connect(rig);
    rig_authorize(rig, "WAIT");
    write_policy(rig, "two");
    assert_true(rig_reload(rig));
    assert_int_equal(rig->policy->draining_count, 1);
    assert_string_equal(who(rig), "two");
    assert_int_equal(rig->answer.times, 0);
    rig_answer_call(rig);
    assert_int_equal(rig->answer.times, 1);
    assert_string_equal(rig->answer.why, "one");
    assert_int_equal(rig->answer.generation, 1);
    rig_turn(rig); /* freed when its last handler ended, not inside of it */
    assert_int_equal(rig->policy->draining_count, 0);
    assert_true(rig_logged(rig, "policies retired"));
}

static void the_rest_is_cancelled_after_drain_ms(void **state)
{
    struct rig *rig = *state;
    rig->settings.authorize_timeout_ms = 100000;
    write_policy(rig, "one");
    rig_load_ok(rig);
    rig_connect(rig);
    rig_authorize(rig, "WAIT");
    rig_authorize(rig, "WAIT");
    assert_true(rig_reload(rig));
    rig_advance(rig, 29999);
    assert_int_equal(rig->answer.times, 0);
    strbuf_reset(&rig->log);
    rig_advance(rig, 1);
    assert_int_equal(rig->answer.times, 2);
    assert_int_equal(rig->answer.kind, VERDICT_FAILED); /* its safe default */
    assert_string_equal(rig->answer.file, "10-a.lua");
    assert_int_equal(rig->answer.line, 4);
    assert_true(rig_logged(rig, "policy handler cancelled"));
    assert_int_equal(rig->policy->draining_count, 0);
    rig_settle(rig);
    assert_int_equal(rig->policy->scheduler.tasks, 0);
    rig_answer_call(rig); /* the answer that nobody waits for any more */
    assert_int_equal(rig->answer.times, 2);
    assert_int_equal(rig->policy->errors.total, 0); /* being cancelled is no error of the script */
}

/* At most two old generations live; a third reload cancels the oldest (3.8). */
static void three_reloads_in_a_row(void **state)
{
    struct rig *rig = *state;
    struct answer answers[4] = {0};
    rig->settings.authorize_timeout_ms = 100000;
    static const char *const names[] = {"one", "two", "three", "four"};
    write_policy(rig, names[0]);
    rig_load_ok(rig);
    rig_connect(rig);
    for (int i = 0; i < 4; i++) {
        const struct event event = {.kind = EVENT_AUTHORIZE,
                                    .cp = "CP1",
                                    .connector = 1,
                                    .id_tag = "WAIT",
                                    .purpose = "authorize"};
        policy_event(rig->policy, &event, rig_on_verdict, &answers[i]);
        if (i == 3)
            break;
        write_policy(rig, names[i + 1]);
        assert_true(rig_reload(rig));
        assert_int_equal(rig->policy->draining_count, i < 2 ? i + 1 : 2);
    }
    assert_int_equal(answers[0].times, 1);
    assert_int_equal(answers[0].kind, VERDICT_FAILED);
    assert_int_equal(answers[0].generation, 1);
    assert_int_equal(answers[1].times, 0);
    for (int i = 0; i < 4; i++)
        rig_answer_call(rig);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(answers[i].times, 1);
        assert_string_equal(answers[i].why, names[i]);
    }
    rig_turn(rig);
    assert_int_equal(rig->policy->draining_count, 0);
}

/* A generation that is big is closed off the loop (3.8), and memory stays flat. */
static void many_reloads(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "lib/big.lua",
             "local t = {}\nfor i = 1, 20000 do t[i] = 'card ' .. i end\n"
             "return t");
    rig_file(rig, "10-a.lua",
             "local t = require 'big'\n"
             "function on.authorize() return 'Accepted', {why = t[20000]} end");
    rig_load_ok(rig);
    size_t memory = rig->policy->current->memory;
    for (int i = 0; i < 5; i++) {
        assert_true(rig_reload(rig));
        assert_string_equal(who(rig), "card 20000");
        assert_true(rig->policy->current->memory < memory + memory / 4);
    }
    assert_int_equal(rig->policy->current->number, 6);
    assert_int_equal(rig->policy->history_count, 0); /* the same files: nothing to go back to */
}

/* ---- 3.9 what is not carried ---- */

static void lua_variables_are_not_carried_over(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "local n = 0\nfunction on.authorize() n = n + 1 "
             "return 'Accepted', {why = 'n ' .. n} end");
    rig_load_ok(rig);
    who(rig);
    assert_string_equal(who(rig), "n 2");
    assert_true(rig_reload(rig));
    assert_string_equal(who(rig), "n 1");
}

/* ---- 3.10 timers ---- */

static void timers_of_the_old_generation_stop_at_the_swap(void **state)
{
    struct rig *rig = *state;
    static const char code[] = "every('1m', function() log.info('tick of %s') end)";
    char text[200];
    snprintf(text, sizeof(text), code, "one");
    rig_file(rig, "10-a.lua", text);
    rig_load_ok(rig);
    rig_advance(rig, 60000);
    assert_true(rig_logged(rig, "tick of one"));
    rig_advance(rig, 40000);
    snprintf(text, sizeof(text), code, "two");
    rig_file(rig, "10-a.lua", text);
    strbuf_reset(&rig->log);
    assert_true(rig_reload(rig));
    rig_advance(rig, 59999); /* the first run comes after the period from the swap */
    assert_false(rig_logged(rig, "tick of"));
    rig_advance(rig, 1);
    assert_true(rig_logged(rig, "tick of two"));
    assert_false(rig_logged(rig, "tick of one"));
}

/* A refused reload leaves the timers as they were (3.6). */
static void timers_survive_a_refusal(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua", "every('1m', function() log.info('tick') end)");
    rig_load_ok(rig);
    rig_advance(rig, 40000);
    rig_file(rig, "20-b.lua", "syntax error");
    assert_false(rig_reload(rig));
    strbuf_reset(&rig->log);
    rig_advance(rig, 20000);
    assert_true(rig_logged(rig, "tick"));
}

/* A run of `every` that waits is an in-flight handler (3.10). */
static void a_timer_run_in_progress_drains(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "every('1m', function()\n"
             "  chargepoint('CP1'):call('ClearCache')\n"
             "  log.info('through')\n"
             "end)");
    rig_load_ok(rig);
    rig_connect(rig);
    rig_advance(rig, 60000);
    assert_int_equal(rig->policy->current->tasks, 1);
    write_policy(rig, "two");
    assert_true(rig_reload(rig));
    assert_int_equal(rig->policy->draining_count, 1);
    rig_answer_call(rig);
    assert_true(rig_logged(rig, "through"));
    rig_turn(rig);
    assert_int_equal(rig->policy->draining_count, 0);
}

/* ---- 3.11 rollback ---- */

static bool rollback(struct rig *rig)
{
    policy_rollback(rig->policy, rig_on_report, rig);
    rig_settle(rig);
    return rig->report.ok;
}

static void rollback_builds_the_kept_sources(void **state)
{
    struct rig *rig = *state;
    write_policy(rig, "one");
    rig_load_ok(rig);
    write_policy(rig, "two");
    assert_true(rig_reload(rig));
    write_policy(rig, "three");
    assert_true(rig_reload(rig));
    rig_remove(rig, "10-a.lua"); /* files on disk are not touched, nor needed */
    assert_true(rollback(rig));
    assert_string_equal(who(rig), "two");
    assert_int_equal(rig->report.generation, 4);
    assert_true(rig->report.files_differ);
    assert_true(rig_logged(rig, "the policies folder is not what runs"));
    assert_true(rollback(rig));
    assert_string_equal(who(rig), "one");
    assert_false(rollback(rig));
    assert_string_equal(rig->report.errors[0].message,
                        "there is no earlier generation to go back to");
    assert_string_equal(who(rig), "one");
    write_policy(rig, "one");
    write_policy(rig, "four");
    assert_true(rig_reload(rig));
    assert_string_equal(who(rig), "four");
    assert_false(rig->policy->files_differ);
    write_policy(rig, "one");
    assert_true(rollback(rig));
    assert_string_equal(who(rig), "one");
    assert_false(rig->report.files_differ); /* somebody put the old file back */
}

static void history_is_bounded(void **state)
{
    struct rig *rig = *state;
    char name[16];
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "v%d", i);
        write_policy(rig, name);
        assert_true(i == 0 ? rig_load(rig) : rig_reload(rig));
    }
    for (int i = 0; i < HISTORY_MAX; i++)
        assert_true(rollback(rig));
    assert_string_equal(who(rig), "v3");
    assert_false(rollback(rig));
}

/* ---- 3.11 probation ---- */

static void load_two(struct rig *rig)
{
    write_policy(rig, "one");
    rig_load_ok(rig);
    write_policy(rig, "two");
    assert_true(rig_reload(rig));
    assert_true(rig->policy->on_probation);
}

static void fail_times(struct rig *rig, int times)
{
    for (int i = 0; i < times; i++)
        rig_authorize(rig, "FAIL");
}

static void failing_on_probation_rolls_back_once(void **state)
{
    struct rig *rig = *state;
    load_two(rig);
    fail_times(rig, 5);
    rig_advance(rig, 1000);
    assert_string_equal(who(rig), "two"); /* five are not enough */
    fail_times(rig, 1);
    assert_int_equal(rig->policy->current->number, 2); /* not inside of the handler */
    rig_turn(rig);
    rig_settle(rig);
    assert_string_equal(who(rig), "one");
    assert_int_equal(rig->policy->rollbacks, 1);
    assert_true(rig_logged(rig, "rolling back to the ones before"));
    assert_false(rig->policy->on_probation);
    fail_times(rig, 20); /* once: what was rolled back to is not on probation */
    rig_advance(rig, 1000);
    rig_settle(rig);
    assert_int_equal(rig->policy->rollbacks, 1);
    assert_string_equal(who(rig), "one");
}

static void probation_wants_over_half(void **state)
{
    struct rig *rig = *state;
    load_two(rig);
    for (int i = 0; i < 10; i++)
        who(rig);
    fail_times(rig, 10);
    rig_advance(rig, 1);
    assert_true(rig->policy->on_probation);
    fail_times(rig, 1);
    rig_turn(rig);
    rig_settle(rig);
    assert_string_equal(who(rig), "one");
}

static void probation_ends(void **state)
{
    struct rig *rig = *state;
    load_two(rig);
    rig_advance(rig, 60000);
    assert_false(rig->policy->on_probation);
    fail_times(rig, 20);
    rig_advance(rig, 1000);
    rig_settle(rig);
    assert_string_equal(who(rig), "two");
}

static void probation_can_be_off_and_needs_a_past(void **state)
{
    struct rig *rig = *state;
    write_policy(rig, "one");
    rig_load_ok(rig);
    assert_false(rig->policy->on_probation); /* nothing to go back to */
    fail_times(rig, 20);
    rig_advance(rig, 1000);
    policy_free(rig->policy);
    rig->policy = NULL;
    rig->settings.probation_ms = 0;
    rig_load_ok(rig);
    write_policy(rig, "two");
    assert_true(rig_reload(rig));
    assert_false(rig->policy->on_probation);
}

/* ---- checks ---- */

static void a_check_swaps_nothing(void **state)
{
    struct rig *rig = *state;
    struct rig other;
    write_policy(rig, "one");
    rig_load_ok(rig);
    write_policy(rig, "two");
    policy_check(rig->policy, NULL, rig_on_report, rig);
    rig_settle(rig);
    assert_true(rig->report.ok);
    assert_int_equal(rig->report.generation, 1);
    assert_string_equal(who(rig), "one");
    snprintf(other.dir, sizeof(other.dir), "%.40s/candidate", rig->dir);
    mkdir(other.dir, 0700);
    rig_file(&other, "10-a.lua", "function on.authorise() end");
    policy_check(rig->policy, other.dir, rig_on_report, rig);
    rig_settle(rig);
    assert_false(rig->report.ok);
    assert_int_equal(rig->report.errors[0].line, 1);
    assert_false(rig->policy->last_refusal.any); /* nobody asked to load it */
}

/* ---- the end ---- */

static void freeing_while_a_build_runs(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua", "function on.start() end");
    rig_load_ok(rig);
    rig_file(rig, "10-a.lua", "while true do end"); /* stopped at once, not after its budget */
    policy_reload(rig->policy, rig_on_report, rig);
    policy_rollback(rig->policy, rig_on_report, rig);
    policy_check(rig->policy, NULL, rig_on_report, rig);
    policy_free(rig->policy);
    rig->policy = NULL;
    assert_int_equal(rig->reports, 3);
    assert_false(rig->report.ok);
    assert_string_equal(rig->report.errors[0].message, "the server stops");
}

/* The build is through and its post is under way when the policy goes. */
static void freeing_after_the_build_was_posted(void **state)
{
    struct rig *rig = *state;
    write_policy(rig, "one");
    rig_load_ok(rig);
    policy_reload(rig->policy, rig_on_report, rig);
    pthread_mutex_lock(&rig->lock);
    while (rig->post_count == 0)
        pthread_cond_wait(&rig->posted, &rig->lock);
    pthread_mutex_unlock(&rig->lock);
    policy_free(rig->policy);
    rig->policy = NULL;
    assert_int_equal(rig->reports, 1);
    rig_turn(rig);
    assert_int_equal(rig->reports, 1);
}

static void freeing_with_generations_that_drain(void **state)
{
    struct rig *rig = *state;
    write_policy(rig, "one");
    rig_load_ok(rig);
    rig_connect(rig);
    for (int i = 0; i < 3; i++) {
        rig_authorize(rig, "WAIT");
        assert_true(rig_reload(rig));
    }
    policy_free(rig->policy);
    rig->policy = NULL;
    assert_int_equal(rig->answer.times, 3);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_reload_swaps_for_later_events),
        CASE(requests_are_merged),
        CASE(a_rollback_is_not_merged_over),
        CASE(too_many_waiting_builds_are_refused),
        CASE(each_command_waits_for_its_own_build),
        CASE(a_refusal_changes_nothing),
        CASE(a_refused_first_load_leaves_nothing),
        CASE(handlers_end_on_the_generation_they_began_in),
        CASE(the_rest_is_cancelled_after_drain_ms),
        CASE(three_reloads_in_a_row),
        CASE(many_reloads),
        CASE(lua_variables_are_not_carried_over),
        CASE(timers_of_the_old_generation_stop_at_the_swap),
        CASE(timers_survive_a_refusal),
        CASE(a_timer_run_in_progress_drains),
        CASE(rollback_builds_the_kept_sources),
        CASE(history_is_bounded),
        CASE(failing_on_probation_rolls_back_once),
        CASE(probation_wants_over_half),
        CASE(probation_ends),
        CASE(probation_can_be_off_and_needs_a_past),
        CASE(a_check_swaps_nothing),
        CASE(freeing_while_a_build_runs),
        CASE(freeing_after_the_build_was_posted),
        CASE(freeing_with_generations_that_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

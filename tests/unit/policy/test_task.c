/* Tasks: order, waiting, waking, cancelling, deadlines, limits (POLICY §4, §6). */
#include "engine_rig.h"
#include "policy/task_parts.h"

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

/* A policy whose handler waits for the charger's answer, in the way given. */
static void load_waiting(struct rig *rig, const char *body)
{
    char text[800];
    snprintf(text, sizeof(text),
             "local cp = chargepoint('CP1')\n"
             "local function wait() return cp:call('ClearCache') end\n"
             "function on.authorize(tag) %s end",
             body);
    rig_file(rig, "10-a.lua", text);
    rig_load_ok(rig);
    rig_connect(rig);
}

static void a_wait_gives_the_answer(void **state)
{
    struct rig *rig = *state;
    load_waiting(rig, "local r, err = wait()  return r.status");
    rig_authorize(rig, "A");
    assert_int_equal(rig->answer.times, 0);
    assert_false(policy_idle(rig->policy));
    rig_answer_call(rig);
    assert_int_equal(rig->answer.times, 1);
    assert_string_equal(rig->answer.word, "Accepted");
    assert_true(policy_idle(rig->policy));
}

/* An answer that is there before the API function returns needs no yield. */
static void a_wait_that_ends_at_once(void **state)
{
    struct rig *rig = *state;
    load_waiting(rig, "local r, err = wait()  return r == nil and err.code == 'offline' and "
                      "'Blocked' or 'Accepted'");
    rig_disconnect(rig);
    rig_authorize(rig, "A");
    assert_int_equal(rig->answer.times, 1);
    assert_string_equal(rig->answer.word, "Blocked");
    assert_int_equal(rig->policy->current->stats[EVENT_AUTHORIZE].waits, 0);
}

/* Closing a socket ends its waits with nil, "offline" (POLICY §6). */
static void a_lost_charger_ends_the_wait(void **state)
{
    struct rig *rig = *state;
    load_waiting(rig, "local r, err = wait()  return r == nil and err.code == 'offline' and "
                      "'Blocked' or 'Accepted'");
    rig_authorize(rig, "A");
    assert_int_equal(rig->answer.times, 0);
    rig_disconnect(rig);
    assert_string_equal(rig->answer.word, "Blocked");
}

/* Waits work inside pcall, iterators and metamethods of Lua (POLICY §7). */
static void waits_work_in_pcall_iterators_metamethods(void **state)
{
    static const char *const bodies[] = {
        "local ok, r = pcall(wait)  return r.status",
        "local ok, r = pcall(pcall, wait)  return 'Accepted'",
        "for r in function(_, x) if not x then return wait() end end do return r.status end",
        "local t = setmetatable({}, {__index = function() return wait().status end}) return t.x",
        "local t = setmetatable({}, {__add = function() return wait().status end}) return t + 1",
        "local t = setmetatable({}, {__call = function() return wait().status end}) return t()",
        "local t = setmetatable({}, {__concat = function() return wait().status end}) return "
        "t..'x'",
        "local t = setmetatable({}, {__lt = function() return wait() end}) "
        "return t < t and 'Accepted'",
        "do local x <close> = setmetatable({}, {__close = function() wait() end}) end "
        "return 'Accepted'",
    };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct rig *rig = *state;
        load_waiting(rig, bodies[i]);
        rig->answer.times = 0;
        rig_authorize(rig, "A");
        assert_int_equal(rig->answer.times, 0);
        rig_answer_call(rig);
        if (rig->answer.kind != VERDICT_GIVEN)
            print_error("%s: %s\n", bodies[i], rig->answer.why);
        assert_string_equal(rig->answer.word, "Accepted");
        rig_disconnect(rig);
    }
}

/* Where waits fail, the error says where (POLICY §4). */
static void waits_fail_readably_where_they_cannot_be(void **state)
{
    static const char *const rows[][2] = {
        {"table.sort({1, 2, 3}, function(a, b) wait() return a < b end)",
         "10-a.lua:2: cp:call waits for the charger and cannot be used inside table.sort"},
        {"('x'):gsub('.', function() wait() end)", "cannot be used inside string.gsub"},
        {"tostring(setmetatable({}, {__tostring = function() wait() end}))",
         "cannot be used inside __tostring"},
        {"string.format('%s', setmetatable({}, {__tostring = function() wait() end}))",
         "cannot be used inside __tostring"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig *rig = *state;
        load_waiting(rig, rows[i][0]);
        unsigned before = rig->calls;
        rig_authorize(rig, "A");
        assert_int_equal(rig->answer.kind, VERDICT_FAILED);
        if (!strstr(rig->answer.why, rows[i][1]))
            print_error("%s\n", rig->answer.why);
        assert_non_null(strstr(rig->answer.why, rows[i][1]));
        assert_int_equal(rig->calls, before);
        rig_disconnect(rig);
    }
}

static void loading_cannot_wait(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "local x = 1\nchargepoint('CP1'):call('ClearCache')\n"
             "function on.start() end");
    assert_false(rig_load(rig));
    assert_int_equal(rig->report.errors[0].line, 2);
    assert_non_null(strstr(rig->report.errors[0].message, "while a policy file loads"));
}

/* The whole handler has a deadline; authorize 5 s, others 30 s (POLICY §4). */
static void deadline_cancels_and_closes(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "local log_of = {}\n"
             "function on.authorize(tag, cp)\n"
             "  if tag == 'ASK' then return 'Accepted', {why = table.concat(log_of, ' ')} end\n"
             "  local x <close> = setmetatable({}, {__close = function(_, e)\n"
             "    log_of[#log_of + 1] = 'closed ' .. tostring(e)\n"
             "    local ok, err = pcall(cp.call, cp, 'ClearCache')\n"
             "    log_of[#log_of + 1] = tostring(ok)\n"
             "  end})\n"
             "  pcall(cp.call, cp, 'ClearCache')\n"
             "  log_of[#log_of + 1] = 'never'\n"
             "end\n"
             "function on.start(tx) chargepoint('CP1'):call('ClearCache') end");
    rig_load_ok(rig);
    rig_connect(rig);
    rig_authorize(rig, "A");
    rig_advance(rig, 4999);
    assert_int_equal(rig->answer.times, 0);
    rig_advance(rig, 1);
    assert_int_equal(rig->answer.times, 1);
    assert_int_equal(rig->answer.kind, VERDICT_FAILED);
    assert_string_equal(rig->answer.file, "10-a.lua");
    assert_int_equal(rig->answer.line, 9); /* where it waited */
    assert_non_null(strstr(rig->answer.why, "took too long"));
    assert_true(rig_logged(rig, "policy handler cancelled"));
    rig_authorize(rig, "ASK");
    assert_string_equal(rig->answer.why, "closed nil false"); /* and <close> cannot wait */

    rig->answer.times = 0;
    rig_event(rig, (struct event){.kind = EVENT_START, .transaction_id = 1, .connector = 1});
    rig_advance(rig, 59999);
    assert_int_equal(rig->answer.times, 0);
    rig_advance(rig, 1);
    assert_int_equal(rig->answer.times, 1);
    assert_true(policy_idle(rig->policy));
}

/* A <close> that loops is killed, though its task was cancelled. */
static void close_of_a_cancelled_task_is_under_budget(void **state)
{
    struct rig *rig = *state;
    rig->settings.run_kill_ms = 60;
    rig_file(rig, "10-a.lua",
             "function on.authorize(tag, cp)\n"
             "  local x <close> = setmetatable({}, {__close = function() while true do end end})\n"
             "  local y <close> = setmetatable({}, {__close = function() pcall(function()\n"
             "    while true do end end) end})\n"
             "  cp:call('ClearCache')\n"
             "end");
    rig_load_ok(rig);
    rig_connect(rig);
    rig_authorize(rig, "A");
    rig_advance(rig, 5000);
    assert_int_equal(rig->answer.kind, VERDICT_FAILED);
    assert_true(policy_idle(rig->policy));
}

/* An answer to a wait that is over finds nothing, even when the generation is gone. */
static void late_wakes_do_nothing(void **state)
{
    struct rig *rig = *state;
    struct generation *generation = generation_new(&rig->settings, 1);
    struct task_ref ref = {generation, generation->last_serial + 1};
    task_wake(ref, NULL, NULL);
    generation_free(generation);
    task_wake(ref, NULL, NULL);
}

/* ---- tasks of our own ---- */

struct ends {
    unsigned times;
    bool ok, cancelled;
    int nresults;
    char text[200];
};

static void on_end(void *ctx, lua_State *L, int nresults, const struct task_end *end)
{
    struct ends *ends = ctx;
    ends->times++;
    ends->ok = end->ok;
    ends->cancelled = end->cancelled;
    ends->nresults = nresults;
    text_copy(ends->text, sizeof(ends->text), span_of(end->ok ? lua_tostring(L, 1) : end->error));
}

static struct task_ref parked;

static int park(lua_State *L)
{
    parked = task_wait_begin(L, "park", NULL, NULL);
    return task_wait(L, parked);
}

static int push_two(lua_State *L, void *arg)
{
    lua_pushstring(L, arg);
    lua_pushinteger(L, 2);
    return 2;
}

static int wake_at_once(lua_State *L)
{
    struct task_ref ref = task_wait_begin(L, "wake", NULL, NULL);
    task_wake(ref, push_two, (void *)"now");
    task_wake(ref, push_two, (void *)"twice");
    return task_wait(L, ref);
}

static void results_of_a_wait(void **state)
{
    struct rig *rig = *state;
    struct generation *generation = generation_new(&rig->settings, 1);
    struct ends ends = {0};
    const struct task_start start = {.label = "test"};
    generation->timers = &rig->timers;
    lua_pushcfunction(generation->L, park);
    task_run(generation, &start, 0, on_end, &ends);
    assert_int_equal(ends.times, 0);
    assert_int_equal(generation->tasks, 1);
    struct task_ref first = parked;
    task_wake(first, push_two, (void *)"later");
    task_wake(first, push_two, (void *)"again");
    assert_int_equal(ends.times, 1);
    assert_int_equal(ends.nresults, 2);
    assert_string_equal(ends.text, "later");
    lua_pushcfunction(generation->L, wake_at_once);
    task_run(generation, &start, 0, on_end, &ends);
    assert_int_equal(ends.times, 2);
    assert_string_equal(ends.text, "now");
    assert_int_equal(lua_gettop(generation->L), 0);
    generation_free(generation);
}

static void told(void *arg)
{
    ++*(unsigned *)arg;
}

static unsigned cancels;

static int park_with_cancel(lua_State *L)
{
    parked = task_wait_begin(L, "park", told, &cancels);
    return task_wait(L, parked);
}

static void cancel_tells_the_operation_once(void **state)
{
    struct rig *rig = *state;
    struct generation *generation = generation_new(&rig->settings, 1);
    struct ends ends = {0};
    cancels = 0;
    generation->timers = &rig->timers;
    for (int i = 0; i < 3; i++) {
        lua_pushcfunction(generation->L, park_with_cancel);
        task_run(generation, &(struct task_start){.label = "test"}, 0, on_end, &ends);
    }
    task_wake(parked, push_two, (void *)"x");
    assert_int_equal(ends.times, 1);
    tasks_cancel(generation, "because");
    assert_int_equal(ends.times, 3);
    assert_true(ends.cancelled);
    assert_string_equal(ends.text, "because");
    assert_int_equal(cancels, 2);
    /* nothing starts any more */
    lua_pushcfunction(generation->L, park_with_cancel);
    task_run(generation, &(struct task_start){.label = "test"}, 0, on_end, &ends);
    assert_int_equal(ends.times, 4);
    assert_true(ends.cancelled);
    generation_free(generation);
}

static struct generation *nested_in;
static struct ends nested;
static bool nested_ran_inside;

static int start_another(lua_State *L)
{
    lua_pushcfunction(nested_in->L, wake_at_once);
    task_run(nested_in, &(struct task_start){.label = "inner"}, 0, on_end, &nested);
    nested_ran_inside = nested.times > 0;
    lua_pushliteral(L, "outer");
    return 1;
}

/* Between two waits nothing else runs (POLICY §4): what a task starts runs after it. While tests
 * run it runs at once. */
static void no_task_runs_inside_another(void **state)
{
    struct rig *rig = *state;
    struct ends ends = {0};
    for (int testing = 0; testing < 2; testing++) {
        nested = (struct ends){0};
        nested_in = generation_new(&rig->settings, 1);
        nested_in->phase = testing ? PHASE_TESTING : PHASE_LIVE;
        lua_pushcfunction(nested_in->L, start_another);
        task_run(nested_in, &(struct task_start){.label = "outer"}, 0, on_end, &ends);
        assert_string_equal(ends.text, "outer");
        assert_int_equal(nested_ran_inside, testing);
        assert_int_equal(nested.times, 1);
        assert_string_equal(nested.text, "now");
        generation_free(nested_in);
    }
}

static void coroutines_are_used_again(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua", "function on.authorize(tag) return 'Accepted' end");
    rig_load_ok(rig);
    for (int i = 0; i < 50; i++)
        rig_authorize(rig, "A");
    lua_State *L = rig->policy->current->L;
    lua_gc(L, LUA_GCCOLLECT);
    size_t before = rig->policy->current->memory;
    for (int i = 0; i < 2000; i++)
        rig_authorize(rig, "A");
    lua_gc(L, LUA_GCCOLLECT);
    assert_true(rig->policy->current->memory < before + 4096);
}

/* After an error the next event runs on a sound coroutine. */
static void errors_leave_nothing_behind(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "function on.authorize(tag)\n"
             "  if tag == 'E' then local t = {} t.x.y = 1 end\n"
             "  return 'Accepted' end");
    rig_load_ok(rig);
    for (int i = 0; i < 20; i++) {
        rig_authorize(rig, "E");
        assert_int_equal(rig->answer.kind, VERDICT_FAILED);
        rig_authorize(rig, "A");
        assert_string_equal(rig->answer.word, "Accepted");
    }
    assert_int_equal(lua_gettop(rig->policy->current->L), 0);
}

/* 10,000 handlers in all; excess is refused by name (POLICY §4, counts). */
static void at_most_tasks_max(void **state)
{
    struct rig *rig = *state;
    rig->settings.tasks_max = 3;
    load_waiting(rig, "wait() return 'Accepted'");
    for (int i = 0; i < 3; i++)
        rig_authorize(rig, "A");
    assert_int_equal(rig->answer.times, 0);
    rig_authorize(rig, "A");
    assert_int_equal(rig->answer.times, 1);
    assert_int_equal(rig->answer.kind, VERDICT_FAILED);
    assert_string_equal(rig->answer.why, "too many handlers are waiting already");
    for (int i = 0; i < 3; i++)
        rig_answer_call(rig);
    assert_int_equal(rig->answer.times, 4);
}

/* policy_free cancels all; `done` runs inside it, once each. */
static void freeing_the_policy_cancels_all(void **state)
{
    struct rig *rig = *state;
    load_waiting(rig, "wait() return 'Accepted'");
    for (int i = 0; i < 5; i++)
        rig_authorize(rig, "A");
    policy_free(rig->policy);
    rig->policy = NULL;
    assert_int_equal(rig->answer.times, 5);
    assert_int_equal(rig->answer.kind, VERDICT_FAILED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_wait_gives_the_answer),
        CASE(a_wait_that_ends_at_once),
        CASE(a_lost_charger_ends_the_wait),
        CASE(waits_work_in_pcall_iterators_metamethods),
        CASE(waits_fail_readably_where_they_cannot_be),
        CASE(loading_cannot_wait),
        CASE(deadline_cancels_and_closes),
        CASE(close_of_a_cancelled_task_is_under_budget),
        CASE(late_wakes_do_nothing),
        CASE(results_of_a_wait),
        CASE(cancel_tells_the_operation_once),
        CASE(no_task_runs_inside_another),
        CASE(coroutines_are_used_again),
        CASE(errors_leave_nothing_behind),
        CASE(at_most_tasks_max),
        CASE(freeing_the_policy_cancels_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

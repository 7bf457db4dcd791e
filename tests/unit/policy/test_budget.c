/* Nothing that a script can do keeps the loop longer than its budget (POLICY §4, §7).
 *
 * Times are CPU times of this thread, so a busy machine changes nothing; the limits are far above
 * what is reached, because the sanitizers slow C down by different factors. */
#include "engine_rig.h"

enum { KILL_MS = 100, KILLED_BY_MS = 1500 };

static int set_up(void **state)
{
    static struct rig rig;
    rig_open(&rig);
    rig.settings.run_kill_ms = KILL_MS;
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_shut(*state);
    return 0;
}

/* Runs it as a handler; the time it took, in ms. */
static int64_t run(struct rig *rig, const char *body)
{
    char code[1500];
    snprintf(code, sizeof(code), "local kept = {}\nfunction on.authorize(tag)\n%s\nend", body);
    rig_file(rig, "10-a.lua", code);
    rig_load_ok(rig);
    rig->answer.kind = VERDICT_NONE;
    int64_t start = cpu_now_us();
    rig_authorize(rig, "A");
    return (cpu_now_us() - start) / 1000;
}

/* Each of these would run for ever, or for minutes. */
static const char *const endless[] = {
    "while true do end",
    "repeat until false",
    "::again:: goto again",
    "for i = 1, math.huge do end",
    "local function f() return f() end return f()",
    "local function f(n) return f(n + 1) end return (f(1))",
    /* pcall swallows nothing */
    "while true do pcall(function() while true do end end) end",
    "while true do pcall(pcall, pcall, function() while true do end end) end",
    "local function f() pcall(f) f() end f()",
    "while true do pcall(error, 'x') end",
    "pcall(function() while true do end end) return 'Accepted'",
    "local ok, e = pcall(function() while true do end end) while not ok do end",
    "local function f() pcall(f) f() end table.sort({1, 2}, f)",
    "local function f() local x <close> = setmetatable({}, {__close = function() end}) f() end f()",
    "local function f() local x <close> = setmetatable({}, {__close = function() "
    "while true do end end}) f() end f()",
    /* callbacks of C functions */
    "table.sort({1, 2, 3}, function(a, b) while true do end end)",
    "local t = {} for i = 1, 1e5 do t[i] = -i end "
    "table.sort(t, function(a, b) for i = 1, 1e5 do end return a < b end)",
    "('x'):gsub('x', function() while true do end end)",
    "(('x'):rep(1e5)):gsub('x', function() for i = 1, 1e5 do end end)",
    "pcall(string.gsub, 'x', 'x', function() while true do end end)",
    "table.concat(setmetatable({}, {__index = function() while true do end end, "
    "__len = function() return 3 end}))",
    "table.unpack(setmetatable({}, {__index = function() while true do end end}), 1, 3)",
    "table.insert(setmetatable({}, {__newindex = function() while true do end end}), 1)",
    "next(setmetatable({}, {__index = 1})) for k in pairs(setmetatable({}, "
    "{__pairs = function() while true do end end})) do end",
    "for a in function() while true do end end do end",
    "for a in ('x'):rep(1e5):gmatch('x') do for i = 1, 1e5 do end end",
    "select(2, pcall(function() local t <close> = setmetatable({}, {__close = function() "
    "while true do end end}) error 'x' end))",
    /* metamethods */
    "return setmetatable({}, {__index = function() while true do end end}).x",
    "setmetatable({}, {__newindex = function() while true do end end}).x = 1",
    "return setmetatable({}, {__call = function() while true do end end})()",
    "return setmetatable({}, {__add = function() while true do end end}) + 1",
    "return setmetatable({}, {__concat = function() while true do end end}) .. 'x'",
    "return -setmetatable({}, {__unm = function() while true do end end})",
    "return #setmetatable({}, {__len = function() while true do end end})",
    "local m = {__eq = function() while true do end end} "
    "return setmetatable({}, m) == setmetatable({}, m)",
    "local m = {__lt = function() while true do end end} "
    "return setmetatable({}, m) < setmetatable({}, m)",
    "return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
    "return string.format('%s', setmetatable({}, {__tostring = function() while true do end end}))",
    "local x <close> = setmetatable({}, {__close = function() while true do end end})",
    "while true do local x <close> = setmetatable({}, {__close = function() end}) end",
    "while true do pcall(function() local x <close> = setmetatable({}, {__close = function() "
    "while true do end end}) while true do end end) end",
    "local t = {} for i = 1, 1e3 do t = setmetatable({}, {__index = t}) end "
    "while true do local x = t.x end",
    /* few instructions, much work in C */
    "local s = ('a'):rep(4400) while true do s:find('a-b') end",
    "local s = ('a'):rep(99) while true do s:match('.-.-b.-') end",
    "local s = ('x'):rep(18) while true do s:match(('x?'):rep(18) .. 'y') end",
    "local s = ('a'):rep(4e6) while true do s:gsub('', '') end",
    "local s = ('a'):rep(1e7) while true do s:find('b', 1, true) end",
    "local s = ('a'):rep(1e7) while true do local t = s .. 'y' end",
    "local s = ('a'):rep(1e7) while true do local t = s:upper() end",
    "local s = ('a'):rep(1e7) while true do local t = s:sub(2) end",
    "local s, t = ('a'):rep(1e7) .. 'b', ('a'):rep(1e7) .. 'b' while s == t do end",
    "local s, t = ('a'):rep(1e7), ('a'):rep(1e7) .. 'b' while s < t do end",
    "while true do local s = ('a'):rep(1e7) end",
    "while true do local s = ('a'):rep(1e7, ',') end",
    "local t = {} for i = 1, 1e5 do t[i] = 'x' end while true do table.concat(t) end",
    "local t = {} for i = 1, 2e4 do t[i] = i % 7 end while true do table.sort(t) end",
    "local t = {} while true do table.insert(t, 1, 1) end",
    "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.insert(t, 1, table.remove(t)) "
    "end",
    "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.move(t, 1, #t, 2, {}) end",
    "local t = {} for i = 1, 1e5 do t[i] = i end while true do local p = {table.unpack(t)} end",
    "local s = ('é'):rep(1e6) while true do utf8.len(s) end",
    "local s = ('1'):rep(1e6) while true do tonumber(s, 10) end",
    "local s = ('x'):rep(1e6) while true do local t = string.format('%q', s) end",
    "local s = ('x'):rep(1e6) while true do local a = {s:byte(1, 9e5)} end",
    "while true do local t = {} for i = 1, 1e5 do t[i] = {} end end",
    "while true do string.rep('', 1 << 60) end",
    /* at the memory limit every allocation collects all garbage first */
    "pcall(function() for i = 1, 1e9 do kept[i] = {} end end) while true do local t = {} end",
};

static void endless_scripts_are_stopped(void **state)
{
    struct rig *rig = *state;
    bool all = true;
    for (size_t i = 0; i < ARRAY_LEN(endless); i++) {
        int64_t took_ms = run(rig, endless[i]);
        bool stopped = rig->answer.kind == VERDICT_FAILED &&
                       (strstr(rig->answer.why, "ran for more than 100 ms without waiting and was "
                                                "stopped") ||
                        strstr(rig->answer.why, "stack overflow") ||
                        strstr(rig->answer.why, "not enough memory"));
        bool placed = strcmp(rig->answer.file, "10-a.lua") == 0 && rig->answer.line >= 2 &&
                      rig->answer.line <= 4;
        if (stopped && placed && took_ms < KILLED_BY_MS)
            continue;
        print_error("%s\n   took %lld ms: %s:%lld %s\n", endless[i], (long long)took_ms,
                    rig->answer.file, (long long)rig->answer.line, rig->answer.why);
        all = false;
    }
    assert_true(all);
}

/* POLICY §7, "hang": what no hook can stop does not exist. */
static void xpcall_and_gc_do_not_exist(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "function on.start() xpcall(function() error() end, "
             "function() while true do end end) end");
    assert_false(rig_load(rig));
    assert_string_equal(rig->report.errors[0].message, "xpcall is not available to policies");
    run(rig, "setmetatable({}, {__gc = function() while true do end end})");
    assert_non_null(strstr(rig->answer.why, "__gc is not available"));
}

/* After it was stopped not one statement of the handler runs (sticky). */
static void being_stopped_is_final(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "lib/seen.lua", "return {}");
    rig_file(rig, "10-a.lua",
             "local seen = require 'seen'\n"
             "function on.authorize(tag)\n"
             "  if tag == 'ASK' then return 'Accepted', {why = #seen .. ''} end\n"
             "  pcall(function() while true do end end)\n"
             "  seen[1] = 'went on'\n"
             "end");
    rig_load_ok(rig);
    rig_authorize(rig, "A");
    assert_int_equal(rig->answer.kind, VERDICT_FAILED);
    assert_string_equal(rig_authorize(rig, "ASK")->why, "0");
}

/* The next handler has a whole budget, whatever the one before did. */
static void a_stopped_handler_leaves_the_next_alone(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "function on.authorize(tag)\n"
             "  if tag == 'LOOP' then while true do end end\n"
             "  for i = 1, 1e5 do end\n"
             "  return 'Accepted'\n"
             "end");
    rig_load_ok(rig);
    for (int i = 0; i < 3; i++) {
        rig_authorize(rig, "LOOP");
        assert_int_equal(rig->answer.kind, VERDICT_FAILED);
        assert_int_equal(rig->answer.line, 2);
        assert_string_equal(rig_authorize(rig, "A")->word, "Accepted");
    }
}

/* The budget is for one run between two waits. */
static void each_run_between_waits_has_its_own(void **state)
{
    struct rig *rig = *state;
    rig->settings.run_kill_ms = 100000;
    int64_t once = run(rig, "for i = 1, 2e6 do end") + 1;
    rig->settings.run_kill_ms = once * 5; /* six are too much for one run */
    policy_free(rig->policy);
    rig->policy = NULL;
    rig_file(rig, "10-a.lua",
             "local function work() for i = 1, 2e6 do end end\n"
             "function on.authorize(tag, cp)\n"
             "  for i = 1, 8 do work() cp:call('ClearCache') end\n"
             "  return 'Accepted'\n"
             "end");
    rig_load_ok(rig);
    rig_connect(rig);
    rig_authorize(rig, "A");
    for (int i = 0; i < 8; i++)
        rig_answer_call(rig);
    assert_string_equal(rig->answer.why, "");
    assert_string_equal(rig->answer.word, "Accepted");
}

static unsigned count_text(const struct rig *rig, const char *text)
{
    unsigned count = 0;
    for (const char *at = strbuf_text(&rig->log); (at = strstr(at, text)); at++)
        count++;
    return count;
}

/* 10 ms warns, once a run. */
static void a_slow_run_is_warned_of_once(void **state)
{
    struct rig *rig = *state;
    rig->settings.run_warn_ms = 1;
    rig->settings.run_kill_ms = 100000;
    run(rig, "for i = 1, 3e6 do end");
    assert_int_equal(rig->answer.kind, VERDICT_NONE);
    assert_int_equal(count_text(rig, "policy is slow"), 1);
    assert_true(rig_logged(rig, "file=10-a.lua line=3"));
    rig_authorize(rig, "A");
    assert_int_equal(count_text(rig, "policy is slow"), 2);
}

/* Loops in every other place where policies run. */
static void every_callback_is_under_budget(void **state)
{
    struct rig *rig = *state;
    char identity[IDENTITY_MAX + 1];
    rig_file(rig, "10-a.lua",
             "function on.identify() while true do end end\n"
             "function on.start() while true do end end\n"
             "function on.DataTransfer() while true do end end\n"
             "function on.boot()\n"
             "  error(setmetatable({}, {__tostring = function()\n"
             "    while true do end end}))\n"
             "end\n"
             "every('1m', function() while true do end end)");
    rig_load_ok(rig);
    rig_connect(rig);
    int64_t start = cpu_now_us();
    assert_int_equal(policy_identify(rig->policy, "/x", NULL, 0, identity), VERDICT_FAILED);
    rig_event(rig, (struct event){.kind = EVENT_START, .transaction_id = 1});
    assert_int_equal(rig->answer.kind, VERDICT_FAILED);
    rig_event(rig, (struct event){.kind = EVENT_ACTION, .action = "DataTransfer"});
    assert_int_equal(rig->answer.kind, VERDICT_FAILED);
    rig_event(rig, (struct event){.kind = EVENT_BOOT});
    assert_int_equal(rig->answer.kind, VERDICT_FAILED);
    assert_non_null(strstr(rig->answer.why, "an error that has no text"));
    rig_advance(rig, 60000);
    assert_true(cpu_now_us() - start < 5 * KILLED_BY_MS * 1000);
    assert_int_equal(rig->policy->errors.total, 5);
    assert_true(rig_logged(rig, "10-a.lua:8"));
}

/* 1 s a file, 5 s in all, in CPU time (POLICY §3.3). */
static void loading_has_its_budget(void **state)
{
    static const char *const chunks[] = {
        "local a = 1\nwhile true do end",
        "local a = 1\nwhile true do pcall(function() while true do end end) end",
        "local a = 1\nlocal s = ('a'):rep(4400) while true do s:find('a-b') end",
        "local a = 1\npcall(function() while true do end end)",
        "local a = 1\nlocal function f() pcall(f) f() end f()",
    };
    struct rig *rig = *state;
    rig->settings.load_file_ms = 100;
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
        rig_file(rig, "10-a.lua", chunks[i]);
        assert_false(rig_load(rig));
        assert_string_equal(rig->report.errors[0].file, "10-a.lua");
        assert_int_equal(rig->report.errors[0].line, 2);
        assert_non_null(strstr(rig->report.errors[0].message, "ran for more than 100 ms"));
    }
    rig_file(rig, "lib/loop.lua", "\n\nwhile true do end");
    rig_file(rig, "10-a.lua", "local ok = pcall(require, 'loop')\nfunction on.start() end");
    assert_false(rig_load(rig));
    assert_string_equal(rig->report.errors[0].file, "lib/loop.lua");
    assert_int_equal(rig->report.errors[0].line, 3);
}

static void loading_in_all_has_its_budget(void **state)
{
    struct rig *rig = *state;
    rig->settings.load_file_ms = 100;
    rig->settings.load_total_ms = 250;
    for (int i = 0; i < 6; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d0-a.lua", i);
        rig_file(rig, name, "while true do end");
    }
    int64_t start = cpu_now_us();
    assert_false(rig_load(rig));
    assert_true(cpu_now_us() - start < 2000000);
    bool told = false;
    for (size_t i = 0; i < rig->report.kept; i++)
        told = told || strstr(rig->report.errors[i].message, "250 ms");
    assert_true(told);
}

/* Tests share the budget of the build. */
static void tests_have_their_budget(void **state)
{
    struct rig *rig = *state;
    rig->settings.load_file_ms = 200;
    rig_file(rig, "10-a.lua", "function on.authorize() while true do end end");
    rig_file(rig, "tests/a.lua",
             "test('loops', function(t) while true do end end)\n"
             "test('handler loops', function(t) t.authorize('A', 'CP1') end)");
    assert_false(rig_load(rig));
    assert_int_equal(rig->report.error_count, 2);
    assert_string_equal(rig->report.errors[0].file, "tests/a.lua");
    assert_int_equal(rig->report.errors[0].line, 1);
    assert_int_equal(rig->report.errors[1].line, 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(endless_scripts_are_stopped),
        CASE(xpcall_and_gc_do_not_exist),
        CASE(being_stopped_is_final),
        CASE(a_stopped_handler_leaves_the_next_alone),
        CASE(each_run_between_waits_has_its_own),
        CASE(a_slow_run_is_warned_of_once),
        CASE(every_callback_is_under_budget),
        CASE(loading_has_its_budget),
        CASE(loading_in_all_has_its_budget),
        CASE(tests_have_their_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a policy sees and what it does not: names, environments, guards, memory (POLICY §4). */
#include "engine_rig.h"
#include "policy/sandbox.h"

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

/* The value of an expression as text, or "error: …"; the finding if it is not even loaded. */
static const char *value(struct rig *rig, const char *expression)
{
    static char result[512];
    char code[1200];
    snprintf(code, sizeof(code),
             "function on.authorize(tag)\n"
             "  local ok, v = pcall(function() return (%s) end)\n"
             "  if not ok then v = 'error: ' .. tostring(v) end\n"
             "  return 'Accepted', {why = tostring(v)}\n"
             "end",
             expression);
    rig_file(rig, "10-a.lua", code);
    if (rig_load(rig))
        snprintf(result, sizeof(result), "%s", rig_authorize(rig, "A")->why);
    else
        snprintf(result, sizeof(result), "finding: %s", rig->report.errors[0].message);
    return result;
}

static void check_values(struct rig *rig, const char *const (*rows)[2], size_t count)
{
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        const char *got = value(rig, rows[i][0]);

        if (strstr(got, rows[i][1]))
            continue;
        print_error("%s\n   gives %s\n  wanted %s\n", rows[i][0], got, rows[i][1]);
        all = false;
    }
    assert_true(all);
}

/* The allow-list, name by name. */
static void allowed_names_work(void **state)
{
    static const char *const rows[][2] = {
        {"assert(1)", "1"},
        {"select('#', 1, 2)", "2"},
        {"next({5})", "1"},
        {"tonumber('ff', 16)", "255"},
        {"type(ipairs) .. type(pairs)", "functionfunction"},
        {"math.type(math.floor(2.5))", "integer"},
        {"math.maxinteger // 1", "9223372036854775807"},
        {"('abc'):upper()", "ABC"},
        {"string.format('%05.1f|%s|%q', 3.14159, nil, 'x')", "003.1|nil|\"x\""},
        {"string.rep('ab', 3, '-')", "ab-ab-ab"},
        {"('key=value'):match('^(%w+)=')", "key"},
        {"('a,b'):gsub(',', ';')", "a;b"},
        {"('a.b'):find('.', 1, true)", "2"},
        {"('héllo'):find('l+', -3)", "4"},
        {"table.concat({1, 2, 3}, ',')", "1,2,3"},
        {"table.concat({1, 2, 3}, ',', 2, 3)", "2,3"},
        {"select(2, table.unpack({1, 2}))", "2"},
        {"#table.pack(1, 2, 3)", "3"},
        {"table.remove({1, 2, 3})", "3"},
        {"table.remove({1, 2, 3}, 1)", "1"},
        {"table.move({1, 2, 3}, 1, 3, 2)[3]", "2"},
        {"utf8.len('hé')", "2"},
        {"utf8.char(233)", "é"},
        {"string.unpack('<i4', string.pack('<i4', 7))", "7"},
        {"setmetatable({}, {__index = {a = 4}}).a", "4"},
        {"pcall(error, 'x')", "false"},
    };
    check_values(*state, rows, ARRAY_LEN(rows));
}

/* Asking for what is left out says so, at load (POLICY §4, names). */
static void absent_names_say_so(void **state)
{
    static const char *const names[] = {"load",
                                        "dofile",
                                        "loadfile",
                                        "print",
                                        "io.open",
                                        "io.popen",
                                        "package.path",
                                        "debug.sethook",
                                        "coroutine.wrap",
                                        "xpcall",
                                        "rawget",
                                        "rawset",
                                        "rawequal",
                                        "rawlen",
                                        "getmetatable",
                                        "collectgarbage",
                                        "os.execute",
                                        "os.getenv",
                                        "os.remove",
                                        "os.exit",
                                        "os.clock",
                                        "os.tmpname",
                                        "string.dump",
                                        "_G",
                                        "warn"};
    struct rig *rig = *state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char code[200], wanted[100];
        snprintf(code, sizeof(code), "local a = 1\nfunction on.start()\n  return %s\nend",
                 names[i]);
        snprintf(wanted, sizeof(wanted), "%s is not available to policies", names[i]);
        rig_file(rig, "10-a.lua", code);
        assert_false(rig_load(rig));
        assert_string_equal(rig->report.errors[0].message, wanted);
        assert_int_equal(rig->report.errors[0].line, 3);
        assert_string_equal(rig->report.errors[0].file, "10-a.lua");
    }
}

/* And at run time, for what is not visible in the code. */
static void absent_names_at_run_time(void **state)
{
    static const char *const rows[][2] = {
        {"(function(e) return e['io'] end)(_ENV)",
         "error: 10-a.lua:2: io is not available to policies"},
        {"(function(e) return e['tonumbr'] end)(_ENV)",
         "tonumbr is unknown (did you mean tonumber?)"},
        {"_ENV[1]", "_ENV has no such member"},
        {"(function(o, k) return o[k] end)(os, 'execute')", "os.execute is not available"},
        {"(function(o, k) return o[k] end)(string, 'lenn')",
         "string.lenn is unknown (did you mean string.len?)"},
        {"(function(o, k) return o[k] end)('x', 'dump')", "string.dump is not available"},
        {"('x'):dump()", "finding: string.dump is not available"},
        {"(function(o, k) return o[k] end)('x', 'lenght')", "string.lenght is unknown"},
        {"('x'):lenght()", "finding: nothing has a method lenght"},
        {"(function(o) o.x = 1 end)(_ENV)", "assignment to the global 'x'"},
        {"(function(o) o.x = 1 end)(string)", "string is read-only"},
        {"(function(o) o.time = 1 end)(os)", "os is read-only"},
        {"(function(o) o.insert = 1 end)(table)", "table is read-only"},
        {"(function(o) o.x = 1 end)(log)", "log is read-only"},
        {"table.insert(_ENV, 1)", "assignment to the global '1'"},
        {"setmetatable(_ENV, {})", "cannot change a protected metatable"},
        {"setmetatable(string, {})", "cannot change a protected metatable"},
        {"setmetatable(on, {})", "cannot change a protected metatable"},
        {"next(_ENV)", "nil"},
        {"next(string)", "nil"},
    };
    check_values(*state, rows, ARRAY_LEN(rows));
}

/* One _ENV a file: nothing leaks from one file into another. */
static void each_file_has_its_environment(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "local _ENV = {on = on, mine = 5}\nmine = 6\n"
             "function on.start() return mine end");
    rig_file(rig, "20-b.lua", "function on.authorize() return mine end");
    assert_false(rig_load(rig));
    assert_int_equal(rig->report.error_count, 1);
    assert_string_equal(rig->report.errors[0].file, "20-b.lua");
    assert_string_equal(rig->report.errors[0].message, "mine is unknown");
}

/* Finalizers escape the budget; __close does not (POLICY §4). */
static void no_finalizers(void **state)
{
    static const char *const rows[][2] = {
        {"setmetatable({}, {__gc = function() end})", "__gc is not available to policies"},
        {"setmetatable({}, {__gc = false})", "__gc is not available"},
        {"setmetatable({}, setmetatable({}, {__index = {__gc = 1}})) ~= nil", "true"},
        {"setmetatable({}, nil) ~= nil", "true"},
        {"setmetatable(5, {})", "bad argument #1 to 'setmetatable'"},
        {"setmetatable({}, {__metatable = 1}) ~= nil", "true"},
        {"(function() local mt = {} local t = setmetatable({}, mt) "
         "mt.__gc = function() while true do end end return 'set later does nothing' end)()",
         "set later does nothing"},
        {"(function() local n = 0 do local x <close> = setmetatable({}, "
         "{__close = function() n = 1 end}) end return n end)()",
         "1"},
    };
    check_values(*state, rows, ARRAY_LEN(rows));
}

/* The bound of the contract itself. */
static void pattern_bounds(void **state)
{
    static const struct {
        const char *pattern;
        double subject;
        bool anchors;
        double steps;
    } rows[] = {
        {"abc", 100, true, 100},     {"a*", 100, true, 1e4},        {"^a*", 100, true, 100},
        {"^a*", 100, false, 1e4}, /* gmatch has no anchor */
        {".-.-.-b", 100, true, 1e8}, {"^.-.-.-b", 100, true, 1e6},  {"a?a?a?", 100, true, 800},
        {"[*+-?]", 100, true, 100},  {"[^]*]", 100, true, 100},     {"[]*]*", 100, true, 1e4},
        {"[%]*]*", 100, true, 1e4},  {"%*%+%-%?", 100, true, 100},  {"%%*", 100, true, 1e4},
        {"-", 100, true, 100},       {"--", 100, true, 1e4},        {"(a+)(b*)", 100, true, 1e6},
        {"%b()", 100, true, 1e4},    {"%f[%w]%w+", 100, true, 1e4}, {"(.)%1", 100, true, 1e4},
        {"a+$", 100, true, 1e4},     {"^", 100, true, 1},           {"", 100, true, 100},
        {"%", 100, true, 100},       {"[", 100, true, 100},         {"[a", 100, true, 100},
        {"%b", 100, true, 1e4},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double got = pattern_cost(rows[i].pattern, strlen(rows[i].pattern), (size_t)rows[i].subject,
                                  rows[i].anchors)
                         .bound;
        if (got != rows[i].steps)
            print_error("%s: %g\n", rows[i].pattern, got);
        assert_true(got == rows[i].steps);
    }
}

static void long_matching_is_refused(void **state)
{
    static const char *const rows[][2] = {
        {"('a'):rep(255):find('.-.-.-b')", "string.find: matching '.-.-.-b' against 255 bytes"},
        {"('a'):rep(460):match('.-.-.-b')", "string.match: matching"},
        {"('a'):rep(460):gsub('.-.-.-b', '')", "string.gsub: matching"},
        {"('a'):rep(400):gmatch('^.-.-b')", "error: 10-a.lua:2: string.gmatch: matching"},
        {"('a'):rep(4472):find('a-b')", "nil"},
        {"('a'):rep(4473):find('a-b')", "could take too long"},
        {"('a'):rep(390):find('.-.-b')", "nil"},
        {"('a'):rep(392):find('.-.-b')", "could take too long"},
        {"('a'):rep(1e6):find('b', 1, true)", "nil"},
        {"('a'):rep(1e6):find('.-.-.-b', 1, true)", "nil"},
        {"('a'):rep(1e6):find('.-b', -100)", "nil"},
        {"('a'):rep(1e6):find('.-b', 999990)", "nil"},
        {"('a'):rep(1e6):find('^.*b')", "nil"},
        {"('x'):rep(22):find(('a?'):rep(23))", "could take too long"},
        {"('a'):rep(5e6):gsub('', '')", "could take too long"},
        {"('a'):rep(5e6):match('^(a+)'):len()", "5000000"},
        {"('a'):rep(2e6):find(('a'):rep(1e6) .. 'b', 1, true)", "could take too long"},
        {"('a'):rep(2e6):find(('a'):rep(1e6) .. 'b')", "could take too long"},
        {"('a'):rep(2e5):match(('a'):rep(1e5) .. 'b')", "could take too long"},
        {"('a\\0b'):find('\\0b', 1, true)", "2"},
        {"('a\\0b*'):find('\\0.*')", "2"},
        {"('x'):find(5)", "nil"},
        {"(5):find('x')", "error"},
        {"string.find(55, 5)", "1"},
        {"('x'):find()", "bad argument #1 to 'find'"},
        {"string.find()", "bad argument #1 to 'find'"},
        {"('x'):find('[')", "malformed pattern"},
        {"('abc'):find('b', 10)", "nil"},
        {"('abc'):find('b', -10)", "2"},
        {"('abc'):find('b', math.mininteger)", "2"},
    };
    check_values(*state, rows, ARRAY_LEN(rows));
}

/* 64 MiB a generation; above, the handler fails and the generation lives (POLICY §4). */
static void memory_is_capped(void **state)
{
    static const char *const rows[][2] = {
        {"string.rep('x', 1e9 // 1)", "longer than the memory limit"},
        {"string.rep('x', 20 << 20):len()", "20971520"},
        {"string.rep('', 1 << 62)", ""},
        {"string.rep('ab', 3, '..')", "ab..ab..ab"},
        {"string.rep('', 3, '-')", "--"},
        {"string.rep('ab', 1, '-')", "ab"},
        {"string.rep(1, 3)", "111"},
        {"string.rep('x', -1)", ""},
        {"string.rep('x', 1 << 62, 'yyyy')", "longer than the memory limit"},
        {"(function() local t = {} for i = 1, 1e9 do t[i] = i end end)()", "not enough memory"},
        {"(function() local s = 'x' while true do s = s .. s end end)()", "not enough memory"},
        {"(function() local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1e5) .. i end "
         "return table.concat(t) end)()",
         "not enough memory"},
        {"string.format('%s%s%s%s', ('x'):rep(2e7), ('y'):rep(2e7), 1, 2)", "not enough memory"},
        {"(function() local t = {} for i = 1, 200 do t = {t} end return 'fine' end)()", "fine"},
    };
    struct rig *rig = *state;
    check_values(rig, rows, ARRAY_LEN(rows));
    struct generation *current = rig->policy->current;
    assert_true(current->memory_peak <= (size_t)rig->settings.memory_bytes);
    assert_string_equal(value(rig, "'still alive'"), "still alive");
}

/* Not caught by the script: the event fails with a place, the next one works. */
static void running_out_of_memory_fails_the_handler_only(void **state)
{
    struct rig *rig = *state;
    rig->settings.memory_bytes = 4 << 20;
    rig_file(rig, "10-a.lua",
             "function on.authorize(tag)\n"
             "  if tag == 'OK' then return 'Accepted' end\n"
             "  local t = {}\n"
             "  for i = 1, 1e9 do t[i] = i end\n"
             "end");
    rig_load_ok(rig);
    for (int i = 0; i < 5; i++) {
        rig_authorize(rig, "X");
        assert_int_equal(rig->answer.kind, VERDICT_FAILED);
        assert_string_equal(rig->answer.why, "10-a.lua:4: not enough memory");
        rig_authorize(rig, "OK");
        assert_string_equal(rig->answer.word, "Accepted");
    }
    assert_true(rig->policy->current->memory_peak <= (4 << 20));
}

/* What is kept for good fills the generation; then nothing starts, but nothing breaks either. */
static void a_leak_fills_the_generation(void **state)
{
    struct rig *rig = *state;
    rig->settings.memory_bytes = 3 << 20;
    rig->settings.run_kill_ms = 500; /* each allocation collects all garbage, in vain */
    rig_file(rig, "10-a.lua",
             "local kept = {}\n"
             "function on.authorize(tag)\n"
             "  for i = 1, 1e9 do kept[#kept + 1] = tag .. i end\n"
             "end");
    rig_load_ok(rig);
    for (int i = 0; i < 5; i++) {
        rig_authorize(rig, "X");
        assert_int_equal(rig->answer.kind, VERDICT_FAILED);
        assert_true(strstr(rig->answer.why, "not enough memory") ||
                    strstr(rig->answer.why, "was stopped"));
    }
    rig_file(rig, "10-a.lua", "function on.authorize(tag) return 'Accepted' end");
    rig_load_ok(rig);
    assert_string_equal(rig_authorize(rig, "X")->word, "Accepted");
}

/* Loading falls under the limit too. */
static void memory_while_loading(void **state)
{
    struct rig *rig = *state;
    rig->settings.memory_bytes = 4 << 20;
    rig_file(rig, "10-a.lua", "local t = {}\nfor i = 1, 1e9 do t[i] = i end");
    assert_false(rig_load(rig));
    assert_string_equal(rig->report.errors[0].message, "not enough memory");
    assert_string_equal(rig->report.errors[0].file, "10-a.lua");
}

static void big_loops_of_c_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"(function() local t = {} for i = 1, 100001 do t[i] = -i end table.sort(t) end)()",
         "100001 elements are too many"},
        {"(function() local t = {} for i = 1, 100001 do t[i] = -i end table.sort(t, math.ult) "
         "end)()",
         "too many"},
        {"(function() local t = {} for i = 1, 1000 do t[i] = -i end table.sort(t) return t[1] "
         "end)()",
         "-1000"},
        {"(function() local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) "
         "return t[1] end)()",
         "3"},
        {"table.move({}, 1, 1e9 // 1, 2)", "too many elements"},
        {"(function() local s, t = ('a'):rep(1e6), {} for i = 1, 1000 do t[i] = s end "
         "table.sort(t) end)()",
         "texts are too long"},
        {"table.insert(setmetatable({}, {__len = function() return 1 << 50 end}), 1, 1)",
         "table.insert: too many elements"},
        {"table.remove(setmetatable({}, {__len = function() return 1 << 50 end}), 1)",
         "table.remove: too many elements"},
        {"table.move({}, math.mininteger, math.maxinteger, 2)", "error"},
        {"table.concat({}, '', 1, 1e18 // 1)", "invalid value"},
        {"table.unpack({}, 1, 1e8 // 1)", "too many results"},
        {"#setmetatable({}, {__len = function() return 1 << 60 end})", "1152921504606846976"},
    };
    struct rig *rig = *state;
    rig->settings.run_kill_ms = 2000;
    check_values(rig, rows, ARRAY_LEN(rows));
}

/* os.time and os.date: the fakeable clock and site time, whatever the host's zone is. */
static void time_is_site_time(void **state)
{
    static const char *const rows[][2] = {
        {"os.time()", "1767225600"},
        {"os.date('%Y-%m-%d %H:%M:%S')", "2026-01-01 01:00:00"},
        {"os.date('!%Y-%m-%d %H:%M:%S')", "2026-01-01 00:00:00"},
        {"os.date('%H:%M %z', 0)", "01:00 +0100"},
        {"os.date('*t', 0).hour", "1"},
        {"os.date('!*t', 0).hour", "0"},
        {"os.date('!*t', 86400).yday", "2"},
        {"os.date('!*t', 0).isdst", "false"},
        {"os.time{year = 2026, month = 1, day = 1, hour = 1}", "1767225600"},
        {"os.time{year = 2026, month = 1, day = 1}", "1767265200"},
        {"os.time{year = 2026, month = 14, day = -3, hour = 0}", "1801090800"},
        {"(function() local t = {year = 2026, month = 13, day = 1} os.time(t) return t.year end)()",
         "2027"},
        {"os.time{year = 2026, month = 1}", "field 'day' is missing"},
        {"os.time{year = 'x', month = 1, day = 1}", "field 'year' is not an integer"},
        {"os.time{year = 1 << 40, month = 1, day = 1}", "out of range"},
        {"os.date('%E')", "is no conversion"},
        {"os.date('%')", "is no conversion"},
        {"os.date('%H', 1 << 60)", "out of range"},
        {"os.date('%%')", "%"},
        {"os.date('!%c', 0)", "Thu Jan  1 00:00:00 1970"},
    };
    struct rig *rig = *state;
    rig->settings.zone_minutes = 60;
    check_values(rig, rows, ARRAY_LEN(rows));
}

static void require_loads_once_and_only_lib(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "lib/a.lua", "local b = require 'b'\nreturn {n = b.n + 1, b = b}");
    rig_file(rig, "lib/b.lua", "return {n = 1}");
    rig_file(rig, "lib/c.lua", "local x = 1");
    rig_file(rig, "10-a.lua",
             "local a, b, c = require 'a', require 'b', require 'c'\n"
             "assert(a.b == b and a.n == 2 and c == true and require 'a' == a)\n"
             "function on.authorize(tag)\n"
             "  local ok, err = pcall(require, tag)\n"
             "  return 'Accepted', {why = ok and 'loaded' or err}\n"
             "end");
    rig_file(rig, "lib/unused.lua", "this is not Lua"); /* plus lib/ on require (3.2) */
    rig_load_ok(rig);
    assert_string_equal(rig_authorize(rig, "a")->why, "loaded");
    assert_non_null(strstr(rig_authorize(rig, "unused")->why, "only while a policy file loads"));
    assert_non_null(strstr(rig_authorize(rig, "nope")->why, "there is no lib/nope.lua"));
    assert_non_null(strstr(rig_authorize(rig, "../10-a")->why, "there is no lib"));
    assert_non_null(strstr(rig_authorize(rig, "io")->why, "there is no lib/io.lua"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(allowed_names_work),
        CASE(absent_names_say_so),
        CASE(absent_names_at_run_time),
        CASE(each_file_has_its_environment),
        CASE(no_finalizers),
        CASE(pattern_bounds),
        CASE(long_matching_is_refused),
        CASE(memory_is_capped),
        CASE(running_out_of_memory_fails_the_handler_only),
        CASE(a_leak_fills_the_generation),
        CASE(memory_while_loading),
        CASE(big_loops_of_c_are_refused),
        CASE(time_is_site_time),
        CASE(require_loads_once_and_only_lib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

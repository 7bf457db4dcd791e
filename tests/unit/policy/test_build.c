/* What a folder of policies must be to be taken: reading, loading, checking (POLICY §3.2-3.4). */
#include "engine_rig.h"

#include "policy/source.h"

static int set_up(void **state)
{
    static struct rig rig;
    rig_open(&rig);
    rig.settings.load_file_ms = 1000;
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_shut(*state);
    return 0;
}

/* ---- broken files ---- */

struct broken {
    const char *code;
    int line;
    const char *says;
};

static const struct broken broken[] = {
    /* syntax */
    {"function on.start(", 1, "expected near"},
    {"local x = 1\nlocal y = = 2", 2, "unexpected symbol near '='"},
    {"function on.start()\n  if x then\nend", 3, "'end' expected"},
    {"function on.start() return 'open end", 1, "unfinished string"},
    {"x = [[never closed", 1, "unfinished long string"},
    {"goto nowhere", 1, "no visible label 'nowhere'"},
    {"local x <const> = 1\nx = 2", 2, "attempt to assign to const variable 'x'"},
    {"local x <konst> = 1", 1, "unknown attribute 'konst'"},
    {"break", 1, "break outside"},
    {"\x1bLua\x54", 0, "attempt to load a binary chunk"},
    {"return 1 1", 1, "expected near '1'"},
    {"local t = {1, 2\nfunction on.start() end", 2, "'}' expected"},
    /* unknown names */
    {"function on.authorize()\n  retrun 'Accepted'\nend", 2, "did you mean return?"},
    {"function on.start(tx)\n  tx:stpo()\nend", 2, "nothing has a method stpo; did you mean stop?"},
    {"local x = ('a')\nfunction on.start() return x:uper() end", 2, "nothing has a method uper"},
    {"function on.start()\n  lgo.info('x')\nend", 2, "lgo is unknown (did you mean log?)"},
    {"function on.start()\n\n  os.execute('rm')\nend", 3, "os.execute is not available"},
    {"print('hello')\nfunction on.start() end", 1, "print is not available to policies"},
    {"function on.start() return string.fomat('x') end", 1,
     "string.fomat is unknown (did you mean string.format?)"},
    {"function on.start() return undefined_thing end", 1, "undefined_thing is unknown"},
    {"function on.start() log.wran('x') end", 1, "log.wran is unknown (did you mean log.warn?)"},
    {"function on.start()\n  lcoal x = 1\nend", 2, "did you mean local instead of lcoal?"},
    {"function on.strat() end\nfunction on.stop() lgo.info('x') end", 1, "did you mean on.start?"},
    {"function on.start() esle() end", 1, "did you mean else?"},
    /* globals */
    {"counter = 0\nfunction on.start() end", 1, "assignment to the global 'counter'"},
    {"function on.start()\n  total = 1\nend", 2, "assignment to the global 'total'"},
    {"function helper() end\nfunction on.start() end", 1, "assignment to the global 'helper'"},
    {"function on.start() end\nlog = nil", 2, "assignment to the global 'log'"},
    {"function on.start() string.x = 1 end\nstring.y = 2", 2, "string is read-only"},
    /* events */
    {"function on.authorise() end", 1, "on.authorise is no event (did you mean on.authorize?)"},
    {"\nfunction on.Authorize_() end\nfunction on.statsu() end", 3, "did you mean on.status?"},
    {"function on.whatever() end", 1, "on.whatever is no event"},
    {"on.authorize = 5", 1, "on.authorize must be a function, not number"},
    {"local x = 1\non.authorize = nil", 2, "on.authorize must be a function, not nil"},
    {"on.authorize = 'Accepted'", 1, "must be a function, not string"},
    {"function on.start() end\nfunction on.start() end", 2,
     "on.start is defined twice in this file (first in line 1)"},
    {"function on.start() end\n\nfunction on.Foo() end\nfunction on.Foo() end", 4,
     "on.Foo is defined twice in this file (first in line 3)"},
    {"on[1] = function() end", 1, "on.<event> needs a name"},
    {"local f = on.start\nfunction on.start() end", 1, "on.start cannot be read"},
    {"function on.identify_() end", 1, "did you mean on.identify?"},
    /* run-time errors of the chunk */
    {"error 'no'\nfunction on.start() end", 1, "no"},
    {"local t = nil\nlocal x = t.y\nfunction on.start() end", 2, "attempt to index a nil value"},
    {"local x = 1 + {}\nfunction on.start() end", 1, "attempt to perform arithmetic on a table"},
    {"local function f() error('deep', 2) end\n\nf()\nfunction on.start() end", 3, "deep"},
    {"error({})\nfunction on.start() end", 1, "table: "},
    {"error(setmetatable({}, {__tostring = function() return 'my text' end}))", 1, "my text"},
    {"local x <close> = 5\nfunction on.start() end", 1, "got a non-closable value"},
    {"assert(false, 'checked')\nfunction on.start() end", 1, "checked"},
    {"for i = 1, 10, 0 do end\nfunction on.start() end", 1, "'for' step is zero"},
    {"setmetatable({}, {__gc = function() end})\nfunction on.start() end", 1, "__gc"},
    {"local function f() return f() + 1 end\nreturn f()", 1, ""},
    {"local t = {}\nwhile true do t[#t + 1] = t end", 2, "ran for more than"},
    /* effects while loading (3.3) */
    {"\nchargepoint('CP1'):call('ClearCache')\nfunction on.start() end", 2,
     "cannot be used while a policy file loads"},
    {"store.set('k', 1)\nfunction on.start() end", 1, "cannot be used while a policy file loads"},
    /* require */
    {"\nlocal t = require 'missing'\nfunction on.start() end", 2, "there is no lib/missing.lua"},
    {"local t = require 'hepler'\nfunction on.start() end", 1, "did you mean 'helper'?"},
    {"local t = require 'io'\nfunction on.start() end", 1, "there is no lib/io.lua"},
    {"require(5)\nfunction on.start() end", 1, "require needs the name"},
    /* routes and timers */
    {"route('GET')\nfunction on.start() end", 1, ""},
    {"every('soon', function() end)", 1, ""},
    /* nothing */
    {"-- only a comment", 0, "registers nothing"},
    {"", 0, "registers nothing"},
    {"local function start() end", 0, "registers nothing"},
    {"return {authorize = function() end}", 0, "registers nothing"},
};

static bool has_finding(const struct policy_report *report, const char *file,
                        const struct broken *row)
{
    for (size_t i = 0; i < report->kept; i++) {
        const struct policy_error *error = &report->errors[i];
        if (strcmp(error->file, file) == 0 && (row->line == 0 || error->line == row->line) &&
            strstr(error->message, row->says))
            return true;
    }
    return false;
}

static void every_broken_file_is_refused_with_its_place(void **state)
{
    struct rig *rig = *state;
    bool all = true;
    rig->settings.memory_bytes = 256 << 20;
    rig_file(rig, "20-fine.lua", "function on.authorize() return 'Accepted' end");
    rig_file(rig, "lib/helper.lua", "return {}");
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        rig_file(rig, "10-a.lua", broken[i].code);
        if (!rig_load(rig) && has_finding(&rig->report, "10-a.lua", &broken[i]))
            continue;
        all = false;
        print_error("%s\n   wanted line %d: %s\n", broken[i].code, broken[i].line, broken[i].says);
        for (size_t j = 0; j < rig->report.kept; j++)
            print_error("   got %s:%d: %s\n", rig->report.errors[j].file,
                        rig->report.errors[j].line, rig->report.errors[j].message);
    }
    assert_true(all);
    assert_null(rig->policy->current);
    assert_true(rig->policy->last_refusal.any);
}

/* The same in a lib: the finding is at the lib's own line, once. */
static void a_broken_lib_is_reported_at_its_place(void **state)
{
    static const struct broken rows[] = {
        {"return {", 1, "unexpected symbol"},
        {"local x = 1\nreturn unknwon", 2, "unknwon is unknown"},
        {"\n\nerror 'bad date'", 3, "bad date"},
        {"function on.start() end", 1, "events are defined in policies/*.lua only"},
        {"x = 1", 1, "assignment to the global 'x'"},
    };
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua", "local ok, t = pcall(require, 'l')\nfunction on.start() end");
    rig_file(rig, "20-b.lua", "local ok, t = pcall(require, 'l')\nfunction on.start() end");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rig_file(rig, "lib/l.lua", rows[i].code);
        assert_false(rig_load(rig));
        if (!has_finding(&rig->report, "lib/l.lua", &rows[i]))
            print_error("%s: %s\n", rows[i].code, rig->report.errors[0].message);
        assert_true(has_finding(&rig->report, "lib/l.lua", &rows[i]));
        assert_int_equal(rig->report.error_count, 1);
    }
}

static void require_cycles_are_named(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "lib/a.lua", "return require 'b'");
    rig_file(rig, "lib/b.lua", "return require 'c'");
    rig_file(rig, "lib/c.lua", "\nreturn require 'a'");
    rig_file(rig, "10-a.lua", "require 'a'\nfunction on.start() end");
    assert_false(rig_load(rig));
    const struct broken row = {"", 2, "require 'a': it is being loaded right now (a cycle)"};
    assert_true(has_finding(&rig->report, "lib/c.lua", &row));
}

/* All problems are collected, not only the first; 20 are kept, all are counted (3.4). */
static void all_problems_are_collected(void **state)
{
    struct rig *rig = *state;
    struct strbuf code = {0};
    rig_file(rig, "10-a.lua",
             "function on.authorise() end\nfunction on.statsu() end\n"
             "on.boot = 5\nfunction on.meters() end");
    rig_file(rig, "20-b.lua", "function on.start() foo() bar() end");
    rig_file(rig, "30-c.lua", "syntax error");
    rig_file(rig, "40-d.lua", "function on.start() end");
    assert_false(rig_load(rig));
    assert_int_equal(rig->report.error_count, 7);
    assert_int_equal(rig->report.kept, 7);
    for (int i = 0; i < 30; i++)
        strbuf_addf(&code, "function on.wrong_%d() end\n", i);
    rig_file(rig, "30-c.lua", strbuf_text(&code));
    strbuf_clear(&code);
    assert_false(rig_load(rig));
    assert_int_equal(rig->report.error_count, 36);
    assert_int_equal(rig->report.kept, 20);
}

/* ---- reading (3.2) ---- */

static const struct policy_error *refused(struct rig *rig)
{
    assert_false(rig_load(rig));
    assert_int_equal(rig->report.error_count, 1);
    return &rig->report.errors[0];
}

static void files_run_in_byte_order(void **state)
{
    struct rig *rig = *state;
    static const char *const names[] = {"B.lua", "a.lua", "10.lua", "9.lua", "A.lua", "_.lua"};
    rig_file(rig, "lib/order.lua", "return {}");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char code[200];
        snprintf(code, sizeof(code),
                 "local order = require 'order'\norder[#order + 1] = '%s'\n"
                 "function on.authorize() if #order == 6 then return 'Accepted', "
                 "{why = table.concat(order, ' ')} end end",
                 names[i]);
        rig_file(rig, names[i], code);
    }
    rig_file(rig, "notes.txt", "not Lua");
    rig_file(rig, ".hidden.lua", "not Lua");
    rig_file(rig, "x.lua~", "not Lua");
    rig_load_ok(rig);
    assert_string_equal(rig_authorize(rig, "A")->why, "10.lua 9.lua A.lua B.lua _.lua a.lua");
}

static void an_empty_or_missing_folder_is_refused(void **state)
{
    struct rig *rig = *state;
    assert_non_null(strstr(refused(rig)->message, "has no policy"));
    rig_file(rig, "tests/a.lua", "test('x', function() end)");
    assert_non_null(strstr(refused(rig)->message, "has no policy"));
    policy_free(rig->policy);
    rig->policy = NULL;
    rig->settings.dir = "/nonexistent/policies";
    assert_non_null(strstr(refused(rig)->message, "No such file"));
    assert_string_equal(rig->report.errors[0].file, "/nonexistent/policies");
}

static void symlinks_that_leave_the_folder_are_refused(void **state)
{
    struct rig *rig = *state;
    char path[200], outside[64] = "/tmp/cb-policy-XXXXXX";
    int fd = mkstemp(outside);
    assert_true(fd >= 0);
    close(fd);
    rig_file(rig, "10-a.lua", "function on.start() end");
    snprintf(path, sizeof(path), "%s/20-link.lua", rig->dir);
    assert_int_equal(symlink(outside, path), 0);
    const struct policy_error *error = refused(rig);
    assert_string_equal(error->file, "20-link.lua");
    assert_non_null(strstr(error->message, "symlink that leaves"));
    unlink(path);
    assert_int_equal(symlink("10-a.lua", path), 0); /* inside is fine */
    rig_load_ok(rig);
    unlink(path);
    snprintf(path, sizeof(path), "%s/lib/l.lua", rig->dir);
    assert_int_equal(symlink("../../outside.lua", path), 0);
    assert_string_equal(refused(rig)->file, "lib/l.lua");
    unlink(outside);
}

static void unreadable_files_are_refused(void **state)
{
    struct rig *rig = *state;
    char path[200];
    rig_file(rig, "10-a.lua", "function on.start() end");
    snprintf(path, sizeof(path), "%s/20-dir.lua", rig->dir);
    mkdir(path, 0700);
    assert_non_null(strstr(refused(rig)->message, "no regular file"));
    rmdir(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not hang */
    assert_non_null(strstr(refused(rig)->message, "no regular file"));
    unlink(path);
    assert_int_equal(symlink("nowhere.lua", path), 0);
    assert_non_null(strstr(refused(rig)->message, "cannot be read"));
    unlink(path);
    if (geteuid() != 0) {
        rig_file(rig, "30-b.lua", "function on.start() end");
        snprintf(path, sizeof(path), "%s/30-b.lua", rig->dir);
        chmod(path, 0);
        assert_non_null(strstr(refused(rig)->message, "cannot be read"));
    }
}

static void what_is_too_much_is_refused(void **state)
{
    struct rig *rig = *state;
    struct strbuf big = {0};
    char name[200];
    for (int i = 0; i < 600000; i++)
        strbuf_adds(&big, "-- lorem");
    rig_file(rig, "10-a.lua", strbuf_text(&big));
    strbuf_clear(&big);
    assert_non_null(strstr(refused(rig)->message, "is longer than"));
    rig_remove(rig, "10-a.lua");
    memset(name, 'x', 120);
    snprintf(name + 120, sizeof(name) - 120, ".lua");
    rig_file(rig, name, "function on.start() end");
    assert_false(rig_load(rig));
    assert_non_null(strstr(rig->report.errors[0].message, "has a name longer than"));
    rig_remove(rig, name);
    for (int i = 0; i < 520; i++) {
        snprintf(name, sizeof(name), "f%d.lua", i);
        rig_file(rig, name, "function on.start() end");
    }
    assert_false(rig_load(rig));
    assert_non_null(strstr(rig->report.errors[0].message, "is too much"));
}

static void the_sources_are_kept_with_their_digests(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua", "function on.start() end");
    rig_file(rig, "lib/b.lua", "return 1");
    rig_file(rig, "tests/c.lua", "test('nothing', function(t) end)");
    rig_load_ok(rig);
    const struct generation *current = rig->policy->current;
    int file = generation_file(current, "10-a.lua", 8);
    assert_true(file >= 0);
    assert_string_equal(current->sources.files[file].text, "function on.start() end");
    char digest[SHA256_HEX_SIZE];
    sha256_hex("function on.start() end", 23, digest);
    assert_string_equal(current->sources.files[file].sha256, digest);
    assert_true(generation_file(current, "lib/b.lua", 9) >= 0);
    assert_true(generation_file(current, "tests/c.lua", 11) >= 0);
    assert_int_equal(rig->report.files, 3);
    assert_int_equal(rig->report.tests, 1);
}

static void a_byte_order_mark_is_no_error(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "\xef\xbb\xbf"
             "function on.authorize() error 'here' end");
    rig_load_ok(rig);
    assert_int_equal(rig_authorize(rig, "A")->line, 1);
}

/* ---- tests of policies (3.4) ---- */

static void failing_tests_refuse_the_build(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "function on.authorize(tag) if tag == 'LOST' then return 'Accepted' "
             "end end");
    rig_file(rig, "tests/a.lua",
             "test('a lost card is refused', function(t)\n"
             "  t.eq(t.authorize('LOST', 'CP1'), 'Blocked')\n"
             "end)\n"
             "test('fine', function(t) t.eq(1, 1) end)\n"
             "test('bad', function(t) error 'oops' end)");
    assert_false(rig_load(rig));
    assert_int_equal(rig->report.tests, 3);
    assert_int_equal(rig->report.error_count, 2);
    assert_string_equal(rig->report.errors[0].file, "tests/a.lua");
    assert_int_equal(rig->report.errors[0].line, 2);
    assert_non_null(strstr(rig->report.errors[0].message, "a lost card is refused"));
    assert_int_equal(rig->report.errors[1].line, 5);
}

/* What tests leave in Lua variables never goes live: they run on a state of their own. */
static void tests_leave_nothing_behind(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "local seen = 0\n"
             "function on.authorize(tag) seen = seen + 1 "
             "return 'Accepted', {why = 'seen ' .. seen} end");
    rig_file(rig, "tests/a.lua",
             "test('count', function(t)\n"
             "  for i = 1, 3 do t.authorize('A', 'CP1') end\n"
             "end)");
    rig_load_ok(rig);
    assert_int_equal(rig->report.tests, 1);
    assert_string_equal(rig_authorize(rig, "A")->why, "seen 1");
}

/* The same checks without threads or station: `chargebridge check DIR` (3.1). */
static void offline_check(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua", "function on.authorize() return 'Accepted' end");
    assert_true(policy_check_offline(&rig->settings, &rig->report));
    assert_true(rig->report.ok);
    assert_int_equal(rig->report.files, 1);
    rig_file(rig, "10-a.lua", "function on.authorise() end");
    assert_false(policy_check_offline(&rig->settings, &rig->report));
    assert_int_equal(rig->report.errors[0].line, 1);
}

/* Vendors have actions of their own: a near miss is loaded, and warned of. */
static void unknown_actions_are_warned_of(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "\nfunction on.DataTransfr() end\nfunction on.Frobnicate() end\n"
             "function on.Heartbeat() end");
    rig_load_ok(rig);
    assert_true(rig_logged(rig, "action=DataTransfr did_you_mean=DataTransfer"));
    assert_false(rig_logged(rig, "Frobnicate"));
    assert_false(rig_logged(rig, "action=Heartbeat"));
}

static void methods_of_ones_own_are_known(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "local account = {}\nfunction account:draw() return self end\n"
             "local other = { bow = account.draw }\n"
             "function on.start(tx) account:draw() other:bow() tx.cp.id:upper():rep(2) end");
    rig_load_ok(rig);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_broken_file_is_refused_with_its_place),
        CASE(a_broken_lib_is_reported_at_its_place),
        CASE(methods_of_ones_own_are_known),
        CASE(require_cycles_are_named),
        CASE(all_problems_are_collected),
        CASE(files_run_in_byte_order),
        CASE(an_empty_or_missing_folder_is_refused),
        CASE(symlinks_that_leave_the_folder_are_refused),
        CASE(unreadable_files_are_refused),
        CASE(what_is_too_much_is_refused),
        CASE(the_sources_are_kept_with_their_digests),
        CASE(a_byte_order_mark_is_no_error),
        CASE(failing_tests_refuse_the_build),
        CASE(tests_leave_nothing_behind),
        CASE(offline_check),
        CASE(unknown_actions_are_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

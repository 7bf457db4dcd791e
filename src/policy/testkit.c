/* Runs the tests of tests/, each in a world of its own (testkit.h), and tells what failed.
 *
 * `test` collects while a test file loads; afterwards the tests run one by one, in order, under the
 * budget of the build. The clock is faked for this thread only, and put back at the end. What tests
 * see as `t` is made by lua/testkit.lua. */
#include "policy/testkit.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/build_parts.h"
#include "policy/limits.h"

static const char tests_key; /* registry: list of { name, function, file, line } */
static const wall_t start_of_tests = 1767268800000; /* 2026-01-01T12:00:00Z */

/* ---- collecting ---- */

static int test_new(lua_State *L)
{
    struct generation *generation = generation_of(L);
    api_arg_string(L, "test", 1, "name");
    api_arg_function(L, "test", 2, "function");
    if (generation->loading_file < 0)
        return api_raise(L, "test can only be used while a test file loads");
    struct api_place place = {.file = "?"};
    api_caller(L, &place);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &tests_key);
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    if (count >= POLICY_TESTS_MAX)
        return api_raise(L, "test: more than %d tests", POLICY_TESTS_MAX);
    lua_createtable(L, 4, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, 2);
    lua_pushstring(L, place.file);
    lua_rawseti(L, -2, 3);
    lua_pushinteger(L, place.line);
    lua_rawseti(L, -2, 4);
    lua_rawseti(L, -2, count + 1);
    return 0;
}

/* Argument: the number of lua/testkit.lua. Result: what makes a `t`. */
static int open_kit(lua_State *L)
{
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &tests_key);
    if (!build_run_chunk(generation_of(L), (int)lua_tointeger(L, 1), L))
        return luaL_error(L, "it has errors");
    testkit_push_functions(L);
    lua_call(L, 1, 1);
    return 1;
}

/* ---- running ---- */

struct test { /* texts are kept alive by the list */
    const char *name, *file;
    int line;
};

static struct test test_at(lua_State *L, lua_Integer index)
{
    struct test test;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &tests_key);
    lua_rawgeti(L, -1, index);
    lua_rawgeti(L, -1, 1);
    test.name = lua_tostring(L, -1);
    lua_rawgeti(L, -2, 3);
    test.file = lua_tostring(L, -1);
    lua_rawgeti(L, -3, 4);
    test.line = (int)lua_tointeger(L, -1);
    lua_pop(L, 5);
    return test;
}

static void tell(struct policy_report *report, const struct test *test,
                 const struct policy_error *why)
{
    bool in_test = text_is(why->file, test->file);
    if (in_test || !why->file[0])
        finding_add(report, test->file, why->line ? why->line : test->line, "test \"%s\": %s",
                    test->name, why->message);
    else
        finding_add(report, test->file, test->line, "test \"%s\": %s:%d: %s", test->name, why->file,
                    why->line, why->message);
}

/* The factory of `t` is on top of the stack and stays there. */
static void run_test(struct generation *generation, lua_Integer index, struct policy_report *report)
{
    lua_State *L = generation->L;
    struct test test = test_at(L, index);
    struct policy_error why;
    clock_fake(start_of_tests);
    struct testkit *kit = testkit_new(generation);
    lua_pushvalue(L, -1);
    bool ok = generation_call(generation, 0, 1, BUDGET_LOAD, &why);
    if (ok) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &tests_key);
        lua_rawgeti(L, -1, index);
        lua_rawgeti(L, -1, 2);
        lua_replace(L, -3);
        lua_pop(L, 1);
        lua_insert(L, -2); /* the function, t */
        ok = generation_call(generation, 1, 0, BUDGET_LOAD, &why);
    }
    if (!ok)
        tell(report, &test, &why);
    if (kit->failure.text[0]) /* mostly why the test failed, too */
        finding_add(report, test.file, test.line, "test \"%s\": a handler failed: %s", test.name,
                    kit->failure.text);
    testkit_free(kit);
}

static bool is_stopped(struct generation *generation, struct policy_report *report)
{
    if (generation->stop && atomic_load(generation->stop))
        return true;
    if (generation->load_left_us > 0)
        return false;
    finding_add(report, "tests", 0, "loading and testing took more than %lld ms of CPU time",
                (long long)generation->settings->load_total_ms);
    return true;
}

static size_t run_all(struct generation *generation, struct policy_report *report)
{
    lua_State *L = generation->L;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &tests_key);
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    lua_pop(L, 1);
    for (lua_Integer i = 1; i <= count && !is_stopped(generation, report); i++)
        run_test(generation, i, report);
    return (size_t)count;
}

/* Leaves the factory of `t` on top. */
static bool load_kit(struct generation *generation, struct policy_report *report)
{
    static const char name[] = "lua/testkit.lua";
    lua_State *L = generation->L;
    struct policy_error why;
    lua_pushcfunction(L, open_kit);
    lua_pushinteger(L, generation_file(generation, name, strlen(name)));
    bool ok = generation_call(generation, 1, 1, BUDGET_LOAD, &why);
    generation->loading_file = -1;
    if (!ok)
        finding_add(report, name, why.line, "%s", why.message);
    return ok;
}

size_t testkit_run(struct generation *generation, struct policy_report *report)
{
    bool was_fake = clock_is_fake(), was_muted = log_mute(true);
    wall_t wall = wall_now();
    mono_t mono = mono_now();
    size_t count = 0;
    int top = lua_gettop(generation->L);
    lua_checkstack(generation->L, 20);
    generation->report = report;
    if (load_kit(generation, report)) {
        for (size_t i = 0; i < generation->sources.count; i++) {
            if (source_kind_of(&generation->sources.files[i]) == SOURCE_TEST)
                build_run_file(generation, i, report);
        }
        count = run_all(generation, report);
    }
    generation->report = NULL;
    lua_settop(generation->L, top);
    log_mute(was_muted);
    if (was_fake) /* tests of this program fake the clock themselves */
        testkit_fake_clock(wall, mono);
    else
        clock_real();
    return count;
}

/* ---- what tests see ---- */

static const struct api_row test_rows[] = {
    {"test", test_new, "fun(name: string, f: fun(t: t))",
     "A test, in policies/tests: runs at every check and load, with fake chargers and a fake clock "
     "that starts at 2026-01-01T12:00:00Z. Each test has chargers and transactions of its own.",
     false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_test = {
    .on = "", .class_doc = "Tests of policies.", .rows = test_rows, .testing = true};

static const struct api_row t_rows[] = {
    {"eq", NULL, "fun(got: any, wanted: any, what?: string)", "Fails unless both are equal.",
     false},
    {"ok", NULL, "fun(value: any, what?: string)", "Fails if the value is false or nil.", false},
    {"authorize", NULL,
     "fun(idTag: string, cp: string, ask?: { purpose?: string, connector?: integer }): string, "
     "table",
     "Presents a card: the status, and the whole idTagInfo. purpose = \"start\" asks by a "
     "StartTransaction (which is kept).",
     false},
    {"transaction", NULL,
     "fun(what: { cp: string, idTag: string, connector?: integer, kwh?: number }): tx, string",
     "Starts a transaction, maybe with some energy already; the tx, and the status it was "
     "answered.",
     false},
    {"meter", NULL,
     "fun(tx: tx, what: { power?: number, soc?: number, current?: number, voltage?: number, "
     "temperature?: number, every?: string|number, count?: integer })",
     "Sends meter values, `count` times (1), one each `every` (\"60s\"), while the transaction is "
     "open: the energy that the power has given, and what is named.",
     false},
    {"stop", NULL, "fun(tx: tx, what?: { reason?: string, idTag?: string }): table",
     "Ends a transaction at the charger; the answer.", false},
    {"status", NULL, "fun(cp: string, connector: integer, status: string, errorCode?: string)",
     "Sends a StatusNotification.", false},
    {"call", NULL, "fun(cp: string, action: string, payload?: table): table?, err?",
     "Sends any CALL from the charger; the answer, or nil and the CALLERROR.", false},
    {"answers", NULL, "fun(action: string, answer: table|function|\"timeout\"|\"offline\"|string)",
     "How chargers answer this action from now on: a payload, a function(cp, payload) that returns "
     "one, \"timeout\" (never), \"offline\" (drops the line), or a CALLERROR code. Without it they "
     "accept.",
     false},
    {"sent", NULL,
     "fun(cp?: string, action?: string): { cp: string, action: string, payload: table }[]",
     "What the server has sent to chargers so far.", false},
    {"connect", NULL, "fun(cp: string)",
     "Connects and boots a charger; others do it when first used.", false},
    {"disconnect", NULL, "fun(cp: string)", "Drops its line.", false},
    {"clock", NULL, "fun(time: string|integer)", "Sets the clock: \"2026-05-01T12:00:00Z\".",
     false},
    {"advance", NULL, "fun(time: string|number)", "Moves the clock on, timer by timer: \"15m\".",
     false},
    {"tag", NULL,
     "fun(tag: { idTag: string, status: string, expires?: integer, parentIdTag?: string, "
     "max_active?: integer })",
     "Sets a tag as PUT /api/v1/tags does.", false},
    {"called", NULL, "fun(cp?: string, action: string): table?",
     "The payload of the newest such CALL to a charger; nil if there was none.", false},
    {"limit", NULL, "fun(tx: tx): number?, string?",
     "The limit that its charger was told last and accepted, and the unit: \"A\" or \"W\".", false},
    {"request", NULL,
     "fun(route: string, body?: any, headers?: table<string, string>): integer, any",
     "A REST request with an admin key: t.request(\"GET /mine?a=1\"); status and body. Headers: "
     "Accept, Idempotency-Key, Prefer, Last-Event-ID.",
     false},
    {"http", NULL, "fun(url: string, answer: table|function|string)",
     "What http.get and http.post get from now on where the URL fits (`*` stands for anything): { "
     "status = 200, json = …, body = \"…\", headers = {…} }, a function(request) that returns one, "
     "or \"timeout\", \"unreachable\", \"refused\", \"too_large\". The newest that fits counts; "
     "where none does, nobody is there.",
     false},
    {"requested", NULL,
     "fun(url?: string): { method: string, url: string, body: string, json?: any, headers: "
     "table<string, string> }[]",
     "The HTTP requests of policies so far.", false},
    {"webhooks", NULL,
     "fun(name?: string): { webhook: string, id: string, event: string, payload: any }[]",
     "What was given to webhooks so far.", false},
    {"allow_errors", NULL, "fun()", "From now on a handler that fails is not the test's failure.",
     false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_t = {
    .on = "t", .class_doc = "What a test has.", .rows = t_rows, .object = true};

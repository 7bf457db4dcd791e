/* Time, windows, log, json, cjson, store, vars: every row, every error, through a real policy. */
#include "api_world.h"

static void test_time(void **state)
{
    (void)state;
    lua_gives("return now()", "1752470408");
    lua_gives("return {minutes(15), hours(2), days(1), minutes(1.5), minutes(0.01)}",
              "[900,7200,86400,90,0.6]");
    lua_gives("return {duration('90s'), duration('1h30m'), duration(5), duration('250ms')}",
              "[90,5400,5,0.25]");
    lua_gives("return {timestamp(), timestamp(0), timestamp(0.9)}",
              "[\"2025-07-14T05:20:08Z\",\"1970-01-01T00:00:00Z\",\"1970-01-01T00:00:00Z\"]");
    lua_gives("return {parse_time('2025-07-14T05:20:08Z'), parse_time('2025-07-14T07:20:08+02:00'),"
              " parse_time('1970-01-02')}",
              "[1752470408,1752470408,86400]");
    lua_gives("local t, err = parse_time('tomorrow') return {t == nil, err.code, err.message}",
              "[true,\"invalid\",\"\\\"tomorrow\\\" is no date or time\"]");
}

static void test_time_errors(void **state)
{
    (void)state;
    lua_fails("return minutes({})", "minutes: argument 1 (count) must be a number, not a table");
    lua_fails("return hours()", "hours: argument 1 (count) must be a number, not nil");
    lua_fails("return days('1')", "days: argument 1 (count) must be a number, not a string");
    lua_fails("return duration('soon')", "duration: text: \\\"soon\\\" is no duration");
    lua_fails("return duration(-1)", "a number of seconds from 0 on");
    lua_fails("return duration({})", "must be a duration such as");
    lua_fails("return timestamp(1e300)", "out of range");
    lua_fails("return timestamp('x')", "must be a number");
    lua_fails("return parse_time(5)", "parse_time: argument 1 (text) must be a string");
}

static void test_windows(void **state)
{
    (void)state;
    /* 2025-07-14 was a Monday; 05:20 UTC. */
    lua_gives("return {window('05:00-06:00'):contains(), window('06:00-07:00'):contains(),"
              " window('22:00-06:00'):contains(), window('22:00-05:20'):contains(),"
              " window('00:00-24:00'):contains(), window('mon 05:00-06:00'):contains(),"
              " window('tue-sun 00:00-24:00'):contains(), window('sun 22:00-06:00'):contains(),"
              " window('mon 22:00-06:00'):contains(), window('sat-mon 05:20-05:21'):contains(),"
              " window('12:00-13:00, mon-fri 05:00-05:30'):contains()}",
              "[true,false,true,false,true,true,false,true,false,true,true]");
    lua_gives("return window('22:00-06:00'):contains(0)", "true");
    lua_gives("return window('22:00-06:00'):contains(-3600)", "true");
    lua_gives("return window('12:00-13:00'):contains(-3600)", "false");
    lua_gives("return tostring(window('22:00-06:00'))", "\"22:00-06:00\"");
}

static void test_windows_are_in_site_time(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->settings.zone_minutes = 120;
    world_file(w, "10-t.lua",
               "route('GET /w', function() return 200, {window('07:00-08:00'):contains(),"
               " parse_time('1970-01-01'), parse_time('1970-01-01T02:00:00')} end)");
    assert_true(world_load(w));
    EXPECT(w, "GET /w", NULL, 200, "[true,-7200,0]");
    world_free(w);
}

static void test_window_errors(void **state)
{
    (void)state;
    lua_fails("return window()", "window: argument 1 (hours) must be a string, not nil");
    lua_fails("return window('')", "no hours at all");
    lua_fails("return window('25:00-26:00')", "\\\"25:00-26:00\\\" are no hours");
    lua_fails("return window('10:00')", "are no hours");
    lua_fails("return window('10:5-11:00')", "are no hours");
    lua_fails("return window('24:00-01:00')", "are no hours");
    lua_fails("return window('funday 10:00-11:00')", "\\\"funday\\\" are no days");
    lua_fails("return window('mon-funday 10:00-11:00')", "are no days");
    lua_fails("return window(('1:00-2:00,'):rep(16) .. '3:00-4:00')", "more than 16 windows");
    lua_fails("return window('1:00-2:00').contains()", "window:contains needs a window");
    lua_fails("return window('1:00-2:00').contain", "did you mean contains?");
    lua_fails("return window('1:00-2:00'):contains({})", "argument 1 (time) must be a number");
    lua_fails("return window('1:00-2:00'):contains(1e300)", "out of range");
}

/* How often a text is in the log. */
static int times(const struct world *w, const char *text)
{
    int count = 0;
    for (const char *at = strbuf_text(&w->log); (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void test_log(void **state)
{
    (void)state;
    struct world *w = world_running("log.info('%s is %d of %.1f', 'x', 3, 2) log.warn({1} ~= nil)"
                                    " log.error('100%') log.debug('hidden') return 1");
    assert_int_equal(ask(w, "POST /run", NULL), 200);
    assert_int_equal(times(w, "level=info msg=\"x is 3 of 2.0\" file=10-t.lua line=2"), 1);
    assert_int_equal(times(w, "level=warn msg=true "), 1);
    assert_int_equal(times(w, "level=error msg=100% "), 1);
    assert_int_equal(times(w, "hidden"), 0);
    world_free(w);
}

static void test_log_errors(void **state)
{
    (void)state;
    lua_fails("log.info()", "log.info: argument 1 (format) is missing");
    lua_fails("log.info('%d', 'x')", "log.info: bad argument #2 (number expected");
    lua_fails("log.warn('%s %s', 1)", "log.warn: bad argument #3");
    lua_fails("log.info({}, 1)", "log.info: argument 1 (format) must be a string, not a table");
    lua_fails("local l = {log} l[1].inf('x')", "log.inf does not exist; did you mean log.info?");
    lua_fails("local l = log l.info = 1", "log is read-only");
}

static void test_twenty_lines_a_second(void **state)
{
    (void)state;
    struct world *w = world_running("for i = 1, 50 do log.info('line %d', i) end return 1");
    assert_int_equal(ask(w, "POST /run", NULL), 200);
    assert_int_equal(times(w, "msg=\"line "), 20);
    assert_int_equal(times(w, "more"), 0);
    pass(w->f, 1000); /* the timer tells */
    assert_int_equal(times(w, "msg=\"30 more\" file=10-t.lua"), 1);
    assert_int_equal(ask(w, "POST /run", NULL), 200);
    assert_int_equal(times(w, "msg=\"line "), 40);
    world_free(w); /* what was dropped meanwhile is told when the generation goes */
}

static void test_json_rows(void **state)
{
    (void)state;
    lua_gives("return json.encode { b = 1, a = json.array(), c = json.null }",
              "\"{\\\"a\\\":[],\\\"b\\\":1,\\\"c\\\":null}\"");
    lua_gives("return json.decode('{\"a\":[],\"b\":1.5,\"c\":null}')", "{\"a\":[],\"b\":1.5}");
    lua_gives("local v, err = json.decode('{') return {v == nil, err.code}", "[true,\"invalid\"]");
    lua_gives("return json.array { 1 }", "[1]");
    lua_gives("return json.ordered({'z', 'gone', 'a'}, {a = 1, m = 2, z = 3})",
              "{\"z\":3,\"gone\":null,\"a\":1,\"m\":2}");
    lua_gives("local v = json.decode('5') return math.type(v)", "\"integer\"");
}

static void test_json_errors(void **state)
{
    (void)state;
    lua_fails("return json.encode()", "json.encode: argument 1 (value) is missing");
    lua_fails("return json.encode(json.encode)", "json.encode: a function cannot be JSON");
    lua_fails("local s = ('\\1'):rep(2000000) return json.encode {s}", "more than 8 MiB of text");
    lua_fails("return json.decode(5)", "json.decode: argument 1 (text) must be a string");
    lua_fails("return json.array(5)", "json.array: argument 1 (list) must be a table");
    lua_fails("return json.ordered(5, {})", "json.ordered: argument 1 (names)");
    lua_fails("return json.ordered({}, 5)", "json.ordered: argument 2 (object)");
    lua_fails("return json.encode(chargepoint('CP1'))", "a cp cannot be JSON");
}

static void test_cjson(void **state)
{
    (void)state;
    struct world *w = world_with(
        "local cjson, safe = require 'cjson', require 'cjson.safe'\n"
        "route('GET /c', function()\n"
        "  local v = cjson.decode('{\"a\":1,\"b\":null}')\n"
        "  local bad = pcall(cjson.decode, '{')\n"
        "  local n, err = safe.decode('{')\n"
        "  local deep = pcall(cjson.decode, ('['):rep(40) .. (']'):rep(40))\n"
        "  local t = {} t.t = t\n"
        "  local s = ('x'):rep(1000000)\n"
        "  return 200, {v.a, v.b == cjson.null, cjson.null == json.null, cjson.encode({1, 2}), bad,"
        "    n == nil, type(err), deep, pcall(cjson.encode, t), pcall(cjson.encode, "
        "{s,s,s,s,s,s,s,s,s})\n"
        "  } end)\n"
        "route('GET /d', function() return 200, {cjson.decode_max_depth} end)\n"
        "route('GET /e', function() cjson.encode = 1 return 200 end)\n"
        "route('GET /f', function() return 200, {pcall(cjson.encode, chargepoint)} end)");
    EXPECT_PART(w, "GET /c", NULL, 200,
                "[1,true,true,\"[1,2]\",false,true,\"string\",false,false,");
    EXPECT_PART(w, "GET /d", NULL, 500, "instance");
    EXPECT_PART(w, "GET /e", NULL, 500, "instance");
    assert_non_null(strstr(strbuf_text(&w->log), "cjson is read-only"));
    EXPECT_PART(w, "GET /f", NULL, 200, "[false,");
    world_free(w);
}

static void test_store(void **state)
{
    (void)state;
    lua_gives("store.set('a', {1, {x = 2.5}}) store.set('b', false) return {store.get 'a',"
              " store.get 'b', store.get 'c' == nil}",
              "[[1,{\"x\":2.5}],false,true]");
    lua_gives("store.set('a', 1) store.set('a', nil) return store.get 'a' == nil", "true");
    struct world *w = world_with("route('POST /set', function() store.set('k', 1, { ttl = '1m' })"
                                 " return 204 end)\n"
                                 "route('GET /get', function() return 200, { store.get 'k' } end)");
    EXPECT(w, "POST /set", NULL, 204, "");
    EXPECT(w, "GET /get", NULL, 200, "[1]");
    clock_advance(60000);
    EXPECT(w, "GET /get", NULL, 200, "{}");
    world_free(w);
}

static void test_store_errors(void **state)
{
    (void)state;
    lua_fails("store.set()", "store.set: argument 1 (key) must be a string, not nil");
    lua_fails("store.set('a')", "argument 2 (value) is missing; nil deletes");
    lua_fails("store.set('a', store.set)", "store.set: a function cannot be JSON");
    lua_fails("store.set('a', ('x'):rep(65535))", "longer than 65536 bytes");
    lua_gives("store.set('a', ('x'):rep(65534)) return #store.get('a')", "65534");
    lua_fails("store.set(('x'):rep(256), 1)", "more than 255 bytes");
    lua_fails("store.set('a\\0b', 1)", "zero byte");
    lua_fails("store.set('a', 1, 5)", "argument 3 (options) must be a table");
    lua_fails("store.set('a', 1, { tll = 5 })", "unknown option tll; did you mean ttl?");
    lua_fails("store.set('a', 1, { ttl = 'x' })", "is no duration");
    lua_fails("store.get(5)", "store.get: argument 1 (key) must be a string, not a number");
}

static void test_vars(void **state)
{
    (void)state;
    lua_gives(
        "local cp = chargepoint 'CP1' local v = cp.vars\n v.a = 1 v.b = {x = {1, 2}} v.c = 'x'"
        " v.d = 2.5 v.e = false v.a = nil local n = 0 for k in pairs(v) do n = n + 1 end"
        " return {v.a == nil, v.b, v.c, v.d, v.e, n, tostring(v)}",
        "[true,{\"x\":[1,2]},\"x\",2.5,false,4,\"vars of CP1\"]");
    lua_gives("local b = chargepoint 'CP1'.vars b.t = {1} local t = b.t t[1] = 2 return b.t",
              "[1]");
    lua_gives("local v = chargepoint 'GONE' return v == nil", "true");
}

static void test_vars_are_stored(void **state)
{
    (void)state;
    struct world *w = world_running("chargepoint('CP1').vars.x = {y = 1} return 1");
    assert_int_equal(ask(w, "POST /run", NULL), 200);
    EXPECT_ROWS(w->f, 1, "CHARGE_POINT vars={\"x\":{\"y\":1}}");
    world_free(w);
}

static void test_vars_errors(void **state)
{
    (void)state;
    lua_fails("chargepoint('CP1').vars.x = function() end", "cp.vars: a function cannot be JSON");
    lua_fails("chargepoint('CP1').vars.x = 0/0", "cp.vars: JSON has no infinite numbers");
    lua_fails("chargepoint('CP1').vars[1] = 1", "argument 2 (name) must be a string");
    lua_fails("chargepoint('CP1').vars.x = ('x'):rep(17000)", "vars would exceed 16384 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_time_errors),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_windows_are_in_site_time),
        cmocka_unit_test(test_window_errors),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_log_errors),
        cmocka_unit_test(test_twenty_lines_a_second),
        cmocka_unit_test(test_json_rows),
        cmocka_unit_test(test_json_errors),
        cmocka_unit_test(test_cjson),
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_store_errors),
        cmocka_unit_test(test_vars),
        cmocka_unit_test(test_vars_are_stored),
        cmocka_unit_test(test_vars_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Scenarios: time, tasks, waiting, verdicts, HTTP, and everything a script must not be able to do.
 * The clock is fake: a day passes in a few turns of the loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/http.h"
#include "sim/parts.h"
#include "sim/scenario.h"

enum { TURNS_MAX = 20000 };

struct rig {
    struct loop *loop;
    struct ws_client_context *context;
    struct http_client *client;
    struct fleet *fleet;
    struct scenario *scenario;
    struct http *http; /* the other side of http.* */
    struct strbuf log, errors, asked;
    char path[40];
    int finished, code;
};

static void on_line(void *ctx, const char *line, size_t len)
{
    struct rig *rig = ctx;
    if (strstr(line, "msg=scenario ")) {
        strbuf_add(&rig->log, line, len);
        strbuf_addc(&rig->log, '\n');
    }
}

static void on_finished(void *ctx, int code)
{
    struct rig *rig = ctx;
    rig->finished++;
    rig->code = code;
}

static void on_request(void *ctx, uint64_t id, const struct request *request)
{
    struct rig *rig = ctx;
    struct response response = {.status = 200, .content_type = "application/json"};
    strbuf_reset(&rig->asked);
    strbuf_addf(&rig->asked, "%s %s %.*s", request->method, request->path, (int)request->body.len,
                request->body.at ? request->body.at : "");
    for (size_t i = 0; i < request->header_count; i++)
        if (text_is(request->headers[i].name, "x-one") ||
            text_is(request->headers[i].name, "content-type"))
            strbuf_addf(&rig->asked, " %s", request->headers[i].value);
    response.body = SPAN("{\"list\":[1,2.5,\"x\",true,null],\"none\":null}");
    http_respond(rig->http, id, &response);
}

static int rig_setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof(*rig));
    struct reason why;
    clock_fake(1750000000000); /* 2025-06-15T15:06:40Z */
    log_redirect(on_line, rig);
    rig->loop = loop_new();
    rig->context = ws_client_context_open(rig->loop, &why);
    rig->client = http_client_open(rig->loop, &why);
    struct fleet_settings settings = {.count = 0};
    rig->fleet = fleet_new(&settings, rig->loop, rig->context, rig->client);
    struct http_settings http = {.address = "127.0.0.1",
                                 .max_body = 65536,
                                 .request_timeout_ms = 10000,
                                 .answer_timeout_ms = 10000,
                                 .connections_max = 10,
                                 .connections_per_address = 10};
    rig->http = http_open(&http, loop_timers(rig->loop), on_request, rig, &why);
    assert_non_null(rig->http);
    strcpy(rig->path, "/tmp/scenario-XXXXXX");
    int fd = mkstemp(rig->path);
    assert_true(fd >= 0);
    close(fd);
    *state = rig;
    return 0;
}

static int rig_teardown(void **state)
{
    struct rig *rig = *state;
    scenario_free(rig->scenario);
    fleet_free(rig->fleet);
    http_close(rig->http);
    http_client_close(rig->client);
    ws_client_context_free(rig->context);
    loop_free(rig->loop);
    log_redirect(NULL, NULL);
    strbuf_clear(&rig->log);
    strbuf_clear(&rig->errors);
    strbuf_clear(&rig->asked);
    unlink(rig->path);
    xfree(rig);
    clock_real();
    return 0;
}

/* What it takes to load `text`; NULL and why. */
static struct scenario *load(struct rig *rig, const char *text, struct reason *why)
{
    char port[10];
    snprintf(port, sizeof(port), "%d", http_port(rig->http));
    struct sim_argument arguments[] = {{"port", port}, {"who", "me"}};
    struct scenario_settings settings = {.loop = rig->loop,
                                         .http = rig->client,
                                         .fleet = rig->fleet,
                                         .charger = {.host = "127.0.0.1",
                                                     .port = 1,
                                                     .path = "/ocpp",
                                                     .connectors = 2,
                                                     .power_w = 120000,
                                                     .battery_wh = 75000,
                                                     .soc = 20,
                                                     .meter_interval_s = 600,
                                                     .boot_delay_ms = 864000000,
                                                     .seed = 5,
                                                     .vendor = "V",
                                                     .model = "M",
                                                     .firmware = "F"},
                                         .arguments = arguments,
                                         .argument_count = 2,
                                         .finished = on_finished,
                                         .ctx = rig};
    int fd = open(rig->path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    rig->scenario = scenario_open(rig->path, &settings, why);
    return rig->scenario;
}

static void turn(struct rig *rig)
{
    http_run(rig->http);
    if (http_client_active(rig->client) > 0) {
        loop_run_once(rig->loop, 5); /* sockets are real, time stands still meanwhile */
        return;
    }
    loop_run_once(rig->loop, 0);
    int64_t next = timers_next(loop_timers(rig->loop));
    clock_advance(next > 0 ? next : 0);
}

/* Plays to the end; what went to stderr is in rig->errors. Returns the code. */
static int play(struct rig *rig, const char *text)
{
    struct reason why = {""};
    char block[4096];
    if (!load(rig, text, &why))
        fail_msg("%s", why.text);
    assert_int_equal(rig->finished, 0);
    fflush(stderr);
    int kept = dup(2);
    FILE *file = tmpfile();
    dup2(fileno(file), 2);
    for (int turns = 0; turns < TURNS_MAX && !rig->finished; turns++)
        turn(rig);
    fflush(stderr);
    dup2(kept, 2);
    close(kept);
    rewind(file);
    size_t len = fread(block, 1, sizeof(block), file);
    strbuf_add(&rig->errors, block, len);
    fclose(file);
    assert_int_equal(rig->finished, 1);
    for (int i = 0; i < 5; i++)
        loop_run_once(rig->loop, 0);
    assert_int_equal(rig->finished, 1);
    return rig->code;
}

static const char *errors(const struct rig *rig)
{
    return strbuf_text(&rig->errors);
}

static void expect_clean(struct rig *rig, const char *text)
{
    int code = play(rig, text);
    if (code != 0 || *errors(rig))
        fail_msg("%d: %s", code, errors(rig));
}

/* The texts stand in the log in this order. */
static void expect_log(const struct rig *rig, const char *const *texts)
{
    const char *at = strbuf_text(&rig->log);
    for (; *texts; texts++) {
        at = strstr(at, *texts);
        if (!at)
            fail_msg("no \"%s\" in its place in:\n%s", *texts, strbuf_text(&rig->log));
    }
}

#define EXPECT_LOG(rig, ...) expect_log(rig, (const char *const[]){__VA_ARGS__, NULL})

/* ---- time and tasks ---- */

static void test_tasks_run_in_simulated_time(void **state)
{
    struct rig *rig = *state;
    wall_t before = wall_now();
    expect_clean(rig, "at('15:30', function() log('b', now()) end)\n"
                      "at('07:30:15', function() log('d', now()) end)\n" /* tomorrow */
                      "at('+1h', function() log('c', now()) sleep('1h30m') log('cc', now()) end)\n"
                      "log('a', now(), 1, nil, true)\n"
                      "sleep(1.5) sleep('2s') print('aa', now())\n");
    EXPECT_LOG(rig, "a 2025-06-15T15:06:40Z 1 nil true", "aa 2025-06-15T15:06:43Z",
               "b 2025-06-15T15:30:00Z", "c 2025-06-15T16:06:40Z", "cc 2025-06-15T17:36:40Z",
               "d 2025-06-16T07:30:15Z");
    assert_true(wall_now() - before < 86400000);
}

static void test_finish_ends_everything(void **state)
{
    struct rig *rig = *state;
    int code = play(rig, "at('+1h', function() log('never') end)\n"
                         "sleep('1m') finish(7) log('never')\n");
    assert_int_equal(code, 7);
    assert_null(strstr(strbuf_text(&rig->log), "never"));
}

static void test_arguments(void **state)
{
    struct rig *rig = *state;
    expect_clean(rig, "expect(args.who == 'me') expect(args.nobody == nil)\n");
}

static void test_random_is_repeatable(void **state)
{
    struct rig *rig = *state;
    expect_clean(rig, "log('drawn', math.random(1, 1000000))\n");
    char *first = strbuf_take(&rig->log, NULL);
    scenario_free(rig->scenario);
    rig->finished = 0;
    expect_clean(rig, "log('drawn', math.random(1, 1000000))\n");
    assert_string_equal(strstr(first, "drawn"), strstr(strbuf_text(&rig->log), "drawn"));
    xfree(first);
}

/* ---- verdicts ---- */

static void test_what_does_not_hold_is_named(void **state)
{
    struct rig *rig = *state;
    char part[100];
    int code = play(rig, "expect(true, 'fine')\n"
                         "\n"
                         "expect(1 == 2, 'two is one')\n"
                         "expect(nil)\n"
                         "log('goes on')\n");
    assert_int_equal(code, 1);
    snprintf(part, sizeof(part), "%s:3: expected: two is one\n", rig->path);
    assert_non_null(strstr(errors(rig), part));
    snprintf(part, sizeof(part), "%s:4: expected: something else\n", rig->path);
    assert_non_null(strstr(errors(rig), part));
    assert_null(strstr(errors(rig), "fine"));
    EXPECT_LOG(rig, "goes on");
}

static void test_an_error_ends_its_task_only(void **state)
{
    struct rig *rig = *state;
    char part[100];
    int code = play(rig, "at('+1s', function()\n  error('broken')\nend)\n"
                         "at('+2s', function() log('still here') end)\n"
                         "local x = nothing.there\n");
    assert_int_equal(code, 1);
    snprintf(part, sizeof(part), "%s:2: broken", rig->path);
    assert_non_null(strstr(errors(rig), part));
    snprintf(part, sizeof(part), "%s:5: attempt to index a nil value", rig->path);
    assert_non_null(strstr(errors(rig), part));
    EXPECT_LOG(rig, "still here");
}

static void test_arguments_are_checked(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"sleep('soon')", "expected a duration like"},
        {"sleep(-1)", "expected seconds"},
        {"sleep()", "got no value"},
        {"at('25:00', log)", "expected a time like"},
        {"at('7:30', log)", "expected a time like"},
        {"at('07:30')", "function expected"},
        {"at('07:30', 'x')", "function expected"},
        {"begin('yesterday')", "expected \"-24h\""},
        {"speed(0)", "expected 0.001 to 100000"},
        {"finish(300)", "exit status"},
        {"charger('')", "expected 1 to 255"},
        {"charger('A', 5)", "table expected"},
        {"charger('A', {kind = 'both'})", "expected \"dc\" or \"ac\""},
        {"charger('A', {connectors = 17})", "connectors: expected a whole number"},
        {"charger('A', {connectors = '2x'})", "connectors: expected a whole number"},
        {"charger('A', {sock = 1})", "no setting \"sock\"; did you mean soc"},
        {"charger('A', {5})", "no setting"},
        {"charger('A', {soc = 0/0})", "soc: expected a number"},
        {"charger('A', {host = 5})", "host: expected a text"},
        {"charger('A', {autocharge = 1})", "autocharge: expected true or false"},
        {"charger('A') charger('a', {})", "there is a charger a already"},
        {"local c = charger('A') c:soc(1, 101)", "expected 0 to 100"},
        {"local c = charger('A') c.plug({}, 1)", "charger expected"},
        {"wait(charger('A'), 'rain')", "invalid option 'rain'"},
        {"wait(5, 'started')", "charger expected"},
        {"http.get('ftp://x/')", "expected an http:// or https:// URL"},
        {"http.get('http://x/', {5})", "headers: expected"},
        {"http.post('http://x/', {a = print})", "cannot be written as JSON: function"},
        {"http.post('http://x/', {1, a = 1})", "both numbers and names"},
        {"http.post('http://x/', {x = 1/0})", "not finite"},
        {"local t = {} t.t = t http.post('http://x/', t)", "within itself"},
        {"table.sort({3, 1, 2}, function(a, b) sleep(1) return a < b end)", "yield"},
        {"while true do end", "ran 300 million instructions"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        strbuf_reset(&rig->errors);
        rig->finished = 0;
        struct fleet_settings none = {.count = 0};
        fleet_free(rig->fleet);
        rig->fleet = fleet_new(&none, rig->loop, rig->context, rig->client);
        int code = play(rig, rows[i].text);
        if (code != 1 || !strstr(errors(rig), rows[i].why))
            fail_msg("%s → %d %s", rows[i].text, code, errors(rig));
        scenario_free(rig->scenario);
        rig->scenario = NULL;
    }
}

static void test_what_does_not_load(void **state)
{
    struct rig *rig = *state;
    struct reason why;
    assert_null(load(rig, "x = = 1", &why));
    assert_non_null(strstr(why.text, ":1: unexpected symbol"));
    assert_null(load(rig, "\033Lua", &why)); /* bytecode */
    struct scenario_settings settings = {.loop = rig->loop, .fleet = rig->fleet};
    assert_null(scenario_open("/nowhere/x.lua", &settings, &why));
    assert_non_null(strstr(why.text, "cannot open /nowhere/x.lua"));
}

static void test_the_sandbox(void **state)
{
    struct rig *rig = *state;
    expect_clean(rig, "for _, name in ipairs { 'io', 'os', 'debug', 'package', 'require', 'load',\n"
                      "    'loadfile', 'dofile', 'coroutine', 'collectgarbage', 'utf8' } do\n"
                      "  expect(_G[name] == nil, name .. ' is not there')\n"
                      "end\n"
                      "expect(string.dump == nil)\n"
                      "local c = charger('A')\n"
                      "expect(getmetatable(c) == 'a charger')\n"
                      "expect(not pcall(setmetatable, c, {}))\n"
                      "local ok, why = pcall(function() sleep('1m') error('x', 0) end)\n"
                      "expect(not ok and why == 'x', 'pcall holds over a sleep')\n");
}

/* ---- chargers ---- */

static void test_a_charger_in_hand(void **state)
{
    struct rig *rig = *state;
    expect_clean(rig, "local c = charger('A', { kind = 'ac', connectors = 3, power = 11000,\n"
                      "  boot_delay = '1h', soc = 33.5, seed = 4, autocharge = true })\n"
                      "expect(c:identity() == 'A')\n"
                      "expect(#c:state().connectors == 3)\n"
                      "expect(c:plug(3))\n"
                      "expect(c:connector(3).plugged == true)\n"
                      "expect(c:connector(4) == nil)\n"
                      "expect(c:soc(3, 50))\n"
                      "expect(c:connector(3).soc == 50)\n"
                      "expect(c:unplug(3))\n"
                      "local ok, why = c:plug(9)\n"
                      "expect(ok == false and why == 'unknown connector', why)\n"
                      "ok, why = c:plug(-1)\n"
                      "expect(ok == false and why == 'unknown connector', why)\n"
                      "ok, why = c:stop(1)\n"
                      "expect(ok == false and type(why) == 'string')\n"
                      "expect(c:fault(2, 'GroundFailure'))\n"
                      "expect(c:connector(2).errorCode == 'GroundFailure')\n"
                      "expect(c:clear_fault(2))\n"
                      "expect(c:configure('HeartbeatInterval', 55))\n"
                      "expect(c:configuration('heartbeatinterval') == '55')\n"
                      "expect(c:configuration('NoSuchKey') == nil)\n"
                      "expect(c:network(false)) expect(c:network(true))\n"
                      "expect(not c:misbehave('no such fault'))\n"
                      "expect(not c:send('NoSuchAction', {}))\n"
                      "ok, why = c:send('DataTransfer', { vendorId = 'x', data = 'y' })\n"
                      "expect(ok == false and why == 'not connected', why)\n"
                      "expect(c:power_cycle())\n"
                      "expect(charger('a'):identity() == 'A', 'found again')\n");
    assert_int_equal(fleet_count(rig->fleet), 1);
}

static void test_a_reason_is_a_text_of_expect(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(play(rig, "local c = charger('A')\nexpect(c:plug(9))\n"), 1);
    assert_non_null(strstr(errors(rig), ":2: expected: unknown connector\n"));
}

/* ---- waiting ---- */

struct bell {
    struct timer timer;
    struct rig *rig;
};

/* What the charger would say. */
static void on_bell(struct timer *timer)
{
    struct rig *rig = CONTAINER_OF(timer, struct bell, timer)->rig;
    struct charger *charger = fleet_find(rig->fleet, "A");
    charger_tell(charger, "started", 2, "6");
    charger_tell(charger, "started", 1, "7");
    charger_tell(charger, "call", 0, "Reset");
    charger_tell(charger, "started", 1, "8");
}

static void test_waiting(void **state)
{
    struct rig *rig = *state;
    struct bell bell = {.timer.fn = on_bell, .rig = rig};
    timer_start(loop_timers(rig->loop), &bell.timer, 60000);
    expect_clean(
        rig, "local c = charger('A')\n"
             "at('+1s', function()\n"
             "  local e = wait(c, 'call', '5m')\n"
             "  log('call', e.detail, e.connector)\n"
             "end)\n"
             "at('+1s', function() expect(wait(c, 'started', '5m', 1, '8'), 'the eighth') end)\n"
             "local e = wait(c, 'started', 300, 1)\n"
             "log('first', e.what, e.connector, e.detail)\n"
             "e = wait(c, 'started', 300, 1)\n" /* comes while the first is handed out */
             "log('second', e.detail)\n"
             "local before = now()\n"
             "expect(wait(c, 'stopped', '30s') == nil, 'nobody stops')\n"
             "log('timeout', before, now())\n"
             "expect(wait(c, 'offline', 0), 'is that already')\n"
             "expect(wait(c, 'accepted', 0) == nil, 'is not')\n"
             "expect(wait(c, 'status', 0, 1, 'Available'), 'is that already')\n");
    EXPECT_LOG(rig, "first started 1 7", "call Reset 0", "second 8",
               "timeout 2025-06-15T15:07:40Z 2025-06-15T15:08:10Z");
}

/* ---- HTTP ---- */

static void test_http(void **state)
{
    struct rig *rig = *state;
    expect_clean(rig,
                 "local url = 'http://127.0.0.1:' .. args.port\n"
                 "local a = http.get(url .. '/x', { ['X-One'] = '1' })\n"
                 "expect(a.status == 200 and a.error == nil)\n"
                 "expect(a.json.list[1] == 1 and math.type(a.json.list[1]) == 'integer')\n"
                 "expect(a.json.list[2] == 2.5 and a.json.list[4] == true)\n"
                 "expect(a.json.none == nil and a.body:find('none'))\n"
                 "a = http.post(url .. '/y', { list = { 1, 'ä' }, empty = {}, yes = true })\n"
                 "expect(a.status == 200)\n"
                 "a = http.get('http://127.0.0.1:1/')\n"
                 "expect(a.status == 0 and a.error:find('port 1'), a.error)\n"
                 "a = http.delete(url .. '/z')\n"
                 "expect(a.status == 200)\n"
                 "a = http.put(url .. '/raw', 'as it is', { ['Content-Type'] = 'text/plain' })\n");
    assert_string_equal(strbuf_text(&rig->asked), "PUT /raw as it is text/plain");
}

static void test_a_body_goes_as_json(void **state)
{
    struct rig *rig = *state;
    expect_clean(rig,
                 "http.post('http://127.0.0.1:' .. args.port .. '/', { list = { 1, 'x' } })\n");
    assert_string_equal(strbuf_text(&rig->asked), "POST / {\"list\":[1,\"x\"]} application/json");
}

static void test_freed_in_the_middle(void **state)
{
    struct rig *rig = *state;
    struct reason why;
    assert_non_null(load(rig,
                         "at('+1h', log)\n"
                         "at('+0s', function() wait(charger('A'), 'started', '1h') end)\n"
                         "at('+0s', function() http.get('http://127.0.0.1:' .. args.port) end)\n"
                         "sleep('1h')\n",
                         &why));
    loop_run_once(rig->loop, 0);
    loop_run_once(rig->loop, 0);
    loop_run_once(rig->loop, 0);
    assert_int_equal(http_client_active(rig->client), 1);
    charger_tell(fleet_find(rig->fleet, "A"), "call", 0, "Reset"); /* queued, never handed out */
    scenario_free(rig->scenario);
    rig->scenario = NULL;
    assert_int_equal(http_client_active(rig->client), 0);
    charger_tell(fleet_find(rig->fleet, "A"), "call", 0, "Reset"); /* nobody listens */
    assert_int_equal(rig->finished, 0);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_tasks_run_in_simulated_time),
        RIG_TEST(test_finish_ends_everything),
        RIG_TEST(test_arguments),
        RIG_TEST(test_random_is_repeatable),
        RIG_TEST(test_what_does_not_hold_is_named),
        RIG_TEST(test_an_error_ends_its_task_only),
        RIG_TEST(test_arguments_are_checked),
        RIG_TEST(test_what_does_not_load),
        RIG_TEST(test_the_sandbox),
        RIG_TEST(test_a_charger_in_hand),
        RIG_TEST(test_a_reason_is_a_text_of_expect),
        RIG_TEST(test_waiting),
        RIG_TEST(test_http),
        RIG_TEST(test_a_body_goes_as_json),
        RIG_TEST(test_freed_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

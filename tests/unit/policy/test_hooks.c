/* Events through handlers: chain, words, errors, arguments, notifications, statistics (POLICY §1,
 * §4). */
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

static void nothing_loaded_is_no_opinion(void **state)
{
    struct rig *rig = *state;
    rig_new_policy(rig);
    assert_int_equal(rig_authorize(rig, "AA")->kind, VERDICT_NONE);
    assert_int_equal(rig->answer.times, 1);
    assert_false(policy_listens(rig->policy, EVENT_AUTHORIZE, NULL));
}

static void first_answer_wins_in_name_order(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "20-b.lua", "function on.authorize(tag) return 'Accepted' end");
    rig_file(rig, "10-a.lua",
             "function on.authorize(tag)\n"
             "  if tag == 'BAD' then return 'Blocked', {why = 'lost'} end\n"
             "end");
    rig_load_ok(rig);
    struct answer *answer = rig_authorize(rig, "BAD");
    assert_int_equal(answer->kind, VERDICT_GIVEN);
    assert_string_equal(answer->word, "Blocked");
    assert_string_equal(answer->why, "lost");
    assert_string_equal(answer->file, "10-a.lua");
    assert_int_equal(answer->line, 1);
    assert_int_equal(answer->generation, 1);
    rig_authorize(rig, "GOOD");
    assert_string_equal(answer->word, "Accepted");
    assert_string_equal(answer->file, "20-b.lua");
    assert_true(policy_listens(rig->policy, EVENT_AUTHORIZE, NULL));
    assert_false(policy_listens(rig->policy, EVENT_METER, NULL));
}

static void nobody_answers(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua", "function on.authorize(tag) return nil end");
    rig_load_ok(rig);
    assert_int_equal(rig_authorize(rig, "X")->kind, VERDICT_NONE);
    assert_string_equal(rig->answer.file, "");
}

/* An unknown word is an error, not a pass; the next handler is not tried. */
static void wrong_answers_fail(void **state)
{
    static const struct {
        const char *code, *says;
    } rows[] = {
        {"return 'Acepted'",
         "10-a.lua:1: on.authorize returned 'Acepted' (did you mean Accepted?)"},
        {"return true", "on.authorize returned a boolean; it answers with a word"},
        {"return {}", "on.authorize returned a table"},
        {"return 'Accepted', 5", "returned a number as second value"},
        {"return 'Accepted', {1, 2}", "returned a list"},
        {"return 'Accepted', {parentIDTag = 'x'}", "unknown member 'parentIDTag' (did you mean "
                                                   "parentIdTag?)"},
        {"return 'Accepted', {parentIdTag = 5}", "returned parentIdTag = "},
        {"return 'Accepted', {expiryDate = true}", "returned expiryDate = "},
        {"return 'Accepted', {why = print_me}", "print_me"},
        {"return 'Accepted', {why = function() end}", "no JSON"},
        {"error('boom')", "10-a.lua:1: boom"},
        {"error('boom', 0)", "10-a.lua:1: boom"},
        {"error()", "10-a.lua:1: nil"},
        {"error({})", "10-a.lua:1: table: "},
        {"error(setmetatable({}, {__tostring = function() return 'nice' end}))",
         "10-a.lua:1: nice"},
        {"error(setmetatable({}, {__tostring = function() error 'x' end}))",
         "10-a.lua:1: an error that has no text"},
        {"local x = nil; return x.group", "10-a.lua:1: attempt to index a nil value (local 'x')"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig *rig = *state;
        char code[300];
        snprintf(code, sizeof(code), "function on.authorize(tag) %s end", rows[i].code);
        rig_file(rig, "10-a.lua", code);
        rig_file(rig, "20-b.lua", "function on.authorize() return 'Accepted' end");
        if (!rig_load(rig)) { /* visible at load already */
            assert_non_null(strstr(rig->report.errors[0].message, rows[i].says));
            continue;
        }
        struct answer *answer = rig_authorize(rig, "X");
        assert_int_equal(answer->kind, VERDICT_FAILED);
        if (!strstr(answer->why, rows[i].says))
            print_error("%s -> %s\n", rows[i].code, answer->why);
        assert_non_null(strstr(answer->why, rows[i].says));
        assert_string_equal(answer->word, "");
        assert_string_equal(answer->file, "10-a.lua");
        assert_int_equal(answer->line, 1);
    }
}

static void authorize_gets_tag_cp_and_ask(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "function on.authorize(tag, cp, ask)\n"
             "  assert(tag == 'AA' and cp.id == 'CP1', 'tag and cp')\n"
             "  assert(ask.purpose == 'stop' and ask.connector == 2, 'ask')\n"
             "  assert(ask.transaction ~= nil, 'transaction')\n"
             "  return 'Accepted', {parentIdTag = 'P', expiryDate = 1800000000}\n"
             "end");
    rig_load_ok(rig);
    rig_connect(rig);
    struct answer *answer = rig_event(rig, (struct event){.kind = EVENT_AUTHORIZE,
                                                          .connector = 2,
                                                          .transaction_id = 5,
                                                          .id_tag = "AA",
                                                          .purpose = "stop"});
    assert_string_equal(answer->why, "");
    assert_string_equal(answer->word, "Accepted");
    assert_non_null(strstr(answer->extra, "\"parentIdTag\":\"P\""));
    assert_non_null(strstr(answer->extra, "\"expiryDate\":1800000000"));
}

static void boot_answers(void **state)
{
    struct rig *rig = *state;
    struct arena arena = {0};
    rig_file(rig, "10-a.lua",
             "function on.boot(cp, info)\n"
             "  if info.chargePointVendor == 'V' then\n"
             "    return 'Accepted', {interval = 60}\n"
             "  end\n"
             "  return 'Pending', {intervall = 60}\n"
             "end");
    rig_load_ok(rig);
    struct json *info = json_new(&arena, JSON_OBJECT);
    json_adds(&arena, info, "chargePointVendor", "V");
    struct event event = {.kind = EVENT_BOOT, .connector = ABSENT, .data = info};
    assert_string_equal(rig_event(rig, event)->word, "Accepted");
    assert_string_equal(rig->answer.extra, "{\"interval\":60}");
    event.data = NULL;
    assert_int_equal(rig_event(rig, event)->kind, VERDICT_FAILED);
    assert_non_null(strstr(rig->answer.why, "did you mean interval"));
    arena_clear(&arena);
}

static void meter_values_arrive_in_units_of_the_manual(void **state)
{
    struct rig *rig = *state;
    struct arena arena = {0};
    static const char text[] = "{\"timestamp\":1767225601500,\"energyWh\":1200,\"powerW\":7000,"
                               "\"soc\":55,\"voltageV\":230.5,\"implausible\":false,\"samples\":"
                               "[{\"measurand\":\"x\",\"value\":\"1\"}]}";
    rig_file(rig, "10-a.lua",
             "function on.meter(tx, m)\n"
             "  assert(m.time == 1767225601 and math.type(m.time) == 'integer', 'time')\n"
             "  assert(m.energy == 1200 and m.power == 7000 and m.soc == 55, 'numbers')\n"
             "  assert(m.voltage == 230.5 and m.current == nil, 'voltage')\n"
             "  assert(m.implausible == false and m.samples[1].value == '1', 'samples')\n"
             "end");
    rig_load_ok(rig);
    struct event event = {.kind = EVENT_METER,
                          .transaction_id = 3,
                          .connector = 1,
                          .data = json_parse(&arena, text, strlen(text), NULL, NULL)};
    rig_event(rig, event);
    assert_string_equal(rig->answer.why, "");
    assert_int_equal(rig->answer.kind, VERDICT_NONE);
    arena_clear(&arena);
}

static void status_and_line_events(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "function on.status(cp, connector, status, previous)\n"
             "  assert(connector == 1 and status == 'Charging' and previous == 'Preparing')\n"
             "end\n"
             "function on.online(cp) assert(cp.id == 'CP1') end\n"
             "function on.offline(cp) error 'noticed' end");
    rig_load_ok(rig);
    rig_connect(rig);
    rig_event(rig, (struct event){.kind = EVENT_STATUS,
                                  .connector = 1,
                                  .status = "Charging",
                                  .previous = "Preparing"});
    assert_int_equal(rig->answer.kind, VERDICT_NONE);
    assert_int_equal(
        rig_event(rig, (struct event){.kind = EVENT_ONLINE, .connector = ABSENT})->kind,
        VERDICT_NONE);
    rig_event(rig, (struct event){.kind = EVENT_OFFLINE, .connector = ABSENT});
    assert_int_equal(rig->answer.kind, VERDICT_FAILED);
    assert_non_null(strstr(rig->answer.why, "noticed"));
}

/* All handlers of a notification run, though one fails, waits or is killed. */
static void notifications_reach_all_handlers(void **state)
{
    struct rig *rig = *state;
    rig->settings.run_kill_ms = 60;
    rig_file(rig, "lib/seen.lua", "return {}");
    rig_file(rig, "10-a.lua",
             "local seen = require 'seen'\n"
             "function on.start(tx) seen[#seen + 1] = 'a'; error 'first' end");
    rig_file(rig, "20-b.lua",
             "local seen = require 'seen'\n"
             "function on.start(tx) seen[#seen + 1] = 'b' while true do end end");
    rig_file(rig, "30-c.lua",
             "local seen = require 'seen'\n"
             "function on.start(tx)\n"
             "  seen[#seen + 1] = 'c' chargepoint('CP1'):call('ClearCache')\n"
             "  seen[#seen + 1] = 'c2'\n"
             "end");
    rig_file(rig, "40-d.lua",
             "local seen = require 'seen'\n"
             "function on.start(tx) seen[#seen + 1] = 'd'; return 'Accepted' end");
    rig_file(rig, "50-e.lua",
             "local seen = require 'seen'\n"
             "function on.start(tx) seen[#seen + 1] = 'e' end\n"
             "function on.authorize() return 'Accepted', "
             "{why = table.concat(seen, ' ')} end");
    rig_load_ok(rig);
    rig_connect(rig);
    rig_event(rig, (struct event){.kind = EVENT_START, .transaction_id = 1, .connector = 1});
    assert_int_equal(rig->answer.times, 0);
    rig_answer_call(rig);
    assert_int_equal(rig->answer.times, 1);
    assert_int_equal(rig->answer.kind, VERDICT_FAILED);
    assert_string_equal(rig->answer.file, "10-a.lua"); /* the first failure is told */
    assert_int_equal(rig->answer.line, 2);
    rig_authorize(rig, "X");
    assert_string_equal(rig->answer.why, "a b c c2 d e");
    assert_true(rig_logged(rig, "first"));
    assert_true(rig_logged(rig, "without waiting and was stopped"));
    assert_true(rig_logged(rig, "nobody waits for an answer"));
}

static void raw_actions(void **state)
{
    struct rig *rig = *state;
    struct arena arena = {0};
    rig_file(rig, "10-a.lua",
             "function on.DataTransfer(cp, req)\n"
             "  if req.messageId == 'a' then return 'Accepted', 'data' end\n"
             "  if req.messageId == 'b' then return {status = 'Rejected'} end\n"
             "  if req.messageId == 'c' then return {status = 'Nope'} end\n"
             "  if req.messageId == 'd' then return 'UnknownVendorId', {data = 'x'} end\n"
             "end\n"
             "function on.VendorThing(cp, req) if req.empty then return {} end return {a = 1} end\n"
             "function on.Heartbeat(cp, req) return {} end");
    rig_load_ok(rig);
    struct json *req = json_new(&arena, JSON_OBJECT);
    struct event event = {
        .kind = EVENT_ACTION, .connector = ABSENT, .action = "DataTransfer", .data = req};
    assert_int_equal(rig_event(rig, event)->kind, VERDICT_NONE);
    json_adds(&arena, req, "messageId", "a");
    assert_string_equal(rig_event(rig, event)->word, "Accepted");
    assert_string_equal(rig->answer.extra, "{\"data\":\"data\"}");
    req->child->text = span_of("b");
    assert_string_equal(rig_event(rig, event)->extra, "{\"status\":\"Rejected\"}");
    assert_string_equal(rig->answer.word, "");
    req->child->text = span_of("c");
    assert_int_equal(rig_event(rig, event)->kind, VERDICT_FAILED);
    req->child->text = span_of("d");
    assert_string_equal(rig_event(rig, event)->extra, "{\"data\":\"x\"}");
    event.action = "VendorThing";
    assert_string_equal(rig_event(rig, event)->extra, "{\"a\":1}");
    json_add(&arena, req, "empty", json_new_bool(&arena, true));
    assert_string_equal(rig_event(rig, event)->extra, "{}");
    event.action = "Heartbeat";
    event.observe = true; /* the server answers it: a value is an error */
    assert_int_equal(rig_event(rig, event)->kind, VERDICT_FAILED);
    event.action = "Unheard";
    assert_int_equal(rig_event(rig, event)->kind, VERDICT_NONE);
    assert_true(policy_listens(rig->policy, EVENT_ACTION, "Heartbeat"));
    assert_false(policy_listens(rig->policy, EVENT_ACTION, "Unheard"));
    assert_false(policy_listens(rig->policy, EVENT_ACTION, NULL));
    arena_clear(&arena);
}

static void identify_is_synchronous(void **state)
{
    struct rig *rig = *state;
    char identity[IDENTITY_MAX + 1];
    rig_file(rig, "10-a.lua",
             "function on.identify(path, headers)\n"
             "  if path == '/no' then return false end\n"
             "  if path == '/bad' then return 5 end\n"
             "  if path == '/wait' then chargepoint('CP1'):call('ClearCache') end\n"
             "  if path == '/long' then return ('x'):rep(256) end\n"
             "  return headers['x-serial']\n"
             "end");
    rig_load_ok(rig);
    rig_connect(rig);
    const struct name_value headers[] = {{"x-serial", "S77"}};
    assert_int_equal(policy_identify(rig->policy, "/x", headers, 1, identity), VERDICT_GIVEN);
    assert_string_equal(identity, "S77");
    assert_int_equal(policy_identify(rig->policy, "/x", NULL, 0, identity), VERDICT_NONE);
    assert_int_equal(policy_identify(rig->policy, "/no", headers, 1, identity), VERDICT_FAILED);
    assert_string_equal(identity, "");
    assert_int_equal(rig->policy->errors.total, 0);
    assert_int_equal(policy_identify(rig->policy, "/bad", headers, 1, identity), VERDICT_FAILED);
    assert_int_equal(policy_identify(rig->policy, "/long", headers, 1, identity), VERDICT_FAILED);
    assert_int_equal(policy_identify(rig->policy, "/wait", headers, 1, identity), VERDICT_FAILED);
    assert_true(rig_logged(rig, "cannot be used here"));
    assert_int_equal(rig->policy->errors.total, 3);
    assert_int_equal(rig->decisions, 5); /* all but "no opinion" */
    assert_int_equal(lua_gettop(rig->policy->current->L), 0);
}

/* One log line per error and second, the traceback once a minute a place (POLICY §5). */
static void errors_are_counted_and_logged(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "local function deep() error 'boom' end\n"
             "function on.authorize(tag) deep() end");
    rig_load_ok(rig);
    strbuf_reset(&rig->log);
    rig_authorize(rig, "DEADBEEF");
    assert_true(
        rig_logged(rig, "file=10-a.lua line=1 event=authorize cp=CP1 generation=1 count=1"));
    assert_true(rig_logged(rig, "error=boom"));
    assert_true(rig_logged(rig, "policy traceback"));
    assert_true(rig_logged(rig, "10-a.lua:2: in function"));
    strbuf_reset(&rig->log);
    rig_authorize(rig, "DEADBEEF");
    assert_false(rig_logged(rig, "boom"));
    rig_advance(rig, 1000);
    rig_authorize(rig, "DEADBEEF");
    assert_true(rig_logged(rig, "count=3"));
    assert_false(rig_logged(rig, "policy traceback"));
    rig_advance(rig, 60000);
    rig_authorize(rig, "DEADBEEF");
    assert_true(rig_logged(rig, "policy traceback"));

    struct arena arena = {0};
    struct json *errors = status_errors(rig->policy, &arena);
    struct json *item = json_get(errors, "items")->child;
    int64_t count = 0;
    assert_true(json_int(json_get(item, "count"), &count));
    assert_int_equal(count, 4);
    assert_string_equal(json_gets(item, "file"), "10-a.lua");
    assert_string_equal(json_gets(item, "message"), "boom");
    assert_string_equal(json_gets(item, "event"), "authorize");
    assert_string_equal(json_gets(item, "cp"), "CP1");
    assert_string_equal(json_gets(item, "example"), "idTag=DEAD… connector=1");
    arena_clear(&arena);
}

static void at_most_100_distinct_errors_are_kept(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua", "function on.authorize(tag) error(tag) end");
    rig_load_ok(rig);
    for (int i = 0; i < 130; i++) {
        char tag[16];
        snprintf(tag, sizeof(tag), "T%d", i);
        clock_advance(1);
        rig_authorize(rig, tag);
    }
    struct arena arena = {0};
    struct json *errors = status_errors(rig->policy, &arena);
    assert_int_equal(json_get(errors, "items")->count, 100);
    assert_string_equal(json_gets(json_get(errors, "items")->child, "message"), "T129");
    int64_t total = 0;
    assert_true(json_int(json_get(errors, "total"), &total));
    assert_int_equal(total, 130);
    arena_clear(&arena);
}

static void status_tells_files_and_hooks(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "function on.authorize(tag) if tag == 'E' then error 'x' end "
             "if tag == 'W' then chargepoint('CP1'):call('ClearCache') end end");
    rig_load_ok(rig);
    rig_connect(rig);
    rig_authorize(rig, "A");
    rig_authorize(rig, "E");
    rig_authorize(rig, "W");
    rig_answer_call(rig);
    struct arena arena = {0};
    struct json *status = status_policies(rig->policy, &arena);
    struct strbuf text = {0};
    json_write(&text, json_get(json_get(status, "hooks"), "authorize"));
    assert_non_null(strstr(text.at, "\"calls\":3,\"errors\":1,\"waits\":1,\"p50Us\":"));
    const struct json *file = json_get(status, "files")->child;
    assert_string_equal(json_gets(file, "name"), "10-a.lua");
    assert_int_equal(strlen(json_gets(file, "sha256")), 64);
    assert_int_equal(json_get(status, "files")->count, 1);
    assert_int_equal(json_get(status, "lastRefusal")->type, JSON_NULL);
    strbuf_clear(&text);
    arena_clear(&arena);
}

/* An event that nobody handles costs no allocation in the state. */
static void no_handler_costs_nothing(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua", "function on.authorize() end");
    rig_load_ok(rig);
    size_t before = rig->policy->current->memory;
    for (int i = 0; i < 100; i++)
        rig_event(rig, (struct event){.kind = EVENT_ONLINE, .connector = ABSENT});
    assert_int_equal(rig->policy->current->memory, before);
    assert_int_equal(rig->policy->current->runs, 0);
}

/* `on` serves definitions while the file loads, and nothing else. */
static void on_is_for_defining(void **state)
{
    struct rig *rig = *state;
    rig_file(rig, "10-a.lua",
             "function on.authorize(tag)\n"
             "  if tag == 'W' then function on.start() end end\n"
             "  return on.authorize\n"
             "end");
    rig_load_ok(rig);
    rig_authorize(rig, "W");
    assert_non_null(strstr(rig->answer.why, "only while the policy file loads"));
    rig_authorize(rig, "R");
    assert_non_null(strstr(rig->answer.why, "10-a.lua:3: on.authorize cannot be read"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_loaded_is_no_opinion),
        CASE(first_answer_wins_in_name_order),
        CASE(nobody_answers),
        CASE(wrong_answers_fail),
        CASE(authorize_gets_tag_cp_and_ask),
        CASE(boot_answers),
        CASE(meter_values_arrive_in_units_of_the_manual),
        CASE(status_and_line_events),
        CASE(notifications_reach_all_handlers),
        CASE(raw_actions),
        CASE(identify_is_synchronous),
        CASE(errors_are_counted_and_logged),
        CASE(at_most_100_distinct_errors_are_kept),
        CASE(status_tells_files_and_hooks),
        CASE(no_handler_costs_nothing),
        CASE(on_is_for_defining),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

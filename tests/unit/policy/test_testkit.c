/* The kit for policy tests: every word of `t`, tests that fail with file and line, isolation. */
#include "api_world.h"

static const char policy[] =
    "function on.authorize(idTag, cp, ask)\n"
    "  if idTag == 'BOOM' then error('boom') end\n"
    "  if idTag == 'ASK' then\n"
    "    local a, err = cp:call('ClearCache')\n"
    "    return a and a.status == 'Accepted' and 'Accepted' or 'Blocked', { why = err and err.code "
    "}\n"
    "  end\n"
    "  if idTag == 'LATE' and now() > 1800000000 then return 'Expired' end\n"
    "  local t = tag(idTag)\n"
    "  if t then return t.status end\n"
    "  if idTag == 'NOBODY' then return end\n"
    "  return 'Accepted', { parentIdTag = ask.purpose }\n"
    "end\n"
    "function on.meter(tx, m)\n"
    "  if not m.power then return end\n"
    "  if m.power >= 300 then tx.vars.low = nil\n"
    "  elseif not tx.vars.low then tx.vars.low = m.time\n"
    "  elseif m.time - tx.vars.low >= minutes(15) and tx.kwh > 0.5 then\n"
    "    tx.cp:call('RemoteStopTransaction', { transactionId = tx.id })\n"
    "  end\n"
    "end\n"
    "function on.status(cp, connector, status) cp.vars.status = connector .. status end\n"
    "function on.DataTransfer(cp, req) return { status = 'Accepted', data = req.data } end\n"
    "every('1m', function() store.set('ticks', (store.get('ticks') or 0) + 1) end)\n"
    "route('GET /mine/{x}', function(req) return 200, { x = req.path.x, q = req.query.q } end)\n"
    "route('POST /wait', function(req)\n"
    "  local a, err = chargepoint('CP1'):call('Reset', { type = req.json.type })\n"
    "  if not a then return 502, { code = err.code } end\n"
    "  return 200, a\n"
    "end)\n";

static struct world *world_testing(const char *tests)
{
    struct world *w = world_new();
    world_file(w, "10-p.lua", policy);
    world_file(w, "tests/t.lua", tests);
    world_load(w);
    return w;
}

static void passes(const char *tests, size_t count)
{
    struct world *w = world_testing(tests);
    if (!w->loaded || w->report.tests != count) {
        show_findings(&w->report);
        fail_msg("%zu tests, not %zu", w->report.tests, count);
    }
    assert_int_equal(wall_now(), TEST_NOW); /* the clock is as it was */
    assert_null(strstr(strbuf_text(&w->log), "charge point connected")); /* and the log silent */
    world_free(w);
}

static void fails(const char *tests, int line, const char *part)
{
    struct world *w = world_testing(tests);
    if (w->loaded)
        fail_msg("%s\npasses", tests);
    expect_finding(w, "tests/t.lua", line, part);
    assert_int_equal(w->report.error_count, 1);
    assert_int_equal(wall_now(), TEST_NOW);
    world_free(w);
}

static void test_authorize(void **state)
{
    (void)state;
    passes("test('a', function(t)\n"
           "  local status, info = t.authorize('X', 'CP1')\n"
           "  t.eq(status, 'Accepted') t.eq(info.parentIdTag, 'authorize')\n"
           "  t.eq(t.authorize('NOBODY', 'CP1'), 'Invalid')\n"
           "  t.eq(t.authorize('x', 'CP1', { purpose = 'authorize' }), 'Accepted')\n"
           "  status, info = t.authorize('X', 'CP2', { purpose = 'start', connector = 2 })\n"
           "  t.eq(status, 'Accepted') t.eq(info.parentIdTag, 'start')\n"
           "  t.eq(transaction(1).connector, 2) t.eq(transaction(1).cp.id, 'CP2')\n"
           "end)",
           1);
}

static void test_transaction_and_stop(void **state)
{
    (void)state;
    passes("test('a', function(t)\n"
           "  local tx, status = t.transaction { cp = 'CP1', idTag = 'x', kwh = 9 }\n"
           "  t.eq(status, 'Accepted') t.eq(tx.kwh, 9.0) t.eq(tx.energy_wh, 9000) t.ok(tx.active)\n"
           "  t.eq(tx.idTag, 'X') t.eq(tx.start, now()) t.eq(tx.stop_reason, nil)\n"
           "  t.stop(tx, { reason = 'EVDisconnected' })\n"
           "  t.eq(tx.active, false) t.eq(tx.stop_reason, 'EVDisconnected') t.eq(tx.kwh, 9.0)\n"
           "  t.eq(tx.cp, chargepoint 'CP1') t.eq(tx.connector, 1) t.eq(tx.idTag, 'X')\n"
           "  t.eq(transaction(1), nil)\n"
           "  local other = t.transaction { cp = 'CP1', idTag = 'x', connector = 2 }\n"
           "  t.eq(other.id, 2) t.stop(other) t.eq(other.stop_reason, 'Local')\n"
           "end)",
           1);
}

static void test_meter_until_the_policy_stops_it(void **state)
{
    (void)state;
    passes("test('a full car is stopped after 15 minutes', function(t)\n"
           "  local tx = t.transaction { cp = 'CP1', idTag = 'X', kwh = 9 }\n"
           "  t.meter(tx, { power = 7200, soc = 80, every = '60s', count = 10 })\n"
           "  t.eq(tx.power, 7200) t.eq(tx.soc, 80) t.eq(tx.kwh, 10.2) t.ok(tx.active)\n"
           "  t.meter(tx, { power = 120, every = '60s', count = 40 })\n"
           "  t.eq(tx.active, false) t.eq(tx.stop_reason, 'Remote')\n"
           "  t.eq(now() - tx.start, 26 * 60)\n"
           "  t.eq(#t.sent('CP1', 'RemoteStopTransaction'), 1)\n"
           "  t.eq(t.sent()[1].payload, { transactionId = 1 })\n"
           "end)",
           1);
}

static void test_answers_of_chargers(void **state)
{
    (void)state;
    passes(
        "test('accepted', function(t) t.eq(t.authorize('ASK', 'CP1'), 'Accepted') end)\n"
        "test('a payload', function(t)\n"
        "  t.answers('ClearCache', { status = 'Rejected' })\n"
        "  t.eq(t.authorize('ASK', 'CP1'), 'Blocked')\n"
        "end)\n"
        "test('a function', function(t)\n"
        "  t.answers('ClearCache', function(cp, payload)\n"
        "    return { status = cp.id == 'CP2' and 'Accepted' or 'Rejected' } end)\n"
        "  t.eq(t.authorize('ASK', 'CP1'), 'Blocked') t.eq(t.authorize('ASK', 'CP2'), 'Accepted')\n"
        "end)\n"
        "test('an error', function(t)\n"
        "  t.answers('ClearCache', 'NotSupported') t.eq(t.authorize('ASK', 'CP1'), 'Blocked')\n"
        "end)\n"
        "test('offline', function(t)\n"
        "  t.connect('CP1') t.answers('Reset', 'offline')\n"
        "  local status, body = t.request('POST /wait', { type = 'Soft' })\n"
        "  t.eq(status, 502) t.eq(body.code, 'offline') t.eq(chargepoint('CP1').online, false)\n"
        "end)\n"
        "test('others', function(t)\n"
        "  t.connect('CP1')\n"
        "  t.eq({t.request('POST /wait', { type = 'Hard' })}, {200, { status = 'Accepted' }})\n"
        "end)",
        6);
}

static void test_timeouts(void **state)
{
    (void)state;
    passes("test('a', function(t)\n"
           "  t.connect('CP1') t.answers('Reset', 'timeout')\n"
           "  local ok = pcall(t.request, 'POST /wait', { type = 'Soft' })\n"
           "  t.eq(ok, false)\n"
           "end)",
           1);
}

static void test_time(void **state)
{
    (void)state;
    passes("test('starts at noon', function(t) t.eq(timestamp(), '2026-01-01T12:00:00Z') end)\n"
           "test('is set and moves', function(t)\n"
           "  t.clock('2027-02-03T04:05:06Z') t.eq(timestamp(), '2027-02-03T04:05:06Z')\n"
           "  t.eq(t.authorize('LATE', 'CP1'), 'Expired')\n"
           "  t.advance('90m') t.eq(timestamp(), '2027-02-03T05:35:06Z')\n"
           "  t.clock(1800000000) t.eq(now(), 1800000000) t.eq(t.authorize('LATE', 'CP1'), "
           "'Accepted')\n"
           "end)\n"
           "test('runs timers', function(t)\n"
           "  t.advance('59s') t.eq(store.get('ticks'), nil)\n"
           "  t.clock('2030-01-01') t.advance('1s') t.eq(store.get('ticks'), 1)\n"
           "  t.advance('5m') t.eq(store.get('ticks'), 6)\n"
           "end)",
           3);
}

static void test_other_words(void **state)
{
    (void)state;
    passes(
        "test('status', function(t)\n"
        "  t.status('CP1', 2, 'Charging') t.eq(chargepoint('CP1').vars.status, '2Charging')\n"
        "  t.status('CP1', 1, 'Faulted', 'GroundFailure')\n"
        "  t.eq(chargepoint('CP1').connectors[1].error_code, 'GroundFailure')\n"
        "end)\n"
        "test('call', function(t)\n"
        "  t.eq(t.call('CP1', 'DataTransfer', { vendorId = 'v', data = 'd' }),"
        " { status = 'Accepted', data = 'd' })\n"
        "  local a, err = t.call('CP1', 'Nonsense') t.eq(a, nil) t.eq(err.code, 'NotImplemented')\n"
        "end)\n"
        "test('connections', function(t)\n"
        "  t.eq(chargepoint('CP1'), nil) t.connect('CP1') t.ok(chargepoint('CP1').online)\n"
        "  t.disconnect('CP1') t.eq(chargepoint('CP1').online, false)\n"
        "  t.authorize('X', 'CP1') t.ok(chargepoint('CP1').online)\n"
        "end)\n"
        "test('tags', function(t)\n"
        "  t.tag { idTag = 'T', status = 'Blocked' } t.eq(t.authorize('t', 'CP1'), 'Blocked')\n"
        "end)\n"
        "test('requests', function(t)\n"
        "  t.eq({t.request('GET /mine/a%20b')}, {200, { x = 'a b' }})\n"
        "  local status, body = t.request('GET /nowhere')\n"
        "  t.eq(status, 404) t.eq(body.title, 'Not Found')\n"
        "end)\n"
        "test('failures that are meant', function(t)\n"
        "  t.allow_errors() t.eq(t.authorize('BOOM', 'CP1'), 'Invalid')\n"
        "end)\n"
        "test('equal', function(t)\n"
        "  t.eq({1, {a = 2}}, {1, {a = 2}}) t.eq(nil, nil) t.eq('x', 'x') t.ok(1)\n"
        "end)",
        7);
}

static void test_tests_do_not_see_each_other(void **state)
{
    (void)state;
    passes("test('one', function(t) t.transaction { cp = 'CP1', idTag = 'X' } store.set('a', 1)\n"
           "  chargepoint('CP1').vars.x = 1 t.tag { idTag = 'T', status = 'Blocked' } end)\n"
           "test('two', function(t) t.eq(chargepoint('CP1'), nil) t.eq(store.get('a'), nil)\n"
           "  t.eq(tag('T'), nil) t.connect('CP1') t.eq(chargepoint('CP1').vars.x, nil)\n"
           "  t.eq(t.transaction({ cp = 'CP1', idTag = 'X' }).id, 1) end)",
           2);
}

static void test_what_tests_leave_never_goes_live(void **state)
{
    (void)state;
    struct world *w = world_testing("test('a', function(t) t.advance('5m') end)");
    assert_true(w->loaded);
    pass(w->f, 60000);
    EXPECT_PART(w, "GET /api/v1/policies", NULL, 200, "\"runs\":1,");
    assert_string_equal(station_kv_get(w->f->st, "ticks"), "1");
    world_free(w);
}

/* The meter over time, the end and reminders, as tests of policies see them. */
static void test_over_time(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_file(w, "10-p.lua",
               "function on.authorize() return 'Accepted' end\n"
               "function on.start(tx) tx:remind('soon', '10m') tx:remind('late', '2h') end\n"
               "function on.reminder(tx, name) tx.vars.told = (tx.vars.told or '') .. name end\n"
               "function on.stop(tx)\n"
               "  local sum = 0 for q in tx:slices '1h' do sum = sum + q.energy_wh end\n"
               "  store.set('end', { sum, tx.energy_wh, tx.idle_minutes, tx.seconds,"
               " tx.vars.told }) end\n");
    world_file(w, "tests/t.lua",
               "test('time', function(t)\n"
               "  local tx = t.transaction { cp = 'CP1', idTag = 'A' }\n"
               "  t.meter(tx, { power = 7000, current = 16.5, voltage = 230, temperature = 21.5,"
               " every = '5m', count = 4 })\n"
               "  t.eq(tx:window('current', '10m').mean, 16.5)\n"
               "  t.eq(tx:window('temperature', '10m').last, 21.5)\n"
               "  t.eq(tx:window('power', '10m').count, 2)\n"
               "  t.eq(tx.vars.told, 'soon') t.eq(tx.ended, nil)\n"
               "  t.meter(tx, { power = 0, every = '10m', count = 3 })\n"
               "  t.eq(tx.idle_minutes, 30)\n"
               "  t.advance('10m') t.stop(tx)\n"
               "  t.eq(store.get('end'), { 2333, 2333, 40, 3600, 'soon' })\n"
               "  t.eq(tx.ended - tx.start, 3600) t.eq(tx.seconds, 3600)\n"
               "  t.eq(tx:window('power', '1h'), nil)\n"
               "  t.advance('2h')\n"
               "end)");
    assert_true(world_load(w));
    assert_int_equal(w->report.tests, 1);
    world_free(w);
}

/* What a policy does by itself, through time: every(), expiring remote starts, words that wait. */
static const char working[] =
    "every('30s', function()\n"
    "  for cp in chargepoints() do for n, c in pairs(cp.connectors) do\n"
    "    if n > 0 and c.status == 'Preparing' and not cp:pending(n) and now() - c.since >= 90 "
    "then\n"
    "      local ok, err = cp:unlock(n)\n"
    "      cp.vars.unlocked = ok and 'yes' or err.code\n"
    "    end\n"
    "  end end\n"
    "end)\n"
    "function on.remote_start_expired(cp, p) cp.vars.expired = p.idTag .. p.vars.kv end\n"
    "function on.authorize() return 'Accepted' end\n"
    "function on.meter(tx) tx:stop 'stalled' end\n"
    "route('POST /go', function(req)\n"
    "  local ok, err = chargepoint('CP1'):start{ connector = 1, idTag = 'A', vars = { kv = 'x' } "
    "}\n"
    "  return 200, { ok or err.code }\n"
    "end)\n"
    "route('GET /long', { query = { n = 'integer' } }, function(req)\n"
    "  return 200, function(emit) for i = 1, req.query.n do emit(string.rep('x', 1000)) end end\n"
    "end)\n"
    "route('POST /once', { idempotent = true }, function() store.set('n', (store.get('n') or 0) + "
    "1)"
    "\n  return 200, { store.get('n') } end)";

static void test_policies_that_act(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_file(w, "10-p.lua", working);
    world_file(
        w, "tests/t.lua",
        "test('every', function(t) t.status('CP1', 1, 'Preparing')\n"
        "  t.advance('89s') t.ok(not t.called('CP1', 'UnlockConnector'))\n"
        "  t.advance('31s') t.eq(t.called('CP1', 'UnlockConnector'), { connectorId = 1 })\n"
        "  t.eq(chargepoint('CP1').vars.unlocked, 'yes') end)\n"
        "test('what chargers answer', function(t) t.answers('UnlockConnector',"
        " { status = 'UnlockFailed' })\n"
        "  t.status('CP1', 1, 'Preparing') t.advance('3m')\n"
        "  t.eq(chargepoint('CP1').vars.unlocked, 'UnlockFailed') end)\n"
        "test('expired', function(t) t.connect('CP1') local s, b = t.request('POST /go', {})\n"
        "  t.eq(b, { true }) t.eq(chargepoint('CP1'):pending(1).vars.kv, 'x')\n"
        "  t.status('CP1', 1, 'Preparing') t.advance('4m')\n"
        "  t.ok(not t.called('CP1', 'UnlockConnector'))\n"
        "  t.advance('61s') t.eq(chargepoint('CP1').vars.expired, 'Ax') end)\n"
        "test('vars of a remote start', function(t) t.connect('CP1') t.request('POST /go', {})\n"
        "  local tx = t.transaction{ cp = 'CP1', idTag = 'A' } t.eq(tx.vars.kv, 'x')\n"
        "  t.ok(not chargepoint('CP1'):pending(1)) end)\n"
        "test('refused', function(t) t.connect('CP1')\n"
        "  t.answers('RemoteStartTransaction', { status = 'Rejected' })\n"
        "  local s, b = t.request('POST /go', {}) t.eq(b, { 'Rejected' }) end)\n"
        "test('why it ended', function(t) local tx = t.transaction{ cp = 'CP1', idTag = 'A' }\n"
        "  t.meter(tx, { power = 5 }) t.ok(not tx.active) t.eq(tx.stop_reason, 'stalled') end)\n"
        "test('pieces', function(t) local s, b = t.request('GET /long?n=300')\n"
        "  t.eq(s, 200) t.eq(#b, 300000) end)\n"
        "test('again', function(t) local h = { ['Idempotency-Key'] = 'k' }\n"
        "  t.request('POST /once', {}, h) local s, b = t.request('POST /once', {}, h)\n"
        "  t.eq(b, { 1 }) t.request('GET /long?n=300') end)\n");
    if (!world_load(w))
        show_findings(&w->report);
    assert_true(w->loaded);
    assert_int_equal(w->report.tests, 8);
    world_free(w);
}

static void test_failing_tests(void **state)
{
    (void)state;
    fails("\ntest('one is two', function(t) t.eq(1, 2) end)", 2,
          "test \"one is two\": expected 2, got 1");
    fails("test('a', function(t)\n\n t.eq(t.authorize('X', 'CP1'), 'Blocked', 'the card') end)", 3,
          "the card: expected \"Blocked\", got \"Accepted\"");
    fails("test('a', function(t) t.eq({a = {1}}, {a = {2}}) end)", 1,
          "expected {\"a\":[2]}, got {\"a\":[1]}");
    fails("test('a', function(t) t.eq({1, 2}, {1}) end)", 1, "expected [1], got [1,2]");
    fails("test('a', function(t) t.ok(nil, 'it') end)", 1, "it is nil");
    fails("test('a', function(t)\n error('broken') end)", 2, "test \"a\": broken");
    fails("test('a', function(t)\n local x = nil; x.y = 1 end)", 2, "nil");
    fails("test('a', function(t)\n t.authorize('BOOM', 'CP1') end)", 1,
          "a handler failed: 10-p.lua:2: boom");
    fails("test('a', function(t)\n t.autorize('X', 'CP1') end)", 2, "autorize");
    fails("test('ok', function(t) end)\ntest('a', function(t) while true do end end)", 2,
          "ran for more");
}

static void test_wrong_use(void **state)
{
    (void)state;
    fails("test('a', function(t)\n t.authorize('X') end)", 2, "t.authorize: argument 2 (cp)");
    fails("test('a', function(t)\n t.authorize(5, 'CP1') end)", 2,
          "t.authorize: argument 1 (idTag)");
    fails("test('a', function(t)\n t.authorize('X', 'CP1', { purpose = 'stop' }) end)", 2,
          "stops have t.stop");
    fails("test('a', function(t)\n t.transaction { cp = 'CP1' } end)", 2, "needs a table with cp");
    fails("test('a', function(t)\n t.clock('tomorrow') end)", 2, "is no date or time");
    fails("test('a', function(t)\n t.advance('soon') end)", 2, "is no duration");
    fails("test('a', function(t)\n t.request('nowhere') end)", 2, "write \"GET /path\"");
    fails("test('a', function(t)\n t.tag { idTag = 'X', status = 'Fine' } end)", 2,
          "t.tag: status");
    fails("test('a', function(t)\n t.tag { idtag = 'X' } end)", 2, "did you mean idTag?");
    fails("test('a', function(t)\n local tx = t.transaction { cp = 'CP1', idTag = 'X' } t.stop(tx)"
          " t.stop(tx) end)",
          2, "the transaction is over already");
}

static void test_test_files_that_do_not_load(void **state)
{
    (void)state;
    fails("test()", 1, "test: argument 1 (name) must be a string, not nil");
    fails("test('a')", 1, "test: argument 2 (function) must be a function, not nil");
    fails("test('a', function(t) retrun 'x' end)", 1, "retrun");
    fails("\nlocal x = (", 2, "unexpected symbol");
    struct world *w = world_new();
    world_file(w, "10-p.lua", "test('a', function() end)\nfunction on.start(tx) end");
    assert_false(world_load(w));
    expect_finding(w, "10-p.lua", 1, "test");
    world_free(w);
}

static void test_t_kept_beyond_its_test(void **state)
{
    (void)state;
    fails("local kept\ntest('a', function(t) kept = t end)\n"
          "test('b', function(t) kept.sent() end)\ntest('c', function(t)\n kept.eq(1, 2) end)",
          5, "expected 2, got 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_authorize),
        cmocka_unit_test(test_transaction_and_stop),
        cmocka_unit_test(test_meter_until_the_policy_stops_it),
        cmocka_unit_test(test_over_time),
        cmocka_unit_test(test_answers_of_chargers),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_other_words),
        cmocka_unit_test(test_tests_do_not_see_each_other),
        cmocka_unit_test(test_what_tests_leave_never_goes_live),
        cmocka_unit_test(test_policies_that_act),
        cmocka_unit_test(test_failing_tests),
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_test_files_that_do_not_load),
        cmocka_unit_test(test_t_kept_beyond_its_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

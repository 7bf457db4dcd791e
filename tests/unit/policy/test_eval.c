/* One event on policies that run dry: read from its body, answered, every effect listed, none done.
 * What needs open transactions is in tests/policy/trust.py. */
#include "engine_rig.h"

#include "policy/eval.h"

static struct strbuf result; /* of the last eval, or its problems */
static unsigned results;

static int set_up(void **state)
{
    static struct rig rig;
    rig_open(&rig);
    results = 0;
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_shut(*state);
    strbuf_clear(&result);
    return 0;
}

/* ---- helpers ---- */

static void on_result(void *ctx, const struct json *tree, const struct policy_report *refused)
{
    (void)ctx;
    results++;
    strbuf_clear(&result);
    if (tree)
        json_write(&result, tree);
    else
        strbuf_adds(&result, refused->errors[0].message);
}

/* Begins it; true if the body was taken. */
static bool begin(struct rig *rig, const char *body)
{
    struct arena arena = {0};
    struct eval_request request;
    struct eval_problem problem;
    struct reason why;
    const struct json *tree = json_parse(&arena, body, strlen(body), &why, NULL);
    assert_non_null(tree);
    strbuf_clear(&result);
    if (eval_parse(rig->station, tree, &arena, &request, &problem)) {
        eval_run(rig->policy, &request, &arena, on_result, NULL);
        return true;
    }
    strbuf_adds(&result, problem.pointer);
    strbuf_adds(&result, ": ");
    strbuf_adds(&result, problem.text.text);
    arena_clear(&arena);
    return false;
}

static const char *eval(struct rig *rig, const char *body)
{
    unsigned before = results;
    assert_true(begin(rig, body));
    rig_settle(rig);
    rig_turn(rig);
    assert_int_equal(results, before + 1);
    return strbuf_text(&result);
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        print_error("%s is not in %s\n", part, text);
    assert_non_null(strstr(text, part));
}

static void refused(struct rig *rig, const char *body, const char *problem)
{
    assert_false(begin(rig, body));
    has(strbuf_text(&result), problem);
}

static void live(struct rig *rig, const char *code)
{
    rig_file(rig, "10-a.lua", code);
    rig_load_ok(rig);
    rig_connect(rig);
}

/* ---- the result ---- */

static void everything_is_listed_and_nothing_done(void **state)
{
    struct rig *rig = *state;
    live(rig, "local seen = 0\n"
              "function on.authorize(tag, cp, ask)\n"
              "  seen = seen + 1\n"
              "  cp.vars.seen = seen\n"
              "  store.set('k', {1, 2})\n"
              "  assert(store.get('k')[2] == 2 and cp.vars.seen == seen, 'reads see writes')\n"
              "  for key, value in pairs(cp.vars) do assert(key == 'seen' and value == seen) end\n"
              "  cp.vars.seen = nil\n"
              "  assert(cp.vars.seen == nil and next({}) == nil)\n"
              "  log.warn('tag %s', tag)\n"
              "  local ok, err = cp:unlock(1)\n"
              "  return ok and 'Accepted', {why = ask.purpose}\n"
              "end");
    for (int i = 0; i < 2; i++) { /* a generation of its own each time: its variables too */
        const char *text = eval(rig, "{\"event\":\"authorize\",\"cp\":\"cp1\",\"idTag\":\"ab\"}");
        has(text, "\"outcome\":\"given\",\"answer\":\"Accepted\"");
        has(text, "{\"effect\":\"cp.vars\",\"subject\":\"CP1\",\"detail\":{\"seen\":1}}");
        has(text, "{\"effect\":\"store.set\",\"subject\":\"k\",\"detail\":[1,2]}");
        has(text, "{\"effect\":\"cp.vars\",\"subject\":\"CP1\",\"detail\":{\"seen\":null}}");
        has(text, "{\"effect\":\"log.warn\",\"detail\":\"tag AB\"}");
        has(text, "\"detail\":{\"action\":\"UnlockConnector\",\"payload\":{\"connectorId\":1}}");
        has(text, "\"why\":\"authorize\"");
        has(text, "\"generation\":1");
    }
    assert_int_equal(rig->calls, 0);
    assert_null(station_kv_get(rig->station, "k"));
    assert_false(rig_logged(rig, "tag AB"));
}

static void an_offline_charger_is_offline(void **state)
{
    struct rig *rig = *state;
    live(rig, "function on.authorize(tag, cp)\n"
              "  local ok, err = cp:unlock(1)\n"
              "  return 'Blocked', {why = tostring(err.code)} end");
    rig_disconnect(rig);
    has(eval(rig, "{\"event\":\"authorize\",\"cp\":\"CP1\",\"idTag\":\"A\"}"),
        "\"why\":\"offline\"");
}

static void no_opinion_and_failure(void **state)
{
    struct rig *rig = *state;
    live(rig, "function on.authorize(tag) if tag == 'FAIL' then error 'so what' end end");
    const char *text = eval(rig, "{\"event\":\"authorize\",\"cp\":\"CP1\",\"idTag\":\"A\"}");
    has(text, "\"outcome\":\"none\"");
    has(text, "\"result\":\"Invalid\"");
    text = eval(rig, "{\"event\":\"authorize\",\"cp\":\"CP1\",\"idTag\":\"fail\"}");
    has(text, "\"outcome\":\"failed\"");
    has(text, "so what");
    has(text, "\"line\":1");
    has(eval(rig, "{\"event\":\"online\",\"cp\":\"CP1\"}"), "\"listens\":false");
    assert_int_equal(rig->policy->errors.total, 0);
    assert_int_equal(rig->policy->current->runs, 0);
}

static void other_events(void **state)
{
    struct rig *rig = *state;
    live(rig,
         "function on.boot(cp, info) return 'Pending', {interval = #info.chargePointModel} end\n"
         "function on.status(cp, c, status, previous)\n"
         "  cp.vars.s = {c, status, previous} end\n"
         "function on.remote_start_expired(cp, p) cp.vars.p = {p.idTag, p.connector} end\n"
         "function on.Vendor(cp, req) return {sum = req.a + 1} end\n"
         "function on.Heartbeat(cp, req) cp.vars.h = true end");
    has(eval(rig, "{\"event\":\"boot\",\"cp\":\"CP1\",\"payload\":{\"chargePointModel\":\"abc\"}}"),
        "\"answer\":\"Pending\",\"extra\":{\"interval\":3}");
    has(eval(rig, "{\"event\":\"status\",\"cp\":\"CP1\",\"connector\":2,\"status\":\"Faulted\","
                  "\"previous\":\"Available\"}"),
        "{\"s\":[2,\"Faulted\",\"Available\"]}");
    has(eval(rig, "{\"event\":\"remote_start_expired\",\"cp\":\"CP1\",\"idTag\":\"x\","
                  "\"connector\":1}"),
        "{\"p\":[\"X\",1]}");
    const char *text = eval(rig, "{\"event\":\"Vendor\",\"cp\":\"CP1\",\"payload\":{\"a\":41}}");
    has(text, "\"extra\":{\"sum\":42}");
    has(text, "\"warning\":\"OCPP 1.6 has no action Vendor\"");
    has(eval(rig, "{\"event\":\"Heartbeat\",\"cp\":\"CP1\"}"), "{\"h\":true}");
}

/* ---- the body ---- */

static void mistakes_are_told_with_the_nearest_name(void **state)
{
    struct rig *rig = *state;
    live(rig, "function on.authorize() end");
    refused(rig, "{}", "/event: is needed");
    refused(rig, "[]", ": must be an object");
    refused(rig, "{\"event\":\"autorize\"}", "did you mean authorize?");
    refused(rig, "{\"event\":\"identify\"}", "is no event");
    refused(rig, "{\"event\":\"authorize\",\"cp\":\"C\",\"idTag\":\"A\",\"conector\":1}",
            "/conector: is no field of this event (did you mean connector?)");
    refused(rig, "{\"event\":\"authorize\",\"cp\":\"C\",\"idTag\":\"A\",\"connector\":\"1\"}",
            "/connector: must be an integer, not a string");
    refused(rig, "{\"event\":\"authorize\",\"cp\":7,\"idTag\":\"A\"}", "/cp: must be a string");
    refused(rig, "{\"event\":\"authorize\",\"cp\":\"C\"}", "/idTag: is needed");
    refused(rig, "{\"event\":\"authorize\",\"cp\":\"C\",\"idTag\":\"A\",\"purpose\":\"stp\"}",
            "(did you mean stop?)");
    refused(rig, "{\"event\":\"boot\",\"cp\":\"C\",\"payload\":1}", "/payload: must be an object");
    refused(rig, "{\"event\":\"meter\",\"transaction\":9,\"power\":1}",
            "/transaction: 9 is not open");
    refused(rig, "{\"event\":\"rebalance\",\"site\":\"no\"}", "/site: there is no site");
    refused(rig, "{\"event\":\"authorize\",\"dir\":1}", "/dir: must be a string");
    assert_int_equal(results, 0);
}

/* Every event of the table can be tried, but identify, which is none of the station's. */
static void every_event_has_a_row(void **state)
{
    struct rig *rig = *state;
    live(rig, "function on.authorize() end");
    for (const struct hook_row *row = hook_rows; row->name; row++) {
        char body[128];
        snprintf(body, sizeof(body), "{\"event\":\"%s\",\"nothing\":1}", row->name);
        assert_false(begin(rig, body));
        if (row->kind != EVENT_KINDS)
            has(strbuf_text(&result), "/nothing: is no field of this event");
    }
}

/* ---- candidates ---- */

static void a_folder_with_problems(void **state)
{
    struct rig *rig = *state;
    char body[256];
    live(rig, "function on.authorize() return 'Accepted' end");
    snprintf(body, sizeof(body),
             "{\"event\":\"authorize\",\"cp\":\"CP1\",\"idTag\":\"A\",\"dir\":\"%s\"}", rig->dir);
    rig_file(rig, "10-a.lua", "function on.authorize() return 'Blocked' end");
    has(eval(rig, body), "\"answer\":\"Blocked\"");
    assert_int_equal(rig->policy->last_number, 1); /* it used up no number */
    rig_file(rig, "10-a.lua", "function on.authorise() end");
    has(eval(rig, body), "did you mean on.authorize?");
    assert_int_equal(rig->policy->refusals, 0);
}

static void too_many_at_once(void **state)
{
    struct rig *rig = *state;
    live(rig, "function on.authorize() end");
    for (int i = 0; i < 20; i++)
        assert_true(begin(rig, "{\"event\":\"authorize\",\"cp\":\"CP1\",\"idTag\":\"A\"}"));
    assert_true(results >= 3);
    has(strbuf_text(&result), "too many");
    while (rig->policy->evals) {
        rig_settle(rig);
        rig_turn(rig);
    }
    assert_int_equal(results, 20);
}

/* Some are being built, some have been answered and wait to be told. */
static void it_ends_with_the_server(void **state)
{
    struct rig *rig = *state;
    live(rig, "function on.authorize() end");
    begin(rig, "{\"event\":\"authorize\",\"cp\":\"CP1\",\"idTag\":\"A\"}");
    begin(rig, "{\"event\":\"authorize\",\"cp\":\"CP1\",\"idTag\":\"A\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_is_listed_and_nothing_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_offline_charger_is_offline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_opinion_and_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_told_with_the_nearest_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_event_has_a_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_with_problems, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_ends_with_the_server, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

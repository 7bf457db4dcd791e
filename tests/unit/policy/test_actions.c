/* cp:start, cp:unlock, cp:trigger, tx:stop, cp:pending, cp:note_pending; on.remote_start_expired.
 */
#include "core_world.h"

static struct world *acting(const char *code)
{
    struct world *w = world_running(code);
    assert_int_equal(ask(w, "POST /run", NULL), 0);
    return w;
}

static void gives(struct world *w, const char *json)
{
    if (w->status != 200 || !text_is(strbuf_text(&w->body), json))
        fail_msg("got %d %s\n%s", w->status, strbuf_text(&w->body), strbuf_text(&w->log));
    world_free(w);
}

#define WHAT " return { ok or err.code, err and tostring(err) }"

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *code, *sent, *yes, *no, *word;
    } words[] = {
        {"cp:start{ connector = 1, idTag = 'A' }",
         "\",\"RemoteStartTransaction\",{\"connectorId\":1,\"idTag\":\"A\"}]", "Accepted",
         "Rejected", "Rejected"},
        {"cp:start{ idTag = 'A', vars = { x = 1 } }",
         "\",\"RemoteStartTransaction\",{\"idTag\":\"A\"}]", "Accepted", "Rejected", "Rejected"},
        {"cp:unlock(2)", "\",\"UnlockConnector\",{\"connectorId\":2}]", "Unlocked", "UnlockFailed",
         "UnlockFailed"},
        {"cp:trigger('MeterValues', 1)",
         "\",\"TriggerMessage\",{\"connectorId\":1,\"requestedMessage\":\"MeterValues\"}]",
         "Accepted", "NotImplemented", "NotImplemented"},
        {"cp:trigger 'Heartbeat'", "\",\"TriggerMessage\",{\"requestedMessage\":\"Heartbeat\"}]",
         "Accepted", "Rejected", "Rejected"},
        {"cp:reset()", "\",\"Reset\",{\"type\":\"Soft\"}]", "Accepted", "Rejected", "Rejected"},
        {"cp:reset 'Hard'", "\",\"Reset\",{\"type\":\"Hard\"}]", "Accepted", "Rejected",
         "Rejected"},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        char *code = xprintf("local cp = chargepoint 'CP1' local ok, err = %s" WHAT, words[i].code);
        char id[64], *answer = xprintf("{\"status\":\"%s\"}", words[i].yes);
        struct world *w = acting(code);
        assert_string_equal(sent_call(w->f, id), words[i].sent);
        answer_call(w->f, answer);
        EXPECT_ROWS(w->f, 1, "COMMAND state=accepted by=policy");
        gives(w, "[[true]]");
        xfree(answer);
        w = acting(code);
        answer = xprintf("{\"status\":\"%s\"}", words[i].no);
        char *wanted =
            xprintf("[[\"%s\",\"the charger answered %s\"]]", words[i].word, words[i].no);
        answer_call(w->f, answer);
        gives(w, wanted);
        xfree(answer);
        xfree(wanted);
        xfree(code);
    }
}

static void test_other_ends(void **state)
{
    (void)state;
    static const char code[] = "local ok, err = chargepoint('CP1'):unlock(1) return err.code";
    struct world *w = acting(code);
    answer_error(w->f, "\"InternalError\",\"\",{}");
    gives(w, "[\"InternalError\"]");
    w = acting(code);
    down(w->f, "CP1", 1);
    gives(w, "[\"offline\"]");
    w = world_running(code);
    down(w->f, "CP1", 1);
    ask(w, "POST /run", NULL);
    gives(w, "[\"offline\"]");
    w = world_running("local cp = chargepoint 'CP1'"
                      " local ok, err = cp:trigger('Heartbeat') return err.code");
    assert_int_equal(ask(w, "POST /run", NULL), 0);
    answer_call(w->f, "{\"stat\":5}");
    gives(w, "[\"ProtocolError\"]");
}

static void test_wrong_use(void **state)
{
    (void)state;
    lua_fails("chargepoint('CP1'):start{ connector = 1 }", "cp:start: idTag is needed");
    lua_fails("chargepoint('CP1'):start{ idTga = 'A' }", "did you mean idTag?");
    lua_fails("chargepoint('CP1'):unlock()", "cp:unlock: argument 1 (connector) must be");
    lua_fails("chargepoint('CP1'):trigger(5)", "cp:trigger: argument 1 (message) must be");
    lua_fails("chargepoint('CP1'):reset 'soft'", "cp:reset: type must be Soft or Hard, not soft");
    lua_fails("chargepoint('CP1'):configure {}", "cp:configure: no keys");
    lua_fails("chargepoint('CP1'):configure { 'A' }", "write { Key = value");
    lua_fails("chargepoint('CP1'):configure { A = {} }", "A must be a string, a number");
    lua_fails("chargepoint('CP1'):configure { A = string.rep('x', 501) }", "values up to 500");
}

/* One CALL a key, in order of the keys; the next goes out when the last is answered. */
static void test_configure(void **state)
{
    (void)state;
    static const char code[] =
        "local ok, err = chargepoint('CP1'):configure { B = 5, A = true, C = 'x', D = 2.0 }"
        " return { ok or err.code, err and err.message, err and err.details }";
    static const char *const sent[] = {"\"A\",\"value\":\"true\"", "\"B\",\"value\":\"5\"",
                                       "\"C\",\"value\":\"x\"", "\"D\",\"value\":\"2\""};
    struct world *w = acting(code);
    char id[64];
    for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
        assert_non_null(strstr(sent_call(w->f, id), sent[i]));
        answer_call(w->f, i == 1 ? "{\"status\":\"RebootRequired\"}" : "{\"status\":\"Accepted\"}");
    }
    gives(w, "[[true]]");
    w = acting(code);
    answer_call(w->f, "{\"status\":\"Accepted\"}");
    answer_error(w->f, "\"InternalError\",\"\",{}");
    answer_call(w->f, "{\"status\":\"Rejected\"}");
    answer_call(w->f, "{\"status\":\"Accepted\"}");
    gives(w,
          "[[\"InternalError\",\"2 of 4 keys were not taken: B InternalError\",{\"A\":\"Accepted\","
          "\"B\":\"InternalError\",\"C\":\"Rejected\",\"D\":\"Accepted\"}]]");
    w = acting(code);
    answer_call(w->f, "{\"status\":\"Accepted\"}");
    down(w->f, "CP1", 1);
    gives(w, "[[\"offline\",\"3 of 4 keys were not taken: B offline\",{\"A\":\"Accepted\",\"B\":"
             "\"offline\"}]]");
    w = world_running("local ok, err = chargepoint('CP1'):configure { A = 1 } return err.code");
    down(w->f, "CP1", 1);
    ask(w, "POST /run", NULL);
    gives(w, "[\"offline\"]");
    w = acting(code); /* cancelled while it waits */
    world_free(w);
}

#define START                                                                                      \
    "[2,\"s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":0,"           \
    "\"timestamp\":\"" NOW_TEXT "\"}]"

static void test_stop(void **state)
{
    (void)state;
    struct world *w = world_running("local tx = transaction(1) if not tx then return 'none' end"
                                    " local ok, err = tx:stop 'stalled' return { ok or err.code,"
                                    " tx.vars.stop_reason }");
    char id[64];
    say(w->f, "CP1", START);
    assert_int_equal(ask(w, "POST /run", NULL), 0);
    assert_string_equal(sent_call(w->f, id), "\",\"RemoteStopTransaction\",{\"transactionId\":1}]");
    answer_call(w->f, "{\"status\":\"Accepted\"}");
    gives(w, "[[true,\"stalled\"]]");
    w = world_running("local tx = transaction(1) local all = transactions() store.set('id', 1)"
                      " local ok, err = tx:stop() return err.code");
    say(w->f, "CP1", START);
    assert_int_equal(ask(w, "POST /run", NULL), 0);
    answer_call(w->f, "{\"status\":\"Rejected\"}");
    gives(w, "[\"Rejected\"]");
    w = world_with("local kept\n"
                   "route('POST /keep', function() kept = transaction(1) return 204 end)\n"
                   "route('POST /stop', function() local ok, err = kept:stop() return 200, {"
                   " ok or err.code } end)");
    say(w->f, "CP1", START);
    assert_int_equal(ask(w, "POST /keep", NULL), 204);
    say(w->f, "CP1",
        "[2,\"t\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":0,\"timestamp\":"
        "\"" NOW_TEXT "\"}]");
    EXPECT(w, "POST /stop", NULL, 200, "[\"gone\"]");
    world_free(w);
}

static void test_pending(void **state)
{
    (void)state;
    struct world *w = world_running(
        "local cp = chargepoint 'CP1' if req.query.note then return cp:note_pending(1, { mac ="
        " 'M' }) end if req.query.read then local p = cp:pending(1) return p or 'none' end"
        " return (cp:start{ connector = 1, idTag = 'A', vars = { x = 1 } })");
    EXPECT(w, "POST /run?note=1", NULL, 200, "[false]");
    EXPECT(w, "POST /run?read=1", NULL, 200, "[\"none\"]");
    assert_int_equal(ask(w, "POST /run", NULL), 0);
    answer_call(w->f, "{\"status\":\"Accepted\"}");
    EXPECT(w, "POST /run?note=1", NULL, 200, "[true]");
    EXPECT(w, "POST /run?read=1", NULL, 200,
           "[{\"connector\":1,\"idTag\":\"A\",\"since\":1752470408,\"vars\":{\"mac\":\"M\",\"x\":"
           "1}}]");
    world_free(w);
}

struct verdicts {
    unsigned count, failed;
};

static void on_verdict(void *ctx, const struct verdict *verdict)
{
    struct verdicts *v = ctx;
    v->count++;
    v->failed += verdict->kind == VERDICT_FAILED;
}

static void test_expired(void **state)
{
    (void)state;
    struct world *w = world_with(
        "function on.remote_start_expired(cp, p) store.set('p', { cp.id, p.connector or 'any',"
        " p.idTag, p.created, p.vars.x or 'none' }) end");
    struct verdicts v = {0};
    struct arena arena = {0};
    static const char data[] = "{\"connectorId\":2,\"idTag\":\"A\",\"createdMs\":5000,"
                               "\"vars\":{\"x\":1}}";
    struct event event = {.kind = EVENT_REMOTE_START_EXPIRED,
                          .cp = "CP1",
                          .connector = ABSENT,
                          .data = json_parse(&arena, data, strlen(data), NULL, NULL)};
    assert_true(policy_listens(w->policy, EVENT_REMOTE_START_EXPIRED, NULL));
    assert_false(policy_listens(w->policy, EVENT_ONLINE, NULL));
    policy_event(w->policy, &event, on_verdict, &v);
    assert_string_equal(station_kv_get(w->f->st, "p"), "[\"CP1\",2,\"A\",5,1]");
    static const char least[] = "{\"idTag\":\"A\"}";
    event.data = json_parse(&arena, least, strlen(least), NULL, NULL);
    policy_event(w->policy, &event, on_verdict, &v);
    /* created is nil, so the list has a hole: the handler fails, and that is told. */
    assert_int_equal(v.count, 2);
    assert_int_equal(v.failed, 1);
    arena_clear(&arena);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),     cmocka_unit_test(test_other_ends),
        cmocka_unit_test(test_wrong_use), cmocka_unit_test(test_stop),
        cmocka_unit_test(test_pending),   cmocka_unit_test(test_expired),
        cmocka_unit_test(test_configure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

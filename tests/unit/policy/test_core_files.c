/* core.files, links, events and sources on doubles; composite, import_tags, pause, figures, routes.
 */
#include "core_world.h"

#include "policy/handlers.h"

/* ---- doubles ---- */

static struct {
    struct strbuf done; /* what was asked, one word each */
    unsigned opened, closed;
    bool fails;
} double_;

static ptrdiff_t double_read(void *ctx, char *to, size_t room)
{
    const char **at = ctx;
    size_t len = strlen(*at) < room ? strlen(*at) : room;
    memcpy(to, *at, len);
    *at += len;
    return len ? (ptrdiff_t)len : BODY_END;
}

static void double_close(void *ctx)
{
    (void)ctx;
    double_.closed++;
}

static struct body_source double_source(const char **text)
{
    *text = "hello";
    double_.opened++;
    return (struct body_source){
        .read = double_read, .close = double_close, .ctx = text, .length = 5};
}

static bool file_next(void *ctx, const char *after, struct policy_file *out)
{
    static const char *const names[] = {"a.bin", "b.bin", "c.bin"};
    (void)ctx;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (after && strcmp(names[i], after) <= 0)
            continue;
        *out = (struct policy_file){.size = (int64_t)i, .modified_ms = 1000};
        strcpy(out->name, names[i]);
        return true;
    }
    return false;
}

static bool file_keep(void *ctx, uint64_t upload, const char *name, struct policy_file *out,
                      struct reason *why)
{
    (void)ctx;
    strbuf_addf(&double_.done, "keep %d %s;", (int)upload, name);
    *out = (struct policy_file){.size = 9, .modified_ms = 1000};
    strcpy(out->name, "kept");
    return !double_.fails || reason_set(why, "a bad name");
}

static void file_discard(void *ctx, uint64_t upload)
{
    (void)ctx;
    strbuf_addf(&double_.done, "discard %d;", (int)upload);
}

static bool file_remove(void *ctx, const char *name, struct reason *why)
{
    (void)ctx;
    strbuf_addf(&double_.done, "remove %s;", name);
    return !double_.fails || reason_set(why, "no such file");
}

static bool file_source(void *ctx, const char *name, struct body_source *out,
                        struct policy_file *info, struct reason *why)
{
    static const char *text;
    (void)ctx;
    if (!text_is(name, "a.bin"))
        return reason_set(why, "no such file");
    *out = double_source(&text);
    *info = (struct policy_file){.name = "a.bin", .size = 5, .modified_ms = 1000};
    return true;
}

static bool file_link(void *ctx, const char *name, bool upload, const char *cp, int64_t valid_ms,
                      struct strbuf *url, struct reason *why)
{
    (void)ctx;
    strbuf_addf(url, "http://x/files/t/%s?%d,%s,%d", name, upload, cp, (int)valid_ms);
    return !double_.fails || reason_set(why, "no such file");
}

static bool file_link_find(void *ctx, const char *token, char name[129], bool *upload, char cp[256])
{
    (void)ctx;
    strcpy(name, "a.bin");
    strcpy(cp, "CP1");
    *upload = true;
    return text_is(token, "good");
}

static void file_link_use(void *ctx, const char *token)
{
    (void)ctx;
    strbuf_addf(&double_.done, "use %s;", token);
}

static const struct policy_files files = {.next = file_next,
                                          .keep = file_keep,
                                          .discard = file_discard,
                                          .remove = file_remove,
                                          .source = file_source,
                                          .link = file_link,
                                          .link_find = file_link_find,
                                          .link_use = file_link_use};

static bool port_events(void *ctx, const char *cp, const char *types, int64_t last_id,
                        struct body_source *out, struct reason *why)
{
    static const char *text;
    (void)ctx;
    if (text_is(types, "bad"))
        return reason_set(why, "unknown type \"bad\"");
    strbuf_addf(&double_.done, "events %s %s %d;", cp ? cp : "-", types ? types : "-",
                last_id == ABSENT ? -1 : (int)last_id);
    *out = double_source(&text);
    out->endless = true;
    return true;
}

static void port_figures(void *ctx,
                         void (*add)(void *add_ctx, const char *name, const char *labels,
                                     double value),
                         void *add_ctx)
{
    (void)ctx;
    add(add_ctx, "chargebridge_store_queue", "x=\"y\"", 1.5);
}

static struct world *filed(const char *text)
{
    struct world *w = world_new();
    strbuf_clear(&double_.done);
    memset(&double_, 0, sizeof(double_));
    w->ports.files = &files;
    w->ports.events = port_events;
    w->ports.figures = port_figures;
    return core_load(w, text);
}

#define DONE(text) assert_string_equal(strbuf_text(&double_.done), text)

static void end(struct world *w)
{
    world_free(w);
    assert_int_equal(double_.opened, double_.closed);
    strbuf_clear(&double_.done);
}

/* ---- files ---- */

#define RUN(code)                                                                                  \
    "route('POST /run', function(req) local function run() " code " end return 200, { run() } "    \
    "end)"

static void test_list(void **state)
{
    (void)state;
    struct world *w = filed(RUN("local l, next = core.files(req.json.after, req.json.limit)"
                                " return #l, l[1] and l[1].name or '', next or 'end'"));
    EXPECT(w, "POST /run", "{}", 200, "[3,\"a.bin\",\"end\"]");
    EXPECT(w, "POST /run", "{\"limit\":2}", 200, "[2,\"a.bin\",\"b.bin\"]");
    EXPECT(w, "POST /run", "{\"limit\":2,\"after\":\"b.bin\"}", 200, "[1,\"c.bin\",\"end\"]");
    EXPECT(w, "POST /run", "{\"limit\":3}", 200, "[3,\"a.bin\",\"end\"]");
    end(w);
}

static void test_sources(void **state)
{
    (void)state;
    struct world *w = filed(
        "route('GET /f/{n}', function(req) local s, info = core.file_source(req.path.n)\n"
        "if not s then return 404, info end return 200, s, { ['X-Size'] = '' .. info.size } end)\n"
        "local kept\n"
        "route('POST /unsent', function() core.file_source('a.bin') return 204 end)\n"
        "route('POST /twice', function() kept = kept or core.file_source('a.bin')\n"
        "return 200, kept end)");
    assert_int_equal(ask(w, "GET /f/none", NULL), 404);
    assert_string_equal(strbuf_text(&w->body), "no such file");
    assert_int_equal(ask(w, "GET /f/a.bin", NULL), 200);
    assert_string_equal(w->type, "application/octet-stream");
    assert_string_equal(w->headers, "X-Size: 5\n");
    source_start(w);
    assert_int_equal(source_pull(w, 2, 100), BODY_END);
    assert_string_equal(strbuf_text(&w->body), "hello");
    assert_int_equal(double_.closed, 0);
    source_close(w);
    assert_int_equal(double_.closed, 1);
    assert_int_equal(ask(w, "POST /twice", "{}"), 200);
    source_close(w);
    assert_int_equal(ask(w, "POST /twice", "{}"), 500); /* sent already */
    assert_non_null(strstr(strbuf_text(&w->log), "this source was sent already"));
    assert_int_equal(ask(w, "POST /unsent", "{}"), 204);
    end(w); /* closes what was never sent */
}

static void test_uploads(void **state)
{
    (void)state;
    struct world *w =
        filed("route('PUT /f/{n}', { body = 'file' }, function(req)\n"
              "if req.path.n == 'boom' then error('boom') end\n"
              "local info, why = core.file_keep(req.upload, req.path.n)\n"
              "if not info then core.file_discard(req.upload) return 422, why end\n"
              "return 200, info end)\n"
              "route('DELETE /f/{n}', function(req) local ok, why = core.file_remove(req.path.n)\n"
              "return ok and 204 or 404, why end)");
    struct asked asked = {"", "application/octet-stream", SCOPE_ADMIN};
    w->upload = 12;
    assert_int_equal(ask_with(w, "PUT /f/fw.bin", asked), 200);
    assert_string_equal(strbuf_text(&w->body),
                        "{\"modifiedMs\":1000,\"name\":\"kept\",\"size\":9}");
    DONE("keep 12 fw.bin;discard 12;"); /* discarding what was kept does nothing */
    strbuf_reset(&double_.done);
    assert_int_equal(ask_with(w, "PUT /f/boom", asked), 500);
    DONE("discard 12;");
    strbuf_reset(&double_.done);
    assert_int_equal(ask_with(w, "PUT /elsewhere", asked), 404);
    DONE("discard 12;");
    strbuf_reset(&double_.done);
    double_.fails = true;
    assert_int_equal(ask_with(w, "PUT /f/x", asked), 422);
    assert_string_equal(strbuf_text(&w->body), "a bad name");
    w->upload = 0;
    assert_int_equal(ask(w, "DELETE /f/x", NULL), 404);
    double_.fails = false;
    assert_int_equal(ask(w, "DELETE /f/x", NULL), 204);
    end(w);
}

static void test_links(void **state)
{
    (void)state;
    struct world *w = filed(
        RUN("core.file_link_use('t') return core.file_link{ name = 'a.bin', upload = true, cpid ="
            " 'CP1', validMs = 5 }, core.file_link_find('good'), core.file_link_find('bad') == "
            "nil"));
    EXPECT(w, "POST /run", "{}", 200,
           "[\"http://x/files/t/a.bin?1,CP1,5\",{\"cpid\":\"CP1\",\"name\":\"a.bin\",\"upload\":"
           "true},true]");
    DONE("use t;");
    end(w);
    w = filed(RUN("local url, why = core.file_link{ name = 'x', validMs = 5 } return why"));
    double_.fails = true;
    EXPECT(w, "POST /run", "{}", 200, "[\"no such file\"]");
    end(w);
    core_gives("local a, why = core.file_source('x') local b, c = core.file_link{ name = 'x',"
               " validMs = 1 } return { why, c, #core.files(), core.file_link_find('x') == nil }",
               "[\"there are no files here\",\"there are no files here\",0,true]");
}

static void test_events(void **state)
{
    (void)state;
    struct world *w =
        filed("route('GET /events', { query = { types = 'string?' } }, function(req)\n"
              "local s, why = core.events{ cpid = 'CP1', types = req.query.types, lastId = 7 }\n"
              "if not s then return 422, why end\n"
              "return 200, s, { ['Content-Type'] = 'text/event-stream' } end)");
    assert_int_equal(ask(w, "GET /events?types=bad", NULL), 422);
    assert_int_equal(ask(w, "GET /events", NULL), 200);
    DONE("events CP1 - 7;");
    assert_string_equal(w->type, "text/event-stream");
    assert_true(w->source.endless);
    source_close(w);
    end(w);
}

/* ---- the rest ---- */

static void test_import_tags(void **state)
{
    (void)state;
    struct world *w = core_running(
        "local ok, err = core.import_tags{ { idTag = 'A', status = 'Accepted' }, { idTag = 'B',"
        " status = req.json.status, note = 'n' } } return ok or { err.code, err.details.index }");
    EXPECT(w, "POST /run", "{\"status\":\"Nonsense\"}", 200, "[[\"invalid\",2]]");
    assert_null(station_tag(w->f->st, "A"));
    EXPECT(w, "POST /run", "{\"status\":\"Blocked\"}", 200, "[true]");
    assert_string_equal(station_tag(w->f->st, "B")->note, "n");
    world_free(w);
    core_gives("return core.import_tags{}", "true");
    core_gives("return (pcall(core.import_tags, { 5 }))", "false");
}

static void test_composite(void **state)
{
    (void)state;
    core_gives("local profile = { chargingProfileId = 1, stackLevel = 0, chargingProfilePurpose ="
               " 'TxDefaultProfile', chargingProfileKind = 'Relative', chargingSchedule = {"
               " chargingRateUnit = 'A', chargingSchedulePeriod = { { startPeriod = 0, limit = 16"
               " } } } } local c = core.composite({ { connectorId = 1, profile = profile } }, {"
               " connectorId = 1, volts = 230, phases = 3 }, 1752470408000, 3600, 'A')"
               " return { c.chargingRateUnit, c.chargingSchedulePeriod[1].limit,"
               " core.composite({}, { connectorId = 1 }, 0, 60, 'W') == nil,"
               " (pcall(core.composite, {}, { connectorId = 1 }, 0, 60, 'V')) }",
               "[\"A\",16,true,false]");
}

static void test_pause(void **state)
{
    (void)state;
    struct world *w = core_running("core.pause() return 'on'");
    assert_int_equal(ask(w, "POST /run", "{}"), 0);
    pass(w->f, 0);
    assert_string_equal(strbuf_text(&w->body), "[\"on\"]");
    assert_int_equal(ask(w, "POST /run", "{}"), 0); /* cancelled while it pauses */
    world_free(w);
}

static void test_figures(void **state)
{
    (void)state;
    struct world *w =
        filed("function on.status(cp, connector) end\n"
              "route('POST /run', function(req) local found = {}\n"
              "for _, f in ipairs(core.figures()) do\n"
              "found[f.name .. '{' .. f.labels .. '}'] = f.value end\n"
              "local got = {} for i, k in ipairs(req.json.of) do got[i] = found[k] or 'none' end\n"
              "return 200, got end)");
    struct hook_stats *stats = &w->policy->current->stats[EVENT_STATUS];
    hook_stats_count(stats, false, 900, 2); /* microseconds: slot up to 1024 */
    hook_stats_count(stats, true, 5000000, 0);
    EXPECT(w, "POST /run",
           "{\"of\":[\"chargebridge_policy_run_seconds_bucket{hook=\\\"status\\\",le=\\\"0."
           "000512\\\"}\",\"chargebridge_policy_run_seconds_bucket{hook=\\\"status\\\",le=\\\"0."
           "001024\\\"}\",\"chargebridge_policy_run_seconds_bucket{hook=\\\"status\\\",le=\\\"+"
           "Inf\\\"}\",\"chargebridge_policy_run_seconds_count{hook=\\\"status\\\"}\","
           "\"chargebridge_policy_run_seconds_sum{hook=\\\"status\\\"}\","
           "\"chargebridge_policy_errors_total{hook=\\\"status\\\"}\","
           "\"chargebridge_charge_points{state=\\\"online\\\"}\","
           "\"chargebridge_calls_received_total{}\",\"chargebridge_store_queue{x=\\\"y\\\"}\","
           "\"chargebridge_route_calls_total{method=\\\"POST\\\",path=\\\"/run\\\"}\"]}",
           200, "[0,1,2,2,5.0009,1,1,1,1.5,1]");
    end(w);
}

static void test_routes(void **state)
{
    (void)state;
    struct world *w = filed(
        "route('GET /a/{id}', { query = { limit = 'limit' }, answers = { [200] = 'Session' }, doc ="
        " 'D.' }, function() end)\n"
        "route('POST /b', { key = false, idempotent = true, body = { a = { b = 'string' } } },"
        " function() end)\n"
        "route('POST /run', { body = 'text', scope = 'admin' }, function(req) local l ="
        " core.routes()\n"
        "l[1].answers = l[1].answers[200] return 200, l end)");
    EXPECT(w, "POST /run", "{}", 200,
           "[{\"answers\":\"Session\",\"bodyKind\":\"json\",\"builtin\":true,\"doc\":\"D.\","
           "\"idempotent\":false,\"method\":\"GET\",\"path\":\"/a/{id}\",\"query\":{\"limit\":"
           "\"limit\"},\"scope\":\"read\"},{\"body\":{\"a\":{\"b\":\"string\"}},\"bodyKind\":"
           "\"json\",\"builtin\":true,\"idempotent\":true,\"method\":\"POST\",\"path\":\"/b\","
           "\"scope\":\"none\"},{\"bodyKind\":\"text\",\"builtin\":true,\"idempotent\":false,"
           "\"method\":\"POST\",\"path\":\"/run\",\"scope\":\"admin\"}]");
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),      cmocka_unit_test(test_sources),
        cmocka_unit_test(test_uploads),   cmocka_unit_test(test_links),
        cmocka_unit_test(test_events),    cmocka_unit_test(test_import_tags),
        cmocka_unit_test(test_composite), cmocka_unit_test(test_pause),
        cmocka_unit_test(test_figures),   cmocka_unit_test(test_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

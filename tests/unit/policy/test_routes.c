/* The routes that ship with the server: kept answers to the letter, new ones by their members, and
 * every refusal. */
#include "api_world.h"

static struct world *world_plain(void)
{
    return world_with("function on.start(tx) end");
}

static void start(struct world *w, const char *cp, int connector, const char *tag)
{
    static int number;
    char *text = xprintf("[2,\"s%d\",\"StartTransaction\",{\"connectorId\":%d,\"idTag\":\"%s\","
                         "\"meterStart\":1000,\"timestamp\":\"" NOW_TEXT "\"}]",
                         ++number, connector, tag);
    say(w->f, cp, text);
    xfree(text);
}

static void status(struct world *w, int connector, const char *word, const char *error)
{
    static int number;
    char *text =
        xprintf("[2,\"t%d\",\"StatusNotification\",{\"connectorId\":%d,\"errorCode\":\"%s\","
                "\"status\":\"%s\",\"timestamp\":\"" NOW_TEXT "\"}]",
                ++number, connector, error, word);
    say(w->f, "CP1", text);
    xfree(text);
}

/* ---- keys of every route ---- */

static void test_scopes(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum key_scope least;
    } routes[] = {
        {"GET /api/v1/health", SCOPE_NONE},
        {"GET /api/v1/version", SCOPE_READ},
        {"GET /api/v1/active", SCOPE_READ},
        {"GET /api/v1/status", SCOPE_READ},
        {"GET /api/v1/overview", SCOPE_READ},
        {"GET /api/v1/history", SCOPE_READ},
        {"GET /api/v1/stations", SCOPE_NONE},
        {"GET /api/v1/stations/9", SCOPE_NONE},
        {"POST /api/v1/stations", SCOPE_OPERATE},
        {"DELETE /api/v1/stations/9", SCOPE_OPERATE},
        {"GET /api/v1/chargepoints", SCOPE_READ},
        {"GET /api/v1/chargepoints/CP1", SCOPE_READ},
        {"PUT /api/v1/chargepoints/X", SCOPE_OPERATE},
        {"DELETE /api/v1/chargepoints/X", SCOPE_OPERATE},
        {"GET /api/v1/tags", SCOPE_READ},
        {"GET /api/v1/tags/X", SCOPE_READ},
        {"PUT /api/v1/tags/X", SCOPE_OPERATE},
        {"DELETE /api/v1/tags/X", SCOPE_OPERATE},
        {"GET /api/v1/messages", SCOPE_READ},
        {"GET /api/v1/decisions", SCOPE_READ},
        {"GET /api/v1/policies", SCOPE_READ},
        {"GET /api/v1/policies/errors", SCOPE_READ},
        {"POST /api/v1/policies/reload", SCOPE_ADMIN},
        {"POST /api/v1/policies/check", SCOPE_ADMIN},
        {"POST /api/v1/policies/rollback", SCOPE_ADMIN},
    };
    struct world *w = world_plain();
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        for (int scope = SCOPE_NONE; scope < (int)routes[i].least; scope++) {
            int wanted = scope == SCOPE_NONE ? 401 : 403;
            int got =
                ask_with(w, routes[i].what, (struct asked){NULL, NULL, (enum key_scope)scope});
            if (got != wanted)
                fail_msg("%s with scope %d: %d", routes[i].what, scope, got);
        }
        ask_with(w, routes[i].what, (struct asked){NULL, NULL, routes[i].least});
        if (w->status == 401 || w->status == 403)
            fail_msg("%s: %d", routes[i].what, w->status);
        if (strstr(routes[i].what, "/policies/") && w->status == 0)
            world_turn(w);
    }
    world_free(w);
}

/* ---- health, version ---- */

static void test_health(void **state)
{
    (void)state;
    struct world *w = world_plain();
    EXPECT(w, "GET /api/v1/health", NULL, 200, "{\"ok\":true,\"time\":\"" NOW_TEXT "\"}");
    w->sick = true;
    EXPECT(w, "GET /api/v1/health", NULL, 503, "{\"ok\":false}");
    EXPECT_PART(w, "GET /api/v1/version", NULL, 200, "{\"name\":\"chargebridge\",\"version\":\"");
    world_free(w);
}

/* ---- live ---- */

static void test_active(void **state)
{
    (void)state;
    struct world *w = world_plain();
    EXPECT(w, "GET /api/v1/active", NULL, 200, "{\"sessions\":[]}");
    start(w, "CP1", 2, "VID:FCA47A147858");
    EXPECT(w, "GET /api/v1/active", NULL, 200,
           "{\"sessions\":[{\"cpid\":\"CP1\",\"connectorId\":2,\"idTag\":\"VID:FCA47A147858\","
           "\"transactionId\":1,\"startTime\":\"" NOW_TEXT "\",\"vehicleId\":\"VID:FCA47A147858\","
           "\"mac\":\"FCA47A147858\",\"lastSample\":null,\"flags\":[],\"meterStart\":1000}]}");
    clock_advance(60000);
    say(w->f, "CP1",
        "[2,\"m\",\"MeterValues\",{\"connectorId\":2,\"transactionId\":1,\"meterValue\":[{"
        "\"timestamp\":"
        "\"2025-07-14T05:21:08Z\",\"sampledValue\":[{\"value\":\"1500\"},{\"measurand\":"
        "\"Power.Active.Import\",\"unit\":\"W\",\"value\":\"7200\"},{\"measurand\":\"SoC\","
        "\"unit\":"
        "\"Percent\",\"value\":\"41\"},{\"measurand\":\"Voltage\",\"unit\":\"V\",\"value\":\"400."
        "5\"}]}]}]");
    EXPECT_PART(
        w, "GET /api/v1/active", NULL, 200,
        "\"lastSample\":{\"timestamp\":\"2025-07-14T05:21:08Z\",\"energyWh\":1500,\"powerW\":"
        "7200,\"soc\":41,\"voltage\":400.5,\"current\":null,\"temperature\":null},\"energy\":500,");
    EXPECT(w, "GET /api/v1/active?cpid=CP2", NULL, 200, "{\"sessions\":[]}");
    EXPECT_PART(w, "GET /api/v1/active?cpid=cp1", NULL, 200, "\"transactionId\":1");
    EXPECT_PART(w, "GET /api/v1/active?cp=CP2", NULL, 400, "unknown query parameter \\\"cp\\\"");
    world_free(w);
}

static void test_vehicle_of_vars(void **state)
{
    (void)state;
    struct world *w =
        world_with("route('POST /v', function() local v = transaction(1).vars v.vehicleId = 'V1'"
                   " v.mac = 'AA' return 204 end)");
    start(w, "CP1", 1, "card");
    EXPECT(w, "POST /v", NULL, 204, "");
    EXPECT_PART(w, "GET /api/v1/active", NULL, 200, "\"vehicleId\":\"V1\",\"mac\":\"AA\"");
    world_free(w);
}

static void test_status(void **state)
{
    (void)state;
    struct world *w = world_plain();
    EXPECT(w, "GET /api/v1/status", NULL, 200, "{\"connectors\":[]}");
    status(w, 0, "Available", "NoError");
    status(w, 2, "Faulted", "GroundFailure");
    status(w, 1, "Available", "NoError");
    EXPECT(w, "GET /api/v1/status", NULL, 200,
           "{\"connectors\":[{\"cpid\":\"CP1\",\"connectorId\":1,\"status\":\"Available\","
           "\"errorCode\":"
           "\"NoError\",\"online\":true,\"since\":\"" NOW_TEXT
           "\"},{\"cpid\":\"CP1\",\"connectorId\":2,"
           "\"status\":\"Faulted\",\"errorCode\":\"GroundFailure\",\"online\":true,\"since\":"
           "\"" NOW_TEXT "\"}]}");
    EXPECT(w, "GET /api/v1/status?cpid=X", NULL, 200, "{\"connectors\":[]}");
    world_free(w);
}

static void test_overview(void **state)
{
    (void)state;
    struct world *w = world_plain();
    status(w, 1, "Charging", "NoError");
    status(w, 2, "Available", "NoError");
    start(w, "CP1", 1, "A");
    EXPECT_PART(
        w, "GET /api/v1/overview", NULL, 200,
        "{\"connectors\":[{\"cpid\":\"CP1\",\"connectorId\":1,\"status\":\"Charging\",\"online\":"
        "true,\"active\":{\"cpid\":\"CP1\",\"connectorId\":1,\"idTag\":\"A\",\"transactionId\":1,");
    EXPECT_PART(
        w, "GET /api/v1/overview", NULL, 200,
        "{\"cpid\":\"CP1\",\"connectorId\":2,\"status\":\"Available\",\"online\":true,\"active\":"
        "null,\"pending\":null,");
    world_free(w);
}

/* ---- history, records ---- */

static const char history_rows[] =
    "[{\"transactionId\":7,\"cpid\":\"CP1\",\"connectorId\":1,\"idTag\":\"vid:AB12\","
    "\"parentIdTag\":null,"
    "\"meterStart\":100,\"meterStop\":90,\"energy\":null,\"startMs\":1752470408000,\"stopMs\":"
    "1752474008000,"
    "\"reason\":\"Local\",\"verdict\":\"Accepted\",\"flags\":5,\"stopIdTag\":null,\"generation\":1,"
    "\"vars\":{\"x\":1},\"stopped\":true}]";

static void test_history(void **state)
{
    (void)state;
    struct world *w = world_plain();
    EXPECT(w, "GET /api/v1/history", NULL, 200, "{\"sessions\":[]}");
    assert_string_equal(w->query_name, "history");
    assert_string_equal(strbuf_text(&w->query_params), "{\"limit\":100}");
    w->rows = history_rows;
    EXPECT(
        w, "GET /api/v1/history", NULL, 200,
        "{\"sessions\":[{\"cpid\":\"CP1\",\"connectorId\":1,\"idTag\":\"vid:AB12\","
        "\"transactionId\":7,"
        "\"meterStart\":100,\"meterStop\":90,\"energy\":null,\"startTime\":\"2025-07-14T05:20:"
        "08Z\","
        "\"stopTime\":\"2025-07-14T06:20:08Z\",\"durationSecs\":3600,\"reason\":\"Local\","
        "\"vehicleId\":"
        "\"VID:AB12\",\"mac\":\"AB12\",\"flags\":[\"refused\",\"suspect_meter\"],\"generation\":1,"
        "\"verdict\":\"Accepted\"}]}");
    assert_string_equal(w->headers, "");
    w->next = "5_6";
    EXPECT_PART(
        w,
        "GET /api/v1/history?cpid=a b&from=2026-01-01T00:00:00Z&to=2026-01-02&limit=5&cursor=9_9",
        NULL, 200, "\"transactionId\":7");
    assert_string_equal(
        strbuf_text(&w->query_params),
        "{\"cpid\":\"a b\",\"cursor\":\"9_9\",\"from\":1767225600000,\"limit\":5,\"to\":"
        "1767312000000}");
    assert_string_equal(w->headers, "Link: </api/v1/history?cursor=5_6&limit=5&cpid=a%20b&from="
                                    "2026-01-01T00%3A00%3A00Z&to=2026-01-02T00%3A00%3A00Z>; "
                                    "rel=\"next\"\n");
    world_free(w);
}

static void test_store_failures(void **state)
{
    (void)state;
    struct world *w = world_plain();
    w->rows = NULL;
    w->query_why = "disk I/O error at page 7";
    EXPECT_PART(w, "GET /api/v1/history", NULL, 503, "the store does not answer");
    assert_null(strstr(strbuf_text(&w->body), "page 7")); /* that is for the log */
    assert_non_null(strstr(strbuf_text(&w->log), "page 7"));
    w->query_why = "cursor: not one that this list gave";
    EXPECT_PART(w, "GET /api/v1/messages?cursor=x", NULL, 400, "\\\"cursor\\\" is not one of ours");
    world_free(w);
}

static void test_messages(void **state)
{
    (void)state;
    struct world *w = world_plain();
    w->rows =
        "[{\"id\":9,\"cpid\":\"CP1\",\"connection\":3,\"tsMs\":1752470408123,\"outgoing\":true,"
        "\"text\":\"[3,\\\"1\\\",{}]\",\"note\":null}]";
    w->next = "9";
    EXPECT(w, "GET /api/v1/messages?cpid=CP1&direction=out&contains=x&limit=1", NULL, 200,
           "{\"items\":[{\"id\":9,\"cpid\":\"CP1\",\"connection\":3,\"timestamp\":"
           "\"2025-07-14T05:20:08.123Z\",\"direction\":\"out\",\"text\":\"[3,\\\"1\\\",{}]\","
           "\"note\":null}],"
           "\"next\":\"9\"}");
    assert_string_equal(strbuf_text(&w->query_params),
                        "{\"contains\":\"x\",\"cpid\":\"CP1\",\"direction\":\"out\",\"limit\":1}");
    EXPECT_PART(w, "GET /api/v1/messages?direction=up", NULL, 400, "\\\"in\\\" or \\\"out\\\"");
    world_free(w);
}

static void test_decisions(void **state)
{
    (void)state;
    struct world *w = world_plain();
    EXPECT(w, "GET /api/v1/decisions", NULL, 200, "{\"items\":[],\"next\":null}");
    w->rows = "[{\"id\":1,\"cpid\":\"CP1\",\"tsMs\":1752470408000,\"event\":\"authorize\","
              "\"idTag\":\"A\","
              "\"connectorId\":null,\"transactionId\":null,\"verdict\":\"Blocked\",\"why\":"
              "\"lost\",\"file\":"
              "\"10-x.lua\",\"line\":3,\"generation\":2,\"inputs\":{\"a\":1}}]";
    EXPECT(w, "GET /api/v1/decisions?idTag=A", NULL, 200,
           "{\"items\":[{\"id\":1,\"cpid\":\"CP1\",\"timestamp\":\"" NOW_TEXT
           "\",\"event\":\"authorize\","
           "\"idTag\":\"A\",\"connectorId\":null,\"transactionId\":null,\"verdict\":\"Blocked\","
           "\"why\":"
           "\"lost\",\"file\":\"10-x.lua\",\"line\":3,\"generation\":2,\"inputs\":{\"a\":1},"
           "\"answer\":null,\"shadow\":null}],"
           "\"next\":null}");
    assert_string_equal(strbuf_text(&w->query_params), "{\"idTag\":\"A\",\"limit\":100}");
    world_free(w);
}

/* ---- stations ---- */

static void test_stations(void **state)
{
    (void)state;
    struct world *w = world_plain();
    EXPECT(w, "GET /api/v1/stations", NULL, 200, "[]");
    EXPECT(w, "POST /api/v1/stations", "{\"name\":\"Demo\",\"location\":\"BKK\"}", 200,
           "{\"id\":1,\"name\":\"Demo\",\"location\":\"BKK\",\"connectors\":[]}");
    status(w, 1, "Available", "NoError");
    EXPECT(w, "POST /api/v1/stations", "{\"name\":\"CP1\"}", 200,
           "{\"id\":2,\"name\":\"CP1\",\"location\":null,\"connectors\":[{\"id\":1,\"status\":"
           "\"Available\"}]}");
    EXPECT_PART(w, "GET /api/v1/stations/1", NULL, 200, "\"name\":\"Demo\"");
    EXPECT_PART(w, "GET /api/v1/stations", NULL, 200, "[{\"id\":1,");
    EXPECT(w, "DELETE /api/v1/stations/1", NULL, 200, "{\"ok\":true}");
    EXPECT_PART(w, "DELETE /api/v1/stations/1", NULL, 404, "\"detail\":\"Station not found\"");
    EXPECT_PART(w, "GET /api/v1/stations/1", NULL, 404, "Station not found");
    EXPECT_PART(w, "GET /api/v1/stations/x", NULL, 404, "Station not found");
    EXPECT_PART(w, "GET /api/v1/stations", NULL, 200, "[{\"id\":2,");
    EXPECT_PART(w, "POST /api/v1/stations", "{\"name\":\"again\"}", 200, "{\"id\":3,");
    EXPECT_PART(w, "POST /api/v1/stations", "{\"nme\":\"x\"}", 422, "did you mean name?");
    EXPECT_PART(w, "POST /api/v1/stations", NULL, 422,
                "{\"pointer\":\"/name\",\"message\":\"required\"}");
    EXPECT_ROWS(w->f, 1, "KV key=chargebridge/stations/3"); /* durable */
    world_free(w);
}

/* ---- charge points ---- */

static void test_charge_point(void **state)
{
    (void)state;
    struct world *w = world_plain();
    status(w, 1, "Faulted", "GroundFailure");
    EXPECT(
        w, "GET /api/v1/chargepoints/cp1", NULL, 200,
        "{\"cpid\":\"CP1\",\"state\":\"online\",\"online\":true,\"registration\":\"accepted\","
        "\"registered\":true,\"version\":\"1.6\",\"vendor\":\"V\",\"model\":\"M\",\"serial\":null,"
        "\"firmware\":null,\"address\":\"192.0.2.7\",\"createdAt\":\"" NOW_TEXT
        "\",\"connectedAt\":\"" NOW_TEXT "\",\"lastSeenAt\":\"" NOW_TEXT
        "\",\"lastBootAt\":\"" NOW_TEXT "\",\"securityProfile\":0,\"hasPassword\":false,"
        "\"options\":{},\"quirks\":[],\"connectors\":[{\"connectorId\":1,"
        "\"status\":\"Faulted\",\"errorCode\":\"GroundFailure\",\"info\":null,\"vendorErrorCode\":"
        "null,"
        "\"since\":\"" NOW_TEXT "\",\"transactionId\":null}]}");
    down(w->f, "CP1", 1);
    EXPECT_PART(w, "GET /api/v1/chargepoints/CP1", NULL, 200,
                "\"state\":\"offline\",\"online\":false");
    EXPECT_PART(w, "GET /api/v1/chargepoints/X", NULL, 404, "unknown charge point");
    world_free(w);
}

static void test_charge_points(void **state)
{
    (void)state;
    struct world *w = world_plain();
    static const char *const ids[] = {"b", "A", "c", "D"};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        up(w->f, ids[i], 10 + i);
    EXPECT_PART(w, "GET /api/v1/chargepoints?limit=2", NULL, 200, "{\"items\":[{\"cpid\":\"A\",");
    assert_non_null(strstr(strbuf_text(&w->body), "{\"cpid\":\"b\","));
    assert_non_null(strstr(strbuf_text(&w->body), "\"next\":\"b\"}"));
    EXPECT_PART(w, "GET /api/v1/chargepoints?limit=2&cursor=b", NULL, 200,
                "{\"items\":[{\"cpid\":\"c\",");
    assert_non_null(strstr(strbuf_text(&w->body), "\"next\":\"CP1\"}"));
    EXPECT_PART(w, "GET /api/v1/chargepoints?limit=2&cursor=CP1", NULL, 200,
                "{\"items\":[{\"cpid\":\"D\",");
    assert_non_null(strstr(strbuf_text(&w->body), "\"next\":null}"));
    EXPECT(w, "GET /api/v1/chargepoints?cursor=D", NULL, 200, "{\"items\":[],\"next\":null}");
    EXPECT_PART(w, "GET /api/v1/chargepoints?state=online", NULL, 200,
                "\"items\":[{\"cpid\":\"CP1\",");
    EXPECT_PART(w, "GET /api/v1/chargepoints?state=pending", NULL, 200,
                "\"items\":[{\"cpid\":\"A\",");
    EXPECT(w, "GET /api/v1/chargepoints?state=blocked", NULL, 200, "{\"items\":[],\"next\":null}");
    EXPECT_PART(w, "GET /api/v1/chargepoints?state=dead", NULL, 400, "must be \\\"online\\\", ");
    world_free(w);
}

static void test_register(void **state)
{
    (void)state;
    struct world *w = world_plain();
    EXPECT_PART(
        w, "PUT /api/v1/chargepoints/New%201",
        "{\"registration\":\"accepted\",\"password\":\"0123456789abcdef\",\"securityProfile\":1,"
        "\"options\":{\"strict\":true}}",
        200,
        "{\"cpid\":\"New 1\",\"state\":\"offline\",\"online\":false,\"registration\":\"accepted\"");
    assert_non_null(
        strstr(strbuf_text(&w->body), "\"hasPassword\":true,\"options\":{\"strict\":true}"));
    assert_null(strstr(strbuf_text(&w->body), "0123456789abcdef"));
    EXPECT_ROWS(w->f, 1, "CHARGE_POINT id=New");
    EXPECT_PART(w, "PUT /api/v1/chargepoints/New%201", "{\"registration\":\"rejected\"}", 200,
                "\"state\":\"blocked\"");
    EXPECT_PART(w, "PUT /api/v1/chargepoints/Y", NULL, 200, "\"registration\":\"pending\"");
    world_free(w);
}

static void test_register_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *body, *part;
    } cases[] = {
        {"{\"registration\":\"maybe\"}", "{\"pointer\":\"/registration\",\"message\":\"expected "
                                         "\\\"accepted\\\", \\\"pending\\\" or \\\"rejected\\\""},
        {"{\"password\":\"short\"}",
         "{\"message\":\"expected 16 to 64 bytes\",\"pointer\":\"/password\"}"},
        {"{\"securityProfile\":7}", "\"pointer\":\"/securityProfile\"}"},
        {"{\"securityProfile\":1}", "needs a password"},
        {"{\"options\":{\"stict\":true}}", "\"pointer\":\"/options/stict\"}"},
        {"{\"options\":{\"strict\":5}}", "\"pointer\":\"/options/strict\"}"},
        {"{\"options\":[]}", "expected an object, got a list"},
        {"{\"pasword\":\"x\"}", "did you mean password?"},
    };
    struct world *w = world_plain();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_PART(w, "PUT /api/v1/chargepoints/N", cases[i].body, 422, cases[i].part);
    EXPECT_PART(w, "GET /api/v1/chargepoints/N", NULL, 404, "unknown");
    w->f->fail = 1;
    EXPECT_PART(w, "PUT /api/v1/chargepoints/N", "{\"registration\":\"accepted\"}", 503,
                "\"status\":503");
    world_free(w);
}

static void test_answers_when_it_is_stored(void **state)
{
    (void)state;
    struct world *w = world_plain();
    w->f->hold = true;
    assert_int_equal(ask(w, "PUT /api/v1/chargepoints/N", "{\"registration\":\"accepted\"}"), 0);
    store_release(w->f);
    assert_int_equal(w->status, 200);
    world_free(w);
}

static void test_delete_charge_point(void **state)
{
    (void)state;
    struct world *w = world_plain();
    EXPECT_PART(w, "DELETE /api/v1/chargepoints/X", NULL, 404, "unknown charge point");
    start(w, "CP1", 1, "A");
    EXPECT_PART(w, "DELETE /api/v1/chargepoints/CP1", NULL, 409, "a transaction is open");
    say(w->f, "CP1",
        "[2,\"p\",\"StopTransaction\",{\"transactionId\":1,\"meterStop\":1100,\"timestamp\":"
        "\"2025-07-14T05:20:09Z\"}]");
    EXPECT(w, "DELETE /api/v1/chargepoints/CP1", NULL, 200, "{\"ok\":true}");
    EXPECT_PART(w, "GET /api/v1/chargepoints/CP1", NULL, 404, "unknown");
    world_free(w);
}

/* ---- tags ---- */

static void test_tags(void **state)
{
    (void)state;
    struct world *w = world_plain();
    EXPECT(w, "GET /api/v1/tags", NULL, 200, "{\"items\":[],\"next\":null}");
    EXPECT(w, "PUT /api/v1/tags/Anna", "{}", 200,
           "{\"idTag\":\"Anna\",\"status\":\"Accepted\",\"expiryDate\":null,\"parentIdTag\":null,"
           "\"note\":null,\"maxActive\":null}");
    EXPECT(w, "PUT /api/v1/tags/Bert",
           "{\"idTag\":\"BERT\",\"status\":\"Blocked\",\"expiryDate\":\"2020-01-01T00:00:00Z\","
           "\"parentIdTag\":\"FLEET\",\"note\":\"lost\",\"maxActive\":2}",
           200,
           "{\"idTag\":\"Bert\",\"status\":\"Blocked\",\"expiryDate\":\"2020-01-01T00:00:00Z\","
           "\"parentIdTag\":\"FLEET\",\"note\":\"lost\",\"maxActive\":2}");
    EXPECT_PART(w, "GET /api/v1/tags/bert", NULL, 200, "\"note\":\"lost\"");
    EXPECT_PART(w, "GET /api/v1/tags?limit=1", NULL, 200, "\"next\":\"Anna\"}");
    EXPECT_PART(w, "GET /api/v1/tags?limit=1&cursor=Anna", NULL, 200,
                "{\"items\":[{\"idTag\":\"Bert\",");
    EXPECT_ROWS(w->f, 1, "TAG idTag=Bert status=Blocked parent=FLEET");
    EXPECT(w, "DELETE /api/v1/tags/BERT", NULL, 200, "{\"ok\":true}");
    EXPECT_PART(w, "DELETE /api/v1/tags/BERT", NULL, 404, "unknown tag");
    EXPECT_PART(w, "GET /api/v1/tags/BERT", NULL, 404, "unknown tag");
    world_free(w);
}

static void test_tag_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *body, *part;
    } cases[] = {
        {"{\"status\":\"Fine\"}",
         "\"pointer\":\"/status\",\"message\":\"expected \\\"Accepted\\\", "},
        {"{\"idTag\":\"other\"}", "\"pointer\":\"/idTag\"}"},
        {"{\"expiryDate\":\"soon\"}", "\"pointer\":\"/expiryDate\""},
        {"{\"parentIdTag\":\"123456789012345678901\"}", "\"pointer\":\"/parentIdTag\"}"},
        {"{\"maxActive\":0}", "\"pointer\":\"/maxActive\"}"},
        {"{\"maxActive\":\"1\"}", "expected an integer, got a string"},
        {"{\"expirydate\":null}", "did you mean expiryDate?"},
    };
    struct world *w = world_plain();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_PART(w, "PUT /api/v1/tags/X", cases[i].body, 422, cases[i].part);
    w->f->fail = 1;
    EXPECT_PART(w, "PUT /api/v1/tags/X", "{}", 503, "could not be stored");
    EXPECT_PART(w, "GET /api/v1/tags/X", NULL, 404, "unknown tag");
    world_free(w);
}

/* ---- policies ---- */

static void test_policies(void **state)
{
    (void)state;
    struct world *w = world_plain();
    EXPECT_PART(w, "GET /api/v1/policies", NULL, 200, "\"generation\":1,");
    assert_non_null(strstr(strbuf_text(&w->body), "\"files\":[{\"bytes\":"));
    assert_non_null(strstr(strbuf_text(&w->body), "\"timers\":[]"));
    EXPECT(w, "GET /api/v1/policies/errors", NULL, 200, "{\"items\":[],\"total\":0}");
    world_free(w);
}

static void built(struct world *w, const char *what, int status_wanted, const char *part)
{
    assert_int_equal(ask(w, what, NULL), 0);
    world_turn(w);
    if (w->status != status_wanted || !strstr(strbuf_text(&w->body), part))
        fail_msg("%s: %d %s", what, w->status, strbuf_text(&w->body));
}

static void test_reload_check_rollback(void **state)
{
    (void)state;
    struct world *w = world_plain();
    built(w, "POST /api/v1/policies/check", 200, "\"ok\":true");
    EXPECT_PART(w, "GET /api/v1/policies", NULL, 200, "\"generation\":1,");
    world_file(w, "10-t.lua", "function on.stop(tx) end");
    built(w, "POST /api/v1/policies/reload", 200, "\"generation\":2,\"ok\":true");
    world_file(w, "20-bad.lua", "\nretrun 'x'");
    built(w, "POST /api/v1/policies/check", 409,
          "\"errors\":[{\"file\":\"20-bad.lua\",\"line\":2,");
    built(w, "POST /api/v1/policies/reload", 409,
          "{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,\"detail\":\"the "
          "policies have a problem; the rules in force stay\",\"errorCount\":1,");
    assert_string_equal(w->type, "application/problem+json");
    EXPECT_PART(w, "GET /api/v1/policies", NULL, 200, "\"lastRefusal\":{");
    built(w, "POST /api/v1/policies/rollback", 200,
          "\"filesDiffer\":true,\"generation\":3,\"ok\":true");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_active),
        cmocka_unit_test(test_vehicle_of_vars),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_overview),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_store_failures),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_stations),
        cmocka_unit_test(test_charge_point),
        cmocka_unit_test(test_charge_points),
        cmocka_unit_test(test_register),
        cmocka_unit_test(test_register_refusals),
        cmocka_unit_test(test_answers_when_it_is_stored),
        cmocka_unit_test(test_delete_charge_point),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_tag_refusals),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_reload_check_rollback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

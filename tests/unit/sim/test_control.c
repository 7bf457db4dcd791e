/* The control, request by request, against real chargers that reach no central system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim/control.h"
#include "sim/parts.h"

struct rig {
    struct loop *loop;
    struct ws_client_context *context;
    struct http_client *http;
    struct fleet *fleet;
    struct strbuf body;
};

static struct rig rig;

static void rig_open(int count)
{
    struct reason why;
    clock_fake(1750000000000);
    rig = (struct rig){.loop = loop_new()};
    rig.context = ws_client_context_open(rig.loop, &why);
    rig.http = http_client_open(rig.loop, &why);
    struct fleet_settings settings = {.count = count,
                                      .stagger_ms = 1000,
                                      .charger = {.host = "127.0.0.1",
                                                  .port = 1,
                                                  .path = "/ocpp",
                                                  .identity = "CB",
                                                  .connectors = 2,
                                                  .power_w = 120000,
                                                  .battery_wh = 75000,
                                                  .soc = 20,
                                                  .meter_interval_s = 10,
                                                  .boot_delay_ms = 1000000,
                                                  .log_frames = true,
                                                  .vendor = "V",
                                                  .model = "M",
                                                  .firmware = "F"}};
    rig.fleet = fleet_new(&settings, rig.loop, rig.context, rig.http);
}

static void rig_close(void)
{
    fleet_free(rig.fleet);
    http_client_close(rig.http);
    ws_client_context_free(rig.context);
    loop_free(rig.loop);
    strbuf_clear(&rig.body);
    clock_real();
}

/* "POST /plug/1?id_tag=A" and a body. */
static int ask_with(const char *line, const char *body)
{
    char text[300];
    struct name_value query[4];
    struct request request = {.query = query, .peer = "127.0.0.1"};
    text_copy(text, sizeof(text), span_of(line));
    char *path = strchr(text, ' ');
    *path++ = '\0';
    request.method = text;
    request.path = path;
    char *rest = strchr(path, '?');
    if (rest)
        *rest++ = '\0';
    for (char *pair = rest ? strtok(rest, "&") : NULL; pair; pair = strtok(NULL, "&")) {
        char *equals = strchr(pair, '=');
        *equals = '\0';
        query[request.query_count++] = (struct name_value){pair, equals + 1};
    }
    request.body = span_of(body);
    strbuf_reset(&rig.body);
    return control_handle(rig.fleet, &request, &rig.body);
}

static void ask(int line_no, const char *line, int status, const char *part)
{
    int got = ask_with(line, "");
    if (got != status || !strstr(strbuf_text(&rig.body), part))
        fail_msg("line %d: %s: %d %s", line_no, line, got, strbuf_text(&rig.body));
}

#define ASK(line, status, part) ask(__LINE__, line, status, part)

static const char ok[] = "{\"ok\":true}";

static void test_the_documented_lines(void **state)
{
    (void)state;
    rig_open(1);
    ASK("GET /health", 200, ok);
    ASK("POST /plug/1", 200, ok);
    ASK("GET /state", 200, "\"identity\":\"CB\"");
    ASK("GET /state", 200, "\"plugged\":true");
    ASK("POST /suspend_evse/1", 409, "\"error\"");
    ASK("POST /unplug/1", 200, ok);
    ASK("POST /plug/2?id_tag=A&auto_start=false", 200, ok);
    ASK("POST /unplug/2", 200, ok);
    ASK("POST /fault/2?error_code=GroundFailure", 200, ok);
    ASK("GET /state", 200, "GroundFailure");
    ASK("POST /clear_fault/2", 200, ok);
    ASK("POST /fault/0", 200, ok); /* the charger itself */
    ASK("POST /clear_fault/0", 200, ok);
    ASK("POST /local_stop/1", 409, "\"error\"");
    rig_close();
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    rig_open(1);
    const char unknown[] = "{\"error\":\"unknown connector\"}";
    ASK("POST /plug/3", 404, unknown);
    ASK("POST /plug/0", 404, unknown);
    ASK("POST /plug/-1", 404, unknown);
    ASK("POST /plug/one", 404, unknown);
    ASK("POST /plug/99999999999999999999", 404, unknown);
    ASK("POST /local_start/3?id_tag=A", 404, unknown);
    ASK("POST /fault/3", 404, unknown);
    ASK("POST /plug", 404, "no such path");
    ASK("POST /plug/", 404, "no such path");
    ASK("POST /plug/1/2", 404, "no such path");
    ASK("GET /", 404, "no such path");
    ASK("GET /nothing", 404, "no such path");
    ASK("POST /network/sideways", 404, "no such path");
    ASK("GET /plug/1", 405, "method");
    ASK("POST /state", 405, "method");
    ASK("DELETE /configuration", 405, "method");
    rig_close();
}

static void test_bad_parameters(void **state)
{
    (void)state;
    rig_open(1);
    ASK("POST /local_start/1", 422, "id_tag: expected");
    ASK("POST /local_start/1?id_tag=", 422, "id_tag: expected");
    ASK("POST /plug/1?auto_start=perhaps", 422, "auto_start: expected true or false");
    ASK("POST /soc/1", 422, "percent: expected a number from 0 to 100");
    ASK("POST /soc/1?percent=101", 422, "percent");
    ASK("POST /soc/1?percent=x", 422, "percent");
    ASK("POST /stall/1?power_w=much", 422, "power_w");
    ASK("PUT /configuration/HeartbeatInterval", 422, "value: expected");
    ASK("PUT /faults/x?probability=2", 422, "probability");
    ASK("PUT /faults/x", 404, "\"error\"");
    ASK("PUT /faults/%zz", 404, "not a name");
    ASK("PUT /faults/a%00b", 404, "not a name");
    rig_close();
}

static void test_configuration_faults_and_calls(void **state)
{
    (void)state;
    rig_open(1);
    ASK("GET /configuration", 200, "\"configurationKey\"");
    ASK("PUT /configuration/HeartbeatInterval?value=77", 200, ok);
    ASK("GET /configuration", 200, "\"77\"");
    const char *name, *doc;
    size_t at = 0;
    assert_true(charger_fault_next(&at, &name, &doc));
    char line[100], part[100];
    snprintf(line, sizeof(line), "PUT /faults/%s?probability=0.5", name);
    ASK(line, 200, ok);
    snprintf(part, sizeof(part), "\"name\":\"%s\",\"probability\":0.5", name);
    ASK("GET /faults", 200, part);
    snprintf(line, sizeof(line), "DELETE /faults/%s", name);
    ASK(line, 200, ok);
    snprintf(part, sizeof(part), "\"name\":\"%s\",\"probability\":0,", name);
    ASK("GET /faults", 200, part);
    ASK("POST /network/down", 200, ok);
    ASK("POST /network/up", 200, ok);
    ASK("POST /power_cycle", 200, ok);
    ASK("GET /log", 200, "\"frames\":[");
    ASK("POST /send/Heartbeat", 409, "{\"error\":\"not connected\"}");
    fleet_at(rig.fleet, 0)->online = true;
    ASK("POST /send/NoSuchAction", 422, "\"error\"");
    assert_int_equal(ask_with("POST /send/Heartbeat", "{"), 422);
    fleet_at(rig.fleet, 0)->online = false;
    rig_close();
}

static void test_a_fleet(void **state)
{
    (void)state;
    rig_open(3);
    ASK("GET /chargers", 200, "{\"chargers\":[\"CB-0001\",\"CB-0002\",\"CB-0003\"]}");
    ASK("GET /figures", 200, "\"chargers\":3,");
    ASK("GET /chargers/CB-0002/figures", 200, "\"chargers\":1,");
    ASK("POST /chargers/cb-0002/plug/1", 200, ok); /* without case */
    ASK("GET /chargers/CB-0002/state", 200, "\"plugged\":true");
    ASK("GET /state", 200, "\"identity\":\"CB-0001\""); /* the first */
    assert_null(strstr(strbuf_text(&rig.body), "\"plugged\":true"));
    ASK("GET /chargers/CB%2D0003/health", 200, ok);
    ASK("POST /chargers/CB-0009/plug/1", 404, "unknown charger");
    ASK("POST /chargers/CB-0001/plug/9", 404, "unknown connector");
    ASK("POST /chargers", 405, "method");
    rig_close();
    rig_open(0); /* a scenario that has not brought any */
    ASK("GET /state", 404, "there is no charger yet");
    ASK("POST /plug/1", 404, "there is no charger yet");
    ASK("GET /chargers", 200, "{\"chargers\":[]}");
    ASK("GET /health", 200, ok);
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_documented_lines),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_bad_parameters),
        cmocka_unit_test(test_configuration_faults_and_calls),
        cmocka_unit_test(test_a_fleet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

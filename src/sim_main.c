/* chargebridge-sim: one simulated charge point with an HTTP control on loopback.
 *
 * Wiring and command line only; the charger is in sim/. Exit status: 0 ended by a signal, 1 could
 * not start, 2 usage. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "http_loop.h"
#include "sim/charger.h"
#include "sim/control.h"

static const char usage[] =
    "chargebridge-sim: a simulated OCPP 1.6 charge point\n"
    "\n"
    "  --host ADDRESS      of the central system            127.0.0.1\n"
    "  --port N            of the central system            9000\n"
    "  --path PATH         before the identity              /ocpp\n"
    "  --id IDENTITY       of the charge point              Gresgying02\n"
    "  --password SECRET   HTTP Basic, if it has one\n"
    "  --connectors N      1 to 16                          2\n"
    "  --power W           what a car draws                 120000\n"
    "  --meter-interval S  seconds between MeterValues      10\n"
    "  --control-port N    HTTP control on loopback         7071\n"
    "  --help\n"
    "\n"
    "Control: POST /plug/1?id_tag=TAG, /unplug/1, /local_start/1?id_tag=TAG, /local_stop/1;\n"
    "GET /state, /health.\n";

struct simulator {
    struct charger_settings settings;
    int control_port;
    struct loop *loop;
    struct ws_client_context *context;
    struct charger *charger;
    struct http *http;
};

enum option_id {
    OPT_HOST,
    OPT_PORT,
    OPT_PATH,
    OPT_ID,
    OPT_PASSWORD,
    OPT_CONNECTORS,
    OPT_POWER,
    OPT_METER,
    OPT_CONTROL,
    OPT_HELP
};

static const struct option options[] = {
    {"host", 1, NULL, OPT_HOST},
    {"port", 1, NULL, OPT_PORT},
    {"path", 1, NULL, OPT_PATH},
    {"id", 1, NULL, OPT_ID},
    {"password", 1, NULL, OPT_PASSWORD},
    {"connectors", 1, NULL, OPT_CONNECTORS},
    {"power", 1, NULL, OPT_POWER},
    {"meter-interval", 1, NULL, OPT_METER},
    {"control-port", 1, NULL, OPT_CONTROL},
    {"help", 0, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

/* A number within limits, or the program ends with a line that says what was expected. */
static int64_t number(const char *name, int64_t least, int64_t most)
{
    int64_t value;
    if (span_int(span_of(optarg), &value) && value >= least && value <= most)
        return value;
    fprintf(stderr, "chargebridge-sim: --%s: \"%s\": expected a whole number from %lld to %lld\n",
            name, optarg, (long long)least, (long long)most);
    exit(2);
}

static void read_option(struct simulator *sim, int option)
{
    struct charger_settings *s = &sim->settings;
    switch (option) {
    case OPT_HOST:
        s->host = optarg;
        break;
    case OPT_PATH:
        s->path = optarg;
        break;
    case OPT_ID:
        s->identity = optarg;
        break;
    case OPT_PASSWORD:
        s->password = optarg;
        break;
    case OPT_PORT:
        s->port = (int)number("port", 1, 65535);
        break;
    case OPT_CONNECTORS:
        s->connectors = (int)number("connectors", 1, 16);
        break;
    case OPT_POWER:
        s->power_w = number("power", 1, 1000000);
        break;
    case OPT_METER:
        s->meter_interval_s = number("meter-interval", 1, 86400);
        break;
    case OPT_CONTROL:
        sim->control_port = (int)number("control-port", 0, 65535);
        break;
    case OPT_HELP:
        fputs(usage, stdout);
        exit(0);
    default:
        fputs("Try chargebridge-sim --help\n", stderr);
        exit(2);
    }
}

static void on_request(void *ctx, uint64_t id, const struct request *request)
{
    struct simulator *sim = ctx;
    struct strbuf body = {0};
    struct response response = {.content_type = "application/json"};
    response.status = control_handle(sim->charger, request, &body);
    response.body = (struct span){strbuf_text(&body), body.len};
    http_respond(sim->http, id, &response);
    strbuf_clear(&body);
}

static void on_terminate(void *ctx)
{
    struct simulator *sim = ctx;
    loop_stop(sim->loop);
}

static bool open_all(struct simulator *sim, struct reason *why)
{
    struct http_settings control = {.address = "127.0.0.1",
                                    .port = sim->control_port,
                                    .max_body = 4096,
                                    .request_timeout_ms = 10000,
                                    .answer_timeout_ms = 10000,
                                    .connections_max = 64,
                                    .connections_per_address = 64};
    sim->context = ws_client_context_open(sim->loop, why);
    if (!sim->context)
        return false;
    sim->http = http_open(&control, loop_timers(sim->loop), on_request, sim, why);
    if (!sim->http)
        return false;
    sim->charger = charger_new(&sim->settings, sim->loop, sim->context);
    return true;
}

static void run(struct simulator *sim)
{
    struct http_loop *attached = http_loop_attach(sim->loop, sim->http);
    struct loop_signal *watched[] = {loop_signal(sim->loop, SIGTERM, on_terminate, sim),
                                     loop_signal(sim->loop, SIGINT, on_terminate, sim)};
    LOG(LOG_INFO, "ready", L_STR("cp", sim->settings.identity),
        L_INT("control_port", http_port(sim->http)));
    loop_run(sim->loop);
    loop_unsignal(watched[0]);
    loop_unsignal(watched[1]);
    http_loop_detach(attached);
}

int main(int argc, char **argv)
{
    struct simulator sim = {.settings = {.host = "127.0.0.1",
                                         .port = 9000,
                                         .path = "/ocpp",
                                         .identity = "Gresgying02",
                                         .connectors = 2,
                                         .power_w = 120000,
                                         .meter_interval_s = 10,
                                         .vendor = "Gresgying",
                                         .model = "F3-EU180-SIM",
                                         .firmware = "simulator"},
                            .control_port = 7071};
    struct reason why;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        read_option(&sim, option);
    signal(SIGPIPE, SIG_IGN);
    sim.loop = loop_new();
    bool ok = open_all(&sim, &why);
    if (ok)
        run(&sim);
    else
        LOG(LOG_ERROR, "not started", L_STR("reason", why.text));
    if (sim.charger)
        charger_free(sim.charger);
    if (sim.http)
        http_close(sim.http);
    if (sim.context)
        ws_client_context_free(sim.context);
    loop_free(sim.loop);
    return ok ? 0 : 1;
}

/* chargebridge-sim: simulated charge points with an HTTP control on loopback.
 *
 * Wiring only; the command line is in sim/options.c, the chargers in sim/. Exit status: 0 ended by
 * a signal, or a scenario held; 1 could not start, or a scenario did not hold; 2 usage. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/mem.h"
#include "http_loop.h"
#include "sim/control.h"
#include "sim/options.h"
#include "sim/scenario.h"

enum { DESCRIPTORS_BESIDE = 400 }; /* control, transfers, libraries */

struct simulator {
    struct sim_options options;
    struct loop *loop;
    struct ws_client_context *context;
    struct http_client *client;
    struct fleet *fleet;
    struct scenario *scenario;
    struct http *http;
    int status;
};

static void on_request(void *ctx, uint64_t id, const struct request *request)
{
    struct simulator *sim = ctx;
    struct strbuf body = {0};
    struct response response = {.content_type = "application/json"};
    response.status = control_handle(sim->fleet, request, &body);
    response.body = (struct span){strbuf_text(&body), body.len};
    http_respond(sim->http, id, &response);
    strbuf_clear(&body);
}

static void on_terminate(void *ctx)
{
    struct simulator *sim = ctx;
    loop_stop(sim->loop);
}

static void on_scenario_finished(void *ctx, int code)
{
    struct simulator *sim = ctx;
    sim->status = code;
    loop_stop(sim->loop);
}

/* Each charger is a socket. Before libwebsockets sizes its tables by the limit. */
static bool allow_descriptors(int chargers, struct reason *why)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    rlim_t wanted = (rlim_t)chargers + DESCRIPTORS_BESIDE;
    if (limit.rlim_cur >= wanted)
        return true;
    if (limit.rlim_max < wanted)
        return reason_set(why,
                          "%d chargers need %d open files, the limit is %llu: raise it with "
                          "ulimit -n, or start fewer",
                          chargers, (int)wanted, (unsigned long long)limit.rlim_max);
    limit.rlim_cur = wanted;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ||
           reason_set(why, "cannot raise the limit of open files to %d", (int)wanted);
}

static bool open_control(struct simulator *sim, struct reason *why)
{
    struct http_settings control = {.address = "127.0.0.1",
                                    .port = sim->options.control_port,
                                    .max_body = 65536,
                                    .request_timeout_ms = 10000,
                                    .answer_timeout_ms = 10000,
                                    .connections_max = 64,
                                    .connections_per_address = 64};
    sim->http = http_open(&control, loop_timers(sim->loop), on_request, sim, why);
    return sim->http != NULL;
}

static bool open_chargers(struct simulator *sim, struct reason *why)
{
    const struct sim_options *options = &sim->options;
    sim->fleet = fleet_new(&options->fleet, sim->loop, sim->context, sim->client);
    for (size_t i = 0; i < fleet_count(sim->fleet); i++)
        for (size_t f = 0; f < options->fault_count; f++)
            if (!charger_fault(fleet_at(sim->fleet, i), options->faults[f].name,
                               options->faults[f].probability, why))
                return false;
    if (!options->scenario)
        return true;
    struct scenario_settings settings = {.loop = sim->loop,
                                         .http = sim->client,
                                         .fleet = sim->fleet,
                                         .charger = options->fleet.charger,
                                         .arguments = options->arguments,
                                         .argument_count = options->argument_count,
                                         .finished = on_scenario_finished,
                                         .ctx = sim};
    sim->scenario = scenario_open(options->scenario, &settings, why);
    return sim->scenario != NULL;
}

static bool open_all(struct simulator *sim, struct reason *why)
{
    const struct sim_options *options = &sim->options;
    if (!allow_descriptors(options->fleet.count, why))
        return false;
    if (options->speed != 1)
        clock_scale(options->speed, wall_now());
    sim->loop = loop_new();
    sim->context = ws_client_context_open(sim->loop, why);
    sim->client = sim->context ? http_client_open(sim->loop, why) : NULL;
    return sim->client && open_control(sim, why) && open_chargers(sim, why);
}

static void run(struct simulator *sim)
{
    struct http_loop *attached = http_loop_attach(sim->loop, sim->http);
    struct loop_signal *watched[] = {loop_signal(sim->loop, SIGTERM, on_terminate, sim),
                                     loop_signal(sim->loop, SIGINT, on_terminate, sim)};
    LOG(LOG_INFO, "ready",
        L_STR("cp", fleet_count(sim->fleet) ? sim->options.fleet.charger.identity : NULL),
        L_INT("chargers", fleet_count(sim->fleet)), L_INT("control_port", http_port(sim->http)));
    loop_run(sim->loop);
    loop_unsignal(watched[0]);
    loop_unsignal(watched[1]);
    http_loop_detach(attached);
}

static void close_all(struct simulator *sim)
{
    scenario_free(sim->scenario);
    fleet_free(sim->fleet);
    if (sim->http)
        http_close(sim->http);
    http_client_close(sim->client);
    if (sim->context)
        ws_client_context_free(sim->context);
    if (sim->loop)
        loop_free(sim->loop);
    sim_options_clear(&sim->options);
}

int main(int argc, char **argv)
{
    struct simulator sim = {0};
    struct reason why = {""};
    switch (sim_options_read(&sim.options, argc, argv, &why)) {
    case SIM_OPTIONS_HELP:
        sim_options_help(stdout);
        sim_options_clear(&sim.options);
        return 0;
    case SIM_OPTIONS_WRONG:
        fprintf(stderr, "chargebridge-sim: %s\nTry chargebridge-sim --help\n", why.text);
        sim_options_clear(&sim.options);
        return 2;
    case SIM_OPTIONS_RUN:
        break;
    }
    signal(SIGPIPE, SIG_IGN);
    if (open_all(&sim, &why)) {
        run(&sim);
    } else {
        LOG(LOG_ERROR, "not started", L_STR("reason", why.text));
        sim.status = 1;
    }
    close_all(&sim);
    return sim.status;
}

/* What the meters of the simulated charger count and tell.
 *
 * meter_advance() brings one connector up to now: the car draws the least of what it wants, what
 * the charger has, and what the profiles allow, in steps of at most STEP_MS. One timer per charger
 * looks at running sessions (samples by MeterValueSampleInterval, a full car), another at the hours
 * of the clock (ClockAlignedDataInterval). `measurands` is the table of what can be told, from
 * which MeterValuesSampledData and its three sisters choose. Start reading at write_meter_value().
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim/place.h"
#include "sim/vehicle.h"

enum {
    STEP_MS = 10 * 1000,
    STEPS_MAX = 100000,
    STOP_DATA_MAX = 32 * 1024 /* bytes of transactionData; what comes later is left out */
};

static const double AMBIENT_C = 20, HEATING_C = 35; /* at full power, after a while */
static const double HEATING_MS = 10 * 60 * 1000;
static const double AC_VOLTS = 230;

double place_volts(const struct charger *charger, const struct sim_connector *connector)
{
    if (charger->settings.kind == CAR_AC)
        return AC_VOLTS;
    return connector && connector->plugged ? vehicle_voltage(&connector->car) : 400;
}

static int phases_of(const struct charger *charger)
{
    return charger->settings.kind == CAR_AC ? 3 : 1;
}

int64_t meter_register_wh(const struct sim_connector *connector)
{
    return (int64_t)(connector->meter_wh + 1e-6); /* 1999.9999999 is 2000 */
}

/* ---- time goes by ---- */

static double power_at(struct charger *charger, struct sim_connector *connector, wall_t at)
{
    double power = (double)charger->settings.power_w, wants = vehicle_wants_w(&connector->car);
    connector->limit_w = profile_limit(charger, connector, at);
    if (!connector->plugged || connector->suspended != SUSPENDED_NOT ||
        connector->energy_withheld || charger->dark)
        return 0;
    if (connector->limit_w >= 0 && connector->limit_w < power)
        power = connector->limit_w;
    return wants < power ? wants : power;
}

static void warm(struct charger *charger, struct sim_connector *connector, int64_t ms)
{
    double full = (double)charger->settings.power_w;
    double aim = AMBIENT_C + (full > 0 ? HEATING_C * connector->power_w / full : 0);
    double share = (double)ms / HEATING_MS;
    connector->temperature_c += (aim - connector->temperature_c) * (share < 1 ? share : 1);
}

void meter_feed(struct charger *charger, struct sim_connector *connector)
{
    struct feed *feed = charger->feed;
    if (!feed)
        return;
    feed->now_w += connector->power_w - connector->fed_w;
    connector->fed_w = connector->power_w;
    if (feed->now_w > feed->peak_w)
        feed->peak_w = feed->now_w;
}

void meter_advance(struct charger *charger, struct sim_connector *connector)
{
    wall_t now = wall_now();
    if (now < connector->metered_ms) /* the clock was set back */
        connector->metered_ms = now;
    for (int step = 0; session_running(connector) && step < STEPS_MAX; step++) {
        int64_t ms = now - connector->metered_ms;
        if (ms > STEP_MS)
            ms = STEP_MS;
        connector->power_w = power_at(charger, connector, connector->metered_ms);
        connector->meter_wh += vehicle_charge(&connector->car, connector->power_w, ms);
        warm(charger, connector, ms);
        connector->metered_ms += ms;
        if (connector->metered_ms >= now)
            break;
    }
    if (!session_running(connector))
        warm(charger, connector, now - connector->metered_ms);
    connector->metered_ms = now;
    if (session_running(connector))
        connector->power_w = power_at(charger, connector, now);
    meter_feed(charger, connector);
}

/* ---- one sampled value ---- */

struct sample {
    struct charger *charger;
    const struct sim_connector *connector; /* NULL: connector 0, the sum */
    const char *context;
    struct json_out *out;
    size_t count;
};

static void put_value(struct sample *sample, const char *measurand, const char *unit,
                      const char *phase, const char *location, const char *value)
{
    struct json_out *out = sample->out;
    json_open(out, '{');
    json_key(out, "value");
    json_put_string(out, value);
    json_key(out, "context");
    json_put_string(out, sample->context);
    json_key(out, "format");
    json_put_string(out, "Raw");
    json_key(out, "measurand");
    json_put_string(out, measurand);
    if (phase) {
        json_key(out, "phase");
        json_put_string(out, phase);
    }
    json_key(out, "location");
    json_put_string(out, location);
    json_key(out, "unit");
    json_put_string(out, unit);
    json_close(out, '}');
    sample->count++;
}

static void put_number(struct sample *sample, const char *measurand, const char *unit,
                       const char *phase, const char *location, double value, int decimals)
{
    char text[40];
    snprintf(text, sizeof(text), "%.*f", decimals, value);
    put_value(sample, measurand, unit, phase, location, text);
}

static double sum_wh(const struct charger *charger)
{
    double sum = 0;
    for (int i = 0; i < charger->settings.connectors; i++)
        sum += (double)meter_register_wh(&charger->connectors[i]);
    return sum;
}

static double sum_w(const struct charger *charger)
{
    double sum = 0;
    for (int i = 0; i < charger->settings.connectors; i++)
        sum += charger->connectors[i].power_w;
    return sum;
}

/* V2 to V6: the ways in which meters are wrong. */
static void put_energy(struct sample *sample, const char *measurand)
{
    const struct sim_connector *connector = sample->connector;
    struct charger *charger = sample->charger;
    double wh = connector ? (double)meter_register_wh(connector) : sum_wh(charger);
    if (connector && session_running(connector) && fault_now(charger, "meter_session_register"))
        wh -= (double)(int64_t)connector->start_wh;
    if (fault_now(charger, "meter_zero"))
        wh = 0;
    if (fault_now(charger, "meter_empty"))
        put_value(sample, measurand, "Wh", NULL, "Outlet", "");
    else if (fault_now(charger, "meter_kwh"))
        put_number(sample, measurand, "kWh", NULL, "Outlet", wh / 1000, 3);
    else
        put_number(sample, measurand, "Wh", NULL, "Outlet", wh, 0);
}

static void put_power(struct sample *sample, const char *measurand)
{
    double w = sample->connector ? sample->connector->power_w : sum_w(sample->charger);
    const char *unit = fault_now(sample->charger, "meter_watts_as_kw") ? "kW" : "W";
    put_number(sample, measurand, unit, NULL, "Outlet", w, 0);
}

static void put_offered(struct sample *sample, const char *measurand)
{
    const struct sim_connector *connector = sample->connector;
    double w = (double)sample->charger->settings.power_w;
    if (!connector)
        w *= sample->charger->settings.connectors;
    else if (connector->limit_w >= 0 && connector->limit_w < w)
        w = connector->limit_w;
    const char *unit = fault_now(sample->charger, "meter_watts_as_kw") ? "kW" : "W";
    put_number(sample, measurand, unit, NULL, "Outlet", w, 0);
}

static void put_current(struct sample *sample, const char *measurand)
{
    static const char *const lines[] = {"L1", "L2", "L3"};
    const struct sim_connector *connector = sample->connector;
    double w = connector ? connector->power_w : sum_w(sample->charger);
    double amperes = w / place_volts(sample->charger, connector) / phases_of(sample->charger);
    if (sample->charger->settings.kind == CAR_DC)
        put_number(sample, measurand, "A", NULL, "Outlet", amperes, 1);
    else
        for (size_t i = 0; i < ARRAY_LEN(lines); i++)
            put_number(sample, measurand, "A", lines[i], "Outlet", amperes, 1);
}

static void put_voltage(struct sample *sample, const char *measurand)
{
    static const char *const lines[] = {"L1-N", "L2-N", "L3-N"};
    double volts = place_volts(sample->charger, sample->connector);
    if (sample->charger->settings.kind == CAR_DC)
        put_number(sample, measurand, "V", NULL, "Outlet", volts, 1);
    else
        for (size_t i = 0; i < ARRAY_LEN(lines); i++)
            put_number(sample, measurand, "V", lines[i], "Outlet", volts - (double)i * 0.4, 1);
}

static void put_soc(struct sample *sample, const char *measurand)
{
    if (sample->connector && sample->connector->plugged)
        put_number(sample, measurand, "Percent", NULL, "EV", sample->connector->car.soc, 1);
}

static void put_temperature(struct sample *sample, const char *measurand)
{
    double celsius = sample->connector ? sample->connector->temperature_c : AMBIENT_C;
    put_number(sample, measurand, "Celsius", NULL, "Body", celsius, 1);
}

static const struct {
    const char *name;
    void (*put)(struct sample *sample, const char *measurand);
} measurands[] = {
    {"Energy.Active.Import.Register", put_energy},
    {"Power.Active.Import", put_power},
    {"Power.Offered", put_offered},
    {"Current.Import", put_current},
    {"Voltage", put_voltage},
    {"SoC", put_soc},
    {"Temperature", put_temperature},
};

/* One item of meterValue: the measurands that `key` lists. False, and nothing written: none. */
static bool write_meter_value(struct charger *charger, const struct sim_connector *connector,
                              const char *key, const char *context, struct strbuf *to)
{
    struct json_out out = {.to = to};
    struct sample sample = {charger, connector, context, &out, 0};
    struct span rest = span_of(config_text(charger, key)), name;
    size_t before = to->len;
    json_open(&out, '{');
    put_time(charger, &out, "timestamp", wall_now());
    json_key(&out, "sampledValue");
    json_open(&out, '[');
    while (rest.at && span_cut(&rest, ',', &name))
        for (size_t i = 0; i < ARRAY_LEN(measurands); i++)
            if (span_is(span_trim(name), measurands[i].name))
                measurands[i].put(&sample, measurands[i].name);
    json_close(&out, ']');
    json_close(&out, '}');
    if (sample.count > 0)
        return true;
    to->len = before;
    if (to->at)
        to->at[before] = '\0';
    return false;
}

/* ---- what is sent and kept ---- */

/* Of a session: kept until answered, with its transactionId. Otherwise told if it can be. */
static void send_values(struct charger *charger, int id, const char *key, const char *context)
{
    const struct sim_connector *connector = charger_connector(charger, id);
    bool running = connector && session_running(connector);
    struct strbuf payload = {0};
    if (!running && !place_may_tell(charger))
        return;
    strbuf_addf(&payload, "{\"connectorId\":%d,\"meterValue\":[", id);
    if (!write_meter_value(charger, connector, key, context, &payload)) {
        strbuf_clear(&payload);
        return;
    }
    strbuf_adds(&payload, running ? "]" : "]}");
    struct sim_call *call = charger_call(charger, "MeterValues", strbuf_take(&payload, NULL));
    call->connector = id;
    call->transactional = running;
    call->start_serial = running ? connector->start_serial : 0;
}

static void keep(struct charger *charger, struct sim_connector *connector, const char *key,
                 const char *context)
{
    struct sampled_data *data = &connector->stop_data;
    struct strbuf item = {0};
    bool last = text_is(context, "Transaction.End");
    if (data->items.len > STOP_DATA_MAX)
        data->full = true;
    if ((!data->full || last) && write_meter_value(charger, connector, key, context, &item)) {
        if (data->items.len > 0)
            strbuf_addc(&data->items, ',');
        strbuf_add(&data->items, item.at, item.len);
    }
    strbuf_clear(&item);
}

void connector_send_meter(struct charger *charger, int id)
{
    struct sim_connector *connector = charger_connector(charger, id);
    if (connector)
        meter_advance(charger, connector);
    send_values(charger, id, "MeterValuesSampledData", "Trigger");
}

/* ---- timers ---- */

static int64_t seconds(const struct charger *charger, const char *key)
{
    int64_t value = config_int(charger, key);
    return value < 0 ? 0 : value < 86400 ? value : 86400;
}

/* Also when nothing is sampled: a full car is noticed within STEP_MS. */
static void plan(struct charger *charger)
{
    int64_t every = seconds(charger, "MeterValueSampleInterval") * 1000, wait = STEP_MS;
    timer_stop(charger->timers, &charger->metering);
    if (!sessions_any(charger))
        return;
    for (int i = 0; every > 0 && i < charger->settings.connectors; i++) {
        const struct sim_connector *connector = &charger->connectors[i];
        int64_t left = connector->sampled_ms + every - wall_now();
        if (session_running(connector) && left < wait)
            wait = left;
    }
    timer_start(charger->timers, &charger->metering, wait > 0 ? wait : 0);
}

static void look(struct charger *charger, struct sim_connector *connector)
{
    int64_t every = seconds(charger, "MeterValueSampleInterval") * 1000;
    meter_advance(charger, connector);
    session_judge(charger, connector);
    connector_update(charger, connector);
    if (!session_running(connector) || every == 0 || wall_now() - connector->sampled_ms < every)
        return;
    connector->sampled_ms = wall_now();
    if (charger->dark)
        return;
    send_values(charger, connector->id, "MeterValuesSampledData", "Sample.Periodic");
    keep(charger, connector, "StopTxnSampledData", "Sample.Periodic");
}

static void on_metering(struct timer *timer)
{
    struct charger *charger = CONTAINER_OF(timer, struct charger, metering);
    for (int i = 0; i < charger->settings.connectors; i++)
        if (session_running(&charger->connectors[i]))
            look(charger, &charger->connectors[i]);
    plan(charger);
}

/* Counted from midnight, as the standard has it. */
static void plan_aligned(struct charger *charger)
{
    int64_t every = seconds(charger, "ClockAlignedDataInterval") * 1000;
    timer_stop(charger->timers, &charger->clock_aligned);
    if (every > 0)
        timer_start(charger->timers, &charger->clock_aligned,
                    every - wall_now() % (24 * 60 * 60 * 1000ll) % every);
}

static void on_clock_aligned(struct timer *timer)
{
    struct charger *charger = CONTAINER_OF(timer, struct charger, clock_aligned);
    for (int i = 0; !charger->dark && i <= charger->settings.connectors; i++) {
        struct sim_connector *connector = charger_connector(charger, i);
        if (connector)
            meter_advance(charger, connector);
        send_values(charger, i, "MeterValuesAlignedData", "Sample.Clock");
        if (connector && session_running(connector))
            keep(charger, connector, "StopTxnAlignedData", "Sample.Clock");
    }
    plan_aligned(charger);
}

/* ---- a session's life ---- */

void meter_session_began(struct charger *charger, struct sim_connector *connector)
{
    strbuf_clear(&connector->stop_data.items);
    connector->stop_data.full = false;
    connector->sampled_ms = wall_now();
    meter_advance(charger, connector);
    keep(charger, connector, "StopTxnSampledData", "Transaction.Begin");
    plan(charger);
}

void meter_session_ends(struct charger *charger, struct sim_connector *connector)
{
    keep(charger, connector, "StopTxnSampledData", "Transaction.End");
}

void meter_configured(struct charger *charger, const char *key)
{
    if (text_is_ci(key, "ClockAlignedDataInterval"))
        plan_aligned(charger);
    if (text_is_ci(key, "MeterValueSampleInterval"))
        plan(charger);
}

void meter_open(struct charger *charger)
{
    charger->metering.fn = on_metering;
    charger->clock_aligned.fn = on_clock_aligned;
    plan_aligned(charger);
}

void meter_close(struct charger *charger)
{
    timer_stop(charger->timers, &charger->metering);
    timer_stop(charger->timers, &charger->clock_aligned);
}

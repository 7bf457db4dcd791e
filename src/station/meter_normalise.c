/* See meter_normalise.h.
 *
 * Of several values of one measurand the one at the outlet without a phase counts. Phases count
 * only where there is no total: energies and powers are added, of currents the highest is taken
 * (a fuse cares about that one), of voltages the first. `.Interval` values and everything that is
 * exported or reactive are stored but are no part of the numbers (V7). */
#include "station/meter_normalise.h"

#include <string.h>

#include "base/mem.h"
#include "station/decimal.h"

enum {
    RATING_FACTOR = 5,
    DEFAULT_RATING_W = 1000000,
    SLACK_WH = 100 /* meterStart and the first sample may be rounded differently */
};

enum quantity { ENERGY, POWER, SOC, TEMPERATURE, VOLTAGE, CURRENT, QUANTITIES };
enum merging { ADD, HIGHEST, FIRST };

static const struct {
    const char *measurand;
    enum merging phases;
} quantities[QUANTITIES] = {
    [ENERGY] = {"Energy.Active.Import.Register", ADD},
    [POWER] = {"Power.Active.Import", ADD},
    [SOC] = {"SoC", FIRST},
    [TEMPERATURE] = {"Temperature", FIRST},
    [VOLTAGE] = {"Voltage", FIRST},
    [CURRENT] = {"Current.Import", HIGHEST},
};

/* ---- units (V3) ---- */

static const struct unit {
    const char *name; /* without case */
    enum quantity quantity;
    int power; /* of ten, to Wh, W, percent, or tenths of the unit */
} units[] = {
    {"Wh", ENERGY, 0},
    {"kWh", ENERGY, 3},
    {"MWh", ENERGY, 6},
    {"W", POWER, 0},
    {"kW", POWER, 3},
    {"MW", POWER, 6},
    {"Percent", SOC, 0},
    {"%", SOC, 0},
    {"V", VOLTAGE, 1},
    {"kV", VOLTAGE, 4},
    {"A", CURRENT, 1},
    {"mA", CURRENT, -2},
    {"Celsius", TEMPERATURE, 1},
    {"Celcius", TEMPERATURE, 1},
    {"K", TEMPERATURE, 1},
    {"Fahrenheit", TEMPERATURE, 1},
};

/* Without a unit: Wh for energy by the standard, the base unit for the others by custom (Q15). */
static const struct unit *unit_find(enum quantity quantity, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].quantity == quantity && (!name || text_is_ci(units[i].name, name)))
            return &units[i];
    }
    return NULL;
}

static int64_t divide_half_up(int64_t value, int64_t by)
{
    int64_t twice = 2 * value + by;
    int64_t result = twice / (2 * by);
    return result - (twice % (2 * by) < 0);
}

/* False: not a number in a unit of this quantity. */
static bool value_read(enum quantity quantity, const struct record_sample *sample, int64_t *out)
{
    const struct unit *unit = unit_find(quantity, sample->unit);
    if (!unit || !sample->value)
        return false;
    bool offset = quantity == TEMPERATURE && (unit->name[0] == 'K' || unit->name[0] == 'F');
    if (!decimal_scaled(span_of(sample->value), offset ? 2 : unit->power, out))
        return false;
    if (offset && unit->name[0] == 'K')
        *out = divide_half_up(*out - 27315, 10);
    else if (offset)
        *out = divide_half_up((*out - 3200) * 5, 90);
    return true;
}

/* ---- choosing (V7) ---- */

struct choice {
    bool has_total, has_phase;
    int64_t total, phases;
};

struct choices { /* [0] at the outlet, [1] elsewhere */
    struct choice of[QUANTITIES][2];
};

static void take_phase(struct choice *choice, enum merging merging, int64_t value)
{
    bool first = !choice->has_phase;
    choice->has_phase = true;
    if (first)
        choice->phases = value;
    else if (merging == ADD && decimal_fits(choice->phases + value))
        choice->phases += value;
    else if (merging == HIGHEST && value > choice->phases)
        choice->phases = value;
}

static bool is_neutral(const char *phase)
{
    return text_is(phase, "N");
}

static void take(struct choices *choices, const struct record_sample *sample)
{
    for (int q = 0; q < QUANTITIES; q++) {
        int64_t value;
        if (!text_is(sample->measurand, quantities[q].measurand) ||
            !value_read((enum quantity)q, sample, &value))
            continue;
        struct choice *choice = &choices->of[q][text_is(sample->location, "Outlet") ? 0 : 1];
        if (!sample->phase) {
            choice->has_total = true;
            choice->total = value;
        } else if (!is_neutral(sample->phase)) {
            take_phase(choice, quantities[q].phases, value);
        }
    }
}

static int64_t chosen(const struct choices *choices, enum quantity quantity)
{
    for (int place = 0; place < 2; place++) {
        const struct choice *choice = &choices->of[quantity][place];
        if (choice->has_total)
            return choice->total;
        if (choice->has_phase)
            return choice->phases;
    }
    return ABSENT;
}

static const char *member_or(const struct json *sample, const char *name, const char *otherwise)
{
    const char *text = json_gets(sample, name);
    return text && text[0] ? text : otherwise;
}

/* Q15. */
static const char *known_unit(const struct station_options *options, const char *measurand)
{
    if (strncmp(measurand, "Energy.Active.", 14) == 0)
        return options->energy_unit;
    if (strncmp(measurand, "Power.Active.", 13) == 0)
        return options->power_unit;
    return strncmp(measurand, "Current.", 8) == 0 ? options->current_unit : NULL;
}

static void sample_read(const struct json *from, const struct station_options *options,
                        struct record_sample *sample)
{
    static const char register_name[] = "Energy.Active.Import.Register";
    sample->measurand = member_or(from, "measurand", register_name); /* V1 */
    bool energy = strncmp(sample->measurand, "Energy.", 7) == 0;
    sample->context = member_or(from, "context", "Sample.Periodic");
    sample->format = member_or(from, "format", "Raw");
    sample->phase = member_or(from, "phase", NULL);
    sample->location = member_or(from, "location", "Outlet");
    sample->unit = member_or(from, "unit", energy ? "Wh" : NULL);
    sample->value = member_or(from, "value", "");
    const char *known = options ? known_unit(options, sample->measurand) : NULL;
    if (known)
        sample->unit = known;
}

void meter_choose(const struct record_sample *samples, size_t count, struct meter_reading *reading)
{
    struct choices choices = {0};
    for (size_t i = 0; i < count; i++) {
        if (!text_is(samples[i].format, "SignedData")) /* V2, Q32: opaque */
            take(&choices, &samples[i]);
    }
    *reading = (struct meter_reading){.energy_wh = chosen(&choices, ENERGY),
                                      .power_w = chosen(&choices, POWER),
                                      .soc = chosen(&choices, SOC),
                                      .temperature_dc = chosen(&choices, TEMPERATURE),
                                      .voltage_dv = chosen(&choices, VOLTAGE),
                                      .current_da = chosen(&choices, CURRENT)};
}

void meter_normalise(struct arena *arena, const struct json *meter_value,
                     const struct station_options *options, struct meter_reading *reading)
{
    const struct json *list = json_get(meter_value, "sampledValue");
    struct record_sample *samples = NULL;
    size_t count = 0;
    if (list && list->count > 0)
        samples = arena_alloc(arena, list->count * sizeof(*samples));
    for (const struct json *from = list ? list->child : NULL; from; from = from->next)
        sample_read(from, options, &samples[count++]);
    meter_choose(samples, count, reading);
    reading->samples = samples;
    reading->sample_count = count;
}

/* ---- plausible? (V5, V6) ---- */

static bool energy_is_odd(struct meter_frame *frame, bool newest, int64_t energy_wh)
{
    int64_t last = frame->last.energy_wh;
    if (energy_wh < 0)
        return true;
    /* A momentary 0 says nothing, and does not reset the base. */
    if (energy_wh == 0 && (last > 0 || (last == ABSENT && frame->meter_start_wh > 0)))
        return true;
    if (!frame->session_register && frame->meter_start_wh != ABSENT &&
        energy_wh < frame->meter_start_wh - SLACK_WH) {
        frame->session_register = true; /* V6: from now on, and the last lifetime value is void */
        frame->last.energy_wh = ABSENT;
        return false;
    }
    return newest && last != ABSENT && energy_wh < last;
}

static bool power_is_odd(const struct meter_frame *frame, int64_t power_w)
{
    int64_t rating = frame->rating_w == ABSENT ? DEFAULT_RATING_W : frame->rating_w;
    return power_w > RATING_FACTOR * rating;
}

static void take_out(struct meter_reading *reading, int64_t *value)
{
    *value = ABSENT;
    reading->implausible = true;
}

static void keep_newest(int64_t *last, int64_t value)
{
    if (value != ABSENT)
        *last = value;
}

void meter_judge(struct meter_frame *frame, wall_t at, struct meter_reading *reading)
{
    bool newest = at >= frame->last.at;
    if (reading->energy_wh != ABSENT && energy_is_odd(frame, newest, reading->energy_wh))
        take_out(reading, &reading->energy_wh);
    if (reading->power_w != ABSENT && power_is_odd(frame, reading->power_w))
        take_out(reading, &reading->power_w);
    if (reading->soc != ABSENT && (reading->soc < 0 || reading->soc > 100))
        take_out(reading, &reading->soc);
    if (!newest)
        return;
    frame->last.at = at;
    keep_newest(&frame->last.energy_wh, reading->energy_wh);
    keep_newest(&frame->last.power_w, reading->power_w);
    keep_newest(&frame->last.soc, reading->soc);
    keep_newest(&frame->last.temperature_dc, reading->temperature_dc);
    keep_newest(&frame->last.voltage_dv, reading->voltage_dv);
    keep_newest(&frame->last.current_da, reading->current_da);
}

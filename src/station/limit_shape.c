/* What a limit looks like to the charger that gets it: unit, rounding, purpose (P1 to P5, Q28).
 *
 * Amperes are preferred for AC, watts for DC, by what ChargingScheduleAllowedChargingRateUnit
 * allows. Relative schedules depend on no clock, so they are tried first; where the standard gives
 * them no beginning (ChargePointMaxProfile) the schedule began a day ago. Watts of DC are the
 * car's: what the charger itself loses comes on top for the fuse. Limits are always rounded down.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "station/limit_parts.h"

enum {
    ID_FAILSAFE = 910001,
    ID_TOTAL = 910002,
    ID_MAX = 910003,
    ID_TX = 911000,         /* + connector */
    ID_TX_DEFAULT = 912000, /* + connector */
    DC_FROM_W = 44000,      /* no AC charger has more */
    DC_FROM_DV = 3000,      /* no AC meter shows more */
    LASTS_S = 24 * 60 * 60
};

static const double DC_EFFICIENCY = 0.93;
static const double DC_VOLTS = 500, DC_RISE = 1.1; /* not measured yet; while the battery fills */

/* ---- units ---- */

bool limiter_is_dc(const struct limiter *limiter)
{
    const struct charge_point *cp = station_find(limiter->st, limiter->cp);
    return limiter->dc || (cp && (cp->options.dc || (cp->options.rating_w != ABSENT &&
                                                     cp->options.rating_w > DC_FROM_W)));
}

static char unit_of(const struct limiter *limiter)
{
    const struct charge_point *cp = station_find(limiter->st, limiter->cp);
    if (cp && cp->options.profile_unit)
        return cp->options.profile_unit[0];
    if (limiter->units_w && (!limiter->units_a || limiter_is_dc(limiter)))
        return 'W';
    return 'A';
}

/* Watts of the charger for one ampere of the fuse. */
static double watts_per_amp(const struct limiter *limiter)
{
    struct grid grid = station_grid(limiter->st, limiter->cp);
    double watts = grid.volts * (double)grid.phases;
    return limiter_is_dc(limiter) ? watts * DC_EFFICIENCY : watts;
}

/* Without libm, which only the rooms above have. */
static double floor_to(double value, double step)
{
    return (double)(int64_t)(value / step + 1e-6) * step;
}

double limit_rounded(const struct limiter *limiter, double amps)
{
    if (!limiter_is_dc(limiter) && amps < SITE_MIN_AMPS)
        return 0;
    if (unit_of(limiter) == 'W')
        return floor_to(amps * watts_per_amp(limiter), 1) / watts_per_amp(limiter);
    return floor_to(amps, 0.1);
}

static double dc_volts(const struct limiter *limiter, int64_t transaction)
{
    const struct transaction *tx = station_transaction(limiter->st, transaction);
    if (tx && tx->sample.voltage_dv != ABSENT && tx->sample.voltage_dv > 0)
        return (double)tx->sample.voltage_dv / 10 * DC_RISE;
    return DC_VOLTS;
}

static double in_unit(const struct limiter *limiter, const struct slot *slot, double amps)
{
    if (unit_of(limiter) == 'W')
        return floor_to(amps * watts_per_amp(limiter), 1);
    if (limiter_is_dc(limiter))
        return floor_to(amps * watts_per_amp(limiter) / dc_volts(limiter, slot->transaction), 0.1);
    return floor_to(amps, 0.1);
}

/* ---- profiles ---- */

static size_t connectors_of(const struct limiter *limiter)
{
    const struct charge_point *cp = station_find(limiter->st, limiter->cp);
    size_t count = 0;
    for (size_t i = 0; cp && i < cp->connector_count; i++)
        count += cp->connectors[i].evse > 0;
    return count;
}

/* Of the operator or a quirk pack; else the one that worked, or is to be tried. */
static enum ladder shape_of(const struct limiter *limiter)
{
    static const struct {
        const char *name;
        enum ladder shape;
    } names[] = {{"TxProfile", SHAPE_TX},
                 {"TxProfileWithDuration", SHAPE_TX_DURATION},
                 {"TxDefaultProfile", SHAPE_TX_DEFAULT},
                 {"ChargePointMaxProfile", SHAPE_MAX}};
    const struct charge_point *cp = station_find(limiter->st, limiter->cp);
    for (size_t i = 0; cp && i < ARRAY_LEN(names); i++) {
        if (text_is(cp->options.profile_shape, names[i].name))
            return names[i].shape;
    }
    return limiter->shape;
}

bool limiter_next_shape(struct limiter *limiter)
{
    const struct charge_point *cp = station_find(limiter->st, limiter->cp);
    if (cp && cp->options.profile_shape)
        return false;
    limiter->shape++;
    if (limiter->shape == SHAPE_MAX && connectors_of(limiter) > 1)
        limiter->shape++;
    limiter->dirty = true;
    if (limiter->shape < SHAPES)
        return true;
    limiter->shape = SHAPE_TX;
    return false;
}

bool limiter_must_clear(const struct limiter *limiter, const struct slot *slot)
{
    return slot->kind != SLOT_TX || shape_of(limiter) > SHAPE_TX_DURATION;
}

struct profile {
    int64_t id, connector, transaction;
    const char *purpose;
    bool absolute, duration;
};

static struct profile profile_of(const struct limiter *limiter, const struct slot *slot)
{
    if (slot->kind == SLOT_FAILSAFE)
        return (struct profile){ID_FAILSAFE, 0, 0, "TxDefaultProfile", false, false};
    if (slot->kind == SLOT_TOTAL)
        return (struct profile){ID_TOTAL, 0, 0, "ChargePointMaxProfile", true, false};
    int64_t connector = slot->connector;
    switch (shape_of(limiter)) {
    case SHAPE_TX_DURATION:
        return (struct profile){ID_TX + connector, connector, slot->transaction,
                                "TxProfile",       true,      true};
    case SHAPE_TX_DEFAULT:
        return (struct profile){ID_TX_DEFAULT + connector, connector, 0,
                                "TxDefaultProfile",        false,     false};
    case SHAPE_MAX:
        return (struct profile){ID_MAX, 0, 0, "ChargePointMaxProfile", true, false};
    case SHAPE_TX:
    case SHAPES:
        break;
    }
    return (struct profile){ID_TX + connector, connector, slot->transaction,
                            "TxProfile",       false,     false};
}

static void put_limit(struct json_out *o, const char *key, double value)
{
    char text[32];
    snprintf(text, sizeof(text), "%.1f", value);
    size_t len = strlen(text);
    if (text[len - 1] == '0') /* at most one decimal, none if it is none */
        len -= 2;
    json_key(o, key);
    json_put_raw(o, (struct span){text, len});
}

static void put_schedule(struct json_out *o, const struct limiter *limiter,
                         const struct profile *profile, double value)
{
    char unit[2] = {unit_of(limiter), '\0'};
    char start[TIMETEXT_SIZE];
    json_open(o, '{');
    if (profile->duration) {
        json_key(o, "duration");
        json_put_int(o, LASTS_S * 2);
    }
    if (profile->absolute) {
        timetext_seconds(wall_now() - LASTS_S * 1000ll, start);
        json_key(o, "startSchedule");
        json_put_string(o, start);
    }
    json_key(o, "chargingRateUnit");
    json_put_string(o, unit);
    json_key(o, "chargingSchedulePeriod");
    json_open(o, '[');
    json_open(o, '{');
    json_key(o, "startPeriod");
    json_put_int(o, 0);
    put_limit(o, "limit", value);
    int64_t phases = station_grid(limiter->st, limiter->cp).phases;
    if (phases != 3 && !limiter_is_dc(limiter)) {
        json_key(o, "numberPhases");
        json_put_int(o, phases);
    }
    json_close(o, '}');
    json_close(o, ']');
    json_close(o, '}');
}

static void put_profile(struct json_out *o, const struct limiter *limiter,
                        const struct profile *profile, double value)
{
    json_open(o, '{');
    json_key(o, "chargingProfileId");
    json_put_int(o, profile->id);
    if (profile->transaction) {
        json_key(o, "transactionId");
        json_put_int(o, profile->transaction);
    }
    json_key(o, "stackLevel");
    json_put_int(o, 0);
    json_key(o, "chargingProfilePurpose");
    json_put_string(o, profile->purpose);
    json_key(o, "chargingProfileKind");
    json_put_string(o, profile->absolute ? "Absolute" : "Relative");
    json_key(o, "chargingSchedule");
    put_schedule(o, limiter, profile, value);
    json_close(o, '}');
}

char *limit_payload(struct arena *arena, const struct limiter *limiter, const struct slot *slot,
                    double amps, const char **action)
{
    const struct profile profile = profile_of(limiter, slot);
    struct strbuf text = {0};
    struct json_out o = {.to = &text};
    *action = amps < 0 ? "ClearChargingProfile" : "SetChargingProfile";
    json_open(&o, '{');
    if (amps < 0) {
        json_key(&o, "id");
        json_put_int(&o, profile.id);
    } else {
        json_key(&o, "connectorId");
        json_put_int(&o, profile.connector);
        json_key(&o, "csChargingProfiles");
        put_profile(&o, limiter, &profile, in_unit(limiter, slot, amps));
    }
    json_close(&o, '}');
    char *payload = arena_strdup(arena, strbuf_text(&text));
    strbuf_clear(&text);
    return payload;
}

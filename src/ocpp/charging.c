/* The limit that a stack of charging profiles makes: rules P1, P2 and P5.
 *
 * From the inside out: span_at() finds the period of one profile that holds at a moment,
 * purpose_at() the profile of one purpose that wins then (P2), limit_at() the least of both
 * purposes (P1), and charging_composite() walks from change to change (P5). Each of them lowers
 * `until`, the moment before which its answer cannot change. */
#include "ocpp/charging.h"

#include <assert.h>

#include "base/timetext.h"

enum {
    COMPOSITE_PERIODS_MAX = 1000, /* what is longer is told shorter */
    COMPOSITE_STEPS_MAX = 20000,
    SECOND_MS = 1000
};

#define NO_TIME INT64_MIN
static const int64_t YEAR_10000 = 253402300800000;
static const int64_t DAY = 24 * 60 * 60 * 1000;
static const double VOLTS_DEFAULT = 230;

struct limit {
    bool given;
    double w;
    int64_t phases; /* that it was computed with */
};

static void lower(wall_t *until, wall_t at)
{
    if (at < *until)
        *until = at;
}

/* Times come from scripts too: nothing may overflow when seconds are added. */
static wall_t bounded(wall_t at)
{
    if (at < 0)
        return 0;
    return at < YEAR_10000 ? at : YEAR_10000;
}

static int64_t phases_of(const struct charging_place *place)
{
    return place->phases < 1 ? 1 : place->phases;
}

/* Watts of an ampere; DC has one phase. Figures that make no sense count as 230 V. */
static double watts_per_ampere(const struct charging_place *place, int64_t phases)
{
    double volts = place->volts > 0 && place->volts < 1e6 ? place->volts : VOLTS_DEFAULT;
    return volts * (double)phases;
}

static struct limit limit_of(const struct charging_profile *profile,
                             const struct charging_period *period,
                             const struct charging_place *place)
{
    struct limit limit = {.given = true, .w = period->limit, .phases = phases_of(place)};
    if (period->phases < limit.phases)
        limit.phases = period->phases;
    if (profile->unit == 'A')
        limit.w = period->limit * watts_per_ampere(place, limit.phases);
    return limit;
}

/* ---- one profile in time ---- */

/* When the schedule that may hold at `at` began, and when its next one begins (INT64_MAX: never).
 * A Recurring one without startSchedule counts from midnight UTC, of Monday if weekly. */
static wall_t schedule_start(const struct charging_profile *profile,
                             const struct charging_place *place, wall_t at, wall_t *next)
{
    *next = INT64_MAX;
    if (profile->kind == PROFILE_ABSOLUTE)
        return profile->schedule_start;
    if (profile->kind == PROFILE_RELATIVE) /* no session: as if it began now */
        return place->session_start_ms > 0 ? bounded(place->session_start_ms) : at;
    bool weekly = profile->kind == PROFILE_RECURRING_WEEKLY;
    int64_t every = weekly ? 7 * DAY : DAY;
    wall_t first = profile->schedule_start;
    if (first == NO_TIME)
        first = weekly ? -3 * DAY : 0; /* 1970 began on a Thursday */
    else if (at < first)
        return first;
    wall_t start = first + (at - first) / every * every;
    if (start > at) /* before 1970 */
        start -= every;
    *next = start + every;
    return start;
}

/* The period of this profile that holds at `at`, or NULL. */
static const struct charging_period *span_at(const struct charging_profile *profile,
                                             const struct charging_place *place, wall_t at,
                                             wall_t *until)
{
    if (profile->valid_to != NO_TIME && at >= profile->valid_to)
        return NULL;
    if (profile->valid_to != NO_TIME)
        lower(until, profile->valid_to);
    if (profile->valid_from != NO_TIME && at < profile->valid_from) {
        lower(until, profile->valid_from);
        return NULL;
    }
    wall_t next;
    wall_t start = schedule_start(profile, place, at, &next);
    if (at < start) {
        lower(until, start);
        return NULL;
    }
    lower(until, next);
    if (profile->duration_s != NO_TIME) {
        wall_t end = start + profile->duration_s * SECOND_MS;
        if (at >= end)
            return NULL;
        lower(until, end);
    }
    const struct charging_period *found = NULL;
    for (size_t i = 0; i < profile->period_count; i++) {
        wall_t begins = start + profile->periods[i].start_s * SECOND_MS;
        if (begins > at) {
            lower(until, begins);
            break;
        }
        found = &profile->periods[i];
    }
    return found;
}

/* ---- a stack of them ---- */

static bool applies(const struct charging_profile *profile, enum charging_purpose purpose,
                    const struct charging_place *place)
{
    if (profile->purpose != purpose)
        return false;
    if (purpose == PURPOSE_MAX)
        return true;
    if (place->connector == 0)
        return false;
    if (purpose == PURPOSE_TX_DEFAULT)
        return profile->connector == 0 || profile->connector == place->connector;
    return place->transaction_id != 0 && profile->connector == place->connector &&
           (profile->transaction_id == 0 || profile->transaction_id == place->transaction_id);
}

/* P1: a connector's own TxDefaultProfile replaces those of connector 0 there. P2: the highest
 * level; of two with the same level, which should not be, the later in the list. */
static bool wins(const struct charging_profile *profile, const struct charging_profile *best)
{
    if (!best)
        return true;
    if ((profile->connector != 0) != (best->connector != 0))
        return profile->connector != 0;
    return profile->stack_level >= best->stack_level;
}

static struct limit purpose_at(const struct charging_profile *const *profiles, size_t count,
                               enum charging_purpose purpose, const struct charging_place *place,
                               wall_t at, wall_t *until)
{
    const struct charging_profile *best = NULL;
    struct limit limit = {0};
    for (size_t i = 0; i < count; i++) {
        if (!applies(profiles[i], purpose, place))
            continue;
        const struct charging_period *period = span_at(profiles[i], place, at, until);
        if (!period || !wins(profiles[i], best))
            continue;
        best = profiles[i];
        limit = limit_of(best, period, place);
    }
    return limit;
}

static struct limit limit_at(const struct charging_profile *const *profiles, size_t count,
                             const struct charging_place *place, wall_t at, wall_t *until)
{
    *until = INT64_MAX;
    struct limit most = purpose_at(profiles, count, PURPOSE_MAX, place, at, until);
    struct limit own = purpose_at(profiles, count, PURPOSE_TX, place, at, until);
    struct limit by_default = purpose_at(profiles, count, PURPOSE_TX_DEFAULT, place, at, until);
    if (!own.given)
        own = by_default;
    if (!own.given || (most.given && most.w < own.w))
        return most;
    return own;
}

double charging_limit(const struct charging_profile *const *profiles, size_t count,
                      const struct charging_place *place, wall_t at, wall_t *until)
{
    struct limit limit = limit_at(profiles, count, place, bounded(at), until);
    return limit.given ? limit.w : CHARGING_NO_LIMIT;
}

/* ---- the composite (P5) ---- */

/* With one decimal, never more than the limit. */
static double in_unit(struct limit limit, const struct charging_place *place, char unit)
{
    double value = unit == 'A' ? limit.w / watts_per_ampere(place, limit.phases) : limit.w;
    if (!(value < 1e15))
        return 1e15;
    return (double)(int64_t)(value * 10 + 1e-6) / 10;
}

struct composite {
    struct strbuf periods;
    struct json_out out;
    size_t count; /* of periods, the last one included, which is not written yet */
    wall_t begin, end;
    int64_t start_s;
    double limit;
    int64_t phases;
};

static void write_last(struct composite *c, const struct charging_place *place)
{
    json_open(&c->out, '{');
    json_key(&c->out, "startPeriod");
    json_put_int(&c->out, c->start_s);
    json_key(&c->out, "limit");
    json_put_double(&c->out, c->limit);
    if (c->phases != phases_of(place)) {
        json_key(&c->out, "numberPhases");
        json_put_int(&c->out, c->phases);
    }
    json_close(&c->out, '}');
}

/* Of two that begin within one second the later holds for most of it. */
static void add_period(struct composite *c, const struct charging_place *place, struct limit limit,
                       char unit, wall_t at)
{
    double value = in_unit(limit, place, unit);
    int64_t start_s = (at - c->begin) / SECOND_MS;
    if (c->count > 0 && value == c->limit && limit.phases == c->phases)
        return;
    if (c->count > 0 && start_s != c->start_s)
        write_last(c, place);
    if (c->count == 0 || start_s != c->start_s)
        c->count++;
    c->start_s = start_s;
    c->limit = value;
    c->phases = limit.phases;
}

/* From the first moment that is limited to the next that is not: a period has no word for "no
 * limit". */
static void walk(struct composite *c, const struct charging_profile *const *profiles, size_t count,
                 const struct charging_place *place, char unit)
{
    wall_t at = c->begin;
    wall_t end = c->end;
    for (size_t step = 0; at < end && step < COMPOSITE_STEPS_MAX; step++) {
        wall_t until;
        struct limit limit = limit_at(profiles, count, place, at, &until);
        assert(until > at);
        if (!limit.given && c->count > 0)
            break;
        if (limit.given && c->count == COMPOSITE_PERIODS_MAX)
            break;
        if (limit.given && c->count == 0)
            c->begin = at - at % SECOND_MS;
        if (limit.given)
            add_period(c, place, limit, unit, at);
        at = until;
    }
    if (c->count > 0)
        write_last(c, place);
    c->end = at < end ? at : end;
}

static void put_time(struct json_out *out, const char *key, wall_t at)
{
    char text[TIMETEXT_SIZE];
    timetext_seconds(at, text);
    json_key(out, key);
    json_put_string(out, text);
}

bool charging_composite(const struct charging_profile *const *profiles, size_t count,
                        const struct charging_place *place, wall_t from, int64_t duration_s,
                        char unit, struct json_out *out)
{
    struct composite c = {.begin = bounded(from)};
    c.begin -= c.begin % SECOND_MS;
    c.end = c.begin;
    if (duration_s > 0)
        c.end += SECOND_MS * (duration_s < INT32_MAX ? duration_s : INT32_MAX);
    struct charging_place seen = *place;
    if (seen.session_start_ms <= 0) /* a session that would begin with the composite */
        seen.session_start_ms = c.begin;
    c.out.to = &c.periods;
    json_open(&c.out, '[');
    walk(&c, profiles, count, &seen, unit);
    json_close(&c.out, ']');
    if (c.count > 0) {
        const char unit_text[2] = {unit, '\0'};
        json_key(out, "duration");
        json_put_int(out, (c.end - c.begin) / SECOND_MS);
        put_time(out, "startSchedule", c.begin);
        json_key(out, "chargingRateUnit");
        json_put_string(out, unit_text);
        json_key(out, "chargingSchedulePeriod");
        json_put_raw(out, (struct span){c.periods.at, c.periods.len});
    }
    strbuf_clear(&c.periods);
    return c.count > 0;
}

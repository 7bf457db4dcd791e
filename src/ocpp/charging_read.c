/* From csChargingProfiles to struct charging_profile: rules P1 and P3.
 *
 * The table of the action (v16.c) has looked at types and words already, in most cases; here each
 * field is still read with care, because profiles also come from scripts and from the store. What
 * is refused names the field and what was expected. Start reading at charging_profile_read(). */
#include "base/mem.h"
#include "base/timetext.h"
#include "ocpp/charging.h"

enum {
    SECONDS_MAX = 2000000000, /* 63 years: nothing overflows in milliseconds */
    LIMIT_MAX = 1000000000,
    PHASES_DEFAULT = 3,
    PHASES_MAX = 3
};

static bool read_word(const struct json *object, const char *name, const char *const *words,
                      size_t count, size_t *out, struct reason *why)
{
    const char *text = json_gets(object, name);
    for (size_t i = 0; i < count; i++) {
        if (text_is(text, words[i])) {
            *out = i;
            return true;
        }
    }
    return reason_set(why, "%s: expected %s, %s …", name, words[0], words[1]);
}

static bool read_int(const struct json *object, const char *name, int64_t least, int64_t most,
                     int64_t *out, struct reason *why)
{
    const struct json *node = json_get(object, name);
    if (!node)
        return true; /* *out keeps its default */
    if (!json_int(node, out) || *out < least || *out > most)
        return reason_set(why, "%s: expected an integer from %lld to %lld", name, (long long)least,
                          (long long)most);
    return true;
}

static bool read_limit(const struct json *object, const char *name, double *out, struct reason *why)
{
    if (!json_double(json_get(object, name), out) || !(*out >= 0 && *out <= LIMIT_MAX))
        return reason_set(why, "%s: expected a number from 0 to %d", name, LIMIT_MAX);
    return true;
}

static bool read_time(const struct json *object, const char *name, wall_t *out, struct reason *why)
{
    const struct json *node = json_get(object, name);
    *out = INT64_MIN;
    if (!node)
        return true;
    const char *text = json_text(node);
    if (!text || !timetext_parse(span_of(text), 0, out))
        return reason_set(why, "%s: expected a time as 2025-07-14T05:20:08Z", name);
    return true;
}

static bool read_periods(struct arena *arena, const struct json *list, struct charging_profile *out,
                         struct reason *why)
{
    if (!list || list->type != JSON_ARRAY || list->count == 0)
        return reason_set(why, "chargingSchedulePeriod: expected a list of at least one period");
    struct charging_period *periods =
        arena_alloc(arena, list->count * sizeof(struct charging_period));
    out->periods = periods;
    for (const struct json *item = list->child; item; item = item->next) {
        struct charging_period *period = &periods[out->period_count];
        period->start_s = INT64_MIN;
        period->phases = PHASES_DEFAULT;
        if (!read_int(item, "startPeriod", 0, SECONDS_MAX, &period->start_s, why) ||
            !read_limit(item, "limit", &period->limit, why) ||
            !read_int(item, "numberPhases", 1, PHASES_MAX, &period->phases, why))
            return false;
        if (period->start_s == INT64_MIN)
            return reason_set(why, "startPeriod: expected an integer, it is missing");
        if (out->period_count == 0 && period->start_s != 0)
            return reason_set(why, "startPeriod: expected 0 in the first period");
        if (out->period_count > 0 && period->start_s <= period[-1].start_s)
            return reason_set(why,
                              "startPeriod: expected more than %lld, that of the period before",
                              (long long)period[-1].start_s);
        out->period_count++;
    }
    return true;
}

static bool read_schedule(struct arena *arena, const struct json *schedule,
                          struct charging_profile *out, struct reason *why)
{
    static const char *const units[] = {"A", "W"};
    size_t unit = 0;
    if (!schedule || schedule->type != JSON_OBJECT)
        return reason_set(why, "chargingSchedule: expected an object");
    if (!read_word(schedule, "chargingRateUnit", units, ARRAY_LEN(units), &unit, why) ||
        !read_time(schedule, "startSchedule", &out->schedule_start, why))
        return false;
    out->unit = units[unit][0];
    out->duration_s = INT64_MIN;
    if (!read_int(schedule, "duration", 0, INT64_MAX, &out->duration_s, why))
        return false;
    if (out->duration_s > SECONDS_MAX) /* for ever, in other words */
        out->duration_s = INT64_MIN;
    if (json_get(schedule, "minChargingRate") &&
        !read_limit(schedule, "minChargingRate", &out->min_rate, why))
        return false;
    return read_periods(arena, json_get(schedule, "chargingSchedulePeriod"), out, why);
}

static bool read_kind(const struct json *object, struct charging_profile *out, struct reason *why)
{
    static const char *const kinds[] = {"Absolute", "Recurring", "Relative"};
    static const char *const recurrencies[] = {"Daily", "Weekly"};
    size_t kind = 0;
    size_t recurrency = 0;
    if (!read_word(object, "chargingProfileKind", kinds, ARRAY_LEN(kinds), &kind, why))
        return false;
    out->kind = kind == 0 ? PROFILE_ABSOLUTE : PROFILE_RELATIVE;
    if (kind != 1)
        return true;
    if (!read_word(object, "recurrencyKind", recurrencies, ARRAY_LEN(recurrencies), &recurrency,
                   why))
        return false;
    out->kind = recurrency == 0 ? PROFILE_RECURRING_DAILY : PROFILE_RECURRING_WEEKLY;
    return true;
}

/* What fits together (P1, P3). */
static bool check(const struct charging_profile *profile, struct reason *why)
{
    bool starts = profile->schedule_start != INT64_MIN;
    if (profile->kind == PROFILE_ABSOLUTE && !starts)
        return reason_set(why, "startSchedule: expected in an Absolute profile");
    if (profile->kind == PROFILE_RELATIVE && starts)
        return reason_set(why, "startSchedule: not expected in a Relative profile");
    if (profile->purpose == PURPOSE_TX && profile->connector == 0)
        return reason_set(why, "connectorId: expected above 0 for a TxProfile");
    if (profile->purpose == PURPOSE_MAX && profile->connector != 0)
        return reason_set(why, "connectorId: expected 0 for a ChargePointMaxProfile");
    return true;
}

bool charging_profile_read(struct arena *arena, const struct json *object, int64_t connector,
                           struct charging_profile *out, struct reason *why)
{
    static const char *const purposes[] = {"ChargePointMaxProfile", "TxDefaultProfile",
                                           "TxProfile"};
    size_t purpose = 0;
    *out = (struct charging_profile){.connector = connector};
    if (!object || object->type != JSON_OBJECT)
        return reason_set(why, "csChargingProfiles: expected an object");
    if (!read_int(object, "chargingProfileId", INT32_MIN, INT32_MAX, &out->id, why) ||
        !read_int(object, "stackLevel", 0, INT32_MAX, &out->stack_level, why) ||
        !read_int(object, "transactionId", INT32_MIN, INT32_MAX, &out->transaction_id, why) ||
        !read_word(object, "chargingProfilePurpose", purposes, ARRAY_LEN(purposes), &purpose,
                   why) ||
        !read_kind(object, out, why) || !read_time(object, "validFrom", &out->valid_from, why) ||
        !read_time(object, "validTo", &out->valid_to, why) ||
        !read_schedule(arena, json_get(object, "chargingSchedule"), out, why))
        return false;
    out->purpose = (enum charging_purpose)purpose;
    return check(out, why);
}

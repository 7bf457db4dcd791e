/* Charging profiles that the simulated charger was given, and what they allow (P1 to P5).
 *
 * The book keeps every profile in an arena of its own; a reset changes nothing (P4). A TxProfile
 * belongs to one session (by start serial, because the transaction id may not be known yet) and
 * goes with it; one that came with a remote start waits for its session under serial WAITING. What
 * a profile means is ocpp/charging.h's; here is whom it concerns. Start reading at profile_limit().
 */
#include <string.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "sim/place.h"

enum { WAITING = -1 };

struct held_profile {
    struct arena arena;
    struct charging_profile profile;
    int64_t serial; /* TxProfile: of the session, or WAITING; else 0 */
};

struct profile_book {
    struct held_profile **list;
    size_t count, room;
};

static void drop(struct profile_book *book, size_t at)
{
    struct held_profile *held = book->list[at];
    memmove(&book->list[at], &book->list[at + 1],
            (--book->count - at) * sizeof(struct held_profile *));
    arena_clear(&held->arena);
    xfree(held);
}

/* ---- limits ---- */

struct view { /* the profiles that concern one place */
    const struct charging_profile **list;
    size_t count;
    struct charging_place place;
};

/* `connector` NULL: the whole station. */
static struct view view_of(const struct charger *charger, const struct sim_connector *connector)
{
    const struct profile_book *book = charger->profiles;
    struct view view = {.list = xcalloc(book->count + 1, sizeof(struct charging_profile *))};
    view.place.volts = place_volts(charger, connector);
    view.place.phases = charger->settings.kind == CAR_AC ? 3 : 1;
    if (connector)
        view.place.connector = connector->id;
    if (connector && session_running(connector)) {
        int64_t id = session_transaction(charger, connector);
        view.place.transaction_id = id ? id : -1;
        view.place.session_start_ms = connector->started_ms;
    }
    for (size_t i = 0; i < book->count; i++) {
        const struct held_profile *held = book->list[i];
        if (held->profile.purpose != PURPOSE_TX ||
            (connector && held->serial == connector->start_serial))
            view.list[view.count++] = &held->profile;
    }
    return view;
}

static double limit_of(const struct charger *charger, const struct sim_connector *connector,
                       wall_t at)
{
    struct view view = view_of(charger, connector);
    wall_t until;
    double limit = charging_limit(view.list, view.count, &view.place, at, &until);
    xfree(view.list);
    return limit;
}

/* The ChargePointMaxProfile is for all together: those that charge share it evenly. */
double profile_limit(const struct charger *charger, const struct sim_connector *connector,
                     wall_t at)
{
    int running = 0;
    if (charger->profiles->count == 0)
        return CHARGING_NO_LIMIT;
    for (int i = 0; i < charger->settings.connectors; i++)
        running += session_running(&charger->connectors[i]);
    double own = limit_of(charger, connector, at);
    double total = running > 1 ? limit_of(charger, NULL, at) : CHARGING_NO_LIMIT;
    if (total < 0)
        return own;
    return own < 0 || total / running < own ? total / running : own;
}

/* The power changes at once, not at the next look. */
static void apply(struct charger *charger)
{
    for (int i = 0; i < charger->settings.connectors; i++) {
        meter_advance(charger, &charger->connectors[i]);
        connector_update(charger, &charger->connectors[i]);
    }
}

/* ---- SetChargingProfile ---- */

static bool supported(const struct charger *charger)
{
    return strstr(config_text(charger, "SupportedFeatureProfiles"), "SmartCharging") != NULL;
}

/* What the keys of the configuration allow. */
static bool allowed(const struct charger *charger, const struct charging_profile *profile)
{
    const char *units = config_text(charger, "ChargingScheduleAllowedChargingRateUnit");
    int64_t periods = config_int(charger, "ChargingScheduleMaxPeriods");
    return strstr(units, profile->unit == 'A' ? "Current" : "Power") && profile->stack_level >= 0 &&
           profile->stack_level <= config_int(charger, "ChargeProfileMaxStackLevel") &&
           (periods <= 0 || profile->period_count <= (size_t)periods);
}

/* P2: the same id, or the same purpose, level and place (for a TxProfile: session). */
static bool replaces(const struct held_profile *fresh, const struct held_profile *old)
{
    return old->profile.id == fresh->profile.id ||
           (old->profile.purpose == fresh->profile.purpose &&
            old->profile.stack_level == fresh->profile.stack_level &&
            old->profile.connector == fresh->profile.connector && old->serial == fresh->serial);
}

static bool add(struct charger *charger, struct held_profile *fresh)
{
    struct profile_book *book = charger->profiles;
    int64_t most = config_int(charger, "MaxChargingProfilesInstalled");
    size_t left = book->count;
    for (size_t i = 0; i < book->count; i++)
        left -= replaces(fresh, book->list[i]);
    if (most > 0 && left >= (size_t)most)
        return false;
    for (size_t i = book->count; i-- > 0;)
        if (replaces(fresh, book->list[i]))
            drop(book, i);
    book->list = xgrow(book->list, book->count, &book->room, sizeof(struct held_profile *));
    book->list[book->count++] = fresh;
    return true;
}

/* P1: a TxProfile needs the running transaction of that connector. */
static bool find_session(const struct charger *charger, struct held_profile *fresh)
{
    const struct sim_connector *connector =
        charger_connector(charger, (int)fresh->profile.connector);
    int64_t wanted = fresh->profile.transaction_id;
    if (fresh->profile.purpose != PURPOSE_TX)
        return true;
    if (!connector || !session_running(connector))
        return false;
    if (wanted && wanted != session_transaction(charger, connector))
        return false;
    fresh->serial = connector->start_serial;
    return true;
}

static struct held_profile *read_profile(const struct json *object, int64_t connector,
                                         struct reason *why)
{
    struct held_profile *fresh = xcalloc(1, sizeof(*fresh));
    if (charging_profile_read(&fresh->arena, object, connector, &fresh->profile, why))
        return fresh;
    arena_clear(&fresh->arena);
    xfree(fresh);
    return NULL;
}

static bool keep(struct charger *charger, struct held_profile *fresh, bool fits)
{
    if (fits && allowed(charger, &fresh->profile) && add(charger, fresh))
        return true;
    arena_clear(&fresh->arena);
    xfree(fresh);
    return false;
}

static void put_status(struct json_out *out, const char *status)
{
    json_open(out, '{');
    json_key(out, "status");
    json_put_string(out, status);
    json_close(out, '}');
}

enum ocpp_error answer_set_charging_profile(struct charger *charger, const struct json *request,
                                            struct json_out *out)
{
    int64_t id = -1;
    json_int(json_get(request, "connectorId"), &id);
    if (!supported(charger)) {
        put_status(out, "NotSupported");
        return OCPP_OK;
    }
    bool known = id >= 0 && id <= charger->settings.connectors;
    struct held_profile *fresh =
        known ? read_profile(json_get(request, "csChargingProfiles"), id, NULL) : NULL;
    bool kept = fresh && keep(charger, fresh, find_session(charger, fresh));
    put_status(out, kept ? "Accepted" : "Rejected");
    if (kept)
        apply(charger);
    return OCPP_OK;
}

/* ---- with a session ---- */

bool profile_remote(struct charger *charger, struct sim_connector *connector,
                    const struct json *object, struct reason *why)
{
    struct held_profile *fresh =
        supported(charger) ? read_profile(object, connector->id, why) : NULL;
    if (!fresh)
        return reason_set(why, "no usable charging profile");
    fresh->serial = WAITING;
    int64_t id = fresh->profile.id;
    bool fits = fresh->profile.purpose == PURPOSE_TX && fresh->profile.transaction_id == 0;
    if (!keep(charger, fresh, fits))
        return reason_set(why, "expected a TxProfile without transactionId that fits");
    connector->remote_profile = id;
    return true;
}

static void bind(struct charger *charger, const struct sim_connector *connector, int64_t serial)
{
    struct profile_book *book = charger->profiles;
    for (size_t i = book->count; i-- > 0;) {
        struct held_profile *held = book->list[i];
        if (held->serial != WAITING || held->profile.connector != connector->id)
            continue;
        if (serial)
            held->serial = serial;
        else
            drop(book, i);
    }
}

void profile_session_began(struct charger *charger, struct sim_connector *connector)
{
    bind(charger, connector, connector->start_serial);
    connector->remote_profile = 0;
}

/* P4; also when the session of a remote start never began. */
void profile_session_ended(struct charger *charger, struct sim_connector *connector)
{
    struct profile_book *book = charger->profiles;
    bind(charger, connector, 0);
    for (size_t i = book->count; connector->start_serial && i-- > 0;)
        if (book->list[i]->serial == connector->start_serial)
            drop(book, i);
    connector->remote_profile = 0;
    connector->limit_w = -1;
}

/* ---- ClearChargingProfile ---- */

struct filter {
    bool by_id, by_connector, by_level;
    int64_t id, connector, level;
    const char *purpose;
};

static const char *const purpose_words[] = {"ChargePointMaxProfile", "TxDefaultProfile",
                                            "TxProfile"};

/* P4: `id` overrules the others, else all given fields must match. */
static bool matches(const struct filter *filter, const struct charging_profile *profile)
{
    if (filter->by_id)
        return filter->id == profile->id;
    return (!filter->by_connector || filter->connector == profile->connector) &&
           (!filter->by_level || filter->level == profile->stack_level) &&
           (!filter->purpose || text_is(filter->purpose, purpose_words[profile->purpose]));
}

enum ocpp_error answer_clear_charging_profile(struct charger *charger, const struct json *request,
                                              struct json_out *out)
{
    struct profile_book *book = charger->profiles;
    struct filter filter = {.purpose = json_gets(request, "chargingProfilePurpose")};
    bool found = false;
    filter.by_id = json_int(json_get(request, "id"), &filter.id);
    filter.by_connector = json_int(json_get(request, "connectorId"), &filter.connector);
    filter.by_level = json_int(json_get(request, "stackLevel"), &filter.level);
    if (!supported(charger))
        return OCPP_NOT_SUPPORTED;
    for (size_t i = book->count; i-- > 0;) {
        if (!matches(&filter, &book->list[i]->profile))
            continue;
        drop(book, i);
        found = true;
    }
    put_status(out, found ? "Accepted" : "Unknown");
    apply(charger);
    return OCPP_OK;
}

/* ---- GetCompositeSchedule (P5) ---- */

/* Nothing limits: what the hardware can do, as one period. */
static void put_hardware(const struct charger *charger, const struct view *view, wall_t from,
                         int64_t duration_s, char unit, struct json_out *out)
{
    const char unit_text[2] = {unit, '\0'};
    char start[TIMETEXT_SIZE];
    double limit = (double)charger->settings.power_w;
    if (view->place.connector == 0)
        limit *= charger->settings.connectors;
    if (unit == 'A')
        limit /= view->place.volts * (double)view->place.phases;
    timetext_seconds(from, start);
    json_key(out, "duration");
    json_put_int(out, duration_s);
    json_key(out, "startSchedule");
    json_put_string(out, start);
    json_key(out, "chargingRateUnit");
    json_put_string(out, unit_text);
    json_key(out, "chargingSchedulePeriod");
    json_open(out, '[');
    json_open(out, '{');
    json_key(out, "startPeriod");
    json_put_int(out, 0);
    json_key(out, "limit");
    json_put_double(out, (double)(int64_t)(limit * 10) / 10);
    json_close(out, '}');
    json_close(out, ']');
}

static void put_composite(struct charger *charger, int64_t id, int64_t duration_s, char unit,
                          struct json_out *out)
{
    struct view view = view_of(charger, charger_connector(charger, (int)id));
    wall_t now = wall_now();
    json_open(out, '{');
    json_key(out, "status");
    json_put_string(out, "Accepted");
    json_key(out, "connectorId");
    json_put_int(out, id);
    put_time(charger, out, "scheduleStart", now);
    json_key(out, "chargingSchedule");
    json_open(out, '{');
    if (!charging_composite(view.list, view.count, &view.place, now, duration_s, unit, out))
        put_hardware(charger, &view, now, duration_s, unit, out);
    json_close(out, '}');
    json_close(out, '}');
    xfree(view.list);
}

enum ocpp_error answer_get_composite_schedule(struct charger *charger, const struct json *request,
                                              struct json_out *out)
{
    const char *asked = json_gets(request, "chargingRateUnit");
    const char *units = config_text(charger, "ChargingScheduleAllowedChargingRateUnit");
    int64_t id = -1, duration_s = 0;
    json_int(json_get(request, "connectorId"), &id);
    json_int(json_get(request, "duration"), &duration_s);
    if (!supported(charger))
        return OCPP_NOT_SUPPORTED;
    if (id < 0 || id > charger->settings.connectors)
        return OCPP_PROPERTY_CONSTRAINT_VIOLATION;
    if (asked && !strstr(units, text_is(asked, "A") ? "Current" : "Power"))
        return OCPP_PROPERTY_CONSTRAINT_VIOLATION;
    if (duration_s <= 0) {
        put_status(out, "Rejected");
        return OCPP_OK;
    }
    char unit = asked ? asked[0] : strstr(units, "Power") ? 'W' : 'A';
    put_composite(charger, id, duration_s, unit, out);
    return OCPP_OK;
}

/* ---- life ---- */

void profile_open(struct charger *charger)
{
    charger->profiles = xcalloc(1, sizeof(*charger->profiles));
}

void profile_close(struct charger *charger)
{
    while (charger->profiles->count > 0)
        drop(charger->profiles, charger->profiles->count - 1);
    xfree(charger->profiles->list);
    XFREE(charger->profiles);
}

void profile_write_state(const struct charger *charger, struct json_out *out)
{
    const struct profile_book *book = charger->profiles;
    json_open(out, '[');
    for (size_t i = 0; i < book->count; i++) {
        const struct charging_profile *profile = &book->list[i]->profile;
        json_open(out, '{');
        json_key(out, "chargingProfileId");
        json_put_int(out, profile->id);
        json_key(out, "connectorId");
        json_put_int(out, profile->connector);
        json_key(out, "stackLevel");
        json_put_int(out, profile->stack_level);
        json_key(out, "chargingProfilePurpose");
        json_put_string(out, purpose_words[profile->purpose]);
        json_close(out, '}');
    }
    json_close(out, ']');
}

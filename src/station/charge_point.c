/* Charge points and their connectors in memory: made, found, registered, freed.
 *
 * The registry owns the structs. A charge point that is removed while its lane handles something
 * stays until that has ended (lane.c frees it then); it cannot be found any more. */
#include "base/mem.h"
#include "station/lane.h"

static const char *const registration_texts[] = {
    [REGISTRATION_PENDING] = "pending",
    [REGISTRATION_ACCEPTED] = "accepted",
    [REGISTRATION_REJECTED] = "rejected",
};

const char *registration_text(enum registration registration)
{
    return registration_texts[registration];
}

bool registration_parse(const char *text, enum registration *out)
{
    for (size_t i = 0; i < ARRAY_LEN(registration_texts); i++) {
        if (text_is(text, registration_texts[i])) {
            *out = (enum registration)i;
            return true;
        }
    }
    return false;
}

struct charge_point *charge_point_new(struct station *st, const char *id)
{
    struct charge_point *cp = xcalloc(1, sizeof(*cp));
    cp->id = xstrdup(id);
    cp->created_ms = wall_now();
    options_apply(st, cp);
    cp->lane = lane_new(st, cp);
    map_put(&st->charge_points, span_of(id), cp);
    st->unregistered++;
    return cp;
}

void charge_point_register(struct station *st, struct charge_point *cp,
                           enum registration registration)
{
    cp->registration = registration;
    if (!cp->registered)
        st->unregistered--;
    cp->registered = true;
}

void charge_point_unregister(struct station *st, struct charge_point *cp)
{
    if (cp->registered)
        st->unregistered++;
    cp->registered = false;
}

void charge_point_free(struct charge_point *cp)
{
    lane_free(cp->lane);
    xfree(cp->id);
    xfree(cp->password_hash);
    xfree(cp->options_json);
    xfree(cp->vendor);
    xfree(cp->model);
    xfree(cp->serial);
    xfree(cp->firmware);
    xfree(cp->boot_json);
    xfree(cp->connectors);
    vars_clear(&cp->vars);
    xfree(cp);
}

void charge_point_remove(struct station *st, struct charge_point *cp)
{
    map_remove(&st->charge_points, span_of(cp->id));
    if (!cp->registered)
        st->unregistered--;
    cp->deleted = true;
    lane_drop(cp->lane);
    if (!lane_is_active(cp->lane))
        charge_point_free(cp);
}

struct charge_point *station_find(struct station *st, const char *id)
{
    return map_gets(&st->charge_points, id);
}

struct charge_point *station_next(struct station *st, size_t *at)
{
    const struct map_entry *entry = map_next(&st->charge_points, at);
    return entry ? entry->value : NULL;
}

struct connector *station_connector(struct charge_point *cp, int64_t evse, int64_t connector)
{
    for (size_t i = 0; i < cp->connector_count; i++) {
        struct connector *at = &cp->connectors[i];
        if (at->evse == evse && at->connector == connector)
            return at;
    }
    return NULL;
}

int64_t connector_number(int64_t connector_id)
{
    return connector_id > 0 ? 1 : 0;
}

struct connector *connector_ensure(struct charge_point *cp, int64_t evse, int64_t connector)
{
    struct connector *at = station_connector(cp, evse, connector);
    if (at)
        return at;
    if (evse < 0 || connector < 0 || cp->connector_count >= CONNECTORS_MAX)
        return NULL;
    if (cp->connector_count == cp->connector_room) {
        cp->connector_room = cp->connector_room ? cp->connector_room * 2 : 2;
        cp->connectors = xrealloc(cp->connectors, cp->connector_room * sizeof(*cp->connectors));
    }
    size_t place = cp->connector_count++; /* kept in order of (evse, connector) for listings */
    for (; place > 0; place--) {
        const struct connector *before = &cp->connectors[place - 1];
        if (before->evse < evse || (before->evse == evse && before->connector < connector))
            break;
        cp->connectors[place] = *before;
    }
    cp->connectors[place] = (struct connector){.evse = evse,
                                               .connector = connector,
                                               .newest_start_ms = ABSENT,
                                               .last_meter_stop_wh = ABSENT};
    return &cp->connectors[place];
}

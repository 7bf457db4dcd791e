/* Reservations of the simulated charger: their whole life (C8).
 *
 * One ends by use (reserve_use), by its expiry (a timer; the connector is free again and says so),
 * by CancelReservation, and when its connector is Faulted or Unavailable (N5). A reservation of
 * connector 0 is for any: it keeps one free connector for its tag. A tag may use it if it is that
 * tag or one of its group; the group is often known only after Authorize: RESERVE_ASK. */
#include <string.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "sim/place.h"

struct reservation {
    int64_t id;
    int connector;
    wall_t expires;
    char id_tag[64], parent[64];
};

struct reservation_book {
    struct charger *charger;
    struct reservation *list;
    size_t count, room;
    struct timer expiry;
};

static void plan(struct reservation_book *book)
{
    wall_t first = INT64_MAX;
    for (size_t i = 0; i < book->count; i++)
        if (book->list[i].expires < first)
            first = book->list[i].expires;
    timer_stop(book->charger->timers, &book->expiry);
    if (book->count > 0)
        timer_start(book->charger->timers, &book->expiry, first - wall_now());
}

static struct reservation take(struct reservation_book *book, size_t at)
{
    struct reservation taken = book->list[at];
    memmove(&book->list[at], &book->list[at + 1], (--book->count - at) * sizeof(*book->list));
    return taken;
}

static void tell(struct charger *charger, const struct reservation *reservation)
{
    struct sim_connector *connector = charger_connector(charger, reservation->connector);
    if (connector)
        connector_update(charger, connector);
}

static void on_expiry(struct timer *timer)
{
    struct reservation_book *book = CONTAINER_OF(timer, struct reservation_book, expiry);
    for (size_t i = book->count; i-- > 0;) {
        if (book->list[i].expires > wall_now())
            continue;
        struct reservation gone = take(book, i);
        tell(book->charger, &gone);
    }
    plan(book);
}

/* ---- who may ---- */

bool reserve_holds(const struct charger *charger, int connector)
{
    const struct reservation_book *book = charger->reservations;
    for (size_t i = 0; i < book->count; i++)
        if (book->list[i].connector == connector)
            return true;
    return false;
}

static bool is_for(const struct reservation *reservation, const char *id_tag, const char *parent)
{
    return text_is_ci(reservation->id_tag, id_tag) ||
           (parent && parent[0] && text_is_ci(reservation->parent, parent));
}

static enum reserve_verdict verdict_of(const struct reservation *reservation, const char *id_tag,
                                       const char *parent)
{
    if (is_for(reservation, id_tag, parent))
        return RESERVE_FREE;
    return reservation->parent[0] && !parent ? RESERVE_ASK : RESERVE_OTHERS;
}

/* Connectors that are free and that nobody has reserved. */
static size_t free_connectors(const struct charger *charger)
{
    size_t count = 0;
    for (int i = 0; i < charger->settings.connectors; i++)
        count += connector_status(charger, &charger->connectors[i]) == STATUS_AVAILABLE;
    return count;
}

/* Each reservation of connector 0 needs one free connector beside the one that is asked for. */
static enum reserve_verdict verdict_of_zero(const struct charger *charger, int connector,
                                            const char *id_tag, const char *parent)
{
    const struct reservation_book *book = charger->reservations;
    const struct sim_connector *asked = charger_connector(charger, connector);
    enum reserve_verdict worst = RESERVE_OTHERS;
    size_t reserved = 0, left = free_connectors(charger);
    if (asked && connector_status(charger, asked) == STATUS_AVAILABLE)
        left--;
    for (size_t i = 0; i < book->count; i++) {
        if (book->list[i].connector != 0)
            continue;
        enum reserve_verdict verdict = verdict_of(&book->list[i], id_tag, parent);
        if (verdict == RESERVE_FREE)
            return RESERVE_FREE;
        if (verdict == RESERVE_ASK)
            worst = RESERVE_ASK;
        reserved++;
    }
    return left >= reserved ? RESERVE_FREE : worst;
}

enum reserve_verdict reserve_verdict(const struct charger *charger, int connector,
                                     const char *id_tag, const char *parent)
{
    const struct reservation_book *book = charger->reservations;
    for (size_t i = 0; i < book->count; i++)
        if (book->list[i].connector == connector)
            return verdict_of(&book->list[i], id_tag, parent);
    return verdict_of_zero(charger, connector, id_tag, parent);
}

int64_t reserve_use(struct charger *charger, int connector, const char *id_tag, const char *parent)
{
    struct reservation_book *book = charger->reservations;
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < book->count; i++)
        if (is_for(&book->list[i], id_tag, parent) &&
            (book->list[i].connector == connector ||
             (book->list[i].connector == 0 && found == SIZE_MAX)))
            found = i;
    if (found == SIZE_MAX)
        return 0;
    struct reservation used = take(book, found);
    plan(book);
    return used.id; /* the session tells the status */
}

void reserve_down(struct charger *charger, int connector)
{
    struct reservation_book *book = charger->reservations;
    for (size_t i = book->count; i-- > 0;)
        if (book->list[i].connector == connector)
            take(book, i);
    plan(book);
}

/* ---- the commands ---- */

static const char *of_status(enum connector_status status)
{
    return status == STATUS_AVAILABLE     ? "Accepted"
           : status == STATUS_FAULTED     ? "Faulted"
           : status == STATUS_UNAVAILABLE ? "Unavailable"
                                          : "Occupied";
}

/* Of connector 0: is one left that no other reservation of connector 0 counts on? */
static const char *judge_zero(const struct charger *charger)
{
    const struct reservation_book *book = charger->reservations;
    size_t reserved = 0, faulted = 0, unavailable = 0;
    size_t count = (size_t)charger->settings.connectors;
    if (charger->error_code[0])
        return "Faulted";
    if (charger->inoperative)
        return "Unavailable";
    for (size_t i = 0; i < book->count; i++)
        reserved += book->list[i].connector == 0;
    if (free_connectors(charger) > reserved)
        return "Accepted";
    for (size_t i = 0; i < count; i++) {
        enum connector_status status = connector_status(charger, &charger->connectors[i]);
        faulted += status == STATUS_FAULTED;
        unavailable += status == STATUS_UNAVAILABLE;
    }
    return faulted == count                 ? "Faulted"
           : faulted + unavailable == count ? "Unavailable"
                                            : "Occupied";
}

static const char *judge(struct charger *charger, const struct reservation *wanted)
{
    if (!strstr(config_text(charger, "SupportedFeatureProfiles"), "Reservation") ||
        wanted->expires <= wall_now())
        return "Rejected";
    if (wanted->connector == 0)
        return config_bool(charger, "ReserveConnectorZeroSupported") ? judge_zero(charger)
                                                                     : "Rejected";
    const struct sim_connector *connector = charger_connector(charger, wanted->connector);
    return connector ? of_status(connector_status(charger, connector)) : "Rejected";
}

/* The same id replaces: it is judged as if the old one were gone, and the old one stays if the new
 * one is refused. */
static const char *reserve(struct charger *charger, const struct reservation *wanted)
{
    struct reservation_book *book = charger->reservations;
    struct reservation old = {0};
    bool replaces = false;
    for (size_t i = 0; i < book->count && !replaces; i++) {
        if (book->list[i].id != wanted->id)
            continue;
        old = take(book, i);
        replaces = true;
    }
    const char *verdict = judge(charger, wanted);
    bool accepted = text_is(verdict, "Accepted");
    if (accepted || replaces) {
        book->list = xgrow(book->list, book->count, &book->room, sizeof(*book->list));
        book->list[book->count++] = accepted ? *wanted : old;
    }
    plan(book);
    if (replaces)
        tell(charger, &old);
    tell(charger, wanted);
    return verdict;
}

static void put_status(struct json_out *out, const char *status)
{
    json_open(out, '{');
    json_key(out, "status");
    json_put_string(out, status);
    json_close(out, '}');
}

enum ocpp_error answer_reserve_now(struct charger *charger, const struct json *request,
                                   struct json_out *out)
{
    struct reservation wanted = {0};
    int64_t connector = 0;
    const char *parent = json_gets(request, "parentIdTag");
    json_int(json_get(request, "reservationId"), &wanted.id);
    json_int(json_get(request, "connectorId"), &connector);
    wanted.connector = connector < 0 || connector > 1000 ? -1 : (int)connector;
    text_copy(wanted.id_tag, sizeof(wanted.id_tag), span_of(json_gets(request, "idTag")));
    text_copy(wanted.parent, sizeof(wanted.parent), span_of(parent ? parent : ""));
    if (!timetext_parse(span_of(json_gets(request, "expiryDate")), 0, &wanted.expires))
        return OCPP_PROPERTY_CONSTRAINT_VIOLATION;
    put_status(out, reserve(charger, &wanted));
    return OCPP_OK;
}

enum ocpp_error answer_cancel_reservation(struct charger *charger, const struct json *request,
                                          struct json_out *out)
{
    struct reservation_book *book = charger->reservations;
    int64_t id = 0;
    bool found = false;
    json_int(json_get(request, "reservationId"), &id);
    for (size_t i = 0; i < book->count && !found; i++) {
        if (book->list[i].id != id)
            continue;
        struct reservation gone = take(book, i);
        found = true;
        plan(book);
        tell(charger, &gone);
    }
    put_status(out, found ? "Accepted" : "Rejected");
    return OCPP_OK;
}

/* ---- life ---- */

void reserve_open(struct charger *charger)
{
    charger->reservations = xcalloc(1, sizeof(*charger->reservations));
    charger->reservations->charger = charger;
    charger->reservations->expiry.fn = on_expiry;
}

void reserve_close(struct charger *charger)
{
    timer_stop(charger->timers, &charger->reservations->expiry);
    xfree(charger->reservations->list);
    XFREE(charger->reservations);
}

void reserve_write_state(const struct charger *charger, struct json_out *out)
{
    const struct reservation_book *book = charger->reservations;
    json_open(out, '[');
    for (size_t i = 0; i < book->count; i++) {
        const struct reservation *reservation = &book->list[i];
        char expires[TIMETEXT_SIZE];
        timetext_seconds(reservation->expires, expires);
        json_open(out, '{');
        json_key(out, "reservationId");
        json_put_int(out, reservation->id);
        json_key(out, "connectorId");
        json_put_int(out, reservation->connector);
        json_key(out, "idTag");
        json_put_string(out, reservation->id_tag);
        json_key(out, "parentIdTag");
        json_put_string(out, reservation->parent[0] ? reservation->parent : NULL);
        json_key(out, "expiryDate");
        json_put_string(out, expires);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* See limit.h: what is wanted, what is sent next, and what came of it. Start reading at pump(). */
#include "station/limit.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "station/lane.h"
#include "station/limit_parts.h"

enum { RETRY_MS = 5 * 1000, RETRY_MOST_MS = 10 * 60 * 1000, AGAIN_MS = 2000, DOUBTED_AFTER = 4 };

static bool same(double a, double b)
{
    return (a < 0 && b < 0) || (a - b < 1e-6 && b - a < 1e-6);
}

/* ---- the parts ---- */

struct limiter *limiter_find(struct station *st, const char *cp)
{
    return map_gets(&st->limits->limiters, cp);
}

struct limiter *limiter_ensure(struct station *st, const char *cp)
{
    struct limiter *limiter = limiter_find(st, cp);
    if (limiter)
        return limiter;
    limiter = xcalloc(1, sizeof(*limiter));
    limiter->st = st;
    limiter->cp = xstrdup(cp);
    limiter->units_a = limiter->look = true;
    map_put(&st->limits->limiters, span_of(cp), limiter);
    return limiter;
}

static void limiter_free(struct limiter *limiter)
{
    xfree(limiter->slots);
    xfree(limiter->cp);
    xfree(limiter);
}

struct slot *slot_find(struct limiter *limiter, enum slot_kind kind, int64_t connector)
{
    for (size_t i = 0; limiter && i < limiter->count; i++) {
        struct slot *slot = &limiter->slots[i];
        if (slot->kind == kind && slot->connector == connector && !slot->ended)
            return slot;
    }
    return NULL;
}

struct slot *slot_ensure(struct limiter *limiter, enum slot_kind kind, int64_t connector,
                         int64_t transaction)
{
    struct slot *slot = slot_find(limiter, kind, connector);
    if (slot && slot->transaction == transaction)
        return slot;
    if (slot) /* its transaction lost its stop */
        slot->ended = true;
    limiter->slots = xgrow(limiter->slots, limiter->count, &limiter->room, sizeof(*limiter->slots));
    slot = &limiter->slots[limiter->count++];
    *slot = (struct slot){.kind = kind,
                          .connector = connector,
                          .transaction = transaction,
                          .wanted_a = NO_LIMIT,
                          .held_a = NO_LIMIT,
                          .doubt_a = NO_LIMIT,
                          .confirmed = true};
    return slot;
}

bool slot_is_sent(const struct limiter *limiter, const struct slot *slot)
{
    return limiter->in_flight && !limiter->asking_keys && limiter->sent_kind == slot->kind &&
           limiter->sent_connector == slot->connector &&
           limiter->sent_transaction == slot->transaction;
}

static struct slot *sent_slot(struct limiter *limiter)
{
    for (size_t i = 0; i < limiter->count; i++) {
        if (slot_is_sent(limiter, &limiter->slots[i]))
            return &limiter->slots[i];
    }
    return NULL;
}

static void slot_remove(struct limiter *limiter, struct slot *slot)
{
    size_t place = (size_t)(slot - limiter->slots);
    limiter->count--;
    memmove(slot, slot + 1, (limiter->count - place) * sizeof(*slot));
    limiter->dirty = true;
}

void limits_soon(struct station *st)
{
    timer_start(st->timers, &st->limits->timer, 0);
}

/* ---- what came of it ---- */

struct order { /* one CALL under way */
    struct station *st;
    uint64_t serial;
    char cp[];
};

/* Nobody knows which it follows. */
static void doubt(struct limiter *limiter, struct slot *slot)
{
    double sent = limiter->sent_a < 0 ? INFINITY : limiter->sent_a;
    if (sent > slot->doubt_a)
        slot->doubt_a = sent;
    slot->confirmed = false;
}

static void back_off(struct slot *slot, int64_t first_ms)
{
    int64_t wait_ms = first_ms << (slot->tries < 8 ? slot->tries : 8);
    slot->tries++;
    slot->not_before = mono_now() + (wait_ms < RETRY_MOST_MS ? wait_ms : RETRY_MOST_MS);
}

static void tell(const struct limiter *limiter, struct slot *slot, const char *why)
{
    if (slot->told)
        return;
    slot->told = true;
    LOG(LOG_WARN, "a limit was not taken and is tried again", L_STR("cp", limiter->cp),
        L_INT("connector", slot->connector), L_INT("transaction", slot->transaction),
        L_STR("why", why));
}

/* A car that is told less has the site's time to follow. */
static void note_falling(struct limiter *limiter, struct slot *slot)
{
    const struct site *site = station_site_of(limiter->st, limiter->cp);
    const struct transaction *tx = station_transaction(limiter->st, slot->transaction);
    if (slot->kind != SLOT_TX || !site || !tx || limiter->sent_a < 0)
        return;
    double from = limit_held_by(limiter, slot, site, tx);
    if (mono_now() < slot->falling_until && slot->falling_a > from)
        from = slot->falling_a;
    if (limiter->sent_a >= from)
        return;
    slot->falling_a = from;
    slot->falling_until = mono_now() + site->settle_ms;
}

static void accepted(struct limiter *limiter, struct slot *slot)
{
    note_falling(limiter, slot);
    slot->held_a = limiter->sent_a;
    slot->doubt_a = NO_LIMIT;
    slot->confirmed = true;
    slot->told = false;
    slot->tries = 0;
    limiter->proven |= slot->kind == SLOT_TX && limiter->sent_a >= 0;
    slot->not_before = 0;
}

/* Q28: it may not like this shape. But a car may have left whose StopTransaction is still on its
 * way, or a transaction that is just beginning may not be known yet: so a shape that worked is not
 * given up for a refusal or two. */
static void refused(struct limiter *limiter, struct slot *slot, const char *why)
{
    if (slot->kind == SLOT_TX && limiter->proven && slot->tries < DOUBTED_AFTER) {
        back_off(slot, AGAIN_MS);
    } else if (slot->kind == SLOT_TX && slot->tries > 0 && limiter_next_shape(limiter)) {
        limiter->proven = false;
        slot->not_before = 0;
    } else {
        if (slot->tries > 0) {
            tell(limiter, slot, why);
            limiter->keys_known = false; /* another firmware, maybe */
        }
        back_off(slot, slot->tries > 0 ? RETRY_MS : AGAIN_MS);
    }
}

static void has_none(struct limiter *limiter, struct slot *slot)
{
    if (!limiter->no_profiles)
        LOG(LOG_WARN, "the charge point knows no charging profiles: it cannot be limited",
            L_STR("cp", limiter->cp));
    limiter->no_profiles = true;
    slot->confirmed = false;
}

static void judge(struct limiter *limiter, struct slot *slot, const struct call_result *result)
{
    const char *status = json_gets(result->response, "status");
    bool clearing = limiter->sent_a < 0;
    switch (result->outcome) {
    case CALL_ANSWERED:
        if (text_is(status, "Accepted") || clearing) /* Unknown: there was none */
            accepted(limiter, slot);
        else if (text_is(status, "NotSupported"))
            has_none(limiter, slot);
        else
            refused(limiter, slot, status ? status : "an answer without a status");
        return;
    case CALL_ERROR:
        if (text_is(result->error_code, "NotSupported") ||
            text_is(result->error_code, "NotImplemented"))
            has_none(limiter, slot);
        else
            refused(limiter, slot, result->why);
        return;
    case CALL_TIMEOUT:
        doubt(limiter, slot);
        tell(limiter, slot, result->why);
        back_off(slot, RETRY_MS);
        return;
    case CALL_OFFLINE: /* sent again when it is back */
        doubt(limiter, slot);
        return;
    case CALL_REFUSED:
    case CALL_CANCELLED:
        back_off(slot, RETRY_MS);
        return;
    }
}

static void on_result(void *ctx, const struct call_result *result)
{
    struct order *order = ctx;
    struct station *st = order->st;
    struct limiter *limiter = limiter_find(st, order->cp);
    bool mine = limiter && limiter->in_flight == order->serial;
    xfree(order);
    if (!mine)
        return;
    struct slot *slot = limiter->asking_keys ? NULL : sent_slot(limiter);
    if (limiter->asking_keys && result->outcome != CALL_OFFLINE)
        limiter->keys_known = true; /* whatever it told came by limit_learn() */
    if (slot)
        judge(limiter, slot, result);
    limiter->in_flight = 0;
    limiter->asking_keys = false;
    limiter->dirty = limiter->look = true;
    if (result->outcome != CALL_CANCELLED) /* the server stops */
        limits_soon(st);
}

/* ---- sending ---- */

static void order_send(struct limiter *limiter, const char *action, const char *payload)
{
    struct station *st = limiter->st;
    size_t len = strlen(limiter->cp);
    struct order *order = xmalloc(sizeof(*order) + len + 1);
    order->st = st;
    order->serial = limiter->in_flight = ++st->limits->last_serial;
    memcpy(order->cp, limiter->cp, len + 1);
    limiter->dirty = true;
    limit_guard_anew(st);
    const struct command command = {.action = action, .payload = payload, .asked_by = "limits"};
    station_command(st, order->cp, &command, NULL, on_result, order);
}

static void ask_keys(struct limiter *limiter)
{
    limiter->asking_keys = true;
    order_send(limiter, "GetConfiguration",
               "{\"key\":[\"ChargingScheduleAllowedChargingRateUnit\",\"SupportedFeatureProfiles\"]"
               "}");
}

static void slot_send(struct limiter *limiter, const struct slot *slot, double amps)
{
    struct arena arena = {0};
    const char *action;
    char *payload = limit_payload(&arena, limiter, slot, amps, &action);
    limiter->sent_kind = slot->kind;
    limiter->sent_connector = slot->connector;
    limiter->sent_transaction = slot->transaction;
    limiter->sent_a = amps;
    LOG(LOG_DEBUG, "limit", L_STR("cp", limiter->cp), L_INT("connector", slot->connector),
        L_INT("deciamperes", amps < 0 ? -1 : (int64_t)(amps * 10 + 0.5)));
    order_send(limiter, action, payload);
    arena_clear(&arena);
}

/* What the charger should follow: with a failsafe, "no limit" has to be said (P1). */
static double target_of(struct limiter *limiter, const struct slot *slot)
{
    double wanted = slot->ended ? NO_LIMIT : slot->wanted_a;
    if (slot->kind == SLOT_TX && wanted < 0 && !slot->ended) {
        const struct slot *failsafe = slot_find(limiter, SLOT_FAILSAFE, 0);
        if (failsafe && failsafe->held_a >= 0)
            wanted = station_max_amps(limiter->st, slot->transaction);
    }
    return wanted < 0 ? NO_LIMIT : limit_rounded(limiter, wanted);
}

/* True: `*amps` is to be sent. */
static bool slot_is_due(struct limiter *limiter, const struct slot *slot, double *amps)
{
    if (!slot->wanted)
        return false;
    if (mono_now() < slot->not_before) {
        limiter->waits = true;
        return false;
    }
    double target = target_of(limiter, slot);
    if (slot->confirmed && same(target, slot->held_a))
        return false;
    if (!slot->confirmed && target < 0 && slot->held_a < 0)
        return false;
    double allowed = target;
    bool free = slot->kind != SLOT_TX || slot->ended;
    if (!free && !limit_allowed(limiter, slot, target, &allowed)) {
        limiter->waits = true;
        return false;
    }
    limiter->waits |= !same(target, allowed);
    *amps = target = allowed;
    return !(slot->confirmed && same(target, slot->held_a));
}

static bool may_send(const struct limiter *limiter)
{
    const struct charge_point *cp = station_find(limiter->st, limiter->cp);
    return cp && cp->connection && cp->lane->gate_open && !limiter->in_flight &&
           cp->registration != REGISTRATION_REJECTED && !limiter->no_profiles;
}

static bool wants_anything(const struct limiter *limiter)
{
    for (size_t i = 0; i < limiter->count; i++) {
        if (limiter->slots[i].wanted)
            return true;
    }
    return false;
}

static void drop_ended(struct limiter *limiter)
{
    for (size_t i = limiter->count; i-- > 0;) {
        struct slot *slot = &limiter->slots[i];
        bool gone = slot->ended && (!limiter_must_clear(limiter, slot) || slot->held_a < 0);
        if (gone && !slot_is_sent(limiter, slot))
            slot_remove(limiter, slot);
    }
}

static void pump(struct limiter *limiter)
{
    if (!limiter->look && !limiter->waits)
        return;
    limiter->look = limiter->waits = false;
    drop_ended(limiter);
    if (!may_send(limiter) || !wants_anything(limiter))
        return;
    if (!limiter->keys_known) {
        ask_keys(limiter);
        return;
    }
    for (size_t i = 0; i < limiter->count; i++) {
        double amps;
        if (slot_is_due(limiter, &limiter->slots[i], &amps)) {
            slot_send(limiter, &limiter->slots[i], amps);
            return;
        }
    }
}

/* ---- the timer ---- */

static void rearm(struct station *st)
{
    mono_t now = mono_now(), next = limit_next_settled(st);
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&st->limits->limiters, &at)) != NULL) {
        const struct limiter *limiter = entry->value;
        for (size_t i = 0; i < limiter->count; i++) {
            mono_t due = limiter->slots[i].not_before;
            if (due > now && due < next)
                next = due;
        }
    }
    if (next != INT64_MAX && !timer_running(&st->limits->timer))
        timer_start(st->timers, &st->limits->timer, next - now);
}

/* Sending may call back at once, so only ids live over it. Lowering comes first: see limit_guard.c.
 */
static void on_timer(struct timer *timer)
{
    struct limits *limits = CONTAINER_OF(timer, struct limits, timer);
    struct station *st = limits->st;
    const struct map_entry *entry;
    size_t at = 0;
    limit_guard_anew(st);
    while ((entry = map_next(&limits->limiters, &at)) != NULL)
        pump(entry->value);
    for (at = 0; (entry = map_next(&limits->limiters, &at)) != NULL;)
        limiter_keep(entry->value);
    rearm(st);
}

/* ---- what others say ---- */

static const struct transaction *open_transaction(struct station *st, int64_t id)
{
    const struct transaction *tx = station_transaction(st, id);
    return tx && !tx->stopped ? tx : NULL;
}

static struct slot *slot_of(struct station *st, int64_t transaction, struct limiter **limiter)
{
    const struct transaction *tx = open_transaction(st, transaction);
    *limiter = tx ? limiter_find(st, tx->cp) : NULL;
    struct slot *slot = tx ? slot_find(*limiter, SLOT_TX, tx->evse) : NULL;
    return slot && slot->transaction == transaction ? slot : NULL;
}

static void want(struct limiter *limiter, struct slot *slot, double amps)
{
    if (amps < 0)
        amps = NO_LIMIT;
    if (slot->wanted && same(slot->wanted_a, amps))
        return;
    if (amps >= 0 && (slot->held_a < 0 || amps < slot->held_a))
        slot->not_before = 0; /* to lower it is worth a new try */
    slot->wanted_a = amps;
    slot->wanted = true;
    limiter->dirty = limiter->look = true;
    limits_soon(limiter->st);
}

bool station_limit(struct station *st, int64_t transaction, double amps)
{
    const struct transaction *tx = open_transaction(st, transaction);
    if (!tx)
        return false;
    struct limiter *limiter = limiter_ensure(st, tx->cp);
    struct slot *slot = slot_ensure(limiter, SLOT_TX, tx->evse, tx->id);
    if (amps >= 0 || slot->wanted)
        want(limiter, slot, amps);
    return true;
}

double station_limit_wanted(struct station *st, int64_t transaction)
{
    struct limiter *limiter;
    const struct slot *slot = slot_of(st, transaction, &limiter);
    return slot && slot->wanted ? slot->wanted_a : NO_LIMIT;
}

double station_limit_held(struct station *st, int64_t transaction)
{
    struct limiter *limiter;
    const struct slot *slot = slot_of(st, transaction, &limiter);
    const struct slot *failsafe = slot_find(limiter, SLOT_FAILSAFE, 0);
    if (slot && slot->held_a >= 0)
        return slot->held_a;
    return failsafe ? failsafe->held_a : NO_LIMIT;
}

bool station_limit_charger(struct station *st, const char *cp, double amps)
{
    if (!station_find(st, cp))
        return false;
    struct limiter *limiter = limiter_ensure(st, cp);
    struct slot *slot = slot_ensure(limiter, SLOT_TOTAL, 0, 0);
    if (amps >= 0 || slot->wanted)
        want(limiter, slot, amps);
    return true;
}

double station_limit_charger_wanted(struct station *st, const char *cp)
{
    const struct slot *slot = slot_find(limiter_find(st, cp), SLOT_TOTAL, 0);
    return slot && slot->wanted ? slot->wanted_a : NO_LIMIT;
}

double station_max_amps(struct station *st, int64_t transaction)
{
    const struct transaction *tx = station_transaction(st, transaction);
    const struct charge_point *cp = tx ? station_find(st, tx->cp) : NULL;
    const struct site *site = tx ? station_site_of(st, tx->cp) : NULL;
    double most = site ? site->fuse_a : NO_LIMIT;
    if (!cp || cp->options.rating_w == ABSENT)
        return most;
    struct grid grid = station_grid(st, tx->cp);
    double rating =
        (double)(int64_t)((double)cp->options.rating_w / grid.volts / (double)grid.phases * 10 +
                          1e-6) /
        10;
    return most < 0 || rating < most ? rating : most;
}

bool station_wants_power(struct station *st, int64_t transaction)
{
    const struct transaction *tx = open_transaction(st, transaction);
    if (!tx || (tx->flags & TX_STALE))
        return false;
    struct limiter *limiter;
    const struct slot *slot = slot_of(st, transaction, &limiter);
    const struct charge_point *cp = station_find(st, tx->cp);
    const struct connector *at =
        cp ? station_connector((struct charge_point *)cp, tx->evse, tx->connector) : NULL;
    static const char *const others[] = {"SuspendedEV", "Finishing", "Faulted", "Unavailable"};
    for (size_t i = 0; at && i < ARRAY_LEN(others); i++) {
        if (text_is(at->status, others[i]))
            return false;
    }
    return !(slot && slot->sated);
}

struct grid station_grid(struct station *st, const char *cp)
{
    const struct site *site = station_site_of(st, cp);
    const struct charge_point *found = station_find(st, cp);
    struct grid grid = {site ? site->volts : 230, site ? site->phases : 3};
    if (found && found->options.phases != ABSENT)
        grid.phases = found->options.phases;
    return grid;
}

/* ---- what happens ---- */

void limit_transaction_began(struct station *st, const struct transaction *tx)
{
    struct limiter *limiter = limiter_find(st, tx->cp);
    struct slot *slot = slot_find(limiter, SLOT_TX, tx->evse);
    if (slot && slot->transaction != tx->id)
        slot->ended = limiter->dirty = limiter->look = true;
    site_changed(st, tx->cp);
    limits_soon(st);
}

void limit_transaction_ended(struct station *st, const struct transaction *tx)
{
    struct limiter *limiter = limiter_find(st, tx->cp);
    for (size_t i = 0; limiter && i < limiter->count; i++) {
        struct slot *slot = &limiter->slots[i];
        if (slot->kind == SLOT_TX && slot->transaction == tx->id)
            slot->ended = limiter->dirty = limiter->look = true;
    }
    site_changed(st, tx->cp);
    limits_soon(st);
}

void limit_status(struct station *st, const struct charge_point *cp, const struct connector *at)
{
    site_changed(st, cp->id);
    const struct transaction *tx = open_transaction(st, at->transaction_id);
    bool sated = text_is(at->status, "SuspendedEV"), drawing = text_is(at->status, "Charging");
    if (!tx || (!sated && !drawing))
        return;
    struct limiter *limiter = sated ? limiter_ensure(st, cp->id) : limiter_find(st, cp->id);
    struct slot *slot = sated ? slot_ensure(limiter, SLOT_TX, at->evse, tx->id)
                              : slot_find(limiter, SLOT_TX, at->evse);
    if (!slot || slot->sated == sated)
        return;
    slot->sated = sated;
    limiter->dirty = true;
    limits_soon(st);
}

static void doubt_all(struct limiter *limiter)
{
    for (size_t i = 0; i < limiter->count; i++) {
        struct slot *slot = &limiter->slots[i];
        if (slot->wanted && !slot_is_sent(limiter, slot))
            slot->confirmed = false;
        slot->not_before = 0;
        slot->tries = 0;
    }
    limiter->no_profiles = false;
    limiter->look = true;
}

static void want_failsafe(struct station *st, struct charge_point *cp)
{
    const struct site *site = station_site_of(st, cp->id);
    double amps = site ? site_failsafe(st, site) : NO_LIMIT;
    struct limiter *limiter = amps >= 0 ? limiter_ensure(st, cp->id) : limiter_find(st, cp->id);
    struct slot *slot = amps >= 0 ? slot_ensure(limiter, SLOT_FAILSAFE, 0, 0)
                                  : slot_find(limiter, SLOT_FAILSAFE, 0);
    if (slot)
        want(limiter, slot, amps);
}

void limit_online(struct station *st, const char *cp)
{
    struct limiter *limiter = limiter_find(st, cp);
    if (limiter)
        doubt_all(limiter);
    site_changed(st, cp);
}

void limit_booted(struct station *st, const char *cp)
{
    struct limiter *limiter = limiter_find(st, cp);
    if (limiter)
        doubt_all(limiter);
}

void limit_ready(struct station *st, const char *cp)
{
    struct charge_point *found = station_find(st, cp);
    if (found)
        want_failsafe(st, found);
    struct limiter *limiter = limiter_find(st, cp);
    if (!limiter)
        return;
    limiter->look = true;
    limits_soon(st);
}

void limits_sites_changed(struct station *st)
{
    struct charge_point *cp;
    size_t at = 0;
    while ((cp = station_next(st, &at)) != NULL)
        want_failsafe(st, cp);
    limits_soon(st);
}

void limit_forget(struct station *st, const char *cp)
{
    struct limiter *limiter = map_remove(&st->limits->limiters, span_of(cp));
    if (!limiter)
        return;
    limiter->count = 0;
    limiter->keys_known = false;
    limiter->dirty = true;
    limiter_keep(limiter);
    limiter_free(limiter);
}

void limit_learn(struct station *st, const struct charge_point *cp, const char *key,
                 const char *value)
{
    struct limiter *limiter = limiter_find(st, cp->id);
    if (!limiter || !value)
        return;
    if (text_is_ci(key, "ChargingScheduleAllowedChargingRateUnit")) {
        bool watts = strcasestr(value, "Power") || text_is_ci(value, "W");
        bool amps = strcasestr(value, "Current") || text_is_ci(value, "A") || !watts;
        if (watts != limiter->units_w || amps != limiter->units_a)
            limiter->dirty = true;
        limiter->units_w = watts;
        limiter->units_a = amps;
    } else if (text_is_ci(key, "SupportedFeatureProfiles")) {
        bool none = value[0] && !strcasestr(value, "SmartCharging");
        if (none && !limiter->no_profiles)
            LOG(LOG_INFO, "the charge point does not list SmartCharging; it is asked all the same",
                L_STR("cp", limiter->cp));
    }
}

/* ---- life ---- */

void limits_init(struct station *st)
{
    st->limits = xcalloc(1, sizeof(*st->limits));
    st->limits->st = st;
    st->limits->limiters.ignore_case = true;
    st->limits->timer.fn = on_timer;
}

void limits_clear(struct station *st)
{
    timer_stop(st->timers, &st->limits->timer);
    sites_clear(st);
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&st->limits->limiters, &at)) != NULL)
        limiter_free(entry->value);
    map_clear(&st->limits->limiters);
    XFREE(st->limits);
}

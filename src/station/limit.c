/* See limit.h: what is wanted of whom, and what happens to those who are limited. */
#include "station/limit.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "station/limit_parts.h"

bool limit_same(double a, double b)
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

void limits_soon(struct station *st)
{
    timer_start(st->timers, &st->limits->timer, 0);
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
    if (slot->wanted && limit_same(slot->wanted_a, amps))
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
    st->limits->timer.fn = limits_on_timer;
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

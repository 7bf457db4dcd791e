/* One profile after the other on its way to a charger, and what came of it. Start reading at
 * pump().
 */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "station/lane.h"
#include "station/limit_parts.h"

enum { RETRY_MS = 5 * 1000, RETRY_MOST_MS = 10 * 60 * 1000, AGAIN_MS = 2000, DOUBTED_AFTER = 4 };

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
    if (slot->confirmed && limit_same(target, slot->held_a))
        return false;
    if (!slot->confirmed && target < 0 && slot->held_a < 0)
        return false;
    double allowed = target;
    bool free = slot->kind != SLOT_TX || slot->ended;
    if (!free && !limit_allowed(limiter, slot, target, &allowed)) {
        limiter->waits = true;
        return false;
    }
    limiter->waits |= !limit_same(target, allowed);
    *amps = target = allowed;
    return !(slot->confirmed && limit_same(target, slot->held_a));
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
void limits_on_timer(struct timer *timer)
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

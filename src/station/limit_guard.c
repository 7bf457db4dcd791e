/* The guard of a site's fuse: how much a limit may be raised now.
 *
 * A charger may draw what it accepted last, or what is on its way to it, whichever is more; after a
 * lower limit its car has the site's settling time to follow. Lowering is never held back. Raising
 * waits while something of the site is on its way down, and then gets what is left: so the sum is
 * never above the fuse, whatever a policy asks for. A charger that is offline, or refuses, counts
 * with what it has, and holds nobody else up. */
#include "station/limit_parts.h"

static const double CLIPPED_STEP_A = 1; /* of a raise that gets less than it wants */

static double most_of(struct station *st, const struct site *site, int64_t transaction)
{
    double most = station_max_amps(st, transaction);
    return most < 0 ? site->fuse_a : most;
}

/* Without a profile of its own a transaction follows the failsafe, if that was accepted. */
double limit_held_by(struct limiter *limiter, const struct slot *slot, const struct site *site,
                     const struct transaction *tx)
{
    const struct slot *failsafe = slot_find(limiter, SLOT_FAILSAFE, 0);
    if (slot && slot->held_a >= 0)
        return slot->held_a;
    if (failsafe && failsafe->held_a >= 0)
        return failsafe->held_a;
    return most_of(site->st, site, tx->id);
}

/* What it may be, but no more than the most that it can. */
static double least(double doubt, double drawn, double most)
{
    double top = drawn > most ? drawn : most;
    return doubt < top ? doubt : top;
}

static double drawn_by(struct limiter *limiter, const struct slot *slot, const struct site *site,
                       const struct transaction *tx)
{
    double drawn = limit_held_by(limiter, slot, site, tx);
    if (slot && slot_is_sent(limiter, slot)) {
        double sent = limiter->sent_a < 0 ? most_of(site->st, site, tx->id) : limiter->sent_a;
        drawn = sent > drawn ? sent : drawn;
    }
    if (slot && mono_now() < slot->falling_until && slot->falling_a > drawn)
        drawn = slot->falling_a;
    if (slot && !slot->confirmed && slot->doubt_a > drawn)
        drawn = least(slot->doubt_a, drawn, most_of(site->st, site, tx->id));
    return drawn;
}

/* Is there something on its way that will make it draw less soon? */
static bool is_falling(struct limiter *limiter, const struct slot *slot, double held)
{
    const struct charge_point *cp = station_find(limiter->st, limiter->cp);
    if (mono_now() < slot->falling_until)
        return true;
    if (!cp || !cp->connection || limiter->no_profiles || !slot->wanted || slot->wanted_a < 0)
        return false;
    if (slot_is_sent(limiter, slot))
        return limiter->sent_a >= 0 && limiter->sent_a <= held;
    double wanted = limit_rounded(limiter, slot->wanted_a);
    return mono_now() >= slot->not_before &&
           (wanted < held - 1e-6 || (!slot->confirmed && wanted <= held));
}

/* The slot of an open transaction, or NULL. */
static const struct slot *slot_of(struct limiter *limiter, const struct transaction *tx)
{
    const struct slot *slot = slot_find(limiter, SLOT_TX, tx->evse);
    return slot && slot->transaction == tx->id ? slot : NULL;
}

void limit_guard_anew(struct station *st)
{
    st->limits->pass++;
}

/* One walk a pass: a site may have hundreds of cars that ask one after the other. */
static void reckon(struct station *st, struct site *site)
{
    if (site->load_pass == st->limits->pass)
        return;
    site->load_pass = st->limits->pass;
    site->load_a = site->base_load_a;
    site->falling = 0;
    const struct transaction *tx;
    size_t at = 0;
    while ((tx = station_transaction_next(st, &at)) != NULL) {
        if ((tx->flags & TX_STALE) || !site_has(st, site, tx->cp))
            continue;
        struct limiter *limiter = limiter_find(st, tx->cp);
        const struct slot *slot = slot_of(limiter, tx);
        site->load_a += drawn_by(limiter, slot, site, tx);
        site->falling += slot && is_falling(limiter, slot, limit_held_by(limiter, slot, site, tx));
    }
}

bool limit_allowed(struct limiter *limiter, const struct slot *slot, double wanted, double *out)
{
    struct station *st = limiter->st;
    struct site *site = station_site_of(st, limiter->cp);
    const struct transaction *tx = station_transaction(st, slot->transaction);
    *out = wanted;
    if (!site || !tx)
        return true;
    double held = limit_held_by(limiter, slot, site, tx);
    double asked = wanted < 0 ? most_of(st, site, tx->id) : wanted;
    if (asked <= held + 1e-6)
        return true;
    reckon(st, site);
    bool counted = !(tx->flags & TX_STALE);
    double others = site->load_a - (counted ? drawn_by(limiter, slot, site, tx) : 0);
    size_t falling = site->falling - (counted && is_falling(limiter, slot, held));
    double room = site->fuse_a - others;
    if (asked <= room + 1e-6)
        return true;
    double clipped = limit_rounded(limiter, room > 0 ? room : 0);
    *out = clipped;
    return falling == 0 && clipped >= held + CLIPPED_STEP_A;
}

mono_t limit_next_settled(struct station *st)
{
    mono_t next = INT64_MAX, now = mono_now();
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&st->limits->limiters, &at)) != NULL) {
        const struct limiter *limiter = entry->value;
        for (size_t i = 0; i < limiter->count; i++) {
            mono_t until = limiter->slots[i].falling_until;
            if (until > now && until < next)
                next = until;
        }
    }
    return next;
}

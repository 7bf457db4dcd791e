/* What the limit files and site.c share. Private to them.
 *
 * One struct limiter a charger, one slot a thing that a profile can limit: the failsafe of all its
 * connectors, the charger as a whole, one a connector with an open transaction. */
#ifndef STATION_LIMIT_PARTS_H
#define STATION_LIMIT_PARTS_H

#include "station/core.h"
#include "station/limit.h"

enum slot_kind { SLOT_FAILSAFE, SLOT_TOTAL, SLOT_TX };

/* Amperes as the charger gets them: rounded down, 0 below its least. Negative: no limit. */
struct slot {
    enum slot_kind kind;
    int64_t connector;   /* SLOT_TX; else 0 */
    int64_t transaction; /* SLOT_TX; else 0 */
    double wanted_a;     /* as asked for */
    double held_a;       /* as accepted; NO_LIMIT: no profile of ours is there */
    double doubt_a;      /* unless confirmed it may also follow this; NO_LIMIT: nothing else */
    bool wanted;         /* somebody asked: else the slot only remembers `sated` */
    bool confirmed;    /* held_a was answered on this connection, or told before and not doubted */
    bool sated;        /* the car suspended by itself (SuspendedEV) */
    bool ended;        /* the transaction is over: gone when nothing is in flight */
    bool told;         /* a refusal was logged */
    unsigned tries;    /* refused or lost in a row */
    mono_t not_before; /* the next try */
    double falling_a;  /* until falling_until the car may still draw this */
    mono_t falling_until;
};

enum ladder { /* Q28: what is tried one after the other when a charger refuses */
              SHAPE_TX,
              SHAPE_TX_DURATION,
              SHAPE_TX_DEFAULT,
              SHAPE_MAX, /* only with one connector */
              SHAPES
};

struct limiter {
    struct station *st;
    char *cp;
    bool keys_known, no_profiles; /* GetConfiguration answered; it has no smart charging */
    bool units_a, units_w;        /* ChargingScheduleAllowedChargingRateUnit */
    bool dc;
    enum ladder shape; /* that worked last, or is tried next */
    bool proven;       /* it worked: a refusal is not for its shape */
    struct slot *slots;
    size_t count, room;
    uint64_t in_flight; /* serial of the order; 0 none */
    enum slot_kind sent_kind;
    int64_t sent_connector, sent_transaction;
    double sent_a; /* NO_LIMIT: it is being cleared */
    bool asking_keys;
    mono_t keys_not_before;
    bool look;  /* something changed for it */
    bool waits; /* for the guard or for time: it is looked at whenever anything changes */
    bool dirty; /* its row is to be written */
};

struct limits { /* of the station */
    struct station *st;
    struct map limiters; /* identity, no case → struct limiter * */
    struct timer timer;
    uint64_t last_serial;
    uint64_t pass; /* counts whatever changes what chargers may draw: see limit_guard.c */
    struct site **sites;
    size_t site_count;
};

/* ---- limit.c ---- */

struct limiter *limiter_find(struct station *st, const char *cp);
struct limiter *limiter_ensure(struct station *st, const char *cp);
struct slot *slot_find(struct limiter *limiter, enum slot_kind kind, int64_t connector);
struct slot *slot_ensure(struct limiter *limiter, enum slot_kind kind, int64_t connector,
                         int64_t transaction);
bool slot_is_sent(const struct limiter *limiter, const struct slot *slot);

/* The same limit, NO_LIMIT included. */
bool limit_same(double a, double b);

/* ---- limit_send.c ---- */

/* Sends what is due, and starts itself again for what waits: limits_soon() is its alarm. */
void limits_on_timer(struct timer *timer);

/* ---- limit_shape.c ---- */

/* As the charger gets it. */
double limit_rounded(const struct limiter *limiter, double amps);
/* The payload of SetChargingProfile, or of ClearChargingProfile for a negative `amps`; `*action`
 * says which. `transaction` 0: it names none. */
char *limit_payload(struct arena *arena, const struct limiter *limiter, const struct slot *slot,
                    double amps, const char **action);
bool limiter_is_dc(const struct limiter *limiter);
/* The next shape to try, or false: all were tried, and the first is next again. */
bool limiter_next_shape(struct limiter *limiter);
/* A fallback profile outlives its transaction: it has to be cleared after it. */
bool limiter_must_clear(const struct limiter *limiter, const struct slot *slot);

/* ---- limit_guard.c ---- */

/* How much of `wanted` (rounded) may be sent for this slot now; negative and not NO_LIMIT never.
 * False: it must wait. */
bool limit_allowed(struct limiter *limiter, const struct slot *slot, double wanted, double *out);
/* What the charger follows for this transaction as far as we know: `slot` (NULL: it has none), the
 * failsafe, or as much as it can give. */
double limit_held_by(struct limiter *limiter, const struct slot *slot, const struct site *site,
                     const struct transaction *tx);
/* What was reckoned of the sites holds no more. */
void limit_guard_anew(struct station *st);
/* When the guard changes its mind by itself; INT64_MAX never. */
mono_t limit_next_settled(struct station *st);

/* ---- limit_keep.c ---- */

void limiter_keep(struct limiter *limiter);

#endif

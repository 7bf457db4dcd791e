/* Charging profiles of 1.6 as values, and the limit that a stack of them makes (rules P1 to P5).
 *
 * Pure computation, shared by the server (GET /profiles, load sharing) and the simulator (which
 * bends its power by it), so that both mean the same. Limits are compared in watts: amperes are
 * per phase, W = A × V × phases (1 phase, no phase factor, for DC). Nothing is allocated but in the
 * arena given. */
#ifndef OCPP_CHARGING_H
#define OCPP_CHARGING_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/reason.h"

enum charging_purpose { PURPOSE_MAX, PURPOSE_TX_DEFAULT, PURPOSE_TX };
enum charging_kind {
    PROFILE_ABSOLUTE,
    PROFILE_RECURRING_DAILY,
    PROFILE_RECURRING_WEEKLY,
    PROFILE_RELATIVE
};

struct charging_period {
    int64_t start_s;
    double limit;   /* in `unit` */
    int64_t phases; /* 3 if not given */
};

struct charging_profile {
    int64_t id, stack_level;
    int64_t transaction_id; /* 0: none given */
    int64_t connector;      /* it was set for; 0 = all */
    enum charging_purpose purpose;
    enum charging_kind kind;
    wall_t valid_from, valid_to; /* ABSENT (INT64_MIN): no bound */
    wall_t schedule_start;       /* startSchedule, or ABSENT */
    int64_t duration_s;          /* ABSENT: for ever */
    char unit;                   /* 'A' or 'W' */
    double min_rate;             /* minChargingRate, 0 if none */
    const struct charging_period *periods;
    size_t period_count; /* at least 1 */
};

/* Reads csChargingProfiles (or the chargingProfile of a RemoteStart) that passed the table's check.
 * False and `why` (with the field) for what the table cannot tell: first startPeriod not 0, periods
 * not rising, Recurring without recurrencyKind, Absolute without startSchedule, Relative with one,
 * TxProfile on connector 0, ChargePointMaxProfile on another (P1, P3). */
bool charging_profile_read(struct arena *arena, const struct json *object, int64_t connector,
                           struct charging_profile *out, struct reason *why);

struct charging_place {      /* where and for whom the limit is asked */
    int64_t connector;       /* 0: the whole station: only ChargePointMaxProfile counts */
    int64_t transaction_id;  /* 0: no session: TxProfiles do not count */
    wall_t session_start_ms; /* Relative schedules begin here */
    double volts;            /* of a phase, or of the DC side */
    int64_t phases;          /* 3 AC, 1 DC */
};

#define CHARGING_NO_LIMIT (-1.0)

/* The limit in watts that holds at `at` (P1: the least of max profile and TxProfile, else
 * TxDefaultProfile; P2: highest valid stack level), or CHARGING_NO_LIMIT. `*until`: it cannot
 * change before (INT64_MAX: never by itself). */
double charging_limit(const struct charging_profile *const *profiles, size_t count,
                      const struct charging_place *place, wall_t at, wall_t *until);

/* The composite schedule (P5) from `from` for `duration_s` in `unit` 'A' or 'W' as the members of a
 * chargingSchedule object:
 * {"duration","startSchedule","chargingRateUnit","chargingSchedulePeriod"}. Limits have one decimal
 * at most. False: nothing limits at `from` … for the whole duration, and nothing was written. */
bool charging_composite(const struct charging_profile *const *profiles, size_t count,
                        const struct charging_place *place, wall_t from, int64_t duration_s,
                        char unit, struct json_out *out);

#endif

/* Limits: what policies allow a transaction or a charger, carried to the chargers behind the
 * scenes.
 *
 * A limit is wanted at once and sent from a timer, so nothing here calls back into who asked. One
 * profile is in flight a charger; when its answer is there, the newest limit wanted is next, and
 * one that the charger follows already sends nothing. Rules P1 to P5 and Q28 give the profile its
 * shape (limit_shape.c). Everything is sent again when the charger came back or booted (it may have
 * forgotten), and kept in a kv row a charger, so that a restart knows what they follow.
 * The fuse of a site is guarded here: a limit is lowered at once and raised only as far as the sum
 * of what all its cars may draw stays under the fuse; what a charger may follow counts until it has
 * accepted less, and the car had time to follow. Amperes are per phase, negative means no limit. */
#ifndef STATION_LIMIT_H
#define STATION_LIMIT_H

#include "station/site.h"

#define NO_LIMIT (-1.0)

/* Limits an open transaction; negative: no limit any more. False: no such open one. */
bool station_limit(struct station *st, int64_t transaction, double amps);
/* What was asked for last; NO_LIMIT. */
double station_limit_wanted(struct station *st, int64_t transaction);
/* What the charger accepted last for it (a failsafe that holds is one); NO_LIMIT. */
double station_limit_held(struct station *st, int64_t transaction);
/* A whole charger (ChargePointMaxProfile); negative: no limit any more. False: unknown charger. */
bool station_limit_charger(struct station *st, const char *cp, double amps);
double station_limit_charger_wanted(struct station *st, const char *cp);
/* What its connector can give: by the station's rating, else the fuse of its site; NO_LIMIT: not
 * known. */
double station_max_amps(struct station *st, int64_t transaction);
/* Does the car want power? False once it suspended by itself (SuspendedEV), until it charges again;
 * a pause of ours does not change it. */
bool station_wants_power(struct station *st, int64_t transaction);

/* Volts and phases by which amperes of a charger become watts. */
struct grid {
    double volts;
    int64_t phases;
};
struct grid station_grid(struct station *st, const char *cp);

/* ---- private to station/ ---- */

void limits_init(struct station *st);
/* After everything that may still end CALLs. */
void limits_clear(struct station *st);
/* A kv row, if it is one of limits. */
void limit_restore(struct station *st, const struct record_kv *row);
/* The sites are others now: failsafe profiles follow. */
void limits_sites_changed(struct station *st);
/* A charger of that name is here again, or booted: what it was told is told again. */
void limit_online(struct station *st, const char *cp);
void limit_booted(struct station *st, const char *cp);
/* CALLs can be sent to it from now on (B9). */
void limit_ready(struct station *st, const char *cp);
void limit_forget(struct station *st, const char *cp); /* the station was deleted */
void limit_transaction_began(struct station *st, const struct transaction *tx);
void limit_transaction_ended(struct station *st, const struct transaction *tx);
void limit_status(struct station *st, const struct charge_point *cp, const struct connector *at);
/* A key of GetConfiguration, by whoever it was asked; `value` may be NULL. */
void limit_learn(struct station *st, const struct charge_point *cp, const char *key,
                 const char *value);
/* Everything that may be sent is sent soon. */
void limits_soon(struct station *st);

#endif

/* The password of a station, and the ones that it may have: see password.c. Private to station/. */
#ifndef STATION_PASSWORD_H
#define STATION_PASSWORD_H

#include "station/core.h"

/* This one alone counts from now on: only its hash is kept (G4). A change that is being stored
 * stays. */
void password_set(struct station *st, struct charge_point *cp, struct span password);
/* The charger is being asked to take this one: it counts beside what did (G5). False: it did
 * already. */
bool password_offer(struct station *st, struct charge_point *cp, struct span password);
/* The charger refused what was offered last, and password_offer() had said true. */
void password_withdraw(struct station *st, struct charge_point *cp);
/* A charger wants to come in with this password (`at` NULL: with none). If it may, and there was a
 * doubt which one it has, that is over. */
bool password_login(struct station *st, struct charge_point *cp, struct span password);

#endif

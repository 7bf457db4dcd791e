/* The car at a simulated connector: a battery that says what power it takes.
 *
 * DC: the car asks for up to 2.4 times its capacity per hour (180 kW at 75 kWh), a little less when
 * nearly empty, falling off above 50 and again above 80 percent as cars do. AC: its own charger
 * takes a constant 22 kW and falls off above 95 percent. Pure computation; struct vehicle itself is
 * in parts.h. */
#ifndef SIM_VEHICLE_H
#define SIM_VEHICLE_H

#include "sim/parts.h"

void vehicle_arrive(struct vehicle *car, enum car_kind kind, double capacity_wh, double soc);
/* What it would take now if it were offered enough: 0 when full or stalled. */
double vehicle_wants_w(const struct vehicle *car);
bool vehicle_full(const struct vehicle *car);
/* Charges with `power_w` for `ms`; returns the energy in Wh, no more than the battery holds. */
double vehicle_charge(struct vehicle *car, double power_w, int64_t ms);
/* The battery's voltage at this state of charge, which a DC charger follows. */
double vehicle_voltage(const struct vehicle *car);

#endif

/* See vehicle.h. */
#include "sim/vehicle.h"

#include "base/mem.h"

static const double DC_PEAK_PER_WH = 2.4; /* 180 kW for 75 kWh */
static const double AC_PEAK_W = 22000;
static const double MS_PER_HOUR = 3600000;

/* The share of its peak that a car takes; straight lines between the points. */
struct curve_point {
    double soc, share;
};
static const struct curve_point dc_curve[] = {
    {0, 0.70}, {5, 0.95}, {10, 1.0}, {50, 1.0}, {65, 0.75}, {80, 0.50}, {90, 0.22}, {100, 0.05},
};
static const struct curve_point ac_curve[] = {{0, 1.0}, {95, 1.0}, {100, 0.15}};

static double share_at(const struct curve_point *curve, size_t count, double soc)
{
    for (size_t i = 1; i < count; i++) {
        const struct curve_point *a = &curve[i - 1], *b = &curve[i];
        if (soc <= b->soc)
            return a->share + (b->share - a->share) * (soc - a->soc) / (b->soc - a->soc);
    }
    return curve[count - 1].share;
}

void vehicle_arrive(struct vehicle *car, enum car_kind kind, double capacity_wh, double soc)
{
    *car = (struct vehicle){
        .kind = kind,
        .capacity_wh = capacity_wh > 0 ? capacity_wh : 1,
        .soc = soc < 0     ? 0
               : soc > 100 ? 100
                           : soc,
        .stalled_w = -1,
    };
}

bool vehicle_full(const struct vehicle *car)
{
    return car->soc >= 100;
}

double vehicle_wants_w(const struct vehicle *car)
{
    if (vehicle_full(car))
        return 0;
    double wants =
        car->kind == CAR_DC
            ? car->capacity_wh * DC_PEAK_PER_WH * share_at(dc_curve, ARRAY_LEN(dc_curve), car->soc)
            : AC_PEAK_W * share_at(ac_curve, ARRAY_LEN(ac_curve), car->soc);
    if (car->stalled_w >= 0 && car->stalled_w < wants)
        return car->stalled_w;
    return wants;
}

double vehicle_charge(struct vehicle *car, double power_w, int64_t ms)
{
    double energy = power_w * (double)ms / MS_PER_HOUR;
    double room = (100 - car->soc) / 100 * car->capacity_wh;
    if (energy >= room) {
        car->soc = 100;
        return room;
    }
    car->soc += energy / car->capacity_wh * 100;
    return energy;
}

double vehicle_voltage(const struct vehicle *car)
{
    return 340 + 0.7 * car->soc;
}

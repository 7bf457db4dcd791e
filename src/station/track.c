/* See track.h. Three parts: adding and thinning; windows; energy at any moment, for slices. */
#include "station/track.h"

#include <string.h>

#include "station/meter_normalise.h"
#include "station/station.h"

enum { MINUTE_MS = 60 * 1000, QUARTER_MS = 15 * MINUTE_MS, HOUR_MS = 60 * MINUTE_MS };

void track_clear(struct track *track)
{
    xfree(track->points);
    *track = (struct track){0};
}

/* Half up, of what is not negative; beyond 2^53 there are no halves. */
static double rounded(double value)
{
    return value < 9007199254740992.0 ? (double)(int64_t)(value + 0.5) : value;
}

static bool is_known(const struct track_point *point, enum track_quantity quantity)
{
    if (quantity == TRACK_ENERGY)
        return point->energy_wh != ABSENT;
    return point->others[quantity] != INT32_MIN;
}

/* ---- thinning ---- */

static int64_t quarter_of(const struct track_point *point)
{
    return point->at / QUARTER_MS;
}

/* Marks what stays: points of the last `recent_ms`, and of the older ones the first and the last of
 * each quarter of an hour, those with an energy and those without apart. */
static void mark(struct track *track, int64_t recent_ms)
{
    struct track_point *last[2] = {NULL, NULL};
    wall_t recent = track->points[track->count - 1].at - recent_ms;
    for (size_t i = 0; i < track->count; i++) {
        struct track_point *point = &track->points[i];
        struct track_point **before = &last[is_known(point, TRACK_ENERGY)];
        point->keep = point->at >= recent;
        if (*before && quarter_of(*before) != quarter_of(point))
            point->keep = (*before)->keep = true;
        else if (!*before)
            point->keep = true;
        *before = point;
    }
    for (int i = 0; i < 2; i++) {
        if (last[i])
            last[i]->keep = true;
    }
}

static void mark_half(struct track *track)
{
    for (size_t i = 0; i < track->count; i++)
        track->points[i].keep = i >= track->count / 2 || i % 2 == 0;
}

static void drop_unmarked(struct track *track)
{
    size_t kept = 0;
    for (size_t i = 0; i < track->count; i++) {
        if (track->points[i].keep)
            track->points[kept++] = track->points[i];
    }
    track->count = kept;
}

static bool is_tight(const struct track *track)
{
    return track->count > track->room / 4 * 3;
}

static void thin(struct track *track)
{
    static const int64_t recent_ms[] = {HOUR_MS, HOUR_MS / 2, HOUR_MS / 6, HOUR_MS / 30};
    for (size_t i = 0; i < ARRAY_LEN(recent_ms) && is_tight(track); i++) {
        if (i > 0 && track->room < TRACK_MAX)
            return; /* it may still grow */
        mark(track, recent_ms[i]);
        drop_unmarked(track);
    }
    if (is_tight(track)) {
        mark_half(track);
        drop_unmarked(track);
    }
}

static void make_room(struct track *track)
{
    if (track->count < track->room)
        return;
    if (track->room >= TRACK_EASY)
        thin(track);
    if (track->room >= TRACK_MAX || (track->room >= TRACK_EASY && !is_tight(track)))
        return;
    track->room = track->room ? track->room * 2 : 16;
    track->points = xrealloc(track->points, track->room * sizeof(*track->points));
}

/* ---- is it charging? ---- */

/* Wh since the start, ABSENT if unknown. */
static int64_t since_start(const struct transaction *tx, int64_t energy_wh)
{
    int64_t since;
    if (energy_wh == ABSENT || (tx->flags & TX_SESSION_REGISTER)) /* V6 */
        return energy_wh;
    if (tx->meter_start_wh == ABSENT ||
        __builtin_sub_overflow(energy_wh, tx->meter_start_wh, &since))
        return ABSENT;
    return since;
}

struct knot { /* so much energy since the start, at that moment */
    wall_t at;
    int64_t wh;
};

static bool rose(const struct knot *from, const struct knot *to)
{
    int64_t ms = to->at - from->at < QUARTER_MS ? to->at - from->at : QUARTER_MS;
    return ms > 0 && (double)(to->wh - from->wh) > (double)IDLE_W * (double)ms / HOUR_MS;
}

/* The newest known energy before `at`; at the start there was none. */
static struct knot knot_before(const struct transaction *tx, wall_t at)
{
    const struct track *track = &tx->track;
    for (size_t i = track->count; i > 0; i--) {
        const struct track_point *point = &track->points[i - 1];
        int64_t wh = since_start(tx, point->energy_wh);
        if (point->at < at && point->at > tx->start_ms && wh != ABSENT)
            return (struct knot){point->at, wh};
    }
    return (struct knot){tx->start_ms, 0};
}

static void judge(struct transaction *tx, wall_t at, const struct meter_reading *reading)
{
    struct track *track = &tx->track;
    struct knot to = {at, since_start(tx, reading->energy_wh)};
    bool by_power = reading->power_w != ABSENT;
    bool by_energy = to.wh != ABSENT && at > tx->start_ms;
    if (!by_power && !by_energy)
        return;
    bool drew = by_power && reading->power_w > IDLE_W;
    if (!drew && by_energy) {
        struct knot from = knot_before(tx, at);
        drew = rose(&from, &to);
    }
    if (at > track->judged_at)
        track->judged_at = at;
    if (drew && at > track->drew_at)
        track->drew_at = at;
}

int64_t track_idle_ms(const struct transaction *tx)
{
    wall_t until = tx->track.judged_at, drew_at = tx->track.drew_at;
    int64_t total = transaction_energy_wh(tx);
    if (tx->stopped && total != ABSENT) {
        struct knot end = {track_end(tx), total}, from = knot_before(tx, end.at);
        until = end.at;
        if (rose(&from, &end))
            drew_at = until;
    }
    if (until == 0)
        return 0;
    if (drew_at < tx->start_ms)
        drew_at = tx->start_ms;
    return until > drew_at ? until - drew_at : 0;
}

/* ---- adding ---- */

static int32_t narrow(int64_t value)
{
    if (value == ABSENT)
        return INT32_MIN;
    return value > INT32_MAX ? INT32_MAX : value <= INT32_MIN ? INT32_MIN + 1 : (int32_t)value;
}

static struct track_point point_of(wall_t at, const struct meter_reading *reading)
{
    return (struct track_point){.at = at,
                                .energy_wh = reading->energy_wh,
                                .others = {[TRACK_POWER] = narrow(reading->power_w),
                                           [TRACK_SOC] = narrow(reading->soc),
                                           [TRACK_TEMPERATURE] = narrow(reading->temperature_dc),
                                           [TRACK_VOLTAGE] = narrow(reading->voltage_dv),
                                           [TRACK_CURRENT] = narrow(reading->current_da)}};
}

static void merge(struct track_point *into, const struct track_point *from)
{
    if (from->energy_wh != ABSENT)
        into->energy_wh = from->energy_wh;
    for (int i = 0; i < TRACK_ENERGY; i++) {
        if (from->others[i] != INT32_MIN)
            into->others[i] = from->others[i];
    }
}

/* V6: a plausible energy below the ones before it is another register; those are void. */
static void void_other_register(struct track *track, size_t place)
{
    int64_t energy_wh = track->points[place].energy_wh;
    if (energy_wh == ABSENT || place + 1 != track->count)
        return;
    for (size_t i = 0; i < place; i++) {
        if (track->points[i].energy_wh > energy_wh)
            track->points[i].energy_wh = ABSENT;
    }
}

void track_add(struct transaction *tx, wall_t at, const struct meter_reading *reading)
{
    struct track *track = &tx->track;
    struct track_point point = point_of(at, reading);
    judge(tx, at, reading);
    size_t place = track->count;
    while (place > 0 && track->points[place - 1].at > at)
        place--;
    if (place > 0 && track->points[place - 1].at == at) {
        merge(&track->points[--place], &point);
    } else {
        make_room(track);
        place = track->count;
        while (place > 0 && track->points[place - 1].at > at)
            place--;
        memmove(&track->points[place + 1], &track->points[place],
                (track->count - place) * sizeof(point));
        track->points[place] = point;
        track->count++;
    }
    void_other_register(track, place);
}

wall_t track_end(const struct transaction *tx)
{
    wall_t end = tx->stopped ? tx->stop_ms : wall_now();
    return end > tx->start_ms ? end : tx->start_ms;
}

/* ---- windows ---- */

static double value_of(const struct track_point *point, enum track_quantity quantity)
{
    if (quantity == TRACK_ENERGY)
        return (double)point->energy_wh;
    double value = point->others[quantity];
    return quantity == TRACK_POWER || quantity == TRACK_SOC ? value : value / 10;
}

struct sum { /* a window that is being read */
    struct track_window *out;
    bool any;
    wall_t first_at, last_at;
    double area;
};

static void take(struct sum *sum, wall_t at, double value)
{
    struct track_window *out = sum->out;
    if (!sum->any) {
        sum->first_at = at;
        out->first = out->min = out->max = value;
    } else {
        sum->area += (out->last + value) / 2 * (double)(at - sum->last_at);
    }
    out->min = value < out->min ? value : out->min;
    out->max = value > out->max ? value : out->max;
    out->last = value;
    sum->last_at = at;
    sum->any = true;
}

static double value_between(const struct track_point *a, const struct track_point *b, wall_t at,
                            enum track_quantity quantity)
{
    double from = value_of(a, quantity), to = value_of(b, quantity);
    if (quantity == TRACK_SOC)
        return from;
    double value = from + (to - from) * (double)(at - a->at) / (double)(b->at - a->at);
    return quantity == TRACK_ENERGY ? rounded(value) : value;
}

bool track_window(const struct transaction *tx, enum track_quantity quantity, wall_t from,
                  wall_t to, struct track_window *out)
{
    const struct track_point *before = NULL;
    struct sum sum = {.out = out};
    *out = (struct track_window){0};
    for (size_t i = 0; i < tx->track.count; i++) {
        const struct track_point *point = &tx->track.points[i];
        if (point->at > to)
            break;
        if (!is_known(point, quantity))
            continue;
        if (point->at > from) {
            if (out->count++ == 0 && before)
                take(&sum, from, value_between(before, point, from, quantity));
            take(&sum, point->at, value_of(point, quantity));
        }
        before = point;
    }
    out->ms = sum.last_at - sum.first_at;
    out->mean = out->ms > 0 ? sum.area / (double)out->ms : out->last;
    return out->count > 0;
}

/* ---- slices ---- */

struct curve { /* rising in both */
    struct knot *knots;
    size_t count, at;
};

/* Going back from the end, an energy above a later one is none. */
static struct curve curve_new(const struct transaction *tx, wall_t end, int64_t total)
{
    size_t room = tx->track.count + 2, first = room;
    struct knot *knots = xmalloc(room * sizeof(*knots));
    knots[--first] = (struct knot){end, total};
    for (size_t i = tx->track.count; i > 0; i--) {
        const struct track_point *point = &tx->track.points[i - 1];
        int64_t wh = since_start(tx, point->energy_wh);
        if (wh == ABSENT || point->at <= tx->start_ms || point->at >= end || wh > knots[first].wh)
            continue;
        --first;
        knots[first] = (struct knot){point->at, wh > 0 ? wh : 0};
    }
    knots[--first] = (struct knot){tx->start_ms, 0};
    memmove(knots, &knots[first], (room - first) * sizeof(*knots));
    return (struct curve){.knots = knots, .count = room - first};
}

/* Moments must rise from call to call. */
static int64_t curve_at(struct curve *curve, wall_t at)
{
    while (curve->at + 2 < curve->count && curve->knots[curve->at + 1].at <= at)
        curve->at++;
    const struct knot *a = &curve->knots[curve->at], *b = a + 1;
    if (at >= b->at)
        return b->wh;
    double rise = (double)(b->wh - a->wh);
    double part = rounded(rise * (double)(at - a->at) / (double)(b->at - a->at));
    return part < rise ? a->wh + (int64_t)part : b->wh;
}

static wall_t next_cut(wall_t at, wall_t end, int64_t period_ms, int64_t zone_ms)
{
    int64_t local = at + zone_ms;
    int64_t over = local % period_ms;
    wall_t next = at - (over < 0 ? over + period_ms : over) + period_ms;
    return next < end ? next : end;
}

size_t track_slice_count(const struct transaction *tx, wall_t end, int64_t period_ms,
                         int64_t zone_ms)
{
    wall_t first = next_cut(tx->start_ms, end, period_ms, zone_ms);
    if (end <= tx->start_ms) /* all at once, if anything */
        return transaction_energy_wh(tx) > 0;
    return 1 + (size_t)((end - first + period_ms - 1) / period_ms);
}

void track_slices(const struct transaction *tx, wall_t end, int64_t period_ms, int64_t zone_ms,
                  struct track_slice *out)
{
    size_t count = track_slice_count(tx, end, period_ms, zone_ms);
    int64_t total = transaction_energy_wh(tx), before = 0;
    struct curve curve = {0};
    if (total != ABSENT)
        curve = curve_new(tx, end, total > 0 ? total : 0);
    wall_t at = tx->start_ms;
    for (size_t i = 0; i < count; i++) {
        wall_t next = next_cut(at, end, period_ms, zone_ms);
        int64_t until = total == ABSENT ? ABSENT : curve_at(&curve, next);
        out[i] = (struct track_slice){at, next - at, total == ABSENT ? ABSENT : until - before};
        before = until;
        at = next;
    }
    xfree(curve.knots);
}

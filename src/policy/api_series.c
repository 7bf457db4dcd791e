/* A transaction over time: tx:window, tx:slices, and tx:remind.
 *
 * The series is the station's (station/track.h); here are only the words. Times are site time
 * (policies.zone). A transaction that is gone has no window and no slices. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/dry.h"

enum { SLICES_MAX = 20000, DAY_S = 24 * 60 * 60 };

/* ---- tx:window ---- */

static const char *const quantity_names[] = {
    [TRACK_POWER] = "power",     [TRACK_SOC] = "soc",         [TRACK_TEMPERATURE] = "temperature",
    [TRACK_VOLTAGE] = "voltage", [TRACK_CURRENT] = "current", [TRACK_ENERGY] = "energy"};

static enum track_quantity read_quantity(lua_State *L, int index)
{
    const char *name = api_arg_string(L, "tx:window", index, "quantity");
    for (int i = 0; i < TRACK_QUANTITIES; i++) {
        if (text_is(quantity_names[i], name))
            return (enum track_quantity)i;
    }
    const char *near =
        text_nearest(name, quantity_names, TRACK_QUANTITIES, sizeof(quantity_names[0]));
    api_raise(L, "tx:window: \"%s\" is not measured%s%s%s", name, near ? "; did you mean \"" : "",
              near ? near : "",
              near ? "\"?"
                   : "; power, soc, energy, current, voltage and "
                     "temperature are");
    return TRACK_POWER;
}

static void set_number(lua_State *L, const char *name, double value)
{
    int64_t whole;
    if (api_whole_seconds(value, &whole) && (double)whole == value)
        lua_pushinteger(L, whole);
    else
        lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

int api_tx_window(lua_State *L)
{
    int64_t id = api_check_tx(L, 1);
    struct station *st = api_station(L, "tx:window");
    enum track_quantity quantity = read_quantity(L, 2);
    int64_t span_ms = api_arg_duration(L, "tx:window", 3, "span");
    const struct transaction *tx = station_transaction(st, id);
    struct track_window window;
    wall_t end = tx ? track_end(tx) : 0;
    if (!tx || !track_window(tx, quantity, end - span_ms, end, &window)) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 8);
    if (quantity != TRACK_ENERGY) {
        set_number(L, "mean", window.mean);
        set_number(L, "min", window.min);
        set_number(L, "max", window.max);
    }
    set_number(L, "first", window.first);
    set_number(L, "last", window.last);
    set_number(L, "delta", window.last - window.first);
    api_set_integer(L, "count", (int64_t)window.count);
    set_number(L, "seconds", (double)window.ms / 1000);
    return 1;
}

/* ---- tx:slices ---- */

struct slices {
    size_t count, at;
    struct track_slice items[];
};

static void set_calendar(lua_State *L, wall_t at)
{
    char date[16];
    struct tm tm;
    time_t local = (time_t)(at / 1000 + generation_of(L)->settings->zone_minutes * 60);
    gmtime_r(&local, &tm);
    strftime(date, sizeof(date), "%Y-%m-%d", &tm);
    api_set_integer(L, "hour", tm.tm_hour);
    api_set_integer(L, "minute", tm.tm_min);
    api_set_integer(L, "weekday", (tm.tm_wday + 6) % 7 + 1);
    api_set_string(L, "date", date);
}

static int next_slice(lua_State *L)
{
    struct slices *slices = lua_touserdata(L, lua_upvalueindex(1));
    if (slices->at == slices->count) {
        lua_pushnil(L);
        return 1;
    }
    const struct track_slice *slice = &slices->items[slices->at++];
    lua_createtable(L, 0, 9);
    api_set_seconds(L, "start", slice->start);
    set_number(L, "seconds", (double)slice->ms / 1000);
    if (slice->energy_wh != ABSENT) {
        double kwh = (double)slice->energy_wh / 1000;
        api_set_integer(L, "energy_wh", slice->energy_wh);
        lua_pushnumber(L, kwh);
        lua_setfield(L, -2, "kwh");
        lua_pushnumber(L, slice->ms > 0 ? kwh * 3600000 / (double)slice->ms : 0);
        lua_setfield(L, -2, "kw");
    }
    set_calendar(L, slice->start);
    return 1;
}

int api_tx_slices(lua_State *L)
{
    int64_t id = api_check_tx(L, 1);
    struct station *st = api_station(L, "tx:slices");
    int64_t period_ms =
        lua_isnoneornil(L, 2) ? 15 * 60000 : api_arg_duration(L, "tx:slices", 2, "period");
    if (period_ms < 60000 || period_ms % 1000 != 0 || DAY_S % (period_ms / 1000) != 0)
        return api_raise(L, "tx:slices: a day must be whole periods of a minute or more, such as "
                            "\"15m\" or \"1h\"");
    const struct transaction *tx = station_transaction(st, id);
    int64_t zone_ms = generation_of(L)->settings->zone_minutes * 60000;
    wall_t end = tx ? track_end(tx) : 0;
    size_t count = tx ? track_slice_count(tx, end, period_ms, zone_ms) : 0;
    if (count > SLICES_MAX)
        return api_raise(L, "tx:slices: more than %d slices", SLICES_MAX);
    struct slices *slices =
        lua_newuserdatauv(L, sizeof(*slices) + count * sizeof(slices->items[0]), 0);
    *slices = (struct slices){.count = count};
    if (tx)
        track_slices(tx, end, period_ms, zone_ms, slices->items);
    lua_pushcclosure(L, next_slice, 1);
    return 1;
}

/* ---- tx:remind ---- */

static bool note_dry(lua_State *L, int64_t id, const char *name, int64_t delay_ms)
{
    char subject[24];
    struct strbuf detail = {0};
    struct json_out o = {.to = &detail};
    if (!dry_wanted(L))
        return false;
    snprintf(subject, sizeof(subject), "%lld", (long long)id);
    json_open(&o, '{');
    json_key(&o, "name");
    json_put_string(&o, name);
    if (delay_ms != ABSENT) {
        json_key(&o, "delayMs");
        json_put_int(&o, delay_ms);
    }
    json_close(&o, '}');
    bool dry = dry_note(L, "tx:remind", subject, strbuf_text(&detail));
    strbuf_clear(&detail);
    return dry;
}

int api_tx_remind(lua_State *L)
{
    int64_t id = api_check_tx(L, 1);
    struct station *st = api_station(L, "tx:remind");
    const char *name = api_arg_string(L, "tx:remind", 2, "name");
    int64_t delay_ms =
        lua_isnoneornil(L, 3) ? ABSENT : api_arg_duration(L, "tx:remind", 3, "delay");
    const struct transaction *tx = station_transaction(st, id);
    struct reason why;
    if (!tx || tx->stopped)
        return api_fail(L, "gone", "transaction %lld is over", (long long)id);
    if (!note_dry(L, id, name, delay_ms) && !station_remind(st, id, name, delay_ms, &why))
        return api_raise(L, "tx:remind: %s", why.text);
    lua_pushboolean(L, 1);
    return 1;
}

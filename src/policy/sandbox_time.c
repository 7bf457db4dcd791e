/* os.time and os.date for policies: the fakeable clock, site time, no locale (POLICY §4).
 *
 * As in the manual of Lua 5.4, except that "local time" is site time (settings->zone_minutes), so
 * that a policy means the same on every host. */
#include <lauxlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "policy/sandbox.h"

static time_t zone_seconds(lua_State *L)
{
    return (time_t)generation_of(L)->settings->zone_minutes * 60;
}

static int field_of(lua_State *L, const char *name, int missing, int less)
{
    int is_int;
    int type = lua_getfield(L, 1, name);
    lua_Integer value = lua_tointegerx(L, -1, &is_int);
    lua_pop(L, 1);
    if (type == LUA_TNIL && missing < 0)
        return luaL_error(L, "os.time: field '%s' is missing", name);
    if (type == LUA_TNIL)
        return missing - less;
    if (!is_int)
        return luaL_error(L, "os.time: field '%s' is not an integer", name);
    if (value < -100000000 || value > 100000000)
        return luaL_error(L, "os.time: field '%s' is out of range", name);
    return (int)value - less;
}

static void set_field(lua_State *L, const char *name, int value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

static void set_fields(lua_State *L, const struct tm *tm)
{
    set_field(L, "year", tm->tm_year + 1900);
    set_field(L, "month", tm->tm_mon + 1);
    set_field(L, "day", tm->tm_mday);
    set_field(L, "hour", tm->tm_hour);
    set_field(L, "min", tm->tm_min);
    set_field(L, "sec", tm->tm_sec);
    set_field(L, "yday", tm->tm_yday + 1);
    set_field(L, "wday", tm->tm_wday + 1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "isdst");
}

int sandbox_time(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_pushinteger(L, wall_now() / 1000);
        return 1;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct tm tm = {.tm_year = field_of(L, "year", -1, 1900),
                    .tm_mon = field_of(L, "month", -1, 1),
                    .tm_mday = field_of(L, "day", -1, 0),
                    .tm_hour = field_of(L, "hour", 12, 0),
                    .tm_min = field_of(L, "min", 0, 0),
                    .tm_sec = field_of(L, "sec", 0, 0)};
    time_t seconds = timegm(&tm); /* also puts the fields right, as the manual says */
    set_fields(L, &tm);
    lua_pushinteger(L, seconds - zone_seconds(L));
    return 1;
}

/* Writes one conversion; raises for letters that strftime may not know. */
static void add_conversion(lua_State *L, luaL_Buffer *buffer, char letter, const struct tm *tm)
{
    if (!letter || !strchr("aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%", letter))
        luaL_error(L, "os.date: '%%%c' is no conversion", letter ? letter : ' ');
    const char format[] = {'%', letter, '\0'};
    char *room = luaL_prepbuffsize(buffer, 250);
    luaL_addsize(buffer, strftime(room, 250, format, tm));
}

int sandbox_date(lua_State *L)
{
    const char *format = luaL_optstring(L, 1, "%c");
    lua_Integer seconds = luaL_optinteger(L, 2, wall_now() / 1000);
    bool utc = *format == '!';
    format += utc;
    if (seconds < -1000000000000 || seconds > 1000000000000)
        return luaL_error(L, "os.date: the time is out of range");
    time_t shown = (time_t)seconds + (utc ? 0 : zone_seconds(L));
    struct tm tm;
    if (!gmtime_r(&shown, &tm))
        return luaL_error(L, "os.date: the time is out of range");
    tm.tm_gmtoff = utc ? 0 : zone_seconds(L);
    tm.tm_zone = utc ? "UTC" : "";
    if (strncmp(format, "*t", 2) == 0) {
        lua_createtable(L, 0, 9);
        set_fields(L, &tm);
        return 1;
    }
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (const char *at = format; *at; at++) {
        if (*at == '%')
            add_conversion(L, &buffer, *++at, &tm);
        else
            luaL_addchar(&buffer, *at);
    }
    luaL_pushresult(&buffer);
    return 1;
}

/* Times and spans of time: seconds since 1970, and texts for people. */
#include "base/clock.h"
#include "base/timetext.h"
#include "policy/api_parts.h"

static int time_now(lua_State *L)
{
    wall_t now = wall_now();
    lua_pushinteger(L, now >= 0 ? now / 1000 : (now - 999) / 1000);
    return 1;
}

static int push_span(lua_State *L, const char *function, int64_t seconds)
{
    double value = api_arg_number(L, function, 1, "count") * (double)seconds;
    int64_t whole;
    if (api_whole_seconds(value, &whole) && (double)whole == value)
        lua_pushinteger(L, whole);
    else
        lua_pushnumber(L, value);
    return 1;
}

static int time_minutes(lua_State *L)
{
    return push_span(L, "minutes", 60);
}

static int time_hours(lua_State *L)
{
    return push_span(L, "hours", 3600);
}

static int time_days(lua_State *L)
{
    return push_span(L, "days", 86400);
}

static int time_duration(lua_State *L)
{
    int64_t ms = api_arg_duration(L, "duration", 1, "text");
    if (ms % 1000 == 0)
        lua_pushinteger(L, ms / 1000);
    else
        lua_pushnumber(L, (double)ms / 1000);
    return 1;
}

static int time_timestamp(lua_State *L)
{
    char text[TIMETEXT_SIZE];
    double seconds = lua_isnoneornil(L, 1) ? (double)(wall_now() / 1000)
                                           : api_arg_number(L, "timestamp", 1, "seconds");
    int64_t whole;
    if (!api_whole_seconds(seconds, &whole))
        return api_raise(L, "timestamp: the year is out of range");
    timetext_seconds(whole * 1000, text);
    lua_pushstring(L, text);
    return 1;
}

static int time_parse(lua_State *L)
{
    struct span text = span_of(api_arg_string(L, "parse_time", 1, "text"));
    wall_t at;
    int zone = (int)generation_of(L)->settings->zone_minutes;
    if (timetext_parse_date(text, &at))
        at -= (wall_t)zone * 60000; /* a day begins at midnight of the site */
    else if (!timetext_parse(text, zone, &at))
        return api_fail(L, "invalid", "\"%s\" is no date or time", text.at);
    lua_pushinteger(L, at >= 0 ? at / 1000 : (at - 999) / 1000);
    return 1;
}

static const struct api_row rows[] = {
    {"now", time_now, "fun(): integer", "The time in seconds since 1970 (UTC).", false},
    {"minutes", time_minutes, "fun(count: number): number", "So many minutes, in seconds.", false},
    {"hours", time_hours, "fun(count: number): number", "So many hours, in seconds.", false},
    {"days", time_days, "fun(count: number): number", "So many days, in seconds.", false},
    {"duration", time_duration, "fun(text: string|number): number",
     "Seconds from a text such as \"90s\", \"15m\", \"2h\", \"1d\" or \"1h30m\".", false},
    {"timestamp", time_timestamp, "fun(seconds?: number): string",
     "A time as text, \"2026-05-01T12:00:00Z\"; without an argument the time now.", false},
    {"parse_time", time_parse, "fun(text: string): integer?, err?",
     "Seconds since 1970 from a date or date and time; without a zone it is site time. nil and an "
     "error if the text is neither.",
     false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_time = {
    .on = "", .class_doc = "Time, in seconds since 1970.", .rows = rows};

/* Hours of the week: `window "22:00-06:00"`, `window "mon-fri 08:00-18:00, sat 09:00-12:00"`.
 *
 * In site time (policies.zone). A window that ends before it begins goes on over midnight and
 * belongs to the day on which it began. Also what `hours` of an allow-list entry becomes. */
#include <string.h>

#include "base/clock.h"
#include "policy/api_parts.h"

enum { PIECES_MAX = 16, DAY_MINUTES = 1440, ALL_DAYS = 127 };

struct piece {
    int days;     /* bit 0 = Monday */
    int from, to; /* minutes of the day; to <= from: over midnight */
};

struct window {
    int count;
    struct piece pieces[PIECES_MAX];
};

static const char window_key;

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static int day_of(struct span name)
{
    for (int day = 0; day < 7; day++) {
        if (span_is_ci(name, day_names[day]))
            return day;
    }
    return -1;
}

/* "mon" or "mon-fri"; also "fri-mon". */
static bool read_days(struct span text, int *days)
{
    struct span rest = text, first = {0};
    span_cut(&rest, '-', &first);
    int from = day_of(first), to = rest.at ? day_of(rest) : from;
    if (from < 0 || to < 0)
        return false;
    *days = 0;
    for (int day = from;; day = (day + 1) % 7) {
        *days |= 1 << day;
        if (day == to)
            return true;
    }
}

/* "22:00"; up to 24:00. */
static bool read_clock(struct span text, int *minutes)
{
    struct span rest = text, hour = {0};
    int64_t h, m;
    if (!span_cut(&rest, ':', &hour) || !rest.at || hour.len > 2 || rest.len != 2 ||
        !span_int(hour, &h) || !span_int(rest, &m))
        return false;
    if (h < 0 || m < 0 || m > 59 || h * 60 + m > DAY_MINUTES)
        return false;
    *minutes = (int)(h * 60 + m);
    return true;
}

static bool read_piece(struct span text, struct piece *piece, struct reason *why)
{
    struct span rest = span_trim(text), days = {0}, from = {0};
    piece->days = ALL_DAYS;
    if (memchr(rest.at, ' ', rest.len)) {
        span_cut(&rest, ' ', &days);
        if (!read_days(days, &piece->days))
            return reason_set(why, "\"%.*s\" are no days; write \"mon-fri\" or \"sat\"",
                              (int)days.len, days.at);
    }
    rest = span_trim(rest);
    if (!span_cut(&rest, '-', &from) || !rest.at || !read_clock(span_trim(from), &piece->from) ||
        !read_clock(span_trim(rest), &piece->to) || piece->from == DAY_MINUTES)
        return reason_set(why, "\"%.*s\" are no hours; write \"22:00-06:00\"", (int)text.len,
                          text.at);
    return true;
}

static bool read_window(struct span text, struct window *window, struct reason *why)
{
    struct span rest = text, piece;
    while (span_cut(&rest, ',', &piece)) {
        if (window->count == PIECES_MAX)
            return reason_set(why, "more than %d windows", PIECES_MAX);
        if (!read_piece(piece, &window->pieces[window->count++], why))
            return false;
    }
    return window->count > 0 || reason_set(why, "no hours at all");
}

bool api_push_window(lua_State *L, struct span text, struct reason *why)
{
    struct window read = {0};
    if (!read_window(text, &read, why))
        return false;
    struct window *window = lua_newuserdatauv(L, sizeof(*window), 1);
    *window = read;
    lua_pushlstring(L, text.at, text.len);
    lua_setiuservalue(L, -2, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &window_key);
    lua_setmetatable(L, -2);
    return true;
}

static const struct window *check_window(lua_State *L, const char *what)
{
    const struct window *window = api_to_object(L, 1, &window_key);
    if (!window)
        api_raise(L, "%s needs a window; call it with a colon", what);
    return window;
}

static bool contains(const struct window *window, int64_t seconds)
{
    int64_t day_s = DAY_MINUTES * 60;
    int64_t days = (seconds >= 0 ? seconds : seconds - day_s + 1) / day_s;
    int of_day = (int)((seconds - days * day_s) / 60);
    int today = (int)(((days + 3) % 7 + 7) % 7); /* 1970 began on a Thursday */
    int yesterday = (today + 6) % 7;
    for (int i = 0; i < window->count; i++) {
        const struct piece *p = &window->pieces[i];
        bool over_midnight = p->to <= p->from;
        if ((p->days >> today & 1) && of_day >= p->from && (over_midnight || of_day < p->to))
            return true;
        if (over_midnight && (p->days >> yesterday & 1) && of_day < p->to)
            return true;
    }
    return false;
}

static int window_contains(lua_State *L)
{
    const struct window *window = check_window(L, "window:contains");
    double at = lua_isnoneornil(L, 2) ? (double)wall_now() / 1000
                                      : api_arg_number(L, "window:contains", 2, "time");
    int64_t seconds;
    if (!api_whole_seconds(at, &seconds))
        return api_raise(L, "window:contains: the time is out of range");
    seconds += generation_of(L)->settings->zone_minutes * 60;
    lua_pushboolean(L, contains(window, seconds));
    return 1;
}

static int window_text(lua_State *L)
{
    check_window(L, "tostring");
    lua_getiuservalue(L, 1, 1);
    return 1;
}

static int window_new(lua_State *L)
{
    struct reason why;
    const char *text = api_arg_string(L, "window", 1, "hours");
    if (!api_push_window(L, span_of(text), &why))
        return api_raise(L, "window: %s", why.text);
    return 1;
}

static const struct api_row window_rows[] = {
    {"contains", window_contains, "fun(self: window, time?: number): boolean",
     "Is that time, or now, within the window? In site time.", false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_window = {
    .on = "window",
    .class_doc =
        "Hours of the week, such as \"22:00-06:00\" or \"mon-fri 08:00-18:00, sat 09:00-12:00\".",
    .rows = window_rows,
    .object = true};

static const struct api_row global_rows[] = {
    {"window", window_new, "fun(hours: string): window",
     "Hours of the week in site time: \"22:00-06:00\", \"mon-fri 08:00-18:00, sat 09:00-12:00\".",
     false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_window_globals = {
    .on = "", .class_doc = "Hours of the week.", .rows = global_rows};

static int window_index(lua_State *L)
{
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (!text_is(key, "contains"))
        return api_unknown_field(L, "window", &api_table_window, key);
    lua_pushcfunction(L, window_contains);
    return 1;
}

void api_open_window(lua_State *L)
{
    static const luaL_Reg metamethods[] = {
        {"__index", window_index}, {"__tostring", window_text}, {NULL, NULL}};
    api_open_object(L, &window_key, "a window", metamethods);
}

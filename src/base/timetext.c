/* Times and durations from and to text.
 *
 * One reader for all spellings: it notes what it saw (struct reading), and the public functions
 * decide how much of that they accept. The calendar is proleptic Gregorian, computed here, so no
 * time zone file or C library state is ever asked. */
#include "base/timetext.h"

#define MS_DAY INT64_C(86400000)
#define OLDEST INT64_C(-62135596800000) /* 0001-01-01T00:00:00Z */
#define NEWEST INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

/* Days since 1970-01-01. Months count from March, so the leap day is the last of its year. */
static int64_t days_from_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

/* `count` digits of `value`, and the character behind them; returns where it goes on. */
static char *put_digits(char *at, int value, int count, char behind)
{
    for (int i = count; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    at[count] = behind;
    return at + count + 1;
}

static void write_time(wall_t t, char *out, bool millis)
{
    t = t < OLDEST ? OLDEST : t > NEWEST ? NEWEST : t;
    int64_t days = (t >= 0 ? t : t - (MS_DAY - 1)) / MS_DAY;
    int ms = (int)(t - days * MS_DAY);
    int year, month, day;
    date_from_days(days, &year, &month, &day);
    out = put_digits(out, year, 4, '-');
    out = put_digits(out, month, 2, '-');
    out = put_digits(out, day, 2, 'T');
    out = put_digits(out, ms / 3600000, 2, ':');
    out = put_digits(out, ms / 60000 % 60, 2, ':');
    out = put_digits(out, ms / 1000 % 60, 2, millis ? '.' : 'Z');
    if (millis)
        out = put_digits(out, ms % 1000, 3, 'Z');
    *out = '\0';
}

void timetext_seconds(wall_t t, char *out)
{
    write_time(t, out, false);
}

void timetext_millis(wall_t t, char *out)
{
    write_time(t, out, true);
}

struct reading {
    struct span left;
    int year, month, day, hour, minute, second, ms;
    bool has_zone;
    int zone_minutes;
    bool loose; /* something that RFC 3339 does not allow */
};

/* Exactly `count` digits off the front. */
static bool take_digits(struct reading *r, size_t count, int *out)
{
    if (r->left.len < count)
        return false;
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        char c = r->left.at[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    r->left.at += count;
    r->left.len -= count;
    *out = value;
    return true;
}

static bool take_char(struct reading *r, char c)
{
    if (r->left.len == 0 || r->left.at[0] != c)
        return false;
    r->left.at++;
    r->left.len--;
    return true;
}

static bool take_date(struct reading *r)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!take_digits(r, 4, &r->year) || !take_char(r, '-') || !take_digits(r, 2, &r->month) ||
        !take_char(r, '-') || !take_digits(r, 2, &r->day))
        return false;
    if (r->month < 1 || r->month > 12 || r->day < 1 || r->day > month_days[r->month - 1])
        return false;
    bool leap = r->year % 4 == 0 && (r->year % 100 != 0 || r->year % 400 == 0);
    return r->month != 2 || r->day <= 28 || leap;
}

/* The digits behind the point, any number of them, cut to milliseconds. */
static bool take_fraction(struct reading *r)
{
    int digit;
    int weight = 100;
    if (!take_digits(r, 1, &digit))
        return false;
    do {
        r->ms += digit * weight;
        weight /= 10;
    } while (take_digits(r, 1, &digit));
    return true;
}

static bool take_clock(struct reading *r)
{
    if (!take_digits(r, 2, &r->hour) || !take_char(r, ':') || !take_digits(r, 2, &r->minute))
        return false;
    if (take_char(r, ':')) {
        if (!take_digits(r, 2, &r->second))
            return false;
        bool comma = take_char(r, ',');
        if ((comma || take_char(r, '.')) && !take_fraction(r))
            return false;
        r->loose |= comma;
    } else {
        r->loose = true;
    }
    return r->hour <= 23 && r->minute <= 59 && r->second <= 60;
}

static bool take_zone(struct reading *r)
{
    if (take_char(r, ' '))
        r->loose = true;
    r->has_zone = true;
    if (take_char(r, 'Z') || take_char(r, 'z'))
        return true;
    bool west = take_char(r, '-');
    if (!west && !take_char(r, '+'))
        return false;
    int hours;
    int minutes = 0;
    if (!take_digits(r, 2, &hours))
        return false;
    bool colon = take_char(r, ':');
    if ((colon || r->left.len > 0) && !take_digits(r, 2, &minutes))
        return false;
    r->loose |= !colon;
    r->zone_minutes = (hours * 60 + minutes) * (west ? -1 : 1);
    return hours <= 23 && minutes <= 59;
}

static bool read_time(struct span text, struct reading *r)
{
    *r = (struct reading){.left = text};
    if (!take_date(r))
        return false;
    if (take_char(r, ' '))
        r->loose = true;
    else if (!take_char(r, 'T') && !take_char(r, 't'))
        return false;
    if (!take_clock(r))
        return false;
    return (r->left.len == 0 || take_zone(r)) && r->left.len == 0;
}

bool timetext_parse(struct span text, int zone_minutes, wall_t *out)
{
    struct reading r;
    if (!read_time(span_trim(text), &r) || r.year < 1)
        return false;
    int zone = r.has_zone ? r.zone_minutes : zone_minutes;
    *out = days_from_date(r.year, r.month, r.day) * MS_DAY + r.hour * INT64_C(3600000) +
           (r.minute - zone) * INT64_C(60000) + r.second * INT64_C(1000) + r.ms;
    return true;
}

bool timetext_is_rfc3339(struct span text)
{
    struct reading r;
    if (!read_time(text, &r) || r.loose || !r.has_zone)
        return false;
    /* RFC 3339 §5.7: second 60 exists only at the end of a UTC day. */
    int utc_minute = (r.hour * 60 + r.minute - r.zone_minutes + 2 * 1440) % 1440;
    return r.second < 60 || utc_minute == 1439;
}

bool timetext_parse_date(struct span text, wall_t *out)
{
    struct reading r = {.left = text};
    if (!take_date(&r) || r.left.len > 0 || r.year < 1)
        return false;
    *out = days_from_date(r.year, r.month, r.day) * MS_DAY;
    return true;
}

/* Takes `15m` off the front; units must become smaller from piece to piece. */
static bool take_piece(struct span *left, int64_t *unit_before, int64_t *total)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", MS_DAY}};
    size_t digits = 0;
    while (digits < left->len && left->at[digits] >= '0' && left->at[digits] <= '9')
        digits++;
    int64_t value;
    if (!span_int((struct span){left->at, digits}, &value))
        return false;
    *left = (struct span){left->at + digits, left->len - digits};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!span_starts(*left, units[i].name))
            continue;
        size_t len = span_of(units[i].name).len;
        *left = (struct span){left->at + len, left->len - len};
        bool smaller = units[i].ms < *unit_before;
        *unit_before = units[i].ms;
        return smaller && !__builtin_mul_overflow(value, units[i].ms, &value) &&
               !__builtin_add_overflow(*total, value, total);
    }
    return false;
}

bool duration_parse(struct span text, int64_t *out_ms)
{
    struct span left = text;
    int64_t unit_before = INT64_MAX;
    int64_t total = 0;
    do {
        if (!take_piece(&left, &unit_before, &total))
            return false;
    } while (left.len > 0);
    *out_ms = total;
    return true;
}

/* Times as text: what we send, all that chargers were seen to send, RFC 3339, durations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "base/timetext.h"

#define T0 INT64_C(1752470408000) /* 2025-07-14T05:20:08Z */

static void assert_text(wall_t t, const char *seconds, const char *millis)
{
    char text[TIMETEXT_SIZE];
    timetext_seconds(t, text);
    assert_string_equal(text, seconds);
    timetext_millis(t, text);
    assert_string_equal(text, millis);
}

static void test_writing(void **state)
{
    (void)state;
    assert_text(T0, "2025-07-14T05:20:08Z", "2025-07-14T05:20:08.000Z");
    assert_text(T0 + 123, "2025-07-14T05:20:08Z", "2025-07-14T05:20:08.123Z");
    assert_text(0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z");
    assert_text(-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z");
    assert_text(951782400000, "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z");
    assert_text(INT64_MIN, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z");
    assert_text(INT64_MAX, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z");
}

/* Our calendar against that of the C library, and there and back. */
static void test_calendar(void **state)
{
    (void)state;
    for (int64_t day = -719162; day <= 2932896; day += 97) {
        time_t seconds = (time_t)(day * 86400 + day % 86400);
        struct tm tm;
        char expected[TIMETEXT_SIZE + 48], text[TIMETEXT_SIZE];
        wall_t back;
        assert_non_null(gmtime_r(&seconds, &tm));
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        wall_t t = (wall_t)seconds * 1000;
        if (t < -62135596800000)
            continue;
        timetext_seconds(t, text);
        assert_string_equal(text, expected);
        assert_true(timetext_parse(span_of(text), 0, &back));
        assert_int_equal(back, t);
    }
}

static void test_reading_what_chargers_send(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        wall_t t;
    } rows[] = {
        {"2025-07-14T05:20:08Z", T0},
        {"2025-07-14T05:20:08z", T0},
        {"2025-07-14t05:20:08Z", T0},
        {"2025-07-14 05:20:08Z", T0},
        {" 2025-07-14T05:20:08Z\n", T0},
        {"2025-07-14T05:20:08.1Z", T0 + 100},
        {"2025-07-14T05:20:08.020Z", T0 + 20},
        {"2025-07-14T05:20:08.123456789Z", T0 + 123},
        {"2025-07-14T05:20:08.999999999999Z", T0 + 999},
        {"2025-07-14T05:20:08,5Z", T0 + 500},
        {"2025-07-14T07:20:08+02:00", T0},
        {"2025-07-14T07:20:08+0200", T0},
        {"2025-07-14T07:20:08+02", T0},
        {"2025-07-14T07:20:08.000+02", T0},
        {"2025-07-14 07:20:08 +02:00", T0},
        {"2025-07-13T23:50:08-05:30", T0},
        {"2025-07-14T05:20:08-00:00", T0},
        {"2025-07-14T05:20:08+00:00", T0},
        {"2025-07-14T05:20Z", T0 - 8000},
        {"2025-07-14T05:20:60Z", T0 + 52000},
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00+01:00", -3600000},
        {"0001-01-01T00:00:00Z", -62135596800000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        wall_t t = -1;
        assert_true(timetext_parse(span_of(rows[i].text), 60, &t));
        assert_int_equal(t, rows[i].t);
    }
}

static void test_without_zone_the_station_decides(void **state)
{
    (void)state;
    wall_t t;
    assert_true(timetext_parse(SPAN("2025-07-14T05:20:08"), 0, &t));
    assert_int_equal(t, T0);
    assert_true(timetext_parse(SPAN("2025-07-14 07:20:08.5"), 120, &t));
    assert_int_equal(t, T0 + 500);
    assert_true(timetext_parse(SPAN("2025-07-14T00:20:08"), -300, &t));
    assert_int_equal(t, T0);
}

static void test_what_is_no_time(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "now",
        "2025-07-14",
        "2025-07-14T",
        "2025-07-14T05",
        "05:20:08",
        "1752470408",
        "2025-7-14T05:20:08Z",
        "2025-13-14T05:20:08Z",
        "2025-00-14T05:20:08Z",
        "2025-02-29T05:20:08Z",
        "2100-02-29T05:20:08Z",
        "2025-04-31T05:20:08Z",
        "2025-07-00T05:20:08Z",
        "2025-07-14T24:00:00Z",
        "2025-07-14T05:60:08Z",
        "2025-07-14T05:20:61Z",
        "2025-07-14T05:20:08.Z",
        "2025-07-14T05:20:08ZZ",
        "2025-07-14T05:20:08 ",
        "2025-07-14T05:20:08+2",
        "2025-07-14T05:20:08+02:",
        "2025-07-14T05:20:08+02:0",
        "2025-07-14T05:20:08+24:00",
        "2025-07-14T05:20:08+02:60",
        "2025-07-14X05:20:08Z",
        "0000-07-14T05:20:08Z",
        "-025-07-14T05:20:08Z",
        "20250714T052008Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        wall_t t = 7;
        bool taken = timetext_parse(span_of(rows[i]), 0, &t);
        /* The blank at the end is trimmed, the rest refused. */
        assert_int_equal(taken, strcmp(rows[i], "2025-07-14T05:20:08 ") == 0);
        assert_true(taken || t == 7);
    }
    wall_t t;
    assert_false(timetext_parse(span_of(NULL), 0, &t));
    assert_false(timetext_is_rfc3339(span_of(NULL)));
}

static void test_rfc3339(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "2025-07-14T05:20:08Z",      "2025-07-14t05:20:08z",          "2025-07-14T05:20:08.1Z",
        "2025-07-14T05:20:08+02:00", "2025-07-14T05:20:08.123-05:30", "1998-12-31T23:59:60Z",
        "1998-12-31T15:59:60-08:00", "1999-01-01T05:29:60+05:30",     "0000-01-01T00:00:00Z",
    };
    static const char *const no[] = {
        "2025-07-14T05:20:08",      "2025-07-14 05:20:08Z",   "2025-07-14T05:20:08+0200",
        "2025-07-14T05:20:08+02",   "2025-07-14T05:20:08,1Z", "2025-07-14T05:20Z",
        " 2025-07-14T05:20:08Z",    "2025-07-14T05:20:08Z ",  "2025-07-14T05:20:08 Z",
        "1998-12-31T22:59:60Z",     "1998-12-31T23:58:60Z",   "2025-07-14T05:20:08+25:00",
        "1998-12-31T23:59:60+01:00"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        assert_true(timetext_is_rfc3339(span_of(yes[i])));
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        assert_false(timetext_is_rfc3339(span_of(no[i])));
}

static void test_dates(void **state)
{
    (void)state;
    wall_t t = 7;
    assert_true(timetext_parse_date(SPAN("1970-01-02"), &t));
    assert_int_equal(t, 86400000);
    assert_true(timetext_parse_date(SPAN("2026-12-31"), &t));
    assert_int_equal(t, 1798675200000);
    t = 7;
    static const char *const bad[] = {"",           "2026",       "2026-12-3", "2026-12-31T",
                                      "2026-12-32", "2026-02-29", "26-12-31",  "0000-01-01"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(timetext_parse_date(span_of(bad[i]), &t));
    assert_int_equal(t, 7);
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {{"90s", 90000},    {"15m", 900000},  {"2h", 7200000},
                {"7d", 604800000}, {"250ms", 250},   {"1h30m", 5400000},
                {"0s", 0},         {"1m1ms", 60001}, {"1d2h3m4s5ms", 93784005}};
    static const char *const bad[] = {
        "",    "5",   "s",   "5x",   "-5s",  "+5s", "1.5h",          " 5s",
        "5s ", "5 s", "1h5", "1m1h", "1s1s", "5S",  "106751991168d", "9223372036854775808ms"};
    int64_t ms = 7;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(duration_parse(span_of(bad[i]), &ms));
    assert_int_equal(ms, 7);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(duration_parse(span_of(rows[i].text), &ms));
        assert_int_equal(ms, rows[i].ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_reading_what_chargers_send),
        cmocka_unit_test(test_without_zone_the_station_decides),
        cmocka_unit_test(test_what_is_no_time),
        cmocka_unit_test(test_rfc3339),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

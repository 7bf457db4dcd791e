/* Spans, UTF-8, comparison, and "did you mean". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"

static void test_span_comparison(void **state)
{
    (void)state;
    struct span absent = span_of(NULL);
    assert_null(absent.at);
    assert_int_equal(absent.len, 0);
    assert_true(span_is(SPAN("abc"), "abc"));
    assert_true(span_is(SPAN(""), ""));
    assert_false(span_is(absent, ""));
    assert_false(span_is(SPAN("abc"), "abcd"));
    assert_false(span_is(SPAN("abc"), "ABC"));
    assert_true(span_is_ci(SPAN("aBc"), "AbC"));
    assert_false(span_is_ci(SPAN("\xC3\xA4"), "\xC3\x84")); /* ASCII only */
    assert_false(span_is_ci(SPAN("@["), "`{"));
    assert_false(span_is_ci(absent, ""));
    assert_true(span_starts(SPAN("abc"), "ab"));
    assert_true(span_starts(SPAN("abc"), ""));
    assert_false(span_starts(SPAN("a"), "ab"));
    assert_false(span_starts(absent, ""));
}

static void test_trim(void **state)
{
    (void)state;
    assert_true(span_is(span_trim(SPAN(" \t\r\n a b \n")), "a b"));
    assert_true(span_is(span_trim(SPAN(" \t ")), ""));
    assert_true(span_is(span_trim(SPAN("")), ""));
    assert_null(span_trim(span_of(NULL)).at);
}

static void test_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *pieces; /* each in brackets */
    } rows[] = {{"a,b", "[a][b]"}, {"a", "[a]"},         {"", ""},   {"a,", "[a]"},
                {",a", "[][a]"},   {"a,,b", "[a][][b]"}, {",", "[]"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf found = {0};
        struct span rest = span_of(rows[i].text);
        struct span piece;
        while (span_cut(&rest, ',', &piece))
            strbuf_addf(&found, "[%.*s]", (int)piece.len, piece.at);
        assert_string_equal(strbuf_text(&found), rows[i].pieces);
        strbuf_clear(&found);
    }
    struct span rest = SPAN("user:");
    struct span piece;
    assert_true(span_cut(&rest, ':', &piece));
    assert_non_null(rest.at);
    rest = SPAN("user");
    assert_true(span_cut(&rest, ':', &piece));
    assert_null(rest.at);
    assert_false(span_cut(&rest, ':', &piece));
}

static void test_span_int(void **state)
{
    (void)state;
    int64_t value = 5;
    assert_true(span_int(SPAN("0"), &value) && value == 0);
    assert_true(span_int(SPAN("-17"), &value) && value == -17);
    assert_true(span_int(SPAN("007"), &value) && value == 7);
    assert_true(span_int(SPAN("9223372036854775807"), &value) && value == INT64_MAX);
    assert_true(span_int(SPAN("-9223372036854775808"), &value) && value == INT64_MIN);
    value = 5;
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "9223372036854775808",
                                      "a",
                                      "--1",
                                      "-9223372036854775809",
                                      "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(span_int(span_of(bad[i]), &value));
    assert_false(span_int(span_of(NULL), &value));
    assert_int_equal(value, 5);
}

static void test_text_comparison(void **state)
{
    (void)state;
    assert_true(text_is("a", "a"));
    assert_false(text_is("a", "A"));
    assert_true(text_is(NULL, NULL));
    assert_false(text_is("a", NULL));
    assert_true(text_is_ci("aB", "Ab"));
    assert_false(text_is_ci("a", "ab"));
    assert_true(text_is_ci(NULL, NULL));
    assert_false(text_is_ci(NULL, ""));
    char text[] = "az AZ 09 \xC3\xA4";
    text_upper(text);
    assert_string_equal(text, "AZ AZ 09 \xC3\xA4");
}

static void test_copy_cuts_between_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        const char *expected;
    } rows[] = {
        {"abc", 10, "abc"},
        {"abc", 4, "abc"},
        {"abc", 3, "ab"},
        {"abc", 1, ""},
        {"a\xC3\xA4", 3, "a"},
        {"a\xC3\xA4", 4, "a\xC3\xA4"},
        {"\xE2\x82\xAC", 3, ""},
        {"x\xF0\x9F\x98\x80", 5, "x"},
        {"x\xF0\x9F\x98\x80", 6, "x\xF0\x9F\x98\x80"},
        {"\x80\x80\x80\x80\x80\x80", 4, "\x80\x80\x80"}, /* no UTF-8: anywhere will do */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[16];
        memset(out, '?', sizeof out);
        text_copy(out, rows[i].size, span_of(rows[i].text));
        assert_string_equal(out, rows[i].expected);
        assert_int_equal(out[rows[i].size], '?');
    }
    char out[4] = "xyz";
    text_copy(out, sizeof out, span_of(NULL));
    assert_string_equal(out, "");
}

/* All sequences of up to three bytes against the table of Unicode 3.9 (D92). */
static void test_utf8_of_all_short_sequences(void **state)
{
    (void)state;
    size_t valid[4] = {0};
    for (unsigned n = 0; n < 0x1000000; n++) {
        char text[3] = {(char)(n >> 16), (char)(n >> 8), (char)n};
        if (n < 0x10000)
            valid[2] += utf8_step(text + 1, 2) == 2;
        if (n < 0x100)
            valid[1] += utf8_step(text + 2, 1) == 1;
        valid[3] += utf8_step(text, 3) == 3;
    }
    assert_int_equal(valid[1], 0x80);
    assert_int_equal(valid[2], 0x800 - 0x80);
    assert_int_equal(valid[3], 0x10000 - 0x800 - 0x800); /* without surrogates */
}

static void test_utf8_of_four_bytes(void **state)
{
    (void)state;
    size_t valid = 0;
    for (unsigned first = 0xF0; first <= 0xFF; first++) {
        for (unsigned second = 0; second <= 0xFF; second++) {
            char text[4] = {(char)first, (char)second, (char)0x80, (char)0xBF};
            valid += utf8_step(text, 4) == 4;
            assert_int_equal(utf8_step(text, 3), 0);
            text[3] = 'x';
            assert_int_equal(utf8_step(text, 4), 0);
        }
    }
    assert_int_equal(valid, 0x100000 / 0x1000); /* each stands for 64 · 64 characters */
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("a\xC3\xA4\xF0\x9F\x98\x80", 7));
    assert_false(utf8_valid("a\xC3", 2));
    assert_int_equal(utf8_step("", 0), 0);
}

static void test_distance(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        unsigned distance;
    } rows[] = {{"", "", 0},
                {"abc", "abc", 0},
                {"", "abc", 3},
                {"abc", "abd", 1},
                {"abc", "ac", 1},
                {"abc", "abxc", 1},
                {"abcd", "acbd", 1},
                {"ab", "ba", 1},
                {"ca", "abc", 3},
                {"kitten", "sitting", 3},
                {"Authorize", "Authorise", 1},
                {"BootNotification", "BootNotifcation", 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(text_distance(rows[i].a, rows[i].b, 5), rows[i].distance);
        assert_int_equal(text_distance(rows[i].b, rows[i].a, 5), rows[i].distance);
        assert_int_equal(text_distance(rows[i].a, rows[i].b, rows[i].distance), rows[i].distance);
        if (rows[i].distance > 0)
            assert_true(text_distance(rows[i].a, rows[i].b, rows[i].distance - 1) >=
                        rows[i].distance);
    }
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(text_distance(longer, longer, 2), 0);
    assert_true(text_distance(longer, longer + 1, 2) > 2);
}

static void test_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int more;
    } table[] = {{"BootNotification", 1}, {"Authorize", 2}, {NULL, 0}, {"StartTransaction", 3},
                 {"StopTransaction", 4},  {"Reset", 5},     {"on", 6}};
    static const struct {
        const char *word, *expected;
    } rows[] = {{"Authorise", "Authorize"},
                {"bootnotification", "BootNotification"},
                {"StatTransaction", "StartTransaction"},
                {"StpoTransaction", "StopTransaction"},
                {"Rest", "Reset"},
                {"Rse", NULL}, /* two edits of five letters */
                {"no", NULL},
                {"ON", "on"},
                {"Heartbeat", NULL},
                {"", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *found =
            text_nearest(rows[i].word, &table[0].name, ARRAY_LEN(table), sizeof table[0]);
        assert_true(text_is(found, rows[i].expected));
    }
    assert_null(text_nearest("x", NULL, 0, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_span_comparison),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_span_int),
        cmocka_unit_test(test_text_comparison),
        cmocka_unit_test(test_copy_cuts_between_characters),
        cmocka_unit_test(test_utf8_of_all_short_sequences),
        cmocka_unit_test(test_utf8_of_four_bytes),
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

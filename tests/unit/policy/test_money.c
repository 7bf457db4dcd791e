/* Rounding by decimals, exponents of currencies, sums at the edge of int64_t. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "policy/money.h"

static int64_t rounded(double amount, int digits)
{
    int64_t out;
    struct reason why;
    assert_true(money_round(amount, digits, &out, &why));
    return out;
}

static void half_away_from_zero_as_the_decimal_says(void **state)
{
    (void)state;
    assert_int_equal(rounded(0.285, 2), 29); /* binary: a little less than 0.285 */
    assert_int_equal(rounded(-0.285, 2), -29);
    assert_int_equal(rounded(1.005, 2), 101);
    assert_int_equal(rounded(2.675, 2), 268);
    assert_int_equal(rounded(0.284999, 2), 28);
    assert_int_equal(rounded(0.005, 2), 1);
    assert_int_equal(rounded(-0.005, 2), -1);
    assert_int_equal(rounded(0.0049999, 2), 0);
    assert_int_equal(rounded(12.5, 0), 13);
    assert_int_equal(rounded(-12.5, 0), -13);
    assert_int_equal(rounded(1.2345, 3), 1235);
    assert_int_equal(rounded(1.23445, 4), 12345);
}

/* What arithmetic leaves at the last place of a double is no part of the amount. */
static void results_of_arithmetic(void **state)
{
    (void)state;
    volatile double tenth = 0.1, fifth = 0.2, third = 0.3;
    assert_int_equal(rounded(tenth + fifth, 2), 30);
    assert_int_equal(rounded((tenth + fifth - third) * 1e4, 2), 0);
    volatile double product = 1.1;
    product *= 1.15; /* 1.265 in decimals, 1.2649999999999999 in binary */
    assert_int_equal(rounded(product, 2), 127);
    double sum = 0;
    for (int i = 0; i < 96;
         i++) /* a day in quarter hours: 96 × 0.0765625 = 7.35, and half a cent */
        sum += 0.0765625 + 0.005 / 96;
    assert_int_equal(rounded(sum, 2), 736);
    assert_int_equal(rounded(1e-300, 2), 0);
    assert_int_equal(rounded(-5e-324, 2), 0);
    assert_int_equal(rounded(-0.0, 2), 0);
}

static void all_cents_survive(void **state)
{
    (void)state;
    for (int64_t cent = -200000; cent <= 200000; cent += 7)
        assert_int_equal(rounded((double)cent / 100, 2), cent);
    assert_int_equal(rounded(123456789012.34, 2), 12345678901234);
    assert_int_equal(rounded(9007199254740.99, 2), 900719925474099);
}

static void what_is_no_amount(void **state)
{
    (void)state;
    int64_t out;
    struct reason why;
    assert_false(money_round(NAN, 2, &out, &why));
    assert_non_null(strstr(why.text, "not a number"));
    assert_false(money_round(INFINITY, 2, &out, &why));
    assert_false(money_round(-INFINITY, 2, &out, &why));
    assert_non_null(strstr(why.text, "infinite"));
    assert_false(money_round(1e300, 2, &out, &why));
    assert_false(money_round(1e16, 2, &out, &why));
    assert_non_null(strstr(why.text, "too large"));
    assert_true(money_round(1e14, 2, &out, &why));
    assert_int_equal(out, 10000000000000000);
}

static void whole_amounts(void **state)
{
    (void)state;
    int64_t out;
    struct reason why;
    assert_true(money_whole(12, 2, &out, &why));
    assert_int_equal(out, 1200);
    assert_true(money_whole(-12, 0, &out, &why));
    assert_int_equal(out, -12);
    assert_true(money_whole(1000000000000000, 2, &out, &why));
    assert_int_equal(out, 100000000000000000);
    assert_false(money_whole(1000000000000001, 2, &out, &why));
    assert_false(money_whole(INT64_MAX, 0, &out, &why));
    assert_false(money_whole(INT64_MIN, 4, &out, &why));
}

static void sums(void **state)
{
    (void)state;
    int64_t sum = INT64_MAX - 1;
    assert_true(money_add(&sum, 1));
    assert_false(money_add(&sum, 1));
    assert_int_equal(sum, INT64_MAX);
    sum = INT64_MIN;
    assert_false(money_add(&sum, -1));
    assert_true(money_add(&sum, INT64_MAX));
    assert_int_equal(sum, -1);
}

static void currencies(void **state)
{
    (void)state;
    assert_int_equal(money_digits("EUR"), 2);
    assert_int_equal(money_digits("CNY"), 2);
    assert_int_equal(money_digits("ZWG"), 2);
    assert_int_equal(money_digits("JPY"), 0);
    assert_int_equal(money_digits("KWD"), 3);
    assert_int_equal(money_digits("CLF"), 4);
    static const char *const none[] = {"eur", "EURO", "EU", "", "R A", "XAU", "AED ", " AE", "DAF"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_int_equal(money_digits(none[i]), -1);
    assert_int_equal(money_digits(NULL), -1);
}

static void expect_text(int64_t amount, int digits, const char *currency, const char *expected)
{
    char text[MONEY_TEXT];
    money_text(amount, digits, currency, text);
    assert_string_equal(text, expected);
}

static void texts(void **state)
{
    (void)state;
    expect_text(1234, 2, "EUR", "12.34 EUR");
    expect_text(-5, 2, "EUR", "-0.05 EUR");
    expect_text(0, 2, "EUR", "0.00 EUR");
    expect_text(1200, 0, "JPY", "1200 JPY");
    expect_text(-1001, 3, "KWD", "-1.001 KWD");
    expect_text(10, 4, NULL, "0.0010");
    expect_text(INT64_MAX, 2, "EUR", "92233720368547758.07 EUR");
    expect_text(INT64_MIN, 2, "EUR", "-92233720368547758.08 EUR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_away_from_zero_as_the_decimal_says),
        cmocka_unit_test(results_of_arithmetic),
        cmocka_unit_test(all_cents_survive),
        cmocka_unit_test(what_is_no_amount),
        cmocka_unit_test(whole_amounts),
        cmocka_unit_test(sums),
        cmocka_unit_test(currencies),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Numbers as chargers write them (V2, X11). */
#include "fake.h"

#include "station/decimal.h"

static void expect(const char *text, int power, int64_t wanted)
{
    int64_t value;
    if (!decimal_scaled(span_of(text), power, &value) || value != wanted)
        fail_msg("\"%s\" × 10^%d: wanted %lld, got %lld", text, power, (long long)wanted,
                 (long long)value);
}

static void refuse(const char *text)
{
    int64_t value;
    if (decimal_scaled(span_of(text), 0, &value))
        fail_msg("\"%s\" is no number, got %lld", text, (long long)value);
}

static void v2_numbers_in_all_spellings(void **state)
{
    (void)state;
    expect("0", 0, 0);
    expect(" 1234 ", 0, 1234);
    expect("+7", 0, 7);
    expect("-7", 0, -7);
    expect("1,5", 1, 15);
    expect("1.5", 3, 1500);
    expect("12.345", 3, 12345);
    expect(".5", 1, 5);
    expect("5.", 0, 5);
    expect("1e3", 0, 1000);
    expect("1.5E-1", 2, 15);
    expect("007", 0, 7);
    expect("0.000000000000000000000000000000000001", 0, 0);
}

static void x11_half_is_rounded_up(void **state)
{
    (void)state;
    expect("2.5", 0, 3);
    expect("2.49999", 0, 2);
    expect("-2.5", 0, -2);
    expect("-2.51", 0, -3);
    expect("0.5", 0, 1);
    expect("0.05", 0, 0);
    expect("12.3455", 3, 12346);
    expect("999", -3, 1);
    expect("499", -3, 0);
}

static void what_is_no_number(void **state)
{
    (void)state;
    const char *const texts[] = {"",    " ",     "NaN",   "1 2", "1.2.3",
                                 "0x1", "1,2,3", "1.2,3", "e3",  "1e",
                                 "-",   ".",     "1e99",  "12a", "100000000000000001"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        refuse(texts[i]);
    int64_t value;
    assert_false(decimal_scaled((struct span){0}, 0, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v2_numbers_in_all_spellings),
        cmocka_unit_test(x11_half_is_rounded_up),
        cmocka_unit_test(what_is_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Reasons: formatted, cut between characters, NULL allowed, an argument of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/reason.h"

static void test_formats_and_returns_false(void **state)
{
    (void)state;
    struct reason why;
    assert_false(reason_set(&why, "connector %d: %s", 2, "unknown"));
    assert_string_equal(why.text, "connector 2: unknown");
    assert_false(reason_set(NULL, "connector %d", 2));
}

static void test_may_quote_itself(void **state)
{
    (void)state;
    struct reason why;
    reason_set(&why, "no such file");
    reason_set(&why, "cannot load: %s", why.text);
    assert_string_equal(why.text, "cannot load: no such file");
}

static void test_is_cut_at_a_character(void **state)
{
    (void)state;
    struct reason why;
    reason_set(&why, "%*s%s", (int)sizeof why.text - 1, "", "x");
    assert_int_equal(strlen(why.text), sizeof why.text - 1);
    for (int len = (int)sizeof why.text - 5; len < (int)sizeof why.text; len++) {
        reason_set(&why, "%*s%s", len, "", "\xF0\x9F\x98\x80");
        bool fits = len + 4 < (int)sizeof why.text;
        assert_int_equal(strlen(why.text), fits ? len + 4 : len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats_and_returns_false),
        cmocka_unit_test(test_may_quote_itself),
        cmocka_unit_test(test_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

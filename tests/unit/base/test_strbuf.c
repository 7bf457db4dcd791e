/* Growing buffers, with and without a cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"

static void test_adding(void **state)
{
    (void)state;
    struct strbuf b = {0};
    assert_string_equal(strbuf_text(&b), "");
    strbuf_add(&b, NULL, 0);
    strbuf_adds(&b, "abc");
    strbuf_addc(&b, 'd');
    strbuf_add(&b, "e\0f", 3);
    strbuf_addf(&b, "%d", 12);
    assert_int_equal(b.len, 9);
    assert_memory_equal(b.at, "abcde\0f12", 10);
    strbuf_reset(&b);
    assert_string_equal(strbuf_text(&b), "");
    assert_int_equal(b.len, 0);
    strbuf_clear(&b);
    strbuf_clear(&b);
}

static void test_growing_byte_by_byte(void **state)
{
    (void)state;
    struct strbuf b = {0};
    for (size_t i = 0; i < 10000; i++) {
        strbuf_addc(&b, (char)('a' + i % 26));
        assert_int_equal(b.at[b.len], '\0');
    }
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(b.at[i], 'a' + i % 26);
    strbuf_clear(&b);
}

static void test_formatted_text_around_the_room(void **state)
{
    (void)state;
    for (int width = 1; width < 200; width++) {
        struct strbuf b = {0};
        strbuf_adds(&b, "x");
        strbuf_addf(&b, "%*d", width, 7);
        assert_int_equal(b.len, 1 + width);
        assert_int_equal(b.at[width], '7');
        assert_int_equal(b.at[width + 1], '\0');
        strbuf_clear(&b);
    }
}

static void test_cap(void **state)
{
    (void)state;
    struct strbuf b = {.cap = 8};
    strbuf_adds(&b, "12345678");
    assert_false(b.overflow);
    strbuf_addc(&b, '9');
    assert_true(b.overflow);
    assert_string_equal(strbuf_text(&b), "12345678");
    strbuf_reset(&b);
    assert_false(b.overflow);
    strbuf_adds(&b, "123");
    strbuf_addf(&b, "%s", "456789");
    assert_true(b.overflow);
    assert_string_equal(strbuf_text(&b), "123");
    strbuf_addc(&b, '4'); /* would leave a hole */
    strbuf_addf(&b, "%d", 4);
    assert_string_equal(strbuf_text(&b), "123");
    strbuf_clear(&b);
    assert_int_equal(b.cap, 8);
    strbuf_addf(&b, "%s", "12345678");
    assert_string_equal(strbuf_text(&b), "12345678");
    strbuf_clear(&b);
    strbuf_add(&b, "", SIZE_MAX);
    assert_true(b.overflow);
    strbuf_clear(&b);
}

static void test_taking(void **state)
{
    (void)state;
    struct strbuf b = {0};
    size_t len = 99;
    char *empty = strbuf_take(&b, &len);
    assert_string_equal(empty, "");
    assert_int_equal(len, 0);
    strbuf_adds(&b, "abc");
    char *text = strbuf_take(&b, NULL);
    assert_string_equal(text, "abc");
    assert_null(b.at);
    strbuf_adds(&b, "def");
    assert_string_equal(strbuf_text(&b), "def");
    assert_string_equal(text, "abc");
    xfree(empty);
    xfree(text);
    strbuf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adding),
        cmocka_unit_test(test_growing_byte_by_byte),
        cmocka_unit_test(test_formatted_text_around_the_room),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_taking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

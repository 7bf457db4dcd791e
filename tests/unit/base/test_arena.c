/* Arenas: zeroed, aligned, never moving, all gone at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdalign.h>
#include <string.h>

#include "base/arena.h"

static void test_memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (size_t round = 0; round < 3; round++) {
        for (size_t size = 0; size < 300; size++) {
            unsigned char *at = arena_alloc(&arena, size);
            assert_non_null(at);
            assert_int_equal((uintptr_t)at % alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(at[i], 0);
            memset(at, 0xAA, size);
        }
        arena_clear(&arena);
        assert_int_equal(arena.used, 0);
        assert_null(arena.chunks);
    }
}

static void test_pieces_stay_in_place(void **state)
{
    (void)state;
    struct arena arena = {0};
    int *pieces[5000];
    for (int i = 0; i < 5000; i++) {
        pieces[i] = ARENA_NEW(&arena, int);
        *pieces[i] = i;
        if (i % 1000 == 0)
            memset(arena_alloc(&arena, 1000000), 0xAA, 1000000);
    }
    for (int i = 0; i < 5000; i++)
        assert_int_equal(*pieces[i], i);
    assert_int_equal(arena.used, 5000 * sizeof(int) + 5 * 1000000);
    arena_clear(&arena);
    arena_clear(&arena);
}

static void test_text(void **state)
{
    (void)state;
    struct arena arena = {0};
    assert_string_equal(arena_strndup(&arena, "abcdef", 3), "abc");
    assert_string_equal(arena_strndup(&arena, NULL, 0), "");
    assert_string_equal(arena_strdup(&arena, "abc"), "abc");
    assert_null(arena_strdup(&arena, NULL));
    assert_string_equal(arena_printf(&arena, "%s=%d", "x", 5), "x=5");
    assert_string_equal(arena_printf(&arena, "%s", ""), "");
    /* Around and beyond what is formatted on the stack. */
    for (int width = 250; width < 260; width++)
        assert_int_equal(strlen(arena_printf(&arena, "%*d", width, 1)), width);
    assert_int_equal(strlen(arena_printf(&arena, "%100000d", 1)), 100000);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed_and_aligned),
        cmocka_unit_test(test_pieces_stay_in_place),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Maps against a plain array as the model, order of iteration, removal on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

enum { KEYS = 500, STEPS = 40000 };

static int values[KEYS];

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static struct span key_text(char *out, size_t size, uint32_t key)
{
    /* Lengths on both sides of the eight bytes that are hashed at a time. */
    snprintf(out, size, "%.*s%u", (int)(key % 17), "CP-ABCDEFGHIJKLMN", key);
    return span_of(out);
}

static void test_empty(void **state)
{
    (void)state;
    struct map m = {0};
    size_t at = 0;
    assert_null(map_gets(&m, "a"));
    assert_null(map_gets(&m, NULL));
    assert_null(map_remove(&m, SPAN("a")));
    assert_null(map_next(&m, &at));
    map_clear(&m);
}

static void test_put_returns_what_was_there(void **state)
{
    (void)state;
    struct map m = {0};
    int a, b;
    assert_null(map_put(&m, SPAN("key"), &a));
    assert_ptr_equal(map_put(&m, SPAN("key"), &b), &a);
    assert_ptr_equal(map_gets(&m, "key"), &b);
    assert_null(map_gets(&m, "KEY"));
    assert_null(map_gets(&m, "ke"));
    assert_int_equal(m.count, 1);
    assert_null(map_put(&m, SPAN(""), &a));
    assert_ptr_equal(map_gets(&m, ""), &a);
    assert_null(map_put(&m, SPAN("k\0x"), &a));
    assert_ptr_equal(map_get(&m, SPAN("k\0x")), &a);
    assert_null(map_get(&m, SPAN("k\0y")));
    map_clear(&m);
    assert_null(map_gets(&m, "key"));
    map_put(&m, SPAN("key"), &b);
    assert_ptr_equal(map_gets(&m, "key"), &b);
    map_clear(&m);
}

static void test_ignoring_case(void **state)
{
    (void)state;
    struct map m = {.ignore_case = true};
    int a, b;
    assert_null(map_put(&m, span_of(NULL), &a));
    assert_ptr_equal(map_remove(&m, SPAN("")), &a);
    map_put(&m, SPAN("AC10000001-abcXYZ"), &a);
    assert_ptr_equal(map_gets(&m, "ac10000001-ABCxyz"), &a);
    assert_ptr_equal(map_put(&m, SPAN("ac10000001-abcxyz"), &b), &a);
    size_t at = 0;
    assert_string_equal(map_next(&m, &at)->key, "AC10000001-abcXYZ"); /* the first spelling */
    assert_ptr_equal(map_remove(&m, SPAN("AC10000001-ABCXYZ")), &b);
    /* Neighbours of letters in ASCII, and bytes above it, keep their own identity. */
    static const char *const differ[] = {"@ZZZZZZZ",       "`ZZZZZZZ",      "[ZZZZZZZ",
                                         "{ZZZZZZZ",       "\xC1ZZZZZZZ",   "\xE1ZZZZZZZ",
                                         "\xC3\x84ZZZZZZ", "\xC3\xA4ZZZZZZ"};
    for (size_t i = 0; i < ARRAY_LEN(differ); i++)
        assert_null(map_put(&m, span_of(differ[i]), &values[i]));
    for (size_t i = 0; i < ARRAY_LEN(differ); i++)
        assert_ptr_equal(map_gets(&m, differ[i]), &values[i]);
    map_clear(&m);
}

static void check_against_model(struct map *m, void *const *model)
{
    size_t expected = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        char text[40];
        expected += model[key] != NULL;
        assert_ptr_equal(map_get(m, key_text(text, sizeof text, key)), model[key]);
    }
    assert_int_equal(m->count, expected);
    size_t seen = 0;
    size_t at = 0;
    while (map_next(m, &at))
        seen++;
    assert_int_equal(seen, expected);
}

static void test_random_steps(void **state)
{
    (void)state;
    struct map m = {0};
    void *model[KEYS] = {0};
    uint32_t random = 1;
    for (int step = 0; step < STEPS; step++) {
        char text[40];
        uint32_t key = next_random(&random) % KEYS;
        struct span name = key_text(text, sizeof text, key);
        /* Now more is put, now more is removed. */
        bool put = next_random(&random) % 8 < (step / 5000 % 2 ? 2 : 6);
        void *value = put ? &values[next_random(&random) % KEYS] : NULL;
        void *before = put ? map_put(&m, name, value) : map_remove(&m, name);
        assert_ptr_equal(before, model[key]);
        model[key] = value;
        if (step % 1000 == 0)
            check_against_model(&m, model);
    }
    check_against_model(&m, model);
    map_clear(&m);
}

static void test_iteration_in_order_of_insertion(void **state)
{
    (void)state;
    struct map m = {0};
    for (uint32_t i = 0; i < KEYS; i++) {
        char text[40];
        map_put(&m, key_text(text, sizeof text, i), &values[i]);
    }
    size_t at = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        const struct map_entry *entry = map_next(&m, &at);
        assert_ptr_equal(entry->value, &values[i]);
        assert_int_equal(entry->key_len, strlen(entry->key));
    }
    assert_null(map_next(&m, &at));
    map_clear(&m);
}

static void test_removing_the_current_entry(void **state)
{
    (void)state;
    struct map m = {0};
    for (uint32_t i = 0; i < KEYS; i++) {
        char text[40];
        map_put(&m, key_text(text, sizeof text, i), &values[i]);
    }
    size_t at = 0;
    size_t seen = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&m, &at))) {
        assert_ptr_equal(entry->value, &values[seen++]);
        char key[40];
        size_t key_len = entry->key_len;
        memcpy(key, entry->key, key_len);
        assert_non_null(map_remove(&m, (struct span){key, key_len}));
    }
    assert_int_equal(seen, KEYS);
    assert_int_equal(m.count, 0);
    map_clear(&m);
}

static void test_key_of_the_entry_itself_removes_it(void **state)
{
    (void)state;
    struct map m = {0};
    map_put(&m, SPAN("a"), &values[0]);
    size_t at = 0;
    const struct map_entry *entry = map_next(&m, &at);
    assert_ptr_equal(map_remove(&m, (struct span){entry->key, entry->key_len}), &values[0]);
    assert_int_equal(m.count, 0);
    map_clear(&m);
}

/* One comes, one goes, a million times: the table must not grow. */
static void test_churn_takes_no_memory(void **state)
{
    (void)state;
    struct map m = {0};
    char text[40];
    for (uint32_t i = 0; i < 100000; i++) {
        map_put(&m, key_text(text, sizeof text, i), &values[0]);
        if (i >= 5)
            assert_non_null(map_remove(&m, key_text(text, sizeof text, i - 5)));
    }
    assert_int_equal(m.count, 5);
    assert_true(m.room <= 16);
    map_clear(&m);
}

static void test_idmap_random_steps(void **state)
{
    (void)state;
    struct idmap m = {0};
    void *model[KEYS] = {0};
    uint32_t random = 7;
    assert_null(idmap_get(&m, 1));
    assert_null(idmap_remove(&m, 1));
    for (int step = 0; step < 2 * STEPS; step++) {
        uint64_t key = next_random(&random) % KEYS;
        bool put = next_random(&random) % 8 < (step / 5000 % 2 ? 2 : 6);
        void *value = put ? &values[next_random(&random) % KEYS] : NULL;
        void *before = put ? idmap_put(&m, key * 1000003, value) : idmap_remove(&m, key * 1000003);
        assert_ptr_equal(before, model[key]);
        model[key] = value;
        if (step % 500 == 0) {
            size_t expected = 0;
            for (uint64_t i = 0; i < KEYS; i++) {
                assert_ptr_equal(idmap_get(&m, i * 1000003), model[i]);
                expected += model[i] != NULL;
            }
            assert_int_equal(m.count, expected);
        }
    }
    idmap_clear(&m);
    assert_null(idmap_get(&m, 1));
}

static void test_idmap_iteration(void **state)
{
    (void)state;
    struct idmap m = {0};
    bool seen[KEYS] = {false};
    for (uint64_t i = 0; i < KEYS; i++)
        idmap_put(&m, UINT64_MAX - i, &values[i]);
    size_t at = 0;
    int *value;
    while ((value = idmap_next(&m, &at))) {
        assert_false(seen[value - values]);
        seen[value - values] = true;
    }
    for (size_t i = 0; i < KEYS; i++)
        assert_true(seen[i]);
    idmap_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_put_returns_what_was_there),
        cmocka_unit_test(test_ignoring_case),
        cmocka_unit_test(test_random_steps),
        cmocka_unit_test(test_iteration_in_order_of_insertion),
        cmocka_unit_test(test_removing_the_current_entry),
        cmocka_unit_test(test_key_of_the_entry_itself_removes_it),
        cmocka_unit_test(test_churn_takes_no_memory),
        cmocka_unit_test(test_idmap_random_steps),
        cmocka_unit_test(test_idmap_iteration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

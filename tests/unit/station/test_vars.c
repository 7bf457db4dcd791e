/* vars: what is set comes back, the bound is exact, dirty means to be written. */
#include "fake.h"

static void set_get_remove(void **state)
{
    (void)state;
    struct vars vars = {0};
    assert_null(vars_get(&vars, "a"));
    assert_true(vars_set(&vars, "a", NULL, NULL));
    assert_false(vars.dirty);
    assert_true(vars_set(&vars, "a", "1", NULL));
    assert_true(vars_set(&vars, "b\"c", "{\"x\":[]}", NULL));
    assert_true(vars.dirty);
    assert_string_equal(vars_get(&vars, "a"), "1");
    struct strbuf out = {0};
    vars_write(&vars, &out);
    assert_string_equal(out.at, "{\"a\":1,\"b\\\"c\":{\"x\":[]}}");
    assert_int_equal(vars.bytes + 1, out.len);
    vars.dirty = false;
    assert_true(vars_set(&vars, "a", "1", NULL)); /* the same: nothing to write */
    assert_false(vars.dirty);
    assert_true(vars_set(&vars, "a", NULL, NULL));
    assert_true(vars.dirty);
    assert_null(vars_get(&vars, "a"));
    strbuf_clear(&out);
    vars_clear(&vars);
}

static void the_bound_holds_and_a_refused_change_changes_nothing(void **state)
{
    (void)state;
    struct vars vars = {0};
    struct reason why;
    char big[VARS_MAX + 1];
    memset(big, '1', sizeof(big));
    big[VARS_MAX - 6] = '\0'; /* {"a":…} */
    assert_true(vars_set(&vars, "a", big, &why));
    struct strbuf out = {0};
    vars_write(&vars, &out);
    assert_int_equal(out.len, VARS_MAX);
    assert_false(vars_set(&vars, "b", "1", &why));
    assert_non_null(strstr(why.text, "\"b\""));
    assert_null(vars_get(&vars, "b"));
    assert_true(vars_set(&vars, "a", "2", &why)); /* smaller is always possible */
    assert_true(vars_set(&vars, "b", "1", &why));
    strbuf_clear(&out);
    vars_clear(&vars);
}

static void reading_replaces_all(void **state)
{
    (void)state;
    struct vars vars = {0};
    assert_true(vars_set(&vars, "old", "1", NULL));
    assert_false(vars_read(&vars, "[1]"));
    assert_false(vars_read(&vars, "{"));
    assert_false(vars_read(&vars, NULL));
    assert_string_equal(vars_get(&vars, "old"), "1");
    assert_true(vars_read(&vars, "{\"n\": 1.50, \"s\":\"x\"}"));
    assert_null(vars_get(&vars, "old"));
    assert_string_equal(vars_get(&vars, "n"), "1.50");
    assert_string_equal(vars_get(&vars, "s"), "\"x\"");
    assert_false(vars.dirty);
    vars_clear(&vars);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_get_remove),
        cmocka_unit_test(the_bound_holds_and_a_refused_change_changes_nothing),
        cmocka_unit_test(reading_replaces_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

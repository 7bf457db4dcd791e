/* Finished trees: reading that is safe on anything, building, removing, copying, equality. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static struct arena arena;

static int clear_arena(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static struct json *parse(const char *text)
{
    struct json *node = json_parse(&arena, text, strlen(text), NULL, NULL);
    assert_non_null(node);
    return node;
}

static void assert_written(const struct json *node, const char *expected)
{
    struct strbuf out = {0};
    json_write(&out, node);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_clear(&out);
}

static void test_reading_takes_anything(void **state)
{
    (void)state;
    int64_t integer = 5;
    double real = 5;
    assert_null(json_get(NULL, "a"));
    assert_null(json_get(parse("[1]"), "a"));
    assert_null(json_get(parse("{\"b\":1}"), "a"));
    assert_null(json_text(NULL));
    assert_null(json_text(parse("1")));
    assert_null(json_gets(NULL, "a"));
    assert_null(json_gets(parse("{\"a\":1}"), "a"));
    assert_false(json_int(NULL, &integer));
    assert_false(json_int(parse("\"1\""), &integer));
    assert_false(json_double(NULL, &real));
    assert_false(json_double(parse("true"), &real));
    assert_true(json_bool(NULL, true));
    assert_false(json_bool(parse("1"), false));
    assert_false(json_bool(parse("false"), true));
    assert_int_equal(integer, 5);
    assert_true(real == 5);
}

static void test_get_finds_the_exact_key(void **state)
{
    (void)state;
    struct json *root = parse("{\"id\":1,\"idTag\":2,\"IDTAG\":3,\"\":4}");
    assert_int_equal(json_get(root, "idTag")->integer, 2);
    assert_int_equal(json_get(root, "")->integer, 4);
    assert_null(json_get(root, "idT"));
}

static void test_integers_from_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool whole;
        int64_t value;
    } rows[] = {{"3", true, 3},
                {"-3.0", true, -3},
                {"1e3", true, 1000},
                {"0.0", true, 0},
                {"9007199254740992.0", true, 9007199254740992},
                {"9223372036854775807", true, INT64_MAX},
                {"-9223372036854775808", true, INT64_MIN},
                {"9223372036854775808", false, 0},
                {"1e18", false, 0},
                {"1e300", false, 0},
                {"3.5", false, 0},
                {"1e-400", true, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t value = 0;
        assert_int_equal(json_int(parse(rows[i].text), &value), rows[i].whole);
        if (rows[i].whole)
            assert_true(value == rows[i].value);
    }
}

static void test_doubles_from_numbers(void **state)
{
    (void)state;
    double value;
    assert_true(json_double(parse("42"), &value) && value == 42);
    assert_true(json_double(parse("-0.125"), &value) && value == -0.125);
    assert_true(json_double(parse("123456789012345678901234567890"), &value));
    assert_true(value > 1.2e29 && value < 1.3e29);
    /* Longer than the buffer on the stack. */
    char digits[401];
    memset(digits, '1', 300);
    memset(digits + 1, '.', 1);
    digits[300] = '\0';
    assert_true(json_double(parse(digits), &value) && value > 1.1 && value < 1.2);
    memset(digits, '1', 400);
    digits[400] = '\0';
    assert_null(json_parse(&arena, digits, 400, NULL, NULL));
}

static void test_is_number(void **state)
{
    (void)state;
    static const char *const yes[] = {"0", "-1", "1.5", "1e5", "123456789012345678901"};
    static const char *const no[] = {"",    " 1", "1 ",  "01",  "1.",    ".5", "+1",
                                     "0x1", "1e", "nan", "inf", "1e999", "1,5"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        assert_true(json_is_number(span_of(yes[i])));
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        assert_false(json_is_number(span_of(no[i])));
    assert_false(json_is_number(span_of(NULL)));
    assert_true(json_is_number((struct span){"123", 2}));
}

static void test_building(void **state)
{
    (void)state;
    char key[] = "key";
    char text[] = "text";
    struct json *root = json_new(&arena, JSON_OBJECT);
    struct json *list = json_new(&arena, JSON_ARRAY);
    json_adds(&arena, json_addi(&arena, root, "n", INT64_MIN), key, text);
    key[0] = text[0] = '?'; /* both were copied */
    assert_ptr_equal(json_adds(&arena, root, "absent", NULL), root);
    assert_ptr_equal(json_add(&arena, root, "absent", NULL), root);
    json_add(&arena, list, NULL, json_new_bool(&arena, true));
    json_add(&arena, list, NULL, json_new(&arena, JSON_NULL));
    json_add(&arena, list, NULL, json_new_number(&arena, SPAN("1.50")));
    json_add(&arena, list, NULL, json_new_string(&arena, SPAN("a\"b")));
    json_add(&arena, root, "list", list);
    assert_int_equal(root->count, 3);
    assert_int_equal(list->count, 4);
    assert_null(root->raw.at);
    assert_written(root, "{\"n\":-9223372036854775808,\"key\":\"text\","
                         "\"list\":[true,null,1.50,\"a\\\"b\"]}");
    assert_string_equal(json_get(root, "n")->text.at, "-9223372036854775808");
    assert_int_equal(json_new_number(&arena, SPAN("12"))->type, JSON_INT);
}

static void test_doubles_are_written_shortest(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0.1, "0.1"},
                {230.1, "230.1"},
                {1.0 / 3, "0.3333333333333333"},
                {3.0, "3"},
                {-2.5, "-2.5"},
                {1e21, "1e+21"},
                {5e-324, "5e-324"},
                {0.1 + 0.2, "0.30000000000000004"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json *node = json_new_double(&arena, rows[i].value);
        double back;
        assert_true(span_is(node->text, rows[i].text));
        assert_true(json_double(node, &back) && back == rows[i].value);
    }
    double extreme[] = {DBL_MAX, -DBL_MAX, DBL_MIN, DBL_EPSILON, 0x1p-44};
    for (size_t i = 0; i < ARRAY_LEN(extreme); i++) {
        double back;
        assert_true(json_double(json_new_double(&arena, extreme[i]), &back));
        assert_true(back == extreme[i]);
    }
    assert_int_equal(json_new_double(&arena, (double)NAN)->type, JSON_NULL);
    assert_int_equal(json_new_double(&arena, -(double)INFINITY)->type, JSON_NULL);
}

static void test_removing(void **state)
{
    (void)state;
    struct json *root = parse("{\"a\":1,\"b\":2,\"c\":3}");
    assert_false(json_remove(root, "x"));
    assert_false(json_remove(NULL, "x"));
    assert_true(json_remove(root, "c"));
    assert_null(root->raw.at);
    json_addi(&arena, root, "d", 4);
    assert_written(root, "{\"a\":1,\"b\":2,\"d\":4}");
    assert_true(json_remove(root, "b"));
    assert_true(json_remove(root, "a"));
    assert_written(root, "{\"d\":4}");
    assert_true(json_remove(root, "d"));
    assert_int_equal(root->count, 0);
    json_addi(&arena, root, "e", 5);
    assert_written(root, "{\"e\":5}");
}

static void test_copy_stands_alone(void **state)
{
    (void)state;
    struct arena source = {0};
    char text[] = "{\"a\":[1,2.50,\"x\\ny\",{\"b\":null}],\"c\":false}";
    struct json *root = json_parse(&source, text, strlen(text), NULL, NULL);
    struct json *copy = json_copy(&arena, root);
    assert_true(json_equal(root, copy));
    assert_null(copy->raw.at);
    arena_clear(&source);
    memset(text, '?', sizeof text);
    assert_written(copy, "{\"a\":[1,2.50,\"x\\ny\",{\"b\":null}],\"c\":false}");
    assert_null(json_copy(&arena, NULL));
}

static void assert_equality(const char *a, const char *b, bool expected)
{
    assert_int_equal(json_equal(parse(a), parse(b)), expected);
    assert_int_equal(json_equal(parse(b), parse(a)), expected);
}

static void test_equality(void **state)
{
    (void)state;
    assert_equality("{\"a\":1,\"b\":[1,{\"c\":2}]}", "{\"b\":[1,{\"c\":2}],\"a\":1}", true);
    assert_equality("{\"a\":1}", "{\"a\":1,\"b\":2}", false);
    assert_equality("{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false);
    assert_equality("[1,2]", "[2,1]", false);
    assert_equality("[1]", "[1,1]", false);
    assert_equality("3", "3.0", true);
    assert_equality("1000", "1e3", true);
    assert_equality("0.1", "0.10", true);
    assert_equality("0.1", "0.2", false);
    assert_equality("9223372036854775806", "9223372036854775807", false);
    assert_equality("-123456789012345678901", "-123456789012345678902", false);
    assert_equality("123456789012345678901", "123456789012345678901", true);
    assert_equality("\"a\"", "\"\\u0061\"", true);
    assert_equality("\"a\"", "\"b\"", false);
    assert_equality("1", "\"1\"", false);
    assert_equality("null", "false", false);
    assert_equality("true", "false", false);
    assert_equality("{}", "[]", false);
    assert_true(json_equal(NULL, NULL));
    assert_false(json_equal(NULL, parse("null")));
}

/* In reverse order, and with more members than are looked up one by one. */
static void test_equality_of_large_objects(void **state)
{
    (void)state;
    struct json *a = json_new(&arena, JSON_OBJECT);
    struct json *b = json_new(&arena, JSON_OBJECT);
    for (int i = 0; i < 50000; i++) {
        json_addi(&arena, a, arena_printf(&arena, "k%d", i), i);
        json_addi(&arena, b, arena_printf(&arena, "k%d", 49999 - i), 49999 - i);
    }
    assert_true(json_equal(a, b));
    json_get(b, "k7")->integer = 8;
    assert_false(json_equal(a, b));
}

static void test_type_names(void **state)
{
    (void)state;
    assert_string_equal(json_type_name(JSON_NULL), "null");
    assert_string_equal(json_type_name(JSON_BOOL), "a boolean");
    assert_string_equal(json_type_name(JSON_INT), "an integer");
    assert_string_equal(json_type_name(JSON_NUMBER), "a number");
    assert_string_equal(json_type_name(JSON_STRING), "a string");
    assert_string_equal(json_type_name(JSON_ARRAY), "a list");
    assert_string_equal(json_type_name(JSON_OBJECT), "an object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_reading_takes_anything, clear_arena),
        cmocka_unit_test_teardown(test_get_finds_the_exact_key, clear_arena),
        cmocka_unit_test_teardown(test_integers_from_numbers, clear_arena),
        cmocka_unit_test_teardown(test_doubles_from_numbers, clear_arena),
        cmocka_unit_test_teardown(test_is_number, clear_arena),
        cmocka_unit_test_teardown(test_building, clear_arena),
        cmocka_unit_test_teardown(test_doubles_are_written_shortest, clear_arena),
        cmocka_unit_test_teardown(test_removing, clear_arena),
        cmocka_unit_test_teardown(test_copy_stands_alone, clear_arena),
        cmocka_unit_test_teardown(test_equality, clear_arena),
        cmocka_unit_test_teardown(test_equality_of_large_objects, clear_arena),
        cmocka_unit_test_teardown(test_type_names, clear_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

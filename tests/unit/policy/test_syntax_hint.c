/* What was meant where the parser gave up; messages are those of the real parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>

#include "policy/syntax_hint.h"

static lua_State *L;
static char hint[128];

static int set_up(void **state)
{
    (void)state;
    L = luaL_newstate();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lua_close(L);
    return 0;
}

/* The hint for a text that must not parse; "" if there is none. */
static const char *hint_of(const char *source)
{
    assert_int_equal(luaL_loadbufferx(L, source, strlen(source), "@10-a.lua", "t"), LUA_ERRSYNTAX);
    bool found = syntax_hint(source, strlen(source), lua_tostring(L, -1), hint, sizeof(hint));
    lua_settop(L, 0);
    return found ? hint : "";
}

static void words_that_are_nearly_keywords(void **state)
{
    (void)state;
    assert_string_equal(hint_of("lcoal x = 1"), "did you mean local instead of lcoal?");
    assert_string_equal(hint_of("f()\nretrun x"), "did you mean return instead of retrun?");
    assert_string_equal(hint_of("fucntion f() end"), "did you mean function instead of fucntion?");
    assert_string_equal(hint_of("if a thne b() end"), "did you mean then instead of thne?");
    assert_string_equal(hint_of("if a then b()\n  esle\n\n  c() end"),
                        "did you mean else instead of esle?");
    assert_string_equal(hint_of("fro i = 1, 2 do end"), "did you mean for instead of fro?");
}

static void words_of_other_languages(void **state)
{
    (void)state;
    assert_string_equal(hint_of("if a then b() elif c then d() end"),
                        "did you mean elseif instead of elif?");
    assert_string_equal(hint_of("var x = 1"), "did you mean local instead of var?");
    assert_string_equal(hint_of("def f() end"), "did you mean function instead of def?");
}

static void signs_of_other_languages(void **state)
{
    (void)state;
    assert_string_equal(hint_of("if a = 1 then end"), "equal is written ==");
    assert_non_null(strstr(hint_of("if a != 1 then end"), "~="));
    assert_non_null(strstr(hint_of("if a && b then end"), "and instead of &&"));
    assert_non_null(strstr(hint_of("if a || b then end"), "or instead of ||"));
    assert_non_null(strstr(hint_of("a += 1"), "x = x + 1"));
    assert_non_null(strstr(hint_of("// a comment"), "begins with --"));
    assert_non_null(strstr(hint_of("local x = a ? b : c"), "a and b or c"));
}

static void slips_in_a_list(void **state)
{
    (void)state;
    static const char missing[] = "a comma, a quote or a } is missing before it";
    assert_string_equal(hint_of("x = { name = 'a' hours = 'b' }"), missing);
    assert_string_equal(hint_of("x = {\n  ['1'] = { a = 'b' }\n  ['2'] = {},\n}"), missing);
    assert_string_equal(hint_of("x = { hours = 22:00-06:00 }"), missing);
    assert_non_null(strstr(hint_of("x = { [\"1] = { name = \"a\" } }"), "a quote or a ]"));
    assert_non_null(strstr(hint_of("x = { a-b = 1 }"), "[\"a-b\"] = 1"));
    assert_non_null(strstr(hint_of("x = {\n\n  'a' = 1 }"), "[\"a-b\"] = 1"));
    assert_non_null(strstr(hint_of("x = “a”"), "write \""));
}

/* Better none than one that leads astray. */
static void no_hint(void **state)
{
    (void)state;
    assert_string_equal(hint_of("local x = 5 6"), "");
    assert_string_equal(hint_of("f("), "");
    assert_string_equal(hint_of("local x = 'open"), "");
    assert_string_equal(hint_of("if a then"), "");
    assert_string_equal(hint_of(")"), "");
    assert_string_equal(hint_of("x"), "");
}

static void messages_of_any_kind_are_survived(void **state)
{
    (void)state;
    static const char *const messages[] = {"",
                                           "x",
                                           ": near ''",
                                           "a.lua:9: near 'x'",
                                           "near 'x'",
                                           "1: near 'x'",
                                           ":99999999999999999999: near 'x'",
                                           "a.lua:0: syntax error near 'x'",
                                           "a.lua:2: syntax error near '"};
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        syntax_hint("lcoal x", 7, messages[i], hint, sizeof(hint));
    assert_false(syntax_hint("", 0, "a.lua:1: syntax error near 'x'", hint, sizeof(hint)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(words_that_are_nearly_keywords, set_up, tear_down),
        cmocka_unit_test_setup_teardown(words_of_other_languages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signs_of_other_languages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slips_in_a_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_hint, set_up, tear_down),
        cmocka_unit_test(messages_of_any_kind_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The typed bridge between JSON and Lua: every type, both ways, and everything that is refused. */
#include "api_world.h"

#include <lauxlib.h>
#include <lualib.h>

#include "policy/api.h"
#include "policy/api_parts.h"

/* A bare state: the bridge needs no generation but for its marks. */
static lua_State *state_new(void)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    api_open_json(L);
    return L;
}

/* Parse, push, read, write: what comes back. */
static char *round_trip(const char *json)
{
    struct arena arena = {0};
    struct reason why = {{0}};
    struct strbuf out = {0};
    lua_State *L = state_new();
    const struct json *node = json_parse(&arena, json, strlen(json), &why, NULL);
    assert_non_null(node);
    api_push_json(L, node);
    assert_int_equal(lua_gettop(L), 1);
    const struct json *back = api_read_json(L, 1, &arena, &why);
    if (!back)
        fail_msg("%s", why.text);
    assert_int_equal(lua_gettop(L), 1);
    json_write(&out, back);
    lua_close(L);
    arena_clear(&arena);
    return strbuf_take(&out, NULL);
}

static void check_trip(const char *in, const char *out)
{
    char *got = round_trip(in);
    assert_string_equal(got, out);
    xfree(got);
}

static void test_values_come_back(void **state)
{
    (void)state;
    check_trip("true", "true");
    check_trip("false", "false");
    check_trip("1", "1");
    check_trip("-999999999999999999", "-999999999999999999");
    check_trip("9007199254740993", "9007199254740993");
    check_trip("0.1", "0.1");
    check_trip("1e3", "1000");
    check_trip("\"\"", "\"\"");
    check_trip("\"a\\\"\\u00e9\\n\"", "\"a\\\"\xc3\xa9\\n\"");
}

static void test_lists_stay_lists(void **state)
{
    (void)state;
    check_trip("[]", "[]");
    check_trip("[[],{}]", "[[],{}]");
    check_trip("[1,null,3]", "[1,null,3]");
    check_trip("[null]", "[null]");
    check_trip("{}", "{}");
    check_trip("{\"a\":[]}", "{\"a\":[]}");
}

static void test_null_members_are_left_out(void **state)
{
    (void)state;
    check_trip("{\"a\":null,\"b\":1}", "{\"b\":1}");
    check_trip("null", "null");
}

static void test_members_are_sorted(void **state)
{
    (void)state;
    check_trip("{\"b\":1,\"a\":2,\"aa\":3,\"B\":4}", "{\"B\":4,\"a\":2,\"aa\":3,\"b\":1}");
}

static void test_deep_is_fine_up_to_the_limit(void **state)
{
    (void)state;
    char in[80];
    for (int i = 0; i < 32; i++) {
        in[i] = '[';
        in[32 + i] = ']';
    }
    in[64] = '\0';
    check_trip(in, in);
}

/* Evaluates an expression and reads it; NULL and why, or the text. */
static char *read_of(const char *expression, struct reason *why)
{
    struct arena arena = {0};
    struct strbuf out = {0};
    lua_State *L = state_new();
    lua_pushlightuserdata(L, NULL);
    lua_setglobal(L, "null");
    char *code = xprintf("local t = {} t.t = t\n%s", expression);
    if (luaL_dostring(L, code) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    int top = lua_gettop(L);
    const struct json *node = api_read_json(L, -1, &arena, why);
    assert_int_equal(lua_gettop(L), top);
    if (node)
        json_write(&out, node);
    xfree(code);
    lua_close(L);
    arena_clear(&arena);
    return node ? strbuf_take(&out, NULL) : NULL;
}

static void reads(const char *expression, const char *wanted)
{
    struct reason why = {{0}};
    char *got = read_of(expression, &why);
    if (!got)
        fail_msg("%s: %s", expression, why.text);
    assert_string_equal(got, wanted);
    xfree(got);
}

static void refuses(const char *expression, const char *part)
{
    struct reason why = {{0}};
    char *got = read_of(expression, &why);
    if (got || !strstr(why.text, part))
        fail_msg("%s gives %s, %s", expression, got ? got : "nothing", why.text);
}

static void test_reading(void **state)
{
    (void)state;
    reads("return nil", "null");
    reads("return null", "null");
    reads("return 3.0", "3");
    reads("return 10 / 4", "2.5");
    reads("return {1, 2, {x = 1}}", "[1,2,{\"x\":1}]");
    reads("local s = {1} return {s, s}", "[[1],[1]]");
    reads("return {a = true, b = 'x'}", "{\"a\":true,\"b\":\"x\"}");
    reads("return math.maxinteger", "9223372036854775807");
    reads("return math.mininteger", "-9223372036854775808");
}

static void test_refusals(void **state)
{
    (void)state;
    refuses("return print", "a function cannot be JSON");
    refuses("return {a = {b = print}}", "a function cannot be JSON (at .a.b)");
    refuses("return {1, {x = {2, coroutine.create(print)}}}", "(at [2].x[2])");
    refuses("return io.stdout", "an object cannot be JSON");
    refuses("return 1/0", "no infinite numbers");
    refuses("return 0/0", "NaN");
    refuses("return {1, x = 2}", "both a list and named members");
    refuses("return {1, 2, nil, 4, x = nil}", "holes");
    refuses("return {[true] = 1}", "no text");
    refuses("return {[5] = 1}", "no text");
    refuses("return {[1.5] = 1}", "no text");
    refuses("return t", "contains itself cannot be JSON (at .t)");
    refuses("return '\\xff'", "UTF-8");
    refuses("return 'a\\0b'", "zero byte");
    refuses("return {['\\xff'] = 1}", "UTF-8");
    refuses("local d = 1 for i = 1, 33 do d = {d} end return d", "too deeply");
    refuses("local s = ('x'):rep(1000000) local a = {} for i = 1, 9 do a[i] = s end return a",
            "8 MiB");
    refuses("local a = {} for i = 1, 200001 do a[i] = 1 end return a", "too many values");
}

static void test_a_table_with_holes_in_the_middle_is_no_object(void **state)
{
    (void)state;
    refuses("local a = {1, 2, 3} a[2] = nil return a", "holes");
    reads("return {1, null, 3}", "[1,null,3]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_come_back),
        cmocka_unit_test(test_lists_stay_lists),
        cmocka_unit_test(test_null_members_are_left_out),
        cmocka_unit_test(test_members_are_sorted),
        cmocka_unit_test(test_deep_is_fine_up_to_the_limit),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_table_with_holes_in_the_middle_is_no_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

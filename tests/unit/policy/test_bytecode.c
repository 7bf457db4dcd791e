/* Which globals a chunk names, and that nothing but the bytecode of Lua 5.4 is read (POLICY §3.3,
 * §6). */
#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "policy/bytecode.h"

static int write_dump(lua_State *L, const void *data, size_t len, void *ud)
{
    (void)L;
    strbuf_add(ud, data, len);
    return 0;
}

static void add_name(void *ctx, const struct bytecode_name *name)
{
    struct strbuf *out = ctx;
    strbuf_addf(out, "%s%s%s%s%s:%d", out->len > 0 ? " " : "",
                name->write        ? "="
                : name->sets_field ? ">"
                : name->method     ? ":"
                                   : "",
                name->name, name->field ? "." : "", name->field ? name->field : "", name->line);
}

static void dump_of(const char *code, struct strbuf *dump)
{
    lua_State *L = luaL_newstate();
    if (luaL_loadbufferx(L, code, strlen(code), "@x.lua", "t") != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    lua_dump(L, write_dump, dump, 0);
    lua_close(L);
}

static void check(const char *code, const char *wanted)
{
    struct strbuf dump = {0}, names = {0};
    dump_of(code, &dump);
    assert_true(bytecode_scan(dump.at, dump.len, add_name, &names));
    assert_string_equal(strbuf_text(&names), wanted);
    strbuf_clear(&dump);
    strbuf_clear(&names);
}

static void names_and_lines(void **state)
{
    (void)state;
    check("local a = 1 return a", "");
    check("retrun 'x'", "retrun:1");
    check("\n\nfoo()\n\nbar(baz)", "foo:3 bar:5 baz:5");
    check("x = 1\ny = x", "=x:1 x:2 =y:2");
    check("function f() end", "=f:1");
    check("local t = ...\nt:go() t.x:run() s:up()", ":go:2 :run:2 s.up:2");
    check("local function f()\n  return function()\n    return deep\n  end\nend", "deep:3");
    check("return os.execute('x')", "os.execute:1");
    check("local s = log:info('x')", "log.info:1");
    check("local t = {a = b, [c] = d}", "b:1 c:1 d:1");
    check("function on.authorize(x)\n  return tags[x]\nend", "tags:2 on:1 >on.authorize:1");
    check("a.b, c.d = 1, e.f\nlocal x = g x.y = 1", "a:1 c:1 e.f:1 >c.d:1 >a.b:1 g:2 >g.y:2");
    check("return _ENV.x", "x:1");
    check("return _ENV['x'], _ENV.y.z", "x:1 y.z:1");
    check("_ENV.x = 1", "=x:1");
    check("goto l ::l:: return s:byte()", "s.byte:1");
    check("return 1.5, 1 << 40, nil, true, false, ('x'):rep(50) .. z", ":rep:1 z:1");
    check("local x <close> = y", "y:1");
    check("for i = 1, n do p(i) end", "n:1 p:1");
}

/* A local _ENV is the author's own. */
static void other_environments_are_not_ours(void **state)
{
    (void)state;
    check("local _ENV = {}\nx = 1\nreturn y", "");
    check("local function f(_ENV) return x end", "");
    check("local function f(_ENV) return function() return x end end return y", "y:1");
    check("do local _ENV = {} local function f() x = 1 end end return z", "z:1");
}

/* Beyond 255 constants the compiler takes other instructions. */
static void names_in_functions_with_many_constants(void **state)
{
    struct strbuf code = {0};
    (void)state;
    strbuf_adds(&code, "local t = {\n");
    for (int i = 0; i < 400; i++)
        strbuf_addf(&code, "  ['card %d'] = 'name %d',\n", i, i);
    strbuf_adds(&code, "}\nretrun(t)\nlocal v = unknwon.field\nwritten = call(t)\nreturn v");
    check(strbuf_text(&code), "retrun:403 unknwon:404 call:405 =written:405");
    strbuf_clear(&code);
}

/* Lines across more than 127 and with more than 128 instructions between absolute entries. */
static void lines_of_long_functions(void **state)
{
    struct strbuf code = {0}, wanted = {0};
    (void)state;
    for (int i = 0; i < 2000; i++)
        strbuf_addf(&code, "g(1, 2, 3, 4)\n%s", i % 10 == 0 ? "\n\n\n\n\n\n\n" : "");
    int line = 1;
    for (int i = 0; i < 2000; i++) {
        strbuf_addf(&wanted, "%sg:%d", i > 0 ? " " : "", line);
        line += i % 10 == 0 ? 8 : 1;
    }
    check(strbuf_text(&code), strbuf_text(&wanted));
    strbuf_clear(&wanted);
    strbuf_clear(&code);
    for (int i = 0; i < 500; i++)
        strbuf_addc(&code, '\n');
    strbuf_adds(&code, "a() ");
    for (int i = 0; i < 500; i++)
        strbuf_addc(&code, '\n');
    strbuf_adds(&code, "b()");
    check(strbuf_text(&code), "a:501 b:1001");
    strbuf_clear(&code);
}

static void ignore(void *ctx, const struct bytecode_name *name)
{
    (void)ctx;
    assert_non_null(name->name);
}

/* Another version, format or number format is refused, not misread. */
static void other_versions_are_refused(void **state)
{
    struct strbuf dump = {0};
    (void)state;
    dump_of("return x", &dump);
    for (size_t i = 0; i < 31; i++) {
        char kept = dump.at[i];
        dump.at[i] = (char)(kept ^ 0x11);
        assert_false(bytecode_scan(dump.at, dump.len, ignore, NULL));
        dump.at[i] = kept;
    }
    assert_true(bytecode_scan(dump.at, dump.len, ignore, NULL));
    assert_false(bytecode_scan("return x", 8, ignore, NULL));
    assert_false(bytecode_scan("", 0, ignore, NULL));
    strbuf_clear(&dump);
}

/* Cut or damaged anywhere: an answer, and no byte outside is touched (the sanitizer looks). */
static void damaged_dumps_do_no_harm(void **state)
{
    struct strbuf dump = {0};
    (void)state;
    dump_of("local a = 'text'\nfunction f(x) return g(x, a, 1.5, 7 << 33) end\nreturn f.x", &dump);
    for (size_t len = 0; len < dump.len; len++) {
        char *copy = xmalloc(len + 1);
        memcpy(copy, dump.at, len);
        assert_false(bytecode_scan(copy, len, ignore, NULL));
        xfree(copy);
    }
    for (size_t at = 31; at < dump.len; at++) {
        for (int value = 0; value < 256; value += 5) {
            char *copy = xmalloc(dump.len);
            memcpy(copy, dump.at, dump.len);
            copy[at] = (char)value;
            bytecode_scan(copy, dump.len, ignore, NULL);
            xfree(copy);
        }
    }
    strbuf_clear(&dump);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_lines),
        cmocka_unit_test(other_environments_are_not_ours),
        cmocka_unit_test(names_in_functions_with_many_constants),
        cmocka_unit_test(lines_of_long_functions),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(damaged_dumps_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* store.add and store.keys: sums, bounds, tokens, time to live. */
#include "api_world.h"

static void add(void **state)
{
    (void)state;
    lua_gives("return {store.add('w', 5), store.add('w', -2), store.get 'w'}", "[5,3,3]");
    lua_gives("store.add('w', 1) return {math.type(store.get 'w'), math.type(store.add('w', 2)),"
              " store.add('w', 0.5), math.type(store.add('w', 1))}",
              "[\"integer\",\"integer\",3.5,\"float\"]");
    lua_gives("store.set('w', 1.5) return store.add('w', 1)", "2.5");
}

static void bounds(void **state)
{
    (void)state;
    lua_gives("store.set('w', 3) local v, err = store.add('w', -4, { min = 0 })"
              " return {v == nil, err.code, err.details.value, store.get 'w', tostring(err)}",
              "[true,\"refused\",3,3,\"the sum would be below the least\"]");
    lua_gives(
        "store.set('w', 3) return {store.add('w', -3, { min = 0 }), store.add('w', 5, {max = 5})}",
        "[0,5]");
    lua_gives("local v, err = store.add('w', 6, { max = 5 }) return {v == nil, err.code, "
              "err.details.value, store.get 'w' == nil}",
              "[true,\"refused\",0,true]");
    lua_gives("store.set('w', -5) return store.add('w', 2, { min = 0 })", "-3"); /* the right way */
    lua_gives("store.set('w', 9) return store.add('w', -1, { max = 5 })", "8");
    lua_gives("store.set('w', math.maxinteger) local v, err = store.add('w', 1) return {v == nil, "
              "err.code, store.get 'w' == math.maxinteger}",
              "[true,\"refused\",true]");
    lua_gives(
        "store.set('w', 1e308) local v, err = store.add('w', 1e308) return {v == nil, err.code}",
        "[true,\"refused\"]");
    lua_gives("local v, err = store.add('w', 0/0) return {v == nil, err.code}",
              "[true,\"refused\"]");
    /* as integers, not as floats that cannot tell them apart */
    lua_gives("store.set('w', 9007199254740993) local v, err = store.add('w', -1, { min = "
              "9007199254740993 }) return v == nil",
              "true");
}

static void once(void **state)
{
    (void)state;
    lua_gives("store.add('w', 5, { once = 'a' }) local v, err = store.add('w', 5, { once = 'a' })"
              " return {v == nil, err.code, err.details.value, store.get 'w'}",
              "[true,\"once\",5,5]");
    lua_gives("store.add('w', 5, { once = 'a' }) return {store.add('w', 5, { once = 'b' }),"
              " store.add('v', 5, { once = 'a' }), store.add('w', 1)}",
              "[10,5,11]");
    /* one that was refused may come again */
    lua_gives("store.add('w', -1, { once = 'a', min = 0 }) store.set('w', 1)"
              " return store.add('w', -1, { once = 'a', min = 0 })",
              "0");
    /* the key and the token do not run into each other */
    lua_gives("store.add('a', 1, { once = 'bc' }) return store.add('ab', 1, { once = 'c' })", "1");
}

/* The token's row is in the batch of the value, and stays for 90 days. */
static void once_is_stored_with_it(void **state)
{
    (void)state;
    struct world *w = world_running("return store.add('w', 5, { once = 'a' })");
    w->f->hold = true;
    assert_int_equal(ask(w, "POST /run", NULL), 0); /* answered when it is on disk */
    size_t rows = 0;
    for (const struct record *row = w->f->held->first; row; row = row->next) {
        rows += row->kind == RECORD_KV;
        if (row->kind == RECORD_KV && !text_is(row->kv.key, "w")) {
            assert_memory_equal(row->kv.key, "chargebridge/once/", 18);
            assert_int_equal(row->kv.expires_ms, TEST_NOW + 90LL * 86400000);
        }
    }
    assert_int_equal(rows, 2);
    store_release(w->f);
    assert_string_equal(strbuf_text(&w->body), "[5]");
    world_free(w);
}

static void time_to_live(void **state)
{
    (void)state;
    struct world *w = world_with(
        "route('POST /first', function() return 200, { store.add('w', 1, { ttl = '1h' }) } end)\n"
        "route('POST /next', function() return 200, { store.add('w', 1) } end)");
    EXPECT(w, "POST /first", NULL, 200, "[1]");
    clock_advance(1800000);
    EXPECT(w, "POST /next", NULL, 200, "[2]"); /* keeps the time it has */
    clock_advance(1799999);
    EXPECT(w, "POST /next", NULL, 200, "[3]");
    clock_advance(1);
    EXPECT(w, "POST /next", NULL, 200, "[1]");
    clock_advance(1000LL * 86400000);
    EXPECT(w, "POST /next", NULL, 200, "[2]"); /* a new one stays */
    EXPECT(w, "POST /first", NULL, 200, "[3]");
    clock_advance(3600000);
    EXPECT(w, "POST /next", NULL, 200, "[1]");
    world_free(w);
}

static void keys(void **state)
{
    (void)state;
    lua_gives("store.set('b/2', 1) store.set('b/1', {2}) store.set('c', 3) store.set('a', 4)"
              " store.set('gone', 1, { ttl = 0.001 })"
              " local found = {} for key, value in store.keys 'b/' do found[#found + 1] = key"
              " found[#found + 1] = value end return found",
              "[\"b/1\",[2],\"b/2\",1]");
    lua_gives("store.add('a', 1, { once = 'x' }) store.set('b', false) local n = 0"
              " for key in store.keys() do n = n + 1 end return n",
              "2"); /* not the server's own */
    lua_gives("for key in store.keys() do return 1 end return 0", "0");
    /* what happens meanwhile: gone ones are left out, new ones are not seen */
    lua_gives("for i = 1, 5 do store.set('k' .. i, i) end local found = {}"
              " for key in store.keys 'k' do found[#found + 1] = key store.set('k3', nil)"
              " store.set('k9', 9) end return found",
              "[\"k1\",\"k2\",\"k4\",\"k5\"]");
}

static void wrong_use(void **state)
{
    (void)state;
    lua_fails("store.add()", "store.add: argument 1 (key) must be a string, not nil");
    lua_fails("store.add('a')", "store.add: argument 2 (delta) must be a number, not nil");
    lua_fails("store.add('a', '1')",
              "store.add: argument 2 (delta) must be a number, not a string");
    lua_fails("store.set('a', 'x') store.add('a', 1)",
              "store.add: the value of \\\"a\\\" must be a number, not a string");
    lua_fails("store.add('a', 1, { min = true })",
              "store.add: min must be a number, not a boolean");
    lua_fails("store.add('a', 1, { onse = 'x' })", "unknown option onse; did you mean once?");
    lua_fails("store.add(('x'):rep(256), 1)", "more than 255 bytes");
    lua_fails("store.add('chargebridge/x', 1)",
              "store.add: keys that begin with chargebridge/ are the server's own");
    lua_fails("store.set('chargebridge/x', 1)",
              "store.set: keys that begin with chargebridge/ are the server's own");
    lua_fails("store.keys(5)", "store.keys: argument 1 (prefix) must be a string, not a number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add),          cmocka_unit_test(bounds),
        cmocka_unit_test(once),         cmocka_unit_test(once_is_stored_with_it),
        cmocka_unit_test(time_to_live), cmocka_unit_test(keys),
        cmocka_unit_test(wrong_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

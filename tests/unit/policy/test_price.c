/* on.price: what it may return, what becomes of it, and every way to be wrong; tx:cost, tx.price.
 */
#include "engine_rig.h"

static int set_up(void **state)
{
    static struct rig rig;
    rig_open(&rig);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_shut(*state);
    return 0;
}

/* One function per transaction id. */
static void load(struct rig *rig, const char *const *bodies, size_t count)
{
    struct strbuf text = {0};
    strbuf_adds(&text, "local cases = {\n");
    for (size_t i = 0; i < count; i++)
        strbuf_addf(&text, "function(tx) %s end,\n", bodies[i]);
    strbuf_adds(&text, "}\nfunction on.price(tx) return cases[tx.id](tx) end\n");
    rig_file(rig, "40-tariff.lua", strbuf_text(&text));
    strbuf_clear(&text);
    rig_load_ok(rig);
}

static struct answer *price(struct rig *rig, int64_t id)
{
    return rig_event(rig,
                     (struct event){.kind = EVENT_PRICE, .connector = 1, .transaction_id = id});
}

static void what_is_a_price(void **state)
{
    static const struct {
        const char *body, *word, *extra;
    } cases[] = {
        {"return { currency = 'EUR', start = 0.35, energy = 1.234, idle = 0 }", "1.58 EUR",
         "{\"currency\":\"EUR\",\"digits\":2,\"total\":158,\"text\":\"1.58 EUR\",\"lines\":["
         "{\"name\":\"energy\",\"amount\":123},{\"name\":\"idle\",\"amount\":0},"
         "{\"name\":\"start\",\"amount\":35}]}"},
        {"return { currency = 'EUR', a = 0.285, b = -0.285 }", "0.00 EUR", NULL},
        {"return { currency = 'EUR', a = 0.005, b = 0.005, c = 0.005 }", "0.03 EUR", NULL},
        {"return { currency = 'JPY', a = 12.5 }", "13 JPY", NULL},
        {"return { currency = 'KWD', a = 1.2345 }", "1.235 KWD", NULL},
        {"return { currency = 'EUR', energy = 7 }", "7.00 EUR", NULL},
        {"return { currency = 'EUR', refund = -0.35 }", "-0.35 EUR", NULL},
        {"return { currency = 'EUR' }", "0.00 EUR", NULL},
        {"return { currency = 'EUR', lines = {} }", "0.00 EUR", NULL},
        {"return { currency = 'EUR', energy = 1, tariff = '2026-10', why = 'night' }", "1.00 EUR",
         "{\"currency\":\"EUR\",\"digits\":2,\"total\":100,\"text\":\"1.00 EUR\",\"lines\":["
         "{\"name\":\"energy\",\"amount\":100}],\"tariff\":\"2026-10\",\"why\":\"night\"}"},
        {"return { currency = 'EUR', energy = 1, tariff = 7 }", "1.00 EUR", NULL},
        {"return { currency = 'EUR', lines = { { name = 'z', amount = 1.5, quantity = 3, unit = "
         "'kWh', unit_price = 0.5 }, { name = 'a', amount = 2 } } }",
         "3.50 EUR",
         "{\"currency\":\"EUR\",\"digits\":2,\"total\":350,\"text\":\"3.50 EUR\",\"lines\":["
         "{\"name\":\"z\",\"amount\":150,\"quantity\":3,\"unit\":\"kWh\",\"unit_price\":0.5},"
         "{\"name\":\"a\",\"amount\":200}]}"},
        {"return { currency = 'EUR', lines = { { name = 'a', amount = 1 }, { name = 'a', amount = "
         "2 } "
         "} }",
         "3.00 EUR", NULL},
    };
    struct rig *rig = *state;
    const char *bodies[ARRAY_LEN(cases)];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        bodies[i] = cases[i].body;
    load(rig, bodies, ARRAY_LEN(cases));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer *answer = price(rig, (int64_t)i + 1);
        if (answer->kind != VERDICT_GIVEN || strcmp(answer->word, cases[i].word) != 0)
            fail_msg("%s: %s, %s", cases[i].body, answer->word, answer->why);
        if (cases[i].extra)
            assert_string_equal(answer->extra, cases[i].extra);
        assert_string_equal(answer->file, "40-tariff.lua");
    }
    assert_string_equal(price(rig, 10)->why, "night");
}

static void what_is_none(void **state)
{
    static const struct {
        const char *body, *why;
    } cases[] = {
        {"return 1.5", "on.price returned a number; a price is a table"},
        {"return 'EUR'", "on.price returned a string; a price is a table"},
        {"return {}", "currency is missing"},
        {"return { energy = 1 }", "currency is missing"},
        {"return { currency = 'EURO', a = 1 }", "currency \"EURO\" is none of ISO 4217"},
        {"return { currency = 'eur', a = 1 }", "currency \"eur\" is none of ISO 4217"},
        {"return { currency = {}, a = 1 }", "currency is a table; a short text is expected"},
        {"return { currency = 'EUR', a = 0/0 }", "a is not a number"},
        {"return { currency = 'EUR', a = math.huge }", "a is infinite"},
        {"return { currency = 'EUR', a = 1e300 }", "a is too large"},
        {"return { currency = 'EUR', a = math.maxinteger }", "a is too large"},
        {"local t = { currency = 'JPY' } for i = 1, 100 do t['n' .. i] = 10^17 - 1 end return t",
         "the total is too large"},
        {"return { currency = 'EUR', a = '1.50' }", "a is a string; an amount is a number"},
        {"return { currency = 'EUR', a = {} }", "a is a table; an amount is a number"},
        {"return { currency = 'EUR', a = true }", "an amount is a number"},
        {"return { currency = 'EUR', 1.5 }", "a list is not a price"},
        {"return { currency = 'EUR', [''] = 1.5 }", "a line's name is a text of 1 to 64 bytes"},
        {"return { currency = 'EUR', [string.rep('x', 65)] = 1.5 }", "a line's name"},
        {"return { currency = 'EUR', ['\\xff'] = 1.5 }", "a line's name"},
        {"return { currency = 'EUR', a = 1, why = {} }", "why is a table; a short text"},
        {"return { currency = 'EUR', a = 1, tariff = true }", "tariff is a boolean"},
        {"return { currency = 'EUR', a = 1, lines = {} }", "a stands beside lines"},
        {"return { currency = 'EUR', ['a\\0b'] = 1, a = 2 }", "a line's name is a text of"},
        {"return { currency = 'EUR\\0', a = 2 }", "currency is a string; a short text is expected"},
        {"return { currency = 'EUR', lines = { energy = { name = 'a', amount = 1 } } }",
         "lines has names or gaps; a list is expected"},
        {"local t = { { name = 'a', amount = 1 } } t[3] = t[1] return { currency = 'EUR', lines = "
         "t }",
         "lines has names or gaps; a list is expected"},
        {"return { currency = 'EUR', lines = 5 }", "lines is a number; a list is expected"},
        {"return { currency = 'EUR', lines = { 5 } }", "lines[1] is a number; a table is expected"},
        {"return { currency = 'EUR', lines = { { amount = 1 } } }", "a line's name"},
        {"return { currency = 'EUR', lines = { { name = 'a' } } }", "a is nil; an amount"},
        {"return { currency = 'EUR', lines = { { name = 'a', amount = 1, ammount = 2 } } }",
         "a line has no \"ammount\""},
        {"return { currency = 'EUR', lines = { { name = 'a', amount = 1, quantity = 'x' } } }",
         "quantity is a string; a number is expected"},
        {"return { currency = 'EUR', lines = { { name = 'a', amount = 1, quantity = 0/0 } } }",
         "on.price returned no price"},
        {"return { currency = 'EUR', lines = { { name = 'a', amount = 1, unit = {} } } }",
         "unit is a table"},
        {"local t = { currency = 'EUR' } for i = 1, 101 do t['n' .. i] = 1 end return t",
         "more than 100 lines"},
        {"local t = {} for i = 1, 101 do t[i] = { name = 'n', amount = 1 } end "
         "return { currency = 'EUR', lines = t }",
         "more than 100 lines"},
        {"error('no tariff today')", "no tariff today"},
        {"chargepoint('CP1'):trigger('MeterValues')",
         "cp:trigger waits for the charger and cannot be used inside on.price"},
    };
    struct rig *rig = *state;
    const char *bodies[ARRAY_LEN(cases)];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        bodies[i] = cases[i].body;
    load(rig, bodies, ARRAY_LEN(cases));
    rig_connect(rig);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer *answer = price(rig, (int64_t)i + 1);
        if (answer->kind != VERDICT_FAILED || !strstr(answer->why, cases[i].why))
            fail_msg("%s: %s, %s", cases[i].body, answer->word, answer->why);
        assert_string_equal(answer->file, "40-tariff.lua");
    }
    assert_int_equal(rig->calls, 0);
}

static void the_first_answer_wins(void **state)
{
    struct rig *rig = *state;
    rig_file(
        rig, "10-free.lua",
        "function on.price(tx) if tx.id == 1 then return { currency = 'EUR', free = 0 } end end");
    rig_file(rig, "20-broken.lua", "function on.price(tx) if tx.id == 2 then error 'x' end end");
    rig_file(rig, "40-tariff.lua",
             "function on.price() return { currency = 'EUR', energy = 1 } end");
    rig_load_ok(rig);
    assert_string_equal(price(rig, 1)->file, "10-free.lua");
    assert_int_equal(price(rig, 2)->kind, VERDICT_FAILED); /* an error is never "no opinion" */
    assert_string_equal(price(rig, 3)->word, "1.00 EUR");
    rig_file(rig, "40-tariff.lua", "function on.price() end");
    rig_load_ok(rig);
    assert_int_equal(price(rig, 3)->kind, VERDICT_NONE);
}

/* The words of policy tests, on a station with transactions. */
static void in_the_life_of_a_transaction(void **state)
{
    struct rig *rig = *state;
    rig_file(
        rig, "40-tariff.lua",
        "function on.authorize() return 'Accepted' end\n"
        "function on.price(tx)\n"
        "  if tx.idTag == 'NONE' then return end\n"
        "  if tx.idTag == 'LOOP' then return tx:cost() end\n"
        "  if tx.idTag == 'WAIT' then tx.cp:trigger 'MeterValues' end\n"
        "  return { currency = 'EUR', energy = tx.kwh * 0.285, start = 0.35, tariff = 'v1' }\n"
        "end\n"
        "function on.stop(tx) store.set('paid', tx.price or json.null)\n"
        "  store.set('cost', tx:cost() or json.null) end\n"
        "function on.meter(tx) local c, err = tx:cost() store.set('so far', c or err.code) end\n");
    rig_file(
        rig, "tests/price.lua",
        "test('so far, and at the end', function(t)\n"
        "  local tx = t.transaction { cp = 'CP1', idTag = 'A', kwh = 1 }\n"
        "  t.eq(tx:cost().text, '0.64 EUR')\n"
        "  t.eq(store.get('so far').total, 64)\n"
        "  t.eq(tx.price, nil)\n"
        "  t.stop(tx)\n"
        "  t.eq(tx.price, { currency = 'EUR', digits = 2, total = 64, text = '0.64 EUR', tariff = "
        "'v1',\n"
        "    lines = { { name = 'energy', amount = 29 }, { name = 'start', amount = 35 } } })\n"
        "  t.eq(store.get('paid'), tx.price)\n"
        "  t.eq(store.get('cost'), tx.price)\n"
        "  local cost, err = tx:cost()\n"
        "  t.eq(cost, nil)\n"
        "  t.eq(err.code, 'gone')\n"
        "end)\n"
        "test('no price', function(t)\n"
        "  local tx = t.transaction { cp = 'CP1', idTag = 'NONE', kwh = 1 }\n"
        "  local cost, err = tx:cost()\n"
        "  t.eq(cost, nil)\n"
        "  t.eq(err.code, 'unpriced')\n"
        "  t.stop(tx)\n"
        "  t.eq(tx.price, nil)\n"
        "  t.eq(next(tx.flags), nil)\n"
        "end)\n"
        "for _, tag in ipairs { 'LOOP', 'WAIT' } do\n"
        "  test('fails: ' .. tag, function(t)\n"
        "    t.allow_errors()\n"
        "    local tx = t.transaction { cp = 'CP1', idTag = tag, kwh = 1 }\n"
        "    t.eq(store.get('so far'), 'failed')\n"
        "    local cost, err = tx:cost()\n"
        "    t.eq(cost, nil)\n"
        "    t.ok(string.find(tostring(err), '40%-tariff.lua:[45]: .*cannot be used'), "
        "tostring(err))\n"
        "    t.stop(tx)\n"
        "    t.eq(tx.price, nil)\n"
        "    t.eq(tx.flags.unpriced, tag == 'WAIT' or nil)\n"
        "  end)\n"
        "end\n");
    rig_load_ok(rig);
    assert_int_equal(rig->report.tests, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_a_price),
        TEST(what_is_none),
        TEST(the_first_answer_wins),
        TEST(in_the_life_of_a_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

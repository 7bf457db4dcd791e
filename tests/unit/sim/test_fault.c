/* Fault switches: names, draws that can be repeated, broken text, and clocks. */
#include "line_world.h"

#include "sim/fault.h"

static struct reason why;

static int setup(void **state)
{
    (void)state;
    world_begin();
    world.settings.boot_delay_ms = 1000000000;
    world_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close();
    return 0;
}

static void fault(const char *name, double probability)
{
    assert_true(charger_fault(world.charger, name, probability, &why));
}

static void test_names(void **state)
{
    (void)state;
    size_t at = 0, count = 0;
    const char *name, *doc;
    while (charger_fault_next(&at, &name, &doc)) {
        const struct fault_row *row = fault_find(name);
        assert_string_equal(row->doc, doc);
        assert_true(*doc && *row->rules);
        assert_false(fault_now(world.charger, name));
        count++;
    }
    assert_int_equal(count, 44);
    assert_null(fault_find("nothing"));
    assert_false(charger_fault(world.charger, "no_pang", 1, &why));
    assert_string_equal(why.text, "unknown fault \"no_pang\", did you mean no_pong?");
    assert_false(charger_fault(world.charger, "xyzxyzxyz", 1, &why));
    assert_string_equal(why.text, "unknown fault \"xyzxyzxyz\"");
    assert_false(charger_fault(world.charger, "no_pong", 1.5, &why));
    assert_false(charger_fault(world.charger, "no_pong", -0.1, &why));
    assert_string_equal(why.text, "expected a probability from 0 to 1");
}

static void test_draws_can_be_repeated(void **state)
{
    (void)state;
    char first[201] = "", second[201] = "";
    int shown = 0;
    fault("no_answer", 0.25);
    assert_true(charger_fault_probability(world.charger, "no_answer") == 0.25);
    assert_true(charger_fault_probability(world.charger, "no_pong") == 0);
    world.charger->random = 42;
    for (int i = 0; i < 200; i++)
        first[i] = fault_now(world.charger, "no_answer") ? 'x' : '.';
    world.charger->random = 42;
    for (int i = 0; i < 200; i++)
        second[i] = fault_now(world.charger, "no_answer") ? 'x' : '.';
    assert_string_equal(first, second);
    for (int i = 0; i < 200; i++)
        shown += first[i] == 'x';
    assert_true(shown > 25 && shown < 80);
    fault("no_answer", 1);
    assert_true(fault_now(world.charger, "no_answer"));
    fault("no_answer", 0);
    assert_false(fault_now(world.charger, "no_answer"));
}

static void test_the_generator_is_even(void **state)
{
    (void)state;
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double x = charger_random(world.charger);
        assert_true(x >= 0 && x < 1);
        sum += x;
    }
    assert_true(sum > 4800 && sum < 5200);
}

static void test_what_is_on(void **state)
{
    (void)state;
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    faults_write(world.charger, &out);
    assert_string_equal(text.at, "{}");
    strbuf_reset(&text);
    out.comma = false;
    fault("no_pong", 1);
    fault("meter_zero", 0.5);
    fault("clock_1970", 0.5);
    fault("clock_1970", 0);
    faults_write(world.charger, &out);
    assert_string_equal(text.at, "{\"no_pong\":1,\"meter_zero\":0.5}");
    strbuf_clear(&text);
}

static void test_bent_calls(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *text;
        enum ws_client_form form;
    } rows[] = {
        {"text_cut", "[2,\"a\",\"Meter\",{\"b\":1", WS_CLIENT_TEXT},
        {"text_missing_value", "[2,\"a\",\"Meter\",{\"b\":,\"c\":\"d\"}]", WS_CLIENT_TEXT},
        {"text_empty", "", WS_CLIENT_TEXT},
        {"text_bytes", "[2,\"a\",\"Meter\",{\"b\":10,\"c\":\"\xff\xff}]", WS_CLIENT_TEXT},
        {"text_fragments", "[2,\"a\",\"Meter\",{\"b\":10,\"c\":\"d\"}]", WS_CLIENT_FRAGMENTS},
        {"text_binary", "[2,\"a\",\"Meter\",{\"b\":10,\"c\":\"d\"}]", WS_CLIENT_BINARY},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf text = {0};
        strbuf_adds(&text, "[2,\"a\",\"Meter\",{\"b\":10,\"c\":\"d\"}]");
        fault(rows[i].fault, 1);
        enum ws_client_form form = fault_bend_call(world.charger, &text);
        fault(rows[i].fault, 0);
        if (form != rows[i].form || !text_is(strbuf_text(&text), rows[i].text))
            fail_msg("%s: %s", rows[i].fault, strbuf_text(&text));
        strbuf_clear(&text);
    }
}

static void test_large_and_deep(void **state)
{
    (void)state;
    struct strbuf text = {0};
    strbuf_adds(&text, "[2,\"a\",\"Meter\",{}]");
    fault("text_huge", 1);
    fault_bend_call(world.charger, &text);
    fault("text_huge", 0);
    assert_true(text.len > 2 << 20);
    assert_int_equal(strlen(text.at), text.len);
    assert_int_equal(text.at[text.len - 1], ']');
    strbuf_reset(&text);
    strbuf_adds(&text, "[2,\"a\",\"Meter\",{}]");
    fault("text_nested", 1);
    fault_bend_call(world.charger, &text);
    assert_int_equal(strncmp(text.at, "[2,\"a\",\"Meter\",{\"a\":[[[[", 24), 0);
    assert_int_equal(text.len, strlen("[2,\"a\",\"Meter\",{\"a\":}]") + 1000);
    strbuf_clear(&text);
}

static void test_clocks(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *text;
    } rows[] = {
        {"no_pong", "2025-07-14T05:00:00Z"}, /* none of the clock's */
        {"clock_1970", "1970-01-01T00:16:40Z"},
        {"clock_local", "2025-07-14T07:00:00Z"},
        {"clock_no_zone", "2025-07-14T05:00:00"},
        {"clock_nine_digits", "2025-07-14T05:00:00.250123456Z"},
        {"clock_short_offset", "2025-07-14T07:00:00+02"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[48];
        fault(rows[i].fault, 1);
        charger_time_text(world.charger, WORLD_START + 250, text);
        fault(rows[i].fault, 0);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_names),
        TEST(test_draws_can_be_repeated),
        TEST(test_the_generator_is_even),
        TEST(test_what_is_on),
        TEST(test_bent_calls),
        TEST(test_large_and_deep),
        TEST(test_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

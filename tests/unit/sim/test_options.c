/* The command line of chargebridge-sim: every option, every way to get it wrong, --help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/options.h"

enum { WORDS_MAX = 60 };

static enum sim_options_result read_line(struct sim_options *out, struct reason *why,
                                         const char *line)
{
    static char text[1000];
    char *argv[WORDS_MAX] = {"chargebridge-sim"};
    int argc = 1;
    text_copy(text, sizeof(text), span_of(line));
    for (char *at = strtok(text, " "); at; at = strtok(NULL, " "))
        argv[argc++] = at;
    return sim_options_read(out, argc, argv, why);
}

static void test_defaults(void **state)
{
    (void)state;
    struct sim_options o;
    struct reason why;
    assert_int_equal(read_line(&o, &why, ""), SIM_OPTIONS_RUN);
    const struct charger_settings *c = &o.fleet.charger;
    assert_string_equal(c->host, "127.0.0.1");
    assert_int_equal(c->port, 9000);
    assert_string_equal(c->path, "/ocpp");
    assert_string_equal(c->identity, "Gresgying02");
    assert_null(c->password);
    assert_int_equal(c->connectors, 2);
    assert_int_equal(c->kind, CAR_DC);
    assert_int_equal(c->power_w, 120000);
    assert_int_equal(c->battery_wh, 75000);
    assert_true(c->soc == 20);
    assert_int_equal(c->meter_interval_s, 10);
    assert_int_equal(o.fleet.count, 1);
    assert_int_equal(o.control_port, 7071);
    assert_true(o.speed == 1);
    assert_null(o.scenario);
    sim_options_clear(&o);
}

static void test_everything(void **state)
{
    (void)state;
    struct sim_options o;
    struct reason why = {""};
    const char *line =
        "--host h --port 1 --path /p --password s --id X --connectors 3 --kind ac --power 11000 "
        "--meter-interval=0 --boot-delay 5 --reboot 6 --autocharge --vendor v --model m --serial s "
        "--firmware f --battery 7 --soc 12.5 --fleet 9 --stagger 8 --busy --tags A,B "
        "--speed 60 --seed 11";
    if (read_line(&o, &why, line) != SIM_OPTIONS_RUN)
        fail_msg("%s", why.text);
    const struct charger_settings *c = &o.fleet.charger;
    assert_string_equal(c->host, "h");
    assert_int_equal(c->port, 1);
    assert_string_equal(c->path, "/p");
    assert_string_equal(c->password, "s");
    assert_string_equal(c->identity, "X");
    assert_int_equal(c->connectors, 3);
    assert_int_equal(c->kind, CAR_AC);
    assert_int_equal(c->power_w, 11000);
    assert_int_equal(c->meter_interval_s, 0);
    assert_int_equal(c->boot_delay_ms, 5);
    assert_int_equal(c->reboot_ms, 6);
    assert_true(c->autocharge);
    assert_false(c->log_frames);
    assert_string_equal(c->firmware, "f");
    assert_int_equal(c->battery_wh, 7);
    assert_true(c->soc == 12.5);
    assert_int_equal(c->seed, 11);
    assert_int_equal(o.fleet.count, 9);
    assert_int_equal(o.fleet.stagger_ms, 8);
    assert_true(o.fleet.busy);
    assert_int_equal(o.fleet.tag_count, 2);
    assert_string_equal(o.fleet.tags[1], "B");
    assert_true(o.speed == 60);
    sim_options_clear(&o);
}

static void test_what_follows_from_others(void **state)
{
    (void)state;
    struct sim_options o;
    struct reason why = {""};
    assert_int_equal(read_line(&o, &why, "--fleet 3"), SIM_OPTIONS_RUN);
    assert_string_equal(o.fleet.charger.identity, "CB");
    assert_int_equal(read_line(&o, &why, "--kind ac"), SIM_OPTIONS_RUN);
    assert_int_equal(o.fleet.charger.power_w, 22000);
    assert_int_equal(read_line(&o, &why, "--scenario x.lua"), SIM_OPTIONS_RUN);
    assert_int_equal(o.fleet.count, 0); /* it brings its own */
    assert_int_equal(read_line(&o, &why, "--scenario x.lua --id A"), SIM_OPTIONS_RUN);
    assert_int_equal(o.fleet.count, 1);
    assert_int_equal(read_line(&o, &why, "--scenario x.lua --fleet=5"), SIM_OPTIONS_RUN);
    assert_int_equal(o.fleet.count, 5);
    assert_int_equal(read_line(&o, &why, "--arg a=b=c --arg d= --scenario x"), SIM_OPTIONS_RUN);
    assert_int_equal(o.argument_count, 2);
    assert_string_equal(o.arguments[0].name, "a");
    assert_string_equal(o.arguments[0].value, "b=c");
    assert_string_equal(o.arguments[1].value, "");
    sim_options_clear(&o);
}

static void test_faults(void **state)
{
    (void)state;
    const char *first, *second, *doc;
    size_t at = 0;
    assert_true(charger_fault_next(&at, &first, &doc));
    assert_true(charger_fault_next(&at, &second, &doc));
    struct sim_options o;
    struct reason why = {""};
    char *line = xprintf("--fault %s --fault %s=0.25", first, second);
    assert_int_equal(read_line(&o, &why, line), SIM_OPTIONS_RUN);
    xfree(line);
    assert_int_equal(o.fault_count, 2);
    assert_string_equal(o.faults[0].name, first);
    assert_true(o.faults[0].probability == 1);
    assert_string_equal(o.faults[1].name, second);
    assert_true(o.faults[1].probability == 0.25);
    sim_options_clear(&o);
    line = xprintf("--fault %s=2", first);
    assert_int_equal(read_line(&o, &why, line), SIM_OPTIONS_WRONG);
    assert_non_null(strstr(why.text, "P from 0 to 1"));
    xfree(line);
    sim_options_clear(&o);
    line = xprintf("--fault %sx", first);
    assert_int_equal(read_line(&o, &why, line), SIM_OPTIONS_WRONG);
    assert_non_null(strstr(why.text, "did you mean"));
    xfree(line);
    sim_options_clear(&o);
}

static void test_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } rows[] = {
        {"--port", "--port: expected N after it"},
        {"--port x", "--port \"x\": expected a whole number from 1 to 65535"},
        {"--port 0", "from 1 to 65535"},
        {"--port 70000", "from 1 to 65535"},
        {"--port 1.5", "expected a whole number"},
        {"--connectors 17", "from 1 to 16"},
        {"--soc 101", "expected a number from 0 to 100"},
        {"--soc nan", "expected a number from 0 to 100"},
        {"--speed 0", "--speed \"0\": expected a number from 0.001 to 100000"},
        {"--busy=yes", "--busy takes no value"},
        {"--kind acc", "expected dc or ac"},
        {"--id=", "--id: expected a text"},
        {"--vendor AAAAAAAAAAAAAAAAAAAAA", "at most 20 characters"},
        {"--tags ,", "--tags"},
        {"--tags AAAAAAAAAAAAAAAAAAAAA", "1 to 20 characters"},
        {"--arg x", "expected NAME=VALUE"},
        {"--fault nothing-like-it", "--help lists them"},
        {"--prot 9000", "did you mean --port?"},
        {"9000", "9000: no such option"},
        {"-p", "-p: no such option"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sim_options o;
        struct reason why = {""};
        if (read_line(&o, &why, rows[i].line) != SIM_OPTIONS_WRONG ||
            !strstr(why.text, rows[i].why))
            fail_msg("%s → \"%s\"", rows[i].line, why.text);
        sim_options_clear(&o);
    }
}

static void test_help_names_everything(void **state)
{
    (void)state;
    struct sim_options o;
    struct reason why;
    assert_int_equal(read_line(&o, &why, "--port 1 --help"), SIM_OPTIONS_HELP);
    sim_options_clear(&o);
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    sim_options_help(to);
    fclose(to);
    assert_non_null(strstr(text, "--fault NAME[=P]"));
    assert_non_null(strstr(text, "\nFleet\n"));
    const char *name, *doc;
    for (size_t at = 0; charger_fault_next(&at, &name, &doc);)
        if (!strstr(text, name) || !strstr(text, doc))
            fail_msg("--help says nothing of the fault %s", name);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_what_follows_from_others),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_help_names_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

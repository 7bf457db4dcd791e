/* The configuration: every default, every kind of error, who overrides whom, the shipped example.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conf_keys.h"

struct fixture {
    struct conf conf;
    struct conf_errors errors;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    conf_init(&fixture.conf);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    conf_clear(&f->conf);
    strbuf_clear(&f->errors.text);
    return 0;
}

static void read_text(struct fixture *f, const char *text)
{
    conf_read_text(&f->conf, "cb.conf", text, &f->errors);
}

static void expect_error(struct fixture *f, const char *text, const char *part)
{
    size_t before = f->errors.count;
    read_text(f, text);
    assert_true(f->errors.count > before);
    if (!strstr(strbuf_text(&f->errors.text), part))
        fail_msg("\"%s\" is not in:\n%s", part, strbuf_text(&f->errors.text));
}

static void every_default_reads_and_is_within_its_limits(void **state)
{
    struct fixture *f = *state;
    struct reason why;
    for (const struct conf_key *key = conf_keys; key->section; key++)
        if (!conf_set(&f->conf, key, span_of(key->fallback), &why))
            fail_msg("%s.%s: %s", key->section, key->name, why.text);
    assert_true(conf_check(&f->conf, &f->errors));
}

static void the_defaults_are_those_of_the_design(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(f->conf.ocpp.address, "0.0.0.0");
    assert_int_equal(f->conf.ocpp.port, 9000);
    assert_string_equal(f->conf.ocpp_path, "/ocpp");
    assert_string_equal(f->conf.http.address, "127.0.0.1");
    assert_int_equal(f->conf.http.port, 8080);
    assert_string_equal(f->conf.store.path, "chargebridge.db");
    assert_int_equal(f->conf.station.registration, ADMIT_PENDING);
    assert_int_equal(f->conf.station.heartbeat_interval_s, 300);
    assert_int_equal(f->conf.ocpp.max_message, 1 << 20);
    assert_int_equal(f->conf.http.max_body, 65536);
}

static void values_of_each_type(void **state)
{
    struct fixture *f = *state;
    read_text(f, "[ocpp]\nport = 9001 # a comment\nping_interval = 1m30s\nmax_message=64 KiB\n"
                 "strict = yes\nregistration = open\nauthorize_default = Blocked\n"
                 "\n# whole line\n[policies]\ntime_zone = -03:30\ndir = my rules#1\n");
    assert_int_equal(f->errors.count, 0);
    assert_int_equal(f->conf.ocpp.port, 9001);
    assert_int_equal(f->conf.ocpp.ping_interval_ms, 90000);
    assert_int_equal(f->conf.ocpp.max_message, 65536);
    assert_true(f->conf.station.strict);
    assert_int_equal(f->conf.station.registration, ADMIT_OPEN);
    assert_string_equal(f->conf.station.authorize_default, "Blocked");
    assert_int_equal(f->conf.policy.zone_minutes, -210);
    assert_string_equal(f->conf.policy.dir, "my rules#1");
}

static void errors_name_file_line_and_the_nearest_key(void **state)
{
    struct fixture *f = *state;
    expect_error(f, "[ocpp]\n\nping_intervall = 1m\n",
                 "cb.conf:3: unknown key \"ping_intervall\" in [ocpp]; did you mean "
                 "\"ping_interval\"?");
    expect_error(f, "[ocppp]\nport = 1\n",
                 "cb.conf:1: unknown section [ocppp]; did you mean [ocpp]?");
    expect_error(f, "[ocpp]\nport = 1\nport = 2\n",
                 "cb.conf:3: ocpp.port was set in line 2 already");
    expect_error(f, "[ocpp]\nport = many\n",
                 "cb.conf:2: ocpp.port = \"many\": expected a whole number");
    expect_error(f, "[ocpp]\nport = 70000\n", "expected 0 to 65535");
    expect_error(f, "[ocpp]\nping_interval = 60\n", "expected a time with a unit");
    expect_error(f, "[ocpp]\nheartbeat_interval = 500ms\n", "expected whole seconds with a unit");
    expect_error(f, "[ocpp]\nheartbeat_interval = 2d\n", "expected 1s to 86400s");
    expect_error(f, "[ocpp]\nmax_message = big\n", "expected a size");
    expect_error(f, "[ocpp]\nregistration = maybe\n", "expected one of closed, pending, open");
    expect_error(f, "[ocpp]\nstrict = perhaps\n", "expected yes or no");
    expect_error(f, "[policies]\ntime_zone = Berlin\n", "expected an offset from UTC");
    expect_error(f, "[ocpp\nport = 1\n", "cb.conf:1: expected ] at the end");
    expect_error(f, "[ocpp]\njust words\n", "cb.conf:2: expected `key = value` or [section]");
    expect_error(f, "port = 1\n", "unknown key \"port\" in []");
}

static void all_errors_of_a_file_are_collected(void **state)
{
    struct fixture *f = *state;
    read_text(f, "[ocpp]\nport = x\nping = 1m\n[rest]\nport = y\n");
    assert_int_equal(f->errors.count, 3);
}

static void environment_and_flags_override(void **state)
{
    struct fixture *f = *state;
    char *environment[] = {"PATH=/bin", "CB_OCPP_PORT=9002", "CB_REST_KEY=own", "CB_BUILD=x", NULL};
    read_text(f, "[ocpp]\nport = 9001\n");
    assert_true(conf_read_environment(&f->conf, environment, &f->errors));
    assert_int_equal(f->conf.ocpp.port, 9002);
    assert_string_equal(f->conf.http_key, "own");
    assert_true(conf_read_flag(&f->conf, "ocpp.port=9003", &f->errors));
    assert_int_equal(f->conf.ocpp.port, 9003);
}

static void unknown_variables_and_flags_are_errors(void **state)
{
    struct fixture *f = *state;
    char *environment[] = {"CB_OCPP_PROT=1", NULL};
    assert_false(conf_read_environment(&f->conf, environment, &f->errors));
    assert_non_null(strstr(f->errors.text.at, "CB_OCPP_PROT; did you mean CB_OCPP_PORT?"));
    assert_false(conf_read_flag(&f->conf, "ocpp.prot=1", &f->errors));
    assert_non_null(strstr(f->errors.text.at, "--ocpp.prot: unknown key \"prot\""));
    assert_false(conf_read_flag(&f->conf, "nonsense", &f->errors));
    assert_false(conf_read_flag(&f->conf, "ocpp.port", &f->errors));
    assert_non_null(strstr(f->errors.text.at, "--ocpp.port: expected a value"));
}

/* holds: T11 */
static void liveness_must_not_cut_healthy_chargers(void **state)
{
    struct fixture *f = *state;
    assert_true(conf_check(&f->conf, &f->errors));
    assert_int_equal(f->conf.ocpp.idle_timeout_ms, 900000);
    read_text(f, "[ocpp]\nidle_timeout = 5m\n");
    assert_false(conf_check(&f->conf, &f->errors));
    assert_non_null(strstr(f->errors.text.at, "at least 3 x"));
}

static void rest_beyond_loopback_needs_a_key_of_ones_own(void **state)
{
    struct fixture *f = *state;
    read_text(f, "[rest]\naddress = 0.0.0.0\n");
    assert_false(conf_check(&f->conf, &f->errors));
    assert_non_null(strstr(f->errors.text.at, "under [rest]"));
    read_text(f, "[rest]\nkey = of-my-own\n");
    assert_true(conf_check(&f->conf, &f->errors));
    assert_true(conf_is_loopback("127.0.0.1") && conf_is_loopback("::1"));
    assert_false(conf_is_loopback("::") || conf_is_loopback("10.0.0.1"));
}

static void an_unreadable_file_is_an_error(void **state)
{
    struct fixture *f = *state;
    assert_false(conf_read_file(&f->conf, "/nowhere/cb.conf", &f->errors));
    assert_non_null(strstr(f->errors.text.at, "/nowhere/cb.conf: cannot read"));
    assert_false(conf_read_file(&f->conf, "/", &f->errors));
}

static void the_shipped_example_is_the_table(void **state)
{
    struct fixture *f = *state;
    struct strbuf printed = {0}, shipped = {0};
    char buffer[4096];
    size_t n;
    conf_print_example(&printed);
    FILE *file = fopen(TESTS_DIR "/../examples/chargebridge.conf", "r");
    assert_non_null(file);
    while ((n = fread(buffer, 1, sizeof(buffer), file)) > 0)
        strbuf_add(&shipped, buffer, n);
    fclose(file);
    assert_string_equal(strbuf_text(&shipped), strbuf_text(&printed));
    read_text(f, strbuf_text(&printed));
    assert_int_equal(f->errors.count, 0);
    strbuf_clear(&printed);
    strbuf_clear(&shipped);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_default_reads_and_is_within_its_limits),
        TEST(the_defaults_are_those_of_the_design),
        TEST(values_of_each_type),
        TEST(errors_name_file_line_and_the_nearest_key),
        TEST(all_errors_of_a_file_are_collected),
        TEST(environment_and_flags_override),
        TEST(unknown_variables_and_flags_are_errors),
        TEST(liveness_must_not_cut_healthy_chargers),
        TEST(rest_beyond_loopback_needs_a_key_of_ones_own),
        TEST(an_unreadable_file_is_an_error),
        TEST(the_shipped_example_is_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

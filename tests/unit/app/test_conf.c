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

/* Reads well, and is refused by the rules between keys. */
static void expect_refused(struct fixture *f, const char *text, const char *part)
{
    read_text(f, text);
    assert_int_equal(f->errors.count, 0);
    assert_false(conf_check(&f->conf, &f->errors));
    if (!strstr(strbuf_text(&f->errors.text), part))
        fail_msg("\"%s\" is not in:\n%s", part, strbuf_text(&f->errors.text));
    strbuf_reset(&f->errors.text);
    f->errors.count = 0;
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

static void sizes_in_each_spelling(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {{"2048", 2048},    {"2048B", 2048}, {"2KiB", 2048},
                 {"2 KiB", 2048},   {"2k", 2048},    {"2K", 2048},
                 {"3MiB", 3 << 20}, {"3M", 3 << 20}, {"64mib", 64 << 20}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char text[64];
        snprintf(text, sizeof(text), "[ocpp]\nmax_message = %s\n", sizes[i].text);
        read_text(f, text);
        assert_int_equal(f->errors.count, 0);
        assert_int_equal(f->conf.ocpp.max_message, sizes[i].bytes);
    }
}

/* As editors on other systems write them. */
static void a_byte_order_mark_and_carriage_returns(void **state)
{
    struct fixture *f = *state;
    read_text(f, "\xEF\xBB\xBF[ocpp]\r\nport = 9001\r\npath = /x # y\r\n\r\n");
    assert_int_equal(f->errors.count, 0);
    assert_int_equal(f->conf.ocpp.port, 9001);
    assert_string_equal(f->conf.ocpp_path, "/x");
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
    expect_error(f, "[ocpp]\nport = 70000\n", "expected a whole number, from 0 to 65535");
    expect_error(f, "[ocpp]\nping_interval = 60\n", "expected a time with a unit");
    expect_error(f, "[ocpp]\nheartbeat_interval = 500ms\n", "expected whole seconds with a unit");
    expect_error(f, "[ocpp]\nheartbeat_interval = 2d\n",
                 "expected whole seconds with a unit (30s, 5m, 2h), from 1s to 1d");
    expect_error(f, "[ocpp]\nmax_message = big\n",
                 "expected a size (65536, 64KiB, 1MiB), from 1KiB to 64MiB");
    expect_error(f, "[ocpp]\nmax_message = 9999999999GiB\n", "expected a size");
    expect_error(f, "[ocpp]\nmax_message = 99999999999999999999\n", "expected a size");
    expect_error(f, "[ocpp]\nmax_message = 1KiBB\n", "expected a size");
    expect_error(f, "[ocpp]\nboot_grace = -1s\n", "from 0s to 1h");
    expect_error(f, "[ocpp]\nidle_timeout = none\n", "expected auto or a time with a unit");
    expect_error(f, "[ocpp]\nport =\n", "ocpp.port = \"\": expected a whole number");
    expect_error(f, "[ocpp]\nregistration = maybe\n", "expected one of closed, pending, open");
    expect_error(f, "[ocpp]\nstrict = perhaps\n", "expected yes or no");
    expect_error(f, "[policies]\ntime_zone = Berlin\n", "expected an offset from UTC");
    expect_error(f, "[ocpp\nport = 1\n", "cb.conf:1: expected ] at the end");
    expect_error(f, "[ocpp]\njust words\n", "cb.conf:2: expected `key = value` or [section]");
    expect_error(f, "port = 1\n", "cb.conf:1: \"port\" stands before the first [section]");
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
    read_text(f, "[ocpp]\nidle_timeout = auto\nping_interval = 10m\n");
    assert_true(conf_check(&f->conf, &f->errors));
    assert_int_equal(f->conf.ocpp.idle_timeout_ms, 1800000);
    read_text(f, "[ocpp]\nidle_timeout = 30m\n");
    assert_true(conf_check(&f->conf, &f->errors));
    expect_refused(f, "[ocpp]\nidle_timeout = 29m\n",
                   "cb.conf:2: ocpp.idle_timeout is 1740s; it must be at least 3 x");
}

static void rest_beyond_loopback_needs_a_key_of_ones_own(void **state)
{
    struct fixture *f = *state;
    expect_refused(f, "[rest]\naddress = 0.0.0.0\n",
                   "cb.conf:2: rest.address is 0.0.0.0, which others can reach, but rest.key is "
                   "still changeme-123 (default); write `key = …` of your own under [rest]");
    expect_refused(f, "[rest]\n\nkey = changeme-123\n", "still changeme-123 (cb.conf:3)");
    read_text(f, "[rest]\nkey = of-my-own\n");
    assert_true(conf_check(&f->conf, &f->errors));
    assert_true(conf_is_loopback("127.0.0.1") && conf_is_loopback("::1"));
    assert_false(conf_is_loopback("::") || conf_is_loopback("10.0.0.1"));
}

static void rules_between_keys(void **state)
{
    struct fixture *f = *state;
    char *environment[] = {"CB_OCPP_PATH=ocpp", NULL};
    expect_refused(f, "[policies]\nrun_warn = 200ms\n", "cb.conf:2: policies.run_warn is longer");
    expect_refused(f, "[policies]\nrun_warn = 1ms\nload_file = 6s\n",
                   "cb.conf:3: policies.load_file is longer");
    expect_refused(f, "[policies]\nload_file = 1s\n[ocpp]\naddress = nowhere\n",
                   "cb.conf:4: ocpp.address = \"nowhere\": expected an IP address");
    expect_refused(f, "[ocpp]\naddress = ::\n[rest]\naddress = 1.2.x\n",
                   "cb.conf:4: rest.address = \"1.2.x\": expected an IP address");
    read_text(f, "[rest]\naddress = ::1\n[ocpp]\nshutdown = drop\n");
    assert_true(conf_check(&f->conf, &f->errors));
    assert_true(f->conf.ocpp.drop_on_shutdown);
    conf_read_environment(&f->conf, environment, &f->errors);
    expect_refused(f, "", "environment: CB_OCPP_PATH: ocpp.path is \"ocpp\"; it must begin with /");
}

static void an_unreadable_file_is_an_error(void **state)
{
    struct fixture *f = *state;
    assert_false(conf_read_file(&f->conf, "/nowhere/cb.conf", &f->errors));
    assert_non_null(strstr(f->errors.text.at, "/nowhere/cb.conf: cannot read"));
    assert_false(conf_read_file(&f->conf, "/", &f->errors));
}

static void a_file_is_read(void **state)
{
    struct fixture *f = *state;
    assert_true(conf_read_file(&f->conf, TESTS_DIR "/../examples/chargebridge.conf", &f->errors));
    assert_true(conf_check(&f->conf, &f->errors));
    assert_int_equal(f->conf.ocpp.port, 9000);
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
        TEST(sizes_in_each_spelling),
        TEST(a_byte_order_mark_and_carriage_returns),
        TEST(errors_name_file_line_and_the_nearest_key),
        TEST(all_errors_of_a_file_are_collected),
        TEST(environment_and_flags_override),
        TEST(unknown_variables_and_flags_are_errors),
        TEST(liveness_must_not_cut_healthy_chargers),
        TEST(rest_beyond_loopback_needs_a_key_of_ones_own),
        TEST(rules_between_keys),
        TEST(an_unreadable_file_is_an_error),
        TEST(a_file_is_read),
        TEST(the_shipped_example_is_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Log lines: both formats, quoting of hostile values, tags, levels, the sink, one write per line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

enum { THREADS = 4, LINES_EACH = 200 };

static struct strbuf logged;

static void keep_line(void *ctx, const char *line, size_t len)
{
    assert_int_equal(strlen(line), len);
    strbuf_add(ctx, line, len);
    strbuf_addc(ctx, '\n');
}

static int set_up(void **state)
{
    (void)state;
    clock_fake(1767225600000);
    log_setup(LOG_INFO, false);
    log_redirect(keep_line, &logged);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_redirect(NULL, NULL);
    strbuf_clear(&logged);
    clock_real();
    return 0;
}

static void test_logfmt(void **state)
{
    (void)state;
    LOG(LOG_INFO, "charge point connected", L_STR("cp", "CP1"), L_INT("connection", 7));
    LOG(LOG_ERROR, "done");
    assert_string_equal(logged.at,
                        "time=2026-01-01T00:00:00.000Z level=info msg=\"charge point connected\""
                        " cp=CP1 connection=7\n"
                        "time=2026-01-01T00:00:00.000Z level=error msg=done\n");
}

static void test_json(void **state)
{
    (void)state;
    log_setup(LOG_INFO, true);
    LOG(LOG_WARN, "two words", L_STR("cp", "a\"b"), L_INT("n", INT64_MIN), L_STR("none", NULL));
    assert_string_equal(logged.at, "{\"time\":\"2026-01-01T00:00:00.000Z\",\"level\":\"warn\","
                                   "\"msg\":\"two words\",\"cp\":\"a\\\"b\","
                                   "\"n\":-9223372036854775808}\n");
}

/* The value of field `v` as it is logged. */
static const char *value_logged(const char *value)
{
    strbuf_reset(&logged);
    LOG(LOG_INFO, "m", L_STR("v", value));
    const char *field = strstr(logged.at, " v=");
    assert_non_null(field);
    logged.at[logged.len - 1] = '\0'; /* the newline of keep_line */
    return field + 3;
}

static void test_logfmt_quoting(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"bare", "bare"},
        {"a:b/c?d&e{}[]'", "a:b/c?d&e{}[]'"},
        {"Ladesäule", "Ladesäule"},
        {"", "\"\""},
        {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},
        {"a\"b", "\"a\\\"b\""},
        {"a\\b", "\"a\\\\b\""},
        {"x\nlevel=error msg=forged", "\"x\\nlevel=error msg=forged\""},
        {"\r\t", "\"\\r\\t\""},
        {"\x1b[31m", "\"\\u001b[31m\""},
        {"\x7F", "\"\\u007f\""},
        {"\xC2\x9B"
         "31m",
         "\"\\u009b31m\""},
        {"a\xFFz", "\"a\\ufffdz\""},
        {"\xE2\x82", "\"\\ufffd\\ufffd\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(value_logged(rows[i][0]), rows[i][1]);
}

static void test_json_lines_are_json(void **state)
{
    (void)state;
    struct arena arena = {0};
    log_setup(LOG_INFO, true);
    for (int first = 1; first < 256; first++) {
        char value[4] = {(char)first, '\x80', 'x', '\0'};
        strbuf_reset(&logged);
        LOG(LOG_INFO, value, L_STR("v", value), L_TAG("tag", value));
        struct json *line = json_parse(&arena, logged.at, logged.len, NULL, NULL);
        assert_non_null(line);
        assert_non_null(json_gets(line, "v"));
    }
    arena_clear(&arena);
}

static void test_long_values_are_cut(void **state)
{
    (void)state;
    char *value = xmalloc(100001);
    memset(value, 'x', 100000);
    value[100000] = '\0';
    const char *shown = value_logged(value);
    assert_true(strlen(shown) < 2100);
    assert_string_equal(shown + strlen(shown) - strlen("x…"), "x…");
    xfree(value);
}

static const char *tag_logged(const char *tag)
{
    strbuf_reset(&logged);
    LOG(LOG_INFO, "m", L_TAG("tag", tag));
    const char *field = strstr(logged.at, " tag=");
    return field ? field + 5 : NULL;
}

static void test_tags_are_hidden(void **state)
{
    (void)state;
    assert_string_equal(tag_logged("DEADBEEF"), "DEAD…\n");
    assert_string_equal(tag_logged("DEAD"), "DEAD…\n");
    assert_string_equal(tag_logged("AB"), "AB…\n");
    assert_string_equal(tag_logged(""), "\"…\"\n");
    assert_string_equal(tag_logged("äöüßx"), "äöüß…\n");
    assert_string_equal(tag_logged("A\nBCDEF"), "\"A\\nBC…\"\n");
    assert_null(tag_logged(NULL));
    log_setup(LOG_DEBUG, false);
    assert_string_equal(tag_logged("DEADBEEF"), "DEADBEEF\n");
}

static void test_levels(void **state)
{
    (void)state;
    log_setup(LOG_WARN, false);
    assert_true(log_enabled(LOG_ERROR));
    assert_true(log_enabled(LOG_WARN));
    assert_false(log_enabled(LOG_INFO));
    errno = ERANGE;
    LOG(LOG_INFO, "silent");
    LOG(LOG_DEBUG, "silent");
    assert_int_equal(logged.len, 0);
    LOG(LOG_WARN, "said");
    assert_non_null(strstr(strbuf_text(&logged), "level=warn msg=said"));
    assert_int_equal(errno, ERANGE);
    log_setup(LOG_DEBUG, false);
    LOG(LOG_DEBUG, "said");
    assert_non_null(strstr(strbuf_text(&logged), "level=debug msg=said"));
}

static void *write_lines(void *unused)
{
    (void)unused;
    for (int i = 0; i < LINES_EACH; i++)
        LOG(LOG_INFO, "from a thread", L_INT("i", i), L_STR("text", "some text with words"));
    return NULL;
}

/* Lines of several threads on one pipe stay whole. */
static void test_stderr_gets_whole_lines(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    log_redirect(NULL, NULL);
    log_setup(LOG_INFO, true);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, write_lines, NULL);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);

    struct arena arena = {0};
    char line[512];
    int lines = 0;
    rewind(file);
    while (fgets(line, sizeof line, file)) {
        assert_non_null(json_parse(&arena, line, strlen(line), NULL, NULL));
        lines++;
    }
    assert_int_equal(lines, THREADS * LINES_EACH);
    fclose(file);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_logfmt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_logfmt_quoting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_lines_are_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_values_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tags_are_hidden, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_levels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stderr_gets_whole_lines, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

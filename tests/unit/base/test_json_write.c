/* The writers: escapes, invalid bytes, every frame of the capture there and back, the stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static struct strbuf out;

static int clear_out(void **state)
{
    (void)state;
    strbuf_clear(&out);
    return 0;
}

static void test_string_escapes(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        const char *expected;
    } rows[] = {
        {SPAN(""), "\"\""},
        {SPAN("plain / text"), "\"plain / text\""},
        {SPAN("\"\\"), "\"\\\"\\\\\""},
        {SPAN("\b\f\n\r\t\v"), "\"\\b\\f\\n\\r\\t\\u000b\""},
        {SPAN("\x01\x1F\x7F"), "\"\\u0001\\u001f\x7F\""},
        {SPAN("a\0b"), "\"a\\u0000b\""},
        {SPAN("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {SPAN("a\x80z"), "\"a\xEF\xBF\xBDz\""},
        {SPAN("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {SPAN("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        strbuf_reset(&out);
        json_write_string(&out, rows[i].text);
        assert_string_equal(out.at, rows[i].expected);
    }
    strbuf_reset(&out);
    json_write_string(&out, span_of(NULL));
    assert_string_equal(out.at, "\"\"");
}

/* Every byte pair comes out as text that the strict reader takes. */
static void test_whatever_is_written_can_be_read(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (unsigned pair = 0x0100; pair <= 0xFFFF; pair++) {
        char text[2] = {(char)(pair >> 8), (char)(pair & 0xFF)};
        if (text[1] == '\0')
            continue; /* written as \u0000, which the reader refuses */
        strbuf_reset(&out);
        json_write_string(&out, (struct span){text, 2});
        assert_non_null(json_parse(&arena, out.at, out.len, NULL, NULL));
        if (pair % 1024 == 0)
            arena_clear(&arena);
    }
    arena_clear(&arena);
}

static void round_trip(const char *text, size_t len)
{
    struct arena arena = {0};
    struct json *first = json_parse(&arena, text, len, NULL, NULL);
    assert_non_null(first);
    strbuf_reset(&out);
    json_write(&out, first);
    struct json *second = json_parse(&arena, out.at, out.len, NULL, NULL);
    assert_non_null(second);
    assert_true(json_equal(first, second));
    arena_clear(&arena);
}

static void test_capture_round_trip(void **state)
{
    (void)state;
    const char *path = SHARED_DIR "/captures/gresgying-1.jsonl";
    FILE *file = fopen(path, "r");
    if (!file) {
        print_message("[  SKIPPED ] no capture at %s\n", path);
        skip();
        return;
    }
    char *line = NULL;
    size_t room = 0;
    for (ssize_t len; (len = getline(&line, &room, file)) > 0;)
        round_trip(line, (size_t)len);
    free(line);
    fclose(file);
}

static void test_tree_is_written_compactly(void **state)
{
    (void)state;
    const char *text =
        " { \"a\" : [ ] , \"b\" : { } , \"c\" : [ 1 , -0 , 1.0 , 1e5 , true , null ] ,"
        " \"\\n\" : \"\\u00e4\" } ";
    struct arena arena = {0};
    json_write(&out, json_parse(&arena, text, strlen(text), NULL, NULL));
    assert_string_equal(out.at,
                        "{\"a\":[],\"b\":{},\"c\":[1,-0,1.0,1e5,true,null],\"\\n\":\"\xC3\xA4\"}");
    strbuf_reset(&out);
    json_write(&out, NULL);
    assert_string_equal(out.at, "null");
    arena_clear(&arena);
}

static void test_stream(void **state)
{
    (void)state;
    struct json_out o = {.to = &out};
    json_open(&o, '{');
    json_key(&o, "id");
    json_put_int(&o, INT64_MIN);
    json_key(&o, "list");
    json_open(&o, '[');
    json_put_string(&o, "a\"b");
    json_put_string(&o, NULL);
    json_put_span(&o, SPAN("span"));
    json_put_span(&o, span_of(NULL));
    json_put_double(&o, 0.25);
    json_put_double(&o, (double)NAN);
    json_put_bool(&o, true);
    json_put_bool(&o, false);
    json_put_null(&o);
    json_open(&o, '[');
    json_close(&o, ']');
    json_open(&o, '{');
    json_close(&o, '}');
    json_close(&o, ']');
    json_key(&o, "raw");
    json_put_raw(&o, SPAN("{\"x\":1}"));
    json_key(&o, "none");
    json_put_raw(&o, span_of(NULL));
    json_close(&o, '}');
    assert_string_equal(out.at, "{\"id\":-9223372036854775808,"
                                "\"list\":[\"a\\\"b\",null,\"span\",null,0.25,null,true,false,null,"
                                "[],{}],\"raw\":{\"x\":1},\"none\":null}");
}

static void test_cap_of_the_buffer_is_kept(void **state)
{
    (void)state;
    struct strbuf small = {.cap = 10};
    struct json_out o = {.to = &small};
    json_open(&o, '[');
    for (int i = 0; i < 100; i++)
        json_put_string(&o, "longer than the buffer");
    json_close(&o, ']');
    assert_true(small.overflow);
    assert_true(small.len <= 10);
    strbuf_clear(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_string_escapes, clear_out),
        cmocka_unit_test_teardown(test_whatever_is_written_can_be_read, clear_out),
        cmocka_unit_test_teardown(test_capture_round_trip, clear_out),
        cmocka_unit_test_teardown(test_tree_is_written_compactly, clear_out),
        cmocka_unit_test_teardown(test_stream, clear_out),
        cmocka_unit_test_teardown(test_cap_of_the_buffer_is_kept, clear_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

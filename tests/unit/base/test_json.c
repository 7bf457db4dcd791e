/* The JSON reader: the same verdict and the same values as jansson, on a corpus written here, on
 * the frames of a real charger, and on thousands of damaged copies of both; then what jansson does
 * not have: raw spans, fault positions, limits.
 *
 * jansson and base share names. Its header is included under other names; what is not called does
 * not matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define json_equal jansson_equal
#define json_copy jansson_copy
#define json_number_double jansson_number_double
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_NULL JANSSON_NULL
#include <jansson.h>
#undef json_equal
#undef json_copy
#undef json_number_double
#undef json_is_number
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_NULL

#include "base/json.h"
#include "base/mem.h"
#include "json_corpus.h"

enum { DAMAGED_COPIES = 40 };

static struct arena arena;

static int clear_arena(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static struct json *parse(const char *text)
{
    struct reason why;
    return json_parse(&arena, text, strlen(text), &why, NULL);
}

static bool same_value(const struct json *ours, json_t *theirs);

static bool same_object(const struct json *ours, json_t *theirs)
{
    if (ours->count != json_object_size(theirs))
        return false;
    for (const struct json *member = ours->child; member; member = member->next) {
        json_t *value = json_object_get(theirs, member->key.at);
        if (strlen(member->key.at) != member->key.len || !value || !same_value(member, value))
            return false;
    }
    return true;
}

static bool same_array(const struct json *ours, json_t *theirs)
{
    size_t i = 0;
    if (ours->count != json_array_size(theirs))
        return false;
    for (const struct json *item = ours->child; item; item = item->next, i++) {
        if (item->key.at || !same_value(item, json_array_get(theirs, i)))
            return false;
    }
    return true;
}

static bool same_value(const struct json *ours, json_t *theirs)
{
    int64_t integer;
    double real;
    switch (json_typeof(theirs)) {
    case JANSSON_OBJECT:
        return ours->type == JSON_OBJECT && same_object(ours, theirs);
    case JANSSON_ARRAY:
        return ours->type == JSON_ARRAY && same_array(ours, theirs);
    case JANSSON_STRING:
        return ours->type == JSON_STRING && ours->text.len == json_string_length(theirs) &&
               memcmp(ours->text.at, json_string_value(theirs), ours->text.len + 1) == 0;
    case JSON_INTEGER:
        return json_int(ours, &integer) && integer == json_integer_value(theirs);
    case JSON_REAL:
        return ours->type == JSON_NUMBER && json_double(ours, &real) &&
               real == json_real_value(theirs);
    case JSON_TRUE:
    case JSON_FALSE:
        return ours->type == JSON_BOOL && ours->boolean == (json_typeof(theirs) == JSON_TRUE);
    case JANSSON_NULL:
        return ours->type == JSON_NULL;
    }
    return false;
}

/* Parses with both and compares. The only allowed differences: integers beyond 64 bits, which we
 * keep as text; our limits; and a NUL behind a number, which jansson overlooks. */
static void compare(const char *text, size_t len)
{
    struct arena scratch = {0};
    struct reason why = {""};
    json_error_t error;
    struct json *ours = json_parse(&scratch, text, len, &why, NULL);
    json_t *theirs = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    bool ok = (ours != NULL) == (theirs != NULL);
    if (ours && !theirs)
        ok = strstr(error.text, "too big ") != NULL && strstr(error.text, "integer") != NULL;
    else if (!ours && theirs)
        ok = strcmp(why.text, "nested too deeply") == 0 || memchr(text, '\0', len);
    else if (ours)
        ok = same_value(ours, theirs);
    if (!ok)
        fail_msg("%.*s\nours: %s\njansson: %s", (int)len, text, ours ? "taken" : why.text,
                 theirs ? "taken" : error.text);
    json_decref(theirs);
    arena_clear(&scratch);
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Copies with one byte changed, removed or doubled, or cut off; the same ones in each run. */
static void compare_damaged(const char *text, size_t len, int copies)
{
    static const char likely[] = "\"\\{}[]:,0-.eE1u \n\x01\x7F\x80\xC3\xED\xF4";
    uint32_t state = 2463534242U + (uint32_t)len;
    for (int i = 0; i < copies && len > 0; i++) {
        char *copy = xmalloc(len + 1);
        size_t copy_len = len;
        size_t at = next_random(&state) % len;
        memcpy(copy, text, len);
        switch (next_random(&state) % 4) {
        case 0:
            copy[at] = likely[next_random(&state) % sizeof likely];
            break;
        case 1:
            memmove(copy + at, copy + at + 1, len - at - 1);
            copy_len--;
            break;
        case 2:
            memmove(copy + at + 1, copy + at, len - at);
            copy_len++;
            break;
        default:
            copy_len = at;
        }
        /* On the heap and without a NUL, so that ASan sees any step over the end. */
        char *exact = xmalloc(copy_len);
        memcpy(exact, copy, copy_len);
        compare(exact, copy_len);
        xfree(exact);
        xfree(copy);
    }
}

static void test_corpus_as_jansson(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(corpus); i++) {
        compare(corpus[i].at, corpus[i].len);
        compare_damaged(corpus[i].at, corpus[i].len, DAMAGED_COPIES);
    }
}

/* The recorded lines are JSON themselves and hold the frames as strings. */
static void test_capture_as_jansson(void **state)
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
    size_t frames = 0;
    for (ssize_t len; (len = getline(&line, &room, file)) > 0;) {
        compare(line, (size_t)len);
        struct json *record = json_parse(&arena, line, (size_t)len, NULL, NULL);
        assert_non_null(record);
        struct json *frame = json_get(record, "frame");
        if (json_text(frame)) {
            compare(frame->text.at, frame->text.len);
            compare_damaged(frame->text.at, frame->text.len, 4);
            frames++;
        }
        arena_clear(&arena);
    }
    free(line);
    fclose(file);
    assert_true(frames > 0);
}

static void test_strings_are_terminated_and_decoded(void **state)
{
    (void)state;
    struct json *root = parse("{\"k\\u0065y\":\"a\\tb\",\"plain\":\"text\"}");
    assert_non_null(root);
    assert_string_equal(root->child->key.at, "key");
    assert_int_equal(root->child->key.len, 3);
    assert_string_equal(json_gets(root, "key"), "a\tb");
    assert_string_equal(json_gets(root, "plain"), "text");
    assert_int_equal(json_get(root, "plain")->text.len, 4);
}

static void test_raw_points_into_the_text(void **state)
{
    (void)state;
    const char *text = " [2 , \"a\\n\" , { \"x\" : 1.50 } , -7 ] ";
    struct json *root = parse(text);
    assert_non_null(root);
    assert_ptr_equal(root->raw.at, text + 1);
    assert_int_equal(root->raw.len, strlen(text) - 2);
    const char *const raw[] = {"2", "\"a\\n\"", "{ \"x\" : 1.50 }", "-7"};
    size_t i = 0;
    for (struct json *item = root->child; item; item = item->next, i++) {
        assert_true(span_is(item->raw, raw[i]));
        assert_true(item->raw.at > text && item->raw.at < text + strlen(text));
    }
    assert_int_equal(i, 4);
    assert_true(span_is(json_get(root->child->next->next, "x")->text, "1.50"));
    assert_true(span_is(root->last->text, "-7"));
}

static void test_number_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum json_type type;
    } rows[] = {{"0", JSON_INT},
                {"-0", JSON_INT},
                {"999999999999999999", JSON_INT},
                {"-999999999999999999", JSON_INT},
                {"1000000000000000000", JSON_NUMBER},
                {"3.0", JSON_NUMBER},
                {"1e2", JSON_NUMBER}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json *node = parse(rows[i].text);
        assert_non_null(node);
        assert_int_equal(node->type, rows[i].type);
        assert_true(span_is(node->text, rows[i].text));
    }
    assert_int_equal(parse("-999999999999999999")->integer, -999999999999999999);
}

static void test_faults_say_what_and_where(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        size_t at;
        const char *why;
    } rows[] = {
        {SPAN(""), 0, "expected a value, got the end of the text"},
        {SPAN("[1,"), 3, "expected a value, got the end of the text"},
        {SPAN("[1}"), 2, "expected ',' or ']', got '}'"},
        {SPAN("{\"a\" 1}"), 5, "expected ':', got '1'"},
        {SPAN("{\"a\":1 2}"), 7, "expected ',' or '}', got '2'"},
        {SPAN("{a:1}"), 1, "expected a member name, got 'a'"},
        {SPAN("[1] \xFF"), 4, "expected the end of the text, got byte 0xFF"},
        {SPAN("[01]"), 1, "expected a number"},
        {SPAN("[1e999]"), 1, "number too large"},
        {SPAN("[\"abc]"), 1, "string without end"},
        {SPAN("[\"a\\qc\"]"), 3, "unknown escape in a string"},
        {SPAN("\"a\\u12x4\""), 2, "expected four hex digits after \\u"},
        {SPAN("\"\\u0000\""), 1, "U+0000 in a string"},
        {SPAN("\"xx\\udc00\""), 3, "lone surrogate in a string"},
        {SPAN("\"xx\x80\""), 3, "invalid UTF-8"},
        {SPAN("\"xx\n\""), 3, "control character in a string"},
        {SPAN("{\"a\":1,\"a\":2}"), 7, "duplicate key \"a\""},
        {SPAN("{\"a\\n\":1,\"a\\n\":2}"), 9, "duplicate key \"a\n\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reason why;
        size_t at = 999;
        assert_null(json_parse(&arena, rows[i].text.at, rows[i].text.len, &why, &at));
        assert_string_equal(why.text, rows[i].why);
        assert_int_equal(at, rows[i].at);
        assert_null(json_parse(&arena, rows[i].text.at, rows[i].text.len, NULL, NULL));
    }
}

static void test_depth_is_limited(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 8];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct reason why;
        size_t at = 0;
        bool taken = json_parse(&arena, text, 2 * depth, &why, &at) != NULL;
        assert_int_equal(taken, depth <= JSON_DEPTH_MAX);
        if (!taken)
            assert_int_equal(at, JSON_DEPTH_MAX);
    }
}

static void test_nodes_are_limited(void **state)
{
    (void)state;
    struct strbuf text = {0};
    strbuf_addc(&text, '[');
    for (int i = 1; i < JSON_NODES_MAX; i++)
        strbuf_adds(&text, i == 1 ? "1" : ",1");
    text.at[text.len] = ']'; /* the array and its items are JSON_NODES_MAX nodes */
    assert_non_null(json_parse(&arena, text.at, text.len + 1, NULL, NULL));
    text.at[text.len] = '\0';
    strbuf_adds(&text, ",1]");
    struct reason why;
    assert_null(json_parse(&arena, text.at, text.len, &why, NULL));
    assert_string_equal(why.text, "too many values");
    strbuf_clear(&text);
}

/* {"k0":0,…}; with `twice` >= 0 that key comes again at the end. */
static struct json *parse_object_of(int members, int twice, size_t *fault_at)
{
    struct strbuf text = {0};
    strbuf_addc(&text, '{');
    for (int i = 0; i < members; i++)
        strbuf_addf(&text, "%s\"k%d\":%d", i ? "," : "", i, i);
    if (twice >= 0)
        strbuf_addf(&text, ",\"k%d\":0", twice);
    strbuf_addc(&text, '}');
    struct json *root = json_parse(&arena, text.at, text.len, NULL, fault_at);
    if (!root)
        assert_memory_equal(text.at + *fault_at, "\"k", 2);
    strbuf_clear(&text); /* keys and strings live in the arena; raw is not looked at */
    return root;
}

static void test_duplicates_in_objects_of_any_size(void **state)
{
    (void)state;
    size_t at;
    for (int members = 1; members < 40; members++) {
        assert_non_null(parse_object_of(members, -1, &at));
        for (int twice = 0; twice < members; twice++) {
            at = 0;
            assert_null(parse_object_of(members, twice, &at));
            assert_true(at > 1);
        }
    }
}

/* Would take minutes if each key were compared with all others. */
static void test_large_objects_take_no_quadratic_time(void **state)
{
    (void)state;
    size_t at;
    struct json *root = parse_object_of(JSON_NODES_MAX - 2, -1, &at);
    assert_non_null(root);
    assert_int_equal(root->count, JSON_NODES_MAX - 2);
    assert_null(parse_object_of(JSON_NODES_MAX - 2, 7, &at));
}

static void test_first_of_several_duplicates_is_named(void **state)
{
    (void)state;
    struct strbuf text = {0};
    strbuf_addc(&text, '{');
    for (int i = 0; i < 30; i++)
        strbuf_addf(&text, "\"k%d\":0,", i);
    size_t first = text.len;
    strbuf_adds(&text, "\"k20\":0,\"k3\":0}");
    struct reason why;
    size_t at = 0;
    assert_null(json_parse(&arena, text.at, text.len, &why, &at));
    assert_int_equal(at, first);
    assert_string_equal(why.text, "duplicate key \"k20\"");
    strbuf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_corpus_as_jansson, clear_arena),
        cmocka_unit_test_teardown(test_capture_as_jansson, clear_arena),
        cmocka_unit_test_teardown(test_strings_are_terminated_and_decoded, clear_arena),
        cmocka_unit_test_teardown(test_raw_points_into_the_text, clear_arena),
        cmocka_unit_test_teardown(test_number_kinds, clear_arena),
        cmocka_unit_test_teardown(test_faults_say_what_and_where, clear_arena),
        cmocka_unit_test_teardown(test_depth_is_limited, clear_arena),
        cmocka_unit_test_teardown(test_nodes_are_limited, clear_arena),
        cmocka_unit_test_teardown(test_duplicates_in_objects_of_any_size, clear_arena),
        cmocka_unit_test_teardown(test_large_objects_take_no_quadratic_time, clear_arena),
        cmocka_unit_test_teardown(test_first_of_several_duplicates_is_named, clear_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

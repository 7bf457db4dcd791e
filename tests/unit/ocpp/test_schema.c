/* The tables of 1.6 against the schemas, where those are next to the checkout (they are not ours to
 * ship; without them the tests report themselves as skipped).
 *
 * First field by field, both ways. Then by behaviour: for each schema a minimal and a maximal valid
 * sample and every mutation of each are judged by payload_check() and by a small validator in this
 * file that knows the schema only; the verdicts must agree. The same samples show that lenient
 * reading keeps what payload.h guarantees. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ocpp/payload.h"

#define SCHEMAS SHARED_DIR "/ocpp-schemas/"
#define VALID_TIME "2025-07-14T05:20:08.020Z"
#define VALID_URI "ftp://user@host/dir"

static struct arena schemas; /* for one message at a time */
static struct arena scratch; /* for one sample at a time */
static struct {
    size_t fields, samples, valid;
} judged;

/* Reading schemas. */

static char *file_text(const char *path, size_t *len)
{
    FILE *file = fopen(path, "r");
    struct strbuf text = {0};
    char block[4096];
    size_t n;
    if (file == NULL)
        return NULL;
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        strbuf_add(&text, block, n);
    fclose(file);
    return strbuf_take(&text, len);
}

/* The schema of a request (suffix "") or a response, or NULL. */
static const struct json *schema_load(const char *action, const char *suffix)
{
    char path[512];
    size_t len;
    struct reason why;
    snprintf(path, sizeof path, SCHEMAS "1.6/%s%s.json", action, suffix);
    char *text = file_text(path, &len);
    if (text == NULL)
        return NULL;
    const struct json *schema =
        json_parse(&schemas, arena_strndup(&schemas, text, len), len, &why, NULL);
    xfree(text);
    assert_non_null(schema);
    return schema;
}

static void skip_without_schemas(void)
{
    if (schema_load("Heartbeat", "") == NULL) {
        print_message("skipped: no schemas next to the checkout\n");
        skip();
    }
}

/* Follows `$ref`, which in these files always names a definition of the same file. */
static const struct json *resolve(const struct json *root, const struct json *schema)
{
    static const char prefix[] = "#/definitions/";
    const char *ref = json_gets(schema, "$ref");
    if (ref == NULL)
        return schema;
    assert_memory_equal(ref, prefix, sizeof prefix - 1);
    const struct json *found = json_get(json_get(root, "definitions"), ref + sizeof prefix - 1);
    assert_non_null(found);
    return found;
}

static bool is_type(const struct json *schema, const char *type)
{
    const char *found = json_gets(schema, "type");
    assert_non_null(found);
    return strcmp(found, type) == 0;
}

static bool has_format(const struct json *schema, const char *format)
{
    return text_is(json_gets(schema, "format"), format);
}

/* An integer keyword; `fallback` when it is missing. */
static int64_t limit_of(const struct json *schema, const char *keyword, int64_t fallback)
{
    int64_t value = fallback;
    json_int(json_get(schema, keyword), &value);
    return value;
}

static bool in_list(const struct json *list, struct span word)
{
    for (const struct json *item = list != NULL ? list->child : NULL; item; item = item->next) {
        if (item->text.len == word.len && memcmp(item->text.at, word.at, word.len) == 0)
            return true;
    }
    return false;
}

/* Field by field. */

/* A keyword that this test does not know would be a rule that our tables miss. */
static void check_keywords(const struct json *schema)
{
    static const char *const known[] = {
        "$schema",    "$id",        "title",       "type",
        "properties", "required",   "enum",        "format",
        "items",      "minItems",   "maxLength",   "additionalProperties",
        "javaType",   "multipleOf", "definitions", "additionalItems"};
    for (const struct json *keyword = schema->child; keyword != NULL; keyword = keyword->next) {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(known) && !found; i++)
            found = span_is(keyword->key, known[i]);
        if (!found)
            fail_msg("unknown keyword %.*s", (int)keyword->key.len, keyword->key.at);
    }
}

static void compare_object(const struct json *root, const struct json *schema,
                           const struct field *fields);

static void compare_words(const struct json *words, const struct field *field)
{
    uint32_t count = 0;
    for (; field->words[count] != NULL; count++)
        assert_true(in_list(words, span_of(field->words[count])));
    assert_int_equal(count, words->count);
}

static void compare_string(const struct json *schema, const struct field *field)
{
    assert_int_equal(field->max, limit_of(schema, "maxLength", 0));
    assert_int_equal(field->type == FIELD_ENUM, json_get(schema, "enum") != NULL);
    assert_int_equal(field->type == FIELD_TIME, has_format(schema, "date-time"));
    assert_int_equal(field->type == FIELD_URI, has_format(schema, "uri"));
    if (field->type == FIELD_ENUM)
        compare_words(json_get(schema, "enum"), field);
    else
        assert_in_range(field->type, FIELD_STRING, FIELD_URI);
}

static void compare_value(const struct json *root, const struct json *schema,
                          const struct field *field)
{
    double step = 0;
    check_keywords(schema);
    json_double(json_get(schema, "multipleOf"), &step);
    assert_true(step == (field->tenths ? 0.1 : 0.0));
    if (is_type(schema, "string")) {
        compare_string(schema, field);
    } else if (is_type(schema, "integer")) {
        assert_int_equal(field->type, FIELD_INT);
    } else if (is_type(schema, "number")) {
        assert_int_equal(field->type, FIELD_DECIMAL);
    } else if (is_type(schema, "boolean")) {
        assert_int_equal(field->type, FIELD_BOOL);
    } else {
        assert_int_equal(field->type, FIELD_OBJECT);
        compare_object(root, schema, field->fields);
    }
}

static void compare_field(const struct json *root, const struct json *schema,
                          const struct field *field)
{
    bool list = is_type(schema, "array");
    assert_int_equal(field->list, list);
    assert_int_equal(field->min_items, limit_of(schema, "minItems", 0));
    assert_int_equal(field->max_items, limit_of(schema, "maxItems", 0));
    if (list) {
        check_keywords(schema);
        schema = resolve(root, json_get(schema, "items"));
    }
    compare_value(root, schema, field);
    judged.fields++;
}

static void compare_object(const struct json *root, const struct json *schema,
                           const struct field *fields)
{
    check_keywords(schema);
    assert_true(is_type(schema, "object"));
    const struct json *closed = json_get(schema, "additionalProperties");
    assert_non_null(closed);
    assert_false(json_bool(closed, true));

    const struct json *properties = json_get(schema, "properties");
    const struct json *required = json_get(schema, "required");
    uint32_t count = 0;
    uint32_t required_count = 0;
    for (const struct field *f = fields; f->name != NULL; f++, count++) {
        const struct json *property = json_get(properties, f->name);
        if (property == NULL)
            fail_msg("%s is not in the schema", f->name);
        if (f->required != in_list(required, span_of(f->name)))
            fail_msg("%s: required or not?", f->name);
        required_count += f->required;
        compare_field(root, resolve(root, property), f);
    }
    assert_int_equal(count, properties != NULL ? properties->count : 0);
    assert_int_equal(required_count, required != NULL ? required->count : 0);
}

static void test_fields(void **state)
{
    (void)state;
    skip_without_schemas();
    for (const struct action *a = version_16.actions; a->name != NULL; a++) {
        const struct json *request = schema_load(a->name, "");
        const struct json *response = schema_load(a->name, "Response");
        if (request == NULL || response == NULL)
            fail_msg("no schema of %s", a->name);
        compare_object(request, request, a->request);
        compare_object(response, response, a->response);
        arena_clear(&schemas);
    }
    print_message("%zu fields compared\n", judged.fields);
}

static void test_actions(void **state)
{
    (void)state;
    skip_without_schemas();
    DIR *dir = opendir(SCHEMAS "1.6");
    assert_non_null(dir);
    size_t files = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct span name = span_of(entry->d_name);
        struct span action;
        if (entry->d_name[0] == '.')
            continue;
        files++;
        assert_true(span_cut(&name, '.', &action));
        static const char suffix[] = "Response";
        size_t cut = sizeof suffix - 1;
        if (action.len > cut && memcmp(action.at + action.len - cut, suffix, cut) == 0)
            action.len -= cut;
        assert_non_null(version_action(&version_16, action));
    }
    closedir(dir);
    assert_int_equal(files, 2 * version_16.action_count);
}

static void test_directions(void **state)
{
    (void)state;
    skip_without_schemas();
    size_t len;
    char *text = file_text(SCHEMAS "MANIFEST.tsv", &len);
    assert_non_null(text);
    struct span rest = {text, len};
    size_t count = 0;
    for (struct span line; span_cut(&rest, '\n', &line);) {
        struct span version, action, direction = {0};
        span_cut(&line, '\t', &version);
        if (!span_is(version, "1.6"))
            continue;
        assert_true(span_cut(&line, '\t', &action) && span_cut(&line, '\t', &direction));
        const struct action *found = version_action(&version_16, action);
        assert_non_null(found);
        assert_int_equal(found->direction, span_is(direction, "CP>CS")   ? FROM_CHARGE_POINT
                                           : span_is(direction, "CS>CP") ? FROM_CENTRAL_SYSTEM
                                                                         : FROM_BOTH);
        count++;
    }
    xfree(text);
    assert_int_equal(count, version_16.action_count);
}

/* The validator: the keywords of these schemas, no more. */

static bool matches(const char *pattern, const char *text)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static int64_t code_points(struct span text)
{
    int64_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.at[i] & 0xC0) != 0x80;
    return count;
}

static bool string_is_valid(const struct json *schema, const struct json *value)
{
    const struct json *words = json_get(schema, "enum");
    if (value->type != JSON_STRING)
        return false;
    if (words != NULL && !in_list(words, value->text))
        return false;
    if (code_points(value->text) > limit_of(schema, "maxLength", INT64_MAX))
        return false;
    if (has_format(schema, "date-time"))
        return matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?"
                       "(Z|[+-][0-9]{2}:[0-9]{2})$",
                       value->text.at);
    return !has_format(schema, "uri") ||
           matches("^[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-Z_a-z~\\[]*$", value->text.at);
}

static bool number_is_valid(const struct json *schema, const struct json *value)
{
    double number;
    if (!json_double(value, &number))
        return false;
    if (json_get(schema, "multipleOf") == NULL)
        return true;
    double tenths = number * 10;
    double distance = tenths - (double)(int64_t)(tenths + (tenths < 0 ? -0.5 : 0.5));
    return distance < 1e-6 && distance > -1e-6; /* with a tolerance, as binary floats need it */
}

static bool is_valid(const struct json *root, const struct json *schema, const struct json *value);

static bool object_is_valid(const struct json *root, const struct json *schema,
                            const struct json *object)
{
    const struct json *required = json_get(schema, "required");
    if (object->type != JSON_OBJECT)
        return false;
    for (const struct json *name = required ? required->child : NULL; name; name = name->next) {
        if (json_get(object, name->text.at) == NULL)
            return false;
    }
    for (const struct json *member = object->child; member != NULL; member = member->next) {
        char key[64];
        text_copy(key, sizeof key, member->key);
        const struct json *property = json_get(json_get(schema, "properties"), key);
        if (property == NULL || !is_valid(root, property, member))
            return false;
    }
    return true;
}

static bool array_is_valid(const struct json *root, const struct json *schema,
                           const struct json *array)
{
    if (array->type != JSON_ARRAY || array->count < limit_of(schema, "minItems", 0) ||
        array->count > limit_of(schema, "maxItems", INT64_MAX))
        return false;
    for (const struct json *item = array->child; item != NULL; item = item->next) {
        if (!is_valid(root, json_get(schema, "items"), item))
            return false;
    }
    return true;
}

static bool is_valid(const struct json *root, const struct json *schema, const struct json *value)
{
    schema = resolve(root, schema);
    if (is_type(schema, "object"))
        return object_is_valid(root, schema, value);
    if (is_type(schema, "array"))
        return array_is_valid(root, schema, value);
    if (is_type(schema, "string"))
        return string_is_valid(schema, value);
    if (is_type(schema, "number"))
        return number_is_valid(schema, value);
    return value->type == (is_type(schema, "integer") ? JSON_INT : JSON_BOOL);
}

/* Samples. */

static struct json *repeated(const char *text, int64_t count)
{
    struct strbuf out = {0};
    for (int64_t i = 0; i < count; i++)
        strbuf_adds(&out, text);
    struct json *node = json_new_string(&schemas, (struct span){strbuf_text(&out), out.len});
    strbuf_clear(&out);
    return node;
}

static struct json *sample_string(const struct json *schema, bool maximal)
{
    const struct json *words = json_get(schema, "enum");
    if (words != NULL)
        return json_new_string(&schemas, maximal ? words->last->text : words->child->text);
    if (has_format(schema, "date-time"))
        return json_new_string(&schemas, SPAN(VALID_TIME));
    if (has_format(schema, "uri"))
        return json_new_string(&schemas, SPAN(VALID_URI));
    return repeated("x", maximal ? limit_of(schema, "maxLength", 1000) : 1);
}

/* All properties, or the required ones; two items in each list, or as few as may be. */
static struct json *sample(const struct json *root, const struct json *schema, bool maximal)
{
    schema = resolve(root, schema);
    if (is_type(schema, "string"))
        return sample_string(schema, maximal);
    if (is_type(schema, "integer"))
        return json_new_int(&schemas, maximal ? INT64_MAX / 100 : 0);
    if (is_type(schema, "number"))
        return json_new_number(&schemas, maximal ? SPAN("21.4") : SPAN("6"));
    if (is_type(schema, "boolean"))
        return json_new_bool(&schemas, maximal);
    if (is_type(schema, "array")) {
        struct json *list = json_new(&schemas, JSON_ARRAY);
        int64_t count = maximal ? 2 : limit_of(schema, "minItems", 0);
        for (int64_t i = 0; i < count; i++)
            json_add(&schemas, list, NULL, sample(root, json_get(schema, "items"), maximal));
        return list;
    }
    struct json *object = json_new(&schemas, JSON_OBJECT);
    const struct json *properties = json_get(schema, "properties");
    for (const struct json *p = properties ? properties->child : NULL; p != NULL; p = p->next) {
        if (maximal || in_list(json_get(schema, "required"), p->key)) {
            char key[64];
            text_copy(key, sizeof key, p->key);
            json_add(&schemas, object, key, sample(root, p, maximal));
        }
    }
    return object;
}

/* Judging: the sample as it now is, by all who have an opinion. */

struct trial {
    const struct json *schema;
    const struct field *fields;
    struct json *sample;
};

static void assert_guarantees(const struct field *fields, const struct json *object);

static void assert_guaranteed(const struct field *field, const struct json *value)
{
    switch (field->type) {
    case FIELD_INT:
        assert_int_equal(value->type, JSON_INT);
        break;
    case FIELD_DECIMAL:
        assert_true(value->type == JSON_INT || value->type == JSON_NUMBER);
        break;
    case FIELD_BOOL:
        assert_int_equal(value->type, JSON_BOOL);
        break;
    case FIELD_OBJECT:
        assert_int_equal(value->type, JSON_OBJECT);
        assert_guarantees(field->fields, value);
        break;
    default:
        assert_int_equal(value->type, JSON_STRING);
        assert_int_equal(strlen(value->text.at), value->text.len);
    }
}

/* What payload.h promises after payload_read. */
static void assert_guarantees(const struct field *fields, const struct json *object)
{
    for (const struct field *f = fields; f->name != NULL; f++) {
        const struct json *value = json_get(object, f->name);
        assert_true(value != NULL || !f->needed);
        if (value == NULL)
            continue;
        if (!f->list) {
            assert_guaranteed(f, value);
            continue;
        }
        assert_int_equal(value->type, JSON_ARRAY);
        uint32_t count = 0;
        for (const struct json *item = value->child; item != NULL; item = item->next, count++)
            assert_guaranteed(f, item);
        assert_int_equal(count, value->count);
    }
}

static struct json *reparse(struct strbuf *text)
{
    struct reason why;
    struct json *tree = json_parse(&scratch, text->at, text->len, &why, NULL);
    assert_non_null(tree);
    return tree;
}

static void judge(const struct trial *t)
{
    struct strbuf text = {0};
    static struct payload_report report;
    json_write(&text, t->sample);
    struct json *payload = reparse(&text);
    bool valid = is_valid(t->schema, t->schema, payload);
    if (payload_check(t->fields, payload, &report) != valid)
        fail_msg("the schema says %s: %s (%s)", valid ? "valid" : "invalid", strbuf_text(&text),
                 report.count > 0 ? report.faults[0].message : "no fault found");
    bool strict = payload_read(t->fields, &scratch, payload, true, &report) == OCPP_OK;
    assert_int_equal(strict, valid);

    payload = reparse(&text);
    if (payload_read(t->fields, &scratch, payload, false, &report) == OCPP_OK)
        assert_guarantees(t->fields, payload);
    else
        assert_false(valid);
    judged.samples++;
    judged.valid += valid;
    arena_clear(&scratch);
    strbuf_clear(&text);
}

/* Judges the sample with `node` replaced for a moment. */
static void judge_with(const struct trial *t, struct json *node, const struct json *replacement)
{
    struct json saved = *node;
    *node = *replacement;
    node->key = saved.key;
    node->next = saved.next;
    judge(t);
    *node = saved;
}

static void judge_with_text(const struct trial *t, struct json *node, const char *text)
{
    struct reason why;
    const struct json *replacement = json_parse(&schemas, text, strlen(text), &why, NULL);
    assert_non_null(replacement);
    judge_with(t, node, replacement);
}

static void mutate(const struct trial *t, const struct json *schema, struct json *node);

static void mutate_string(const struct trial *t, const struct json *schema, struct json *node)
{
    static const char *const texts[] = {"\"\"",
                                        "\"Nonsense\"",
                                        "\"accepted\"",
                                        "\"2025-07-14\"",
                                        "\"2025-07-14T05:20:08\"",
                                        "\"2025-07-14T05:20:08+02:00\"",
                                        "\"2025-07-14 05:20:08Z\"",
                                        "\"http://a b\"",
                                        "\"urn:a\"",
                                        "\"no uri\""};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        judge_with_text(t, node, texts[i]);
    int64_t max = limit_of(schema, "maxLength", 0);
    if (max > 0) {
        judge_with(t, node, repeated("\xC3\xA9", max));
        judge_with(t, node, repeated("\xC3\xA9", max + 1));
        judge_with(t, node, repeated("x", max + 1));
    }
}

static void mutate_members(const struct trial *t, const struct json *schema, struct json *object)
{
    struct json saved = *object;
    json_addi(&schemas, object, "surplus", 1);
    judge(t);
    json_remove(object, "surplus");
    *object = saved;
    if (object->last != NULL)
        object->last->next = NULL;

    struct json *before = NULL;
    for (struct json *member = object->child; member != NULL;
         before = member, member = member->next) {
        char key[64];
        text_copy(key, sizeof key, member->key);
        mutate(t, resolve(t->schema, json_get(json_get(schema, "properties"), key)), member);
        /* And once without it. */
        struct json **link = before != NULL ? &before->next : &object->child;
        *link = member->next;
        object->count--;
        judge(t);
        *link = member;
        object->count++;
    }
}

static void mutate(const struct trial *t, const struct json *schema, struct json *node)
{
    static const char *const values[] = {"null", "true",   "false", "0",     "-7", "1.25",
                                         "0.1",  "-32.7",  "3.0",   "\"5\"", "[]", "{}",
                                         "[1]",  "[null]", "[{}]",  "[\"\"]"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        judge_with_text(t, node, values[i]);
    if (is_type(schema, "string"))
        mutate_string(t, schema, node);
    else if (is_type(schema, "object"))
        mutate_members(t, schema, node);
    else if (is_type(schema, "array")) {
        for (struct json *item = node->child; item != NULL; item = item->next)
            mutate(t, resolve(t->schema, json_get(schema, "items")), item);
    }
}

static void judge_message(const char *action, const char *suffix, const struct field *fields)
{
    for (int maximal = 0; maximal <= 1; maximal++) {
        const struct json *schema = schema_load(action, suffix);
        struct trial t = {.schema = schema, .fields = fields};
        t.sample = sample(schema, schema, maximal != 0);
        assert_true(is_valid(schema, schema, t.sample));
        judge(&t);
        mutate_members(&t, schema, t.sample);
        arena_clear(&schemas);
    }
}

static void test_verdicts(void **state)
{
    (void)state;
    skip_without_schemas();
    for (const struct action *a = version_16.actions; a->name != NULL; a++) {
        judge_message(a->name, "", a->request);
        judge_message(a->name, "Response", a->response);
    }
    print_message("%zu samples, %zu of them valid\n", judged.samples, judged.valid);
    assert_true(judged.samples > 5000);
    assert_true(judged.valid > 500);
}

static int clear_arenas(void **state)
{
    (void)state;
    arena_clear(&schemas);
    arena_clear(&scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_fields, clear_arenas),
        cmocka_unit_test_teardown(test_actions, clear_arenas),
        cmocka_unit_test_teardown(test_directions, clear_arenas),
        cmocka_unit_test_teardown(test_verdicts, clear_arenas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

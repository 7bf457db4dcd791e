/* The rows are complete, the printed types and manual are those that are checked in, and what the
 * manual names is really there. */
#include "api_world.h"

#include "policy/api.h"
#include "policy/build.h"

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct strbuf text = {0};
    char piece[4096];
    size_t len;
    if (!file)
        return xstrdup("");
    while ((len = fread(piece, 1, sizeof(piece), file)) > 0)
        strbuf_add(&text, piece, len);
    fclose(file);
    return strbuf_take(&text, NULL);
}

static void check_current(const char *path, bool manual)
{
    struct strbuf text = {0};
    char *kept = read_file(path);
    policy_api_print(&text, manual);
    if (!text_is(kept, strbuf_text(&text)))
        fail_msg("%s is not what the rows say; run tests/tools/generated.py --write", path);
    xfree(kept);
    strbuf_clear(&text);
}

static void test_checked_in_files_are_current(void **state)
{
    (void)state;
    check_current(TESTS_DIR "/../lua/meta/chargebridge.lua", false);
    check_current(TESTS_DIR "/../lua/API.md", true);
}

static void test_rows_are_complete(void **state)
{
    (void)state;
    for (size_t i = 0; api_tables[i]; i++) {
        const struct api_table *table = api_tables[i];
        assert_non_null(table->class_doc);
        for (const struct api_row *row = table->rows; row->name; row++) {
            if (!row->doc || !row->doc[0] || strchr(row->doc, '\n') || !row->signature ||
                !row->signature[0])
                fail_msg("%s.%s has no proper doc line or type", table->on, row->name);
            bool is_function = strncmp(row->signature, "fun(", 4) == 0;
            if (row->fn && !is_function)
                fail_msg("%s.%s is a function of type %s", table->on, row->name, row->signature);
        }
    }
    for (const struct hook_row *row = hook_rows; row->name; row++)
        assert_true(row->doc && row->signature && strncmp(row->signature, "fun(", 4) == 0);
}

static void test_no_name_twice(void **state)
{
    (void)state;
    struct map names = {0};
    for (size_t i = 0; api_tables[i]; i++) {
        for (const struct api_row *row = api_tables[i]->rows; row->name; row++) {
            char *name = xprintf("%s.%s", api_tables[i]->on, row->name);
            if (map_put(&names, span_of(name), &names))
                fail_msg("%s is there twice", name);
            xfree(name);
        }
    }
    map_clear(&names);
}

/* Every global and every member of a library exists in a policy; privileged ones do not. */
static void test_rows_exist(void **state)
{
    (void)state;
    struct strbuf code = {0};
    strbuf_adds(&code, "return {");
    for (size_t i = 0; api_tables[i]; i++) {
        const struct api_table *table = api_tables[i];
        if (table->object || table->privileged || table->testing)
            continue;
        for (const struct api_row *row = table->rows; row->name; row++)
            strbuf_addf(&code, "type(%s%s%s) == '%s',", table->on, table->on[0] ? "." : "",
                        row->name,
                        row->fn                              ? "function"
                        : text_is(row->signature, "integer") ? "number"
                                                             : "userdata");
    }
    strbuf_adds(&code, "}");
    struct world *w = world_running(strbuf_text(&code));
    assert_int_equal(ask(w, "POST /run", NULL), 200);
    assert_null(strstr(strbuf_text(&w->body), "false"));
    world_free(w);
    strbuf_clear(&code);
}

static void test_privileged_names_are_hidden(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_file(w, "10-t.lua",
               "local x = core.version()\nlocal y = test\nfunction on.start(tx) end");
    assert_false(world_load(w));
    expect_finding(w, "10-t.lua", 1, "core");
    expect_finding(w, "10-t.lua", 2, "test");
    world_free(w);
}

/* The rows of `t` are documentation: lua/testkit.lua defines them. */
static void test_words_of_the_test_kit(void **state)
{
    (void)state;
    struct strbuf code = {0};
    size_t count = 0;
    strbuf_adds(&code, "test('words', function(t) local n = 0\n");
    for (const struct api_row *row = NULL, *at = NULL;;) {
        for (size_t i = 0; !row; i++)
            row = text_is(api_tables[i]->on, "t") ? api_tables[i]->rows : NULL;
        at = at ? at + 1 : row;
        if (!at->name)
            break;
        strbuf_addf(&code, "t.eq(type(t.%s), 'function', '%s')\n", at->name, at->name);
        count++;
    }
    strbuf_addf(&code, "for _ in pairs(t) do n = n + 1 end t.eq(n, %zu) end)", count);
    struct world *w = world_new();
    world_file(w, "10-t.lua", "function on.start(tx) end");
    world_file(w, "tests/t.lua", strbuf_text(&code));
    if (!world_load(w)) {
        show_findings(&w->report);
        fail_msg("the words differ");
    }
    world_free(w);
    strbuf_clear(&code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checked_in_files_are_current),
        cmocka_unit_test(test_rows_are_complete),
        cmocka_unit_test(test_no_name_twice),
        cmocka_unit_test(test_rows_exist),
        cmocka_unit_test(test_privileged_names_are_hidden),
        cmocka_unit_test(test_words_of_the_test_kit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

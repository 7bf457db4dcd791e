/* Allow-lists: what is read from them, and every finding with the line of its card. */
#include "api_world.h"

static void loads(const char *list, const char *code, const char *json)
{
    char *text = xprintf("local list = idtags {\n%s\n}\n"
                         "route('GET /x', function() %s end)",
                         list, code);
    struct world *w = world_with(text);
    EXPECT(w, "GET /x", NULL, 200, json);
    xfree(text);
    world_free(w);
}

static void test_lookups_ignore_case(void **state)
{
    (void)state;
    loads("['04a2B3'] = { name = 'Van' }, DEADBEEF = { blocked = true, why = 'lost' }",
          "return 200, {list['04A2b3'].name, list['04A2b3'].idTag, list.deadbeef.blocked,"
          " list.DEADBEEF.why, list['X'] == nil, list[5] == nil, list.deadbeef.shared == nil}",
          "[\"Van\",\"04a2B3\",true,\"lost\",true,true,true]");
}

static void test_members(void **state)
{
    (void)state;
    loads("A = { group = 'FLEET', expires = '2026-12-31', hours = '05:00-06:00', shared = true,"
          " max_active = 3, name = 'x', why = 'y', blocked = false },\n"
          "B = { expires = '2026-12-31T12:00:00Z' }, C = { expires = 5 },",
          "local a = list.a return 200, {a.group, a.expires, a.hours:contains(), tostring(a.hours),"
          " a.shared, a.max_active, list.B.expires, list.C.expires}",
          "[\"FLEET\",1798761600,true,\"05:00-06:00\",true,3,1798718400,5]");
}

static void test_pairs(void **state)
{
    (void)state;
    loads("a = {}, b = {}",
          "local n = json.array() for tag, card in pairs(list) do n[#n + 1] = tag .. card.idTag end"
          " table.sort(n) return 200, n",
          "[\"Aa\",\"Bb\"]");
}

static void test_read_only(void **state)
{
    (void)state;
    struct world *w = world_with("local list = idtags { A = {} }\n"
                                 "route('GET /x', function() list.B = {} end)\n"
                                 "route('GET /y', function() list.A.name = 'x' end)");
    assert_int_equal(ask(w, "GET /x", NULL), 500);
    assert_non_null(strstr(strbuf_text(&w->log), "a list of idTags is read-only"));
    assert_int_equal(ask(w, "GET /y", NULL), 500);
    assert_non_null(strstr(strbuf_text(&w->log), "an idTag entry is read-only"));
    world_free(w);
}

/* `text` is a file; each finding must be there. */
struct wanted {
    int line;
    const char *part;
};

static void finds(const char *text, const struct wanted *wanted, size_t count)
{
    struct world *w = world_new();
    world_file(w, "lib/cards.lua", text);
    world_file(w, "10-t.lua", "local cards = require 'cards'\nfunction on.start(tx) end");
    assert_false(world_load(w));
    for (size_t i = 0; i < count; i++)
        expect_finding(w, "lib/cards.lua", wanted[i].line, wanted[i].part);
    if (w->report.error_count != count) {
        show_findings(&w->report);
        fail_msg("%zu findings, not %zu", w->report.error_count, count);
    }
    world_free(w);
}

#define FINDS(text, ...)                                                                           \
    finds((text), (const struct wanted[]){__VA_ARGS__},                                            \
          sizeof((const struct wanted[]){__VA_ARGS__}) / sizeof(struct wanted))

static void test_all_faults_are_found(void **state)
{
    (void)state;
    FINDS("-- cards [[ not a key ]]\n"
          "return idtags {\n"
          "  [\"A\"] = { expires = \"2026-13-45\" },\n"
          "  [\"B\"] = { expiers = \"2026-12-31\" },  -- a comment with [\"B\"] = in it\n"
          "  C = { hours = \"noon\" },\n"
          "  ['D'] = {\n"
          "    group = \"a group that is much too long\",\n"
          "    shared = 'yes',\n"
          "  },\n"
          "  --[==[ [\"A\"] = {} ]==]\n"
          "  E = { blocked = 1, name = {}, max_active = 0, [5] = 1 },\n"
          "  F = 'accepted', [7] = {}, [''] = {},\n"
          "}\n",
          {3, "idtags: A: expires: \"2026-13-45\" is no date; write \"2026-12-31\""},
          {4, "idtags: B: unknown member expiers; did you mean \"expires\"?"},
          {5, "idtags: C: hours: \"noon\" are no hours"},
          {6, "D: group must have 1 to 20 characters"},
          {6, "D: shared must be true or false, not a string"},
          {11, "E: blocked must be true or false, not a number"},
          {11, "E: name must be a text, not a table"},
          {11, "E: max_active must be an integer from 1 on, not a number"},
          {11, "E: its members are named"}, {12, "F: its entry must be a table such as"},
          {2, "a key that is no text"}, {12, "an idTag is a text of 1 to 255 bytes"});
}

static void test_twice(void **state)
{
    (void)state;
    FINDS("return idtags {\n [\"04A2\"] = {},\n\n [\"04a2\"] = {},\n}",
          {4, "idtags: 04a2: this tag is in the list twice"});
    FINDS(
        "return idtags {\n [\"04A2\"] = {},\n [\"X\"] = { [\"04A2\"] = 1 },\n [\"04A2\"] = {},\n}",
        {3, "X: unknown member 04A2"}, {4, "04A2: this tag is in the list twice"});
    FINDS("return idtags({\n X = {}, Y = {},\n X = {},\n})",
          {3, "X: this tag is in the list twice"});
}

static void test_types(void **state)
{
    (void)state;
    FINDS("return idtags {\n A = { expires = true },\n B = { hours = 5 },\n C = { why = 5 } }",
          {2, "A: expires must be a date such as \"2026-12-31\", not a boolean"},
          {3, "B: hours must be hours such as \"22:00-06:00\", not a number"},
          {4, "C: why must be a text, not a number"});
}

static void test_computed_keys_get_the_line_of_the_call(void **state)
{
    (void)state;
    FINDS("local t = {}\nt['A'] = { expires = 'x' }\nreturn idtags(t)",
          {3, "A: expires: \"x\" is no date"});
}

static void test_outside_of_a_build_it_is_an_error(void **state)
{
    (void)state;
    lua_gives("return idtags({A = {name = 'x'}}).a.name", "\"x\"");
    lua_fails("return idtags({A = {name = 5}})", "idtags: A: name must be a text, not a number");
    lua_fails("return idtags()", "idtags: argument 1 (list) must be a table of idTags, not nil");
}

static void test_rest_tags(void **state)
{
    (void)state;
    struct world *w = world_running("local t = tag 'vip-1' return {t.idTag, t.status, t.expires,"
                                    " t.parentIdTag, t.note, t.max_active, tag 'x' == nil}");
    struct id_tag tag = {"Vip-1", "Blocked", 1752470409000, "G", "lost", 2};
    assert_true(station_tag_put(w->f->st, &tag, NULL, NULL, NULL));
    EXPECT(w, "POST /run", NULL, 200, "[[\"Vip-1\",\"Blocked\",1752470409,\"G\",\"lost\",2,true]]");
    world_free(w);
    lua_fails("return tag()", "tag: argument 1 (idTag) must be a string, not nil");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookups_ignore_case),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_all_faults_are_found),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_computed_keys_get_the_line_of_the_call),
        cmocka_unit_test(test_outside_of_a_build_it_is_an_error),
        cmocka_unit_test(test_rest_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

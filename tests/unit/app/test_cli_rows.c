/* The lines that rows of an imported text begin on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli_rows.h"

static void csv(const char *text, size_t row, size_t line)
{
    size_t got = cli_rows_csv_line(span_of(text), row);
    if (got != line)
        fail_msg("row %zu of \"%s\" is on line %zu, not %zu", row, text, line, got);
}

static void json(const char *text, size_t row, size_t line)
{
    size_t got = cli_rows_json_line(span_of(text), row);
    if (got != line)
        fail_msg("item %zu of \"%s\" is on line %zu, not %zu", row, text, line, got);
}

static void csv_rows_are_lines(void **state)
{
    (void)state;
    csv("idTag\nA\nB", 0, 1);
    csv("idTag\nA\nB", 1, 2);
    csv("idTag\nA\nB", 2, 3);
    csv("idTag\nA\nB", 3, 0);
    csv("idTag\r\nA\r\nB\r\n", 2, 3);
    csv("idTag\rA\rB\r", 2, 3);
    csv("\xEF\xBB\xBFidTag\nA\n", 1, 2);
    csv("", 0, 0);
    csv("", 1, 0);
}

static void csv_empty_lines_are_no_rows(void **state)
{
    (void)state;
    csv("idTag,note\n\nA,\n\r\n\"\"\nB,\n", 1, 3);
    csv("idTag,note\n\nA,\n\r\n\"\"\nB,\n", 2, 6);
    csv("idTag,note\n,\nB,\n", 1, 2); /* two empty cells are a row */
    csv("\nidTag\nA", 0, 1);          /* the first line has the names, whatever is in it */
}

static void csv_cells_of_several_lines(void **state)
{
    (void)state;
    csv("note,idTag\n\"a\nb\r\nc\",A\nx,B\n", 1, 2);
    csv("note,idTag\n\"a\nb\r\nc\",A\nx,B\n", 2, 5);
    csv("note,idTag\n\"a \"\"q\n\"\"\",A\nx,B\n", 2, 4);
    csv("note,idTag\na \"q,A\nx,B\n", 2, 3); /* within a plain cell it is no quote */
    csv("note\n\"open\nA\nB\n", 1, 2);
    csv("note\n\"open\nA\nB\n", 2, 0);
}

static void json_items(void **state)
{
    (void)state;
    json("[{\"idTag\":\"A\"},{\"idTag\":\"B\"}]", 2, 1);
    json("[\n  {\n \"idTag\":\"A\",\n \"x\":[1,\n2]},\n\n  {\"idTag\":\"B\"}]\n", 1, 2);
    json("[\n  {\n \"idTag\":\"A\",\n \"x\":[1,\n2]},\n\n  {\"idTag\":\"B\"}]\n", 2, 7);
    json("[\n1,\nnull,\n\"],[\\\"\",\n[[3]]]", 3, 4);
    json("[\n1,\nnull,\n\"],[\\\"\",\n[[3]]]", 4, 5);
    json("[\n1,\nnull,\n\"],[\\\"\",\n[[3]]]", 5, 0);
    json("\xEF\xBB\xBF\n[\n1]", 1, 3);
}

/* What is no JSON is walked through without harm. */
static void json_that_is_broken(void **state)
{
    (void)state;
    json("", 1, 0);
    json("[]", 1, 0);
    json("[", 1, 0);
    json("[\"open", 1, 1);
    json("[\"open\\", 2, 0);
    json("]]]}}[1", 1, 1);
    json("{\"idTag\":\"A\"}", 1, 0);
    json("[1,,2]", 2, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_rows_are_lines),         cmocka_unit_test(csv_empty_lines_are_no_rows),
        cmocka_unit_test(csv_cells_of_several_lines), cmocka_unit_test(json_items),
        cmocka_unit_test(json_that_is_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

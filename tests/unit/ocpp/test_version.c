/* The message tables: what must hold of them by themselves (test_schema.c compares them with the
 * schemas), and the lookups. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "ocpp/payload_parts.h"
#include "ocpp/version.h"

static const struct action *find(const char *name)
{
    return version_action(&version_16, span_of(name));
}

static void test_subprotocols(void **state)
{
    (void)state;
    assert_ptr_equal(version_by_subprotocol(SPAN("ocpp1.6")), &version_16);
    assert_null(version_by_subprotocol(SPAN("OCPP1.6"))); /* T6: exact */
    assert_null(version_by_subprotocol(SPAN("ocpp1.60")));
    assert_null(version_by_subprotocol(SPAN("ocpp1.5")));
    assert_null(version_by_subprotocol(SPAN("")));
    assert_null(version_by_subprotocol((struct span){0}));
}

static void test_every_action_is_found(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct action *a = version_16.actions; a->name != NULL; a++, count++) {
        assert_ptr_equal(find(a->name), a);
        if (count > 0)
            assert_true(strcmp(a[-1].name, a->name) < 0);
        assert_non_null(a->request);
        assert_non_null(a->response);
        assert_true(a->doc != NULL && a->doc[0] != '\0');
        assert_in_range(a->direction, FROM_CHARGE_POINT, FROM_BOTH);
        assert_false(a->no_answer);
    }
    assert_int_equal(count, 39);
    assert_int_equal(version_16.action_count, count);
}

static void test_names_are_exact(void **state)
{
    (void)state;
    assert_null(find("heartbeat")); /* R11 */
    assert_null(find("Heartbea"));
    assert_null(find("Heartbeats"));
    assert_null(find("Aaa"));
    assert_null(find("Zzz"));
    assert_null(find(""));
    assert_null(find(NULL));
    /* A span need not end with a NUL. */
    assert_non_null(version_action(&version_16, (struct span){"ResetX", 5}));
}

static void check_fields(const struct field *fields)
{
    size_t count = 0;
    for (const struct field *f = fields; f->name != NULL; f++, count++) {
        assert_true(!f->needed || f->required);
        assert_int_equal(f->type == FIELD_ENUM, f->words != NULL);
        assert_int_equal(f->type == FIELD_OBJECT, f->fields != NULL);
        assert_true(f->list || (f->min_items == 0 && f->max_items == 0));
        for (const struct field *other = fields; other != f; other++)
            assert_string_not_equal(other->name, f->name);
        if (f->type == FIELD_OBJECT)
            check_fields(f->fields);
    }
    assert_true(count < FIELDS_MAX);
}

static void test_rows_make_sense(void **state)
{
    (void)state;
    for (const struct action *a = version_16.actions; a->name != NULL; a++) {
        check_fields(a->request);
        check_fields(a->response);
    }
}

/* X1, X4, X7: nothing in them may lead to a refusal, so nothing that is needed may be inside. */
static void assert_nothing_needed(const struct field *fields)
{
    for (const struct field *f = fields; f->name != NULL; f++) {
        assert_false(f->needed);
        if (f->type == FIELD_OBJECT)
            assert_nothing_needed(f->fields);
    }
}

static void test_transactional_actions(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct action *a = version_16.actions; a->name != NULL; a++) {
        if (!a->transactional)
            continue;
        count++;
        assert_int_equal(a->direction, FROM_CHARGE_POINT);
        assert_nothing_needed(a->request);
    }
    assert_int_equal(count, 3);
    assert_true(find("StartTransaction")->transactional);
    assert_true(find("StopTransaction")->transactional);
    assert_true(find("MeterValues")->transactional);
}

static void test_directions(void **state)
{
    (void)state;
    assert_int_equal(find("Authorize")->direction, FROM_CHARGE_POINT);
    assert_int_equal(find("Reset")->direction, FROM_CENTRAL_SYSTEM);
    assert_int_equal(find("DataTransfer")->direction, FROM_BOTH);
    assert_int_equal(find("SignCertificate")->direction, FROM_CHARGE_POINT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subprotocols),          cmocka_unit_test(test_every_action_is_found),
        cmocka_unit_test(test_names_are_exact),       cmocka_unit_test(test_rows_make_sense),
        cmocka_unit_test(test_transactional_actions), cmocka_unit_test(test_directions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

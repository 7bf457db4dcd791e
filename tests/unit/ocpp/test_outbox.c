/* The outbox: one CALL outstanding, order, deadlines, and that each entry ends exactly once. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "ocpp/outbox.h"

static struct outcall *push(struct outbox *box, const char *action, mono_t deadline)
{
    struct outcall *call = outcall_new(action, "{}", 30000);
    call->deadline = deadline;
    assert_true(outbox_push(box, call));
    return call;
}

static void empty(struct outbox *box)
{
    struct outcall *call;
    while ((call = outbox_take_any(box)) != NULL)
        outcall_free(call);
    assert_null(box->head);
    assert_null(box->tail);
    assert_null(box->sent);
    assert_int_equal(box->queued, 0);
}

static void test_one_at_a_time_in_order(void **state)
{
    (void)state;
    struct outbox box = {0};
    assert_null(outbox_send_next(&box, 1000));
    struct outcall *a = push(&box, "Reset", 0);
    struct outcall *b = push(&box, "ClearCache", 0);
    assert_true(a->serial != b->serial);
    assert_int_equal(a->sent_at, 0);

    assert_ptr_equal(outbox_send_next(&box, 1000), a);
    assert_int_equal(a->sent_at, 1000);
    assert_int_equal(a->deadline, 31000);
    assert_int_equal(strlen(a->id), 36);       /* R1 */
    assert_null(outbox_send_next(&box, 1001)); /* R3 */

    assert_null(outbox_take_answered(&box, "another"));
    assert_null(outbox_take_answered(&box, NULL));
    assert_null(outbox_take_answered(&box, b->id)); /* not sent yet */
    assert_ptr_equal(outbox_take_answered(&box, a->id), a);
    assert_null(outbox_take_answered(&box, a->id)); /* once only */

    assert_ptr_equal(outbox_send_next(&box, 2000), b);
    assert_string_not_equal(a->id, b->id);
    outcall_free(a);
    empty(&box);
}

static void test_bound(void **state)
{
    (void)state;
    struct outbox box = {0};
    for (int i = 0; i < OUTBOX_MAX; i++)
        push(&box, "Reset", 0);
    struct outcall *more = outcall_new("Reset", "{}", 1);
    assert_false(outbox_push(&box, more));
    assert_non_null(outbox_send_next(&box, 1)); /* the outstanding one is not queued */
    assert_true(outbox_push(&box, more));
    assert_int_equal(box.queued, OUTBOX_MAX);
    empty(&box);
}

static void test_deadlines(void **state)
{
    (void)state;
    struct outbox box = {0};
    assert_int_equal(outbox_next_deadline(&box), -1);
    struct outcall *forever = push(&box, "Reset", 0);
    assert_int_equal(outbox_next_deadline(&box), -1);
    struct outcall *late = push(&box, "Reset", 9000);
    struct outcall *soon = push(&box, "Reset", 5000);
    assert_int_equal(outbox_next_deadline(&box), 5000);

    assert_null(outbox_take_expired(&box, 4999));
    assert_ptr_equal(outbox_take_expired(&box, 5000), soon); /* from the middle or the end */
    assert_null(outbox_take_expired(&box, 5000));
    assert_ptr_equal(box.tail, late);
    assert_int_equal(outbox_next_deadline(&box), 9000);

    assert_ptr_equal(outbox_send_next(&box, 6000), forever);
    assert_int_equal(outbox_next_deadline(&box), 9000);
    assert_ptr_equal(outbox_take_expired(&box, 40000), forever);
    assert_ptr_equal(outbox_take_expired(&box, 40000), late);
    assert_null(outbox_take_expired(&box, 40000));
    outcall_free(forever);
    outcall_free(late);
    outcall_free(soon);
    empty(&box);
}

/* R3: after a timeout the next one goes out, and the late answer finds nothing. */
static void test_late_answer(void **state)
{
    (void)state;
    struct outbox box = {0};
    struct outcall *a = push(&box, "Reset", 0);
    struct outcall *b = push(&box, "Reset", 0);
    outbox_send_next(&box, 0);
    assert_ptr_equal(outbox_take_expired(&box, 30000), a);
    assert_ptr_equal(outbox_send_next(&box, 30000), b);
    assert_null(outbox_take_answered(&box, a->id));
    assert_ptr_equal(box.sent, b);
    outcall_free(a);
    empty(&box);
}

static void test_take_by_serial(void **state)
{
    (void)state;
    struct outbox box = {0};
    struct outcall *a = push(&box, "A", 0);
    struct outcall *b = push(&box, "B", 0);
    struct outcall *c = push(&box, "C", 0);
    outbox_send_next(&box, 1);
    assert_ptr_equal(outbox_take_serial(&box, c->serial), c);
    assert_ptr_equal(outbox_take_serial(&box, a->serial), a);
    assert_null(outbox_take_serial(&box, a->serial));
    assert_null(outbox_take_serial(&box, 0));
    assert_int_equal(box.queued, 1);
    assert_ptr_equal(box.tail, b);
    outcall_free(a);
    outcall_free(c);
    empty(&box);
}

static void test_take_any_takes_the_sent_one_first(void **state)
{
    (void)state;
    struct outbox box = {0};
    struct outcall *a = push(&box, "A", 0);
    struct outcall *b = push(&box, "B", 0);
    outbox_send_next(&box, 1);
    assert_ptr_equal(outbox_take_any(&box), a);
    assert_ptr_equal(outbox_take_any(&box), b);
    assert_null(outbox_take_any(&box));
    outcall_free(a);
    outcall_free(b);
    outcall_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_at_a_time_in_order),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_take_by_serial),
        cmocka_unit_test(test_take_any_takes_the_sent_one_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

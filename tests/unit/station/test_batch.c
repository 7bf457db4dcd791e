/* Batches keep order and own what is in them. */
#include "fake.h"

static void records_keep_their_order(void **state)
{
    (void)state;
    struct batch *batch = batch_new();
    assert_null(batch->first);
    batch_add(batch, RECORD_START)->start.cp = arena_strdup(&batch->arena, "CP1");
    batch_add(batch, RECORD_STOP);
    batch_add(batch, RECORD_EVENT);
    assert_int_equal(batch->first->kind, RECORD_START);
    assert_string_equal(batch->first->start.cp, "CP1");
    assert_int_equal(batch->first->start.out_id, 0);
    assert_int_equal(batch->first->next->kind, RECORD_STOP);
    assert_ptr_equal(batch->first->next->next, batch->last);
    assert_null(batch->last->next);
    assert_false(batch->failed);
    batch_free(batch);
    batch_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(records_keep_their_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

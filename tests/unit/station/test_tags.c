/* Importing tags: one batch, all or none. What a single tag does is in test_registration.c. */
#include "fake.h"

static int told_ok, told_failed;

static void on_change(void *ctx, bool ok, const char *why)
{
    (void)ctx;
    assert_int_equal(ok, why == NULL);
    told_ok += ok;
    told_failed += !ok;
}

static struct id_tag tag(const char *id_tag, const char *status)
{
    return (struct id_tag){.id_tag = (char *)id_tag,
                           .status = (char *)status,
                           .expiry_ms = ABSENT,
                           .max_active = ABSENT};
}

static struct fake *fake_with_tags(void)
{
    struct fake *f = fake_new();
    told_ok = told_failed = 0;
    struct id_tag old = tag("B", "Blocked");
    assert_true(station_tag_put(f->st, &old, NULL, NULL, NULL));
    return f;
}

static size_t tag_count(struct fake *f)
{
    size_t at = 0, count = 0;
    while (station_tag_next(f->st, &at))
        count++;
    return count;
}

static void all_in_one_batch(void **state)
{
    (void)state;
    struct fake *f = fake_with_tags();
    const struct id_tag tags[] = {tag("A", "Accepted"), tag("b", "Accepted"), tag("C", "Expired"),
                                  tag("a", "Blocked")};
    size_t bad = 99, batches = f->batches;
    f->hold = true;
    assert_true(station_tags_import(f->st, tags, ARRAY_LEN(tags), &bad, NULL, on_change, NULL));
    assert_string_equal(station_tag(f->st, "B")->status, "Accepted"); /* at once */
    assert_int_equal(told_ok, 0);
    store_release(f);
    assert_int_equal(told_ok, 1);
    assert_int_equal(f->batches, batches + 1);
    EXPECT_ROWS(f, 5, "TAG");
    assert_int_equal(tag_count(f), 3);
    assert_string_equal(station_tag(f->st, "A")->status, "Blocked"); /* the later one */
    fake_free(f);
}

static void one_bad_one_stops_all(void **state)
{
    (void)state;
    struct fake *f = fake_with_tags();
    const struct id_tag tags[] = {tag("A", "Accepted"), tag("B", "Accepted"), tag("C", "Nice")};
    struct reason why = {{0}};
    size_t bad = 99;
    assert_false(station_tags_import(f->st, tags, ARRAY_LEN(tags), &bad, &why, on_change, NULL));
    assert_int_equal(bad, 2);
    assert_non_null(strstr(why.text, "status: expected"));
    assert_int_equal(told_ok + told_failed, 0);
    assert_int_equal(tag_count(f), 1);
    assert_string_equal(station_tag(f->st, "B")->status, "Blocked");
    fake_free(f);
}

static void what_cannot_be_stored_is_put_back(void **state)
{
    (void)state;
    struct fake *f = fake_with_tags();
    const struct id_tag tags[] = {tag("A", "Accepted"), tag("B", "Accepted"), tag("b", "Expired"),
                                  tag("A", "Blocked"), tag("C", "Accepted")};
    size_t bad;
    f->fail = 1;
    f->hold = true;
    assert_true(station_tags_import(f->st, tags, ARRAY_LEN(tags), &bad, NULL, on_change, NULL));
    struct id_tag later = tag("C", "Blocked"); /* a change after it stays */
    assert_true(station_tag_put(f->st, &later, NULL, NULL, NULL));
    store_release(f);
    assert_int_equal(told_failed, 1);
    assert_null(station_tag(f->st, "A"));
    assert_string_equal(station_tag(f->st, "B")->status, "Blocked");
    assert_string_equal(station_tag(f->st, "C")->status, "Blocked");
    fake_free(f);
}

static void none_are_stored_at_once(void **state)
{
    (void)state;
    struct fake *f = fake_with_tags();
    size_t bad, batches = f->batches;
    assert_true(station_tags_import(f->st, NULL, 0, &bad, NULL, on_change, NULL));
    assert_true(station_tags_import(f->st, NULL, 0, &bad, NULL, NULL, NULL));
    assert_int_equal(told_ok, 1);
    assert_int_equal(f->batches, batches);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_in_one_batch),
        cmocka_unit_test(one_bad_one_stops_all),
        cmocka_unit_test(what_cannot_be_stored_is_put_back),
        cmocka_unit_test(none_are_stored_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

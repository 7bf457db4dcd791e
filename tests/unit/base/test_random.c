/* Random bytes and UUIDs: shape, and that nothing repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "base/map.h"
#include "base/random.h"

enum { IDS = 2000 };

static void test_bytes_differ(void **state)
{
    (void)state;
    unsigned char a[1000] = {0};
    unsigned char b[1000] = {0};
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    size_t seen[256] = {0};
    for (size_t i = 0; i < sizeof a; i++)
        seen[a[i]]++;
    for (size_t i = 0; i < 256; i++)
        assert_true(seen[i] < 40);
    random_bytes(NULL, 0);
    assert_true(random_u64() != random_u64());
}

static void test_uuid_is_version_4(void **state)
{
    (void)state;
    for (int i = 0; i < IDS; i++) {
        char id[UUID_SIZE];
        uuid_new(id);
        assert_int_equal(strlen(id), 36);
        for (size_t at = 0; at < 36; at++) {
            bool dash = at == 8 || at == 13 || at == 18 || at == 23;
            assert_non_null(strchr(dash ? "-" : "0123456789abcdef", id[at]));
        }
        assert_int_equal(id[14], '4');
        assert_non_null(strchr("89ab", id[19]));
    }
}

static void *draw(void *ids)
{
    for (size_t i = 0; i < IDS; i++)
        uuid_new(((char(*)[UUID_SIZE])ids)[i]);
    return NULL;
}

static void test_uuids_of_two_threads_are_all_different(void **state)
{
    (void)state;
    static char ids[2][IDS][UUID_SIZE];
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, draw, ids[i]);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    struct map seen = {0};
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < IDS; j++)
            assert_null(map_put(&seen, span_of(ids[i][j]), ids));
    }
    map_clear(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_differ),
        cmocka_unit_test(test_uuid_is_version_4),
        cmocka_unit_test(test_uuids_of_two_threads_are_all_different),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

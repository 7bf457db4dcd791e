/* Batches on a store that is slow or fails: nobody is asked before it is on disk how far the batch
 * goes (C3), and whoever was noted but not asked is asked later, once. */
#include "api_world.h"

#include "policy/reload.h"

/* A batch over CP1, before its first step. */
static struct world *world_begun(void)
{
    struct world *w = world_with("function on.start(tx) end");
    ask(w, "POST /api/v1/commands/ClearCache", "{\"filter\":{}}");
    pass(w->f, 0); /* core.pause */
    if (w->status != 202 || !text_is(strbuf_text(&w->body), "{\"batch\":\"1\",\"count\":1}"))
        fail_msg("got %d %s", w->status, strbuf_text(&w->body));
    return w;
}

static int asked(const struct world *w)
{
    int count = 0;
    for (size_t i = 0; i < w->f->sent.count; i++)
        count += strstr(w->f->sent.at[i], "\"ClearCache\"") != NULL;
    return count;
}

static void expect_end(struct world *w, int most)
{
    for (int second = 0; second < most; second++)
        pass(w->f, 1000);
    assert_int_equal(asked(w), 1);
    EXPECT_PART(w, "GET /api/v1/batches/1", NULL, 200, "\"asked\":1,\"refused\":0,");
    EXPECT_PART(w, "GET /api/v1/batches/1", NULL, 200, "\"ended\":true,\"cancelled\":false");
    world_free(w);
}

static void test_noted_before_it_is_asked(void **state)
{
    (void)state;
    struct world *w = world_begun();
    w->f->hold = true;
    pass(w->f, 1000);
    assert_int_equal(asked(w), 0);
    assert_non_null(strstr(station_kv_get(w->f->st, "chargebridge/batches/1"), "\"asked\":1"));
    store_release(w->f);
    assert_int_equal(asked(w), 1);
    expect_end(w, 3);
}

/* The handler's second is over before the disk has answered. */
static void test_a_slow_store(void **state)
{
    (void)state;
    struct world *w = world_begun();
    w->f->hold = true;
    pass(w->f, 1000);
    pass(w->f, 2500);
    assert_int_equal(asked(w), 0);
    store_release(w->f);
    expect_end(w, 3);
}

static void test_a_failing_store(void **state)
{
    (void)state;
    struct world *w = world_begun();
    w->f->fail = -1;
    pass(w->f, 1000);
    pass(w->f, 1000);
    assert_int_equal(asked(w), 0);
    EXPECT_PART(w, "GET /api/v1/batches/1", NULL, 200, "\"asked\":0,\"refused\":0,");
    w->f->fail = 0;
    expect_end(w, 3);
}

/* The generation that waits for the disk ends; the next one goes on. */
static void test_a_reload_meanwhile(void **state)
{
    (void)state;
    struct world *w = world_begun();
    w->f->hold = true;
    pass(w->f, 1000);
    w->policy->settings.drain_ms = 0;
    assert_true(world_load(w));
    pass(w->f, 0);
    store_release(w->f);
    assert_int_equal(asked(w), 0);
    expect_end(w, 3);
}

static void test_cancelled_meanwhile(void **state)
{
    (void)state;
    struct world *w = world_begun();
    w->f->hold = true;
    pass(w->f, 1000);
    assert_int_equal(ask(w, "POST /api/v1/batches/1/cancel", NULL),
                     0); /* as soon as it is on disk */
    store_release(w->f);
    assert_int_equal(w->status, 200);
    assert_non_null(strstr(strbuf_text(&w->body), "\"ended\":true,\"cancelled\":true"));
    pass(w->f, 3000);
    assert_int_equal(asked(w), 0);
    EXPECT_PART(w, "GET /api/v1/batches/1", NULL, 200, "\"asked\":0,\"refused\":0,");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_noted_before_it_is_asked), cmocka_unit_test(test_a_slow_store),
        cmocka_unit_test(test_a_failing_store),          cmocka_unit_test(test_a_reload_meanwhile),
        cmocka_unit_test(test_cancelled_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

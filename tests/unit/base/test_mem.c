/* Allocation, growing arrays, and NEVER. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

static void test_copies(void **state)
{
    (void)state;
    char *text = xstrdup("text");
    char *part = xstrndup("text", 2);
    char *empty = xstrndup(NULL, 0);
    char *built = xprintf("%s-%d", text, 7);
    char *copy = xstrdup_or_null("x");
    assert_string_equal(text, "text");
    assert_string_equal(part, "te");
    assert_string_equal(empty, "");
    assert_string_equal(built, "text-7");
    assert_string_equal(copy, "x");
    assert_null(xstrdup_or_null(NULL));
    xfree(part);
    xfree(empty);
    xfree(built);
    xfree(copy);
    xfree(NULL);
    XFREE(text);
    assert_null(text);
}

static void test_nothing_wanted_is_still_memory(void **state)
{
    (void)state;
    char *a = xmalloc(0);
    char *b = xcalloc(0, 8);
    a = xrealloc(a, 0);
    assert_non_null(a);
    assert_non_null(b);
    xfree(a);
    xfree(b);
}

static void test_grow_keeps_items(void **state)
{
    (void)state;
    int *items = NULL;
    size_t room = 0;
    size_t grown = 0;
    for (size_t count = 0; count < 1000; count++) {
        size_t before = room;
        items = xgrow(items, count, &room, sizeof *items);
        assert_true(room > count);
        grown += room != before;
        items[count] = (int)count;
    }
    assert_true(grown < 10);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    xfree(items);
}

static void test_container_of(void **state)
{
    (void)state;
    struct {
        int before;
        int member;
    } owner;
    assert_ptr_equal(CONTAINER_OF(&owner.member, __typeof__(owner), member), &owner);
}

/* Runs `body` in a child whose stderr comes back in `said`; returns the wait status. */
static int in_child(void (*body)(void), char *said, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        body();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    for (ssize_t n; len + 1 < size && (n = read(ends[0], said + len, size - 1 - len)) > 0;)
        len += (size_t)n;
    said[len] = '\0';
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void grow_without_end(void)
{
    size_t room = SIZE_MAX / 2 + 1;
    xgrow(NULL, room, &room, 1);
}

static void test_out_of_memory_aborts_with_one_line(void **state)
{
    (void)state;
    char said[512];
    int status = in_child(grow_without_end, said, sizeof said);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(said, "fatal: out of memory"));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

static void meet_a_bug_twice(void)
{
    for (int i = 0; i < 2; i++) {
        if (!NEVER(i < 5))
            _exit(3);
    }
}

static void test_never(void **state)
{
    (void)state;
    char said[512];
    assert_false(NEVER(0));
    int status = in_child(meet_a_bug_twice, said, sizeof said);
    char *place = strstr(said, "test_mem.c:");
    assert_non_null(place);
    assert_non_null(strstr(said, "i < 5"));
    assert_null(strstr(place + 1, "test_mem.c:")); /* once a place */
#ifdef CB_SANITIZED
    assert_true(WIFSIGNALED(status));
#else
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_nothing_wanted_is_still_memory),
        cmocka_unit_test(test_grow_keeps_items),
        cmocka_unit_test(test_container_of),
        cmocka_unit_test(test_out_of_memory_aborts_with_one_line),
        cmocka_unit_test(test_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the service manager hears: datagrams on a path or in the abstract namespace, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "notify.h"

struct manager {
    int fd;
    char dir[256], path[300];
    char text[200];
};

static void listen_on(struct manager *m, const struct sockaddr_un *at, size_t path_len)
{
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(m->fd >= 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len);
    assert_int_equal(bind(m->fd, (const struct sockaddr *)at, len), 0);
}

/* The next datagram; "" when there is none. */
static const char *heard(struct manager *m)
{
    ssize_t len = recv(m->fd, m->text, sizeof(m->text) - 1, 0);
    m->text[len > 0 ? len : 0] = '\0';
    return m->text;
}

static int setup(void **state)
{
    static struct manager manager;
    const char *tmp = getenv("TMPDIR");
    manager = (struct manager){.fd = -1};
    snprintf(manager.dir, sizeof(manager.dir), "%s/cb-notify-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(manager.dir));
    snprintf(manager.path, sizeof(manager.path), "%s/s", manager.dir);
    *state = &manager;
    return 0;
}

static int teardown(void **state)
{
    struct manager *m = *state;
    unsetenv("NOTIFY_SOCKET");
    if (m->fd >= 0)
        close(m->fd);
    unlink(m->path);
    return rmdir(m->dir);
}

static void listen_on_path(struct manager *m)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, m->path, strlen(m->path) + 1);
    listen_on(m, &at, strlen(m->path) + 1);
    setenv("NOTIFY_SOCKET", m->path, 1);
}

static void test_states(void **state)
{
    struct manager *m = *state;
    listen_on_path(m);
    notify_ready();
    assert_string_equal(heard(m), "READY=1");
    notify_stopping();
    assert_string_equal(heard(m), "STOPPING=1");
    assert_string_equal(heard(m), "");
}

/* Type=notify-reload wants the monotonic time beside it. */
static void test_reloading(void **state)
{
    struct manager *m = *state;
    long long at = 0;
    listen_on_path(m);
    int64_t before = stopwatch_us();
    notify_reloading();
    int64_t after = stopwatch_us();
    assert_int_equal(sscanf(heard(m), "RELOADING=1\nMONOTONIC_USEC=%lld", &at), 1);
    assert_in_range(at, before, after);
}

static void test_abstract(void **state)
{
    struct manager *m = *state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char name[64];
    int len = snprintf(name, sizeof(name), "@cb-notify-%ld", (long)getpid());
    memcpy(at.sun_path, name, (size_t)len);
    at.sun_path[0] = '\0';
    listen_on(m, &at, (size_t)len); /* without a NUL at its end: it would be part of the name */
    setenv("NOTIFY_SOCKET", name, 1);
    notify_ready();
    assert_string_equal(heard(m), "READY=1");
}

/* Nobody there, or nonsense: nothing happens. */
static void test_nobody(void **state)
{
    struct manager *m = *state;
    char too_long[200];
    memset(too_long, 'x', sizeof(too_long));
    too_long[0] = '/';
    too_long[sizeof(too_long) - 1] = '\0';
    static const char *const odd[] = {"", "relative", "/", "@", "vsock:2:1234"};
    notify_ready();
    setenv("NOTIFY_SOCKET", m->path, 1);
    notify_ready();
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        setenv("NOTIFY_SOCKET", odd[i], 1);
        notify_ready();
    }
    setenv("NOTIFY_SOCKET", too_long, 1);
    notify_stopping();
}

/* A manager that does not read holds up nothing: the queue of a socket is short. */
static void test_full(void **state)
{
    struct manager *m = *state;
    listen_on_path(m);
    alarm(30);
    for (int i = 0; i < 3000; i++)
        notify_ready();
    alarm(0);
    assert_string_equal(heard(m), "READY=1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_states), TEST(test_reloading), TEST(test_abstract),
        TEST(test_nobody), TEST(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

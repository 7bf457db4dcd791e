/* Policies on a station without sockets or SQL: what the tests of the API rows stand on.
 *
 * The station's world is that of tests/unit/station (fake.h); policies are real files in a folder
 * of their own, loaded as the server loads them; REST requests go in at policy_request(). Time is
 * fake, queries are answered from `w->rows`, nothing waits for anything but the test. */
#ifndef TESTS_POLICY_API_WORLD_H
#define TESTS_POLICY_API_WORLD_H

#include "../station/fake.h"

#include <ftw.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/policy.h"

enum { POSTS_MAX = 64 };

struct world {
    struct fake *f;
    char dir[64];
    struct policy_settings settings;
    struct policy *policy;
    struct policy_report report; /* of the last load */
    bool loaded;
    /* the newest response */
    int status, responses;
    char type[64], headers[512];
    struct strbuf body;
    /* a body that comes piece by piece */
    bool has_source, woken;
    struct body_source source;
    struct policy_ports ports; /* events, files, figures: what a test sets before world_load() */
    uint64_t upload;           /* of the next request */
    const struct name_value *extra_header;
    /* store */
    const char *rows, *next, *query_why;
    char query_name[64];
    struct strbuf query_params;
    bool sick;
    /* log */
    struct strbuf log;
    /* what the build thread posts */
    pthread_mutex_t lock;
    pthread_cond_t posted;
    struct {
        void (*fn)(void *arg);
        void *arg;
    } posts[POSTS_MAX];
    size_t post_count;
};

/* ---- ports ---- */

static void world_query(void *ctx, const char *name, const struct json *params,
                        void (*done)(void *done_ctx, const char *rows_json, const char *next_cursor,
                                     const char *why),
                        void *done_ctx)
{
    struct world *w = ctx;
    text_copy(w->query_name, sizeof(w->query_name), span_of(name));
    strbuf_reset(&w->query_params);
    json_write(&w->query_params, params);
    done(done_ctx, w->rows, w->next, w->query_why);
}

static void world_decision(void *ctx, const struct record_decision *row)
{
    (void)ctx;
    (void)row;
}

static bool world_healthy(void *ctx)
{
    const struct world *w = ctx;
    return !w->sick;
}

static void world_post(void *loop, void (*fn)(void *arg), void *arg)
{
    struct world *w = loop;
    pthread_mutex_lock(&w->lock);
    assert_true(w->post_count < POSTS_MAX);
    w->posts[w->post_count].fn = fn;
    w->posts[w->post_count++].arg = arg;
    pthread_cond_signal(&w->posted);
    pthread_mutex_unlock(&w->lock);
}

/* Runs what the build thread has posted. */
static void world_deliver(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->post_count > 0) {
        void (*fn)(void *arg) = w->posts[0].fn;
        void *arg = w->posts[0].arg;
        memmove(w->posts, w->posts + 1, --w->post_count * sizeof(w->posts[0]));
        pthread_mutex_unlock(&w->lock);
        fn(arg);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

/* The same, once there is something. */
UNUSED static void world_turn(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->post_count == 0)
        pthread_cond_wait(&w->posted, &w->lock);
    pthread_mutex_unlock(&w->lock);
    world_deliver(w);
}

static void world_log(void *ctx, const char *line, size_t len)
{
    struct world *w = ctx;
    pthread_mutex_lock(&w->lock);
    strbuf_add(&w->log, line, len);
    pthread_mutex_unlock(&w->lock);
}

/* ---- files ---- */

UNUSED static void world_file(struct world *w, const char *name, const char *text)
{
    char path[256];
    static const char *const folders[] = {"lib", "tests"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        snprintf(path, sizeof(path), "%s/%s", w->dir, folders[i]);
        mkdir(path, 0700);
    }
    snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

/* ---- life ---- */

/* A world whose folder is empty: world_file() and world_load() are next. */
UNUSED static struct world *world_new(void)
{
    struct world *w = xcalloc(1, sizeof(*w));
    w->f = fake_with_cp1();
    strcpy(w->dir, "/tmp/chargebridge-policy-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->posted, NULL);
    log_redirect(world_log, w);
    w->rows = "[]";
    w->settings = (struct policy_settings){.dir = w->dir,
                                           .run_warn_ms = 5000,
                                           .run_kill_ms = 10000,
                                           .authorize_timeout_ms = 5000,
                                           .handler_timeout_ms = 30000,
                                           .load_file_ms = 20000,
                                           .load_total_ms = 60000,
                                           .memory_bytes = 64 << 20,
                                           .drain_ms = 30000,
                                           .tasks_max = 10000};
    return w;
}

UNUSED static bool world_load(struct world *w)
{
    struct policy_ports ports = w->ports;
    ports.ctx = w;
    ports.query = world_query;
    ports.decision = world_decision;
    ports.store_healthy = world_healthy;
    if (!w->policy)
        w->policy = policy_new(&w->settings, w->f->st, &ports, &w->f->timers,
                               (struct poster){world_post, w});
    w->loaded = policy_load(w->policy, &w->report);
    return w->loaded;
}

UNUSED static void world_free(struct world *w)
{
    if (w->policy)
        policy_free(w->policy);
    world_deliver(w); /* a job that ended at that moment is freed by its callback */
    nftw(w->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    fake_free(w->f);
    log_redirect(NULL, NULL);
    strbuf_clear(&w->body);
    strbuf_clear(&w->query_params);
    strbuf_clear(&w->log);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->posted);
    xfree(w);
}

UNUSED static void show_findings(const struct policy_report *report)
{
    for (size_t i = 0; i < report->kept; i++)
        print_message("%s:%d: %s\n", report->errors[i].file, report->errors[i].line,
                      report->errors[i].message);
}

/* A world with one policy file "10-t.lua". */
UNUSED static struct world *world_with(const char *text)
{
    struct world *w = world_new();
    world_file(w, "10-t.lua", text);
    if (!world_load(w)) {
        show_findings(&w->report);
        fail_msg("the policy does not load");
    }
    return w;
}

/* Is there a finding with this place whose message holds `part`? Every other one is shown. */
UNUSED static void expect_finding(const struct world *w, const char *file, int line,
                                  const char *part)
{
    for (size_t i = 0; i < w->report.kept; i++) {
        const struct policy_error *e = &w->report.errors[i];
        if (text_is(e->file, file) && e->line == line && strstr(e->message, part))
            return;
    }
    show_findings(&w->report);
    fail_msg("no finding %s:%d with \"%s\"", file, line, part);
}

/* ---- requests ---- */

static void on_response(void *ctx, const struct response *response)
{
    struct world *w = ctx;
    w->responses++;
    w->status = response->status;
    text_copy(w->type, sizeof(w->type),
              span_of(response->content_type ? response->content_type : ""));
    struct strbuf headers = {.cap = sizeof(w->headers) - 1};
    for (size_t i = 0; i < response->header_count; i++)
        strbuf_addf(&headers, "%s: %s\n", response->headers[i].name, response->headers[i].value);
    text_copy(w->headers, sizeof(w->headers), span_of(strbuf_text(&headers)));
    strbuf_clear(&headers);
    strbuf_reset(&w->body);
    strbuf_add(&w->body, response->body.at, response->body.len);
    assert_false(w->has_source);
    w->has_source = response->source != NULL;
    if (response->source)
        w->source = *response->source;
}

static void world_wake(void *http, uint64_t request)
{
    struct world *w = http;
    assert_int_equal(request, 77);
    w->woken = true;
}

/* As http does before the first read. */
UNUSED static void source_start(struct world *w)
{
    const struct body_waker waker = {world_wake, w, 77};
    assert_true(w->has_source);
    if (w->source.started)
        w->source.started(w->source.ctx, &waker);
}

/* Reads at most `most` bytes into the body, `room` at a time, until nothing comes; returns what
 * read() gave last. */
UNUSED static ptrdiff_t source_pull(struct world *w, size_t room, size_t most)
{
    char buffer[32768];
    ptrdiff_t got = 1;
    assert_true(room <= sizeof(buffer));
    for (size_t all = 0; got > 0 && all < most; all += (size_t)got) {
        got = w->source.read(w->source.ctx, buffer, room);
        if (got > 0)
            strbuf_add(&w->body, buffer, (size_t)got);
        else
            break;
    }
    return got;
}

UNUSED static void source_close(struct world *w)
{
    assert_true(w->has_source);
    w->has_source = false;
    w->source.close(w->source.ctx);
}

struct asked {
    const char *body, *type;
    enum key_scope scope;
};

/* `GET /path?a=1&b=2`; the body as given. Returns the status, 0 if nothing came back yet. */
UNUSED static int ask_with(struct world *w, const char *what, struct asked asked)
{
    char text[1024], *query, *rest;
    struct name_value pairs[16];
    size_t count = 0;
    text_copy(text, sizeof(text), span_of(what));
    char *path = strchr(text, ' ');
    assert_non_null(path);
    *path++ = '\0';
    query = strchr(path, '?');
    for (rest = query; rest; rest = strchr(rest, '&')) {
        *rest++ = '\0';
        pairs[count].name = rest;
        char *value = strchr(rest, '=');
        *value++ = '\0';
        pairs[count++].value = value;
        rest = value;
    }
    struct name_value headers[3] = {{"content-type", asked.type}, {"accept", "*/*"}};
    if (w->extra_header)
        headers[2] = *w->extra_header;
    struct request request = {.method = text,
                              .path = path,
                              .query = pairs,
                              .query_count = count,
                              .headers = asked.type ? headers : headers + 1,
                              .header_count = (asked.type ? 2u : 1u) + (w->extra_header != NULL),
                              .upload = w->upload,
                              .body = span_of(asked.body),
                              .peer = "192.0.2.9",
                              .scope = asked.scope,
                              .key_name = asked.scope ? "tester" : NULL};
    w->status = 0;
    policy_request(w->policy, &request, on_response, w);
    return w->status;
}

/* With an admin key and JSON. */
UNUSED static int ask(struct world *w, const char *what, const char *body)
{
    return ask_with(w, what, (struct asked){body, body ? "application/json" : NULL, SCOPE_ADMIN});
}

#define EXPECT(w, what, body_in, status_out, body_out)                                             \
    do {                                                                                           \
        int got = ask((w), (what), (body_in));                                                     \
        if (got != (status_out) || !text_is(strbuf_text(&(w)->body), (body_out)))                  \
            fail_msg("%s: got %d %s\n%s", (what), got, strbuf_text(&(w)->body),                    \
                     strbuf_text(&(w)->log));                                                      \
    } while (0)

/* The status, and what the body holds. */
#define EXPECT_PART(w, what, body_in, status_out, part)                                            \
    do {                                                                                           \
        int got = ask((w), (what), (body_in));                                                     \
        if (got != (status_out) || !strstr(strbuf_text(&(w)->body), (part)))                       \
            fail_msg("%s: got %d %s\n%s", (what), got, strbuf_text(&(w)->body),                    \
                     strbuf_text(&(w)->log));                                                      \
    } while (0)

/* ---- pieces of Lua ---- */

/* A world whose route POST /run runs the code; what it returns is the body, as JSON. */
UNUSED static struct world *world_running(const char *code)
{
    char *text = xprintf("route(\"POST /run\", function(req)\n"
                         "local function run() %s\nend\n"
                         "local result = run()\n"
                         "return 200, { result }\nend)",
                         code);
    struct world *w = world_with(text);
    xfree(text);
    return w;
}

/* Runs the code and compares what it returns, as JSON. */
UNUSED static void lua_gives(const char *code, const char *json)
{
    struct world *w = world_running(code);
    char *wanted = xprintf("[%s]", json);
    if (ask(w, "POST /run", NULL) != 200 || !text_is(strbuf_text(&w->body), wanted))
        fail_msg("%s\ngives %d %s, not %s\n%s", code, w->status, strbuf_text(&w->body), wanted,
                 strbuf_text(&w->log));
    xfree(wanted);
    world_free(w);
}

/* Runs the code, which must raise an error on line 2 of the file that holds `part`. */
UNUSED static void lua_fails(const char *code, const char *part)
{
    struct world *w = world_running(code);
    if (ask(w, "POST /run", NULL) != 500 || !strstr(strbuf_text(&w->log), part) ||
        !strstr(strbuf_text(&w->log), "line=2 "))
        fail_msg("%s\ngives %d %s\n%s", code, w->status, strbuf_text(&w->body),
                 strbuf_text(&w->log));
    assert_null(strstr(strbuf_text(&w->body), part)); /* never to the client */
    world_free(w);
}

#endif

/* A world whose way out is a list: what policies sent by HTTP, for the test to answer. */
#ifndef TESTS_POLICY_OUTSIDE_WORLD_H
#define TESTS_POLICY_OUTSIDE_WORLD_H

#include "api_world.h"

enum { SENT_MAX = 64 };

struct sent { /* one request that left */
    char *method, *url, *headers, *body;
    int64_t timeout_ms, max_body;
    policy_http_done done; /* NULL: answered or cancelled */
    void *ctx;
};

struct out {
    struct sent sent[SENT_MAX];
    size_t count, cancelled;
    const char *refuses; /* why nothing can be started; NULL */
};

/* One world a test, so one of these. */
static struct out out;

static uint64_t out_start(void *ctx, const struct policy_http *what, policy_http_done done,
                          void *done_ctx, struct reason *why)
{
    (void)ctx;
    if (out.refuses) {
        reason_set(why, "%s", out.refuses);
        return 0;
    }
    assert_true(out.count < SENT_MAX);
    struct strbuf headers = {0};
    for (size_t i = 0; what->headers && what->headers[i]; i++)
        strbuf_addf(&headers, "%s\n", what->headers[i]);
    out.sent[out.count++] =
        (struct sent){xstrdup(what->method),
                      xstrdup(what->url),
                      strbuf_take(&headers, NULL),
                      xstrndup(what->body.at ? what->body.at : "", what->body.len),
                      what->timeout_ms,
                      what->max_body,
                      done,
                      done_ctx};
    return out.count;
}

static void out_cancel(void *ctx, uint64_t number)
{
    (void)ctx;
    assert_true(number >= 1 && number <= out.count);
    assert_non_null(out.sent[number - 1].done);
    out.sent[number - 1].done = NULL;
    out.cancelled++;
}

UNUSED static void out_answer(size_t place, const struct policy_http_answer *answer)
{
    assert_true(place < out.count);
    policy_http_done done = out.sent[place].done;
    assert_non_null(done);
    out.sent[place].done = NULL;
    done(out.sent[place].ctx, answer);
}

UNUSED static void out_status(size_t place, int status)
{
    out_answer(place, &(struct policy_http_answer){.status = status});
}

/* Not loaded yet. */
UNUSED static struct world *out_world(const char *text)
{
    struct world *w = world_new();
    out = (struct out){0};
    w->settings.http_hosts = "backend:8000";
    w->ports.http_start = out_start;
    w->ports.http_cancel = out_cancel;
    world_file(w, "10-t.lua", text);
    return w;
}

UNUSED static struct world *out_world_with(const char *text)
{
    struct world *w = out_world(text);
    if (!world_load(w)) {
        show_findings(&w->report);
        fail_msg("the policy does not load");
    }
    return w;
}

UNUSED static void out_free(struct world *w)
{
    world_free(w);
    for (size_t i = 0; i < out.count; i++) {
        assert_null(out.sent[i].done);
        xfree(out.sent[i].method);
        xfree(out.sent[i].url);
        xfree(out.sent[i].headers);
        xfree(out.sent[i].body);
    }
}

#endif

/* See bodies.h. The router judges key and scope of every route; here they are judged once more
 * where a large body would be taken before it can. */
#include "bodies.h"

#include "base/mem.h"

/* Not beyond what patterns of a script may be tried at: SUBJECT_MAX in policy/sandbox_guard.c. */
static const struct {
    const char *method, *path;
    enum key_scope scope;
    int64_t max;
} large_bodies[] = {{"POST", "/api/v1/tags:import", SCOPE_OPERATE, 4 << 20}};

/* 0: not told (chunks). */
static int64_t told_length(const struct request *head)
{
    int64_t length = 0;
    for (size_t i = 0; i < head->header_count; i++)
        if (text_is(head->headers[i].name, "content-length") &&
            !span_int(span_of(head->headers[i].value), &length))
            length = INT64_MAX;
    return length;
}

static void refuse_key(struct bodies *bodies, const struct request *head, struct response *refusal)
{
    static const struct name_value bearer = {"WWW-Authenticate", "Bearer"};
    bool unknown = head->scope == SCOPE_NONE;
    int status = unknown ? 401 : 403;
    const char *detail = unknown ? "a valid key is needed, in X-API-Key or Authorization: Bearer"
                                 : "this needs a key with scope operate";
    strbuf_reset(&bodies->refusal);
    http_problem(&bodies->refusal, status, detail, NULL);
    *refusal = (struct response){.status = status,
                                 .content_type = "application/problem+json",
                                 .body = {bodies->refusal.at, bodies->refusal.len},
                                 .headers = &bearer,
                                 .header_count = unknown};
}

bool bodies_begin(void *ctx, const struct request *head, struct http_sink *sink,
                  struct response *refusal)
{
    struct bodies *bodies = ctx;
    for (size_t i = 0; i < ARRAY_LEN(large_bodies); i++) {
        if (!text_is(head->method, large_bodies[i].method) ||
            !text_is(head->path, large_bodies[i].path))
            continue;
        if (head->scope >= large_bodies[i].scope)
            sink->max = large_bodies[i].max;
        else if (told_length(head) > bodies->max_body)
            refuse_key(bodies, head, refusal);
        return false;
    }
    return files_upload(bodies->files, head, sink, refusal);
}

void bodies_clear(struct bodies *bodies)
{
    strbuf_clear(&bodies->refusal);
}

/* Responses: from the value that routes give to what MHD sends; problem+json for our own refusals.
 */
#include "base/json.h"
#include "http/parts.h"

static const struct {
    int status;
    const char *title;
} titles[] = {
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const char *title_of(int status)
{
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

void http_problem(struct strbuf *out, int status, const char *detail, const char *instance)
{
    struct json_out json = {.to = out};
    json_open(&json, '{');
    json_key(&json, "type");
    json_put_string(&json, "about:blank");
    json_key(&json, "title");
    json_put_string(&json, title_of(status));
    json_key(&json, "status");
    json_put_int(&json, status);
    if (detail) {
        json_key(&json, "detail");
        json_put_string(&json, detail);
    }
    if (instance) {
        json_key(&json, "instance");
        json_put_string(&json, instance);
    }
    json_close(&json, '}');
}

/* A header value from a script must not end the header: such a header is left out. */
static void add_header(struct MHD_Response *to, const char *name, const char *value)
{
    MHD_add_response_header(to, name, value);
}

struct MHD_Response *response_make(const struct response *from)
{
    struct MHD_Response *made = MHD_create_response_from_buffer(
        from->body.len, (void *)(uintptr_t)from->body.at, MHD_RESPMEM_MUST_COPY);
    if (!made)
        return NULL;
    if (from->content_type)
        add_header(made, "Content-Type", from->content_type);
    add_header(made, "Cache-Control", "no-store");
    add_header(made, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < from->header_count; i++)
        add_header(made, from->headers[i].name, from->headers[i].value);
    return made;
}

struct MHD_Response *response_problem(int status, const char *detail)
{
    struct strbuf body = {0};
    http_problem(&body, status, detail, NULL);
    struct response response = {
        .status = status, .content_type = "application/problem+json", .body = {body.at, body.len}};
    struct MHD_Response *made = response_make(&response);
    strbuf_clear(&body);
    return made;
}

/* Responses: from the value that routes give to what MHD sends; problem+json for our own refusals.
 */
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/parts.h"

void http_problem(struct strbuf *out, int status, const char *detail, const char *instance)
{
    struct json_out json = {.to = out};
    json_open(&json, '{');
    json_key(&json, "type");
    json_put_string(&json, "about:blank");
    json_key(&json, "title");
    json_put_string(&json, status_title(status));
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

/* A header value from a script must not end the header: MHD refuses those, and they are left out.
 */
static void add_header(struct MHD_Response *to, const char *name, const char *value)
{
    if (MHD_add_response_header(to, name, value) != MHD_YES)
        LOG(LOG_WARN, "a response header was left out", L_STR("header", name));
}

/* What MHD itself says about the message; two of a kind would confuse the client about its end. */
static bool is_mhds_own(const char *name)
{
    return text_is_ci(name, "Content-Length") || text_is_ci(name, "Transfer-Encoding") ||
           text_is_ci(name, "Connection") || text_is_ci(name, "Date");
}

static void add_default(struct MHD_Response *to, const struct response *from, const char *name,
                        const char *value)
{
    for (size_t i = 0; i < from->header_count; i++)
        if (text_is_ci(from->headers[i].name, name))
            return;
    if (value)
        add_header(to, name, value);
}

struct MHD_Response *response_make(const struct response *from)
{
    struct MHD_Response *made = MHD_create_response_from_buffer(
        from->body.len, (void *)(uintptr_t)from->body.at, MHD_RESPMEM_MUST_COPY);
    if (made)
        response_dress(made, from);
    return made;
}

void response_dress(struct MHD_Response *made, const struct response *from)
{
    add_default(made, from, "Content-Type", from->content_type);
    add_default(made, from, "Cache-Control", "no-store");
    add_default(made, from, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < from->header_count; i++)
        if (!is_mhds_own(from->headers[i].name))
            add_header(made, from->headers[i].name, from->headers[i].value);
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

void response_raw(struct strbuf *out, int status, const char *detail)
{
    struct strbuf body = {0};
    http_problem(&body, status, detail, NULL);
    strbuf_addf(out,
                "HTTP/1.1 %d %s\r\nConnection: close\r\n"
                "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n"
                "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n%s",
                status, status_title(status), body.len, strbuf_text(&body));
    strbuf_clear(&body);
}

/* Fuzzing the request head: what is taken stays inside its buffer, and means one thing only.
 *
 * Build with clang and CB_FUZZ=ON, run `fuzz_http_head -max_len=9000 CORPUS`. The input is handed
 * over in memory of its exact size, without a NUL behind it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/http_head.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void must_be_inside(const char *part, const char *text, size_t len)
{
    must(part >= text && part + strlen(part) < text + len);
    for (; *part != '\0'; part++)
        must((unsigned char)*part >= ' ' || *part == '\t');
}

static void check_head(const struct http_head *head, const char *text, size_t len, bool merged)
{
    must(head->header_count <= HTTP_HEADERS_MAX);
    for (size_t i = 0; i < head->header_count; i++) {
        must_be_inside(head->headers[i].name, text, len);
        must_be_inside(head->headers[i].value, text, len);
        must(strcmp(head->headers[i].name, "authorization") != 0);
        must(strpbrk(head->headers[i].name, " \t:ABCXYZ") == NULL);
    }
    must_be_inside(head->path, text, len);
    must(head->path[0] == '/' && strpbrk(head->path, "?# ") == NULL);
    must_be_inside(head->key, text, len);
    must(head->key[0] != '\0' && strlen(head->key) <= HTTP_KEY_MAX);
    if (head->authorization != NULL)
        must_be_inside(head->authorization, text, len);
    if (head->subprotocols != NULL && !merged)
        must_be_inside(head->subprotocols, text, len);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    long length = http_head_length((const char *)data, size);
    must(length >= -1 && length <= (long)size);
    /* Growing input: never complete earlier than it says, never taken back. */
    if (length > 0) {
        must(http_head_length((const char *)data, (size_t)length) == length);
        must(http_head_length((const char *)data, (size_t)length - 1) == 0);
    }
    if (length <= 0)
        return 0;
    char *text = xmalloc((size_t)length);
    memcpy(text, data, (size_t)length);
    struct http_head head;
    struct strbuf merged = {.cap = HTTP_HEAD_MAX};
    int status = http_head_parse(text, (size_t)length, &head, &merged);
    if (status == 101)
        check_head(&head, text, (size_t)length, merged.len > 0);
    struct strbuf answer = {0};
    http_answer(&answer, status, head.head_method);
    strbuf_clear(&answer);
    strbuf_clear(&merged);
    xfree(text);
    return 0;
}

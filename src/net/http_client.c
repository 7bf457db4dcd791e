/* The HTTP client: curl_multi_socket_action driven by uv_poll and one uv_timer.
 *
 * libcurl says through on_curl_socket which descriptors to watch and through on_curl_timer when to
 * call it again; on_ready and on_alarm call it, then drain() hands out what has ended. libcurl
 * never calls `done`, so nothing of ours runs inside one of its callbacks. Its timer is uv's and
 * not one of base/timer.h: libcurl counts real time, also where the clock is fake or runs faster.
 * Proxies of the environment are not used, the charger must reach exactly what the URL names. Start
 * reading at http_client_start. */
#include "net/http_client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"

enum { CONNECTIONS_MAX = 256, CONNECTIONS_KEPT = 16, HEADER_BYTES_MAX = 64 * 1024 };

struct transfer {
    struct transfer *next;
    struct http_client *client;
    uint64_t number;
    CURL *easy;
    struct curl_slist *headers;
    http_transfer_done done;
    void *ctx;
    struct strbuf body;
    struct strbuf head; /* the headers of the answer: name NUL value NUL … */
    size_t header_count;
    bool too_large;
    struct reason why; /* what we gave up for; "" */
    int upload_fd, download_fd;
    int64_t bytes, max_body, timeout_ms, started_us;
    char curl_error[CURL_ERROR_SIZE];
};

struct http_client {
    uv_loop_t *uv;
    uv_timer_t alarm;
    CURLM *multi;
    struct transfer *transfers;
    uint64_t numbers;
};

/* One descriptor that libcurl wants watched. */
struct watched {
    uv_poll_t poll;
    struct http_client *client;
    curl_socket_t fd;
};

/* ---- what ended ---- */

static void transfer_unlink(struct transfer *transfer)
{
    for (struct transfer **at = &transfer->client->transfers; *at; at = &(*at)->next) {
        if (*at == transfer) {
            *at = transfer->next;
            return;
        }
    }
}

static void transfer_free(struct transfer *transfer)
{
    struct http_client *client = transfer->client;
    transfer_unlink(transfer);
    if (transfer->easy) {
        curl_multi_remove_handle(client->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_slist_free_all(transfer->headers);
    if (transfer->upload_fd >= 0)
        close(transfer->upload_fd);
    if (transfer->download_fd >= 0)
        close(transfer->download_fd);
    strbuf_clear(&transfer->body);
    strbuf_clear(&transfer->head);
    xfree(transfer);
}

static enum http_failure failure_of(const struct transfer *transfer, CURLcode result)
{
    if (result == CURLE_OK)
        return HTTP_DONE;
    if (transfer->too_large)
        return HTTP_TOO_LARGE;
    return result == CURLE_OPERATION_TIMEDOUT ? HTTP_TIMEOUT : HTTP_UNREACHABLE;
}

/* Heap; points into transfer->head. */
static struct name_value *list_headers(const struct transfer *transfer)
{
    struct name_value *list = xcalloc(transfer->header_count + 1, sizeof(*list));
    const char *at = transfer->head.at;
    for (size_t i = 0; i < transfer->header_count; i++) {
        list[i].name = at;
        list[i].value = at + strlen(at) + 1;
        at = list[i].value + strlen(list[i].value) + 1;
    }
    return list;
}

static const char *transfer_error(struct transfer *transfer, CURLcode result)
{
    if (result == CURLE_OK)
        return NULL;
    if (transfer->why.text[0])
        return transfer->why.text;
    if (result == CURLE_OPERATION_TIMEDOUT)
        reason_set(&transfer->why, "not finished within %lld ms", (long long)transfer->timeout_ms);
    else
        reason_set(&transfer->why, "%s",
                   transfer->curl_error[0] ? transfer->curl_error : curl_easy_strerror(result));
    return transfer->why.text;
}

static void transfer_tell(struct transfer *transfer, CURLcode result)
{
    long status = 0;
    char *content_type = NULL;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &content_type);
    struct name_value *headers = list_headers(transfer);
    struct http_transferred what = {
        .failure = failure_of(transfer, result),
        .status = (int)status,
        .error = transfer_error(transfer, result),
        .body = {strbuf_text(&transfer->body), transfer->body.len},
        .bytes = transfer->bytes,
        .content_type = content_type,
        .headers = headers,
        .header_count = transfer->header_count,
        .ms = (stopwatch_us() - transfer->started_us) / 1000,
    };
    transfer_unlink(transfer); /* cancelling it inside `done` finds nothing */
    transfer->done(transfer->ctx, &what);
    xfree(headers);
    transfer_free(transfer);
}

static void drain(struct http_client *client)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result; /* the message is gone with the handle */
        struct transfer *transfer = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        transfer_tell(transfer, result);
    }
}

/* ---- libcurl and the loop ---- */

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watched *watched = poll->data;
    struct http_client *client = watched->client;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    int running;
    curl_multi_socket_action(client->multi, watched->fd, flags, &running);
    drain(client);
}

static void on_watched_closed(uv_handle_t *handle)
{
    xfree(handle->data);
}

static struct watched *watch(struct http_client *client, curl_socket_t fd)
{
    struct watched *watched = xcalloc(1, sizeof(*watched));
    watched->client = client;
    watched->fd = fd;
    watched->poll.data = watched;
    if (NEVER(uv_poll_init(client->uv, &watched->poll, fd) != 0)) {
        xfree(watched);
        return NULL;
    }
    curl_multi_assign(client->multi, fd, watched);
    return watched;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *mine)
{
    (void)easy;
    struct http_client *client = ctx;
    struct watched *watched = mine;
    if (what == CURL_POLL_REMOVE) {
        if (watched) {
            curl_multi_assign(client->multi, fd, NULL);
            uv_close((uv_handle_t *)&watched->poll, on_watched_closed);
        }
        return 0;
    }
    if (!watched && !(watched = watch(client, fd)))
        return -1;
    int events =
        (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);
    uv_poll_start(&watched->poll, events, on_ready);
    return 0;
}

static void on_alarm(uv_timer_t *alarm)
{
    struct http_client *client = alarm->data;
    int running;
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    drain(client);
}

static int on_curl_timer(CURLM *multi, long ms, void *ctx)
{
    (void)multi;
    struct http_client *client = ctx;
    if (ms < 0) {
        uv_timer_stop(&client->alarm);
        return 0;
    }
    uv_update_time(client->uv);
    uv_timer_start(&client->alarm, on_alarm, (uint64_t)ms, 0);
    return 0;
}

/* ---- bodies ---- */

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, data, len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return false;
        data += wrote;
        len -= (size_t)wrote;
    }
    return true;
}

static size_t on_curl_write(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t len = size * count;
    if ((int64_t)len > transfer->max_body - transfer->bytes) {
        transfer->too_large = true;
        reason_set(&transfer->why, "the answer is longer than %lld bytes",
                   (long long)transfer->max_body);
        return 0;
    }
    if (transfer->download_fd < 0) {
        strbuf_add(&transfer->body, data, len);
    } else if (!write_all(transfer->download_fd, data, len)) {
        reason_set(&transfer->why, "cannot write the answer to its file: %s", strerror(errno));
        return 0;
    }
    transfer->bytes += (int64_t)len;
    return len;
}

/* One line of the head of the answer; a 100 Continue before it starts anew. */
static size_t on_curl_header(char *line, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t len = size * count;
    struct span value = {line, len}, name;
    if (span_starts(value, "HTTP/")) {
        strbuf_reset(&transfer->head);
        transfer->header_count = 0;
        return len;
    }
    if (memchr(line, '\0', len) || !span_cut(&value, ':', &name) || !value.at)
        return len;
    if (transfer->head.len + len > HEADER_BYTES_MAX) {
        transfer->too_large = true;
        reason_set(&transfer->why, "the answer has more than %d bytes of headers",
                   HEADER_BYTES_MAX);
        return 0;
    }
    value = span_trim(value);
    for (size_t i = 0; i < name.len; i++)
        strbuf_addc(&transfer->head, (char)tolower((unsigned char)name.at[i]));
    strbuf_addc(&transfer->head, '\0');
    strbuf_add(&transfer->head, value.at, value.len);
    strbuf_addc(&transfer->head, '\0');
    transfer->header_count++;
    return len;
}

static size_t on_curl_read(char *to, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    ssize_t got;
    do {
        got = read(transfer->upload_fd, to, size * count);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        reason_set(&transfer->why, "cannot read the file to send: %s", strerror(errno));
        return CURL_READFUNC_ABORT;
    }
    return (size_t)got;
}

/* libcurl sends again from the start when a kept connection turns out to be dead. */
static int on_curl_seek(void *ctx, curl_off_t offset, int origin)
{
    struct transfer *transfer = ctx;
    return lseek(transfer->upload_fd, offset, origin) < 0 ? CURL_SEEKFUNC_FAIL : CURL_SEEKFUNC_OK;
}

/* ---- starting ---- */

static bool check_url(const char *url, struct reason *why)
{
    CURLU *parts = curl_url();
    char *scheme = NULL;
    CURLUcode result = curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    if (result == CURLUE_OK)
        result = curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    bool ok = false;
    if (result != CURLUE_OK)
        reason_set(why, "not a URL: %s", curl_url_strerror(result));
    else if (!text_is_ci(scheme, "http") && !text_is_ci(scheme, "https"))
        reason_set(why, "expected an http:// or https:// URL, got %s://", scheme);
    else
        ok = true;
    curl_free(scheme);
    curl_url_cleanup(parts);
    return ok;
}

static bool check_method(const char *method, struct reason *why)
{
    size_t len = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (len > 0 && len <= 20 && method[len] == '\0')
        return true;
    reason_set(why, "not a method: expected GET, POST, PUT …");
    return false;
}

/* The caller's headers; Expect and a made-up Content-Type are taken off. */
static bool add_headers(struct transfer *transfer, const char *const *headers, struct reason *why)
{
    bool typed = false;
    for (size_t i = 0; headers && headers[i]; i++) {
        const char *colon = strchr(headers[i], ':');
        if (!colon || colon == headers[i] || strpbrk(headers[i], "\r\n")) {
            reason_set(why, "not a header: expected \"Name: value\" on one line");
            return false;
        }
        typed |=
            span_is_ci((struct span){headers[i], (size_t)(colon - headers[i])}, "Content-Type");
        transfer->headers = curl_slist_append(transfer->headers, headers[i]);
    }
    transfer->headers = curl_slist_append(transfer->headers, "Expect:");
    if (!typed)
        transfer->headers = curl_slist_append(transfer->headers, "Content-Type:");
    return true;
}

static bool open_files(struct transfer *transfer, const struct http_transfer *what, int64_t *size,
                       struct reason *why)
{
    struct stat info;
    if (what->upload_path) {
        transfer->upload_fd = open(what->upload_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (transfer->upload_fd < 0 || fstat(transfer->upload_fd, &info) != 0) {
            reason_set(why, "cannot read %s: %s", what->upload_path, strerror(errno));
            return false;
        }
        if (!S_ISREG(info.st_mode)) {
            reason_set(why, "cannot send %s: expected a plain file", what->upload_path);
            return false;
        }
        *size = info.st_size;
    }
    if (what->download_path) {
        transfer->download_fd =
            open(what->download_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0644);
        if (transfer->download_fd < 0) {
            reason_set(why, "cannot write %s: %s", what->download_path, strerror(errno));
            return false;
        }
    }
    return true;
}

static void set_body(struct transfer *transfer, const struct http_transfer *what, int64_t size)
{
    CURL *easy = transfer->easy;
    bool sends = what->body.len > 0 || text_is(what->method, "POST") ||
                 text_is(what->method, "PUT") || text_is(what->method, "PATCH");
    if (transfer->upload_fd >= 0) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_curl_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_curl_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
    } else if (sends) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)what->body.len);
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, what->body.len ? what->body.at : "");
    } else if (text_is(what->method, "HEAD")) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, what->method);
}

static void set_options(struct transfer *transfer, const struct http_transfer *what)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
    curl_easy_setopt(easy, CURLOPT_URL, what->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "chargebridge");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)transfer->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_curl_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_curl_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    /* Cancelling while a name is resolved must not wait for the resolver's thread. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

uint64_t http_client_start(struct http_client *client, const struct http_transfer *what,
                           http_transfer_done done, void *ctx, struct reason *why)
{
    if (!check_url(what->url, why) || !check_method(what->method, why))
        return 0;
    struct transfer *transfer = xcalloc(1, sizeof(*transfer));
    transfer->client = client;
    transfer->done = done;
    transfer->ctx = ctx;
    transfer->upload_fd = transfer->download_fd = -1;
    transfer->max_body = what->max_body;
    transfer->timeout_ms = what->timeout_ms > 0 ? what->timeout_ms : 1;
    transfer->started_us = stopwatch_us();
    int64_t size = 0;
    if (!add_headers(transfer, what->headers, why) || !open_files(transfer, what, &size, why))
        goto fail;
    transfer->easy = curl_easy_init();
    if (NEVER(!transfer->easy)) {
        reason_set(why, "libcurl does not start");
        goto fail;
    }
    set_options(transfer, what);
    set_body(transfer, what, size);
    if (NEVER(curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK)) {
        reason_set(why, "libcurl takes no more transfers");
        goto fail;
    }
    transfer->number = ++client->numbers;
    transfer->next = client->transfers;
    client->transfers = transfer;
    return transfer->number;
fail:
    transfer_free(transfer);
    return 0;
}

void http_client_cancel(struct http_client *client, uint64_t number)
{
    for (struct transfer *at = client->transfers; at; at = at->next) {
        if (at->number == number) {
            transfer_free(at);
            return;
        }
    }
}

size_t http_client_active(const struct http_client *client)
{
    size_t count = 0;
    for (const struct transfer *at = client->transfers; at; at = at->next)
        count++;
    return count;
}

/* ---- the client ---- */

struct http_client *http_client_open(struct loop *loop, struct reason *why)
{
    static bool started; /* loop thread only; libcurl counts, but never mind giving it back */
    if (!started && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        reason_set(why, "libcurl does not start");
        return NULL;
    }
    started = true;
    if (!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS)) {
        reason_set(why, "this libcurl resolves names in the calling thread; expected one that was "
                        "built with the threaded resolver");
        return NULL;
    }
    struct http_client *client = xcalloc(1, sizeof(*client));
    client->uv = loop_native(loop);
    client->multi = curl_multi_init();
    uv_timer_init(client->uv, &client->alarm);
    client->alarm.data = client;
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    return client;
}

static void on_client_closed(uv_handle_t *handle)
{
    xfree(handle->data);
}

void http_client_close(struct http_client *client)
{
    if (!client)
        return;
    while (client->transfers)
        transfer_free(client->transfers);
    curl_multi_cleanup(client->multi);
    uv_close((uv_handle_t *)&client->alarm, on_client_closed);
}

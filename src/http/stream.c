/* Answers whose body is pulled from a source: events, files, long lists.
 *
 * MHD calls read_more() whenever the client has room. A source with nothing to give suspends the
 * connection until http_wake(), since MHD would ask again and again (LIBRARIES.md §6). MHD sees
 * neither a silent client nor one that stopped reading, so a tick looks at what the other kernel
 * has acknowledged. Nothing may suspend once the server ends its streams: MHD aborts when it is
 * stopped with a suspended connection. */
#include "base/mem.h"
#include "http/parts.h"

/* What MHD sets aside for each answer that is not chunked. */
enum { BLOCK_SMALL = 1024, BLOCK_LARGE = 32768, LOOKS_PER_STALL = 4 };

static ssize_t read_source(struct stream *stream, char *to, size_t room)
{
    if (!stream->started) {
        struct body_waker waker = {http_wake, stream->http, stream->number};
        stream->started = true;
        if (stream->source.started)
            stream->source.started(stream->source.ctx, &waker);
    }
    stream->woken = false;
    ptrdiff_t got = stream->source.read(stream->source.ctx, to, room);
    if (NEVER(got > (ptrdiff_t)room) || got == BODY_BROKEN)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    return got == BODY_END ? MHD_CONTENT_READER_END_OF_STREAM : got;
}

static ssize_t read_more(void *ctx, uint64_t at, char *to, size_t room)
{
    (void)at;
    struct stream *stream = ctx;
    if (stream->broken || NEVER(!stream->exchange))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (stream->ending)
        return stream->source.endless ? MHD_CONTENT_READER_END_OF_STREAM
                                      : MHD_CONTENT_READER_END_WITH_ERROR;
    ssize_t got = read_source(stream, to, room);
    if (got > 0)
        stream->since = mono_now();
    if (got == 0) {
        exchange_suspend(stream->exchange);
        if (stream->woken)
            exchange_resume(stream->exchange);
    }
    return got;
}

static void on_response_freed(void *ctx)
{
    struct stream *stream = ctx;
    struct http *http = stream->http;
    struct body_source source = stream->source;
    if (stream->exchange)
        stream->exchange->stream = NULL;
    idmap_remove(&http->streams, stream->number);
    http->endless -= source.endless;
    xfree(stream);
    source.close(source.ctx);
}

bool stream_is_too_many(const struct http *http, const struct body_source *source)
{
    return source->endless && http->endless >= (size_t)http->settings.streams_max;
}

struct MHD_Response *stream_make(struct exchange *exchange, const struct response *from)
{
    struct http *http = exchange->http;
    struct stream *stream = xcalloc(1, sizeof(*stream));
    *stream = (struct stream){.http = http,
                              .number = exchange->number,
                              .exchange = exchange,
                              .source = *from->source,
                              .since = mono_now()};
    bool known = from->source->length >= 0;
    struct MHD_Response *made = MHD_create_response_from_callback(
        known ? (uint64_t)from->source->length : MHD_SIZE_UNKNOWN,
        from->source->endless ? BLOCK_SMALL : BLOCK_LARGE, read_more, stream, on_response_freed);
    exchange->stream = stream;
    idmap_put(&http->streams, stream->number, stream);
    http->endless += from->source->endless;
    if (!made) {
        on_response_freed(stream);
        return NULL;
    }
    /* MHD 0.9.75 sends the last chunk of a body that HEAD has not; without chunks it closes. */
    if (exchange->head_only && !known)
        MHD_set_response_options(made, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    response_dress(made, from);
    return made;
}

/* ---- time ---- */

static int64_t stall_ms(const struct stream *stream)
{
    const struct http_settings *settings = &stream->http->settings;
    return stream->source.endless ? settings->stream_stall_ms : settings->answer_timeout_ms;
}

static void wait_for_next_look(struct stream *stream)
{
    int64_t ms = stall_ms(stream) / LOOKS_PER_STALL;
    timer_start(stream->http->timers, &stream->exchange->deadline, ms > 0 ? ms : 1);
}

/* An endless answer may be silent; one with an end has to go on. */
void stream_watch(struct stream *stream)
{
    struct exchange *exchange = stream->exchange;
    struct link *link = link_of(exchange->connection);
    uint64_t taken = stream->taken;
    bool more = link_progress(link, &taken);
    if (taken != stream->taken || (stream->source.endless && !more && exchange->suspended))
        stream->since = mono_now();
    stream->taken = taken;
    if (mono_now() - stream->since < stall_ms(stream)) {
        wait_for_next_look(stream);
        return;
    }
    stream->broken = true;
    link_end(link);
    exchange_resume(exchange);
}

/* ---- from outside ---- */

void http_wake(void *ctx, uint64_t request)
{
    struct http *http = ctx;
    struct stream *stream = idmap_get(&http->streams, request);
    if (!stream || !stream->exchange)
        return;
    stream->woken = true;
    exchange_resume(stream->exchange);
}

void streams_end(struct http *http, bool all)
{
    struct stream *stream;
    size_t at = 0;
    while ((stream = idmap_next(&http->streams, &at))) {
        if (!all && !stream->source.endless)
            continue;
        stream->ending = true;
        if (stream->exchange)
            exchange_resume(stream->exchange);
    }
}

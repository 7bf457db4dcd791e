/* Frames of a link: sending, reassembly, closing. See ws_lws.h; lws calls in through ws_lws.c.
 *
 * P1 is the rule here: lws_write while an earlier write is partly buffered corrupts the stream, so
 * only write_frame may call it, and only after can_write said yes. Everything else waits in the
 * link's bounded queue for the WRITEABLE callback. */
#include <string.h>

#include "base/mem.h"
#include "net/ws_lws_parts.h"

enum {
    SCRATCH_MAX = 65536, /* larger frames get memory of their own for a moment */
    ORPHAN_SECONDS = 5,  /* for the Close of a detached link */
    FRAMES_A_TURN = 16   /* from the queue, then others may write */
};

struct ws_frame {
    struct ws_frame *next;
    size_t len;
    enum lws_write_protocol kind;
    unsigned char bytes[]; /* LWS_PRE, then the text */
};

static bool can_write(const struct ws_link *link)
{
    return link->queue_first == NULL && !link->ping_due && !lws_partial_buffered(link->wsi);
}

/* `bytes` has LWS_PRE of room before it and is overwritten. False: the socket is broken. */
static bool write_frame(struct ws_link *link, unsigned char *bytes, size_t len,
                        enum lws_write_protocol kind)
{
    int written = lws_write(link->wsi, bytes, len, kind);
    if (written >= 0 && (size_t)written >= len)
        return true;
    ws_link_drop(link, "write failed");
    return false;
}

static bool write_now(struct ws_link *link, const char *text, size_t len,
                      enum lws_write_protocol kind)
{
    struct ws_lws *lws = link->lws;
    if (LWS_PRE + len > SCRATCH_MAX) {
        unsigned char *own = xmalloc(LWS_PRE + len);
        memcpy(own + LWS_PRE, text, len);
        bool written = write_frame(link, own + LWS_PRE, len, kind);
        xfree(own);
        return written;
    }
    if (lws->scratch_room < LWS_PRE + len) {
        lws->scratch_room = LWS_PRE + len < 4096 ? 4096 : SCRATCH_MAX;
        lws->scratch = xrealloc(lws->scratch, lws->scratch_room);
    }
    if (len > 0)
        memcpy(lws->scratch + LWS_PRE, text, len);
    return write_frame(link, lws->scratch + LWS_PRE, len, kind);
}

static void enqueue(struct ws_link *link, const char *text, size_t len,
                    enum lws_write_protocol kind)
{
    struct ws_frame *frame = xmalloc(sizeof(*frame) + LWS_PRE + len);
    frame->next = NULL;
    frame->len = len;
    frame->kind = kind;
    if (len > 0)
        memcpy(frame->bytes + LWS_PRE, text, len);
    if (link->queue_last != NULL) {
        link->queue_last->next = frame;
    } else {
        link->queue_first = frame;
    }
    link->queue_last = frame;
    link->queued += len + sizeof(*frame) + LWS_PRE;
}

static void dequeue(struct ws_link *link)
{
    struct ws_frame *frame = link->queue_first;
    link->queue_first = frame->next;
    if (link->queue_first == NULL)
        link->queue_last = NULL;
    link->queued -= frame->len + sizeof(*frame) + LWS_PRE;
    xfree(frame);
}

bool ws_link_is_open(const struct ws_link *link)
{
    return link->wsi != NULL && link->open && !link->close_due && !link->close_sent &&
           !link->dropped && link->peer_code == 0;
}

static enum ws_sent send_kind(struct ws_link *link, const char *text, size_t len,
                              enum lws_write_protocol kind)
{
    if (!ws_link_is_open(link))
        return WS_NOT_OPEN;
    if (can_write(link))
        return write_now(link, text, len, kind) ? WS_SENT : WS_NOT_OPEN;
    if (link->queued + len > link->queue_max)
        return WS_QUEUE_FULL;
    enqueue(link, text, len, kind);
    lws_callback_on_writable(link->wsi);
    return WS_SENT;
}

enum ws_sent ws_link_send(struct ws_link *link, const char *text, size_t len)
{
    return send_kind(link, text, len, LWS_WRITE_TEXT);
}

enum ws_sent ws_link_send_piece(struct ws_link *link, enum ws_piece piece, const char *bytes,
                                size_t len)
{
    static const int kinds[] = {[WS_TEXT] = LWS_WRITE_TEXT,
                                [WS_BINARY] = LWS_WRITE_BINARY,
                                [WS_TEXT_BEGINS] = LWS_WRITE_TEXT | LWS_WRITE_NO_FIN,
                                [WS_TEXT_GOES_ON] = LWS_WRITE_CONTINUATION | LWS_WRITE_NO_FIN,
                                [WS_TEXT_ENDS] = LWS_WRITE_CONTINUATION};
    return send_kind(link, bytes, len, (enum lws_write_protocol)kinds[piece]);
}

/* lws answers pings in its parser, before any callback, but not on a connection for which a reason
 * of closing is prepared; preparing one does nothing else until the socket closes. */
void ws_link_ignore_pings(struct ws_link *link)
{
    if (ws_link_is_open(link))
        lws_close_reason(link->wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
}

static bool write_ping(struct ws_link *link)
{
    /* Not empty: lws does not report pongs without a payload [measured]. */
    unsigned char bytes[LWS_PRE + 4];
    memcpy(bytes + LWS_PRE, "ping", 4);
    return write_frame(link, bytes + LWS_PRE, 4, LWS_WRITE_PING);
}

void ws_link_ping(struct ws_link *link)
{
    if (!ws_link_is_open(link))
        return;
    if (can_write(link)) {
        write_ping(link);
        return;
    }
    link->ping_due = true;
    lws_callback_on_writable(link->wsi);
}

void ws_link_discard_queue(struct ws_link *link)
{
    while (link->queue_first != NULL)
        dequeue(link);
}

void ws_link_close(struct ws_link *link, int code, const char *reason)
{
    if (!ws_link_is_open(link))
        return;
    link->close_due = true;
    link->close_code = code;
    xfree(link->close_reason);
    link->close_reason = xstrdup_or_null(reason);
    lws_callback_on_writable(link->wsi);
}

/* P8, only in WRITEABLE and with nothing of ours left to send before it. Not by returning -1:
 * Debian's lws is built with _DEBUG, closes the socket twice then (its "uv repeat test") and never
 * sends the Close; and -1 from RECEIVE leaves its parser inside the frame, so that the peer's Close
 * is not recognised and 5 s pass [both measured]. With a reason prepared KILL_SYNC is the polite
 * way: it only changes the state, the frame leaves later. */
static void close_now(struct ws_link *link)
{
    const char *reason = link->close_reason == NULL ? "" : link->close_reason;
    unsigned char text[WS_CLOSE_REASON_MAX];
    size_t len = utf8_cut(reason, strlen(reason), sizeof(text));
    memcpy(text, reason, len);
    link->close_due = false;
    link->close_sent = true;
    lws_close_reason(link->wsi, (enum lws_close_status)link->close_code, text, len);
    lws_set_timeout(link->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

/* KILL_ASYNC is the violent death, which also ends sockets with buffered output; it waits in lws's
 * timer list, so wake its service (a foreign uv loop does not look there by itself). */
static void kill_soon(struct lws *wsi, struct ws_lws *lws)
{
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    lws_cancel_service(lws->context);
}

void ws_link_drop(struct ws_link *link, const char *why)
{
    if (link->wsi == NULL)
        return;
    if (!link->dropped) {
        xfree(link->close_reason);
        link->close_reason = xstrdup_or_null(why);
    }
    link->dropped = true;
    ws_link_discard_queue(link);
    kill_soon(link->wsi, link->lws);
}

void ws_link_pause(struct ws_link *link, bool paused)
{
    if (link->wsi != NULL)
        lws_rx_flow_control(link->wsi, paused ? 0 : 1);
}

int ws_link_fd(const struct ws_link *link)
{
    return link->wsi == NULL ? -1 : lws_get_socket_fd(link->wsi);
}

int ws_link_on_writeable(struct ws_link *link)
{
    if (link->dropped)
        return -1;
    if (link->ping_due) {
        link->ping_due = false;
        if (!write_ping(link))
            return 0;
    }
    for (int i = 0; i < FRAMES_A_TURN && link->queue_first != NULL; i++) {
        if (lws_partial_buffered(link->wsi))
            break;
        struct ws_frame *frame = link->queue_first;
        if (!write_frame(link, frame->bytes + LWS_PRE, frame->len, frame->kind))
            return 0;
        dequeue(link);
    }
    if (link->close_due && can_write(link)) {
        close_now(link);
    } else if (link->queue_first != NULL || link->close_due) {
        lws_callback_on_writable(link->wsi);
    }
    return 0;
}

/* A fault of the peer that ends the connection (T10). */
static void refuse(struct ws_link *link, int code, const char *reason)
{
    strbuf_clear(&link->partial);
    ws_link_close(link, code, reason);
}

static void deliver(struct ws_link *link, const char *text, size_t len)
{
    if (utf8_valid(text, len)) {
        link->hooks->message(link, text, len); /* may have freed the link */
    } else {
        refuse(link, WS_BAD_TEXT, "invalid UTF-8");
    }
}

void ws_link_on_receive(struct ws_link *link, const char *in, size_t len)
{
    struct lws *wsi = link->wsi;
    if (!ws_link_is_open(link))
        return; /* on its way out: what still comes is not read */
    link->hooks->heard(link);
    size_t remaining = lws_remaining_packet_payload(wsi);
    bool first = lws_is_first_fragment(wsi);
    bool last = remaining == 0 && lws_is_final_fragment(wsi);
    if (first)
        strbuf_reset(&link->partial);
    if (lws_frame_is_binary(wsi)) {
        refuse(link, WS_UNACCEPTABLE, "text only");
    } else if (link->partial.len + len + remaining > link->max_message) {
        refuse(link, WS_TOO_BIG, "message too long");
    } else if (first && last) {
        deliver(link, len == 0 ? "" : in, len);
    } else {
        strbuf_add(&link->partial, in, len);
        if (!last)
            return;
        size_t whole;
        char *text = strbuf_take(&link->partial, &whole);
        deliver(link, text, whole);
        xfree(text);
    }
}

void ws_link_on_peer_close(struct ws_link *link, const unsigned char *in, size_t len)
{
    link->peer_code = len >= 2 ? in[0] << 8 | in[1] : WS_NO_CODE;
    if (link->close_reason != NULL || len <= 2 || !utf8_valid((const char *)in + 2, len - 2))
        return;
    link->close_reason = xstrndup((const char *)in + 2, len - 2);
}

void ws_link_clear(struct ws_link *link)
{
    ws_link_discard_queue(link);
    strbuf_clear(&link->partial);
    XFREE(link->close_reason);
    XFREE(link->authorization);
    XFREE(link->subprotocol);
    link->open = false;
}

void ws_link_finish(struct ws_link *link, const char *why)
{
    struct ws_lws *lws = link->lws;
    lws_set_opaque_user_data(link->wsi, NULL);
    link->wsi = NULL;
    if (lws->adopting == link || lws->connecting == link)
        return; /* ws_link_adopt or ws_link_connect returns false */
    int code = link->peer_code != 0 ? link->peer_code : WS_LOST;
    const char *by = link->peer_code != 0 ? "closed by the peer" : why;
    if (link->close_sent || link->close_due) {
        code = link->close_sent ? link->close_code : WS_LOST;
        by = "closed by us";
    }
    char text[WS_CLOSE_REASON_MAX + 64];
    if (link->dropped || code == WS_LOST) {
        lws_snprintf(text, sizeof(text), "%s", link->dropped ? link->close_reason : why);
    } else {
        lws_snprintf(text, sizeof(text), "%s: %d %s", by, code,
                     link->close_reason == NULL ? "" : link->close_reason);
    }
    int status = link->status;
    ws_link_clear(link);
    link->hooks->closed(link, status, code, text);
}

void ws_link_detach(struct ws_link *link)
{
    struct lws *wsi = link->wsi;
    if (wsi != NULL) {
        lws_set_opaque_user_data(wsi, NULL);
        link->wsi = NULL;
        if (link->open && !link->dropped) {
            lws_callback_on_writable(wsi);
            lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, ORPHAN_SECONDS);
            lws_cancel_service(link->lws->context);
        } else {
            kill_soon(wsi, link->lws);
        }
    }
    ws_link_clear(link);
}

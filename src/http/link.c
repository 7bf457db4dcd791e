/* TCP connections: how many an address has, how long one may take to send a request's head.
 *
 * MHD's own limit per address cannot be asked and its timeout starts anew with each byte, so both
 * are ours. */
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "http/parts.h"

/* The total is MHD's to limit: then it leaves connections waiting in the kernel. */
enum MHD_Result link_accept(void *ctx, const struct sockaddr *address, socklen_t len)
{
    (void)len;
    struct http *http = ctx;
    char peer[PEER_SIZE];
    address_text(address, peer);
    const struct address_count *known = map_gets(&http->addresses, peer);
    size_t most = (size_t)http->settings.connections_per_address;
    bool full = most && known && known->count >= most;
    return full ? MHD_NO : MHD_YES;
}

struct link *link_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void link_end_saying(struct link *link, struct span text)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(link->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    link->http->run_again = true;
    if (!info)
        return;
    if (text.len)
        (void)send(info->connect_fd, text.at, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(info->connect_fd, SHUT_RDWR);
}

void link_end(struct link *link)
{
    link_end_saying(link, SPAN(""));
}

/* What the other kernel has acknowledged: a client that does not read lets its window fill up. */
bool link_progress(struct link *link, uint64_t *taken)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(link->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct tcp_info tcp = {0};
    socklen_t len = sizeof(tcp);
    int unsent = 0;
    if (!info || getsockopt(info->connect_fd, IPPROTO_TCP, TCP_INFO, &tcp, &len) != 0 ||
        ioctl(info->connect_fd, SIOCOUTQ, &unsent) != 0)
        return false;
    *taken = tcp.tcpi_bytes_acked;
    return unsent > 0;
}

/* Whether half a head is here or the connection was idle cannot be told: it ends without a word. */
static void on_head_late(struct timer *timer)
{
    link_end(CONTAINER_OF(timer, struct link, head));
}

static void count_up(struct http *http, const char *peer)
{
    struct address_count *known = map_gets(&http->addresses, peer);
    if (!known) {
        known = xcalloc(1, sizeof(*known));
        map_put(&http->addresses, span_of(peer), known);
    }
    known->count++;
}

static void count_down(struct http *http, const char *peer)
{
    struct address_count *known = map_gets(&http->addresses, peer);
    if (!NEVER(!known) && --known->count == 0)
        xfree(map_remove(&http->addresses, span_of(peer)));
}

void link_notify(void *ctx, struct MHD_Connection *connection, void **slot,
                 enum MHD_ConnectionNotificationCode code)
{
    struct http *http = ctx;
    struct link *link = *slot;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        *slot = link = xcalloc(1, sizeof(*link));
        *link = (struct link){.http = http, .connection = connection, .head = {.fn = on_head_late}};
        address_text(info ? info->client_addr : NULL, link->peer);
        count_up(http, link->peer);
        http->connections++;
        timer_start(http->timers, &link->head, http->settings.request_timeout_ms);
    } else if (link) {
        timer_stop(http->timers, &link->head);
        count_down(http, link->peer);
        http->connections--;
        http->run_again = true; /* at its limit MHD listens again only when it is run */
        xfree(link);
        *slot = NULL;
    }
}

void link_forget_addresses(struct http *http)
{
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&http->addresses, &at)))
        xfree(entry->value);
    map_clear(&http->addresses);
}

/* Addresses: their text, and the listening socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/parts.h"

void address_text(const struct sockaddr *address, char out[PEER_SIZE])
{
    text_copy(out, PEER_SIZE, SPAN("unknown"));
    if (address && address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, out, PEER_SIZE);
    } else if (address && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        inet_ntop(mapped ? AF_INET : AF_INET6, v6->sin6_addr.s6_addr + (mapped ? 12 : 0), out,
                  PEER_SIZE);
    }
}

int address_listen(const char *address, int port, int *bound_port, struct reason *why)
{
    struct sockaddr_storage to = {0};
    struct sockaddr_in *v4 = (void *)&to;
    struct sockaddr_in6 *v6 = (void *)&to;
    socklen_t len = sizeof(*v4);
    int on = 1;
    if (inet_pton(AF_INET, text_is(address, "localhost") ? "127.0.0.1" : address, &v4->sin_addr) ==
        1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        len = sizeof(*v6);
    } else {
        reason_set(why, "REST: \"%s\" is no IP address", address);
        return -1;
    }
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&to, len) != 0 || listen(fd, 512) != 0) {
        reason_set(why, "REST: cannot listen on %s port %d: %s", address, port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    getsockname(fd, (struct sockaddr *)&to, &len);
    *bound_port = ntohs(to.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
    return fd;
}

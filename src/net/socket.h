/* What the system is told and asked about TCP sockets. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <stdint.h>

#include "base/reason.h"

struct sockaddr_storage;

enum { PEER_SIZE = 64 }; /* an address as text, with scope */

/* A listening, non-blocking socket, or -1. `address`: numeric, or a name that resolves at once. */
int socket_listen(const char *address, int port, struct reason *why);
int socket_port(int fd); /* where it is bound */
/* Address without port, IPv4-mapped as IPv4; "" for anything but IP. */
void socket_peer_text(const struct sockaddr_storage *address, char out[PEER_SIZE]);
/* No delay, keepalive, and TCP_USER_TIMEOUT: unacknowledged for `dead_peer_ms` = gone. */
void socket_set_up(int fd, int64_t dead_peer_ms);
/* Bytes that ever arrived, also those nobody has read yet; 0 when fd is no TCP socket. */
uint64_t socket_bytes_received(int fd);

#endif

/* What the files of the REST daemon share. Private to http/. */
#ifndef HTTP_PARTS_H
#define HTTP_PARTS_H

#include <microhttpd.h>

#include "base/arena.h"
#include "base/map.h"
#include "http/http.h"

enum { PEER_SIZE = 64, HEADERS_MAX = 64, QUERY_MAX = 64 };

struct address_count { /* connections of one address */
    size_t count;
};

struct stored_key {
    char *name;
    enum key_scope scope;
    char *secret; /* or */
    char *hash;
    char *known_sum; /* SHA-256 of the secret that matched the hash once: spares PBKDF2 */
};

struct keys {
    struct stored_key *items;
    size_t count;
    struct map guesses; /* address → struct guesses * */
};

/* A TCP connection. Its head timer bounds the time to the next complete request head: from the
 * start or from the end of the exchange before (MHD's own timeout counts per byte: LIBRARIES.md
 * §6). */
struct link {
    struct http *http;
    struct MHD_Connection *connection;
    struct timer head;
    char peer[PEER_SIZE];
};

enum phase {
    PHASE_RECEIVING, /* the head is here, the body perhaps not */
    PHASE_WAITING,   /* the handler has it */
    PHASE_ANSWERING  /* the response is known */
};

/* One HTTP exchange, from the end of the head to the last byte of the answer. Its deadline bounds
 * each phase. */
struct exchange {
    struct http *http;
    uint64_t number;
    struct MHD_Connection *connection; /* NULL once MHD is done with it */
    struct strbuf body;
    enum phase phase;
    bool too_large, suspended;
    struct timer deadline;
    struct MHD_Response *response; /* set by http_respond, queued in the access handler */
    int status;
};

struct http {
    struct MHD_Daemon *daemon;
    struct http_settings settings;
    struct timers *timers;
    http_handler handle;
    void *ctx;
    struct keys keys;
    struct idmap exchanges; /* by number, those that were handed over and not answered */
    uint64_t next_number;
    struct map addresses; /* address → struct address_count * */
    bool running, run_again, draining;
    int port;
};

/* link.c: MHD's callbacks about connections; who is at the other end; the end of a socket whose
 * time is up (MHD notices at its next run, which is asked for). */
enum MHD_Result link_accept(void *ctx, const struct sockaddr *address, socklen_t len);
void link_notify(void *ctx, struct MHD_Connection *connection, void **slot,
                 enum MHD_ConnectionNotificationCode code);
struct link *link_of(struct MHD_Connection *connection);
void link_end(struct link *link);
/* The same, after `text` was sent past MHD, which cannot answer a request that is not whole. */
void link_end_saying(struct link *link, struct span text);
void link_forget_addresses(struct http *http);

/* keys.c */
void keys_set(struct keys *keys, const struct http_key *from, size_t count);
void keys_clear(struct keys *keys);
/* Which key is it? SCOPE_NONE for none or a wrong one. `*retry_after_s` > 0: too many wrong ones
 * from this address; nothing was compared. */
enum key_scope keys_judge(struct keys *keys, struct span secret, const char *peer,
                          const char **name, int *retry_after_s);

/* request.c: what MHD knows of a request, as a struct request in `arena`. False: too many headers
 * or query parameters. */
bool request_read(struct MHD_Connection *connection, const char *method, const char *uri,
                  struct arena *arena, struct request *out);
/* False: there are NUL bytes or folded lines in it. */
bool request_head_is_whole(struct MHD_Connection *connection, const char *method,
                           const char *version);
struct span request_key(struct MHD_Connection *connection);

/* address.c: text without port, IPv4-mapped ones as IPv4; a listening socket or -1 */
void address_text(const struct sockaddr *address, char out[PEER_SIZE]);
int address_listen(const char *address, int port, int *bound_port, struct reason *why);

/* response.c */
struct MHD_Response *response_make(const struct response *from);
struct MHD_Response *response_problem(int status, const char *detail);
/* A whole 408, head included. */
void response_late(struct strbuf *out);

#endif

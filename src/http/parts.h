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

/* An answer whose body is pulled from a source. Belongs to its MHD_Response, whose end closes the
 * source: that comes exactly once whatever becomes of request, client and server. */
struct stream {
    struct http *http;
    uint64_t number;           /* of the exchange */
    struct exchange *exchange; /* NULL when it has ended before the response */
    struct body_source source;
    bool started, woken;
    bool ending;  /* the server stops: an endless one ends, one with an end is cut */
    bool broken;  /* its client took nothing for too long */
    mono_t since; /* when the client last took something, or had nothing to take */
    uint64_t taken;
};

/* One HTTP exchange, from the end of the head to the last byte of the answer. Its deadline bounds
 * each phase; for a stream it is the tick that looks for stalls. */
struct exchange {
    struct http *http;
    uint64_t number;
    struct MHD_Connection *connection;
    struct strbuf body;    /* `cap` is what it may have, max_body or as the hook says */
    struct http_sink sink; /* of an upload; `close` is NULL before and after */
    int64_t received;      /* by the sink; after a refusal: what was thrown away since */
    enum phase phase;
    bool too_large, suspended, head_only;
    bool judged; /* the four below are known */
    enum key_scope scope;
    char *key_name;
    int retry_after_s;
    struct timer deadline;
    struct MHD_Response *response; /* set by http_respond, queued in the access handler; or a
                                      refusal that waits for the end of the body */
    int status;
    struct stream *stream; /* inside of the response, or NULL */
};

struct http {
    struct MHD_Daemon *daemon;
    struct http_settings settings;
    struct timers *timers;
    http_handler handle;
    void *ctx;
    http_upload_hook upload;
    void *upload_ctx;
    struct keys keys;
    struct idmap exchanges; /* by number, those that were handed over and not answered */
    struct idmap streams;   /* by number, struct stream * */
    size_t endless;         /* of them */
    uint64_t next_number;
    struct map addresses; /* address → struct address_count * */
    size_t connections;
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
/* How much the client has taken in all, and whether there is more on its way to it. */
bool link_progress(struct link *link, uint64_t *taken);
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

/* http.c */
void exchange_resume(struct exchange *exchange);
/* What is known of the request; the key is judged the first time. False: too many headers. */
bool exchange_read(struct exchange *exchange, const char *method, const char *uri,
                   struct arena *arena, struct request *out);
void exchange_suspend(struct exchange *exchange);

/* stream.c: takes the source over. NULL: closed already. */
struct MHD_Response *stream_make(struct exchange *exchange, const struct response *from);
bool stream_is_too_many(const struct http *http, const struct body_source *source);
/* The next look at whether the client takes anything. */
void stream_watch(struct stream *stream);
/* `all`: also those with an end. */
void streams_end(struct http *http, bool all);

/* upload.c: asks the hook about a request with a body. `refused` gets an answer, or NULL. */
void upload_begin(struct exchange *exchange, const char *method, const char *uri, int64_t length,
                  int *status, struct MHD_Response **refused);
/* False: the sink gave up or was given too much, and is closed; `refused` as above. */
bool upload_write(struct exchange *exchange, const char *data, size_t len, int *status,
                  struct MHD_Response **refused);
void upload_close(struct exchange *exchange, bool whole);

/* response.c */
struct MHD_Response *response_make(const struct response *from);
/* Gives `made` the headers of `from`, and those that all have. */
void response_dress(struct MHD_Response *made, const struct response *from);
struct MHD_Response *response_problem(int status, const char *detail);
/* A whole answer past MHD, head included, after which the connection ends. */
void response_raw(struct strbuf *out, int status, const char *detail);

#endif

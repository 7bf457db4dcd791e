/* A WebSocket client: one connection of a simulated charger. Shares the libwebsockets rules of
 * ws_server.h. Loop thread only. Thousands may live on one loop. Hooks come from the loop, never
 * from inside a call here, and may call anything but ws_client_context_free. */
#ifndef NET_WS_CLIENT_H
#define NET_WS_CLIENT_H

#include <stddef.h>

#include "base/reason.h"
#include "net/loop.h"

struct ws_client_context; /* one per loop */
struct ws_client;

struct ws_client_hooks {
    void (*opened)(void *ctx, const char *subprotocol); /* "" when the server chose none */
    void (*message)(void *ctx, const char *text, size_t len);
    /* Exactly once, also when the handshake failed: `status` is the HTTP status of a refusal (0
     * unknown), `code` the close code (1006 if none; lws turns a received 1012 to 1015 into 1002).
     * The client may be freed here. */
    void (*closed)(void *ctx, int status, int code, const char *why);
    void *ctx;
};

struct ws_client_settings {
    const char *host; /* numeric address or name */
    int port;
    const char *path;         /* percent-encoded, with the identity */
    const char *subprotocols; /* "ocpp1.6"; NULL sends no header */
    const char *user;         /* Basic credentials, or NULL */
    const char *password;
    size_t password_len;
    int64_t connect_timeout_ms;
};

struct ws_client_context *ws_client_context_open(struct loop *loop, struct reason *why);
/* After the last client is freed. */
void ws_client_context_free(struct ws_client_context *context);
/* NULL only for settings that name no server; a failed connection is told by `closed`. */
struct ws_client *ws_client_open(struct ws_client_context *context,
                                 const struct ws_client_settings *settings,
                                 const struct ws_client_hooks *hooks, struct reason *why);
/* False: not open (any more). */
bool ws_client_send(struct ws_client *client, const char *text, size_t len);
/* Any bytes, valid or not, for the simulator's faults: as one text, as binary, or as a text in
 * three fragments. */
enum ws_client_form { WS_CLIENT_TEXT, WS_CLIENT_BINARY, WS_CLIENT_FRAGMENTS };
bool ws_client_send_as(struct ws_client *client, enum ws_client_form form, const char *bytes,
                       size_t len);
void ws_client_ping(struct ws_client *client);
mono_t ws_client_heard(const struct ws_client *client); /* the last data or pong, or the opening */
void ws_client_ignore_pings(struct ws_client *client);  /* of the server, from now on */
/* A silent loss: nothing is read or answered any more, and the socket stays open until
 * ws_client_free. Only `closed` of the new hooks may still come. */
void ws_client_abandon(struct ws_client *client, const struct ws_client_hooks *hooks);
void ws_client_close(struct ws_client *client, int code, const char *reason);
void ws_client_drop(struct ws_client *client); /* ends TCP without a Close, as a power cut does */
void ws_client_free(struct ws_client *client); /* closed first if open; no hook is called then */

#endif

/* What the files of the line half offer each other; what the place half may call is in parts.h.
 *
 * charger.c holds the connection and the life of a charger and is the only one that knows the
 * socket; everything that goes out passes charger_put(). Read charger.c first, then queue.c (CALLs
 * of ours) and answers.c (CALLs of the central system). */
#ifndef SIM_LINE_H
#define SIM_LINE_H

#include "sim/parts.h"

/* ---- charger.c ---- */

/* Logs the frame and sends it. False: there is no open connection. */
bool charger_put(struct charger *charger, enum ws_client_form form, struct span text);
/* A CALL ended or the line changed: a reset that waits for the last StopTransaction goes on. */
void charger_queue_moved(struct charger *charger);
/* Another key or security profile: answers first, then comes back with the new credentials. */
void charger_reconnect_soon(struct charger *charger);
/* As if the cable was cut. */
void charger_drop_line(struct charger *charger);
/* HeartbeatInterval or WebSocketPingInterval is another one. */
void charger_retime(struct charger *charger);
/* A reset that was accepted: a moment after the answer. */
void charger_reset_soon(struct charger *charger, bool soft);

/* ---- queue.c ---- */

/* Sends what may go out now. */
void queue_send(struct charger *charger);
/* The CALL with this id ends with `response` (NULL: CALLERROR). Ids that we do not know (late,
 * twice) change nothing. */
void queue_answered(struct charger *charger, const char *id, const struct json *response);
/* The connection is gone: transaction messages stay and get new ids, the others end unanswered. */
void queue_line_lost(struct charger *charger);
/* Puts BootNotification before everything that was not sent yet. */
void queue_first(struct charger *charger, struct sim_call *call);
bool queue_has(const struct charger *charger, const char *action);
bool queue_has_transactional(const struct charger *charger);
void queue_open(struct charger *charger);
void queue_close(struct charger *charger);

/* ---- answers.c ---- */

/* Answers a CALL, or what looked like one (FRAME_BAD), at once or as the faults want it. */
void answer_frame(struct charger *charger, const struct frame *frame);
/* {"status":…}, which most answers are. */
enum ocpp_error answer_status(struct json_out *out, const char *status);
/* Answers that were to come later are never given: the connection is gone. */
void answers_forget(struct charger *charger);

/* ---- config.c ---- */

enum config_result { CONFIG_ACCEPTED, CONFIG_REBOOT, CONFIG_UNKNOWN, CONFIG_REJECTED };

void config_open(struct charger *charger);
void config_close(struct charger *charger);
/* `installer`: someone at the charger, who may also change what the central system may not. */
enum config_result config_change(struct charger *charger, const char *key, const char *value,
                                 bool installer);
/* Values that waited for a reboot hold now. */
void config_rebooted(struct charger *charger);
/* The password for the handshake: the AuthorizationKey as bytes, else that of the settings. False:
 * the security profile wants none. */
bool config_password(const struct charger *charger, struct strbuf *out);
/* The server refused the credentials: the security profile before it holds again (G8). */
void config_login_refused(struct charger *charger);

/* ---- auth.c ---- */

void auth_open(struct charger *charger);
void auth_close(struct charger *charger);
int64_t auth_list_version(const struct charger *charger); /* -1: no list; 0: empty */

/* ---- fault.c ---- */

void faults_close(struct charger *charger);
/* Writes {"name":probability…} of those that are on. */
void faults_write(const struct charger *charger, struct json_out *out);
/* The handshake as the faults bend it; `path` and `password` hold the right ones before. */
struct fault_handshake {
    struct strbuf path, password;
    const char *subprotocols; /* NULL: none */
};
void fault_bend_handshake(struct charger *charger, struct fault_handshake *handshake);
/* A CALL about to be sent: may be replaced by something broken (text_*). Returns how to send it. */
enum ws_client_form fault_bend_call(struct charger *charger, struct strbuf *text);

/* ---- frame_log.c ---- */

enum { FRAME_LOG_MAX = 1000 };

void frame_log_open(struct charger *charger);
void frame_log_close(struct charger *charger);
void frame_log_add(struct charger *charger, bool in, struct span text);

#endif

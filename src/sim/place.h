/* What the files of the place half offer each other; what the line half may call is in parts.h.
 *
 * One rule holds them together: the facts (struct sim_connector) are changed first, then
 * connector_update() derives the status and tells it if it is another one. */
#ifndef SIM_PLACE_H
#define SIM_PLACE_H

#include "sim/parts.h"

/* Now, or as a triggered message while Pending (B3). What cannot be told is not queued. */
static inline bool place_may_tell(const struct charger *charger)
{
    return charger_may_send(charger) || charger->triggering;
}

/* ---- connector.c ---- */

enum connector_status connector_status(const struct charger *charger,
                                       const struct sim_connector *connector);
/* Sends a StatusNotification if the status or the error code changed. */
void connector_update(struct charger *charger, struct sim_connector *connector);
void connector_update_all(struct charger *charger); /* also connector 0 */
/* A session ended: a scheduled change of availability happens now (C4). */
void connector_session_over(struct charger *charger, struct sim_connector *connector);
/* Is `word` one that the table allows in this field of the request? */
bool word_allowed(const char *action, const char *field, const char *word);
/* A member with a time by the charger's own clock. */
void put_time(struct charger *charger, struct json_out *out, const char *key, wall_t at);

/* ---- session.c ---- */

bool session_running(const struct sim_connector *connector);
bool sessions_any(const struct charger *charger);
int64_t session_transaction(const struct charger *charger, const struct sim_connector *connector);
/* `id_tag` NULL: not told. Does nothing without a running session. */
void session_stop(struct charger *charger, struct sim_connector *connector, const char *reason,
                  const char *id_tag);
/* Meters went on: is a refused session to end, or its energy to be withheld? */
void session_judge(struct charger *charger, struct sim_connector *connector);
/* Begins with a tag of a person or of RemoteStartTransaction. False and why: not possible now. */
bool session_present(struct charger *charger, struct sim_connector *connector, const char *id_tag,
                     bool remote, struct reason *why);
void session_plugged(struct charger *charger, struct sim_connector *connector);
void session_unplugged(struct charger *charger, struct sim_connector *connector);
void session_open(struct charger *charger, struct sim_connector *connector);
void session_close(struct charger *charger, struct sim_connector *connector);

/* ---- meter.c ---- */

void meter_open(struct charger *charger);
void meter_close(struct charger *charger);
/* Energy, battery and temperature up to now. */
void meter_advance(struct charger *charger, struct sim_connector *connector);
void meter_session_began(struct charger *charger, struct sim_connector *connector);
/* Adds the last sample to stop_data. */
void meter_session_ends(struct charger *charger, struct sim_connector *connector);
int64_t meter_register_wh(const struct sim_connector *connector);
/* After power_w changed: the feed of the fleet hears of it. */
void meter_feed(struct charger *charger, struct sim_connector *connector);
void meter_configured(struct charger *charger, const char *key);

/* ---- reserve.c ---- */

void reserve_open(struct charger *charger);
void reserve_close(struct charger *charger);
bool reserve_holds(const struct charger *charger, int connector); /* this very connector */
enum reserve_verdict { RESERVE_FREE, RESERVE_OTHERS, RESERVE_ASK /* only its group can tell */ };
/* May this tag use this connector? `parent` NULL: not known. */
enum reserve_verdict reserve_verdict(const struct charger *charger, int connector,
                                     const char *id_tag, const char *parent);
/* The reservation that such a session uses ends; its id, or 0. */
int64_t reserve_use(struct charger *charger, int connector, const char *id_tag, const char *parent);
/* N5: Faulted or Unavailable ends the reservations of the connector. */
void reserve_down(struct charger *charger, int connector);
void reserve_write_state(const struct charger *charger, struct json_out *out);

/* ---- profile.c ---- */

void profile_open(struct charger *charger);
void profile_close(struct charger *charger);
/* Watts, or negative for no limit. */
double profile_limit(const struct charger *charger, const struct sim_connector *connector,
                     wall_t at);
/* A TxProfile that comes with a remote start (C7); waits for its session. */
bool profile_remote(struct charger *charger, struct sim_connector *connector,
                    const struct json *object, struct reason *why);
void profile_session_began(struct charger *charger, struct sim_connector *connector);
void profile_session_ended(struct charger *charger, struct sim_connector *connector);
void profile_write_state(const struct charger *charger, struct json_out *out);
double place_volts(const struct charger *charger, const struct sim_connector *connector);

/* ---- job.c, job_log.c ---- */

void job_open(struct charger *charger);
void job_close(struct charger *charger);
void job_accepted(struct charger *charger);
void job_power_lost(struct charger *charger);
void job_write_log(struct charger *charger, const char *kind, wall_t from, wall_t to,
                   struct strbuf *out);

/* ---- security.c ---- */

void security_open(struct charger *charger);
void security_close(struct charger *charger);

#endif

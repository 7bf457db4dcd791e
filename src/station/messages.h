/* The message log: see messages.c. Private to station/. */
#ifndef STATION_MESSAGES_H
#define STATION_MESSAGES_H

#include "station/core.h"

struct message {
    const struct charge_point *cp;
    uint64_t connection;
    wall_t ts_ms;
    bool outgoing;
    struct span text;
    const char *note; /* deviations and repairs, or NULL */
};

/* A row in a batch of the caller's; check settings.log_messages before. */
void message_fill(struct record_message *row, struct arena *arena, const struct message *message);
/* Blanks the secrets in a frame, a payload or a part of one, in place (G4, W4). */
void message_blank_secrets(char *text);
/* The secrets in a URL of an upload or download alone: credentials, the query, tokens. */
void message_blank_location(char *url);
/* With the rows of this turn, if messages are logged at all. */
void message_log(struct station *st, const struct message *message);

#endif

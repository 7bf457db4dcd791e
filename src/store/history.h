/* What a database remembers of the wire, in order of time: for replay.
 *
 * Reads beside a running server, on a connection of its own that cannot write; blocking, for the
 * command line. Rows are borrowed until the next call. */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include "base/reason.h"
#include "station/record.h"

struct history;

enum history_kind { HISTORY_MESSAGE, HISTORY_DECISION, HISTORY_COMMAND };

struct history_item {
    enum history_kind kind;
    struct record_message message;
    const char *asked_by;            /* of a CALL of ours; or NULL */
    struct record_decision decision; /* `inputs` is left out */
    struct record_command command;   /* of policies only: id, cp, action, payload, asked_ms */
};

/* From `since` on (ABSENT: from the oldest), and what is needed before it: a day, or the beginning
 * of the transactions that were open then. NULL and why. */
struct history *history_open(const char *path, wall_t since, struct reason *why);
/* Charge points, tags and kv as they are in the file now; nothing else. False and why. */
bool history_state(struct history *history, const struct restore_sink *sink, struct reason *why);
/* False at the end, and after an error: see history_close(). */
bool history_next(struct history *history, struct history_item *item);
/* Messages that history_next() will give; for a progress bar. */
int64_t history_count(const struct history *history);
/* False and why if reading failed on the way. Frees in any case. */
bool history_close(struct history *history, struct reason *why);

#endif

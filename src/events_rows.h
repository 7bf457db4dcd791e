/* Which records are told as events, by which name and with which members. Private to events.c and
 * its tests. */
#ifndef EVENTS_ROWS_H
#define EVENTS_ROWS_H

#include "base/strbuf.h"
#include "station/record.h"

/* What an event is called, as a place in events_names(). */
int event_type(struct span name); /* -1: there is no such event */
int event_type_message(void);

/* The record as JSON. -1: it is not told. `*cp` is borrowed, NULL if it belongs to none. */
int event_of_record(const struct record *record, struct strbuf *data, const char **cp);

#endif

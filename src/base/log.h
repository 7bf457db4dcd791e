/* One line per event to stderr, as logfmt or JSON.
 *
 *     LOG(LOG_INFO, "charge point connected", L_STR("cp", id), L_INT("connection", n));
 *     → time=2026-01-01T00:00:00.000Z level=info msg="charge point connected" cp=CP1 connection=7
 *
 * Callable from any thread: a line leaves in one write(2). idTags are credentials: L_TAG prints
 * the first 4 characters and `…` unless the level is debug. Never log passwords, keys or URLs with
 * credentials at all. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_field {
    const char *name; /* NULL ends the list */
    enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_TAG } kind;
    const char *text; /* NULL prints as nothing: the field is left out */
    int64_t number;
};

#define L_STR(name, text) ((struct log_field){(name), LOG_FIELD_STR, (text), 0})
#define L_INT(name, number) ((struct log_field){(name), LOG_FIELD_INT, NULL, (int64_t)(number)})
#define L_TAG(name, tag) ((struct log_field){(name), LOG_FIELD_TAG, (tag), 0})

#define LOG(level, message, ...)                                                                   \
    log_write((level), (message), (struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

void log_setup(enum log_level level, bool json);
bool log_enabled(enum log_level level);
/* The calling thread logs nothing until told otherwise: policy tests play with a station of their
 * own, and what happens there is no news. Returns what it was. */
bool log_mute(bool mute);
void log_write(enum log_level level, const char *message, const struct log_field *fields);
/* Tests read what was logged: lines (without newline, NUL-terminated) go to `sink` instead of
 * stderr, one at a time; NULL restores. */
void log_redirect(void (*sink)(void *ctx, const char *line, size_t len), void *ctx);

#endif

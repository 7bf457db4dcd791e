/* The table of configuration keys. Private to the configuration. */
#ifndef CONF_KEYS_H
#define CONF_KEYS_H

#include "conf.h"

enum conf_type {
    CONF_TEXT,    /* const char * */
    CONF_WORD,    /* enum (int): the place of the word in `words` */
    CONF_STATUS,  /* const char *: one of `words` */
    CONF_BOOL,    /* bool: yes, no */
    CONF_INT,     /* int */
    CONF_COUNT,   /* int64_t */
    CONF_MS,      /* int64_t milliseconds, written with a unit; or the one word, for 0 */
    CONF_SECONDS, /* int64_t seconds, written with a unit */
    CONF_SIZE,    /* int64_t bytes, with or without KiB, MiB, GiB (or K, M, G for the same) */
    CONF_ZONE     /* int64_t minutes east of UTC, written +02:00 */
};

struct conf_key {
    const char *section, *name; /* section NULL ends the table */
    enum conf_type type;
    size_t at;            /* in struct conf */
    const char *fallback; /* the default, as one would write it */
    int64_t least, most;  /* of numbers, in the unit of the type */
    const char *const *words;
    const char *doc;
};

extern const struct conf_key conf_keys[];

enum { KEYS_MAX = 128 };

void conf_error(struct conf_errors *errors, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Reads `text` into the conf. False and what was expected. */
bool conf_set(struct conf *conf, const struct conf_key *key, struct span text, struct reason *why);

#endif

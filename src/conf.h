/* chargebridge.conf, environment and flags: one table of keys, one struct of values.
 *
 * `key = value` lines and [sections]; sizes and times with units. Every key is one row in conf.c
 * (name, type, default, limits, doc line) from which parsing, the environment names
 * (CB_SECTION_KEY), the flags (--section.key=value), the error texts and examples/chargebridge.conf
 * derive. An unknown key, a duplicate or a bad value is an error with file, line, the bad text and
 * the nearest known key; all errors of a file are reported, not only the first. Later sources win:
 * default, file, environment, flag. */
#ifndef CONF_H
#define CONF_H

#include "base/arena.h"
#include "base/log.h"
#include "events.h"
#include "files.h"
#include "http/http.h"
#include "net/ws_server.h"
#include "policy/policy.h"
#include "station/station.h"
#include "store/store.h"

struct conf {
    struct arena arena; /* owns every string below */
    /* By key: who set it ("chargebridge.conf:12", "environment: CB_…", "--…"); NULL = default. */
    const char **origins;
    struct ws_server_settings ocpp;
    const char *ocpp_path; /* "/ocpp" */
    struct http_settings http;
    struct files_settings files; /* public_url "" = made of rest.address and port */
    struct events_settings events;
    const char *http_key; /* "changeme-123"; "" = none */
    struct station_settings station;
    struct policy_settings policy;
    struct store_settings store;
    enum log_level log_level;
    enum { CONF_LOG_LOGFMT, CONF_LOG_JSON } log_format;
    enum { CONF_SHUTDOWN_CLOSE, CONF_SHUTDOWN_DROP } ocpp_shutdown;
};

struct conf_errors {
    struct strbuf text; /* one line each: `chargebridge.conf:12: …` */
    size_t count;
};

/* All defaults. */
void conf_init(struct conf *conf);
void conf_clear(struct conf *conf);
/* Each adds to `errors` and returns whether it added none. */
bool conf_read_file(struct conf *conf, const char *path, struct conf_errors *errors);
bool conf_read_text(struct conf *conf, const char *name, const char *text,
                    struct conf_errors *errors);
bool conf_read_environment(struct conf *conf, char **environment, struct conf_errors *errors);
/* `--section.key=value` without the dashes. */
bool conf_read_flag(struct conf *conf, const char *flag, struct conf_errors *errors);
/* Rules between keys, and what follows from several: liveness against intervals (T11), REST beyond
 * loopback with the default key. The server itself refuses having no key at all, once it has read
 * the stored ones. */
bool conf_check(struct conf *conf, struct conf_errors *errors);
bool conf_is_loopback(const char *address);
/* The shipped example: every key with its default and doc line. */
void conf_print_example(struct strbuf *out);

#endif

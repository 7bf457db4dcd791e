/* The rules between keys, and what follows from several. Each error names who set the value. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netdb.h>
#include <stddef.h>

#include "conf_keys.h"

/* Who set the key at that place in the conf. */
static const char *origin(const struct conf *conf, size_t at)
{
    for (const struct conf_key *key = conf_keys; key->section; key++)
        if (key->at == at && conf->origins[key - conf_keys])
            return conf->origins[key - conf_keys];
    return "default";
}

#define ORIGIN(member) origin(conf, offsetof(struct conf, member))

static bool is_address(const char *text)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
    struct addrinfo *found;
    if (text_is(text, "localhost"))
        return true;
    if (text[0] == '\0' || getaddrinfo(text, NULL, &hints, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

bool conf_is_loopback(const char *address)
{
    struct in_addr v4;
    if (text_is(address, "::1") || text_is(address, "localhost"))
        return true;
    return inet_pton(AF_INET, address, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

/* T11: a deadline that healthy chargers can miss would cut them off. */
static void check_liveness(struct conf *conf, struct conf_errors *errors)
{
    int64_t longest = conf->station.heartbeat_interval_s * 1000;
    if (longest < conf->ocpp.ping_interval_ms)
        longest = conf->ocpp.ping_interval_ms;
    if (conf->ocpp.idle_timeout_ms == 0)
        conf->ocpp.idle_timeout_ms = 3 * longest;
    else if (conf->ocpp.idle_timeout_ms < 3 * longest)
        conf_error(
            errors,
            "%s: ocpp.idle_timeout is %" PRId64 "s; it must be at least 3 x the longest of "
            "heartbeat_interval and ping_interval (%" PRId64 "s), or healthy chargers are cut off",
            ORIGIN(ocpp.idle_timeout_ms), conf->ocpp.idle_timeout_ms / 1000, 3 * longest / 1000);
}

static void check_rest(const struct conf *conf, struct conf_errors *errors)
{
    if (!is_address(conf->http.address)) {
        conf_error(errors, "%s: rest.address = \"%s\": expected an IP address of this machine",
                   ORIGIN(http.address), conf->http.address);
        return;
    }
    if (conf_is_loopback(conf->http.address) || !text_is(conf->http_key, "changeme-123"))
        return;
    conf_error(errors,
               "%s: rest.address is %s, which others can reach, but rest.key is still changeme-123 "
               "(%s); write `key = …` of your own under [rest] (or CB_REST_KEY=…)",
               ORIGIN(http.address), conf->http.address, ORIGIN(http_key));
}

static void check_ocpp(const struct conf *conf, struct conf_errors *errors)
{
    if (!is_address(conf->ocpp.address))
        conf_error(errors, "%s: ocpp.address = \"%s\": expected an IP address of this machine",
                   ORIGIN(ocpp.address), conf->ocpp.address);
    if (conf->ocpp_path[0] != '/')
        conf_error(errors, "%s: ocpp.path is \"%s\"; it must begin with /", ORIGIN(ocpp_path),
                   conf->ocpp_path);
}

static void check_policies(const struct conf *conf, struct conf_errors *errors)
{
    if (conf->policy.run_warn_ms > conf->policy.run_kill_ms)
        conf_error(errors,
                   "%s: policies.run_warn is longer than policies.run_kill, so that nothing "
                   "would ever be warned of",
                   ORIGIN(policy.run_warn_ms));
    if (conf->policy.load_file_ms > conf->policy.load_total_ms)
        conf_error(errors, "%s: policies.load_file is longer than policies.load_total",
                   ORIGIN(policy.load_file_ms));
    struct reason why;
    if (!policy_http_hosts_valid(conf->policy.http_hosts, &why))
        conf_error(errors, "%s: policies.http_hosts: %s", ORIGIN(policy.http_hosts), why.text);
}

static void check_files(const struct conf *conf, struct conf_errors *errors)
{
    const char *url = conf->files.public_url;
    if (conf->files.dir[0] == '\0')
        conf_error(errors, "%s: files.dir is empty; it must name a folder", ORIGIN(files.dir));
    if (url[0] && !span_starts(span_of(url), "http://") && !span_starts(span_of(url), "https://"))
        conf_error(errors, "%s: files.public_url = \"%s\": expected http://… or https://…",
                   ORIGIN(files.public_url), url);
    if (conf->files.max_size > conf->files.max_total)
        conf_error(errors, "%s: files.max_size is more than files.max_total",
                   ORIGIN(files.max_size));
}

bool conf_check(struct conf *conf, struct conf_errors *errors)
{
    size_t before = errors->count;
    conf->ocpp.drop_on_shutdown = conf->ocpp_shutdown == CONF_SHUTDOWN_DROP;
    check_liveness(conf, errors);
    check_ocpp(conf, errors);
    check_rest(conf, errors);
    check_policies(conf, errors);
    check_files(conf, errors);
    return errors->count == before;
}

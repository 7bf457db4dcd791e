/* The switches of one station, as operators write them: PUT /chargepoints/{cpid}, "options".
 *
 * One row per switch. They replace each other whole: a switch that is not given has its default. */
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "station/core.h"

enum option_type { OPTION_BOOL, OPTION_INT, OPTION_VERSION };

struct option {
    const char *name;
    enum option_type type;
    size_t offset;
    int64_t least, most;
};

#define OPTION_AT(member) offsetof(struct station_options, member)

static const struct option options[] = {
    /* Validate input to the letter (R13); transactions are never refused for their content. */
    {"strict", OPTION_BOOL, OPTION_AT(strict), 0, 0},
    /* B3: a charger that would lose transactions while it is pending. */
    {"acceptTxBeforeBoot", OPTION_BOOL, OPTION_AT(accept_tx_before_boot), 0, 0},
    /* T12: it must answer pings. */
    {"pongRequired", OPTION_BOOL, OPTION_AT(pong_required), 0, 0},
    /* T8: the subprotocol of a charger that offers none, "ocpp1.6". */
    {"assumeProtocol", OPTION_VERSION, OPTION_AT(assume_version), 0, 0},
    /* B11: its times carry no zone; minutes east of UTC. */
    {"zoneMinutes", OPTION_INT, OPTION_AT(zone_minutes), -24 * 60, 24 * 60},
    /* Q24: answers wait so long. */
    {"replyDelayMs", OPTION_INT, OPTION_AT(reply_delay_ms), 0, 10000},
    /* V5: more than 5 times this power is implausible. */
    {"ratingW", OPTION_INT, OPTION_AT(rating_w), 1, 100000000},
    /* P3: for limits. */
    {"phases", OPTION_INT, OPTION_AT(phases), 1, 3},
    {"dc", OPTION_BOOL, OPTION_AT(dc), 0, 0},
};

void options_init(struct station_options *out, const struct station_settings *settings)
{
    *out = (struct station_options){
        .strict = settings->strict, .pong_required = true, .rating_w = ABSENT, .phases = ABSENT};
}

static const struct option *option_find(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (span_is(name, options[i].name))
            return &options[i];
    }
    return NULL;
}

static bool read_version(void *at, const struct json *value, struct reason *why)
{
    const struct version *version = version_by_subprotocol(value->text);
    if (value->type != JSON_STRING || !version)
        return reason_set(why, "assumeProtocol: expected \"ocpp1.6\"");
    memcpy(at, &version, sizeof(version));
    return true;
}

static bool read_int(const struct option *option, void *at, const struct json *value,
                     struct reason *why)
{
    int64_t number;
    if (!json_int(value, &number) || number < option->least || number > option->most)
        return reason_set(why, "%s: expected an integer from %lld to %lld", option->name,
                          (long long)option->least, (long long)option->most);
    memcpy(at, &number, sizeof(number));
    return true;
}

static bool read_option(struct station_options *out, const struct json *member, struct reason *why)
{
    const struct option *option = option_find(member->key);
    if (!option) {
        const char *near =
            text_nearest(member->key.at, options, ARRAY_LEN(options), sizeof(options[0]));
        return reason_set(why, "%s: unknown option%s%s%s", member->key.at,
                          near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    void *at = (char *)out + option->offset;
    switch (option->type) {
    case OPTION_VERSION:
        return read_version(at, member, why);
    case OPTION_INT:
        return read_int(option, at, member, why);
    case OPTION_BOOL:
        if (member->type != JSON_BOOL)
            return reason_set(why, "%s: expected true or false", option->name);
        memcpy(at, &member->boolean, sizeof(member->boolean));
        return true;
    }
    return false;
}

bool options_parse(struct station_options *out, const struct station_settings *settings,
                   const char *json, struct reason *why)
{
    struct station_options parsed;
    options_init(&parsed, settings);
    struct arena arena = {0};
    const struct json *object = json_parse(&arena, json, strlen(json), why, NULL);
    bool ok = object != NULL;
    if (ok && object->type != JSON_OBJECT)
        ok = reason_set(why, "options: expected an object");
    for (const struct json *member = ok ? object->child : NULL; ok && member; member = member->next)
        ok = read_option(&parsed, member, why);
    if (ok)
        *out = parsed;
    arena_clear(&arena);
    return ok;
}

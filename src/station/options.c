/* The switches of one station, as operators write them (PUT /chargepoints/{cpid}, "options") and as
 * quirk packs have them for whole makes of chargers (quirk.h).
 *
 * One row per switch. A switch that is not given stays as the layer below has it. */
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "station/core.h"

enum option_type { OPTION_BOOL, OPTION_INT, OPTION_VERSION, OPTION_WORD, OPTION_CHARACTERS };

struct option {
    const char *name;
    enum option_type type;
    size_t offset;
    int64_t least, most;
    const char *const *words; /* OPTION_WORD */
};

#define OPTION_AT(member) offsetof(struct station_options, member)

static const char *const energy_units[] = {"Wh", "kWh", "MWh", NULL};
static const char *const power_units[] = {"W", "kW", "MW", NULL};
static const char *const current_units[] = {"A", "mA", NULL};
static const char *const rate_units[] = {"A", "W", NULL};
static const char *const shapes[] = {"TxProfile", "TxProfileWithDuration", "TxDefaultProfile",
                                     "ChargePointMaxProfile", NULL};

static const struct option options[] = {
    /* Validate input to the letter (R13); transactions are never refused for their content. */
    {"strict", OPTION_BOOL, OPTION_AT(strict), 0, 0, NULL},
    /* B3: a charger that would lose transactions while it is pending. */
    {"acceptTxBeforeBoot", OPTION_BOOL, OPTION_AT(accept_tx_before_boot), 0, 0, NULL},
    /* T12: it must answer pings. */
    {"pongRequired", OPTION_BOOL, OPTION_AT(pong_required), 0, 0, NULL},
    /* T8: the subprotocol of a charger that offers none, "ocpp1.6". */
    {"assumeProtocol", OPTION_VERSION, OPTION_AT(assume_version), 0, 0, NULL},
    /* B11: its times carry no zone; minutes east of UTC. */
    {"zoneMinutes", OPTION_INT, OPTION_AT(zone_minutes), -24 * 60, 24 * 60, NULL},
    /* Q24: answers wait so long. */
    {"replyDelayMs", OPTION_INT, OPTION_AT(reply_delay_ms), 0, 10000, NULL},
    /* V5: more than 5 times this power is implausible. */
    {"ratingW", OPTION_INT, OPTION_AT(rating_w), 1, 100000000, NULL},
    /* P3: for limits. */
    {"phases", OPTION_INT, OPTION_AT(phases), 1, 3, NULL},
    {"dc", OPTION_BOOL, OPTION_AT(dc), 0, 0, NULL},
    /* Q15: the unit that its samples are in, whatever they say. */
    {"energyUnit", OPTION_WORD, OPTION_AT(energy_unit), 0, 0, energy_units},
    {"powerUnit", OPTION_WORD, OPTION_AT(power_unit), 0, 0, power_units},
    {"currentUnit", OPTION_WORD, OPTION_AT(current_unit), 0, 0, current_units},
    /* Q26: "F6 CA 01" and "F6:CA:01" are F6CA01. */
    {"tagStrip", OPTION_BOOL, OPTION_AT(tag_strip), 0, 0, NULL},
    /* Q26: "04A2_17619300" is 04A2, with "_". */
    {"tagCutAt", OPTION_CHARACTERS, OPTION_AT(tag_cut_at), 0, 7, NULL},
    /* Q13: TriggerMessage(BootNotification) reboots it: never sent. */
    {"noTriggerBoot", OPTION_BOOL, OPTION_AT(no_trigger_boot), 0, 0, NULL},
    /* Q28: what limits look like to it. */
    {"profileUnit", OPTION_WORD, OPTION_AT(profile_unit), 0, 0, rate_units},
    {"profileShape", OPTION_WORD, OPTION_AT(profile_shape), 0, 0, shapes},
};

void options_init(struct station_options *out, const struct station_settings *settings)
{
    *out = (struct station_options){.strict = settings && settings->strict,
                                    .pong_required = true,
                                    .rating_w = ABSENT,
                                    .phases = ABSENT};
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

static bool read_word(const struct option *option, void *at, const struct json *value,
                      struct reason *why)
{
    struct strbuf all = {0};
    for (size_t i = 0; option->words[i]; i++) {
        strbuf_addf(&all, "%s\"%s\"", i ? " or " : "", option->words[i]);
        if (!text_is(json_text(value), option->words[i]))
            continue;
        memcpy(at, &option->words[i], sizeof(option->words[i]));
        strbuf_clear(&all);
        return true;
    }
    reason_set(why, "%s: expected %s", option->name, strbuf_text(&all));
    strbuf_clear(&all);
    return false;
}

static bool read_characters(const struct option *option, char *at, const struct json *value,
                            struct reason *why)
{
    const char *text = json_text(value);
    if (!text || strlen(text) > (size_t)option->most)
        return reason_set(why, "%s: expected a text of at most %d bytes", option->name,
                          (int)option->most);
    memcpy(at, text, strlen(text) + 1);
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
    case OPTION_WORD:
        return read_word(option, at, member, why);
    case OPTION_CHARACTERS:
        return read_characters(option, at, member, why);
    case OPTION_BOOL:
        if (member->type != JSON_BOOL)
            return reason_set(why, "%s: expected true or false", option->name);
        memcpy(at, &member->boolean, sizeof(member->boolean));
        return true;
    }
    return false;
}

bool options_parse(struct station_options *out, const char *json, struct reason *why)
{
    struct station_options parsed = *out;
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

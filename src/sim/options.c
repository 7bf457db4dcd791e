/* See options.h. Each row of `rows` is one option: its name, what its value is, where the value
 * goes and what --help says. Those that fit no simple kind have a function. */
#include "sim/options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static const char default_identity[] = "Gresgying02", fleet_identity[] = "CB";

/* ---- those with a function ---- */

static bool read_kind(struct sim_options *o, const char *text, struct reason *why)
{
    bool ac = text_is_ci(text, "ac");
    if (!ac && !text_is_ci(text, "dc"))
        return reason_set(why, "--kind \"%s\": expected dc or ac", text);
    o->fleet.charger.kind = ac ? CAR_AC : CAR_DC;
    return true;
}

static bool read_tags(struct sim_options *o, const char *text, struct reason *why)
{
    struct span rest = span_of(text), piece;
    size_t count = 0;
    for (const char *at = text; *at; at++)
        count += *at == ',';
    const char **tags = arena_alloc(&o->arena, (count + 1) * sizeof(*tags));
    count = 0;
    while (span_cut(&rest, ',', &piece)) {
        piece = span_trim(piece);
        if (piece.len < 1 || piece.len > 20)
            return reason_set(why, "--tags: expected cards of 1 to 20 characters, with commas "
                                   "between them");
        tags[count++] = arena_strndup(&o->arena, piece.at, piece.len);
    }
    o->fleet.tags = tags;
    o->fleet.tag_count = count;
    return count > 0 || reason_set(why, "--tags: expected at least one card");
}

/* The name as the table of faults has it; NULL and why. */
static const char *fault_name(struct sim_options *o, struct span name, struct reason *why)
{
    const char *known, *doc, *names[256];
    size_t at = 0, count = 0;
    while (count < ARRAY_LEN(names) && charger_fault_next(&at, &known, &doc)) {
        if (span_is(name, known))
            return known;
        names[count++] = known;
    }
    const char *word = arena_strndup(&o->arena, name.at, name.len);
    const char *near = text_nearest(word, names, count, sizeof(*names));
    if (near)
        reason_set(why, "--fault: there is no \"%s\"; did you mean %s?", word, near);
    else
        reason_set(why, "--fault: there is no \"%s\"; --help lists them", word);
    return NULL;
}

static bool read_fault(struct sim_options *o, const char *text, struct reason *why)
{
    const char *equals = strchr(text, '=');
    struct span name = {text, equals ? (size_t)(equals - text) : strlen(text)};
    struct sim_fault fault = {.name = fault_name(o, name, why), .probability = 1};
    if (!fault.name)
        return false;
    if (equals && json_is_number(span_of(equals + 1)))
        fault.probability = strtod(equals + 1, NULL);
    else if (equals)
        fault.probability = -1;
    if (!(fault.probability >= 0 && fault.probability <= 1))
        return reason_set(why, "--fault %s: expected %s=P with P from 0 to 1", text, fault.name);
    struct sim_fault *more = arena_alloc(&o->arena, (o->fault_count + 1) * sizeof(*more));
    if (o->fault_count > 0)
        memcpy(more, o->faults, o->fault_count * sizeof(*more));
    more[o->fault_count++] = fault;
    o->faults = more;
    return true;
}

/* NAME=VALUE, for the scenario's table `args`. */
static bool read_argument(struct sim_options *o, const char *text, struct reason *why)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return reason_set(why, "--arg \"%s\": expected NAME=VALUE", text);
    struct sim_argument *more = arena_alloc(&o->arena, (o->argument_count + 1) * sizeof(*more));
    if (o->argument_count > 0)
        memcpy(more, o->arguments, o->argument_count * sizeof(*more));
    more[o->argument_count++] =
        (struct sim_argument){arena_strndup(&o->arena, text, (size_t)(equals - text)), equals + 1};
    o->arguments = more;
    return true;
}

/* ---- the table ---- */

enum kind { HEADING, TEXT, WHOLE, WHOLE_32, REAL, FLAG, OWN };

struct row {
    const char *name;
    enum kind kind;
    const char *value; /* as --help calls it */
    size_t at;         /* offset in struct sim_options */
    double least, most;
    const char *doc;
    bool (*own)(struct sim_options *o, const char *text, struct reason *why);
};

#define AT(member) offsetof(struct sim_options, member)

static const struct row rows[] = {
    {"", HEADING, NULL, 0, 0, 0, "Central system", NULL},
    {"host", TEXT, "ADDRESS", AT(fleet.charger.host), 0, 0, "numeric or a name [127.0.0.1]", NULL},
    {"port", WHOLE_32, "N", AT(fleet.charger.port), 1, 65535, "[9000]", NULL},
    {"path", TEXT, "PATH", AT(fleet.charger.path), 0, 0, "before the identity [/ocpp]", NULL},
    {"password", TEXT, "SECRET", AT(fleet.charger.password), 0, 0, "HTTP Basic [none]", NULL},

    {"", HEADING, NULL, 0, 0, 0, "Charger", NULL},
    {"id", TEXT, "IDENTITY", AT(fleet.charger.identity), 0, 0,
     "[Gresgying02]; of a fleet its beginning [CB]", NULL},
    {"connectors", WHOLE_32, "N", AT(fleet.charger.connectors), 1, 16, "[2]", NULL},
    {"kind", OWN, "dc|ac", 0, 0, 0, "what it gives [dc]", read_kind},
    {"power", WHOLE, "W", AT(fleet.charger.power_w), 1, 1000000,
     "of one connector [dc 120000, ac 22000]", NULL},
    {"meter-interval", WHOLE, "S", AT(fleet.charger.meter_interval_s), 0, 86400,
     "seconds between MeterValues, 0 for none [10]", NULL},
    {"boot-delay", WHOLE, "MS", AT(fleet.charger.boot_delay_ms), 0, 86400000,
     "before the first connection [0]", NULL},
    {"reboot", WHOLE, "MS", AT(fleet.charger.reboot_ms), 0, 86400000,
     "how long a reset keeps it away [2000]", NULL},
    {"autocharge", FLAG, NULL, AT(fleet.charger.autocharge), 0, 0,
     "tells the car's MacID by DataTransfer before a VID: card", NULL},
    {"vendor", TEXT, "TEXT", AT(fleet.charger.vendor), 0, 20, "[Gresgying]", NULL},
    {"model", TEXT, "TEXT", AT(fleet.charger.model), 0, 20, "[F3-EU180-SIM]", NULL},
    {"serial", TEXT, "TEXT", AT(fleet.charger.serial), 0, 25, "[none; of a fleet the identity]",
     NULL},
    {"firmware", TEXT, "TEXT", AT(fleet.charger.firmware), 0, 50, "[simulator]", NULL},

    {"", HEADING, NULL, 0, 0, 0, "Cars", NULL},
    {"battery", WHOLE, "WH", AT(fleet.charger.battery_wh), 1, 10000000, "[75000]", NULL},
    {"soc", REAL, "PERCENT", AT(fleet.charger.soc), 0, 100, "at which they come [20]", NULL},

    {"", HEADING, NULL, 0, 0, 0, "Fleet", NULL},
    {"fleet", WHOLE_32, "N", AT(fleet.count), 1, 100000, "so many chargers, CB-0001 … [1]", NULL},
    {"stagger", WHOLE, "MS", AT(fleet.stagger_ms), 0, 600000, "between two starts [10]", NULL},
    {"busy", FLAG, NULL, AT(fleet.busy), 0, 0, "cars come and go by themselves", NULL},
    {"tags", OWN, "A,B,C", 0, 0, 0, "cards of those cars, drawn at random [none: only the cable]",
     read_tags},

    {"", HEADING, NULL, 0, 0, 0, "Play", NULL},
    {"scenario", TEXT, "FILE", AT(scenario), 0, 0, "a Lua file; the exit status says if it held",
     NULL},
    {"arg", OWN, "NAME=VALUE", 0, 0, 0, "the scenario reads args.NAME; repeatable", read_argument},
    {"speed", REAL, "N", AT(speed), 0.001, 100000, "times as fast as real time [1]", NULL},
    {"seed", WHOLE, "N", AT(fleet.charger.seed), 0, 1e15, "of all random choices [1]", NULL},
    {"fault", OWN, "NAME[=P]", 0, 0, 0, "misbehaves so, with probability P; repeatable",
     read_fault},

    {"", HEADING, NULL, 0, 0, 0, "Control", NULL},
    {"control-port", WHOLE_32, "N", AT(control_port), 0, 65535,
     "HTTP on loopback, 0: any free [7071]", NULL},
    {"log-frames", FLAG, NULL, AT(fleet.charger.log_frames), 0, 0,
     "keeps the last 1000 frames for GET /log", NULL},
};

static bool read_text(const struct row *row, char *field, const char *text, struct reason *why)
{
    if (row->most > 0 && strlen(text) > (size_t)row->most)
        return reason_set(why, "--%s: expected at most %.0f characters", row->name, row->most);
    if (!*text && row->at != AT(fleet.charger.path))
        return reason_set(why, "--%s: expected a text", row->name);
    memcpy(field, &text, sizeof(text));
    return true;
}

static bool read_number(const struct row *row, char *field, const char *text, struct reason *why)
{
    double value = json_is_number(span_of(text)) ? strtod(text, NULL) : NAN;
    int64_t whole = 0;
    bool good = value >= row->least && value <= row->most;
    if (row->kind != REAL)
        good = good && span_int(span_of(text), &whole);
    if (!good)
        return reason_set(why, "--%s \"%s\": expected a %snumber from %g to %.15g", row->name, text,
                          row->kind == REAL ? "" : "whole ", row->least, row->most);
    int narrow = (int)whole;
    if (row->kind == REAL)
        memcpy(field, &value, sizeof(value));
    else if (row->kind == WHOLE_32)
        memcpy(field, &narrow, sizeof(narrow));
    else
        memcpy(field, &whole, sizeof(whole));
    return true;
}

static const struct row *find_row(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].kind != HEADING && span_is(name, rows[i].name))
            return &rows[i];
    return NULL;
}

static bool unknown_option(const char *word, struct reason *why)
{
    const char *near = strncmp(word, "--", 2) == 0
                           ? text_nearest(word + 2, &rows[0].name, ARRAY_LEN(rows), sizeof(rows[0]))
                           : NULL;
    if (near)
        return reason_set(why, "%s: no such option; did you mean --%s?", word, near);
    return reason_set(why, "%s: no such option", word);
}

/* Takes argv[*at], and the word after it if that is its value. */
static bool read_one(struct sim_options *o, int argc, char **argv, int *at, struct reason *why)
{
    const char *word = argv[*at], *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct row *row =
        strncmp(word, "--", 2) == 0 ? find_row((struct span){word + 2, len - 2}) : NULL;
    if (!row)
        return unknown_option(word, why);
    char *field = (char *)o + row->at;
    if (row->kind == FLAG) {
        if (equals)
            return reason_set(why, "--%s takes no value", row->name);
        *(bool *)field = true;
        return true;
    }
    const char *text = equals ? equals + 1 : NULL;
    if (!text && *at + 1 >= argc)
        return reason_set(why, "--%s: expected %s after it", row->name, row->value);
    if (!text)
        text = argv[++*at];
    if (row->kind == OWN)
        return row->own(o, text, why);
    return row->kind == TEXT ? read_text(row, field, text, why)
                             : read_number(row, field, text, why);
}

static void set_defaults(struct sim_options *o)
{
    *o = (struct sim_options){.control_port = 7071, .speed = 1};
    o->fleet = (struct fleet_settings){.count = 1, .stagger_ms = 10};
    o->fleet.charger = (struct charger_settings){.host = "127.0.0.1",
                                                 .port = 9000,
                                                 .path = "/ocpp",
                                                 .connectors = 2,
                                                 .battery_wh = 75000,
                                                 .soc = 20,
                                                 .meter_interval_s = 10,
                                                 .reboot_ms = 2000,
                                                 .seed = 1,
                                                 .vendor = "Gresgying",
                                                 .model = "F3-EU180-SIM",
                                                 .firmware = "simulator"};
}

/* What depends on other options. A scenario without --id and --fleet brings its own chargers. */
static void finish_defaults(struct sim_options *o, bool fleet_given)
{
    struct charger_settings *charger = &o->fleet.charger;
    if (o->scenario && !charger->identity && !fleet_given)
        o->fleet.count = 0;
    if (!charger->identity)
        charger->identity = o->fleet.count > 1 ? fleet_identity : default_identity;
    if (charger->power_w == 0)
        charger->power_w = charger->kind == CAR_DC ? 120000 : 22000;
}

enum sim_options_result sim_options_read(struct sim_options *out, int argc, char **argv,
                                         struct reason *why)
{
    bool fleet_given = false;
    set_defaults(out);
    for (int at = 1; at < argc; at++) {
        if (text_is(argv[at], "--help") || text_is(argv[at], "-h"))
            return SIM_OPTIONS_HELP;
        fleet_given |= span_starts(span_of(argv[at]), "--fleet");
        if (!read_one(out, argc, argv, &at, why))
            return SIM_OPTIONS_WRONG;
    }
    finish_defaults(out, fleet_given);
    return SIM_OPTIONS_RUN;
}

void sim_options_clear(struct sim_options *options)
{
    arena_clear(&options->arena);
}

void sim_options_help(FILE *to)
{
    const char *name, *doc;
    size_t at = 0;
    fputs("chargebridge-sim: simulated OCPP 1.6 charge points, with cars\n", to);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        if (row->kind == HEADING) {
            fprintf(to, "\n%s\n", row->doc);
            continue;
        }
        char left[64];
        snprintf(left, sizeof(left), "--%s %s", row->name, row->value ? row->value : "");
        fprintf(to, "  %-26s %s\n", left, row->doc);
    }
    fputs("\n"
          "The control: POST /plug/1?id_tag=&auto_start=  /unplug/1  /local_start/1?id_tag=\n"
          "  /local_stop/1?reason=  /fault/1?error_code=  /clear_fault/1  /suspend_ev/1\n"
          "  /suspend_evse/1  /resume/1  /stall/1?power_w=  /soc/1?percent=  /network/down\n"
          "  /network/up  /power_cycle  /send/{Action} (payload as body);\n"
          "  PUT /configuration/{key}?value=  /faults/{name}?probability=; DELETE /faults/{name};\n"
          "  GET /state  /configuration  /faults  /log  /figures  /chargers  /health.\n"
          "  Of a fleet: the same below /chargers/{identity}.\n"
          "\n"
          "Faults (--fault NAME, PUT /faults/NAME):\n",
          to);
    while (charger_fault_next(&at, &name, &doc))
        fprintf(to, "  %-26s %s\n", name, doc);
    fputs("\nExit status: 0 ended by a signal, or the scenario held; 1 not started, or it did not\n"
          "hold; 2 usage.\n",
          to);
}

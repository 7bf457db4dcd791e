/* Reading the configuration: file, environment, flags; then the rules between keys. The keys are in
 * conf_keys.c. Nothing is logged here: errors are collected for the caller. */
#include "conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf_keys.h"

enum { FILE_MAX = 1 << 20, KEYS_MAX = 128 };

static void error_add(struct conf_errors *errors, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void error_add(struct conf_errors *errors, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_addv(&errors->text, format, args);
    va_end(args);
    strbuf_addc(&errors->text, '\n');
    errors->count++;
}

void conf_init(struct conf *conf)
{
    struct reason why;
    *conf = (struct conf){0};
    for (const struct conf_key *key = conf_keys; key->section; key++)
        if (NEVER(!conf_set(conf, key, span_of(key->fallback), &why)))
            continue;
}

void conf_clear(struct conf *conf)
{
    arena_clear(&conf->arena);
}

/* ---- finding keys ---- */

static const struct conf_key *find_key(struct span section, struct span name)
{
    for (const struct conf_key *key = conf_keys; key->section; key++)
        if (span_is(section, key->section) && span_is(name, key->name))
            return key;
    return NULL;
}

static bool is_section(struct span name)
{
    for (const struct conf_key *key = conf_keys; key->section; key++)
        if (span_is(name, key->section))
            return true;
    return false;
}

static const char *nearest_section(const char *word)
{
    const char *names[KEYS_MAX];
    size_t count = 0;
    for (const struct conf_key *key = conf_keys; key->section; key++)
        if (count == 0 || !text_is(names[count - 1], key->section))
            names[count++] = key->section;
    return text_nearest(word, names, count, sizeof(names[0]));
}

/* The nearest name in that section, or in any when the section is empty. */
static const char *nearest_key(struct span section, const char *word)
{
    const char *names[KEYS_MAX];
    size_t count = 0;
    for (const struct conf_key *key = conf_keys; key->section; key++)
        if (section.len == 0 || span_is(section, key->section))
            names[count++] = key->name;
    return text_nearest(word, names, count, sizeof(names[0]));
}

static void unknown_key(struct conf_errors *errors, const char *where, struct span section,
                        struct span name)
{
    char *word = xstrndup(name.at, name.len);
    const char *near = nearest_key(section, word);
    if (near)
        error_add(errors, "%s: unknown key \"%s\" in [%.*s]; did you mean \"%s\"?", where, word,
                  (int)section.len, section.at, near);
    else
        error_add(errors, "%s: unknown key \"%s\" in [%.*s]; see `chargebridge example-conf`",
                  where, word, (int)section.len, section.at);
    xfree(word);
}

static void set_key(struct conf *conf, const struct conf_key *key, struct span value,
                    const char *where, struct conf_errors *errors)
{
    struct reason why;
    if (!conf_set(conf, key, value, &why))
        error_add(errors, "%s: %s.%s = \"%.*s\": %s", where, key->section, key->name,
                  (int)value.len, value.at, why.text);
}

/* ---- the file ---- */

struct reading {
    struct conf *conf;
    struct conf_errors *errors;
    const char *name;
    struct span section; /* empty before the first; at NULL in an unknown one */
    int line;
    int seen[KEYS_MAX]; /* by row: the line that set it */
};

static void read_section(struct reading *r, const char *where, struct span line)
{
    struct span name = {line.at + 1, line.len - 2};
    if (line.at[line.len - 1] != ']') {
        error_add(r->errors, "%s: expected ] at the end of \"%.*s\"", where, (int)line.len,
                  line.at);
        r->section = (struct span){0};
        return;
    }
    name = span_trim(name);
    r->section = name;
    if (is_section(name))
        return;
    char *word = xstrndup(name.at, name.len);
    const char *near = nearest_section(word);
    error_add(r->errors, "%s: unknown section [%s]%s%s%s", where, word,
              near ? "; did you mean [" : "", near ? near : "", near ? "]?" : "");
    xfree(word);
    r->section = (struct span){0};
}

static void read_pair(struct reading *r, const char *where, struct span line)
{
    const char *equals = memchr(line.at, '=', line.len);
    if (!equals) {
        error_add(r->errors, "%s: expected `key = value` or [section], got \"%.*s\"", where,
                  (int)line.len, line.at);
        return;
    }
    struct span name = span_trim((struct span){line.at, (size_t)(equals - line.at)});
    struct span value =
        span_trim((struct span){equals + 1, line.len - (size_t)(equals + 1 - line.at)});
    if (!r->section.at) /* its own error was reported */
        return;
    const struct conf_key *key = find_key(r->section, name);
    if (!key) {
        unknown_key(r->errors, where, r->section, name);
        return;
    }
    int *seen = &r->seen[key - conf_keys];
    if (*seen) {
        error_add(r->errors, "%s: %s.%s was set in line %d already", where, key->section, key->name,
                  *seen);
        return;
    }
    *seen = r->line;
    set_key(r->conf, key, value, where, r->errors);
}

/* A `#` begins a comment at the start of a line or after a blank. */
static struct span without_comment(struct span line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.at[i] == '#' && (i == 0 || line.at[i - 1] == ' ' || line.at[i - 1] == '\t'))
            line.len = i;
    return span_trim(line);
}

bool conf_read_text(struct conf *conf, const char *name, const char *text,
                    struct conf_errors *errors)
{
    struct reading r = {.conf = conf, .errors = errors, .name = name, .section = SPAN("")};
    size_t before = errors->count;
    struct span rest = span_of(text), line;
    while (span_cut(&rest, '\n', &line)) {
        char where[512];
        snprintf(where, sizeof(where), "%s:%d", name, ++r.line);
        line = without_comment(line);
        if (line.len == 0)
            continue;
        if (line.at[0] == '[')
            read_section(&r, where, line);
        else
            read_pair(&r, where, line);
    }
    return errors->count == before;
}

bool conf_read_file(struct conf *conf, const char *path, struct conf_errors *errors)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        error_add(errors, "%s: cannot read: %s", path, strerror(errno));
        return false;
    }
    struct strbuf text = {.cap = FILE_MAX};
    char buffer[4096];
    size_t n;
    while ((n = fread(buffer, 1, sizeof(buffer), file)) > 0)
        strbuf_add(&text, buffer, n);
    bool ok = !ferror(file) && !text.overflow && strlen(strbuf_text(&text)) == text.len;
    fclose(file);
    if (ok)
        ok = conf_read_text(conf, path, strbuf_text(&text), errors);
    else
        error_add(errors, "%s: cannot read: not a text file of at most 1 MiB", path);
    strbuf_clear(&text);
    return ok;
}

/* ---- environment and flags ---- */

/* CB_OCPP_PING_INTERVAL against [ocpp] ping_interval. */
static bool is_variable_of(struct span name, const struct conf_key *key)
{
    char *variable = xprintf("CB_%s_%s", key->section, key->name);
    text_upper(variable);
    bool is = span_is(name, variable);
    xfree(variable);
    return is;
}

static void unknown_variable(struct conf_errors *errors, struct span name)
{
    char *names[KEYS_MAX];
    size_t count = 0;
    for (const struct conf_key *key = conf_keys; key->section; key++) {
        names[count] = xprintf("CB_%s_%s", key->section, key->name);
        text_upper(names[count++]);
    }
    char *word = xstrndup(name.at, name.len);
    const char *near = text_nearest(word, names, count, sizeof(names[0]));
    error_add(errors, "environment: unknown variable %s%s%s%s", word, near ? "; did you mean " : "",
              near ? near : "", near ? "?" : "");
    xfree(word);
    while (count)
        xfree(names[--count]);
}

static void read_variable(struct conf *conf, const char *text, struct conf_errors *errors)
{
    struct span value = span_of(text), name;
    span_cut(&value, '=', &name);
    /* The tests' own: where the build is. */
    if (!span_starts(name, "CB_") || span_is(name, "CB_BUILD"))
        return;
    for (const struct conf_key *key = conf_keys; key->section; key++) {
        if (!is_variable_of(name, key))
            continue;
        char *where = xprintf("environment: %.*s", (int)name.len, name.at);
        set_key(conf, key, value, where, errors);
        xfree(where);
        return;
    }
    unknown_variable(errors, name);
}

bool conf_read_environment(struct conf *conf, char **environment, struct conf_errors *errors)
{
    size_t before = errors->count;
    for (; *environment; environment++)
        read_variable(conf, *environment, errors);
    return errors->count == before;
}

bool conf_read_flag(struct conf *conf, const char *flag, struct conf_errors *errors)
{
    struct span rest = span_of(flag), path, section;
    size_t before = errors->count;
    bool has_value = strchr(flag, '=') != NULL;
    span_cut(&rest, '=', &path);
    struct span name = path, value = has_value ? rest : (struct span){"", 0};
    char *where = xprintf("--%.*s", (int)path.len, path.at);
    if (!span_cut(&name, '.', &section) || !name.at || !is_section(section)) {
        error_add(errors, "%s: expected --section.key=value; see `chargebridge help`", where);
    } else {
        const struct conf_key *key = find_key(section, name);
        if (!key)
            unknown_key(errors, where, section, name);
        else if (!has_value)
            error_add(errors, "%s: expected a value: %s=…", where, where);
        else
            set_key(conf, key, value, where, errors);
    }
    xfree(where);
    return errors->count == before;
}

/* ---- rules between keys ---- */

bool conf_is_loopback(const char *address)
{
    struct in_addr v4;
    if (text_is(address, "::1") || text_is(address, "localhost"))
        return true;
    return inet_pton(AF_INET, address, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

bool conf_check(struct conf *conf, struct conf_errors *errors)
{
    size_t before = errors->count;
    int64_t longest = conf->station.heartbeat_interval_s * 1000;
    if (longest < conf->ocpp.ping_interval_ms)
        longest = conf->ocpp.ping_interval_ms;
    if (conf->ocpp.idle_timeout_ms == 0)
        conf->ocpp.idle_timeout_ms = 3 * longest;
    else if (conf->ocpp.idle_timeout_ms < 3 * longest)
        error_add(errors,
                  "ocpp.idle_timeout is %llds; it must be at least 3 x the longest of "
                  "heartbeat_interval and ping_interval (%llds), or healthy chargers are cut off",
                  (long long)conf->ocpp.idle_timeout_ms / 1000, (long long)longest * 3 / 1000);
    conf->ocpp.drop_on_shutdown = conf->ocpp_shutdown == CONF_SHUTDOWN_DROP;
    if (!conf_is_loopback(conf->http.address) && text_is(conf->http_key, "changeme-123"))
        error_add(errors,
                  "rest.address is %s, which others can reach, but rest.key is still changeme-123; "
                  "write `key = …` of your own under [rest] (or CB_REST_KEY=…)",
                  conf->http.address);
    if (conf->ocpp_path[0] != '/')
        error_add(errors, "ocpp.path is \"%s\"; it must begin with /", conf->ocpp_path);
    return errors->count == before;
}

/* ---- the shipped example ---- */

void conf_print_example(struct strbuf *out)
{
    const char *section = NULL;
    strbuf_adds(out, "# chargebridge.conf: every key with its default. `chargebridge example-conf` "
                     "prints this file.\n"
                     "# An environment variable CB_SECTION_KEY or a flag --section.key=value "
                     "overrides a line.\n");
    for (const struct conf_key *key = conf_keys; key->section; key++) {
        if (!text_is(section, key->section))
            strbuf_addf(out, "\n[%s]\n", key->section);
        section = key->section;
        strbuf_addf(out, "# %s", key->doc);
        for (int i = 0; key->words && key->words[i]; i++)
            strbuf_addf(out, "%s%s", i ? ", " : " One of ", key->words[i]);
        strbuf_addf(out, "%s\n%s = %s\n", key->words ? "." : "", key->name, key->fallback);
    }
}

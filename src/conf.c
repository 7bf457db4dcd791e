/* Reading the configuration: file, environment, flags; printing the example. The keys are in
 * conf_keys.c, the rules between them in conf_check.c. Nothing is logged: errors are collected for
 * the caller. */
#include "conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf_keys.h"

enum { FILE_MAX = 1 << 20 };

void conf_error(struct conf_errors *errors, const char *format, ...)
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
    conf->origins = arena_alloc(&conf->arena, KEYS_MAX * sizeof(*conf->origins));
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

static const char *nearest_key(struct span section, const char *word)
{
    const char *names[KEYS_MAX];
    size_t count = 0;
    for (const struct conf_key *key = conf_keys; key->section; key++)
        if (span_is(section, key->section))
            names[count++] = key->name;
    return text_nearest(word, names, count, sizeof(names[0]));
}

static void unknown_key(struct conf_errors *errors, const char *where, struct span section,
                        struct span name)
{
    char *word = xstrndup(name.at, name.len);
    const char *near = nearest_key(section, word);
    if (section.len == 0)
        conf_error(errors, "%s: \"%s\" stands before the first [section]", where, word);
    else if (near)
        conf_error(errors, "%s: unknown key \"%s\" in [%.*s]; did you mean \"%s\"?", where, word,
                   (int)section.len, section.at, near);
    else
        conf_error(errors, "%s: unknown key \"%s\" in [%.*s]; see `chargebridge example-conf`",
                   where, word, (int)section.len, section.at);
    xfree(word);
}

static void set_key(struct conf *conf, const struct conf_key *key, struct span value,
                    const char *where, struct conf_errors *errors)
{
    struct reason why;
    if (conf_set(conf, key, value, &why))
        conf->origins[key - conf_keys] = arena_strdup(&conf->arena, where);
    else
        conf_error(errors, "%s: %s.%s = \"%.*s\": %s", where, key->section, key->name,
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
        conf_error(r->errors, "%s: expected ] at the end of \"%.*s\"", where, (int)line.len,
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
    conf_error(r->errors, "%s: unknown section [%s]%s%s%s", where, word,
               near ? "; did you mean [" : "", near ? near : "", near ? "]?" : "");
    xfree(word);
    r->section = (struct span){0};
}

static void read_pair(struct reading *r, const char *where, struct span line)
{
    const char *equals = memchr(line.at, '=', line.len);
    if (!equals) {
        conf_error(r->errors, "%s: expected `key = value` or [section], got \"%.*s\"", where,
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
        conf_error(r->errors, "%s: %s.%s was set in line %d already", where, key->section,
                   key->name, *seen);
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
    if (span_starts(rest, "\xEF\xBB\xBF")) /* some editors begin a file so */
        rest = (struct span){rest.at + 3, rest.len - 3};
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

/* NULL: it is one. */
static const char *fault_of_text(const struct strbuf *text)
{
    struct span all = {strbuf_text(text), text->len};
    if (span_starts(all, "\xFF\xFE") || span_starts(all, "\xFE\xFF"))
        return "it is UTF-16; save it as UTF-8";
    return text->overflow || strlen(all.at) != all.len ? "not a text file of at most 1 MiB" : NULL;
}

bool conf_read_file(struct conf *conf, const char *path, struct conf_errors *errors)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        conf_error(errors, "%s: cannot read: %s", path, strerror(errno));
        return false;
    }
    struct strbuf text = {.cap = FILE_MAX};
    char buffer[4096];
    size_t n;
    while ((n = fread(buffer, 1, sizeof(buffer), file)) > 0)
        strbuf_add(&text, buffer, n);
    const char *fault = ferror(file) ? strerror(errno) : fault_of_text(&text);
    fclose(file);
    bool ok = !fault && conf_read_text(conf, path, strbuf_text(&text), errors);
    if (fault)
        conf_error(errors, "%s: cannot read: %s", path, fault);
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
    conf_error(errors, "environment: unknown variable %s%s%s%s", word,
               near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
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
        conf_error(errors, "%s: expected --section.key=value; see `chargebridge help`", where);
    } else {
        const struct conf_key *key = find_key(section, name);
        if (!key)
            unknown_key(errors, where, section, name);
        else if (!has_value)
            conf_error(errors, "%s: expected a value: %s=…", where, where);
        else
            set_key(conf, key, value, where, errors);
    }
    xfree(where);
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
        bool words = key->type == CONF_WORD || key->type == CONF_STATUS;
        for (int i = 0; words && key->words[i]; i++)
            strbuf_addf(out, "%s%s", i ? ", " : " One of ", key->words[i]);
        strbuf_addf(out, "%s\n%s = %s\n", words ? "." : "", key->name, key->fallback);
    }
}

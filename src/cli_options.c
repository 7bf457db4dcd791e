/* See cli_options.h. Start reading at options_read. */
#include "cli_options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

int cli_usage(const char *format, ...)
{
    va_list args;
    fprintf(stderr, "chargebridge: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry `chargebridge help`.\n");
    return EXIT_USAGE;
}

int cli_unknown(const char *what, const char *word, const char *near)
{
    fprintf(stderr, "chargebridge: unknown %s \"%s\"", what, word);
    if (near)
        fprintf(stderr, "; did you mean \"%s\"?", near);
    fprintf(stderr, "\nTry `chargebridge help`.\n");
    return EXIT_USAGE;
}

/* Short names of keys. */
static const struct {
    const char *option, *key;
} shorts[OPTION_SHORTS] = {
    {"--port", "ocpp.port"},
    {"--rest-port", "rest.port"},
    {"--db", "store.file"},
    {"--policies", "policies.dir"},
};

/* Options with a text of their own, and the word that they belong to (NULL: any). */
static const struct {
    const char *option;
    size_t at;
    const char *word;
} texts[] = {
    {"--config", offsetof(struct options, config), NULL},
    {"-c", offsetof(struct options, config), NULL},
    {"--scope", offsetof(struct options, scope), "keys"},
    {"--from", offsetof(struct options, from), "replay"},
    {"--against", offsetof(struct options, against), "replay"},
    {"--since", offsetof(struct options, since), "replay"},
};

static const char **text_at(struct options *o, size_t i)
{
    return (const char **)(void *)((char *)o + texts[i].at);
}

/* `--name value` or `--name=value`; NULL when `arg` is another option or has no value. */
static const char *value_of(const char *name, const char *arg, char **next)
{
    size_t len = strlen(name);
    if (strncmp(arg, name, len) != 0)
        return NULL;
    if (arg[len] == '=')
        return arg + len + 1;
    return arg[len] == '\0' ? *next : NULL;
}

static bool take_short(struct options *o, const char *arg, char **next, bool *took_next)
{
    for (size_t i = 0; i < ARRAY_LEN(shorts); i++) {
        const char *value = value_of(shorts[i].option, arg, next);
        if (!value)
            continue;
        *took_next = value == *next;
        strbuf_reset(&o->made[i]);
        strbuf_addf(&o->made[i], "%s=%s", shorts[i].key, value);
        return true;
    }
    return false;
}

static bool take_text(struct options *o, const char *arg, char **next, bool *took_next)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char *value = value_of(texts[i].option, arg, next);
        if (!value)
            continue;
        *took_next = value == *next;
        *text_at(o, i) = value;
        return true;
    }
    return false;
}

const char *options_foreign(const struct options *o, const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        bool given = *text_at((struct options *)(uintptr_t)o, i) != NULL;
        if (given && texts[i].word && !text_is(texts[i].word, word))
            return texts[i].option;
    }
    return NULL;
}

/* An option that is not known, or one without its value. */
static int bad_option(const char *arg)
{
    static const char *const others[] = {"--help", "--version", "--manual"};
    const char *names[ARRAY_LEN(others) + ARRAY_LEN(shorts) + ARRAY_LEN(texts)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        names[count++] = others[i];
    for (size_t i = 0; i < ARRAY_LEN(shorts); i++)
        names[count++] = shorts[i].option;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        names[count++] = texts[i].option;
    char *name = xstrndup(arg, strcspn(arg, "="));
    const char *near = text_nearest(name, names, count, sizeof(names[0]));
    bool lacks_value = text_is(arg, "-c") || text_is(near, arg);
    int status =
        lacks_value ? cli_usage("%s: its value is missing", arg) : cli_unknown("option", arg, near);
    xfree(name);
    return status;
}

/* One argument; false with a message. */
static bool take(struct options *o, const char *arg, char **next, bool *took_next)
{
    if (text_is(arg, "--help") || text_is(arg, "-h"))
        return o->help = true;
    if (text_is(arg, "--version"))
        return o->version = true;
    if (text_is(arg, "--manual"))
        return o->manual = true;
    if (take_text(o, arg, next, took_next) || take_short(o, arg, next, took_next))
        return true;
    if (strncmp(arg, "--", 2) == 0 && strchr(arg, '.') && o->flag_count < ARRAY_LEN(o->flags))
        o->flags[o->flag_count++] = arg + 2;
    else if (arg[0] == '-' && arg[1] != '\0') /* a dash alone is a file */
        return bad_option(arg) == EXIT_OK;    /* false */
    else if (o->rest_count == (int)ARRAY_LEN(o->rest))
        return cli_usage("too many arguments, from \"%s\" on", arg) == EXIT_OK;
    else
        o->rest[o->rest_count++] = arg;
    return true;
}

bool options_read(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool took_next = false;
        if (!take(o, argv[i], &argv[i + 1], &took_next))
            return false;
        i += took_next;
    }
    return true;
}

void options_clear(struct options *o)
{
    for (size_t i = 0; i < OPTION_SHORTS; i++)
        strbuf_clear(&o->made[i]);
}

/* See cli.h: options into a configuration, then one function per word. */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/timetext.h"
#include "cli_options.h"
#include "cli_replay.h"
#include "cli_tags.h"

extern char **environ;

enum { KEY_NAME_MAX = 64 };

struct invocation {
    struct conf *conf;
    int argc; /* what is left after options and the word */
    char **argv;
    const char *scope; /* --scope */
    struct replay_options replay;
    bool manual; /* --manual */
    int (*serve)(struct conf *conf);
};

/* ---- words ---- */

static int word_help(struct invocation *given)
{
    (void)given;
    fputs(
        "chargebridge: a CSMS for OCPP 1.6-J chargers; rules in Lua, control by curl\n"
        "\n"
        "  chargebridge                          runs the server in the foreground\n"
        "  chargebridge check [DIR]              checks configuration and policies\n"
        "  chargebridge keys add NAME --scope read|operate|admin\n"
        "  chargebridge keys list\n"
        "  chargebridge keys revoke NAME\n"
        "  chargebridge tags import FILE         tags (.csv or .json) into the running server\n"
        "  chargebridge tags export FILE         all tags out of it\n"
        "  chargebridge replay [--from DB] [--against DIR] [--since TIME]\n"
        "                                        what these policies would have decided, done and "
        "charged\n"
        "  chargebridge api [--manual]           the Lua API: editor types, or the manual\n"
        "  chargebridge example-conf             every key with its default\n"
        "  chargebridge version\n"
        "\n"
        "Options, before or after the word:\n"
        "  -c, --config FILE      instead of ./chargebridge.conf or "
        "/etc/chargebridge/chargebridge.conf\n"
        "  --port N               OCPP port (ocpp.port)\n"
        "  --rest-port N          REST port (rest.port)\n"
        "  --db FILE              database (store.file)\n"
        "  --policies DIR         rules (policies.dir)\n"
        "  --section.key=value    any key of the configuration\n"
        "\n"
        "tags asks the server that runs at rest.address and rest.port, with rest.key. An import\n"
        "takes all rows or none; they are in force and on disk when it returns. FILE - is the\n"
        "standard input or output.\n"
        "\n"
        "replay runs what the database remembers through --policies and prints each difference to "
        "what\n"
        "was decided then (or to what the folder --against decides); exit status 1 if there is "
        "one.\n"
        "\n"
        "Without any file: OCPP on 0.0.0.0:9000/ocpp/{id}, REST on 127.0.0.1:8080. SIGHUP reloads\n"
        "policies and API keys, SIGTERM stops.\n",
        stdout);
    return EXIT_OK;
}

static int word_version(struct invocation *given)
{
    (void)given;
    printf("chargebridge %s\n", CB_VERSION);
    return EXIT_OK;
}

static int word_example(struct invocation *given)
{
    (void)given;
    struct strbuf text = {0};
    conf_print_example(&text);
    fputs(strbuf_text(&text), stdout);
    strbuf_clear(&text);
    return EXIT_OK;
}

static int word_api(struct invocation *given)
{
    struct strbuf text = {0};
    policy_api_print(&text, given->manual);
    fputs(strbuf_text(&text), stdout);
    strbuf_clear(&text);
    return EXIT_OK;
}

/* What is wrong with a file as a whole has no line. */
static void print_error(const char *dir, const struct policy_error *error)
{
    if (error->line > 0)
        fprintf(stderr, "%s/%s:%d: %s\n", dir, error->file, error->line, error->message);
    else if (text_is(error->file, dir)) /* the folder itself */
        fprintf(stderr, "%s: %s\n", dir, error->message);
    else
        fprintf(stderr, "%s/%s: %s\n", dir, error->file, error->message);
}

static int word_check(struct invocation *given)
{
    struct policy_report *report = xcalloc(1, sizeof(*report));
    struct policy_settings settings = given->conf->policy;
    if (given->argc > 1) {
        xfree(report);
        return cli_usage("check takes one folder at most, not \"%s\"", given->argv[1]);
    }
    if (given->argc == 1)
        settings.dir = given->argv[0];
    bool ok = policy_check_offline(&settings, report);
    for (size_t i = 0; i < report->kept; i++)
        print_error(settings.dir, &report->errors[i]);
    if (report->error_count > report->kept)
        fprintf(stderr, "… and %zu more\n", report->error_count - report->kept);
    if (ok)
        printf("policies ok: %zu file%s, %zu test%s\n", report->files,
               report->files == 1 ? "" : "s", report->tests, report->tests == 1 ? "" : "s");
    else
        fprintf(stderr, "policies refused: %zu problem%s in \"%s\"\n", report->error_count,
                report->error_count == 1 ? "" : "s", settings.dir);
    xfree(report);
    return ok ? EXIT_OK : EXIT_REFUSED;
}

static int word_replay(struct invocation *given)
{
    struct replay_options options = given->replay;
    if (!options.from)
        options.from = given->conf->store.path;
    options.policies = given->conf->policy.dir;
    return cli_replay(given->conf, &options);
}

static int word_serve(struct invocation *given)
{
    if (given->argc)
        return cli_usage("what is \"%s\"?", given->argv[0]);
    log_setup(given->conf->log_level, given->conf->log_format == CONF_LOG_JSON);
    return given->serve(given->conf);
}

/* ---- keys ---- */

static int refused(const struct reason *why)
{
    fprintf(stderr, "chargebridge: %s\n", why->text);
    return EXIT_REFUSED;
}

/* It is printed in a table, and logged. */
static bool is_key_name(const char *name)
{
    bool ok = *name && strlen(name) <= KEY_NAME_MAX;
    for (const char *c = name; *c; c++)
        ok = ok && (unsigned char)*c > ' ' && *c != 0x7f;
    return ok;
}

static int keys_add(struct invocation *given, const char *name)
{
    unsigned char bytes[24];
    char secret[2 * sizeof(bytes) + 1], hash[SECRET_HASH_SIZE];
    struct reason why;
    const char *scope = given->scope ? given->scope : "read";
    if (!text_is(scope, "read") && !text_is(scope, "operate") && !text_is(scope, "admin"))
        return cli_usage("--scope is read, operate or admin, not \"%s\"", scope);
    if (!is_key_name(name))
        return cli_usage("keys: a name is 1 to 64 characters without spaces, not \"%s\"", name);
    random_bytes(bytes, sizeof(bytes));
    hex_encode(bytes, sizeof(bytes), secret);
    secret_hash(span_of(secret), hash);
    struct api_key key = {(char *)(uintptr_t)name, (char *)(uintptr_t)scope, hash, wall_now()};
    if (!keys_file_add(given->conf->store.path, &key, &why))
        return refused(&why);
    printf("%s\n", secret);
    fprintf(stderr,
            "Key \"%s\" (%s) of \"%s\": shown only now; the server stores its hash. A running "
            "server learns it with SIGHUP.\n",
            name, scope, given->conf->store.path);
    return EXIT_OK;
}

/* Looking for keys in the wrong folder must not leave an empty database there. */
static bool has_database(const struct invocation *given, struct reason *why)
{
    const char *path = given->conf->store.path;
    return access(path, F_OK) == 0 ||
           reason_set(why, "there is no database \"%s\"; name the server's with --db FILE", path);
}

static int keys_list(struct invocation *given)
{
    struct api_key *keys = NULL;
    size_t count = 0;
    struct reason why;
    char created[TIMETEXT_SIZE];
    if (!has_database(given, &why) || !keys_file_read(given->conf->store.path, &keys, &count, &why))
        return refused(&why);
    for (size_t i = 0; i < count; i++) {
        timetext_seconds(keys[i].created_ms, created);
        printf("%-24s %-8s %s\n", keys[i].name, keys[i].scope, created);
    }
    if (count == 0)
        fprintf(stderr, "no keys but the configured one\n");
    api_keys_free(keys, count);
    return EXIT_OK;
}

static int keys_revoke(struct invocation *given, const char *name)
{
    struct reason why;
    if (!has_database(given, &why) || !keys_file_revoke(given->conf->store.path, name, &why))
        return refused(&why);
    fprintf(stderr, "Key \"%s\" is revoked; a running server learns it with SIGHUP.\n", name);
    return EXIT_OK;
}

static int word_keys(struct invocation *given)
{
    const char *what = given->argc ? given->argv[0] : "";
    const char *name = given->argc == 2 ? given->argv[1] : NULL;
    if (text_is(what, "list") && given->argc == 1)
        return keys_list(given);
    if (text_is(what, "add") && name)
        return keys_add(given, name);
    if (text_is(what, "revoke") && name)
        return keys_revoke(given, name);
    return cli_usage("keys: expected `add NAME --scope S`, `list` or `revoke NAME`");
}

/* ---- tags ---- */

static int word_tags(struct invocation *given)
{
    const char *what = given->argc == 2 ? given->argv[0] : "";
    if (text_is(what, "import"))
        return cli_tags_import(given->conf, given->argv[1]);
    if (text_is(what, "export"))
        return cli_tags_export(given->conf, given->argv[1]);
    return cli_usage("tags: expected `import FILE` or `export FILE` (.csv or .json; - is the "
                     "standard input or output)");
}

/* ---- the command line ---- */

enum conf_need {
    CONF_UNUSED,  /* works whatever the configuration says */
    CONF_JUDGED,  /* its problems are shown, and more may be found */
    CONF_REQUIRED /* a broken one ends it */
};

static const struct word {
    const char *name;
    enum conf_need conf;
    bool takes_more; /* arguments; it checks them itself */
    int (*run)(struct invocation *given);
} words[] = {
    {"check", CONF_JUDGED, true, word_check},
    {"replay", CONF_REQUIRED, false, word_replay},
    {"keys", CONF_REQUIRED, true, word_keys},
    {"tags", CONF_REQUIRED, true, word_tags},
    {"api", CONF_UNUSED, false, word_api},
    {"example-conf", CONF_UNUSED, false, word_example},
    {"version", CONF_UNUSED, false, word_version},
    {"help", CONF_UNUSED, false, word_help},
};

static const char *default_config(void)
{
    static const char *const places[] = {"chargebridge.conf",
                                         "/etc/chargebridge/chargebridge.conf"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], F_OK) == 0)
            return places[i];
    return NULL;
}

static bool read_conf(struct conf *conf, const struct options *o, struct conf_errors *errors)
{
    const char *path = o->config ? o->config : default_config();
    conf_init(conf);
    if (path)
        conf_read_file(conf, path, errors);
    conf_read_environment(conf, environ, errors);
    for (size_t i = 0; i < OPTION_SHORTS; i++)
        if (o->made[i].len)
            conf_read_flag(conf, strbuf_text(&o->made[i]), errors);
    for (size_t i = 0; i < o->flag_count; i++)
        conf_read_flag(conf, o->flags[i], errors);
    conf_check(conf, errors);
    return errors->count == 0;
}

static int run_word(const struct word *word, const struct options *o,
                    int (*serve)(struct conf *conf))
{
    struct conf conf;
    struct conf_errors errors = {0};
    int named = word ? 1 : 0;
    bool ok = read_conf(&conf, o, &errors);
    struct invocation given = {.conf = &conf,
                               .argc = o->rest_count - named,
                               .argv = (char **)(uintptr_t)o->rest + named,
                               .scope = o->scope,
                               .replay = {NULL, o->against, o->from, o->since},
                               .manual = o->manual,
                               .serve = serve};
    enum conf_need need = word ? word->conf : CONF_REQUIRED;
    int status = EXIT_REFUSED;
    if (!ok && need != CONF_UNUSED)
        fprintf(stderr, "%schargebridge: the configuration was refused (%zu problem%s)\n",
                strbuf_text(&errors.text), errors.count, errors.count == 1 ? "" : "s");
    if (ok || need != CONF_REQUIRED)
        status = word ? word->run(&given) : word_serve(&given);
    if (!ok && need == CONF_JUDGED && status == EXIT_OK)
        status = EXIT_REFUSED;
    strbuf_clear(&errors.text);
    conf_clear(&conf);
    return status;
}

static int dispatch(const struct options *o, int (*serve)(struct conf *conf))
{
    const char *name = o->help ? "help" : o->version ? "version" : o->rest[0];
    const char *foreign = options_foreign(o, name);
    if (foreign && !o->help)
        return cli_usage("%s means nothing %s%s%s", foreign, name ? "to \"" : "here",
                         name ? name : "", name ? "\"" : "");
    if (!name)
        return run_word(NULL, o, serve);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (text_is(name, words[i].name))
            return o->rest_count > 1 && !words[i].takes_more && !o->help && !o->version
                       ? cli_usage("what is \"%s\"?", o->rest[1])
                       : run_word(&words[i], o, serve);
    return cli_unknown("command", name,
                       text_nearest(name, words, ARRAY_LEN(words), sizeof(words[0])));
}

int cli_main(int argc, char **argv, int (*serve)(struct conf *conf))
{
    struct options o = {0};
    int status = options_read(&o, argc, argv) ? dispatch(&o, serve) : EXIT_USAGE;
    options_clear(&o);
    return status;
}

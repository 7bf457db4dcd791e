/* The command line: words, options, exit status, and on which stream what is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/mem.h"
#include "cli.h"

struct fixture {
    char dir[256];
    char out[65536], err[65536];
};

static struct { /* what serve() was given */
    int calls, port, rest_port, status;
    char db[200], policies[200];
} served;

static int serve(struct conf *conf)
{
    served.calls++;
    served.port = conf->ocpp.port;
    served.rest_port = conf->http.port;
    snprintf(served.db, sizeof(served.db), "%s", conf->store.path);
    snprintf(served.policies, sizeof(served.policies), "%s", conf->policy.dir);
    return served.status;
}

static int setup(void **state)
{
    static struct fixture fixture;
    const char *tmp = getenv("TMPDIR");
    fixture = (struct fixture){0};
    memset(&served, 0, sizeof(served));
    snprintf(fixture.dir, sizeof(fixture.dir), "%s/cb-cli-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(fixture.dir));
    assert_int_equal(chdir(fixture.dir), 0);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    static const char *const files[] = {"a.conf",
                                        "chargebridge.conf",
                                        "k.db",
                                        "k.db-wal",
                                        "k.db-shm",
                                        "k.db.lock",
                                        "rules/bad.lua",
                                        "rules/good.lua",
                                        "bad.db",
                                        "bad.db.lock",
                                        "chargebridge.db.lock"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        unlink(files[i]);
    rmdir("rules");
    assert_int_equal(chdir("/"), 0);
    return rmdir(f->dir);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Sends a stream into a file without a name until restored. */
static int divert(FILE *stream, int fd, FILE **to)
{
    fflush(stream);
    int old = dup(fd);
    *to = tmpfile();
    assert_non_null(*to);
    dup2(fileno(*to), fd);
    return old;
}

static void restore(FILE *stream, int fd, int old, FILE *from, char *text, size_t size)
{
    fflush(stream);
    dup2(old, fd);
    close(old);
    rewind(from);
    text[fread(text, 1, size - 1, from)] = '\0';
    fclose(from);
}

/* Runs it with the words of `line`, separated by spaces; `''` is an empty one. */
static int run(struct fixture *f, const char *line)
{
    char words[1024], *argv[64] = {words};
    int argc = 0;
    snprintf(words, sizeof(words), "chargebridge%s%s", *line ? " " : "", line);
    for (char *word = words, *next; word; word = next) {
        next = strchr(word, ' ');
        if (next)
            *next++ = '\0';
        argv[argc++] = strcmp(word, "''") ? word : word + 2;
    }
    argv[argc] = NULL;
    FILE *out, *err;
    int old_out = divert(stdout, 1, &out), old_err = divert(stderr, 2, &err);
    int status = cli_main(argc, argv, serve);
    restore(stdout, 1, old_out, out, f->out, sizeof(f->out));
    restore(stderr, 2, old_err, err, f->err, sizeof(f->err));
    return status;
}

static void expect(struct fixture *f, const char *line, int status, const char *out,
                   const char *err)
{
    int got = run(f, line);
    if (got != status)
        fail_msg("%s: exit %d\nstdout: %s\nstderr: %s", line, got, f->out, f->err);
    if (out ? !strstr(f->out, out) : f->out[0] != '\0')
        fail_msg("%s: stdout says \"%s\"", line, f->out);
    if (err ? !strstr(f->err, err) : f->err[0] != '\0')
        fail_msg("%s: stderr says \"%s\"", line, f->err);
}

static void test_help_and_version(void **state)
{
    expect(*state, "help", 0, "chargebridge keys add NAME", NULL);
    expect(*state, "--help", 0, "chargebridge keys add NAME", NULL);
    expect(*state, "-h", 0, "chargebridge keys add NAME", NULL);
    expect(*state, "keys --help", 0, "chargebridge keys add NAME", NULL);
    expect(*state, "help", 0, "chargebridge tags import FILE", NULL);
    expect(*state, "version", 0, "chargebridge 0.", NULL);
    expect(*state, "--version", 0, "chargebridge 0.", NULL);
    expect(*state, "example-conf", 0, "[ocpp]", NULL);
    expect(*state, "api", 0, "---@meta", NULL);
    expect(*state, "api --manual", 0, "|", NULL);
    assert_int_equal(served.calls, 0);
}

/* These work whatever the configuration says. */
static void test_broken_configuration(void **state)
{
    write_file("chargebridge.conf", "[nothing]\nx = 1\n");
    expect(*state, "help", 0, "chargebridge", NULL);
    expect(*state, "version", 0, "chargebridge", NULL);
    expect(*state, "example-conf", 0, "[ocpp]", NULL);
    expect(*state, "keys list", 1, NULL, "chargebridge.conf:");
    expect(*state, "check", 1, NULL, "the configuration was refused (");
    expect(*state, "", 1, NULL, "the configuration was refused (");
    assert_int_equal(served.calls, 0);
}

static void test_usage(void **state)
{
    expect(*state, "chek", 2, NULL, "unknown command \"chek\"; did you mean \"check\"?");
    expect(*state, "replay x", 2, NULL, "what is \"x\"?");
    expect(*state, "repaly", 2, NULL, "did you mean \"replay\"?");
    expect(*state, "nonsense", 2, NULL, "unknown command \"nonsense\"");
    expect(*state, "--nonsense", 2, NULL, "unknown option \"--nonsense\"\n");
    expect(*state, "--prot 1", 2, NULL, "unknown option \"--prot\"; did you mean \"--port\"?");
    expect(*state, "--confg=x", 2, NULL, "did you mean \"--config\"?");
    expect(*state, "-x", 2, NULL, "-x");
    expect(*state, "--port", 2, NULL, "--port: its value is missing");
    expect(*state, "-c", 2, NULL, "-c: its value is missing");
    expect(*state, "--config", 2, NULL, "--config");
    expect(*state, "keys", 2, NULL, "keys: expected");
    expect(*state, "keys add", 2, NULL, "keys: expected");
    expect(*state, "keys add a b", 2, NULL, "keys: expected");
    expect(*state, "keys list x", 2, NULL, "keys: expected");
    expect(*state, "keys revoke", 2, NULL, "keys: expected");
    expect(*state, "check a b", 2, NULL, "not \"b\"");
    expect(*state, "tags", 2, NULL, "tags: expected `import FILE` or `export FILE`");
    expect(*state, "tags import", 2, NULL, "tags: expected");
    expect(*state, "tags export a b", 2, NULL, "tags: expected");
    expect(*state, "tags list a", 2, NULL, "tags: expected");
    expect(*state, "-", 2, NULL, "unknown command \"-\"");
    expect(*state, "version now", 2, NULL, "now");
    expect(*state, "help me", 2, NULL, "me");
    expect(*state, "api x", 2, NULL, "x");
    expect(*state, "''", 2, NULL, "unknown command \"\"");
    assert_int_equal(served.calls, 0);
}

static void test_serve(void **state)
{
    served.status = 3;
    expect(*state, "", 3, NULL, NULL);
    assert_int_equal(served.calls, 1);
    assert_int_equal(served.port, 9000);
    assert_int_equal(served.rest_port, 8080);
    assert_string_equal(served.db, "chargebridge.db");
}

/* Short names, long ones, `=` or a space; the later of file and flag wins. */
static void test_options(void **state)
{
    write_file("a.conf", "[ocpp]\nport = 1111\n[store]\nfile = file.db\n");
    write_file("chargebridge.conf", "[ocpp]\nport = 2222\n");
    expect(*state, "", 0, NULL, NULL);
    assert_int_equal(served.port, 2222);
    expect(*state, "-c a.conf", 0, NULL, NULL);
    assert_int_equal(served.port, 1111);
    assert_string_equal(served.db, "file.db");
    expect(*state, "--config=a.conf --port 3333 --rest-port=4444 --db x.db --policies=p", 0, NULL,
           NULL);
    assert_int_equal(served.port, 3333);
    assert_int_equal(served.rest_port, 4444);
    assert_string_equal(served.db, "x.db");
    assert_string_equal(served.policies, "p");
    expect(*state, "--ocpp.port=5555 --port=1 --port=6666", 0, NULL, NULL);
    assert_int_equal(served.port, 5555); /* the full name is more exact than the short one */
    expect(*state, "--port x", 1, NULL, "x");
    expect(*state, "--ocpp.prot=1", 1, NULL, "did you mean \"port\"?");
    expect(*state, "-c none.conf", 1, NULL, "none.conf");
    expect(*state, "-c .", 1, NULL, ".: cannot read: Is a directory");
    write_file("a.conf", "\xEF\xBB\xBF[ocpp]\nport = 4444\n");
    expect(*state, "-c a.conf", 0, NULL, NULL);
    assert_int_equal(served.port, 4444);
    write_file("a.conf", "\xFF\xFE[ocpp]\n");
    expect(*state, "-c a.conf", 1, NULL, "a.conf: cannot read: it is UTF-16; save it as UTF-8");
}

static void test_many_arguments(void **state)
{
    struct strbuf line = {0};
    for (int i = 0; i < 20; i++)
        strbuf_adds(&line, i ? " keys" : "keys");
    expect(*state, strbuf_text(&line), 2, NULL, "too many arguments");
    strbuf_clear(&line);
}

static void test_keys(void **state)
{
    struct fixture *f = *state;
    char secret[100];
    expect(f, "keys list --db k.db", 1, NULL, "there is no database \"k.db\"");
    expect(f, "keys revoke x --db k.db", 1, NULL, "there is no database \"k.db\"");
    expect(f, "keys add panel --scope operate --db k.db", 0, "", "Key \"panel\" (operate)");
    size_t len = strcspn(f->out, "\n");
    assert_int_equal(len, 48); /* on stdout and alone, for KEY=$(…) */
    assert_string_equal(f->out + len, "\n");
    f->out[len] = '\0';
    text_copy(secret, sizeof(secret), span_of(f->out));
    assert_null(strstr(f->err, secret));

    struct api_key *keys;
    size_t count;
    struct reason why;
    assert_true(keys_file_read("k.db", &keys, &count, &why));
    assert_int_equal(count, 1);
    assert_string_equal(keys[0].scope, "operate");
    assert_true(secret_matches(span_of(secret), keys[0].hash));
    api_keys_free(keys, count);

    expect(f, "--db=k.db keys add panel", 1, NULL, "there is a key \"panel\" already");
    expect(f, "--db=k.db keys add other", 0, "", "Key \"other\" (read)");
    expect(f, "--db=k.db keys list", 0, "panel                    operate  20", NULL);
    assert_non_null(strstr(f->out, "other                    read"));
    expect(f, "--db=k.db keys revoke panel", 0, NULL, "Key \"panel\" is revoked");
    expect(f, "--db=k.db keys revoke panel", 1, NULL, "there is no key \"panel\"");
    expect(f, "--db=k.db keys revoke other", 0, NULL, "Key \"other\" is revoked");
    expect(f, "--db=k.db keys list", 0, NULL, "no keys but the configured one");
    expect(f, "--db=k.db keys add x --scope root", 2, NULL, "not \"root\"");
    expect(f, "--db=k.db keys add ''", 2, NULL, "keys: a name is");
    expect(f, "--db=k.db keys add a\nb", 2, NULL, "keys: a name is");
    write_file("bad.db", "this is no database at all, but it is long enough to look like one: "
                         "it has more than one hundred bytes of text in it");
    expect(f, "--db=bad.db keys list", 1, NULL, "bad.db");
}

/* What ends before there is a server to ask; the rest is tests/rest/tags_cli.py. */
static void test_tags(void **state)
{
    expect(*state, "tags import none.csv", 1, NULL, "none.csv: No such file or directory");
    assert_int_equal(mkdir("rules", 0755), 0);
    expect(*state, "tags import rules", 1, NULL, "rules: Is a directory");
    write_file("a.conf", "[rest]\nport = 0\n");
    expect(*state, "tags export - -c a.conf", 1, NULL, "rest.port is 0");
    expect(*state, "tags export a.csv --rest.prot=1", 1, NULL, "did you mean \"port\"?");
    assert_int_not_equal(access("a.csv", F_OK), 0);
}

static void test_check(void **state)
{
    expect(*state, "check rules", 1, NULL, "rules: cannot be read");
    assert_null(strstr(((struct fixture *)*state)->err, "rules/rules"));
    assert_int_equal(mkdir("rules", 0755), 0);
    write_file("rules/good.lua", "every('1h', function() end)\n");
    expect(*state, "check rules", 0, "policies ok: 1 file, 0 tests", NULL);
    expect(*state, "check --policies rules", 0, "policies ok: 1 file, 0 tests", NULL);
    expect(*state, "check rules --ocpp.prot=1", 1, "policies ok: 1 file, 0 tests",
           "the configuration was refused (1 problem)");
    write_file("rules/bad.lua", "local x = 1\n"); /* of the whole file: no line */
    expect(*state, "check rules", 1, NULL, "rules/bad.lua: registers nothing");
    write_file("rules/bad.lua", "local x =\n");
    expect(*state, "check rules", 1, NULL, "rules/bad.lua:");
    expect(*state, "check rules", 1, NULL, "policies refused: 1 problem in \"rules\"");
    assert_int_equal(served.calls, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_help_and_version),
        TEST(test_broken_configuration),
        TEST(test_usage),
        TEST(test_serve),
        TEST(test_options),
        TEST(test_many_arguments),
        TEST(test_keys),
        TEST(test_tags),
        TEST(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

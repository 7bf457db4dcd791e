/* Files: uploads whole or not at all, limits, names that lead nowhere, links for one transfer. */
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

#include "base/log.h"
#include "base/mem.h"
#include "files.h"

struct stage {
    char root[128], dir[160];
    struct timers timers;
    struct station *station;
    struct files_settings settings;
    struct files *files;
};

static bool port_send(void *ctx, uint64_t connection, const char *text, size_t len)
{
    (void)ctx, (void)connection, (void)text, (void)len;
    return true;
}

static void port_close(void *ctx, uint64_t connection, int code, const char *reason)
{
    (void)ctx, (void)connection, (void)code, (void)reason;
}

static void port_pause(void *ctx, uint64_t connection, bool paused)
{
    (void)ctx, (void)connection, (void)paused;
}

static void port_submit(void *ctx, struct batch *batch)
{
    (void)ctx;
    batch->done(batch->ctx, batch);
}

static void port_ask(void *ctx, const struct event *event, event_done done, void *done_ctx)
{
    (void)ctx, (void)event;
    struct verdict verdict = {.kind = VERDICT_NONE};
    done(done_ctx, &verdict);
}

static bool port_listens(void *ctx, enum event_kind kind, const char *action)
{
    (void)ctx, (void)kind, (void)action;
    return false;
}

static void open_files(struct stage *stage)
{
    struct reason why = {""};
    stage->files = files_open(&stage->settings, stage->station, &why);
    if (!stage->files)
        fail_msg("%s", why.text);
}

static void set_up(struct stage *stage)
{
    static const struct station_settings settings = {.heartbeat_interval_s = 300};
    const char *tmp = getenv("TMPDIR");
    *stage = (struct stage){0};
    clock_fake(1700000000000);
    log_setup(LOG_ERROR, false);
    snprintf(stage->root, sizeof(stage->root), "%s/cb-files-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(stage->root));
    snprintf(stage->dir, sizeof(stage->dir), "%s/files", stage->root);
    struct station_ports ports = {stage,       port_send, port_close,  port_pause,
                                  port_submit, port_ask,  port_listens};
    stage->station = station_new(&settings, &ports, &stage->timers);
    stage->settings = (struct files_settings){stage->dir, "http://host:8080/", 1000, 5000};
    open_files(stage);
}

static void tear_down(struct stage *stage)
{
    char command[200];
    files_close(stage->files);
    station_flush(stage->station);
    station_free(stage->station);
    timers_clear(&stage->timers);
    clock_real();
    snprintf(command, sizeof(command), "rm -r '%s'", stage->root);
    assert_int_equal(system(command), 0);
}

static char *path_of(struct stage *stage, const char *name)
{
    static char path[400];
    snprintf(path, sizeof(path), "%s/%s", stage->dir, name);
    return path;
}

static bool is_there(struct stage *stage, const char *name)
{
    struct stat info;
    return lstat(path_of(stage, name), &info) == 0;
}

static void put_file(struct stage *stage, const char *name, const char *text)
{
    mkdir(stage->dir, 0700);
    FILE *file = fopen(path_of(stage, name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* The status of the refusal, 0 for none and no sink, 1 for a sink. */
static int ask_as(struct stage *stage, const char *method, const char *path, enum key_scope scope,
                  struct http_sink *sink)
{
    struct request head = {.method = method, .path = path, .scope = scope};
    struct response refusal = {0};
    if (files_upload(stage->files, &head, sink, &refusal))
        return 1;
    if (refusal.status)
        assert_non_null(strstr(refusal.body.at, "\"detail\":"));
    return refusal.status;
}

static struct http_sink upload(struct stage *stage, const char *text, bool whole)
{
    struct http_sink sink = {0};
    assert_int_equal(ask_as(stage, "PUT", "/api/v1/files/a.bin", SCOPE_OPERATE, &sink), 1);
    assert_true(sink.write(sink.ctx, text, strlen(text)));
    sink.close(sink.ctx, whole);
    return sink;
}

static void read_all(struct stage *stage, const char *name, char out[2000])
{
    struct body_source source;
    struct file_info info;
    struct reason why = {""};
    size_t at = 0;
    ptrdiff_t got;
    if (!files_source(stage->files, name, &source, &info, &why))
        fail_msg("%s", why.text);
    assert_int_equal(source.length, info.size);
    assert_false(source.endless);
    while ((got = source.read(source.ctx, out + at, 7)) > 0)
        at += (size_t)got;
    assert_int_equal(got, BODY_END);
    assert_int_equal(at, info.size);
    out[at] = '\0';
    source.close(source.ctx);
}

/* ---- tests ---- */

static void an_upload_becomes_a_file(void **state)
{
    (void)state;
    struct stage stage;
    struct file_info info;
    struct reason why = {""};
    char text[2000];
    set_up(&stage);
    assert_false(is_there(&stage, ".")); /* made when first needed */
    assert_false(files_next(stage.files, NULL, &info));
    struct http_sink sink = upload(&stage, "firmware", true);
    assert_false(is_there(&stage, "fw_1.0-a.bin"));
    assert_true(files_keep(stage.files, sink.number, "fw_1.0-a.bin", &info, &why));
    assert_string_equal(info.name, "fw_1.0-a.bin");
    assert_int_equal(info.size, 8);
    assert_true(info.modified_ms > 0);
    read_all(&stage, "fw_1.0-a.bin", text);
    assert_string_equal(text, "firmware");
    assert_false(files_keep(stage.files, sink.number, "again", &info, &why));
    sink = upload(&stage, "newer", true); /* replaces */
    assert_true(files_keep(stage.files, sink.number, "fw_1.0-a.bin", NULL, &why));
    read_all(&stage, "fw_1.0-a.bin", text);
    assert_string_equal(text, "newer");
    assert_true(files_next(stage.files, NULL, &info));
    assert_false(files_next(stage.files, info.name, &info));
    assert_true(files_remove(stage.files, "fw_1.0-a.bin", &why));
    assert_false(files_remove(stage.files, "fw_1.0-a.bin", &why));
    tear_down(&stage);
}

static void what_is_not_kept_is_gone(void **state)
{
    (void)state;
    struct stage stage;
    struct reason why = {""};
    set_up(&stage);
    struct http_sink cut = upload(&stage, "part", false);
    assert_false(is_there(&stage, ".1.part"));
    assert_false(files_keep(stage.files, cut.number, "x", NULL, &why));
    assert_string_equal(why.text, "there is no such upload");
    struct http_sink unwanted = upload(&stage, "text", true);
    assert_true(is_there(&stage, ".2.part"));
    files_discard(stage.files, unwanted.number);
    files_discard(stage.files, unwanted.number); /* twice: nothing */
    assert_false(is_there(&stage, ".2.part"));
    upload(&stage, "text", true); /* forgotten: goes with the server */
    files_close(stage.files);
    assert_false(is_there(&stage, ".3.part"));
    put_file(&stage, ".9.part", "left by a crash");
    put_file(&stage, "kept.part", "a file of that name");
    open_files(&stage);
    assert_false(is_there(&stage, ".9.part"));
    assert_true(is_there(&stage, "kept.part"));
    tear_down(&stage);
}

static void limits(void **state)
{
    (void)state;
    struct stage stage;
    struct http_sink sink, second;
    char block[1000];
    memset(block, 'x', sizeof(block));
    set_up(&stage);
    assert_int_equal(ask_as(&stage, "PUT", "/api/v1/files/a", SCOPE_OPERATE, &sink), 1);
    assert_int_equal(sink.max, 1000);
    sink.close(sink.ctx, false);
    put_file(&stage, "old", "");
    assert_int_equal(truncate(path_of(&stage, "old"), 4400), 0);
    assert_int_equal(ask_as(&stage, "PUT", "/api/v1/files/a", SCOPE_OPERATE, &sink), 1);
    assert_int_equal(sink.max, 600); /* of 5000 in all */
    assert_int_equal(ask_as(&stage, "PUT", "/api/v1/files/b", SCOPE_OPERATE, &second), 1);
    assert_true(sink.write(sink.ctx, block, 400));
    assert_false(second.write(second.ctx, block, 400)); /* two at once do not get past it */
    sink.close(sink.ctx, false);
    second.close(second.ctx, false);
    assert_int_equal(truncate(path_of(&stage, "old"), 5000), 0);
    assert_int_equal(ask_as(&stage, "PUT", "/api/v1/files/a", SCOPE_OPERATE, &sink), 413);
    tear_down(&stage);
}

static void who_may_upload(void **state)
{
    (void)state;
    struct stage stage;
    struct http_sink sink;
    set_up(&stage);
    assert_int_equal(ask_as(&stage, "PUT", "/api/v1/files/a", SCOPE_NONE, &sink), 401);
    assert_int_equal(ask_as(&stage, "PUT", "/api/v1/files/a", SCOPE_READ, &sink), 403);
    assert_int_equal(ask_as(&stage, "POST", "/api/v1/files/a", SCOPE_ADMIN, &sink), 0);
    assert_int_equal(ask_as(&stage, "PUT", "/api/v1/tags/a", SCOPE_ADMIN, &sink), 0);
    assert_int_equal(ask_as(&stage, "PUT", "/files/none/a", SCOPE_ADMIN, &sink), 404);
    assert_int_equal(ask_as(&stage, "POST", "/files/", SCOPE_ADMIN, &sink), 404);
    assert_int_equal(ask_as(&stage, "GET", "/files/none/a", SCOPE_ADMIN, &sink), 0);
    assert_false(is_there(&stage, ".1.part"));
    tear_down(&stage);
}

static void names_that_lead_nowhere(void **state)
{
    (void)state;
    static const char *const names[] = {"",     ".",           "..",      ".hidden", "-rf",
                                        "../x", "a/b",         "a%2Fb",   "a b",     "\xc3\xa4",
                                        "a\\b", "/etc/passwd", ".1.part", "a\nb"};
    struct stage stage;
    struct http_sink sink;
    struct body_source source;
    struct strbuf url = {0};
    char path[200], longest[131];
    set_up(&stage);
    struct http_sink whole = upload(&stage, "text", true);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct reason why = {""};
        snprintf(path, sizeof(path), "/api/v1/files/%s", names[i]);
        /* With a slash it is another path, which the routes judge (404, 405): no sink either. */
        int expected = strchr(names[i], '/') ? 0 : 422;
        assert_int_equal(ask_as(&stage, "PUT", path, SCOPE_ADMIN, &sink), expected);
        assert_false(files_keep(stage.files, whole.number, names[i], NULL, &why));
        assert_non_null(strstr(why.text, "a file name is"));
        assert_false(files_source(stage.files, names[i], &source, NULL, &why));
        assert_false(files_remove(stage.files, names[i], &why));
        assert_false(files_link(stage.files, names[i], true, NULL, 1000, &url, &why));
    }
    memset(longest, 'x', sizeof(longest));
    longest[129] = '\0';
    assert_false(files_keep(stage.files, whole.number, longest, NULL, NULL));
    longest[128] = '\0';
    assert_true(files_keep(stage.files, whole.number, longest, NULL, NULL));
    tear_down(&stage);
}

/* Links and folders in the folder are not files. */
static void no_symlink_is_followed(void **state)
{
    (void)state;
    struct stage stage;
    struct body_source source;
    struct file_info info;
    struct reason why;
    set_up(&stage);
    put_file(&stage, "real", "x");
    assert_int_equal(symlink("/etc/passwd", path_of(&stage, "leak")), 0);
    assert_int_equal(mkdir(path_of(&stage, "folder"), 0700), 0);
    assert_int_equal(mkfifo(path_of(&stage, "pipe"), 0600), 0);
    static const char *const names[] = {"leak", "folder", "pipe"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct strbuf url = {0};
        assert_false(files_source(stage.files, names[i], &source, NULL, &why));
        assert_string_equal(why.text, "there is no such file");
        assert_false(files_remove(stage.files, names[i], &why));
        assert_false(files_link(stage.files, names[i], false, NULL, 1000, &url, &why));
    }
    assert_true(files_next(stage.files, NULL, &info));
    assert_string_equal(info.name, "real");
    assert_false(files_next(stage.files, "real", &info));
    struct http_sink sink = upload(&stage, "mine", true); /* replaces the link, not what it names */
    assert_true(files_keep(stage.files, sink.number, "leak", NULL, &why));
    assert_true(files_source(stage.files, "leak", &source, &info, &why));
    assert_int_equal(info.size, 4);
    source.close(source.ctx);
    sink = upload(&stage, "mine", true);
    assert_false(files_keep(stage.files, sink.number, "folder", NULL, &why));
    tear_down(&stage);
}

static void lists_are_in_order(void **state)
{
    (void)state;
    struct stage stage;
    struct file_info info;
    char name[8], last[129] = "";
    int seen = 0;
    set_up(&stage);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "f%03d", (i * 77) % 200);
        put_file(&stage, name, "x");
    }
    while (files_next(stage.files, seen ? last : NULL, &info)) {
        assert_true(strcmp(info.name, last) > 0);
        text_copy(last, sizeof(last), span_of(info.name));
        seen++;
        if (seen == 100)
            files_remove(stage.files, "f150", NULL); /* while it is being listed */
    }
    assert_int_equal(seen, 199);
    tear_down(&stage);
}

static void a_file_that_shrinks(void **state)
{
    (void)state;
    struct stage stage;
    struct body_source source;
    char some[100];
    set_up(&stage);
    put_file(&stage, "f", "0123456789");
    assert_true(files_source(stage.files, "f", &source, NULL, NULL));
    assert_int_equal(source.read(source.ctx, some, 5), 5);
    assert_int_equal(truncate(path_of(&stage, "f"), 3), 0);
    assert_int_equal(source.read(source.ctx, some, 5), BODY_BROKEN);
    source.close(source.ctx);
    tear_down(&stage);
}

/* ---- links ---- */

static void token_of(const char *url, char token[33])
{
    const char *at = strstr(url, "/files/");
    assert_non_null(at);
    text_copy(token, 33, (struct span){at + 7, 32});
}

static void a_link_for_one_transfer(void **state)
{
    (void)state;
    struct stage stage;
    struct strbuf url = {0};
    struct http_sink sink;
    struct reason why = {""};
    char token[33], path[200];
    set_up(&stage);
    assert_true(files_link(stage.files, "diag.zip", true, "CP1", 60000, &url, &why));
    assert_int_equal(strncmp(url.at, "http://host:8080/files/", 23), 0);
    assert_string_equal(url.at + 23 + 32, "/diag.zip");
    token_of(url.at, token);
    const struct file_link *link = files_link_find(stage.files, token);
    assert_non_null(link);
    assert_string_equal(link->name, "diag.zip");
    assert_string_equal(link->cp, "CP1");
    assert_true(link->upload);
    snprintf(path, sizeof(path), "/files/%s/diag.zip/more/log.txt", token);
    assert_int_equal(ask_as(&stage, "POST", path, SCOPE_NONE, &sink), 1);
    sink.close(sink.ctx, false); /* failed: it may try again */
    assert_int_equal(ask_as(&stage, "PUT", path, SCOPE_NONE, &sink), 1);
    sink.close(sink.ctx, true);
    files_link_use(stage.files, token);
    assert_null(files_link_find(stage.files, token));
    assert_int_equal(ask_as(&stage, "PUT", path, SCOPE_NONE, &sink), 404);
    strbuf_clear(&url);
    tear_down(&stage);
}

static void a_link_expires(void **state)
{
    (void)state;
    struct stage stage;
    struct strbuf url = {0};
    char token[33];
    set_up(&stage);
    assert_true(files_link(stage.files, "diag.zip", true, NULL, 60000, &url, NULL));
    token_of(url.at, token);
    clock_advance(59999);
    assert_non_null(files_link_find(stage.files, token));
    clock_advance(1);
    assert_null(files_link_find(stage.files, token));
    strbuf_clear(&url);
    tear_down(&stage);
}

static void links_for_downloads(void **state)
{
    (void)state;
    struct stage stage;
    struct strbuf url = {0};
    struct http_sink sink;
    struct reason why = {""};
    char token[33], path[200];
    set_up(&stage);
    assert_false(files_link(stage.files, "fw.bin", false, NULL, 60000, &url, &why));
    assert_string_equal(why.text, "there is no such file");
    put_file(&stage, "fw.bin", "x");
    assert_false(files_link(stage.files, "fw.bin", false, NULL, 0, &url, &why));
    assert_true(files_link(stage.files, "fw.bin", false, NULL, 60000, &url, &why));
    token_of(url.at, token);
    snprintf(path, sizeof(path), "/files/%s/fw.bin", token);
    assert_int_equal(ask_as(&stage, "PUT", path, SCOPE_NONE, &sink), 404); /* not for uploads */
    token[0] = token[0] == 'a' ? 'b' : 'a';
    assert_null(files_link_find(stage.files, token));
    assert_null(files_link_find(stage.files, ""));
    assert_null(files_link_find(stage.files, "../../../../../../../../../etc/pa"));
    strbuf_clear(&url);
    tear_down(&stage);
}

/* Opened any number of times; used when one of them was read to its end. */
static void a_link_is_used_by_a_whole_download(void **state)
{
    (void)state;
    struct stage stage;
    struct strbuf url = {0};
    struct body_source source;
    struct file_info info;
    char token[33], name[200], text[2000];
    set_up(&stage);
    put_file(&stage, "fw.bin", "firmware");
    assert_true(files_link(stage.files, "fw.bin", false, NULL, 60000, &url, NULL));
    token_of(url.at, token);
    snprintf(name, sizeof(name), "%s/other.bin", token);
    assert_false(files_source(stage.files, name, &source, NULL, NULL));
    snprintf(name, sizeof(name), "%s/fw.bin", token);
    assert_true(files_source(stage.files, name, &source, &info, NULL));
    assert_string_equal(info.name, "fw.bin");
    assert_int_equal(source.read(source.ctx, text, 3), 3);
    source.close(source.ctx); /* the client left */
    assert_non_null(files_link_find(stage.files, token));
    read_all(&stage, name, text);
    assert_string_equal(text, "firmware");
    assert_null(files_link_find(stage.files, token));
    assert_false(files_source(stage.files, name, &source, NULL, NULL));
    read_all(&stage, "fw.bin", text); /* the file itself is still there */
    strbuf_clear(&url);
    tear_down(&stage);
}

static void a_folder_that_cannot_be(void **state)
{
    (void)state;
    struct stage stage;
    struct reason why = {""};
    struct http_sink sink;
    set_up(&stage);
    FILE *file = fopen(stage.dir, "w"); /* a file where the folder should be */
    assert_non_null(file);
    fclose(file);
    assert_int_equal(ask_as(&stage, "PUT", "/api/v1/files/a", SCOPE_ADMIN, &sink), 503);
    assert_null(files_open(&stage.settings, stage.station, &why));
    assert_non_null(strstr(why.text, "files.dir: cannot open"));
    tear_down(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_becomes_a_file),
        cmocka_unit_test(what_is_not_kept_is_gone),
        cmocka_unit_test(limits),
        cmocka_unit_test(who_may_upload),
        cmocka_unit_test(names_that_lead_nowhere),
        cmocka_unit_test(no_symlink_is_followed),
        cmocka_unit_test(lists_are_in_order),
        cmocka_unit_test(a_file_that_shrinks),
        cmocka_unit_test(a_link_for_one_transfer),
        cmocka_unit_test(a_link_expires),
        cmocka_unit_test(links_for_downloads),
        cmocka_unit_test(a_link_is_used_by_a_whole_download),
        cmocka_unit_test(a_folder_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

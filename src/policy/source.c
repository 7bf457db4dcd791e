/* See source.h. POLICY §3.2: everything is read before anything runs.
 *
 * Files that appear, change or vanish while we read make a mix of old and new at worst; the SHA-256
 * of each tells which. Limits on number and size keep a wrong folder from filling the memory. */
#include "policy/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "policy/build.h"
#include "policy/limits.h"

struct reading {
    struct source_set *set;
    struct policy_report *report;
    char *root; /* resolved, without a slash at the end */
    size_t bytes;
};

void source_add(struct source_set *set, const char *name, const char *text, size_t len,
                bool builtin)
{
    set->files = xgrow(set->files, set->count, &set->room, sizeof(*set->files));
    struct source_file *file = &set->files[set->count++];
    *file = (struct source_file){
        .name = xstrdup(name), .text = xstrndup(text, len), .len = len, .builtin = builtin};
    sha256_hex(text, len, file->sha256);
}

void source_set_copy(struct source_set *to, const struct source_set *from)
{
    *to = (struct source_set){0};
    for (size_t i = 0; i < from->count; i++) {
        const struct source_file *file = &from->files[i];
        source_add(to, file->name, file->text, file->len, file->builtin);
    }
}

void source_set_clear(struct source_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        xfree(set->files[i].name);
        xfree(set->files[i].text);
    }
    XFREE(set->files);
    set->count = set->room = 0;
}

static const struct source_file *next_of_operator(const struct source_set *set, size_t *at)
{
    while (*at < set->count) {
        const struct source_file *file = &set->files[(*at)++];
        if (!file->builtin)
            return file;
    }
    return NULL;
}

bool source_set_same(const struct source_set *a, const struct source_set *b)
{
    size_t at_a = 0, at_b = 0;
    for (;;) {
        const struct source_file *x = next_of_operator(a, &at_a), *y = next_of_operator(b, &at_b);
        if (!x || !y)
            return x == y;
        if (strcmp(x->name, y->name) != 0 || strcmp(x->sha256, y->sha256) != 0)
            return false;
    }
}

enum source_kind source_kind_of(const struct source_file *file)
{
    struct span name = span_of(file->name);
    if (file->builtin)
        return span_starts(name, "lua/routes/") || span_is(name, "lua/prelude.lua")
                   ? SOURCE_BUILTIN
                   : SOURCE_BUILTIN_LIB;
    if (span_starts(name, "lib/"))
        return SOURCE_LIB;
    return span_starts(name, "tests/") ? SOURCE_TEST : SOURCE_POLICY;
}

void source_add_builtin(struct source_set *set)
{
    for (const struct embedded_lua *file = embedded_lua; file->name; file++) {
        if (span_starts(span_of(file->name), "meta/"))
            continue; /* for editors: nothing in it runs */
        char *name = xprintf("lua/%s", file->name);
        source_add(set, name, file->text, file->len, true);
        xfree(name);
    }
}

/* ---- the folder ---- */

/* "tests/../../etc/x.lua" cannot happen, but a symlink can point anywhere. */
static bool leaves_folder(const struct reading *reading, const char *path, struct reason *why)
{
    char *real = realpath(path, NULL);
    if (!real) {
        reason_set(why, "cannot be read: %s", strerror(errno));
        return true;
    }
    size_t len = strlen(reading->root);
    bool inside = strncmp(real, reading->root, len) == 0 && (real[len] == '/' || len == 1);
    xfree(real);
    if (!inside)
        reason_set(why, "is a symlink that leaves the policies folder");
    return !inside;
}

/* The whole file, NULL and why. */
static char *read_whole(int fd, size_t *len, struct reason *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        reason_set(why, "is no regular file");
        return NULL;
    }
    struct strbuf text = {.cap = POLICY_FILE_BYTES_MAX};
    char block[16384];
    ssize_t n;
    while ((n = read(fd, block, sizeof(block))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            reason_set(why, "cannot be read: %s", strerror(errno));
            strbuf_clear(&text);
            return NULL;
        }
        strbuf_add(&text, block, (size_t)n);
        if (text.overflow) {
            reason_set(why, "is longer than %d bytes", POLICY_FILE_BYTES_MAX);
            strbuf_clear(&text);
            return NULL;
        }
    }
    return strbuf_take(&text, len);
}

static bool read_file(struct reading *reading, const char *name, const char *path,
                      struct reason *why)
{
    if (strlen(name) > SOURCE_NAME_MAX)
        return reason_set(why, "has a name longer than %d bytes", SOURCE_NAME_MAX);
    if (leaves_folder(reading, path, why))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
    if (fd < 0)
        return reason_set(why, "cannot be read: %s", strerror(errno));
    size_t len = 0;
    char *text = read_whole(fd, &len, why);
    close(fd);
    if (!text)
        return false;
    reading->bytes += len;
    bool fits = reading->set->count < POLICY_FILES_MAX && reading->bytes <= POLICY_BYTES_MAX;
    if (fits)
        source_add(reading->set, name, text, len, false);
    xfree(text);
    return fits || reason_set(why, "is too much: at most %d files and %d bytes in all",
                              POLICY_FILES_MAX, POLICY_BYTES_MAX);
}

static int is_policy_name(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".lua") == 0;
}

static int byte_order(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Number of .lua files seen, -1 if the folder cannot be read (errno). */
static int read_folder(struct reading *reading, const char *under)
{
    struct dirent **entries;
    char *folder = xprintf("%s/%s", reading->root, under);
    int count = scandir(folder, &entries, is_policy_name, byte_order);
    int saved_errno = errno;
    for (int i = 0; i < count; i++) {
        char *name = xprintf("%s%s", under, entries[i]->d_name);
        char *path = xprintf("%s/%s", reading->root, name);
        struct reason why;
        if (!read_file(reading, name, path, &why))
            finding_add(reading->report, name, 0, "%s", why.text);
        xfree(path);
        xfree(name);
        xfree(entries[i]);
    }
    if (count >= 0)
        xfree(entries);
    xfree(folder);
    errno = saved_errno;
    return count;
}

void source_read(struct source_set *set, const char *dir, struct policy_report *report)
{
    char *root = realpath(dir, NULL);
    if (!root) {
        finding_add(report, dir, 0, "cannot be read: %s", strerror(errno));
        return;
    }
    struct reading reading = {.set = set, .report = report, .root = root};
    int count = read_folder(&reading, "");
    if (count < 0)
        finding_add(report, dir, 0, "cannot be read: %s", strerror(errno));
    else if (count == 0)
        finding_add(report, dir, 0, "has no policy: no file *.lua in it");
    static const char *const below[] = {"lib/", "tests/"};
    for (size_t i = 0; i < ARRAY_LEN(below); i++) {
        if (read_folder(&reading, below[i]) < 0 && errno != ENOENT)
            finding_add(report, below[i], 0, "cannot be read: %s", strerror(errno));
    }
    xfree(root);
}

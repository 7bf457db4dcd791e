/* See files.h. The folder is only ever reached through its descriptor and plain names, and no
 * symbolic link in it is followed, so no name can lead outside.
 *
 * Writing and reading go through the page cache on the loop thread. So that the fsync() at the end
 * of a large upload does not hold everybody up, the kernel is asked to write along the way. */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/digest.h"

#define LINK_KEY "chargebridge/link/" /* and the token: the row of a link */

static const char name_rule[] = "a file name is 1 to 128 of A-Z a-z 0-9 . _ - and begins with a "
                                "letter, a digit or _";

enum { WRITE_ALONG = 4 << 20 };

struct upload {
    struct files *files;
    uint64_t number;
    int fd;
    char part[32];
    int64_t size, asked_to_write;
};

struct files {
    char *dir, *public_url;
    int64_t max_size, max_total;
    struct station *station;
    int fd; /* of the folder; -1: not there yet */
    struct idmap uploads;
    uint64_t next_number;
    int64_t used; /* of max_total; counted anew when an upload begins */
    char **names; /* sorted, as of `listed` */
    size_t name_count, name_room;
    struct timespec listed;
    struct file_link link; /* for files_link_find() */
    struct strbuf refusal;
};

/* ---- names and the folder ---- */

static bool is_name(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);
    return len >= 1 && len <= 128 && name[0] != '.' && name[0] != '-' &&
           strspn(name, allowed) == len;
}

static bool is_part(const char *name)
{
    size_t len = strlen(name);
    return name[0] == '.' && len > 5 && text_is(name + len - 5, ".part");
}

static bool dir_open(struct files *files, bool create, struct reason *why)
{
    if (files->fd >= 0)
        return true;
    if (create && mkdir(files->dir, 0750) != 0 && errno != EEXIST)
        return reason_set(why, "files.dir: cannot make \"%s\": %s", files->dir, strerror(errno));
    files->fd = open(files->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files->fd >= 0 || (errno == ENOENT && !create))
        return files->fd >= 0;
    return reason_set(why, "files.dir: cannot open \"%s\": %s", files->dir, strerror(errno));
}

/* The regular files of the folder, one after the other; links and folders are none. */
static void each_file(struct files *files,
                      void (*fn)(struct files *files, const char *name, const struct stat *info))
{
    int fd = files->fd < 0 ? -1 : openat(files->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    struct dirent *entry;
    struct stat info;
    while ((entry = readdir(dir)))
        if (fstatat(files->fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode))
            fn(files, entry->d_name, &info);
    closedir(dir);
}

static void remove_part(struct files *files, const char *name, const struct stat *info)
{
    (void)info;
    if (is_part(name))
        unlinkat(files->fd, name, 0);
}

static void add_size(struct files *files, const char *name, const struct stat *info)
{
    (void)name;
    files->used += info->st_size;
}

struct files *files_open(const struct files_settings *settings, struct station *station,
                         struct reason *why)
{
    struct files *files = xcalloc(1, sizeof(*files));
    *files = (struct files){.dir = xstrdup(settings->dir),
                            .public_url = xstrdup(settings->public_url),
                            .max_size = settings->max_size,
                            .max_total = settings->max_total,
                            .station = station,
                            .fd = -1};
    size_t len = strlen(files->public_url);
    while (len && files->public_url[len - 1] == '/')
        files->public_url[--len] = '\0';
    if (!dir_open(files, false, why) && errno != ENOENT) {
        files_close(files);
        return NULL;
    }
    each_file(files, remove_part);
    return files;
}

static void forget_names(struct files *files)
{
    while (files->name_count)
        xfree(files->names[--files->name_count]);
}

/* ---- uploads ---- */

static void upload_end(struct upload *upload)
{
    struct files *files = upload->files;
    if (upload->fd >= 0)
        close(upload->fd);
    unlinkat(files->fd, upload->part, 0);
    idmap_remove(&files->uploads, upload->number);
    xfree(upload);
}

void files_close(struct files *files)
{
    struct upload *upload;
    size_t at = 0;
    if (!files)
        return;
    while ((upload = idmap_next(&files->uploads, &at))) {
        upload_end(upload);
        at = 0;
    }
    if (files->fd >= 0)
        close(files->fd);
    forget_names(files);
    xfree((void *)files->names);
    idmap_clear(&files->uploads);
    strbuf_clear(&files->refusal);
    xfree(files->dir);
    xfree(files->public_url);
    xfree(files);
}

static bool sink_write(void *ctx, const char *data, size_t len)
{
    struct upload *upload = ctx;
    struct files *files = upload->files;
    files->used += (int64_t)len;
    if (files->used > files->max_total)
        return false;
    upload->size += (int64_t)len;
    while (len) {
        ssize_t wrote = write(upload->fd, data, len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        data += wrote;
        len -= (size_t)wrote;
    }
    if (upload->size - upload->asked_to_write >= WRITE_ALONG) {
        sync_file_range(upload->fd, upload->asked_to_write, 0, SYNC_FILE_RANGE_WRITE);
        upload->asked_to_write = upload->size;
    }
    return true;
}

static void sink_close(void *ctx, bool whole)
{
    if (!whole)
        upload_end(ctx);
}

static bool refuse(struct files *files, struct response *refusal, int status, const char *detail)
{
    static const struct name_value bearer = {"WWW-Authenticate", "Bearer"};
    strbuf_reset(&files->refusal);
    http_problem(&files->refusal, status, detail, NULL);
    *refusal = (struct response){.status = status,
                                 .content_type = "application/problem+json",
                                 .body = {files->refusal.at, files->refusal.len},
                                 .headers = &bearer,
                                 .header_count = status == 401};
    return false;
}

static bool upload_begin(struct files *files, struct http_sink *sink, struct response *refusal)
{
    struct reason why;
    if (!dir_open(files, true, &why))
        return refuse(files, refusal, 503, "the folder of files cannot be opened");
    files->used = 0;
    each_file(files, add_size);
    int64_t left = files->max_total - files->used;
    if (left <= 0)
        return refuse(files, refusal, 413, "there is no room for another file");
    struct upload *upload = xcalloc(1, sizeof(*upload));
    *upload = (struct upload){.files = files, .number = ++files->next_number};
    snprintf(upload->part, sizeof(upload->part), ".%" PRIu64 ".part", upload->number);
    upload->fd = openat(files->fd, upload->part,
                        O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (upload->fd < 0) {
        xfree(upload);
        return refuse(files, refusal, 503, "the folder of files cannot be written to");
    }
    idmap_put(&files->uploads, upload->number, upload);
    *sink = (struct http_sink){.write = sink_write,
                               .close = sink_close,
                               .ctx = upload,
                               .max = left < files->max_size ? left : files->max_size,
                               .number = upload->number};
    return true;
}

bool files_upload(void *ctx, const struct request *head, struct http_sink *sink,
                  struct response *refusal)
{
    static const char api[] = "/api/v1/files/", public[] = "/files/";
    struct files *files = ctx;
    struct span path = span_of(head->path), token;
    bool put = text_is(head->method, "PUT");
    if (put && span_starts(path, api) && !strchr(path.at + strlen(api), '/')) {
        if (head->scope == SCOPE_NONE)
            return refuse(files, refusal, 401, "an API key is needed");
        if (head->scope < SCOPE_OPERATE)
            return refuse(files, refusal, 403, "the API key has not the scope operate");
        if (!is_name(path.at + strlen(api)))
            return refuse(files, refusal, 422, name_rule);
        return upload_begin(files, sink, refusal);
    }
    if ((!put && !text_is(head->method, "POST")) || !span_starts(path, public))
        return false;
    char text[40];
    path.at += strlen(public);
    path.len -= strlen(public);
    span_cut(&path, '/', &token);
    text_copy(text, sizeof(text), token);
    const struct file_link *link = files_link_find(files, text);
    if (!link || !link->upload)
        return refuse(files, refusal, 404, "there is no such link");
    return upload_begin(files, sink, refusal);
}

/* ---- what is there ---- */

static void file_info_set(struct file_info *out, const char *name, const struct stat *info)
{
    text_copy(out->name, sizeof(out->name), span_of(name));
    out->size = info->st_size;
    out->modified_ms = (int64_t)info->st_mtim.tv_sec * 1000 + info->st_mtim.tv_nsec / 1000000;
}

static void add_name(struct files *files, const char *name, const struct stat *info)
{
    (void)info;
    if (!is_name(name))
        return;
    files->names =
        xgrow((void *)files->names, files->name_count, &files->name_room, sizeof(*files->names));
    files->names[files->name_count++] = xstrdup(name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Every list begins with a fresh look; its next pages look again when the folder has changed. */
static void list(struct files *files, bool fresh)
{
    struct stat info;
    if (!dir_open(files, false, NULL) || fstat(files->fd, &info) != 0)
        return;
    if (!fresh && info.st_mtim.tv_sec == files->listed.tv_sec &&
        info.st_mtim.tv_nsec == files->listed.tv_nsec)
        return;
    forget_names(files);
    each_file(files, add_name);
    files->listed = info.st_mtim;
    if (files->name_count)
        qsort((void *)files->names, files->name_count, sizeof(*files->names), by_name);
}

bool files_next(struct files *files, const char *after, struct file_info *out)
{
    struct stat info;
    size_t low = 0, high;
    list(files, after == NULL);
    for (high = files->name_count; after && low < high;) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(files->names[middle], after) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < files->name_count; low++) {
        if (fstatat(files->fd, files->names[low], &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode)) {
            file_info_set(out, files->names[low], &info);
            return true;
        }
    }
    return false;
}

bool files_keep(struct files *files, uint64_t number, const char *name, struct file_info *out,
                struct reason *why)
{
    struct upload *upload = idmap_get(&files->uploads, number);
    struct stat info;
    if (!upload)
        return reason_set(why, "there is no such upload");
    if (!is_name(name))
        return reason_set(why, "%s", name_rule);
    if (fsync(upload->fd) != 0 || fstat(upload->fd, &info) != 0 ||
        renameat(files->fd, upload->part, files->fd, name) != 0 || fsync(files->fd) != 0)
        return reason_set(why, "the file \"%s\" cannot be kept: %s", name, strerror(errno));
    if (out)
        file_info_set(out, name, &info);
    upload_end(upload); /* the part has another name by now */
    return true;
}

void files_discard(struct files *files, uint64_t number)
{
    struct upload *upload = idmap_get(&files->uploads, number);
    if (upload)
        upload_end(upload);
}

bool files_remove(struct files *files, const char *name, struct reason *why)
{
    struct stat info;
    if (!is_name(name) || !dir_open(files, false, NULL) ||
        fstatat(files->fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode))
        return reason_set(why, "there is no such file");
    if (unlinkat(files->fd, name, 0) != 0)
        return reason_set(why, "the file \"%s\" cannot be removed: %s", name, strerror(errno));
    return true;
}

/* ---- reading ---- */

struct reading {
    struct files *files;
    char token[33]; /* of the link that it came by; "" for none */
    int fd;
    int64_t at, size;
};

static ptrdiff_t reading_read(void *ctx, char *to, size_t room)
{
    struct reading *reading = ctx;
    int64_t left = reading->size - reading->at;
    if (left == 0)
        return BODY_END;
    ssize_t got;
    do
        got = pread(reading->fd, to, (int64_t)room < left ? room : (size_t)left, reading->at);
    while (got < 0 && errno == EINTR);
    if (got <= 0) /* it became shorter, or the disk fails */
        return BODY_BROKEN;
    reading->at += got;
    return got;
}

static void reading_close(void *ctx)
{
    struct reading *reading = ctx;
    if (reading->size && reading->at == reading->size)
        files_link_use(reading->files, reading->token);
    close(reading->fd);
    xfree(reading);
}

static void reading_started(void *ctx, const struct body_waker *waker)
{
    (void)ctx, (void)waker; /* it always has something to give */
}

/* Cuts a token off `name`. False: there is one, and it is none of a link to that file. */
static bool cut_token(struct files *files, const char **name, char token[33])
{
    const char *slash = strchr(*name, '/');
    token[0] = '\0';
    if (!slash || slash != *name + 32)
        return true;
    text_copy(token, 33, (struct span){*name, 32});
    *name = slash + 1;
    const struct file_link *link = files_link_find(files, token);
    return link && !link->upload && text_is(link->name, *name);
}

bool files_source(struct files *files, const char *name, struct body_source *out,
                  struct file_info *info, struct reason *why)
{
    struct stat found;
    char token[33];
    int fd = -1;
    if (cut_token(files, &name, token) && is_name(name) && dir_open(files, false, NULL))
        fd = openat(files->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) {
        if (fd >= 0)
            close(fd);
        return reason_set(why, "there is no such file");
    }
    struct reading *reading = xcalloc(1, sizeof(*reading));
    *reading = (struct reading){.files = files, .fd = fd, .size = found.st_size};
    text_copy(reading->token, sizeof(reading->token), span_of(token));
    if (info)
        file_info_set(info, name, &found);
    *out = (struct body_source){.started = reading_started,
                                .read = reading_read,
                                .close = reading_close,
                                .ctx = reading,
                                .length = found.st_size};
    return true;
}

/* ---- links ---- */

static void link_key(const char *token, char out[64])
{
    snprintf(out, 64, LINK_KEY "%s", token);
}

static bool exists(struct files *files, const char *name)
{
    struct stat info;
    return dir_open(files, false, NULL) &&
           fstatat(files->fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode);
}

bool files_link(struct files *files, const char *name, bool upload, const char *cp,
                int64_t valid_ms, struct strbuf *url, struct reason *why)
{
    unsigned char bits[16];
    char token[33], key[64];
    if (!is_name(name))
        return reason_set(why, "%s", name_rule);
    if (!upload && !exists(files, name))
        return reason_set(why, "there is no such file");
    if (valid_ms <= 0)
        return reason_set(why, "a link must be valid for some time");
    random_bytes(bits, sizeof(bits));
    hex_encode(bits, sizeof(bits), token);
    link_key(token, key);
    struct strbuf row = {0};
    struct json_out out = {.to = &row};
    json_open(&out, '{');
    json_key(&out, "name");
    json_put_string(&out, name);
    json_key(&out, "upload");
    json_put_bool(&out, upload);
    json_key(&out, "cpid");
    json_put_string(&out, cp ? cp : "");
    json_key(&out, "expiresMs");
    json_put_int(&out, wall_now() + valid_ms);
    json_close(&out, '}');
    bool ok = station_kv_set(files->station, key, row.at, valid_ms, why);
    strbuf_clear(&row);
    if (ok)
        strbuf_addf(url, "%s/files/%s/%s", files->public_url, token, name);
    return ok;
}

const struct file_link *files_link_find(struct files *files, const char *token)
{
    char key[64];
    struct file_link *link = &files->link;
    if (strlen(token) != 32 || strspn(token, "0123456789abcdef") != 32)
        return NULL;
    link_key(token, key);
    const char *row = station_kv_get(files->station, key);
    struct arena arena = {0};
    const struct json *json = row ? json_parse(&arena, row, strlen(row), NULL, NULL) : NULL;
    const char *name = json_gets(json, "name"), *cp = json_gets(json, "cpid");
    bool ok = name && is_name(name) && json_int(json_get(json, "expiresMs"), &link->expires_ms) &&
              link->expires_ms > wall_now();
    if (ok) {
        text_copy(link->token, sizeof(link->token), span_of(token));
        text_copy(link->name, sizeof(link->name), span_of(name));
        text_copy(link->cp, sizeof(link->cp), cp ? span_of(cp) : SPAN(""));
        link->upload = json_bool(json_get(json, "upload"), false);
    }
    arena_clear(&arena);
    return ok ? link : NULL;
}

void files_link_use(struct files *files, const char *token)
{
    char key[64];
    if (strlen(token) != 32)
        return;
    link_key(token, key);
    station_kv_set(files->station, key, NULL, 0, NULL);
}

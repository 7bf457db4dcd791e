/* See cli_file.h. A file is replaced by renaming a complete one over it, through a symbolic link to
 * what it names; what is no plain file (a pipe, a terminal, a device) is written to as it is. */
#include "cli_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

const char *cli_file_title(const char *name, const char *dash)
{
    return text_is(name, "-") ? dash : name;
}

static bool file_refused(const char *name, int error)
{
    fprintf(stderr, "chargebridge: %s: %s\n", name, strerror(error));
    return false;
}

/* ---- in ---- */

/* 0, or the error. */
static int read_all(int fd, size_t most, struct strbuf *out)
{
    char part[16384];
    ssize_t got;
    while ((got = read(fd, part, sizeof(part))) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (out->len + (size_t)got > most)
            return EFBIG;
        strbuf_add(out, part, (size_t)got);
    }
    return 0;
}

bool cli_file_read(const char *name, size_t most, struct strbuf *out)
{
    bool standard = text_is(name, "-");
    int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 ? errno : read_all(fd, most, out);
    if (fd >= 0 && !standard)
        close(fd);
    return error == 0 || file_refused(cli_file_title(name, "standard input"), error);
}

/* ---- out ---- */

static int write_all(int fd, const struct strbuf *text)
{
    size_t at = 0;
    while (at < text->len) {
        ssize_t wrote = write(fd, text->at + at, text->len - at);
        if (wrote < 0 && errno != EINTR)
            return errno;
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

/* Into `part`, which becomes `name` once all of it is on disk. */
static int replace(const char *name, const char *part, const struct strbuf *text)
{
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return errno;
    int error = write_all(fd, text);
    if (!error && fsync(fd) != 0)
        error = errno;
    if (close(fd) != 0 && !error)
        error = errno;
    if (!error && rename(part, name) != 0)
        error = errno;
    if (error)
        unlink(part);
    return error;
}

static int write_into(const char *name, const struct strbuf *text)
{
    int fd = open(name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = write_all(fd, text);
    return close(fd) != 0 && !error ? errno : error;
}

bool cli_file_write(const char *name, const struct strbuf *text)
{
    struct stat info;
    int error;
    if (text_is(name, "-")) {
        error = write_all(STDOUT_FILENO, text);
    } else if (stat(name, &info) == 0 && !S_ISREG(info.st_mode)) {
        error = write_into(name, text);
    } else {
        char *target = realpath(name, NULL); /* NULL: a new one */
        char *part = xprintf("%s.%ld.part", target ? target : name, (long)getpid());
        error = replace(target ? target : name, part, text);
        xfree(part);
        xfree(target);
    }
    return error == 0 || file_refused(cli_file_title(name, "standard output"), error);
}

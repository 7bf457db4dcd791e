/* Files that chargers fetch and leave: firmware down, diagnostics and logs up, by one-time links.
 *
 * A flat folder (`files.dir`) of plain files; what is being received is in its `.part` files, which
 * a start removes. Bodies are streamed: http asks files_upload() with the head of a request where
 * its body goes, and pulls downloads from a body_source. Names are 1 to 128 of A-Z a-z 0-9 . _ -
 * and begin with none of `.` and `-`. A link is /files/{token}/{name} below `files.public_url`,
 * where the token is its only proof: 128 random bits, for one finished transfer, until it expires;
 * links survive restarts (a kv row each). A charger may add path segments and try again until one
 * transfer was whole. Everything else (who may, listing, answers) is Lua in lua/routes/files.lua.
 * Loop thread only. */
#ifndef FILES_H
#define FILES_H

#include "base/request.h"
#include "http/http.h"
#include "station/station.h"

struct files;

struct files_settings {
    const char *dir;        /* created when first needed */
    const char *public_url; /* "http://host:8080" as chargers reach the REST address */
    int64_t max_size;       /* 256 MiB: one file */
    int64_t max_total;      /* 4 GiB: all of them */
};

/* `station` keeps the links (station_kv_set). */
struct files *files_open(const struct files_settings *settings, struct station *station,
                         struct reason *why);
void files_close(struct files *files);

/* The http_upload_hook: takes PUT /api/v1/files/{name} with scope operate, and PUT or POST
 * /files/{token}/… with a link for uploads. */
bool files_upload(void *files, const struct request *head, struct http_sink *sink,
                  struct response *refusal);

struct file_info {
    char name[129];
    int64_t size;
    wall_t modified_ms;
};
/* In order of the names; `after` NULL or the last one seen. False: no more. */
bool files_next(struct files *files, const char *after, struct file_info *out);
/* The received body `upload` becomes `name`, replacing what was there. */
bool files_keep(struct files *files, uint64_t upload, const char *name, struct file_info *out,
                struct reason *why);
void files_discard(struct files *files, uint64_t upload);
bool files_remove(struct files *files, const char *name, struct reason *why);
/* False: there is no such file. `info` may be NULL. `name` may also be "{token}/{name}" of a link
 * for downloads: once all of the body has been read, the link is used. */
bool files_source(struct files *files, const char *name, struct body_source *out,
                  struct file_info *info, struct reason *why);

struct file_link {
    char token[33];
    char name[129]; /* of the file; for uploads what it will be called */
    bool upload;
    char cp[256]; /* for whom, "" if for nobody in particular */
    wall_t expires_ms;
};
/* Makes one; `url` gets the whole address. */
bool files_link(struct files *files, const char *name, bool upload, const char *cp,
                int64_t valid_ms, struct strbuf *url, struct reason *why);
/* NULL: none, used or expired. Borrowed until the next call here. */
const struct file_link *files_link_find(struct files *files, const char *token);
/* Its transfer is over. */
void files_link_use(struct files *files, const char *token);

#endif

/* Where the bodies of REST requests go: files to disk, a few routes into more memory than
 * rest.max_body, for keys that may use them; all others as http has it. */
#ifndef BODIES_H
#define BODIES_H

#include "files.h"

struct bodies {
    struct files *files;
    int64_t max_body; /* rest.max_body */
    struct strbuf refusal;
};

/* The http_upload_hook; `bodies` is a struct bodies *. */
bool bodies_begin(void *bodies, const struct request *head, struct http_sink *sink,
                  struct response *refusal);
void bodies_clear(struct bodies *bodies);

#endif

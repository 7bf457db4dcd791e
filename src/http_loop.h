/* Runs a REST daemon inside the event loop: watches its descriptor, its timeout, its wish to run.
 *
 * http/ and net/ do not know each other; this is the one place that joins them (LIBRARIES.md §6:
 * run again after every resume, re-arm the timeout after every run). Loop thread only. */
#ifndef HTTP_LOOP_H
#define HTTP_LOOP_H

#include "http/http.h"
#include "net/loop.h"

struct http_loop;

/* Both stay the caller's; detach before closing either. */
struct http_loop *http_loop_attach(struct loop *loop, struct http *http);
void http_loop_detach(struct http_loop *attached);

#endif

/* What checking an allow-list needs: its faults, and where in the source its keys stand.
 * Private to api_tags*.c. */
#ifndef POLICY_API_TAGS_H
#define POLICY_API_TAGS_H

#include "policy/api_parts.h"

struct tag_key {
    char *text; /* as written */
    int line;
};

struct checking {
    lua_State *L;
    struct policy_report *report; /* NULL: only the first fault is kept, in `first` */
    struct api_place place;       /* of the call */
    struct tag_key *keys;         /* in order of the source; none if it could not be read */
    size_t key_count, key_room;
    size_t faults;
    struct reason first;
};

/* Finds the keys of the list in the source of the calling file. */
void tags_scan(struct checking *c);
void tags_scan_clear(struct checking *c);
/* `tag` as written, or NULL: tells its line. */
void tags_fault(struct checking *c, const char *tag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Of several spellings of a tag, the one that stands last in the source; `upper` if none does. */
const char *tags_later(const struct checking *c, const char *upper);
/* The same key written twice: Lua keeps one entry only, so the table does not show it. */
void tags_check_repeats(struct checking *c);

#endif

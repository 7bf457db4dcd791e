/* Hash maps from text (with or without case) and from 64-bit integers to pointers.
 *
 * Values are borrowed: the map owns its copies of the keys and nothing else. Hashing is seeded at
 * start from the kernel, so names chosen by an attacker cost no more than others. Iteration order
 * is that of insertion as long as nothing was removed; removing while iterating is allowed for the
 * current entry only. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/strbuf.h"

struct map_entry {
    char *key; /* NUL-terminated; the spelling of the first map_put */
    size_t key_len;
    void *value;
    uint64_t hash;
};

struct map {
    bool ignore_case;
    struct map_entry *entries; /* dense, in order of insertion; removed ones have key NULL */
    uint32_t *index;
    size_t count, used, room;
};

/* A zeroed struct map is ready to use; set ignore_case before the first map_put. */
void map_clear(struct map *m); /* frees keys, not values */
/* Returns the value that was there before, or NULL. */
void *map_put(struct map *m, struct span key, void *value);
void *map_get(const struct map *m, struct span key);
void *map_gets(const struct map *m, const char *key);
void *map_remove(struct map *m, struct span key);
/* `size_t at = 0; while ((e = map_next(&m, &at))) …` */
const struct map_entry *map_next(const struct map *m, size_t *at);

struct idmap_entry {
    uint64_t key;
    void *value; /* NULL = free */
};

struct idmap {
    struct idmap_entry *entries;
    size_t count, room;
};

void idmap_clear(struct idmap *m);
void *idmap_put(struct idmap *m, uint64_t key, void *value); /* value is not NULL */
void *idmap_get(const struct idmap *m, uint64_t key);
void *idmap_remove(struct idmap *m, uint64_t key);
/* In no particular order; the map must not change meanwhile. */
void *idmap_next(const struct idmap *m, size_t *at);

#endif

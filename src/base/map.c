/* Hash maps: open addressing over an index of dense entries, and a flat table for integers.
 *
 * struct map: `index` has 2·room slots; a slot holds the number of an entry plus one, 0 is free. A
 * removed entry stays in place with key NULL, and its slot keeps searches going, until map_put runs
 * out of room and builds the table anew: so removing never moves what an iteration has yet to see.
 * Text is hashed with SipHash-1-3 under a key from the kernel. */
#include "base/map.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"

enum { FIRST_ROOM = 8 };

static uint64_t seed[2];
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void draw_seed(void)
{
    random_bytes(seed, sizeof seed);
}

/* The eight bytes of `word` in lower case, ASCII only. */
static uint64_t lower_word(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101U;
    uint64_t low7 = word & (0x7F * ones);
    uint64_t above_z = low7 + (0x7F - 'Z') * ones;
    uint64_t from_a = low7 + (0x80 - 'A') * ones;
    uint64_t upper = (from_a ^ above_z) & ~word & (0x80 * ones);
    return word | upper >> 2;
}

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word, bool ignore_case)
{
    if (ignore_case)
        word = lower_word(word);
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

static uint64_t hash_text(struct span key, bool ignore_case)
{
    pthread_once(&seeded, draw_seed);
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575U, seed[1] ^ 0x646f72616e646f6dU,
                     seed[0] ^ 0x6c7967656e657261U, seed[1] ^ 0x7465646279746573U};
    size_t left = key.len;
    for (const char *at = key.at; left >= 8; at += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        sip_word(v, le64toh(word), ignore_case);
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < left; i++)
        tail |= (uint64_t)(unsigned char)key.at[key.len - left + i] << (8 * i);
    if (ignore_case)
        tail = lower_word(tail);
    sip_word(v, tail | (uint64_t)key.len << 56, false);
    v[2] ^= 0xFF;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static bool same_key(const struct map *m, const struct map_entry *entry, struct span key)
{
    if (entry->key_len != key.len)
        return false;
    if (key.len == 0)
        return true; /* an absent key is the empty one */
    return m->ignore_case ? span_is_ci(key, entry->key) : memcmp(entry->key, key.at, key.len) == 0;
}

/* The entry with this key; NULL when there is none. */
static struct map_entry *find(const struct map *m, struct span key, uint64_t hash)
{
    if (m->room == 0)
        return NULL;
    size_t mask = 2 * m->room - 1;
    for (size_t slot = hash & mask; m->index[slot] != 0; slot = (slot + 1) & mask) {
        struct map_entry *entry = &m->entries[m->index[slot] - 1];
        if (entry->key && entry->hash == hash && same_key(m, entry, key))
            return entry;
    }
    return NULL;
}

static void index_entry(struct map *m, size_t number)
{
    size_t mask = 2 * m->room - 1;
    size_t slot = m->entries[number].hash & mask;
    while (m->index[slot] != 0)
        slot = (slot + 1) & mask;
    m->index[slot] = (uint32_t)(number + 1);
}

/* Builds the table anew without removed entries, with a quarter of its room free or more. */
static void rebuild(struct map *m)
{
    size_t room = FIRST_ROOM;
    while (m->count * 4 > room * 3)
        room *= 2;
    struct map_entry *entries = xcalloc(room, sizeof *entries);
    size_t used = 0;
    for (size_t i = 0; i < m->used; i++) {
        if (m->entries[i].key)
            entries[used++] = m->entries[i];
    }
    xfree(m->entries);
    xfree(m->index);
    m->entries = entries;
    m->used = used;
    m->room = room;
    m->index = xcalloc(2 * room, sizeof *m->index);
    for (size_t i = 0; i < used; i++)
        index_entry(m, i);
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->used; i++)
        xfree(m->entries[i].key);
    XFREE(m->entries);
    XFREE(m->index);
    m->count = 0;
    m->used = 0;
    m->room = 0;
}

void *map_put(struct map *m, struct span key, void *value)
{
    uint64_t hash = hash_text(key, m->ignore_case);
    struct map_entry *entry = find(m, key, hash);
    if (entry) {
        void *before = entry->value;
        entry->value = value;
        return before;
    }
    if (m->used == m->room)
        rebuild(m);
    m->entries[m->used] = (struct map_entry){xstrndup(key.at, key.len), key.len, value, hash};
    index_entry(m, m->used);
    m->used++;
    m->count++;
    return NULL;
}

void *map_get(const struct map *m, struct span key)
{
    if (m->count == 0)
        return NULL;
    const struct map_entry *entry = find(m, key, hash_text(key, m->ignore_case));
    return entry ? entry->value : NULL;
}

void *map_gets(const struct map *m, const char *key)
{
    return key ? map_get(m, span_of(key)) : NULL;
}

void *map_remove(struct map *m, struct span key)
{
    if (m->count == 0)
        return NULL;
    struct map_entry *entry = find(m, key, hash_text(key, m->ignore_case));
    if (!entry)
        return NULL;
    void *value = entry->value;
    XFREE(entry->key);
    entry->value = NULL;
    m->count--;
    return value;
}

const struct map_entry *map_next(const struct map *m, size_t *at)
{
    while (*at < m->used) {
        const struct map_entry *entry = &m->entries[(*at)++];
        if (entry->key)
            return entry;
    }
    return NULL;
}

static uint64_t hash_id(uint64_t key)
{
    pthread_once(&seeded, draw_seed);
    key ^= seed[0];
    key = (key ^ key >> 33) * 0xff51afd7ed558ccdU;
    key = (key ^ key >> 33) * 0xc4ceb9fe1a85ec53U;
    return key ^ key >> 33;
}

/* The slot that holds the key, or the free one where it would go. */
static size_t id_slot(const struct idmap *m, uint64_t key)
{
    size_t mask = m->room - 1;
    size_t slot = hash_id(key) & mask;
    while (m->entries[slot].value && m->entries[slot].key != key)
        slot = (slot + 1) & mask;
    return slot;
}

static void idmap_grow(struct idmap *m)
{
    struct idmap grown = {.room = m->room ? m->room * 2 : FIRST_ROOM, .count = m->count};
    grown.entries = xcalloc(grown.room, sizeof *grown.entries);
    for (size_t i = 0; i < m->room; i++) {
        if (m->entries[i].value)
            grown.entries[id_slot(&grown, m->entries[i].key)] = m->entries[i];
    }
    xfree(m->entries);
    *m = grown;
}

void idmap_clear(struct idmap *m)
{
    XFREE(m->entries);
    m->count = 0;
    m->room = 0;
}

void *idmap_put(struct idmap *m, uint64_t key, void *value)
{
    if (NEVER(!value))
        return NULL;
    if ((m->count + 1) * 4 > m->room * 3)
        idmap_grow(m);
    struct idmap_entry *entry = &m->entries[id_slot(m, key)];
    void *before = entry->value;
    if (!before)
        m->count++;
    *entry = (struct idmap_entry){key, value};
    return before;
}

void *idmap_get(const struct idmap *m, uint64_t key)
{
    return m->count ? m->entries[id_slot(m, key)].value : NULL;
}

void *idmap_remove(struct idmap *m, uint64_t key)
{
    if (m->count == 0)
        return NULL;
    size_t mask = m->room - 1;
    size_t hole = id_slot(m, key);
    void *value = m->entries[hole].value;
    if (!value)
        return NULL;
    /* Close the gap: whatever was pushed past the hole from at or before it moves back. */
    for (size_t i = (hole + 1) & mask; m->entries[i].value; i = (i + 1) & mask) {
        size_t home = hash_id(m->entries[i].key) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->entries[hole] = m->entries[i];
            hole = i;
        }
    }
    m->entries[hole] = (struct idmap_entry){0, NULL};
    m->count--;
    return value;
}

void *idmap_next(const struct idmap *m, size_t *at)
{
    while (*at < m->room) {
        void *value = m->entries[(*at)++].value;
        if (value)
            return value;
    }
    return NULL;
}

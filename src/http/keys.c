/* API keys: which one was presented, at what scope, and how often an address may guess.
 *
 * A secret is compared by length and bytes in constant time, or by its stored hash; a hashed key
 * that matched once is remembered by its SHA-256, so PBKDF2 runs once a key and not once a request.
 * After WRONG_MAX wrong keys within a minute an address must wait. Where a right key was seen
 * before the right ones go on to work: behind a proxy all share one address, and one client with a
 * stale key must not lock out the others. */
#include "base/digest.h"
#include "base/mem.h"
#include "http/parts.h"

enum { WRONG_MAX = 20, WINDOW_MS = 60 * 1000, ADDRESSES_MAX = 4096 };

struct guesses { /* of one address */
    mono_t since;
    unsigned wrong; /* within the window that began then */
    bool was_right; /* ever */
};

static void forget_guesses(struct keys *keys)
{
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&keys->guesses, &at)))
        xfree(entry->value);
    map_clear(&keys->guesses);
}

static void clear_items(struct keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        xfree(keys->items[i].name);
        xfree(keys->items[i].secret);
        xfree(keys->items[i].hash);
        xfree(keys->items[i].known_sum);
    }
    XFREE(keys->items);
    keys->count = 0;
}

void keys_clear(struct keys *keys)
{
    clear_items(keys);
    forget_guesses(keys);
}

void keys_set(struct keys *keys, const struct http_key *from, size_t count)
{
    clear_items(keys);
    keys->items = xcalloc(count ? count : 1, sizeof(*keys->items));
    for (size_t i = 0; i < count; i++)
        keys->items[i] = (struct stored_key){.name = xstrdup(from[i].name),
                                             .scope = from[i].scope,
                                             .secret = xstrdup_or_null(from[i].secret),
                                             .hash = xstrdup_or_null(from[i].hash)};
    keys->count = count;
}

/* Plain secrets, and hashed ones that matched before: cheap. */
static bool matches_known(const struct stored_key *key, struct span secret, const char *sum)
{
    if (key->secret)
        return equal_constant_time(secret, span_of(key->secret));
    return key->known_sum && equal_constant_time(span_of(sum), span_of(key->known_sum));
}

/* `hashes`: also those that never matched yet, with PBKDF2 each. */
static const struct stored_key *find(struct keys *keys, struct span secret, bool hashes)
{
    char sum[SHA256_HEX_SIZE];
    sha256_hex(secret.at, secret.len, sum);
    for (size_t i = 0; i < keys->count; i++)
        if (matches_known(&keys->items[i], secret, sum))
            return &keys->items[i];
    for (size_t i = 0; hashes && i < keys->count; i++) {
        struct stored_key *key = &keys->items[i];
        if (key->secret || key->known_sum || !secret_matches(secret, key->hash))
            continue;
        key->known_sum = xstrdup(sum);
        return key;
    }
    return NULL;
}

static struct guesses *guesses_of(struct keys *keys, const char *peer)
{
    struct guesses *guesses = map_gets(&keys->guesses, peer);
    if (guesses && mono_now() - guesses->since > WINDOW_MS) {
        guesses->since = mono_now();
        guesses->wrong = 0;
    }
    return guesses;
}

static struct guesses *guesses_note(struct keys *keys, const char *peer)
{
    struct guesses *guesses = guesses_of(keys, peer);
    if (guesses)
        return guesses;
    if (keys->guesses.count >= ADDRESSES_MAX)
        forget_guesses(keys);
    guesses = xcalloc(1, sizeof(*guesses));
    guesses->since = mono_now();
    map_put(&keys->guesses, span_of(peer), guesses);
    return guesses;
}

static int seconds_left(const struct guesses *guesses)
{
    return (int)((WINDOW_MS - (mono_now() - guesses->since)) / 1000 + 1);
}

enum key_scope keys_judge(struct keys *keys, struct span secret, const char *peer,
                          const char **name, int *retry_after_s)
{
    *retry_after_s = 0;
    *name = NULL;
    if (!secret.at)
        return SCOPE_NONE;
    const struct guesses *guesses = guesses_of(keys, peer);
    bool limited = guesses && guesses->wrong >= WRONG_MAX;
    const struct stored_key *key = NULL;
    if (!limited || guesses->was_right)
        key = find(keys, secret, !limited);
    if (key) {
        guesses_note(keys, peer)->was_right = true;
        *name = key->name;
        return key->scope;
    }
    if (limited)
        *retry_after_s = seconds_left(guesses);
    else
        guesses_note(keys, peer)->wrong++;
    return SCOPE_NONE;
}

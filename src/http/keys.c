/* API keys: which one was presented, at what scope, and how often an address may guess.
 *
 * A secret is compared by length and bytes in constant time, or by its stored hash; a hashed key
 * that matched once is remembered by its SHA-256, so PBKDF2 runs once a key and not once a request.
 * After FAILURES_MAX wrong keys within a minute an address must wait. */
#include "base/digest.h"
#include "base/mem.h"
#include "http/parts.h"

enum { FAILURES_MAX = 20, FAILURE_WINDOW_MS = 60 * 1000, ADDRESSES_MAX = 4096 };

struct failures {
    mono_t since;
    unsigned count;
};

static void forget_failures(struct keys *keys)
{
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&keys->failures, &at)))
        xfree(entry->value);
    map_clear(&keys->failures);
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
    forget_failures(keys);
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

static bool matches(struct stored_key *key, struct span secret, const char *sum)
{
    if (key->secret)
        return equal_constant_time(secret, span_of(key->secret));
    if (key->known_sum)
        return equal_constant_time(span_of(sum), span_of(key->known_sum));
    if (!secret_matches(secret, key->hash))
        return false;
    key->known_sum = xstrdup(sum);
    return true;
}

static struct failures *failures_of(struct keys *keys, const char *peer)
{
    struct failures *failures = map_gets(&keys->failures, peer);
    if (failures && mono_now() - failures->since > FAILURE_WINDOW_MS)
        *failures = (struct failures){.since = mono_now()};
    return failures;
}

static void count_failure(struct keys *keys, const char *peer)
{
    struct failures *failures = failures_of(keys, peer);
    if (!failures) {
        if (keys->failures.count >= ADDRESSES_MAX)
            forget_failures(keys);
        failures = xcalloc(1, sizeof(*failures));
        failures->since = mono_now();
        map_put(&keys->failures, span_of(peer), failures);
    }
    failures->count++;
}

enum key_scope keys_judge(struct keys *keys, struct span secret, const char *peer,
                          const char **name, int *retry_after_s)
{
    char sum[SHA256_HEX_SIZE];
    *retry_after_s = 0;
    *name = NULL;
    if (!secret.at)
        return SCOPE_NONE;
    const struct failures *failures = failures_of(keys, peer);
    if (failures && failures->count >= FAILURES_MAX) {
        int64_t left = FAILURE_WINDOW_MS - (mono_now() - failures->since);
        *retry_after_s = (int)(left / 1000 + 1);
        return SCOPE_NONE;
    }
    sha256_hex(secret.at, secret.len, sum);
    for (size_t i = 0; i < keys->count; i++) {
        if (!matches(&keys->items[i], secret, sum))
            continue;
        *name = keys->items[i].name;
        return keys->items[i].scope;
    }
    count_failure(keys, peer);
    return SCOPE_NONE;
}

/* Before the 101 answer: who may connect (T4, T5, G1 to G5).
 *
 * Failed credentials are remembered per address and identity: after a few, the pair is turned away
 * for a minute without looking at the password, and an address that fails for many identities is
 * turned away whole. That bounds both guessing and the hashing it costs us. Refusals become
 * security events (W3), but not more than a few a minute and address. */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "station/password.h"

enum {
    FAILURE_WINDOW_MS = 60 * 1000,
    PAIR_FAILURES_MAX = 10,
    ADDRESS_FAILURES_MAX = 200,
    ADDRESS_EVENTS_MAX = 20,
    FAILURES_KEPT = 10000
};

struct failure {
    mono_t since;
    unsigned count, events;
};

void failures_clear(struct station *st)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&st->failures, &at)) != NULL)
        xfree(entry->value);
    map_clear(&st->failures);
}

static struct failure *failure_find(struct station *st, const char *key)
{
    struct failure *failure = map_gets(&st->failures, key);
    if (failure && mono_now() - failure->since >= FAILURE_WINDOW_MS)
        *failure = (struct failure){.since = mono_now()};
    return failure;
}

static void forget_old(struct station *st)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&st->failures, &at)) != NULL) {
        struct failure *failure = entry->value;
        if (mono_now() - failure->since < FAILURE_WINDOW_MS)
            continue;
        map_remove(&st->failures, (struct span){entry->key, entry->key_len});
        xfree(failure);
    }
}

static struct failure *failure_ensure(struct station *st, const char *key)
{
    struct failure *failure = failure_find(st, key);
    if (failure)
        return failure;
    if (st->failures.count >= FAILURES_KEPT)
        forget_old(st);
    if (st->failures.count >= FAILURES_KEPT)
        failures_clear(st); /* under attack from everywhere: start counting anew */
    failure = xcalloc(1, sizeof(*failure));
    failure->since = mono_now();
    map_put(&st->failures, span_of(key), failure);
    return failure;
}

static void pair_key(const struct handshake *hs, char *out, size_t size)
{
    snprintf(out, size, "%s %s", hs->peer ? hs->peer : "", hs->identity);
}

enum { PAIR_KEY_SIZE = IDENTITY_MAX + 80 };

static bool is_blocked(struct station *st, const struct handshake *hs)
{
    char key[PAIR_KEY_SIZE];
    pair_key(hs, key, sizeof(key));
    const struct failure *pair = failure_find(st, key);
    const struct failure *address = failure_find(st, hs->peer ? hs->peer : "");
    return (pair && pair->count >= PAIR_FAILURES_MAX) ||
           (address && address->count >= ADDRESS_FAILURES_MAX);
}

static void count_failure(struct station *st, const struct handshake *hs)
{
    char key[PAIR_KEY_SIZE];
    pair_key(hs, key, sizeof(key));
    failure_ensure(st, key)->count++;
    failure_ensure(st, hs->peer ? hs->peer : "")->count++;
}

static void record_refusal(struct station *st, const struct handshake *hs, const char *type)
{
    struct failure *address = failure_ensure(st, hs->peer ? hs->peer : "");
    st->counters.refused_admissions++;
    if (++address->events > ADDRESS_EVENTS_MAX)
        return;
    LOG(LOG_WARN, "connection refused", L_STR("cp", hs->identity), L_STR("peer", hs->peer),
        L_STR("why", type));
    struct arena *arena;
    struct record *row = station_row(st, RECORD_SECURITY_EVENT, &arena);
    row->security_event = (struct record_security_event){
        .cp = arena_strdup(arena, hs->identity),
        .type = type,
        .tech_info = arena_strdup(arena, hs->peer),
        .ts_ms = wall_now(),
        .received_ms = wall_now(),
    };
}

static bool password_is_right(struct station *st, struct charge_point *cp,
                              const struct handshake *hs)
{
    struct strbuf password = {.cap = 1024};
    struct span given = {0};
    if (handshake_password(hs->authorization, hs->identity, &password))
        given = (struct span){strbuf_text(&password), password.len};
    bool ok = password_login(st, cp, given);
    strbuf_clear(&password);
    return ok;
}

/* G1: the profile is fixed. 0 and 1 come over plain TCP here, 2 over TLS. */
static bool profile_fits(const struct charge_point *cp, const struct handshake *hs)
{
    return hs->tls == (cp->security_profile >= 2);
}

static enum admission admit_known(struct station *st, struct charge_point *cp,
                                  const struct handshake *hs)
{
    bool needs_password = cp->password_hash || cp->security_profile >= 1;
    if (!profile_fits(cp, hs)) {
        record_refusal(st, hs, "ProfileRefused");
        return ADMISSION_CREDENTIALS;
    }
    if (!needs_password)
        return ADMISSION_OK;
    if (is_blocked(st, hs)) {
        st->counters.refused_admissions++;
        return ADMISSION_BUSY;
    }
    if (password_is_right(st, cp, hs))
        return ADMISSION_OK;
    count_failure(st, hs);
    record_refusal(st, hs, "CredentialsRefused");
    return ADMISSION_CREDENTIALS;
}

enum admission station_admit(struct station *st, const struct handshake *hs, bool invited)
{
    struct charge_point *cp = station_find(st, hs->identity);
    if (cp && cp->registered)
        return admit_known(st, cp, hs);
    if (st->settings.registration == ADMIT_CLOSED && !invited) {
        record_refusal(st, hs, "UnknownStation");
        return ADMISSION_UNKNOWN; /* T4 */
    }
    if (!cp && st->unregistered >= UNREGISTERED_MAX)
        return ADMISSION_BUSY;
    return ADMISSION_OK;
}

const struct version *station_assumed_version(struct station *st, const char *identity)
{
    const struct charge_point *cp = station_find(st, identity);
    struct station_options options;
    if (cp)
        return cp->options.assume_version;
    options_base(st, identity, NULL, &options); /* packs that know it by its identity */
    return options.assume_version;
}

/* Registering, changing and deleting a station by REST or policy.
 *
 * A change holds at once and is reported when it is on disk; one that could not be stored is taken
 * back unless something else changed meanwhile. Passwords live on as salted hashes only (G4). */
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "station/limit.h"
#include "station/lane.h"
#include "station/pending.h"

enum { PASSWORD_MIN = 16, PASSWORD_MAX = 64, CLOSE_DELETED = 4001, PROFILE_MAX = 2 };

struct charge_point_state { /* what a change may change */
    bool registered;
    enum registration registration;
    char *password_hash;
    int64_t security_profile;
    char *options_json;
};

struct registering {
    struct station *st;
    char *id;
    struct charge_point_state before;
    const char *options_json; /* as set by this change; only compared */
    change_done done;
    void *ctx;
};

/* ---- checking ---- */

static bool identity_check(const char *id, struct reason *why)
{
    size_t len = strlen(id);
    if (len == 0 || len > IDENTITY_MAX || !utf8_valid(id, len))
        return reason_set(why, "the identity needs 1 to %d bytes of UTF-8", IDENTITY_MAX);
    for (; *id; id++) {
        if ((unsigned char)*id < ' ' || *id == 0x7F)
            return reason_set(why, "the identity holds a control character");
    }
    return true;
}

static bool password_check(const struct charge_point_change *change, struct reason *why)
{
    size_t len = change->password_len;
    if (!change->password || len == 0 || (len >= PASSWORD_MIN && len <= PASSWORD_MAX))
        return true;
    return reason_set(why, "password: expected %d to %d bytes", PASSWORD_MIN, PASSWORD_MAX);
}

/* G1: profiles 1 and 2 stand on a password. 3 needs client certificates, which we do not check. */
static bool profile_check(const struct charge_point *cp, const struct charge_point_change *change,
                          int64_t profile, struct reason *why)
{
    bool has = change->password ? change->password_len > 0 : cp && cp->password_hash;
    if (profile < 0 || profile > PROFILE_MAX)
        return reason_set(why, "securityProfile: expected 0 to %d", PROFILE_MAX);
    if (profile > 0 && !has)
        return reason_set(why, "securityProfile %lld needs a password", (long long)profile);
    return true;
}

/* ---- applying ---- */

static void state_swap(struct station *st, struct charge_point *cp,
                       struct charge_point_state *state)
{
    struct charge_point_state now = {cp->registered, cp->registration, cp->password_hash,
                                     cp->security_profile, cp->options_json};
    if (state->registered != cp->registered)
        st->unregistered += state->registered ? (size_t)-1 : 1;
    cp->registered = state->registered;
    cp->registration = state->registration;
    cp->password_hash = state->password_hash;
    cp->security_profile = state->security_profile;
    cp->options_json = state->options_json;
    *state = now;
    options_apply(st, cp);
}

static void state_clear(struct charge_point_state *state)
{
    XFREE(state->password_hash);
    XFREE(state->options_json);
}

static char *new_hash(const struct charge_point *cp, const struct charge_point_change *change)
{
    if (!change->password)
        return xstrdup_or_null(cp->password_hash);
    if (change->password_len == 0)
        return NULL;
    char hash[SECRET_HASH_SIZE];
    secret_hash((struct span){change->password, change->password_len}, hash);
    return xstrdup(hash);
}

static void on_registered(void *ctx, struct batch *batch)
{
    struct registering change = *(struct registering *)ctx;
    xfree(ctx);
    bool ok = !batch->failed;
    station_batch_back(change.st, batch);
    batch_free(batch);
    struct charge_point *cp = station_find(change.st, change.id);
    /* `options_json` is new with each change, so it tells whether this was the last one. */
    if (!ok && cp && cp->options_json == change.options_json)
        state_swap(change.st, cp, &change.before);
    state_clear(&change.before);
    xfree(change.id);
    if (change.done)
        change.done(change.ctx, ok, ok ? NULL : "the charge point could not be stored");
}

static int64_t wanted_profile(const struct charge_point *cp,
                              const struct charge_point_change *change)
{
    int64_t profile = cp ? cp->security_profile : 0;
    if (change->security_profile != ABSENT)
        return change->security_profile;
    return profile == 0 && change->password && change->password_len > 0 ? 1 : profile;
}

static bool change_check(const struct charge_point *cp, const char *id,
                         const struct charge_point_change *change, struct reason *why)
{
    enum registration registration;
    if (change->registration && !registration_parse(change->registration, &registration))
        return reason_set(why, "registration: expected accepted, pending or rejected");
    return identity_check(id, why) && password_check(change, why) &&
           profile_check(cp, change, wanted_profile(cp, change), why);
}

bool station_register(struct station *st, const char *id, const struct charge_point_change *change,
                      struct reason *why, change_done done, void *ctx)
{
    struct charge_point *cp = station_find(st, id);
    struct station_options options;
    options_base(st, id, cp, &options);
    if (!change_check(cp, id, change, why) ||
        (change->options && !options_parse(&options, change->options, why)))
        return false;
    if (!cp)
        cp = charge_point_new(st, id);
    struct charge_point_state state = {
        .registered = true,
        .registration = cp->registration,
        .password_hash = new_hash(cp, change),
        .security_profile = wanted_profile(cp, change),
        .options_json = xstrdup(change->options    ? change->options
                                : cp->options_json ? cp->options_json
                                                   : "{}"),
    };
    if (change->registration)
        registration_parse(change->registration, &state.registration);
    state_swap(st, cp, &state);
    struct registering *kept = xmalloc(sizeof(*kept));
    *kept = (struct registering){st, xstrdup(id), state, cp->options_json, done, ctx};
    struct batch *batch = batch_new();
    row_charge_point(batch, cp);
    batch->done = on_registered;
    batch->ctx = kept;
    station_submit(st, batch);
    return true;
}

/* ---- deleting ---- */

struct deleting {
    struct station *st;
    change_done done;
    void *ctx;
};

static void on_deleted(void *ctx, struct batch *batch)
{
    struct deleting deleting = *(struct deleting *)ctx;
    xfree(ctx);
    bool ok = !batch->failed;
    station_batch_back(deleting.st, batch);
    batch_free(batch);
    if (deleting.done)
        deleting.done(deleting.ctx, ok, ok ? NULL : "the deletion could not be stored");
}

static bool has_open_transaction(struct station *st, const struct charge_point *cp)
{
    const struct transaction *tx;
    size_t at = 0;
    while ((tx = station_transaction_next(st, &at)) != NULL) {
        if (transaction_is_of(tx, cp))
            return true;
    }
    return false;
}

bool station_delete(struct station *st, const char *id, struct reason *why, change_done done,
                    void *ctx)
{
    struct charge_point *cp = station_find(st, id);
    if (!cp)
        return reason_set(why, "unknown charge point");
    if (has_open_transaction(st, cp))
        return reason_set(why, "a transaction is open");
    struct batch *batch = batch_new();
    struct record *row = batch_add(batch, RECORD_CHARGE_POINT_DELETE);
    row->charge_point.id = arena_strdup(&batch->arena, cp->id);
    struct deleting *kept = xmalloc(sizeof(*kept));
    *kept = (struct deleting){st, done, ctx};
    batch->done = on_deleted;
    batch->ctx = kept;

    LOG(LOG_INFO, "charge point deleted", L_STR("cp", cp->id));
    uint64_t connection = cp->connection;
    cp->connection = 0;
    pending_forget(st, cp);
    limit_forget(st, cp->id);
    struct outbox lost = command_reset(cp->lane);
    charge_point_remove(st, cp);
    station_submit(st, batch);
    if (connection)
        st->ports.close(st->ports.ctx, connection, CLOSE_DELETED, "deleted");
    command_fail(&lost, CALL_OFFLINE, "the charge point was deleted");
    return true;
}

/* The password of a station, and the ones that it may have: rules G4 and G5.
 *
 * Usually there is one. While the charger is asked to take a new one, and for as long as it did not
 * say whether it has, nobody knows which of them it will come with: both count, and the first login
 * decides. They are kept as one text, the hashes in order of their coming with a space between;
 * NO_PASSWORD stands for a station that needed none before. Start reading at password_login(). */
#include "station/password.h"

#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"

enum { DOUBTS_MAX = 4 };

#define NO_PASSWORD "-"

/* The text is the station's from now on, and its row is written. */
static void keep(struct station *st, struct charge_point *cp, char *hashes_owned)
{
    xfree(cp->password_hash);
    cp->password_hash = hashes_owned;
    if (cp->options_json) { /* a change that fails now must not bring the old one back */
        char *copy = xstrdup(cp->options_json);
        xfree(cp->options_json);
        cp->options_json = copy;
    }
    station_row_charge_point(st, cp);
}

static size_t count_of(const char *hashes)
{
    size_t count = 1;
    for (; *hashes; hashes++)
        count += *hashes == ' ';
    return count;
}

/* The one of `hashes` that this password has, on the heap; NULL: none. */
static char *hash_of(const char *hashes, struct span password)
{
    struct span rest = span_of(hashes ? hashes : ""), piece;
    while (password.at && span_cut(&rest, ' ', &piece)) {
        char *hash = xstrndup(piece.at, piece.len);
        if (secret_matches(password, hash))
            return hash;
        xfree(hash);
    }
    return NULL;
}

void password_set(struct station *st, struct charge_point *cp, struct span password)
{
    char hash[SECRET_HASH_SIZE];
    secret_hash(password, hash);
    keep(st, cp, xstrdup(hash));
}

/* The first is what it surely had, the last ones are those that it most likely has. */
static struct span without_second(const char *hashes, struct span *first)
{
    struct span rest = span_of(hashes), second;
    span_cut(&rest, ' ', first);
    span_cut(&rest, ' ', &second);
    return rest;
}

bool password_offer(struct station *st, struct charge_point *cp, struct span password)
{
    const char *before = cp->password_hash ? cp->password_hash : NO_PASSWORD;
    char *known = hash_of(before, password);
    bool fresh = !known;
    xfree(known);
    if (!fresh)
        return false;
    char hash[SECRET_HASH_SIZE];
    struct span first, rest;
    secret_hash(password, hash);
    if (count_of(before) < DOUBTS_MAX) {
        keep(st, cp, xprintf("%s %s", before, hash));
        return true;
    }
    rest = without_second(before, &first);
    keep(st, cp, xprintf("%.*s %.*s %s", (int)first.len, first.at, (int)rest.len, rest.at, hash));
    return true;
}

void password_withdraw(struct station *st, struct charge_point *cp)
{
    const char *last = cp->password_hash ? strrchr(cp->password_hash, ' ') : NULL;
    if (!last) /* decided meanwhile */
        return;
    size_t len = (size_t)(last - cp->password_hash);
    char *left = xstrndup(cp->password_hash, len);
    if (text_is(left, NO_PASSWORD))
        XFREE(left);
    keep(st, cp, left);
}

/* Profile 0 without a password, or with one of which nobody knows whether the charger has it. */
static bool needs_none(const struct charge_point *cp)
{
    const char *hashes = cp->password_hash;
    return cp->security_profile == 0 && (!hashes || span_starts(span_of(hashes), NO_PASSWORD " "));
}

bool password_login(struct station *st, struct charge_point *cp, struct span password)
{
    bool doubt = cp->password_hash && strchr(cp->password_hash, ' ');
    if (!doubt && needs_none(cp))
        return true;
    char *hash = hash_of(cp->password_hash, password);
    if (!hash && !needs_none(cp))
        return false;
    if (doubt && (hash || !password.at)) {
        LOG(LOG_INFO, "the charge point has shown which password it has", L_STR("cp", cp->id));
        keep(st, cp, hash);
    } else {
        xfree(hash);
    }
    return true;
}

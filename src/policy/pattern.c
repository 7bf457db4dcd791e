/* How long matching a Lua pattern may take at worst: n^(k+1)·2^q (POLICY §4), and how many steps
 * that is: n^(k+1)/(k+1)!·2^q, at 3 to 6 ns each.
 *
 * Reads a pattern exactly as lstrlib.c does: a quantifier counts where the matcher would take it
 * for one. Beyond the contract, %b and back references count as one of k each: both walk over the
 * subject at every position. Faulty patterns are left to the library to refuse. */
#include "policy/sandbox.h"

#include <ctype.h>
#include <string.h>

/* Literal text in a pattern is compared at every position: beyond this many bytes it counts. */
enum { LONG_PATTERN = 64 };

struct walk {
    const char *at, *end;
};

/* Behind one single-character class: `x`, `%x`, `[…]`. */
static void skip_class(struct walk *w)
{
    char c = *w->at++;
    if (c == '%' && w->at < w->end) {
        w->at++;
    } else if (c == '[') {
        if (w->at < w->end && *w->at == '^')
            w->at++;
        do { /* the first ] in a set is a member of it */
            if (w->at >= w->end)
                return;
            c = *w->at++;
            if (c == '%' && w->at < w->end)
                w->at++;
        } while (w->at < w->end && *w->at != ']');
        if (w->at < w->end)
            w->at++;
    }
}

/* What one item adds: to k its return value, to `*q` its ?. */
static unsigned walk_item(struct walk *w, unsigned *q)
{
    if (*w->at == '(' || *w->at == ')') {
        w->at++;
        return 0;
    }
    if (*w->at == '%' && w->at + 1 < w->end) {
        char kind = w->at[1];
        if (kind == 'b') {
            w->at += w->end - w->at < 4 ? w->end - w->at : 4;
            return 1;
        }
        if (kind == 'f') {
            w->at += 2;
            if (w->at < w->end)
                skip_class(w);
            return 0;
        }
        if (isdigit((unsigned char)kind)) {
            w->at += 2;
            return 1;
        }
    }
    skip_class(w);
    if (w->at >= w->end)
        return 0;
    char quantifier = *w->at;
    if (!strchr("*+-?", quantifier) || quantifier == '\0')
        return 0;
    w->at++;
    *q += quantifier == '?';
    return quantifier != '?';
}

struct pattern_cost pattern_cost(const char *pattern, size_t len, size_t subject, bool anchors)
{
    struct walk w = {pattern, pattern + len};
    bool anchored = anchors && len > 0 && *pattern == '^';
    if (anchored)
        w.at++;
    unsigned k = 0, q = 0;
    while (w.at < w.end)
        k += walk_item(&w, &q);
    struct pattern_cost cost = {1, 1};
    unsigned loops = k + (anchored ? 0 : 1); /* the places where a match may begin are one more */
    for (unsigned i = 1; i <= loops && cost.bound <= 1e30; i++) {
        cost.bound *= (double)subject;
        cost.steps *= (double)subject / i; /* each begins where the one before ended */
    }
    for (unsigned i = 0; i < q && cost.bound <= 1e30; i++) {
        cost.bound *= 2;
        cost.steps *= 2;
    }
    if (len > LONG_PATTERN) {
        cost.bound *= (double)len / LONG_PATTERN;
        cost.steps *= (double)len / LONG_PATTERN;
    }
    return cost;
}

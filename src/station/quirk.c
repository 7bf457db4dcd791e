/* See quirk.h. */
#include "station/quirk.h"

#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "station/core.h"

/* Goes back to the last `*` only, so the time is at most pattern × text. */
bool pattern_fits(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    if (!pattern)
        return true;
    if (!text)
        return text_is(pattern, "*");
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern && strncasecmp(pattern, text, 1) == 0) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

static bool fits(const struct quirk *quirk, const char *identity, const struct charge_point *cp)
{
    return pattern_fits(quirk->identity, identity) &&
           pattern_fits(quirk->vendor, cp ? cp->vendor : NULL) &&
           pattern_fits(quirk->model, cp ? cp->model : NULL) &&
           pattern_fits(quirk->firmware, cp ? cp->firmware : NULL);
}

const char *station_quirk_next(struct station *st, const struct charge_point *cp, size_t *at)
{
    while (*at < st->quirk_count) {
        const struct quirk *quirk = &st->quirks[(*at)++];
        if (fits(quirk, cp->id, cp))
            return quirk->name;
    }
    return NULL;
}

bool quirk_valid(struct station *st, const struct quirk *quirk, struct reason *why)
{
    struct station_options options;
    options_init(&options, st ? &st->settings : NULL);
    return options_parse(&options, quirk->options, why);
}

/* ---- what it comes to for one charger ---- */

void options_base(struct station *st, const char *identity, const struct charge_point *cp,
                  struct station_options *out)
{
    struct reason why;
    options_init(out, &st->settings);
    for (size_t i = 0; i < st->quirk_count; i++) {
        if (fits(&st->quirks[i], identity, cp))
            options_parse(out, st->quirks[i].options, &why);
    }
}

void options_apply(struct station *st, struct charge_point *cp)
{
    struct reason why;
    options_base(st, cp->id, cp, &cp->options);
    if (cp->options_json && !options_parse(&cp->options, cp->options_json, &why))
        LOG(LOG_ERROR, "stored options cannot be read", L_STR("cp", cp->id),
            L_STR("why", why.text));
}

/* ---- the packs ---- */

void quirks_clear(struct station *st)
{
    for (size_t i = 0; i < st->quirk_count; i++) {
        const struct quirk *quirk = &st->quirks[i];
        const char *const texts[] = {quirk->name,  quirk->identity, quirk->vendor,
                                     quirk->model, quirk->firmware, quirk->options};
        for (size_t t = 0; t < ARRAY_LEN(texts); t++)
            xfree((void *)texts[t]);
    }
    XFREE(st->quirks);
    st->quirk_count = 0;
}

void station_quirks_define(struct station *st, const struct quirk *quirks, size_t count)
{
    if (count == 0 && st->quirk_count == 0)
        return;
    quirks_clear(st);
    st->quirks = xcalloc(count + 1, sizeof(*st->quirks));
    for (size_t i = 0; i < count; i++)
        st->quirks[i] = (struct quirk){.name = xstrdup(quirks[i].name),
                                       .identity = xstrdup_or_null(quirks[i].identity),
                                       .vendor = xstrdup_or_null(quirks[i].vendor),
                                       .model = xstrdup_or_null(quirks[i].model),
                                       .firmware = xstrdup_or_null(quirks[i].firmware),
                                       .options = xstrdup(quirks[i].options)};
    st->quirk_count = count;
    struct charge_point *cp;
    size_t at = 0;
    while ((cp = station_next(st, &at)) != NULL)
        options_apply(st, cp);
}

/* ---- tags ---- */

const char *id_tag_normal(const struct charge_point *cp, struct arena *arena, const char *id_tag)
{
    const struct station_options *options = &cp->options;
    if (!id_tag || (!options->tag_strip && !options->tag_cut_at[0]))
        return id_tag;
    char *out = arena_strdup(arena, id_tag), *to = out;
    char *end = options->tag_cut_at[0] ? strpbrk(out, options->tag_cut_at) : NULL;
    if (end && end > out) /* nothing before it: then it is the tag */
        *end = '\0';
    if (!options->tag_strip)
        return out;
    for (const char *from = out; *from; from++) {
        if (!strchr(" \t:-", *from))
            *to++ = *from;
    }
    *to = '\0';
    return out[0] ? out : id_tag;
}

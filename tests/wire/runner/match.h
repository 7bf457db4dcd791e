/* Comparing what was heard with what the play says, byte by byte but for placeholders.
 *
 *   $name   matches up to the character that follows it in the pattern; the first use binds the
 *           name, later uses (and lines that are sent) must be the same text
 *   $_      matches like a name that is never bound
 *   ...     matches any text, as little as possible */
#ifndef MATCH_H
#define MATCH_H

#include "base/map.h"

/* `names` maps a name to an owned char *. Binds only when the whole text matches. */
bool match_text(const char *pattern, const char *text, struct map *names);
/* Appends the text with bound names replaced; unbound ones stay as they are. */
void match_fill(struct strbuf *out, const char *text, const struct map *names);
void match_names_clear(struct map *names);

#endif

/* The message log: every frame in and out as a row, without the secrets in it.
 *
 * G4 and W4: values of AuthorizationKey, as we set them or as a charger tells them, and the
 * credentials and tokens in upload and download URLs are blanked; the text keeps its length, so it
 * stays a valid frame. */
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "station/messages.h"

enum { TOKEN_LEN = 32 };

/* Behind the JSON string that begins at `at`, if it reads `name` (letters only): whatever its case,
 * and also written with \u escapes. Else NULL. */
static char *string_is(char *at, const char *name)
{
    if (*at++ != '"')
        return NULL;
    for (; *name; name++) {
        unsigned char letter = (unsigned char)*at;
        size_t room = 1;
        if (strncmp(at, "\\u00", 4) == 0 && at[4] && at[5]) {
            if (!hex_decode((struct span){at + 4, 2}, &letter, &room))
                return NULL;
            at += 5;
        }
        if ((letter | 0x20) != ((unsigned char)*name | 0x20))
            return NULL;
        at++;
    }
    return *at == '"' ? at + 1 : NULL;
}

/* The next string from `at` on that reads so, or NULL. */
static char *find_string(char *at, const char *name)
{
    for (at = strchr(at, '"'); at && !string_is(at, name); at = strchr(at + 1, '"'))
        ;
    return at;
}

/* Blanks the text of the JSON string that starts behind `from`, up to its closing quote. */
static void blank_string(char *from)
{
    char *at = strchr(from, '"');
    for (at = at ? at + 1 : NULL; at && *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            *at++ = '*';
        *at = '*';
    }
}

/* The "value" beside the key at `key`, in the same object. */
static void blank_value_beside(char *text, char *key)
{
    static const char name[] = "value";
    char *end = key + strcspn(key, "}");
    char *at = find_string(key, name);
    if (!at || at > end) {
        at = NULL;
        for (char *back = key; back > text && *back != '{' && !at; back--) {
            if (string_is(back, name))
                at = back;
        }
    }
    if (at)
        blank_string(string_is(at, name));
}

/* The end of a URL inside a JSON text, or of one alone. */
static char *url_end(char *at)
{
    for (; *at && *at != '"' && *at != ' '; at++) {
        if (*at == '\\' && at[1])
            at++;
    }
    return at;
}

/* Runs of hex digits as long as the tokens of our one-time links (files.h). */
static void blank_tokens(char *at, const char *end)
{
    while (at < end) {
        size_t run = strspn(at, "0123456789abcdefABCDEF");
        if (run >= TOKEN_LEN)
            memset(at, '*', run);
        at += run ? run : 1;
    }
}

/* Of what stands behind the `//`: everything before the last `@` of the authority, tokens in the
 * path, and the query, which holds the signature in links to cloud stores. */
static void blank_url(char *at)
{
    char *end = url_end(at);
    size_t authority = strcspn(at, "/?#\"\\ ");
    for (size_t i = authority; i > 0; i--) {
        if (at[i] == '@') {
            memset(at, '*', i);
            break;
        }
    }
    char *query = memchr(at, '?', (size_t)(end - at));
    if (query)
        memset(query + 1, '*', (size_t)(end - query - 1));
    blank_tokens(at + authority, query ? query : end);
}

/* JSON may write the slashes as `\/`. */
void message_blank_location(char *text)
{
    for (char *at = text; (at = strstr(at, ":")) != NULL;) {
        at++;
        size_t slashes = strspn(at, "\\/");
        if (slashes < 2)
            continue;
        at += slashes;
        blank_url(at);
    }
}

/* With escapes in it a URL cannot be told from the rest, so it goes as a whole. */
static void blank_escaped_locations(char *text)
{
    static const char *const names[] = {"location", "remoteLocation"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        for (char *at = text; (at = find_string(at, names[i])) != NULL;) {
            at = string_is(at, names[i]);
            char *open = strchr(at, '"');
            char *escape = open ? strstr(open, "\\u") : NULL;
            if (escape && escape < url_end(open + 1))
                blank_string(at);
        }
    }
}

void message_blank_secrets(char *text)
{
    static const char key[] = "AuthorizationKey";
    bool escaped = strstr(text, "\\u00") != NULL;
    if (escaped || strcasestr(text, key)) {
        for (char *at = text; (at = find_string(at, key)) != NULL; at = string_is(at, key))
            blank_value_beside(text, at);
    }
    if (escaped)
        blank_escaped_locations(text);
    if (escaped || strstr(text, "ocation\"")) /* location, remoteLocation */
        message_blank_location(text);
}

/* Our CALLs, and what is answered to them. */
static bool may_hold_secrets(const struct message *message)
{
    return message->outgoing || span_starts(message->text, "[3");
}

void message_fill(struct record_message *row, struct arena *arena, const struct message *message)
{
    char *text = arena_strndup(arena, message->text.at, message->text.len);
    if (may_hold_secrets(message))
        message_blank_secrets(text);
    *row = (struct record_message){.cp = arena_strdup(arena, message->cp->id),
                                   .connection = (int64_t)message->connection,
                                   .ts_ms = message->ts_ms,
                                   .outgoing = message->outgoing,
                                   .text = text,
                                   .len = message->text.len,
                                   .note = arena_strdup(arena, message->note)};
}

void message_log(struct station *st, const struct message *message)
{
    if (!st->settings.log_messages)
        return;
    struct arena *arena;
    struct record *row = station_row(st, RECORD_MESSAGE, &arena);
    message_fill(&row->message, arena, message);
}

/* The message log: every frame in and out as a row, without the secrets in it.
 *
 * G4 and W4: values of AuthorizationKey, as we set them or as a charger tells them, and the
 * credentials and tokens in upload and download URLs are blanked; the text keeps its length, so it
 * stays a valid frame. */
#include <string.h>

#include "base/mem.h"
#include "station/messages.h"

enum { TOKEN_LEN = 32 };

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
    static const char name[] = "\"value\"";
    char *end = key + strcspn(key, "}");
    char *at = strstr(key, name);
    if (!at || at > end) {
        at = NULL;
        for (char *back = key; back > text && *back != '{' && !at; back--) {
            if (strncmp(back, name, strlen(name)) == 0)
                at = back;
        }
    }
    if (at)
        blank_string(at + strlen(name));
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

void message_blank_secrets(char *text)
{
    static const char key[] = "\"AuthorizationKey\"";
    for (char *at = text; (at = strcasestr(at, key)) != NULL; at += strlen(key))
        blank_value_beside(text, at);
    if (strstr(text, "ocation\"")) /* location, remoteLocation */
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

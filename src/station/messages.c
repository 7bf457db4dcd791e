/* The message log: every frame in and out as a row, without the secrets in it.
 *
 * G4 and W4: passwords that we set (ChangeConfiguration of AuthorizationKey) and the credentials in
 * upload and download URLs are blanked; the text keeps its length, so it stays a valid frame. */
#include <string.h>

#include "base/mem.h"
#include "station/messages.h"

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

static void blank_value_of(char *text, const char *member)
{
    char *at = strstr(text, member);
    at = at ? strchr(at + strlen(member), ':') : NULL;
    if (at)
        blank_string(at + 1);
}

/* `scheme://user:password@host`: everything before the last `@` of the authority. JSON may write
 * the slashes as `\/`. */
static void blank_credentials(char *text)
{
    for (char *at = text; (at = strstr(at, ":")) != NULL;) {
        at++;
        size_t slashes = strspn(at, "\\/");
        if (slashes < 2)
            continue;
        at += slashes;
        size_t authority = strcspn(at, "/?#\"\\ ");
        for (size_t i = authority; i > 0; i--) {
            if (at[i] == '@') {
                memset(at, '*', i);
                break;
            }
        }
    }
}

static void blank_secrets(char *text)
{
    if (strcasestr(text, "\"AuthorizationKey\"") && strstr(text, "\"ChangeConfiguration\""))
        blank_value_of(text, "\"value\"");
    if (strstr(text, "ocation\"")) /* location, remoteLocation */
        blank_credentials(text);
}

void message_fill(struct record_message *row, struct arena *arena, const struct message *message)
{
    char *text = arena_strndup(arena, message->text.at, message->text.len);
    blank_secrets(text);
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

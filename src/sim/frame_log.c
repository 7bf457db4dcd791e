/* The last frames of one charger, for GET /log: a ring. Text that is not UTF-8 (a fault) is shown
 * with `?` for each bad byte; very long text is cut. */
#include "base/mem.h"
#include "base/timetext.h"
#include "sim/line.h"

enum { LOGGED_BYTES_MAX = 16 * 1024 };

struct frame_entry {
    wall_t at;
    bool in;
    char *text;
};

struct frame_log {
    struct frame_entry entries[FRAME_LOG_MAX];
    size_t count, next; /* where the next one goes */
};

void frame_log_open(struct charger *charger)
{
    if (charger->settings.log_frames)
        charger->log = xcalloc(1, sizeof(*charger->log));
}

void frame_log_close(struct charger *charger)
{
    if (!charger->log)
        return;
    for (size_t i = 0; i < FRAME_LOG_MAX; i++)
        xfree(charger->log->entries[i].text);
    XFREE(charger->log);
}

static char *readable(struct span text)
{
    struct strbuf out = {0};
    size_t keep = text.len > LOGGED_BYTES_MAX ? LOGGED_BYTES_MAX : text.len;
    for (size_t i = 0; i < keep;) {
        size_t step = utf8_step(text.at + i, text.len - i);
        if (step == 0 || text.at[i] == '\0')
            strbuf_addc(&out, '?');
        else
            strbuf_add(&out, text.at + i, step);
        i += step == 0 ? 1 : step;
    }
    if (keep < text.len)
        strbuf_adds(&out, "…");
    return strbuf_take(&out, NULL);
}

void frame_log_add(struct charger *charger, bool in, struct span text)
{
    struct frame_log *log = charger->log;
    if (!log)
        return;
    struct frame_entry *entry = &log->entries[log->next];
    xfree(entry->text);
    *entry = (struct frame_entry){.at = wall_now(), .in = in, .text = readable(text)};
    log->next = (log->next + 1) % FRAME_LOG_MAX;
    if (log->count < FRAME_LOG_MAX)
        log->count++;
}

void charger_write_log(const struct charger *charger, struct strbuf *out)
{
    const struct frame_log *log = charger->log;
    struct json_out json = {.to = out};
    size_t count = log ? log->count : 0;
    json_open(&json, '{');
    json_key(&json, "frames");
    json_open(&json, '[');
    for (size_t i = 0; i < count; i++) {
        const struct frame_entry *entry =
            &log->entries[(log->next + FRAME_LOG_MAX - count + i) % FRAME_LOG_MAX];
        char at[TIMETEXT_SIZE];
        timetext_millis(entry->at, at);
        json_open(&json, '{');
        json_key(&json, "at");
        json_put_string(&json, at);
        json_key(&json, "direction");
        json_put_string(&json, entry->in ? "in" : "out");
        json_key(&json, "text");
        json_put_string(&json, entry->text);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
}

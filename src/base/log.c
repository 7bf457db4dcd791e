/* The log: a line is built by its thread and leaves in one write(2).
 *
 * Whatever a charger sends may end up in a field, so values are escaped until they cannot end a
 * line, move a cursor or be invalid UTF-8, and cut when they are long. The lock guards the sink of
 * tests; whole writes to stderr need none. */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/timetext.h"

enum { VALUE_MAX = 2048, TAG_SHOWN = 4 };

static _Atomic int threshold = LOG_INFO;
static atomic_bool as_json;
static _Thread_local bool muted;

static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*sink)(void *ctx, const char *line, size_t len);
static void *sink_ctx;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_setup(enum log_level level, bool json)
{
    atomic_store(&threshold, (int)level);
    atomic_store(&as_json, json);
}

bool log_enabled(enum log_level level)
{
    return !muted && (int)level <= atomic_load(&threshold);
}

bool log_mute(bool mute)
{
    bool before = muted;
    muted = mute;
    return before;
}

void log_redirect(void (*to)(void *ctx, const char *line, size_t len), void *ctx)
{
    pthread_mutex_lock(&sink_lock);
    sink = to;
    sink_ctx = ctx;
    pthread_mutex_unlock(&sink_lock);
}

/* DEL and the C1 controls (U+0080 to U+009F) steer terminals as the C0 ones do. */
static bool is_control(const char *at, size_t step)
{
    unsigned char first = (unsigned char)at[0];
    return first < 0x20 || first == 0x7F ||
           (step == 2 && first == 0xC2 && (unsigned char)at[1] < 0xA0);
}

static void add_escape(struct strbuf *line, const char *at, size_t step)
{
    switch (at[0]) {
    case '"':
        strbuf_adds(line, "\\\"");
        break;
    case '\\':
        strbuf_adds(line, "\\\\");
        break;
    case '\n':
        strbuf_adds(line, "\\n");
        break;
    case '\r':
        strbuf_adds(line, "\\r");
        break;
    case '\t':
        strbuf_adds(line, "\\t");
        break;
    default:
        strbuf_addf(line, "\\u%04x", (unsigned)(unsigned char)at[step - 1]);
    }
}

static void add_quoted(struct strbuf *line, struct span value, const char *suffix)
{
    strbuf_addc(line, '"');
    while (value.len > 0) {
        size_t step = utf8_step(value.at, value.len);
        if (step == 0)
            strbuf_adds(line, "\\ufffd");
        else if (*value.at == '"' || *value.at == '\\' || is_control(value.at, step))
            add_escape(line, value.at, step);
        else
            strbuf_add(line, value.at, step);
        step = step ? step : 1;
        value.at += step;
        value.len -= step;
    }
    strbuf_adds(line, suffix);
    strbuf_addc(line, '"');
}

/* logfmt: a value stands bare when nothing in it could be taken for the end of it. */
static bool stands_bare(struct span value)
{
    if (value.len == 0)
        return false;
    while (value.len > 0) {
        size_t step = utf8_step(value.at, value.len);
        if (step == 0 || is_control(value.at, step) || memchr(" =\"\\", *value.at, 4))
            return false;
        value.at += step;
        value.len -= step;
    }
    return true;
}

static void add_text(struct strbuf *line, struct span value, const char *suffix, bool json)
{
    size_t kept = utf8_cut(value.at, value.len, VALUE_MAX);
    if (kept < value.len)
        suffix = "…";
    value.len = kept;
    if (json || !stands_bare(value)) {
        add_quoted(line, value, suffix);
    } else {
        strbuf_add(line, value.at, value.len);
        strbuf_adds(line, suffix);
    }
}

static void add_name(struct strbuf *line, const char *name, bool json)
{
    if (json)
        strbuf_addf(line, "%s\"%s\":", line->len > 1 ? "," : "", name);
    else
        strbuf_addf(line, "%s%s=", line->len > 0 ? " " : "", name);
}

static struct span first_characters(const char *text, size_t count)
{
    struct span shown = {text, 0};
    size_t len = strlen(text);
    for (; count > 0 && shown.len < len; count--) {
        size_t step = utf8_step(text + shown.len, len - shown.len);
        shown.len += step ? step : 1;
    }
    return shown;
}

static void add_field(struct strbuf *line, const struct log_field *field, bool json)
{
    if (field->kind == LOG_FIELD_INT) {
        add_name(line, field->name, json);
        strbuf_addf(line, "%" PRId64, field->number);
        return;
    }
    if (!field->text)
        return;
    add_name(line, field->name, json);
    if (field->kind == LOG_FIELD_TAG && !log_enabled(LOG_DEBUG))
        add_text(line, first_characters(field->text, TAG_SHOWN), "…", json);
    else
        add_text(line, span_of(field->text), "", json);
}

static void to_stderr(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody reads: there is nowhere to say so */
        line += n;
        len -= (size_t)n;
    }
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    if (!log_enabled(level))
        return;
    int saved_errno = errno;
    bool json = atomic_load(&as_json);
    struct strbuf line = {0};
    char time[TIMETEXT_SIZE];
    timetext_millis(wall_now(), time);
    if (json)
        strbuf_addc(&line, '{');
    add_field(&line, &L_STR("time", time), json);
    add_field(&line, &L_STR("level", level_names[level]), json);
    add_field(&line, &L_STR("msg", message), json);
    for (; fields->name; fields++)
        add_field(&line, fields, json);
    if (json)
        strbuf_addc(&line, '}');

    pthread_mutex_lock(&sink_lock);
    bool taken = sink != NULL;
    if (taken)
        sink(sink_ctx, line.at, line.len);
    pthread_mutex_unlock(&sink_lock);
    if (!taken) {
        strbuf_addc(&line, '\n');
        to_stderr(line.at, line.len);
    }
    strbuf_clear(&line);
    errno = saved_errno;
}

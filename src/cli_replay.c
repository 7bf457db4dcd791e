/* See cli_replay.h. The database gives rows in order of time (store/history.h), the replay compares
 * (policy/replay.h), this prints. */
#include "cli_replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "cli_options.h"
#include "policy/replay.h"
#include "store/history.h"

static const char *const kind_names[REPLAY_KINDS] = {
    [REPLAY_DECISION] = "decision", [REPLAY_COMMAND] = "command", [REPLAY_PRICE] = "price"};

/* ---- differences ---- */

static void print_value(const char *side, const char *value)
{
    printf("  %s %s", side, value ? value : "nothing");
}

static void on_difference(void *ctx, const struct replay_difference *found)
{
    char time[TIMETEXT_SIZE];
    (void)ctx;
    timetext_seconds(found->at, time);
    printf("%s  %s  %s  %s:", time, found->cp[0] ? found->cp : "-", kind_names[found->kind],
           found->subject);
    print_value("was", found->base);
    print_value("now", found->candidate);
    printf("%s%s%s\n", found->where[0] ? "  (" : "", found->where, found->where[0] ? ")" : "");
}

static bool print_totals(const struct replay_totals *totals)
{
    uint64_t differences = 0;
    printf("%" PRIu64 " messages\n", totals->messages);
    for (int i = 0; i < REPLAY_KINDS; i++) {
        uint64_t alone = totals->of[i].only_base + totals->of[i].only_candidate;
        differences += totals->of[i].differ + alone;
        printf("%ss: %" PRIu64 " the same, %" PRIu64 " different, %" PRIu64 " only before, %" PRIu64
               " only now\n",
               kind_names[i], totals->of[i].same, totals->of[i].differ, totals->of[i].only_base,
               totals->of[i].only_candidate);
    }
    bool fails = totals->failures[1] > totals->failures[0];
    const struct policy_error *first = &totals->first_failure[1];
    if (totals->failures[1] > 0)
        printf("handlers that failed: %" PRIu64 ", first %s:%d: %s\n", totals->failures[1],
               first->file, first->line, first->message);
    return differences == 0 && !fails;
}

/* ---- progress ---- */

struct progress {
    int64_t done, all;
    int shown; /* percent */
    bool wanted;
};

static void progress_step(struct progress *progress)
{
    int percent = progress->all > 0 ? (int)(++progress->done * 100 / progress->all) : 100;
    if (!progress->wanted || percent == progress->shown)
        return;
    progress->shown = percent;
    static const char bar[] = "##################################################";
    fprintf(stderr, "\r[%-50.*s] %3d %%", percent / 2, bar, percent);
    if (percent == 100)
        fputc('\n', stderr);
}

/* ---- the way through ---- */

static void feed(struct replay *replay, const struct history_item *item)
{
    const struct record_message *message = &item->message;
    if (item->kind == HISTORY_DECISION)
        replay_recorded_decision(replay, &item->decision);
    else if (item->kind == HISTORY_COMMAND)
        replay_recorded_command(replay, &item->command);
    else
        replay_message(replay, &(struct replay_message){
                                   message->ts_ms, message->cp, message->connection,
                                   message->outgoing, message->text, message->len, item->asked_by});
}

static void feed_all(struct replay *replay, struct history *history)
{
    struct history_item item;
    struct progress progress = {
        .all = history_count(history), .shown = -1, .wanted = isatty(STDERR_FILENO)};
    while (history_next(history, &item)) {
        feed(replay, &item);
        if (item.kind == HISTORY_MESSAGE)
            progress_step(&progress);
    }
}

static void print_refusal(const char *dir, const struct policy_report *report)
{
    for (size_t i = 0; i < report->kept; i++)
        fprintf(stderr, "%s/%s:%d: %s\n", dir, report->errors[i].file, report->errors[i].line,
                report->errors[i].message);
    fprintf(stderr, "policies refused: %zu problems in \"%s\"\n", report->error_count, dir);
}

static bool run(const struct replay_settings *settings, struct history *history)
{
    struct policy_report *report = xcalloc(1, sizeof(*report));
    struct replay_totals totals;
    struct reason why;
    const char *refused;
    bool same = false;
    struct replay *replay = replay_new(settings, report, &refused);
    if (!replay) {
        print_refusal(refused, report);
    } else {
        struct restore_sink sink = replay_sink(replay);
        if (history_state(history, &sink, &why)) {
            feed_all(replay, history);
            replay_end(replay, &totals);
            same = print_totals(&totals);
            if (totals.messages == 0) {
                fprintf(stderr, "nothing was recorded in that time: nothing was compared\n");
                same = false;
            }
        }
        replay_free(replay);
    }
    xfree(report);
    return same;
}

static bool read_since(const char *text, wall_t *since)
{
    *since = ABSENT;
    return !text || timetext_parse_date(span_of(text), since) ||
           timetext_parse(span_of(text), 0, since);
}

int cli_replay(const struct conf *conf, const struct replay_options *options)
{
    struct reason why;
    struct replay_settings settings = {.policy = &conf->policy,
                                       .station = &conf->station,
                                       .dir =
                                           options->policies ? options->policies : conf->policy.dir,
                                       .against = options->against,
                                       .found = on_difference};
    if (!read_since(options->since, &settings.since))
        return cli_usage("--since takes a date or a time such as 2026-10-01, not \"%s\"",
                         options->since);
    struct history *history = history_open(options->from, settings.since, &why);
    if (!history) {
        fprintf(stderr, "%s\n", why.text);
        return EXIT_REFUSED;
    }
    bool same = run(&settings, history);
    if (!history_close(history, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return EXIT_REFUSED;
    }
    return same ? EXIT_OK : EXIT_REFUSED;
}

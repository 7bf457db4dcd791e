/* 2 h 43 min of a real charger (captures/README.md), its side replayed under its own clock.
 *
 * What its backend got wrong must come out right: every CALL is answered, nothing is refused, no
 * repeat makes a second transaction, every stop finds its transaction, energy adds up. Skipped
 * where the capture is not at hand. */
#include "fake.h"

#include <stdlib.h>

struct replay {
    struct fake *f;
    uint64_t connection;
    size_t calls, results, errors;
};

static void look_at_answers(struct replay *replay)
{
    const char *text;
    while (*(text = next_sent(replay->f))) {
        const char *frame = strchr(text, '[');
        if (strncmp(frame, "[3,", 3) == 0)
            replay->results++;
        else
            replay->errors++;
    }
    lines_clear(&replay->f->sent);
}

static void play_line(struct replay *replay, const struct json *line)
{
    struct fake *f = replay->f;
    const char *direction = json_gets(line, "direction");
    const char *frame = json_gets(line, "frame");
    wall_t at;
    assert_true(timetext_parse(span_of(json_gets(line, "ts")), 0, &at));
    if (at > wall_now())
        pass(f, at - wall_now());
    if (text_is(direction, "open")) {
        up(f, "CP1", ++replay->connection);
    } else if (text_is(direction, "close")) {
        down(f, "CP1", replay->connection);
    } else if (text_is(direction, "CP>CS") && frame) {
        replay->calls += strncmp(frame, "[2,", 3) == 0;
        say(f, "CP1", frame);
    }
    look_at_answers(replay);
    station_flush(f->st);
}

static void a_real_charger_loses_nothing(void **state)
{
    (void)state;
    FILE *file = fopen(SHARED_DIR "/captures/gresgying-1.jsonl", "r");
    if (!file)
        skip();
    struct fake *f = fake_with_cp1();
    struct replay replay = {.f = f, .connection = 1};
    f->last_id = 1000;         /* as its backend counted, so that its stops find their starts */
    clock_fake(1752453900000); /* 2025-07-14T00:45Z */
    char *text = NULL;
    size_t room = 0;
    for (ssize_t len; (len = getline(&text, &room, file)) > 0;) {
        struct arena arena = {0};
        const struct json *line =
            json_parse(&arena, text, (size_t)len - (text[len - 1] == '\n'), NULL, NULL);
        assert_non_null(line);
        play_line(&replay, line);
        arena_clear(&arena);
    }
    fclose(file);
    free(text);
    assert_int_equal(replay.results, replay.calls); /* R2 */
    assert_int_equal(replay.errors, 0);
    assert_int_equal(replay.calls, 524);
    EXPECT_ROWS(f, 29, "START flags=0");
    EXPECT_ROWS(f, 29, "START");
    EXPECT_ROWS(f, 29, "STOP flags=0");
    EXPECT_ROWS(f, 0, "ORPHAN");
    EXPECT_ROWS(f, 0, "EVENT kind=meter_gap");
    EXPECT_ROWS(f, 0, "METER implausible=1");
    EXPECT_ROWS(f, 1, "STOP id=1001 energy=1539 reason=Remote");
    size_t at = 0;
    assert_null(station_transaction_next(f->st, &at));
    assert_int_equal(station_find(f->st, "CP1")->deviations, 0);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_real_charger_loses_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Series of meter values: windows, slices, idle time, and how they are thinned. */
#include "fake.h"
#include "station/meter_normalise.h"

enum { MINUTE = 60000, QUARTER = 15 * MINUTE, HOUR = 60 * MINUTE };

/* 2026-05-01T12:00:00Z */
static const wall_t START = 1777636800000;

static struct transaction started(int64_t meter_start_wh)
{
    return (struct transaction){.id = 1,
                                .start_ms = START,
                                .meter_start_wh = meter_start_wh,
                                .meter_stop_wh = ABSENT,
                                .energy_wh = ABSENT,
                                .sample = {.energy_wh = ABSENT, .power_w = ABSENT, .soc = ABSENT}};
}

static void add(struct transaction *tx, int64_t ms, struct meter_reading reading)
{
    if (reading.energy_wh != ABSENT && START + ms >= tx->sample.at) {
        tx->sample.energy_wh = reading.energy_wh;
        tx->sample.at = START + ms;
    }
    track_add(tx, START + ms, &reading);
}

static struct meter_reading reading_of(int64_t energy_wh, int64_t power_w, int64_t soc)
{
    return (struct meter_reading){.energy_wh = energy_wh,
                                  .power_w = power_w,
                                  .soc = soc,
                                  .temperature_dc = ABSENT,
                                  .voltage_dv = ABSENT,
                                  .current_da = ABSENT};
}

static void energy(struct transaction *tx, int64_t ms, int64_t energy_wh)
{
    add(tx, ms, reading_of(energy_wh, ABSENT, ABSENT));
}

static void power(struct transaction *tx, int64_t ms, int64_t power_w)
{
    add(tx, ms, reading_of(ABSENT, power_w, ABSENT));
}

static void stop(struct transaction *tx, int64_t ms, int64_t energy_wh)
{
    tx->stopped = true;
    tx->stop_ms = START + ms;
    tx->energy_wh = energy_wh;
}

/* ---- windows ---- */

static struct track_window window(const struct transaction *tx, enum track_quantity quantity,
                                  int64_t from, int64_t to)
{
    struct track_window out;
    assert_true(track_window(tx, quantity, START + from, START + to, &out));
    return out;
}

#define EQUAL(a, b) assert_true((a) > (b)-1e-9 && (a) < (b) + 1e-9)

static void windows(void **state)
{
    (void)state;
    struct transaction tx = started(0);
    struct track_window w;
    assert_false(track_window(&tx, TRACK_POWER, START, START + HOUR, &w));
    power(&tx, 1 * MINUTE, 1000);
    w = window(&tx, TRACK_POWER, 0, HOUR);
    EQUAL(w.mean, 1000);
    assert_int_equal(w.ms, 0);
    power(&tx, 5 * MINUTE, 2000);
    power(&tx, 6 * MINUTE, 8000);
    w = window(&tx, TRACK_POWER, 0, HOUR);
    EQUAL(w.mean, (1500.0 * 4 + 5000) / 5); /* by time, not by count */
    EQUAL(w.min, 1000);
    EQUAL(w.max, 8000);
    EQUAL(w.first, 1000);
    EQUAL(w.last, 8000);
    assert_int_equal(w.count, 3);
    assert_int_equal(w.ms, 5 * MINUTE);
    assert_false(track_window(&tx, TRACK_SOC, START, START + HOUR, &w));
    assert_false(track_window(&tx, TRACK_POWER, START + 6 * MINUTE, START + HOUR, &w));
    w = window(&tx, TRACK_POWER, 0, 5 * MINUTE); /* what came later is not in it */
    EQUAL(w.last, 2000);
    track_clear(&tx.track);
}

/* The value at the beginning lies between the one before and the first within. */
static void windows_begin_with_what_was_before(void **state)
{
    (void)state;
    struct transaction tx = started(0);
    add(&tx, 0, reading_of(100, 1000, 50));
    add(&tx, 10 * MINUTE, reading_of(201, 3000, 53));
    struct track_window w = window(&tx, TRACK_POWER, 5 * MINUTE, HOUR);
    EQUAL(w.first, 2000);
    EQUAL(w.mean, 2500);
    assert_int_equal(w.count, 1);
    assert_int_equal(w.ms, 5 * MINUTE);
    w = window(&tx, TRACK_ENERGY, 5 * MINUTE, HOUR);
    EQUAL(w.first, 151); /* 150.5: whole Wh */
    EQUAL(w.last, 201);
    w = window(&tx, TRACK_SOC, 5 * MINUTE, HOUR); /* percents go in steps */
    EQUAL(w.first, 50);
    EQUAL(w.last, 53);
    track_clear(&tx.track);
}

static void tenths(void **state)
{
    (void)state;
    struct transaction tx = started(0);
    struct meter_reading reading = reading_of(ABSENT, ABSENT, ABSENT);
    reading.voltage_dv = 2305;
    reading.current_da = 161;
    reading.temperature_dc = -55;
    add(&tx, 0, reading);
    EQUAL(window(&tx, TRACK_VOLTAGE, -1, 1).last, 230.5);
    EQUAL(window(&tx, TRACK_CURRENT, -1, 1).last, 16.1);
    EQUAL(window(&tx, TRACK_TEMPERATURE, -1, 1).last, -5.5);
    reading.voltage_dv = INT64_MAX; /* of no real meter */
    reading.current_da = INT64_MIN + 1;
    add(&tx, 1, reading);
    assert_true(window(&tx, TRACK_VOLTAGE, 0, 1).last > 2e8);
    assert_true(window(&tx, TRACK_CURRENT, 0, 1).last < -2e8);
    track_clear(&tx.track);
}

static void order_does_not_matter(void **state)
{
    (void)state;
    struct transaction tx = started(0);
    power(&tx, 3 * MINUTE, 3000);
    power(&tx, 1 * MINUTE, 1000);
    power(&tx, 2 * MINUTE, 2000);
    energy(&tx, 2 * MINUTE, 70); /* of the same time: merged */
    assert_int_equal(tx.track.count, 3);
    struct track_window w = window(&tx, TRACK_POWER, 0, HOUR);
    EQUAL(w.first, 1000);
    EQUAL(w.mean, 2000);
    EQUAL(w.last, 3000);
    EQUAL(window(&tx, TRACK_ENERGY, 0, HOUR).last, 70);
    track_clear(&tx.track);
}

/* V6: the energies of a register that turned out to be another one are void. */
static void another_register(void **state)
{
    (void)state;
    struct transaction tx = started(100000);
    energy(&tx, 1 * MINUTE, 100010);
    tx.flags |= TX_SESSION_REGISTER;
    energy(&tx, 2 * MINUTE, 20);
    energy(&tx, 3 * MINUTE, 30);
    struct track_window w = window(&tx, TRACK_ENERGY, 0, HOUR);
    EQUAL(w.first, 20);
    assert_int_equal(w.count, 2);
    track_clear(&tx.track);
}

/* ---- slices ---- */

static size_t slices(const struct transaction *tx, wall_t end, int64_t period, int64_t zone,
                     struct track_slice *out, size_t room)
{
    size_t count = track_slice_count(tx, end, period, zone);
    assert_true(count <= room);
    track_slices(tx, end, period, zone, out);
    return count;
}

static void slices_end_at_quarters(void **state)
{
    (void)state;
    struct transaction tx = started(500);
    struct track_slice out[8];
    tx.start_ms += 5 * MINUTE;
    energy(&tx, 20 * MINUTE, 2000); /* 1500 in 15 min: 1000 to the quarter, 500 after */
    stop(&tx, 30 * MINUTE, 2501);
    assert_int_equal(slices(&tx, track_end(&tx), QUARTER, 0, out, 8), 2);
    assert_int_equal(out[0].start, START + 5 * MINUTE);
    assert_int_equal(out[0].ms, 10 * MINUTE);
    assert_int_equal(out[0].energy_wh, 1000);
    assert_int_equal(out[1].start, START + 15 * MINUTE);
    assert_int_equal(out[1].ms, 15 * MINUTE);
    assert_int_equal(out[1].energy_wh, 1501);
    assert_int_equal(slices(&tx, track_end(&tx), 24 * HOUR, 0, out, 8), 1);
    assert_int_equal(out[0].energy_wh, 2501);
    track_clear(&tx.track);
}

/* 12:00Z is 17:45 in Nepal, so a whole hour begins after 15 minutes. */
static void slices_are_of_site_time(void **state)
{
    (void)state;
    struct transaction tx = started(0);
    struct track_slice out[8];
    stop(&tx, 80 * MINUTE, 800);
    assert_int_equal(slices(&tx, track_end(&tx), HOUR, 345 * MINUTE, out, 8), 3);
    assert_int_equal(out[0].energy_wh, 150);
    assert_int_equal(out[1].start, START + 15 * MINUTE);
    assert_int_equal(out[1].energy_wh, 600);
    assert_int_equal(out[2].ms, 5 * MINUTE);
    assert_int_equal(out[2].energy_wh, 50);
    tx.start_ms = START - 1800000LL * HOUR; /* before 1970 */
    assert_int_equal(track_slice_count(&tx, tx.start_ms + 80 * MINUTE, HOUR, 345 * MINUTE), 3);
    track_clear(&tx.track);
}

static void slices_of_what_runs(void **state)
{
    (void)state;
    struct transaction tx = started(0);
    struct track_slice out[8];
    clock_fake(START + 40 * MINUTE);
    energy(&tx, 15 * MINUTE, 900);
    assert_int_equal(slices(&tx, track_end(&tx), QUARTER, 0, out, 8), 3);
    assert_int_equal(out[0].energy_wh, 900);
    assert_int_equal(out[1].energy_wh, 0);
    assert_int_equal(out[2].ms, 10 * MINUTE);
    clock_fake(START - 1);
    assert_int_equal(slices(&tx, track_end(&tx), QUARTER, 0, out, 8), 1); /* its clock is ahead */
    assert_int_equal(out[0].energy_wh, 900);
    assert_int_equal(out[0].ms, 0);
    track_clear(&tx.track);
}

static void slices_without_energy(void **state)
{
    (void)state;
    struct transaction tx = started(ABSENT);
    struct track_slice out[8];
    energy(&tx, 5 * MINUTE, 900);
    stop(&tx, 20 * MINUTE, ABSENT);
    tx.sample.energy_wh = ABSENT;
    assert_int_equal(slices(&tx, track_end(&tx), QUARTER, 0, out, 8), 2);
    assert_int_equal(out[0].energy_wh, ABSENT);
    assert_int_equal(out[1].energy_wh, ABSENT);
    track_clear(&tx.track);
}

/* Readings above the figures of the stop, below the start, before it and after it. */
static void slices_of_odd_readings(void **state)
{
    (void)state;
    struct transaction tx = started(1000);
    struct track_slice out[8];
    energy(&tx, -5 * MINUTE, 1100);
    energy(&tx, 1 * MINUTE, 990);
    energy(&tx, 10 * MINUTE, 9000);
    energy(&tx, 15 * MINUTE, 1500);
    energy(&tx, 35 * MINUTE, 1700);
    stop(&tx, 30 * MINUTE, 600);
    assert_int_equal(slices(&tx, track_end(&tx), QUARTER, 0, out, 8), 2);
    assert_int_equal(out[0].energy_wh, 500);
    assert_int_equal(out[1].energy_wh, 100);
    track_clear(&tx.track);
}

static int64_t sum_of(const struct transaction *tx, int64_t period, int64_t zone)
{
    size_t count = track_slice_count(tx, track_end(tx), period, zone);
    struct track_slice *out = xcalloc(count + 1, sizeof(*out));
    int64_t sum = 0;
    track_slices(tx, track_end(tx), period, zone, out);
    for (size_t i = 0; i < count; i++) {
        assert_true(out[i].energy_wh >= 0);
        assert_true(i == 0 || out[i].start == out[i - 1].start + out[i - 1].ms);
        sum += out[i].energy_wh;
    }
    assert_true(count == 0 || out[count - 1].start + out[count - 1].ms == track_end(tx));
    xfree(out);
    return sum;
}

static uint64_t chance = 20261124;

static int64_t below(int64_t limit)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((chance >> 33) % (uint64_t)limit);
}

/* Whatever the readings, the slices add up to the energy of the transaction. */
static void slices_add_up(void **state)
{
    (void)state;
    static const int64_t periods[] = {MINUTE, QUARTER, HOUR, 24 * HOUR};
    for (int round = 0; round < 300; round++) {
        struct transaction tx = started(below(100000));
        int64_t at = 0, meter = tx.meter_start_wh;
        for (int64_t n = below(400); n > 0; n--) {
            at += 1 + below(10 * MINUTE);
            meter += below(700);
            energy(&tx, at, below(20) ? meter : below(200000));
        }
        stop(&tx, at + below(HOUR), meter - tx.meter_start_wh);
        for (size_t i = 0; i < ARRAY_LEN(periods); i++)
            assert_int_equal(sum_of(&tx, periods[i], 345 * MINUTE), tx.energy_wh);
        track_clear(&tx.track);
    }
}

/* ---- thinning ---- */

/* A reading each `step` over `hours`; the energy of each quarter is as if all had been kept. */
static void long_one(int64_t step, int64_t hours, size_t most)
{
    struct transaction tx = started(0);
    struct track_slice out[400];
    int64_t end = hours * HOUR;
    for (int64_t ms = step; ms <= end; ms += step) {
        double h = (double)ms / HOUR;
        energy(&tx, ms, (int64_t)(1000 * h * h));
        assert_true(tx.track.count <= most);
        assert_true(tx.track.room <= TRACK_MAX);
    }
    stop(&tx, end, tx.sample.energy_wh);
    size_t count = slices(&tx, track_end(&tx), QUARTER, 0, out, ARRAY_LEN(out));
    assert_int_equal(count, (size_t)hours * 4);
    for (size_t i = 0; i < count; i++) {
        double a = (double)i / 4, b = a + 0.25;
        int64_t expected = (int64_t)(1000 * b * b) - (int64_t)(1000 * a * a);
        assert_true(out[i].energy_wh >= expected - 1 && out[i].energy_wh <= expected + 1);
    }
    track_clear(&tx.track);
}

static void thinning_keeps_the_quarters(void **state)
{
    (void)state;
    long_one(MINUTE, 24, TRACK_EASY * 2);
    long_one(10 * 1000, 48, TRACK_MAX);
    long_one(1000, 12, TRACK_MAX);
}

static void the_last_hour_is_whole(void **state)
{
    (void)state;
    struct transaction tx = started(0);
    for (int i = 1; i <= 600; i++)
        add(&tx, i * MINUTE, reading_of(i, 1000 + i, 50));
    assert_true(tx.track.count < 300);
    struct track_window w = window(&tx, TRACK_POWER, 540 * MINUTE, 600 * MINUTE);
    assert_int_equal(w.count, 60);
    EQUAL(w.mean, 1570);
    track_clear(&tx.track);
}

/* Even weeks, and even readings without any energy. */
static void never_more_than_the_most(void **state)
{
    (void)state;
    struct transaction tx = started(0);
    for (int64_t i = 0; i < 20000; i++) {
        energy(&tx, i * QUARTER, i);
        assert_true(tx.track.count <= TRACK_MAX);
    }
    stop(&tx, 20000LL * QUARTER, 20000);
    assert_int_equal(sum_of(&tx, QUARTER, 0), 20000);
    track_clear(&tx.track);
    for (int64_t i = 0; i < 20000; i++)
        power(&tx, i * 100, i);
    assert_true(tx.track.count <= TRACK_MAX);
    assert_int_equal(window(&tx, TRACK_POWER, 0, 2000000).last, 19999);
    track_clear(&tx.track);
}

/* ---- idle ---- */

static int64_t idle_minutes(const struct transaction *tx)
{
    return track_idle_ms(tx) / MINUTE;
}

static void idle_by_power(void **state)
{
    (void)state;
    struct transaction tx = started(0);
    clock_fake(START + 5 * HOUR);
    assert_int_equal(idle_minutes(&tx), 0); /* nobody knows */
    power(&tx, 10 * MINUTE, 300);
    assert_int_equal(idle_minutes(&tx), 10); /* not yet */
    power(&tx, 11 * MINUTE, 301);
    assert_int_equal(idle_minutes(&tx), 0);
    power(&tx, 31 * MINUTE, 0);
    assert_int_equal(idle_minutes(&tx), 20);
    assert_int_equal(idle_minutes(&tx), 20); /* silence proves nothing */
    power(&tx, 20 * MINUTE, 5000);           /* late news */
    assert_int_equal(idle_minutes(&tx), 11);
    add(&tx, 40 * MINUTE, reading_of(ABSENT, ABSENT, 50));
    assert_int_equal(idle_minutes(&tx), 11);
    track_clear(&tx.track);
}

static void idle_by_energy(void **state)
{
    (void)state;
    struct transaction tx = started(1000);
    energy(&tx, 10 * MINUTE, 1050);
    assert_int_equal(idle_minutes(&tx), 10);
    energy(&tx, 20 * MINUTE, 1101);
    assert_int_equal(idle_minutes(&tx), 0); /* 51 Wh in 10 minutes: 306 W */
    energy(&tx, 40 * MINUTE, 1176);
    assert_int_equal(idle_minutes(&tx), 20); /* 75 Wh in 20 minutes */
    energy(&tx, 60 * MINUTE, 1252);          /* 76: in doubt it charged */
    assert_int_equal(idle_minutes(&tx), 0);
    track_clear(&tx.track);
}

static void idle_at_the_end(void **state)
{
    (void)state;
    struct transaction tx = started(0);
    add(&tx, 10 * MINUTE, reading_of(1000, 6000, ABSENT));
    add(&tx, 20 * MINUTE, reading_of(1000, 0, ABSENT));
    stop(&tx, 3 * HOUR, 1000); /* the charger said nothing more, and the register stood still */
    assert_int_equal(idle_minutes(&tx), 170);
    tx.energy_wh = 1100;
    assert_int_equal(idle_minutes(&tx), 0);
    tx.energy_wh = tx.sample.energy_wh = ABSENT;
    assert_int_equal(idle_minutes(&tx), 10);
    track_clear(&tx.track);
    tx = started(0); /* no meter values at all */
    stop(&tx, 3 * HOUR, 5000);
    assert_int_equal(idle_minutes(&tx), 0);
    stop(&tx, 3 * HOUR, 0);
    assert_int_equal(idle_minutes(&tx), 180);
    stop(&tx, 3 * HOUR, ABSENT);
    assert_int_equal(idle_minutes(&tx), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows),
        cmocka_unit_test(windows_begin_with_what_was_before),
        cmocka_unit_test(tenths),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(another_register),
        cmocka_unit_test(slices_end_at_quarters),
        cmocka_unit_test(slices_are_of_site_time),
        cmocka_unit_test(slices_of_what_runs),
        cmocka_unit_test(slices_without_energy),
        cmocka_unit_test(slices_of_odd_readings),
        cmocka_unit_test(slices_add_up),
        cmocka_unit_test(thinning_keeps_the_quarters),
        cmocka_unit_test(the_last_hour_is_whole),
        cmocka_unit_test(never_more_than_the_most),
        cmocka_unit_test(idle_by_power),
        cmocka_unit_test(idle_by_energy),
        cmocka_unit_test(idle_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

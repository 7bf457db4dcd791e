/* The car: its curves, the full battery, the stall. */
#include <math.h>

#include "place_world.h"

static double wants(enum car_kind kind, double soc)
{
    struct vehicle car;
    vehicle_arrive(&car, kind, 75000, soc);
    return vehicle_wants_w(&car);
}

static void test_dc_curve(void **state)
{
    (void)state;
    assert_true(wants(CAR_DC, 30) == 180000);
    assert_true(wants(CAR_DC, 50) == 180000);
    assert_true(wants(CAR_DC, 0) < 180000 && wants(CAR_DC, 0) >= 120000);
    assert_true(wants(CAR_DC, 65) < 150000);
    assert_true(wants(CAR_DC, 80) <= 90000);
    assert_true(wants(CAR_DC, 99) < 20000);
    assert_true(wants(CAR_DC, 100) == 0);
    for (double soc = 50; soc < 100; soc++)
        assert_true(wants(CAR_DC, soc + 1) < wants(CAR_DC, soc));
}

static void test_ac_curve(void **state)
{
    (void)state;
    assert_true(wants(CAR_AC, 0) == 22000);
    assert_true(wants(CAR_AC, 95) == 22000);
    assert_true(wants(CAR_AC, 98) < 15000);
    assert_true(wants(CAR_AC, 100) == 0);
}

static void test_battery_takes_no_more_than_it_holds(void **state)
{
    (void)state;
    struct vehicle car;
    vehicle_arrive(&car, CAR_DC, 75000, 99);
    double energy = vehicle_charge(&car, 100000, 3600000);
    assert_true(fabs(energy - 750) < 0.001);
    assert_true(vehicle_full(&car));
    vehicle_arrive(&car, CAR_DC, 75000, 20);
    energy = vehicle_charge(&car, 120000, 60000);
    assert_true(fabs(energy - 2000) < 0.001);
    assert_true(fabs(car.soc - (20 + 2000.0 / 750)) < 0.001);
}

static void test_stall_lowers_only(void **state)
{
    (void)state;
    struct vehicle car;
    vehicle_arrive(&car, CAR_DC, 75000, 99);
    car.stalled_w = 1e6;
    assert_true(vehicle_wants_w(&car) < 20000);
    car.stalled_w = 0;
    assert_true(vehicle_wants_w(&car) == 0);
}

static void test_odd_settings_are_bounded(void **state)
{
    (void)state;
    struct vehicle car;
    vehicle_arrive(&car, CAR_DC, 0, 150);
    assert_true(car.soc == 100 && car.capacity_wh > 0);
    vehicle_arrive(&car, CAR_DC, 75000, -3);
    assert_true(car.soc == 0);
}

static void test_session_fills_and_suspends(void **state)
{
    (void)state;
    world_charge(1, "TAG", 7);
    charger_set_soc(&world.charger, 1, 99.5, NULL);
    world_pass(10 * 60 * 1000);
    assert_string_equal(connector_status_text(&world.charger, 1), "SuspendedEV");
    assert_true(world_connector(1)->car.soc == 100);
    assert_int_equal(meter_register_wh(world_connector(1)), 375);
    assert_true(world_connector(1)->power_w == 0);
}

static void test_power_of_charger_bounds_the_car(void **state)
{
    (void)state;
    world_charge(1, "TAG", 7);
    world_pass(60000);
    assert_true(world_connector(1)->power_w == 120000);
    assert_int_equal(meter_register_wh(world_connector(1)), 2000);
    assert_true(world_connector(1)->temperature_c > 20);
    charger_stall(&world.charger, 1, 5000, NULL);
    assert_true(world_connector(1)->power_w == 5000);
    charger_stall(&world.charger, 1, -1, NULL);
    assert_true(world_connector(1)->power_w == 120000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dc_curve),
        cmocka_unit_test(test_ac_curve),
        cmocka_unit_test(test_battery_takes_no_more_than_it_holds),
        cmocka_unit_test(test_stall_lowers_only),
        cmocka_unit_test(test_odd_settings_are_bounded),
        cmocka_unit_test_setup_teardown(test_session_fills_and_suspends, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_power_of_charger_bounds_the_car, world_open,
                                        world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

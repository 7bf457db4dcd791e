/* Before the 101: rules T4, T5, T8, G1 to G4, W3. */
#include "fake.h"

#include "base/digest.h"

static struct fake *fake_in(enum admission_mode mode)
{
    struct fake *f = fake_new();
    f->settings.registration = mode;
    station_free(f->st);
    fake_open(f);
    return f;
}

static enum admission admit_from(struct fake *f, const char *id, const char *password,
                                 const char *peer, bool tls)
{
    struct handshake hs = {.path = "/", .peer = peer, .tls = tls};
    struct strbuf header = {0};
    text_copy(hs.identity, sizeof(hs.identity), span_of(id));
    if (password) {
        char *pair = xprintf("%s:%s", id, password);
        strbuf_adds(&header, "Basic ");
        base64_encode(pair, strlen(pair), &header);
        hs.authorization = header.at;
        xfree(pair);
    }
    enum admission admission = station_admit(f->st, &hs, false);
    strbuf_clear(&header);
    return admission;
}

static enum admission admit(struct fake *f, const char *id, const char *password)
{
    return admit_from(f, id, password, "192.0.2.7", false);
}

#define SECRET "0123456789abcdef"

static void with_password(struct fake *f, const char *id)
{
    const struct charge_point_change change = {.registration = "accepted",
                                               .password = SECRET,
                                               .password_len = strlen(SECRET),
                                               .security_profile = ABSENT};
    assert_true(station_register(f->st, id, &change, NULL, NULL, NULL));
}

static void t4_unknown_stations_by_mode(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_CLOSED);
    assert_int_equal(admit(f, "NEW", NULL), ADMISSION_UNKNOWN);
    EXPECT_ROWS(f, 1, "SECURITY cp=NEW type=UnknownStation info=192.0.2.7");
    struct handshake hs = {.path = "/", .peer = "192.0.2.7"};
    text_copy(hs.identity, sizeof(hs.identity), span_of("NEW"));
    assert_int_equal(station_admit(f->st, &hs, true), ADMISSION_OK); /* a policy vouches for it */
    up(f, "NEW", 1);
    assert_int_equal(station_find(f->st, "NEW")->registration, REGISTRATION_PENDING);
    down(f, "NEW", 1);
    assert_int_equal(admit(f, "NEW", NULL), ADMISSION_UNKNOWN); /* merely seen is not known */
    const struct charge_point_change change = {.security_profile = ABSENT};
    assert_true(station_register(f->st, "NEW", &change, NULL, NULL, NULL));
    assert_int_equal(admit(f, "new", NULL), ADMISSION_OK);
    fake_free(f);
    f = fake_in(ADMIT_PENDING);
    assert_int_equal(admit(f, "NEW", NULL), ADMISSION_OK);
    assert_null(station_find(f->st, "NEW")); /* admitting changes nothing */
    fake_free(f);
}

static void t5_g4_the_password_is_checked(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_PENDING);
    with_password(f, "CP1");
    assert_int_equal(station_find(f->st, "CP1")->security_profile, 1);
    assert_int_equal(admit(f, "CP1", SECRET), ADMISSION_OK);
    assert_int_equal(admit(f, "CP1", NULL), ADMISSION_CREDENTIALS);
    assert_int_equal(admit(f, "CP1", "0123456789abcdeF"), ADMISSION_CREDENTIALS);
    EXPECT_ROWS(f, 2, "SECURITY cp=CP1 type=CredentialsRefused");
    EXPECT_ROWS(f, 0, "CHARGE_POINT hash=" SECRET); /* hashes only */
    assert_null(strstr(station_find(f->st, "CP1")->password_hash, SECRET));
    fake_free(f);
}

static void g1_the_profile_is_fixed(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_PENDING);
    with_password(f, "CP1");
    assert_int_equal(admit_from(f, "CP1", SECRET, "192.0.2.7", true), ADMISSION_CREDENTIALS);
    const struct charge_point_change tls = {.security_profile = 2};
    assert_true(station_register(f->st, "CP1", &tls, NULL, NULL, NULL));
    assert_int_equal(admit_from(f, "CP1", SECRET, "192.0.2.7", true), ADMISSION_OK);
    assert_int_equal(admit(f, "CP1", SECRET), ADMISSION_CREDENTIALS);
    EXPECT_ROWS(f, 2, "SECURITY type=ProfileRefused");
    fake_free(f);
}

static void g4_guessing_is_stopped_for_a_minute(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_PENDING);
    with_password(f, "CP1");
    with_password(f, "CP2");
    for (int i = 0; i < 10; i++)
        assert_int_equal(admit(f, "CP1", "wrong wrong wrong"), ADMISSION_CREDENTIALS);
    assert_int_equal(admit(f, "CP1", SECRET), ADMISSION_BUSY);
    assert_int_equal(admit(f, "CP2", SECRET), ADMISSION_OK); /* a neighbour behind the same NAT */
    assert_int_equal(admit_from(f, "CP1", SECRET, "198.51.100.1", false), ADMISSION_OK);
    clock_advance(60000);
    assert_int_equal(admit(f, "CP1", SECRET), ADMISSION_OK);
    fake_free(f);
}

static void g4_an_address_that_guesses_for_many_is_stopped_whole(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_PENDING);
    for (int i = 0; i < 201; i++) {
        char *id = xprintf("CP%d", i);
        if (i < 41 || i == 200)
            with_password(f, id);
        xfree(id);
    }
    for (int i = 0; i < 200; i++) {
        char *id = xprintf("CP%d", i % 40);
        assert_int_equal(admit(f, id, "wrong wrong wrong"), ADMISSION_CREDENTIALS);
        xfree(id);
    }
    assert_int_equal(admit(f, "CP200", SECRET), ADMISSION_BUSY);
    EXPECT_ROWS(f, 20, "SECURITY"); /* not a flood */
    fake_free(f);
}

static void g4_the_failure_cache_is_bounded_and_forgets(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_CLOSED);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 10001; i++) {
            char *peer = xprintf("2001:db8::%x", i);
            assert_int_equal(admit_from(f, "NEW", NULL, peer, false), ADMISSION_UNKNOWN);
            xfree(peer);
        }
        clock_advance(round == 0 ? 60000 : 0); /* then old ones go first */
    }
    assert_int_equal(station_counters(f->st)->refused_admissions, 20002);
    f->fail = 1;
    station_flush(f->st);
    fake_free(f);
}

static void t8_the_assumed_version(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_PENDING);
    assert_null(station_assumed_version(f->st, "CP1"));
    const struct charge_point_change change = {.security_profile = ABSENT,
                                               .options = "{\"assumeProtocol\":\"ocpp1.6\"}"};
    assert_true(station_register(f->st, "CP1", &change, NULL, NULL, NULL));
    assert_ptr_equal(station_assumed_version(f->st, "CP1"), &version_16);
    fake_free(f);
}

static void strangers_are_bounded(void **state)
{
    (void)state;
    struct fake *f = fake_in(ADMIT_PENDING);
    for (int i = 0; i < 10000; i++) {
        char *id = xprintf("X%d", i);
        up(f, id, (uint64_t)i + 1);
        xfree(id);
    }
    f->fail = 1; /* so many lines are more than the double keeps */
    station_flush(f->st);
    assert_int_equal(admit(f, "ONE MORE", NULL), ADMISSION_BUSY);
    assert_int_equal(admit(f, "X7", NULL), ADMISSION_OK);
    const struct charge_point_change change = {.security_profile = ABSENT};
    assert_true(station_register(f->st, "X7", &change, NULL, NULL, NULL));
    assert_int_equal(admit(f, "ONE MORE", NULL), ADMISSION_OK);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t4_unknown_stations_by_mode),
        cmocka_unit_test(t5_g4_the_password_is_checked),
        cmocka_unit_test(g1_the_profile_is_fixed),
        cmocka_unit_test(g4_guessing_is_stopped_for_a_minute),
        cmocka_unit_test(g4_an_address_that_guesses_for_many_is_stopped_whole),
        cmocka_unit_test(g4_the_failure_cache_is_bounded_and_forgets),
        cmocka_unit_test(t8_the_assumed_version),
        cmocka_unit_test(strangers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

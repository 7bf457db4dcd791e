/* The handshake: identities in paths (T1 to T3), subprotocols (T6 to T8), Basic credentials (G2,
 * G3). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "ocpp/handshake.h"

static void test_identities(void **state)
{
    (void)state;
    static const struct {
        const char *path, *prefix, *identity;
    } cases[] = {
        {"/ocpp/CP1", "/ocpp", "CP1"},
        {"/CP1", "", "CP1"},
        {"/CP1", "/", "CP1"},
        {"/CP1", NULL, "CP1"},
        {"/EV/Srv/JSON/1.6/CP1", "/EV/Srv/JSON/1.6", "CP1"},
        {"/ocpp/CP1", "/ocpp/", "CP1"},
        {"/ocpp/Garage%20links", "/ocpp", "Garage links"},
        {"/ocpp/a%2Fb", "/ocpp", "a/b"},     /* T1: belongs to the identity */
        {"/ocpp/a%252Fb", "/ocpp", "a%2Fb"}, /* decoded once */
        {"/ocpp/a%7cb", "/ocpp", "a|b"},
        {"/ocpp/a+b", "/ocpp", "a+b"},
        {"/ocpp/*-_=:+|@.", "/ocpp", "*-_=:+|@."},
        {"/ocpp/%C3%A9", "/ocpp", "\xC3\xA9"},
        {"///charger", "", "charger"}, /* T3 */
        {"//ocpp///CP1", "/ocpp", "CP1"},
        {"/ocpp/CP1/", "/ocpp", "CP1"},
        {"/ocpp/ocpp", "/ocpp", "ocpp"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char identity[IDENTITY_MAX + 1];
        assert_true(handshake_identity(cases[i].path, cases[i].prefix, identity));
        assert_string_equal(identity, cases[i].identity);
    }
}

static void test_no_identity(void **state)
{
    (void)state;
    static const struct {
        const char *path, *prefix;
    } cases[] = {
        {"", "/ocpp"},          {NULL, "/ocpp"},          {"/", "/ocpp"},
        {"/ocpp", "/ocpp"},     {"/ocpp/", "/ocpp"},      {"/ocpp//", "/ocpp"},
        {"/OCPP/CP1", "/ocpp"}, {"/ocppx/CP1", "/ocpp"},  {"/ocp/CP1", "/ocpp"},
        {"/a/CP1", ""},         {"/ocpp/a/b", "/ocpp"},   {"ocpp/CP1", "/ocpp"},
        {"/ocpp/a%", "/ocpp"},  {"/ocpp/a%4", "/ocpp"},   {"/ocpp/a%4g", "/ocpp"},
        {"/ocpp/%", "/ocpp"},   {"/ocpp/a%00b", "/ocpp"}, {"/ocpp/%00", "/ocpp"},
        {"/ocpp/%FF", "/ocpp"}, {"/ocpp/a%0Ab", "/ocpp"}, {"/ocpp/%7F", "/ocpp"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char identity[IDENTITY_MAX + 1] = "left over";
        assert_false(handshake_identity(cases[i].path, cases[i].prefix, identity));
        assert_string_equal(identity, "");
    }
}

static void test_long_identity(void **state)
{
    (void)state;
    char path[2 + IDENTITY_MAX + 2] = "/";
    char identity[IDENTITY_MAX + 1];
    memset(path + 1, 'x', IDENTITY_MAX);
    assert_true(handshake_identity(path, "", identity));
    assert_int_equal(strlen(identity), IDENTITY_MAX);
    path[1 + IDENTITY_MAX] = 'x';
    assert_false(handshake_identity(path, "", identity));
}

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool known, offered;
    } cases[] = {
        {"ocpp1.6", true, true},
        {"ocpp1.5,ocpp1.6", true, true},
        {" ocpp2.9 ,\tocpp1.6 ", true, true},
        {"ocpp1.6, ocpp1.5", true, true},
        {",,ocpp1.6", true, true},
        {"ocpp1.5", false, true}, /* T7 */
        {"OCPP1.6", false, true}, /* T6: exact */
        {"ocpp2.0.1.1", false, true},
        {NULL, false, false}, /* T8 */
        {"", false, false},
        {" , ", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool offered = !cases[i].offered;
        const struct version *version = handshake_version(cases[i].header, &offered);
        assert_ptr_equal(version, cases[i].known ? &version_16 : NULL);
        assert_int_equal(offered, cases[i].offered);
    }
}

/* Header made of `pair`; the password must be `len` bytes at `password`, or none. */
static void check_password(const char *scheme, const void *pair, size_t pair_len,
                           const char *identity, const void *password, size_t len)
{
    struct strbuf header = {0};
    struct strbuf found = {0};
    strbuf_adds(&header, scheme);
    base64_encode(pair, pair_len, &header);
    bool ok = handshake_password(strbuf_text(&header), identity, &found);
    assert_int_equal(ok, password != NULL);
    if (ok) {
        assert_int_equal(found.len, len);
        assert_memory_equal(strbuf_text(&found), password, len);
    } else {
        assert_int_equal(found.len, 0);
    }
    strbuf_clear(&header);
    strbuf_clear(&found);
}

static void test_passwords(void **state)
{
    (void)state;
    check_password("Basic ", "CP1:secret", 10, "CP1", "secret", 6);
    check_password("basic  ", "CP1:secret", 10, "CP1", "secret", 6);
    check_password("Basic ", "cp1:secret", 10, "CP1", "secret", 6); /* T2 */
    /* G2: passwords are binary, identities may hold colons. */
    check_password("Basic ", "CP1:a\0b:\xFF", 9, "CP1", "a\0b:\xFF", 5);
    check_password("Basic ", "a:b:c:d", 7, "a:b", "c:d", 3);
    check_password("Basic ", "CP1:", 4, "CP1", "", 0);

    check_password("Basic ", "CP2:secret", 10, "CP1", NULL, 0);
    check_password("Basic ", "CP12:secret", 11, "CP1", NULL, 0);
    check_password("Basic ", "CP1", 3, "CP1", NULL, 0);
    check_password("Basic ", "CP", 2, "CP1", NULL, 0);
    check_password("Basic ", "", 0, "CP1", NULL, 0);
    check_password("Basic ", ":secret", 7, "", NULL, 0);
    check_password("Bearer ", "CP1:secret", 10, "CP1", NULL, 0);
    check_password("Basic", "CP1:secret", 10, "CP1", NULL, 0);
}

static void test_password_header_faults(void **state)
{
    (void)state;
    static const char *const headers[] = {NULL,     "",           " ",          "Basic",
                                          "Basic ", "Basic !!!!", "Basic Q1AxO"};
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct strbuf found = {0};
        assert_false(handshake_password(headers[i], "CP1", &found));
        assert_int_equal(found.len, 0);
    }
}

/* Appended, as promised. */
static void test_password_is_appended(void **state)
{
    (void)state;
    struct strbuf found = {0};
    strbuf_adds(&found, "x");
    assert_true(handshake_password("Basic Q1AxOnNlY3JldA==", "CP1", &found));
    assert_string_equal(strbuf_text(&found), "xsecret");
    strbuf_clear(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identities),
        cmocka_unit_test(test_no_identity),
        cmocka_unit_test(test_long_identity),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_password_header_faults),
        cmocka_unit_test(test_password_is_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

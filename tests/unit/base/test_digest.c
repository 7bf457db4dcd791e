/* Digests and encodings against published vectors; stored secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/random.h"

static void test_sha256(void **state)
{
    (void)state;
    char hex[SHA256_HEX_SIZE];
    sha256_hex("abc", 3, hex); /* FIPS 180-2, B.1 */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex(NULL, 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_hex(void **state)
{
    (void)state;
    unsigned char bytes[4];
    size_t len = sizeof bytes;
    char text[9];
    assert_true(hex_decode(SPAN("00fFA510"), bytes, &len));
    assert_int_equal(len, 4);
    hex_encode(bytes, len, text);
    assert_string_equal(text, "00ffa510");
    assert_true(hex_decode(SPAN(""), bytes, &len));
    assert_int_equal(len, 0);
    static const char *const bad[] = {"0", "0g", "g0", " 00", "0x00", "0011223344"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        len = sizeof bytes;
        assert_false(hex_decode(span_of(bad[i]), bytes, &len));
    }
}

static void test_base64_vectors(void **state)
{
    (void)state;
    static const char *const rows[][2] = {/* RFC 4648 §10 */
                                          {"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf out = {0};
        base64_encode(rows[i][0], strlen(rows[i][0]), &out);
        assert_string_equal(strbuf_text(&out), rows[i][1]);
        strbuf_reset(&out);
        assert_true(base64_decode(span_of(rows[i][1]), &out));
        assert_string_equal(strbuf_text(&out), rows[i][0]);
        strbuf_clear(&out);
    }
}

static void test_base64_of_all_bytes(void **state)
{
    (void)state;
    struct strbuf text = {0};
    struct strbuf back = {0};
    for (size_t len = 0; len < 100; len++) {
        unsigned char bytes[100];
        random_bytes(bytes, len);
        strbuf_reset(&text);
        strbuf_reset(&back);
        base64_encode(bytes, len, &text);
        assert_true(base64_decode((struct span){strbuf_text(&text), text.len}, &back));
        assert_int_equal(back.len, len);
        assert_memory_equal(strbuf_text(&back), bytes, len);
    }
    strbuf_clear(&text);
    strbuf_clear(&back);
}

static void test_base64_faults(void **state)
{
    (void)state;
    struct strbuf out = {0};
    strbuf_adds(&out, "kept");
    static const char *const bad[] = {"Z",    "Zg=",  "Zg===", "Z===",    "====",  "Zm9v Zg==",
                                      "Zm8-", "Zm_v", "Z=9v",  "Zm9vZg=", "Zm9v\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(base64_decode(span_of(bad[i]), &out));
        assert_string_equal(out.at, "kept");
    }
    assert_true(base64_decode(SPAN("Zm9vYg"), &out)); /* without padding */
    assert_string_equal(out.at, "keptfoob");
    strbuf_clear(&out);
}

static void test_secrets(void **state)
{
    (void)state;
    char stored[SECRET_HASH_SIZE], again[SECRET_HASH_SIZE];
    struct span secret = SPAN("p\0ss:w\xFFrd");
    secret_hash(secret, stored);
    secret_hash(secret, again);
    assert_string_not_equal(stored, again); /* salted */
    assert_ptr_equal(strstr(stored, "pbkdf2-sha256$1000$"), stored);
    assert_true(secret_matches(secret, stored));
    assert_true(secret_matches(secret, again));
    assert_false(secret_matches(SPAN("p\0ss:w\xFFrx"), stored));
    assert_false(secret_matches(SPAN("p"), stored));
    assert_false(secret_matches(SPAN(""), stored));
    secret_hash(SPAN(""), stored);
    assert_true(secret_matches(span_of(NULL), stored));
}

/* Computed with Python's hashlib.pbkdf2_hmac: other rounds and salts are read as they stand. */
static void test_stored_secret_from_elsewhere(void **state)
{
    (void)state;
    assert_true(secret_matches(SPAN("password"), "pbkdf2-sha256$2$73616c74$"
                                                 "ae4d0c95af6b46d32d0adff928f06dd0"
                                                 "2a303f8ef3c251dfd6e2d85a95474c43"));
    static const char *const bad[] = {
        "",
        "password",
        "pbkdf2-sha256",
        "pbkdf2-sha256$1000$$",
        "pbkdf2-sha256$1000$00",
        "pbkdf2-sha256$1000$00$",
        "pbkdf2-sha256$1000$00$00",
        "pbkdf2-sha256$0$73616c74$"
        "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43",
        "pbkdf2-sha256$99999999999$73616c74$"
        "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43",
        "pbkdf2-sha1$2$73616c74$"
        "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(secret_matches(SPAN("password"), bad[i]));
    assert_false(secret_matches(SPAN("password"), NULL));
}

/* RFC 4231, test cases 1, 2 and 6. */
static void test_hmac(void **state)
{
    (void)state;
    char hex[SHA256_HEX_SIZE], key[131];
    memset(key, 0x0b, 20);
    hmac_sha256_hex((struct span){key, 20}, SPAN("Hi There"), hex);
    assert_string_equal(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac_sha256_hex(SPAN("Jefe"), SPAN("what do ya want for nothing?"), hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    hmac_sha256_hex((struct span){key, sizeof(key)},
                    SPAN("Test Using Larger Than Block-Size Key - Hash Key First"), hex);
    assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_equality(void **state)
{
    (void)state;
    assert_true(equal_constant_time(SPAN("a\0b"), SPAN("a\0b")));
    assert_true(equal_constant_time(SPAN(""), SPAN("")));
    assert_false(equal_constant_time(SPAN("a\0b"), SPAN("a\0c")));
    assert_false(equal_constant_time(SPAN("ab"), SPAN("a")));
    assert_false(equal_constant_time(span_of(NULL), span_of(NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_base64_vectors),
        cmocka_unit_test(test_base64_of_all_bytes),
        cmocka_unit_test(test_base64_faults),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_stored_secret_from_elsewhere),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

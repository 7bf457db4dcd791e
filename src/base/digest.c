/* SHA-256, PBKDF2, hex and base64. The only file of base that knows libcrypto. */
#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { SHA256_BYTES = 32, SALT_BYTES = 16, ROUNDS = 1000, ROUNDS_MAX = 1000000 };

#define ALGORITHM "pbkdf2-sha256"

/* libcrypto fails here only without memory or with a broken installation. */
static void must(int ok, const char *what)
{
    if (ok == 1)
        return;
    fprintf(stderr, "fatal: libcrypto: %s failed\n", what);
    abort();
}

void sha256_hex(const void *data, size_t len, char out[SHA256_HEX_SIZE])
{
    unsigned char digest[SHA256_BYTES];
    must(EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL), "SHA-256");
    hex_encode(digest, sizeof digest, out);
}

void hmac_sha256_hex(struct span key, struct span text, char out[SHA256_HEX_SIZE])
{
    unsigned char digest[SHA256_BYTES];
    unsigned len = sizeof(digest);
    const unsigned char *made =
        HMAC(EVP_sha256(), key.len ? key.at : "", (int)key.len,
             (const unsigned char *)(text.len ? text.at : ""), text.len, digest, &len);
    must(made != NULL, "HMAC");
    hex_encode(digest, sizeof digest, out);
}

void hex_encode(const void *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(struct span hex, unsigned char *out, size_t *len)
{
    size_t bytes = hex.len / 2;
    if (hex.len % 2 != 0 || bytes > *len)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        int high = hex_value(hex.at[2 * i]);
        int low = hex_value(hex.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    *len = bytes;
    return true;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct span text, struct strbuf *out)
{
    size_t before = out->len;
    size_t len = text.len;
    for (int pad = 0; pad < 2 && len > 0 && text.at[len - 1] == '='; pad++)
        len--;
    /* Padding may be missing, but when it is there it is complete. */
    if (len % 4 == 1 || (len != text.len && text.len % 4 != 0))
        return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        int value = base64_value(text.at[i]);
        if (value < 0) {
            out->len = before;
            if (out->at)
                out->at[before] = '\0';
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        /* Of the four characters of a group each but the first completes a byte. */
        if (i % 4 != 0)
            strbuf_addc(out, (char)(unsigned char)(bits >> (6 - 2 * (i % 4))));
    }
    return true;
}

void base64_encode(const void *data, size_t len, struct strbuf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        bits |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        bits |= left > 2 ? bytes[i + 2] : 0;
        char group[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                         left > 1 ? digits[bits >> 6 & 63] : '=',
                         left > 2 ? digits[bits & 63] : '='};
        strbuf_add(out, group, sizeof group);
    }
}

static void derive(struct span secret, const unsigned char *salt, size_t salt_len, int rounds,
                   unsigned char out[SHA256_BYTES])
{
    must(PKCS5_PBKDF2_HMAC(secret.at ? secret.at : "", (int)secret.len, salt, (int)salt_len, rounds,
                           EVP_sha256(), SHA256_BYTES, out),
         "PBKDF2");
}

void secret_hash(struct span secret, char out[SECRET_HASH_SIZE])
{
    unsigned char salt[SALT_BYTES];
    unsigned char hash[SHA256_BYTES];
    char salt_hex[2 * SALT_BYTES + 1];
    char hash_hex[2 * SHA256_BYTES + 1];
    random_bytes(salt, sizeof salt);
    derive(secret, salt, sizeof salt, ROUNDS, hash);
    hex_encode(salt, sizeof salt, salt_hex);
    hex_encode(hash, sizeof hash, hash_hex);
    snprintf(out, SECRET_HASH_SIZE, ALGORITHM "$%d$%s$%s", ROUNDS, salt_hex, hash_hex);
}

bool secret_matches(struct span secret, const char *stored)
{
    struct span rest = span_of(stored);
    struct span algorithm, rounds_text, salt_text;
    if (!span_cut(&rest, '$', &algorithm) || !span_is(algorithm, ALGORITHM) ||
        !span_cut(&rest, '$', &rounds_text) || !span_cut(&rest, '$', &salt_text))
        return false;
    int64_t rounds;
    unsigned char salt[64];
    unsigned char hash[SHA256_BYTES];
    size_t salt_len = sizeof salt;
    size_t hash_len = sizeof hash;
    if (!span_int(rounds_text, &rounds) || rounds < 1 || rounds > ROUNDS_MAX ||
        !hex_decode(salt_text, salt, &salt_len) || salt_len == 0 ||
        !hex_decode(rest, hash, &hash_len) || hash_len != sizeof hash)
        return false;
    unsigned char found[SHA256_BYTES];
    derive(secret, salt, salt_len, (int)rounds, found);
    return CRYPTO_memcmp(found, hash, sizeof hash) == 0;
}

bool equal_constant_time(struct span a, struct span b)
{
    return a.at && b.at && a.len == b.len && CRYPTO_memcmp(a.at, b.at, a.len) == 0;
}

/* Digests, encodings and comparison in constant time, on libcrypto.
 *
 * libcrypto comes with libwebsockets anyway; a hash of our own would be worse. Passwords and API
 * keys are stored only as what secret_hash() makes (rule G4). */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/strbuf.h"

enum { SHA256_HEX_SIZE = 65, SECRET_HASH_SIZE = 128 };

void sha256_hex(const void *data, size_t len, char out[SHA256_HEX_SIZE]);
/* HMAC-SHA-256, as hex. */
void hmac_sha256_hex(struct span key, struct span text, char out[SHA256_HEX_SIZE]);
void hex_encode(const void *data, size_t len, char *out);          /* 2·len characters and a NUL */
bool hex_decode(struct span hex, unsigned char *out, size_t *len); /* *len: room in, bytes out */
bool base64_decode(struct span text, struct strbuf *out);
void base64_encode(const void *data, size_t len, struct strbuf *out);

/* `pbkdf2-sha256$1000$<salt>$<hash>`: few rounds, because it runs on the loop thread while
 * thousands reconnect and station passwords are 16 random bytes or more. */
void secret_hash(struct span secret, char out[SECRET_HASH_SIZE]);
bool secret_matches(struct span secret, const char *stored);
bool equal_constant_time(struct span a, struct span b);

#endif

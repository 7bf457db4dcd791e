/* Random bytes from getrandom(2), and UUIDs out of a small pool of each thread.
 *
 * The pool saves a system call per message id. It must not be used on both sides of a fork(): we
 * start no children. */
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/digest.h"

enum { UUID_BYTES = 16, POOL_BYTES = 32 * UUID_BYTES };

void random_bytes(void *out, size_t len)
{
    char *at = out;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            /* Keys and salts depend on it: no weaker source is good enough. */
            fputs("fatal: the kernel gives no random bytes\n", stderr);
            abort();
        }
        at += n;
        len -= (size_t)n;
    }
}

uint64_t random_u64(void)
{
    uint64_t value;
    random_bytes(&value, sizeof value);
    return value;
}

void uuid_new(char out[UUID_SIZE])
{
    static _Thread_local unsigned char pool[POOL_BYTES];
    static _Thread_local size_t left;
    if (left == 0) {
        random_bytes(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= UUID_BYTES;
    unsigned char *id = pool + left;
    id[6] = (unsigned char)(0x40 | (id[6] & 0x0F)); /* version 4 */
    id[8] = (unsigned char)(0x80 | (id[8] & 0x3F)); /* the variant of RFC 4122 */
    char hex[2 * UUID_BYTES + 1];
    hex_encode(id, UUID_BYTES, hex);
    static const unsigned char piece[] = {8, 4, 4, 4, 12};
    const char *from = hex;
    for (size_t i = 0; i < sizeof piece; i++) {
        if (i > 0)
            *out++ = '-';
        memcpy(out, from, piece[i]);
        out += piece[i];
        from += piece[i];
    }
    *out = '\0';
}

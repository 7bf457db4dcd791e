/* Randomness from the kernel. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { UUID_SIZE = 37 };

void random_bytes(void *out, size_t len);
uint64_t random_u64(void);
/* A version 4 UUID, 36 characters and a NUL (rule R1). Drawn from a buffered pool. */
void uuid_new(char out[UUID_SIZE]);

#endif

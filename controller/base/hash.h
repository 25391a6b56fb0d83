/*
 * One hash function for every table of the program.
 *
 * It is seeded once at start (hash_seed), because keys come from tenants: with a known seed,
 * somebody could choose hosts that all land in one slot. Nothing that leaves the program may depend
 * on the seed; hash_stable() is for what is written to disk.
 */
#ifndef HG_BASE_HASH_H
#define HG_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Without a call the seed is fixed, which is what tests want. */
void hash_seed(uint64_t seed);

uint32_t hash_bytes(const void *data, size_t len);
uint32_t hash_str(const char *text);

/* Combines a hash with further bytes, for keys of several parts. */
uint32_t hash_more(uint32_t hash, const void *data, size_t len);

/* Unseeded: the same for every run and machine. */
uint32_t hash_stable(const char *text);

#endif

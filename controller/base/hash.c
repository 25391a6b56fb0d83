/* See hash.h. FNV-1a over the bytes, then a multiply-xor finish that spreads them over all 32 bits.
 */
#include "base/hash.h"

#include <string.h>

#define FNV_OFFSET 14695981039346656037ULL
#define FNV_PRIME  1099511628211ULL

static uint64_t process_seed;

static uint32_t mix(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++) {
		hash = (hash ^ bytes[i]) * FNV_PRIME;
	}
	hash ^= hash >> 32;
	hash *= 0x9E3779B97F4A7C15ULL;
	return (uint32_t)(hash >> 32);
}

void hash_seed(uint64_t seed)
{
	process_seed = seed;
}

uint32_t hash_bytes(const void *data, size_t len)
{
	return mix(FNV_OFFSET ^ process_seed, data, len);
}

uint32_t hash_str(const char *text)
{
	return hash_bytes(text, strlen(text));
}

uint32_t hash_more(uint32_t hash, const void *data, size_t len)
{
	return mix(FNV_OFFSET ^ process_seed ^ hash, data, len);
}

uint32_t hash_stable(const char *text)
{
	return mix(FNV_OFFSET, text, strlen(text));
}

/*
 * Variants in names of backends. What is understood is written again as it was, so that a name
 * means one thing and a thing has one name; what a tenant's texts become is understood, and holds
 * no byte that a name can't have.
 *
 * Input: a name; or, when it begins with a byte below 32, texts ended by a NUL: key argument,
 * cookie, path.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/variant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PLAIN "a_svc_b_80"

static void try_name(const char *name)
{
	struct variant variant;
	static const uint32_t nothing[VARIANT_PART_COUNT];

	if (!variant_parse(name, &variant)) {
		assert(memcmp(variant.parts, nothing, sizeof(nothing)) == 0);
		return;
	}
	const char *colon = strchr(name, ':');
	assert(colon == NULL ||
		colon[strspn(colon,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-")] ==
			'\0');
	assert((colon != NULL) == (memcmp(variant.parts, nothing, sizeof(nothing)) != 0));
}

static void try_texts(const char *key, const char *cookie, const char *path)
{
	const struct variant variants[] = {
		{.parts[VARIANT_BALANCE] = VARIANT_HASH, .key = "param-", .key_argument = key},
		{.parts = {[VARIANT_COOKIE] = 1, [VARIANT_CHECK] = VARIANT_CHECK_HEAD},
			.cookie = cookie,
			.path = path},
	};

	for (size_t i = 0; i < ARRAY_LEN(variants); i++) {
		struct buf name = BUF_INIT(0);
		struct variant read;

		buf_append_str(&name, PLAIN);
		if (variant_append(&name, &variants[i])) {
			try_name(buf_str(&name));
			assert(variant_parse(buf_str(&name), &read));
			assert(memcmp(read.parts, variants[i].parts, sizeof(read.parts)) == 0);
			assert(name.len <= strlen(PLAIN) + VARIANT_MAX_SUFFIX);
		} else {
			assert(strcmp(buf_str(&name), PLAIN) == 0);
		}
		buf_fini(&name);
	}
}

static char *take_text(const char **text, size_t *left)
{
	size_t len = strnlen(*text, *left);
	char *taken = xstrndup(*left > 0 ? *text : "", len);

	len += len < *left;
	*text += len;
	*left -= len;
	return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	size_t left = size;

	if (size > 0 && data[0] < 0x20) {
		text++;
		left--;
		char *key = take_text(&text, &left);
		char *cookie = take_text(&text, &left);
		char *path = take_text(&text, &left);
		try_texts(key, cookie, path);
		free(key);
		free(cookie);
		free(path);
	} else {
		char *name = xstrndup(size > 0 ? text : "", size);
		try_name(name);
		free(name);
	}
	return 0;
}

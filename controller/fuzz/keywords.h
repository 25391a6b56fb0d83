/*
 * For fuzz targets: everything that may stand where a variant chooses a profile or keywords of a
 * server. A closed set, so whatever a backend is called, none of it gets there.
 */
#ifndef HG_FUZZ_KEYWORDS_H
#define HG_FUZZ_KEYWORDS_H

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/attr.h"

static inline bool keywords_is_one(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(word, words[i]) == 0) {
			return true;
		}
	}
	return false;
}

static inline void keywords_check_profile(const char *profile)
{
	static const char *const words[] = {"http", "profile", "leastconn", "first", "random",
		"hash", "cookie", "get", "head", "options"};

	while (*profile != '\0') {
		char word[16] = "";
		size_t len = strcspn(profile, "_");

		assert(len < sizeof(word));
		memcpy(word, profile, len);
		assert(keywords_is_one(word, words, ARRAY_LEN(words)));
		profile += len + (profile[len] == '_');
	}
}

/* Keywords of one server, all of them. */
static inline void keywords_check_server(char *const *keywords, size_t n)
{
	static const char *const words[] = {"pool-max-conn", "-1", "pool-purge-delay", "5s", "ssl",
		"verify", "none", "sni", "var(txn.host)", "alpn", "h2,http/1.1", "http/1.1", "h2",
		"proto", "check", "check-ssl", "check-alpn", "check-send-proxy", "send-proxy",
		"send-proxy-v2", "send-proxy-v2-ssl", "send-proxy-v2-ssl-cn"};
	static const char *const numbered[] = {"inter", "maxconn", "id"};

	for (size_t i = 0; i < n; i++) {
		if (keywords_is_one(keywords[i], numbered, ARRAY_LEN(numbered))) {
			i++;
			assert(i < n);
			assert(keywords[i][strspn(keywords[i], "0123456789")] == '\0');
		} else {
			assert(keywords_is_one(keywords[i], words, ARRAY_LEN(words)));
		}
	}
}

#endif

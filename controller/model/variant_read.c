/* See variant_read.h. Values are canonical (option/value.h), so nothing is checked again. */
#include "model/variant_read.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_priv.h"
#include "model/trust.h"
#include "model/variant.h"

struct choice {
	const char *value;
	uint32_t part;
};

static bool is_word(const char *value, const char *word)
{
	return value != NULL && strcmp(value, word) == 0;
}

/* What stands behind the word, or NULL when the value begins with another one. */
static const char *behind(const char *value, const char *word)
{
	size_t len = strlen(word);

	return strncmp(value, word, len) == 0 ? value + len : NULL;
}

static uint32_t number_of(const struct claim *claim, enum option_id option)
{
	const char *value = sets_option(claim, option);

	return value != NULL ? (uint32_t)strtoul(value, NULL, 10) : 0;
}

static void read_key(struct variant *variant, const char *value)
{
	static const struct {
		const char *value;
		const char *key;
	} keys[] = {
		{"uri", "uri"},
		{"uri whole", "uri-whole"},
		{"uri depth 1", "uri-depth-1"},
		{"uri depth 2", "uri-depth-2"},
		{"uri depth 3", "uri-depth-3"},
		{"uri depth 4", "uri-depth-4"},
		{"uri depth 5", "uri-depth-5"},
		{"uri depth 6", "uri-depth-6"},
		{"uri depth 7", "uri-depth-7"},
		{"uri depth 8", "uri-depth-8"},
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(value, keys[i].value) == 0) {
			variant->key = keys[i].key;
		}
	}
	if ((variant->key_argument = behind(value, "url_param ")) != NULL) {
		variant->key = "param-";
	} else if ((variant->key_argument = behind(value, "hdr ")) != NULL) {
		variant->key = "header-";
	}
	variant->parts[VARIANT_BALANCE] = variant->key != NULL ? VARIANT_HASH : VARIANT_ROUNDROBIN;
}

static void read_balance(struct variant *variant, const struct claim *claim)
{
	static const struct choice choices[] = {
		{"leastconn", VARIANT_LEASTCONN},
		{"first", VARIANT_FIRST},
		{"random", VARIANT_RANDOM},
	};
	const char *value = sets_option(claim, OPTION_LOAD_BALANCE);
	const char *cookie = claim->is_tcp ? NULL : sets_option(claim, OPTION_COOKIE_PERSISTENCE);

	variant->cookie = cookie;
	variant->parts[VARIANT_COOKIE] = cookie != NULL && cookie[0] != '\0';
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		if (is_word(value, choices[i].value)) {
			variant->parts[VARIANT_BALANCE] = choices[i].part;
			return;
		}
	}
	if (value == NULL || variant->parts[VARIANT_COOKIE]) {
		return;
	}
	if (strcmp(value, "source") == 0) {
		variant->parts[VARIANT_BALANCE] = VARIANT_SOURCE;
	} else if (!claim->is_tcp) {
		read_key(variant, value);
	}
}

static void read_check(struct variant *variant, const struct claim *claim)
{
	static const struct choice choices[] = {
		{"GET ", VARIANT_CHECK_GET},
		{"HEAD ", VARIANT_CHECK_HEAD},
		{"OPTIONS ", VARIANT_CHECK_OPTIONS},
	};
	const char *check = sets_option(claim, OPTION_CHECK);
	const char *request = sets_option(claim, OPTION_CHECK_HTTP);
	uint32_t *part = &variant->parts[VARIANT_CHECK];

	if (is_word(check, "false")) {
		return;
	}
	*part = is_word(check, "true") ? VARIANT_CHECK_TCP : VARIANT_UNCHECKED;
	for (size_t i = 0; request != NULL && i < ARRAY_LEN(choices); i++) {
		const char *path = behind(request, choices[i].value);

		if (path != NULL) {
			*part = claim->is_tcp ? VARIANT_CHECK_TCP : choices[i].part;
			variant->path = path;
		}
	}
	if (*part != VARIANT_UNCHECKED) {
		variant->parts[VARIANT_INTERVAL] = number_of(claim, OPTION_CHECK_INTERVAL);
	}
}

/* `has_trust`: TLS, whatever else is said. */
static enum variant_transport transport_of(
	const struct claim *claim, enum model_transport port, bool has_trust)
{
	const char *protocol = sets_option(claim, OPTION_SERVER_PROTO);
	bool has_tls = has_trust || is_word(sets_option(claim, OPTION_SERVER_SSL), "true");

	if (claim->is_tcp) {
		return has_tls && !claim->passes ? VARIANT_TLS : VARIANT_AS_SERVER;
	}
	if (has_tls || port == MODEL_TRANSPORT_HTTPS) {
		return is_word(protocol, "h2")	       ? VARIANT_TLS_H2
		       : is_word(protocol, "h1")       ? VARIANT_TLS_H1
		       : port == MODEL_TRANSPORT_HTTPS ? VARIANT_AS_SERVER
						       : VARIANT_TLS;
	}
	if (is_word(protocol, "h2") && port != MODEL_TRANSPORT_H2C) {
		return VARIANT_H2C;
	}
	return is_word(protocol, "h1") && port == MODEL_TRANSPORT_H2C ? VARIANT_H1
								      : VARIANT_AS_SERVER;
}

static uint32_t proxy_of(const struct claim *claim)
{
	static const struct choice choices[] = {
		{"proxy", VARIANT_PROXY_V1},
		{"proxy-v1", VARIANT_PROXY_V1},
		{"proxy-v2", VARIANT_PROXY_V2},
		{"proxy-v2-ssl", VARIANT_PROXY_V2_SSL},
		{"proxy-v2-ssl-cn", VARIANT_PROXY_V2_SSL_CN},
	};
	const char *value = sets_option(claim, OPTION_SEND_PROXY_PROTOCOL);

	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		if (is_word(value, choices[i].value)) {
			return choices[i].part;
		}
	}
	return VARIANT_NO_PROXY;
}

bool variant_is_wanted(const struct claim *claim)
{
	const struct class_node *class = claim->ingress->class;

	return claim->service->options != NULL || claim->ingress->options != NULL ||
	       (class != NULL && class->options != NULL);
}

static void set_trust(struct variant *variant, const struct trust_wish *wish)
{
	variant->parts[VARIANT_CA] = wish->parts[TRUST_CA].reference != NULL;
	variant->ca = wish->parts[TRUST_CA].digest;
	variant->parts[VARIANT_CRT] = wish->parts[TRUST_CRT].reference != NULL;
	variant->crt = wish->parts[TRUST_CRT].digest;
}

void variant_read(struct buf *words, const struct claim *claim, enum model_transport port,
	const struct trust_wish *wish)
{
	struct variant variant = {.parts = {0}};

	variant.parts[VARIANT_TCP] = claim->is_tcp;
	set_trust(&variant, wish);
	read_balance(&variant, claim);
	read_check(&variant, claim);
	variant.parts[VARIANT_MAXCONN] = number_of(claim, OPTION_POD_MAXCONN);
	variant.parts[VARIANT_TRANSPORT] =
		transport_of(claim, port, variant.parts[VARIANT_CA] || variant.parts[VARIANT_CRT]);
	variant.parts[VARIANT_PROXY] = proxy_of(claim);
	/* Canonical values are short and plain enough: OPTION() has the limits. */
	bool is_ok = variant_append(words, &variant);
	assert(is_ok);
	(void)is_ok;
}

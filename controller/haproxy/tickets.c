/* See tickets.h. Called by haproxy/state, haproxy/encode and rotation.c. */
#include "haproxy/tickets.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

/* 80 bytes are 26 groups of four digits, and two bytes more: three digits and one '='. */
#define N_DIGITS (TICKETS_KEY_LEN - 1)

static bool make_key(char ret_key[TICKETS_KEY_LEN + 1], struct err *err)
{
	unsigned char bytes[TICKETS_KEY_SIZE];

	if (RAND_priv_bytes(bytes, sizeof(bytes)) != 1) {
		char words[256];

		ERR_error_string_n(ERR_get_error(), words, sizeof(words));
		ERR_clear_error();
		return err_set(err, ERR_RETRY,
			"can't make a key for TLS tickets, the system has no random bytes: %s",
			words);
	}
	int len = EVP_EncodeBlock((unsigned char *)ret_key, bytes, sizeof(bytes));
	assert(len == TICKETS_KEY_LEN);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return true;
}

bool tickets_make(struct ticket_keys *ret_keys, struct err *err)
{
	struct ticket_keys keys = {0};

	for (size_t i = 0; i < TICKETS_N_KEYS; i++) {
		if (!make_key(keys.keys[i], err)) {
			tickets_wipe(&keys);
			return false;
		}
	}
	*ret_keys = keys;
	tickets_wipe(&keys);
	return true;
}

bool tickets_rotate(struct ticket_keys *keys, struct err *err)
{
	char key[TICKETS_KEY_LEN + 1];

	if (!make_key(key, err)) {
		return false;
	}
	memmove(keys->keys[0], keys->keys[1], sizeof(keys->keys) - sizeof(keys->keys[0]));
	memcpy(keys->keys[TICKETS_N_KEYS - 1], key, sizeof(key));
	OPENSSL_cleanse(key, sizeof(key));
	return true;
}

void tickets_wipe(struct ticket_keys *keys)
{
	OPENSSL_cleanse(keys, sizeof(*keys));
}

bool tickets_is_key(const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	return strspn(text, digits) == N_DIGITS && strcmp(text + N_DIGITS, "=") == 0;
}

void tickets_format(struct buf *buf, const struct ticket_keys *keys)
{
	assert(buf->is_secret);
	for (size_t i = 0; i < TICKETS_N_KEYS; i++) {
		buf_append_str(buf, keys->keys[i]);
		buf_append_char(buf, '\n');
	}
}

bool tickets_parse(const char *text, size_t len, struct ticket_keys *ret_keys)
{
	struct ticket_keys keys = {0};
	bool is_ok = len == TICKETS_TEXT_LEN;

	for (size_t i = 0; i < TICKETS_N_KEYS && is_ok; i++) {
		const char *line = text + i * (TICKETS_KEY_LEN + 1);

		memcpy(keys.keys[i], line, TICKETS_KEY_LEN);
		is_ok = tickets_is_key(keys.keys[i]) && line[TICKETS_KEY_LEN] == '\n';
	}
	if (is_ok) {
		*ret_keys = keys;
	}
	tickets_wipe(&keys);
	return is_ok;
}

int64_t tickets_wait_seconds(int64_t written, int64_t now, int64_t period_seconds)
{
	int64_t age = now > written ? now - written : 0;

	return age < period_seconds ? period_seconds - age : 0;
}

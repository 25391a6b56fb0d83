/* Unit tests of tickets.c: the keys as text, and when they are old. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <string.h>

#include "haproxy/tickets.h"

static struct ticket_keys make(void)
{
	struct ticket_keys keys;
	struct err err = {0};

	assert_true(tickets_make(&keys, &err));
	return keys;
}

static void test_keys_are_what_haproxy_takes(void **state)
{
	struct ticket_keys keys = make();
	unsigned char bytes[TICKETS_KEY_LEN];

	(void)state;
	for (size_t i = 0; i < TICKETS_N_KEYS; i++) {
		assert_int_equal(strlen(keys.keys[i]), TICKETS_KEY_LEN);
		assert_true(tickets_is_key(keys.keys[i]));
		/* One byte is padding: OpenSSL counts it. */
		assert_int_equal(EVP_DecodeBlock(bytes, (const unsigned char *)keys.keys[i],
					 TICKETS_KEY_LEN),
			TICKETS_KEY_SIZE + 1);
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(keys.keys[i], keys.keys[j]);
		}
	}
}

static void test_rotation_takes_the_oldest_out(void **state)
{
	struct ticket_keys before = make();
	struct ticket_keys after = before;
	struct err err = {0};

	(void)state;
	assert_true(tickets_rotate(&after, &err));
	assert_string_equal(after.keys[0], before.keys[1]);
	assert_string_equal(after.keys[1], before.keys[2]);
	assert_true(tickets_is_key(after.keys[2]));
	for (size_t i = 0; i < TICKETS_N_KEYS; i++) {
		assert_string_not_equal(after.keys[2], before.keys[i]);
	}
	struct ticket_keys last = after;
	assert_true(tickets_rotate(&last, &err) && tickets_rotate(&last, &err));
	assert_string_equal(last.keys[0], after.keys[2]);
}

static void test_wiping(void **state)
{
	static const struct ticket_keys zeros;
	struct ticket_keys keys = make();

	(void)state;
	tickets_wipe(&keys);
	assert_memory_equal(&keys, &zeros, sizeof(keys));
}

static void test_round_trip(void **state)
{
	struct ticket_keys keys = make();
	struct ticket_keys again;
	struct buf text = {.is_secret = true};

	(void)state;
	tickets_format(&text, &keys);
	assert_int_equal(text.len, TICKETS_TEXT_LEN);
	assert_true(tickets_parse(buf_str(&text), text.len, &again));
	assert_memory_equal(&again, &keys, sizeof(keys));
	buf_fini(&text);
}

/* Any byte that is replaced by one that is no digit, a byte less, a byte more. */
static void test_damage_is_seen(void **state)
{
	static const char bad[] = {'\0', '\n', '\r', ' ', '=', '-', '_', '\x7f', '\xff'};
	struct ticket_keys keys = make();
	struct ticket_keys untouched = {0};
	struct buf text = {.is_secret = true};

	(void)state;
	tickets_format(&text, &keys);
	for (size_t i = 0; i < text.len; i++) {
		char before = text.data[i];

		for (size_t j = 0; j < sizeof(bad); j++) {
			text.data[i] = bad[j];
			assert_true(bad[j] == before ||
				    !tickets_parse(text.data, text.len, &untouched));
		}
		text.data[i] = before;
	}
	for (size_t len = 0; len < text.len; len++) {
		assert_false(tickets_parse(text.data, len, &untouched));
	}
	buf_append_char(&text, '\n');
	assert_false(tickets_parse(text.data, text.len, &untouched));
	assert_int_equal(untouched.keys[0][0], '\0');
	buf_fini(&text);
}

static void test_what_is_no_key(void **state)
{
	struct ticket_keys keys = make();
	char text[TICKETS_KEY_LEN + 2] = "";

	(void)state;
	assert_false(tickets_is_key(""));
	memset(text, 'A', TICKETS_KEY_LEN);
	assert_false(tickets_is_key(text)); /* 81 bytes */
	text[TICKETS_KEY_LEN - 1] = '=';
	assert_true(tickets_is_key(text));
	text[TICKETS_KEY_LEN] = '=';
	assert_false(tickets_is_key(text));
	memcpy(text, keys.keys[0], sizeof(keys.keys[0]));
	text[10] = ';';
	assert_false(tickets_is_key(text));
	text[10] = '=';
	assert_false(tickets_is_key(text));
}

static void test_age(void **state)
{
	(void)state;
	assert_int_equal(tickets_wait_seconds(1000, 1000, 60), 60);
	assert_int_equal(tickets_wait_seconds(1000, 1001, 60), 59);
	assert_int_equal(tickets_wait_seconds(1000, 1059, 60), 1);
	assert_int_equal(tickets_wait_seconds(1000, 1060, 60), 0);
	assert_int_equal(tickets_wait_seconds(1000, 9999, 60), 0);
	assert_int_equal(tickets_wait_seconds(0, 1000000000, 604800), 0);
	/* The clock went back: not now, and not never. */
	assert_int_equal(tickets_wait_seconds(1000, 1, 60), 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_are_what_haproxy_takes),
		cmocka_unit_test(test_rotation_takes_the_oldest_out),
		cmocka_unit_test(test_wiping),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage_is_seen),
		cmocka_unit_test(test_what_is_no_key),
		cmocka_unit_test(test_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

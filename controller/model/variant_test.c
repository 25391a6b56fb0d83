/* Variants in names of backends: written and read back, and what is no variant. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/variant.h"

#define DIGEST "0123456789abcdef0123456789abcdef"

static const struct row {
	const char *suffix;
	struct variant variant;
} rows[] = {
	{"", {.parts = {0}}},
	{":leastconn", {.parts[VARIANT_BALANCE] = VARIANT_LEASTCONN}},
	{":first", {.parts[VARIANT_BALANCE] = VARIANT_FIRST}},
	{":random", {.parts[VARIANT_BALANCE] = VARIANT_RANDOM}},
	{":by-source", {.parts[VARIANT_BALANCE] = VARIANT_SOURCE}},
	{":tcp", {.parts[VARIANT_TCP] = 1}},
	{":tcp:by-source:check:inter-500:maxconn-7:tls:proxy-v2",
		{.parts = {[VARIANT_TCP] = 1,
			 [VARIANT_BALANCE] = VARIANT_SOURCE,
			 [VARIANT_CHECK] = VARIANT_CHECK_TCP,
			 [VARIANT_INTERVAL] = 500,
			 [VARIANT_MAXCONN] = 7,
			 [VARIANT_TRANSPORT] = VARIANT_TLS,
			 [VARIANT_PROXY] = VARIANT_PROXY_V2}}},
	{":by-uri", {.parts[VARIANT_BALANCE] = VARIANT_HASH, .key = "uri"}},
	{":by-uri-whole", {.parts[VARIANT_BALANCE] = VARIANT_HASH, .key = "uri-whole"}},
	{":by-uri-depth-8", {.parts[VARIANT_BALANCE] = VARIANT_HASH, .key = "uri-depth-8"}},
	{":by-param-user.2eid", {.parts[VARIANT_BALANCE] = VARIANT_HASH,
					.key = "param-",
					.key_argument = "user.id"}},
	{":by-header-X-User", {.parts[VARIANT_BALANCE] = VARIANT_HASH,
				      .key = "header-",
				      .key_argument = "X-User"}},
	{":cookie-SRV_ID", {.parts[VARIANT_COOKIE] = 1, .cookie = "SRV_ID"}},
	{":cookie-.21.7e.2e", {.parts[VARIANT_COOKIE] = 1, .cookie = "!~."}},
	{":check", {.parts[VARIANT_CHECK] = VARIANT_CHECK_TCP}},
	{":get-_", {.parts[VARIANT_CHECK] = VARIANT_CHECK_GET, .path = "/"}},
	{":head-_a.5fb_c.3fd.3d.2520",
		{.parts[VARIANT_CHECK] = VARIANT_CHECK_HEAD, .path = "/a_b/c?d=%20"}},
	{":options-_x:inter-500",
		{.parts = {[VARIANT_CHECK] = VARIANT_CHECK_OPTIONS, [VARIANT_INTERVAL] = 500},
			.path = "/x"}},
	{":maxconn-4294967295", {.parts[VARIANT_MAXCONN] = UINT32_MAX}},
	{":h1", {.parts[VARIANT_TRANSPORT] = VARIANT_H1}},
	{":h2c", {.parts[VARIANT_TRANSPORT] = VARIANT_H2C}},
	{":tls", {.parts[VARIANT_TRANSPORT] = VARIANT_TLS}},
	{":tls-h1", {.parts[VARIANT_TRANSPORT] = VARIANT_TLS_H1}},
	{":tls-h2", {.parts[VARIANT_TRANSPORT] = VARIANT_TLS_H2}},
	{":proxy-v1", {.parts[VARIANT_PROXY] = VARIANT_PROXY_V1}},
	{":proxy-v2", {.parts[VARIANT_PROXY] = VARIANT_PROXY_V2}},
	{":proxy-v2-ssl", {.parts[VARIANT_PROXY] = VARIANT_PROXY_V2_SSL}},
	{":proxy-v2-ssl-cn", {.parts[VARIANT_PROXY] = VARIANT_PROXY_V2_SSL_CN}},
	{":tls:ca-" DIGEST,
		{.parts = {[VARIANT_TRANSPORT] = VARIANT_TLS, [VARIANT_CA] = 1}, .ca = DIGEST}},
	{":proxy-v1:ca-" DIGEST ":crt-" DIGEST,
		{.parts = {[VARIANT_PROXY] = VARIANT_PROXY_V1, [VARIANT_CA] = 1, [VARIANT_CRT] = 1},
			.ca = DIGEST,
			.crt = DIGEST}},
	{":random:cookie-a:get-_:inter-1:maxconn-2:tls:proxy-v2",
		{.parts = {0, VARIANT_RANDOM, 1, VARIANT_CHECK_GET, 1, 2, VARIANT_TLS,
			 VARIANT_PROXY_V2},
			.cookie = "a",
			.path = "/"}},
};

static void test_written_and_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf name = BUF_INIT(0);
		struct variant read;

		buf_append_str(&name, "a_svc_b_80");
		assert_true(variant_append(&name, &rows[i].variant));
		assert_string_equal(buf_str(&name) + strlen("a_svc_b_80"), rows[i].suffix);
		assert_true(variant_parse(buf_str(&name), &read));
		assert_memory_equal(read.parts, rows[i].variant.parts, sizeof(read.parts));
		buf_fini(&name);
	}
}

static void test_not_read(void **state)
{
	static const char *const names[] = {"a:", "a::leastconn", "a:leastconn:", "a:roundrobin",
		"a:Leastconn", "a:leastconn:random", "a:leastconn:leastconn", "a:check:leastconn",
		"a:by-", "a:by-x", "a:by-uri-depth-0", "a:by-uri-depth-9", "a:by-param-",
		"a:by-param-a.", "a:by-param-a.2", "a:by-param-a.2F", "a:by-param-a b", "a:cookie-",
		"a:by-source:cookie-a", "a:get-", "a:get-a", "a:get-/a", "a:inter-5",
		"a:check:inter-0", "a:check:inter-05", "a:check:inter-x", "a:maxconn-4294967296",
		"a:maxconn-10000000000", "a:maxconn--1", "a:h1:tls", "a:ca-", "a:ca-" DIGEST "0",
		"a:ca-0123456789ABCDEF0123456789ABCDEF", "a:crt-" DIGEST ":ca-" DIGEST,
		"a:proxy-v3", "a:proxy-v2-", "a:leastconn:tcp", "a:tcp:by-uri", "a:tcp:cookie-a",
		"a:tcp:get-_", "a:tcp:h1", "a:tcp:h2c", "a:tcp:tls-h1", "a:tcp:tls-h2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct variant variant = {.parts = {1}};
		static const struct variant plain = {.parts = {0}};

		if (variant_parse(names[i], &variant)) {
			fail_msg("%s was understood", names[i]);
		}
		assert_memory_equal(variant.parts, plain.parts, sizeof(plain.parts));
	}
}

static void test_store(void **state)
{
	char name[VARIANT_STORE_SIZE];

	(void)state;
	assert_true(variant_store("a_svc_b_80:tls:ca-" DIGEST ":crt-" DIGEST, VARIANT_CA, name));
	assert_string_equal(name, "ca-" DIGEST);
	assert_true(variant_store("a_svc_b_80:tls:crt-" DIGEST, VARIANT_CRT, name));
	assert_string_equal(name, "crt-" DIGEST);
	assert_false(variant_store("a_svc_b_80:tls:crt-" DIGEST, VARIANT_CA, name));
	assert_false(variant_store("ca-" DIGEST, VARIANT_CA, name));
}

static void assert_refused(struct variant variant)
{
	struct buf name = BUF_INIT(0);

	buf_append_str(&name, "a");
	assert_false(variant_append(&name, &variant));
	assert_string_equal(buf_str(&name), "a");
	buf_fini(&name);
}

static void test_not_written(void **state)
{
	char longest[VARIANT_MAX_TEXT + 2];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[VARIANT_MAX_TEXT + 1] = '\0';
	assert_refused((struct variant){.parts[VARIANT_COOKIE] = 1, .cookie = longest});
	assert_refused((struct variant){.parts[VARIANT_COOKIE] = 1, .cookie = ""});
	assert_refused((struct variant){.parts[VARIANT_COOKIE] = 1});
	assert_refused((struct variant){.parts[VARIANT_COOKIE] = 1, .cookie = "a b"});
	assert_refused((struct variant){.parts[VARIANT_COOKIE] = 1, .cookie = "a\n"});
	assert_refused((struct variant){.parts[VARIANT_COOKIE] = 1, .cookie = "\xc3\xa4"});
	assert_refused(
		(struct variant){.parts[VARIANT_CHECK] = VARIANT_CHECK_GET, .path = "healthz"});
	assert_refused((struct variant){.parts[VARIANT_INTERVAL] = 5});
	assert_refused((struct variant){.parts[VARIANT_BALANCE] = VARIANT_HASH, .key = "rdp"});
	assert_refused((struct variant){.parts[VARIANT_BALANCE] = VARIANT_HASH, .key = "param-"});
	assert_refused((struct variant){.parts = {0, VARIANT_SOURCE, 1}, .cookie = "a"});
	/* Each fits, together they don't. */
	memset(longest, '.', VARIANT_MAX_TEXT);
	longest[VARIANT_MAX_TEXT] = '\0';
	longest[0] = '/';
	struct variant variant = {
		.parts = {0, 0, 1, VARIANT_CHECK_GET}, .cookie = longest, .path = longest};
	struct buf name = BUF_INIT(0);
	assert_true(variant_append(&name, &variant));
	assert_true(name.len <= VARIANT_MAX_SUFFIX);
	assert_true(variant_parse(buf_str(&name), &variant));
	buf_fini(&name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_and_read),
		cmocka_unit_test(test_not_read),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_not_written),
	};

	return cmocka_run_group_tests_name("model/variant", tests, NULL, NULL);
}

/* What backends and servers are made with. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "haproxy/keywords.h"

#define ALWAYS "pool-max-conn -1 pool-purge-delay 5s"
#define TLS    " ssl verify none sni var(txn.host) alpn "

#define DIGEST	 "0123456789abcdef0123456789abcdef"
#define VERIFIED " ssl verify required sni var(txn.no_name) ca-file /s/certs/"

static const struct row {
	const char *words;
	const char *server;
	const char *profile;
	const char *keywords; /* behind ALWAYS */
} rows[] = {
	{"", "p", "http_profile", ""},
	{"", "p_h2c", "http_profile", " proto h2"},
	{"", "p_https", "http_profile", TLS "h2,http/1.1"},
	{":leastconn", "p", "leastconn", ""},
	{":first", "p", "first", ""},
	{":random", "p", "random", " id 1959152143"},
	{":random", "q", "random", " id 1628094741"},
	{":by-source", "p", "hash", " id 1959152143"},
	{":by-header-x", "p", "hash", " id 1959152143"},
	{":cookie-a", "p", "cookie", ""},
	{":leastconn:cookie-a:head-_", "p", "leastconn_cookie_head", " check"},
	{":by-uri:options-_", "p", "hash_options", " check id 1959152143"},
	{":check", "p", "http_profile", " check"},
	{":check:inter-500", "p", "http_profile", " check inter 500"},
	{":get-_", "p", "get", " check"},
	{":get-_", "p_https", "get", TLS "h2,http/1.1 check check-ssl check-alpn h2,http/1.1"},
	{":get-_", "p_h2c", "get", " proto h2 check"},
	{":check:tls-h2:proxy-v2", "p", "http_profile",
		TLS "h2 send-proxy-v2 check check-ssl check-alpn h2 check-send-proxy"},
	{":maxconn-12", "p", "http_profile", " maxconn 12"},
	{":h1", "p_https", "http_profile", ""},
	{":h2c", "p", "http_profile", " proto h2"},
	{":tls", "p", "http_profile", TLS "h2,http/1.1"},
	{":tls-h1", "p", "http_profile", TLS "http/1.1"},
	{":tls-h2", "p", "http_profile", TLS "h2"},
	{":proxy-v1", "p", "http_profile", " send-proxy"},
	{":proxy-v2-ssl", "p", "http_profile", " send-proxy-v2-ssl"},
	{":tls:ca-" DIGEST, "p", "http_profile", VERIFIED "ca-" DIGEST ".pem alpn h2,http/1.1"},
	{":tls-h2:ca-" DIGEST ":crt-" DIGEST, "p", "http_profile",
		VERIFIED "ca-" DIGEST ".pem crt /s/certs/crt-" DIGEST ".pem alpn h2"},
	{":ca-" DIGEST, "p_h2c", "http_profile", VERIFIED "ca-" DIGEST ".pem alpn h2,http/1.1"},
	{":crt-" DIGEST, "p_https", "http_profile",
		" ssl verify none sni var(txn.host) crt /s/certs/crt-" DIGEST
		".pem alpn h2,http/1.1"},
	{":tcp", "p", "tcp", ""},
	{":tcp", "p_https", "tcp", ""},
	{":tcp", "p_h2c", "tcp", ""},
	{":tcp:leastconn", "p", "tcp_leastconn", ""},
	{":tcp:first", "p", "tcp_first", ""},
	{":tcp:random", "p", "tcp_random", " id 1959152143"},
	{":tcp:by-source:check:inter-5:maxconn-2:proxy-v1", "p", "tcp_hash",
		" send-proxy check inter 5 check-send-proxy maxconn 2 id 1959152143"},
	{":tcp:check:tls", "p", "tcp", " ssl verify none sni var(txn.no_name) check check-ssl"},
	{":tcp:tls:ca-" DIGEST, "p_https", "tcp", VERIFIED "ca-" DIGEST ".pem"},
	{":proxy-v2-ssl-cn", "p", "http_profile", " send-proxy-v2-ssl-cn"},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf backend = BUF_INIT(0);
		struct buf text = BUF_INIT(0);

		buf_printf(&backend, "a_svc_b_80%s", rows[i].words);
		assert_true(keywords_append_profile(&text, buf_str(&backend)));
		assert_string_equal(buf_str(&text), rows[i].profile);
		buf_clear(&text);
		assert_true(keywords_append_server(&text, buf_str(&backend), rows[i].server, "/s"));
		assert_string_equal(buf_str(&text) + strlen(ALWAYS), rows[i].keywords);
		buf_fini(&backend);
		buf_fini(&text);
	}
}

static void test_not_understood(void **state)
{
	struct buf text = BUF_INIT(0);

	(void)state;
	assert_false(keywords_append_profile(&text, "a_svc_b_80:leastcon"));
	assert_string_equal(buf_str(&text), "http_profile");
	buf_clear(&text);
	assert_false(keywords_append_server(&text, "a_svc_b_80:maxconn-1:check", "p", "/s"));
	assert_string_equal(buf_str(&text), ALWAYS);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_not_understood),
	};

	return cmocka_run_group_tests_name("haproxy/keywords", tests, NULL, NULL);
}

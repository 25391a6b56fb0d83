/* Unit tests of encode.c: certificates, their content and the names they are for. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "haproxy/encode.h"

#define DIR "/run/hg"

#define PEM                                                                                        \
	"-----BEGIN CERTIFICATE-----\nQUJD+/==\n-----END CERTIFICATE-----\n"                       \
	"-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n"

static bool encode_pem(const char *pem)
{
	struct buf buf = {.is_secret = true};
	struct plan_op op = {.kind = PLAN_OP_CERT_SET, .certificate = "a_b_0", .pem = pem};

	buf_append_str(&buf, "before|");
	bool is_ok = encode_payload(&buf, &op, DIR);
	if (is_ok) {
		assert_string_equal(buf_str(&buf) + 7, pem);
	} else {
		assert_string_equal(buf_str(&buf), "before|");
		/* No part of a refused key stays behind. */
		assert_null(memchr(buf.data + buf.len, 'Q', buf.size - buf.len));
	}
	buf_fini(&buf);
	return is_ok;
}

static void test_content(void **state)
{
	static const char *const bad[] = {"", "\n", "QUJD", "QUJD\n\n", PEM "\n", "\n" PEM,
		"QUJD\n\nQUJD\n", "QU JD\n", "QUJD\r\n", "QUJD <<\n", "show info\n",
		"-----BEGIN CERTIFICATE----\n", "-----BEGIN certificate-----\n", "----------\n",
		"-----BEGIN X-----;\n", "subject=/CN=x\n", "Q\x01\n", "\xc3\xa4\n", "# x\n",
		PEM "quit"};

	(void)state;
	assert_true(encode_pem(PEM));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(encode_pem(bad[i]));
	}
}

static void test_longest_content(void **state)
{
	char pem[ENCODE_MAX_LINE + 1];
	size_t max = ENCODE_MAX_LINE - strlen("set ssl cert " DIR "/certs/a_b_0.pem");

	(void)state;
	memset(pem, 'Q', sizeof(pem));
	pem[max - 1] = '\n';
	pem[max] = '\0';
	assert_true(encode_pem(pem));
	pem[max - 1] = 'Q';
	pem[max] = '\n';
	pem[max + 1] = '\0';
	assert_false(encode_pem(pem));
}

static bool encode_hosts(const char *hosts)
{
	struct buf buf = BUF_INIT(0);
	struct buf line = BUF_INIT(0);
	struct plan_op op = {.kind = PLAN_OP_CERT_LIST, .certificate = "a_b_0", .hosts = hosts};
	bool is_ok = encode_payload(&buf, &op, DIR);

	assert_int_equal(encode_certificate_line(&line, "a_b_0", hosts, DIR), is_ok);
	assert_string_equal(buf_str(&buf), buf_str(&line));
	if (is_ok) {
		CLEANUP(free_ptr) char *wanted = xasprintf(DIR "/certs/a_b_0.pem %s\n", hosts);
		assert_string_equal(buf_str(&buf), wanted);
	}
	buf_fini(&buf);
	buf_fini(&line);
	return is_ok;
}

static void test_hosts(void **state)
{
	static const char *const good[] = {"a", "a.test", "*.a.test", "a.test *.a.test b-1.test",
		"xn--bcher-kva.test", "1.2.3.4", "a_b.test", "*.a.test !x.a.test",
		"*.a.test b.test !x.a.test !y.a.test"};
	static const char *const bad[] = {"", " ", "a ", " a", "a  b", "*", "**.a", "a.*.b", "!a",
		"*.", "*..a", ".a", "a\nb", "a\tb", "[a]", "a;b", "a#", "a\\b", "\xc3\xa4", "a\"",
		"a:1", "a/b", "a,b", "a<<", "!a.test b.test", "a !", "a !*.b", "a !!b", "a !.b",
		"a ! b", "a b!", "a !b!c"};
	struct buf many = BUF_INIT(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(encode_hosts(good[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(encode_hosts(bad[i]));
	}
	for (int i = 0; i < ENCODE_MAX_HOSTS; i++) {
		buf_append_str(&many, i > 0 ? " a" : "a");
	}
	assert_true(encode_hosts(buf_str(&many)));
	buf_append_str(&many, " a");
	assert_false(encode_hosts(buf_str(&many)));
	buf_fini(&many);
}

static void test_folders(void **state)
{
	static const char *const bad[] = {"", "a", "#1", "@1", "/a b", "/a\nb", "/a;b", "/a\\b",
		"/a#b", "/a\"b", "/a'b", "/a[b", "/a!b", "/a<<b", "/\xc3\xa4"};
	struct buf buf = BUF_INIT(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(encode_cli_certificate(&buf, "a_b_0", bad[i]));
		assert_false(encode_cli_list(&buf, bad[i]));
		assert_false(encode_certificate_line(&buf, "a_b_0", "a", bad[i]));
		assert_int_equal(buf.len, 0);
	}
	assert_false(encode_cli_certificate(&buf, "../x", DIR));
	assert_false(encode_cli_certificate(&buf, "..", DIR));
	assert_false(encode_cli_certificate(&buf, "", DIR));
	assert_true(encode_cli_certificate(&buf, "a", "/a/b-c_d.e+f=g@h~i%j,k:l"));
	assert_string_equal(buf_str(&buf), "/a/b-c_d.e+f=g@h~i%j,k:l/certs/a.pem");
	buf_fini(&buf);
}

static void test_ticket_keys(void **state)
{
	static const char key[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/AAAAAAAAAAAAAAA"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	static const char *const bad_files[] = {"", "#0", "a", "@1", "/a\nb", "/a<<b", "/\xc3\xa4"};
	struct buf buf = {.is_secret = true};

	(void)state;
	assert_true(encode_cli_ticket_key(&buf, "/run/x/tickets.keys", key));
	CLEANUP(free_ptr) char *wanted = xasprintf("set ssl tls-key /run/x/tickets.keys %s", key);
	assert_string_equal(buf_str(&buf), wanted);
	buf_clear(&buf);
	assert_true(encode_cli_ticket_key(&buf, "/a b;c\\d", key));
	assert_memory_equal(buf_str(&buf), "set ssl tls-key /a\\ b\\;c\\\\d A", 29);
	buf_clear(&buf);
	for (size_t i = 0; i < ARRAY_LEN(bad_files); i++) {
		assert_false(encode_cli_ticket_key(&buf, bad_files[i], key));
		assert_int_equal(buf.len, 0);
	}
	/* Every byte that isn't a digit; no part of a refused key stays behind. */
	for (size_t i = 0; i < strlen(key); i++) {
		CLEANUP(free_ptr) char *bad = xstrdup(key);

		bad[i] = "; \n\\=\x7f"[i % 6];
		if (strcmp(bad, key) != 0) {
			assert_false(encode_cli_ticket_key(&buf, "/a", bad));
			assert_int_equal(buf.len, 0);
			assert_null(memchr(buf.data, 'A', buf.size));
		}
	}
	assert_false(encode_cli_ticket_key(&buf, "/a", ""));
	assert_false(encode_cli_ticket_key(&buf, "/a", key + 1));
	buf_fini(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_longest_content),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_ticket_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

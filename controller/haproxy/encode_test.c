/* Unit tests of encode.c: texts as they go out, and what is refused. Round trips through HAProxy's
 * own reading are in fuzz/ and test/. */
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

static const char server_add[] = "add server a_svc_b_80/pod-1.x:2 10.0.0.1:8080 "
				 "pool-max-conn -1 pool-purge-delay 5s";

static void assert_op(const struct plan_op *op, const char *expected)
{
	struct buf buf = BUF_INIT(0);

	buf_append_str(&buf, "before|");
	assert_true(encode_op(&buf, op, DIR));
	assert_string_equal(buf_str(&buf) + strlen("before|"), expected);
	buf_fini(&buf);
}

static void assert_op_refused(const struct plan_op *op, const char *map_dir)
{
	struct buf buf = BUF_INIT(0);

	assert_false(encode_op(&buf, op, map_dir));
	assert_int_equal(buf.len, 0);
	buf_append_str(&buf, "before|");
	assert_false(encode_op(&buf, op, map_dir));
	assert_string_equal(buf_str(&buf), "before|");
	assert_true(buf_is_ok(&buf));
	buf_fini(&buf);
}

static void test_commands(void **state)
{
	struct plan_op op = {.backend = "a_svc_b_80",
		.server = "pod-1.x:2",
		.address = "10.0.0.1:8080",
		.map = MODEL_MAP_EXACT,
		.key = "a.test/x;y\\z",
		.value = "a_svc_b_80",
		.certificate = "a_b-c.d_01"};
	static const char *const expected[PLAN_OP_COUNT] = {
		[PLAN_OP_BACKEND_ADD] = "add backend a_svc_b_80 from http_profile",
		[PLAN_OP_BACKEND_PUBLISH] = "publish backend a_svc_b_80",
		[PLAN_OP_SERVER_ADD] = server_add,
		[PLAN_OP_SERVER_ADDRESS] =
			"set server a_svc_b_80/pod-1.x:2 addr 10.0.0.1 port 8080",
		[PLAN_OP_SERVER_CHECK] = "enable health a_svc_b_80/pod-1.x:2",
		[PLAN_OP_SERVER_ENABLE] = "enable server a_svc_b_80/pod-1.x:2",
		[PLAN_OP_MAP_ADD] = "add map /run/hg/exact.map a.test/x\\;y\\\\z a_svc_b_80",
		[PLAN_OP_MAP_SET] = "set map /run/hg/exact.map a.test/x\\;y\\\\z a_svc_b_80",
		[PLAN_OP_MAP_DEL] = "del map /run/hg/exact.map a.test/x\\;y\\\\z",
		[PLAN_OP_SERVER_DRAIN] = "set server a_svc_b_80/pod-1.x:2 state drain",
		[PLAN_OP_CERT_NEW] = "new ssl cert /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_CERT_SET] = "set ssl cert /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_CERT_COMMIT] = "commit ssl cert /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_CERT_LIST] = "add ssl crt-list /run/hg/certs.list",
		[PLAN_OP_CERT_UNLIST] =
			"del ssl crt-list /run/hg/certs.list /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_CERT_DEL] = "del ssl cert /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_CA_NEW] = "new ssl ca-file /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_CA_SET] = "set ssl ca-file /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_CA_COMMIT] = "commit ssl ca-file /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_CA_DEL] = "del ssl ca-file /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_SHOWN_NEW] = "new ssl cert /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_SHOWN_SET] = "set ssl cert /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_SHOWN_COMMIT] = "commit ssl cert /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_SHOWN_DEL] = "del ssl cert /run/hg/certs/a_b-c.d_01.pem",
		[PLAN_OP_SERVER_DISABLE] = "disable server a_svc_b_80/pod-1.x:2",
		[PLAN_OP_SERVER_DEL] = "del server a_svc_b_80/pod-1.x:2",
		[PLAN_OP_BACKEND_UNPUBLISH] = "unpublish backend a_svc_b_80",
		[PLAN_OP_BACKEND_DEL] = "del backend a_svc_b_80",
	};

	(void)state;
	for (int kind = 0; kind < PLAN_OP_COUNT; kind++) {
		op.kind = (enum plan_op_kind)kind;
		assert_op(&op, expected[kind]);
	}
}

static void test_commands_of_variants(void **state)
{
	struct plan_op op = {.kind = PLAN_OP_SERVER_ADDRESS,
		.backend = "a_svc_b_80",
		.server = "pod-1.x:2",
		.address = "[fd00::1]:80"};

	(void)state;
	assert_op(&op, "set server a_svc_b_80/pod-1.x:2 addr fd00::1 port 80");
	op.kind = PLAN_OP_SERVER_ADD;
	assert_op(&op, "add server a_svc_b_80/pod-1.x:2 [fd00::1]:80 pool-max-conn -1 "
		       "pool-purge-delay 5s");
	op.address = "10.0.0.1:80";
	op.server = "pod-1_h2c";
	assert_op(&op, "add server a_svc_b_80/pod-1_h2c 10.0.0.1:80 pool-max-conn -1 "
		       "pool-purge-delay 5s proto h2");
	op.server = "pod-1_https";
	assert_op(&op, "add server a_svc_b_80/pod-1_https 10.0.0.1:80 pool-max-conn -1 "
		       "pool-purge-delay 5s ssl verify none sni var(txn.host) alpn h2,http/1.1");
	op.server = "pod-1";
	op.backend = "a_svc_b_80:leastconn:cookie-S:maxconn-7";
	assert_op(&op, "add server a_svc_b_80:leastconn:cookie-S:maxconn-7/pod-1 10.0.0.1:80 "
		       "pool-max-conn -1 pool-purge-delay 5s maxconn 7");
	op.kind = PLAN_OP_BACKEND_ADD;
	assert_op(&op, "add backend a_svc_b_80:leastconn:cookie-S:maxconn-7 from leastconn_cookie");
	op.backend = "a_svc_b_80:leastconns";
	assert_op_refused(&op, DIR);
	op.kind = PLAN_OP_BACKEND_DEL;
	assert_op(&op, "del backend a_svc_b_80:leastconns");
}

static void test_bad_names(void **state)
{
	static const char *const names[] = {"", "a/b", "a b", "a;b", "a\nb", "a\\b", "a<<", "\x7f",
		"\xc3\xa4", "a\"b", "#1", "@1", "a!", "$x", "a\tb"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct plan_op op = {.backend = names[i],
			.server = "s",
			.address = "1.2.3.4:5",
			.certificate = names[i]};

		for (int kind = 0; kind < PLAN_OP_COUNT; kind++) {
			op.kind = (enum plan_op_kind)kind;
			bool has_name = (kind < PLAN_OP_MAP_ADD || kind > PLAN_OP_MAP_DEL) &&
					kind != PLAN_OP_CERT_LIST;
			if (has_name) {
				assert_op_refused(&op, DIR);
			}
		}
		op.kind = PLAN_OP_SERVER_DEL;
		op.server = op.backend;
		op.backend = "b";
		assert_op_refused(&op, DIR);
	}
}

static void test_addresses(void **state)
{
	static const char *const good[] = {"1.2.3.4:1", "255.255.255.255:65535", "[::1]:80",
		"[fd00::ffff:102:304]:80", "[::ffff:1.2.3.4]:80"};
	static const char *const bad[] = {"", "1.2.3.4", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:080",
		"1.2.3.4:65536", "1.2.3.4:100000", "1.2.3.4:8 0", "1.2.3.4:-1", "1.2.3.4:+1",
		"1.2.3:4", "01.2.3.4:5", "1.2.3.4.5:6", "host:80", "localhost:80", "fd00::1:80",
		"[fd00::1]", "[fd00::1]80", "[fd00::1]:", "[fd00::1", "[FD00::1]:80",
		"[fd00:0::1]:80", "[1.2.3.4]:80", "[fe80::1%eth0]:80", "[]:80", ":80", "0.0.0.0:80",
		"[::]:80", "unix@/x:80", "1.2.3.4:80 disabled", "1.2.3.4:80;x", "1.2.3.4:80\nx",
		"[aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa]:80"};
	struct plan_op op = {.kind = PLAN_OP_SERVER_ADD, .backend = "b", .server = "s"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct buf buf = BUF_INIT(0);

		op.address = good[i];
		assert_true(encode_op(&buf, &op, DIR));
		buf_fini(&buf);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		op.address = bad[i];
		op.kind = PLAN_OP_SERVER_ADD;
		assert_op_refused(&op, DIR);
		op.kind = PLAN_OP_SERVER_ADDRESS;
		assert_op_refused(&op, DIR);
	}
}

static bool encode_entry(const char *key, const char *value)
{
	struct buf buf = BUF_INIT(0);
	struct plan_op op = {.kind = PLAN_OP_MAP_ADD, .key = key, .value = value};
	bool as_command = encode_op(&buf, &op, DIR);
	bool as_line = encode_map_line(&buf, key, value);

	assert_int_equal(as_command, as_line);
	buf_fini(&buf);
	return as_command;
}

static void test_map_entries(void **state)
{
	static const char *const bad_keys[] = {"", " ", "a b", "#", "#x", "a\nb", "a\rb", "a\tb",
		"\x01", "\x7f", "\x80", "\xc3\xa4", "<<", "a<<", "<<a", "a<<b", "a\n", "\na"};
	static const char *const good_keys[] = {"a", "*", "*.a.test", "a#", "\"q", "'q", "\\",
		"\\\\", ";", "a;b", "%[x]", "$X", "-f", "@1", "<", "a<", "<a<b", "{}[]|^~`!"};
	static const char *const bad_values[] = {"", " ", " a", "a ", "a\nb", "<<", "a<<"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_keys); i++) {
		assert_false(encode_entry(bad_keys[i], "v"));
	}
	for (size_t i = 0; i < ARRAY_LEN(good_keys); i++) {
		assert_true(encode_entry(good_keys[i], "v"));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_values); i++) {
		assert_false(encode_entry("k", bad_values[i]));
	}
	assert_true(encode_entry("k", "#v"));
	assert_true(encode_entry("k", "a  b"));
}

static void test_map_line(void **state)
{
	struct buf buf = BUF_INIT(0);

	(void)state;
	assert_true(encode_map_line(&buf, "a.test/x;y", "v\\w x"));
	assert_true(encode_map_line(&buf, "b", "w"));
	assert_false(encode_map_line(&buf, "c d", "w"));
	assert_string_equal(buf_str(&buf), "a.test/x;y v\\w x\nb w\n");
	buf_fini(&buf);
}

static void test_words(void **state)
{
	struct buf buf = BUF_INIT(0);

	(void)state;
	assert_true(encode_cli_word(&buf, "a b;c\\d\"e"));
	assert_string_equal(buf_str(&buf), "a\\ b\\;c\\\\d\"e");
	assert_false(encode_cli_word(&buf, ""));
	assert_false(encode_cli_word(&buf, "a\nb"));
	buf_clear(&buf);
	assert_true(encode_cli_map(&buf, MODEL_MAP_HOSTS, "/a b"));
	assert_string_equal(buf_str(&buf), "/a\\ b/hosts.map");
	assert_false(encode_cli_map(&buf, MODEL_MAP_HOSTS, "#1"));
	assert_false(encode_cli_map(&buf, MODEL_MAP_HOSTS, "@1"));
	assert_false(encode_cli_map(&buf, MODEL_MAP_HOSTS, ""));
	assert_false(encode_cli_map(&buf, MODEL_MAP_HOSTS, "/a\nb"));
	assert_string_equal(buf_str(&buf), "/a\\ b/hosts.map");
	buf_fini(&buf);
}

static void test_long_lines(void **state)
{
	char *key = xmalloc(ENCODE_MAX_LINE + 2);
	size_t overhead = strlen("add map " DIR "/exact.map  v");
	struct plan_op op = {
		.kind = PLAN_OP_MAP_ADD, .map = MODEL_MAP_EXACT, .key = key, .value = "v"};
	struct buf buf = BUF_INIT(0);

	(void)state;
	memset(key, 'k', ENCODE_MAX_LINE + 1);
	key[ENCODE_MAX_LINE - overhead] = '\0';
	assert_true(encode_op(&buf, &op, DIR));
	assert_int_equal(buf.len, ENCODE_MAX_LINE);
	/* One byte that needs a backslash is one too many. */
	key[0] = ';';
	assert_op_refused(&op, DIR);
	memset(key, 'k', ENCODE_MAX_LINE + 1);
	key[ENCODE_MAX_LINE + 1] = '\0';
	assert_op_refused(&op, DIR);
	assert_false(encode_cli_word(&buf, key));
	assert_false(encode_map_line(&buf, key, "v"));
	assert_int_equal(buf.len, ENCODE_MAX_LINE);
	buf_fini(&buf);
	free(key);
}

static void test_backend_section(void **state)
{
	struct applied *applied = applied_new();
	struct applied_backend *backend = applied_add_backend(applied, "a_svc_b_80");
	struct buf buf = BUF_INIT(0);

	(void)state;
	assert_true(encode_backend_section(&buf, backend, "/maps"));
	applied_set_server(applied, backend, "s2", "[fd00::1]:80", APPLIED_READY);
	applied_set_server(applied, backend, "s1", "10.0.0.1:80", APPLIED_READY);
	applied_set_server(applied, backend, "s3", "10.0.0.3:80", APPLIED_MAINT);
	applied_set_server(applied, backend, "s4", "10.0.0.4:80", APPLIED_DRAIN);
	applied_set_server(applied, backend, "s5_h2c", "10.0.0.5:80", APPLIED_READY);
	assert_true(encode_backend_section(&buf, backend, "/maps"));
	assert_string_equal(buf_str(&buf),
		"backend a_svc_b_80 from http_profile\n"
		"backend a_svc_b_80 from http_profile\n"
		"\tserver s1 10.0.0.1:80 pool-max-conn -1 pool-purge-delay 5s\n"
		"\tserver s2 [fd00::1]:80 pool-max-conn -1 pool-purge-delay 5s\n"
		"\tserver s5_h2c 10.0.0.5:80 pool-max-conn -1 pool-purge-delay 5s proto h2\n");

	buf_clear(&buf);
	backend = applied_add_backend(applied, "a_svc_b_80:first:check");
	applied_set_server(applied, backend, "s2", "10.0.0.1:80", APPLIED_READY);
	assert_true(encode_backend_section(&buf, backend, "/maps"));
	/* Somebody else's, about to be removed. */
	assert_true(encode_backend_section(
		&buf, applied_add_backend(applied, "a_svc_b_80:x"), "/maps"));
	assert_string_equal(buf_str(&buf),
		"backend a_svc_b_80:first:check from first\n"
		"\tserver s2 10.0.0.1:80 pool-max-conn -1 pool-purge-delay 5s check\n"
		"backend a_svc_b_80:x from http_profile\n");

	size_t len = buf.len;
	applied_set_server(applied, backend, "s2", "host:80", APPLIED_READY);
	assert_false(encode_backend_section(&buf, backend, "/maps"));
	applied_set_server(applied, backend, "s2", "10.0.0.2:80", APPLIED_READY);
	applied_set_server(applied, backend, "s\n2", "10.0.0.2:80", APPLIED_READY);
	assert_false(encode_backend_section(&buf, backend, "/maps"));
	assert_false(encode_backend_section(&buf, applied_add_backend(applied, "a b"), "/maps"));
	assert_int_equal(buf.len, len);
	assert_int_equal(strlen(buf_str(&buf)), len);
	buf_fini(&buf);
	applied_free(applied);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_commands_of_variants),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_map_entries),
		cmocka_unit_test(test_map_line),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_backend_section),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

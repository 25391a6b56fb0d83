/* What haproxy/state writes, haproxy/saved reads; and what it has not written is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "haproxy/saved.h"
#include "haproxy/state_testing.h"

#define DIGEST "0123456789abcdef0123456789abcdef"

static int tear_down(void **test)
{
	testing_remove_state(*test);
	return 0;
}

static void fill(struct applied *applied)
{
	static const char *const backends[] = {"shop_svc_web_80", "shop_svc_web_80:leastconn",
		"blog_svc_a_http", "blog_svc_none_80",
		"shop_svc_web_443:tls:ca-" DIGEST ":crt-" DIGEST};

	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		struct applied_backend *backend = applied_add_backend(applied, backends[i]);
		if (i != 3) {
			applied_set_server(
				applied, backend, "pod-1", "10.0.0.1:8080", APPLIED_READY);
			applied_set_server(
				applied, backend, "pod-2_h2c", "[2001:db8::1]:80", APPLIED_READY);
		}
	}
	applied_set_certificate(applied, "ca-" DIGEST, "", NULL);
	applied_set_certificate(applied, "crt-" DIGEST, "", NULL);
	applied_set_entry(applied, MODEL_MAP_HOSTS, "a.test", "a.test");
	applied_set_entry(applied, MODEL_MAP_PREFIX, "a.test/", "shop_svc_web_80|shop/web");
	applied_set_entry(applied, MODEL_MAP_POLICY, "shop/web", "T|{\"set-host\":\"a b\"}");
}

static char *dump(const struct applied *applied)
{
	struct buf text = BUF_INIT(0);

	applied_dump(applied, &text);
	char *copy = xstrdup(buf_str(&text));
	buf_fini(&text);
	return copy;
}

static void test_reads_what_was_written(void **test)
{
	struct fixture *f = *test;
	struct err err = {0};

	fill(f->applied);
	assert_true(state_save_all(f->state, f->applied, &err));
	struct applied *saved = saved_read(f->directory, &err);
	assert_non_null(saved);
	CLEANUP(free_ptr) char *want = dump(f->applied);
	CLEANUP(free_ptr) char *have = dump(saved);
	assert_string_equal(have, want);
	applied_free(saved);
}

static void test_refuses_other_lines(void **test)
{
	static const struct {
		const char *file;
		const char *line;
	} rows[] = {{"hosts.map", "alone\n"}, {"hosts.map", " value\n"}, {"hosts.map", "key \n"},
		{"backends/00.cfg", "\tserver a 10.0.0.1:80 x\n"},
		{"backends/00.cfg", "listen x y\n"}, {"backends/00.cfg", "backend a\n"},
		{"certs.list", "/a/b.pem\n"}, {"certs.list", "b a.test\n"}};
	struct fixture *f = *test;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = {0};
		assert_true(state_save_all(f->state, f->applied, &err));
		CLEANUP(free_ptr)
		char *path = xasprintf("%s/current/%s", f->directory, rows[i].file);
		FILE *file = fopen(path, "we");
		assert_non_null(file);
		fputs(rows[i].line, file);
		fclose(file);
		assert_null(saved_read(f->directory, &err));
		assert_int_equal(err.kind, ERR_PROTO);
		assert_non_null(strstr(err.text, "line 1"));
	}
}

static void test_needs_a_state(void **test)
{
	struct fixture *f = *test;
	CLEANUP(free_ptr) char *other = xasprintf("%s/other", f->directory);
	struct err err = {0};

	assert_null(saved_read(other, &err));
	assert_int_equal(err.kind, ERR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_reads_what_was_written, testing_open_state, tear_down),
		cmocka_unit_test_setup_teardown(
			test_refuses_other_lines, testing_open_state, tear_down),
		cmocka_unit_test_setup_teardown(test_needs_a_state, testing_open_state, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

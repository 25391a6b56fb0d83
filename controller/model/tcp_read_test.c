/* What the ConfigMap of TCP services says: what is taken, what is refused and in which words. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/tcp_read.h"

#define LISTENERS                                                                                  \
	"--http-bind=:8080,[::]:8080 --https-bind=none --stats-bind=127.0.0.1:8404 "               \
	"--admin-bind=:8405"

static void test_taken(void **state)
{
	static const struct {
		const char *key, *value;
		struct tcp_service service;
	} rows[] = {
		{"5432", "shop/db:5432", {5432, false, NULL, "shop", "db", "5432", NULL, false}},
		{"1", " shop/db:pg\n", {1, false, NULL, "shop", "db", "pg", NULL, false}},
		{"65535", "a/b:1:ssl", {65535, true, NULL, "a", "b", "1", NULL, false}},
		{"80", "a/b:ssl", {80, false, NULL, "a", "b", "ssl", NULL, false}},
		{"808", "a/b:80", {808, false, NULL, "a", "b", "80", NULL, false}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct tcp_service *wanted = &rows[i].service;
		struct tcp_services services = {0};
		char *reason = tcp_services_add(&services, rows[i].key, rows[i].value, LISTENERS);
		if (reason != NULL) {
			fail_msg("%s: %s", rows[i].key, reason);
		}
		assert_int_equal(services.n, 1);
		assert_int_equal(services.items[0].port, wanted->port);
		assert_int_equal(services.items[0].has_tls, wanted->has_tls);
		assert_string_equal(services.items[0].namespace, wanted->namespace);
		assert_string_equal(services.items[0].service, wanted->service);
		assert_string_equal(services.items[0].service_port, wanted->service_port);
		tcp_services_fini(&services);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *key, *value, *reason;
	} rows[] = {
		{"0", "a/b:1", "is no port"},
		{"65536", "a/b:1", "is no port"},
		{"99999999999999999999", "a/b:1", "is no port"},
		{"080", "a/b:1", "is no port"},
		{"-80", "a/b:1", "is no port"},
		{"80 ", "a/b:1", "is no port"},
		{"http", "a/b:1", "is no port: write a number from 1 to 65535, or log-format-tcp"},
		{"", "a/b:1", "is no port"},
		{"8080", "a/b:1", "is the port of --http-bind: use another"},
		{"8404", "a/b:1", "is the port of --stats-bind"},
		{"8405", "a/b:1", "is the port of --admin-bind"},
		{"80", "", "names no port of a Service: write NAMESPACE/SERVICE:PORT"},
		{"80", "b:1", "names no port"},
		{"80", "a/b", "names no port"},
		{"80", "a/b:", "names no port"},
		{"80", "a/b:0", "names no port"},
		{"80", "a/b:70000", "names no port"},
		{"80", "a/b:Http", "names no port"},
		{"80", "a/b:-", "names no port"},
		{"80", "a/b:http-", "names no port"},
		{"80", "a/b:a--b", "names no port"},
		{"80", "/b:1", "names no port"},
		{"80", "a/:1", "names no port"},
		{"80", "a b/c:1", "names no port"},
		{"80", "a/b c:1", "names no port"},
		{"80", "A/b:1", "names no port"},
		{"80", "a/b\n:1", "names no port"},
		{"80", "a/b:1:SSL", "has another word than ssl at its end"},
		{"80", "a/b:1:", "has another word"},
		{"80", "a/b:1::PROXY", "send-proxy-protocol on the Service"},
		{"80", "a/b:1:ssl:ssl", "has another word"},
		{"log-format-tcp", "%ST %HM", "is with '%HM', which is none"},
		{"log-format-tcp", "it's", "single quote"},
		{"log-format-tcp", "%[req.hdr(x)]", "that can be logged of a connection"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tcp_services services = {0};
		CLEANUP(free_ptr)
		char *reason = tcp_services_add(&services, rows[i].key, rows[i].value, LISTENERS);
		if (reason == NULL || strstr(reason, rows[i].reason) == NULL) {
			fail_msg(
				"%s=%s: %s", rows[i].key, rows[i].value, reason ? reason : "taken");
		}
		assert_int_equal(services.n, 0);
		assert_null(services.log_format);
		tcp_services_fini(&services);
	}
}

/* By port, whatever the order; as many of a kind as there are places. */
static void test_order_and_number(void **state)
{
	struct tcp_services services = {0};
	char key[8];

	(void)state;
	for (unsigned i = 0; i < 2 * TCP_MAX_PORTS; i++) {
		snprintf(key, sizeof(key), "%u", 500 - i);
		assert_null(tcp_services_add(&services, key, i % 2 ? "a/b:1:ssl" : "a/b:1", NULL));
	}
	for (size_t i = 1; i < services.n; i++) {
		assert_true(services.items[i - 1].port < services.items[i].port);
	}
	for (int i = 0; i < 2; i++) {
		CLEANUP(free_ptr)
		char *reason = tcp_services_add(&services, "600", i ? "a/b:1:ssl" : "a/b:1", NULL);
		assert_non_null(reason);
		assert_non_null(strstr(reason, "is a port too many"));
	}
	assert_int_equal(services.n, 2 * TCP_MAX_PORTS);
	tcp_services_fini(&services);
}

static void test_log_format(void **state)
{
	struct tcp_services services = {0};

	(void)state;
	assert_null(tcp_services_add(&services, TCP_LOG_FORMAT, "%ci:%cp [%t] %b/%s %B %ts", NULL));
	assert_string_equal(services.log_format, "%ci:%cp [%t] %b/%s %B %ts");
	assert_null(tcp_services_add(&services, TCP_LOG_FORMAT, "", NULL));
	assert_string_equal(services.log_format, "");
	tcp_services_fini(&services);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_order_and_number),
		cmocka_unit_test(test_log_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

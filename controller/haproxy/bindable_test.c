/* Which addresses are left where there is no IPv6, and which ports can be had. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "haproxy/bindable.h"

static void test_choose(void **state)
{
	static const struct {
		const char *binds;
		const char *chosen;
	} rows[] = {
		{":8080", ":8080"},
		{":8080,[::]:8080", ":8080"},
		{":::8080,:8080", ":8080"},
		{"192.0.2.1:80,[2001:db8::1]:80,192.0.2.2:80", "192.0.2.1:80,192.0.2.2:80"},
		{"[::]:8080", "[::]:8080"},
		{"none", "none"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_ptr) char *without = bindable_choose(rows[i].binds, false);
		CLEANUP(free_ptr) char *with = bindable_choose(rows[i].binds, true);
		assert_string_equal(without, rows[i].chosen);
		assert_string_equal(with, rows[i].binds);
	}
	assert_null(bindable_choose(NULL, false));
}

static void test_try_port(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	uint16_t port = ntohs(address.sin_port);
	assert_int_equal(bindable_try_port(port, false), EADDRINUSE);
	close(fd);
	assert_int_equal(bindable_try_port(port, false), 0);
	/* As often as one likes: nothing is left behind. */
	assert_int_equal(bindable_try_port(port, false), 0);
}

/* Somebody has it on the addresses of one family. */
static void test_try_port_of_ipv6(void **state)
{
	static const int on = 1;
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	if (fd < 0) {
		skip();
	}
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(bindable_try_port(ntohs(address.sin6_port), false), 0);
	assert_int_equal(bindable_try_port(ntohs(address.sin6_port), true), EADDRINUSE);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_try_port),
		cmocka_unit_test(test_try_port_of_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

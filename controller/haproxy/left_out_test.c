/* The file that leaves TCP ports out: what it says for which file of settings, and when it is
 * written. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "haproxy/left_out.h"
#include "haproxy/state.h"
#include "haproxy/state_testing.h"

#define DIGEST "0123456789abcdef0123456789abcdef"

/* A file of settings. */
static char *file_of(const char *mark, const char *written)
{
	return xasprintf("# A comment.\nglobal\n\tsetenv HEADGATE_A 'a b'\n"
			 "\tsetenv HEADGATE_TCP_PORT_1 '90'\n\tsetenv HEADGATE_TCP_PORT_2 '443'\n"
			 "\tsetenv HEADGATE_TCP_PORTS '90 443'\n"
			 "\tsetenv HEADGATE_SETTINGS '%s'\n"
			 "\tsetenv HEADGATE_SETTINGS_WRITTEN '%s'\n",
		mark, written);
}

static void test_encode(void **state)
{
	static const uint16_t port = 90;
	CLEANUP(free_ptr) char *content = file_of(DIGEST "0000000000000000", "1700000000000000");
	CLEANUP(free_ptr)
	char *left = model_settings_without(
		"HEADGATE_A a b\nHEADGATE_TCP_PORT_1 443\nHEADGATE_TCP_PORTS 443\n", NULL, 0);
	char digest[MODEL_DIGEST_SIZE];
	struct buf buf = BUF_INIT(0);

	(void)state;
	model_digest_settings(digest, left);
	assert_true(left_out_encode(&buf, content, &port, 1));
	CLEANUP(free_ptr)
	char *mark = xasprintf(
		"\tsetenv HEADGATE_SETTINGS '" DIGEST "%s'\n.endif\n", digest + strlen(DIGEST));
	const char *const wanted[] = {
		".if streq(\"$HEADGATE_SETTINGS_WRITTEN\",1700000000000000)\n#",
		"\tsetenv HEADGATE_A 'a b'\n\tsetenv HEADGATE_TCP_PORT_1 '443'\n"
		"\tsetenv HEADGATE_TCP_PORT_2 'none'\n",
		"\tsetenv HEADGATE_TCP_PORTS '443'\n", mark};
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		if (strstr(buf_str(&buf), wanted[i]) == NULL) {
			fail_msg("no %s in\n%s", wanted[i], buf_str(&buf));
		}
	}
	buf_fini(&buf);
}

static void test_refuses(void **state)
{
	static const uint16_t port = 90;
	static const char *const rows[][2] = {{DIGEST, "1"}, {DIGEST "0000000000000000", "1)"},
		{DIGEST "0000000000000000", ""}, {DIGEST "0000000000000000", "now"}};
	struct buf buf = BUF_INIT(0);

	(void)state;
	assert_false(left_out_encode(&buf, "", &port, 1));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_ptr) char *content = file_of(rows[i][0], rows[i][1]);
		assert_false(left_out_encode(&buf, content, &port, 1));
		assert_int_equal(buf.len, 0);
	}
	buf_fini(&buf);
}

/* Settings with this port of TCP services, in the state directory. */
static void write_settings(struct fixture *f, uint16_t port)
{
	CLEANUP(free_ptr)
	char *settings = xasprintf("HEADGATE_A 1\nHEADGATE_TCP_PORT_1 %u\n"
				   "HEADGATE_TCP_PORTS %u\n",
		port, port);
	struct err err = {0};

	assert_true(state_try_settings(f->state, settings, &err));
}

static void test_write(void **test)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct fixture *f;

	assert_int_equal(testing_open_state(test), 0);
	f = *test;
	const struct process_options options = {
		.settings_file = state_settings_file(f->state), .run_dir = f->directory};
	assert_null(left_out_write(&options));
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	write_settings(f, ntohs(address.sin_port));
	CLEANUP(free_ptr) char *path = left_out_write(&options);
	assert_non_null(path);
	assert_int_equal(access(path, R_OK), 0);
	assert_int_equal(unlink(path), 0);
	close(fd);
	assert_null(left_out_write(&options));
	testing_remove_state(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

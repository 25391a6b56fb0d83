/*
 * What haproxy-cfg makes of the headers that say who the client is and what the request is called,
 * with a real HAProxy: the server sends back what came to it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "plan/applied.h"
#include "test/running.h"
#include "test/web.h"

#define BACKEND "t_svc_echo_80"
#define TEN	"aaaaaaaaaa"
#define LEN_128 TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "aaaaaaaa"

struct fixture {
	struct running running;
	struct applied *applied;
	pid_t origin;
};

/* The header of the request as the server has got it. The caller frees it. */
static char *ask(const struct fixture *f, const char *headers)
{
	struct buf request = BUF_INIT(1 << 16);

	buf_printf(
		&request, "GET / HTTP/1.1\r\nHost: a.test\r\n%sConnection: close\r\n\r\n", headers);
	CLEANUP(free_ptr) char *answer = web_exchange(f->running.http_socket, &request);
	buf_fini(&request);
	return web_judge(answer);
}

/* A new text of the values of all headers whose name is this when every character that isn't a
 * letter or a digit counts as "_", as CGI has it: "one|two". */
static char *values_of(const char *request, const char *name)
{
	struct buf values = BUF_INIT(1 << 16);
	size_t len = strlen(name);

	for (const char *line = request; line != NULL; line = strstr(line, "\r\n")) {
		line += line == request ? 0 : 2;
		const char *colon = strchr(line, ':');
		size_t i = 0;
		while (i < len && line[i] != '\0' &&
			(name[i] == '_' ? strchr("-_.", line[i]) != NULL
					: strncasecmp(&line[i], &name[i], 1) == 0)) {
			i++;
		}
		if (i == len && colon == &line[len]) {
			const char *value = colon + 1 + strspn(colon + 1, " ");
			buf_append_str(&values, values.len > 0 ? "|" : "");
			buf_append(&values, value, strcspn(value, "\r"));
		}
	}
	return values.len > 0 ? buf_take(&values) : xstrdup("");
}

static void test_headers_that_applications_believe(void **test)
{
	static const struct {
		const char *sent;
		const char *name;
		const char *expected;
	} rows[] = {
		{"X-Forwarded-Proto: https\r\n", "x_forwarded_proto", "http"},
		{"X_Forwarded_Proto: https\r\n", "x_forwarded_proto", "http"},
		{"X-Forwarded_Proto: https\r\n", "x_forwarded_proto", "http"},
		{"X.Forwarded.Proto: https\r\n", "x_forwarded_proto", "http"},
		{"X-Forwarded-Host: b.test\r\nx_forwarded_host: c.test\r\n", "x_forwarded_host",
			"a.test"},
		{"X_FORWARDED_PORT: 81\r\nX-Forwarded-Port: 82\r\n", "x_forwarded_port", "80"},
		{"X_Forwarded_User: root\r\nX-Forwarded-User: root\r\n", "x_forwarded_user", ""},
		{"Forwarded: for=3.3.3.3\r\n", "forwarded", ""},
		{"Proxy: http://3.3.3.3/\r\n", "proxy", ""},
		{"X-Real-IP: 3.3.3.3\r\nX_Real_IP: 3.3.3.3\r\nX-Real_IP: 3\r\n", "x_real_ip", ""},
		{"X-Original-URL: /a\r\nX_Original_URL: /a\r\n", "x_original_url", ""},
		{"X-Rewrite-URL: /a\r\nX_Rewrite_URL: /a\r\nX_Rewrite-URL: /a\r\n", "x_rewrite_url",
			""},
		/* Others are the application's own. */
		{"X_Forward: 1\r\n", "x_forward", "1"},
		{"X_Real_IP_2: 1\r\n", "x_real_ip_2", "1"},
		{"Forwarded_By: 1\r\n", "forwarded_by", "1"},
		{"My_X_Real_IP: 1\r\n", "my_x_real_ip", "1"},
		{"X-Requested-With: b\r\n", "x_requested_with", "b"},
	};
	const struct fixture *f = *test;
	int n_wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_ptr) char *request = ask(f, rows[i].sent);
		CLEANUP(free_ptr) char *got = values_of(request, rows[i].name);
		if (strcmp(got, rows[i].expected) != 0) {
			print_error("%s -> %s: %s, expected %s\n", rows[i].sent, rows[i].name, got,
				rows[i].expected);
			n_wrong++;
		}
	}
	assert_int_equal(n_wrong, 0);
}

/* The client has no address here (a Unix socket), so nothing may be left in this one. */
static void test_forwarded_for(void **test)
{
	static const char *const sent[] = {"X-Forwarded-For: 3.3.3.3\r\n",
		"X_Forwarded_For: 3.3.3.3\r\n", "x_forwarded-for: 3.3.3.3\r\n",
		"X-Forwarded-For: 1.1.1.1\r\nX_Forwarded_For: 3.3.3.3\r\n"};

	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		CLEANUP(free_ptr) char *request = ask(*test, sent[i]);
		assert_non_null(strstr(request, "a.test"));
		assert_null(strstr(request, "3.3.3.3"));
		assert_null(strstr(request, "1.1.1.1"));
	}
}

static bool is_uuid(const char *text)
{
	static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i = 0;

	while (pattern[i] != '\0' && text[i] != '\0' &&
		(pattern[i] == '-' ? text[i] == '-'
				   : strchr("0123456789abcdef", text[i]) != NULL)) {
		i++;
	}
	return pattern[i] == '\0' && text[i] == '\0';
}

static void test_request_id(void **test)
{
	static const struct {
		const char *sent;
		const char *expected; /* NULL = a UUID of HAProxy's */
	} rows[] = {
		{"", NULL},
		{"X-Request-ID: a\r\n", "a"},
		{"x-request-id: 0Az-_.:/+=@\r\n", "0Az-_.:/+=@"},
		{"X-Request-ID: " LEN_128 "\r\n", LEN_128},
		{"X-Request-ID: " LEN_128 "a\r\n", NULL},
		{"X-Request-ID:\r\n", NULL},
		{"X-Request-ID: a b\r\n", NULL},
		{"X-Request-ID: a,b\r\n", NULL},
		{"X-Request-ID: a\"b\r\n", NULL},
		{"X-Request-ID: a\xc3\xa9\r\n", NULL},
		{"X-Request-ID: a\r\nX-Request-ID: b\r\n", NULL},
		{"X-Request-ID: a\r\nX-Request-ID: a\r\n", NULL},
		{"X-Request-ID: a\r\nX-Request-ID:\r\n", NULL},
		{"X-Request-ID: " LEN_128 TEN "\r\nX-Request-ID: b\r\n", NULL},
		{"X-Request-ID: a\r\nX_Request_ID: b\r\n", "a"},
		{"X-Request-ID: a\r\nX_Request-ID: b\r\nx-request_id: c\r\n", "a"},
		{"X_Request_ID: b\r\n", NULL},
		{"X-Request_ID: b\r\n", NULL},
	};
	const struct fixture *f = *test;
	int n_wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_ptr) char *request = ask(f, rows[i].sent);
		CLEANUP(free_ptr) char *got = values_of(request, "x_request_id");
		const char *expected = rows[i].expected;
		if (expected != NULL ? strcmp(got, expected) != 0 : !is_uuid(got)) {
			print_error("%s-> %s, expected %s\n", rows[i].sent, got,
				expected ? expected : "a UUID");
			n_wrong++;
		}
	}
	assert_int_equal(n_wrong, 0);
}

static int set_up(void **test)
{
	static const char *const names[] = {WEB_ECHO};
	struct fixture *f = xcalloc(1, sizeof(*f));
	char *address = NULL;
	struct err err = {0};

	running_init(&f->running);
	f->applied = applied_new();
	f->origin = web_start(names, 1, &address);
	applied_set_server(f->applied, applied_add_backend(f->applied, BACKEND), "pod-1", address,
		APPLIED_READY);
	free(address);
	applied_set_entry(f->applied, MODEL_MAP_DEFAULTS, "*", BACKEND);
	if (!state_save(f->running.state, f->applied, &err)) {
		fail_msg("%s", err.text);
	}
	running_start(&f->running, true);
	running_wait(&f->running, PROCESS_UP, 1);
	*test = f;
	return 0;
}

static int tear_down(void **test)
{
	struct fixture *f = *test;

	kill(f->origin, SIGKILL);
	running_fini(&f->running);
	applied_free(f->applied);
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers_that_applications_believe),
		cmocka_unit_test(test_forwarded_for),
		cmocka_unit_test(test_request_id),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

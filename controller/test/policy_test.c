/*
 * What haproxy-cfg does for a route that has a policy, with a real HAProxy: records as the model
 * writes them (model/policy.h), a virtual host each, requests as they stand, and the answer. The
 * server sends back what came to it. Requests come over a Unix socket: the client's address is
 * what the policy's header says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "plan/applied.h"
#include "test/running.h"
#include "test/web.h"

#define BACKEND "t_svc_echo_80"
#define NEXT	"t_svc_next_80"
#define COOKIES ":cookie-S"
#define LIST	"1111:2222:3333:4444:5555:6666"
#define LIST6	"3333:4444:5555:6666"
#define SOURCE	"\"src-ip-header\":\"X-Client\""
#define LIMIT(more)                                                                                \
	"\"rate-limit-key\":\"aaaa:bbbb:cccc:dddd:eeee:ffff\",\"rate-limit-requests\":\"3\"," more \
		SOURCE

struct row {
	const char *record;  /* and, behind a line's end, the entry of auth.map, or of canary.map */
	const char *request; /* line and headers, less Host and Connection */
	const char *status;
	const char *has;   /* in the answer, or in the request that the server got; NULL = any */
	const char *lacks; /* NULL = nothing */
	int n_before;	   /* the same requests before, whatever their answers are */
};

#define PATHS "d|{\"deny-paths\":\"/admin /a%20b/.git\"}"
#define SIDES "\"canary-by-header\":\"X-C\",\"canary-by-cookie\":\"side\""
#define VALUE "\"canary-by-header\":\"X-C\",\"canary-by-header-value\":\"ZXUsIDE=\""

#define GET	      "GET /a/b?c=d HTTP/1.1\r\n"
#define FROM(address) GET "X-Client: " address "\r\n"

static const struct row rows[] = {
	/* A service is asked; this one says yes to all. Without it nobody comes in. */
	{"U|{}", GET, "503", NULL, NULL, 0},
	{"U|{}\n" BACKEND "||{\"auth-url\":\"http://a.test/x\","
	 "\"auth-response-headers\":\"x-user\"}",
		GET "X-User: evil\r\nX_USER: evil\r\n", "200", "GET /a/b?c=d", "evil", 0},
	{"U|{}\n" BACKEND "||{\"auth-url\":\"http://a.test/x\",\"auth-method\":\"post\"}", GET,
		"200", NULL, "x-headgate", 0},
	{"U|{}\nt_svc_none_80||{\"auth-url\":\"http://a.test/x\"}", GET, "503", NULL, NULL, 0},
	{"U|{}\n" BACKEND "||{\"auth-url\":\"nonsense\"}", GET, "503", NULL, NULL, 0},
	{"U|{}\nnonsense", GET, "503", NULL, NULL, 0},
	{"U|{}\nheadgate_external|127.0.0.1:80|{\"auth-url\":\"http://127.0.0.1/x\"}", GET, "503",
		NULL, NULL, 0},
	{"UV|{}", "OPTIONS / HTTP/1.1\r\n", "204", NULL, NULL, 0},
	{"UV|{}", GET, "503", NULL, NULL, 0},
	{"US|{}", GET, "308", NULL, NULL, 0},
	/* Another Service takes a part: this one answers with its name. */
	{"c|{}\n" NEXT "|100", GET, "200", "\r\nnext", "GET /", 20},
	{"c|{}\n" NEXT "|0", GET, "200", "GET /", NULL, 20},
	{"c|{}", GET, "200", "GET /", NULL, 0},
	{"c|{}\nt_svc_none_80|100", GET, "200", "GET /", NULL, 0},
	{"c|{}\nt_svc_empty_80|100", GET, "200", "GET /", NULL, 0},
	{"c|{}\n" NEXT, GET, "200", "GET /", NULL, 0},
	{"c|{}\n" NEXT "|0|{" SIDES "}", GET "X-C: always\r\n", "200", "\r\nnext", NULL, 0},
	{"c|{}\n" NEXT "|0|{" SIDES "}", GET "X-C: Always\r\n", "200", "GET /", NULL, 0},
	{"c|{}\n" NEXT "|100|{" SIDES "}", GET "X-C: never\r\nCookie: a=b; side=always\r\n", "200",
		"GET /", NULL, 0},
	{"c|{}\n" NEXT "|0|{" SIDES "}", GET "X-C: perhaps\r\nCookie: a=b; side=always\r\n", "200",
		"\r\nnext", NULL, 0},
	{"c|{}\n" NEXT "|100|{" SIDES "}", GET "Cookie: a=b; side=never\r\n", "200", "GET /", NULL,
		0},
	{"c|{}\n" NEXT "|100|{" SIDES "}", GET "Cookie: side=x\r\n", "200", "\r\nnext", NULL, 0},
	/* "eu, 1" */
	{"c|{}\n" NEXT "|0|{" VALUE "}", GET "X-C: eu, 1\r\n", "200", "\r\nnext", NULL, 0},
	{"c|{}\n" NEXT "|0|{" VALUE "}", GET "X-C: always\r\n", "200", "GET /", NULL, 0},
	{"c|{}\n" NEXT "|100|{" VALUE "}", GET "X-C: never\r\n", "200", "\r\nnext", NULL, 0},
	{"cX|{}\n" NEXT "|100", GET, "403", NULL, NULL, 0},
	{"cS|{}\n" NEXT "|100", GET, "308", NULL, NULL, 0},
	/* Nothing but the routing. */
	{"|{}", GET, "200", "GET /a/b?c=d", "X-Client", 0},
	{"X|{}", GET, "403", NULL, NULL, 0},
	/* The client's address. */
	{"I|{" SOURCE "}", FROM("192.0.2.1"), "200", "x-forwarded-for: 192.0.2.1\r\n", NULL, 0},
	{"I|{" SOURCE "}", FROM("192.0.2.1, 192.0.2.2"), "200", "x-forwarded-for: 192.0.2.2\r\n",
		NULL, 0},
	{"I|{" SOURCE "}", FROM("2001:db8::1"), "200", "x-forwarded-for: 2001:db8::1\r\n", NULL, 0},
	{"I|{" SOURCE "}", FROM("nobody"), "200", NULL, "x-forwarded-for", 0},
	{"I|{\"src-ip-header\":\"X-Real-IP\"}", GET "X-Real-IP: 192.0.2.7\r\n", "200",
		"x-forwarded-for: 192.0.2.7\r\n", "x-real-ip", 0},
	{"IF|{" SOURCE "}", FROM("192.0.2.1"), "200", NULL, "x-forwarded-for", 0},
	{"I|{" SOURCE "}", GET "X-Forwarded-For: 3.3.3.3\r\nX-Client: 192.0.2.1\r\n", "200",
		"x-forwarded-for: 192.0.2.1\r\n", "3.3.3.3", 0},
	/* Who may come in. */
	{"ID|{" SOURCE ",\"deny-list\":\"" LIST "\"}", FROM("192.0.2.1"), "403", NULL, NULL, 0},
	{"ID|{" SOURCE ",\"deny-list\":\"" LIST "\"}", FROM("192.0.3.1"), "200", NULL, NULL, 0},
	{"ID|{" SOURCE ",\"deny-list\":\"" LIST "\"}", FROM("::ffff:192.0.2.1"), "403", NULL, NULL,
		0},
	{"ID|{" SOURCE ",\"deny-list\":\"" LIST "\"}", FROM("2001:db8:0:1::5"), "403", NULL, NULL,
		0},
	{"ID|{" SOURCE ",\"deny-list\":\"" LIST "\"}", FROM("2001:db8:0:2::5"), "200", NULL, NULL,
		0},
	{"ID|{" SOURCE ",\"deny-list\":\"" LIST "\"}", FROM("2001:db8::99"), "403", NULL, NULL, 0},
	{"ID|{" SOURCE ",\"deny-list\":\"" LIST "\"}", FROM("2001:db8::9a"), "200", NULL, NULL, 0},
	{"IA|{" SOURCE ",\"allow-list\":\"" LIST "\"}", FROM("192.0.2.1"), "200", NULL, NULL, 0},
	{"IA|{" SOURCE ",\"allow-list\":\"" LIST "\"}", FROM("192.0.3.1"), "403", NULL, NULL, 0},
	{"IA|{" SOURCE ",\"allow-list\":\"" LIST "\"}", FROM("::ffff:192.0.2.1"), "200", NULL, NULL,
		0},
	{"IA|{" SOURCE ",\"allow-list\":\"" LIST "\"}", FROM("2001:db8:0:1::5"), "200", NULL, NULL,
		0},
	{"IA|{" SOURCE ",\"allow-list\":\"" LIST "\"}", FROM("2001:db8:0:2::5"), "403", NULL, NULL,
		0},
	{"IA|{" SOURCE ",\"allow-list\":\"" LIST "\"}", FROM("2001:db8::99"), "200", NULL, NULL, 0},
	/* Not found, not whole, another list's entry, no address: nobody comes in. */
	{"A|{}", GET, "403", NULL, NULL, 0},
	{"IA|{" SOURCE "}", FROM("192.0.2.1"), "403", NULL, NULL, 0},
	{"IA|{" SOURCE ",\"allow-list\":\"9:9:9:9:9:9\"}", FROM("192.0.2.1"), "403", NULL, NULL, 0},
	{"IA|{" SOURCE ",\"allow-list\":\"7:7:3333:4444:5555:6666\"}", FROM("2001:db8:0:1::5"),
		"403", NULL, NULL, 0},
	{"A|{\"allow-list\":\"" LIST "\"}", GET, "403", NULL, NULL, 0},
	{"IAD|{" SOURCE ",\"allow-list\":\"" LIST "\",\"deny-list\":\"" LIST "\"}",
		FROM("192.0.2.1"), "403", NULL, NULL, 0},
	/* Paths that nobody may ask for. */
	{"d|{}", GET, "403", NULL, NULL, 0},
	{PATHS, GET, "200", "GET /a/b?c=d", NULL, 0},
	{PATHS, "GET /admin HTTP/1.1\r\n", "403", NULL, NULL, 0},
	{PATHS, "GET /admin/x?y=z HTTP/1.1\r\n", "403", NULL, NULL, 0},
	{PATHS, "GET /admin?y=z HTTP/1.1\r\n", "403", NULL, NULL, 0},
	{PATHS, "GET /administrator HTTP/1.1\r\n", "200", NULL, NULL, 0},
	{PATHS, "GET /x/admin HTTP/1.1\r\n", "200", NULL, NULL, 0},
	{PATHS, "GET / HTTP/1.1\r\n", "200", NULL, NULL, 0},
	{PATHS, "GET /?p=/admin HTTP/1.1\r\n", "200", NULL, NULL, 0},
	{PATHS, "GET //admin HTTP/1.1\r\n", "403", NULL, NULL, 0},
	{PATHS, "GET /%61dmin/x HTTP/1.1\r\n", "403", NULL, NULL, 0},
	{PATHS, "GET /x/..%2fadmin HTTP/1.1\r\n", "403", NULL, NULL, 0},
	{PATHS, "GET /x/%2e%2e/./admin HTTP/1.1\r\n", "403", NULL, NULL, 0},
	{PATHS, "GET /admin;a=b/x HTTP/1.1\r\n", "403", NULL, NULL, 0},
	{PATHS, "GET /;a/admin HTTP/1.1\r\n", "403", NULL, NULL, 0},
	{PATHS, "GET /admin%00.x HTTP/1.1\r\n", "403", NULL, NULL, 0},
	{PATHS, "GET /admin/../x HTTP/1.1\r\n", "403", NULL, NULL, 0},
	{PATHS, "GET /a b/.git HTTP/1.1\r\n", "400", NULL, NULL, 0},
	{PATHS, "GET /a%20b/.git/config HTTP/1.1\r\n", "403", NULL, NULL, 0},
	{PATHS, "GET /a%20b HTTP/1.1\r\n", "200", NULL, NULL, 0},
	{"d|{\"deny-paths\":\"/\"}", GET, "403", NULL, NULL, 0},
	{"dS|{\"deny-paths\":\"/\"}", GET, "403", NULL, NULL, 0},
	/* To HTTPS. */
	{"S|{}", GET, "308", "location: https://HOST/a/b?c=d\r\n", NULL, 0},
	{"S|{\"ssl-redirect-code\":\"301\"}", GET, "301", "location: https://HOST/a/b?c=d\r\n",
		NULL, 0},
	{"S|{\"ssl-redirect-code\":\"302\",\"ssl-redirect-port\":\":8443\"}", GET, "302",
		"location: https://HOST:8443/a/b?c=d\r\n", NULL, 0},
	{"S|{\"ssl-redirect-code\":\"303\"}", GET, "303", NULL, NULL, 0},
	{"S|{\"ssl-redirect-code\":\"307\"}", GET, "307", NULL, NULL, 0},
	{"ISL1|{\"rate-limit-status-code\":\"429\"," LIMIT("") "}", FROM("192.0.2.30"), "308", NULL,
		NULL, 5},
	/* To another host. */
	{"R|{\"request-redirect\":\"http://b.test:81\",\"request-redirect-code\":\"302\"}", GET,
		"302", "location: http://b.test:81/a/b?c=d\r\n", NULL, 0},
	{"R|{\"request-redirect\":\"https://b.test\",\"request-redirect-code\":\"308\"}", GET,
		"308", "location: https://b.test/a/b?c=d\r\n", NULL, 0},
	{"RS|{\"request-redirect\":\"https://b.test\",\"request-redirect-code\":\"301\"}", GET,
		"308", "location: https://HOST/a/b?c=d\r\n", NULL, 0},
	/* How often. */
	{"IL1|{\"rate-limit-status-code\":\"429\"," LIMIT("") "}", FROM("192.0.2.2"), "200", NULL,
		NULL, 2},
	{"IL4|{\"rate-limit-status-code\":\"429\"," LIMIT("") "}", FROM("192.0.2.3"), "429", NULL,
		NULL, 3},
	{"IL4|{\"rate-limit-status-code\":\"403\"," LIMIT("") "}", FROM("192.0.2.4"), "403", NULL,
		NULL, 3},
	{"IL4|{\"rate-limit-status-code\":\"418\"," LIMIT("") "}", FROM("192.0.2.5"), "418", NULL,
		NULL, 3},
	{"IL3|{\"rate-limit-status-code\":\"429\"," LIMIT("") "}", FROM("2001:db8:7::1"), "429",
		NULL, NULL, 3},
	/* The same 64 bits. */
	{"IL3|{\"rate-limit-status-code\":\"429\"," LIMIT("") "}", FROM("2001:db8:7::2"), "429",
		NULL, NULL, 0},
	{"IL3|{\"rate-limit-status-code\":\"429\"," LIMIT("") "}", FROM("2001:db8:7:1::2"), "200",
		NULL, NULL, 0},
	/* Another policy's client is another one. */
	{"IL4|{\"rate-limit-status-code\":\"429\",\"rate-limit-key\":\"1:2:3:4:5:6\","
	 "\"rate-limit-requests\":\"3\"," SOURCE "}",
		FROM("192.0.2.3"), "200", NULL, NULL, 0},
	{"IL4W|{\"rate-limit-status-code\":\"429\",\"rate-limit-whitelist\":\"" LIST
	 "\"," LIMIT("") "}",
		FROM("192.0.2.8"), "200", NULL, NULL, 5},
	{"IL4W|{\"rate-limit-status-code\":\"429\",\"rate-limit-whitelist\":\"" LIST
	 "\"," LIMIT("") "}",
		FROM("192.0.3.8"), "429", NULL, NULL, 5},
	/* Pages of other sites. */
	{"O|{\"cors-allow-methods\":\"GET, "
	 "PUT\",\"cors-allow-headers\":\"*\",\"cors-max-age\":\"5\"}",
		GET "Origin: https://o.test\r\n", "200",
		"access-control-allow-origin: *\r\naccess-control-allow-methods: GET, "
		"PUT\r\naccess-control-allow-headers: *\r\naccess-control-max-age: 5\r\n",
		"access-control-allow-credentials", 0},
	{"Ok|{}", GET "Origin: https://o.test\r\n", "200",
		"access-control-allow-credentials: true\r\n", "vary", 0},
	{"O|{}", GET, "200", NULL, "access-control", 0},
	/* ^https://[a-z]+.test$ */
	{"Oo|{\"cors-allow-origin\":\"Xmh0dHBzOi8vW2Etel0rLnRlc3Qk\"}",
		GET "Origin: https://o.test\r\n", "200",
		"access-control-allow-origin: https://o.test\r\nvary: Origin\r\n", NULL, 0},
	{"Oo|{\"cors-allow-origin\":\"Xmh0dHBzOi8vW2Etel0rLnRlc3Qk\"}",
		GET "Origin: https://o.test.evil\r\n", "200", NULL, "access-control", 0},
	{"Oo|{\"cors-allow-origin\":\"KA==\"}", GET "Origin: (\r\n", "200", NULL, "access-control",
		0},
	{"OV|{\"cors-allow-methods\":\"GET\"}", "OPTIONS / HTTP/1.1\r\nOrigin: https://o.test\r\n",
		"204", "access-control-allow-methods: GET\r\n", NULL, 0},
	{"O|{}", "OPTIONS / HTTP/1.1\r\nOrigin: https://o.test\r\n", "200", NULL, NULL, 0},
	/* HAProxy's own answers say it, too. */
	{"OR|{\"request-redirect\":\"https://b.test\",\"request-redirect-code\":\"301\"}",
		GET "Origin: https://o.test\r\n", "301", "access-control-allow-origin: *\r\n", NULL,
		0},
	/* X-A: 1, and X-B: c %[src] */
	{"H|{\"request-set-header\":\"A1gtQQExAAA=\"}", GET "X-A: 0\r\nX-A: 2\r\n", "200",
		"x-a: 1\r\n", "x-a: 0", 0},
	{"IHE|{\"request-set-header\":\"A1gtQghjICVbc3JjXQAA\"," SOURCE "}", FROM("192.0.2.1"),
		"200", "x-b: c 192.0.2.1\r\n", NULL, 0},
	/* X-B: 5%; X-B: 5%%, filled in */
	{"H|{\"request-set-header\":\"A1gtQgI1JQAA\"}", GET, "200", "x-b: 5%\r\n", NULL, 0},
	{"HE|{\"request-set-header\":\"A1gtQgM1JSUAAA==\"}", GET, "200", "x-b: 5%\r\n", NULL, 0},
	{"h|{\"response-set-header\":\"A1gtQQExAAA=\"}", GET, "200", "x-a: 1\r\n", NULL, 0},
	{"Ihe|{\"response-set-header\":\"A1gtQghjICVbc3JjXQAA\"," SOURCE "}", FROM("192.0.2.1"),
		"200", "x-b: c 192.0.2.1\r\n", NULL, 0},
	{"N|{\"set-host\":\"b.test:81\"}", GET, "200", "host: b.test:81\r\n", NULL, 0},
	/* ^/a/(.*)$ /x/\1; nothing; then .* /fixed */
	{"P|{\"path-rewrite\":\"Xi9hLyguKikkIC94L1wx\"}", GET, "200", "GET /x/b?c=d HTTP", NULL, 0},
	{"P|{\"path-rewrite\":\"Xi9hLyguKikkIC94L1wx\"}", "GET /b/a/ HTTP/1.1\r\n", "200",
		"GET /b/a/ HTTP", NULL, 0},
	{"P|{\"path-rewrite\":\"Xi9hLyguKikkIC94L1wxCi4qIC9maXhlZA==\"}", GET, "200",
		"GET /fixed?c=d HTTP", NULL, 0},
	{"P|{\"path-rewrite\":\"KCAveA==\"}", GET, "200", "GET /a/b?c=d HTTP", NULL, 0},
	/* A server that takes its time is not waited for. */
	{"T|{\"timeout-server\":\"5000\",\"timeout-tunnel\":\"5000\"}", GET, "200", NULL, NULL, 0},
	{"C|{\"request-capture\":\"cGF0aA==\",\"request-capture-len\":\"10\"}", GET, "200", NULL,
		NULL, 0},
};

/* Routes that name a policy that isn't there. */
static const struct row missing = {NULL, GET, "404", NULL, NULL, 0};

/* Those of virtual hosts that want HTTPS: whatever else a policy is about. */
static const struct row secured[] = {
	{"|{}", GET, "308", "location: https://HOST/a/b?c=d\r\n", NULL, 0},
	{"T|{\"timeout-server\":\"5000\"}", GET, "308", "location: https://HOST/a/b?c=d\r\n", NULL,
		0},
	{"F|{}", GET, "308", NULL, NULL, 0},
	{"h|{\"response-set-header\":\"A1gtQQExAAA=\"}", GET, "308", NULL, NULL, 0},
	{"V|{}", GET, "308", NULL, NULL, 0},
	{"X|{}", GET, "403", NULL, NULL, 0},
	{"s|{}", GET, "200", NULL, NULL, 0},
	{"|{\"ssl-redirect-code\":\"301\"}", GET, "301", NULL, NULL, 0},
};

struct fixture {
	struct running running;
	struct applied *applied;
	pid_t origin;
};

/* A new text with every "HOST" replaced. */
static char *with_host(const char *text, const char *host)
{
	struct buf buf = BUF_INIT(0);
	const char *next;

	while ((next = strstr(text, "HOST")) != NULL) {
		buf_append(&buf, text, (size_t)(next - text));
		buf_append_str(&buf, host);
		text = next + 4;
	}
	buf_append_str(&buf, text);
	return buf_take(&buf);
}

static char *ask(const struct fixture *f, const struct row *row, const char *host)
{
	struct buf request = BUF_INIT(0);
	char *answer = NULL;

	buf_printf(&request, "%sHost: %s\r\nConnection: close\r\n\r\n", row->request, host);
	for (int i = 0; i <= row->n_before; i++) {
		free(answer);
		answer = web_exchange(f->running.http_socket, &request);
	}
	buf_fini(&request);
	return answer;
}

static bool check(const struct fixture *f, const struct row *row, const char *host)
{
	CLEANUP(free_ptr) char *answer = ask(f, row, host);
	CLEANUP(free_ptr) char *has = row->has ? with_host(row->has, host) : NULL;
	unsigned status = 0;
	char got[16] = "no answer";

	if (sscanf(answer, "HTTP/1.%*c %u", &status) == 1) {
		snprintf(got, sizeof(got), "%u", status);
	}
	bool is_ok = strcmp(got, row->status) == 0 &&
		     (has == NULL || strcasestr(answer, has) != NULL) &&
		     (row->lacks == NULL || strcasestr(answer, row->lacks) == NULL);
	if (!is_ok) {
		print_error("%s %s\n  is %s instead of %s, with%s %s:\n%s\n",
			row->record ? row->record : "(none)", row->request, got, row->status,
			row->lacks ? "out" : "",
			has	     ? has
			: row->lacks ? row->lacks
				     : "(anything)",
			answer);
	}
	return is_ok;
}

static void test_policies(void **test)
{
	int n_wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char host[32];
		snprintf(host, sizeof(host), "p%zu.test", i);
		n_wrong += !check(*test, &rows[i], host);
	}
	n_wrong += !check(*test, &missing, "missing.test");
	assert_int_equal(n_wrong, 0);
}

/* Is the answer that of the other Service? Writes the cookie that it sets, if it does. */
static bool is_on_other_side(
	const struct fixture *f, const char *host, const char *cookie, char ret_cookie[64])
{
	struct buf request = BUF_INIT(0);

	buf_printf(&request, GET "Host: %s\r\nCookie: a=b; %s; c=d\r\nConnection: close\r\n\r\n",
		host, cookie);
	CLEANUP(free_ptr) char *answer = web_exchange(f->running.http_socket, &request);
	buf_fini(&request);
	const char *set = strcasestr(answer, "set-cookie: ");
	ret_cookie[0] = '\0';
	if (set != NULL) {
		snprintf(ret_cookie, 64, "%.*s", (int)strcspn(set + 12, ";\r"), set + 12);
	}
	assert_non_null(strstr(answer, " 200 "));
	return strstr(answer, "GET /") == NULL;
}

/* Each request is drawn by itself: that 64 go one way is as likely as not at all. */
static void test_weights(void **test)
{
	unsigned n_others = 0;
	char cookie[64];

	for (int i = 0; i < 64; i++) {
		n_others += is_on_other_side(*test, "half.test", "x=y", cookie);
	}
	assert_in_range(n_others, 1, 63);
}

/* Clients stay on their side, as long as it has requests, by the cookie that keeps their pod. */
static void test_sides(void **test)
{
	char cookies[2][64] = {"", ""};
	char cookie[64];

	for (int i = 0; i < 64 && (cookies[0][0] == '\0' || cookies[1][0] == '\0'); i++) {
		bool side = is_on_other_side(*test, "w50.test", "x=y", cookie);
		memcpy(cookies[side], cookie, sizeof(cookie));
	}
	assert_int_equal(strncmp(cookies[0], "S=", 2), 0);
	assert_null(strstr(cookies[0], "canary."));
	assert_int_equal(strncmp(cookies[1], "S=canary.", 9), 0);
	for (int side = 0; side < 2; side++) {
		for (int i = 0; i < 16; i++) {
			assert_int_equal(
				is_on_other_side(*test, "w50.test", cookies[side], cookie), side);
			assert_string_equal(cookie, "");
		}
		assert_false(is_on_other_side(*test, "w0.test", cookies[side], cookie));
		assert_string_equal(cookie, side == 0 ? "" : cookies[0]);
		assert_true(is_on_other_side(*test, "w100.test", cookies[side], cookie));
		assert_string_equal(cookie, side == 1 ? "" : cookies[1]);
	}
}

static void test_secured(void **test)
{
	int n_wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(secured); i++) {
		char host[32];
		snprintf(host, sizeof(host), "s%zu.test", i);
		n_wrong += !check(*test, &secured[i], host);
	}
	assert_int_equal(n_wrong, 0);
}

static void add_route(
	struct applied *applied, const char *host, const char *backend, const char *policy)
{
	CLEANUP(free_ptr) char *key = xasprintf("%s/", host);
	CLEANUP(free_ptr) char *value = xasprintf("%s|%s", backend, policy);

	applied_set_entry(applied, MODEL_MAP_HOSTS, host, host);
	applied_set_entry(applied, MODEL_MAP_PREFIX, key, value);
}

static void add_rows(
	struct applied *applied, char letter, const struct row *rows_to_add, size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++) {
		char host[32];
		char policy[32];
		snprintf(host, sizeof(host), "%c%zu.test", letter, i);
		snprintf(policy, sizeof(policy), "t/%c%zu", letter, i);
		add_route(applied, host, BACKEND, policy);
		CLEANUP(free_ptr) char *record = xstrdup(rows_to_add[i].record);
		char *entry = strchr(record, '\n');
		if (entry != NULL) {
			*entry = '\0';
			applied_set_entry(applied,
				*record == 'c' ? MODEL_MAP_CANARY : MODEL_MAP_AUTH, policy,
				entry + 1);
		}
		applied_set_entry(applied, MODEL_MAP_POLICY, policy, record);
		if (letter == 's') {
			applied_set_entry(applied, MODEL_MAP_REDIRECT, host, "308");
		}
	}
}

/* One policy with half of the requests elsewhere, one with all, one with none: with cookies. */
static void add_side_routes(struct applied *applied)
{
	static const char *const weights[] = {"0", "50", "100"};

	for (size_t i = 0; i < ARRAY_LEN(weights); i++) {
		CLEANUP(free_ptr) char *host = xasprintf("w%s.test", weights[i]);
		CLEANUP(free_ptr) char *policy = xasprintf("t/w%s", weights[i]);
		CLEANUP(free_ptr) char *entry = xasprintf(NEXT COOKIES "|%s", weights[i]);
		add_route(applied, host, BACKEND COOKIES, policy);
		applied_set_entry(applied, MODEL_MAP_POLICY, policy, "c|{}");
		applied_set_entry(applied, MODEL_MAP_CANARY, policy, entry);
	}
	add_route(applied, "half.test", BACKEND, "t/w50");
}

static void add_routes(struct applied *applied)
{
	add_rows(applied, 'p', rows, ARRAY_LEN(rows));
	add_rows(applied, 's', secured, ARRAY_LEN(secured));
	add_route(applied, "missing.test", BACKEND, "t/missing");
	add_side_routes(applied);
	applied_set_entry(applied, MODEL_MAP_NETWORKS, LIST ":192.0.2.0/120", LIST);
	applied_set_entry(applied, MODEL_MAP_NETWORKS, LIST6 ":2001:db8:0:1/128", LIST);
	applied_set_entry(applied, MODEL_MAP_ADDRESSES, LIST "|2001:db8::99", LIST);
}

static void add_backend(struct applied *applied, const char *name, const char *address)
{
	applied_set_server(
		applied, applied_add_backend(applied, name), "pod-1", address, APPLIED_READY);
}

static int set_up(void **test)
{
	static const char *const names[] = {WEB_ECHO, "next"};
	struct fixture *f = xcalloc(1, sizeof(*f));
	char *addresses[ARRAY_LEN(names)] = {0};
	struct err err = {0};

	running_init(&f->running);
	f->applied = applied_new();
	f->origin = web_start(names, ARRAY_LEN(names), addresses);
	add_backend(f->applied, BACKEND, addresses[0]);
	add_backend(f->applied, NEXT, addresses[1]);
	add_backend(f->applied, BACKEND COOKIES, addresses[0]);
	add_backend(f->applied, NEXT COOKIES, addresses[1]);
	applied_add_backend(f->applied, "t_svc_empty_80");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		free(addresses[i]);
	}
	add_routes(f->applied);
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
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_secured),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_sides),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

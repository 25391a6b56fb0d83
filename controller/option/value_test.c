/* Values of options: what becomes of what users write, a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "option/value.h"

/* `canonical` NULL: refused, and the reason has `refused` in it. */
static const struct {
	enum option_id option;
	const char *text;
	const char *canonical;
	const char *refused;
} cases[] = {
	{OPTION_CORS_ENABLE, " T \n", "true", NULL},
	{OPTION_CORS_ENABLE, "off", "false", NULL},
	{OPTION_CORS_ENABLE, "yes", NULL, "write `true` or `false`"},
	{OPTION_CORS_ENABLE, "", NULL, "empty"},
	{OPTION_RATE_LIMIT_REQUESTS, "0010", "10", NULL},
	{OPTION_RATE_LIMIT_REQUESTS, "-1", NULL, "from 0 to 10000000"},
	{OPTION_RATE_LIMIT_REQUESTS, "10 ", "10", NULL},
	{OPTION_RATE_LIMIT_REQUESTS, "10.0", NULL, "whole number"},
	{OPTION_RATE_LIMIT_REQUESTS, "99999999999999999999", NULL, "whole number"},
	{OPTION_RATE_LIMIT_PERIOD, "1m", "60000", NULL},
	{OPTION_RATE_LIMIT_PERIOD, "1500", "1500", NULL},
	{OPTION_RATE_LIMIT_PERIOD, "10", NULL, "from 1000ms"},
	{OPTION_RATE_LIMIT_PERIOD, "999999999999999d", NULL, "ms, s, m, h or d"},
	{OPTION_RATE_LIMIT_PERIOD, "5us", NULL, "ms, s, m, h or d"},
	{OPTION_RATE_LIMIT_PERIOD, "1 m", NULL, "ms, s, m, h or d"},
	{OPTION_TIMEOUT_SERVER, "9s", "9000", NULL},
	{OPTION_RATE_LIMIT_STATUS_CODE, "429", "429", NULL},
	{OPTION_RATE_LIMIT_STATUS_CODE, "418", NULL, "one of 400, 401"},
	{OPTION_SSL_REDIRECT_CODE, "301", "301", NULL},
	{OPTION_SSL_REDIRECT_CODE, "429", NULL, "one of 301, 302"},
	{OPTION_SSL_REDIRECT_CODE, "301x", NULL, "one of 301, 302"},
	{OPTION_SEND_PROXY_PROTOCOL, "Proxy-V2", "proxy-v2", NULL},
	{OPTION_SEND_PROXY_PROTOCOL, "proxy-v3", NULL, "proxy-v2-ssl-cn"},
	{OPTION_CORS_ALLOW_METHODS, "get, PUT ,get,", "GET,PUT", NULL},
	{OPTION_CORS_ALLOW_METHODS, "GET,BREW", NULL, "'BREW'"},
	{OPTION_CORS_ALLOW_METHODS, "", "", NULL},
	{OPTION_LOG_FORMAT, " json ", "json", NULL},
	{OPTION_LOG_FORMAT, "%ci [%tr] %{+Q,-E}r 5%% %[src] %{+X}[src_port]",
		"%ci [%tr] %{+Q,-E}r 5%% %[src] %{+X}[src_port]", NULL},
	{OPTION_LOG_FORMAT, "", "", NULL},
	{OPTION_LOG_FORMAT, "%ciao", NULL, "'%ciao'"},
	{OPTION_LOG_FORMAT, "%", NULL, "'%'"},
	{OPTION_LOG_FORMAT, "%{+Z}r", NULL, "'%{+Z}r'"},
	{OPTION_LOG_FORMAT, "%[req.hdr(authorization)]", NULL, "that can be logged"},
	{OPTION_LOG_FORMAT, "%[src,lua.x]", NULL, "that can be logged"},
	{OPTION_LOG_FORMAT, "%[src", NULL, "that can be logged"},
	{OPTION_LOG_FORMAT, "it's", NULL, "single quote"},
	{OPTION_LOG_FORMAT, "none", NULL, "'none'"},
	{OPTION_SYSLOG_SERVER, "address:stdout, format: raw, facility:daemon",
		"stdout len 1024 format raw daemon notice", NULL},
	{OPTION_SYSLOG_SERVER,
		"address:10.0.0.1\naddress:10.0.0.2,port:1514,level:info,minlevel:err,length:2000,"
		"format:rfc5424,facility:local1",
		"10.0.0.1:514 len 1024 local0 notice\n10.0.0.2:1514 len 2000 format rfc5424 local1 "
		"info err",
		NULL},
	{OPTION_SYSLOG_SERVER, "address:log.test", NULL, "address:log.test"},
	{OPTION_SYSLOG_SERVER, "port:514", NULL, "without an address"},
	{OPTION_SYSLOG_SERVER, "address:10.0.0.1,level:loud", NULL, "'level:loud'"},
	{OPTION_SYSLOG_SERVER, "address:10.0.0.1,port:0", NULL, "'port:0'"},
	{OPTION_SYSLOG_SERVER, "address:10.0.0.1,sample:1", NULL, "'sample:1'"},
	{OPTION_SYSLOG_SERVER,
		"address:stdout\naddress:stdout\naddress:stdout\naddress:stdout\naddress:stdout",
		NULL, "more than 4"},
	{OPTION_AUTH_REALM, "Our Place", "Our Place", NULL},
	{OPTION_AUTH_REALM, "Our \"Place\"", NULL, "quotation mark"},
	{OPTION_AUTH_REALM, "caf\xc3\xa9", NULL, "printable ASCII"},
	{OPTION_AUTH_SECRET, "shop/users", "shop/users", NULL},
	{OPTION_AUTH_SECRET, "users", "users", NULL},
	{OPTION_AUTH_SECRET, "a/b/c", NULL, "no object's name"},
	{OPTION_AUTH_SECRET, "-users", NULL, "no object's name"},
	{OPTION_AUTH_URL, "HTTP://Auth.shop.SVC:4180/oauth2/auth?allowed_groups=a%20b",
		"http://auth.shop.svc:4180/oauth2/auth?allowed_groups=a%20b", NULL},
	{OPTION_AUTH_URL, "https://auth.example.com", "https://auth.example.com/", NULL},
	{OPTION_AUTH_URL, "http://auth?a=b", "http://auth/?a=b", NULL},
	{OPTION_AUTH_URL, "", "", NULL},
	{OPTION_AUTH_URL, "/oauth2/auth", NULL, "no URL"},
	{OPTION_AUTH_URL, "ftp://auth/", NULL, "no URL"},
	{OPTION_AUTH_URL, "http:///auth", NULL, "no URL"},
	{OPTION_AUTH_URL, "http://user@auth/", NULL, "no URL"},
	{OPTION_AUTH_URL, "http://[::1]/", NULL, "no URL"},
	{OPTION_AUTH_URL, "http://auth:0/", NULL, "no URL"},
	{OPTION_AUTH_URL, "http://auth:70000/", NULL, "no URL"},
	{OPTION_AUTH_URL, "http://auth/a b", NULL, "no URL"},
	{OPTION_AUTH_URL, "http://auth/%2", NULL, "no URL"},
	{OPTION_AUTH_URL, "http://auth/a|b", NULL, "no URL"},
	{OPTION_AUTH_URL, "http://auth/\"", NULL, "no URL"},
	{OPTION_AUTH_URL, "http://auth/#a", NULL, "no URL"},
	{OPTION_AUTH_URL, "https://$host/oauth2/auth", NULL, "variables"},
	{OPTION_AUTH_SIGNIN, "/oauth2/start?a=b", "/oauth2/start?a=b", NULL},
	{OPTION_AUTH_SIGNIN, "https://A.test/x", "https://a.test/x", NULL},
	{OPTION_AUTH_SIGNIN, "//evil.test/x", NULL, "no place"},
	{OPTION_AUTH_SIGNIN, "/\\evil.test", NULL, "no place"},
	{OPTION_AUTH_SIGNIN, "https://a.test/start?rd=$escaped_request_uri", NULL, "variables"},
	{OPTION_AUTH_SIGNIN, "start", NULL, "no place"},
	{OPTION_AUTH_METHOD, "Head", "head", NULL},
	{OPTION_AUTH_RESPONSE_HEADERS, "X-Auth-Request-User, X-B", "x-auth-request-user,x-b", NULL},
	{OPTION_AUTH_RESPONSE_HEADERS, "Content-Length", NULL, "HAProxy's own"},
	{OPTION_AUTH_RESPONSE_HEADERS, "*,a b", NULL, "'a b'"},
	{OPTION_AUTH_TIMEOUT, "1m", NULL, "to 30000ms"},
	{OPTION_AUTH_NAMESPACES, "shop, blog", "shop,blog", NULL},
	{OPTION_AUTH_NAMESPACES, "*", "*", NULL},
	{OPTION_AUTH_NAMESPACES, "Shop", NULL, "no namespace"},
	{OPTION_DENY_PATHS, "/admin/, /a%20b/c.d", "/admin /a%20b/c.d", NULL},
	{OPTION_DENY_PATHS, "/", "/", NULL},
	{OPTION_DENY_PATHS, "", "", NULL},
	{OPTION_DENY_PATHS, "/.git,/...", "/.git /...", NULL},
	{OPTION_DENY_PATHS, "admin", NULL, "'admin'"},
	{OPTION_DENY_PATHS, " , ,", NULL, "list of nothing"},
	{OPTION_ALLOW_LIST, " , ,", NULL, "list of nothing"},
	{OPTION_DENY_LIST, ",", NULL, "list of nothing"},
	{OPTION_ALLOW_LIST, "", "", NULL},
	{OPTION_AUTH_REQUEST_HEADERS, "X-Headgate-Backend", NULL, "HAProxy's own"},
	{OPTION_AUTH_REQUEST_HEADERS, "x-team,X-Real-IP", NULL, "'X-Real-IP'"},
	{OPTION_AUTH_RESPONSE_HEADERS, "x-headgate-policy", NULL, "HAProxy's own"},
	{OPTION_DENY_PATHS, "/a//b", NULL, "'/a//b'"},
	{OPTION_DENY_PATHS, "/a/../b", NULL, "'/a/../b'"},
	{OPTION_DENY_PATHS, "/a/.", NULL, "'/a/.'"},
	{OPTION_DENY_PATHS, "/a?b", NULL, "'/a?b'"},
	{OPTION_DENY_PATHS, "/a;b", NULL, "'/a;b'"},
	{OPTION_DENY_PATHS, "/a b", NULL, "'/a b'"},
	{OPTION_DENY_PATHS, "/a%2", NULL, "'/a%2'"},
	{OPTION_DENY_PATHS, "/a}", NULL, "'/a}'"},
	{OPTION_DENY_PATHS, "/1,/2,/3,/4,/5,/6,/7,/8,/9,/10,/11,/12,/13,/14,/15,/16,/17", NULL,
		"more than 16"},
	{OPTION_CANARY_SERVICE, "web-next:80", "web-next:80", NULL},
	{OPTION_CANARY_SERVICE, "web:http-2", "web:http-2", NULL},
	{OPTION_CANARY_SERVICE, "", "", NULL},
	{OPTION_CANARY_SERVICE, "web", NULL, "<service>:<port>"},
	{OPTION_CANARY_SERVICE, "web:", NULL, "<service>:<port>"},
	{OPTION_CANARY_SERVICE, "web:080", NULL, "<service>:<port>"},
	{OPTION_CANARY_SERVICE, "web:70000", NULL, "<service>:<port>"},
	{OPTION_CANARY_SERVICE, "web:80:80", NULL, "<service>:<port>"},
	{OPTION_CANARY_SERVICE, "web:a--b", NULL, "<service>:<port>"},
	{OPTION_CANARY_SERVICE, "web:sixteen-is-more", "web:sixteen-is-more", NULL},
	{OPTION_CANARY_SERVICE, "web:sixteen-is-a-lot", NULL, "<service>:<port>"},
	{OPTION_CANARY_SERVICE, "Web:80", NULL, "<service>:<port>"},
	{OPTION_CANARY_SERVICE, "shop/web:80", NULL, "<service>:<port>"},
	{OPTION_CANARY_SERVICE, "web|x:80", NULL, "<service>:<port>"},
	{OPTION_DEFAULT_BACKEND_SERVICE, "infra/web", "infra/web", NULL},
	{OPTION_DEFAULT_BACKEND_SERVICE, "infra/web:80", "infra/web:80", NULL},
	{OPTION_DEFAULT_BACKEND_SERVICE, "infra/web:http-2", "infra/web:http-2", NULL},
	{OPTION_DEFAULT_BACKEND_SERVICE, "", "", NULL},
	{OPTION_DEFAULT_BACKEND_SERVICE, "web", NULL, "<namespace>/<service>"},
	{OPTION_DEFAULT_BACKEND_SERVICE, "web:80", NULL, "<namespace>/<service>"},
	{OPTION_DEFAULT_BACKEND_SERVICE, "/web", NULL, "<namespace>/<service>"},
	{OPTION_DEFAULT_BACKEND_SERVICE, "infra/", NULL, "<namespace>/<service>"},
	{OPTION_DEFAULT_BACKEND_SERVICE, "infra/web:", NULL, "<namespace>/<service>"},
	{OPTION_DEFAULT_BACKEND_SERVICE, "infra/web:080", NULL, "<namespace>/<service>"},
	{OPTION_DEFAULT_BACKEND_SERVICE, "infra/web/80", NULL, "<namespace>/<service>"},
	{OPTION_DEFAULT_BACKEND_SERVICE, "Infra/web", NULL, "<namespace>/<service>"},
	{OPTION_DEFAULT_BACKEND_SERVICE, "infra/web.x", NULL, "<namespace>/<service>"},
	{OPTION_SSL_CERTIFICATE, "standard", "standard", NULL},
	{OPTION_SSL_CERTIFICATE, "infra/standard.x", "infra/standard.x", NULL},
	{OPTION_SSL_CERTIFICATE, "infra/", NULL, "namespace/name"},
	{OPTION_CANARY_WEIGHT, "100", "100", NULL},
	{OPTION_CANARY_WEIGHT, "101", NULL, "100"},
	{OPTION_CANARY_WEIGHT, "-1", NULL, "0"},
	{OPTION_CANARY_WEIGHT, "50%", NULL, "100"},
	{OPTION_CANARY_BY_HEADER, "X-Canary", "X-Canary", NULL},
	{OPTION_CANARY_BY_HEADER, "X Canary", NULL, "no header's name"},
	{OPTION_CANARY_BY_HEADER_VALUE, "eu west, 1", "eu west, 1", NULL},
	{OPTION_CANARY_BY_COOKIE, "canary", "canary", NULL},
	{OPTION_CANARY_BY_COOKIE, "a=b", NULL, "no cookie's name"},
	{OPTION_ALLOW_LIST, "10.1.2.3/8, 192.168.1.1 ,10.0.0.0/8", "10.0.0.0/8 192.168.1.1/32",
		NULL},
	{OPTION_ALLOW_LIST, "2001:DB8:0:1::1/32,1.1.1.1", "1.1.1.1/32 2001:db8::/32", NULL},
	{OPTION_ALLOW_LIST, "0.0.0.0/0,::/0", "0.0.0.0/0 ::/0", NULL},
	{OPTION_ALLOW_LIST, "", "", NULL},
	{OPTION_ALLOW_LIST, "10.0.0.0/33", NULL, "'10.0.0.0/33'"},
	{OPTION_ALLOW_LIST, "10.0.0.0/", NULL, "no IP address"},
	{OPTION_ALLOW_LIST, "10.0.0.0/+8", NULL, "no IP address"},
	{OPTION_ALLOW_LIST, " patterns/office.txt ", "patterns/office.txt", NULL},
	{OPTION_RATE_LIMIT_WHITELIST, "patterns/a", "patterns/a", NULL},
	{OPTION_DENY_LIST, "patterns/..", "patterns/..", NULL},
	{OPTION_ALLOW_LIST, "patterns/", NULL, "one file, alone"},
	{OPTION_ALLOW_LIST, "patterns/a/b", NULL, "one file, alone"},
	{OPTION_ALLOW_LIST, "patterns/a,10.0.0.1", NULL, "one file, alone"},
	{OPTION_ALLOW_LIST, "10.0.0.1,patterns/a", NULL, "one file, alone"},
	{OPTION_PROXY_PROTOCOL, "patterns/office", NULL, "no IP address"},
	{OPTION_ALLOW_LIST, "10.0.0.1 10.0.0.2", NULL, "no IP address"},
	{OPTION_SET_HOST, "Shop.Example.COM:8080", "shop.example.com:8080", NULL},
	{OPTION_SET_HOST, "[2001:db8::1]:80", "[2001:db8::1]:80", NULL},
	{OPTION_SET_HOST, "a b", NULL, "no host"},
	{OPTION_SET_HOST, "a..b", NULL, "no host"},
	{OPTION_SET_HOST, "a:0", NULL, "no host"},
	{OPTION_REQUEST_REDIRECT, "shop.example.com", "http://shop.example.com", NULL},
	{OPTION_REQUEST_REDIRECT, "HTTPS://Shop:8443", "https://shop:8443", NULL},
	{OPTION_REQUEST_REDIRECT, "https://shop/path", NULL, "no place"},
	{OPTION_SRC_IP_HEADER, "True-Client-IP", "True-Client-IP", NULL},
	{OPTION_SRC_IP_HEADER, "a: b", NULL, "no header's name"},
	{OPTION_CORS_ALLOW_HEADERS, "X-A,X-B", "X-A, X-B", NULL},
	{OPTION_CORS_ALLOW_HEADERS, "X A", NULL, "'X A'"},
	{OPTION_COOKIE_PERSISTENCE, "SERVERID", "SERVERID", NULL},
	{OPTION_COOKIE_PERSISTENCE, "a=b", NULL, "no cookie's name"},
	{OPTION_REQUEST_SET_HEADER, "X-A  1\r\n\nStrict \"a \\\"b\\\"\"\n",
		"X-A: 1\nStrict: a \"b\"", NULL},
	{OPTION_REQUEST_SET_HEADER, "X-Ip %[src] 100%%", "X-Ip: %[src] 100%%", NULL},
	{OPTION_REQUEST_SET_HEADER, "X-Ua %[req.hdr(User-Agent)]", "X-Ua: %[req.hdr(User-Agent)]",
		NULL},
	{OPTION_REQUEST_SET_HEADER, "X-Env %[env(PATH)]", NULL, "'%[env(PATH)]'"},
	{OPTION_REQUEST_SET_HEADER, "X-Env %[src,map(/etc/passwd)]", NULL,
		"none of the expressions"},
	{OPTION_REQUEST_SET_HEADER, "X-Part 50%", NULL, "write %% for"},
	{OPTION_REQUEST_SET_HEADER, "X-Only", NULL, "name, a blank"},
	{OPTION_REQUEST_SET_HEADER, "Host evil", NULL, "set-host"},
	{OPTION_REQUEST_SET_HEADER, "transfer-encoding chunked", NULL, "HAProxy's own"},
	{OPTION_REQUEST_CAPTURE, "hdr(User-Agent)\ncookie(id)", "hdr(User-Agent)\ncookie(id)",
		NULL},
	{OPTION_REQUEST_CAPTURE, "hdr()", NULL, "none of the expressions"},
	{OPTION_CORS_ALLOW_ORIGIN, "*", "*", NULL},
	{OPTION_CORS_ALLOW_ORIGIN, "^https://(.+\\.)?example\\.com(:\\d{1,5})?$",
		"^https://(.+\\.)?example\\.com(:\\d{1,5})?$", NULL},
	{OPTION_CORS_ALLOW_ORIGIN, "(a+)+", NULL, "can take very long"},
	{OPTION_PATH_REWRITE, "/new", "^.*$ /new", NULL},
	{OPTION_PATH_REWRITE, "/foo/(.*)  /\\1\n(.*) /x\\1", "/foo/(.*) /\\1\n(.*) /x\\1", NULL},
	{OPTION_PATH_REWRITE, "/foo/(.*) /\\2", NULL, "groups that it has"},
	{OPTION_PATH_REWRITE, "new", NULL, "write a path"},
	{OPTION_PATH_REWRITE, "/a /b /c", NULL, "write a path"},
	{OPTION_PATH_REWRITE, "/a\n/b\n/c\n/d\n/e", NULL, "more than 4 lines"},
	{OPTION_CHECK_HTTP, "/health?a=1", "OPTIONS /health?a=1", NULL},
	{OPTION_CHECK_HTTP, "GET /health HTTP/1.1", "GET /health", NULL},
	{OPTION_CHECK_HTTP, "GET /health HTTP/1.1\\r\\nHost: x", NULL, "leave the rest out"},
	{OPTION_CHECK_HTTP, "BREW /tea", NULL, "GET, HEAD or OPTIONS"},
	{OPTION_CHECK_HTTP, "GET", NULL, "GET, HEAD or OPTIONS"},
	{OPTION_LOAD_BALANCE, "leastconn", "leastconn", NULL},
	{OPTION_LOAD_BALANCE, "hdr(X-User)", "hdr X-User", NULL},
	{OPTION_LOAD_BALANCE, "url_param user", "url_param user", NULL},
	{OPTION_LOAD_BALANCE, "uri  whole  path-only", "uri whole", NULL},
	{OPTION_LOAD_BALANCE, "uri depth 8", "uri depth 8", NULL},
	{OPTION_LOAD_BALANCE, "uri path-only", "uri", NULL},
	{OPTION_LOAD_BALANCE, "uri depth 9", NULL, "no way of balancing"},
	{OPTION_LOAD_BALANCE, "uri depth", NULL, "no way of balancing"},
	{OPTION_LOAD_BALANCE, "uri whole depth 2", NULL, "no way of balancing"},
	{OPTION_LOAD_BALANCE, "uri len 20", NULL, "no way of balancing"},
	{OPTION_LOAD_BALANCE, "hdr(X User)", NULL, "no way of balancing"},
	{OPTION_LOAD_BALANCE, "url_param user check_post 10", NULL, "no way of balancing"},
	{OPTION_LOAD_BALANCE, "random(2)", "random", NULL},
	{OPTION_LOAD_BALANCE, "round robin", NULL, "no way of balancing"},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *reason = NULL;
		char *value = option_parse(cases[i].option, cases[i].text, &reason);
		if (cases[i].canonical != NULL) {
			if (value == NULL) { /* which row it is */
				print_error("%s: '%s' %s\n", option_table[cases[i].option].name,
					cases[i].text, reason);
			}
			assert_non_null(value);
			assert_string_equal(value, cases[i].canonical);
			assert_null(reason);
		} else {
			if (value != NULL) {
				print_error("%s: '%s' is taken\n",
					option_table[cases[i].option].name, cases[i].text);
			}
			assert_null(value);
			assert_non_null(strstr(reason, cases[i].refused));
		}
		free(value);
		free(reason);
	}
}

/* What an option's default is must be a value of it. */
static void test_defaults(void **state)
{
	(void)state;
	for (int i = 0; i < OPTION_COUNT; i++) {
		char *reason = NULL;
		if (*option_table[i].default_value == '\0') {
			continue;
		}
		char *value =
			option_parse((enum option_id)i, option_table[i].default_value, &reason);
		assert_non_null(value);
		free(value);
	}
}

static void test_too_long(void **state)
{
	CLEANUP(free_ptr) char *text = xmalloc(OPTION_MAX_VALUE + 2);
	char *reason = NULL;

	(void)state;
	memset(text, '1', OPTION_MAX_VALUE + 1);
	text[OPTION_MAX_VALUE + 1] = '\0';
	for (int i = 0; i < OPTION_COUNT; i++) {
		assert_null(option_parse((enum option_id)i, text, &reason));
		assert_non_null(strstr(reason, "shorten it"));
		free(reason);
	}
}

/* A list with one network more than fits, and one that is as long as it may be. */
static void test_many_addresses(void **state)
{
	struct buf text = BUF_INIT(0);
	char *reason = NULL;

	(void)state;
	for (int i = 0; i < OPTION_MAX_ITEMS; i++) {
		buf_printf(&text, "10.0.%d.%d,", i / 200, i % 200);
	}
	char *value = option_parse(OPTION_DENY_LIST, buf_str(&text), &reason);
	assert_non_null(value);
	free(value);
	buf_append_str(&text, "10.1.1.1");
	assert_null(option_parse(OPTION_DENY_LIST, buf_str(&text), &reason));
	assert_non_null(strstr(reason, "join some"));
	free(reason);
	buf_fini(&text);
}

static void test_patterns(void **state)
{
	static const struct {
		const char *text, *addresses, *refused;
	} files[] = {
		{"", "", NULL},
		{"# all\n\n \t\r\n#10.0.0.1", "", NULL},
		{"10.1.2.3/8\n\t2001:DB8::/32 \r\n10.0.0.0/8\n\n ::1",
			"10.0.0.0/8 ::1/128 2001:db8::/32", NULL},
		{"10.0.0.1\n\nwww.example.com\n", NULL,
			"has no IP address or network in line 3: write"},
		/* CR alone ends a line, too: nothing is left behind it. */
		{"10.0.0.1\r10.0.0.3\r# x\r::1", "10.0.0.1/32 10.0.0.3/32 ::1/128", NULL},
		{"# all\r10.0.0.1\r\nx", NULL, "line 3"},
		{" # x", NULL, "line 1"},
		{"10.0.0.1 # x", NULL, "line 1"},
		{"10.0.0.1,10.0.0.2", NULL, "line 1"},
		{"10.0.0.1 10.0.0.2", NULL, "line 1"},
		{"2001:db8::/65", NULL, "line 1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char *reason = NULL;
		char *addresses = option_read_patterns(files[i].text, &reason);
		if (files[i].refused != NULL) {
			assert_null(addresses);
			assert_non_null(strstr(reason, files[i].refused));
		} else {
			assert_string_equal(addresses, files[i].addresses);
		}
		free(addresses);
		free(reason);
	}
}

static void test_many_patterns(void **state)
{
	struct buf text = BUF_INIT(0);
	char *reason = NULL;

	(void)state;
	for (int i = 0; i < OPTION_MAX_PATTERNS; i++) {
		buf_printf(&text, "10.0.%d.%d\n", i / 200, i % 200);
	}
	char *addresses = option_read_patterns(buf_str(&text), &reason);
	assert_non_null(addresses);
	free(addresses);
	buf_append_str(&text, "10.1.1.1");
	assert_null(option_read_patterns(buf_str(&text), &reason));
	assert_non_null(strstr(reason, "has more than 4096 networks: join some"));
	free(reason);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_many_addresses),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_many_patterns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * How requests find their rules, from Ingress objects to answers: the objects go through the
 * model, HAProxy gets what comes out of it, and each request of the table is sent as it stands.
 *
 * `make component` runs the table on one HAProxy, `make test` on the oldest and the newest one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/applied.h"
#include "store/store_testing.h"
#include "test/running.h"
#include "test/web.h"

/* A rule with one path, each in an Ingress of its own. `service` answers with its own name. */
struct rule {
	const char *host; /* "" = none */
	const char *type; /* "Default" = spec.defaultBackend of an Ingress with this host */
	const char *path;
	const char *service;
};

#define EXACT	 "Exact"
#define PREFIX	 "Prefix"
#define SPECIFIC "ImplementationSpecific"
#define FALLBACK "Default"

static const struct rule rules[] = {
	/* The examples of the Kubernetes documentation, a host each. */
	{"root.test", PREFIX, "/", "root"},
	{"exact.test", EXACT, "/foo", "foo"},
	{"exact-slash.test", EXACT, "/foo/", "foo"},
	{"prefix.test", PREFIX, "/foo", "foo"},
	{"prefix-slash.test", PREFIX, "/foo/", "foo"},
	{"aaa.test", PREFIX, "/aaa/bb", "aaa"},
	{"aaa-bbb.test", PREFIX, "/aaa/bbb", "aaa"},
	{"aaa-bbb-slash.test", PREFIX, "/aaa/bbb/", "aaa"},
	{"two.test", PREFIX, "/", "root"},
	{"two.test", PREFIX, "/aaa", "aaa"},
	{"three.test", PREFIX, "/", "root"},
	{"three.test", PREFIX, "/aaa", "aaa"},
	{"three.test", PREFIX, "/bbb", "bbb"},
	{"mixed.test", PREFIX, "/foo", "prefix"},
	{"mixed.test", EXACT, "/foo", "exact"},
	/* What the documentation leaves open. */
	{"long.test", PREFIX, "/a/b", "short"},
	{"long.test", PREFIX, "/a/b/c", "long"},
	{"long.test", EXACT, "/a/b/c/d", "exact"},
	{"specific.test", SPECIFIC, "/foo", "foo"},
	{"specific.test", SPECIFIC, "/a//b", "bbb"},
	{"slash.test", EXACT, "/", "exact"},
	{"percent.test", PREFIX, "/a%20b", "space"},
	{"percent.test", PREFIX, "/~user", "tilde"},
	{"percent.test", EXACT, "/%7Eexact", "exact"},
	{"percent.test", PREFIX, "/x%2Fy", "upper"},
	{"case.test", PREFIX, "/Foo", "foo"},
	{"odd.test", PREFIX, "/a;b=c", "aaa"},
	{"odd.test", PREFIX, "/b:c@d,e!f$g&h'(i)*+j=k", "bbb"},
	/* Hosts. */
	{"*.wild.test", PREFIX, "/", "wild"},
	{"*.wild.test", EXACT, "/only", "exact"},
	{"shop.wild.test", PREFIX, "/cart", "long"},
	{"*.shop.wild.test", PREFIX, "/", "short"},
	{"xn--bcher-kva.test", PREFIX, "/", "root"},
	{"single", PREFIX, "/", "root"},
	/* Default backends. */
	{"fallback.test", PREFIX, "/app", "foo"},
	{"fallback.test", FALLBACK, "", "fallback"},
	{"*.fallback.test", FALLBACK, "", "wild"},
};

/* Added for the second half of the table. */
static const struct rule open_rules[] = {
	{"", PREFIX, "/any", "any"},
	{"", EXACT, "/one", "exact"},
	{"", FALLBACK, "", "everything"},
};

/* HAProxy refuses what no client should send; newer versions refuse more. */
#define REFUSED "400 or 404"

/* What is asked, and the service that answers, or the status. */
struct request {
	const char *host;
	const char *target;
	const char *expected;
};

/* The same answers with and without the open rules. */
static const struct request requests[] = {
	/* The examples of the Kubernetes documentation, in its order. */
	{"root.test", "/", "root"},
	{"root.test", "/any/path/at/all", "root"},
	{"exact.test", "/foo", "foo"},
	{"exact.test", "/bar", "404"},
	{"exact.test", "/foo/", "404"},
	{"exact-slash.test", "/foo", "404"},
	{"exact-slash.test", "/foo/", "foo"},
	{"prefix.test", "/foo", "foo"},
	{"prefix.test", "/foo/", "foo"},
	{"prefix-slash.test", "/foo", "foo"},
	{"prefix-slash.test", "/foo/", "foo"},
	{"aaa.test", "/aaa/bbb", "404"},
	{"aaa-bbb.test", "/aaa/bbb", "aaa"},
	{"aaa-bbb-slash.test", "/aaa/bbb", "aaa"},
	{"aaa-bbb.test", "/aaa/bbb/", "aaa"},
	{"aaa-bbb.test", "/aaa/bbb/ccc", "aaa"},
	{"aaa-bbb.test", "/aaa/bbbxyz", "404"},
	{"two.test", "/aaa/ccc", "aaa"},
	{"two.test", "/ccc", "root"},
	{"three.test", "/aaa/ccc", "aaa"},
	{"three.test", "/bbb/x", "bbb"},
	{"three.test", "/ccc", "root"},
	{"prefix.test", "/ccc", "404"},
	{"mixed.test", "/foo", "exact"},
	/* Exact is the whole path, before Prefix of the same path. */
	{"mixed.test", "/foo/", "prefix"},
	{"mixed.test", "/foo/x", "prefix"},
	{"slash.test", "/", "exact"},
	{"slash.test", "/x", "404"},
	{"slash.test", "//", "404"},
	/* The longest path first, whatever the type, and by elements. */
	{"long.test", "/a", "404"},
	{"long.test", "/a/b", "short"},
	{"long.test", "/a/b/cd", "short"},
	{"long.test", "/a/b/c", "long"},
	{"long.test", "/a/b/c/d", "exact"},
	{"long.test", "/a/b/c/d/", "long"},
	{"long.test", "/a/b/c/d/e", "long"},
	/* ImplementationSpecific is Prefix here. */
	{"specific.test", "/foo", "foo"},
	{"specific.test", "/foo/x", "foo"},
	{"specific.test", "/foox", "404"},
	/* A doubled slash is an empty element: it is not joined, neither in rules nor in requests.
	 */
	{"specific.test", "/a//b", "bbb"},
	{"specific.test", "/a//b/c", "bbb"},
	{"specific.test", "/a/b", "404"},
	{"long.test", "/a//b", "404"},
	{"long.test", "//a/b", "404"},
	{"long.test", "/a/b//", "short"},
	{"long.test", "/a/b//c", "short"},
	/* Dots are not resolved either: the server sees them. */
	{"long.test", "/a/./b", "404"},
	{"long.test", "/a/b/../b/c", "short"},
	{"long.test", "/x/../a/b", "404"},
	/* A percent-encoding is three characters; equal ones are written equally. */
	{"percent.test", "/a%20b", "space"},
	{"percent.test", "/a%20b/c", "space"},
	{"percent.test", "/a+b", "404"},
	{"percent.test", "/~user", "tilde"},
	{"percent.test", "/%7Euser", "404"},
	{"percent.test", "/%7Eexact", "exact"},
	{"percent.test", "/%7eexact", "404"},
	{"percent.test", "/~exact", "404"},
	{"percent.test", "/x%2Fy", "upper"},
	{"percent.test", "/x%2Fy/z", "upper"},
	{"percent.test", "/x%2fy", "404"},
	{"percent.test", "/x/y", "404"},
	{"percent.test", "/a%2520b", "404"},
	{"percent.test", "/a%20b%00", "404"},
	/* Paths have a case, hosts have none. */
	{"case.test", "/Foo", "foo"},
	{"case.test", "/foo", "404"},
	{"CASE.Test", "/Foo", "foo"},
	/* What else RFC 3986 allows in a path. */
	{"odd.test", "/a;b=c", "aaa"},
	{"odd.test", "/a;b=c/d", "aaa"},
	{"odd.test", "/a", "404"},
	{"odd.test", "/a;b=cd", "404"},
	{"odd.test", "/b:c@d,e!f$g&h'(i)*+j=k", "bbb"},
	/* The query is no part of the path. */
	{"exact.test", "/foo?", "foo"},
	{"exact.test", "/foo?a=/b", "foo"},
	{"exact.test", "/?/foo", "404"},
	{"prefix.test", "/foo/?x", "foo"},
	{"prefix.test", "/foo?/../bar", "foo"},
	{"mixed.test", "/foo?/", "exact"},
	/* Whatever port: rules have none. */
	{"exact.test:80", "/foo", "foo"},
	{"exact.test:8443", "/foo", "foo"},
	{"exact.test:", "/foo", "foo"},
	{"exact.test:65535", "/foo", "foo"},
	/* One dot at the end is the same name. */
	{"exact.test.", "/foo", "foo"},
	{"EXACT.TEST.:80", "/foo", "foo"},
	{"exact.test..", "/foo", "404"},
	{".exact.test", "/foo", "404"},
	/* Names. */
	{"single", "/", "root"},
	{"xn--bcher-kva.test", "/", "root"},
	{"XN--Bcher-kva.test", "/", "root"},
	{"xexact.test", "/foo", "404"},
	{"exact.tes", "/foo", "404"},
	/* A wildcard is one label, and any. */
	{"x.wild.test", "/", "wild"},
	{"X.WILD.TEST.:80", "/y", "wild"},
	{"a_b-c.wild.test", "/", "wild"},
	{"x.wild.test", "/only", "exact"},
	{"x.wild.test", "/only/", "wild"},
	{"wild.test", "/", "404"},
	{"x.y.wild.test", "/", "404"},
	{".wild.test", "/", "404"},
	{"*.wild.test", "/", "404"},
	{"x.wild.test.evil.test", "/", "404"},
	/* The exact host goes first, with all its paths; the wildcard doesn't fill its gaps. */
	{"shop.wild.test", "/cart", "long"},
	{"shop.wild.test", "/cart/x", "long"},
	{"x.shop.wild.test", "/", "short"},
	/* The default backend of an Ingress answers for its hosts where no path fits. */
	{"fallback.test", "/app", "foo"},
	{"fallback.test", "/app/x", "foo"},
	{"fallback.test", "/apple", "fallback"},
	{"fallback.test", "/", "fallback"},
	{"x.fallback.test", "/whatever", "wild"},
	{"x.y.fallback.test", "/whatever", "404"},
};

/* Heads as they stand, for what is no question of host and path alone. */
struct head {
	const char *text;
	const char *expected;
};

static const struct head heads[] = {
	/* The absolute form: its host and the header's are the same one, or HAProxy refuses. So
	 * the target's host wins (RFC 9112 3.2.2), and the server sees no other. */
	{"GET http://exact.test/foo HTTP/1.1\r\nHost: exact.test", "foo"},
	{"GET http://exact.test/foo?x HTTP/1.1\r\nHost: exact.test", "foo"},
	{"GET HTTP://EXACT.test/foo HTTP/1.1\r\nHost: exact.test", "foo"},
	{"GET https://exact.test/foo HTTP/1.1\r\nHost: exact.test", "foo"},
	{"GET http://exact.test./foo HTTP/1.1\r\nHost: exact.test.", "foo"},
	{"GET http://root.test HTTP/1.1\r\nHost: root.test", "root"},
	{"GET http://exact.test/foo HTTP/1.1\r\nHost: prefix.test", "400"},
	{"GET http://prefix.test/foo HTTP/1.1\r\nHost: exact.test", "400"},
	{"GET http://exact.test/foo HTTP/1.1\r\nHost:", "400"},
	{"GET http://[::1]/foo HTTP/1.1\r\nHost: [::1]", "404"},
	/* … with the default port or without, and any other one on both sides. */
	{"GET http://exact.test:80/foo HTTP/1.1\r\nHost: exact.test:80", "foo"},
	{"GET http://exact.test:80/foo HTTP/1.1\r\nHost: exact.test", "foo"},
	{"GET http://exact.test/foo HTTP/1.1\r\nHost: exact.test:80", "foo"},
	{"GET http://exact.test:8080/foo HTTP/1.1\r\nHost: exact.test:8080", "foo"},
	{"GET http://exact.test:8080/foo HTTP/1.1\r\nHost: exact.test", "400"},
	{"GET http://exact.test/foo HTTP/1.1\r\nHost: exact.test:8080", "400"},
	/* Without the header there is no host, as for any request. */
	{"GET http://exact.test/foo HTTP/1.1\r\nX: y", "404"},
	{"GET http://exact.test/foo HTTP/1.0\r\nX: y", "404"},
	/* An empty path: 2.6 has none for it and finds prefixes only. */
	{"GET http://slash.test HTTP/1.1\r\nHost: slash.test", "exact or 404"},
	{"GET http://root.test?x HTTP/1.1\r\nHost: root.test", "root or 400"},
	{"GET http://root.test#x HTTP/1.1\r\nHost: root.test", "400"},
	/* Not quite the absolute form. */
	{"GET http:///foo HTTP/1.1\r\nHost: exact.test", "foo or 400"},
	{"GET exact.test/foo HTTP/1.1\r\nHost: exact.test", REFUSED},
	{"GET foo HTTP/1.1\r\nHost: exact.test", "400"},
	{"GET //exact.test/foo HTTP/1.1\r\nHost: root.test", "root"},
	/* User information is no part of the host, and has no place in the header. */
	{"GET http://user@exact.test/foo HTTP/1.1\r\nHost: exact.test", "foo"},
	{"GET http://user:pw@exact.test/foo HTTP/1.1\r\nHost: exact.test", "foo"},
	{"GET http://prefix.test@exact.test/foo HTTP/1.1\r\nHost: exact.test", "foo"},
	{"GET http://exact.test@prefix.test/foo HTTP/1.1\r\nHost: exact.test", "400"},
	{"GET http://user@exact.test/foo HTTP/1.1\r\nHost: user@exact.test", "400"},
	{"GET /foo HTTP/1.1\r\nHost: user@exact.test", REFUSED},
	{"GET /foo HTTP/1.1\r\nHost: exact.test@prefix.test", REFUSED},
	{"GET /foo HTTP/1.1\r\nHost: exact.test:80@prefix.test", REFUSED},
	/* Two Host headers, or two hosts in one. HAProxy takes the same twice as one. */
	{"GET /foo HTTP/1.1\r\nHost: exact.test\r\nHost: prefix.test", "400"},
	{"GET /foo HTTP/1.1\r\nHost: prefix.test\r\nHost: exact.test", "400"},
	{"GET /foo HTTP/1.1\r\nHost: exact.test\r\nHost:", "400"},
	{"GET /foo HTTP/1.1\r\nHost: exact.test\r\nhOST: EXACT.test", "foo"},
	{"GET /foo HTTP/1.1\r\nHost: exact.test, prefix.test", REFUSED},
	{"GET /foo HTTP/1.1\r\nHost: exact.test,prefix.test", REFUSED},
	{"GET /foo HTTP/1.1\r\nHost: exact.test prefix.test", REFUSED},
	{"GET /foo HTTP/1.1\r\nHost : exact.test", "400"},
	/* No host at all. */
	{"GET /foo HTTP/1.1\r\nX: y", "404"},
	{"GET /foo HTTP/1.0\r\nX: y", "404"},
	{"GET /foo HTTP/1.0\r\nHost: exact.test", "foo"},
	{"GET /foo HTTP/1.1\r\nHost: \texact.test ", "foo"},
	/* What is no host name finds none. */
	{"GET /foo HTTP/1.1\r\nHost: exact.test/foo", REFUSED},
	{"GET /foo HTTP/1.1\r\nHost: exact.test/", REFUSED},
	{"GET /foo HTTP/1.1\r\nHost: exact.test?x", REFUSED},
	{"GET /foo HTTP/1.1\r\nHost: exact.test#x", REFUSED},
	{"GET /foo HTTP/1.1\r\nHost: exact.test\\x", REFUSED},
	{"GET /foo HTTP/1.1\r\nHost: exact%2etest", "404"},
	{"GET /foo HTTP/1.1\r\nHost: exact.test:80:90", "404"},
	/* The port isn't looked at, not even whether it is one. */
	{"GET /foo HTTP/1.1\r\nHost: exact.test:99999", "foo"},
	{"GET /foo HTTP/1.1\r\nHost: exact.test:x", "foo"},
	/* Addresses: no rule can name one. */
	{"GET /foo HTTP/1.1\r\nHost: [::1]", "404"},
	{"GET /foo HTTP/1.1\r\nHost: [::1]:80", "404"},
	{"GET /foo HTTP/1.1\r\nHost: ::1", "404"},
	{"GET /foo HTTP/1.1\r\nHost: [exact.test]", "404"},
	{"GET /foo HTTP/1.1\r\nHost: [exact.test", REFUSED},
	/* Other methods find the same. (An answer to HEAD has no body.) */
	{"POST /foo HTTP/1.1\r\nHost: exact.test\r\nContent-Length: 0", "foo"},
	{"HEAD /foo HTTP/1.1\r\nHost: exact.test", ""},
	/* The server as a whole: as the shortest prefix. */
	{"OPTIONS * HTTP/1.1\r\nHost: root.test", "root"},
	{"OPTIONS * HTTP/1.1\r\nHost: exact.test", "404"},
	/* We are no proxy for clients. */
	{"CONNECT exact.test:80 HTTP/1.1\r\nHost: exact.test:80", "404"},
	/* A fragment stays with the client. */
	{"GET /foo#x HTTP/1.1\r\nHost: exact.test", "400"},
};

/* With the open rules: what found no virtual host, or no path in it. */
static const struct request open_requests[] = {
	{"nobody.test", "/any", "any"},
	{"nobody.test", "/any/x", "any"},
	{"nobody.test", "/one", "exact"},
	{"nobody.test", "/one/", "everything"},
	{"wild.test", "/any", "any"},
	{"x.y.wild.test", "/any", "any"},
	{"[::1]:80", "/any", "any"},
	{"[2001:DB8::1]", "/any", "any"},
	{"127.0.0.1:8080", "/any", "any"},
	{"", "/any", "any"},
	{"exact.test..", "/any", "any"},
	{"*.wild.test", "/any", "any"},
	/* Exact host before wildcard before none, and no further than the first that there is. */
	{"x.wild.test", "/any", "wild"},
	{"shop.wild.test", "/any", "everything"},
	{"exact.test", "/any", "everything"},
	{"exact.test", "/foo/", "everything"},
	{"fallback.test", "/any", "fallback"},
};

struct fixture {
	struct running running;
	struct store *store;
	struct model *model;
	pid_t web;
};

/* ---- objects ---- */

/* testing_put() takes ' for ". */
static void add_path(struct buf *text, const char *path)
{
	for (const char *c = path; *c != '\0'; c++) {
		if (*c == '\'') {
			buf_append_str(text, "\\u0027");
		} else {
			buf_append_char(text, *c);
		}
	}
}

static void add_backend(struct buf *text, const struct rule *rule)
{
	buf_printf(text, "{'service':{'name':'%s','port':{'number':80}}}", rule->service);
}

static bool is_fallback(const struct rule *rule)
{
	return strcmp(rule->type, FALLBACK) == 0;
}

static void add_spec(struct buf *text, const struct rule *rule)
{
	if (is_fallback(rule)) {
		buf_append_str(text, ",'defaultBackend':");
		add_backend(text, rule);
		if (rule->host[0] != '\0') {
			buf_printf(text, ",'rules':[{'host':'%s'}]", rule->host);
		}
		return;
	}
	buf_printf(text, ",'rules':[{'host':'%s','http':{'paths':[{'path':'", rule->host);
	add_path(text, rule->path);
	buf_printf(text, "','pathType':'%s','backend':", rule->type);
	add_backend(text, rule);
	buf_append_str(text, "}]}}]");
}

static void put_rules(struct fixture *f, const struct rule *list, size_t n, const char *prefix)
{
	for (size_t i = 0; i < n; i++) {
		struct buf spec = BUF_INIT(0);
		add_spec(&spec, &list[i]);
		testing_put(f->store, KUBE_INGRESS,
			"{'metadata':{'namespace':'t','name':'%s%zu'},"
			"'spec':{'ingressClassName':'c'%s}}",
			prefix, i, buf_str(&spec));
		buf_fini(&spec);
	}
}

static void remove_rules(struct fixture *f, size_t n, const char *prefix)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(free_ptr) char *name = xasprintf("%s%zu", prefix, i);
		assert_true(store_remove(f->store, KUBE_INGRESS, "t", name));
	}
}

static void put_service(struct fixture *f, const char *name, const char *address)
{
	const char *colon = strchr(address, ':');

	assert_non_null(colon);
	testing_put_service(f->store, "t", name, "{'port':80}");
	testing_put(f->store, KUBE_ENDPOINT_SLICE,
		"{'metadata':{'namespace':'t','name':'%s','labels':{'kubernetes.io/service-name':"
		"'%s'}},'addressType':'IPv4','ports':[{'port':%s}],'endpoints':[{'addresses':["
		"'%.*s']}]}",
		name, name, colon + 1, (int)(colon - address), address);
}

/* What the objects ask for goes to the disk, as before a start or a reload. */
static void save(struct fixture *f)
{
	struct store_changes changes = store_take_changes(f->store);
	struct err err = {0};

	model_update(f->model, f->store, &changes);
	store_changes_fini(&changes);
	struct applied *wanted = applied_from_model(f->model, NULL);
	if (!state_save_all(f->running.state, wanted, &err)) {
		fail_msg("%s", err.text);
	}
	applied_free(wanted);
}

static void reload(struct fixture *f)
{
	struct err err = {0};
	int n = f->running.n_events[PROCESS_RELOADED] + 1;

	save(f);
	if (!process_reload(f->running.process, &err)) {
		fail_msg("%s", err.text);
	}
	running_wait(&f->running, PROCESS_RELOADED, n);
}

static int set_up(void **test)
{
	static const char *const services[] = {"root", "foo", "aaa", "bbb", "prefix", "exact",
		"short", "long", "space", "tilde", "upper", "wild", "fallback", "any",
		"everything"};
	char *addresses[ARRAY_LEN(services)];
	struct fixture *f = xcalloc(1, sizeof(*f));

	running_init(&f->running);
	f->store = store_new();
	f->model = model_new(
		&(struct model_options){.controller_name = "ours", .can_use_loopback = true});
	f->web = web_start(services, ARRAY_LEN(services), addresses);
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		put_service(f, services[i], addresses[i]);
		free(addresses[i]);
	}
	testing_put(f->store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'c'},'spec':{'controller':'ours'}}");
	put_rules(f, rules, ARRAY_LEN(rules), "rule");
	save(f);
	running_start(&f->running, true);
	running_wait(&f->running, PROCESS_UP, 1);
	*test = f;
	return 0;
}

static int tear_down(void **test)
{
	struct fixture *f = *test;

	kill(f->web, SIGKILL);
	running_fini(&f->running);
	model_free(f->model);
	store_free(f->store);
	free(f);
	return 0;
}

/* ---- the tests ---- */

/* "foo or 400" is either. */
static bool is_expected(const char *expected, const char *got)
{
	const char *other = strstr(expected, " or ");
	size_t len = other ? (size_t)(other - expected) : strlen(expected);

	return (strlen(got) == len && strncmp(expected, got, len) == 0) ||
	       (other != NULL && strcmp(other + strlen(" or "), got) == 0);
}

/* True = as expected. */
static bool try_head(const struct fixture *f, const char *head, const char *expected)
{
	struct buf text = BUF_INIT(1 << 20);

	buf_printf(&text, "%s\r\nConnection: close\r\n\r\n", head);
	CLEANUP(free_ptr) char *answer = web_exchange(f->running.http_socket, &text);
	buf_fini(&text);
	CLEANUP(free_ptr) char *got = web_judge(answer);
	if (!is_expected(expected, got)) {
		print_error("%s: expected %s, got %s\n", head, expected, got);
		return false;
	}
	return true;
}

static void check_requests(const struct fixture *f, const struct request *list, size_t n)
{
	size_t n_wrong = 0;

	for (size_t i = 0; i < n; i++) {
		CLEANUP(free_ptr)
		char *head = xasprintf("GET %s HTTP/1.1\r\nHost: %s", list[i].target, list[i].host);
		n_wrong += !try_head(f, head, list[i].expected);
	}
	assert_int_equal(n_wrong, 0);
}

static void test_requests(void **test)
{
	check_requests(*test, requests, ARRAY_LEN(requests));
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	(void)size;
	buf_append(ctx, data, n);
	return n;
}

/* The same request over HTTP/2, where the host is the pseudo-header :authority. The caller frees
 * the answer: a service or a status. */
static char *ask_http2(CURL *curl, const struct fixture *f, const struct request *request)
{
	CLEANUP(free_ptr) char *host = xasprintf("Host: %s", request->host);
	struct curl_slist *headers = curl_slist_append(NULL, host);
	struct buf body = BUF_INIT(1 << 20);
	long status = 0;

	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, f->running.https_socket);
	curl_easy_setopt(curl, CURLOPT_URL, "https://unused/");
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(curl, CURLOPT_REQUEST_TARGET, request->target);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	CURLcode code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	if (code == CURLE_OK && status == 200) {
		return buf_take(&body);
	}
	buf_fini(&body);
	return code == CURLE_OK ? xasprintf("%ld", status) : xstrdup(curl_easy_strerror(code));
}

static void test_http2(void **test)
{
	CURL *curl = curl_easy_init();
	size_t n_wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		const struct request *request = &requests[i];
		CLEANUP(free_ptr) char *got = ask_http2(curl, *test, request);
		if (!is_expected(request->expected, got)) {
			print_error("HTTP/2, host %s, %s: expected %s, got %s\n", request->host,
				request->target, request->expected, got);
			n_wrong++;
		}
	}
	curl_easy_cleanup(curl);
	assert_int_equal(n_wrong, 0);
}

static void test_heads(void **test)
{
	size_t n_wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		n_wrong += !try_head(*test, heads[i].text, heads[i].expected);
	}
	assert_int_equal(n_wrong, 0);
}

/* Nothing in the model is wrong with these rules. */
static void test_no_diagnostics(void **test)
{
	const struct fixture *f = *test;
	struct buf dump = BUF_INIT(0);

	model_dump(f->model, &dump);
	assert_null(strstr(buf_str(&dump), "\ningress "));
	buf_fini(&dump);
}

static void test_open_rules(void **test)
{
	struct fixture *f = *test;

	put_rules(f, open_rules, ARRAY_LEN(open_rules), "open");
	reload(f);
	check_requests(f, open_requests, ARRAY_LEN(open_requests));
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		/* What had no answer has one now. */
		if (strcmp(requests[i].expected, "404") != 0) {
			check_requests(f, &requests[i], 1);
		}
	}
	remove_rules(f, ARRAY_LEN(open_rules), "open");
	reload(f);
	check_requests(f, requests, ARRAY_LEN(requests));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_diagnostics),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_http2),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_open_rules),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

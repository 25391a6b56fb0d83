/* A Service's endpoints as servers: ports, readiness, addresses, names, and the oddities of slices
 * that are being rearranged. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "model/endpoints.h"
#include "store/store_testing.h"

#define HTTP_PORTS "{'name':'http','port':80},{'name':'admin','port':81}"

static void put_slice(
	struct store *store, const char *name, const char *ports, const char *endpoints)
{
	testing_put(store, KUBE_ENDPOINT_SLICE,
		"{'metadata':{'namespace':'a','name':'%s','labels':{'kubernetes.io/"
		"service-name':'web'}},"
		"'ports':[%s],'endpoints':[%s]}",
		name, ports, endpoints);
}

static struct store *store_with(const char *service_ports)
{
	struct store *store = store_new();

	testing_put_service(store, "a", "web", service_ports);
	return store;
}

/* "name=address name=address" */
static void check(struct store *store, int32_t port, const char *expected)
{
	struct endpoints_servers servers =
		endpoints_collect(store, store_service(store, "a", "web"), port);
	struct buf text = BUF_INIT(0);

	for (size_t i = 0; i < servers.n; i++) {
		buf_printf(&text, "%s%s=%s", i ? " " : "", servers.items[i].name,
			servers.items[i].address);
	}
	assert_string_equal(buf_str(&text), expected);
	buf_fini(&text);
	endpoints_fini(&servers);
	assert_int_equal(servers.n, 0);
}

static void check_slice(const char *endpoints, const char *expected)
{
	struct store *store = store_with("{'name':'http','port':80}");

	put_slice(store, "s", "{'name':'http','port':8080}", endpoints);
	check(store, 80, expected);
	store_free(store);
}

static void test_find_port(void **state)
{
	static const struct {
		const char *ports;
		int32_t number;
		const char *name;
		enum endpoints_port result;
		int32_t expected;
	} cases[] = {
		{HTTP_PORTS, 80, "", ENDPOINTS_OK, 80},
		{HTTP_PORTS, 81, "ignored", ENDPOINTS_OK, 81},
		{HTTP_PORTS, 0, "admin", ENDPOINTS_OK, 81},
		{HTTP_PORTS, 0, "other", ENDPOINTS_NO_PORT, -1},
		{HTTP_PORTS, 8080, NULL, ENDPOINTS_NO_PORT, -1},
		{HTTP_PORTS, 0, "", ENDPOINTS_NO_PORT, -1},
		{"{'port':80}", 80, "", ENDPOINTS_OK, 80},
		{"{'port':80}", 0, "", ENDPOINTS_NO_PORT, -1},
		{"", 80, "", ENDPOINTS_NO_PORT, -1},
		{"{'name':'u','port':80,'protocol':'UDP'}", 80, "", ENDPOINTS_NO_PORT, -1},
		{"{'name':'u','port':80,'protocol':'UDP'}", 0, "u", ENDPOINTS_NO_PORT, -1},
		{"{'name':'u','port':80,'protocol':'UDP'},{'name':'t','port':80}", 80, "",
			ENDPOINTS_OK, 80},
		{"{'name':'t','port':80,'protocol':'TCP'}", 80, "", ENDPOINTS_OK, 80},
		{"{'name':'s','port':80,'protocol':'SCTP'}", 80, "", ENDPOINTS_NO_PORT, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store *store = store_with(cases[i].ports);
		int32_t port = -1;
		assert_int_equal(endpoints_find_port(store_service(store, "a", "web"),
					 cases[i].number, cases[i].name, &port),
			cases[i].result);
		assert_int_equal(port, cases[i].expected);
		store_free(store);
	}
}

static void test_find_port_of_nothing(void **state)
{
	struct store *store = store_new();
	int32_t port = -1;

	(void)state;
	assert_int_equal(endpoints_find_port(NULL, 80, "", &port), ENDPOINTS_NO_SERVICE);
	testing_put(store, KUBE_SERVICE,
		"{'metadata':{'namespace':'a','name':'web'},"
		"'spec':{'type':'ExternalName','externalName':'metadata.internal','ports':[{'port':"
		"80}]}}");
	assert_int_equal(endpoints_find_port(store_service(store, "a", "web"), 80, "", &port),
		ENDPOINTS_SERVICE_TYPE);
	assert_int_equal(port, -1);
	store_free(store);
}

static void test_readiness(void **state)
{
	(void)state;
	check_slice("{'addresses':['10.0.0.1'],'targetRef':{'kind':'Pod','name':'p1'}},"
		    "{'addresses':['10.0.0.2'],'conditions':{'ready':true},'targetRef':{'kind':'"
		    "Pod','name':'p2'}},"
		    "{'addresses':['10.0.0.3'],'conditions':{'ready':false},'targetRef':{'kind':'"
		    "Pod','name':'p3'}},"
		    "{'addresses':['10.0.0.4'],'conditions':{'ready':false,'serving':true,'"
		    "terminating':true},"
		    "'targetRef':{'kind':'Pod','name':'p4'}},"
		    "{'addresses':['10.0.0.5'],'conditions':{'ready':null},'targetRef':{'kind':'"
		    "Pod','name':'p5'}}",
		"p1=10.0.0.1:8080 p2=10.0.0.2:8080 p5=10.0.0.5:8080");
}

static void test_addresses(void **state)
{
	static const struct {
		const char *address;
		const char *expected;
	} cases[] = {
		{"10.0.0.1", "10.0.0.1_8080=10.0.0.1:8080"},
		{"fd00::1", "fd00::1_8080=[fd00::1]:8080"},
		{"FD00:0:0::0001", "fd00::1_8080=[fd00::1]:8080"},
		{"::ffff:10.0.0.1", "::ffff:10.0.0.1_8080=[::ffff:10.0.0.1]:8080"},
		{"fe80::1%eth0", ""},
		{"10.0.0.01", ""},
		{"10.0.0", ""},
		{"10.0.0.1:80", ""},
		{"[fd00::1]", ""},
		{"pod.example.test", ""},
		{"10.0.0.1 weight 1", ""},
		{"10.0.0.1;disable server a/b", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf endpoint = BUF_INIT(0);
		buf_printf(&endpoint, "{'addresses':['%s']}", cases[i].address);
		check_slice(buf_str(&endpoint), cases[i].expected);
		buf_fini(&endpoint);
	}
	check_slice("{'addresses':[]},{}", "");
	/* Only the first one has a meaning. */
	check_slice("{'addresses':['10.0.0.1','10.0.0.2']}", "10.0.0.1_8080=10.0.0.1:8080");
}

/* Names that are none for HAProxy, or not a pod's, give way to the address. */
static void test_names(void **state)
{
	static const char *const bad[] = {
		"a b", "a;b", "a/b", "a:b", "a\\nb", "a_b", "", "\xc3\xa9"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf endpoint = BUF_INIT(0);
		buf_printf(&endpoint,
			"{'addresses':['10.0.0.1'],'targetRef':{'kind':'Pod','name':'%s'}}",
			bad[i]);
		check_slice(buf_str(&endpoint), "10.0.0.1_8080=10.0.0.1:8080");
		buf_fini(&endpoint);
	}
	check_slice("{'addresses':['10.0.0.1'],'targetRef':{'kind':'Node','name':'n1'}}",
		"10.0.0.1_8080=10.0.0.1:8080");
	check_slice("{'addresses':['10.0.0.1'],'targetRef':{'kind':'Pod','name':'web-0.x'}}",
		"web-0.x=10.0.0.1:8080");
}

/* One pod, two addresses; and a pod that bears the name that an address would get. */
static void test_same_names(void **state)
{
	(void)state;
	check_slice("{'addresses':['10.0.0.2'],'targetRef':{'kind':'Pod','name':'p'}},"
		    "{'addresses':['10.0.0.1'],'targetRef':{'kind':'Pod','name':'p'}}",
		"10.0.0.2_8080=10.0.0.2:8080 p=10.0.0.1:8080");
	check_slice("{'addresses':['10.0.0.1'],'targetRef':{'kind':'Pod','name':'10.0.0.2_8080'}},"
		    "{'addresses':['10.0.0.2']}",
		"10.0.0.1_8080=10.0.0.1:8080 10.0.0.2_8080=10.0.0.2:8080");
}

static void test_several_slices(void **state)
{
	struct store *store = store_with(HTTP_PORTS);

	(void)state;
	put_slice(store, "s2", "{'name':'http','port':8080},{'name':'admin','port':9090}",
		"{'addresses':['10.0.0.2']},{'addresses':['10.0.0.1']}");
	/* Named target ports give each slice numbers of its own. */
	put_slice(store, "s1", "{'name':'admin','port':9091},{'name':'http','port':8081}",
		"{'addresses':['10.0.0.3']}");
	/* The same endpoint in two slices is one server. */
	put_slice(store, "s3", "{'name':'http','port':8080}", "{'addresses':['10.0.0.1']}");
	/* No port, another protocol, another name: nothing. */
	put_slice(store, "s4", "{'name':'http'}", "{'addresses':['10.0.0.4']}");
	put_slice(store, "s5", "{'name':'http','port':1,'protocol':'UDP'}",
		"{'addresses':['10.0.0.5']}");
	put_slice(store, "s6", "{'port':8080}", "{'addresses':['10.0.0.6']}");
	put_slice(store, "s7", "", "{'addresses':['10.0.0.7']}");
	check(store, 80,
		"10.0.0.1_8080=10.0.0.1:8080 10.0.0.2_8080=10.0.0.2:8080 "
		"10.0.0.3_8081=10.0.0.3:8081");
	check(store, 81,
		"10.0.0.1_9090=10.0.0.1:9090 10.0.0.2_9090=10.0.0.2:9090 "
		"10.0.0.3_9091=10.0.0.3:9091");
	check(store, 82, "");
	store_free(store);
}

/* A port without a name meets the slices' port without a name, also when they say it as "". */
static void test_unnamed_port(void **state)
{
	struct store *store = store_with("{'port':80}");

	(void)state;
	put_slice(store, "s1", "{'port':8080}", "{'addresses':['10.0.0.1']}");
	put_slice(store, "s2", "{'name':'','port':8081}", "{'addresses':['10.0.0.2']}");
	put_slice(store, "s3", "{'name':'x','port':8082}", "{'addresses':['10.0.0.3']}");
	check(store, 80, "10.0.0.1_8080=10.0.0.1:8080 10.0.0.2_8081=10.0.0.2:8081");
	store_free(store);
}

static void test_equal(void **state)
{
	struct store *store = store_with("{'port':80}");

	(void)state;
	put_slice(store, "s1", "{'port':8080}",
		"{'addresses':['10.0.0.1']},{'addresses':['10.0.0.2']}");
	const struct service *service = store_service(store, "a", "web");
	struct endpoints_servers a = endpoints_collect(store, service, 80);
	put_slice(store, "s1", "{'port':8080}",
		"{'addresses':['10.0.0.2']},{'addresses':['10.0.0.1']}");
	struct endpoints_servers b = endpoints_collect(store, service, 80);
	put_slice(store, "s1", "{'port':8080}",
		"{'addresses':['10.0.0.2']},{'addresses':['10.0.0.3']}");
	struct endpoints_servers c = endpoints_collect(store, service, 80);
	struct endpoints_servers none = {0};
	assert_true(endpoints_equal(&a, &b));
	assert_false(endpoints_equal(&a, &c));
	assert_false(endpoints_equal(&a, &none));
	assert_true(endpoints_equal(&none, &none));
	endpoints_fini(&a);
	endpoints_fini(&b);
	endpoints_fini(&c);
	endpoints_fini(&none);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_port),
		cmocka_unit_test(test_find_port_of_nothing),
		cmocka_unit_test(test_readiness),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_same_names),
		cmocka_unit_test(test_several_slices),
		cmocka_unit_test(test_unnamed_port),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

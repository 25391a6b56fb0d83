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

/* "name=address name=address", a "!" behind those that drain, and "refused address" */
static void check(struct store *store, int32_t port, const char *expected)
{
	struct endpoints_servers servers =
		endpoints_collect(store, store_service(store, "a", "web"), port, false);
	struct buf text = BUF_INIT(0);

	for (size_t i = 0; i < servers.n; i++) {
		buf_printf(&text, "%s%s=%s%s", i ? " " : "", servers.items[i].name,
			servers.items[i].address, servers.items[i].is_draining ? "!" : "");
	}
	if (servers.refused != NULL) {
		buf_printf(&text, " refused %s", servers.refused);
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
		{HTTP_PORTS, 0, NULL, ENDPOINTS_OK, 80},
		{"{'name':'u','port':53,'protocol':'UDP'},{'name':'t','port':81}", 0, NULL,
			ENDPOINTS_OK, 81},
		{"{'name':'u','port':80,'protocol':'UDP'}", 0, NULL, ENDPOINTS_NO_PORT, -1},
		{"", 0, NULL, ENDPOINTS_NO_PORT, -1},
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
		assert_int_equal(
			endpoints_find_port(store_service(store, "a", "web"),
				(struct endpoints_reference){cases[i].number, cases[i].name}, false,
				&port),
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
	const struct endpoints_reference reference = {80, ""};
	assert_int_equal(endpoints_find_port(NULL, reference, true, &port), ENDPOINTS_NO_SERVICE);
	testing_put(store, KUBE_SERVICE,
		"{'metadata':{'namespace':'a','name':'web'},"
		"'spec':{'type':'ExternalName','externalName':'metadata.internal','ports':[{'port':"
		"80}]}}");
	assert_int_equal(
		endpoints_find_port(store_service(store, "a", "web"), reference, false, &port),
		ENDPOINTS_SERVICE_TYPE);
	assert_int_equal(port, -1);
	store_free(store);
}

static void test_external(void **state)
{
	static const struct {
		const char *name;
		const char *ports;
		struct endpoints_reference reference;
		enum endpoints_port result;
		const char *expected;
	} cases[] = {
		{"x.test", "", {80, ""}, ENDPOINTS_OK, "x.test:80"},
		{"x.test", "", {0, "web"}, ENDPOINTS_NO_PORT, NULL},
		{"x.test", "{'port':80}", {81, ""}, ENDPOINTS_NO_PORT, NULL},
		{"x.test", "{'name':'web','port':8443,'appProtocol':'https'}", {0, "web"},
			ENDPOINTS_OK, "x.test:8443:https"},
		{"x.test", "{'port':80,'appProtocol':'kubernetes.io/h2c'}", {80, ""}, ENDPOINTS_OK,
			"x.test:80:h2c"},
		{"", "", {80, ""}, ENDPOINTS_EXTERNAL_NAME, NULL},
		{"*.x.test", "", {80, ""}, ENDPOINTS_EXTERNAL_NAME, NULL},
		{"x.test:81", "", {80, ""}, ENDPOINTS_EXTERNAL_NAME, NULL},
		{"x.test weight", "", {80, ""}, ENDPOINTS_EXTERNAL_NAME, NULL},
		{"x;y", "", {80, ""}, ENDPOINTS_EXTERNAL_NAME, NULL},
		{"::1", "", {80, ""}, ENDPOINTS_EXTERNAL_NAME, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store *store = store_new();
		int32_t port = -1;
		testing_put(store, KUBE_SERVICE,
			"{'metadata':{'namespace':'a','name':'web'},'spec':{'type':'ExternalName',"
			"'externalName':'%s','ports':[%s]}}",
			cases[i].name, cases[i].ports);
		const struct service *service = store_service(store, "a", "web");
		assert_true(endpoints_is_external(service));
		assert_int_equal(endpoints_find_port(service, cases[i].reference, true, &port),
			cases[i].result);
		if (cases[i].expected != NULL) {
			CLEANUP(free_ptr) char *external = endpoints_external(service, port);
			assert_string_equal(external, cases[i].expected);
		}
		store_free(store);
	}
	assert_false(endpoints_is_external(NULL));
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
		"p1=10.0.0.1:8080 p2=10.0.0.2:8080 p4=10.0.0.4:8080! p5=10.0.0.5:8080");
}

#define POD(name, address, conditions)                                                             \
	"{'addresses':['" address "'],'conditions':{" conditions                                   \
	"},'targetRef':{'kind':'Pod','name':'" name "'}}"
#define IS_READY       "'ready':true,'serving':true,'terminating':false"
#define IS_TERMINATING "'ready':false,'serving':true,'terminating':true"
#define IS_GONE	       "'ready':false,'serving':false,'terminating':true"

static void test_terminating(void **state)
{
	(void)state;
	/* Nothing else is left. */
	check_slice(POD("p1", "10.0.0.1", IS_TERMINATING) "," POD("p2", "10.0.0.2", IS_GONE),
		"p1=10.0.0.1:8080");
	check_slice(POD("p1", "10.0.0.1", IS_TERMINATING) "," POD("p2", "10.0.0.2", IS_READY),
		"p1=10.0.0.1:8080! p2=10.0.0.2:8080");
	/* Not ready, and not on its way out; serving unknown; terminating unknown. */
	check_slice(
		POD("p1", "10.0.0.1", "'ready':false,'serving':true,'terminating':false") "," POD(
			"p2", "10.0.0.2", "'ready':false,'terminating':true") "," POD("p3",
			"10.0.0.3", "'ready':false,'serving':true"),
		"");
	/* publishNotReadyAddresses: the cluster says ready whatever the pod does. */
	check_slice(POD("p1", "10.0.0.1", "'ready':true,'serving':false,'terminating':true"),
		"p1=10.0.0.1:8080");
	/* In two slices at once: the better one counts. */
	check_slice(POD("p1", "10.0.0.1", IS_TERMINATING) "," POD("p1", "10.0.0.1", IS_READY),
		"p1=10.0.0.1:8080");
}

static void check_families(const char *families, const char *endpoints, const char *expected)
{
	struct store *store = store_new();

	testing_put(store, KUBE_SERVICE,
		"{'metadata':{'namespace':'a','name':'web'},'spec':{%s'ports':[{'port':80}]}}",
		families);
	put_slice(store, "s", "{'port':8080}", endpoints);
	check(store, 80, expected);
	store_free(store);
}

/* A pod with two addresses is one server. */
static void test_dual_stack(void **state)
{
	const char *both = POD("p1", "fd00::1", IS_READY) "," POD("p1", "10.0.0.1", IS_READY);

	(void)state;
	check_families("", both, "p1=10.0.0.1:8080");
	check_families("'ipFamilies':['IPv4','IPv6'],", both, "p1=10.0.0.1:8080");
	check_families("'ipFamilies':['IPv6','IPv4'],", both, "p1=[fd00::1]:8080");
	check_families("'ipFamilies':['IPv6'],", both, "p1=[fd00::1]:8080");
	check_families("'ipFamilies':[],", both, "p1=10.0.0.1:8080");
	/* The slices of the families change one after the other: who can take requests at either
	 * address gets them there, at the first family's while it can. */
	check_families("", POD("p1", "fd00::1", IS_READY) "," POD("p1", "10.0.0.1", IS_GONE),
		"p1=[fd00::1]:8080");
	check_families("", POD("p1", "fd00::1", IS_GONE) "," POD("p1", "10.0.0.1", IS_READY),
		"p1=10.0.0.1:8080");
	check_families("'ipFamilies':['IPv6','IPv4'],",
		POD("p1", "fd00::1", IS_GONE) "," POD("p1", "10.0.0.1", IS_READY),
		"p1=10.0.0.1:8080");
	check_families("", POD("p1", "fd00::1", IS_GONE) "," POD("p1", "10.0.0.1", IS_GONE), "");
	check_families("", POD("p1", "fd00::1", IS_TERMINATING) "," POD("p1", "10.0.0.1", IS_GONE),
		"p1=[fd00::1]:8080");
	/* Another pod's first family says nothing about this one. */
	check_families("",
		POD("p1", "fd00::1", IS_READY) "," POD("p1", "10.0.0.1", IS_GONE) "," POD(
			"p2", "fd00::2", IS_READY) "," POD("p2", "10.0.0.2", IS_READY),
		"p1=[fd00::1]:8080 p2=10.0.0.2:8080");
	/* A pod that is on its way out finishes where it began, and gets nothing new elsewhere. */
	check_families("",
		POD("p1", "fd00::1", IS_READY) "," POD("p1", "10.0.0.1", IS_TERMINATING) "," POD(
			"p2", "10.0.0.2", IS_READY),
		"p1=10.0.0.1:8080! p2=10.0.0.2:8080");
	check_families("", POD("p1", "fd00::1", IS_READY) "," POD("p1", "10.0.0.1", IS_TERMINATING),
		"p1=10.0.0.1:8080");
	/* Pods that have only the other one are reached by it. */
	check_families("", POD("p1", "fd00::1", IS_READY) "," POD("p2", "10.0.0.2", IS_READY),
		"p1=[fd00::1]:8080 p2=10.0.0.2:8080");
	/* Without pods nobody can say which are one. */
	check_families("", "{'addresses':['fd00::1']},{'addresses':['10.0.0.1']}",
		"10.0.0.1_8080=10.0.0.1:8080 fd00::1_8080=[fd00::1]:8080");
}

static void test_refused_addresses(void **state)
{
	static const char *const forbidden[] = {"127.0.0.1", "127.255.255.254", "169.254.169.254",
		"224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255", "0.0.0.0", "0.1.2.3",
		"::1", "::", "fe80::1", "febf::1", "ff02::1", "::ffff:127.0.0.1",
		"::ffff:169.254.169.254", "64:ff9b::", "64:ff9b::7f00:1", "64:ff9b::7fff:ffff",
		"64:ff9b::a9fe:a9fe", "64:ff9b::e000:1", "64:ff9b::ffff:ffff"};
	static const char *const allowed[] = {"126.255.255.255", "128.0.0.1", "169.253.0.1",
		"223.255.255.255", "fec0::1", "::2", "64:ff9b::a00:1", "64:ff9b::8000:1",
		"64:ff9b::1:7f00:1", "64:ff9c::7f00:1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forbidden) + ARRAY_LEN(allowed); i++) {
		bool is_forbidden = i < ARRAY_LEN(forbidden);
		const char *ip = is_forbidden ? forbidden[i] : allowed[i - ARRAY_LEN(forbidden)];
		bool is_six = strchr(ip, ':') != NULL;
		struct buf endpoint = BUF_INIT(0);
		struct buf expected = BUF_INIT(0);
		buf_printf(&endpoint, "{'addresses':['%s']}", ip);
		if (is_forbidden) {
			buf_append_str(&expected, " refused ");
		} else {
			buf_printf(&expected, "%s_8080=", ip);
		}
		buf_printf(&expected, is_six ? "[%s]:8080" : "%s:8080", ip);
		check_slice(buf_str(&endpoint), buf_str(&expected));
		buf_fini(&endpoint);
		buf_fini(&expected);
	}
	/* The others work; which one is named does not depend on the order. */
	check_slice("{'addresses':['169.254.1.1']},{'addresses':['10.0.0.1']},"
		    "{'addresses':['127.0.0.1']}",
		"10.0.0.1_8080=10.0.0.1:8080 refused 127.0.0.1:8080");
}

static void test_loopback_is_allowed(void **state)
{
	struct store *store = store_with("{'port':80}");

	(void)state;
	put_slice(store, "s", "{'port':8080}",
		"{'addresses':['127.0.0.1']},{'addresses':['169.254.169.254']}");
	struct endpoints_servers servers =
		endpoints_collect(store, store_service(store, "a", "web"), 80, true);
	assert_int_equal(servers.n, 1);
	assert_string_equal(servers.items[0].address, "127.0.0.1:8080");
	assert_string_equal(servers.refused, "169.254.169.254:8080");
	endpoints_fini(&servers);
	store_free(store);
}

static void test_transports(void **state)
{
	static const struct {
		const char *protocol;
		const char *expected;
		enum model_transport transport;
	} cases[] = {
		{"", "10.0.0.2_8080=10.0.0.2:8080 p1=10.0.0.1:8080", MODEL_TRANSPORT_HTTP},
		{"'appProtocol':'http',", "10.0.0.2_8080=10.0.0.2:8080 p1=10.0.0.1:8080",
			MODEL_TRANSPORT_HTTP},
		{"'appProtocol':'kubernetes.io/ws',",
			"10.0.0.2_8080=10.0.0.2:8080 p1=10.0.0.1:8080", MODEL_TRANSPORT_HTTP},
		{"'appProtocol':'kubernetes.io/h2c',",
			"10.0.0.2_8080_h2c=10.0.0.2:8080 p1_h2c=10.0.0.1:8080",
			MODEL_TRANSPORT_H2C},
		{"'appProtocol':'https',",
			"10.0.0.2_8080_https=10.0.0.2:8080 p1_https=10.0.0.1:8080",
			MODEL_TRANSPORT_HTTPS},
		{"'appProtocol':'HTTPS',",
			"10.0.0.2_8080_https=10.0.0.2:8080 p1_https=10.0.0.1:8080",
			MODEL_TRANSPORT_HTTPS},
		{"'appProtocol':'kubernetes.io/wss',",
			"10.0.0.2_8080_https=10.0.0.2:8080 p1_https=10.0.0.1:8080",
			MODEL_TRANSPORT_HTTPS},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store *store = store_new();
		testing_put(store, KUBE_SERVICE,
			"{'metadata':{'namespace':'a','name':'web'},'spec':{'ports':[{%s'port':80}]"
			"}}",
			cases[i].protocol);
		put_slice(store, "s", "{'port':8080}",
			POD("p1", "10.0.0.1", IS_READY) ",{'addresses':['10.0.0.2']}");
		check(store, 80, cases[i].expected);
		const char *name = strrchr(cases[i].expected, ' ') + 1;
		CLEANUP(free_ptr) char *server = xstrndup(name, strcspn(name, "="));
		assert_int_equal(model_server_transport(server), cases[i].transport);
		store_free(store);
	}
	assert_int_equal(model_server_transport("_h2c"), MODEL_TRANSPORT_HTTP);
	assert_int_equal(model_server_transport("h2c"), MODEL_TRANSPORT_HTTP);
	assert_int_equal(model_server_transport("p_h2c_"), MODEL_TRANSPORT_HTTP);
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
	struct endpoints_servers a = endpoints_collect(store, service, 80, false);
	put_slice(store, "s1", "{'port':8080}",
		"{'addresses':['10.0.0.2']},{'addresses':['10.0.0.1']}");
	struct endpoints_servers b = endpoints_collect(store, service, 80, false);
	put_slice(store, "s1", "{'port':8080}",
		"{'addresses':['10.0.0.2']},{'addresses':['10.0.0.3']}");
	struct endpoints_servers c = endpoints_collect(store, service, 80, false);
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
		cmocka_unit_test(test_external),
		cmocka_unit_test(test_readiness),
		cmocka_unit_test(test_terminating),
		cmocka_unit_test(test_dual_stack),
		cmocka_unit_test(test_refused_addresses),
		cmocka_unit_test(test_loopback_is_allowed),
		cmocka_unit_test(test_transports),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_same_names),
		cmocka_unit_test(test_several_slices),
		cmocka_unit_test(test_unnamed_port),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

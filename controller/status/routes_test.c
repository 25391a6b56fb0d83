/* Which backends the routes of an Ingress lead to, and which routes lead to a backend, as they are
 * told. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/attr.h"
#include "status/routes.h"
#include "store/store.h"
#include "store/store_testing.h"

struct bench {
	struct store *store;
	struct model *model;
};

static void update(struct bench *bench)
{
	struct store_changes changes = store_take_changes(bench->store);

	model_update(bench->model, bench->store, &changes);
	store_changes_fini(&changes);
}

static void put_service(struct bench *bench, const char *namespace, const char *name)
{
	testing_put(bench->store, KUBE_SERVICE,
		"{'metadata':{'namespace':'%s','name':'%s'},'spec':{'ports':[{'port':80}]}}",
		namespace, name);
}

/* `paths`: of one rule for the host a.test. */
static void put_ingress(
	struct bench *bench, const char *name, const char *annotations, const char *paths)
{
	testing_put(bench->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'a','name':'%s','annotations':{%s}},'spec':{"
		"'ingressClassName':'ours','rules':[{'host':'a.test','http':{'paths':[%s]}}]}}",
		name, annotations, paths);
}

#define PATH(path, type, service)                                                                  \
	"{'path':'" path "','pathType':'" type "','backend':{'service':{'name':'" service          \
	"','port':{'number':80}}}}"

static int set_up(void **state)
{
	static struct bench bench;

	bench = (struct bench){.store = store_new(),
		.model = model_new(&(struct model_options){
			.controller_name = "x/y", .can_use_external = true})};
	testing_put(bench.store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'ours'},'spec':{'controller':'x/y'}}");
	put_service(&bench, "a", "web");
	put_service(&bench, "a", "next");
	put_service(&bench, "a", "gate");
	*state = &bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	model_free(bench->model);
	store_free(bench->store);
	return 0;
}

static void check_ingress(struct bench *bench, const char *name, const char *wanted)
{
	struct buf buf = BUF_INIT(0);

	update(bench);
	routes_write(&buf, bench->model, "a", name);
	assert_string_equal(buf_str(&buf), wanted);
	buf_fini(&buf);
}

static void check_backend(
	struct bench *bench, const char *backend, bool is_known, const char *wanted)
{
	struct buf buf = BUF_INIT(0);

	update(bench);
	assert_int_equal(routes_write_backend(&buf, bench->model, backend), is_known);
	assert_string_equal(buf_str(&buf), wanted);
	buf_fini(&buf);
}

#define FIELD(n) "\"field\":\"spec.rules[0].http.paths[" n "]\",\"host\":\"a.test\","

static void test_paths(void **state)
{
	struct bench *bench = *state;

	put_ingress(bench, "i", "",
		PATH("/", "Prefix", "web") "," PATH(
			"/a/", "ImplementationSpecific", "web") "," PATH("/b", "Exact", "missing"));
	check_ingress(bench, "i",
		",\"routes\":[{" FIELD(
			"0") "\"path\":\"/\",\"pathType\":\"Prefix\",\"backend\":"
			     "\"a_svc_web_80\"},{" FIELD(
				     "1") "\"path\":\"/a\",\"pathType\":\"Prefix\","
					  "\"backend\":\"a_svc_web_80\"},{" FIELD(
						  "2") "\"path\":\"/b\",\"pathType\":"
						       "\"Exact\",\"backend\":\"headgate_"
						       "unavailable\"}]");
	check_backend(bench, "a_svc_missing_80", false,
		"{\"error\":\"no Ingress of this controller leads to such a backend\"}");
	/* What goes takes its backend with it. */
	put_ingress(bench, "i", "", PATH("/b", "Exact", "next"));
	check_backend(bench, "a_svc_web_80", false,
		"{\"error\":\"no Ingress of this controller leads to such a backend\"}");
	check_backend(bench, "a_svc_next_80", true,
		"{\"backend\":\"a_svc_next_80\",\"namespace\":\"a\",\"service\":\"next\",\"port\":"
		"80,"
		"\"servers\":0,\"routes\":[{\"ingress\":\"a/i\"," FIELD(
			"0") "\"path\":\"/b\","
			     "\"pathType\":\"Exact\",\"backend\":\"a_svc_next_80\"}]}");
}

/* The other one goes first by its name. */
static void test_taken(void **state)
{
	struct bench *bench = *state;

	put_ingress(bench, "i", "", PATH("/", "Prefix", "web"));
	put_ingress(bench, "j", "", PATH("/", "Prefix", "next"));
	check_ingress(bench, "j",
		",\"routes\":[{" FIELD("0") "\"path\":\"/\",\"pathType\":\"Prefix\",\"taken_by\":"
					    "\"a/i\"}]");
	check_backend(bench, "a_svc_next_80", false,
		"{\"error\":\"no Ingress of this controller leads to such a backend\"}");
	check_ingress(bench, "none", ",\"routes\":[]");
}

static void test_default_backend(void **state)
{
	struct bench *bench = *state;

	testing_put(bench->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'a','name':'i'},'spec':{'ingressClassName':'ours',"
		"'defaultBackend':{'service':{'name':'web','port':{'number':80}}}}}");
	check_ingress(bench, "i",
		",\"routes\":[{\"field\":\"spec.defaultBackend\",\"host\":\"*\",\"backend\":"
		"\"a_svc_web_80\"}]");
	testing_put(bench->store, KUBE_SERVICE,
		"{'metadata':{'namespace':'a','name':'web'},'spec':{'type':'ExternalName',"
		"'externalName':'b.test','ports':[{'port':80}]}}");
	check_backend(bench, "a_ext_web_80", true,
		"{\"backend\":\"a_ext_web_80\",\"namespace\":\"a\",\"service\":\"web\",\"port\":80,"
		"\"external\":\"b.test:80\",\"routes\":[{\"ingress\":\"a/i\",\"field\":"
		"\"spec.defaultBackend\",\"host\":\"*\",\"backend\":\"a_ext_web_80\"}]}");
}

/* A backend of its own options, one that takes a part, and one that is asked. */
static void test_options(void **state)
{
	static const char route[] =
		FIELD("0") "\"path\":\"/\",\"pathType\":\"Prefix\",\"backend\":"
			   "\"a_svc_web_80:leastconn\",\"canary\":\"a_svc_next_80:leastconn\","
			   "\"auth\":\"a_svc_gate_80\"}]";
	struct bench *bench = *state;

	put_ingress(bench, "i",
		"'headgate.dev/load-balance':'leastconn','headgate.dev/canary-service':'next:80',"
		"'headgate.dev/canary-weight':'10','headgate.dev/auth-url':"
		"'http://gate.a.svc/ask'",
		PATH("/", "Prefix", "web"));
	CLEANUP(free_ptr) char *wanted = xasprintf(",\"routes\":[{%s", route);
	check_ingress(bench, "i", wanted);
	static const struct {
		const char *backend;
		const char *service;
	} rows[] = {{"a_svc_web_80:leastconn", "web"}, {"a_svc_next_80:leastconn", "next"},
		{"a_svc_gate_80", "gate"}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_ptr)
		char *about =
			xasprintf("{\"backend\":\"%s\",\"namespace\":\"a\",\"service\":\"%s\","
				  "\"port\":80,\"servers\":0,\"routes\":[{\"ingress\":\"a/i\","
				  "%s}",
				rows[i].backend, rows[i].service, route);
		check_backend(bench, rows[i].backend, true, about);
	}
}

/* A class's policy is that of all its Ingresses. */
static void test_class(void **state)
{
	struct bench *bench = *state;

	model_free(bench->model);
	bench->model = model_new(&(struct model_options){.controller_name = "x/y",
		.config_map_namespace = "h",
		.config_map_name = "h",
		.parameters_namespace = "h"});
	testing_put(bench->store, KUBE_CONFIG_MAP,
		"{'metadata':{'namespace':'h','name':'h'},'data':{'auth-url':"
		"'http://gate.a.svc/ask'}}");
	put_ingress(bench, "i", "", PATH("/", "Prefix", "web"));
	check_backend(bench, "a_svc_gate_80", true,
		"{\"backend\":\"a_svc_gate_80\",\"namespace\":\"a\",\"service\":\"gate\",\"port\":"
		"80,"
		"\"servers\":0,\"routes\":[{\"ingress\":\"a/i\"," FIELD(
			"0") "\"path\":\"/\","
			     "\"pathType\":\"Prefix\",\"backend\":\"a_svc_web_80\",\"auth\":\"a_"
			     "svc_gate_80\"}]}");
}

static void test_many(void **state)
{
	struct bench *bench = *state;
	struct buf paths = BUF_INIT(0);
	struct buf text = BUF_INIT(0);

	for (int i = 0; i < ROUTES_MAX_LISTED + 5; i++) {
		buf_printf(&paths, "%s" PATH("/%d", "Exact", "web"), i > 0 ? "," : "", i);
	}
	put_ingress(bench, "i", "", buf_str(&paths));
	update(bench);
	routes_write(&text, bench->model, "a", "i");
	assert_non_null(strstr(buf_str(&text), "}],\"more_routes\":5"));
	buf_clear(&text);
	assert_true(routes_write_backend(&text, bench->model, "a_svc_web_80"));
	assert_non_null(strstr(buf_str(&text), "}],\"more_routes\":5}"));
	buf_fini(&text);
	buf_fini(&paths);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_paths),
		CASE(test_taken),
		CASE(test_default_backend),
		CASE(test_options),
		CASE(test_class),
		CASE(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

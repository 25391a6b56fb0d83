/*
 * Plans for states that golden cases can't show: what HAProxy has is not what some older model
 * wanted, but what an interrupted change, a busy server or a restart left behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "cert/cert_testing.h"
#include "plan/plan_testing.h"
#include "store/store_testing.h"

#define BACKEND "a_svc_web_80"

static const struct caps live = {.can_add_backend = true};
static const struct caps reloading = {.can_add_backend = false};

struct bench {
	struct store *store;
	struct model *model;
	struct applied *applied;
};

static void update(struct bench *bench)
{
	struct store_changes changes = store_take_changes(bench->store);

	model_update(bench->model, bench->store, &changes);
	store_changes_fini(&changes);
}

static void put_pods(struct bench *bench, const char *endpoints)
{
	testing_put(bench->store, KUBE_ENDPOINT_SLICE,
		"{'metadata':{'namespace':'a','name':'s','labels':{'kubernetes.io/"
		"service-name':'web'}},"
		"'ports':[{'port':8080}],'endpoints':[%s]}",
		endpoints);
	update(bench);
}

static void put_ingress(struct bench *bench, const char *service)
{
	testing_put(bench->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'a','name':'i'},'spec':{'ingressClassName':'c','rules':[{"
		"'host':'a.test',"
		"'http':{'paths':[{'path':'/"
		"','pathType':'Prefix','backend':{'service':{'name':'%s',"
		"'port':{'number':80}}}}]}}]}}",
		service);
	update(bench);
}

/* A Service of its own, and a host. */
static void put_numbered(struct bench *bench, int i)
{
	testing_put(bench->store, KUBE_SERVICE,
		"{'metadata':{'namespace':'a','name':'s%d'},'spec':{'ports':[{'port':80}]}}", i);
	testing_put(bench->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'a','name':'i%d'},'spec':{'ingressClassName':'c','rules':"
		"[{"
		"'host':'a%d.test','http':{'paths':[{'path':'/','pathType':'Prefix','backend':"
		"{'service':{'name':'s%d','port':{'number':80}}}}]}}]}}",
		i, i, i);
}

/* Host a.test, Service web with pods p1 and p2; HAProxy has all of it. */
static int setup(void **state)
{
	static const struct model_options options = {.ingress_class = "c", .controller_name = "x"};
	struct bench *bench = xcalloc(1, sizeof(*bench));

	bench->store = store_new();
	bench->model = model_new(&options);
	testing_put_service(bench->store, "a", "web", "{'port':80}");
	testing_put_service(bench->store, "a", "api", "{'port':80}");
	put_ingress(bench, "web");
	put_pods(bench, "{'addresses':['10.0.0.1'],'targetRef':{'kind':'Pod','name':'p1'}},"
			"{'addresses':['10.0.0.2'],'targetRef':{'kind':'Pod','name':'p2'}}");
	bench->applied = applied_from_model(bench->model, NULL);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	applied_free(bench->applied);
	model_free(bench->model);
	store_free(bench->store);
	free(bench);
	return 0;
}

static void check(const struct bench *bench, const struct caps *caps, const char *expected)
{
	struct plan plan = {0};
	struct buf text = BUF_INIT(0);

	plan_make(&plan, bench->model, bench->applied, caps, NULL);
	plan_dump(&plan, &text);
	assert_string_equal(buf_str(&text), expected);
	assert_int_equal(plan_is_noop(&plan), strcmp(expected, "noop\n") == 0);
	buf_fini(&text);
	plan_fini(&plan);
}

static struct applied_backend *backend_of(struct bench *bench)
{
	return applied_find_backend(bench->applied, BACKEND);
}

static void test_noop(void **state)
{
	check(*state, &live, "noop\n");
	check(*state, &reloading, "noop\n");
}

/* Of another version's configuration nothing is known, so nothing is done before the reload. */
static void test_other_configuration(void **state)
{
	static const struct caps other = {.can_add_backend = true, .awaits_configuration = true};
	struct bench *bench = *state;

	check(bench, &other, "reload configuration\n");
	put_ingress(bench, "api");
	applied_remove_backend(bench->applied, BACKEND);
	check(bench, &other, "reload configuration\n");
	assert_int_equal(plan_reasons(bench->model, bench->applied, &other),
		1u << PLAN_REASON_CONFIGURATION);
}

static void test_maintenance_ends(void **state)
{
	struct bench *bench = *state;

	applied_set_server(bench->applied, backend_of(bench), "p1", "10.0.0.1:8080", APPLIED_MAINT);
	check(bench, &live, "server-enable " BACKEND "/p1\n");
	applied_set_server(bench->applied, backend_of(bench), "p1", "10.0.0.9:8080", APPLIED_MAINT);
	check(bench, &reloading,
		"server-address " BACKEND "/p1 10.0.0.1:8080\nserver-enable " BACKEND "/p1\n");
}

static void test_unwanted_in_maintenance(void **state)
{
	struct bench *bench = *state;

	applied_set_server(
		bench->applied, backend_of(bench), "old", "10.0.0.3:8080", APPLIED_MAINT);
	check(bench, &live, "server-del " BACKEND "/old\n");
	applied_set_server(
		bench->applied, backend_of(bench), "old", "10.0.0.3:8080", APPLIED_READY);
	check(bench, &live, "server-disable " BACKEND "/old\nserver-del " BACKEND "/old\n");
}

/* Removed while its server was busy, then wanted again: it is unpublished, and nothing would reach
 * it. */
static void test_wanted_again(void **state)
{
	struct bench *bench = *state;

	applied_remove_server(bench->applied, backend_of(bench), "p2");
	applied_set_server(bench->applied, backend_of(bench), "p1", "10.0.0.1:8080", APPLIED_MAINT);
	applied_remove_entry(bench->applied, MODEL_MAP_HOSTS, "a.test");
	applied_remove_entry(bench->applied, MODEL_MAP_PREFIX, "a.test/");
	check(bench, &live,
		"backend-publish " BACKEND "\n"
		"server-enable " BACKEND "/p1\n"
		"server-add " BACKEND "/p2 10.0.0.2:8080\n"
		"server-enable " BACKEND "/p2\n"
		"map-add prefix.map a.test/ " BACKEND "\n"
		"map-add hosts.map a.test a.test\n");
	check(bench, &reloading,
		"server-enable " BACKEND "/p1\n"
		"server-add " BACKEND "/p2 10.0.0.2:8080\n"
		"server-enable " BACKEND "/p2\n"
		"map-add prefix.map a.test/ " BACKEND "\n"
		"map-add hosts.map a.test a.test\n");
}

/* Made, and then we were stopped. */
static void test_half_made(void **state)
{
	struct bench *bench = *state;

	put_pods(bench, "");
	applied_remove_server(bench->applied, backend_of(bench), "p1");
	applied_remove_server(bench->applied, backend_of(bench), "p2");
	applied_remove_entry(bench->applied, MODEL_MAP_PREFIX, "a.test/");
	check(bench, &live,
		"backend-publish " BACKEND "\nmap-add prefix.map a.test/ " BACKEND "\n");
}

/* Half removed: what is left goes on going. */
static void test_removal_goes_on(void **state)
{
	struct bench *bench = *state;

	store_remove(bench->store, KUBE_INGRESS, "a", "i");
	update(bench);
	applied_remove_entry(bench->applied, MODEL_MAP_HOSTS, "a.test");
	applied_remove_entry(bench->applied, MODEL_MAP_PREFIX, "a.test/");
	applied_remove_server(bench->applied, backend_of(bench), "p2");
	applied_set_server(bench->applied, backend_of(bench), "p1", "10.0.0.1:8080", APPLIED_MAINT);
	check(bench, &live,
		"server-del " BACKEND "/p1\nbackend-unpublish " BACKEND "\nbackend-del " BACKEND
		"\n");
	check(bench, &reloading, "server-del " BACKEND "/p1\n");
	applied_remove_server(bench->applied, backend_of(bench), "p1");
	check(bench, &reloading, "noop\n");
	applied_find_backend(bench->applied, BACKEND)->is_unpublished = true;
	check(bench, &live, "backend-del " BACKEND "\n");
}

/* HAProxy that has nothing reads thousands of backends rather than being told of each. */
static void test_cold_start(void **state)
{
	struct bench *bench = *state;
	struct applied *empty = applied_new();

	for (int i = 1; i < PLAN_COLD_BACKENDS; i++) {
		struct plan plan = {0};

		if (i == PLAN_COLD_BACKENDS - 1) {
			update(bench);
			plan_make(&plan, bench->model, empty, &live, NULL);
			assert_int_equal(plan.reasons, 0);
			assert_true(plan.n_ops > 0);
			plan_fini(&plan);
		}
		put_numbered(bench, i);
	}
	update(bench);
	for (int i = 0; i < 2; i++) {
		const struct caps *caps = i == 0 ? &live : &reloading;
		struct plan plan = {0};

		plan_make(&plan, bench->model, empty, caps, NULL);
		assert_int_equal(plan.n_ops, 0);
		assert_int_equal(plan.reasons,
			1u << (i == 0 ? PLAN_REASON_COLD_START : PLAN_REASON_BACKEND_SET));
		plan_fini(&plan);
	}
	/* Where there is one, somebody may be served: no reload. */
	struct plan plan = {0};
	plan_make(&plan, bench->model, bench->applied, &live, NULL);
	assert_int_equal(plan.reasons, 0);
	assert_true(plan.n_ops > PLAN_COLD_BACKENDS);
	plan_fini(&plan);
	applied_free(empty);
}

/* The old backend serves until the reload has brought the new one. */
static void test_reload_takes_nothing_away(void **state)
{
	struct bench *bench = *state;

	put_ingress(bench, "api");
	check(bench, &reloading, "reload backend-set\n");
	check(bench, &live,
		"backend-add a_svc_api_80\nbackend-publish a_svc_api_80\n"
		"map-set prefix.map a.test/ a_svc_api_80\n"
		"server-disable " BACKEND "/p1\nserver-del " BACKEND "/p1\n"
		"server-disable " BACKEND "/p2\nserver-del " BACKEND "/p2\n"
		"backend-unpublish " BACKEND "\nbackend-del " BACKEND "\n");
}

/* Entries that no model ever asked for, or that somebody changed. */
static void test_drift(void **state)
{
	struct bench *bench = *state;

	applied_set_entry(bench->applied, MODEL_MAP_HOSTS, "evil.test", "a.test");
	applied_set_entry(bench->applied, MODEL_MAP_EXACT, "a.test/x", BACKEND);
	applied_set_entry(bench->applied, MODEL_MAP_PREFIX, "a.test/", "other");
	applied_set_entry(bench->applied, MODEL_MAP_HOSTS, "a.test", "b.test");
	applied_set_entry(bench->applied, MODEL_MAP_DEFAULTS, "*", BACKEND);
	check(bench, &live,
		"map-set prefix.map a.test/ " BACKEND "\n"
		"map-set hosts.map a.test a.test\n"
		"map-del hosts.map evil.test\n"
		"map-del exact.map a.test/x\n"
		"map-del defaults.map *\n");
}

static void test_keys_of_a_delta_count_once(void **state)
{
	struct bench *bench = *state;
	char *backends[] = {(char *)BACKEND, (char *)"gone_svc_x_1", (char *)BACKEND};
	struct model_delta_entry entries[] = {{MODEL_MAP_PREFIX, (char *)"a.test/"},
		{MODEL_MAP_PREFIX, (char *)"a.test/"}, {MODEL_MAP_HOSTS, (char *)"gone.test"}};
	struct model_delta delta = {
		.entries = entries,
		.n_entries = ARRAY_LEN(entries),
		.backends = backends,
		.n_backends = ARRAY_LEN(backends),
	};
	struct plan plan = {0};
	struct buf text = BUF_INIT(0);

	applied_set_server(bench->applied, backend_of(bench), "p1", "10.0.0.1:8080", APPLIED_MAINT);
	applied_remove_entry(bench->applied, MODEL_MAP_PREFIX, "a.test/");
	/* Not in the delta: not looked at. */
	applied_remove_entry(bench->applied, MODEL_MAP_HOSTS, "a.test");
	plan_make(&plan, bench->model, bench->applied, &live, &delta);
	plan_dump(&plan, &text);
	assert_string_equal(buf_str(&text),
		"server-enable " BACKEND "/p1\nmap-add prefix.map a.test/ " BACKEND "\n");
	buf_fini(&text);
	plan_fini(&plan);
}

/* ---- what backends are made with ---- */

static void put_authority(struct bench *bench)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = testing_cert_new(&(struct testing_cert){.common_name = "ca", .key = key});
	CLEANUP(free_ptr) char *pem = testing_cert_pem(cert);
	CLEANUP(free_ptr) char *text = testing_base64(pem);

	testing_put(bench->store, KUBE_SECRET,
		"{'metadata':{'namespace':'a','name':'ca'},'data':{'ca.crt':'%s'}}", text);
	testing_put(bench->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'a','name':'i','annotations':{'haproxy.org/"
		"server-ca':'ca'}},"
		"'spec':{'ingressClassName':'c','rules':[{'host':'a.test','http':{'paths':[{'path':"
		"'/"
		"','pathType':'Prefix','backend':{'service':{'name':'web','port':{'number':80}}}}]}"
		"}]}}");
	update(bench);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/*
 * After a read-back nobody knows what is in the file. It is told again while no server has it, and
 * left alone from then on: 2.6 crashes when servers of its configuration have it.
 */
static void test_told_again(void **state)
{
	struct bench *bench = *state;
	uint32_t position = 0;

	put_authority(bench);
	const struct model_certificate *ca = model_next_certificate(bench->model, &position);
	assert_non_null(ca);
	CLEANUP(free_ptr) char *backend = xasprintf("%s:tls:%s", BACKEND, ca->name);
	CLEANUP(free_ptr) char *told = xasprintf("ca-set %s\nca-commit %s\n", ca->name, ca->name);
	CLEANUP(free_ptr)
	char *servers = xasprintf("%sserver-add %s/p1 10.0.0.1:8080\nserver-enable %s/p1\n"
				  "server-add %s/p2 10.0.0.2:8080\nserver-enable %s/p2\n",
		told, backend, backend, backend, backend);
	applied_free(bench->applied);
	bench->applied = applied_from_model(bench->model, NULL);
	check(bench, &reloading, "noop\n");
	applied_set_certificate(bench->applied, ca->name, NULL, NULL);
	check(bench, &reloading, "noop\n");
	check(bench, &live, "noop\n");
	applied_remove_server(bench->applied, applied_find_backend(bench->applied, backend), "p1");
	applied_remove_server(bench->applied, applied_find_backend(bench->applied, backend), "p2");
	check(bench, &reloading, servers);
	check(bench, &live, servers);
}

/* ---- applied ---- */

static void test_applied_servers(void **state)
{
	struct applied *applied = applied_new();
	struct applied_backend *backend = applied_add_backend(applied, BACKEND);
	struct buf text = BUF_INIT(0);

	(void)state;
	memset(applied->is_shard_unsaved, 0, sizeof(applied->is_shard_unsaved));
	applied_set_server(applied, backend, "m", "10.0.0.1:1", APPLIED_READY);
	applied_set_server(applied, backend, "a", "10.0.0.2:1", APPLIED_MAINT);
	applied_set_server(applied, backend, "z", "10.0.0.3:1", APPLIED_READY);
	applied_set_server(applied, backend, "m", "10.0.0.4:1", APPLIED_MAINT);
	/* The address may be the server's own text. */
	applied_set_server(
		applied, backend, "z", applied_find_server(backend, "z")->address, APPLIED_READY);
	applied_remove_server(applied, backend, "q");
	applied_remove_server(applied, backend, "a");
	assert_null(applied_find_server(backend, "a"));
	assert_true(applied->is_shard_unsaved[applied_shard(BACKEND)]);
	applied_dump(applied, &text);
	assert_string_equal(buf_str(&text),
		"backend " BACKEND "\n  server m 10.0.0.4:1 maint\n  server z 10.0.0.3:1\n");
	applied_remove_backend(applied, "other");
	applied_remove_backend(applied, BACKEND);
	assert_null(applied_find_backend(applied, BACKEND));
	buf_fini(&text);
	applied_free(applied);
	applied_free(NULL);
}

static void test_applied_entries(void **state)
{
	struct applied *applied = applied_new();

	(void)state;
	assert_null(applied_find_entry(applied, MODEL_MAP_EXACT, "k"));
	applied_set_entry(applied, MODEL_MAP_EXACT, "k", "one");
	applied_set_entry(applied, MODEL_MAP_EXACT, "k", "two");
	applied_set_entry(applied, MODEL_MAP_PREFIX, "k", "");
	/* Key and value may be the entry's own text. */
	applied_set_entry(
		applied, MODEL_MAP_EXACT, "k", applied_find_entry(applied, MODEL_MAP_EXACT, "k"));
	assert_string_equal(applied_find_entry(applied, MODEL_MAP_EXACT, "k"), "two");
	assert_string_equal(applied_find_entry(applied, MODEL_MAP_PREFIX, "k"), "");
	assert_true(applied->is_map_unsaved[MODEL_MAP_EXACT]);
	assert_false(applied->is_map_unsaved[MODEL_MAP_HOSTS]);
	applied->is_map_unsaved[MODEL_MAP_EXACT] = false;
	applied_remove_entry(applied, MODEL_MAP_EXACT, "other");
	assert_false(applied->is_map_unsaved[MODEL_MAP_EXACT]);
	applied_remove_entry(applied, MODEL_MAP_EXACT, "k");
	assert_true(applied->is_map_unsaved[MODEL_MAP_EXACT]);
	assert_null(applied_find_entry(applied, MODEL_MAP_EXACT, "k"));
	applied_free(applied);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_noop),
		TEST(test_other_configuration),
		TEST(test_maintenance_ends),
		TEST(test_unwanted_in_maintenance),
		TEST(test_wanted_again),
		TEST(test_half_made),
		TEST(test_removal_goes_on),
		TEST(test_cold_start),
		TEST(test_reload_takes_nothing_away),
		TEST(test_drift),
		TEST(test_keys_of_a_delta_count_once),
		TEST(test_told_again),
		cmocka_unit_test(test_applied_servers),
		cmocka_unit_test(test_applied_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

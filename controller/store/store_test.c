/*
 * The replica: what is put, replaced and removed, complete lists that work and that break off,
 * EndpointSlices by Service, and what a reader is told: each key once, in order, with one call to
 * come and look.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "kube/secret_testing.h"
#include "store/store.h"
#include "store/store_testing.h"

struct bench {
	struct store *store;
	unsigned n_wakes;
};

static void on_wake(void *ctx)
{
	struct bench *bench = ctx;

	bench->n_wakes++;
}

static int setup(void **state)
{
	struct bench *bench = xcalloc(1, sizeof(*bench));

	bench->store = store_new();
	store_on_change(bench->store, on_wake, bench);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	store_free(bench->store);
	free(bench);
	return 0;
}

/* The changes as text, one word each, and none left afterwards. */
static void check_changes_of(struct store_changes changes, const char *expected)
{
	struct buf text = BUF_INIT(0);

	for (size_t i = 0; i < changes.n; i++) {
		buf_printf(&text, "%s%s:%s/%s", i ? " " : "",
			kube_kinds[changes.items[i].kind].name, changes.items[i].namespace,
			changes.items[i].name);
	}
	assert_string_equal(buf_str(&text), expected);
	buf_fini(&text);
	store_changes_fini(&changes);
	assert_int_equal(changes.n, 0);
}

static void check_changes(struct store *store, const char *expected)
{
	check_changes_of(store_take_changes(store), expected);
	check_changes_of(store_take_changes(store), "");
}

static bool put_slice(
	struct store *store, const char *namespace, const char *name, const char *service)
{
	return testing_put(store, KUBE_ENDPOINT_SLICE,
		"{'metadata':{'namespace':'%s','name':'%s','labels':{'kubernetes.io/"
		"service-name':'%s'}},"
		"'endpoints':[]}",
		namespace, name, service);
}

static void test_put_replace_remove(void **state)
{
	struct store *store = ((struct bench *)*state)->store;

	assert_true(testing_put_service(store, "a", "web", "{'port':80}"));
	check_changes(store, "Service:a/web");
	assert_false(testing_put_service(store, "a", "web", "{'port':80}"));
	check_changes(store, "");
	assert_true(testing_put_service(store, "a", "web", "{'port':81}"));
	check_changes(store, "Service:a/web");
	assert_int_equal(store_count(store, KUBE_SERVICE), 1);
	const struct service *service = store_service(store, "a", "web");
	const struct service_port *ports = obj_items(service, service->ports);
	assert_int_equal(ports[0].port, 81);

	assert_false(store_remove(store, KUBE_SERVICE, "a", "other"));
	assert_false(store_remove(store, KUBE_SERVICE, "b", "web"));
	assert_false(store_remove(store, KUBE_INGRESS, "a", "web"));
	check_changes(store, "");
	assert_true(store_remove(store, KUBE_SERVICE, "a", "web"));
	check_changes(store, "Service:a/web");
	assert_null(store_service(store, "a", "web"));
	assert_int_equal(store_count(store, KUBE_SERVICE), 0);
	assert_false(store_remove(store, KUBE_SERVICE, "a", "web"));
}

static void note_status(void *ctx, const char *namespace, const char *name)
{
	struct buf *text = ctx;

	buf_printf(text, "%s/%s ", namespace, name);
}

static bool put_ingress(struct store *store, const char *class, const char *ip)
{
	return testing_put(store, KUBE_INGRESS,
		"{'metadata':{'namespace':'a','name':'i'},'spec':{'ingressClassName':'%s'},"
		"'status':{'loadBalancer':{'ingress':[{'ip':'%s'}]}}}",
		class, ip);
}

/* No route depends on a status: nobody has to look again but who asked for it. */
static void test_status_touches_nothing(void **state)
{
	struct bench *bench = *state;
	struct store *store = bench->store;
	struct buf text = BUF_INIT(0);

	store_on_status(store, note_status, &text);
	assert_true(put_ingress(store, "c", "192.0.2.1"));
	check_changes(store, "Ingress:a/i");
	assert_string_equal(buf_str(&text), "");
	unsigned n_wakes = bench->n_wakes;
	assert_false(put_ingress(store, "c", "192.0.2.2"));
	assert_false(put_ingress(store, "c", "192.0.2.2"));
	check_changes(store, "");
	assert_int_equal(bench->n_wakes, n_wakes);
	assert_string_equal(buf_str(&text), "a/i ");
	const struct ingress *ingress = store_ingress(store, "a", "i");
	const struct balancer_address *address = obj_items(ingress, ingress->addresses);
	assert_string_equal(obj_str(ingress, address->ip), "192.0.2.2");
	assert_true(put_ingress(store, "d", "192.0.2.3"));
	check_changes(store, "Ingress:a/i");
	assert_string_equal(buf_str(&text), "a/i ");
	/* A list whose news is a status alone keeps the object. */
	store_begin_list(store, KUBE_INGRESS);
	assert_false(put_ingress(store, "d", "192.0.2.4"));
	assert_int_equal(store_end_list(store, KUBE_INGRESS), 0);
	check_changes(store, "");
	assert_int_equal(store_count(store, KUBE_INGRESS), 1);
	buf_fini(&text);
}

/* The key may be the object's own text. */
static void test_remove_by_own_name(void **state)
{
	struct store *store = ((struct bench *)*state)->store;

	testing_put_service(store, "a", "web", "");
	const struct object *object = store_find(store, KUBE_SERVICE, "a", "web");
	assert_true(
		store_remove(store, KUBE_SERVICE, object_namespace(object), object_name(object)));
	check_changes(store, "Service:a/web");
}

/* Namespace and name are two texts, not one. */
static void test_keys_have_two_parts(void **state)
{
	struct store *store = ((struct bench *)*state)->store;

	testing_put_service(store, "ab", "c", "{'port':1}");
	testing_put_service(store, "a", "bc", "{'port':2}");
	testing_put_service(store, "a", "c", "{'port':3}");
	assert_int_equal(store_count(store, KUBE_SERVICE), 3);
	assert_non_null(store_service(store, "ab", "c"));
	assert_non_null(store_service(store, "a", "bc"));
	assert_null(store_service(store, "abc", ""));
	check_changes(store, "Service:a/bc Service:a/c Service:ab/c");
}

static void test_changes_once_and_sorted(void **state)
{
	struct store *store = ((struct bench *)*state)->store;

	put_slice(store, "b", "s1", "web");
	put_slice(store, "b", "s2", "web");
	testing_put_service(store, "z", "web", "");
	testing_put_service(store, "b", "web", "");
	testing_put_service(store, "b", "api", "");
	testing_put(store, KUBE_INGRESS_CLASS, "{'metadata':{'name':'x'}}");
	testing_put(store, KUBE_INGRESS, "{'metadata':{'namespace':'q','name':'x'}}");
	store_remove(store, KUBE_SERVICE, "z", "web");
	check_changes(store,
		"Ingress:q/x IngressClass:/x Service:b/api Service:b/web Service:z/web "
		"EndpointSlice:b/web");
}

static void test_wake_once(void **state)
{
	struct bench *bench = *state;

	testing_put_service(bench->store, "a", "one", "");
	testing_put_service(bench->store, "a", "two", "");
	testing_put_service(bench->store, "a", "one", "{'port':1}");
	assert_int_equal(bench->n_wakes, 1);
	check_changes(bench->store, "Service:a/one Service:a/two");
	assert_int_equal(bench->n_wakes, 1);
	testing_put_service(bench->store, "a", "two", "");
	assert_int_equal(bench->n_wakes, 1);
	store_remove(bench->store, KUBE_SERVICE, "a", "two");
	assert_int_equal(bench->n_wakes, 2);
	store_begin_list(bench->store, KUBE_SERVICE);
	store_end_list(bench->store, KUBE_SERVICE);
	assert_int_equal(bench->n_wakes, 2);
}

static void test_mark_and_sweep(void **state)
{
	struct store *store = ((struct bench *)*state)->store;

	testing_put_service(store, "a", "stays", "");
	testing_put_service(store, "a", "changes", "");
	testing_put_service(store, "a", "goes", "");
	testing_put(store, KUBE_INGRESS, "{'metadata':{'namespace':'a','name':'other-kind'}}");
	struct store_changes before = store_take_changes(store);
	store_changes_fini(&before);

	store_begin_list(store, KUBE_SERVICE);
	testing_put_service(store, "a", "changes", "{'port':1}");
	testing_put_service(store, "a", "stays", "");
	testing_put_service(store, "a", "comes", "");
	assert_int_equal(store_count(store, KUBE_SERVICE), 4);
	assert_int_equal(store_end_list(store, KUBE_SERVICE), 1);
	check_changes(store, "Service:a/changes Service:a/comes Service:a/goes");
	assert_non_null(store_service(store, "a", "stays"));
	assert_int_equal(store_count(store, KUBE_INGRESS), 1);
}

/* Nothing goes while a list runs; what only the broken list had goes with the next one. */
static void test_list_breaks_off(void **state)
{
	struct store *store = ((struct bench *)*state)->store;

	testing_put_service(store, "a", "old", "");
	testing_put_service(store, "a", "both", "");
	store_begin_list(store, KUBE_SERVICE);
	testing_put_service(store, "a", "first-try", "");
	testing_put_service(store, "a", "both", "");
	assert_int_equal(store_count(store, KUBE_SERVICE), 3);
	assert_false(store_is_known(store, KUBE_SERVICE));

	store_begin_list(store, KUBE_SERVICE);
	testing_put_service(store, "a", "both", "");
	assert_int_equal(store_count(store, KUBE_SERVICE), 3);
	assert_int_equal(store_end_list(store, KUBE_SERVICE), 2);
	assert_null(store_service(store, "a", "old"));
	assert_null(store_service(store, "a", "first-try"));
	assert_non_null(store_service(store, "a", "both"));
}

/* Lists of two namespaces, one inside the other: neither takes away what is the other's. */
static void test_split(void **state)
{
	static const char *const namespaces[] = {"a", "b"};
	struct store *store = ((struct bench *)*state)->store;

	store_split(store, KUBE_SERVICE, namespaces, 2);
	store_begin_list_in(store, KUBE_SERVICE, "a");
	assert_true(testing_put_service(store, "a", "one", ""));
	assert_true(testing_put_service(store, "a", "two", ""));
	store_begin_list_in(store, KUBE_SERVICE, "b");
	assert_true(testing_put_service(store, "b", "one", ""));
	assert_int_equal(store_end_list_in(store, KUBE_SERVICE, "b"), 0);
	assert_false(store_is_known(store, KUBE_SERVICE));
	assert_true(testing_put_service(store, "a", "three", ""));
	assert_int_equal(store_end_list_in(store, KUBE_SERVICE, "a"), 0);
	assert_true(store_is_known(store, KUBE_SERVICE));
	check_changes(store, "Service:a/one Service:a/three Service:a/two Service:b/one");

	/* A list of one, with an event of the other in its middle. */
	store_begin_list_in(store, KUBE_SERVICE, "a");
	assert_false(testing_put_service(store, "a", "two", ""));
	assert_true(testing_put_service(store, "b", "two", ""));
	assert_int_equal(store_end_list_in(store, KUBE_SERVICE, "a"), 2);
	check_changes(store, "Service:a/one Service:a/three Service:b/two");
	store_begin_list_in(store, KUBE_SERVICE, "b");
	assert_int_equal(store_end_list_in(store, KUBE_SERVICE, "b"), 2);
	assert_int_equal(store_count(store, KUBE_SERVICE), 1);

	/* Outside is outside; other kinds are not split. */
	assert_false(testing_put_service(store, "c", "one", ""));
	assert_int_equal(store_count(store, KUBE_SERVICE), 1);
	assert_true(testing_put(
		store, KUBE_INGRESS, "{'metadata':{'namespace':'c','name':'other-kind'}}"));
}

static void test_empty_list_takes_all(void **state)
{
	struct store *store = ((struct bench *)*state)->store;

	for (int i = 0; i < 100; i++) {
		char name[16];
		snprintf(name, sizeof(name), "s%d", i);
		put_slice(store, "a", name, i % 2 ? "odd" : "even");
	}
	struct store_changes before = store_take_changes(store);
	store_changes_fini(&before);
	store_begin_list(store, KUBE_ENDPOINT_SLICE);
	assert_int_equal(store_end_list(store, KUBE_ENDPOINT_SLICE), 100);
	check_changes(store, "EndpointSlice:a/even EndpointSlice:a/odd");
	size_t n = 1;
	assert_null(store_slices(store, "a", "even", &n));
	assert_int_equal(n, 0);
}

static bool has_slice(
	const struct store *store, const char *namespace, const char *service, const char *name)
{
	size_t n;
	const struct endpoint_slice *const *slices = store_slices(store, namespace, service, &n);
	bool is_there = false;

	for (size_t i = 0; i < n; i++) {
		is_there = is_there || strcmp(object_name(&slices[i]->head), name) == 0;
	}
	return is_there;
}

static void test_slices(void **state)
{
	struct store *store = ((struct bench *)*state)->store;
	size_t n;

	put_slice(store, "a", "s1", "web");
	put_slice(store, "a", "s2", "web");
	put_slice(store, "a", "s3", "api");
	put_slice(store, "b", "s1", "web");
	check_changes(store, "EndpointSlice:a/api EndpointSlice:a/web EndpointSlice:b/web");
	assert_non_null(store_slices(store, "a", "web", &n));
	assert_int_equal(n, 2);
	assert_true(has_slice(store, "a", "web", "s1"));
	assert_true(has_slice(store, "a", "web", "s2"));

	/* One moves to another Service: both have changed. */
	assert_true(put_slice(store, "a", "s1", "api"));
	check_changes(store, "EndpointSlice:a/api EndpointSlice:a/web");
	assert_false(has_slice(store, "a", "web", "s1"));
	assert_true(has_slice(store, "a", "web", "s2"));
	assert_true(has_slice(store, "a", "api", "s1"));

	assert_true(store_remove(store, KUBE_ENDPOINT_SLICE, "a", "s2"));
	check_changes(store, "EndpointSlice:a/web");
	assert_null(store_slices(store, "a", "web", &n));
	assert_true(has_slice(store, "b", "web", "s1"));
}

/* A slice without the label belongs to nobody, and to nobody's harm. */
static void test_slice_without_service(void **state)
{
	struct store *store = ((struct bench *)*state)->store;

	testing_put(store, KUBE_ENDPOINT_SLICE, "{'metadata':{'namespace':'a','name':'s'}}");
	check_changes(store, "EndpointSlice:a/");
	assert_true(put_slice(store, "a", "s", "web"));
	check_changes(store, "EndpointSlice:a/ EndpointSlice:a/web");
	assert_true(store_remove(store, KUBE_ENDPOINT_SLICE, "a", "s"));
}

static void put_secret(struct store *store, const char *name, const char *data)
{
	testing_put_secret(store, "a", name, data, TESTING_NOW);
}

/* What was good stays, whether it is removed or missing in a list, until it is forgotten. */
static void test_secrets_stay(void **state)
{
	struct store *store = ((struct bench *)*state)->store;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	CLEANUP(free_ptr)
	char *good = testing_secret_data(&(struct testing_cert){.common_name = "x", .key = key});

	EVP_PKEY_free(key);
	put_secret(store, "bad", "'tls.crt':''");
	put_secret(store, "good", good);
	check_changes(store, "Secret:a/bad Secret:a/good");
	put_secret(store, "good", "'tls.crt':''");
	assert_int_equal(store_secret(store, "a", "good")->state, SECRET_INVALID);
	assert_true(obj_has(store_secret(store, "a", "good")->pem));
	check_changes(store, "Secret:a/good");
	put_secret(store, "good", "'tls.crt':''");
	check_changes(store, "");

	store_begin_list(store, KUBE_SECRET);
	store_end_list(store, KUBE_SECRET);
	assert_null(store_secret(store, "a", "bad"));
	assert_int_equal(store_secret(store, "a", "good")->state, SECRET_ABSENT);
	check_changes(store, "Secret:a/bad Secret:a/good");
	store_begin_list(store, KUBE_SECRET);
	store_end_list(store, KUBE_SECRET);
	assert_false(store_remove(store, KUBE_SECRET, "a", "good"));
	check_changes(store, "");

	put_secret(store, "good", good);
	assert_int_equal(store_secret(store, "a", "good")->state, SECRET_GOOD);
	store_forget(store, KUBE_SECRET, "a", "good");
	assert_null(store_secret(store, "a", "good"));
	store_forget(store, KUBE_SECRET, "a", "good");
}

static void test_completeness(void **state)
{
	struct bench *bench = *state;

	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		assert_false(store_is_complete(bench->store));
		assert_false(store_is_known(bench->store, (enum kube_kind)kind));
		store_begin_list(bench->store, (enum kube_kind)kind);
		assert_false(store_is_known(bench->store, (enum kube_kind)kind));
		/* Once before the end: which Secrets are needed is known now. */
		assert_int_equal(bench->n_wakes, kind == KUBE_SECRET ? 1 : 0);
		assert_int_equal(store_lacks_only(bench->store, KUBE_SECRET), kind == KUBE_SECRET);
		if (kind == KUBE_CONFIG_MAP) {
			store_set_known(bench->store, KUBE_CONFIG_MAP);
		} else {
			assert_int_equal(store_end_list(bench->store, (enum kube_kind)kind), 0);
		}
		assert_true(store_is_known(bench->store, (enum kube_kind)kind));
	}
	/* Nothing was touched, and still somebody has to look: an empty cluster is an answer, too.
	 */
	assert_true(store_is_complete(bench->store));
	assert_int_equal(bench->n_wakes, 2);
	store_set_known(bench->store, KUBE_CONFIG_MAP);
	assert_int_equal(bench->n_wakes, 2);
	store_begin_list(bench->store, KUBE_SERVICE);
	assert_true(store_is_complete(bench->store));
}

static void test_all_keys(void **state)
{
	struct store *store = ((struct bench *)*state)->store;

	check_changes_of(store_all_keys(store), "");
	put_slice(store, "a", "s1", "web");
	put_slice(store, "a", "s2", "web");
	testing_put_service(store, "a", "web", "");
	testing_put(store, KUBE_CONFIG_MAP, "{'metadata':{'namespace':'a','name':'cm'}}");
	check_changes_of(store_all_keys(store), "Service:a/web EndpointSlice:a/web ConfigMap:a/cm");
	check_changes(store, "Service:a/web EndpointSlice:a/web ConfigMap:a/cm");
	check_changes_of(store_all_keys(store), "Service:a/web EndpointSlice:a/web ConfigMap:a/cm");
}

static void test_next(void **state)
{
	struct store *store = ((struct bench *)*state)->store;
	uint32_t position = 0;
	const struct object *object;
	unsigned sum = 0;

	for (unsigned i = 0; i < 50; i++) {
		char name[16];
		snprintf(name, sizeof(name), "%u", i);
		testing_put_service(store, "a", name, "");
	}
	while ((object = store_next(store, KUBE_SERVICE, &position)) != NULL) {
		sum += (unsigned)strtoul(object_name(object), NULL, 10);
	}
	assert_int_equal(sum, 49 * 50 / 2);
	store_free(NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_put_replace_remove),
		TEST(test_status_touches_nothing),
		TEST(test_remove_by_own_name),
		TEST(test_keys_have_two_parts),
		TEST(test_changes_once_and_sorted),
		TEST(test_wake_once),
		TEST(test_mark_and_sweep),
		TEST(test_list_breaks_off),
		TEST(test_split),
		TEST(test_empty_list_takes_all),
		TEST(test_slices),
		TEST(test_slice_without_service),
		TEST(test_secrets_stay),
		TEST(test_completeness),
		TEST(test_all_keys),
		TEST(test_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

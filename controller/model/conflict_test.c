/*
 * Who gets a host and a path that several Ingresses ask for: the oldest, then the first by
 * namespace and name, in whatever order they come; everybody else is told who has it; and when the
 * winner goes, the next one has it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "model/diag.h"
#include "model/model.h"
#include "store/store_testing.h"

#define N_CLAIMANTS 8
#define N_ROUNDS    300

/* In the order in which they are to win. Each has a Service of its own name. */
static const struct claimant {
	const char *namespace;
	const char *name;
	unsigned second; /* of creation */
} claimants[N_CLAIMANTS] = {
	{"z", "oldest", 1},
	{"a", "b", 2},
	{"a", "c", 2},
	{"ab", "a", 2},
	{"b", "a", 2},
	{"b", "a-1", 2},
	{"b", "a1", 2},
	{"a", "youngest", 3},
};

struct fixture {
	struct store *store;
	struct model *model;
	uint64_t random;
	bool is_there[N_CLAIMANTS];
	char *reports[N_CLAIMANTS]; /* text of the one diagnostic; NULL = none */
};

static unsigned pick(struct fixture *f, unsigned n)
{
	f->random = f->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(f->random >> 33) % n;
}

static void on_report(void *ctx, const char *namespace, const char *name, const struct diag *diags,
	size_t n_diags)
{
	struct fixture *f = ctx;
	size_t i = 0;

	while (strcmp(claimants[i].name, name) != 0 ||
		strcmp(claimants[i].namespace, namespace) != 0) {
		i++;
		assert_true(i < N_CLAIMANTS);
	}
	assert_true(n_diags <= 1);
	free(f->reports[i]);
	f->reports[i] = NULL;
	if (n_diags == 1) {
		assert_int_equal(diags[0].reason, DIAG_PATH_TAKEN);
		assert_string_equal(diags[0].field, "spec.rules[0].http.paths[0].path");
		f->reports[i] = xstrdup(diags[0].text);
	}
}

static void put(struct fixture *f, size_t i)
{
	const struct claimant *c = &claimants[i];

	testing_put(f->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'%s','name':'%s','creationTimestamp':"
		"'2024-01-01T00:00:0%uZ'},'spec':{'ingressClassName':'c','rules':[{'host':'a.test',"
		"'http':{'paths':[{'path':'/x','pathType':'Prefix','backend':{'service':{'name':"
		"'%s','port':{'number':80}}}}]}}]}}",
		c->namespace, c->name, c->second, c->name);
	f->is_there[i] = true;
}

static void take_up(struct fixture *f)
{
	struct store_changes changes = store_take_changes(f->store);

	model_update(f->model, f->store, &changes);
	store_changes_fini(&changes);
	model_report_diags(f->model, on_report, f);
}

static void check(const struct fixture *f)
{
	const char *value = model_find_entry(f->model, MODEL_MAP_PREFIX, "a.test/x/");
	size_t winner = 0;

	while (winner < N_CLAIMANTS && !f->is_there[winner]) {
		winner++;
	}
	if (winner == N_CLAIMANTS) {
		assert_null(value);
		return;
	}
	CLEANUP(free_ptr)
	char *backend =
		xasprintf("%s_svc_%s_80", claimants[winner].namespace, claimants[winner].name);
	CLEANUP(free_ptr)
	char *named = xasprintf(" Ingress %s/%s (spec.rules[0].http.paths[0].path)",
		claimants[winner].namespace, claimants[winner].name);
	assert_non_null(value);
	assert_string_equal(value, backend);
	assert_null(f->reports[winner]);
	for (size_t i = winner + 1; i < N_CLAIMANTS; i++) {
		if (f->is_there[i]) {
			assert_non_null(f->reports[i]);
			assert_non_null(strstr(f->reports[i], named));
		} else {
			assert_null(f->reports[i]);
		}
	}
}

/* Each comes and goes at random, and what is there is looked at now and then. */
static void test_random_orders(void **state)
{
	struct fixture *f = *state;

	for (unsigned round = 0; round < N_ROUNDS; round++) {
		for (unsigned n = 1 + pick(f, 12); n > 0; n--) {
			size_t i = pick(f, N_CLAIMANTS);
			if (pick(f, 2) == 0) {
				put(f, i);
			} else {
				store_remove(f->store, KUBE_INGRESS, claimants[i].namespace,
					claimants[i].name);
				f->is_there[i] = false;
			}
		}
		take_up(f);
		check(f);
	}
}

/* All are there, having come in a random order one by one; then the winner goes, again and again.
 */
static void test_takeover(void **state)
{
	struct fixture *f = *state;

	for (unsigned round = 0; round < N_ROUNDS / 10; round++) {
		for (size_t n = 0; n < N_CLAIMANTS;) {
			size_t i = pick(f, N_CLAIMANTS);
			n += !f->is_there[i];
			put(f, i);
			take_up(f);
			check(f);
		}
		for (size_t i = 0; i < N_CLAIMANTS; i++) {
			store_remove(
				f->store, KUBE_INGRESS, claimants[i].namespace, claimants[i].name);
			f->is_there[i] = false;
			take_up(f);
			check(f);
		}
	}
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->random = 20240501;
	f->store = store_new();
	f->model = model_new(&(struct model_options){.controller_name = "ours"});
	testing_put(f->store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'c'},'spec':{'controller':'ours'}}");
	for (size_t i = 0; i < N_CLAIMANTS; i++) {
		const struct claimant *c = &claimants[i];
		testing_put_service(f->store, c->namespace, c->name, "{'port':80}");
		testing_put(f->store, KUBE_ENDPOINT_SLICE,
			"{'metadata':{'namespace':'%s','name':'%s','labels':{'kubernetes.io/"
			"service-name':'%s'}},'addressType':'IPv4','ports':[{'port':8080}],"
			"'endpoints':[{'addresses':['10.0.0.1']}]}",
			c->namespace, c->name, c->name);
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < N_CLAIMANTS; i++) {
		free(f->reports[i]);
	}
	model_free(f->model);
	store_free(f->store);
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random_orders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_takeover, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

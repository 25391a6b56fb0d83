/* An Ingress with more rules or paths than one may have: the first ones hold, and the rest is told
 * of once. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/buf.h"
#include "model/diag.h"
#include "model/model.h"
#include "model/route.h"
#include "store/store_testing.h"

struct fixture {
	struct store *store;
	struct model *model;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	const struct model_options options = {.controller_name = "our/c"};

	f->store = store_new();
	f->model = model_new(&options);
	testing_put(f->store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'c'},'spec':{'controller':'our/c'}}");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	model_free(f->model);
	store_free(f->store);
	free(f);
	return 0;
}

/* Rules of hosts 0.test, 1.test, …, each with so many paths. */
static void put(struct fixture *f, unsigned n_rules, unsigned n_paths, bool has_default)
{
	struct buf rules = BUF_INIT(0);

	for (unsigned i = 0; i < n_rules; i++) {
		buf_printf(&rules, "%s{'host':'%u.test','http':{'paths':[", i > 0 ? "," : "", i);
		for (unsigned j = 0; j < n_paths; j++) {
			buf_printf(&rules,
				"%s{'path':'/%u','pathType':'Exact','backend':{'service':{'name':"
				"'web','port':{'number':80}}}}",
				j > 0 ? "," : "", j);
		}
		buf_append_str(&rules, "]}}");
	}
	testing_put(f->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'n','name':'i'},'spec':{'ingressClassName':'c',%s"
		"'rules':[%s]}}",
		has_default ? "'defaultBackend':{'service':{'name':'web','port':{'number':80}}},"
			    : "",
		buf_str(&rules));
	buf_fini(&rules);
	struct store_changes changes = store_take_changes(f->store);
	model_update(f->model, f->store, &changes);
	store_changes_fini(&changes);
}

/* How many diagnostics say so; `ret_field`: the last one's, owned. */
static size_t count_told(const struct fixture *f, char **ret_field)
{
	size_t n, n_told = 0;
	struct diag *diags = model_ingress_diags(f->model, "n", "i", &n);

	for (size_t i = 0; i < n; i++) {
		if (diags[i].reason == DIAG_TOO_MANY) {
			free(*ret_field);
			*ret_field = xstrdup(diags[i].field);
			n_told++;
		}
	}
	model_free_diags(diags, n);
	return n_told;
}

static void expect(struct fixture *f, size_t n_exact, const char *field)
{
	CLEANUP(free_ptr) char *told = NULL;
	struct model_counts counts;

	model_count(f->model, &counts);
	assert_int_equal(counts.n_entries[MODEL_MAP_EXACT], n_exact);
	assert_int_equal(count_told(f, &told), field != NULL);
	if (field != NULL) {
		assert_string_equal(told, field);
	}
}

static void test_rules(void **state)
{
	struct fixture *f = *state;

	put(f, ROUTE_MAX_RULES, 1, false);
	expect(f, ROUTE_MAX_RULES, NULL);
	put(f, ROUTE_MAX_RULES + 2, 1, true);
	expect(f, ROUTE_MAX_RULES, "spec.rules[1000]");
	assert_non_null(model_find_entry(f->model, MODEL_MAP_EXACT, "999.test/0"));
	assert_null(model_find_entry(f->model, MODEL_MAP_EXACT, "1000.test/0"));
	assert_non_null(model_find_entry(f->model, MODEL_MAP_PREFIX, "999.test/"));
	assert_null(model_find_entry(f->model, MODEL_MAP_PREFIX, "1000.test/"));
	put(f, 2, 1, false);
	expect(f, 2, NULL);
}

static void test_paths(void **state)
{
	struct fixture *f = *state;

	put(f, 1, ROUTE_MAX_PATHS, false);
	expect(f, ROUTE_MAX_PATHS, NULL);
	put(f, 3, ROUTE_MAX_PATHS / 2 + 1, false);
	expect(f, ROUTE_MAX_PATHS, "spec.rules[1].http.paths[2499]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

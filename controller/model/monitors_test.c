/* Who may read the metrics, by what the controller's ConfigMap says: no mistake lets anybody. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "model/model.h"
#include "store/store_testing.h"

static void follow(struct model *model, struct store *store)
{
	struct store_changes changes = store_take_changes(store);

	model_update(model, store, &changes);
	store_changes_fini(&changes);
}

static void test_guard(void **state)
{
	static const struct {
		const char *data;
		enum model_guard guard;
		bool has_users;
		const char *fault;
	} rows[] = {
		{"'prometheus-endpoint-auth-secret':'n/readers'", MODEL_GUARD_USERS, true, NULL},
		{"'prometheus-endpoint-auth-secret':'readers'", MODEL_GUARD_USERS, false,
			"there is no Secret own/readers with users"},
		{"'prometheus-endpoint-auth-secret':'n/empty'", MODEL_GUARD_USERS, false,
			"Secret n/empty: it has no users"},
		{"'prometheus-endpoint-auth-secret':'n/bad'", MODEL_GUARD_USERS, false,
			"until then nobody may read the metrics"},
		{"'prometheus-endpoint-auth-secret':'n/readers/x'", MODEL_GUARD_USERS, false,
			"names no Secret"},
		{"'prometheus-endpoint-auth-secret':''", MODEL_GUARD_NONE, false, NULL},
		{"'timeout-client':'5s'", MODEL_GUARD_NONE, false, NULL},
	};
	struct store *store = store_new();
	const struct model_options options = {.config_map_namespace = "own",
		.config_map_name = "settings",
		.controller_name = "our/c"};
	struct model *model = model_new(&options);
	const char *namespace, *name;

	(void)state;
	/* joe:{SHA}…, and one that is no hash. */
	testing_put(store, KUBE_SECRET,
		"{'metadata':{'namespace':'n','name':'readers'},'type':'Opaque','data':{'joe':"
		"'e1NIQX0yam1qN2w1clN3MHlWYi92bFdBWWtLL1lCd2s9'}}");
	testing_put(store, KUBE_SECRET,
		"{'metadata':{'namespace':'n','name':'bad'},'type':'Opaque','data':{'joe':'eA=='}"
		"}");
	testing_put(store, KUBE_SECRET,
		"{'metadata':{'namespace':'n','name':'empty'},'type':'Opaque','data':{}}");
	/* The ConfigMap has not been read yet. */
	assert_int_equal(model_guards_metrics(model), MODEL_GUARD_UNKNOWN);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		testing_put(store, KUBE_CONFIG_MAP,
			"{'metadata':{'namespace':'own','name':'settings'},'data':{%s}}",
			rows[i].data);
		follow(model, store);
		assert_int_equal(model_guards_metrics(model), rows[i].guard);
		assert_int_equal(model_find_monitors(model, &namespace, &name), rows[i].has_users);
		const char *fault = model_monitors_fault(model);
		assert_int_equal(fault != NULL, rows[i].fault != NULL);
		if (fault != NULL && strstr(fault, rows[i].fault) == NULL) {
			fail_msg("%s: %s", rows[i].data, fault);
		}
		assert_int_equal(model_needs_secret(model, "n", "readers"), i == 0);
	}
	model_free(model);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_guard)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

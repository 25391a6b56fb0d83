/* Which ConfigMaps are kept, and when they must be listed anew. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/log.h"
#include "class_settings.h"
#include "store/store_testing.h"

static const struct model_options options = {.controller_name = "ours",
	.parameters_namespace = "own",
	.pages_name = "pages",
	.patterns_name = "patterns"};

struct fixture {
	struct store *store;
	struct class_settings *settings;
};

static void put_class(struct fixture *f, const char *name, const char *config_map)
{
	testing_put(f->store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'%s'},'spec':{'controller':'ours','parameters':{'kind':"
		"'ConfigMap','name':'%s'}}}",
		name, config_map);
}

/* What the reflector does with an object. */
static bool offer(struct fixture *f, const char *name)
{
	bool is_wanted = class_settings_need(f->settings, "own", name);

	if (is_wanted) {
		testing_put(f->store, KUBE_CONFIG_MAP,
			"{'metadata':{'namespace':'own','name':'%s'},'data':{}}", name);
	}
	return is_wanted;
}

/* The operator's own are kept whoever refers to them. */
static void test_own(void **state)
{
	static const char *const names[] = {"own", "pages", "patterns"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_true(offer(f, names[i]));
	}
	assert_false(offer(f, "other"));
	class_settings_forget(f->settings);
	assert_int_equal(store_count(f->store, KUBE_CONFIG_MAP), ARRAY_LEN(names));
}

static void test_by_need(void **state)
{
	struct fixture *f = *state;

	put_class(f, "a", "one");
	assert_true(offer(f, "one"));
	assert_true(offer(f, "own"));
	assert_false(offer(f, "two"));
	assert_false(offer(f, "three"));
	assert_false(class_settings_refresh(f->settings));
	/* One that does not exist is not asked for again and again. */
	put_class(f, "b", "nowhere");
	assert_false(class_settings_refresh(f->settings));
	/* One that was passed over is listed anew, once. */
	put_class(f, "b", "two");
	assert_true(class_settings_refresh(f->settings));
	assert_true(offer(f, "two"));
	assert_false(offer(f, "three"));
	assert_false(class_settings_refresh(f->settings));
	class_settings_forget(f->settings);
	assert_int_equal(store_count(f->store, KUBE_CONFIG_MAP), 3);
	/* Not wanted any more, and wanted again. */
	assert_true(store_remove(f->store, KUBE_INGRESS_CLASS, "", "b"));
	assert_false(class_settings_refresh(f->settings));
	class_settings_forget(f->settings);
	assert_int_equal(store_count(f->store, KUBE_CONFIG_MAP), 2);
	assert_null(store_find(f->store, KUBE_CONFIG_MAP, "own", "two"));
	put_class(f, "b", "two");
	assert_true(class_settings_refresh(f->settings));
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	log_set_level(LOG_ERROR);
	f->store = store_new();
	f->settings = class_settings_new(&options, f->store, "own");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	class_settings_free(f->settings);
	class_settings_free(NULL);
	store_free(f->store);
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_by_need, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

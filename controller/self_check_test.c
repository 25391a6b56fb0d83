/* self_check(): the same after every change was taken up, not the same after one was left out. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "self_check.h"
#include "store/store_testing.h"

static const struct model_options options = {.controller_name = "headgate.dev/ingress-controller"};

static void put_ingress(struct store *store, const char *name)
{
	testing_put(store, KUBE_INGRESS,
		"{'metadata':{'namespace':'a','name':'%s'},'spec':{'ingressClassName':'hg',"
		"'rules':[{'host':'%s.test','http':{'paths':[{'path':'/','pathType':'Prefix',"
		"'backend':{'service':{'name':'web','port':{'number':80}}}}]}}]}}",
		name, name);
}

static void test_change_left_out(void **unused)
{
	struct store *store = store_new();
	struct model *model = model_new(&options);

	(void)unused;
	testing_put(store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'hg'},"
		"'spec':{'controller':'headgate.dev/ingress-controller'}}");
	put_ingress(store, "shop");
	struct store_changes changes = store_take_changes(store);
	model_update(model, store, &changes);
	store_changes_fini(&changes);
	assert_true(self_check(model, &options, store));

	put_ingress(store, "news");
	assert_false(self_check(model, &options, store));
	model_free(model);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_change_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The ConfigMap of a class: what it says, and what is wrong with it, in which field. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "model/parameters.h"
#include "store/store_testing.h"

#define OURS "ours"

static const struct {
	const char *parameters;	  /* of the class; NULL = none */
	const char *data;	  /* of ConfigMap own/options; NULL = there is none */
	const char *ssl_redirect; /* NULL = not set */
	const char *faults;	  /* "field: text\n" each */
} cases[] = {
	{NULL, "'ssl-redirect':'false'", NULL, ""},
	/* Both scopes mean the controller's own namespace. */
	{"'kind':'ConfigMap','name':'options','scope':'Namespace','namespace':'own'",
		"'ssl-redirect':'false'", "false", ""},
	{"'kind':'ConfigMap','name':'options','scope':'Cluster'", "'ssl-redirect':'true'", "true",
		""},
	{"'kind':'ConfigMap','name':'options','apiGroup':''", "'ssl-redirect':'true'", "true", ""},
	{"'kind':'ConfigMap','name':'options','apiGroup':null", "", NULL, ""},
	/* Elsewhere, or something else. */
	{"'kind':'ConfigMap','name':'options','scope':'Namespace','namespace':'other'",
		"'ssl-redirect':'true'", NULL,
		"spec.parameters.namespace: is 'other', and ConfigMaps are read in the "
		"controller's own namespace only: move it to 'own'\n"},
	{"'kind':'ConfigMap','name':'options','scope':'Namespace'", "", NULL,
		"spec.parameters.namespace: is '', and ConfigMaps are read in the controller's own "
		"namespace only: move it to 'own'\n"},
	{"'kind':'Gateway','name':'options'", "", NULL,
		"spec.parameters.kind: is 'Gateway': only ConfigMaps are read, write "
		"'ConfigMap'\n"},
	{"'name':'options'", "", NULL,
		"spec.parameters.kind: is '': only ConfigMaps are read, write 'ConfigMap'\n"},
	{"'kind':'ConfigMap','name':'options','apiGroup':'example.com'", "", NULL,
		"spec.parameters.apiGroup: is 'example.com': only ConfigMaps are read, leave it "
		"out\n"},
	/* Not there. */
	{"'kind':'ConfigMap','name':'options'", NULL, NULL,
		"spec.parameters.name: there is no ConfigMap own/options: create it; until then "
		"the options of this class are the controller's\n"},
	{"'kind':'ConfigMap'", NULL, NULL,
		"spec.parameters.name: there is no ConfigMap own/: create it; until then the "
		"options of this class are the controller's\n"},
	/* Mistakes in it leave the rest alone. */
	{"'kind':'ConfigMap','name':'options'", "'ssl-redirect':'no'", NULL,
		"data[ssl-redirect]: is 'no', neither true nor false: write `true` or `false` (in "
		"ConfigMap own/options)\n"},
	{"'kind':'ConfigMap','name':'options'", "'ssl-redirect':'True'", "true", ""},
	{"'kind':'ConfigMap','name':'options'",
		"'SSL-redirect':'true','ssl-redirect':'false','timeout':'1s'", "false",
		"data[SSL-redirect]: is no option: remove it, or see docs/options.md for how it is "
		"written (in ConfigMap own/options)\n"
		"data[timeout]: is no option: remove it, or see docs/options.md for how it is "
		"written (in ConfigMap own/options)\n"},
};

static const struct model_options known = {.controller_name = OURS, .parameters_namespace = "own"};

static void on_fault(
	void *ctx, const struct ingress_class *class, const char *field, const char *text)
{
	assert_string_equal(object_name(&class->head), "c");
	buf_printf(ctx, "%s: %s\n", field, text);
}

static void put_class(
	struct store *store, const char *name, const char *controller, const char *parameters)
{
	struct buf text = BUF_INIT(0);

	if (parameters != NULL) {
		buf_printf(&text, ",'parameters':{%s}", parameters);
	}
	testing_put(store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'%s'},'spec':{'controller':'%s'%s}}", name, controller,
		buf_str(&text));
	buf_fini(&text);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store *store = store_new();
		struct buf faults = BUF_INIT(0);
		put_class(store, "c", OURS, cases[i].parameters);
		if (cases[i].data != NULL) {
			testing_put(store, KUBE_CONFIG_MAP,
				"{'metadata':{'namespace':'own','name':'options'},'data':{%s}}",
				cases[i].data);
		}
		struct option_set *set = parameters_read(
			&known, store, store_ingress_class(store, "c"), on_fault, &faults);
		const char *value = set ? set->values[OPTION_SSL_REDIRECT] : NULL;
		if ((value == NULL) != (cases[i].ssl_redirect == NULL) ||
			(value != NULL && strcmp(value, cases[i].ssl_redirect) != 0) ||
			strcmp(buf_str(&faults), cases[i].faults) != 0) {
			fail_msg(
				"case %zu: %s\n%s", i, value ? value : "not set", buf_str(&faults));
		}
		option_set_free(set);
		buf_fini(&faults);
		store_free(store);
	}
}

static void test_own_namespace_unknown(void **state)
{
	const struct model_options options = {.controller_name = OURS};
	struct store *store = store_new();
	struct buf faults = BUF_INIT(0);

	(void)state;
	put_class(store, "c", OURS, "'kind':'ConfigMap','name':'options'");
	assert_null(parameters_read(
		&options, store, store_ingress_class(store, "c"), on_fault, &faults));
	assert_string_equal(buf_str(&faults),
		"spec.parameters: can't be read, as the controller's own namespace is not known: "
		"set POD_NAMESPACE in its environment, or use --configmap\n");
	assert_false(parameters_refer_to(&options, store, "own", "options"));
	assert_null(parameters_read(&options, store, NULL, on_fault, &faults));
	buf_fini(&faults);
	store_free(store);
}

static void test_refer_to(void **state)
{
	struct store *store = store_new();

	(void)state;
	put_class(store, "c", OURS, "'kind':'ConfigMap','name':'options'");
	put_class(store, "d", "theirs", "'kind':'ConfigMap','name':'foreign'");
	put_class(store, "e", OURS,
		"'kind':'ConfigMap','name':'away','scope':'Namespace','namespace':'x'");
	put_class(store, "f", OURS, "'kind':'Gateway','name':'gateway'");
	put_class(store, "g", OURS, NULL);
	assert_true(parameters_refer_to(&known, store, "own", "options"));
	assert_false(parameters_refer_to(&known, store, "x", "options"));
	assert_false(parameters_refer_to(&known, store, "own", "foreign"));
	assert_false(parameters_refer_to(&known, store, "own", "away"));
	assert_false(parameters_refer_to(&known, store, "x", "away"));
	assert_false(parameters_refer_to(&known, store, "own", "gateway"));
	assert_false(parameters_refer_to(&known, store, "own", ""));
	/* One that --ingress-class doesn't choose is not served. */
	const struct model_options other = {
		.controller_name = OURS, .parameters_namespace = "own", .ingress_class = "g"};
	assert_false(parameters_refer_to(&other, store, "own", "options"));
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_own_namespace_unknown),
		cmocka_unit_test(test_refer_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

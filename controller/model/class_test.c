/* Which Ingress is ours: every combination of what it names, which IngressClass objects there are,
 * and --ingress-class. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "model/class.h"
#include "store/store_testing.h"

#define OURS   "headgate.dev/ingress-controller"
#define OTHERS "example.com/other"

struct class_row {
	const char *name; /* NULL = no more */
	const char *controller;
	const char *is_default; /* the annotation's value; NULL = none */
};

static const struct {
	const char *says; /* what the Ingress names; NULL = nothing */
	const char *flag; /* --ingress-class */
	struct class_row classes[3];
	bool is_ours;
} cases[] = {
	/* It names a class, and that class is there. */
	{"a", NULL, {{"a", OURS, NULL}}, true},
	{"a", NULL, {{"a", OTHERS, NULL}}, false},
	{"a", NULL, {{"b", OURS, NULL}}, false},
	{"a", "a", {{"a", OURS, NULL}}, true},
	{"a", "a", {{"a", OTHERS, NULL}}, false},
	{"a", "b", {{"a", OURS, NULL}}, false},
	{"a", "b", {{"a", OURS, NULL}, {"b", OURS, NULL}}, false},
	/* The controller's name is compared whole. */
	{"a", NULL, {{"a", OURS "x", NULL}}, false},
	{"a", NULL, {{"a", "headgate.dev", NULL}}, false},
	{"a", NULL, {{"a", "", NULL}}, false},
	/* It names a class that is not there. */
	{"a", NULL, {{0}}, false},
	{"a", "a", {{0}}, true},
	{"a", "b", {{0}}, false},
	{"", NULL, {{"a", OURS, "true"}}, false},
	{"A", "a", {{0}}, false},
	/* It names none. */
	{NULL, NULL, {{0}}, false},
	{NULL, "a", {{0}}, false},
	{NULL, NULL, {{"a", OURS, NULL}}, false},
	{NULL, NULL, {{"a", OURS, "true"}}, true},
	{NULL, NULL, {{"a", OURS, "false"}}, false},
	{NULL, NULL, {{"a", OURS, "True"}}, false},
	{NULL, NULL, {{"a", OURS, ""}}, false},
	{NULL, NULL, {{"a", OTHERS, "true"}}, false},
	{NULL, "a", {{"a", OURS, "true"}}, true},
	{NULL, "b", {{"a", OURS, "true"}}, false},
	{NULL, "a", {{"a", OTHERS, "true"}}, false},
	{NULL, NULL, {{"a", OTHERS, "true"}, {"b", OURS, "true"}}, true},
	{NULL, "b", {{"a", OURS, "true"}, {"b", OURS, "true"}}, true},
	{NULL, "b", {{"a", OURS, "true"}, {"b", OURS, NULL}}, false},
	/* A default class takes nothing from who names another one. */
	{"b", NULL, {{"a", OURS, "true"}, {"b", OTHERS, NULL}}, false},
	{"c", NULL, {{"a", OURS, "true"}}, false},
};

static void put_class(struct store *store, const struct class_row *row)
{
	char annotation[128] = "";

	if (row->is_default != NULL) {
		snprintf(annotation, sizeof(annotation),
			",'annotations':{'ingressclass.kubernetes.io/is-default-class':'%s'}",
			row->is_default);
	}
	testing_put(store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'%s'%s},'spec':{'controller':'%s'}}", row->name, annotation,
		row->controller);
}

static void put_ingress(struct store *store, const char *says)
{
	if (says == NULL) {
		testing_put(store, KUBE_INGRESS, "{'metadata':{'namespace':'n','name':'i'}}");
	} else {
		testing_put(store, KUBE_INGRESS,
			"{'metadata':{'namespace':'n','name':'i'},'spec':{'ingressClassName':'%s'}"
			"}",
			says);
	}
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct model_options options = {
			.ingress_class = cases[i].flag, .controller_name = OURS};
		struct store *store = store_new();
		for (const struct class_row *row = cases[i].classes;
			row < cases[i].classes + 3 && row->name != NULL; row++) {
			put_class(store, row);
		}
		put_ingress(store, cases[i].says);
		if (class_is_ours(&options, store, store_ingress(store, "n", "i")) !=
			cases[i].is_ours) {
			fail_msg("case %zu: is %s", i, cases[i].is_ours ? "not ours" : "ours");
		}
		store_free(store);
	}
}

/* Classes have no namespace: an object of another kind or place with the same name is none. */
static void test_only_classes(void **state)
{
	struct model_options options = {.controller_name = OURS};
	struct store *store = store_new();

	(void)state;
	testing_put_service(store, "n", "a", "");
	put_ingress(store, "a");
	assert_false(class_is_ours(&options, store, store_ingress(store, "n", "i")));
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_only_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

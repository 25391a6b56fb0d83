/*
 * Which Ingress is ours. First a table of single cases, written by hand; then every combination of
 * what the Ingress says, which IngressClass objects there are, and the options, each with the
 * verdict of an oracle that knows nothing of class.c.
 */
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

/* NULL = the field is absent. */
static void put_ingress(struct store *store, const char *says, const char *annotation)
{
	struct buf text = BUF_INIT(0);

	buf_append_str(&text, "{'metadata':{'namespace':'n','name':'i'");
	if (annotation != NULL) {
		buf_printf(
			&text, ",'annotations':{'kubernetes.io/ingress.class':'%s'}", annotation);
	}
	buf_append_str(&text, "}");
	if (says != NULL) {
		buf_printf(&text, ",'spec':{'ingressClassName':'%s'}", says);
	}
	buf_append_str(&text, "}");
	testing_put(store, KUBE_INGRESS, "%s", buf_str(&text));
	buf_fini(&text);
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
		put_ingress(store, cases[i].says, NULL);
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
	put_ingress(store, "a", NULL);
	assert_false(class_is_ours(&options, store, store_ingress(store, "n", "i")));
	store_free(store);
}

/* ---- every combination ---- */

/* A word of the table: what it is called in a failure, and the text in the objects. */
struct word {
	const char *label;
	const char *text; /* NULL = absent */
};

/* Names of classes. There may be IngressClass objects for the first three, never for the others. */
#define N_OBJECTS 3
static const struct word names[] = {
	{"ours", "a"},
	{"ours-second", "b"},
	{"foreign", "f"},
	{"unknown", "u"},
	{"empty", ""},
	{"absent", NULL},
};
#define ABSENT (ARRAY_LEN(names) - 1)

/* spec.controller of an IngressClass; absent = there is no such object. */
static const struct word controllers[] = {{"ours", OURS}, {"foreign", OTHERS}, {"absent", NULL}};
enum { CONTROLLER_OURS, CONTROLLER_FOREIGN, CONTROLLER_ABSENT };

/* Which of the names --ingress-class may have. */
static const size_t chosen_names[] = {0, 1, 3, ABSENT};

struct combination {
	size_t spec;		      /* spec.ingressClassName, in `names` */
	size_t annotation;	      /* kubernetes.io/ingress.class, in `names` */
	size_t controller[N_OBJECTS]; /* of each object, in `controllers` */
	unsigned defaults;	      /* bit i: object i is marked as the default */
	size_t chosen;		      /* --ingress-class, in `names` */
	bool has_legacy;	      /* --legacy-class-annotation */
};

static bool chooses_another(const struct combination *c, size_t name)
{
	return c->chosen != ABSENT && c->chosen != name;
}

/* The oracle, in the words of the documentation. */
static bool should_be_ours(const struct combination *c)
{
	size_t name = c->spec;

	if (name == ABSENT && c->has_legacy) {
		name = c->annotation;
	}
	if (name != ABSENT) {
		size_t controller = name < N_OBJECTS ? c->controller[name] : CONTROLLER_ABSENT;
		if (chooses_another(c, name) || controller == CONTROLLER_FOREIGN) {
			return false;
		}
		return controller == CONTROLLER_OURS || c->chosen == name;
	}
	for (size_t i = 0; i < N_OBJECTS; i++) {
		bool is_default = (c->defaults >> i & 1) != 0;
		if (is_default && c->controller[i] == CONTROLLER_OURS && !chooses_another(c, i)) {
			return true;
		}
	}
	return false;
}

static void describe(const struct combination *c, struct buf *text)
{
	buf_printf(text, "class %s, annotation %s, --ingress-class %s, %s", names[c->spec].label,
		names[c->annotation].label, names[c->chosen].label,
		c->has_legacy ? "--legacy-class-annotation" : "annotation not read");
	for (size_t i = 0; i < N_OBJECTS; i++) {
		buf_printf(text, "; controller of %s %s%s", names[i].label,
			controllers[c->controller[i]].label,
			c->defaults >> i & 1 ? " (default)" : "");
	}
}

/* All that differs only in the Ingress and the options has the same store. */
static void check_combination(struct store *store, const struct combination *c, size_t *n_ours)
{
	struct model_options options = {
		.ingress_class = names[c->chosen].text,
		.controller_name = OURS,
		.has_legacy_class = c->has_legacy,
	};
	bool is_ours = class_is_ours(&options, store, store_ingress(store, "n", "i"));

	if (is_ours != should_be_ours(c)) {
		struct buf text = BUF_INIT(0);
		describe(c, &text);
		fail_msg("%s: is %s", buf_str(&text), is_ours ? "ours" : "not ours");
	}
	*n_ours += is_ours;
}

static void put_objects(struct store *store, const struct combination *c)
{
	for (size_t i = 0; i < N_OBJECTS; i++) {
		if (c->controller[i] == CONTROLLER_ABSENT) {
			store_remove(store, KUBE_INGRESS_CLASS, "", names[i].text);
			continue;
		}
		put_class(store,
			&(struct class_row){names[i].text, controllers[c->controller[i]].text,
				c->defaults >> i & 1 ? "true" : NULL});
	}
}

static size_t check_ingresses(struct store *store, struct combination c, size_t *n_ours)
{
	size_t n = 0;

	for (c.spec = 0; c.spec < ARRAY_LEN(names); c.spec++) {
		for (c.annotation = 0; c.annotation < ARRAY_LEN(names); c.annotation++) {
			put_ingress(store, names[c.spec].text, names[c.annotation].text);
			for (size_t i = 0; i < 2 * ARRAY_LEN(chosen_names); i++, n++) {
				c.chosen = chosen_names[i / 2];
				c.has_legacy = i % 2 != 0;
				check_combination(store, &c, n_ours);
			}
		}
	}
	return n;
}

static void test_every_combination(void **state)
{
	struct store *store = store_new();
	size_t n = 0;
	size_t n_ours = 0;

	(void)state;
	for (size_t i = 0; i < 27; i++) {
		struct combination c = {.controller = {i / 9, i / 3 % 3, i % 3}};
		for (c.defaults = 0; c.defaults < 1u << N_OBJECTS; c.defaults++) {
			put_objects(store, &c);
			n += check_ingresses(store, c, &n_ours);
		}
	}
	store_free(store);
	/* 27 sets of controllers, 8 of defaults, 6 names, 6 annotations, 4 choices, 2 switches. */
	assert_int_equal(n, 27 * 8 * 6 * 6 * 4 * 2);
	assert_in_range(n_ours, n / 10, n / 2);
	print_message("%zu combinations, %zu of them ours\n", n, n_ours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_only_classes),
		cmocka_unit_test(test_every_combination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

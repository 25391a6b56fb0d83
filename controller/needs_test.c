/* Which Secrets are told to be needed, and which are forgotten: where they come by need, and where
 * all of them are there. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "kube/secret_testing.h"
#include "needs.h"

struct fixture {
	struct store *store;
	struct model *model;
	struct needs needs;
	struct buf told; /* "+ns/a -ns/a ", with "*" for one of any type */
	unsigned n_known;
	char *data;
};

static void on_need(void *ctx, const char *namespace, const char *name, enum model_need need)
{
	static const char *const signs[] = {"-", "+", "*"};
	struct fixture *f = ctx;

	buf_printf(&f->told, "%s%s/%s ", signs[need], namespace, name);
}

static void on_known(void *ctx)
{
	((struct fixture *)ctx)->n_known++;
}

static void follow(struct fixture *f)
{
	struct store_changes changes = store_take_changes(f->store);

	model_update(f->model, f->store, &changes);
	needs_follow(&f->needs, f->model, f->store, &changes);
	store_changes_fini(&changes);
}

static void expect_told(struct fixture *f, const char *text)
{
	follow(f);
	assert_string_equal(buf_str(&f->told), text);
	buf_clear(&f->told);
}

static void put_ingress(struct fixture *f, const char *name, const char *secret)
{
	testing_put(f->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'ns','name':'%s'},'spec':{'ingressClassName':'c','tls':[{"
		"'hosts':['%s.test'],'secretName':'%s'}]}}",
		name, name, secret);
}

static void put_secret(struct fixture *f, const char *name)
{
	testing_put_secret(f->store, "ns", name, f->data, TESTING_NOW);
}

static bool is_kept(const struct fixture *f, const char *name)
{
	return store_secret(f->store, "ns", name) != NULL;
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	EVP_PKEY *key = EVP_EC_gen("P-256");

	f->store = store_new();
	f->model = model_new(&(struct model_options){.controller_name = "ours"});
	f->needs = (struct needs){on_need, on_known, NULL, f};
	buf_init(&f->told, 0);
	f->data = testing_secret_data(&(struct testing_cert){.common_name = "a.test", .key = key});
	EVP_PKEY_free(key);
	testing_put(f->store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'c'},'spec':{'controller':'ours'}}");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	model_free(f->model);
	store_free(f->store);
	buf_fini(&f->told);
	free(f->data);
	free(f);
	return 0;
}

static void test_known_is_told_once(void **state)
{
	struct fixture *f = *state;

	needs_are_known(&f->needs);
	assert_int_equal(f->n_known, 1);
	assert_null(f->needs.on_known);
}

/* A Secret is needed from its first reference to its last. */
static void test_told(void **state)
{
	struct fixture *f = *state;

	expect_told(f, "");
	put_ingress(f, "i1", "a");
	expect_told(f, "+ns/a ");
	put_ingress(f, "i2", "a");
	put_ingress(f, "i3", "b");
	expect_told(f, "+ns/b ");
	store_remove(f->store, KUBE_INGRESS, "ns", "i1");
	expect_told(f, "");
	put_ingress(f, "i2", "b");
	expect_told(f, "-ns/a ");
	store_remove(f->store, KUBE_INGRESS_CLASS, "", "c");
	expect_told(f, "-ns/b ");
}

/* By need: what is not referred to, or no more, does not stay. */
static void test_by_need(void **state)
{
	struct fixture *f = *state;

	put_ingress(f, "i", "a");
	put_secret(f, "a");
	put_secret(f, "b");
	follow(f);
	assert_true(is_kept(f, "a"));
	assert_false(is_kept(f, "b"));
	put_secret(f, "b");
	follow(f);
	assert_false(is_kept(f, "b"));
	put_ingress(f, "i", "b");
	follow(f);
	assert_false(is_kept(f, "a"));
}

/* Removed while it is referred to: its content stays until nobody does. */
static void test_removed_while_needed(void **state)
{
	struct fixture *f = *state;

	for (int all = 0; all < 2; all++) {
		f->needs.on_need = all ? NULL : on_need;
		put_ingress(f, "i", "a");
		put_secret(f, "a");
		follow(f);
		store_remove(f->store, KUBE_SECRET, "ns", "a");
		follow(f);
		assert_true(is_kept(f, "a"));
		assert_int_equal(store_secret(f->store, "ns", "a")->state, SECRET_ABSENT);
		store_remove(f->store, KUBE_INGRESS, "ns", "i");
		follow(f);
		assert_false(is_kept(f, "a"));
	}
}

/* Where all of them are there (manifests), one that is not referred to stays: nothing would bring
 * it again. One that is gone there does not. */
static void test_all_are_there(void **state)
{
	struct fixture *f = *state;

	f->needs.on_need = NULL;
	put_secret(f, "a");
	put_secret(f, "b");
	put_ingress(f, "i", "a");
	follow(f);
	store_remove(f->store, KUBE_INGRESS, "ns", "i");
	follow(f);
	assert_true(is_kept(f, "a"));
	assert_true(is_kept(f, "b"));
	store_remove(f->store, KUBE_SECRET, "ns", "b");
	follow(f);
	assert_false(is_kept(f, "b"));
}

/* The Secret of --default-certificate is needed whatever Ingresses say. */
static void test_default(void **state)
{
	struct fixture *f = *state;

	model_free(f->model);
	f->model = model_new(&(struct model_options){.controller_name = "ours",
		.certificate_namespace = "ns",
		.certificate_secret = "d"});
	put_secret(f, "d");
	put_ingress(f, "i", "d");
	expect_told(f, "+ns/d ");
	store_remove(f->store, KUBE_INGRESS, "ns", "i");
	expect_told(f, "");
	assert_true(is_kept(f, "d"));
}

static void say(struct fixture *f, const char *data)
{
	testing_put(f->store, KUBE_CONFIG_MAP,
		"{'metadata':{'namespace':'ns','name':'own'},'data':{%s}}", data);
}

/* What is in a namespace that nobody watches is not asked for, but for the default certificate. */
static void test_unwatched(void **state)
{
	static const char *const watched[] = {"ns"};
	struct fixture *f = *state;

	model_free(f->model);
	f->model = model_new(&(struct model_options){.controller_name = "ours",
		.config_map_namespace = "ns",
		.config_map_name = "own",
		.watched_namespaces = watched,
		.n_watched_namespaces = 1});
	say(f, "'client-ca':'ns/ca'");
	expect_told(f, "*ns/ca ");
	say(f, "'client-ca':'infra/ca'");
	expect_told(f, "-ns/ca ");
	say(f, "'client-ca':'infra/ca','ssl-certificate':'infra/ca'");
	expect_told(f, "+infra/ca ");
	say(f, "'client-ca':'infra/ca'");
	expect_told(f, "-infra/ca ");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_known_is_told_once),
		CASE(test_told),
		CASE(test_by_need),
		CASE(test_removed_while_needed),
		CASE(test_all_are_there),
		CASE(test_default),
		CASE(test_unwatched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

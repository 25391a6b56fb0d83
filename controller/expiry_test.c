/* Certificates that expire, or become valid, while nobody touches them, and the gauges about them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/metrics.h"
#include "expiry.h"
#include "random_testing.h"

/* Of the contents in random_testing.h, number 0 expires after 1000 seconds, 1 after 2000. */
static void put(struct store *store, const char *name, unsigned content)
{
	testing_put(store, KUBE_SECRET,
		"{'metadata':{'namespace':'a','name':'%s'},'type':'" SECRET_TYPE_TLS
		"','data':{%s}}",
		name, secret_content(content));
}

static void test_expires(void **unused)
{
	struct store *store = store_new();

	(void)unused;
	put(store, "first", 0);
	put(store, "second", 1);
	put(store, "broken", 5);
	struct store_changes changes = store_take_changes(store);
	store_changes_fini(&changes);

	assert_int_equal(expiry_look(store, TESTING_NOW), 0);
	assert_int_equal(expiry_look(store, TESTING_NOW + 1500), 1);
	const struct secret *secret = store_secret(store, "a", "first");
	assert_int_equal(secret->state, SECRET_EXPIRED);
	assert_true(obj_has(secret->pem));
	assert_non_null(strstr(obj_str(secret, secret->fault), "expired"));
	assert_int_equal(store_secret(store, "a", "second")->state, SECRET_GOOD);
	changes = store_take_changes(store);
	assert_int_equal(changes.n, 1);
	assert_string_equal(changes.items[0].name, "first");
	store_changes_fini(&changes);

	assert_int_equal(expiry_look(store, TESTING_NOW + 1500), 0);
	store_free(store);
}

/* Seconds from TESTING_NOW on. */
static char *make_content(int from_seconds, int to_seconds)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char *data = testing_secret_data(&(struct testing_cert){.common_name = "x",
		.key = key,
		.from_seconds = from_seconds,
		.to_seconds = to_seconds});

	EVP_PKEY_free(key);
	return data;
}

static char *make_renewed(void)
{
	return make_content(900, 5000);
}

/* Renewed before its time: the old certificate is used until the new one is valid, also when the
 * renewed Secret comes again meanwhile. */
static void test_becomes_valid(void **unused)
{
	struct store *store = store_new();
	CLEANUP(free_ptr) char *renewed = make_renewed();

	(void)unused;
	put(store, "s", 0);
	CLEANUP(free_ptr)
	char *digest = xstrdup(
		obj_str(store_secret(store, "a", "s"), store_secret(store, "a", "s")->digest));
	testing_put_secret(store, "a", "s", renewed, TESTING_NOW);
	testing_put_secret(store, "a", "new", renewed, TESTING_NOW);
	assert_false(testing_put_secret(store, "a", "s", renewed, TESTING_NOW + 500));
	assert_int_equal(expiry_look(store, TESTING_NOW + 599), 0);
	const struct secret *secret = store_secret(store, "a", "s");
	assert_int_equal(secret->state, SECRET_EARLY);
	assert_string_equal(obj_str(secret, secret->digest), digest);

	assert_int_equal(expiry_look(store, TESTING_NOW + 600), 2);
	secret = store_secret(store, "a", "s");
	assert_int_equal(secret->state, SECRET_GOOD);
	assert_false(obj_has(secret->fault));
	assert_false(obj_has(secret->next.pem));
	assert_int_equal(secret->not_after, TESTING_NOW + 5000);
	assert_string_not_equal(obj_str(secret, secret->digest), digest);
	/* As if it had been read now for the first time. */
	struct object *same = testing_secret("a", "s", renewed);
	assert_true(object_equals(same, &secret->head));
	object_free(same);
	assert_int_equal(store_secret(store, "a", "new")->state, SECRET_GOOD);
	assert_int_equal(expiry_look(store, TESTING_NOW + 600), 0);
	store_free(store);
}

/* What had waited is no longer the newest version, or nobody looked before it had expired. */
static void test_does_not_become_valid(void **unused)
{
	struct store *store = store_new();
	CLEANUP(free_ptr) char *renewed = make_renewed();

	(void)unused;
	for (int i = 0; i < 3; i++) {
		put(store, "s", 0);
		testing_put_secret(store, "a", "s", renewed, TESTING_NOW);
		if (i == 0) {
			put(store, "s", 5);
		} else if (i == 1) {
			store_remove(store, KUBE_SECRET, "a", "s");
		}
		assert_int_equal(expiry_look(store, TESTING_NOW + 6000), 1);
		const struct secret *secret = store_secret(store, "a", "s");
		assert_true(secret->has_expired);
		assert_false(obj_has(secret->next.pem));
		assert_int_equal(secret->not_after, TESTING_NOW + (i == 2 ? 5000 : 1000));
		assert_int_equal(secret->state, ((const enum secret_state[]){SECRET_INVALID,
							SECRET_ABSENT, SECRET_EXPIRED})[i]);
	}
	store_free(store);
}

/* What is in use while the newest version can't be has an end, too. */
static void test_last_good_expires(void **unused)
{
	CLEANUP(free_ptr) char *expired = make_content(-1000, -100);
	CLEANUP(free_ptr) char *early = make_content(3000, 5000);
	const struct {
		enum secret_state state;
		const char *newest; /* NULL = it is gone */
	} rows[] = {
		{SECRET_INVALID, secret_content(5)},
		{SECRET_ABSENT, NULL},
		{SECRET_EXPIRED, expired},
		{SECRET_EARLY, early},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store *store = store_new();

		put(store, "s", 0);
		if (rows[i].newest != NULL) {
			testing_put_secret(store, "a", "s", rows[i].newest, TESTING_NOW);
		} else {
			store_remove(store, KUBE_SECRET, "a", "s");
		}
		const struct secret *secret = store_secret(store, "a", "s");
		CLEANUP(free_ptr) char *fault = xstrdup(obj_str(secret, secret->fault));
		CLEANUP(free_ptr) char *digest = xstrdup(obj_str(secret, secret->digest));
		assert_int_equal(expiry_look(store, TESTING_NOW + 999), 0);
		assert_false(secret->is_untimely);

		assert_int_equal(expiry_look(store, TESTING_NOW + 1000), 1);
		secret = store_secret(store, "a", "s");
		assert_true(secret->is_untimely && secret->has_expired);
		assert_int_equal(secret->state, rows[i].state);
		assert_string_equal(obj_str(secret, secret->fault), fault);
		assert_string_equal(obj_str(secret, secret->digest), digest);
		assert_int_equal(expiry_look(store, TESTING_NOW + 1000), 0);
		store_free(store);
	}
}

static void test_gauges(void **unused)
{
	struct store *store = store_new();

	(void)unused;
	put(store, "first", 0);
	put(store, "second", 1);
	put(store, "broken", 5);
	expiry_refresh_metrics(store, TESTING_NOW + 1500);
	assert_true(metrics_get(METRIC_CERTIFICATES, "expired") == 1);
	assert_true(metrics_get(METRIC_CERTIFICATES, "7d") == 1);
	assert_true(metrics_get(METRIC_CERTIFICATES, "30d") == 0);
	assert_true(metrics_get(METRIC_CERTIFICATES, "later") == 0);
	assert_true(metrics_get(METRIC_NEXT_EXPIRY, NULL) == TESTING_NOW + 1000);
	metrics_reset();
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expires),
		cmocka_unit_test(test_becomes_valid),
		cmocka_unit_test(test_does_not_become_valid),
		cmocka_unit_test(test_last_good_expires),
		cmocka_unit_test(test_gauges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

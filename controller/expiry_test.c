/* Certificates that expire while nobody touches them, and the gauges about them. */
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
		cmocka_unit_test(test_gauges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

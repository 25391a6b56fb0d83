/*
 * Files that come, change and go in any order: the store must always say what a plain search over
 * the files says - the first file that has an object, in the order of names.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "kube/decode.h"
#include "manifest/claim.h"

#define N_OWNERS 4
#define N_NAMES	 5
#define N_ROUNDS 3000

/* What each file says: the port of each Service, 0 = not there. */
struct said {
	int ports[N_OWNERS][N_NAMES];
};

static const char *const owner_names[N_OWNERS] = {"a.yaml", "b.yaml", "c.yaml", "d.yaml"};

static struct object *new_service(int name, int port)
{
	char *text =
		xasprintf("{\"metadata\":{\"name\":\"s%d\"},\"spec\":{\"ports\":[{\"port\":%d}]}}",
			name, port);
	struct json_object *json = json_tokener_parse(text);
	struct err err = {0};
	struct object *object = object_decode(KUBE_SERVICE, json, "default", &err);

	assert_non_null(object);
	json_object_put(json);
	free(text);
	return object;
}

static void check_store(const struct store *store, const struct said *said)
{
	size_t n = 0;

	for (int name = 0; name < N_NAMES; name++) {
		char *text = xasprintf("s%d", name);
		const struct service *service = store_service(store, "default", text);
		int expected = 0;
		free(text);
		for (int owner = N_OWNERS - 1; owner >= 0; owner--) {
			int port = said->ports[owner][name];
			expected = port != 0 ? port : expected;
		}
		if (expected == 0) {
			assert_null(service);
			continue;
		}
		assert_non_null(service);
		const struct service_port *ports = obj_items(service, service->ports);
		assert_int_equal(ports[0].port, expected);
		n++;
	}
	assert_int_equal(store_count(store, KUBE_SERVICE), n);
}

/* Of `is_taken`, those that are not refused: how many of an owner's objects somebody else has as
 * well. */
static size_t count_shared(const struct said *said, int owner, const bool *is_taken)
{
	size_t n = 0;

	for (int name = 0; name < N_NAMES; name++) {
		bool is_shared = false;
		for (int other = 0; other < N_OWNERS; other++) {
			is_shared |= other != owner && said->ports[other][name] != 0;
		}
		n += is_shared && is_taken[name];
	}
	return n;
}

static void test_any_order(void **state)
{
	struct store *store = store_new();
	struct claims *claims = claims_new(store);
	struct claim_owner owners[N_OWNERS] = {0};
	struct said said = {0};
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < N_OWNERS; i++) {
		owners[i].name = owner_names[i];
	}
	for (int round = 0; round < N_ROUNDS; round++) {
		int owner = rand_r(&seed) % N_OWNERS;
		struct manifest_file file = {.objects = xcalloc(N_NAMES, sizeof(struct object *)),
			.refusals = xcalloc(N_NAMES, sizeof(struct manifest_refusal))};
		struct claim_conflicts conflicts;
		bool is_taken[N_NAMES] = {false};
		for (int name = 0; name < N_NAMES; name++) {
			int port = rand_r(&seed) % 5;
			if (port == 4) {
				/* Refused: what was said before stays. */
				file.refusals[file.n_refusals++].key = new_service(name, 1);
				continue;
			}
			said.ports[owner][name] = port;
			if (port != 0) {
				is_taken[name] = true;
				file.objects[file.n_objects++] = new_service(name, port);
			}
		}
		claims_replace(claims, &owners[owner], &file, &conflicts);
		manifest_file_fini(&file);
		check_store(store, &said);
		assert_int_equal(conflicts.n, count_shared(&said, owner, is_taken));
	}
	for (int i = 0; i < N_OWNERS; i++) {
		claims_release(claims, &owners[i]);
	}
	check_store(store, &said);
	claims_free(claims);
	store_free(store);
}

static void test_conflict(void **state)
{
	struct store *store = store_new();
	struct claims *claims = claims_new(store);
	struct claim_owner first = {.name = "a.yaml"};
	struct claim_owner second = {.name = "b.yaml"};
	struct manifest_file file = {
		.objects = xcalloc(1, sizeof(struct object *)), .n_objects = 1};
	struct claim_conflicts conflicts;

	(void)state;
	file.objects[0] = new_service(1, 2);
	claims_replace(claims, &second, &file, &conflicts);
	assert_int_equal(conflicts.n, 0);
	assert_null(file.objects[0]);
	file.objects[0] = new_service(1, 1);
	claims_replace(claims, &first, &file, &conflicts);
	assert_int_equal(conflicts.n, 1);
	assert_int_equal(conflicts.kind, KUBE_SERVICE);
	assert_string_equal(conflicts.namespace, "default");
	assert_string_equal(conflicts.name, "s1");
	assert_string_equal(conflicts.used, "a.yaml");
	assert_string_equal(conflicts.ignored, "b.yaml");
	manifest_file_fini(&file);
	claims_release(claims, &first);
	claims_release(claims, &second);
	claims_free(claims);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_conflict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The election, played with records and times: who may take a Lease when, how long a holder counts
 * as one, and several replicas against one server that checks versions. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "status/lease.h"

#define WALL_US 1714557600000000 /* 2024-05-01T10:00:00Z */

static char *record(const char *version, const char *holder, unsigned seconds, const char *renewed)
{
	return xasprintf("{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"%s\"},\"spec\":"
			 "{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":%u,\"renewTime\":"
			 "\"%s\",\"leaseTransitions\":3}}",
		version, holder, seconds, renewed);
}

static uint32_t answer(struct lease *lease, long status, const char *body, uint64_t now_ms)
{
	return lease_answer(lease, status, body, now_ms);
}

static uint32_t answer_record(struct lease *lease, const char *version, const char *holder,
	const char *renewed, uint64_t now_ms)
{
	CLEANUP(free_ptr) char *body = record(version, holder, 15, renewed);

	return lease_answer(lease, 200, body, now_ms);
}

static void check_body(const struct lease *lease, const char *expected)
{
	struct buf buf = BUF_INIT(0);

	lease_write(lease, WALL_US, &buf);
	assert_string_equal(buf_str(&buf), expected);
	buf_fini(&buf);
}

static void test_creates_one_that_is_missing(void **state)
{
	struct lease lease;

	(void)state;
	lease_init(&lease, "l", "me", 15, 1);
	assert_int_equal(lease_next(&lease, 0), LEASE_GET);
	assert_int_equal(answer(&lease, 404, "{}", 5), 0);
	assert_int_equal(lease_next(&lease, 5), LEASE_CREATE);
	check_body(&lease,
		"{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":"
		"{\"name\":\"l\"},\"spec\":{\"holderIdentity\":\"me\",\"leaseDurationSeconds\":15,"
		"\"renewTime\":\"2024-05-01T10:00:00.000000Z\",\"acquireTime\":"
		"\"2024-05-01T10:00:00.000000Z\",\"leaseTransitions\":0}}");
	assert_false(lease_is_held(&lease, 5));
	CLEANUP(free_ptr) char *body = record("7", "me", 15, "a");
	assert_int_equal(answer(&lease, 201, body, 100), 2000);
	/* From the start of the request on, and not a moment longer than ten seconds. */
	assert_true(lease_is_held(&lease, 5 + 9999));
	assert_false(lease_is_held(&lease, 5 + 10000));
	assert_int_equal(lease_next(&lease, 2100), LEASE_TAKE);
	check_body(&lease, "{\"metadata\":{\"resourceVersion\":\"7\"},\"spec\":{"
			   "\"holderIdentity\":\"me\",\"leaseDurationSeconds\":15,\"renewTime\":"
			   "\"2024-05-01T10:00:00.000000Z\"}}");
	lease_fini(&lease);
}

static void test_waits_for_the_end_of_anothers(void **state)
{
	struct lease lease;
	uint64_t now_ms = 1000;

	(void)state;
	lease_init(&lease, "l", "me", 15, 1);
	for (int i = 0; i < 5; i++) {
		/* It is renewed: whatever its times say, and how late we come. */
		char renewed[8];
		snprintf(renewed, sizeof(renewed), "t%d", i);
		assert_int_equal(lease_next(&lease, now_ms), LEASE_GET);
		uint32_t wait_ms = answer_record(&lease, "1", "other", renewed, now_ms);
		assert_in_range(wait_ms, 2000, 4000);
		now_ms += 14999;
	}
	now_ms -= 14999;
	assert_int_equal(lease_next(&lease, now_ms + 14999), LEASE_GET);
	assert_in_range(answer_record(&lease, "1", "other", "t4", now_ms + 14999), 2000, 4000);
	assert_int_equal(lease_next(&lease, now_ms + 15000), LEASE_GET);
	assert_int_equal(answer_record(&lease, "9", "other", "t4", now_ms + 15000), 0);
	assert_int_equal(lease_next(&lease, now_ms + 15000), LEASE_TAKE);
	check_body(&lease, "{\"metadata\":{\"resourceVersion\":\"9\"},\"spec\":{"
			   "\"holderIdentity\":\"me\",\"leaseDurationSeconds\":15,\"renewTime\":"
			   "\"2024-05-01T10:00:00.000000Z\",\"acquireTime\":"
			   "\"2024-05-01T10:00:00.000000Z\",\"leaseTransitions\":4}}");
	/* Somebody else was faster. */
	assert_in_range(answer(&lease, 409, "{}", now_ms + 15001), 2000, 4000);
	assert_int_equal(lease_next(&lease, now_ms + 17000), LEASE_GET);
	assert_false(lease_is_held(&lease, now_ms + 17000));
	lease_fini(&lease);
}

static void test_takes_one_that_was_given_back(void **state)
{
	struct lease lease;
	struct buf buf = BUF_INIT(0);

	(void)state;
	lease_init(&lease, "l", "me", 15, 1);
	(void)lease_next(&lease, 0);
	assert_int_equal(answer_record(&lease, "1", "", "t", 0), 0);
	assert_int_equal(lease_next(&lease, 0), LEASE_TAKE);
	assert_int_equal(answer_record(&lease, "2", "me", "t", 0), 2000);
	assert_true(lease_is_held(&lease, 0));
	lease_write_release(&lease, WALL_US, &buf);
	assert_string_equal(buf_str(&buf),
		"{\"metadata\":{\"resourceVersion\":\"2\"},\"spec\":{\"holderIdentity\":\"\","
		"\"leaseDurationSeconds\":1,\"renewTime\":\"2024-05-01T10:00:00.000000Z\","
		"\"acquireTime\":\"2024-05-01T10:00:00.000000Z\"}}");
	buf_fini(&buf);
	lease_fini(&lease);
}

static void make_holder(struct lease *lease)
{
	lease_init(lease, "l", "me", 15, 1);
	(void)lease_next(lease, 0);
	(void)answer_record(lease, "1", "", "t", 0);
	(void)lease_next(lease, 0);
	(void)answer_record(lease, "2", "me", "t", 0);
	assert_true(lease_is_held(lease, 0));
}

static void test_holder_loses(void **state)
{
	static const long statuses[] = {0, 500, 503, 429, 403};
	struct lease lease;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		make_holder(&lease);
		for (uint64_t now_ms = 2000; now_ms < 10000; now_ms += 2000) {
			assert_int_equal(lease_next(&lease, now_ms), LEASE_TAKE);
			assert_int_equal(answer(&lease, statuses[i], "", now_ms), 2000);
			assert_true(lease_is_held(&lease, now_ms));
		}
		assert_false(lease_is_held(&lease, 10000));
		assert_int_equal(lease_next(&lease, 10000), LEASE_GET);
		/* Nobody else took it: it is still ours to take. */
		assert_int_equal(answer_record(&lease, "2", "me", "t", 10001), 0);
		assert_false(lease_is_held(&lease, 10001));
		assert_int_equal(lease_next(&lease, 10001), LEASE_TAKE);
		assert_int_equal(answer_record(&lease, "3", "me", "u", 10002), 2000);
		assert_true(lease_is_held(&lease, 10002));
		lease_fini(&lease);
	}
}

static void test_holder_in_conflict(void **state)
{
	struct lease lease;

	(void)state;
	/* Another one has taken it: known at once. */
	make_holder(&lease);
	(void)lease_next(&lease, 2000);
	assert_int_equal(answer(&lease, 409, "{}", 2000), 0);
	assert_int_equal(lease_next(&lease, 2000), LEASE_GET);
	assert_in_range(answer_record(&lease, "5", "other", "x", 2001), 2000, 4000);
	assert_false(lease_is_held(&lease, 2001));
	lease_fini(&lease);
	/* Somebody wrote a label: it stays ours; and a server that says 409 for ever isn't
	 * pestered. */
	make_holder(&lease);
	(void)lease_next(&lease, 2000);
	assert_int_equal(answer(&lease, 409, "{}", 2000), 0);
	(void)lease_next(&lease, 2000);
	assert_int_equal(answer_record(&lease, "5", "me", "t", 2001), 2000);
	assert_true(lease_is_held(&lease, 2001));
	assert_int_equal(lease_next(&lease, 4001), LEASE_TAKE);
	assert_int_equal(answer(&lease, 409, "{}", 4001), 2000);
	assert_int_equal(lease_next(&lease, 6001), LEASE_GET);
	assert_int_equal(answer_record(&lease, "6", "me", "t", 6001), 2000);
	assert_int_equal(lease_next(&lease, 8001), LEASE_TAKE);
	assert_true(lease_is_held(&lease, 8001)); /* two labels don't cost the Lease */
	lease_fini(&lease);
	/* It was deleted. */
	make_holder(&lease);
	(void)lease_next(&lease, 2000);
	assert_int_equal(answer(&lease, 404, "{}", 2000), 0);
	(void)lease_next(&lease, 2000);
	assert_int_equal(answer(&lease, 404, "{}", 2000), 0);
	assert_false(lease_is_held(&lease, 2000));
	assert_int_equal(lease_next(&lease, 2000), LEASE_CREATE);
	lease_fini(&lease);
}

static void test_what_is_no_lease(void **state)
{
	static const char *const texts[] = {"", "{}", "[]", "null", "{\"kind\":\"Lease\"}",
		"{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"\"}}",
		"{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":5}}",
		"{\"kind\":\"Status\",\"metadata\":{\"resourceVersion\":\"1\"}}",
		("{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":"
		 "{\"holderIdentity\":[]}}"),
		"{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\\u0000\"},\"spec\":{}}"};
	struct lease lease;
	struct lease_record taken;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_false(lease_record_parse(&taken, texts[i]));
		lease_init(&lease, "l", "me", 15, 1);
		(void)lease_next(&lease, 0);
		assert_in_range(answer(&lease, 200, texts[i], 0), 2000, 4000);
		assert_int_equal(lease_next(&lease, 0), LEASE_GET);
		lease_fini(&lease);
	}
	/* Empty, as kubectl makes it: free. */
	assert_true(lease_record_parse(
		&taken, "{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\"}}"));
	assert_string_equal(taken.holder, "");
	assert_int_equal(taken.duration_ms, 0);
	lease_record_fini(&taken);
}

/* ---- several replicas and one server, with dice ---- */

#define N_REPLICAS 4

struct server {
	bool exists;
	unsigned version;
	char holder[16];
	unsigned renewals;
	unsigned duration;
};

static char *server_text(const struct server *server)
{
	char version[16];
	char renewed[16];

	snprintf(version, sizeof(version), "%u", server->version);
	snprintf(renewed, sizeof(renewed), "%u", server->renewals);
	return record(version, server->holder, server->duration, renewed);
}

/* Carries out a write; its status. */
static long server_write(struct server *server, const struct lease *lease)
{
	bool is_create = lease->ask == LEASE_CREATE;

	if (is_create ? server->exists : !server->exists) {
		return is_create ? 409 : 404;
	}
	if (!is_create && strtoul(lease->record.version, NULL, 10) != server->version) {
		return 409;
	}
	server->exists = true;
	server->version++;
	server->renewals++;
	server->duration = lease->duration_ms / 1000;
	snprintf(server->holder, sizeof(server->holder), "%s", lease->identity);
	return is_create ? 201 : 200;
}

static unsigned roll(uint64_t *dice, unsigned n)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return (unsigned)(*dice >> 33) % n;
}

/* One question of one replica, with answers that may be lost on either way. */
static uint32_t turn(struct server *server, struct lease *lease, uint64_t now_ms, uint64_t *dice)
{
	enum lease_ask ask = lease_next(lease, now_ms);
	bool is_lost = roll(dice, 8) == 0;
	bool arrives = !is_lost || roll(dice, 2) == 0;
	long status = 200;

	if (ask == LEASE_GET) {
		status = server->exists ? 200 : 404;
	} else if (arrives) {
		status = server_write(server, lease);
	}
	CLEANUP(free_ptr) char *body = server_text(server);
	uint64_t took_ms = roll(dice, 3000);
	return (uint32_t)took_ms +
	       lease_answer(lease, is_lost ? 0 : status, body, now_ms + took_ms);
}

static void test_never_two(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct server server = {0};
		struct lease leases[N_REPLICAS];
		uint64_t due[N_REPLICAS] = {0};
		uint64_t dice = seed * 0x9e3779b97f4a7c15u;
		unsigned n_held = 0;
		for (unsigned i = 0; i < N_REPLICAS; i++) {
			char name[8];
			snprintf(name, sizeof(name), "r%u", i);
			lease_init(&leases[i], "l", name, 15, seed + i);
		}
		for (uint64_t now_ms = 0; now_ms < 300000; now_ms += 100) {
			unsigned n_holders = 0;
			for (unsigned i = 0; i < N_REPLICAS; i++) {
				if (due[i] <= now_ms) {
					/* Now and then one stands still for a while. */
					due[i] = now_ms + (roll(&dice, 20) == 0 ? 30000 : 0) +
						 turn(&server, &leases[i], now_ms, &dice);
				}
			}
			for (unsigned i = 0; i < N_REPLICAS; i++) {
				n_holders += lease_is_held(&leases[i], now_ms);
			}
			assert_true(n_holders <= 1);
			n_held += n_holders;
		}
		assert_true(n_held > 0);
		for (unsigned i = 0; i < N_REPLICAS; i++) {
			lease_fini(&leases[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_creates_one_that_is_missing),
		cmocka_unit_test(test_waits_for_the_end_of_anothers),
		cmocka_unit_test(test_takes_one_that_was_given_back),
		cmocka_unit_test(test_holder_loses),
		cmocka_unit_test(test_holder_in_conflict),
		cmocka_unit_test(test_what_is_no_lease),
		cmocka_unit_test(test_never_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Bucket and queue with a clock made of numbers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "status/queue.h"

static void test_bucket(void **state)
{
	struct bucket bucket;
	uint64_t wait_ms = 0;

	(void)state;
	bucket_init(&bucket, 2, 3, 1000);
	for (int i = 0; i < 3; i++) {
		assert_true(bucket_take(&bucket, 1000, &wait_ms));
	}
	assert_false(bucket_take(&bucket, 1000, &wait_ms));
	assert_int_equal(wait_ms, 500);
	assert_false(bucket_take(&bucket, 1400, &wait_ms));
	assert_int_equal(wait_ms, 100);
	assert_true(bucket_take(&bucket, 1500, &wait_ms));
	bucket_return(&bucket);
	assert_true(bucket_take(&bucket, 1500, &wait_ms));
	/* However long it waits, it holds no more than its burst; and time never goes back. */
	for (int i = 0; i < 3; i++) {
		assert_true(bucket_take(&bucket, UINT64_MAX / 2, &wait_ms));
	}
	assert_false(bucket_take(&bucket, UINT64_MAX / 2, &wait_ms));
	assert_false(bucket_take(&bucket, 0, &wait_ms));
}

struct bench {
	struct queue queue;
	uint64_t wait_ms;
};

static int set_up(void **state)
{
	static const struct queue_limits limits = {
		.max_items = 5, .max_running = 2, .per_second = 10, .burst = 100};
	static struct bench bench;

	queue_init(&bench.queue, &limits, 1, 0);
	*state = &bench;
	return 0;
}

static int tear_down(void **state)
{
	queue_fini(&((struct bench *)*state)->queue);
	return 0;
}

static struct queue_item *take(struct bench *bench, uint64_t now_ms, const char *name)
{
	struct queue_item *item = queue_take(&bench->queue, now_ms, &bench->wait_ms);

	assert_int_equal(item == NULL, name == NULL);
	if (item != NULL) {
		assert_string_equal(item->name, name);
	}
	return item;
}

static void test_once_each(void **state)
{
	struct bench *bench = *state;
	struct queue *queue = &bench->queue;

	take(bench, 0, NULL);
	assert_int_equal(bench->wait_ms, QUEUE_NEVER);
	for (int i = 0; i < 10; i++) {
		assert_true(queue_add(queue, "n", "a", 0));
	}
	assert_true(queue_add(queue, "n", "b", 0));
	assert_true(queue_add(queue, "n", "c", 0));
	assert_int_equal(queue_count(queue), 3);
	struct queue_item *a = take(bench, 0, "a");
	struct queue_item *b = take(bench, 0, "b");
	take(bench, 0, NULL); /* two at once */
	assert_int_equal(bench->wait_ms, QUEUE_NEVER);
	assert_true(queue_is_running(queue, "n", "a"));
	assert_false(queue_is_running(queue, "n", "c"));
	assert_true(queue_add(queue, "n", "a", 0)); /* again, while it is running */
	queue_end(queue, a, QUEUE_OK, 0, 10);
	queue_end(queue, b, QUEUE_OK, 0, 10);
	queue_end(queue, take(bench, 10, "c"), QUEUE_SKIPPED, 0, 10);
	queue_end(queue, take(bench, 10, "a"), QUEUE_REFUSED, 0, 10);
	take(bench, 10, NULL);
	assert_int_equal(queue_count(queue), 0);
}

static void test_full(void **state)
{
	struct bench *bench = *state;
	const char *names[] = {"a", "b", "c", "d", "e"};

	for (int i = 0; i < 5; i++) {
		assert_true(queue_add(&bench->queue, "n", names[i], 0));
	}
	assert_false(queue_add(&bench->queue, "n", "f", 0));
	assert_true(queue_add(&bench->queue, "n", "e", 0));
	queue_clear(&bench->queue);
	assert_true(queue_add(&bench->queue, "n", "f", 0));
}

static void test_later(void **state)
{
	struct bench *bench = *state;

	assert_true(queue_add(&bench->queue, "n", "late", 300));
	assert_true(queue_add(&bench->queue, "n", "soon", 100));
	assert_true(queue_add(&bench->queue, "n", "soon", 900));
	take(bench, 0, NULL);
	assert_int_equal(bench->wait_ms, 100);
	queue_end(&bench->queue, take(bench, 100, "soon"), QUEUE_OK, 0, 100);
	take(bench, 299, NULL);
	assert_int_equal(bench->wait_ms, 1);
	queue_end(&bench->queue, take(bench, 5000, "late"), QUEUE_OK, 0, 5000);
}

/* One object's conflict keeps no other waiting; it comes back by itself, more and more slowly. */
static void test_conflict(void **state)
{
	struct bench *bench = *state;
	uint64_t now_ms = 0;

	assert_true(queue_add(&bench->queue, "n", "a", 0));
	for (uint32_t step_ms = QUEUE_RETRY_FIRST_MS; step_ms <= 4 * QUEUE_RETRY_FIRST_MS;
		step_ms *= 2) {
		queue_end(&bench->queue, take(bench, now_ms, "a"), QUEUE_CONFLICT, 0, now_ms);
		take(bench, now_ms, NULL);
		assert_in_range(bench->wait_ms, step_ms, 2 * step_ms);
		assert_true(queue_add(&bench->queue, "n", "b", 0));
		queue_end(&bench->queue, take(bench, now_ms, "b"), QUEUE_OK, 0, now_ms);
		take(bench, now_ms, NULL);
		now_ms += bench->wait_ms;
	}
	queue_end(&bench->queue, take(bench, now_ms, "a"), QUEUE_CONFLICT, 60000, now_ms);
	take(bench, now_ms, NULL);
	assert_int_equal(bench->wait_ms, 60000);
}

/* An outage is one, however many objects find it. */
static void test_outage(void **state)
{
	struct bench *bench = *state;
	struct queue *queue = &bench->queue;

	assert_true(queue_add(queue, "n", "a", 0));
	assert_true(queue_add(queue, "n", "b", 0));
	assert_true(queue_add(queue, "n", "c", 0));
	struct queue_item *a = take(bench, 0, "a");
	struct queue_item *b = take(bench, 0, "b");
	queue_end(queue, a, QUEUE_OUTAGE, 0, 0);
	queue_end(queue, b, QUEUE_OUTAGE, 0, 1);
	take(bench, 1, NULL);
	assert_in_range(bench->wait_ms, QUEUE_RETRY_FIRST_MS - 1, 2 * QUEUE_RETRY_FIRST_MS);
	uint64_t now_ms = 1 + bench->wait_ms;
	queue_end(queue, take(bench, now_ms, "c"), QUEUE_OUTAGE, 30000, now_ms);
	take(bench, now_ms, NULL);
	assert_int_equal(bench->wait_ms, 30000);
	now_ms += 30000;
	queue_end(queue, take(bench, now_ms, "a"), QUEUE_OK, 0, now_ms);
	queue_end(queue, take(bench, now_ms, "b"), QUEUE_OK, 0, now_ms);
	queue_end(queue, take(bench, now_ms, "c"), QUEUE_OK, 0, now_ms);
	assert_int_equal(queue_count(queue), 0);
}

static void test_results(void **state)
{
	(void)state;
	assert_int_equal(queue_result_of(200), QUEUE_OK);
	assert_int_equal(queue_result_of(201), QUEUE_OK);
	assert_int_equal(queue_result_of(0), QUEUE_OUTAGE);
	assert_int_equal(queue_result_of(401), QUEUE_OUTAGE);
	assert_int_equal(queue_result_of(429), QUEUE_OUTAGE);
	assert_int_equal(queue_result_of(503), QUEUE_OUTAGE);
	assert_int_equal(queue_result_of(409), QUEUE_CONFLICT);
	assert_int_equal(queue_result_of(403), QUEUE_CONFLICT);
	assert_int_equal(queue_result_of(404), QUEUE_REFUSED);
	assert_int_equal(queue_result_of(422), QUEUE_REFUSED);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket),
		CASE(test_once_each),
		CASE(test_full),
		CASE(test_later),
		CASE(test_conflict),
		CASE(test_outage),
		cmocka_unit_test(test_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The list/watch contract, outcome by outcome, without a network or a clock. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "kube/reflect_state.h"

#define START_MS 1000000

static const struct reflect_outcome ok = {REFLECT_OK, 200, 0};
static const struct reflect_outcome gone = {REFLECT_GONE, 410, 0};
static const struct reflect_outcome lost = {REFLECT_FAILED, 0, 0};

static void expect_query(struct reflect_state *state, uint64_t now_ms, const char *expected)
{
	struct buf query = {0};

	reflect_state_query(state, now_ms, &query);
	assert_string_equal(buf_str(&query), expected);
	buf_fini(&query);
}

static void start(struct reflect_state *state, uint64_t now_ms)
{
	struct buf query = {0};

	reflect_state_query(state, now_ms, &query);
	buf_fini(&query);
}

static uint32_t end(
	struct reflect_state *state, const struct reflect_outcome *outcome, uint64_t now_ms)
{
	start(state, now_ms);
	return reflect_state_end(state, outcome, now_ms + 1);
}

static uint32_t end_status(struct reflect_state *state, long status, uint64_t now_ms)
{
	return end(state, &(struct reflect_outcome){REFLECT_FAILED, status, 0}, now_ms);
}

static bool page(struct reflect_state *state, const char *version, const char *next)
{
	bool is_last = false;

	start(state, START_MS);
	assert_true(reflect_state_page(state, version, next, &is_last));
	assert_int_equal(reflect_state_end(state, &ok, START_MS + 1), 0);
	return is_last;
}

static void list_all(struct reflect_state *state, const char *version)
{
	reflect_state_init(state, 7);
	assert_true(page(state, version, NULL));
	assert_int_equal(state->step, REFLECT_WATCH);
}

static void test_first_list_and_pages(void **unused)
{
	struct reflect_state state;

	(void)unused;
	reflect_state_init(&state, 7);
	assert_int_equal(state.step, REFLECT_LIST);
	assert_true(reflect_state_is_first_page(&state));
	expect_query(&state, START_MS, "limit=500");
	assert_false(page(&state, "10", "a+b/c=&"));
	assert_false(reflect_state_is_first_page(&state));
	assert_false(state.has_listed);
	expect_query(&state, START_MS, "limit=500&continue=a%2Bb%2Fc%3D%26");
	assert_false(page(&state, "12", "next"));
	assert_true(page(&state, "13", ""));
	assert_true(state.has_listed);
	/* Of the first page: what later pages were ahead of it comes again. */
	assert_string_equal(state.version, "10");
	assert_int_equal(state.step, REFLECT_WATCH);
	reflect_state_fini(&state);
}

static void test_watch_query(void **unused)
{
	struct reflect_state state;
	unsigned first = 0;
	bool has_varied = false;

	(void)unused;
	list_all(&state, "a&b");
	for (int i = 0; i < 100; i++) {
		static const char head[] =
			"watch=1&allowWatchBookmarks=true&resourceVersion=a%26b&timeoutSeconds=";
		struct buf query = {0};
		reflect_state_query(&state, START_MS, &query);
		assert_memory_equal(buf_str(&query), head, sizeof(head) - 1);
		unsigned seconds = (unsigned)strtoul(buf_str(&query) + sizeof(head) - 1, NULL, 10);
		assert_in_range(seconds, WATCH_MIN_SECONDS, WATCH_MAX_SECONDS - 1);
		has_varied |= first != 0 && seconds != first;
		first = seconds;
		buf_fini(&query);
	}
	assert_true(has_varied);
	reflect_state_fini(&state);
}

static void test_close_goes_on_without_list(void **unused)
{
	struct reflect_state state;

	(void)unused;
	list_all(&state, "10");
	start(&state, START_MS);
	reflect_state_seen(&state, "11");
	reflect_state_seen(&state, NULL);
	reflect_state_seen(&state, "");
	assert_int_equal(reflect_state_end(&state, &ok, START_MS + 1), 0);
	assert_int_equal(state.step, REFLECT_WATCH);
	assert_string_equal(state.version, "11");
	/* Long and silent is fine too. */
	start(&state, START_MS);
	assert_int_equal(reflect_state_end(&state, &ok, START_MS + WATCH_SHORT_MS), 0);
	assert_int_equal(state.step, REFLECT_WATCH);
	reflect_state_fini(&state);
}

/* A server that closes every watch at once is asked less and less often; one that repeats the same
 * bookmark too. */
static void test_no_hot_loop(void **unused)
{
	struct reflect_state state;
	uint64_t now_ms = START_MS;
	unsigned n_requests = 0;

	(void)unused;
	list_all(&state, "10");
	while (now_ms < START_MS + 600000) {
		start(&state, now_ms);
		reflect_state_seen(&state, "10");
		now_ms += 1 + reflect_state_end(&state, &ok, now_ms + 1);
		n_requests++;
	}
	assert_int_equal(state.step, REFLECT_WATCH);
	assert_in_range(n_requests, 10, 30);
	reflect_state_fini(&state);
}

static void test_gone_watch_lists_from_last_version(void **unused)
{
	struct reflect_state state;

	(void)unused;
	list_all(&state, "10");
	start(&state, START_MS);
	reflect_state_seen(&state, "15");
	assert_in_range(reflect_state_end(&state, &gone, START_MS), BACKOFF_KUBE_FIRST_MS,
		2 * BACKOFF_KUBE_FIRST_MS);
	assert_true(reflect_state_is_first_page(&state));
	expect_query(
		&state, START_MS, "limit=500&resourceVersion=15&resourceVersionMatch=NotOlderThan");
	/* The list itself is too old: then whatever is newest. */
	assert_true(reflect_state_end(&state, &gone, START_MS) > 0);
	expect_query(&state, START_MS, "limit=500");
	assert_true(page(&state, "3", NULL));
	assert_string_equal(state.version, "3");
	/* And the next time carefully again. */
	assert_true(end(&state, &gone, START_MS) > 0);
	expect_query(
		&state, START_MS, "limit=500&resourceVersion=3&resourceVersionMatch=NotOlderThan");
	reflect_state_fini(&state);
}

/* Statuses with which a server says that it doesn't know our version. */
static void test_unknown_version_is_dropped(void **unused)
{
	static const long statuses[] = {400, 422, 504};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct reflect_state state;
		list_all(&state, "10");
		assert_true(end(&state, &gone, START_MS) > 0);
		assert_true(end_status(&state, statuses[i], START_MS) > 0);
		expect_query(&state, START_MS, "limit=500");
		reflect_state_fini(&state);
	}
}

static void test_gone_page_restarts_list(void **unused)
{
	struct reflect_state state;

	(void)unused;
	list_all(&state, "10");
	assert_true(end(&state, &gone, START_MS) > 0);
	assert_false(page(&state, "20", "p2"));
	assert_true(end(&state, &gone, START_MS) > 0);
	assert_true(reflect_state_is_first_page(&state));
	/* The version of the list that was given up is forgotten, that of the store is not. */
	expect_query(
		&state, START_MS, "limit=500&resourceVersion=10&resourceVersionMatch=NotOlderThan");
	assert_true(page(&state, "30", NULL));
	assert_string_equal(state.version, "30");
	reflect_state_fini(&state);
}

static void test_failed_page_is_asked_again(void **unused)
{
	static const long statuses[] = {0, 200, 401, 403, 429, 500, 502, 503};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct reflect_state state;
		reflect_state_init(&state, 7);
		assert_false(page(&state, "20", "p2"));
		(void)end_status(&state, statuses[i], START_MS);
		expect_query(&state, START_MS, "limit=500&continue=p2");
		reflect_state_fini(&state);
	}
}

static void test_gone_for_ever_backs_off(void **unused)
{
	struct reflect_state state;
	uint64_t now_ms = START_MS;
	unsigned n_lists = 0;

	(void)unused;
	reflect_state_init(&state, 7);
	for (; now_ms < START_MS + 3600000; n_lists++) {
		now_ms += end(&state, &gone, now_ms);
	}
	assert_in_range(n_lists, 60, 130);
	reflect_state_fini(&state);
}

/* 24 hours of refused connections: the waits grow to 30 s and no further, and the watch resumes
 * where it was. */
static void test_outage(void **unused)
{
	struct reflect_state state;
	uint64_t now_ms = START_MS;
	uint32_t wait_ms = 0;
	unsigned n_requests = 0;

	(void)unused;
	list_all(&state, "10");
	assert_in_range(end(&state, &lost, now_ms), 800, 1600);
	assert_in_range(end(&state, &lost, now_ms), 1600, 3200);
	assert_in_range(end(&state, &lost, now_ms), 3200, 6400);
	for (; now_ms < START_MS + 86400000; n_requests++) {
		wait_ms = end(&state, &lost, now_ms);
		assert_true(wait_ms <= 2 * BACKOFF_KUBE_MAX_MS);
		now_ms += wait_ms;
	}
	assert_in_range(n_requests, 86400 / 60, 86400 / 30 + 10);
	assert_int_equal(state.step, REFLECT_WATCH);
	assert_string_equal(state.version, "10");
	/* Two good minutes, and the next failure is the first one again. */
	now_ms += BACKOFF_KUBE_RESET_MS + 1;
	assert_in_range(end(&state, &lost, now_ms), 800, 1600);
	reflect_state_fini(&state);
}

static void test_retry_after(void **unused)
{
	struct reflect_outcome outcome = {REFLECT_FAILED, 429, 20};
	struct reflect_state state;

	(void)unused;
	list_all(&state, "10");
	assert_int_equal(end(&state, &outcome, START_MS), 20000 + RETRY_AFTER_MARGIN_MS);
	outcome.retry_after_seconds = 1;
	assert_in_range(end(&state, &outcome, START_MS), 1600, 3200);
	outcome.retry_after_seconds = 1000000000;
	assert_int_equal(end(&state, &outcome, START_MS),
		RETRY_AFTER_MAX_SECONDS * 1000 + RETRY_AFTER_MARGIN_MS);
	outcome.retry_after_seconds = -5;
	assert_in_range(end(&state, &outcome, START_MS), 800, 2 * BACKOFF_KUBE_MAX_MS);
	assert_int_equal(state.step, REFLECT_WATCH);
	reflect_state_fini(&state);
}

static void test_first_401_is_tried_again_at_once(void **unused)
{
	struct reflect_state state;

	(void)unused;
	list_all(&state, "10");
	assert_int_equal(end_status(&state, 401, START_MS), 0);
	assert_true(end_status(&state, 401, START_MS) >= 800);
	assert_true(end_status(&state, 503, START_MS) >= 800);
	assert_true(end_status(&state, 401, START_MS) >= 800);
	start(&state, START_MS);
	reflect_state_seen(&state, "11");
	assert_int_equal(reflect_state_end(&state, &ok, START_MS), 0);
	assert_int_equal(end_status(&state, 401, START_MS), 0);
	assert_int_equal(state.step, REFLECT_WATCH);
	reflect_state_fini(&state);
}

static void test_watch_that_is_always_refused_lists(void **unused)
{
	static const long transient[] = {0, 401, 403, 429, 503};
	struct reflect_state state;

	(void)unused;
	list_all(&state, "10");
	for (size_t i = 0; i < 100; i++) {
		(void)end_status(&state, transient[i % ARRAY_LEN(transient)], START_MS);
		assert_int_equal(state.step, REFLECT_WATCH);
	}
	for (int i = 0; i < WATCH_MAX_REFUSED; i++) {
		assert_int_equal(state.step, REFLECT_WATCH);
		assert_true(end_status(&state, 500, START_MS) >= 800);
	}
	assert_int_equal(state.step, REFLECT_LIST);
	expect_query(
		&state, START_MS, "limit=500&resourceVersion=10&resourceVersionMatch=NotOlderThan");
	reflect_state_fini(&state);
}

static void test_unusable_pages(void **unused)
{
	struct reflect_state state;
	struct buf text = {0};
	bool is_last = false;

	(void)unused;
	reflect_state_init(&state, 7);
	for (size_t i = 0; i <= CONTINUE_MAX_LEN; i++) {
		buf_append_char(&text, 'x');
	}
	assert_false(reflect_state_page(&state, NULL, NULL, &is_last));
	assert_false(reflect_state_page(&state, "", NULL, &is_last));
	assert_false(reflect_state_page(&state, buf_str(&text), NULL, &is_last));
	assert_false(reflect_state_page(&state, "1", buf_str(&text), &is_last));
	assert_true(reflect_state_is_first_page(&state));
	assert_false(state.has_listed);
	buf_fini(&text);
	reflect_state_fini(&state);
	reflect_state_fini(&state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_list_and_pages),
		cmocka_unit_test(test_watch_query),
		cmocka_unit_test(test_close_goes_on_without_list),
		cmocka_unit_test(test_no_hot_loop),
		cmocka_unit_test(test_gone_watch_lists_from_last_version),
		cmocka_unit_test(test_unknown_version_is_dropped),
		cmocka_unit_test(test_gone_page_restarts_list),
		cmocka_unit_test(test_failed_page_is_asked_again),
		cmocka_unit_test(test_gone_for_ever_backs_off),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_first_401_is_tried_again_at_once),
		cmocka_unit_test(test_watch_that_is_always_refused_lists),
		cmocka_unit_test(test_unusable_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

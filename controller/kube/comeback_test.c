/* Tests of kube/comeback: who is woken when, and from when to when changes are held back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "kube/comeback.h"

#define N_MEMBERS 3

struct scene {
	struct event_base *base;
	struct comeback comeback;
	struct comeback_member members[N_MEMBERS];
	int n_wakes[N_MEMBERS];
	int n_holds;
	int n_releases;
};

static void on_hold(void *ctx, bool is_held)
{
	struct scene *scene = ctx;

	scene->n_holds += is_held;
	scene->n_releases += !is_held;
}

static void on_wake(void *ctx)
{
	int *n_wakes = ctx;

	(*n_wakes)++;
}

static int set_up(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));

	scene->base = event_base_new();
	assert_true(comeback_init(&scene->comeback, scene->base));
	comeback_on_hold(&scene->comeback, on_hold, scene);
	for (int i = 0; i < N_MEMBERS; i++) {
		scene->members[i].wake = on_wake;
		scene->members[i].ctx = &scene->n_wakes[i];
	}
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	comeback_fini(&scene->comeback);
	event_base_free(scene->base);
	free(scene);
	return 0;
}

static void lose_all(struct scene *scene)
{
	for (int i = 0; i < N_MEMBERS; i++) {
		comeback_lose(&scene->comeback, &scene->members[i]);
	}
}

static void test_one_alone_holds_nothing(void **state)
{
	struct scene *scene = *state;

	comeback_lose(&scene->comeback, &scene->members[0]);
	comeback_answered(&scene->comeback, &scene->members[0]);
	assert_int_equal(scene->n_holds, 0);
	assert_int_equal(scene->n_wakes[0], 0);
}

static void test_first_answer_wakes_the_others(void **state)
{
	struct scene *scene = *state;

	lose_all(scene);
	assert_int_equal(scene->n_holds, 0);
	comeback_answered(&scene->comeback, &scene->members[1]);
	assert_int_equal(scene->n_holds, 1);
	assert_int_equal(scene->n_wakes[0], 1);
	assert_int_equal(scene->n_wakes[1], 0);
	assert_int_equal(scene->n_wakes[2], 1);
	comeback_answered(&scene->comeback, &scene->members[0]);
	assert_int_equal(scene->n_wakes[2], 1);
	assert_int_equal(scene->n_holds, 1);
}

static void test_last_answer_releases_once(void **state)
{
	struct scene *scene = *state;

	lose_all(scene);
	for (int i = 0; i < N_MEMBERS; i++) {
		assert_int_equal(scene->n_releases, 0);
		comeback_answered(&scene->comeback, &scene->members[i]);
	}
	assert_int_equal(scene->n_releases, 0); /* what follows the answer is waited for */
	event_base_dispatch(scene->base);
	assert_int_equal(scene->n_releases, 1);
	assert_false(scene->comeback.is_held);
}

static void test_new_list_goes_on_holding(void **state)
{
	struct scene *scene = *state;

	lose_all(scene);
	comeback_stir(&scene->comeback, &scene->members[0]);
	assert_int_equal(scene->n_holds, 1);
	assert_true(scene->members[0].is_lost);
	for (int i = 0; i < N_MEMBERS; i++) {
		comeback_answered(&scene->comeback, &scene->members[i]);
	}
	comeback_lose(&scene->comeback, &scene->members[2]); /* accepted, then 410 */
	event_base_loop(scene->base, EVLOOP_NONBLOCK);
	assert_int_equal(scene->n_releases, 0);
	comeback_answered(&scene->comeback, &scene->members[2]);
	event_base_dispatch(scene->base);
	assert_int_equal(scene->n_holds, 1);
	assert_int_equal(scene->n_releases, 1);
}

static void test_leaving_counts_as_back(void **state)
{
	struct scene *scene = *state;

	lose_all(scene);
	comeback_answered(&scene->comeback, &scene->members[0]);
	comeback_leave(&scene->comeback, &scene->members[1]);
	comeback_leave(&scene->comeback, &scene->members[2]);
	event_base_dispatch(scene->base);
	assert_int_equal(scene->n_releases, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_alone_holds_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_first_answer_wakes_the_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_last_answer_releases_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_new_list_goes_on_holding, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_leaving_counts_as_back, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

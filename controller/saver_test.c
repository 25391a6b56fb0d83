/* Tests of saver: a forked child writes, failures are tried again, nothing is lost between the two.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/metrics.h"
#include "saver.h"

#define MAX_WAIT_SECONDS 30

struct scene {
	struct event_base *base;
	char *directory;
	struct state *state;
	struct saver *saver;
	struct applied *applied;
	bool is_busy; /* nothing may be saved now */
};

static struct applied *source(void *ctx)
{
	struct scene *scene = ctx;

	return scene->is_busy ? NULL : scene->applied;
}

static int set_up(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));
	struct err err = {0};
	char template[] = "/tmp/headgate-saver-XXXXXX";

	assert_non_null(mkdtemp(template));
	scene->directory = xstrdup(template);
	scene->base = event_base_new();
	scene->state = state_open(scene->directory, &err);
	assert_non_null(scene->state);
	scene->saver = saver_new(scene->base, scene->state, source, scene);
	scene->applied = applied_new();
	*state = scene;
	return 0;
}

static void remove_directory(const struct scene *scene)
{
	CLEANUP(free_ptr) char *command = xasprintf("rm -rf '%s'", scene->directory);
	FILE *removal = popen(command, "r");

	assert_non_null(removal);
	assert_int_equal(pclose(removal), 0);
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	saver_free(scene->saver);
	applied_free(scene->applied);
	state_close(scene->state);
	event_base_free(scene->base);
	remove_directory(scene);
	free(scene->directory);
	free(scene);
	metrics_reset();
	return 0;
}

static void set_route(struct scene *scene, const char *key)
{
	applied_set_entry(scene->applied, MODEL_MAP_PREFIX, key, "ns_svc_web_80");
}

/* What the map on disk holds; the caller frees. */
static char *read_map(const struct scene *scene)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/current/prefix.map", scene->directory);
	char text[4096] = "";
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	size_t len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	return xstrndup(text, len);
}

static void assert_map(const struct scene *scene, const char *wanted)
{
	CLEANUP(free_ptr) char *text = read_map(scene);

	assert_string_equal(text, wanted);
}

/* Turns the loop until the metric has risen to `value`. */
static void await(struct scene *scene, enum metric metric, double value)
{
	for (int i = 0; metrics_get(metric, NULL) < value; i++) {
		assert_true(i < MAX_WAIT_SECONDS * 100);
		event_base_loop(scene->base, EVLOOP_NONBLOCK);
		usleep(10000);
	}
}

static void test_child_saves(void **state)
{
	struct scene *scene = *state;

	set_route(scene, "a.test/");
	saver_soon(scene->saver, scene->applied);
	await(scene, METRIC_STATE_WRITES, 1);
	assert_map(scene, "a.test/ ns_svc_web_80\n");
	assert_false(scene->applied->is_map_unsaved[MODEL_MAP_PREFIX]);
	assert_true(metrics_get(METRIC_STATE_BYTES, NULL) > 0);
}

static void test_change_while_child_writes(void **state)
{
	struct scene *scene = *state;

	set_route(scene, "a.test/");
	saver_soon(scene->saver, scene->applied);
	/* The child is forked at some turn; from then on the mark is its own. */
	while (scene->applied->is_map_unsaved[MODEL_MAP_PREFIX]) {
		event_base_loop(scene->base, EVLOOP_ONCE);
	}
	set_route(scene, "b.test/");
	saver_soon(scene->saver, scene->applied);
	await(scene, METRIC_STATE_WRITES, 2);
	assert_map(scene, "a.test/ ns_svc_web_80\nb.test/ ns_svc_web_80\n");
}

static void test_busy_is_saved_later(void **state)
{
	struct scene *scene = *state;

	scene->is_busy = true;
	set_route(scene, "a.test/");
	saver_soon(scene->saver, scene->applied);
	event_base_dispatch(scene->base); /* the timer came and nothing could be saved */
	assert_map(scene, "");
	scene->is_busy = false;
	saver_soon(scene->saver, scene->applied);
	await(scene, METRIC_STATE_WRITES, 1);
	assert_map(scene, "a.test/ ns_svc_web_80\n");
}

/* A folder in the place of the next generation's link makes the save fail, also for root. */
static void test_failure_is_tried_again_with_everything(void **state)
{
	struct scene *scene = *state;
	CLEANUP(free_ptr) char *hindrance = xasprintf("%s/current.new", scene->directory);

	assert_int_equal(mkdir(hindrance, 0755), 0);
	set_route(scene, "a.test/");
	saver_soon(scene->saver, scene->applied);
	await(scene, METRIC_STATE_ERRORS, 1);
	assert_map(scene, "");
	assert_int_equal(rmdir(hindrance), 0);
	await(scene, METRIC_STATE_WRITES, 1);
	assert_map(scene, "a.test/ ns_svc_web_80\n");
}

static void test_directory_is_made_again(void **state)
{
	struct scene *scene = *state;

	remove_directory(scene);
	set_route(scene, "a.test/");
	saver_soon(scene->saver, scene->applied);
	await(scene, METRIC_STATE_WRITES, 1);
	assert_true(metrics_get(METRIC_STATE_ERRORS, NULL) >= 1);
	assert_map(scene, "a.test/ ns_svc_web_80\n");
}

static void test_save_all_waits_for_the_child(void **state)
{
	struct scene *scene = *state;
	struct applied *other = applied_new();
	struct err err = {0};

	set_route(scene, "a.test/");
	saver_soon(scene->saver, scene->applied);
	while (scene->applied->is_map_unsaved[MODEL_MAP_PREFIX]) {
		event_base_loop(scene->base, EVLOOP_ONCE);
	}
	applied_set_entry(other, MODEL_MAP_PREFIX, "c.test/", "ns_svc_web_80");
	assert_true(saver_save_all(scene->saver, other, &err));
	assert_map(scene, "c.test/ ns_svc_web_80\n");
	event_base_dispatch(scene->base); /* nothing of the child is left to overwrite it */
	assert_map(scene, "c.test/ ns_svc_web_80\n");
	applied_free(other);
}

static void test_flush(void **state)
{
	struct scene *scene = *state;

	set_route(scene, "a.test/");
	saver_flush(scene->saver, scene->applied);
	assert_map(scene, "a.test/ ns_svc_web_80\n");
	double n_writes = metrics_get(METRIC_STATE_WRITES, NULL);
	saver_flush(scene->saver, scene->applied);
	assert_true(metrics_get(METRIC_STATE_WRITES, NULL) == n_writes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_child_saves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_change_while_child_writes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_busy_is_saved_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_failure_is_tried_again_with_everything, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_directory_is_made_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_save_all_waits_for_the_child, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flush, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

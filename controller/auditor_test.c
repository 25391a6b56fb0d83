/* When audits are begun, what is said of them, and what happens to one that HAProxy does not let
 * end; against a socket that says what a HAProxy without backends and with TLS off would say. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>

#include "auditor.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/metrics.h"
#include "haproxy/fake_cli.h"

struct scene {
	struct event_base *base;
	struct fake main;
	struct fake side;
	struct cli *cli;
	struct applied *applied;
	struct model *model;
	struct auditor *auditor;
	bool can_be_asked;
	unsigned n_foreign; /* entries that hosts.map has and nobody confirmed */
	size_t n_repairs;
};

static void answer(struct fake *fake, const char *command, struct buf *out)
{
	const struct scene *scene = fake->ctx;

	if (strcmp(command, "show info") == 0) {
		buf_append_str(out, "Version: 2.6\nPid: 7\n");
	} else if (strcmp(command, "show map /d/hosts.map") == 0) {
		for (unsigned i = 0; i < scene->n_foreign; i++) {
			buf_printf(out, "0x1 h%u.test \"\n", i);
		}
	}
	buf_append_str(out, "\n> ");
}

static void on_lost(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static bool get_target(void *ctx, struct audit_target *ret_target)
{
	struct scene *scene = ctx;

	*ret_target = (struct audit_target){.cli = scene->cli,
		.runtime_socket = scene->side.path,
		.map_dir = "/d",
		.applied = scene->applied,
		.model = scene->model,
		.pid = 7};
	return scene->can_be_asked;
}

static void on_repair(void *ctx, struct model_delta *delta)
{
	((struct scene *)ctx)->n_repairs += delta->n_entries;
}

static void make_auditor(struct scene *scene, unsigned interval_seconds)
{
	auditor_free(scene->auditor);
	scene->auditor = auditor_new(&(struct auditor_options){
		scene->base, interval_seconds, get_target, on_repair, scene});
}

static int set_up(void **state)
{
	static const struct model_options options = {.ingress_class = "c", .controller_name = "x"};
	struct scene *scene = xcalloc(1, sizeof(*scene));
	struct err err = {0};

	scene->base = event_base_new();
	assert_true(fake_start(&scene->main, scene->base, answer));
	assert_true(fake_start(&scene->side, scene->base, answer));
	scene->main.ctx = scene;
	scene->side.ctx = scene;
	scene->cli = cli_new(scene->base, on_lost, scene);
	assert_true(cli_connect(scene->cli, scene->main.path, &err));
	scene->applied = applied_new();
	scene->model = model_new(&options);
	scene->can_be_asked = true;
	make_auditor(scene, 0);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	auditor_free(scene->auditor);
	cli_free(scene->cli);
	fake_stop(&scene->main);
	fake_stop(&scene->side);
	event_base_free(scene->base);
	applied_free(scene->applied);
	model_free(scene->model);
	free(scene);
	metrics_reset();
	return 0;
}

static bool says(const struct scene *scene, const char *text)
{
	struct buf json = BUF_INIT(0);

	auditor_write(scene->auditor, &json);
	bool is_there = strstr(buf_str(&json), text) != NULL;
	buf_fini(&json);
	return is_there;
}

static void wait_for(struct scene *scene, const char *text)
{
	while (!says(scene, text)) {
		assert_int_equal(event_base_loop(scene->base, EVLOOP_ONCE), 0);
	}
}

static void test_asked_for(void **state)
{
	struct scene *scene = *state;

	assert_true(says(scene, "{\"number\":0,\"result\":\"none\",\"error\":\"\""));
	assert_int_equal(auditor_request(scene->auditor), 1);
	/* This one may have passed by what the second one is about. */
	assert_int_equal(auditor_request(scene->auditor), 2);
	assert_int_equal(auditor_request(scene->auditor), 2);
	wait_for(scene, "{\"number\":2,\"result\":\"clean\"");
	assert_int_equal(metrics_get(METRIC_AUDITS, "clean"), 2);
	assert_int_equal(scene->n_repairs, 0);
}

static void test_later(void **state)
{
	struct scene *scene = *state;

	scene->can_be_asked = false;
	assert_int_equal(auditor_request(scene->auditor), 1);
	assert_int_equal(auditor_request(scene->auditor), 1);
	auditor_on_rest(scene->auditor);
	auditor_on_doubt(scene->auditor);
	assert_true(says(scene, "\"number\":0"));
	scene->can_be_asked = true;
	auditor_on_rest(scene->auditor);
	wait_for(scene, "{\"number\":1,\"result\":\"clean\"");
}

static void test_by_itself(void **state)
{
	struct scene *scene = *state;

	make_auditor(scene, 1);
	wait_for(scene, "\"number\":2,\"result\":\"clean\"");
}

static void test_drift(void **state)
{
	struct scene *scene = *state;

	scene->n_foreign = 1;
	assert_int_equal(auditor_request(scene->auditor), 1);
	wait_for(scene, "\"number\":1");
	assert_true(says(scene, "\"result\":\"drift\""));
	assert_true(says(scene,
		"\"drift\":{\"entry-foreign\":1},"
		"\"found\":[{\"kind\":\"entry-foreign\",\"object\":\"hosts.map h0.test\","
		"\"expected\":\"\",\"found\":\"\\\"\"}]}"));
	assert_int_equal(scene->n_repairs, 1);
	scene->n_foreign = 3 * AUDITOR_MAX_SHOWN;
	assert_int_equal(auditor_request(scene->auditor), 2);
	wait_for(scene, "\"number\":2");
	/* One is known by now. */
	assert_true(says(scene, "\"drift\":{\"entry-foreign\":59}"));
	assert_true(says(scene, "hosts.map h20.test"));
	assert_false(says(scene, "hosts.map h21.test"));
	assert_int_equal(scene->n_repairs, 60);
	assert_int_equal(metrics_get(METRIC_AUDIT_DRIFT, "entry-foreign"), 60);
	assert_int_equal(metrics_get(METRIC_AUDITS, "drift"), 2);
	assert_true(metrics_get(METRIC_AUDIT_TIME, NULL) > 0);
}

/* It begins anew, under the same number. */
static void test_read_back_meanwhile(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(auditor_request(scene->auditor), 1);
	for (int i = 0; i < 3; i++) {
		auditor_on_doubt(scene->auditor);
		auditor_on_rest(scene->auditor);
		event_base_loop(scene->base, EVLOOP_ONCE);
	}
	assert_true(says(scene, "\"number\":0"));
	wait_for(scene, "{\"number\":1,\"result\":\"clean\"");
}

static void test_never_comes_to_an_end(void **state)
{
	struct scene *scene = *state;

	scene->side.close_at = 10;
	assert_int_equal(auditor_request(scene->auditor), 1);
	wait_for(scene, "{\"number\":1,\"result\":\"failed\",\"error\":\"the connection");
	assert_int_equal(metrics_get(METRIC_AUDITS, "failed"), 1);
	scene->side.close_at = SIZE_MAX;
	assert_int_equal(auditor_request(scene->auditor), 2);
	wait_for(scene, "{\"number\":2,\"result\":\"clean\",\"error\":\"\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_asked_for),
		TEST(test_later),
		TEST(test_by_itself),
		TEST(test_drift),
		TEST(test_read_back_meanwhile),
		TEST(test_never_comes_to_an_end),
	};

	log_set_level(LOG_ERROR);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

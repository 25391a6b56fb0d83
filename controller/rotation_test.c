/* Tests of rotation.c with a HAProxy that answers what it likes: what it is told and when, and what
 * becomes of failures. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/dir_testing.h"
#include "base/metrics.h"
#include "haproxy/cli.h"
#include "haproxy/fake_cli.h"
#include "haproxy/tickets.h"
#include "rotation.h"

#define PERIOD		 3600
#define MAX_WAIT_SECONDS 30

struct scene {
	struct event_base *base;
	struct fake fake;
	struct cli *cli;
	char directory[64];
	struct state *state;
	struct rotation *rotation;
	struct buf told;       /* the keys that HAProxy was told, a line each */
	const char *answer;    /* of HAProxy */
	bool is_closing;       /* instead of an answer */
	struct ticket_keys at; /* what the file had at the start */
};

static const struct caps with_tls = {.has_tls = true};

static void answer(struct fake *fake, const char *command, struct buf *out)
{
	struct scene *scene = fake->ctx;
	CLEANUP(free_ptr)
	char *known = xasprintf("set ssl tls-key %s/tickets.keys ", scene->directory);

	if (strcmp(command, "prompt") != 0) {
		assert_int_equal(strncmp(command, known, strlen(known)), 0);
		buf_printf(&scene->told, "%s\n", command + strlen(known));
		buf_printf(out, "%s\n", scene->answer);
		fake->close_at = scene->is_closing ? fake->n_sent : SIZE_MAX;
	}
	buf_append_str(out, "\n> ");
}

static void on_lost(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static struct ticket_keys keys_of_file(const struct scene *scene)
{
	struct ticket_keys keys = {0};
	struct err err = {0};
	int64_t when;

	assert_true(state_read_tickets(scene->state, &keys, &when, &err));
	return keys;
}

static void connect_now(struct scene *scene)
{
	struct err err = {0};

	scene->fake.close_at = SIZE_MAX;
	if (!cli_connect(scene->cli, scene->fake.path, &err)) {
		fail_msg("%s", err.text);
	}
}

static int set_up(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));
	struct err err = {0};

	scene->base = event_base_new();
	assert_true(fake_start(&scene->fake, scene->base, answer));
	scene->fake.ctx = scene;
	scene->cli = cli_new(scene->base, on_lost, scene);
	snprintf(scene->directory, sizeof(scene->directory), "/tmp/headgate-rotation.XXXXXX");
	assert_non_null(mkdtemp(scene->directory));
	scene->state = state_open(scene->directory, &err);
	assert_non_null(scene->state);
	scene->rotation = rotation_new(scene->base, scene->state, PERIOD);
	scene->answer = "TLS ticket key updated!";
	scene->at = keys_of_file(scene);
	connect_now(scene);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	rotation_free(scene->rotation);
	cli_free(scene->cli);
	fake_stop(&scene->fake);
	state_close(scene->state);
	event_base_free(scene->base);
	testing_remove_dir(scene->directory);
	buf_fini(&scene->told);
	free(scene);
	metrics_reset();
	return 0;
}

/* The file was written so long ago. */
static void set_age(const struct scene *scene, int64_t seconds)
{
	const struct timespec time_then = {.tv_sec = time(NULL) - seconds};
	const struct timespec times[2] = {time_then, time_then};

	assert_int_equal(utimensat(AT_FDCWD, state_tickets_file(scene->state), times, 0), 0);
}

static double count(const char *result)
{
	return metrics_get(METRIC_TICKET_ROTATIONS, result);
}

/* Turns the loop until as many have ended like this. */
static void await(struct scene *scene, const char *result, double n)
{
	for (int i = 0; count(result) < n; i++) {
		assert_true(i < MAX_WAIT_SECONDS * 1000);
		event_base_loop(scene->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

/* What is due now is done. */
static void turn(struct scene *scene)
{
	for (int i = 0; i < 20; i++) {
		event_base_loop(scene->base, EVLOOP_NONBLOCK);
	}
}

/* HAProxy was told these, and nothing else. */
static void assert_told(struct scene *scene, const struct ticket_keys *keys)
{
	struct buf text = {.is_secret = true};

	if (keys != NULL) {
		tickets_format(&text, keys);
	}
	assert_string_equal(buf_str(&scene->told), buf_str(&text));
	buf_fini(&text);
	buf_clear(&scene->told);
}

static void assert_rotated(struct scene *scene)
{
	struct ticket_keys now = keys_of_file(scene);

	assert_string_equal(now.keys[0], scene->at.keys[1]);
	assert_string_equal(now.keys[1], scene->at.keys[2]);
	assert_string_not_equal(now.keys[2], scene->at.keys[2]);
	scene->at = now;
}

static void assert_unchanged(struct scene *scene)
{
	struct ticket_keys now = keys_of_file(scene);

	assert_memory_equal(&now, &scene->at, sizeof(now));
}

static void test_waits_for_its_time(void **state)
{
	struct scene *scene = *state;

	set_age(scene, PERIOD / 2);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
	turn(scene);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 2);
	turn(scene);
	assert_told(scene, NULL);
	assert_unchanged(scene);
	assert_true(count("success") == 0 && count("error") == 0);
}

static void test_rotates_when_old(void **state)
{
	struct scene *scene = *state;

	for (int i = 1; i <= 4; i++) {
		set_age(scene, PERIOD);
		rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
		await(scene, "success", i);
		assert_rotated(scene);
		assert_told(scene, &scene->at);
		turn(scene);
		assert_told(scene, NULL);
	}
	assert_true(count("error") == 0);
}

static void test_by_itself(void **state)
{
	struct scene *scene = *state;

	set_age(scene, PERIOD - 1);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
	await(scene, "success", 1);
	assert_rotated(scene);
	assert_told(scene, &scene->at);
}

static void test_nothing_without_tls(void **state)
{
	struct scene *scene = *state;
	static const struct caps without = {0};

	set_age(scene, 2 * PERIOD);
	rotation_on_worker(scene->rotation, scene->cli, &without, 1);
	turn(scene);
	assert_told(scene, NULL);
	assert_unchanged(scene);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 2);
	await(scene, "success", 1);
	assert_rotated(scene);
}

/* A worker that was started before the file changed has old keys: only the first new one is asked
 * about. */
static void test_next_worker_is_told_again(void **state)
{
	struct scene *scene = *state;

	set_age(scene, PERIOD);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
	await(scene, "success", 1);
	assert_rotated(scene);
	assert_told(scene, &scene->at);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
	turn(scene);
	assert_told(scene, NULL);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 2);
	await(scene, "success", 2);
	assert_told(scene, &scene->at);
	assert_unchanged(scene);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 3);
	turn(scene);
	assert_told(scene, NULL);
}

/* Tried again, and the file doesn't run ahead. */
static void test_refused(void **state)
{
	struct scene *scene = *state;

	scene->answer = "'set ssl tls-key' unable to locate referenced filename";
	set_age(scene, PERIOD);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
	await(scene, "error", 1);
	assert_rotated(scene);
	assert_told(scene, &scene->at);
	set_age(scene, PERIOD);
	await(scene, "error", 2);
	assert_unchanged(scene);
	assert_told(scene, &scene->at);
	set_age(scene, 0);
	scene->answer = "TLS ticket key updated!";
	await(scene, "success", 1);
	assert_unchanged(scene);
	/* Now the next one may come. */
	set_age(scene, PERIOD);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
	await(scene, "success", 2);
	assert_rotated(scene);
}

static void test_lost(void **state)
{
	struct scene *scene = *state;

	set_age(scene, PERIOD);
	scene->is_closing = true;
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
	await(scene, "error", 1);
	assert_rotated(scene);
	buf_clear(&scene->told);
	/* Not connected. */
	await(scene, "error", 2);
	assert_told(scene, NULL);
	scene->is_closing = false;
	connect_now(scene);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
	await(scene, "success", 1);
	assert_unchanged(scene);
	assert_told(scene, &scene->at);
}

/* HAProxy's keys and the file's are what they were. */
static void test_file_cannot_be_written(void **state)
{
	struct scene *scene = *state;
	CLEANUP(free_ptr) char *obstacle = xasprintf("%s/tickets.keys.new", scene->directory);

	/* Even root can't write a file there. */
	assert_int_equal(mkdir(obstacle, 0700), 0);
	set_age(scene, PERIOD);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
	await(scene, "error", 2);
	assert_unchanged(scene);
	assert_told(scene, NULL);
	assert_int_equal(rmdir(obstacle), 0);
	await(scene, "success", 1);
	assert_rotated(scene);
	assert_told(scene, &scene->at);
}

/* HAProxy can't have what stands in the new file. */
static void test_damaged_file(void **state)
{
	struct scene *scene = *state;

	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
	turn(scene);
	assert_int_equal(truncate(state_tickets_file(scene->state), 100), 0);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
	await(scene, "success", 1);
	struct ticket_keys now = keys_of_file(scene);
	assert_told(scene, &now);
	for (size_t i = 0; i < TICKETS_N_KEYS; i++) {
		assert_string_not_equal(now.keys[i], scene->at.keys[i]);
	}
}

/* No answer comes back to what is gone. */
static void test_freed_while_answers_are_awaited(void **state)
{
	struct scene *scene = *state;

	set_age(scene, PERIOD);
	rotation_on_worker(scene->rotation, scene->cli, &with_tls, 1);
	for (int i = 0; scene->told.len == 0 && i < MAX_WAIT_SECONDS * 1000; i++) {
		event_base_loop(scene->base, EVLOOP_NONBLOCK);
	}
	rotation_free(scene->rotation);
	scene->rotation = NULL;
	turn(scene);
	cli_disconnect(scene->cli);
	assert_true(count("error") == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_waits_for_its_time),
		TEST(test_rotates_when_old),
		TEST(test_by_itself),
		TEST(test_nothing_without_tls),
		TEST(test_next_worker_is_told_again),
		TEST(test_refused),
		TEST(test_lost),
		TEST(test_file_cannot_be_written),
		TEST(test_damaged_file),
		TEST(test_freed_while_answers_are_awaited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Ten thousand events, in another order each time, end in the same HAProxy: byte for byte in what
 * is read back from it, and in the state directory.
 *
 * The events of one object keep their order, as they do when a watch brings them; those of
 * different objects are interleaved at random and cut into passes of random length, which a real
 * HAProxy carries out. Every order begins with a HAProxy that has been emptied. Below 3.4, where a
 * new Service needs a reload, it is started with the backends of all Services, so that everything
 * else happens at run time there too.
 *
 * Two things are history by design, and so the last version of an object has none of them: a
 * Secret that can't be used (what it had before goes on being served, if somebody referred to it),
 * and an endpoint that terminates (its server drains where it is, and is not added where it is
 * not).
 *
 * HEADGATE_SEED chooses events and orders, HEADGATE_EVENTS and HEADGATE_ORDERS how many; by default
 * 5 orders, as a hundred take some minutes.
 */
#include "running.h"
#include "runtime.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_SERVICES  60
#define N_INGRESSES 60
#define N_SLICES    90

#include "base/metrics.h"
#include "haproxy/cli.h"
#include "needs.h"
#include "pending.h"
#include "random_testing.h"

#define FIRST_SEED	20240601
#define N_EVENTS	10000
#define N_ORDERS	5
#define LONGEST_PASS	100
#define DIRECTORY_DEPTH 8

/* One version of an object, or its removal. */
struct event_of {
	enum kube_kind kind;
	struct object *object; /* owned */
	bool is_removal;
	size_t of; /* which object, by number */
};

struct fixture {
	struct running running;
	struct test test; /* connection, what was read back, results */
	struct dice dice; /* its store is the one that events are put into */
	struct event_of *events;
	size_t n_events;
	size_t n_objects;
	struct model *model;
	struct pending pending;
	size_t n_operations;
};

/* ---- events ---- */

static void (*const makers[])(struct dice *dice) = {put_ingress, put_ingress, put_ingress,
	put_service, put_service, put_slice, put_slice, put_slice, put_secret, put_class,
	put_config_map};
static const enum kube_kind kinds[] = {KUBE_INGRESS, KUBE_INGRESS, KUBE_INGRESS, KUBE_SERVICE,
	KUBE_SERVICE, KUBE_ENDPOINT_SLICE, KUBE_ENDPOINT_SLICE, KUBE_ENDPOINT_SLICE, KUBE_SECRET,
	KUBE_INGRESS_CLASS, KUBE_CONFIG_MAP};

static void (*maker_of(enum kube_kind kind))(struct dice *dice)
{
	size_t i = 0;

	while (kinds[i] != kind) {
		i++;
	}
	return makers[i];
}

static struct object *copy_object(const struct object *object)
{
	struct object *copy = xmalloc(object->size);

	memcpy(copy, object, object->size);
	return copy;
}

/* What `put` would put, in a store of its own. */
static struct object *make_object(
	struct dice *dice, void (*put)(struct dice *), enum kube_kind kind)
{
	struct dice scratch = {
		.random = dice->random, .store = store_new(), .has_variants = dice->has_variants};
	uint32_t position = 0;

	put(&scratch);
	dice->random = scratch.random;
	const struct object *object = store_next(scratch.store, kind, &position);
	assert_non_null(object);
	struct object *copy = copy_object(object);
	store_free(scratch.store);
	return copy;
}

static bool is_same_object(const struct event_of *a, const struct event_of *b)
{
	return a->kind == b->kind &&
	       strcmp(object_namespace(a->object), object_namespace(b->object)) == 0 &&
	       strcmp(object_name(a->object), object_name(b->object)) == 0;
}

static void number_object(struct fixture *f, struct event_of *event)
{
	event->of = f->n_objects;
	for (const struct event_of *other = f->events; other < event; other++) {
		if (is_same_object(other, event)) {
			event->of = other->of;
			return;
		}
	}
	f->n_objects++;
}

/* Does what is served with this version depend on what was served before? Or, for a class, is
 * nothing served at all? */
static bool is_bad_end(const struct event_of *event)
{
	if (event->kind == KUBE_INGRESS_CLASS) {
		const struct ingress_class *class = (const struct ingress_class *)event->object;
		return event->is_removal || strcmp(obj_str(class, class->controller), "ours") != 0;
	}
	if (event->kind == KUBE_SECRET) {
		const struct secret *secret = (const struct secret *)event->object;
		return event->is_removal || secret->state != SECRET_GOOD || !obj_has(secret->pem);
	}
	if (event->kind == KUBE_ENDPOINT_SLICE && !event->is_removal) {
		const struct endpoint_slice *slice = (const struct endpoint_slice *)event->object;
		const struct slice_endpoint *endpoints = obj_items(slice, slice->endpoints);
		for (uint32_t i = 0; i < slice->endpoints.n; i++) {
			if (endpoints[i].terminating == OBJ_TRUE) {
				return true;
			}
		}
	}
	return false;
}

static void make_event(struct fixture *f)
{
	struct event_of *event = &f->events[f->n_events++];
	unsigned i = pick(&f->dice, ARRAY_LEN(makers));

	event->kind = kinds[i];
	event->object = make_object(&f->dice, makers[i], kinds[i]);
	event->is_removal = one_in(&f->dice, 8);
	number_object(f, event);
}

/* Objects that would end badly get another version as their last. */
static void end_well(struct fixture *f, size_t n)
{
	size_t *last = xcalloc(f->n_objects, sizeof(*last));

	for (size_t i = 0; i < n; i++) {
		last[f->events[i].of] = i;
	}
	for (size_t of = 0, n_objects = f->n_objects; of < n_objects; of++) {
		struct event_of *event = &f->events[last[of]];
		while (is_bad_end(event)) {
			struct event_of other = {.kind = event->kind};
			other.object = make_object(&f->dice, maker_of(event->kind), event->kind);
			if (is_same_object(&other, event)) {
				object_free(event->object);
				event->object = other.object;
				event->is_removal = false;
			} else {
				object_free(other.object);
			}
		}
	}
	free(last);
}

static void make_events(struct fixture *f, size_t n)
{
	f->events = xcalloc(n, sizeof(*f->events));
	while (f->n_events < n) {
		make_event(f);
	}
	end_well(f, n);
}

/* The numbers of the events in another order, in which those of one object follow each other as
 * before: the places are mixed, and each goes to the next event of the object it belonged to. */
static size_t *mix(struct fixture *f)
{
	size_t *order = xcalloc(f->n_events, sizeof(*order));
	size_t *next = xcalloc(f->n_objects, sizeof(*next));

	for (size_t i = 0; i < f->n_events; i++) {
		size_t j = pick(&f->dice, (unsigned)i + 1);
		order[i] = order[j];
		order[j] = f->events[i].of;
	}
	for (size_t i = 0; i < f->n_events; i++) {
		size_t of = order[i];
		while (f->events[next[of]].of != of) {
			next[of]++;
		}
		order[i] = next[of]++;
	}
	free(next);
	return order;
}

static void happen_again(struct fixture *f, const struct event_of *event)
{
	if (event->is_removal) {
		store_remove(f->dice.store, event->kind, object_namespace(event->object),
			object_name(event->object));
	} else {
		store_put(f->dice.store, copy_object(event->object));
	}
}

/* ---- HAProxy ---- */

static void on_lost(void *ctx, const char *text)
{
	(void)ctx;
	fail_msg("connection lost: %s", text);
}

/* The backends that Services can have, without servers. */
static void reload_with_backends(struct fixture *f)
{
	struct err err = {0};

	for (unsigned i = 0; i < N_SERVICES; i++) {
		for (unsigned port = 80; port <= 82; port++) {
			CLEANUP(free_ptr)
			char *name = xasprintf("n%u_svc_s%u_%u", i % N_NAMESPACES, i, port);
			applied_add_backend(f->test.applied, name);
		}
	}
	cli_disconnect(f->test.cli);
	if (!state_save_all(f->running.state, f->test.applied, &err) ||
		!process_reload(f->running.process, &err)) {
		fail_msg("%s", err.text);
	}
	running_wait(&f->running, PROCESS_RELOADED, 1);
	runtime_connect(&f->test, f->running.runtime_socket);
}

/* The busy ones are tried again, as the controller does, until there are none. */
static void pass(struct fixture *f)
{
	const struct apply_target target = {
		f->test.cli, state_map_dir(f->running.state), f->test.applied};
	struct store_changes changes = store_take_changes(f->dice.store);
	size_t n_busy = 0;

	model_update(f->model, f->dice.store, &changes);
	needs_follow(&(struct needs){0}, f->model, f->dice.store, &changes);
	store_changes_fini(&changes);
	struct model_delta delta = model_take_delta(f->model);
	pending_take(&f->pending, &delta);
	do {
		struct plan plan = {0};
		plan_make(&plan, f->model, f->test.applied, &f->test.caps,
			f->pending.is_everything ? NULL : &f->pending.delta);
		assert_int_equal(plan.reasons, 0);
		n_busy = 0;
		if (plan.n_ops > 0) {
			assert_non_null(apply_start(&target, &plan, runtime_on_applied, &f->test));
			runtime_wait(&f->test);
			n_busy = f->test.result.n_busy;
			f->n_operations += f->test.result.n_done;
			assert_int_equal(f->test.result.n_done + n_busy, plan.n_ops);
		}
		pending_keep_busy(&f->pending, &plan);
		plan_fini(&plan);
	} while (n_busy > 0);
}

/* ---- what an order ends in ---- */

static struct buf *collected; /* nftw() has no context */

static int collect(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
	char text[4096];
	size_t n;

	(void)info;
	if (type != FTW_F) {
		return 0;
	}
	buf_printf(collected, "== %s\n", path + ftw->base);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while ((n = fread(text, 1, sizeof(text), file)) > 0) {
		buf_append(collected, text, n);
	}
	fclose(file);
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Files in the order of their names, not in that of the directory. */
static void dump_files(struct fixture *f, struct buf *out)
{
	CLEANUP(free_ptr) char *real = realpath(state_map_dir(f->running.state), NULL);
	struct buf all = BUF_INIT(0);
	char *files[1024] = {0};
	size_t n = 0;

	collected = &all;
	assert_non_null(real);
	assert_int_equal(nftw(real, collect, DIRECTORY_DEPTH, FTW_PHYS), 0);
	char *text = buf_take(&all);
	for (char *file = strstr(text, "== "); file != NULL && n < ARRAY_LEN(files);) {
		char *following = strstr(file + 3, "\n== ");
		if (following != NULL) {
			*following++ = '\0';
		}
		files[n++] = file;
		file = following;
	}
	qsort(files, n, sizeof(files[0]), by_bytes);
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "%s\n", files[i]);
	}
	free(text);
}

/* What the order has led to: believed, read back, on disk. */
static char *end_of_order(struct fixture *f)
{
	struct err err = {0};
	struct buf all = BUF_INIT(0);

	/* What was not saved on the way, and no more. */
	if (!state_save(f->running.state, f->test.applied, &err)) {
		fail_msg("%s", err.text);
	}
	for (int i = 0; i < 100; i++) {
		CLEANUP(free_ptr) char *believed = runtime_dump(f->test.applied);
		runtime_read_back(&f->test);
		buf_clear(&all);
		applied_dump(f->test.applied, &all);
		if (strcmp(believed, buf_str(&all)) == 0) {
			break;
		}
		/* An address that was changed is seen a moment later in 3.x. */
		usleep(1000);
	}
	f->pending.is_everything = true;
	size_t before = f->n_operations;
	pass(f);
	assert_int_equal(f->n_operations, before);
	dump_files(f, &all);
	return buf_take(&all);
}

static void begin_order(struct fixture *f)
{
	static const struct model_options options = {
		.controller_name = "ours",
		.parameters_namespace = "n0",
		.can_use_external = true,
		.has_ssl_redirect = true,
	};

	pending_fini(&f->pending);
	model_free(f->model);
	store_free(f->dice.store);
	f->dice.store = store_new();
	f->model = model_new(&options);
	state_use_model(f->running.state, f->model);
	f->pending = (struct pending){.is_everything = true};
	pass(f);
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		assert_int_equal(f->test.applied->entries[map].n_items, 0);
	}
}

static char *run_order(struct fixture *f)
{
	size_t *order = mix(f);
	struct err err = {0};

	begin_order(f);
	for (size_t i = 0; i < f->n_events;) {
		for (unsigned n = 1 + pick(&f->dice, LONGEST_PASS); n > 0 && i < f->n_events; n--) {
			happen_again(f, &f->events[order[i++]]);
		}
		pass(f);
		if (one_in(&f->dice, 8) && !state_save(f->running.state, f->test.applied, &err)) {
			fail_msg("%s", err.text);
		}
	}
	free(order);
	return end_of_order(f);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void expect_same(const char *first, const char *other, unsigned order)
{
	size_t i = 0;

	while (first[i] != '\0' && first[i] == other[i]) {
		i++;
	}
	if (first[i] != other[i]) {
		size_t from = i > 200 ? i - 200 : 0;
		fail_msg("order %u ends elsewhere:\n--- first\n%.400s\n--- this\n%.400s", order,
			first + from, other + from);
	}
}

static void test_orders(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = number_from("HEADGATE_SEED", FIRST_SEED);
	unsigned n = (unsigned)number_from("HEADGATE_ORDERS", N_ORDERS);

	print_message("HEADGATE_SEED=%llu\n", (unsigned long long)seed);
	f->dice.random = seed * 0x9e3779b97f4a7c15u | 1;
	f->dice.has_variants = f->test.caps.can_add_backend;
	make_events(f, number_from("HEADGATE_EVENTS", N_EVENTS));
	CLEANUP(free_ptr) char *first = run_order(f);
	assert_true(strlen(first) > 1000);
	for (unsigned i = 2; i <= n; i++) {
		CLEANUP(free_ptr) char *other = run_order(f);
		expect_same(first, other, i);
	}
	print_message(
		"%zu events of %zu objects in %u orders, %zu operations: the same %zu bytes\n",
		f->n_events, f->n_objects, n, f->n_operations, strlen(first));
}

/* HAProxy says a line for every operation, which nobody would read. */
static void start_quietly(struct running *running)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int before = dup(STDERR_FILENO);

	assert_true(null >= 0 && before >= 0);
	dup2(null, STDERR_FILENO);
	running_start(running, true);
	running_wait(running, PROCESS_UP, 1);
	dup2(before, STDERR_FILENO);
	close(before);
	close(null);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	running_init(&f->running);
	start_quietly(&f->running);
	f->test.base = f->running.base;
	f->test.map_dir = state_map_dir(f->running.state);
	f->test.cli = cli_new(f->running.base, on_lost, &f->test);
	runtime_connect(&f->test, f->running.runtime_socket);
	if (!f->test.caps.can_add_backend) {
		reload_with_backends(f);
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	cli_free(f->test.cli);
	applied_free(f->test.applied);
	free(f->test.text);
	state_use_model(f->running.state, NULL);
	pending_fini(&f->pending);
	model_free(f->model);
	store_free(f->dice.store);
	for (size_t i = 0; i < f->n_events; i++) {
		object_free(f->events[i].object);
	}
	free(f->events);
	running_fini(&f->running);
	free(f);
	metrics_reset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_orders, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

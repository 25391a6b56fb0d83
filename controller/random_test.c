/*
 * Ten thousand random histories of a small cluster, full of conflicts, ties, mistakes and hostile
 * texts.
 *
 * After every few events the model is brought up to date, a plan is made for what changed, and two
 * simulated HAProxys carry it out: one that can add backends, where now and then requests keep a
 * server busy, and one that has to be reloaded. What must hold: the model equals one built from
 * nothing; every operation can be done when its turn comes, leads no request to nothing, and can be
 * written by haproxy/encode; afterwards HAProxy has exactly what is wanted; and what was reported
 * about each Ingress is what is wrong with it.
 *
 * HEADGATE_SEED and HEADGATE_SEQUENCES choose the histories; a failure prints the seed of its own,
 * with which HEADGATE_SEQUENCES=1 shows it again. Under the address sanitizer the default is a
 * tenth of the histories.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "haproxy/encode.h"
#include "model/diag.h"
#include "needs.h"
#include "pending.h"
#include "plan/plan_testing.h"
#include "random_testing.h"

#if defined(__SANITIZE_ADDRESS__)
#define N_SEQUENCES 1000
#else
#define N_SEQUENCES 10000
#endif
#define FIRST_SEED 20240501
#define N_STEPS	   12

/* Where the reports on what the operator asks for go: the default backend first, then the
 * certificate, each by flag and by key, in each namespace; behind them TCP ports, 90 and 91. */
#define REPORT_OPERATOR N_INGRESSES
#define REPORT_TCP	(REPORT_OPERATOR + 4 * N_NAMESPACES)
#define N_REPORTS	(REPORT_TCP + 2 * N_NAMESPACES)

struct machine {
	struct simulator simulator;
	struct pending pending;
	bool must_reload; /* a plan asked for it and it has not come */
};

struct world {
	struct dice dice;
	struct model_options options;
	struct model *model;
	struct machine live;
	struct machine reloading;
	bool is_draining; /* no server is busy any more */
	char *reports[N_REPORTS];
	char note[64];
};

/* ---- checks ---- */

static void expect_same(
	const struct world *world, const char *what, struct buf *expected, struct buf *actual)
{
	if (strcmp(buf_str(expected), buf_str(actual)) != 0) {
		fail_msg("%s: %s\n--- expected\n%s--- actual\n%s", world->note, what,
			buf_str(expected), buf_str(actual));
	}
	buf_fini(expected);
	buf_fini(actual);
}

static void check_rebuild(const struct world *world)
{
	struct model *fresh = model_new(&world->options);
	struct store_changes all = store_all_keys(world->dice.store);
	struct model_counts counts;
	struct model_counts fresh_counts;
	struct buf expected = BUF_INIT(0);
	struct buf actual = BUF_INIT(0);

	model_update(fresh, world->dice.store, &all);
	model_dump(fresh, &expected);
	model_dump(world->model, &actual);
	expect_same(world, "not the model that is built from nothing", &expected, &actual);
	model_count(fresh, &fresh_counts);
	model_count(world->model, &counts);
	assert_memory_equal(&counts, &fresh_counts, sizeof(counts));
	store_changes_fini(&all);
	model_free(fresh);
}

/* The reports in the order in which model_dump() has the diagnostics. */
static void check_reports(const struct world *world)
{
	struct buf expected = BUF_INIT(0);
	struct buf actual = BUF_INIT(0);
	struct buf dump = BUF_INIT(0);
	char *save;

	for (unsigned namespace = 0; namespace < N_NAMESPACES; namespace ++) {
		for (unsigned i = namespace; i < N_INGRESSES; i += N_NAMESPACES) {
			buf_append_str(&actual, world->reports[i] ? world->reports[i] : "");
		}
	}
	for (unsigned i = REPORT_OPERATOR; i < N_REPORTS; i++) {
		buf_append_str(&actual, world->reports[i] ? world->reports[i] : "");
	}
	model_dump(world->model, &dump);
	for (char *line = dump.data ? strtok_r(dump.data, "\n", &save) : NULL; line != NULL;
		line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "ingress ", 8) == 0) {
			buf_printf(&expected, "%s\n", line);
		}
	}
	expect_same(world, "not what was reported", &expected, &actual);
	buf_fini(&dump);
}

static unsigned report_of(const char *namespace, const char *name)
{
	unsigned is_key = strncmp(name, "data[", 5) == 0;
	unsigned is_certificate = strstr(name, "certificate") != NULL;

	if (strncmp(name, "data[9", 6) == 0) {
		return REPORT_TCP + (unsigned)(name[6] - '0') * N_NAMESPACES +
		       (unsigned)(namespace[1] - '0');
	}
	return name[0] == 'i' ? (unsigned)(name[1] - '0')
			      : REPORT_OPERATOR + (2 * is_certificate + is_key) * N_NAMESPACES +
					(unsigned)(namespace[1] - '0');
}

static void on_report(void *ctx, const char *namespace, const char *name, const struct diag *diags,
	size_t n_diags)
{
	struct world *world = ctx;
	struct buf text = BUF_INIT(0);
	unsigned i = report_of(namespace, name);

	assert_in_range(i, 0, N_REPORTS - 1);
	for (size_t j = 0; j < n_diags; j++) {
		buf_printf(&text, "ingress %s/%s %s %s: %s\n", namespace, name,
			diag_reason_names[diags[j].reason], diags[j].field, diags[j].text);
	}
	/* Only what is new is reported. */
	assert_string_not_equal(world->reports[i] ? world->reports[i] : "", buf_str(&text));
	free(world->reports[i]);
	world->reports[i] = buf_take(&text);
}

/* Backends that can't be removed without a reload stay behind, empty and unused. */
static void drop_leftovers(const struct simulator *simulator, struct applied *copy)
{
	for (int shard = 0; shard < APPLIED_SHARDS; shard++) {
		const struct applied_backend *backend;
		TABLE_FOREACH (&simulator->applied->backends[shard], backend) {
			if (backend->n_servers == 0 &&
				model_find_backend(simulator->model, backend->name) == NULL) {
				applied_add_backend(copy, backend->name);
			}
		}
	}
}

/* Servers that drain are there as long as they have been needed before. */
static void add_draining(const struct simulator *simulator, struct applied *copy)
{
	const struct model_backend *backend;
	uint32_t position = 0;

	while ((backend = model_next_backend(simulator->model, &position)) != NULL) {
		for (size_t i = 0; i < backend->n_servers; i++) {
			const struct model_server *server = &backend->servers[i];
			const struct applied_backend *have =
				applied_find_backend(simulator->applied, backend->name);
			if (server->is_draining && have != NULL &&
				applied_find_server(have, server->name) != NULL) {
				applied_set_server(copy, applied_find_backend(copy, backend->name),
					server->name, server->address, APPLIED_DRAIN);
			}
		}
	}
}

static void check_applied(const struct world *world, const struct machine *machine)
{
	struct applied *wanted = applied_from_model(world->model, machine->simulator.applied);
	struct buf expected = BUF_INIT(0);
	struct buf actual = BUF_INIT(0);

	if (!machine->simulator.caps.can_add_backend) {
		drop_leftovers(&machine->simulator, wanted);
	}
	add_draining(&machine->simulator, wanted);
	/* What HAProxy was started with is no operation's matter. */
	memcpy(wanted->settings, machine->simulator.applied->settings, sizeof(wanted->settings));
	applied_dump(wanted, &expected);
	applied_dump(machine->simulator.applied, &actual);
	expect_same(world, "HAProxy has not what is wanted", &expected, &actual);
	applied_free(wanted);
}

/* Whatever is missing or waits: no request is led to nothing. */
static void check_entries(const struct world *world, const struct simulator *simulator)
{
	static const enum model_map maps[] = {MODEL_MAP_EXACT, MODEL_MAP_PREFIX, MODEL_MAP_DEFAULTS,
		MODEL_MAP_AUTH, MODEL_MAP_CANARY, MODEL_MAP_TCP, MODEL_MAP_PASSTHROUGH};
	const struct applied_entry *entry;

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		TABLE_FOREACH (&simulator->applied->entries[maps[i]], entry) {
			if (!simulator_can_lead_to(
				    simulator, maps[i], applied_entry_value(entry))) {
				fail_msg("%s: %s leads to nothing", world->note,
					applied_entry_key(entry));
			}
			/* Connections and requests have backends of their own. */
			const char *value = applied_entry_value(entry);
			if (strcmp(value, MODEL_BACKEND_UNAVAILABLE) != 0 &&
				(strstr(value, ":tcp") != NULL) !=
					(maps[i] == MODEL_MAP_TCP ||
						maps[i] == MODEL_MAP_PASSTHROUGH)) {
				fail_msg("%s: %s leads to %s", world->note,
					applied_entry_key(entry), value);
			}
		}
	}
}

static void check_encoding(const struct world *world, const struct plan *plan)
{
	struct buf line = BUF_INIT(0);
	struct buf payload = {.is_secret = true};

	for (size_t i = 0; i < plan->n_ops; i++) {
		buf_clear(&line);
		if (!encode_op(&line, &plan->ops[i], "/maps")) {
			fail_msg("%s: operation %zu can't be written", world->note, i);
		}
		buf_clear(&payload);
		if (encode_has_payload(plan->ops[i].kind) &&
			!encode_payload(&payload, &plan->ops[i], "/maps")) {
			fail_msg("%s: payload of operation %zu can't be written", world->note, i);
		}
	}
	buf_fini(&line);
	buf_fini(&payload);
}

/* ---- passes ---- */

static bool is_busy(void *ctx)
{
	struct world *world = ctx;

	return !world->is_draining && one_in(&world->dice, 6);
}

static struct model_delta copy_delta(const struct model_delta *delta)
{
	struct model_delta copy = {
		.entries = xcalloc(delta->n_entries, sizeof(*copy.entries)),
		.n_entries = delta->n_entries,
		.backends = xcalloc(delta->n_backends, sizeof(*copy.backends)),
		.n_backends = delta->n_backends,
		.certificates = xcalloc(delta->n_certificates, sizeof(*copy.certificates)),
		.n_certificates = delta->n_certificates,
	};

	for (size_t i = 0; i < copy.n_entries; i++) {
		copy.entries[i].map = delta->entries[i].map;
		copy.entries[i].key = xstrdup(delta->entries[i].key);
	}
	for (size_t i = 0; i < copy.n_backends; i++) {
		copy.backends[i] = xstrdup(delta->backends[i]);
	}
	for (size_t i = 0; i < copy.n_certificates; i++) {
		copy.certificates[i] = xstrdup(delta->certificates[i]);
	}
	return copy;
}

/* What reconcile does in a pass. */
static void pass(struct world *world, struct machine *machine, struct model_delta *delta)
{
	struct simulator *simulator = &machine->simulator;
	struct plan plan = {0};

	pending_take(&machine->pending, delta);
	plan_make(&plan, world->model, simulator->applied, &simulator->caps,
		machine->pending.is_everything ? NULL : &machine->pending.delta);
	check_encoding(world, &plan);
	size_t n_busy = simulator_run(simulator, &plan);
	assert_false(pending_keep_busy(&machine->pending, &plan));
	check_entries(world, simulator);
	machine->must_reload = plan.reasons != 0;
	if (simulator->caps.can_add_backend) {
		assert_int_equal(plan.reasons & ~PLAN_REASONS_OF_SETTINGS, 0);
	}
	if (n_busy == 0 && plan.reasons == 0) {
		check_applied(world, machine);
	}
	plan_fini(&plan);
}

static void reload(struct world *world, struct machine *machine)
{
	simulator_reload(&machine->simulator);
	pending_fini(&machine->pending);
	machine->pending.is_everything = true;
	machine->must_reload = false;
	pass(world, machine, &(struct model_delta){0});
	assert_false(machine->must_reload);
}

static void reload_perhaps(struct world *world, struct machine *machine)
{
	if (machine->must_reload && one_in(&world->dice, 3)) {
		reload(world, machine);
	}
}

static void take_up(struct world *world)
{
	struct store_changes changes = store_take_changes(world->dice.store);

	model_update(world->model, world->dice.store, &changes);
	needs_follow(&(struct needs){0}, world->model, world->dice.store, &changes);
	store_changes_fini(&changes);
	model_report_diags(world->model, on_report, world);
	struct model_delta delta = model_take_delta(world->model);
	struct model_delta copy = copy_delta(&delta);
	pass(world, &world->live, &delta);
	pass(world, &world->reloading, &copy);
	reload_perhaps(world, &world->live);
	reload_perhaps(world, &world->reloading);
}

/* The controller forgets and reads back, as after a lost connection. */
static void forget(struct machine *machine)
{
	pending_fini(&machine->pending);
	machine->pending.is_everything = true;
}

static void step(struct world *world)
{
	for (unsigned n = 1 + pick(&world->dice, 4); n > 0; n--) {
		happen(&world->dice);
	}
	if (one_in(&world->dice, 20)) {
		forget(&world->live);
		forget(&world->reloading);
	}
	take_up(world);
	if (one_in(&world->dice, 8)) {
		check_rebuild(world);
		check_reports(world);
	}
}

/* ---- sequences ---- */

static void machine_init(struct machine *machine, struct world *world, bool can_add_backend)
{
	CLEANUP(free_ptr) char *settings = model_standard_settings();

	simulator_init(&machine->simulator, world->model, can_add_backend);
	model_digest_settings(machine->simulator.applied->settings, settings);
	machine->simulator.caps.has_late_cookies = !can_add_backend;
	machine->simulator.is_busy = is_busy;
	machine->simulator.ctx = world;
	machine->simulator.note = world->note;
	machine->pending.is_everything = true;
}

static void machine_fini(struct machine *machine)
{
	simulator_fini(&machine->simulator);
	pending_fini(&machine->pending);
}

static void world_init(struct world *world, uint64_t seed)
{
	*world = (struct world){
		.dice = {.random = seed * 0x9e3779b97f4a7c15u | 1, .has_variants = true}};
	snprintf(world->note, sizeof(world->note), "HEADGATE_SEED=%llu", (unsigned long long)seed);
	world->options.controller_name = "ours";
	world->options.parameters_namespace = "n0";
	if (one_in(&world->dice, 2)) {
		world->options.config_map_namespace = "n0";
		world->options.config_map_name = "m0";
	}
	if (one_in(&world->dice, 3)) {
		world->options.pages_namespace = "n0";
		world->options.pages_name = "m1";
	}
	if (one_in(&world->dice, 2)) {
		world->options.patterns_namespace = "n0";
		world->options.patterns_name = one_in(&world->dice, 2) ? "m1" : "m0";
	}
	if (one_in(&world->dice, 2)) {
		world->options.tcp_namespace = "n0";
		world->options.tcp_name = one_in(&world->dice, 2) ? "m0" : "m1";
		world->options.listeners = "--http-bind=:8080";
	}
	if (one_in(&world->dice, 4)) {
		world->options.ingress_class = "c0";
	}
	world->options.has_legacy_class = one_in(&world->dice, 2);
	world->options.can_use_external = one_in(&world->dice, 2);
	if (one_in(&world->dice, 3)) {
		world->options.default_namespace = "n0";
		world->options.default_service = "s0";
		world->options.default_port = one_in(&world->dice, 2) ? "80" : "http";
	}
	world->options.has_ssl_redirect = one_in(&world->dice, 2);
	world->options.has_passthrough = one_in(&world->dice, 2);
	if (one_in(&world->dice, 3)) {
		world->options.certificate_namespace = "n0";
		world->options.certificate_secret = "t0";
	}
	world->dice.store = store_new();
	world->model = model_new(&world->options);
	machine_init(&world->live, world, true);
	machine_init(&world->reloading, world, false);
}

static void world_fini(struct world *world)
{
	machine_fini(&world->live);
	machine_fini(&world->reloading);
	for (size_t i = 0; i < ARRAY_LEN(world->reports); i++) {
		free(world->reports[i]);
	}
	model_free(world->model);
	store_free(world->dice.store);
}

static void finish(struct world *world)
{
	world->is_draining = true;
	take_up(world);
	if (world->live.must_reload) {
		reload(world, &world->live);
	}
	if (world->reloading.must_reload) {
		reload(world, &world->reloading);
	}
	check_applied(world, &world->live);
	check_applied(world, &world->reloading);
	check_rebuild(world);
	check_reports(world);
}

/* Everything goes: nothing may be left anywhere. */
static void empty_world(struct world *world)
{
	struct model_counts counts;

	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		store_begin_list(world->dice.store, (enum kube_kind)kind);
		store_end_list(world->dice.store, (enum kube_kind)kind);
	}
	finish(world);
	model_count(world->model, &counts);
	assert_int_equal(counts.n_backends + counts.n_servers + counts.n_ingresses, 0);
	assert_int_equal(counts.n_entries[MODEL_MAP_HOSTS], 0);
	/* Gone, but still referred to: its last content stays. */
	assert_true(counts.n_certificates <= (world->options.certificate_secret ? 1 : 0));
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_histories(void **state)
{
	uint64_t first = number_from("HEADGATE_SEED", FIRST_SEED);
	uint64_t n = number_from("HEADGATE_SEQUENCES", N_SEQUENCES);

	(void)state;
	for (uint64_t i = 0; i < n; i++) {
		struct world world;
		world_init(&world, first + i);
		for (int j = 0; j < N_STEPS; j++) {
			step(&world);
		}
		finish(&world);
		if (one_in(&world.dice, 4)) {
			empty_world(&world);
		}
		world_fini(&world);
	}
	print_message("%llu histories from seed %llu\n", (unsigned long long)n,
		(unsigned long long)first);
}

/* The same objects, put in twenty other orders into other stores, one by one or at once. */
static void check_orders(struct world *world)
{
	struct store_changes all = store_all_keys(world->dice.store);
	size_t n = 0;
	struct object *objects[64];

	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		const struct object *object;
		uint32_t position = 0;
		while ((object = store_next(world->dice.store, (enum kube_kind)kind, &position)) !=
			NULL) {
			assert_true(n < ARRAY_LEN(objects));
			objects[n] = xmalloc(object->size);
			memcpy(objects[n++], object, object->size);
		}
	}
	for (int i = 0; i < 20; i++) {
		struct world other;
		world_init(&other, 1);
		other.options = world->options;
		model_free(other.model);
		other.model = model_new(&other.options);
		for (size_t j = n; j > 0; j--) {
			size_t k = pick(&world->dice, (unsigned)j);
			struct object *object = objects[k];
			objects[k] = objects[j - 1];
			objects[j - 1] = object;
			struct object *copy = xmalloc(object->size);
			memcpy(copy, object, object->size);
			store_put(other.dice.store, copy);
			if (i % 2 == 0) {
				struct store_changes changes = store_take_changes(other.dice.store);
				model_update(other.model, other.dice.store, &changes);
				store_changes_fini(&changes);
			}
		}
		struct store_changes changes = store_take_changes(other.dice.store);
		model_update(other.model, other.dice.store, &changes);
		store_changes_fini(&changes);
		struct buf expected = BUF_INIT(0);
		struct buf actual = BUF_INIT(0);
		model_dump(world->model, &expected);
		model_dump(other.model, &actual);
		expect_same(world, "another order gives another model", &expected, &actual);
		world_fini(&other);
	}
	for (size_t i = 0; i < n; i++) {
		free(objects[i]);
	}
	store_changes_fini(&all);
}

static void test_orders(void **state)
{
	uint64_t first = number_from("HEADGATE_SEED", FIRST_SEED);

	(void)state;
	for (uint64_t i = 0; i < 50; i++) {
		struct world world;
		world_init(&world, first + i);
		for (int j = 0; j < 30; j++) {
			happen(&world.dice);
		}
		take_up(&world);
		check_orders(&world);
		world_fini(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histories),
		cmocka_unit_test(test_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

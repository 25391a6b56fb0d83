/* Certificates that only the state directory has, as the controller was started after their Secrets
 * had become unusable. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "base/dir_testing.h"
#include "kube/secret_testing.h"
#include "last_good.h"
#include "model/diag.h"

/* What a Secret may have; each but BROKEN is for a.test. */
enum content { GOOD, RENEWED, EXPIRED, EXPIRED_LATER, EARLY, BROKEN, NOTHING, N_CONTENTS };

static char *data[N_CONTENTS];

static int make_data(void **unused)
{
	static const int periods[][2] = {[GOOD] = {-5000, 1000},
		[RENEWED] = {-4000, 2000},
		[EXPIRED] = {-5000, -200},
		[EXPIRED_LATER] = {-5000, -100},
		[EARLY] = {900, 5000}};
	EVP_PKEY *key = EVP_EC_gen("P-256");

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(periods); i++) {
		data[i] = testing_secret_data(&(struct testing_cert){.common_name = "x",
			.names = "DNS:a.test",
			.key = key,
			.from_seconds = periods[i][0],
			.to_seconds = periods[i][1]});
	}
	data[BROKEN] = xstrdup("'tls.crt':'','tls.key':'bm8='");
	EVP_PKEY_free(key);
	return 0;
}

static int free_data(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_CONTENTS; i++) {
		free(data[i]);
	}
	return 0;
}

/* What one controller knows. */
struct world {
	struct model_options options;
	struct store *store;
	struct model *model;
};

struct fixture {
	char directory[64];
	struct state *state;
	struct applied *applied; /* what HAProxy has; NULL = nothing was saved yet */
	struct world world;
};

static void world_init(struct world *world)
{
	world->options.controller_name = "ours";
	world->store = store_new();
	world->model = model_new(&world->options);
	testing_put(world->store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'c'},'spec':{'controller':'ours'}}");
}

static void world_fini(struct world *world)
{
	model_free(world->model);
	store_free(world->store);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err err = {0};

	snprintf(f->directory, sizeof(f->directory), "/tmp/headgate-last-good.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	f->state = state_open(f->directory, &err);
	assert_non_null(f->state);
	world_init(&f->world);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	world_fini(&f->world);
	applied_free(f->applied);
	state_close(f->state);
	testing_remove_dir(f->directory);
	free(f);
	return 0;
}

static void put_ingress(struct fixture *f, const char *secret, const char *hosts)
{
	testing_put(f->world.store, KUBE_INGRESS,
		"{'metadata':{'namespace':'ns','name':'i'},'spec':{'ingressClassName':'c','tls':[{"
		"'hosts':[%s],'secretName':'%s'}]}}",
		hosts, secret);
}

static void put(struct fixture *f, const char *secret, enum content content)
{
	if (content != NOTHING) {
		testing_put_secret(f->world.store, "ns", secret, data[content], TESTING_NOW);
	}
}

static void take_up(struct fixture *f)
{
	struct store_changes changes = store_take_changes(f->world.store);

	model_update(f->world.model, f->world.store, &changes);
	store_changes_fini(&changes);
}

/* Another certificate of the Secret s. */
#define OTHER "ns_s_0000000000000000"

/* HAProxy gets what is wanted, beside that one where `is_more`, and it is saved. */
static void save(struct fixture *f, bool is_more)
{
	struct applied *applied = applied_from_model(f->world.model, NULL);
	struct err err = {0};

	if (is_more) {
		applied_set_certificate(applied, OTHER, "b.test", NULL);
	}
	state_use_model(f->state, f->world.model);
	assert_true(state_save_all(f->state, applied, &err));
	state_use_model(f->state, NULL);
	applied_free(f->applied);
	f->applied = applied;
}

static size_t recall(struct fixture *f)
{
	struct last_good last_good = {f->world.store, f->world.model, f->state, false};

	assert_int_equal(last_good_recall(&last_good, f->applied, TESTING_NOW), 0);
	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		store_set_known(f->world.store, (enum kube_kind)kind);
	}
	take_up(f);
	/* Before HAProxy was read back. */
	assert_int_equal(last_good_recall(&last_good, NULL, TESTING_NOW), 0);
	size_t n = last_good_recall(&last_good, f->applied, TESTING_NOW);
	assert_int_equal(last_good_recall(&last_good, f->applied, TESTING_NOW), 0);
	return n;
}

/* Another controller, which knows nothing yet. */
static void restart(struct fixture *f)
{
	struct model_options options = f->world.options;

	world_fini(&f->world);
	f->world = (struct world){.options = options};
	world_init(&f->world);
}

/* By a controller that finds this version. */
static void save_version(struct fixture *f, enum content content, bool is_more)
{
	restart(f);
	put_ingress(f, "s", "'a.test'");
	put(f, "s", content);
	take_up(f);
	save(f, is_more);
}

/* The only certificate beside the default; "" = there is none. Owned. */
static char *only_name(const struct fixture *f)
{
	const struct model_certificate *one;
	char *name = xstrdup("");
	uint32_t position = 0;

	while ((one = model_next_certificate(f->world.model, &position)) != NULL) {
		if (strcmp(one->name, MODEL_CERTIFICATE_DEFAULT) != 0) {
			assert_string_equal(name, "");
			free(name);
			name = xstrdup(one->name);
		}
	}
	return name;
}

static void expect_diag(const struct fixture *f, enum diag_reason reason, const char *words)
{
	size_t n;
	struct diag *diags = model_ingress_diags(f->world.model, "ns", "i", &n);

	assert_int_equal(n, words != NULL);
	if (words != NULL) {
		assert_int_equal(diags[0].reason, reason);
		assert_non_null(strstr(diags[0].text, words));
	}
	model_free_diags(diags, n);
}

static void test_newest_version(void **state)
{
	static const char stays[] = "its last good certificate stays";
	static const char served[] = "it is served where there is no better one";
	static const char expired[] = "its last good certificate, which has expired, is served";
	static const struct {
		enum content saved;
		enum content newest;
		bool is_recalled;
		enum diag_reason reason;
		const char *words; /* NULL = nothing is said */
	} rows[] = {
		{GOOD, EXPIRED, true, DIAG_CERTIFICATE_EXPIRED, stays},
		{GOOD, EARLY, true, DIAG_CERTIFICATE_NOT_YET_VALID, stays},
		{GOOD, BROKEN, true, DIAG_CERTIFICATE_INVALID, stays},
		{GOOD, NOTHING, true, DIAG_SECRET_MISSING, stays},
		{GOOD, RENEWED, false, DIAG_REASON_COUNT, NULL},
		{GOOD, GOOD, false, DIAG_REASON_COUNT, NULL},
		/* It has expired meanwhile, too. */
		{EXPIRED, EXPIRED_LATER, false, DIAG_CERTIFICATE_EXPIRED, served},
		{EXPIRED_LATER, EXPIRED, true, DIAG_CERTIFICATE_EXPIRED, served},
		{EXPIRED, EARLY, true, DIAG_CERTIFICATE_NOT_YET_VALID, expired},
		{EXPIRED, BROKEN, true, DIAG_CERTIFICATE_INVALID, expired},
		{EARLY, NOTHING, true, DIAG_SECRET_MISSING, "which is not valid yet, is served"},
		{EXPIRED, EXPIRED, false, DIAG_CERTIFICATE_EXPIRED, served},
		{NOTHING, EXPIRED, false, DIAG_CERTIFICATE_EXPIRED, served},
		{NOTHING, NOTHING, false, DIAG_SECRET_MISSING, "create it"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		save_version(f, rows[i].saved, false);
		CLEANUP(free_ptr) char *before = only_name(f);

		restart(f);
		put_ingress(f, "s", "'a.test'");
		put(f, "s", rows[i].newest);
		assert_int_equal(recall(f), rows[i].is_recalled);
		CLEANUP(free_ptr) char *after = only_name(f);
		bool is_same = strcmp(before, after) == 0;
		assert_int_equal(is_same, rows[i].is_recalled || rows[i].saved == rows[i].newest);
		expect_diag(f, rows[i].reason, rows[i].words);
		assert_int_equal(recall(f), 0);

		/* A good one takes over, as always. */
		put(f, "s", RENEWED);
		take_up(f);
		expect_diag(f, DIAG_REASON_COUNT, NULL);
	}
}

/* One that is not valid yet waits beside it, until its time comes. */
static void test_early_takes_over(void **state)
{
	struct fixture *f = *state;

	save_version(f, GOOD, false);
	restart(f);
	put_ingress(f, "s", "'a.test'");
	put(f, "s", EARLY);
	assert_int_equal(recall(f), 1);
	const struct secret *secret = store_secret(f->world.store, "ns", "s");
	struct object *judged = secret_judge(secret, TESTING_NOW + 900);
	assert_non_null(judged);
	assert_int_equal(((const struct secret *)judged)->state, SECRET_GOOD);
	assert_int_equal(((const struct secret *)judged)->not_after, TESTING_NOW + 5000);
	object_free(judged);
}

/* Only what somebody refers to, and only what can be read. */
static void test_nothing_to_recall(void **state)
{
	struct fixture *f = *state;

	save_version(f, GOOD, false);
	CLEANUP(free_ptr) char *name = only_name(f);
	restart(f);
	assert_int_equal(recall(f), 0);
	put_ingress(f, "s2", "'a.test'");
	assert_int_equal(recall(f), 0);

	CLEANUP(free_ptr)
	char *path = xasprintf("%s/certs/%s.pem", state_map_dir(f->state), name);
	assert_int_equal(truncate(path, 100), 0);
	put_ingress(f, "s", "'a.test'");
	assert_int_equal(recall(f), 0);
}

/* HAProxy went on after the last save: what it has is newer than what is saved. */
static void test_saved_is_not_what_haproxy_has(void **state)
{
	static const enum content newest[] = {BROKEN, NOTHING, EXPIRED};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(newest); i++) {
		for (int is_half_made = 0; is_half_made < 2; is_half_made++) {
			save_version(f, GOOD, false);
			CLEANUP(free_ptr) char *name = only_name(f);
			if (is_half_made) {
				applied_set_certificate(f->applied, name, NULL, NULL);
			} else {
				applied_remove_certificate(f->applied, name);
			}
			applied_set_certificate(f->applied, OTHER, "a.test", NULL);
			restart(f);
			put_ingress(f, "s", "'a.test'");
			put(f, "s", newest[i]);
			assert_int_equal(recall(f), 0);
			assert_null(model_find_certificate(f->world.model, name));
			assert_int_equal(model_keeps_certificate(f->world.model, OTHER),
				newest[i] != EXPIRED);
		}
	}
}

/* Of several, as a change was cut off half-way, the one that lasts longest. */
static void test_best_of_several(void **state)
{
	static const enum content pairs[][2] = {
		{GOOD, RENEWED}, {RENEWED, GOOD}, {RENEWED, EXPIRED}, {EXPIRED, RENEWED}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		save_version(f, pairs[i][0], false);
		CLEANUP(free_ptr) char *name = only_name(f);
		CLEANUP(free_ptr)
		char *path = xasprintf("%s/certs/%s.pem", state_map_dir(f->state), name);
		CLEANUP(free_ptr)
		char *other = xasprintf("%s/certs/" OTHER ".pem", state_map_dir(f->state));
		assert_int_equal(rename(path, other), 0);
		/* The next generation takes it over. */
		save_version(f, pairs[i][1], true);

		restart(f);
		put_ingress(f, "s", "'a.test'");
		assert_int_equal(recall(f), 1);
		assert_int_equal(
			store_secret(f->world.store, "ns", "s")->not_after, TESTING_NOW + 2000);
	}
}

/* The name of the certificate ends in a hash of the Secret's. */
static void test_long_name(void **state)
{
	struct fixture *f = *state;
	char name[254];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	put_ingress(f, name, "'a.test'");
	put(f, name, GOOD);
	take_up(f);
	save(f, false);
	restart(f);
	put_ingress(f, name, "'a.test'");
	put(f, name, EXPIRED);
	assert_int_equal(recall(f), 1);
}

/* What clients were shown by default stays, if it is for the same names. */
static void test_default(void **state)
{
	struct fixture *f = *state;

	for (int is_other = 0; is_other < 2; is_other++) {
		CLEANUP(free_ptr) char *other = NULL;
		EVP_PKEY *key = EVP_EC_gen("P-256");
		other = testing_secret_data(&(struct testing_cert){
			.common_name = "x", .names = "DNS:b.test", .key = key});
		EVP_PKEY_free(key);
		f->world.options.certificate_namespace = "ns";
		f->world.options.certificate_secret = "d";
		restart(f);
		testing_put_secret(
			f->world.store, "ns", "d", is_other ? other : data[GOOD], TESTING_NOW);
		take_up(f);
		CLEANUP(free_ptr)
		char *print =
			xstrdup(model_find_certificate(f->world.model, MODEL_CERTIFICATE_DEFAULT)
					->fingerprint);
		save(f, false);

		restart(f);
		put(f, "d", EXPIRED);
		assert_int_equal(recall(f), !is_other);
		const struct model_certificate *one =
			model_find_certificate(f->world.model, MODEL_CERTIFICATE_DEFAULT);
		assert_int_equal(strcmp(one->fingerprint, print) == 0, !is_other);
		restart(f);
		put(f, "d", EXPIRED);
		applied_set_certificate(
			f->applied, MODEL_CERTIFICATE_DEFAULT, APPLIED_DEFAULT_HOSTS, "00");
		assert_int_equal(recall(f), 0); /* HAProxy's is newer than what is saved */
		restart(f);
		put(f, "d", GOOD);
		assert_int_equal(recall(f), 0);
		restart(f);
		assert_int_equal(recall(f), 0); /* HAProxy's stays without us */
	}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_newest_version),
		CASE(test_early_takes_over),
		CASE(test_nothing_to_recall),
		CASE(test_saved_is_not_what_haproxy_has),
		CASE(test_best_of_several),
		CASE(test_long_name),
		CASE(test_default),
	};

	return cmocka_run_group_tests(tests, make_data, free_data);
}

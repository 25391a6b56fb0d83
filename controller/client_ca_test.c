/* Authorities of clients from the ConfigMap to the disk: what settings they make, what stays of a
 * Secret that can't be used, also over a restart, and that HAProxy has no route before. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "base/dir_testing.h"
#include "kube/secret_testing.h"
#include "last_good.h"
#include "plan/plan.h"

static char *authorities[2]; /* of two */
static char *authority64[2];
static char *leaf_data;

struct fixture {
	char directory[64];
	struct state *state;
	struct model_options options;
	struct store *store;
	struct model *model;
};

static int make_authorities(void **unused)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(authorities); i++) {
		X509 *cert = testing_cert_new(&(struct testing_cert){.common_name = "ca",
			.key = key,
			.from_seconds = -5000,
			.to_seconds = 1000 + (int)i});
		authorities[i] = testing_cert_pem(cert);
		authority64[i] = testing_base64(authorities[i]);
		X509_free(cert);
	}
	leaf_data = testing_secret_data(&(struct testing_cert){.common_name = "x",
		.names = "DNS:a.test",
		.key = key,
		.from_seconds = -5000,
		.to_seconds = 1000});
	EVP_PKEY_free(key);
	return 0;
}

static int free_authorities(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(authorities); i++) {
		free(authorities[i]);
		free(authority64[i]);
	}
	free(leaf_data);
	return 0;
}

static void begin(struct fixture *f)
{
	f->options = (struct model_options){.controller_name = "ours",
		.config_map_namespace = "ns",
		.config_map_name = "settings"};
	f->store = store_new();
	f->model = model_new(&f->options);
	state_use_model(f->state, f->model);
}

static void end(struct fixture *f)
{
	state_use_model(f->state, NULL);
	model_free(f->model);
	store_free(f->store);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err err = {0};

	snprintf(f->directory, sizeof(f->directory), "/tmp/headgate-client-ca.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	f->state = state_open(f->directory, &err);
	assert_non_null(f->state);
	begin(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	end(f);
	state_close(f->state);
	testing_remove_dir(f->directory);
	free(f);
	return 0;
}

static void take_up(struct fixture *f)
{
	struct store_changes changes = store_take_changes(f->store);

	model_update(f->model, f->store, &changes);
	store_changes_fini(&changes);
}

static void say(struct fixture *f, const char *data)
{
	testing_put(f->store, KUBE_CONFIG_MAP,
		"{'metadata':{'namespace':'ns','name':'settings'},'data':{%s}}", data);
	take_up(f);
}

/* Members of `data`; NULL = the Secret goes. */
static void put(struct fixture *f, const char *type, const char *data)
{
	if (data == NULL) {
		store_remove(f->store, KUBE_SECRET, "infra", "ca");
	} else {
		testing_put(f->store, KUBE_SECRET,
			"{'metadata':{'namespace':'infra','name':'ca'},'type':'%s','data':{%s}}",
			type, data);
	}
	take_up(f);
}

static void put_authority(struct fixture *f, size_t i)
{
	CLEANUP(free_ptr) char *data = xasprintf("'ca.crt':'%s'", authority64[i]);

	put(f, "Opaque", data);
}

/* The file that the settings name has this content (NULL = an authority of nobody), and `fault` is
 * a part of what is said (NULL = nothing is). */
static void expect(const struct fixture *f, const char *content, const char *fault)
{
	struct model_file files[MODEL_MAX_FILES] = {0};

	assert_true(model_verifies_clients(f->model));
	assert_int_equal(model_settings_files(f->model, files), 1);
	if (content == NULL) {
		assert_null(files[0].content);
	} else {
		assert_non_null(files[0].content);
		assert_string_equal(files[0].content, content);
	}
	CLEANUP(free_ptr) char *line = xasprintf("HEADGATE_CLIENT_CA %s\n", files[0].name);
	assert_non_null(strstr(model_settings(f->model), line));
	const char *said = model_client_ca_fault(f->model);
	if (fault == NULL) {
		assert_null(said);
	} else {
		assert_non_null(said);
		if (strstr(said, fault) == NULL) {
			fail_msg("no '%s' in '%s'", fault, said);
		}
	}
}

static void expect_nobody_asked(const struct fixture *f)
{
	struct model_file files[MODEL_MAX_FILES] = {0};

	assert_false(model_verifies_clients(f->model));
	assert_int_equal(model_settings_files(f->model, files), 0);
	assert_null(model_client_ca_fault(f->model));
	assert_non_null(strstr(model_settings(f->model), "HEADGATE_CLIENT_CA none\n"));
	assert_true(model_is_standard(model_settings_digest(f->model)));
}

static void test_authorities(void **state)
{
	struct fixture *f = *state;
	char digest[MODEL_DIGEST_SIZE];

	expect_nobody_asked(f);
	say(f, "'client-ca':'infra/ca'");
	assert_true(model_needs_secret(f->model, "infra", "ca"));
	expect(f, NULL, "Secret infra/ca: there is no such Secret");
	put_authority(f, 0);
	expect(f, authorities[0], NULL);
	memcpy(digest, model_settings_digest(f->model), sizeof(digest));
	put_authority(f, 1);
	expect(f, authorities[1], NULL);
	assert_string_not_equal(digest, model_settings_digest(f->model));
	put(f, "Opaque", "'tls.crt':'bm8='");
	expect(f, authorities[1], "data[tls.crt] has no certificate");
	put(f, "Opaque", "'x':'bm8='");
	expect(f, authorities[1], "it has neither ca.crt nor tls.crt");
	put(f, "", NULL);
	expect(f, authorities[1], "there is no such Secret");
	put_authority(f, 0);
	expect(f, authorities[0], NULL);
	assert_string_equal(digest, model_settings_digest(f->model));
	say(f, "");
	expect_nobody_asked(f);
	assert_false(model_needs_secret(f->model, "infra", "ca"));
}

/* A certificate without ca.crt is its own authority, and what it was stays when it breaks. */
static void test_certificate(void **state)
{
	struct fixture *f = *state;

	say(f, "'client-ca':'infra/ca'");
	put(f, SECRET_TYPE_TLS, leaf_data);
	struct model_file files[MODEL_MAX_FILES] = {0};
	assert_int_equal(model_settings_files(f->model, files), 1);
	assert_non_null(files[0].content);
	assert_null(strstr(files[0].content, "PRIVATE KEY"));
	CLEANUP(free_ptr) char *chain = xstrdup(files[0].content);
	expect(f, chain, NULL);
	put(f, SECRET_TYPE_TLS, "'tls.crt':'','tls.key':'bm8='");
	expect(f, chain, "Secret infra/ca: ");
	/* Of a good certificate with a broken ca.crt the certificate is not meant. */
	CLEANUP(free_ptr) char *data = xasprintf("%s,'ca.crt':'bm8='", leaf_data);
	put(f, "", NULL);
	say(f, "");
	store_forget(f->store, KUBE_SECRET, "infra", "ca");
	say(f, "'client-ca':'infra/ca'");
	put(f, SECRET_TYPE_TLS, data);
	expect(f, NULL, "data[ca.crt] has no certificate");
}

static void test_no_reference(void **state)
{
	struct fixture *f = *state;

	say(f, "'client-ca':'in fra/ca'");
	expect(f, NULL, "names no Secret");
	say(f, "'client-ca':'ca'");
	assert_true(model_needs_secret(f->model, "ns", "ca"));
	say(f, "'client-ca':'infra/ca','client-crt-optional':'true'");
	expect(f, NULL, "there is no such Secret");
	assert_non_null(strstr(model_settings(f->model), "HEADGATE_CLIENT_VERIFY optional\n"));
	say(f, "'client-ca':'infra/ca','client-crt-optional':'perhaps'");
	assert_non_null(strstr(model_settings(f->model), "HEADGATE_CLIENT_VERIFY required\n"));
	say(f, "'client-ca':''");
	expect_nobody_asked(f);
}

/* ---- on disk ---- */

static char *read_authority(const struct fixture *f)
{
	char name[STATE_FILE_NAME_SIZE];
	struct buf pem = BUF_INIT(0);

	if (!state_read_client_ca(f->state, name, &pem)) {
		buf_fini(&pem);
		return NULL;
	}
	return buf_take(&pem);
}

static size_t count_files(const struct fixture *f)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/settings", f->directory);
	DIR *dir = opendir(path);
	const struct dirent *entry;
	size_t n = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		n += entry->d_name[0] != '.';
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return n;
}

static void try_settings(struct fixture *f)
{
	struct err err = {0};

	assert_true(state_try_settings(f->state, model_settings(f->model), &err));
}

/* HAProxy runs with them. */
static void settle(struct fixture *f)
{
	state_settle_settings(f->state, model_settings_digest(f->model), model_settings(f->model));
}

static void expect_on_disk(const struct fixture *f, const char *content, size_t n_files)
{
	CLEANUP(free_ptr) char *pem = read_authority(f);

	assert_int_equal(count_files(f), n_files);
	if (content == NULL) {
		assert_null(pem);
	} else {
		assert_non_null(pem);
		assert_string_equal(pem, content);
	}
}

static void test_files(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	expect_on_disk(f, NULL, 0);
	say(f, "'client-ca':'infra/ca'");
	try_settings(f);
	settle(f);
	CLEANUP(free_ptr) char *nobody = read_authority(f);
	assert_non_null(nobody);
	assert_non_null(strstr(nobody, "BEGIN CERTIFICATE"));
	assert_null(strstr(nobody, "PRIVATE KEY"));
	put_authority(f, 0);
	try_settings(f);
	/* Those before are still needed, should HAProxy not take these. */
	expect_on_disk(f, authorities[0], 2);
	settle(f);
	expect_on_disk(f, authorities[0], 1);
	put_authority(f, 1);
	try_settings(f);
	state_undo_settings(f->state);
	expect_on_disk(f, authorities[0], 1);
	try_settings(f);
	settle(f);
	expect_on_disk(f, authorities[1], 1);
	/* Another controller goes on; then somebody removes the files. */
	state_close(f->state);
	f->state = state_open(f->directory, &err);
	assert_non_null(f->state);
	state_use_model(f->state, f->model);
	settle(f);
	CLEANUP(free_ptr) char *folder = xasprintf("%s/settings", f->directory);
	testing_remove_dir(folder);
	expect_on_disk(f, NULL, 0);
	assert_true(state_check_settings(f->state, &err));
	expect_on_disk(f, authorities[1], 1);
	/* Somebody removes everything. */
	testing_remove_dir(f->directory);
	assert_true(state_reopen(f->state, &err));
	expect_on_disk(f, authorities[1], 1);
	say(f, "");
	try_settings(f);
	settle(f);
	expect_on_disk(f, NULL, 0);
}

static size_t recall(struct fixture *f)
{
	struct last_good last_good = {f->store, f->model, f->state, false};
	struct applied *applied = applied_new();

	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		store_set_known(f->store, (enum kube_kind)kind);
	}
	take_up(f);
	size_t n = last_good_recall(&last_good, applied, TESTING_NOW);
	applied_free(applied);
	return n;
}

static void test_restart(void **state)
{
	static const char *const versions[] = {NULL, "'ca.crt':'bm8='", "'x':'bm8='"};
	struct fixture *f = *state;

	say(f, "'client-ca':'infra/ca'");
	put_authority(f, 0);
	try_settings(f);
	settle(f);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		end(f);
		begin(f);
		say(f, "'client-ca':'infra/ca'");
		put(f, "Opaque", versions[i]);
		expect(f, NULL, "no client's certificate is good");
		assert_int_equal(recall(f), 1);
		expect(f, authorities[0], "meanwhile");
	}
	/* What was another Secret's is nobody else's. */
	end(f);
	begin(f);
	say(f, "'client-ca':'infra/other'");
	assert_int_equal(recall(f), 0);
	expect(f, NULL, "Secret infra/other");
	end(f);
	begin(f);
	say(f, "'client-ca':'infra/ca'");
	put_authority(f, 1);
	assert_int_equal(recall(f), 0);
	expect(f, authorities[1], NULL);
}

/* ---- the plan ---- */

static size_t plan(const struct fixture *f, const struct applied *applied, uint32_t *ret_reasons)
{
	const struct caps caps = {.can_add_backend = true};
	struct plan plan = {0};

	plan_make(&plan, f->model, applied, &caps, NULL);
	size_t n = plan.n_ops;
	*ret_reasons = plan.reasons;
	plan_fini(&plan);
	return n;
}

static void test_no_route_before(void **state)
{
	struct fixture *f = *state;
	struct applied *applied = applied_new();
	CLEANUP(free_ptr) char *standard = model_standard_settings();
	uint32_t reasons = 0;

	testing_put(f->store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'c'},'spec':{'controller':'ours'}}");
	testing_put(f->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'ns','name':'i'},'spec':{'ingressClassName':'c','rules':"
		"[{'host':'a.test','http':{'paths':[{'path':'/','pathType':'Prefix','backend':{"
		"'service':{'name':'s','port':{'number':80}}}}]}}]}}");
	take_up(f);
	model_digest_settings(applied->settings, standard);
	assert_true(plan(f, applied, &reasons) > 0);
	assert_int_equal(reasons, 0);
	say(f, "'client-ca':'infra/ca'");
	assert_int_equal(plan(f, applied, &reasons), 0);
	assert_int_equal(reasons, 1u << PLAN_REASON_SETTINGS);
	/* It has a route: that stays, and so do others. */
	applied_set_entry(applied, MODEL_MAP_HOSTS, "b.test", "b.test");
	assert_true(plan(f, applied, &reasons) > 0);
	assert_int_equal(reasons, 1u << PLAN_REASON_SETTINGS);
	/* It does what it should. */
	applied_remove_entry(applied, MODEL_MAP_HOSTS, "b.test");
	model_digest_settings(applied->settings, model_settings(f->model));
	assert_true(plan(f, applied, &reasons) > 0);
	assert_int_equal(reasons, 0);
	applied_free(applied);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_authorities, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_certificate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_reference, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_route_before, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, make_authorities, free_authorities);
}

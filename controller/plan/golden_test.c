/*
 * Golden cases: objects in, model and plans out, as text files that people read.
 *
 * Each folder of plan/golden/ is a case; README.md there says what the files are. GOLDEN_UPDATE=1
 * in the environment writes the expected files instead of comparing them: then read what `git diff`
 * shows before it is committed. Beside the comparison, what must be true of every case is checked:
 * the order of the objects changes nothing, what was planned leaves nothing to plan, and a plan for
 * what the model says has changed is the plan for everything.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "manifest/file.h"
#include "plan/plan.h"
#include "store/store.h"

#define MAX_CASES  200
#define MAX_TEXT   (1u << 20)
#define N_SHUFFLES 20

struct golden {
	char *dir;
	char *option_text;
	struct model_options options;
	const char *watched[4];
	struct store *store;
	struct model *model;
	struct applied *applied; /* what HAProxy has */
};

static const struct caps live = {.has_tls = true, .can_add_backend = true};
static const struct caps reloading = {.has_tls = true, .can_add_backend = false};

static char golden_dir[256];

/* ---- files ---- */

static char *path_of(const struct golden *golden, const char *file)
{
	return xasprintf("%s/%s", golden->dir, file);
}

/* NULL = there is no such file. */
static char *read_text(const struct golden *golden, const char *file)
{
	CLEANUP(free_ptr) char *path = path_of(golden, file);
	FILE *stream = fopen(path, "re");

	if (stream == NULL) {
		return NULL;
	}
	char *text = xcalloc(1, MAX_TEXT);
	size_t len = fread(text, 1, MAX_TEXT - 1, stream);
	assert_true(len < MAX_TEXT - 1);
	fclose(stream);
	return text;
}

static void write_text(const struct golden *golden, const char *file, const char *text)
{
	CLEANUP(free_ptr) char *path = path_of(golden, file);
	FILE *stream = fopen(path, "we");

	assert_non_null(stream);
	assert_true(fputs(text, stream) >= 0);
	assert_int_equal(fclose(stream), 0);
}

static void compare(const struct golden *golden, const char *file, const struct buf *actual)
{
	if (getenv("GOLDEN_UPDATE") != NULL) {
		write_text(golden, file, buf_str(actual));
		return;
	}
	CLEANUP(free_ptr) char *expected = read_text(golden, file);
	if (expected == NULL || strcmp(expected, buf_str(actual)) != 0) {
		fail_msg("%s/%s\n--- expected\n%s--- actual\n%s", golden->dir, file,
			expected ? expected : "(no file)\n", buf_str(actual));
	}
}

/* ---- cases ---- */

/* "namespace/name" */
static void split_name(char *value, const char **ret_namespace, const char **ret_name)
{
	*ret_namespace = strsep(&value, "/");
	*ret_name = value;
	assert_non_null(value);
}

/* Lines of key=value. */
static void read_options(struct golden *golden)
{
	struct model_options *options = &golden->options;
	char *save;

	options->controller_name = "headgate.dev/ingress-controller";
	options->has_ssl_redirect = true;
	golden->option_text = read_text(golden, "options.txt");
	if (golden->option_text == NULL) {
		return;
	}
	for (char *line = strtok_r(golden->option_text, "\n", &save); line != NULL;
		line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');
		assert_non_null(value);
		*value++ = '\0';
		if (strcmp(line, "ingress-class") == 0) {
			options->ingress_class = value;
		} else if (strcmp(line, "allow-external-name") == 0) {
			options->can_use_external = strcmp(value, "true") == 0;
		} else if (strcmp(line, "controller-name") == 0) {
			options->controller_name = value;
		} else if (strcmp(line, "legacy-class-annotation") == 0) {
			options->has_legacy_class = strcmp(value, "true") == 0;
		} else if (strcmp(line, "no-ssl-redirect") == 0) {
			options->has_ssl_redirect = strcmp(value, "true") != 0;
		} else if (strcmp(line, "enable-ssl-passthrough") == 0) {
			options->has_passthrough = strcmp(value, "true") == 0;
		} else if (strcmp(line, "default-certificate") == 0) {
			options->certificate_secret = value;
			options->certificate_namespace =
				strsep((char **)&options->certificate_secret, "/");
		} else if (strcmp(line, "parameters-namespace") == 0) {
			options->parameters_namespace = value;
		} else if (strcmp(line, "configmap") == 0) {
			split_name(
				value, &options->config_map_namespace, &options->config_map_name);
		} else if (strcmp(line, "configmap-errorfiles") == 0) {
			split_name(value, &options->pages_namespace, &options->pages_name);
		} else if (strcmp(line, "watch-namespace") == 0) {
			options->watched_namespaces = golden->watched;
			while (value != NULL) {
				assert_true(
					options->n_watched_namespaces < ARRAY_LEN(golden->watched));
				golden->watched[options->n_watched_namespaces++] =
					strsep(&value, ",");
			}
		} else if (strcmp(line, "configmap-patternfiles") == 0) {
			split_name(value, &options->patterns_namespace, &options->patterns_name);
		} else if (strcmp(line, "configmap-tcp-services") == 0) {
			split_name(value, &options->tcp_namespace, &options->tcp_name);
		} else if (strcmp(line, "listeners") == 0) {
			options->listeners = value;
		} else if (strcmp(line, "default-backend") == 0) {
			options->default_namespace = strsep(&value, "/");
			options->default_service = strsep(&value, ":");
			options->default_port = value;
			assert_non_null(value);
		} else {
			fail_msg("%s/options.txt: unknown key %s", golden->dir, line);
		}
	}
}

static struct manifest_file read_objects(const struct golden *golden, const char *file)
{
	CLEANUP(free_ptr) char *text = read_text(golden, file);
	struct manifest_file objects = {0};
	struct err err = {0};

	if (text != NULL && (!manifest_file_parse(text, strlen(text), &objects, &err) ||
				    objects.n_refusals > 0)) {
		fail_msg("%s/%s: %s", golden->dir, file, err.text);
	}
	return objects;
}

/* A list says nothing of Secrets that are no certificates. */
static void remove_others(struct store *store)
{
	const struct object *object;
	uint32_t position = 0;

	while ((object = store_next(store, KUBE_SECRET, &position)) != NULL) {
		const struct secret *secret = (const struct secret *)object;
		if (obj_has(secret->users) || obj_has(secret->users_fault)) {
			store_remove(
				store, KUBE_SECRET, object_namespace(object), object_name(object));
			position = 0;
		}
	}
}

/* The store has what the file has, and nothing else. */
static void list(struct store *store, struct manifest_file *objects)
{
	remove_others(store);
	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		store_begin_list(store, (enum kube_kind)kind);
	}
	for (size_t i = 0; i < objects->n_objects; i++) {
		store_put(store, objects->objects[i]);
		objects->objects[i] = NULL;
	}
	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		store_end_list(store, (enum kube_kind)kind);
	}
	manifest_file_fini(objects);
}

static void update(struct model *model, struct store *store)
{
	struct store_changes changes = store_take_changes(store);

	model_update(model, store, &changes);
	store_changes_fini(&changes);
}

static struct model *model_of(struct golden *golden, struct manifest_file *objects)
{
	struct model *model = model_new(&golden->options);

	store_free(golden->store);
	golden->store = store_new();
	list(golden->store, objects);
	update(model, golden->store);
	return model;
}

static struct model *model_of_file(struct golden *golden, const char *file)
{
	struct manifest_file objects = read_objects(golden, file);

	return model_of(golden, &objects);
}

static struct golden *golden_open(const char *name)
{
	struct golden *golden = xcalloc(1, sizeof(*golden));

	golden->dir = xasprintf("%s/%s", golden_dir, name);
	read_options(golden);
	struct model *before = model_of_file(golden, "before.yaml");
	CLEANUP(free_ptr) char *before_text = read_text(golden, "before.yaml");
	golden->applied = before_text ? applied_from_model(before, NULL) : applied_new();
	model_free(before);
	if (applied_find_certificate(golden->applied, MODEL_CERTIFICATE_DEFAULT) == NULL) {
		/* HAProxy always has one. */
		applied_set_certificate(golden->applied, MODEL_CERTIFICATE_DEFAULT,
			APPLIED_DEFAULT_HOSTS, "self-signed");
	}
	golden->model = model_of_file(golden, "objects.yaml");
	return golden;
}

static void golden_close(struct golden *golden)
{
	applied_free(golden->applied);
	model_free(golden->model);
	store_free(golden->store);
	free(golden->option_text);
	free(golden->dir);
	free(golden);
}

/* ---- texts ---- */

static struct buf plan_text(const struct model *model, const struct applied *applied,
	const struct caps *caps, const struct model_delta *delta)
{
	struct plan plan = {0};
	struct buf text = BUF_INIT(0);

	plan_make(&plan, model, applied, caps, delta);
	plan_dump(&plan, &text);
	plan_fini(&plan);
	return text;
}

static void expect_same(const struct golden *golden, const char *what, struct buf a, struct buf b)
{
	if (strcmp(buf_str(&a), buf_str(&b)) != 0) {
		fail_msg("%s: %s\n--- one\n%s--- other\n%s", golden->dir, what, buf_str(&a),
			buf_str(&b));
	}
	buf_fini(&a);
	buf_fini(&b);
}

static struct buf text_of(const char *text)
{
	struct buf buf = BUF_INIT(0);

	buf_append_str(&buf, text);
	return buf;
}

static struct buf model_text(const struct model *model)
{
	struct buf text = BUF_INIT(0);

	model_dump(model, &text);
	return text;
}

/* ---- the tests, each over all cases ---- */

static void check_files(struct golden *golden)
{
	struct buf model = model_text(golden->model);
	struct buf plan = plan_text(golden->model, golden->applied, &live, NULL);
	struct buf plan_reload = plan_text(golden->model, golden->applied, &reloading, NULL);

	compare(golden, "model.txt", &model);
	compare(golden, "plan.txt", &plan);
	compare(golden, "plan-reload.txt", &plan_reload);
	buf_fini(&model);
	buf_fini(&plan);
	buf_fini(&plan_reload);
}

static void check_noop(struct golden *golden)
{
	struct applied *applied = applied_from_model(golden->model, NULL);

	expect_same(golden, "something is left to do", text_of("noop\n"),
		plan_text(golden->model, applied, &live, NULL));
	expect_same(golden, "something is left to do without live backends", text_of("noop\n"),
		plan_text(golden->model, applied, &reloading, NULL));
	applied_free(applied);
}

/* Without the fingerprint, unless it is of the default: HAProxy's certificates are known by name.
 */
static void append_without_fingerprint(struct buf *buf, const char *line)
{
	static const char start[] = "certificate ";
	size_t name_len = strcspn(line + strlen(start), " ");
	const char *rest = line + strlen(start) + name_len;

	if (strncmp(line + strlen(start), MODEL_CERTIFICATE_DEFAULT " ", name_len + 1) != 0) {
		rest += strcspn(rest + 1, " ") + 1;
	}
	buf_printf(buf, "%s%.*s%s\n", start, (int)name_len, line + strlen(start), rest);
}

static bool has_end(const char *line, const char *end)
{
	size_t len = strlen(line);

	return len >= strlen(end) && strcmp(line + len - strlen(end), end) == 0;
}

/* Of the objects, not of HAProxy. */
static bool is_about_objects(const char *line)
{
	return strncmp(line, "ingress ", 8) == 0 || strncmp(line, "annotations ", 12) == 0 ||
	       strncmp(line, "client-ca ", 10) == 0 || strncmp(line, "error-pages ", 12) == 0 ||
	       strncmp(line, "patterns ", 9) == 0 || strncmp(line, "monitors ", 9) == 0 ||
	       strncmp(line, "tcp-services ", 13) == 0;
}

/* What HAProxy has is written like the model, diagnostics and what drains aside. */
static void check_applied(struct golden *golden)
{
	struct applied *applied = applied_from_model(golden->model, NULL);
	struct buf model = model_text(golden->model);
	struct buf text = BUF_INIT(0);
	struct buf expected = BUF_INIT(0);
	char *save;

	applied_dump(applied, &text);
	for (char *line = model.data ? strtok_r(model.data, "\n", &save) : NULL; line != NULL;
		line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "certificate ", 12) == 0) {
			append_without_fingerprint(&expected, line);
		} else if (!is_about_objects(line) && !has_end(line, " drain")) {
			buf_printf(&expected, "%s\n", line);
		}
	}
	expect_same(golden, "model and applied", expected, text);
	buf_fini(&model);
	applied_free(applied);
}

static void shuffle(struct manifest_file *objects, uint64_t *random)
{
	for (size_t i = objects->n_objects; i > 1; i--) {
		*random = *random * 6364136223846793005u + 1442695040888963407u;
		size_t j = (size_t)(*random >> 33) % i;
		struct object *object = objects->objects[i - 1];
		objects->objects[i - 1] = objects->objects[j];
		objects->objects[j] = object;
	}
}

/* All at once in another order, and one after the other in another order. */
static void check_order(struct golden *golden)
{
	uint64_t random = 1;

	for (int i = 0; i < N_SHUFFLES; i++) {
		struct manifest_file objects = read_objects(golden, "objects.yaml");
		shuffle(&objects, &random);
		struct model *model = model_new(&golden->options);
		struct store *store = store_new();
		for (size_t j = 0; j < objects.n_objects; j++) {
			store_put(store, objects.objects[j]);
			objects.objects[j] = NULL;
			update(model, store);
		}
		/* A model that nothing was put into has not looked yet. */
		update(model, store);
		expect_same(golden, "one after the other", model_text(golden->model),
			model_text(model));
		model_free(model);
		store_free(store);
		manifest_file_fini(&objects);

		objects = read_objects(golden, "objects.yaml");
		shuffle(&objects, &random);
		model = model_of(golden, &objects);
		expect_same(golden, "another order", model_text(golden->model), model_text(model));
		model_free(model);
	}
}

/* From before.yaml to objects.yaml in one model: what it says has changed is all that a plan needs.
 */
static void check_delta(struct golden *golden, const struct caps *caps)
{
	struct model *model = model_of_file(golden, "before.yaml");
	struct model_delta delta = model_take_delta(model);
	struct applied *applied = applied_from_model(model, NULL);
	struct manifest_file objects = read_objects(golden, "objects.yaml");

	model_delta_fini(&delta);
	list(golden->store, &objects);
	update(model, golden->store);
	delta = model_take_delta(model);
	expect_same(golden, "updated model", model_text(golden->model), model_text(model));
	expect_same(golden, "plan of the difference", plan_text(model, applied, caps, NULL),
		plan_text(model, applied, caps, &delta));
	model_delta_fini(&delta);
	applied_free(applied);
	model_free(model);
}

static void check_deltas(struct golden *golden)
{
	check_delta(golden, &live);
	check_delta(golden, &reloading);
}

static int is_case(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}

static void for_each_case(void (*check)(struct golden *golden))
{
	struct dirent **entries;
	int n = scandir(golden_dir, &entries, is_case, alphasort);

	assert_in_range(n, 20, MAX_CASES);
	for (int i = 0; i < n; i++) {
		struct golden *golden = golden_open(entries[i]->d_name);
		check(golden);
		golden_close(golden);
		free(entries[i]);
	}
	free(entries);
}

static void test_files(void **state)
{
	(void)state;
	for_each_case(check_files);
}

static void test_noop(void **state)
{
	(void)state;
	for_each_case(check_noop);
}

static void test_applied(void **state)
{
	(void)state;
	for_each_case(check_applied);
}

static void test_order(void **state)
{
	(void)state;
	for_each_case(check_order);
}

static void test_delta(void **state)
{
	(void)state;
	for_each_case(check_deltas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_noop),
		cmocka_unit_test(test_applied),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_delta),
	};
	char source[] = __FILE__;

	snprintf(golden_dir, sizeof(golden_dir), "%s/golden", dirname(source));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

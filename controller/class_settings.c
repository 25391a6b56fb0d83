/* See class_settings.h. Called by run.c. */
#include "class_settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "model/class.h"
#include "model/parameters.h"

/* Names of a namespace's ConfigMaps that are remembered; of more, the last ones are not. Those are
 * read when they change, or with the next list. */
#define MAX_PASSED_OVER 1000

struct class_settings {
	const struct model_options *options;
	struct store *store;
	const char *own_name;
	char **passed_over; /* names that nobody referred to when they came */
	size_t n_passed_over;
	char *faults;	  /* as logged last, a line each */
	struct buf found; /* the same, while classes are looked at */
};

struct class_settings *class_settings_new(
	const struct model_options *options, struct store *store, const char *own_name)
{
	struct class_settings *settings = xcalloc(1, sizeof(*settings));

	settings->options = options;
	settings->store = store;
	settings->own_name = own_name;
	settings->faults = xstrdup("");
	return settings;
}

static void forget_passed_over(struct class_settings *settings)
{
	for (size_t i = 0; i < settings->n_passed_over; i++) {
		free(settings->passed_over[i]);
	}
	free(settings->passed_over);
	settings->passed_over = NULL;
	settings->n_passed_over = 0;
}

void class_settings_free(struct class_settings *settings)
{
	if (settings == NULL) {
		return;
	}
	forget_passed_over(settings);
	free(settings->faults);
	free(settings);
}

static bool is_wanted(
	const struct class_settings *settings, const char *namespace, const char *name)
{
	const char *const own[] = {settings->own_name, settings->options->pages_name,
		settings->options->patterns_name, settings->options->tcp_name};

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (own[i] != NULL && strcmp(own[i], name) == 0) {
			return true;
		}
	}
	return parameters_refer_to(settings->options, settings->store, namespace, name);
}

static void pass_over(struct class_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->n_passed_over; i++) {
		if (strcmp(settings->passed_over[i], name) == 0) {
			return;
		}
	}
	if (settings->n_passed_over == MAX_PASSED_OVER) {
		return;
	}
	settings->passed_over =
		xreallocarray(settings->passed_over, settings->n_passed_over + 1, sizeof(char *));
	settings->passed_over[settings->n_passed_over++] = xstrdup(name);
}

bool class_settings_need(void *ctx, const char *namespace, const char *name)
{
	struct class_settings *settings = ctx;

	if (is_wanted(settings, namespace, name)) {
		return true;
	}
	pass_over(settings, name);
	return false;
}

static void on_fault(
	void *ctx, const struct ingress_class *class, const char *field, const char *text)
{
	struct class_settings *settings = ctx;
	struct buf line = BUF_INIT(0);

	buf_printf(&line, "%s %s: %s\n", object_name(&class->head), field, text);
	if (strstr(settings->faults, buf_str(&line)) == NULL) {
		log_line(LOG_WARN, text, "ingressclass", object_name(&class->head), "field", field,
			NULL);
	}
	buf_append_str(&settings->found, buf_str(&line));
	buf_fini(&line);
}

/* Each fault once, until it goes and comes back. */
static void report_faults(struct class_settings *settings)
{
	const struct object *object;
	uint32_t position = 0;

	while ((object = store_next(settings->store, KUBE_INGRESS_CLASS, &position)) != NULL) {
		const struct ingress_class *class = (const struct ingress_class *)object;
		if (class_has_our_controller(settings->options, class)) {
			option_set_free(parameters_read(
				settings->options, settings->store, class, on_fault, settings));
		}
	}
	if (settings->faults[0] != '\0' && settings->found.len == 0) {
		log_line(
			LOG_INFO, "nothing is wrong with the parameters of classes any more", NULL);
	}
	free(settings->faults);
	settings->faults = xstrdup(buf_str(&settings->found));
	buf_fini(&settings->found);
}

static bool misses_one(const struct class_settings *settings)
{
	const char *namespace = settings->options->parameters_namespace;

	for (size_t i = 0; namespace != NULL && i < settings->n_passed_over; i++) {
		if (is_wanted(settings, namespace, settings->passed_over[i])) {
			return true;
		}
	}
	return false;
}

bool class_settings_refresh(struct class_settings *settings)
{
	bool must_list = misses_one(settings);

	if (must_list) {
		/* What is not there yet is no fault. */
		forget_passed_over(settings);
		return true;
	}
	report_faults(settings);
	return false;
}

void class_settings_forget(struct class_settings *settings)
{
	size_t n = store_count(settings->store, KUBE_CONFIG_MAP);
	struct object **gone = xcalloc(n, sizeof(struct object *));
	const struct object *object;
	uint32_t position = 0;
	size_t n_gone = 0;

	while ((object = store_next(settings->store, KUBE_CONFIG_MAP, &position)) != NULL) {
		if (!class_settings_need(settings, object_namespace(object), object_name(object))) {
			gone[n_gone++] = (struct object *)object;
		}
	}
	for (size_t i = 0; i < n_gone; i++) {
		CLEANUP(free_ptr) char *namespace = xstrdup(object_namespace(gone[i]));
		CLEANUP(free_ptr) char *name = xstrdup(object_name(gone[i]));
		store_remove(settings->store, KUBE_CONFIG_MAP, namespace, name);
	}
	free(gone);
}

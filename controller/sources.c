/* See sources.h. */
#include "sources.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "kube/secret.h"

struct sources {
	struct sources_options options;
	struct reflector **reflectors;
	size_t n_reflectors;
	struct reflector *config_maps; /* NULL = there is no namespace for them */
	bool is_watching_others;
};

static void on_denied(
	void *ctx, const struct reflector_target *target, long status, const char *text)
{
	const struct sources_options *options = &((struct sources *)ctx)->options;

	/* Only the namespace of the default certificate is watched besides the others. It counts
	 * as empty until the reflector, which goes on asking, is allowed to see it. */
	if (status == 403 && target->kind == KUBE_SECRET && target->namespace != NULL &&
		!flags_watch(options->flags, target->namespace)) {
		(void)store_end_list_in(options->store, KUBE_SECRET, target->namespace);
	}
	options->on_denied(options->ctx, target, status, text);
}

static struct reflector *make_reflector(
	struct sources *sources, const struct reflector_target *target)
{
	const struct sources_options *options = &sources->options;
	struct reflector *reflector =
		reflector_new(options->base, options->client, options->store, target);

	reflector_on_denied(reflector, on_denied, sources);
	return reflector;
}

static struct reflector *keep_reflector(
	struct sources *sources, const struct reflector_target *target)
{
	struct reflector *reflector = make_reflector(sources, target);

	sources->reflectors = xreallocarray(
		sources->reflectors, sources->n_reflectors + 1, sizeof(struct reflector *));
	sources->reflectors[sources->n_reflectors++] = reflector;
	return reflector;
}

static void start_reflector(struct sources *sources, const struct reflector_target *target)
{
	struct reflector *reflector = keep_reflector(sources, target);

	if (target->kind == KUBE_SECRET) {
		reflector_set_need(reflector, secrets_wants, sources->options.secrets);
	}
	reflector_start(reflector);
}

/* In these namespaces; none = in all. */
static void watch_in(struct sources *sources, struct reflector_target target,
	const char *const *namespaces, size_t n)
{
	if (n == 0) {
		start_reflector(sources, &target);
		return;
	}
	store_split(sources->options.store, target.kind, namespaces, n);
	for (size_t i = 0; i < n; i++) {
		target.namespace = namespaces[i];
		start_reflector(sources, &target);
	}
}

/* In all namespaces, or in those of --watch-namespace. */
static void watch_namespaced(struct sources *sources, struct reflector_target target)
{
	const struct flags *flags = sources->options.flags;

	watch_in(sources, target, (const char *const *)flags->watch_namespaces,
		flags->n_watch_namespaces);
}

/* The controller's own one and those that classes refer to, all in one namespace. */
static void watch_config_maps(struct sources *sources)
{
	const struct sources_options *options = &sources->options;
	const char *namespace = options->flags->own_namespace;

	if (namespace == NULL) {
		store_set_known(options->store, KUBE_CONFIG_MAP);
		return;
	}
	sources->config_maps = make_reflector(sources,
		&(struct reflector_target){.kind = KUBE_CONFIG_MAP, .namespace = namespace});
	reflector_set_need(sources->config_maps, class_settings_need, options->class_settings);
	reflector_start(sources->config_maps);
}

struct sources *sources_start(const struct sources_options *options)
{
	struct sources *sources = xcalloc(1, sizeof(*sources));
	const char *selector = flags_get(options->flags, FLAG_INGRESS_SELECTOR);

	sources->options = *options;
	watch_namespaced(sources,
		(struct reflector_target){.kind = KUBE_INGRESS, .label_selector = selector});
	start_reflector(sources, &(struct reflector_target){.kind = KUBE_INGRESS_CLASS});
	watch_namespaced(sources, (struct reflector_target){.kind = KUBE_SERVICE});
	watch_namespaced(sources, (struct reflector_target){.kind = KUBE_ENDPOINT_SLICE});
	watch_config_maps(sources);
	return sources;
}

void sources_free(struct sources *sources)
{
	if (sources == NULL) {
		return;
	}
	for (size_t i = 0; i < sources->n_reflectors; i++) {
		reflector_free(sources->reflectors[i]);
	}
	free(sources->reflectors);
	reflector_free(sources->config_maps);
	free(sources);
}

/* Adds one that is not there; NULL is none. Returns how many there are now. */
static size_t add_namespace(const char **namespaces, size_t n, const char *namespace)
{
	for (size_t i = 0; i < n; i++) {
		if (namespace != NULL && strcmp(namespaces[i], namespace) == 0) {
			return n;
		}
	}
	namespaces[n] = namespace;
	return namespace != NULL ? n + 1 : n;
}

void sources_watch_certificates(struct sources *sources, const char *default_namespace)
{
	const struct flags *flags = sources->options.flags;
	size_t n = flags->n_watch_namespaces;
	CLEANUP(free_ptr) const char **namespaces = xcalloc(n + 2, sizeof(*namespaces));

	for (size_t i = 0; i < n; i++) {
		namespaces[i] = flags->watch_namespaces[i];
	}
	if (n > 0) {
		n = add_namespace(namespaces, n, flags->certificate_namespace);
		n = add_namespace(namespaces, n, default_namespace);
	}
	secrets_start(sources->options.secrets);
	watch_in(sources,
		(struct reflector_target){
			.kind = KUBE_SECRET, .field_selector = "type=" SECRET_TYPE_TLS},
		namespaces, n);
}

/* Which of them change, in a list and a watch of metadata. */
void sources_watch_others(struct sources *sources)
{
	const struct sources_options *options = &sources->options;
	const struct flags *flags = options->flags;
	size_t n = flags->n_watch_namespaces;
	struct reflector_target target = {
		.kind = KUBE_SECRET, .field_selector = SECRETS_OTHER_TYPES};

	if (sources->is_watching_others) {
		return;
	}
	sources->is_watching_others = true;
	for (size_t i = 0; i < (n > 0 ? n : 1); i++) {
		target.namespace = n > 0 ? flags->watch_namespaces[i] : NULL;
		struct reflector *reflector = keep_reflector(sources, &target);
		reflector_set_news(reflector, secrets_on_news, options->secrets);
		reflector_start(reflector);
	}
}

void sources_follow_classes(struct sources *sources, bool must_list)
{
	if (sources->config_maps == NULL) {
		return;
	}
	class_settings_forget(sources->options.class_settings);
	if (must_list) {
		reflector_free(sources->config_maps);
		watch_config_maps(sources);
	}
}

/* See operator.h. Called by build.c, tls.c and report.c. */
#include "model/operator.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/model_priv.h"
#include "model/route.h"

/* "--default-backend infra/errors:http", taken apart. */
struct wish {
	char *text; /* owned: what the others are in */
	const char *origin;
	const char *namespace;
	const char *name;
	const char *port; /* NULL = the first one */
};

static struct wish wish_parse(const char *text)
{
	struct wish wish = {.text = xstrdup(text)};
	char *rest = wish.text;

	wish.origin = strsep(&rest, " ");
	wish.namespace = strsep(&rest, "/");
	wish.name = strsep(&rest, ":");
	wish.port = rest;
	return wish;
}

/* Takes `by_flag`, which is NULL where the flag is not there. NULL = nobody wishes anything. */
static char *wish_text(
	const struct model *model, enum option_id option, const char *flag, char *by_flag)
{
	const struct option_set *own = model->own_options;
	const char *value = own != NULL ? own->values[option] : NULL;
	char *text = NULL;

	if (value != NULL && value[0] != '\0') {
		text = xasprintf("data[%s] %s", option_table[option].name, value);
	} else if (by_flag != NULL) {
		text = xasprintf("%s %s", flag, by_flag);
	}
	free(by_flag);
	return text;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static struct ingress_node *node_new(const struct wish *wish)
{
	struct ingress_node *node = xcalloc(1, sizeof(*node));

	node->namespace = xstrpair(wish->namespace, wish->origin, &node->name);
	node->created_seconds = INT64_MAX;
	return node;
}

/* NULL is fine. */
static void node_drop(struct model *model, const struct store *store, struct ingress_node *node)
{
	if (node != NULL) {
		model_touch_ingress(model, node->namespace, node->name);
		ingress_drop_claims(model, store, node);
		free(node->namespace);
		free(node);
	}
}

/* The claim that every other one goes before. */
static void enter_claim(struct model *model, const struct store *store, struct ingress_node *node,
	const struct wish *wish)
{
	char *end = NULL;
	long parsed = wish->port ? strtol(wish->port, &end, 10) : 0;
	/* A name may begin with digits. */
	bool is_number = wish->port != NULL && *end == '\0' && parsed > 0 && parsed <= UINT16_MAX;

	node->claims = xcalloc(1, sizeof(*node->claims));
	node->n_claims = 1;
	node->claims[0] = (struct claim){
		.ingress = node,
		.rule = CLAIM_DEFAULT_RULE,
		.is_fallback = true,
		.port_number = is_number ? (int32_t)parsed : 0,
		.port_name = wish->port != NULL && !is_number ? xstrdup(wish->port) : NULL,
	};
	claim_enter(model, store, &node->claims[0], wish->name, MODEL_MAP_DEFAULTS, ROUTE_ANY_HOST);
}

/* What is new comes before what was goes: where both lead to one backend, it stays. */
static void follow_backend(struct model *model, const struct store *store)
{
	const struct model_options *options = &model->options;
	char *text = wish_text(model, OPTION_DEFAULT_BACKEND_SERVICE, "--default-backend",
		options->default_service ? xasprintf("%s/%s:%s", options->default_namespace,
						   options->default_service, options->default_port)
					 : NULL);
	struct ingress_node *before = model->operator_default;

	if (same_text(text, model->backend_wish)) {
		free(text);
		return;
	}
	free(model->backend_wish);
	model->backend_wish = text;
	model->operator_default = NULL;
	if (text != NULL) {
		struct wish wish = wish_parse(text);
		model->operator_default = node_new(&wish);
		enter_claim(model, store, model->operator_default, &wish);
		free(wish.text);
	}
	node_drop(model, store, before);
}

static void follow_certificate(struct model *model, const struct store *store)
{
	const struct model_options *options = &model->options;
	char *text = wish_text(model, OPTION_SSL_CERTIFICATE, "--default-certificate",
		options->certificate_secret ? xasprintf("%s/%s", options->certificate_namespace,
						      options->certificate_secret)
					    : NULL);
	struct ingress_node *before = model->operator_certificate;
	struct wish wish = {0};

	if (same_text(text, model->certificate_wish)) {
		free(text);
		return;
	}
	free(model->certificate_wish);
	model->certificate_wish = text;
	model->operator_certificate = NULL;
	if (text != NULL) {
		wish = wish_parse(text);
		model->operator_certificate = node_new(&wish);
	}
	tls_set_default(model, store, wish.namespace, wish.name);
	node_drop(model, store, before);
	operator_touch_certificate(model);
	free(wish.text);
}

void operator_follow(struct model *model, const struct store *store)
{
	follow_backend(model, store);
	follow_certificate(model, store);
}

void operator_touch_certificate(struct model *model)
{
	struct ingress_node *node = model->operator_certificate;
	struct diag diag;

	if (node == NULL) {
		return;
	}
	model_free_diags(node->faults, node->n_faults);
	node->faults = NULL;
	node->n_faults = 0;
	if (tls_default_diag(model, &diag)) {
		model_add_fault(node, diag.reason, diag.field, diag.text);
	}
	model_touch_ingress(model, node->namespace, node->name);
}

const struct ingress_node *operator_find(
	const struct model *model, const char *namespace, const char *name)
{
	const struct ingress_node *const nodes[] = {
		model->operator_default, model->operator_certificate};

	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		if (nodes[i] != NULL && strcmp(nodes[i]->name, name) == 0 &&
			strcmp(nodes[i]->namespace, namespace) == 0) {
			return nodes[i];
		}
	}
	return NULL;
}

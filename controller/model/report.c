/* What is wrong with each Ingress, in words; and the text form of the whole model, which holds
 * them. See diag.h and model.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "model/model_priv.h"

const char *const diag_reason_names[DIAG_REASON_COUNT] = {
#define DIAG(id, reason, is_of_object) reason,
#include "model/diag.def"
};

const bool diag_is_of_object[DIAG_REASON_COUNT] = {
#define DIAG(id, reason, is_of_object) is_of_object,
#include "model/diag.def"
};

/* Where a claim stands in its object. */
static char *claim_field(const struct claim *claim, const char *member)
{
	if (claim->is_tcp) {
		return tcp_field(claim);
	}
	if (claim->rule == CLAIM_DEFAULT_RULE) {
		return xstrdup("spec.defaultBackend");
	}
	return xasprintf("spec.rules[%" PRIu32 "].http.paths[%" PRIu32 "].%s", claim->rule,
		claim->path, member);
}

/* What clients see of it. */
static const char *consequence(const struct claim *claim)
{
	return claim->is_tcp ? "connections are closed" : "requests get 503";
}

static struct diag taken_diag(const struct claim *claim)
{
	const struct claim *winner = claim->slot->claims;
	const struct ingress_node *owner = winner->ingress;
	char *field = claim_field(winner, "path");
	struct diag diag = {DIAG_PATH_TAKEN, claim_field(claim, "path"), NULL};

	if (owner == claim->ingress) {
		diag.text = xasprintf("asks for the same as %s of this Ingress, which goes first: "
				      "remove one of them",
			field);
	} else if (claim->slot->map == MODEL_MAP_DEFAULTS) {
		diag.text = xasprintf("Ingress %s/%s has one too and goes first, as the older "
				      "object or by its name: remove one of them",
			owner->namespace, owner->name);
	} else {
		diag.text = xasprintf(
			"host and path belong to Ingress %s/%s (%s), which goes first as the older "
			"object or by its name: use another host or path, or remove it there",
			owner->namespace, owner->name, field);
	}
	free(field);
	return diag;
}

static struct diag port_diag(const struct claim *claim)
{
	const struct service_node *service = claim->service;
	struct diag diag = {DIAG_PORT_MISSING, claim_field(claim, "backend.service.port"), NULL};

	if (claim->port_name == NULL && claim->port_number == 0) {
		diag.text = xasprintf("Service %s/%s has no TCP port: %s until it has",
			service->namespace, service->name, consequence(claim));
	} else if (claim->port_name != NULL) {
		diag.text = xasprintf("Service %s/%s has no TCP port named '%s': %s until it has",
			service->namespace, service->name, claim->port_name, consequence(claim));
	} else {
		diag.text = xasprintf("Service %s/%s has no TCP port %" PRId32 ": %s until it has",
			service->namespace, service->name, claim->port_number, consequence(claim));
	}
	return diag;
}

/* The route is right; is there something to send its requests to? */
static bool backend_diag(const struct claim *claim, struct diag *ret_diag)
{
	const struct service_node *service = claim->service;
	const struct backend_node *backend = claim->slot->backend;

	if (backend->external != NULL) {
		return false;
	}
	if (trust_diag(backend->trust, ret_diag)) {
		return true;
	}
	if (backend->refused != NULL) {
		*ret_diag = (struct diag){DIAG_ENDPOINT_REFUSED,
			claim_field(claim, "backend.service.name"),
			xasprintf("Service %s/%s has an endpoint at %s, a loopback, link-local, "
				  "multicast or unspecified address, which gets no requests: use "
				  "addresses of pods",
				service->namespace, service->name, backend->refused)};
		return true;
	}
	if (backend->public.n_servers == 0) {
		*ret_diag =
			(struct diag){DIAG_NO_ENDPOINTS, claim_field(claim, "backend.service.name"),
				xasprintf("Service %s/%s has no ready endpoint: %s until it "
					  "has; look at its selector and at its pods' readiness",
					service->namespace, service->name, consequence(claim))};
		return true;
	}
	return false;
}

static struct diag external_diag(const struct claim *claim)
{
	const struct service_node *service = claim->service;
	char *field = claim_field(claim, "backend.service.name");

	if (claim->status == CLAIM_EXTERNAL_NAME) {
		return (struct diag){DIAG_EXTERNAL_NAME, field,
			xasprintf("Service %s/%s has an externalName that is not a host name: "
				  "requests get 503 until it has; use lower-case letters, digits, "
				  "'-' and '.'",
				service->namespace, service->name)};
	}
	if (claim->is_tcp) {
		return (struct diag){DIAG_SERVICE_TYPE, field,
			xasprintf("Service %s/%s is of type ExternalName, which no TCP port leads "
				  "to: use a Service with endpoints",
				service->namespace, service->name)};
	}
	return (struct diag){DIAG_SERVICE_TYPE, field,
		xasprintf("Service %s/%s is of type ExternalName, which is not served: use a "
			  "Service with endpoints, or ask the operator for --allow-external-name",
			service->namespace, service->name)};
}

static char *missing_text(const struct claim *claim)
{
	const struct service_node *service = claim->service;

	if (service->is_unwatched) {
		return xasprintf("Service %s/%s: " MODEL_UNWATCHED_FAULT "; until then %s",
			service->namespace, service->name, consequence(claim));
	}
	return xasprintf("there is no Service %s/%s: %s until there is", service->namespace,
		service->name, consequence(claim));
}

static bool claim_diag(const struct claim *claim, struct diag *ret_diag)
{
	/* What is wrong with the Service is told at the path that connections go by. */
	if (claim->passes || claim->ends_tls) {
		return passthrough_diag(claim, ret_diag);
	}
	switch ((enum claim_status)claim->status) {
	case CLAIM_OK:
		return backend_diag(claim, ret_diag);
	case CLAIM_TAKEN:
		/* To stand behind rules, or behind an Ingress, is what these default backends are
		 * for. */
		if (claim->is_fallback && (claim->slot->map != MODEL_MAP_DEFAULTS ||
						  claim->ingress->created_seconds == INT64_MAX)) {
			return false;
		}
		*ret_diag = taken_diag(claim);
		return true;
	case CLAIM_NO_SERVICE:
		*ret_diag = (struct diag){DIAG_SERVICE_MISSING,
			claim_field(claim, "backend.service.name"), missing_text(claim)};
		return true;
	case CLAIM_SERVICE_TYPE:
	case CLAIM_EXTERNAL_NAME:
		*ret_diag = external_diag(claim);
		return true;
	case CLAIM_NO_PORT:
		*ret_diag = port_diag(claim);
		return true;
	}
	return false;
}

static size_t copy_diags(struct diag *to, const struct diag *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		to[i] = (struct diag){
			from[i].reason, xstrdup(from[i].field), xstrdup(from[i].text)};
	}
	return n;
}

/* Is this the first claim of its Ingress that names its Service? */
static bool is_first_of_service(const struct ingress_node *node, size_t claim)
{
	for (size_t i = 0; i < claim; i++) {
		if (node->claims[i].service == node->claims[claim].service) {
			return false;
		}
	}
	return true;
}

/* What is wrong with the annotations of the Services that an Ingress names. With NULL they are only
 * counted. */
static size_t copy_service_faults(const struct ingress_node *node, struct diag *to)
{
	size_t n = 0;

	for (size_t i = 0; i < node->n_claims; i++) {
		const struct service_node *service = node->claims[i].service;
		if (service->n_faults == 0 || !is_first_of_service(node, i)) {
			continue;
		}
		n += to ? copy_diags(to + n, service->faults, service->n_faults)
			: service->n_faults;
	}
	return n;
}

/* It is the same for all routes of an Ingress that are its own. */
static bool users_diag(const struct ingress_node *node, struct diag *ret_diag)
{
	for (size_t i = 0; i < node->n_claims; i++) {
		const struct slot *slot = node->claims[i].slot;
		if (slot->claims == &node->claims[i] && slot->policy != NULL) {
			return policies_users_diag(slot->policy->policy, ret_diag);
		}
	}
	return false;
}

static bool question_of(const struct policy_node *policy, struct diag *ret_diag)
{
	return auth_diag(policies_auth(policy), policies_is_of_class(policy), ret_diag);
}

static bool canary_of(const struct policy_node *policy, struct diag *ret_diag)
{
	return canary_diag(policies_canary(policy), ret_diag);
}

/* Of whom the Ingress's requests ask, or who takes some of them: all policies of an Ingress say the
 * same. */
static bool policy_diag(const struct ingress_node *node,
	bool (*diag_of)(const struct policy_node *, struct diag *), struct diag *ret_diag)
{
	for (size_t i = 0; i < node->n_claims; i++) {
		const struct slot *slot = node->claims[i].slot;
		if (slot->claims != &node->claims[i] || slot->policy == NULL) {
			continue;
		}
		if (diag_of(slot->policy->policy, ret_diag)) {
			return true;
		}
	}
	return false;
}

struct diag *model_collect_diags(const struct ingress_node *node, size_t *ret_n)
{
	struct diag *diags = xcalloc(node->n_faults + copy_service_faults(node, NULL) + 4 +
					     node->n_claims + 2 * node->n_tls_claims,
		sizeof(*diags));
	bool has_default_diag = false;
	size_t n = copy_diags(diags, node->faults, node->n_faults);

	n += copy_service_faults(node, diags + n);
	n += users_diag(node, &diags[n]);
	n += policy_diag(node, policies_patterns_diag, &diags[n]);
	n += policy_diag(node, question_of, &diags[n]);
	n += policy_diag(node, canary_of, &diags[n]);
	for (size_t i = 0; i < node->n_claims; i++) {
		bool is_default =
			node->claims[i].rule == CLAIM_DEFAULT_RULE && !node->claims[i].passes;
		/* The default backend has a claim for each rule, but its fault is one. */
		if (!(is_default && has_default_diag) && claim_diag(&node->claims[i], &diags[n])) {
			has_default_diag = has_default_diag || is_default;
			n++;
		}
	}
	n += tls_collect_diags(node, diags + n);
	*ret_n = n;
	return diags;
}

void model_free_diags(struct diag *diags, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(diags[i].field);
		free(diags[i].text);
	}
	free(diags);
}

static void free_report(struct report *report)
{
	free(report->key.namespace);
	free(report->key.name);
	model_free_diags(report->diags, report->n_diags);
	free(report);
}

static void free_key(struct ingress_key *key)
{
	free(key->namespace);
	free(key->name);
	free(key);
}

void model_free_reports(struct model *model)
{
	struct report *report;
	struct ingress_key *key;

	TABLE_FOREACH (&model->reported, report) {
		free_report(report);
	}
	table_fini(&model->reported);
	TABLE_FOREACH (&model->unreported, key) {
		free_key(key);
	}
	table_fini(&model->unreported);
	TABLE_FOREACH (&model->let_go, key) {
		free_key(key);
	}
	table_fini(&model->let_go);
}

static bool report_has_key(const void *item, const void *key_ptr)
{
	const struct report *report = item;
	const struct ingress_key *key = key_ptr;

	return strcmp(report->key.name, key->name) == 0 &&
	       strcmp(report->key.namespace, key->namespace) == 0;
}

static bool same_diags(const struct report *report, const struct diag *diags, size_t n)
{
	if (report->n_diags != n) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (report->diags[i].reason != diags[i].reason ||
			strcmp(report->diags[i].field, diags[i].field) != 0 ||
			strcmp(report->diags[i].text, diags[i].text) != 0) {
			return false;
		}
	}
	return true;
}

struct diag *model_ingress_diags(
	const struct model *model, const char *namespace, const char *name, size_t *ret_n)
{
	const struct ingress_node *node = model_find_ingress(model, namespace, name);

	*ret_n = 0;
	return node != NULL ? model_collect_diags(node, ret_n) : NULL;
}

static struct diag *current_diags(
	const struct model *model, const struct ingress_key *key, size_t *ret_n)
{
	const struct ingress_node *node = model_find_ingress(model, key->namespace, key->name);

	if (node == NULL) {
		node = operator_find(model, key->namespace, key->name);
	}
	if (node == NULL) {
		node = tcp_find(model, key->namespace, key->name);
	}
	if (node == NULL) {
		*ret_n = 0;
		return NULL;
	}
	return model_collect_diags(node, ret_n);
}

/* Remembers what is reported now; takes `diags`. */
static void remember(
	struct model *model, const struct ingress_key *key, struct diag *diags, size_t n)
{
	uint32_t hash = model_hash_pair(key->namespace, key->name);
	struct report *report = table_remove(&model->reported, hash, key, report_has_key);

	if (report != NULL) {
		free_report(report);
	}
	if (n == 0) {
		model_free_diags(diags, n);
		return;
	}
	report = xcalloc(1, sizeof(*report));
	report->key = (struct ingress_key){xstrdup(key->namespace), xstrdup(key->name)};
	report->diags = diags;
	report->n_diags = n;
	table_insert(&model->reported, hash, report);
}

static void report_one(
	struct model *model, const struct ingress_key *key, diag_fn report, void *ctx)
{
	uint32_t hash = model_hash_pair(key->namespace, key->name);
	const struct report *before = table_find(&model->reported, hash, key, report_has_key);
	size_t n;
	struct diag *diags = current_diags(model, key, &n);

	if (before ? same_diags(before, diags, n) : n == 0) {
		model_free_diags(diags, n);
		return;
	}
	report(ctx, key->namespace, key->name, diags, n);
	remember(model, key, diags, n);
}

static int compare_keys(const void *a, const void *b)
{
	const struct ingress_key *left = *(struct ingress_key *const *)a;
	const struct ingress_key *right = *(struct ingress_key *const *)b;
	int order = strcmp(left->namespace, right->namespace);

	return order != 0 ? order : strcmp(left->name, right->name);
}

void model_report_diags(struct model *model, diag_fn report, void *ctx)
{
	struct ingress_key **keys =
		(struct ingress_key **)table_sorted(&model->unreported, compare_keys);
	size_t n = model->unreported.n_items;

	table_fini(&model->unreported);
	for (size_t i = 0; i < n; i++) {
		report_one(model, keys[i], report, ctx);
		free_key(keys[i]);
	}
	free(keys);
}

void model_report_let_go(struct model *model, model_ingress_fn report, void *ctx)
{
	struct ingress_key **keys =
		(struct ingress_key **)table_sorted(&model->let_go, compare_keys);
	size_t n = model->let_go.n_items;

	table_fini(&model->let_go);
	for (size_t i = 0; i < n; i++) {
		/* It may have come back meanwhile. */
		if (!model_is_ours(model, keys[i]->namespace, keys[i]->name)) {
			report(ctx, keys[i]->namespace, keys[i]->name);
		}
		free_key(keys[i]);
	}
	free(keys);
}

void model_count_diags(const struct model *model, size_t ret_counts[DIAG_REASON_COUNT])
{
	const struct report *report;

	memset(ret_counts, 0, sizeof(*ret_counts) * DIAG_REASON_COUNT);
	TABLE_FOREACH (&model->reported, report) {
		for (size_t i = 0; i < report->n_diags; i++) {
			ret_counts[report->diags[i].reason]++;
		}
	}
}

void model_count_annotations(const struct model *model, size_t ret_counts[OPTION_VERDICT_COUNT])
{
	memcpy(ret_counts, model->n_verdicts, sizeof(model->n_verdicts));
}

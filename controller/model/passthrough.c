/* See passthrough.h. Called by build.c, report.c and explain.c. */
#include "model/passthrough.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "model/model_priv.h"
#include "model/route.h"

/* ---- options ---- */

static bool is_own(const struct ingress_node *node)
{
	return node->options != NULL && node->options->values[OPTION_SSL_PASSTHROUGH] != NULL;
}

static char *option_field(const struct ingress_node *node)
{
	return xstrdup(is_own(node) ? "metadata.annotations[headgate.dev/ssl-passthrough]"
				    : "ssl-passthrough of a ConfigMap");
}

static const char *value_of(const struct ingress_node *node, enum option_id option)
{
	const struct option_set *const sets[] = {
		node->options, node->class ? node->class->options : NULL};
	const char *value = option_first(option, sets, ARRAY_LEN(sets));

	return value != NULL && value[0] != '\0' ? value : NULL;
}

bool passthrough_is_wanted(const struct ingress_node *node)
{
	const char *value = value_of(node, OPTION_SSL_PASSTHROUGH);

	return value != NULL && strcmp(value, "true") == 0;
}

/* A rule about who may come in, which no connection can be asked about; OPTION_COUNT = none. */
static enum option_id find_access_rule(const struct ingress_node *node)
{
	int option = 0;

	while (option < OPTION_COUNT && !(option_is_access((enum option_id)option) &&
						value_of(node, (enum option_id)option) != NULL)) {
		option++;
	}
	return (enum option_id)option;
}

/* Why the Ingress can't have it, in words; NULL = it can. The caller frees them. */
static char *refusal(const struct model *model, const struct ingress_node *node)
{
	enum option_id rule = find_access_rule(node);

	if (!model->options.has_passthrough) {
		return xstrdup("TLS connections pass through with the controller's flag "
			       "--enable-ssl-passthrough only: until then TLS ends here; ask the "
			       "operator, or use server-ssl for TLS to the pods");
	}
	if (model_verifies_clients(model)) {
		return xstrdup("client-ca has every client verified here, so TLS ends here: remove "
			       "one of them, or use server-ssl for TLS to the pods");
	}
	if (sets_is_closed(node)) {
		return xstrdup("a rule about who may come in can't be read, so TLS ends here: "
			       "correct it, or remove it");
	}
	if (rule < OPTION_COUNT) {
		return xasprintf("%s can't hold for connections that pass through, so TLS ends "
				 "here: remove one of them",
			option_table[rule].name);
	}
	return NULL;
}

/* Is the option about requests alone? Where plain HTTP goes is what ssl-redirect is for. */
static bool is_about_requests(enum option_id option)
{
	char group = option_table[option].group;

	return (group != 0 && group != 'S') || option == OPTION_COOKIE_PERSISTENCE;
}

static void tell_of_requests(struct ingress_node *node)
{
	struct buf names = BUF_INIT(0);

	for (int i = 0; node->options != NULL && i < OPTION_COUNT; i++) {
		const char *value = node->options->values[i];
		if (value != NULL && value[0] != '\0' && is_about_requests((enum option_id)i)) {
			buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", option_table[i].name);
		}
	}
	if (names.len > 0) {
		model_add_fault(node, DIAG_PLAIN_HTTP_ONLY, option_field(node),
			xasprintf("TLS connections pass through, so these hold for plain HTTP "
				  "only: %s; remove them, or let TLS end here",
				buf_str(&names)));
	}
	buf_fini(&names);
}

void passthrough_judge(const struct model *model, struct ingress_node *node)
{
	char *text = NULL;

	node->bars = sets_is_closed(node) || find_access_rule(node) < OPTION_COUNT;
	if (!passthrough_is_wanted(node)) {
		return;
	}
	text = refusal(model, node);
	node->passes = text == NULL;
	if (node->passes) {
		tell_of_requests(node);
	} else {
		model_add_fault(node, DIAG_PASSTHROUGH_REFUSED, option_field(node), text);
	}
}

/* ---- claims ---- */

const struct claim *passthrough_find_bar(const struct claim *winner)
{
	const struct claim *claim = winner->passes ? winner->next_in_slot : NULL;

	while (claim != NULL && !(claim->bars && strcmp(claim->ingress->namespace,
							 winner->ingress->namespace) == 0)) {
		claim = claim->next_in_slot;
	}
	return claim;
}

bool passthrough_is_root(const struct claim *claim)
{
	const char *slash = strchr(claim->slot->key, '/');

	return !claim->is_tcp && slash != NULL && slash[1] == '\0';
}

void passthrough_enter(struct model *model, const struct store *store, struct ingress_node *node,
	const struct claim *root, uint32_t rule)
{
	const struct claim *near = root ? root : &node->claims[node->n_claims - 1];
	const char *host = near->slot->host->key;
	struct claim *claim = &node->claims[node->n_claims];

	if (!model->options.has_passthrough) {
		return;
	}
	if (strcmp(host, ROUTE_ANY_HOST) == 0) {
		if (node->passes) {
			model_add_fault(node, DIAG_PASSTHROUGH_REFUSED,
				xasprintf("spec.rules[%" PRIu32 "].host", rule),
				xstrdup("is missing, and connections are told apart by their host: "
					"TLS ends here; name one"));
		}
		return;
	}
	bool passes = node->passes && root != NULL;
	*claim = (struct claim){.ingress = node,
		.rule = passes ? root->rule : rule,
		.path = passes ? root->path : 0,
		.is_tcp = true,
		.bars = node->bars,
		.passes = passes,
		.ends_tls = !passes,
		.port_number = near->port_number,
		.port_name = near->port_name ? xstrdup(near->port_name) : NULL};
	node->n_claims++;
	claim_enter(model, store, claim, near->service->name, MODEL_MAP_PASSTHROUGH, host);
}

/* ---- what is to be said ---- */

/* The rule that a claim is of; a default backend's stands in the place of the path. */
static uint32_t rule_of(const struct claim *claim)
{
	return claim->rule == CLAIM_DEFAULT_RULE ? claim->path : claim->rule;
}

static void taken_diag(const struct claim *claim, const struct claim *winner, struct diag *ret_diag)
{
	const struct ingress_node *owner = winner->ingress;
	const char *host = claim->slot->key;

	*ret_diag = (struct diag){DIAG_PASSTHROUGH_TAKEN,
		xasprintf("spec.rules[%" PRIu32 "].host", rule_of(claim)),
		winner->ends_tls ? xasprintf("TLS for %s ends here, as Ingress %s/%s, which goes "
					     "first as the older object or by its name, has the "
					     "host and doesn't pass it through: let it ask for "
					     "ssl-passthrough, too, or use another host",
					   host, owner->namespace, owner->name)
				 : xasprintf("TLS connections for %s pass through to the pods of "
					     "Ingress %s/%s, which goes first as the older object "
					     "or by its name; plain HTTP alone gets here: use "
					     "another host, or remove the option there",
					   host, owner->namespace, owner->name)};
}

/* A path of the same Ingress and host that no connection is for; NULL = there is none. */
static const struct claim *find_other(const struct claim *claim)
{
	const struct ingress_node *node = claim->ingress;

	for (size_t i = 0; i < node->n_claims; i++) {
		const struct claim *other = &node->claims[i];
		if (!other->is_tcp && other->slot->host == claim->slot->host &&
			!passthrough_is_root(other)) {
			return other;
		}
	}
	return NULL;
}

/* Nobody's connections pass: said to the one who could otherwise have them, and to who asks, too.
 */
static bool barred_diag(const struct claim *claim, const struct claim *bar, struct diag *ret_diag)
{
	const struct ingress_node *owner = bar->ingress;

	if (claim->passes) {
		*ret_diag = (struct diag){DIAG_PASSTHROUGH_REFUSED,
			xasprintf("spec.rules[%" PRIu32 "].host", rule_of(claim)),
			xasprintf(
				"Ingress %s/%s has a rule about who may come in for %s, too, which "
				"can't hold for connections that pass through, so TLS ends here: "
				"remove one of them, or use another host",
				owner->namespace, owner->name, claim->slot->key)};
	}
	return claim->passes;
}

static bool winner_diag(const struct claim *claim, struct diag *ret_diag)
{
	const struct claim *other = find_other(claim);
	const struct service_node *service = claim->service;

	if (claim->status == CLAIM_SERVICE_TYPE) {
		*ret_diag = (struct diag){DIAG_SERVICE_TYPE,
			xasprintf("spec.rules[%" PRIu32 "].host", rule_of(claim)),
			xasprintf("Service %s/%s is of type ExternalName, which no TLS connection "
				  "passes through to: connections are closed; use a Service with "
				  "endpoints",
				service->namespace, service->name)};
		return true;
	}
	if (other != NULL) {
		*ret_diag = (struct diag){DIAG_PLAIN_HTTP_ONLY,
			xasprintf("spec.rules[%" PRIu32 "].http.paths[%" PRIu32 "].path",
				other->rule, other->path),
			xasprintf("TLS connections for %s pass through to what path / is for; "
				  "this path, and others of the host, is for plain HTTP only: "
				  "remove it, or use another host",
				claim->slot->key)};
	}
	return other != NULL;
}

bool passthrough_diag(const struct claim *claim, struct diag *ret_diag)
{
	const struct claim *winner = claim->slot->claims;
	const struct claim *bar = passthrough_find_bar(winner);

	if (bar != NULL) {
		return barred_diag(claim, bar, ret_diag);
	}
	if (winner->ingress != claim->ingress) {
		if (claim->ends_tls && winner->ends_tls) {
			return false;
		}
		taken_diag(claim, winner, ret_diag);
		return true;
	}
	if (winner != claim) {
		return false;
	}
	if (claim->passes) {
		return winner_diag(claim, ret_diag);
	}
	/* One that passes would go before it: no rule of the Ingress has a path for connections. */
	if (claim->ingress->passes) {
		*ret_diag = (struct diag){DIAG_PASSTHROUGH_REFUSED,
			xasprintf("spec.rules[%" PRIu32 "].host", rule_of(claim)),
			xasprintf("%s has no path /, which connections go where: TLS ends here; "
				  "name one",
				claim->slot->key)};
	}
	return claim->ingress->passes;
}

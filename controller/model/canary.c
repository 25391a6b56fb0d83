/* See canary.h. */
#include "model/canary.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "model/model_priv.h"

/* Its port is `port`, where it is a number, or the one with that name. */
static struct endpoints_reference reference_of(const struct canary *canary)
{
	bool is_number = isdigit((unsigned char)canary->port[0]) &&
			 canary->port[strspn(canary->port, "0123456789")] == '\0';

	return (struct endpoints_reference){
		is_number ? (int32_t)strtol(canary->port, NULL, 10) : 0, canary->port};
}

static void find_backend(struct model *model, const struct store *store, struct canary *canary,
	struct ingress_node *ingress)
{
	static const enum canary_status statuses[] = {
		[ENDPOINTS_OK] = CANARY_OK,
		[ENDPOINTS_NO_SERVICE] = CANARY_NO_SERVICE,
		[ENDPOINTS_SERVICE_TYPE] = CANARY_SERVICE_TYPE,
		[ENDPOINTS_EXTERNAL_NAME] = CANARY_EXTERNAL_NAME,
		[ENDPOINTS_NO_PORT] = CANARY_NO_PORT,
	};
	struct service_node *node = canary->follower.service;
	const struct claim claim = {.ingress = ingress, .service = node};
	int32_t port;

	canary->status =
		statuses[endpoints_find_port(store_service(store, node->namespace, node->name),
			reference_of(canary), model->options.can_use_external, &port)];
	if (canary->status == CANARY_OK) {
		canary->follower.backend = backend_take(model, store, &claim, port);
	}
}

static void append_member(struct buf *members, enum option_id option, const char *text)
{
	if (text == NULL || *text == '\0') {
		return;
	}
	buf_printf(members, "%s\"%s\":", members->len > 0 ? "," : "", option_table[option].name);
	json_append_text(members, text, JSON_TEXT_WHOLE);
}

static char *encode(const char *text)
{
	size_t len = strlen(text);
	char *encoded = xmalloc(4 * ((len + 2) / 3) + 1);

	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text, (int)len);
	return encoded;
}

static char *make_value(const struct backend_node *backend, const struct option_set *set)
{
	const char *weight = set->values[OPTION_CANARY_WEIGHT];
	const char *header = set->values[OPTION_CANARY_BY_HEADER];
	const char *expected = set->values[OPTION_CANARY_BY_HEADER_VALUE];
	struct buf members = BUF_INIT(0);

	append_member(&members, OPTION_CANARY_BY_HEADER, header);
	if (header != NULL && expected != NULL) {
		CLEANUP(free_ptr) char *encoded = encode(expected);
		append_member(&members, OPTION_CANARY_BY_HEADER_VALUE, encoded);
	}
	append_member(&members, OPTION_CANARY_BY_COOKIE, set->values[OPTION_CANARY_BY_COOKIE]);
	char *value = xasprintf("%s|%s%s%s%s", backend->public.name,
		weight != NULL && *weight != '\0' ? weight : "0", members.len > 0 ? "|{" : "",
		members.len > 0 ? members.data : "", members.len > 0 ? "}" : "");
	buf_fini(&members);
	return value;
}

struct canary *canary_make(struct model *model, const struct store *store,
	struct policy_node *policy, struct ingress_node *ingress, struct canary *old)
{
	const struct option_set *set = ingress ? ingress->options : NULL;
	const char *text = set ? set->values[OPTION_CANARY_SERVICE] : NULL;
	struct canary *canary = NULL;

	if (text != NULL && *text != '\0') {
		size_t len = strcspn(text, ":");
		CLEANUP(free_ptr) char *name = xstrndup(text, len);
		canary = xcalloc(1, sizeof(*canary));
		canary->port = xstrdup(text + len + 1);
		canary->follower.policy = policy;
		canary->follower.service = service_take(model, store, ingress->namespace, name);
		follower_enter(&canary->follower);
		find_backend(model, store, canary, ingress);
		if (canary->follower.backend != NULL) {
			canary->value = make_value(canary->follower.backend, set);
		}
	}
	model->n_canaries += canary_value(canary) != NULL;
	/* Taken before released, so that a backend that stays is never dropped in between. */
	canary_free(model, old);
	return canary;
}

void canary_free(struct model *model, struct canary *canary)
{
	if (canary == NULL) {
		return;
	}
	model->n_canaries -= canary_value(canary) != NULL;
	follower_leave(model, &canary->follower);
	free(canary->value);
	free(canary->port);
	free(canary);
}

const char *canary_value(const struct canary *canary)
{
	return canary != NULL ? canary->value : NULL;
}

/* The Service and its port are there; is there a pod? */
static bool backend_diag(const struct canary *canary, struct diag *ret_diag)
{
	const struct backend_node *backend = canary->follower.backend;
	const struct service_node *service = canary->follower.service;

	if (backend->external != NULL || backend->public.n_servers > 0) {
		return false;
	}
	ret_diag->reason = DIAG_NO_ENDPOINTS;
	ret_diag->text = xasprintf("Service %s/%s has no ready endpoint: it gets no requests until "
				   "it has; look at its selector and at its pods' readiness",
		service->namespace, service->name);
	return true;
}

bool canary_diag(const struct canary *canary, struct diag *ret_diag)
{
	struct diag diag = {0};

	if (canary == NULL || (canary->status == CANARY_OK && !backend_diag(canary, &diag))) {
		return false;
	}
	const struct service_node *service = canary->follower.service;
	switch (canary->status) {
	case CANARY_OK:
		break;
	case CANARY_NO_SERVICE:
		diag.reason = DIAG_SERVICE_MISSING;
		diag.text = xasprintf("there is no Service %s/%s: it gets no requests until there "
				      "is",
			service->namespace, service->name);
		break;
	case CANARY_SERVICE_TYPE:
		diag.reason = DIAG_SERVICE_TYPE;
		diag.text = xasprintf("Service %s/%s is of type ExternalName, which is not served: "
				      "use a Service with endpoints, or ask the operator for "
				      "--allow-external-name",
			service->namespace, service->name);
		break;
	case CANARY_EXTERNAL_NAME:
		diag.reason = DIAG_EXTERNAL_NAME;
		diag.text = xasprintf("Service %s/%s has an externalName that is not a host name: "
				      "it gets no requests until it has; use lower-case letters, "
				      "digits, '-' and '.'",
			service->namespace, service->name);
		break;
	case CANARY_NO_PORT:
		diag.reason = DIAG_PORT_MISSING;
		diag.text = xasprintf(
			"Service %s/%s has no TCP port %s: it gets no requests until it has",
			service->namespace, service->name, canary->port);
		break;
	}
	diag.field = xstrdup("metadata.annotations[headgate.dev/canary-service]");
	*ret_diag = diag;
	return true;
}

/* See auth.h. */
#include "model/auth.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "model/model_priv.h"
#include "model/route.h"

/* A URL in parts, borrowed from it. */
struct place {
	bool is_https;
	const char *host;
	size_t host_len;
	int32_t port;
};

/* `url` is canonical (option/value.h). */
static struct place read_url(const char *url)
{
	struct place place = {.is_https = strncmp(url, "https:", 6) == 0};

	place.host = strstr(url, "//") + 2;
	place.host_len = strcspn(place.host, ":/");
	place.port = place.is_https ? 443 : 80;
	if (place.host[place.host_len] == ':') {
		place.port = (int32_t)strtol(place.host + place.host_len + 1, NULL, 10);
	}
	return place;
}

/* "web.shop.svc" or "web.shop.svc.cluster.local". The caller frees *ret_namespace, which the name
 * is in the block of. */
static bool read_service(const struct place *place, char **ret_namespace, char **ret_name)
{
	CLEANUP(free_ptr) char *host = xstrndup(place->host, place->host_len);
	char *dot = strchr(host, '.');
	char *end = dot ? strchr(dot + 1, '.') : NULL;

	if (end == NULL || (strcmp(end, ".svc") != 0 && strcmp(end, ".svc.cluster.local") != 0)) {
		return false;
	}
	*dot = '\0';
	*end = '\0';
	if (!route_is_label(host) || !route_is_label(dot + 1)) {
		return false;
	}
	*ret_namespace = xstrpair(dot + 1, host, ret_name);
	return true;
}

/* Is this one of "a,b,c", or are all? */
static bool has_name(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (list != NULL && *list != '\0') {
		size_t item_len = strcspn(list, ",");
		if ((item_len == 1 && *list == '*') ||
			(item_len == len && strncmp(list, name, len) == 0)) {
			return true;
		}
		list += item_len + (list[item_len] == ',');
	}
	return false;
}

static bool is_allowed(const struct auth_owner *owner, const struct service_node *service)
{
	const struct option_set *const own[] = {service->options};
	/* The operator's own word, which an Ingress does not change. */
	const struct option_set *ingress =
		owner->n_sets > 1 ? owner->sets[owner->n_sets - 2] : NULL;
	bool is_operators = ingress == NULL || ingress->values[OPTION_AUTH_URL] == NULL;

	return is_operators || owner->namespace == NULL ||
	       strcmp(owner->namespace, service->namespace) == 0 ||
	       has_name(option_first(OPTION_AUTH_NAMESPACES, own, 1), owner->namespace);
}

/* The backend that a rule without options would have, but for TLS, which the URL may ask for. */
static struct backend_node *take_backend(struct model *model, const struct store *store,
	const struct auth *auth, const struct auth_owner *owner, bool is_https)
{
	struct option_set options = {0};
	char is_true[] = "true";
	struct ingress_node ingress = {.class = owner->class, .options = &options};
	const struct claim claim = {.ingress = &ingress, .service = auth->follower.service};

	options.values[OPTION_SERVER_SSL] = is_https ? is_true : NULL;
	return backend_take(model, store, &claim, auth->port);
}

static enum auth_status find_service(struct model *model, const struct store *store,
	struct auth *auth, const struct auth_owner *owner, bool is_https)
{
	static const enum auth_status statuses[] = {
		[ENDPOINTS_OK] = AUTH_OK,
		[ENDPOINTS_NO_SERVICE] = AUTH_NO_SERVICE,
		[ENDPOINTS_SERVICE_TYPE] = AUTH_SERVICE_TYPE,
		[ENDPOINTS_NO_PORT] = AUTH_NO_PORT,
		[ENDPOINTS_EXTERNAL_NAME] = AUTH_SERVICE_TYPE,
	};
	const struct service_node *node = auth->follower.service;
	int32_t port;

	/* Before anything is said about what another namespace has. */
	if (!is_allowed(owner, node)) {
		return AUTH_NOT_ALLOWED;
	}
	enum auth_status status =
		statuses[endpoints_find_port(store_service(store, node->namespace, node->name),
			(struct endpoints_reference){auth->port, NULL},
			model->options.can_use_external, &port)];
	if (status == AUTH_OK) {
		auth->follower.backend = take_backend(model, store, auth, owner, is_https);
	}
	return status;
}

static void append_members(struct buf *value, const struct auth_owner *owner)
{
	static const enum option_id options[] = {OPTION_AUTH_URL, OPTION_AUTH_METHOD,
		OPTION_AUTH_TIMEOUT, OPTION_AUTH_CACHE, OPTION_AUTH_SIGNIN,
		OPTION_AUTH_RESPONSE_HEADERS, OPTION_AUTH_REQUEST_HEADERS};

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const char *text = option_first(options[i], owner->sets, owner->n_sets);
		if (text == NULL || *text == '\0') {
			continue;
		}
		buf_printf(value, "%s\"%s\":", i > 0 ? "," : "", option_table[options[i]].name);
		json_append_text(value, text, JSON_TEXT_WHOLE);
	}
}

static char *make_value(
	const struct auth *auth, const struct auth_owner *owner, const struct place *place)
{
	struct buf value = BUF_INIT(0);

	buf_printf(&value, "%s|",
		auth->follower.backend ? auth->follower.backend->public.name
				       : MODEL_BACKEND_EXTERNAL);
	if (auth->follower.service == NULL) {
		buf_printf(&value, "%.*s:%" PRId32 "%s", (int)place->host_len, place->host,
			place->port, place->is_https ? ":https" : "");
	}
	buf_append_str(&value, "|{");
	append_members(&value, owner);
	buf_append_char(&value, '}');
	return buf_take(&value);
}

struct auth *auth_make(struct model *model, const struct store *store,
	const struct auth_owner *owner, struct auth *old)
{
	const char *url = option_first(OPTION_AUTH_URL, owner->sets, owner->n_sets);
	struct auth *auth = NULL;

	if (url != NULL && *url != '\0') {
		struct place place = read_url(url);
		CLEANUP(free_ptr) char *namespace = NULL;
		char *name;
		auth = xcalloc(1, sizeof(*auth));
		auth->follower.policy = owner->policy;
		auth->port = place.port;
		if (read_service(&place, &namespace, &name)) {
			auth->name = xasprintf("%s/%s", namespace, name);
			auth->follower.service = service_take(model, store, namespace, name);
			follower_enter(&auth->follower);
			auth->status = find_service(model, store, auth, owner, place.is_https);
		} else {
			auth->name = xstrndup(place.host, place.host_len);
			auth->status = model->options.can_use_external ? AUTH_OK : AUTH_OUTSIDE;
		}
		auth->value = auth->status == AUTH_OK ? make_value(auth, owner, &place) : NULL;
	}
	model->n_auths += (auth != NULL && auth->value != NULL);
	/* Taken before released, so that a backend that stays is never dropped in between. */
	auth_free(model, old);
	return auth;
}

void auth_free(struct model *model, struct auth *auth)
{
	if (auth == NULL) {
		return;
	}
	model->n_auths -= auth->value != NULL;
	follower_leave(model, &auth->follower);
	free(auth->value);
	free(auth->name);
	free(auth);
}

bool auth_is_refused(const struct auth *auth)
{
	return auth != NULL && (auth->status == AUTH_NOT_ALLOWED || auth->status == AUTH_OUTSIDE);
}

bool auth_same_diag(const struct auth *a, const struct auth *b)
{
	if (a == NULL || b == NULL) {
		return a == b;
	}
	return a->status == b->status && a->port == b->port &&
	       a->follower.backend == b->follower.backend && strcmp(a->name, b->name) == 0;
}

static bool backend_diag(const struct auth *auth, struct diag *diag)
{
	const struct backend_node *backend = auth->follower.backend;

	if (backend == NULL || backend->external != NULL || backend->public.n_servers > 0) {
		return false;
	}
	diag->reason = DIAG_NO_ENDPOINTS;
	diag->text = xasprintf("names Service %s, which has no ready endpoint: nobody comes in "
			       "until it has; look at its selector and at its pods' readiness",
		auth->name);
	return true;
}

bool auth_diag(const struct auth *auth, bool is_of_class, struct diag *ret_diag)
{
	struct diag diag = {0};

	if (auth == NULL || (auth->status == AUTH_OK && !backend_diag(auth, &diag))) {
		return false;
	}
	switch (auth->status) {
	case AUTH_OK:
		break;
	case AUTH_NO_SERVICE:
		diag.reason = DIAG_SERVICE_MISSING;
		diag.text = xasprintf("names Service %s, which is not there: nobody comes in until "
				      "it is",
			auth->name);
		break;
	case AUTH_SERVICE_TYPE:
		diag.reason = DIAG_SERVICE_TYPE;
		diag.text = xasprintf("names Service %s of type ExternalName, which is not served: "
				      "use a Service with endpoints, or ask the operator for "
				      "--allow-external-name",
			auth->name);
		break;
	case AUTH_NO_PORT:
		diag.reason = DIAG_PORT_MISSING;
		diag.text = xasprintf("names port %" PRId32 " of Service %s, which has no such TCP "
				      "port: nobody comes in until it has",
			auth->port, auth->name);
		break;
	case AUTH_NOT_ALLOWED:
		diag.reason = DIAG_ANNOTATION_REFUSED;
		diag.text = xasprintf("names Service %s of another namespace, which does not say "
				      "that this one may: let it have the annotation "
				      "headgate.dev/auth-namespaces",
			auth->name);
		break;
	case AUTH_OUTSIDE:
		diag.reason = DIAG_ANNOTATION_REFUSED;
		diag.text = xasprintf("names %s, which is no Service of the cluster: write "
				      "<service>.<namespace>.svc, or ask the operator for "
				      "--allow-external-name",
			auth->name);
		break;
	}
	if (auth->follower.service != NULL && auth->follower.service->is_unwatched) {
		free(diag.text);
		diag.text = xasprintf("names Service %s: " MODEL_UNWATCHED_FAULT
				      "; nobody comes in until then",
			auth->name);
	}
	diag.field = xstrdup(is_of_class ? "auth-url of a ConfigMap"
					 : "metadata.annotations[headgate.dev/auth-url]");
	*ret_diag = diag;
	return true;
}

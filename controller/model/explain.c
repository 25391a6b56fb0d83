/* See explain.h. Called by `headgate explain`. */
#include "model/explain.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "model/model_priv.h"
#include "model/route.h"

/* Of paths and hosts that are shown when none fits. */
#define MAX_SHOWN 5

static bool slot_has_key(const void *item, const void *key)
{
	return strcmp(((const struct slot *)item)->key, key) == 0;
}

static const struct slot *find_slot(const struct model *model, enum model_map map, const char *key)
{
	return table_find(&model->slots[map], hash_str(key), key, slot_has_key);
}

PRINTF_LIKE(3, 4)
static void say(struct buf *text, const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_printf(text, "%-9s ", subject);
	buf_vprintf(text, format, args);
	buf_append_char(text, '\n');
	va_end(args);
}

/* ---- the host ---- */

/* Lower case, without the port and the dot at the end; brackets of IPv6 stay. The caller frees it.
 */
static char *plain_host(const char *host)
{
	const char *bracket = strchr(host, ']');
	size_t len = bracket ? (size_t)(bracket - host) + 1 : strcspn(host, ":");

	while (len > 0 && host[len - 1] == '.') {
		len--;
	}
	char *plain = xstrndup(host, len);
	for (char *c = plain; *c != '\0'; c++) {
		*c = (char)tolower((unsigned char)*c);
	}
	return plain;
}

/* "*.example.com" for "shop.example.com"; "*" for a name of one label, as for no name. The caller
 * frees it. */
static char *wildcard_of(const char *host)
{
	const char *dot = strchr(host, '.');

	return dot != NULL && dot > host ? xasprintf("*%s", dot) : xstrdup(ROUTE_ANY_HOST);
}

/* The virtual host of a request, NULL when there is none; says how it is found. Borrowed from the
 * model. */
static const char *explain_host(const struct model *model, const char *host, struct buf *text)
{
	CLEANUP(free_ptr) char *wildcard = wildcard_of(host);
	const char *found = model_find_entry(model, MODEL_MAP_HOSTS, host);

	if (found != NULL) {
		say(text, "host", "%s: rules have exactly this one", host);
		return found;
	}
	found = model_find_entry(model, MODEL_MAP_HOSTS, wildcard);
	if (found != NULL && strcmp(wildcard, ROUTE_ANY_HOST) != 0) {
		say(text, "host", "%s: no rule has exactly this one, %s fits", host, wildcard);
		return found;
	}
	found = model_find_entry(model, MODEL_MAP_HOSTS, ROUTE_ANY_HOST);
	if (found != NULL) {
		say(text, "host",
			"%s: no rule has this one; rules without a host are for all others", host);
	} else {
		say(text, "host",
			"%s: no rule has this one or %s, and there are none without a host", host,
			wildcard);
	}
	return found;
}

/* ---- the path ---- */

/* The longest prefix that ends with a slash. */
static const struct slot *find_prefix(const struct model *model, const char *key)
{
	CLEANUP(free_ptr) char *prefix = xasprintf("%s/", key);
	const struct slot *slot = NULL;

	for (size_t len = strlen(prefix); slot == NULL && len > 0; len--) {
		if (prefix[len - 1] == '/') {
			prefix[len] = '\0';
			slot = find_slot(model, MODEL_MAP_PREFIX, prefix);
		}
	}
	return slot;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Some paths of a virtual host. */
static void say_paths(const struct model *model, const char *host, struct buf *text)
{
	static const enum model_map maps[] = {MODEL_MAP_EXACT, MODEL_MAP_PREFIX};
	size_t host_len = strlen(host);
	const char **keys = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		const struct slot *slot;
		TABLE_FOREACH (&model->slots[maps[i]], slot) {
			if (strncmp(slot->key, host, host_len) == 0 && slot->key[host_len] == '/') {
				keys = xreallocarray(keys, n + 1, sizeof(*keys));
				keys[n++] = slot->key + host_len;
			}
		}
	}
	if (n > 0) {
		qsort(keys, n, sizeof(*keys), compare_texts);
	}
	for (size_t i = 0; i < n && i < MAX_SHOWN; i++) {
		say(text, "", "%s would be found", keys[i]);
	}
	if (n > MAX_SHOWN) {
		say(text, "", "and %zu more", n - MAX_SHOWN);
	}
	free(keys);
}

static const struct slot *explain_path(
	const struct model *model, const char *host, const char *path, struct buf *text)
{
	CLEANUP(free_ptr) char *key = xasprintf("%s%s", host, path);
	const struct slot *slot = find_slot(model, MODEL_MAP_EXACT, key);

	if (slot != NULL) {
		say(text, "path", "%s: a rule has exactly this one", path);
		return slot;
	}
	slot = find_prefix(model, key);
	if (slot != NULL) {
		say(text, "path", "%s: begins with %s, the longest prefix that fits", path,
			slot->key + strlen(host));
		return slot;
	}
	say(text, "path", "%s: no rule of %s has this one or the beginning of it", path, host);
	say_paths(model, host, text);
	return NULL;
}

/* ---- what is behind it ---- */

static void say_claim(const struct claim *claim, struct buf *text, const char *subject)
{
	const struct ingress_node *ingress = claim->ingress;

	if (claim->rule == CLAIM_DEFAULT_RULE) {
		say(text, subject, "%s/%s, spec.defaultBackend", ingress->namespace, ingress->name);
	} else {
		say(text, subject, "%s/%s, spec.rules[%" PRIu32 "].http.paths[%" PRIu32 "]",
			ingress->namespace, ingress->name, claim->rule, claim->path);
	}
}

static void say_backend(
	const struct claim *claim, const struct backend_node *backend, struct buf *text)
{
	const struct service_node *service = claim->service;

	if (backend == NULL) {
		say(text, "Service", "%s/%s is not there or has no such port: 503",
			service->namespace, service->name);
		return;
	}
	say(text, "Service", "%s/%s, port %" PRId32, service->namespace, service->name,
		backend->port);
	say(text, "backend", "%s", backend->public.name);
	if (backend->external != NULL) {
		say(text, "server", "%s, looked up in DNS at each request", backend->external);
	} else if (backend->public.n_servers == 0) {
		say(text, "server", "none: 503 until an endpoint is ready");
	}
	for (size_t i = 0; i < backend->public.n_servers; i++) {
		const struct model_server *server = &backend->public.servers[i];
		say(text, "server", "%s at %s%s", server->name, server->address,
			server->is_draining ? ", draining: no new requests" : "");
	}
}

/* Who says what holds. */
static void say_options(const struct claim *claim, struct buf *text)
{
	const struct class_node *class = claim->ingress->class;
	const struct {
		const char *who;
		const struct option_set *set;
	} sources[] = {{"the Service", claim->service->options},
		{"the Ingress", claim->ingress->options},
		{"a ConfigMap", class ? class->options : NULL}};

	for (int option = 0; option < OPTION_COUNT; option++) {
		for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
			const struct option_set *set = sources[i].set;
			if (set == NULL || set->values[option] == NULL) {
				continue;
			}
			say(text, "option", "%s: %s (of %s)", option_table[option].name,
				set->values[option], sources[i].who);
			break;
		}
	}
	if (sets_is_closed(claim)) {
		say(text, "option", "a rule about who may come in can't be read: 403 for all");
	}
}

static void explain_slot(
	const struct slot *slot, const struct explain_request *request, struct buf *text)
{
	const struct claim *claim = slot->claims;

	say_claim(claim, text, "Ingress");
	say_backend(claim, slot->backend, text);
	say_options(claim, text);
	for (claim = claim->next_in_slot; claim != NULL; claim = claim->next_in_slot) {
		say_claim(claim, text, "behind it");
	}
	if (!request->is_https && slot->host != NULL && slot->host->n_redirects > 0) {
		say(text, "redirect",
			"plain HTTP is sent to HTTPS, unless the option ssl-redirect says "
			"otherwise");
	}
}

bool model_explain(
	const struct model *model, const struct explain_request *request, struct buf *text)
{
	CLEANUP(free_ptr) char *host = plain_host(request->host);
	const char *virtual_host = explain_host(model, host, text);
	const struct slot *slot = NULL;

	if (virtual_host != NULL) {
		slot = explain_path(model, virtual_host, request->path, text);
	}
	if (slot == NULL) {
		slot = find_slot(model, MODEL_MAP_DEFAULTS, ROUTE_ANY_HOST);
		say(text, "default",
			slot ? "an Ingress has one for requests that no rule is for"
			     : "there is none: 404");
	}
	if (slot != NULL) {
		explain_slot(slot, request, text);
	}
	return slot != NULL;
}

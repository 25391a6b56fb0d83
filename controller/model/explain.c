/* See explain.h. Called by `headgate explain`. */
#include "model/explain.h"

#include <arpa/inet.h>
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

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Takes the list, not the texts. */
static void say_some(const char **texts, size_t n, struct buf *text)
{
	if (n > 0) {
		qsort(texts, n, sizeof(*texts), compare_texts);
	}
	for (size_t i = 0; i < n && i < MAX_SHOWN; i++) {
		say(text, "", "%s would be found", texts[i]);
	}
	if (n > MAX_SHOWN) {
		say(text, "", "and %zu more", n - MAX_SHOWN);
	}
	free(texts);
}

/* Some hosts: those of the same domain, or else any. */
static void say_hosts(const struct model *model, const char *host, struct buf *text)
{
	const char *domain = strchr(host, '.');
	const char **keys = NULL;
	size_t n = 0;

	while (n == 0) {
		const struct host_node *node;
		TABLE_FOREACH (&model->hosts, node) {
			size_t len = strlen(node->key);
			size_t domain_len = domain ? strlen(domain) : 0;
			if (len >= domain_len &&
				strcmp(node->key + len - domain_len, domain ? domain : "") == 0) {
				keys = xreallocarray(keys, n + 1, sizeof(*keys));
				keys[n++] = node->key;
			}
		}
		if (domain == NULL) {
			break;
		}
		domain = strchr(domain + 1, '.');
	}
	say_some(keys, n, text);
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
		say_hosts(model, host, text);
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
	say_some(keys, n, text);
}

/* Another slot of the virtual host, which a path that is nearly this one meets. */
static void say_if_other(const struct model *model, const char *host, const char *path,
	const struct slot *slot, struct buf *text)
{
	CLEANUP(free_ptr) char *key = xasprintf("%s%s", host, path);
	const struct slot *other = find_slot(model, MODEL_MAP_EXACT, key);

	if (other == NULL) {
		other = find_prefix(model, key);
	}
	if (other != NULL && other != slot) {
		say(text, "", "%s would be found by a rule for %s", path,
			other->key + strlen(host));
	}
}

/* What people mistake for the same: the slash at the end, and capitals. */
static void say_near(const struct model *model, const char *host, const char *path,
	const struct slot *slot, struct buf *text)
{
	size_t len = strlen(path);
	CLEANUP(free_ptr)
	char *slash =
		len > 1 && path[len - 1] == '/' ? xstrndup(path, len - 1) : xasprintf("%s/", path);
	CLEANUP(free_ptr) char *lower = xstrdup(path);

	for (char *c = lower; *c != '\0'; c++) {
		*c = (char)tolower((unsigned char)*c);
	}
	if (len > 1) {
		say_if_other(model, host, slash, slot, text);
	}
	if (strcmp(lower, path) != 0) {
		say_if_other(model, host, lower, slot, text);
	}
}

static const struct slot *explain_path(
	const struct model *model, const char *host, const char *path, struct buf *text)
{
	CLEANUP(free_ptr) char *key = xasprintf("%s%s", host, path);
	const struct slot *slot = find_slot(model, MODEL_MAP_EXACT, key);

	if (slot != NULL) {
		say(text, "path", "%s: a rule has exactly this one", path);
		say_near(model, host, path, slot, text);
		return slot;
	}
	slot = find_prefix(model, key);
	if (slot != NULL) {
		say(text, "path", "%s: begins with %s, the longest prefix that fits", path,
			slot->key + strlen(host));
		say_near(model, host, path, slot, text);
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

static void say_servers(const struct backend_node *backend, struct buf *text)
{
	if (backend->external != NULL) {
		say(text, "server", "%s, looked up in DNS at each request", backend->external);
	}
	for (size_t i = 0; i < backend->public.n_servers; i++) {
		const struct model_server *server = &backend->public.servers[i];
		say(text, "server", "%s at %s%s", server->name, server->address,
			server->is_draining ? ", draining: no new requests" : "");
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
	if (backend->trust != NULL && backend->trust->is_closed) {
		say(text, "server", "none: 503 until server-ca and server-crt can be used");
	} else if (backend->external == NULL && backend->public.n_servers == 0) {
		say(text, "server", "none: 503 until an endpoint is ready");
	}
	say_servers(backend, text);
}

/* Who says what holds. */
static void say_options(const struct slot *slot, struct buf *text)
{
	const struct claim *claim = slot->claims;
	struct diag lacking;
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
	if (sets_is_closed(claim->ingress)) {
		say(text, "option", "a rule about who may come in can't be read: 403 for all");
	}
	if (slot->policy != NULL && policies_patterns_diag(slot->policy->policy, &lacking)) {
		say(text, "option", "%s %s", lacking.field, lacking.text);
		free(lacking.field);
		free(lacking.text);
	}
}

/* ---- the client ---- */

static const char *find_header(const struct explain_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcasecmp(request->headers[i].name, name) == 0) {
			return request->headers[i].value;
		}
	}
	return NULL;
}

/* An address, as one of IPv6: ::ffff:a.b.c.d for IPv4. */
static bool read_address(const char *text, struct in6_addr *ret_address)
{
	struct in_addr four;

	if (inet_pton(AF_INET, text, &four) == 1) {
		memset(ret_address, 0, sizeof(*ret_address));
		memset(ret_address->s6_addr + 10, 0xff, 2);
		memcpy(ret_address->s6_addr + 12, &four, sizeof(four));
		return true;
	}
	return inet_pton(AF_INET6, text, ret_address) == 1;
}

/* "192.0.2.0/24" or an address alone. */
static bool is_in_network(const struct in6_addr *address, const char *text)
{
	size_t len = strcspn(text, "/");
	CLEANUP(free_ptr) char *start = xstrndup(text, len);
	unsigned n_bits = text[len] == '/' ? (unsigned)strtoul(text + len + 1, NULL, 10) : 128;
	struct in6_addr network;

	if (!read_address(start, &network)) {
		return false;
	}
	if (strchr(start, ':') == NULL && text[len] == '/') {
		n_bits += 96;
	}
	for (unsigned i = 0; i < n_bits && i < 128; i++) {
		unsigned mask = 0x80U >> i % 8;
		if ((address->s6_addr[i / 8] & mask) != (network.s6_addr[i / 8] & mask)) {
			return false;
		}
	}
	return true;
}

static bool is_in_list(const struct in6_addr *address, const char *list)
{
	CLEANUP(free_ptr) char *entries = xstrdup(list);
	char *save;

	for (char *entry = strtok_r(entries, ", ", &save); entry != NULL;
		entry = strtok_r(NULL, ", ", &save)) {
		if (is_in_network(address, entry)) {
			return true;
		}
	}
	return false;
}

/* Who may come in, as far as headers decide. */
static void say_client(const struct model *model, const struct claim *claim,
	const struct explain_request *request, struct buf *text)
{
	const char *header = sets_option(claim, OPTION_SRC_IP_HEADER);
	const char *allow_list = sets_option(claim, OPTION_ALLOW_LIST);
	const char *allowed = patterns_resolve(&model->patterns, allow_list);
	const char *denied =
		patterns_resolve(&model->patterns, sets_option(claim, OPTION_DENY_LIST));
	const char *value = header && *header != '\0' ? find_header(request, header) : NULL;
	struct in6_addr address;

	if (header == NULL || *header == '\0') {
		return;
	}
	/* HAProxy takes the last of several. */
	const char *last = value ? strrchr(value, ',') : NULL;
	last = last ? last + 1 + strspn(last + 1, " ") : value;
	if (last == NULL || !read_address(last, &address)) {
		say(text, "client", "has the address that the header %s would say", header);
		return;
	}
	say(text, "client", "%s, as %s says", last, header);
	if (denied != NULL && *denied != '\0' && is_in_list(&address, denied)) {
		say(text, "client", "is in deny-list: 403");
	} else if (allowed != NULL && *allow_list != '\0') {
		say(text, "client", "is %sin allow-list%s",
			is_in_list(&address, allowed) ? "" : "not ",
			is_in_list(&address, allowed) ? "" : ": 403");
	}
}

/* As the path is written; HAProxy also finds what is meant (lua/headgate.lua). */
static void say_denied_path(
	const struct claim *claim, const struct explain_request *request, struct buf *text)
{
	const char *paths = sets_option(claim, OPTION_DENY_PATHS);
	CLEANUP(free_ptr) char *list = xstrdup(paths ? paths : "");
	char *save;

	for (char *path = strtok_r(list, " ", &save); path != NULL;
		path = strtok_r(NULL, " ", &save)) {
		size_t len = strcmp(path, "/") == 0 ? 0 : strlen(path);
		if (strncmp(request->path, path, len) == 0 &&
			(request->path[len] == '/' || request->path[len] == '\0')) {
			say(text, "path", "is %s or below it, which deny-paths has: 403", path);
			return;
		}
	}
}

/* ---- another Service ---- */

/* Is a request of the canary, as far as headers decide? */
static void say_share(
	const struct claim *claim, const struct explain_request *request, struct buf *text)
{
	const char *header = sets_option(claim, OPTION_CANARY_BY_HEADER);
	const char *expected = sets_option(claim, OPTION_CANARY_BY_HEADER_VALUE);
	const char *cookie = sets_option(claim, OPTION_CANARY_BY_COOKIE);
	const char *weight = sets_option(claim, OPTION_CANARY_WEIGHT);
	const char *value = header ? find_header(request, header) : NULL;

	if (value != NULL && strcmp(value, expected ? expected : "always") == 0) {
		say(text, "canary", "takes this request, as %s says", header);
	} else if (value != NULL && expected == NULL && strcmp(value, "never") == 0) {
		say(text, "canary", "does not take this request, as %s says", header);
	} else {
		say(text, "canary", "takes %s of a hundred such requests%s%s%s",
			weight ? weight : "0", cookie ? ", unless the cookie " : "",
			cookie ? cookie : "", cookie ? " says otherwise" : "");
	}
}

static void say_canary(
	const struct slot *slot, const struct explain_request *request, struct buf *text)
{
	const struct canary *canary =
		slot->policy != NULL ? policies_canary(slot->policy->policy) : NULL;

	if (canary == NULL) {
		return;
	}
	const struct service_node *service = canary->follower.service;
	const struct backend_node *backend = canary->follower.backend;
	if (backend == NULL || (backend->external == NULL && backend->public.n_servers == 0)) {
		say(text, "canary", "%s/%s can't take requests: all go to %s", service->namespace,
			service->name, slot->claims->service->name);
		return;
	}
	say(text, "canary", "%s/%s, port %" PRId32 ", backend %s", service->namespace,
		service->name, backend->port, backend->public.name);
	say_servers(backend, text);
	say_share(slot->claims, request, text);
}

static void explain_slot(const struct model *model, const struct slot *slot,
	const struct explain_request *request, struct buf *text)
{
	const struct claim *claim = slot->claims;

	say_claim(claim, text, "Ingress");
	say_backend(claim, slot->backend, text);
	say_options(slot, text);
	say_client(model, claim, request, text);
	say_denied_path(claim, request, text);
	say_canary(slot, request, text);
	for (claim = claim->next_in_slot; claim != NULL; claim = claim->next_in_slot) {
		say_claim(claim, text, "behind it");
	}
	if (!request->is_https && slot->host != NULL && slot->host->n_redirects > 0) {
		say(text, "redirect",
			"plain HTTP is sent to HTTPS, unless the option ssl-redirect says "
			"otherwise");
	}
}

/* The virtual host of a name that a client says in the handshake; NULL = none. Borrowed. */
static const char *host_of_name(const struct model *model, const char *name)
{
	CLEANUP(free_ptr) char *host = plain_host(name);
	CLEANUP(free_ptr) char *wildcard = wildcard_of(host);
	const char *found = model_find_entry(model, MODEL_MAP_HOSTS, host);

	return found != NULL ? found : model_find_entry(model, MODEL_MAP_HOSTS, wildcard);
}

/* Where connections go that stay TLS; false = TLS ends here, and the request counts. */
static bool explain_passthrough(
	const struct model *model, const struct explain_request *request, struct buf *text)
{
	const char *host = request->is_https ? host_of_name(model, request->host) : NULL;
	const struct slot *slot =
		host != NULL ? find_slot(model, MODEL_MAP_PASSTHROUGH, host) : NULL;

	if (slot == NULL || !slot->passes) {
		return false;
	}
	const struct service_node *service = slot->claims->service;
	say(text, "host", "%s: TLS connections for %s pass through, whatever path and policy say",
		request->host, host);
	say_claim(slot->claims, text, "Ingress");
	if (slot->backend == NULL) {
		say(text, "Service", "%s/%s can't have connections: they are closed",
			service->namespace, service->name);
		return true;
	}
	say(text, "Service", "%s/%s, port %" PRId32, service->namespace, service->name,
		slot->backend->port);
	say(text, "backend", "%s", slot->backend->public.name);
	if (slot->backend->public.n_servers == 0) {
		say(text, "server", "none: connections are closed until an endpoint is ready");
	}
	say_servers(slot->backend, text);
	return true;
}

bool model_explain(
	const struct model *model, const struct explain_request *request, struct buf *text)
{
	const char *header = find_header(request, "host");
	CLEANUP(free_ptr) char *host = plain_host(header ? header : request->host);
	const struct slot *slot = NULL;

	if (explain_passthrough(model, request, text)) {
		return true;
	}
	const char *virtual_host = explain_host(model, host, text);
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
		explain_slot(model, slot, request, text);
	}
	return slot != NULL;
}

/* See endpoints.h. */
#include "model/endpoints.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "model/address.h"
#include "model/route.h"

/* HAProxy accepts longer names; a pod's name has at most 253 characters. */
#define MAX_POD_NAME 253

static const struct service_port *find_by_number(const struct service *service, int32_t number)
{
	const struct service_port *ports = obj_items(service, service->ports);

	for (uint32_t i = 0; i < service->ports.n; i++) {
		if (ports[i].protocol == PORT_PROTOCOL_TCP && ports[i].port == number) {
			return &ports[i];
		}
	}
	return NULL;
}

static const struct service_port *find_by_name(const struct service *service, const char *name)
{
	const struct service_port *ports = obj_items(service, service->ports);

	for (uint32_t i = 0; i < service->ports.n; i++) {
		if (ports[i].protocol == PORT_PROTOCOL_TCP && name[0] != '\0' &&
			strcmp(obj_str(service, ports[i].name), name) == 0) {
			return &ports[i];
		}
	}
	return NULL;
}

bool endpoints_is_external(const struct service *service)
{
	return service != NULL && strcmp(obj_str(service, service->type), "ExternalName") == 0;
}

/* A name that DNS can be asked for: no wildcard, nothing that means something to HAProxy. */
static bool has_external_name(const struct service *service)
{
	const char *name = obj_str(service, service->external_name);
	struct buf host = BUF_INIT(0);
	bool is_host = name[0] != '\0' && name[0] != '*' && route_add_host(&host, name) == NULL;

	buf_fini(&host);
	return is_host;
}

static const struct service_port *find_first(const struct service *service)
{
	const struct service_port *ports = obj_items(service, service->ports);
	uint32_t i = 0;

	while (i < service->ports.n && ports[i].protocol != PORT_PROTOCOL_TCP) {
		i++;
	}
	return i < service->ports.n ? &ports[i] : NULL;
}

enum endpoints_port endpoints_find_port(const struct service *service,
	struct endpoints_reference reference, bool can_be_external, int32_t *ret_number)
{
	bool is_external = endpoints_is_external(service);
	const struct service_port *port;

	if (service == NULL) {
		return ENDPOINTS_NO_SERVICE;
	}
	if (is_external && !can_be_external) {
		return ENDPOINTS_SERVICE_TYPE;
	}
	if (is_external && !has_external_name(service)) {
		return ENDPOINTS_EXTERNAL_NAME;
	}
	if (is_external && service->ports.n == 0 && reference.number != 0) {
		*ret_number = reference.number;
		return ENDPOINTS_OK;
	}
	port = reference.number != 0	? find_by_number(service, reference.number)
	       : reference.name != NULL ? find_by_name(service, reference.name)
					: find_first(service);
	if (port == NULL) {
		return ENDPOINTS_NO_PORT;
	}
	*ret_number = port->port;
	return ENDPOINTS_OK;
}

static const char *transport_suffix(const char *protocol)
{
	static const struct {
		const char *protocol;
		const char *suffix;
	} rows[] = {
		{"kubernetes.io/h2c", MODEL_SUFFIX_H2C},
		{"kubernetes.io/wss", MODEL_SUFFIX_HTTPS},
		{"https", MODEL_SUFFIX_HTTPS},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* Names of services, as IANA keeps them, have no case. */
		if (strcasecmp(protocol, rows[i].protocol) == 0) {
			return rows[i].suffix;
		}
	}
	return "";
}

enum model_transport endpoints_transport(const struct service *service, int32_t number)
{
	const struct service_port *port = service ? find_by_number(service, number) : NULL;
	const char *suffix = transport_suffix(port ? obj_str(service, port->app_protocol) : "");

	if (suffix[0] == '\0') {
		return MODEL_TRANSPORT_HTTP;
	}
	return strcmp(suffix, MODEL_SUFFIX_H2C) == 0 ? MODEL_TRANSPORT_H2C : MODEL_TRANSPORT_HTTPS;
}

char *endpoints_external(const struct service *service, int32_t number)
{
	const struct service_port *port = find_by_number(service, number);
	const char *suffix = transport_suffix(port ? obj_str(service, port->app_protocol) : "");

	/* "_https" becomes ":https". */
	return xasprintf("%s:%" PRId32 "%s%s", obj_str(service, service->external_name), number,
		suffix[0] ? ":" : "", suffix[0] ? suffix + 1 : "");
}

/* The slice's own number for the Service's port: they are joined by the port's name. 0 = none. */
static int32_t slice_port_number(const struct endpoint_slice *slice, const char *port_name)
{
	const struct slice_port *ports = obj_items(slice, slice->ports);

	for (uint32_t i = 0; i < slice->ports.n; i++) {
		if (ports[i].protocol == PORT_PROTOCOL_TCP &&
			strcmp(obj_str(slice, ports[i].name), port_name) == 0) {
			return ports[i].port;
		}
	}
	return 0;
}

enum state {
	UNUSABLE,    /* no candidate is */
	TERMINATING, /* still serving */
	READY,
};

/* An endpoint, and the server that it may become; texts live in the arena. */
struct candidate {
	struct model_server server; /* its name is the pod's, "" = none, until settle_names() */
	uint8_t state;		    /* enum state */
	bool is_second_family;
};

struct draft {
	struct arena arena;
	struct candidate *items;
	size_t n;
	bool is_ipv6_first;
	bool can_use_loopback;
	const char *suffix;  /* of every server's name: the transport */
	const char *refused; /* the first one in order of text, or NULL */
};

/* Without '_', which pods' names never have and names made from addresses always have: so the two
 * never meet. */
static bool is_server_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) && strchr("-.", name[i]) == NULL) {
			return false;
		}
	}
	return len > 0 && len <= MAX_POD_NAME;
}

/* "10.0.0.1_80", "fd00::1_80": brackets can't be in a server's name. */
static char *name_from_address(struct arena *arena, const char *address)
{
	char *name = arena_alloc(arena, strlen(address) + 1);
	char *out = name;
	const char *port = strrchr(address, ':');

	for (const char *c = address; *c != '\0'; c++) {
		if (c == port) {
			*out++ = '_';
		} else if (*c != '[' && *c != ']') {
			*out++ = *c;
		}
	}
	*out = '\0';
	return name;
}

/*
 * A condition that is absent says nothing: of `ready` that means yes, of `serving` the same as
 * `ready`, of `terminating` no. With publishNotReadyAddresses the cluster writes ready=true
 * whatever the pod does.
 */
static enum state state_of(const struct slice_endpoint *endpoint)
{
	if (endpoint->ready != OBJ_FALSE) {
		return READY;
	}
	return endpoint->serving == OBJ_TRUE && endpoint->terminating == OBJ_TRUE ? TERMINATING
										  : UNUSABLE;
}

static void refuse(struct draft *draft, const char *address)
{
	if (draft->refused == NULL || strcmp(address, draft->refused) < 0) {
		draft->refused = arena_strdup(&draft->arena, address);
	}
}

static void collect_endpoint(struct draft *draft, const struct endpoint_slice *slice,
	const struct slice_endpoint *endpoint, int32_t port)
{
	struct address address = address_parse(obj_str(slice, endpoint->address), port);

	if (address.kind == ADDRESS_FORBIDDEN ||
		(address.kind == ADDRESS_LOOPBACK && !draft->can_use_loopback)) {
		refuse(draft, address.text);
	} else if (address.kind != ADDRESS_NONE && state_of(endpoint) != UNUSABLE) {
		draft->items[draft->n++] = (struct candidate){
			.server = {arena_strdup(&draft->arena, obj_str(slice, endpoint->pod)),
				arena_strdup(&draft->arena, address.text), false},
			.state = (uint8_t)state_of(endpoint),
			.is_second_family = address.is_ipv6 != draft->is_ipv6_first,
		};
	}
}

static void collect_slice(
	struct draft *draft, const struct endpoint_slice *slice, const char *port_name)
{
	const struct slice_endpoint *endpoints = obj_items(slice, slice->endpoints);
	int32_t port = slice_port_number(slice, port_name);

	if (port == 0 || slice->endpoints.n == 0) {
		return;
	}
	draft->items =
		xreallocarray(draft->items, draft->n + slice->endpoints.n, sizeof(*draft->items));
	for (uint32_t i = 0; i < slice->endpoints.n; i++) {
		collect_endpoint(draft, slice, &endpoints[i], port);
	}
}

static int compare_by_pod(const void *a, const void *b)
{
	const struct candidate *left = a;
	const struct candidate *right = b;
	int order = strcmp(left->server.name, right->server.name);

	return order != 0 ? order : (int)left->is_second_family - (int)right->is_second_family;
}

/* The better state first. */
static int compare_by_address(const void *a, const void *b)
{
	const struct candidate *left = a;
	const struct candidate *right = b;
	int order = strcmp(left->server.address, right->server.address);

	if (order == 0) {
		order = (int)right->state - (int)left->state;
	}
	return order != 0 ? order : strcmp(left->server.name, right->server.name);
}

static int compare_servers(const struct model_server *left, const struct model_server *right)
{
	int order = strcmp(left->name, right->name);

	return order != 0 ? order : strcmp(left->address, right->address);
}

static int compare_by_name(const void *a, const void *b)
{
	return compare_servers(
		&((const struct candidate *)a)->server, &((const struct candidate *)b)->server);
}

static void sort_draft(struct draft *draft, int (*compare)(const void *, const void *))
{
	if (draft->n > 1) {
		qsort(draft->items, draft->n, sizeof(*draft->items), compare);
	}
}

/*
 * A pod of a dual-stack Service has an endpoint of each family: only that of the Service's first
 * family counts while it is usable, or the pod would get twice its share. Pods that have none of
 * the first family that is usable are reached by the other one. Endpoints without a pod can't be
 * told to be one.
 */
static void drop_second_families(struct draft *draft)
{
	const char *pod = NULL;
	size_t n = 0;

	sort_draft(draft, compare_by_pod);
	for (size_t i = 0; i < draft->n; i++) {
		const struct candidate *item = &draft->items[i];
		if (!item->is_second_family) {
			pod = item->server.name;
		} else if (pod != NULL && pod[0] != '\0' && strcmp(pod, item->server.name) == 0) {
			continue;
		}
		draft->items[n++] = *item;
	}
	draft->n = n;
}

/* An endpoint may stand in two slices while they are rearranged. */
static void drop_duplicates(struct draft *draft)
{
	size_t n = 0;

	sort_draft(draft, compare_by_address);
	for (size_t i = 0; i < draft->n; i++) {
		if (n == 0 || strcmp(draft->items[n - 1].server.address,
				      draft->items[i].server.address) != 0) {
			draft->items[n++] = draft->items[i];
		}
	}
	draft->n = n;
}

/* Terminating endpoints finish what they have; when nothing else is left, they are what there is.
 */
static void settle_states(struct draft *draft)
{
	bool has_ready = false;

	for (size_t i = 0; i < draft->n; i++) {
		has_ready = has_ready || draft->items[i].state == READY;
	}
	for (size_t i = 0; i < draft->n; i++) {
		struct candidate *item = &draft->items[i];
		item->server.is_draining = has_ready && item->state == TERMINATING;
	}
}

static const char *with_suffix(struct draft *draft, const char *name)
{
	size_t name_len = strlen(name);
	size_t suffix_size = strlen(draft->suffix) + 1;

	if (suffix_size == 1) {
		return name;
	}
	char *copy = arena_alloc(&draft->arena, name_len + suffix_size);
	memcpy(copy, name, name_len);
	memcpy(copy + name_len, draft->suffix, suffix_size);
	return copy;
}

/* Pod names that are unfit or used twice give way to the address, which is unique. */
static void settle_names(struct draft *draft)
{
	const char *last = NULL;

	sort_draft(draft, compare_by_name);
	for (size_t i = 0; i < draft->n; i++) {
		struct model_server *server = &draft->items[i].server;
		const char *name = server->name;
		if (is_server_name(name) && (last == NULL || strcmp(last, name) != 0)) {
			last = name;
		} else {
			name = name_from_address(&draft->arena, server->address);
		}
		server->name = with_suffix(draft, name);
	}
	sort_draft(draft, compare_by_name);
}

static const char *pack_text(char **end, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = memcpy(*end, text, size);

	*end += size;
	return copy;
}

/* All of a backend's servers are one block: there are many, and each is small. */
static struct endpoints_servers pack(const struct draft *draft)
{
	struct endpoints_servers servers = {0};
	size_t size = draft->n * sizeof(*servers.items);

	servers.refused = draft->refused ? xstrdup(draft->refused) : NULL;
	if (draft->n == 0) {
		return servers;
	}
	for (size_t i = 0; i < draft->n; i++) {
		const struct model_server *server = &draft->items[i].server;
		size += strlen(server->name) + strlen(server->address) + 2;
	}
	servers.items = xmalloc(size);
	servers.n = draft->n;
	char *end = (char *)&servers.items[draft->n];
	for (size_t i = 0; i < draft->n; i++) {
		const struct model_server *server = &draft->items[i].server;
		servers.items[i] = (struct model_server){
			.name = pack_text(&end, server->name),
			.address = pack_text(&end, server->address),
			.is_draining = server->is_draining,
		};
	}
	return servers;
}

struct endpoints_servers endpoints_collect(const struct store *store, const struct service *service,
	int32_t number, bool can_use_loopback)
{
	const struct service_port *port = find_by_number(service, number);
	struct draft draft = {
		.is_ipv6_first = strcmp(obj_str(service, service->primary_family), "IPv6") == 0,
		.can_use_loopback = can_use_loopback,
		.suffix = port ? transport_suffix(obj_str(service, port->app_protocol)) : "",
	};
	size_t n_slices;
	const struct endpoint_slice *const *slices = store_slices(
		store, object_namespace(&service->head), object_name(&service->head), &n_slices);

	for (size_t i = 0; port != NULL && i < n_slices; i++) {
		collect_slice(&draft, slices[i], obj_str(service, port->name));
	}
	drop_second_families(&draft);
	drop_duplicates(&draft);
	settle_states(&draft);
	settle_names(&draft);
	struct endpoints_servers servers = pack(&draft);
	free(draft.items);
	arena_fini(&draft.arena);
	return servers;
}

bool endpoints_equal(const struct endpoints_servers *a, const struct endpoints_servers *b)
{
	if (a->n != b->n) {
		return false;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (compare_servers(&a->items[i], &b->items[i]) != 0 ||
			a->items[i].is_draining != b->items[i].is_draining) {
			return false;
		}
	}
	return true;
}

void endpoints_fini(struct endpoints_servers *servers)
{
	free(servers->items);
	free(servers->refused);
	*servers = (struct endpoints_servers){0};
}
